"""Autograd as PyTorch has it: flags, the graph, backward and its arguments, grad mode, hooks, higher order."""

import threading

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.ops import TABLE


def leaf(data=(1.0, 2.0, 3.0), dtype=None):
    return fg.tensor(data, dtype=dtype, requires_grad=True)


def values(tensor):
    assert tensor is not None
    return tensor.detach().numpy()


def same(tensor, expected):
    np.testing.assert_allclose(values(tensor), expected, rtol=1e-14, atol=0)


# ---------------------------------------------------------------- requires_grad and the graph


def test_requires_grad_is_off_by_default():
    x = fg.tensor([1.0])
    assert x.requires_grad is False and x.grad_fn is None and x.is_leaf and x.grad is None
    assert (x * 2).requires_grad is False and (x * 2).grad_fn is None and (x * 2).is_leaf


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_inexact_dtypes_may_require_grad(dtype):
    x = fg.tensor([1, 2], dtype=dtype, requires_grad=True)
    assert x.requires_grad and x.is_leaf and x.dtype == dtype


def test_requires_grad_spreads_from_any_operand():
    x, y = leaf(), fg.tensor([4.0, 5.0, 6.0])
    for z in (x * y, y * x, x + 1, 1 - x, x[0], fg.concat([y, x]), fg.where(y > 4, x, y)):
        assert z.requires_grad and not z.is_leaf and z.grad_fn is not None


def test_results_that_have_no_derivative_do_not_require_grad():
    x = leaf()
    for z in (x > 1, x == x, fg.argmax(x), fg.isnan(x), x.astype("int64"), fg.any(x)):
        assert not z.requires_grad and z.grad_fn is None and z.is_leaf


def test_requires_grad_can_be_set_on_leaves_and_only_there():
    x = fg.tensor([1.0])
    x.requires_grad = True
    assert x.requires_grad
    assert x.requires_grad_(False) is x and not x.requires_grad
    assert x.requires_grad_().requires_grad
    with pytest.raises(RuntimeError, match="leaf"):
        (x * 2).requires_grad = False


def test_grad_fn_names_the_operation_and_leads_to_the_leaves():
    x, c = leaf(), fg.tensor([1.0, 1.0, 1.0])
    y = fg.tanh(x) * c
    z = y.sum()
    assert z.grad_fn.name() == "SumBackward" and str(z.grad_fn) == "<SumBackward>"
    assert "grad_fn=<SumBackward>" in repr(z)
    ((node, number),) = z.grad_fn.next_functions
    assert node is y.grad_fn and node.name() == TABLE["multiply"].grad_name and number == 0
    (tanh, _), (nothing, _) = node.next_functions
    assert tanh.name() == "TanhBackward" and nothing is None
    ((accumulate, _),) = tanh.next_functions
    assert accumulate.name() == "AccumulateGrad" and accumulate.variable is x
    assert accumulate.next_functions == ()


def test_a_leaf_has_one_accumulate_node():
    x = leaf()
    first, second = (x * 2).grad_fn, (x * 3).grad_fn
    assert first.next_functions[0][0] is second.next_functions[0][0]


def test_output_numbers_tell_results_of_one_operation_apart():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    a, b = fg.split(x, 2)
    assert a.grad_fn is b.grad_fn and (a.output_nr, b.output_nr) == (0, 1)
    (b * 10).sum().backward()
    same(x.grad, [0, 0, 10, 10])


def test_repr_shows_what_a_reader_needs():
    assert "requires_grad=True" in repr(leaf())
    assert "float32" in repr(fg.tensor([1.0], dtype="float32"))
    assert "requires_grad" not in repr(fg.tensor([1.0])) and "1" in repr(fg.tensor([1.0]))


# ---------------------------------------------------------------- backward


def test_backward_fills_leaves_only():
    x = leaf()
    y = x * x
    y.sum().backward()
    same(x.grad, [2, 4, 6])
    assert y.grad is None and not x.grad.requires_grad and x.grad.is_leaf
    assert isinstance(x.grad, fg.Tensor) and x.grad.dtype == x.dtype


def test_gradients_accumulate_over_calls_and_over_paths():
    x = leaf()
    for _ in range(3):
        (x * 2 + x).sum().backward()
    same(x.grad, [9, 9, 9])


def test_accumulating_does_not_change_what_others_hold():
    x = leaf()
    g = fg.tensor([1.0, 1.0, 1.0])
    (x + 0).backward(g)
    (x + 0).backward(g)
    same(g, [1, 1, 1])
    same(x.grad, [2, 2, 2])


def test_two_leaves_of_one_sum_do_not_share_a_gradient():
    x, y = leaf(), leaf()
    (x + y).sum().backward()
    with fg.no_grad():
        x.grad[0] = 100.0
    same(y.grad, [1, 1, 1])


def test_gradient_memory_is_not_the_callers():
    x = leaf()
    g = np.ones(3)
    (x + 0.0).backward(fg.from_numpy(g))
    g[:] = 7
    same(x.grad, [1, 1, 1])


def test_backward_takes_a_gradient_for_a_tensor_that_is_no_scalar():
    x = leaf()
    (x * x).backward(fg.tensor([1.0, 0.0, -1.0]))
    same(x.grad, [2, 0, -6])
    x.grad = None
    (x * x).backward(gradient=fg.tensor([1.0, 1.0, 1.0]))
    same(x.grad, [2, 4, 6])


def test_backward_of_one_element_needs_no_gradient():
    for shape in ((), (1,), (1, 1)):
        x = leaf(np.full(shape, 3.0))
        (x * x).backward()
        same(x.grad, np.full(shape, 6.0))


def test_backward_of_a_leaf_itself():
    x = leaf(2.0)
    x.backward()
    same(x.grad, 1.0)


def test_grad_may_be_assigned_and_removed():
    x = leaf()
    x.grad = fg.tensor([1.0, 1.0, 1.0])
    (x * 2).sum().backward()
    same(x.grad, [3, 3, 3])
    x.grad = None
    assert x.grad is None


def test_retain_graph_allows_a_second_backward():
    x = leaf()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    same(x.grad, [4, 8, 12])
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    same(x.grad, [4, 8, 12])


def test_a_graph_that_saved_nothing_can_be_run_again():
    x = leaf()
    y = (x + 1).sum()
    y.backward()
    y.backward()
    same(x.grad, [2, 2, 2])


def test_a_freed_part_is_noticed_from_another_root():
    x = leaf()
    shared = fg.exp(x)
    first, second = (shared * 2).sum(), (shared * 3).sum()
    first.backward()
    with pytest.raises(RuntimeError, match="ExpBackward"):
        second.backward()


def test_inputs_restrict_what_is_filled():
    x, y = leaf(), leaf()
    z = (x * y).sum()
    z.backward(inputs=[x])
    same(x.grad, [1, 2, 3])
    assert y.grad is None


def test_inputs_may_be_one_tensor_and_no_leaf():
    x = leaf()
    y = x * 2
    (y * y).sum().backward(inputs=y)
    same(y.grad, [4, 8, 12])
    assert x.grad is None


def test_autograd_backward_of_several_roots():
    x = leaf()
    a, b = (x * x).sum(), x * 3
    fg.autograd.backward([a, b], [None, fg.tensor([1.0, 1.0, 0.0])])
    same(x.grad, [5, 7, 6])


def test_each_node_runs_once_however_many_paths_meet_there():
    x = leaf(1.0)
    calls = []
    y = x * 1.0
    y.register_hook(lambda g: calls.append(g.item()))
    z = y
    for _ in range(20):
        z = z + z
    (z + y).backward()
    assert calls == [2.0**20 + 1]
    same(x.grad, 2.0**20 + 1)


def test_complex_gradients_follow_pytorch():
    z = leaf([1 + 2j, 3 - 1j])
    (fg.abs(z) ** 2).sum().backward()
    same(z.grad, 2 * values(z))


def test_a_real_input_of_a_complex_result_gets_a_real_gradient():
    x = leaf([1.0, 2.0])
    y = x * fg.tensor([1 + 1j, 2 - 1j])
    y.backward(fg.tensor([1 + 0j, 1j]))
    assert x.grad.dtype == np.float64
    same(x.grad, [1, -1])


def test_mixed_dtypes_give_each_input_its_own():
    x, y = leaf(dtype="float32"), leaf(dtype="float64")
    z = x * y
    assert z.dtype == np.float64
    z.sum().backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64


# ---------------------------------------------------------------- autograd.grad


def test_grad_returns_and_fills_nothing():
    x, y = leaf(), leaf()
    gx, gy = fg.autograd.grad((x * y * y).sum(), [x, y])
    same(gx, [1, 4, 9])
    same(gy, [2, 8, 18])
    assert x.grad is None and y.grad is None and not gx.requires_grad


def test_grad_of_an_intermediate_value_and_of_itself():
    x = leaf()
    y = x * 2
    z = (y * y).sum()
    (gy,) = fg.autograd.grad(z, y, retain_graph=True)
    same(gy, [4, 8, 12])
    (gz,) = fg.autograd.grad(z, [z])
    same(gz, 1.0)


def test_the_same_input_twice():
    x = leaf()
    a, b = fg.autograd.grad((x * x).sum(), [x, x])
    same(a, [2, 4, 6])
    same(b, [2, 4, 6])


def test_unused_inputs():
    x, y = leaf(), leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match="allow_unused"):
        fg.autograd.grad((x * x).sum(), [x, y])
    gx, gy = fg.autograd.grad((x * x).sum(), [x, y], allow_unused=True)
    assert gy is None
    same(gx, [2, 4, 6])
    _, gy = fg.autograd.grad((x * x).sum(), [x, y], allow_unused=True, materialize_grads=True)
    same(gy, [0, 0])


def test_grad_outputs_weigh_the_outputs():
    x = leaf()
    (g,) = fg.autograd.grad([x * x, x * 3], [x], grad_outputs=[fg.tensor([1.0, 0.0, 0.0]), fg.tensor([0.0, 0.0, 1.0])])
    same(g, [2, 0, 3])


def test_grad_frees_the_graph_unless_told():
    x = leaf()
    z = (x * x).sum()
    fg.autograd.grad(z, x, retain_graph=True)
    fg.autograd.grad(z, x)
    with pytest.raises(RuntimeError, match="second time"):
        fg.autograd.grad(z, x)


# ---------------------------------------------------------------- higher order


def test_create_graph_gives_gradients_with_a_graph():
    x = leaf(2.0)
    y = x * x * x * x
    for value in (32.0, 48.0, 48.0):
        (y,) = fg.autograd.grad(y, x, create_graph=True)
        same(y, value)
        assert y.requires_grad
    (y,) = fg.autograd.grad(y, x, create_graph=True)
    same(y, 24.0)
    assert not y.requires_grad, "nothing of x is left in it"


def test_backward_with_create_graph_fills_grad_with_a_graph():
    x = leaf()
    (x * x * x).sum().backward(create_graph=True)
    g = x.grad
    assert g.requires_grad
    x.grad = None
    g.sum().backward()
    same(x.grad, [6, 12, 18])


def test_create_graph_keeps_the_graph():
    x = leaf()
    y = fg.exp(x).sum()
    fg.autograd.grad(y, x, create_graph=True)
    fg.autograd.grad(y, x)
    with pytest.raises(RuntimeError):
        fg.autograd.grad(y, x)


def test_without_create_graph_no_graph_is_left():
    x = leaf()
    y = fg.exp(x).sum()
    (g,) = fg.autograd.grad(y, x, retain_graph=True)
    assert not g.requires_grad and g.grad_fn is None


def test_a_hessian_by_two_backwards():
    x = leaf()
    a = fg.tensor([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
    (g,) = fg.autograd.grad(x @ a @ x / 2, x, create_graph=True)
    rows = [values(fg.autograd.grad(g[i], x, retain_graph=True)[0]) for i in range(3)]
    np.testing.assert_allclose(rows, values(a), rtol=1e-14)


def test_gradient_of_the_gradient_in_the_cotangent():
    x, v = leaf(), leaf([1.0, -1.0, 2.0])
    (g,) = fg.autograd.grad(fg.exp(x), x, grad_outputs=v, create_graph=True)
    gx, gv = fg.autograd.grad(g.sum(), [x, v])
    same(gv, np.exp(values(x)))
    same(gx, np.exp(values(x)) * values(v))


# ---------------------------------------------------------------- grad mode


def test_no_grad_records_nothing():
    x = leaf()
    with fg.no_grad():
        assert not fg.is_grad_enabled()
        y = x * 2
        assert not y.requires_grad and y.is_leaf and x.requires_grad
        assert fg.tensor([1.0], requires_grad=True).requires_grad
        with fg.enable_grad():
            assert fg.is_grad_enabled() and (x * 2).requires_grad
        assert not fg.is_grad_enabled()
    assert fg.is_grad_enabled()


@pytest.mark.parametrize("decorate", [fg.no_grad(), fg.no_grad], ids=["called", "bare"])
def test_no_grad_decorates_functions(decorate):
    @decorate
    def double(x, *, by=2):
        """Doubled."""
        return x * by

    assert not double(leaf()).requires_grad and not double(leaf(), by=3).requires_grad
    assert fg.is_grad_enabled() and double.__name__ == "double" and double.__doc__ == "Doubled."


def test_decorated_recursion_restores_the_mode_at_each_level():
    modes = []

    @fg.no_grad()
    def descend(n):
        modes.append(fg.is_grad_enabled())
        if n:
            with fg.enable_grad():
                descend(n - 1)
                modes.append(fg.is_grad_enabled())

    descend(2)
    assert modes == [False, False, False, True, True] and fg.is_grad_enabled()


def test_set_grad_enabled_as_function_context_and_decorator():
    fg.set_grad_enabled(False)
    assert not fg.is_grad_enabled()
    fg.set_grad_enabled(True)
    assert fg.is_grad_enabled()
    with fg.set_grad_enabled(False):
        assert not fg.is_grad_enabled()
    assert fg.is_grad_enabled()

    @fg.set_grad_enabled(False)
    def mode():
        return fg.is_grad_enabled()

    assert fg.is_grad_enabled() and mode() is False and fg.is_grad_enabled()


def test_the_mode_is_restored_after_an_exception():
    with pytest.raises(KeyError), fg.no_grad():
        raise KeyError
    assert fg.is_grad_enabled()


def test_decorated_generators_run_each_step_in_their_mode():
    @fg.no_grad()
    def steps():
        got = yield fg.is_grad_enabled()
        assert got == "sent"
        try:
            yield fg.is_grad_enabled()
        except ValueError:
            yield "caught", fg.is_grad_enabled()
        return fg.is_grad_enabled()

    running = steps()
    assert next(running) is False and fg.is_grad_enabled()
    assert running.send("sent") is False and fg.is_grad_enabled()
    assert running.throw(ValueError) == ("caught", False) and fg.is_grad_enabled()
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value is False and fg.is_grad_enabled()


def test_a_decorated_generator_is_closed_in_its_mode():
    seen = []

    @fg.no_grad()
    def steps():
        try:
            yield 1
        finally:
            seen.append(fg.is_grad_enabled())

    running = steps()
    next(running)
    running.close()
    assert seen == [False] and fg.is_grad_enabled()


def test_grad_mode_is_per_thread():
    inside, leave = threading.Event(), threading.Event()
    modes = {}

    def off():
        with fg.no_grad():
            inside.set()
            leave.wait(30)
            modes["off"] = fg.is_grad_enabled()

    def fresh():
        modes["fresh"] = fg.is_grad_enabled()

    worker = threading.Thread(target=off)
    worker.start()
    assert inside.wait(30) and fg.is_grad_enabled() and (leaf() * 2).requires_grad
    with fg.no_grad():
        other = threading.Thread(target=fresh)
        other.start()
        other.join()
    leave.set()
    worker.join()
    assert modes == {"off": False, "fresh": True}


def test_backward_under_no_grad_still_differentiates():
    x = leaf()
    y = (x * x).sum()
    with fg.no_grad():
        y.backward()
    same(x.grad, [2, 4, 6])


# ---------------------------------------------------------------- detach, clone, data


def test_detach_shares_memory_and_not_the_graph():
    x = leaf()
    y = x * 2
    d = y.detach()
    assert not d.requires_grad and d.grad_fn is None and d.is_leaf and y.requires_grad
    assert np.shares_memory(d.numpy(), values(y))
    (d * x).sum().backward()
    same(x.grad, [2, 4, 6])


def test_clone_copies_and_keeps_the_graph():
    x = leaf()
    y = x.clone()
    assert y.requires_grad and not y.is_leaf and not np.shares_memory(values(y), values(x))
    (y * y).sum().backward()
    same(x.grad, [2, 4, 6])
    assert not fg.tensor([1.0]).clone().requires_grad


def test_tensor_copies_and_from_numpy_and_asarray_share():
    a = np.array([1.0, 2.0])
    copied, shared, viewed = fg.tensor(a), fg.from_numpy(a), fg.asarray(a)
    a[0] = 5
    assert copied.tolist() == [1, 2] and shared.tolist() == [5, 2] and viewed.tolist() == [5, 2]
    assert fg.asarray(a, copy=True).numpy() is not a
    assert not np.shares_memory(fg.asarray(a, copy=True).numpy(), a)


@pytest.mark.parametrize("make", ["zeros", "ones", "empty", "zeros_like", "ones_like", "empty_like", "eye"])
def test_creation_functions_make_leaves(make):
    argument = fg.tensor([1.0, 2.0]) if make.endswith("_like") else 2
    x = getattr(fg, make)(argument, dtype="float32", requires_grad=True)
    assert x.requires_grad and x.is_leaf and x.dtype == np.float32 and x.shape[0] == 2
    assert not getattr(fg, make)(argument).requires_grad


def test_numpy_shares_memory_and_refuses_what_requires_grad():
    t = fg.tensor([1.0, 2.0])
    t.numpy()[0] = 9
    assert t.tolist() == [9, 2]
    for t in (leaf(), leaf() * 2):
        with pytest.raises(RuntimeError, match="detach"):
            t.numpy()
        with pytest.raises(RuntimeError, match="detach"):
            np.asarray(t)


# ---------------------------------------------------------------- retain_grad and hooks


def test_retain_grad_keeps_the_gradient_of_an_intermediate_value():
    x = leaf()
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * y).sum().backward()
    same(y.grad, [4, 8, 12])
    same(x.grad, [8, 16, 24])
    x.retain_grad()
    assert not x.retains_grad, "a leaf keeps its gradient anyway"


def test_hooks_see_the_complete_gradient_and_may_replace_it():
    x = leaf()
    y = x * 1
    seen = []
    y.register_hook(lambda g: seen.append(values(g).copy()))
    y.register_hook(lambda g: g * 2)
    y.register_hook(lambda g: seen.append(values(g).copy()))
    (y * 3 + y * y).sum().backward()
    np.testing.assert_allclose(seen, [[5, 7, 9], [10, 14, 18]])
    same(x.grad, [10, 14, 18])


def test_hooks_of_leaves_run_before_accumulation():
    x = leaf()
    x.register_hook(lambda g: -g)
    (x * 2 + x).sum().backward()
    (x * 2 + x).sum().backward()
    same(x.grad, [-6, -6, -6])


def test_a_hook_can_be_removed():
    x = leaf()
    handle = x.register_hook(lambda g: g * 100)
    x.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    x.sum().backward()
    same(x.grad, [2, 2, 2])


def test_retain_grad_sees_what_hooks_made():
    x = leaf()
    y = x * 1
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    y.sum().backward()
    same(y.grad, [5, 5, 5])


def test_hooks_run_for_autograd_grad_and_record_under_create_graph():
    x = leaf()
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = fg.autograd.grad(y.sum(), x, create_graph=True)
    same(g, 2 * values(x) ** 2)
    (gg,) = fg.autograd.grad(g.sum(), x)
    same(gg, 4 * values(x))


def test_hooks_of_an_unused_tensor_do_not_run():
    x = leaf()
    calls = []
    y = x * 2
    y.register_hook(calls.append)
    (x * 3).sum().backward()
    assert calls == []


def test_hooks_off_the_way_to_inputs_do_not_run():
    x, y = leaf(), leaf()
    calls = []
    y.register_hook(calls.append)
    (x * y).sum().backward(inputs=[x])
    assert calls == []


def test_an_exception_in_a_hook_leaves_everything_usable():
    x = leaf()
    y = x * x

    def fail(g):
        raise KeyError("from the hook")

    handle = y.register_hook(fail)
    with pytest.raises(KeyError, match="from the hook"):
        y.sum().backward(retain_graph=True)
    assert x.grad is None and fg.is_grad_enabled()
    handle.remove()
    y.sum().backward()
    same(x.grad, [2, 4, 6])


@pytest.mark.parametrize(
    ("hook", "error"), [(lambda g: 3.0, TypeError), (lambda g: fg.tensor([1.0]), RuntimeError)], ids=["type", "shape"]
)
def test_hooks_must_return_a_gradient(hook, error):
    x = leaf()
    y = x * 2
    y.register_hook(hook)
    with pytest.raises(error, match="hook"):
        y.sum().backward()
    assert x.grad is None


def test_backward_inside_a_hook():
    x, w = leaf(2.0), leaf(3.0)
    y = x * x

    def hook(g):
        assert not fg.is_grad_enabled(), "backward without create_graph runs with gradients off"
        with fg.enable_grad():
            (w * w).backward()

    y.register_hook(hook)
    y.backward()
    same(x.grad, 4.0)
    same(w.grad, 6.0)


def test_a_python_scalar_is_weak_to_any_operation(register):
    """Structural rows too: NumPy decides what it makes of the scalar that was written."""
    halved = register(
        "halved", lambda x, y: np.multiply(x, y), "x, y", vjp=(lambda g, out, x, y: g * y, None), saves="y"
    )
    x = fg.tensor(np.ones(3, np.float32), requires_grad=True)
    out = halved(x, 0.5)
    assert out.dtype == np.float32
    out.sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [0.5] * 3
    assert halved(2.0, x).dtype == np.float32
