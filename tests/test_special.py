"""`fastgrad.special`: SciPy's values under its names, derivatives where formulas are delicate, life without SciPy."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from numeric import assert_gradient, pairing
from samples import operands_of, same_bits, seed

import fastgrad as fg
from fastgrad.ops import TABLE, load

scipy_special = pytest.importorskip("scipy.special")
load("fastgrad.special")
ROWS = [name for name, op in TABLE.items() if op.module == "fastgrad.special"]
PUBLIC = {"bessel_i0": "i0"}


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)


def derivatives(function, at, count):
    """The first derivatives of a function of one number."""
    x = fg.tensor(float(at), requires_grad=True)
    y, found = function(x), []
    for _ in range(count):
        (y,) = fg.autograd.grad(y, x, create_graph=True)
        found.append(y.item())
    return found


# ---------------------------------------------------------------- the module


@pytest.mark.parametrize("name", ROWS)
def test_values_are_those_of_scipys_function_of_that_name(name):
    public = PUBLIC.get(name, name)
    theirs, ours = getattr(scipy_special, public), getattr(fg.special, public)
    for dtype in ("float32", "float64", "complex128"):
        for call in TABLE[name].cases or [None]:
            if call is None:
                rng = np.random.default_rng(0)
                operands = [rng.uniform(0.2, 0.8, 5).astype(dtype) for _ in TABLE[name].operands]
                options = {}
            else:
                operands, options = operands_of(TABLE[name], call, dtype, seed(name, dtype)), call.options
            try:
                expected = theirs(*operands, **options)
            except TypeError:
                continue
            found = ours(*operands, **options)
            pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
            for a, b in pairs:
                if TABLE[name].loop is None:
                    same_bits(a.numpy(), b, f"{name} {dtype}")
                else:  # our own, the accuracy of which is the business of test_elementary
                    np.testing.assert_allclose(a.numpy(), b, rtol=8 * np.finfo(b.dtype).eps, err_msg=name)
                    assert a.dtype == b.dtype


def test_every_public_name_is_there_and_no_other():
    assert all(callable(getattr(fg.special, name)) for name in fg.special.__all__)
    assert set(fg.special.__all__) <= set(dir(fg.special))
    assert fg.special.psi is fg.special.digamma and fg.special.erf is fg.erf
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        fg.special.nonsense  # noqa: B018


def test_scipy_is_imported_when_a_row_is_first_used():
    code = "import sys, fastgrad as fg; fg.special.softmax([1.0]); fg.special.erf; print('scipy' in sys.modules); "
    found = run(code + "fg.special.erfcx([1.0]); print('scipy' in sys.modules)")
    assert found.stdout.split() == ["False", "True"], found.stderr


WITHOUT = """
import sys
sys.modules["scipy"] = None
import numpy as np, fastgrad as fg, math
s = fg.special
x = fg.tensor([0.5, 1.5, -0.7, 30.0], requires_grad=True)
s.gammaln(x).sum().backward()
print(*x.grad.tolist())
print(*s.polygamma([1, 2, 3, 1], x).tolist())
pairs = [s.xlogy, s.xlog1py, s.rel_entr, s.kl_div, s.beta, s.betaln, s.huber, s.pseudo_huber, s.boxcox, s.inv_boxcox]
ones = [s.erf, s.erfc, s.gamma, s.rgamma, s.digamma, s.entr, s.expit, s.log_expit, s.logit, s.ndtr]
for f in [*ones, s.exp10, s.cosm1, s.i0, s.i0e]:
    print(*f(fg.tensor([0.3, 0.6])).tolist(), f(np.float32([0.3])).dtype)
for f in pairs:
    print(*f(fg.tensor([0.3, 0.6]), 0.25).tolist(), f(np.float32([0.3]), np.float32(1)).dtype)
for f in (s.erfcx, s.erfi, lambda x: s.gammainc(1, x)):
    try:
        f(x)
    except ImportError as error:
        print(error)
"""


def test_without_scipy_numpy_does_what_it_can_and_the_rest_says_what_is_missing():
    found = run(WITHOUT)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.strip().split("\n")
    x, s = np.array([0.5, 1.5, -0.7, 30.0]), scipy_special
    np.testing.assert_allclose(np.array(lines[0].split(), float), s.digamma(x), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(np.array(lines[1].split(), float), s.polygamma([1, 2, 3, 1], x), rtol=1e-13)
    ones = [
        "erf",
        "erfc",
        "gamma",
        "rgamma",
        "digamma",
        "entr",
        "expit",
        "log_expit",
        "logit",
        "ndtr",
        "exp10",
        "cosm1",
        "i0",
        "i0e",
    ]
    pairs = [
        "xlogy",
        "xlog1py",
        "rel_entr",
        "kl_div",
        "beta",
        "betaln",
        "huber",
        "pseudo_huber",
        "boxcox",
        "inv_boxcox",
    ]
    x = np.array([0.3, 0.6])
    for name, line in zip(ones + pairs, lines[2:-3], strict=True):
        *values, dtype = line.split()
        expected = getattr(s, name)(x) if name in ones else getattr(s, name)(x, 0.25)
        np.testing.assert_allclose(np.array(values, float), expected, rtol=2e-14, err_msg=name)
        assert dtype == "float32" or name == "erf"
    assert all("pip install scipy" in line for line in lines[-3:])


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize("name", ["gammainc", "jv", "zeta", "polygamma", "expn", "hyp1f1", "eval_jacobi"])
def test_a_parameter_that_wants_a_gradient_raises_and_names_it(name):
    op = TABLE[name]
    first = fg.tensor([1.0, 2.0], requires_grad=True)
    rest = [fg.tensor([0.5, 0.25], requires_grad=True) for _ in op.operands[1:]]
    out = op(first, *rest)
    with pytest.raises(NotImplementedError, match=f"special.{name}: .* respect to {op.operands[0]} is not"):
        out.sum().backward()
    assert rest[-1].grad is None


@pytest.mark.parametrize("name", ["gammainc", "gammaincc", "betainc", "jv", "iv", "zeta", "hyp2f1", "eval_legendre"])
def test_parameters_that_are_arrays_of_floats(name):
    op = TABLE[name]
    fixed = [np.array([[1.25], [2.5]]) + i for i in range(len(op.operands) - 1)]
    x = np.array([0.3, 0.5, 0.7])
    t = fg.tensor(x, requires_grad=True)
    out = getattr(fg.special, name)(*fixed, t)
    g = np.linspace(0.5, 1.5, 6).reshape(2, 3)
    out.backward(fg.asarray(g))
    assert_gradient(t.grad.numpy(), lambda: pairing([g], [getattr(scipy_special, name)(*fixed, x)]), x, name)


def test_bad_input_raises_what_scipy_raises():
    with pytest.raises(ValueError, match="not met"):
        fg.special.multigammaln(1.0, 3)
    with pytest.raises(TypeError, match="not supported for the input types"):
        fg.special.gammaln(np.array([1j]))
    with pytest.raises(ValueError, match="broadcast"):
        fg.special.jv(np.arange(3), fg.tensor([1.0, 2.0]))
    with pytest.raises(TypeError):
        fg.special.gammaln([1.0], [2.0])


# ---------------------------------------------------------------- derivatives at delicate points

# fmt: off
AT = {
    "exprel at 0":     (lambda x: fg.special.exprel(x),             0.0, [1 / 2, 1 / 3, 1 / 4]),
    "spence at 1":     (lambda x: fg.special.spence(x),             1.0, [-1.0, 1 / 2, -2 / 3]),
    "j1 at 0":         (lambda x: fg.special.j1(x),                 0.0, [1 / 2, 0.0, -3 / 8]),
    "i1 at 0":         (lambda x: fg.special.i1(x),                 0.0, [1 / 2, 0.0, 3 / 8]),
    "i0 at 0":         (lambda x: fg.special.i0(x),                 0.0, [0.0, 1 / 2, 0.0]),
    "j0 at 0":         (lambda x: fg.special.spherical_jn(0, x),    0.0, [0.0, -1 / 3, 0.0]),
    "Si at 0":         (lambda x: fg.special.sici(x)[0],            0.0, [1.0, 0.0, -1 / 3]),
    "Shi at 0":        (lambda x: fg.special.shichi(x)[0],          0.0, [1.0, 0.0, 1 / 3]),
    "boxcox in lmbda": (lambda x: fg.special.boxcox(math.e, x),     0.0, [1 / 2, 1 / 3, 1 / 4]),
    "inverse boxcox":  (lambda x: fg.special.inv_boxcox(1.0, x),    0.0, [-math.e / 2, math.e * 11 / 12]),
    "ellipk at 0":     (lambda x: fg.special.ellipk(x),             0.0, [math.pi / 8, math.pi * 9 / 64]),
    "ellipe at 0":     (lambda x: fg.special.ellipe(x),             0.0, [-math.pi / 8, -math.pi * 3 / 64]),
    "P2 at 1":         (lambda x: fg.special.eval_legendre(2, x),   1.0, [3.0, 3.0, 0.0]),
    "T3 at 1":         (lambda x: fg.special.eval_chebyt(3, x),     1.0, [9.0, 24.0, 24.0]),
    "H3 at 0":         (lambda x: fg.special.eval_hermite(3, x),    0.0, [-12.0, 0.0, 48.0]),
    "xlogy in both":   (lambda x: fg.special.xlogy(x, 2 + x),       0.0, [math.log(2), 1.0, -3 / 4]),
    "digamma":         (lambda x: fg.special.digamma(x),            1.0, [math.pi**2 / 6, -2.404113806319188]),
    "E0":              (lambda x: fg.special.expn(0, x),            1.0, [-2 / math.e, 5 / math.e]),
    "lambertw":        (lambda x: fg.special.lambertw(x).real,      0.0, [1.0, -2.0, 9.0]),
}
# fmt: on


@pytest.mark.parametrize("name", AT)
def test_derivatives_where_a_formula_could_divide_by_zero(name):
    function, at, expected = AT[name]
    np.testing.assert_allclose(derivatives(function, at, len(expected)), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [
        ("log_ndtr", -1e4, 1e4),  # x tends to its own hazard
        ("log_ndtr", 40.0, 0.0),
        ("log_expit", -800.0, 1.0),
        ("expit", 40.0, math.exp(-40.0)),
        ("gammaln", 1e10, math.log(1e10)),
        ("erfc", 20.0, -2 / math.sqrt(math.pi) * math.exp(-400)),
    ],
)
def test_slopes_in_the_tails(name, x, slope):
    np.testing.assert_allclose(derivatives(getattr(fg.special, name), x, 1), [slope], rtol=2e-8, atol=1e-300)


WHOLE = ["expn", "kn", "yn", "pdtr", "pdtrc", "spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("order", [0.42, 1.0, 2.71])
@pytest.mark.filterwarnings("ignore:floating point number truncated")
def test_an_order_is_cut_off_in_the_derivative_as_scipy_does_in_the_value(name, order):
    def run(n):
        return derivatives(lambda x: getattr(fg.special, name)(n, x), 0.8, 2)

    expected = run(int(order))
    for n in (order, np.array(order), fg.tensor(order)):
        np.testing.assert_allclose(run(n), expected, rtol=1e-12)
    step = 1e-6
    with fg.no_grad():
        above, below = (float(getattr(fg.special, name)(order, 0.8 + d)) for d in (step, -step))
    np.testing.assert_allclose(expected[0], (above - below) / (2 * step), rtol=1e-6)


ENDS = {
    "exp1": (-1.0,), "ellipk": (2.0,), "ellipe": (2.0,), "loggamma": (-0.5,), "expn": (-1, 1.0), "pdtr": (-2.0, 1.0),
    "ellipkinc": (1.3, 2.5), "ellipeinc": (1.3, 2.5), "gammainc": (-1.0, 1.0), "betainc": (-1.0, 1.0, 0.5),
    "zeta": (0.5, 1.0), "chdtr": (-1.0, 1.0), "fdtr": (-1.0, 1.0, 0.5), "gdtr": (1.0, -1.0, 0.5),
    "spherical_jn": (-1, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ENDS)
def test_where_a_function_is_nan_its_derivatives_are(name, dtype):
    *fixed, at = ENDS[name]
    which = 0 if name.startswith("ellip") else -1  # the operand that has a derivative
    operands = [fg.asarray(value, dtype=dtype) if value.__class__ is float else value for value in (*fixed, at)]
    x = operands[which].requires_grad_()
    y = getattr(fg.special, name)(*operands)
    assert math.isnan(y.item())
    (slope,) = fg.autograd.grad(y, x, create_graph=True)
    (again,) = fg.autograd.grad(slope, x)
    assert math.isnan(slope.item()), slope
    assert math.isnan(again.item()), again
    assert slope.dtype == again.dtype == x.dtype


# ---------------------------------------------------------------- logsumexp, softmax


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_logsumexp_with_factors_and_signs(axis, dtype, rng):
    a, b = rng.normal(size=(2, 3)).astype(dtype), rng.normal(size=(2, 3)).astype(dtype)
    if dtype == "complex128":
        a = a + 0.3j * rng.normal(size=(2, 3))
    for keepdims in (False, True):
        value, sign = scipy_special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=True)
        found = fg.special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=True)
        np.testing.assert_allclose(found[0].numpy(), value, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(found[1].numpy(), sign, rtol=1e-13)
        plain = fg.special.logsumexp(a, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(plain.numpy(), scipy_special.logsumexp(a, axis=axis, keepdims=keepdims), rtol=1e-13)
    x, y = fg.tensor(a, requires_grad=True), fg.tensor(b, requires_grad=True)
    assert fg.autograd.gradcheck(lambda x, y: fg.special.logsumexp(x, axis=axis, b=y, return_sign=True)[0], (x, y))


def test_logsumexp_of_large_terms_that_do_not_count():
    x, b = fg.tensor([1000.0, 2.0], requires_grad=True), fg.tensor([0.0, 3.0], requires_grad=True)
    out = fg.special.logsumexp(x, b=b)
    out.backward()
    np.testing.assert_allclose(out.item(), 2 + math.log(3), rtol=1e-15)
    np.testing.assert_allclose(x.grad.numpy(), [0.0, 1.0])


def test_softmax_is_over_everything_unless_an_axis_is_given():
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    for axis in (None, 0, -1):
        for name in ("softmax", "log_softmax"):
            ours, theirs = getattr(fg.special, name), getattr(scipy_special, name)
            np.testing.assert_allclose(ours(x, axis=axis).numpy(), theirs(x, axis=axis), rtol=1e-14)


def test_scipys_own_functions_take_tensors():
    x = fg.tensor([0.5, 1.5], requires_grad=True)
    for name in ("gammaln", "psi", "ndtr", "i0", "erf", "expit"):
        y = getattr(scipy_special, name)(x)
        assert isinstance(y, fg.Tensor) and y.requires_grad, name
        np.testing.assert_allclose(y.detach().numpy(), getattr(scipy_special, name)(x.detach().numpy()), rtol=1e-15)


@pytest.mark.parametrize("size", [1, 100_000])
def test_scipys_errors_are_raised_where_they_are_asked_for(size):
    for wanted in (False, True):
        x = fg.tensor(np.zeros(size), requires_grad=wanted)
        with (
            scipy_special.errstate(all="raise"),
            pytest.raises(scipy_special.SpecialFunctionError, match="singularity"),
        ):
            fg.special.y0(x)
    fg.special.y0(np.zeros(1))
