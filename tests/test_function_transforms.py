"""Custom Functions under the transforms of fastgrad.func: tangents, batches, and gradients of many at once."""

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.autograd import Function


def make(forward, **methods):
    """A Function of these static methods."""
    methods = {"forward": forward, "backward": lambda ctx, *grads: grads[0], **methods}
    return type("Made", (Function,), {name: staticmethod(method) for name, method in methods.items()})


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x


class Cube(Function):
    """Its tangent follows from its backward; there is no rule for batches."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * x * x * y, y * y

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return 3 * g * x * x * y, g * x * x * x + 2 * h * y


def cube(x, y):
    return x * x * x * y, y * y


class Straight(Function):
    """Its backward and its jvp say 1, whatever the derivative is."""

    @staticmethod
    def forward(x):
        return fg.sign(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def backward(ctx, g):
        return g * (abs(ctx.saved_tensors[0]) < 1)

    @staticmethod
    def jvp(ctx, t):
        return t * (abs(ctx.saved_tensors[0]) < 1)

    @staticmethod
    def vmap(info, in_dims, x):
        return Straight.apply(x), in_dims[0]


@pytest.fixture
def once():
    """Whether a Function has been warned about is a state of the process: here none has."""
    from fastgrad.autograd import _function_rules

    _function_rules._warned.clear()


POINT = (np.array([0.5, -1.5]), np.array([2.0, 3.0]))


def test_a_tangent_follows_from_backward():
    t = (np.array([1.0, 2.0]), np.array([0.5, -1.0]))
    for a, b in zip(fg.func.jvp(Cube.apply, POINT, t), fg.func.jvp(cube, POINT, t)):
        np.testing.assert_allclose(a[0], b[0])
        np.testing.assert_allclose(a[1], b[1])


def test_a_tangent_is_what_jvp_says():
    x = np.array([0.5, 2.0])
    out, t = fg.func.jvp(Straight.apply, (x,), (np.array([3.0, 4.0]),))
    assert out.tolist() == [1.0, 1.0] and t.tolist() == [3.0, 0.0]
    assert fg.func.grad(lambda x: Straight.apply(x).sum())(x).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("transform", ["jacrev", "jacfwd", "hessian", "jacfwd of jacfwd", "jacrev of jacfwd"])
@pytest.mark.filterwarnings("ignore:vmap")
def test_transforms_go_through(transform):
    func = fg.func
    outer = {
        "jacrev": func.jacrev, "jacfwd": func.jacfwd, "hessian": func.hessian,
        "jacfwd of jacfwd": lambda f: func.jacfwd(func.jacfwd(f)), "jacrev of jacfwd": lambda f: func.jacrev(func.jacfwd(f)),
    }[transform]  # fmt: skip
    found = outer(lambda x: Cube.apply(x, x * 2)[0])(POINT[0])
    np.testing.assert_allclose(found, outer(lambda x: cube(x, x * 2)[0])(POINT[0]))


def test_a_batch_is_a_loop_with_one_warning(once):
    xs, y = np.arange(6.0).reshape(3, 2), np.array([2.0, 3.0])
    mapped = fg.func.vmap(Cube.apply, in_axes=(0, None))
    with pytest.warns(UserWarning, match="Cube has no rule for batches"):
        found = mapped(xs, y)
    np.testing.assert_allclose(found[0], xs**3 * y)
    np.testing.assert_allclose(mapped(xs, y)[0], xs**3 * y)
    grads = fg.func.vmap(fg.func.grad(lambda x: Cube.apply(x, fg.asarray(y))[0].sum()))(xs)
    np.testing.assert_allclose(grads, 3 * xs**2 * y)


def test_a_batch_by_a_rule_of_its_own(once):
    found = fg.func.vmap(Straight.apply, in_axes=1, out_axes=1)(np.array([[1.0, -2.0], [0.5, 3.0]]))
    assert found.tolist() == [[1.0, -1.0], [1.0, 1.0]]


@pytest.mark.filterwarnings("ignore:vmap")
def test_batched_gradients_go_through():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    y = Square.apply(x)
    (jacobian,) = fg.autograd.grad(y, x, np.eye(2), is_grads_batched=True)
    assert jacobian.tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_wrong_tangents_are_said():
    few = make(lambda ctx, x: (x * 1, x * 2), jvp=lambda ctx, t: t)
    with pytest.raises(RuntimeError, match="1 tangents for 2 outputs"):
        fg.func.jvp(few.apply, (np.ones(2),), (np.ones(2),))
    wrong = make(lambda ctx, x: x * 1, jvp=lambda ctx, t: t.sum())
    with pytest.raises(RuntimeError, match="tangent of shape"):
        fg.func.jvp(wrong.apply, (np.ones(2),), (np.ones(2),))
