"""Sorting and searching: `sort`, `partition`, `topk`, what takes or puts along an axis, and places without a gradient.

The gradient of what is sorted goes back to where each element came from. Of equal elements, the first comes first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ._batch import each, every, flat, over_axes, over_axis, past, ranked, shaped
from ._doc import describe
from ._doc import doc as _doc
from ._row import case
from ._row import register as _op
from .elementwise import isnan, where
from .reductions import any, sum
from .shaping import astype, expand_dims, reshape

describe({
    "take_along_axis.axis": ("int or None", "Axis to take along; None: the flattened array."),
    "sort.axis": ("int or None", "Axis to sort along; None: the flattened array."),
    "argsort.axis": ("int or None", "Axis to sort along; None: the flattened array."),
    "partition.axis": ("int or None", "Axis to work along; None: the flattened array."),
    "argpartition.axis": ("int or None", "Axis to work along; None: the flattened array."),
    "topk.axis": ("int or None", "Axis to search; None: the flattened array."),
    "lexsort.axis": ("int", "Axis to sort along."),
    "kind": ("str or None", "Which algorithm, as in `numpy.sort`."),
    "order": ("None", "There are no fields to order by."),
    "stable": ("bool or None", "Keep equal elements in their order; `argsort` does unless told not to."),
    "sorter": ("array of int or None", "What puts `a` in order, where it is not."),
    "descending": ("bool", "From the largest to the smallest."),
    "kth": ("int or sequence of int", "Which places are to hold what they would if all was sorted."),
    "topk.k": ("int", "How many."),
    "largest": ("bool", "The largest elements, or, False, the smallest."),
    "sorted": ("bool", "Whether they are to be in order; they are."),
    "side": ('{"left", "right"}', "Before or after elements that are equal."),
    "right": ("bool", "Whether a bin includes its right edge instead of its left one."),
    "invert": ("bool", "True where an element is *not* among them."),
    "assume_unique": ("bool", "Whether no element is there twice."),
    "minlength": ("int", "The least length of the result."),
})  # fmt: skip


class TopkResult(NamedTuple):
    """What `topk` gives: the values, from the outermost inwards, and where they are."""

    values: Any
    indices: Any


# ---------------------------------------------------------------- helpers --


def _ndarray(x):
    return np.asarray(x)


def _places(shape, indices, axis):
    """The places in the flattened array of what indices along an axis pick."""
    if axis is None:
        size = int(np.prod(shape))
        return np.where(indices < 0, indices + size, indices)
    axis = normalize_axis_index(axis, len(shape))
    indices = np.where(indices < 0, indices + shape[axis], indices)
    step, places = 1, 0
    for i in range(len(shape) - 1, -1, -1):
        along_i = (-1,) + (1,) * (len(shape) - 1 - i)
        places = places + step * (indices if i == axis else np.arange(shape[i]).reshape(along_i))
        step *= shape[i]
    return places


def _no_order(name, order):
    if order is not None:
        raise TypeError(f"{name}: there are no fields to order by")


# ---------------------------------------------------------------- forwards --


def _add_along(g, indices, shape, axis, once):
    g = np.asarray(g)
    size = int(np.prod(shape))
    places = np.broadcast_to(_places(shape, np.asarray(indices), axis), g.shape).reshape(-1)
    if once:
        total = np.zeros(size, g.dtype)
        total[places] = g.reshape(-1)
    else:
        total = _summed(places, g.reshape(-1), size)
    return total.reshape(shape)


def _summed(places, values, size):
    """The sums of the values that go to each place. `bincount` adds in double precision, several times faster."""
    if values.dtype.char in "efd":
        return np.bincount(places, values, size).astype(values.dtype, copy=False)
    if values.dtype.char in "FD":
        total = np.empty(size, values.dtype)
        total.real, total.imag = (np.bincount(places, part, size) for part in (values.real, values.imag))
        return total
    total = np.zeros(size, values.dtype)
    np.add.at(total, places, values)
    return total


def _put_along(x, indices, values, axis):
    out = np.array(x)
    np.put_along_axis(out, np.asarray(indices), values, axis)
    return out


def _sort(x, axis, kind, descending):
    if not descending:
        return np.sort(x, axis=axis, kind=kind)
    x, axis = (np.ravel(x), -1) if axis is None else (np.asarray(x), axis)
    return np.flip(np.sort(np.flip(x, axis), axis=axis, kind=kind), axis).copy()


def _argsort(x, axis, kind, descending):
    if not descending:
        return np.argsort(x, axis=axis, kind=kind)
    x, axis = (np.ravel(x), -1) if axis is None else (np.asarray(x), axis)
    return x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind=kind), axis)


_FEW = 8  # places up to which each is searched for on its own, where a row is longer than `_SHORT`
_SHORT = 256


def _same(x, value):
    """Where x is a value of its row; nan is nan."""
    found = x == value
    return found | (np.isnan(x) & np.isnan(value)) if x.dtype.kind in "fc" else found


def _beyond(x, value, largest):
    """Where x comes after a value of its row in a descending sort, or before it in an ascending one; nan is largest."""
    if x.dtype.kind not in "fc":
        return x > value if largest else x < value
    none = np.isnan(value)
    return ~none & ((x > value) | np.isnan(x)) if largest else (x < value) | (none & ~np.isnan(x))


def _ranked(x, kth):
    """Where in each row the k-th smallest elements are, of equal ones as a stable sort has them; without a sort."""
    x = np.asarray(x)
    if len(kth) > _FEW or x.shape[-1] <= _SHORT:
        return np.argsort(x, axis=-1, kind="stable")[..., kth]
    found = []
    for k, value in zip(kth, np.moveaxis(np.partition(x, kth, axis=-1)[..., kth], -1, 0)):
        equal = _same(x, value[..., None])
        before = np.count_nonzero(_beyond(x, value[..., None], False), axis=-1, keepdims=True)
        found.append(np.argmax(np.cumsum(equal, axis=-1) == k - before + 1, axis=-1))
    return np.stack(found, axis=-1)


def _outermost(x, k, axis, largest):
    """Where the k largest or smallest elements are, the outermost first and the first of equals first."""
    x = np.asarray(x)
    x, axis = (x.ravel(), 0) if axis is None else (x, normalize_axis_index(axis, x.ndim))
    n = x.shape[axis]
    if not 0 <= k <= n:
        raise ValueError(f"topk: k={k} is not between 0 and {n}, the length of axis {axis}")
    if n <= _SHORT or k == 0 or k > n // 4:
        return np.take(_argsort(x, axis, "stable", largest), np.arange(k), axis=axis)
    rows = np.moveaxis(x, axis, -1)
    last = n - k if largest else k - 1
    value = np.partition(rows, last, axis=-1)[..., last, None]
    beyond, equal = _beyond(rows, value, largest), _same(rows, value)
    missing = k - np.count_nonzero(beyond, axis=-1, keepdims=True)
    chosen = beyond | (equal & (np.cumsum(equal, axis=-1) <= missing))
    places = np.nonzero(chosen)[-1].reshape(*rows.shape[:-1], k)
    order = _argsort(np.take_along_axis(rows, places, axis=-1), -1, "stable", largest)
    return np.moveaxis(np.take_along_axis(places, order, axis=-1), -1, axis)


def _searchsorted(a, v, side, sorter):
    return np.searchsorted(a, v, side=side, sorter=sorter)


def _isin(x, values, assume_unique, invert, kind):
    return np.isin(x, values, assume_unique, invert, kind=kind)


def _nonzero(x):
    return np.nonzero(x)


# ---------------------------------------------------------------- binds --


def _algorithm(name, kind, stable):
    if kind is not None and stable is not None:
        raise ValueError(f"{name}: kind and stable cannot both be given")
    return kind if not stable else "stable"


def _bind_sort(x, axis=-1, kind=None, order=None, *, stable=None, descending=False):
    _no_order("sort", order)
    return (x,), {"axis": axis, "kind": _algorithm("sort", kind, stable), "descending": bool(descending)}


def _bind_argsort(x, axis=-1, kind=None, order=None, *, stable=None, descending=False):
    _no_order("argsort", order)
    stable = kind is None if stable is None else stable
    kind = _algorithm("argsort", kind, stable or None)
    return (x,), {"axis": axis, "kind": kind, "descending": bool(descending)}


def _bind_partition(x, kth, axis=-1, kind="introselect", order=None):
    _no_order("partition", order)
    return (x,), {"kth": kth, "axis": axis}


def _bind_isin(x, values, assume_unique=False, invert=False, *, kind=None):
    return (x, values), {"assume_unique": assume_unique, "invert": invert, "kind": kind}


def _as_complex(x):
    return x if x.dtype.kind == "c" else astype(x, {"g": "G"}.get(x.dtype.char, "F" if x.dtype.char in "bhBH" else "D"))


# ---------------------------------------------------------------- formulas --


def _sort_dx(g, out, x, axis, kind, descending):
    order = argsort(x, axis=axis, kind="stable", descending=descending)
    return add_along_axis(g, order, x.shape, axis, True)


def _sort_jvp(tangents, out, x, axis, kind, descending):
    order = argsort(x, axis=axis, kind="stable", descending=descending)
    return take_along_axis(tangents[0], order, axis=axis)


def _partition_dx(g, out, x, kth, axis):
    """Both orders lead to the sorted array, and so from one to the other."""
    order, reached = argsort(x, axis=axis), argsort(out, axis=-1 if axis is None else axis)
    g = take_along_axis(g, reached, axis=0 if axis is None else axis)
    return add_along_axis(g, order, x.shape, axis, True)


def _written(x, indices, values, axis):
    """Which of the values are still there: of those written to one place, the last."""
    stamps = np.full(x.shape, -1)
    indices = np.asarray(indices)
    numbers = np.arange(np.size(values)).reshape(np.shape(values))
    np.put_along_axis(stamps, indices, numbers, axis)
    return np.take_along_axis(stamps, indices, axis) == numbers


def _put_along_dv(g, out, x, indices, values, axis):
    shape = indices.shape if axis is None else _picked_shape(x.shape, indices.shape, axis)
    picked = take_along_axis(g, indices, axis=axis)
    return where(still_there(indices, x.shape, shape, axis), picked, 0.0)


def _picked_shape(shape, indices, axis):
    axis = normalize_axis_index(axis, len(shape))
    return tuple(m if i == axis else n if m == 1 else m for i, (n, m) in enumerate(zip(shape, indices)))


def _still_there(indices, shape, picked, axis):
    return _written(np.empty(shape, bool), np.broadcast_to(indices, picked), np.empty(picked, bool), axis)


# ---------------------------------------------------------------- batches --


def _batch_take_along(many, x, indices, axis):
    x, indices = every(many, x, indices)
    if axis is None:
        return take_along_axis(flat(x), indices, axis=1)
    return take_along_axis(x, indices, axis=past(axis, x))


def _batch_add_along(many, g, indices, shape, axis, once):
    g, indices = every(many, g, indices)
    count = g.shape[0]
    if axis is None:
        size = int(np.prod(shape))
        return reshape(add_along_axis(g, indices, (count, size), 1, once), (count, *shape))
    return add_along_axis(g, indices, (count, *shape), normalize_axis_index(axis, len(shape)) + 1, once)


def _batch_put_along(many, x, indices, values, axis):
    x, indices, values = every(many, x, indices, values)
    values = ranked(values, indices.ndim - 1)
    if axis is None:
        return reshape(put_along(flat(x), indices, values, axis=1), x.shape)
    return put_along(x, indices, values, axis=past(axis, x))


def _batch_still_there(many, indices, shape, picked, axis):
    count = indices.shape[0]
    if axis is None:
        return still_there(indices, (count, int(np.prod(shape))), (count, *picked), 1)
    axis = normalize_axis_index(axis, len(shape)) + 1
    return still_there(indices, (count, *shape), (count, *picked), axis)


def _batch_lexsort(many, *keys, axis):
    keys = every(many, *keys)
    return lexsort(keys, axis=past(axis, keys[0]))


def _counted(below):
    """How many bins of each example are below each of its values."""
    return sum(below, axis=-1)


def _batch_searchsorted(many, a, v, side, sorter):
    if not many[0]:
        return searchsorted(a, v, side=side, sorter=sorter)
    if sorter is not None:
        a = a[:, sorter]
    shape = v.shape if many[1] else (a.shape[0], *v.shape)
    v = reshape(v, (v.shape[0], -1, 1) if many[1] else (1, -1, 1))
    a = expand_dims(a, 1)
    below = (a < v) | (isnan(v) & ~isnan(a)) if side == "left" else (a <= v) | isnan(v)
    return reshape(_counted(below), shape)


def _batch_digitize(many, x, bins, right):
    if not many[1]:
        return digitize(x, bins, right=right)
    shape = x.shape if many[0] else (bins.shape[0], *x.shape)
    x = reshape(x, (x.shape[0], -1, 1) if many[0] else (1, -1, 1))
    bins = expand_dims(bins, 1)
    up = (bins < x) if right else (bins <= x)
    down = (bins >= x) if right else (bins > x)
    falling = bins[..., :1] > bins[..., -1:]
    return reshape(_counted(where(falling, astype(down, int), astype(up, int))), shape)


def _batch_isin(many, x, values, assume_unique, invert, kind):
    if not many[1]:
        return isin(x, values, invert=invert)
    shape = x.shape if many[0] else (values.shape[0], *x.shape)
    x = reshape(x, (x.shape[0], -1, 1) if many[0] else (1, -1, 1))
    found = any(x == shaped(values, (1, int(np.prod(values.shape[1:])))), axis=-1)
    return reshape(~found if invert else found, shape)


def _topk(x, k, axis, largest, sorted):
    indices = topk_places(x, k, axis, largest)
    return take_along_axis(x, indices, axis=axis), indices


_ALONG = [
    case((2, 3), axis=1), case((4, 2), axis=0), case((2, 3, 4), axis=-2), case((5,), axis=-1), case((2, 3), axis=None),
    case((0,), axis=0), case((3, 0), axis=0), case((1,), axis=0),
]  # fmt: skip
_SORT = [*_ALONG, case((5, 2), axis=0, descending=True), case((2, 3), axis=None, descending=True)]
_TIES = np.array([[2, 1, 2, 0], [0, 0, 1, 1]])
_AT = np.array([[2, 0, 2, -1], [1, 1, 0, 2]])
_TAKE = [
    ((2, 3), _AT, 1), ((3, 4), _AT[:1], 0), ((2, 4), _AT[:, :1], -1),
    ((2, 3, 2), np.array([[[1, 2], [1, 0], [2, 2], [0, 1]]]), 1),
    ((2, 3), np.array([5, 0, 0, -1]), None), ((2, 3), np.zeros((2, 0), int), 1), ((1, 3), _AT, 1),
]  # fmt: skip


def _result_of(shape, indices, axis):
    return np.take_along_axis(np.zeros(shape), indices, axis).shape


# fmt: off
# ---------------------------------------------------------------- along an axis --

take_along_axis = _op(
    "take_along_axis", lambda x, indices, axis: np.take_along_axis(_ndarray(x), _ndarray(indices), axis),
    "x, indices; axis=-1",
    linear="each", batch=_batch_take_along,
    vjp=(lambda g, out, x, indices, axis: add_along_axis(g, indices, x.shape, axis, False), None), saves="indices",
    cases=[case(shape, indices, axis=axis) for shape, indices, axis in _TAKE],
    doc=_doc("The elements of x at indices along an axis: what `argsort` and `argmax` point to.",
             "take_along_axis([[3., 1.], [2., 5.]], [[1, 0], [0, 0]], 1)", "tensor([[1., 3.],\n        [2., 2.]])"))
add_along_axis = _op(
    "add_along_axis", _add_along, "g, indices; shape, axis=-1, once=False",
    linear="each", batch=_batch_add_along,
    vjp=(lambda h, out, g, indices, shape, axis, once: take_along_axis(h, indices, axis=axis), None), saves="indices",
    cases=[case(_result_of(shape, indices, axis), indices, shape=shape, axis=axis) for shape, indices, axis in _TAKE]
    + [case((2, 3), np.array([[2, 0, 1], [1, 2, 0]]), shape=(2, 4), axis=1, once=True)],
    doc="Zeros of a shape, with g added at indices along an axis: the adjoint of `take_along_axis`.\n\n"
    "With once, no place is there twice.")
put_along = _op(
    "put_along", _put_along, "x, indices, values; axis",
    batch=_batch_put_along,
    vjp=(lambda g, out, x, indices, values, axis: put_along(g, indices, np.zeros((), g.dtype), axis), None,
         _put_along_dv), saves="indices",
    cases=[case(shape, indices, _result_of(shape, indices, axis), axis=axis) for shape, indices, axis in _TAKE[:-1]]
    + [case((2, 3), _AT, (), axis=1), case((3, 4), _AT[:1], (4,), axis=0)],
    doc="A copy of x with values written at indices along an axis. Of values for the same place, the last remains.")
still_there = _op(
    "still_there", _still_there, "indices; shape, picked, axis", batch=_batch_still_there, vjp=None,
    cases=[case(_AT, shape=(2, 3), picked=(2, 4), axis=1),
           case(np.array([1, 1, 0]), shape=(2,), picked=(3,), axis=None)],
    doc="Which of values written at indices along an axis are not written over.")

# ---------------------------------------------------------------- in order --

sort = _op(
    "sort", _sort, "x; axis=-1, kind=None, order=None, *, stable=None, descending=False", bind=_bind_sort,
    jvp=_sort_jvp, batch=over_axis("sort"),
    vjp=_sort_dx, saves="x", cases=_SORT,
    kinks=[(([2.0, 1.0, 2.0],), ([1.0, 1.0, 1.0],))],
    doc=_doc("The elements along an axis in order, nan last (first, if descending).", "sort([3., 1., 2.])",
             "tensor([1., 2., 3.])"))
sort_complex = _op(
    "sort_complex", lambda x: _as_complex(sort(x)), "x", cases=[case((4,)), case((2, 3))],
    doc=_doc("The elements along the last axis in order, as complex numbers.", "sort_complex([2., 1.])",
             "tensor([1.+0.j, 2.+0.j])"))
argsort = _op(
    "argsort", _argsort, "x; axis=-1, kind=None, order=None, *, stable=None, descending=False", bind=_bind_argsort,
    batch=over_axis("argsort"),
    vjp=None, cases=_SORT,
    doc=_doc("Where the elements that `sort` gives come from; of equal ones, the first comes first.",
             "argsort([3., 1., 2.])", "tensor([1, 2, 0])"))
partition = _op(
    "partition", lambda x, kth, axis: np.partition(x, kth, axis=axis),
    "x; kth, axis=-1, kind='introselect', order=None", bind=_bind_partition,
    batch=over_axis("partition"),
    vjp=_partition_dx, saves="out, x",
    cases=[case((5,), kth=2, axis=-1), case((2, 6), kth=(1, 4), axis=1), case((4, 3), kth=-2, axis=0),
           case((2, 3), kth=3, axis=None), case((1,), kth=0, axis=0)],
    doc=_doc("The elements with the k-th smallest in its place, smaller ones before it and larger ones after.",
             "partition([3., 1., 2.], 1)", "tensor([1., 2., 3.])"))
argpartition = _op(
    "argpartition", lambda x, kth, axis: np.argpartition(x, kth, axis=axis),
    "x; kth, axis=-1, kind='introselect', order=None", bind=_bind_partition,
    batch=over_axis("argpartition"),
    vjp=None,
    cases=[case((5,), kth=2, axis=-1), case((2, 6), kth=(1, 4), axis=1), case((2, 3), kth=3, axis=None)],
    doc=_doc("Where the elements of such a partition come from.", "argpartition([3., 1., 2.], 1)", "tensor([1, 2, 0])"))
lexsort = _op(
    "lexsort", lambda *keys, axis: np.lexsort(keys, axis=axis), "*keys; axis=-1",
    batch=_batch_lexsort, vjp=None,
    cases=[case((4,), np.array([1, 0, 1, 0])), case((2, 3), (2, 3), axis=0), case((3,))],
    doc=_doc("The order by the last of the keys, and, where that is equal, by those before it.",
             "lexsort([[3, 2, 1], [0, 1, 0]])", "tensor([2, 0, 1])"))
ranked_places = _op(
    "ranked_places", _ranked, "x; kth", batch="same", vjp=None,
    cases=[case((5,), kth=(2, 4)), case((2, 300), kth=(150,))],
    doc="Where in each row, which is the last axis, the k-th smallest elements are.")
topk_places = _op(
    "topk_places", _outermost, "x; k, axis, largest", batch=over_axis("topk_places"), vjp=None,
    cases=[case((5,), k=2, axis=0, largest=True), case((2, 3), k=2, axis=None, largest=False)],
    doc="Where the k largest or smallest elements along an axis are, the outermost first.")
topk = _op(
    "topk", _topk, "x; k, axis=-1, largest=True, sorted=True", multi=True, named=TopkResult,
    cases=[case((5,), k=2), case((3, 4), k=3, axis=0, largest=False), case((2, 3), k=2, axis=None), case((2, 3), k=0),
           case((4, 3), k=4, axis=0)],
    doc=_doc("The k largest elements along an axis, from the largest on, and where they are.",
             "topk([3., 1., 2.], 2).values", "tensor([3., 2.])", "As `torch.topk`; nan counts as the largest."))

# ---------------------------------------------------------------- searching --

searchsorted = _op(
    "searchsorted", _searchsorted, "a, v; side='left', sorter=None",
    batch=_batch_searchsorted, vjp=None,
    cases=[case(np.array([1.0, 2.0, 2.0, 3.0]), (2, 3)), case(np.array([1.0, 2.0, 3.0]), (), side="right"),
           case(np.array([3.0, 1.0, 2.0]), (4,), sorter=np.array([1, 2, 0])), case(np.array([-1.0, 1.0]), (0,))],
    doc=_doc("Where in the sorted array `a` the values would have to be put.", "searchsorted([1., 2., 3.], [2., 2.5])",
             "tensor([1, 2])"))
digitize = _op(
    "digitize", np.digitize, "x, bins; right=False",
    batch=_batch_digitize, vjp=None,
    cases=[case((2, 3), np.array([-1.0, 0.0, 1.0])), case((4,), np.array([1.0, 0.0, -1.0]), right=True),
           case((), np.array([0.0]))],
    doc=_doc("The number of the bin that each element is in.", "digitize([0.5, 2.5], [0., 1., 2.])", "tensor([1, 3])"))
isin = _op(
    "isin", _isin,
    "x, values; assume_unique=False, invert=False, *, kind=None", bind=_bind_isin,
    batch=_batch_isin, vjp=None,
    cases=[case(np.array([[1, 2], [3, 4]]), np.array([2, 3, 7])),
           case(np.array([1.0, 2.0]), np.array([2.0]), invert=True),
           case((), (3,))],
    doc=_doc("Whether each element is among the values.", "isin([1, 2, 3], [2, 5])", "tensor([False,  True, False])"))
nonzero = _op(
    "nonzero", _nonzero, "x", multi=True, batch=each("nonzero"), vjp=None,
    cases=[case((2, 3)), case((4,)), case((0, 2)), case(np.array([[0, 1, 0], [2, 0, 0]]))],
    doc=_doc("The indices of the elements that are not zero, an array for each axis.", "nonzero([0., 2., 3.])[0]",
             "tensor([1, 2])"))
argwhere = _op(
    "argwhere", np.argwhere, "x", batch=each("argwhere"), vjp=None,
    cases=[case((2, 3)), case(()), case((0, 2)), case(np.array([[0, 1, 0], [2, 0, 0]]))],
    doc=_doc("The indices of the elements that are not zero, a row for each element.", "argwhere([0., 2., 3.])",
             "tensor([[1],\n        [2]])"))
flatnonzero = _op(
    "flatnonzero", np.flatnonzero, "x", batch=each("flatnonzero"), vjp=None,
    cases=[case((2, 3)), case(()), case((0, 2)), case(np.array([[0, 1, 0], [2, 0, 0]]))],
    doc=_doc("The indices, in the flattened array, of the elements that are not zero.", "flatnonzero([0., 2., 3.])",
             "tensor([1, 2])"))
count_nonzero = _op(
    "count_nonzero", np.count_nonzero, "x; axis=None, keepdims=False", batch=over_axes("count_nonzero"), vjp=None,
    cases=[case((2, 3)), case((2, 3), axis=0), case((2, 3, 2), axis=(0, -1), keepdims=True), case(()),
           case((0, 2), axis=0),
           case(np.array([[0, 1, 0], [2, 0, 0]]), axis=1)],
    doc=_doc("How many elements are not zero.", "count_nonzero([0., 2., 3.])", "tensor(2)"))
# fmt: on
