"""Note [Same bits]: the direct path to NumPy's loops gives what the ufuncs themselves give."""

import contextlib

import numpy as np
import pytest
from samples import (
    COMPILED,
    LAYOUTS,
    ONCE,
    ROWS,
    apply,
    as_arrays,
    attempt,
    calls,
    core,
    draw,
    error_kinds,
    interval,
    operand_kinds,
    operands_of,
    same_bits,
    seed,
    tensors,
)

import fastgrad as fg
import fastgrad.nn.functional as F
from fastgrad.ops import TABLE

pytestmark = pytest.mark.skipif(not COMPILED, reason=ONCE)


@contextlib.contextmanager
def direct(on):
    previous = core.set_direct(on)
    try:
        yield
    finally:
        core.set_direct(previous)


def everything(op, operands, options):
    """Results, and gradients of first order with cotangents of ones, of second order with others: ones would leave of what
    is the same for x and x + 1 its rounding errors alone.
    """
    given = tensors(operands, core, requires_grad=True)
    result = apply(op, given, options, core)
    outs = [t for t in (result if isinstance(result, tuple) else (result,)) if t.requires_grad]
    xs = [t for t in given if isinstance(t, core.Tensor) and t.requires_grad]
    forward = as_arrays(result)
    if not outs:
        return forward, []
    ones = [core.asarray(np.ones(t.shape, t.dtype)) for t in outs]
    firsts = [g for g in core.grad(outs, xs, ones, create_graph=True, allow_unused=True) if g is not None]
    again = [g for g in firsts if g.requires_grad]
    ramps = [core.asarray(np.linspace(1, 2, t.size).reshape(t.shape).astype(t.dtype)) for t in again]
    seconds = [g for g in core.grad(again, xs, ramps, allow_unused=True) if g is not None] if again else []
    return forward, as_arrays([*firsts, *seconds])


def compare(op, operands, options, what):
    with direct(True):
        fast, failure = attempt(lambda: everything(op, operands, options))
    with direct(False):
        slow, error = attempt(lambda: everything(op, operands, options))
    if error is not None or failure is not None:
        assert failure is not None and error is not None, f"{what}: direct {failure!r}, through the ufunc {error!r}"
        assert error_kinds(failure) == error_kinds(error), f"{what}: direct {failure!r}, through the ufunc {error!r}"
        return
    for a, b in zip(fast[0], slow[0], strict=True):
        same_bits(a, b, what)
    for a, b in zip(fast[1], slow[1], strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, what
        tiny = 64 * np.finfo(a.dtype).eps
        scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
        np.testing.assert_allclose(a, b, rtol=tiny, atol=tiny * scale, err_msg=what)


def test_the_switch_returns_what_it_was():
    previous = core.set_direct(False)
    assert core.set_direct(True) is False
    assert core.set_direct(previous) is True


@pytest.mark.parametrize("name", ROWS)
def test_every_row_with_and_without_the_direct_path(name):
    op = TABLE[name]
    for call in calls(op):
        for dtype in ("float32", "float64", "complex64", "complex128", "int64", "bool"):
            operands = operands_of(op, call, dtype, seed(name, dtype, "direct"))
            compare(op, operands, call.options, f"{name} {call} {dtype}")


@pytest.mark.parametrize("name", [n for n in ROWS if TABLE[n].elementwise])
def test_layouts_with_and_without_the_direct_path(name):
    op, rng = TABLE[name], seed(name, "direct layouts")
    for dtype in ("float32", "float64"):
        drawn = [
            draw(rng, interval(op, i), (4, 7), "bool" if k == "?" else dtype) for i, k in enumerate(operand_kinds(op))
        ]
        for layout, change in LAYOUTS.items():
            compare(op, [change(drawn[0]), *drawn[1:]], {}, f"{name} {dtype} {layout}")
            compare(op, [change(a) for a in drawn], {}, f"{name} {dtype} all {layout}")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 127, 128, 129, 1000, 1024, 1025, 4099, 100_003])
def test_sums_follow_numpys_tree(size):
    """`sum` gives NumPy's pairwise sum bit for bit, at the sizes where its tree changes."""
    a = np.random.default_rng(size).uniform(-1, 1, size)
    for dtype in ("float32", "float64"):
        x = a.astype(dtype)
        for array in (x, x[::-1], np.repeat(x, 2)[::2], x.reshape(1, -1), x.reshape(-1, 1)):
            for axis in (None, *range(array.ndim)):
                expected = np.sum(array, axis=axis)
                found = core.bind(TABLE["sum"])(core.asarray(array), axis=axis)
                same_bits(found.numpy(), expected, f"sum of {array.shape} {dtype} over {axis}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_of_no_dimensions_have_numpys_bits(dtype):
    """NumPy passes them with stride 0, and the loop of `power` looks at it."""
    values = [*np.exp(seed(dtype).normal(size=200)), np.inf, -np.inf, 0.0, -0.0]
    for value in np.array(values, dtype):
        x = np.array(value)
        with np.errstate(all="ignore"):
            for exponent in (-1.0, 0.5, 2.0):
                same_bits(fg.pow(fg.asarray(x), exponent).numpy(), np.power(x, exponent), f"{value} ** {exponent}")
                y = np.array(exponent, dtype)
                same_bits(fg.pow(fg.asarray(x), fg.asarray(y)).numpy(), np.power(x, y), f"{value} ** {exponent!r}")
            for other in (0.0, -0.0):
                y = np.array(other, dtype)
                same_bits(fg.fmin(fg.asarray(x), fg.asarray(y)).numpy(), np.fmin(x, y), f"fmin({value}, {other})")


@pytest.mark.parametrize(
    ("wide", "narrow"), [((2, 3, 100, 100), (3, 1, 1)), ((50, 4, 70), (1, 4, 1)), ((9, 8), (1, 1))]
)
def test_cotangents_of_broadcast_operands_are_summed_at_once(wide, narrow):
    # over axes that are apart too, with the same bits on either path
    rng = np.random.default_rng(0)
    x, y, g = (rng.normal(size=shape).astype(np.float32) for shape in (wide, narrow, wide))
    compare(TABLE["add"], [x, y], {}, f"{wide} + {narrow}")
    compare(TABLE["multiply"], [x, y], {}, f"{wide} * {narrow}")
    t = fg.tensor(y, requires_grad=True)
    fg.add(x, t).backward(fg.asarray(g))
    axes = tuple(i for i in range(len(wide)) if i < len(wide) - len(narrow) or narrow[i - len(wide)] == 1)
    expected = g.sum(axis=axes, keepdims=True).reshape(narrow)  # NumPy 2.0 adds up such axes in another order
    np.testing.assert_allclose(t.grad.numpy(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_running_extrema_of_what_is_hard_to_order(name):
    """Ties, zeros of both signs, nan and infinities, along lines and across them."""
    rng = seed(name, "hard")
    for shape in ((300,), (7, 40), (40, 7), (3, 20, 5)):
        for dtype in ("float32", "float64"):
            x = rng.choice([0.0, -0.0, 1.0, -1.0, 2.0, np.inf, -np.inf, np.nan], shape, p=[0.13] * 7 + [0.09])
            for array in (x.astype(dtype), np.round(rng.normal(size=shape), 1).astype(dtype)):
                for axis in (None, *range(array.ndim)):
                    compare(TABLE[name], [array], {"axis": axis}, f"{name} {shape} {dtype} {axis}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_medians_of_what_is_hard_to_order(dtype):
    """Ties, zeros of both signs, nan and infinities; lines of any length, along any axis; of equal elements the first."""
    rng = seed(dtype, "medians")
    for shape in ((1,), (2,), (13,), (300,), (1001,), (6, 40), (41, 7), (3, 20, 5), (2, 2000)):
        specials = rng.choice([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], shape)
        for x in (
            rng.normal(size=shape),
            np.round(rng.normal(size=shape)) + 3,
            np.round(rng.normal(size=shape)),
            specials,
            np.sort(rng.normal(size=shape), axis=-1),
            np.where(specials < 0, np.inf, 1.0),
            np.full(shape, -0.0),
        ):
            for axis in (None, *range(len(shape))):
                for keepdims in (False, True):
                    options = {"axis": axis, "keepdims": keepdims}
                    compare(TABLE["median"], [x.astype(dtype)], options, f"{shape} {dtype} {axis}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_taken_along_an_axis(dtype):
    """Of few and many elements, by numbers of either width, along lines and across them; and what is out of bounds."""
    rng = seed(dtype, "along")
    for shape, axis, length in (((5,), 0, 9), ((4, 6), 1, 3), ((4, 6), 0, 7), ((3, 4, 5), 1, 2), ((300, 400), 1, 500),
                                ((400, 300), 0, 50), ((2, 300, 200), 1, 3), ((70_000,), -1, 80_000)):  # fmt: skip
        x = rng.normal(size=shape).astype(dtype)
        at = list(shape)
        at[axis] = length
        numbers = rng.integers(-shape[axis], shape[axis], at)
        for indices in (numbers, numbers.astype(np.int32), numbers.astype(np.int16), np.asfortranarray(numbers)):
            compare(TABLE["take_along_axis"], [x, indices], {"axis": axis}, f"{shape} {axis} {indices.dtype}")
        for bad in (shape[axis], -shape[axis] - 1):
            numbers.flat[-1] = bad
            compare(TABLE["take_along_axis"], [x, numbers], {"axis": axis}, f"{shape} {axis} {bad}")


def test_numbers_that_change_before_they_are_read_again():
    x = fg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    numbers = np.array([[0, 2], [1, 1]])
    picked = fg.take_along_axis(x, fg.asarray(numbers), axis=1)
    numbers[0, 0] = 1_000_000  # behind everybody's back
    with pytest.raises((IndexError, ValueError)):
        picked.sum().backward()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(32, 400, 120), (40, 17, 500), (1, 600, 700), (700, 600, 1), (3, 9000, 10), (130, 129, 257)]
)
def test_linear_layers_in_tiles(m, k, n, dtype):
    """The same on any number of threads and on the general path; no sum is lost at an edge."""
    rng = np.random.default_rng(0)
    x, w, b, g = (rng.normal(size=shape).astype(dtype) for shape in ((m, k), (n, k), n, (m, n)))
    results, threads = [], fg.get_num_threads()
    try:
        for count, on in ((1, True), (4, True), (4, False)):
            fg.set_num_threads(count)
            with direct(on):
                leaves = [fg.tensor(a, requires_grad=True) for a in (x, w, b)]
                out = F.linear(*leaves)
                grads = fg.autograd.grad(out, leaves, fg.tensor(g))
            results.append([t.detach().numpy() for t in (out, *grads)])
    finally:
        fg.set_num_threads(threads)
    for other in results[1:]:
        assert all(np.array_equal(p, q) for p, q in zip(results[0], other))
    for found, p, q in zip(results[0], (x, g, g.T), (w.T, w, x)):
        wanted = p.astype(float) @ q + (b if q.base is w else 0)
        assert np.abs(found - wanted).max() <= (100 + p.shape[1]) * 10 * np.finfo(dtype).eps
