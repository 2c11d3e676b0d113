"""Shaping: the same elements in another order, number or dtype.

Every derivative puts the elements of ``g`` back where they came from. Where several came from one, the formula
brings the copies to leading axes, and the engine sums those (Note [Rows]: the result is fitted to the operand).
"""

from __future__ import annotations

import numpy as np

from ._batch import every, flat, over_axis, past, ranked, shaped
from ._doc import doc as _doc
from ._row import case
from ._row import register as _op
from .indexing import getitem, put_add

# ---------------------------------------------------------------- binds and forwards --


def _ints(value):
    """A shape or the like, as a tuple of int."""
    return tuple(int(n) for n in np.ravel(value))


def _bind_reshape(x, shape, order="C", *, copy=None):
    if order != "C":
        raise ValueError(f'reshape: order must be "C", not {order!r}')
    return (x,), {"shape": shape, "copy": copy}


def _reshape(x, shape, copy):
    out = np.reshape(x, shape)
    shared = out.size == 0 or np.may_share_memory(out, x)
    if copy is False and not shared:
        raise ValueError(f"reshape: {x.shape} to {out.shape} is not possible without a copy")
    return out.copy() if copy and shared else out


def _bind_astype(x, dtype, copy=True, *, device=None):
    if device not in (None, "cpu"):
        raise ValueError(f"astype: device must be 'cpu' or None, not {device!r}")
    return (x,), {"dtype": np.dtype(dtype), "copy": copy}


def _astype(x, dtype, copy):
    return np.asarray(x).astype(dtype, copy=copy)


# ---------------------------------------------------------------- formulas --


def _transpose_dx(g, out, x, axes):
    return transpose(g) if axes is None else transpose(g, np.argsort([axis % x.ndim for axis in axes]))


def _concat_dxs(g, out, *xs, axis):
    if axis is None:
        sizes, lead = [x.size for x in xs], ()
    else:
        axis %= g.ndim
        sizes, lead = [x.shape[axis] for x in xs], (slice(None),) * axis
    ends = np.cumsum(sizes).tolist()
    parts = [getitem(g, (*lead, slice(end - size, end))) for size, end in zip(sizes, ends)]
    return tuple(parts if axis is not None else (reshape(part, x.shape) for part, x in zip(parts, xs)))


def _stack_dxs(g, out, *xs, axis):
    lead = (slice(None),) * (axis % g.ndim)
    return tuple(getitem(g, (*lead, i)) for i in range(len(xs)))


def _split_dx(g, out, x, indices_or_sections, axis):
    if sum(part.shape[axis] for part in out) == x.shape[axis]:
        return concat(g, axis=axis)
    lead, cuts = (slice(None),) * (axis % x.ndim), list(indices_or_sections)  # parts that overlap
    pieces = [slice(start, stop) for start, stop in zip([0, *cuts], [*cuts, None])]
    return sum(put_add(part, x.shape, (*lead, piece)) for part, piece in zip(g, pieces))


def _unstack(x, axis):
    x = np.asarray(x)
    if not x.ndim:
        raise ValueError("unstack: expected at least one axis, got a 0-d array")
    parts = np.moveaxis(x, axis, 0)
    return tuple(parts[i, ...] for i in range(len(parts)))


def _diagonal(x, offset, axis1, axis2):
    x = np.asarray(x)
    out = x.diagonal(offset, axis1, axis2)
    if x.flags.writeable:
        out.flags.writeable = True  # NumPy has announced that it will be
    return out


def _diagonal_dx(g, out, x, offset, axis1, axis2):
    """The diagonal of an n by m matrix in C order is one of every m + 1 elements."""
    axes = axis1 % x.ndim, axis2 % x.ndim
    n, m = (x.shape[axis] for axis in axes)
    batch = [size for axis, size in enumerate(x.shape) if axis not in axes]
    start = max(offset, -offset * m)
    stop = max(start, start + g.shape[-1] * (m + 1) - m)
    matrices = reshape(put_add(g, (*batch, n * m), (Ellipsis, slice(start, stop, m + 1))), (*batch, n, m))
    return matrices if axes == (x.ndim - 2, x.ndim - 1) else moveaxis(matrices, (-2, -1), axes)


def _diag(x, k):
    if x.ndim == 2:
        return clone(diagonal(x, k))
    if x.ndim != 1:
        raise ValueError(f"diag: expected one axis or two, got shape {tuple(x.shape)}")
    n = x.shape[0] + abs(k)
    start = max(k, -k * n)
    return reshape(put_add(x, (n * n,), slice(start, max(start, start + x.shape[0] * (n + 1) - n), n + 1)), (n, n))


def _diagonal_into(buffer, g, x, offset, axis1, axis2):
    view = _diagonal(buffer, offset, axis1, axis2)
    view += g


def _tile_dx(g, out, x, reps):
    reps = _ints(reps)
    ndim = max(len(reps), x.ndim)
    reps = (1,) * (ndim - len(reps)) + reps
    shape = (1,) * (ndim - x.ndim) + x.shape
    copies = reshape(g, tuple(n for pair in zip(reps, shape) for n in pair))
    return transpose(copies, (*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)))


def _repeat_dx(g, out, x, repeats, axis):
    shape = (x.size,) if axis is None else x.shape
    axis = 0 if axis is None else axis % x.ndim
    if np.ndim(repeats) == 0:
        copies = reshape(g, (*shape[: axis + 1], int(repeats), *shape[axis + 1 :]))
        copies = moveaxis(copies, axis + 1, 0)
        return copies if shape == x.shape else reshape(copies, (int(repeats), *x.shape))
    origins = np.repeat(np.arange(shape[axis]), repeats)
    total = put_add(g, shape, (slice(None),) * axis + (origins,))
    return reshape(total, x.shape)


# ---------------------------------------------------------------- tangents and batches --


def _batch_reshape(many, x, shape, copy):
    out = shaped(x, shape)
    return clone(out) if copy else out


def _batch_expand_dims(many, x, axis):
    more = 1 if np.ndim(axis) == 0 else len(axis)
    return expand_dims(x, past(axis, x, more))


def _batch_squeeze(many, x, axis):
    axis = tuple(i for i in range(1, x.ndim) if x.shape[i] == 1) if axis is None else past(axis, x)
    return squeeze(x, axis)


def _batch_broadcast_to(many, x, shape):
    shape = _ints(shape)
    return broadcast_to(ranked(x, len(shape)), (x.shape[0], *shape))


def _batch_transpose(many, x, axes):
    return transpose(x, (0, *(past(axes, x) if axes is not None else range(x.ndim - 1, 0, -1))))


def _batch_matrix_transpose(many, x):
    if x.ndim < 3:
        raise ValueError(f"matrix_transpose: expected at least two axes, got shape {tuple(x.shape[1:])}")
    return swapaxes(x, -1, -2)


def _batch_roll(many, x, shift, axis):
    if axis is None:
        return shaped(roll(flat(x), shift, 1), x.shape[1:])
    return roll(x, shift, tuple(past(one, x) for one in np.ravel(axis).tolist()))  # an axis may be there twice


def _batch_concat(many, *xs, axis):
    xs = every(many, *xs)
    return concat([flat(x) for x in xs], 1) if axis is None else concat(xs, past(axis, xs[0]))


def _batch_stack(many, *xs, axis):
    xs = every(many, *xs)
    return stack(xs, past(axis, xs[0], 1))


def _batch_split(many, x, indices_or_sections, axis):
    return split(x, indices_or_sections, past(axis, x))


def _batch_tile(many, x, reps):
    reps = _ints(reps)
    x = ranked(x, len(reps))
    return tile(x, (1,) * (x.ndim - len(reps)) + reps)


# fmt: off
# ---------------------------------------------------------------- another shape: views where NumPy's are --

reshape = _op(
    "reshape", _reshape, "x; shape, copy=None", bind=_bind_reshape, view=True,
    linear="jointly", batch=_batch_reshape,
    vjp=lambda g, out, x, shape, copy: reshape(g, x.shape),
    cases=[case((2, 3), shape=(3, 2)), case((2, 3), shape=-1), case((2, 3), shape=(2, -1, 1), copy=True),
           case((), shape=(1, 1)),
           case((0, 2), shape=(2, 0)), case((1,), shape=())],
    doc=_doc("x with another shape, in C order; one entry may be -1.", "reshape([[1., 2.], [3., 4.]], -1)",
             "tensor([1., 2., 3., 4.])"))
ravel = _op(
    "ravel", np.ravel, "x", view=True,
    linear="jointly", batch=lambda many, x: flat(x),
    vjp=lambda g, out, x: reshape(g, x.shape),
    cases=[case((2, 3)), case(()), case((0, 2)), case((4,))],
    doc=_doc("x in one dimension; a view where possible.", "ravel([[1., 2.], [3., 4.]])", "tensor([1., 2., 3., 4.])"))
flatten = _op(
    "flatten", lambda x: np.asarray(x).flatten(), "x",
    linear="jointly", batch=lambda many, x: clone(flat(x)),
    vjp=lambda g, out, x: reshape(g, x.shape),
    cases=[case((2, 3)), case(()), case((0, 2)), case((4,))],
    doc=_doc("x in one dimension; a copy.", "flatten([[1., 2.], [3., 4.]])", "tensor([1., 2., 3., 4.])"))
expand_dims = _op(
    "expand_dims", np.expand_dims, "x; axis", view=True,
    linear="jointly", batch=_batch_expand_dims,
    vjp=lambda g, out, x, axis: squeeze(g, axis),
    cases=[case((2, 3), axis=0), case((2, 3), axis=-1), case((2,), axis=(0, 2)), case((), axis=0),
           case((0,), axis=1), case((2,), axis=())],
    doc=_doc("x with new axes of size 1.", "expand_dims([1., 2.], 0)", "tensor([[1., 2.]])"))
squeeze = _op(
    "squeeze", np.squeeze, "x; axis=None", view=True,
    linear="jointly", batch=_batch_squeeze,
    vjp=lambda g, out, x, axis: reshape(g, x.shape),
    cases=[case((1, 3, 1)), case((1, 3, 1), axis=0), case((1, 3, 1), axis=(0, -1)), case((2,)), case(())],
    doc=_doc("x without axes of size 1.", "squeeze([[1., 2.]])", "tensor([1., 2.])"))
broadcast_to = _op(
    "broadcast_to", np.broadcast_to, "x; shape", view=True,
    linear="jointly", batch=_batch_broadcast_to,
    vjp=lambda g, out, x, shape: g,
    cases=[case((3,), shape=(2, 3)), case((2, 1), shape=(2, 3)), case((), shape=(2,)),
           case((1, 3), shape=(0, 3)), case((2,), shape=(2,))],
    doc=_doc("x repeated to a larger shape, without a copy (read-only).", "broadcast_to(1., (3,))",
             "tensor([1., 1., 1.])"))

# ---------------------------------------------------------------- another order of axes or elements --

transpose = _op(
    "transpose", np.transpose, "x; axes=None", view=True,
    linear="jointly", batch=_batch_transpose,
    vjp=_transpose_dx,
    cases=[case((2, 3)), case((2, 3, 4), axes=(2, 0, 1)), case((2, 3, 4), axes=(-1, 0, -2)), case(()), case((0, 2))],
    doc=_doc("x with its axes in another order.", "transpose([[1.], [2.]])", "tensor([[1., 2.]])"))
matrix_transpose = _op(
    "matrix_transpose", np.matrix_transpose, "x", view=True,
    linear="jointly", batch=_batch_matrix_transpose,
    vjp=lambda g, out, x: matrix_transpose(g),
    cases=[case((2, 3)), case((4, 2, 3)), case((2, 0))],
    doc=_doc("x with its last two axes swapped.", "matrix_transpose([[1.], [2.]])", "tensor([[1., 2.]])"))
swapaxes = _op(
    "swapaxes", np.swapaxes, "x; axis1, axis2", view=True,
    linear="jointly", batch=lambda many, x, axis1, axis2: swapaxes(x, past(axis1, x), past(axis2, x)),
    vjp=lambda g, out, x, axis1, axis2: swapaxes(g, axis1, axis2),
    cases=[case((2, 3), axis1=0, axis2=1), case((2, 3, 4), axis1=-1, axis2=0), case((2,), axis1=0, axis2=0)],
    doc=_doc("x with two axes swapped.", "swapaxes([[1.], [2.]], 0, 1)", "tensor([[1., 2.]])"))
moveaxis = _op(
    "moveaxis", np.moveaxis, "x; source, destination", view=True,
    linear="jointly", batch=lambda many, x, source, destination: moveaxis(x, past(source, x), past(destination, x)),
    vjp=lambda g, out, x, source, destination: moveaxis(g, destination, source),
    cases=[case((2, 3, 4), source=0, destination=-1), case((2, 3, 4), source=(0, 1), destination=(-1, 0))],
    doc=_doc("x with axes moved, the others in their order.", "moveaxis([[1.], [2.]], 0, 1)", "tensor([[1., 2.]])"))
flip = _op(
    "flip", np.flip, "x; axis=None", view=True,
    linear="jointly", batch=lambda many, x, axis: flip(x, past(axis, x)),
    vjp=lambda g, out, x, axis: flip(g, axis),
    cases=[case((2, 3)), case((2, 3), axis=-1), case((2, 3), axis=(0, 1)), case(()), case((0,), axis=0)],
    doc=_doc("x with the elements along axes reversed.", "flip([1., 2., 3.])", "tensor([3., 2., 1.])"))
roll = _op(
    "roll", np.roll, "x; shift, axis=None",
    linear="jointly", batch=_batch_roll,
    vjp=lambda g, out, x, shift, axis: roll(g, np.negative(shift), axis),
    cases=[case((2, 3), shift=2), case((2, 3), shift=-1, axis=1), case((2, 3), shift=(1, 2), axis=(0, 1)),
           case((0, 2), shift=1), case((2, 3), shift=(1, -2, 4), axis=(0, -1, 0))],
    doc=_doc("x rotated: what leaves at the end comes in at the start.", "roll([1., 2., 3.], 1)",
             "tensor([3., 1., 2.])"))

# ---------------------------------------------------------------- joining and cutting --

concat = _op(
    "concat", lambda *xs, axis: np.concatenate(xs, axis=axis), "*xs; axis=0",
    linear="jointly", batch=_batch_concat,
    vjp=_concat_dxs,
    cases=[case((2, 3), (1, 3)), case((2, 3), (2, 0), (2, 1), axis=-1), case((2, 2), (3,), axis=None), case((2,))],
    doc=_doc("Operands joined along an axis they have.", "concat([[1., 2.], [3.]])", "tensor([1., 2., 3.])"))
stack = _op(
    "stack", lambda *xs, axis: np.stack(xs, axis=axis), "*xs; axis=0",
    linear="jointly", batch=_batch_stack,
    vjp=_stack_dxs,
    cases=[case((2, 3), (2, 3)), case((2,), (2,), (2,), axis=-1), case((), ()), case((2, 0), (2, 0), axis=1)],
    doc=_doc("Operands joined along a new axis.", "stack([1., 2.])", "tensor([1., 2.])"))
split = _op(
    "split", lambda x, indices_or_sections, axis: tuple(np.split(x, indices_or_sections, axis)),
    "x; indices_or_sections, axis=0", multi=True, view=True,
    linear="jointly", batch=_batch_split,
    vjp=_split_dx,
    cases=[case((6,), indices_or_sections=3), case((2, 5), indices_or_sections=(1, 3), axis=-1),
           case((5,), indices_or_sections=[-2]), case((5,), indices_or_sections=[3, 1]),
           case((3, 2), indices_or_sections=[0, 9])],
    doc=_doc("x cut along an axis into equal parts, or before the given indices; views.", "split([1., 2., 3.], [1])[1]",
             "tensor([2., 3.])"))

unstack = _op(
    "unstack", _unstack, "x; axis=0", bind=lambda x, *, axis=0: ((x,), {"axis": axis}), multi=True, view=True,
    linear="jointly", batch=lambda many, x, axis: unstack(x, axis=past(axis, x)),
    vjp=lambda g, out, x, axis: stack(g, axis),
    cases=[case((3,), axis=0), case((2, 3), axis=0), case((2, 3), axis=-1), case((2, 0), axis=0)],
    doc=_doc("x cut into views along an axis, which they lack.", "unstack([[1., 2.], [3., 4.]])[1]", "tensor([3., 4.])"))
diagonal = _op(
    "diagonal", _diagonal, "x; offset=0, axis1=0, axis2=1", view=True,
    linear="jointly",
    batch=lambda many, x, offset, axis1, axis2: diagonal(x, offset, past(axis1, x), past(axis2, x)),
    vjp=_diagonal_dx, into=_diagonal_into,
    cases=[case((3, 3)), case((2, 3), offset=1), case((3, 2), offset=-2), case((2, 3), offset=5),
           case((2, 3, 4), axis1=-2, axis2=-1), case((2, 3, 4), offset=-1, axis1=2, axis2=0), case((0, 2))],
    doc=_doc("The diagonals of matrices, in the last axis; a view.", "diagonal([[1., 2.], [3., 4.]])", "tensor([1., 4.])"))

diag = _op(
    "diag", _diag, "x; k=0",
    cases=[case((3,)), case((2,), k=1), case((2,), k=-2), case((0,)), case((2, 3)), case((3, 2), k=-1), case((2, 2), k=2)],
    doc=_doc("The matrix with the vector x on its diagonal, or a copy of the diagonal of the matrix x.", "diag([1., 2.])",
             "tensor([[1., 0.],\n        [0., 2.]])"))

# ---------------------------------------------------------------- more elements --

tile = _op(
    "tile", np.tile, "x; reps",
    linear="jointly", batch=_batch_tile,
    vjp=_tile_dx,
    cases=[case((2, 3), reps=2), case((2, 3), reps=(2, 3)), case((3,), reps=(2, 2)),
           case((2, 3, 2), reps=(2, 1)), case((2,), reps=0),
           case((), reps=3)],
    doc=_doc("x laid side by side.", "tile([1., 2.], 2)", "tensor([1., 2., 1., 2.])"))
repeat = _op(
    "repeat", np.repeat, "x; repeats, axis=None",
    linear="jointly", batch=over_axis("repeat"),
    vjp=_repeat_dx,
    cases=[case((2, 3), repeats=2), case((2, 3), repeats=2, axis=1), case((2, 3), repeats=[1, 0, 3], axis=-1),
           case((2, 2), repeats=[0, 1, 2, 1]), case((), repeats=3), case((0, 2), repeats=2, axis=0),
           case((2,), repeats=[2], axis=0)],
    doc=_doc("x with each element repeated.", "repeat([1., 2.], 2)", "tensor([1., 1., 2., 2.])"))

# ---------------------------------------------------------------- copies and dtypes --

astype = _op(
    "astype", _astype, "x; dtype, copy=True", view=True, linear="jointly", batch="same",
    bind=_bind_astype,
    vjp=lambda g, out, x, dtype, copy: g,
    cases=[case((2, 3), dtype=np.dtype("float64")), case((2, 3), dtype=np.dtype("complex128"), copy=False),
           case((), dtype=np.dtype("int64"))],
    doc=_doc("x in another dtype.", 'astype([1.5, 2.], "int64")', "tensor([1, 2])"))
clone = _op(
    "clone", np.copy, "x",
    linear="jointly", batch="same",
    vjp=lambda g, out, x: g, cases=[case((2, 3)), case(()), case((0, 2))],
    doc=_doc("A copy of x, with the gradient passed on.", "clone([1., 2.])", "tensor([1., 2.])"))
zeros_like = _op(
    "zeros_like", np.zeros_like, "x; dtype=None", batch="same", vjp=None,
    cases=[case((2, 3)), case((), dtype=np.dtype("int64"))],
    doc=_doc("Zeros of the shape and dtype of x.", "zeros_like([1., 2.])", "tensor([0., 0.])"))
ones_like = _op(
    "ones_like", np.ones_like, "x; dtype=None", batch="same", vjp=None,
    cases=[case((2, 3)), case((), dtype=np.dtype("int64"))],
    doc=_doc("Ones of the shape and dtype of x.", "ones_like([3., 2.])", "tensor([1., 1.])"))
# fmt: on
