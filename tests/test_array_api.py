"""The array API standard 2024.12: names, signatures, dtypes, shapes and values of everything, drawn by Hypothesis.

Results are NumPy's throughout; what the standard says beyond that (dtype rules, descending and stable sorts, named
results, special cases) is said here.
"""

import inspect
import math

import numpy as np
import pytest

import fastgrad as fg

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from standard import (  # noqa: E402
    FLOATS,
    INEXACT,
    INTEGERS,
    NUMBERS,
    REALS,
    arrays,
    as_numpy,
    names,
    plain,
    promoted,
    same,
    scale_of,
    shapes,
    xps,
)

some = hypothesis.settings(max_examples=30)
more = hypothesis.settings(max_examples=120)

# ---------------------------------------------------------------- names and signatures

SIGNATURES = [
    "",
    "asarray(obj, /, *, dtype=None, device=None, copy=None)",
    "arange(start, /, stop=None, step=1, *, dtype=None, device=None)",
    "empty(shape, *, dtype=None, device=None)",
    "empty_like(x, /, *, dtype=None, device=None)",
    "eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)",
    "from_dlpack(x, /, *, device=None, copy=None)",
    "full(shape, fill_value, *, dtype=None, device=None)",
    "full_like(x, /, fill_value, *, dtype=None, device=None)",
    "linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)",
    "meshgrid(*arrays, indexing='xy')",
    "ones(shape, *, dtype=None, device=None)",
    "ones_like(x, /, *, dtype=None, device=None)",
    "tril(x, /, *, k=0)",
    "triu(x, /, *, k=0)",
    "zeros(shape, *, dtype=None, device=None)",
    "zeros_like(x, /, *, dtype=None, device=None)",
    "astype(x, dtype, /, *, copy=True, device=None)",
    "can_cast(from_, to, /)",
    "finfo(type, /)",
    "iinfo(type, /)",
    "isdtype(dtype, kind)",
    "result_type(*arrays_and_dtypes)",
    "clip(x, /, min=None, max=None)",
    "take(x, indices, /, *, axis=None)",
    "take_along_axis(x, indices, /, *, axis=-1)",
    "matmul(x1, x2, /)",
    "matrix_transpose(x, /)",
    "tensordot(x1, x2, /, *, axes=2)",
    "vecdot(x1, x2, /, *, axis=-1)",
    "broadcast_arrays(*arrays)",
    "broadcast_to(x, /, shape)",
    "concat(arrays, /, *, axis=0)",
    "expand_dims(x, /, axis)",
    "flip(x, /, *, axis=None)",
    "moveaxis(x, source, destination, /)",
    "permute_dims(x, /, axes)",
    "repeat(x, repeats, /, *, axis=None)",
    "reshape(x, /, shape, *, copy=None)",
    "roll(x, /, shift, *, axis=None)",
    "squeeze(x, /, axis)",
    "stack(arrays, /, *, axis=0)",
    "tile(x, repetitions, /)",
    "unstack(x, /, *, axis=0)",
    "argmax(x, /, *, axis=None, keepdims=False)",
    "argmin(x, /, *, axis=None, keepdims=False)",
    "count_nonzero(x, /, *, axis=None, keepdims=False)",
    "nonzero(x, /)",
    "searchsorted(x1, x2, /, *, side='left', sorter=None)",
    "where(condition, x1, x2, /)",
    "unique_all(x, /)",
    "unique_counts(x, /)",
    "unique_inverse(x, /)",
    "unique_values(x, /)",
    "argsort(x, /, *, axis=-1, descending=False, stable=True)",
    "sort(x, /, *, axis=-1, descending=False, stable=True)",
    "cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)",
    "cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)",
    "max(x, /, *, axis=None, keepdims=False)",
    "mean(x, /, *, axis=None, keepdims=False)",
    "min(x, /, *, axis=None, keepdims=False)",
    "prod(x, /, *, axis=None, dtype=None, keepdims=False)",
    "std(x, /, *, axis=None, correction=0.0, keepdims=False)",
    "sum(x, /, *, axis=None, dtype=None, keepdims=False)",
    "var(x, /, *, axis=None, correction=0.0, keepdims=False)",
    "all(x, /, *, axis=None, keepdims=False)",
    "any(x, /, *, axis=None, keepdims=False)",
    "diff(x, /, *, axis=-1, n=1, prepend=None, append=None)",
    "__array_namespace_info__()",
    "linalg.cholesky(x, /, *, upper=False)",
    "linalg.cross(x1, x2, /, *, axis=-1)",
    "linalg.det(x, /)",
    "linalg.diagonal(x, /, *, offset=0)",
    "linalg.eigh(x, /)",
    "linalg.eigvalsh(x, /)",
    "linalg.inv(x, /)",
    "linalg.matmul(x1, x2, /)",
    "linalg.matrix_norm(x, /, *, keepdims=False, ord='fro')",
    "linalg.matrix_power(x, n, /)",
    "linalg.matrix_rank(x, /, *, rtol=None)",
    "linalg.matrix_transpose(x, /)",
    "linalg.outer(x1, x2, /)",
    "linalg.pinv(x, /, *, rtol=None)",
    "linalg.qr(x, /, *, mode='reduced')",
    "linalg.slogdet(x, /)",
    "linalg.solve(x1, x2, /)",
    "linalg.svd(x, /, *, full_matrices=True)",
    "linalg.svdvals(x, /)",
    "linalg.tensordot(x1, x2, /, *, axes=2)",
    "linalg.trace(x, /, *, offset=0, dtype=None)",
    "linalg.vecdot(x1, x2, /, *, axis=-1)",
    "linalg.vector_norm(x, /, *, axis=None, keepdims=False, ord=2)",
    "fft.fft(x, /, *, n=None, axis=-1, norm='backward')",
    "fft.ifft(x, /, *, n=None, axis=-1, norm='backward')",
    "fft.fftn(x, /, *, s=None, axes=None, norm='backward')",
    "fft.ifftn(x, /, *, s=None, axes=None, norm='backward')",
    "fft.rfft(x, /, *, n=None, axis=-1, norm='backward')",
    "fft.irfft(x, /, *, n=None, axis=-1, norm='backward')",
    "fft.rfftn(x, /, *, s=None, axes=None, norm='backward')",
    "fft.irfftn(x, /, *, s=None, axes=None, norm='backward')",
    "fft.hfft(x, /, *, n=None, axis=-1, norm='backward')",
    "fft.ihfft(x, /, *, n=None, axis=-1, norm='backward')",
    "fft.fftfreq(n, /, *, d=1.0, dtype=None, device=None)",
    "fft.rfftfreq(n, /, *, d=1.0, dtype=None, device=None)",
    "fft.fftshift(x, /, *, axes=None)",
    "fft.ifftshift(x, /, *, axes=None)",
    "",
][1:-1]

FLOAT_UNARY = names("""acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 sin sinh sqrt tan tanh
    reciprocal""")
NUMERIC_UNARY = names("abs conj negative positive sign square")
REAL_UNARY = names("ceil floor trunc round")
TEST_UNARY = names("isfinite isinf isnan")
PART_UNARY = names("real imag")
FLOAT_BINARY = names("atan2 copysign hypot logaddexp nextafter")
NUMERIC_BINARY = names("add divide multiply pow subtract equal not_equal")
REAL_BINARY = names("floor_divide maximum minimum remainder less less_equal greater greater_equal")
BIT_BINARY = names("bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift")
BOOL_BINARY = names("logical_and logical_or logical_xor")
ELEMENTWISE = [
    *FLOAT_UNARY, *NUMERIC_UNARY, *REAL_UNARY, *TEST_UNARY, *PART_UNARY, "signbit", "bitwise_invert", "logical_not",
    *FLOAT_BINARY, *NUMERIC_BINARY, *REAL_BINARY, *BIT_BINARY, *BOOL_BINARY,
]  # fmt: skip
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


def public(name):
    thing = fg
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize("line", SIGNATURES, ids=lambda line: line.partition("(")[0])
def test_signatures(line):
    name, _, parameters = line.partition("(")
    function = public(name)
    scope = {}
    exec(f"def wanted({parameters}: pass", scope)
    have = inspect.signature(function).parameters
    places = list(have.values())
    for i, p in enumerate(inspect.signature(scope["wanted"]).parameters.values()):
        if p.kind is p.KEYWORD_ONLY:
            assert p.name in have and have[p.name].kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD), p.name
        elif p.kind is p.VAR_POSITIONAL:
            assert places[i].kind is p.VAR_POSITIONAL
        else:
            taken = (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) if p.kind is p.POSITIONAL_ONLY else (p.kind,)
            assert places[i].kind in taken, p.name
            assert p.kind is p.POSITIONAL_ONLY or places[i].name == p.name
    wanted = inspect.signature(scope["wanted"]).parameters
    extra = [p.name for p in places[len(wanted) :] if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    assert not extra, f"needs {extra}"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_are_there(name):
    assert callable(getattr(fg, name))


@pytest.mark.parametrize("name", names("e inf nan newaxis pi"))
def test_constants(name):
    value, expected = getattr(fg, name), getattr(np, name)
    assert value is expected or value == expected or math.isnan(value)


ATTRIBUTES = names("dtype device mT ndim shape size T")
METHODS = names("""__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__ __dlpack_device__ __eq__ __float__
    __floordiv__ __ge__ __getitem__ __gt__ __index__ __int__ __invert__ __le__ __lshift__ __lt__ __matmul__ __mod__
    __mul__ __ne__ __neg__ __or__ __pos__ __pow__ __rshift__ __setitem__ __sub__ __truediv__ __xor__ to_device
    __iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__ __ipow__ __imod__ __imatmul__ __iand__ __ior__ __ixor__
    __ilshift__ __irshift__ __radd__ __rsub__ __rmul__ __rtruediv__ __rfloordiv__ __rpow__ __rmod__ __rmatmul__
    __rand__ __ror__ __rxor__ __rlshift__ __rrshift__""")


@pytest.mark.parametrize("name", [*ATTRIBUTES, *METHODS])
def test_attributes_and_methods_of_the_array_object(name):
    assert hasattr(fg.ones((1, 1)), name) and hasattr(fg.Tensor, name)


# ---------------------------------------------------------------- inspection


def test_namespace():
    x = fg.ones(2)
    assert fg.__array_api_version__ == "2024.12"
    for version in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
        assert x.__array_namespace__(api_version=version) is fg
    with pytest.raises(ValueError, match="2019"):
        x.__array_namespace__(api_version="2019.12")


def test_what_the_namespace_says_of_itself():
    info = fg.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert info.default_device() in info.devices()
    for device in [None, *info.devices()]:
        defaults = info.default_dtypes(device=device)
        assert fg.asarray(1.0).dtype == defaults["real floating"]
        assert fg.asarray(1j).dtype == defaults["complex floating"]
        assert fg.asarray(1).dtype == defaults["integral"]
        assert fg.argmax(fg.ones(2)).dtype == defaults["indexing"]
    assert len(info.dtypes()) == 13
    assert list(info.dtypes(kind=("bool", "complex floating"))) == ["bool", "complex64", "complex128"]
    kinds = ["bool", "signed integer", "unsigned integer", "real floating", "complex floating", "integral", "numeric"]
    for kind in kinds:
        for name, dtype in info.dtypes(kind=kind).items():
            assert fg.empty(1, dtype=dtype, device="cpu").dtype == getattr(fg, name) and fg.isdtype(dtype, kind)
    with pytest.raises(ValueError, match="kind must be"):
        info.dtypes(kind="floating")
    with pytest.raises(ValueError, match="device"):
        info.default_dtypes(device="gpu")


def test_devices():
    x = fg.ones(2)
    assert x.device == "cpu" and x.to_device("cpu") is x
    for call in (lambda: x.to_device("gpu"), lambda: fg.zeros(2, device="gpu"), lambda: fg.astype(x, "int8", device="gpu"),
                 lambda: fg.from_dlpack(x, device="gpu"), lambda: x.to_device("cpu", stream=1)):  # fmt: skip
        with pytest.raises(ValueError, match=r"gpu|stream"):
            call()


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize("a", ["bool", *NUMBERS])
def test_dtypes_are_promoted_as_the_standard_says(a):
    for b in ["bool", *NUMBERS]:
        expected = promoted(a, b)
        if expected is None:
            continue
        x, y = fg.zeros(2, dtype=a), fg.zeros((), dtype=b)
        assert fg.result_type(x, b) == fg.result_type(a, b) == expected
        assert fg.where(fg.asarray(True), x, y).dtype == fg.concat([x, y.reshape(1)]).dtype == expected
        assert fg.can_cast(a, expected) and fg.can_cast(y, expected)
        if "bool" not in (a, b):
            assert (x + y).dtype == (x * y).dtype == expected
            for scalar in (1, *([1.0] if a in INEXACT else []), *([1j] if a.startswith("complex") else [])):
                assert (x + scalar).dtype == (scalar * x).dtype == a


def test_limits_of_dtypes():
    for name in [*FLOATS, "complex64", "complex128", "float16"]:
        for given_ in (getattr(fg, name, name), np.dtype(name), fg.zeros(2, dtype=name)):
            info, theirs = fg.finfo(given_), np.finfo(name)
            assert type(info.bits) is int and info.bits == theirs.bits and info.dtype == theirs.dtype
            for attribute in ("eps", "max", "min", "smallest_normal"):
                value = getattr(info, attribute)
                assert type(value) is float and value == getattr(theirs, attribute)
            assert info.tiny == theirs.tiny and repr(info) == repr(theirs)
    for name in INTEGERS:
        for given_ in (getattr(fg, name), fg.zeros(2, dtype=name)):
            info, theirs = fg.iinfo(given_), np.iinfo(name)
            assert (info.bits, info.min, info.max, info.dtype) == (theirs.bits, theirs.min, theirs.max, theirs.dtype)
    with pytest.raises(ValueError):
        fg.finfo("int8")
    with pytest.raises(ValueError):
        fg.iinfo("float32")


@some
@given(st.data())
def test_astype(data):
    x = data.draw(arrays(["bool", *NUMBERS]))
    dtype, copy = data.draw(st.sampled_from(["bool", *NUMBERS])), data.draw(st.booleans())
    assume(np.can_cast(x.dtype, dtype, "same_kind"))
    with np.errstate(all="ignore"):
        expected = x.numpy().astype(dtype)
    out = fg.astype(x, getattr(fg, dtype), copy=copy, device="cpu")
    same(out, expected)
    assert np.shares_memory(out.numpy(), x.numpy()) == (not copy and x.dtype == dtype and x.size > 0)


# ---------------------------------------------------------------- elementwise

_UNARY = {
    **dict.fromkeys(FLOAT_UNARY, INEXACT), **dict.fromkeys(NUMERIC_UNARY, NUMBERS), **dict.fromkeys(REAL_UNARY, REALS),
    **dict.fromkeys(TEST_UNARY, NUMBERS), **dict.fromkeys(PART_UNARY, INEXACT[2:]), "signbit": FLOATS,
    "bitwise_invert": ["bool", *INTEGERS], "logical_not": ["bool"], "round": NUMBERS,
}  # fmt: skip
_BINARY = {
    **dict.fromkeys(FLOAT_BINARY, FLOATS), **dict.fromkeys(NUMERIC_BINARY, NUMBERS), **dict.fromkeys(REAL_BINARY, REALS),
    **dict.fromkeys(BIT_BINARY, INTEGERS), **dict.fromkeys(BOOL_BINARY, ("bool",)), "divide": INEXACT,
}  # fmt: skip


@some
@pytest.mark.parametrize("name", _UNARY)
@given(data=st.data())
def test_unary_functions(name, data):
    x = data.draw(arrays(_UNARY[name]))
    out = as_numpy(getattr(fg, name), getattr(np, name), x)
    if name in (*TEST_UNARY, "signbit"):
        assert out.dtype == fg.bool
    elif name in ("abs", "real", "imag") and x.dtype.kind == "c":
        assert out.dtype == (fg.float32 if x.dtype == fg.complex64 else fg.float64)
    else:
        assert out.dtype == x.dtype


@some
@pytest.mark.parametrize("name", _BINARY)
@given(data=st.data())
def test_binary_functions(name, data):
    pairs = [(a, b) for a in _BINARY[name] for b in _BINARY[name] if promoted(a, b)]
    a, b = data.draw(st.sampled_from(pairs))
    both = data.draw(xps.mutually_broadcastable_shapes(2, max_dims=3, max_side=4)).input_shapes
    x, y = data.draw(arrays(a, both[0])), data.draw(arrays(b, both[1]))
    if "shift" in name:
        y = fg.abs(y) % 64
    out = as_numpy(getattr(fg, name), getattr(np, name), x, y)
    if out is not None:  # integers to negative integer powers raise
        assert out.dtype == (fg.bool if name in (*COMPARISONS, *BOOL_BINARY) else promoted(a, b))
    else:
        assert name == "pow" and a in INTEGERS and b in INTEGERS


OPERATORS = {
    "add": ("+", NUMBERS), "subtract": ("-", NUMBERS), "multiply": ("*", NUMBERS), "divide": ("/", INEXACT),
    "floor_divide": ("//", REALS), "remainder": ("%", REALS), "pow": ("**", INEXACT), "bitwise_and": ("&", INTEGERS),
    "bitwise_or": ("|", INTEGERS), "bitwise_xor": ("^", INTEGERS), "less": ("<", REALS), "equal": ("==", NUMBERS),
    "greater_equal": (">=", REALS), "not_equal": ("!=", NUMBERS),
}  # fmt: skip


@some
@pytest.mark.parametrize("name", OPERATORS)
@given(data=st.data())
def test_operators_of_scalars_and_arrays(name, data):
    symbol, dtypes = OPERATORS[name]
    x = data.draw(arrays(dtypes, shapes(min_side=1)))
    kind = {"i": int, "u": int, "f": float, "c": complex}[x.dtype.kind]
    scalar = kind(data.draw(xps.from_dtype(x.dtype)))
    near = scale_of((x, scalar)) if symbol == "**" and x.dtype.kind in "fc" else 0.0  # see OWN_BITS
    for code in (f"x {symbol} s", f"s {symbol} x"):
        with np.errstate(all="ignore"):
            expected = eval(code, {"x": x.numpy(), "s": scalar})
        out = eval(code, {"x": x, "s": scalar})
        same(out, expected, near)
        assert out.dtype == (fg.bool if name in COMPARISONS else x.dtype)
    if name not in COMPARISONS:
        y = fg.asarray(x, copy=True)
        scope = {"x": y, "s": scalar}
        exec(f"x {symbol}= s", scope)
        assert scope["x"] is y
        with np.errstate(all="ignore"):
            same(y, eval(f"x {symbol} s", {"x": x.numpy(), "s": scalar}), near)


@pytest.mark.parametrize(
    "name", [*FLOAT_BINARY, *NUMERIC_BINARY, *REAL_BINARY, "bitwise_and", "bitwise_or", "bitwise_xor"]
)
def test_functions_of_a_scalar_and_an_array(name):
    function, dtypes = getattr(fg, name), _BINARY[name]
    for dtype in dtypes:
        x = fg.asarray([1, 2, 3], dtype=dtype)
        for scalar in (2, *([1.5] if dtype in INEXACT else []), *([1j] if dtype[0] == "c" else [])):
            for operands in ((x, scalar), (scalar, x)):
                out = as_numpy(function, getattr(np, name), *operands)
                assert out.dtype == (fg.bool if name in COMPARISONS else dtype), operands
    if name in ("equal", "not_equal"):
        assert function(True, fg.asarray([True, False])).dtype == fg.bool


@more
@given(st.data())
def test_clip_has_the_dtype_of_its_operand(data):
    x = data.draw(arrays(REALS, allow_nan=False))
    kind = float if x.dtype.kind == "f" else int

    def bound(shape):
        scalars = xps.from_dtype(x.dtype, **({"allow_nan": False} if kind is float else {})).map(kind)
        return st.none() | scalars | arrays(str(x.dtype), shape, allow_nan=False)

    lower, upper = data.draw(
        xps.mutually_broadcastable_shapes(2, base_shape=x.shape, max_dims=3, min_side=0)
    ).input_shapes
    low, high = data.draw(bound(lower)), data.draw(bound(upper))
    out = fg.clip(x, min=low, max=high)
    assert out.dtype == x.dtype
    expected = x.numpy()
    if low is not None:
        expected = np.maximum(expected, plain(low))
    if high is not None:
        expected = np.minimum(expected, plain(high))
    np.testing.assert_array_equal(out.numpy(), np.broadcast_to(expected, out.shape))


INF, NAN = math.inf, math.nan
SPECIAL_CASES = [
    ("acos", (2.0,), NAN), ("acos", (1.0,), 0.0), ("acosh", (0.5,), NAN), ("asin", (-0.0,), -0.0), ("asinh", (-INF,), -INF),
    ("atan", (INF,), math.pi / 2), ("atan2", (0.0, -0.0), math.pi), ("atan2", (-0.0, 1.0), -0.0), ("atanh", (1.0,), INF),
    ("ceil", (-0.5,), -0.0), ("copysign", (3.0, -0.0), -3.0), ("cos", (INF,), NAN), ("cosh", (-INF,), INF),
    ("divide", (1.0, -0.0), -INF), ("divide", (INF, INF), NAN), ("exp", (-INF,), 0.0), ("expm1", (-0.0,), -0.0),
    ("floor", (-0.0,), -0.0), ("hypot", (NAN, INF), INF), ("log", (0.0,), -INF), ("log", (-1.0,), NAN),
    ("log1p", (-1.0,), -INF), ("log1p", (-0.0,), -0.0), ("logaddexp", (NAN, 1.0), NAN), ("maximum", (NAN, 1.0), NAN),
    ("minimum", (1.0, NAN), NAN), ("multiply", (INF, 0.0), NAN), ("nextafter", (-0.0, 0.0), 0.0), ("pow", (NAN, 0.0), 1.0),
    ("pow", (1.0, NAN), 1.0), ("pow", (-INF, 3.0), -INF), ("pow", (-2.0, 0.5), NAN), ("remainder", (3.0, INF), 3.0),
    ("remainder", (-3.0, INF), INF), ("remainder", (1.0, 0.0), NAN), ("round", (2.5,), 2.0), ("round", (-0.5,), -0.0),
    ("sign", (-0.0,), 0.0), ("sign", (NAN,), NAN), ("signbit", (-0.0,), True), ("sin", (-0.0,), -0.0),
    ("sqrt", (-0.0,), -0.0), ("sqrt", (-1.0,), NAN), ("tanh", (-INF,), -1.0), ("trunc", (-0.9,), -0.0),
    ("abs", (-0.0,), 0.0), ("add", (INF, -INF), NAN), ("add", (-0.0, -0.0), -0.0), ("reciprocal", (-0.0,), -INF),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "expected"), SPECIAL_CASES)
def test_special_cases(name, operands, expected):
    found = getattr(fg, name)(*map(fg.asarray, operands)).item()
    assert (found == expected and math.copysign(1, found) == math.copysign(1, expected)) or (found != found != expected)
