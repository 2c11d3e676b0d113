"""Garbage: what dies with the last reference, and what the cycle collector must find."""

import gc
import weakref

from . import scenario


class Token:
    """Something whose death can be seen."""


def dies(make, collect=False):
    """Whether a Token that `make` hides in a structure is gone when the structure is."""
    token = Token()
    ref = weakref.ref(token)
    gc.disable()
    try:
        kept = make(token)
        alive = ref() is not None
        del token, kept
        if collect:
            gc.collect()
        return [alive, ref() is None]
    finally:
        gc.enable()


def held(token):
    """A hook that keeps `token` alive."""
    return lambda *args: (token, None)[1]


@scenario
def hooks_die_with_their_tensor(m):
    def make(token):
        x = m.leaf(1, 2)
        x.register_hook(held(token))
        return x

    return dies(make)


@scenario
def hooks_of_inner_tensors_die_with_the_graph(m):
    def make(token):
        y = m.leaf(1, 2) * 2
        y.register_hook(held(token))
        return y.sum()

    return dies(make)


@scenario
def node_hooks_die_with_the_graph(m):
    def make(token):
        y = m.leaf(1, 2) * 2
        y.grad_fn.register_hook(held(token))
        y.grad_fn.register_prehook(held(token))
        return y.sum()

    return dies(make)


@scenario
def post_accumulate_hooks_die_with_their_leaf(m):
    def make(token):
        x = m.leaf(1, 2)
        x.register_post_accumulate_grad_hook(held(token))
        return x

    return dies(make)


@scenario
def removed_hooks_die_at_once(m):
    x = m.leaf(1, 2)
    token = Token()
    ref = weakref.ref(token)
    handle = x.register_hook(held(token))
    del token
    before = ref() is not None
    handle.remove()
    return [before, ref() is None]


@scenario
def ctx_attributes_die_with_the_graph(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x, token):
            ctx.token = token
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, None

    return dies(lambda token: F.apply(m.leaf(1, 2), token).sum())


@scenario
def arguments_of_a_function_are_not_kept(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x, token):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, None

    token = Token()
    ref = weakref.ref(token)
    y = F.apply(m.leaf(1, 2), token)
    del token
    return [ref() is None, y.requires_grad]


@scenario
def metadata_dies_with_the_graph(m):
    def make(token):
        y = m.leaf(1, 2) * 2
        y.grad_fn.metadata["token"] = token
        return y.sum()

    return dies(make)


@scenario
def a_hook_that_knows_its_own_leaf(m):
    def make(token):
        x = m.leaf(1, 2)
        x.register_hook(lambda *args: (x, token, None)[-1])
        return x

    return dies(make, collect=True)


@scenario(differs="the cycle is collected")
def a_hook_that_knows_its_own_result(m):
    def make(token):
        y = m.leaf(1, 2) * 2
        y.register_hook(lambda *args: (y, token, None)[-1])
        return y

    return dies(make, collect=True)


@scenario(differs="the cycle is collected")
def a_node_hook_that_knows_its_own_result(m):
    def make(token):
        y = m.leaf(1, 2) * 2
        y.grad_fn.register_hook(lambda *args: (y, token, None)[-1])
        return y

    return dies(make, collect=True)


@scenario(differs="the cycle is collected")
def a_gradient_whose_graph_leads_to_its_leaf(m):
    def make(token):
        x = m.leaf(1, 2)
        x.register_hook(held(token))
        (x**3).sum().backward(create_graph=True)
        return x

    return dies(make, collect=True)


@scenario
def a_ctx_that_holds_its_own_output(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x, token):
            ctx.token = token
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, None

    def make(token):
        y = F.apply(m.leaf(1, 2), token)
        y.grad_fn.own = y
        return y

    return dies(make, collect=True)


@scenario
def a_saved_output_makes_no_cycle(m):
    class Exp(m.Function):
        @staticmethod
        def forward(ctx, x, token):
            y = x.exp()
            ctx.token = token
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g, None

    return dies(lambda token: Exp.apply(m.leaf(1, 2), token))


@scenario
def a_saved_input_makes_no_cycle(m):
    class Square(m.Function):
        @staticmethod
        def forward(ctx, x, token):
            ctx.token = token
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * 2 * g, None

    return dies(lambda token: Square.apply(m.leaf(1, 2), token))


@scenario
def saved_values_die_after_backward(m):
    class F(m.Function):
        @staticmethod
        def forward(ctx, x):
            t = x * 3
            refs.append(weakref.ref(t))
            ctx.save_for_backward(t)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g

    refs, x = [], m.leaf(1, 2)
    y = F.apply(x).sum()
    y.backward()
    return [refs[0]() is None, x.grad]


@scenario
def packed_values_die_with_the_graph(m):
    def make(token):
        x = m.leaf(1, 2)
        with m.graph.saved_tensors_hooks(lambda t: (t.detach(), token), lambda v: v[0]):
            return x.exp()

    return dies(make)


@scenario
def packed_values_die_after_backward(m):
    token = Token()
    ref, x = weakref.ref(token), m.leaf(1, 2)
    with m.graph.saved_tensors_hooks(lambda t, token=token: (t.detach(), token), lambda v: v[0]):
        y = x.exp().sum()
    del token
    before = ref() is not None
    y.backward()
    return [before, ref() is None, x.grad]


@scenario
def a_checkpoint_dies_with_its_graph(m):
    def make(token):
        def f(x, token):
            return x.sin()

        return m.checkpoint(f, m.leaf(1, 2), token)

    return dies(make, collect=True)


@scenario
def a_leaf_lives_while_a_graph_leads_to_it(m):
    x = m.leaf(1, 2)
    ref = weakref.ref(x)
    y = x * 2
    del x
    alive = ref() is not None
    y.sum().backward()
    grad = ref().grad
    del y
    return [alive, grad, ref() is None]


@scenario
def detached_tensors_let_the_graph_die(m):
    def make(token):
        y = m.leaf(1, 2) * 2
        y.grad_fn.metadata["token"] = token
        return y.detach()

    token = Token()
    ref = weakref.ref(token)
    kept = make(token)
    del token
    return [ref() is None, kept]


@scenario
def detach_in_place_lets_the_graph_die(m):
    token = Token()
    ref = weakref.ref(token)
    y = m.leaf(1, 2) * 2
    y.grad_fn.metadata["token"] = token
    del token
    before = ref() is not None
    y.detach_()
    return [before, ref() is None]


@scenario
def overwriting_a_loop_variable_frees_as_it_goes(m):
    refs, x = [], m.leaf(1, 2)
    for _ in range(5):
        y = x * 2
        refs.append(weakref.ref(y))
        y.sum().backward()
    return [sum(ref() is not None for ref in refs), x.grad]


@scenario
def an_exception_keeps_nothing(m):
    token = Token()
    ref = weakref.ref(token)
    y = m.leaf(1, 2) * 2

    def fail(g, token=token):
        raise ValueError

    y.register_hook(fail)
    error = m.attempt(y.sum().backward)
    del token, fail, y
    gc.collect()
    return [error, ref() is None]


@scenario
def a_view_dies_before_its_base(m):
    y = m.leaf(1, 2, 3) * 1
    v = y[1:]
    ref = weakref.ref(v)
    v.mul_(2)
    del v
    return [ref() is None, y]


@scenario
def a_base_dies_while_its_view_lives(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    del y
    v.mul_(2)
    v.sum().backward()
    return [v, x.grad]


@scenario
def a_long_chain_is_freed(m):
    x = m.leaf(1, 2)
    y = x
    for _ in range(20000):
        y = y + 1
    values = y.detach()
    del y
    return values


@scenario
def a_long_chain_is_freed_by_backward(m):
    x = m.leaf(1, 2)
    y = x
    for _ in range(5000):
        y = y * 1.0
    y.sum().backward()
    del y
    return x.grad


@scenario(differs="the cycle is collected")
def closures_over_a_graph(m):
    def make(token):
        x = m.leaf(1, 2)
        y = x * 2
        box = [token]

        def again():
            return y, box, again

        y.register_hook(lambda g: (again, None)[1])
        return again

    return dies(make, collect=True)


@scenario(differs="the cycle is collected")
def two_graphs_that_hold_each_other(m):
    def make(token):
        a, b = m.leaf(1, 2) * 2, m.leaf(3, 4) * 2
        a.register_hook(lambda *args: (b, token, None)[-1])
        b.register_hook(lambda *args: (a, token, None)[-1])
        return a, b

    return dies(make, collect=True)


@scenario(differs="the cycle is collected")
def a_gradient_set_to_a_result_of_its_own_leaf(m):
    def make(token):
        x = m.leaf(1, 2)
        x.register_hook(held(token))
        x.grad = x * 2
        return x

    return dies(make, collect=True)


def passed(m):
    """A Function that passes its input on, times 2."""

    class Passed(m.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    return Passed.apply


@scenario(differs="the cycle is collected")
def hooks_that_know_later_results(m):
    out = []
    for between in (lambda x: x * 2, passed(m), lambda x: m.halves(x)[1]):
        for kind in ("register_hook", "register_post_accumulate_grad_hook"):

            def make(token, between=between, kind=kind):
                x, known = m.leaf(1, 2), []
                getattr(x, kind)(lambda *args: (known, token, None)[-1])
                y = between(x)
                known.append(y * 3)

            out.append(dies(make, collect=True)[1])
    return out


@scenario(differs="the cycle is collected")
def hooks_registered_after_the_results_that_they_know(m):
    out = []
    for between in (lambda x: x * 2, passed(m), lambda x: m.halves(x)[1]):
        for which in range(3):

            def make(token, between=between, which=which):
                x = m.leaf(1, 2)
                y = between(x)
                z = y * y
                (x, y, z)[which].register_hook(lambda *args: (z, token, None)[-1])

            out.append(dies(make, collect=True)[1])
    return out


@scenario(differs="the cycle is collected")
def node_hooks_that_know_later_results(m):
    def make(token):
        y = passed(m)(m.leaf(1, 2) * 1)
        z = y * y
        y.grad_fn.register_hook(lambda *args: (z, token, None)[-1])
        y.grad_fn.next_functions[0][0].register_prehook(lambda *args: (z, None)[-1])

    return dies(make, collect=True)
