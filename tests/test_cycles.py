"""Cycles through hooks, gradients and metadata: the cycle collector finds each of them."""

import gc
import weakref

import pytest

import fastgrad as fg


def through_a_hook():
    x = fg.ones(3, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: y and None)
    return y


def through_a_hook_on_what_was_recorded_before_it():
    x = fg.ones(3, requires_grad=True)
    y = x * 2
    z = y * 3
    y.register_hook(lambda g: z and None)
    return z


def through_a_hook_of_a_leaf_and_what_it_is_given_later():
    x, later = fg.ones(3, requires_grad=True), []
    x.register_hook(lambda g: later and None)
    later.append(x * 2)
    return x


def through_a_gradient_with_a_graph():
    x = fg.ones(3, requires_grad=True)
    (x * x).sum().backward(create_graph=True)
    return x


def through_a_gradient_written_in_place():
    x = fg.ones(3, requires_grad=True)
    x.grad = fg.zeros(3)
    x.grad.mul_(x * 2)
    return x


def through_a_view_of_a_gradient():
    x = fg.ones(6, requires_grad=True)
    x.grad = fg.zeros(6)
    part = x.grad[:5]
    part += x[:5]
    return x


def through_metadata():
    x = fg.ones(3, requires_grad=True)
    z = x * 2
    z.grad_fn.metadata["result"] = z
    return z


def through_metadata_of_what_was_recorded_before():
    x = fg.ones(3, requires_grad=True)
    y = x * 2
    z = y * 3
    y.grad_fn.metadata.update(later=[z])
    return z


def through_a_hook_of_a_node():
    x = fg.ones(3, requires_grad=True)
    y = x * 2
    z = y * 3
    y.grad_fn.register_hook(lambda inputs, outputs: z and None)
    return z


def through_a_prehook_of_a_node():
    x = fg.ones(3, requires_grad=True)
    y = x * 2
    z = y * 3
    y.grad_fn.register_prehook(lambda outputs: z and None)
    return z


def through_a_hook_of_the_accumulator():
    x = fg.ones(3, requires_grad=True)
    z = x * 3
    z.grad_fn.next_functions[0][0].register_hook(lambda inputs, outputs: z and None)
    return z


def through_a_hook_after_accumulation():
    x = fg.ones(3, requires_grad=True)
    z = x * 3
    x.register_post_accumulate_grad_hook(lambda leaf: z and None)
    return x


class Double(fg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        out = x * 2
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, g):
        return g * 2


def through_an_attribute_of_a_context():
    y = Double.apply(fg.ones(3, requires_grad=True))
    y.grad_fn.result = y
    return y


def through_an_attribute_of_a_context_set_later():
    y = Double.apply(fg.ones(3, requires_grad=True))
    z = fg.exp(y) * 3
    y.grad_fn.later = lambda: z
    return z


def through_a_hook_of_the_input_of_a_function():
    x = fg.ones(3, requires_grad=True)
    y = Double.apply(x)
    x.register_hook(lambda g: y and None)
    return y


def through_a_hook_before_a_function():
    x, later = fg.ones(3, requires_grad=True) * 2, []
    x.register_hook(lambda g: later and None)
    y = Double.apply(x)
    later.append(y)
    return y


def through_a_packed_result():
    x = fg.ones(3, requires_grad=True)
    with fg.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        return fg.exp(x * 2)


def through_a_packed_value_and_what_is_added_to_it_later():
    x, later = fg.ones(3, requires_grad=True), []
    with fg.autograd.graph.saved_tensors_hooks(lambda t: (later, t), lambda pair: pair[1]):
        y = fg.exp(x * 2)
    later.append(y * 2)
    return y


CYCLES = [
    through_a_hook,
    through_a_hook_on_what_was_recorded_before_it,
    through_a_hook_of_a_leaf_and_what_it_is_given_later,
    through_a_gradient_with_a_graph,
    through_a_gradient_written_in_place,
    through_a_view_of_a_gradient,
    through_metadata,
    through_metadata_of_what_was_recorded_before,
    through_a_hook_of_a_node,
    through_a_prehook_of_a_node,
    through_a_hook_of_the_accumulator,
    through_a_hook_after_accumulation,
    through_an_attribute_of_a_context,
    through_an_attribute_of_a_context_set_later,
    through_a_hook_of_the_input_of_a_function,
    through_a_hook_before_a_function,
    through_a_packed_result,
    through_a_packed_value_and_what_is_added_to_it_later,
]


@pytest.mark.parametrize("make", CYCLES)
def test_a_cycle_is_collected(make):
    gc.collect()
    alive = [weakref.ref(make()) for _ in range(5)]
    gc.collect()
    assert [ref() for ref in alive] == [None] * 5


def test_a_saved_result_makes_no_cycle():
    gc.collect()
    gc.disable()
    try:
        y = Double.apply(fg.ones(3, requires_grad=True))
        alive = weakref.ref(y)
        del y
        assert alive() is None
    finally:
        gc.enable()
