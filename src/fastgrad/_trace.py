"""Sym: a formula in, a straight-line program out.

A row's formula is run once on `Sym` values. Each operation it applies becomes a step; equal steps become
one (hash-consing), so common subexpressions are shared and what a formula reads is known exactly.
"""

from __future__ import annotations

from typing import NamedTuple

from .ops._row import TABLE


class NotElementwise(TypeError):
    """The formula is not made of elementwise rows alone, so it has no program."""


class Program(NamedTuple):
    """Steps over numbered registers: inputs first, then constants, then one for each value computed.

    `inputs` names the values the program reads (``"g"``, ``"out"`` or an operand); `consts` are weak Python
    scalars; a step is ``(op, input registers, output register)``; `outputs` names the register of each
    result, which may be an input or a constant; `kinds` has ``T`` or ``?`` (bool) for each register.
    Temporaries that are no longer needed share a register.

    The program of a rowwise row runs along an axis: a register of kind ``R`` (``r``: bool) has one value for each row,
    the input ``count`` is the length of a row, and the steps ``sum``, ``prod``, ``max`` and ``min`` reduce one.
    """

    inputs: tuple
    consts: tuple
    steps: tuple
    outputs: tuple
    kinds: str
    normal: bool = False

    @property
    def result_kind(self):
        """The kind of the first result's register."""
        return self.kinds[self.outputs[0]]


class Sym:
    """A value of a formula under trace: a number into its trace's list of nodes."""

    __slots__ = ("index", "trace")
    __hash__ = None

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        for op in TABLE.values():
            if op.is_ufunc(ufunc) and method == "__call__" and not options:
                return self._apply_op(op, operands, {})
        raise NotElementwise(f"np.{ufunc.__name__} has no row")

    def __init__(self, trace, index):
        self.trace, self.index = trace, index

    @staticmethod
    def _apply_op(op, operands, options):
        trace = next(value.trace for value in operands if type(value) is Sym)
        return trace.apply(op, operands, options)

    @property
    def row_length(self):
        """How many elements a row has, in a program along rows."""
        if not self.trace.rows:
            raise NotElementwise("a formula that counts elements has no program")
        return self.trace.input("count")

    def assume_normal(self):
        """The program will only be run where this, which is `out`, is neither zero, subnormal, infinite nor nan."""
        self.trace.normal = True

    def __bool__(self):
        raise NotElementwise("a formula that branches on a value has no program")

    @property
    def shape(self):
        raise NotElementwise("a formula that looks at shapes or dtypes has no program")

    ndim = size = dtype = shape


def _operator(name, reflected=False):
    def method(self, *others):
        op = TABLE[name]
        return self._apply_op(op, (*others, self) if reflected else (self, *others), {})

    return method


for _dunder, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "and": "logical_and", "or": "logical_or",
}.items():  # fmt: skip
    setattr(Sym, f"__{_dunder}__", _operator(_name))
    setattr(Sym, f"__r{_dunder}__", _operator(_name, reflected=True))
for _dunder, _name in {
    "neg": "negative", "pos": "positive", "abs": "abs", "invert": "logical_not",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}.items():  # fmt: skip
    setattr(Sym, f"__{_dunder}__", _operator(_name))


_OF_ELEMENTS = {"T": "T", "R": "T", "?": "?", "r": "?"}  # kinds of registers: of what dtype the elements are
_REDUCE = ("sum", "prod", "max", "min", "dot")
_ALONG_ROWS = (*_REDUCE, "mean", "peak", "expand_dims")


class Trace:
    """The nodes of one formula: ``("input", name)``, ``("const", value)`` or ``(op, *indices)``."""

    def __init__(self, rows=False, axis=-1):
        self.nodes = []
        self.kinds = []
        self.rows, self.axis = rows, axis
        self.normal = False
        self._known = {}

    def _node(self, key, kind):
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = len(self.nodes)
            self.nodes.append(key)
            self.kinds.append(kind)
        return index

    def input(self, name, kind="T"):
        return Sym(self, self._node(("input", name), kind))

    def lift(self, value):
        if type(value) is Sym:
            return value
        if type(value) in (bool, int, float):
            # repr keeps -0.0 and 0.0 apart, and 1 and 1.0 one constant
            return Sym(self, self._node(("const", repr(float(value))), "T"))
        raise NotElementwise(f"a {type(value).__name__} cannot be part of a program")

    def apply(self, op, operands, options):
        if not op.elementwise:
            if self.rows and op.name in _ALONG_ROWS:
                return self._along_rows(op.name, *operands, **options)
            if op.derived or (self.rows and op.rowwise):
                return (op.rowwise or op.fn)(*operands, **options)
            raise NotElementwise(f"{op.name} is not elementwise")
        if options:
            raise NotElementwise(f"{op.name} has options")
        if op.name == "power":
            special = self._small_power(*operands)
            if special is not None:
                return special
        if op.name == "positive":
            return operands[0]
        syms = [self.lift(value) for value in operands]
        takes, _, gives = op.types.partition(">")
        kinds = [self.kinds[sym.index] for sym in syms]
        if len(syms) != len(takes) or any(_OF_ELEMENTS[kind] != taken for kind, taken in zip(kinds, takes)):
            raise NotElementwise(f"{op.name} of {''.join(kinds)} has no program")
        if self.rows and not any(kind in "T?" and not self._single(sym) for kind, sym in zip(kinds, syms)):
            gives = "R" if gives == "T" else "r"
        return Sym(self, self._node((op, *(sym.index for sym in syms)), gives))

    def _single(self, sym):
        """Whether there is one value for all rows."""
        node = self.nodes[sym.index]
        return node[0] == "const" or node == ("input", "count")

    def _along_rows(self, name, x, axis, keepdims=None, **options):
        """A reduction of rows, or a change of shape that rows do not see."""
        if name == "dot" and self.axis is None and type(x) is type(axis) is Sym:
            return Sym(self, self._node((TABLE[name], x.index, axis.index), "R"))
        if axis != self.axis or any(value is not None for value in options.values()):
            raise NotElementwise(f"{name} has options, or does not run along the axis of rows")
        if name == "expand_dims":
            return x
        if type(x) is not Sym or self.kinds[x.index] != "T" or self._single(x):
            raise NotElementwise(f"{name} of one value for each row")
        if name == "mean":
            return self._along_rows("sum", x, axis) / self.input("count")
        reduced = Sym(self, self._node((TABLE["max" if name == "peak" else name], x.index), "R"))
        return TABLE["where"](TABLE["isfinite"](reduced), reduced, 0) if name == "peak" else reduced

    def sum_of_row(self, x):
        if self.kinds[x.index] != "T" or self._single(x):
            raise NotElementwise("the sum of one value for each row")
        return Sym(self, self._node((TABLE["sum"], x.index), "R"))

    @staticmethod
    def _small_power(base, exponent):
        """What `ndarray.__pow__` makes of the commonest exponents."""
        if type(exponent) in (int, float) and type(base) is Sym:
            if exponent == 2:
                return TABLE["square"](base)
            if exponent == 1:
                return base
        return None


def _operand_syms(trace, op, spread=()):
    kinds = op.types.partition(">")[0] if op.elementwise else "T" * len(op.operands)
    of_rows = {"T": "R", "?": "r"}
    return [
        trace.input(name, of_rows[kind] if i in spread else kind)
        for i, (name, kind) in enumerate(zip(op.operands, kinds))
    ]


def _reverse(trace, g, out, operands, wanted):
    """Cotangents of `operands` by reverse mode over the steps of `trace` that lead to `out`."""
    targets = {sym.index for sym, want in zip(operands, wanted) if want}
    count = len(trace.nodes)
    leads = [False] * count  # does node i depend on a target?
    for i, node in enumerate(trace.nodes[:count]):
        leads[i] = i in targets or (node[0] not in ("input", "const") and any(leads[j] for j in node[1:]))
    cotangents = {out.index: g}
    for i in range(out.index, -1, -1):
        node = trace.nodes[i]
        if i not in cotangents or not leads[i] or node[0] in ("input", "const"):
            continue
        op, indices = node[0], node[1:]
        if op.vjp is None:
            continue
        # a constant is given as a number: some formulas are simpler for one
        syms = [float(trace.nodes[j][1]) if trace.nodes[j][0] == "const" else Sym(trace, j) for j in indices]
        for j, grad in zip(indices, op.vjps(cotangents[i], Sym(trace, i), syms, {}, [leads[j] for j in indices])):
            if grad is not None and not (type(grad) is float and grad == 0):
                cotangents[j] = cotangents[j] + grad if j in cotangents else trace.lift(grad)
    return [cotangents.get(sym.index, 0.0) if want else None for sym, want in zip(operands, wanted)]


def _traced(expression, operands, options):
    """The expression on Syms. One that fails there may be right on Tensors, where it then fails or not."""
    try:
        return expression(*operands, **(options or {}))
    except NotElementwise:
        raise
    except Exception as error:
        raise NotElementwise(f"the expression cannot be traced: {error}") from error


def _trace_of(op, options):
    return Trace(op.rowwise is not None, (options or {}).get("axis", -1))


def forward_program(op, options=None):
    """The program of a composite row's expression, of its operands in order."""
    trace = _trace_of(op, options)
    operands = _operand_syms(trace, op)
    out = _traced(op.rowwise or op.fn, operands, options)
    return _emit(trace, [trace.lift(out)], (*op.operands, "count"))


def several_program(function, count, rows=False):
    """The program of an expression of `count` values that gives a tuple, and which of the values it reads."""
    trace = Trace(rows)
    names = [f"x{i}" for i in range(count)]
    results = _traced(function, [trace.input(name) for name in names], None)
    program = _emit(trace, [trace.lift(result) for result in results], names)
    return program, [names.index(name) for name in program.inputs]


def vjp_program(op, wanted, options=None, spread=()):
    """The program that gives the cotangents of the wanted operands (a tuple of bool, one for each operand).

    `spread` are numbers of operands of an elementwise operation that have one value for each row: the program runs
    along rows then, and sums their cotangents.
    """
    trace = Trace(rows=True) if spread else _trace_of(op, options)
    kind = forward_program(op, options).result_kind if op.rowwise else "T"
    g = trace.input("g", kind)
    operands = _operand_syms(trace, op, spread)
    if op.derived:
        out = trace.lift(_traced(op.fn, operands, options))
        grads = _reverse(trace, g, out, operands, wanted)
        aliases = {out.index: trace.input("out").index}
    elif op.elementwise or op.rowwise:
        grads = _traced(op.vjps, (g, trace.input("out", kind), operands, options or {}, wanted), None)
        aliases = {}
    else:
        raise NotElementwise(f"{op.name} is not elementwise")
    results = [trace.lift(0.0 if grad is None else grad) for grad, want in zip(grads, wanted) if want]
    if spread:
        numbers = [i for i, want in enumerate(wanted) if want]
        results = [trace.sum_of_row(result) if i in spread else result for i, result in zip(numbers, results)]
    program = _emit(trace, results, ("g", "out", *op.operands, "count"), aliases)
    if op.rowwise and program.result_kind != "T":
        raise NotElementwise("a cotangent with one value for each row")
    return program


def _in_phases(trace, computed, read):
    """The steps of a program along rows: first what needs fewer reductions one after the other, and of that the values
    of rows. The rest as late as can be: what is computed where it is read need not be kept from one pass to the next.
    """
    nodes, reductions = trace.nodes, {TABLE[name] for name in _REDUCE}
    ready, passes = {}, {}  # how many passes must be over before a node can be read, and before it is computed
    for i in computed:
        passes[i] = max(ready.get(j, 0) for j in read(i))
        ready[i] = passes[i] + (nodes[i][0] in reductions)
    latest = dict.fromkeys(computed, max(passes.values(), default=0))
    for i in reversed(computed):
        if nodes[i][0] not in reductions:
            passes[i] = latest[i]
        for j in read(i):
            latest[j] = min(latest.get(j, passes[i]), passes[i])
    return sorted(computed, key=lambda i: (passes[i], trace.kinds[i] not in "Rr" or nodes[i][0] in reductions, i))


def _emit(trace, results, names, aliases=None):
    """Order the nodes that `results` need, drop the rest, and give them registers."""
    nodes = trace.nodes
    same = aliases or {}  # node -> the input that already holds its value
    needed, stack = set(), [same.get(sym.index, sym.index) for sym in results]
    while stack:
        i = stack.pop()
        if i not in needed:
            needed.add(i)
            if nodes[i][0] not in ("input", "const"):
                stack.extend(same.get(j, j) for j in nodes[i][1:])
    order = sorted(needed)  # a node's operands are always older than the node
    inputs = sorted((i for i in order if nodes[i][0] == "input"), key=lambda i: names.index(nodes[i][1]))
    consts = [i for i in order if nodes[i][0] == "const"]
    computed = [i for i in order if nodes[i][0] not in ("input", "const")]
    if trace.rows:
        computed = _in_phases(trace, computed, lambda i: [same.get(j, j) for j in nodes[i][1:]])
    outputs = [same.get(sym.index, sym.index) for sym in results]
    if any(trace.kinds[i] in "?r" for i in outputs):
        raise NotElementwise("a result is a truth value, which has another dtype")
    last = {}  # node -> the last step that reads it
    for i in computed:
        for j in nodes[i][1:]:
            last[same.get(j, j)] = i  # a value of rows keeps its register: its step may run before others of the pass
    register, kinds = {}, []

    def new_register(i):
        register[i] = len(kinds)
        kinds.append(trace.kinds[i])

    for i in (*inputs, *consts):
        new_register(i)
    free, steps = {kind: [] for kind in _OF_ELEMENTS}, []
    for i in computed:
        sources = [same.get(j, j) for j in nodes[i][1:]]
        if i in outputs or not free[trace.kinds[i]]:
            new_register(i)
        else:
            register[i] = free[trace.kinds[i]].pop()
        steps.append((nodes[i][0], tuple(register[j] for j in sources), register[i]))
        for j in set(sources):
            if last[j] == i and j not in outputs and nodes[j][0] not in ("input", "const") and trace.kinds[j] in "T?":
                free[trace.kinds[j]].append(register[j])
    return Program(
        inputs=tuple(nodes[i][1] for i in inputs),
        consts=tuple(float(nodes[i][1]) for i in consts),
        steps=tuple(steps),
        outputs=tuple(register[i] for i in outputs),
        kinds="".join(kinds),
        normal=trace.normal,
    )


__all__ = ["NotElementwise", "Program", "Sym", "forward_program", "several_program", "vjp_program"]
