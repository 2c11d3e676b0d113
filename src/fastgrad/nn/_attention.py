"""Attention."""

from __future__ import annotations

import math

import numpy as np

from .._backend import function as _top
from ..ops.elementwise import where
from ..ops.indexing import getitem
from ..ops.linalg import matmul
from ..ops.reductions import mean
from ..ops.shaping import broadcast_to, concat, repeat, reshape, swapaxes
from ._convolutions import linear
from ._images import pad
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
    query, key, value, mask = values(name, (query, key, value), attn_mask)
    if (
        min(query.ndim, key.ndim, value.ndim) < 2
        or query.shape[-1] != key.shape[-1]
        or key.shape[-2] != value.shape[-2]
    ):
        raise ValueError(
            f"{name}: query, key and value of shapes {tuple(query.shape)}, {tuple(key.shape)} and "
            f"{tuple(value.shape)}: expected (..., L, E), (..., S, E) and (..., S, V)"
        )
    if is_causal and mask is not None:
        raise ValueError(f"{name}: give attn_mask or is_causal=True, not both")
    if enable_gqa:
        key, value = (repeat(x, _times(name, query, x), axis=-3) for x in (key, value))
    if is_causal:
        mask = np.tri(query.shape[-2], key.shape[-2], dtype=bool)
    scale = 1.0 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    scores = matmul(query * scale, swapaxes(key, -1, -2))
    if mask is None:
        weights = _top("softmax")(scores, axis=-1)
    elif mask.dtype.kind == "b":
        weights = _top("softmax")(where(mask, scores, -math.inf), axis=-1)
        if not is_causal:  # a query that sees nothing gets nothing
            weights = where(_any(mask), weights, 0.0)
    else:
        weights = _top("softmax")(scores + mask, axis=-1)
    return matmul(dropout(weights, dropout_p, generator=generator), value)


def _any(mask):
    return _top("any")(mask, axis=-1, keepdims=True)


def _times(name, query, x):
    heads, own = query.shape[-3], x.shape[-3]
    if heads % own:
        raise ValueError(f"{name}: {heads} heads of query and {own} of key or value, which do not divide them")
    return heads // own


def _halved(x, parts):
    """x cut into equal parts along its first axis."""
    if x is None:
        return (None,) * parts
    n = x.shape[0] // parts
    return tuple(getitem(x, (slice(i * n, (i + 1) * n),)) for i in range(parts))


def _added(mask, dtype):
    """A mask as what is added to the scores: minus infinity where a boolean one is true."""
    if mask is None or mask.dtype.kind != "b":
        return mask
    return where(mask, np.asarray(-math.inf, dtype), np.asarray(0, dtype))


@public
def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn,
    dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True, attn_mask=None,
    use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None,
    static_v=None, average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """Attention of several heads with its projections: the results (L, N, E), and the weights (N, L, S) or None.

    query is (L, N, E), key and value (S, N, E), all of them without the N where there is no batch. `in_proj_weight`
    (3 E, E) holds three projections, unless they are given one by one. A boolean mask says what does not take part
    (`key_padding_mask`: (N, S), `attn_mask`: (L, S) or (N * num_heads, L, S)), any other is added. `bias_k` and
    `bias_v` are one more key and value, `add_zero_attn` another of zeros.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x, eye = fg.ones((3, 2)), fg.eye(2)
    >>> weights = fg.concat([eye, eye, eye])
    >>> out, shares = fg.nn.functional.multi_head_attention_forward(
    ...     x, x, x, 2, 1, weights, None, None, None, False, 0.0, eye, None
    ... )
    >>> out.shape, shares.shape
    ((3, 2), (3, 3))
    """
    name = "multi_head_attention_forward"
    query, key, value = values(name, (query, key, value))
    in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias = values(
        name, (), in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias
    )
    alone, shapes = query.ndim == 2, [tuple(x.shape) for x in (query, key, value)]
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ValueError(f"{name}: query, key and value of shapes {shapes}: expected three axes each, or two")
    masks = values(name, (), key_padding_mask, attn_mask)
    if alone:
        query, key, value = query[:, None], key[:, None], value[:, None]
        masks[0] = None if masks[0] is None else masks[0][None]
    if num_heads < 1:
        raise ValueError(f"{name}: num_heads must be at least 1, it is {num_heads}")
    (length, count, size), width = query.shape, query.shape[2] // num_heads
    if size != embed_dim_to_check or width * num_heads != size:
        raise ValueError(f"{name}: query of size {size}, expected {embed_dim_to_check}, a multiple of {num_heads}")
    if tuple(key.shape[:2]) != tuple(value.shape[:2]) or key.shape[1] != count:
        raise ValueError(f"{name}: query, key and value of shapes {shapes} do not fit")
    if is_causal and masks[1] is None:
        raise ValueError(f"{name}: is_causal needs the attn_mask that it is about")
    if use_separate_proj_weight:
        projections = values(name, (), q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        projections = _halved(in_proj_weight, 3)
    if any(weight is None for weight in projections):
        raise ValueError(f"{name}: the weights of the projections are missing")
    q, k, v = map(linear, (query, key, value), projections, _halved(in_proj_bias, 3))
    padding, mask = (_added(x, q.dtype) for x in masks)
    more = 0
    if (bias_k is None) != (bias_v is None):
        raise ValueError(f"{name}: bias_k and bias_v go together")
    if bias_k is not None:
        if static_k is not None or static_v is not None:
            raise ValueError(f"{name}: bias_k and bias_v do not go with static_k and static_v")
        k, v = (
            concat((x, broadcast_to(bias, (1, count, size))))
            for x, bias in zip((k, v), values(name, (), bias_k, bias_v))
        )
        more += 1
    heads = lambda x: swapaxes(reshape(x, (x.shape[0], count * num_heads, width)), 0, 1)
    q = heads(q)
    k, v = (heads(x) if static is None else static for x, static in zip((k, v), values(name, (), static_k, static_v)))
    if add_zero_attn:
        zero = np.zeros((count * num_heads, 1, width), q.dtype)
        k, v, more = concat((k, zero), 1), concat((v, zero), 1), more + 1
    if mask is not None:
        if tuple(mask.shape) not in ((length, k.shape[1] - more), (count * num_heads, length, k.shape[1] - more)):
            raise ValueError(f"{name}: an attn_mask of shape {tuple(mask.shape)} does not fit")
        mask = pad(mask, (0, more))
    if padding is not None:
        if tuple(padding.shape) != (count, k.shape[1] - more):
            raise ValueError(f"{name}: a key_padding_mask of shape {tuple(padding.shape)} does not fit")
        padding = repeat(pad(padding, (0, more))[:, None], num_heads, axis=0)
        mask = padding if mask is None else mask + padding
    scores = matmul(q * (1.0 / math.sqrt(width or 1)), swapaxes(k, -1, -2))
    weights = _top("softmax")(scores if mask is None else scores + mask, axis=-1)
    weights = dropout(weights, dropout_p if training else 0.0)
    out = reshape(swapaxes(matmul(weights, v), 0, 1), (length, count, size))
    out = linear(out, out_proj_weight, out_proj_bias)
    if alone:
        out = out[:, 0]
    if not need_weights:
        return out, None
    weights = reshape(weights, (count, num_heads, length, k.shape[1]))
    weights = mean(weights, axis=1) if average_attn_weights else weights
    return out, weights[0] if alone else weights


__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]
