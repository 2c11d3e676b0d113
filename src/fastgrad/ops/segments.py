"""Sums of parts, and into places: `numpy.add.reduceat` and `numpy.add.at`."""

from __future__ import annotations

import numpy as np

from ._batch import every, past
from ._row import case
from ._row import register as _op
from .indexing import getitem, put_add


def _parts(indices, size):
    """Of each element that is summed, which sum it goes into, and where it is."""
    ends = np.append(indices[1:], size)
    lengths = np.maximum(ends - indices, 1)  # of an index not before the next: its element alone
    sums = np.repeat(np.arange(len(indices)), lengths)
    before = np.cumsum(lengths) - lengths
    return sums, indices[sums] + np.arange(len(sums)) - before[sums]


def _segment_sum_dx(g, out, x, indices, axis):
    axis %= len(x.shape)
    sums, places = _parts(np.asarray(indices), x.shape[axis])
    before = (slice(None),) * axis
    return put_add(getitem(g, (*before, sums)), x.shape, (*before, places))


def _add_at(x, v, places):
    out = np.array(x)
    np.add.at(out, (Ellipsis, places), v)
    return out


def _batch_add_at(many, x, v, places):
    x, v = every(many, x, v)
    return add_at(x, v, places)


segment_sum = _op(
    "segment_sum", lambda x, indices, axis: np.add.reduceat(x, indices, axis), "x; indices, axis=0",
    linear="jointly", batch=lambda many, x, indices, axis: segment_sum(x, indices, past(axis, x)), vjp=_segment_sum_dx,
    cases=[case((5,), indices=np.array([0, 2, 3])), case((2, 4), indices=np.array([0, 2]), axis=1),
           case((4, 2), indices=np.array([2, 1, 3, 3]), axis=-2), case((3,), indices=np.array([1])),
           case((3, 0), indices=np.array([0, 1]))],
    doc="Sums along an axis, from each index to the next: `numpy.add.reduceat`.",
)  # fmt: skip
add_at = _op(
    "add_at", _add_at, "x, v; places",
    linear="jointly", batch=_batch_add_at,
    vjp=(lambda g, out, x, v, places: g, lambda g, out, x, v, places: getitem(g, (Ellipsis, places))),
    cases=[case((4,), (5,), places=np.array([0, 2, 2, 0, 3])), case((2, 3), (2, 2), places=np.array([1, 1])),
           case((3,), (0,), places=np.zeros(0, int)), case((2, 3), (2, 2), places=np.array([-1, 0]))],
    doc="A copy of x to which v is added at places of the last axis, to some several times: `numpy.add.at`.",
)  # fmt: skip
