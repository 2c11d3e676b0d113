"""Making Tensors: the array API's creation functions, each with ``requires_grad=``."""

from __future__ import annotations

import numpy as np

from ._backend import backend as _backend
from ._methods import is_tensor, lifted, lookup, plain

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "from_numpy", "full", "full_like", "linspace",
    "meshgrid", "ones", "ones_like", "tensor", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip


#: `fastgrad.func` puts a function here, for what is made inside of its transforms.
inside = None


def _new(array, requires_grad=False):
    """A Tensor over an array that nobody else holds."""
    result = _backend.asarray(array)
    if requires_grad:
        result.requires_grad = True
    return result


def _buffer(array, requires_grad):
    """The same, for what may be written to."""
    result = _new(array, requires_grad)
    return result if inside is None or requires_grad else inside(result)


def _buffer_like(x, value, dtype, requires_grad):
    """An array of one value, like `x`."""
    if lifted((x,)):
        result = lookup("zeros_like")(x, dtype=None if dtype is None else np.dtype(dtype))
        return result if type(value) is int and value == 0 else result.fill_(value)
    x = x.detach().numpy() if is_tensor(x) else np.asarray(x)
    return _buffer(np.full_like(x, plain(value), dtype), requires_grad)


def _rebuild(array, requires_grad):
    """A Tensor from its pickle."""
    return _new(array, requires_grad)


def _check_device(device):
    if device not in (None, "cpu"):
        raise ValueError(f"device must be 'cpu' or None, not {device!r}")


def tensor(data, *, dtype=None, requires_grad=False):
    """A Tensor with a copy of `data`.

    Parameters
    ----------
    data : array_like
        Numbers, nested sequences of them, an array or a Tensor (whose graph is left behind).
    dtype : dtype, optional
        By default NumPy's choice: float64 for Python floats, int64 for ints.
    requires_grad : bool
        Whether operations on the Tensor are recorded. Floating and complex dtypes only.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If the data is not numeric.
    RuntimeError
        If `requires_grad` is set for integers or booleans.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.tensor([1.0, 2.0], requires_grad=True)
    tensor([1., 2.], requires_grad=True)
    """
    return _backend.tensor(data, dtype=dtype, requires_grad=requires_grad)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A Tensor over the memory of `obj`, copied only where it must be (``copy=None``), always or never.

    Parameters
    ----------
    obj : array_like
        A Tensor is given back as it is, with its graph, if neither dtype nor copy ask for another.
    dtype : dtype, optional
        The dtype to convert to.
    device : {"cpu", None}
        For the array API.
    copy : bool, optional
        True: always copy. False: raise ValueError where a copy is needed.
    requires_grad : bool
        Whether operations on the result are recorded.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> a = np.zeros(2)
    >>> t = fg.asarray(a)
    >>> a[0] = 1.0
    >>> t
    tensor([1., 0.])
    """
    _check_device(device)
    if lifted((obj,)):
        return obj if dtype is None and not copy else obj.astype(obj.dtype if dtype is None else dtype)
    result = _backend.asarray(obj, dtype, copy)
    if requires_grad:
        if result is obj:
            result = result.detach() if not result.requires_grad else result
        result.requires_grad_()
    return result


def from_numpy(array):
    """A Tensor that shares memory with an ndarray.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    return _backend.from_numpy(array)


def from_dlpack(x, /, *, device=None, copy=None):
    """A Tensor that shares memory with an array of any library that speaks DLPack.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.from_dlpack(np.ones(2))
    tensor([1., 1.])
    """
    _check_device(device)
    return _new(np.from_dlpack(x) if copy is None else np.from_dlpack(x, copy=copy))


def zeros(shape, *, dtype=None, device=None, requires_grad=False):
    """A Tensor of zeros (float64 unless `dtype` says otherwise).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.zeros((2, 2))
    tensor([[0., 0.],
            [0., 0.]])
    """
    _check_device(device)
    return _buffer(np.zeros(shape, dtype), requires_grad)


def ones(shape, *, dtype=None, device=None, requires_grad=False):
    """A Tensor of ones (float64 unless `dtype` says otherwise).

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.ones(3)
    tensor([1., 1., 1.])
    """
    _check_device(device)
    return _buffer(np.ones(shape, dtype), requires_grad)


def empty(shape, *, dtype=None, device=None, requires_grad=False):
    """A Tensor whose elements are whatever is in memory.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.empty((2, 3)).shape
    (2, 3)
    """
    _check_device(device)
    return _buffer(np.empty(shape, dtype), requires_grad)


def full(shape, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A Tensor in which every element is `fill_value`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.full(2, 7.0)
    tensor([7., 7.])
    """
    _check_device(device)
    return _buffer(np.full(shape, plain(fill_value), dtype), requires_grad)


def zeros_like(x, *, dtype=None, device=None, requires_grad=False):
    """Zeros, with the shape and dtype of `x`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.zeros_like(fg.ones(2))
    tensor([0., 0.])
    """
    _check_device(device)
    return _buffer_like(x, 0, dtype, requires_grad)


def ones_like(x, *, dtype=None, device=None, requires_grad=False):
    """Ones, with the shape and dtype of `x`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.ones_like(fg.zeros(2))
    tensor([1., 1.])
    """
    _check_device(device)
    return _buffer_like(x, 1, dtype, requires_grad)


def empty_like(x, *, dtype=None, device=None, requires_grad=False):
    """Whatever is in memory, with the shape and dtype of `x`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.empty_like(fg.zeros(2)).shape
    (2,)
    """
    _check_device(device)
    return _buffer_like(x, 0, dtype, requires_grad)


def full_like(x, fill_value, *, dtype=None, device=None, requires_grad=False):
    """`fill_value` everywhere, with the shape and dtype of `x`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.full_like(fg.zeros(2), 5.0)
    tensor([5., 5.])
    """
    _check_device(device)
    return _buffer_like(x, fill_value, dtype, requires_grad)


def arange(start, /, stop=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """Evenly spaced numbers in ``[start, stop)``; one argument alone is `stop`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    _check_device(device)
    start, stop = (0, start) if stop is None else (start, stop)
    return _new(np.arange(plain(start), plain(stop), plain(step), dtype), requires_grad)


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True, requires_grad=False):
    """`num` evenly spaced numbers from `start` to `stop`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.linspace(0.0, 1.0, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    _check_device(device)
    return _new(np.linspace(plain(start), plain(stop), num, endpoint, dtype=dtype), requires_grad)


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None, requires_grad=False):
    """Ones on diagonal number `k`, zeros elsewhere.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    _check_device(device)
    return _new(np.eye(n_rows, n_cols, k, float if dtype is None else dtype), requires_grad)


def _triangle(name, x, keep):
    x = x if lifted((x,)) else _backend.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"{name}: expected at least two axes, got shape {x.shape}")
    return x._apply_op(lookup("where"), (keep(x.shape), x, np.zeros((), x.dtype)), {})


def tril(x, /, *, k=0):
    """`x` with zeros above diagonal number `k` of its last two axes.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.tril(fg.ones((2, 2)))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _triangle("tril", x, lambda shape: np.tri(*shape[-2:], k, bool))


def triu(x, /, *, k=0):
    """`x` with zeros below diagonal number `k` of its last two axes.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.triu(fg.ones((2, 2)))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _triangle("triu", x, lambda shape: ~np.tri(*shape[-2:], k - 1, bool))


def meshgrid(*arrays, indexing="xy"):
    """Coordinate matrices of coordinate vectors, one for each; gradients pass through.

    Parameters
    ----------
    *arrays : array_like
        Vectors or scalars.
    indexing : {"xy", "ij"}
        Which of the first two vectors runs along the first axis: the second ("xy") or the first.

    Returns
    -------
    tuple of Tensor

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.meshgrid([1, 2], [3, 4])[1]
    tensor([[3, 3],
            [4, 4]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing must be "xy" or "ij", not {indexing!r}')
    vectors = [asarray(array).reshape(-1) for array in arrays]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = 1, 0
    shape = tuple(vectors[i].size for i in order)
    grids = []
    for i, vector in enumerate(vectors):
        along = tuple(vector.size if axis == order.index(i) else 1 for axis in range(len(order)))
        grids.append(lookup("broadcast_to")(vector.reshape(along), shape).clone())
    return tuple(grids)


# ---------------------------------------------------------------- dtypes and constants


def _dtypes(values):
    return [value.dtype if is_tensor(value) else value for value in values]


def result_type(*arrays_and_dtypes):
    """The dtype that an operation on these has, by NumPy's rules.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.result_type(fg.float32, fg.int64)
    dtype('float64')
    """
    return np.result_type(*_dtypes(arrays_and_dtypes))


def can_cast(from_, to, casting="safe"):
    """Whether a cast is allowed by the rule `casting`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.can_cast(fg.float32, fg.float64)
    True
    """
    return np.can_cast(_dtypes([from_])[0], to, casting)
