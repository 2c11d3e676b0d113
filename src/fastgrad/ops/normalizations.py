"""Normalisation: values with mean 0 and variance 1 over some axes, as one node."""

from __future__ import annotations

from functools import partial

import numpy as np

from ._batch import past
from ._row import case, register
from .elementwise import sqrt, square
from .reductions import mean

_op = partial(register, module="fastgrad.nn.functional")


def _standardize(x, axis, eps, centred):
    x = np.asarray(x)
    if centred and x.dtype.kind == "c":
        raise TypeError(f"normalisation: takes real numbers, not {x.dtype}")
    if centred:
        x = x - np.mean(x, axis=axis, keepdims=True)
    return x / np.sqrt(np.mean(np.square(x), axis=axis, keepdims=True) + eps)


def _standardize_rows(x, axis, eps, centred):
    if centred:
        x = x - mean(x, axis=axis, keepdims=True)
    return x / sqrt(mean(square(x), axis=axis, keepdims=True) + eps)


def _scale(x, axis, eps, centred):
    """One over what x is divided by, in rows."""
    if centred:
        x = x - mean(x, axis=axis, keepdims=True)
    return 1 / sqrt(mean(square(x), axis=axis, keepdims=True) + eps)


def _standardize_dx(g, out, x, axis, eps, centred):
    along = mean(g * out, axis=axis, keepdims=True)
    inner = g - mean(g, axis=axis, keepdims=True) if centred else g
    return _scale(x, axis, eps, centred) * (inner - out * along)


# fmt: off
standardize = _op(
    "standardize", _standardize, "x; axis, eps, centred", saves="out, x", vjp=_standardize_dx, rowwise=_standardize_rows,
    batch=lambda many, x, axis, eps, centred: standardize(x, past(axis, x), eps, centred),
    cases=[case((2, 3), axis=(-1,), eps=1e-5, centred=True), case((2, 3), axis=(0,), eps=0.1, centred=True),
           case((2, 3, 2), axis=(0, -1), eps=1e-3, centred=True), case((2, 3), axis=(1,), eps=1e-5, centred=False),
           case((3, 2, 2), axis=(1, 2), eps=0.01, centred=False), case((0, 3), axis=(1,), eps=1e-5, centred=True)],
    doc="x, less its mean over axes where `centred`, over the square root of the mean of its squares and eps.")
# fmt: on
