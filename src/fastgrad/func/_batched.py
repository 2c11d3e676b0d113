"""Batched: many examples that go through a function at once."""

from __future__ import annotations

import operator
import warnings

import numpy as np

from .._backend import backend
from .._methods import add_operators
from .._reads import fused
from ..ops import TABLE
from ..ops._batch import own_index, ranked, to_write
from . import _errors
from ._lift import PLAIN_PARTS, SCALARS, Lifted, apply, as_tensor, run, uniform

_getitem, _reshape, _stack = (TABLE[name] for name in ("getitem", "reshape", "stack"))


class Batched(Lifted):
    """`payload` holds the examples along axis 0; shape, dtype and operations are those of one example."""

    __slots__ = ("payload",)

    def __init__(self, payload, level):
        self.payload, self.level = payload, level

    shape = property(lambda self: self.payload.shape[1:], doc="The length of each axis of one example.")
    ndim = property(lambda self: self.payload.ndim - 1, doc="The number of axes of one example.")
    dtype = property(lambda self: self.payload.dtype, doc="The NumPy dtype.")
    strides = property(lambda self: self.payload.strides[1:], doc="The bytes to the next element along each axis.")
    requires_grad = property(lambda self: self.payload.requires_grad, doc="Whether gradients flow to it.")

    def detach(self):
        """The same examples without a graph."""
        return Batched(self.payload.detach(), self.level)

    def __repr__(self):
        return f"batched({self.payload!r}, level={self.level})"

    # ---------------------------------------------------------------- there is no one value, but where all are alike

    def _one(self, error):
        if self.level not in uniform:
            raise error
        return self.payload[0]

    def __bool__(self):
        return bool(self._one(_errors.batched_control_flow()))

    def __contains__(self, value):
        return value in self._one(_errors.batched_control_flow())

    def _ndarray(self):
        return self._one(_errors.batched_item())._ndarray()

    def __index__(self):
        return self._ndarray().__index__()

    # ---------------------------------------------------------------- operations

    def _rule(self, op, operands, options):
        rule = _rules.get(op)
        if rule is None:
            rule = _rules[op] = _rule_of(op)
        return rule(op, self.level, operands, options)

    def _write(self, op, target, others, options):
        level = self.level
        if not (type(target) is Batched and target.level == level):
            raise _errors.batched_in_place(op.name)
        payload = target.payload
        if op.name == "setitem" and _is_basic(options["index"]):
            (v,), index = others, options["index"]
            mine = type(v) is Batched and v.level == level
            v = to_write(mine, v.payload if mine else v, payload, index)
            type(payload)._inplace_op(op, payload, (v,), {"index": (slice(None), *index)})
            return target
        if op.elementwise or (op.derived and fused(op, options)):
            shape = np.broadcast_shapes(*[tuple(np.shape(value)) for value in (target, *others)])
            if shape != tuple(target.shape):
                raise _errors.in_place_shape(op.name, target.shape, shape)
            payloads = _aligned(level, (target, *others))[1:]
            type(payload)._inplace_op(op, payload, tuple(payloads), options)
            return target
        result = apply(op, (target.clone(), *others), options)  # a clone, so that nothing saved is overwritten
        if isinstance(result, tuple):
            raise _errors.not_in_place(op.name)
        if tuple(result.shape) != tuple(target.shape):
            raise _errors.in_place_shape(op.name, target.shape, result.shape)
        if not np.can_cast(result.dtype, target.dtype, "same_kind"):
            raise _errors.in_place_dtype(op.name, target.dtype, result.dtype)
        payload.copy_(result.payload if type(result) is Batched and result.level == level else result)
        return target


# ---------------------------------------------------------------- operators
# Python's way straight to the operators of the payload, for what is commonest: another batch of this level with as
# many axes, a real number, an index without arrays. There are many such steps in a Hessian.


def _direct(name, reflected):
    general = getattr(Batched, f"__{'r' * reflected}{name}__")
    function = getattr(operator, name)

    def method(self, other):
        kind, payload = type(other), self.payload
        if kind is Batched:
            if other.level == self.level and other.payload.ndim == payload.ndim and not reflected:
                return Batched(function(payload, other.payload), self.level)
        elif kind is float or kind is int:
            return Batched(function(other, payload) if reflected else function(payload, other), self.level)
        return general(self, other)

    return method


def _getitem_direct(self, index):
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if type(part) not in PLAIN_PARTS:
            operands, options = _getitem.bind(self, index)
            return apply(_getitem, operands, options)
    return Batched(self.payload[(slice(None), *parts)], self.level)


add_operators(Batched)
for _name in ("add", "sub", "mul", "truediv"):
    setattr(Batched, f"__{_name}__", _direct(_name, False))
    setattr(Batched, f"__r{_name}__", _direct(_name, True))
Batched.__pow__ = _direct("pow", False)
Batched.__getitem__ = _getitem_direct


# ---------------------------------------------------------------- rules: rule(op, level, operands, options)

_rules = {}
_warned = set()  # rows that run in a loop


def _rule_of(op):
    if op.elementwise or (op.batch == "same" and not op.multi):
        return _elementwise
    if op.batch == "same":
        return lambda op, level, operands, options: _wrapped(_elementwise(op, level, operands, options).payload, level)
    if op.batch is not None:
        alone = len(op.operands) == 1 and not op.variadic
        return _indexed if op.indexed else _alone if alone else _by_batch
    return _derived if op.derived else _loop


def _elementwise(op, level, operands, options):
    return Batched(run(op, _aligned(level, operands), options), level)


def _aligned(level, operands):
    """The payloads of operands, with axes of size 1 where examples have fewer axes than others."""
    payloads, most, least = [], 0, 64  # axes of one example
    for value in operands:
        if type(value) is Batched and value.level == level:
            value = value.payload
            n = value.ndim - 1
            least = n if n < least else least
        elif type(value) in SCALARS:
            n = 0
        else:
            value = value if hasattr(value, "ndim") else np.asarray(value)
            n = value.ndim
        most = n if n > most else most
        payloads.append(value)
    if least < most:
        many = [type(value) is Batched and value.level == level for value in operands]
        payloads = [ranked(value, most) if is_many else value for value, is_many in zip(payloads, many)]
    return payloads


def _split_payloads(level, operands):
    """Which operands are batches, and all of them as the rules of rows take them."""
    many = tuple([type(value) is Batched and value.level == level for value in operands])
    values = [value.payload if is_many else as_tensor(value) for value, is_many in zip(operands, many)]
    return many, values


def _wrapped(out, level):
    if type(out) in (tuple, list):
        return tuple([Batched(part, level) for part in out])
    return Batched(out, level)


def _alone(op, level, operands, options):
    return _wrapped(op.batch((True,), operands[0].payload, **options), level)


def _by_batch(op, level, operands, options):
    many, values = _split_payloads(level, operands)
    return _wrapped(op.batch(many, *values, **options), level)


def _derived(op, level, operands, options):
    """An expression in other rows: one fused operation, or the rules of its parts."""
    if fused(op, options):
        return _elementwise(op, level, operands, options)
    return op.fn(*map(as_tensor, operands), **options)


def _loop(op, level, operands, options):
    """One example after the other: for rows of which nothing is known."""
    if op not in _warned:
        _warned.add(op)
        warnings.warn(_errors.batch_loop(op.name), UserWarning, stacklevel=2)
    many, values = _split_payloads(level, operands)
    return in_loop(lambda *examples: run(op, examples, options), many, values, level)


def in_loop(function, many, values, level):
    """``function(*examples)`` for each example, and the results stacked."""
    size = next(value.shape[0] for value, is_many in zip(values, many) if is_many)
    if size == 0:
        raise _errors.batch_loop_empty()
    results = [
        function(*[_getitem(value, i) if is_many else value for value, is_many in zip(values, many)])
        for i in range(size)
    ]
    if type(results[0]) in (tuple, list):
        return tuple([None if column[0] is None else Batched(_stack(column), level) for column in zip(*results)])
    return Batched(_stack(results), level)


# ---------------------------------------------------------------- indexing


def _is_basic(index):
    return not any(isinstance(part, (np.ndarray, Lifted)) for part in index)


def _indexed(op, level, operands, options):
    index = options["index"]
    many, values = _split_payloads(level, operands)
    own = [part for part in index if type(part) is Batched and part.level == level]
    if not own:
        if any(isinstance(part, Lifted) for part in index):  # of a lower level: the batch is beside it
            return _with_lower_index(op, level, many, values, options)
        return Batched(op.batch(many, *values, **options), level)
    if any(part.dtype.kind == "b" for part in own):
        return _masked(op, level, operands, index)
    shape = options.get("shape")
    if shape is None:
        shape = tuple(values[0].shape[1:]) if many[0] else tuple(values[0].shape)
    size = own[0].payload.shape[0]
    return Batched(own_index(op.name, many, values, shape, size, lambda a: _pick(a, index, level)), level)


def _pick(array, index, level):
    """The batch of what each example's index picks from an array that all share."""
    ndim = array.ndim
    parts = []
    for part in index:  # masks as the integers they stand for
        if isinstance(part, np.ndarray) and part.dtype.kind == "b":
            parts += np.nonzero(part)
        else:
            parts.append(part)
    arrays = [i for i, part in enumerate(parts) if isinstance(part, (np.ndarray, Lifted, int))]
    rank = max(parts[i].ndim for i in arrays if type(parts[i]) is not int)
    apart = arrays != list(range(arrays[0], arrays[-1] + 1))
    before = 0  # axes of the result that come before those of the index arrays
    if not apart:
        for part in parts[: arrays[0]]:
            used = len(arrays) + sum(type(other) is slice for other in parts)
            before += ndim - used if part is Ellipsis else 1
    parts = [ranked(part.payload, rank) if type(part) is Batched and part.level == level else part for part in parts]
    picked = _getitem(backend.asarray(array), tuple(parts))
    return TABLE["moveaxis"](picked, before, 0) if before else picked


def _masked(op, level, operands, index):
    """A mask for each example: what it picks has no one shape, but one number can be written."""
    mask = index[0]
    if op.name == "setitem" and type(mask) is Batched and all(part is Ellipsis for part in index[1:]):
        x, v = operands
        if np.ndim(v) == 0:
            extra = np.ndim(x) - mask.ndim
            mask = _reshape(mask, (*mask.shape, *(1,) * extra)) if extra else mask
            return TABLE["astype"](TABLE["where"](mask, v, x), x.dtype)
    raise _errors.batched_mask()


def _with_lower_index(op, level, many, values, options):
    """An index that is lifted at a lower level: the batch of this one goes last, out of its way."""
    index = (*options["index"], slice(None))
    size = next(value.shape[0] for value, is_many in zip(values, many) if is_many)
    moved = []
    for i, (value, is_many) in enumerate(zip(values, many)):
        if is_many:
            value = TABLE["moveaxis"](value, 0, -1)
        elif i == 0:
            value = TABLE["broadcast_to"](TABLE["expand_dims"](value, -1), (*value.shape, size))
        elif np.ndim(value):
            value = TABLE["expand_dims"](value, -1)
        moved.append(value)
    more = {"shape": (*options["shape"], size)} if "shape" in options else {}
    return Batched(TABLE["moveaxis"](run(op, moved, {**options, **more, "index": index}), -1, 0), level)
