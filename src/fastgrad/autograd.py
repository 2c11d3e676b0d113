"""Gradients: `backward`, `grad`, and whether operations are recorded at all."""

from __future__ import annotations

from functools import wraps

from ._backend import backend as _backend

__all__ = ["backward", "enable_grad", "grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]

_GENERATOR, _ASYNC = 0x20, 0x280  # code flags: inspect.CO_GENERATOR; CO_COROUTINE and CO_ASYNC_GENERATOR


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of some Tensors to the `grad` of the leaves they were computed from.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        What to differentiate.
    grad_tensors : array_like, or a sequence with one (or None) for each Tensor, optional
        The gradient of something with respect to each Tensor, of its shape. May be left out for real scalars: one.
    retain_graph : bool, optional
        Keep what the graph saved, so that it can be used again. By default the value of `create_graph`.
    create_graph : bool
        Record the computation of the gradients, so that they can be differentiated in their turn.
    inputs : Tensor or sequence of Tensor, optional
        Accumulate into these Tensors only.

    Raises
    ------
    RuntimeError
        If a Tensor has no graph, is no scalar and has no gradient, or if its graph was freed or a saved value
        overwritten.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> fg.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    _backend.backward(tensors, grad_tensors, retain_graph, create_graph, inputs)


def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False,
    materialize_grads=False,
):  # fmt: skip
    """The gradients of the sum of `outputs` with respect to `inputs`; no `grad` is touched.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        What to differentiate.
    inputs : Tensor or sequence of Tensor
        With respect to what: leaves, or Tensors on the way.
    grad_outputs, retain_graph, create_graph
        As in `backward`.
    allow_unused : bool
        Give None for an input that the outputs do not depend on, where RuntimeError is raised otherwise.
    materialize_grads : bool
        Give zeros for such an input.

    Returns
    -------
    tuple of Tensor
        One gradient for each input, of its shape and dtype.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor(3.0, requires_grad=True)
    >>> (first,) = fg.autograd.grad(x**3, x, create_graph=True)
    >>> (second,) = fg.autograd.grad(first, x)
    >>> second
    tensor(18.)
    """
    return _backend.grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)


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
