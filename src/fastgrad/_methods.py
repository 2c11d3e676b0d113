"""TensorMethods: what the Tensor classes of both backends share.

Methods are made from the table: ndarray's own methods where a row of that name exists, and every
operation on one operand, both plain (``t.exp()``) and in place (``t.exp_()``). A backend's Tensor
derives from `TensorMethods` and defines the operators, the attributes, `_apply_op` and `_inplace_op`.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from . import _errors
from ._repr import INVALID, show
from .ops import ALIASES, TABLE, load


def lookup(name):
    """The row called `name` or known under that alias; None if there is none."""
    return TABLE.get(name) or TABLE.get(ALIASES.get(name))


def is_tensor(value):
    """Whether `value` is a Tensor of either backend."""
    return hasattr(type(value), "_inplace_op")


def lifted(values):
    """The class of the first value that stands for many, or carries a tangent (`fastgrad.func`), or None."""
    for value in values:
        if hasattr(type(value), "_lifts"):
            return type(value)
    return None


def plain(value):
    """`value` with every Tensor in it as an ndarray: options and indices are plain NumPy.

    A Tensor that requires grad raises, because its graph would be lost. A lifted value stays what it is.
    """
    if is_tensor(value):
        return value if hasattr(type(value), "_lifts") else value.numpy()
    if type(value) in (tuple, list):
        return type(value)([plain(item) for item in value])
    if type(value) is slice:
        return slice(plain(value.start), plain(value.stop), plain(value.step))
    return value


def frozen(options):
    """Options to keep with a node: plain NumPy, and no array that the caller may still write to."""
    return {key: _copied(plain(value)) for key, value in options.items()}


def _copied(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (tuple, list):
        return type(value)([_copied(item) for item in value])
    return value


def pow_call(dtype, exponent):
    """What ``array ** exponent`` is: a row, its operands after the array, and its options.

    `ndarray.__pow__` has loops of its own for three Python scalars, and so have we.
    """
    kind = type(exponent)
    if dtype.kind in "fc" and (kind is int or kind is float):
        if kind is int and exponent in (2, -1):
            return TABLE["square" if exponent == 2 else "reciprocal"], (), {}
        if kind is float and exponent == 0.5:
            return TABLE["sqrt"], (), {}
        if dtype.kind == "f":
            return TABLE["scalar_power"], (), {"exponent": exponent}
    if dtype.kind == "b" and kind is int and exponent == 2:
        return TABLE["square"], (), {}
    return TABLE["power"], (exponent,), {}


#: Operators of one operand and of two: dunder -> row. `**`, `divmod` and `round` are more than one row.
UNARY = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}
BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}  # fmt: skip
COMPARE = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip


def _foreign(value):
    """What no arithmetic is done with, unless its own operators know how.

    So ``t == None`` is plain False, and ``t + "a"`` a TypeError.
    """
    return not isinstance(value, (TensorMethods, np.ndarray, np.generic, int, float, complex, list, tuple))


def _operators(op):
    """The operator of a row, its reflected form and the one in place."""
    if len(op.operands) == 1:
        return (lambda self: self._apply_op(op, (self,), {}),)
    return (
        lambda self, other: NotImplemented if _foreign(other) else self._apply_op(op, (self, other), {}),
        lambda self, other: NotImplemented if _foreign(other) else self._apply_op(op, (other, self), {}),
        lambda self, other: NotImplemented if _foreign(other) else self._inplace_op(op, self, (other,), {}),
    )


def _power(self, exponent):
    if _foreign(exponent):
        return NotImplemented
    op, others, options = pow_call(self.dtype, exponent)
    return self._apply_op(op, (self, *others), options)


def _getitem(self, index):
    return self._apply_op(*_indexed("getitem", self, index))


def _setitem(self, index, value):
    op, (_, value), options = _indexed("setitem", self, value, index)
    self._inplace_op(op, self, (value,), options)


def _indexed(name, *args):
    return TABLE[name], *TABLE[name].bind(*args)


def add_operators(cls):
    """Give a Tensor class that has none the operators of Python."""
    for dunder, name in {**UNARY, **BINARY, **COMPARE}.items():
        for kind, method in zip(("", "r", "i") if dunder in BINARY else ("",), _operators(TABLE[name])):
            setattr(cls, f"__{kind}{dunder}__", method)
    cls.__pow__, cls.__rpow__, cls.__ipow__ = _power, _operators(TABLE["power"])[1], TensorMethods.pow_
    cls.__getitem__, cls.__setitem__ = _getitem, _setitem


class GradientEdge(NamedTuple):
    """A place in the graph: result `output_nr` of `node`. Backward passes start and end there as at a Tensor."""

    node: Any
    output_nr: int
    like: Any = None  # shape and dtype of the result, where they are known


_keys = count()


class Handle:
    """What `register_hook` returns: `remove()` takes the hook away again; so does leaving a ``with`` block."""

    __slots__ = ("_hooks", "_key")

    def __init__(self, hooks, hook):
        self._hooks, self._key = hooks, next(_keys)  # `hooks` must not hold this: that would be a cycle
        hooks[self._key] = hook

    def remove(self):
        """Take the hook away. Doing so twice is harmless."""
        self._hooks.pop(self._key, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.remove()


def _check_no_graph_lost(frame):
    """Raise where NumPy asks for a number to go on with, and says no word to the Tensor: for ``array[i] = tensor``.

    The caller's current instruction tells that from ``float(tensor)``; so does the caller, if that is NumPy itself, or
    an operation that takes a number where it was given a Tensor.
    """
    code = frame.f_code
    if code.co_filename == __file__:
        frame = frame.f_back
        code = frame.f_code
    if code.co_code[frame.f_lasti] == _store() or code.co_filename.startswith(_INSIDE):
        from ._backend import backend

        if backend.is_grad_enabled():
            raise _errors.out_loses_graph()


_taken = count()
_times_taken = 0


def _note_taken(tensor):
    if hasattr(type(tensor), "_lifts") or tensor.requires_grad:
        note_number_taken()


def note_number_taken():
    """A number is taken out of what has a graph or a tangent."""
    global _times_taken
    _times_taken = next(_taken) + 1


def numbers_taken():
    """How often a number was taken out of what has a graph or a tangent, so that a caller can tell whether one was."""
    return _times_taken


@cache
def _store():
    from opcode import opmap

    return opmap["STORE_SUBSCR"]


_HOME = __file__.removesuffix("_methods.py")
_INSIDE = (np.__file__.removesuffix("__init__.py"), f"{_HOME}ops", f"{_HOME}nn")


class TensorMethods:
    """Methods and NumPy's protocols, for either backend's Tensor."""

    __slots__ = ()
    __array_priority__ = 1000.0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        from ._ufuncs import on_ufunc

        return on_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func, types, args, kwargs):
        from ._dispatch import on_function

        return on_function(func, args, kwargs)

    def __array_namespace__(self, *, api_version=None):
        """The array API namespace: the fastgrad module."""
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ValueError(f"array API version {api_version!r} is not supported")
        import fastgrad

        return fastgrad

    # ---------------------------------------------------------------- conversions

    def _ndarray(self):
        return self.detach().numpy()

    def __array__(self, dtype=None, copy=None):
        try:
            values = self.numpy()
        except RuntimeError as error:
            if str(error) == str(_errors.numpy_requires_grad()):
                raise _errors.array_requires_grad() from None
            raise
        return np.array(values, dtype=dtype, copy=copy)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        if self.requires_grad:
            raise BufferError(str(_errors.numpy_requires_grad()))
        options = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        options = {key: value for key, value in options.items() if value is not None}  # NumPy 2.0 knows none of them
        return self.numpy().__dlpack__(stream=stream, **options)

    def __dlpack_device__(self):
        return self._ndarray().__dlpack_device__()

    def __reduce__(self):
        from ._creation import _rebuild

        return _rebuild, (self._ndarray(), self.requires_grad)

    def __copy__(self):
        return self.detach().requires_grad_(self.requires_grad)

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise _errors.deepcopy_non_leaf()
        if id(self) not in memo:
            from copy import deepcopy

            result = memo[id(self)] = self.detach().clone().requires_grad_(self.requires_grad)
            if self.grad is not None:
                result.grad = deepcopy(self.grad.detach(), memo)  # which keeps it alive, and its id its own
        return memo[id(self)]

    def __repr__(self):
        try:
            grad_fn = self.grad_fn
        except RuntimeError:  # a view whose base was written, and which may not follow it
            grad_fn = INVALID
        return show(self._ndarray(), self.requires_grad, grad_fn)

    def __format__(self, spec):
        if spec and self.ndim:
            raise TypeError(f"unsupported format string passed to a Tensor of shape {self.shape}: {spec!r}")
        return format(self.item(), spec) if self.ndim == 0 else str(self)

    def item(self, *index):
        """One element as a Python scalar: the only one, or the one at `index`."""
        _note_taken(self)
        return self._ndarray().item(*index)

    def tolist(self):
        """The elements as nested lists of Python scalars."""
        _note_taken(self)
        return self._ndarray().tolist()

    def tobytes(self, order="C"):
        """The elements' bytes."""
        return self._ndarray().tobytes(order)

    def _only(self, kind):
        if self.size != 1:
            raise _errors.not_one_element(kind.__name__, self.shape)
        if self.requires_grad or hasattr(type(self), "_lifts"):
            _check_no_graph_lost(sys._getframe(1))
        return kind(self.item())

    def __bool__(self):
        return bool(self._ndarray())

    def __int__(self):
        return self._only(int)

    def __float__(self):
        return self._only(float)

    def __complex__(self):
        return self._only(complex)

    def __index__(self):
        return self._ndarray().__index__()

    def __len__(self):
        return len(self._ndarray())

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d Tensor")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value):
        return bool((self == value).any())

    # ---------------------------------------------------------------- parts

    @property
    def device(self):
        """Where the memory is: always "cpu"."""
        return "cpu"

    @property
    def flags(self):
        """How the elements lie in memory, as `numpy.ndarray.flags`."""
        return self._ndarray().flags

    def to_device(self, device, /, *, stream=None):
        """The Tensor itself: there is no device but "cpu"."""
        if device != "cpu" or stream is not None:
            raise ValueError(f"to_device: there is no device but 'cpu', without streams; got {device!r}, {stream!r}")
        return self

    @property
    def T(self):
        """The axes in reverse order."""
        return TABLE["transpose"](self)

    @property
    def mT(self):
        """The last two axes swapped."""
        if self.ndim < 2:
            raise ValueError(f"mT: expected at least two axes, got shape {self.shape}")
        return TABLE["swapaxes"](self, -1, -2)

    @property
    def real(self):
        """The real part."""
        return TABLE["real"](self)

    @property
    def imag(self):
        """The imaginary part."""
        return TABLE["imag"](self)

    def clone(self):
        """A copy that gradients pass through."""
        return TABLE["clone"](self)

    def requires_grad_(self, requires_grad=True):
        """Set `requires_grad`, and return the Tensor."""
        self.requires_grad = requires_grad
        return self

    # ---------------------------------------------------------------- operators that are more than one row

    def __round__(self, ndigits=None):
        return TABLE["rint"](self) if ndigits is None else TABLE["round"](self, ndigits)

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    # ---------------------------------------------------------------- shapes, with NumPy's loose spellings

    def reshape(self, *shape, **options):
        """The same elements in another shape, a view where NumPy gives one: ``t.reshape(2, 3)`` or ``((2, 3))``."""
        if "shape" not in options and not (len(shape) == 1 and not _is_index(shape[0])):
            shape = (shape,)
        if options.get("order", "C") != "C":
            return np.reshape(self, *shape, **options)
        return TABLE["reshape"](self, *shape, **options)

    def ravel(self, order="C"):
        """The elements in one dimension, in one of NumPy's orders; a view where possible."""
        return TABLE["ravel"](self) if order == "C" else np.ravel(self, order)

    def transpose(self, *axes):
        """The axes in another order, reversed if none is given: ``t.transpose(1, 0)`` or ``((1, 0))``."""
        return TABLE["transpose"](self, _one_or_many(axes) if axes else None)

    def permute(self, *axes):
        """The axes in another order: ``t.permute(2, 0, 1)`` or ``((2, 0, 1))``."""
        return TABLE["transpose"](self, _one_or_many(axes))

    def flatten(self, order="C"):
        """A copy in one dimension, in one of NumPy's orders."""
        return self.ravel(order).clone()

    # ---------------------------------------------------------------- writing in place

    def copy_(self, source):
        """Overwrite every element with `source`, broadcast and cast to this dtype."""
        return self._inplace_op(TABLE["setitem"], self, (source,), {"index": ...})

    def fill_(self, value):
        """Overwrite every element with one value."""
        if np.ndim(value) != 0:
            raise ValueError(f"fill_: expected one value, got shape {np.shape(value)}")
        return self.copy_(value)

    def fill(self, value):
        """Overwrite every element with one value, and return nothing, as ndarray's."""
        self.fill_(value)

    def zero_(self):
        """Overwrite every element with zero."""
        return self.copy_(0)

    def add_(self, other, *, alpha=1):
        """``self += alpha * other``."""
        return self._inplace_op(TABLE["add"], self, (_scaled(other, alpha),), {})

    def sub_(self, other, *, alpha=1):
        """``self -= alpha * other``."""
        return self._inplace_op(TABLE["subtract"], self, (_scaled(other, alpha),), {})

    def pow_(self, exponent):
        """``self **= exponent``."""
        if _foreign(exponent):
            return NotImplemented
        op, others, options = pow_call(self.dtype, exponent)
        return self._inplace_op(op, self, others, options)

    def clamp_(self, min=None, max=None):
        """Write in place what `clip` gives."""
        (_, *others), options = TABLE["clip"].bind(self, min, max)
        return self._inplace_op(TABLE["clip"], self, tuple(others), options)


def _is_index(value):
    return not is_tensor(value) and hasattr(type(value), "__index__")


def _one_or_many(axes):
    return axes[0] if len(axes) == 1 and not _is_index(axes[0]) else axes


def _scaled(other, alpha):
    return other if type(alpha) is int and alpha == 1 else other * alpha


def _method(op, name):
    def method(self, *args, **kwargs):
        return op(self, *args, **kwargs)

    return _named(method, name, f"See `{op.module}.{op.name}`.")


def _later(name, first=0):
    """A method of a function that `import fastgrad` leaves for later; the Tensor is its operand number `first`."""

    def method(self, *args, **kwargs):
        return getattr(import_module("fastgrad"), name)(*args[:first], self, *args[first:], **kwargs)

    return _named(method, name, f"See `fastgrad.{name}`.")


def _later_in_place(name):
    def method(self, *others):
        load("fastgrad")
        return _in_place(lookup(name), f"{name}_")(self, *others)

    return _named(method, f"{name}_", f"Write in place what `fastgrad.{name}` gives.")


def _in_place(op, name):
    def method(self, *others):
        if 1 + len(others) != len(op.operands):
            raise TypeError(f"{name} takes {len(op.operands) - 1} arguments, got {len(others)}")
        return self._inplace_op(op, self, others, {})

    return _named(method, name, f"Write in place what `{op.module}.{op.name}` gives.")


def _named(method, name, doc):
    method.__name__, method.__qualname__, method.__doc__ = name, f"Tensor.{name}", doc
    return method


def _add_methods():
    names = [
        "sum", "mean", "prod", "std", "var", "min", "max", "argmin", "argmax", "cumsum", "cumprod", "ravel",
        "swapaxes", "squeeze", "copy", "repeat", "take", "sort", "argsort", "clip", "clamp", "round", "dot", "trace",
        "diagonal", "nonzero", "conj", "conjugate", "astype", "all", "any",
    ]  # fmt: skip
    in_place = {"mul_": "multiply", "div_": "divide", "floor_divide_": "floor_divide", "remainder_": "remainder"}
    for name, op in TABLE.items():
        if len(op.operands) == 1 and not op.options and not op.variadic and (op.elementwise or op.derived):
            names.append(name)
            if op.differentiable:
                in_place[f"{name}_"] = name
    in_place["neg_"] = "negative"
    for name in names:
        op = lookup(name)
        if op is not None and name not in TensorMethods.__dict__:
            ROW_METHODS[name] = op
            setattr(TensorMethods, name, _method(op, name))
    for name, row in in_place.items():
        if row in TABLE and name not in TensorMethods.__dict__:
            setattr(TensorMethods, name, _in_place(TABLE[row], name))


#: Methods that are rows of later families: ndarray's, and functions of one operand.
_LATER = [
    "argpartition", "argsort", "nonzero", "partition", "searchsorted", "sort", "take", "choose", "put",
]  # fmt: skip
_LATER_UNARY = [
    "deg2rad", "degrees", "fabs", "nan_to_num", "rad2deg", "radians", "sinc",
]  # fmt: skip


def _add_later_methods():
    for name in (*_LATER, *_LATER_UNARY):
        if name not in TensorMethods.__dict__:
            setattr(TensorMethods, name, _later(name))
    TensorMethods.compress = _later("compress", first=1)
    for name in _LATER_UNARY:
        setattr(TensorMethods, f"{name}_", _later_in_place(name))


#: Methods that are the public function of a row; a backend may bind them in its own way.
ROW_METHODS = {}

_add_methods()
_add_later_methods()
