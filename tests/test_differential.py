"""The two backends beside each other: random programs, run on both, must give the same bits and the same gradients.

A program is a list of numbers; what a number means depends only on the shapes and dtypes at hand, so that both
backends read it alike, and hypothesis can shorten it.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import COMPILED, ONCE, as_arrays, core, error_kinds, reference, same_bits

from fastgrad.ops import TABLE

pytestmark = [
    pytest.mark.skipif(not COMPILED, reason=ONCE),
    pytest.mark.filterwarnings("ignore"),  # NumPy's own, on a variance of nothing and on complex numbers made real
]

SHAPES = [(), (1,), (3,), (2, 3), (3, 2), (2, 1), (3, 3), (0,), (2, 2, 3)]
DTYPES = ["float64", "float32", "complex128", "float64", "int64", "bool"]
LARGE = 50.0  # results with larger values are dropped, so that rounding has a scale


class Machine:
    """One backend, and a program's values on it."""

    def __init__(self, backend):
        self.backend = backend
        self.functions = {}
        self.values, self.log, self.cotangents = [], [], [1.0]

    def __getattr__(self, name):
        function = self.functions.get(name)
        if function is None:
            function = self.functions[name] = self.backend.bind(TABLE[name])
        return function

    def keep(self, tensor):
        if tensor.requires_grad:
            tensor.register_hook(self.measure)
        self.values.append(tensor)

    def measure(self, g):
        self.cotangents.append(float(np.abs(g.detach().numpy()).max(initial=0.0)))


def _index(shape, n):
    """An index that fits the shape, basic or advanced."""
    if not shape:
        return (..., None)[n % 2 :]
    length = shape[0]
    mask = np.arange(int(np.prod(shape))).reshape(shape) % (2 + n % 3) == 0
    choices = [slice(None, None, -1), slice(1, None), slice(None, None, 2), (..., slice(0, 1)), (None, ...), mask]
    if length:
        choices += [n % length, -1, np.array([0, length - 1, 0]), [n % length], (np.array([0]), ...)]
    return choices[n % len(choices)]


def _axis(shape, n):
    choices = [None, *range(len(shape)), *((tuple(range(len(shape))),) if shape else ())]
    return choices[n % len(choices)]


def _reshaped(m, a, b, n):
    size = a.size
    shapes = [(size,), (-1, 1) if size else (0, 1), (1, *a.shape), a.shape[::-1]]
    return m.reshape(a, shapes[n % 4])


# fmt: off
#: code -> (machine, a, b, n) -> Tensor(s), None (nothing to keep), or an exception. Shapes may or may not fit.
STEPS = {
    **{name: (lambda name: lambda m, a, b, n: getattr(m, name)(a))(name)
       for name in ["tanh", "sin", "cos", "negative", "exp", "square", "abs", "sigmoid", "relu", "softplus", "silu", "arctan", "isfinite", "floor", "log1p", "sqrt"]},
    **{name: (lambda name: lambda m, a, b, n: getattr(m, name)(a, b))(name)
       for name in ["add", "subtract", "multiply", "divide", "maximum", "minimum", "hypot", "arctan2", "less", "power", "logaddexp"]},
    "operator +":   lambda m, a, b, n: a + b,
    "operator *":   lambda m, a, b, n: a * b,
    "twice":        lambda m, a, b, n: a * a + a,
    "weak":         lambda m, a, b, n: (a * 2.5, 1 - a, a + 1, a / 3)[n % 4],
    "array":        lambda m, a, b, n: np.linspace(-1, 1, 3) * a,
    "matmul":       lambda m, a, b, n: a @ b,
    "where":        lambda m, a, b, n: m.where(m.greater(a, b), a, b),
    "clip":         lambda m, a, b, n: m.clip(a, -0.5, 0.75),
    "sum":          lambda m, a, b, n: m.sum(a, axis=_axis(a.shape, n), keepdims=n % 2 == 0),
    "mean":         lambda m, a, b, n: m.mean(a, axis=_axis(a.shape, n)),
    "prod":         lambda m, a, b, n: m.prod(a, axis=_axis(a.shape, n)),
    "max":          lambda m, a, b, n: m.max(a, axis=_axis(a.shape, n)),
    "var":          lambda m, a, b, n: m.var(a, axis=_axis(a.shape, n)),
    "logsumexp":    lambda m, a, b, n: m.logsumexp(a, axis=_axis(a.shape, n)),
    "softmax":      lambda m, a, b, n: m.softmax(a, axis=-1),
    "cumsum":       lambda m, a, b, n: m.cumsum(a, axis=-1),
    "argmax":       lambda m, a, b, n: m.argmax(a),
    "index":        lambda m, a, b, n: a[_index(a.shape, n)],
    "index again":  lambda m, a, b, n: a[_index(a.shape, n)] + a[_index(a.shape, n)],
    "reshape":      _reshaped,
    "transpose":    lambda m, a, b, n: a.T,
    "expand_dims":  lambda m, a, b, n: m.expand_dims(a, axis=n % (a.ndim + 1)),
    "broadcast_to": lambda m, a, b, n: m.broadcast_to(a, b.shape),
    "flip":         lambda m, a, b, n: m.flip(a, axis=_axis(a.shape, n)),
    "roll":         lambda m, a, b, n: m.roll(a, n % 4, axis=None),
    "concat":       lambda m, a, b, n: m.concat([a, b, a]),
    "stack":        lambda m, a, b, n: m.stack([a, b], axis=n % (a.ndim + 1)),
    "split":        lambda m, a, b, n: m.split(a, 2),
    "astype":       lambda m, a, b, n: a.astype(DTYPES[n % 4]),
    "detach":       lambda m, a, b, n: a.detach(),
    "clone":        lambda m, a, b, n: a.clone(),
    "mul_":         lambda m, a, b, n: (a.mul_(b), None)[1],
    "add_ scalar":  lambda m, a, b, n: (a.add_(0.25), None)[1],
    "sin_":         lambda m, a, b, n: (a.sin_(), None)[1],
    "setitem":      lambda m, a, b, n: a.__setitem__(_index(a.shape, n), b),
    "setitem number": lambda m, a, b, n: a.__setitem__(_index(a.shape, n), 0.5),
    "view write":   lambda m, a, b, n: (a[_index(a.shape, n)].mul_(0.5), None)[1],
    "zero_":        lambda m, a, b, n: (a.zero_(), None)[1],
}
# fmt: on
CODES = list(STEPS)


def order(array):
    """How an array lies in memory: its strides, where they mean anything."""
    return [stride for stride, n in zip(array.strides, array.shape) if n > 1] if array.size else []


def same_values(found, expected, exact, what):
    """The same bits; only rounding's difference where an earlier value lies in memory in another order.

    NumPy's sums follow the order in memory, so the bits of a sum do too.
    """
    if exact:
        same_bits(found, expected, what)
        return
    assert found.dtype == expected.dtype and found.shape == expected.shape, what
    single = found.dtype in (np.float32, np.complex64)
    np.testing.assert_allclose(
        found, expected, rtol=1e-3 if single else 1e-9, atol=1e-4 if single else 1e-10, err_msg=what
    )


def step(machine, code, i, j, n, quiet):
    """Run one step and log what it gave; results that are too large are dropped."""
    values, backend = machine.values, machine.backend
    a, b = values[-1 - i % len(values)], values[-1 - j % len(values)]  # small numbers mean what was made last
    previous = backend._set_grad_enabled(not quiet)
    try:
        results = STEPS[CODES[code % len(CODES)]](machine, a, b, n)
        results = results if isinstance(results, tuple) else () if results is None else (results,)
    except Exception as error:
        machine.log.append(error_kinds(error))
        return
    finally:
        backend._set_grad_enabled(previous)
    arrays = [r.detach().numpy() for r in results]
    machine.log.append([(a.copy(), order(a), r.requires_grad, r.is_leaf) for a, r in zip(arrays, results)])
    for result in results:
        array = result.detach().numpy()
        if array.size <= 64 and np.isfinite(array).all() and np.abs(array).max(initial=0) < LARGE:
            machine.keep(result)


def run(backend, leaves, program, second):
    """The log of a program on one backend: results, final values, gradients, and the scale of the cotangents."""
    machine = Machine(backend)
    made = []
    for k, (shape, dtype, wants) in enumerate(leaves):
        rng = np.random.default_rng(k + 31 * shape)
        array = np.asarray(rng.uniform(-1.5, 1.5, SHAPES[shape]))
        kind = np.dtype(DTYPES[dtype])
        array = array + 1j * array[::-1] if kind.kind == "c" and array.ndim else array
        with np.errstate(all="ignore"):
            tensor = backend.tensor(array.astype(kind), requires_grad=wants and kind.kind in "fc")
        made.append(tensor)
        machine.keep(tensor)
    for instruction in program:
        step(machine, *instruction)
    finals = [(t.detach().numpy().copy(), t._version, t.requires_grad) for t in machine.values]
    roots = [t for t in machine.values if t.requires_grad]
    inputs = [t for t in made if t.requires_grad and t.is_leaf]
    grads = []
    if roots and inputs:
        ones = [backend.asarray(np.ones(t.shape, t.dtype)) for t in roots]
        try:
            if second:
                firsts = backend.grad(roots, inputs, ones, create_graph=True, allow_unused=True)
                grads += firsts
                roots = [g for g in firsts if g is not None and g.requires_grad]
                ones = [backend.asarray(np.ones(t.shape, t.dtype)) for t in roots]
            if roots:
                backend.backward(roots, ones)
                grads += [t.grad for t in inputs]
        except Exception as error:
            grads = error_kinds(error)
    return machine, finals, grads


leaf = st.tuples(st.integers(0, len(SHAPES) - 1), st.integers(0, len(DTYPES) - 1), st.booleans())
number = st.integers(0, 40)
instruction = st.tuples(
    st.integers(0, len(CODES) - 1), number, number, number, st.sampled_from([False, False, False, True])
)


def check(leaves, program, second):
    """Run on both and compare; gives the log."""
    leaves = [(2, 0, True), (3, 0, True), *leaves]
    (one, finals_one, grads_one) = run(reference, leaves, program, second)
    (two, finals_two, grads_two) = run(core, leaves, program, second)
    exact = True
    for k, (a, b) in enumerate(zip(one.log, two.log, strict=True)):
        what = f"step {k}, {CODES[program[k][0]]}"
        if isinstance(a, set) or isinstance(b, set):
            assert a == b, f"{what}: reference {a}, compiled {b}"
            continue
        assert len(a) == len(b), what
        for (array_a, order_a, *flags_a), (array_b, order_b, *flags_b) in zip(a, b):
            same_values(array_b, array_a, exact, what)
            exact = exact and order_a == order_b
            assert flags_b == flags_a, f"{what}: (requires_grad, is_leaf) {flags_b} instead of {flags_a}"
    for k, ((array_a, *rest_a), (array_b, *rest_b)) in enumerate(zip(finals_one, finals_two, strict=True)):
        same_values(array_b, array_a, exact, f"final value {k}")
        assert rest_b == rest_a, f"final value {k}: (version, requires_grad) {rest_b} instead of {rest_a}"
    if isinstance(grads_one, set) or isinstance(grads_two, set):
        assert grads_one == grads_two, f"backward: reference {grads_one}, compiled {grads_two}"
        return one.log
    single = any(t.dtype in (np.float32, np.complex64) for t in one.values)
    # each step may round a cotangent a few times; later factors are at most LARGE
    scale = max(c for c in one.cotangents if np.isfinite(c)) * LARGE * (len(program) + 1)
    tolerance = 8 * np.finfo(np.float32 if single else np.float64).eps * scale
    for a, b in zip(grads_one, grads_two, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            ((x,), (y,)) = as_arrays(a), as_arrays(b)
            assert x.dtype == y.dtype and x.shape == y.shape
            np.testing.assert_allclose(y, x, rtol=1e-3 if single else 1e-9, atol=tolerance)
    return one.log


@settings(max_examples=400)
@given(st.lists(leaf, max_size=3), st.lists(instruction, min_size=12, max_size=60))
def test_random_programs(leaves, program):
    check(leaves, program, second=False)


@settings(max_examples=150)
@given(st.lists(leaf, max_size=2), st.lists(instruction, min_size=4, max_size=20))
def test_random_programs_differentiated_twice(leaves, program):
    check(leaves, program, second=True)


@pytest.mark.parametrize("code", CODES)
def test_each_step_alone(code):
    """Every step on every pair of sample values, in and out of grad mode, so that none waits for luck to be tried."""
    k, clone, worked = CODES.index(code), CODES.index("clone"), False
    for shape in range(len(SHAPES)):
        for dtype in (0, 1, 2, 4):
            program = []
            for i, n, quiet in itertools.product((0, 1, 2), (0, 1, 2, 5), (False, True)):
                program += [(clone, 0, 0, 0, False), (k, 0, i + 1, n, quiet)]
            log = check([(shape, dtype, True)], program, second=False)
            worked = worked or any(isinstance(entry, list) for entry in log[1::2])
    assert worked, "the step fails on everything"
