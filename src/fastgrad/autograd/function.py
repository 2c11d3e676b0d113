"""Function: an operation of one's own, forward and backward written as Python, with a context between the two.

An operation that is a formula is better told as a row (`fastgrad.register_op`); a Function is for the rest.
"""

from __future__ import annotations

import inspect
from functools import wraps

import numpy as np

from .. import _errors
from .._backend import backend as _backend
from .._methods import is_tensor, lifted
from ..ops import TABLE
from ._modes import no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

_getitem = TABLE["getitem"]


class FunctionCtx:
    """The context that `Function.forward` leaves to `Function.backward`. Attributes may be set on it freely."""

    needs_input_grad = ()  #: for each argument, whether it is a Tensor that requires grad
    materialize_grads = True
    to_save = saved_for_forward = dirty_tensors = non_differentiable = None

    def save_for_backward(self, *tensors):
        """Keep Tensors (or None) for `backward`, which finds them in `saved_tensors`.

        They are checked there for having been written since, and what keeps memory down applies to them
        (`graph.saved_tensors_hooks`). Anything else is kept by setting an attribute.
        """
        self.to_save = tensors

    def save_for_forward(self, *tensors):
        """Keep Tensors (or None) for `jvp`, which finds them in `saved_tensors`."""
        for i, tensor in enumerate(tensors):
            if tensor is not None and not is_tensor(tensor):
                raise _errors.function_saves(i, tensor)
        self.saved_for_forward = tensors

    def mark_dirty(self, *tensors):
        """Say which inputs `forward` wrote in place. They must be among its outputs."""
        self.dirty_tensors = tensors

    def mark_non_differentiable(self, *tensors):
        """Say which outputs have no gradient. `backward` gets zeros for them."""
        self.non_differentiable = tensors

    def set_materialize_grads(self, value):
        """False: `backward` and `jvp` get None for a gradient that is not there, rather than zeros."""
        self.materialize_grads = value


class _PlainCtx(FunctionCtx):
    """A context that is no node: what it saves, it has."""

    @property
    def saved_tensors(self):
        return self.saved_for_forward or self.to_save or ()


class _NodeCtx(FunctionCtx, _backend.FunctionNode):  # type: ignore[name-defined]
    """The context as the node that it is. `_forward_cls` of each subclass is the Function."""

    _saved = ()
    _freed = False
    _made = ()  # (shape, dtype) of each output, None for one that is no Tensor

    def name(self):
        """The name of the Function, as in ``MyFunctionBackward``."""
        return type(self).__name__

    @property
    def saved_tensors(self):
        """What `save_for_backward` was given."""
        if self._freed:
            raise _errors.freed(self.name())
        return tuple(None if saved is None else saved.unpack() for saved in self._saved)

    def _vjp(self, grads, wanted):
        if self.materialize_grads:
            grads = [_zeros(made) if g is None and made else g for g, made in zip(grads, self._made)]
        return _gradients(self, self._forward_cls, grads)

    def _release(self):
        self._freed, self._saved = True, ()


def _zeros(made):
    return _backend.asarray(np.zeros(*made))


def _gradients(ctx, function, grads):
    """What `function.backward` gives, checked: one for each argument of forward, a Tensor or None."""
    if function.vjp is not Function.vjp and function.backward is not Function.backward:
        raise _errors.function_both()
    user = function.vjp if function.vjp is not Function.vjp else function.backward
    results = user(ctx, *grads)
    results = results if isinstance(results, tuple) else (results,)
    tensors, name = ctx._is_tensor, function.__name__ + "Backward"
    if len(results) > len(tensors) and all(g is None for g in results[len(tensors) :]):
        results = results[: len(tensors)]
    if len(results) != len(tensors):
        raise _errors.function_count(name, len(tensors), len(results))
    for i, (g, tensor) in enumerate(zip(results, tensors)):
        if g is not None and not tensor:
            raise _errors.function_constant(name, i + 1)
        if g is not None and not is_tensor(g):
            raise _errors.function_grad_type(name, g)
    return list(results)


class _Meta(type):
    """Gives each Function the class of its nodes."""

    def __init__(cls, name, bases, attributes):
        super().__init__(name, bases, attributes)
        cls._backward_cls = type(
            name + "Backward", (_NodeCtx,), {"_forward_cls": cls, "__module__": cls.__module__}
        )  # fmt: skip


class Function(metaclass=_Meta):
    """An operation of your own: subclass it, write `forward` and `backward` as static methods, and call ``apply``.

    ``forward(ctx, *args)`` computes, under no_grad, and leaves in `ctx` what ``backward(ctx, *grads)`` needs: Tensors
    by ``ctx.save_for_backward(...)``, anything else as attributes. Several outputs are a tuple; outputs that are no
    Tensors are handed through. `backward` gets the gradient of each output and returns one for each argument, None
    for those that have none. Instead, ``forward(*args)`` may do without the context, and
    ``setup_context(ctx, inputs, output)`` fill it. ``jvp(ctx, *tangents)``, if written, is forward mode; if not,
    it follows from `backward`.

    Raises
    ------
    RuntimeError
        If it is instantiated, if `backward` gives too few or too many gradients, one of a shape that does not fit, or
        one for an argument that is no Tensor; if an input marked as dirty is not returned.
    TypeError
        If something else than Tensors and None is saved for backward.
    NotImplementedError
        If the method that is needed is missing.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> class Exp(fg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         out = fg.asarray(np.exp(x.detach().numpy()))
    ...         ctx.save_for_backward(out)
    ...         return out
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (out,) = ctx.saved_tensors
    ...         return g * out
    >>> x = fg.tensor([0.0, 1.0], requires_grad=True)
    >>> y = Exp.apply(x)
    >>> y
    tensor([1.        , 2.71828183], grad_fn=<ExpBackward>)
    >>> y.sum().backward()
    >>> x.grad
    tensor([1.        , 2.71828183])
    """

    _signature = None, None  # a forward, and what it takes

    def __init__(self, *args, **kwargs):
        raise _errors.function_legacy()

    @staticmethod
    def forward(*args, **kwargs):
        """Compute: ``forward(ctx, *args)``, or ``forward(*args)`` beside a `setup_context`."""
        raise _errors.function_missing("the forward function")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Fill `ctx` after a `forward` that has none: `inputs` is the tuple of its arguments."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradient of each argument of `forward`, from those of its outputs."""
        raise _errors.function_missing("either the backward or vjp method")

    vjp = backward  # another name for it

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """The tangent of each output, from those of the arguments of `forward` (None: no tangent)."""
        raise _errors.function_missing("the jvp function")

    @staticmethod
    def vmap(info, in_dims, *args):
        """``(output, out_dims)`` for arguments of which some have an axis more; without it, a loop."""
        raise _errors.function_missing("the vmap function")

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run `forward`, and record it where a gradient is wanted."""
        separate = cls.setup_context is not Function.setup_context
        if kwargs or separate:
            args = _bound(cls, separate, args, kwargs)
        inputs = [arg if hasattr(type(arg), "_inplace_op") else None for arg in args]  # the Tensors
        if lifted(inputs) is not None:
            from ._function_rules import apply

            return apply(cls, args)
        ctx = _backend.new_function_node(cls._backward_cls, tuple(inputs))
        ctx._is_tensor = [tensor is not None for tensor in inputs]
        ctx.needs_input_grad = needs = tuple([tensor is not None and tensor.requires_grad for tensor in inputs])
        before = _backend._set_grad_enabled(False)
        try:
            if separate:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        finally:
            _backend._set_grad_enabled(before)
        recorded = before and True in needs
        single = not isinstance(output, tuple)
        raw = (output,) if single else output
        outputs = _outputs(ctx, raw, inputs, recorded, separate)
        if recorded and ctx.to_save:
            ctx._saved = _saved(ctx, raw)
        ctx.to_save = ctx.dirty_tensors = ctx.non_differentiable = None
        return outputs[0] if single else tuple(outputs)


def _bound(cls, separate, args, kwargs):
    """All arguments of forward in order; defaults are filled in where the context is set up apart."""
    if cls._signature[0] is not cls.forward:
        cls._signature = cls.forward, inspect.signature(cls.forward)
    signature = cls._signature[1]
    bound = signature.bind(*args, **kwargs) if separate else signature.bind(None, *args, **kwargs)
    if separate:
        bound.apply_defaults()
    if bound.kwargs:
        raise _errors.function_keyword(cls.__name__, next(iter(bound.kwargs)))
    return bound.args if separate else bound.args[1:]


def _ids(method, tensors):
    """The ids of Tensors that `ctx` was told of."""
    for i, tensor in enumerate(tensors or ()):
        if not is_tensor(tensor):
            raise _errors.function_marks(method, i, tensor)
    return {id(tensor) for tensor in tensors or ()}


def _outputs(ctx, raw, inputs, recorded, separate):
    """The outputs as the caller gets them, tied to the node. `inputs` are the arguments, None for what is no Tensor."""
    dirty = _ids("mark_dirty", ctx.dirty_tensors)
    constant = _ids("mark_non_differentiable", ctx.non_differentiable)
    if dirty:
        from .graph import increment_version

        if not dirty <= {id(out) for out in raw}:
            raise _errors.function_dirty_lost()
        increment_version(ctx.dirty_tensors)  # the writing may have been NumPy's
    outputs, tied, written = list(raw), [None] * len(raw), set()
    for i, out in enumerate(raw):
        if not is_tensor(out):
            continue
        is_input = any(out is tensor for tensor in inputs)
        is_dirty = is_input and id(out) in dirty
        if not recorded or id(out) in constant or out.dtype.kind not in "fc":
            if (is_input and not is_dirty) or out.requires_grad:
                outputs[i] = out.detach()
            continue
        if is_dirty:
            written.add(i)
        elif is_input:
            if separate and any(out is tensor for tensor in ctx.to_save or ()):
                raise _errors.function_saved_input()
            with no_grad():
                outputs[i] = _getitem(out, ...)  # another Tensor, which can have a place of its own
        elif out.requires_grad:
            outputs[i] = out.detach()  # made elsewhere: it keeps its place
        tied[i] = outputs[i]
    if recorded:
        _backend.attach(ctx, tuple(tied), written)
        ctx._made = [(out.shape, out.dtype) if is_tensor(out) else None for out in raw]
    return outputs


def _saved(ctx, raw):
    """What `save_for_backward` was given, kept so that an output does not hold on to its own node."""
    kept, place = [], {id(out): i for i, out in enumerate(raw) if is_tensor(out)}
    inputs_kept = {id(t) for t in ctx.dirty_tensors or ()}
    for i, tensor in enumerate(ctx.to_save or ()):
        if tensor is None:
            kept.append(None)
        elif not is_tensor(tensor):
            raise _errors.function_saves(i, tensor)
        elif id(tensor) in place and (tensor.grad_fn is ctx or id(tensor) in inputs_kept):
            kept.append(_backend.Saved(tensor, ctx, place[id(tensor)]))
        else:
            kept.append(_backend.Saved(tensor))
    return tuple(kept)


# ---------------------------------------------------------------- differentiating once only


class _Once(_backend.FunctionNode):  # type: ignore[name-defined]
    """The node of gradients that a `once_differentiable` backward gave."""

    def name(self):
        return "Error"

    def _vjp(self, grads, wanted):
        raise _errors.differentiated_twice()

    def _release(self):
        pass


def once_differentiable(backward):
    """Decorate a `backward` whose result is not to be differentiated again: doing so raises RuntimeError.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> from fastgrad.autograd.function import once_differentiable
    >>> class Square(fg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     @once_differentiable
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * g * x.detach()
    """

    @wraps(backward)
    def wrapper(ctx, *grads, **kwargs):
        with no_grad():
            results = backward(ctx, *grads, **kwargs)
        if not _backend.is_grad_enabled() or not any(is_tensor(g) and g.requires_grad for g in grads):
            return results
        results = results if isinstance(results, tuple) else (results,)
        sources = tuple(g for g in grads if is_tensor(g) and g.requires_grad)
        node = _backend.new_function_node(_Once, sources)
        results = tuple(g.detach() if is_tensor(g) else g for g in results)
        _backend.attach(node, tuple(g if is_tensor(g) and g.dtype.kind in "fc" else None for g in results), set())
        return results

    return wrapper
