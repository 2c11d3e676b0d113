"""Running extrema and logarithms of sums, differences, and the standard's running sums and products."""

from __future__ import annotations

import math

import numpy as np

from ._batch import over_axis
from ._doc import describe
from ._doc import doc as _doc
from ._row import case
from ._row import register as _op
from .elementwise import exp, isnan, not_equal, real, where
from .reductions import _along, cumprod, cumsum, recurrence
from .shaping import astype, broadcast_to, concat, flip, reshape
from .sorting import add_along_axis, take_along_axis

describe({
    "cummax.axis": ("int or None", "Axis to run along; None: the flattened array."),
    "cummin.axis": ("int or None", "Axis to run along; None: the flattened array."),
    "logcumsumexp.axis": ("int or None", "Axis to run along; None: the flattened array."),
    "cumulative_sum.axis": ("int or None", "Axis to run along; None: the only one."),
    "cumulative_prod.axis": ("int or None", "Axis to run along; None: the only one."),
    "include_initial": ("bool", "Begin with what nothing adds up to."),
    "diff.axis": ("int", "Axis to run along."),
    "n": ("int", "How many times."),
    "prepend": ("array or None", "What is put before x first."),
    "append": ("array or None", "What is put after x first."),
    "to_end": ("array or None", "What comes after the differences."),
    "to_begin": ("array or None", "What comes before them."),
})  # fmt: skip


def _running(ufunc):
    def run(x, axis):
        x, axis = (np.ravel(x), 0) if axis is None else (np.asarray(x), axis)
        return ufunc.accumulate(x, axis=axis) if x.ndim else ufunc.accumulate(x.reshape(1), axis=axis).reshape(())

    return run


def _pairwise_logaddexp(x, y):
    """log(exp(x) + exp(y)) of complex numbers: of the larger one, and of 1 and a number that is no larger."""
    swap = np.real(x) < np.real(y)
    high, low = np.where(swap, y, x), np.where(swap, x, y)
    rest = np.exp(np.where(np.isneginf(np.real(low)), -np.inf, low - high))
    return np.where(np.isneginf(np.real(low)), high, high + np.log(1 + rest))


def _logcumsumexp(x, axis):
    x, axis = (np.ravel(x), 0) if axis is None else (np.asarray(x), axis)
    if x.dtype.kind != "c":
        return _running(np.logaddexp)(x if x.dtype.kind == "f" else x.astype(float), axis)
    rows = np.moveaxis(x, axis, 0).copy() if x.ndim else x.reshape(1).copy()
    for i in range(1, len(rows)):  # one after the other, as in PyTorch, which the imaginary parts depend on
        rows[i] = _pairwise_logaddexp(rows[i - 1], rows[i])
    return np.moveaxis(rows, 0, axis) if x.ndim else rows.reshape(())


# ---------------------------------------------------------------- formulas --


def _holder(x, out, axis):
    """Where the extremum so far is: the last of equals, as in PyTorch; and x and the axis it is along."""
    x, axis = _along(x, axis)
    out = reshape(out, x.shape)
    places = reshape(np.arange(x.shape[axis]), (-1,) + (1,) * (x.ndim - 1 - axis))
    return x, axis, cummax(where((x == out) | isnan(x), places, 0), axis=axis)


def _extremum_dx(g, out, x, axis):
    rows, along, holder = _holder(x, out, axis)
    return reshape(add_along_axis(reshape(g, rows.shape), holder, rows.shape, along, False), x.shape)


def _extremum_jvp(tangents, out, x, axis):
    rows, along, holder = _holder(x, out, axis)
    return reshape(take_along_axis(reshape(tangents[0], rows.shape), holder, axis=along), out.shape)


def _logcumsumexp_dx(g, out, x, axis):
    """What later sums hand back shrinks by exp(out - later out), which never overflows: a recurrence, backwards."""
    shape = x.shape
    x, axis = _along(x, axis)
    out = reshape(out, x.shape)
    empty = out == -math.inf  # nothing has any weight yet, and nothing flows back to it
    out = where(empty, 0.0, out)
    later = flip(out, axis)
    lead = (slice(None),) * axis
    earlier = concat((later[(*lead, slice(0, 1))], later[(*lead, slice(0, -1))]), axis)
    step = where(real(later) == math.inf, 0.0, later - earlier)
    step = where(flip(empty, axis), -math.inf, step)
    given = flip(recurrence(exp(step), flip(reshape(g, x.shape), axis), axis), axis)
    return reshape(given * exp(x - out), shape)


def _only_axis(name, x, axis):
    if axis is None and x.ndim > 1:
        raise ValueError(f"{name}: for arrays of more than one axis, `axis` is required")
    return 0 if axis is None else axis


def _started(x, out, axis, first):
    shape = list(out.shape)
    shape[axis] = 1
    return concat((np.full(shape, first, out.dtype), out), axis=axis)


def _cumulative(name, row, first):
    def run(x, axis, dtype, include_initial):
        x = x if x.ndim else reshape(x, (1,))
        axis = _only_axis(name, x, axis)
        out = row(x, axis=axis, dtype=dtype)
        return _started(x, out, axis, first) if include_initial else out

    return run


def _bind_cumulative(x, /, *, axis=None, dtype=None, include_initial=False):
    return (x,), {"axis": axis, "dtype": dtype, "include_initial": include_initial}


def _diff(x, n, axis):
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if x.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    lead = (slice(None),) * np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    for _ in range(n):
        after, before = x[(*lead, slice(1, None))], x[(*lead, slice(None, -1))]
        x = not_equal(after, before) if x.dtype == bool else after - before
    return x


def _bind_diff(x, n=1, axis=-1, prepend=None, append=None):
    """What is put before and after has the shape of x but for the axis, or is one value."""
    if n == 0 or (prepend is None and append is None):
        return (x,), {"n": n, "axis": axis}
    x = x if hasattr(x, "dtype") else np.asarray(x)
    at = np.lib.array_utils.normalize_axis_index(axis, x.ndim)

    def ready(value):
        value = value if hasattr(value, "dtype") else np.asarray(value)
        return value if value.ndim else broadcast_to(value, tuple(1 if i == at else n for i, n in enumerate(x.shape)))

    parts = [x if value is x else ready(value) for value in (prepend, x, append) if value is not None]
    return (concat(parts, axis=axis),), {"n": n, "axis": axis}


def _ediff1d(x):
    x = reshape(x, (-1,))
    return x[1:] - x[:-1]


def _bind_ediff1d(x, to_end=None, to_begin=None):
    if to_end is None and to_begin is None:
        return (x,), {}
    from ._instead import instead

    return instead(_with_ends, x if hasattr(x, "dtype") else np.asarray(x), to_end, to_begin)


def _with_ends(x, to_end, to_begin):
    parts = [_ediff1d(x)]
    for name, value in (("to_begin", to_begin), ("to_end", to_end)):
        if value is None:
            continue
        value = value if hasattr(value, "dtype") else np.asarray(value)
        if not np.can_cast(value.dtype, x.dtype, casting="same_kind"):
            raise TypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
        value = astype(reshape(value, (-1,)), x.dtype, copy=False)
        parts = [value, *parts] if name == "to_begin" else [*parts, value]
    return concat(parts, axis=0)


_RUN = [
    case((2, 3)), case((2, 3), axis=0), case((4, 3), axis=-2), case((5,), axis=0), case(()), case((0,)),
    case((3, 0), axis=1),
    case((2, 1, 4), axis=2),
]  # fmt: skip
_DIFF = [
    case((5,)), case((2, 4)), case((4, 2), axis=0), case((2, 5), n=2), case((3,), n=0), case((3,), n=5), case((0,)),
    case((2, 3, 2), axis=-2), case((2, 3), prepend=1.5), case((2, 3), axis=0, append=np.array([[1.0, 2.0, 3.0]])),
]  # fmt: skip

# fmt: off
cummax = _op(
    "cummax", _running(np.maximum), "x; axis=None",
    jvp=_extremum_jvp, batch=over_axis("cummax"), vjp=_extremum_dx, saves="out, x", cases=_RUN,
    kinks=[(([1.0, 3.0, 3.0, 2.0],), ([1.0, 1.0, 2.0, 0.0],))],
    doc=_doc("The largest element so far; `numpy.maximum.accumulate`.", "cummax([1., 3., 2.])", "tensor([1., 3., 3.])",
             "Among equals, the gradient goes to the last."))
cummin = _op(
    "cummin", _running(np.minimum), "x; axis=None",
    jvp=_extremum_jvp, batch=over_axis("cummin"), vjp=_extremum_dx, saves="out, x", cases=_RUN,
    kinks=[(([3.0, 1.0, 1.0, 2.0],), ([1.0, 1.0, 2.0, 0.0],))],
    doc=_doc("The smallest element so far; `numpy.minimum.accumulate`.", "cummin([2., 1., 3.])", "tensor([2., 1., 1.])",
             "Among equals, the gradient goes to the last."))
logcumsumexp = _op(
    "logcumsumexp", _logcumsumexp, "x; axis=None",
    batch=over_axis("logcumsumexp"), vjp=_logcumsumexp_dx, saves="out, x", cases=_RUN,
    kinks=[(([-math.inf, 0.0],), ([0.0, 1.0],)), (([-math.inf, -math.inf],), ([0.0, 0.0],)),
           (([1000.0, 1000.0],), ([1.5, 0.5],)), (([-math.inf, -1000.0],), ([0.0, 1.0],))],
    doc=_doc("log(cumsum(exp(x))), without overflow.", "logcumsumexp([0., 1000.])", "tensor([   0., 1000.])"))
cumulative_sum = _op(
    "cumulative_sum", _cumulative("cumulative_sum", cumsum, 0), "x; axis=None, dtype=None, include_initial=False",
    bind=_bind_cumulative,
    cases=[case((4,)), case((2, 3), axis=0), case((2, 3), axis=-1, include_initial=True),
           case((0,), include_initial=True)],
    doc=_doc("Running sum.", "cumulative_sum([1., 2., 3.], include_initial=True)", "tensor([0., 1., 3., 6.])"))
cumulative_prod = _op(
    "cumulative_prod", _cumulative("cumulative_prod", cumprod, 1), "x; axis=None, dtype=None, include_initial=False",
    bind=_bind_cumulative,
    cases=[case((4,)), case((2, 3), axis=0), case((2, 3), axis=-1, include_initial=True),
           case((0,), include_initial=True)],
    doc=_doc("Running product.", "cumulative_prod([1., 2., 3.], include_initial=True)", "tensor([1., 1., 2., 6.])"))
diff = _op(
    "diff", _diff, "x; n=1, axis=-1, prepend=None, append=None", bind=_bind_diff, cases=_DIFF,
    doc=_doc("Each element less the one before it, n times over.", "diff([1., 3., 7.])", "tensor([2., 4.])"))
ediff1d = _op(
    "ediff1d", _ediff1d, "x; to_end=None, to_begin=None", bind=_bind_ediff1d,
    cases=[case((5,)), case((2, 3)), case((1,)), case((0,)), case((3,), to_end=np.array([1.0, 2.0]), to_begin=7.0)],
    doc=_doc("Each element of the flattened array less the one before it.", "ediff1d([1., 3., 7.])",
             "tensor([2., 4.])"))
# fmt: on
