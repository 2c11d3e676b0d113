"""Attention."""

from __future__ import annotations

import math

import numpy as np

from .._backend import public as _top
from ..ops.elementwise import where
from ..ops.linalg import matmul
from ..ops.shaping import repeat, swapaxes
from ._layers import dropout
from ._shared import public, values


@public
def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False, generator=None
):
    """softmax(query @ key.mT * scale + mask) @ value, over batches: (..., L, E), (..., S, E) and (..., S, V).

    A boolean `attn_mask` says what takes part; any other is added. `is_causal`: each takes part for itself and those
    after. `scale` is 1 / sqrt(E) unless it is given. `enable_gqa`: key and value have fewer heads (axis -3), each of
    which serves several of query's.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.functional.scaled_dot_product_attention([[0.0]], [[1.0], [1.0]], [[1.0], [3.0]])
    tensor([[2.]])
    """
    name = "scaled_dot_product_attention"
    query, key, value, mask = values(query, key, value, attn_mask)
    if min(query.ndim, key.ndim, value.ndim) < 2 or query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"{name}: query, key and value of shapes {tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}: "
            "expected (..., L, E), (..., S, E) and (..., S, V)"
        )
    if is_causal and mask is not None:
        raise ValueError(f"{name}: give attn_mask or is_causal=True, not both")
    if enable_gqa:
        key, value = (repeat(x, _times(name, query, x), axis=-3) for x in (key, value))
    if is_causal:
        mask = np.tri(query.shape[-2], key.shape[-2], dtype=bool)
    scale = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = matmul(query * scale, swapaxes(key, -1, -2))
    if mask is None:
        weights = _top["softmax"](scores, axis=-1)
    elif mask.dtype.kind == "b":
        weights = _top["softmax"](where(mask, scores, -math.inf), axis=-1)
        if not is_causal:  # a query that sees nothing gets nothing
            weights = where(_any(mask), weights, 0.0)
    else:
        weights = _top["softmax"](scores + mask, axis=-1)
    return matmul(dropout(weights, dropout_p, generator=generator), value)


def _any(mask):
    return _top["any"](mask, axis=-1, keepdims=True)


def _times(name, query, x):
    heads, own = query.shape[-3], x.shape[-3]
    if heads % own:
        raise ValueError(f"{name}: {heads} heads of query and {own} of key or value, which do not divide them")
    return heads // own


__all__ = ["scaled_dot_product_attention"]
