"""NumPy's functions that are several of ours, or one with another form: under NumPy's own names and parameters."""

from __future__ import annotations

from functools import cache

import numpy as np

from . import _errors
from ._methods import is_tensor
from ._ufuncs import _row as row
from ._ufuncs import write

_NOTHING = np._NoValue
#: Functions of NumPy's module and name.
FORMS = {}


def _form(name, module="numpy"):
    def keep(function):
        FORMS[module, name] = function
        return function

    return keep


def _tensor(value):
    from ._backend import backend

    return value if is_tensor(value) else backend.asarray(value)


@cache
def _fg(name):
    """A public function of the top level."""
    import fastgrad

    return getattr(fastgrad, name)


# ---------------------------------------------------------------- order of elements --


@_form("reshape")
def _reshape(x, shape, order="C", *, copy=None):
    if order == "C" or _order(x, order) == "C":
        return _fg("reshape")(x, shape, copy=copy)
    back = tuple(np.ravel(shape).tolist())[::-1]
    return row("transpose")(row("reshape")(row("transpose")(x), back, copy=copy))


@_form("ravel")
def _ravel(x, order="C"):
    x = _tensor(x)
    return row("ravel")(x if _order(x, order) == "C" else row("transpose")(x))


def _order(x, order):
    """C or F: "A" and "K" ask how the elements are in memory."""
    if order in ("C", "F"):
        return order
    if order == "A":
        memory = x.detach().numpy().flags
        return "F" if memory.f_contiguous and not memory.c_contiguous else "C"
    if order == "K":
        return _memory_order(x)
    raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")


def _memory_order(x):
    memory = x.detach().numpy().flags
    if memory.c_contiguous:
        return "C"
    if memory.f_contiguous:
        return "F"
    raise _errors.unknown_numpy("numpy function", "ravel", "order='K' of memory that is in neither order")


# ---------------------------------------------------------------- copies and fills --


@_form("copyto")
def _copyto(dst, src, casting="same_kind", where=True):
    if not is_tensor(dst) and not isinstance(dst, np.ndarray):
        raise TypeError(f"copyto() argument 1 must be numpy.ndarray, not {type(dst).__name__}")
    kind = src.dtype if hasattr(src, "dtype") else np.asarray(src).dtype
    if type(src) not in (int, float, complex) and not np.can_cast(kind, dst.dtype, casting):
        raise TypeError(f"Cannot cast array data from {kind!r} to {dst.dtype!r} according to the rule {casting!r}")
    shape = tuple(np.shape(dst))
    if np.broadcast_shapes(np.shape(src), np.shape(where), shape) != shape:
        raise ValueError(f"could not broadcast input array from shape {np.shape(src)} into shape {shape}")
    if where is True:
        write(dst, src)
    else:
        src = row("broadcast_to")(src, shape) if is_tensor(src) else np.broadcast_to(src, shape)
        write(dst, src, row("astype")(where, bool) if is_tensor(where) else np.asarray(where, bool))


@_form("full_like")
def _full_like(a, fill_value, dtype=None, shape=None):
    dtype = a.dtype if dtype is None and hasattr(a, "dtype") else dtype
    dtype = np.asarray(a).dtype if dtype is None else dtype
    shape = np.shape(a) if shape is None else shape
    filled = row("clone")(row("broadcast_to")(_tensor(fill_value), shape))
    return filled if filled.dtype == dtype else row("astype")(filled, dtype)


def _like(name):
    def function(a, dtype=None, shape=None):
        kind = dtype if dtype is not None else a.dtype
        return _fg(name.removesuffix("_like"))(np.shape(a) if shape is None else shape, dtype=kind)

    return function


for _name in ("zeros_like", "ones_like", "empty_like"):
    FORMS["numpy", _name] = _like(_name)


def _made(func, converts):
    """A function that was told to make something ``like=`` a Tensor."""

    def function(*args, **kwargs):
        if converts and args and is_tensor(args[0]):
            (x, *rest), more = args, dict(kwargs)
            dtype = more.pop("dtype", rest[0] if rest else None)
            copy = more.pop("copy", func is np.array)
            x = x if dtype is None or x.dtype == dtype else row("astype")(x, dtype)
            ndmin = more.pop("ndmin", 0)
            x = row("clone")(x) if copy and x is args[0] else x
            return x if x.ndim >= ndmin else row("reshape")(x, (1,) * (ndmin - x.ndim) + x.shape)
        if func is np.full and len(args) > 1 and is_tensor(args[1]):
            return _full_like(np.empty(0, kwargs.get("dtype") or args[1].dtype), args[1], shape=args[0])
        return _tensor(func(*args, **kwargs))

    return function


for _name in ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "require"):
    FORMS["numpy", _name] = _made(getattr(np, _name), True)
for _name in (
    "arange", "empty", "eye", "frombuffer", "fromfile", "fromfunction", "fromiter", "fromstring", "full", "genfromtxt",
    "identity", "loadtxt", "ones", "tri", "zeros",
):  # fmt: skip
    FORMS["numpy", _name] = _made(getattr(np, _name), False)


@_form("linspace")
def _linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    out = _fg("linspace")(start, stop, num, endpoint=endpoint, dtype=dtype, axis=axis)
    parts = num - 1 if endpoint else num
    return (out, (_tensor(stop) - _tensor(start)) / parts if parts > 0 else np.nan) if retstep else out


@_form("nan_to_num")
def _nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    if copy or not is_tensor(x):
        return _fg("nan_to_num")(x, nan=nan, posinf=posinf, neginf=neginf)
    return x.copy_(_fg("nan_to_num")(x.clone(), nan=nan, posinf=posinf, neginf=neginf))


# ---------------------------------------------------------------- choice, and windows --


@_form("where")
def _where(condition, x=None, y=None):
    if (x is None) != (y is None):
        raise ValueError("either both or neither of x and y should be given")
    return _fg("nonzero")(condition) if x is None else row("where")(condition, x, y)


@_form("clip")
def _clip(a, a_min=_NOTHING, a_max=_NOTHING, out=None, *, min=_NOTHING, max=_NOTHING, **kwargs):
    if a_min is _NOTHING and a_max is _NOTHING:
        a_min, a_max = (None if end is _NOTHING else end for end in (min, max))
    elif a_min is _NOTHING or a_max is _NOTHING:
        raise TypeError("clip() missing 1 required positional argument: 'a_min' or 'a_max'")
    elif min is not _NOTHING or max is not _NOTHING:
        raise ValueError("Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden.")
    if out is None and not kwargs and getattr(a, "dtype", None) != np.bool_:
        return _fg("clip")(_tensor(a), a_min, a_max)
    from ._ufuncs import on_ufunc

    more = kwargs if out is None else {"out": (out,), **kwargs}
    if a_min is None and a_max is None:
        return on_ufunc(np.positive, "__call__", (a,), more)
    if a_min is None or a_max is None:
        ufunc, end = (np.minimum, a_max) if a_min is None else (np.maximum, a_min)
        return on_ufunc(ufunc, "__call__", (a, end), more)
    return on_ufunc(row("clip").fn, "__call__", (a, a_min, a_max), more)


@_form("einsum")
def _einsum(*operands, out=None, optimize=False, dtype=None, order="K", casting="safe"):
    from ._dispatch import into

    if dtype is not None:
        kinds = [x.dtype for x in operands if hasattr(x, "dtype")]
        if not np.can_cast(np.result_type(*kinds), dtype, casting):
            raise TypeError(f"einsum: cannot cast to {np.dtype(dtype)!r} according to the rule {casting!r}")
        operands = [row("astype")(x, dtype) if is_tensor(x) else x for x in operands]
    result = _fg("einsum")(*operands, optimize=optimize)
    return result if out is None else into(out, result, "same_kind" if casting == "safe" else casting)


@_form("sort_complex")
def _sort_complex(a):
    out = _fg("sort")(a)
    if out.dtype.kind == "c":
        return out
    return row("astype")(out, np.sort_complex(np.zeros(0, out.dtype)).dtype)


@_form("put_along_axis")
def _put_along_axis(arr, indices, values, axis):
    indices = indices.detach().numpy() if is_tensor(indices) else np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if axis is not None and indices.ndim != arr.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    if axis is None:
        index = np.unravel_index(indices.reshape(-1) % max(arr.size, 1), arr.shape)
        _in_range(indices, arr.size)
    else:
        axis = np.lib.array_utils.normalize_axis_index(axis, arr.ndim)
        ones = (1,) * arr.ndim
        index = [np.arange(n).reshape((*ones[:i], -1, *ones[i + 1 :])) for i, n in enumerate(arr.shape)]
        index[axis] = indices
    arr[tuple(index)] = values


def _in_range(indices, size):
    bad = indices[(indices >= size) | (indices < -size)]
    if bad.size:
        raise IndexError(f"index {bad.flat[0]} is out of bounds for axis 0 with size {size}")


@_form("sliding_window_view", "numpy.lib.stride_tricks")
def _sliding_window_view(x, window_shape, axis=None, *, writeable=False):
    if writeable:
        raise _errors.unknown_numpy("numpy function", "sliding_window_view", "windows of Tensors cannot be written")
    places = np.arange(x.size).reshape(x.shape)
    windows = np.lib.stride_tricks.sliding_window_view(places, window_shape, axis)
    return row("reshape")(x, -1)[windows]


# ---------------------------------------------------------------- numpy.emath: complex where it has to be --


def _leaves(x, low, high):
    """x as complex where it is real and some element is not between `low` and `high`."""
    x = _tensor(x)
    flat = x.detach()
    if x.dtype.kind == "c" or not bool(((flat < low) | (flat > high)).any()):
        return x
    small = x.dtype.char in "fbhBH"  # as NumPy's emath has it
    return row("astype")(x, np.complex64 if small else np.complex128)


def _emath(name, low, high):
    def function(x):
        run = row(name) or _fg(name)
        return run(_leaves(x, low, high))

    return function


for _name, _low, _high in (
    ("sqrt", 0, np.inf), ("log", 0, np.inf), ("log2", 0, np.inf), ("log10", 0, np.inf),
    ("arccos", -1, 1), ("arcsin", -1, 1), ("arctanh", -1, 1),
):  # fmt: skip
    FORMS["numpy.lib.scimath", _name] = _emath(_name, _low, _high)


@_form("logn", "numpy.lib.scimath")
def _logn(n, x):
    return row("log")(_leaves(x, 0, np.inf)) / row("log")(_leaves(n, 0, np.inf))


@_form("power", "numpy.lib.scimath")
def _power(x, p):
    x, p = _leaves(x, 0, np.inf), _tensor(p)
    if p.dtype.kind in "iu" and bool((p.detach() < 0).any()):
        p = p * 1.0
    return row("power")(x, p)
