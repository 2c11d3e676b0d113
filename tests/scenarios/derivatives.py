"""Higher derivatives, batches of gradients, undefined gradients, large graphs, anomaly detection."""

from . import scenario

# ---------------------------------------------------------------- higher derivatives


@scenario
def second_derivative(m):
    x = m.leaf(1, 2)
    (g,) = m.grad((x**3).sum(), x, create_graph=True)
    return m.grad(g.sum(), x)


@scenario
def fourth_derivative(m):
    x = m.leaf(0.3, 0.7)
    y = (x.sin() * x.exp()).sum()
    out = []
    for _ in range(4):
        (g,) = m.grad(y, x, create_graph=True)
        out.append(g.detach())
        y = g.sum()
    return out


@scenario
def hessian_by_rows(m):
    x = m.leaf(1, 2, 3)
    (g,) = m.grad((x[0] * x[1] * x[2] + x[0] ** 3), x, create_graph=True)
    return [m.grad(g[i], x, retain_graph=True)[0] for i in range(3)]


@scenario
def backward_with_create_graph(m):
    x = m.leaf(1, 2)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.sum().backward()
    return [first.detach(), x.grad]


@scenario
def accumulating_onto_a_gradient_with_a_graph(m):
    x = m.leaf(1, 2)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    (x**2).sum().backward(create_graph=True)
    total = x.grad
    x.grad = None
    return [total is first, total.requires_grad, total.detach(), *m.grad(total.sum(), x)]


@scenario
def accumulating_without_a_graph_onto_a_gradient_with_one(m):
    x = m.leaf(1, 2)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    (x * 2).sum().backward()
    total = x.grad
    x.grad = None
    return [total is first, total.requires_grad, total.detach(), first.detach(), m.attempt(m.grad, total.sum(), x)]


@scenario
def accumulating_with_a_graph_onto_a_gradient_without_one(m):
    x = m.leaf(1, 2)
    (x * 2).sum().backward()
    first = x.grad
    (x**3).sum().backward(create_graph=True)
    total = x.grad
    x.grad = None
    return [total is first, total.requires_grad, total.detach(), first.detach(), m.attempt(m.grad, total.sum(), x)]


@scenario
def a_gradient_penalty(m):
    x, w = m.leaf(0.1, 0.2), m.leaf(3, 4)
    (g,) = m.grad(((x * w).tanh()).sum(), x, create_graph=True)
    ((g * g).sum() + (w * w).sum()).backward()
    return [x.grad, w.grad]


@scenario
def second_derivative_with_respect_to_the_cotangent(m):
    x, v = m.leaf(1, 2), m.leaf(0, 0)
    (g,) = m.grad(x**3, x, v, create_graph=True)
    return m.grad(g, v, m.const(1, 10))


@scenario
def a_gradient_that_needs_no_graph(m):
    x = m.leaf(1, 2)
    (g,) = m.grad((x * 3).sum(), x, create_graph=True)
    return [g, m.attempt(m.grad, g.sum(), x)]


@scenario
def mixed_second_derivatives(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    gx, gw = m.grad(((x * w).exp() * 0.01).sum(), [x, w], create_graph=True)
    return [m.grad(gx.sum(), [x, w], retain_graph=True), m.grad(gw.sum(), [x, w])]


# ---------------------------------------------------------------- batches of gradients


@scenario
def a_batch_of_gradients(m):
    x = m.leaf(1, 2, 3)
    eye = m.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    return m.grad(x**2, x, eye, is_grads_batched=True)


@scenario
def a_batch_of_gradients_through_products(m):
    x = m.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True)
    w = m.leaf(0.5, 0.6)
    eye = m.tensor([[1.0, 0], [0, 1]])
    return m.grad((x @ w).tanh(), [x, w], eye, is_grads_batched=True)


@scenario
def a_batch_of_gradients_of_several_outputs(m):
    x = m.leaf(1, 2)
    g = m.tensor([[1.0, 0], [0, 1], [1, 1]])
    return m.grad([x**2, x.sum()], x, [g, m.const(1, 2, 3)], is_grads_batched=True)


@scenario
def a_batch_of_gradients_with_unused_inputs(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    g = m.tensor([[1.0, 0], [0, 1], [1, 1]])
    return [
        m.grad(x**2, [x, w], g, is_grads_batched=True, allow_unused=True, retain_graph=True),
        m.attempt(m.grad, x**2, [x, w], g, is_grads_batched=True),
    ]


@scenario
def a_batch_of_gradients_that_is_differentiated(m):
    x = m.leaf(1, 2)
    eye = m.tensor([[1.0, 0], [0, 1]])
    (jacobian,) = m.grad(x**3, x, eye, is_grads_batched=True, create_graph=True)
    return [jacobian.detach(), *m.grad(jacobian.sum(), x)]


@scenario
def a_batch_of_gradients_of_the_wrong_shape(m):
    x = m.leaf(1, 2)
    return m.attempt(m.grad, x**2, x, m.const(1, 2, 3), is_grads_batched=True)


@scenario
def a_batch_of_gradients_through_writes(m):
    x = m.leaf(1, 2, 3)
    y = x * x
    y[1:] *= x[:2]
    eye = m.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    return m.grad(y, x, eye, is_grads_batched=True)


# ---------------------------------------------------------------- undefined gradients


@scenario
def a_function_that_gives_none(m):
    class Nothing(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            return None

    x, w = m.leaf(1, 2), m.leaf(3, 4)
    (Nothing.apply(x.exp()) + w).sum().backward()
    return [x.grad, w.grad]


@scenario
def undefined_and_defined_contributions(m):
    class Nothing(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            return None

    x = m.leaf(1, 2)
    y = x * 3
    (Nothing.apply(y) + y).sum().backward()
    return x.grad


@scenario
def grad_of_an_undefined_gradient(m):
    class Nothing(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            return None

    x = m.leaf(1, 2)
    y = Nothing.apply(x * 2).sum()
    return [
        m.attempt(m.grad, y, x, retain_graph=True),
        m.attempt(m.grad, y, x, retain_graph=True, allow_unused=True),
        m.attempt(m.grad, y, x, materialize_grads=True),
    ]


@scenario
def no_grad_is_left_none_where_undefined(m):
    class Nothing(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            return None

    x = m.leaf(1, 2)
    x.grad = m.const(5, 6)
    Nothing.apply(x).sum().backward()
    return x.grad


# ---------------------------------------------------------------- large graphs


@scenario
def a_long_chain(m):
    x = m.leaf(1, 2)
    y = x
    for _ in range(3000):
        y = y * 1.0001
    y.sum().backward()
    return x.grad


@scenario
def a_wide_fan(m):
    x = m.leaf(1, 2)
    sum(((x * i).sum() for i in range(200)), start=m.tensor(0.0)).backward()
    return x.grad


@scenario
def a_ladder_of_diamonds(m):
    x = m.leaf(1, 2)
    y = x
    for _ in range(30):
        y = (y + y * 1) * 0.5
    y.sum().backward()
    return x.grad


# ---------------------------------------------------------------- anomaly detection


@scenario
def anomaly_of_nan(m):
    x = m.leaf(0, 1)
    with m.detect_anomaly():
        y = (x.sqrt() * 0).sum()
        return m.attempt(y.backward)


@scenario
def anomaly_names_the_function(m):
    x = m.leaf(0, 1)
    with m.detect_anomaly():
        y = (x.sqrt() * 0).sum()
        text = m.message(y.backward)
    return ["SqrtBackward" in text, "nan" in text, "0th" in text]


@scenario
def anomaly_without_checking_nan(m):
    x = m.leaf(0, 1)
    with m.detect_anomaly(check_nan=False):
        (x.sqrt() * 0).sum().backward()
    return x.grad


@scenario
def anomaly_that_finds_nothing(m):
    x = m.leaf(1, 2)
    with m.detect_anomaly():
        (x.sqrt() * 2).sum().backward()
    return x.grad


@scenario
def anomaly_only_for_the_backward(m):
    x = m.leaf(0, 1)
    y = (x.sqrt() * 0).sum()
    with m.detect_anomaly():
        return m.attempt(y.backward)


@scenario
def anomaly_of_infinity_is_none(m):
    x = m.leaf(0, 1)
    with m.detect_anomaly():
        x.sqrt().sum().backward()
    return x.grad


@scenario
def anomaly_as_a_function(m):
    x = m.leaf(0, 1)
    with m.set_detect_anomaly(True):
        y = (x.sqrt() * 0).sum()
        inside = m.attempt(y.backward)
    z = (x.sqrt() * 0).sum()
    return [inside, m.attempt(z.backward)]


@scenario
def anomaly_in_a_function(m):
    class Bad(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            return g * float("nan")

    x = m.leaf(1, 2)
    with m.detect_anomaly():
        y = Bad.apply(x).sum()
        text = m.message(y.backward)
    return ["BadBackward" in text, "nan" in text]


@scenario
def anomaly_keeps_the_line_in_metadata(m):
    x = m.leaf(1, 2)
    with m.detect_anomaly():
        y = x.exp()
    return any("x.exp()" in line for line in y.grad_fn.metadata["traceback_"])


@scenario
def anomaly_keeps_the_type_of_other_errors(m):
    x = m.leaf(1, 2)
    with m.detect_anomaly():
        y = x.exp()
        y.register_hook(lambda g: 1 / 0)
        return m.attempt(y.sum().backward)


@scenario
def anomaly_in_a_second_derivative(m):
    x = m.leaf(0, 1)
    with m.detect_anomaly():
        (g,) = m.grad((x**1.5).sum(), x, create_graph=True)
        return m.attempt((g * 0).sum().backward)
