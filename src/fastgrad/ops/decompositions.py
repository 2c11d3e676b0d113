"""Linear systems and decompositions of matrices, over batches: the rows of `fastgrad.linalg`.

Forwards are `numpy.linalg`'s, or of stacks of very small matrices an elimination of our own (`_stacks`). Of a symmetric or
Hermitian operand NumPy reads one triangle; the derivative is spread over both, as PyTorch's. The formulas are in Giles,
Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008; that of Cholesky's
factor is in Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527.
"""

from __future__ import annotations

import operator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from .. import _errors
from . import _stacks, _triangles
from ._batch import past, ranked
from ._doc import describe
from ._doc import doc as _doc
from ._row import TABLE, case, register
from .elementwise import sign, sqrt, square, where
from .indexing import getitem, put_add
from .reductions import _kept, all_normal
from .shaping import astype, expand_dims, moveaxis

_op = partial(register, module="fastgrad.linalg")

describe({
    "norm.ord": ('int, float, inf, -inf, "fro", "nuc" or None', "Which norm; None: the square root of the sum of squares."),
    "norm.axis": ("int, pair of int or None", "Of one axis vectors, of two matrices; None: all of x."),
    "matrix_norm.ord": ('{"fro", "nuc", 1, -1, 2, -2, inf, -inf}', "Which norm."),
})  # fmt: skip


class EighResult(NamedTuple):
    """What `eigh` gives: eigenvalues in ascending order, and the eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class SlogdetResult(NamedTuple):
    """What `slogdet` gives: ``det(a) == sign * exp(logabsdet)``."""

    sign: Any
    logabsdet: Any


# ---------------------------------------------------------------- helpers --


# Formulas here spell what they can as methods and operators: ndarrays then need no row.


def _adjoint(x):
    """The conjugate transpose of matrices."""
    return x.mT.conj() if x.dtype.kind == "c" else x.mT


def _column(x):
    return x[..., None]


def _row(x):
    return x[..., None, :]


def _scaled(g, x):
    """Matrices, each times a number of its own."""
    return g[..., None, None] * x


def _values(x):
    """The numbers of an ndarray or a Tensor; of what is lifted (`fastgrad.func`) those of all examples, without tangents."""
    while hasattr(type(x), "_lifts"):
        x = x.payload if hasattr(x, "payload") else x.primal
    return x if isinstance(x, np.ndarray) else x.detach().numpy()


def _matters(slope, *sizes):
    """Whether a slope that should be zero is more than rounding, beside what it is a part of."""
    slope = np.abs(_values(slope))
    eps = np.finfo(slope.dtype).eps
    scale = max(float(np.abs(_values(size)).max(initial=0.0)) for size in sizes)
    return slope.max(initial=0.0) > max(eps ** (1 / 3) * scale, eps**0.5)


_KEPT = 256  # rows of a matrix up to which such constants are kept


def _constant(make):
    """A matrix of constants, ``make(n, dtype, ...)``, kept for the sizes that a program uses again and again."""
    kept = lru_cache(8)(make)
    return lambda n, *how: kept(n, *how) if n <= _KEPT else make(n, *how)


@_constant
def _quarters(n, dtype):
    """1/2 below the diagonal and 1/4 on it: with its transpose added, half of all but half of the diagonal."""
    return np.tril(np.full((n, n), 0.5, dtype)) - 0.25 * np.eye(n, dtype=dtype)


@_constant
def _eye(n, dtype):
    return np.eye(n, dtype=dtype)


@_constant
def _minus_read(n, dtype, lower, unit_diagonal):
    """-1 where a triangular solver reads its matrix."""
    read = np.tri(n, k=-1 if unit_diagonal else 0, dtype=dtype)
    return -read if lower else -read.T


def _real(dtype):
    """The real dtype of the same precision."""
    return np.dtype(dtype.char.lower())


# ---------------------------------------------------------------- triangular systems --


_TRANS = {0: 0, "N": 0, 1: 1, "T": 1, 2: 2, "C": 2}


def _bind_triangular(a, b, trans=0, lower=False, unit_diagonal=False):
    if trans not in _TRANS:
        raise ValueError(f'solve_triangular: trans must be 0, 1, 2, "N", "T" or "C", not {trans!r}')
    return (a, b), {"trans": _TRANS[trans], "lower": bool(lower), "unit_diagonal": bool(unit_diagonal)}


def _solve_triangular(a, b, trans, lower, unit_diagonal):
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim < 2 or a.shape[-2] != a.shape[-1] or b.ndim < 1 or b.shape[-1 if b.ndim == 1 else -2] != a.shape[-1]:
        raise _errors.linear_system("solve_triangular", a.shape, b.shape)
    if a.dtype != b.dtype or a.dtype.char not in "fdFD":
        dtype = np.result_type(a, b)
        dtype = dtype if dtype.kind in "fc" else np.dtype(float)
        if dtype.char not in "fdFD":
            raise _errors.no_linalg("solve_triangular", dtype)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    out = _triangles.solve(a, b[:, None] if b.ndim == 1 else b, trans, lower, unit_diagonal)
    return out[..., 0] if b.ndim == 1 else out


def _again(a, b, trans, lower, unit_diagonal=False):
    """`solve_triangular` in a formula."""
    row = _solve_triangular if type(a) is type(b) is np.ndarray else solve_triangular
    return row(a, b, trans, lower, unit_diagonal)


def _triangular_dab(g, out, a, b, trans, lower, unit_diagonal):
    vector, times = b.ndim == 1, operator.matmul
    if vector:
        g, out, times = _column(g), _column(out), operator.mul  # of a column and a row they are the same
    if trans == 1:
        db = _again(a, g.conj(), 0, lower, unit_diagonal).conj()
        da = times(out.conj(), db.mT)
    else:
        db = _again(a, g, 2 - trans, lower, unit_diagonal)
        da = times(db, _adjoint(out)) if trans == 0 else times(out, _adjoint(db))
    da = da * _minus_read(a.shape[-1], _real(a.dtype), lower, unit_diagonal)
    return da, db[..., 0] if vector else db


# ---------------------------------------------------------------- general systems --


def _solve_dab(g, out, a, b):
    if b.ndim > 1:
        db = _stacks.systems(a.mT, g) if type(a) is type(g) is np.ndarray else solve(a.mT, g)
        return -(db @ out.mT), db
    db = solve(a.mT, _column(g))
    return -db * _row(out), db[..., 0]


def _inv_da(g, out, a):
    return -(out.mT @ g @ out.mT)


def _batch_solve(row):
    """A vector for each example is a matrix of one column: a stack of vectors would be taken for a matrix."""

    def batch(many, a, b, **options):
        vector = b.ndim - many[1] == 1
        b = _column(b) if vector else b
        ndim = max(a.ndim - many[0], b.ndim - many[1])
        out = row()(ranked(a, ndim) if many[0] else a, ranked(b, ndim) if many[1] else b, **options)
        return out[..., 0] if vector else out

    return batch


# ---------------------------------------------------------------- determinants --


def _cofactors(a):
    """The derivative of det: det(a) times the transposed inverse, but defined for singular matrices too."""
    det = _stacks.det(a)
    if np.all(det != 0):
        return _stacks.adjugates(a).mT
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(-1, dtype=s.dtype)  # of all but one
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return sign[..., None, None] * np.matmul(np.conj(u) * others[..., None, :], np.conj(vh))


def _det_da(g, out, a):
    """By `cofactors`, which is derived in turn; without another determinant where there is nothing more to derive."""
    if type(a) is np.ndarray and np.all(out != 0):
        return _scaled(g, _stacks.adjugates(a).mT)
    return _scaled(g, cofactors(a))


_MINORS = 8  # rows up to which cofactors are differentiated by their definition, singular matrices included


def _cofactors_da(g, out, a):
    n = a.shape[-1]
    if n < 2:
        return 0.0
    if n > _MINORS:
        inverse = inv(a)
        trace = (g * inverse.mT).sum((-2, -1))
        return _scaled(det(a), _scaled(trace, inverse.mT) - (inverse @ g @ inverse).mT)
    rest = np.array([[j for j in range(n) if j != i] for i in range(n)])
    index = (Ellipsis, rest[:, None, :, None], rest[None, :, None, :])
    sign = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    minors = cofactors(getitem(a, index))
    return put_add(_scaled(g * sign.astype(_real(a.dtype)), minors), a.shape, index)


def _slogdet_da(g, out, a):
    sign, log = g
    if a.dtype.kind == "c":
        log = log - 1j * (sign.conj() * out[0]).imag
    return _scaled(log, _adjoint(_stacks.systems(a) if type(a) is np.ndarray else inv(a)))


# ---------------------------------------------------------------- symmetric matrices --


def _cholesky_da(g, out, a, upper):
    if upper:
        g, out = _adjoint(g), _adjoint(out)
    if type(g) is type(out) is np.ndarray:
        return _cholesky_by_blocks(g, out)
    inverse = solve_triangular(out, _eye(out.shape[-1], out.dtype), 0, True)
    inner = (_adjoint(out) @ g) * _quarters(a.shape[-1], _real(a.dtype))
    return _adjoint(inverse) @ (inner + _adjoint(inner)) @ inverse


def _cholesky_by_blocks(g, l):
    """The same of ndarrays, without the products that come to nothing or are known by symmetry."""
    n, inverse = l.shape[-1], _triangles.inverse(l)
    inner = _triangles.product(l, g)
    inner *= _quarters(n, _real(l.dtype))
    inner += _adjoint(inner)
    right = np.empty_like(inner)
    for here in _triangles.blocks(n):
        np.matmul(inner[..., here.start :], inverse[..., here.start :, here], out=right[..., here])
    da = _triangles.product(inverse, right)
    for here in _triangles.blocks(n):
        da[..., : here.start, here] = _adjoint(da[..., here, : here.start])
    return da


def _eigh_da(g, out, a, UPLO):
    (dw, dv), (w, v) = g, out
    eye = _eye(a.shape[-1], w.dtype)
    turn = _adjoint(v) @ dv
    if a.dtype.kind == "c" and _matters((turn * eye).imag, turn):
        raise _errors.gauge("eigh")
    turn = (turn - _adjoint(turn)) * (0.5 * (1 - eye))
    gap = _row(w) - _column(w)
    gap = where((gap == 0) & (turn == 0), 1.0, gap)  # nothing depends on how they are told apart
    return v @ (turn / gap + eye * _row(dw)) @ _adjoint(v)


def _eigvalsh_da(g, out, a, UPLO):
    _, v = eigh(a, UPLO)
    return (v * _row(g)) @ _adjoint(v)


# ---------------------------------------------------------------- norms --


_OF_MATRICES = ("fro", "f", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


def _matrix_axes(ndim, ord, axis):
    """The two axes of matrices, where `norm` is that of matrices and not of all the elements together; or None."""
    if axis is None:
        if ndim != 2 or ord in (None, "fro", "f"):
            return None
        return 0, 1
    axis = axis if isinstance(axis, tuple) else (axis,)
    if len(axis) != 2 or ord in (None, "fro", "f"):
        return None
    return axis[0] % ndim, axis[1] % ndim


def constant(where, name, value):
    """An option of discrete choices: from a Tensor it would take no gradient, and no tangent."""
    kind = type(value)
    if not hasattr(kind, "_apply_op"):
        return value
    if hasattr(kind, "_lifts") or value.requires_grad:
        raise NotImplementedError(
            f"linalg.{where}: the derivative with respect to {name} is not implemented; give a number, if it is a constant"
        )
    return value.item()


def _bind_norm(x, ord=None, axis=None, keepdims=False):
    return (x,), {"ord": constant("norm", "ord", ord), "axis": axis, "keepdims": keepdims}


def _bind_matrix_norm(x, *, keepdims=False, ord="fro"):
    return (x,), {"keepdims": keepdims, "ord": constant("matrix_norm", "ord", ord)}


def _bind_vector_norm(x, *, axis=None, keepdims=False, ord=2):
    return (x,), {"axis": axis, "keepdims": keepdims, "ord": constant("vector_norm", "ord", ord)}


_bind_norm.__name__, _bind_vector_norm.__name__ = (
    "norm",
    "vector_norm",
)  # the short way is open to them: see `reductions`


def _norm_rows(x, ord, axis, keepdims):
    """Of everything by a product of vectors, along one axis by a sum."""
    if ord is None and axis is None:
        return sqrt(TABLE["dot"](x, x))
    return _vector_norm_rows(x, operator.index(axis), keepdims, 2 if ord is None else ord)


def _vector_norm_rows(x, axis, keepdims, ord):
    axis = axis if axis is None else operator.index(axis)  # NumPy sums over several axes in another order
    if ord == 1:
        return TABLE["sum"](abs(x), axis=axis)
    if ord != 2:
        raise ValueError("no expression in rows that has NumPy's bits")
    return sqrt(TABLE["sum"](square(x), axis=axis))


def _norm_dx(g, out, x, ord, axis, keepdims):
    if ord is None or type(axis) is int:
        return _vector_norm_dx(g, out, x, axis, keepdims, 2 if ord is None else ord)
    axes = _matrix_axes(x.ndim, ord, axis)
    return (
        _vector_norm_dx(g, out, x, axis, keepdims, ord)
        if axes is None
        else _matrix_norm_dx(g, out, x, ord, axes, keepdims)
    )


def _matrix_norm_dx(g, out, x, ord, axes, keepdims):
    """Of the largest (smallest) sum or singular value; ties share it."""
    if not x.size:
        return 0.0
    if not keepdims:
        g = expand_dims(g, axes)
    if ord in ("nuc", 2, -2):
        u, s, vh = TABLE["svd"](moveaxis(x, axes, (-2, -1)), False)
        g = moveaxis(g, axes, (-2, -1))
        return moveaxis((u * (g if ord == "nuc" else g * _row(_shares(s, -1, ord > 0)))) @ vh, (-2, -1), axes)
    summed, compared = axes if abs(ord) == 1 else axes[::-1]
    return sign(x) * (g * _shares(abs(x).sum(summed, keepdims=True), compared, ord > 0))


def _shares(x, axis, largest):
    """Zeros, but at the extrema along an axis, which share one evenly."""
    top = x.max(axis, keepdims=True) if largest else x.min(axis, keepdims=True)
    tied = astype(x == top, x.dtype)
    return tied / tied.sum(axis, keepdims=True)


def _batch_norm(many, x, ord, axis, keepdims):
    ndim = x.ndim - 1
    axes = _matrix_axes(ndim, ord, axis)
    if axes is not None:
        return norm(x, ord, (axes[0] + 1, axes[1] + 1), keepdims)
    ord = 2 if ord in (None, "fro", "f") else ord
    return vector_norm(x, axis=past(axis, x), keepdims=keepdims, ord=ord)


def _vector_norm_dx(g, out, x, axis, keepdims, ord):
    """Zero where the norm is zero, which has a kink there, and where an element is, if p is less than 1."""
    if ord in (2, "fro", "f"):
        if all_normal(out):
            return x * _kept(g / out, axis, keepdims)
        return where(_kept(out == 0, axis, keepdims), 0.0, x / _kept(out, axis, keepdims)) * _kept(g, axis, keepdims)
    if ord == 1:
        return sign(x) * _kept(g, axis, keepdims)
    if not keepdims:
        axis = tuple(range(x.ndim)) if axis is None else axis
        g, out = expand_dims(g, axis), expand_dims(out, axis)
    if ord == 0 or not x.size:
        return 0.0
    if ord in (np.inf, -np.inf):
        return sign(x) * (g * _shares(abs(x), tuple(range(x.ndim)) if axis is None else axis, ord > 0))
    safe = where(out == 0, 1.0, out)
    g, size = where(out == 0, 0.0, g), abs(x)
    if ord > 2:
        return x * (g / safe * (size / safe) ** (ord - 2))
    slope = size ** (ord - 1)  # apart, so that what is infinite at a zero stays there
    return sign(x) * (slope if ord > 1 else where(size == 0, 0.0, slope)) * (g / safe ** (ord - 1))


# fmt: off
_GENERAL = np.array([[3.0, 1.0, -0.5], [0.25, -2.0, 1.0], [1.5, 0.75, 2.5]])
_COMPLEX = _GENERAL + 1j * np.array([[0.5, -1.0, 0.25], [1.0, 0.5, -0.75], [0.0, 1.25, -0.5]])
_SINGULARS = np.stack([_GENERAL, [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]])
_BATCH = np.stack([_GENERAL, _GENERAL.T + 1.0])
_LARGE = np.eye(9) * 1.5 + np.cos(np.arange(81.0)).reshape(9, 9) / 2
_DEFINITE = np.array([[4.0, 1.0, -0.5], [1.0, 3.0, 0.75], [-0.5, 0.75, 2.0]])
_HERMITIAN = _DEFINITE + 1j * np.array([[0.0, 0.5, -0.25], [-0.5, 0.0, 0.75], [0.25, -0.75, 0.0]])
_DEFINITES = np.stack([_DEFINITE, _DEFINITE[::-1, ::-1] + np.eye(3)])
_EMPTY = np.zeros((0, 0))

# ---------------------------------------------------------------- systems --

solve_triangular = _op(
    "solve_triangular", _solve_triangular, "a, b; trans=0, lower=False, unit_diagonal=False",
    bind=_bind_triangular, joint=True, holomorphic=False, vjp=_triangular_dab, saves="out, a",
    batch=_batch_solve(lambda: solve_triangular),
    cases=[case(_GENERAL, (3,), trans=0, lower=True, unit_diagonal=False),
           case(_GENERAL, (3, 2), trans=1, lower=False, unit_diagonal=False),
           case(_COMPLEX, _COMPLEX[:, :2], trans=2, lower=True, unit_diagonal=False),
           case(_COMPLEX, _COMPLEX[0], trans=1, lower=True, unit_diagonal=True),
           case(_BATCH, (3, 2), trans=0, lower=False, unit_diagonal=True),
           case(_GENERAL, (2, 3, 2), trans=2, lower=False, unit_diagonal=False),
           case(_BATCH, (3,), trans=0, lower=True, unit_diagonal=False),
           case(_EMPTY, (0,), trans=0, lower=True, unit_diagonal=False)],
    doc=_doc("x with ``op(a) @ x == b`` for triangular matrices a; `scipy.linalg.solve_triangular`, over batches.",
             "linalg.solve_triangular([[2., 0.], [1., 4.]], [2., 9.], lower=True)", "tensor([1., 2.])",
             """b of one dimension is a vector. LinAlgError is raised for a zero on the diagonal."""))
solve = _op(
    "solve", _stacks.solve, "a, b", joint=True, vjp=_solve_dab, saves="out, a", batch=_batch_solve(lambda: solve),
    cases=[case(_GENERAL, (3,)), case(_GENERAL, (3, 2)), case(_BATCH, (3, 2)), case(_GENERAL, (2, 3, 1)),
           case(_BATCH, (3,)), case(_COMPLEX, (3,)), case(_EMPTY, (0, 2))],
    doc=_doc("x with ``a @ x == b``.", "linalg.solve([[2., 0.], [0., 4.]], [2., 8.])", "tensor([1., 2.])",
             "b of one dimension is a vector. LinAlgError is raised where a is singular. Real matrices of up to 16 rows in\n"
             "stacks of 512 numbers or more are eliminated in double precision here: NumPy's values but for rounding."))
inv = _op(
    "inv", _stacks.inv, "a", vjp=_inv_da, saves="out", batch="same",
    cases=[case(_GENERAL), case(_BATCH), case(_COMPLEX), case(_EMPTY)],
    doc=_doc("Inverse of matrices.", "linalg.inv([[2., 0.], [0., 4.]])", "tensor([[0.5 , 0.  ],\n        [0.  , 0.25]])",
             "LinAlgError is raised where a is singular. Stacks are treated as by `solve`."))

# ---------------------------------------------------------------- determinants --

cofactors = _op(
    "cofactors", _cofactors, "a", vjp=_cofactors_da, saves="a", batch="same",
    cases=[case(_GENERAL), case(_BATCH), case(_COMPLEX), case(_SINGULARS), case(_LARGE), case((2, 2)), case((1, 1)),
           case(_EMPTY)],
    doc="The matrix of cofactors: the derivative of `det`.")
det = _op(
    "det", _stacks.det, "a", vjp=_det_da, saves="out, a", batch="same",
    cases=[case(_GENERAL), case(_BATCH), case(_COMPLEX), case(_SINGULARS), case((1, 1)), case(_EMPTY)],
    doc=_doc("Determinant of matrices.", "linalg.det([[2., 1.], [0., 4.]])", "tensor(8.)",
             "The gradient is that of the polynomial, so that it exists for singular matrices too. Stacks are treated as by\n"
             "`solve`."))
slogdet = _op(
    "slogdet", _stacks.slogdet, "a", multi=True, named=SlogdetResult, holomorphic=False, vjp=_slogdet_da,
    saves="out, a", batch="same",
    cases=[case(_GENERAL), case(_BATCH), case(_COMPLEX), case(_EMPTY)],
    doc=_doc("Sign and logarithm of the absolute value of determinants.", "linalg.slogdet([[2., 0.], [0., 0.5]])",
             "SlogdetResult(sign=tensor(1.), logabsdet=tensor(0.))"))

# ---------------------------------------------------------------- symmetric matrices --

cholesky = _op(
    "cholesky", _stacks.cholesky, "a; upper=False",
    holomorphic=False, vjp=_cholesky_da, saves="out", batch="same",
    cases=[case(_DEFINITE, upper=False), case(_DEFINITES, upper=False), case(_HERMITIAN, upper=False),
           case(_DEFINITE, upper=True), case(_HERMITIAN, upper=True), case(_EMPTY, upper=False)],
    doc=_doc("Triangular l with ``l @ l.mT.conj() == a``, for symmetric or Hermitian a.",
             "linalg.cholesky([[4., 0.], [0., 9.]])", "tensor([[2., 0.],\n        [0., 3.]])",
             """One triangle of a is read, and the gradient is symmetric: half of it goes to the other.
             LinAlgError is raised where a is not positive definite."""))
eigh = _op(
    "eigh", np.linalg.eigh, "a; UPLO='L'", multi=True, named=EighResult, holomorphic=False, vjp=_eigh_da,
    saves="out", batch="same",
    cases=[case(_DEFINITE, UPLO="L"), case(_DEFINITES, UPLO="U"), case(_EMPTY, UPLO="L")],
    doc=_doc("Eigenvalues and eigenvectors of symmetric or Hermitian matrices.",
             "linalg.eigh([[2., 0.], [0., 1.]]).eigenvalues", "tensor([1., 2.])",
             """One triangle of a is read, and the gradient is symmetric. Eigenvectors are given up to a sign, or a
             phase where they are complex, and those of equal eigenvalues up to a rotation. What depends on the phase
             has no gradient (RuntimeError), what depends on the rotation has infinities or nan; the rest is right."""))
eigvalsh = _op(
    "eigvalsh", np.linalg.eigvalsh, "a; UPLO='L'", holomorphic=False, vjp=_eigvalsh_da, saves="a", batch="same",
    cases=[case(_DEFINITE, UPLO="L"), case(_DEFINITES, UPLO="U"), case(_HERMITIAN, UPLO="L"), case(_EMPTY, UPLO="L")],
    doc=_doc("Eigenvalues of symmetric or Hermitian matrices, in ascending order.",
             "linalg.eigvalsh([[2., 0.], [0., 1.]])", "tensor([1., 2.])",
             "One triangle of a is read, and the gradient is symmetric."))

# ---------------------------------------------------------------- norms --

vector_norm = _op(
    "vector_norm", np.linalg.vector_norm, "x; axis=None, keepdims=False, ord=2", bind=_bind_vector_norm,
    holomorphic=False, vjp=_vector_norm_dx, saves="out, x", rowwise=_vector_norm_rows,
    batch=lambda many, x, axis, keepdims, ord: vector_norm(x, axis=past(axis, x), keepdims=keepdims, ord=ord),
    cases=[case((2, 3)), case((2, 3), axis=1, ord=1), case((2, 3), axis=0, ord=np.inf, keepdims=True),
           case((2, 3, 2), axis=(0, 2), ord=3), case((3,), ord=-1.5), case((2, 3), axis=0, ord=-np.inf),
           case((2, 3), ord=0), case(())],
    kinks=[(([0.0, 0.0],), ([0.0, 0.0],)), (([3.0, 0.0, -4.0],), ([0.6, 0.0, -0.8],))],
    doc=_doc("Norm of vectors: ``sum(abs(x)**ord)**(1/ord)``, over one, some or all axes.",
             "linalg.vector_norm([3., 4.])", "tensor(5.)", "The gradient at zero is zero."))
norm = _op(
    "norm", np.linalg.norm, "x; ord=None, axis=None, keepdims=False", bind=_bind_norm,
    holomorphic=False, vjp=_norm_dx, saves="out, x", batch=_batch_norm, rowwise=_norm_rows,
    cases=[case((2, 3)), case((2, 3), axis=1), case((2, 3, 2), axis=(0, 2), keepdims=True), case((3,), ord=3),
           case((2, 3), ord="fro"), case((2, 3), ord=np.inf, axis=0), case((2, 2, 2)), case((), axis=None),
           *(case((2, 3, 2), ord=ord, axis=(2, 0), keepdims=ord in (1, -2)) for ord in _OF_MATRICES),
           *(case((2, 3), ord=ord) for ord in ("nuc", 1, -1, 2, -2, np.inf, -np.inf)), case((0, 2), ord=1)],
    kinks=[(([0.0, 0.0],), ([0.0, 0.0],))],
    doc=_doc("Norm of vectors or of matrices: `numpy.linalg.norm`.", "linalg.norm([3., 4.])", "tensor(5.)",
             """Without `axis`, an array of two axes is a matrix; without `ord`, it is the square root of the sum of squares.
             Gradients at ties are shared evenly, and zero where the norm is."""))
matrix_norm = _op(
    "matrix_norm", lambda x, keepdims, ord: norm(x, ord, (-2, -1), keepdims), "x; keepdims=False, ord='fro'",
    bind=_bind_matrix_norm,
    cases=[case((2, 3), keepdims=False, ord=ord) for ord in _OF_MATRICES if ord != "f"] + [case((2, 2, 3), keepdims=True, ord=1)],
    doc=_doc("Norm of matrices, which are the last two axes.", "linalg.matrix_norm([[0., 3.], [4., 0.]], ord=2)", "tensor(4.)"))
# fmt: on
