"""`jvp`, `jacfwd`, `jacrev` and `hessian`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .._backend import backend
from ..ops import TABLE
from . import _errors
from ._batched import Batched
from ._dual import Dual
from ._gradients import as_direction, second
from ._lift import Lifted, level
from ._reverse import Reverse, peel, recording, split
from ._tree import flatten, leaves_as, shown, unflatten
from ._values import Picked, any_tensors, as_tensor, detached, finished, inexact, is_array, kept, like_input, split_aux

_broadcast_to, _concat, _moveaxis, _reshape, _zeros_like = (
    TABLE[name] for name in ("broadcast_to", "concat", "moveaxis", "reshape", "zeros_like")
)
_asarray = backend.asarray


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """The value of a function, and its Jacobian times a vector, in one pass that costs about two evaluations.

    Parameters
    ----------
    func : callable
        Takes and gives Tensors, arrays, numbers and nested tuples, lists and dicts of them.
    primals : tuple
        The arguments of `func`.
    tangents : tuple
        The vector: of the structure and shapes of `primals`.
    strict : bool
        Raise RuntimeError where an output does not depend on the inputs; otherwise its tangent is zero.
    has_aux : bool
        Whether `func` gives ``(output, aux)``, of which only the first is differentiated.

    Returns
    -------
    output, tangent
        What `func` gives, and the derivative along `tangents`, of the same structure; with `has_aux`, aux too.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.func.jvp(fg.sin, (np.zeros(2),), (np.array([1.0, 2.0]),))
    (array([0., 0.]), array([1., 2.]))
    """
    where = "jvp(f, primals, tangents)"
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple):
            raise _errors.primals_type(name, value)
    leaves, structure = flatten(primals)
    directions = leaves_as(tangents, structure)
    if directions is None:
        shapes = shown(structure), shown(flatten(tangents)[1])
        raise _errors.tree_mismatch(where, "primals", "tangents", *shapes)
    values = [inexact(where, leaf) for leaf in leaves]
    directions = [as_direction(where, value, t) for value, t in zip(values, directions)]
    with recording() as outer:
        with level() as along:
            duals = [Dual(value, t, along.number) for value, t in zip(values, directions)]
            out, aux = split_aux(where, kept(where, func, *unflatten(duals, structure)), has_aux)
        outs, out_structure = flatten(out)
        parts = [_both(where, value, along, strict) for value in outs]
    as_tensors = any_tensors(leaves) or (any_tensors(directions) and any(isinstance(t, Lifted) for t in directions))

    def keep(value):
        return value if outer else detached(value)

    found = tuple(finished(unflatten([pair[i] for pair in parts], out_structure), as_tensors, keep) for i in range(2))
    return (*found, finished(_tree_of(aux, lambda leaf: split(leaf, along)[0]), as_tensors, keep)) if has_aux else found


def _tree_of(tree, function):
    leaves, structure = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], structure)


def _both(where, value, along, strict):
    """A result's value and tangent."""
    if not is_array(value):
        raise _errors.not_a_result(where, value)
    primal, tangent = split(as_tensor(value), along)
    if tangent is None:
        if strict:
            raise _errors.independent(where)
        tangent = _zeros_like(primal)
    return primal, tangent


# ---------------------------------------------------------------- Jacobians


def _bases(values):
    """The identity matrix, cut into one batch of vectors for each value, as ndarrays of the values' shapes."""
    total, start, bases = sum(value.size for value in values), 0, []
    for value in values:
        base = np.zeros((total, value.size), value.dtype)
        base[np.arange(start, start + value.size), np.arange(value.size)] = 1
        bases.append(base.reshape(total, *value.shape))
        start += value.size
    return total, bases


def _rows(values):
    """Which vectors of the identity matrix are those of each value."""
    ends = np.cumsum([value.size for value in values]).tolist()
    return [slice(end - value.size, end) for end, value in zip(ends, values)]


def _all_real(where, what, values):
    """The values, if none of them is complex: what its Jacobian would be, there is more than one answer to."""
    for value in values:
        if value.dtype.kind == "c":
            raise _errors.complex_jacobian(where, what, value.dtype)
    return values


def _chunks(total, chunk_size):
    if chunk_size is not None and chunk_size <= 0:
        raise _errors.chunk_size(chunk_size)
    step = chunk_size or max(total, 1)
    return [slice(start, min(start + step, total)) for start in range(0, max(total, 1), step)]


def jacrev(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that computes the Jacobian of `func` in reverse mode: best where there are more inputs than outputs.

    All rows are computed at once, as a batch of vector-Jacobian products.

    Parameters
    ----------
    func : callable
        Takes and gives Tensors, arrays, numbers and nested tuples, lists and dicts of them.
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.
    has_aux : bool
        Whether `func` gives ``(output, aux)``, of which only the first is differentiated.
    chunk_size : int, optional
        How many rows to compute at once, where all of them take too much memory.

    Returns
    -------
    callable
        Gives, for each output, and in it for each input, a Jacobian of shape ``output.shape + input.shape``.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.func.jacrev(lambda x: x * x.sum())(np.array([1.0, 2.0]))
    array([[4., 1.],
           [2., 5.]])
    """
    where = "jacrev(f)(*args)"

    @wraps(func)
    def jacobian(*args, **kwargs):
        picked = Picked(argnums, args, kwargs)
        inputs = _all_real(where, "inputs", picked.tensors(where))
        with recording() as outer:
            run = Reverse(inputs, outer)
            out, aux = split_aux(where, picked.call(where, func, run.inputs), has_aux)
            leaves, structure = flatten(out)
            for leaf in leaves:
                if not is_array(leaf):
                    raise _errors.not_a_result(where, leaf)
            outs = _all_real(where, "outputs", [as_tensor(leaf) for leaf in leaves])
            blocks = _reverse_blocks(run, inputs, outs, chunk_size)
            blocks = [picked.tree([_block(b, leaf) for b, leaf in zip(row, picked.leaves)]) for row in blocks]
        found = unflatten(blocks, structure)
        if not has_aux:
            return found
        detach = (lambda value: value) if run.recorded(flatten(aux)[0]) else detached
        return found, finished(aux, any_tensors(picked.leaves), detach)

    return jacobian


def _block(value, given):
    """A Jacobian as what was differentiated is: of a number an array, unless it is one number itself."""
    if value.ndim and isinstance(given, (int, float, complex)):
        given = np.asarray(given)
    return like_input(value, given)


def _reverse_blocks(run, inputs, outs, chunk_size):
    """For each output, the Jacobian with respect to each input."""
    if len(outs) == 1 and outs[0].ndim == 0 and outs[0].dtype.kind in "fc":
        found = run.gradients(outs, [_asarray(np.ones((), outs[0].dtype))])
        return [[_zeros_like(x) if g is None else g for g, x in zip(found, inputs)]]
    total, bases = _bases(outs)
    record = run.recorded(outs)
    columns = [[] for _ in inputs]
    for chunk in _chunks(total, chunk_size):
        with level(chunk.stop - chunk.start) as many:
            given = [Batched(_asarray(base[chunk]), many.number) for base in bases]
            found = run.gradients(outs, given, True, record)
            for column, g, x in zip(columns, found, inputs):
                column.append(peel(_zeros_like(x) if g is None else g, many))
    grads = [column[0] if len(column) == 1 else _concat(column, 0) for column in columns]
    return [
        [_reshape(g[rows], (*y.shape, *x.shape)) for g, x in zip(grads, inputs)] for y, rows in zip(outs, _rows(outs))
    ]


def jacfwd(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable[..., Any]:
    """A function that computes the Jacobian of `func` in forward mode: best where there are more outputs than inputs.

    All columns are computed at once, as a batch of Jacobian-vector products.

    Parameters
    ----------
    func, argnums, has_aux, chunk_size
        As in `jacrev`.
    randomness : str
        For the sake of PyTorch's signature: no operation of fastgrad is random.

    Returns
    -------
    callable
        Gives, for each output, and in it for each input, a Jacobian of shape ``output.shape + input.shape``.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.func.jacfwd(lambda x: x * x.sum())(np.array([1.0, 2.0]))
    array([[4., 1.],
           [2., 5.]])
    """
    where = "jacfwd(f)(*args)"

    @wraps(func)
    def jacobian(*args, **kwargs):
        picked = Picked(argnums, args, kwargs)
        inputs = _all_real(where, "inputs", picked.tensors(where))
        total, bases = _bases(inputs)
        with recording() as outer:
            pieces = []
            for chunk in _chunks(total, chunk_size):
                outs, structure, aux = _pushed(where, func, picked, inputs, [base[chunk] for base in bases], has_aux)
                pieces.append(outs)
            blocks = []
            for parts in zip(*pieces):
                columns = parts[0] if len(parts) == 1 else _concat(parts, 0)
                blocks.append([_column_block(columns[rows], x) for rows, x in zip(_rows(inputs), inputs)])
            if not outer:
                blocks = [[detached(block) for block in row] for row in blocks]
            blocks = [picked.tree([_block(b, leaf) for b, leaf in zip(row, picked.leaves)]) for row in blocks]
        found = unflatten(blocks, structure)
        if not has_aux:
            return found
        return found, finished(aux, any_tensors(picked.leaves), lambda value: value if outer else detached(value))

    return jacobian


def _pushed(where, func, picked, inputs, bases, has_aux):
    """Of each output the tangents along a batch of directions; the outputs' structure; aux."""
    with level(bases[0].shape[0] if bases else 0, alike=True) as many, level() as along:
        duals = [Dual(x, Batched(_asarray(base), many.number), along.number) for x, base in zip(inputs, bases)]
        out, aux = split_aux(where, picked.call(where, func, duals), has_aux)
    leaves, structure = flatten(out)
    outs = _all_real(where, "outputs", [peel(_both(where, leaf, along, False)[1], many) for leaf in leaves])
    return outs, structure, _tree_of(aux, lambda leaf: _one(split(leaf, along)[0], many)) if has_aux else None


def _one(value, many):
    """A value that is the same for the whole batch, once."""
    return peel(value, many)[0] if isinstance(value, Lifted) else value


def _column_block(columns, x):
    """Columns along axis 0, as a Jacobian."""
    block = _moveaxis(columns, 0, -1) if columns.ndim > 1 else columns
    return _reshape(block, (*block.shape[:-1], *x.shape)) if x.ndim != 1 else block


def hessian(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """A function that computes the Hessian of `func`.

    All rows are computed at once, as a batch of Hessian-vector products. Where `func` gives more than one number, it is
    the Jacobian, in forward mode, of the Jacobian in reverse mode.

    Parameters
    ----------
    func, argnums
        As in `jacrev`; for a scalar function of one array of shape ``s`` the result has shape ``s + s``.

    Returns
    -------
    callable
        Gives the second derivatives, for each output and pair of inputs.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.func.hessian(lambda x: x[0] * x[1] ** 2)(np.array([1.0, 2.0]))
    array([[0., 4.],
           [4., 2.]])
    """

    @wraps(func)
    def second_derivatives(*args, **kwargs):
        picked = Picked(argnums, args, kwargs)
        inputs = _all_real("hessian(f)(*args)", "inputs", picked.tensors("hessian(f)(*args)"))
        total, bases = _bases(inputs)
        with recording() as outer:
            with level(total, alike=True) as many:
                run = Reverse(inputs, outer)  # every input once for each row
                y = picked.call("hessian(f)(*args)", func, run.inputs)
                found = None
                if is_array(y) and np.ndim(y) == 0 and as_tensor(y).dtype.kind != "c":
                    found = second(run, as_tensor(y), [Batched(_asarray(base), many.number) for base in bases])
                    found = [peel(_zeros_like(x) if g is None else g, many) for g, x in zip(found, inputs)]
            if found is None:
                return jacfwd(jacrev(func, argnums), argnums)(*args, **kwargs)
            blocks = [
                [_reshape(g[rows], (*p.shape, *q.shape)) for g, q in zip(found, inputs)]
                for p, rows in zip(inputs, _rows(inputs))
            ]
            blocks = [picked.tree([_block(b, leaf) for b, leaf in zip(row, picked.leaves)]) for row in blocks]
        return picked.tree(blocks)

    return second_derivatives
