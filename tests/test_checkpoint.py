"""checkpoint: the same gradients, fewer values kept, and an error where the function does something else again."""

import gc
import weakref

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.autograd import CheckpointError, checkpoint
from fastgrad.autograd.graph import save_on_disk, saved_tensors_hooks


def leaf(values=(0.5, 1.0, 1.5)):
    return fg.tensor(list(values), requires_grad=True)


def layer(x, w):
    return fg.tanh(fg.exp(x * w) * fg.sin(x))


def gradients(function, *xs, **options):
    """The gradients of a function's sum, plain and checkpointed."""
    found = []
    for run in (function, lambda *args: checkpoint(function, *args, **options)):
        found.append([g.numpy() for g in fg.autograd.grad(run(*xs).sum(), xs)])
    return found


class Counter:
    """A function that counts its calls."""

    def __init__(self, function=layer):
        self.function, self.calls = function, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)


@pytest.mark.parametrize("early_stop", [True, False])
def test_gradients_are_the_same_bits(early_stop):
    plain, checkpointed = gradients(layer, leaf(), leaf(), early_stop=early_stop)
    for a, b in zip(plain, checkpointed):
        np.testing.assert_array_equal(a, b)


def test_the_function_runs_once_more():
    x, w, f = leaf(), leaf(), Counter()
    y = checkpoint(f, x, w)
    assert f.calls == 1
    y.sum().backward()
    assert f.calls == 2


def test_it_does_not_run_where_nothing_is_recorded():
    f = Counter()
    with fg.no_grad():
        y = checkpoint(f, leaf(), leaf())
    assert f.calls == 1 and not y.requires_grad


def test_nothing_is_kept_but_the_arguments():
    kept = []

    def f(x):
        for _ in range(10):
            x = fg.sin(x)
            kept.append(weakref.ref(x.detach()))
        return x

    x = leaf()
    y = checkpoint(f, x)
    assert [r() for r in kept] == [None] * 10
    y.sum().backward()
    held = np.array([0.5, 1.0, 1.5])
    expected = np.ones(3)
    for _ in range(10):
        expected, held = expected * np.cos(held), np.sin(held)
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_between_segments_little_is_held():
    import tracemalloc

    def f(x):
        for _ in range(20):
            x = fg.sin(x)
        return x

    def held_by(run):
        x = fg.ones(100_000, requires_grad=True)
        gc.collect()
        tracemalloc.start()
        y = x
        for _ in range(8):
            y = run(y)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        y.sum().backward()
        return held

    if fg.backend_name() == "compiled":
        pytest.skip("its arrays are not traced by tracemalloc")
    assert held_by(lambda y: checkpoint(f, y)) < held_by(f) / 8


def test_arguments_of_any_kind():
    def f(x, n, *, options, w):
        return fg.sin(x) ** n * options["scale"] * w

    x, w = leaf(), leaf()
    y = checkpoint(f, x, 3, options={"scale": 2.0}, w=w)
    expected = fg.autograd.grad(f(x, 3, options={"scale": 2.0}, w=w).sum(), (x, w))
    for a, b in zip(fg.autograd.grad(y.sum(), (x, w)), expected):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_results_of_any_kind_and_closures():
    w = leaf()

    def f(x):
        y = fg.exp(x * w)
        return {"y": y, "more": [fg.sin(y), 3, None]}

    x = leaf()
    out = checkpoint(f, x)
    assert out["more"][1:] == [3, None]
    (out["y"].sum() + out["more"][0].sum()).backward()
    y = np.exp(np.array([0.5, 1.0, 1.5]) ** 2)
    np.testing.assert_allclose(w.grad.numpy(), (1 + np.cos(y)) * y * [0.5, 1.0, 1.5])


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_nested(depth, early_stop):
    def nest(x, depth):
        if depth:
            x = checkpoint(nest, fg.sin(x), depth - 1, early_stop=early_stop) * x
            x = checkpoint(nest, x, depth - 1, early_stop=early_stop)
        return fg.exp(-x) * fg.cos(x)

    def plain(x, depth):
        if depth:
            x = plain(fg.sin(x), depth - 1) * x
            x = plain(x, depth - 1)
        return fg.exp(-x) * fg.cos(x)

    x = leaf()
    (a,), (b,) = (fg.autograd.grad(f(x, depth).sum(), x) for f in (nest, plain))
    np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_early_stop_leaves_out_the_rest():
    after = []

    def f(x):
        y = fg.exp(x)
        after.append("ran")
        return y + 1  # saves nothing

    x = leaf()
    checkpoint(f, x).sum().backward()
    assert after == ["ran"]
    after.clear()
    checkpoint(f, x, early_stop=False).sum().backward()
    assert after == ["ran", "ran"]


def test_early_stop_is_not_caught_by_the_function():
    def f(x):
        try:
            return fg.exp(x)
        except Exception:  # the function's own precaution
            return x

    x = leaf()
    checkpoint(f, x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.exp([0.5, 1.0, 1.5]))


def test_a_retained_graph_runs_the_function_each_time():
    x, w, f = leaf(), leaf(), Counter()
    y = checkpoint(f, x, w).sum()
    first = fg.autograd.grad(y, x, retain_graph=True)[0].numpy()
    second = fg.autograd.grad(y, x)[0].numpy()
    np.testing.assert_array_equal(first, second)
    assert f.calls == 3
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_higher_derivatives():
    x = leaf()
    for f in (fg.sin, lambda x: fg.exp(fg.sin(x)) * x):
        found = []
        for run in (f, lambda x, f=f: checkpoint(f, x)):
            (first,) = fg.autograd.grad(run(x).sum(), x, create_graph=True)
            (second,) = fg.autograd.grad(first.sum(), x, create_graph=True)
            (third,) = fg.autograd.grad(second.sum(), x)
            found.append(third.numpy())
        np.testing.assert_allclose(*found, rtol=1e-14)


def test_backward_within_the_function():
    def f(x):
        with fg.enable_grad():
            inner = x.detach().requires_grad_()
            (g,) = fg.autograd.grad(fg.exp(inner).sum(), inner)
        return fg.sin(x) * g

    x = leaf()
    for early_stop in (True, False):
        x.grad = None
        checkpoint(f, x, early_stop=early_stop).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), np.cos([0.5, 1.0, 1.5]) * np.exp([0.5, 1.0, 1.5]))


def test_custom_functions_inside():
    class Square(fg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * x
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return 2 * g * x + 0 * y

    x = leaf()
    checkpoint(lambda x: Square.apply(fg.exp(x)), x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([1.0, 2.0, 3.0]))


def test_a_run_restricted_to_some_inputs():
    x, w = leaf(), leaf()
    y = checkpoint(layer, x, w).sum()
    y.backward(inputs=[w], retain_graph=True)
    assert x.grad is None and w.grad is not None
    y.backward(inputs=[x])
    np.testing.assert_array_equal(x.grad.numpy(), gradients(layer, x, w)[0][0])


# ---------------------------------------------------------------- random numbers, contexts, other hooks


@pytest.mark.parametrize("preserve", [True, False])
def test_random_numbers_are_drawn_again(preserve):
    drawn = []

    def dropout(x):
        mask = np.random.rand(3)  # noqa: NPY002  the global state is the subject
        drawn.append(mask)
        return fg.sin(x * fg.asarray(mask))

    np.random.seed(0)  # noqa: NPY002
    x = leaf()
    y = checkpoint(dropout, x, preserve_rng_state=preserve)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    y.sum().backward()
    assert np.array_equal(drawn[0], drawn[1]) == preserve
    if preserve:
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_contexts_for_both_runs():
    seen = []

    class Context:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *exc_info):
            seen.append("end of " + self.name)

    x = leaf()
    y = checkpoint(fg.exp, x, context_fn=lambda: (Context("first"), Context("second")))
    y.sum().backward()
    assert seen == ["first", "end of first", "second", "end of second"]


def test_arguments_pass_through_hooks_from_outside():
    packed = []
    x = leaf()
    with saved_tensors_hooks(lambda t: (packed.append(t.shape), t.detach())[1], lambda t: t):
        y = checkpoint(lambda x: fg.exp(fg.sin(x)), x)
    assert packed == [(3,)]  # the argument and nothing else
    y.sum().backward()
    s = np.sin([0.5, 1.0, 1.5])
    np.testing.assert_allclose(x.grad.numpy(), np.exp(s) * np.cos([0.5, 1.0, 1.5]))
    with save_on_disk():
        y = checkpoint(lambda x: fg.exp(fg.sin(x)), x)
    x.grad = None
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(s) * np.cos([0.5, 1.0, 1.5]))


# ---------------------------------------------------------------- what is wrong


def changing(first, again):
    """A function that is one the first time, and another afterwards."""
    runs = iter([first])
    return lambda x: next(runs, again)(x)


@pytest.mark.parametrize(
    ("again", "options", "text"),
    [
        (lambda x: x * 1, {}, "different number of tensors"),
        (lambda x: fg.exp(fg.sin(fg.exp(fg.sin(x)))), {"early_stop": False}, "different number of tensors"),
        (lambda x: fg.exp(fg.sin(x[:2])), {}, "different metadata"),
        (lambda x: fg.exp(fg.sin(x.astype("float32"))), {}, r"float64\nrecomputed metadata: shape \(3,\), float32"),
    ],
)
def test_a_function_that_does_something_else_raises(again, options, text):
    x = leaf()
    y = checkpoint(changing(lambda x: fg.exp(fg.sin(x)), again), x, **options)
    with pytest.raises(CheckpointError, match=text):
        y.sum().backward()
    assert issubclass(CheckpointError, RuntimeError)


def test_an_argument_that_was_written_raises():
    x = leaf()
    z = x * 1
    y = checkpoint(fg.sin, z)
    z.mul_(2)
    with pytest.raises(RuntimeError, match=r"modified by an in-?place operation"):
        y.sum().backward()


def test_an_error_in_the_second_run_is_the_error():
    def second(x):
        raise KeyError("gone")

    x = leaf()
    y = checkpoint(changing(fg.sin, second), x)
    with pytest.raises(KeyError):
        y.sum().backward(retain_graph=True)
    x.grad = None
    fg.sin(x).sum().backward()  # no hooks are left behind
    np.testing.assert_allclose(x.grad.numpy(), np.cos([0.5, 1.0, 1.5]))


def test_an_error_in_the_first_run_leaves_no_hooks():
    with pytest.raises(ZeroDivisionError):
        checkpoint(lambda x: 1 / 0, leaf())
    x = leaf()
    y = fg.exp(x)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified"):  # hooks would not look
        y.sum().backward()


def test_an_unknown_check_is_named():
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(fg.exp, leaf(), determinism_check="some")


def test_without_the_check_only_counts_matter():
    x = leaf()
    y = checkpoint(changing(fg.exp, fg.sin), x, determinism_check="none")
    y.sum().backward()
    assert x.grad is not None


# ---------------------------------------------------------------- memory


def test_it_makes_no_cycle():
    class Sink:
        pass

    sink = Sink()
    gone = weakref.ref(sink)

    def f(x, sink):
        return fg.exp(fg.sin(x))

    gc.disable()
    try:
        x = leaf()
        y = checkpoint(f, x, sink)
        del sink
        assert gone() is not None  # the arguments are kept
        del y
        assert gone() is None
        y = checkpoint(f, x, Sink())
        y.sum().backward()
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()
