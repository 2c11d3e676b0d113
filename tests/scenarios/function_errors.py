"""Function: its errors, and what it saves."""

from . import scenario
from .function import square

# ---------------------------------------------------------------- errors


@scenario
def too_few_gradients(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g

    F.apply(m.leaf(1, 2), m.leaf(3, 4)).sum().backward()


@scenario
def too_many_gradients(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return g, g

    F.apply(m.leaf(1, 2)).sum().backward()


@scenario
def too_many_gradients_that_are_none(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return g, None, None

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad


@scenario
def a_gradient_of_another_shape(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return m.const(1, 2, 3)

    y = F.apply(m.leaf(1, 2)).sum()
    text = m.message(y.backward, retain_graph=True)
    return [m.attempt(y.backward), "invalid gradient at index 0" in text, "FBackward" in text]


@scenario
def a_gradient_that_broadcasts(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return m.stack([a, a, a])

        @staticmethod
        def backward(ctx, g):
            return g

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad


@scenario
def a_gradient_smaller_than_the_input(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a.sum()

        @staticmethod
        def backward(ctx, g):
            return g

    x = m.leaf(1, 2)
    return [m.attempt(F.apply(x).backward), x.grad]


@scenario
def a_gradient_of_another_dtype(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return m.tensor([3.0, 4.0], dtype=m.float32)

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad


@scenario
def a_complex_gradient_of_a_real_input(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return m.tensor([3.0 + 1j, 4.0], dtype=m.complex128)

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad


@scenario
def a_gradient_that_is_no_tensor(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return 3.0

    F.apply(m.leaf(1, 2)).sum().backward()


@scenario
def a_gradient_for_what_is_no_tensor(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a, n):
            return a * n

        @staticmethod
        def backward(ctx, g):
            return g, g

    F.apply(m.leaf(1, 2), 3).sum().backward()


@scenario
def no_forward(m):
    class F(m.Function):
        @staticmethod
        def backward(ctx, g):
            return g

    F.apply(m.leaf(1, 2))


@scenario
def no_backward(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

    y = F.apply(m.leaf(1, 2))
    return [y, m.attempt(y.sum().backward)]


@scenario
def an_exception_in_forward(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            raise KeyError("mine")

        @staticmethod
        def backward(ctx, g):
            return g

    return [m.attempt(F.apply, m.leaf(1, 2)), m.is_grad_enabled()]


@scenario
def an_exception_in_backward(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    x = m.leaf(1, 2)
    y = F.apply(x * 1)
    return [m.attempt(y.sum().backward), x.grad, m.is_grad_enabled()]


@scenario
def an_exception_of_ones_own(m):
    class Mine(Exception):
        pass

    class F(m.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            raise Mine

    F.apply(m.leaf(1, 2)).sum().backward()


@scenario
def a_function_is_not_called(m):
    return m.attempt(lambda: square(m)()(m.leaf(1, 2)))


@scenario
def forward_on_an_instance(m):
    class F(m.Function):
        def forward(self, a):
            return a * 2

        def backward(self, g):
            return g * 2

    x = m.leaf(1, 2)
    y = F.apply(x)
    y.sum().backward()
    return [y, x.grad]


@scenario
def a_hundred_functions_in_a_row(m):
    x = m.leaf(1.0, 1.001)
    y, fn = x, square(m)
    for _ in range(8):
        y = fn.apply(y)
    y.sum().backward()
    return x.grad


@scenario
def saved_tensors_twice(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            (b,) = ctx.saved_tensors
            return (a + b) * g

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad


@scenario
def saved_tensors_are_a_tuple_with_nones(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, None, x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            a, b, c = ctx.saved_tensors
            seen.append([type(ctx.saved_tensors).__name__, b, a.tolist() == c.tolist()])
            return 2 * a * g

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return [seen, x.grad]


@scenario
def nothing_saved(m):
    seen = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append(ctx.saved_tensors)
            return g * 2

    x = m.leaf(1, 2)
    y = F.apply(x).sum()
    y.backward()
    y.backward()
    return [seen, x.grad]


@scenario
def saving_what_is_no_tensor(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, 3)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g

    return m.attempt(F.apply, m.leaf(1, 2))


@scenario
def saving_twice_keeps_the_last(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_backward(x * 10)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad


@scenario
def a_saved_input_is_itself(m):
    same = []

    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            same.append([a is x, a.requires_grad, a.is_leaf])
            return g

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return same


@scenario
def a_saved_output(m):
    seen = []

    class Exp(m.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            seen.append([y.requires_grad, m.name(y.grad_fn)])
            return y * g

    x = m.leaf(1, 2)
    Exp.apply(x).sum().backward()
    return [seen, x.grad]


@scenario
def a_saved_input_was_overwritten(m):
    x = m.leaf(1, 2)
    y = x * 1
    z = square(m).apply(y)
    y.add_(1)
    z.sum().backward()


@scenario
def a_saved_output_was_overwritten(m):
    class Exp(m.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g

    y = Exp.apply(m.leaf(1, 2))
    y.add_(1)
    y.sum().backward()


@scenario
def an_intermediate_is_saved(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            t = x.sin()
            ctx.save_for_backward(t)
            return t * t

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g

    x = m.leaf(1, 2)
    F.apply(x).sum().backward()
    return x.grad
