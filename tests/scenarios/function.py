"""Function: forward and backward, what ctx offers, several outputs, inputs returned."""

from . import scenario


def square(m):
    class Square(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    return Square


@scenario
def forward_and_backward(m):
    x = m.leaf(1, 2)
    y = square(m).apply(x)
    y.sum().backward()
    return [y, x.grad]


@scenario
def forward_runs_without_grad_mode(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            seen.append([m.is_grad_enabled(), x.requires_grad, y.requires_grad])
            return y

        @staticmethod
        def backward(ctx, g):
            seen.append([m.is_grad_enabled(), g.requires_grad])
            return g * 2

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return seen


@scenario
def under_no_grad(m):
    with m.no_grad():
        y = square(m).apply(m.leaf(1, 2))
    return [y, y.grad_fn is None]


@scenario
def of_constants(m):
    y = square(m).apply(m.const(1, 2))
    return [y, y.grad_fn is None]


@scenario
def non_tensor_arguments(m):
    class Scale(m.Function):
        @staticmethod
        def forward(ctx, x, factor, options):
            ctx.factor = factor
            return x * factor + options["add"]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None, None

    x = m.leaf(1, 2)
    Scale.apply(x, 3, {"add": 1}).sum().backward()
    return x.grad


@scenario
def optional_arguments(m):
    class Scale(m.Function):
        @staticmethod
        def forward(ctx, x, factor=5):
            ctx.factor = factor
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor

    class Both(Scale):
        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    x, w = m.leaf(1, 2), m.leaf(1, 2)
    Scale.apply(x).sum().backward()
    Both.apply(w, 7).sum().backward()
    return [x.grad, w.grad]


@scenario
def keywords(m):
    return m.attempt(square(m).apply, x=m.leaf(1, 2))


@scenario
def several_inputs(m):
    class Mul(m.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            return g * b, g * a

    a, b = m.leaf(1, 2), m.leaf(3, 4)
    Mul.apply(a, b).sum().backward()
    Mul.apply(a, a).sum().backward()
    return [a.grad, b.grad]


@scenario
def needs_input_grad(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, a, b, c, n):
            seen.append(ctx.needs_input_grad)
            return a * b * c * n

        @staticmethod
        def backward(ctx, g):
            seen.append(ctx.needs_input_grad)
            return g, None, g, None

    a, b, c = m.leaf(1, 2), m.const(3, 4), m.leaf(5, 6)
    y = F.apply(a, b, c, 2).sum()
    y.backward(retain_graph=True)
    m.grad(y, c)
    return seen


@scenario
def gradients_that_are_not_needed_are_dropped(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g, g * 100

    a, b = m.leaf(1, 2), m.const(3, 4)
    F.apply(a, b).sum().backward()
    return [a.grad, b.grad]


@scenario
def several_outputs(m):
    class Two(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, ga, gb):
            return ga * 2 + gb * 3

    x = m.leaf(1, 2)
    a, b = Two.apply(x)
    (a + b * 10).sum().backward()
    return [x.grad, a.output_nr, b.output_nr, a.grad_fn is b.grad_fn, type(Two.apply(x)).__name__]


@scenario
def an_output_that_was_not_used(m):
    seen = []

    class Two(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x.sum()

        @staticmethod
        def backward(ctx, ga, gb):
            seen.append([ga, gb])
            return ga * 2 + gb

    x = m.leaf(1, 2)
    Two.apply(x)[0].sum().backward()
    return [seen, x.grad]


@scenario
def gradients_are_not_materialized(m):
    seen = []

    class Two(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, ga, gb):
            seen.append([ga, gb])
            return ga * 2

    x = m.leaf(1, 2)
    Two.apply(x)[0].sum().backward()
    return [seen, x.grad]


@scenario
def outputs_as_a_list(m):
    class Two(m.Function):
        @staticmethod
        def forward(ctx, x):
            return [x * 2, x * 3]

        @staticmethod
        def backward(ctx, *gs):
            return gs[0] + gs[1]

    return m.attempt(lambda: [type(v).__name__ for v in Two.apply(m.leaf(1, 2))])


@scenario
def outputs_that_are_no_tensors(m):
    seen = []

    class Mixed(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, 5, "text", None

        @staticmethod
        def backward(ctx, *gs):
            seen.append(gs)
            return gs[0] * 2

    x = m.leaf(1, 2)
    y, *rest = Mixed.apply(x)
    y.sum().backward()
    return [rest, seen, x.grad]


@scenario
def an_integer_output(m):
    class Both(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, m.tensor([1, 2], dtype=m.int64)

        @staticmethod
        def backward(ctx, g, h):
            return g * 2

    x = m.leaf(1, 2)
    y, n = Both.apply(x)
    y.sum().backward()
    return [n, x.grad]


@scenario
def mark_non_differentiable(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            a, b = x * 2, x * 3
            ctx.mark_non_differentiable(b)
            return a, b

        @staticmethod
        def backward(ctx, ga, gb):
            seen.append(gb)
            return ga * 2

    x = m.leaf(1, 2)
    a, b = F.apply(x)
    a.sum().backward()
    return [b, b.grad_fn is None, seen, x.grad]


@scenario
def mark_non_differentiable_of_all(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            ctx.mark_non_differentiable(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g

    y = F.apply(m.leaf(1, 2))
    return [y, m.attempt(y.sum().backward)]


@scenario
def an_input_returned(m):
    class Same(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 10

    x = m.leaf(1, 2)
    y = Same.apply(x)
    y.sum().backward()
    return [y is x, x.is_leaf, y.is_leaf, m.name(y.grad_fn), x.grad]


@scenario
def an_inner_input_returned(m):
    class Same(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 10

    x = m.leaf(1, 2)
    y = x * 1
    z = Same.apply(y)
    (z + y).sum().backward()
    return [z is y, m.name(y.grad_fn), x.grad]


@scenario
def an_input_returned_is_a_view(m):
    class Same(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g

    y = Same.apply(m.leaf(1, 2) * 1)
    return m.attempt(y.mul_, 2)


@scenario
def an_input_and_something_else_returned(m):
    class Two(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x, x * 2

        @staticmethod
        def backward(ctx, ga, gb):
            return ga + gb * 2

    x = m.leaf(1, 2)
    a, b = Two.apply(x)
    (a * 10 + b).sum().backward()
    return [a is x, x.grad]


@scenario
def one_output_returned_twice(m):
    class Twice(m.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            return y, y

        @staticmethod
        def backward(ctx, ga, gb):
            return ga * 2 + gb * 20

    x = m.leaf(1, 2)
    a, b = Twice.apply(x)
    (a + b).sum().backward()
    return [a is b, x.grad]


@scenario
def a_constant_input_returned(m):
    class Same(m.Function):
        @staticmethod
        def forward(ctx, x, c):
            return c

        @staticmethod
        def backward(ctx, g):
            return g * 3, None

    x, c = m.leaf(1, 2), m.const(3, 4)
    y = Same.apply(x, c)
    y.sum().backward()
    return [y is c, y.requires_grad, c.requires_grad, x.grad]


@scenario
def a_view_returned(m):
    class Part(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x[1:]

        @staticmethod
        def backward(ctx, g):
            out = m.zeros_of(3)
            out[1:] = g
            return out

    x = m.leaf(1, 2, 3)
    y = Part.apply(x * 2)
    y.sum().backward()
    return [x.grad, y, m.attempt(y.mul_, 2)]


@scenario
def a_detached_output(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x.detach() * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = m.leaf(1, 2)
    y = F.apply(x)
    y.sum().backward()
    return [y.requires_grad, x.grad]


@scenario
def an_output_from_a_graph_made_inside(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            with m.enable_grad():
                return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = m.leaf(1, 2)
    y = F.apply(x)
    y.sum().backward()
    return [m.name(y.grad_fn), x.grad]
