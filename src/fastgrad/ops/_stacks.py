"""numpy.linalg's functions of ndarrays that are stacks of small matrices, and quicker ones of very small ones.

Each matrix is by itself, so that a stack can be shared out to threads, which is for the backend to do.
"""

from __future__ import annotations

import numpy as np

#: The compiled backend's `share_stacks` and `solve_stack`; None: nobody has threads.
share = solver = None

_UFUNCS = getattr(np.linalg, "_umath_linalg", None)  # not for everyone, so that one day it may be gone
_MANY = 16384  # numbers in a stack from which on it pays to share it out
_SMALL = 48  # rows up to which the BLAS library uses no threads of its own
_LOCKED = 1300  # additions and multiplications below which its calls get in each other's way: each takes a lock
_FEW = 16  # rows and columns up to which the elimination here is quicker than LAPACK's call
_STACK = 512  # numbers in a stack from which on that counts: what is smaller has NumPy's bits
_LEAST = 2.0**-40  # of pivots beside each other: whether such a matrix is singular is NumPy's to say


# ---------------------------------------------------------------- NumPy's functions --
# Their loops, their bits; where one of them reports something, the whole is NumPy's to do again, and to raise.


def _shared(name, operands, results, work):
    """What the function of that name gives, where it can be shared out; else None.

    `results` are the shapes of each matrix's, `work` how much one matrix is. NumPy computes in double precision
    whatever the operands are.
    """
    a = operands[0]
    if share is None or work < _LOCKED or type(a) is not np.ndarray or a.size < _MANY or not hasattr(_UFUNCS, name):
        return None
    n, batch = a.shape[-1], a.shape[:-2]
    if n > _SMALL or not all(_is_stack(x, batch, n) for x in operands):
        return None
    arrays = [x.astype(float, copy=False).reshape(-1, *x.shape[-2:]) for x in operands]
    core = (n, *(x.shape[-1] for x in operands[1:]))
    arrays += [np.empty((len(arrays[0]), *shape)) for shape in results]
    if not share(getattr(_UFUNCS, name), core, tuple(arrays), 1 + 100_000 // work):
        return None
    dtype = np.result_type(*operands)
    found = [x.reshape(*batch, *shape).astype(dtype, copy=False) for x, shape in zip(arrays[len(operands) :], results)]
    return tuple(found) if len(found) > 1 else found[0]


def _is_stack(x, batch, n):
    """Whether x is a stack of real matrices of n rows."""
    return type(x) is np.ndarray and x.dtype.char in "fd" and x.ndim > 2 and x.shape[:-1] == (*batch, n)


def _cube(a):
    """The least work that NumPy's function has to do for a matrix, 0 where there is none."""
    return a.shape[-1] ** 3 // 3 if a.ndim > 2 and a.shape[-1] == a.shape[-2] else 0


def det(a):
    out = _forward(a, determinants=True)
    if out is None:
        out = _shared("det", (a,), ((),), 2 * _cube(a))
    return np.linalg.det(a) if out is None else out


def slogdet(a):
    out = _shared("slogdet", (a,), ((), ()), 2 * _cube(a))
    return np.linalg.slogdet(a) if out is None else out


def inv(a):
    out = _forward(a)
    if out is None:
        out = _shared("inv", (a,), (a.shape[-2:],), 8 * _cube(a))
    return np.linalg.inv(a) if out is None else out


def cholesky(a, upper):
    out = _shared("cholesky_up" if upper else "cholesky_lo", (a,), (a.shape[-2:],), _cube(a))
    return np.linalg.cholesky(a, upper=upper) if out is None else out


def solve(a, b):
    out = _forward(a, b) if b.size else None
    if out is None:
        work = 2 * _cube(a)
        if work and b.ndim > 2:
            work += 2 * a.shape[-1] ** 2 * b.shape[-1]
        out = _shared("solve", (a, b), (b.shape[-2:],), work)
    return np.linalg.solve(a, b) if out is None else out


# ---------------------------------------------------------------- very small matrices --


def _forward(a, b=None, determinants=False):
    """What `_eliminated` gives, where a is a stack of many such matrices, none of them nearly singular; or None."""
    if type(a) is not np.ndarray or a.ndim < 3 or a.size < _STACK or not _is_small(a):
        return None
    b = a[..., :0] if determinants else b
    return _eliminated(a, b, least=_LEAST) if b is None or _suits(a, b) else None


def systems(a, b=None):
    """`solve`, or without b `inv`, for the formulas of derivatives, whose last bits are nobody's."""
    x = _eliminated(a, b) if _is_small(a) and (b is None or (b.size and _suits(a, b))) else None
    if x is not None:
        return x
    return inv(a) if b is None else solve(a, b)


def adjugates(a):
    """The inverse times the determinant, both by one elimination: their errors cancel where a is nearly singular."""
    x = _eliminated(a, None, scaled=True) if _is_small(a) else None
    return det(a)[..., None, None] * inv(a) if x is None else x


def _is_small(a):
    return _is_stack(a, a.shape[:-2], a.shape[-1]) and 0 < a.shape[-1] <= _FEW


def _suits(a, b):
    return _is_stack(b, a.shape[:-2], a.shape[-1]) and b.dtype == a.dtype and b.shape[-1] <= _FEW


def _eliminated(a, b, scaled=False, least=0.0):
    """Gauss's elimination, pivots down the columns, and substitution, in double precision; of b without columns the
    determinants. None where something is not finite, or a pivot as small as `least` times another.

    `scaled`: times the determinants.
    The compiled backend does the same operations in the same order (csrc/batches.c).
    """
    shape = a.shape if b is None else b.shape if b.shape[-1] else a.shape[:-2]
    a = a.reshape(-1, *a.shape[-2:])
    b = None if b is None else b.reshape(len(a), *b.shape[-2:])
    done = None
    if solver is not None:
        x = np.empty(shape, a.dtype)
        done = solver(a, b, x, scaled, least)
    if done is None:
        with np.errstate(all="ignore"):
            done, x = _by_numpy(a, np.broadcast_to(np.eye(a.shape[-1]), a.shape) if b is None else b, scaled, least)
        x = x.astype(a.dtype).reshape(shape)
    return x if done else None


def _by_numpy(a, b, scaled, least):
    """Whether all is well, and what is found."""
    n, each, det = a.shape[-1], np.arange(len(a)), np.ones(len(a))
    m = np.concatenate((a, b), axis=-1, dtype=float)
    for c in range(n):
        p = c + abs(m[:, c:, c]).argmax(1)
        m[:, c], m[each, p] = m[each, p], m[:, c].copy()
        det = np.where(p == c, det, -det) * m[:, c, c]
        times = m[:, c + 1 :, c] * (1 / m[:, c, c, None])
        m[:, c + 1 :, c + 1 :] -= times[..., None] * m[:, c, None, c + 1 :]
    pivots = m[:, :, :n].diagonal(0, 1, 2)
    for c in reversed(range(n)):
        m[:, c, n:] *= 1 / m[:, c, c, None]
        m[:, :c, n:] -= m[:, :c, c, None] * m[:, c, None, n:]
    found = m[:, :, n:] if b.shape[-1] else det
    if scaled:
        found = found * det[:, None, None]
    size = abs(pivots)
    return np.isfinite(found).all() and (size.min(1) > least * size.max(1)).all(), found
