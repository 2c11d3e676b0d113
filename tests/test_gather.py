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


ALONG = [
    ((5,), AT, 0), ((2, 3), GRID % 3, 1), ((4, 3), GRID % 3, 0), ((2, 3), GRID % 3 - 3, -1), ((2, 7), np.array([[6], [-7]]), 1),
    ((2, 3, 4), seed("along").integers(-3, 3, (2, 5, 4)), 1), ((300, 200), seed("wide").integers(0, 300, (250, 200)), 0),
    ((3, 2), GRID[:, :2].astype(np.int32) % 3, 0), ((1, 3), GRID % 3, 1), ((2, 3), np.zeros((2, 0), int), 1), ((5,), AT, None),
]  # fmt: skip


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(("shape", "indices", "axis"), ALONG)
def test_both_paths_take_along_an_axis_alike(shape, indices, axis, dtype):
    array = seed(shape).normal(size=shape).astype(dtype)
    found = []
    for on in (True, False):
        with direct(on):
            x = fg.tensor(array, requires_grad=True)
            taken = fg.take_along_axis(x, indices, axis)
            same_bits(taken.detach().numpy(), np.take_along_axis(array, indices, axis), "values")
            g = fg.tensor(seed("g").normal(size=taken.shape).astype(dtype), requires_grad=True)
            (grad,) = fg.autograd.grad(taken, x, g, create_graph=True)
            (again,) = fg.autograd.grad(grad * grad, g, fg.ones_like(grad))
            found.append((fg.autograd.grad(taken, x, g)[0].numpy(), grad.detach().numpy(), again.numpy()))
    for a, b in zip(*found, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=32 * np.finfo(dtype).eps, atol=32 * np.finfo(dtype).eps)


@pytest.mark.parametrize("bad", [3, -4, 1 << 62])
def test_places_along_an_axis_out_of_bounds_raise_what_numpy_raises(bad):
    array, indices = np.ones((2, 3)), np.array([[0], [bad]])
    with pytest.raises(IndexError) as expected:
        np.take_along_axis(array, indices, 1)
    with pytest.raises(IndexError) as found:
        fg.take_along_axis(fg.tensor(array, requires_grad=True), indices, 1)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint64"])
def test_numbers_of_rows_are_checked_before_they_are_used(dtype):
    weight = fg.tensor(np.ones((3, 2)), requires_grad=True)
    assert fg.nn.functional.embedding(np.array([[0, 2]], dtype), weight).shape == (1, 2, 2)
    with pytest.raises(IndexError, match="from 0 to 3, but there are 3 rows"):
        fg.nn.functional.embedding(np.array([0, 3], dtype), weight)
    if dtype.startswith("i"):
        with pytest.raises(IndexError, match="from -1 to 0"):
            fg.nn.functional.embedding(np.array([0, -1], dtype), weight)


@needs_core
def test_results_do_not_depend_on_the_number_of_threads():
    before = fg.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            fg.set_num_threads(threads)
            rng = seed("threads")
            for shape, picks in [((70_000,), 200_000), ((5, 20_000), 40_000), ((3000, 40), 9000), ((400, 300, 2), 500)]:
                x = fg.tensor(rng.normal(size=shape).astype("float32"), requires_grad=True)
                axis = 1 if shape[0] == 5 else 0
                index = (slice(None),) * axis + (rng.integers(0, shape[axis] // 7, picks),)
                y = x[index]
                y.backward(fg.tensor(rng.normal(size=y.shape).astype("float32")))
                found.append((threads, y.detach().numpy(), x.grad.numpy()))
    finally:
        fg.set_num_threads(before)
    for (threads, *one), (_, *first) in zip(found, found[:4] * 3, strict=True):
        for a, b in zip(one, first, strict=True):
            same_bits(a, b, f"{threads} threads")
