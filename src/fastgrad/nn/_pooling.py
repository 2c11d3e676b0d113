"""Pooling: windows of images reduced to one number each."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..ops.elementwise import abs, sign
from ..ops.indexing import getitem, setitem
from ..ops.pooling import window_argmax, window_counts, window_max, window_pick
from ..ops.resampling import Taps, resampled, window_maps
from ..ops.shaping import reshape
from ._activations import relu
from ._random import uniform
from ._shared import array, at_least, each, in_batch, integers, public, real, value

# ---------------------------------------------------------------- windows --


def _options(name, n, kernel_size, stride, padding, dilation=1):
    kernel = each(name, "kernel_size", kernel_size, n)
    stride = kernel if stride is None or np.size(stride) == 0 else each(name, "stride", stride, n)
    return kernel, stride, each(name, "padding", padding, n), each(name, "dilation", dilation, n)


@lru_cache(256)
def _windows(name, sizes, kernel, stride, pads, dilation, ceil_mode):
    """The options of the rows, for images of these sizes."""
    for what, numbers in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        at_least(name, what, numbers, 1)
    if any(p < 0 or 2 * p > (k - 1) * d + 1 for p, k, d in zip(pads, kernel, dilation)):
        raise ValueError(
            f"{name}: padding must be at least 0 and at most half of the kernel's size {kernel}, it is {pads}"
        )
    o = {"kernel": kernel, "stride": stride, "padding": tuple((p, p) for p in pads), "dilation": dilation}
    if ceil_mode:
        o = _rounded_up(sizes, o)
    window_counts(name, sizes, *o.values())
    return o


def _rounded_up(sizes, o):
    """With `ceil_mode`: so much padding after the images that the last window, which starts inside, fits."""
    padding = []
    for n, k, s, (p, _), d in zip(sizes, o["kernel"], o["stride"], o["padding"], o["dilation"]):
        count = -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1
        count -= (count - 1) * s >= n + p
        padding.append((p, max(p, (count - 1) * s + d * (k - 1) + 1 - n - p)))
    return {**o, "padding": tuple(padding)}


def _prepared(name, n, input, kernel_size, stride, padding, dilation, ceil_mode):
    x, alone = in_batch(name, value(input), n)
    given = _options(name, n, kernel_size, stride, padding, dilation)
    return x, alone, _windows(name, tuple(x.shape[2:]), *given, bool(ceil_mode))


def _at(x, axis, n):
    """Numbers for each place of one axis, of n axes of images, in the shape that broadcasts."""
    return x.reshape((-1,) + (1,) * (n - 1 - axis))


# ---------------------------------------------------------------- maxima --


def _flat_places(where, sizes, o):
    """Places counted through each window as places counted through each image."""
    counts, flat = where.shape[-len(sizes) :], 0
    offsets, steps = [], math.prod(o["kernel"])
    for k in o["kernel"]:
        steps //= k
        offsets.append(where // steps % k)
    for axis, (offset, count) in enumerate(zip(offsets, counts)):
        starts = np.arange(count) * o["stride"][axis] - o["padding"][axis][0]
        flat = flat * sizes[axis] + (offset * o["dilation"][axis] + _at(starts, axis, len(sizes)))
    return flat


def _max_pool(name, n, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    x, alone, o = _prepared(name, n, input, kernel_size, stride, padding, dilation, ceil_mode)
    real(name, x)
    if not return_indices:
        out = window_max.on((x,), o)
        return out[0] if alone else out
    where = window_argmax.on((x,), o)
    out, places = window_pick.on((x, where), o), _flat_places(where, x.shape[2:], o)
    return (out[0], places[0]) if alone else (out, places)


@public
def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of signals (N, C, L) or (C, L).

    Of equals the first gets the gradient.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.max_pool1d([[1.0, 3.0, 2.0, 4.0]], 2)
    tensor([[3., 4.]])
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@public
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of images (N, C, H, W) or (C, H, W).

    Of equals the first gets the gradient.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.max_pool2d([[[1.0, 3.0], [2.0, 4.0]]], 2)
    tensor([[[4.]]])
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@public
def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest element of each window of volumes (N, C, D, H, W) or (C, D, H, W).

    Of equals the first gets the gradient.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.max_pool3d([[[[1.0, 3.0]]]], (1, 1, 2))
    tensor([[[[3.]]]])
    """
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


# ---------------------------------------------------------------- means --


@lru_cache(64)
def _sums(name, sizes, kernel, stride, pads, ceil_mode, count_include_pad):
    """The matrices that sum windows, and how many elements each has: one number, or one for each window."""
    o = _windows(name, sizes, kernel, stride, pads, (1,) * len(sizes), ceil_mode)
    maps = window_maps(sizes, *o.values())
    whole, total = math.prod(kernel), np.ones((), np.int64)
    for axis, (n, k, s, p, taps) in enumerate(zip(sizes, kernel, stride, pads, maps)):
        starts = np.arange(taps.m) * s - p
        ends = np.minimum(starts + k, n + p)
        if not count_include_pad:
            starts, ends = np.maximum(starts, 0), np.minimum(ends, n)
        total = total * _at(ends - starts, axis, len(sizes))
    return {"maps": maps}, whole if (total == whole).all() else total


def _avg_pool(name, n, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=None):
    x, alone = in_batch(name, value(input), n)
    kernel, stride, pads, _ = _options(name, n, kernel_size, stride, padding)
    options, divisor = _sums(name, tuple(x.shape[2:]), kernel, stride, pads, bool(ceil_mode), bool(count_include_pad))
    if divisor_override == 0:
        raise ValueError(f"{name}: divisor_override must not be 0")
    divisor = divisor_override or divisor
    if isinstance(divisor, np.ndarray) and x.dtype.kind in "fc":
        divisor = divisor.astype(x.dtype)
    out = resampled.on((x,), options) / divisor
    return out[0] if alone else out


@public
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window of signals (N, C, L) or (C, L).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.avg_pool1d([[1.0, 3.0, 2.0, 4.0]], 2)
    tensor([[2., 3.]])
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


@public
def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """The mean of each window of images (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.avg_pool2d([[[1.0, 3.0], [2.0, 4.0]]], 2)
    tensor([[[2.5]]])
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@public
def avg_pool3d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """The mean of each window of volumes (N, C, D, H, W) or (C, D, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.avg_pool3d([[[[1.0, 3.0]]]], (1, 1, 2))
    tensor([[[[2.]]]])
    """
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _lp_pool(name, n, input, norm_type, kernel_size, stride, ceil_mode):
    x, alone = in_batch(name, value(input), n)
    real(name, x)
    kernel, stride, pads, _ = _options(name, n, kernel_size, stride, 0)
    options, part = _sums(name, tuple(x.shape[2:]), kernel, stride, pads, bool(ceil_mode), True)
    if norm_type == 0:
        raise ValueError(f"{name}: norm_type must not be 0")
    total = resampled.on((x**norm_type,), options)
    if isinstance(part, np.ndarray):  # windows that reach beyond the end count as if they were whole
        total = total * (math.prod(kernel) / part).astype(x.dtype)
    out = relu(sign(total) * abs(total)) ** (1.0 / norm_type)
    return out[0] if alone else out


@public
def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The root of the sum of powers of each window of signals (N, C, L) or (C, L).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.lp_pool1d([[3.0, 4.0]], 2, 2)
    tensor([[5.]])
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


@public
def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The root of the sum of powers of each window of images (N, C, H, W) or (C, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.lp_pool2d([[[3.0, 4.0]]], 2, (1, 2))
    tensor([[[5.]]])
    """
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


@public
def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The root of the sum of powers of each window of volumes (N, C, D, H, W) or (C, D, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.lp_pool3d([[[[3.0, 4.0]]]], 2, (1, 1, 2))
    tensor([[[[5.]]]])
    """
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


# ---------------------------------------------------------------- a result of a given size --
# Window i of m along an axis of n goes from floor(i * n / m) to ceil((i + 1) * n / m): of different sizes in general.


def _wanted(name, output_size, sizes):
    n = len(sizes)
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(given) != n:
        raise ValueError(f"{name}: output_size is one number or {n}, not {output_size}")
    wanted = tuple(size if want is None else int(want) for want, size in zip(given, sizes))
    at_least(name, "output_size", wanted, 0)
    return wanted


def _bounds(n, m):
    i = np.arange(m)
    return i * n // m, -(-(i + 1) * n // m)


@lru_cache(64)
def _average_taps(n, m):
    """The matrix (m, n) that averages n elements over m windows."""
    starts, ends = _bounds(n, m)
    counts = ends - starts
    before = np.append(0, np.cumsum(counts))
    places = np.arange(before[-1]) - np.repeat(before[:-1] - starts, counts)
    return Taps(n, before, places, np.repeat(1 / counts, counts))


def _adaptive_avg(name, n, input, output_size):
    x, alone = in_batch(name, value(input), n)
    sizes = tuple(x.shape[2:])
    wanted = _wanted(name, output_size, sizes)
    if all(m and size and size % m == 0 for size, m in zip(sizes, wanted)):
        kernel = tuple(size // m for size, m in zip(sizes, wanted))
        options, divisor = _sums(name, sizes, kernel, kernel, (0,) * n, False, True)
        out = resampled.on((x,), options) / divisor
    else:
        out = resampled.on((x,), {"maps": tuple(_average_taps(size, m) for size, m in zip(sizes, wanted))})
    return out[0] if alone else out


def _adaptive_max(name, n, input, output_size, return_indices):
    """Windows made equally long by repeating their last element, which a maximum does not mind."""
    x, alone = in_batch(name, value(input), n)
    real(name, x)
    sizes = x.shape[2:]
    flat, shape = np.zeros((), np.intp), ()
    for axis, (size, m) in enumerate(zip(sizes, _wanted(name, output_size, sizes))):
        starts, ends = _bounds(size, m)
        longest = int((ends - starts).max(initial=1))
        places = np.minimum(starts[:, None] + np.arange(longest), ends[:, None] - 1)
        rest = n - 1 - axis
        flat = flat * size + places.reshape((m,) + (1,) * (n - 1) + (longest,) + (1,) * rest)
        shape += (m,)
    windows = flat.reshape(math.prod(shape), -1)
    images = reshape(x, (*x.shape[:2], math.prod(sizes)))
    return _largest(getitem(images, (..., windows)), windows, shape, alone, return_indices)


def _largest(picked, windows, shape, alone, return_indices):
    """The largest of each row of `picked` (N, C, windows, elements), in `shape`; `windows` says where those lie."""
    width = picked.shape[-1]
    o = {"kernel": (width,), "stride": (width,), "padding": ((0, 0),), "dilation": (1,)}
    where = window_argmax.on((picked,), o)
    out = reshape(window_pick.on((picked, where), o), (*picked.shape[:2], *shape))
    if not return_indices:
        return out[0] if alone else out
    which = reshape(where, picked.shape[:3])
    lead = np.ogrid[tuple(slice(n) for n in windows.shape[:-1])]
    found = reshape(value(windows)[(*lead, which)], out.shape)
    return (out[0], found[0]) if alone else (out, found)


# ---------------------------------------------------------------- windows at random steps --


def _starts(samples, size, count, width):
    """Where windows start: at steps that a random number shifts, the last at the end."""
    step = (size - width) / (count - 1) if count > 1 else 0.0
    starts = ((np.arange(count) + samples[..., None]) * step).astype(np.intp)
    starts -= (samples * step).astype(np.intp)[..., None]
    starts[..., -1] = size - width
    return starts


def _fractional(name, n, input, kernel_size, output_size, output_ratio, return_indices, samples, generator):
    x, alone = in_batch(name, value(input), n)
    real(name, x)
    sizes, kernel = x.shape[2:], each(name, "kernel_size", kernel_size, n)
    if (output_size is None) == (output_ratio is None):
        raise ValueError(f"{name}: give either output_size or output_ratio")
    if output_size is None:
        ratios = tuple(output_ratio) if np.ndim(output_ratio) else (output_ratio,) * n
        if not all(0 < ratio < 1 for ratio in ratios):
            raise ValueError(f"{name}: output_ratio must be between 0 and 1, it is {output_ratio}")
        shape = tuple(int(size * ratio) for size, ratio in zip(sizes, ratios))
    else:
        shape = each(name, "output_size", output_size, n)
    at_least(name, "kernel_size", kernel, 1)
    at_least(name, "output_size", shape, 1)
    if any(m + k - 1 > size for m, k, size in zip(shape, kernel, sizes)):
        raise ValueError(f"{name}: {shape} windows of size {kernel} do not fit images of size {tuple(sizes)}")
    if samples is None:
        samples = uniform((*x.shape[:2], n), generator, np.float64)
    samples = np.broadcast_to(array(samples, f"{name}: samples"), (*x.shape[:2], n))
    samples = samples[..., ::-1] if n == 2 else samples  # PyTorch's are for the last axis first, if there are two
    flat = np.zeros((), np.intp)
    for axis, (size, m, k) in enumerate(zip(sizes, shape, kernel)):
        places = _starts(samples[..., axis], size, m, k)[..., None] + np.arange(k)
        rest = (1,) * (n - 1 - axis)
        flat = flat * size + places.reshape(*x.shape[:2], *(1,) * axis, m, *rest, *(1,) * axis, k, *rest)
    windows = flat.reshape(*x.shape[:2], math.prod(shape), math.prod(kernel))
    first, second = np.ogrid[: x.shape[0], : x.shape[1]]
    images = reshape(x, (*x.shape[:2], math.prod(sizes)))
    picked = getitem(images, (first[..., None, None], second[..., None, None], windows))
    return _largest(picked, windows, shape, alone, return_indices)


@public
def fractional_max_pool2d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None, generator=None
):
    """The largest element of each of `output_size` windows of images (N, C, H, W), which start at random steps.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.fractional_max_pool2d([[[1.0, 3.0], [2.0, 4.0]]], 2, 1)
    tensor([[[4.]]])
    """
    return _fractional(
        "fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples,
        generator,
    )  # fmt: skip


@public
def fractional_max_pool3d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None, generator=None
):
    """The largest element of each of `output_size` windows of volumes (N, C, D, H, W), which start at random steps.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.fractional_max_pool3d([[[[1.0, 3.0], [2.0, 4.0]]]], (1, 2, 2), 1)
    tensor([[[[4.]]]])
    """
    return _fractional(
        "fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples,
        generator,
    )  # fmt: skip


@public
def adaptive_avg_pool1d(input, output_size):
    """The mean of each of `output_size` windows of signals (N, C, L).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.adaptive_avg_pool1d([[1.0, 3.0, 2.0, 4.0]], 2)
    tensor([[2., 3.]])
    """
    return _adaptive_avg("adaptive_avg_pool1d", 1, input, output_size)


@public
def adaptive_avg_pool2d(input, output_size):
    """The mean of each of `output_size` windows of images (N, C, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.adaptive_avg_pool2d([[[1.0, 3.0, 2.0, 4.0]]], (1, 2))
    tensor([[[2., 3.]]])
    """
    return _adaptive_avg("adaptive_avg_pool2d", 2, input, output_size)


@public
def adaptive_avg_pool3d(input, output_size):
    """The mean of each of `output_size` windows of volumes (N, C, D, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.adaptive_avg_pool3d([[[[1.0, 3.0, 2.0, 4.0]]]], (1, 1, 2))
    tensor([[[[2., 3.]]]])
    """
    return _adaptive_avg("adaptive_avg_pool3d", 3, input, output_size)


@public
def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The largest element of each of `output_size` windows of signals (N, C, L).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.adaptive_max_pool1d([[1.0, 3.0, 2.0, 4.0]], 2)
    tensor([[3., 4.]])
    """
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


@public
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The largest element of each of `output_size` windows of images (N, C, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.adaptive_max_pool2d([[[1.0, 3.0, 2.0, 4.0]]], (1, 2))
    tensor([[[3., 4.]]])
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


@public
def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The largest element of each of `output_size` windows of volumes (N, C, D, H, W).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.adaptive_max_pool3d([[[[1.0, 3.0, 2.0, 4.0]]]], (1, 1, 2))
    tensor([[[[3., 4.]]]])
    """
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)


# ---------------------------------------------------------------- back to where the maxima were --


def _max_unpool(name, n, input, indices, kernel_size, stride, padding, output_size):
    input, places = value(input), integers(indices, f"{name}: indices")
    if tuple(places.shape) != tuple(input.shape):
        raise ValueError(f"{name}: input of shape {tuple(input.shape)} and indices of shape {tuple(places.shape)}")
    x, alone = in_batch(name, input, n)
    kernel, stride, pads, _ = _options(name, n, kernel_size, stride, padding)
    at_least(name, "kernel_size", kernel, 1)
    at_least(name, "stride", stride, 1)
    if output_size is None:
        sizes = tuple((m - 1) * s - 2 * p + k for m, s, p, k in zip(x.shape[2:], stride, pads, kernel))
    else:
        sizes = tuple(int(size) for size in output_size)[-n:]
    total = math.prod(sizes)
    flat = (*x.shape[:2], math.prod(x.shape[2:]))
    places = reshape(places, flat)
    lifted = hasattr(type(places), "_lifts")
    if not lifted and places.size and (places.min() < 0 or places.max() >= total):
        raise IndexError(f"{name}: indices from {places.min()} to {places.max()} for images of size {sizes}")
    first, second = np.ogrid[: x.shape[0], : x.shape[1]]
    index = (first[..., None], second[..., None], places)
    out = setitem(np.zeros((*x.shape[:2], total), x.dtype), reshape(x, flat), index)
    out = reshape(out, (*x.shape[:2], *sizes))
    return out[0] if alone else out


@public
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Maxima put back where `max_pool1d` found them, among zeros.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.max_unpool1d([[3.0, 4.0]], fg.tensor([[1, 3]]), 2)
    tensor([[0., 3., 0., 4.]])
    """
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


@public
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Maxima put back where `max_pool2d` found them, among zeros.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.max_unpool2d([[[4.0]]], fg.tensor([[[3]]]), 2)
    tensor([[[0., 0.],
             [0., 4.]]])
    """
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


@public
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Maxima put back where `max_pool3d` found them, among zeros.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.max_unpool3d([[[[3.0]]]], fg.tensor([[[[1]]]]), (1, 1, 2))
    tensor([[[[0., 3.]]]])
    """
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "fractional_max_pool2d", "fractional_max_pool3d",
    "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d",
    "max_unpool3d",
]  # fmt: skip
