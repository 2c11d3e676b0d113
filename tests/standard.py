"""What the tests of the array API standard share: arrays of its dtypes to be drawn, and NumPy to compare with."""

import warnings

import numpy as np
import pytest
from samples import OWN_BITS

import fastgrad as fg

pytest.importorskip("hypothesis")
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace

names = str.split
xps = make_strategies_namespace(fg, api_version="2024.12")
NUMBERS = names("int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128")
REALS, INTEGERS, FLOATS = NUMBERS[:10], NUMBERS[:8], ["float32", "float64"]
INEXACT = NUMBERS[8:]


def promoted(a, b):
    """The standard's table, where it has an entry."""
    if a == b:
        return a
    kinds = {a.rstrip("0123456789"), b.rstrip("0123456789")}
    widths = [int(name.lstrip("abcdefghijklmnopqrstuvwxyz") or 0) for name in (a, b)]
    if kinds == {"int", "uint"}:
        signed, unsigned = widths if not a.startswith("u") else widths[::-1]
        width = max(signed, 2 * unsigned)
        return f"int{width}" if width <= 64 else None
    if len(kinds) == 1:
        return max((a, b), key=lambda name: int(name.lstrip("abcdefghijklmnopqrstuvwxyz")))
    if kinds == {"float", "complex"}:
        real, cplx = widths if a.startswith("f") else widths[::-1]
        return f"complex{max(2 * real, cplx)}"
    return None


def shapes(min_dims=0, min_side=0, max_dims=3):
    return xps.array_shapes(min_dims=min_dims, min_side=min_side, max_dims=max_dims, max_side=4)


def arrays(dtypes, shape=None, **elements):
    dtypes = st.sampled_from([dtypes] if isinstance(dtypes, str) else dtypes)
    shape = shapes() if shape is None else shape
    return dtypes.flatmap(
        lambda dtype: xps.arrays(
            getattr(fg, dtype), shape, elements=elements if dtype not in ("bool", *INTEGERS) and elements else None
        )
    )


def plain(value):
    if isinstance(value, fg.Tensor):
        return value.numpy()
    return type(value)(map(plain, value)) if type(value) in (tuple, list) else value


def same(found, expected, scale=0.0):
    """Equal; with a scale but for some units in the last place of it or of the values."""
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected):
            same(a, b)
        return
    assert isinstance(found, fg.Tensor), type(found)
    expected = np.asarray(expected)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if scale:
        near = 8 * np.finfo(expected.dtype).eps
        np.testing.assert_allclose(found.numpy(), expected, rtol=near, atol=near * scale)
    else:
        np.testing.assert_array_equal(found.numpy(), expected)


def as_numpy(function, theirs, *args, **kwargs):
    """fastgrad's function is NumPy's, values and dtypes, or both raise."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = theirs(*map(plain, args), **{key: plain(value) for key, value in kwargs.items()})
    except Exception as error:
        kinds = tuple(kind for kind in (TypeError, ValueError, IndexError, OverflowError) if isinstance(error, kind))
        with pytest.raises(kinds or Exception):
            function(*args, **kwargs)
        return None
    found = function(*args, **kwargs)
    own = getattr(theirs, "__name__", None) in OWN_BITS and np.result_type(expected).kind in "fc"
    same(found, expected, scale_of(args) if own else 0.0)
    return found


def scale_of(args):
    """The largest finite number among operands, at least 1."""
    numbers = [np.abs(np.asarray(plain(x), dtype=complex)).ravel() for x in args]
    return max([1.0, *(x[np.isfinite(x)].max(initial=0.0) for x in numbers)])
