"""Rowwise rows: one program along axes that follow one another, with the bits of the general path; where it steps aside."""

import warnings

import numpy as np
import pytest
from samples import COMPILED, NEEDS_CORE, ROWS, TABLE, attempt, case, core, same_bits, seed

import fastgrad as fg
from fastgrad._trace import NotElementwise, forward_program, vjp_program

ROWWISE = [name for name in ROWS if TABLE[name].rowwise]
INF, NAN = np.inf, np.nan
needs_core = pytest.mark.skipif(not COMPILED, reason=NEEDS_CORE)

SHAPES = [
    ((), (None,)), ((1,), (0, None)), ((5,), (-1, (0,))), ((3, 1), (0, 1, None)), ((1, 7), (0, -1)), ((4, 9), (0, 1, None)),
    ((2, 3, 17), (0, 1, 2, (0, 1), (-1, 1), (0, 1, 2))), ((4, 1, 5), ((0, 2), (0, 1), 1)), ((130, 64), (0, 1, None)),
    ((3, 5000), (1, 0, None)), ((700, 3), (1, 0)), ((1, 20_000), (-1,)), ((40_000,), (0,)), ((20_011, 3), (0,)),
    ((300, 201), (0, None)), ((2, 3000, 70), (1,)), ((70_001,), (None,)),
]  # fmt: skip
SPECIAL = np.array(
    [[0.0, -0.0, 1.0], [INF, 1.0, 2.0], [-INF, -INF, -INF], [-INF, 0.0, 1.0], [NAN, 1.0, INF], [1e300, -1e300, 0]]
)


NORMS = [{"ord": 1, "keepdims": True}, {"ord": 2}]
CHOSEN = {"norm": [{}, *NORMS], "vector_norm": NORMS}  # others have no expression in rows


def options_of(name):
    """Options of the row's sample calls, each once, without the axis."""
    if name in CHOSEN:
        return CHOSEN[name]
    found = []
    for call in TABLE[name].cases:
        options = {key: value for key, value in call.options.items() if key != "axis"}
        if options not in found:
            found.append(options)
    return found


def run(name, x, options, direct):
    """Value and gradient, on the direct path or on the general one."""
    with warnings.catch_warnings():
        return _run(name, x, options, direct)


def _run(name, x, options, direct):
    before = core.set_direct(direct)
    try:
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's own, of too few degrees of freedom
        t = fg.tensor(x, requires_grad=True)
        out = core.bind(TABLE[name])(t, **options)
        g = seed(name, x.shape).normal(size=out.shape).astype(x.dtype)
        (grad,) = core.grad((out,), (t,), (fg.tensor(g),), None, False, False, False)
        return out.detach().numpy(), grad.numpy()
    finally:
        core.set_direct(before)


def compare(name, x, options):
    """Both paths give the same bits, or refuse in the same way."""
    what = f"{name} {x.shape} {options}"
    found, expected = [attempt(lambda direct=direct: run(name, x, options, direct)) for direct in (True, False)]
    assert type(found[1]) is type(expected[1]), f"{what}: {found[1]!r}, {expected[1]!r}"
    for a, b in zip(found[0] or (), expected[0] or ()):
        same_bits(a, b, what)


def test_there_are_such_rows():
    assert {"softmax", "logsumexp", "std", "var", "max", "min", "prod", "norm"} <= set(ROWWISE)


@pytest.mark.parametrize("name", ROWWISE)
def test_the_expressions_have_programs(name):
    """A formula that could not be traced would only be slow."""
    for options in options_of(name):
        _, options = TABLE[name].bind(np.ones(3), **{**options, "axis": -1})
        forward, vjp = forward_program(TABLE[name], options), vjp_program(TABLE[name], (True,), options)
        assert any(not op.elementwise for op, _, _ in forward.steps) and vjp.steps


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROWWISE)
def test_the_direct_path_has_the_bits_of_the_general_one(name, dtype):
    for shape, axes in SHAPES:
        x = seed(name, shape).normal(size=shape).astype(dtype)
        for options in options_of(name):
            for axis in axes:
                compare(name, x, {**options, "axis": axis})
    with np.errstate(all="ignore"):
        special = SPECIAL.astype(dtype)
        for x, axis in ((special, -1), (special.T.copy(), 0), (special, None)):
            for options in options_of(name):
                compare(name, x, {**options, "axis": axis})


@needs_core
@pytest.mark.parametrize("name", ROWWISE)
def test_other_memory_axes_apart_and_other_dtypes_go_the_general_way(name):
    x = seed(name).normal(size=(4, 6))
    cube = seed(name).normal(size=(2, 3, 4))
    (options, *_) = options_of(name)
    for array, axis in ((x.T, -1), (x[:, ::2], -1), (x[::-1], 1), (cube, (0, 2)), (x, ()), (x.astype("float16"), -1), (x + 0j, -1),
                        (x.astype(">f8"), -1), (x[:0], -1), (x[0, 0], -1), (x, 2), (x, -3), (x, (0, 0)), (x, "0"), (x[0, 0], 0)):  # fmt: skip
        compare(name, array, {**options, "axis": axis})


@needs_core
@pytest.mark.parametrize("name", ROWWISE)
def test_a_cotangent_in_any_memory(name):
    x = fg.tensor(seed(name).normal(size=(3, 4)), requires_grad=True)
    (options, *_) = options_of(name)
    out = core.bind(TABLE[name])(x, **{**options, "axis": -1})
    for g in (np.ones(()), np.asfortranarray(seed(name, "g").normal(size=out.shape))):
        g = np.broadcast_to(g, out.shape)
        (found,) = fg.autograd.grad(out, x, fg.asarray(g), retain_graph=True)
        (expected,) = fg.autograd.grad(out, x, fg.tensor(np.ascontiguousarray(g)), retain_graph=True)
        same_bits(found.numpy(), expected.numpy(), name)
        assert np.isfinite(found.numpy()).all()


def test_what_is_no_expression_along_rows_has_no_program():
    def reject(fn):
        op = fg.ops.Op("sample_row", fn, "x; axis=-1", rowwise=fn, vjp=lambda g, out, x, axis: g, cases=[case((3,))])
        with pytest.raises(NotElementwise):
            forward_program(op, {"axis": -1})

    total, mean, peak = (TABLE[name] for name in ("sum", "mean", "peak"))
    reject(lambda x, axis: total(x, axis=None))
    reject(lambda x, axis: total(x, axis=axis, dtype="float32"))
    reject(lambda x, axis: mean(total(x, axis=axis, keepdims=True), axis=axis))
    reject(lambda x, axis: total(3.0, axis=axis) + x)
    reject(lambda x, axis: x[..., 0])
    reject(lambda x, axis: TABLE["cumsum"](x, axis=axis) - peak(x, axis))


@pytest.mark.filterwarnings("ignore:Degrees of freedom:RuntimeWarning")
@pytest.mark.parametrize("name", ROWWISE)
def test_rows_of_one_element(name):
    """The cotangent has the size of the operand there, and another shape."""
    for options in options_of(name):
        x = fg.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
        out = fg.ops.TABLE[name](x + 0.0, **{**options, "axis": -1})
        (out * fg.tensor(np.arange(3.0).reshape(out.shape))).sum().backward()
        assert x.grad.shape == (3, 1)


@needs_core
def test_bits_do_not_depend_on_the_number_of_threads():
    before = core.get_num_threads()
    try:
        for shape, axis in (
            ((100_003,), None), ((3, 50_001), 1), ((701, 203), 0), ((701, 203), 1), ((2, 3000, 70), 1), ((70_000, 3), 0),
        ):  # fmt: skip
            for dtype in ("float32", "float64"):
                x = seed("threads", shape).normal(size=shape).astype(dtype)
                for name in ("sum", *ROWWISE):
                    options = {**(options_of(name)[0] if TABLE[name].rowwise else {}), "axis": axis}
                    core.set_num_threads(1)
                    one = run(name, x, options, True)
                    core.set_num_threads(5)
                    for found, expected in zip(run(name, x, options, True), one, strict=True):
                        same_bits(found, expected, f"{name} {shape} {axis}")
                if axis is not None or len(shape) == 1:
                    same_bits(fg.sum(fg.asarray(x), axis=axis).numpy(), np.sum(x, axis=axis), f"sum {shape} {axis}")
    finally:
        core.set_num_threads(before)


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_that_come_to_zero(dtype):
    """By underflow, from one end or both, through zeros, infinities and nans: values and gradients, signs included."""
    shapes = [((2000,), (0, None)), ((7, 1500), (1, 0)), ((1500, 7), (1, 0)), ((3, 300, 70), (1,)), ((40_000,), (0,))]
    for shape, axes in shapes:
        random = seed("product", shape)
        for scale in (0.3, 1.0, 3.0):
            x = (scale * random.normal(size=shape)).astype(dtype)
            places = random.integers(0, x.size, (8, 3))
            for k, value in enumerate((None, 0.0, -0.0, INF, NAN, 1e-30, "one zero", "an end")):
                y = x.copy()
                if value == "one zero":
                    y.flat[places[k, :1]] = 0.0
                elif value == "an end":
                    y.flat[: x.size // 2] = random.choice([-1.0, 1.0], x.size // 2)
                elif value is not None:
                    y.flat[places[k]] = value
                for axis in axes:
                    compare("prod", y, {"axis": axis})


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 7), 1), ((7, 3), 0), ((4, 300, 5), 1), ((400, 300), 1), ((90, 700), 0)]
)
@pytest.mark.parametrize("name", ["max", "min"])
def test_equals_share_the_gradient(name, shape, axis, dtype):
    """Ties, infinities and nan among them: as the formula has it, whatever the number of threads."""
    x = np.random.default_rng(0).integers(0, 6, shape).astype(dtype)
    x.flat[0], x.flat[-1] = NAN, INF
    options = {"axis": axis}
    expected = run(name, x, options, False)
    threads = fg.get_num_threads()
    try:
        for count in (1, 3):
            fg.set_num_threads(count)
            for found, wanted in zip(run(name, x, options, True), expected):
                same_bits(found, wanted, f"{name} by {count} threads")
    finally:
        fg.set_num_threads(threads)
