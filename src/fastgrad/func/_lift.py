"""Lifted values: what `vmap` and `jvp` hand to a function in the place of Tensors.

A lifted value wraps Tensors, or lifted values of lower level, outside of the graph: `Batched` stands for many examples
at once, `Dual` carries a tangent. Each use of a transform has a level of its own, and an operation is done by the rule
of the operand of the highest level, which runs operations on what is below (docs/internals.md, Note [Lifted values]).
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from .._backend import Tensor, backend
from .._methods import TensorMethods
from . import _errors

_levels = ContextVar("levels", default=())  # goes with a run into a thread of its own
_numbers = count(1)
SCALARS = frozenset((bool, int, float, complex))
PLAIN_PARTS = frozenset((int, slice, type(None), type(Ellipsis)))  # of an index


#: Levels at which all examples of each value that a function sees are the same: those of `jacfwd` and `hessian`.
uniform = set()


class Level(NamedTuple):
    """One running `vmap` (of `size` examples) or `jvp` (size None)."""

    number: int
    size: Any


#: The levels that this thread is inside of, lowest first.
levels = _levels.get


@contextmanager
def level(size=None, alike=False):
    """A new level, above all others, for the length of a ``with`` block; `alike`: see `uniform`."""
    new = Level(next(_numbers), size)
    before = levels()
    _levels.set((*before, new))
    if alike:
        uniform.add(new.number)
    try:
        yield new
    finally:
        _levels.set(before)
        uniform.discard(new.number)


@contextmanager
def below(number):
    """Be inside of the lower levels alone, as rules of a level are that differentiate."""
    before = levels()
    _levels.set(tuple([other for other in before if other.number < number]))
    try:
        yield
    finally:
        _levels.set(before)


def as_tensor(value):
    """An operand as rules take it: a Tensor, lifted, or an exact Python scalar."""
    if isinstance(value, TensorMethods) or type(value) in SCALARS or hasattr(type(value), "_apply_op"):
        return value
    return backend.asarray(value)


def run(op, operands, options):
    """An operation on values of any kind, with all options given."""
    for value in operands:
        kind = type(value)
        if kind is not Tensor:
            if hasattr(kind, "_lifts"):
                return apply(op, operands, options)
            other = getattr(kind, "_apply_op", None)
            if other is not None:  # a formula under trace
                return other(op, operands, options)
    return Tensor._apply_op(op, operands, options)


def apply(op, operands, options):
    """The rule of the operand (or part of the index) of the highest level."""
    top = None
    for value in (*operands, *options["index"]) if op.indexed else operands:
        if isinstance(value, Lifted) and (top is None or value.level > top.level):
            top = value
    return top._rule(op, operands, options)


def write(op, target, others, options):
    """The same, in place of `target`."""
    top = target
    if op.indexed:
        options = op.bind(target, None, options["index"])[1]
    for value in (*others, *options["index"]) if op.indexed else others:
        if isinstance(value, Lifted) and (not isinstance(top, Lifted) or value.level > top.level):
            top = value
    return top._write(op, target, others, options)


class Lifted(TensorMethods):
    """A value that stands for Tensors: see the module."""

    __slots__ = ("__weakref__", "level")
    __hash__ = object.__hash__
    _lifts = True
    _apply_op = staticmethod(apply)
    _inplace_op = staticmethod(write)

    #: What a lifted value never is.
    grad = grad_fn = None
    is_leaf = retains_grad = False
    output_nr = 0

    @property
    def size(self):
        """The number of elements (of one example)."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def itemsize(self):
        """The bytes that one element takes."""
        return self.dtype.itemsize

    @property
    def nbytes(self):
        """The bytes that the elements take (of one example)."""
        return self.size * self.itemsize

    @property
    def data(self):
        """The same values without a graph."""
        return self.detach()

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __array_function__(self, func, types, args, kwargs):
        if func.__name__ in _SHAPES and func.__module__ == "numpy":
            return func(*map(_stand_in, args), **{key: _stand_in(value) for key, value in kwargs.items()})
        return super().__array_function__(func, types, args, kwargs)

    def __array__(self, dtype=None, copy=None):
        raise _errors.lifted_to_numpy()

    def numpy(self):
        """Raise: what stands for other values has no memory of its own."""
        raise _errors.lifted_to_numpy()

    def backward(self, *_, **__):
        """Raise: inside of a transform say `fastgrad.func.grad`."""
        raise _errors.lifted_backward()

    def requires_grad_(self, requires_grad=True):
        """Raise: inside of a transform say `fastgrad.func.grad`."""
        raise _errors.lifted_backward()

    register_hook = retain_grad = backward

    def __reduce__(self):
        raise _errors.lifted_to_numpy()

    def __copy__(self):
        return self.detach()

    def __deepcopy__(self, memo):
        raise _errors.deepcopy_non_leaf()


# NumPy functions that look at shapes and dtypes alone.
_SHAPES = frozenset(
    ["shape", "ndim", "size", "result_type", "can_cast", "min_scalar_type", "common_type", "iscomplexobj", "isrealobj"]
)


def _stand_in(value):
    """An array of the shape and dtype of a lifted value, one element large."""
    if isinstance(value, TensorMethods):
        return np.broadcast_to(np.zeros((), value.dtype), tuple(value.shape))
    return value
