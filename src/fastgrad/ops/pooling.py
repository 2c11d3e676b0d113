"""Maxima of windows of images, with the rows that put numbers back. (Sums of windows: resampling.py.)

Images are the last axes, as many as `kernel` has entries; whatever comes before is a batch. `padding` has a pair for each
of them. `window_pick` and `window_put`, each other's adjoints, read and write one place of each window: `where` says which,
counted through the window in C order.
"""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np

from ._batch import every
from ._row import case, register
from .convolutions import inside, padded_sizes, window_counts, window_slices

_op = partial(register, module="fastgrad.nn.functional")

# ---------------------------------------------------------------- helpers --


def _padded(x, padding, value):
    if not any(map(any, padding)):
        return x
    sizes = x.shape[x.ndim - len(padding) :]
    wide = np.full((*x.shape[: x.ndim - len(padding)], *padded_sizes(sizes, padding)), value, x.dtype)
    wide[inside(padding, sizes)] = x
    return wide


def _lowest(dtype):
    if dtype.kind == "c":
        raise TypeError(f"max pooling: there is no order of {dtype} numbers")
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _places(kernel):
    return enumerate(itertools.product(*map(range, kernel)))


# ---------------------------------------------------------------- forwards --


def _window_max(x, kernel, stride, padding, dilation):
    """Axis by axis: k steps for each, rather than one for each place of a window. Never -0, which is as large as 0."""
    x = np.asarray(x)
    n = len(kernel)
    if x.ndim < n:
        raise ValueError(f"pooling over {n} axes of an array of shape {x.shape}")
    counts = window_counts("pooling", x.shape[x.ndim - n :], kernel, stride, padding, dilation)
    out = _padded(x, padding, _lowest(x.dtype))
    for i in reversed(range(n)):
        lead = (slice(None),) * (x.ndim - n + i)
        places = [
            (*lead, *window_slices((k,), counts[i : i + 1], stride[i : i + 1], dilation[i : i + 1])[1:])
            for k in range(kernel[i])
        ]
        total = out[places[0]].copy()
        for place in places[1:]:
            np.maximum(total, out[place], out=total)
        out = total
    if x.dtype.kind == "f":
        out += 0
    return np.ascontiguousarray(out)


def _window_argmax(x, kernel, stride, padding, dilation):
    """Of equals the first, of several nan the last; never what is padding."""
    x = np.asarray(x)
    out = _window_max(x, kernel, stride, padding, dilation)
    counts = out.shape[out.ndim - len(kernel) :]
    real = None
    if any(map(any, padding)):
        real = _padded(np.ones(x.shape[x.ndim - len(kernel) :], bool), padding, False)
        x = _padded(x, padding, _lowest(x.dtype))
    last = math.prod(kernel)
    first = np.zeros(out.shape, np.uint8 if last < 256 else np.intp)  # counted from the end, so that a maximum finds it
    for number, offset in _places(kernel):
        index = window_slices(offset, counts, stride, dilation)
        found = x[index] == out
        if real is not None:
            found &= real[index]
        np.maximum(first, np.multiply(found, last - number, dtype=first.dtype), out=first)
    where = last - first
    if x.dtype.kind == "f" and np.isnan(out).any():
        for number, offset in _places(kernel):
            np.copyto(where, number, where=np.isnan(x[window_slices(offset, counts, stride, dilation)]))
    return where


def _flat_places(where, sizes, kernel, stride, padding, dilation):
    """Where in the padded images, all of them in one dimension, the places of the windows are."""
    wide = padded_sizes(sizes, padding)
    counts = where.shape[where.ndim - len(kernel) :]
    table, starts = np.zeros((), np.intp), np.zeros((), np.intp)  # of the places of a window, and of the windows
    for n, k, s, d, count in zip(wide, kernel, stride, dilation, counts):
        table = table[..., None] * n + np.arange(k) * d
        starts = starts[..., None] * n + np.arange(count) * s
    places = table.reshape(-1)[where]
    places += starts
    lead = places.reshape(-1, *counts)
    lead += np.arange(len(lead)).reshape(-1, *(1,) * len(counts)) * math.prod(wide)
    return lead.reshape(-1)


def _window_pick(x, where, kernel, stride, padding, dilation):
    x, where = np.asarray(x), np.asarray(where)
    sizes = x.shape[x.ndim - len(kernel) :]
    places = _flat_places(where, sizes, kernel, stride, padding, dilation)
    return _padded(x, padding, 0).reshape(-1)[places].reshape(where.shape)


def _window_put(y, where, sizes, kernel, stride, padding, dilation):
    y, where = np.asarray(y), np.asarray(where)
    shape = (*where.shape[: where.ndim - len(kernel)], *padded_sizes(sizes, padding))
    places = _flat_places(where, sizes, kernel, stride, padding, dilation)
    if all(s > d * (k - 1) for s, k, d in zip(stride, kernel, dilation)):  # no two windows share an element
        wide = np.zeros(math.prod(shape), y.dtype)
        wide[places] = y.reshape(-1)
    else:
        wide = _added(y.reshape(-1), places, math.prod(shape))
    return np.ascontiguousarray(wide.reshape(shape)[inside(padding, sizes)])


def _added(y, places, size):
    """Numbers added up at their places."""
    if y.dtype.char in "ed":
        return np.bincount(places, y, size).astype(y.dtype, copy=False)
    if y.dtype.char in "FD":
        return (np.bincount(places, y.real, size) + 1j * np.bincount(places, y.imag, size)).astype(y.dtype, copy=False)
    wide = np.zeros(size, y.dtype)
    np.add.at(wide, places, y)
    return wide


# ---------------------------------------------------------------- formulas --


def _put_of(g, x, where, o):
    return window_put.on((g, where), {"sizes": tuple(x.shape[x.ndim - len(o["kernel"]) :]), **o})


def _case(sizes, kernel, stride=None, padding=0, dilation=1):
    n = len(kernel)
    each = lambda value: (value,) * n if isinstance(value, int) else value
    pairs = tuple((p, p) if isinstance(p, int) else p for p in each(padding))
    return sizes, {"kernel": kernel, "stride": each(stride or kernel), "padding": pairs, "dilation": each(dilation)}


_CALLS = [
    _case((5,), (2,)), _case((2, 5), (3,), 1, 1), _case((2, 4, 4), (2, 2)), _case((1, 4, 3), (2, 3), 1, ((1, 0), (1, 2))),
    _case((5, 5), (2, 2), (2, 1), 1, (2, 1)), _case((2, 2, 3), (1, 2, 2), 1), _case((0, 4), (2,)), _case((2, 4), (1,), 2),
]  # fmt: skip


def _counts(sizes, o):
    n = len(sizes) - len(o["kernel"])
    return (*sizes[:n], *window_counts("", sizes[n:], o["kernel"], o["stride"], o["padding"], o["dilation"]))


def _where(sizes, o):
    """Some place of each window, the same for every call."""
    shape = _counts(sizes, o)
    return np.arange(math.prod(shape)).reshape(shape) * 7 % math.prod(o["kernel"])


def _sizes(sizes, o):
    return {"sizes": sizes[len(sizes) - len(o["kernel"]) :], **o}


_SIGNATURE = "kernel, stride, padding, dilation"
_NAN = math.nan

# fmt: off
# ---------------------------------------------------------------- the rows --

window_max = _op(
    "window_max", _window_max, f"x; {_SIGNATURE}", saves="x", batch="same",
    vjp=lambda g, out, x, **o: _put_of(g, x, window_argmax.on((x,), o), o),
    jvp=lambda tangents, out, x, **o: window_pick.on((tangents[0], window_argmax.on((x,), o)), o),
    cases=[case(sizes, **o) for sizes, o in _CALLS],
    doc="The largest element of each window; of equals the first gets the gradient.")
window_argmax = _op(
    "window_argmax", _window_argmax, f"x; {_SIGNATURE}", vjp=None, batch="same",
    cases=[case(sizes, **o) for sizes, o in _CALLS],
    doc="Where in each window its largest element is.")
window_pick = _op(
    "window_pick", _window_pick, f"x, where; {_SIGNATURE}", saves="where",
    jvp=lambda tangents, out, x, where, **o: window_pick.on((tangents[0], where), o),
    batch=lambda many, x, where, **o: window_pick.on(tuple(every(many, x, where)), o),
    vjp=(lambda g, out, x, where, **o: _put_of(g, x, where, o), None),
    cases=[case(sizes, _where(sizes, o), **o) for sizes, o in _CALLS],
    doc="One element of each window.")
window_put = _op(
    "window_put", _window_put, f"y, where; sizes, {_SIGNATURE}", saves="where",
    jvp=lambda tangents, out, y, where, **o: window_put.on((tangents[0], where), o),
    batch=lambda many, y, where, **o: window_put.on(tuple(every(many, y, where)), o),
    vjp=(lambda g, out, y, where, sizes, **o: window_pick.on((g, where), o), None),
    cases=[case(_counts(sizes, o), _where(sizes, o), **_sizes(sizes, o)) for sizes, o in _CALLS],
    doc="Images of a size to which each y is added at one place of its window: the adjoint of `window_pick`.")
# fmt: on
