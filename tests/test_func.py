"""`fastgrad.func`: against torch.func in the same process, what it takes and gives, and its errors."""

import collections
import gc
import math
import threading
import weakref

import numpy as np
import pytest
from numeric import assert_gradient
from samples import active

import fastgrad as fg
from fastgrad import func as F

X = np.array([0.3, -1.2, 0.7])
Y = np.array([1.1, 0.4, -0.6])
M = np.array([[0.5, -0.3, 0.9], [1.3, 0.2, -0.7]])
POINT = collections.namedtuple("POINT", "x y")


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def norm(value):
    """Results as nested tuples, lists and dicts of ndarrays."""
    if isinstance(value, dict):
        return {key: norm(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [norm(part) for part in value]
    return np.asarray(value.detach() if hasattr(value, "detach") else value)


def assert_same(a, b, tolerance=1e-9):
    a, b = norm(a), norm(b)
    if isinstance(a, (dict, list)):
        assert type(a) is type(b) and len(a) == len(b)
        for key in a if isinstance(a, dict) else range(len(a)):
            assert_same(a[key], b[key], tolerance)
    else:
        assert a.shape == b.shape and a.dtype == b.dtype, (a, b)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# Each is run with fastgrad and with torch: L is the library, T the transforms, x y m its arrays.
PROGRAMS = {
    "grad": lambda L, T, x, y, m: T.grad(lambda x: (L.sin(x) * x).sum())(x),
    "grad of one of two": lambda L, T, x, y, m: T.grad(lambda x, y: (x * L.exp(y)).sum(), 1)(x, y),
    "grad of both": lambda L, T, x, y, m: T.grad(lambda x, y: (x * L.exp(y)).sum(), (1, 0))(x, y),
    "grad of the last": lambda L, T, x, y, m: T.grad(lambda x, y: (x * L.exp(y)).sum(), -1)(x, y),
    "grad with aux": lambda L, T, x, y, m: T.grad(lambda x: ((x * x).sum(), {"a": x * 2, "b": (x, x)}), has_aux=True)(x),
    "grad of nothing": lambda L, T, x, y, m: T.grad(lambda x, y: (y * y).sum())(x, y),
    "grad of a dict": lambda L, T, x, y, m: T.grad(lambda p: (p["a"] @ p["b"][0] * p["b"][1]).sum())({"a": m, "b": [x, y[:2]]}),
    "grad of grad": lambda L, T, x, y, m: T.grad(lambda x: (T.grad(lambda x: (L.sin(x) * x).sum())(x) * y).sum())(x),
    "grad thrice": lambda L, T, x, y, m: T.grad(T.grad(T.grad(lambda x: L.sin(x) * x**3)))(x[0]),
    "no confusion": lambda L, T, x, y, m: T.grad(lambda x: x * T.grad(lambda y: x + y)(x))(x[0]),
    "no confusion, forward": lambda L, T, x, y, m: T.jvp(
        lambda x: x * T.jvp(lambda y: x + y, (x * 0 + 1,), (x * 0 + 1,))[1], (x[:1],), (x[:1] * 0 + 1,)),
    "value of grad inside": lambda L, T, x, y, m: T.grad(lambda x: (x * T.grad(lambda z: (z * z * x).sum())(y)).sum())(x),
    "vjp": lambda L, T, x, y, m: T.vjp(lambda x: (x * x, L.sin(x).sum()), x)[1]((y, y[0])),
    "vjp of two": lambda L, T, x, y, m: T.vjp(lambda m, x: m @ x, m, x)[1](y[:2]),
    "vjp value and aux": lambda L, T, x, y, m: T.vjp(lambda x: (x * x, x + 1), x, has_aux=True)[::2],
    "vjp twice": lambda L, T, x, y, m: (lambda f: [f(y), f(x)])(T.vjp(lambda x: x * x, x)[1]),
    "jvp": lambda L, T, x, y, m: T.jvp(lambda x: (x * x, {"s": L.sin(x).sum()}), (x,), (y,)),
    "jvp of two": lambda L, T, x, y, m: T.jvp(lambda m, x: m @ x, (m, x), (m * 2, y)),
    "jvp with aux": lambda L, T, x, y, m: T.jvp(lambda x: (x * x, x + 1), (x,), (y,), has_aux=True),
    "jvp of a constant": lambda L, T, x, y, m: T.jvp(lambda x: y * 1, (x,), (y,)),
    "jvp of detach": lambda L, T, x, y, m: T.jvp(lambda x: x.detach() * x, (x,), (y,)),
    "jvp under no_grad": lambda L, T, x, y, m: _no_grad_inside(L, T.jvp, x, y),
    "jvp of jvp": lambda L, T, x, y, m: T.jvp(lambda x: T.jvp(lambda x: L.sin(x) * x, (x,), (y,))[1], (x,), (y,)),
    "jvp of grad": lambda L, T, x, y, m: T.jvp(T.grad(rosenbrock), (x,), (y,)),
    "grad of jvp": lambda L, T, x, y, m: T.grad(lambda x: T.jvp(rosenbrock, (x,), (y,))[1])(x),
    "jvp of vjp": lambda L, T, x, y, m: T.jvp(lambda x: T.vjp(lambda x: x**3, x)[1](y)[0], (x,), (y,)),
    "vjp function in jvp": lambda L, T, x, y, m: T.jvp(lambda v: T.vjp(lambda x: x**3, x)[1](v)[0], (y,), (x,)),
    "grad through cotangents": lambda L, T, x, y, m: T.grad(
        lambda v: (T.vjp(lambda x: L.sin(x), x)[1](v)[0] ** 2).sum())(y),
    "jacrev": lambda L, T, x, y, m: T.jacrev(lambda x: L.tanh(m @ x) * x.sum())(x),
    "jacrev of a scalar": lambda L, T, x, y, m: T.jacrev(rosenbrock)(x),
    "jacrev of matrices": lambda L, T, x, y, m: T.jacrev(lambda m: m @ m.T)(m),
    "jacrev of a dict": lambda L, T, x, y, m: T.jacrev(lambda d: {"p": d["a"] * d["b"], "q": (d["a"].sum(),)})({"a": x, "b": y}),
    "jacrev of both": lambda L, T, x, y, m: T.jacrev(lambda x, y: (x * y, L.exp(y)), (0, 1))(x, y),
    "jacrev with aux": lambda L, T, x, y, m: T.jacrev(lambda x: (x * x, x * 3), has_aux=True)(x),
    "jacrev of a constant": lambda L, T, x, y, m: T.jacrev(lambda x: y * 1)(x),
    "jacrev in chunks": lambda L, T, x, y, m: T.jacrev(lambda x: L.tanh(x) * x.sum(), chunk_size=2)(x),
    "jacfwd": lambda L, T, x, y, m: T.jacfwd(lambda x: L.tanh(m @ x) * x.sum())(x),
    "jacfwd of a dict": lambda L, T, x, y, m: T.jacfwd(lambda d: {"p": d["a"] * d["b"], "q": (d["a"].sum(),)})({"a": x, "b": m}),
    "jacfwd of both": lambda L, T, x, y, m: T.jacfwd(lambda m, y: (m @ y, L.exp(y)), (0, 1))(m, y),
    "jacfwd with aux": lambda L, T, x, y, m: T.jacfwd(lambda x: (x * x, x * 3), has_aux=True)(x),
    "jacfwd of a constant": lambda L, T, x, y, m: T.jacfwd(lambda x: y * 1)(x),
    "jacfwd of jacrev": lambda L, T, x, y, m: T.jacfwd(T.jacrev(lambda x: L.sin(x) * x.sum()))(x),
    "jacrev of jacfwd": lambda L, T, x, y, m: T.jacrev(T.jacfwd(lambda x: L.sin(x) * x.sum()))(x),
    "jacrev of jacrev": lambda L, T, x, y, m: T.jacrev(T.jacrev(lambda x: L.sin(x) * x.sum()))(x),
    "jacfwd of jacfwd": lambda L, T, x, y, m: T.jacfwd(T.jacfwd(lambda x: L.sin(x) * x.sum()))(x),
    "three Jacobians": lambda L, T, x, y, m: T.jacrev(T.jacfwd(T.jacrev(lambda x: x**3 * y)))(x),
    "hessian": lambda L, T, x, y, m: T.hessian(rosenbrock)(x),
    "hessian of vectors": lambda L, T, x, y, m: T.hessian(lambda x: L.sin(x) * x.sum())(x),
    "hessian of two": lambda L, T, x, y, m: T.hessian(lambda m, x: (L.tanh(m @ x) ** 2).sum(), (0, 1))(m, x),
    "hessian of a dict": lambda L, T, x, y, m: T.hessian(lambda d: (L.exp(d["a"]) * d["b"] ** 2).sum())({"a": x, "b": y}),
    "hessian of something linear": lambda L, T, x, y, m: T.hessian(lambda x: x.sum())(x),
    "vmap": lambda L, T, x, y, m: T.vmap(lambda r: L.sin(r) * r.sum())(m),
    "vmap along axis 1": lambda L, T, x, y, m: T.vmap(lambda c: c * 2, 1, 1)(m),
    "vmap of two": lambda L, T, x, y, m: T.vmap(lambda r, x: (r * x).sum(), (0, None))(m, x),
    "vmap of a dict": lambda L, T, x, y, m: T.vmap(lambda d, s: {"o": d["a"] @ d["b"] * s}, ({"a": 0, "b": None}, None))(
        {"a": m, "b": x}, 2.0),
    "vmap in chunks": lambda L, T, x, y, m: T.vmap(lambda a: (a * 2, a), chunk_size=2)(x),
    "vmap of what is shared": lambda L, T, x, y, m: T.vmap(lambda a: y * 1)(x),
    "vmap with keywords": lambda L, T, x, y, m: T.vmap(lambda a, k=None: a * k)(x, k=y),
    "vmap of vmap": lambda L, T, x, y, m: T.vmap(T.vmap(lambda a, b: a * b, (0, None)), (None, 0))(x, y),
    "vmap of grad": lambda L, T, x, y, m: T.vmap(T.grad(lambda r: L.sin(r).sum() ** 2))(m),
    "gradients of each example": lambda L, T, x, y, m: T.vmap(T.grad(lambda w, r: L.tanh(r @ w)), (None, 0))(x, m),
    "grad of vmap": lambda L, T, x, y, m: T.grad(lambda w: (T.vmap(lambda r: L.tanh(r @ w))(m) ** 2).sum())(x),
    "vmap of hessian": lambda L, T, x, y, m: T.vmap(T.hessian(rosenbrock))(m),
    "vmap of jacrev": lambda L, T, x, y, m: T.vmap(T.jacrev(lambda r: L.sin(r) * r.sum()))(m),
    "vmap of jacfwd": lambda L, T, x, y, m: T.vmap(T.jacfwd(lambda r: L.sin(r) * r.sum()))(m),
    "vmap of jvp": lambda L, T, x, y, m: T.vmap(lambda r, t: T.jvp(L.sin, (r,), (t,)))(m, m * 2),
    "jvp of vmap": lambda L, T, x, y, m: T.jvp(T.vmap(lambda r: L.sin(r).sum()), (m,), (m * 2,)),
    "vmap of vjp": lambda L, T, x, y, m: T.vmap(lambda r, t: T.vjp(L.sin, r)[1](t)[0])(m, m * 2),
    "vmap of a vjp function": lambda L, T, x, y, m: T.vmap(T.vjp(lambda x: L.sin(x) * x.sum(), x)[1])(
        L.stack([x, y])),
    "jacrev of vmap": lambda L, T, x, y, m: T.jacrev(T.vmap(lambda r: (r * x).sum()))(m),
    "vmap of grad of vmap": lambda L, T, x, y, m: T.vmap(
        lambda s: T.grad(lambda w: (T.vmap(lambda r: r @ w)(m) * s).sum())(x))(y),
    "a closure in grad in vmap": lambda L, T, x, y, m: T.vmap(lambda s: T.grad(lambda w: (w * s * w).sum())(x))(y),
    "grad of vmap of jvp": lambda L, T, x, y, m: T.grad(
        lambda x: T.vmap(lambda t: T.jvp(lambda x: (x**3).sum(), (x,), (t,))[1])(m).sum())(x),
}  # fmt: skip


def _no_grad_inside(L, jvp, x, y):
    def f(x):
        with L.no_grad():
            c = x**2
        return x - c

    return jvp(f, (x,), (y,))


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_the_same_program_in_torch(name):
    import torch

    program = PROGRAMS[name]
    expected = program(torch, torch.func, *map(torch.tensor, (X, Y, M)))
    given = [fg.asarray(a.copy()) for a in (X, Y, M)]
    found = program(fg, F, *given)
    assert_same(found, expected)
    assert all(isinstance(leaf, active.Tensor) for leaf in F._tree.flatten(found)[0])
    assert not any(leaf.requires_grad for leaf in F._tree.flatten(found)[0])


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_the_same_program_on_ndarrays(name):
    if name in ("jvp of detach", "vmap of a vjp function"):
        pytest.skip("the program itself asks for Tensors")
    import torch

    expected = PROGRAMS[name](torch, torch.func, *map(torch.tensor, (X, Y, M)))
    found = PROGRAMS[name](fg, F, X.copy(), Y.copy(), M.copy())
    assert_same(found, expected)


# ---------------------------------------------------------------- what goes in and what comes out


def test_ndarrays_give_a_float_and_a_fresh_array_each_time():
    f = F.value_and_grad(rosenbrock)
    x = X.copy()
    value, g = f(x)
    assert type(value) is float and type(g) is np.ndarray and g.dtype == np.float64
    assert g.flags.writeable and g.flags.c_contiguous and not np.shares_memory(g, x)
    kept = g.copy()
    g[:] = 0
    np.testing.assert_array_equal(f(x)[1], kept)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    "function",
    [lambda x: x.sum(), lambda x: (x * 1.0).sum(), lambda x: x.mean(), lambda x: fg.ones(3).sum(), lambda x: 2.0],
    ids=["sum", "times one", "mean", "constant", "number"],
)
def test_gradients_are_arrays_of_their_own_however_simple_the_function(function):
    x = X.copy()
    for _, g in (F.value_and_grad(function)(x), F.value_and_grad(function, (0,))(x)):
        g = g if isinstance(g, np.ndarray) else g[0]
        assert g.flags.writeable and g.strides == (8,) and not np.shares_memory(g, x)


def test_what_comes_back_is_of_the_kind_that_went_in():
    square = lambda x: (x * x).sum()
    assert F.grad(square)(3.0) == 6.0 and type(F.grad(square)(3.0)) is float
    assert type(F.grad(square)(np.float64(3.0))) is np.float64
    assert type(F.grad(square)(np.array(3.0))) is np.ndarray
    assert F.grad(square)(X.astype(np.float32)).dtype == np.float32
    assert isinstance(F.grad(square)(fg.asarray(X)), fg.Tensor)
    assert F.jvp(square, (3.0,), (1.0,)) == (9.0, 6.0)
    assert F.vjp(square, 3.0)[1](1.0) == (6.0,)
    assert F.hessian(square)(3.0) == 2.0
    mixed = F.grad(lambda a, b, c: (a * b * c).sum(), (0, 1, 2))(X, fg.asarray(Y), 2.0)
    assert [type(g) for g in mixed] == [np.ndarray, fg.Tensor, float]


def test_trees_keep_their_types_and_the_order_of_their_keys():
    point = POINT(X, [Y, {"z": 1.0, "a": X}])
    g = F.grad(lambda p: (p.x * p.y[0]).sum() * p.y[1]["z"] + p.y[1]["a"].sum())(point)
    assert type(g) is POINT and type(g.y) is list and list(g.y[1]) == ["z", "a"]
    np.testing.assert_allclose(g.x, Y)
    ordered = collections.OrderedDict(b=X, a=Y)
    assert type(F.grad(lambda d: (d["a"] * d["b"]).sum())(ordered)) is collections.OrderedDict


def test_cotangents_and_tangents_may_have_their_keys_in_another_order():
    _, pull = F.vjp(lambda x: {"a": x, "b": 2 * x}, X)
    np.testing.assert_allclose(pull({"b": Y, "a": X})[0], X + 2 * Y)
    _, t = F.jvp(lambda d: d["a"] - d["b"], ({"a": X, "b": Y},), ({"b": X, "a": Y},))
    np.testing.assert_allclose(t, Y - X)


def test_arguments_that_are_not_differentiated_are_passed_as_they_are():
    seen = []

    def f(x, flag, data, *, scale):
        seen[:] = [type(flag), type(data), type(scale)]
        return (x * data).sum() * scale if flag else x.sum()

    np.testing.assert_allclose(F.grad(f)(X, True, Y, scale=2), 2 * Y)
    assert seen == [bool, np.ndarray, int]


def test_hvp_is_the_hessian_times_the_vector():
    value, product = F.hvp(rosenbrock, X, Y)
    assert type(value) is float and value == rosenbrock(X)
    np.testing.assert_allclose(product, F.hessian(rosenbrock)(X) @ Y)
    value, product = F.hvp(lambda d: (d["a"] ** 2 * d["b"]).sum(), {"a": X, "b": 2.0}, {"a": Y, "b": 1.0})
    np.testing.assert_allclose(product["a"], 4 * Y + 2 * X)
    np.testing.assert_allclose(product["b"], (2 * X * Y).sum())
    np.testing.assert_array_equal(F.hvp(lambda x: x.sum(), X, Y)[1], np.zeros(3))
    np.testing.assert_array_equal(F.hvp(lambda x: 1.0, X, Y)[1], np.zeros(3))
    product = F.vmap(lambda v: F.hvp(rosenbrock, X, v)[1])(np.eye(3))
    np.testing.assert_allclose(product, F.hessian(rosenbrock)(X))
    g = F.grad(lambda x: F.hvp(rosenbrock, x, Y)[1].sum())(X)
    assert_gradient(g, lambda: (float(F.hvp(rosenbrock, X, Y)[1].sum()), 100.0), X, "grad of hvp")


def test_gradients_agree_with_differences():
    x = X.copy()
    g = F.grad(lambda x: fg.logsumexp(fg.sin(x) * x) * fg.exp(-x).sum())(x)
    assert_gradient(g, lambda: ((fg.logsumexp(fg.sin(x) * x) * fg.exp(-fg.asarray(x)).sum()).item(), 10.0), x, "grad")


def test_scipy_minimizes_with_them():
    scipy = pytest.importorskip("scipy.optimize")
    start = np.array([-1.2, 1.0, 0.5])
    found = scipy.minimize(F.value_and_grad(rosenbrock), start, jac=True, method="BFGS")
    np.testing.assert_allclose(found.x, np.ones(3), atol=1e-4)
    options = {"hess": F.hessian(rosenbrock), "method": "trust-exact"}
    found = scipy.minimize(F.value_and_grad(rosenbrock), start, jac=True, **options)
    np.testing.assert_allclose(found.x, np.ones(3), atol=1e-6)
    options = {"hessp": lambda x, p: F.hvp(rosenbrock, x, p)[1], "method": "Newton-CG"}
    found = scipy.minimize(F.value_and_grad(rosenbrock), start, jac=True, **options)
    np.testing.assert_allclose(found.x, np.ones(3), atol=1e-4)


# ---------------------------------------------------------------- graphs from outside


def test_results_go_on_being_differentiated_where_something_outside_wants_a_gradient():
    w = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for x in (X, fg.asarray(X)):
        value, g = F.value_and_grad(lambda x: (x * x * w).sum())(x)
        assert value.requires_grad and g.requires_grad
        (found,) = fg.autograd.grad((g * fg.asarray(Y)).sum(), w)
        np.testing.assert_allclose(found.numpy(), 2 * X * Y)
    g = F.grad(lambda x: (x**3).sum())(w)
    (found,) = fg.autograd.grad(g.sum(), w)
    np.testing.assert_allclose(found.numpy(), 6 * w.detach().numpy())


def test_nothing_is_recorded_where_nobody_wants_it():
    w = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with fg.no_grad():
        g = F.grad(lambda x: (x * x * w).sum())(fg.asarray(X))
        assert not g.requires_grad
        assert type(F.jvp(lambda x: x * w, (X,), (X,))[1]) is np.ndarray
        assert not F.grad(lambda x: (x * x).sum())(w).requires_grad
    value, pull = F.vjp(lambda x: x * x, fg.asarray(X))
    assert not value.requires_grad and not pull(fg.asarray(Y))[0].requires_grad


def test_grad_mode_outside_does_not_matter_and_inside_does():
    with fg.no_grad():
        np.testing.assert_allclose(F.grad(lambda x: (x * x).sum())(X), 2 * X)
        assert not fg.is_grad_enabled()

    def f(x):
        with fg.no_grad():
            y = x * x
        return (y * x).sum()

    np.testing.assert_allclose(F.grad(f)(X), X * X)


def test_inference_mode_outside_does_not_matter():
    with fg.inference_mode():
        made = fg.asarray(X)
        for x in (X, made):
            np.testing.assert_allclose(norm(F.grad(lambda x: (x * x).sum())(x)), 2 * X)
            np.testing.assert_allclose(norm(F.hvp(lambda x: (x * x).sum(), x, x)[1]), 2 * X)
            np.testing.assert_allclose(norm(F.jacrev(lambda x: x * x)(x)), np.diag(2 * X))
            np.testing.assert_allclose(norm(F.jacfwd(lambda x: x * x)(x)), np.diag(2 * X))
            np.testing.assert_allclose(norm(F.hessian(lambda x: (x * x).sum())(x)), 2 * np.eye(3))
        assert fg.is_inference_mode_enabled()
    np.testing.assert_allclose(norm(F.grad(lambda x: (x * x).sum())(made)), 2 * X)


def test_an_exception_leaves_everything_as_it_was():
    def f(x):
        raise KeyError("mine")

    for transform in (F.grad(f), F.jacrev(f), F.jacfwd(f), F.hessian(f), F.vmap(f), lambda x: F.jvp(f, (x,), (x,))):
        with fg.no_grad(), pytest.raises(KeyError):
            transform(X)
    assert F._lift.levels() == () and not F._lift.uniform


def test_what_was_made_dies_with_the_result():
    seen = []

    def f(x):
        y = x * x
        seen.append(weakref.ref(y))
        return y.sum()

    gc.disable()
    try:
        for transform in (F.grad(f), F.grad(f, (0,)), F.hessian(f), F.jacrev(f), F.jacfwd(f)):
            transform(X)
            assert seen.pop()() is None
            seen.clear()
    finally:
        gc.enable()


# ---------------------------------------------------------------- in place and control flow


def fill(library, x):
    out = library.zeros(3, dtype=library.float64)
    for i in range(3):
        out[i] = x[i] * x[0]
    out[1:] *= x[0]
    out += x
    return out


def rewrite(library, x):
    y = x * 2
    part = y[1:]
    part *= x[:2]
    y[0] += part[1]
    y.mul_(x)
    return y * part.sum()


def branch(library, x):
    if x.sum() > 0 or float(x[0]) > 100:
        return x * x[1]
    return x**3


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("function", [fill, rewrite, branch])
def test_functions_that_write_and_branch(function):
    import torch

    at = np.array([0.5, 1.5, -0.7])
    t = torch.tensor(at)
    T = torch.func
    for f, transforms in ((fg, F), (torch, T)):
        x = at if f is fg else t
        found = [
            transforms.jacrev(lambda x: function(f, x))(x),
            transforms.jacfwd(lambda x: function(f, x))(x),
            transforms.jvp(lambda x: function(f, x), (x,), (x,)),
            transforms.hessian(lambda x: function(f, x).sum())(x),
            transforms.jacfwd(transforms.jacrev(lambda x: function(f, x)))(x),
        ]
        if f is fg:
            ours = found
    assert_same(ours, found)


# ---------------------------------------------------------------- errors

ERRORS = {
    "not a scalar": (lambda L, T, x: T.grad(L.sin)(x), RuntimeError),
    "one element": (lambda L, T, x: T.grad(L.sin)(x[:1]), RuntimeError),
    "several outputs": (lambda L, T, x: T.grad(lambda x: (x.sum(), x.sum()))(x), RuntimeError),
    "no aux": (lambda L, T, x: T.grad(lambda x: x.sum(), has_aux=True)(x), RuntimeError),
    "integers": (lambda L, T, x: T.grad(lambda x: x.sum())(L.asarray([1, 2])), RuntimeError),
    "complex output": (lambda L, T, x: T.grad(lambda x: (x * 1j).sum())(x), RuntimeError),
    "complex input": (lambda L, T, x: T.jacrev(lambda x: x * x)(x * 1j), RuntimeError),
    "complex output of jacrev": (lambda L, T, x: T.jacrev(lambda x: x * 1j)(x), RuntimeError),
    "complex output of jacfwd": (lambda L, T, x: T.jacfwd(lambda x: x * 1j)(x), RuntimeError),
    "writing to the argument": (lambda L, T, x: T.grad(lambda x: x.mul_(2).sum())(x), RuntimeError),
    "argnums too large": (lambda L, T, x: T.grad(lambda x: x.sum(), 2)(x), RuntimeError),
    "argnums twice": (lambda L, T, x: T.grad(lambda x, y: x.sum(), (0, 0))(x, x), RuntimeError),
    "argnums empty": (lambda L, T, x: T.grad(lambda x: x.sum(), ())(x), RuntimeError),
    "argnums of another type": (lambda L, T, x: T.grad(lambda x: x.sum(), "x")(x), RuntimeError),
    "jvp structure": (lambda L, T, x: T.jvp(L.sin, (x,), ()), RuntimeError),
    "jvp no tuple": (lambda L, T, x: T.jvp(L.sin, x, x), RuntimeError),
    "jvp shapes": (lambda L, T, x: T.jvp(L.sin, (x,), (x[:2],)), RuntimeError),
    "jvp strict": (lambda L, T, x: T.jvp(lambda y: x * 1, (x,), (x,), strict=True), RuntimeError),
    "cotangent shape": (lambda L, T, x: T.vjp(L.sin, x)[1](x[:2]), RuntimeError),
    "cotangent structure": (lambda L, T, x: T.vjp(lambda x: (x, x), x)[1](x), RuntimeError),
    "cotangent count": (lambda L, T, x: T.vjp(lambda x: (x, x), x)[1]((x,)), RuntimeError),
    "truth of many": (lambda L, T, x: T.vmap(lambda x: x if x > 0 else -x)(x), RuntimeError),
    "item of many": (lambda L, T, x: T.vmap(lambda x: x.item())(x), RuntimeError),
    "float of many": (lambda L, T, x: T.vmap(lambda x: x * float(x))(x), RuntimeError),
    "a mask each": (lambda L, T, x: T.vmap(lambda x: x[x > 0])(L.stack([x, x])), RuntimeError),
    "writing many into one": (lambda L, T, x: T.vmap(lambda x: L.zeros(3)[0:2].copy_(x[:2]))(L.stack([x, x])), RuntimeError),
    "backward inside": (lambda L, T, x: T.vmap(lambda x: x.sum().backward())(x), RuntimeError),
    "no results": (lambda L, T, x: T.vmap(lambda x: None)(x), ValueError),
    "sizes": (lambda L, T, x: T.vmap(lambda a, b: a * b)(x, x[:2]), ValueError),
    "axes of another type": (lambda L, T, x: T.vmap(lambda a: a, "a")(x), ValueError),
    "axes too few": (lambda L, T, x: T.vmap(lambda a, b: a, (0,))(x, x), ValueError),
    "nothing mapped": (lambda L, T, x: T.vmap(lambda a: a, None)(x), ValueError),
    "axis too large": (lambda L, T, x: T.vmap(lambda a: a, 1)(x), ValueError),
    "axis of a number": (lambda L, T, x: T.vmap(lambda a, b: a)(x, 3.0), ValueError),
    "axes of other keys": (lambda L, T, x: T.vmap(lambda d: d["a"], ({"b": 0},))({"a": x}), ValueError),
    "0-d": (lambda L, T, x: T.vmap(lambda a: a)(x[0]), ValueError),
    "no arguments": (lambda L, T, x: T.vmap(lambda: 1)(), ValueError),
    "results' axis too large": (lambda L, T, x: T.vmap(lambda a: a, 0, 5)(x), IndexError),
    "results' axes do not fit": (lambda L, T, x: T.vmap(lambda a: a, 0, (0, 0))(x), ValueError),
    "results without an axis": (lambda L, T, x: T.vmap(lambda a: a, 0, None)(x), ValueError),
    "chunks of nothing": (lambda L, T, x: T.vmap(lambda a: a, chunk_size=0)(x), ValueError),
}  # fmt: skip


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", list(ERRORS))
def test_errors_are_of_torchs_kind(name):
    import torch

    program, kind = ERRORS[name]
    with pytest.raises(kind):
        program(torch, torch.func, torch.tensor(X))
    with pytest.raises(kind):
        program(fg, F, fg.asarray(X.copy()))


def test_errors_say_what_was_wrong():
    with pytest.raises(RuntimeError, match=r"return a scalar Tensor, got one with 1 dims.*vjp or jacrev"):
        F.grad(fg.sin)(X)
    with pytest.raises(RuntimeError, match=r"cotangents and output.*\(\*,\).*\(\*, \*\)"):
        F.vjp(lambda x: (x, x), X)[1]((X,))
    with pytest.raises(ValueError, match=r"in_axes.*\(\*, \{'a': \*\}\)"):
        F.vmap(lambda x, d: x, in_axes=(0, (0,)))(X, {"a": X})
    with pytest.raises(TypeError, match="expected arrays or numbers to differentiate, got str"):
        F.grad(lambda x: 1.0)("x")
    with pytest.raises(RuntimeError, match="int64"):
        F.grad(lambda x: x * x)(3)


# ---------------------------------------------------------------- threads


def test_threads_do_not_see_each_others_levels():
    expected = F.hessian(rosenbrock)(X), F.vmap(F.grad(rosenbrock))(M), F.jacfwd(F.jacrev(lambda x: x**3))(X)
    wrong = []

    def work():
        for _ in range(20):
            found = F.hessian(rosenbrock)(X), F.vmap(F.grad(rosenbrock))(M), F.jacfwd(F.jacrev(lambda x: x**3))(X)
            if not all(np.array_equal(a, b) for a, b in zip(found, expected)):
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


LOST = {
    "float": lambda x: math.sin(float(x)),
    "math": lambda x: math.sin(x),
    "item": lambda x: 2.0 * x.item(),
    "tolist": lambda x: x.tolist() ** 2,
    "an ndarray": lambda x: np.sum([x.item(), 1.0]),
}


@pytest.mark.parametrize("name", LOST)
def test_a_number_that_is_returned_instead_of_a_tensor_is_refused(name):
    """Its gradient would be zero, in silence."""
    f = LOST[name]
    calls = [
        lambda: fg.func.grad(f)(2.0), lambda: fg.func.value_and_grad(f)(np.array(2.0)), lambda: fg.func.vjp(f, 2.0),
        lambda: fg.func.jvp(f, (2.0,), (1.0,)), lambda: fg.func.jacrev(f)(2.0), lambda: fg.func.jacfwd(f)(2.0),
        lambda: fg.func.hessian(f)(2.0), lambda: fg.func.hvp(f, 2.0, 1.0), lambda: fg.func.grad(f)(fg.tensor(2.0)),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises((TypeError, RuntimeError)):
            call()


def test_numbers_may_be_looked_at_and_constants_returned():
    def f(x):
        assert float(x) == 2.0 and x.item() == 2.0
        return x * x if x > 1 else x

    assert fg.func.grad(f)(2.0) == 4.0
    assert fg.func.grad(lambda x: 3.0)(2.0) == 0.0
    assert fg.func.grad(lambda x: int(x > 1))(2.0) == 0.0
