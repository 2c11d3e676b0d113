"""What transforms take and give: Tensors for Tensors, ndarrays for ndarrays, Python numbers for Python numbers."""

from __future__ import annotations

import numpy as np

from .._backend import Tensor, backend
from .._methods import TensorMethods, numbers_taken
from . import _errors
from ._batched import Batched
from ._dual import Dual
from ._lift import Lifted
from ._tree import flatten, unflatten


def is_array(value):
    """Whether a value holds numbers: what is mapped, differentiated or returned as a Tensor."""
    return isinstance(value, (TensorMethods, np.ndarray, np.generic, int, float, complex))


def as_tensor(value):
    """A Tensor (or lifted value) on the memory of the value."""
    return value if isinstance(value, TensorMethods) else backend.asarray(value)


def inexact(where, value):
    """A Tensor that has a derivative; anything else raises."""
    if not is_array(value):
        raise TypeError(f"{where}: expected arrays or numbers to differentiate, got {type(value).__name__}")
    tensor = as_tensor(value)
    if tensor.dtype.kind not in "fc":
        raise _errors.requires_grad_dtype(tensor.dtype)
    return tensor


def detached(value):
    """A value without a graph. Tangents stay, also without."""
    if type(value) is Tensor:
        return value.detach() if value.requires_grad else value
    if type(value) is Batched:
        return Batched(detached(value.payload), value.level)
    if type(value) is Dual:
        return Dual(detached(value.primal), detached(value.tangent), value.level)
    return value


def like_input(value, given):
    """A gradient (or the like) as what was differentiated is: `given`."""
    if isinstance(given, TensorMethods) or isinstance(value, Lifted) or value.requires_grad:
        return value
    if isinstance(given, np.ndarray):
        return value.numpy()
    return value.numpy()[()] if isinstance(given, np.generic) else value.item()


def plain_result(value):
    """A result as what was not Tensors before: a Python number, or an ndarray."""
    if type(value) is not Tensor or value.requires_grad:
        return value
    return value.numpy() if value.ndim else value.item()


def finished(tree, tensors, detach):
    """A tree of results: without their graphs if so, and as ndarrays and numbers unless Tensors were given."""
    leaves, structure = flatten(tree)
    for i, leaf in enumerate(leaves):
        leaf = detach(leaf)
        leaves[i] = leaf if tensors else plain_result(leaf)
    return unflatten(leaves, structure)


def any_tensors(leaves):
    """Whether some were given as Tensors, so that results are Tensors too."""
    return any(isinstance(leaf, TensorMethods) for leaf in leaves)


def split_aux(where, out, has_aux):
    """A function's output, and its auxiliary output (None without)."""
    if not has_aux:
        return out, None
    if not (isinstance(out, tuple) and len(out) == 2):
        raise _errors.no_aux(where)
    return out


def kept(where, function, *args, **kwargs):
    """What a function returns; a plain number raises where one was taken out of what is differentiated."""
    before = numbers_taken()
    out = function(*args, **kwargs)
    check_kept(where, out, before)
    return out


def check_kept(where, out, before):
    """`kept`, where the function has run since `numbers_taken` gave `before`."""
    if numbers_taken() != before:
        for leaf in flatten(out)[0]:
            if not isinstance(leaf, TensorMethods) and is_array(leaf) and np.asarray(leaf).dtype.kind in "fc":
                raise _errors.number_taken(where, leaf)


class Picked:
    """The arguments that `argnums` names, flat, and how to call the function with others in their place."""

    __slots__ = ("argnums", "args", "kwargs", "leaves", "structure")

    def __init__(self, argnums, args, kwargs):
        self.args, self.kwargs = args, kwargs
        self.argnums = _argnums(argnums, len(args))
        one = isinstance(self.argnums, int)
        self.leaves, self.structure = flatten(args[self.argnums] if one else tuple([args[i] for i in self.argnums]))

    def call(self, where, function, values):
        """``function(*args, **kwargs)`` with these leaves."""
        args, picked = list(self.args), unflatten(values, self.structure)
        if isinstance(self.argnums, int):
            args[self.argnums] = picked
        else:
            for i, value in zip(self.argnums, picked):
                args[i] = value
        return kept(where, function, *args, **self.kwargs)

    def tree(self, leaves):
        """Leaves as the arguments are."""
        return unflatten(leaves, self.structure)

    def tensors(self, where):
        """The leaves as Tensors that can be differentiated."""
        return [inexact(where, leaf) for leaf in self.leaves]


def _argnums(argnums, count):
    if isinstance(argnums, (list, tuple)):
        found = tuple([_argnum(i, count) for i in argnums])
        if not found or len(set(found)) != len(found):
            raise _errors.argnums_tuple(tuple(argnums))
        return found
    return _argnum(argnums, count)


def _argnum(argnum, count):
    if isinstance(argnum, bool) or not isinstance(argnum, (int, np.integer)):
        raise _errors.argnums_type(argnum)
    if not -count <= argnum < count:
        raise _errors.argnums_range(argnum, count)
    return int(argnum) % count
