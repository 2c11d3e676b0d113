"""Numeric gradients with an error bound of their own, in PyTorch's convention for complex numbers.

For a real loss L of z = a + ib the gradient is dL/da + i dL/db. A cotangent g of a complex result w
means the loss Re(conj(g) w), so the same definition covers results of every dtype.
"""

import numpy as np

EPS = np.finfo(np.float64).eps
STEP = EPS**0.25
"""Truncation of a central difference is about STEP**2, its rounding about EPS/STEP: both small, and the
first is measured (see `gradient`), so that the second may be bounded generously."""

ROUNDING = 64.0
"""How many roundings of the loss's size a difference is allowed: NumPy's functions are good to 4 ulps, a
difference takes two values, a row composes a few functions."""

DIRECTIONS = 3
"""In how many random directions a derivative is looked at, where that is done. A wrong gradient is right in none."""


def pairing(gs, outs):
    """Re(sum(conj(g) out)) and the sum of the terms' sizes, which is what its rounding scales with."""
    total = size = 0.0
    for g, out in zip(gs, outs):
        terms = np.real(np.conj(g) * np.asarray(out))
        total += float(np.sum(terms))
        size += float(np.sum(np.abs(g) * np.abs(out)))
    return total, size


def _slope(loss, x, index, step, direction):
    kept = x[index].copy()
    x[index] = kept + direction * step
    high, size_high = loss()
    x[index] = kept - direction * step
    low, size_low = loss()
    x[index] = kept
    return (high - low) / (2 * step), max(size_high, size_low)


def _derivative(loss, x, index, step, direction):
    """The slope, and a bound on its error."""
    wide, _ = _slope(loss, x, index, step, direction)
    narrow, size = _slope(loss, x, index, step / 2, direction)
    best = (4 * narrow - wide) / 3
    return best, abs(best - narrow) + ROUNDING * EPS * size / step


def gradient(loss, x):
    """The gradient of ``loss()`` in the array `x` it reads, and a bound on each element's error.

    The slope is taken with two steps; their difference measures the truncation (Richardson), and the extrapolated value
    is returned. `loss` gives its value and its size.
    """
    grad = np.zeros(x.shape, np.complex128 if x.dtype.kind == "c" else np.float64)
    error = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        for direction in (1, 1j) if x.dtype.kind == "c" else (1,):
            slope, bound = _derivative(loss, x, index, STEP * max(1.0, abs(x[index])), direction)
            grad[index] += slope * direction
            error[index] += bound
    return grad, error


def assert_gradient(found, loss, x, what):
    """`found` is the gradient of ``loss()`` in `x`, within what the numeric one can tell."""
    expected, error = gradient(loss, x)
    found = np.asarray(found)
    assert found.shape == x.shape, f"{what}: shape {found.shape} instead of {x.shape}"
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(found - expected) <= error + ROUNDING * EPS * np.abs(expected))
    if wrong.any():
        index = tuple(np.argwhere(wrong)[0])
        raise AssertionError(
            f"{what}: at {index} found {found[index]}, numerically {expected[index]} ± {error[index]:.1e}\n"
            f"x = {x!r}\nfound = {found!r}\nnumeric = {expected!r}"
        )


def assert_gradient_along(rng, found, loss, x, what):
    """`assert_gradient` in a few random directions, where that is less work than every element's."""
    if x.size * (1 + (x.dtype.kind == "c")) <= DIRECTIONS:
        assert_gradient(found, loss, x, what)
        return
    found = np.asarray(found)
    assert found.shape == x.shape, f"{what}: shape {found.shape} instead of {x.shape}"
    for _ in range(DIRECTIONS):
        direction = rng.uniform(0.5, 1.0, x.shape) * rng.choice([-1.0, 1.0], x.shape)
        if x.dtype.kind == "c":
            direction = direction * np.exp(1j * rng.uniform(-np.pi, np.pi, x.shape))
        step = STEP * max(1.0, float(np.abs(x).max()))
        expected, error = _derivative(loss, x, ..., step, direction)
        terms = np.real(np.conj(found) * direction)
        error += ROUNDING * EPS * float(np.abs(terms).sum())
        assert abs(terms.sum() - expected) <= error, (
            f"{what}: along {direction!r} found {terms.sum()}, numerically {expected} ± {error:.1e}\n"
            f"x = {x!r}\nfound = {found!r}"
        )
