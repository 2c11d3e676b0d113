"""Composites: expressions in other rows. Most derivatives are derived, not written.

The first third is elementwise, so each becomes one fused node; the second runs along an axis, as one node too; the last
reduces, and records its parts.
"""

from __future__ import annotations

import math

import numpy as np

from ._batch import past
from ._curve import Lazy, curve
from ._doc import doc as _doc
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import erf, exp, log, square
from .reductions import mean, peak, sum

SQRT_HALF = math.sqrt(0.5)
SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)

# ---------------------------------------------------------------- elementwise --


# Forwards of complex numbers, integers and floats of other sizes than 4 and 8.


def _sigmoid(x):
    """exp(x) / (exp(x) + 1), both parts divided by the larger."""
    a, b = np.exp(np.minimum(x, 0)), np.exp(-np.maximum(x, 0))
    return a / (a + b)


def _silu_pull(t, x):
    s = _sigmoid(x)
    return t * (s * (1 + x * (1 - s)))


def _softplus(x):
    """log(1 + exp(x)) as max(x, 0) + log1p(exp(-abs(x)))."""
    above = np.maximum(x, 0)
    return above + np.log1p(np.exp(np.minimum(x, 0)) + np.expm1(-above))


def _logistic_loss(x, y):
    return y * _softplus(-x) + (1 - y) * _softplus(x)


def _logistic_pull(t, x, y):
    return t * ((1 - y) * _sigmoid(x) - y * _sigmoid(-x))


def _normal(x):
    return 0.5 * (1 + erf(x * SQRT_HALF))


def _density(x):
    return DENSITY_AT_0 * exp(-0.5 * (x * x))


# Formulas.


def _silu_pull_dx(g, out, t, x):
    s, c = sigmoid(x), sigmoid(-x)
    return g * (t * (s * c * (2 + x * (c - s))))


def _gelu(x, approximate="none"):
    if approximate == "none":
        return gelu_terms(x)
    if approximate == "tanh":  # (1 + tanh(z)) / 2 is sigmoid(2 * z)
        return x * sigmoid(x * (2 * SQRT_2_OVER_PI + (2 * 0.044715 * SQRT_2_OVER_PI) * (x * x)))
    raise ValueError(f'gelu: approximate must be "none" or "tanh", not {approximate!r}')


# ---------------------------------------------------------------- over an axis --


def _softmax(x, axis=-1):
    e = exp(x - peak(x, axis))
    return e / sum(e, axis=axis, keepdims=True)


def _softmax_dx(g, out, x, axis):
    return out * (g - sum(out * g, axis=axis, keepdims=True))


def _log_softmax(x, axis=-1):
    z = x - peak(x, axis)
    return z - log(sum(exp(z), axis=axis, keepdims=True))


def _log_softmax_dx(g, out, x, axis):
    return g - exp(out) * sum(g, axis=axis, keepdims=True)


def _log_softmax_jvp(tangents, out, x, axis):
    (t,) = tangents
    return t - sum(exp(out) * t, axis=axis, keepdims=True)


def _batch_along(name):
    """The batching rule of a row that leaves the shape as it is."""

    def batch(many, x, axis):
        axis = tuple(range(1, x.ndim)) if axis is None else past(axis, x)
        return TABLE[name](x, axis=axis)

    return batch


# ---------------------------------------------------------------- losses --


def _reduce(name, losses, reduction):
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f'{name}: reduction must be "mean", "sum" or "none", not {reduction!r}')


def _mse_loss(x, y, reduction="mean"):
    return _reduce("mse_loss", square(x - y), reduction)


def _bce_with_logits(x, y, reduction="mean"):
    return _reduce("binary_cross_entropy_with_logits", logistic_loss(x, y), reduction)


# fmt: off
sigmoid = _op("sigmoid", curve(Lazy("sigmoid"), _sigmoid), "x", vjp=lambda g, out, x: sigmoid_pull(g, out),
              loop="sigmoid", kinks=[((0.0,), (0.25,)), ((1000.0,), (0.0,)), ((-1000.0,), (0.0,))],
              doc=_doc("1 / (1 + exp(-x)), exact in both tails.", "sigmoid([-1000., 0., 1000.])",
                       "tensor([0. , 0.5, 1. ])", "Within 2 units in the last place."))
sigmoid_pull = _op("sigmoid_pull", curve(Lazy("sigmoid_pull"), Lazy("sigmoid_pull")), "t, y",
                   vjp=(lambda g, out, t, y: sigmoid_pull(g, y), lambda g, out, t, y: g * (t * (1 - 2 * y))),
                   loop="sigmoid_pull", doc="The vjp of sigmoid, from its result y.")
relu = _op("relu", curve(Lazy("relu"), lambda x: np.where(x <= 0, 0, x)), "x", loop="relu",
           vjp=lambda g, out, x: relu_pull(g, x),
           kinks=[((0.0,), (0.0,)), ((-0.0,), (0.0,)), ((math.nan,), (1.0,))],
           doc=_doc("The positive part of x.", "relu([-1., 0., 2.])", "tensor([0., 0., 2.])",
                    "The gradient is 0 at 0."))
relu_pull = _op("relu_pull", curve(Lazy("relu_pull"), lambda t, x: np.where(x <= 0, 0, t)), "t, x",
                vjp=(lambda g, out, t, x: relu_pull(g, x), lambda g, out, t, x: 0.0),
                loop="relu_pull", doc="The vjp of relu: t, and 0 where x is not positive.")
softplus = _op("softplus", curve(Lazy("softplus"), _softplus), "x", vjp=lambda g, out, x: softplus_pull(g, x),
               loop="softplus", kinks=[((0.0,), (0.5,)), ((1000.0,), (1.0,)), ((math.inf,), (1.0,))],
               doc=_doc("log(1 + exp(x)), without overflow.", "softplus([-1000., 1000.])", "tensor([   0., 1000.])",
                        "Within 2 units in the last place."))
softplus_pull = _op("softplus_pull", curve(Lazy("softplus_pull"), lambda t, x: t * _sigmoid(x)), "t, x",
                    vjp=(lambda g, out, t, x: softplus_pull(g, x),
                         lambda g, out, t, x: g * (t * (sigmoid(x) * sigmoid(-x)))),
                    loop="softplus_pull", doc="The vjp of softplus: t * sigmoid(x).")
silu = _op("silu", curve(Lazy("silu"), lambda x: x * _sigmoid(x)), "x", vjp=lambda g, out, x: silu_pull(g, x),
           loop="silu", kinks=[((0.0,), (0.5,))],
           doc=_doc("x * sigmoid(x), also called swish.", "silu([-1000., 0., 1000.])", "tensor([  -0.,    0., 1000.])"))
silu_pull = _op("silu_pull", curve(Lazy("silu_pull"), _silu_pull), "t, x", loop="silu_pull",
                vjp=(lambda g, out, t, x: silu_pull(g, x), _silu_pull_dx),
                doc="The vjp of silu.")
gelu_terms = _op("gelu_terms", curve(Lazy("gelu_terms"), lambda x: x * _normal(x)), "x",
                 vjp=lambda g, out, x: gelu_pull(g, x), loop="gelu_terms", kinks=[((0.0,), (0.5,))],
                 doc="x times the chance that a standard normal variable is less than x.")
gelu_pull = _op("gelu_pull", curve(Lazy("gelu_pull"), lambda t, x: t * (_normal(x) + x * _density(x))), "t, x",
                vjp=(lambda g, out, t, x: gelu_pull(g, x),
                     lambda g, out, t, x: g * (t * (_density(x) * (2 - x * x)))),
                loop="gelu_pull", doc="The vjp of gelu_terms.")
gelu = _op("gelu", _gelu, "x; approximate='none'", kinks=[((0.0,), (0.5,))],
           cases=[case((2, 3)), case((2, 3), approximate="tanh"), case(()), case((0, 2))],
           doc=_doc("Gaussian error linear unit: x times the chance that a standard normal variable is less than x.",
                    "gelu([0., 10.])", "tensor([ 0., 10.])",
                    "Hendrycks and Gimpel, Gaussian error linear units (GELUs), arXiv:1606.08415, 2016, section 2."))
logistic_loss = _op("logistic_loss", curve(Lazy("logistic_loss"), _logistic_loss), "x, y", near=((-2, 2), (0, 1)),
                    vjp=(lambda g, out, x, y: logistic_pull(g, x, y), lambda g, out, x, y: -(g * x)),
                    loop="logistic_loss",
                    doc="Cross entropy of y under sigmoid(x).")
logistic_pull = _op("logistic_pull", curve(Lazy("logistic_pull"), _logistic_pull), "t, x, y",
                    near=((-2, 2), (-2, 2), (0, 1)), loop="logistic_pull",
                    vjp=(lambda g, out, t, x, y: logistic_pull(g, x, y),
                         lambda g, out, t, x, y: g * (t * (sigmoid(x) * sigmoid(-x))),
                         lambda g, out, t, x, y: -(g * t)),
                    doc="t * (sigmoid(x) - y), with a term for each tail, so that neither cancels.")

softmax = _op("softmax", _softmax, "x; axis=-1", rowwise=_softmax, vjp=_softmax_dx, saves="out",
              jvp=lambda tangents, out, x, axis: _softmax_dx(tangents[0], out, x, axis),  # its Jacobian is symmetric
              batch=_batch_along("softmax"),
              cases=[case((3,)), case((2, 3)), case((2, 3), axis=0), case((2, 3), axis=None),
                     case((2, 3, 2), axis=(0, -1)), case((0, 3))],
              kinks=[(([0.0, 1000.0],), ([0.0, 0.0],)), (([-math.inf, 0.0],), ([0.0, 0.0],))],
              doc=_doc("exp(x) / sum(exp(x)) along an axis, without overflow.", "softmax([1000., 1000.])",
                       "tensor([0.5, 0.5])"))
log_softmax = _op("log_softmax", _log_softmax, "x; axis=-1", rowwise=_log_softmax, vjp=_log_softmax_dx, saves="out",
                  jvp=_log_softmax_jvp, batch=_batch_along("log_softmax"),
                  cases=[case((3,)), case((2, 3)), case((2, 3), axis=0), case((2, 3), axis=None),
                         case((2, 3, 2), axis=(0, -1)), case((0, 3))],
                  doc=_doc("log(softmax(x)), accurate where softmax(x) is tiny.", "log_softmax([-1000., 0.])",
                           "tensor([-1000.,     0.])"))
mse_loss = _op("mse_loss", _mse_loss, "x, y; reduction='mean'",
               cases=[case((2, 3), (2, 3)), case((3,), (3,), reduction="sum"), case((2, 3), (3,), reduction="none")],
               doc=_doc("Mean squared error.", "mse_loss([1., 2.], [1., 4.])", "tensor(2.)"))
binary_cross_entropy_with_logits = _op(
    "binary_cross_entropy_with_logits", _bce_with_logits, "x, y; reduction='mean'", near=((-2, 2), (0, 1)),
    cases=[case((2, 3), (2, 3)), case((3,), (3,), reduction="sum"), case((2,), (2,), reduction="none")],
    kinks=[(([0.0, 0.0], [0.0, 1.0]), ([0.25, -0.25], [0.0, 0.0]))],
    doc=_doc("Cross entropy of chances y under sigmoid(x).",
             "binary_cross_entropy_with_logits([-1000., 1000.], [0., 1.])", "tensor(0.)"))
# fmt: on
