"""`Tensor.data`: what may be given to whom, and what graphs make of it."""

import numpy as np
import pytest

import fastgrad as fg


def leaf(*data):
    return fg.tensor(data or (1.0, 2.0, 3.0), requires_grad=True)


def with_graph():
    return leaf() * 2


def with_gradient():
    x = leaf()
    (x * x).sum().backward()
    return x.requires_grad_(False)


def a_view():
    return fg.ones(6)[:3]


@pytest.mark.parametrize("make", [with_graph, a_view])
@pytest.mark.parametrize(
    "value", [lambda: fg.ones(7), lambda: fg.ones(()), lambda: fg.ones((1, 3)), lambda: fg.ones(3, dtype=np.float32)]
)
def test_data_of_another_kind_is_refused(make, value):
    x = make()
    before = (x.detach().tolist(), x.shape, x.dtype, x.requires_grad, x.grad, x._version)
    with pytest.raises(RuntimeError, match="keeps its shape and dtype"):
        x.data = value()
    assert before == (x.detach().tolist(), x.shape, x.dtype, x.requires_grad, x.grad, x._version)


def test_data_of_a_leaf_may_have_another_shape():
    x = leaf()
    (x * x).sum().backward()
    graph = (x * x).sum()
    x.data = fg.ones(7)
    with pytest.raises(RuntimeError):  # it would have the shape that x had
        graph.backward()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0] * 7
    with pytest.raises(RuntimeError, match="floating"):
        x.data = fg.ones(7, dtype="int64")


@pytest.mark.parametrize("make", [leaf, with_graph, with_gradient, a_view])
def test_data_of_the_same_kind_is_taken(make):
    x = make()
    x.data = fg.tensor([7.0, 8.0, 9.0])
    assert x.detach().tolist() == [7.0, 8.0, 9.0]


def test_data_of_a_plain_tensor_is_anything():
    x = fg.ones(3)
    for value in (fg.zeros((2, 2)), fg.ones(5, dtype=np.int64), fg.tensor(1.0), leaf()):
        x.data = value
        assert x.shape == value.shape and x.dtype == value.dtype and not x.requires_grad
    for value in (np.ones(3), [1.0], 1.0, None):
        with pytest.raises(TypeError, match="Tensor"):
            x.data = value


def test_data_under_a_graph_leaves_the_graph_what_it_saved():
    x = leaf()
    y = x * x
    x.data = fg.tensor([10.0, 20.0, 30.0])
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    (x * x).sum().backward()
    assert x.grad.tolist() == [22.0, 44.0, 66.0]


def test_a_gradient_whose_data_has_another_shape():
    x = fg.ones(3, requires_grad=True)
    (x * x).sum().backward()
    x.grad.data = fg.ones(2)
    with pytest.raises(RuntimeError, match=r"\(2,\).*\(3,\)"):
        (x * x).sum().backward()
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0] * 3
