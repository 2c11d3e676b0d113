"""Stacks of small matrices: NumPy's bits whoever shares them out, and derivatives that no neighbour changes."""

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
    for n in (8, 20, 40):
        a, b = (layout(draw(2 * (15_000 // n**2 + 50), n, dtype=dtype)) for _ in range(2))
        spd = a @ a.mT + n * np.eye(n, dtype=a.dtype)
        equal(fg.linalg.inv(a).numpy(), np.linalg.inv(a))
        equal(fg.linalg.det(a).numpy(), np.linalg.det(a))
        equal(fg.linalg.solve(a, b).numpy(), np.linalg.solve(a, b))
        equal((fg.asarray(a) @ fg.asarray(b)).numpy(), a @ b)
        for found, expected in zip(fg.linalg.slogdet(a), np.linalg.slogdet(a), strict=True):
            equal(found.numpy(), expected)
        for upper in (False, True):
            equal(fg.linalg.cholesky(spd, upper=upper).numpy(), np.linalg.cholesky(spd, upper=upper))


def test_one_singular_matrix_of_many_is_told(threads):
    a = draw(1000, 20)
    a[567] = 0
    for function in (fg.linalg.inv, lambda a: fg.linalg.solve(a, a), fg.linalg.cholesky):
        with pytest.raises(LinAlgError):
            function(a)
    equal(fg.linalg.det(a).numpy(), np.linalg.det(a))


@pytest.mark.skipif(core is None, reason=NEEDS_CORE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_elimination_is_the_same_in_c(layout, dtype, threads):
    for n in (1, 2, 3, 8, 16):
        for k in (None, 1, 5, 16):
            a, b = layout(draw(400, n, dtype=dtype)), None if k is None else draw(400, n, k, dtype)
            if b is not None:
                b = b.reshape(*a.shape[:-2], n, k)
            found = stacks.systems(a, b)
            core.set_direct(False)
            try:
                equal(found, stacks.systems(a, b))
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
