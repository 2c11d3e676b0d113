"""First values of parameters, written in place: PyTorch's ``torch.nn.init``.

Random numbers are those of `generator`, a `numpy.random.Generator`, or of NumPy's global state (`numpy.random.seed`).

>>> import numpy as np
>>> import fastgrad as fg
>>> w = fg.empty((3, 2), requires_grad=True)
>>> _ = fg.nn.init.xavier_uniform_(w, generator=np.random.default_rng(0))
>>> bool((abs(w) <= (6 / 5) ** 0.5).all())
True
"""

from __future__ import annotations

import math

import numpy as np

from .._creation import asarray
from ..autograd import no_grad
from . import _random

__all__ = [
    "calculate_gain", "constant_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75,
}  # fmt: skip


def calculate_gain(nonlinearity, param=None):
    """How much a nonlinearity is to be made up for.

    Parameters
    ----------
    nonlinearity : str
        The name of a function of `fastgrad.nn.functional`.
    param : float, optional
        The slope of "leaky_relu", 0.01 unless given.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


def _write(tensor, values):
    with no_grad():
        return tensor.copy_(asarray(np.asarray(values, dtype=tensor.dtype)))


def _normal(shape, generator):
    source = np.random if generator is None else generator
    return source.standard_normal(shape)


def constant_(tensor, val):
    """Fill with a value."""
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor):
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor):
    """Fill with ones."""
    return constant_(tensor, 1.0)


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Fill with numbers from `a` to `b`, all alike likely."""
    return _write(tensor, a + (b - a) * _random.uniform(tensor.shape, generator, np.float64))


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Fill with normal numbers."""
    return _write(tensor, mean + std * _normal(tensor.shape, generator))


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Fill with normal numbers, drawn again where they are not between `a` and `b`."""
    values = mean + std * np.asarray(_normal(tensor.shape, generator))
    if std > 0 and not (a < b and a <= mean + 8 * std and b >= mean - 8 * std):
        raise ValueError(f"trunc_normal_: numbers of mean {mean} and deviation {std} between {a} and {b} are too rare")
    outside = (values < a) | (values > b)
    while outside.any():
        values[outside] = mean + std * _normal(int(outside.sum()), generator)
        outside = (values < a) | (values > b)
    return _write(tensor, values)


def eye_(tensor):
    """Fill a matrix with the identity."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _write(tensor, np.eye(*tensor.shape))


def _fans(tensor):
    """How many values go into one, and how many one goes into."""
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform, of a variance that keeps that of values and gradients.

    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010, equation 16.
    """
    bound = gain * math.sqrt(6.0 / (sum(_fans(tensor)) or 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal, of a variance that keeps that of values and gradients.

    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010, equation 12.
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (sum(_fans(tensor)) or 1)), generator)


def _deviation(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = _fans(tensor)[mode == "fan_out"] or 1  # of nothing, nothing is filled
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform, of a variance that keeps that of values ("fan_in") or gradients ("fan_out") through relus.

    He, Zhang, Ren and Sun, Delving deep into rectifiers, arXiv:1502.01852, 2015, equations 10 and 14.
    """
    bound = math.sqrt(3.0) * _deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal, of a variance that keeps that of values ("fan_in") or gradients ("fan_out") through relus.

    He, Zhang, Ren and Sun, Delving deep into rectifiers, arXiv:1502.01852, 2015, equations 10 and 14.
    """
    return normal_(tensor, 0.0, _deviation(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor, gain=1.0, generator=None):
    """Rows (or columns, where there are fewer) at right angles, of length `gain`.

    Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks,
    arXiv:1312.6120, 2013.
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    q, r = np.linalg.qr(_normal((max(rows, columns), min(rows, columns)), generator))
    q = q * np.sign(np.diagonal(r))
    return _write(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))
