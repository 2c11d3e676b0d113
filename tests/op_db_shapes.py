"""More of `op_db_mapping`: shapes and indexing."""

import itertools
import math

import numpy as np
from op_db_mapping import MAP, F, every, op

import fastgrad as fg

# ---------------------------------------------------------------- shapes

op("T", "mT", "t", "t_copy")(lambda x: x.mT if x.ndim > 1 else x)
MAP["T"] = lambda x: x.T
op("H", "mH")(lambda x: fg.conj(x.mT) if x.ndim > 1 else fg.conj(x))
op("broadcast_to", "expand", "expand_copy")(lambda x, *shape, **_: fg.broadcast_to(x, _expanded(x, _one(shape))))
op("expand_as")(lambda x, y: fg.broadcast_to(x, y.shape))
op("broadcast_tensors")(lambda *xs: fg.broadcast_arrays(*xs))
op("reshape", "view", "view_copy")(lambda x, *shape: fg.reshape(x, _one(shape)))
op("reshape_as", "view_as")(lambda x, y: fg.reshape(x, y.shape))
op("ravel")(lambda x: fg.ravel(x))
op("flatten")(lambda x, start_dim=0, end_dim=-1: _flattened(x, start_dim, end_dim))
op("unflatten")(lambda x, dim, sizes: fg.reshape(x, (*x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :])))
op("squeeze", "squeeze_copy", "squeeze|multiple")(lambda x, dim=None: _squeezed(x, dim))
op("unsqueeze", "unsqueeze_copy")(lambda x, dim: fg.expand_dims(x, dim))
op("transpose", "transpose_copy")(lambda x, dim0, dim1: fg.swapaxes(x, dim0, dim1) if x.ndim else x.clone())
op("permute", "permute_copy")(lambda x, *dims: fg.permute_dims(x, _one(dims)))
op("movedim")(lambda x, source, destination: fg.moveaxis(x, source, destination))
op("flip")(lambda x, *shown, dims=None: fg.flip(x, _one(shown) if dims is None else tuple(dims)))
op("fliplr")(lambda x: fg.fliplr(x))
op("flipud")(lambda x: fg.flipud(x))
op("rot90")(lambda x, k=1, dims=(0, 1): fg.rot90(x, k, axes=tuple(dims)))
op("roll")(lambda x, shifts, dims=None: fg.roll(x, shifts, axis=every(dims)))
op("tile")(lambda x, *reps: fg.tile(x, _one(reps)))
op("repeat")(lambda x, *reps: fg.tile(x, _one(reps)))
op("repeat_interleave")(
    lambda x, repeats, dim=None, **_: fg.repeat(x if x.ndim else fg.reshape(x, (1,)), repeats, axis=dim)
)
op("cat")(lambda xs, dim=0: fg.concat([x for x in xs if x.shape != (0,)] or xs, axis=dim))
op("stack")(lambda xs, dim=0: fg.stack(xs, axis=dim))
op("hstack")(lambda *xs: fg.hstack(_one(xs)))
op("vstack")(lambda *xs: fg.vstack(_one(xs)))
op("dstack")(lambda *xs: fg.dstack(_one(xs)))
op("column_stack")(lambda *xs: fg.column_stack(_one(xs)))
for _n in (1, 2, 3):
    op(f"atleast_{_n}d")(lambda *xs, n=_n: _at_least(n, xs))
op("unbind", "unbind_copy")(lambda x, dim=0: fg.unstack(x, axis=dim))
op("chunk", "unsafe_chunk")(
    lambda x, chunks, dim=0: fg.split(x, _every(-(-x.shape[dim] // chunks), x.shape[dim]), axis=dim)
)
op("split", "unsafe_split")(lambda x, size, dim=0: fg.split(x, _every(size, x.shape[dim]), axis=dim))
op("split|list_args", "split_with_sizes", "split_with_sizes_copy")(
    lambda x, split_sizes, dim=0: fg.split(x, np.cumsum(split_sizes)[:-1].tolist(), axis=dim)
)
op("tensor_split")(lambda x, sections, dim=0: fg.array_split(x, _plain(sections), axis=dim))
op("hsplit")(lambda x, sections: fg.hsplit(x, _plain(sections)))
op("vsplit")(lambda x, sections: fg.vsplit(x, _plain(sections)))
op("dsplit")(lambda x, sections: fg.dsplit(x, _plain(sections)))
op("meshgrid|variadic_tensors", "meshgrid|list_of_tensors")(
    lambda *xs, indexing="ij": fg.meshgrid(*[fg.ravel(x) for x in _one(xs)], indexing=indexing)
)
op("diag")(lambda x, diagonal=0: fg.diag(x, diagonal))
op("diagflat")(lambda x, offset=0: fg.diagflat(x, offset))
op("diagonal", "diagonal_copy")(lambda x, offset=0, dim1=0, dim2=1: fg.diagonal(x, offset, dim1, dim2))
op("linalg.diagonal")(lambda x, *, offset=0, dim1=-2, dim2=-1: fg.diagonal(x, offset, dim1, dim2))
op("tril")(lambda x, diagonal=0: fg.tril(x, k=diagonal))
op("triu")(lambda x, diagonal=0: fg.triu(x, k=diagonal))
op("trace")(lambda x: fg.trace(x))
op("constant_pad_nd")(lambda x, pad, value=0: F("pad")(x, pad, "constant", value))
op("sum_to_size")(lambda x, *size: _summed_to(x, _one(size)))
op("cartesian_prod")(
    lambda *xs: fg.stack([fg.ravel(g) for g in fg.meshgrid(*xs, indexing="ij")], axis=-1) if len(xs) > 1 else xs[0]
)
op("block_diag")(lambda *xs: _block_diagonal([fg.reshape(x, (1, -1)) if x.ndim < 2 else x for x in xs]))
op("triu_indices")(lambda row, col, offset=0, **_: fg.stack(list(fg.triu_indices(row, offset, col))))
op("tril_indices")(lambda row, col, offset=0, **_: fg.stack(list(fg.tril_indices(row, offset, col))))


def _one(given):
    """Arguments that were given one by one or as one sequence."""
    if len(given) == 1 and isinstance(given[0], (list, tuple)):
        given = given[0]
    return tuple(given)


def _plain(sections):
    sections = sections.tolist() if hasattr(sections, "tolist") else sections
    return list(sections) if isinstance(sections, tuple) else sections


def _every(size, total):
    return list(range(size, total, size)) if size else []


def _expanded(x, shape):
    first = len(shape) - x.ndim
    return tuple(x.shape[i - first] if n == -1 else n for i, n in enumerate(shape))


def _flattened(x, start, end):
    if x.ndim == 0:
        return fg.reshape(x, (1,))
    start, end = start % x.ndim, end % x.ndim
    return fg.reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def _squeezed(x, dim):
    if dim is None or x.ndim == 0:
        return fg.squeeze(x) if dim is None else x.clone()
    dims = [d % x.ndim for d in (dim if isinstance(dim, (list, tuple)) else [dim])]
    return fg.squeeze(x, axis=tuple(d for d in dims if x.shape[d] == 1))


def _at_least(n, xs):
    function = getattr(fg, f"atleast_{n}d")
    xs, many = (xs[0], True) if isinstance(xs[0], (list, tuple)) else (xs, len(xs) > 1)
    out = [function(x) for x in xs]
    return tuple(out) if many else out[0]


def _summed_to(x, size):
    first = x.ndim - len(size)
    x = fg.sum(x, axis=tuple(range(first)))
    return fg.sum(x, axis=tuple(i for i, n in enumerate(size) if n == 1 != x.shape[i]), keepdims=True)


def _block_diagonal(xs):
    rows, cols = [x.shape[0] for x in xs], [x.shape[1] for x in xs]
    return fg.block(
        [
            [x if i == j else fg.zeros((rows[i], cols[j]), dtype=x.dtype) for j in range(len(xs))]
            for i, x in enumerate(xs)
        ]
    )


@op("diag_embed")
def _diag_embed(x, offset=0, dim1=-2, dim2=-1):
    n = x.shape[-1] + abs(offset)
    out = fg.zeros((*x.shape[:-1], n, n), dtype=x.dtype)
    i = np.arange(x.shape[-1])
    out[..., i + max(-offset, 0), i + max(offset, 0)] = x
    return fg.moveaxis(out, (-2, -1), (dim1, dim2))


# ---------------------------------------------------------------- indexing

op("select")(lambda x, dim, index: x[_at(x, dim, index)])
op("narrow", "narrow_copy")(lambda x, dim, start, length: x[_at(x, dim, _span(x, dim, start, length))])
op("slice")(lambda x, dim=0, start=None, end=None, step=1: x[_at(x, dim, slice(start, end, step))])
op("__getitem__")(lambda x, index: x[index])
op("index_select")(
    lambda x, dim, index: fg.take(x if x.ndim else fg.reshape(x, (1,)), index, axis=dim).reshape(
        (-1,) if x.ndim else ()
    )
)
MAP["index_select"] = lambda x, dim, index: fg.take(x, index, axis=dim) if x.ndim else x.clone()
op("take")(lambda x, index: fg.take(x, index))
op("take_along_dim")(
    lambda x, index, dim=None: fg.take_along_axis(x, index if dim is not None else fg.ravel(index), axis=dim)
)
op("gather")(lambda x, dim, index: _gathered(x, dim, index))
op("masked_select")(lambda x, mask: _masked(x, mask))
op("index_fill")(lambda x, dim, index, value: _written(x, _at(x, dim, index), value))
op("index_copy")(lambda x, dim, index, source: _written(x, _at(x, dim, index), source))
op("index_add")(lambda x, dim, index, source, *, alpha=1: _added(x, _at(x, dim, index), alpha * source))
op("index_put")(
    lambda x, indices, values, accumulate=False: (_added if accumulate else _written)(x, tuple(indices), values)
)
op("select_scatter")(lambda x, source, dim, index: _written(x, _at(x, dim, index), source))
op("slice_scatter")(
    lambda x, source, dim=0, start=None, end=None, step=1: _written(x, _at(x, dim, slice(start, end, step)), source)
)
op("diagonal_scatter")(lambda x, source, offset=0, dim1=0, dim2=1: _diagonal_written(x, source, offset, dim1, dim2))
op("scatter")(lambda x, dim, index, src, reduce=None: _scattered(x, dim, index, src, reduce))
op("scatter_add")(lambda x, dim, index, src: _scattered(x, dim, index, src, "add"))
op("put")(
    lambda x, index, source, accumulate=False: fg.reshape(
        (_added if accumulate else _written)(fg.ravel(x), (fg.ravel(index),), fg.ravel(source)), x.shape
    )
)
op("nonzero")(lambda x, as_tuple=False: fg.nonzero(fg.atleast_1d(x)) if as_tuple else fg.argwhere(x))
op("argwhere")(lambda x: fg.argwhere(x))
op("sort")(lambda x, dim=-1, descending=False, stable=False: _sorted(x, dim, descending))
op("argsort")(
    lambda x, dim=-1, descending=False, stable=False: (
        fg.argsort(x, axis=dim, descending=descending) if x.ndim else fg.asarray(0)
    )
)
op("msort")(lambda x: fg.sort(x, axis=0) if x.ndim else x.clone())
op("topk")(lambda x, k, dim=-1, largest=True, sorted=True: _topk(x, k, dim, largest))
op("searchsorted")(
    lambda x, v, side="left", right=False, sorter=None, **_: fg.searchsorted(x, v, "right" if right else side, sorter)
)
op("bucketize")(lambda v, x, right=False, **_: fg.searchsorted(x, v, side="right" if right else "left"))
op("bincount")(lambda x, weights=None, minlength=0: fg.bincount(x, weights, minlength))
op("unique")(
    lambda x, sorted=True, return_inverse=False, return_counts=False, dim=None: fg.unique(
        x, return_inverse=return_inverse, return_counts=return_counts, axis=dim
    )
)
op("combinations")(lambda x, r=2, with_replacement=False: _combined(x, r, with_replacement))
op("unfold", "unfold_copy")(lambda x, dim, size, step: _unfolded(x, dim, size, step))
op("as_strided|", "as_strided_copy")(
    lambda x, size, stride, storage_offset=0: fg.take(fg.ravel(x), _places(size, stride, storage_offset))
)


def _at(x, dim, index):
    return (slice(None),) * (dim % x.ndim) + (index,) if x.ndim else ()


def _span(x, dim, start, length):
    start = int(start) % max(x.shape[dim], 1) if int(start) < 0 else int(start)
    return slice(start, start + int(length))


def _written(x, index, values):
    out = x.clone()
    out[index] = values
    return out


def _added(x, index, values):
    """Every value is added, also where an index is given twice."""
    out = x.clone()
    np.add.at(out, index, values)
    return out


def _grid(index, dim):
    """The index that says ``x[i][index[i][j]]`` for dim 1, and so on."""
    grid = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[dim] = index
    return tuple(grid)


def _gathered(x, dim, index):
    if x.ndim == 0:
        return fg.broadcast_to(x, index.shape) if index.ndim else x.clone()
    return x[_grid(index, dim)]


def _scattered(x, dim, index, src, reduce):
    if index.size == 0:
        return x.clone()
    where = _grid(index, dim) if x.ndim else ()
    values = src[tuple(slice(n) for n in index.shape)] if np.ndim(src) else src
    if reduce is None:
        return _written(x, where, values)
    if reduce == "add":
        return _added(x, where, values) if x.ndim else x + values
    out = x.clone()
    np.multiply.at(out, where, values)
    return out


def _masked(x, mask):
    shape = np.broadcast_shapes(x.shape, mask.shape)
    return fg.broadcast_to(x, shape)[fg.broadcast_to(mask, shape)]


def _diagonal_written(x, source, offset, dim1, dim2):
    out = x.clone()
    view = fg.moveaxis(out, (dim1, dim2), (-2, -1))
    i = np.arange(source.shape[-1])
    view[..., i + max(-offset, 0), i + max(offset, 0)] = source
    return out


def _sorted(x, dim, descending):
    if x.ndim == 0:
        return x.clone(), fg.asarray(0)
    return fg.sort(x, axis=dim, descending=descending), fg.argsort(x, axis=dim, descending=descending)


def _topk(x, k, dim, largest):
    if x.ndim == 0:
        return x.clone(), fg.asarray(0)
    where = fg.argsort(x, axis=dim, descending=largest)[_at(x, dim, slice(0, k))]
    return fg.take_along_axis(x, where, axis=dim), where


def _combined(x, r, with_replacement):
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    index = np.array(list(pick(range(x.shape[0]), r)), int).reshape(-1, r)
    return x[index] if r else x[:0]


def _unfolded(x, dim, size, step):
    if x.ndim == 0:
        return fg.reshape(x, (1,)) if size else x[None][:0]
    dim %= x.ndim
    index = np.arange(0, x.shape[dim] - size + 1, step)[:, None] + np.arange(size)
    return fg.moveaxis(x[(slice(None),) * dim + (index,)], dim + 1, -1)


def _places(size, stride, offset):
    places = np.full((), offset or 0)
    for n, s in zip(size, stride):
        places = places[..., None] + np.arange(n) * s
    return places.astype(int)


# ---------------------------------------------------------------- reductions into places

op("masked_scatter")(lambda x, mask, source: _mask_written(x, mask, source))
for _name in ("index_reduce", "scatter_reduce"):
    op(_name)(
        lambda x, dim, index, source, reduce, include_self=True, name=_name: _reduced_into(
            x,
            _at(x, dim, index) if name == "index_reduce" else _grid(index, dim) if x.ndim else (index,),
            source,
            reduce,
            include_self,
        )
    )

_INTO = {
    "sum": (np.add, 0.0),
    "mean": (np.add, 0.0),
    "prod": (np.multiply, 1.0),
    "amax": (np.maximum, -math.inf),
    "amin": (np.minimum, math.inf),
}


def _mask_written(x, mask, source):
    x, mask = (fg.broadcast_to(value, np.broadcast_shapes(x.shape, mask.shape)) for value in (x, mask))
    return _written(x, (mask,), fg.ravel(source)[: int(mask.sum())])


def _reduced_into(x, where, source, reduce, include_self):
    if x.ndim == 0:
        where = tuple(fg.reshape(index, (-1,)) for index in where) or (np.zeros(1, int),)
        return _reduced_into(fg.reshape(x, (1,)), where, fg.ravel(source), reduce, include_self)[0]
    ufunc, least = _INTO[reduce]
    out = x.clone() if include_self else _written(x, where, least)
    if not any(isinstance(index, slice) for index in where):
        source = source[tuple(slice(n) for n in np.broadcast_shapes(*[index.shape for index in where]))]
    ufunc.at(out, where, source)
    if reduce == "mean":
        count = np.ones(x.shape)
        if not include_self:
            count[where] = 0.0
        np.add.at(count, where, 1.0)
        out = out / np.maximum(count, 1.0)
    return out
