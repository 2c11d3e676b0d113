"""Losses of single elements: expressions that become one fused node each. `nn/_losses.py` puts them together.

The operands are x, what a model gave, and y, what it should have been (`margin_terms`: x, the other input and y).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from . import _elementary
from ._curve import curve
from ._row import case, register
from .activations import gate
from .composites import softplus
from .elementwise import abs, exp, log, log1p, minimum, sign, square, where

_op = partial(register, module="fastgrad.nn.functional")

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _positive(x):
    """x, 0 where it is not positive; the gradient at 0 is 0."""
    return where(x <= 0, 0, x)


def _logs(x):
    """log(x) and log(1 - x), at least -100, as PyTorch has them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)


def _chances(x, y):
    low, high = _logs(np.asarray(x))
    return (y - 1) * high - y * low


def _chances_dx(g, out, x, y):
    """Where x * (1 - x) is below 1e-12 the slope is no larger than it is there."""
    spread = x * (1 - x)
    return g * (x - y) / where(spread < 1e-12, 1e-12, spread)


def _chances_dy(g, out, x, y):
    return g * (log1p(-x) - log(x))


def _smooth_l1(x, y, beta):
    return abs(x - y) if beta == 0 else huber_between(x, y, beta) / beta


def _xlogy(y):
    """y * log(y), and at 0, where it has no slope, 0."""
    return where(y == 0, 0, y * log(where(y == 0, 1, y)))


def _kl_terms(x, y, log_target):
    return exp(y) * (y - x) if log_target else _xlogy(y) - y * x


def _poisson(x, y, log_input, full, eps):
    loss = exp(x) - y * x if log_input else x - y * log(x + eps)
    if full:  # Stirling's formula
        large = where(y > 1, y, 1)
        loss = loss + where(y > 1, y * log(large) - y + 0.5 * log(2 * math.pi * large), 0)
    return loss


def _gaussian(x, y, var, full, eps):
    var = where(var < eps, eps, var)
    loss = 0.5 * (log(var) + square(x - y) / var)
    return loss + HALF_LOG_2PI if full else loss


_PAIR = [case((2, 3), (2, 3)), case((1,), (1,)), case((0, 2), (0, 2)), case((2, 3), (3,))]

# fmt: off
absolute_terms = _op(
    "absolute_terms", lambda x, y: abs(x - y), "x, y", kinks=[((1.0, 1.0), (0.0, 0.0))],
    doc="abs(x - y).")
square_terms = _op(
    "square_terms", lambda x, y: square(x - y), "x, y",
    doc="(x - y) ** 2.")
huber_between = _op(
    "huber_between", curve(_elementary.huber_terms), "x, y, delta", loop="huber_terms",
    near=((-2, 2), (-2, 2), (0.3, 1)), kinks=[((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))],
    vjp=(lambda g, out, x, y, delta: huber_pull(g, x, y, delta),
         lambda g, out, x, y, delta: huber_pull(-g, x, y, delta),
         lambda g, out, x, y, delta: g * (abs(x - y) - minimum(abs(x - y), delta))),
    doc="Half the square of x - y up to delta, and linear beyond.")
huber_pull = _op(
    "huber_pull", curve(_elementary.huber_pull), "t, x, y, delta", loop="huber_pull",
    near=((-2, 2), (-2, 2), (-2, 2), (0.3, 1)), cases=[case((2, 3), (2, 3), (2, 3), 0.5), case((), (), (), 1.0)],
    vjp=(lambda g, out, t, x, y, delta: huber_pull(g, x, y, delta),
         lambda g, out, t, x, y, delta: gate(g * t, x - y, -delta, delta),
         lambda g, out, t, x, y, delta: -gate(g * t, x - y, -delta, delta),
         lambda g, out, t, x, y, delta: where(abs(x - y) >= delta, g * (t * sign(x - y)), 0.0)),
    doc="t times x - y, cut off at delta.")
huber_terms = _op(
    "huber_terms", lambda x, y, delta: huber_between(x, y, delta), "x, y; delta=1.0",
    cases=[*_PAIR, case((3,), (3,), delta=0.3)], kinks=[((1.0, 1.0), (0.0, 0.0))],
    doc="Half the square of x - y up to delta, and linear beyond.")
smooth_l1_terms = _op(
    "smooth_l1_terms", _smooth_l1, "x, y; beta=1.0", cases=[*_PAIR, case((3,), (3,), beta=0.3), case((3,), (3,), beta=0)],
    kinks=[((1.0, 1.0), (0.0, 0.0))],
    doc="abs(x - y), rounded off below beta.")
kl_terms = _op(
    "kl_terms", _kl_terms, "x, y; log_target=False", near=((-2, 0), (0.1, 1)),
    cases=[*_PAIR, case((2, 3), (2, 3), log_target=True)], kinks=[((-1.0, 0.0), (0.0, 1.0))],
    doc="y * (log(y) - x), where y is a chance, or its logarithm, and x the logarithm of one.")
poisson_terms = _op(
    "poisson_terms", _poisson, "x, y; log_input=True, full=False, eps=1e-8", near=((0.2, 2), (0.5, 4)),
    cases=[*_PAIR, case((2, 3), (2, 3), log_input=False), case((2, 3), (2, 3), full=True)],
    doc="The negative log likelihood of counts y, which x, or exp(x), are expected.")
gaussian_terms = _op(
    "gaussian_terms", _gaussian, "x, y, var; full=False, eps=1e-6", near=((-2, 2), (-2, 2), (0.3, 2)),
    cases=[case((2, 3), (2, 3), (2, 3)), case((2, 3), (2, 3), (2, 1)), case((3,), (3,), (3,), full=True)],
    doc="The negative log likelihood of y under a normal distribution of mean x and variance var.")
hinge_terms = _op(
    "hinge_terms", lambda x, y, margin: where(y != -1, x, 0) + where(y != 1, _positive(margin - x), 0),
    "x, y; margin=1.0",
    cases=[case((2, 3), np.array([[1, -1, 1], [-1, -1, 1]])), case((3,), np.array(-1), margin=0.5)],
    kinks=[((1.0, np.array(-1)), (0.0, None)), ((0.5, np.array(-1)), (-1.0, None)), ((0.5, np.array(1)), (1.0, None))],
    doc="x where y is 1, what x lacks of the margin where y is -1.")
margin_terms = _op(
    "margin_terms", lambda x, z, y, margin: _positive(margin - y * (x - z)), "x, z, y; margin=0.0",
    cases=[case((2, 3), (2, 3), (2, 3)), case((3,), (3,), (3,), margin=5.0)], kinks=[((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))],
    doc="By how much x - z, times y, falls short of the margin.")
chance_terms = _op(
    "chance_terms", curve(_elementary.chance_terms, _chances), "x, y", vjp=(_chances_dx, _chances_dy),
    near=((0.1, 0.9), (0, 1)), loop="chance_terms",
    kinks=[((0.0, 0.0), (0.0, math.inf)), ((1.0, 1.0), (0.0, -math.inf)), ((0.0, 1.0), (-1e12, math.inf))],
    doc="Cross entropy of the chance y under the chance x.")
soft_margin_terms = _op(
    "soft_margin_terms", lambda x, y: softplus(-(y * x)), "x, y",
    doc="log(1 + exp(-x * y)).")
cosine_terms = _op(
    "cosine_terms", lambda x, y, margin: where(y == 1, 1 - x, where(y == -1, _positive(x - margin), 0)),
    "x, y; margin=0.0",
    cases=[case((2, 3), np.array([[1, -1, 1], [-1, -1, 1]])), case((3,), np.array(-1), margin=0.5)],
    doc="1 - x where y is 1, and what x has beyond the margin where y is -1.")
triplet_terms = _op(
    "triplet_terms", lambda x, y, margin: _positive(margin + x - y), "x, y; margin=1.0",
    cases=[case((2, 3), (2, 3)), case((3,), (3,), margin=0.5)],
    doc="By how much y is not larger than x by the margin.")
weighted_logistic_loss = _op(
    "weighted_logistic_loss", lambda x, y, w: w * y * softplus(-x) + (1 - y) * softplus(x), "x, y, w",
    near=((-2, 2), (0, 1), (0.5, 2)), cases=[case((2, 3), (2, 3), (3,)), case((1,), (1,), (1,)), case((0,), (0,), (1,))],
    doc="Cross entropy of y under sigmoid(x), what y contributes times w.")
# fmt: on
