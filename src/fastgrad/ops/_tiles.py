"""Products of two matrices in tiles so small that the BLAS library works on the thread that asks.

So tiles can be shared out to our threads, values do not depend on their number, and no thread of BLAS's own is left
spinning in the way of ours afterwards.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

ALONE = 1 << 18  # multiplications up to which BLAS keeps to one thread
_SIDE, _DEEP = 32, 256  # of tiles with long sums
_LARGE = 512  # from here on, in all three sizes, BLAS's own cuts are better: they fit the whole cache


@lru_cache(256)
def tiles(m, k, n):
    """Rows and columns of a tile of a product (m, k) @ (k, n), and how long parts of its sums are."""
    if m * k * n <= ALONE or min(m, k, n) >= _LARGE:
        return m, k, n
    parts = -(-k // _DEEP)
    deep = k if parts == 1 else -(-k // (16 * parts)) * 16  # parts about equally long
    side = _SIDE if 4 * k > _DEEP else math.isqrt(ALONE // k) // 8 * 8
    tall, wide = min(m, side), min(n, side)
    if wide < side:
        tall = min(m, side * side // wide)
    elif tall < side:
        wide = min(n, side * side // tall)
    return tall, deep, wide


def _starts(size, step):
    return [slice(i, i + step) for i in range(0, size, step)]


def multiply(x, y):
    """x @ y of two matrices, neither empty."""
    m, k, n = *x.shape, y.shape[1]
    tall, deep, wide = tiles(m, k, n)
    if (tall, deep, wide) == (m, k, n):
        return np.matmul(x, y)
    out = np.empty((m, n), np.result_type(x, y))
    for rows in _starts(m, tall):
        for columns in _starts(n, wide):
            tile = out[rows, columns]
            for i, part in enumerate(_starts(k, deep)):
                sums = np.matmul(x[rows, part], y[part, columns])
                tile[...] = sums if i == 0 else tile + sums
    return out
