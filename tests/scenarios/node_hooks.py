"""Hooks and prehooks of nodes: what they see, what they replace, their order, their removal."""

from . import scenario


@scenario
def a_node_hook_sees_gradients_of_inputs_and_outputs(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    y.grad_fn.register_hook(lambda gi, go: seen.append([gi, go]))
    (y * y).sum().backward()
    return seen


@scenario
def a_node_hook_sees_tuples(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    y.grad_fn.register_hook(lambda gi, go: seen.append([type(gi).__name__, type(go).__name__, len(gi), len(go)]))
    y.sum().backward()
    return seen


@scenario
def a_node_hook_replaces_gradients_of_inputs(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 0 + 7,))
    y.sum().backward()
    return x.grad


@scenario
def a_node_hook_replaces_with_none(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (None,))
    y.sum().backward()
    return x.grad


@scenario
def node_hooks_chain(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_hook(lambda gi, go: (gi[0] + 1,))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 10,))
    y.sum().backward()
    return x.grad


@scenario
def a_node_hook_gives_too_few(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = x * w
    y.grad_fn.register_hook(lambda gi, go: (gi[0],))
    y.sum().backward()


@scenario
def a_node_hook_gives_a_bare_tensor(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: gi[0] * 2)
    y.sum().backward()
    return x.grad


@scenario
def a_node_hook_gives_another_shape(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (m.const(1, 2, 3),))
    y.sum().backward()


@scenario
def a_node_hook_gives_a_number(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (2.0,))
    y.sum().backward()


@scenario
def a_node_hook_sees_none_for_constants(m):
    seen, x, c = [], m.leaf(1, 2), m.const(3, 4)
    y = c * x
    y.grad_fn.register_hook(lambda gi, go: seen.append(gi))
    y.sum().backward()
    return seen


@scenario
def a_node_hook_fills_in_for_a_constant(m):
    x, c = m.leaf(1, 2), m.const(3, 4)
    y = c * x
    y.grad_fn.register_hook(lambda gi, go: (m.const(1, 1), gi[1]))
    y.sum().backward()
    return x.grad


@scenario
def removing_a_node_hook(m):
    x = m.leaf(1, 2)
    y = x.exp()
    handle = y.grad_fn.register_hook(lambda gi, go: (gi[0] * 0,))
    handle.remove()
    y.sum().backward()
    return x.grad


@scenario
def removing_a_node_hook_while_running(m):
    seen, x, handles = [], m.leaf(1, 2), []
    y = x.exp()
    handles.append(y.grad_fn.register_hook(lambda gi, go: (seen.append("a"), handles[0].remove())[0]))
    y.grad_fn.register_hook(lambda gi, go: seen.append("b"))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    return seen


@scenario
def removing_a_later_node_hook_while_running(m):
    seen, x, handles = [], m.leaf(1, 2), []
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (seen.append("a"), handles[0].remove())[0])
    handles.append(y.grad_fn.register_hook(lambda gi, go: seen.append("b")))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    return seen


@scenario
def an_exception_in_a_node_hook(m):
    x = m.leaf(1, 2)
    y = x.exp()

    def fail(gi, go):
        raise KeyError("mine")

    y.grad_fn.register_hook(fail)
    y.sum().backward()


@scenario
def an_exception_in_a_prehook(m):
    x = m.leaf(1, 2)
    y = x.exp()

    def fail(go):
        raise KeyError("mine")

    y.grad_fn.register_prehook(fail)
    error = m.attempt(y.sum().backward)
    return [error, x.grad]


@scenario
def a_prehook_sees_gradients_of_outputs(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 3
    y.grad_fn.register_prehook(lambda go: seen.append([type(go).__name__, go]))
    (y * y).sum().backward()
    return seen


@scenario
def a_prehook_replaces_gradients_of_outputs(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.sum().backward()
    return x.grad


@scenario
def prehooks_chain(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_prehook(lambda go: (go[0] + 1,))
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.sum().backward()
    return x.grad


@scenario
def a_prehook_gives_too_many(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_prehook(lambda go: (go[0], go[0]))
    y.sum().backward()


@scenario
def a_prehook_gives_none_inside(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_prehook(lambda go: (None,))
    y.sum().backward()
    return x.grad


@scenario
def removing_a_prehook(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_prehook(lambda go: (go[0] * 0,)).remove()
    y.sum().backward()
    return x.grad


@scenario
def prehooks_of_a_freed_node(m):
    seen, x = [], m.leaf(1, 2)
    y = x.exp()
    y.sum().backward()
    y.register_hook(lambda g: seen.append("tensor"))
    y.grad_fn.register_prehook(lambda go: seen.append("pre"))
    y.grad_fn.register_hook(lambda gi, go: seen.append("hook"))
    return [m.attempt(y.sum().backward), seen]


@scenario
def a_node_hook_sees_what_a_prehook_made(m):
    seen, x = [], m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_hook(lambda gi, go: seen.append([gi, go]))
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.sum().backward()
    return seen


@scenario
def retained_gradients_see_what_prehooks_made(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.retain_grad()
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.sum().backward()
    return [y.grad, x.grad]


@scenario
def captures_see_what_prehooks_made(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    return m.grad(y.sum(), y)


@scenario
def captures_and_node_hooks(m):
    seen, x = [], m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_hook(lambda gi, go: seen.append("hook"))
    y.grad_fn.register_prehook(lambda go: seen.append("pre"))
    got = m.grad((y * 2).sum(), y)
    return [seen, got]


@scenario
def captures_at_a_node_and_beyond(m):
    seen, x = [], m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_hook(lambda gi, go: seen.append("hook"))
    y.grad_fn.register_prehook(lambda go: seen.append("pre"))
    got = m.grad((y * 2).sum(), [y, x])
    return [seen, got]


@scenario
def hooks_of_an_accumulator(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2
    accumulator = y.grad_fn.next_functions[0][0]
    accumulator.register_hook(lambda gi, go: seen.append([gi, go]))
    y.sum().backward()
    return seen


@scenario
def a_prehook_of_an_accumulator_replaces(m):
    x = m.leaf(1, 2)
    y = x * 2
    accumulator = y.grad_fn.next_functions[0][0]
    accumulator.register_prehook(lambda go: (go[0] * 10,))
    y.sum().backward()
    return x.grad


@scenario
def hooks_of_an_accumulator_die_with_it(m):
    seen, x = [], m.leaf(1, 2)
    (x * 2).grad_fn.next_functions[0][0].register_hook(lambda gi, go: seen.append("hook"))
    (x * 2).sum().backward()
    return seen


@scenario
def hooks_of_an_accumulator_live_while_it_is_kept(m):
    seen, x = [], m.leaf(1, 2)
    accumulator = (x * 2).grad_fn.next_functions[0][0]
    accumulator.register_hook(lambda gi, go: seen.append("hook"))
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    return [seen, m.name(accumulator)]


@scenario
def hooks_of_an_accumulator_under_grad(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2
    accumulator = y.grad_fn.next_functions[0][0]
    accumulator.register_hook(lambda gi, go: seen.append("hook"))
    accumulator.register_prehook(lambda go: seen.append("pre"))
    m.grad(y.sum(), x)
    return seen


@scenario
def hooks_under_backward_with_inputs(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    y, z = x.clone(), w.clone()
    y.grad_fn.register_hook(lambda gi, go: seen.append("y"))
    z.grad_fn.register_hook(lambda gi, go: seen.append("z"))
    (y * z).sum().backward(inputs=[x])
    return [seen, x.grad, w.grad]


@scenario
def node_hooks_stay_with_their_node_after_a_write(m):
    seen, x = [], m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_hook(lambda gi, go: seen.append(["clone", go[0].tolist()]))
    y.mul_(5)
    y.grad_fn.register_hook(lambda gi, go: seen.append(["mul", go[0].tolist()]))
    y.sum().backward()
    return [seen, x.grad]


@scenario
def node_hooks_with_create_graph(m):
    seen, x = [], m.leaf(1, 2)
    y = x * x
    y.grad_fn.register_hook(lambda gi, go: seen.append([g.requires_grad for g in gi + go]))
    (g,) = m.grad((y * y).sum(), x, create_graph=True)
    return [seen, g.detach()]


@scenario
def node_hooks_run_at_each_backward(m):
    seen, x = [], m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_hook(lambda gi, go: seen.append("hook"))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    return [seen, x.grad]


@scenario
def the_order_of_everything(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2
    y.retain_grad()
    y.grad_fn.register_hook(lambda gi, go: seen.append("node hook 1"))
    y.grad_fn.register_prehook(lambda go: seen.append("prehook 1"))
    y.register_hook(lambda g: seen.append("tensor hook 1"))
    y.grad_fn.register_hook(lambda gi, go: seen.append("node hook 2"))
    y.grad_fn.register_prehook(lambda go: seen.append("prehook 2"))
    y.register_hook(lambda g: seen.append("tensor hook 2"))
    x.register_hook(lambda g: seen.append("leaf hook"))
    x.register_post_accumulate_grad_hook(lambda p: seen.append("after"))
    y.sum().backward()
    return seen


@scenario
def a_node_hook_of_a_function(m):
    class Twice(m.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * 2, b * 3

        @staticmethod
        def backward(ctx, ga, gb):
            return ga * 2, gb * 3

    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    a, b = Twice.apply(x, w)
    a.grad_fn.register_hook(lambda gi, go: seen.append([gi, go]))
    a.grad_fn.register_prehook(lambda go: (go[0] * 10, go[1]))
    (a + b).sum().backward()
    return [seen, x.grad, w.grad]


@scenario
def a_node_hook_of_the_root(m):
    seen, x = [], m.leaf(1, 2)
    y = x.sum()
    y.grad_fn.register_prehook(lambda go: (go[0] * 7,))
    y.grad_fn.register_hook(lambda gi, go: seen.append([gi, go]))
    y.backward()
    return [seen, x.grad]


@scenario
def a_node_hook_broadcasts_a_gradient(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (m.tensor([5.0]),))
    y.sum().backward()
    return x.grad


@scenario
def a_node_hook_is_called_although_the_gradient_is_undefined(m):
    class Nothing(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a.clone()

        @staticmethod
        def backward(ctx, g):
            return None

    seen, x = [], m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: seen.append([gi, go]))
    Nothing.apply(y).sum().backward()
    return [seen, x.grad]


@scenario
def hooks_of_a_tensor_that_gets_an_undefined_gradient(m):
    class Nothing(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a.clone()

        @staticmethod
        def backward(ctx, g):
            return None

    seen, x = [], m.leaf(1, 2)
    y = x.exp()
    y.register_hook(lambda g: seen.append("y"))
    x.register_hook(lambda g: seen.append("x"))
    y.retain_grad()
    Nothing.apply(y).sum().backward()
    return [seen, x.grad, y.grad]


@scenario
def a_prehook_of_a_node_that_gets_an_undefined_gradient(m):
    class Nothing(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a.clone()

        @staticmethod
        def backward(ctx, g):
            return None

    seen, x = [], m.leaf(1, 2)
    y = x.clone()
    y.grad_fn.register_prehook(lambda go: (seen.append(go[0] is None), (m.const(3, 4),))[1])
    Nothing.apply(y).sum().backward()
    return [seen, x.grad]
