"""`fastgrad.linalg`: NumPy's functions and values, PyTorch's gradients, and where there is nothing to give."""

import importlib
import inspect

import numpy as np
import pytest
from conftest import HAS_TORCH
from numeric import assert_gradient, pairing
from numpy.linalg import LinAlgError
from samples import active, apply, arguments, as_arrays, calls, operands_of, same_bits, seed
from test_torch import compare

import fastgrad as fg
from fastgrad.ops import INTERNAL, TABLE, load_all

torch = importlib.import_module("torch") if HAS_TORCH else None
LINALG = [name for name, op in load_all().items() if op.module == "fastgrad.linalg" and name not in INTERNAL]
rng = np.random.default_rng(0)
A = rng.normal(size=(3, 3))
SPD = A @ A.T + np.eye(3)
SPDS = np.stack([SPD, 2 * SPD + np.diag([1.0, 2.0, 3.0])])


def public(name):
    """The public name of a row: some have the name of another function of the top level."""
    return name.removeprefix("linalg_")


def function(name):
    return getattr(fg.linalg, public(name))


def test_every_row_is_a_function_of_the_namespace():
    assert {public(name) for name in LINALG} <= set(fg.linalg.__all__)
    assert fg.linalg.matmul is fg.matmul
    for name in LINALG:
        assert inspect.getdoc(function(name)).startswith(TABLE[name].doc.partition("\n")[0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in LINALG if hasattr(np.linalg, public(name))])
def test_numpys_functions_know_tensors_and_give_the_same_bits(name):
    op, numpys = TABLE[name], getattr(np.linalg, public(name))
    for call in calls(op):
        for dtype in ("float32", "float64", "complex128"):
            operands = operands_of(op, call, dtype, seed(name))
            args, options = arguments(op, operands, call.options)
            expected = numpys(*args, **options)
            tensors = [fg.tensor(a, requires_grad=True) for a in operands]
            args, options = arguments(op, tensors, call.options)
            for found in (numpys(*args, **options), apply(op, tensors, call.options, active)):
                for a, b in zip(as_arrays(found), as_arrays(expected), strict=True):
                    same_bits(a, b, f"{name} {call} {dtype}")


def test_the_namespace_has_all_of_numpys():
    assert set(np.linalg.__all__) - {"LinAlgError"} <= set(fg.linalg.__all__)
    assert all(callable(getattr(fg.linalg, name)) for name in fg.linalg.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = fg.linalg.nothing


def test_products_are_found_in_numpys_linalg_too():
    x = fg.tensor(A, requires_grad=True)
    found = [np.linalg.matmul(x, x), np.linalg.matrix_transpose(x), np.linalg.tensordot(x, x, axes=1)]
    for out in (*found, np.linalg.vecdot(x, x), fg.linalg.vecdot(x, x)):
        assert isinstance(out, fg.Tensor) and out.requires_grad


@pytest.mark.parametrize("make", [fg.linalg, np.linalg], ids=["fastgrad", "numpy"])
def test_results_with_names(make):
    x = fg.tensor(SPD, requires_grad=True)
    found = make.slogdet(x)
    sign, logabsdet = found
    assert found.sign is sign and found.logabsdet is logabsdet and type(found).__name__ == "SlogdetResult"
    assert sign.grad_fn is logabsdet.grad_fn and (sign.output_nr, logabsdet.output_nr) == (0, 1)
    values = make.eigh(x)
    assert values.eigenvalues.grad_fn is values.eigenvectors.grad_fn and type(values).__name__ == "EighResult"
    assert make.qr(x).Q.grad_fn is make.qr(x).R.grad_fn or type(make.qr(x)).__name__ == "QRResult"
    assert make.svd(x)._fields == ("U", "S", "Vh") and make.eig(x)._fields == ("eigenvalues", "eigenvectors")
    assert make.qr(x, mode="r").shape == (3, 3) and make.svd(x, compute_uv=False).shape == (3,)
    assert [part.dtype.kind for part in make.lstsq(x, x, rcond=None)] == ["f", "f", "i", "f"]


# ---------------------------------------------------------------- beside PyTorch


def hermitian(a):
    """PyTorch leaves a part in the gradient of Cholesky's factor that no Hermitian matrix can follow: it ends here."""
    return (a + a.mT.conj()) / 2


# fmt: off
PAIRS = [
    ("solve",          lambda a, b: fg.linalg.solve(a, b), lambda a, b: torch.linalg.solve(a, b), SPD + A, A),
    ("solve vector",   lambda a, b: fg.linalg.solve(a, b), lambda a, b: torch.linalg.solve(a, b), SPD + A, A[0]),
    ("solve batch",    lambda a, b: fg.linalg.solve(a, b), lambda a, b: torch.linalg.solve(a, b), SPDS, A),
    ("inv",            lambda a: fg.linalg.inv(a), lambda a: torch.linalg.inv(a), SPDS + A),
    ("det",            lambda a: fg.linalg.det(a), lambda a: torch.linalg.det(a), SPDS + A),
    ("slogdet",        lambda a: fg.linalg.slogdet(a)[1], lambda a: torch.linalg.slogdet(a)[1], SPDS + A),
    ("cholesky",       lambda a: fg.linalg.cholesky(hermitian(a)), lambda a: torch.linalg.cholesky(hermitian(a)), SPDS),
    ("cholesky upper", lambda a: fg.linalg.cholesky(hermitian(a), upper=True),
                       lambda a: torch.linalg.cholesky(hermitian(a), upper=True), SPD),
    ("eigvalsh",       lambda a: fg.linalg.eigvalsh(a), lambda a: torch.linalg.eigvalsh(a), SPDS),
    ("eigh",           lambda a: abs(fg.linalg.eigh(a)[1]) * fg.linalg.eigh(a)[0][..., None, :],
                       lambda a: abs(torch.linalg.eigh(a)[1]) * torch.linalg.eigh(a)[0][..., None, :], SPDS),
    ("triangular",     lambda a, b: fg.linalg.solve_triangular(a, b, lower=True),
                       lambda a, b: torch.linalg.solve_triangular(a, b, upper=False), SPDS, A),
    ("upper",          lambda a, b: fg.linalg.solve_triangular(a, b, trans="T"),
                       lambda a, b: torch.linalg.solve_triangular(a.mT, b, upper=False), SPD, A),
    ("unit",           lambda a, b: fg.linalg.solve_triangular(a, b, trans=2, unit_diagonal=True),
                       lambda a, b: torch.linalg.solve_triangular(a.mH, b, upper=False, unitriangular=True), SPD, A),
    ("norm",           lambda a: fg.linalg.norm(a), lambda a: torch.linalg.vector_norm(a), A),
    ("norm 1",         lambda a: fg.linalg.vector_norm(a, ord=1, axis=0), lambda a: torch.linalg.vector_norm(a, 1, 0), A),
    ("norm 3",         lambda a: fg.linalg.norm(a, 3, 1), lambda a: torch.linalg.vector_norm(a, 3, 1), A),
    ("norm inf",       lambda a: fg.linalg.vector_norm(a, ord=np.inf), lambda a: torch.linalg.vector_norm(a, np.inf), A),
    ("unstack",        lambda a: fg.unstack(a, axis=1)[1], lambda a: a.unbind(1)[1], A),
    ("diagonal",       lambda a: fg.diagonal(a, 1, -1, 0), lambda a: a.diagonal(1, -1, 0), SPDS),
]
# fmt: on


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_values_and_derivatives_are_pytorchs(pair, dtype):
    what, ours, theirs, *arrays = pair
    arrays = [a.astype(dtype) for a in arrays]
    if dtype == "complex128":
        turn = 0.25j * rng.normal(size=(3, 3))
        symmetric = what.startswith(("cholesky", "eig"))
        arrays[0] = arrays[0] + (turn + turn.conj().T if symmetric else turn)
    assert compare(ours, theirs, arrays, dtype, f"{what} {dtype}")


@pytest.mark.torch
def test_what_depends_on_the_phase_of_complex_eigenvectors_has_no_gradient():
    a = SPD + 0.5j * (np.triu(A) - np.triu(A).T)
    x = fg.tensor(a, requires_grad=True)
    y = torch.tensor(a, requires_grad=True)
    for vectors in (fg.linalg.eigh(x)[1], torch.linalg.eigh(y)[1]):
        with pytest.raises(RuntimeError, match=r"phase|phi"):
            vectors.sum().real.backward()


def projector(x):
    """What does not depend on phases: the projector on the space of the last two eigenvectors."""
    v = fg.linalg.eigh(x).eigenvectors[:, 1:]
    return v @ fg.conj(v).T


def test_what_does_not_depend_on_it_has():
    a = SPD + 0.5j * (np.triu(A) - np.triu(A).T)
    g = A + 1j * A.T
    x = fg.tensor(a, requires_grad=True)

    def loss():
        return pairing([g], [projector((a + a.conj().T) / 2).numpy()])

    (found,) = fg.autograd.grad(projector(x), x, fg.tensor(g))
    assert_gradient(found.numpy(), loss, a, "projector")


def test_equal_eigenvalues_matter_to_their_eigenvectors_alone():
    x = fg.tensor(np.diag([1.0, 1.0, 2.0]), requires_grad=True)
    values, vectors = fg.linalg.eigh(x)
    for outs in (values.sum(), values[2], (projector(x) * 0).sum()):
        (found,) = fg.autograd.grad(outs, x, retain_graph=True)
        assert np.isfinite(found.numpy()).all()
    (found,) = fg.autograd.grad(fg.linalg.eigvalsh(x)[2], x)
    assert found.tolist() == np.diag([0.0, 0.0, 1.0]).tolist()
    (found,) = fg.autograd.grad(vectors[0, 0] + vectors[1, 0], x)
    assert not np.isfinite(found.numpy()).all()


# ---------------------------------------------------------------- singular, empty, wrong


@pytest.mark.parametrize("n", [2, 3, 12])
def test_det_of_a_singular_matrix_has_the_cofactors_for_a_gradient(n):
    a = rng.normal(size=(n, n))
    a[-1] = 2 * a[0] if n < 12 else 0
    x = fg.tensor(a, requires_grad=True)
    fg.linalg.det(x).backward()
    expected = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)] for i in range(n)
    ]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["inv", "solve", "cholesky", "solve_triangular"])
def test_singular_matrices_raise_linalgerror(name):
    a = fg.tensor(np.zeros((2, 2)), requires_grad=True)
    with pytest.raises(LinAlgError):
        getattr(fg.linalg, name)(*[a, np.ones(2)][: len(TABLE[name].operands)])
    with pytest.raises(LinAlgError):
        getattr(fg.linalg, name)(*[np.zeros((4, 2, 2)), np.ones((2, 1))][: len(TABLE[name].operands)])


SQUARE = [
    "inv", "det", "slogdet", "cholesky", "eigh", "eigvalsh", "eig", "eigvals", "expm", "sqrtm", "logm", "solve", "solve_triangular",
]  # fmt: skip


@pytest.mark.parametrize("name", SQUARE)
def test_wrong_operands_raise_before_anything_is_made(name):
    op = TABLE[name]
    vector = [np.ones(2)][: len(op.operands) - 1]
    for a in (np.ones(2), np.ones((2, 3)), np.ones(())):
        with pytest.raises((ValueError, LinAlgError)):
            getattr(fg.linalg, name)(a, *vector)
    with pytest.raises(TypeError):
        getattr(fg.linalg, name)(np.ones((2, 2), "float16"), *[np.ones(2, "float16")][: len(op.operands) - 1])


# fmt: off
WRONG = [
    ("qr", (np.ones(2),), {}, LinAlgError), ("qr", (A,), {"mode": "thin"}, ValueError), ("svd", (np.ones(2),), {}, LinAlgError),
    ("svdvals", (np.ones(3),), {}, LinAlgError), ("pinv", (np.ones(3),), {}, LinAlgError), ("svd", (A.astype("float16"),), {}, TypeError),
    ("pinv", (A,), {"rcond": 1e-3, "rtol": 1e-3}, ValueError), ("lstsq", (A, np.ones(2)), {}, LinAlgError),
    ("lstsq", (A[0], A[0]), {}, LinAlgError), ("svd", (A * np.nan,), {}, LinAlgError), ("eig", (A * np.nan,), {}, LinAlgError),
    ("lu", (np.ones(2),), {}, LinAlgError), ("lu_factor", (A.astype("longdouble"),), {}, TypeError),
    ("matrix_power", (A, 1.5), {}, TypeError), ("matrix_power", (A[:2], 2), {}, LinAlgError), ("matrix_power", (A * 0, -1), {}, LinAlgError),
    ("multi_dot", ([A],), {}, ValueError), ("multi_dot", ([A, SPDS, A],), {}, LinAlgError), ("multi_dot", ([A, A[:2]],), {}, ValueError),
    ("tensorsolve", (A[:2], np.ones(2)), {}, LinAlgError), ("tensorinv", (A,), {"ind": 0}, ValueError), ("tensorinv", (A[:2],), {"ind": 1}, LinAlgError),
    ("cond", (np.zeros((0, 3)),), {}, LinAlgError), ("cond", (A[:2],), {"p": 1}, LinAlgError), ("cond", (A,), {"p": 7}, ValueError),
    ("matrix_rank", (A,), {"tol": 1.0, "rtol": 1.0}, ValueError), ("matrix_norm", (A,), {"ord": 3}, ValueError),
    ("norm", (A,), {"ord": "nuclear"}, ValueError), ("norm", (A[0],), {"ord": "fro"}, ValueError), ("norm", (SPDS,), {"ord": 2}, ValueError),
    ("norm", (A,), {"axis": (0, 0)}, ValueError), ("norm", (A,), {"axis": 2}, np.exceptions.AxisError),
    ("cross", (A[:, :2], A[:, :2]), {}, ValueError), ("outer", (A, A), {}, ValueError), ("trace", (np.ones(2),), {}, ValueError),
    ("diagonal", (np.ones(2),), {}, ValueError), ("vecdot", (A, A[:, :2]), {}, ValueError),
    ("lu_solve", ((A, [0, 1, 2]), np.ones(2)), {}, ValueError), ("lu_solve", ((A, [0, 1, 2]), np.ones(3)), {"trans": 3}, ValueError),
    ("cholesky_solve", (np.ones(2), A), {}, ValueError),
]
# fmt: on


@pytest.mark.parametrize(("name", "args", "options", "error"), WRONG)
def test_wrong_calls_raise_what_numpy_raises(name, args, options, error):
    if hasattr(np.linalg, name):
        with pytest.raises(error):
            getattr(np.linalg, name)(*args, **options)
    for requires_grad in (False, True):
        leaf = lambda a: (
            fg.tensor(a, requires_grad=requires_grad) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
        )
        given = [type(a)(map(leaf, a)) if isinstance(a, (list, tuple)) else leaf(a) for a in args]
        with pytest.raises(error):
            getattr(fg.linalg, name)(*given, **options)


def test_solve_triangular_takes_scipys_letters_and_no_others():
    scipy_linalg = pytest.importorskip("scipy.linalg")
    for trans in (0, 1, 2, "N", "T", "C"):
        for lower in (False, True):
            a = SPD + 1j * A
            found = fg.linalg.solve_triangular(a, A, trans, lower)
            np.testing.assert_allclose(found.numpy(), scipy_linalg.solve_triangular(a, A, trans, lower), rtol=1e-13)
    with pytest.raises(ValueError, match="trans"):
        fg.linalg.solve_triangular(SPD, A, trans=3)
    with pytest.raises(ValueError, match=r"\(3, 3\) and \(2,\)"):
        fg.linalg.solve_triangular(SPD, np.ones(2))


@pytest.mark.parametrize("n", [1, 47, 49, 130])
@pytest.mark.parametrize("dtype", "fdFD")
def test_triangular_systems_of_many_blocks(n, dtype):
    lapack = pytest.importorskip("scipy.linalg.lapack")
    solve = {"f": lapack.strtrs, "d": lapack.dtrtrs, "F": lapack.ctrtrs, "D": lapack.ztrtrs}[dtype]
    rng = np.random.default_rng(n)
    a, b = (rng.normal(size=(n, m)) + (0 if dtype in "fd" else 1j * rng.normal(size=(n, m))) for m in (n, 70))
    a = (a / n + np.eye(n)).astype(dtype)
    b = b.astype(dtype)
    for k in (1, 2, 70):
        for trans in (0, 1, 2):
            for lower in (False, True):
                found = fg.linalg.solve_triangular(a, b[:, :k], trans, lower, k == 2).numpy()
                read = np.tril(a) if lower else np.triu(a)
                expected = solve(a, b[:, :k], lower, trans, k == 2)[0]
                np.testing.assert_allclose(
                    found, expected, rtol=0, atol=40 * np.finfo(dtype).eps * np.abs(expected).max()
                )
                poisoned = np.where(read == a, a, np.array(np.nan, dtype))
                same_bits(fg.linalg.solve_triangular(poisoned, b[:, :k], trans, lower, k == 2).numpy(), found, "read")


@pytest.mark.parametrize(
    "layout", [lambda a: a, lambda a: a.mT, lambda a: a[:, ::-1, ::-1], lambda a: np.repeat(a, 2, 2)[..., ::2]]
)
@pytest.mark.parametrize("dtype", "fdFD")
def test_substitution_is_the_same_in_c(layout, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    a, b = ((rng.normal(size=(3, 60, n)) * (1 if dtype in "fd" else 1 + 0.5j)).astype(dtype) for n in (60, 67))
    a = layout(a / 60 + np.eye(60, dtype=dtype))

    def results():
        for columns in (1, 2, 3, 64, 67):
            for lower in (False, True):
                yield fg.linalg.solve_triangular(a, b[..., :columns], 0, lower).numpy()
                yield fg.linalg.solve_triangular(a[0], b[..., :columns], 2, lower, True).numpy()

    expected = list(results())
    monkeypatch.setattr(importlib.import_module("fastgrad.ops._triangles"), "substitute", None)
    for found, wanted in zip(results(), expected, strict=True):
        same_bits(found, wanted, "substitution")


@pytest.mark.parametrize("dtype", "dD")
@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (1, 1), (48, 48), (2, 50, 50), (130, 130)])
def test_choleskys_derivative_by_blocks_is_that_of_the_formula(shape, dtype):
    rng, n = np.random.default_rng(0), shape[-1]
    a, g = (rng.normal(size=shape).astype(dtype) * (1 if dtype == "d" else 1 + 0.5j) for _ in range(2))
    x = fg.tensor(a @ a.mT.conj() + n * np.eye(n), requires_grad=True)
    for upper in (False, True):
        out = fg.linalg.cholesky(x, upper=upper)
        (found,) = fg.autograd.grad(out, x, fg.tensor(g), retain_graph=True)
        (expected,) = fg.autograd.grad(out, x, fg.tensor(g), create_graph=True)
        np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=0, atol=1e-12)


def test_choleskys_derivative_where_a_is_nearly_singular():
    n = 120
    distances = np.subtract.outer(np.arange(n), np.arange(n)) / 10
    factor = np.linalg.cholesky(np.exp(-0.5 * distances**2) + 1e-9 * np.eye(n))
    x = fg.tensor(factor @ factor.T, requires_grad=True)
    out = fg.linalg.cholesky(x)
    (found,) = fg.autograd.grad(fg.log(fg.diagonal(out)).sum(), x)
    expected = np.linalg.inv(x.detach().numpy()) / 2
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_norms_have_no_gradient_at_zero():
    for order in (2, 1, np.inf, 3, 0.5):  # as PyTorch has it
        x = fg.zeros(2, requires_grad=True)
        fg.linalg.norm(x, order).backward()
        assert x.grad.tolist() == [0.0, 0.0]


# ---------------------------------------------------------------- what is not defined, and what is


def checked(function, *arrays):
    """First and second derivatives against numeric ones."""
    xs = [fg.tensor(a, requires_grad=True) for a in arrays]
    assert fg.autograd.gradcheck(function, xs, nondet_tol=1e-10) and fg.autograd.gradgradcheck(
        function, xs, nondet_tol=1e-10
    )


RECTANGLES = [
    A,
    A[:2],
    A[:, :2],
    SPDS + A,
    SPDS[:, :2] + A[:2],
    A + 1j * SPD,
    (A + 1j * SPD)[:, :2],
    (A + 1j * SPD)[:2],
]


@pytest.mark.parametrize("a", RECTANGLES, ids=lambda a: f"{a.dtype}{a.shape}")
def test_factors_of_every_shape(a):
    checked(lambda x: fg.linalg.qr(x)[0], a)
    checked(lambda x: fg.linalg.qr(x)[1], a)
    checked(lambda x: fg.linalg.qr(x, "r"), a)
    if a.shape[-2] <= a.shape[-1]:
        checked(lambda x: fg.linalg.qr(x, "complete")[0], a)
    checked(lambda x: fg.linalg.pinv(x), a)
    checked(lambda x: abs(fg.linalg.svd(x, full_matrices=False)[0]), a)
    checked(lambda x: abs(fg.linalg.svd(x, full_matrices=False)[2]), a)
    checked(lambda x: fg.linalg.norm(x, "nuc", (-2, -1)), a)


def test_what_qr_has_no_derivative_for_is_said_when_it_is_wanted():
    for a, mode in ((A[:, :2], "complete"), (A, "raw")):
        x = fg.tensor(a, requires_grad=True)
        out = fg.linalg.qr(x, mode)
        for part, expected in zip(out, np.linalg.qr(a, mode), strict=True):
            same_bits(part.detach().numpy(), expected, mode)
        with pytest.raises(RuntimeError, match=mode):
            out[0].sum().backward()


def complement(x):
    """The projector on what is orthogonal to the columns of x, from the last columns of a full U."""
    u = fg.linalg.svd(x)[0][..., x.shape[-1] :]
    return u @ u.mT.conj()


@pytest.mark.parametrize("a", [A[:, :2], (A + 1j * SPD)[:, :1]], ids=["real", "complex"])
def test_a_null_space_has_a_gradient_where_it_does_not_matter_how_it_is_spanned(a):
    checked(complement, a)
    checked(lambda x: complement(x.mT.conj().mT.conj()) @ a, a)
    x = fg.tensor(a[:, :1], requires_grad=True)
    for out in (fg.linalg.svd(x)[0], fg.linalg.svd(x.mT)[2]):
        with pytest.raises(RuntimeError, match="full_matrices"):
            (out * A).real.sum().backward()
    x = fg.tensor(a, requires_grad=True)  # a column for U that is not used
    fg.linalg.svd(x)[1].sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_what_depends_on_phases_has_no_gradient():
    a = A + 1j * SPD
    for get in (lambda x: fg.linalg.svd(x)[0], lambda x: fg.linalg.svd(x)[2], lambda x: fg.linalg.eig(x)[1]):
        x = fg.tensor(a, requires_grad=True)
        with pytest.raises(RuntimeError, match="phase"):
            (get(x) * (A + 1j)).real.sum().backward()
    turned = A - A.T + 0.1 * A  # real, with complex eigenvalues
    assert np.linalg.eigvals(turned).dtype.kind == "c"
    x = fg.tensor(turned, requires_grad=True)
    with pytest.raises(RuntimeError, match="phase"):
        (fg.linalg.eig(x)[1] * (A + 1j)).real.sum().backward()
    checked(lambda x: abs(fg.linalg.eig(x)[1]), turned)
    checked(lambda x: abs(fg.linalg.eigvals(x)), turned)
    checked(lambda x: (lambda w, v: fg.real(v * w**2 @ fg.linalg.inv(v)))(*fg.linalg.eig(x)), turned)


VECTORS = [
    lambda x: fg.linalg.eigh(x)[1],
    lambda x: fg.linalg.eig(x)[1],
    lambda x: fg.linalg.svd(x)[0],
    lambda x: fg.linalg.svd(x)[2],
]


@pytest.mark.parametrize("vectors", VECTORS)
def test_phases_are_seen_however_small_the_loss_and_for_each_example_of_a_batch(vectors):
    from fastgrad.func import grad, vmap

    a = np.stack([SPD + 1j * (A - A.T), SPD - 1j * (A - A.T)])
    for size in (1e6, 1.0, 1e-6):
        wrong = lambda x: (vectors(x) * (A + 1j)).real.sum() * size
        right = lambda x: (abs(vectors(x)) * A).sum() * size
        for transformed in (
            lambda f: grad(f)(a[0]),
            lambda f: vmap(grad(f))(a),
            lambda f: grad(lambda x: vmap(f)(x).sum())(a),
        ):
            assert np.isfinite(transformed(right)).all()
            with pytest.raises(RuntimeError, match="phase"):
                transformed(wrong)


def test_hermitian_matrices_are_read_as_such():
    """One triangle is read, and the gradient is that of a matrix that stays symmetric."""
    b = SPD - 2 * np.eye(3)
    for options in ({"full_matrices": False, "compute_uv": True}, {"compute_uv": False}):

        def values(x, hermitian, options=options):
            out = fg.linalg.svd((x + x.T) / 2, hermitian=hermitian, **options)
            return (out.U * out.S**2) @ out.Vh if isinstance(out, tuple) else out**2

        found = []
        for hermitian in (False, True):
            x = fg.tensor(b, requires_grad=True)
            (values(x, hermitian) * A[0]).sum().backward()
            found.append(x.grad.numpy())
        np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-10)
    checked(lambda x: fg.linalg.pinv((x + x.T) / 2, hermitian=True), b)


def test_equal_singular_values_matter_to_their_vectors_alone():
    x = fg.tensor(np.diag([2.0, 2.0, 1.0]), requires_grad=True)
    u, s, _ = fg.linalg.svd(x)
    (found,) = fg.autograd.grad(s.sum() + s[2], x, retain_graph=True)
    np.testing.assert_allclose(found.numpy(), np.diag([1.0, 1.0, 2.0]), atol=1e-15)
    (found,) = fg.autograd.grad(fg.linalg.svdvals(x)[2], x)
    np.testing.assert_allclose(found.numpy(), np.diag([0.0, 0.0, 1.0]), atol=1e-15)
    (found,) = fg.autograd.grad(u[0, 0] + u[1, 0], x)
    assert not np.isfinite(found.numpy()).all()


def test_least_squares_in_all_its_results():
    b = SPD[:, :2]
    for a in (A[:, :2], A[:, :1], A[:2], A):
        right = b[: len(a)]
        x, residuals, rank, s = fg.linalg.lstsq(fg.tensor(a, requires_grad=True), right)
        assert not rank.requires_grad and rank.item() == min(a.shape) and x.requires_grad and s.requires_grad
        for i in (0, 1, 3):
            if i != 1 or residuals.size:
                checked(lambda p, q, i=i: fg.linalg.lstsq(p, q)[i], a, right)
                checked(lambda p, q, i=i: fg.linalg.lstsq(p, q)[i], a + 0.5j, right[:, 0])
    stacks = [(SPDS[..., :2] + A[:, :2], b), (A[:, :2], SPDS), (SPDS[:, :2], b[:2]), (SPDS[..., :2] + 1j, b[:, 0])]
    for a, right in stacks:
        out = fg.linalg.lstsq(a, right)
        for j in range(2):
            parts = np.linalg.lstsq(a[j] if a.ndim > 2 else a, right[j] if right.ndim > 2 else right)
            for found, expected in zip(out, parts, strict=True):
                same_bits(found.numpy()[j], np.asarray(expected), "lstsq of a stack")
        for i in (0, 1, 3):
            if i != 1 or out[1].size:
                checked(lambda p, q, i=i: fg.linalg.lstsq(p, q)[i], a, right)
    low = np.outer([1.0, 2.0, -1.0], [0.5, 1.0])  # the shortest x, and no sums of squares
    found = fg.linalg.lstsq(low, b[:, 0])
    assert found[2].item() == 1 and found[1].shape == (0,)
    np.testing.assert_allclose(found[0].numpy(), np.linalg.pinv(low) @ b[:, 0], rtol=1e-12)


def test_a_singular_matrix_has_an_infinite_condition_and_its_rank():
    low = np.outer([1.0, 2.0, -1.0], [0.5, 1.0, 2.0])
    for order in (None, "fro", 1, np.inf):
        assert fg.linalg.cond(low, order) > 1e15 and fg.linalg.cond(A * 0, order) == np.inf
    assert fg.linalg.matrix_rank(fg.tensor(low, requires_grad=True)).item() == 1
    assert [int(fg.linalg.matrix_rank(v)) for v in (np.zeros(3), np.ones(3), 0.0, 2.0)] == [0, 1, 0, 1]
    assert fg.linalg.matrix_rank(SPDS, hermitian=True, rtol=0.0).tolist() == [3, 3]


def test_functions_of_matrices_undo_each_other():
    a = A @ A.T + A + 3 * np.eye(3)
    for p in (a, a + 0.5j * A):
        np.testing.assert_allclose(fg.linalg.expm(fg.linalg.logm(p)).numpy(), p, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose((fg.linalg.sqrtm(p) @ fg.linalg.sqrtm(p)).numpy(), p, rtol=1e-12, atol=1e-12)
        for function in (fg.linalg.expm, fg.linalg.logm, fg.linalg.sqrtm):
            checked(lambda x, function=function: function(x / 3), p)
    below = np.diag([-1.0, 2.0, 3.0])
    for function in (fg.linalg.logm, fg.linalg.sqrtm):
        out = function(fg.tensor(below, requires_grad=True))
        assert out.dtype == np.complex128 and function(below.astype("float32")).dtype == np.complex64
        checked(function, below + 0.1 * A)
    defective = np.array([[2.0, 1.0], [0.0, 2.0]])
    checked(fg.linalg.expm, defective)
    checked(fg.linalg.logm, defective)


def test_without_scipy_expm_is_as_good_and_the_others_say_what_is_missing(monkeypatch):
    matrices = importlib.import_module("fastgrad.ops.matrices")
    factorizations = importlib.import_module("fastgrad.ops.factorizations")
    inputs = [
        A,
        30 * A,
        SPDS,
        A + 1j * SPD,
        np.zeros((2, 2)),
        1e-9 * A,
        np.zeros((0, 0)),
        np.zeros((2, 0, 0)),
        A.astype("float32"),
    ]
    expected = [fg.linalg.expm(a).numpy() for a in inputs]

    def missing(name):
        raise ImportError(f"linalg.{name} needs SciPy: pip install scipy")

    monkeypatch.setattr(matrices, "_scipy", missing)
    monkeypatch.setattr(factorizations, "_scipy", missing)
    monkeypatch.setattr(factorizations, "_lapack", lambda name: None)
    for a, wanted in zip(inputs, expected):
        found = fg.linalg.expm(a).numpy()
        assert found.dtype == wanted.dtype and found.shape == wanted.shape
        tiny = 1e-10 if a.dtype != np.float32 else 1e-4
        np.testing.assert_allclose(found, wanted, rtol=tiny, atol=tiny * np.abs(wanted).max(initial=0))
    checked(fg.linalg.expm, A)
    for name in ("sqrtm", "logm", "lu", "lu_factor"):
        with pytest.raises(ImportError, match="pip install scipy"):
            getattr(fg.linalg, name)(A)


def test_lu_is_scipys():
    scipy_linalg = pytest.importorskip("scipy.linalg")
    for a in RECTANGLES:
        if a.ndim > 2:
            continue
        for found, expected in zip(fg.linalg.lu(a), scipy_linalg.lu(a), strict=True):
            same_bits(found.numpy(), expected.astype(a.dtype), "lu")
        packed, piv = fg.linalg.lu_factor(a)
        same_bits(packed.numpy(), scipy_linalg.lu_factor(a)[0], "lu_factor")
        assert piv.tolist() == scipy_linalg.lu_factor(a)[1].tolist()
        checked(lambda x: fg.linalg.lu_factor(x)[0], a)
    b, factored = A[:, 0], fg.linalg.lu_factor(SPD + A)
    for trans, m in ((0, SPD + A), (1, (SPD + A).T), (2, (SPD + A).T)):
        np.testing.assert_allclose(m @ fg.linalg.lu_solve(factored, b, trans).numpy(), b, rtol=1e-10, atol=1e-12)
    checked(lambda x, y: fg.linalg.lu_solve(fg.linalg.lu_factor(x), y), SPD + A, b)


# ---------------------------------------------------------------- unstack, diagonal


def test_unstack_gives_views_of_one_node():
    x = fg.tensor(A, requires_grad=True)
    rows = fg.unstack(x)
    assert len(rows) == 3 and {row.grad_fn for row in rows} == {rows[0].grad_fn}
    assert [row.output_nr for row in rows] == [0, 1, 2] and rows[0].grad_fn.name() == "UnstackBackward"
    assert all(np.shares_memory(row.detach().numpy(), x.detach().numpy()) for row in rows)
    (2 * rows[1] + rows[2]).sum().backward()
    assert x.grad.tolist() == [[0.0] * 3, [2.0] * 3, [1.0] * 3]
    with pytest.raises(RuntimeError, match="unstack"):
        fg.unstack(x * 1)[0].add_(rows[0])
    with pytest.raises(ValueError, match="0-d"):
        fg.unstack(fg.tensor(1.0))


def test_a_diagonal_can_be_written_to():
    x = fg.tensor(A, requires_grad=True)
    y = x * 1
    fg.diagonal(y)[:] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == (1 - np.eye(3)).tolist() and np.diagonal(y.detach().numpy()).tolist() == [0, 0, 0]
    frozen = A.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        fg.diagonal(fg.asarray(frozen))[0] = 1.0
