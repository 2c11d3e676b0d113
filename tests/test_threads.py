"""Threads, forks and sub-interpreters: every thread has its own modes, and nothing that several share is lost."""

import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.autograd import Function, checkpoint
from fastgrad.autograd.graph import saved_tensors_hooks

THREADS = 8


@pytest.fixture(autouse=True)
def often():
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(function, threads=THREADS):
    """Run ``function(number)`` in several threads, which start at once; their results, or the first error."""
    start = threading.Barrier(threads)

    def run(number):
        start.wait()
        return function(number)

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(run, number) for number in range(threads)]]


def leaf(values=(1.0, 2.0, 3.0)):
    return fg.tensor(list(values), requires_grad=True)


# ---------------------------------------------------------------- modes


def modes():
    return fg.is_grad_enabled(), fg.is_inference_mode_enabled()


def test_modes_are_a_threads_own():
    with fg.no_grad():
        assert together(lambda _: modes(), 2) == [(True, False)] * 2
    with fg.inference_mode():
        assert together(lambda _: modes(), 2) == [(True, False)] * 2

    def change(number):
        seen = []
        for _ in range(200):
            with fg.set_grad_enabled(number % 2 == 0):
                seen.append(fg.is_grad_enabled())
                with fg.inference_mode(number % 3 == 0):
                    seen.append(fg.is_inference_mode_enabled())
        return set(seen[::2]) == {number % 2 == 0} and set(seen[1::2]) == {number % 3 == 0}

    assert all(together(change))
    assert modes() == (True, False)


def test_a_thread_may_end_within_a_mode():
    def leave(_):
        fg.set_grad_enabled(False)
        fg.inference_mode().__enter__()
        saved_tensors_hooks(lambda t: t.detach(), lambda t: t).__enter__()
        return fg.exp(leaf()).requires_grad

    for _ in range(20):
        assert together(leave, 2) == [False, False]
    assert modes() == (True, False)
    y = fg.exp(leaf())
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified"):
        y.sum().backward()


# ---------------------------------------------------------------- graphs of one's own


def test_separate_graphs_side_by_side():
    def train(number):
        rng = np.random.default_rng(number)
        x, w = fg.asarray(rng.standard_normal((16, 4))), fg.tensor(rng.standard_normal(4), requires_grad=True)
        for _ in range(50):
            w.grad = None
            ((fg.tanh(x @ w) - 0.5) ** 2).mean().backward()
            with fg.no_grad():
                w -= 0.1 * w.grad
        return w.tolist()

    side_by_side = together(train)
    assert side_by_side == [train(number) for number in range(THREADS)]


def test_second_derivatives_side_by_side():
    def hessian(number):
        x = leaf((number + 1.0, 2.0, 3.0))
        rows = []
        (g,) = fg.autograd.grad((x**3).prod() + fg.sin(x).sum(), x, create_graph=True)
        for part in g:
            rows.append(fg.autograd.grad(part, x, retain_graph=True)[0].tolist())
        return rows

    assert together(hessian) == [hessian(number) for number in range(THREADS)]


def test_transforms_side_by_side():
    def run(number):
        def f(x):
            return (fg.sin(x) * x**2 * (number + 1)).sum()

        x = np.array([0.5, 1.0, 2.0])
        hessian = fg.func.jacfwd(fg.func.jacrev(f))(x)
        batch = fg.func.vmap(fg.func.grad(f))(np.stack([x, 2 * x]))
        return hessian.tolist(), batch.tolist(), fg.func.jvp(f, (x,), (x,))[1]

    assert together(lambda number: [run(number) for _ in range(5)]) == [[run(n)] * 5 for n in range(THREADS)]


def test_first_use_in_several_threads_at_once():
    """Operations are prepared when they are first used; others may come by meanwhile."""
    code = """
import sys, threading
import fastgrad as fg
sys.setswitchinterval(1e-6)
start, errors = threading.Barrier(8), []
def work():
    start.wait()
    try:
        x = fg.tensor([0.5, 1.0], requires_grad=True)
        y = (fg.gelu(x) * fg.silu(x) + fg.softplus(x) ** 3 + x**3 + fg.logaddexp(x, x * x) + fg.sigmoid(x)).sum()
        (g,) = fg.autograd.grad(y, x, create_graph=True)
        fg.autograd.grad(g.sum(), x)
    except Exception as error:
        errors.append(error)
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(errors)
"""
    for _ in range(5):
        found = run(code)
        assert found.stdout == "[]\n", found.stdout + found.stderr


def test_large_operations_let_others_run():
    if fg.backend_name() != "compiled":
        pytest.skip("NumPy decides in the reference backend")
    sys.setswitchinterval(100)  # nobody has to let go
    x = fg.ones(4_000_000, requires_grad=True)
    turns, done = [], threading.Event()

    def count():
        while not done.is_set():
            turns.append(time.perf_counter())
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        start = time.perf_counter()
        fg.exp(x)
        end = time.perf_counter()
    finally:
        done.set()
        thread.join()
    assert sum(start < turn < end for turn in turns) > 10


# ---------------------------------------------------------------- things that several threads share


def test_one_leaf_loses_no_contribution():
    x = leaf()

    def add(number):
        for _ in range(100):
            (x * (number + 1)).sum().backward()

    together(add)
    assert x.grad.tolist() == [100.0 * sum(range(1, THREADS + 1))] * 3


def test_one_leaf_in_many_places():
    leaves = [leaf() for _ in range(10)]

    def add(number):
        for i in range(50):
            total = leaves[(i + number) % 10]
            for other in leaves:
                total = total + other
            total.sum().backward()

    together(add)
    assert sum(x.grad.numpy()[0] for x in leaves) == 50 * THREADS * 11


def test_one_graph_retained():
    x = leaf()
    y = (fg.exp(x) * x).sum() + (x * x).sum()
    y.backward(retain_graph=True)
    once = x.grad.numpy().copy()
    x.grad = None

    together(lambda _: [y.backward(retain_graph=True) for _ in range(50)])
    np.testing.assert_allclose(x.grad.numpy(), 50 * THREADS * once, rtol=1e-12)


def test_one_graph_asked_for_gradients():
    x = leaf()
    y = (fg.exp(x) * fg.sin(x)).sum()
    expected = fg.autograd.grad(y, x, retain_graph=True)[0].tolist()
    found = together(lambda _: [fg.autograd.grad(y, x, retain_graph=True)[0].tolist() for _ in range(50)])
    assert all(g == expected for gradients in found for g in gradients)


def test_one_graph_released_by_several():
    """Some are late, and are told so; nobody crashes."""
    errors = []
    for _ in range(30):
        x = leaf()
        y = x
        for _ in range(20):
            y = fg.sin(y) * y
        y = y.sum()

        def go(_, y=y):
            try:
                y.backward()
            except RuntimeError as error:
                return str(error)
            return None

        errors += [error for error in together(go, 4) if error]
    assert errors and all("second time" in error for error in errors)


def test_a_part_shared_by_several_graphs():
    x = leaf()
    shared = fg.exp(x)

    def branch(number):
        (shared * (number + 1)).sum().backward(retain_graph=True)

    together(branch)
    np.testing.assert_allclose(x.grad.numpy(), np.exp([1.0, 2.0, 3.0]) * sum(range(1, THREADS + 1)))


def test_recording_on_one_tensor():
    x = leaf()
    base = fg.exp(x)

    def record(number):
        total = base * 0
        for _ in range(100):
            total = total + fg.sin(base) * base[number % 3]
        return fg.autograd.grad(total.sum(), x, retain_graph=True)[0].tolist()

    assert together(record) == [record(number) for number in range(THREADS)]


def test_hooks_added_and_removed_while_others_run():
    x = leaf()
    y = x * 2
    seen = []

    def work(number):
        for _ in range(50):
            handle = y.register_hook(lambda g: seen.append(number))
            node = y.grad_fn.register_prehook(lambda gs: None)
            fg.autograd.grad(y.sum(), x, retain_graph=True)
            handle.remove()
            node.remove()

    together(work)
    assert set(seen) == set(range(THREADS)) and len(seen) >= 50 * THREADS
    before = len(seen)
    y.sum().backward()
    assert len(seen) == before


def test_writes_in_place_count():
    t = fg.zeros(4)
    together(lambda number: [t[:].add_(1) for _ in range(100)])
    assert t._version == 100 * THREADS


def test_custom_functions_and_checkpoints():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    def block(x):
        return fg.sin(Square.apply(x)) * x

    def run(number):
        x = leaf((number + 1.0, 0.5, 2.0))
        y = x
        for _ in range(5):
            y = checkpoint(checkpoint, block, y)
        y.sum().backward()
        return x.grad.tolist()

    assert together(run) == [run(number) for number in range(THREADS)]


def test_one_checkpointed_graph():
    x = leaf()
    y = checkpoint(lambda x: fg.exp(fg.sin(x)) * fg.cos(x), x).sum()
    expected = fg.autograd.grad(y, x, retain_graph=True)[0].tolist()
    found = together(lambda _: [fg.autograd.grad(y, x, retain_graph=True)[0].tolist() for _ in range(20)])
    assert all(g == expected for gradients in found for g in gradients)


def test_backward_in_threads_that_backward_started():
    """A hook that waits for another thread's backward pass."""
    x = leaf()

    def hook(g):
        w = leaf()
        together(lambda _: (w * w).sum().backward(), 2)
        return g + w.grad

    y = x * 1
    y.register_hook(hook)
    y.sum().backward()
    assert x.grad.tolist() == [5.0, 9.0, 13.0]


def test_the_collector_may_pass_at_any_time():
    stop = threading.Event()

    def collect():
        while not stop.is_set():
            gc.collect()

    def work(number):
        for _ in range(30):
            x = leaf()
            y = fg.exp(x)
            y.register_hook(lambda g, y=y: None)  # a cycle
            y.sum().backward(create_graph=True)
        return x.grad.tolist()

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        found = together(work, 4)
    finally:
        stop.set()
        collector.join()
    assert all(g == np.exp([1.0, 2.0, 3.0]).tolist() for g in found)


def test_graphs_die_in_other_threads():
    def chain(_):
        y = leaf()
        for _ in range(2000):
            y = y * 1.0
        return y

    made = together(chain)
    together(lambda number: made.__setitem__(number - 1, None))
    assert made == [None] * THREADS


# ---------------------------------------------------------------- processes and interpreters


def run(code):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, timeout=120
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_after_use_works_on_both_sides():
    code = """
import os, threading, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
import fastgrad as fg
x = fg.ones(100_000, requires_grad=True)
threads = [threading.Thread(target=lambda: (fg.exp(x) * x).sum().backward()) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
y = (fg.exp(x) * x).sum()
child = os.fork()
x.grad = None
y.backward()
with fg.no_grad():
    z = fg.exp(x)
ok = abs(x.grad[0].item() - 2 * 2.718281828459045) < 1e-12 and fg.is_grad_enabled()
if child == 0:
    os._exit(0 if ok else 1)
print(ok, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    found = run(code)
    assert found.stdout.split() == ["True", "0"], found.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_while_others_work():
    code = """
import os, threading, warnings
warnings.simplefilter("ignore")
import fastgrad as fg
done = threading.Event()
def work():
    while not done.is_set():
        x = fg.ones(100, requires_grad=True); (fg.exp(x) * x).sum().backward()
threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads]
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        x = fg.ones(100, requires_grad=True); (fg.exp(x) * x).sum().backward()
        os._exit(0 if abs(x.grad[0].item() - 2 * 2.718281828459045) < 1e-12 else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set(); [t.join() for t in threads]
print(*codes)
"""
    found = run(code)
    assert found.stdout.split() == ["0"] * 20, found.stderr


INTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
{before}
one = interpreters.create()
code = '''
import sys
sys.path[:] = {path!r}
try:
    import fastgrad as fg
    x = fg.ones(2, requires_grad=True)
    (x * x).sum().backward()
    print("works", x.grad.tolist(), flush=True)
except ImportError as error:
    print("ImportError", error, flush=True)
'''
interpreters.run_string(one, code) if hasattr(interpreters, "run_string") else interpreters.exec(one, code)
interpreters.destroy(one)
{after}
print("end", flush=True)
"""


@pytest.mark.parametrize("first", [True, False])
def test_a_sub_interpreter_works_or_says_why_not(first):
    use = "import fastgrad as fg; x = fg.ones(2, requires_grad=True); (x * x).sum().backward(); print(x.grad.tolist())"
    # NumPy cannot be loaded by the main interpreter after another one has loaded it.
    found = run(INTERPRETERS.format(before=use if first else "", after=use if first else "", path=sys.path))
    lines = found.stdout.splitlines()
    assert found.returncode == 0 and lines[-1] == "end", found.stderr
    said = lines[1 if first else 0]
    assert said.startswith(("works [2.0, 2.0]", "ImportError")) and len(said) > len("ImportError "), found.stderr
    assert lines.count("[2.0, 2.0]") == 2 * first


def test_daemon_threads_at_the_end_of_the_process():
    code = """
import threading, time
import fastgrad as fg
def work():
    while True:
        x = fg.ones(10, requires_grad=True); (fg.exp(x) * x).sum().backward()
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
print("end")
"""
    found = run(code)
    assert found.stdout == "end\n" and found.returncode == 0, found.stderr
