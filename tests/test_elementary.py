"""The curves of csrc: the bits of their NumPy form, and how far they are from the truth."""

import math

import numpy as np
import pytest
from samples import NEEDS_CORE, core, same_bits

import fastgrad as fg
from fastgrad.ops import TABLE, _elementary, _gamma, load_all
from fastgrad.ops._row import LOOPS

load_all()
ROWS = [op for op in TABLE.values() if op.loop not in (None, "where")]
L = np.longdouble


def numpy_form(name):
    return getattr(_elementary, name, None) or _gamma.through_double(getattr(_gamma, name))


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
