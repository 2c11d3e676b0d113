"""`vmap`: one function for many examples at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .._backend import Tensor
from .._methods import TensorMethods
from ..ops import TABLE
from . import _errors
from ._batched import Batched
from ._lift import Lifted, level
from ._reverse import depends, peel
from ._tree import flatten, shown, spread, unflatten
from ._values import any_tensors, as_tensor, is_array, plain_result

_concat, _moveaxis = TABLE["concat"], TABLE["moveaxis"]


def vmap(
    func: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
    in_dims: Any = None,
    out_dims: Any = None,
) -> Callable[..., Any]:
    """A function that maps `func` over an axis of its arguments: it runs once, on the whole batch.

    Inside, a Tensor has the shape of one example. Each operation runs on all examples together; only those of which
    fastgrad knows nothing (operations of your own without a ``batch=`` rule, `autograd.Function`) run in a loop, and
    say so in a warning, once.

    Parameters
    ----------
    func : callable
        Takes and gives Tensors, arrays, numbers and nested tuples, lists and dicts of them.
    in_axes : int, None, or nested tuple, list or dict of them
        The axis of each argument to map over; None: every example gets all of it. A tuple has an entry for each
        argument. An entry may stand for a whole tuple, list or dict. Keyword arguments are not mapped over.
    out_axes : int, None, or nested tuple, list or dict of them
        Where the axis is in the results; None for what is the same for all examples.
    randomness : {"error", "different", "same"}
        For the sake of PyTorch's signature: no operation of fastgrad is random.
    chunk_size : int, optional
        How many examples to run at once, where all of them take too much memory.
    in_dims, out_dims
        PyTorch's names of `in_axes` and `out_axes`.

    Returns
    -------
    callable
        Takes what `func` takes with one axis more, and gives what it gives with one axis more.

    Raises
    ------
    ValueError
        If the axes do not fit the arguments, or their lengths are not the same.
    RuntimeError
        Inside, where something needs one value: ``if``, ``float()``, a boolean mask as an index.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.func.vmap(fg.dot)(np.ones((2, 3)), np.arange(6.0).reshape(2, 3))
    array([ 3., 12.])
    >>> fg.func.vmap(fg.func.grad(lambda w, x: (w * x).sum() ** 2), in_axes=(None, 0))(np.ones(2), np.eye(2))
    array([[2., 0.],
           [0., 2.]])
    """
    in_axes = in_axes if in_dims is None else in_dims
    out_axes = out_axes if out_dims is None else out_dims
    if randomness not in ("error", "different", "same"):
        raise ValueError(f"randomness must be 'error', 'different' or 'same', not {randomness!r}")
    if chunk_size is not None and chunk_size <= 0:
        raise _errors.chunk_size(chunk_size)
    where = f"vmap({getattr(func, '__name__', 'f')})"

    @wraps(func)
    def mapped(*args, **kwargs):
        leaves, structure, axes = _inputs(where, args, in_axes)
        size = _size(where, leaves, axes)
        if chunk_size is None or chunk_size >= size:
            parts, shape = _run(where, func, leaves, structure, axes, size, kwargs, out_axes)
        else:
            chunks, shape = [], None
            for start in range(0, size, chunk_size):
                cut = [_cut(v, axis, start, chunk_size) for v, axis in zip(leaves, axes)]
                part, shape = _run(where, func, cut, structure, axes, min(chunk_size, size - start), kwargs, out_axes)
                chunks.append(part)
            parts = [
                column[0] if axis is None else (_concat([out for out, _ in column], 0), axis)
                for column in zip(*chunks)
                for axis in [column[0][1]]
            ]
        outs = [out if axis is None else _placed(where, out, axis) for out, axis in parts]
        if not any_tensors(flatten(args)[0]) and not any_tensors(flatten(tuple(kwargs.values()))[0]):
            outs = [plain_result(out) if type(out) is Tensor else out for out in outs]
        return unflatten(outs, shape)

    return mapped


def _inputs(where, args, in_axes):
    """The arguments' leaves, their structure, and the axis (or None) of each."""
    if not args:
        raise _errors.nothing_to_map(where)
    if in_axes is not None and not isinstance(in_axes, (int, tuple)):
        raise _errors.axes_type(where, in_axes)
    leaves, structure = flatten(args)
    axes = spread(in_axes, args)
    if axes is None:
        raise _errors.axes_structure(where, "in_axes", in_axes, shown(structure))
    found = []
    for i, (value, axis) in enumerate(zip(leaves, axes)):
        if axis is None:
            found.append(None)
            continue
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise _errors.axes_type(where, in_axes)
        if not isinstance(value, (TensorMethods, np.ndarray, np.generic)):
            raise _errors.axis_of_no_array(where, axis, value)
        ndim = value.ndim
        if not -ndim <= axis < ndim:
            raise _errors.axis_range(where, axis, ndim)
        found.append(axis % ndim)
        leaves[i] = as_tensor(value)
    return leaves, structure, found


def _size(where, leaves, axes):
    sizes = [value.shape[axis] for value, axis in zip(leaves, axes) if axis is not None]
    if not sizes:
        raise _errors.nothing_to_map(where)
    if len(set(sizes)) != 1:
        raise _errors.batch_sizes(sizes)
    return sizes[0]


def _cut(value, axis, start, length):
    if axis is None:
        return value
    return value[(slice(None),) * axis + (slice(start, start + length),)]


def _run(where, func, leaves, structure, axes, size, kwargs, out_axes):
    """The results as ``(value, axis)``, with the examples along axis 0 where the axis is not None; their structure."""
    with level(size) as many:
        given = [
            value if axis is None else Batched(_moveaxis(value, axis, 0) if axis else value, many.number)
            for value, axis in zip(leaves, axes)
        ]
        out = func(*unflatten(given, structure), **kwargs)
        outs, shape = flatten(out)
        found = spread(out_axes, out)
        if found is None:
            raise _errors.axes_structure(where, "out_axes", out_axes, shown(shape))
        parts = []
        for value, axis in zip(outs, found):
            if axis is None:
                if isinstance(value, Lifted) and depends(value, many):
                    raise _errors.batched_result(where)
                parts.append((value, None))
                continue
            if not is_array(value):
                raise _errors.not_a_mapped_result(where, value)
            parts.append((peel(as_tensor(value), many), axis))
    return parts, shape


def _placed(where, out, axis):
    if not -out.ndim <= axis < out.ndim:
        raise _errors.out_axis_range(where, axis, out.ndim)
    return _moveaxis(out, 0, axis) if axis else out
