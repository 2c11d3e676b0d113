"""Normalisation, dropout and embeddings."""

from __future__ import annotations

import numpy as np

from .._backend import backend
from ..autograd import no_grad
from ..ops.elementwise import where
from ..ops.indexing import getitem
from ..ops.reductions import argmax, mean, sum, var
from ..ops.resampling import window_sum
from ..ops.shaping import reshape
from . import _random
from ._shared import array, integers, public, run, value, values

# ---------------------------------------------------------------- normalisation --


def _standardized(x, weight, bias, axis, eps, centred=True):
    """Mean 0 and variance 1 over axes, scaled and shifted by weights and biases that are optional."""
    weight, bias = 1.0 if weight is None else weight, 0.0 if bias is None else bias
    return run("standardize", x, weight, bias, axis=axis, eps=eps, centred=centred)


def _scaled(x, weight, bias, shape):
    """x * weight + bias, vectors that are optional and have to be given a shape."""
    weight, bias = _shaped(weight, bias, shape)
    if weight is not None and bias is not None:
        return run("affine", x, weight, bias)
    return x * weight if weight is not None else x + bias if bias is not None else x


def _shaped(weight, bias, shape):
    return [vector if vector is None or len(shape) == 1 else reshape(vector, shape) for vector in (weight, bias)]


def _check_vectors(name, channels, **vectors):
    for what, vector in vectors.items():
        if vector is not None and tuple(vector.shape) != (channels,):
            raise ValueError(f"{name}: expected a {what} of shape ({channels},), got {tuple(vector.shape)}")


def _last_axes(name, x, normalized_shape, **others):
    shape = normalized_shape
    if type(shape) is not tuple:
        shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    shape = tuple(map(int, shape))
    if not shape or tuple(x.shape[x.ndim - len(shape) :]) != shape or x.ndim < len(shape):
        raise ValueError(f"{name}: input of shape {tuple(x.shape)} does not end in normalized_shape, {shape}")
    for what, other in others.items():
        if other is not None and tuple(other.shape) != shape:
            raise ValueError(f"{name}: expected a {what} of shape {shape}, got {tuple(other.shape)}")
    return tuple(range(-len(shape), 0))


@public
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """x with mean 0 and variance 1 over the last axes, times weight, plus bias.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.layer_norm([[1.0, 3.0]], 2, eps=0.0)
    tensor([[-1.,  1.]])
    """
    x, weight, bias = values("layer_norm", (input,), weight, bias)
    axis = _last_axes("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    return _standardized(x, weight, bias, axis, eps)


@public
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """x over the root of its mean square over the last axes, times weight; eps None: that of the dtype.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.rms_norm([[1.0, -1.0]], 2, eps=0.0)
    tensor([[ 1., -1.]])
    """
    x, weight = values("rms_norm", (input,), weight)
    axis = _last_axes("rms_norm", x, normalized_shape, weight=weight)
    eps = float(np.finfo(x.dtype).eps) if eps is None and x.dtype.kind in "fc" else eps or 0.0
    return _standardized(x, weight, None, axis, eps, centred=False)


@public
def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """x (N, C, ...) with mean 0 and variance 1 for each channel, times weight, plus bias.

    In training the moments are those of `input`, and are added into the running ones; else they are the running ones.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.batch_norm([[1.0], [3.0]], None, None, training=True, eps=0.0)
    tensor([[-1.],
            [ 1.]])
    """
    x, weight, bias = values("batch_norm", (input,), weight, bias)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: expected at least two axes, got shape {tuple(x.shape)}")
    channels = x.shape[1]
    _check_vectors("batch_norm", channels, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm: running_mean and running_var are needed where training is False")
    axes, shape = (0, *range(2, x.ndim)), (channels,) + (1,) * (x.ndim - 2)
    if not training:
        centre, spread = value(running_mean), value(running_var)
        x = (x - reshape(centre, shape)) / (reshape(spread, shape) + eps) ** 0.5
        return _scaled(x, weight, bias, shape)
    count = x.size // max(channels, 1)
    if count == 1:
        raise ValueError(f"batch_norm: expected more than one value for each channel in training, got {tuple(x.shape)}")
    _follow(x, axes, count, running_mean, running_var, momentum)
    return _standardized(x, *_shaped(weight, bias, shape), axes, eps)


def _follow(x, axes, count, running_mean, running_var, momentum):
    """Add moments into the running ones, in place."""
    x = x.detach()
    for running, now in ((running_mean, lambda: mean(x, axis=axes)), (running_var, lambda: var(x, axis=axes))):
        if running is None:
            continue
        found = now() * (count / max(count - 1, 1)) if running is running_var else now()
        with no_grad():
            if isinstance(running, np.ndarray):
                running *= 1 - momentum
                running += momentum * found.numpy()
            else:
                running.mul_(1 - momentum).add_(found * momentum)


@public
def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
):
    """x (N, C, ...) with mean 0 and variance 1 for each channel of each example, times weight, plus bias.

    `use_input_stats` False: the running moments are used instead.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.instance_norm([[[1.0, 3.0]]], eps=0.0)
    tensor([[[-1.,  1.]]])
    """
    x, weight, bias = values("instance_norm", (input,), weight, bias)
    if x.ndim < 3:
        raise ValueError(f"instance_norm: expected at least three axes, got shape {tuple(x.shape)}")
    channels, axes = x.shape[1], tuple(range(2, x.ndim))
    _check_vectors(
        "instance_norm", channels, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var
    )
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    count = int(np.prod(x.shape[2:]))
    if count == 1:
        raise ValueError(f"instance_norm: expected more than one value for each channel, got {tuple(x.shape)}")
    for running, kind in ((running_mean, "mean"), (running_var, "var")):
        if running is not None:
            still = x.detach()
            found = mean(still, axis=axes) if kind == "mean" else var(still, axis=axes) * (count / (count - 1))
            with no_grad():
                new = mean(found, axis=0)
                if isinstance(running, np.ndarray):
                    running[...] = (1 - momentum) * running + momentum * new.numpy()
                else:
                    running.mul_(1 - momentum).add_(new * momentum)
    return _scaled(_standardized(x, None, None, axes, eps), weight, bias, (channels,) + (1,) * (x.ndim - 2))


@public
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """x (N, C, ...) with mean 0 and variance 1 for each group of channels of each example, times weight, plus bias.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.group_norm([[1.0, 3.0]], 1, eps=0.0)
    tensor([[-1.,  1.]])
    """
    x, weight, bias = values("group_norm", (input,), weight, bias)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(
            f"group_norm: the channels (axis 1) of {tuple(x.shape)} do not divide into {num_groups} groups"
        )
    channels = x.shape[1]
    _check_vectors("group_norm", channels, weight=weight, bias=bias)
    groups = reshape(x, (x.shape[0], num_groups, channels // num_groups, *x.shape[2:]))
    out = _standardized(groups, None, None, tuple(range(2, groups.ndim)), eps)
    return _scaled(reshape(out, x.shape), weight, bias, (channels,) + (1,) * (x.ndim - 2))


@public
def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """x (N, C, ...) over (k + alpha * mean of the squares of `size` channels around) ** beta.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.local_response_norm([[[2.0]]], 1, alpha=1.0, beta=1.0, k=0.0)
    tensor([[[0.5]]])
    """
    x = value(input)
    if x.ndim < 3:
        raise ValueError(f"local_response_norm: expected at least three axes, got shape {tuple(x.shape)}")
    squares = reshape(x * x, (x.shape[0], x.shape[1], int(np.prod(x.shape[2:]))))
    window = {"stride": (1, 1), "padding": ((size // 2, (size - 1) // 2), (0, 0)), "dilation": (1, 1)}
    total = reshape(window_sum(squares, kernel=(size, 1), **window), x.shape)
    return x / (total * (alpha / size) + k) ** beta


# ---------------------------------------------------------------- dropout --


def _chance(name, p):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: p must be between 0 and 1, it is {p}")


def _dropped(name, input, p, training, inplace, generator, shape_of, keep=None):
    """x with zeros at random, one for each element of `shape_of(x)`; the rest is scaled so that the mean stays."""
    _chance(name, p)
    x = value(input)
    if not training or p == 0.0:
        return x
    kept = _random.mask(shape_of(x), 1.0 - p, generator, x.dtype)
    if keep is None:
        factor = kept.astype(x.dtype if x.dtype.kind in "fc" else np.float64)
        if p < 1.0:
            factor /= 1.0 - p
        return x.mul_(factor) if inplace else x * factor
    scale, shift, low = keep
    factor, added = (
        np.where(kept, scale, 0.0).astype(x.dtype),
        np.where(kept, shift, low * scale + shift).astype(x.dtype),
    )
    out = x * factor + added
    return x.copy_(out) if inplace else out


def _channels(n):
    def shape_of(x):
        lead = x.ndim - n
        return tuple(x.shape[:lead]) + (1,) * n

    return shape_of


def _check_channels(name, input, n):
    x = value(input)
    if x.ndim not in (n + 1, n + 2):
        raise ValueError(f"{name}: expected {n + 1} or {n + 2} axes, got shape {tuple(x.shape)}")
    return x


@public
def dropout(input, p=0.5, training=True, inplace=False, generator=None):
    """x with zeros at random, and the rest over 1 - p.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.dropout([1.0, 2.0], training=False)
    tensor([1., 2.])
    """
    return _dropped("dropout", input, p, training, inplace, generator, lambda x: tuple(x.shape))


@public
def dropout1d(input, p=0.5, training=True, inplace=False, generator=None):
    """Signals (N, C, L) or (C, L) with whole channels set to zero at random, and the rest over 1 - p.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.dropout1d([[1.0, 2.0]], training=False)
    tensor([[1., 2.]])
    """
    x = _check_channels("dropout1d", input, 1)
    return _dropped("dropout1d", x, p, training, inplace, generator, _channels(1))


@public
def dropout2d(input, p=0.5, training=True, inplace=False, generator=None):
    """Images (N, C, H, W) or (C, H, W) with whole channels set to zero at random, and the rest over 1 - p.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.dropout2d([[[1.0, 2.0]]], training=False)
    tensor([[[1., 2.]]])
    """
    x = _check_channels("dropout2d", input, 2)
    return _dropped("dropout2d", x, p, training, inplace, generator, _channels(2))


@public
def dropout3d(input, p=0.5, training=True, inplace=False, generator=None):
    """Volumes (N, C, D, H, W) or (C, D, H, W) with whole channels set to zero at random, and the rest over 1 - p.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.dropout3d([[[[1.0, 2.0]]]], training=False)
    tensor([[[[1., 2.]]]])
    """
    x = _check_channels("dropout3d", input, 3)
    return _dropped("dropout3d", x, p, training, inplace, generator, _channels(3))


_LOW = -1.7580993408473766  # what `selu` tends to: -alpha * scale


def _alpha(p):
    """Scale, shift and the value of what is dropped, so that mean 0 and variance 1 stay."""
    if p == 1.0:
        return 0.0, 0.0, 0.0
    scale = ((1 - p) * (1 + p * _LOW * _LOW)) ** -0.5
    return scale, -scale * p * _LOW, _LOW


@public
def alpha_dropout(input, p=0.5, training=False, inplace=False, generator=None):
    """x with what `selu` tends to at random, scaled and moved so that mean 0 and variance 1 stay.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.alpha_dropout([1.0, 2.0])
    tensor([1., 2.])
    """
    return _dropped("alpha_dropout", input, p, training, inplace, generator, lambda x: tuple(x.shape), _alpha(p))


@public
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False, generator=None):
    """`alpha_dropout` of whole channels (N, C, ...).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.feature_alpha_dropout([[1.0, 2.0]])
    tensor([[1., 2.]])
    """
    shape_of = lambda x: tuple(x.shape[:2]) + (1,) * (x.ndim - 2)
    return _dropped("feature_alpha_dropout", input, p, training, inplace, generator, shape_of, _alpha(p))


# ---------------------------------------------------------------- embeddings --


def _renormalized(name, weight, index, max_norm, norm_type):
    """Scale the rows that are looked up, in place, where their norm is above `max_norm`."""
    used = np.unique(index)
    rows = array(weight.detach(), name)[used]
    norms = np.linalg.norm(rows, norm_type, axis=-1)
    long = norms > max_norm
    if long.any():
        with no_grad():
            weight.detach()[used[long]] = rows[long] * (max_norm / (norms[long] + 1e-7))[:, None].astype(rows.dtype)


@public
def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """Rows of weight, by their numbers.

    `padding_idx` is a row that gets no gradient. With `max_norm`, rows of a larger norm are scaled, in place.
    `scale_grad_by_freq` divides each row's gradient by how often it occurs. `sparse` changes nothing.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.embedding([1, 0], [[1.0, 2.0], [3.0, 4.0]])
    tensor([[3., 4.],
            [1., 2.]])
    """
    weight, index = value(weight), integers(input, "embedding: input")
    if weight.ndim != 2:
        raise ValueError(f"embedding: expected a weight of two axes, got shape {tuple(weight.shape)}")
    count = weight.shape[0]
    lifted = hasattr(type(index), "_lifts")
    if not lifted and not backend.all_below(index, count):
        raise IndexError(f"embedding: numbers from {index.min()} to {index.max()}, but there are {count} rows")
    padding_idx = _padding_index("embedding", padding_idx, count)
    if max_norm is not None:
        _renormalized("embedding", weight, index, max_norm, norm_type)
    rows = weight[index]
    if padding_idx is not None and (lifted or (index == padding_idx).any()):
        rows = where(np.expand_dims(index == padding_idx, -1), rows.detach(), rows)
    if scale_grad_by_freq:
        often = (1 / np.maximum(np.bincount(index.reshape(-1), minlength=count), 1))[index][..., None].astype(
            weight.dtype
        )
        rows = rows.detach() + (rows - rows.detach()) * often
    return rows


def _padding_index(name, padding_idx, count):
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise ValueError(f"{name}: padding_idx must be one of {count} rows, it is {padding_idx}")
    return padding_idx % count


@public
def embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, mode="mean", sparse=False,
    per_sample_weights=None, include_last_offset=False, padding_idx=None,
):  # fmt: skip
    """Sums, means or maxima (`mode`) of bags of rows of weight.

    `input` (N, n) holds N bags; with `offsets` it has one axis and bag i starts at offsets[i].

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.embedding_bag([[1, 0]], [[1.0, 2.0], [3.0, 4.0]])
    tensor([[2., 3.]])
    """
    name = "embedding_bag"
    index = integers(input, f"{name}: input")
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f'{name}: mode must be "sum", "mean" or "max", not {mode!r}')
    if per_sample_weights is not None and mode != "sum":
        raise ValueError(f'{name}: per_sample_weights go with mode="sum", not {mode!r}')
    if index.ndim == 2:
        if offsets is not None:
            raise ValueError(f"{name}: offsets go with an input of one axis, not two")
        starts = np.arange(index.shape[0] + 1) * index.shape[1]
    elif index.ndim == 1 and offsets is not None:
        starts = integers(offsets, f"{name}: offsets")
        starts = starts if include_last_offset else np.append(starts, index.size)
        if starts.size and (starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] > index.size):
            raise ValueError(f"{name}: offsets must start at 0 and not decrease or pass the end, they are {starts}")
    else:
        raise ValueError(f"{name}: input has two axes, or one and offsets; got shape {tuple(index.shape)}")
    flat = index.reshape(-1)
    rows = embedding(flat, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    bag = np.searchsorted(starts, np.arange(flat.size), side="right") - 1
    valid = bag < len(starts) - 1
    if padding_idx is not None:
        valid = valid & (flat != _padding_index(name, padding_idx, value(weight).shape[0]))
    sizes = np.bincount(bag[valid], minlength=len(starts) - 1)[: len(starts) - 1]
    # bags made equally long: a number for each place, and whether it is one
    places = np.zeros((len(sizes), int(sizes.max(initial=0)) or 1), np.intp)
    filled = np.arange(places.shape[1]) < sizes[:, None]
    places[filled] = np.flatnonzero(valid)[np.argsort(bag[valid], kind="stable")]
    if per_sample_weights is not None:
        given = value(per_sample_weights)
        if tuple(given.shape) != tuple(index.shape):
            raise ValueError(
                f"{name}: per_sample_weights of shape {tuple(given.shape)} for input of shape {index.shape}"
            )
        rows = rows * reshape(given, (flat.size, 1))
    if not flat.size:
        return sum(value(weight)[:0], axis=0) + np.zeros((len(sizes), 1), rows.dtype)
    bags = getitem(rows, (places,))
    if mode == "max":
        low = where(filled[..., None], bags, -np.inf)
        out = _first_max(low)
        return where(sizes[:, None] > 0, out, 0.0)
    total = sum(where(filled[..., None], bags, 0.0), axis=1)
    return total if mode == "sum" else total / np.maximum(sizes, 1)[:, None].astype(rows.dtype)


def _first_max(x):
    """Maxima over axis 1; of equals the first gets the gradient."""
    from ..ops.sorting import take_along_axis

    return take_along_axis(x, argmax(x, axis=1, keepdims=True), 1)[:, 0]


@public
def one_hot(input, num_classes=-1):
    """Classes as vectors of zeros with a one each.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.one_hot([2, 0])
    tensor([[0, 0, 1],
            [1, 0, 0]])
    """
    index = integers(input, "one_hot: input")
    if hasattr(type(index), "_lifts"):
        if num_classes < 1:
            raise ValueError("one_hot: num_classes is needed where the classes are those of many examples")
        return (index[..., None] == np.arange(num_classes)).astype(np.int64)
    if not index.size and num_classes <= 0:
        raise ValueError("one_hot: of no classes, num_classes cannot be found")
    if index.size and index.min() < 0:
        raise ValueError(f"one_hot: classes must not be negative, the least is {index.min()}")
    most = int(index.max(initial=-1))
    count = most + 1 if num_classes == -1 else int(num_classes)
    if count < 1 or most >= count:
        raise ValueError(f"one_hot: there are classes up to {most}, but num_classes is {num_classes}")
    return value((index[..., None] == np.arange(count)).astype(np.int64))


__all__ = [
    "alpha_dropout", "batch_norm", "dropout", "dropout1d", "dropout2d", "dropout3d", "embedding", "embedding_bag",
    "feature_alpha_dropout", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "one_hot", "rms_norm",
]  # fmt: skip
