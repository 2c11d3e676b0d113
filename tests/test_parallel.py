"""Work shared out to several threads: the bits are those of one thread, whatever the arrays look like."""

import os
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as fg
import fastgrad.nn.functional as F

SIZE = 70_001  # several threads' worth, and no multiple of anything


@pytest.fixture(autouse=True)
def as_before():
    before = fg.get_num_threads()
    yield
    fg.set_num_threads(before)


def draw(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-2, 2, shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.uniform(-2, 2, shape)
    return values.astype(dtype)


def layouts(dtype):
    """Two operands of one shape or of shapes that broadcast, in memory of all sorts."""
    line, table = draw(SIZE, dtype), draw((301, 257), dtype)
    yield "contiguous", line, draw(SIZE, dtype, 1)
    yield "strided", draw(2 * SIZE, dtype)[::2], draw(SIZE, dtype, 1)[::-1]
    yield "transposed", table.T, draw((257, 301), dtype, 1)
    yield "row", table, draw(257, dtype, 1)
    yield "column", table, draw((301, 1), dtype, 1)
    yield "short rows", draw((SIZE, 3), dtype), draw(3, dtype, 1)
    yield "cut", draw((300, 400), dtype)[:, 3:-7], draw((300, 390), dtype, 1)
    yield "deep", draw((7, 90, 120), dtype).transpose(2, 0, 1), draw((120, 7, 90), dtype, 1)
    yield "number", line, draw((), dtype, 1)


EXPRESSIONS = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "exp": lambda x, y: fg.exp(x) - y,
    "tanh": lambda x, y: fg.tanh(x * y + 1),
    "where": lambda x, y: fg.where(fg.abs(x) > fg.abs(y), x, y),
    "sums": lambda x, y: (x * y).sum(axis=0) + x.mean(),
}
REAL = {
    "gelu": lambda x, y: F.gelu(x) * y,
    "softmax": lambda x, y: F.softmax(x, axis=-1) * y,
    "log_softmax": lambda x, y: F.log_softmax(x * y, axis=0),
    "layer_norm": lambda x, y: F.layer_norm(x + y, (max(x.shape[-1], y.shape[-1] if y.ndim else 1),)),
    "arctan2": lambda x, y: fg.arctan2(x, y),
    "cumsum": lambda x, y: fg.cumsum(x + y, axis=-1),
    "max": lambda x, y: (x + y).max(axis=-1),
    "var": lambda x, y: fg.var(x, axis=0) + y.sum(),
}


def bits(expression, x, y, threads):
    fg.set_num_threads(threads)
    leaves = fg.tensor(x, requires_grad=True), fg.tensor(y, requires_grad=True)
    views = [leaf.T.T if leaf.ndim else leaf for leaf in leaves]
    out = expression(*views)
    out.backward(fg.asarray(draw(out.shape, out.dtype, 2)))
    results = out, *(leaf.grad for leaf in leaves)
    return [np.ascontiguousarray(t.detach().numpy()).tobytes() for t in results if t is not None]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("name", [*EXPRESSIONS, *REAL])
def test_bits_do_not_depend_on_the_number_of_threads(name, dtype):
    if dtype == "complex128" and name in REAL:
        pytest.skip("an operation on real numbers")
    for layout, x, y in layouts(dtype):
        expression = {**EXPRESSIONS, **REAL}[name]
        one = bits(expression, x, y, 1)
        for threads in (2, 5):
            assert bits(expression, x, y, threads) == one, layout


def test_strided_operands_of_unrecorded_calls():
    for layout, x, y in layouts("float32"):
        fg.set_num_threads(1)
        one = fg.hypot(x, y).numpy()
        fg.set_num_threads(5)
        assert np.array_equal(fg.hypot(x, y).numpy(), one), layout
        assert np.array_equal(one, np.hypot(x, y)), layout


def test_an_array_written_in_place():
    for threads in (1, 2, 5):
        fg.set_num_threads(threads)
        x = fg.asarray(draw(SIZE, "float64"))
        x *= 3.0
        x[::2] += 1.0
        expected = draw(SIZE, "float64") * 3.0
        expected[::2] += 1.0
        assert np.array_equal(x.numpy(), expected)


def test_foreign_loops_report_what_they_find():
    special = pytest.importorskip("scipy.special")
    x = fg.tensor(np.full(SIZE, -1.0), requires_grad=True)
    fg.set_num_threads(4)
    assert np.isnan(fg.special.spence(x).detach().numpy()).all()
    with special.errstate(all="raise"), pytest.raises(special.SpecialFunctionError):
        fg.special.spence(x)
    assert np.isnan(fg.special.spence(x).detach().numpy()).all()


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_is_positive(count):
    before = fg.get_num_threads()
    with pytest.raises(ValueError, match="positive integer"):
        fg.set_num_threads(count)
    assert fg.get_num_threads() == before


@pytest.mark.parametrize("count", [1.5, "2", None])
def test_a_count_is_an_integer(count):
    with pytest.raises(TypeError):
        fg.set_num_threads(count)


def test_many_threads_are_taken_to_be_64():
    fg.set_num_threads(10**6)
    assert fg.get_num_threads() == 64


def threads_of_a_process(**variables):
    environ = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    code = "import fastgrad; print(fastgrad.get_num_threads())"
    done = subprocess.run([sys.executable, "-c", code], env={**environ, **variables}, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr


def test_the_environment_says_how_many():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads_of_a_process() == str(cores)
    assert threads_of_a_process(OMP_NUM_THREADS="3,2") == "3"
    assert threads_of_a_process(OMP_NUM_THREADS="3", FASTGRAD_NUM_THREADS="5") == "5"
    assert "FASTGRAD_NUM_THREADS: a number of threads is a positive integer, not 'many'" in threads_of_a_process(
        FASTGRAD_NUM_THREADS="many"
    )


APART = """
import os
import numpy as np, fastgrad as fg

def threads(): return {int(name) for name in os.listdir("/proc/self/task")}
def core(): return int(open("/proc/thread-self/stat").read().rsplit(")", 1)[1].split()[36])

fg.set_num_threads(2)
x, allowed, before = fg.asarray(np.ones(500_000)), os.sched_getaffinity(0), threads()
fg.exp(x)
(worker,) = threads() - before
for _ in range(200):
    here = core()
    os.sched_setaffinity(worker, {here})
    fg.exp(x)
    if os.sched_getaffinity(worker) != {here}:
        break
print(os.sched_getaffinity(worker) == allowed - {here})
os.sched_setaffinity(0, {here})
os.sched_setaffinity(worker, {here})
for _ in range(20):
    fg.exp(x)
print(os.sched_getaffinity(worker) == {here})
"""


@pytest.mark.skipif(fg.backend_name() != "compiled", reason="the reference backend has no threads")
@pytest.mark.skipif(not sys.platform.startswith("linux") or len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_worker_leaves_the_core_of_its_caller():
    done = subprocess.run([sys.executable, "-c", APART], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_child_has_threads_of_its_own():
    fg.set_num_threads(3)
    x = draw(SIZE, "float64")
    expected = fg.exp(x).numpy().tobytes()
    child = os.fork()
    if child == 0:
        same = all(fg.exp(x).numpy().tobytes() == expected for _ in range(20))
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert fg.exp(x).numpy().tobytes() == expected


FORKED = """
import os, signal, sys, threading, warnings
import fastgrad as fg
warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
fg.set_num_threads(3)
x, large = fg.linspace(0, 9, 100_000), fg.linspace(0, 9, 4_000_000)
expected, done = fg.sin(x).numpy().tobytes(), False
def work():
    while not done:
        fg.sin(large)
thread = threading.Thread(target=work)
thread.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if all(fg.sin(x).numpy().tobytes() == expected for _ in range(20)) else 1)
    done = os.waitpid(child, 0)[1]
    if done:
        break
ok, done = not done, True
thread.join()
print(ok)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_forked_while_a_job_runs_leaves_that_job_alone():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"], done.stderr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_contributions_added_while_they_are_computed(dtype):
    """Of large arrays; the same bits as computed first and added then, as for small ones and on the general path."""
    x, y = draw(SIZE, dtype), draw(SIZE, dtype, 1)

    def gradients(x, y):
        x, y = fg.tensor(x, requires_grad=True), fg.tensor(y, requires_grad=True)
        z = x
        for _ in range(3):
            z = fg.tanh(z * x + y) / y
        (z * x * x).sum().backward()
        return np.stack([x.grad.numpy(), y.grad.numpy()])

    whole = gradients(x, y)
    part = 5000
    parts = [gradients(x[i : i + part], y[i : i + part]) for i in range(0, SIZE, part)]
    assert np.array_equal(whole, np.concatenate(parts, axis=1), equal_nan=True)


def test_what_is_held_by_someone_else_is_not_added_to():
    x = fg.tensor(draw(SIZE, "float64"), requires_grad=True)
    seen = []
    y = x * 1.0
    y.register_hook(lambda g: seen.append((g, g.numpy().copy())))
    z = y * y.detach() + fg.exp(y) * y.detach() + y
    z.sum().backward()
    for given, copied in seen:
        assert np.array_equal(given.numpy(), copied)
    expected = x.detach().numpy()
    assert np.allclose(x.grad.numpy(), expected + np.exp(expected) * expected + 1)


SPREAD = [((300, 257), (257,)), ((300, 257), (300, 1)), ((300, 257), ()), ((300, 257), (1, 1)), ((40, 30, 50), (50,)),
          ((40, 30, 50), (40, 1, 1)), ((40, 30, 50), (40, 30, 1)), ((40, 1, 50), (1, 30, 1)), ((30_000, 3), (3,)),
          ((3, 30_000), (3, 1)), ((30_000, 3), (30_000, 1)), ((4, 5, 60, 60), (5, 1, 1))]  # fmt: skip
PAIRS = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: y / x,
    "power": lambda x, y: fg.abs(x) ** y,
    "where": lambda x, y: fg.where(x > 1, x, y),
    "logaddexp": lambda x, y: fg.logaddexp(y, x),
    "hypot": lambda x, y: fg.hypot(y, x),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", SPREAD, ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_cotangents_of_what_was_broadcast(name, shapes, dtype):
    """Products and their sums in one pass: the bits of products first and sums then."""
    x, y = (draw(shape, dtype, i) for i, shape in enumerate(shapes))
    g = draw(np.broadcast_shapes(*shapes), dtype, 2)

    def gradients(threads):
        fg.set_num_threads(threads)
        leaves = fg.tensor(x, requires_grad=True), fg.tensor(y, requires_grad=True)
        PAIRS[name](*leaves).backward(fg.asarray(g))
        return [leaf.grad.numpy() for leaf in leaves]

    wide = fg.tensor(np.broadcast_to(x, g.shape).copy(), requires_grad=True), np.broadcast_to(y, g.shape).copy()
    wide = wide[0], fg.tensor(wide[1], requires_grad=True)
    PAIRS[name](*wide).backward(fg.asarray(g))
    for threads in (1, 2, 5):
        for leaf, large, found in zip((x, y), wide, gradients(threads)):
            axes = tuple(i for i, n in enumerate(g.shape) if ((1,) * (g.ndim - leaf.ndim) + leaf.shape)[i] != n)
            expected = large.grad.numpy().sum(axis=axes).reshape(leaf.shape) if axes else large.grad.numpy()
            assert np.array_equal(found, expected, equal_nan=True)
