"""Random programs of views, writes, hooks and Functions: after each step fastgrad is where PyTorch is.

A program draws a step and what it is done to, over and over, from the Tensors there are. Compared are values, versions,
`requires_grad`, whether there is a `grad_fn`, `.grad`, types of exceptions, and what hooks were called with.
"""

import random

import numpy as np
import pytest
from scenarios._both import fastgrad, pytorch

import fastgrad as fg

PROGRAMS = 400


class Program:
    """One program on one package `m`: the Tensors there are, and what was seen."""

    def __init__(self, m, functions, seed):
        self.m, self.functions, self.random, self.log = m, functions, random.Random(seed), []
        self.pool = [
            m.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True),
            m.tensor([[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]], requires_grad=True),
            m.tensor([[2.0, 1.0, 2.0], [1.0, 2.0, 1.0]]),
            m.leaf(1, 2, 3) * 1,
        ]

    def run(self):
        """What is seen after each step."""
        for k in range(2 + self.random.randrange(10)):
            self.k, name = k, self.random.choice(sorted(STEPS))
            draws = [self.random.randrange(1000) for _ in range(4)]
            self.x = self.pool[draws[0] % len(self.pool)]
            alike = [t for t in self.pool if tuple(t.shape) == tuple(self.x.shape)]
            self.y, self.n = alike[draws[1] % len(alike)], draws[2]
            rows = [t for t in self.pool if tuple(t.shape) == tuple(self.x.shape[1:])]
            self.row = rows[draws[3] % len(rows)] if rows and self.x.ndim else None
            try:
                new = STEPS[name](self)
                self.pool += [] if new is None else new if isinstance(new, (list, tuple)) else [new]
                outcome = "done"
            except Exception as error:
                outcome = type(error).__name__
            yield name, outcome, [seen(t) for t in self.pool], list(self.log)

    def note(self, what):
        """A hook that writes down what it is given."""
        k = self.k

        def hook(*gradients):
            self.log.append((k, what, [plain(g) for g in gradients]))

        return hook


def plain(value):
    """Numbers in nested lists, rounded."""
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return None if value is None else np.round(value.detach().numpy(), 9).tolist()


def seen(t):
    """What there is to see of a Tensor."""
    try:
        leaf = t.grad_fn is None
    except RuntimeError:
        leaf = "a view that cannot follow its base"
    return plain(t), t.requires_grad, leaf, t._version, plain(t.grad)


# ---------------------------------------------------------------- steps


def _under(mode, write):
    def step(p):
        with getattr(p.m, mode)():
            write(p)

    return step


def _apply(name, operands=1):
    def step(p):
        return p.functions[name].apply(*(p.x, p.y)[:operands])

    return step


def _halves(p):
    return p.m.halves(p.x) if p.x.ndim and p.x.shape[0] % 2 == 0 else None


def _write_at(p, value):
    if p.x.ndim and value is not None:
        p.x[p.n % p.x.shape[0]] = value


def _iadd(p):
    x = p.x
    x += p.y


def _view_of_detached(p):
    with p.m.no_grad():
        return p.x.detach()[:1] if p.x.ndim else None


def _packed(p):
    with p.m.graph.saved_tensors_hooks(lambda t: (p.note("pack")(t), t.detach().clone())[1], lambda t: t):
        return p.x.exp()


def _hook(p):
    note = p.note("hook")
    p.x.register_hook(lambda g: (note(g), None if g is None else g * 2)[1])


def _node_hook(p):
    if p.x.grad_fn is not None:
        note = p.note("node hook")
        p.x.grad_fn.register_hook(lambda gi, go: note(go))


def _prehook(p):
    if p.x.grad_fn is not None:
        p.x.grad_fn.register_prehook(p.note("prehook"))


def _post_hook(p):
    note = p.note("post-accumulate hook")
    p.x.register_post_accumulate_grad_hook(lambda leaf: note(leaf.grad))


def _grad(p):
    found = p.m.grad(p.x.sum(), [p.y, p.pool[0]], retain_graph=bool(p.n % 2), allow_unused=True)
    p.note("grad")(*found)


def _second_order(p):
    (g,) = p.m.grad((p.x * p.x).sum(), [p.pool[0]], create_graph=True, allow_unused=True)
    return None if g is None else g * 1


STEPS = {
    "add": lambda p: p.x + p.y,
    "assign": lambda p: _write_at(p, float(p.n % 5)),
    "assign row": lambda p: _write_at(p, p.row),
    "backward": lambda p: p.x.sum().backward(retain_graph=bool(p.n % 2)),
    "backward to inputs": lambda p: p.x.sum().backward(inputs=[p.y, p.pool[1]], retain_graph=True),
    "clone": lambda p: p.x.clone(),
    "concat": lambda p: p.m.concat([p.x, p.y]) if p.x.ndim else None,
    "copy": lambda p: (p.x.copy_(p.y), None)[1],
    "data": lambda p: p.x.data,
    "detach": lambda p: p.x.detach(),
    "detach in place": lambda p: (p.x.detach_(), None)[1],
    "exp": lambda p: p.x.exp(),
    "function": _apply("square"),
    "function of two": _apply("two", 2),
    "function that ignores one": _apply("second", 2),
    "function that views": lambda p: p.functions["first"].apply(p.x) if p.x.ndim else None,
    "function that writes": lambda p: (p.functions["doubled"].apply(p.x), None)[1],
    "function, one result constant": _apply("half"),
    "grad": _grad,
    "halves": _halves,
    "hook": _hook,
    "iadd": _iadd,
    "index": lambda p: p.x[p.n % p.x.shape[0]] if p.x.ndim else None,
    "multiply": lambda p: p.x * p.y,
    "multiply in place": lambda p: (p.x.mul_(p.y), None)[1],
    "node hook": _node_hook,
    "packed": _packed,
    "post-accumulate hook": _post_hook,
    "prehook": _prehook,
    "reshape": lambda p: p.x.reshape(-1),
    "retain": lambda p: p.x.retain_grad(),
    "scale in place": lambda p: (p.x.mul_(2.0), None)[1],
    "second order": _second_order,
    "sin": lambda p: p.x.sin(),
    "sin in place": lambda p: (p.x.sin_(), None)[1],
    "slice": lambda p: p.x[p.n % 2 if p.x.shape[0] > 1 else 0 :] if p.x.ndim else None,
    "sum": lambda p: p.x.sum(),
    "transpose": lambda p: p.x.T if p.x.ndim == 2 else None,
    "view of detached": _view_of_detached,
    "write in inference mode": _under("inference_mode", lambda p: p.x.mul_(1.25)),
    "write under no_grad": _under("no_grad", lambda p: p.x.mul_(1.5)),
    "write what is detached": lambda p: (p.x.detach().mul_(1.5), None)[1],
}


def functions(m):
    """The Functions that programs use."""

    class Square(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x

    class Two(m.Function):
        @staticmethod
        def forward(ctx, x, y):
            out = x * y
            ctx.save_for_backward(x, y, out)
            return out, x - y

        @staticmethod
        def backward(ctx, g, h):
            x, y, _ = ctx.saved_tensors
            return g * y + h, g * x - h

    class Second(m.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return None, g

    class First(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.like = m.tensor(np.zeros(tuple(x.shape)).tolist())
            return x[:1]

        @staticmethod
        def backward(ctx, g):
            return g + ctx.like

    class Doubled(m.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    class Half(m.Function):
        @staticmethod
        def forward(ctx, x):
            a, b = x * 2, x + 1
            ctx.mark_non_differentiable(b)
            return a, b

        @staticmethod
        def backward(ctx, g, h):
            return 2 * g

    return {
        "square": Square, "two": Two, "second": Second, "first": First, "doubled": Doubled, "half": Half,
    }  # fmt: skip


# ---------------------------------------------------------------- comparing


@pytest.fixture(scope="module")
def packages():
    found = (pytorch(), fastgrad(fg.backend_name()))
    return [(m, functions(m)) for m in found]


def agree(a, b):
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(agree, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == b or abs(a - b) <= 1e-7 * max(1, abs(a)) or (a != a and b != b)
    return a == b


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", range(0, PROGRAMS, 50))
def test_programs_agree_with_pytorch(block, packages):
    for seed in range(block, block + 50):
        steps = []
        for expected, found in zip(*(Program(*package, seed).run() for package in packages), strict=True):
            steps.append(expected[:2])
            assert agree(found, expected), f"program {seed}: {steps}"
