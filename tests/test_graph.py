"""The graph looked at and interfered with: nodes, edges, hooks of nodes, values saved elsewhere, modes."""

import gc
import os
import threading
import weakref

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.autograd import graph
from fastgrad.autograd.graph import (
    GradientEdge,
    Node,
    disable_saved_tensors_hooks,
    get_gradient_edge,
    guard_numpy,
    increment_version,
    save_on_disk,
    saved_tensors_hooks,
)  # fmt: skip


def leaf(values=(1.0, 2.0)):
    return fg.tensor(list(values), requires_grad=True)


def values(t):
    return None if t is None else t.detach().numpy().tolist()


# ---------------------------------------------------------------- nodes


def test_every_node_is_a_node():
    x = leaf()
    for node in (fg.exp(x).grad_fn, (x * 1)[0].grad_fn, fg.exp(x).grad_fn.next_functions[0][0]):
        assert isinstance(node, Node) and issubclass(type(node), Node)
    assert not isinstance(x, Node)
    with pytest.raises(TypeError, match="abstract"):
        Node()


def test_a_node_shows_what_it_is():
    x = leaf()
    y = x * 2
    node = y.grad_fn
    assert node.name() == "MulBackward" and repr(node) == str(node) == "<MulBackward>"
    assert node.metadata == {}
    node.metadata["mine"] = 1
    assert y.grad_fn.metadata == {"mine": 1}
    assert node.next_functions[1:] == ((None, 0),)
    accumulate = node.next_functions[0][0]
    assert accumulate.name() == "AccumulateGrad" and accumulate.variable is x
    assert accumulate is fg.exp(x).grad_fn.next_functions[0][0]


def test_sequence_numbers_grow():
    x = leaf()
    a, b = fg.exp(x), fg.sin(x)
    assert a.grad_fn._sequence_nr() < b.grad_fn._sequence_nr()


def test_hooks_of_a_node_run_around_it():
    x = leaf()
    y = x * x
    seen = []
    y.register_hook(lambda g: seen.append("tensor"))
    y.grad_fn.register_prehook(lambda gs: seen.append("pre"))
    y.grad_fn.register_hook(lambda gi, go: seen.append("post"))
    y.retain_grad()
    x.register_hook(lambda g: seen.append("leaf"))
    x.register_post_accumulate_grad_hook(lambda t: seen.append(("accumulated", values(t.grad))))
    y.sum().backward()
    assert seen == ["tensor", "pre", "post", "leaf", ("accumulated", [2.0, 4.0])]


def test_hooks_of_a_node_may_replace_gradients():
    x = leaf()
    y = x * x
    y.grad_fn.register_prehook(lambda gs: (gs[0] * 10,))
    handle = y.grad_fn.register_hook(lambda gi, go: tuple(None if g is None else g + 1 for g in gi))
    y.sum().backward(retain_graph=True)
    assert values(x.grad) == [22.0, 42.0]
    handle.remove()
    x.grad = None
    y.sum().backward()
    assert values(x.grad) == [20.0, 40.0]


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize(
    "make", [lambda x: x, lambda x: x * 2, lambda x: (x * 2)[:1], lambda x: fg.split(fg.exp(x), 2)[1]]
)
def test_an_edge_stands_for_its_tensor(make):
    x = leaf()
    y = make(x)
    edge = get_gradient_edge(y)
    assert isinstance(edge, GradientEdge) and isinstance(edge.node, Node)
    loss = (y * y * 3).sum()
    (a,) = fg.autograd.grad(loss, y, retain_graph=True)
    (b,) = fg.autograd.grad(loss, edge, retain_graph=True)
    assert values(a) == values(b)
    if y is not x:
        g = fg.ones(y.shape)
        assert values(fg.autograd.grad(edge, x, g, retain_graph=True)[0]) == values(fg.autograd.grad(y, x, g)[0])


def test_an_edge_of_a_leaf_is_its_accumulator():
    x = leaf()
    edge = get_gradient_edge(x)
    assert edge.node.variable is x and edge.output_nr == 0
    with pytest.raises(RuntimeError, match="does not require grad"):
        get_gradient_edge(x.detach())
    with pytest.raises(TypeError):
        get_gradient_edge(3)


def test_backward_from_and_to_edges():
    x, w = leaf(), leaf()
    y = x * w
    fg.autograd.backward(get_gradient_edge(y), fg.ones(2), inputs=[get_gradient_edge(w)])
    assert x.grad is None and values(w.grad) == [1.0, 2.0]


def test_an_edge_does_not_keep_the_tensor():
    x = leaf()
    y = x * 2
    edge, gone = get_gradient_edge(y), weakref.ref(y)
    del y
    assert gone() is None and edge.node.name() == "MulBackward"


# ---------------------------------------------------------------- values saved elsewhere


def counting():
    packed, unpacked = [], []
    hooks = saved_tensors_hooks(
        lambda t: (packed.append(values(t)), t.detach().numpy().copy())[1],
        lambda kept: (unpacked.append(kept.tolist()), fg.tensor(kept))[1],
    )
    return packed, unpacked, hooks


def test_hooks_see_every_saved_value_once():
    packed, unpacked, hooks = counting()
    x, y = leaf((2.0, 3.0)), leaf((5.0, 7.0))
    with hooks:
        z = x * y
    assert packed == [[2.0, 3.0], [5.0, 7.0]] and unpacked == []
    z.sum().backward()
    assert sorted(unpacked) == [[2.0, 3.0], [5.0, 7.0]]
    assert values(x.grad) == [5.0, 7.0] and values(y.grad) == [2.0, 3.0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: fg.exp(x), lambda x: fg.tanh(x) * x, lambda x: x @ fg.ones((2, 2)), lambda x: (x * x)[1:],
        lambda x: fg.max(x * x), lambda x: fg.gelu(x), lambda x: fg.prod(x), lambda x: fg.softmax(x), lambda x: x**3,
        lambda x: fg.where(x > 1, x * x, fg.exp(x)), lambda x: fg.einsum("i,j->ij", x, x), lambda x: fg.std(x),
        lambda x: (x * 1).mul_(x), lambda x: fg.stack([x, x * x])[1], lambda x: fg.cumsum(x) * x,
    ],
)  # fmt: skip
def test_gradients_are_the_same_with_hooks(function):
    x = leaf()
    expected = fg.autograd.grad(function(x).sum(), x)[0]
    _, _, hooks = counting()
    with hooks:
        y = function(x).sum()
    found = fg.autograd.grad(y, x)[0]
    np.testing.assert_array_equal(found.numpy(), expected.numpy())
    (first,) = fg.autograd.grad(function(x).sum(), x, create_graph=True)
    with hooks:
        y = function(x).sum()
    (second,) = fg.autograd.grad(y, x, create_graph=True)
    if first.requires_grad:
        np.testing.assert_allclose(*(values(fg.autograd.grad(g.sum(), x)[0]) for g in (first, second)))


def test_what_unpack_gives_is_what_is_used():
    x = leaf()
    with saved_tensors_hooks(lambda t: t.shape, lambda shape: fg.ones(shape) * 10):
        y = x * x
    y.sum().backward()
    assert values(x.grad) == [20.0, 20.0]


def test_the_innermost_pair_is_used():
    x, seen = leaf(), []
    outer = saved_tensors_hooks(lambda t: seen.append("outer") or t.detach(), lambda t: t)
    inner = saved_tensors_hooks(lambda t: seen.append("inner") or t.detach(), lambda t: t)
    with outer:
        fg.exp(x)
        with inner:
            fg.exp(x)
        fg.exp(x)
    assert seen == ["outer", "inner", "outer"]
    fg.exp(x)
    assert len(seen) == 3


def test_hooks_are_their_threads_own():
    packed, _, hooks = counting()
    with hooks:
        thread = threading.Thread(target=lambda: fg.exp(leaf()))
        thread.start()
        thread.join()
        assert packed == []
        fg.exp(leaf())
    assert len(packed) == 1


def test_wrong_hooks():
    x = leaf()
    with pytest.raises(TypeError, match="callable"):
        saved_tensors_hooks(3, lambda t: t)
    with saved_tensors_hooks(lambda t: t.detach(), lambda t: 3):
        y = fg.exp(x)
    with pytest.raises(TypeError, match="unpack_hook"):
        y.sum().backward()
    with pytest.raises(RuntimeError, match="in place"), saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
        fg.exp(x * 1)
    with pytest.raises(ZeroDivisionError), saved_tensors_hooks(lambda t: 1 / 0, lambda t: t):
        fg.exp(x)
    x.grad = None
    fg.exp(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.exp([1.0, 2.0]))


def test_disabled_hooks_say_why():
    with disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), saved_tensors_hooks(lambda t: t, lambda t: t):
            pass
        with disable_saved_tensors_hooks("nor here"), pytest.raises(RuntimeError, match="nor here"), save_on_disk():
            pass
        with pytest.raises(RuntimeError, match="not here"), save_on_disk():
            pass
    with save_on_disk():
        pass
    with saved_tensors_hooks(lambda t: t, lambda t: t), pytest.raises(RuntimeError, match="too late"):
        disable_saved_tensors_hooks("too late").__enter__()
    with pytest.raises(TypeError):
        disable_saved_tensors_hooks(3)


# ---------------------------------------------------------------- on disk


def test_saved_values_are_files_as_long_as_they_are_needed(tmp_path):
    x = leaf()
    with save_on_disk(tmp_path):
        y = fg.exp(fg.sin(x)).sum()
    assert len(os.listdir(tmp_path)) == 2
    y.backward(retain_graph=True)
    assert len(os.listdir(tmp_path)) == 2
    y.backward()
    assert os.listdir(tmp_path) == []
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(np.sin([1, 2])) * np.cos([1, 2]))


def test_files_go_with_a_graph_that_is_never_used(tmp_path):
    with save_on_disk(tmp_path):
        y = fg.exp(leaf())
    assert len(os.listdir(tmp_path)) == 1
    del y
    gc.collect()
    assert os.listdir(tmp_path) == []


def test_every_kind_of_value_comes_back(tmp_path):
    for array in (np.array(2.0), np.ones((2, 3), "float32").T, np.array([1 + 2j]), np.zeros((0, 3))):
        x = fg.tensor(array, requires_grad=True)
        with save_on_disk(tmp_path):
            y = x * x
        y.backward(fg.ones(y.shape, dtype=y.dtype))
        np.testing.assert_array_equal(x.grad.numpy(), 2 * np.conj(array))
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError), save_on_disk("/no/such/place"):
        fg.exp(leaf())
    fg.exp(leaf()).sum().backward()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning", "ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_leaves_the_files_alone(tmp_path):
    with save_on_disk(tmp_path):
        y = fg.exp(leaf())
    child = os.fork()
    if child == 0:
        del y
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(os.listdir(tmp_path)) == 1
    y.sum().backward()


# ---------------------------------------------------------------- versions, arrays handed out


def test_increment_version_makes_writes_seen():
    x = leaf()
    z = x * 1
    y = fg.exp(z) * z
    z.detach().numpy()[0] = 5.0
    increment_version(z)
    assert z._version == 1
    with pytest.raises(RuntimeError, match="modified"):
        y.sum().backward()


@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)])
def test_increment_version_of_any_shape(shape):
    a, b = fg.ones(shape), fg.ones(shape, requires_grad=True)
    increment_version([a, b])
    assert a._version == b._version == 1 and values(a) == np.ones(shape).tolist()
    for wrong in (3, [a, 3]):
        with pytest.raises(TypeError, match="increment_version"):
            increment_version(wrong)


def test_the_guard_makes_arrays_read_only():
    t = fg.ones(2)
    free = t.numpy()
    with guard_numpy():
        for array in (t.numpy(), np.asarray(t), t.detach().numpy(), np.asarray(t[:1])):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 5.0
        with guard_numpy(False):
            t.numpy()[0] = 2.0
        with pytest.raises(ValueError, match="read-only"):
            t.numpy()[0] = 5.0
        t[0] = 3.0  # what fastgrad sees is free
        t += 1
        free[1] = 7.0  # handed out before
        assert (t * t).sum().item() == 65.0
    t.numpy()[0] = 1.0
    assert values(t) == [1.0, 7.0]
    with pytest.raises(TypeError):
        guard_numpy(1)


def test_the_guard_may_stay_on():
    try:
        guard_numpy(True)
        with pytest.raises(ValueError, match="read-only"):
            fg.ones(2).numpy()[0] = 1.0
    finally:
        guard_numpy(False)
    fg.ones(2).numpy()[0] = 1.0


# ---------------------------------------------------------------- many gradients of one graph


def test_batched_gradients_are_those_of_a_loop():
    x = leaf()
    y, z = x**3, fg.sin(x).sum()
    gy, gz = np.arange(6.0).reshape(3, 2), np.arange(3.0)
    found = fg.autograd.grad((y, z), x, (gy, gz), retain_graph=True, is_grads_batched=True)[0]
    rows = [fg.autograd.grad((y, z), x, (a, b), retain_graph=True)[0].numpy() for a, b in zip(gy, gz)]
    np.testing.assert_allclose(found.numpy(), rows)


def test_batched_gradients_of_what_takes_no_part():
    x, w = leaf(), leaf()
    found = fg.autograd.grad(x * 2, (x, w), np.eye(2), is_grads_batched=True, allow_unused=True)
    assert values(found[0]) == [[2.0, 0.0], [0.0, 2.0]] and found[1] is None


@pytest.mark.parametrize("g", [np.ones(2), np.ones((3, 3)), None])
def test_batched_gradients_of_a_wrong_shape(g):
    x = leaf()
    with pytest.raises((RuntimeError, ValueError)):
        fg.autograd.grad(x * 2, x, g, is_grads_batched=True)


def test_batches_of_different_lengths():
    x = leaf()
    with pytest.raises(ValueError, match="same length"):
        fg.autograd.grad((x * 2, x * 3), x, (np.ones((2, 2)), np.ones((3, 2))), is_grads_batched=True)


def test_inputs_may_be_a_dict():
    x, w = leaf(), leaf()
    found = fg.autograd.grad((x * w).sum(), {"x": x, "w": w})
    assert {name: values(g) for name, g in found.items()} == {"x": [1.0, 2.0], "w": [1.0, 2.0]}


def test_materialized_gradients():
    x, w = leaf(), leaf()
    assert values(fg.autograd.grad(x.sum(), (x, w), materialize_grads=True)[1]) == [0.0, 0.0]
    with pytest.raises(ValueError, match="allow_unused"):
        fg.autograd.grad(x.sum(), w, allow_unused=False, materialize_grads=True)
    edges = [get_gradient_edge(x), w]
    assert [values(g) for g in fg.autograd.grad(x.sum(), edges, materialize_grads=True)] == [[1.0, 1.0], [0.0, 0.0]]
    with pytest.raises(RuntimeError, match="GradientEdge"):
        fg.autograd.grad(x.sum(), get_gradient_edge(w), materialize_grads=True)


# ---------------------------------------------------------------- inference mode


def test_inference_mode_records_nothing_and_marks_what_it_makes():
    x = leaf()
    with fg.inference_mode():
        assert fg.is_inference_mode_enabled() and not fg.is_grad_enabled()
        y = x * 2
        y.mul_(2)
        with fg.inference_mode(False):
            assert fg.is_grad_enabled() and (x * 2).requires_grad
    assert not fg.is_inference_mode_enabled() and fg.is_grad_enabled()
    assert y.is_inference() and not x.is_inference() and not (x * 2).is_inference()
    with pytest.raises(RuntimeError, match="version"):
        y._version  # noqa: B018


def test_inference_tensors_are_kept_out_of_graphs():
    x = leaf()
    with fg.inference_mode():
        y = fg.ones(2) * 2
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        x * y
    with pytest.raises(RuntimeError, match=r"[Ii]n.?place update to inference tensor"):
        y.mul_(2)
    assert (x + y).requires_grad  # saves nothing
    (x * y.clone()).sum().backward()
    assert values(x.grad) == [2.0, 2.0]
    increment_version(y)


def test_inference_mode_decorates():
    @fg.inference_mode
    def plain(x):
        return x * 2

    @fg.inference_mode()
    def called(x):
        return x * 2

    @fg.inference_mode(mode=False)
    def off(x):
        return x * 2

    @fg.inference_mode()
    def generator(x):
        yield x * 2
        yield fg.is_inference_mode_enabled()

    x = leaf()
    assert plain(x).is_inference() and called(x).is_inference() and not off(x).is_inference()
    steps = generator(x)
    assert next(steps).is_inference() and not fg.is_inference_mode_enabled() and next(steps)
    with pytest.raises(TypeError, match="inference_mode"):
        fg.inference_mode(3)
    assert fg.is_grad_enabled()


def test_modes_return_after_an_error():
    with pytest.raises(ZeroDivisionError), fg.inference_mode():
        raise ZeroDivisionError
    assert fg.is_grad_enabled() and not fg.is_inference_mode_enabled()


def test_the_module_says_what_it_has():
    assert {name for name in graph.__all__ if not hasattr(graph, name)} == set()
    assert set(fg.autograd.__all__) <= set(dir(fg.autograd))
    with pytest.raises(AttributeError, match="nothing"):
        fg.autograd.nothing  # noqa: B018
