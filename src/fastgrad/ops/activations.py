"""Activations: elementwise expressions, each of which becomes one fused node. `composites` has the commonest.

Where one branch of a `where` could overflow, what it is given is cut off first: the gradient of what is not chosen would
be 0 times infinity.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from . import _elementary
from ._curve import curve
from ._doc import describe
from ._doc import doc as _doc_of
from ._row import case, register
from .composites import sigmoid, softplus, softplus_pull
from .elementwise import abs, expm1, tanh, where

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


def _elu_dx(g, out, x, rise, fall, rate):
    """From the result, whose sign tells that of x if both factors are positive."""
    if all(type(number) is float for number in (rise, fall, rate)) and rate == 1 and rise > 0 and fall > 0:
        return elu_pull(g, out, rise, fall)
    return g * where(x > 0, rise, rate * (out + fall))


def _mish_pull(t, x):
    h, s = np.tanh(softplus.fn(x)), sigmoid.fn(x)
    return t * (h + x * ((1 - h * h) * s))


def _mish_pull_dx(g, out, t, x):
    h, s = tanh(softplus(x)), sigmoid(x)
    return g * (t * ((1 - h * h) * s * (2 + x * (1 - s - 2 * h * s))))


def _celu(x, alpha=1.0):
    if alpha == 0:
        raise ZeroDivisionError("celu: alpha must not be 0")
    if alpha < 0:  # the exponential grows: what it is given is cut off where it does not count
        return where(x > 0, x, alpha * expm1(where(x > 0, 0, x) / alpha))
    return elu_terms(x, 1.0, alpha, 1.0 / alpha)


def _hardtanh(x, min_val=-1.0, max_val=1.0):
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val}, which is above max_val, {max_val}")
    return clamp(x, min_val, max_val)


def _other_hardswish(x):
    return np.where(x <= -3, 0, np.where(x >= 3, x, x * (x + 3) / 6))


def _other_hardswish_pull(t, x):
    return np.where(x <= -3, 0, np.where(x >= 3, t, t * ((2 * x + 3) / 6)))


def _sharp_softplus(x, beta, threshold):
    if beta == 1.0:
        return sharp_terms(x, threshold)
    return where(x * beta > threshold, x, softplus(x * beta) / beta)


def _sharp_terms(x, threshold):
    return np.where(x > threshold, x, softplus.fn(x))


def _sharp_pull(t, x, threshold):
    return np.where(x > threshold, t, t * sigmoid.fn(x))


def _softshrink(x, lambd=0.5):
    if lambd < 0:
        raise ValueError(f"softshrink: lambd must not be negative, it is {lambd}")
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0))


_WITH = [case((2, 3)), case(()), case((0, 2))]
_PULLS = [case((2, 3), (2, 3), 1.5, 0.5), case((), (), 1.0, 1.0), case((0, 2), (0, 2), 1.0, 1.0)]
_RATES = [case((2, 3), 1.5, 0.5, 2.0), case((), 1.0, 1.0, 1.0), case((0, 2), 1.0, 1.0, 1.0)]

# fmt: off
leaky_terms = _op(
    "leaky_terms", curve(_elementary.leaky_terms, _elementary.leaky_terms), "t, x, slope", loop="leaky_terms",
    vjp=(lambda g, out, t, x, slope: leaky_terms(g, x, slope),
         lambda g, out, t, x, slope: 0.0,
         lambda g, out, t, x, slope: where(x > 0, 0.0, g * t)),
    doc="t where x is positive, slope * t elsewhere.")
clamp = _op(
    "clamp", curve(_elementary.clamp, _elementary.clamp), "x, low, high", loop="clamp",
    vjp=(lambda g, out, x, low, high: gate(g, x, low, high),
         lambda g, out, x, low, high: where(x <= low, g, 0.0),
         lambda g, out, x, low, high: where((x > low) & (x >= high), g, 0.0)),
    near=((-2, 2), (-1.2, -0.8), (0.8, 1.2)), kinks=[((-1.0, -1.0, 1.0), (0.0, 1.0, 0.0)), ((_NAN, -1.0, 1.0), (1.0, 0.0, 0.0))],
    doc="x, but at least low and at most high; at the bounds themselves x gets no gradient.")
gate = _op(
    "gate", curve(_elementary.gate, lambda t, x, low, high: np.where((x <= low) | (x >= high), 0, t)), "t, x, low, high",
    vjp=(lambda g, out, t, x, low, high: gate(g, x, low, high),
         lambda g, out, t, x, low, high: 0.0,
         lambda g, out, t, x, low, high: 0.0,
         lambda g, out, t, x, low, high: 0.0),
    near=((-2, 2), (-2, 2), (-1.2, -0.8), (0.8, 1.2)), loop="gate",
    cases=[case((2, 3), (2, 3), -1.0, 1.0), case((), (), -1.0, 1.0), case((0, 2), (0, 2), -1.0, 1.0)],
    doc="t where x is between low and high, 0 elsewhere: the vjp of clamp.")
leaky_relu = _op(
    "leaky_relu", lambda input, negative_slope=0.01: leaky_terms(input, input, negative_slope),
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
    near=((-2, 2), (0.5, 2), (0.5, 2), (0.5, 2)),
    vjp=(_elu_dx,
         lambda g, out, x, rise, fall, rate: where(x > 0, g * x, 0.0),
         lambda g, out, x, rise, fall, rate: g * elu_terms(x, 0.0, 1.0, rate),
         lambda g, out, x, rise, fall, rate: g * where(x > 0, 0.0, x * (out + fall))),
    cases=_RATES, kinks=[((0.0, 2.0, 1.0, 1.0), (1.0, 0.0, 0.0, 0.0))],
    doc="rise * x where x is positive, fall * (exp(rate * x) - 1) elsewhere, for a rate that is positive.")
elu_pull = _op(
    "elu_pull", curve(_elementary.elu_pull, _elementary.elu_pull), "t, y, rise, fall", loop="elu_pull",
    vjp=(lambda g, out, t, y, rise, fall: elu_pull(g, y, rise, fall),
         lambda g, out, t, y, rise, fall: where(y > 0, 0.0, g * t),
         lambda g, out, t, y, rise, fall: where(y > 0, g * t, 0.0),
         lambda g, out, t, y, rise, fall: where(y > 0, 0.0, g * t)),
    cases=_PULLS,
    doc="The vjp of elu_terms, for a rate of 1, from its result y.")
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
    "hardsigmoid", lambda input: (clamp(input, -3.0, 3.0) + 3) / 6, "input", near=(-5, 5),
    kinks=[((-3.0,), (0.0,)), ((3.0,), (0.0,)), ((0.0,), (1 / 6,))],
    doc=_doc("(x + 3) / 6, but at least 0 and at most 1.", "hardsigmoid([-9., 0., 9.])", "tensor([0. , 0.5, 1. ])"))
hardswish = _op(
    "hardswish", curve(_elementary.hardswish, _other_hardswish), "input", loop="hardswish",
    vjp=lambda g, out, input: hardswish_pull(g, input),
    near=(-5, 5), kinks=[((-3.0,), (0.0,)), ((3.0,), (1.0,)), ((0.0,), (0.5,)), ((-_INF,), (0.0,)), ((_INF,), (1.0,))],
    doc=_doc("x * hardsigmoid(x).", "hardswish([-9., 3., 9.])", "tensor([0., 3., 9.])",
             "Howard et al., Searching for MobileNetV3, arXiv:1905.02244."))
hardswish_pull = _op(
    "hardswish_pull", curve(_elementary.hardswish_pull, _other_hardswish_pull), "t, x", loop="hardswish_pull",
    vjp=(lambda g, out, t, x: hardswish_pull(g, x), lambda g, out, t, x: gate(g * t, x, -3.0, 3.0) / 3),
    doc="The vjp of hardswish.")
mish = _op(
    "mish", curve(_elementary.mish, lambda input: input * np.tanh(softplus.fn(input))), "input",
    vjp=lambda g, out, input: mish_pull(g, input), loop="mish",
    kinks=[((1000.0,), (1.0,)), ((-1000.0,), (0.0,))],
    doc=_doc("x * tanh(softplus(x)).", "mish([0., 1000.])", "tensor([   0., 1000.])",
             "Misra, Mish: a self regularized non-monotonic activation function, arXiv:1908.08681."))
mish_pull = _op(
    "mish_pull", curve(_elementary.mish_pull, _mish_pull), "t, x", loop="mish_pull",
    vjp=(lambda g, out, t, x: mish_pull(g, x), _mish_pull_dx),
    doc="The vjp of mish.")
softsign = _op(
    "softsign", lambda input: input / (1 + abs(input)), "input", kinks=[((0.0,), (1.0,))],
    doc=_doc("x / (1 + abs(x)).", "softsign([-1., 1.])", "tensor([-0.5,  0.5])"))
logsigmoid = _op(
    "logsigmoid", curve(_elementary.logsigmoid, lambda input: -softplus.fn(-input)), "input",
    vjp=lambda g, out, input: softplus_pull(g, -input), loop="logsigmoid", kinks=[((0.0,), (0.5,)), ((-1000.0,), (1.0,))],
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
sharp_terms = _op(
    "sharp_terms", curve(_elementary.sharp_terms, _sharp_terms), "x, threshold", loop="sharp_terms",
    near=((-2, 2), (3, 4)),
    vjp=(lambda g, out, x, threshold: sharp_pull(g, x, threshold), lambda g, out, x, threshold: 0.0),
    doc="softplus, and x itself above the threshold.")
sharp_pull = _op(
    "sharp_pull", curve(_elementary.sharp_pull, _sharp_pull), "t, x, threshold", loop="sharp_pull",
    near=((-2, 2), (-2, 2), (3, 4)),
    vjp=(lambda g, out, t, x, threshold: sharp_pull(g, x, threshold),
         lambda g, out, t, x, threshold: g * where(x > threshold, 0.0, t * (sigmoid(x) * sigmoid(-x))),
         lambda g, out, t, x, threshold: 0.0),
    doc="The vjp of sharp_terms.")
sharp_softplus = _op(
    "sharp_softplus", _sharp_softplus, "x; beta=1.0, threshold=20.0",
    cases=[*_WITH, case((3,), beta=2.0, threshold=1.0), case((3,), beta=0.5)],
    doc="log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold.")
prelu_terms = _op(
    "prelu_terms", lambda x, w: leaky_terms(x, x, w), "x, w", near=((-2, 2), (0.1, 0.9)),
    kinks=[((0.0, 0.5), (0.5, 0.0))],
    doc="x where it is positive, w times x elsewhere.")
glu_terms = _op(
    "glu_terms", lambda x, y: x * sigmoid(y), "x, y",
    doc="x times sigmoid(y).")
affine = _op(
    "affine", lambda x, w, b: x * w + b, "x, w, b",
    doc="x * w + b.")
# fmt: on
