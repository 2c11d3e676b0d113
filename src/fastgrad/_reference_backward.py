"""Backward passes of the reference backend: what each node makes of a cotangent, and the order of hooks around it."""

from __future__ import annotations

import numpy as np

from . import _errors
from ._methods import GradientEdge
from ._reference_graph import AccumulateGrad, FunctionNode, Run, checked, ends_beyond, is_array, reachable
from ._reference_modes import _anomaly, _set_grad_enabled, accumulating, in_thread, modes
from ._reference_record import Packed, connected
from ._reference_tensor import SCALARS, Tensor, numeric
from .ops import TABLE

DEEPEST = 20  # runs within one another in one thread; the next one gets a thread of its own, and a whole stack


def _is_lifted(g):
    """Whether a cotangent stands for many, or carries a tangent: it is passed on as it is."""
    return hasattr(type(g), "_lifts")


def fit(g, like):
    """`g` as a cotangent of `like`: real part, broadcast axes summed, narrower shapes broadcast, dtype cast."""
    if g.dtype.kind == "c" and like.dtype.kind != "c":
        g = TABLE["real"](g)
    extra = g.ndim - like.ndim
    axes = tuple([i for i, n in enumerate(g.shape) if i < extra or like.shape[i - extra] == 1 != n])
    if axes:
        g = TABLE["sum"](g, axis=axes, keepdims=True)
    if extra > 0:
        g = TABLE["reshape"](g, g.shape[extra:])
    if g.shape != like.shape:
        g = TABLE["broadcast_to"](g, like.shape)
    return g if g.dtype == like.dtype else TABLE["astype"](g, like.dtype)


def carrier(g, create_graph):
    """A cotangent as it is passed around: a Tensor with `create_graph`, an ndarray without, lifted if it is that."""
    if _is_lifted(g):
        return g
    if create_graph:
        return g if isinstance(g, Tensor) else Tensor._of(np.asarray(g))
    return g._array if isinstance(g, Tensor) else np.asarray(g)


# ---------------------------------------------------------------- rows


def _row_vjps(node, grads, wanted, create_graph):
    """The fitted cotangents of the wanted operands of a row's node."""
    op, saved = node.op, node.saved
    if node.freed or saved is None:
        raise _errors.freed(node.name())
    for name, counter, version, like in node.checks:
        if counter[0] != version:
            origin = node.metadata.get("traceback_")
            raise _errors.modified(node.name(), name, like.dtype, like.shape, version, counter[0], origin)
    for nr, (g, out) in enumerate(zip(grads, node._outputs)):
        if g is None:
            grads[nr] = carrier(np.zeros(out.shape, out.dtype), create_graph)
    *values, outs = saved
    values, outs = [_unpacked(value) for value in values], [_unpacked(out) for out in outs]
    if op.derived:
        results = _derived_vjps(node, grads[0], values, wanted, create_graph)
    else:
        if create_graph:
            values = [connected(value, edge) for value, edge in zip(values, node._edges)]
            outs = [connected(out, (node, nr)) for nr, out in enumerate(outs)]
        conj = op.holomorphic and any(_is_complex(value) for value in (*node._inputs, *node._outputs))
        if conj:
            grads = [_conj(g) for g in grads]
        g, out = (tuple(grads), tuple(outs)) if op.multi else (grads[0], outs[0])
        results = list(op.vjps(g, out, values, node.options, wanted))
        if len(results) != len(wanted):
            raise _errors.vjp_count(node.name(), len(wanted), len(results))
        if conj:
            results = [_conj(g) for g in results]
    return [_fitted(node, i, g, create_graph) if want else None for i, (g, want) in enumerate(zip(results, wanted))]


def _unpacked(value):
    return value.get()._array if isinstance(value, Packed) else value


def _fitted(node, i, g, create_graph):
    if g is None:
        return None
    if isinstance(g, (tuple, list)):
        raise _errors.vjp_count(node.name(), 1, len(g))
    g, like = carrier(g, create_graph), node._inputs[i]
    if any(n != m and 1 not in (n, m) for n, m in zip(g.shape[::-1], like.shape[::-1])):
        operand = node.op.operands[0 if node.op.variadic else i]
        raise _errors.vjp_shape(node.name(), operand, like.shape, g.shape)
    return carrier(fit(g, like), create_graph)


def _is_complex(value):
    dtype = getattr(value, "dtype", None)
    return type(value) is complex if dtype is None else dtype.kind == "c"


def _conj(g):
    return TABLE["conj"](g) if _is_complex(g) else g


def _derived_vjps(node, g, values, wanted, create_graph):
    """Derive a row's expression: run it again on Tensors, and go backward through that."""
    operands, inputs = list(values), []
    previous = modes.grad, modes.inference, modes.saved_hooks
    modes.grad, modes.inference = True, False
    if not create_graph:
        modes.saved_hooks = ()
    modes.inner += 1
    try:
        for i, (value, edge, want) in enumerate(zip(values, node._edges, wanted)):
            if create_graph:
                value = connected(value, edge)
            if want:
                # A node of its own for each operand (one Tensor may be two of them), where the inner backward stops.
                value = TABLE["positive"](value) if create_graph else Tensor._of(value).requires_grad_()
                inputs.append(value)
            operands[i] = value
        out = node.op.fn(*operands, **node.options)
        if not (isinstance(out, Tensor) and out.requires_grad):  # a constant, whatever the operands are
            return [0.0] * len(wanted)
        found = iter(grad(out, inputs, g, create_graph=create_graph, materialize_grads=True))
    finally:
        modes.grad, modes.inference, modes.saved_hooks = previous
        modes.inner -= 1
    return [next(found) if want else None for want in wanted]


# ---------------------------------------------------------------- one run


class Backward(Run):
    """One backward pass: cotangents under way, and what is to become of them."""

    def __init__(self, keep_graph, create_graph, targets=None, capture=False):
        super().__init__(targets)
        self.keep_graph, self.create_graph = keep_graph, create_graph
        self.captured = dict.fromkeys(targets) if capture else None  # edge -> its complete cotangent

    def go(self, roots):
        """Run from `roots`, a list of ``(node, output number, cotangent)``, the newest node first."""
        if modes.depth >= DEEPEST:
            in_thread(self.go, roots)
            return
        previous, at = _set_grad_enabled(self.create_graph), modes.node
        modes.depth += 1
        try:
            with np.errstate(all="ignore"):
                self.run(roots)
        finally:
            modes.depth -= 1
            modes.node = at
            _set_grad_enabled(previous)

    def merge(self, held, more):
        return carrier(TABLE["add"](held, more), self.create_graph)

    def apply(self, node, grads):
        if modes.cancelled:
            raise modes.cancelled[0]
        modes.node = node
        try:
            return self._through(node, grads)
        except Exception as error:
            origin = node.metadata.get("traceback_") if _anomaly()[0] else None
            if origin and _errors.made_at(origin) not in str(error):
                error.add_note(f"{node.name()} failed.{_errors.made_at(origin)}")
            raise

    def _through(self, node, grads):
        """Hooks and captures, then the node itself: the cotangents of its operands. In PyTorch's order."""
        wanted = [edge is not None and edge[0] in self.needed for edge in node._edges]
        runs = any(wanted) or (self.captured is None and node in self.needed)  # else the pass ends here
        if runs:
            self._capture(node, grads)
        for nr, hooks in list(node._hooks.items()):  # the result that was first given a hook comes first
            grads[nr] = self._through_hooks(hooks, grads[nr])
        for nr, tensor in list(node._retained.items()):
            self._retain(tensor(), grads[nr])
        if not runs:
            self._capture(node, grads)
            return [None] * len(wanted)
        grads = self._through_prehooks(node, grads)
        results = self._evaluate(node, list(grads), wanted)
        return self._through_posthooks(node, results, grads)

    def _capture(self, node, grads):
        for nr, g in enumerate(grads) if self.captured is not None else ():
            if (node, nr) in self.captured:
                self.captured[node, nr] = g

    def _retain(self, tensor, g):
        if tensor is None or g is None or _is_lifted(g):
            return
        with accumulating:
            held = tensor._grad
            tensor._grad = self._own(g) if held is None else TABLE["add"](held, self._tensor(g))

    def _evaluate(self, node, grads, wanted):
        if isinstance(node, AccumulateGrad):
            return self._accumulate(node.variable, grads[0])
        if isinstance(node, FunctionNode):
            results = self._function_vjps(node, grads, wanted)
            if not self.keep_graph:
                node._release()
        else:
            if all(g is None for g in grads):
                return [None] * len(wanted)
            results = _row_vjps(node, grads, wanted, self.create_graph)
            if not self.keep_graph:
                node.release()
        if _anomaly() == (True, True) and not modes.inner:
            for i, g in enumerate(results):
                if g is not None and not _is_lifted(g) and np.isnan(carrier(g, False)).any():
                    raise _errors.nan_gradient(node.name(), i, node.metadata.get("traceback_"))
        return results

    # ------------------------------------------------------------ Functions

    def _function_vjps(self, node, grads, wanted):
        results = node._vjp(tuple(map(self._tensor, grads)), tuple(wanted))
        return [self._function_fitted(node, i, g) if want else None for i, (g, want) in enumerate(zip(results, wanted))]

    def _function_fitted(self, node, i, g):
        """As `_fitted`, but the input's shape must broadcast to the gradient's."""
        if g is None:
            return None
        if not (isinstance(g, Tensor) or _is_lifted(g)):
            raise _errors.function_result(node.name(), i, g)
        like = node._inputs[i]
        fits = like.ndim <= g.ndim and all(m in (1, n) for n, m in zip(g.shape[::-1], like.shape[::-1]))
        if not fits:
            raise _errors.function_gradient(node.name(), i, g.shape, like.shape)
        if g.dtype.kind == "c" != like.dtype.kind:
            raise _errors.function_complex(node.name(), i, g.dtype)
        return carrier(fit(g, like), self.create_graph)

    # ------------------------------------------------------------ hooks

    def _tensor(self, g):
        """What a hook sees: in it, writing in place reaches nobody else's cotangent."""
        return Tensor._of(g.copy()) if is_array(g) else g

    def _taken(self, g):
        return None if g is None else carrier(g, self.create_graph)

    def _through_hooks(self, hooks, g):
        for hook in list(hooks.values()):
            seen = self._tensor(g)
            result = hook(seen)
            g = seen if result is None else checked(result, seen)
        return self._taken(g)

    def _through_prehooks(self, node, grads):
        for hook in list(node._prehooks.values()):
            seen = tuple(map(self._tensor, grads))
            grads = self._replaced(seen, hook(seen), node, "prehook")
        return grads

    def _through_posthooks(self, node, results, before):
        for hook in list(node._posthooks.values()):
            seen = tuple(map(self._tensor, results))
            given = hook(seen, tuple(map(self._tensor, before)))
            results = self._replaced(seen, given, node, "hook")
        return results

    def _replaced(self, seen, given, node, kind):
        """What a hook of a node gave in place of the gradients it has seen."""
        if given is None:
            return list(map(self._taken, seen))
        if not isinstance(given, tuple):
            raise _errors.hook_tuple(node.name(), kind, len(seen), type(given).__name__)
        if len(given) != len(seen):
            raise _errors.hook_count(kind, len(seen), len(given))
        return [None if new is None else self._taken(checked(new, old)) for new, old in zip(given, seen)]

    # ------------------------------------------------------------ leaves

    def _own(self, g):
        """A cotangent as a Tensor that shares memory with nobody."""
        if _is_lifted(g):
            return g
        return g.clone() if self.create_graph else Tensor._of(np.array(g, order="C"))

    def _accumulate(self, leaf, g):
        if g is not None and leaf._node is not None:
            raise _errors.leaf_moved()
        if g is not None and leaf._requires_grad:
            with accumulating:
                self._add(leaf, g)
        for hook in list(leaf._post_hooks.values()):
            result = hook(leaf)
            if result is not None:
                raise _errors.post_accumulate_result(result)
        return ()

    def _add(self, leaf, g):
        held = leaf._grad
        if g.shape != leaf.shape:  # somebody gave it other data
            raise _errors.grad_shape(leaf.shape, g.shape)
        if held is None:
            leaf._grad = self._own(g)
        elif held.shape != leaf.shape:
            raise _errors.grad_shape(leaf.shape, held.shape)
        elif self.create_graph or not held._array.flags.writeable:
            leaf._grad = TABLE["add"](held, self._tensor(g))
        elif held._inference and not modes.inference:
            raise _errors.write_inference("backward")
        else:
            np.add(held._array, g, out=held._array)
            held._counter[0] += 1


# ---------------------------------------------------------------- where a run starts and ends


def _places(where, value):
    """A Tensor, a GradientEdge or an iterable of them, as a tuple."""
    one = isinstance(value, (Tensor, GradientEdge, np.ndarray, str)) or not hasattr(type(value), "__iter__")
    items = (value,) if one else tuple(value)
    for item in items:
        if not isinstance(item, (Tensor, GradientEdge)):
            raise _errors.not_tensor(where, item)
    return items


def _edge_of(place):
    """The edge of a Tensor or GradientEdge; None if it has none."""
    if isinstance(place, Tensor):
        return place._edge()
    if place.node is not None and not 0 <= place.output_nr < len(place.node._outputs):
        raise _errors.edge_number(place.output_nr, len(place.node._outputs))
    return None if place.node is None else (place.node, place.output_nr)


def _like(place):
    """What has the shape and dtype of a Tensor or GradientEdge."""
    return place if isinstance(place, Tensor) else place.node._outputs[place.output_nr]


def _roots(where, tensors, gradients, create_graph):
    """What a backward pass starts from, checked: ``(node, output number, cotangent)`` for each Tensor."""
    tensors = _places(where, tensors)
    if gradients is None:
        gradients = (None,) * len(tensors)
    elif type(gradients) not in (tuple, list):
        gradients = (gradients,)
    if len(gradients) != len(tensors):
        raise _errors.gradient_count(len(tensors), len(gradients))
    roots = []
    for i, (tensor, g) in enumerate(zip(tensors, gradients)):
        edge = _edge_of(tensor)
        if edge is None:
            raise _errors.no_graph(i)
        like = _like(tensor)
        if g is None:
            if like.size != 1:
                raise _errors.not_scalar(like.shape)
            if like.dtype.kind == "c":
                raise _errors.not_real(like.dtype)
            g = np.ones(like.shape, like.dtype)
        else:
            g = _gradient(i, like, g)
        roots.append((*edge, carrier(g, create_graph)))
    return roots


def _gradient(i, like, g):
    weak = type(g) in SCALARS and type(g) is not complex
    if not (isinstance(g, Tensor) or _is_lifted(g)):
        g = Tensor._of(numeric(g, "gradient"))
    if g.shape != like.shape:
        raise _errors.gradient_shape(i, g.shape, like.shape)
    if not weak and (g.dtype.kind == "c") != (like.dtype.kind == "c"):
        raise _errors.gradient_dtype(i, g.dtype, like.dtype)
    return g if g.dtype == like.dtype else TABLE["astype"](g, like.dtype)


def _input_edges(inputs):
    edges = [_edge_of(place) for place in inputs]
    if None in edges:
        raise _errors.input_no_grad(edges.index(None))
    return edges


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    targets = None
    if inputs is not None:
        inputs = _places("backward", inputs)
        if not inputs:
            raise _errors.no_inputs("backward")
        targets = _input_edges(inputs)
    roots = _roots("backward", tensors, grad_tensors, create_graph)
    for place in inputs or ():
        if isinstance(place, Tensor):
            place.retain_grad()
    Backward(create_graph if retain_graph is None else retain_graph, create_graph, targets).go(roots)


def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False,
    materialize_grads=False,
):  # fmt: skip
    inputs = _places("grad", inputs)
    if not inputs:
        raise _errors.no_inputs("grad")
    edges = _input_edges(inputs)
    roots = _roots("grad", outputs, grad_outputs, create_graph)
    led_to = set(reachable([node for node, _, _ in roots]))
    allow_unused = allow_unused or materialize_grads
    if not allow_unused and any(node not in led_to for node, _ in edges):
        raise _errors.unused_input()
    run = Backward(create_graph if retain_graph is None else retain_graph, create_graph, edges, capture=True)
    run.go(roots)
    results = []
    for place, edge in zip(inputs, edges):
        g = run.captured[edge]
        if g is None and not allow_unused:
            raise _errors.unused_input()
        if g is not None:
            results.append(g if create_graph else run._own(g))
        elif materialize_grads:
            like = _like(place)
            results.append(Tensor._of(np.zeros(like.shape, like.dtype)).requires_grad_(create_graph))
        else:
            results.append(None)
    return tuple(results)


def reaches_beyond(outputs, inputs):
    """Whether the graph of `outputs` leads to a leaf other than through `inputs`."""
    stops = {_edge_of(place) for place in _places("reaches_beyond", inputs)}
    return ends_beyond([_edge_of(place) for place in _places("reaches_beyond", outputs)], stops)
