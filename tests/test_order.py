"""Results lie in memory in the order NumPy gives them, so that what is summed over them has NumPy's bits."""

import itertools

import numpy as np
import pytest

import fastgrad as fg


def some_array(rng):
    """An array that lies in memory in any way that views make."""
    ndim = int(rng.integers(0, 5))
    longest = int(rng.choice([3, 5, 12] if ndim > 2 else [4, 40, 300]))
    shape = [int(n) for n in rng.integers(1 if rng.random() < 0.97 else 0, longest + 1, ndim)]
    steps = rng.choice([-2, -1, 1, 1, 1, 2], ndim)
    a = rng.uniform(0.1, 2.0, [n * abs(int(s)) for n, s in zip(shape, steps)])
    a = a.astype(rng.choice(["float32", "float64"]))
    a = a[tuple(slice(None, None, int(s)) for s in steps)]
    if rng.random() < 0.7:
        a = a.transpose(rng.permutation(ndim))
    if ndim and rng.random() < 0.3:
        axis = int(rng.integers(ndim))
        a = np.broadcast_to(a.take([0] if a.shape[axis] else [], axis=axis), a.shape)
    return a


def partner(rng, a):
    """An array that broadcasts with `a`, of its dtype."""
    b = np.asarray(rng.uniform(0.1, 2.0, a.shape[::-1]), a.dtype).T if rng.random() < 0.5 else np.flip(a)
    if rng.random() < 0.3:
        b = b[tuple(slice(0, 1) if rng.random() < 0.5 else slice(None) for _ in b.shape)]
    if b.ndim and rng.random() < 0.2:
        b = b[0] if b.shape[0] else b
    return b


def lies_as(got, expected, what):
    """Bits, and the strides of the axes along which there is something to step over."""
    assert got.shape == expected.shape and got.dtype == expected.dtype, what
    assert got.tobytes() == expected.tobytes(), f"{what}: other bits"
    if expected.size:
        strides = [[s for s, n in zip(x.strides, x.shape) if n > 1] for x in (got, expected)]
        assert strides[0] == strides[1], f"{what}: strides {strides[0]}, NumPy's {strides[1]}"


ELEMENTWISE = {
    1: [np.exp, np.negative, np.sqrt, np.square, np.isfinite, np.tanh],
    2: [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.less, np.arctan2],
    3: [np.where],
}


@pytest.mark.parametrize("part", range(4))
def test_results_lie_in_memory_as_numpys(part, rng):
    for _ in range(250):
        a = some_array(rng)
        b = partner(rng, a)
        for count, functions in ELEMENTWISE.items():
            function = functions[int(rng.integers(len(functions)))]
            arrays = {1: (a,), 2: (a, b), 3: (a > 1, a, b)}[count]
            if count == 2 and rng.random() < 0.5:
                arrays = arrays[::-1]
            tensors = [fg.asarray(x) for x in arrays]
            tensors[-1].requires_grad = bool(rng.random() < 0.5)
            got = function(*tensors).detach()
            where = [(x.shape, x.strides, str(x.dtype)) for x in arrays]
            lies_as(got.numpy(), np.asarray(function(*arrays)), (function.__name__, where))


@pytest.mark.parametrize("part", range(4))
def test_sums_and_means_are_numpys_bit_for_bit(part, rng):
    for _ in range(250):
        a = some_array(rng)
        if part % 2:  # a result: its order is what the operation before made of it
            a = np.exp(a)
        t = fg.asarray(a).requires_grad_(bool(rng.random() < 0.5))
        axes = [None, *range(-a.ndim, a.ndim)]
        axes += itertools.combinations(range(a.ndim), 2)
        axis = axes[int(rng.integers(len(axes)))]
        keepdims = bool(rng.random() < 0.4)
        for function in (np.sum, np.mean) if a.size else (np.sum,):
            expected = np.asarray(function(a, axis=axis, keepdims=keepdims))
            what = (function.__name__, a.shape, a.strides, str(a.dtype), axis, keepdims)
            lies_as(function(t, axis=axis, keepdims=keepdims).detach().numpy(), expected, what)
