"""Gradients: `backward`, `grad`, operations of one's own, and what looks into the graph or trades time for memory.

What is not needed to differentiate is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .. import _errors
from .._backend import backend as _backend
from .._methods import GradientEdge
from ..ops import TABLE
from ._modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)  # fmt: skip

if TYPE_CHECKING:
    from . import function, graph
    from ._anomaly import detect_anomaly, set_detect_anomaly
    from ._checkpoint import CheckpointError, checkpoint
    from ._gradcheck import GradcheckError, gradcheck, gradgradcheck
    from .function import Function

#: Name -> the module of this package that has it. The name of a module stands for itself.
_LATER = {
    "CheckpointError": "_checkpoint", "Function": "function", "GradcheckError": "_gradcheck",
    "checkpoint": "_checkpoint", "detect_anomaly": "_anomaly", "function": None,
    "gradcheck": "_gradcheck", "gradgradcheck": "_gradcheck", "graph": None, "set_detect_anomaly": "_anomaly",
}  # fmt: skip

__all__ = [
    "CheckpointError", "Function", "GradcheckError", "backward", "checkpoint", "detect_anomaly", "enable_grad",
    "function", "grad", "gradcheck", "gradgradcheck", "graph", "inference_mode", "is_grad_enabled",
    "is_inference_mode_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_LATER[name] or name}", __name__)
    value = globals()[name] = module if _LATER[name] is None else getattr(module, name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of some Tensors to the `grad` of the leaves they were computed from.

    Parameters
    ----------
    tensors : Tensor, `graph.GradientEdge`, or sequence of them
        What to differentiate.
    grad_tensors : array_like, or a sequence with one (or None) for each Tensor, optional
        The gradient of something with respect to each Tensor, of its shape. May be left out for real scalars: one.
    retain_graph : bool, optional
        Keep what the graph saved, so that it can be used again. By default the value of `create_graph`.
    create_graph : bool
        Record the computation of the gradients, so that they can be differentiated in their turn.
    inputs : Tensor, `graph.GradientEdge`, or sequence of them, optional
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
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=None,
    is_grads_batched=False, materialize_grads=False,
):  # fmt: skip
    """The gradients of the sum of `outputs` with respect to `inputs`; no `grad` is touched.

    Parameters
    ----------
    outputs : Tensor, `graph.GradientEdge`, or sequence of them
        What to differentiate.
    inputs : Tensor, `graph.GradientEdge`, or sequence or dict of them
        With respect to what: leaves, or Tensors on the way.
    grad_outputs, retain_graph, create_graph
        As in `backward`.
    only_inputs : bool
        Has no meaning, and is here for programs written for PyTorch.
    allow_unused : bool, optional
        Give None for an input that the outputs do not depend on, where RuntimeError is raised otherwise. By default
        the value of `materialize_grads`.
    is_grads_batched : bool
        Each of `grad_outputs` has one axis more, its first, and so has each gradient: many vector-Jacobian products
        in one backward pass.
    materialize_grads : bool
        Give zeros for an input that the outputs do not depend on.

    Returns
    -------
    tuple or dict of Tensor
        One gradient for each input, of its shape and dtype.

    Raises
    ------
    RuntimeError
        As `backward`; and if an input takes no part and `allow_unused` is not set.
    ValueError
        If `materialize_grads` is set and `allow_unused` is False.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> x = fg.tensor(3.0, requires_grad=True)
    >>> (first,) = fg.autograd.grad(x**3, x, create_graph=True)
    >>> (second,) = fg.autograd.grad(first, x)
    >>> second
    tensor(18.)
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> fg.autograd.grad(x**3, x, np.eye(2), is_grads_batched=True)[0]  # the rows of the Jacobian
    tensor([[ 3.,  0.],
            [ 0., 12.]])
    """
    if materialize_grads and allow_unused is False:
        raise _errors.materialize_unused()
    if isinstance(inputs, dict):
        found = grad(
            outputs, tuple(inputs.values()), grad_outputs, retain_graph, create_graph, True, allow_unused,
            is_grads_batched, materialize_grads,
        )  # fmt: skip
        return dict(zip(inputs, found))
    run = _backend.grad
    if is_grads_batched:
        from ._batches import grad as run
    edges = materialize_grads and any(isinstance(one, GradientEdge) for one in _as_tuple(inputs))
    if edges:  # which have no shape that could be given zeros
        found = run(outputs, inputs, grad_outputs, retain_graph, create_graph, True, False)
        return tuple(_or_zeros(g, one) for g, one in zip(found, _as_tuple(inputs)))
    return run(outputs, inputs, grad_outputs, retain_graph, create_graph, bool(allow_unused), materialize_grads)


def _as_tuple(value):
    return value if type(value) in (tuple, list) else (value,)


def _or_zeros(g, like):
    if g is None and isinstance(like, GradientEdge):
        raise _errors.materialize_edge()
    return TABLE["zeros_like"](like) if g is None else g
