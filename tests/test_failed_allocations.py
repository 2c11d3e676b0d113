"""Every allocation of the core fails once, in every part of autograd: MemoryError, nothing lost, nothing left behind."""

import gc
import weakref

import numpy as np
import pytest
from samples import COMPILED

import fastgrad as fg

pytestmark = pytest.mark.skipif(not COMPILED, reason="of the compiled backend's own memory")


class Product(fg.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        out = x * w
        ctx.save_for_backward(x, w, out)
        return out, x + w

    @staticmethod
    def backward(ctx, g, h):
        x, w, _ = ctx.saved_tensors
        return g * w + h, g * x + h


class Doubled(fg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2.0)

    @staticmethod
    def backward(ctx, g):
        return 2 * g


def functions(x):
    a, b = Product.apply(x, x * 2)
    (a * b).sum().backward()
    return [x.grad]


def a_function_that_writes_to_a_view(x):
    y = x * 3
    Doubled.apply(y[1:])
    (y * y).sum().backward()
    return [x.grad]


def hooks(x):
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 2,))
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2, None))
    x.register_hook(lambda g: g * 2)
    x.register_post_accumulate_grad_hook(lambda leaf: None)
    (y * y).sum().backward()
    return [x.grad, y.grad]


def hooks_on_saved_values(x):
    with fg.autograd.graph.saved_tensors_hooks(lambda t: t.detach().numpy().copy(), fg.tensor):
        y = fg.exp(x * x) * x
        z = fg.split(y, 3)[0] * y
    (g,) = fg.autograd.grad(z.sum(), x, create_graph=True)
    return [g, *fg.autograd.grad(g.sum(), x)]


def checkpoints(x):
    fg.autograd.checkpoint(lambda t: fg.exp(fg.sin(t * t)), x).sum().backward()
    return [x.grad]


def results_that_are_saved(x):
    w, _ = fg.linalg.eigh(fg.stack([x, x + 1, x + 5]))
    (w * w).sum().backward()
    return [x.grad]


def matrices_and_vectors(x):
    a = fg.stack([x, x + 1])
    y = a @ x
    grads = fg.autograd.grad(y @ y + x @ (a.T @ y), x, create_graph=True)
    return [*grads, *fg.autograd.grad(grads[0].sum(), x)]


def runs_within_runs(x):
    y = x * 2

    def hook(g):
        with fg.enable_grad():
            inner = fg.ones(3, requires_grad=True)
            (inner * inner).sum().backward()
        return g + inner.grad

    y.register_hook(hook)
    y.sum().backward()
    return [x.grad]


def transforms(x):
    def function(t):
        return (t[1:] * t[:-1] ** 2).sum() + fg.exp(t).sum()

    return [fg.func.hessian(function)(x.detach()), fg.func.hvp(function, x.detach(), fg.ones(3))[1]]


PARTS = [
    functions, a_function_that_writes_to_a_view, hooks, hooks_on_saved_values, checkpoints, results_that_are_saved,
    matrices_and_vectors, runs_within_runs, transforms,
]  # fmt: skip


def run(part):
    """What `part` gives, as lists, and a weak reference to the memory it began with."""
    array = np.array([1.0, 2.0, 3.0])
    owner = weakref.ref(array)
    try:
        x = fg.from_numpy(array).requires_grad_()
        del array
        return [t.tolist() for t in part(x)], owner
    except MemoryError:
        return None, owner


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_failed_allocation_anywhere(part):
    from fastgrad import _core

    right, _ = run(part)
    failures = successes = 0
    while successes < 3:  # beyond the last allocation
        _core.fail_allocation_after(failures + successes)
        try:
            found, owner = run(part)
        finally:
            _core.fail_allocation_after(-1)
        assert found in (None, right)
        if found:
            successes += 1
        else:
            failures, successes = failures + successes + 1, 0
        if owner() is not None:
            gc.collect()
        assert owner() is None, f"something is left after allocation {failures} failed"
        assert fg.is_grad_enabled()
        assert run(part)[0] == right
    assert failures > 10
