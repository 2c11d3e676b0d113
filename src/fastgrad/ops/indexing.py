"""Indexing: `getitem`, `setitem`, and the adjoint of reading, `put_add`.

The three are closed: the derivative of each is made of the others. An index may hold a lifted integer array
(`fastgrad.func`): then each example has an index of its own.
"""

from __future__ import annotations

import operator

import numpy as np

from ._batch import getitem_batch, put_add_batch, setitem_batch
from ._row import case
from ._row import register as _op
from .elementwise import where

# ---------------------------------------------------------------- helpers --


class Index(tuple):
    """An index in the form that `as_index` gives it, so that it is not made twice."""

    __slots__ = ()


def as_index(index):
    """An index in the form the rows want: a tuple with one Ellipsis, sequences and tensors as arrays of their own.

    The Ellipsis makes NumPy give a 0-d view, not a scalar, for a single element; arrays are copied because
    the graph keeps the index, and the caller may change theirs.
    """
    if type(index) is Index:
        return index
    parts = [_plain(part) for part in (index if isinstance(index, tuple) else (index,))]
    for part in parts:
        if part is Ellipsis:
            return Index(parts)
    parts.append(Ellipsis)
    return Index(parts)


def _plain(part):
    if part is None or part is Ellipsis or type(part) is int or hasattr(type(part), "_lifts"):
        return part
    if isinstance(part, slice):  # what its members mean now, whatever they may mean later
        ends = (part.start, part.stop, part.step)
        return slice(*(None if end is None else operator.index(end) for end in ends))
    if not isinstance(part, (bool, np.bool_)) and hasattr(part, "__index__") and getattr(part, "ndim", 0) == 0:
        try:
            return operator.index(part)
        except TypeError:
            pass  # a 0-d boolean
    array = np.array(part)
    return array.astype(np.intp) if array.size == 0 and isinstance(part, list) else array


def _picks_once(index):
    """Whether no element can be picked twice: there are no integer arrays in the index."""
    return not any(isinstance(part, np.ndarray) and part.dtype.kind != "b" for part in index)


def _scatter_add(buffer, index, g):
    """``buffer[index] += g`` in place, where what is picked twice is added twice."""
    if _picks_once(index):
        buffer[index] += g
    elif buffer.ndim == 1 and isinstance(index[0], np.ndarray) and len(index) == 2 and index[1] is Ellipsis:
        np.add.at(buffer, index[0], g)  # NumPy's fast path
    elif buffer.flags.c_contiguous and 4 * np.size(g) >= buffer.size:
        flat = np.arange(buffer.size).reshape(buffer.shape)[index]
        np.add.at(buffer.reshape(-1), flat.reshape(-1), np.broadcast_to(g, flat.shape).reshape(-1))
    else:
        np.add.at(buffer, index, g)


def _last_writer(shape, index):
    """Which of the picked elements are still there after ``x[index] = v``: of duplicates, one alone."""
    stamps = np.empty(shape, np.intp)
    numbers = np.arange(stamps[index].size).reshape(stamps[index].shape)
    stamps[index] = numbers
    return stamps[index] == numbers


# ---------------------------------------------------------------- forwards --


def _getitem(x, index):
    return x[as_index(index)]


def _put_add(g, shape, index):
    buffer = np.zeros(shape, np.asarray(g).dtype)
    _scatter_add(buffer, index, g)
    return buffer


def _setitem(x, v, index):
    out = np.array(x)
    out[as_index(index)] = v
    return out


# ---------------------------------------------------------------- formulas --


def _getitem_into(buffer, g, x, index):
    _scatter_add(buffer, as_index(index), g)


def _setitem_dv(g, out, x, v, index):
    index = as_index(index)
    picked = getitem(g, index)
    return picked if _picks_once(index) else where(_last_writer(x.shape, index), picked, 0.0)


_DUPLICATES = np.array([0, 2, 2, -1])
_MASK = np.array([[True, False, True], [False, False, True]])
_INDICES = [
    ((2, 3), 0), ((2, 3), -1), ((3,), 1), ((2, 3), ()), ((2, 3), (1, 2)), ((5,), slice(4, None, -2)),
    ((4, 3), slice(1, 3)),
    ((2, 3), (slice(None), 1)), ((2, 3, 4), (Ellipsis, 0)), ((2, 3), (None, 1, None)), ((4,), slice(2, 2)), ((), ()),
    ((), (None, Ellipsis)), ((3,), _DUPLICATES), ((3, 2), _DUPLICATES), ((2, 3), (slice(None), _DUPLICATES)),
    ((3, 3), (_DUPLICATES, _DUPLICATES)), ((3, 3), (_DUPLICATES[:, None], _DUPLICATES[:2])), ((2, 3), _MASK),
    ((2, 3), (_MASK[:, 0], slice(1, None))), ((2, 3, 2), (_MASK, 1)),
    ((3, 2, 3), (_DUPLICATES, slice(None), _DUPLICATES)),
    ((3, 4), (_DUPLICATES, slice(0, 3), None)), ((3,), np.zeros((0,), int)), ((3,), np.zeros((3,), bool)),
    ((0, 2), slice(None)),
    ((60,), _DUPLICATES), ((60, 2), _DUPLICATES),
]  # fmt: skip

# ---------------------------------------------------------------- the rows --

getitem = _op(
    "getitem", _getitem, "x; index", bind=lambda x, index: ((x,), {"index": as_index(index)}), view=True,
    linear="jointly", batch=getitem_batch, vjp=lambda g, out, x, index: put_add(g, x.shape, index), into=_getitem_into,
    cases=[case(shape, index=index) for shape, index in _INDICES],
    doc="x[index], with NumPy's rules: a view for a basic index, a copy for an advanced one.",
)  # fmt: skip
put_add = _op(
    "put_add", _put_add, "g; shape, index",
    bind=lambda g, shape, index: ((g,), {"shape": tuple(shape), "index": as_index(index)}),
    linear="jointly", batch=put_add_batch, vjp=lambda h, out, g, shape, index: getitem(h, index),
    cases=[case(np.zeros(shape)[index].shape, shape=shape, index=index) for shape, index in _INDICES],
    doc="Zeros of a shape, with g added at the index: the adjoint of `getitem`.",
)  # fmt: skip
setitem = _op(
    "setitem", _setitem, "x, v; index", bind=lambda x, v, index: ((x, v), {"index": as_index(index)}),
    linear="jointly", batch=setitem_batch,
    vjp=(lambda g, out, x, v, index: setitem(g, 0.0, index), _setitem_dv),
    cases=[case(shape, np.zeros(shape)[index].shape, index=index) for shape, index in _INDICES]
    + [case((2, 3), (), index=0), case((2, 3), (3,), index=slice(None)), case((2, 3), (1, 3), index=1)],
    doc="A copy of x in which x[index] is v.",
)  # fmt: skip
