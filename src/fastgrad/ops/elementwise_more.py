"""More elementwise rows: the rest of NumPy's ufuncs, and what NumPy builds of them (`sinc`, `angle`, `nan_to_num` ...).

What is said at the top of `elementwise` holds here too. Rows that are no ufuncs do with a batch what they do with one.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from . import _gamma
from ._batch import past, ranked
from ._curve import curve
from ._doc import describe
from ._doc import doc as _doc
from ._gamma import SINC_SLOPE, through_double
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import (
    INF,
    LN2,
    NAN,
    _no_slope,
    abs,
    arctan2,
    exp,
    imag,
    isfinite,
    isnan,
    log,
    real,
    rint,
    share,
    where,
)  # fmt: skip
from .reductions import all, sum
from .shaping import expand_dims
from .spaces import weak

describe({
    "rtol": ("float or array", "How far apart x and y may be, as a part of abs(y)."),
    "atol": ("float or array", "And how far besides."),
    "equal_nan": ("bool", "Whether one nan is close to another."),
    "nan": ("scalar", "What nan becomes."),
    "posinf": ("scalar or None", "What inf becomes; None: the largest number of the dtype."),
    "neginf": ("scalar or None", "What -inf becomes; None: the least number of the dtype."),
    "deg": ("bool", "In degrees instead of radians."),
    "tol": ("float", "How large imaginary parts may be, in units of the dtype's precision (above 1) or as they are."),
    "discont": ("float or None", "The least jump to be taken out; None: half a period."),
    "unwrap.axis": ("int", "Axis to run along."),
    "period": ("float", "What is added or taken away, a number of times."),
})  # fmt: skip

DEGREE = math.pi / 180
_SHAPES = [case((2, 3)), case(()), case((0, 2))]


class FrexpResult(NamedTuple):
    """What `frexp` gives: ``x == mantissa * 2**exponent``."""

    mantissa: Any
    exponent: Any


class ModfResult(NamedTuple):
    """What `modf` gives, both with the sign of x."""

    fractional: Any
    integral: Any


class DivmodResult(NamedTuple):
    """What `divmod` gives."""

    quotient: Any
    remainder: Any


# ---------------------------------------------------------------- formulas --


def _float_power_dx(g, out, x, y):
    base = where((y == 0) & ((x == 0) | isnan(x)), 1.0, x)  # x**0 is constant, at 0 and nan too
    return g * (y * float_power(base, y - 1))


def _float_power_dy(g, out, x, y):
    return g * (out * log(where((x == 0) & (y >= 0), 1.0, x)))  # 0**y is constant for y > 0


def _one(x):
    """1 with the sign of x; 0 at 0."""
    return copysign(where(x == 0, 0.0, 1.0), x)


def _logaddexp2_dx(g, out, x, y):
    return share(g, x * LN2, y * LN2)


def _logaddexp2_dy(g, out, x, y):
    return share(g, y * LN2, x * LN2)


def _other_sinc_slope(x):
    near = np.abs(x) < 0.1
    z, far = np.where(near, x * x, 0), np.where(near, 1, x)
    series = np.zeros_like(z)
    for c in reversed(SINC_SLOPE):
        series = series * z + z.dtype.type(c)
    return np.where(near, x * series, (np.cos(np.pi * far) - np.sinc(far)) / far)


def _sinc_slope_dx(g, out, x):
    """By the equation that sinc solves; near 0, where that cancels, the derivative of the slope's polynomial."""
    near = abs(x) < 0.1
    z, far = where(near, x * x, 0.0), where(near, 1.0, x)
    series = 0.0
    for j, c in reversed(list(enumerate(SINC_SLOPE))):
        series = series * z + (2 * j + 1) * c
    return g * where(near, series, -(math.pi**2 * sinc(far) + 2 * sinc_slope(far) / far))


#: Angles for the mean of exp(x * cos(t)) over half a circle: as good as exact for abs(x) < 800.
_COSINES = np.cos(np.pi * (np.arange(160) + 0.5) / 160)


@cache
def _has_scipy():
    return find_spec("scipy") is not None


def _i0_dx(g, out, x):
    """i1; without SciPy the mean of cos(t) * exp(x * cos(t)), which has derivatives of every order."""
    if _has_scipy() and x.dtype.itemsize <= 8:
        from .bessel import i1

        return g * i1(x)
    mean = 0.0
    for cosines in np.array_split(_COSINES, min(len(_COSINES), 1 + x.size // 10000)):  # not all in memory at once
        mean = mean + sum(cosines * exp(expand_dims(x, -1) * cosines), axis=-1)
    return g * (mean / len(_COSINES))


def _angle(x, deg=False):
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    angle = arctan2(imag(x), real(x)) if x.dtype.kind == "c" else arctan2(0, x)
    return angle * (180 / math.pi) if deg else angle


def _real_if_close(x, tol=100):
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    if x.dtype.kind != "c":
        return x
    if tol > 1:
        tol = np.finfo(x.dtype).eps * tol
    return real(x) if all(abs(imag(x)) < tol) else x


def _nan_to_num_dx(g, out, x, nan, posinf, neginf):
    if x.dtype.kind == "c":  # the parts are replaced each by itself
        return where(isfinite(real(x)), real(g), 0.0) + 1j * where(isfinite(imag(x)), imag(g), 0.0)
    return where(isfinite(x), g, 0.0)


def _nan_to_num_jvp(tangents, out, x, nan, posinf, neginf):
    return _nan_to_num_dx(tangents[0], out, x, nan, posinf, neginf)


def _bind_nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    if not copy:
        raise TypeError("nan_to_num: copy=False writes in place, which is not supported; use the result")
    return (x,), {"nan": nan, "posinf": posinf, "neginf": neginf}


def _bind_unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    return (p,), {"discont": discont, "axis": axis, "period": period}


def _bind_divmod(x, y):
    return weak(x, y), {}


def _bind_isclose(x, y, rtol=1e-05, atol=1e-08, equal_nan=False):
    return weak(x, y), {"rtol": rtol, "atol": atol, "equal_nan": equal_nan}


def _paired(name):
    """The rule of a row whose two operands meet element by element."""

    def batch(many, x, y, **options):
        rank = max(np.ndim(value) - one for value, one in zip((x, y), many))
        x, y = (ranked(value, rank) if one else value for value, one in zip((x, y), many))
        return TABLE[name].on((x, y), options)

    return batch


# fmt: off
# ---------------------------------------------------------------- arithmetic --

fabs        = _op("fabs",        np.fabs,        "x", vjp=lambda g, out, x: g * _one(x),
                  kinks=[((0.0,), (0.0,)), ((-0.0,), (0.0,))],
                  doc=_doc("Absolute value of real numbers, as floating point.", "fabs([-1, 2])", "tensor([1., 2.])",
                           "The gradient is 0 at 0."))
fmod        = _op("fmod",        np.fmod,        "x, y", vjp=(lambda g, out, x, y: g,
                                                              lambda g, out, x, y: -g * rint((x - out) / y)),
                  near=((5.1, 5.9), (2.0, 2.2)), kinks=[((-5.0, 3.0), (1.0, 1.0)), ((5.0, -3.0), (1.0, 1.0))],
                  doc=_doc("What the division leaves, with the sign of x.", "fmod([7., -7.], 4.)", "tensor([ 3., -3.])"))
float_power = _op("float_power", np.float_power, "x, y", vjp=(_float_power_dx, _float_power_dy),
                  near=((0.5, 2), (-2, 2)),
                  kinks=[((0.0, 0.0), (0.0, 0.0)), ((0.0, 2.0), (0.0, 0.0)), ((NAN, 0.0), (0.0, NAN)),
                         ((-2.0, 2.0), (-4.0, NAN)), ((0.0, 0.5), (INF, 0.0)), ((0.0, 1.0), (1.0, 0.0))],
                  doc=_doc("x to the power y, in double precision at least.", "float_power([1, 2, 3], -1)",
                           "tensor([1.        , 0.5       , 0.33333333])",
                           "The gradient of ``x**0`` is 0 everywhere, and so is that of ``0**y`` in y for y >= 0."))
logaddexp2  = _op("logaddexp2",  np.logaddexp2,  "x, y", vjp=(_logaddexp2_dx, _logaddexp2_dy),
                  kinks=[((-INF, 0.0), (0.0, 1.0)), ((INF, 0.0), (1.0, 0.0)), ((-INF, -INF), (0.5, 0.5)),
                         ((1.0, 1.0), (0.5, 0.5)), ((2000.0, 0.0), (1.0, 0.0))],
                  doc=_doc("log2(2**x + 2**y), without overflow.", "logaddexp2([1000.], [1000.])", "tensor([1001.])"))
divmod      = _op("divmod", lambda x, y: np.divmod(x, y), "x, y", multi=True, named=DivmodResult, saves="out",
                  batch=_paired("divmod"), bind=_bind_divmod,
                  vjp=(lambda g, out, x, y: g[1],
                       lambda g, out, x, y: -(g[1] * out[0])),
                  near=((5.1, 5.9), (2.0, 2.2)), cases=[case((2, 3), (3,)), case((), ()), case((0, 2), (2,))],
                  doc=_doc("x // y and x % y.", "divmod([7.], [4.])",
                           "DivmodResult(quotient=tensor([1.]), remainder=tensor([3.]))"))
modf        = _op("modf", lambda x: np.modf(x), "x", multi=True, named=ModfResult, batch="same", near=(0.1, 0.9), cases=_SHAPES,
                  vjp=lambda g, out, x: g[0],
                  doc=_doc("Fractional and integral part.", "modf([2.5])",
                           "ModfResult(fractional=tensor([0.5]), integral=tensor([2.]))"))
frexp       = _op("frexp", lambda x: np.frexp(x), "x", multi=True, named=FrexpResult, batch="same", near=(0.6, 0.9), cases=_SHAPES,
                  saves="out", vjp=lambda g, out, x: ldexp(g[0], -out[1]),
                  jvp=lambda tangents, out, x: (ldexp(tangents[0], -out[1]), None),
                  doc=_doc("Mantissa, between 0.5 and 1, and exponent of 2.", "frexp([3.])",
                           "FrexpResult(mantissa=tensor([0.75]), exponent=tensor([2], dtype=int32))"))
ldexp       = _op("ldexp", lambda x, i: np.ldexp(x, i), "x, i", vjp=(lambda g, out, x, i: ldexp(g, i), None), saves="i",
                  batch=_paired("ldexp"), jvp=lambda tangents, out, x, i: ldexp(tangents[0], i),
                  cases=[case((2, 3), np.array([1, -2, 0])), case((2,), np.array(3)), case((), np.array([[1], [2]])),
                         case((0, 2), np.array([1, 2]))],
                  doc=_doc("x * 2**i, for integers i.", "ldexp([1., 3.], [2, -1])", "tensor([4. , 1.5])"))

# ---------------------------------------------------------------- signs and neighbours --

copysign    = _op("copysign",    np.copysign,    "x, y", vjp=(lambda g, out, x, y: g * (_one(x) * copysign(1.0, y)),
                                                              _no_slope),
                  near=((0.2, 2), (0.2, 2)),
                  kinks=[((0.0, -1.0), (0.0, 0.0)), ((2.0, -0.0), (-1.0, 0.0)), ((-2.0, -1.0), (1.0, 0.0)),
                         ((-INF, 1.0), (-1.0, 0.0))],
                  doc=_doc("The magnitude of x with the sign of y.", "copysign([1., -2.], -0.)", "tensor([-1., -2.])",
                           "The gradient is 0 where x is 0."))
heaviside   = _op("heaviside",   np.heaviside,   "x, y", vjp=(_no_slope,
                                                              lambda g, out, x, y: where(x == 0, g, 0.0)),
                  near=((0.2, 2), (0, 1)), kinks=[((0.0, 0.5), (0.0, 1.0)), ((1.0, 0.5), (0.0, 0.0))],
                  doc=_doc("0 for x < 0, y for x == 0, 1 for x > 0.", "heaviside([-1., 0., 1.], 0.5)",
                           "tensor([0. , 0.5, 1. ])"))
nextafter   = _op("nextafter",   np.nextafter,   "x, y", vjp=(lambda g, out, x, y: where(x == y, 0.0, g), _no_slope),
                  near=((0.2, 0.9), (1.2, 2)), kinks=[((1.0, 2.0), (1.0, 0.0)), ((1.0, 1.0), (0.0, 0.0))],
                  doc=_doc("The floating-point number next to x, towards y.", "nextafter([1.], 2.) > 1",
                           "tensor([ True])", "x and its neighbour move together, so its gradient is passed on."))
spacing     = _op("spacing",     np.spacing,     "x", vjp=_no_slope, near=(0.6, 0.9),
                  doc=_doc("The distance to the next floating-point number.", "spacing([1., 2.]) == 2.0**-52",
                           "tensor([ True, False])"))
signbit     = _op("signbit",     np.signbit,     "x", vjp=None, types="T>?",
                  doc=_doc("Whether the sign is minus; that of -0.0 is.", "signbit([1., -0., -2.])",
                           "tensor([False,  True,  True])"))

# ---------------------------------------------------------------- choice --

fmax        = _op("fmax",        np.fmax,        "x, y", vjp=(lambda g, out, x, y: where((x >= y) | isnan(y), g, 0.0),
                                                              lambda g, out, x, y: where((x >= y) | isnan(y), 0.0, g)),
                  kinks=[((1.0, 1.0), (1.0, 0.0)), ((1.0, 2.0), (0.0, 1.0)), ((NAN, 1.0), (0.0, 1.0)),
                         ((1.0, NAN), (1.0, 0.0))],
                  doc=_doc("The larger of x and y; where one is nan, the other.", 'fmax([1., float("nan")], 3.)',
                           "tensor([3., 3.])", "Where the two are equal, x gets the gradient, as in `torch.fmax`."))
fmin        = _op("fmin",        np.fmin,        "x, y", vjp=(lambda g, out, x, y: where((x <= y) | isnan(y), g, 0.0),
                                                              lambda g, out, x, y: where((x <= y) | isnan(y), 0.0, g)),
                  kinks=[((1.0, 1.0), (1.0, 0.0)), ((1.0, 2.0), (1.0, 0.0)), ((NAN, 1.0), (0.0, 1.0)),
                         ((1.0, NAN), (1.0, 0.0))],
                  doc=_doc("The smaller of x and y; where one is nan, the other.", 'fmin([1., float("nan")], 3.)',
                           "tensor([1., 3.])", "Where the two are equal, x gets the gradient, as in `torch.fmin`."))
nan_to_num  = _op("nan_to_num", lambda x, nan, posinf, neginf: np.nan_to_num(x, True, nan, posinf, neginf),
                  "x; nan=0.0, posinf=None, neginf=None", bind=_bind_nan_to_num, holomorphic=False,
                  saves="x", vjp=_nan_to_num_dx, jvp=_nan_to_num_jvp, batch="same",
                  cases=[*_SHAPES, case((3,), nan=7.0, posinf=1.0, neginf=-1)],
                  kinks=[((NAN,), (0.0,)), ((INF,), (0.0,)), ((2.0,), (1.0,))],
                  doc=_doc("x with numbers in the place of nan, inf and -inf.", 'nan_to_num([1., float("nan")])',
                           "tensor([1., 0.])", "What is replaced gets no gradient."))

# ---------------------------------------------------------------- angles, and functions of them --

degrees     = _op("degrees",     np.degrees,     "x", vjp=lambda g, out, x: g * (1 / DEGREE),
                  doc=_doc("Radians as degrees.", "degrees([0., 1.])", "tensor([ 0.        , 57.29577951])"))
radians     = _op("radians",     np.radians,     "x", vjp=lambda g, out, x: g * DEGREE,
                  doc=_doc("Degrees as radians.", "radians([0., 180.])", "tensor([0.        , 3.14159265])"))
rad2deg     = _op("rad2deg",     np.rad2deg,     "x", vjp=lambda g, out, x: g * (1 / DEGREE),
                  doc=_doc("Radians as degrees.", "rad2deg([0., 1.])", "tensor([ 0.        , 57.29577951])"))
deg2rad     = _op("deg2rad",     np.deg2rad,     "x", vjp=lambda g, out, x: g * DEGREE,
                  doc=_doc("Degrees as radians.", "deg2rad([0., 180.])", "tensor([0.        , 3.14159265])"))
sinc_slope  = _op("sinc_slope", curve(through_double(_gamma.sinc_slope), _other_sinc_slope), "x", loop="sinc_slope",
                  vjp=_sinc_slope_dx, doc="The derivative of sinc.")
sinc        = _op("sinc", curve(through_double(_gamma.sinc), np.sinc), "x", loop="sinc",
                  vjp=lambda g, out, x: g * sinc_slope(x),
                  kinks=[((0.0,), (0.0,)), ((1.0,), (-1.0,))],
                  doc=_doc("sin(pi * x) / (pi * x), and 1 at 0.", "sinc([0., 0.5])", "tensor([1.        , 0.63661977])",
                           "Within 4 units in the last place, and 0 at whole numbers."))
i0          = _op("i0", np.i0, "x", saves="x", vjp=_i0_dx, batch="same", cases=[*_SHAPES, case(np.array([0.0, 9.0, -30.0]))],
                  kinks=[((0.0,), (0.0,))],
                  doc=_doc("Modified Bessel function of the first kind, order 0.", "i0([0., 1.])",
                           "tensor([1.        , 1.26606588])"))
angle       = _op("angle", _angle, "x; deg=False",
                  cases=[*_SHAPES, case((3,), deg=True), case(np.array([[1 + 2j, -0.5 + 1j], [0.25j, -3 - 1j]]))],
                  kinks=[((0.0,), (0.0,)), ((-2.0,), (0.0,))],
                  doc=_doc("Angle of complex numbers, between -pi and pi.", "angle([1j, 2.])",
                           "tensor([1.57079633, 0.        ])", "The gradient is 0 at 0."))
unwrap      = _op("unwrap", lambda p, discont, axis, period: np.unwrap(p, discont, axis, period=period),
                  f"p; discont=None, axis=-1, period={2 * math.pi!r}", bind=_bind_unwrap,
                  vjp=lambda g, out, p, discont, axis, period: g, jvp=lambda tangents, out, p, **options: tangents[0],
                  batch=lambda many, p, discont, axis, period: unwrap(p, discont, past(axis, p), period=period),
                  near=(-9, 9), cases=[case((6,)), case((3, 4), axis=0), case((5,), period=4.0), case((4,), discont=5.0),
                                       case((0,))],
                  doc=_doc("p with multiples of the period added, so that it jumps no more.", "unwrap([0., 6.28])[1] < 0.01",
                           "tensor(True)", "Steps of the result are constant, so the gradient is passed on."))
real_if_close = _op("real_if_close", _real_if_close, "x; tol=100",
                    cases=[case((2, 3))],
                    doc=_doc("The real part, if all imaginary parts are tiny; otherwise x.", "real_if_close([1 + 1e-15j])",
                             "tensor([1.])"))

# ---------------------------------------------------------------- no derivative --

isclose      = _op("isclose", np.isclose, "x, y; rtol=1e-05, atol=1e-08, equal_nan=False", vjp=None, batch=_paired("isclose"), bind=_bind_isclose,
                   cases=[case((2, 3), (3,)), case(np.array([1.0, 2.0, NAN]), np.array([1.0, 2.1, NAN])),
                          case(np.array([1.0, 2.0, NAN]), np.array([1.0, 2.1, NAN]), rtol=0.1, equal_nan=True),
                          case((), ()), case((0,), (0,), atol=1.0)],
                   doc=_doc("Whether x and y are as good as equal.", "isclose([1., 2.], [1. + 1e-9, 3.])",
                            "tensor([ True, False])"))
isneginf     = _op("isneginf", lambda x: np.isneginf(x), "x", vjp=None, batch="same", cases=_SHAPES,
                   doc=_doc("Whether x is -inf.", 'isneginf([1., -float("inf")])', "tensor([False,  True])"))
isposinf     = _op("isposinf", lambda x: np.isposinf(x), "x", vjp=None, batch="same", cases=_SHAPES,
                   doc=_doc("Whether x is inf.", 'isposinf([1., float("inf")])', "tensor([False,  True])"))
iscomplex    = _op("iscomplex", np.iscomplex, "x", vjp=None, batch="same", cases=_SHAPES,
                   doc=_doc("Whether the imaginary part is not 0.", "iscomplex([1., 1j])", "tensor([False,  True])"))
isreal       = _op("isreal", np.isreal, "x", vjp=None, batch="same", cases=_SHAPES,
                   doc=_doc("Whether the imaginary part is 0.", "isreal([1., 1j])", "tensor([ True, False])"))
gcd          = _op("gcd",          np.gcd,          "x, y", vjp=None,
                   doc=_doc("Greatest common divisor.", "gcd([12, 9], 6)", "tensor([6, 3])"))
lcm          = _op("lcm",          np.lcm,          "x, y", vjp=None,
                   doc=_doc("Least common multiple.", "lcm([4, 9], 6)", "tensor([12, 18])"))
bitwise_count = _op("bitwise_count", np.bitwise_count, "x", vjp=None,
                    doc=_doc("How many bits of abs(x) are 1.", "bitwise_count([7, -4])",
                             "tensor([3, 1], dtype=uint8)"))
# fmt: on
