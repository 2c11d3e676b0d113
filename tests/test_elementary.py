"""The curves of csrc: the bits of their NumPy form, and how far they are from the truth."""

import math
from fractions import Fraction

import numpy as np
import pytest
from samples import NEEDS_CORE, core, same_bits

import fastgrad as fg
from fastgrad.ops import TABLE, _bessel, _elementary, _gamma, load_all
from fastgrad.ops._row import LOOPS

load_all()
ROWS = [op for op in TABLE.values() if op.loop not in (None, "where")]
L = np.longdouble


def numpy_form(name):
    wide = getattr(_bessel, name, None) or getattr(_gamma, name, None)
    return _gamma.through_double(wide) if wide else getattr(_elementary, name)


def points(dtype):
    """Numbers of every size, the special ones among them, and more of those near the bends."""
    rng = np.random.default_rng(3)
    limits = np.finfo(dtype)
    sizes = np.exp2(rng.uniform(np.log2(limits.smallest_subnormal), np.log2(limits.max) - 1, 4000))
    special = [0.0, np.inf, np.nan, 0.5, 0.75, limits.max, limits.tiny, limits.smallest_subnormal]
    x = np.concatenate([sizes, rng.normal(0, 1, 4000), rng.normal(0, 20, 4000), rng.uniform(0, 800, 4000), special])
    return np.concatenate([x, -x]).astype(dtype)


def test_every_loop_is_some_rows():
    assert {op.loop for op in ROWS} | {"where"} == set(LOOPS)


@pytest.mark.skipif(core is None, reason=NEEDS_CORE)
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loop_has_the_bits_of_its_numpy_form(op, dtype):
    x = points(dtype)
    rng = np.random.default_rng(1)
    others = [rng.permutation(x) for _ in op.operands[1:]]
    numbers = [dtype(0.75), dtype(1.5), dtype(0.5)][: len(others)]
    with np.errstate(all="ignore"):
        few = [(x[:n], *[y[:n] for y in others]) for n in (1, 7, 8, 9, 16, 127, 129)]  # of no, one or many blocks
        for operands in ((x, *others), (x, *numbers), (x[::-3], *[y[::3] for y in others]), *few):
            found = core.bind(op)(*[core.asarray(a) for a in operands]).numpy()
            same_bits(found, numpy_form(op.loop)(*operands), op.name)


def _log_of_one_and(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def _tanh_of_softplus(x):
    return np.tanh(_log_of_one_and(x))


def _logistic(x):
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-abs(x)))


# The function, its formula in extended precision, from where to where, and how many units in the last place it is off.
EXACT = {
    "sigmoid": (_logistic, -80, 30, 2),
    "softplus": (_log_of_one_and, -80, 30, 2),
    "logsigmoid": (lambda x: -_log_of_one_and(-x), -30, 80, 2),
    "silu": (lambda x: x * _logistic(x), -80, 30, 3),
    "mish": (lambda x: x * _tanh_of_softplus(x), -80, 30, 4),
}


@pytest.mark.skipif(np.finfo(L).nmant < 63, reason="long doubles are no longer than doubles here")
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_logistic_functions_are_off_by_few_units(name, dtype):
    exact, low, high, units = EXACT[name]
    x = np.random.default_rng(2).uniform(low, high, 20_000).astype(dtype)
    found = getattr(fg.nn.functional, name)(fg.asarray(x)).numpy() if name != "softplus" else fg.softplus(x).numpy()
    expected = exact(x.astype(L))
    assert (abs(found - expected) / np.spacing(abs(expected).astype(dtype))).max() < units


# `ndtr` from libm's erfc is off itself: the argument is rounded.
ERRORS = {
    "erf": (math.erf, 3),
    "erfc": (math.erfc, 8),
    "ndtr": (lambda x: 0.5 * math.erfc(-x * math.sqrt(0.5)), 100),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_error_functions_are_libms_but_for_a_few_units(name, dtype):
    exact, units = ERRORS[name]
    x = np.random.default_rng(2).uniform(-8, 8, 20_000).astype(dtype)
    expected = np.array([exact(value) for value in x.tolist()])
    found = getattr(fg.special, name)(x).numpy()
    assert found.dtype == dtype
    assert (abs(found - expected) / np.spacing(abs(expected).astype(dtype))).max() < units


SPECIAL_POWERS = [
    0.0,
    1.0,
    2.0,
    0.5,
    3.0,
    2.5,
    1e30,
    1e-40,
    8388609.0,
    16777217.0,
    2.0**53 - 1,
    2.0**53,
    np.inf,
    np.nan,
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_of_negative_numbers_are_numpys_but_for_the_last_bit(dtype):
    special = np.array([*SPECIAL_POWERS, *[-x for x in SPECIAL_POWERS]], dtype)
    drawn = np.random.default_rng(4).uniform(-3, 3, 3000).astype(dtype)
    for x, y in ((special[:, None], special), (drawn, dtype(3)), (drawn, dtype(-4)), (drawn, np.rint(drawn[::-1]))):
        with np.errstate(all="ignore"):
            found, expected = fg.power(x, y).numpy(), np.power(x, y)
            near = abs(found - expected) <= np.spacing(abs(expected))
        same = (found == expected) | (np.isnan(found) & np.isnan(expected)) | near
        assert (same & ((np.signbit(found) == np.signbit(expected)) | np.isnan(expected))).all()
        np.testing.assert_array_equal(
            found[..., ::-1], fg.power(x[..., ::-1], y[..., ::-1] if np.ndim(y) else y).numpy()
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cubes_are_rounded_once(dtype):
    x = np.random.default_rng(5).uniform(-3, 3, 500).astype(dtype)
    found = (fg.asarray(x) ** 3).numpy()
    for value, cube in zip(x, found):
        assert abs(Fraction(float(value)) ** 3 - Fraction(float(cube))) <= Fraction(0.501) * abs(np.spacing(cube))
    same_bits(fg.power(x, np.where(x < 9, dtype(3), x)).numpy(), found, "an exponent for each")
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e30, np.finfo(dtype).max], dtype)
    with np.errstate(all="ignore"):
        same_bits((fg.asarray(special) ** 3).numpy(), np.power(special, dtype(3)), "special", units=1)


def _near_zero(rng):
    return rng.uniform(-1, 1, 200) * 10.0 ** -rng.uniform(0, 12, 200)


# The function, where it is looked at, and how many units in the last place SciPy's or libm's and it may differ.
NUMBERS = np.random.default_rng(4)
SPECIAL = {
    "i0": (NUMBERS.uniform(-80, 80, 4000), 12),
    "i0e": (NUMBERS.uniform(-1000, 1000, 4000), 12),
    "i1": (np.append(NUMBERS.uniform(-80, 80, 4000), _near_zero(NUMBERS)), 12),
    "i1e": (NUMBERS.uniform(-1000, 1000, 4000), 12),
    "logit": (np.append(NUMBERS.uniform(0, 1, 4000), 0.5 + 0.5 * _near_zero(NUMBERS)), 5),
    "erfinv": (np.append(NUMBERS.uniform(-1, 1, 4000), 1 - abs(_near_zero(NUMBERS))), 20),
    "gammaln": (NUMBERS.uniform(2.5, 1000, 4000), 12),
    "entr": (NUMBERS.exponential(2, 4000), 4),
}
EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_functions_are_scipys_but_for_a_few_units(name, dtype):
    special = pytest.importorskip("scipy.special")
    x, units = SPECIAL[name]
    x = x.astype(dtype)
    expected, found = getattr(special, name)(x.astype(float)), getattr(fg.special, name)(x).numpy()
    assert found.dtype == dtype
    with np.errstate(all="ignore"):
        off = abs(found - expected) / np.spacing(abs(expected).astype(dtype))
    assert off[np.isfinite(expected) & (expected != 0)].max() < units
    edges = np.array([e for e in EDGES if not (name in ("i0", "i1") and np.isinf(e))], dtype)  # where SciPy's is nan
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(
            getattr(fg.special, name)(edges).numpy(), getattr(special, name)(edges), 10 * np.finfo(dtype).eps
        )


def test_special_functions_by_known_values():
    special = fg.special
    np.testing.assert_allclose(special.i0([712.0]).numpy(), [2.4684110577628e307], 1e-12)
    np.testing.assert_array_equal(special.i1([np.inf, -np.inf, 0.0]).numpy(), [np.inf, -np.inf, 0.0])
    np.testing.assert_array_equal(
        special.gammaln([1.0, 2.0, 0.0, -3.0, np.inf]).numpy(), [0, 0, np.inf, np.inf, np.inf]
    )
    np.testing.assert_allclose(special.gammaln([1e-310, 1 + 1e-10]).numpy(), [713.801378828154, -5.772156648e-11], 1e-7)
    np.testing.assert_allclose(
        special.gammaln([-0.5, -2.5, -100.3]).numpy(), [math.lgamma(v) for v in (-0.5, -2.5, -100.3)]
    )
    np.testing.assert_array_equal(special.xlogy([0.0, 0.0, 1.0], [0.0, -1.0, 0.0]).numpy(), [0.0, 0.0, -np.inf])
    np.testing.assert_array_equal(fg.sinc([0.0, 1.0, -7.0, 1e300]).numpy(), [1.0, 0.0, 0.0, 0.0])
    assert np.isnan(special.xlogy([0.0], [np.nan]).numpy()) and np.isnan(fg.sinc([np.inf]).numpy())
    x = np.linspace(-3, 3, 601)
    np.testing.assert_allclose(fg.sinc(x).numpy(), np.sinc(x), 1e-12, 1e-16)


@pytest.mark.parametrize("name", ["i0", "i0e", "i1", "i1e", "logit", "erfinv", "gammaln", "sinc"])
def test_slopes_of_special_functions(name):
    """First and second derivative against differences, on both sides of the bends of the formulas."""
    f = getattr(fg.special, name, None) or getattr(fg, name)
    points = {"logit": [0.1, 0.34, 0.5, 0.9], "erfinv": [-0.9, 0.1, 0.76, 0.999], "gammaln": [-1.3, 0.3, 1.2, 5.0, 9.0]}
    x = np.array(points.get(name, [-9.0, -7.0, -0.3, 1e-3, 0.45, 0.55, 1.7, 7.9, 8.1]))

    def slope(v):
        return fg.func.grad(lambda t: fg.sum(f(t)))(fg.asarray(v))

    h = 1e-5 * np.minimum(abs(x), abs(1 - abs(x)) if name in ("logit", "erfinv") else 1)
    first = slope(x).numpy()
    second = fg.func.grad(lambda t: fg.sum(fg.func.grad(lambda u: fg.sum(f(u)))(t)))(fg.asarray(x)).numpy()
    difference = (f(fg.asarray(x + h)).numpy() - f(fg.asarray(x - h)).numpy()) / (2 * h)
    np.testing.assert_allclose(first, difference, 1e-5, 1e-6)
    np.testing.assert_allclose(second, (slope(x + h).numpy() - slope(x - h).numpy()) / (2 * h), 1e-5, 1e-5)


@pytest.mark.skipif(np.finfo(L).nmant < 63, reason="long doubles are no longer than doubles here")
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sines_of_doubles_are_off_by_less_than_one_unit(name):
    x = np.random.default_rng(5).uniform(-20_000, 20_000, 50_000)  # beyond 16384 they are NumPy's
    x[::2] *= 1e-4
    expected = getattr(np, name)(x.astype(L))
    found = getattr(fg, name)(x).numpy()
    assert (abs(found - expected) / np.spacing(abs(expected).astype(float))).max() < 1
    multiples = np.arange(-10_430, 10_431) * (np.pi / 2)
    near = np.concatenate([multiples, np.nextafter(multiples, np.inf)])
    expected = getattr(np, name)(near)
    assert (abs(getattr(fg, name)(near).numpy() - expected) <= np.spacing(abs(expected))).all()
    far = np.array([1e5, -1e22, 2.0**60])
    same_bits(getattr(fg, name)(far).numpy(), getattr(np, name)(far), name)
