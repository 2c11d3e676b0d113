"""softmax and log_softmax on the direct path: the bits of the general one, whatever the shape, the axis and the threads."""

import numpy as np
import pytest
from samples import COMPILED, NEEDS_CORE, core, same_bits

import fastgrad as fg

needs_core = pytest.mark.skipif(not COMPILED, reason=NEEDS_CORE)
INF, NAN = np.inf, np.nan

#: A shape and an axis: lines, short lines, lines that are too long for the kernel, columns, columns of stacks.
SHAPES = [
    ((1,), 0), ((7,), 0), ((8,), 0), ((129,), 0), ((4096,), 0), ((4097,), 0), ((50_001,), 0),
    ((5000, 3), 1), ((300, 17), 1), ((70, 316), 1), ((40, 1000), 1), ((3, 4096), 1), ((3, 5000), 1),
    ((3, 5000), 0), ((316, 70), 0), ((1000, 300), 0), ((5000, 2), 0), ((9, 17), 0), ((1, 40), 0),
    ((6, 40, 130), 1), ((500, 10, 5), 1), ((2, 3, 4, 5), (1, 2)), ((2, 3, 4, 5), (2, 3)), ((30, 40), None),
]  # fmt: skip


def run(name, x, axis, direct=True, threads=2):
    """Value and gradient."""
    before, count = core.set_direct(direct), fg.get_num_threads()
    fg.set_num_threads(threads)
    try:
        leaf = fg.tensor(x, requires_grad=True)
        out = getattr(fg, name)(leaf, axis=axis)
        g = np.random.default_rng(1).normal(size=out.shape).astype(out.dtype)
        out.backward(fg.tensor(g))
        return out.detach().numpy(), leaf.grad.numpy()
    finally:
        core.set_direct(before)
        fg.set_num_threads(count)


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_the_bits_are_those_of_the_general_path(name, shape, axis, dtype):
    x = np.random.default_rng(0).normal(scale=3, size=shape).astype(dtype)
    expected = run(name, x, axis, direct=False)
    for threads in (1, 2, 5):
        for found, wanted in zip(run(name, x, axis, threads=threads), expected, strict=True):
            same_bits(found, wanted, f"{name} {shape} {axis} {threads}")


@needs_core
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_what_is_not_finite(name, dtype):
    values = [
        [1, INF, 2], [INF, INF, 0], [-INF, 0, -INF], [-INF, -INF, -INF], [NAN, 1, 2], [1, 2, NAN], [INF, NAN, 1],
        [0.0, -0.0, -INF], [-0.0, -INF, -INF], [1e30, -1e30, 0],
    ]  # fmt: skip
    for width in (3, 30, 300):
        x = np.tile(np.array(values, dtype), (1, width // 3))
        for given, axis in ((x, 1), (np.ascontiguousarray(x.T), 0)):
            expected = run(name, given, axis, direct=False)
            for found, wanted in zip(run(name, given, axis), expected, strict=True):
                np.testing.assert_array_equal(found, wanted, f"{name} {width} {axis}")
                same_bits(np.nan_to_num(found), np.nan_to_num(wanted), f"{name} {width} {axis}")


@needs_core
def test_a_cotangent_may_be_overwritten_where_nobody_else_sees_it():
    x = np.random.default_rng(0).normal(size=(300, 200))
    for name in ("softmax", "log_softmax"):
        for axis in (0, 1):
            found = []
            for keep in (False, True):
                leaf = fg.tensor(x, requires_grad=True)
                inner = getattr(fg, name)(leaf, axis=axis)
                if keep:
                    inner.retain_grad()
                (inner * 2).sum().backward()
                found.append(leaf.grad.numpy())
            same_bits(found[0], found[1], name)


@pytest.mark.parametrize("dtype", ["?", "i4", "f2", "f4", "f8", "c16"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_nothing_at_all(name, dtype):
    function = getattr(fg, name)
    for axis in (0, None):
        shape = () if name == "logsumexp" else (0,)
        found = function(np.zeros(0, dtype), axis=axis).numpy()
        assert found.shape == shape and found.dtype == function(np.zeros(3, dtype)).dtype
        np.testing.assert_array_equal(found, np.full(shape, -INF))
