"""Activations, with the `inplace` of PyTorch's functions; those over an axis, and random ones."""

from __future__ import annotations

from inspect import Parameter, Signature, signature

import numpy as np

from .._backend import function as _top
from ..ops import TABLE
from ..ops.shaping import reshape, split
from . import _random
from ._shared import public, real, rows, run, value, values

_argmax, _gelu, _sigmoid, _tanh, _softmax, _log_softmax = (
    _top(name) for name in ("argmax", "gelu", "sigmoid", "tanh", "softmax", "log_softmax")
)


def _activation(name):
    """The public function of an elementwise row, with ``inplace=``."""
    op, function = TABLE[name], _top(name)
    count = len(op.options)

    def activation(input, *args, inplace=False, **options):
        if len(args) > count:
            *args, inplace = args
        if not inplace:
            return function(input, *args, **options)
        operands, options = op.bind(input, *args, **options)
        return input._inplace_op(op, input, tuple(operands[1:]), options)

    _, *given = signature(op.bind).parameters.values()
    keyword = Parameter.POSITIONAL_OR_KEYWORD
    given = [Parameter("input", keyword), *given, Parameter("inplace", keyword, default=False)]
    activation.__signature__ = Signature(given)
    activation.__name__ = activation.__qualname__ = name
    activation.__doc__, activation.__module__ = function.__doc__, "fastgrad.nn.functional"
    return activation


def _in_place(function):
    def activation(input, *args, **options):
        return function(input, *args, inplace=True, **options)

    activation.__name__ = activation.__qualname__ = f"{function.__name__}_"
    activation.__doc__ = f"`{function.__name__}`, written to the input.\n"
    activation.__module__ = "fastgrad.nn.functional"
    return activation


celu, elu, hardsigmoid, hardswish, hardtanh, leaky_relu, mish, relu, relu6, selu, silu, threshold = map(
    _activation,
    (
        "celu", "elu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "relu6", "selu", "silu",
        "threshold",
    ),
)  # fmt: skip
celu_, elu_, hardtanh_, leaky_relu_, relu_, selu_, threshold_ = map(
    _in_place, (celu, elu, hardtanh, leaky_relu, relu, selu, threshold)
)
hardshrink, logsigmoid, softshrink, softsign, tanhshrink = (
    rows[name] for name in ("hardshrink", "logsigmoid", "softshrink", "softsign", "tanhshrink")
)


@public
def gelu(input, approximate="none"):
    """Gaussian error linear unit: x times the chance that a standard normal variable is less than x.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.gelu([0.0, 10.0])
    tensor([ 0., 10.])
    """
    return _gelu(input, approximate)


@public
def sigmoid(input):
    """1 / (1 + exp(-x)), exact in both tails.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.sigmoid([-1000.0, 0.0, 1000.0])
    tensor([0. , 0.5, 1. ])
    """
    return _sigmoid(input)


@public
def tanh(input):
    """Hyperbolic tangent.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.tanh([0.0, 50.0])
    tensor([0., 1.])
    """
    return _tanh(input)


@public
def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.softplus([-1000.0, 0.0, 1000.0])
    tensor([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    return run("sharp_softplus", value(input), beta=float(beta), threshold=float(threshold))


@public
def prelu(input, weight):
    """x where it is positive, weight times x elsewhere; `weight` has one number, or one for each channel (axis 1).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.prelu([-1.0, 2.0], [0.25])
    tensor([-0.25,  2.  ])
    """
    input, weight = values("prelu", (input, weight))
    real("prelu", input, weight)
    size = weight.size
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or size not in (1, channels):
        raise ValueError(
            f"prelu: expected a weight of one number or {channels} (channels), got shape {tuple(weight.shape)}"
        )
    if weight.ndim and size == 1:
        weight = reshape(weight, ())
    elif weight.ndim:
        weight = reshape(weight, (1, size) + (1,) * (input.ndim - 2))
    return run("prelu_terms", input, weight)


@public
def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False, generator=None):
    """x where it is positive, elsewhere x times a random number between two bounds (their mean if not in training).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.rrelu([-4.0, 2.0], 0.25, 0.25, training=True)
    tensor([-1.,  2.])
    """
    if lower > upper:
        raise ValueError(f"rrelu: lower is {lower}, which is above upper, {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace=inplace)
    x = value(input)
    slope = _random.uniform(x.shape, generator, x.dtype) * (upper - lower) + lower
    out = run("prelu_terms", x, slope.astype(x.dtype))
    return input.copy_(out) if inplace else out


rrelu_ = _in_place(rrelu)


@public
def glu(input, axis=-1):
    """The first half of x, along an axis, times the sigmoid of the second.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.glu([3.0, 0.0])
    tensor([1.5])
    """
    x = value(input)
    if not x.ndim:
        raise ValueError("glu: needs at least one axis, got a 0-d array")
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    size = x.shape[axis]
    if size % 2:
        raise ValueError(f"glu: axis {axis} must be of even size, it is of size {size}")
    return run("glu_terms", *split(x, 2, axis=axis))


def _cast(input, dtype):
    x = value(input)
    return x if dtype is None else x.astype(dtype)


@public
def softmax(input, axis=-1, dtype=None):
    """exp(x) / sum(exp(x)) along an axis, without overflow.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.softmax([1000.0, 1000.0])
    tensor([0.5, 0.5])
    """
    return _softmax(_cast(input, dtype), axis=axis)


@public
def softmin(input, axis=-1, dtype=None):
    """softmax(-x) along an axis.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.softmin([1000.0, 0.0])
    tensor([0., 1.])
    """
    return _softmax(-_cast(input, dtype), axis=axis)


@public
def log_softmax(input, axis=-1, dtype=None):
    """log(softmax(x)) along an axis, accurate where softmax(x) is tiny.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.log_softmax([-1000.0, 0.0])
    tensor([-1000.,     0.])
    """
    return _log_softmax(_cast(input, dtype), axis=axis)


@public
def gumbel_softmax(logits, tau=1.0, hard=False, axis=-1, generator=None):
    """Random chances, or choices (`hard`), that follow softmax(logits) and through which gradients pass.

    With `hard` the gradient is that of the chances. `tau` is the temperature.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.gumbel_softmax([0.0, 1000.0], hard=True)
    tensor([0., 1.])
    """
    x = value(logits)
    noise = -np.log(_random.exponential(x.shape, generator, x.dtype))
    soft = _softmax((x + noise) / tau, axis=axis)
    if not hard:
        return soft
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    classes = np.arange(x.shape[axis]).reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    chosen = (_argmax(soft.detach(), axis=axis, keepdims=True) == classes).astype(soft.dtype)
    return chosen - soft.detach() + soft


__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6",
    "relu_", "rrelu", "rrelu_", "selu", "selu_", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink",
    "softsign", "tanh",
    "tanhshrink", "threshold", "threshold_",
]  # fmt: skip
