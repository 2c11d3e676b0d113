"""Order statistics and what skips nan: `median`, `quantile`, and the ``nan`` reductions.

Forwards of order statistics are NumPy's. Their gradients go to the elements that were picked, by weight where there
are two of them; of equal elements the first ones are taken to come first, as in `torch.quantile`.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ._batch import every, find, over_axes, past
from ._doc import describe
from ._doc import doc as _doc
from ._instead import instead
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import ceil, clip, conj, floor, isnan, real, rint, where
from .masked import root
from .reductions import _kept, any, argmax, cumprod, cumsum, mean, prod, sum
from .shaping import astype, broadcast_to, concat, expand_dims, moveaxis, reshape
from .sorting import add_along_axis, argsort, ranked_places, sort, take_along_axis

METHODS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
    "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
)  # fmt: skip
#: alpha and beta of the methods that interpolate, in Hyndman and Fan, Sample quantiles in statistical packages, 1996.
_PLOTTING = {
    "interpolated_inverted_cdf": (0, 1), "hazen": (0.5, 0.5), "weibull": (0, 0), "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}  # fmt: skip

describe({
    "method": ("str", "How to estimate what lies between elements, as in `numpy.quantile`."),
    **{
        f"{name}.weights": ("array or None", 'How much each element counts, with the method "inverted_cdf".')
        for name in ("quantile", "nanquantile", "percentile", "nanpercentile")
    },
})  # fmt: skip


# ---------------------------------------------------------------- order statistics
# What is reduced is brought into one last axis ("rows"), and so are all of q.


def _axes(x, axis):
    return tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)


def _in_rows(x, axes):
    """x with these axes as one, the last."""
    last = tuple(range(-len(axes), 0))
    moved = moveaxis(x, axes, last) if axes else x
    kept = tuple(moved.shape[: x.ndim - len(axes)])
    return reshape(moved, (*kept, math.prod(moved.shape[x.ndim - len(axes) :])))


def _from_rows(rows, shape, axes):
    """The array of this shape whose rows they are."""
    kept = tuple(n for i, n in enumerate(shape) if i not in axes)
    moved = reshape(rows, (*kept, *(shape[a] for a in axes)))
    return moveaxis(moved, tuple(range(-len(axes), 0)), axes) if axes else moved


def _number(rows, skips):
    """How many elements of each row there are to pick from: an int, or (nan not counted) an array with a last axis."""
    return sum(~isnan(rows), axis=-1, keepdims=True) if skips else rows.shape[-1]


def _virtual(q, n, method):
    """Where in the ordered row the quantile lies, and the slope of that in q."""
    q = q if q.dtype.kind == "f" else astype(q, np.float64)
    if not isinstance(n, int):
        n = astype(n, q.dtype)
    if method in _PLOTTING:
        alpha, beta = _PLOTTING[method]
        return n * q + (alpha + q * (1 - alpha - beta)) - 1, n + (1 - alpha - beta)
    if method in ("inverted_cdf", "averaged_inverted_cdf"):
        return n * q - 1, 0.0
    if method == "closest_observation":
        return n * q - 1 - 0.5, 0.0
    return (n - 1) * q, (n - 1) * 1.0 if method == "linear" else 0.0


def _between(q, n, method):
    """The two elements of an ordered row that a quantile is made of, and the weight of the second."""
    at, _ = _virtual(q, n, method)
    low = floor(at)
    whole = at == low
    last = n - 1
    if method == "inverted_cdf":
        low = high = where(whole, low, low + 1)
    elif method == "closest_observation":
        low = high = where(whole & (low % 2 == 1), low, low + 1)
    elif method in ("lower", "higher", "nearest"):
        low = high = {"lower": floor, "higher": ceil, "nearest": rint}[method](at)
    elif method == "midpoint":
        high = ceil(at)
    else:
        high = where(at < 0, 0.0, low + 1)
    if method == "averaged_inverted_cdf":
        weight = where(whole, 0.5, 1.0)
    elif method == "midpoint":
        weight = where(whole, 0.0, 0.5)
    elif high is low:
        weight = 0.0
    else:
        weight = clip(at, 0, last) - clip(low, 0, last)
    return _place(low, last), _place(high, last), weight


def _place(at, last):
    return astype(clip(at, 0, last), np.intp)


def _columns(place, rows):
    """Places, which all rows may share, with an axis for each of the rows'."""
    return place if place.ndim == rows.ndim else reshape(place, (1,) * (rows.ndim - 1) + tuple(place.shape))


def _q_last(value, count, rows):
    """A cotangent or result, whose first axes are those of q, with q as the last axis."""
    return moveaxis(reshape(value, (count, *rows.shape[:-1])), 0, -1)


@lru_cache(256)
def _parted(q, dtype, n, method):
    """Of quantiles that are known (as bytes): the weight, or None, the places in order, and which of them each is."""
    low, high, weight = _between(np.frombuffer(q, dtype), n, method)
    alone = high is low
    kth, which = np.unique(low if alone else np.concatenate((low, high)), return_inverse=True)
    return None if alone else weight, tuple(kth.tolist()), which


def _elements(rows, q, n, method):
    """Where in each row the elements are that make quantiles, first ones before second ones; the weight of the second.

    The weight is None where there are no second ones. If q is known and short, no row is sorted.
    """
    if isinstance(q, np.ndarray) and isinstance(n, int) and q.size <= 64:
        weight, kth, which = _parted(q.tobytes(), q.dtype, n, method)
        return take_along_axis(ranked_places(rows, kth), _columns(which, rows), axis=-1), weight
    low, high, weight = _between(q, n, method)
    alone = high is low
    places = _columns(low if alone else concat((low, high), axis=-1), rows)
    return take_along_axis(argsort(rows, axis=-1), places, axis=-1), None if alone else weight


def _picked_dx(g, x, q, axis, method, skips):
    if not x.size:
        return 0.0
    axes = _axes(x, axis)
    rows = _in_rows(x, axes)
    q = reshape(q, (-1,))
    g = _q_last(g, q.shape[0], rows)
    n = _number(rows, skips)
    if skips:
        g = where(n == 0, 0.0, g)
    places, weight = _elements(rows, q, n, method)
    parts = g if weight is None else concat((g * (1 - weight), g * weight), axis=-1)
    return _from_rows(add_along_axis(parts, places, rows.shape, -1, False), x.shape, axes)


def _quantile_dq(skips):
    def dq(g, out, x, q, axis, method, keepdims, weak):
        """The slope between the two elements."""
        if not x.size:
            return 0.0
        rows = _in_rows(x, _axes(x, axis))
        flat = reshape(q, (-1,))
        n = _number(rows, skips)
        low, high, _ = _between(flat, n, method)
        at, slope = _virtual(flat, n, method)
        inside = (at >= 0) & (at < n - 1)
        rows = sort(rows, axis=-1)
        rise = take_along_axis(rows, _columns(high, rows), axis=-1) - take_along_axis(
            rows, _columns(low, rows), axis=-1
        )
        each = _q_last(g, flat.shape[0], rows) * where(inside, rise * slope, 0.0)
        return reshape(sum(each, axis=tuple(range(each.ndim - 1))), q.shape)

    return dq


def _quantile_dx(skips):
    return lambda g, out, x, q, axis, method, keepdims, weak: _picked_dx(g, x, q, axis, method, skips)


def _median_dx(skips):
    half = np.full(1, 0.5)
    return lambda g, out, x, axis, keepdims: _picked_dx(g, x, half, axis, "linear", skips)


def _quantile_fn(function):
    def fn(x, q, axis, method, keepdims, weak):
        return function(x, q.item() if weak else q, axis=axis, method=method, keepdims=keepdims)

    return fn


def _batch_quantile(row, skips):
    def batch(many, x, q, axis, method, keepdims, weak):
        options = {"method": method, "keepdims": keepdims, "weak": weak}
        if not many[1]:
            out = row().on((x, q), {"axis": past(axis, x), **options})
            return moveaxis(out, q.ndim, 0) if q.ndim else out
        x, q = every(many, x, q)
        axes = past(axis, x)
        axes = axes if isinstance(axes, tuple) else (axes,)
        rows = _in_rows(x, axes)
        flat = reshape(q, (q.shape[0], *(1,) * (rows.ndim - 2), -1))
        n = _number(rows, skips)
        low, high, weight = _between(flat, n, method)
        ordered = sort(rows, axis=-1)
        shape = (*rows.shape[:-1], flat.shape[-1])
        a, b = (take_along_axis(ordered, broadcast_to(place, shape), axis=-1) for place in (low, high))
        out = (
            where(astype(weight >= 0.5, bool), b - (b - a) * (1 - weight), a + (b - a) * weight)
            if high is not low
            else a
        )
        nothing = n == 0 if skips else any(isnan(rows), axis=-1, keepdims=True)
        out = where(nothing, math.nan, out)
        kept = tuple(1 if i in axes else size for i, size in enumerate(x.shape)) if keepdims else rows.shape[:-1]
        out = reshape(moveaxis(out, -1, 1), (q.shape[0], *q.shape[1:], *kept[1:]))
        return astype(out, x.dtype) if weak and x.dtype.kind == "f" else out

    return batch


def _bind_quantile(plain, weighted, scale):
    """`plain` and `weighted` name the rows; of percentiles, `scale` is 100."""

    def bind(x, q, axis=None, *, method="linear", keepdims=False, weights=None, overwrite_input=False):
        if method not in METHODS:
            raise ValueError(f"{method!r} is not a valid method. Use one of: {', '.join(METHODS)}")
        weak = type(q) in (int, float)
        x = x if hasattr(x, "dtype") else np.asarray(x)
        q = q if hasattr(q, "dtype") else np.asarray(q)
        if scale != 1 and not hasattr(type(q), "_lifts") and not np.all((_plain(q) >= 0) & (_plain(q) <= scale)):
            raise ValueError(f"Percentiles must be in the range [0, {scale}]")
        options = {"axis": axis if axis is None else _tuple(axis), "keepdims": bool(keepdims), "weak": weak}
        if weights is not None:
            if method != "inverted_cdf":
                raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
            q, options["weights"] = _plain(q) / scale if scale != 1 else _plain(q), _plain(weights)
            return instead(lambda: TABLE[weighted].on((x,), {"q": q, **options}))
        options["method"] = method
        if scale != 1:
            return instead(lambda: TABLE[plain].on((x, q / scale), options))
        return (x, q), options

    return bind


def _hundredths(name):
    return lambda x, q, **options: TABLE[name].on((x, q / 100), options)


def _tuple(axis):
    """One axis or several, as NumPy takes them."""
    return axis if isinstance(axis, int) else tuple(int(a) for a in axis) if np.ndim(axis) else int(axis)


def _plain(x):
    """The values, where no gradient is lost with them."""
    if hasattr(type(x), "_lifts"):
        raise TypeError("weights and what goes with them must be the same for all examples, and have no tangent")
    return x.detach().numpy() if hasattr(x, "detach") else np.asarray(x)


# ---------------------------------------------------------------- quantiles by weights


def _weighted_fn(function):
    def fn(x, q, weights, axis, keepdims, weak):
        q, x = q.item() if weak else q, np.asarray(x)
        if weights.ndim < x.ndim and axis is not None:
            weights = _along(weights, x, _axes(x, axis))
        return function(x, q, axis=axis, method="inverted_cdf", keepdims=keepdims, weights=weights)

    return fn


def _along(weights, x, axes):
    """Weights in the shape of x: they may be those along the axes that are reduced."""
    if tuple(weights.shape) != tuple(x.shape[a] for a in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    order = np.argsort(axes).tolist()
    shape = [1] * x.ndim
    for axis in axes:
        shape[axis] = x.shape[axis]
    return broadcast_to(reshape(TABLE["transpose"](weights, order), tuple(shape)), tuple(x.shape))


def _weighted_dx(g, out, x, q, weights, axis, keepdims, weak):
    """The result is one of the elements: the first that equals it and has a weight."""
    axes = _axes(x, axis)
    weights = weights if weights.ndim == x.ndim else _along(weights, x, axes)
    rows, mass = _in_rows(x, axes), _in_rows(np.broadcast_to(weights, x.shape), axes)
    count = q.size
    found = expand_dims(_q_last(out, count, rows), -1) == expand_dims(where(mass > 0, rows, math.nan), -2)
    g = where(any(found, axis=-1), _q_last(g, count, rows), 0.0)
    return _from_rows(add_along_axis(g, argmax(found, axis=-1), rows.shape, -1, False), x.shape, axes)


def _batch_weighted(row):
    def batch(many, x, q, weights, axis, keepdims, weak):
        axes = past(axis, x)
        axes = axes if isinstance(axes, tuple) else (axes,)
        if weights.ndim < x.ndim - 1 and axis is not None:
            weights = _along(weights, np.empty(x.shape[1:]), tuple(a - 1 for a in axes))
        weights = np.broadcast_to(weights, x.shape)
        out = row().on((x,), {"q": q, "weights": weights, "axis": axes, "keepdims": keepdims, "weak": weak})
        return moveaxis(out, q.ndim, 0) if q.ndim else out

    return batch


# ---------------------------------------------------------------- without nan


def _is_nan(x):
    """Where x is nan; None where it cannot be."""
    return isnan(x) if x.dtype.kind in "fc" else None


def _without(x, value):
    nan = _is_nan(x)
    return x if nan is None else where(nan, value, x)


def _present(x, mask):
    """What counts: a mask, or True."""
    nan = _is_nan(x)
    if nan is None:
        return mask
    return ~nan if mask is True else ~nan & mask


def _per(total, count):
    """Divided in the dtype that NumPy divides in, and in that of the total again."""
    return astype(total / count, total.dtype)


def _nanmean(x, axis, keepdims, dtype, where):
    if _is_nan(x) is None:
        return mean(x, axis=axis, keepdims=keepdims, dtype=dtype, where=where)
    present = ~isnan(x)
    total = sum(_without(x, 0), axis=axis, dtype=dtype, keepdims=keepdims, where=where)
    return _per(total, sum(present, axis=axis, keepdims=keepdims, where=where))


def _nanvar(x, axis, correction, keepdims, dtype, where, center=None):
    """NumPy's way: the squares of what the mean (or `center`) leaves, none where there was nan."""
    if _is_nan(x) is None:
        options = {"correction": correction, "keepdims": keepdims, "dtype": dtype, "where": where, "mean": center}
        return TABLE["var"](x, axis=axis, **options)
    nan = isnan(x)
    count = sum(~nan, axis=axis, keepdims=True, where=where)
    if center is None:
        center = _per(sum(_without(x, 0), axis=axis, dtype=dtype, keepdims=True, where=where), count)
    away = TABLE["where"](nan, 0, x - center)
    squares = real(away * conj(away)) if x.dtype.kind == "c" else away * away
    total = sum(squares, axis=axis, dtype=dtype, keepdims=keepdims, where=where)
    freedom = reshape(count, total.shape) - correction
    return TABLE["where"](freedom <= 0, math.nan, _per(total, freedom))


def _nanstd(x, axis, correction, keepdims, dtype, where, center=None):
    return root(_nanvar(x, axis, correction, keepdims, dtype, where, center))


def _bind_nanmoment(function):
    def bind(x, axis=None, correction=0, keepdims=False, *, ddof=None, dtype=None, where=True, mean=None):
        correction = correction if ddof is None else ddof
        options = {"axis": axis, "correction": correction, "keepdims": keepdims, "dtype": dtype, "where": where}
        if mean is None:
            return (x,), options
        return instead(function, x if hasattr(x, "dtype") else np.asarray(x), center=mean, **options)

    return bind


def _bind_nanextremum(name):
    def bind(x, axis=None, keepdims=False, *, initial=None, where=True):
        if initial is None and where is True:
            return (x,), {"axis": axis, "keepdims": keepdims}
        x = x if hasattr(x, "dtype") else np.asarray(x)
        options = {"axis": axis, "keepdims": keepdims, "initial": initial}
        return instead(lambda: TABLE[name[3:]](x, where=_present(x, where), **options))

    bind.__qualname__ = f"{name}.bind"
    return bind


def _nanextremum_dx(g, out, x, axis, keepdims):
    """Split evenly among equals; where all is nan there are none."""
    tied = astype(x == _kept(out, axis, keepdims), g.dtype)
    number = sum(tied, axis=axis, keepdims=True)
    return _kept(g, axis, keepdims) * tied / where(number == 0, 1.0, number)


def _nanextremum_jvp(tangents, out, x, axis, keepdims):
    ones = np.ones(out.shape, out.dtype)
    return sum(tangents[0] * _nanextremum_dx(ones, out, x, axis, keepdims), axis=axis, keepdims=keepdims)


_MIDDLE = [
    case((5,)), case((2, 4)), case((2, 4), axis=0), case((4, 3), axis=-1, keepdims=True), case((2, 3, 2), axis=(0, -1)),
    case((2, 3), keepdims=True), case(()), case((1, 3), axis=0),
]  # fmt: skip
_QS = np.array([0.07, 0.13, 0.52, 0.83, 0.96])
_SKIP = [case(*c.operands, **c.options) for c in _MIDDLE]
_GAPS = np.array([[0.5, math.nan, 2.0, -1.0], [math.nan, 3.0, math.nan, 1.5], [1.0, 0.25, -0.5, 0.75]])
_NAN = [
    case(_GAPS),
    case(_GAPS, axis=0),
    case(_GAPS, axis=-1, keepdims=True),
    case(_GAPS.reshape(3, 2, 2), axis=(0, 2)),
    *_MIDDLE[:6],
]
_NANQ = [
    case(_GAPS, np.array(0.3)), case(_GAPS, _QS, axis=1), case(_GAPS, np.array([0.2, 0.7]), axis=0, keepdims=True),
    case((5,), np.array(0.3)), case((3, 2), np.array([0.3, 0.7]), axis=0),
]  # fmt: skip
_Q = [
    case((5,), np.array(0.3)), case((2, 4), _QS, axis=0), case((2, 4), np.array([0.2, 0.7]), axis=-1, keepdims=True),
    case((2, 3, 2), np.array([0.4]), axis=(0, -1)), case((6,), _QS[:, None] * [1.0, 0.9]), case((1, 2), _QS, axis=0),
    *(case((7,), np.array([0.03, 0.29, 0.52, 0.93, 0.98]), method=method) for method in METHODS),
]  # fmt: skip


def _hundredfold(calls):
    return [case(c.operands[0], np.asarray(100 * c.operands[1]), **c.options) for c in calls]


_QUANTILE = "As in `numpy.quantile`; a gradient goes to q too, where the method interpolates."

# fmt: off
# ---------------------------------------------------------------- the rows: order statistics --

median = _op(
    "median", lambda x, axis, keepdims: np.median(x, axis=axis, keepdims=keepdims), "x; axis=None, keepdims=False",
    bind=lambda x, axis=None, keepdims=False, *, overwrite_input=False: ((x,), {"axis": axis, "keepdims": keepdims}),
    batch=over_axes("median"), vjp=_median_dx(False), saves="x", cases=_MIDDLE,
    kinks=[(([3.0, 1.0, 2.0],), ([0.0, 0.0, 1.0],)), (([4.0, 1.0, 3.0, 2.0],), ([0.0, 0.0, 0.5, 0.5],))],
    doc=_doc("The element in the middle, or the mean of the two; nan where one is.", "median([3., 1., 2.])",
             "tensor(2.)"))
nanmedian = _op(
    "nanmedian", lambda x, axis, keepdims: np.nanmedian(x, axis=axis, keepdims=keepdims),
    "x; axis=None, keepdims=False",
    bind=lambda x, axis=None, keepdims=False, *, overwrite_input=False: ((x,), {"axis": axis, "keepdims": keepdims}),
    batch=over_axes("nanmedian"), vjp=_median_dx(True), saves="x", cases=_NAN,
    doc=_doc("The median of what is not nan.", "nanmedian([3., 1., float('nan')])", "tensor(2.)"))
quantile = _op(
    "quantile", _quantile_fn(np.quantile), "x, q; axis=None, *, method='linear', keepdims=False, weights=None",
    bind=_bind_quantile("quantile", "weighted_quantile", 1), batch=_batch_quantile(lambda: quantile, False),
    vjp=(_quantile_dx(False), _quantile_dq(False)), saves="x, q", near=((-2.0, 2.0), (0.05, 0.95)), cases=_Q,
    doc=_doc("What a part q of the elements is below.", "quantile([1., 2., 3.], [0.5, 0.75])", "tensor([2. , 2.5])",
             _QUANTILE))
nanquantile = _op(
    "nanquantile", _quantile_fn(np.nanquantile), "x, q; axis=None, *, method='linear', keepdims=False, weights=None",
    bind=_bind_quantile("nanquantile", "weighted_nanquantile", 1), batch=_batch_quantile(lambda: nanquantile, True),
    vjp=(_quantile_dx(True), _quantile_dq(True)), saves="x, q", cases=_NANQ,
    doc=_doc("What a part q of the elements that are not nan is below.", "nanquantile([1., 2., float('nan')], 0.5)",
             "tensor(1.5)", _QUANTILE))
percentile = _op(
    "percentile", _hundredths("quantile"),
    "x, q; axis=None, *, method='linear', keepdims=False, weights=None",
    bind=_bind_quantile("quantile", "weighted_quantile", 100),
    cases=_hundredfold(_Q[:6]),
    doc=_doc("What q percent of the elements are below.", "percentile([1., 2., 3.], 75)", "tensor(2.5)", _QUANTILE))
nanpercentile = _op(
    "nanpercentile", _hundredths("nanquantile"),
    "x, q; axis=None, *, method='linear', keepdims=False, weights=None",
    bind=_bind_quantile("nanquantile", "weighted_nanquantile", 100),
    cases=_hundredfold(_NANQ),
    doc=_doc("What q percent of the elements that are not nan are below.", "nanpercentile([1., 2., float('nan')], 50)",
             "tensor(1.5)", _QUANTILE))
weighted_quantile = _op(
    "weighted_quantile", _weighted_fn(np.quantile), "x; q, weights, axis=None, keepdims=False, weak=False",
    batch=_batch_weighted(lambda: weighted_quantile), vjp=_weighted_dx, saves="out, x",
    cases=[case((5,), q=np.array(0.4), weights=np.array([1.0, 2.0, 0.5, 0.0, 1.0])),
           case((2, 3), q=_QS, weights=np.array([1.0, 2.0, 0.5]), axis=1),
           case((2, 3), q=np.array([0.3, 0.8]), weights=np.array([2.0, 1.0]), axis=0),
           case((3, 2), q=np.array(0.5), weights=np.array([[1.0, 2.0], [0.5, 1.0], [3.0, 0.25]]), axis=(0, 1),
                keepdims=True)],
    doc="The quantile of elements that count by weight: one of them.")
weighted_nanquantile = _op(
    "weighted_nanquantile", _weighted_fn(np.nanquantile), "x; q, weights, axis=None, keepdims=False, weak=False",
    batch=_batch_weighted(lambda: weighted_nanquantile), vjp=_weighted_dx, saves="out, x",
    cases=[case(_GAPS, q=_QS, weights=np.array([1.0, 2.0, 0.5, 1.0]), axis=1),
           case((3,), q=np.array(0.4), weights=np.array([1.0, 2.0, 0.5])),
           case((2, 3), q=_QS, weights=np.array([2.0, 1.0]), axis=0)],
    doc="The quantile of elements that are not nan and count by weight: one of them.")

# ---------------------------------------------------------------- without nan --

nansum = _op(
    "nansum", lambda x, axis, dtype, keepdims, initial, where: sum(
        _without(x, 0), axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where),
    "x; axis=None, dtype=None, keepdims=False, *, initial=None, where=True", cases=_NAN,
    doc=_doc("Sum of the elements that are not nan.", "nansum([1., float('nan'), 3.])", "tensor(4.)"))
nanprod = _op(
    "nanprod", lambda x, axis, dtype, keepdims, initial, where: prod(
        _without(x, 1), axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where),
    "x; axis=None, dtype=None, keepdims=False, *, initial=None, where=True", cases=_NAN,
    doc=_doc("Product of the elements that are not nan.", "nanprod([2., float('nan'), 3.])", "tensor(6.)"))
nanmean = _op(
    "nanmean", _nanmean, "x; axis=None, keepdims=False, *, dtype=None, where=True", cases=_NAN,
    doc=_doc("Mean of the elements that are not nan.", "nanmean([1., float('nan'), 3.])", "tensor(2.)"))
nanvar = _op(
    "nanvar", _nanvar, "x; axis=None, correction=0, keepdims=False, *, ddof=None, dtype=None, where=True, mean=None",
    bind=_bind_nanmoment(_nanvar),
    cases=[case(_GAPS, axis=1, correction=1), *_NAN],
    doc=_doc("Variance of the elements that are not nan.", "nanvar([1., float('nan'), 3.])", "tensor(1.)"))
nanstd = _op(
    "nanstd", _nanstd, "x; axis=None, correction=0, keepdims=False, *, ddof=None, dtype=None, where=True, mean=None",
    bind=_bind_nanmoment(_nanstd),
    cases=[case(_GAPS, axis=1, correction=1), *_NAN],
    doc=_doc("Standard deviation of the elements that are not nan.", "nanstd([1., float('nan'), 3.])", "tensor(1.)"))
nanmax = _op(
    "nanmax", lambda x, axis, keepdims: np.nanmax(x, axis=axis, keepdims=keepdims),
    "x; axis=None, keepdims=False, *, initial=None, where=True", bind=_bind_nanextremum("nanmax"),
    jvp=_nanextremum_jvp, batch=over_axes("nanmax"), vjp=_nanextremum_dx, saves="out, x", cases=_NAN,
    kinks=[(([3.0, math.nan, 3.0],), ([0.5, 0.0, 0.5],))],
    doc=_doc("The largest of the elements that are not nan.", "nanmax([1., float('nan'), 3.])", "tensor(3.)",
             "Among equals the gradient is split evenly."))
nanmin = _op(
    "nanmin", lambda x, axis, keepdims: np.nanmin(x, axis=axis, keepdims=keepdims),
    "x; axis=None, keepdims=False, *, initial=None, where=True", bind=_bind_nanextremum("nanmin"),
    jvp=_nanextremum_jvp, batch=over_axes("nanmin"), vjp=_nanextremum_dx, saves="out, x", cases=_NAN,
    kinks=[(([3.0, math.nan, 3.0],), ([0.5, 0.0, 0.5],))],
    doc=_doc("The smallest of the elements that are not nan.", "nanmin([1., float('nan'), 3.])", "tensor(1.)",
             "Among equals the gradient is split evenly."))
nanargmax = _op(
    "nanargmax", lambda x, axis, keepdims: np.nanargmax(x, axis=axis, keepdims=keepdims),
    "x; axis=None, keepdims=False", batch=find("nanargmax"), vjp=None,
    cases=[case((2, 3)), case((2, 3), axis=0), case(_GAPS, axis=-1, keepdims=True), case(_GAPS)],
    doc=_doc("Where the (first) largest of the elements that are not nan is.", "nanargmax([1., float('nan'), 3.])",
             "tensor(2)"))
nanargmin = _op(
    "nanargmin", lambda x, axis, keepdims: np.nanargmin(x, axis=axis, keepdims=keepdims),
    "x; axis=None, keepdims=False", batch=find("nanargmin"), vjp=None,
    cases=[case((2, 3)), case((2, 3), axis=0), case(_GAPS, axis=-1, keepdims=True), case(_GAPS)],
    doc=_doc("Where the (first) smallest of the elements that are not nan is.", "nanargmin([1., float('nan'), 3.])",
             "tensor(0)"))
nancumsum = _op(
    "nancumsum", lambda x, axis, dtype: cumsum(_without(x, 0), axis=axis, dtype=dtype), "x; axis=None, dtype=None",
    cases=[case((2, 3)), case((2, 3), axis=-1), case(_GAPS, axis=0), case(_GAPS), case(())],
    doc=_doc("Running sum, in which nan counts as 0.", "nancumsum([1., float('nan'), 3.])", "tensor([1., 1., 4.])"))
nancumprod = _op(
    "nancumprod", lambda x, axis, dtype: cumprod(_without(x, 1), axis=axis, dtype=dtype), "x; axis=None, dtype=None",
    cases=[case((2, 3)), case((2, 3), axis=-1), case(_GAPS, axis=0), case(_GAPS), case(())],
    doc=_doc("Running product, in which nan counts as 1.", "nancumprod([2., float('nan'), 3.])",
             "tensor([2., 2., 6.])"))
# fmt: on
