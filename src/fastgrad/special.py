"""Special functions, under SciPy's names.

Their loops are SciPy's, which is imported when one of them is first asked for. Without SciPy those that NumPy and
`math` can do still work, the others raise ImportError when called.

>>> import fastgrad as fg
>>> x = fg.tensor([1.0, 2.0], requires_grad=True)
>>> fg.special.gammaln(x).sum().backward()
>>> x.grad
tensor([-0.57721566,  0.42278434])
"""

from __future__ import annotations

import math

from . import ops as _ops
from ._backend import function as _function

_ops.load("fastgrad.special")

#: What the table calls the rows that it has under another name.
_RENAMED = {"i0": "bessel_i0", "jn": "jv", "psi": "digamma"}

#: Functions of the top level that SciPy has, too.
_SHARED = ("cbrt", "erf", "exp2", "expm1", "log1p", "round", "sinc", "softplus")

_rows = {name: name for name, op in _ops.TABLE.items() if op.module == "fastgrad.special" and name != "bessel_i0"}
_rows.update(_RENAMED)

__all__ = sorted({*_rows, *_SHARED, "log_softmax", "logsumexp", "softmax"})


def __getattr__(name):
    if name in _rows:
        found = _function(_rows[name])
    elif name in _SHARED:
        import fastgrad

        found = getattr(fastgrad, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *__all__})


def softmax(x, axis=None):
    """exp(x) / sum(exp(x)), without overflow.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of int or None
        Where the results add up to 1; None: over everything, unlike `fastgrad.softmax`.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.special.softmax([[1000.0], [1000.0]])
    tensor([[0.5],
            [0.5]])
    """
    return _function("softmax")(x, axis=axis)


def log_softmax(x, axis=None):
    """log(softmax(x)), accurate where softmax(x) is tiny.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of int or None
        Where the probabilities add up to 1; None: over everything, unlike `fastgrad.log_softmax`.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.special.log_softmax([[-1000.0], [0.0]])
    tensor([[-1000.],
            [    0.]])
    """
    return _function("log_softmax")(x, axis=axis)


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """log(sum(b * exp(a))), without overflow.

    Parameters
    ----------
    a : array_like
    axis : int, tuple of int or None
        Axis or axes to sum over; None means all.
    b : array_like or None
        Factors, which may be zero or negative; of a shape that goes with that of `a`.
    keepdims : bool
        Keep the reduced axes, with size 1.
    return_sign : bool
        Give the logarithm of the absolute value of the sum, and its sign. False: where the sum is negative, nan.

    Returns
    -------
    Tensor or (Tensor, Tensor)

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.special.logsumexp([1000.0, 1000.0], b=[1.0, 0.0])
    tensor(1000.)
    >>> fg.special.logsumexp([0.0, 0.0], b=[1.0, -3.0], return_sign=True)
    (tensor(0.69314718), tensor(-1.))
    """
    if b is None and not return_sign:
        return _function("logsumexp")(a, axis=axis, keepdims=keepdims)
    import fastgrad as fg

    a, b = fg.asarray(a), fg.asarray(1.0 if b is None else b)
    a = a if a.dtype.kind in "fc" else a.astype(float)
    top = _ops.TABLE["peak"](fg.where(b == 0, -fg.inf, a.real.detach()), axis)
    shifted = a - top
    most = 0.99 * math.log(fg.finfo(shifted.dtype).max)  # what does not count may be larger than all that does
    total = fg.sum(b * fg.exp(fg.where((b == 0) & (shifted.real > most), most, shifted)), axis=axis, keepdims=True)
    sign, out = fg.sign(total), fg.log(abs(total) if return_sign else total) + top
    if not keepdims:
        sign, out = (fg.squeeze(value, axis=_axes(axis, value.ndim)) for value in (sign, out))
    return (out, sign) if return_sign else out


def _axes(axis, ndim):
    return tuple(range(ndim)) if axis is None else axis
