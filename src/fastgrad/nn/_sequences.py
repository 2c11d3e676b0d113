"""Losses of sequences."""

from __future__ import annotations

import math

import numpy as np

from ..ops.elementwise import isinf, logaddexp, where
from ..ops.indexing import getitem
from ..ops.shaping import concat
from ._shared import integers, public, reduced, value


def _lists(targets, lengths, count):
    """Targets (N, S), from that shape or one after the other in one axis."""
    if targets.ndim == 2:
        return targets
    rows = np.zeros((count, int(lengths.max(initial=0))), np.intp)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = targets[: lengths.sum()]
    return rows


def _later(alpha, by):
    """Places moved on, with minus infinity in front."""
    lost = np.full((alpha.shape[0], by), -math.inf, alpha.dtype)
    return concat((lost, getitem(alpha, (slice(None), slice(None, -by)))), 1)


@public
def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """Negative log likelihood of sequences of classes, whichever way they are lined up with longer ones of chances.

    `log_probs` (T, N, C) or (T, C) holds logarithms of chances, `targets` (N, S) classes, or all of them in one axis.
    `reduction` "mean" divides each loss by its target's length first. `zero_infinity`: losses that are infinite count
    as 0.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.ctc_loss([[-1.0, -2.0], [-1.5, -0.5]], [1], 2, 1, reduction="sum")
    tensor(1.09239404)
    """
    name, x = "ctc_loss", value(log_probs)
    alone = x.ndim == 2
    x = x[:, None] if alone else x
    if x.ndim != 3:
        raise ValueError(f"{name}: expected log_probs of shape (T, N, C) or (T, C), got {tuple(x.shape)}")
    steps, count, classes = x.shape
    lengths = integers(input_lengths, f"{name}: input_lengths").reshape(-1)
    sizes = integers(target_lengths, f"{name}: target_lengths").reshape(-1)
    targets = integers(targets, f"{name}: targets")
    if not 0 <= blank < classes:
        raise ValueError(f"{name}: blank must be one of {classes} classes, it is {blank}")
    if lengths.shape != (count,) or sizes.shape != (count,) or (count and (lengths.max() > steps or lengths.min() < 0)):
        raise ValueError(
            f"{name}: expected {count} input_lengths of at most {steps} and as many target_lengths, got {lengths} and "
            f"{sizes}"
        )
    rows = _lists(targets[None] if alone and targets.ndim == 1 else targets, sizes, count)
    if rows.shape[0] != count or (count and (sizes.max() > rows.shape[1] or sizes.min() < 0)):
        raise ValueError(f"{name}: targets of shape {targets.shape} for target_lengths {sizes}")
    if rows.size and (rows.min() < 0 or rows.max() >= classes):
        raise IndexError(f"{name}: classes from {rows.min()} to {rows.max()}, but there are {classes}")
    # places: the classes, with a blank before, between and after
    places = np.full((count, 2 * rows.shape[1] + 1), blank)
    places[:, 1::2] = rows
    skips = np.zeros(places.shape, bool)  # where the blank before may be left out
    skips[:, 3::2] = rows[:, 1:] != rows[:, :-1]
    n = np.arange(count)
    chances = getitem(x, (slice(None), n[:, None], places))
    alpha = where(np.arange(places.shape[1]) < np.minimum(2 * sizes + 1, 2)[:, None], chances[0], -math.inf)
    for t in range(1, steps):
        moved = logaddexp(alpha, _later(alpha, 1)) if places.shape[1] > 1 else alpha
        if places.shape[1] > 2:
            moved = logaddexp(moved, where(skips, _later(alpha, 2), -math.inf))
        alpha = where((t < lengths)[:, None], moved + chances[t], alpha)
    last = getitem(alpha, (n, 2 * sizes))
    before = where(sizes > 0, getitem(alpha, (n, np.maximum(2 * sizes - 1, 0))), -math.inf)
    losses = -logaddexp(last, before)
    if (lengths == 0).any():
        losses = where(lengths > 0, losses, np.where(sizes == 0, 0.0, math.inf).astype(x.dtype))
    if zero_infinity:
        losses = where(isinf(losses), 0.0, losses)
    if reduction == "mean":
        losses = losses / np.maximum(sizes, 1).astype(x.dtype)
    return reduced(name, losses[0] if alone and reduction == "none" else losses, reduction)


__all__ = ["ctc_loss"]
