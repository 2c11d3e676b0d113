"""Making Tensors: the array API's creation functions, each with ``requires_grad=``."""

from __future__ import annotations

import numpy as np

from ._backend import backend as _backend
from ._methods import is_tensor, lifted, lookup, plain
from .ops import load

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "from_numpy", "full", "full_like", "linspace",
    "ones", "ones_like", "tensor", "zeros", "zeros_like",
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
    if _graph(value):
        return full(x.shape, value, dtype=x.dtype if dtype is None else dtype, requires_grad=requires_grad)
    return _buffer(np.full_like(x, plain(value), dtype), requires_grad)


def _graph(value):
    """Whether a value has a graph, or stands for others (`fastgrad.func`), and must stay what it is."""
    return is_tensor(value) and (hasattr(type(value), "_lifts") or value.requires_grad)


def _filled(shape, value, dtype):
    """The value, repeated: what is made of it has its graph."""
    value = value if dtype is None or value.dtype == np.dtype(dtype) else value.astype(dtype)
    return lookup("clone")(lookup("broadcast_to")(value, shape))


def _stacked(sequence):
    """A nested sequence that holds Tensors with a graph, as one Tensor that has it too."""
    return lookup("stack")([_stacked(item) if type(item) in (list, tuple) else item for item in sequence])


def _holds_graphs(sequence):
    return any(_holds_graphs(item) if type(item) in (list, tuple) else _graph(item) for item in sequence)


def _rebuild(array, requires_grad):
    """A Tensor from its pickle."""
    return _new(array, requires_grad)


def _typed(data, dtype):
    """Python numbers as an ndarray of `dtype` at once, so that NumPy refuses integers that it cannot hold."""
    if dtype is None or type(data) not in (int, float, complex, bool, list, tuple):
        return data
    try:
        array = np.asarray(data)
    except RuntimeError:
        return data  # it holds Tensors that require grad: the backend says so
    numbers = array.dtype.kind in "biufc" or (array.dtype == object and all(type(v) is int for v in array.flat))
    return np.asarray(data, dtype) if numbers and np.dtype(dtype).kind in "biufc" else data


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
    return _backend.tensor(_typed(data, dtype), dtype=dtype, requires_grad=requires_grad)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A Tensor over the memory of `obj`, copied only where it must be (``copy=None``), always or never.

    Parameters
    ----------
    obj : array_like
        A Tensor is given back as it is, with its graph, if neither dtype nor copy ask for another. Nested sequences
        of Tensors and numbers keep the graph too, as `stack` does.
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
    if copy is False and type(obj) in (list, tuple):
        raise ValueError("asarray: a sequence cannot be made an array without a copy")
    if copy is False and not is_tensor(obj):
        obj = np.asarray(obj, dtype, copy=False)  # NumPy raises where that needs a copy
    try:
        result = _backend.asarray(_typed(obj, dtype), dtype, copy)
    except RuntimeError:
        if type(obj) not in (list, tuple) or not _holds_graphs(obj):
            raise
        result = _stacked(obj) if dtype is None else _stacked(obj).astype(dtype)
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
    """A Tensor in which every element is `fill_value`, which may be a Tensor and then gets the gradient of all.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.full(2, 7.0)
    tensor([7., 7.])
    """
    _check_device(device)
    if _graph(fill_value):
        result = _filled(shape, fill_value, dtype)
        return result.requires_grad_() if requires_grad else result
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


def linspace(start, stop, /, num=50, *, dtype=None, device=None, endpoint=True, axis=0, requires_grad=False):
    """`num` evenly spaced numbers from `start` to `stop`; gradients pass to both, if they are Tensors.

    Parameters
    ----------
    start, stop : array_like
        The first number and the last. Arrays give as many sequences.
    num : int
        How many.
    dtype : dtype, optional
        By default that of start and stop, floating at least.
    device : {"cpu", None}
        For the array API.
    endpoint : bool
        Whether `stop` is the last of them; if not, it would be the next.
    axis : int
        Where the samples lie in the result, if start or stop are arrays.
    requires_grad : bool
        Whether operations on the result are recorded.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.linspace(0.0, 1.0, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    _check_device(device)
    if is_tensor(start) or is_tensor(stop):
        load("fastgrad")
        result = lookup("linspace")(start, stop, num, endpoint, dtype=dtype, axis=axis)
        return result.requires_grad_() if requires_grad else result
    return _new(np.linspace(start, stop, num, endpoint, dtype=dtype, axis=axis), requires_grad)


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


class finfo:
    """The limits of a floating dtype: `bits`, `eps`, `max`, `min`, `smallest_normal` and the rest of `numpy.finfo`'s.

    Parameters
    ----------
    type : dtype, array or Tensor
        Of a complex dtype the limits of its parts.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.finfo(fg.float32).max
    3.4028234663852886e+38
    """

    def __init__(self, type, /):
        self._info = np.finfo(type.dtype if is_tensor(type) else type)
        self.bits, self.dtype = self._info.bits, self._info.dtype
        as_python = float if self.bits <= 64 else lambda value: value
        for name in ("eps", "max", "min", "smallest_normal"):
            setattr(self, name, as_python(getattr(self._info, name)))

    def __getattr__(self, name):
        return getattr(self.__dict__.get("_info"), name)

    def __repr__(self):
        return repr(self._info)


def iinfo(type, /):
    """The limits of an integer dtype, or of that of an array: `bits`, `max`, `min`.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.iinfo(fg.int8).max
    127
    """
    return np.iinfo(type.dtype if is_tensor(type) else type)
