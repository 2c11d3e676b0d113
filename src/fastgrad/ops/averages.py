"""Averages by weight, covariances, correlations, and the range of values."""

from __future__ import annotations

import builtins
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ._doc import describe
from ._doc import doc as _doc
from ._instead import instead
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import clip, conj, imag, real, where
from .linalg import dot
from .reductions import max, mean, min, sum
from .shaping import astype, concat, diagonal, expand_dims, reshape, squeeze
from .statistics import _along, _axes, _plain

describe({
    "returned": ("bool", "Give the sum of the weights too."),
    "rowvar": ("bool", "Variables are rows and observations columns, or, False, the other way."),
    "cov.ddof": ("int or None", "The divisor is the number of observations less this; None: 1, or 0 with `bias`."),
    "y": ("array_like or None", "Further variables."),
    "bias": ("bool", "Divide by the number of observations."),
    "fweights": ("array of int or None", "How often each observation was made."),
    "aweights": ("array or None", "How much each observation counts; they have a gradient."),
})  # fmt: skip


def _bind_average(x, axis=None, weights=None, returned=False, *, keepdims=False):
    x = x if hasattr(x, "dtype") else np.asarray(x)
    axis = axis if axis is None else normalize_axis_tuple(axis, x.ndim)
    if weights is None:
        if not returned:
            return (x,), {"axis": axis, "keepdims": keepdims}
        return instead(_average_and_size, x, axis, keepdims)
    weights = weights if hasattr(weights, "dtype") else np.asarray(weights)
    return instead(_weighted_average, x, weights, axis, returned, keepdims)


def _average_and_size(x, axis, keepdims):
    out = mean(x, axis=axis, keepdims=keepdims)
    return out, np.full(out.shape, x.size / builtins.max(math.prod(out.shape), 1), out.dtype)


def _check_sum(total):
    if not hasattr(type(total), "_lifts") and np.any(_plain(total) == 0.0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")


def _weighted_average(x, weights, axis, returned, keepdims):
    axes = _axes(x, axis)
    if tuple(weights.shape) != tuple(x.shape):
        if axis is None:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        if tuple(weights.shape) != tuple(x.shape[a] for a in axes):
            raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
        weights = _along(weights, x, axes)
    exact = (np.dtype("f8"),) if x.dtype.kind in "biu" else ()
    dtype = np.result_type(x.dtype, weights.dtype, *exact)
    weights = astype(weights, dtype)
    size = sum(weights, axis=axis, keepdims=keepdims)
    _check_sum(size)
    out = sum(astype(x, dtype) * weights, axis=axis, keepdims=keepdims) / size
    return (out, size) if returned else out


def _bind_cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    ddof = int(not bias) if ddof is None else int(ddof)
    x, rowvar = _variables("cov", m, y, rowvar, dtype)
    if fweights is None and aweights is None:
        return (x,), {"rowvar": True, "ddof": ddof}
    return instead(_weighted_cov, x, fweights, aweights, ddof)


def _variables(name, m, y, rowvar, dtype):
    """The variables as the rows of one matrix of floating numbers, and that they are rows."""
    given = [v if hasattr(v, "dtype") else np.asarray(v) for v in (m, y) if v is not None]
    dtype = np.result_type(*(v.dtype for v in given), np.float64) if dtype is None else np.dtype(dtype)
    parts = []
    for what, v in zip("my", given):
        if v.ndim > 2:
            raise ValueError(f"{what} has more than 2 dimensions")
        v = astype(v, dtype, copy=False)
        turned = not rowvar and v.ndim == 2 and (what == "m" or v.shape[0] != 1)
        parts.append(TABLE["transpose"](v) if turned else reshape(v, (1,) * (2 - v.ndim) + tuple(v.shape)))
        if not parts[0].shape[0]:  # NumPy says no more of no variables
            return astype(real(parts[0]), np.float64, copy=False), True
    return parts[0] if len(parts) == 1 else concat(parts, axis=0), True


def _cov(x, rowvar, ddof):
    if x.ndim < 2:
        x = reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape))
    return _scatter(x, None, x.shape[1] - ddof)


def _scatter(x, weights, divisor):
    if weights is None:
        center = mean(x, axis=1)
    else:
        center = sum(x * weights, axis=1) / sum(weights)
    x = x - expand_dims(center, 1)
    turned = TABLE["transpose"](x if weights is None else x * weights)
    c = dot(x, conj(turned) if x.dtype.kind == "c" else turned)
    if isinstance(divisor, (int, float)):
        divisor = np.float64(builtins.max(divisor, 0))
        with np.errstate(all="ignore"):
            return squeeze(c * float(np.true_divide(1, divisor)))
    return squeeze(c * (1 / where(divisor <= 0, 0.0, divisor)))


def _weighted_cov(x, fweights, aweights, ddof):
    weights = []
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is None:
            continue
        w = w if hasattr(w, "dtype") else np.asarray(w)
        w = astype(w, np.float64, copy=False)
        if w.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if w.shape[0] != x.shape[1]:
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if not hasattr(type(w), "_lifts"):
            if name == "fweights" and np.any(_plain(w) != np.rint(_plain(w))):
                raise TypeError("fweights must be integer")
            if np.any(_plain(w) < 0):
                raise ValueError(f"{name} cannot be negative")
        weights.append(w)
    w = weights[0] if len(weights) == 1 else weights[0] * weights[1]
    total = sum(w)
    _check_sum(total)
    if ddof == 0:
        divisor = total
    elif aweights is None:
        divisor = total - ddof
    else:
        divisor = total - ddof * sum(w * weights[-1]) / total
    return _scatter(x, w, divisor)


def _bind_corrcoef(x, y=None, rowvar=True, *, dtype=None):
    x, rowvar = _variables("corrcoef", x, y, rowvar, dtype)
    return (x,), {"rowvar": rowvar}


def _corrcoef(x, rowvar):
    c = _cov(x, rowvar, 1)
    if c.ndim == 0:
        return c / c
    size = TABLE["sqrt"](real(diagonal(c)))
    c = c / expand_dims(size, 1) / expand_dims(size, 0)
    if c.dtype.kind == "c":
        return clip(real(c), -1, 1) + 1j * clip(imag(c), -1, 1)
    return clip(c, -1, 1)


_SHAPES = [
    case((5,)), case((2, 4)), case((2, 4), axis=0), case((4, 3), axis=-1, keepdims=True), case((2, 3, 2), axis=(0, -1)),
    case((2, 3), keepdims=True), case((1, 3), axis=0),
]  # fmt: skip
_PAIR = [
    case((2, 4)), case((3, 4), rowvar=False), case((4,)), case((3, 2), dtype=np.dtype("complex128")),
]  # fmt: skip

# fmt: off
ptp = _op(
    "ptp", lambda x, axis, keepdims: max(x, axis=axis, keepdims=keepdims) - min(x, axis=axis, keepdims=keepdims),
    "x; axis=None, keepdims=False", cases=_SHAPES,
    doc=_doc("The largest element less the smallest.", "ptp([1., 4., 2.])", "tensor(3.)"))
average = _op(
    "average", lambda x, axis, keepdims: mean(x, axis=axis, keepdims=keepdims),
    "x; axis=None, weights=None, returned=False, keepdims=False", bind=_bind_average,
    cases=[*_SHAPES, case((3, 2), axis=0, weights=np.array([1.0, 2.0, 0.5])),
           case((3, 2), axis=1, weights=np.array([[1.0, 2.0], [0.5, 1.0], [3.0, 0.25]]), returned=True)],
    doc=_doc("Mean of elements that count by weight.", "average([1., 3.], weights=[3., 1.])", "tensor(1.5)"))
cov = _op(
    "cov", _cov, "m; y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None",
    bind=_bind_cov, cases=_PAIR,
    doc=_doc("The covariances of variables, of which each row of x has the observations of one.",
             "cov([[1., 2., 3.], [3., 2., 1.]])", "tensor([[ 1., -1.],\n        [-1.,  1.]])"))
corrcoef = _op(
    "corrcoef", _corrcoef, "x; y=None, rowvar=True, *, dtype=None", bind=_bind_corrcoef, cases=_PAIR[:2],
    doc=_doc("The correlations of variables, of which each row of x has the observations of one.",
             "corrcoef([[1., 2., 3.], [3., 2., 1.]])", "tensor([[ 1., -1.],\n        [-1.,  1.]])"))
# fmt: on
