"""What the batching rules of rows share (`batch=` of `Op`): a batch of examples lies along axis 0.

Axes are counted in one example, so that each rule has to move them past axis 0. `x` is always a whole batch here, an
ndarray, a Tensor, or a value that is lifted in its turn; rules call rows, as formulas do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ._row import TABLE


def past(axis, x, more=0):
    """`axis` of one example (of `more` axes more than those of x) as an axis of the batch; None: all of them."""
    ndim = x.ndim - 1 + more
    if axis is None:
        return tuple(range(1, ndim + 1))
    if isinstance(axis, (tuple, list, range, np.ndarray)):
        return tuple(a + 1 for a in normalize_axis_tuple(tuple(axis), ndim))
    return normalize_axis_index(axis, ndim) + 1


def shaped(x, shape):
    """Each example in another shape, of which one entry may be -1."""
    shape = tuple(int(n) for n in np.ravel(shape))
    if -1 in shape:
        known = math.prod(n for n in shape if n != -1)
        i, size = shape.index(-1), math.prod(x.shape[1:])
        if known and size % known == 0:
            shape = (*shape[:i], size // known, *shape[i + 1 :])
    return TABLE["reshape"](x, (x.shape[0], *shape))


def flat(x):
    """Each example in one dimension."""
    return shaped(x, (math.prod(x.shape[1:]),))


def along(x, axis):
    """x and the axis of the batch that a row with ``axis=None`` for "flattened first" works along."""
    return (flat(x), 1) if axis is None else (x, past(axis, x))


def ranked(x, ndim):
    """Examples with axes of size 1 in front, so that they have `ndim`."""
    return x if x.ndim - 1 >= ndim else shaped(x, (1,) * (ndim - x.ndim + 1) + tuple(x.shape[1:]))


def every(many, *values):
    """All of the operands as batches: what the examples share is repeated, without a copy."""
    count = next(x.shape[0] for x, is_many in zip(values, many) if is_many)
    return [x if is_many else TABLE["broadcast_to"](x, (count, *np.shape(x))) for x, is_many in zip(values, many)]


def over_axes(name):
    """The rule of a reduction over any axes."""

    def batch(many, x, axis=None, **options):
        return TABLE[name].on((x,), {"axis": past(axis, x), **options})

    return batch


def over_axis(name):
    """The rule of a row that works along one axis, or on the flattened elements."""

    def batch(many, x, axis=None, **options):
        x, axis = along(x, axis)
        return TABLE[name].on((x,), {"axis": axis, **options})

    return batch


def find(name):
    """The rule of `argmax` and `argmin`: with ``axis=None`` they look at the flattened elements."""

    def batch(many, x, axis, keepdims):
        if axis is None:
            found = TABLE[name](flat(x), axis=1)
            return shaped(found, (1,) * (x.ndim - 1)) if keepdims else found
        return TABLE[name](x, axis=past(axis, x), keepdims=keepdims)

    return batch


def each(name):
    """The rule of a row whose result's shape depends on values: one example after the other, all to the same shape."""

    def batch(many, *operands, **options):
        count = next(x.shape[0] for x, is_many in zip(operands, many) if is_many)
        found = []
        for i in range(count):
            chosen = tuple(TABLE["getitem"](x, i) if is_many else x for x, is_many in zip(operands, many))
            found.append(TABLE[name].on(chosen, options))
        several = isinstance(found[0], tuple) if found else False
        columns = list(zip(*found)) if several else [found]
        if not found or any(part.shape != column[0].shape for column in columns for part in column):
            raise TypeError(f"{name}: the shape of the result depends on values, and is not the same for all examples")
        stacked = tuple(TABLE["stack"](column) for column in columns)
        return stacked if several else stacked[0]

    return batch


# ---------------------------------------------------------------- indexing
# With one index for all examples, a slice in front keeps axis 0; an array in the index makes NumPy move axes about,
# but never the last one, so there the batch goes last meanwhile.


def _basic(index):
    return not any(isinstance(part, np.ndarray) for part in index)


def _last(x):
    return TABLE["moveaxis"](x, 0, -1)


def _first(x):
    return TABLE["moveaxis"](x, -1, 0)


def getitem_batch(many, x, index):
    if _basic(index):
        return TABLE["getitem"](x, (slice(None), *index))
    return _first(TABLE["getitem"](_last(x), (*index, slice(None))))


def put_add_batch(many, g, shape, index):
    if _basic(index):
        return TABLE["put_add"](g, (g.shape[0], *shape), (slice(None), *index))
    return _first(TABLE["put_add"](_last(g), (*shape, g.shape[0]), (*index, slice(None))))


def setitem_batch(many, x, v, index):
    """Where all of x is shared, each example gets its own."""
    if not many[0]:
        x = TABLE["broadcast_to"](x, (v.shape[0], *np.shape(x)))
    if _basic(index):
        return TABLE["setitem"](x, to_write(many[1], v, x, index), (slice(None), *index))
    return _first(TABLE["setitem"](_last(x), _values(many, v), (*index, slice(None))))


def _values(many, v):
    """What is to be written where the batch goes last."""
    if many[1]:
        return _last(v)
    return TABLE["expand_dims"](v, -1) if np.ndim(v) else v


def to_write(many, v, x, index):
    """Values with as many axes as an index without arrays leaves of each example of x."""
    ndim = x.ndim - 1 - sum(type(part) is int for part in index) + sum(part is None for part in index)
    extra = np.ndim(v) - many - ndim
    if extra > 0:  # NumPy lets axes of size 1 in front pass
        return TABLE["squeeze"](v, tuple(range(many, many + extra)))
    return ranked(v, ndim) if many else v


def own_index(name, many, operands, shape, count, pick):
    """`getitem`, `put_add` or `setitem` where each of `count` examples has an index of its own: on flattened examples.

    `shape` is that of an example that is read or written; ``pick(a)`` gives the batch of what the indices pick from an
    array `a` of that shape, which all share.
    """
    size = math.prod(shape)
    places = pick(np.arange(size).reshape(shape))  # where in its flattened example each element lies
    first = size * np.arange(count).reshape((count,) + (1,) * (places.ndim - 1))
    if name == "getitem":
        (x,) = operands
        return TABLE["getitem"](TABLE["reshape"](x, (-1,)), (places + first if many[0] else places,))
    if name == "put_add":
        g = operands[0] if many[0] else TABLE["broadcast_to"](operands[0], places.shape)
        added = TABLE["put_add"](TABLE["reshape"](g, places.shape), (count * size,), (places + first,))
        return TABLE["reshape"](added, (count, *shape))
    x, v = operands
    x = x if many[0] else TABLE["broadcast_to"](x, (count, *shape))
    v = ranked(v, places.ndim - 1) if many[1] else v
    written = TABLE["setitem"](TABLE["reshape"](x, (-1,)), v, (places + first,))
    return TABLE["reshape"](written, (count, *shape))
