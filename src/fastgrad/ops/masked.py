"""Reductions of the elements that a mask lets pass (``where=``), and from a value on (``initial=``).

The public functions are `sum`, `mean`, `max` ..., whose own rows know neither: these are run instead (`_instead`).
"""

from __future__ import annotations

import numpy as np

from ._batch import every, past
from ._row import case
from ._row import register as _op
from .elementwise import imag, maximum, real, sqrt, where
from .reductions import _kept, _product_of_others, sum
from .shaping import astype, broadcast_to


def _given(initial):
    return {} if initial is None else {"initial": initial}


def _shared(mask, x):
    """The mask in the shape of x."""
    return broadcast_to(mask, tuple(x.shape))


def _number(mask, x, axis, keepdims):
    return sum(_shared(mask, x), axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------- forwards --


def _sum_where(x, mask, axis, dtype, keepdims, initial):
    return np.sum(x, axis=axis, dtype=dtype, keepdims=keepdims, where=mask, **_given(initial))


def _mean_where(x, mask, axis, dtype, keepdims):
    return np.mean(x, axis=axis, dtype=dtype, keepdims=keepdims, where=mask)


def _prod_where(x, mask, axis, dtype, keepdims, initial):
    return np.prod(x, axis=axis, dtype=dtype, keepdims=keepdims, where=mask, **_given(initial))


def _max_where(x, mask, axis, keepdims, initial):
    return np.max(x, axis=axis, keepdims=keepdims, where=mask, **_given(initial))


def _min_where(x, mask, axis, keepdims, initial):
    return np.min(x, axis=axis, keepdims=keepdims, where=mask, **_given(initial))


def _var_where(x, mask, axis, dtype, correction, keepdims):
    return np.var(x, axis=axis, dtype=dtype, ddof=correction, keepdims=keepdims, where=mask)


def _std_where(x, mask, axis, dtype, correction, keepdims):
    return np.std(x, axis=axis, dtype=dtype, ddof=correction, keepdims=keepdims, where=mask)


def _spread_about(x, center, mask, axis, correction, keepdims):
    """The variance about a mean that is given."""
    away = x - center
    squares = real(away) ** 2 + imag(away) ** 2 if away.dtype.kind == "c" else away * away
    total = sum_where(squares, mask, axis=axis, dtype=None, keepdims=keepdims, initial=None)
    return total / astype(maximum(_number(mask, x, axis, keepdims) - correction, 0), total.dtype)


def root(x):
    """The square root, with no slope at 0: a standard deviation has its least value there."""
    flat = x == 0
    return where(flat, x, sqrt(where(flat, 1.0, x)))


# ---------------------------------------------------------------- formulas --


def _mean_where_dx(g, out, x, mask, axis, dtype, keepdims):
    return where(mask, _kept(g / _number(mask, x, axis, keepdims), axis, keepdims), 0.0)


def _prod_where_dx(g, out, x, mask, axis, dtype, keepdims, initial):
    g = g if initial is None else g * initial
    return where(mask, _product_of_others(g, out, where(mask, x, 1.0), axis, keepdims), 0.0)


def _spread_where(g, x, mask, axis, correction, scale):
    """As of `var`: the divisor is how many the mask lets pass, less `correction`."""
    away = x - mean_where(x, mask, axis=axis, dtype=None, keepdims=True)
    divisor = maximum(_number(mask, x, axis, True) - correction, 0)
    return where(mask, (g * scale / divisor) * away, 0.0)


def _var_where_dx(g, out, x, mask, axis, dtype, correction, keepdims):
    return _spread_where(_kept(g, axis, keepdims), x, mask, axis, correction, 2)


def _std_where_dx(g, out, x, mask, axis, dtype, correction, keepdims):
    slope = g / where(out == 0, np.inf, out)
    return _spread_where(_kept(slope, axis, keepdims), x, mask, axis, correction, 1)


def _extremum_where_dx(g, out, x, mask, axis, keepdims, initial):
    """Split evenly among equals, of which `initial` may be one."""
    top = _kept(out, axis, keepdims)
    tied = astype((x == top) & mask, g.dtype)
    number = sum(tied, axis=axis, keepdims=True)
    if initial is not None:
        number = number + (top == initial)
    return _kept(g, axis, keepdims) * tied / where(number == 0, 1.0, number)


# ---------------------------------------------------------------- tangents and batches --


def _tangents(name):
    """Of a linear row, which starts from nothing."""

    def jvp(tangents, out, x, mask, axis, keepdims, **options):
        if "initial" in options:
            options["initial"] = None
        return _ROWS[name].on((tangents[0], mask), {"axis": axis, "keepdims": keepdims, **options})

    return jvp


def _spread_where_jvp(name):
    """Each element goes into one result: the slope is what the vjp gives for g = 1."""

    def jvp(tangents, out, x, mask, **options):
        ones = np.ones(out.shape, out.dtype)
        slope = _ROWS[name].vjp[0](ones, out, x, mask, **options)
        return sum(tangents[0] * slope, axis=options["axis"], keepdims=options["keepdims"])

    return jvp


def _batch(name):
    def batch(many, x, mask, axis, **options):
        (x,) = (x,) if many[0] else every((False, True), x, mask)[:1]
        if many[1] and mask.ndim < x.ndim:
            mask = mask.reshape((mask.shape[0], *(1,) * (x.ndim - mask.ndim), *mask.shape[1:]))
        return _ROWS[name].on((x, mask), {"axis": past(axis, x), **options})

    return batch


def reduce(name, x, mask, options):
    """``name(x, where=mask, **options)``."""
    x, mask = (value if hasattr(value, "dtype") else np.asarray(value) for value in (x, mask))
    mean = options.pop("mean", None)
    if mean is None:
        return _ROWS[f"{name}_where"].on((x, mask), options)
    x = x if options["dtype"] is None else astype(x, options["dtype"])
    out = _spread_about(x, mean, mask, options["axis"], options["correction"], options["keepdims"])
    return out if name == "var" else root(out)


_MASK = np.array([[True, False, True], [True, True, False]])
_EITHER = [
    case((2, 3), _MASK, axis=None), case((2, 3), _MASK, axis=0, keepdims=True), case((2, 3), _MASK[0], axis=-1),
    case((4, 2, 3), _MASK, axis=(0, -1)),
]  # fmt: skip


def _cases(options, **more):
    """The sample calls with a value for every option."""
    made = [case(*c.operands, **{**options, **c.options}) for c in _EITHER]
    return [*made, *(case(*made[0].operands, **{**made[0].options, k: v}) for k, v in more.items())]


_SUM = {"axis": None, "dtype": None, "keepdims": False, "initial": None}
_MEAN = {"axis": None, "dtype": None, "keepdims": False}
_MAX = {"axis": None, "keepdims": False, "initial": -3.0}
_VAR = {"axis": None, "dtype": None, "correction": 0, "keepdims": False}
_ALL = {"axis": None, "keepdims": False}

# fmt: off
sum_where = _op(
    "sum_where", _sum_where, "x, mask; axis, dtype, keepdims, initial",
    jvp=_tangents("sum_where"), batch=_batch("sum_where"),
    vjp=(lambda g, out, x, mask, axis, dtype, keepdims, initial: where(mask, _kept(g, axis, keepdims), 0.0), None),
    saves="mask", cases=_cases(_SUM, initial=2.5),
    doc="The sum of what a mask lets pass.")
mean_where = _op(
    "mean_where", _mean_where, "x, mask; axis, dtype, keepdims",
    jvp=_tangents("mean_where"), batch=_batch("mean_where"),
    vjp=(_mean_where_dx, None), saves="mask", cases=_cases(_MEAN),
    doc="The mean of what a mask lets pass.")
prod_where = _op(
    "prod_where", _prod_where, "x, mask; axis, dtype, keepdims, initial",
    jvp=_spread_where_jvp("prod_where"), batch=_batch("prod_where"),
    vjp=(_prod_where_dx, None), saves="x, mask", cases=_cases(_SUM, initial=2.5),
    doc="The product of what a mask lets pass.")
max_where = _op(
    "max_where", _max_where, "x, mask; axis, keepdims, initial",
    jvp=_spread_where_jvp("max_where"), batch=_batch("max_where"),
    vjp=(_extremum_where_dx, None), saves="out, x, mask", cases=_cases(_MAX, initial=5.0),
    doc="The largest of what a mask lets pass.")
min_where = _op(
    "min_where", _min_where, "x, mask; axis, keepdims, initial",
    jvp=_spread_where_jvp("min_where"), batch=_batch("min_where"),
    vjp=(_extremum_where_dx, None), saves="out, x, mask", cases=_cases({**_MAX, "initial": 3.0}, initial=-5.0),
    doc="The smallest of what a mask lets pass.")
all_where = _op(
    "all_where", lambda x, mask, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims, where=mask),
    "x, mask; axis, keepdims", batch=_batch("all_where"), vjp=None, cases=_cases(_ALL),
    doc="Whether all that a mask lets pass is true.")
any_where = _op(
    "any_where", lambda x, mask, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims, where=mask),
    "x, mask; axis, keepdims", batch=_batch("any_where"), vjp=None, cases=_cases(_ALL),
    doc="Whether any that a mask lets pass is true.")
var_where = _op(
    "var_where", _var_where, "x, mask; axis, dtype, correction, keepdims", holomorphic=False,
    batch=_batch("var_where"), vjp=(_var_where_dx, None), saves="x, mask", cases=_cases(_VAR, correction=1),
    doc="The variance of what a mask lets pass.")
std_where = _op(
    "std_where", _std_where, "x, mask; axis, dtype, correction, keepdims", holomorphic=False,
    batch=_batch("std_where"), vjp=(_std_where_dx, None), saves="out, x, mask", cases=_cases(_VAR, correction=1),
    doc="The standard deviation of what a mask lets pass.")
# fmt: on

_ROWS = {
    op.name: op
    for op in (sum_where, mean_where, prod_where, max_where, min_where, all_where, any_where, var_where, std_where)
}
