"""Arrays made of numbers and of Tensors, which keep their graph."""

import numpy as np
import pytest

import fastgrad as fg

# ---------------------------------------------------------------- numbers between two others


def test_spaces_are_differentiable_in_their_ends():
    x, y = fg.tensor(1.0, requires_grad=True), fg.tensor(3.0, requires_grad=True)
    fg.linspace(x, y, 5)[1].backward()
    assert (x.grad.item(), y.grad.item()) == (0.75, 0.25)
    np.linspace(0.0, y, 5, endpoint=False).sum().backward()
    assert y.grad.item() == 0.25 + 2.0
    base = fg.tensor(2.0, requires_grad=True)
    fg.logspace(0, 3, 4, base=base).sum().backward()
    assert base.grad.item() == 1 + 4 + 12
    assert fg.linspace(0.0, 1.0, 3, requires_grad=True).is_leaf


def test_spaces_refuse_what_they_cannot_do():
    x = fg.tensor(1.0)
    with pytest.raises(ValueError, match="non-negative"):
        fg.linspace(x, 2.0, -1)
    with pytest.raises(ValueError, match="zero"):
        fg.geomspace(fg.tensor(0.0), 1.0)
    with pytest.raises(ValueError, match="device"):
        fg.linspace(x, 2.0, 3, device="gpu")


# ---------------------------------------------------------------- arrays of Tensors with a graph


def test_sequences_of_tensors_become_arrays_with_a_graph():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    out = fg.asarray([[x[0], 1], (2.5, x[1] * x[0])])
    assert out.tolist() == [[1.0, 1.0], [2.5, 2.0]]
    out.sum().backward()
    assert x.grad.tolist() == [3.0, 1.0]
    assert fg.asarray([x, x], dtype="float32").dtype == np.float32
    same = fg.asarray([np.ones(2, "float32"), x.detach()])
    assert same.dtype == np.float64 and not same.requires_grad
    assert fg.func.vmap(lambda v: fg.asarray([v[1], v[0]]))(fg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [
        [2, 1],
        [4, 3],
    ]
    with pytest.raises(ValueError, match="copy"):
        fg.asarray([x, x], copy=False)
    with pytest.raises(ValueError, match="shape"):
        fg.asarray([x, [1.0, 2.0, 3.0]])


def test_a_value_that_fills_an_array_gets_the_gradient_of_all():
    x = fg.tensor(2.0, requires_grad=True)
    (fg.full((2, 3), x).sum() + fg.full_like(np.ones(4, "float32"), x).sum()).backward()
    assert x.grad.item() == 10
    assert fg.full_like(np.ones(4, "float32"), x).dtype == np.float32
    assert fg.full(2, x, dtype=int).tolist() == [2, 2]
    out = fg.full(3, x)
    out[0] = 0.0  # memory of its own
    assert out.tolist() == [0, 2, 2] and fg.full(1, x.detach()).is_leaf
    assert fg.func.vmap(lambda v: fg.full(2, v))(fg.tensor([1.0, 3.0])).tolist() == [[1, 1], [3, 3]]
