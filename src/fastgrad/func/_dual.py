"""Dual: a value with a tangent, which goes through a function beside it (forward-mode differentiation)."""

from __future__ import annotations

import operator

import numpy as np

from .._backend import backend
from .._methods import BINARY, COMPARE, UNARY, add_operators
from .._reads import Probe, fused
from ..ops import TABLE, Op
from . import _errors
from ._lift import PLAIN_PARTS, SCALARS, Lifted, apply, as_tensor, below, run

_add, _astype, _broadcast_to, _conj, _positive, _zeros_like = (
    TABLE[name] for name in ("add", "astype", "broadcast_to", "conj", "positive", "zeros_like")
)


class Dual(Lifted):
    """`primal`, and its derivative along one direction, `tangent`, of the same shape and dtype."""

    __slots__ = ("primal", "tangent")

    def __init__(self, primal, tangent, level):
        self.primal, self.tangent, self.level = primal, tangent, level

    shape = property(lambda self: self.primal.shape, doc="The length of each axis.")
    ndim = property(lambda self: self.primal.ndim, doc="The number of axes.")
    dtype = property(lambda self: self.primal.dtype, doc="The NumPy dtype.")
    strides = property(lambda self: self.primal.strides, doc="The bytes to the next element along each axis.")

    @property
    def requires_grad(self):
        """Whether gradients flow to it."""
        return self.primal.requires_grad or self.tangent.requires_grad

    def detach(self):
        """The primal without a graph. A tangent is left behind, as in PyTorch."""
        return self.primal.detach()

    def __repr__(self):
        return f"dual({self.primal!r}, tangent={self.tangent!r}, level={self.level})"

    # ---------------------------------------------------------------- the value is the primal's

    def __bool__(self):
        return bool(self.primal)

    def __index__(self):
        return self.primal.__index__()

    def _ndarray(self):
        return self.primal._ndarray()

    # ---------------------------------------------------------------- operations

    def _rule(self, op, operands, options):
        if op.derived and not fused(op, options):
            return op.fn(*map(as_tensor, operands), **options)
        level, primals, tangents = self.level, [], []
        for value in operands:
            if type(value) is Dual and value.level == level:
                primals.append(value.primal)
                tangents.append(value.tangent)
            else:
                primals.append(as_tensor(value))
                tangents.append(None)
        out = run(op, primals, options)
        if op.vjp is None:
            return _with_zeros(out, tangents[0], level) if op.name in ("zeros_like", "ones_like") else out
        push = _pushes.get(op)
        if push is None:
            push = _pushes[op] = _push_of(op)
        t = push(op, level, tangents, out, primals, options)
        if op.multi:
            return tuple([_with_tangent(part, part_t, level) for part, part_t in zip(out, t)])
        return _with_tangent(out, t, level)

    def _write(self, op, target, others, options):
        level = self.level
        if not (type(target) is Dual and target.level == level):
            raise _errors.dual_in_place(op.name)
        before = Dual(target.primal.clone(), target.tangent.clone(), level)  # so that nothing saved is overwritten
        result = apply(op, (before, *others), options)
        if isinstance(result, tuple):
            raise _errors.not_in_place(op.name)
        if tuple(result.shape) != tuple(target.shape):
            raise _errors.in_place_shape(op.name, target.shape, result.shape)
        if not np.can_cast(result.dtype, target.dtype, "same_kind"):
            raise _errors.in_place_dtype(op.name, target.dtype, result.dtype)
        pair = (result.primal, result.tangent) if type(result) is Dual and result.level == level else (result, 0.0)
        target.primal.copy_(pair[0])
        target.tangent.copy_(pair[1])
        return target


# ---------------------------------------------------------------- operators
# Python's way straight to the operators of the parts, for what is commonest: another dual of this level and shape, a
# real number, an index without arrays.


def _direct(name, reflected, scalar, both):
    """`scalar(tangent, number)` and ``both(p, t, q, s)`` give the tangent of the result."""
    general = getattr(Dual, f"__{'r' * reflected}{name}__")
    function = getattr(operator, name)

    def method(self, other):
        kind, p = type(other), self.primal
        if kind is float or kind is int:
            out = function(other, p) if reflected else function(p, other)
            return Dual(out, scalar(self.tangent, other), self.level)
        if kind is Dual and other.level == self.level and not reflected:
            q = other.primal
            if p.shape == q.shape and p.dtype == q.dtype:
                return Dual(function(p, q), both(p, self.tangent, q, other.tangent), self.level)
        return general(self, other)

    return method


def _getitem_direct(self, index):
    for part in index if isinstance(index, tuple) else (index,):
        if type(part) not in PLAIN_PARTS:
            operands, options = TABLE["getitem"].bind(self, index)
            return apply(TABLE["getitem"], operands, options)
    return Dual(self.primal[index], self.tangent[index], self.level)


def _add_direct():
    add_operators(Dual)
    rules = {
        "add": (lambda t, n: +t, lambda t, n: +t, lambda p, t, q, s: t + s),
        "sub": (lambda t, n: +t, lambda t, n: -t, lambda p, t, q, s: t - s),
        "mul": (lambda t, n: t * n, lambda t, n: t * n, lambda p, t, q, s: t * q + p * s),
    }
    for name, (scalar, reflected, both) in rules.items():
        setattr(Dual, f"__{name}__", _direct(name, False, scalar, both))
        setattr(Dual, f"__r{name}__", _direct(name, True, reflected, both))
    Dual.__getitem__ = _getitem_direct


_add_direct()


def _with_tangent(out, t, level):
    """`out` with a tangent of its own shape and dtype; without one, if it has none."""
    if t is None or out.dtype.kind not in "fc":
        return out
    if type(t) in SCALARS:
        if t == 0:
            return out
        t = _astype(backend.asarray(t), out.dtype)
    if t.shape != out.shape:
        t = _positive(_broadcast_to(t, out.shape))  # memory of its own, to be written to
    if t.dtype != out.dtype:
        t = _astype(TABLE["real"](t) if t.dtype.kind == "c" and out.dtype.kind == "f" else t, out.dtype)
    return Dual(out, t, level)


def _with_zeros(out, t, level):
    """What may be written to later, by values that have a tangent like `t`."""
    return Dual(out, _zeros_like(t, dtype=out.dtype), level) if out.dtype.kind in "fc" else out


# ---------------------------------------------------------------- how tangents pass
# push(op, level, tangents, out, primals, options) -> tangent or None; of several results a tuple

_pushes = {}


def _push_of(op):
    if op.jvp is not None:
        return _by_jvp
    if op.linear is not None:
        return _jointly if op.linear == "jointly" else _each
    if op.elementwise or op.derived:
        return _along_slopes
    return _through_vjp


def _by_jvp(op, level, tangents, out, primals, options):
    return op.jvp(tuple(tangents), out, *primals, **options)


def _jointly(op, level, tangents, out, primals, options):
    """A linear row: the row itself, on zeros where there is no tangent."""
    if any(t is None for t in tangents):
        tangents = [_zero(p) if t is None else t for t, p in zip(tangents, primals)]
    return run(op, tangents, options)


def _zero(primal):
    return 0.0 if type(primal) in SCALARS else _zeros_like(primal)


def _each(op, level, tangents, out, primals, options):
    """A product: the row with one factor after the other replaced by its tangent."""
    total = None
    for i, t in enumerate(tangents):
        if t is not None:
            part = run(op, [*primals[:i], t, *primals[i + 1 :]], options)
            total = part if total is None else run(_add, (total, part), {})
    return total


def _through_vjp(op, level, tangents, out, primals, options):
    """Any other row: the vjp is the adjoint of J, so that the vjp's own vjp is J."""
    from ._reverse import gradients

    wanted = [t is not None for t in tangents]
    given = [t for t in tangents if t is not None]

    outs = out if op.multi else (out,)
    inexact = [part.dtype.kind in "fc" for part in outs]
    turned = op.holomorphic and any(part.dtype.kind == "c" for part in (*outs, *primals) if hasattr(part, "dtype"))

    def pulled(*us):
        """As the engine does it: conjugated before and after, real for what is real."""
        us = iter(map(_conj, us) if turned else us)
        us = tuple([next(us) if floats else _zeros_like(part) for part, floats in zip(outs, inexact)])
        found = op.vjps(us if op.multi else us[0], out, primals, options, wanted)
        found = [_conj(v) if turned and hasattr(v, "dtype") else v for v, want in zip(found, wanted) if want]
        return [(v, t) for v, t in zip(found, given) if v is not None]

    with below(level):  # nothing in this knows of the level
        found = gradients(pulled, [_zeros_like(part) for part, floats in zip(outs, inexact) if floats])
    found = iter(found)
    tangents = [next(found) if floats else None for floats in inexact]
    return tangents if op.multi else tangents[0]


# ---------------------------------------------------------------- elementwise rows: by their slopes

_slopes = {}


def _along_slopes(op, level, tangents, out, primals, options):
    """The sum of slope times tangent over the operands. Every Jacobian is diagonal, so a vjp is a jvp."""
    total = None
    for i, t in enumerate(tangents):
        if t is None:
            continue
        part = _slope(op, i)(t, out, primals, options)
        if part is not None:
            total = part if total is None else run(_add, (total, part), {})
    return total


def _slope(op, i):
    """``(t, out, primals, options) -> tangent`` for operand i."""
    slope = _slopes.get((op, i))
    if slope is None:
        slope = _slopes[op, i] = _expression_slope(op, i) if op.derived else _formula_slope(op, i)
    return slope


def _unused(name, op):
    """A name that none of the row's operands and options has."""
    return name if name not in (*op.operands, *op.options) else _unused(name + "_", op)


def _expression_slope(op, i):
    """Of a derived row: its expression run on `Jet` values, as a derived row of its own."""

    def fn(t, *operands, **options):
        jets = [Jet(value, t if n == i else None) for n, value in enumerate(operands)]
        out = op.fn(*jets, **options)
        return out.slope if type(out) is Jet and out.slope is not None else 0.0 * t

    options = op.signature[op.signature.index(";") :] if op.options else ""
    signature = ", ".join((_unused("tangent", op), *op.operands)) + options
    row = Op(f"{op.name}_tangent", fn, signature)
    return lambda t, out, primals, options: run(row, (t, *primals), options)


def _formula_slope(op, i):
    """Of a row with formulas: one operation if the formula is one, else a derived row that the formula makes."""
    formula = op.vjp[i]
    if formula is None:
        return lambda t, out, primals, options: None
    kinds = op.types.partition(">")[0]
    t, given = Probe({"g"}), [Probe({name}, kind) for name, kind in zip(op.operands, kinds)]
    try:
        made = formula(t, Probe({"out"}), *given)
    except Exception:  # it looks at dtypes, or has options
        made = None
    if made is t:
        return lambda t, out, primals, options: run(_positive, (t,), {})  # memory of its own: both may be written
    if type(made) in SCALARS and made == 0:
        return lambda t, out, primals, options: None
    single = type(made) is Probe and all(part.step is None for part in made.step[1] if type(part) is Probe)
    if type(made) is not Probe or single or op.name == "power":  # which looks for exponents that are plain numbers
        return lambda t, out, primals, options: formula(t, out, *primals, **options)
    read = [n for n, name in enumerate(op.operands) if name in made.reads]
    reads_out = "out" in made.reads

    def fn(t, *values):
        values = list(values)
        out = values.pop() if reads_out else None
        known = dict(zip(read, values))
        return formula(t, out, *map(known.get, range(len(op.operands))))

    names = [_unused("tangent", op), *(op.operands[n] for n in read), *([_unused("result", op)] * reads_out)]
    row = Op(f"{op.name}_tangent", fn, ", ".join(names))

    def slope(t, out, primals, options):
        values = [primals[n] for n in read]
        return run(row, (t, *values, out) if reads_out else (t, *values), {})

    return slope


class Jet:
    """A value of an expression with its slope (None: 0), where an expression is differentiated by running it."""

    __slots__ = ("slope", "value")
    __hash__ = None
    _lifts = True  # it goes before Tensors

    def __init__(self, value, slope):
        self.value, self.slope = value, slope

    @staticmethod
    def _apply_op(op, operands, options):
        if op.derived:
            return op.fn(*operands, **options)
        values = [part.value if type(part) is Jet else part for part in operands]
        out, total = op(*values, **options), None
        if op.jvp is not None:  # its slope is no factor, as that of `abs` of a complex number
            tangents = tuple(part.slope if type(part) is Jet else None for part in operands)
            known = any(t is not None for t in tangents)
            return Jet(out, op.jvp(tangents, out, *values, **options) if known else None)
        for i, part in enumerate(operands):
            if type(part) is Jet and part.slope is not None and op.vjp is not None and op.vjp[i] is not None:
                term = op.vjp[i](part.slope, out, *values, **options)
                if not (type(term) in SCALARS and term == 0):
                    total = term if total is None else _add(total, term)
        return Jet(out, total)


def _operator(name, reflected=False):
    def method(self, *others):
        return self._apply_op(TABLE[name], (*others, self) if reflected else (self, *others), {})

    return method


for _dunder, _name in {**BINARY, "pow": "power", "and": "logical_and", "or": "logical_or"}.items():
    setattr(Jet, f"__{_dunder}__", _operator(_name))
    setattr(Jet, f"__r{_dunder}__", _operator(_name, reflected=True))
for _dunder, _name in {**UNARY, **COMPARE, "invert": "logical_not"}.items():
    setattr(Jet, f"__{_dunder}__", _operator(_name))
