"""Views of a tensor written to in place: `as_view` and `copy_slices` (Note [Versions and views]).

A chain is a tuple of ``(op, options)`` or, for a row with several results, ``(op, options, number of the result)``.
The engine records these two; nothing else calls them.
"""

from __future__ import annotations

import math

import numpy as np

from ._batch import flat, ranked
from ._row import TABLE, case
from ._row import register as _op
from .indexing import as_index, setitem
from .reductions import sum
from .shaping import broadcast_to, reshape


def walk(x, chain):
    """The ndarray that a chain of views leads to from the ndarray x."""
    for op, options, *number in chain:
        x = op.fn(x, **options)
        if number:
            x = x[number[0]]
    return x


def _copy_slices(x, v, chain):
    out = np.array(x)  # keeps the order of the axes in memory, so that what was a view is one again
    view = walk(out, chain)
    view.flags.writeable = True  # `broadcast_to` clears it
    view[...] = v
    return out


def _as_view_dx(g, out, x, chain):
    """g in the region of the view, zeros elsewhere; what `broadcast_to` repeated is summed first."""
    zeros = np.zeros(x.shape, x.dtype)
    view = walk(zeros, chain)
    repeated = [axis for axis, stride in enumerate(view.strides) if stride == 0 and view.shape[axis] > 1]
    if not repeated:
        return copy_slices(zeros, g, chain)
    once = tuple(slice(0, 1) if axis in repeated else slice(None) for axis in range(view.ndim))
    chain = (*chain, (TABLE["getitem"], {"index": once}))
    return copy_slices(zeros, sum(g, axis=tuple(repeated), keepdims=True), chain)


# A batch takes the way of one example's elements, and reads or writes there (what real() and imag() lead to excepted,
# which is no element).


def _places(shape, chain):
    return walk(np.arange(math.prod(shape)).reshape(shape), chain)


def _batch_as_view(many, x, chain):
    for op, options, *number in chain:
        if op.indexed:
            options = {"index": as_index(options["index"])}
        x = op.batch(many, x, **options) if callable(op.batch) else op(x, **options)
        x = x[number[0]] if number else x
    return x


def _batch_copy_slices(many, x, v, chain):
    if any(op.name in ("real", "imag") for op, *_ in chain):
        raise TypeError("copy_slices: parts of complex numbers cannot be written for many examples at once")
    if not many[0]:
        x = broadcast_to(x, (v.shape[0], *x.shape))
    shape = x.shape[1:]
    places = _places(shape, chain)
    v = ranked(v, places.ndim) if many[1] else v
    return reshape(setitem(flat(x), v, (slice(None), places)), x.shape)


_get, _split = TABLE["getitem"], TABLE["split"]
_CHAINS = [
    ((2, 3), (2,), ((_get, {"index": (1,)}), (_get, {"index": (slice(0, 2),)}))),
    ((2, 3), (2, 2), ((TABLE["transpose"], {"axes": None}), (_get, {"index": (slice(None, None, -2),)}))),
    ((2, 6), (3, 2, 2),
    ((TABLE["reshape"], {"shape": (2, 2, 3), "copy": None}), (TABLE["swapaxes"], {"axis1": 0, "axis2": 2}))),
    ((6,), (2,), ((_split, {"indices_or_sections": 3, "axis": 0}, 1),)),
    ((), (), ()),
]  # fmt: skip
_REPEATED = ((TABLE["broadcast_to"], {"shape": (4, 2, 3)}), (_get, {"index": (slice(1, None), Ellipsis, 0)}))

# ---------------------------------------------------------------- the rows --
# Not holomorphic: they move numbers about, and parts of complex ones, which no conjugation may turn.

as_view = _op(
    "as_view", walk, "x; chain", holomorphic=False, view=True, linear="jointly", batch=_batch_as_view, vjp=_as_view_dx,
    cases=[case(shape, chain=chain) for shape, _, chain in _CHAINS] + [case((2, 3), chain=_REPEATED)],
    doc="The view of x that a chain of view operations leads to.",
)  # fmt: skip
copy_slices = _op(
    "copy_slices", _copy_slices, "x, v; chain", holomorphic=False, linear="jointly", batch=_batch_copy_slices,
    vjp=(lambda g, out, x, v, chain: copy_slices(g, 0.0, chain),
         lambda g, out, x, v, chain: as_view(g, chain)),
    cases=[case(shape, region, chain=chain) for shape, region, chain in _CHAINS],
    doc="A copy of x in which the view that a chain leads to has been replaced by v.",
)  # fmt: skip
