"""NumPy's functions that write into their first argument, `vectorize`, and arrays of indices."""

from __future__ import annotations

import numpy as np

from ._backend import backend as _backend
from ._methods import is_tensor, lookup, plain
from .ops.numeric import values as _values

__all__ = [
    "copyto", "diag_indices", "diag_indices_from", "fill_diagonal", "indices", "mask_indices", "place", "put",
    "put_along_axis", "putmask", "ravel_multi_index", "tri", "tril_indices", "tril_indices_from", "triu_indices",
    "triu_indices_from", "unravel_index", "vectorize",
]  # fmt: skip

# ---------------------------------------------------------------- writing in place --


def _target(name, x):
    if not is_tensor(x):
        raise TypeError(f"{name}: only a Tensor can be written to, not {type(x).__name__}")
    return x


def _known(name, x):
    found = _values(x)
    if found is None:
        raise TypeError(f"{name}: where to write is different for each example")
    return found


def _cycled(values, numbers):
    """Elements number i of the flattened values, which start again at their end."""
    values = values if is_tensor(values) else _backend.asarray(values)
    flat = values.reshape(-1)
    return flat[numbers % flat.size] if flat.size > 1 else flat


def _write(x, places, values, numbers):
    """Values, by their numbers, into flat places of x."""
    if places.size:
        x[np.unravel_index(places, x.shape)] = _cycled(values, numbers)


def put(x, indices, values, mode="raise"):
    """Write `values`, again and again as needed, to integer indices of the flattened `x`, in place.

    Parameters
    ----------
    x : Tensor
        What is written to; gradients flow to it where it is not, and to `values`.
    indices : array_like of int
        Places in the flattened array.
    values : array_like
        What to write.
    mode : {"raise", "wrap", "clip"}
        What is done with an index that is out of bounds.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.zeros(4)
    >>> fg.put(x, [0, -1], [1.0, 2.0])
    >>> x
    tensor([1., 0., 0., 2.])
    """
    x, indices = _target("put", x), _known("put", indices).reshape(-1)
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f'put: mode must be "raise", "wrap" or "clip", not {mode!r}')
    if not np.can_cast(indices.dtype, np.intp, "safe") and indices.size:
        raise TypeError(f"put: cannot cast indices from {indices.dtype!r} to {np.dtype(np.intp)!r}")
    if np.size(values if not is_tensor(values) else values.detach()) == 0 or indices.size == 0:
        return
    indices = indices.astype(np.intp)
    if x.size == 0:
        raise IndexError("put: there are no elements to write to")
    if mode == "raise":
        wrong = (indices < -x.size) | (indices >= x.size)
        if wrong.any():
            raise IndexError(f"put: index {indices[wrong][0]} is out of bounds for size {x.size}")
    places = np.clip(indices, 0, x.size - 1) if mode == "clip" else indices % x.size
    _write(x, places, values, np.arange(places.size))


def putmask(x, mask, values):
    """Write `values` where a mask of the shape of `x` is true, in place.

    An element takes the value with its own number in the flattened array; values start again at their end.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0, 3.0])
    >>> fg.putmask(x, x > 1, [10.0, 20.0, 30.0])
    >>> x
    tensor([ 1., 20., 30.])
    """
    x, mask = _target("putmask", x), _known("putmask", mask)
    if mask.size != x.size:
        raise ValueError(f"putmask: mask and data must be of the same size, not {mask.size} and {x.size}")
    places = np.flatnonzero(mask)
    if np.size(values if not is_tensor(values) else values.detach()):
        _write(x, places, values, places)


def place(x, mask, values):
    """Write `values` where a mask of the shape of `x` is true, one after the other, in place.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0, 3.0])
    >>> fg.place(x, x > 1, [10.0, 20.0, 30.0])
    >>> x
    tensor([ 1., 10., 20.])
    """
    x, mask = _target("place", x), _known("place", mask)
    if mask.size != x.size:
        raise ValueError(f"place: mask and data must be of the same size, not {mask.size} and {x.size}")
    places = np.flatnonzero(mask)
    if places.size and not np.size(values if not is_tensor(values) else values.detach()):
        raise ValueError("place: cannot insert from an empty array")
    _write(x, places, values, np.arange(places.size))


def copyto(x, source, casting="same_kind", where=True):
    """Overwrite `x` with `source`, broadcast to it, where a mask is true, in place.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.zeros(3)
    >>> fg.copyto(x, 1.0, where=[True, False, True])
    >>> x
    tensor([1., 0., 1.])
    """
    from ._numpy_forms import FORMS

    FORMS["numpy", "copyto"](_target("copyto", x), source, casting, where)


def fill_diagonal(x, value, wrap=False):
    """Write to the main diagonal of `x`, in place; `wrap`: it starts again below the square of a tall matrix.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.zeros((2, 2))
    >>> fg.fill_diagonal(x, 5.0)
    >>> x
    tensor([[5., 0.],
            [0., 5.]])
    """
    x = _target("fill_diagonal", x)
    if x.ndim < 2:
        raise ValueError("fill_diagonal: array must be at least 2-d")
    stop = x.size
    if x.ndim == 2:
        step = x.shape[1] + 1
        stop = stop if wrap else x.shape[1] * x.shape[1]
    else:
        if len(set(x.shape)) > 1:
            raise ValueError(f"fill_diagonal: all axes must be of equal length, not {tuple(x.shape)}")
        step = 1 + sum(x.shape[0] ** i for i in range(1, x.ndim))
    places = np.arange(0, min(stop, x.size), step)
    _write(x, places, value, np.arange(places.size))


def put_along_axis(x, indices, values, axis):
    """Write `values` to `indices` along an axis of `x`, in place; of values for one place, the last remains.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.zeros((2, 3))
    >>> fg.put_along_axis(x, [[1], [2]], 5.0, axis=1)
    >>> x
    tensor([[0., 5., 0.],
            [0., 0., 5.]])
    """
    from .ops.sorting import put_along

    x = _target("put_along_axis", x)
    indices = indices if is_tensor(indices) else np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError("put_along_axis: `indices` must be an integer array")
    values = values if is_tensor(values) else np.asarray(values)
    x._inplace_op(put_along, x, (indices, values), {"axis": axis})


# ---------------------------------------------------------------- vectorize --


class vectorize:
    """A function of scalars as one of arrays, which it is called for element by element: gradients pass through.

    Parameters
    ----------
    pyfunc : callable, optional
        The function; without it, `vectorize` is a decorator. It is given 0-d Tensors or, with a signature, Tensors
        of its core axes.
    otypes : str or sequence of dtype, optional
        Dtypes of the results; by default those of the first call's.
    doc : str, optional
        The docstring; by default that of `pyfunc`.
    excluded : set of str or int, optional
        Arguments that are passed on as they are.
    cache : bool
        For NumPy's sake: no element is computed twice anyway.
    signature : str, optional
        Core axes of arguments and results, ``"(m,n),(n)->(m)"``.

    Examples
    --------
    >>> import fastgrad as fg
    >>> clipped = fg.vectorize(lambda a, b: a if a < b else b)
    >>> clipped([1.0, 5.0], 2.0)
    tensor([1., 2.])
    """

    def __init__(self, pyfunc=None, otypes=None, doc=None, excluded=None, cache=False, signature=None):
        self.otypes, self.cache, self.signature, self.excluded = otypes, cache, signature, set(excluded or ())
        self._doc = doc
        self._takes, self._gives = (None, None) if signature is None else _parsed(signature)
        self.pyfunc = None
        if pyfunc is not None:
            self._wrap(pyfunc)

    def _wrap(self, pyfunc):
        if not callable(pyfunc):
            raise TypeError(f"vectorize: expected a function, not {type(pyfunc).__name__}")
        self.pyfunc, self.__wrapped__ = pyfunc, pyfunc
        self.__name__ = getattr(pyfunc, "__name__", "vectorize")
        self.__doc__ = pyfunc.__doc__ if self._doc is None else self._doc
        return self

    def __call__(self, *args, **kwargs):
        if self.pyfunc is None:  # as a decorator with arguments
            return self._wrap(*args, **kwargs)
        mapped = [i for i in range(len(args)) if i not in self.excluded]
        named = [key for key in kwargs if key not in self.excluded]
        given = [args[i] for i in mapped] + [kwargs[key] for key in named]
        arrays = [x if is_tensor(x) else _backend.asarray(x) for x in given]
        cores = self._takes or [()] * len(arrays)
        if len(cores) != len(arrays):
            takes = f"{self.signature} takes {len(cores)}, not {len(arrays)}"
            raise TypeError(f"vectorize: wrong number of positional arguments: {takes}")
        sizes = _core_sizes(arrays, cores, {}, "an argument")
        lead = np.broadcast_shapes(*(tuple(x.shape[: x.ndim - len(core)]) for x, core in zip(arrays, cores)))
        wide = [lookup("broadcast_to")(x, (*lead, *x.shape[x.ndim - len(core) :])) for x, core in zip(arrays, cores)]
        columns = None
        for index in np.ndindex(lead):
            parts = [x[(*index, ...)] for x in wide]
            full = list(args)
            for i, part in zip(mapped, parts):
                full[i] = part
            out = self.pyfunc(*full, **{**kwargs, **dict(zip(named, parts[len(mapped) :]))})
            out = out if isinstance(out, tuple) else (out,)
            columns = columns or [[] for _ in out]
            if len(out) != len(columns if self._gives is None else self._gives):
                raise ValueError(f"vectorize: wrong number of outputs: the function gives {len(out)}")
            for column, value in zip(columns, out):
                column.append(value if is_tensor(value) else _backend.asarray(value))
        if columns is None:
            return self._empty(lead, sizes)
        results = tuple(self._joined(k, column, lead, sizes) for k, column in enumerate(columns))
        return results[0] if len(results) == 1 else results

    def _joined(self, k, column, lead, sizes):
        dtype = np.dtype(self.otypes[k]) if self.otypes else column[0].dtype
        shape = tuple(column[0].shape)
        if self._gives is None and shape:
            raise ValueError(f"vectorize: the function gives an array of shape {shape}; say so in signature=")
        if self._gives is not None:
            _core_sizes(column, [self._gives[k]] * len(column), sizes, "a result")
        column = [x if x.dtype == dtype else x.astype(dtype) for x in column]
        return lookup("stack")(column).reshape((*lead, *shape))

    def _empty(self, lead, sizes):
        if self.otypes is None:
            raise ValueError("vectorize: of no elements at all the result's dtype must be said by otypes=")
        gives = self._gives or [()] * len(self.otypes)
        if not sizes.keys() >= {name for core in gives for name in core}:
            raise ValueError("vectorize: new output dimensions have no length where there are no elements")
        shapes = [(*lead, *(sizes[name] for name in core)) for core in gives]
        made = tuple(_backend.asarray(np.empty(shape, dtype)) for shape, dtype in zip(shapes, self.otypes))
        return made[0] if len(made) == 1 else made


def _parsed(signature):
    """The names of the core axes of each argument and of each result."""
    sides = signature.replace(" ", "").split("->")
    found = []
    for side in sides:
        if len(sides) != 2 or not (side.startswith("(") and side.endswith(")")):
            raise ValueError(f"vectorize: not a valid signature: {signature!r}")
        found.append([tuple(name for name in core.split(",") if name) for core in side[1:-1].split("),(")])
    if not all(name.isidentifier() for side in found for core in side for name in core):
        raise ValueError(f"vectorize: not a valid signature: {signature!r}")
    return found


def _core_sizes(arrays, cores, sizes, what):
    """The length of each core axis, by its name, in addition to those that are known."""
    for x, core in zip(arrays, cores):
        if x.ndim < len(core):
            raise ValueError(f"vectorize: {what} of shape {tuple(x.shape)} does not have the core axes {core}")
        for name, n in zip(core, x.shape[x.ndim - len(core) :]):
            if sizes.setdefault(name, n) != n:
                raise ValueError(f"vectorize: inconsistent size for core dimension {name!r}: {sizes[name]} and {n}")
    return sizes


# ---------------------------------------------------------------- arrays of indices --


def _indices(name, summary, call, shows):
    """NumPy's function of that name, whose results are indices, with Tensors for arrays."""
    numpys = getattr(np, name)

    def function(*args, **kwargs):
        kwargs = {key: _shown(value) for key, value in kwargs.items()}
        out = numpys(*map(_shown, args), **kwargs)
        return tuple(map(_backend.asarray, out)) if isinstance(out, tuple) else _backend.asarray(out)

    function.__name__ = function.__qualname__ = name
    example = f"Examples\n--------\n>>> import fastgrad as fg\n>>> fg.{call}\n{shows}\n"
    function.__doc__ = f"{summary} See `numpy.{name}`.\n\n{example}"
    function.__wrapped__ = numpys
    return function


def _shown(value):
    """The values of an argument, which only its shape, or integers, are asked of."""
    if is_tensor(value):
        return value._ndarray()
    return tuple(map(_shown, value)) if type(value) is tuple else plain(value)


# fmt: off
tri = _indices("tri", "Ones at and below a diagonal.", "tri(2)", "tensor([[1., 0.],\n        [1., 1.]])")
indices = _indices("indices", "The indices of every element of an array of a shape.", "indices((2,))",
                   "tensor([[0, 1]])")
diag_indices = _indices("diag_indices", "The indices of the main diagonal.", "diag_indices(2)",
                        "(tensor([0, 1]), tensor([0, 1]))")
diag_indices_from = _indices("diag_indices_from", "The indices of the main diagonal of an array.",
                             "diag_indices_from(fg.eye(2))", "(tensor([0, 1]), tensor([0, 1]))")
tril_indices = _indices("tril_indices", "The indices of the lower triangle.", "tril_indices(2)",
                        "(tensor([0, 1, 1]), tensor([0, 0, 1]))")
tril_indices_from = _indices("tril_indices_from", "The indices of the lower triangle of an array.",
                             "tril_indices_from(fg.eye(2))", "(tensor([0, 1, 1]), tensor([0, 0, 1]))")
triu_indices = _indices("triu_indices", "The indices of the upper triangle.", "triu_indices(2)",
                        "(tensor([0, 0, 1]), tensor([0, 1, 1]))")
triu_indices_from = _indices("triu_indices_from", "The indices of the upper triangle of an array.",
                             "triu_indices_from(fg.eye(2))", "(tensor([0, 0, 1]), tensor([0, 1, 1]))")
mask_indices = _indices("mask_indices", "The indices that a function of masks, as `numpy.triu`, keeps.",
                        "mask_indices(2, np.triu)", "(tensor([0, 0, 1]), tensor([0, 1, 1]))")
unravel_index = _indices("unravel_index", "Indices of a shape from those of its flattened elements.",
                         "unravel_index([1, 3], (2, 2))", "(tensor([0, 1]), tensor([1, 1]))")
ravel_multi_index = _indices("ravel_multi_index", "Indices of flattened elements from those of a shape.",
                             "ravel_multi_index(([0, 1], [1, 1]), (2, 2))", "tensor([1, 3])")
# fmt: on
mask_indices.__doc__ = mask_indices.__doc__.replace(">>> fg.mask", ">>> import numpy as np\n>>> fg.mask")
