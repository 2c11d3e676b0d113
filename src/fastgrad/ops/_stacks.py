"""numpy.linalg's functions of ndarrays that are stacks of small matrices, and for formulas quicker ones.

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
    out = _shared("det", (a,), ((),), 2 * _cube(a))
    return np.linalg.det(a) if out is None else out


def slogdet(a):
    out = _shared("slogdet", (a,), ((), ()), 2 * _cube(a))
    return np.linalg.slogdet(a) if out is None else out


def inv(a):
    out = _shared("inv", (a,), (a.shape[-2:],), 8 * _cube(a))
    return np.linalg.inv(a) if out is None else out


def cholesky(a, upper):
    out = _shared("cholesky_up" if upper else "cholesky_lo", (a,), (a.shape[-2:],), _cube(a))
    return np.linalg.cholesky(a, upper=upper) if out is None else out


def solve(a, b):
    work = 2 * _cube(a)
    if work and b.ndim > 2:
        work += 2 * a.shape[-1] ** 2 * b.shape[-1]
    out = _shared("solve", (a, b), (b.shape[-2:],), work)
    return np.linalg.solve(a, b) if out is None else out


# ---------------------------------------------------------------- for formulas --


def systems(a, b=None):
    """`solve`, or without b `inv`, for the formulas of derivatives, whose last bits are nobody's."""
    x = _eliminated(a, b) if _is_small(a) and (b is None or _suits(a, b)) else None
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
    return _is_stack(b, a.shape[:-2], a.shape[-1]) and b.dtype == a.dtype and 0 < b.shape[-1] <= _FEW


def _eliminated(a, b, scaled=False):
    """Gauss and Jordan's elimination, pivots down the columns; None where something is not finite in the end.

    `scaled`: times the determinants.
    The compiled backend does the same operations in the same order (csrc/batches.c).
    """
    shape = a.shape if b is None else b.shape
    a, b = a.reshape(-1, *a.shape[-2:]), None if b is None else b.reshape(-1, *b.shape[-2:])
    done, n = None, a.shape[-1]
    if solver is not None:
        x = np.empty(shape, a.dtype)
        done = solver(a, b, x.reshape(-1, *shape[-2:]), scaled)
    if done is None:
        m = np.zeros((len(a), n, n + shape[-1]))
        m[..., :n], m[..., n:] = a, np.eye(n) if b is None else b
        each, det = np.arange(len(a)), np.ones(len(a))
        for c in range(n):
            p = c + abs(m[:, c:, c]).argmax(1)
            m[:, c], m[each, p] = m[each, p], m[:, c].copy()
            det *= np.where(p == c, m[:, c, c], -m[:, c, c])
            m[:, c, c + 1 :] *= 1 / m[:, c, c, None]
            others = [r for r in range(n) if r != c]
            m[:, others, c + 1 :] -= m[:, others, c, None] * m[:, c, None, c + 1 :]
        found = m[..., n:] * det[:, None, None] if scaled else m[..., n:]
        done, x = np.isfinite(found).all(), found.astype(a.dtype).reshape(shape)
    return x if done else None
