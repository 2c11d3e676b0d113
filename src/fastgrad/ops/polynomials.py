"""Polynomials as vectors of coefficients, the highest power first: NumPy's `poly*`, `roots` and `polyfit`.

Sources: the derivative of a root is that of the implicit function p(r) = 0; a fit is `lstsq` of a matrix of powers.
"""

from __future__ import annotations

import warnings

import numpy as np

from ._doc import describe
from ._doc import doc as _doc
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import divide, negative, real, sqrt
from .joining import _atleast_1d, vander
from .linalg import matmul, strong
from .numeric import convolve, one_by_one, values
from .reductions import sum
from .shaping import astype, concat, expand_dims, matrix_transpose, reshape, zeros_like

describe({
    "polyder.m": ("int", "How often to differentiate."),
    "polyint.m": ("int", "How often to integrate."),
    "polyint.p": ("array_like", "The coefficients."),
    "polyint.k": ("array_like or None", "The constants of integration; None: 0."),
    "polyfit.x": ("array_like", "Where the points are."),
    "polyfit.y": ("array_like", "Their values, a vector or the columns of a matrix."),
    "polyfit.w": ("array_like or None", "Their weights."),
    "deg": ("int", "Degree of the polynomial."),
    "polyfit.rcond": ("float or None", "Singular values smaller than this, relative to the largest, are left out."),
    "full": ("bool", "Give residuals, rank, singular values and rcond as well."),
    "cov": ('bool or "unscaled"', "Give the covariance of the coefficients as well."),
})  # fmt: skip

# ---------------------------------------------------------------- values --


def _polyval(p, x):
    p, x = strong(p), strong(x)
    y = zeros_like(x)
    for i in range(_length("polyval", p)):
        y = y * x + p[i]
    return y


def _length(name, p):
    if p.ndim == 0:
        raise TypeError(f"{name}: expected a vector of coefficients, got a 0-d array")
    return p.shape[0]


def _vector(name, p):
    if _length(name, p) >= 0 and p.ndim > 1:
        raise ValueError(f"{name}: expected a vector of coefficients, got shape {tuple(p.shape)}")
    return p


# ---------------------------------------------------------------- derivative and integral --


def _polyder(p, m):
    m = int(m)
    if m < 0:
        raise ValueError("polyder: m must not be negative (see polyint)")
    p = _vector("polyder", strong(p))
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


def _bind_polyint(p, m=1, k=None):
    return ((p,) if k is None else (p, k)), {"m": m}


def _polyint(p, *k, m):
    m = int(m)
    if m < 0:
        raise ValueError("polyint: m must not be negative (see polyder)")
    p = _vector("polyint", strong(p))
    k = _atleast_1d(k[0]) if k else np.zeros(m)
    if k.shape[0] == 1 and m > 1:
        k = k[0] * np.ones(m)
    if k.shape[0] < m:
        raise ValueError("polyint: k must be a scalar or a vector of one element or of m")
    for i in range(m):
        p = concat((divide(p, np.arange(p.shape[0], 0, -1)), k[i : i + 1]))
    return p


# ---------------------------------------------------------------- sums, products and quotients --


def _aligned(a, b):
    """Both with as many coefficients as the longer one."""
    a, b = _atleast_1d(a), _atleast_1d(b)
    n, m = a.shape[0], b.shape[0]
    if n < m:
        a = concat((np.zeros(m - n, a.dtype), a))
    elif m < n:
        b = concat((np.zeros(n - m, b.dtype), b))
    return a, b


def _polyadd(a, b):
    a, b = _aligned(a, b)
    return a + b


def _polysub(a, b):
    a, b = _aligned(a, b)
    return a - b


def _trimmed(a):
    """Without the zeros in front, which a polynomial does not have; of nothing but zeros, one is left."""
    a = _atleast_1d(a)
    found = values(a)
    if found is None or found.size == 0:
        return a if found is None else concat((a, np.zeros(1, a.dtype)))
    first = np.flatnonzero(found)
    return a[first[0] if first.size else found.size - 1 :]


def _polymul(a, b):
    return convolve(_trimmed(a), _trimmed(b))


def _polydiv(u, v):
    u, v = (_vector("polydiv", _atleast_1d(x)) + 0.0 for x in (u, v))
    if not (u.shape[0] and v.shape[0]):
        raise IndexError("polydiv: a polynomial has no coefficients")
    dtype = np.result_type(u.dtype, v.dtype)
    m, n = u.shape[0] - 1, v.shape[0] - 1
    scale, r = 1.0 / v[:1], astype(u, dtype, copy=False)
    quotient = []
    for k in range(m - n + 1):
        d = scale * r[k : k + 1]
        quotient.append(d)
        r = concat([part for part in (r[:k], r[k : k + n + 1] - d * v, r[k + n + 1 :]) if part.shape[0]])
    q = astype(concat(quotient), dtype, copy=False) if quotient else zeros_like(u[:1] * v[:1])
    known = values(r)
    first = 0
    while known is not None and first < known.size - 1 and np.allclose(known[first], 0, rtol=1e-14):
        first += 1
    return q, r[first:]


# ---------------------------------------------------------------- roots --


def _poly(x):
    x = _atleast_1d(x)
    if x.ndim == 2 and x.shape[0] == x.shape[1] and x.shape[0]:
        from . import load

        load("fastgrad.linalg")
        x = TABLE["eigvals"](x)
    elif x.ndim != 1:
        raise ValueError(f"poly: expected a vector or a square matrix, got shape {tuple(x.shape)}")
    dtype = np.dtype(np.mintypecode(x.dtype.char))
    if x.shape[0] == 0:
        return astype(sum(x), np.float64) + 1.0
    x = astype(x, dtype, copy=False)
    out = np.ones(1, dtype)
    for i in range(x.shape[0]):
        out = convolve(out, concat((np.ones(1, dtype), negative(x[i : i + 1]))))
    found = values(x)
    if dtype.kind == "c" and found is not None and np.all(np.sort(found) == np.sort(found.conjugate())):
        out = real(out) + np.zeros(1, dtype).real
    return out


def _roots_dp(g, out, p):
    """dr = -(the powers of r, each times its dp) / p'(r)."""
    n = p.shape[0]
    slope = _polyval(_polyder(p, 1), out) if n > 1 else out
    return negative(sum(expand_dims(g / slope, -1) * vander(out, n), axis=0))


# ---------------------------------------------------------------- fits --


def _bind_polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    return ((x, y) if w is None else (x, y, w)), {"deg": deg, "rcond": rcond, "full": full, "cov": cov}


def _polyfit(x, y, *w, deg, rcond, full, cov):
    from . import load

    load("fastgrad.linalg")
    order = int(deg) + 1
    x, y = strong(x) + 0.0, strong(y) + 0.0
    if deg < 0:
        raise ValueError("polyfit: expected deg >= 0")
    if x.ndim != 1 or not x.shape[0]:
        raise TypeError(f"polyfit: expected a vector for x that is not empty, got shape {tuple(x.shape)}")
    if y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise TypeError(f"polyfit: expected y of as many rows as x has elements, got shape {tuple(y.shape)}")
    n = x.shape[0]
    rcond = n * np.finfo(x.dtype).eps if rcond is None else rcond
    powers = vander(x, order)
    if w:
        weights = strong(w[0]) + 0.0
        if weights.ndim != 1 or weights.shape[0] != n:
            raise TypeError(f"polyfit: expected as many weights as there are points, got shape {tuple(weights.shape)}")
        column = reshape(weights, (-1, 1))
        powers, y = powers * column, y * (column if y.ndim == 2 else weights)
    scale = sqrt(sum(powers * powers, axis=0))
    powers = powers / scale
    c, residuals, rank, s = TABLE["lstsq"](powers, y, rcond)
    c = c / (reshape(scale, (-1, 1)) if y.ndim == 2 else scale)
    found = values(rank)
    if found is not None and found.min() != order and not full:
        message = "polyfit may be poorly conditioned"
        warnings.warn(message, np.exceptions.RankWarning, stacklevel=2)
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    if cov != "unscaled" and n <= order:
        raise ValueError("polyfit: the number of data points must exceed order to scale the covariance matrix")
    base = TABLE["inv"](matmul(matrix_transpose(powers), powers)) / (reshape(scale, (-1, 1)) * scale)
    factor = 1 if cov == "unscaled" else residuals / (n - order)
    return c, (expand_dims(base, -1) if y.ndim == 2 else base) * factor


# fmt: off
_TIMES = np.array([-3, -1, 0, 2, 3, 5])

polyval = _op(
    "polyval", _polyval, "p, x",
    cases=[case((3,), (2, 3)), case((1,), (2,)), case((4,), ()), case((0,), (2,)), case((3, 2), (2,))],
    doc=_doc("The values of a polynomial at x.", "polyval([1., 2., 3.], 2.)", "tensor(11.)"))
polyder = _op(
    "polyder", _polyder, "p; m=1", cases=[case((4,)), case((4,), m=2), case((4,), m=0), case((1,)), case((2,), m=3)],
    doc=_doc("The coefficients of the derivative of a polynomial.", "polyder([1., 2., 3.])", "tensor([2., 2.])"))
polyint = _op(
    "polyint", _polyint, "*operands; m=1", bind=_bind_polyint,
    cases=[case((3,)), case((3,), m=2), case((3,), m=0), case((2,), k=1.0), case((2,), m=2, k=np.array([1.0, 2.0]))],
    doc=_doc("The coefficients of an integral of a polynomial.",
             "polyint([2., 2.])", "tensor([1., 2., 0.])"))
polyadd = _op(
    "polyadd", _polyadd, "a, b", cases=[case((3,), (3,)), case((2,), (4,)), case((3,), (1,)), case((), (2,))],
    doc=_doc("Sum of two polynomials.", "polyadd([1., 2.], [1.])", "tensor([1., 3.])"))
polysub = _op(
    "polysub", _polysub, "a, b", cases=[case((3,), (3,)), case((2,), (4,)), case((3,), (1,)), case((), (2,))],
    doc=_doc("Difference of two polynomials.", "polysub([1., 2.], [1.])", "tensor([1., 1.])"))
polymul = _op(
    "polymul", _polymul, "a, b", near=(0.5, 2), cases=[case((3,), (2,)), case((1,), (2,)), case((2,), (4,)), case((), (2,))],
    doc=_doc("Product of two polynomials.", "polymul([1., 2.], [1., 1.])", "tensor([1., 3., 2.])"))
polydiv = _op(
    "polydiv", _polydiv, "u, v", multi=True, batch=one_by_one("polydiv"), near=(0.5, 2),
    cases=[case((4,), (2,)), case((3,), (3,)), case((5,), (2,))],
    doc=_doc("Quotient and remainder of two polynomials.", "polydiv([1., 3., 3.], [1., 1.])", "(tensor([1., 2.]), tensor([1.]))"))
poly = _op(
    "poly", _poly, "x", cases=[case((3,)), case((1,))],
    doc=_doc("The polynomial with given roots, or the characteristic polynomial of a matrix.", "poly([1., 2.])",
             "tensor([ 1., -3.,  2.])"))
roots = _op(
    "roots", np.roots, "p", saves="out, p", vjp=_roots_dp, batch=one_by_one("roots"),
    cases=[case((3,)), case((4,)), case((1,)), case((2,))],
    doc=_doc("The roots of a polynomial.", "roots([1., -3., 2.])", "tensor([2., 1.])",
             "The gradient at a multiple root is not finite."))
polyfit = _op(
    "polyfit", _polyfit, "*operands; deg, rcond=None, full=False, cov=False", bind=_bind_polyfit,
    cases=[case(_TIMES, (6,), deg=2), case(_TIMES, (6, 2), deg=1), case(_TIMES, (6,), deg=1, w=np.array([1.0, 2, 1, 0.5, 1, 1])),
           case(_TIMES, (6,), deg=1, cov=True), case(_TIMES, (6,), deg=1, cov="unscaled")],
    doc=_doc("The polynomial of a degree that fits points best.",
             "polyfit([0., 1., 2.], [1., 3., 5.], 1).round(3)", "tensor([2., 1.])"))
# fmt: on
