"""Linear algebra: what the top level has of it, and systems, determinants and decompositions.

Matrices are the last two axes, the others a batch of them. `numpy.linalg`'s functions know Tensors, and give the same.

>>> import fastgrad as fg
>>> a = fg.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
>>> fg.linalg.slogdet(a).logabsdet.backward()
>>> a.grad
tensor([[ 0.6, -0.2],
        [-0.2,  0.4]])
"""

from __future__ import annotations

from ._backend import functions as _functions
from ._backend import public as _public

_own = _functions("fastgrad.linalg")
globals().update(_own)
matmul, matrix_transpose, tensordot = (_public[name] for name in ("matmul", "matrix_transpose", "tensordot"))

__all__ = ["matmul", "matrix_transpose", "tensordot", *_own]
