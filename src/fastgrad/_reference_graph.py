"""The graph of the reference backend: nodes, and the order in which a backward pass runs them.

What csrc/graph.c is to the compiled backend: it knows nothing of arithmetic, and nothing recurses.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

import numpy as np

from . import _errors
from ._methods import Handle, is_tensor
from ._reads import reads
from .ops import Like

_sequence = count()


def is_array(value):
    return isinstance(value, np.ndarray)


def like(value):
    return Like(value.shape, value.dtype) if is_array(value) else value


class Node:
    """One recorded operation: where its operands came from, and what its formulas need of them."""

    __slots__ = (
        "__weakref__", "checks", "edges", "freed", "hooks", "inputs", "keeps", "metadata", "op", "options", "outputs",
        "retained", "saved", "seq",
    )  # fmt: skip

    def __init__(self, op, options, edges):
        self.op, self.options, self.edges = op, options, edges
        self.seq = next(_sequence)
        self.freed = False  # were the values in `saved` let go of?
        self.hooks = {}  # output number -> hooks of the Tensor that is that output
        self.retained = {}  # output number -> weak reference to the Tensor whose .grad is wanted
        self.metadata = {}

    def save(self, operands, arrays, outs, counters, writes=0):
        """Keep what the formulas read, with the version it has, and shape and dtype alone of everything else.

        `counters` are the version counters of `outs`, which are about to go up by `writes`.
        """
        op = self.op
        read = reads(op, self.options, [edge is not None for edge in self.edges])
        names = op.operands * len(arrays) if op.variadic else op.operands
        self.inputs = [like(array) for array in arrays]
        self.outputs = [like(out) for out in outs]
        if op.derived:
            # The expression is run again in backward, on copies, which no later write can reach.
            self.saved = [array.copy() if is_array(array) else array for array in arrays]
        else:
            self.saved = [a if name in read else shape for a, name, shape in zip(arrays, names, self.inputs)]
        self.saved.append(outs if "out" in read else self.outputs)
        self.keeps = "out" in read or not read.isdisjoint(names)
        self.checks = [
            (name, operand._counter, operand._counter[0], saved)
            for name, operand, saved in zip(names, operands, self.inputs)
            if name in read and is_tensor(operand)
        ]
        if "out" in read:
            self.checks += [("out", c, c[0] + writes, saved) for c, saved in zip(counters, self.outputs)]

    def release(self):
        """Let go of what was saved. A node that saved no values can run again."""
        if self.keeps:
            self.freed, self.saved = True, None

    def name(self):
        """The name of the operation, as in ``MulBackward``."""
        return self.op.grad_name

    @property
    def next_functions(self):
        """``(node, number of its output)`` for each operand; ``(None, 0)`` where no gradient goes."""
        return tuple((None, 0) if edge is None else edge for edge in self.edges)

    def __repr__(self):
        return f"<{self.name()}>"


class AccumulateGrad(Node):
    """Where the graph ends: adds what arrives to the `grad` of a leaf, `variable`."""

    __slots__ = ("variable",)

    def __init__(self, variable):
        super().__init__(None, {}, ())
        self.variable = variable
        self.seq = float("inf")  # leaves run as soon as they are ready
        self.hooks = {0: variable._hooks}
        self.outputs = [like(variable._array)]

    def name(self):
        return "AccumulateGrad"


def add_hook(hooks, hook):
    if not callable(hook):
        raise _errors.hook_type(hook)
    return Handle(hooks, hook)


def checked(result, given):
    """What a hook returned for the gradient `given`, if it can take its place."""
    if not is_tensor(result):
        raise _errors.hook_result(result)
    if result.shape != given.shape:
        raise _errors.hook_shape(given.shape, result.shape)
    if result.dtype != given.dtype:
        raise _errors.hook_dtype(given.dtype, result.dtype)
    return result


def nothing():
    """Where a weak reference is called for and there is nothing to refer to."""
    return None


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
        self.waiting = waiting = dict.fromkeys(self._taking_part(roots), 0)
        for node in waiting:
            for edge in node.edges:
                if edge is not None and edge[0] in waiting:
                    waiting[edge[0]] += 1
        for node, nr, g in roots:
            if node in waiting:
                self.add(node, nr, g)
        ready = []
        for node, uses in waiting.items():
            if uses == 0:
                heappush(ready, (-node.seq, id(node), node))
        while ready:
            node = heappop(ready)[-1]
            for edge, g in zip(node.edges, self.apply(node, self.held.pop(node, None))):
                if edge is not None and edge[0] in waiting:
                    if g is not None:
                        self.add(*edge, g)
                    waiting[edge[0]] -= 1
                    if waiting[edge[0]] == 0:
                        heappush(ready, (-edge[0].seq, id(edge[0]), edge[0]))

    def _taking_part(self, roots):
        """The nodes that the roots lead to and, if restricted, that lead to a target."""
        order = reachable([node for node, _, _ in roots])
        if self.targets is None:
            return order
        wanted = {node for node, _ in self.targets}
        for node in order:
            if any(edge is not None and edge[0] in wanted for edge in node.edges):
                wanted.add(node)
        return [node for node in order if node in wanted]

    def add(self, node, nr, g):
        grads = self.held.setdefault(node, [None] * len(node.outputs))
        grads[nr] = g if grads[nr] is None else self.merge(grads[nr], g)


def reachable(nodes):
    """Every node that `nodes` lead to, oldest first (an edge always leads to an older node or a leaf), leaves last."""
    seen, stack = set(nodes), list(dict.fromkeys(nodes))
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge[0] not in seen:
                seen.add(edge[0])
                stack.append(edge[0])
    return sorted(seen, key=lambda node: node.seq)
