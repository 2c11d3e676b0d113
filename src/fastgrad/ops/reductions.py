"""Reductions and running totals: sums, products, extrema, moments, `logsumexp`.

A reduced ``g`` is spread over the reduced axes by giving it those axes back with size 1 (`_kept`): the engine
broadcasts it to the operand (Note [Rows]: the result is fitted).
"""

from __future__ import annotations

import builtins
import math

import numpy as np

from ._batch import every, find, over_axes, over_axis, past
from ._doc import describe
from ._doc import doc as _doc
from ._instead import instead
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import conj, exp, log, maximum, real, sqrt, square, where
from .shaping import astype, concat, diagonal, expand_dims, flip, moveaxis, ones_like, reshape

describe({
    "initial": ("scalar or None", "What to start from, as if it were one element more."),
    "where": ("array of bool", "Which elements count."),
    "ddof": ("int or float or None", "NumPy's name of `correction`."),
    "mean": ("array or None", "The mean, axes kept, where it is known."),
})  # fmt: skip

# ---------------------------------------------------------------- helpers --


def _kept(value, axis, keepdims):
    """A reduced value with the reduced axes as size 1 (or 0-d where all were reduced), to broadcast."""
    return value if keepdims or axis is None else expand_dims(value, axis)


def _count(x, out, less=0):
    """How many elements of x went into each of out, less some, but not below 0."""
    if hasattr(x, "row_length"):  # under trace
        return maximum(x.row_length - less, 0) if less else x.row_length
    return builtins.max((x.size // out.size if out.size else 0) - less, 0)


def _masked(name, x, where, **options):
    """What `where=`, `initial=` and a dtype that a row does not know are left to: the rows of `masked`."""
    from . import masked

    return instead(masked.reduce, name, x, where, options)


# The binds have the names of their rows, so that the short way of a call with nothing but x is open to it.


def _bind_sum(name):
    def bind(x, axis=None, dtype=None, keepdims=False, *, initial=None, where=True):
        if initial is None and where is True:
            return (x,), {"axis": axis, "dtype": dtype, "keepdims": keepdims}
        return _masked(name, x, where, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial)

    bind.__name__ = bind.__qualname__ = name
    return bind


def _bind_mean(x, axis=None, keepdims=False, *, dtype=None, where=True):
    if dtype is None and where is True:
        return (x,), {"axis": axis, "keepdims": keepdims}
    return _masked("mean", x, where, axis=axis, dtype=dtype, keepdims=keepdims)


_bind_mean.__name__ = "mean"


def _bind_extremum(name):
    def bind(x, axis=None, keepdims=False, *, initial=None, where=True):
        if initial is None and where is True:
            return (x,), {"axis": axis, "keepdims": keepdims}
        return _masked(name, x, where, axis=axis, keepdims=keepdims, initial=initial)

    bind.__name__ = bind.__qualname__ = name
    return bind


def _bind_truth(name):
    def bind(x, axis=None, keepdims=False, *, where=True):
        if where is True:
            return (x,), {"axis": axis, "keepdims": keepdims}
        return _masked(name, x, where, axis=axis, keepdims=keepdims)

    bind.__name__ = bind.__qualname__ = name
    return bind


def _bind_moment(name):
    def bind(x, axis=None, correction=0, keepdims=False, *, ddof=None, dtype=None, where=True, mean=None):
        correction = correction if ddof is None else ddof
        if dtype is None and mean is None and where is True:
            return (x,), {"axis": axis, "correction": correction, "keepdims": keepdims}
        return _masked(name, x, where, axis=axis, dtype=dtype, correction=correction, keepdims=keepdims, mean=mean)

    bind.__name__ = bind.__qualname__ = name
    return bind


def _along(x, axis):
    """Where one-axis formulas are to run: with axis=None the array is flattened first."""
    return (reshape(x, (-1,)), 0) if axis is None or x.ndim == 0 else (x, axis % x.ndim)


def _delayed(x, axis, first):
    """x moved one place along `axis`, with `first` in front."""
    shape = list(x.shape)
    shape[axis] = builtins.min(1, shape[axis])
    head = np.full(shape, first, x.dtype)
    return concat((head, x[(slice(None),) * axis + (slice(0, -1),)]), axis)


# ---------------------------------------------------------------- forwards --


def _var(x, axis, correction, keepdims):
    return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)


def _std(x, axis, correction, keepdims):
    return np.std(x, axis=axis, ddof=correction, keepdims=keepdims)


def _peak(x, axis):
    least = {"initial": 0} if 0 in np.shape(x) else {}  # of integers too
    top = np.max(np.real(x), axis=axis, keepdims=True, **least)
    return np.where(np.isfinite(top), top, 0)


def _logsumexp(x, axis, keepdims):
    x = np.asarray(x)
    top = _peak(x, axis)
    out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axis)


# What `rowwise=` says of them.


def _var_rows(x, axis, correction, keepdims):
    squares = square(x - mean(x, axis=axis, keepdims=True))
    return sum(squares, axis=axis, keepdims=keepdims) / _count(x, None, correction)


def _std_rows(x, axis, correction, keepdims):
    return sqrt(_var_rows(x, axis, correction, keepdims))


def _logsumexp_rows(x, axis, keepdims):
    top = peak(x, axis)
    return log(sum(exp(x - top), axis=axis, keepdims=True)) + top


def _recur(a, b, axis):
    """By doubling: after step k every entry holds what the last 2**k terms contribute to it.

    Hillis and Steele, Data parallel algorithms, Communications of the ACM 29(12), 1986, pages 1170-1183.
    """
    a, b = np.moveaxis(np.array(a), axis, 0), np.moveaxis(np.array(b), axis, 0)
    step = 1
    while step < len(b):
        b[step:] += a[step:] * b[:-step]  # NumPy buffers what overlaps
        a[step:] = a[step:] * a[:-step]
        step *= 2
    return np.moveaxis(b, 0, axis)


# ---------------------------------------------------------------- formulas --


def _mean_dx(g, out, x, axis, keepdims):
    return _kept(g / _count(x, out), axis, keepdims)


def _multiplied(x, out):
    """What was multiplied: with ``dtype=float`` the real parts of complex numbers."""
    return real(x) if x.dtype.kind == "c" and out.dtype.kind != "c" else x


def all_normal(out):
    """Whether nothing is zero, subnormal, infinite or nan: under trace so, with the program kept to where it is."""
    if hasattr(out, "assume_normal"):
        out.assume_normal()
        return True
    while hasattr(type(out), "_lifts"):
        out = out.payload if hasattr(out, "payload") else out.primal
    size = np.abs(out.detach().numpy() if hasattr(out, "detach") else out)
    limits = np.finfo(size.dtype)
    return bool(np.all((size >= limits.smallest_normal) & (size <= limits.max)))


def _prod_dx(g, out, x, axis, dtype, keepdims):
    if all_normal(out):
        return _kept(g, axis, keepdims) * (_kept(out, axis, keepdims) / x)
    return _product_of_others(g, out, x, axis, keepdims)


def _product_of_others(g, out, x, axis, keepdims):
    """g times the product of all the others: of those before times those after, so that nothing is divided."""
    x = _multiplied(x, out)
    if x.ndim == 0:
        return g
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in np.atleast_1d(axis).tolist())
    last = tuple(range(-len(axes), 0))
    rows = moveaxis(x, axes, last)
    shape = rows.shape
    rows = reshape(rows, (*shape[: x.ndim - len(axes)], math.prod(shape[x.ndim - len(axes) :])))
    end = rows.ndim - 1
    before = _delayed(cumprod(rows, axis=end), end, 1)
    after = flip(_delayed(cumprod(flip(rows, end), axis=end), end, 1), end)
    others = moveaxis(reshape(before * after, shape), last, axes)
    return _kept(g, axis, keepdims) * others


def _ones_where(mask, like):
    """1 where the mask is true, 0 where not, in the dtype of `like`."""
    return where(mask, 1, 0) if hasattr(mask, "assume_normal") else astype(mask, like.dtype)


def _extremum_dx(g, out, x, axis, keepdims):
    tied = x == _kept(out, axis, keepdims)
    number = sum(_ones_where(tied, g), axis=axis, keepdims=True)
    return where(tied, _kept(g, axis, keepdims) / number, 0 / number)  # of nan, which equals nothing, nan


def _spread(g, out, x, axis, correction, scale):
    """The gradient of half the sum of squared deviations, over the divisor of the variance."""
    return (g * scale / _count(x, out, correction)) * (x - mean(x, axis=axis, keepdims=True))


def _var_dx(g, out, x, axis, correction, keepdims):
    return _spread(_kept(g, axis, keepdims), out, x, axis, correction, 2)


def _std_dx(g, out, x, axis, correction, keepdims):
    slope = g / where(out == 0, math.inf, out)  # 0 where nothing varies, in every order
    return _spread(_kept(slope, axis, keepdims), out, x, axis, correction, 1)


def _cumsum_dx(g, out, x, axis, dtype):
    axis = 0 if axis is None else axis
    return reshape(flip(cumsum(flip(g, axis), axis=axis), axis), x.shape)


def _cumprod_dx(g, out, x, axis, dtype):
    """Each x multiplies what stood before it, and reaches every later product: a recurrence, backwards in time."""
    shape, x = x.shape, _multiplied(x, out)
    x, axis = _along(x, axis)
    later = flip(recurrence(_delayed(flip(x, axis), axis, 0), flip(g, axis), axis), axis)
    return reshape(_delayed(out, axis, 1) * later, shape)


def _recurrence_db(g, out, a, b, axis):
    axis %= g.ndim
    return flip(recurrence(_delayed(flip(a, axis), axis, 0), flip(g, axis), axis), axis)


def _recurrence_da(g, out, a, b, axis):
    return _recurrence_db(g, out, a, b, axis) * _delayed(out, axis % g.ndim, 0)


def _logsumexp_dx(g, out, x, axis, keepdims):
    out = where(out == -math.inf, 0.0, out)  # where no element has any weight, none gets a gradient
    return _kept(g, axis, keepdims) * exp(x - _kept(out, axis, keepdims))


# ---------------------------------------------------------------- tangents and batches --


def _spread_jvp(name):
    """The tangent of a row in which each element goes into one result: its slope, which the vjp gives for g = 1."""

    def jvp(tangents, out, x, axis, keepdims, **options):
        ones = ones_like(out, dtype=out.dtype)
        slope = TABLE[name].vjp[0](ones, out, x, axis=axis, keepdims=keepdims, **options)
        if x.dtype.kind == "c" and out.dtype.kind != "c":
            return sum(real(conj(slope) * tangents[0]), axis=axis, keepdims=keepdims)
        return sum(tangents[0] * slope, axis=axis, keepdims=keepdims)

    return jvp


def _batch_recurrence(many, a, b, axis):
    a, b = every(many, a, b)
    return recurrence(a, b, past(axis, a))


# ---------------------------------------------------------------- sample calls --

_INF, _NAN = math.inf, math.nan
_REDUCE = [
    case((2, 3)), case((2, 3), axis=0), case((2, 3), axis=-1, keepdims=True), case((2, 3, 2), axis=(0, -1)),
    case((2, 3), axis=()),
    case((2, 3), keepdims=True), case(()), case((3, 1), axis=1), case((2, 3, 2), axis=(2, 0), keepdims=True),
]  # fmt: skip
_EMPTY = [case((0,)), case((0, 3), axis=0), case((2, 0), axis=0, keepdims=True)]  # where nothing adds up to something
_MOMENT = [
    *_REDUCE[:4],
    case((4, 2), axis=0, correction=1),
    case((5,), correction=1.5, keepdims=True),
    case((2, 3), keepdims=True),
]
_RUN = [
    case((2, 3)),
    case((2, 3), axis=0),
    case((2, 3), axis=-1),
    case((5,)),
    case(()),
    case((0,)),
    case((3, 0), axis=1),
    case((1,)),
]
_FIND = [case((2, 3)), case((2, 3), axis=0), case((2, 3), axis=-1, keepdims=True), case(())]

# fmt: off
# ---------------------------------------------------------------- sums and products --

sum = _op(
    "sum", np.sum, "x; axis=None, dtype=None, keepdims=False, *, initial=None, where=True", bind=_bind_sum("sum"),
    linear="jointly", batch=over_axes("sum"),
    vjp=lambda g, out, x, axis, dtype, keepdims: _kept(g, axis, keepdims),
    cases=[*_REDUCE, *_EMPTY, case((2, 3), axis=0, dtype=np.dtype("float64"))],
    doc=_doc("Sum of the elements.", "sum([1., 2., 3.])", "tensor(6.)"))
trace = _op(
    "trace", lambda x, offset, axis1, axis2: sum(diagonal(x, offset, axis1, axis2), axis=-1),
    "x; offset=0, axis1=0, axis2=1",
    cases=[case((3, 3)), case((2, 3), offset=1), case((2, 3, 4), axis1=-1, axis2=0), case((0, 2))],
    doc=_doc("Sum of the diagonals of matrices.", "trace([[1., 2.], [3., 4.]])", "tensor(5.)"))
mean = _op(
    "mean", np.mean, "x; axis=None, keepdims=False, *, dtype=None, where=True", bind=_bind_mean,
    linear="jointly", batch=over_axes("mean"), vjp=_mean_dx, cases=_REDUCE,
    doc=_doc("Mean of the elements.", "mean([1., 2., 3.])", "tensor(2.)"))
prod = _op(
    "prod", np.prod, "x; axis=None, dtype=None, keepdims=False, *, initial=None, where=True", bind=_bind_sum("prod"),
    rowwise=lambda x, axis, dtype, keepdims: prod(x, axis=axis, dtype=dtype, keepdims=keepdims),
    jvp=_spread_jvp("prod"), batch=over_axes("prod"), vjp=_prod_dx, saves="out, x",
    cases=[*_REDUCE, *_EMPTY],
    kinks=[(([2.0, 0.0, 3.0],), ([0.0, 6.0, 0.0],)), (([0.0, 0.0, 3.0],), ([0.0, 0.0, 0.0],)), (([0.0],), ([1.0],))],
    doc=_doc("Product of the elements.", "prod([1., 2., 3.])", "tensor(6.)",
             "The derivative multiplies the other elements and, where there is a zero, divides by none, so that it is right."))
cumsum = _op(
    "cumsum", np.cumsum, "x; axis=None, dtype=None",
    linear="jointly", batch=over_axis("cumsum"), vjp=_cumsum_dx, cases=_RUN,
    doc=_doc("Running sum.", "cumsum([1., 2., 3.])", "tensor([1., 3., 6.])"))
cumprod = _op(
    "cumprod", np.cumprod, "x; axis=None, dtype=None",
    batch=over_axis("cumprod"), vjp=_cumprod_dx, saves="out, x", cases=_RUN,
    kinks=[(([2.0, 0.0, 3.0],), ([1.0, 8.0, 0.0],)), (([0.0, 0.0, 3.0],), ([1.0, 0.0, 0.0],))],
    doc=_doc("Running product.", "cumprod([1., 2., 3.])", "tensor([1., 2., 6.])"))
recurrence = _op(
    "recurrence", _recur, "a, b; axis=0",
    batch=_batch_recurrence, vjp=(_recurrence_da, _recurrence_db), saves="out, a",
    cases=[case((5,), (5,)), case((2, 3), (2, 3), axis=1), case((1,), (1,)), case((0, 2), (0, 2)),
           case((4, 2), (4, 2), axis=-2)],
    kinks=[(([9.0, 0.0, 3.0], [1.0, 1.0, 1.0]), ([0.0, 4.0, 1.0], [1.0, 4.0, 1.0]))],
    doc="The linear recurrence s[i] = a[i] * s[i - 1] + b[i], which starts from s[0] = b[0].")

# ---------------------------------------------------------------- extrema --

max = _op(
    "max", np.max, "x; axis=None, keepdims=False, *, initial=None, where=True", bind=_bind_extremum("max"),
    rowwise=lambda x, axis, keepdims: max(x, axis=axis, keepdims=keepdims),
    jvp=_spread_jvp("max"), batch=over_axes("max"), vjp=_extremum_dx, saves="out, x", cases=_REDUCE,
    kinks=[(([3.0, 1.0, 3.0],), ([0.5, 0.0, 0.5],)), (([1.0, 1.0, 1.0, 1.0],), ([0.25] * 4,)),
           (([1.0, _NAN],), ([_NAN, _NAN],))],
    doc=_doc("The largest element; nan where one is.", "max([1., 3., 2.])", "tensor(3.)",
             "Among equals the gradient is split evenly, as in `torch.amax`."))
min = _op(
    "min", np.min, "x; axis=None, keepdims=False, *, initial=None, where=True", bind=_bind_extremum("min"),
    rowwise=lambda x, axis, keepdims: min(x, axis=axis, keepdims=keepdims),
    jvp=_spread_jvp("min"), batch=over_axes("min"), vjp=_extremum_dx, saves="out, x", cases=_REDUCE,
    kinks=[(([1.0, 3.0, 1.0],), ([0.5, 0.0, 0.5],)), (([1.0, _NAN],), ([_NAN, _NAN],))],
    doc=_doc("The smallest element; nan where one is.", "min([1., 3., 2.])", "tensor(1.)",
             "Among equals the gradient is split evenly, as in `torch.amin`."))
argmax = _op(
    "argmax", np.argmax, "x; axis=None, keepdims=False",
    batch=find("argmax"), vjp=None, cases=_FIND,
    doc=_doc("Where the (first) largest element is.", "argmax([1., 3., 2.])", "tensor(1)"))
argmin = _op(
    "argmin", np.argmin, "x; axis=None, keepdims=False",
    batch=find("argmin"), vjp=None, cases=_FIND,
    doc=_doc("Where the (first) smallest element is.", "argmin([1., 3., 2.])", "tensor(0)"))
all = _op(
    "all", np.all, "x; axis=None, keepdims=False, *, where=True", bind=_bind_truth("all"),
    batch=over_axes("all"), vjp=None, cases=[*_FIND, *_EMPTY],
    doc=_doc("Whether all elements are true.", "all([1., 0.])", "tensor(False)"))
any = _op(
    "any", np.any, "x; axis=None, keepdims=False, *, where=True", bind=_bind_truth("any"),
    batch=over_axes("any"), vjp=None, cases=[*_FIND, *_EMPTY],
    doc=_doc("Whether any element is true.", "any([1., 0.])", "tensor(True)"))
peak = _op(
    "peak", _peak, "x; axis=None",
    batch=over_axes("peak"), vjp=None,
    cases=[case((2, 3)), case((2, 3), axis=-1), case(np.array([[-_INF, -_INF]]), axis=1)],
    doc="The largest element (0 if that is not finite), axes kept, no gradient: to be taken off before `exp`.")

# ---------------------------------------------------------------- moments --

var = _op(
    "var", _var, "x; axis=None, correction=0, keepdims=False, *, ddof=None, dtype=None, where=True, mean=None",
    jvp=_spread_jvp("var"), batch=over_axes("var"), bind=_bind_moment("var"), holomorphic=False, rowwise=_var_rows,
    vjp=_var_dx, saves="x", cases=_MOMENT, kinks=[(([2.0, 2.0],), ([0.0, 0.0],))],
    doc=_doc("Variance of the elements.", "var([1., 3.])", "tensor(1.)"))
std = _op(
    "std", _std, "x; axis=None, correction=0, keepdims=False, *, ddof=None, dtype=None, where=True, mean=None",
    jvp=_spread_jvp("std"), batch=over_axes("std"), bind=_bind_moment("std"), holomorphic=False, rowwise=_std_rows,
    vjp=_std_dx, saves="out, x", cases=_MOMENT, kinks=[(([2.0, 2.0],), ([0.0, 0.0],))],
    doc=_doc("Standard deviation of the elements.", "std([1., 3.])", "tensor(1.)",
             "The gradient is 0 where all elements are equal."))
logsumexp = _op(
    "logsumexp", _logsumexp, "x; axis=None, keepdims=False", rowwise=_logsumexp_rows,
    jvp=_spread_jvp("logsumexp"), batch=over_axes("logsumexp"), vjp=_logsumexp_dx, saves="out, x", cases=_REDUCE,
    kinks=[(([-_INF, 0.0],), ([0.0, 1.0],)), (([-_INF, -_INF],), ([0.0, 0.0],)), (([1000.0, 1000.0],), ([0.5, 0.5],))],
    doc=_doc("log(sum(exp(x))), without overflow.", "logsumexp([0., 1000.])", "tensor(1000.)"))
# fmt: on
