"""Programs: a formula traced and run step by step gives what the formula itself gives, with nothing done twice."""

import itertools

import numpy as np
import pytest
from samples import (
    ELEMENTWISE,
    accepts,
    arguments,
    as_arrays,
    calls,
    draw,
    interval,
    operand_kinds,
    operands_of,
    reference,
    same_bits,
    seed,
)

from fastgrad._trace import NotElementwise, Sym, Trace, forward_program, vjp_program
from fastgrad.ops import TABLE, Op

DIFFERENTIABLE = [name for name in ELEMENTWISE if TABLE[name].differentiable]


def evaluate(program, values):
    """The outputs of a program; `values` are by name."""
    registers = [values[name] for name in program.inputs] + list(program.consts)
    registers += [None] * (len(program.kinds) - len(registers))
    written = set()
    with np.errstate(all="ignore"):
        for op, sources, target in program.steps:
            assert target >= len(program.inputs) + len(program.consts), "a step overwrites an input or a constant"
            takes, _, gives = op.types.partition(">")
            assert "".join(program.kinds[r] for r in sources) == takes and program.kinds[target] == gives
            assert all(r < len(program.inputs) + len(program.consts) or r in written for r in sources), (
                "read before written"
            )
            registers[target] = op.fn(*[registers[r] for r in sources])
            written.add(target)
    return [registers[r] for r in program.outputs]


def masks(n):
    return [mask for mask in itertools.product([True, False], repeat=n) if any(mask)]


def sample(op, dtype="float64"):
    rng = seed(op.name, "trace")
    kinds = operand_kinds(op)
    operands = [draw(rng, interval(op, i), (7,), "bool" if k == "?" else dtype) for i, k in enumerate(kinds)]
    with np.errstate(all="ignore"):
        out = op.fn(*operands)
    return operands, out, draw(rng, (-1, 1), (7,), dtype)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_a_program_is_its_formula(name):
    op = TABLE[name]
    operands, out, g = sample(op)
    for wanted in masks(len(operands)):
        try:
            program = vjp_program(op, wanted)
        except NotElementwise:
            pytest.skip(f"{name} has no program: its formula needs more than elementwise rows")
        found = evaluate(program, {"g": g, "out": out, **dict(zip(op.operands, operands))})
        with np.errstate(all="ignore"):
            expected = op.vjps(g, out, operands, {}, wanted)
        expected = [0.0 if grad is None else grad for grad, want in zip(expected, wanted) if want]
        for a, b in zip(found, expected, strict=True):
            same_bits(
                np.broadcast_to(a, (7,)).astype(float), np.broadcast_to(b, (7,)).astype(float), f"{name} {wanted}"
            )


def derived():
    for name, op in TABLE.items():
        if op.derived:
            for i, call in enumerate(calls(op)):
                yield pytest.param(name, call, id=f"{name}-{i}")


@pytest.mark.parametrize(("name", "call"), list(derived()))
def test_a_derived_program_is_the_expression_and_its_derivative(name, call):
    op = TABLE[name]
    if not accepts(op, call, "float64"):
        pytest.fail(f"{name} refuses its own sample {call}")
    drawn = operands_of(op, call, "float64", seed(name, "derived"))
    args, options = arguments(op, drawn, call.options)
    operands, options = op.bind(*args, **options)
    try:
        forward = forward_program(op, options)
    except (NotElementwise, AttributeError, StopIteration):  # it asks for what a Sym has not, its shape say
        pytest.skip(f"{name} is not elementwise: the nodes of its parts are recorded")
    values = dict(zip(op.operands, operands))
    with np.errstate(all="ignore"):
        out = op.fn(*operands, **options)
    same_bits(evaluate(forward, values)[0], out, name)
    g = draw(seed(name), (-1, 1), out.shape, "float64")
    for wanted in masks(len(operands)):
        if any(want and np.asarray(a).dtype.kind not in "fc" for a, want in zip(operands, wanted)):
            continue
        found = evaluate(vjp_program(op, wanted, options), {"g": g, "out": out, **values})
        xs = [reference.tensor(a, requires_grad=want) for a, want in zip(operands, wanted)]
        parts = op.fn(*xs, **options)  # recorded part by part
        expected = reference.grad(parts, [x for x, want in zip(xs, wanted) if want], reference.tensor(g))
        for a, b in zip(found, as_arrays(tuple(expected)), strict=True):
            a = np.broadcast_to(a, out.shape)
            extra = tuple(range(a.ndim - b.ndim))
            a = a.sum(axis=extra)
            a = a.sum(axis=tuple(i for i, n in enumerate(b.shape) if n == 1 != a.shape[i]), keepdims=True)
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def row(fn, signature="x", **more):
    """A row that is not in the table."""
    return Op("sample_row", fn, signature, **more)


def named(name):
    return TABLE[name]


def test_common_subexpressions_are_computed_once():
    exp, sin = named("exp"), named("sin")
    program = forward_program(row(lambda x: exp(x) * sin(x) + exp(x) * sin(x)))
    names = [op.name for op, _, _ in program.steps]
    assert sorted(names) == ["add", "exp", "multiply", "sin"]


def test_equal_constants_are_one_and_signs_of_zero_two():
    program = forward_program(row(lambda x: (x + 1) * (x - 1.0)))
    assert program.consts == (1.0,)
    zeros = forward_program(row(lambda x: (x + 0.0) * (x + -0.0)))
    assert sorted(map(str, zeros.consts)) == ["-0.0", "0.0"]


def test_what_no_result_needs_is_not_computed():
    exp = named("exp")

    def formula(g, out, x):
        exp(x)
        return g * 2

    program = vjp_program(row(np.tanh, vjp=formula), (True,))
    assert program.inputs == ("g",) and [op.name for op, _, _ in program.steps] == ["multiply"]


def test_only_the_wanted_formulas_are_traced():
    program = vjp_program(TABLE["multiply"], (True, False))
    assert len(program.outputs) == 1 and "x" not in program.inputs


# fmt: off
READS = [
    ("tanh",     (True,),       ("g", "out")),
    ("exp",      (True,),       ("g", "out")),
    ("sqrt",     (True,),       ("g", "out")),
    ("sin",      (True,),       ("g", "x")),
    ("negative", (True,),       ("g",)),
    ("add",      (True, True),  ("g",)),
    ("subtract", (True, True),  ("g",)),
    ("multiply", (True, False), ("g", "y")),
    ("multiply", (False, True), ("g", "x")),
]
# fmt: on


@pytest.mark.parametrize(("name", "wanted", "reads"), READS)
def test_a_row_saves_no_more_than_its_formula_reads(name, wanted, reads):
    assert vjp_program(TABLE[name], wanted).inputs == reads


def test_registers_are_reused():
    def long(x):
        for _ in range(50):
            x = TABLE["tanh"](x)
        return x

    program = forward_program(row(long))
    assert len(program.steps) == 50 and len(program.kinds) <= 4
    x = np.linspace(-2, 2, 5)
    expected = x
    for _ in range(50):
        expected = np.tanh(expected)
    same_bits(evaluate(program, {"x": x})[0], expected, "fifty tangents")


def test_registers_are_not_reused_while_they_are_needed():
    def branches(x):
        values = [x]
        for i in range(12):
            values.append(TABLE["sin"](values[-1]) + values[i // 2])
        total = values[0]
        for value in values[1:]:
            total = total * value
        return total

    x = np.linspace(-1, 1, 9)
    same_bits(evaluate(forward_program(row(branches)), {"x": x})[0], branches(x), "branches")


def test_a_result_may_be_an_operand_or_a_constant():
    assert forward_program(row(lambda x: +x)).steps == ()
    program = vjp_program(row(np.floor, vjp=lambda g, out, x: 0.0), (True,))
    assert program.steps == () and evaluate(program, {}) == [0.0]


NO_PROGRAM = {
    "branch": lambda x: x if x > 0 else -x,
    "array": lambda x: x * np.ones(3),
    "string": lambda x: x + "a",
    "reduction": lambda x: TABLE["sum"](x),
    "shape": lambda x: TABLE["reshape"](x, (1,)),
    "complex": lambda x: x * (1 + 2j),
}


@pytest.mark.parametrize("what", NO_PROGRAM)
def test_what_is_not_elementwise_has_no_program(what):
    with pytest.raises(NotElementwise):
        forward_program(row(NO_PROGRAM[what]))


def test_operators_of_a_sym_are_rows():
    x = Trace().input("x")
    for made, name in (
        (x + 1, "add"), (1 - x, "subtract"), (x * x, "multiply"), (1 / x, "divide"), (x // 2, "floor_divide"),
        (x % 2, "remainder"), (x**3, "power"), (-x, "negative"), (abs(x), "abs"), (x < 1, "less"), (x >= 1, "greater_equal"),
        (~(x < 1), "logical_not"), ((x < 1) & (x > 0), "logical_and"), ((x < 1) | (x > 0), "logical_or"),
    ):  # fmt: skip
        assert type(made) is Sym and made.trace.nodes[made.index][0] is TABLE[name]
