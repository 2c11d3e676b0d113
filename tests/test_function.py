"""Custom Functions: what they may be written like, what becomes of their outputs, and what they are told when wrong."""

import gc
import weakref

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.autograd import Function
from fastgrad.autograd.function import once_differentiable


def leaf(values=(1.0, 2.0)):
    return fg.tensor(list(values), requires_grad=True)


def make(forward, backward=lambda ctx, *grads: grads[0], **methods):
    """A Function of these static methods."""
    methods = {"forward": forward, "backward": backward, **methods}
    return type("Made", (Function,), {name: staticmethod(method) for name, method in methods.items()})


def values(t):
    return t.detach().numpy().tolist()


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x


class Scale(Function):
    """The other style: the context is filled afterwards."""

    @staticmethod
    def forward(x, factor=3.0):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.factor = inputs[1]
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


# ---------------------------------------------------------------- forward, backward, and the node between


def test_the_gradient_is_what_backward_gives():
    x = leaf()
    Square.apply(x).sum().backward()
    assert values(x.grad) == [2.0, 4.0]


def test_the_context_is_the_node():
    x = leaf()
    y = Square.apply(x)
    assert type(y.grad_fn) is Square._backward_cls
    assert isinstance(y.grad_fn, fg.autograd.graph.Node)
    assert y.grad_fn.name() == "SquareBackward" and repr(y.grad_fn) == "<SquareBackward>"
    assert y.grad_fn.next_functions[0][0].variable is x
    assert y.grad_fn.needs_input_grad == (True,)
    assert y.grad_fn.saved_tensors[0] is x


def test_attributes_of_the_context_stay():
    def forward(ctx, x, n):
        ctx.n = n
        return x * n

    x = leaf()
    y = make(forward, lambda ctx, g: (g * ctx.n, None)).apply(x, 5)
    assert y.grad_fn.n == 5
    y.grad_fn.other = "seen"
    assert y.grad_fn.other == "seen"
    with pytest.raises(AttributeError, match="MadeBackward"):
        y.grad_fn.missing  # noqa: B018
    y.sum().backward()
    assert values(x.grad) == [5.0, 5.0]


@pytest.mark.parametrize(
    "call", [lambda x: Scale.apply(x), lambda x: Scale.apply(x=x), lambda x: Scale.apply(x, factor=3.0)]
)
def test_setup_context_sees_every_argument_with_its_default(call):
    x = leaf()
    y = call(x)
    assert y.grad_fn.needs_input_grad == (True, False)
    assert values(y.grad_fn.saved_tensors[1]) == [3.0, 6.0]
    y.sum().backward()
    assert values(x.grad) == [3.0, 3.0]


def test_forward_runs_without_recording_and_backward_records_if_asked():
    seen = []

    def forward(ctx, x):
        seen.append(fg.is_grad_enabled())
        return x * 2

    def backward(ctx, g):
        seen.append(fg.is_grad_enabled())
        return g * 2

    x = leaf()
    y = make(forward, backward).apply(x)
    fg.autograd.grad(y.sum(), x, retain_graph=True)
    fg.autograd.grad(y.sum(), x, create_graph=True)
    assert seen == [False, False, True]


@pytest.mark.parametrize("inputs", ["no_grad", "detached"])
def test_nothing_is_recorded_where_no_gradient_is_wanted(inputs):
    x = leaf() if inputs == "no_grad" else leaf().detach()
    with fg.set_grad_enabled(inputs != "no_grad"):
        y = Square.apply(x)
    assert y.grad_fn is None and not y.requires_grad
    assert values(y) == [1.0, 4.0]


def test_a_non_tensor_argument_has_no_gradient():
    x = leaf()
    y = make(lambda ctx, x, text, numbers: x * len(numbers), lambda ctx, g: (g, None, None)).apply(x, "a", [1, 2])
    y.sum().backward()
    assert y.grad_fn.needs_input_grad == (True, False, False)
    assert values(x.grad) == [1.0, 1.0]


def test_superfluous_gradients_may_be_none():
    x = leaf()
    make(lambda ctx, x: x * 1, lambda ctx, g: (g, None, None)).apply(x).sum().backward()
    assert values(x.grad) == [1.0, 1.0]


def test_no_gradient_at_all_leaves_grad_none():
    x = leaf()
    make(lambda ctx, x: x * 1, lambda ctx, g: None).apply(x).sum().backward()
    assert x.grad is None


def test_a_gradient_of_a_wider_shape_is_summed_and_its_dtype_is_fitted():
    x = leaf()
    make(lambda ctx, x: x * 1, lambda ctx, g: fg.ones((5, 2), dtype="float32")).apply(x).sum().backward()
    assert values(x.grad) == [5.0, 5.0] and x.grad.dtype == np.float64


def test_vjp_is_another_name_for_backward():
    function = type(
        "V", (Function,), {"forward": staticmethod(lambda ctx, x: x * 2), "vjp": staticmethod(lambda ctx, g: g * 2)}
    )
    x = leaf()
    function.apply(x).sum().backward()
    assert values(x.grad) == [2.0, 2.0]


def test_node_hooks_run_around_backward():
    x, seen = leaf(), []
    y = Square.apply(x)
    y.grad_fn.register_prehook(lambda gs: seen.append(("pre", values(gs[0]))))
    y.grad_fn.register_hook(lambda gi, go: seen.append(("post", values(gi[0]), values(go[0]))))
    y.sum().backward()
    assert seen == [("pre", [1.0, 1.0]), ("post", [2.0, 4.0], [1.0, 1.0])]


# ---------------------------------------------------------------- outputs


def test_several_outputs_are_results_of_one_node():
    x = leaf()
    a, b = make(lambda ctx, x: (x * 2, x * 3), lambda ctx, g, h: 2 * g + 3 * h).apply(x)
    assert a.grad_fn is b.grad_fn and (a.output_nr, b.output_nr) == (0, 1)
    (a.sum() + 10 * b.sum()).backward()
    assert values(x.grad) == [32.0, 32.0]


@pytest.mark.parametrize("materialize", [True, False])
def test_a_missing_gradient_is_zeros_or_none(materialize):
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(materialize)
        return x * 2, x.sum()

    def backward(ctx, g, h):
        seen.append(h)
        return g

    x = leaf()
    make(forward, backward).apply(x)[0].sum().backward()
    assert (seen[0] is None) if not materialize else (values(seen[0]) == 0.0 and seen[0].shape == ())


def test_outputs_that_are_no_tensors_are_handed_through():
    x, seen = leaf(), []
    y, text, nothing, n = make(
        lambda ctx, x: (x * 2, "text", None, fg.tensor([1, 2])), lambda ctx, *gs: (seen.append(gs), gs[0])[1]
    ).apply(x)
    assert text == "text" and nothing is None
    assert n.dtype == np.int64 and not n.requires_grad
    y.sum().backward()
    assert seen[0][1] is None and seen[0][2] is None and values(seen[0][3]) == [0, 0]
    out = make(lambda ctx, x: [x * 2]).apply(x)
    assert type(out) is list and not out[0].requires_grad


def test_an_output_marked_as_constant_does_not_require_grad():
    def forward(ctx, x):
        order = x * 1
        ctx.mark_non_differentiable(order)
        return x * 2, order

    x, seen = leaf(), []
    a, b = make(forward, lambda ctx, g, h: (seen.append(values(h)), 2 * g)[1]).apply(x)
    assert a.requires_grad and not b.requires_grad
    a.sum().backward()
    assert seen == [[0.0, 0.0]] and values(x.grad) == [2.0, 2.0]


def test_an_input_that_is_returned_is_another_tensor_on_the_same_memory():
    x = leaf()
    z = x * 1
    y = make(lambda ctx, x: x, lambda ctx, g: 10 * g).apply(z)
    assert y is not z and y.grad_fn is not z.grad_fn and z.grad_fn.name() == "MulBackward"
    assert np.shares_memory(y.detach().numpy(), z.detach().numpy())
    y.sum().backward()
    assert values(x.grad) == [10.0, 10.0]
    with pytest.raises(RuntimeError, match="custom Function"):
        y.mul_(2)


def test_a_view_that_is_returned_cannot_be_written_and_can_be_read():
    x = leaf()
    z = x * 1
    y = make(lambda ctx, x: x[:1], lambda ctx, g: fg.concat([g, 0 * g])).apply(z)
    y.sum().backward()
    assert values(x.grad) == [1.0, 0.0]
    with pytest.raises(RuntimeError, match="custom Function"):
        y += 1


def test_the_same_tensor_twice_is_its_last_place():
    def forward(ctx, x):
        y = x * 2
        return y, y

    x, seen = leaf(), []
    a, b = make(forward, lambda ctx, g, h: (seen.append((values(g), values(h))), g + h)[1]).apply(x)
    assert a is b and a.output_nr == 1
    a.sum().backward()
    assert seen == [([0.0, 0.0], [1.0, 1.0])]


def test_a_tensor_from_elsewhere_keeps_its_own_graph():
    other = leaf() * 2
    node = other.grad_fn
    y = make(lambda ctx, x: other).apply(leaf())
    assert other.grad_fn is node and y.grad_fn.name() == "MadeBackward"


# ---------------------------------------------------------------- inputs written in place


def doubled(ctx, x):
    x.mul_(2)
    ctx.mark_dirty(x)
    return x


def test_a_dirty_input_is_the_output():
    x = leaf()
    z = x * 1
    y = make(doubled, lambda ctx, g: 2 * g).apply(z)
    assert y is z and z.grad_fn.name() == "MadeBackward"
    (z * z).sum().backward()
    assert values(x.grad) == [8.0, 16.0]


def test_a_dirty_view_rewrites_the_history_of_its_base():
    x = leaf()
    base = x * 1
    view = base[:1]
    y = make(doubled, lambda ctx, g: 2 * g).apply(view)
    assert y is view and base.grad_fn.name() == "CopySlices"
    base.sum().backward()
    assert values(x.grad) == [2.0, 1.0]


def test_a_write_by_numpy_counts_when_it_is_marked():
    def forward(ctx, x):
        x.detach().numpy()[...] *= 2
        ctx.mark_dirty(x)
        return x

    x = leaf()
    z = x * 1
    y = fg.exp(z) * z
    make(forward, lambda ctx, g: 2 * g).apply(z)
    assert z._version == 1
    with pytest.raises(RuntimeError, match="modified"):
        y.sum().backward()


def test_a_tensor_without_a_graph_gets_one_when_written():
    def forward(ctx, target, x):
        target.mul_(x)
        ctx.mark_dirty(target)
        return target

    x, target = leaf(), fg.ones(2)
    make(forward, lambda ctx, g: (None, g)).apply(target, x)
    assert target.requires_grad
    target.sum().backward()
    assert values(x.grad) == [1.0, 1.0]


def test_what_cannot_be_written_raises():
    with pytest.raises(RuntimeError, match="leaf"):
        make(doubled).apply(leaf())
    with pytest.raises(RuntimeError, match="not returned as output"):
        make(lambda ctx, x: (ctx.mark_dirty(x), x * 1)[1]).apply(leaf() * 1)


# ---------------------------------------------------------------- saved tensors


def test_saved_tensors_are_checked_for_writes():
    x = leaf()
    z = x * 1
    y = Square.apply(z)
    z.mul_(2)
    with pytest.raises(RuntimeError, match=r"modified by an in-?place operation"):
        y.sum().backward()


def test_a_saved_output_is_checked_for_writes():
    def forward(ctx, x):
        y = fg.exp(x)
        ctx.save_for_backward(y)
        return y

    y = make(forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(leaf())
    y.mul_(2)
    with pytest.raises(RuntimeError, match=r"modified by an in-?place operation"):
        y.sum().backward()


def test_saved_tensors_are_freed_and_a_function_that_saved_none_runs_again():
    y = Square.apply(leaf()).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    x = leaf()
    y = make(lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x).sum()
    y.backward()
    y.backward()
    assert values(x.grad) == [4.0, 4.0]
    y = Square.apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()


def test_none_may_be_saved():
    def forward(ctx, x):
        ctx.save_for_backward(x, None)
        return x * 1

    assert make(forward).apply(leaf()).grad_fn.saved_tensors[1] is None


def test_saved_tensors_pass_through_hooks():
    packed = []
    with fg.autograd.graph.saved_tensors_hooks(lambda t: (packed.append(1), t.detach().numpy().copy())[1], fg.tensor):
        x = leaf()
        y = Square.apply(x)
    assert packed == [1]
    y.sum().backward()
    assert values(x.grad) == [2.0, 4.0]


# ---------------------------------------------------------------- more than once


def test_backward_can_be_differentiated():
    x = leaf((0.5, 1.5))
    assert fg.autograd.gradcheck(Square.apply, x)
    assert fg.autograd.gradgradcheck(Square.apply, x)


def test_a_saved_output_can_be_differentiated():
    def forward(ctx, x):
        y = fg.exp(x)
        ctx.save_for_backward(y)
        return y

    exp = make(forward, lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf((0.5, 1.5))
    assert fg.autograd.gradgradcheck(exp.apply, x)
    (first,) = fg.autograd.grad(exp.apply(x).sum(), x, create_graph=True)
    (second,) = fg.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = fg.autograd.grad(second.sum(), x)
    np.testing.assert_allclose(third.numpy(), np.exp([0.5, 1.5]))


def test_once_differentiable_says_so():
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    function = make(forward, once_differentiable(lambda ctx, g: 2 * g * ctx.saved_tensors[0]))
    x, w = leaf(), leaf((1.0, 1.0))
    (g,) = fg.autograd.grad(function.apply(x), x, w, create_graph=True)
    assert g.requires_grad and values(g) == [2.0, 4.0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()
    (g,) = fg.autograd.grad(function.apply(x).sum(), x)
    assert not g.requires_grad


def test_backward_within_backward():
    """Checkpointing by hand: forward without a graph, and the graph made in backward."""

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return fg.sin(x) * x

    def backward(ctx, g):
        with fg.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            (fg.sin(x) * x).backward(g)
        return x.grad

    x = leaf()
    make(forward, backward).apply(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos([1, 2]) * [1, 2] + np.sin([1, 2]))


def test_functions_within_functions_to_any_depth():
    class Deep(Function):
        @staticmethod
        def forward(ctx, x, depth):
            ctx.depth = depth
            return x * 1

        @staticmethod
        def backward(ctx, g):
            if ctx.depth:
                with fg.enable_grad():
                    x = fg.ones(1, requires_grad=True)
                    Deep.apply(x, ctx.depth - 1).sum().backward()
                g = g + x.grad
            return g, None

    x = fg.ones(1, requires_grad=True)
    Deep.apply(x, 200).sum().backward()
    assert values(x.grad) == [201.0]


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("save", ["input", "output", "both"])
def test_a_saved_value_makes_no_cycle(save):
    def forward(ctx, x):
        y = x * 2
        ctx.save_for_backward(*{"input": [x], "output": [y], "both": [x, y]}[save])
        return y

    gc.disable()
    try:
        y = make(forward).apply(leaf())
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


@pytest.mark.filterwarnings("ignore:vmap")
def test_a_function_that_is_no_longer_used_goes():
    def use():
        function = make(lambda x: x * 2, lambda ctx, g: 2 * g, setup_context=lambda ctx, inputs, output: None)
        function.apply(leaf()).sum().backward()
        fg.func.vmap(function.apply)(np.ones((2, 2)))
        return weakref.ref(function)

    gone = use()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("close", ["forward", "later", "closure", "downstream"])
def test_a_cycle_through_an_attribute_is_collected(close):
    def forward(ctx, x):
        y = x * 2
        if close == "forward":
            ctx.y = y
        return y

    y = make(forward).apply(leaf())
    if close == "later":
        y.grad_fn.y = y
    elif close == "closure":
        y.grad_fn.f = (lambda held: lambda: held)(y)
    elif close == "downstream":
        y.grad_fn.z = fg.exp(y) * 3
    node = weakref.ref(y.grad_fn)
    del y
    gc.collect()
    assert node() is None


@pytest.mark.parametrize("job", ["function", "dirty", "checkpoint", "hooks", "batched"])
def test_an_allocation_that_fails_is_a_memory_error(job):
    backend = fg.autograd._backend
    if not hasattr(backend, "fail_allocation_after"):
        pytest.skip("the reference backend allocates nothing itself")

    def run(x):
        with (
            fg.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t)
            if job == "hooks"
            else fg.enable_grad()
        ):
            if job == "dirty":
                z = x * 1
                make(doubled, lambda ctx, g: 2 * g).apply(z[:1])
            else:
                z = fg.autograd.checkpoint(Square.apply, x) if job == "checkpoint" else Square.apply(x)
        if job == "batched":
            return fg.autograd.grad(z, x, np.eye(2), is_grads_batched=True)[0].tolist()
        return fg.autograd.grad(z.sum(), x)[0].tolist()

    expected = run(leaf())
    failures = 0
    for n in range(200):
        x = leaf()
        backend.fail_allocation_after(n)
        try:
            found = run(x)
        except MemoryError:
            failures += 1
            continue
        finally:
            backend.fail_allocation_after(-1)
        assert found == expected
    assert 0 < failures < 200
    assert run(leaf()) == expected


# ---------------------------------------------------------------- what is wrong


def wrong(backward, *args):
    make(lambda ctx, x, *more: x * 1, backward).apply(leaf(), *args).sum().backward()


# fmt: off
WRONG = {
    "too few gradients":   (lambda: wrong(lambda ctx, g: g, leaf()),               RuntimeError, r"MadeBackward returned an incorrect number of gradients \(expected 2, got 1\)"),
    "too many gradients":  (lambda: wrong(lambda ctx, g: (g, g)),                  RuntimeError, r"\(expected 1, got 2\)"),
    "a list of gradients": (lambda: wrong(lambda ctx, g: [g, g], leaf()),          RuntimeError, r"\(expected 2, got 1\)"),
    "one for a constant":  (lambda: wrong(lambda ctx, g: (g, g), 3.0),             RuntimeError, r"different than None at position 2"),
    "a float":             (lambda: wrong(lambda ctx, g: 3.0),                     RuntimeError, r"expected a Tensor or None as gradient, got float"),
    "an ndarray":          (lambda: wrong(lambda ctx, g: np.ones(2)),              RuntimeError, r"got ndarray; make a Tensor of it by fastgrad.asarray"),
    "a wrong shape":       (lambda: wrong(lambda ctx, g: fg.ones(3)),              RuntimeError, r"MadeBackward returned an invalid gradient at index 0 - got \[3\] but expected shape compatible with \[2\]"),
    "a narrower shape":    (lambda: wrong(lambda ctx, g: fg.ones(1)),              RuntimeError, r"got \[1\] but expected"),
    "an error of its own": (lambda: wrong(lambda ctx, g: 1 / 0),                   ZeroDivisionError, "division"),
    "saving a number":     (lambda: make(lambda ctx, x: (ctx.save_for_backward(x, 3), x * 1)[1]).apply(leaf()), TypeError, r"argument 1 is of type int"),
    "dirty number":        (lambda: make(lambda ctx, x: (ctx.mark_dirty(3), x * 1)[1]).apply(leaf()), RuntimeError, r"mark_dirty.*argument 0 is of type int"),
    "constant number":     (lambda: make(lambda ctx, x: (ctx.mark_non_differentiable(3), x * 1)[1]).apply(leaf()), RuntimeError, r"mark_non_differentiable"),
    "an instance":         (lambda: Square()(leaf()),                              RuntimeError, r"Legacy autograd function with non-static forward"),
    "no forward":          (lambda: type("F", (Function,), {}).apply(leaf()),      NotImplementedError, r"forward function"),
    "no backward":         (lambda: type("F", (Function,), {"forward": staticmethod(lambda ctx, x: x * 1)}).apply(leaf()).sum().backward(), NotImplementedError, r"backward or vjp"),
    "backward and vjp":    (lambda: make(lambda ctx, x: x * 1, vjp=lambda ctx, g: g).apply(leaf()).sum().backward(), RuntimeError, r"both 'backward' and 'vjp'"),
    "a keyword unknown":   (lambda: Square.apply(leaf(), other=3),                 TypeError, r"other"),
    "input saved as output": (lambda: make(lambda x: x, setup_context=lambda ctx, i, o: ctx.save_for_backward(o)).apply(leaf() * 1), RuntimeError, r"returned as-is"),
}
# fmt: on


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case):
    run, kind, text = WRONG[case]
    with pytest.raises(kind, match=text):
        run()
    x = leaf()  # and nothing is left behind
    Square.apply(x).sum().backward()
    assert values(x.grad) == [2.0, 4.0]
