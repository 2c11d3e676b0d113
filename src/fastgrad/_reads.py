"""What a row's formulas read: which saved values a node of the reference backend checks before it runs.

A formula is run once on `Probe` values, each of which knows the names ("g", "out", the operands) that it was
computed from. What the formula gives then names all that it reads. No program comes of it, only names.
"""

from __future__ import annotations

from ._methods import BINARY, COMPARE, UNARY
from .ops import TABLE


class NotElementwise(TypeError):
    """The formula is not made of elementwise rows alone."""


class Probe:
    """A value of a formula: `reads` is what it was computed from, `kind` is ``T`` or ``?`` (bool).

    `step` is how: ``(op, operands)``, or None for what the formula was given.
    """

    __slots__ = ("kind", "reads", "step")
    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        for op in TABLE.values():
            if op.is_ufunc(ufunc) and method == "__call__" and not options:
                return self._apply_op(op, operands, {})
        raise NotElementwise(f"np.{ufunc.__name__} has no row")

    def __init__(self, reads, kind="T", step=None):
        self.reads, self.kind, self.step = frozenset(reads), kind, step

    def __bool__(self):
        raise NotElementwise("a formula that branches on a value")

    @staticmethod
    def _apply_op(op, operands, options):
        if not op.elementwise:
            if op.derived:
                return op.fn(*operands, **options)
            raise NotElementwise(op.name)
        takes, _, gives = op.types.partition(">")
        kinds = "".join(value.kind if type(value) is Probe else "T" for value in operands)
        if options or kinds != takes or any(type(v) not in (Probe, bool, int, float) for v in operands):
            raise NotElementwise(op.name)
        probes = [value for value in operands if type(value) is Probe]
        return Probe(frozenset().union(*(probe.reads for probe in probes)), gives, (op, operands))


def _operator(name, reflected=False):
    def method(self, *others):
        return self._apply_op(TABLE[name], (*others, self) if reflected else (self, *others), {})

    return method


for _dunder, _name in {**BINARY, "pow": "power", "and": "logical_and", "or": "logical_or"}.items():
    setattr(Probe, f"__{_dunder}__", _operator(_name))
    setattr(Probe, f"__r{_dunder}__", _operator(_name, reflected=True))
for _dunder, _name in {**UNARY, **COMPARE, "invert": "logical_not"}.items():
    setattr(Probe, f"__{_dunder}__", _operator(_name))


_fused = {}  # op, options -> is the expression of this derived row made of elementwise rows alone?
_reads = {}  # op, options -> what each operand's formula reads


def _remember(known, op, options, find):
    """`find(op, options)`, found once for each row and set of options."""
    try:
        key = op, tuple(sorted(options.items()))
        if key not in known:
            known[key] = find(op, options)
        return known[key]
    except TypeError:  # options that cannot be hashed or sorted
        return find(op, options)


def _given(op):
    kinds = op.types.partition(">")[0] if op.elementwise else "T" * len(op.operands)
    return [Probe({name}, kind) for name, kind in zip(op.operands, kinds)]


def fused(op, options):
    """Whether a derived row is one node (its expression is elementwise) or the nodes of its parts."""
    return _remember(_fused, op, options, _is_elementwise)


def _is_elementwise(op, options):
    try:
        out = op.fn(*_given(op), **options)
    except Exception:  # a formula may do anything with a value it does not expect
        return False
    return type(out) is Probe and out.step is not None


def reads(op, options, wanted):
    """The names ("out" and operands) whose values the formulas of the wanted operands read."""
    if not (op.elementwise or op.derived):
        return op.saves
    found = _remember(_reads, op, options, _found)
    return frozenset().union(*[names for names, want in zip(found, wanted) if want]) - {"g"}


def _found(op, options):
    try:
        return _derived_reads(op, options) if op.derived else _formula_reads(op, options)
    except Exception:  # a formula that cannot be probed may read anything
        return [frozenset(("out", *op.operands))] * len(op.operands)


def _names(value):
    return value.reads if type(value) is Probe else frozenset()


def _formula_reads(op, options):
    every = [formula is not None for formula in op.vjp] if not op.joint else [True] * len(op.operands)
    return [_names(grad) for grad in op.vjps(Probe({"g"}), Probe({"out"}), _given(op), options, every)]


def _derived_reads(op, options):
    """Reverse mode over the steps of the expression."""
    given = _given(op)
    out = op.fn(*given, **options)
    cotangents = {out: Probe({"g"})}
    for probe in _order(out):
        inner, operands = probe.step
        if inner.vjp is None or probe not in cotangents:
            continue
        wanted = [type(value) is Probe and value.kind == "T" for value in operands]
        value = Probe({"out"}) if probe is out else probe
        for source, grad in zip(operands, inner.vjps(cotangents[probe], value, operands, {}, wanted)):
            if type(grad) is Probe:
                before = cotangents.get(source)
                cotangents[source] = grad if before is None else Probe(before.reads | grad.reads)
    return [_names(cotangents.get(probe)) for probe in given]


def _order(out):
    """The steps that lead to `out`, each after every step that uses it."""
    uses, stack, seen = {}, [out], {out}
    while stack:
        probe = stack.pop()
        for source in probe.step[1]:
            if type(source) is Probe and source.step is not None:
                uses[source] = uses.get(source, 0) + 1
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
    ready = [out]
    while ready:
        probe = ready.pop()
        yield probe
        for source in probe.step[1]:
            if source in uses:
                uses[source] -= 1
                if not uses[source]:
                    ready.append(source)
