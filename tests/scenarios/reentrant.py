"""Backward inside backward: in hooks, in a Function's backward, deep, with errors."""

from . import scenario


def recorded(m, function):
    """`function` as a hook that runs with grad mode on, as graphs that are made in hooks need."""

    def hook(*args):
        with m.enable_grad():
            return function(*args)

    return hook


def inner(m):
    """A Function that runs a backward pass of its own in its backward."""

    class Inner(m.Function):
        @staticmethod
        def forward(ctx, x):
            with m.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = (ctx.x**3).sum()
            return ctx.y.detach()

        @staticmethod
        def backward(ctx, g):
            with m.enable_grad():
                ctx.y.backward()
            return ctx.x.grad * g

    return Inner


@scenario
def in_a_functions_backward(m):
    x = m.leaf(1, 2)
    (inner(m).apply(x * 2) * 5).backward()
    return x.grad


@scenario
def in_a_hook(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = x * 2
    y.register_hook(recorded(m, lambda g: (w * w).sum().backward()))
    y.sum().backward()
    return [x.grad, w.grad]


@scenario
def grad_in_a_hook(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = x * 2

    def hook(g):
        return m.grad((w * w * g).sum(), w)[0]

    y.register_hook(recorded(m, hook))
    y.sum().backward()
    return [x.grad, w.grad]


@scenario
def in_a_node_hook(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = x * 2
    y.grad_fn.register_hook(recorded(m, lambda gi, go: (w * w).sum().backward()))
    y.grad_fn.register_prehook(recorded(m, lambda go: (w * 10).sum().backward()))
    y.sum().backward()
    return [x.grad, w.grad]


@scenario
def in_a_post_accumulate_hook(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    x.register_post_accumulate_grad_hook(recorded(m, lambda p: (w * p.grad).sum().backward()))
    (x * 5).sum().backward()
    return [x.grad, w.grad]


@scenario
def onto_the_same_leaf(m):
    x = m.leaf(1, 2)
    y = x * 2
    y.register_hook(recorded(m, lambda g: (x * 100).sum().backward()))
    y.sum().backward()
    return x.grad


@scenario
def of_the_same_graph(m):
    x = m.leaf(1, 2)
    y = x * x
    count = []

    def again(g):
        if len(count) < 2:
            count.append(1)
            y.sum().backward(retain_graph=True)

    y.register_hook(recorded(m, again))
    y.sum().backward(retain_graph=True)
    return [x.grad, len(count)]


@scenario
def the_outer_run_continues(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    y = x * 2
    z = y.exp()
    z.register_hook(recorded(m, lambda g: (seen.append("z"), (w * w).sum().backward())[1]))
    y.register_hook(lambda g: seen.append("y"))
    w.register_hook(lambda g: seen.append("w"))
    x.register_hook(lambda g: seen.append("x"))
    z.sum().backward()
    return [seen, w.grad]


@scenario
def nested_in_functions(m):
    fn = inner(m)

    class Outer(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with m.enable_grad():
                d = x.detach().requires_grad_()
                fn.apply(d * 2).backward()
            return d.grad * g

    x = m.leaf(1, 2)
    Outer.apply(x).sum().backward()
    return x.grad


def deep(m, n):
    """A Function that recurses `n` times in its backward."""

    class Deep(m.Function):
        @staticmethod
        def forward(ctx, x):
            with m.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.x = ctx.x - 1
            return ctx.x.detach()

        @staticmethod
        def backward(ctx, g):
            if ctx.x < 0:
                return g
            with m.enable_grad():
                Deep.apply(ctx.x).sum().backward()
            return g

    return Deep.apply(m.tensor(float(n), requires_grad=True))


@scenario
def thirty_deep(m):
    return m.attempt(deep(m, 30).sum().backward)


@scenario
def two_hundred_deep(m):
    return m.attempt(deep(m, 200).sum().backward)


@scenario
def an_exception_in_the_inner_run(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    z = w * w
    z.register_hook(lambda g: 1 / 0)
    y = x * 2
    y.register_hook(recorded(m, lambda g: z.sum().backward()))
    return [m.attempt(y.sum().backward), x.grad, w.grad]


@scenario
def an_exception_in_the_inner_run_is_caught(m):
    seen, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    z = w * w
    z.register_hook(lambda g: 1 / 0)
    y = x * 2
    y.register_hook(recorded(m, lambda g: seen.append(m.attempt(z.sum().backward))))
    y.sum().backward()
    return [seen, x.grad, w.grad]


@scenario
def the_inner_run_frees_its_own_graph_only(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    z = (w * w).sum()
    y = x * x
    y.register_hook(lambda g: z.backward())
    y.sum().backward()
    return [m.attempt(z.backward), w.grad, x.grad]


@scenario
def grad_mode_inside_and_after(m):
    modes, x, w = [], m.leaf(1, 2), m.leaf(3, 4)
    y = x * 2

    def hook(g):
        modes.append(m.is_grad_enabled())
        with m.enable_grad():
            (w * w).sum().backward()
            modes.append(m.is_grad_enabled())
        modes.append(m.is_grad_enabled())

    y.register_hook(hook)
    y.sum().backward()
    return [modes, m.is_grad_enabled(), w.grad]


@scenario
def a_graph_made_in_a_hook_needs_grad_mode(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(m.attempt(lambda: (w * w).sum().backward())))
    y.sum().backward()
    return seen


@scenario
def create_graph_within_a_function(m):
    class Cube(m.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with m.enable_grad():
                d = x if x.requires_grad else x.detach().requires_grad_()
                (local,) = m.grad((d**3).sum(), d, create_graph=True)
            return local * g

    x = m.leaf(1, 2)
    (g,) = m.grad(Cube.apply(x).sum(), x, create_graph=True)
    return [g.detach(), *m.grad(g.sum(), x)]


@scenario
def inner_run_with_inputs(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    z = (w * w).sum()
    y = x * 2
    y.register_hook(lambda g: g * m.grad(z, w)[0])
    (y * 1).sum().backward()
    return [x.grad, w.grad]
