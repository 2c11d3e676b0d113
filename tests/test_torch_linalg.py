"""`fastgrad.linalg` beside PyTorch: values, gradients and gradients of gradients, real and complex."""

import importlib
import itertools

import numpy as np
import pytest
from conftest import HAS_TORCH
from test_torch import compare

import fastgrad as fg

pytestmark = pytest.mark.torch
torch = importlib.import_module("torch") if HAS_TORCH else None
L, T = fg.linalg, torch.linalg if HAS_TORCH else None
DTYPES = ["float64", "float32", "complex128"]


def matrices(what, *shape, dtype="float64"):
    """Well-conditioned matrices, whose singular values are well apart."""
    rng = np.random.default_rng(len(what) + sum(shape))
    a = rng.normal(size=shape) + 2 * np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1)
    return (a + 0.5j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else a).astype(dtype)


def right(*shape, dtype="float64"):
    rng = np.random.default_rng(7)
    b = rng.normal(size=shape)
    return (b + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else b).astype(dtype)


def norms(order):
    return lambda a: L.norm(a, order, (-2, -1)), lambda a: T.matrix_norm(a, order)


def conds(order):
    """PyTorch has no gradient of its own `cond` but for the singular values: it writes over what it has saved."""
    return lambda a: L.cond(a, order), lambda a: T.matrix_norm(a, order) * T.matrix_norm(T.inv(a), order)


def powers(n):
    return lambda a: L.matrix_power(a, n), lambda a: T.matrix_power(a, n)


def projector(u):
    """What does not depend on the phases of vectors."""
    return (u * np.arange(1, u.shape[-1] + 1, dtype="float32")) @ u.mT.conj()


def torch_projector(u):
    return (u * torch.arange(1, u.shape[-1] + 1)) @ u.mH


SQUARE, TALL, WIDE, BATCH = (3, 3), (4, 2), (2, 4), (2, 3, 3)
# fmt: off
#: One operand: what, fastgrad, PyTorch, shapes.
ONE = [
    ("qr Q",          lambda a: L.qr(a)[0],            lambda a: T.qr(a)[0],             SQUARE, TALL, BATCH),
    ("qr R",          lambda a: L.qr(a).R,             lambda a: T.qr(a).R,              SQUARE, TALL, WIDE, BATCH),
    ("qr both",       lambda a: L.qr(a)[0] @ (2 * L.qr(a)[1]) ** 2, lambda a: T.qr(a)[0] @ (2 * T.qr(a)[1]) ** 2, SQUARE, TALL),
    ("qr complete",   lambda a: L.qr(a, "complete")[1], lambda a: T.qr(a, "complete")[1], SQUARE, WIDE),
    ("qr mode r",     lambda a: L.qr(a, mode="r"),     lambda a: T.qr(a)[1],             SQUARE, TALL, WIDE),
    ("svd U",         lambda a: projector(L.svd(a, full_matrices=False)[0]),
                      lambda a: torch_projector(T.svd(a, full_matrices=False)[0]),       SQUARE, TALL, WIDE, BATCH),
    ("svd Vh",        lambda a: projector(L.svd(a, full_matrices=False).Vh.mT),
                      lambda a: torch_projector(T.svd(a, full_matrices=False)[2].mT),    SQUARE, TALL, WIDE, BATCH),
    ("svd S",         lambda a: L.svd(a)[1],           lambda a: T.svd(a)[1],            SQUARE, TALL, WIDE, BATCH),
    ("svd polar",     lambda a: (lambda u, s, vh: u @ vh)(*L.svd(a, False)),
                      lambda a: (lambda u, s, vh: u @ vh)(*T.svd(a, False)),             SQUARE, TALL, WIDE),
    ("svd all",       lambda a: (lambda u, s, vh: (u * s[..., None, :] ** 3) @ vh)(*L.svd(a, False)),
                      lambda a: (lambda u, s, vh: (u * s[..., None, :] ** 3) @ vh)(*T.svd(a, False)),    SQUARE, TALL, WIDE, BATCH),
    ("svdvals",       lambda a: L.svdvals(a),          lambda a: T.svdvals(a),           SQUARE, TALL, WIDE, BATCH),
    ("svd no uv",     lambda a: L.svd(a, compute_uv=False), lambda a: T.svdvals(a),      SQUARE, TALL),
    ("pinv",          lambda a: L.pinv(a),             lambda a: T.pinv(a),              SQUARE, TALL, WIDE, BATCH),
    ("eigvals",       lambda a: abs(L.eigvals(a)).sum(-1), lambda a: abs(T.eigvals(a)).sum(-1), SQUARE, BATCH),
    ("eig",           lambda a: (lambda w, v: fg.real((v * w[..., None, :] ** 3) @ L.inv(v)))(*L.eig(a)),
                      lambda a: (lambda w, v: ((v * w[..., None, :] ** 3) @ T.inv(v)).real)(*T.eig(a)),  SQUARE, BATCH),
    ("lu L",          lambda a: L.lu(a)[1],            lambda a: T.lu(a)[1],             SQUARE, TALL, WIDE, BATCH),
    ("lu U",          lambda a: L.lu(a)[2],            lambda a: T.lu(a)[2],             SQUARE, TALL, WIDE, BATCH),
    ("lu_factor",     lambda a: L.lu_factor(a)[0],     lambda a: T.lu_factor(a)[0],      SQUARE, TALL, WIDE, BATCH),
    ("expm",          lambda a: L.expm(a / 3),         lambda a: T.matrix_exp(a / 3),    SQUARE, BATCH),
    ("tensorinv",     lambda a: L.tensorinv(a.reshape(3, 1, 3), ind=1), lambda a: T.tensorinv(a.reshape(3, 1, 3), ind=1), SQUARE),
    ("cond",          lambda a: L.cond(a),             lambda a: T.cond(a),              SQUARE, BATCH, TALL),
    ("trace",         lambda a: L.trace(a),            lambda a: a.diagonal(dim1=-2, dim2=-1).sum(-1), SQUARE, BATCH, TALL),
    ("diagonal",      lambda a: L.diagonal(a, offset=1), lambda a: T.diagonal(a, offset=1), SQUARE, BATCH, TALL),
    *((f"norm {order}", *norms(order), SQUARE, TALL, WIDE, BATCH) for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
    *((f"cond {order}", *conds(order), SQUARE, BATCH) for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
    *((f"power {n}",    *powers(n), SQUARE, BATCH) for n in (0, 1, 2, 3, 5, -1, -3)),
]
#: Two operands: what, fastgrad, PyTorch, shapes of the first, shapes of the second.
TWO = [
    ("lstsq",         lambda a, b: L.lstsq(a, b)[0],   lambda a, b: T.lstsq(a, b, driver="gelsd")[0], (SQUARE, (3, 2)), (TALL, (4, 2)), (WIDE, (2, 3)), (BATCH, (2, 3, 2)), ((2, 4, 3), (2, 4, 1))),
    ("lu_solve",      lambda a, b: L.lu_solve(L.lu_factor(a), b), lambda a, b: T.lu_solve(*T.lu_factor(a), b), (SQUARE, (3, 2)), (BATCH, (2, 3, 2))),
    ("lu_solve adj",  lambda a, b: L.lu_solve(L.lu_factor(a), b, 2), lambda a, b: T.lu_solve(*T.lu_factor(a), b, adjoint=True), (SQUARE, (3, 2))),
    ("cholesky_solve", lambda a, b: L.cholesky_solve(b, fg.tril(a)), lambda a, b: torch.cholesky_solve(b, a.tril()), (SQUARE, (3, 2)), (BATCH, (3, 2))),
    ("cholesky_solve up", lambda a, b: L.cholesky_solve(b, fg.triu(a), upper=True),
                      lambda a, b: torch.cholesky_solve(b, a.triu(), upper=True), (SQUARE, (3, 2))),
    ("multi_dot",     lambda a, b: L.multi_dot([a, b, b.mT, a]), lambda a, b: T.multi_dot([a, b, b.mT, a]), (SQUARE, (3, 2))),
    ("multi_dot vectors", lambda a, b: L.multi_dot([a[0], a, b[:, 0]]), lambda a, b: T.multi_dot([a[0], a, b[:, 0]]), (SQUARE, (3, 2))),
    ("tensorsolve",   lambda a, b: L.tensorsolve(a.reshape(3, 1, 1, 3), b[:, :1]), lambda a, b: T.tensorsolve(a.reshape(3, 1, 1, 3), b[:, :1]), (SQUARE, (3, 2))),
    ("householder",   lambda a, b: L.householder_product(a, b[..., 0]), lambda a, b: T.householder_product(a, b[..., 0]), (SQUARE, (3, 2)), (TALL, (2, 2)), (BATCH, (2, 3, 2))),
    ("cross",         lambda a, b: L.cross(a, b),      lambda a, b: T.cross(a, b),       (SQUARE, SQUARE), (BATCH, (1, 3, 3))),
    ("cross axis",    lambda a, b: L.cross(a, b, axis=0), lambda a, b: T.cross(a, b, dim=0), (SQUARE, (3, 3)), ((3, 2), (3, 1))),
    ("outer",         lambda a, b: L.outer(a[0], b[0]), lambda a, b: torch.outer(a[0], b[0]), (SQUARE, TALL)),
    ("vecdot",        lambda a, b: L.vecdot(a, b),     lambda a, b: T.vecdot(a, b),      (SQUARE, SQUARE), (BATCH, (3, 3))),
]
# fmt: on


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ONE, ids=lambda row: row[0])
def test_functions_of_one_matrix(row, dtype):
    what, ours, theirs, *shapes = row
    if dtype == "float32" and what in ("eig", "eigvals"):
        pytest.skip("PyTorch computes them in single precision, NumPy in double")
    for shape in shapes:
        a = matrices(what, *shape, dtype=dtype)
        second = dtype != "float32"
        assert compare(ours, theirs, [a], dtype, f"{what} {shape} {dtype}", second)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", TWO, ids=lambda row: row[0])
def test_functions_of_two_arrays(row, dtype):
    what, ours, theirs, *pairs = row
    for first, second in pairs:
        arrays = [matrices(what, *first, dtype=dtype), right(*second, dtype=dtype)]
        assert compare(ours, theirs, arrays, dtype, f"{what} {first} {dtype}", dtype != "float32")


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_pinv_of_hermitian_matrices(dtype):
    a = matrices("hermitian", 3, 3, dtype=dtype)
    ours = lambda a: L.pinv(a + a.mT.conj(), hermitian=True)
    theirs = lambda a: T.pinv(a + a.mH, hermitian=True)
    assert compare(ours, theirs, [a], dtype, f"pinv hermitian {dtype}")


@pytest.mark.parametrize("name", ["nuc", 2, -2, 1, -1, np.inf, -np.inf])
def test_ties_of_norms_are_pytorchs(name):
    for a in (np.ones((2, 2)), np.diag([2.0, 2.0]), np.array([[1.0, -1.0], [1.0, 1.0]])):
        if name in ("nuc", -2, 2) and np.linalg.matrix_rank(a) < 2:
            continue  # vectors of a null space are anybody's
        compare(*norms(name), [a], "float64", f"norm {name}", second=False)


def test_rank_deficient_matrices_have_the_gradients_of_their_rank():
    a = np.outer([1.0, 2.0, -1.0], [0.5, 1.0])
    assert compare(
        lambda a: L.pinv(a, rtol=1e-10), lambda a: T.pinv(a, rtol=1e-10), [a], "float64", "rank one", second=False
    )
    for order, keepdims in itertools.product(("fro", 2, 1), (False, True)):
        ours = lambda a: L.matrix_norm(a, ord=order, keepdims=keepdims)
        assert compare(ours, lambda a: T.matrix_norm(a, order, keepdim=keepdims), [a], "float64", "norm", second=False)


@pytest.mark.parametrize("order", [-3.5, -1, 0.5, 1, 1.5, 2, 3, 3.5, np.inf, -np.inf])
def test_norms_of_vectors_with_zeros(order):
    for x in ([0.0, 1.0, -2.0], [0.0, 0.0], [1e-200, 1.0]):
        if order < 0 and x[0] == 1e-200:
            continue  # neither knows
        ours, theirs = lambda x: L.norm(x, order), lambda x: T.norm(x, order)
        assert compare(ours, theirs, [np.array(x)], "float64", f"norm {order}")
        assert compare(ours, theirs, [np.array(x) * (1 + 1j)], "complex128", f"norm {order}", second=False)
