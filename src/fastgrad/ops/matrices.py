"""Powers and functions of matrices, products of many, ranks and condition numbers, and the standard's own names.

The derivative of a function of matrices is a block of the function of a larger one: Mathias, A chain rule for matrix
functions and applications, SIAM Journal on Matrix Analysis and Applications 17(3), 1996.
"""

from __future__ import annotations

import math
import operator
import warnings
from functools import partial

import numpy as np
from numpy.linalg import LinAlgError

from ._doc import describe
from ._doc import doc as _doc
from ._row import case, register
from .decompositions import _adjoint, _inv_da, _norm_dx, _real, constant, inv, norm, solve
from .elementwise import real, where
from .factorizations import _checked, _scipy, svd
from .linalg import dot, matmul
from .reductions import sum as _sum
from .shaping import clone, concat, diagonal, expand_dims, moveaxis, reshape, stack, transpose

_op = partial(register, module="fastgrad.linalg")

describe({
    "matrix_power.n": ("int", "How often."),
    "tensorsolve.axes": ("sequence of int or None", "Axes of a that are moved to the end first."),
    "tensorinv.ind": ("int", "How many of the first axes are those of the result of the system."),
    "cond.p": ('{None, "fro", "nuc", 1, -1, 2, -2, inf, -inf}', "Which norm; None: 2."),
    "matrix_rank.tol": ("float, array or None", "Singular values larger than that count; None: `rtol` says."),
    "linalg_cross.axis": ("int", "The axis of the three elements."),
})  # fmt: skip

# ---------------------------------------------------------------- functions of matrices --


def _square(a):
    if a.ndim < 2:
        raise LinAlgError(f"{a.ndim}-dimensional array given. Array must be at least two-dimensional")
    if a.shape[-1] != a.shape[-2]:
        raise LinAlgError("Last 2 dimensions of the array must be square")


#: Higham, The scaling and squaring method for the matrix exponential revisited, SIAM Journal on Matrix Analysis and
#: Applications 26(4), 2005: coefficients of the Padé approximant of degree 13, and the norm up to which it is used.
_PADE = (64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
         670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)  # fmt: skip
_PADE_NORM = 5.371920351148152


def _expm(a):
    a = _checked("expm", a)
    _square(a)
    if not a.size:
        return np.zeros_like(a)
    try:
        function = _scipy("expm")
    except ImportError:
        return _own_expm(a)
    return function(a)


def _own_expm(a):
    dtype, size = a.dtype, np.abs(a.astype(np.result_type(a, float))).sum(-2).max(-1)
    with np.errstate(divide="ignore"):
        halvings = np.maximum(np.ceil(np.log2(size / _PADE_NORM)), 0)
    halvings = np.where(np.isfinite(halvings), halvings, 0).astype(int)
    a = a / np.exp2(halvings)[..., None, None]
    one, b = np.eye(a.shape[-1], dtype=a.dtype), _PADE
    a2 = a @ a
    a4, a6 = a2 @ a2, a2 @ a2 @ a2
    odd = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    out = np.linalg.solve(even - odd, even + odd)
    for step in range(int(halvings.max(initial=0))):
        out = np.where((halvings > step)[..., None, None], out @ out, out)
    return out.astype(dtype, copy=False)


def _each(name):
    """A function of SciPy's, matrix by matrix."""

    def function(a):
        a = _checked(name, a)
        _square(a)
        if not a.size:
            return np.zeros_like(a)
        of_one = _scipy(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [np.asarray(of_one(matrix)) for matrix in a.reshape(-1, *a.shape[-2:])]
        kind = "c" if any(part.dtype.kind == "c" for part in found) else "f"
        return np.stack(found).reshape(a.shape).astype(f"{kind}{_real(a.dtype).itemsize << (kind == 'c')}", copy=False)

    return function


def _block(a, e):
    """[[a, e], [0, a]]"""
    zeros = np.zeros(a.shape, a.dtype)
    return concat((concat((a, e), -1), concat((zeros, a), -1)), -2)


def _along(row, a, e):
    """The derivative of a function of matrices at a along e. Its adjoint is made of it without the adjoint of a, whose
    eigenvalues may lie on the other side of a cut."""
    n = a.shape[-1]
    return row(_block(a, e))[..., :n, n:]


def _function(name, forward, near, **docs):
    row = _op(name, forward, "a", holomorphic=False, saves="a", batch="same",
              vjp=lambda g, out, a: _adjoint(_along(row, a, _adjoint(g))), jvp=lambda tangents, out, a: _along(row, a, tangents[0]),
              cases=[case(a) for a in near], doc=_doc(**docs))  # fmt: skip
    return row


# ---------------------------------------------------------------- powers, products --


def _bind_matrix_power(a, n):
    try:
        return (a,), {"n": operator.index(n)}
    except TypeError:
        raise TypeError("exponent must be an integer") from None


def _matrix_power(a, n):
    """The products that NumPy forms, in its order."""
    _square(a)
    if n == 0:
        return where(np.False_, a, np.eye(a.shape[-1], dtype=a.dtype))
    if n < 0:
        a, n = inv(a), -n
    if n == 3:
        return matmul(matmul(a, a), a)
    power, out = a, None
    while True:
        n, bit = divmod(n, 2)
        if bit:
            out = power if out is None else matmul(out, power)
        if not n:
            return out if out is not a else clone(a)
        power = matmul(power, power)


def _multi_dot(*arrays):
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    first, last = arrays[0].ndim, arrays[-1].ndim
    if len(arrays) == 2:
        return dot(*arrays)
    arrays = list(arrays)
    if first == 1:
        arrays[0] = expand_dims(arrays[0], 0)
    if last == 1:
        arrays[-1] = expand_dims(arrays[-1], 1)
    for a in arrays:
        if a.ndim != 2:
            raise LinAlgError(f"{a.ndim}-dimensional array given. Array must be two-dimensional")
    out = _chain(arrays, _cuts([a.shape[0] for a in arrays] + [arrays[-1].shape[1]]), 0, len(arrays) - 1)
    return reshape(out, (() if last == 1 else (-1,)) if first == 1 else (-1,) if last == 1 else out.shape)


def _cuts(sizes):
    """Where the product of the matrices i to j is best cut in two: Cormen and others, Introduction to Algorithms, 15.2."""
    n = len(sizes) - 1
    cost, cut = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)]
            cost[i, j] = min(costs)
            cut[i, j] = i + costs.index(cost[i, j])
    return cut


def _chain(arrays, cut, i, j):
    if i == j:
        return arrays[i]
    k = cut[i, j]
    return dot(_chain(arrays, cut, i, k), _chain(arrays, cut, k + 1, j))


# ---------------------------------------------------------------- systems of tensors --


def _tensorsolve(a, b, axes):
    if axes is not None:
        order = list(range(a.ndim))
        for k in axes:
            order.remove(k)
            order.insert(a.ndim, k)
        a = transpose(a, order)
    shape = a.shape[b.ndim - a.ndim :] if a.ndim != b.ndim else a.shape
    size = math.prod(shape)
    if a.size != size**2:
        raise LinAlgError("Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])")
    return reshape(solve(reshape(a, (size, size)), reshape(b, (-1,))), shape)


def _tensorinv(a, ind):
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = tuple(a.shape)
    size = math.prod(shape[ind:])
    return reshape(inv(reshape(a, (size, -1))), shape[ind:] + shape[:ind])


# ---------------------------------------------------------------- condition, rank --


def _cond_dx(g, out, x, p):
    g = real(g) if g.dtype.kind == "c" else g  # NumPy 2.0 gives a real number as a complex one
    if p is None or p in (2, -2):
        u, s, vh = svd(x, False)
        largest, least = s[..., :1], s[..., -1:]
        over, under = (least, largest) if p == -2 else (largest, least)
        first, last = np.eye(s.shape[-1], dtype=_real(s.dtype))[[0, -1]]
        if p == -2:
            first, last = last, first
        return (u * (g[..., None] * (first / under - last * (over / under**2)))[..., None, :]) @ vh
    y = inv(x)
    size, of_inverse = norm(x, p, (-2, -1)), norm(y, p, (-2, -1))
    dy = _norm_dx(g * size, of_inverse, y, p, (-2, -1), False)
    return _norm_dx(g * of_inverse, size, x, p, (-2, -1), False) + _inv_da(dy, y.conj(), x)


def _cond(x, p):
    return np.asarray(np.linalg.cond(x, p))


def _bind_cond(x, p=None):
    return (x,), {"p": constant("cond", "p", p)}


def _bind_matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    return (A,), {"tol": tol, "hermitian": hermitian, "rtol": rtol}


def _matrix_rank(A, tol, hermitian, rtol):
    return np.asarray(np.linalg.matrix_rank(A, tol, hermitian, rtol=rtol))


def _batch_matrix_rank(many, A, tol, hermitian, rtol):
    if A.ndim > 2:
        return matrix_rank(A, tol, hermitian, rtol=rtol)
    return (A != 0).any(tuple(range(1, A.ndim))).astype(int)  # vectors and numbers


# ---------------------------------------------------------------- the standard's own --


def _cross(x1, x2, axis):
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, "
            f"but they are {x1.shape[axis]} and {x2.shape[axis]} dimensional instead."
        )
    x1, x2 = moveaxis(x1, axis, -1), moveaxis(x2, axis, -1)
    (a, b, c), (d, e, f) = ([x[..., i] for i in range(3)] for x in (x1, x2))
    return stack((b * f - c * e, c * d - a * f, a * e - b * d), axis)


def _outer(x1, x2):
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"Input arrays must be one-dimensional, but they are {x1.ndim=} and {x2.ndim=}.")
    return expand_dims(x1, 1) * expand_dims(x2, 0)


# fmt: off
_GENERAL = np.array([[3.0, 1.0, -0.5], [0.25, -2.0, 1.0], [1.5, 0.75, 2.5]])
_COMPLEX = _GENERAL + 1j * np.array([[0.5, -1.0, 0.25], [1.0, 0.5, -0.75], [0.0, 1.25, -0.5]])
_BATCH = np.stack([_GENERAL, _GENERAL.T + 1.0])
_POSITIVE = np.array([[3.0, 1.0, 0.5], [0.25, 2.0, 1.0], [1.5, 0.75, 5.0]])
_UNEVEN = np.array([[2.9, 0.7, -0.4], [0.3, -1.8, 1.1], [1.3, 0.6, 2.3]])
_POSITIVES = [_POSITIVE, np.stack([_POSITIVE, _POSITIVE.T]), _POSITIVE + 0.25j * _GENERAL, np.zeros((0, 0))]
_SMALL = _POSITIVE[:2, :2]  # logm is slow

# ---------------------------------------------------------------- functions of matrices --

expm = _function(
    "expm", _expm, [_GENERAL / 2, _BATCH / 4, _COMPLEX / 2, np.zeros((2, 2)), np.ones((1, 1)), np.zeros((0, 0))],
    summary="The exponential of square matrices: the sum of ``a**k / k!``.",
    call="linalg.expm([[0., 1.], [0., 0.]])", shows="tensor([[1., 1.],\n        [0., 1.]])",
    notes="With SciPy it is `scipy.linalg.expm`, without it an approximation as good.")
sqrtm = _function(
    "sqrtm", _each("sqrtm"), _POSITIVES,
    summary="The principal square root r of square matrices: ``r @ r == a``; `scipy.linalg.sqrtm`.",
    call="linalg.sqrtm([[4., 0.], [0., 9.]])", shows="tensor([[2., 0.],\n        [0., 3.]])",
    notes="Complex where a has negative eigenvalues.")
logm = _function(
    "logm", _each("logm"), [_SMALL, np.stack([_SMALL, _SMALL.T]) + 0.25j * _GENERAL[1:, 1:], np.zeros((0, 0))],
    summary="The principal logarithm of square matrices, of which `expm` is the inverse; `scipy.linalg.logm`.",
    call="linalg.logm([[1., 0.], [0., 1.]])", shows="tensor([[0., 0.],\n        [0., 0.]])",
    notes="Complex where a has negative eigenvalues.")

# ---------------------------------------------------------------- powers, products, systems --

matrix_power = _op(
    "matrix_power", _matrix_power, "a; n", bind=_bind_matrix_power,
    cases=[case(a, n=n) for a, n in ((_GENERAL, 0), (_GENERAL, 1), (_BATCH, 2), (_GENERAL, 3), (_GENERAL, 6), (_BATCH, -1),
                                     (_COMPLEX, -5), (np.zeros((0, 0)), 2))],
    doc=_doc("The product of n times the same square matrix; of its inverse, if n is negative.",
             "linalg.matrix_power([[1., 1.], [0., 1.]], 3)", "tensor([[1., 3.],\n        [0., 1.]])"))
multi_dot = _op(
    "multi_dot", _multi_dot, "*arrays",
    cases=[case((2, 3), (3, 2)), case((2, 3), (3, 4), (4, 2)), case((3,), (3, 4), (4,)), case((3,), (3, 4), (4, 2)),
           case((2, 5), (5, 1), (1, 4), (4,)), case((3,), (3,)), case((4, 2), (2, 3), (3, 5), (5, 1), (1, 2))],
    doc=_doc("The product of matrices, in the order that takes the least work.",
             "linalg.multi_dot([[[1., 2.]], [[3.], [4.]], [[2.]]])", "tensor([[22.]])",
             "The first and the last may be vectors."))
tensorsolve = _op(
    "tensorsolve", _tensorsolve, "a, b; axes=None",
    cases=[case(np.stack([_GENERAL] * 2, 1)[:, :1], (3, 1)), case(_GENERAL.reshape(3, 3, 1), (3,)),
           case(_GENERAL.reshape(3, 1, 3), (3, 1)), case(_GENERAL.reshape(1, 3, 3), (3,), axes=(0,)),
           case(_COMPLEX, (3,)), case(_COMPLEX.reshape(3, 1, 3), (3, 1))],
    doc=_doc("x with ``tensordot(a, x, x.ndim) == b``.", "linalg.tensorsolve([[2., 0.], [0., 4.]], [2., 8.])", "tensor([1., 2.])"))
tensorinv = _op(
    "tensorinv", _tensorinv, "a; ind=2",
    cases=[case(_GENERAL.reshape(1, 3, 3), ind=2), case(_GENERAL.reshape(3, 1, 3), ind=1), case(_COMPLEX, ind=1),
           case(_COMPLEX.reshape(1, 3, 3), ind=2)],
    doc=_doc("The inverse of `tensordot` with a: ``tensordot(tensorinv(a, ind), b, ind)`` is `tensorsolve(a, b)`.",
             "linalg.tensorinv([[2., 0.], [0., 4.]], ind=1)", "tensor([[0.5 , 0.  ],\n        [0.  , 0.25]])"))

# ---------------------------------------------------------------- condition, rank --

cond = _op(
    "cond", _cond, "x; p=None", bind=_bind_cond, holomorphic=False, vjp=_cond_dx, saves="x", batch="same",
    cases=[*(case(_UNEVEN, p=p) for p in (None, "fro", "nuc", np.inf, -np.inf, 1, -1, 2, -2)), case(_BATCH), case(np.stack([_UNEVEN, _UNEVEN.T]), p=1),
           case(_GENERAL[:2]), case(_COMPLEX, p="fro"), case(_COMPLEX)],
    doc=_doc("Condition number: the norm of a matrix times that of its inverse.", "linalg.cond([[4., 0.], [0., 2.]])", "tensor(2.)",
             "`p` is one of the orders of `norm`; None is 2, for which matrices need not be square. Infinite for singular matrices."))
matrix_rank = _op(
    "matrix_rank", _matrix_rank, "A; tol=None, hermitian=False, rtol=None", bind=_bind_matrix_rank, vjp=None,
    batch=_batch_matrix_rank,
    cases=[case(_GENERAL), case(_BATCH, tol=2.0), case(_GENERAL[:2], rtol=0.5), case(np.ones((3, 2))), case((3,)), case(())],
    doc=_doc("Rank: how many singular values are larger than `tol`, or `rtol` times the largest.",
             "linalg.matrix_rank([[1., 2.], [2., 4.]])", "tensor(1)"))

# ---------------------------------------------------------------- the standard's own --

_op("linalg_cross", _cross, "x1, x2; axis=-1",
    cases=[case((3,), (3,)), case((2, 3), (3,)), case((3, 2), (3, 2), axis=0), case((2, 3), (4, 1, 3))],
    doc=_doc("Cross product of vectors of three elements.", "linalg.cross([1., 0., 0.], [0., 1., 0.])", "tensor([0., 0., 1.])"))
_op("linalg_diagonal", lambda x, offset: diagonal(x, offset, -2, -1), "x; offset=0",
    bind=lambda x, *, offset=0: ((x,), {"offset": offset}),
    cases=[case((3, 3)), case((2, 2, 3), offset=1), case((3, 2), offset=-1)],
    doc=_doc("The diagonals of matrices, which are the last two axes; a view.", "linalg.diagonal([[1., 2.], [3., 4.]])",
             "tensor([1., 4.])"))
_op("linalg_trace", lambda x, offset, dtype: _sum(diagonal(x, offset, -2, -1), axis=-1, dtype=dtype), "x; offset=0, dtype=None",
    bind=lambda x, *, offset=0, dtype=None: ((x,), {"offset": offset, "dtype": dtype}),
    cases=[case((3, 3)), case((2, 2, 3), offset=1), case((3, 2), offset=-1), case((0, 0)), case((2, 2), dtype=np.dtype("float64"))],
    doc=_doc("Sum of the diagonals of matrices, which are the last two axes.", "linalg.trace([[1., 2.], [3., 4.]])", "tensor(5.)"))
_op("linalg_outer", _outer, "x1, x2", cases=[case((3,), (2,)), case((0,), (2,))],
    doc=_doc("The products of every pair of elements of two vectors.", "linalg.outer([1., 2.], [3., 4.])",
             "tensor([[3., 4.],\n        [6., 8.]])"))
# fmt: on
