"""Linear layers and convolutions: `linear`, `bilinear`, `conv1d` to `conv_transpose3d`, `unfold`, `fold`."""

from __future__ import annotations

import math

import numpy as np

from ..ops.convolutions import convolution, convolution_input, window_counts
from ..ops.layers import linear as _linear
from ..ops.layers import linear_map
from ..ops.linalg import einsum, matmul
from ..ops.shaping import reshape
from ._shared import at_least, each, in_batch, public, value, values


@public
def linear(input, weight, bias=None):
    """``input @ weight.T + bias``: a layer in which everything is connected.

    It is one product of two matrices however many axes `input` has, where ``@`` makes one for each matrix in `input`:
    the last bits may differ.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.linear([1.0, 2.0], [[1.0, 1.0], [0.0, 3.0]], [0.5, 0.0])
    tensor([3.5, 6. ])
    """
    input, weight, bias = values("linear", (input, weight), bias)
    if weight.ndim not in (1, 2) or not input.ndim or input.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"linear: input of shape {tuple(input.shape)} and weight of shape {tuple(weight.shape)}: expected (..., n) "
            "and (m, n)"
        )
    if weight.ndim == 1:
        out = matmul(input, weight)
        return out if bias is None else out + bias
    if bias is None:
        return linear_map(input, weight)
    if bias.shape == (weight.shape[0],):
        return _linear(input, weight, bias)
    return linear_map(input, weight) + bias


@public
def bilinear(input1, input2, weight, bias=None):
    """``input1 @ weight[k] @ input2 + bias[k]`` for each k: a layer in which every pair is connected.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.bilinear([1.0, 2.0], [3.0], [[[1.0], [1.0]]])
    tensor([9.])
    """
    input1, input2, weight, bias = values("bilinear", (input1, input2, weight), bias)
    if weight.ndim != 3 or input1.shape[-1:] != weight.shape[1:2] or input2.shape[-1:] != weight.shape[2:]:
        raise ValueError(
            f"bilinear: inputs of shapes {tuple(input1.shape)} and {tuple(input2.shape)} and weight of shape "
            f"{tuple(weight.shape)}: expected (..., n), (..., m) and (k, n, m)"
        )
    out = einsum("...i,kij,...j->...k", input1, weight, input2, optimize=True)
    return out if bias is None else out + bias


# ---------------------------------------------------------------- convolutions --


def paddings(name, padding, kernel, stride, dilation):
    """A pair of numbers for each axis, from numbers, "valid" or "same"."""
    n = len(kernel)
    if not isinstance(padding, str):
        pads = each(name, "padding", padding, n)
        at_least(name, "padding", pads, 0)
        return tuple((p, p) for p in pads)
    if padding == "valid":
        return ((0, 0),) * n
    if padding != "same":
        raise ValueError(f'{name}: padding is a number for each axis, "valid" or "same", not {padding!r}')
    if any(s != 1 for s in stride):
        raise ValueError(f'{name}: padding="same" needs stride 1, not {stride}')
    totals = [d * (k - 1) for d, k in zip(dilation, kernel)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _convolve(name, n, input, weight, bias, stride, padding, dilation, groups):
    input, weight, bias = values(name, (input, weight), bias)
    x, alone = in_batch(name, input, n)
    if weight.ndim != n + 2:
        raise ValueError(f"{name}: expected a weight of {n + 2} axes, got shape {tuple(weight.shape)}")
    if groups < 1 or x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups or not weight.shape[0]:
        raise ValueError(
            f"{name}: input of shape {tuple(input.shape)}, weight of shape {tuple(weight.shape)} and groups={groups}: "
            f"expected a weight of shape (k * {groups}, channels / {groups}, ...)"
        )
    stride, dilation = each(name, "stride", stride, n), each(name, "dilation", dilation, n)
    at_least(name, "stride", stride, 1)
    at_least(name, "dilation", dilation, 1)
    pads = paddings(name, padding, weight.shape[2:], stride, dilation)
    window_counts(name, x.shape[2:], weight.shape[2:], stride, pads, dilation)
    out = convolution.on((x, weight), {"stride": stride, "padding": pads, "dilation": dilation, "groups": groups})
    return _finished(name, out, bias, alone, n)


def _finished(name, out, bias, alone, n):
    if bias is not None:
        if tuple(bias.shape) != (out.shape[1],):
            raise ValueError(f"{name}: expected a bias of shape ({out.shape[1]},), got {tuple(bias.shape)}")
        out = out + reshape(bias, (out.shape[1],) + (1,) * n)
    return out[0] if alone else out


def _transposed(name, n, input, weight, bias, stride, padding, output_padding, groups, dilation):
    input, weight, bias = values(name, (input, weight), bias)
    y, alone = in_batch(name, input, n)
    if (
        weight.ndim != n + 2
        or groups < 1
        or y.shape[1] != weight.shape[0]
        or weight.shape[0] % groups
        or (not weight.shape[1])
    ):
        raise ValueError(
            f"{name}: input of shape {tuple(input.shape)}, weight of shape {tuple(weight.shape)} and groups={groups}: "
            f"expected a weight of shape (channels, k, ...), channels a multiple of {groups}"
        )
    stride, dilation = each(name, "stride", stride, n), each(name, "dilation", dilation, n)
    pads, more = each(name, "padding", padding, n), each(name, "output_padding", output_padding, n)
    at_least(name, "stride", stride, 1)
    at_least(name, "dilation", dilation, 1)
    at_least(name, "padding", pads, 0)
    at_least(name, "output_padding", more, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation)):
        raise ValueError(f"{name}: output_padding, {more}, must be less than stride, {stride}, or dilation, {dilation}")
    sizes = tuple(
        (count - 1) * s - 2 * p + d * (k - 1) + m + 1
        for count, s, p, d, k, m in zip(y.shape[2:], stride, pads, dilation, weight.shape[2:], more)
    )
    at_least(name, "the size of the result", sizes, 1)
    options = {"stride": stride, "padding": tuple((p, p) for p in pads), "dilation": dilation, "groups": groups}
    out = convolution_input.on((y, weight), {"sizes": sizes, **options})
    return _finished(name, out, bias, alone, n)


@public
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution (cross-correlation) of signals (N, C, L) or (C, L) with kernels (O, C / groups, k).

    `padding` may be "valid" (none) or "same" (so much that the size stays the same).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.conv1d([[1.0, 2.0, 4.0]], [[[1.0, -1.0]]])
    tensor([[-1., -2.]])
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@public
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution (cross-correlation) of images (N, C, H, W) or (C, H, W) with kernels (O, C / groups, h, w).

    `padding` may be "valid" (none) or "same" (so much that the size stays the same).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.conv2d([[[1.0, 2.0], [3.0, 4.0]]], [[[[1.0, 1.0], [1.0, 1.0]]]])
    tensor([[[10.]]])
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@public
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution (cross-correlation) of volumes (N, C, D, H, W) or (C, D, H, W) with kernels (O, C / groups, d, h, w).

    `padding` may be "valid" (none) or "same" (so much that the size stays the same).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.conv3d(fg.ones((1, 2, 2, 2)), fg.ones((1, 1, 2, 2, 2)))
    tensor([[[[8.]]]])
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@public
def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution: kernels (C, O / groups, k), each times an element of signals (N, C, L) or (C, L), summed.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.conv_transpose1d([[1.0, 2.0]], [[[1.0, 10.0]]])
    tensor([[ 1., 12., 20.]])
    """
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution: kernels (C, O / groups, h, w), each times an element of images (N, C, H, W), summed.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.conv_transpose2d([[[2.0]]], [[[[1.0, 10.0]]]])
    tensor([[[ 2., 20.]]])
    """
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public
def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution: kernels (C, O / groups, d, h, w), each times an element of volumes, summed.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.conv_transpose3d([[[[2.0]]]], [[[[[1.0, 10.0]]]]])
    tensor([[[[ 2., 20.]]]])
    """
    return _transposed("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)


# ---------------------------------------------------------------- unfold and fold --
# The windows of images are their convolution with kernels that each pick one place.


def _pickers(channels, kernel, dtype):
    """For each channel and each place of a window a kernel that picks it, in groups of one channel."""
    places = math.prod(kernel)
    return np.tile(np.eye(places, dtype=dtype).reshape(places, 1, *kernel), (channels, 1) + (1,) * len(kernel))


def _unfold_options(name, kernel_size, dilation, padding, stride):
    kernel, dilation, pads, stride = (
        each(name, what, given, 2)
        for what, given in (
            ("kernel_size", kernel_size), ("dilation", dilation), ("padding", padding), ("stride", stride),
        )
    )  # fmt: skip
    at_least(name, "padding", pads, 0)
    for what, numbers in (("kernel_size", kernel), ("dilation", dilation), ("stride", stride)):
        at_least(name, what, numbers, 1)
    return kernel, {"stride": stride, "padding": tuple((p, p) for p in pads), "dilation": dilation}


@public
def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of images (N, C, H, W) as columns: (N, C * h * w, windows).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.unfold([[[1.0, 2.0, 3.0]]], (1, 2))
    tensor([[1., 2.],
            [2., 3.]])
    """
    x, alone = in_batch("unfold", value(input), 2)
    kernel, options = _unfold_options("unfold", kernel_size, dilation, padding, stride)
    window_counts("unfold", x.shape[2:], kernel, options["stride"], options["padding"], options["dilation"])
    pickers = _pickers(x.shape[1], kernel, x.dtype)
    out = convolution.on((x, pickers), {**options, "groups": x.shape[1]})
    out = reshape(out, (*out.shape[:2], math.prod(out.shape[2:])))
    return out[0] if alone else out


@public
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns (N, C * h * w, windows) put back as windows of images, and summed where they overlap.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.fold([[1.0, 2.0], [2.0, 3.0]], (1, 3), (1, 2))
    tensor([[[1., 4., 3.]]])
    """
    y = value(input)
    alone = y.ndim == 2
    y = y[None] if alone else y
    kernel, options = _unfold_options("fold", kernel_size, dilation, padding, stride)
    sizes, places = each("fold", "output_size", output_size, 2), math.prod(kernel)
    counts = window_counts("fold", sizes, kernel, options["stride"], options["padding"], options["dilation"])
    if y.ndim != 3 or y.shape[1] % places or y.shape[2] != math.prod(counts):
        raise ValueError(
            f"fold: input of shape {tuple(y.shape)}: expected (N, multiple of {places}, {math.prod(counts)}) for "
            f"images of size {sizes} and windows of size {kernel}"
        )
    channels = y.shape[1] // places
    pickers = _pickers(channels, kernel, y.dtype)
    y = reshape(y, (*y.shape[:2], *counts))
    out = convolution_input.on((y, pickers), {"sizes": sizes, **options, "groups": channels})
    return out[0] if alone else out


__all__ = [
    "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "fold",
    "linear", "unfold",
]  # fmt: skip
