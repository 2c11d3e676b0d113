"""Losses: how far what a model gave is from what it should have been."""

from __future__ import annotations

import math
import warnings

import numpy as np

from .._backend import function as _top
from ..ops.classes import of_class
from ..ops.elementwise import sqrt, where
from ..ops.indexing import getitem
from ..ops.reductions import mean, sum
from ..ops.shaping import reshape
from ._convolutions import linear
from ._distances import pairwise_distance
from ._shared import array, integers, like, public, real, reduced, run, value, values

# ---------------------------------------------------------------- of single elements --


def _pair(name, input, target):
    input, target = values(name, (input, target))
    if tuple(input.shape) != tuple(target.shape):
        try:
            np.broadcast_shapes(tuple(input.shape), tuple(target.shape))
        except ValueError:
            raise ValueError(
                f"{name}: input of shape {tuple(input.shape)} and target of shape {tuple(target.shape)}"
            ) from None
        warnings.warn(
            f"{name}: input of shape {tuple(input.shape)} and target of shape {tuple(target.shape)} are broadcast, "
            "which is seldom meant",
            stacklevel=4,
        )
    return like(input, target), like(target, input)


def _weighted(name, losses, weight, reduction):
    """Losses with a weight for each element, over which their mean is taken."""
    if weight is None:
        return reduced(name, losses, reduction)
    weight = value(weight)
    if tuple(weight.shape) != tuple(losses.shape):
        raise ValueError(f"{name}: losses of shape {tuple(losses.shape)} and weight of shape {tuple(weight.shape)}")
    losses = losses * weight
    return sum(losses) / sum(weight) if reduction == "mean" else reduced(name, losses, reduction)


@public
def mse_loss(input, target, reduction="mean", weight=None):
    """Mean squared error.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.mse_loss([1.0, 2.0], [1.0, 4.0])
    tensor(2.)
    """
    input, target = _pair("mse_loss", input, target)
    return _weighted("mse_loss", run("square_terms", input, target), weight, reduction)


@public
def l1_loss(input, target, reduction="mean", weight=None):
    """Mean absolute error.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.l1_loss([1.0, 2.0], [1.0, 4.0])
    tensor(1.)
    """
    input, target = _pair("l1_loss", input, target)
    return _weighted("l1_loss", run("absolute_terms", input, target), weight, reduction)


@public
def smooth_l1_loss(input, target, reduction="mean", beta=1.0):
    """Absolute error less beta / 2, and below beta half the squared error over beta.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.smooth_l1_loss([1.0, 2.0], [2.0, 5.0], reduction="none")
    tensor([0.5, 2.5])
    """
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, it is {beta}")
    input, target = _pair("smooth_l1_loss", input, target)
    real("smooth_l1_loss", input, target)
    return reduced("smooth_l1_loss", run("smooth_l1_terms", input, target, beta=float(beta)), reduction)


@public
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Half the squared error up to delta, and linear beyond.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.huber_loss([1.0, 2.0], [2.0, 5.0], reduction="none")
    tensor([0.5, 2.5])
    """
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, it is {delta}")
    input, target = _pair("huber_loss", input, target)
    real("huber_loss", input, target)
    losses = run("huber_terms", input, target, delta=float(delta))
    if weight is not None and reduction == "mean":  # as PyTorch's, over the number of losses
        return mean(_weighted("huber_loss", losses, weight, "none"))
    return _weighted("huber_loss", losses, weight, reduction)


@public
def binary_cross_entropy(input, target, weight=None, reduction="mean"):
    """Cross entropy of chances `target` under chances `input`; logarithms are taken to be at least -100.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.binary_cross_entropy([0.5, 0.5], [0.5, 1.0])
    tensor(0.69314718)
    """
    input, target = values("binary_cross_entropy", (input, target))
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"binary_cross_entropy: input of shape {tuple(input.shape)} and target of shape {tuple(target.shape)}"
        )
    chances = array(input.detach(), "binary_cross_entropy: input")
    if isinstance(chances, np.ndarray) and chances.size and not (chances.min() >= 0 and chances.max() <= 1):
        raise ValueError("binary_cross_entropy: all elements of input must be between 0 and 1")
    losses = run("chance_terms", input, like(target, input))
    return reduced("binary_cross_entropy", losses if weight is None else losses * value(weight), reduction)


@public
def binary_cross_entropy_with_logits(input, target, weight=None, reduction="mean", pos_weight=None):
    """Cross entropy of chances `target` under sigmoid(input), without overflow.

    `pos_weight` has a number for each class, by which what the target's ones contribute is multiplied.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.binary_cross_entropy_with_logits([-1000.0, 1000.0], [0.0, 1.0])
    tensor(0.)
    """
    name = "binary_cross_entropy_with_logits"
    input, target = values(name, (input, target))
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(f"{name}: input of shape {tuple(input.shape)} and target of shape {tuple(target.shape)}")
    target = like(target, input)
    if pos_weight is None:
        losses = run("logistic_loss", input, target)
    else:
        losses = run("weighted_logistic_loss", input, target, value(pos_weight))
    return reduced(name, losses if weight is None else losses * value(weight), reduction)


@public
def kl_div(input, target, reduction="mean", log_target=False):
    """Kullback-Leibler divergence of chances `target` from chances whose logarithms are `input`.

    `reduction` may be "batchmean" too, the sum over the number of examples. `log_target`: `target` holds logarithms
    too.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.kl_div([[0.0, 0.0]], [[1.0, 0.0]], reduction="batchmean")
    tensor(0.)
    """
    input, target = values("kl_div", (input, target))
    real("kl_div", input, target)
    target = like(target, input)
    losses = run("kl_terms", input, target, log_target=bool(log_target))
    if reduction == "batchmean":
        return sum(losses) / (input.shape[0] if input.ndim else 1)
    return reduced("kl_div", losses, reduction)


@public
def poisson_nll_loss(input, target, log_input=True, full=False, eps=1e-8, reduction="mean"):
    """Negative log likelihood of counts `target`, of which exp(input) are expected (`log_input` False: `input`).

    `full` adds Stirling's approximation of log(target!), for counts above 1.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.poisson_nll_loss([0.0], [2.0])
    tensor(1.)
    """
    input, target = values("poisson_nll_loss", (input, target))
    real("poisson_nll_loss", input, target)
    options = {"log_input": bool(log_input), "full": bool(full), "eps": float(eps)}
    return reduced("poisson_nll_loss", run("poisson_terms", input, like(target, input), **options), reduction)


@public
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """Negative log likelihood of `target` under normal distributions of mean `input` and variance `var`.

    `var` is one number, or has the shape of `input`, or that without the last axis, or with size 1 there. `full` adds
    the constant, log(2 pi) / 2.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.gaussian_nll_loss([0.0], [2.0], 1.0)
    tensor(2.)
    """
    input, target = values("gaussian_nll_loss", (input, target))
    real("gaussian_nll_loss", input, target)
    shape = tuple(input.shape)
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("gaussian_nll_loss: var has negative elements")
        var = value(np.full(shape, var, input.dtype))
    var = value(var)
    known = array(var.detach(), "gaussian_nll_loss: var")
    if isinstance(known, np.ndarray) and (known < 0).any():
        raise ValueError("gaussian_nll_loss: var has negative elements")
    if tuple(var.shape) != shape:
        if tuple(var.shape) == shape[:-1]:
            var = reshape(var, (*var.shape, 1))
        elif not (var.ndim == len(shape) and tuple(var.shape[:-1]) == shape[:-1] and var.shape[-1] == 1):
            raise ValueError(f"gaussian_nll_loss: input of shape {shape} and var of shape {tuple(var.shape)}")
    losses = run("gaussian_terms", input, like(target, input), like(var, input), full=bool(full), eps=float(eps))
    return reduced("gaussian_nll_loss", losses, reduction)


@public
def hinge_embedding_loss(input, target, margin=1.0, reduction="mean"):
    """input where target is 1; what input lacks of the margin where target is -1.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.hinge_embedding_loss([0.25, 0.25], [1, -1], reduction="none")
    tensor([0.25, 0.75])
    """
    input, target = values("hinge_embedding_loss", (input, target))
    losses = run("hinge_terms", input, target.detach(), margin=float(margin))
    return reduced("hinge_embedding_loss", losses, reduction)


@public
def soft_margin_loss(input, target, reduction="mean"):
    """log(1 + exp(-target * input)), of targets 1 and -1.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.soft_margin_loss([1000.0, -1000.0], [1, -1])
    tensor(0.)
    """
    input, target = _pair("soft_margin_loss", input, target)
    return reduced("soft_margin_loss", run("soft_margin_terms", input, target), reduction)


@public
def margin_ranking_loss(input1, input2, target, margin=0.0, reduction="mean"):
    """By how much input1 - input2, times target (1 or -1), falls short of the margin.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.margin_ranking_loss([1.0], [3.0], [1])
    tensor(2.)
    """
    input1, input2, target = values("margin_ranking_loss", (input1, input2, target))
    if not input1.ndim == input2.ndim == target.ndim:
        raise ValueError(
            f"margin_ranking_loss: inputs of shapes {tuple(input1.shape)} and {tuple(input2.shape)} and target of "
            f"shape {tuple(target.shape)}: expected the same number of axes"
        )
    losses = run("margin_terms", input1, input2, like(target, input1), margin=float(margin))
    return reduced("margin_ranking_loss", losses, reduction)


# ---------------------------------------------------------------- of classes --


def _class_axis(name, x):
    if not x.ndim:
        raise ValueError(f"{name}: expected at least one axis, of classes, got a 0-d array")
    return 1 if x.ndim > 1 else 0


def _class_weights(name, weight, x, axis):
    """A weight for each class, and the same in the shape of x."""
    if weight is None:
        return None, None
    weight = value(weight)
    if tuple(weight.shape) != (x.shape[axis],):
        raise ValueError(f"{name}: expected a weight of shape ({x.shape[axis]},), got {tuple(weight.shape)}")
    return weight, reshape(weight, (x.shape[axis],) + (1,) * (x.ndim - 1 - axis))


def _of_classes(name, logs, target, weight, ignore_index, reduction, smoothing=0.0):
    """Losses of classes, given the logarithms of their chances."""
    axis = _class_axis(name, logs)
    weight, spread = _class_weights(name, weight, logs, axis)
    counts = target != ignore_index
    if isinstance(counts, np.ndarray) and counts.all():
        counts = None  # all of them
    known = target if counts is None else where(counts, target, 0)
    losses = -logs[of_class(tuple(logs.shape), known, axis)]
    weights = None if weight is None else getitem(weight, (known,))
    if weights is not None:
        losses = losses * weights
    if smoothing:
        even = -sum(logs if spread is None else logs * spread, axis=axis) * (smoothing / logs.shape[axis])
        losses = losses * (1 - smoothing) + even
    if counts is not None:
        losses = where(counts, losses, 0.0)
    if reduction != "mean" or (counts is None and weights is None):
        return reduced(name, losses, reduction)
    if weights is None:
        weights = where(counts, np.ones((), logs.dtype), np.zeros((), logs.dtype))
    elif counts is not None:
        weights = where(counts, weights, 0.0)
    return sum(losses) / sum(weights)


@public
def nll_loss(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """Negative log likelihood of classes, given the logarithms of their chances: (N, C, ...) or (C,).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.nll_loss([[-1.0, -2.0]], [1])
    tensor(2.)
    """
    return _of_classes("nll_loss", value(input), integers(target, "nll_loss: target"), weight, ignore_index, reduction)


@public
def cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Cross entropy of classes, or of their chances, under softmax(input): scores of shape (N, C, ...) or (C,).

    An integer `target` holds classes, of the shape of `input` without C; any other holds chances, of the
    shape of `input`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.cross_entropy([[0.0, 1000.0]], [1])
    tensor(0.)
    """
    x, name = value(input), "cross_entropy"
    axis = _class_axis(name, x)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"{name}: label_smoothing must be between 0 and 1, it is {label_smoothing}")
    y = target if hasattr(type(target), "_apply_op") else np.asarray(target)
    if y.dtype.kind in "iu":
        if weight is None and not label_smoothing:
            return run("class_loss", x, y, axis=axis, ignore_index=ignore_index, reduction=reduction)
        logs = _top("log_softmax")(x, axis=axis)
        y = integers(y, f"{name}: target")
        return _of_classes(name, logs, y, weight, ignore_index, reduction, label_smoothing)
    y = value(y)
    if tuple(y.shape) != tuple(x.shape):
        raise ValueError(
            f"{name}: chances of shape {tuple(y.shape)} for scores of shape {tuple(x.shape)} (classes must be "
            f"integers, not {y.dtype})"
        )
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / x.shape[axis]
    terms = _top("log_softmax")(x, axis=axis) * y
    _, spread = _class_weights(name, weight, x, axis)
    losses = -sum(terms if spread is None else terms * spread, axis=axis)
    if reduction == "mean":
        return sum(losses) / (losses.size or math.nan)
    return reduced(name, losses, reduction)


@public
def linear_cross_entropy(
    input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean", ignore_index=None,
    label_smoothing=0.0, options=None,
):  # fmt: skip
    """`cross_entropy` of `linear`; a weight (C, ..., n) gives classes for several targets at once.

    `options` must be None.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.linear_cross_entropy([[1.0]], [[0.0], [1000.0]], [1])
    tensor(0.)
    """
    if options is not None:
        raise TypeError("linear_cross_entropy: there are no options")
    input, linear_weight, linear_bias = values("linear_cross_entropy", (input, linear_weight), linear_bias)
    shape = tuple(linear_weight.shape[:-1])
    flat = reshape(linear_weight, (math.prod(shape), linear_weight.shape[-1]))
    scores = reshape(linear(input, flat), (*input.shape[:-1], *shape))
    if linear_bias is not None:
        scores = scores + reshape(linear_bias, (*linear_bias.shape, *(1,) * (len(shape) - linear_bias.ndim)))
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(scores, target, weight, ignored, reduction, label_smoothing)


def _rows_of(name, x, target_ndim):
    """Scores (N, C), and whether they were given as (C,), or one alone."""
    if not x.ndim:
        return reshape(x, (1, 1)), True
    if x.ndim not in (1, 2) or target_ndim not in (x.ndim, x.ndim - 1):
        raise ValueError(f"{name}: expected scores of shape (N, C) or (C,), got {tuple(x.shape)}")
    return (x[None], True) if x.ndim == 1 else (x, False)


@public
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, reduction="mean"):
    """By how much each score falls short of that of the right class less the margin, to the power p (1 or 2).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.multi_margin_loss([[1.0, 1.0]], [1])
    tensor(0.5)
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise ValueError(f"{name}: p must be 1 or 2, it is {p}")
    x, y = value(input), integers(target, f"{name}: target")
    real(name, x)
    x, alone = _rows_of(name, x, x.ndim - 1)
    y = y.reshape(x.shape[0])
    index = of_class(tuple(x.shape), y, 1)
    short = run("margin_terms", getitem(x, index)[:, None], x, 1.0, margin=float(margin))
    short = short if p == 1 else short**2
    if weight is not None:
        short = short * getitem(value(weight), (y,))[:, None]
    others = np.arange(x.shape[1]) != y[:, None]
    losses = sum(where(others, short, 0.0), axis=1) / x.shape[1]
    return reduced(name, losses[0] if alone and reduction == "none" else losses, reduction)


@public
def multilabel_margin_loss(input, target, reduction="mean"):
    """By how much each score of a wrong class falls short of each right one's, less 1.

    `target` lists the right classes, up to a -1.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.multilabel_margin_loss([[1.0, 1.0]], [[1, -1]])
    tensor(0.5)
    """
    name = "multilabel_margin_loss"
    x, y = value(input), integers(target, f"{name}: target")
    real(name, x)
    if tuple(y.shape) != tuple(x.shape):
        raise ValueError(f"{name}: scores of shape {tuple(x.shape)} and target of shape {tuple(y.shape)}")
    x, alone = _rows_of(name, x, y.ndim)
    y = y.reshape(x.shape)
    if y.size and (y.min() < -1 or y.max() >= x.shape[1]):
        raise IndexError(f"{name}: classes from {y.min()} to {y.max()}, but there are {x.shape[1]}")
    listed = np.cumsum(y < 0, axis=1) == 0
    right = np.zeros(x.shape, bool)
    n = np.arange(len(y))[:, None]
    right[np.broadcast_to(n, y.shape)[listed], y[listed]] = True
    scores = getitem(x, (n, np.where(listed, y, 0)))
    short = run("margin_terms", scores[:, :, None], x[:, None, :], 1.0, margin=1.0)
    losses = sum(where(listed[:, :, None] & ~right[:, None, :], short, 0.0), axis=(1, 2)) / x.shape[1]
    return reduced(name, losses[0] if alone and reduction == "none" else losses, reduction)


@public
def multilabel_soft_margin_loss(input, target, weight=None, reduction="mean"):
    """Mean over classes of the cross entropy of whether each is right (1) or not (0), under sigmoid(input).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.multilabel_soft_margin_loss([[1000.0, -1000.0]], [[1.0, 0.0]])
    tensor(0.)
    """
    input, target = values("multilabel_soft_margin_loss", (input, target))
    losses = run("logistic_loss", input, like(target, input))
    losses = losses if weight is None else losses * value(weight)
    return reduced("multilabel_soft_margin_loss", mean(losses, axis=-1), reduction)


# ---------------------------------------------------------------- of vectors --


@public
def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction="mean"):
    """1 - cosine where target is 1; where it is -1, the cosine less the margin, if positive.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.cosine_embedding_loss([[1.0, 0.0]], [[0.0, 1.0]], [1])
    tensor(1.)
    """
    input1, input2, target = values("cosine_embedding_loss", (input1, input2, target))
    axis = target.ndim
    if axis not in (0, 1) or not input1.ndim == input2.ndim == axis + 1:
        raise ValueError(
            f"cosine_embedding_loss: inputs of shapes {tuple(input1.shape)} and {tuple(input2.shape)} and target of "
            f"shape {tuple(target.shape)}: expected (N, D), (N, D) and (N,), or (D,), (D,) and ()"
        )
    tiny = 1e-12  # in PyTorch's own way, which differs from `cosine_similarity` near 0
    square1, square2 = sum(input1 * input1, axis=axis) + tiny, sum(input2 * input2, axis=axis) + tiny
    cosine = sum(input1 * input2, axis=axis) / sqrt(square1 * square2)
    losses = run("cosine_terms", cosine, target.detach(), margin=float(margin))
    return reduced("cosine_embedding_loss", losses, reduction)


@public
def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, reduction="mean"):
    """By how much the anchor is not nearer to `positive` than to `negative` by the margin.

    `swap`: the distance from `positive` to `negative` counts where it is the smaller.

    Examples
    --------
    >>> import fastgrad as fg
    >>> loss = fg.nn.functional.triplet_margin_loss([0.0], [1.0], [3.0], margin=3.0)
    >>> round(loss.item(), 6)
    1.0
    """
    distance = lambda x, y: pairwise_distance(x, y, p, eps)
    return _triplet("triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction)


@public
def triplet_margin_with_distance_loss(
    anchor, positive, negative, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """`triplet_margin_loss` with a distance of one's own (None: `pairwise_distance`).

    Examples
    --------
    >>> import fastgrad as fg
    >>> far = lambda x, y: fg.sum(fg.abs(x - y), axis=-1)
    >>> fg.nn.functional.triplet_margin_with_distance_loss([0.0], [1.0], [3.0], distance_function=far, margin=3.0)
    tensor(1.)
    """
    distance = pairwise_distance if distance_function is None else distance_function
    name = "triplet_margin_with_distance_loss"
    if margin <= 0:
        raise ValueError(f"{name}: margin must be positive, it is {margin}")
    return _triplet(name, anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(name, anchor, positive, negative, distance, margin, swap, reduction):
    anchor, positive, negative = values(name, (anchor, positive, negative))
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ValueError(
            f"{name}: anchor, positive and negative of shapes {tuple(anchor.shape)}, {tuple(positive.shape)} and "
            f"{tuple(negative.shape)}: expected the same number of axes"
        )
    far = distance(anchor, negative)
    if swap:
        far = _top("minimum")(far, distance(positive, negative))
    losses = run("triplet_terms", distance(anchor, positive), far, margin=float(margin))
    return reduced(name, losses, reduction)


__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy",
    "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy",
    "margin_ranking_loss", "mse_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss",
    "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip
