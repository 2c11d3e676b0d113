"""gradcheck and gradgradcheck: what they accept, find and say."""

from . import scenario


def wrong(m):
    """A Function whose backward is wrong."""

    class Wrong(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] * g

    return Wrong.apply


@scenario
def a_right_function(m):
    x = m.leaf(0.5, 1.5)
    return [m.gradcheck(lambda x: x.sin() * x, x), m.gradcheck(lambda x: x.exp(), (x,)), x.grad]


@scenario
def several_inputs(m):
    return m.gradcheck(lambda a, b: a @ b, (m.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True), m.leaf(0.5, 0.7)))


@scenario
def several_outputs(m):
    return m.gradcheck(lambda a: (a.sin(), a.sum(), a * a), (m.leaf(0.5, 0.7),))


@scenario
def constants_among_inputs(m):
    return m.gradcheck(lambda a, b, n: a * b**n, (m.leaf(0.5, 0.7), m.const(2, 3), 2))


@scenario
def a_wrong_function(m):
    return m.gradcheck(wrong(m), (m.leaf(0.5, 1.5),))


@scenario
def a_wrong_function_without_raising(m):
    return m.gradcheck(wrong(m), (m.leaf(0.5, 1.5),), raise_exception=False)


@scenario
def the_message_shows_both_jacobians(m):
    text = m.message(m.gradcheck, wrong(m), (m.leaf(0.5, 1.5),))
    return ["Jacobian mismatch" in text, "numerical" in text, "analytical" in text, "1.5" in text]


@scenario
def nothing_requires_grad(m):
    return [
        m.attempt(m.gradcheck, lambda x: x * 2, (m.const(1, 2),)),
        m.attempt(m.gradcheck, lambda x: x * 2, (m.const(1, 2),), raise_exception=False),
    ]


@scenario
def an_output_without_graph(m):
    x = m.leaf(0.5, 1.5)
    return [
        m.attempt(m.gradcheck, lambda x: x.detach() * 2, (x,)),
        m.attempt(m.gradcheck, lambda x: x.detach() * 0, (x,)),
        m.attempt(m.gradcheck, lambda x: x.detach() * 2, (x,), raise_exception=False),
    ]


@scenario
def single_precision_fails(m):
    x = m.tensor([0.5, 1.5], dtype=m.float32, requires_grad=True)
    return [
        m.attempt(m.gradcheck, lambda x: x.sin(), (x,)),
        m.attempt(m.gradcheck, lambda x: x.sin(), (x,), eps=1e-2, atol=1e-2, rtol=1e-2),
    ]


@scenario
def tolerances(m):
    f, x = wrong(m), (m.leaf(0.5, 1.5),)
    return [
        m.gradcheck(f, x, atol=10.0),
        m.gradcheck(f, x, rtol=1.0),
        m.gradcheck(f, x, atol=0.1, raise_exception=False),
    ]


@scenario
def a_coarse_step(m):
    x = (m.leaf(0.5, 1.5),)
    return [m.gradcheck(lambda x: x**3, x, eps=0.5, raise_exception=False), m.gradcheck(lambda x: x**2, x, eps=0.5)]


@scenario
def complex_inputs(m):
    z = m.tensor([0.5 + 0.1j, 0.2 - 0.7j], dtype=m.complex128, requires_grad=True)
    return [m.gradcheck(lambda z: z * z, (z,)), m.gradcheck(lambda z: z.conj() * z, (z,))]


@scenario
def complex_to_real(m):
    z = m.tensor([0.5 + 0.1j, 0.2 - 0.7j], dtype=m.complex128, requires_grad=True)
    return [m.gradcheck(lambda z: (z * z.conj()).real, (z,)), m.gradcheck(lambda z: z.abs(), (z,))]


@scenario
def fast_mode(m):
    x = (m.leaf(0.5, 1.5),)
    return [
        m.gradcheck(lambda x: x.sin() * x, x, fast_mode=True),
        m.gradcheck(wrong(m), x, fast_mode=True, raise_exception=False),
    ]


@scenario
def fast_mode_with_several(m):
    a, b = m.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True), m.leaf(0.5, 0.7)
    return m.gradcheck(lambda a, b: (a @ b, a.sum() * b), (a, b), fast_mode=True)


@scenario
def nondeterminism_is_found(m):
    calls = []

    class Unsteady(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            calls.append(1)
            return g * (1 + 1e-7 * len(calls))

    x = (m.leaf(0.5, 1.5),)
    return [
        m.gradcheck(Unsteady.apply, x, raise_exception=False),
        m.gradcheck(Unsteady.apply, x, nondet_tol=1e-3),
    ]


@scenario
def undefined_gradients_are_checked(m):
    class Fragile(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2  # fails for None

    x = (m.leaf(0.5, 1.5),)
    return [
        m.attempt(m.gradcheck, Fragile.apply, x),
        m.attempt(m.gradcheck, Fragile.apply, x, raise_exception=False),
        m.attempt(m.gradcheck, Fragile.apply, x, check_undefined_grad=False),
    ]


@scenario
def undefined_gradients_that_are_handled(m):
    class Sturdy(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return None if g is None else g * 2

    return m.gradcheck(Sturdy.apply, (m.leaf(0.5, 1.5),))


@scenario
def the_function_raises(m):
    def f(x):
        raise KeyError

    return [
        m.attempt(m.gradcheck, f, (m.leaf(1),)),
        m.attempt(m.gradcheck, f, (m.leaf(1),), raise_exception=False),
    ]


@scenario
def a_backward_that_raises(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError

    return [
        m.attempt(m.gradcheck, F.apply, (m.leaf(1),)),
        m.attempt(m.gradcheck, F.apply, (m.leaf(1),), raise_exception=False),
    ]


@scenario
def empty_inputs(m):
    return m.gradcheck(lambda x: x * 2, (m.tensor([], requires_grad=True),))


@scenario
def inputs_are_left_as_they_were(m):
    x = m.leaf(0.5, 1.5)
    m.gradcheck(lambda x: x.sin(), (x,))
    return [x, x.grad]


@scenario
def a_scalar_input(m):
    return m.gradcheck(lambda x: x.sin(), (m.scalar(0.5),))


@scenario
def gradgradcheck_of_a_right_function(m):
    return [
        m.gradgradcheck(lambda x: x.sin() * x, (m.leaf(0.5, 1.5),)),
        m.gradgradcheck(lambda a, b: a @ b, (m.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True), m.leaf(0.5, 0.7))),
    ]


@scenario
def gradgradcheck_of_a_wrong_second_derivative(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            x = ctx.saved_tensors[0]
            return 3 * x.detach() * x * g

    x = (m.leaf(0.5, 1.5),)
    return [
        m.gradcheck(F.apply, x),
        m.gradgradcheck(F.apply, x, raise_exception=False),
        m.attempt(m.gradgradcheck, F.apply, x),
    ]


@scenario
def gradgradcheck_with_given_cotangents(m):
    return m.gradgradcheck(lambda x: x**3, (m.leaf(0.5, 1.5),), m.leaf(1, 2))


@scenario
def gradgradcheck_of_once_differentiable(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @m.once_differentiable
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    return m.attempt(m.gradgradcheck, F.apply, (m.leaf(0.5, 1.5),))


@scenario
def gradcheck_through_writes_and_views(m):
    def f(x):
        y = x * 1
        y[1:].mul_(x[0])
        y[0] = y[2] * 2
        return y

    x = (m.leaf(0.5, 1.5, 2.5),)
    return [m.gradcheck(f, x), m.gradgradcheck(f, x)]


@scenario
def gradcheck_of_a_checkpoint(m):
    return m.gradcheck(lambda x: m.checkpoint(lambda x: x.sin().exp(), x), (m.leaf(0.5, 1.5),))
