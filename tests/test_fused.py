"""Expressions written where their results go, block by block: the bits of plain NumPy, whatever overlaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import NEEDS_CORE, active, core, same_bits

import fastgrad as fg
from fastgrad import _reference as reference
from fastgrad.ops import TABLE
from fastgrad.optim import _elementwise as optimizers

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


STEPS = {
    "sgd": ("SGD", {}),
    "sgd_decay": ("SGD", {"weight_decay": 0.1}),
    "sgd_momentum": ("SGD", {"momentum": 0.9, "dampening": 0.2}),
    "sgd_decay_momentum": ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam_decay": ("Adam", {"weight_decay": 0.1}),
    "adamw": ("AdamW", {}),
}


@pytest.mark.skipif(core is None, reason=NEEDS_CORE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [0, 1, 37, 70_001])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_the_core_has_the_bits_of_its_expression(name, size, dtype, rng, monkeypatch):
    if active is not core:
        pytest.skip(NEEDS_CORE)
    taken, fused_step = [], core.fused_step
    start, slopes = rng.normal(size=size).astype(dtype), rng.normal(size=(3, size)).astype(dtype)
    if size > 5:
        start[:3], slopes[1, :6] = [np.inf, np.nan, -0.0], [np.nan, np.inf, 0.0, -0.0, 1e-30, 1e30]
    found = []
    monkeypatch.setattr(optimizers.backend, "fused_step", lambda *given: taken.append(fused_step(*given)) or taken[-1])
    for direct in (True, False):
        before = core.set_direct(direct)
        try:
            kind, options = STEPS[name]
            p = fg.tensor(start, requires_grad=True)
            optimizer = getattr(fg.optim, kind)([p], lr=0.01, **options)
            for slope in slopes:
                p.grad = fg.tensor(slope)
                optimizer.step()
            found.append(
                [p.detach().numpy(), *(t.numpy() for t in optimizer.state[p].values() if isinstance(t, core.Tensor))]
            )
        finally:
            core.set_direct(before)
    assert any(taken[:3]), "the core has a step of that name"
    assert not any(taken[3:])
    for a, b in zip(*found, strict=True):
        same_bits(a, b, name)


@pytest.mark.skipif(core is None, reason=NEEDS_CORE)
def test_a_step_of_the_core_is_not_taken_where_memory_is_shared():
    p = core.asarray(np.ones(4))
    assert not core.fused_step(b"sgd", [p, p], (0.1, 0.0, 0.0, 1.0))
    assert not core.fused_step(b"sgd", [p[:2], p[1:3]], (0.1, 0.0, 0.0, 1.0))
    assert not core.fused_step(b"sgd", [p, core.asarray(np.ones(3))], (0.1, 0.0, 0.0, 1.0))
    assert not core.fused_step(b"adam", [p, core.asarray(np.ones(4))], (0.1, 0.0, 0.0, 1.0))
    assert not core.fused_step(b"sgd", [p, core.asarray(np.ones((4, 2)))[:, 0]], (0.1, 0.0, 0.0, 1.0))
    assert core.fused_step(b"sgd", [p, core.asarray(np.ones(4))], (0.5, 0.0, 0.0, 1.0))
    assert p.numpy().tolist() == [0.5] * 4
    assert p._version == 1
