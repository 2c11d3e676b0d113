"""Stacks of small matrices: NumPy's bits or NumPy's accuracy, whoever shares them out, and derivatives that no neighbour
changes."""

import importlib

import numpy as np
import pytest
from numpy.linalg import LinAlgError
from samples import NEEDS_CORE, core
from samples import same_bits as assert_same_bits

import fastgrad as fg

stacks = importlib.import_module("fastgrad.ops._stacks")
rng = np.random.default_rng(0)
LAYOUTS = {
    "contiguous": lambda a: a,
    "transposed": lambda a: a.mT,
    "backwards": lambda a: a[::-1],
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "deep": lambda a: a.reshape(2, -1, *a.shape[1:]).swapaxes(0, 1),
}


def draw(count, n, k=None, dtype=float):
    return (rng.normal(size=(count, n, n if k is None else k)) + (k is None) * 4 * n**0.5 * np.eye(n, k)).astype(dtype)


def equal(found, expected):
    assert_same_bits(found, expected, "the stack")


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = fg.get_num_threads()
    fg.set_num_threads(request.param)
    yield request.param
    fg.set_num_threads(before)


@np.errstate(over="ignore")  # of determinants
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_forwards_have_numpys_bits(layout, dtype, threads):
    for n, count in ((3, 28), (8, 3), (20, 170), (40, 110)):  # few numbers, or many rows
        a, b = (layout(draw(2 * count, n, dtype=dtype)) for _ in range(2))
        equal(fg.linalg.inv(a).numpy(), np.linalg.inv(a))
        equal(fg.linalg.det(a).numpy(), np.linalg.det(a))
        equal(fg.linalg.solve(a, b).numpy(), np.linalg.solve(a, b))
    for n in (8, 20, 40):
        a, b = (layout(draw(2 * (15_000 // n**2 + 50), n, dtype=dtype)) for _ in range(2))
        spd = a @ a.mT + n * np.eye(n, dtype=a.dtype)
        equal((fg.asarray(a) @ fg.asarray(b)).numpy(), a @ b)
        for found, expected in zip(fg.linalg.slogdet(a), np.linalg.slogdet(a), strict=True):
            equal(found.numpy(), expected)
        for upper in (False, True):
            equal(fg.linalg.cholesky(spd, upper=upper).numpy(), np.linalg.cholesky(spd, upper=upper))


def systems_of(condition, n, count=2000):
    """Matrices of about that condition, none with a pivot of any size in its place, and right-hand sides."""
    u, v = (np.linalg.qr(rng.normal(size=(count, n, n)))[0] for _ in range(2))
    return u * np.geomspace(1, 1 / condition, n) @ v, rng.normal(size=(count, n, 2))


def off(a, x, b):
    """How far x is from solving each system, in roundings of what it is made of."""
    rest = (a.astype(np.longdouble) @ x - b).astype(float)
    size = np.linalg.norm(a, axis=(1, 2)) * np.linalg.norm(x, axis=(1, 2)) + np.linalg.norm(b, axis=(1, 2))
    return np.linalg.norm(rest, axis=(1, 2)) / size / np.finfo(x.dtype).eps


@pytest.mark.parametrize("condition", [1e1, 1e4, 1e8, 1e10])
@pytest.mark.parametrize("n", [2, 5, 8, 16])
def test_forwards_of_many_small_matrices_are_as_good_as_numpys(n, condition, monkeypatch):
    monkeypatch.setattr(stacks, "_LEAST", 0.0)  # all of them
    a, b = systems_of(condition, n)
    for found, numpys in ((fg.linalg.solve(a, b), np.linalg.solve(a, b)), (fg.linalg.inv(a), np.linalg.inv(a))):
        right, found = b if numpys.shape == b.shape else np.broadcast_to(np.eye(n), a.shape), found.numpy()
        ours, theirs = off(a, found, right), off(a, numpys, right)
        assert n == 2 or (found != numpys).any(), "not the elimination"
        assert ours.max() < 3 * max(theirs.max(), 1) and ours.mean() < 1.5 * max(theirs.mean(), 0.1)
    found, expected = fg.linalg.det(a).numpy(), np.linalg.det(a)
    np.testing.assert_allclose(found, expected, rtol=1e-14 * condition)
    single = a.astype(np.float32)
    found = fg.linalg.solve(single, b.astype(np.float32)).numpy()
    exact = np.linalg.solve(single.astype(float), b.astype(np.float32).astype(float))
    scale = abs(exact).max((1, 2), keepdims=True)
    assert (abs(found - exact) <= scale * (1e-7 + 1e-14 * condition)).all()


def test_determinants_far_from_one_are_right(threads):
    for size in (1e-300, 1e-30, 1e30, 1e300):
        a = draw(200, 8) * size
        a[:, :4] /= size  # pivots of all sizes: NumPy's to do
        for b in (a, np.eye(8) * np.ones((200, 1, 1)) * size):
            with np.errstate(all="ignore"):
                np.testing.assert_allclose(fg.linalg.det(b).numpy(), np.linalg.det(b), rtol=1e-11)


@pytest.mark.parametrize("n", [3, 8, 20])
def test_one_singular_matrix_of_many_is_told(n, threads):
    for i in (0, 567, 999):
        for rank in (0, 1, n - 1):
            a = draw(1000, n)
            a[i] = np.diag(1.0 * (np.arange(n) < rank))
            for function in (fg.linalg.inv, lambda a: fg.linalg.solve(a, a), fg.linalg.cholesky):
                with pytest.raises(LinAlgError):
                    function(a)
            equal(fg.linalg.det(a).numpy(), np.linalg.det(a))


def test_whether_a_matrix_is_singular_but_for_rounding_is_numpys_to_say(threads):
    a = draw(300, 3)
    a[123] = np.arange(9.0).reshape(3, 3) / 10
    for row in ("det", "inv"):
        one = getattr(np.linalg, row)
        try:
            expected = one(a)
        except LinAlgError:
            with pytest.raises(LinAlgError):
                getattr(fg.linalg, row)(a)
        else:
            equal(getattr(fg.linalg, row)(a).numpy(), expected)


def test_shapes_that_are_not_the_eliminations():
    a = draw(100, 4)
    assert fg.linalg.solve(a, a[..., :0]).shape == (100, 4, 0)
    deep = a.reshape(4, 1, 25, 4, 4)
    equal(fg.linalg.det(deep).numpy(), fg.linalg.det(a).numpy().reshape(4, 1, 25))
    equal(fg.linalg.inv(deep).numpy(), fg.linalg.inv(a).numpy().reshape(deep.shape))
    equal(stacks.adjugates(deep), stacks.adjugates(a).reshape(deep.shape))
    equal(fg.linalg.solve(deep, deep[..., :1]).numpy().reshape(-1, 4, 1), fg.linalg.solve(a, a[..., :1]).numpy())
    equal(fg.linalg.solve(a, a[0]).numpy(), np.linalg.solve(a, a[0]))
    for wrong in (np.ones(600), np.float64(1.0), np.ones((100, 3, 4))):
        for function in (fg.linalg.det, fg.linalg.inv, lambda a: fg.linalg.solve(a, a)):
            with pytest.raises((LinAlgError, ValueError)):
                function(wrong)


@pytest.mark.skipif(core is None, reason=NEEDS_CORE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_elimination_is_the_same_in_c(layout, dtype, threads):
    for n in (1, 2, 3, 8, 16):
        for k in (None, 1, 5, 16):
            a, b = layout(draw(400, n, dtype=dtype)), None if k is None else draw(400, n, k, dtype)
            if b is not None:
                b = b.reshape(*a.shape[:-2], n, k)
            found, det = stacks.systems(a, b), stacks.det(a)
            core.set_direct(False)
            try:
                equal(found, stacks.systems(a, b))
                equal(det, stacks.det(a))
            finally:
                core.set_direct(True)
            expected = np.linalg.inv(a) if b is None else np.linalg.solve(a, b)
            near = 1e-4 if dtype == "float32" else 1e-10
            np.testing.assert_allclose(found, expected, rtol=near, atol=near * abs(expected).max())


@pytest.mark.parametrize("n", [2, 3, 8])
def test_adjugates_of_nearly_singular_matrices(n, threads):
    # det is as good as zero and the inverse as good as infinite: their product is neither
    a = draw(300, n).astype(np.float64)
    a[:, -1] = a[:, 0] * (1 + 1e-12 * np.arange(n))
    found = stacks.adjugates(a)
    minors = np.linalg.det(np.delete(np.delete(a, 0, 1), 0, 2))
    np.testing.assert_allclose(found[:, 0, 0], minors, rtol=1e-7, atol=1e-7 * abs(found).max())
    if core is not None:
        core.set_direct(False)
        try:
            equal(found, stacks.adjugates(a))
        finally:
            core.set_direct(True)


def test_what_is_not_finite_is_numpys():
    a = draw(50, 4)
    a[7, 2, 3], a[9, 1, 1] = np.nan, np.inf
    with np.errstate(all="ignore"):
        equal(stacks.systems(a), np.linalg.inv(a))
        equal(stacks.systems(a, a[..., :1]), np.linalg.solve(a, a[..., :1]))


def gradients(function, *arrays):
    xs = [fg.tensor(a, requires_grad=True) for a in arrays]
    out = function(*xs)
    return [g.numpy() for g in fg.autograd.grad((out * fg.sin(out)).sum(), xs)]


@pytest.mark.parametrize("n", [1, 3, 8, 16, 17, 40])
def test_gradients_of_a_stack_are_those_of_its_matrices(n, threads):
    a, b = draw(150, n), draw(150, n, 2)
    for function, arrays in (
        (fg.linalg.det, (a / (4 * n**0.5),)),
        (fg.linalg.inv, (a,)),
        (fg.linalg.solve, (a, b)),
        (lambda a: fg.linalg.slogdet(a)[1], (a,)),
        (lambda a: fg.linalg.cholesky(a @ a.mT + fg.asarray(np.eye(n))), (a,)),
    ):
        found = gradients(function, *arrays)
        for i in (0, 77, 149):
            for whole, one in zip(found, gradients(function, *(x[i] for x in arrays)), strict=True):
                np.testing.assert_allclose(whole[i], one, rtol=1e-6, atol=1e-8 * abs(one).max())


def test_the_gradient_of_a_determinant_is_defined_beside_singular_matrices():
    a = draw(40, 3)
    a[5] = [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]
    a[6] = 0
    found = gradients(fg.linalg.det, a)[0]
    for i in (4, 5, 6):
        np.testing.assert_allclose(found[i], gradients(fg.linalg.det, a[i])[0], rtol=1e-9, atol=1e-12)
