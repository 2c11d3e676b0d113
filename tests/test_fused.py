"""Expressions written where their results go, block by block: the bits of plain NumPy, whatever overlaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import active, same_bits

from fastgrad import _reference as reference
from fastgrad.ops import TABLE

maximum, sqrt = TABLE["maximum"], TABLE["sqrt"]


def adam(p, g, m, v, rate, bias):
    m = m + (g - m) * 0.1
    v = v * 0.999 + g * g * 0.001
    return p - rate * m / (sqrt(v) / bias + 1e-8), m, v


def swap(x, y):
    return y + 0.0 * x, x * 1.0


def same(x, y):
    return x, y


def largest(x, y):
    x = maximum(x, y)
    return x, x


def looks(x, y):
    return (x if x.size > 2 else y), y


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble", "complex128", ">f8"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (100, 70), (0, 3)])
def test_a_step_in_place_has_numpys_bits(dtype, shape, rng):
    found = [rng.uniform(size=shape).astype(dtype) for _ in range(4)]
    expected = [a.copy() for a in found]
    for rate in (0.1, 0.2):
        active.fused(adam)([*found, rate, 0.3], (found[0], found[2], found[3]))
        for out, result in zip((0, 2, 3), adam(*expected, rate, 0.3)):
            expected[out] = np.asarray(result).astype(dtype)
    for a, b in zip(found, expected):
        same_bits(a, b, f"{dtype} {shape}")


@pytest.mark.parametrize("function", [swap, same, largest, looks])
@given(data=st.data())
def test_whatever_overlaps(function, data):
    memory = np.arange(24.0)
    views = [lambda m: m[:12].reshape(3, 4), lambda m: m[12:].reshape(3, 4), lambda m: m[4:16].reshape(3, 4),
             lambda m: m[:12].reshape(4, 3).T, lambda m: m[11::-1].reshape(3, 4), lambda m: m[::2].reshape(3, 4),
             lambda m: np.broadcast_to(m[5], (3, 4)), lambda m: m[3:7]]  # fmt: skip
    ins = [data.draw(st.sampled_from(views)) for _ in range(2)]
    outs = [views[0], views[1]]
    a, b = memory.copy(), memory.copy()
    active.fused(function)([v(a) for v in ins], [v(a) for v in outs])
    reference.fused(function)([v(b) for v in ins], [v(b) for v in outs])
    same_bits(a, b, function.__name__)


def test_an_expression_that_fails_writes_nothing():
    a = np.ones(3)
    with pytest.raises(ZeroDivisionError):
        active.fused(lambda x: (x * (1 // 0),))([a], [a])
    with pytest.raises((ValueError, TypeError)):
        active.fused(lambda x: (x, x, x))([a], [a])
    assert a.tolist() == [1, 1, 1]
