"""Images of another size, padded, or with their channels in other places."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..ops.elementwise import abs, clip, floor, isfinite, rint, where
from ..ops.indexing import getitem
from ..ops.linalg import matmul
from ..ops.padding import pad as _pad
from ..ops.padding import padded
from ..ops.resampling import Taps, resampled
from ..ops.shaping import moveaxis, reshape, transpose
from ._pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from ._shared import public, value, values

# ---------------------------------------------------------------- padding --

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@public
def pad(input, pad, mode="constant", value=None):
    """x with a border; `pad` has numbers before and after for the last axis, then for the one before, and so on.

    `mode` is "constant" (filled with `value`, or 0; negative numbers cut off), "reflect", "replicate" or "circular".

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.pad([[1.0, 2.0]], (1, 2))
    tensor([[0., 1., 2., 0., 0.]])
    """
    x = values("pad", (input,))[0]
    widths = tuple(int(n) for n in pad)
    if mode not in _MODES:
        raise ValueError(f"pad: mode must be one of {', '.join(map(repr, _MODES))}, not {mode!r}")
    if len(widths) % 2 or len(widths) > 2 * x.ndim:
        raise ValueError(f"pad: expected a pair of numbers for each of up to {x.ndim} axes, got {widths}")
    pairs = ((0, 0),) * (x.ndim - len(widths) // 2) + tuple(zip(widths[-2::-2], widths[::-2]))
    if mode != "constant":
        return _repeated(x, pairs, mode, value)
    if min(widths, default=0) < 0:
        if any(max(-before, 0) + max(-after, 0) > n for n, (before, after) in zip(x.shape, pairs)):
            raise ValueError(f"pad: {widths} cuts off more than there is of shape {tuple(x.shape)}")
        x, pairs = _cut(x, pairs), _positive(pairs)
    return padded(x, pairs, "constant", 0 if value is None else value)


def _positive(pairs):
    return tuple((max(before, 0), max(after, 0)) for before, after in pairs)


def _cut(x, pairs):
    """x without what negative numbers cut off."""
    if all(min(pair) >= 0 for pair in pairs):
        return x
    return getitem(x, tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, pairs)))


def _repeated(x, pairs, mode, value):
    """A border of elements of x: "circular" is cut first, the other modes last."""
    if value not in (None, 0):
        raise ValueError(f"pad: mode {mode!r} takes no value")
    for n, pair in zip(x.shape, pairs):
        most = {"reflect": n - 1, "circular": n + min(*pair, 0)}.get(mode, max(pair))
        if n + pair[0] + pair[1] < 0 or (max(pair) > 0 and (n == 0 or max(pair) > most)):
            raise ValueError(f"pad: {pair} does not do for mode {mode!r} and an axis of size {n}")
    if mode == "circular":
        return _pad(_cut(x, pairs), _positive(pairs), "wrap")
    return _cut(_pad(x, _positive(pairs), _MODES[mode]), pairs)


# ---------------------------------------------------------------- interpolation --
# Each axis is multiplied by a matrix (out, in) of weights, most of them 0: `Taps`.

_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def _steps(size, wanted, scale, align_corners):
    """By how much a step in the result moves in the input."""
    if align_corners:
        return (size - 1) / (wanted - 1) if wanted > 1 else 0.0
    return size / wanted if scale is None else 1.0 / scale


def _nearest(size, wanted, step, exact):
    at = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 if exact else 0)) * np.float32(step)
    return [np.minimum(np.floor(at).astype(np.intp), size - 1)], None


def _linear(size, wanted, step, align_corners):
    at = np.arange(wanted)
    at = at * step if align_corners else np.maximum((at + 0.5) * step - 0.5, 0)
    low = np.minimum(at.astype(np.intp), size - 1)
    part = np.clip(at - low, 0, 1)
    return [low, np.minimum(low + 1, size - 1)], [1 - part, part]


def _cubic_weight(x, a):
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _cubic(size, wanted, step, align_corners):
    at = np.arange(wanted)
    at = at * step if align_corners else (at + 0.5) * step - 0.5
    low = np.floor(at)
    places = [np.clip(low + k, 0, size - 1).astype(np.intp) for k in (-1, 0, 1, 2)]
    return places, [_cubic_weight(at - low - k, -0.75) for k in (-1, 0, 1, 2)]


def _smoothed(size, wanted, step, cubic):
    """With windows as wide as the steps: without aliases where the image shrinks."""
    wide = max(step, 1.0)
    reach = (2.0 if cubic else 1.0) * wide
    centre = step * (np.arange(wanted) + 0.5)
    start = np.maximum((centre - reach + 0.5).astype(np.intp), 0)
    counts = np.minimum((centre + reach + 0.5).astype(np.intp), size) - start
    starts = np.append(0, np.cumsum(counts))
    places = np.arange(starts[-1]) - np.repeat(starts[:-1] - start, counts)
    away = (places - np.repeat(centre, counts) + 0.5) / wide
    weights = _cubic_weight(away, -0.5) if cubic else np.maximum(1 - np.abs(away), 0)
    rows = np.repeat(np.arange(wanted), counts)
    return Taps(size, starts, places, weights / np.bincount(rows, weights, wanted)[rows])


@lru_cache(64)
def _taps(mode, size, wanted, step, align_corners, antialias):
    """The matrix of one axis."""
    if antialias:
        return _smoothed(size, wanted, step, mode == "bicubic")
    if mode in ("nearest", "nearest-exact"):
        places, weights = _nearest(size, wanted, step, mode == "nearest-exact")
    else:
        places, weights = (_cubic if mode == "bicubic" else _linear)(size, wanted, step, align_corners)
    starts = np.arange(wanted + 1) * len(places)
    return Taps(size, starts, np.stack(places, 1).ravel(), None if weights is None else np.stack(weights, 1).ravel())


def _wanted_size(x, size, scale_factor, mode):
    n = x.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    given = size if scale_factor is None else scale_factor
    given = tuple(given) if np.ndim(given) else (given,) * n
    if len(given) != n:
        raise ValueError(f"interpolate: expected one number or {n} (the axes of the images), got {given}")
    if scale_factor is None:
        wanted, scales = tuple(int(m) for m in given), (None,) * n
    else:
        wanted, scales = tuple(math.floor(m * float(s)) for m, s in zip(x.shape[2:], given)), tuple(map(float, given))
    if min(wanted) < (0 if mode == "area" else 1) or min(x.shape[2:]) < 1:
        raise ValueError(f"interpolate: from images of size {tuple(x.shape[2:])} to {wanted}: expected at least 1")
    return wanted, scales


def _check_mode(x, mode, align_corners, antialias):
    if mode in ("nearest", "nearest-exact", "area"):
        if align_corners is not None:
            raise ValueError(f"interpolate: mode {mode!r} takes no align_corners")
    elif mode not in _AXES:
        raise ValueError(f"interpolate: no mode {mode!r}")
    elif _AXES[mode] != x.ndim - 2:
        raise ValueError(f"interpolate: mode {mode!r} is for images of {_AXES[mode]} axes, got shape {tuple(x.shape)}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f'interpolate: antialias goes with mode "bilinear" or "bicubic", not {mode!r}')


def _axis_taps(mode, images, size, wanted, scale, align_corners, antialias):
    """The matrix of one axis of `images` axes, or None: where PyTorch does not look at the scale, or at the axis."""
    if mode in ("nearest", "nearest-exact"):
        whole = scale is None or (mode == "nearest" and images == 2 and wanted in (size, 2 * size))
        step = size / wanted if whole else 1.0 / scale
        return None if whole and wanted == size else _taps(mode, size, wanted, step, False, False)
    if size == wanted and (scale is None or (mode != "bicubic" and not antialias)):
        return None
    step = _steps(size, wanted, scale, align_corners)
    return _taps(mode, size, wanted, step, align_corners, antialias)


@public
def interpolate(
    input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None,
    antialias=False,
):  # fmt: skip
    """Images (N, C, ...) of another size.

    `mode` is "nearest", "nearest-exact", "area", "linear" (one axis), "bilinear" or "bicubic" (two) or
    "trilinear" (three).
    `align_corners`: the centres of the corners stay where they are, rather than the corners. `antialias`: an image that
    shrinks is smoothed (bilinear and bicubic).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.interpolate([[[1.0, 3.0]]], 3, mode="linear", align_corners=True)
    tensor([[[1., 2., 3.]]])
    """
    x = value(input)
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"interpolate: expected three to five axes, got shape {tuple(x.shape)}")
    wanted, scales = _wanted_size(x, size, scale_factor, mode)
    if recompute_scale_factor:
        scales = (None,) * len(scales)
    _check_mode(x, mode, align_corners, antialias)
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[x.ndim - 3](x, wanted)
    maps = tuple(
        _axis_taps(mode, x.ndim - 2, size, m, scale, bool(align_corners), bool(antialias))
        for size, m, scale in zip(x.shape[2:], wanted, scales)
    )
    return resampled.on((x,), {"maps": maps})


@public
def upsample_nearest(input, size=None, scale_factor=None):
    """`interpolate` by an older name.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.upsample_nearest([[[1.0, 3.0]]], 4)
    tensor([[[1., 1., 3., 3.]]])
    """
    return interpolate(input, size, scale_factor)


@public
def upsample_bilinear(input, size=None, scale_factor=None):
    """`interpolate` of two axes, bilinear and with its corners aligned, by an older name.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.upsample_bilinear([[[[1.0, 3.0]]]], (1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", True)


@public
def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """`interpolate` by its older name.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.upsample([[[1.0, 3.0]]], 4)
    tensor([[[1., 1., 3., 3.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


# ---------------------------------------------------------------- sampling at places of one's own --


@public
def affine_grid(theta, size, align_corners=False):
    """The places that affine maps theta (N, 2, 3) or (N, 3, 4) take a grid of `size` (N, C, ...) to, for `grid_sample`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.affine_grid([[[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]], (1, 1, 1, 2))
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    theta, size = value(theta), tuple(int(n) for n in size)
    n = len(size) - 2
    if n not in (2, 3) or tuple(theta.shape) != (size[0], n, n + 1) or min(size) < 1:
        raise ValueError(f"affine_grid: theta of shape {tuple(theta.shape)} and size {size}: expected (N, n, n + 1)")
    axes = []
    for m in size[2:]:
        line = np.linspace(-1, 1, m) if m > 1 else np.zeros(1)
        axes.append(line if align_corners else line * (m - 1) / m)
    places = np.meshgrid(*axes, indexing="ij")
    base = np.stack([*reversed(places), np.ones(size[2:])], axis=-1).astype(theta.dtype).reshape(-1, n + 1)
    return reshape(matmul(base, theta.mT), (size[0], *size[2:], n))


def _reflected(x, low, high):
    """x reflected at both ends until it is inside; they may be the same."""
    if low == high:
        return x * 0
    span = high - low
    x = abs(x - low)
    turns = floor((x / span).detach())
    rest = x - turns * span
    return where(turns % 2 == 0, rest + low, span - rest + low)


def _clipped(x, size):
    """x from 0 to size - 1; the gradient is 0 at the ends."""
    return where(x <= 0, 0.0, where(x >= size - 1, float(size - 1), x))


def _to_place(x, size, align_corners):
    """From -1 ... 1 to places in an image."""
    return (x + 1) * ((size - 1) / 2) if align_corners else ((x + 1) * size - 1) * 0.5


def _inside(x, size, padding_mode, align_corners):
    if padding_mode == "border":
        return _clipped(x, size)
    if padding_mode == "reflection":
        x = _reflected(x, 0.0, size - 1.0) if align_corners else _reflected(x, -0.5, size - 0.5)
        return _clipped(x, size)
    return x


def _looked_up(x, places):
    """Elements (N, C, ...) of images at places, whole numbers for each axis; zeros outside."""
    valid, index = None, []
    for place, size in zip(places, x.shape[2:]):
        inside = (place >= 0) & (place < size)
        valid = inside if valid is None else valid & inside
        index.append(clip(place, 0, size - 1).astype(np.intp))
    n = np.arange(x.shape[0]).reshape((-1,) + (1,) * (x.ndim - 2))
    found = getitem(moveaxis(x, 1, -1), (n, *index))
    return where(valid[..., None], found, 0.0)


@public
def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    """Images (N, C, H, W) or (N, C, D, H, W) at the places of a grid (N, ..., 2 or 3), from -1 to 1.

    The last axis of the images comes first in the grid.

    `mode` is "bilinear", "nearest" or "bicubic"; `padding_mode`, for places outside, "zeros", "border" or "reflection".

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.grid_sample([[[[1.0, 3.0]]]], [[[[0.0, 0.0]]]])
    tensor([[[[2.]]]])
    """
    x, grid = values("grid_sample", (input, grid))
    n = x.ndim - 2
    if n not in (2, 3) or grid.ndim != x.ndim or grid.shape[0] != x.shape[0] or grid.shape[-1] != n:
        raise ValueError(
            f"grid_sample: input of shape {tuple(x.shape)} and grid of shape {tuple(grid.shape)} do not fit"
        )
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and n != 2):
        raise ValueError(f"grid_sample: no mode {mode!r} for images of {n} axes")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f'grid_sample: padding_mode must be "zeros", "border" or "reflection", not {padding_mode!r}')
    if min(x.shape[2:]) < 1:
        raise ValueError(f"grid_sample: images of size {tuple(x.shape[2:])} have no elements")
    sizes = x.shape[2:]
    at = [_to_place(grid[..., n - 1 - axis], size, align_corners) for axis, size in enumerate(sizes)]
    if mode != "bicubic":
        at = [_inside(place, size, padding_mode, align_corners) for place, size in zip(at, sizes)]
    places = [place.detach() for place in at]
    places = [where(isfinite(place), place, -100.0) for place in places]
    if mode == "nearest":
        return moveaxis(_looked_up(x, [rint(place) for place in places]), -1, 1)
    low = [floor(place) for place in places]
    parts = [place - start for place, start in zip(at, low)]
    out = 0
    if mode == "bilinear":
        for corner in np.ndindex((2,) * n):
            weight = 1
            for part, k in zip(parts, corner):
                weight = weight * (part if k else 1 - part)
            out = out + _looked_up(x, [start + k for start, k in zip(low, corner)]) * weight[..., None]
        return moveaxis(out, -1, 1)
    weights = [[_cubic_tap(part, k) for k in (-1, 0, 1, 2)] for part in parts]
    for taps in np.ndindex(4, 4):
        places = [
            rint(_inside(start + (k - 1), size, padding_mode, align_corners))
            for start, k, size in zip(low, taps, sizes)
        ]
        weight = weights[0][taps[0]] * weights[1][taps[1]]
        out = out + _looked_up(x, places) * weight[..., None]
    return moveaxis(out, -1, 1)


def _cubic_tap(part, k):
    """The weight of the element k after the one below a place, `part` after it."""
    a, x = -0.75, part - k if k < 1 else k - part
    if k in (0, 1):
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


# ---------------------------------------------------------------- channels --


@public
def pixel_shuffle(input, upscale_factor):
    """(..., C * r * r, H, W) as (..., C, H * r, W * r): channels become places.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.pixel_shuffle([[[1.0]], [[2.0]], [[3.0]], [[4.0]]], 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    x, r = value(input), int(upscale_factor)
    if x.ndim < 3 or r < 1 or x.shape[-3] % (r * r):
        raise ValueError(f"pixel_shuffle: the channels (axis -3) of {tuple(x.shape)} do not divide by {r} * {r}")
    *lead, c, h, w = x.shape
    n = len(lead)
    x = reshape(x, (*lead, c // (r * r), r, r, h, w))
    x = transpose(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return reshape(x, (*lead, c // (r * r), h * r, w * r))


@public
def pixel_unshuffle(input, downscale_factor):
    """(..., C, H * r, W * r) as (..., C * r * r, H, W): places become channels.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.pixel_unshuffle([[[1.0, 2.0], [3.0, 4.0]]], 2).shape
    (4, 1, 1)
    """
    x, r = value(input), int(downscale_factor)
    if x.ndim < 3 or r < 1 or x.shape[-1] % r or x.shape[-2] % r:
        raise ValueError(f"pixel_unshuffle: images of shape {tuple(x.shape)} do not divide by {r}")
    *lead, c, h, w = x.shape
    n = len(lead)
    x = reshape(x, (*lead, c, h // r, r, w // r, r))
    x = transpose(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return reshape(x, (*lead, c * r * r, h // r, w // r))


@public
def channel_shuffle(input, groups):
    """(N, C, ...) with the channels of `groups` groups dealt out in turns.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.channel_shuffle([[[1.0], [2.0], [3.0], [4.0]]], 2)
    tensor([[[1.],
             [3.],
             [2.],
             [4.]]])
    """
    x = value(input)
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise ValueError(f"channel_shuffle: the channels (axis 1) of {tuple(x.shape)} do not divide by {groups}")
    parts = reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return reshape(moveaxis(parts, 1, 2), x.shape)


__all__ = [
    "affine_grid", "channel_shuffle", "grid_sample", "interpolate", "pad", "pixel_shuffle", "pixel_unshuffle",
    "upsample", "upsample_bilinear", "upsample_nearest",
]  # fmt: skip
