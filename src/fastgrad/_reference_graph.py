"""The graph of the reference backend: nodes, and the order in which a backward pass runs them.

What csrc/graph.c is to the compiled backend: it knows nothing of arithmetic, and nothing recurses.
"""

from __future__ import annotations

from itertools import count

import numpy as np

from . import _errors
from ._methods import Handle, is_tensor
from ._reads import reads
from ._reference_modes import _anomaly, modes, stack_lines
from .ops import Like

_sequence = count()
LEAF = 2**64 - 1  # the sequence number of every leaf: they run as soon as they are ready


def is_array(value):
    return isinstance(value, np.ndarray)


def like(value):
    return Like(value.shape, value.dtype) if is_array(value) else value


def nothing():
    """Where a weak reference is called for and there is nothing to refer to."""
    return None


class Node:
    """A place in the graph that gradients pass through; what `Tensor.grad_fn` is."""

    __slots__ = (
        "__weakref__", "_edges", "_hooks", "_inputs", "_metadata", "_outputs", "_posthooks", "_prehooks", "_retained",
        "_seq",
    )  # fmt: skip

    def _begin(self, edges, inputs=(), outputs=(), seq=None):
        """What every node has. An edge is ``(node, number of its output)`` or None."""
        self._edges, self._inputs, self._outputs = edges, inputs, outputs  # the latter two: a Like for each
        self._seq = next(_sequence) if seq is None else seq
        self._hooks = {}  # output number -> hooks of the Tensor that is that output
        self._retained = {}  # output number -> weak reference to the Tensor whose .grad is wanted
        self._prehooks, self._posthooks = {}, {}
        self._metadata = {}
        if _anomaly()[0]:
            self._metadata["traceback_"] = stack_lines()
            self._metadata["parent_"] = modes.node
        return self

    def name(self):
        """The node's name, such as ``'MulBackward'``."""
        return type(self).__name__

    @property
    def next_functions(self):
        """``(node, number of its output)`` for each operand; ``(None, 0)`` where no gradient goes."""
        return tuple((None, 0) if edge is None else edge for edge in self._edges)

    @property
    def metadata(self):
        """A dict for the user's own notes on this node."""
        return self._metadata

    def register_prehook(self, hook):
        """Call ``hook(grad_outputs)`` before this node runs.

        A tuple that the hook returns takes the place of grad_outputs. Gives a handle with ``remove()``.
        """
        return add_hook(self._prehooks, hook)

    def register_hook(self, hook):
        """Call ``hook(grad_inputs, grad_outputs)`` after this node has run.

        A tuple that the hook returns takes the place of grad_inputs. Gives a handle with ``remove()``.
        """
        return add_hook(self._posthooks, hook)

    def _sequence_nr(self):
        """The order in which nodes were made: of two, the newer has the greater."""
        return self._seq

    def __repr__(self):
        return f"<{self.name()}>"


class RowNode(Node):
    """One recorded operation: where its operands came from, and what its formulas need of them."""

    __slots__ = ("checks", "freed", "keeps", "op", "options", "saved")

    def __init__(self, op, options, edges):
        self._begin(edges)
        self.op, self.options = op, options
        self.freed = False  # were the values in `saved` let go of?

    def save(self, operands, arrays, outs, counters, writes=0):
        """Keep what the formulas read, with the version it has, and shape and dtype alone of everything else.

        `counters` are the version counters of `outs`, which are about to go up by `writes`.
        """
        op = self.op
        read = reads(op, self.options, [edge is not None for edge in self._edges])
        names = op.operands * len(arrays) if op.variadic else op.operands
        self._inputs = [like(array) for array in arrays]
        self._outputs = [like(out) for out in outs]
        if any(name in read and is_tensor(v) and v.is_inference() for name, v in zip(names, operands)):
            raise _errors.save_inference()
        if op.derived:
            # The expression is run again in backward, on copies, which no later write can reach.
            self.saved = [array.copy() if is_array(array) else array for array in arrays]
        else:
            self.saved = [a if name in read else shape for a, name, shape in zip(arrays, names, self._inputs)]
        self.saved.append(outs if "out" in read else self._outputs)
        self.keeps = "out" in read or not read.isdisjoint(names)
        self.checks = [
            (name, operand._counter, operand._counter[0], saved)
            for name, operand, saved in zip(names, operands, self._inputs)
            if name in read and is_tensor(operand)
        ]
        if "out" in read:
            self.checks += [("out", c, c[0] + writes, saved) for c, saved in zip(counters, self._outputs)]
        return [i for i, (name, array) in enumerate(zip(names, arrays)) if name in read and is_array(array)]

    def release(self):
        """Let go of what was saved. A node that saved no values can run again."""
        if self.keeps:
            self.freed, self.saved = True, None

    def name(self):
        """The name of the operation, as in ``MulBackward``."""
        return self.op.grad_name


class FunctionNode(Node):
    """The node of a function whose derivative is Python code: a base class, whose instances have attributes.

    A subclass has ``_vjp(grads, wanted)``, which gives one gradient for each input, and ``_release()``.
    """

    @property
    def next_functions(self):
        """As a node's, for those inputs that are Tensors."""
        return tuple(pair for pair, taken in zip(super().next_functions, self._inputs) if taken is not None)


class AccumulateGrad(Node):
    """Where the graph ends: adds what arrives to the `grad` of a leaf, `variable`."""

    __slots__ = ("variable",)

    def __init__(self, variable):
        if not (is_tensor(variable) and variable.requires_grad and variable.grad_fn is None):
            raise TypeError("AccumulateGrad objects are made by operations on leaves that require grad")
        self._begin((), outputs=[like(variable._array)], seq=LEAF)
        self.variable = variable
        self._hooks = {0: variable._hooks}


def add_hook(hooks, hook):
    if not callable(hook):
        raise _errors.hook_type(hook)
    return Handle(hooks, hook)


def checked(result, given):
    """What a hook returned for the gradient `given` (None: undefined), if it can take its place."""
    if given is None:
        raise _errors.hook_none()
    if not is_tensor(result):
        raise _errors.hook_result(result)
    if result.shape != given.shape:
        raise _errors.hook_shape(given.shape, result.shape)
    if result.dtype != given.dtype:
        raise _errors.hook_dtype(given.dtype, result.dtype)
    return result


class Run:
    """One backward pass. A subclass has two methods more:

    ``apply(node, grads)`` consumes the cotangents of the outputs (None where none came) and gives one for each edge, or
    None; ``merge(held, more)`` adds two of them.
    """

    def __init__(self, targets=None):
        self.targets = targets  # the run is restricted to what leads to these edges; None: everything runs
        self.held = {}  # node -> cotangents of its outputs so far

    def run(self, roots):
        """Go from `roots`, newest node first; leaves as soon as they are ready."""
        from heapq import heappop, heappush  # a tenth of what the import of the backend takes

        waiting = dict.fromkeys(self._taking_part(roots), 0)
        for node in waiting:
            for edge in node._edges:
                if edge is not None and edge[0] in waiting:
                    waiting[edge[0]] += 1
        for root in roots:
            self.add(*root)
        ready, arrival = [], count()
        for node, uses in waiting.items():
            if uses == 0:
                heappush(ready, (-node._seq, next(arrival), node))
        while ready:
            node = heappop(ready)[-1]
            grads = self.held.pop(node, None) or [None] * len(node._outputs)
            for edge, g in zip(node._edges, self.apply(node, grads)):
                if edge is not None and edge[0] in waiting:
                    if g is not None:
                        self.add(*edge, g)
                    waiting[edge[0]] -= 1
                    if waiting[edge[0]] == 0:
                        heappush(ready, (-edge[0]._seq, next(arrival), edge[0]))

    def _taking_part(self, roots):
        """The nodes that the roots lead to and, if restricted, those that lead to a target: they are `needed`.

        The roots take part even so, for the sake of their hooks.
        """
        order = reachable([node for node, _, _ in roots])
        if self.targets is None:
            self.needed = set(order)
            return order
        self.needed = needed = {node for node, _ in self.targets}
        for node in order:
            if any(edge is not None and edge[0] in needed for edge in node._edges):
                needed.add(node)
        starts = {node for node, _, _ in roots}
        return [node for node in order if node in needed or node in starts]

    def add(self, node, nr, g):
        grads = self.held.setdefault(node, [None] * len(node._outputs))
        grads[nr] = g if grads[nr] is None else self.merge(grads[nr], g)


def reachable(nodes):
    """Every node that `nodes` lead to, oldest first (an edge always leads to an older node or a leaf), leaves last."""
    seen, stack = set(nodes), list(dict.fromkeys(nodes))
    while stack:
        for edge in stack.pop()._edges:
            if edge is not None and edge[0] not in seen:
                seen.add(edge[0])
                stack.append(edge[0])
    return sorted(seen, key=lambda node: node._seq)


def ends_beyond(starts, stops):
    """Whether the edges `starts` lead to a leaf other than through the edges `stops`."""
    seen, stack = set(), [edge for edge in starts if edge is not None]
    while stack:
        edge = stack.pop()
        if edge in stops:
            continue
        if type(edge[0]) is AccumulateGrad:
            return True
        if edge[0] not in seen:
            seen.add(edge[0])
            stack.extend(further for further in edge[0]._edges if further is not None)
    return False
