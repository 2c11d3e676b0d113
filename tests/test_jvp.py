"""`fastgrad.func.jvp`: every row of the table against differences and against its vjp, and what jvp itself promises."""

import numpy as np
import pytest
from samples import PHASES, ROWS, arguments, calls, operands_of, seed

import fastgrad as fg
from fastgrad.func import grad, hessian, jacfwd, jvp, vjp
from fastgrad.ops import TABLE

#: Rows that read one triangle of a matrix and take the other for its mirror image.
HERMITIAN = ("cholesky", "eigh", "eigvalsh")


def cases():
    for name in ROWS:
        if TABLE[name].differentiable:
            for number, _ in enumerate(calls(TABLE[name], few=True)):
                for dtype in ("float64", "complex128"):
                    yield pytest.param(name, number, dtype, id=f"{name}-{number}-{dtype}")


def run(op, operands, options):
    args, options = arguments(op, operands, options)
    out = op(*args, **options)
    return list(out) if isinstance(out, tuple) else [out]


def setup(name, number, dtype):
    """The function of a row's differentiable operands, where they are, and a direction for each."""
    op = TABLE[name]
    call = calls(op, few=True)[number]
    rng = seed(name, number, dtype)
    try:
        operands = operands_of(op, call, dtype, rng)
        run(op, [fg.asarray(v) if isinstance(v, np.ndarray) else v for v in operands], call.options)
    except (TypeError, np.exceptions.ComplexWarning):
        pytest.skip(f"not for {dtype}")
    places = [i for i, v in enumerate(operands) if isinstance(v, np.ndarray) and v.dtype.kind in "fc"]
    if not places:
        pytest.skip("nothing to differentiate")

    def function(*values):
        full = list(operands)
        for i, value in zip(places, values):
            full[i] = value
        return run(op, full, call.options)

    points = [operands[i] for i in places]
    directions = [np.asarray(rng.normal(size=p.shape)) for p in points]
    if dtype == "complex128":
        directions = [t + 1j * rng.normal(size=t.shape) for t in directions]
    if name in HERMITIAN:
        directions = [t + np.swapaxes(t, -1, -2).conj() for t in directions]
    return function, points, [t.astype(p.dtype) for t, p in zip(directions, points)]


def arrays(outs):
    return [out.detach().numpy() for out in outs]


@pytest.mark.parametrize(("name", "number", "dtype"), list(cases()))
def test_tangents_of_every_row_agree_with_differences_and_with_its_vjp(name, number, dtype):
    function, points, directions = setup(name, number, dtype)
    if name in PHASES and dtype == "complex128":
        pytest.skip("the phase of the vectors is anybody's guess")
    points, directions = [fg.asarray(p) for p in points], [fg.asarray(t) for t in directions]
    outs, tangents = jvp(function, tuple(points), tuple(directions))
    expected = arrays(function(*points))
    step = 1e-6

    def at(s):
        return arrays(function(*[p + s * t for p, t in zip(points, directions)]))

    differences = [(high - low) / (2 * step) for high, low in zip(at(step), at(-step)) if high.dtype.kind in "fc"]
    for out, value in zip(arrays(outs), expected):
        np.testing.assert_array_equal(out, value)
    inexact = [t for t in arrays(tangents) if t.dtype.kind in "fc"]
    floats = [value for value in expected if value.dtype.kind in "fc"]
    for t, value, difference in zip(inexact, floats, differences, strict=True):
        assert t.shape == value.shape and t.dtype == value.dtype
        np.testing.assert_allclose(t, difference, rtol=2e-4, atol=2e-4)
    _, pull = vjp(function, *points)
    rng = seed(name, number)
    cotangents = [
        rng.normal(size=t.shape) + (1j * rng.normal(size=t.shape) if t.dtype.kind == "c" else 0) for t in inexact
    ]
    given = iter(cotangents)
    full = [next(given) if t.dtype.kind in "fc" else np.zeros(t.shape) for t in arrays(tangents)]
    pulled = pull([fg.asarray(np.asarray(u, t.dtype)) for u, t in zip(full, arrays(tangents))])
    forward = sum(np.sum(np.real(np.conj(u) * t)) for u, t in zip(cotangents, inexact))
    reverse = sum(np.sum(np.real(np.conj(g.numpy()) * t.numpy())) for g, t in zip(pulled, directions))
    np.testing.assert_allclose(forward, reverse, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("name", "number", "dtype"), [p for p in cases() if "float64" in p.id])
def test_gradients_of_tangents_agree_with_tangents_of_gradients(name, number, dtype):
    function, points, directions = setup(name, number, dtype)
    points, directions = tuple(map(fg.asarray, points)), tuple(map(fg.asarray, directions))

    def loss(*values):
        return sum((fg.cos(1.0 + out) * out).sum() for out in map(fg.real, function(*values)))

    argnums = tuple(range(len(points)))
    one = jvp(grad(loss, argnums), points, directions)[1]
    other = grad(lambda *values: jvp(loss, values, directions)[1], argnums)(*points)
    for a, b in zip(one, other):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-7, atol=1e-7)


def numbers(value):
    """How an option can be a function of one number: where that is now, and the option it gives."""
    if type(value) in (int, float):
        return [(float(value), lambda a: a)]
    if type(value) in (tuple, list) and value and all(type(part) in (int, float) for part in value):
        return [(float(value[0]), lambda a: type(value)((a, *value[1:])))]
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return [(1.0, lambda a: a * value)]
    return []


@pytest.mark.parametrize("name", [name for name in ROWS if TABLE[name].differentiable and TABLE[name].options])
def test_an_option_with_a_tangent_passes_it_on_or_raises(name):
    op = TABLE[name]
    for call in calls(op):
        operands = operands_of(op, call, "float64", seed(name))
        operands = [fg.asarray(v) if isinstance(v, np.ndarray) else v for v in operands]
        for option, value in call.options.items():
            for at, place in numbers(value):

                def function(a):
                    return run(op, operands, {**call.options, option: place(a)})[0]

                try:
                    high, low = (function(at + step) for step in (1e-6, -1e-6))
                    out, tangent = jvp(function, (at,), (1.0,))
                except Exception:
                    continue
                smooth = high.shape == low.shape == np.shape(out) and fg.allclose(high, low, atol=0.1)
                if at and smooth:  # 0 is a kink of some
                    slope = (high - low).numpy() / 2e-6
                    np.testing.assert_allclose(tangent, slope, rtol=1e-4, atol=1e-4, err_msg=f"{call} {option}")


@pytest.mark.parametrize("transform", [grad, lambda f: lambda a: jvp(f, (a,), (1.0,)), hessian, jacfwd])
@pytest.mark.parametrize("function", ["norm", "vector_norm", "matrix_norm", "cond"])
def test_the_order_of_a_norm_has_no_derivative(function, transform):
    x = np.array([1.0, 2.0]) if function == "vector_norm" else np.array([[1.0, 2.0], [3.0, 5.0]])
    key = "p" if function == "cond" else "ord"
    for operand in (x, fg.asarray(x)):
        with pytest.raises(NotImplementedError, match=f"linalg.{function}: the derivative with respect to {key}"):
            transform(lambda a: getattr(fg.linalg, function)(operand, **{key: a}))(2.0)
    constant = getattr(fg.linalg, function)(x, **{key: fg.tensor(2)})
    assert constant.item() == getattr(fg.linalg, function)(x, **{key: 2}).item()


# ---------------------------------------------------------------- what jvp itself promises


@pytest.mark.parametrize("name", ["gelu", "softplus", "sigmoid", "silu", "tanh", "log1p", "sqrt"])
def test_a_tangent_of_an_elementwise_operation_is_one_more_operation(name):
    x, t = fg.asarray(np.linspace(0.2, 1, 5)), fg.asarray(np.ones(5), requires_grad=True)
    _, tangent = jvp(TABLE[name], (x,), (t,))
    assert tangent.grad_fn.name() in [f"{name.capitalize()}{made}Backward" for made in ("Tangent", "Pull")]


def test_tangents_do_not_share_memory_with_those_of_other_values():
    def f(x):
        y = x + 1
        z = 2 - x
        y += y
        z[0] = 5.0
        return x * 1, y, z

    x, t = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    _, (tx, ty, tz) = jvp(f, (x,), (t,))
    np.testing.assert_array_equal(tx, t)
    np.testing.assert_array_equal(ty, 2 * t)
    np.testing.assert_array_equal(tz, [0, -4])


def test_a_tangent_that_was_broadcast_can_be_written_to():
    def f(x):
        y = x[0] + np.zeros((2, 3))
        y[0, 1] = x[1] * 2
        y[1] += x
        return y

    _, t = jvp(f, (np.array([1.0, 2.0, 3.0]),), (np.array([1.0, 10.0, 100.0]),))
    np.testing.assert_array_equal(t, [[1, 20, 1], [2, 11, 101]])


def test_writing_in_place_reaches_views():
    def f(x):
        y = x * x
        part = y[1:]
        part *= x[:1]
        y.reshape(-1)[0] += part.sum()
        return y

    x, t = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, -1.0])
    step = 1e-6
    difference = (f(fg.asarray(x + step * t)).numpy() - f(fg.asarray(x - step * t)).numpy()) / (2 * step)
    np.testing.assert_allclose(jvp(f, (x,), (t,))[1], difference, rtol=1e-6)


def test_buffers_take_tangents():
    def f(x):
        out = fg.zeros((2, 2))
        for i in range(2):
            for j in range(2):
                out[i, j] = x[i] * x[j]
        like = fg.full_like(out, 2.0)
        like[0] = out[1]
        return out, like

    x, t = np.array([1.0, 2.0]), np.array([1.0, 0.5])
    (out, _), (out_t, like_t) = jvp(f, (x,), (t,))
    np.testing.assert_array_equal(out, np.outer(x, x))
    np.testing.assert_array_equal(out_t, np.outer(x, t) + np.outer(t, x))
    np.testing.assert_array_equal(like_t, [out_t[1], [0, 0]])
    assert not fg.zeros(2).requires_grad and type(fg.zeros(2)) is fg.Tensor


def test_writing_a_tangent_to_what_was_made_outside_is_an_error():
    outside = fg.zeros(2)
    with pytest.raises(RuntimeError, match="jvp: add in place"):
        jvp(lambda x: outside.add_(x), (np.ones(2),), (np.ones(2),))


def test_the_value_decides_where_a_program_branches():
    f = lambda x: x * 2 if x > 1 else x * 3
    assert jvp(f, (2.0,), (1.0,)) == (4.0, 2.0) and jvp(f, (0.5,), (1.0,)) == (1.5, 3.0)
    assert jvp(lambda x: x * int(x), (2.0,), (1.0,)) == (4.0, 2.0)
