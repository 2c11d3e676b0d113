"""Triangular systems of ndarrays: blocks on the diagonal by substitution, the rest in products of matrices.

Nothing here asks SciPy: the threads of its BLAS library and of NumPy's would get in each other's way.
"""

from __future__ import annotations

import math

import numpy as np

from .. import _errors

#: The compiled backend's `substitute`; None: NumPy does it.
substitute = None

_BLOCK, _LONG = 48, 256  # rows substituted at once, at most; and of one column


def blocks(n, most=_BLOCK):
    """Slices of n rows, all but the last one of one size."""
    size = -(-n // -(-n // most)) if n else 1
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def solve(a, b, trans, lower, unit_diagonal):
    """x with ``op(a) @ x == b``, of stacks of matrices of one dtype; the other triangle of a is not read."""
    if trans == 2 and a.dtype.kind == "c":
        return solve(a, b.conj(), 1, lower, unit_diagonal).conj()
    if trans:
        a, lower = a.mT, not lower
    n = a.shape[-1]
    if a.ndim == b.ndim == 2:
        out = np.array(b, order="C")
        a, x = a[None], out[None]
    else:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        out = np.empty(batch + b.shape[-2:], a.dtype)
        out[...] = b
        a, x = _stack(np.broadcast_to(a, (*batch, n, n))), _stack(out)
    scale = _reciprocals(a, unit_diagonal)
    parts = blocks(n, _LONG if b.shape[-1] == 1 else _BLOCK)
    for rows in parts if lower else reversed(parts):
        done = slice(0, rows.start) if lower else slice(rows.stop, n)
        part, corner, times = x[:, rows], a[:, rows, rows], scale[:, rows]
        if done.start != done.stop:
            part -= a[:, rows, done] @ x[:, done]
        if not lower:  # from the last row on it is a lower triangle
            part, corner, times = part[:, ::-1], corner[:, ::-1, ::-1], times[:, ::-1]
        _substitute(corner, times, part)
    return out


def inverse(l):
    """The inverses of lower triangles, which LAPACK too finds by solving."""
    n = l.shape[-1]
    out = np.zeros(l.shape, l.dtype)
    l, x = _stack(l), _stack(out)
    x.reshape(len(x), n * n)[:, :: n + 1] = 1
    scale = _reciprocals(l, False)
    for rows in blocks(n):
        if rows.start:
            done = slice(rows.start)
            np.negative(l[:, rows, done] @ x[:, done, done], out=x[:, rows, done])
        _substitute(l[:, rows, rows], scale[:, rows], x[:, rows, : rows.stop])
    return out


def product(l, x):
    """The blocks on and below the diagonal of ``l.mT.conj() @ x``, of lower triangles l; zeros above."""
    out = np.zeros(l.shape, l.dtype)
    for rows in blocks(l.shape[-1]):
        left = l[..., rows.start :, rows].mT.conj()
        np.matmul(left, x[..., rows.start :, : rows.stop], out=out[..., rows, : rows.stop])
    return out


def _stack(x):
    """Matrices along one axis: of a new array the same memory."""
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def _reciprocals(a, unit_diagonal):
    """Of the diagonals, by which is multiplied, as LAPACK does."""
    if unit_diagonal:
        return np.ones(a.shape[:-1], a.dtype)
    diagonal = a.diagonal(0, -2, -1)
    if not diagonal.all():
        raise _errors.singular("solve_triangular")
    return np.reciprocal(diagonal)


def _substitute(t, scale, x):
    """x = inverse(t) @ x, in place, of stacks of small lower triangles t.

    The compiled backend does the same operations in the same order (csrc/triangles.c).
    """
    if substitute is not None and substitute(t, scale, x):
        return
    for i in range(t.shape[-1]):
        row = x[:, i, None]
        row[...] = _times(scale[:, i, None, None], row)
        x[:, i + 1 :] -= _times(t[:, i + 1 :, i, None], row)


def _times(x, y):
    """x * y; of complex numbers part by part, so that no processor rounds otherwise."""
    if x.dtype.kind != "c":
        return x * y
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), x.dtype)
    out.real, out.imag = x.real * y.real - x.imag * y.imag, x.real * y.imag + x.imag * y.real
    return out
