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


CYCLES = [
    through_a_hook,
    through_a_hook_on_what_was_recorded_before_it,
    through_a_hook_of_a_leaf_and_what_it_is_given_later,
    through_a_gradient_with_a_graph,
    through_a_gradient_written_in_place,
    through_a_view_of_a_gradient,
    through_metadata,
]


@pytest.mark.parametrize("make", CYCLES)
def test_a_cycle_is_collected(make):
    gc.collect()
    alive = [weakref.ref(make()) for _ in range(5)]
    gc.collect()
    assert [ref() for ref in alive] == [None] * 5
