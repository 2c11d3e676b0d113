"""Memory and time: hooks on saved tensors, checkpoints."""

from . import scenario


@scenario
def pack_and_unpack(m):
    seen, x = [], m.leaf(1, 2)

    def pack(t):
        seen.append(["pack", t.tolist()])
        return t

    def unpack(t):
        seen.append(["unpack", t.tolist()])
        return t

    with m.graph.saved_tensors_hooks(pack, unpack):
        y = x.exp()
    y.sum().backward()
    return [seen, x.grad]


@scenario
def how_many_values_are_packed(m):
    x, w, c = m.leaf(1, 2), m.leaf(3, 4), m.const(5, 6)
    out = []
    for make in (
        lambda: x * w, lambda: x * c, lambda: x + w, lambda: x.exp(), lambda: x.sin(), lambda: x / w, lambda: x @ w,
        lambda: x.sum(), lambda: c * c, lambda: x.reshape(2, 1), lambda: x.tanh(), lambda: x.clone(), lambda: x - w,
    ):  # fmt: skip
        count = []
        with m.graph.saved_tensors_hooks(lambda t: (count.append(1), t)[1], lambda t: t):
            make()
        out.append(len(count))
    return out


@scenario
def pack_to_another_value(m):
    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: t * 2, lambda t: t * 3):
        y = x * m.const(5, 6)
    y.sum().backward()
    return x.grad


@scenario
def pack_to_lists(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    with m.graph.saved_tensors_hooks(lambda t: t.tolist(), lambda v: m.tensor(v)):
        y = (x * w).exp() * w
    y.sum().backward()
    return [x.grad, w.grad]


@scenario
def pack_and_unpack_at_each_backward(m):
    seen, x = [], m.leaf(1, 2)

    def unpack(t):
        seen.append("unpack")
        return t

    with m.graph.saved_tensors_hooks(lambda t: t, unpack):
        y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward()
    return [len(seen), x.grad]


@scenario
def nested_pairs_the_inner_one_is_used(m):
    seen, x = [], m.leaf(1, 2)
    outer = m.graph.saved_tensors_hooks(lambda t: (seen.append("outer"), t)[1], lambda t: t)
    inner = m.graph.saved_tensors_hooks(lambda t: (seen.append("inner"), t)[1], lambda t: t)
    with outer:
        a = x.exp()
        with inner:
            b = a.exp()
        c = b.exp()
    c.sum().backward()
    return seen


@scenario
def what_is_packed(m):
    seen, x = [], m.leaf(0.1, 0.2)

    def pack(t):
        seen.append([t.requires_grad, t.grad_fn is None])
        return t

    with m.graph.saved_tensors_hooks(pack, lambda t: t):
        y = x * 2
        z = y * y
        x.exp()
        x * m.const(3, 4)
        x * x
    z.sum().backward()
    return [seen, x.grad]


@scenario
def pack_runs_without_grad_mode(m):
    seen, x = [], m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: (seen.append((t * 2).requires_grad), t)[1], lambda t: t):
        (x * x).sum().backward()
    return seen


@scenario
def unpack_gives_no_tensor(m):
    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: t, lambda t: 3.0):
        y = x.exp()
    y.sum().backward()


@scenario
def pack_takes_too_many(m):
    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda a, b: a, lambda t: t):
        x.exp()


@scenario
def an_exception_in_pack(m):
    def fail(t):
        raise KeyError

    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(fail, lambda t: t):
        error = m.attempt(x.exp)
    return [error, x.exp()]


@scenario
def an_exception_in_unpack(m):
    def fail(t):
        raise KeyError

    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: t, fail):
        y = x.exp()
    return [m.attempt(y.sum().backward), x.grad]


@scenario
def pack_writes_in_place(m):
    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
        return m.attempt(lambda: x * m.const(3, 4))


@scenario
def hooks_and_a_value_that_was_overwritten(m):
    x = m.leaf(1, 2)
    y = x * 1
    with m.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        z = y * y
    y.add_(10)
    return [m.attempt(z.sum().backward), x.grad]


@scenario
def hooks_in_double_backward(m):
    seen, x = [], m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: (seen.append("pack"), t)[1], lambda t: (seen.append("unpack"), t)[1]):
        y = x**3
        (g,) = m.grad(y.sum(), x, create_graph=True)
    got = m.grad(g.sum(), x)
    return [got, "pack" in seen, "unpack" in seen]


@scenario
def hooks_and_second_derivatives_through_unpacked_values(m):
    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        y = (x * 1) ** 3
    (g,) = m.grad(y.sum(), x, create_graph=True)
    return m.grad(g.sum(), x)


@scenario
def hooks_on_a_functions_saved_tensors(m):
    seen = []

    class Square(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * 2 * g

    x = m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: (seen.append("pack"), t * 10)[1], lambda t: (seen.append("un"), t)[1]):
        y = Square.apply(x)
    y.sum().backward()
    return [seen, x.grad]


@scenario
def disabled_hooks(m):
    x = m.leaf(1, 2)

    def use():
        with m.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            return x.exp()

    with m.graph.disable_saved_tensors_hooks("not here"):
        error, text = m.attempt(use), m.message(use)
        plain = x.exp()
    return [error, "not here" in text, plain, use()]


@scenario
def disabling_inside_hooks(m):
    def use():
        with (
            m.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
            m.graph.disable_saved_tensors_hooks("not here"),
        ):
            return m.leaf(1, 2).exp()

    return m.attempt(use)


@scenario
def disabled_hooks_nested(m):
    def use():
        with m.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            return 1

    with m.graph.disable_saved_tensors_hooks("outer"):
        with m.graph.disable_saved_tensors_hooks("inner"):
            inner = m.message(use)
        outer = m.message(use)
    return ["inner" in inner, "outer" in outer, use()]


@scenario
def saved_elsewhere(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    with m.save_elsewhere():
        y = ((x * w).exp() * 0.01).sin()
    y.sum().backward()
    return [x.grad, w.grad]


@scenario
def saved_elsewhere_and_second_derivatives(m):
    x = m.leaf(1, 2)
    with m.save_elsewhere():
        y = x**3
    (g,) = m.grad(y.sum(), x, create_graph=True)
    return m.grad(g.sum(), x)


# ---------------------------------------------------------------- checkpoints


@scenario
def checkpoint(m):
    calls, x, w = [], m.leaf(1, 2), m.leaf(3, 4)

    def f(x, w):
        calls.append(1)
        return (x * w).sin()

    y = m.checkpoint(f, x, w)
    before = len(calls)
    y.sum().backward()
    return [y, before, len(calls), x.grad, w.grad]


@scenario
def checkpoint_with_other_arguments(m):
    x = m.leaf(1, 2)

    def f(x, n, text, options, extra=None):
        return x**n * options["scale"] + len(text) + extra

    y = m.checkpoint(f, x, 3, "abc", {"scale": 2}, extra=5)
    y.sum().backward()
    return [y, x.grad]


@scenario
def checkpoint_of_closures(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = m.checkpoint(lambda: (x * w).exp() * 0.01)
    y.sum().backward()
    return [x.grad, w.grad]


@scenario
def checkpoint_of_several_outputs(m):
    x = m.leaf(1, 2)
    a, b = m.checkpoint(lambda x: (x.sin(), x.cos()), x)
    (a * b).sum().backward()
    return x.grad


@scenario
def checkpoint_of_outputs_that_are_no_tensors(m):
    x = m.leaf(1, 2)
    out = m.checkpoint(lambda x: {"y": x.sin(), "n": 3}, x)
    out["y"].sum().backward()
    return [out["n"], x.grad]


@scenario
def checkpoint_nested(m):
    x, calls = m.leaf(0.1, 0.2), []

    def inner(x):
        calls.append("inner")
        return x.sin().exp()

    def outer(x):
        calls.append("outer")
        return m.checkpoint(inner, x * 2).cos()

    y = m.checkpoint(outer, x)
    y.sum().backward()
    return [y, x.grad, calls]


@scenario
def checkpoint_thrice_nested(m):
    x = m.leaf(0.1, 0.2)

    def nest(n):
        return (lambda x: m.checkpoint(nest(n - 1), x.sin()).exp()) if n else (lambda x: x.cos() * x)

    y = m.checkpoint(nest(3), x)
    y.sum().backward()
    return [y, x.grad]


@scenario
def checkpoint_stops_early(m):
    x, calls = m.leaf(1, 2), []

    def f(x):
        y = x.sin()
        calls.append("after sin")
        z = y * 2
        w = z + 1
        calls.append("after all")
        return w

    m.checkpoint(f, x).sum().backward()
    return [calls, x.grad]


@scenario
def checkpoint_that_must_not_stop_early(m):
    x, calls = m.leaf(1, 2), []

    def f(x):
        y = x.sin()
        calls.append("after sin")
        w = y + 1
        calls.append("after all")
        return w

    m.checkpoint(f, x, early_stop=False).sum().backward()
    return [calls, x.grad]


@scenario
def checkpoint_that_saves_nothing(m):
    x, calls = m.leaf(1, 2), []

    def f(x):
        calls.append(1)
        return x + 1

    m.checkpoint(f, x).sum().backward()
    return [len(calls), x.grad]


@scenario
def checkpoint_with_constants_only(m):
    c, calls = m.const(1, 2), []

    def f(c):
        calls.append(1)
        return c.sin()

    return [m.checkpoint(f, c), len(calls)]


@scenario
def checkpoint_under_no_grad(m):
    x = m.leaf(1, 2)
    with m.no_grad():
        return m.checkpoint(lambda x: x.sin(), x)


@scenario
def checkpoint_twice_backward(m):
    x, calls = m.leaf(1, 2), []

    def f(x):
        calls.append(1)
        return x.sin()

    y = m.checkpoint(f, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return [x.grad, len(calls)]


@scenario
def checkpoint_freed(m):
    x = m.leaf(1, 2)
    y = m.checkpoint(lambda x: x.sin(), x).sum()
    y.backward()
    return m.attempt(y.backward)


@scenario
def checkpoint_and_second_derivatives(m):
    x = m.leaf(1, 2)
    y = m.checkpoint(lambda x: x.sin() * x, x)
    (g,) = m.grad(y.sum(), x, create_graph=True)
    return [g.detach(), *m.grad(g.sum(), x)]


@scenario
def checkpoint_with_inputs(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = m.checkpoint(lambda x, w: (x * w).sin(), x, w)
    y.sum().backward(inputs=[w])
    return [x.grad, w.grad]


@scenario
def checkpoint_that_raises(m):
    def f(x):
        raise KeyError

    return m.attempt(m.checkpoint, f, m.leaf(1, 2))


@scenario
def checkpoint_that_raises_in_the_second_run(m):
    x, calls = m.leaf(1, 2), []

    def f(x):
        calls.append(1)
        if len(calls) == 2:
            raise LookupError
        return x.sin().exp()

    y = m.checkpoint(f, x)
    return [m.attempt(y.sum().backward), x.grad]


@scenario
def checkpoint_that_saves_other_shapes_in_the_second_run(m):
    x, calls = m.leaf(1, 2, 3), []

    def f(x):
        calls.append(1)
        return x[: 3 - len(calls)].sin().sum()

    y = m.checkpoint(f, x)
    return m.attempt(y.backward)


@scenario
def checkpoint_that_saves_fewer_values_in_the_second_run(m):
    x, calls = m.leaf(1, 2), []

    def f(x):
        calls.append(1)
        y = x.sin()
        return y.cos() if len(calls) == 1 else y

    y = m.checkpoint(f, x)
    return m.attempt(y.sum().backward)


@scenario
def checkpoint_within_hooks_on_saved_tensors(m):
    seen, x = [], m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t: (seen.append("pack"), t)[1], lambda t: t):
        y = m.checkpoint(lambda x: x.sin(), x)
    y.sum().backward()
    return x.grad


@scenario
def hooks_on_saved_tensors_within_a_checkpoint(m):
    x = m.leaf(1, 2)

    def f(x):
        with m.graph.saved_tensors_hooks(lambda t: t * 2, lambda t: t):
            return x * m.const(3, 4)

    m.checkpoint(f, x).sum().backward()
    return x.grad


@scenario
def hooks_on_tensors_within_a_checkpoint(m):
    seen, x = [], m.leaf(1, 2)

    def f(x):
        y = x.sin()
        y.register_hook(lambda g: (seen.append("hook"), g * 10)[1])
        return y.exp()

    m.checkpoint(f, x).sum().backward()
    return [seen, x.grad]


@scenario
def a_function_within_a_checkpoint(m):
    class Cube(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    x = m.leaf(1, 2)
    m.checkpoint(lambda x: Cube.apply(x.sin()), x).sum().backward()
    return x.grad


@scenario
def grad_inside_a_checkpoint(m):
    x = m.leaf(1, 2)

    def f(x):
        (g,) = m.grad((x**3).sum(), x, create_graph=True)
        return g * 2

    y = m.checkpoint(f, x)
    y.sum().backward()
    return [y, x.grad]


@scenario
def checkpoints_in_a_chain(m):
    x = m.leaf(0.1, 0.2)
    y = x
    for _ in range(5):
        y = m.checkpoint(lambda x: (x.sin() + x).exp() * 0.3, y)
    y.sum().backward()
    return [y, x.grad]


@scenario
def two_backwards_through_parts_of_a_checkpoint(m):
    x = m.leaf(1, 2)
    a, b = m.checkpoint(lambda x: (x.sin(), x.exp()), x)
    a.sum().backward()
    return [m.attempt(b.sum().backward), x.grad]


@scenario
def a_write_within_a_checkpoint(m):
    x = m.leaf(1, 2)

    def f(x):
        y = x.sin()
        z = y * 2
        z.mul_(x)
        return z

    m.checkpoint(f, x).sum().backward()
    return x.grad
