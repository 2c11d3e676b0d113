"""Joining, cutting and turning: expressions in the rows of `shaping`, as NumPy's own are; and functions along axes."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ._batch import every, shaped
from ._doc import describe
from ._doc import doc as _doc
from ._row import TABLE, case
from ._row import register as _op
from .indexing import getitem
from .linalg import strong
from .reductions import cumprod
from .shaping import (
    astype,
    broadcast_to,
    clone,
    concat,
    diag,
    expand_dims,
    flip,
    moveaxis,
    ones_like,
    reshape,
    split,
    stack,
    transpose,
)  # fmt: skip

describe({
    "block.arrays": ("nested list of array_like", "The blocks."),
    "broadcast_arrays.args": ("array_like", "Of shapes that broadcast."),
    "apply_along_axis.func1d": ("callable", "It is given every vector, as a Tensor."),
    "apply_along_axis.arr": ("array_like", "What the vectors are taken from."),
    "apply_along_axis.args": ("object", "Further arguments of the function."),
    "apply_along_axis.kwargs": ("object", "And those by keyword."),
    "apply_over_axes.func": ("callable", "It is given an array and an axis."),
    "apply_over_axes.a": ("array_like", "What it is given first."),
    "tree": ("nested list", "How the operands are nested; the public function takes them so."),
    "array_split.axis": ("int", "Axis to cut."),
    "rot90.k": ("int", "How often it is turned."),
    "rot90.axes": ("(int, int)", "The plane: the first axis turns towards the second."),
    "rollaxis.axis": ("int", "The axis to move."),
    "start": ("int", "The axis that it comes to stand before."),
    "N": ("int or None", "Number of columns; None: as many as rows."),
    "increasing": ("bool", "Whether the powers increase from left to right."),
    "indexing": ('{"xy", "ij"}', 'Which of the first two vectors runs along the first axis: the second ("xy") or the first.'),
    "sparse": ("bool", "Leave every grid as a vector with axes of size 1, which broadcasts."),
    "meshgrid.copy": ("bool", "False: views, which repeat elements and are read-only."),
    "subok": ("bool", "For NumPy's sake."),
    "apply_along_axis.axis": ("int", "The axis along which the vectors lie."),
    "apply_over_axes.axes": ("int or sequence of int", "The axes, one after the other."),
    "function": ("callable", "The function, and what else it is given."),
})  # fmt: skip

# ---------------------------------------------------------------- joining --


def _atleast_1d(x):
    x = strong(x)
    return reshape(x, (1,)) if x.ndim == 0 else x


def _atleast_2d(x):
    x = strong(x)
    return x if x.ndim >= 2 else reshape(x, (1, 1)) if x.ndim == 0 else expand_dims(x, 0)


def _atleast_3d(x):
    x = strong(x)
    if x.ndim >= 3:
        return x
    return expand_dims(x, -1) if x.ndim == 2 else reshape(x, (1, -1, 1))


def _each(function):
    """A function of one operand on each of several: one result, or a tuple of them."""

    def run(*xs):
        found = tuple(function(x) for x in xs)
        return found[0] if len(found) == 1 else found

    return run


def _given(*xs):
    return _arrays(xs), {}


def _arrays(xs):
    """Operands each of which gives a result of its own: a scalar, too, is to become a Tensor."""
    return tuple(strong(x) for x in xs)


def _hstack(*xs):
    xs = [_atleast_1d(x) for x in xs]
    return concat(xs, 0 if xs[0].ndim == 1 else 1)


def _column_stack(*xs):
    xs = [strong(x) for x in xs]
    return concat([x if x.ndim > 1 else reshape(x, (-1, 1)) for x in xs], 1)


def _leaves(nested, found):
    """The nesting of a list of lists with numbers for its leaves, which are put into `found`."""
    if isinstance(nested, tuple):
        raise TypeError("block: only lists are nested, a tuple is neither a list nor an array")
    if isinstance(nested, list):
        if not nested:
            raise ValueError("block: a list is empty")
        return [_leaves(part, found) for part in nested]
    found.append(nested)
    return len(found) - 1


def _depths(tree):
    return {1 + depth for part in tree for depth in _depths(part)} if isinstance(tree, list) else {0}


def _bind_block(arrays):
    found = []
    tree = _leaves(arrays, found)
    if len(_depths(tree)) > 1:
        raise ValueError("block: the lists are nested to different depths")
    return tuple(found), {"tree": tree}


def _block(*xs, tree):
    xs = [strong(x) for x in xs]
    (depth,) = _depths(tree)
    ndim = max(depth, *(x.ndim for x in xs))

    def joined(tree, level):
        if not isinstance(tree, list):
            x = xs[tree]
            return reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape)) if x.ndim < ndim else x
        return concat([joined(part, level + 1) for part in tree], level - depth)

    return joined(tree, 0) if depth else clone(xs[0])


# ---------------------------------------------------------------- cutting --


def _array_split(x, indices_or_sections, axis):
    size = x.shape[axis]
    if np.ndim(indices_or_sections):
        return split(x, [int(i) for i in indices_or_sections], axis)
    sections = int(indices_or_sections)
    if sections <= 0:
        raise ValueError("array_split: number of sections must be larger than 0")
    each, extra = divmod(size, sections)
    cuts = np.cumsum([each + 1] * extra + [each] * (sections - extra))[:-1]
    return split(x, cuts.tolist(), axis)


def _split_along(name, least, axis):
    def run(x, indices_or_sections):
        if x.ndim < least:
            raise ValueError(f"{name}: expected {least} axes or more, got shape {tuple(x.shape)}")
        return split(x, indices_or_sections, min(axis, x.ndim - 1))

    return run


# ---------------------------------------------------------------- turning --


def _rot90(x, k, axes):
    axes = tuple(axes)
    if len(axes) != 2:
        raise ValueError(f"rot90: axes must be two, not {axes}")
    first, second = (normalize_axis_index(axis, x.ndim) for axis in axes)
    if first == second:
        raise ValueError(f"rot90: axes must be different, not {axes}")
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    if k % 4 == 0:
        return getitem(x, Ellipsis)
    if k % 4 == 2:
        return flip(x, (first, second))
    return transpose(flip(x, second), order) if k % 4 == 1 else flip(transpose(x, order), second)


def _fliplr(x):
    if x.ndim < 2:
        raise ValueError(f"fliplr: expected two axes or more, got shape {tuple(x.shape)}")
    return flip(x, 1)


def _flipud(x):
    if x.ndim < 1:
        raise ValueError("flipud: expected one axis or more, got a 0-d array")
    return flip(x, 0)


def _rollaxis(x, axis, start):
    axis = normalize_axis_index(axis, x.ndim)
    if not -x.ndim <= start <= x.ndim:
        raise np.exceptions.AxisError(f"rollaxis: start must be from {-x.ndim} to {x.ndim}, not {start}")
    start = start + x.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


# ---------------------------------------------------------------- matrices and grids --


def _triangle(name, function):
    def run(x, k):
        if np.ndim(x) < 1:
            raise TypeError(f"{name}: expected an axis or two, got a 0-d array")
        return function(x, k)

    return run


def _batch_triangle(name):
    """Of vectors, which are the rows of square matrices, or of matrices."""

    def run(many, x, k):
        if x.ndim == 2:
            x = broadcast_to(expand_dims(x, 1), (x.shape[0], x.shape[1], x.shape[1]))
        return TABLE[name](x, k)

    return run


def _vander(x, N, increasing):
    if x.ndim != 1:
        raise ValueError(f"vander: expected a vector, got shape {tuple(x.shape)}")
    n = x.shape[0]
    columns = n if N is None else int(N)
    x = astype(x, np.promote_types(x.dtype, int), copy=False)
    if columns < 0:
        raise ValueError(f"vander: N must not be negative, it is {columns}")
    column = reshape(x, (-1, 1))
    powers = ones_like(broadcast_to(column, (n, min(columns, 1))))
    if columns > 1:
        powers = concat((powers, cumprod(broadcast_to(column, (n, columns - 1)), axis=1)), 1)
    return powers if increasing else flip(powers, 1)


def _bind_meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing must be "xy" or "ij", not {indexing!r}')
    return _arrays(xi), {"copy": copy, "sparse": sparse, "indexing": indexing}


def _meshgrid(*xs, copy, sparse, indexing):
    xs = [reshape(strong(x), (-1,)) for x in xs]
    axes = list(range(len(xs)))
    if indexing == "xy" and len(axes) > 1:
        axes[:2] = 1, 0
    shape = [0] * len(xs)
    for x, axis in zip(xs, axes):
        shape[axis] = x.shape[0]
    grids = []
    for x, axis in zip(xs, axes):
        grid = reshape(x, [-1 if i == axis else 1 for i in range(len(xs))])
        grid = grid if sparse else broadcast_to(grid, tuple(shape))
        grids.append(clone(grid) if copy else grid)
    return tuple(grids)


def _broadcast_arrays(*xs, subok):
    xs = [strong(x) for x in xs]
    shape = np.broadcast_shapes(*(tuple(x.shape) for x in xs))
    return tuple(x if tuple(x.shape) == shape else broadcast_to(x, shape) for x in xs)


def _ix_dxs(g, out, *xs):
    return tuple(reshape(part, x.shape) if x.dtype.kind in "fc" else None for part, x in zip(g, xs))


def _batch_ix(many, *xs):
    n = len(xs)
    return tuple(shaped(x, [-1 if j == i else 1 for j in range(n)]) for i, x in enumerate(every(many, *xs)))


# ---------------------------------------------------------------- functions along axes --


def _bind_along(func1d, axis, arr, *args, **kwargs):
    # in a list, so that nobody keeps it to know it again
    return (arr,), {"function": [partial(func1d, *args, **kwargs)], "axis": axis}


def _apply_along_axis(x, function, axis):
    axis = normalize_axis_index(axis, x.ndim)
    vectors = moveaxis(x, axis, -1)
    lead = tuple(vectors.shape[:-1])
    if 0 in lead:
        raise ValueError("apply_along_axis: there are no vectors, because an axis is empty")
    found = [function[0](getitem(vectors, (*place, Ellipsis))) for place in np.ndindex(lead)]
    found = [v if hasattr(v, "dtype") else np.asarray(v) for v in found]
    out = stack([astype(v, found[0].dtype, copy=False) for v in found]) if len(found) > 1 else expand_dims(found[0], 0)
    out = reshape(out, (*lead, *found[0].shape))
    own = len(found[0].shape)
    return moveaxis(out, tuple(range(len(lead), len(lead) + own)), tuple(range(axis, axis + own)))


def _bind_over(func, a, axes):
    return (a,), {"function": [func], "axes": axes}


def _apply_over_axes(x, function, axes):
    ndim = x.ndim
    for axis in (axes,) if np.ndim(axes) == 0 else axes:
        axis = axis + ndim if axis < 0 else axis
        found = function[0](x, axis)
        if found.ndim != x.ndim:
            found = expand_dims(found, axis)
            if found.ndim != x.ndim:
                raise ValueError("apply_over_axes: the function does not give an array of the correct shape")
        x = found
    return x


# fmt: off
# ---------------------------------------------------------------- the rows --

_PAIRS = [case((3,), (2,)), case((2, 3), (2, 1)), case((2,)), case((2, 0), (2, 3))]

atleast_1d = _op(
    "atleast_1d", _each(_atleast_1d), "*xs", bind=_given, cases=[case(()), case((3,)), case((2, 3)), case((), (2,))],
    doc=_doc("Operands with one axis or more: one result, or a tuple of as many as there are operands.", "atleast_1d(1.)",
             "tensor([1.])"))
atleast_2d = _op(
    "atleast_2d", _each(_atleast_2d), "*xs", bind=_given, cases=[case(()), case((3,)), case((2, 3)), case((), (2,))],
    doc=_doc("Operands with two axes or more: one result, or a tuple of as many as there are operands.",
             "atleast_2d([1., 2.])", "tensor([[1., 2.]])"))
atleast_3d = _op(
    "atleast_3d", _each(_atleast_3d), "*xs", bind=_given,
    cases=[case(()), case((3,)), case((2, 3)), case((2, 1, 2)), case((), (2,))],
    doc=_doc("Operands with three axes or more: one result, or a tuple of as many as there are operands.",
             "atleast_3d([1.])", "tensor([[[1.]]])"))
hstack = _op(
    "hstack", _hstack, "*xs", cases=[*_PAIRS, case((), ()), case((2, 3, 2), (2, 1, 2))],
    doc=_doc("Operands side by side: joined along the second axis, vectors along the only one.",
             "hstack([[1., 2.], [3.]])", "tensor([1., 2., 3.])"))
vstack = _op(
    "vstack", lambda *xs: concat([_atleast_2d(x) for x in xs], 0), "*xs",
    cases=[case((3,), (3,)), case((2, 3), (3,)), case((), ()), case((2, 3, 2), (1, 3, 2)), case((0, 3), (2, 3))],
    doc=_doc("Operands one above the other: joined along the first axis, vectors as rows.", "vstack([[1., 2.], [3., 4.]])",
             "tensor([[1., 2.],\n        [3., 4.]])"))
dstack = _op(
    "dstack", lambda *xs: concat([_atleast_3d(x) for x in xs], 2), "*xs",
    cases=[case((3,), (3,)), case((2, 3), (2, 3)), case((), ()), case((2, 3, 2), (2, 3))],
    doc=_doc("Operands one behind the other: joined along the third axis.", "dstack([[1.], [2.]])", "tensor([[[1., 2.]]])"))
column_stack = _op(
    "column_stack", _column_stack, "*xs", cases=[case((3,), (3,)), case((2, 3), (2,)), case((), ()), case((2, 3), (2, 1))],
    doc=_doc("Operands side by side, vectors as columns.", "column_stack([[1., 2.], [3., 4.]])",
             "tensor([[1., 3.],\n        [2., 4.]])"))
block = _op(
    "block", _block, "*xs; tree", bind=_bind_block,
    cases=[case((2, 2), (2, 1), (1, 2), (1, 1), tree=[[0, 1], [2, 3]]), case((2,), (3,), tree=[0, 1]), case((2, 2), tree=0),
           case((), (2,), tree=[0, 1]), case((1, 2, 2), (2, 3), tree=[0, 1]), case((2,), (2,), tree=[[0], [1]])],
    doc=_doc("An array put together from nested lists of blocks, the innermost along the last axis.",
             "block([[1., 2.], [3., 4.]])", "tensor([[1., 2.],\n        [3., 4.]])"))

array_split = _op(
    "array_split", _array_split, "x; indices_or_sections, axis=0", multi=True,
    cases=[case((5,), indices_or_sections=2), case((5, 2), indices_or_sections=3), case((2, 5), indices_or_sections=(1, 3), axis=1),
           case((2,), indices_or_sections=3)],
    doc=_doc("x cut along an axis into parts of nearly equal size, or before the given indices; views.",
             "array_split([1., 2., 3.], 2)[1]", "tensor([3.])"))
hsplit = _op(
    "hsplit", _split_along("hsplit", 1, 1), "x; indices_or_sections", multi=True,
    cases=[case((4,), indices_or_sections=2), case((2, 4), indices_or_sections=2), case((2, 3, 2), indices_or_sections=[1])],
    doc=_doc("x cut from top to bottom: along the second axis, a vector along the only one; views.",
             "hsplit([1., 2., 3.], [1])[1]", "tensor([2., 3.])"))
vsplit = _op(
    "vsplit", _split_along("vsplit", 2, 0), "x; indices_or_sections", multi=True,
    cases=[case((4, 2), indices_or_sections=2), case((3, 2), indices_or_sections=[1])],
    doc=_doc("x cut from left to right: along the first axis; views.", "vsplit([[1.], [2.]], 2)[1]", "tensor([[2.]])"))
dsplit = _op(
    "dsplit", _split_along("dsplit", 3, 2), "x; indices_or_sections", multi=True,
    cases=[case((2, 2, 4), indices_or_sections=2), case((1, 2, 3), indices_or_sections=[1])],
    doc=_doc("x cut along the third axis; views.", "dsplit([[[1., 2.]]], 2)[1]", "tensor([[[2.]]])"))

rot90 = _op(
    "rot90", _rot90, "x; k, axes", bind=lambda x, k=1, axes=(0, 1): ((x,), {"k": k, "axes": axes}),
    cases=[case((2, 3)), case((2, 3), k=2), case((2, 3), k=-1), case((2, 3, 2), k=0), case((2, 3, 2), axes=(2, 0)),
           case((0, 2))],
    doc=_doc("x turned by 90 degrees in a plane of two axes; a view.", "rot90([[1., 2.]])", "tensor([[2.],\n        [1.]])"))
fliplr = _op(
    "fliplr", _fliplr, "x", cases=[case((2, 3)), case((2, 3, 2)), case((0, 2))],
    doc=_doc("x with the order of its columns reversed; a view.", "fliplr([[1., 2.]])", "tensor([[2., 1.]])"))
flipud = _op(
    "flipud", _flipud, "x", cases=[case((2, 3)), case((3,)), case((0, 2))],
    doc=_doc("x with the order of its rows reversed; a view.", "flipud([1., 2.])", "tensor([2., 1.])"))
rollaxis = _op(
    "rollaxis", _rollaxis, "x; axis, start=0",
    cases=[case((2, 3, 4), axis=2), case((2, 3, 4), axis=0, start=3), case((2, 3, 4), axis=-1, start=1),
           case((2, 3, 4), axis=1, start=1), case((2, 3, 4), axis=0, start=-1)],
    doc=_doc("x with an axis moved to stand before another; a view.", "rollaxis([[1., 2.]], 1)", "tensor([[1.],\n        [2.]])"))

tril = _op(
    "tril", _triangle("tril", np.tril), "x; k=0",
    linear="jointly", batch=_batch_triangle("tril"),
    vjp=lambda g, out, x, k: tril(g, k),
    cases=[case((3, 3)), case((2, 3), k=1), case((2, 3, 2), k=-1), case((3,)), case((0, 2)), case((2, 2), k=-5)],
    doc=_doc("x with zeros above a diagonal of its last two axes.", "tril([[1., 1.], [1., 1.]])",
             "tensor([[1., 0.],\n        [1., 1.]])"))
triu = _op(
    "triu", _triangle("triu", np.triu), "x; k=0",
    linear="jointly", batch=_batch_triangle("triu"),
    vjp=lambda g, out, x, k: triu(g, k),
    cases=[case((3, 3)), case((2, 3), k=1), case((2, 3, 2), k=-1), case((3,)), case((0, 2)), case((2, 2), k=5)],
    doc=_doc("x with zeros below a diagonal of its last two axes.", "triu([[1., 1.], [1., 1.]])",
             "tensor([[1., 1.],\n        [0., 1.]])"))
diagflat = _op(
    "diagflat", lambda x, k: diag(reshape(x, (-1,)), k), "x; k=0",
    cases=[case((3,)), case((2, 2), k=1), case((2,), k=-2), case(()), case((0,))],
    doc=_doc("The matrix with the elements of x on a diagonal.", "diagflat([1., 2.])",
             "tensor([[1., 0.],\n        [0., 2.]])"))
vander = _op(
    "vander", _vander, "x; N=None, increasing=False",
    cases=[case((3,)), case((3,), N=2), case((2,), N=4, increasing=True), case((3,), N=1), case((3,), N=0), case((0,))],
    kinks=[(([0.0, 2.0],), ([1.0, 1.0],))],
    doc=_doc("The powers of a vector's elements, as columns.", "vander([1., 2., 3.])",
             "tensor([[1., 1., 1.],\n        [4., 2., 1.],\n        [9., 3., 1.]])"))
meshgrid = _op(
    "meshgrid", _meshgrid, "*xi; copy=True, sparse=False, indexing='xy'", bind=_bind_meshgrid, multi=True,
    cases=[case((2,), (3,)), case((2,), (3,), indexing="ij"), case((2,), (3,), (2,), sparse=True), case((2,), (3,), copy=False),
           case((2,)), case((), (2,)), case((0,), (2,))],
    doc=_doc("Grids of coordinates from vectors of them: a tuple with one for each.", "meshgrid([1., 2.], [3., 4.])[1]",
             "tensor([[3., 3.],\n        [4., 4.]])"))
broadcast_arrays = _op(
    "broadcast_arrays", _broadcast_arrays, "*xs; subok=False", bind=lambda *args, subok=False: (_arrays(args), {"subok": subok}),
    multi=True, cases=[case((2, 1), (3,)), case((), (2,)), case((2,)), case((1, 3), (0, 1))],
    doc=_doc("Operands in the shape that they have together: a tuple of views, which repeat elements.",
             "broadcast_arrays([1., 2.], 3.)[1]", "tensor([3., 3.])"))
ix_ = _op(
    "ix_", lambda *xs: np.ix_(*xs), "*xs", bind=_given, multi=True, vjp=_ix_dxs, batch=_batch_ix,
    cases=[case((2,), (3,)), case(np.array([0, 2]), (3,)), case((0,))],
    doc=_doc("Vectors of indices, each with an axis of its own, so that together they pick a sub-array.",
             "ix_([0, 1], [2, 3])[0]", "tensor([[0],\n        [1]])"))

apply_along_axis = _op(
    "apply_along_axis", _apply_along_axis, "x; function, axis", bind=_bind_along,
    cases=[case((2, 3), function=lambda v: v * v[0], axis=1), case((3, 2), function=lambda v: (v * v).sum(), axis=0),
           case((2, 3), function=lambda v: v.reshape(3, 1) * v, axis=-1)],
    doc=_doc("What a function gives for every vector along an axis.",
             "apply_along_axis(lambda v: v[0] * v, 1, [[1., 2.], [3., 4.]])", "tensor([[ 1.,  2.],\n        [ 9., 12.]])"))
apply_over_axes = _op(
    "apply_over_axes", _apply_over_axes, "x; function, axes", bind=_bind_over,
    cases=[case((2, 3, 2), function=lambda v, axis: (v * v).sum(axis), axes=(0, -1)),
           case((2, 3), function=lambda v, axis: v.sum(axis), axes=1)],
    doc=_doc("What a function of an array and an axis gives over several axes, which are kept: "
             "``apply_over_axes(func, a, axes)``.",
             "apply_over_axes(fg.sum, [[1., 2.], [3., 4.]], (0, 1))", "tensor([[10.]])"))
# fmt: on
