"""What is made inside of a transform to be written to: buffers, which have to take lifted values."""

from __future__ import annotations

import numpy as np

from .._backend import backend
from ._batched import Batched
from ._dual import Dual
from ._lift import levels, uniform


def inside(tensor):
    """A new Tensor as one that tangents can be written to. (In `vmap` it stays one for all examples, as in PyTorch.)"""
    if tensor.dtype.kind not in "fc":
        return tensor
    for level in levels():
        if level.size is None:
            tensor = Dual(tensor, _zeros(tensor), level.number)
        elif level.number in uniform:
            tensor = Batched(_repeated(tensor, level.size), level.number)
    return tensor


def _zeros(value):
    if type(value) is Batched:
        return Batched(_zeros(value.payload), value.level)
    if type(value) is Dual:
        return Dual(_zeros(value.primal), _zeros(value.tangent), value.level)
    return backend.asarray(np.zeros(value.shape, value.dtype))


def _repeated(value, count):
    """`count` copies along axis 0 of a value of lower levels."""
    if type(value) is Batched:  # of which each example is repeated
        return Batched(_repeated(value.payload, count).swapaxes(0, 1), value.level)
    if type(value) is Dual:
        return Dual(_repeated(value.primal, count), _repeated(value.tangent, count), value.level)
    return backend.asarray(np.repeat(value.detach().numpy()[None], count, axis=0))
