"""Random programs: operations, views, writes, hooks, Functions, checkpoints and backward passes in any order.

A program is made from a seed; what it does depends on shapes and on its own notes alone, so that it does the same on
every facade. Each step is noted with what it gave or the type of what it raised, and so is each run of a hook; in the
end all values and gradients.
"""

import random

import numpy as np

from ._both import kind


class Impossible(BaseException):
    """PyTorch broke down over this program: there is nothing to compare with."""


class Machine:
    """One program on one facade; `log` is what it gave."""

    def __init__(self, m, seed, steps=22):
        self.m, self.random, self.log = m, random.Random(seed), []
        self.tensors, self.memory, self.handles, self.hooks = [], [], [], 0
        self.kept, self.parted = set(), set()  # memory that is not written any more, memory seen by split results
        self.classes = functions(m)
        for i in range(3):
            self.add(self.fresh(requires_grad=i < 2))
        for _ in range(steps):
            self.step()
        self.finish()

    def fresh(self, requires_grad):
        shape = self.random.choice([(3,), (2, 3), (2, 2), (4,), (2, 1)])
        values = np.array([round(self.random.uniform(-1.2, 1.2), 2) for _ in range(int(np.prod(shape)))])
        return self.m.tensor(values.reshape(shape).tolist(), requires_grad=requires_grad)

    def add(self, tensor, memory=None):
        """Keep a tensor; `memory` is the number of what it is a view of."""
        self.tensors.append(tensor)
        self.memory.append(len(self.memory) if memory is None else memory)

    def shared(self, i):
        return self.memory.count(self.memory[i]) > 1

    def show(self, value):
        """Rounded values, None for None."""
        if value is None:
            return None
        try:
            return [round(v, 9) for v in np.ravel(value.tolist()).tolist()]
        except RuntimeError as error:  # a gradient that a batch was accumulated into
            raise Impossible from error

    def step(self):
        name = self.random.choice(STEPS)
        i, j, n = (
            self.random.randrange(len(self.tensors)),
            self.random.randrange(len(self.tensors)),
            self.random.randrange(1000),
        )
        before = len(self.tensors)
        try:
            if getattr(self, name)(i, j, n) is not SKIPPED:
                self.log.append([name, i, j, "done"])
        except Exception as error:
            if "INTERNAL ASSERT" in str(error):
                raise Impossible from error
            del self.tensors[before:], self.memory[before:]
            self.log.append([name, i, j, kind(error)])
        for t in self.tensors[before:]:
            self.log.append([t.requires_grad, self.m.attempt(lambda: t.is_leaf), t.output_nr])

    def finish(self):
        m = self.m
        for t in self.tensors:
            self.log.append(
                [self.show(t), t.requires_grad, m.attempt(lambda: t.is_leaf), t._version, self.show(t.grad)]
            )
        for t in self.tensors:
            if t.requires_grad:
                self.log.append(m.attempt(lambda: t.sum().backward(retain_graph=True)))
        self.log.append([self.show(t.grad) for t in self.tensors])

    def fit(self, i, j):
        try:
            return np.broadcast_shapes(tuple(self.tensors[i].shape), tuple(self.tensors[j].shape))
        except ValueError:
            return None

    # ---------------------------------------------------------------- operations

    def unary(self, i, j, n):
        x = self.tensors[i]
        self.add([x.sin, x.tanh, x.neg if hasattr(x, "neg") else x.__neg__, x.clone, x.tan, x.abs, x.exp][n % 7]())

    def binary(self, i, j, n):
        if self.fit(i, j) is None:
            return SKIPPED
        x, y = self.tensors[i], self.tensors[j]
        return self.add((x + y, x - y, x * y)[n % 3] if n % 4 else x * y)

    def scale(self, i, j, n):
        x = self.tensors[i]
        self.add(x * 2 + 0.5 if n % 2 else x * 0.5)

    def total(self, i, j, n):
        x = self.tensors[i]
        self.add(x.sum(axis=0) if x.ndim > 1 else x.clone())

    def view(self, i, j, n):
        x, k = self.tensors[i], n % 5
        if x.ndim == 0 or len(x) < 2:
            return SKIPPED
        wide = x.ndim > 1
        index = {0: 0 if wide else slice(1, None), 1: slice(1), 3: (..., 0) if wide else slice(2), 4: slice(-1, None)}
        return self.add((x.T if wide else x[None]) if k == 2 else x[index[k]], self.memory[i])

    def parts(self, i, j, n):
        x = self.tensors[i]
        if x.ndim == 0 or len(x) == 0:
            return SKIPPED
        self.parted.add(self.memory[i])
        for part in self.m.unstack(x) if x.ndim > 1 else self.m.halves(x) if len(x) % 2 == 0 else ():
            self.add(part, self.memory[i])
        return None

    def detached(self, i, j, n):
        x = self.tensors[i].detach()
        self.add(x.clone().requires_grad_()) if n % 2 else self.add(x, self.memory[i])

    def without_grad(self, i, j, n):
        if self.fit(i, j) is None:
            return SKIPPED
        with self.m.no_grad() if n % 2 else self.m.inference_mode():
            z = self.tensors[i] * self.tensors[j]
        return self.add(z + 0)

    def function(self, i, j, n):
        kinds, x = self.classes, self.tensors[i]
        k = n % len(kinds)
        if (k == 0 and self.fit(i, j) is None) or (k == 2 and self.memory[i] in self.kept):
            return SKIPPED
        out = kinds[k].apply(*([x, self.tensors[j]] if k == 0 else [x]))
        if k == 3:
            self.kept.add(self.memory[i])
        for part in out if isinstance(out, tuple) else (out,):
            self.add(part, self.memory[i] if k in (2, 3) else None)
        return None

    def checkpoint(self, i, j, n):
        if self.fit(i, j) is None:
            return SKIPPED
        return self.add(self.m.checkpoint(lambda a, b: (a * b).sin() * b, self.tensors[i], self.tensors[j]))

    def packed(self, i, j, n):
        def pack(t):
            self.log.append("pack")
            return t.tolist()

        if self.fit(i, j) is None:
            return SKIPPED
        with self.m.graph.saved_tensors_hooks(pack, self.m.tensor):
            return self.add(self.tensors[i] * self.tensors[j] if n % 2 else self.tensors[i].exp())

    # ---------------------------------------------------------------- writes

    def write(self, i, j, n):
        x, y, own = self.tensors[i], self.tensors[j], i == j
        if self.memory[i] in self.kept or (self.memory[i] == self.memory[j] and not own):
            return SKIPPED  # memory that overlaps: PyTorch refuses
        if x.ndim == 0 or x.ndim != y.ndim or self.fit(i, j) != tuple(x.shape):
            return SKIPPED
        ways = [
            lambda: x.add_(y), lambda: x.mul_(y), lambda: x.mul_(2), x.sin_, x.tanh_, x.zero_, lambda: x.copy_(y),
            lambda: x.__setitem__(0, 1.5), lambda: x.__setitem__(0, y[0]),
        ]  # fmt: skip
        ways[n % 9]()
        return None

    def write_without_grad(self, i, j, n):
        if self.memory[i] in self.kept | self.parted:
            return SKIPPED
        with self.m.no_grad():
            self.tensors[i].mul_(1.5)
        return None

    # ---------------------------------------------------------------- hooks

    def noted(self, change):
        """A hook that notes its arguments, and changes tensors or not."""
        self.hooks += 1
        number = self.hooks

        def hook(*args):
            self.log.append([number, [[*map(self.show, a)] if isinstance(a, tuple) else self.show(a) for a in args]])
            first = args[0]
            if change and isinstance(first, tuple):
                return tuple(None if g is None else g * 2 for g in first)
            return first * 2 + 1 if change and first is not None else None

        return hook

    def hook(self, i, j, n):
        x = self.tensors[i]
        if self.shared(i):
            self.kept.add(self.memory[i])
        x.grad_fn  # noqa: B018  PyTorch crashes where a hook is the first to ask for the new node of a view
        self.handles.append(x.register_hook(self.noted(n % 2)))

    def node_hook(self, i, j, n):
        node = self.tensors[i].grad_fn
        if self.shared(i) or self.m.name(node) not in ALIKE:
            return SKIPPED
        return self.handles.append((node.register_hook, node.register_prehook)[n % 2](self.noted(n % 3 == 0)))

    def post_hook(self, i, j, n):
        hook = lambda leaf: self.log.append(["post", self.show(leaf.grad)])
        self.handles.append(self.tensors[i].register_post_accumulate_grad_hook(hook))

    def unhook(self, i, j, n):
        if self.handles:
            self.handles[n % len(self.handles)].remove()

    def retain(self, i, j, n):
        self.tensors[i].grad_fn  # noqa: B018
        self.tensors[i].retain_grad()
        if self.shared(i):
            self.kept.add(self.memory[i])

    # ---------------------------------------------------------------- backward

    def backward(self, i, j, n):
        self.tensors[i].sum().backward(retain_graph=n % 2 == 0)

    def backward_to(self, i, j, n):
        self.tensors[i].sum().backward(inputs=[self.tensors[j]], retain_graph=n % 2 == 0)

    def backward_with_graph(self, i, j, n):
        (self.tensors[i] * self.tensors[i]).sum().backward(create_graph=True)
        for t in self.tensors:
            t.grad = None if n % 3 else t.grad

    def gradients(self, i, j, n):
        inputs = [self.tensors[j], self.tensors[0]][: 1 if j == 0 else 2]
        options = {"retain_graph": n % 2 == 0, "materialize_grads": n % 4 == 3, "allow_unused": True}
        self.log.append([*map(self.show, self.m.grad(self.tensors[i].sum(), inputs, **options))])

    def second(self, i, j, n):
        x = self.tensors[i]
        (g,) = self.m.grad((x * x).sum(), self.tensors[j], create_graph=True, allow_unused=True)
        self.log.append(self.show(g))
        if g is not None and any(np.ravel(g.tolist())) and g.requires_grad:
            again = self.m.grad((g * g).sum(), self.tensors[0], allow_unused=True, materialize_grads=True)
            self.log.append([*map(self.show, again)])

    def edge(self, i, j, n):
        start, end = (self.m.graph.get_gradient_edge(self.tensors[k]) for k in (i, j))
        g = self.tensors[i].detach() * 0 + 1
        self.log.append([*map(self.show, self.m.grad(start, end, g, retain_graph=True, allow_unused=True))])

    def clear(self, i, j, n):
        self.tensors[i].grad = None


SKIPPED = object()

#: Nodes of the same name, with the same edges, in both packages.
ALIKE = frozenset(f"{op}Backward" for op in ["Sin", "Tan", "Tanh", "Mul", "Add", "Sub", "Neg", "Clone", "Exp"])

STEPS = [
    *["unary"] * 4, *["binary"] * 4, *["view"] * 3, *["write"] * 5, *["function"] * 2, *["hook"] * 2, *["node_hook"] * 2,
    *["gradients"] * 2, "scale", "total", "parts", "detached", "without_grad", "checkpoint", "packed", "backward",
    "write_without_grad", "post_hook", "unhook", "retain", "backward_to", "backward_with_graph", "second", "edge", "clear",
]  # fmt: skip


def functions(m):
    """Functions of the kinds that there are: the last takes gradients that are undefined."""

    class Product(m.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            return g * b, g * a

    class Pair(m.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a.sin(), a * 3

        @staticmethod
        def backward(ctx, g, h):
            (a,) = ctx.saved_tensors
            return g * a.cos() + h * 3

    class Written(m.Function):
        @staticmethod
        def forward(ctx, a):
            a.mul_(2)
            ctx.mark_dirty(a)
            return a

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Same(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a

        @staticmethod
        def backward(ctx, g):
            return g * 5

    class OfResult(m.Function):
        @staticmethod
        def forward(ctx, a):
            y = a.tanh()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * (1 - y * y)

    class Undefined(m.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.set_materialize_grads(False)
            return a * 2, a * 3

        @staticmethod
        def backward(ctx, g, h):
            known = [part * factor for part, factor in ((g, 2), (h, 3)) if part is not None]
            return sum(known[1:], start=known[0]) if known else None

    return Product, Pair, Written, Same, OfResult, Undefined
