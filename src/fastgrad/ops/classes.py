"""Losses of classes: cross entropy as one node, of integers or of chances."""

from __future__ import annotations

import math

import numpy as np

from ._batch import every
from ._doc import doc as _doc
from ._row import case
from ._row import register as _op
from .composites import log_softmax, softmax
from .elementwise import exp, log, where
from .reductions import peak, sum
from .shaping import astype, expand_dims

# ---------------------------------------------------------------- of integers --


NO_CLASS = -(1 << 63)  # what is ignored where nothing is


def of_class(shape, y, axis):
    """The index of the score of each class of y, in scores of a shape."""
    lifted = hasattr(type(y), "_lifts")  # the classes of many examples (`fastgrad.func`), which cannot be looked at
    y = y if lifted else np.asarray(y)
    axis %= len(shape)
    batch = shape[:axis] + shape[axis + 1 :]
    if y.shape != batch:
        raise ValueError(f"cross_entropy: classes of shape {y.shape} for scores of shape {shape}, expected {batch}")
    if not lifted and y.size and (y.min() < 0 or y.max() >= shape[axis]):
        raise IndexError(f"cross_entropy: classes from {y.min()} to {y.max()}, but there are {shape[axis]}")
    index = [np.arange(n).reshape((n,) + (1,) * (len(batch) - 1 - i)) for i, n in enumerate(batch)]
    return (*index[:axis], y, *index[axis:])


def check_reduction(name, reduction):
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{name}: reduction must be "mean", "sum" or "none", not {reduction!r}')


def _class_loss(x, y, axis, ignore_index, reduction):
    check_reduction("cross_entropy", reduction)
    x, counts = np.asarray(x), np.asarray(y) != ignore_index
    index = of_class(x.shape, np.where(counts, y, 0), axis)
    losses = -log_softmax(x, axis)[index]
    losses = np.where(counts, losses, np.zeros((), losses.dtype))
    if reduction == "none":
        return losses
    if reduction == "mean" and counts.all():
        return np.mean(losses)
    return np.sum(losses) if reduction == "sum" else np.sum(losses) / losses.dtype.type(np.count_nonzero(counts))


def softmax_parts(x, axis=-1):
    """Of what the losses and the softmax of rows are made: exp(x - top), its sum, top, and the logarithm of the sum."""
    top = peak(x, axis)
    e = exp(x - top)
    total = sum(e, axis=axis, keepdims=True)
    return e, total, top, log(total)


def class_slope(g, chances, y, axis, ignore_index, reduction):
    """The cotangent of the scores, given their softmax."""
    counts = y != ignore_index
    if reduction == "mean":
        g = g / sum(astype(counts, g.dtype))
    if reduction == "none":
        g = expand_dims(g, axis)
    ndim = len(chances.shape)
    axis %= ndim
    classes = np.arange(chances.shape[axis]).reshape((-1,) + (1,) * (ndim - 1 - axis))
    slope = where(expand_dims(y, axis) == classes, chances - 1, chances)
    return where(expand_dims(counts, axis), slope * g, 0)


def _class_loss_dx(g, out, x, y, axis, ignore_index, reduction):
    return class_slope(g, softmax(x, axis), y, axis, ignore_index, reduction)


def _class_loss_batch(many, x, y, axis, ignore_index, reduction):
    x, y = every(many, x, y)
    losses = class_loss(x, y, axis % (x.ndim - 1) + 1, ignore_index, "none")
    if reduction == "none":
        return losses
    axes = tuple(range(1, losses.ndim))
    total = sum(losses, axis=axes)
    return total / sum(astype(y != ignore_index, losses.dtype), axis=axes) if reduction == "mean" else total


# ---------------------------------------------------------------- of either --


def _cross_entropy(x, y, reduction="mean"):
    """The class axis is 1, or 0 where there is no batch. Integer `y`: classes; otherwise: their probabilities."""
    axis = 1 if x.ndim > 1 else 0
    y = y if hasattr(y, "dtype") else np.asarray(y)
    if y.dtype.kind in "iu":
        return class_loss(x, y, axis, NO_CLASS, reduction)
    if y.shape != x.shape:
        raise ValueError(
            f"cross_entropy: probabilities of shape {y.shape} for scores of shape {x.shape} "
            f"(classes must be integers, not {y.dtype})"
        )
    check_reduction("cross_entropy", reduction)
    losses = -sum(y * log_softmax(x, axis), axis=axis)
    if reduction == "mean":
        return sum(losses) / (losses.size or math.nan)
    return sum(losses) if reduction == "sum" else losses


_ONE_HOT = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
_OPTIONS = {"axis": 1, "ignore_index": -100}

# fmt: off
class_loss = _op("class_loss", _class_loss, "x, y; axis=1, ignore_index=-100, reduction='mean'",
                 vjp=(_class_loss_dx, None), saves="x, y", batch=_class_loss_batch,
                 cases=[case((2, 3), np.array([0, 2]), reduction="mean", **_OPTIONS),
                        case((3,), np.array(1), axis=0, ignore_index=-100, reduction="sum"),
                        case((4, 3), np.array([0, 1, 2, 1]), axis=-1, ignore_index=1, reduction="mean"),
                        case((4, 3), np.array([0, -100, 2, 1]), reduction="none", **_OPTIONS),
                        case((2, 3, 2), np.array([[0, 2], [1, 1]]), reduction="mean", **_OPTIONS),
                        case((2, 3, 2), np.array([[0, 2], [-100, 1]]), reduction="none", **_OPTIONS),
                        case((0, 3), np.zeros(0, int), reduction="sum", **_OPTIONS)],
                 doc="Cross entropy of integer classes y along an axis of scores x; one that is to be ignored counts for nothing.")
cross_entropy = _op("cross_entropy", _cross_entropy, "x, y; reduction='mean'",
                    cases=[case((2, 3), np.array([0, 2])), case((3,), np.array(1)),
                           case((2, 3, 2), np.array([[0, 2], [1, 1]])),
                           case((2, 3), np.array([1, 1]), reduction="sum"),
                           case((2, 3), np.array([1, 0]), reduction="none"),
                           case((2, 3), _ONE_HOT), case((3,), _ONE_HOT[0]), case((2, 3), (2, 3), reduction="sum")],
                    doc=_doc("Cross entropy of classes, or of their probabilities, under softmax(x).",
                             "cross_entropy([[0., 1000.]], [1])", "tensor(0.)",
                             "x holds scores, of shape (C,), (N, C) or (N, C, ...).\n"
                             "Integer y holds classes, of the shape of x without C (IndexError: not in range(C)).\n"
                             "Any other y holds probabilities, of the shape of x."))
# fmt: on
