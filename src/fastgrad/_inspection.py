"""What a program may ask: what the namespace can do (the array API's inspection), and what NumPy says of arrays.

The answers are Python objects or dtypes, so no gradient is lost. Loaded when one of them is first asked for.
"""

from __future__ import annotations

import numpy as np

from ._creation import _check_device
from ._methods import is_tensor, lifted

__all__ = [
    "__array_namespace_info__", "allclose", "array_equal", "array_equiv", "broadcast_shapes", "common_type",
    "iscomplexobj", "isrealobj", "isscalar", "issubdtype", "may_share_memory", "min_scalar_type", "ndim",
    "promote_types", "shape", "shares_memory", "size",
]  # fmt: skip

#: The dtypes of the array API standard by kind.
_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_UNIONS = {
    "integral": ("signed integer", "unsigned integer"),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
}


class Info:
    """What the array API standard has to be asked of a namespace."""

    def capabilities(self):
        """What is optional in the standard, and how many axes an array may have."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self):
        """The device that arrays are made on."""
        return "cpu"

    def devices(self):
        """All devices there are."""
        return ["cpu"]

    def default_dtypes(self, *, device=None):
        """The dtypes that arrays have where none is asked for."""
        _check_device(device)
        return {
            "real floating": np.dtype("float64"), "complex floating": np.dtype("complex128"),
            "integral": np.dtype("int64"), "indexing": np.dtype(np.intp),
        }  # fmt: skip

    def dtypes(self, *, device=None, kind=None):
        """The standard's dtypes by name: all, or those of a kind or of a tuple of kinds."""
        _check_device(device)
        found = {}
        for one in kind if isinstance(kind, tuple) else (tuple(_KINDS) if kind is None else (kind,)):
            if one not in _KINDS and one not in _UNIONS:
                known = ", ".join(map(repr, (*_KINDS, *_UNIONS)))
                raise ValueError(f"dtypes: kind must be one of {known}, or a tuple of them, not {one!r}")
            for part in _UNIONS.get(one, (one,)):
                found.update((name, np.dtype(name)) for name in _KINDS[part])
        return found


_info = Info()


def __array_namespace_info__():
    """What the namespace can do: its devices, its dtypes and what is optional in the array API standard.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.__array_namespace_info__().default_dtypes()["real floating"]
    dtype('float64')
    """
    return _info


# ---------------------------------------------------------------- NumPy's answers


def _values(value):
    """A Tensor as an ndarray, its graph left behind: only for what answers yes or no."""
    if lifted((value,)):
        return value.__array__()  # raises, and says why
    if is_tensor(value):
        return value.detach().numpy()
    return type(value)(map(_values, value)) if type(value) in (tuple, list) else value


def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are as good as equal: ``abs(a - b) <= atol + rtol * abs(b)``.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.allclose([1.0, 2.0], [1.0, 2.0 + 1e-9])
    True
    """
    return np.allclose(_values(a), _values(b), _values(rtol), _values(atol), equal_nan)


def array_equal(a1, a2, equal_nan=False):
    """Whether two arrays have the same shape and elements.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.array_equal([1, 2], fg.tensor([1.0, 2.0]))
    True
    """
    return np.array_equal(_values(a1), _values(a2), equal_nan)


def array_equiv(a1, a2):
    """Whether two arrays have the same elements where one is broadcast to the other.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.array_equiv([1, 1], 1)
    True
    """
    return bool(np.array_equiv(_values(a1), _values(a2)))


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes are broadcast to.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return np.broadcast_shapes(*shapes)


def common_type(*arrays):
    """The floating dtype that all arrays can be cast to.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.common_type(fg.ones(2, dtype="float32"), fg.arange(2)) is fg.float64
    True
    """
    return np.common_type(*map(_values, arrays))


def iscomplexobj(x):
    """Whether x has a complex dtype.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.iscomplexobj(fg.tensor([1j]))
    True
    """
    return bool(np.dtype(x.dtype).kind == "c" if hasattr(x, "dtype") else np.iscomplexobj(x))


def isrealobj(x):
    """Whether x has a dtype that is not complex.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.isrealobj(fg.tensor([1j]))
    False
    """
    return not iscomplexobj(x)


def isscalar(element):
    """Whether a value is a scalar of Python or NumPy: no Tensor is.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.isscalar(1.0), fg.isscalar(fg.tensor(1.0))
    (True, False)
    """
    return not is_tensor(element) and np.isscalar(element)


def issubdtype(arg1, arg2):
    """Whether a dtype is of a kind, as NumPy's type hierarchy has it.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.issubdtype(fg.float32, np.floating)
    True
    """
    return np.issubdtype(arg1, arg2)


def may_share_memory(a, b, max_work=None):
    """Whether two arrays may share memory.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.ones(3)
    >>> fg.may_share_memory(x, x[1:])
    True
    """
    return np.may_share_memory(_values(a), _values(b), max_work)


def min_scalar_type(a):
    """The smallest dtype that holds a scalar; of an array its dtype.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.min_scalar_type(200)
    dtype('uint8')
    """
    return np.min_scalar_type(_values(a))


def ndim(a):
    """The number of axes.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.ndim([[1, 2]])
    2
    """
    return a.ndim if hasattr(a, "ndim") else np.ndim(a)


def promote_types(type1, type2):
    """The smallest dtype that two can be cast to safely.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.promote_types("int64", "float32")
    dtype('float64')
    """
    return np.promote_types(type1, type2)


def shape(a):
    """The length of each axis.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.shape([[1, 2]])
    (1, 2)
    """
    return a.shape if hasattr(a, "shape") else np.shape(a)


def shares_memory(a, b, max_work=None):
    """Whether two arrays share memory.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.ones(4)
    >>> fg.shares_memory(x[::2], x[1::2])
    False
    """
    return np.shares_memory(_values(a), _values(b), max_work)


def size(a, axis=None):
    """The number of elements, or those along an axis or axes.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.size([[1, 2]], 1)
    2
    """
    lengths = shape(a)
    if axis is None:
        return int(np.prod(lengths, dtype=int))
    axes = np.lib.array_utils.normalize_axis_tuple(axis, len(lengths))
    return int(np.prod([lengths[i] for i in axes], dtype=int))
