"""`fastgrad.linalg`: NumPy's functions and values, PyTorch's gradients, and where there is nothing to give."""

import importlib
import inspect

import numpy as np
import pytest
from conftest import HAS_TORCH
from numeric import assert_gradient, pairing
from numpy.linalg import LinAlgError
from samples import active, apply, as_arrays, calls, operands_of, same_bits, seed
from test_torch import compare

import fastgrad as fg
from fastgrad.ops import INTERNAL, TABLE, decompositions

torch = importlib.import_module("torch") if HAS_TORCH else None
LINALG = [name for name, op in TABLE.items() if op.module == "fastgrad.linalg" and name not in INTERNAL]
rng = np.random.default_rng(0)
A = rng.normal(size=(3, 3))
SPD = A @ A.T + np.eye(3)
SPDS = np.stack([SPD, 2 * SPD + np.diag([1.0, 2.0, 3.0])])


def test_every_row_is_a_function_of_the_namespace():
    assert set(LINALG) <= set(fg.linalg.__all__)
    assert fg.linalg.matmul is fg.matmul
    for name in LINALG:
        assert not hasattr(fg, name)
        assert inspect.getdoc(getattr(fg.linalg, name)).startswith(TABLE[name].doc.partition("\n")[0])


@pytest.mark.parametrize("name", [name for name in LINALG if hasattr(np.linalg, name)])
def test_numpys_functions_know_tensors_and_give_the_same_bits(name):
    op = TABLE[name]
    for call in calls(op):
        for dtype in ("float32", "float64", "complex128"):
            operands = operands_of(op, call, dtype, seed(name))
            expected = getattr(np.linalg, name)(*operands, **call.options)
            tensors = [fg.tensor(a, requires_grad=True) for a in operands]
            for found in (getattr(np.linalg, name)(*tensors, **call.options), apply(op, tensors, call.options, active)):
                for a, b in zip(as_arrays(found), as_arrays(expected), strict=True):
                    same_bits(a, b, f"{name} {call} {dtype}")


def test_products_are_found_in_numpys_linalg_too():
    x = fg.tensor(A, requires_grad=True)
    for found in (np.linalg.matmul(x, x), np.linalg.matrix_transpose(x), np.linalg.tensordot(x, x, axes=1)):
        assert isinstance(found, fg.Tensor) and found.requires_grad
    with pytest.raises(TypeError, match="pinv"):
        np.linalg.pinv(x)


@pytest.mark.parametrize("make", [fg.linalg, np.linalg], ids=["fastgrad", "numpy"])
def test_results_with_names(make):
    x = fg.tensor(SPD, requires_grad=True)
    found = make.slogdet(x)
    sign, logabsdet = found
    assert found.sign is sign and found.logabsdet is logabsdet and type(found).__name__ == "SlogdetResult"
    assert sign.grad_fn is logabsdet.grad_fn and (sign.output_nr, logabsdet.output_nr) == (0, 1)
    values = make.eigh(x)
    assert values.eigenvalues.grad_fn is values.eigenvectors.grad_fn and type(values).__name__ == "EighResult"


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


@pytest.mark.parametrize("name", [name for name in LINALG if not name.endswith("norm")])
def test_wrong_operands_raise_before_anything_is_made(name):
    op = TABLE[name]
    vector = [np.ones(2)][: len(op.operands) - 1]
    for a in (np.ones(2), np.ones((2, 3)), np.ones(())):
        with pytest.raises((ValueError, LinAlgError)):
            getattr(fg.linalg, name)(a, *vector)
    with pytest.raises(TypeError):
        getattr(fg.linalg, name)(np.ones((2, 2), "float16"), *[np.ones(2, "float16")][: len(op.operands) - 1])


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


def test_without_scipy_the_results_are_the_same(monkeypatch):
    def results():
        l, b = fg.tensor(np.linalg.cholesky(SPDS), requires_grad=True), fg.tensor(A, requires_grad=True)
        outs = [fg.linalg.solve_triangular(l[0], b, t, True, unit) for t in (0, 1) for unit in (False, True)]
        outs.append(fg.linalg.cholesky(l[0] @ l[0].T))
        outs.append(fg.linalg.solve_triangular(l, b[0], lower=True))
        grads = fg.autograd.grad(outs, (l, b), [fg.ones_like(out) for out in outs])
        return as_arrays([*outs, *grads])

    expected = results()
    monkeypatch.setattr(decompositions, "_lapack", lambda name: None)
    for a, b in zip(results(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_norms_that_are_not_here_are_named():
    for options in ({"ord": "nuc"}, {"ord": 2}, {"ord": 1, "axis": (0, 1)}):
        with pytest.raises(ValueError, match="norm: there is no ord"):
            fg.linalg.norm(A, **options)
    with pytest.raises(ValueError, match="of vectors"):
        fg.linalg.norm(A[0], "fro")
    for order in (2, 1, np.inf, 3, 0.5):  # as PyTorch has it
        x = fg.zeros(2, requires_grad=True)
        fg.linalg.norm(x, order).backward()
        assert x.grad.tolist() == [0.0, 0.0]


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
