"""Convolutions, maxima of windows and weighted sums of the core: the bits of the rows' own NumPy, in every form of window."""

import numpy as np
import pytest
from samples import COMPILED, ONCE, core, same_bits

from fastgrad.nn import functional as F
from fastgrad.ops.resampling import Taps

pytestmark = pytest.mark.skipif(not COMPILED, reason=ONCE)

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
    ((2, 8, 60, 61), (8, 8, 3, 3), {"padding": 1}),
    ((1, 4, 5000), (8, 2, 5), {"groups": 2, "stride": 2, "padding": 3}),
    ((2, 8, 9, 700), (8, 8, 3, 3), {"padding": (2, 0), "dilation": (1, 2)}),
    ((1, 3, 12, 13, 14), (4, 3, 2, 3, 2), {"padding": 1}),
    ((3, 8, 50, 40), (8, 8, 1, 1), {}),
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


def value_and_gradient(function, x, direct):
    before = core.set_direct(direct)
    try:
        x = core.tensor(x, requires_grad=True)
        out = function(x)
        g = core.asarray(np.cos(np.arange(out.size)).reshape(out.shape).astype(out.dtype))
        return [t.detach().numpy() for t in (out, *core.grad([out], [x], [g]))]
    finally:
        core.set_direct(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["plain", "ties", "special"])
@pytest.mark.parametrize("call", range(len(POOLS)))
def test_maxima_and_their_gradients_are_those_of_the_rows(call, kind, dtype, rng):
    shape, size, options = POOLS[call]
    x = rng.normal(size=shape)
    if kind == "ties":
        x = np.round(x)
    elif kind == "special":
        x = np.where(x > 1, np.nan, np.where(x < 0, -np.inf, x))
    pool = getattr(F, f"max_pool{len(shape) - 2}d")
    results = [value_and_gradient(lambda t: pool(t, size, **options), x.astype(dtype), way) for way in (True, False)]
    for a, b in zip(*results, strict=True):
        same_bits(a, b, f"{shape} {size} {options}")


#: What is made of sparse matrices along axes, and shapes of images.
SUMS = {
    "nearest": (lambda x: F.interpolate(x, scale_factor=2.0), (3, 2, 9, 8)),
    "nearest, smaller": (lambda x: F.interpolate(x, (4, 11), mode="nearest-exact"), (3, 2, 9, 8)),
    "linear": (lambda x: F.interpolate(x, 31, mode="linear", align_corners=True), (2, 3, 17)),
    "bilinear": (lambda x: F.interpolate(x, (40, 7), mode="bilinear"), (5, 8, 23, 41)),
    "bicubic": (lambda x: F.interpolate(x, (17, 41), mode="bicubic"), (2, 2, 23, 41)),
    "trilinear": (lambda x: F.interpolate(x, (3, 9, 4), mode="trilinear"), (2, 1, 5, 4, 6)),
    "smoothed": (lambda x: F.interpolate(x, (5, 60), mode="bicubic", antialias=True), (2, 2, 23, 41)),
    "area": (lambda x: F.interpolate(x, (5, 60), mode="area"), (2, 2, 23, 41)),
    "means": (lambda x: F.avg_pool2d(x, 2), (8, 8, 39, 39)),
    "means at edges": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 3, 8, 9)),
    "means of steps": (lambda x: F.avg_pool1d(x, 2, 3), (2, 3, 19)),
    "norms": (lambda x: F.lp_pool2d(x, 2, (3, 2), 1), (2, 2, 7, 6)),
    "a turned image": (lambda x: F.avg_pool2d(x.swapaxes(2, 3), 2), (2, 3, 8, 9)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SUMS)
def test_weighted_sums_along_axes_are_those_of_the_row(name, dtype, rng):
    function, shape = SUMS[name]
    x = rng.normal(size=shape).astype(dtype)
    for a, b in zip(*(value_and_gradient(function, x, direct) for direct in (True, False)), strict=True):
        same_bits(a, b, name)


@pytest.mark.parametrize("places", [[0, 3], [-1, 0]])
def test_a_matrix_of_places_outside_is_refused(places):
    with pytest.raises(ValueError, match="places must be from 0 to 2"):
        Taps(3, np.array([0, 1, 2]), np.array(places))
