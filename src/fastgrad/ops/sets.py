"""Sets: `unique` and its kin. Values that are kept have a gradient, which goes to the first element of that value.

What has been found equal has no derivative of its being equal: `intersect1d` has none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ._batch import each
from ._doc import describe
from ._doc import doc as _doc
from ._instead import instead
from ._row import case
from ._row import register as _op
from .indexing import getitem
from .shaping import concat, reshape

describe({
    "unique.axis": ("int or None", "The axis whose slices are compared; None: the elements of the flattened array."),
    "equal_nan": ("bool", "Whether one nan equals another."),
    "return_index": ("bool", "Give where each value was first, too."),
    "return_inverse": ("bool", "Give which value each element has, too."),
    "return_counts": ("bool", "Give how often each value is there, too."),
    "return_indices": ("bool", "Give where in each array the values were first, too."),
    "unique.sorted": ("bool", "Whether the values are to be in order; they are."),
})  # fmt: skip


class UniqueAllResult(NamedTuple):
    """What `unique_all` gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` gives."""

    values: Any
    counts: Any


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` gives."""

    values: Any
    inverse_indices: Any


def _as_array(x):
    return x if hasattr(x, "dtype") else np.asarray(x)


def _tracked(x):
    """Whether a gradient may be wanted of what is picked from x."""
    return x.dtype.kind in "fc" and (hasattr(type(x), "_lifts") or getattr(x, "requires_grad", False))


# ---------------------------------------------------------------- forwards --


def _parts(x, axis, equal_nan, values, inverse, counts):
    """The values (or where each of them is first), the inverse and the counts, as far as they are wanted."""
    options = {"return_index": not values, "return_inverse": inverse, "return_counts": counts}
    found = np.unique(x, axis=axis, equal_nan=equal_nan, **options)
    found = found if isinstance(found, tuple) else (found,)
    return found if values else found[1:]


def _unique(x, return_index, return_inverse, return_counts, axis, equal_nan):
    x = _as_array(x)
    direct = not (return_index or _tracked(x))
    first, *rest = unique_parts(x, axis, equal_nan, direct, return_inverse, return_counts)
    if direct:
        values, index = first, ()
    elif axis is None:
        values, index = getitem(reshape(x, (-1,)), first), (first,)
    else:
        values, index = getitem(x, (slice(None),) * normalize_axis_index(axis, x.ndim) + (first,)), (first,)
    found = (values, *(index if return_index else ()), *rest)
    return found if len(found) > 1 else values


def _bind_unique(
    x, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True
):
    return (x,), {
        "return_index": bool(return_index), "return_inverse": bool(return_inverse),
        "return_counts": bool(return_counts),
        "axis": axis, "equal_nan": equal_nan,
    }  # fmt: skip


def _flat(x):
    return reshape(_as_array(x), (-1,))


def _union(x, y):
    return _unique(concat((_flat(x), _flat(y)), axis=0), False, False, False, None, True)


def _setdiff(x, y, assume_unique):
    x = _flat(x)
    return getitem(x, left_over(x, _flat(y), assume_unique))


def _left_over(x, y, assume_unique):
    places = np.arange(x.size) if assume_unique else np.unique(x, return_index=True)[1]
    return places[np.isin(x[places], y, invert=True, assume_unique=True)]


def _setxor(x, y, assume_unique):
    x, y = _flat(x), _flat(y)
    both = concat((x, y), axis=0)
    return getitem(both, only_once(x, y, assume_unique))


def _only_once(x, y, assume_unique):
    """Where in both arrays, one after the other, the values are that only one of them has."""
    first = [np.arange(a.size) if assume_unique else np.unique(a, return_index=True)[1] for a in (x, y)]
    places = np.concatenate((first[0], first[1] + x.size))
    values = np.concatenate((x[first[0]], y[first[1]]))
    order = np.argsort(values, kind="stable")
    values, places = values[order], places[order]
    if not values.size:
        return places
    change = np.concatenate(([True], values[1:] != values[:-1], [True]))
    return places[change[1:] & change[:-1]]


def _bind_intersect(x, y, assume_unique=False, return_indices=False):
    options = {"assume_unique": bool(assume_unique)}
    if not return_indices:
        return (x, y), options
    return instead(lambda: intersection.on((_as_array(x), _as_array(y)), options))


def _intersection(x, y, assume_unique):
    return np.intersect1d(x, y, assume_unique=assume_unique, return_indices=True)


_TWICE = np.array([[2, 1, 2], [0, 1, 5]])
_APART = np.array([[2.0, 1.0, 2.0], [0.5, 1.0, 5.0]])
_DISTINCT = [case((5,)), case((2, 3)), case((3, 2), axis=0), case((2, 3), axis=1), case((0,))]

# fmt: off
unique_parts = _op(
    "unique_parts", _parts, "x; axis, equal_nan, values, inverse, counts", multi=True, batch=each("unique_parts"),
    vjp=None,
    cases=[case(_TWICE, axis=None, equal_nan=True, values=False, inverse=True, counts=True),
           case(_TWICE, axis=0, equal_nan=True, values=True, inverse=False, counts=True)],
    doc="The distinct values, or where they are; the inverse and the counts.")
left_over = _op(
    "left_over", _left_over, "x, y; assume_unique", batch=each("left_over"), vjp=None,
    cases=[case(np.array([3, 1, 3, 2]), np.array([2, 5]), assume_unique=False)],
    doc="Where the distinct values of x are that y does not have.")
only_once = _op(
    "only_once", _only_once, "x, y; assume_unique", batch=each("only_once"), vjp=None,
    cases=[case(np.array([3, 1, 3, 2]), np.array([2, 5]), assume_unique=False)],
    doc="Where the distinct values are that only one of x and y has.")
intersection = _op(
    "intersection", _intersection, "x, y; assume_unique", multi=True, batch=each("intersection"), vjp=None,
    cases=[case(np.array([3, 1, 3, 2]), np.array([2, 5, 3]), assume_unique=False)],
    doc="The distinct values that x and y have both, and where they are.")

unique = _op(
    "unique", _unique,
    "x; return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True",
    bind=_bind_unique,
    cases=[case(_TWICE, return_counts=True), case((4,), return_index=True, return_inverse=True, return_counts=True),
           *_DISTINCT, case((2, 3), return_inverse=True)],
    doc=_doc("The distinct elements in order.", "unique([3., 1., 3.])", "tensor([1., 3.])"))
unique_all = _op(
    "unique_all", lambda x: _unique(x, True, True, True, None, False), "x", multi=True, named=UniqueAllResult,
    cases=[case(_TWICE), case((5,)), case((2, 3))],
    doc=_doc("The distinct elements in order, where each is first, which of them each element is, and how often.",
             "unique_all([3., 1., 3.]).counts", "tensor([1, 2])"))
unique_counts = _op(
    "unique_counts", lambda x: _unique(x, False, False, True, None, False), "x", multi=True, named=UniqueCountsResult,
    cases=[case(_TWICE), case((5,)), case((2, 3))],
    doc=_doc("The distinct elements in order, and how often each is there.", "unique_counts([3., 1., 3.]).values",
             "tensor([1., 3.])"))
unique_inverse = _op(
    "unique_inverse", lambda x: _unique(x, False, True, False, None, False), "x", multi=True, named=UniqueInverseResult,
    cases=[case(_TWICE), case((5,)), case((2, 3))],
    doc=_doc("The distinct elements in order, and which of them each element is.",
             "unique_inverse([3., 1., 3.]).inverse_indices", "tensor([1, 0, 1])"))
unique_values = _op(
    "unique_values", lambda x: _unique(x, False, False, False, None, False), "x",
    cases=[case(np.full((2, 2), 3)), case((1,)), case((1, 1))],  # in which order the values are, NumPy leaves open
    doc=_doc("The distinct elements, in order.", "unique_values([3., 1., 3.])", "tensor([1., 3.])"))
union1d = _op(
    "union1d", _union, "x, y", cases=[case(_TWICE, np.array([3, 1])), case((4,), (3,)), case((2, 2), (0,))],
    doc=_doc("The distinct elements of either.", "union1d([3., 1.], [2., 1.])", "tensor([1., 2., 3.])"))
setdiff1d = _op(
    "setdiff1d", _setdiff, "x, y; assume_unique=False",
    cases=[case(_TWICE, np.array([2, 7])), case((4,), (3,), assume_unique=True), case((2, 2), (0,))],
    doc=_doc("The distinct elements of x that y does not have.", "setdiff1d([3., 1.], [2., 1.])", "tensor([3.])"))
setxor1d = _op(
    "setxor1d", _setxor, "x, y; assume_unique=False",
    cases=[case(_TWICE, np.array([2, 7])), case((4,), (3,)), case((2, 2), (0,)), case((3,), (2,), assume_unique=True)],
    doc=_doc("The distinct elements that only one of them has.", "setxor1d([3., 1.], [2., 1.])", "tensor([2., 3.])"))
intersect1d = _op(
    "intersect1d", lambda x, y, assume_unique: np.intersect1d(x, y, assume_unique),
    "x, y; assume_unique=False, return_indices=False",
    bind=_bind_intersect, batch=each("intersect1d"), vjp=None,
    cases=[case(np.array([3, 1, 3, 2]), np.array([2, 5, 3])),
           case(_APART, np.array([2.0, 7.0, 5.0]), return_indices=True)],
    doc=_doc("The distinct elements that both have.", "intersect1d([3., 1.], [2., 1.])", "tensor([1.])"))
# fmt: on
