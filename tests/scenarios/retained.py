"""Gradients kept for inner tensors (retain_grad), hooks after accumulation, and the order of all hooks."""

from . import scenario
from .hooks import note

# ---------------------------------------------------------------- retain_grad


@scenario
def retain_grad_of_an_inner_tensor(m):
    x = m.leaf(1, 2)
    y = x * 3
    before = y.retains_grad
    y.retain_grad()
    (y * y).sum().backward()
    return [before, y.retains_grad, y.grad]


@scenario
def retain_grad_of_a_leaf_does_nothing(m):
    x = m.leaf(1, 2)
    x.retain_grad()
    (x * 2).sum().backward()
    return [x.retains_grad, x.grad]


@scenario
def retain_grad_of_a_constant(m):
    m.const(1).retain_grad()


@scenario
def retain_grad_accumulates(m):
    x = m.leaf(1, 2)
    y = x * 3
    y.retain_grad()
    z = y.sum()
    z.backward(retain_graph=True)
    z.backward()
    return [y.grad, x.grad]


@scenario
def retain_grad_twice_is_once(m):
    x = m.leaf(1, 2)
    y = x * 3
    y.retain_grad()
    y.retain_grad()
    y.sum().backward()
    return y.grad


@scenario
def retain_grad_sees_what_hooks_registered_before_made(m):
    x = m.leaf(1, 2)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.sum().backward()
    return [y.grad, x.grad]


@scenario
def retain_grad_sees_what_hooks_registered_after_made(m):
    x = m.leaf(1, 2)
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    return [y.grad, x.grad]


@scenario
def retain_grad_moves_with_a_write(m):
    x = m.leaf(1, 2)
    y = x * 1
    y.retain_grad()
    y.mul_(5)
    y.sum().backward()
    return [y.grad, x.grad]


@scenario
def retain_grad_after_a_write(m):
    x = m.leaf(1, 2)
    y = x * 1
    y.mul_(5)
    y.retain_grad()
    (y * 2).sum().backward()
    return [y.grad, x.grad]


@scenario
def retain_grad_and_hooks_around_a_write(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 1
    y.retain_grad()
    y.register_hook(note(seen, "before", lambda g: g * 2))
    y.mul_(5)
    y.register_hook(note(seen, "after", lambda g: g * 3))
    y.sum().backward()
    return [seen, y.grad, x.grad]


@scenario
def retain_grad_of_a_base_written_through_a_view(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    y.retain_grad()
    y[1:].mul_(5)
    (y * 2).sum().backward()
    return [y.grad, x.grad]


@scenario
def retain_grad_of_a_written_view(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    v.retain_grad()
    v.mul_(5)
    (v * 2).sum().backward()
    return [v.grad, x.grad]


@scenario
def retain_grad_of_a_result_of_several(m):
    x = m.leaf(1, 2, 3, 4)
    a, b = m.halves(x)
    b.retain_grad()
    (a * 2 + b * 3).sum().backward()
    return [b.grad, x.grad]


@scenario
def retain_grad_with_create_graph(m):
    x = m.leaf(1, 2)
    y = x * x
    y.retain_grad()
    (y * y).sum().backward(create_graph=True)
    flag = y.grad.requires_grad
    grad = y.grad.detach().clone()
    x.grad = y.grad = None
    return [flag, grad]


@scenario
def retain_grad_is_not_filled_by_grad(m):
    x = m.leaf(1, 2)
    y = x * 3
    y.retain_grad()
    m.grad(y.sum(), x)
    return y.grad


@scenario
def retain_grad_under_inputs(m):
    x = m.leaf(1, 2)
    y = x * 3
    y.retain_grad()
    y.sum().backward(inputs=[x])
    return [y.grad, x.grad]


@scenario
def retain_grad_of_what_the_run_starts_at(m):
    x = m.leaf(1, 2)
    y = x.sum()
    y.retain_grad()
    y.backward()
    return [y.grad, x.grad]


# ---------------------------------------------------------------- after accumulation


@scenario
def a_post_hook_sees_the_accumulated_leaf(m):
    seen, x = [], m.leaf(1, 2)
    x.register_post_accumulate_grad_hook(lambda p: seen.append([p is x, p.grad.tolist()]))
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    return seen


@scenario
def a_post_hook_may_clear_the_gradient(m):
    seen, x = [], m.leaf(1, 2)

    def step(p):
        seen.append(p.grad.tolist())
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    return [seen, x.grad]


@scenario
def a_post_hook_may_step_the_leaf(m):
    x = m.leaf(1, 2)

    def step(p):
        with m.no_grad():
            p.sub_(p.grad * 0.5)

    x.register_post_accumulate_grad_hook(step)
    (x * 2).sum().backward()
    return x


@scenario
def post_hooks_run_in_order(m):
    seen, x = [], m.leaf(1, 2)
    x.register_post_accumulate_grad_hook(lambda p: seen.append("a"))
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append("b"))
    x.register_post_accumulate_grad_hook(lambda p: seen.append("c"))
    x.sum().backward()
    handle.remove()
    x.sum().backward()
    return seen


@scenario
def a_post_hook_must_give_none(m):
    x = m.leaf(1, 2)
    x.register_post_accumulate_grad_hook(lambda p: p.grad)
    x.sum().backward()


@scenario
def a_post_hook_on_an_inner_tensor(m):
    (m.leaf(1, 2) * 2).register_post_accumulate_grad_hook(lambda p: None)


@scenario
def a_post_hook_on_a_constant(m):
    m.const(1, 2).register_post_accumulate_grad_hook(lambda p: None)


@scenario
def a_post_hook_is_not_run_by_grad(m):
    seen, x = [], m.leaf(1, 2)
    x.register_post_accumulate_grad_hook(lambda p: seen.append("post"))
    got = m.grad(x.sum(), x)
    return [seen, got]


@scenario
def a_post_hook_with_inputs(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    x.register_post_accumulate_grad_hook(lambda p: seen.append("x"))
    w.register_post_accumulate_grad_hook(lambda p: seen.append("w"))
    (x * w).sum().backward(inputs=[w])
    return [seen, x.grad, w.grad]


@scenario
def a_post_hook_that_raises(m):
    x = m.leaf(1, 2)

    def fail(p):
        raise LookupError

    handle = x.register_post_accumulate_grad_hook(fail)
    first = m.attempt(x.sum().backward)
    handle.remove()
    x.sum().backward()
    return [first, x.grad]


@scenario
def all_hooks_of_a_leaf_in_order(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2
    accumulator = y.grad_fn.next_functions[0][0]
    x.register_post_accumulate_grad_hook(lambda p: seen.append(["post", p.grad.tolist()]))
    accumulator.register_hook(lambda gi, go: seen.append(["node", x.grad is not None]))
    accumulator.register_prehook(lambda go: seen.append(["pre", x.grad is None]))
    x.register_hook(lambda g: seen.append(["tensor", x.grad is None]))
    y.sum().backward()
    return seen


@scenario
def all_hooks_of_an_inner_tensor_in_order(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: seen.append(["node", y.grad is not None]))
    y.grad_fn.register_prehook(lambda go: seen.append(["pre", y.grad is None]))
    y.retain_grad()
    y.register_hook(lambda g: seen.append(["tensor", y.grad is None]))
    y.sum().backward()
    return seen


@scenario
def order_in_which_hooks_of_a_graph_run(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    a = x * w
    b = a.exp()
    c = a.sin()
    d = (b * c).sum()
    for name, t in {"a": a, "b": b, "c": c, "d": d, "w": w, "x": x}.items():
        t.register_hook(lambda g, name=name: seen.append(name))
    d.backward()
    return seen


@scenario
def hooks_on_detached_tensors_are_separate(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2
    y.register_hook(note(seen, "y"))
    d = y.detach().requires_grad_()
    d.register_hook(note(seen, "d"))
    d.sum().backward()
    return seen


@scenario
def a_hook_on_a_leaf_whose_requires_grad_is_turned_off(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    x.register_hook(note(seen, "x"))
    x.requires_grad_(False)
    (x * w).sum().backward()
    x.requires_grad_(True)
    (x * w).sum().backward()
    return [seen, x.grad]
