"""QR, SVD, LU, eigenvalues of general matrices, and what is made of them: the rest of `fastgrad.linalg`'s decompositions.

The formulas are PyTorch's, but for the vectors that span a null space (``full_matrices=True``): what does not depend on
how they are turned has its gradient here, and what does has none (RuntimeError).
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from .. import _errors
from ._doc import describe
from ._doc import doc as _doc
from ._row import case, register
from .decompositions import _adjoint, _again, _column, _constant, _eye, _matters, _real, _row, _values, solve
from .elementwise import where
from .indexing import getitem
from .shaping import concat, stack

_op = partial(register, module="fastgrad.linalg")

describe({
    "qr.mode": ('{"reduced", "complete", "r", "raw"}', "How much of the factors is given."),
    "full_matrices": ("bool", "Give square U and Vh, or only the vectors of the singular values."),
    "compute_uv": ("bool", "False: give the singular values alone."),
    "hermitian": ("bool", "Take a to be Hermitian: one triangle is read."),
    "rcond": ("float, array or None", "What counts as zero among singular values, relative to the largest."),
    "rtol": ("float, array or None", "The same; None: the precision times the larger of the sizes."),
    "lu_solve.piv": ("array of int", "The exchanges of rows, from `lu_factor`."),
    "lu_solve.trans": ("{0, 1, 2}", "Solve with a, its transpose or its conjugate transpose."),
    "cholesky_solve.upper": ("bool", "Whether l is upper triangular: ``a == l.mT.conj() @ l``."),
})  # fmt: skip


class QRResult(NamedTuple):
    """What `qr` gives: ``Q @ R == a``."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What `svd` gives: ``U @ diag(S) @ Vh == a``."""

    U: Any
    S: Any
    Vh: Any


class EigResult(NamedTuple):
    """What `eig` gives: eigenvalues, and the eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


# ---------------------------------------------------------------- helpers --


def _qr_result(*parts):
    return QRResult(*parts) if len(parts) == 2 else parts[0]


def _svd_result(*parts):
    return SVDResult(*parts) if len(parts) == 3 else parts[0]


@_constant
def _upper(n, dtype, k=0):
    """Ones on and above a diagonal."""
    return np.triu(np.ones((n, n), dtype), k)


def _columns(x, start, stop):
    return getitem(x, (Ellipsis, slice(start, stop)))


def _rows(x, start, stop):
    return getitem(x, (Ellipsis, slice(start, stop), slice(None)))


def _on_diagonal(x, eye):
    """The diagonals of square matrices."""
    return (x * eye).sum(-2)


def _safe(divisor, dividend):
    """`divisor`, but 1 where 0 would be divided by 0: nothing depends on it."""
    return where((divisor == 0) & (dividend == 0), 1.0, divisor)


def _refuse(name, what, slope, *sizes):
    """A gradient that is not zero along what changes nothing but how the result happens to be given."""
    if _matters(slope, *sizes):
        raise RuntimeError(f"{name}: {what}, and the result depends on it, so that it has no gradient")


def _times_inverse_adjoint(x, r):
    """x @ inv(r).mT.conj(), for upper triangular r."""
    return _adjoint(_again(r, _adjoint(x), 0, False))


# ---------------------------------------------------------------- QR --


def _qr(a, mode):
    out = np.linalg.qr(a, mode)
    return tuple(out) if isinstance(out, tuple) else (out,)


def _bind_qr(a, mode="reduced"):
    if mode not in ("reduced", "complete", "r", "raw"):
        raise ValueError(f"Unrecognized mode '{mode}'")
    return (a,), {"mode": mode}


def _qr_da(g, out, a, mode):
    m, n = a.shape[-2:]
    if mode == "raw":
        raise RuntimeError('qr: mode="raw" has no derivative')
    if mode == "complete" and m > n:
        raise RuntimeError('qr: mode="complete" has no derivative for matrices with more rows than columns')
    if mode == "r":
        q, (r,), dq, (dr,) = qr(a)[0], out, None, g
    else:
        (q, r), (dq, dr) = out, g
    k, real = min(m, n), _real(r.dtype)
    square = _columns(r, 0, k) if n > k else r
    inner = dr @ _adjoint(r)
    if dq is not None:
        inner = inner - _adjoint(q) @ dq
    if m >= n:
        inner = inner * _upper(n, real)
        inner = inner + _adjoint(inner * _upper(n, real, 1))
        if inner.dtype.kind == "c":
            eye = _eye(n, real)
            inner = inner - eye * (inner - inner.conj()) / 2  # R has a real diagonal
        da = q @ inner
        return _times_inverse_adjoint(da if dq is None else da + dq, square)
    skew = (_adjoint(inner) - inner) * (_upper(k, real).mT - 0.5 * _eye(k, real))
    da = _times_inverse_adjoint(q @ skew, square)
    zeros = np.zeros((*da.shape[:-1], n - k), da.dtype)
    return concat((da, zeros), -1) + q @ dr


def _householder_product(a, tau):
    m, n = a.shape[-2:]
    k = tau.shape[-1]
    if not m >= n >= k:
        raise ValueError(
            f"householder_product: expected at least {k} columns and as many rows, got shape {tuple(a.shape)}"
        )
    batch = np.broadcast_shapes(tuple(a.shape[:-2]), tuple(tau.shape[:-1]))
    dtype = np.result_type(a.dtype, tau.dtype)
    q = np.broadcast_to(np.eye(m, n, dtype=dtype), (*batch, m, n))
    for i in reversed(range(k)):
        head = np.eye(m, 1, -i, dtype=dtype)
        below = np.tri(m, 1, -i - 1, dtype=dtype)
        v = _columns(a, i, i + 1) * below + head
        q = q - (tau[..., i : i + 1][..., None] * v) @ (_adjoint(v) @ q)
    return q if k else where(np.False_, a, q)


# ---------------------------------------------------------------- SVD --


def _svd(a, full_matrices, compute_uv, hermitian):
    out = np.linalg.svd(a, full_matrices, compute_uv, hermitian)
    return tuple(out) if isinstance(out, tuple) else (out,)


def _svdvals_da(g, a):
    u, _, vh = svd(a, False)
    return (u * _row(g)) @ vh


def _thin(g, u, k, side):
    """Vectors of the singular values alone, with what the others' cotangent means for them.

    The others are known up to a unitary matrix: they span what is orthogonal to these.
    """
    if u.shape[-1] == k:
        return g, u
    others, d_others = _columns(u, k, None), _columns(g, k, None)
    u, g = _columns(u, 0, k), _columns(g, 0, k)
    turn = _adjoint(others) @ d_others
    _refuse("svd", f"with full_matrices=True the last columns of {side} are given up to a rotation",
            turn - _adjoint(turn), turn)  # fmt: skip
    return g - others @ (_adjoint(d_others) @ u), u


def _svd_da(g, out, a, full_matrices, compute_uv, hermitian):
    da = _svdvals_da(g[0], a) if len(out) == 1 else _svd_vectors_da(g, out)
    return (da + _adjoint(da)) / 2 if hermitian else da


def _svd_vectors_da(g, out):
    (du, ds, dvh), (u, s, vh) = g, out
    k = s.shape[-1]
    du, u = _thin(du, u, k, "U")
    dv, v = _thin(_adjoint(dvh), _adjoint(vh), k, "V")
    vh, eye = _adjoint(v), _eye(k, s.dtype)
    turn_u, turn_v = _adjoint(u) @ du, vh @ dv
    turn_u, turn_v = turn_u - _adjoint(turn_u), turn_v - _adjoint(turn_v)
    inner = eye * _row(ds)
    if u.dtype.kind == "c":
        phase = _on_diagonal(turn_u, eye)
        together = phase + _on_diagonal(turn_v, eye)
        _refuse("svd", "complex singular vectors are given up to a phase each", together, turn_u, turn_v)
        inner = inner + eye * _row(phase / (2 * _safe(s, phase)))
    gap = (_row(s) - _column(s)) * (_row(s) + _column(s))
    turn_u, turn_v = turn_u * (1 - eye), turn_v * (1 - eye)
    inner = inner + turn_u / _safe(gap, turn_u) * _row(s) + _column(s) * (turn_v / _safe(gap, turn_v))
    da = u @ inner @ vh
    if u.shape[-2] > k:
        rest = du / _safe(_row(s), du)
        da = da + (rest - u @ (_adjoint(u) @ rest)) @ vh
    if v.shape[-2] > k:
        rest = dv / _safe(_row(s), dv)
        da = da + u @ _adjoint(rest - v @ (vh @ rest))
    return da


# ---------------------------------------------------------------- eigenvalues --


def _eig_da(g, out, a):
    (dw, dv), (w, v) = g, out
    eye, vh = _eye(a.shape[-1], _real(v.dtype)), _adjoint(v)
    turn = vh @ dv
    along = _on_diagonal(turn, eye)
    if v.dtype.kind == "c":
        _refuse("eig", "complex eigenvectors are given up to a phase each", along.imag, turn)
        along = along.real
    turn = (turn - vh @ (v * _row(along))) * (1 - eye)
    gap = (_row(w) - _column(w)).conj()
    return solve(vh, (turn / _safe(gap, turn) + eye * _row(dw)) @ vh)


def _eigvals_da(g, out, a):
    vh = _adjoint(eig(a)[1])
    return solve(vh, _column(g) * vh)


# ---------------------------------------------------------------- pseudoinverses and least squares --


def _bind_pinv(a, rcond=None, hermitian=False, *, rtol=np._NoValue):
    return (a,), {"rcond": rcond, "hermitian": hermitian, "rtol": rtol}


def _pinv(a, rcond, hermitian, rtol):
    return np.linalg.pinv(a, rcond, hermitian, rtol=rtol)


def _pinv_da(g, out, a, **_):
    """Golub and Pereyra's, where the rank does not change."""
    p, ph, gh = out, _adjoint(out), _adjoint(g)
    if a.shape[-2] <= a.shape[-1]:
        k = gh @ p
        kph = k @ ph
        return kph - _adjoint(p @ k) - (a @ p) @ kph + (ph @ p) @ (gh - k @ a)
    k = p @ gh
    phk = ph @ k
    return phk - _adjoint(k @ p) + (gh - a @ k) @ p @ ph - (phk @ p) @ a


def _lstsq(a, b, rcond):
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim <= 2 and b.ndim <= 2:
        x, residuals, rank, s = np.linalg.lstsq(a, b, rcond)
        return x, residuals, np.asarray(rank), s
    _checked("lstsq", a)
    right = b[:, None] if b.ndim == 1 else b
    batch = np.broadcast_shapes(a.shape[:-2], right.shape[:-2])
    a, right = (np.broadcast_to(part, batch + part.shape[-2:]) for part in (a, right))
    (m, n), k, real = a.shape[-2:], right.shape[-1], np.result_type(a, b, np.float32)
    x, found = np.empty((*batch, n, k), real), []
    real = np.dtype(real.char.lower())
    residuals, rank, s = np.empty((*batch, k), real), np.empty(batch, np.int32), np.empty((*batch, min(m, n)), real)
    if right.shape[-2] != m:
        raise np.linalg.LinAlgError("Incompatible dimensions")
    for i in np.ndindex(batch):
        x[i], rest, rank[i], s[i] = np.linalg.lstsq(a[i], right[i], rcond)
        found.append(rest.size == k)
        residuals[i] = rest if found[-1] else 0
    return x[..., 0] if b.ndim == 1 else x, residuals if all(found) else residuals[..., :0], rank, s


def _lstsq_dab(g, out, a, b, rcond):
    (dx, dr, _, ds), (x, residuals, _, s) = g, out
    vector = b.ndim == 1
    if vector:
        dx, x, b = _column(dx), _column(x), _column(b)
    rcond = np.finfo(float).eps * max(a.shape[-2:]) if rcond is None else rcond
    p = pinv(a, rcond)
    da, db = _pinv_da(dx @ _adjoint(b), p, a), _adjoint(p) @ dx
    if residuals.size:
        rest = (b - a @ x) * _row(2 * dr)
        da, db = da - rest @ _adjoint(x), db + rest
    if s.size:
        da = da + _svdvals_da(ds, a)
    return da, db[..., 0] if vector else db


def _batch_lstsq(many, a, b, rcond):
    count = (a if many[0] else b).shape[0]
    found = [lstsq(a[i] if many[0] else a, b[i] if many[1] else b, rcond) for i in range(count)]
    return tuple(stack(parts) for parts in zip(*found))


# ---------------------------------------------------------------- LU --


@cache
def _scipy(name):
    try:
        import scipy.linalg
    except ImportError:
        raise ImportError(f"linalg.{name} needs SciPy: pip install scipy") from None
    return getattr(scipy.linalg, name)


@cache
def _lapack(name):
    """SciPy's LAPACK routine by the letter of the dtype; None without SciPy."""
    try:
        from scipy.linalg import lapack
    except ImportError:
        return None
    return {letter: getattr(lapack, kind + name) for letter, kind in zip("fdFD", "sdcz")}


def _checked(name, a):
    a = np.asarray(a)
    if a.ndim < 2:
        raise np.linalg.LinAlgError(f"{a.ndim}-dimensional array given. Array must be at least two-dimensional")
    if a.dtype.kind not in "fcbiu" or a.dtype.char in "egG":
        raise _errors.no_linalg(name, a.dtype)
    return a.astype(a.dtype.newbyteorder("=") if a.dtype.kind in "fc" else float, copy=False)


def _lu(a):
    a = _checked("lu", a)
    if not a.size:
        *batch, m, n = a.shape
        k, one = min(m, n), np.eye(m, dtype=a.dtype)
        p, l = (np.broadcast_to(part, (*batch, *part.shape)).copy() for part in (one, one[:, :k]))
        return p, l, np.zeros((*batch, k, n), a.dtype)
    p, l, u = _scipy("lu")(a)
    return p.astype(a.dtype, copy=False), l, u


def _lu_result(p, l, u):
    return p.detach(), l, u  # which rows are exchanged does not depend on a, but where it jumps


def _lu_da(g, out, a):
    (_, dl, du), (p, l, u) = g, out
    return p @ _unpermuted_lu_da(dl, du, l, u)


def _unpermuted_lu_da(dl, du, l, u):
    """The gradient in the product of l and u. What a tall or wide matrix has past its square is solved for."""
    m, n, k = l.shape[-2], u.shape[-1], u.shape[-2]
    real = _real(l.dtype)
    below, above = _upper(k, real, 1).mT, _upper(k, real)
    if n > k:
        du_rest, u_rest = _columns(du, k, None), _columns(u, k, None)
        du, u = _columns(du, 0, k), _columns(u, 0, k)
        rest = _again(l, du_rest, 2, True, True)
        dl = dl - rest @ _adjoint(u_rest)
    elif m > k:
        dl_rest, l_rest = _rows(dl, k, None), _rows(l, k, None)
        dl, l = _rows(dl, 0, k), _rows(l, 0, k)
        rest = _times_inverse_adjoint(dl_rest, u)
        du = du - _adjoint(l_rest) @ rest
    inner = (_adjoint(l) @ (dl * below)) * below + ((du * above) @ _adjoint(u)) * above
    da = _again(l, _times_inverse_adjoint(inner, u), 2, True, True)
    return concat((da, rest), -1) if n > k else concat((da, rest), -2) if m > k else da


def _lu_factor(a):
    """LAPACK itself, which SciPy asks too, but without a warning where a matrix is singular."""
    a = _checked("lu_factor", a)
    lu_, piv = np.empty_like(a, order="C"), np.empty((*a.shape[:-2], min(a.shape[-2:])), np.int32)
    if not a.size:
        return lu_, piv
    factor = _lapack("getrf")
    if factor is None:
        _scipy("lu_factor")
    for i in np.ndindex(a.shape[:-2]):
        lu_[i], piv[i], _ = factor[a.dtype.char](a[i])
    return lu_, piv


def _order(piv, m):
    """Where each row of the product of l and u comes from: the exchanges that LAPACK says it has made, in turn."""
    piv = np.asarray(piv)
    order = np.broadcast_to(np.arange(m), (*piv.shape[:-1], m)).copy()
    if not piv.size:
        return order
    flat, swaps = order.reshape(-1, m), piv.reshape(-1, piv.shape[-1])
    for row, exchanged in zip(flat, swaps):
        for i, j in enumerate(exchanged.tolist()):
            row[i], row[j] = row[j], row[i]
    return order


def _exchange(order, dtype, back=False):
    """The matrix that puts rows in an order, or back."""
    matrix = np.eye(order.shape[-1], dtype=dtype)[order]
    return matrix.swapaxes(-1, -2) if back else matrix


def _lu_factor_da(g, out, a):
    (d, _), (lu_, piv) = g, out
    m, n = a.shape[-2:]
    k, real = min(m, n), _real(d.dtype)
    lower = np.tril(np.ones((m, k), real), -1)
    upper = np.triu(np.ones((k, n), real))
    l = _columns(lu_, 0, k) * lower + np.eye(m, k, dtype=real)
    u = _rows(lu_, 0, k) * upper
    da = _unpermuted_lu_da(_columns(d, 0, k) * lower, _rows(d, 0, k) * upper, l, u)
    return _exchange(_order(_values(piv), m), real, back=True) @ da


def _bind_lu_solve(lu_and_piv, b, trans=0):
    lu_, piv = lu_and_piv
    if trans not in (0, 1, 2):
        raise ValueError(f"lu_solve: trans must be 0, 1 or 2, not {trans!r}")
    return (lu_, b), {"piv": np.asarray(piv), "trans": trans}


def _lu_solve(lu, b, piv, trans):
    n = lu.shape[-1]
    if lu.ndim < 2 or lu.shape[-2] != n or not b.ndim or b.shape[-1 if b.ndim == 1 else -2] != n:
        raise _errors.linear_system("lu_solve", lu.shape, b.shape)
    exchange = _exchange(_order(piv, n), _real(lu.dtype), back=trans != 0)
    columns = _column(b) if b.ndim == 1 else b
    if trans:
        x = exchange @ _again(lu, _again(lu, columns, trans, False), trans, True, True)
    else:
        x = _again(lu, _again(lu, exchange @ columns, 0, True, True), 0, False)
    return x[..., 0] if b.ndim == 1 else x


def _cholesky_solve(b, l, upper):
    columns = _column(b) if b.ndim == 1 else b
    x = _again(l, _again(l, columns, 2 if upper else 0, not upper), 0 if upper else 2, not upper)
    return x[..., 0] if b.ndim == 1 else x


# fmt: off
_GENERAL = np.array([[3.0, 1.0, -0.5], [0.25, -2.0, 1.0], [1.5, 0.75, 2.5]])
_COMPLEX = _GENERAL + 1j * np.array([[0.5, -1.0, 0.25], [1.0, 0.5, -0.75], [0.0, 1.25, -0.5]])
_BATCH = np.stack([_GENERAL, _GENERAL.T + 1.0])
_POSITIVE = np.array([[3.0, 1.0, 0.5], [0.25, 2.0, 1.0], [1.5, 0.75, 5.0]])  # whose eigenvalues are real
_TALL, _WIDE = _GENERAL[:, :2], _GENERAL[:2]
_TALLS, _WIDES = _BATCH[..., :2], _BATCH[:, :2]

# ---------------------------------------------------------------- orthogonal factors --

qr = _op(
    "qr", _qr, "a; mode='reduced'", bind=_bind_qr, multi=True, named=_qr_result, holomorphic=False, vjp=_qr_da,
    saves="out, a", batch="same",
    cases=[*(case(a, mode="reduced") for a in (_TALL, _TALLS, _COMPLEX, _COMPLEX[:2], np.stack([_COMPLEX] * 2))),
           case(_COMPLEX, mode="complete"), case(_COMPLEX[:2], mode="complete"),
           *(case(a, mode="r") for a in (_TALL, _TALLS, _COMPLEX, _COMPLEX[:2]))],
    doc=_doc("The product of an orthogonal (unitary) matrix and an upper triangular one.",
             "linalg.qr([[3., 1.], [4., 2.]]).R", "tensor([[-5. , -2.2],\n        [ 0. ,  0.4]])",
             """`mode` is that of `numpy.linalg.qr`; with "r" the triangle alone is given. "raw" has no derivative, and neither
             has "complete" where there are more rows than columns: the last columns of Q are then any that fit."""))
householder_product = _op(
    "householder_product", _householder_product, "a, tau",
    cases=[case((3, 3), (3,)), case((4, 3), (2,)), case((2, 3, 2), (2, 2)), case((3, 2), (0,))],
    doc=_doc("The first columns of the product of the reflections ``1 - tau[i] * v @ v.conj()``, where v is column i of a below a 1.",
             "linalg.householder_product([[1.], [1.]], [1.])", "tensor([[ 0.],\n        [-1.]])",
             "What makes Q of what `qr(a, mode=\"raw\")` gives (as PyTorch's of that name)."))
svd = _op(
    "svd", _svd, "a; full_matrices=True, compute_uv=True, hermitian=False", multi=True, named=_svd_result,
    holomorphic=False, vjp=_svd_da, saves="out, a", batch="same",
    cases=[*(case(a, full_matrices=False, compute_uv=True, hermitian=False) for a in (_GENERAL, _TALL, _WIDE, _BATCH, _TALLS)),
           case(_GENERAL, full_matrices=True, compute_uv=True, hermitian=False),
           case(_WIDES, full_matrices=True, compute_uv=False, hermitian=False)],
    doc=_doc("Singular values, and the unitary matrices on their left and right.", "linalg.svd([[0., 2.], [1., 0.]]).S",
             "tensor([2., 1.])",
             """Vectors are given up to a sign, or a phase where they are complex, those of equal singular values up to a
             rotation, and so are the last ones of ``full_matrices=True``. What depends on the phase or on the last ones has
             no gradient (RuntimeError), what depends on the rotation has infinities or nan; the rest is right."""))
svdvals = _op(
    "svdvals", lambda x: np.linalg.svd(x, compute_uv=False), "x", holomorphic=False,
    vjp=lambda g, out, x: _svdvals_da(g, x), saves="x", batch="same",
    cases=[case(a) for a in (_GENERAL, _TALL, _WIDES, _COMPLEX, np.zeros((0, 2)))],
    doc=_doc("Singular values, in descending order.", "linalg.svdvals([[0., 2.], [1., 0.]])", "tensor([2., 1.])"))

# ---------------------------------------------------------------- eigenvalues --

eig = _op(
    "eig", lambda a: tuple(np.linalg.eig(a)), "a", multi=True, named=EigResult, holomorphic=False, vjp=_eig_da,
    saves="out, a", batch="same", cases=[case(_POSITIVE), case(np.stack([_POSITIVE, _POSITIVE.T])), case(np.zeros((0, 0)))],
    doc=_doc("Eigenvalues and eigenvectors of square matrices.", "linalg.eig([[2., 0.], [1., 1.]]).eigenvalues",
             "tensor([1., 2.])",
             """Real where all eigenvalues of a real matrix are, as in NumPy. Eigenvectors have length one, and are given up to
             a sign, or a phase where they are complex: what depends on the phase has no gradient (RuntimeError)."""))
eigvals = _op(
    "eigvals", np.linalg.eigvals, "a", holomorphic=False, vjp=_eigvals_da, saves="a", batch="same",
    cases=[case(_POSITIVE), case(np.stack([_POSITIVE, _POSITIVE.T])), case(_COMPLEX), case(np.zeros((0, 0)))],
    doc=_doc("Eigenvalues of square matrices.", "linalg.eigvals([[2., 0.], [1., 1.]])", "tensor([1., 2.])",
             "Real where all eigenvalues of a real matrix are, as in NumPy."))

# ---------------------------------------------------------------- pseudoinverses and least squares --

_NONE = {"rcond": None, "hermitian": False, "rtol": np._NoValue}
pinv = _op(
    "pinv", _pinv, "a; rcond=None, hermitian=False, rtol=None", bind=_bind_pinv, holomorphic=False, vjp=_pinv_da,
    saves="out, a", batch="same",
    cases=[*(case(a, rcond=None, hermitian=False) for a in (_GENERAL, _TALL, _WIDES, _COMPLEX, _COMPLEX[:2], np.zeros((0, 2)))),
           case(_GENERAL, rcond=1e-3, hermitian=False), case(_TALLS, hermitian=False, rtol=None)],
    doc=_doc("Moore and Penrose's pseudoinverse.", "linalg.pinv([[2., 0.], [0., 0.]])",
             "tensor([[0.5, 0. ],\n        [0. , 0. ]])",
             "Singular values of at most `rcond` (or `rtol`) times the largest are taken for zeros, and the gradient is that at a fixed rank."))
lstsq = _op(
    "lstsq", _lstsq, "a, b; rcond=None", multi=True, joint=True, holomorphic=False, vjp=_lstsq_dab, saves="out, a, b",
    batch=_batch_lstsq,
    cases=[case(_GENERAL, (3,)), case(_TALL, (3,)), case(_TALL, (3, 2)), case(_WIDE, (2, 2)), case(_COMPLEX[:, :2], (3,)),
           case(_TALL, (3,), rcond=1e-3), case(_TALL, (3, 0))],
    doc=_doc("x for which ``a @ x`` is nearest to b; the sums of squares of what is left, the rank and the singular values of a.",
             "linalg.lstsq([[1., 0.], [1., 1.], [1., 2.]], [1., 3., 5.])[0]", "tensor([1., 2.])",
             """As `numpy.linalg.lstsq`, and over batches: where a has not full rank, x is the shortest, and there are no sums of
             squares."""))

# ---------------------------------------------------------------- triangular factors --

lu = _op(
    "lu", _lu, "a", multi=True, named=_lu_result, holomorphic=False, vjp=_lu_da, saves="out", batch="same",
    cases=[case(a) for a in (_GENERAL, _BATCH, _TALLS, _WIDES, np.zeros((0, 2, 3)), np.zeros((2, 0)), _COMPLEX, _COMPLEX[:2],
                             _COMPLEX[:, :2])],
    doc=_doc("P, L and U, with ``P @ L @ U == a``: a permutation, a unit lower triangle and an upper one; `scipy.linalg.lu`.",
             "linalg.lu([[0., 2.], [4., 6.]])[2]", "tensor([[4., 6.],\n        [0., 2.]])"))
lu_factor = _op(
    "lu_factor", _lu_factor, "a", multi=True, holomorphic=False, vjp=_lu_factor_da, saves="out, a", batch="same",
    cases=[case(a) for a in (_GENERAL, _TALL, _WIDE, _BATCH, _COMPLEX, _COMPLEX[:, :2])],
    doc=_doc("L and U in one matrix, and the exchanges of rows, for `lu_solve`; `scipy.linalg.lu_factor`.",
             "linalg.lu_factor([[0., 2.], [4., 6.]])[0]", "tensor([[4., 6.],\n        [0., 2.]])"))
lu_solve = _op(
    "lu_solve", _lu_solve, "lu, b; piv, trans=0", bind=_bind_lu_solve,
    cases=[case(a, b, piv=np.array(piv), trans=trans) for a, b, piv, trans in (
        (_GENERAL, (3,), [1, 2, 2], 0), (_GENERAL, (3, 2), [2, 1, 2], 1), (_COMPLEX, (3,), [0, 2, 2], 2),
        (_BATCH, (3, 2), [[1, 1, 2], [2, 2, 2]], 0))],
    doc=_doc("x with ``a @ x == b``, or with the transpose (trans=1) or the conjugate transpose (2) of a, from `lu_factor(a)`.",
             "linalg.lu_solve(fg.linalg.lu_factor([[0., 2.], [4., 6.]]), [2., 10.])", "tensor([1., 1.])"))
cholesky_solve = _op(
    "cholesky_solve", _cholesky_solve, "b, l; upper=False",
    cases=[case((3,), _GENERAL), case((3, 2), _BATCH, upper=True), case((2, 3, 1), _COMPLEX), case((3,), _COMPLEX, upper=True)],
    doc=_doc("x with ``a @ x == b``, where a is given by its factor l (`cholesky`): ``a == l @ l.mT.conj()``.",
             "linalg.cholesky_solve([4., 9.], [[2., 0.], [0., 3.]])", "tensor([1., 1.])"))
# fmt: on
