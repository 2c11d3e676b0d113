"""Indices that hold arrays: what the direct path picks and adds has the bits, and the memory order, of NumPy's own."""

import contextlib

import numpy as np
import pytest
from samples import COMPILED, NEEDS_CORE, core, same_bits, seed

import fastgrad as fg

needs_core = pytest.mark.skipif(not COMPILED, reason=NEEDS_CORE)

AT = np.array([0, 2, 2, -1, 1])
GRID = np.array([[0, 1, 3], [2, 2, -4]])
MASK = np.random.default_rng(0).random((4, 5)) > 0.5
ALL = slice(None)
INDICES = [
    ((5,), AT), ((5, 3), AT), ((5, 3), GRID), ((5,), AT.astype(np.int32)), ((4, 5, 3), (ALL, AT)), ((4, 5, 3), (..., AT % 3)),
    ((4, 5, 3), (..., AT, ALL)), ((4, 5), (AT % 4, AT)), ((4, 5, 3), (AT % 4, AT)), ((2, 4, 5, 3), (ALL, AT % 4, AT)),
    ((4, 5, 3), (ALL, GRID)), ((4, 5), (1, AT)), ((4, 5, 6), (ALL, AT, -2)), ((4, 5, 6), (..., AT, -2)), ((4, 5), MASK),
    ((4, 5, 3), MASK), ((3, 4, 5), (ALL, MASK)), ((3, 4, 5), (..., MASK[0])), ((5, 4), [0, 1, 0]), ((5, 4), ([0, 1], [1, 1])),
    ((1, 1), (np.zeros(1, int), 0)), ((3, 1, 2), (ALL, np.zeros(4, int))), ((40, 50, 3), (ALL, seed("many").integers(-50, 50, 1000))),
    ((40_000,), seed("long").integers(0, 40_000, 50_000)), ((200, 300), seed("rows").integers(0, 200, 400)),
    # and where the general path serves
    ((5, 3), AT[::2]), ((5, 3), GRID.T), ((5,), AT.astype(np.int8)), ((5,), (AT + 5).astype(np.uint64) % 5), ((4, 5, 3), (AT % 4, ALL, AT % 3)),
    ((4, 5, 3), (0, ALL, AT % 3)), ((4, 5), (slice(1, 3), AT)), ((4, 5), (None, AT % 4)), ((4, 5), (MASK[:, 0], 1)),
    ((4, 5), (np.array([[0], [3]]), AT)), ((4, 5), np.zeros((4, 5), bool)), ((4, 5), np.zeros((0, 2), int)),
    ((4, 5), (AT[:1], MASK[0])), ((4, 0), AT % 4),
]  # fmt: skip


@contextlib.contextmanager
def direct(on):
    before = core.set_direct(on) if COMPILED else None
    try:
        yield
    finally:
        if COMPILED:
            core.set_direct(before)


def everything(array, index):
    """What is picked; its gradients, of a cotangent in each memory order and of a sum; and a second derivative."""
    x = fg.tensor(array, requires_grad=True)
    picked = x[index]
    g = seed(array.shape, "g").normal(size=picked.shape).astype(array.dtype)
    found = [picked.detach().numpy()]
    for cotangent in (g, np.asfortranarray(g), np.repeat(g, 2).reshape(*g.shape, 2)[..., 0]):
        found.append(fg.autograd.grad(picked, x, fg.asarray(cotangent), retain_graph=True)[0].numpy())
    found.append(fg.autograd.grad(picked.sum(), x, fg.asarray(np.ones((), array.dtype)), retain_graph=True)[0].numpy())
    found.append(fg.autograd.grad(picked * x[index], x, fg.tensor(g), retain_graph=True)[0].numpy())  # added twice
    leaf = fg.tensor(g, requires_grad=True)
    (grad,) = fg.autograd.grad(picked, x, leaf, create_graph=True)
    found += [grad.detach().numpy(), fg.autograd.grad(grad * grad, leaf, fg.tensor(np.ones_like(array)))[0].numpy()]
    return found


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(("shape", "index"), INDICES)
def test_both_paths_pick_and_add_alike(shape, index, dtype):
    array = seed(shape).normal(size=shape).astype(dtype)
    with direct(True):
        fast = everything(array, index)
    with direct(False):
        slow = everything(array, index)
    for a, b in zip(fast, slow, strict=True):
        same_bits(a, b, f"{shape}[{index}]")


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex128", "longdouble", "float16"])
@pytest.mark.parametrize(("shape", "index"), INDICES)
def test_what_is_picked_lies_in_memory_as_numpy_has_it(shape, index, dtype):
    """Sums over it depend on the order."""
    array = (10 * seed(shape).normal(size=shape)).astype(dtype)
    expected, found = array[index], fg.asarray(array)[index].numpy()
    same_bits(found, expected, f"{shape}[{index}]")
    assert found.strides == expected.strides


@pytest.mark.parametrize(
    "index", [np.array([0, 3]), np.array([-4]), np.array([1 << 62]), (AT % 3, AT), (3, AT % 2), MASK]
)
def test_places_out_of_bounds_raise_what_numpy_raises(index):
    array = np.ones((3, 2))
    with pytest.raises(IndexError) as expected:
        array[index]
    with pytest.raises(IndexError) as found:
        fg.tensor(array, requires_grad=True)[index]
    assert str(found.value) == str(expected.value)


def test_the_index_may_be_overwritten_afterwards():
    index, mask = np.array([0, 2]), np.array([True, False, True])
    x = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x[index] + x[mask]
    index[:], mask[:] = 1, False
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 2]


def test_tensors_are_indices():
    x = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x[fg.tensor([2, 2])] * x[x > 1.5]).sum().backward()
    assert x.grad.tolist() == [0, 3, 8]
