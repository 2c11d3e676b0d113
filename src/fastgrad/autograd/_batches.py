"""Many vector-Jacobian products of one graph in one backward pass: `grad` with `is_grads_batched`."""

from __future__ import annotations

from .. import _errors
from .._backend import backend as _backend
from .._methods import is_tensor
from ..func._batched import Batched
from ..func._lift import level
from ..func._reverse import peel
from ..ops import TABLE


def grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads):
    """As the backend's `grad`, for each of the batch that the first axes of `grad_outputs` are."""
    outputs = outputs if type(outputs) in (tuple, list) else (outputs,)
    if type(grad_outputs) not in (tuple, list):
        grad_outputs = (grad_outputs,)
    if len(grad_outputs) != len(outputs):
        raise _errors.gradient_count(len(outputs), len(grad_outputs))
    batches = [g if g is None or is_tensor(g) else _backend.asarray(g) for g in grad_outputs]
    for i, (g, out) in enumerate(zip(batches, outputs)):
        if not is_tensor(out):
            continue
        if g is None and out.size != 1:
            raise _errors.not_scalar(out.shape)
        if g is not None and tuple(g.shape[1:]) != tuple(out.shape):
            raise _errors.batched_shape(i, g.shape[1:], out.shape)
    sizes = {g.shape[0] if g.ndim else None for g in batches if g is not None}
    if len(sizes) != 1 or None in sizes:
        raise _errors.batch_size([None if g is None else g.shape for g in batches])
    with level(*sizes) as many:
        given = tuple(None if g is None else Batched(g, many.number) for g in batches)
        found = _backend.grad(outputs, inputs, given, retain_graph, create_graph, allow_unused, materialize_grads)
    return tuple(_peeled(g, many) for g in found)


def _peeled(g, many):
    """A gradient for each of the batch; one that is the same for all is repeated."""
    if type(g) is Batched or g is None:
        return g if g is None else peel(g, many)
    return TABLE["clone"](peel(g, many))
