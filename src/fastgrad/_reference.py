"""The pure-Python backend: Tensor, the graph and backward on NumPy alone.

It is what the compiled backend is checked against, so it is the plainest code that is right: nothing recurses,
nothing is fused, every result is a new array. The rules it follows are the notes of docs/internals.md. This module is
its face; what it does is in the modules `_reference_*`.
"""

from __future__ import annotations

import numpy as np

from ._reference_backward import backward, grad, reaches_beyond
from ._reference_graph import AccumulateGrad, FunctionNode, Node, is_array
from ._reference_modes import (
    _anomaly,
    _pop_saved_hooks,
    _push_saved_hooks,
    _set_anomaly,
    _set_grad_enabled,
    _set_inference,
    _set_numpy_guard,
    _set_saved_hooks_disabled,
    accumulating,
    get_num_threads,
    is_grad_enabled,
    is_inference_mode_enabled,
    set_num_threads,
)
from ._reference_record import Saved, apply, attach, new_function_node
from ._reference_tensor import Tensor, numeric
from ._reference_tensor import increment_version as _increment_version

name = "reference"

__all__ = [
    "AccumulateGrad", "FunctionNode", "Node", "Saved", "Tensor", "_anomaly", "_increment_version", "_pop_saved_hooks",
    "_push_saved_hooks", "_set_anomaly", "_set_grad_enabled", "_set_inference", "_set_numpy_guard",
    "_set_saved_hooks_disabled", "accumulating", "all_below", "asarray", "attach", "backward", "bind", "from_numpy",
    "fused", "get_num_threads", "grad", "is_grad_enabled", "is_inference_mode_enabled", "name",
    "new_function_node", "reaches_beyond", "set_num_threads", "tensor",
]  # fmt: skip


def bind(op):
    """The public function of a row: it takes Tensors, arrays, scalars and sequences, and gives Tensors."""

    def function(*args, **kwargs):
        operands, options = op.bind(*args, **kwargs)
        return apply(op, operands, options)

    function.__name__ = function.__qualname__ = op.name
    function.__doc__, function.__module__ = op.doc, op.module
    function.__wrapped__ = op.bind  # what `inspect.signature` reads
    return function


def fused(function):
    """What writes ``function(*inputs)``, a tuple, into the ndarrays `outputs`, which may be inputs.

    ``fused(function)(inputs, outputs)``: inputs are ndarrays that broadcast to the outputs' shape, or Python floats.
    """

    def run(inputs, outputs):
        with np.errstate(all="ignore"):
            results = function(*inputs)
        for out, result in zip(outputs, [np.array(result) for result in results], strict=True):
            np.copyto(out, result, casting="same_kind")

    return run


def all_below(numbers, n):
    """Whether all integers of an array are from 0 to n - 1."""
    return bool(((numbers >= 0) & (numbers < n)).all())


def fused_step(name, tensors, numbers):
    """Whether the backend has a step of an optimizer of its own, and has made it: this one has none."""
    return False


def tensor(data, *, dtype=None, requires_grad=False):
    data = data._array if isinstance(data, Tensor) else numeric(data, "tensor")
    result = Tensor._of(numeric(np.array(data, dtype=dtype), "tensor"))
    result.requires_grad = requires_grad
    return result


def asarray(x, dtype=None, copy=None):
    if not isinstance(x, Tensor):
        x = np.asarray(numeric(x, "asarray"), dtype=dtype, copy=copy)
        return Tensor._of(numeric(x, "asarray").view())
    if dtype is not None and np.dtype(dtype) != x.dtype:
        if copy is False:
            raise ValueError(f"asarray: cannot convert {x.dtype} to {np.dtype(dtype)} without a copy")
        return x.astype(dtype)
    return x.clone() if copy else x


def from_numpy(array):
    if not is_array(array):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}")
    return asarray(array)
