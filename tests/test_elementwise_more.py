"""What is special about the rest of the elementwise functions, and the methods that are loaded later."""

import math

import numpy as np
import pytest
from samples import same_bits

import fastgrad as fg
from fastgrad.ops import elementwise_more

INF, NAN = math.inf, math.nan


def slope(function, x, dtype="float64"):
    x = fg.tensor(x, dtype=dtype, requires_grad=True)
    out = function(x)
    (fg.real(out) if out.dtype.kind == "c" else out).sum().backward()
    return x.grad.numpy()


# ---------------------------------------------------------------- every ufunc


def ufuncs():
    return [name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)]


def test_every_ufunc_of_numpy_but_those_of_dates_is_here():
    assert [name for name in ufuncs() if not hasattr(fg, name)] == ["isnat"]


@pytest.mark.parametrize("name", [name for name in ufuncs() if name != "isnat" and getattr(np, name).signature is None])
def test_ufuncs_of_tensors_are_numpys(name):
    ufunc, function = getattr(np, name), getattr(fg, name)
    compared = 0
    for dtype in ("float32", "float64", "int32", "uint8", "bool", "complex128"):
        operands = [np.array([[0.75, 0.5], [1.0, 3.0]]).astype(dtype), np.array([2, 1]).astype(dtype)][: ufunc.nin]
        if name == "ldexp":
            operands[1] = operands[1].astype("int32") if dtype != "complex128" else operands[1]
        try:
            with np.errstate(all="ignore"):
                expected = ufunc(*operands)
        except TypeError:
            with pytest.raises(TypeError):
                function(*map(fg.asarray, operands))
            continue
        found = function(*map(fg.asarray, operands))
        through = ufunc(*map(fg.asarray, operands))
        for results in (found, through):
            for a, b in zip(*((r if isinstance(r, tuple) else (r,)) for r in (results, expected)), strict=True):
                same_bits(a, b, f"{name} of {dtype}")
        compared += 1
    assert compared


# ---------------------------------------------------------------- derivatives where a formula could lose digits


@pytest.mark.parametrize("x", [0.0, 1e-12, 1e-6, 1e-3, 0.0999, 0.1001, 0.5, 1.0, 3.25, -0.05, -7.0])
def test_derivatives_of_sinc_have_all_their_digits(x):
    mpmath = pytest.importorskip("mpmath")

    with mpmath.workdps(60):  # as a series: the differences that mpmath takes need no rescue near 0
        t = mpmath.pi * mpmath.mpf(x)
        terms = [(-1) ** k * t ** (2 * k - 1) * 2 * k / mpmath.factorial(2 * k + 1) for k in range(1, 60)]
        first = float(mpmath.pi * mpmath.fsum(terms))
        terms = [(-1) ** k * t ** (2 * k - 2) * 2 * k * (2 * k - 1) / mpmath.factorial(2 * k + 1) for k in range(1, 60)]
        second = float(mpmath.pi**2 * mpmath.fsum(terms))
    z = fg.tensor(x, requires_grad=True)
    (g,) = fg.autograd.grad(fg.sinc(z), [z], create_graph=True)
    (h,) = fg.autograd.grad(g, [z])
    np.testing.assert_allclose(g.item(), first, rtol=1e-13)
    np.testing.assert_allclose(h.item(), second, rtol=3e-11, atol=1e-13)


def test_derivatives_of_sinc_at_zero_are_known():
    z = fg.tensor(0.0, requires_grad=True)
    (g,) = fg.autograd.grad(fg.sinc(z), [z], create_graph=True)
    (h,) = fg.autograd.grad(g, [z], create_graph=True)
    (third,) = fg.autograd.grad(h, [z], create_graph=True)
    (fourth,) = fg.autograd.grad(third, [z])
    np.testing.assert_allclose(
        [g.item(), h.item(), third.item(), fourth.item()], [0, -(math.pi**2) / 3, 0, math.pi**4 / 5], rtol=1e-14
    )


@pytest.mark.parametrize("scipy", [True, False])
def test_the_derivative_of_i0_is_i1(scipy, monkeypatch):
    monkeypatch.setattr(elementwise_more, "_has_scipy", lambda: scipy)
    special = pytest.importorskip("scipy.special")
    x = np.array([-700.0, -30.0, -1.0, 0.0, 1e-3, 0.5, 8.0, 100.0, 500.0, 708.0])
    np.testing.assert_allclose(slope(fg.i0, x), special.i1(x), rtol=2e-13)
    z = fg.tensor(x, requires_grad=True)
    (g,) = fg.autograd.grad(fg.i0(z).sum(), [z], create_graph=True)
    (h,) = fg.autograd.grad(g.sum(), [z])
    expected = 0.5 * (special.i0(x) + special.iv(2, x))
    np.testing.assert_allclose(h.numpy(), expected, rtol=2e-13)
    many = np.linspace(-3, 3, 20_001)
    np.testing.assert_allclose(slope(fg.i0, many), special.i1(many), rtol=2e-13, atol=1e-16)
    assert slope(fg.i0, [1.0], "longdouble").dtype == np.longdouble


def test_fmod_counts_what_it_has_taken_off():
    """x / y rounds up to a whole number here, though y goes into x one time less."""
    y = 0.1
    x = np.nextafter(3 * y, 0)
    whole = round((x - math.fmod(x, y)) / y)
    t = fg.tensor(y, requires_grad=True)
    fg.fmod(x, t).backward()
    assert t.grad.item() == -whole


# ---------------------------------------------------------------- several results, kinds of numbers


def test_functions_of_two_results_are_named():
    x = fg.tensor([2.5, -0.75], requires_grad=True)
    assert fg.modf(x)._fields == ("fractional", "integral")
    assert fg.frexp(x)._fields == ("mantissa", "exponent") and fg.frexp(x).exponent.dtype == np.int32
    assert fg.divmod(x, 2.0)._fields == ("quotient", "remainder")
    mantissa, exponent = fg.frexp(x)
    np.testing.assert_array_equal(fg.ldexp(mantissa, exponent).detach().numpy(), x.detach().numpy())
    fg.ldexp(mantissa, exponent).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 1.0])
    assert not exponent.requires_grad


def test_the_parts_of_a_complex_number_are_replaced_each_by_itself():
    z = fg.tensor([complex(NAN, 1.0), complex(2.0, INF), 3 + 4j], requires_grad=True)
    out = fg.nan_to_num(z, nan=7.0, posinf=8.0)
    assert out.tolist() == [7 + 1j, 2 + 8j, 3 + 4j]
    g = np.array([1 + 2j, 3 + 4j, 5 + 6j])
    out.backward(fg.asarray(g))
    assert z.grad.tolist() == [2j, 3, 5 + 6j]


def test_nan_to_num_in_place_is_a_tracked_write():
    x = fg.tensor([1.0, NAN], requires_grad=True)
    y = 2 * x
    assert np.nan_to_num(y, copy=False, nan=5.0) is y and y.tolist() == [2.0, 5.0]
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0]
    with pytest.raises(RuntimeError, match="leaf"):
        np.nan_to_num(x, copy=False)
    with pytest.raises(TypeError, match="in place"):
        fg.nan_to_num(fg.ones(2), copy=False)


@pytest.mark.parametrize(("tol", "dtype"), [(100, "float64"), (1e-20, "complex128")])
def test_real_if_close_drops_what_is_tiny(tol, dtype):
    z = fg.tensor([1 + 1e-15j, 2.0], requires_grad=True)
    out = fg.real_if_close(z, tol)
    assert out.dtype == dtype and out.requires_grad
    out.backward(fg.ones_like(out))
    assert z.grad.tolist() == [1, 1]
    x = fg.tensor([1.0])
    assert fg.real_if_close(x).dtype == np.float64


def test_a_batch_of_complex_numbers_cannot_decide_whether_it_is_real():
    with pytest.raises(RuntimeError, match="data-dependent"):
        fg.func.vmap(fg.real_if_close)(fg.ones((2, 3), dtype=complex))


def test_angle_of_real_numbers_has_a_slope_of_zero():
    np.testing.assert_array_equal(slope(fg.angle, [-1.0, 0.0, 2.0]), [0, 0, 0])
    z = fg.tensor([1 + 1j, 0j], requires_grad=True)
    fg.angle(z, deg=True).sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), [(-0.5 + 0.5j) * 180 / math.pi, 0], rtol=1e-15)


def test_unwrap_in_every_form():
    a = np.cumsum(np.random.default_rng(0).uniform(-3, 3, (3, 8)), axis=1)
    for kw in ({}, {"axis": 0}, {"discont": 4.0}, {"period": 2.5}):
        wrapped = a % 2.5 if "period" in kw else np.angle(np.exp(1j * a))
        same_bits(fg.unwrap(fg.asarray(wrapped), **kw), np.unwrap(wrapped, **kw), f"unwrap {kw}")
        np.testing.assert_array_equal(slope(lambda x, kw=kw: fg.unwrap(x, **kw), wrapped), np.ones_like(a))


def test_bit_counts_and_divisors_take_integers_alone():
    assert fg.gcd(fg.asarray([12, 18]), 8).tolist() == [4, 2] and fg.lcm(4, fg.asarray([6])).tolist() == [12]
    assert fg.bitwise_count(fg.asarray([7, -8], dtype="int8")).dtype == np.uint8
    for call in (lambda: fg.gcd(fg.ones(1), 2), lambda: fg.bitwise_count(fg.ones(1)), lambda: fg.lcm(1.5, fg.ones(1)),
                 lambda: fg.ldexp(fg.ones(1), 0.5), lambda: fg.heaviside(fg.asarray([1j]), 0), lambda: fg.i0(fg.asarray([1j])),
                 lambda: fg.copysign(fg.asarray([1j]), 1.0)):  # fmt: skip
        with pytest.raises(TypeError):
            call()


def test_isclose_takes_tolerances_that_are_arrays():
    x, y = fg.asarray([1.0, 2.0, NAN]), fg.asarray([1.1, 2.1, NAN])
    assert fg.isclose(x, y, rtol=0, atol=fg.asarray([0.2, 0.05, 0])).tolist() == [True, False, False]
    assert fg.isclose(x, y, atol=1.0, equal_nan=True).tolist() == [True, True, True]
    assert not fg.isclose(fg.ones(2, requires_grad=True), 1.0).requires_grad


def test_python_scalars_take_the_dtype_of_the_other_operand():
    x = fg.asarray([0.1, 2.0], dtype="float32")
    for results in (fg.divmod(x, 2.0), fg.divmod(2, x), divmod(x, 0.5), np.divmod(x, 3)):
        assert [r.dtype for r in results] == [np.float32] * 2
    assert fg.divmod(fg.asarray([7], dtype="int8"), 2)[0].dtype == np.int8
    assert (
        fg.isclose(x, 0.1, rtol=0, atol=0).tolist()
        == np.isclose(x.numpy(), 0.1, rtol=0, atol=0).tolist()
        == [True, False]
    )


# ---------------------------------------------------------------- methods


def test_memory_can_be_asked_about():
    x = fg.ones((2, 3), requires_grad=True)
    assert x.flags.c_contiguous and x.T.flags.f_contiguous and not fg.broadcast_to(x, (2, 2, 3)).flags.writeable
    assert np.isfortran(x.T) and not np.isfortran(x)


def test_methods_of_functions_that_are_loaded_later():
    x = fg.tensor([180.0, 90.0])
    same_bits(x.deg2rad(), np.deg2rad([180.0, 90.0]), "deg2rad")
    assert x.radians_() is x and x.tolist() == [math.pi, math.pi / 2]
    assert (
        x.tobytes() == x.numpy().tobytes()
        and fg.tensor([[1, 2], [3, 4]]).tobytes("F") == np.array([1, 3, 2, 4]).tobytes()
    )
    a = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    t = fg.asarray(a)
    for name, args in (("argsort", ()), ("argpartition", (1,)), ("searchsorted", (2.0,)), ("take", ([0, 2], 1)),
                       ("compress", ([True, False, True], 1)), ("nonzero", ())):  # fmt: skip
        ours, theirs = (getattr(v[0] if name == "searchsorted" else v, name)(*args) for v in (t, a))
        for found, expected in zip(*((r if isinstance(r, tuple) else (r,)) for r in (ours, theirs)), strict=True):
            same_bits(found, expected, name)
    assert t.sort().tolist() == np.sort(a).tolist()
    assert fg.asarray([1, 0]).choose([[10, 20], [30, 40]]).tolist() == [30, 20]
