"""Ufuncs on Tensors with any of NumPy's keywords, against NumPy: drawn calls."""

import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from samples import OWN_BITS, attempt, same_bits

import fastgrad as fg

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

DOCS = Path(__file__).parents[1] / "docs"
if not DOCS.exists():
    pytest.skip("tests are run away from the tree, which has the sample calls", allow_module_level=True)
sys.path.insert(0, str(DOCS))
from calls import flattened, quietly  # noqa: E402

UNARY = ["exp", "sqrt", "sin", "negative", "log1p", "abs", "square", "cbrt", "exp2", "reciprocal"]
FLOATS = ["float32", "float64", "complex64", "complex128", "int64", "int8", "float16"]
SHAPES = [(), (3,), (2, 3), (1, 3), (2, 1), (0, 3), (1,)]


@st.composite
def ufunc_calls(draw):
    """A ufunc, operands of any dtypes and shapes that broadcast, and some of the keywords that NumPy takes."""
    name = draw(
        st.sampled_from([*UNARY, "add", "multiply", "subtract", "divide", "maximum", "power", "less", "divmod"])
    )
    ufunc = getattr(np, name)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    shapes = [draw(st.sampled_from(SHAPES)) for _ in range(ufunc.nin)]
    operands = [np.asarray(rng.uniform(0.5, 4.5, shape)).astype(draw(st.sampled_from(FLOATS))) for shape in shapes]
    if ufunc.nin == 2 and draw(st.booleans()):
        operands[draw(st.integers(0, 1))] = draw(st.sampled_from([2, 1.5, True, 1 + 2j]))
    keywords = {}
    if draw(st.booleans()):
        keywords["where"] = rng.random(draw(st.sampled_from([(), (3,), (2, 1), (2, 3)]))) < 0.6
    if draw(st.booleans()) or "where" in keywords:
        shape = draw(st.sampled_from([(3,), (2, 3), (4, 2, 3), ()]))
        kinds = [draw(st.sampled_from([*FLOATS, "bool"])) for _ in range(ufunc.nout)]
        keywords["out"] = tuple(np.asarray(rng.uniform(0, 2, shape)).astype(kind) for kind in kinds)
    if draw(st.integers(0, 3)) == 0:
        keywords["dtype"] = draw(st.sampled_from(FLOATS))
    if draw(st.integers(0, 3)) == 0:
        strict = ["no", "equiv"] if all(isinstance(a, np.ndarray) for a in operands) else []  # NumPy mixes them up
        keywords["casting"] = draw(st.sampled_from([*strict, "safe", "same_kind", "unsafe"]))
    return ufunc, operands, keywords


@given(ufunc_calls())
@settings(max_examples=400)
def test_ufuncs_in_any_form_of_call(call):
    """NumPy's result, or its refusal; in `out=` what is not written stays; the gradient is that of `fg.where`."""
    ufunc, operands, keywords = call
    made = {key: value if key != "out" else tuple(a.copy() for a in value) for key, value in keywords.items()}
    expected, error = attempt(lambda: quietly(ufunc, *operands, **made))
    leaves = [fg.asarray(a, requires_grad=a.dtype.kind in "fc") if isinstance(a, np.ndarray) else a for a in operands]
    if not any(isinstance(leaf, fg.Tensor) for leaf in leaves):
        return
    before = [fg.asarray(a.copy(), requires_grad=a.dtype.kind in "fc") for a in keywords.get("out", ())]
    mine = dict(keywords, out=tuple(t.clone() for t in before)) if before else dict(keywords)
    found, failure = attempt(lambda: quietly(ufunc, *leaves, **mine))
    assert (error is None) == (failure is None), f"{call}: {error!r}, {failure!r}"
    if error is not None:
        assert isinstance(failure, (TypeError, ValueError)), repr(failure)
        return
    for got, wanted in zip(flattened(found), flattened(expected), strict=True):
        value, wanted = got.detach().numpy(), np.asarray(wanted)
        assert (value.dtype, value.shape) == (wanted.dtype, wanted.shape), call
        np.testing.assert_allclose(
            value, wanted, rtol=1e-6 if value.dtype.char in "fF" else 1e-3 if value.dtype.char == "e" else 1e-12
        )
    if before and ufunc.nout == 1 and found.requires_grad and "dtype" not in keywords and "float16" not in repr(call):
        plain = fg.where(keywords.get("where", True), getattr(fg, ufunc.__name__)(*leaves), before[0])
        others = [t for t in (*leaves, *before) if isinstance(t, fg.Tensor) and t.requires_grad]
        weights = np.cos(np.arange(found.size)).reshape(found.shape)
        one = fg.autograd.grad((found * weights).real.sum(), others, allow_unused=True)
        two = fg.autograd.grad((plain.astype(found.dtype) * weights).real.sum(), others, allow_unused=True)
        for a, b in zip(one, two):
            a, b = (np.zeros(()) if g is None else g.numpy() for g in (a, b))
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4, err_msg=repr(call))


def layouts(array):
    """One array in memory of many orders, and some like it."""
    yield from (
        np.transpose(array, axes).copy().transpose(np.argsort(axes)) for axes in permutations(range(array.ndim))
    )
    yield array[::-1, :, ::-1]
    yield np.asfortranarray(array)[:, ::-1]
    yield np.repeat(array, 2, 1)[:, ::2]
    yield np.broadcast_to(array[:, :1], array.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2", "hypot"])
def test_reductions_in_turn_have_numpys_bits_in_every_layout(name, dtype):
    ufunc = getattr(np, name)
    for array in layouts(np.random.default_rng(0).normal(0, 3, (3, 4, 5)).astype(dtype)):
        for axis in (None, 0, 1, -1, (0, 1), (2, 0), (1, 2)):
            found = ufunc.reduce(fg.asarray(array), axis=axis)
            expected = np.asarray(ufunc.reduce(array, axis=axis))
            units = 20 * (name in OWN_BITS)
            same_bits(found.numpy(), expected, f"{name} {array.strides} {axis}", units)


@pytest.mark.parametrize("axis", [None, 0, -1, ()])
def test_reductions_of_one_number_take_an_axis(axis):
    x = fg.tensor(1.5, requires_grad=True)
    for keepdims in (False, True):
        y = np.logaddexp.reduce(x, axis=axis, keepdims=keepdims)
        assert y.shape == () and y.item() == 1.5
        assert fg.autograd.grad(y, x)[0].item() == 1.0
    with pytest.raises(np.exceptions.AxisError):
        np.logaddexp.reduce(x, axis=1)


@pytest.mark.parametrize(
    ("name", "array", "value"),
    [
        ("add", [False, True], 1),
        ("add", [True, True], 0.5),
        ("multiply", [True, True], 0),
        ("add", [1, 2], 0.75),
        ("power", [4, 9], 0.5),
    ],
)
def test_at_casts_to_what_it_writes(name, array, value):
    expected, found = np.array(array), fg.tensor(array)
    for target in (expected, found):
        getattr(np, name).at(target, [0, 0], value)
    same_bits(found.numpy(), expected, name)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, True])
@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float32"])
def test_a_power_has_numpys_dtype(dtype, exponent):
    x = np.array([1, 0, 1], dtype)
    same_bits((fg.asarray(x) ** exponent).numpy(), x**exponent, f"{dtype} ** {exponent!r}")
