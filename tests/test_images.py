"""Convolutions of the core: the bits of the rows' own NumPy, in every form of window."""

import numpy as np
import pytest
from samples import NEEDS_CORE, core, same_bits

from fastgrad.nn import functional as F

pytestmark = pytest.mark.skipif(core is None, reason=NEEDS_CORE)

#: Shapes of images and kernels, and options.
CALLS = [
    ((3, 2, 9, 8), (4, 2, 3, 3), {"padding": 1}),
    ((70, 2, 5, 6), (4, 2, 2, 3), {"stride": (2, 1), "padding": (1, 2)}),
    ((2, 4, 30, 41), (6, 2, 3, 5), {"groups": 2, "dilation": (2, 3), "padding": 3}),
    ((9, 3, 17), (5, 3, 4), {"stride": 3, "padding": 2}),
    ((2, 2, 5, 6, 7), (3, 2, 2, 3, 2), {"padding": (0, 2, 1), "stride": (1, 2, 2)}),
    ((5, 6, 4, 4), (8, 6, 1, 1), {}),
    ((2, 6, 24, 23), (8, 3, 1, 1), {"groups": 2}),
    ((3, 2, 24, 24), (2, 2, 24, 24), {}),
    ((3, 1, 2, 2), (1, 1, 2, 2), {"padding": 3}),
    ((40, 8, 28, 28), (16, 8, 5, 5), {"padding": 2}),
    ((2, 3, 6, 6), (3, 1, 3, 3), {"groups": 3, "padding": 1, "stride": 4}),
]


def convolve(x, w, direct, transposed, options):
    """The result, and its gradients of first and second order."""
    n = x.ndim - 2
    function = getattr(F, f"conv_transpose{n}d" if transposed else f"conv{n}d")
    before = core.set_direct(direct)
    try:
        x, w = core.tensor(x, requires_grad=True), core.tensor(w, requires_grad=True)
        out = function(x, w, **options)
        g = core.asarray(np.cos(np.arange(out.size)).reshape(out.shape).astype(out.dtype))
        first = core.grad([out], [x, w], [g], create_graph=True)
        second = core.grad([first[0], first[1]], [x, w], [x.detach(), w.detach()])
        return [t.detach().numpy() for t in (out, *first, *second)]
    finally:
        core.set_direct(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("call", range(len(CALLS)))
def test_a_convolution_of_the_core_has_the_rows_bits(call, transposed, dtype, rng):
    x_shape, w_shape, options = CALLS[call]
    x, w = rng.normal(size=x_shape).astype(dtype), rng.normal(size=w_shape).astype(dtype)
    if transposed:  # what the other way round gives and takes
        x = convolve(x, w, False, False, options)[0]
    for a, b in zip(*(convolve(x, w, direct, transposed, options) for direct in (True, False)), strict=True):
        same_bits(a, b, f"{x_shape} {w_shape} {options}")


@pytest.mark.parametrize("layout", [lambda a: a[::-1], lambda a: a.swapaxes(2, 3), lambda a: np.asfortranarray(a)])
def test_images_in_any_order_of_memory(layout, rng):
    x, w = rng.normal(size=(4, 3, 8, 8)), rng.normal(size=(2, 3, 3, 3))
    for a, b in zip(*(convolve(layout(x), w, direct, False, {}) for direct in (True, False)), strict=True):
        same_bits(a, b, "layout")


POOLS = [
    ((3, 2, 9, 8), 2, {}),
    ((3, 2, 9, 8), 3, {"stride": 1, "padding": 1}),
    ((2, 3, 30, 1200), (2, 3), {"stride": (3, 2), "dilation": (2, 3), "padding": (1, 1)}),
    ((5, 4, 700), 5, {"stride": 3, "padding": 2, "ceil_mode": True}),
    ((2, 2, 7, 6, 5), (2, 3, 2), {"padding": (1, 1, 0)}),
    ((2, 2, 10, 10), 9, {"stride": 1}),
    ((40, 16, 14, 14), 2, {}),
]


def pooled(x, n, size, direct, options):
    before = core.set_direct(direct)
    try:
        x = core.tensor(x, requires_grad=True)
        out = getattr(F, f"max_pool{n}d")(x, size, **options)
        g = core.asarray(np.cos(np.arange(out.size)).reshape(out.shape).astype(out.dtype))
        return [t.detach().numpy() for t in (out, *core.grad([out], [x], [g]))]
    finally:
        core.set_direct(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["plain", "ties", "special"])
@pytest.mark.parametrize("call", range(len(POOLS)))
def test_gradients_of_maxima_go_where_the_rows_put_them(call, kind, dtype, rng):
    shape, size, options = POOLS[call]
    x = rng.normal(size=shape)
    if kind == "ties":
        x = np.round(x)
    elif kind == "special":
        x = np.where(x > 1, np.nan, np.where(x < 0, -np.inf, x))
    results = [pooled(x.astype(dtype), len(shape) - 2, size, direct, options) for direct in (True, False)]
    for a, b in zip(*results, strict=True):
        same_bits(a, b, f"{shape} {size} {options}")
