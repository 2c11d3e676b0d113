"""Images of another size: along each axis every element of the result is a weighted sum of a few elements.

So it is with interpolation, with averages and with sums of windows. Each is a sparse matrix for each axis (`Taps`), and
the transposed matrices give the gradient: one row, which is its own adjoint.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from ._row import case, register
from .convolutions import window_counts

_op = partial(register, module="fastgrad.nn.functional")

# ---------------------------------------------------------------- matrices --


class Taps:
    """A sparse matrix (m, n): row i has `weights` (None: ones) at `places`, both from starts[i] to starts[i + 1]."""

    def __init__(self, n, starts, places, weights=None):
        if len(starts) < 1 or starts[0] or starts[-1] != len(places) or (np.diff(starts) < 0).any():
            raise ValueError("Taps: starts must go from 0 to the number of places")
        if len(places) and not 0 <= places.min() <= places.max() < n:
            raise ValueError(f"Taps: places must be from 0 to {n - 1}")
        self.n, self.m, self.weights = n, len(starts) - 1, weights
        self.starts, self.places = (np.ascontiguousarray(a, np.intp) for a in (starts, places))
        counts = np.diff(self.starts)
        self.most = int(counts.max(initial=0))
        self.each = self.most if (counts == self.most).all() else -1
        self._turned, self._in = None, {}

    @property
    def T(self):
        if self._turned is None:
            order = np.argsort(self.places, kind="stable")
            counts = np.bincount(self.places, minlength=self.n)
            rows = np.repeat(np.arange(self.m), np.diff(self.starts))
            weights = None if self.weights is None else self.weights[order]
            self._turned = Taps(self.m, np.append(0, np.cumsum(counts)), rows[order], weights)
            self._turned._turned = self
        return self._turned

    def weights_in(self, dtype):
        """The weights for numbers of a floating type: ones, too."""
        found = self._in.get(dtype)
        if found is None:
            ones = np.ones(len(self.places)) if self.weights is None else self.weights
            found = self._in[dtype] = np.ascontiguousarray(ones, np.empty(0, dtype).real.dtype)
        return found


def turned(maps):
    return tuple([None if taps is None else taps.T for taps in maps])


@lru_cache(64)
def window_taps(size, count, kernel, stride, before, dilation):
    """Windows along an axis, without what lies outside."""
    places = np.arange(count)[:, None] * stride + np.arange(kernel) * dilation - before
    inside = (places >= 0) & (places < size)
    return Taps(size, np.append(0, np.cumsum(inside.sum(axis=1))), places[inside])


def window_maps(sizes, kernel, stride, padding, dilation):
    counts = window_counts("pooling", sizes, kernel, stride, padding, dilation)
    return tuple(
        window_taps(size, count, k, s, before, d)
        for size, count, k, s, (before, _), d in zip(sizes, counts, kernel, stride, padding, dilation)
    )


# ---------------------------------------------------------------- forwards --


def _order(maps):
    """The axes that become shorter first, so that there is little in between."""
    axes = [i for i, taps in enumerate(maps) if taps is not None]
    shorter = [i for i in axes if maps[i].m < maps[i].n]
    return shorter + [i for i in reversed(axes) if i not in shorter]


def _along(x, taps, axis):
    if x.shape[axis] != taps.n:
        raise ValueError(f"resampled: a matrix for {taps.n} elements and images of shape {x.shape}")
    dtype = x.dtype
    if taps.weights is not None:
        weights = taps.weights_in(dtype if dtype.kind in "fc" else np.dtype(float))
        dtype = np.result_type(dtype, weights)
    elif taps.most > 1:  # what NumPy sums it in
        dtype = np.sum(np.zeros(1, dtype)).dtype
    out = np.zeros((*x.shape[:axis], taps.m, *x.shape[axis + 1 :]), dtype)
    behind = (1,) * (x.ndim - 1 - axis)
    for k in range(taps.most):
        rows = slice(None) if taps.each >= 0 else np.flatnonzero(np.diff(taps.starts) > k)
        at = taps.starts[:-1][rows] + k
        part = np.take(x, taps.places[at], axis=axis)
        if taps.weights is not None:
            part = part * weights[at].reshape(-1, *behind)
        index = (*(slice(None),) * axis, rows)
        out[index] = part if k == 0 else out[index] + part
    return out


def _resampled(x, maps):
    x = np.asarray(x)
    out = x
    for i in _order(maps):
        out = _along(out, maps[i], x.ndim - len(maps) + i)
    return out.copy() if out is x else out


# ---------------------------------------------------------------- the row --


def _mixed(n, m):
    """Some matrix with sums of different lengths, of which one is empty."""
    places = np.arange(2 * m) * 5 % n
    return Taps(n, np.minimum(np.append(0, np.arange(m) * 2 + 1), 2 * m - 2), places[: 2 * m - 2], np.cos(places[2:]))


_CASES = [
    ((4,), (_mixed(4, 6),)), ((2, 3, 5), (window_taps(3, 2, 2, 1, 0, 1), _mixed(5, 4))),
    ((2, 3, 2), (None, window_taps(2, 3, 2, 1, 1, 1))), ((0, 3), (_mixed(3, 2),)),
    ((2, 2, 3, 3), (window_taps(2, 1, 2, 2, 0, 1), _mixed(3, 7), window_taps(4, 3, 2, 2, 1, 1).T)),
]  # fmt: skip

resampled = _op(
    "resampled", _resampled, "x; maps", linear="jointly", batch="same",
    vjp=lambda g, out, x, maps: resampled.on((g,), {"maps": turned(maps)}),
    cases=[case(sizes, maps=maps) for sizes, maps in _CASES],
    doc="Each of the last axes multiplied by a sparse matrix, of which `maps` has one (or None) for each.",
)  # fmt: skip


def window_sum(x, kernel, stride, padding, dilation):
    """The sum of each window of the last axes."""
    n = len(kernel)
    if x.ndim < n:
        raise ValueError(f"pooling over {n} axes of an array of shape {tuple(x.shape)}")
    return resampled.on((x,), {"maps": window_maps(tuple(x.shape[x.ndim - n :]), kernel, stride, padding, dilation)})
