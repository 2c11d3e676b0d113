"""backward and grad: inputs, retain_graph, create_graph, unused inputs, freed graphs, errors."""

from . import scenario


@scenario
def of_a_scalar(m):
    x = m.leaf(1, 2)
    return [(x * x).sum().backward(), x.grad]


@scenario
def of_a_vector_without_gradient(m):
    m.leaf(1, 2).exp().backward()


@scenario
def of_one_element(m):
    x = m.leaf(3)
    (x * x).backward()
    return x.grad


@scenario
def of_one_element_of_two_dimensions(m):
    x = m.tensor([[3.0]], requires_grad=True)
    (x * x).backward()
    return x.grad


@scenario
def of_no_elements(m):
    x = m.tensor([], requires_grad=True)
    return [m.attempt((x * 2).backward), m.attempt((x * 2).sum().backward), x.grad]


@scenario
def of_a_constant(m):
    m.const(1).sum().backward()


@scenario
def of_a_leaf(m):
    x = m.scalar(3.0)
    x.backward()
    x.backward(m.tensor(5.0))
    return x.grad


@scenario
def with_a_gradient(m):
    x = m.leaf(1, 2)
    (x * x).backward(m.const(1, 10))
    return x.grad


@scenario
def with_a_gradient_of_another_shape(m):
    x = m.leaf(1, 2)
    y = x * x
    wrong = [m.const(1), m.const(1, 2, 3), m.tensor([[1.0, 2.0]]), m.tensor(1.0)]
    return [m.attempt(y.backward, g) for g in wrong]


@scenario
def with_a_gradient_of_another_dtype(m):
    x = m.leaf(1, 2)
    y = x * x
    y.backward(m.tensor([1.0, 10.0], dtype=m.float32))
    return x.grad


@scenario
def with_a_gradient_that_is_no_tensor(m):
    x = m.leaf(1)
    return m.attempt((x * x).backward, "one")


@scenario
def with_a_complex_gradient_for_a_real_output(m):
    x = m.leaf(1, 2)
    return m.attempt((x * x).backward, m.tensor([1j, 1.0], dtype=m.complex128))


@scenario
def of_a_complex_scalar(m):
    z = m.tensor(1 + 2j, dtype=m.complex128, requires_grad=True)
    return [m.attempt((z * z).backward), m.attempt((z * z).backward, m.tensor(1 + 0j, dtype=m.complex128)), z.grad]


@scenario
def accumulates(m):
    x = m.leaf(1, 2)
    for _ in range(3):
        (x * x).sum().backward()
    return x.grad


@scenario
def of_several_outputs(m):
    x = m.leaf(1, 2)
    m.backward([x.sum(), (x * x).sum()])
    return x.grad


@scenario
def of_several_outputs_with_gradients(m):
    x = m.leaf(1, 2)
    m.backward([x * 2, (x * x).sum()], [m.const(1, 10), None])
    return x.grad


@scenario
def of_several_outputs_with_too_few_gradients(m):
    x = m.leaf(1, 2)
    return m.attempt(m.backward, [x * 2, x * 3], [m.const(1, 10)])


@scenario
def of_several_outputs_without_gradients(m):
    x = m.leaf(1, 2)
    return m.attempt(m.backward, [x * 2, x.sum()])


@scenario
def of_the_same_output_twice(m):
    x = m.leaf(1, 2)
    y = (x * x).sum()
    m.backward([y, y])
    return x.grad


@scenario
def of_outputs_that_depend_on_each_other(m):
    x = m.leaf(1, 2)
    y = (x * x).sum()
    z = y * 3
    m.backward([z, y])
    return x.grad


@scenario
def of_nothing(m):
    return [m.attempt(m.backward, []), m.attempt(m.grad, [], [])]


@scenario
def of_outputs_and_a_constant(m):
    x = m.leaf(1, 2)
    return [m.attempt(m.backward, [x.sum(), m.const(1).sum()]), x.grad]


@scenario
def of_what_is_no_tensor(m):
    return [m.attempt(m.backward, 3.0), m.attempt(m.grad, 3.0, m.leaf(1))]


# ---------------------------------------------------------------- inputs


@scenario
def inputs_alone_are_accumulated(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    (x * w).sum().backward(inputs=[x])
    return [x.grad, w.grad]


@scenario
def inputs_as_one_tensor(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    (x * w).sum().backward(inputs=x)
    return [x.grad, w.grad]


@scenario
def inputs_and_outputs_in_any_iterable(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    named = {"x": x, "w": w}
    got = m.grad((t for t in [(x * w).sum(), x.sum()]), named.values())
    (x * w).sum().backward(inputs=named.values())
    m.backward(iter([x.sum()]), inputs=iter([x]))
    return [got, x.grad, w.grad]


@scenario
def inputs_that_are_inner_tensors(m):
    x = m.leaf(1, 2)
    y = x * 3
    (y * y).sum().backward(inputs=[y])
    return [y.grad, x.grad]


@scenario
def inputs_that_are_inner_and_leaves(m):
    x = m.leaf(1, 2)
    y = x * 3
    (y * y).sum().backward(inputs=[y, x])
    return [y.grad, x.grad]


@scenario
def the_node_of_an_inner_input_runs_too(m):
    seen, x = [], m.leaf(1, 2)
    y = x.sin()
    y.grad_fn.register_hook(lambda gi, go: seen.append([gi, go]))
    x.register_hook(lambda g: seen.append("x"))
    (y * 3).sum().backward(inputs=[y])
    return [seen, y.grad, x.grad, m.attempt(y.sum().backward)]


@scenario
def inputs_that_were_not_used(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    x.sum().backward(inputs=[w])
    return [x.grad, w.grad]


@scenario
def inputs_that_are_constants(m):
    x, c = m.leaf(1, 2), m.const(3, 4)
    return [m.attempt((x * c).sum().backward, inputs=[c])]


@scenario
def no_inputs_at_all(m):
    x = m.leaf(1, 2)
    return [m.attempt(x.sum().backward, inputs=[]), x.grad]


@scenario
def the_same_input_twice(m):
    x = m.leaf(1, 2)
    return [m.attempt(m.grad, (x * x).sum(), [x, x])]


@scenario
def inputs_accumulate(m):
    x = m.leaf(1, 2)
    y = x * 3
    z = (y * y).sum()
    z.backward(inputs=[y], retain_graph=True)
    z.backward(inputs=[y])
    return y.grad


@scenario
def the_output_as_input(m):
    x = m.leaf(1, 2)
    y = x.sum()
    return [m.grad(y, y), m.grad(y, [y, x])]


@scenario
def a_leaf_as_output_and_input(m):
    x = m.scalar(2.0)
    return m.grad(x, x)


# ---------------------------------------------------------------- grad


@scenario
def grad_touches_no_grad(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    got = m.grad((x * w).sum(), [x, w])
    return [type(got).__name__, got, x.grad, w.grad]


@scenario
def grad_with_one_input_is_a_tuple(m):
    x = m.leaf(1, 2)
    return [type(m.grad(x.sum(), x)).__name__, len(m.grad(x.sum(), x))]


@scenario
def grad_with_gradients(m):
    x = m.leaf(1, 2)
    return [
        m.grad(x * x, x, m.const(1, 10)),
        m.grad(x * x, x, [m.const(1, 10)]),
        m.grad([x * x, x.sum()], x, [m.const(1, 10), None]),
    ]


@scenario
def grad_of_an_unused_input(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    return [
        m.attempt(m.grad, x.sum(), [x, w]),
        m.grad(x.sum(), [x, w], allow_unused=True),
        m.grad(x.sum(), [x, w], allow_unused=True, materialize_grads=True),
        m.grad(x.sum(), [x, w], materialize_grads=True),
        m.attempt(m.grad, x.sum(), [x, w], allow_unused=False, materialize_grads=True),
    ]


@scenario
def grad_of_a_constant_input(m):
    x, c = m.leaf(1, 2), m.const(3, 4)
    return [m.attempt(m.grad, (x * c).sum(), c), m.attempt(m.grad, (x * c).sum(), c, allow_unused=True)]


@scenario
def grad_of_a_constant_output(m):
    x = m.leaf(1, 2)
    return [
        m.attempt(m.grad, m.const(1).sum(), x),
        m.attempt(m.grad, m.const(1).sum(), x, allow_unused=True),
    ]


@scenario
def materialized_gradients_of_inner_tensors(m):
    x, w = m.leaf(1, 2), m.tensor([[1.0], [2.0]], requires_grad=True)
    y = w * 2
    return m.grad(x.sum(), [x, w, y], materialize_grads=True)


@scenario
def materialized_gradients_when_creating_a_graph(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    got = m.grad(x.sum(), [x, w], materialize_grads=True, create_graph=True)
    return [g.requires_grad for g in got]


@scenario
def grad_between_inner_tensors(m):
    x = m.leaf(1, 2)
    y = x * 3
    z = y.exp()
    return m.grad((z * y).sum(), [z, y, x])


@scenario
def grad_stops_where_it_need_not_go(m):
    class Loud(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            raise LookupError

    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = Loud.apply(w)
    return [m.grad((x * y).sum(), x, retain_graph=True), m.attempt(m.grad, (x * y).sum(), w)]


@scenario
def grad_keeps_dtype(m):
    x = m.tensor([1.0, 2.0], dtype=m.float32, requires_grad=True)
    w = m.leaf(3, 4)
    return m.grad((x * w).sum(), [x, w])


@scenario
def grad_of_a_broadcast(m):
    x, w = m.leaf(1, 2), m.tensor([[3.0], [4.0]], requires_grad=True)
    s = m.scalar(5.0)
    return m.grad((x * w * s).sum(), [x, w, s])


# ---------------------------------------------------------------- freed graphs


@scenario
def a_second_backward(m):
    x = m.leaf(1, 2)
    y = (x * x).sum()
    y.backward()
    return [m.attempt(y.backward), x.grad]


@scenario
def a_second_backward_of_a_graph_that_saved_nothing(m):
    x = m.leaf(1, 2)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


@scenario
def which_nodes_may_run_again(m):
    makers = [
        lambda x: x.clone(), lambda x: x + x, lambda x: x - 1, lambda x: -x, lambda x: x.reshape(2, 1), lambda x: x * 2,
        lambda x: x * x, lambda x: x.exp(), lambda x: x.sin(), lambda x: x / 2, lambda x: x[0], lambda x: x.T,
        lambda x: x.sum(axis=0), lambda x: x**2, lambda x: x.abs(), lambda x: x.tanh(),
    ]  # fmt: skip
    out = []
    for make in makers:
        x = m.leaf(1, 2)
        y = make(x).sum()
        y.backward()
        out.append(m.attempt(y.backward))
    return out


@scenario(differs="a node that saved nothing runs again")
def a_second_backward_through_a_write_of_a_part(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y[0] = 5.0
    z = y.sum()
    z.backward()
    return [m.attempt(z.backward), x.grad]


@scenario
def a_second_backward_through_a_write_of_the_whole(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.add_(1)
    y.zero_()
    z = (y + x).sum()
    z.backward()
    return [m.attempt(z.backward), x.grad]


@scenario
def retained_then_freed(m):
    x = m.leaf(1, 2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return [m.attempt(y.backward), x.grad]


@scenario
def two_heads_on_one_body(m):
    x = m.leaf(1, 2)
    body = x * x
    a, b = body.sum(), (body * 2).sum()
    a.backward()
    return [m.attempt(b.backward), x.grad]


@scenario
def two_heads_on_a_body_that_saved_nothing(m):
    x = m.leaf(1, 2)
    body = x + 1
    a, b = body.sum(), (body * 2).sum()
    a.backward()
    return [m.attempt(b.backward), x.grad]


@scenario
def only_what_ran_is_freed(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    a, b = x * x, w * w
    y = (a + b).sum()
    m.grad(y, x)
    return [m.attempt(m.grad, y, w), m.attempt(m.grad, y, x)]


@scenario
def grad_up_to_an_inner_tensor_leaves_the_rest(m):
    x = m.leaf(1, 2)
    y = x * x
    z = (y * y).sum()
    m.grad(z, y)
    return [m.attempt(m.grad, y.sum(), x), m.attempt(m.grad, z, y)]


@scenario
def a_failed_backward_may_be_repeated(m):
    x = m.leaf(1, 2)
    y = x * x
    z = y.exp().sum()
    handle = x.register_hook(lambda g: 1 / 0)
    first = m.attempt(z.backward, retain_graph=True)
    handle.remove()
    z.backward()
    return [first, x.grad]


@scenario
def a_wrong_call_frees_nothing(m):
    x = m.leaf(1, 2)
    y = x * x
    m.attempt(y.backward)
    m.attempt(y.backward, m.const(1, 2, 3))
    y.backward(m.const(1, 1))
    return x.grad


@scenario
def create_graph_retains(m):
    x = m.leaf(1, 2)
    y = (x**3).sum()
    m.grad(y, x, create_graph=True)
    return m.grad(y, x)


@scenario
def create_graph_without_retaining(m):
    x = m.leaf(1, 2)
    y = (x**3).sum()
    (g,) = m.grad(y, x, create_graph=True, retain_graph=False)
    return [g.detach(), m.attempt(m.grad, y, x), m.attempt(m.grad, g.sum(), x)]


@scenario
def reading_a_freed_functions_saved_tensors(m):
    class Square(m.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a * a

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * 2 * g

    x = m.leaf(1, 2)
    y = Square.apply(x)
    before = m.attempt(lambda: y.grad_fn.saved_tensors)
    y.sum().backward()
    return [before, m.attempt(lambda: y.grad_fn.saved_tensors), m.attempt(y.sum().backward)]
