"""NumPy's functions on Tensors: `__array_function__`.

`np.f` of Tensors is fastgrad's `f`, called as NumPy spells it: what has another place or name is put where ours has
it, `out=` is a write in place, and what only says how memory is to be laid out is left. What ours cannot do raises
TypeError that names it. Functions that answer about shapes, dtypes, or yes or no, are NumPy's own.
"""

from __future__ import annotations

from importlib import import_module
from inspect import Parameter
from inspect import signature as _signature

import numpy as np

from . import _errors
from ._methods import is_tensor, lifted
from ._ufuncs import _row as row
from ._ufuncs import has_graph, write
from .ops import TABLE

_OLD_NAMES = {"trapz": "trapezoid"}  # of NumPy before 2.4
_MODULES = {"numpy": "fastgrad", "numpy.linalg": "fastgrad.linalg", "numpy.fft": "fastgrad.fft"}
_NOTHING = np._NoValue
_PLAIN_TYPES = frozenset((bool, int, float, complex, str, type(None)))

#: Functions that look at shapes, dtypes and memory, show values, or answer yes or no: no gradient is lost on them.
ABOUT = frozenset([
    "shape", "ndim", "size", "result_type", "can_cast", "min_scalar_type", "common_type", "iscomplexobj",
    "isrealobj", "may_share_memory", "shares_memory", "array_equal", "array_equiv", "allclose", "array_repr",
    "array_str", "array2string", "einsum_path",
])  # fmt: skip

#: Functions whose results are bools or integers, which have no gradient: NumPy computes them, where no row does.
NO_GRADIENT = frozenset([
    "iscomplex", "isreal", "isneginf", "isposinf", "isclose", "packbits", "unpackbits", "ravel_multi_index",
    "unravel_index", "diag_indices_from", "tril_indices_from", "triu_indices_from", "argwhere", "flatnonzero",
    "count_nonzero", "digitize", "lexsort", "isin", "bitwise_count", "argpartition", "nanargmax", "nanargmin",
    "in1d",
])  # fmt: skip

#: Functions that put values into a file, which has no graph.
TO_FILE = frozenset(["save", "savetxt", "savez", "savez_compressed"])

#: Functions that write into their first argument.
IN_PLACE = frozenset(["copyto", "place", "put", "putmask", "put_along_axis", "fill_diagonal"])

#: Parameters that change no value: how memory is laid out, which algorithm sorts, where the memory is.
_LAYOUT = frozenset(["subok", "device", "kind", "overwrite_input", "stable", "max_work", "like", "optimize"])
_ORDERED = frozenset(["copy", "zeros_like", "ones_like", "empty_like", "full_like"])  # of which `order` is one, too
_CAST_FIRST = frozenset(["mean", "var", "std", "nanmean", "nanvar", "nanstd", "trace", "cov", "corrcoef"])
_CAST_LAST = frozenset(["concatenate", "stack", "hstack", "vstack"])
_CAST_OUT = frozenset(["amax", "amin", "max", "mean", "min", "var"])  # to `out=` of integers, too


#: Parameters of functions that do not tell theirs before NumPy 2.4.
_UNTOLD = {
    "bincount": "x, /, weights=None, minlength=0",
    "concatenate": "arrays, /, axis=0, out=None, *, dtype=None, casting='same_kind'",
    "copyto": "dst, src, casting='same_kind', where=True",
    "dot": "a, b, out=None",
    "empty_like": "prototype, dtype=None, order='K', subok=True, shape=None, *, device=None",
    "inner": "a, b, /",
    "lexsort": "keys, axis=-1",
    "packbits": "a, /, axis=None, bitorder='big'",
    "putmask": "a, mask, values",
    "ravel_multi_index": "multi_index, dims, mode='raise', order='C'",
    "unpackbits": "a, /, axis=None, count=None, bitorder='big'",
    "unravel_index": "indices, shape, order='C'",
    "vdot": "a, b, /",
    "where": "condition, x=None, y=None, /",
}


def signature(function):
    """The signature of a function, NumPy's older ones included."""
    try:
        return _signature(function)
    except ValueError:
        return _signature(eval(f"lambda {_UNTOLD[function.__name__]}: None"))


def on_function(func, args, kwargs):
    """What `__array_function__` is: the NumPy function `func` of arguments with Tensors among them."""
    call = _calls.get(func)
    if call is None:
        call = _calls[func] = _find(func)
    return call(*args, **kwargs)


_calls: dict = {}  # NumPy's function -> what does it


def _find(func):
    """What does the NumPy function `func` on Tensors."""
    name, module = func.__name__, func.__module__
    if module == "numpy" and name in ABOUT:
        return _about(func)
    from . import _numpy_forms

    form = _numpy_forms.FORMS.get((module.replace("_scimath_impl", "scimath"), name))  # NumPy 2.0's name
    ours = public(module, name) if form is None else form
    if module == "numpy" and name in IN_PLACE:
        return _into_first(func, None if ours is None else _Call(func, ours))
    if form is not None:
        return form if _takes_any(form) else _Call(func, form)
    if ours is not None:
        return _Call(func, ours)
    if module == "numpy" and name in NO_GRADIENT:
        return _without_gradient(func)
    if module == "numpy" and name in TO_FILE:
        return _to_file(func)
    return _unknown(func)


def public(module, name):
    """fastgrad's function that bears the name of NumPy's, or None."""
    home = _MODULES.get(module)
    if home is None or name.startswith("_"):
        return None
    try:
        found = getattr(import_module(home), _OLD_NAMES.get(name, name), None)
    except ModuleNotFoundError as error:
        if error.name != home:
            raise
        return None
    return found if callable(found) else None


def _unknown(func):
    def call(*args, **kwargs):
        raise _errors.unknown_numpy("numpy function", _full_name(func))

    return call


def _full_name(func):
    return f"{func.__module__}.{func.__name__}"


# ---------------------------------------------------------------- NumPy's own --


def values(value):
    """`value` with every Tensor in it as the ndarray of its values; what stands for many raises."""
    if is_tensor(value):
        return value.detach().numpy()
    if type(value) in (tuple, list):
        return type(value)(values(item) for item in value)
    if type(value) is dict:
        return {key: values(item) for key, item in value.items()}
    return value


def tensors(value):
    """`value` with every ndarray of numbers in it as a Tensor."""
    from ._backend import backend

    if isinstance(value, (np.ndarray, np.generic)):
        return backend.asarray(value) if value.dtype.kind in "biufc" else value
    if isinstance(value, (tuple, list)):
        items = [tensors(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _about(func):
    def call(*args, **kwargs):
        return func(*values(args), **values(kwargs))

    return call


def _without_gradient(func):
    def call(*args, out=None, **kwargs):
        result = tensors(func(*values(args), **values(kwargs)))
        return result if out is None else write(out, result)

    return call


def _to_file(func):
    def call(*args, **kwargs):
        return func(*_arrays(args), **_arrays(kwargs))

    return call


def _arrays(value):
    """As `values`, but a Tensor that requires grad raises."""
    if is_tensor(value):
        return value.numpy()
    if type(value) in (tuple, list):
        return type(value)(_arrays(item) for item in value)
    return {key: _arrays(item) for key, item in value.items()} if type(value) is dict else value


def _into_first(func, ours):
    """A function that writes into its first argument: an ndarray takes no graph."""
    parameter = next(iter(signature(func).parameters))

    def call(*args, **kwargs):
        target = args[0] if args else kwargs.get(parameter)
        if is_tensor(target):
            if ours is None:
                raise _errors.unknown_numpy("numpy function", _full_name(func))
            ours(*args, **kwargs)
            return None
        for value in (*args, *kwargs.values()):
            if loses(value):
                raise _errors.out_loses_graph()
        return func(*values(args), **values(kwargs))

    return call


def loses(value):
    """Whether a graph, a tangent or examples would be lost if only the values were taken."""
    if type(value) in (tuple, list):
        return any(map(loses, value))
    return is_tensor(value) and (lifted((value,)) is not None or value.requires_grad)


# ---------------------------------------------------------------- ours, as NumPy spells it --


class _Call:
    """A function of ours under NumPy's signature.

    A parameter of NumPy's is ours of that name; or, where neither has a parameter of the other's name, ours at that
    place (NumPy's `a` is our `x`). For what is left see the module.
    """

    def __init__(self, func, ours):
        self.func, self.ours = func, ours
        self.signature = signature(func)
        theirs, mine = self.signature.parameters, _parameters(ours)
        self.own = list(mine.values())
        places = list(mine)
        self.to, self.star = {}, None
        for i, (name, p) in enumerate(theirs.items()):
            if p.kind is Parameter.VAR_POSITIONAL:
                self.star = name
            elif p.kind is Parameter.VAR_KEYWORD:
                pass
            elif name in mine:
                self.to[name] = name
            elif i < len(places) and places[i] not in theirs and _placed(mine[places[i]]):
                self.to[name] = places[i]
        self.direct = 0  # so many arguments at the beginning are ours too, one for one
        for i, name in enumerate(theirs):
            if i >= len(places) or self.to.get(name) != places[i] or not _placed(mine[places[i]]):
                break
            if theirs[name].kind is Parameter.KEYWORD_ONLY:
                break
            self.direct += 1
        self.same = frozenset(
            name for name, own in self.to.items() if name == own and mine[name].kind is not Parameter.POSITIONAL_ONLY
        )
        self.needed = next((n for n, p in enumerate(theirs.values()) if p.default is not Parameter.empty), len(theirs))

    def __call__(self, *args, **kwargs):
        direct = self.needed <= len(args) <= self.direct and self.same.issuperset(kwargs)
        if direct and not any(value is _NOTHING for value in (*args, *kwargs.values())):
            return self.ours(*args, **kwargs)
        if self.star is not None:
            return self._starred(args, kwargs)
        return self._run(self.signature.bind(*args, **kwargs).arguments)

    def _fail(self, name):
        reason = f"the argument {name!r} is not supported"
        return _errors.unknown_numpy("numpy function", _full_name(self.func), reason)

    def _run(self, given):
        theirs, name = self.signature.parameters, self.func.__name__
        ours, out, dtype, casting = {}, None, None, "same_kind"
        for key, value in list(given.items()):
            if theirs[key].kind is Parameter.VAR_KEYWORD:
                ours.update(value)
            elif value is _NOTHING:
                continue
            elif key in self.to:
                ours[self.to[key]] = value
            elif key == "out":
                out = value
            elif key == "dtype" and name in _CAST_FIRST | _CAST_LAST:
                dtype = value
            elif key == "casting":
                casting = value
            elif not (key in _LAYOUT or (key == "order" and name in _ORDERED)) and not _is_default(
                value, theirs[key].default
            ):
                raise self._fail(key)
        first = self.own[0].name
        if out is not None:
            ours = {key: _aside(value, out) for key, value in ours.items()}
        if dtype is not None and name in _CAST_FIRST and first in ours:
            x = ours[first]
            if np.dtype(dtype).kind != "c" and np.result_type(x).kind == "c":
                raise self._fail("dtype")  # NumPy casts some of its steps, and not others
            ours[first] = row("astype")(x, dtype) if is_tensor(x) else np.asarray(x).astype(dtype)
        result = self._call(ours)
        if dtype is not None and name in _CAST_LAST:
            _check_casting(name, result.dtype, dtype, casting)
            result = result.astype(dtype)
        if out is None:
            return result
        if name in _CAST_OUT and result.dtype.kind != "c" and not has_graph(result):
            casting = "unsafe"
        return into(out, result, casting)

    def _call(self, ours):
        """Positional ones in their order as far as there are any, the others by name."""
        args = []
        for p in self.own:
            if p.name not in ours or not _placed(p):
                break
            args.append(ours.pop(p.name))
        return self.ours(*args, **ours)

    def _starred(self, args, kwargs):
        out = kwargs.pop("out", None)
        for key in list(kwargs):
            if key not in self.to and key in self.signature.parameters:
                value = kwargs.pop(key)
                if key not in _LAYOUT and not _is_default(value, self.signature.parameters[key].default):
                    raise self._fail(key)
        result = self.ours(*args, **kwargs)
        return result if out is None else into(out, result)


def _parameters(function):
    """The parameters of a public function of ours."""
    from ._backend import function as made

    op = TABLE.get(getattr(function, "__name__", None))
    return signature(op.bind if op is not None and made(op.name) is function else function).parameters


def _takes_any(function):
    return any(p.kind is Parameter.VAR_POSITIONAL for p in signature(function).parameters.values())


def _placed(parameter):
    return parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def _is_default(value, default):
    return value is default or (type(value) in _PLAIN_TYPES and type(default) in _PLAIN_TYPES and value == default)


def _aside(value, out):
    """What is written to and read: a copy, because it is read once more for the gradient."""
    if type(value) in (tuple, list):
        return type(value)(_aside(item, out) for item in value)
    if is_tensor(value) and is_tensor(out) and not lifted((value, out)) and np.may_share_memory(
        value.detach().numpy(), out.detach().numpy()
    ):  # fmt: skip
        return row("clone")(value)
    return value


def _check_casting(name, found, dtype, casting):
    if not np.can_cast(found, dtype, casting):
        raise TypeError(f"{name}: cannot cast from {found!r} to {np.dtype(dtype)!r} according to the rule {casting!r}")


def into(out, result, casting="same_kind"):
    """Write a result to `out=`, of the same shape, and give that back."""
    if isinstance(out, tuple) and len(out) == 1:
        (out,) = out
    if isinstance(result, tuple):
        raise TypeError(f"out= takes one result, and there are {len(result)}")
    if not is_tensor(out) and not isinstance(out, np.ndarray):
        raise TypeError("return arrays must be of ArrayType")
    if np.shape(out) != np.shape(result):
        raise ValueError(f"output array has shape {np.shape(out)}, the result has shape {np.shape(result)}")
    _check_casting("out", result.dtype, out.dtype, casting)
    return write(out, result)
