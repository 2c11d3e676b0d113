"""A user's own row is a row like any other: recorded, traced, differentiated twice, and taken away by nobody."""

import numpy as np
import pytest
from numeric import assert_gradient, pairing

import fastgrad as fg
from fastgrad.ops import TABLE

exp = TABLE["exp"]


def check(function, *arrays):
    """Numeric gradients of first and second order of a public function of float64 arrays."""
    xs = [fg.tensor(a, requires_grad=True) for a in arrays]
    out = function(*xs)
    g = np.linspace(-1, 1.5, out.size).reshape(out.shape)
    copies = [a.copy() for a in arrays]

    def loss():
        return pairing([g], [function(*[fg.tensor(c) for c in copies]).numpy()])

    firsts = fg.autograd.grad(out, xs, fg.tensor(g), create_graph=True)
    for x, first, copy in zip(xs, firsts, copies):
        assert_gradient(first.detach().numpy(), loss, copy, f"{function} in {x.shape}")
    again = [first for first in firsts if first.requires_grad]
    if not again:
        return out

    def slope():
        ys = [fg.tensor(c, requires_grad=True) for c in copies]
        grads = fg.autograd.grad(function(*ys), ys, fg.tensor(g), create_graph=True)
        return pairing([np.ones(y.shape) for y in ys], [grad.detach().numpy() for grad in grads])

    seconds = fg.autograd.grad([f.sum() for f in again], xs, allow_unused=True)
    for x, second, copy in zip(xs, seconds, copies):
        found = np.zeros(x.shape) if second is None else second.numpy()
        assert_gradient(found, slope, copy, f"{function}, second order in {x.shape}")
    return out


def test_a_derived_row(register):
    f = register("bump", lambda x: exp(-x * x) * (1 + x), "x")
    out = check(f, np.linspace(-1, 1, 5))
    assert out.grad_fn.name() == "BumpBackward", "elementwise: one fused node"
    np.testing.assert_allclose(
        out.detach().numpy(), np.exp(-(np.linspace(-1, 1, 5) ** 2)) * (1 + np.linspace(-1, 1, 5))
    )


def test_public_functions_serve_in_an_expression_too(register):
    f = register("bump", lambda x: fg.exp(-x * x) * (1 + x), "x")
    check(f, np.linspace(-1, 1, 5))


def test_a_derived_row_of_two_operands_broadcasts(register):
    f = register("swirl", lambda x, y: fg.sin(x * y) + x / y, "x, y")
    check(f, np.linspace(0.5, 1, 3), np.array([[0.7], [1.3]]))


def test_a_derived_row_that_is_not_elementwise(register):
    f = register("centred", lambda x: x - fg.mean(x), "x")
    out = check(f, np.array([1.0, 2.0, 4.0]))
    assert out.grad_fn.name() != "CentredBackward", "its parts are recorded"


def test_a_forward_in_numpy_with_its_own_formula(register):
    f = register(
        "softsign_of", lambda x: x / (1 + np.abs(x)), "x", vjp=lambda g, out, x: g / fg.square(1 + fg.abs(x)), saves="x"
    )
    out = check(f, np.array([-2.0, 0.5, 3.0]))
    assert out.grad_fn.name() == "SoftsignOfBackward"


def test_a_ufunc_under_another_name(register):
    f = register("tangent", np.tan, "x", vjp=lambda g, out, x: g * (1 + out * out), near=(-1, 1))
    out = check(f, np.array([-1.0, 0.3, 1.0]))
    np.testing.assert_array_equal(out.detach().numpy(), np.tan([-1.0, 0.3, 1.0]))
    x = fg.tensor([0.3], requires_grad=True)
    y = f(x)
    with fg.no_grad():
        x.mul_(2)
    y.backward()  # the formula reads only the result
    y = f(x)
    with fg.no_grad():
        y.mul_(2)
    with pytest.raises(RuntimeError, match="TangentBackward"):
        y.backward()


def test_a_structural_row(register):
    f = register(
        "outer_sum",
        lambda x, y: x[:, None] + y,
        "x, y",
        vjp=(lambda g, out, x, y: fg.sum(g, axis=1), lambda g, out, x, y: fg.sum(g, axis=0)),
    )
    check(f, np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0]))


def test_a_row_with_options(register):
    f = register("scaled", lambda x, scale: x * scale, "x; scale=2.0", vjp=lambda g, out, x, scale: g * scale)
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    (f(x) + f(x, scale=3.0) + f(x, 4.0)).sum().backward()
    assert x.grad.tolist() == [9.0, 9.0]


def test_an_opaque_row_calls_back(register):
    """A forward and a derivative in plain NumPy, which cannot be traced: still right, to first order."""

    def interpolate(x):
        return np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 4.0])

    f = register("table_lookup", interpolate, "x", vjp=lambda g, out, x: g * fg.where(x < 1.0, 1.0, 3.0), saves="x")
    x = fg.tensor([0.5, 1.5], requires_grad=True)
    f(x).sum().backward()
    assert x.grad.tolist() == [1.0, 3.0]


def test_a_row_of_several_operands_taken_as_one_sequence(register):
    f = register(
        "total_of",
        lambda *xs: sum(xs[1:], xs[0]),
        "*xs",
        vjp=lambda g, out, *xs: tuple(g * (i + 1) for i in range(len(xs))),
    )
    a, b = fg.tensor([1.0], requires_grad=True), fg.tensor([2.0], requires_grad=True)
    f([a, b, a]).backward()
    assert a.grad.tolist() == [4.0] and b.grad.tolist() == [2.0]


def test_a_row_without_a_derivative(register):
    f = register("rounded_sign", lambda x: np.sign(np.rint(x)), "x", vjp=None)
    out = f(fg.tensor([0.2, 3.0], requires_grad=True))
    assert not out.requires_grad and out.tolist() == [0.0, 1.0]


def test_a_row_takes_what_other_functions_take(register):
    f = register("halved", lambda x: x * 0.5, "x")
    assert isinstance(f([2.0, 4.0]), fg.Tensor) and f(2.0).item() == 1.0
    assert f(np.float32([1.0])).dtype == np.float32
    assert f.__name__ == "halved"


def test_a_wrong_formula_is_named(register):
    f = register("misshapen", lambda x: x * 2.0, "x", vjp=lambda g, out, x: fg.concat([g, g]))
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"MisshapenBackward.*\(4,\).*\(2,\)"):
        f(x).sum().backward()
    assert x.grad is None


def test_an_exception_in_a_formula_arrives(register):
    def formula(g, out, x):
        raise KeyError("from the formula")

    f = register("explosive", lambda x: x.copy(), "x", vjp=formula, saves="x")
    x = fg.tensor([1.0], requires_grad=True)
    y = f(x)
    with pytest.raises(KeyError, match="from the formula"):
        y.backward()
    assert x.grad is None
    (x * 2).backward()
    assert x.grad.item() == 2.0


def test_a_row_is_replaced_by_another_of_its_name(register):
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    first = register("renewed", lambda x: x * 2, "x")
    y = first(x)
    second = register("renewed", lambda x, y: x * y * 3, "x, y")
    assert len(TABLE["renewed"].operands) == 2
    check(second, np.array([1.0, 2.0]), np.array([0.5, 4.0]))
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0], "what was recorded before is differentiated as it was"
    check(first, np.array([1.0, 2.0]))


def test_a_replacement_that_is_refused_leaves_the_first(register):
    f = register("renewed", lambda x: x * 2, "x")
    before = TABLE["renewed"]
    with pytest.raises(TypeError, match="callable"):
        register("renewed", None, "x")
    assert TABLE["renewed"] is before
    assert f(fg.ones(2)).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("name", ["exp", "sum", "getitem", "as_view", "scalar_power", "absolute", "concatenate"])
def test_names_of_fastgrads_own_are_refused(name, register):
    before = dict(TABLE)
    with pytest.raises(ValueError, match=f"{name}.*registered already"):
        register(name, np.exp, "x", vjp=None)
    assert before == TABLE
    assert np.abs(fg.tensor([-1.0])).tolist() == [1.0]


# fmt: off
BAD = {
    "a name that is taken":     (("exp", np.exp, "x"),                          {}, ValueError, "exp.*registered already"),
    "a name that is no name":   (("two words", np.exp, "x"),                    {}, ValueError, "identifier"),
    "a forward that is none":   (("bad_row", 3, "x"),                           {}, TypeError,  "callable.*int"),
    "too few vjps":             (("bad_row", np.hypot, "x, y"), {"vjp": (None,)},   ValueError, "2 operands but 1 vjps"),
    "saves of no operand":      (("bad_row", lambda x: x, "x"), {"vjp": None, "saves": "z"}, ValueError, "saves.*z"),
    "an unknown field":         (("bad_row", np.exp, "x"),      {"colour": "red"},  TypeError,  "colour"),
}
# fmt: on


@pytest.mark.parametrize("what", BAD)
def test_bad_rows_are_refused_and_leave_no_trace(what, register):
    args, fields, error, words = BAD[what]
    before = dict(TABLE)
    with pytest.raises(error, match=words):
        register(*args, **fields)
    assert before == TABLE


def test_an_expression_whose_derivative_has_no_program_records_its_parts(register):
    """`sign` asks for a dtype in its vjp, which a program cannot tell."""
    signed = register("signed", lambda x: fg.sign(x) * x, "x")
    x = fg.tensor([-2.0, 3.0], requires_grad=True)
    signed(x).sum().backward()
    assert x.grad.tolist() == [-1, 1]
    assert fg.func.grad(lambda x: fg.func.grad(lambda y: (signed(y) ** 2).sum())(x).sum())(x).tolist() == [2, 2]


def test_options_that_differ_in_a_sign_of_zero_alone(register):
    filled = register("filled", lambda x, value: fg.where(x > 0, x, value), "x; value=0.0")
    x = fg.tensor([-1.0, 2.0])
    assert [np.signbit(filled(x, v).numpy()[0]) for v in (0.0, -0.0, 0.0)] == [False, True, False]
