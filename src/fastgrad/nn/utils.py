"""Gradients clipped, and parameters as one vector: of PyTorch's ``torch.nn.utils``.

>>> import fastgrad as fg
>>> x = fg.tensor([3.0, 4.0], requires_grad=True)
>>> (0.5 * x @ x).backward()
>>> fg.nn.utils.clip_grad_norm_([x], max_norm=1.0)
tensor(5.)
>>> x.grad.numpy().round(6)
array([0.6, 0.8])
"""

from __future__ import annotations

import math

import numpy as np

from .._backend import Tensor
from .._creation import asarray
from ..autograd import no_grad
from ..ops import TABLE

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
    "vector_to_parameters",
]  # fmt: skip


def _gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [param.grad for param in parameters if param.grad is not None]


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all elements together, as a Tensor.

    Parameters
    ----------
    tensors : Tensor or iterable of Tensor
    norm_type : float
        The exponent; ``inf``: the largest absolute value.
    error_if_nonfinite : bool
        Raise RuntimeError where the norm is infinite or not a number.
    foreach : bool, optional
        Taken for PyTorch's sake.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    with np.errstate(all="ignore"):
        norms = [np.linalg.norm(tensor.detach().numpy().ravel(), norm_type) for tensor in tensors if tensor.size]
        total = np.linalg.norm(np.array(norms), norm_type) if norms else np.float64(0.0)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients is non-finite, so it cannot be clipped. "
            "To disable this error and scale the gradients by the non-finite norm anyway, "
            "set `error_if_nonfinite=False`"
        )
    return asarray(total)


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale gradients whose norm is known, in place, so that it is at most `max_norm`."""
    factor = float(max_norm) / (float(total_norm) + 1e-6)
    factor = min(factor, 1.0) if factor == factor else factor  # not a number stays so, as in PyTorch
    with no_grad():
        for grad in _gradients(parameters):
            grad.mul_(factor)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale gradients in place so that the norm of all of them together is at most `max_norm`.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    max_norm : float
    norm_type : float
        The exponent; ``inf``: the largest absolute value.
    error_if_nonfinite : bool
        Raise RuntimeError, before anything is changed, where the norm is infinite or not a number.
    foreach : bool, optional
        Taken for PyTorch's sake.

    Returns
    -------
    Tensor
        The norm before.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clip each element of the gradients to ``-clip_value`` ... ``clip_value``, in place.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    clip_value : float
    foreach : bool, optional
        Taken for PyTorch's sake.
    """
    clip_value = float(clip_value)
    with no_grad():
        for grad in _gradients(parameters):
            grad.clamp_(-clip_value, clip_value)


def parameters_to_vector(parameters):
    """All parameters in one vector, with a graph.

    Parameters
    ----------
    parameters : iterable of Tensor
    """
    return TABLE["concat"]([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec, parameters):
    """Write a vector into parameters, one after the other.

    Parameters
    ----------
    vec : Tensor or ndarray
    parameters : iterable of Tensor
    """
    vec, parameters = asarray(vec).detach(), list(parameters)
    if vec.shape != (sum(param.size for param in parameters),):
        raise ValueError(f"a vector of shape {vec.shape} for {sum(param.size for param in parameters)} parameters")
    offset = 0
    with no_grad():
        for param in parameters:
            param.copy_(vec[offset : offset + param.size].reshape(param.shape))
            offset += param.size
