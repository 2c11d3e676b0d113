"""Nodes of the graph and what hangs on them: hooks and their order, and edges.

The order of events stands here, and PyTorch is checked to have the same.
"""

import gc
import importlib
import weakref

import pytest

import fastgrad as fg
from fastgrad._backend import backend
from fastgrad._methods import GradientEdge


def leaf(*values):
    return fg.tensor([float(v) for v in values], requires_grad=True)


def flat(value):
    """Tensors as lists, everything else as it is."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return [flat(v) for v in value] if isinstance(value, (tuple, list)) else value.detach().tolist()


# ---------------------------------------------------------------- the order of hooks, as PyTorch has it

EVENTS = {}


def events(*expected):
    """A scenario: a function of `m` (fastgrad, or torch) and a list, to which it adds what happens."""

    def add(function):
        EVENTS[function.__name__] = function, list(expected)
        return function

    return add


class _Facade:
    def __init__(self, module):
        self.autograd, self.no_grad, self.module = module.autograd, module.no_grad, module

    def leaf(self, *values):
        return self.module.tensor([float(v) for v in values], dtype=self.module.float64, requires_grad=True)

    def tensor(self, *values):
        return self.module.tensor([float(v) for v in values], dtype=self.module.float64)


def _watched(m, log):
    """``y = 2 x`` with every kind of hook on it, each of which multiplies by ten."""
    x = m.leaf(1, 2)
    y = x * 2
    y.retain_grad()

    def note(what, g):
        log.append([what, flat(g), flat(y.grad)])

    y.grad_fn.register_prehook(lambda gs: (note("prehook", gs), (gs[0] * 10,))[1])
    y.grad_fn.register_hook(lambda gi, go: note("hook", [gi[0], go[0]]))
    y.register_hook(lambda g: (note("tensor", g), g * 10)[1])
    return x, y


@events(
    ["tensor", [1, 1], None],
    ["prehook", [[10, 10]], [10, 10]],
    ["hook", [[200, 200], [100, 100]], [10, 10]],
    [10, 10],
    [200, 200],
)
def tensor_hooks_then_retained_then_prehooks_then_the_node_then_its_hooks(m, log):
    x, y = _watched(m, log)
    y.sum().backward()
    log += [y.grad, x.grad]


@events(["tensor", [1, 1], None], [10, 10])
def a_pass_that_ends_at_a_tensor_runs_its_hooks_but_not_its_nodes(m, log):
    _, y = _watched(m, log)
    (g,) = m.autograd.grad(y.sum(), y)
    log.append(g)


@events([1, 1], [200, 200])
def what_is_captured_on_the_way_is_what_arrives(m, log):
    x, y = _watched(m, [])
    log += m.autograd.grad(y.sum(), [y, x])


@events(
    ["tensor", [1, 1], None], ["prehook", [[10, 10]], [10, 10]], ["hook", [None, [100, 100]], [10, 10]], [10, 10], None
)
def accumulating_into_an_inner_tensor_runs_its_node(m, log):
    x, y = _watched(m, log)
    y.sum().backward(inputs=[y])
    log += [y.grad, x.grad]


def _watched_leaf(m, log):
    x = m.leaf(1, 2)
    y = x * 2
    node = y.grad_fn.next_functions[0][0]
    x.register_hook(lambda g: (log.append(["tensor", flat(g)]), g * 10)[1])
    node.register_prehook(lambda gs: (log.append(["prehook", flat(gs), flat(x.grad)]), (gs[0] * 10,))[1])
    node.register_hook(lambda gi, go: log.append(["hook", flat(gi), flat(go), flat(x.grad)]))
    x.register_post_accumulate_grad_hook(lambda p: log.append(["post", p is x, flat(p.grad)]))
    return x, y, node


@events(
    ["tensor", [2, 2]],
    ["prehook", [[20, 20]], None],
    ["post", True, [200, 200]],
    ["hook", [], [[200, 200]], [200, 200]],
)
def hooks_of_a_leaf(m, log):
    _, y, node = _watched_leaf(m, log)
    y.sum().backward()
    assert node is not None


@events(["tensor", [2, 2]], [20, 20])
def a_gradient_asked_for_is_not_accumulated(m, log):
    x, y, node = _watched_leaf(m, log)
    log += m.autograd.grad(y.sum(), x)
    assert x.grad is None and node is not None


@events([12], [6])
def a_hook_removed_while_running_runs_to_the_end(m, log):
    x = m.leaf(1)
    y = x * 2
    handle = y.register_hook(lambda g: g * 2)
    y.register_hook(lambda g: (handle.remove(), g * 3)[1])
    for _ in range(2):
        y.sum().backward(retain_graph=True)
        log.append(x.grad)
        x.grad = None


@events("late")
def a_hook_registered_while_running_waits_for_the_next_run(m, log):
    y = m.leaf(1) * 2
    y.register_hook(lambda g: y.register_hook(lambda g: log.append("late")) and None)
    y.sum().backward(retain_graph=True)
    assert log == []
    y.sum().backward()


@events([3, 3], "node", [1, 1])
def hooks_stay_with_the_value_before_a_write_and_the_retained_gradient_moves(m, log):
    y = m.leaf(1, 2) * 2
    y.register_hook(log.append)
    y.retain_grad()
    y.grad_fn.register_hook(lambda gi, go: log.append("node"))
    y.mul_(3)
    y.sum().backward()
    log.append(y.grad)


@events([[1, 1], None], [1, 1, 0, 0])
def a_result_that_is_not_used_has_no_gradient(m, log):
    x = m.leaf(1, 2, 3, 4)
    a, b = m.halves(x)
    node = a.grad_fn
    assert node is b.grad_fn and (a.output_nr, b.output_nr) == (0, 1)
    node.register_prehook(lambda gs: log.append(gs))
    a.sum().backward()
    log.append(x.grad)


@events(None, [None], "node", None, [None], "post", None)
def where_no_gradient_arrives_hooks_are_told_so(m, log):
    class Nothing(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return None

    x = m.leaf(1, 2)
    a = x * 3
    a.register_hook(log.append)
    a.grad_fn.register_prehook(log.append)
    a.grad_fn.register_hook(lambda gi, go: log.append("node"))
    x.register_hook(log.append)
    node = a.grad_fn.next_functions[0][0]
    node.register_prehook(log.append)
    x.register_post_accumulate_grad_hook(lambda p: log.append("post"))
    Nothing.apply(a).sum().backward()
    log.append(x.grad)


@events(None, None)
def a_prehook_may_take_the_gradient_away(m, log):
    x = m.leaf(1, 2)
    y = x * 2
    y.grad_fn.register_prehook(lambda gs: (None,))
    y.grad_fn.register_hook(lambda gi, go: log.append(go[0]))
    y.sum().backward()
    log.append(x.grad)


@events([3, 6])
def a_hook_of_a_node_replaces_what_it_gives(m, log):
    x = m.leaf(1, 2)
    y = x * x
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 2, gi[1]))
    log += m.autograd.grad(y.sum(), x)


@events("RuntimeError", "RuntimeError", "TypeError", "TypeError", "TypeError", "RuntimeError", "RuntimeError")
def what_hooks_of_nodes_may_not_give(m, log):
    one = m.tensor(1, 1)
    for given in [(m.tensor(1, 1, 1), None), (one,), one, [one, None], (3.0, None), (one, one), ()]:
        y = m.leaf(1, 2) * 2
        y.grad_fn.register_hook(lambda gi, go, given=given: given)
        try:
            y.sum().backward()
            log.append("accepted")
        except (RuntimeError, TypeError) as error:
            log.append(type(error).__name__)


@events("RuntimeError", "TypeError", "TypeError", "RuntimeError")
def what_prehooks_may_not_give(m, log):
    one = m.tensor(1, 1)
    for given in [(m.tensor(1, 1, 1),), one, (3.0,), (one, one)]:
        y = m.leaf(1, 2) * 2
        y.grad_fn.register_prehook(lambda go, given=given: given)
        try:
            y.sum().backward()
            log.append("accepted")
        except (RuntimeError, TypeError) as error:
            log.append(type(error).__name__)


@events("RuntimeError", "RuntimeError", "RuntimeError", "TypeError")
def where_post_accumulate_hooks_go(m, log):
    x = m.leaf(1)
    bad = m.leaf(1)
    worse = m.leaf(1)
    bad.register_post_accumulate_grad_hook(lambda p: p * 2)
    worse.register_post_accumulate_grad_hook(lambda p: 3)
    for wrong in [
        lambda: (x * 2).register_post_accumulate_grad_hook(print),
        lambda: m.tensor(1).register_post_accumulate_grad_hook(print),
        lambda: bad.sum().backward(),
        lambda: worse.sum().backward(),
    ]:
        try:
            wrong()
        except (RuntimeError, TypeError) as error:
            log.append(type(error).__name__)


@events("tensor", "prehook", "post", "hook", None)
def a_leaf_that_no_longer_requires_grad_gets_none(m, log):
    x = m.leaf(1, 2)
    y = x * 2
    node = y.grad_fn.next_functions[0][0]
    x.register_hook(lambda g: log.append("tensor"))
    node.register_prehook(lambda g: log.append("prehook"))
    node.register_hook(lambda gi, go: log.append("hook"))
    x.register_post_accumulate_grad_hook(lambda p: log.append("post"))
    x.requires_grad_(False)
    y.sum().backward()
    log.append(x.grad)


@events(True, "RuntimeError")
def a_pass_for_an_inner_tensor_frees_its_node(m, log):
    y = m.leaf(1, 2).exp()
    (y * y).sum().backward(inputs=[y])
    log.append(y.grad is not None)
    try:
        y.sum().backward()
    except RuntimeError as error:
        log.append(type(error).__name__)


@events("x", "w")
def leaves_are_reached_in_the_order_of_the_operands(m, log):
    x, w = m.leaf(1), m.leaf(2)
    x.register_hook(lambda g: log.append("x"))
    w.register_hook(lambda g: log.append("w"))
    (x * w).sum().backward()


def _events(name, facade):
    function, expected = EVENTS[name]
    log = []
    function(facade, log)
    return [flat(item) for item in log], expected


@pytest.mark.parametrize("name", EVENTS)
def test_events(name):
    facade = _Facade(fg)
    facade.halves = lambda x: fg.split(x, 2)
    found, expected = _events(name, facade)
    assert found == expected


@pytest.mark.torch
@pytest.mark.parametrize("name", EVENTS)
def test_pytorch_has_the_same_events(name):
    facade = _Facade(importlib.import_module("torch"))
    facade.halves = lambda x: x.chunk(2)
    found, expected = _events(name, facade)
    assert found == expected


# ---------------------------------------------------------------- nodes


def test_nodes_are_of_the_backends_classes():
    y = leaf(1) * 2
    ((accumulate, _), _) = y.grad_fn.next_functions
    assert isinstance(y.grad_fn, backend.Node) and isinstance(accumulate, (backend.Node, backend.AccumulateGrad))
    assert issubclass(backend.FunctionNode, backend.Node)
    assert accumulate.name() == "AccumulateGrad" and accumulate.next_functions == ()


def test_a_newer_node_has_a_greater_number_and_leaves_the_greatest():
    a = leaf(1) * 2
    b = a * 2
    ((accumulate, _), _) = a.grad_fn.next_functions
    assert a.grad_fn._sequence_nr() < b.grad_fn._sequence_nr() < accumulate._sequence_nr() == 2**64 - 1


def test_metadata_is_a_dict_of_the_users():
    x = leaf(1)
    y = x * 2
    y.grad_fn.metadata["note"] = 3
    assert y.grad_fn.metadata == {"note": 3}
    y.grad_fn.next_functions[0][0].metadata["leaf"] = 4
    assert (x * 3).grad_fn.next_functions[0][0].metadata == {"leaf": 4}


def test_hooks_of_nodes_are_removed_by_their_handles():
    x, seen = leaf(1, 2), []
    y = x * 2
    handles = [
        y.grad_fn.register_hook(lambda gi, go: seen.append("hook")),
        y.grad_fn.register_prehook(lambda go: seen.append("prehook")),
        x.register_post_accumulate_grad_hook(lambda p: seen.append("post")),
    ]
    for handle in handles:
        handle.remove()
        handle.remove()
    y.sum().backward()
    assert seen == []


@pytest.mark.parametrize("register", ["register_hook", "register_prehook"])
def test_a_hook_must_be_callable(register):
    x = leaf(1)
    with pytest.raises(TypeError, match="callable"):
        getattr((x * 2).grad_fn, register)(3)
    with pytest.raises(TypeError, match="callable"):
        x.register_post_accumulate_grad_hook(3)


def test_what_a_hook_writes_reaches_nobody_else():
    x = leaf(1, 2)
    y = x * 1
    y.register_hook(lambda g: g.mul_(3))
    z = x * 1
    (y + z).backward(fg.ones(2))
    assert x.grad.tolist() == [4, 4]


def test_hooks_see_a_graph_where_one_is_created():
    x, seen = leaf(1, 2), []
    y = x * x
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi[0].requires_grad, go[0].requires_grad)))
    fg.autograd.grad(y.sum(), x, create_graph=True)
    assert seen == [(True, False)]


def test_an_error_in_a_hook_leaves_everything_usable():
    x = leaf(1, 2)
    y = x * 2
    handle = y.grad_fn.register_prehook(lambda gs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert fg.is_grad_enabled() and x.grad is None
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize("register", ["register_hook", "register_prehook"])
def test_a_cycle_through_a_hook_of_a_node_is_collected(register):
    def make():
        x = leaf(1)
        y = x * 2
        z = y * 3
        getattr(y.grad_fn, register)(lambda *_: z and None)
        return z

    gc.collect()
    alive = [weakref.ref(make()) for _ in range(5)]
    gc.collect()
    assert [ref() for ref in alive] == [None] * 5


def test_a_cycle_through_a_post_accumulate_hook_is_collected():
    def make():
        x = leaf(1)
        x.register_post_accumulate_grad_hook(lambda p: x and None)
        return x

    gc.collect()
    alive = [weakref.ref(make()) for _ in range(5)]
    gc.collect()
    assert [ref() for ref in alive] == [None] * 5


# ---------------------------------------------------------------- edges


def test_a_pass_may_start_and_end_at_edges():
    x = leaf(1, 2)
    y = x * 3
    z = (y * y).sum()
    start, middle = GradientEdge(z.grad_fn, 0), GradientEdge(y.grad_fn, 0)
    end = GradientEdge(y.grad_fn.next_functions[0][0], 0)
    del y
    found = backend.grad([start], [middle, end], [fg.tensor(1.0)], retain_graph=True)
    assert flat(found) == [[6, 12], [18, 36]]
    backend.backward(middle, fg.ones(2), retain_graph=True)
    assert x.grad.tolist() == [3, 3]
    backend.backward(z, inputs=[end])
    assert x.grad.tolist() == [21, 39]


def test_an_edge_names_an_output_that_there_is():
    x = leaf(1)
    with pytest.raises((IndexError, ValueError)):
        backend.grad([(x * 2).sum()], [GradientEdge((x * 2).grad_fn, 1)])


def test_reaches_beyond():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * 2
    z = y * w
    a, b = fg.split(x * 1, 2)
    assert not backend.reaches_beyond([y], [x])
    assert backend.reaches_beyond([z], [x]) and backend.reaches_beyond([z], [y])
    assert not backend.reaches_beyond([z], [x, w]) and not backend.reaches_beyond([z], [y, w])
    assert not backend.reaches_beyond([z], [z])
    assert backend.reaches_beyond([z, y], [z]) and not backend.reaches_beyond([fg.ones(2)], [x])
    assert backend.reaches_beyond([a + b], [a]) and not backend.reaches_beyond([a + b], [a, b])
    assert backend.reaches_beyond([x], []) and not backend.reaches_beyond([], [x])
