"""Graphs used against the grain: hooks that raise or leave their context, nodes made by hand, edges, moved leaves."""

import contextlib
import gc
import time
import weakref

import pytest

import fastgrad as fg
from fastgrad._backend import backend

graph = fg.autograd.graph


def leaf(*data):
    return fg.tensor(data or (1.0, 2.0, 3.0), requires_grad=True)


class Square(fg.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a * a

    @staticmethod
    def backward(ctx, g):
        (a,) = ctx.saved_tensors
        return 2 * g * a


@pytest.mark.parametrize("write", [lambda y, w: y.mul_(w), lambda y, w: y.div_(w), lambda y, w: y[1:].mul_(w[1:])])
def test_a_pack_hook_that_raises_leaves_what_was_to_be_written(write):
    def pack(t):
        raise KeyError("no room")

    x, w = leaf(), leaf(3.0, 4.0, 5.0)
    y = x * 1
    with pytest.raises(KeyError), graph.saved_tensors_hooks(pack, lambda a: a):
        write(y, w)
    assert y.tolist() == [1.0, 2.0, 3.0] and y._version == 0
    y.sum().backward()
    assert x.grad.tolist() == [1.0] * 3 and w.grad is None


def test_a_pack_hook_that_leaves_its_context():
    def pack(t):
        hooks.__exit__()
        return t

    hooks = graph.saved_tensors_hooks(pack, lambda t: t)
    hooks.__enter__()
    x, w = leaf(), leaf()
    (x * w).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_what_belongs_to_the_engine_is_not_made_by_hand():
    accumulator = (leaf() * 2).grad_fn.next_functions[0][0]
    for wrong in (None, 7, fg.ones(2)):
        with pytest.raises(TypeError):
            type(accumulator)(wrong).metadata  # noqa: B018
    for wrong in (None, 7):
        with pytest.raises((TypeError, AttributeError)):
            backend.Saved(wrong)
    with contextlib.suppress(AttributeError):  # the other kind of node
        assert isinstance(type((leaf() * 2).grad_fn).name(Square.apply(leaf()).grad_fn), str)


def test_an_edge_takes_gradients_of_its_own_dtype():
    for edge in (
        graph.get_gradient_edge(leaf() * 2.0),
        graph.GradientEdge((leaf() * 2).grad_fn.next_functions[0][0], 0),
    ):
        with pytest.raises(RuntimeError, match="complex"):
            fg.autograd.backward(edge, fg.ones(3, dtype="complex128"))
        with pytest.raises(RuntimeError, match="shape"):
            fg.autograd.backward(edge, fg.ones(2))
    x = leaf()
    fg.autograd.backward(graph.get_gradient_edge(x * 2.0), fg.ones(3, dtype="float32"))
    assert x.grad.dtype == x.dtype


def test_a_leaf_that_was_moved_into_the_graph():
    x, w = leaf(), leaf()
    y = x * 2
    x.requires_grad_(False)
    x.mul_(w)
    with pytest.raises(RuntimeError, match="moved into the graph interior"):
        y.sum().backward()


def second_derivatives(x):
    y = Square.apply(fg.sin(x))
    (y * y).sum().backward(create_graph=True)


def a_gradient_with_a_graph(x):
    x.grad = Square.apply(x * 1)


def a_hook(x):
    y = Square.apply(x * 1)
    x.register_hook(lambda g: y.sum() * 0 + g)


@pytest.mark.parametrize("close", [second_derivatives, a_gradient_with_a_graph, a_hook])
def test_cycles_through_what_a_function_saved_are_collected(close):
    x = leaf()
    alive = weakref.ref(x)
    close(x)
    del x
    gc.collect()
    assert alive() is None


def test_hooks_that_hold_nodes_of_a_long_graph_cost_no_more_than_those_that_hold_tensors():
    """No figure is asserted: with a walk through the whole graph for each hook this would take minutes."""
    y, begun = leaf() * 1, time.monotonic()
    for _ in range(4000):
        node = y.grad_fn
        y = fg.sin(y)
        y.register_hook(lambda g, node=node: None)
        assert time.monotonic() - begun < 60
    y.sum().backward()
