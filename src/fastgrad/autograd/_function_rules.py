"""What a Function does with lifted arguments (`fastgrad.func`): its tangents, and its results for a batch."""

from __future__ import annotations

import warnings
from typing import NamedTuple
from weakref import WeakSet

import numpy as np

from .. import _errors
from .._backend import backend as _backend
from .._methods import is_tensor
from ..func._batched import Batched
from ..func._dual import Dual
from ..func._errors import batch_loop, batch_loop_empty
from ..func._lift import Lifted, below
from ..func._reverse import gradients
from ..ops import TABLE
from ._modes import no_grad
from .function import Function, _gradients, _PlainCtx

_getitem, _moveaxis, _stack, _zeros_like = (TABLE[name] for name in ("getitem", "moveaxis", "stack", "zeros_like"))
_warned: WeakSet[type] = WeakSet()  # Functions that run in a loop


def apply(function, args):
    """``function.apply(*args)``, by the rule for those of the highest level."""
    top = max((arg for arg in args if isinstance(arg, Lifted)), key=lambda arg: arg.level)
    with below(top.level):
        return (_dual if type(top) is Dual else _batched)(function, args, top.level)


# ---------------------------------------------------------------- tangents


def _dual(function, args, level):
    own = [type(arg) is Dual and arg.level == level for arg in args]
    primals = tuple([arg.primal if mine else arg for arg, mine in zip(args, own)])
    output = function.apply(*primals)
    if not _backend.is_grad_enabled():
        return output
    single = not isinstance(output, tuple)
    outputs = (output,) if single else output
    ctx = _context(function, primals, output)
    tangents = [arg.tangent if mine else None for arg, mine in zip(args, own)]
    push = _transposed if function.jvp is Function.jvp else _pushed
    found = push(function, ctx, primals, outputs, tangents)
    constant = {id(out) for out in ctx.non_differentiable or ()}
    results = [
        Dual(out, t, level) if is_tensor(out) and t is not None and out.dtype.kind in "fc" and id(out) not in constant
        else out
        for out, t in zip(outputs, found)
    ]  # fmt: skip
    return results[0] if single else tuple(results)


def _context(function, args, output):
    """The context of one call, as no node."""
    ctx = _PlainCtx()
    ctx._is_tensor = [is_tensor(arg) for arg in args]
    ctx.needs_input_grad = tuple(ctx._is_tensor)
    with no_grad():
        if function.setup_context is not Function.setup_context:
            function.setup_context(ctx, args, output)
        else:
            function.forward(ctx, *args)
    return ctx


def _pushed(function, ctx, args, outputs, tangents):
    """What the Function's own `jvp` gives."""
    if ctx.materialize_grads:
        tangents = [_zeros_like(arg) if t is None and is_tensor(arg) else t for arg, t in zip(args, tangents)]
    found = function.jvp(ctx, *tangents)
    found = found if isinstance(found, tuple) else (found,)
    if len(found) != len(outputs):
        raise _errors.function_tangents(function.__name__, len(outputs), len(found))
    for out, t in zip(outputs, found):
        if t is not None and is_tensor(out) and (not is_tensor(t) or tuple(t.shape) != tuple(out.shape)):
            raise _errors.function_tangent(function.__name__, out.shape, t)
    return found


def _transposed(function, ctx, args, outputs, tangents):
    """The tangents that follow from `backward`: it is the adjoint of the derivative, and this is its own adjoint."""
    places = [i for i, out in enumerate(outputs) if is_tensor(out) and out.dtype.kind in "fc"]

    def backward(*cotangents):
        grads = [_zeros(out) if is_tensor(out) else None for out in outputs]
        for i, g in zip(places, cotangents):
            grads[i] = g
        return [(v, t) for v, t in zip(_gradients(ctx, function, grads), tangents) if v is not None and t is not None]

    found = dict(zip(places, gradients(backward, [_zeros_like(outputs[i]) for i in places])))
    return [found.get(i) for i in range(len(outputs))]


def _zeros(out):
    return _backend.asarray(np.zeros(out.shape, out.dtype))


# ---------------------------------------------------------------- batches


class VmapInfo(NamedTuple):
    """What `Function.vmap` is told: the length of the batch, and how random numbers would be drawn."""

    batch_size: int
    randomness: str = "error"


def _batched(function, args, level):
    own = [type(arg) is Batched and arg.level == level for arg in args]
    payloads = [arg.payload if mine else arg for arg, mine in zip(args, own)]
    size = next(payload.shape[0] for payload, mine in zip(payloads, own) if mine)
    if function.vmap is not Function.vmap:
        output, axes = function.vmap(VmapInfo(size), tuple([0 if mine else None for mine in own]), *payloads)
        if isinstance(output, tuple):
            axes = axes if isinstance(axes, tuple) else (axes,) * len(output)
            return tuple([_wrapped(out, axis, level) for out, axis in zip(output, axes)])
        return _wrapped(output, axes, level)
    if function not in _warned:
        _warned.add(function)
        warnings.warn(batch_loop(function.__name__), UserWarning, stacklevel=4)
    if size == 0:
        raise batch_loop_empty()
    rows = [
        function.apply(*[_getitem(payload, i) if mine else payload for payload, mine in zip(payloads, own)])
        for i in range(size)
    ]
    if isinstance(rows[0], tuple):
        return tuple([_together(column, level) for column in zip(*rows)])
    return _together(rows, level)


def _wrapped(out, axis, level):
    """An output of `Function.vmap`, whose batch is along `axis`."""
    if axis is None or not is_tensor(out):
        return out
    return Batched(_moveaxis(out, axis, 0) if axis else out, level)


def _together(values, level):
    return Batched(_stack(values), level) if is_tensor(values[0]) else values[0]
