"""The graph: its nodes, places in it, and what becomes of the values that it saves.

>>> import fastgrad as fg
>>> x = fg.tensor(2.0, requires_grad=True)
>>> isinstance((x * x).grad_fn, fg.autograd.graph.Node)
True
"""

from __future__ import annotations

import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from contextlib import suppress

import numpy as np

from .. import _errors
from .._backend import backend as _backend
from .._methods import GradientEdge, is_tensor
from ..ops import TABLE
from ._modes import enable_grad

__all__ = [
    "GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge", "guard_numpy", "increment_version",
    "save_on_disk", "saved_tensors_hooks",
]  # fmt: skip


class Node(ABC):
    """What every node of a graph is: ``isinstance(t.grad_fn, Node)``."""

    __slots__ = ()

    @abstractmethod
    def name(self):
        """The name of the operation, as in ``MulBackward``."""

    @property
    @abstractmethod
    def next_functions(self):
        """``(node, number of its output)`` for each operand; ``(None, 0)`` where no gradient goes."""

    @property
    @abstractmethod
    def metadata(self):
        """A dict for whatever one wants to keep with the node."""

    @abstractmethod
    def register_hook(self, hook):
        """Call ``hook(grad_inputs, grad_outputs)`` after the node has run; a tuple it returns replaces the first."""

    @abstractmethod
    def register_prehook(self, hook):
        """Call ``hook(grad_outputs)`` before the node runs; a tuple it returns replaces them."""


for _class in (_backend.Node, _backend.AccumulateGrad):
    Node.register(_class)


def get_gradient_edge(tensor):
    """The place in the graph where the gradient of `tensor` is computed: `autograd.grad` takes it in its stead.

    The edge keeps the graph and not the Tensor, whose memory may be let go.

    Raises
    ------
    RuntimeError
        If the Tensor does not require grad.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor(2.0, requires_grad=True)
    >>> y = x * x
    >>> edge = fg.autograd.graph.get_gradient_edge(y)
    >>> edge.node is y.grad_fn, edge.output_nr
    (True, 0)
    >>> fg.autograd.grad(y * 3, edge)
    (tensor(3.),)
    """
    if not is_tensor(tensor):
        raise _errors.not_tensor("get_gradient_edge", tensor)
    if not tensor.requires_grad:
        raise _errors.edge_no_grad()
    like = tensor.shape, tensor.dtype
    if tensor.grad_fn is not None:
        return GradientEdge(tensor.grad_fn, tensor.output_nr, like)
    with enable_grad():
        return GradientEdge(*TABLE["getitem"](tensor, ...).grad_fn.next_functions[0], like)


def increment_version(tensor):
    """Say that memory was written behind fastgrad's back, so that a graph that needs the old value can tell.

    Parameters
    ----------
    tensor : Tensor or iterable of Tensor

    Examples
    --------
    >>> import fastgrad as fg
    >>> t = fg.zeros(3)
    >>> t.numpy()[0] = 1.0
    >>> fg.autograd.graph.increment_version(t)
    >>> t._version
    1
    """
    tensors = (tensor,) if is_tensor(tensor) else tuple(tensor) if hasattr(tensor, "__iter__") else None
    if tensors is None or not all(map(is_tensor, tensors)):
        raise _errors.increments(tensor)
    for one in tensors:
        if not one.is_inference():
            _backend._increment_version(one)


# ---------------------------------------------------------------- saved values


class saved_tensors_hooks:
    """A context manager in which every value that an operation saves for its gradient passes through two functions.

    Parameters
    ----------
    pack_hook : callable
        Gets the Tensor as it is saved, and gives what is kept in its stead. It may not write to it.
    unpack_hook : callable
        Gets that, when the gradient is computed, and gives the Tensor again.

    Nested, the innermost pair is used. What is so saved is not checked for having been written since.

    Raises
    ------
    RuntimeError
        In `disable_saved_tensors_hooks`; if `pack_hook` writes to the Tensor.
    TypeError
        In `backward`, if `unpack_hook` gives no Tensor.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> half = lambda t: t.detach().numpy().astype("float16")
    >>> with fg.autograd.graph.saved_tensors_hooks(half, lambda kept: fg.tensor(kept, dtype="float64")):
    ...     y = fg.exp(x)
    >>> y.sum().backward()
    >>> x.grad  # half precision is what was kept
    tensor([2.71875 , 7.390625])
    """

    def __init__(self, pack_hook, unpack_hook):
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                raise _errors.hook_type(hook)
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self):
        _backend._push_saved_hooks(self.pack_hook, self.unpack_hook)
        return self

    def __exit__(self, *exc_info):
        _backend._pop_saved_hooks()


class disable_saved_tensors_hooks:
    """A context manager in which `saved_tensors_hooks` raises RuntimeError with this message.

    Parameters
    ----------
    error_message : str

    Examples
    --------
    >>> import fastgrad as fg
    >>> with fg.autograd.graph.disable_saved_tensors_hooks("not here"):
    ...     with fg.autograd.graph.save_on_disk():
    ...         pass
    Traceback (most recent call last):
        ...
    RuntimeError: not here
    """

    def __init__(self, error_message):
        if not isinstance(error_message, str):
            raise TypeError(f"error_message must be a str, not {type(error_message).__name__}")
        self._message, self._before = error_message, []

    def __enter__(self):
        self._before.append(_backend._set_saved_hooks_disabled(self._message))
        return self

    def __exit__(self, *exc_info):
        _backend._set_saved_hooks_disabled(self._before.pop())


class save_on_disk(saved_tensors_hooks):
    """A context manager in which values saved for gradients go to files, and come back when they are needed.

    A file is removed with the part of the graph that it belongs to, at the end of the process at the latest.

    Parameters
    ----------
    directory : path-like, optional
        Where the files are made; by default a temporary directory's.

    Raises
    ------
    OSError
        If a file cannot be written, or has gone.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> with fg.autograd.graph.save_on_disk():
    ...     y = fg.exp(x)
    >>> y.sum().backward()
    >>> x.grad
    tensor([2.71828183, 7.3890561 ])
    """

    def __init__(self, directory=None):
        directory = None if directory is None else os.fspath(directory)
        super().__init__(lambda tensor: _Stored(tensor, directory), _Stored.load)


class _Stored:
    """The value of a Tensor in a file, which lives as long as this object."""

    __slots__ = ("__weakref__", "path")

    def __init__(self, tensor, directory):
        handle, self.path = tempfile.mkstemp(".npy", "fastgrad-", directory)
        weakref.finalize(self, _remove, self.path, os.getpid())
        with os.fdopen(handle, "wb") as file:
            np.save(file, tensor.detach().numpy(), allow_pickle=False)

    def load(self):
        return _backend.asarray(np.load(self.path, allow_pickle=False))


def _remove(path, owner):
    """Remove the file of the process `owner`; one that was forked from it leaves it alone."""
    if os.getpid() == owner:
        with suppress(FileNotFoundError):
            os.unlink(path)


# ---------------------------------------------------------------- writes that nobody sees


class guard_numpy:
    """Hand out read-only arrays, at once; as a context manager, until its end.

    ``t.numpy()`` and ``np.asarray(t)`` share the Tensor's memory, and what NumPy writes there no version counts: a
    gradient that needs the old value is computed from the new one, and no error is raised. While the guard is on,
    the arrays handed out are read-only, so that such a write raises ValueError. It holds for all threads. Arrays
    handed out before, and those that a Tensor was made of by `fastgrad.asarray`, stay as they are.

    Parameters
    ----------
    mode : bool
        Whether it is on.

    Examples
    --------
    >>> import fastgrad as fg
    >>> t = fg.zeros(3)
    >>> with fg.autograd.graph.guard_numpy():
    ...     t.numpy()[0] = 1.0
    Traceback (most recent call last):
        ...
    ValueError: assignment destination is read-only
    """

    __slots__ = ("_before",)

    def __init__(self, mode=True):
        if not isinstance(mode, bool):
            raise TypeError(f"guard_numpy: mode must be a bool, not {type(mode).__name__}")
        self._before = _backend._set_numpy_guard(mode)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        _backend._set_numpy_guard(self._before)
