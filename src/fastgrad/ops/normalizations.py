"""Normalisation: values with mean 0 and variance 1 over some axes, scaled and shifted, as one node."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ._batch import past, ranked
from ._row import TABLE, case, register
from .elementwise import sqrt, square
from .reductions import mean

_op = partial(register, module="fastgrad.nn.functional")


def _mean(x, axis):
    """Over the last axes that follow one another, then over the others: pieces of memory, then those."""
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    last = max(axes, default=0)
    while last and (last - 1 in axes or x.shape[last - 1] == 1):
        last -= 1
    x = np.mean(x, axis=tuple(a for a in axes if a >= last), keepdims=True)
    others = tuple(a for a in axes if a < last)
    return np.mean(x, axis=others, keepdims=True) if others else x


def _standardize(x, w, b, axis, eps, centred):
    x = np.asarray(x)
    if centred and x.dtype.kind == "c":
        raise TypeError(f"normalisation: takes real numbers, not {x.dtype}")
    if centred:
        x = x - _mean(x, axis)
    return x * (1 / np.sqrt(_mean(np.square(x), axis) + eps)) * w + b


def _parts(x, axis, eps, centred):
    """What x is without weights, and its scale, in rows."""
    if centred:
        x = x - mean(x, axis=axis, keepdims=True)
    scale = 1 / sqrt(mean(square(x), axis=axis, keepdims=True) + eps)
    return x * scale, scale


def _standardize_dx(g, out, x, w, b, axis, eps, centred):
    x, scale = _parts(x, axis, eps, centred)
    g = g * w
    inner = g - mean(g, axis=axis, keepdims=True) if centred else g
    return scale * (inner - x * mean(g * x, axis=axis, keepdims=True))


def _standardize_dw(g, out, x, w, b, axis, eps, centred):
    return g * _parts(x, axis, eps, centred)[0]


def _batch(many, x, w, b, axis, eps, centred):
    if not many[0]:
        count = w.shape[0] if many[1] else b.shape[0]
        x = TABLE["broadcast_to"](x, (count, *np.shape(x)))
    w, b = (ranked(v, x.ndim - 1) if is_many else v for v, is_many in zip((w, b), many[1:]))
    return standardize.on((x, w, b), {"axis": past(axis, x), "eps": eps, "centred": centred})


_CASES = [
    case((2, 3), (3,), (3,), axis=(-1,), eps=1e-5, centred=True), case((2, 3), (3,), (3,), axis=(0,), eps=0.1, centred=True),
    case((2, 3, 2), (3, 1), (3, 1), axis=(0, -1), eps=1e-3, centred=True), case((40, 9), (9,), (9,), axis=(0,), eps=1e-3, centred=True),
    case((3, 2, 2), (2, 2), (2, 2), axis=(1, 2), eps=0.01, centred=False), case((0, 3), (3,), (3,), axis=(1,), eps=1e-5, centred=True),
    case((2, 3), (3,), (2, 1), axis=(1,), eps=1e-5, centred=True), case((2, 3, 4), (4,), (1,), axis=(1,), eps=0.1, centred=True),
    case((2, 3), (), (), axis=(1,), eps=0.1, centred=True), case((4, 3), (3,), (), axis=(0,), eps=0.1, centred=True),
]  # fmt: skip

# fmt: off
standardize = _op(
    "standardize", _standardize, "x, w, b; axis, eps, centred", saves="x, w",
    vjp=(_standardize_dx, _standardize_dw, lambda g, out, x, w, b, axis, eps, centred: g), batch=_batch, cases=_CASES,
    doc="x, less its mean over axes where `centred`, over the square root of the mean of its squares and eps; times w, plus b.")
# fmt: on
