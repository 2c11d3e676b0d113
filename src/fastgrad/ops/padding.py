"""Padding: `pad` in all modes of `numpy.pad`.

Most modes are linear in the operand: `padded`, which is NumPy's function, has its adjoint. Borders made of the largest,
smallest or middle elements, or by a function, are put on one axis after the other, as NumPy does it.
"""

from __future__ import annotations

import numpy as np

from ._doc import describe
from ._doc import doc as _doc
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import rint
from .indexing import getitem, put_add
from .linalg import matmul
from .reductions import max as _max
from .reductions import min as _min
from .shaping import astype, broadcast_to, clone, concat, moveaxis

describe({
    "pad.mode": ("str or callable", 'A mode of `numpy.pad`, or a function that writes the borders of a vector.'),
    "pad.kwargs": ("object", "What the mode takes."),
    "end_values": ("scalar or sequence", 'Where the ramps end, for the mode "linear_ramp".'),
    "stat_length": ("int, sequence or None", "How many elements at each edge the statistic is of; None: all."),
    "reflect_type": ('{"even", "odd"}', 'Whether the reflection is turned about the edge, for "reflect" and "symmetric".'),
})  # fmt: skip

_FILLS = ("constant", "empty")  # modes that put in values of their own
_GATHERS = ("edge", "wrap", "reflect", "symmetric")  # modes that repeat elements, so that an index says all
_STATISTICS = ("maximum", "minimum", "median")
_TAKES = {
    "constant": "constant_values", "linear_ramp": "end_values", "reflect": "reflect_type", "symmetric": "reflect_type",
    **dict.fromkeys(("maximum", "mean", "median", "minimum"), "stat_length"),
    **dict.fromkeys(("empty", "edge", "wrap")),
}  # fmt: skip

# ---------------------------------------------------------------- the call --


def _bind_pad(x, pad_width, mode="constant", **kwargs):
    if callable(mode):
        return (x,), {"pad_width": pad_width, "mode": [mode], "more": [kwargs]}
    if not isinstance(mode, str) or mode not in _TAKES:
        raise ValueError(f"pad: mode '{mode}' is not supported")
    unsupported = set(kwargs) - {_TAKES[mode]}
    if unsupported:
        raise ValueError(f"pad: unsupported keyword arguments for mode '{mode}': {unsupported}")
    return (x,), {"pad_width": pad_width, "mode": mode, "more": next(iter(kwargs.values()), _DEFAULTS.get(mode))}


_DEFAULTS = {"constant": 0, "linear_ramp": 0, "reflect": "even", "symmetric": "even"}


def _pairs(widths, ndim):
    """How many elements before and after, for each axis."""
    if type(widths) is int:
        return ((widths, widths),) * ndim
    if isinstance(widths, dict):
        given = {axis % ndim: width for axis, width in widths.items()}
        widths = [np.broadcast_to(given.get(axis, 0), 2) for axis in range(ndim)]
    widths = np.asarray(widths)
    if widths.dtype.kind not in "iu":
        raise TypeError("pad: `pad_width` must be of integral type.")
    return tuple((before, after) for before, after in np.broadcast_to(widths, (ndim, 2)).tolist())


def _pad(x, pad_width, mode, more):
    widths = _pairs(pad_width, x.ndim)
    if isinstance(mode, list):
        return _by_function(x, widths, mode[0], more[0])
    if mode not in _STATISTICS:
        return padded(x, widths, mode, more)
    return _by_statistic(x, widths, mode, more)


# ---------------------------------------------------------------- what is linear --


def _padded(x, widths, mode, more):
    given = {} if more is None else {_TAKES[mode]: more}
    return np.pad(x, widths, mode, **given) if widths else np.copy(x)


def _padded_dx(g, out, x, widths, mode, more):
    if mode in _FILLS or not widths:
        return getitem(g, tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape)))
    if mode in _GATHERS and more != "odd":
        origins = np.pad(np.arange(x.size).reshape(x.shape), widths, mode)
        return put_add(g, x.shape, np.unravel_index(origins, x.shape))
    lengths = [None] * x.ndim if mode != "mean" or more is None else np.broadcast_to(more, (x.ndim, 2)).tolist()
    for axis in reversed(range(x.ndim)):
        if any(widths[axis]):
            more = {"linear_ramp": 0, "mean": lengths[axis]}.get(mode, more)
            g = _gathered(g, axis, x.shape[axis], widths[axis], mode, more)
    return g


def _gathered(g, axis, n, width, mode, more):
    """g of what lies between the borders of one axis, and of what the borders are sums of."""
    weights = _padded(np.eye(n, dtype=g.dtype), [width, (0, 0)], mode, [more, (1, 1)] if type(more) is list else more)
    end = width[0] + n
    g = moveaxis(g, axis, -1)
    total = getitem(g, (Ellipsis, slice(width[0], end)))
    for part in (slice(0, width[0]), slice(end, None)):
        if weights[part].size:
            total = total + matmul(getitem(g, (Ellipsis, part)), weights[part])
    return moveaxis(total, -1, axis)


def _batch_padded(many, x, widths, mode, more):
    if np.ndim(more) or isinstance(more, (list, tuple)):
        more = [(1, 1), *np.broadcast_to(more, (x.ndim - 1, 2)).tolist()]
    if x.size == 0 and mode not in _FILLS:  # one example says what is wrong with it
        padded(np.empty(tuple(x.shape[1:])), widths, mode, more[1:] if type(more) is list else more)
    return padded(x, ((0, 0), *widths), mode, more)


def _padded_jvp(tangents, out, x, widths, mode, more):
    """The rest is constant."""
    if mode in _FILLS:
        return padded(tangents[0], widths, "constant", 0)
    return padded(tangents[0], widths, mode, 0 if mode == "linear_ramp" else more)


# ---------------------------------------------------------------- axis by axis --


def _lengths(lengths, ndim):
    return [(None, None)] * ndim if lengths is None else np.broadcast_to(lengths, (ndim, 2)).tolist()


def _by_statistic(x, widths, mode, lengths):
    if x.size == 0:
        return padded(x, widths, mode, lengths)  # NumPy says what is wrong, or nothing is
    if any(n is not None and n < 0 for pair in (*widths, *_lengths(lengths, x.ndim)) for n in pair):
        raise ValueError("pad: index can't contain negative values")
    statistic = {"maximum": _max, "minimum": _min}.get(mode) or TABLE["median"]
    for axis, (width, length) in enumerate(zip(widths, _lengths(lengths, x.ndim))):
        n, parts = x.shape[axis], []
        for at_end in (False, True):
            count = n if length[at_end] is None else min(n, length[at_end])
            if count == 0 and mode != "median":
                raise ValueError("pad: stat_length of 0 yields no value for padding")
            found = getitem(x, (*[slice(None)] * axis, slice(n - count, None) if at_end else slice(count)))
            found = statistic(found, axis=axis, keepdims=True)
            found = astype(rint(found) if x.dtype.kind in "iu" else found, x.dtype, copy=False)
            shape = list(x.shape)
            shape[axis] = width[at_end]
            parts.append(broadcast_to(found, tuple(shape)))
        x = concat((parts[0], x, parts[1]), axis)
    return x


def _by_function(x, widths, function, more):
    """The function writes into every vector along each axis in turn."""
    out = clone(padded(x, widths, "constant", 0))
    for axis in range(out.ndim):
        vectors = moveaxis(out, axis, -1)
        for place in np.ndindex(tuple(vectors.shape[:-1])):
            function(getitem(moveaxis(out, axis, -1), (*place, Ellipsis)), tuple(widths[axis]), axis, more)
    return out


def _ends(vector, width, axis, given):
    """A function for the sample calls: it makes the sum of all elements the border."""
    total = vector.sum()
    vector[: width[0]] = total
    vector[len(vector) - width[1] :] = total * given.get("factor", 1.0)


# fmt: off
_MODES = [
    case((2, 3), widths=((1, 2), (2, 0)), mode="wrap", more=None), case((2,), widths=((1, 2),), mode="edge", more=None),
    case((3, 2), widths=((1, 0), (0, 2)), mode="mean", more=[(2, 1), (1, 1)]),
    case((2, 2), widths=((2, 1), (0, 1)), mode="linear_ramp", more=0.5),
    case((3,), widths=((2, 5),), mode="reflect", more="odd"), case((2, 2), widths=((1, 0), (0, 2)), mode="constant", more=7.0),
]

padded = _op(
    "padded", _padded, "x; widths, mode, more", jvp=_padded_jvp, batch=_batch_padded, vjp=_padded_dx, cases=_MODES,
    doc="x with a border that is linear in it.")
pad = _op(
    "pad", _pad, "x; pad_width, mode, more", bind=_bind_pad,
    cases=[case((3,), pad_width=1), case((2, 3), pad_width=((1, 0), (0, 2))), case((1, 2), pad_width=(1, 2)), case((), pad_width=1),
           case((2, 2), pad_width=1, mode="edge"), case((1, 3), pad_width=((1, 1), (4, 2)), mode="wrap"), case((0, 2), pad_width=1),
           case((3,), pad_width=2, mode="reflect"), case((2, 1), pad_width=3, mode="symmetric"), case((3,), pad_width=1, constant_values=7),
           case((2, 2), pad_width=1, constant_values=((1, 2), (3, 4))), case((1, 3), pad_width=2, mode="reflect"),
           case((2, 2), pad_width=1, mode="linear_ramp"), case((3,), pad_width=(1, 3), mode="linear_ramp", end_values=(-1, 2)),
           case((2, 2), pad_width=((1, 2), (0, 1)), mode="mean", stat_length=1),
           case((3, 1), pad_width=1, mode="mean", stat_length=((1, 2), (3, 1))),
           case((2, 2), pad_width=1, mode="maximum"), case((4,), pad_width=2, mode="minimum", stat_length=(3, 2)),
           case((3, 1), pad_width=((1, 2), (0, 1)), mode="median"), case((4,), pad_width=1, mode="median", stat_length=3),
           case((4,), pad_width=(6, 3), mode="reflect", reflect_type="odd"), case((1,), pad_width=2, mode="reflect", reflect_type="odd"),
           case((2, 2), pad_width=(3, 1), mode="symmetric", reflect_type="odd"),
           case((2, 1), pad_width=((1, 1), (0, 1)), mode=_ends, factor=2.0)],
    doc=_doc("x with a border.", "pad([1., 2.], 1)", "tensor([0., 1., 2., 0.])",
             "The modes and what they take are those of `numpy.pad`: \"constant\" (constant_values), \"edge\", \"linear_ramp\"\n"
             "(end_values), \"maximum\", \"mean\", \"median\", \"minimum\" (stat_length), \"reflect\", \"symmetric\" (reflect_type),\n"
             "\"wrap\", \"empty\", or a function, which is called as ``mode(vector, widths, axis, kwargs)`` and writes in place."))
# fmt: on
