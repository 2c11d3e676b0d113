"""Anomaly mode: which line recorded the operation whose gradient went wrong."""

from __future__ import annotations

import warnings

from .._backend import backend as _backend


class set_detect_anomaly:
    """Switch anomaly mode on or off, at once; as a context manager, until its end.

    While it is on, every recorded operation remembers the lines that led to it (``grad_fn.metadata["traceback_"]``),
    which is slow, and an error in `backward` names them. It holds for all threads.

    Parameters
    ----------
    mode : bool
        Whether it is on.
    check_nan : bool
        Raise RuntimeError where an operation's gradient has a nan.

    Examples
    --------
    >>> import fastgrad as fg
    >>> with fg.autograd.set_detect_anomaly(True):
    ...     y = fg.tensor(1.0, requires_grad=True) * 2
    >>> len(y.grad_fn.metadata["traceback_"]) > 0
    True
    """

    __slots__ = ("_before",)

    def __init__(self, mode, check_nan=True):
        self._before = _backend._set_anomaly(bool(mode), bool(check_nan))

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        _backend._set_anomaly(*self._before)


class detect_anomaly(set_detect_anomaly):
    """Find the operation that a wrong gradient comes from: a context manager that switches anomaly mode on.

    It warns that it makes everything slower. See `set_detect_anomaly`, which does not warn.

    Parameters
    ----------
    check_nan : bool
        Raise RuntimeError where an operation's gradient has a nan; it names the operation and the line.

    Examples
    --------
    >>> import warnings
    >>> import fastgrad as fg
    >>> x = fg.tensor([0.0, 1.0], requires_grad=True)
    >>> with warnings.catch_warnings(action="ignore"), fg.autograd.detect_anomaly():
    ...     (fg.sqrt(x) * 0).sum().backward()
    Traceback (most recent call last):
        ...
    RuntimeError: Function 'SqrtBackward' returned nan values in its 0th output. It was recorded at:
        ...
    """

    __slots__ = ("_check_nan",)

    def __init__(self, check_nan=True):
        self._check_nan = bool(check_nan)
        self._before = _backend._anomaly()
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self._before = _backend._set_anomaly(True, self._check_nan)
        return self
