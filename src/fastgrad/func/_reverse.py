"""Reverse mode under other transforms: gradients of lifted values (docs/internals.md, Note [Lifted values]).

The graph is always innermost. So inputs are unwrapped to the Tensors inside, which become fresh leaves; the function
runs on them, wrapped again; and what it gives is unwrapped to Tensors that have a graph. Each level has a rule:

* `Batched`: examples are independent, so the gradient of all together is the gradient of each. For that every input has
  to have an example for each example of the batch, and is repeated where it has not.
* `Dual`: a loss L with tangent L' has the gradient dL/dp with tangent dL'/dp. Where the input p has a tangent p' of its
  own, L' = (dL/dp) p', so that dL/dp is also dL'/dp': one pass gives both.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

import numpy as np

from .._backend import Tensor, backend
from ..ops import TABLE
from ._batched import Batched
from ._dual import Dual
from ._lift import SCALARS, Lifted, levels

_broadcast_to, _moveaxis, _positive, _zeros_like = (
    TABLE[name] for name in ("broadcast_to", "moveaxis", "positive", "zeros_like")
)
_grad, _set_grad_enabled, _set_inference = backend.grad, backend._set_grad_enabled, backend._set_inference


# ---------------------------------------------------------------- a level's part of a value


def peel(value, level):
    """The examples of a value at a vmap level, along axis 0; one that all share is repeated (without a copy)."""
    if isinstance(value, Lifted):
        if value.level == level.number:
            return value.payload
        if value.level > level.number:
            if type(value) is Dual:
                return Dual(peel(value.primal, level), peel(value.tangent, level), value.level)
            return Batched(_moveaxis(peel(value.payload, level), 1, 0), value.level)
    return _broadcast_to(value, (level.size, *np.shape(value)))


def cover(value, level):
    """The reverse of `peel`."""
    if isinstance(value, Lifted) and value.level > level.number:
        if type(value) is Dual:
            return Dual(cover(value.primal, level), cover(value.tangent, level), value.level)
        return Batched(cover(_moveaxis(value.payload, 0, 1), level), value.level)
    return Batched(value, level.number)


def split(value, level):
    """Primal and tangent (or None) of a value at a jvp level."""
    if isinstance(value, Lifted):
        if value.level == level.number:
            return value.primal, value.tangent
        if value.level > level.number:
            if type(value) is Batched:
                return tuple(
                    [part if part is None else Batched(part, value.level) for part in split(value.payload, level)]
                )
            primal, primal_t = split(value.primal, level)
            tangent, tangent_t = split(value.tangent, level)
            if primal_t is None and tangent_t is None:
                return Dual(primal, tangent, value.level), None
            primal_t = _zeros_like(primal) if primal_t is None else primal_t
            tangent_t = _zeros_like(tangent) if tangent_t is None else tangent_t
            return Dual(primal, tangent, value.level), Dual(primal_t, tangent_t, value.level)
    return value, None


def join(primal, tangent, level):
    """The reverse of `split`."""
    top = max((part.level for part in (primal, tangent) if isinstance(part, Lifted)), default=0)
    if top <= level.number:
        return Dual(primal, tangent, level.number)
    upper = primal if isinstance(primal, Lifted) and primal.level == top else tangent
    if type(upper) is Dual:
        (p, p_t), (t, t_t) = (
            (part.primal, part.tangent) if type(part) is Dual and part.level == top else (part, _zeros_like(part))
            for part in (primal, tangent)
        )
        return Dual(join(p, t, level), join(p_t, t_t, level), top)
    size = upper.payload.shape[0]
    p, t = (
        part.payload if type(part) is Batched and part.level == top else _broadcast_to(part, (size, *part.shape))
        for part in (primal, tangent)
    )
    return Batched(join(p, t, level), top)


# ---------------------------------------------------------------- fresh inputs

#: Leaves, by id, that the graph of some result leads to and that nobody else knows.
_fresh = WeakValueDictionary()


def remember(leaves):
    """Note leaves of ours that the graph of a result will lead to."""
    for leaf in leaves:
        _fresh[id(leaf)] = leaf


class recording:
    """A ``with`` block that records whatever the modes outside are; it gives whether operations were recorded there."""

    __slots__ = ("grad", "inference")

    def __enter__(self):
        self.inference = _set_inference(False)
        self.grad = _set_grad_enabled(True)
        return self.grad and not self.inference

    def __exit__(self, *exc_info):
        _set_grad_enabled(self.grad)
        _set_inference(self.inference)


class Reverse:
    """One reverse differentiation: fresh inputs for a function, then the gradients with respect to them.

    `outer` says whether what is outside wants the gradients recorded.
    """

    __slots__ = ("connected", "inputs", "inside", "leaves", "outer")

    def __init__(self, values, outer):
        self.outer = outer
        self.inside = levels()
        self.connected = False  # does a graph from outside lead in?
        self.leaves = []
        paired = frozenset(
            level.number
            for level in self.inside
            if level.size is None and any(split(v, level)[1] is not None for v in values)
        )
        self.inputs = [self._fresh(value, len(self.inside), paired) for value in values]

    def _fresh(self, value, depth, paired):
        if depth == 0:
            return self._leaf(value)
        level = self.inside[depth - 1]
        if level.size is not None:
            return Batched(self._fresh(peel(value, level), depth - 1, paired), level.number)
        if level.number not in paired:
            return self._fresh(value, depth - 1, paired)
        primal, tangent = split(value, level)
        tangent = _zeros_like(primal) if tangent is None else tangent
        return Dual(self._fresh(primal, depth - 1, paired), self._fresh(tangent, depth - 1, paired), level.number)

    def _leaf(self, tensor):
        if self.outer and tensor.requires_grad:
            self.connected = True
            leaf = _positive(tensor)
        else:
            leaf = _positive(tensor) if tensor.is_inference() else tensor.detach()
            leaf.requires_grad = True
        self.leaves.append(leaf)
        return leaf

    # ------------------------------------------------------------ gradients

    def recorded(self, outputs):
        """Whether gradients of these outputs can be differentiated in their turn."""
        if not self.outer:
            return False
        if self.connected:
            return True
        tensors = [t for out in outputs for t in physical(out) if t.requires_grad]
        return reaches_beyond(tensors, self.leaves)

    def gradients(self, outputs, cotangents, keep=False, record=None):
        """The gradients of the outputs with respect to the inputs: None where nothing leads to one."""
        if record is None:
            record = self.recorded(outputs) or any(has_graph(v) for v in cotangents)
        if record:
            remember(self.leaves)
        return self._pull(list(zip(outputs, cotangents)), self.inputs, len(self.inside), keep or record, record)

    def _pull(self, pairs, inputs, depth, keep, record):
        if depth == 0:
            return pull(pairs, inputs, keep, record)
        level = self.inside[depth - 1]
        if level.size is not None:
            pairs = [(peel(y, level), peel(v, level)) for y, v in pairs if depends(y, level)]
            found = self._pull(pairs, [x.payload for x in inputs], depth - 1, keep, record)
            return [None if g is None else cover(g, level) for g in found]
        primal_pairs, tangent_pairs = [], []
        for y, v in pairs:
            (y, y_t), (v, v_t) = split(y, level), split(v, level)
            primal_pairs.append((y, v))
            if v_t is not None:
                tangent_pairs.append((y, v_t))
            if y_t is not None:
                tangent_pairs.append((y_t, v))
        if all(type(x) is Dual and x.level == level.number for x in inputs):
            both = [x.primal for x in inputs] + [x.tangent for x in inputs]
            found = self._pull(tangent_pairs, both, depth - 1, keep, record)
            tangents, primals = found[: len(inputs)], found[len(inputs) :]
        else:
            primals = self._pull(primal_pairs, inputs, depth - 1, True, record)
            tangents = self._pull(tangent_pairs, inputs, depth - 1, keep, record) if tangent_pairs else primals
            if tangents is primals:
                return primals
        return [_dual(g, g_t, level) for g, g_t in zip(primals, tangents)]


def _dual(g, g_t, level):
    if g_t is None:
        return g
    return join(_zeros_like(g_t) if g is None else g, g_t, level)


def depends(value, level):
    """Whether a value is different for different examples: if not, it depends on no input."""
    if isinstance(value, Lifted) and value.level > level.number:
        parts = (value.primal, value.tangent) if type(value) is Dual else (value.payload,)
        return any(depends(part, level) for part in parts)
    return isinstance(value, Lifted) and value.level == level.number


def physical(value):
    """The Tensors inside."""
    if type(value) is Batched:
        return physical(value.payload)
    if type(value) is Dual:
        return physical(value.primal) + physical(value.tangent)
    return [value] if type(value) is Tensor else []


def has_graph(value):
    """Whether what is computed from a cotangent is to be recorded."""
    return any(t.requires_grad for t in physical(value))


def reaches_beyond(tensors, leaves):
    """Whether a graph leads to something that somebody else wants gradients of."""
    if not tensors:
        return False
    ours = [leaf for leaf in (ref() for ref in _fresh.valuerefs()) if leaf is not None] if _fresh else ()
    return backend.reaches_beyond(tensors, [*leaves, *ours])


def pull(pairs, inputs, keep, record):
    """The backend's gradients; None for an input that nothing leads to."""
    pairs = [(y, v) for y, v in pairs if type(y) is Tensor and y.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    outputs, cotangents = zip(*pairs)
    return list(_grad(outputs, inputs, cotangents, keep, record, True))


# ---------------------------------------------------------------- for rules


def gradients(function, values):
    """The gradients, in `values`, of the sum of <v, t> over the pairs (v, t) that ``function(*values)`` gives."""
    with recording() as outer:
        run = Reverse(values, outer)
        pairs = [(fitted(v, t), t) for v, t in function(*run.inputs)]
        found = run.gradients(*map(list, zip(*pairs))) if pairs else [None] * len(values)
    return [_zeros_like(value) if g is None else g for g, value in zip(found, values)]


def fitted(g, like):
    """What a vjp gave, in the shape of its operand: axes that were broadcast are summed, others repeated."""
    if type(g) in SCALARS or not hasattr(type(g), "_apply_op"):
        g = backend.asarray(np.asarray(g, like.dtype))
    if g.dtype.kind == "c" and like.dtype.kind != "c":
        g = TABLE["real"](g)
    elif g.dtype != like.dtype:
        g = TABLE["astype"](g, like.dtype)
    extra = g.ndim - like.ndim
    axes = tuple(i for i, n in enumerate(g.shape) if i < extra or like.shape[i - extra] == 1 != n)
    if axes:
        g = TABLE["sum"](g, axis=axes, keepdims=True)
    if extra > 0:
        g = TABLE["reshape"](g, g.shape[extra:])
    return g if g.shape == like.shape else _broadcast_to(g, like.shape)
