"""The modules that models are made of most: layers with parameters, and functions as modules."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .._creation import empty, ones, zeros
from . import functional as F
from . import init
from ._convolutions import paddings
from ._module import Module, Parameter
from ._shared import at_least, each, values


def _parameter(shape, dtype):
    return Parameter(empty(shape, dtype=dtype))


# ---------------------------------------------------------------- linear


class Linear(Module):
    """``x @ weight.T + bias``, along the last axis.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether something is added.
    dtype : dtype, optional
        Of the parameters: float64.
    generator : numpy.random.Generator, optional
        Where their first values come from; None: NumPy's global state.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.Linear(3, 2)(fg.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, in_features, out_features, bias=True, *, dtype=None, generator=None):
        self.in_features, self.out_features = in_features, out_features
        self.weight = _parameter((out_features, in_features), dtype)
        self.register_parameter("bias", _parameter((out_features,), dtype) if bias else None)
        self.reset_parameters(generator)

    def reset_parameters(self, generator=None):
        """The first values again."""
        init.kaiming_uniform_(self.weight, math.sqrt(5), generator=generator)
        _first_bias(self.bias, self.in_features, generator)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def _first_bias(bias, fan_in, generator):
    if bias is not None:
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        init.uniform_(bias, -bound, bound, generator)


class Embedding(Module):
    """A row of numbers for each of `num_embeddings` things.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    padding_idx : int, optional
        A thing whose row is zero and stays so.
    dtype : dtype, optional
        Of the rows: float64.
    generator : numpy.random.Generator, optional
        Where their first values come from; None: NumPy's global state.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.Embedding(10, 3)([[1, 2], [7, 7]]).shape
    (2, 2, 3)
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, *, dtype=None, generator=None):
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"padding_idx {padding_idx} is not within num_embeddings {num_embeddings}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        self.weight = _parameter((num_embeddings, embedding_dim), dtype)
        self.reset_parameters(generator)

    def reset_parameters(self, generator=None):
        """The first values again."""
        init.normal_(self.weight, generator=generator)
        if self.padding_idx is not None:
            self.weight.detach()[self.padding_idx] = 0.0

    def forward(self, x):
        return F.embedding(x, self.weight, self.padding_idx)

    def extra_repr(self):
        return f"{self.num_embeddings}, {self.embedding_dim}"


# ---------------------------------------------------------------- convolutions


class _Convolution(Module):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, *,
        dtype=None, generator=None,
    ):  # fmt: skip
        n, name = self._axes, type(self).__name__
        kernel_size = each(name, "kernel_size", kernel_size, n)
        for what, numbers in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation)):
            at_least(name, what, each(name, what, numbers, n), 1)
        paddings(name, padding, kernel_size, each(name, "stride", stride, n), each(name, "dilation", dilation, n))
        if groups <= 0 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"in_channels {in_channels} and out_channels {out_channels} must divide by groups {groups}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = kernel_size
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.weight = _parameter((out_channels, in_channels // groups, *self.kernel_size), dtype)
        self.register_parameter("bias", _parameter((out_channels,), dtype) if bias else None)
        self.reset_parameters(generator)

    def reset_parameters(self, generator=None):
        """The first values again."""
        init.kaiming_uniform_(self.weight, math.sqrt(5), generator=generator)
        _first_bias(self.bias, math.prod(self.weight.shape[1:]), generator)

    def forward(self, x):
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self._axes - 1]
        return convolve(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self):
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}"
        )


class Conv1d(_Convolution):
    """Convolution of signals (N, C, L), as `fastgrad.nn.functional.conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation, groups : int
    padding : int or {"valid", "same"}
    bias : bool
        Whether something is added.
    dtype : dtype, optional
        Of the parameters: float64.
    generator : numpy.random.Generator, optional
        Where their first values come from; None: NumPy's global state.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.Conv1d(2, 4, kernel_size=3)(fg.ones((5, 2, 10))).shape
    (5, 4, 8)
    """

    _axes = 1


class Conv2d(_Convolution):
    """Convolution of images (N, C, H, W), as `fastgrad.nn.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (int, int)
    padding : int, (int, int) or {"valid", "same"}
    groups : int
    bias : bool
        Whether something is added.
    dtype : dtype, optional
        Of the parameters: float64.
    generator : numpy.random.Generator, optional
        Where their first values come from; None: NumPy's global state.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.Conv2d(1, 4, kernel_size=3, padding="same")(fg.ones((5, 1, 8, 8))).shape
    (5, 4, 8, 8)
    """

    _axes = 2


class MaxPool2d(Module):
    """The largest of each window of images, as `fastgrad.nn.functional.max_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or (int, int)
    ceil_mode : bool

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.MaxPool2d(2)(fg.ones((5, 1, 8, 8))).shape
    (5, 1, 4, 4)
    """

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def forward(self, x):
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window of images, as `fastgrad.nn.functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int)
    ceil_mode, count_include_pad : bool

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.AvgPool2d(2)(fg.ones((5, 1, 8, 8))).shape
    (5, 1, 4, 4)
    """

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad

    def forward(self, x):
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


# ---------------------------------------------------------------- normalisation and dropout


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last axes, then times a weight plus a bias.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The last axes' lengths.
    eps : float
    elementwise_affine, bias : bool
        Whether there is a weight, and a bias with it.
    dtype : dtype, optional
        Of the parameters: float64.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.LayerNorm(2, eps=0.0)(fg.tensor([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, *, dtype=None):
        shape = (normalized_shape,) if np.ndim(normalized_shape) == 0 else tuple(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        self.register_parameter("weight", Parameter(ones(shape, dtype=dtype)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(zeros(shape, dtype=dtype)) if elementwise_affine and bias else None)

    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}"


class _BatchNorm(Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, *, dtype=None):
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        shape = (num_features,)
        self.register_parameter("weight", Parameter(ones(shape, dtype=dtype)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(shape, dtype=dtype)) if affine else None)
        self.register_buffer("running_mean", zeros(shape, dtype=dtype) if track_running_stats else None)
        self.register_buffer("running_var", ones(shape, dtype=dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype=np.int64) if track_running_stats else None)

    def forward(self, x):
        (x,) = values(type(self).__name__, (x,))
        if x.ndim not in self._ndims:
            raise ValueError(f"expected {' or '.join(map(str, self._ndims))} axes, got shape {x.shape}")
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            momentum = 1.0 / self.num_batches_tracked.item() if momentum is None else momentum
        training = self.training or self.running_mean is None
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum or 0.0, self.eps
        )

    def extra_repr(self):
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Mean 0 and variance 1 for each channel of (N, C) or (N, C, L), as `fastgrad.nn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        The channels.
    eps : float
    momentum : float or None
        How much of a batch goes into the running moments; None: they are means of all batches.
    affine, track_running_stats : bool
    dtype : dtype, optional
        Of the parameters: float64.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.BatchNorm1d(1, eps=0.0)(fg.tensor([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """

    _ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Mean 0 and variance 1 for each channel of images (N, C, H, W), as `fastgrad.nn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        The channels.
    eps : float
    momentum : float or None
        How much of a batch goes into the running moments; None: they are means of all batches.
    affine, track_running_stats : bool
    dtype : dtype, optional
        Of the parameters: float64.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.BatchNorm2d(3)(fg.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    _ndims = (4,)


class Dropout(Module):
    """Zeros at random while in training, and the rest over 1 - p.

    Parameters
    ----------
    p : float
        The chance of a zero.
    generator : numpy.random.Generator, optional
        Where the numbers come from; None: NumPy's global state.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.Dropout(0.5).eval()(fg.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p=0.5, *, generator=None):
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.generator = p, generator

    def forward(self, x):
        return F.dropout(x, self.p, self.training, generator=self.generator)

    def extra_repr(self):
        return f"p={self.p}"


# ---------------------------------------------------------------- shapes and functions


class Flatten(Module):
    """Axes `start_axis` to `end_axis` as one.

    Parameters
    ----------
    start_axis, end_axis : int

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.Flatten()(fg.ones((5, 2, 3))).shape
    (5, 6)
    """

    def __init__(self, start_axis=1, end_axis=-1):
        self.start_axis, self.end_axis = start_axis, end_axis

    def forward(self, x):
        (x,) = values("Flatten", (x,))
        first, last = (normalize_axis_index(axis, x.ndim or 1) for axis in (self.start_axis, self.end_axis))
        if last < first:
            raise ValueError(f"Flatten: start_axis {self.start_axis} is after end_axis {self.end_axis}")
        size = math.prod(x.shape[first : last + 1])
        return x.reshape(*x.shape[:first], size, *x.shape[last + 1 :])


class Identity(Module):
    """What it is given."""

    def __init__(self, *args, **kwargs):
        pass

    def forward(self, x):
        return x


def _function(name, function, **options):
    """A module without parameters, of a function and its options."""

    def __init__(self, *args, **given):
        self.options = {**options, **dict(zip(options, args)), **given}
        if len(args) > len(options) or len(self.options) > len(options):
            raise TypeError(f"{name} takes {', '.join(options) or 'no options'}, not {(*args, *given)}")

    def forward(self, x):
        return getattr(F, function)(x, **self.options)

    def extra_repr(self):
        return ", ".join(f"{key}={value!r}" for key, value in self.options.items())

    doc = f"`fastgrad.nn.functional.{function}` as a module."
    if options:
        doc += "\n\nParameters\n----------\n" + "\n".join(f"{key} : {type(options[key]).__name__}" for key in options)
    body = {"__init__": __init__, "forward": forward, "extra_repr": extra_repr, "__doc__": doc, "__module__": __name__}
    return type(name, (Module,), body)


ReLU = _function("ReLU", "relu")
LeakyReLU = _function("LeakyReLU", "leaky_relu", negative_slope=0.01)
ELU = _function("ELU", "elu", alpha=1.0)
GELU = _function("GELU", "gelu", approximate="none")
SiLU = _function("SiLU", "silu")
Softplus = _function("Softplus", "softplus", beta=1.0, threshold=20.0)
Sigmoid = _function("Sigmoid", "sigmoid")
Tanh = _function("Tanh", "tanh")
Softmax = _function("Softmax", "softmax", axis=-1)
LogSoftmax = _function("LogSoftmax", "log_softmax", axis=-1)
