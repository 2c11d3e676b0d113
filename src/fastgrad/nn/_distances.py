"""Norms and distances of vectors."""

from __future__ import annotations

import numpy as np

from .._backend import function as _top
from ..ops.elementwise import abs, sign, sqrt, where
from ..ops.reductions import sum
from ..ops.shaping import broadcast_to
from ._shared import public, value, values


def _norm(x, p, axis, keepdims):
    """The p-norm over axes, with a gradient of 0 where it is 0."""
    size = abs(x)
    if p == 2:
        total = sum(size * size, axis=axis, keepdims=keepdims)
        return where(total == 0, 0.0, sqrt(where(total == 0, 1.0, total)))
    if p == np.inf:
        return _top("max")(size, axis=axis, keepdims=keepdims)
    if p == -np.inf:
        return _top("min")(size, axis=axis, keepdims=keepdims)
    if p == 1:
        return sum(size, axis=axis, keepdims=keepdims)
    if p == 0:
        return sum(sign(size), axis=axis, keepdims=keepdims)  # the number of those that are not 0
    total = sum(
        where(size == 0, 0.0, where(size == 0, 1.0, size) ** p) if p < 2 else size**p, axis=axis, keepdims=keepdims
    )
    return where(total == 0, 0.0, where(total == 0, 1.0, total) ** (1.0 / p))


@public
def normalize(input, p=2.0, axis=1, eps=1e-12):
    """x over its p-norm along an axis, or over eps where the norm is less.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.normalize([[3.0, 4.0]])
    tensor([[0.6, 0.8]])
    """
    x = value(input)
    norm = _norm(x, float(p), axis, True)
    return x / where(norm < eps, eps, norm)


@public
def cosine_similarity(x1, x2, axis=1, eps=1e-8):
    """The cosine of the angle between x1 and x2 along an axis; norms are taken to be at least eps.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.cosine_similarity([[3.0, 4.0]], [[4.0, 3.0]])
    tensor([0.96])
    """
    x1, x2 = values("cosine_similarity", (x1, x2))
    if tuple(x1.shape) != tuple(x2.shape):  # norms are over the axis as it is when both are broadcast
        shape = np.broadcast_shapes(tuple(x1.shape), tuple(x2.shape))
        x1, x2 = broadcast_to(x1, shape), broadcast_to(x2, shape)
    unit1 = x1 / _least(_norm(x1, 2.0, axis, True), eps)
    unit2 = x2 / _least(_norm(x2, 2.0, axis, True), eps)
    return sum(unit1 * unit2, axis=axis)


def _least(norm, eps):
    return where(norm < eps, eps, norm)


@public
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdims=False):
    """The p-norm of x1 - x2 + eps along the last axis.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.pairwise_distance([[3.0, 4.0]], [[0.0, 0.0]], eps=0.0)
    tensor([5.])
    """
    x1, x2 = values("pairwise_distance", (x1, x2))
    return _norm(x1 - x2 + eps, float(p), -1, keepdims)


@public
def pdist(input, p=2.0):
    """The p-norms of the differences of all pairs of rows.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.pdist([[0.0], [3.0], [4.0]])
    tensor([3., 4., 1.])
    """
    x = value(input)
    if x.ndim != 2:
        raise ValueError(f"pdist: expected two axes, got shape {tuple(x.shape)}")
    if p < 0:
        raise ValueError(f"pdist: p must not be negative, it is {p}")
    first, second = np.triu_indices(x.shape[0], 1)
    return _norm(x[first] - x[second], float(p), -1, False)


__all__ = ["cosine_similarity", "normalize", "pairwise_distance", "pdist"]
