"""Activations: elementwise expressions, each of which becomes one fused node. `composites` has the commonest.

Where one branch of a `where` could overflow, what it is given is cut off first: the gradient of what is not chosen would
be 0 times infinity.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from . import _elementary
from ._doc import describe
from ._doc import doc as _doc_of
from ._elementary import curve
from ._row import case, register
from .composites import sigmoid, softplus
from .elementwise import abs, tanh, where

_op = partial(register, module="fastgrad.nn.functional")
describe({
    "negative_slope": ("float", "The slope where x is negative."),
    "alpha": ("float", "How far below 0 the result gets."),
    "min_val": ("float", "The least result."),
    "max_val": ("float", "The largest result."),
    "lambd": ("float", "How far from 0 the result is 0."),
    "threshold.threshold": ("float", "Above it x stays."),
    "threshold.value": ("float", "What x is replaced by."),
})  # fmt: skip

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
_INF, _NAN = math.inf, math.nan


def _doc(summary, call, shows, notes=""):
    return _doc_of(summary, f"nn.functional.{call}", shows, notes)


def _elu_terms(x, rise, fall, rate):
    return np.where(x > 0, rise * x, fall * np.expm1(rate * np.minimum(x, 0)))


def _elu_slope(x, rise, fall, rate):
    return np.where(x > 0, rise, fall * np.exp(rate * np.minimum(x, 0)))


def _mish_slope(x):
    t, s = np.tanh(softplus.fn(x)), sigmoid.fn(x)
    return t + x * ((1 - t * t) * s)


def _mish_slope_dx(g, out, x):
    t, s = tanh(softplus(x)), sigmoid(x)
    return g * ((1 - t * t) * s * (2 + x * (1 - s - 2 * t * s)))


def _celu(x, alpha=1.0):
    if alpha == 0:
        raise ZeroDivisionError("celu: alpha must not be 0")
    return elu_terms(x, 1.0, alpha, 1.0 / alpha)


def _hardtanh(x, min_val=-1.0, max_val=1.0):
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val}, which is above max_val, {max_val}")
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


def _hardswish(input):
    inside = where((input <= -3) | (input >= 3), 0, input)
    return where(input <= -3, 0, where(input >= 3, input, inside * (inside + 3) / 6))


def _softplus(x, beta=1.0, threshold=20.0):
    z = x if beta == 1.0 else x * beta
    smooth = softplus(z)
    return where(z > threshold, x, smooth if beta == 1.0 else smooth / beta)


def _softshrink(x, lambd=0.5):
    if lambd < 0:
        raise ValueError(f"softshrink: lambd must not be negative, it is {lambd}")
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0))


_WITH = [case((2, 3)), case(()), case((0, 2))]
_RATES = [case((2, 3), 1.5, 0.5, 2.0), case((), 1.0, 1.0, 1.0), case((0, 2), 1.0, 1.0, 1.0)]

# fmt: off
leaky_relu = _op(
    "leaky_relu", lambda input, negative_slope=0.01: where(input > 0, input, input * negative_slope),
    "input; negative_slope=0.01",
    cases=[*_WITH, case((3,), negative_slope=-0.5)], kinks=[((0.0,), (0.01,)), ((2.0,), (1.0,))],
    doc=_doc("x where it is positive, negative_slope times x elsewhere.", "leaky_relu([-1., 2.])", "tensor([-0.01,  2.  ])"))
elu = _op(
    "elu", lambda input, alpha=1.0: elu_terms(input, 1.0, alpha, 1.0), "input; alpha=1.0",
    cases=[*_WITH, case((3,), alpha=0.5)], kinks=[((0.0,), (1.0,)), ((1000.0,), (1.0,)), ((-_INF,), (0.0,))],
    doc=_doc("x where it is positive, alpha * (exp(x) - 1) elsewhere.", "elu([-1000., 2.])", "tensor([-1.,  2.])",
             "Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential linear units\n"
             "(ELUs), arXiv:1511.07289."))
elu_terms = _op(
    "elu_terms", curve(_elementary.elu_terms, _elu_terms), "x, rise, fall, rate", loop="elu_terms",
    vjp=(lambda g, out, x, rise, fall, rate: g * elu_slope(x, rise, fall * rate, rate),
         lambda g, out, x, rise, fall, rate: where(x > 0, g * x, 0.0),
         lambda g, out, x, rise, fall, rate: g * elu_terms(x, 0.0, 1.0, rate),
         lambda g, out, x, rise, fall, rate: g * x * elu_slope(x, 0.0, fall, rate)),
    cases=_RATES, kinks=[((0.0, 2.0, 1.0, 1.0), (1.0, 0.0, 0.0, 0.0))],
    doc="rise * x where x is positive, fall * (exp(rate * x) - 1) elsewhere.")
elu_slope = _op(
    "elu_slope", curve(_elementary.elu_slope, _elu_slope), "x, rise, fall, rate", loop="elu_slope",
    vjp=(lambda g, out, x, rise, fall, rate: g * where(x > 0, 0.0, rate * out),
         lambda g, out, x, rise, fall, rate: where(x > 0, g, 0.0),
         lambda g, out, x, rise, fall, rate: g * elu_slope(x, 0.0, 1.0, rate),
         lambda g, out, x, rise, fall, rate: g * where(x > 0, 0.0, x * out)),
    cases=_RATES,
    doc="rise where x is positive, fall * exp(rate * x) elsewhere: the derivative of elu_terms.")
selu = _op(
    "selu", lambda input: elu_terms(input, SELU_SCALE, SELU_ALPHA * SELU_SCALE, 1.0), "input",
    kinks=[((0.0,), (SELU_ALPHA * SELU_SCALE,)), ((1000.0,), (SELU_SCALE,))],
    doc=_doc("A scaled `elu` that keeps mean 0 and variance 1.", "selu([0., 1.])", "tensor([0.        , 1.05070099])",
             "Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks, arXiv:1706.02515."))
celu = _op(
    "celu", lambda input, alpha=1.0: _celu(input, alpha), "input; alpha=1.0",
    cases=[*_WITH, case((3,), alpha=0.5)], kinks=[((0.0,), (1.0,)), ((1000.0,), (1.0,))],
    doc=_doc("x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere.", "celu([-1000., 2.])",
             "tensor([-1.,  2.])"))
hardtanh = _op(
    "hardtanh", lambda input, min_val=-1.0, max_val=1.0: _hardtanh(input, min_val, max_val),
    "input; min_val=-1.0, max_val=1.0", cases=[*_WITH, case((3,), min_val=-0.5, max_val=0.25)],
    kinks=[((-1.0,), (0.0,)), ((1.0,), (0.0,)), ((0.5,), (1.0,)), ((_NAN,), (1.0,))],
    doc=_doc("x, but at least min_val and at most max_val.", "hardtanh([-2., 0.5, 2.])", "tensor([-1. ,  0.5,  1. ])",
             "The gradient is 0 at the bounds."))
relu6 = _op(
    "relu6", lambda input: _hardtanh(input, 0.0, 6.0), "input", near=(-2, 8),
    kinks=[((0.0,), (0.0,)), ((6.0,), (0.0,)), ((3.0,), (1.0,))],
    doc=_doc("x, but at least 0 and at most 6.", "relu6([-1., 3., 9.])", "tensor([0., 3., 6.])"))
hardsigmoid = _op(
    "hardsigmoid", lambda input: where(input <= -3, 0, where(input >= 3, 1, (input + 3) / 6)), "input", near=(-5, 5),
    kinks=[((-3.0,), (0.0,)), ((3.0,), (0.0,)), ((0.0,), (1 / 6,))],
    doc=_doc("(x + 3) / 6, but at least 0 and at most 1.", "hardsigmoid([-9., 0., 9.])", "tensor([0. , 0.5, 1. ])"))
hardswish = _op(
    "hardswish", _hardswish, "input",
    near=(-5, 5), kinks=[((-3.0,), (0.0,)), ((3.0,), (1.0,)), ((0.0,), (0.5,)), ((-_INF,), (0.0,)), ((_INF,), (1.0,))],
    doc=_doc("x * hardsigmoid(x).", "hardswish([-9., 3., 9.])", "tensor([0., 3., 9.])",
             "Howard et al., Searching for MobileNetV3, arXiv:1905.02244."))
mish = _op(
    "mish", curve(_elementary.mish, lambda input: input * np.tanh(softplus.fn(input))), "input",
    vjp=lambda g, out, input: g * mish_slope(input), loop="mish",
    kinks=[((1000.0,), (1.0,)), ((-1000.0,), (0.0,))],
    doc=_doc("x * tanh(softplus(x)).", "mish([0., 1000.])", "tensor([   0., 1000.])",
             "Misra, Mish: a self regularized non-monotonic activation function, arXiv:1908.08681."))
mish_slope = _op(
    "mish_slope", curve(_elementary.mish_slope, _mish_slope), "x", vjp=_mish_slope_dx, loop="mish_slope",
    doc="The derivative of mish.")
softsign = _op(
    "softsign", lambda input: input / (1 + abs(input)), "input", kinks=[((0.0,), (1.0,))],
    doc=_doc("x / (1 + abs(x)).", "softsign([-1., 1.])", "tensor([-0.5,  0.5])"))
logsigmoid = _op(
    "logsigmoid", curve(_elementary.logsigmoid, lambda input: -softplus.fn(-input)), "input",
    vjp=lambda g, out, input: g * sigmoid(-input), loop="logsigmoid", kinks=[((0.0,), (0.5,)), ((-1000.0,), (1.0,))],
    doc=_doc("log(sigmoid(x)), without overflow.", "logsigmoid([-1000., 1000.])", "tensor([-1000.,    -0.])"))
tanhshrink = _op(
    "tanhshrink", lambda input: input - tanh(input), "input",
    doc=_doc("x - tanh(x).", "tanhshrink([0., 0.])", "tensor([0., 0.])"))
softshrink = _op(
    "softshrink", _softshrink, "x; lambd=0.5", bind=lambda input, lambd=0.5: ((input,), {"lambd": lambd}),
    cases=[*_WITH, case((3,), lambd=1.0)], kinks=[((0.5,), (0.0,)), ((-0.5,), (0.0,)), ((2.0,), (1.0,))],
    doc=_doc("x moved by lambd towards 0, and 0 where it would pass it.", "softshrink([-1., 0.2, 1.])",
             "tensor([-0.5,  0. ,  0.5])"))
hardshrink = _op(
    "hardshrink", lambda input, lambd=0.5: where((input >= -lambd) & (input <= lambd), 0, input), "input; lambd=0.5",
    cases=[*_WITH, case((3,), lambd=1.0)], kinks=[((0.5,), (0.0,)), ((-0.5,), (0.0,)), ((2.0,), (1.0,))],
    doc=_doc("x, but 0 from -lambd to lambd.", "hardshrink([-1., 0.2, 1.])", "tensor([-1.,  0.,  1.])"))
threshold = _op(
    "threshold", lambda input, threshold, value: where(input <= threshold, value, input), "input; threshold, value",
    cases=[case((2, 3), threshold=0.5, value=-1.0), case((), threshold=0.0, value=2.0)],
    doc=_doc("x where it is above the threshold, a value elsewhere.", "threshold([0., 2.], 1., 5.)", "tensor([5., 2.])"))
sharp_softplus = _op(
    "sharp_softplus", lambda x, beta, threshold: _softplus(x, beta, threshold), "x; beta=1.0, threshold=20.0",
    cases=[*_WITH, case((3,), beta=2.0, threshold=1.0), case((3,), beta=0.5)],
    doc="log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold.")
prelu_terms = _op(
    "prelu_terms", lambda x, w: where(x > 0, x, x * w), "x, w", near=((-2, 2), (0.1, 0.9)),
    kinks=[((0.0, 0.5), (0.5, 0.0))],
    doc="x where it is positive, w times x elsewhere.")
glu_terms = _op(
    "glu_terms", lambda x, y: x * sigmoid(y), "x, y",
    doc="x times sigmoid(y).")
affine = _op(
    "affine", lambda x, w, b: x * w + b, "x, w, b",
    doc="x * w + b.")
# fmt: on
