"""What a backend offers to the modules above it: nodes written in Python, saved values, modes, lifted cotangents."""

import gc
import threading
import traceback
import weakref

import numpy as np
import pytest

import fastgrad as fg
from fastgrad._backend import backend
from fastgrad._methods import TensorMethods, add_operators
from fastgrad.ops import TABLE


def leaf(*values):
    return fg.tensor([float(v) for v in values], requires_grad=True)


# ---------------------------------------------------------------- nodes written in Python


class Power(backend.FunctionNode):
    """x ** n, by hand."""

    def name(self):
        return "HandBackward"

    def _vjp(self, grads, wanted):
        self.seen = grads, wanted
        x = self.saved.unpack()
        return [grads[0] * self.n * x ** (self.n - 1)]

    def _release(self):
        self.released = True


def power(x, n, make=lambda x, n: x.detach() ** n):
    node = backend.new_function_node(Power, (x,))
    node.n, node.saved = n, backend.Saved(x)
    with fg.no_grad():
        out = make(x, n)
    backend.attach(node, (out,), set())
    return out


def test_a_node_written_in_python():
    x = leaf(1, 2)
    y = power(x * 1, 3)
    node = y.grad_fn
    assert y.requires_grad and node.name() == "HandBackward" and str(node) == "<HandBackward>" and node.n == 3
    assert [n.name() for n, _ in node.next_functions] == ["MulBackward"]
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [3, 12] and node.seen[1] == (True,) and not hasattr(node, "released")
    y.sum().backward()
    assert x.grad.tolist() == [6, 24] and node.released


def test_it_is_differentiated_again():
    x = leaf(1, 2)
    (g,) = fg.autograd.grad(power(x, 3).sum(), x, create_graph=True)
    (h,) = fg.autograd.grad(g.sum(), x)
    assert g.tolist() == [3, 12] and h.tolist() == [6, 12]


def test_a_node_of_constants_is_not_attached():
    y = power(fg.ones(2), 3)
    assert not y.requires_grad and y.is_leaf
    with fg.no_grad():
        y = power(leaf(1, 2), 3)
    assert not y.requires_grad


class Given(backend.FunctionNode):
    """Gives what it is told to."""

    def name(self):
        return "GivenBackward"

    def _vjp(self, grads, wanted):
        return list(self.gives(*grads) if callable(self.gives) else self.gives)

    def _release(self):
        pass


def given(inputs, outputs, gives, dirty=()):
    node = backend.new_function_node(Given, inputs)
    node.gives = gives
    backend.attach(node, outputs, set(dirty))
    return node


def test_its_gradients_are_fitted():
    x, s, c = leaf(1, 2), fg.tensor(2.0, requires_grad=True), fg.tensor([1.0, 2.0], dtype="float32", requires_grad=True)
    y = fg.zeros(2)
    given((x, s, c), (y,), lambda g: (fg.ones((3, 2)), g, g))
    y.sum().backward()
    assert x.grad.tolist() == [3, 3] and s.grad.shape == () and float(s.grad) == 2 and c.grad.dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (), (2, 3)])
def test_a_gradient_that_does_not_fit_is_named(shape):
    x, y = leaf(1, 2), fg.zeros(2)
    given((x,), (y,), (fg.ones(shape),))
    with pytest.raises(RuntimeError, match=r"GivenBackward.*invalid gradient at index 0.*compatible with \[2\]"):
        y.sum().backward()


def test_a_gradient_must_be_a_tensor():
    y = fg.zeros(2)
    given((leaf(1, 2),), (y,), (3.0,))
    with pytest.raises(TypeError, match="GivenBackward"):
        y.sum().backward()


def test_several_outputs_and_an_unused_one():
    x, seen = leaf(1, 2), []
    a, b = fg.zeros(2), fg.zeros(3)
    given((x, None), (a, b, None), lambda *grads: seen.append(grads) or [grads[1][:2], None])
    b.sum().backward()
    ((ga, gb, nothing),) = seen
    assert ga is None and gb.shape == (3,) and nothing is None and x.grad.tolist() == [1, 1]
    assert (a.output_nr, b.output_nr) == (0, 1) and a.grad_fn is b.grad_fn


def test_an_input_written_in_place_gets_a_new_history():
    x = leaf(1, 2)
    y = x * 1
    node = backend.new_function_node(Given, (y,))
    node.gives = lambda g: (g * 5,)
    with fg.no_grad():
        y.mul_(5)
    backend.attach(node, (y,), {0})
    assert y.grad_fn is node
    y.sum().backward()
    assert x.grad.tolist() == [5, 5]


def test_a_view_written_in_place_changes_its_bases_history():
    x = leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    node = backend.new_function_node(Given, (v,))
    node.gives = lambda g: (g * 5,)
    with fg.no_grad():
        v.mul_(5)
        backend.attach(node, (v,), {0})
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [1, 5, 5]
    x.grad = None
    v.sum().backward()
    assert x.grad.tolist() == [0, 5, 5]


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[1:]])
def test_a_leaf_cannot_be_written_in_place(view):
    x = view(leaf(1, 2))
    node = backend.new_function_node(Given, (x,))
    with pytest.raises(RuntimeError, match="leaf"):
        backend.attach(node, (x,), {0})


def test_a_view_that_it_gave_cannot_be_written():
    x = leaf(1, 2, 3)
    y = x * 1
    v = power(y, 1, make=lambda x, n: x[1:])
    with pytest.raises(RuntimeError, match="custom Function"):
        v.mul_(2)
    with fg.no_grad():
        v.mul_(1)


# ---------------------------------------------------------------- views that cannot follow their base


def _made_under_no_grad(x):
    with fg.no_grad():
        return x[1:]


def _made_in_inference_mode(x):
    before = backend._set_inference(True)
    try:
        return x[1:]
    finally:
        backend._set_inference(before)


BARRED = {
    "no_grad": _made_under_no_grad,
    "inference": _made_in_inference_mode,
    "multi": lambda x: fg.split(x, 3)[1],
    "function": lambda x: power(x, 1, make=lambda x, n: x[1:]),
}


@pytest.mark.parametrize("name", BARRED)
def test_a_view_that_cannot_follow_a_write_is_not_used_after_it(name):
    x = leaf(1, 2, 3)
    y = x * 1
    v = BARRED[name](y)
    values = v.tolist()
    for write in (lambda: v.mul_(2), lambda: v.mul_(leaf(1))):
        with pytest.raises(RuntimeError, match=r"in place|inplace"):
            write()
    assert v.tolist() == values
    with fg.no_grad():
        y.mul_(1)
    for use in (lambda: v * 2, lambda: v.grad_fn, lambda: v.is_leaf, lambda: fg.concat([v, x])):
        with pytest.raises(RuntimeError, match="modified in place"):
            use()
    assert v.detach().tolist() == values and "Invalid" in repr(v)
    with fg.no_grad():
        assert (v * 2).tolist() == [2 * value for value in values]


# ---------------------------------------------------------------- what it saves


def test_saved_values_are_where_they_were():
    x = leaf(1, 2)
    y = x * 2
    for t in (x, y, fg.ones(2)):
        saved = backend.Saved(t)
        again = saved.unpack()
        assert again.requires_grad == t.requires_grad and again.grad_fn is t.grad_fn
        assert again.tolist() == t.tolist()
    (g,) = fg.autograd.grad((backend.Saved(x).unpack() ** 2).sum(), x)
    assert g.tolist() == [2, 4]


def test_a_saved_result_holds_on_to_no_tensor():
    x, node = leaf(1, 2), backend.new_function_node(Given, (leaf(1, 2),))
    with fg.no_grad():
        out = x * 3
    backend.attach(node, (out,), set())
    saved = backend.Saved(out, node, 0)
    ref, again = weakref.ref(out), saved.unpack()
    assert again.grad_fn is node and again.output_nr == 0
    del out
    assert ref() is None and saved.unpack().tolist() == [3, 6]


def test_a_saved_value_that_was_written_is_refused():
    x = leaf(1, 2)
    y = x * 2
    saved, of_detached = backend.Saved(y), backend.Saved(y.detach())
    y.detach().add_(1)
    for one in (saved, of_detached):
        with pytest.raises(
            RuntimeError, match=r"modified by an inplace operation.*float64.*\(2,\).*version 0.*version 1"
        ):
            one.unpack()


class hooked:
    """Hooks on saved values."""

    def __init__(self, pack, unpack):
        self.pair = pack, unpack

    def __enter__(self):
        backend._push_saved_hooks(*self.pair)

    def __exit__(self, *exc_info):
        backend._pop_saved_hooks()


def test_saved_values_pass_through_hooks():
    x, log = leaf(1, 2), []

    def pack(t):
        log.append("pack")
        return t.detach().numpy() * 10

    def unpack(a):
        log.append("unpack")
        return fg.asarray(a) / 10

    with hooked(pack, unpack):
        y = fg.exp(x) * x + 1
        z = power(y, 2)
        assert log == ["pack"] * 4
    z.sum().backward()
    e = np.exp([1.0, 2.0])
    np.testing.assert_allclose(x.grad.numpy(), 2 * (e * [1, 2] + 1) * (e * [1, 2] + e), rtol=1e-14)
    assert log == ["pack"] * 4 + ["unpack"] * 4


def test_hooks_on_saved_values_are_of_a_thread_and_nest():
    seen = []
    with hooked(lambda t: seen.append("outer") or t, lambda t: t):
        with hooked(lambda t: seen.append("inner") or t, lambda t: t):
            fg.exp(leaf(1))
        fg.exp(leaf(1))
        thread = threading.Thread(target=lambda: fg.exp(leaf(1)))
        thread.start()
        thread.join()
    assert seen == ["inner", "outer"]


@pytest.mark.parametrize("row", ["multiply", "matmul", "gelu", "sigmoid", "sqrt", "prod", "cumprod", "max", "where"])
def test_gradients_are_the_same_with_hooks(row, rng):
    op = TABLE[row]
    data = rng.uniform(0.5, 1.5, (3, 3))
    grads = []
    for hooks in (False, True):
        x = fg.tensor(data, requires_grad=True)
        operands = {1: (x,), 2: (x, x), 3: (x > 1, x, x * x)}[len(op.operands)]
        extra = {"axis": 0} if row in ("prod", "cumprod", "max") else {}
        if hooks:
            with hooked(lambda t: t.detach().numpy().copy(), fg.asarray):
                y = op(*operands, **extra)
        else:
            y = op(*operands, **extra)
        (y * y).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_array_equal(*grads)


def test_values_taken_away_by_hooks_are_freed():
    class Held:
        def __init__(self, t):
            self.array = t.detach().numpy().copy()

    refs = []

    def pack(t):
        held = Held(t)
        refs.append(weakref.ref(held))
        return held

    x = leaf(1, 2)
    with hooked(pack, lambda held: fg.asarray(held.array)):
        y = fg.exp(x) * x
    y.sum().backward(retain_graph=True)
    assert all(ref() is not None for ref in refs)
    y.sum().backward()
    gc.collect()
    assert [ref() for ref in refs] == [None] * len(refs)
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


# ---------------------------------------------------------------- modes of the backend


@pytest.fixture
def anomaly():
    before = backend._set_anomaly(True, True)
    yield
    backend._set_anomaly(*before)


def test_anomaly_mode_names_the_line(anomaly):
    x = leaf(-1)
    y = fg.sqrt(x)  # this very line
    with pytest.raises(RuntimeError, match="Function 'SqrtBackward' returned nan values in its 0th output") as caught:
        y.sum().backward()
    assert "this very line" in "".join(traceback.format_exception(caught.value)).partition("returned nan")[2]
    assert any("this very line" in line for line in y.grad_fn.metadata["traceback_"])


def test_anomaly_mode_names_the_line_of_an_overwritten_value(anomaly):
    y = fg.exp(leaf(1))  # this very line
    y.add_(1)
    with pytest.raises(RuntimeError, match="inplace") as caught:
        y.sum().backward()
    assert "this very line" in "".join(traceback.format_exception(caught.value)).partition("inplace")[2]


def test_inference_tensors_are_kept_out_of_graphs():
    x = leaf(1, 2)
    before = backend._set_inference(True)
    try:
        t = fg.ones(2)
        assert t.is_inference() and backend.is_inference_mode_enabled() and not (x * 2).requires_grad
        t.add_(1)
        assert t[:1].is_inference() and not x[:1].is_inference() and not x.detach().is_inference()
    finally:
        backend._set_inference(before)
    assert not backend.is_inference_mode_enabled() and not t.clone().is_inference() and t[:1].is_inference()
    for wrong in (
        lambda: x * t,
        lambda: t.add_(1),
        lambda: t.requires_grad_(),
        lambda: t._version,
        lambda: backend.Saved(t),
    ):
        with pytest.raises(RuntimeError, match=r"[iI]nference"):
            wrong()
    assert (x + t).requires_grad and not (t * t).is_inference()


# ---------------------------------------------------------------- runs within runs, and in several threads


class Deep(Given):
    def _vjp(self, grads, wanted):
        self.inner(self.depth - 1)
        return [grads[0]]


def go_down(depth, at_the_bottom, reached):
    """A backward pass whose node runs a backward pass, `depth` times."""
    reached.append(depth)
    with fg.enable_grad():
        if not depth:
            at_the_bottom()
            return
        x, y = leaf(1), fg.zeros(1)
        node = backend.new_function_node(Deep, (x,))
        node.depth, node.inner = depth, lambda left: go_down(left, at_the_bottom, reached)
        backend.attach(node, (y,), set())
        y.sum().backward()
    assert x.grad.tolist() == [1]


def test_backward_within_backward_to_any_depth():
    reached = []
    go_down(300, lambda: None, reached)
    assert reached == list(range(300, -1, -1))


def test_what_is_raised_deep_within_arrives():
    with pytest.raises(ZeroDivisionError):
        go_down(150, lambda: 1 / 0, [])
    assert fg.is_grad_enabled()


def test_modes_reach_deep_within():
    seen = []
    with hooked(lambda t: seen.append("pack") or t, lambda t: t):
        go_down(150, lambda: fg.exp(leaf(1)), [])
    assert seen == ["pack"]


def test_several_threads_onto_one_leaf_lose_nothing():
    x = fg.zeros(50_000, requires_grad=True)
    sums = [(x * 1).sum() for _ in range(40)]
    inner = x * 1
    inner.retain_grad()
    more = [inner.sum() for _ in range(8)]

    def work(k):
        for y in sums[k::8]:
            y.backward()
        more[k].backward(retain_graph=True)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (x.grad.numpy() == 48).all() and (inner.grad.numpy() == 8).all()


# ---------------------------------------------------------------- lifted cotangents


class Pair(TensorMethods):
    """Two values at once: the least that a run has to carry through."""

    _lifts = True

    def __init__(self, *parts):
        self.parts = parts
        self.shape, self.dtype, self.ndim = parts[0].shape, parts[0].dtype, parts[0].ndim

    def __repr__(self):
        return f"Pair{self.parts}"

    @staticmethod
    def _apply_op(op, operands, options):
        rows = [[v.parts[i] if isinstance(v, Pair) else v for v in operands] for i in range(2)]
        return Pair(*(op(*row, **options) for row in rows))

    _inplace_op = None

    size = property(lambda self: self.parts[0].size)

    def detach(self):
        return Pair(*(part.detach() for part in self.parts))

    def numpy(self):  # for those who ask NumPy for its shape
        return np.empty(self.shape, self.dtype)


add_operators(Pair)

FORMULAS = {
    "products": lambda x, w: (x * w).sum(axis=0) * 2,
    "exp": lambda x, w: fg.exp(x) + w,
    "matmul": lambda x, w: (x @ w).sum(axis=1),
    "fused": lambda x, w: fg.sigmoid(x) - w.sum(axis=0),
    "views": lambda x, w: x[1:].T.reshape(-1) * w[0, 0],
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_run_carries_lifted_cotangents(name, create_graph, rng):
    x, w = (fg.tensor(rng.uniform(0.5, 1.5, (3, 3)), requires_grad=True) for _ in range(2))
    y = FORMULAS[name](x, w)
    parts = [fg.tensor(rng.uniform(-1, 1, y.shape)) for _ in range(2)]
    expected = [fg.autograd.grad(y, [x, w], part, retain_graph=True) for part in parts]
    seen = []
    x.register_hook(seen.append)
    found = backend.grad([y], [x, w], [Pair(*parts)], retain_graph=True, create_graph=create_graph)
    assert isinstance(found[0], Pair) and seen == [found[0]]
    for i, (a, b) in enumerate(zip(*expected)):
        for part, e in enumerate((a, b)):
            got = found[i].parts[part] if isinstance(found[i], Pair) else found[i]
            np.testing.assert_allclose(got.detach().numpy(), e.numpy(), rtol=1e-12)
            assert not create_graph or name in ("views",) or got.requires_grad or i == 1


def test_nodes_written_in_python_carry_them_too():
    x = leaf(1, 2)
    y = power(x, 3)
    (g,) = backend.grad([y], [x], [Pair(fg.ones(2), 2 * fg.ones(2))])
    assert [part.tolist() for part in g.parts] == [[3, 12], [6, 24]]
