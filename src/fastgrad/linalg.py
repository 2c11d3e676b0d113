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

from ._backend import function as _function
from ._backend import functions as _functions

_own = {name.removeprefix("linalg_"): function for name, function in _functions("fastgrad.linalg").items()}
globals().update(_own)
matmul, matrix_transpose, tensordot = (_function(name) for name in ("matmul", "matrix_transpose", "tensordot"))

__all__ = ["matmul", "matrix_transpose", "tensordot", "vecdot", *_own]  # noqa: F822  vecdot is below


def __getattr__(name):
    if name != "vecdot":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import fastgrad

    return fastgrad.vecdot
