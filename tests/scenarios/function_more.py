"""Function: setup_context, mark_dirty, double backward, once_differentiable, jvp, hooks, classes and ctx attributes."""

from . import scenario


@scenario
def setup_context(m):
    class Cube(m.Function):
        @staticmethod
        def forward(x, n):
            return x**n

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.n = inputs
            ctx.save_for_backward(x)

        @staticmethod
        def backward(ctx, g):
            return ctx.n * ctx.saved_tensors[0] ** (ctx.n - 1) * g, None

    x = m.leaf(1, 2)
    Cube.apply(x, 3).sum().backward()
    return x.grad


@scenario
def setup_context_sees_inputs_and_output(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(a, n):
            return a * n, a + n

        @staticmethod
        def setup_context(ctx, inputs, output):
            seen.append([type(inputs).__name__, len(inputs), type(output).__name__, len(output), m.is_grad_enabled()])
            ctx.save_for_backward(output[0])
            ctx.mark_non_differentiable(output[1])

        @staticmethod
        def backward(ctx, g, h):
            return g * ctx.saved_tensors[0], None

    x = m.leaf(1, 2)
    a, b = F.apply(x, 3)
    a.sum().backward()
    return [seen, b, x.grad]


@scenario
def setup_context_without_grad_mode(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(a):
            return a * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            seen.append(ctx.needs_input_grad)

        @staticmethod
        def backward(ctx, g):
            return g

    with m.no_grad():
        F.apply(m.leaf(1, 2))
    F.apply(m.const(1, 2))
    F.apply(m.leaf(1, 2))
    return seen


# ---------------------------------------------------------------- writing inputs


def doubled(m):
    """A Function that doubles its input in place."""

    class Double(m.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    return Double


@scenario
def mark_dirty(m):
    x = m.leaf(1, 2)
    y = x * 1
    z = doubled(m).apply(y)
    z.sum().backward()
    return [z is y, y, m.name(y.grad_fn), y._version, x.grad]


@scenario
def mark_dirty_of_a_leaf(m):
    x = m.leaf(1, 2)
    return m.attempt(doubled(m).apply, x)


@scenario
def mark_dirty_of_a_constant(m):
    c = m.const(1, 2)
    y = doubled(m).apply(c)
    return [y is c, c, c._version]


@scenario
def mark_dirty_of_a_view(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    w = doubled(m).apply(v)
    (y * y).sum().backward()
    return [w is v, y, m.name(y.grad_fn), x.grad]


@scenario
def mark_dirty_of_a_view_then_the_view_is_used(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    doubled(m).apply(v)
    (v * v).sum().backward()
    return [v, x.grad]


@scenario
def mark_dirty_of_a_view_of_a_leaf(m):
    x = m.leaf(1, 2, 3)
    return m.attempt(doubled(m).apply, x[1:])


@scenario
def mark_dirty_of_a_result_of_split(m):
    a, _ = m.halves(m.leaf(1, 2, 3, 4) * 1)
    return m.attempt(doubled(m).apply, a)


@scenario
def mark_dirty_and_a_saved_value(m):
    x = m.leaf(1, 2)
    y = x * 1
    before = (y * y).sum()
    doubled(m).apply(y)
    return m.attempt(before.backward)


@scenario
def mark_dirty_of_what_is_not_returned(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x, w):
            w.mul_(2)
            ctx.mark_dirty(w)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2, None

    x, w = m.leaf(1, 2), m.leaf(3, 4) * 1
    return m.attempt(F.apply, x, w)


@scenario
def mark_dirty_with_two_outputs(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x, w):
            w.mul_(2)
            ctx.mark_dirty(w)
            return x * 3, w

        @staticmethod
        def backward(ctx, g, h):
            return g * 3, h * 2

    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = w * 1
    a, b = F.apply(x, y)
    (a + b * 10).sum().backward()
    return [b is y, x.grad, w.grad]


@scenario
def mark_dirty_makes_a_constant_depend(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x, c):
            c.copy_(x)
            ctx.mark_dirty(c)
            return c

        @staticmethod
        def backward(ctx, g):
            return g * 5, None

    x, c = m.leaf(1, 2), m.const(0, 0)
    F.apply(x, c)
    (c * 2).sum().backward()
    return [c.requires_grad, c, x.grad]


@scenario
def writing_an_input_without_saying_so(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = m.leaf(1, 2)
    y = x * 1
    z = F.apply(y)
    z.sum().backward()
    return [y, y._version, x.grad]


# ---------------------------------------------------------------- higher derivatives


def cube(m):
    class Cube(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * g

    return Cube


@scenario
def double_backward(m):
    x = m.leaf(1, 2)
    (g,) = m.grad(cube(m).apply(x).sum(), x, create_graph=True)
    return [g.detach(), *m.grad(g.sum(), x)]


@scenario
def triple_backward(m):
    x = m.leaf(1, 2)
    (g,) = m.grad(cube(m).apply(x).sum(), x, create_graph=True)
    (h,) = m.grad(g.sum(), x, create_graph=True)
    return m.grad(h.sum(), x)


@scenario
def double_backward_through_the_cotangent(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    (g,) = m.grad((cube(m).apply(x) * w).sum(), x, create_graph=True)
    return m.grad(g.sum(), [x, w])


@scenario
def double_backward_of_a_saved_output(m):
    class Exp(m.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g

    x = m.leaf(0.5, 1)
    (g,) = m.grad(Exp.apply(x).sum(), x, create_graph=True)
    (h,) = m.grad(g.sum(), x, create_graph=True)
    return [g.detach(), h.detach(), *m.grad(h.sum(), x)]


@scenario
def double_backward_of_a_saved_intermediate_is_not_seen(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x * 2)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g

    x = m.leaf(1, 2)
    (g,) = m.grad(F.apply(x).sum(), x, create_graph=True)
    return [g.requires_grad, m.attempt(m.grad, g.sum(), x)]


@scenario
def a_function_within_a_functions_backward(m):
    fn = cube(m)

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**4

        @staticmethod
        def backward(ctx, g):
            return 4 * fn.apply(ctx.saved_tensors[0]) * g

    x = m.leaf(1, 2)
    (g,) = m.grad(F.apply(x).sum(), x, create_graph=True)
    return m.grad(g.sum(), x)


@scenario
def once_differentiable(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @m.once_differentiable
        def backward(ctx, g):
            return ctx.saved_tensors[0] * 2 * g

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    (g,) = m.grad(F.apply(x).sum(), x, create_graph=True)
    return [x.grad, g.detach(), g.requires_grad, m.attempt(m.grad, g.sum(), x)]


@scenario
def grad_mode_in_backward(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append(m.is_grad_enabled())
            return g * 2

    x = m.leaf(1, 2)
    y = F.apply(x).sum()
    y.backward(retain_graph=True)
    m.grad(y, x, create_graph=True)
    with m.no_grad():
        y.backward(retain_graph=True, create_graph=True)
    x.grad = None
    return seen


# ---------------------------------------------------------------- jvp


@scenario
def jvp_of_a_function(m):
    class Cube(m.Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

        @staticmethod
        def jvp(ctx, t):
            return 3 * ctx.saved_tensors[0] ** 2 * t * 10  # not what backward says, to tell them apart

    return m.func.jvp(Cube.apply, (m.const(1, 2),), (m.const(1, 1),))


@scenario
def grad_of_a_function_under_func(m):
    class Cube(m.Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    f = lambda x: Cube.apply(x).sum()
    x = m.const(1, 2)
    return [m.func.grad(f)(x), m.func.grad(lambda x: m.func.grad(f)(x).sum())(x)]


# ---------------------------------------------------------------- ctx and classes


@scenario
def ctx_takes_attributes(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.shape, ctx.deep = x.shape, {"a": [1, 2]}
            return x.sum()

        @staticmethod
        def backward(ctx, g):
            return m.broadcast_to(g, ctx.shape) * ctx.deep["a"][1]

    x = m.leaf(1, 2)
    F.apply(x).backward()
    return x.grad


@scenario
def ctx_attributes_outlive_the_run(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.count = 0
            return x * 2

        @staticmethod
        def backward(ctx, g):
            ctx.count += 1
            return g

    y = F.apply(m.leaf(1, 2))
    y.sum().backward()
    y.sum().backward()
    return y.grad_fn.count


@scenario
def inheritance(m):
    class Base(m.Function):
        factor = 2

        @classmethod
        def name_of(cls):
            return cls.__name__

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Derived(Base):
        @staticmethod
        def backward(ctx, g):
            return Base.backward(ctx, g) * 5

    x = m.leaf(1, 2)
    y = Derived.apply(x)
    y.sum().backward()
    return [m.name(y.grad_fn), Derived.name_of(), x.grad]


@scenario
def a_function_inside_a_functions_forward(m):
    fn = cube(m)

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            with m.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = fn.apply(ctx.x)
            return ctx.y.detach()

        @staticmethod
        def backward(ctx, g):
            return m.grad(ctx.y, ctx.x, g)[0]

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad


@scenario
def a_hook_on_the_result_of_a_function(m):
    seen, x = [], m.leaf(1, 2)
    y = cube(m).apply(x)
    y.register_hook(lambda g: (seen.append(g.tolist()), g * 10)[1])
    y.retain_grad()
    y.sum().backward()
    return [seen, y.grad, x.grad]


@scenario
def ctx_in_backward_is_the_node(m):
    same = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            same.append([ctx is y.grad_fn, m.name(ctx)])
            return g

    x = m.leaf(1, 2)
    y = F.apply(x)
    y.sum().backward()
    return same


@scenario
def gradients_of_a_function_of_broadcast_operands(m):
    class Mul(m.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            return g * b, g * a

    a, b = m.tensor([[1.0], [2.0]], requires_grad=True), m.leaf(3, 4)
    Mul.apply(a, b).sum().backward()
    return [a.grad, b.grad]


@scenario
def a_tensor_within_a_list_is_not_seen(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, tensors):
            return tensors[0] * 2

        @staticmethod
        def backward(ctx, g):
            return (None,)

    y = F.apply([m.leaf(1, 2)])
    return [y.requires_grad, y.grad_fn is None]


@scenario
def the_gradient_of_a_function_is_its_own_memory(m):
    class Same(m.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, g):
            return g, g

    a, b = m.leaf(1, 2), m.leaf(3, 4)
    Same.apply(a, b).sum().backward()
    a.grad.mul_(10)
    return [a.grad, b.grad]


@scenario
def writing_the_incoming_gradient(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 3

        @staticmethod
        def backward(ctx, g):
            return g.mul_(3)

    x = m.leaf(1, 2)
    y = F.apply(x)
    (y * 2).sum().backward()
    return x.grad


@scenario
def a_straight_through_estimator(m):
    class Round(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, g):
            return g

    x = m.leaf(0.4, 1.6)
    (Round.apply(x * 2) * m.const(1, 10)).sum().backward()
    return x.grad


@scenario
def gradient_reversal_with_a_number(m):
    class Reverse(m.Function):
        @staticmethod
        def forward(ctx, x, strength):
            ctx.strength = strength
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return -ctx.strength * g, None

    x = m.leaf(1, 2)
    (Reverse.apply(x, 0.5) + x * 2).sum().backward()
    return x.grad
