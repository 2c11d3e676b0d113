"""Forward values are NumPy's, bit for bit: for every row, dtype, shape and layout, and through every spelling."""

import operator

import numpy as np
import pytest
from samples import (
    DTYPES,
    ELEMENTWISE,
    LAYOUTS,
    OWN_BITS,
    ROWS,
    active,
    apply,
    arguments,
    as_arrays,
    assert_same_outcome,
    attempt,
    calls,
    draw,
    interval,
    numpy_function,
    operand_kinds,
    operands_of,
    same_bits,
    seed,
    tensors,
)

import fastgrad as fg
from fastgrad.ops import TABLE

F = np.float64
TENSOR_FIRST = ("getitem", "setitem", "copy_slices", "as_view")  # the engine calls them, on Tensors
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1.7e308, -1.7e308, 0.5, 2.0, -3.0, 1e-40]


def parts(result):
    """The results of a call, one after the other, however they are nested."""
    return [part for item in result for part in parts(item)] if isinstance(result, (tuple, list)) else [result]


def compare(op, operands, options, what):
    assert_same_outcome(
        attempt(lambda: apply(op, operands, options)),
        attempt(lambda: apply(op, tensors(operands), options, active)),
        what,
    )


# ---------------------------------------------------------------- every row


@pytest.mark.parametrize("name", ROWS)
def test_values_dtypes_and_exceptions_are_numpys(name):
    op = TABLE[name]
    for call in calls(op):
        for dtype in DTYPES:
            operands = operands_of(op, call, dtype, seed(name, dtype))
            compare(op, operands, call.options, f"{name} {call} {dtype}")


@pytest.mark.parametrize("name", [n for n in ROWS if TABLE[n].differentiable])
def test_recording_does_not_change_the_value(name):
    op = TABLE[name]
    for call in calls(op):
        for dtype in ("float32", "float64", "complex128"):
            operands = operands_of(op, call, dtype, seed(name, dtype, "record"))
            expected, error = attempt(lambda: apply(op, operands, call.options))
            if error is not None:
                continue
            found = apply(op, tensors(operands, requires_grad=True), call.options, active)
            for a, b in zip(as_arrays(found), as_arrays(expected), strict=True):
                same_bits(a, b, f"{name} {call} {dtype}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_special_values(name):
    op = TABLE[name]
    special = np.array(SPECIAL)
    kinds = operand_kinds(op)
    for dtype in ("float16", "float32", "float64", "complex64", "complex128"):
        with np.errstate(all="ignore"):
            base = special.astype(dtype)
        grids = np.meshgrid(*[base] * len(kinds), indexing="ij") if len(kinds) < 3 else [base] * len(kinds)
        operands = [g != 0 if kind == "?" else g for g, kind in zip(grids, kinds)]
        compare(op, operands, {}, f"{name} {dtype} of special values")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_layouts(name):
    """Strided, reversed, transposed, spread, byte-swapped, unaligned and read-only operands, each in turn."""
    op = TABLE[name]
    kinds = operand_kinds(op)
    for dtype in ("float32", "float64", "complex128", "int64"):
        rng = seed(name, dtype, "layouts")
        drawn = [draw(rng, interval(op, i), (5, 9), "bool" if k == "?" else dtype) for i, k in enumerate(kinds)]
        for layout, change in LAYOUTS.items():
            for i in range(len(kinds)):
                operands = [change(a) if i in (j, len(kinds)) else a for j, a in enumerate(drawn)]
                compare(op, operands, {}, f"{name} {dtype} with operand {i} {layout}")
            compare(op, [change(a) for a in drawn], {}, f"{name} {dtype}, all {layout}")


@pytest.mark.parametrize("name", [n for n in ROWS if n not in ELEMENTWISE])
def test_layouts_of_structural_rows(name):
    op = TABLE[name]
    for call in calls(op):
        operands = operands_of(op, call, "float64", seed(name, "layouts"))
        for layout in ("strided", "transposed", "byte-swapped", "unaligned", "read-only"):
            changed = [
                LAYOUTS[layout](a) if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.ndim else a
                for a in operands
            ]
            if not op.derived:
                compare(op, changed, call.options, f"{name} {call} {layout}")
                continue
            # the parts of a composite may lie in memory in another order than NumPy's, and be summed in that order
            found = as_arrays(apply(op, tensors(changed), call.options, active))
            for a, b in zip(found, as_arrays(apply(op, changed, call.options)), strict=True):
                assert a.dtype == b.dtype and a.shape == b.shape
                tiny = 16 * np.finfo(a.dtype).eps if a.dtype.kind in "fc" else 0
                np.testing.assert_allclose(a, b, rtol=tiny, atol=tiny, err_msg=f"{name} {call} {layout}")


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if len(TABLE[n].operands) > 1])
def test_weak_scalars_and_mixed_dtypes(name):
    """A Python scalar never widens a Tensor; two dtypes meet where NumPy says."""
    op = TABLE[name]
    n, kinds = len(op.operands), operand_kinds(op)
    for dtype in ("bool", "int8", "int64", "float16", "float32", "float64", "complex64"):
        rng = seed(name, dtype, "weak")
        for other in (
            True,
            2,
            2.5,
            0.5 + 1j,
            "bool",
            "int8",
            "uint8",
            "int64",
            "float16",
            "float32",
            "float64",
            "complex128",
        ):
            for place in range(n):
                operands = [
                    draw(rng, interval(op, i), (3,), "bool" if k == "?" else dtype) for i, k in enumerate(kinds)
                ]
                operands[place] = draw(rng, interval(op, place), (2, 1), other) if isinstance(other, str) else other
                compare(op, operands, {}, f"{name}: {dtype} with {other!r} as operand {place}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_large_arrays(name):
    """Past the size of a block and of what is split over threads; the lengths leave remainders everywhere."""
    op = TABLE[name]
    kinds = operand_kinds(op)
    for dtype in ("float32", "float64"):
        rng = seed(name, dtype, "large")
        for shape in ((1027,), (70_003,), (211, 333)):
            operands = [draw(rng, interval(op, i), shape, "bool" if k == "?" else dtype) for i, k in enumerate(kinds)]
            compare(op, operands, {}, f"{name} {dtype} {shape}")
    if len(kinds) > 1:
        operands = [draw(rng, interval(op, i), (300, 1) if i else (401,), "float64") for i in range(len(kinds))]
        operands = [a > 0 if k == "?" else a for a, k in zip(operands, kinds)]
        compare(op, operands, {}, f"{name} of a large outer broadcast")


@pytest.mark.parametrize(
    "name", [n for n in ROWS if TABLE[n].cases and not TABLE[n].elementwise and n not in (*TENSOR_FIRST, "block")]
)
def test_sequences_and_scalars_are_taken_as_numpy_takes_them(name):
    op = TABLE[name]
    call = op.cases[0]
    operands = operands_of(op, call, "float64", seed(name, "lists"))
    lists = [a.tolist() if isinstance(a, np.ndarray) else a for a in operands]
    expected = apply(op, operands, call.options)
    for a, b in zip(as_arrays(apply(op, lists, call.options, active)), as_arrays(expected), strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- rows that bear a NumPy name


#: What NumPy, or its 2.0, takes by position alone; and what its 2.0 does not know, which changes no value.
POSITIONAL = {"astype": "dtype", "reshape": "shape"}
UNKNOWN = {"reshape": {"copy"}}


def by_position(name, args, options):
    """A row's call as NumPy takes it."""
    first = POSITIONAL.get(name)
    if first is None:
        return args, options
    rest = {k: v for k, v in options.items() if k != first and k not in UNKNOWN.get(name, ())}
    return (*args, options[first]), rest


NUMPYS = [name for name in ROWS if numpy_function(name) is not None]


@pytest.mark.parametrize("name", NUMPYS)
def test_a_row_with_a_numpy_name_is_that_numpy_function(name):
    """The row's own forward is checked too: called as the public function, it is NumPy's function of that name."""
    op = TABLE[name]
    function = numpy_function(name)
    for call in calls(op):
        operands = operands_of(op, call, "float64", seed(name, "numpy"))
        args, options = arguments(op, operands, call.options)
        args, options = by_position(name, args, options)
        with np.errstate(all="ignore"):
            expected = attempt(lambda: function(*args, **options))
        if "unexpected keyword argument" in str(expected[1]):
            continue  # an option of the standard's or of PyTorch's
        assert_same_outcome(
            expected,
            attempt(lambda: apply(op, tensors(operands), call.options, active)),
            f"{name} {call}",
            units=5 * (name in OWN_BITS),
        )


@pytest.mark.parametrize("name", NUMPYS)
def test_numpy_functions_of_tensors_give_tensors_with_a_graph(name):
    op = TABLE[name]
    for call in calls(op, few=True)[:3]:
        operands = operands_of(op, call, "float64", seed(name, "protocol"))
        given = tensors(operands, requires_grad=True)
        if not any(isinstance(t, fg.Tensor) for t in given):
            continue
        expected, error = attempt(lambda: apply(op, tensors(operands, requires_grad=True), call.options, active))
        if error is not None:
            continue  # not for floating operands
        args, options = arguments(op, given, call.options)
        args, options = by_position(name, args, options)
        with np.errstate(all="ignore"):
            found = numpy_function(name)(*args, **options)
        for a, b in zip(parts(found), parts(expected), strict=True):
            assert isinstance(a, fg.Tensor), f"np.{name} gave {type(a).__name__}"
            assert a.requires_grad == b.requires_grad
        for a, b in zip(as_arrays(found), as_arrays(expected)):
            same_bits(a, b, f"np.{name} {call}")


# ---------------------------------------------------------------- operators

BINARY = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
    "matmul",
    "divmod",
]


@pytest.mark.parametrize("name", BINARY)
def test_binary_operators_in_both_orders(name):
    apply_ = divmod if name == "divmod" else getattr(operator, name)
    integers = name in ("and_", "or_", "xor", "lshift", "rshift")
    rng = seed(name, "operator")
    a, b = rng.uniform(0.5, 3, (3, 3)), rng.uniform(0.5, 3, (3, 3))
    if integers:
        a, b = rng.integers(0, 5, (3, 3)), rng.integers(0, 5, (3, 3))
    expected = attempt(lambda: apply_(a, b))
    assert_same_outcome(expected, attempt(lambda: apply_(fg.tensor(a), fg.tensor(b))), f"Tensor {name} Tensor")
    assert_same_outcome(expected, attempt(lambda: apply_(fg.tensor(a), b)), f"Tensor {name} ndarray")
    assert_same_outcome(expected, attempt(lambda: apply_(a, fg.tensor(b))), f"ndarray {name} Tensor")
    if name == "matmul":
        return
    scalar = 2 if integers else 1.5
    for x in (scalar, np.float32(1.5) if not integers else np.int16(2)):
        assert_same_outcome(attempt(lambda: apply_(a, x)), attempt(lambda: apply_(fg.tensor(a), x)), f"{name} {x!r}")
        assert_same_outcome(attempt(lambda: apply_(x, a)), attempt(lambda: apply_(x, fg.tensor(a))), f"{x!r} {name}")


@pytest.mark.parametrize("name", ["neg", "pos", "abs", "invert"])
def test_unary_operators(name):
    function = getattr(operator, name)
    for a in (np.array([1, -2, 0]), np.array([1.5, -2.0]), np.array([True, False]), np.array(3.0)):
        assert_same_outcome(attempt(lambda: function(a)), attempt(lambda: function(fg.tensor(a))), f"{name} {a!r}")


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"])
def test_operators_in_place_write_where_numpy_writes(name):
    function = getattr(operator, name)
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([2.0, 3.0])
    t = fg.tensor(a)
    memory = t.numpy()
    result = function(t, fg.tensor(b))
    expected = function(a, b)
    assert result is t and np.shares_memory(t.numpy(), memory) and t._version == 1
    same_bits(t.numpy(), expected, name)


def test_an_ndarray_and_a_tensor_make_a_tensor_with_a_graph():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    for y in (np.array([3.0, 4.0]) * x, x * np.array([3.0, 4.0]), np.float64(3) * x, np.multiply(np.ones(2), x)):
        assert isinstance(y, fg.Tensor) and y.requires_grad


def test_floating_point_warnings_are_not_raised(recwarn):
    with np.errstate(all="raise"):
        x = fg.tensor([0.0, -1.0, 1e308])
        y = fg.tensor(x.tolist(), requires_grad=True)
        fg.log(x), fg.sqrt(x), 1 / x, x * 1e10, fg.exp(x)
        fg.sum(fg.log(y) + fg.sqrt(y) + 1 / y).backward()
    assert not recwarn.list


# ---------------------------------------------------------------- composites against formulas of their own


def _erf(x):
    from math import erf

    return np.vectorize(erf, otypes=[F])(x)


def _softmax(x, axis):
    e = np.exp(x.astype(np.longdouble) - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


_X = np.linspace(-8, 8, 41).reshape(1, 41) * np.ones((2, 1))
_WIDE = np.array([-800.0, -40.0, -1e-20, 0.0, 1e-20, 40.0, 800.0])
_L = np.longdouble

# fmt: off
COMPOSITES = {
    "sigmoid":   (lambda: fg.sigmoid(_X),             lambda: 1 / (1 + np.exp(-_X.astype(_L)))),
    "sigmoid at the ends": (lambda: fg.sigmoid(_WIDE), lambda: np.array([0, np.exp(_L(-40)), 0.5, 0.5, 0.5, 1, 1])),
    "relu":      (lambda: fg.relu(_X),                lambda: np.where(_X > 0, _X, 0)),
    "softplus":  (lambda: fg.softplus(_X),            lambda: np.log1p(np.exp(_X.astype(_L)))),
    "softplus at the ends": (lambda: fg.softplus(_WIDE), lambda: np.array(
        [0, np.exp(_L(-40)), np.log(_L(2)), np.log(_L(2)), np.log(_L(2)), 40, 800])),
    "silu":      (lambda: fg.silu(_X),                lambda: _X / (1 + np.exp(-_X.astype(_L)))),
    "softmax":   (lambda: fg.softmax(_X, axis=1),     lambda: _softmax(_X, 1)),
    "softmax of a column": (lambda: fg.softmax(_X, axis=0), lambda: _softmax(_X, 0)),
    "log_softmax": (lambda: fg.log_softmax(_X, axis=-1), lambda: np.log(_softmax(_X, -1))),
    "log_softmax of large values": (lambda: fg.log_softmax(np.array([1e4, 0.0]), axis=0), lambda: np.array([0, -1e4])),
    "logsumexp": (lambda: fg.logsumexp(_X, axis=1),   lambda: np.log(np.exp(_X.astype(_L)).sum(axis=1))),
    "logsumexp of large values": (lambda: fg.logsumexp(np.array([1e4, 1e4])), lambda: 1e4 + np.log(_L(2))),
    "mse_loss":  (lambda: fg.mse_loss(_X, _X[:, ::-1]), lambda: ((_X - _X[:, ::-1]).astype(_L) ** 2).mean()),
    "cross_entropy": (lambda: fg.cross_entropy(_X, np.array([3, 40])),
                      lambda: -np.log(_softmax(_X, 1))[[0, 1], [3, 40]].mean()),
    "binary_cross_entropy_with_logits": (
        lambda: fg.binary_cross_entropy_with_logits(_X, (_X > 1) * 0.75),
        lambda: np.mean(np.log1p(np.exp(_X.astype(_L))) - _X * ((_X > 1) * _L(0.75)))),
}
# fmt: on


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_are_right(name):
    """Within a few roundings of the formula in extended precision, at the extremes too."""
    found, expected = (side() for side in COMPOSITES[name])
    found = found.numpy()
    assert found.dtype == F
    eps = np.finfo(F).eps
    # an absolute rounding where the composite's expression passes through values of size 1
    np.testing.assert_allclose(found, np.asarray(expected, F), rtol=32 * eps, atol=4 * eps if "log" in name else 1e-300)


def test_gelu_in_both_forms():
    exact = 0.5 * _X * (1 + _erf(_X / np.sqrt(2)))
    tanh = 0.5 * _X * (1 + np.tanh(np.sqrt(2 / np.pi) * (_X + 0.044715 * _X**3)))
    eps = np.finfo(F).eps
    np.testing.assert_allclose(fg.gelu(_X).numpy(), exact, rtol=16 * eps, atol=16 * eps)
    np.testing.assert_allclose(fg.gelu(_X, approximate="tanh").numpy(), tanh, rtol=16 * eps, atol=16 * eps)
