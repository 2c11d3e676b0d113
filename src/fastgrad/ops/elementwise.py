"""Elementwise rows: arithmetic, powers, exponentials, trigonometry, comparison, logic and bits.

Formulas say ``g`` for the cotangent of the result, ``out`` for the result, ``x, y`` for the operands, and are made
of rows, operators and Python scalars alone, so that each can be traced into a program (Note [Rows]).
Names in a formula are looked up when it runs; so a row may use rows below it.
"""

from __future__ import annotations

import math

import numpy as np

from ._curve import Lazy, curve
from ._doc import doc as _doc
from ._row import case
from ._row import register as _op

try:
    from numpy._core.umath import clip as _clip  # the ufunc behind np.clip
except ImportError:  # NumPy moved it: the function is right too, only slower
    _clip = np.clip

LN2 = math.log(2.0)
LN10 = math.log(10.0)
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
_SCALARS = (int, float, complex)


# ---------------------------------------------------------------- helpers of forwards --


def _erf_of_others(x):
    """Integers: as float64; other floats: through float64; complex numbers: SciPy's."""
    x = np.asarray(x)
    if x.dtype.kind == "c":
        try:
            from scipy.special import erf
        except ImportError:
            raise TypeError(
                f"erf: of {x.dtype} it is computed by SciPy, which is not here: pip install scipy"
            ) from None
        return erf(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"erf: takes numbers, not {x.dtype}")
    out = _erf(x.astype(float))
    return out.astype(x.dtype) if x.dtype.kind == "f" else out


_erf = curve(Lazy("erf"), _erf_of_others)


def _bind_clip(x, min=None, max=None, *, a_min=None, a_max=None):
    """np.clip's way with missing bounds: the smallest and the largest number there is."""
    min = a_min if min is None else min
    max = a_max if max is None else max
    least, greatest = -math.inf, math.inf
    if min is None or max is None or type(min) is int or type(max) is int:
        dtype = getattr(x, "dtype", None) or np.asarray(x).dtype
        if dtype.kind in "biu":
            # Python integers beyond the range of x bound nothing, as in np.clip
            info = np.iinfo(int if dtype.kind == "b" else dtype)
            least, greatest = info.min, info.max
            min = least if type(min) is int and min < least else min
            max = greatest if type(max) is int and max > greatest else max
    return (x, least if min is None else min, greatest if max is None else max), {}


# ---------------------------------------------------------------- helpers of formulas --


def _no_slope(g, out, *operands):
    return 0.0


def _sign_dx(g, out, x):
    """0 for real x. Complex x/abs(x) turns: PyTorch's gradient of `sgn`. It asks for a dtype, so it has no program."""
    if x.dtype.kind != "c":
        return 0.0
    return (g - out * real(g * conj(out))) / where(x == 0, math.inf, abs(x))


def _abs_jvp(tangents, out, x):
    (t,) = tangents
    return real(conj(sign(x)) * t) if x.dtype.kind == "c" else t * sign(x)


def _power_dx(g, out, x, y):
    if type(y) in _SCALARS:
        return 0.0 if y == 0 else g * (y * x ** (y - 1))
    base = where((y == 0) & ((x == 0) | isnan(x)), 1.0, x)  # x**0 is constant, at 0 and nan too
    return g * (y * base ** (y - 1))


def _power_dy(g, out, x, y):
    if type(x) in (int, float) and x > 0:
        return g * (out * math.log(x))
    return g * (out * log(where((x == 0) & (y >= 0), 1.0, x)))  # 0**y is constant for y > 0


def _half_at_ties(g, x, y):
    return where(x == y, g / 2, g)


def _share_dx(g, out, t, x, y):
    return g * (t * (share(1.0, x, y) * share(1.0, y, x)))


def _share_of_others(t, x, y):
    """exp(x) / (exp(x) + exp(y)), and so that neither part is small where that is not."""
    d = np.where((x == y) & np.isinf(x), 0.0, x - y)
    a, b = np.exp(np.minimum(d, 0)), np.exp(-np.maximum(d, 0))
    return t * (a / (a + b))


def _radius(y, x):
    r = hypot(y, x)
    return where(r == 0, 1.0, r)  # the angle at the origin is taken for constant


INF = math.inf
NAN = math.nan
_POSITIVE = (0.3, 3.0)
_PARTS = [case((2, 3)), case(()), case((0, 2)), case(np.array([[1 + 2j, -0.5 + 1j], [0.25j, -3]]))]

# fmt: off
# ---------------------------------------------------------------- arithmetic --

add          = _op("add",          np.add,          "x, y", vjp=(lambda g, out, x, y: g,
                                                                 lambda g, out, x, y: g),
                   doc=_doc("x + y.", "add([1., 2.], 1.)", "tensor([2., 3.])"))
subtract     = _op("subtract",     np.subtract,     "x, y", vjp=(lambda g, out, x, y: g,
                                                                 lambda g, out, x, y: -g),
                   doc=_doc("x - y.", "subtract([1., 2.], 1.)", "tensor([0., 1.])"))
multiply     = _op("multiply",     np.multiply,     "x, y", vjp=(lambda g, out, x, y: g * y,
                                                                 lambda g, out, x, y: g * x),
                   doc=_doc("x * y.", "multiply([1., 2.], 2.)", "tensor([2., 4.])"))
divide       = _op("divide",       np.divide,       "x, y", vjp=(lambda g, out, x, y: g / y,
                                                                 lambda g, out, x, y: -(g / y * out)),
                   near=((-2, 2), (0.5, 2)),
                   doc=_doc("x / y.", "divide([1., 2.], 2.)", "tensor([0.5, 1. ])"))
floor_divide = _op("floor_divide", np.floor_divide, "x, y", vjp=(_no_slope, _no_slope),
                   near=((5.1, 5.9), (2.0, 2.2)),
                   doc=_doc("The largest integer not above x / y.", "floor_divide([7., -7.], 2.)",
                            "tensor([ 3., -4.])"))
remainder    = _op("remainder",    np.remainder,    "x, y", vjp=(lambda g, out, x, y: g,
                                                                 lambda g, out, x, y: -g * (x // y)),
                   near=((5.1, 5.9), (2.0, 2.2)), kinks=[((-5.0, 3.0), (1.0, 2.0))],
                   doc=_doc("What x // y leaves, with the sign of y.", "remainder([7., -7.], 4.)", "tensor([3., 1.])"))
power        = _op("power",        curve(Lazy("power"), np.power), "x, y", vjp=(_power_dx, _power_dy), loop="power",
                   near=((0.5, 2), (-2, 2)),
                   kinks=[((0.0, 0.0), (0.0, 0.0)), ((0.0, 2.0), (0.0, 0.0)), ((NAN, 0.0), (0.0, NAN)),
                          ((INF, 0.0), (0.0, INF)), ((-2.0, 2.0), (-4.0, NAN)), ((0.0, 0.5), (INF, 0.0)),
                          ((0.0, 1.0), (1.0, 0.0))],
                   doc=_doc("x to the power y.", "power([1., 2., 3.], 2.)", "tensor([1., 4., 9.])",
                            "The gradient of ``x**0`` is 0 everywhere, and so is that of ``0**y`` in y for y >= 0. In single or double\n"
                            "precision powers of a negative x are those of abs(x) with their sign, and cubes are multiplied out with\n"
                            "fewer roundings: NumPy's own may differ from both by 1 unit in the last place."))
scalar_power = _op("scalar_power", lambda x, exponent: power(x, exponent), "x; exponent", near=(0.5, 2),
                   cases=[case((2, 3), exponent=3), case((), exponent=-2), case((0, 2), exponent=1.5)],
                   kinks=[],
                   doc="x to the power of one number, whose derivative needs no care for the number's value.")
negative     = _op("negative",     np.negative,     "x", vjp=lambda g, out, x: -g,
                   doc=_doc("-x.", "negative([1., -2.])", "tensor([-1.,  2.])"))
positive     = _op("positive",     np.positive,     "x", vjp=lambda g, out, x: g,
                   doc=_doc("+x, a copy.", "positive([1., -2.])", "tensor([ 1., -2.])"))
abs          = _op("abs",          np.absolute,     "x", vjp=lambda g, out, x: g * sign(x), holomorphic=False,
                   jvp=_abs_jvp,
                   kinks=[((0.0,), (0.0,)), ((-0.0,), (0.0,))],
                   doc=_doc("Absolute value.", "abs([-1., 2.])", "tensor([1., 2.])", "The gradient is 0 at 0."))
sign         = _op("sign",         np.sign,         "x", vjp=_sign_dx, loop="sign", holomorphic=False, near=(0.2, 2),
                   kinks=[((0.0,), (0.0,))],
                   doc=_doc("-1, 0 or 1; of a complex number x / abs(x).", "sign([-3., 0., 2.])",
                            "tensor([-1.,  0.,  1.])"))

# ---------------------------------------------------------------- powers and exponentials --

square     = _op("square",     np.square,     "x", vjp=lambda g, out, x: g * (2 * x),
                 doc=_doc("x * x.", "square([1., 2., 3.])", "tensor([1., 4., 9.])"))
sqrt       = _op("sqrt",       np.sqrt,       "x", vjp=lambda g, out, x: g / (2 * out),         near=_POSITIVE,
                 kinks=[((0.0,), (INF,))],
                 doc=_doc("Square root.", "sqrt([1., 4., 9.])", "tensor([1., 2., 3.])", "The gradient is inf at 0."))
cbrt       = _op("cbrt",       np.cbrt,       "x", vjp=lambda g, out, x: g / (3 * out * out),   near=_POSITIVE,
                 kinks=[((0.0,), (INF,))],
                 doc=_doc("Cube root.", "cbrt([0., 1.])", "tensor([0., 1.])"))
reciprocal = _op("reciprocal", np.reciprocal, "x", vjp=lambda g, out, x: -g * out * out,        near=_POSITIVE,
                 doc=_doc("1 / x.", "reciprocal([1., 2.])", "tensor([1. , 0.5])"))
exp        = _op("exp",        np.exp,        "x", vjp=lambda g, out, x: g * out,
                 doc=_doc("e to the power x.", "exp([0., 0.])", "tensor([1., 1.])"))
exp2       = _op("exp2",       np.exp2,       "x", vjp=lambda g, out, x: g * (LN2 * out),
                 doc=_doc("2 to the power x.", "exp2([0., 1., 2.])", "tensor([1., 2., 4.])"))
expm1      = _op("expm1",      np.expm1,      "x", vjp=lambda g, out, x: g * (out + 1),
                 doc=_doc("exp(x) - 1, accurate near 0.", "expm1([0., 0.])", "tensor([0., 0.])"))
log        = _op("log",        np.log,        "x", vjp=lambda g, out, x: g / x,                 near=_POSITIVE,
                 doc=_doc("Natural logarithm.", "log([1., 1.])", "tensor([0., 0.])"))
log2       = _op("log2",       np.log2,       "x", vjp=lambda g, out, x: g / (LN2 * x),         near=_POSITIVE,
                 doc=_doc("Logarithm to base 2.", "log2([1., 2., 8.])", "tensor([0., 1., 3.])"))
log10      = _op("log10",      np.log10,      "x", vjp=lambda g, out, x: g / (LN10 * x),        near=_POSITIVE,
                 doc=_doc("Logarithm to base 10.", "log10([1., 10.])", "tensor([0., 1.])"))
log1p      = _op("log1p",      np.log1p,      "x", vjp=lambda g, out, x: g / (1 + x),           near=(-0.7, 3),
                 doc=_doc("log(1 + x), accurate near 0.", "log1p([0., 0.])", "tensor([0., 0.])"))
logaddexp  = _op("logaddexp",  curve(Lazy("logaddexp"), np.logaddexp), "x, y", loop="logaddexp", vjp=(lambda g, out, x, y: share(g, x, y),
                                                                     lambda g, out, x, y: share(g, y, x)),
                 kinks=[((-INF, 0.0), (0.0, 1.0)), ((INF, 0.0), (1.0, 0.0)), ((-INF, -INF), (0.5, 0.5)),
                        ((1.0, 1.0), (0.5, 0.5)), ((1000.0, 0.0), (1.0, 0.0))],
                 doc=_doc("log(exp(x) + exp(y)), without overflow.", "logaddexp([1000.], [0.])", "tensor([1000.])",
                          "Within 3 units in the last place of the largest of x, y and the result."))
share      = _op("share", curve(Lazy("share"), _share_of_others), "t, x, y", loop="share",
                 vjp=(lambda g, out, t, x, y: share(g, x, y), _share_dx,
                      lambda g, out, t, x, y: -_share_dx(g, out, t, x, y)),
                 doc="t * exp(x) / (exp(x) + exp(y)), without overflow: the vjp of logaddexp.")
erf        = _op("erf",        _erf,          "x", vjp=lambda g, out, x: g * (TWO_OVER_SQRT_PI * exp(-(x * x))),
                 loop="erf",
                 doc=_doc("Error function.", "erf([0., 10.])", "tensor([0., 1.])", "Within 2 units in the last place."))

# ---------------------------------------------------------------- trigonometry, circular and hyperbolic --

sin     = _op("sin",     curve(Lazy("sin"), np.sin), "x", loop="sin", vjp=lambda g, out, x: g * cos(x),
              doc=_doc("Sine, of radians.", "sin([0., 0.])", "tensor([0., 0.])",
                       "Of doubles within 1 unit in the last place, which may not be NumPy's."))
cos     = _op("cos",     curve(Lazy("cos"), np.cos), "x", loop="cos", vjp=lambda g, out, x: -(g * sin(x)),
              doc=_doc("Cosine, of radians.", "cos([0., 0.])", "tensor([1., 1.])",
                       "Of doubles within 1 unit in the last place, which may not be NumPy's."))
tan     = _op("tan",     np.tan,     "x", vjp=lambda g, out, x: g * (1 + out * out),                 near=(-1.2, 1.2),
              doc=_doc("Tangent, of radians.", "tan([0., 0.])", "tensor([0., 0.])"))
arcsin  = _op("arcsin",  np.arcsin,  "x", vjp=lambda g, out, x: g / sqrt(-((x - 1) * (x + 1))),      near=(-0.9, 0.9),
              doc=_doc("Inverse sine, in radians.", "arcsin([0., 0.])", "tensor([0., 0.])"))
arccos  = _op("arccos",  np.arccos,  "x", vjp=lambda g, out, x: -g / sqrt(-((x - 1) * (x + 1))),     near=(-0.9, 0.9),
              doc=_doc("Inverse cosine, in radians.", "arccos([1., 1.])", "tensor([0., 0.])"))
arctan  = _op("arctan",  np.arctan,  "x", vjp=lambda g, out, x: g / (1 + x * x),
              doc=_doc("Inverse tangent, in radians.", "arctan([0., 0.])", "tensor([0., 0.])"))
arctan2 = _op("arctan2", np.arctan2, "y, x", vjp=(lambda g, out, y, x:  g * (x / _radius(y, x) / _radius(y, x)),
                                                  lambda g, out, y, x: -g * (y / _radius(y, x) / _radius(y, x))),
              near=(0.5, 2), kinks=[((0.0, 0.0), (0.0, 0.0)), ((0.0, -1.0), (-1.0, 0.0)), ((1.0, 0.0), (0.0, -1.0))],
              doc=_doc("Angle of the point (x, y), in radians.", "arctan2([0., 0.], [1., 2.])", "tensor([0., 0.])",
                       "The gradient is 0 at the origin."))
hypot   = _op("hypot",   curve(Lazy("hypot"), np.hypot), "x, y", loop="hypot", vjp=(lambda g, out, x, y: g * (x / where(out == 0, 1.0, out)),
                                                  lambda g, out, x, y: g * (y / where(out == 0, 1.0, out))),
              near=(0.5, 2), kinks=[((0.0, 0.0), (0.0, 0.0)), ((0.0, 1.0), (0.0, 1.0)), ((1e200, 0.0), (1.0, 0.0))],
              doc=_doc("sqrt(x*x + y*y), without overflow.", "hypot([3., 5.], [4., 12.])", "tensor([ 5., 13.])",
                       "The gradient is 0 at the origin."))
sinh    = _op("sinh",    np.sinh,    "x", vjp=lambda g, out, x: g * cosh(x),
              doc=_doc("Hyperbolic sine.", "sinh([0., 0.])", "tensor([0., 0.])"))
cosh    = _op("cosh",    np.cosh,    "x", vjp=lambda g, out, x: g * sinh(x),
              doc=_doc("Hyperbolic cosine.", "cosh([0., 0.])", "tensor([1., 1.])"))
tanh    = _op("tanh",    np.tanh,    "x", vjp=lambda g, out, x: g * (1 - out * out),                 near=(-3, 3),
              doc=_doc("Hyperbolic tangent.", "tanh([0., 50.])", "tensor([0., 1.])"))
arcsinh = _op("arcsinh", np.arcsinh, "x", vjp=lambda g, out, x: g / sqrt(1 + x * x),
              doc=_doc("Inverse hyperbolic sine.", "arcsinh([0., 0.])", "tensor([0., 0.])"))
arccosh = _op("arccosh", np.arccosh, "x", vjp=lambda g, out, x: g / (sqrt(x - 1) * sqrt(x + 1)),     near=(1.2, 3),
              doc=_doc("Inverse hyperbolic cosine.", "arccosh([1., 1.])", "tensor([0., 0.])"))
arctanh = _op("arctanh", np.arctanh, "x", vjp=lambda g, out, x: g / ((1 - x) * (1 + x)),             near=(-0.9, 0.9),
              doc=_doc("Inverse hyperbolic tangent.", "arctanh([0., 0.])", "tensor([0., 0.])"))

# ---------------------------------------------------------------- choice --

maximum = _op("maximum", np.maximum, "x, y", vjp=(lambda g, out, x, y: where(x < y, 0.0, _half_at_ties(g, x, y)),
                                                  lambda g, out, x, y: where(x > y, 0.0, _half_at_ties(g, x, y))),
              kinks=[((1.0, 1.0), (0.5, 0.5)), ((1.0, 2.0), (0.0, 1.0)), ((NAN, 1.0), (1.0, 1.0))],
              doc=_doc("The larger of x and y; nan where one is.", "maximum([1., 4.], 3.)", "tensor([3., 4.])",
                       "Where the two are equal, each gets half of the gradient."))
minimum = _op("minimum", np.minimum, "x, y", vjp=(lambda g, out, x, y: where(x > y, 0.0, _half_at_ties(g, x, y)),
                                                  lambda g, out, x, y: where(x < y, 0.0, _half_at_ties(g, x, y))),
              kinks=[((1.0, 1.0), (0.5, 0.5)), ((1.0, 2.0), (1.0, 0.0)), ((NAN, 1.0), (1.0, 1.0))],
              doc=_doc("The smaller of x and y; nan where one is.", "minimum([1., 4.], 3.)", "tensor([1., 3.])",
                       "Where the two are equal, each gets half of the gradient."))
clip    = _op("clip",    _clip,      "x, min, max", bind=_bind_clip,
              saves="" if isinstance(_clip, np.ufunc) else "x, min, max",
              vjp=(lambda g, out, x, lo, hi: where((x >= lo) & (x <= hi), g, 0.0),
                   lambda g, out, x, lo, hi: where((x < lo) & (lo < hi), g, 0.0),
                   lambda g, out, x, lo, hi: where((x > hi) | (hi < lo), g, 0.0)),
              near=((-2, 2), (-1.2, -0.8), (0.8, 1.2)),
              kinks=[((-1.0, -1.0, 1.0), (1.0, 0.0, 0.0)), ((1.0, -1.0, 1.0), (1.0, 0.0, 0.0)),
                     ((-2.0, -1.0, 1.0), (0.0, 1.0, 0.0)), ((2.0, -1.0, 1.0), (0.0, 0.0, 1.0)),
                     ((0.0, 1.0, -1.0), (0.0, 0.0, 1.0)), ((NAN, -1.0, 1.0), (0.0, 0.0, 0.0))],
              doc=_doc("x, but at least `min` and at most `max`; None (the default): no bound.",
                       "clip([-3., 0., 3.], -1., 1.)", "tensor([-1.,  0.,  1.])",
                       "At the bounds themselves the gradient passes to x whole, as in `torch.clamp`."))
where   = _op("where",   np.where,   "condition, x, y", loop="where", types="?TT>T",
              vjp=(None, lambda g, out, condition, x, y: where(condition, g, 0.0),
                         lambda g, out, condition, x, y: where(condition, 0.0, g)),
              kinks=[((True, 1.0, NAN), (None, 1.0, 0.0)), ((False, INF, 1.0), (None, 0.0, 1.0))],
              doc=_doc("x where the condition holds, y elsewhere.", "where([True, False], [1., 2.], 0.)",
                       "tensor([1., 0.])", "What is not chosen gets no gradient."))

# ---------------------------------------------------------------- rounding: the derivative is 0 --

floor = _op("floor", np.floor, "x", vjp=_no_slope, near=(0.1, 0.9),
            doc=_doc("The largest integer not above x.", "floor([1.5, -1.5])", "tensor([ 1., -2.])"))
ceil  = _op("ceil",  np.ceil,  "x", vjp=_no_slope, near=(0.1, 0.9),
            doc=_doc("The smallest integer not below x.", "ceil([1.5, -1.5])", "tensor([ 2., -1.])"))
rint  = _op("rint",  np.rint,  "x", vjp=_no_slope, near=(0.6, 1.4),
            doc=_doc("The nearest integer, ties to even.", "rint([0.5, 1.5])", "tensor([0., 2.])"))
trunc = _op("trunc", np.trunc, "x", vjp=_no_slope, near=(0.1, 0.9),
            doc=_doc("The integer part.", "trunc([1.5, -1.5])", "tensor([ 1., -1.])"))
round = _op("round", np.round, "x; decimals=0", vjp=lambda g, out, x, decimals: 0.0, near=(0.6, 0.64),
            batch="same",
            cases=[case((2, 3)), case((2, 3), decimals=1), case(()), case((0, 2))],
            doc=_doc("x rounded to a number of decimals, ties to even.", "round([0.5, 1.5])", "tensor([0., 2.])"))

# ---------------------------------------------------------------- parts of a complex number (views) --
# PyTorch's convention: the gradient of a real L is dL/d(real part) + i dL/d(imaginary part).

real = _op("real", np.real, "x", vjp=lambda g, out, x: g, view=True, holomorphic=False, linear="jointly", batch="same",
           cases=_PARTS,
           doc=_doc("Real part; a view.", "real([1 + 2j])", "tensor([1.])"))
imag = _op("imag", np.imag, "x", vjp=lambda g, out, x: g * 1j, view=True, holomorphic=False, linear="jointly",
           batch="same",
           cases=_PARTS,
           doc=_doc("Imaginary part; a view of a complex tensor.", "imag([1 + 2j])", "tensor([2.])"))
conj = _op("conj", np.conjugate, "x", vjp=lambda g, out, x: conj(g), holomorphic=False, linear="jointly",
           doc=_doc("Complex conjugate.", "conj([1., 2.])", "tensor([1., 2.])"))

# ---------------------------------------------------------------- comparison, logic, bits: no derivative --

equal         = _op("equal",         np.equal,         "x, y", vjp=None, types="TT>?",
                    doc=_doc("x == y.", "equal([1., 2.], 2.)", "tensor([False,  True])"))
not_equal     = _op("not_equal",     np.not_equal,     "x, y", vjp=None, types="TT>?",
                    doc=_doc("x != y.", "not_equal([1., 2.], 2.)", "tensor([ True, False])"))
less          = _op("less",          np.less,          "x, y", vjp=None, types="TT>?",
                    doc=_doc("x < y.", "less([1., 2.], 2.)", "tensor([ True, False])"))
less_equal    = _op("less_equal",    np.less_equal,    "x, y", vjp=None, types="TT>?",
                    doc=_doc("x <= y.", "less_equal([1., 3.], 2.)", "tensor([ True, False])"))
greater       = _op("greater",       np.greater,       "x, y", vjp=None, types="TT>?",
                    doc=_doc("x > y.", "greater([1., 3.], 2.)", "tensor([False,  True])"))
greater_equal = _op("greater_equal", np.greater_equal, "x, y", vjp=None, types="TT>?",
                    doc=_doc("x >= y.", "greater_equal([1., 2.], 2.)", "tensor([False,  True])"))
isnan         = _op("isnan",         np.isnan,         "x",    vjp=None, types="T>?",
                    doc=_doc("Whether x is nan.", 'isnan([1., float("nan")])', "tensor([False,  True])"))
isinf         = _op("isinf",         np.isinf,         "x",    vjp=None, types="T>?",
                    doc=_doc("Whether x is infinite.", 'isinf([1., float("inf")])', "tensor([False,  True])"))
isfinite      = _op("isfinite",      np.isfinite,      "x",    vjp=None, types="T>?",
                    doc=_doc("Whether x is neither infinite nor nan.", 'isfinite([1., float("inf")])',
                             "tensor([ True, False])"))
logical_and   = _op("logical_and",   np.logical_and,   "x, y", vjp=None, types="??>?",
                    doc=_doc("Whether both are true.", "logical_and([True, False], True)", "tensor([ True, False])"))
logical_or    = _op("logical_or",    np.logical_or,    "x, y", vjp=None, types="??>?",
                    doc=_doc("Whether either is true.", "logical_or([True, False], False)", "tensor([ True, False])"))
logical_xor   = _op("logical_xor",   np.logical_xor,   "x, y", vjp=None, types="??>?",
                    doc=_doc("Whether one alone is true.", "logical_xor([True, False], True)",
                             "tensor([False,  True])"))
logical_not   = _op("logical_not",   np.logical_not,   "x",    vjp=None, types="?>?",
                    doc=_doc("Whether x is false.", "logical_not([True, False])", "tensor([False,  True])"))

bitwise_and         = _op("bitwise_and",         np.bitwise_and, "x, y", vjp=None,
                          doc=_doc("x & y, bit by bit.", "bitwise_and([5, 6], 3)", "tensor([1, 2])"))
bitwise_or          = _op("bitwise_or",          np.bitwise_or,  "x, y", vjp=None,
                          doc=_doc("x | y, bit by bit.", "bitwise_or([5, 6], 3)", "tensor([7, 7])"))
bitwise_xor         = _op("bitwise_xor",         np.bitwise_xor, "x, y", vjp=None,
                          doc=_doc("x ^ y, bit by bit.", "bitwise_xor([5, 6], 3)", "tensor([6, 5])"))
bitwise_invert      = _op("bitwise_invert",      np.invert,      "x",    vjp=None,
                          doc=_doc("~x, bit by bit.", "bitwise_invert([0, 1])", "tensor([-1, -2])"))
bitwise_left_shift  = _op("bitwise_left_shift",  np.left_shift,  "x, y", vjp=None,
                          doc=_doc("x << y.", "bitwise_left_shift([1, 2], 3)", "tensor([ 8, 16])"))
bitwise_right_shift = _op("bitwise_right_shift", np.right_shift, "x, y", vjp=None,
                          doc=_doc("x >> y.", "bitwise_right_shift([8, 16], 3)", "tensor([1, 2])"))
# fmt: on
