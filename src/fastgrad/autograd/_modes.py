"""Whether operations are recorded in this thread: no_grad, enable_grad, set_grad_enabled and inference_mode."""

from __future__ import annotations

from functools import wraps

from .. import _errors
from .._backend import backend as _backend

_GENERATOR, _ASYNC = 0x20, 0x280  # code flags: inspect.CO_GENERATOR; CO_COROUTINE and CO_ASYNC_GENERATOR


def is_grad_enabled():
    """Whether operations are recorded in this thread.

    Examples
    --------
    >>> import fastgrad as fg
    >>> with fg.no_grad():
    ...     print(fg.is_grad_enabled())
    False
    """
    return _backend.is_grad_enabled()


def is_inference_mode_enabled():
    """Whether `inference_mode` is on in this thread.

    Examples
    --------
    >>> import fastgrad as fg
    >>> with fg.inference_mode():
    ...     print(fg.is_inference_mode_enabled())
    True
    """
    return _backend.is_inference_mode_enabled()


class _GradMode:
    """A context manager and decorator that sets the grad mode of its thread. It may be nested in itself."""

    __slots__ = ("_before", "_enabled")

    def __init__(self, enabled):
        self._enabled, self._before = bool(enabled), []

    def __enter__(self):
        self._before.append(_backend._set_grad_enabled(self._enabled))
        return self

    def __exit__(self, *exc_info):
        _backend._set_grad_enabled(self._before.pop())

    def _fresh(self):
        """Another of the kind: a decorated function may run in several threads at once."""
        return _GradMode(self._enabled)

    def __call__(self, function):
        code = getattr(function, "__code__", None)
        if code is not None and code.co_flags & _ASYNC:
            raise TypeError("grad modes decorate functions and generators, not coroutines")
        if code is not None and code.co_flags & _GENERATOR:
            return wraps(function)(lambda *args, **kwargs: self._generator(function(*args, **kwargs)))

        @wraps(function)
        def decorated(*args, **kwargs):
            with self._fresh():
                return function(*args, **kwargs)

        return decorated

    def _generator(self, generator):
        """Each step of the generator in this mode, and the caller's mode in between."""
        resume, value = generator.send, None
        try:
            while True:
                with self._fresh():
                    item = resume(value)
                try:
                    resume, value = generator.send, (yield item)
                except GeneratorExit:
                    raise
                except BaseException as error:
                    resume, value = generator.throw, error
        except StopIteration as stop:
            return stop.value
        finally:
            with self._fresh():
                generator.close()


class no_grad(_GradMode):
    """Record nothing: as a context manager, or as a decorator of functions and generators.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor(1.0, requires_grad=True)
    >>> with fg.no_grad():
    ...     y = 2 * x
    >>> y.requires_grad
    False
    >>> @fg.no_grad()
    ... def double(x):
    ...     return 2 * x
    >>> double(x).requires_grad
    False
    """

    __slots__ = ()

    def __new__(cls, function=None):
        self = object.__new__(cls)
        _GradMode.__init__(self, cls._mode)
        return self if function is None else self(function)

    def __init__(self, function=None):
        pass

    _mode = False


class enable_grad(no_grad):
    """Record again, within `no_grad`: as a context manager or decorator.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor(1.0, requires_grad=True)
    >>> with fg.no_grad(), fg.enable_grad():
    ...     (2 * x).requires_grad
    True
    """

    __slots__ = ()
    _mode = True


class set_grad_enabled(_GradMode):
    """Record or not, at once; as a context manager, until its end; as a decorator, in the function.

    Parameters
    ----------
    mode : bool
        Whether operations are recorded.

    Examples
    --------
    >>> import fastgrad as fg
    >>> with fg.set_grad_enabled(False):
    ...     print(fg.is_grad_enabled())
    False
    >>> _ = fg.set_grad_enabled(True)
    """

    __slots__ = ()

    def __init__(self, mode):
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled: mode must be a bool, not {type(mode).__name__}")
        super().__init__(mode)
        self._before.append(_backend._set_grad_enabled(self._enabled))

    def __enter__(self):
        if len(self._before) != 1:
            raise RuntimeError("set_grad_enabled can be entered once")
        return self

    def __call__(self, function):
        self.__exit__()  # the mode was set when the decorator was made
        return super().__call__(function)


class inference_mode(_GradMode):
    """Record nothing, and make Tensors that no recorded operation may ever use.

    As a context manager, or as a decorator of functions and generators. What is made in it is an *inference tensor*
    (``t.is_inference()``): it has no version, and may not be saved for a gradient later.

    Parameters
    ----------
    mode : bool
        False: leave the mode, within its block.

    Raises
    ------
    RuntimeError
        Where a recorded operation has to save an inference tensor, where one is written in place outside the mode,
        and where one is asked for its `_version`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor(1.0, requires_grad=True)
    >>> with fg.inference_mode():
    ...     y = 2 * x
    >>> y.requires_grad, y.is_inference()
    (False, True)
    """

    __slots__ = ()

    def __new__(cls, mode=True):
        self = object.__new__(cls)
        if isinstance(mode, bool):
            return self
        if not callable(mode):
            raise _errors.inference_type(mode)
        _GradMode.__init__(self, True)
        return self(mode)

    def __init__(self, mode=True):
        super().__init__(mode)

    def __enter__(self):
        recording = _backend._set_grad_enabled(not self._enabled)
        self._before.append((recording, _backend._set_inference(self._enabled)))
        return self

    def __exit__(self, *exc_info):
        recording, inference = self._before.pop()
        _backend._set_inference(inference)
        _backend._set_grad_enabled(recording)

    def _fresh(self):
        return inference_mode(self._enabled)
