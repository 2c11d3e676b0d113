"""Threads: grad mode is each thread's own; separate graphs, one graph and one leaf used by several."""

import threading
from concurrent.futures import ThreadPoolExecutor

from . import scenario


def run(function, n=4):
    """What `function(i)` gives in each of `n` threads that start together."""
    barrier = threading.Barrier(n)

    def body(i):
        barrier.wait()
        return function(i)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(body, range(n)))


@scenario
def grad_mode_of_a_new_thread(m):
    with m.no_grad():
        inside = run(lambda i: m.is_grad_enabled(), 1)
    return [inside, m.is_grad_enabled()]


@scenario
def grad_mode_is_not_shared(m):
    def body(i):
        if i % 2:
            with m.no_grad():
                return [m.is_grad_enabled(), (m.leaf(1) * 2).requires_grad]
        return [m.is_grad_enabled(), (m.leaf(1) * 2).requires_grad]

    return run(body)


@scenario
def inference_mode_of_a_new_thread(m):
    with m.inference_mode():
        return run(lambda i: [m.is_inference_mode_enabled(), m.is_grad_enabled()], 1)


@scenario
def hooks_on_saved_tensors_are_not_shared(m):
    seen = []
    with m.graph.saved_tensors_hooks(lambda t: (seen.append(1), t)[1], lambda t: t):
        run(lambda i: m.leaf(1).exp(), 1)
        before = len(seen)
        m.leaf(1).exp()
    return [before, len(seen)]


@scenario
def separate_graphs(m):
    def body(i):
        x = m.leaf(1, 2, 3)
        for _ in range(20):
            (x * x * i).sum().backward()
        return x.grad

    return run(body)


@scenario
def one_leaf_of_several_graphs(m):
    x = m.leaf(1, 2, 3)

    def body(i):
        for _ in range(50):
            (x * 2).sum().backward()

    run(body)
    return x.grad


@scenario
def one_graph_retained(m):
    x = m.leaf(1, 2, 3)
    y = (x * x).sum()
    run(lambda i: y.backward(retain_graph=True))
    return x.grad


@scenario
def one_body_with_several_heads(m):
    x = m.leaf(1, 2, 3)
    body = x.exp()
    heads = [(body * (i + 1)).sum() for i in range(4)]
    run(lambda i: heads[i].backward(retain_graph=True))
    return x.grad


@scenario
def grad_in_several_threads(m):
    x = m.leaf(1, 2, 3)
    y = (x * x * x).sum()
    return run(lambda i: m.grad(y, x, retain_graph=True))


@scenario
def a_graph_made_in_one_and_used_in_another(m):
    x = m.leaf(1, 2)
    (y,) = run(lambda i: (x * x).sum(), 1)
    y.backward()
    return x.grad


@scenario
def a_hook_runs_in_the_calling_thread(m):
    x = m.leaf(1, 2)
    y = x * 2
    names = []
    y.register_hook(lambda g: names.append(threading.get_ident()))

    def body(i):
        y.sum().backward()
        return threading.get_ident()

    return run(body, 1) == names


@scenario
def an_exception_in_one_of_several(m):
    def body(i):
        x = m.leaf(1, 2)
        y = x * 2
        if i == 1:
            y.register_hook(lambda g: 1 / 0)
        return [m.attempt(y.sum().backward), x.grad]

    return run(body)


@scenario
def functions_in_several_threads(m):
    class Cube(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    x = m.leaf(1, 2)

    def body(i):
        for _ in range(10):
            Cube.apply(x).sum().backward()

    run(body)
    return x.grad


@scenario
def checkpoints_in_several_threads(m):
    def body(i):
        x = m.leaf(1, 2)
        for _ in range(5):
            m.checkpoint(lambda x: (x * (i + 1)).sin(), x).sum().backward()
        return x.grad

    return run(body)


@scenario
def second_derivatives_in_several_threads(m):
    def body(i):
        x = m.leaf(1, 2)
        (g,) = m.grad((x**3).sum(), x, create_graph=True)
        return m.grad(g.sum() * (i + 1), x)

    return run(body)


@scenario
def transforms_in_several_threads(m):
    def body(i):
        f = lambda x: (x**3).sum() * (i + 1)
        x = m.const(1, 2)
        return [
            m.func.grad(f)(x),
            m.func.jacrev(lambda x: x**3)(x),
            m.func.vmap(m.func.grad(f))(m.tensor([[1.0, 2], [3, 4]])),
        ]

    return run(body)


@scenario
def reentrant_in_several_threads(m):
    def body(i):
        x, w = m.leaf(1, 2), m.leaf(3, 4)
        y = x * 2

        def hook(g):
            with m.enable_grad():
                (w * w * (i + 1)).sum().backward()

        y.register_hook(hook)
        y.sum().backward()
        return [x.grad, w.grad]

    return run(body)


@scenario
def a_mode_left_on_in_a_thread_ends_with_it(m):
    def body():
        m.set_grad_enabled(False)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return m.is_grad_enabled()


@scenario
def anomaly_detection_is_shared(m):
    def body(i):
        x = m.leaf(0, 1)
        return m.attempt((x.sqrt() * 0).sum().backward)

    with m.detect_anomaly():
        return run(body, 2)


@scenario
def hooks_removed_while_another_thread_runs(m):
    x = m.leaf(1, 2)
    handles = [x.register_hook(lambda g: None) for _ in range(50)]

    def body(i):
        if i == 0:
            for handle in handles:
                handle.remove()
            return None
        for _ in range(20):
            (x * 1).sum().backward()
        return None

    run(body, 3)
    return x.grad
