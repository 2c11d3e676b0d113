"""Input made to break things: it raises, or it works, and it never crashes or gives another's answer."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from samples import COMPILED, active

import fastgrad as fg
from fastgrad.ops import TABLE

compiled_only = pytest.mark.skipif(not COMPILED, reason="of the compiled backend's own memory")
RELEASE = 40_000  # elements: more than what the compiled backend computes while it holds the GIL
CHAIN = 1_000_000 if COMPILED else 100_000


def leaf(*data):
    return fg.tensor(data or (1.0, 2.0, 3.0), requires_grad=True)


def gradient(function, x):
    """The gradient of the sum of `function(x)`, as a list."""
    return fg.autograd.grad(function(x).sum(), x)[0].tolist()


def survives(script):
    """`script` runs to its end in an interpreter of its own, and prints "done" there."""
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", script + "\nprint('done')"], capture_output=True, text=True
    )
    assert run.returncode == 0 and run.stdout.split()[-1:] == ["done"], run.stderr[-2000:] or run.returncode


# ---------------------------------------------------------------- rows that contradict themselves


def two_for_one(x, y):
    return (x,), {}


# fmt: off
BAD_ROWS = {
    "a ufunc of more operands":   ((np.add, "x"),            {"vjp": lambda g, out, x: g},           ValueError, "takes 2"),
    "a ufunc of fewer operands":  ((np.sin, "x, y"),         {"vjp": (None, None)},                  ValueError, "takes 1"),
    "a ufunc of two results":     ((np.modf, "x"),           {"vjp": None},                          ValueError, "gives 2"),
    "an unknown loop":            ((lambda x: x, "x"),       {"vjp": None, "loop": "nonsense"},      ValueError, "loop"),
    "a loop of other operands":   ((lambda x: x, "x"),       {"vjp": None, "loop": "where"},         ValueError, "loop"),
    "no operands":                ((np.exp, ""),             {},                                     ValueError, "signature"),
    "options alone":              ((np.exp, "; axis=0"),     {},                                     ValueError, "signature"),
    "no signature":               ((np.exp, "x y; =3"),      {},                                     ValueError, "signature"),
    "a default that is none":     ((lambda x, k: x, "x; k=)"), {"vjp": None},                        ValueError, "is no signature"),
    "an option that is no name":  ((np.exp, "x; 3=4"),       {},                                     ValueError, "signature"),
}
# fmt: on


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_row_that_contradicts_itself_is_refused(what, register):
    args, fields, error, words = BAD_ROWS[what]
    before = dict(TABLE)
    with pytest.raises(error, match=words):
        register("bad_row", *args, **fields)
    assert before == TABLE


# fmt: off
BAD_CALLS = {
    "bind gives too few":         ((np.add, "x, y"), {"vjp": (None, None), "bind": two_for_one},
                                   lambda f: f(fg.ones(3), 1.0), TypeError, "2 operands, got 1"),
    "bind gives too many":        ((np.exp, "x"), {"vjp": lambda g, out, x: g, "bind": lambda x: ((x, x), {})},
                                   lambda f: f(leaf()), TypeError, "1 operands, got 2"),
    "bind gives none":            ((np.exp, "x"), {"vjp": None, "bind": lambda x: ((), {})},
                                   lambda f: f(leaf()), ValueError, "at least one"),
    "no operands":                ((lambda *xs: tuple(xs), "*xs"), {"multi": True, "vjp": lambda g, out, *xs: g},
                                   lambda f: f([]), ValueError, "at least one"),
    "no operands, one result":    ((lambda *xs: sum(xs), "*xs"), {"vjp": None},
                                   lambda f: f(()), ValueError, "at least one"),
    "a tuple without multi":      ((lambda x: (x, x), "x"), {"vjp": lambda g, out, x: g},
                                   lambda f: f(leaf()), TypeError, "multi=True"),
    "a list without multi":       ((lambda x: [x, x], "x"), {"vjp": None},
                                   lambda f: f(leaf()), TypeError, "multi=True"),
    "a vjp that gives a tuple":   ((lambda x: x * 2, "x"), {"vjp": lambda g, out, x: (g, g)},
                                   lambda f: f(leaf()).sum().backward(), RuntimeError, "gave 2 gradients"),
    "... of one":                 ((lambda x: x * 2, "x"), {"vjp": lambda g, out, x: (g,)},
                                   lambda f: f(leaf()).sum().backward(), RuntimeError, "gave 1 gradients"),
    "... under create_graph":     ((lambda x: x * 2, "x"), {"vjp": lambda g, out, x: (g, g)},
                                   lambda f: f(leaf()).sum().backward(create_graph=True), RuntimeError, "gave 2 gradients"),
    "a joint vjp: too few":       ((lambda x, y: x * y, "x, y"), {"joint": True, "vjp": lambda g, out, x, y: (g,)},
                                   lambda f: f(leaf(), leaf()).sum().backward(), RuntimeError, "1 gradients for 2"),
    "a joint vjp: too many":      ((lambda x, y: x * y, "x, y"), {"joint": True, "vjp": lambda g, out, x, y: (g, g, g)},
                                   lambda f: f(leaf(), leaf()).sum().backward(), RuntimeError, "3 gradients for 2"),
    "several operands: too few":  ((lambda *xs: xs[0] + xs[1], "*xs"), {"vjp": lambda g, out, *xs: (g,)},
                                   lambda f: f([leaf(), leaf()]).sum().backward(), RuntimeError, "1 gradients for 2"),
    "a value that is not saved":  ((lambda x: np.cos(x), "x"), {"vjp": lambda g, out, x: -g * fg.sin(x)},
                                   lambda f: f(leaf()).sum().backward(), TypeError, "saves="),
    "... by an operator":         ((lambda x: np.cos(x), "x"), {"vjp": lambda g, out, x: g * x},
                                   lambda f: f(leaf()).sum().backward(), TypeError, "saves="),
    "... by NumPy":               ((lambda x: np.cos(x), "x"), {"vjp": lambda g, out, x: g * np.sin(x)},
                                   lambda f: f(leaf()).sum().backward(), TypeError, "saves="),
    "a result that is not saved": ((lambda x: np.cosh(x), "x"), {"vjp": lambda g, out, x: g * out, "saves": "x"},
                                   lambda f: f(leaf()).sum().backward(), TypeError, "saves="),
}
# fmt: on


@pytest.mark.parametrize("what", BAD_CALLS)
def test_a_row_that_fails_when_called_says_why(what, register):
    args, fields, call, error, words = BAD_CALLS[what]
    f = register("bad_row", *args, **fields)
    with pytest.raises(error, match=words):
        call(f)
    assert gradient(fg.exp, leaf(0.0)) == [1.0]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("fn", [np.sinh, lambda x: np.sinh(x)], ids=["ufunc", "function"])
def test_a_formula_that_gives_truth_values(fn, create_graph, register):
    f = register("truthful", fn, "x", vjp=lambda g, out, x: x > 0, saves="x")
    x = leaf(1.0, -1.0, 2.0)
    f(x).sum().backward(create_graph=create_graph)
    assert x.grad.tolist() == [1.0, 0.0, 1.0] and x.grad.dtype == np.float64


def test_a_formula_of_many_steps(register):
    def formula(g, out, x):
        return sum((g * (x + i) * (x - i * 0.5) / (x + i + 0.5) for i in range(200)), 0 * g)

    f = register("long_formula", np.sinh, "x", vjp=formula)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(gradient(f, fg.tensor(x, requires_grad=True)), formula(1.0, None, x), rtol=1e-13)


# fmt: off
EXPRESSIONS = {  # what a derived row may say: the expression, and its gradient at (1, 2, 3)
    "NumPy's own functions":  (lambda x: np.exp(-x) * x, lambda x: np.exp(-x) * (1 - x)),
    "NumPy on the left":      (lambda x: np.multiply(x, 2.0) - np.sqrt(x), lambda x: 2 - 0.5 / np.sqrt(x)),
    "methods":                (lambda x: x / x.sum(), lambda x: 0 * x),
    "attributes":             (lambda x: x * x.size + x.reshape(-1), lambda x: 4 + 0 * x),
    "indices":                (lambda x: x[1:] - x[:-1], lambda x: np.array([-1.0, 0.0, 1.0])),
    "branches on a shape":    (lambda x: x * 3 if x.ndim == 1 else x, lambda x: 3 + 0 * x),
    "a constant":             (lambda x: x * 0 + 5, lambda x: 0 * x),
}
# fmt: on


@pytest.mark.parametrize("what", EXPRESSIONS)
def test_what_a_derived_row_may_say(what, register):
    expression, derivative = EXPRESSIONS[what]
    f = register("derived_row", expression, "x")
    x = np.array([1.0, 2.0, 3.0])
    t = fg.tensor(x, requires_grad=True)
    np.testing.assert_allclose(f(t).detach().numpy(), expression(x), rtol=1e-14)
    np.testing.assert_allclose(gradient(f, t), derivative(x), rtol=1e-13, atol=1e-15)
    (first,) = fg.autograd.grad(f(t).sum(), t, create_graph=True)
    if first.requires_grad:
        fg.autograd.grad(first.sum(), t, allow_unused=True)


# ---------------------------------------------------------------- shapes, sequences, NumPy's functions


@pytest.mark.parametrize("shape", [(2**62 + 1, 4), (2**62, -1), (2**32, 2**32), (2**63 - 1, 2, 2), (-1, 2**62, 4)])
def test_a_shape_whose_product_overflows(shape):
    for x in (fg.ones(4), fg.ones(0), leaf()):
        with pytest.raises(ValueError):
            x.reshape(shape)
        with pytest.raises(ValueError):
            x.reshape(*shape)


@pytest.mark.parametrize("make", [fg.tensor, fg.exp, fg.sum, lambda xs: fg.add(xs, 1.0)])
def test_a_list_of_tensors_with_graphs_names_the_remedy(make):
    x = leaf()
    for data in ([x[0], x[1]], [[x[0]], [x[1]]], (x[0], 1.0)):
        with pytest.raises(RuntimeError, match="stack"):
            make(data)
    make([x[0].detach(), x[1].detach()])


@pytest.mark.parametrize("name", ["exp", "sum", "where", "add"])
def test_a_ufunc_of_the_same_name_from_elsewhere_is_refused(name):
    ufunc = np.frompyfunc(eval(f"lambda {name}: {name}"), 1, 1)
    named = np.frompyfunc(type("", (), {"__call__": lambda self, x: x, "__name__": name})(), 1, 1)
    for made in (ufunc, named):
        with pytest.raises(TypeError, match="does not accept Tensors"):
            made(leaf())


@pytest.mark.parametrize("index", [(True, [0, 1]), ([0, 1], True), (True, [0, 0, 1]), (np.True_, [1]), (False, [])])
def test_a_truth_value_beside_a_list(index):
    x = leaf()
    got = x[index]
    expected = np.array([1.0, 2.0, 3.0])[index]
    assert got.shape == expected.shape and got.tolist() == expected.tolist()
    counted = np.zeros(3)
    np.add.at(counted, index, 1.0)
    assert gradient(lambda x: x[index], x) == counted.tolist()


# ---------------------------------------------------------------- what is changed after the call


class Fickle:
    """An index with another answer each time it is asked."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __index__(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("make", [np.array, fg.tensor], ids=["array", "tensor"])
def test_bounds_of_a_slice_that_change(make):
    for start, stop in ((make(0), 2), (0, make(2)), (make(0), make(2))):
        x = fg.arange(6.0, requires_grad=True)
        y = x[start:stop]
        z = y * y
        for bound in (start, stop):
            if not isinstance(bound, int):
                bound += 3
        z.sum().backward()
        assert x.grad.tolist() == [0.0, 2.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("make", [np.array, fg.tensor], ids=["array", "tensor"])
def test_bounds_that_change_in_a_chain_of_views(make):
    x = fg.arange(6.0, requires_grad=True)
    b, i = x * 1, make(1)
    v = b[i : i + 3][: i + 1]  # of b: 1 and 2
    w = b[: i + 1]
    i += 2
    v.mul_(10.0)
    assert w.tolist() == [0.0, 10.0] and w.requires_grad
    (w.sum() + v.sum() + b.sum()).backward()
    assert x.grad.tolist() == [2.0, 30.0, 20.0, 1.0, 1.0, 1.0]


def test_an_index_with_a_mind_of_its_own():
    x = fg.ones(20_000, requires_grad=True)
    y = x[: Fickle(5, 15_000)]
    y.backward(np.ones(y.shape))
    assert y.shape == (5,) and x.grad.numpy().sum() == 5
    b = x * 1
    b[: Fickle(3, 20_000)] = 0.0
    assert fg.autograd.grad(b.sum(), x)[0].numpy().sum() == 20_000 - 3


@pytest.mark.parametrize("index", [lambda i: i, lambda i: slice(i, None), lambda i: slice(None, i)])
def test_an_index_that_replaces_the_data(index):
    x = fg.full(20_000, 2.0)

    class Replacing:
        def __index__(self):
            x.data = fg.ones(1)
            return 15_000

    try:
        y = x[index(Replacing())]
    except IndexError:
        return
    assert set(y.numpy().reshape(-1).tolist()) <= {1.0, 2.0}


# fmt: off
OPTIONS = {  # an operation with an array for an option, the option, what it is changed to
    "repeat":  (lambda x, o: fg.repeat(x, o),               [1, 2, 1, 1, 1, 1],   [2, 1, 1, 1, 1, 1]),
    "roll":    (lambda x, o: fg.roll(x, o),                 1,                    3),
    "pad":     (lambda x, o: fg.pad(x.reshape(2, 3), o),    [[1, 0], [0, 1]],     [[0, 1], [1, 0]]),
    "split":   (lambda x, o: fg.split(x, o)[1],             [2, 4],               [1, 5]),
    "index":   (lambda x, o: x[o],                          [0, 0, 5],            [1, 2, 3]),
    "indices": (lambda x, o: x.reshape(2, 3)[:, o],         [0, 0, 2],            [1, 1, 1]),
}
# fmt: on


def weighted(y):
    """`y` times numbers all of which differ."""
    return y * np.arange(1.0, y.size + 1).reshape(y.shape)


@pytest.mark.parametrize("what", OPTIONS)
def test_an_option_that_changes(what):
    function, before, after = OPTIONS[what]
    x, option = fg.arange(6.0, requires_grad=True), np.array(before)
    expected = gradient(lambda x: weighted(function(x, np.array(before))), x)
    y = function(x, option)
    option[...] = after
    assert gradient(lambda _: weighted(y), x) == expected


# ---------------------------------------------------------------- depth, threads, internal classes


DEEP = {
    "views": "v = fg.ones(4)\nfor _ in range(N): v = v[:]\nassert v.tolist() == [1.0] * 4\ndel v",
    "gradients": "g = fg.ones(1)\nfor _ in range(N):\n    h = fg.ones(1); h.grad = g; g = h\ndel g, h",
    "gradients with graphs": (
        "g = fg.ones(1)\nfor _ in range(N // 10):\n    h = fg.ones(1, requires_grad=True) * 1; h.grad = g; g = h\ndel g, h"
    ),
    "views that are written": (
        "x = fg.ones(4, requires_grad=True)\nv = x * 1\nfor _ in range(1000): v = v[:]\nv.mul_(2.0)\n"
        "v.sum().backward()\nassert x.grad.tolist() == [2.0] * 4\ndel v"
    ),
}


@pytest.mark.parametrize("what", DEEP)
def test_what_is_deep_is_freed(what):
    survives(f"import fastgrad as fg\nN = {CHAIN}\n{DEEP[what]}")


THREADS = """
import sys, threading
import numpy as np, fastgrad as fg
sys.setswitchinterval(1e-6)
N = {size}
w, stop = fg.ones(N, requires_grad={requires_grad}), []

def replace():
    while not stop:
        w.data = fg.ones(N)

thread = threading.Thread(target=replace)
thread.start()
try:
    for _ in range(60):
        {work}
finally:
    stop.append(1)
    thread.join()
"""


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize(
    "work",
    [
        "assert fg.tanh(w)[0].item() == np.tanh(1.0)",
        "assert (w * w + 2 * w)[-1].item() == 3",
        "assert fg.where(w > 0, w, 2.0)[-1].item() == 1",
        "assert fg.gelu(w).shape == (N,)",
        "assert w.sum().item() == N and w.reshape(2, -1).mean(axis=0).shape == (N // 2,)",
    ],
)
def test_data_replaced_while_others_compute(work, requires_grad):
    survives(THREADS.format(size=RELEASE, requires_grad=requires_grad, work=work))


BACKED = ["Tensor", "_TensorBase", "Node", "Extra", "View", "Row", "Formula", "Backward", "_Keeper"]


@compiled_only
@pytest.mark.parametrize("make", [lambda c: c(), lambda c: c.__new__(c), lambda c: object.__new__(c)])
def test_what_has_memory_behind_it_cannot_be_made(make):
    kinds = {type(leaf() * 2), type((leaf() * 2).grad_fn), type(fg.exp.__self__)}
    assert kinds <= {getattr(active, name) for name in BACKED}
    for name in BACKED:
        with pytest.raises(TypeError):
            make(getattr(active, name))


def test_a_tensor_is_not_made_by_its_class():
    for arguments in ((), ([1.0],), (fg.ones(3),)):
        with pytest.raises(TypeError, match=r"fastgrad\.tensor"):
            fg.Tensor(*arguments)
    with pytest.raises(TypeError):
        type("Mine", (fg.Tensor,), {})()


# ---------------------------------------------------------------- hooks and views


def test_a_retained_view_that_is_written():
    x = leaf()
    b = x * 1
    v = b[:2]
    v.retain_grad()
    v.mul_(3.0)
    assert v.retains_grad
    (v * fg.tensor([1.0, 10.0])).sum().backward()
    assert v.grad.tolist() == [1.0, 10.0] and x.grad.tolist() == [3.0, 30.0, 0.0]


def test_a_retained_view_that_is_written_and_left():
    x = leaf()
    b = x * 1
    v = b[:2]
    v.retain_grad()
    v.mul_(3.0)
    b.sum().backward()
    assert v.grad is None and x.grad.tolist() == [3.0, 3.0, 1.0], "nothing was computed from the view's new value"


def test_a_hook_that_writes_an_input():
    x = leaf()
    z = x * 1

    def hook(g):
        with fg.no_grad():
            z.mul_(2.0)

    z.register_hook(hook)
    (g,) = fg.autograd.grad(z.sum(), z)
    assert g.tolist() == [1.0, 1.0, 1.0] and z.tolist() == [2.0, 4.0, 6.0]


def test_a_hook_that_writes_an_input_and_is_recorded():
    x = leaf()
    z = x * 1

    def hook(g):
        with fg.enable_grad():
            z.mul_(2.0)

    handle = z.register_hook(hook)
    (g,) = fg.autograd.grad(z.sum(), z, retain_graph=True)
    handle.remove()
    assert g.tolist() == [1.0, 1.0, 1.0]
    assert fg.autograd.grad(z.sum(), x)[0].tolist() == [2.0, 2.0, 2.0]


SPLIT = {
    "a part": lambda parts: parts[0],
    "a view of a part": lambda parts: parts[1][1:],
    "a view of a view of a part": lambda parts: parts[1].reshape(3, 1).T,
}


@pytest.mark.parametrize("maker", ["split", "rows_of"])
@pytest.mark.parametrize("which", SPLIT)
def test_parts_are_not_written_where_a_gradient_is_wanted(maker, which, register):
    rows_of = register(
        "rows_of", lambda x: (x[:3], x[3:]), "x", multi=True, view=True, vjp=lambda g, out, x: fg.concat(g)
    )
    make = rows_of if maker == "rows_of" else lambda x: fg.split(x, 2)
    b, plain = fg.arange(6.0, requires_grad=True) * 1, fg.zeros(6)
    v, w = SPLIT[which](make(b)), SPLIT[which](make(plain))
    for write in (lambda: v.mul_(2.0), lambda: w.add_(b[0]), lambda: v.copy_(1.0)):
        with pytest.raises(RuntimeError, match="one of the views that"):
            write()
    assert b.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] and plain.tolist() == [0.0] * 6
    with fg.no_grad():
        v.mul_(2.0)
    w.add_(1.0)
    assert b._version == plain._version == 1 and plain.numpy().sum() == w.size


# ---------------------------------------------------------------- x ** n


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, -1, 0.5, 1.5, -2, 2.0, 3.0, 1.0, 0.0])
def test_powers(n, dtype):
    import torch

    points = [0.0, -0.0, 0.5, -1.5, 2.0] if n in (0, 1, 2, 3) else [0.25, 0.5, 2.0]
    results = []
    for m in (fg, torch):
        x = m.tensor(points, dtype=getattr(m, dtype), requires_grad=True)
        y = x**n
        (first,) = m.autograd.grad(y.sum(), x, create_graph=True)
        second = None
        if first.requires_grad:
            (second,) = m.autograd.grad(first.sum(), x, allow_unused=True)
        zeros = np.zeros(len(points), dtype)
        results.append([zeros if t is None else t.detach().numpy() for t in (y, first, second)])
    for ours, theirs in zip(*results):
        assert ours.dtype == dtype and not np.isnan(ours).any()
        np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 0.0, 1.0, 2.0, 3.0])
def test_powers_at_zero_and_beyond(n):
    for point in (0.0, np.inf, np.nan):
        x = leaf(point)
        (first,) = fg.autograd.grad(x**n, x, create_graph=True)
        expected = {0: 0.0, 1: 1.0, 2: 2 * point, 3: 3 * point**2}[int(n)]
        np.testing.assert_equal(first.item(), expected)


# ---------------------------------------------------------------- cotangents that share


@pytest.mark.parametrize("size", [3, 1000, RELEASE])
@pytest.mark.parametrize("layout", ["C", "F", "steps", "broadcast"])
def test_a_cotangent_and_its_negative(size, layout):
    rng = np.random.default_rng(size)
    a, b = (
        rng.normal(size=(2, 2, size)) if layout != "broadcast" else (rng.normal(size=(2, size)), rng.normal(size=size))
    )
    if layout == "F":
        a = np.asfortranarray(a)
    if layout == "steps":
        a, b = np.repeat(a, 2, axis=1)[:, ::2], b[::-1, ::-1]
    x, y = fg.tensor(a, requires_grad=True), fg.tensor(b, requires_grad=True)
    dx = 2 * (a - b) / a.size
    dy = -dx if a.shape == b.shape else -dx.sum(axis=0)
    for _ in range(2):
        x.grad = y.grad = None
        ((x - y) ** 2).mean().backward()
        np.testing.assert_allclose(x.grad.numpy(), dx, rtol=1e-13)
        np.testing.assert_allclose(y.grad.numpy(), dy, rtol=1e-12, atol=1e-16)
        assert not np.may_share_memory(x.grad.numpy(), y.grad.numpy())
    g = fg.tensor(np.ones(x.shape))
    gx, gy = fg.autograd.grad(x - y, (x, y), g)
    gx.mul_(5.0)
    assert set(g.numpy().ravel()) == {1.0} and (gy.numpy() < 0).all()
    assert fg.autograd.grad(x - x, x, g)[0].numpy().any() is np.False_


# ---------------------------------------------------------------- no memory


def fused(x):
    return (fg.tanh(x) * x + 2).sum()


def products(x):
    return (x @ x.T).mean(axis=0).sum()


def written(x):
    y = x * 1
    v = y[1:]
    v *= 2
    y[0] = v[0] * 3
    return (y * y).sum()


def twice(x):
    (g,) = fg.autograd.grad((fg.sin(x) * x).sum(), x, create_graph=True)
    return (g * g).sum()


def parts(x):
    p = fg.split(x, 2, 1)
    return (p[0] * p[1] + fg.concat([p[0], p[1]], axis=1)[:, :2]).sum()


def hooked(x):
    y = x * x
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    return (y + x).sum()


def composed(x):
    return fg.gelu(fg.softmax(x)).std() + fg.where(x > 0.5, x, 2.0).sum()


def shaped(x):
    y = x.reshape(4, 3).T.sum() + x.transpose(1, 0).T + (x.astype(np.float32) * 2).sum(axis=1, keepdims=True)
    return y.sum()


@compiled_only
@pytest.mark.parametrize("work", [fused, products, written, twice, parts, hooked, composed, shaped])
def test_running_out_of_memory_anywhere(work):
    data = np.linspace(0.1, 1.0, 12).reshape(3, 4)
    x = fg.tensor(data, requires_grad=True)
    x.grad = fg.ones((3, 4))

    def both():
        out = work(x)
        return out.item(), fg.autograd.grad(out, x)[0].numpy()

    value, expected = both()
    for n in itertools.count():
        active.fail_allocation_after(n)
        try:
            both()
            break
        except MemoryError:
            pass
        finally:
            active.fail_allocation_after(-1)
        again, found = both()
        assert again == value and np.array_equal(found, expected), f"after allocation {n} failed"
        assert np.array_equal(x.detach().numpy(), data) and x.grad.tolist() == [[1.0] * 4] * 3
        assert fg.is_grad_enabled()
    assert n > 3, "the work allocates"


SHARED = """
import sys, threading
import fastgrad as fg
sys.setswitchinterval(1e-6)

def go(start):
    try:
        start.backward()
    except RuntimeError as error:
        assert "a second time" in str(error), error

for _ in range(200):
    x = fg.ones((300, 300), requires_grad=True)
    h = x @ x
    threads = [threading.Thread(target=go, args=((h * i).sum(),)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.shape == x.shape
"""


def test_threads_that_release_one_graph():
    survives(SHARED)


@compiled_only
@pytest.mark.parametrize("view", [lambda b: b, lambda b: b[1:3], lambda b: b[1:].reshape(3)[:2]])
def test_a_write_that_runs_out_of_memory_has_the_gradient_of_its_value(view):
    data = np.array([1.0, 2.0, 3.0, 4.0])
    for n in itertools.count():
        x = fg.tensor(data, requires_grad=True)
        b = x * 1
        v = view(b)
        active.fail_allocation_after(n)
        try:
            v.mul_(2.0)
            break
        except MemoryError:
            pass
        finally:
            active.fail_allocation_after(-1)
        (g,) = fg.autograd.grad(b.sum(), x)
        assert np.array_equal(g.numpy(), b.detach().numpy() / data), f"after allocation {n} failed"
