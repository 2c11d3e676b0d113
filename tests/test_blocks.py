"""Operations that only move elements: the core's own paths against NumPy's functions and the general path."""

import contextlib

import numpy as np
import pytest
from samples import COMPILED, NEEDS_CORE, core, same_bits

import fastgrad as fg

pytestmark = pytest.mark.skipif(not COMPILED, reason=NEEDS_CORE)

ORDERS = {
    "C": lambda x: x,
    "F": lambda x: np.asfortranarray(x),
    "reversed": lambda x: x[::-1],
    "wide": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "one row": lambda x: np.broadcast_to(x[:1], x.shape),
}
HUGE = 10**30


@contextlib.contextmanager
def direct(on):
    previous = core.set_direct(on)
    try:
        yield
    finally:
        core.set_direct(previous)


def run(function, arrays, orders=()):
    """Values, strides and gradients; cotangents differ for every element and lie in memory as `orders` say."""
    xs = [core.asarray(a, copy=False) for a in arrays]
    for x in xs:
        x.requires_grad = True
    found = function(*xs)
    outs = found if isinstance(found, tuple) else (found,)
    cotangents = []
    for i, out in enumerate(outs):
        g = np.sin(np.arange(out.size, dtype=out.dtype)).reshape(out.shape)
        cotangents.append(fg.asarray(ORDERS[orders](g) if orders and g.size else g + i))
    grads = core.grad(list(outs), xs, cotangents, allow_unused=True)
    return [o.detach().numpy() for o in outs], [None if g is None else g.numpy() for g in grads]


def both(function, *arrays, orders=(), exact=True):
    """The direct path, checked against the general one."""
    with direct(True):
        values, grads = run(function, arrays, orders)
    with direct(False):
        plain, expected = run(function, arrays, orders)
    for a, b in zip(values, plain, strict=True):
        same_bits(a, b, "values")
        assert all(s == t for s, t, n in zip(a.strides, b.strides, a.shape) if n > 1)
    for a, b in zip(grads, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None and exact:
            same_bits(a, b, "gradients")
        elif a is not None:
            np.testing.assert_allclose(
                a, b, rtol=8 * float(np.finfo(a.dtype).eps), atol=8 * float(np.finfo(a.dtype).eps)
            )
    return values


def array(*shape, dtype=np.float64):
    return np.cos(np.arange(int(np.prod(shape)), dtype=dtype)).reshape(shape)


MOVES = {
    "flip": lambda x: fg.flip(x), "flip of two": lambda x: fg.flip(x, (0, -1)), "transpose": lambda x: fg.transpose(x),
    "permuted": lambda x: fg.transpose(x, (1, -1, 0)), "swapaxes": lambda x: fg.swapaxes(x, 0, -1),
    "moveaxis": lambda x: fg.moveaxis(x, 0, -1), "moveaxis back": lambda x: fg.moveaxis(x, 2, 0),
    "several moved": lambda x: fg.moveaxis(x, (0, 1), (-1, 0)), "matrix_transpose": lambda x: fg.matrix_transpose(x),
    "expand_dims": lambda x: fg.expand_dims(x, (0, -2)), "expanded": lambda x: fg.expand_dims(x, 1),
    "squeeze": lambda x: fg.squeeze(fg.expand_dims(x, (0, 2))), "squeezed": lambda x: fg.squeeze(fg.expand_dims(x, 1), 1),
    "roll": lambda x: fg.roll(x, 4), "roll far": lambda x: fg.roll(x, -17, 1), "roll two": lambda x: fg.roll(x, (1, 2), (0, 2)),
    "pad": lambda x: fg.pad(x, 1, constant_values=-2.5), "pad some": lambda x: fg.pad(x, ((0, 2), (1, 0), (0, 0))),
    "split": lambda x: fg.split(x, 2, 2), "split at": lambda x: fg.split(x, [1, 2], -1), "unstack": lambda x: fg.unstack(x, axis=1),
    "split empty": lambda x: fg.split(x, [0, 2], 2), "overlapping": lambda x: fg.split(x, [3, 1], 2),
    "stack": lambda x: fg.stack([x, x], 1), "concat": lambda x: fg.concat([x, x[:, :1], x], 1),
    "flat": lambda x: fg.concat([x, x], None),
    "tril": lambda x: fg.tril(x), "tril above": lambda x: fg.tril(x, 1), "triu": lambda x: fg.triu(x), "triu below": lambda x: fg.triu(x, -1),
    "triu beyond": lambda x: fg.triu(x, 30), "tril beyond": lambda x: fg.tril(x, -30),
    "ravel": lambda x: fg.ravel(x), "flatten": lambda x: fg.flatten(x), "diagonal": lambda x: fg.diagonal(x),
    "diagonal above": lambda x: fg.diagonal(x, 1, -1, 1), "diagonal below": lambda x: fg.diagonal(x, -1, 1, 2),
    "no diagonal": lambda x: fg.diagonal(x, 9), "tile": lambda x: fg.tile(x, 2), "tile all": lambda x: fg.tile(x, (2, 1, 3)),
    "tile more": lambda x: fg.tile(x, (2, 1, 1, 1)), "tile none": lambda x: fg.tile(x, (0, 1)), "tile once": lambda x: fg.tile(x, 1),
    "repeat": lambda x: fg.repeat(x, 3), "repeat along": lambda x: fg.repeat(x, 2, 1), "repeat none": lambda x: fg.repeat(x, 0, 0),
    "repeat some": lambda x: fg.repeat(x, [1, 2], 0),
    "cumsum": lambda x: fg.cumsum(x, 1), "cumsum along rows": lambda x: fg.cumsum(x, -1), "cumsum of all": lambda x: fg.cumsum(x),
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.float16])
def test_what_moves_elements_moves_the_same_ones_directly(name, order, dtype):
    if dtype is np.complex128 and name.startswith("pad"):
        pytest.skip("real")
    x = ORDERS[order](array(2, 3, 4, dtype=dtype))
    both(MOVES[name], x, exact=name != "tile all")  # what is added in another order
    both(MOVES[name], x, orders=order, exact=name != "tile all")


@pytest.mark.parametrize("size", [200, 70_000])
def test_large_arrays_are_moved_with_others_looking_on(size):
    x = array(3, size, dtype=np.float32)
    for name in ("flip", "roll", "roll far", "pad", "stack", "concat", "tril", "triu below"):
        both(MOVES[name], x.reshape(3, size // 10, 10))
    both(lambda x: fg.concat([x, x.T.reshape(x.shape)]), x)


def test_joined_memory_lies_as_numpy_has_it():
    x, y = array(3, 4), array(2, 4)
    for a, b in ((x, y), (x.T, y.T), (np.asfortranarray(x), y), (x[:, ::-1], y), (x[:1], y), (x[:, :1], y[:, :1])):
        axis = 1 if a.shape[0] == b.shape[0] else 0
        expected = np.concatenate([a, b], axis)
        out = both(lambda a, b, axis=axis: fg.concat([a, b], axis), a, b)[0]
        assert out.strides == expected.strides or 1 in out.shape


def test_parts_that_nobody_used_have_a_gradient_of_zeros():
    for cut in (lambda x: fg.split(x, 3), lambda x: fg.unstack(x), lambda x: fg.split(x, [1])):
        x = core.tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
        part = cut(x)[1]
        (part * 2).sum().backward()
        expected = np.zeros((3, 2))
        expected[1 : 1 + (part.size // 2)] = 2
        np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_what_numpy_refuses_is_refused():
    x = core.tensor(np.zeros((2, 3)))
    for wrong in (
        lambda: fg.transpose(x, (0, 0)), lambda: fg.transpose(x, (0,)), lambda: fg.swapaxes(x, 0, 2), lambda: fg.swapaxes(x, 0, HUGE),
        lambda: fg.moveaxis(x, 0, -HUGE), lambda: fg.flip(x, 2), lambda: fg.flip(x, (0, 0)), lambda: fg.expand_dims(x, 4),
        lambda: fg.expand_dims(x, (0, 0)), lambda: fg.squeeze(x, 0), lambda: fg.squeeze(x, HUGE), lambda: fg.concat([x, x[0]]),
        lambda: fg.concat([x, x[:, :2]]), lambda: fg.concat([x], 2), lambda: fg.stack([x, x[:1]]), lambda: fg.stack([x], 3),
        lambda: fg.split(x, 2, 1), lambda: fg.split(x, 0), lambda: fg.split(x, HUGE), lambda: fg.unstack(x, axis=2), lambda: fg.roll(x, 1, 2),
        lambda: fg.pad(x, -1), lambda: fg.pad(x, ((1, 1), (1, -1))), lambda: fg.pad(x, ((1, 1), (1, 1), (1, 1))),
    ):  # fmt: skip
        with pytest.raises((ValueError, IndexError, TypeError, ArithmeticError)):
            wrong()


def test_joining_other_dtypes_is_numpys_promotion():
    x, y = core.tensor(np.ones(2, np.float32), requires_grad=True), core.tensor(np.ones(2), requires_grad=True)
    z = fg.concat([x, y, fg.asarray([1])])
    assert z.dtype == np.float64
    z.backward(fg.asarray(np.arange(5.0)))
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad.numpy(), [0, 1])
    np.testing.assert_array_equal(y.grad.numpy(), [2, 3])


def test_a_gradient_joined_from_parts_is_the_leafs_own():
    x = core.tensor(np.zeros(4), requires_grad=True)
    y = core.tensor(np.zeros(4), requires_grad=True)
    g = fg.asarray(np.ones(8))
    fg.concat([x, y]).backward(g)
    x.grad += 1
    np.testing.assert_array_equal(g.numpy(), np.ones(8))
    np.testing.assert_array_equal(y.grad.numpy(), np.ones(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(16, 16), (33, 33), (70, 70), (300, 300), (3, 40, 40)])
def test_arrays_that_lie_across_one_another(shape, dtype):
    x, c = array(*shape, dtype=dtype), fg.asarray(array(shape[-1], 1, dtype=dtype))
    y = np.ascontiguousarray(x.swapaxes(-1, -2)) + 1
    both(lambda x, y: x + fg.swapaxes(y, -1, -2), x, y)
    both(lambda x: fg.exp(fg.swapaxes(x, -1, -2)), x)
    both(lambda x, y: x * fg.swapaxes(y, -1, -2) * c, x, y)
    both(lambda x, y: (x + c) * fg.swapaxes(y, -1, -2), x[..., ::-1], y)
    both(lambda x, y: fg.add(fg.swapaxes(x, -1, -2), y), x, y)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("dtype", [np.bool_, np.float16, np.float32, np.int64, np.complex128])
def test_copies_of_what_lies_across_memory(order, dtype):
    for shape in ((5, 17, 33), (16, 32, 48), (1, 64, 20), (40, 1, 40), (70, 50, 30)):
        x = (array(*shape) * 100).astype(dtype).transpose(order)
        for a in (x, x[::-1], x[..., ::-2], x[:, :1]):
            np.testing.assert_array_equal(fg.clone(fg.asarray(a, copy=False)).numpy(), a)
            np.testing.assert_array_equal(
                fg.concat([fg.asarray(a, copy=False)] * 2, -1).numpy(), np.concatenate([a, a], -1)
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_running_products_and_their_gradients(axis, dtype):
    """Zeros included: nothing is divided by."""
    for shape in ((3, 4, 5), (1, 1, 1), (9, 30, 2), (2, 40, 600), (300, 2, 130)):
        x = np.cos(np.arange(np.prod(shape), dtype=dtype)).reshape(shape) + 1
        x[0, :, 0] = 0
        x[-1, 0] = 0
        with direct(True):
            values, grads = run(lambda x: fg.cumprod(x, axis), [x])
        with direct(False):
            plain, expected = run(lambda x: fg.cumprod(x, axis), [x])
        same_bits(values[0], plain[0], "values")
        same_bits(values[0], np.cumprod(x, axis), "values")
        scale = np.abs(expected[0]).max()
        np.testing.assert_allclose(
            grads[0], expected[0], rtol=2e-5 if dtype is np.float32 else 1e-13, atol=1e-6 * scale
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_running_sums_of_exponentials_and_their_gradients(axis, dtype):
    for shape in ((3, 4, 5), (1, 1, 1), (2, 700, 3), (300, 2, 130)):
        x = np.cos(np.arange(np.prod(shape), dtype=dtype)).reshape(shape) * 9
        x[0, 0] = -np.inf
        x[-1, -1, 0] = np.inf
        with direct(True):
            values, grads = run(lambda x: fg.logcumsumexp(x, axis), [x])
        with direct(False):
            plain, expected = run(lambda x: fg.logcumsumexp(x, axis), [x])
        same_bits(values[0], plain[0], "values")
        same_bits(values[0], np.logaddexp.accumulate(x.ravel() if axis is None else x, axis or 0), "NumPy's")
        rounding = 1e-5 if dtype is np.float32 else 1e-13
        atol = rounding * np.nan_to_num(abs(expected[0])).max()
        np.testing.assert_allclose(grads[0], expected[0], rtol=rounding, atol=atol)


def test_running_sums_do_not_depend_on_threads():
    before = fg.get_num_threads()
    for shape in ((1000, 100), (3, 50_000), (100_000,), (50_000, 3)):
        x = array(*shape, dtype=np.float32)
        for axis in range(len(shape)):
            found = []
            for count in (1, 3):
                fg.set_num_threads(count)
                found.append(
                    run(
                        lambda x, axis=axis: fg.logcumsumexp(fg.cumprod(fg.cumsum(x, axis) * 1e-3 + 1, axis), axis), [x]
                    )
                )
            same_bits(found[0][0][0], found[1][0][0], "values")
            same_bits(found[0][1][0], found[1][1][0], "gradients")
            same_bits(fg.cumsum(fg.asarray(x), axis).numpy(), np.cumsum(x, axis), "NumPy's")
    fg.set_num_threads(before)


SORTED = {
    "distinct": lambda rng, shape: rng.normal(size=shape),
    "ties": lambda rng, shape: rng.integers(-3, 4, shape),
    "close": lambda rng, shape: 1 + rng.integers(0, 400, shape) * 2.0**-50,
    "equal": lambda rng, shape: np.ones(shape),
    "wide": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-30, 30, shape),
    "zeros of both signs": lambda rng, shape: rng.integers(-1, 2, shape) * rng.choice([0.0, -0.0], shape),
    "zeros of one": lambda rng, shape: np.where(rng.random(shape) < 0.5, -0.0, rng.normal(size=shape)),
    "nan": lambda rng, shape: np.where(rng.random(shape) < 0.1, np.nan, rng.normal(size=shape)),
    "infinite": lambda rng, shape: np.where(rng.random(shape) < 0.3, np.inf, -np.inf),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", SORTED)
def test_sorting_keeps_the_order_that_a_stable_sort_has(kind, dtype):
    rng = np.random.default_rng(7)
    for shape, axis in (
        ((7,), -1),
        ((3, 40), 1),
        ((60, 5), 0),
        ((4, 300, 2), 1),
        ((2, 5000), -1),
        ((30, 70), None),
        ((1, 1), 0),
    ):
        x = np.asarray(SORTED[kind](rng, shape), dtype)
        for descending in (False, True):
            both(lambda x, axis=axis, descending=descending: fg.sort(x, axis, descending=descending), x)
    x = np.asarray(SORTED[kind](rng, (100_003,)), dtype)
    both(lambda x: fg.sort(x), x)
    both(lambda x: fg.sort(fg.reshape(x[:100_000], (1000, 100)), 0), x)


def test_sorting_again_from_one_graph():
    x = core.tensor(np.array([2.0, 1.0, 3.0]), requires_grad=True)
    y = fg.sort(x)
    g = fg.asarray(np.array([1.0, 2.0, 3.0]))
    for _ in range(2):
        np.testing.assert_array_equal(core.grad([y], [x], [g], retain_graph=True)[0].numpy(), [2, 1, 3])
    (again,) = core.grad([y * y], [x], [g], create_graph=True)
    np.testing.assert_array_equal(core.grad([again], [x], [g])[0].numpy(), [2 * 2 * 1, 1 * 2 * 2, 3 * 2 * 3])


def test_places_along_an_axis_of_one_element():
    both(lambda x: fg.take_along_axis(x, np.zeros((3, 2), int), 1), array(3, 1))
    both(lambda x: fg.take_along_axis(x, np.zeros((4, 3), int), 0), array(1, 3))
