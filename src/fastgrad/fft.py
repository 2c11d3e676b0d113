"""Discrete Fourier transforms: all that `numpy.fft` has, along any axes, with derivatives.

`numpy.fft`'s functions know Tensors, and give the same.

>>> import fastgrad as fg
>>> x = fg.tensor([1.0, 2.0, 4.0], requires_grad=True)
>>> abs(fg.fft.rfft(x)[1]).backward()
>>> x.grad
tensor([-0.75592895, -0.18898224,  0.94491118])
"""

from __future__ import annotations

import operator

import numpy as np

from ._backend import backend as _backend
from ._backend import functions as _functions

_own = _functions("fastgrad.fft")
globals().update(_own)

__all__ = [*_own, "fftfreq", "rfftfreq"]


def fftfreq(n, d=1.0, *, dtype=None, device=None, requires_grad=False):
    """Frequencies of the bins of `fft`, in their order.

    Parameters
    ----------
    n : int
        How many bins there are.
    d : float or Tensor
        The distance of two samples.
    dtype : dtype or None
        A real floating dtype; None: float64.
    device : {"cpu", None}
        Where the result is to be.
    requires_grad : bool
        Whether it requires grad.

    Returns
    -------
    Tensor
        In cycles for each unit of `d`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.fft.fftfreq(4)
    tensor([ 0.  ,  0.25, -0.5 , -0.25])
    """
    n = operator.index(n)
    numbers = np.concatenate([np.arange((n - 1) // 2 + 1), np.arange(-(n // 2), 0)])
    return _scaled(numbers, n, d, dtype, device, requires_grad)


def rfftfreq(n, d=1.0, *, dtype=None, device=None, requires_grad=False):
    """Frequencies of the bins of `rfft`: those of `fftfreq` that are not negative, and n/2.

    Parameters
    ----------
    n : int
        The length of what was transformed.
    d : float or Tensor
        The distance of two samples.
    dtype : dtype or None
        A real floating dtype; None: float64.
    device : {"cpu", None}
        Where the result is to be.
    requires_grad : bool
        Whether it requires grad.

    Returns
    -------
    Tensor
        In cycles for each unit of `d`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.fft.rfftfreq(4)
    tensor([0.  , 0.25, 0.5 ])
    """
    n = operator.index(n)
    return _scaled(np.arange(n // 2 + 1), n, d, dtype, device, requires_grad)


def _scaled(numbers, n, d, dtype, device, requires_grad):
    if device not in (None, "cpu"):
        raise ValueError(f'device must be "cpu" or None, not {device!r}')
    if n < 0:
        raise ValueError(f"n must not be negative, not {n}")
    if dtype is not None and np.dtype(dtype).kind != "f":
        raise ValueError(f"dtype must be real and floating, not {np.dtype(dtype)}")
    result = numbers * (1.0 / (n * d)) if n else numbers * 1.0
    result = result if dtype is None else result.astype(dtype)
    result = _backend.asarray(result) if isinstance(result, np.ndarray) else result
    return result.requires_grad_() if requires_grad else result
