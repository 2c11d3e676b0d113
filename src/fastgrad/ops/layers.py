"""Linear layers: all vectors along the last axis of x as the rows of one matrix, so that there is one product each way."""

from __future__ import annotations

from functools import partial

import numpy as np

from ._batch import ranked
from ._row import case, register
from ._tiles import multiply
from .linalg import _batch_matmul, rows
from .reductions import sum
from .shaping import matrix_transpose, reshape

_op = partial(register, module="fastgrad.nn.functional")


def _linear_map(x, w):
    return multiply(rows(x), w.T).reshape(*x.shape[:-1], w.shape[0])


def _linear(x, w, b):
    out = _linear_map(x, w)
    return np.add(out, b, out=out) if out.dtype == np.result_type(out, b) else out + b


def _dx(g, out, x, *others):
    return reshape(linear_map(rows(g), matrix_transpose(others[0])), tuple(x.shape))


def _dw(g, out, x, *others):
    return linear_map(matrix_transpose(rows(g)), matrix_transpose(rows(x)))


def _batch(many, x, w, *bias):
    """Where all examples share the weights they are more rows."""
    if not any(many[1:]):
        return linear(x, w, *bias) if bias else linear_map(x, w)
    together = not (many[0] or many[1])
    out = linear_map(x, w) if together else _batch_matmul(many[:2], x, matrix_transpose(w))
    if not bias:
        return out
    return out + (ranked(bias[0], out.ndim - (not together)) if many[2] else bias[0])


def _jvp(tangents, out, x, w, b):
    dx, dw, db = tangents
    total = db
    for pair in ((dx, w), (x, dw)):
        if pair[0] is not None and pair[1] is not None:
            part = linear_map(*pair)
            total = part if total is None else part + total
    return total if total.ndim == out.ndim else total + np.zeros(out.shape, out.dtype)


# fmt: off
linear_map = _op(
    "linear_map", _linear_map, "x, w", saves="x, w", linear="each", vjp=(_dx, _dw), batch=_batch,
    cases=[case((2, 3), (4, 3)), case((3,), (2, 3)), case((2, 2, 3), (4, 3)), case((0, 3), (2, 3)), case((2, 0), (3, 0))],
    doc="``x @ w.T`` of vectors x.")
linear = _op(
    "linear", _linear, "x, w, b", saves="x, w", jvp=_jvp, batch=_batch,
    vjp=(_dx, _dw, lambda g, out, x, w, b: sum(rows(g), axis=0)),
    cases=[case((2, 3), (4, 3), (4,)), case((3,), (2, 3), (2,)), case((2, 2, 3), (4, 3), (4,)), case((0, 3), (2, 3), (2,)),
           case((1, 0), (3, 0), (3,))],
    doc="``x @ w.T + b`` of vectors x.")
# fmt: on
