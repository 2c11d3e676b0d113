"""Hooks of tensors: order, replacement, removal, leaves, writing in place."""

from . import scenario


def note(events, text, result=None):
    """A hook that notes `text`, and gives what `result` makes of the gradient."""

    def hook(g):
        events.append([text, g.tolist()])
        return None if result is None else result(g)

    return hook


@scenario
def a_hook_sees_the_gradient(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    y.register_hook(note(seen, "y"))
    (y * y).sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_replaces_the_gradient(m):
    x = m.leaf(1, 2)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    return x.grad


@scenario
def hooks_run_in_the_order_of_registration(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    y.register_hook(note(seen, "first", lambda g: g + 1))
    y.register_hook(note(seen, "second", lambda g: g * 2))
    y.register_hook(note(seen, "third"))
    y.sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_on_a_leaf(m):
    seen, x = [], m.leaf(1, 2)
    x.register_hook(note(seen, "x", lambda g: g * 2))
    (x * 3).sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_on_a_leaf_sees_the_sum_of_all_uses(m):
    seen, x = [], m.leaf(1, 2)
    x.register_hook(note(seen, "x"))
    (x * 3 + x.exp() * 0 + x).sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_on_a_leaf_runs_at_each_backward(m):
    seen, x = [], m.leaf(1, 2)
    x.register_hook(note(seen, "x", lambda g: g * 2))
    (x * 3).sum().backward()
    (x * 5).sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_sees_the_complete_cotangent_once(m):
    seen, x = [], m.leaf(1, 2)
    y = x.clone()
    y.register_hook(note(seen, "y"))
    (y * 2 + y * 3 + y.exp() * 0).sum().backward()
    return seen


@scenario
def removing_a_hook(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    handle = y.register_hook(note(seen, "y"))
    handle.remove()
    handle.remove()
    y.sum().backward()
    return [seen, x.grad]


@scenario
def removing_one_of_several(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    y.register_hook(note(seen, "a"))
    handle = y.register_hook(note(seen, "b", lambda g: g * 100))
    y.register_hook(note(seen, "c"))
    handle.remove()
    y.sum().backward()
    return [seen, x.grad]


@scenario
def a_handle_as_context_manager(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    with y.register_hook(note(seen, "y")):
        y.sum().backward(retain_graph=True)
    y.sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_removes_itself_while_running(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    handles = []

    def once(g):
        seen.append("once")
        handles[0].remove()

    handles.append(y.register_hook(once))
    y.register_hook(note(seen, "after"))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    return seen


@scenario
def a_hook_removes_a_later_one_while_running(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    handles = []
    y.register_hook(lambda g: (seen.append("first"), handles[0].remove())[0])
    handles.append(y.register_hook(note(seen, "removed")))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    return seen


@scenario
def a_hook_adds_another_while_running(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3

    def add(g):
        seen.append("first")
        if len(seen) == 1:
            y.register_hook(note(seen, "added"))

    y.register_hook(add)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    return seen


@scenario
def a_hook_on_a_leaf_removed_between_runs(m):
    x = m.leaf(1, 2)
    handle = x.register_hook(lambda g: g * 10)
    x.sum().backward()
    handle.remove()
    x.sum().backward()
    return x.grad


@scenario
def a_hook_registered_twice_runs_twice(m):
    x = m.leaf(1, 2)
    y = x * 1

    def double(g):
        return g * 2

    y.register_hook(double)
    y.register_hook(double)
    y.sum().backward()
    return x.grad


@scenario
def a_hook_on_a_constant(m):
    m.const(1, 2).register_hook(lambda g: g)


@scenario
def a_hook_under_no_grad(m):
    x = m.leaf(1, 2)
    with m.no_grad():
        x.register_hook(lambda g: g * 2)
    x.sum().backward()
    return x.grad


@scenario
def a_hook_runs_with_grad_mode_off(m):
    modes, x = [], m.leaf(1, 2)
    y = x * 3
    y.register_hook(lambda g: modes.append([m.is_grad_enabled(), g.requires_grad]))
    y.sum().backward()
    return modes


@scenario
def a_hook_runs_with_grad_mode_on_when_creating_a_graph(m):
    modes, x = [], m.leaf(1, 2)
    y = x * x
    y.register_hook(lambda g: modes.append([m.is_grad_enabled(), g.requires_grad]))
    m.grad((y * y).sum(), x, create_graph=True)
    return modes


@scenario
def a_hook_within_create_graph_is_differentiated(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: g * g)
    (first,) = m.grad((y * y).sum(), x, create_graph=True)
    (second,) = m.grad(first.sum(), x)
    return [first.detach(), second]


@scenario
def a_hook_gives_another_shape(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: m.const(1, 2, 3))
    y.sum().backward()


@scenario
def a_hook_gives_another_dtype(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: m.tensor([1.0, 2.0], dtype=m.float32))
    y.sum().backward()


@scenario
def a_hook_gives_no_tensor(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: 3.0)
    y.sum().backward()


@scenario
def an_exception_in_a_hook_keeps_its_type(m):
    x = m.leaf(1, 2)
    y = x * 2

    def fail(g):
        raise KeyError("mine")

    y.register_hook(fail)
    y.sum().backward()


@scenario
def all_is_usable_after_an_exception_in_a_hook(m):
    x = m.leaf(1, 2)
    y = x * 2

    def fail(g):
        raise ZeroDivisionError

    handle = y.register_hook(fail)
    z = (y * y).sum()
    first = m.attempt(z.backward, retain_graph=True)
    handle.remove()
    z.backward()
    return [first, x.grad, m.is_grad_enabled()]


@scenario
def later_hooks_do_not_run_after_an_exception(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2

    def fail(g):
        seen.append("fail")
        raise ValueError

    y.register_hook(fail)
    y.register_hook(note(seen, "later"))
    x.register_hook(note(seen, "leaf"))
    error = m.attempt(y.sum().backward)
    return [seen, error, x.grad]


@scenario
def a_hook_may_write_to_what_it_gives(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: g.clone().mul_(5))
    y.sum().backward()
    return x.grad


@scenario
def a_hook_must_be_callable(m):
    x = m.leaf(1, 2)
    x.register_hook(3)
    x.sum().backward()


@scenario
def hooks_with_inputs_capture_what_hooks_made(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    return m.grad((y * 3).sum(), y)


@scenario
def hooks_of_results_of_one_node_in_order_of_registration(m):
    seen, x = [], m.leaf(1, 2, 3, 4)
    a, b = m.halves(x)
    b.register_hook(note(seen, "b first"))
    a.register_hook(note(seen, "a"))
    b.register_hook(note(seen, "b again"))
    (a * b).sum().backward()
    return seen


@scenario
def hooks_where_a_run_starts_and_leads_nowhere(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    y = (x * 2).sum()
    y.register_hook(note(seen, "y"))
    y.grad_fn.register_prehook(lambda go: seen.append("pre"))
    y.retain_grad()
    x.register_hook(note(seen, "x"))
    return [m.grad(y, w, allow_unused=True), seen, y.grad, y.backward(inputs=[w]), seen, y.grad]


@scenario
def captures_on_the_way_are_without_hooks(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    z = (y * 3).sum()
    return [m.grad(z, [y, x], retain_graph=True), m.grad(z, y, retain_graph=True), m.grad(z, [y, x])]


@scenario
def captures_of_one_of_several_results(m):
    seen, x = [], m.leaf(1, 2, 3, 4)
    a, b = m.halves(x)
    a.register_hook(lambda g: seen.append(g))
    b.register_hook(lambda g: g * 10)
    return [m.grad((b * 3).sum(), b), seen]


@scenario
def grad_runs_hooks_of_leaves(m):
    seen, x = [], m.leaf(1, 2)
    x.register_hook(note(seen, "x", lambda g: g * 10))
    got = m.grad((x * 3).sum(), x)
    return [seen, got, x.grad]


@scenario
def grad_does_not_run_hooks_that_it_does_not_pass(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    y = w.exp()
    y.register_hook(note(seen, "y"))
    w.register_hook(note(seen, "w"))
    m.grad((x * y).sum(), x)
    return seen


# ---------------------------------------------------------------- writing in place


@scenario
def a_hook_stays_with_the_old_node(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 1
    y.register_hook(note(seen, "y"))
    y.mul_(5)
    y.sum().backward()
    return [seen, x.grad]


@scenario
def hooks_before_and_after_a_write(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 1
    y.register_hook(note(seen, "before", lambda g: g * 2))
    y.mul_(5)
    y.register_hook(note(seen, "after", lambda g: g * 3))
    y.sum().backward()
    return [seen, x.grad]


@scenario
def hooks_around_two_writes(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 1
    for i in range(3):
        y.register_hook(note(seen, i))
        y.mul_(i + 2)
    y.sum().backward()
    return [seen, x.grad]


@scenario
def removing_a_hook_after_a_write(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 1
    handle = y.register_hook(note(seen, "before"))
    y.mul_(5)
    y.register_hook(note(seen, "after"))
    handle.remove()
    y.sum().backward()
    return seen


@scenario
def a_hook_on_a_base_written_through_a_view(m):
    seen, x = [], m.leaf(1, 2, 3)
    y = x * 1
    y.register_hook(note(seen, "y"))
    y[1:].mul_(5)
    y.sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_after_a_base_was_written_through_a_view(m):
    seen, x = [], m.leaf(1, 2, 3)
    y = x * 1
    y[1:].mul_(5)
    y.register_hook(note(seen, "y", lambda g: g * 2))
    y.sum().backward()
    return [seen, x.grad]


@scenario(differs="hooks of the value before run")
def a_hook_on_a_view_registered_before_writing_it(m):
    seen, x = [], m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    v.register_hook(note(seen, "v"))
    v.mul_(5)
    (v * 2).sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_on_a_view_registered_after_writing_it(m):
    seen, x = [], m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    v.mul_(5)
    v.register_hook(note(seen, "v", lambda g: g * 2))
    v.sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_on_a_view_whose_base_was_written(m):
    seen, x = [], m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    y.mul_(5)
    assert v.grad_fn is not None  # PyTorch crashes where the hook is the first to ask
    v.register_hook(note(seen, "v", lambda g: g * 2))
    v.sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_on_a_leaf_made_inner_by_a_write(m):
    seen, x, c = [], m.leaf(1, 2), m.const(0, 0)
    c.copy_(x)
    c.register_hook(note(seen, "c"))
    (c * 2).sum().backward()
    return [seen, x.grad]


@scenario
def a_hook_on_a_leaf_survives_a_write_under_no_grad(m):
    seen, x = [], m.leaf(1, 2)
    x.register_hook(note(seen, "x"))
    with m.no_grad():
        x.mul_(2)
    (x * x).sum().backward()
    return [seen, x.grad]
