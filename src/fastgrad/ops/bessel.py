"""Special functions: Bessel functions and their kin, integrals, hypergeometric functions, orthogonal polynomials.

Each is closed under differentiation by a recurrence in its order that has no singular point of its own, so that
derivatives of every order exist wherever the function has them (dlmf.nist.gov, 10.6, 10.29, 10.51, 13.3, 15.5, 18.9).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from . import _bessel, _scipy
from ._curve import curve
from ._doc import describe
from ._doc import doc as _doc
from ._gamma import through_double
from ._row import case, register
from ._scipy import by as _by
from ._scipy import defined as _defined
from ._scipy import elementwise as _op
from ._scipy import parametric as _parametric
from ._scipy import plain as _plain
from ._scipy import structural as _structural
from ._scipy import whole as _whole
from .elementwise import conj, cos, cosh, erf, exp, imag, log, maximum, real, sign, sin, sqrt, where

_own = partial(register, module=_scipy.MODULE)
describe({
    "lambertw.k": ("int", "Which branch."),
    "lambertw.tol": ("float", "How near to the solution."),
    **{f"spherical_{kind}n.derivative": ("bool", "Give the derivative instead.") for kind in "jyik"},
})  # fmt: skip

SQRT_HALF = math.sqrt(0.5)
SQRT_PI = math.sqrt(math.pi)
TWO_I_OVER_SQRT_PI = 2j / SQRT_PI
_POSITIVE = (0.3, 3.0)
_UNIT = (0.1, 0.9)
_ORDERS = np.array([0, 1, 2])


# ---------------------------------------------------------------- forwards


def _lambertw(z, k, tol):
    return _scipy.ufunc("_lambertw")(z, k, tol)


def _i0e_of_numpy(x):
    return np.exp(-np.abs(x)) * np.i0(x)


def _i1_slope(x):
    return 0.5 * (i0.fn(x) + _scipy.ufunc("iv")(2, x))


def _i1e_slope(x):
    return 0.5 * (i0e.fn(x) + _scipy.ufunc("ive")(2, x))


# ---------------------------------------------------------------- formulas


def _neighbours(row, below, above):
    """The derivative as half of ``below * f(v - 1) + above * f(v + 1)``."""

    def formula(g, out, v, z):
        low, high = row()(v - 1, z), row()(v + 1, z)
        return g * (0.5 * ((low if below > 0 else -low) + (high if above > 0 else -high)))

    return None, formula


def _whole_neighbours(row, below, above):
    _, slope = _neighbours(row, below, above)
    return None, lambda g, out, n, x: slope(g, out, _whole(n), x)


def _spherical(row, below, above):
    """The derivative as ``(below * n * f(n - 1) + above * (n + 1) * f(n + 1)) / (2 * n + 1)``."""

    def formula(g, out, n, z, derivative):
        n = _whole(n)
        low, high = row()(maximum(n - 1, 0), z, derivative), row()(n + 1, z, derivative)
        return g * ((below * n * low + above * (n + 1) * high) / (2 * n + 1))

    return None, _defined(formula)


def _i1e_slope_dx(g, out, x):
    """By the neighbours where x may be 0, and without the order 3 where x may be so large that SciPy has none."""
    near, safe = abs(x) < 1, where(abs(x) < 1, 1.0, x)
    far = i1e(x) * (1 + 1 / (safe * safe)) - out / safe
    inner = where(near, 0.25 * (3 * i1e(x) + ive(3, where(near, x, 0.0))), far)
    return g * (inner - sign(x) * out)


def _ive_dz(g, out, v, z):
    """The factor exp(-abs(real(z))) is not holomorphic: this states PyTorch's convention itself."""
    inner = 0.5 * (ive(v - 1, z) + ive(v + 1, z))
    if z.dtype.kind != "c":
        return g * (inner - sign(z) * out)
    return g * conj(inner) - sign(real(z)) * real(conj(g) * out)


def _along_imaginary(row):
    """Of a Bessel function times exp(-abs(imag(z))), as above."""

    def formula(g, out, v, z):
        inner = 0.5 * (row()(v - 1, z) - row()(v + 1, z))
        if z.dtype.kind != "c":
            return g * inner
        return g * conj(inner) - 1j * (sign(imag(z)) * real(conj(g) * out))

    return formula


def _lower(n):
    """The degree below, and 0 below 0: its factor is 0 there."""
    return where(n == 0, 0, n - 1)


def _of_degree(slope):
    """The derivative of a polynomial: 0 at degree 0, whatever the formula makes of the degrees below."""

    def formula(g, out, n, *rest):
        return g * where(n == 0, 0.0, slope(n, *rest))

    return formula


def _jacobi_slope(n, alpha, beta, x):
    return (n + alpha + beta + 1) / 2 * eval_jacobi(_lower(n), alpha + 1, beta + 1, x)


def _laguerre_slope(n, alpha, x):
    return -eval_genlaguerre(_lower(n), alpha + 1, x)


def _expn_dx(g, out, n, x):
    n = _whole(n)
    return -g * where(n == 0, out * (1 + 1 / x), expn(maximum(n - 1, 0), x))


def _airy_dz(g, out, z):
    ai, aip, bi, bip = out
    return g[0] * aip + g[1] * (z * ai) + g[2] * bip + g[3] * (z * bi)


def _sici_dx(g, out, x):
    return g[0] * spherical_jn(0, x) + g[1] * (cos(x) / _where_wanted(x, g[1]))


def _shichi_dx(g, out, x):
    return g[0] * spherical_in(0, x) + g[1] * (cosh(x) / _where_wanted(x, g[1]))


def _spence_dz(g, out, z):
    """log(z) / (1 - z), around 1 by a function that has no hole there."""
    near = abs(z - 1) < 0.5
    inside, outside = where(near, z, 1.0), where(near, 2.0, z)
    return g * where(near, -hyp2f1(1, 1, 2, 1 - inside), log(outside) / (1 - outside))


def _ellipkm1_dp(g, out, p):
    """By E and K for small p, where 1 - p forgets its digits; around 1 as the derivative of `ellipk`."""
    small = p < 0.5
    below, above = where(small, p, 0.25), where(small, 0.5, p)
    slope = (ellipe(1 - below) - below * ellipkm1(below)) / (2 * below * (1 - below))
    return -g * where(small, slope, math.pi / 8 * hyp2f1(1.5, 1.5, 2, 1 - above))


def _where_wanted(x, g):
    """x to divide by: a pole at 0 is none of the business of what has no cotangent."""
    return where((x == 0) & (g == 0), 1.0, x)


def _fresnel_dx(g, out, x):
    angle = 0.5 * math.pi * (x * x)
    return g[0] * sin(angle) + g[1] * cos(angle)


def _root(phi, m):
    return sqrt(1 - m * (sin(phi) * sin(phi)))


_BESSEL = [
    case(2, (2, 3)),
    case(_ORDERS, (2, 3)),
    case(0.5, (3,)),
    case(1, ()),
    case(0, (0,)),
    case(np.array([[0], [3]]), (2,)),
]
_WHOLE = [case(2, (2, 3)), case(_ORDERS, (2, 3)), case(0, (3,)), case(3, ()), case(1, (0,))]
_SPHERICAL = [*_WHOLE, case(1, (3,), derivative=True), case(0, (2,), derivative=True)]
_NO_ORDER = "There is no derivative in the order."
_ONE = [case((2, 3)), case(()), case((0,))]

# fmt: off
# ---------------------------------------------------------------- Bessel functions --

j0 = _op("j0", "x", vjp=lambda g, out, x: -g * j1(x),
         doc=_doc("Bessel function of the first kind, of order 0.", "special.j0([0., 1.])",
                  "tensor([1.        , 0.76519769])"))
j1 = _op("j1", "x", vjp=lambda g, out, x: g * (0.5 * (j0(x) - jv(2, x))),
         doc=_doc("Bessel function of the first kind, of order 1.", "special.j1([0., 1.])",
                  "tensor([0.        , 0.44005059])"))
y0 = _op("y0", "x", vjp=lambda g, out, x: -g * y1(x), near=_POSITIVE,
         doc=_doc("Bessel function of the second kind, of order 0.", "special.y0([1., 2.])",
                  "tensor([0.08825696, 0.51037567])"))
y1 = _op("y1", "x", vjp=lambda g, out, x: g * (y0(x) - out / x), near=_POSITIVE,
         doc=_doc("Bessel function of the second kind, of order 1.", "special.y1([1., 2.])",
                  "tensor([-0.78121282, -0.10703243])"))
i0 = _own("bessel_i0", _scipy.curve("i0", through_double(_bessel.bessel_i0), _plain(np.i0)), "x", loop="bessel_i0",
          vjp=lambda g, out, x: g * i1(x),
         doc=_doc("Modified Bessel function of the first kind, of order 0.", "special.i0([0., 1.])",
                  "tensor([1.        , 1.26606588])",
                  "Within 6 units in the last place."))
i0e = _own("i0e", _scipy.curve("i0e", through_double(_bessel.bessel_i0e), _plain(_i0e_of_numpy)),
           "x", loop="bessel_i0e", vjp=lambda g, out, x: g * (i1e(x) - sign(x) * out),
          doc=_doc("exp(-abs(x)) * i0(x).", "special.i0e([0., 1.])", "tensor([1.        , 0.46575961])",
                   "Within 6 units in the last place."))
i1_slope = register("i1_slope", curve(through_double(_bessel.i1_slope), _i1_slope), "x",
                    vjp=lambda g, out, x: g * (0.25 * (3 * i1(x) + iv(3, x))), loop="i1_slope",
                    doc="The derivative of i1.")
i1e_slope = register("i1e_slope", curve(through_double(_bessel.i1e_slope), _i1e_slope), "x",
                     vjp=_i1e_slope_dx, loop="i1e_slope", doc="exp(-abs(x)) times the derivative of i1.")
i1 = _own("i1", _scipy.curve("i1", through_double(_bessel.bessel_i1)), "x", loop="bessel_i1",
          vjp=lambda g, out, x: g * i1_slope(x),
         doc=_doc("Modified Bessel function of the first kind, of order 1.", "special.i1([0., 1.])",
                  "tensor([0.       , 0.5651591])",
                  "Within 6 units in the last place."))
i1e = _own("i1e", _scipy.curve("i1e", through_double(_bessel.bessel_i1e)), "x", loop="bessel_i1e",
           vjp=lambda g, out, x: g * (i1e_slope(x) - sign(x) * out),
          doc=_doc("exp(-abs(x)) * i1(x).", "special.i1e([0., 1.])", "tensor([0.        , 0.20791042])",
                   "Within 6 units in the last place."))
k0 = _op("k0", "x", vjp=lambda g, out, x: -g * k1(x), near=_POSITIVE,
         doc=_doc("Modified Bessel function of the second kind, of order 0.", "special.k0([1., 2.])",
                  "tensor([0.42102444, 0.11389387])"))
k0e = _op("k0e", "x", vjp=lambda g, out, x: g * (out - k1e(x)), near=_POSITIVE,
          doc=_doc("exp(x) * k0(x).", "special.k0e([1., 2.])", "tensor([1.14446308, 0.84156822])"))
k1 = _op("k1", "x", vjp=lambda g, out, x: -g * (k0(x) + out / x), near=_POSITIVE,
         doc=_doc("Modified Bessel function of the second kind, of order 1.", "special.k1([1., 2.])",
                  "tensor([0.60190723, 0.13986588])"))
k1e = _op("k1e", "x", vjp=lambda g, out, x: g * (out - k0e(x) - out / x), near=_POSITIVE,
          doc=_doc("exp(x) * k1(x).", "special.k1e([1., 2.])", "tensor([1.63615349, 1.03347685])"))

jv = _parametric("jv", "v, z", vjp=_neighbours(lambda: jv, 1, -1), near=((0, 3), _POSITIVE), cases=_BESSEL,
                 doc=_doc("Bessel function of the first kind.", "special.jv(2, [0., 1.])",
                          "tensor([0.        , 0.11490348])", _NO_ORDER))
yv = _parametric("yv", "v, z", vjp=_neighbours(lambda: yv, 1, -1), near=((0, 3), _POSITIVE), cases=_BESSEL,
                 doc=_doc("Bessel function of the second kind.", "special.yv(2, [1., 2.])",
                          "tensor([-1.65068261, -0.6174081 ])", _NO_ORDER))
iv = _parametric("iv", "v, z", vjp=_neighbours(lambda: iv, 1, 1), near=((0, 3), _POSITIVE), cases=_BESSEL,
                 doc=_doc("Modified Bessel function of the first kind.", "special.iv(2, [0., 1.])",
                          "tensor([0.        , 0.13574767])", _NO_ORDER))
kv = _parametric("kv", "v, z", vjp=_neighbours(lambda: kv, -1, -1), near=((0, 3), _POSITIVE), cases=_BESSEL,
                 doc=_doc("Modified Bessel function of the second kind.", "special.kv(2, [1., 2.])",
                          "tensor([1.6248389 , 0.25375975])", _NO_ORDER))
hankel1 = _parametric("hankel1", "v, z", vjp=_neighbours(lambda: hankel1, 1, -1), near=((0, 3), _POSITIVE),
                      cases=_BESSEL,
                      doc=_doc("Hankel function of the first kind: jv + 1j * yv.", "special.hankel1(0, [1., 2.])",
                               "tensor([0.76519769+0.08825696j, 0.22389078+0.51037567j])", _NO_ORDER))
hankel2 = _parametric("hankel2", "v, z", vjp=_neighbours(lambda: hankel2, 1, -1), near=((0, 3), _POSITIVE),
                      cases=_BESSEL,
                      doc=_doc("Hankel function of the second kind: jv - 1j * yv.", "special.hankel2(0, [1., 2.])",
                               "tensor([0.76519769-0.08825696j, 0.22389078-0.51037567j])", _NO_ORDER))
yn = _parametric("yn", "n, x", vjp=_whole_neighbours(lambda: yn, 1, -1), near=((0, 3), _POSITIVE), cases=_WHOLE[:4],
                 doc=_doc("Bessel function of the second kind, of whole order.", "special.yn(2, [1., 2.])",
                          "tensor([-1.65068261, -0.6174081 ])", _NO_ORDER))
kn = _parametric("kn", "n, x", vjp=_whole_neighbours(lambda: kn, -1, -1), near=((0, 3), _POSITIVE), cases=_WHOLE,
                 doc=_doc("Modified Bessel function of the second kind, of whole order.", "special.kn(2, [1., 2.])",
                          "tensor([1.6248389 , 0.25375975])",
                          _NO_ORDER))
jve = _parametric("jve", "v, z", vjp=(None, _along_imaginary(lambda: jve)), holomorphic=False, near=((0, 3), _POSITIVE),
                  cases=_BESSEL,
                  doc=_doc("exp(-abs(imag(z))) * jv(v, z).", "special.jve(2, [0., 1.])",
                           "tensor([0.        , 0.11490348])", _NO_ORDER))
yve = _parametric("yve", "v, z", vjp=(None, _along_imaginary(lambda: yve)), holomorphic=False, near=((0, 3), _POSITIVE),
                  cases=_BESSEL,
                  doc=_doc("exp(-abs(imag(z))) * yv(v, z).", "special.yve(2, [1., 2.])",
                           "tensor([-1.65068261, -0.6174081 ])", _NO_ORDER))
hankel1e = _parametric(
    "hankel1e", "v, z", near=((0, 3), _POSITIVE), cases=_BESSEL,
    vjp=(None, lambda g, out, v, z: g * (0.5 * (hankel1e(v - 1, z) - hankel1e(v + 1, z)) - 1j * out)),
    doc=_doc("exp(-1j * z) * hankel1(v, z).", "special.hankel1e(0, [1., 2.])",
             "tensor([0.48770375-0.59620621j, 0.37091185-0.41597453j])", _NO_ORDER))
hankel2e = _parametric(
    "hankel2e", "v, z", near=((0, 3), _POSITIVE), cases=_BESSEL,
    vjp=(None, lambda g, out, v, z: g * (0.5 * (hankel2e(v - 1, z) - hankel2e(v + 1, z)) + 1j * out)),
    doc=_doc("exp(1j * z) * hankel2(v, z).", "special.hankel2e(0, [1., 2.])",
             "tensor([0.48770375+0.59620621j, 0.37091185+0.41597453j])", _NO_ORDER))
struve = _parametric("struve", "v, x", vjp=(None, lambda g, out, v, x: g * (struve(v - 1, x) - v / x * out)),
                     near=((0, 3), _POSITIVE), cases=_BESSEL,
                     doc=_doc("Struve function.", "special.struve(1, [1., 2.])", "tensor([0.19845734, 0.64676373])",
                              _NO_ORDER))
modstruve = _parametric("modstruve", "v, x", vjp=(None, lambda g, out, v, x: g * (modstruve(v - 1, x) - v / x * out)),
                        near=((0, 3), _POSITIVE), cases=_BESSEL,
                        doc=_doc("Modified Struve function.", "special.modstruve(1, [1., 2.])",
                                 "tensor([0.22676438, 1.10275979])", _NO_ORDER))
ive = _parametric("ive", "v, z", vjp=(None, _ive_dz), holomorphic=False, near=((0, 3), _POSITIVE), cases=_BESSEL,
                  doc=_doc("exp(-abs(real(z))) * iv(v, z).", "special.ive(2, [0., 1.])",
                           "tensor([0.        , 0.04993878])",
                           _NO_ORDER))
kve = _parametric("kve", "v, z", vjp=(None, lambda g, out, v, z: g * (out - 0.5 * (kve(v - 1, z) + kve(v + 1, z)))),
                  near=((0, 3), _POSITIVE), cases=_BESSEL,
                  doc=_doc("exp(z) * kv(v, z).", "special.kve(2, [1., 2.])", "tensor([4.41677005, 1.87504506])",
                           _NO_ORDER))

spherical_jn = _structural(
    "spherical_jn", _by("spherical_jn"), "n, z; derivative=False", near=((0, 3), _POSITIVE), cases=_SPHERICAL,
    vjp=_spherical(lambda: spherical_jn, 1, -1),
    doc=_doc("Spherical Bessel function of the first kind.", "special.spherical_jn(0, [0., 1.])",
             "tensor([1.        , 0.84147098])", _NO_ORDER))
spherical_yn = _structural(
    "spherical_yn", _by("spherical_yn"), "n, z; derivative=False", near=((0, 3), _POSITIVE),
    cases=[call for call in _SPHERICAL if call.operands[0] is not _ORDERS and call.operands[0] != 0],
    vjp=_spherical(lambda: spherical_yn, 1, -1),
    doc=_doc("Spherical Bessel function of the second kind.", "special.spherical_yn(1, [1., 2.])",
             "tensor([-1.38177329, -0.350612  ])", _NO_ORDER))
spherical_in = _structural(
    "spherical_in", _by("spherical_in"), "n, z; derivative=False", near=((0, 3), _POSITIVE), cases=_SPHERICAL,
    vjp=_spherical(lambda: spherical_in, 1, 1),
    doc=_doc("Modified spherical Bessel function of the first kind.", "special.spherical_in(0, [0., 1.])",
             "tensor([1.        , 1.17520119])", _NO_ORDER))
spherical_kn = _structural(
    "spherical_kn", _by("spherical_kn"), "n, z; derivative=False", near=((0, 3), _POSITIVE),
    cases=[call for call in _SPHERICAL if call.operands[0] is not _ORDERS and call.operands[0] != 0],
    vjp=_spherical(lambda: spherical_kn, -1, -1),
    doc=_doc("Modified spherical Bessel function of the second kind.", "special.spherical_kn(1, [1., 2.])",
             "tensor([1.15572735, 0.15943812])", _NO_ORDER))
airy = _structural(
    "airy", _by("airy"), "z", vjp=_airy_dz, multi=True, saves="out, z", batch="same", cases=_ONE,
    doc=_doc("Airy functions and their derivatives: Ai, Ai', Bi, Bi'.", "special.airy([0., 1.])[0]",
             "tensor([0.35502805, 0.13529242])"))

# ---------------------------------------------------------------- integrals and their inverses --

expi = _op("expi", "x", vjp=lambda g, out, x: g * (exp(x) / x), near=_POSITIVE,
           doc=_doc("The exponential integral Ei: of exp(t) / t, up to x.", "special.expi([1., 2.])",
                    "tensor([1.89511782, 4.95423436])"))
exp1 = _op("exp1", "z", vjp=_defined(lambda g, out, z: -g * (exp(-z) / z)), near=_POSITIVE,
           doc=_doc("The exponential integral E1: of exp(-t) / t, from z on.", "special.exp1([1., 2.])",
                    "tensor([0.21938393, 0.04890051])"))
expn = _parametric("expn", "n, x", vjp=(None, _expn_dx), near=((0, 3), _POSITIVE), cases=_WHOLE,
                   doc=_doc("The exponential integral En.", "special.expn(2, [0., 1.])",
                            "tensor([1.        , 0.14849551])", "There is no derivative in n."))
exprel = _op("exprel", "x", vjp=lambda g, out, x: g * (0.5 * hyp1f1(2, 3, x)), kinks=[((0.0,), (0.5,))],
             doc=_doc("(exp(x) - 1) / x, and 1 where x is 0.", "special.exprel([0., 1.])",
                      "tensor([1.        , 1.71828183])"))
sici = _structural("sici", _by("sici"), "x", vjp=_sici_dx, multi=True, saves="x", batch="same", near=_POSITIVE,
                   cases=_ONE,
                   doc=_doc("The sine and cosine integrals: Si and Ci.", "special.sici([1., 2.])[0]",
                            "tensor([0.94608307, 1.60541298])"))
shichi = _structural("shichi", _by("shichi"), "x", vjp=_shichi_dx, multi=True, saves="x", batch="same", near=_POSITIVE,
                     cases=_ONE,
                     doc=_doc("The hyperbolic sine and cosine integrals: Shi and Chi.", "special.shichi([1., 2.])[0]",
                              "tensor([1.05725088, 2.50156743])"))
fresnel = _structural("fresnel", _by("fresnel"), "z", vjp=_fresnel_dx, multi=True, saves="z", batch="same", cases=_ONE,
                      doc=_doc("Fresnel's integrals: S and C.", "special.fresnel([0., 1.])[0]",
                               "tensor([0.        , 0.43825915])"))
spence = _op("spence", "z", vjp=_spence_dz, near=_POSITIVE, kinks=[((1.0,),
                                                                                                       (-1.0,))],
             doc=_doc("Spence's function, a dilogarithm: the integral of log(t) / (1 - t) from 1 to z.",
                      "special.spence([1., 2.])", "tensor([ 0.        , -0.82246703])"))
lambertw = _structural(
    "lambertw", _lambertw, "z; k=0, tol=1e-08", vjp=lambda g, out, z, k, tol: g * (exp(-out) / (1 + out)),
    saves="out", batch="same", near=_POSITIVE, cases=[case((2, 3), k=0, tol=1e-8), case((3,), k=-1, tol=1e-8),
                                                      case((), k=2, tol=1e-8)],
    doc=_doc("Lambert's W: the solution of ``w * exp(w) == z``.", "special.lambertw([0., 1.]).real",
             "tensor([0.        , 0.56714329])"))
wrightomega = _op("wrightomega", "z", vjp=lambda g, out, z: g * (out / (1 + out)),
                  doc=_doc("The solution of ``w + log(w) == z``.", "special.wrightomega([1., 2.])",
                           "tensor([1.       , 1.5571456])"))
wofz = _structural("wofz", _by("wofz"), "z", vjp=lambda g, out, z: g * (TWO_I_OVER_SQRT_PI - 2 * z * out),
                   saves="out, z", batch="same",
                   cases=_ONE,
                   doc=_doc("Faddeeva's function: exp(-z*z) * erfc(-1j * z).", "special.wofz([0., 1.]).real",
                            "tensor([1.        , 0.36787944])"))
owens_t = _op("owens_t", "h, a",
              vjp=(lambda g, out, h, a: -g * (exp(-0.5 * (h * h)) * erf(a * h * SQRT_HALF) * (SQRT_HALF / SQRT_PI / 2)),
                   lambda g, out, h, a: g * (exp(-0.5 * (h * h) * (1 + a * a)) / (2 * math.pi * (1 + a * a)))),
              doc=_doc("Owen's T function.", "special.owens_t([0., 1.], 1.)", "tensor([0.125     , 0.06674188])"))
ellipk = _op("ellipk", "m", vjp=_defined(lambda g, out, m: g * (math.pi / 8 * hyp2f1(1.5, 1.5, 2, m))), near=(-0.9, 0.9),
             doc=_doc("Complete elliptic integral of the first kind, of the parameter m.",
                      "special.ellipk([0., 0.5])", "tensor([1.57079633, 1.85407468])"))
ellipkm1 = _op("ellipkm1", "p", vjp=_ellipkm1_dp, near=(0.1, 1.9),
               doc=_doc("ellipk(1 - p), accurate for small p.", "special.ellipkm1([1., 0.5])",
                        "tensor([1.57079633, 1.85407468])"))
ellipe = _op("ellipe", "m", vjp=_defined(lambda g, out, m: -g * (math.pi / 8 * hyp2f1(0.5, 1.5, 2, m))), near=(-0.9, 0.9),
             doc=_doc("Complete elliptic integral of the second kind, of the parameter m.",
                      "special.ellipe([0., 0.5])", "tensor([1.57079633, 1.35064388])"))
ellipkinc = _parametric("ellipkinc", "phi, m", vjp=(lambda g, out, phi, m: g / _root(phi, m), None), near=_UNIT,
                        cases=[case((2, 3), 0.5), case((3,), np.array([0, -1, -2])), case((), 0), case((0,), 0.5)],
                        doc=_doc("Incomplete elliptic integral of the first kind.",
                                 "special.ellipkinc([0., 1.], 0.5)", "tensor([0.        , 1.08321677])",
                                 "There is no derivative in m."))
ellipeinc = _parametric("ellipeinc", "phi, m", vjp=(lambda g, out, phi, m: g * _root(phi, m), None), near=_UNIT,
                        cases=[case((2, 3), 0.5), case((3,), np.array([0, -1, -2])), case((), 0), case((0,), 0.5)],
                        doc=_doc("Incomplete elliptic integral of the second kind.",
                                 "special.ellipeinc([0., 1.], 0.5)", "tensor([0.        , 0.92732988])",
                                 "There is no derivative in m."))

# ---------------------------------------------------------------- hypergeometric functions --

hyp0f1 = _parametric("hyp0f1", "v, z", vjp=(None, lambda g, out, v, z: g * (hyp0f1(v + 1, z) / v)),
                     near=(_POSITIVE, _POSITIVE),
                     cases=[case(2, (2, 3)), case(np.array([1, 2, 3]), (2, 3)), case(0.5, ()), case(1, (0,))],
                     doc=_doc("The confluent hypergeometric limit function 0F1.", "special.hyp0f1(1, [0., 1.])",
                              "tensor([1.       , 2.2795853])",
                              "There is no derivative in v."))
hyp1f1 = _parametric("hyp1f1", "a, b, x",
                     vjp=(None, None, lambda g, out, a, b, x: g * (a / b * hyp1f1(a + 1, b + 1, x))),
                     near=(_POSITIVE, _POSITIVE, (-2, 2)),
                     cases=[case(2, 3, (2, 3)), case(np.array([1, 2, 3]), 2, (2, 3)), case(0.5, 1.5, ()),
                            case(1, 2, (0,))],
                     doc=_doc("The confluent hypergeometric function 1F1.", "special.hyp1f1(1, 2, [0., 1.])",
                              "tensor([1.        , 1.71828183])",
                              "There is no derivative in a and b."))
hyp2f1 = _parametric("hyp2f1", "a, b, c, z",
                     vjp=(None, None, None,
                          lambda g, out, a, b, c, z: g * (a * b / c * hyp2f1(a + 1, b + 1, c + 1, z))),
                     near=(_POSITIVE, _POSITIVE, _POSITIVE, (-0.8, 0.8)),
                     cases=[case(1, 1, 2, (2, 3)), case(np.array([1, 2, 3]), 2, 3, (2, 3)), case(0.5, 1.5, 2.5, ()),
                            case(1, 2, 3, (0,))],
                     doc=_doc("Gauss' hypergeometric function 2F1.", "special.hyp2f1(1, 1, 1, [0., 0.5])",
                              "tensor([1., 2.])",
                              "There is no derivative in a, b and c."))
hyperu = _parametric("hyperu", "a, b, x", vjp=(None, None, lambda g, out, a, b, x: -g * (a * hyperu(a + 1, b + 1, x))),
                     near=_POSITIVE,
                     cases=[case(2, 3, (2, 3)), case(np.array([1, 2, 3]), 2, (2, 3)), case(0.5, 1.5, ()),
                            case(1, 2, (0,))],
                     doc=_doc("The confluent hypergeometric function U.", "special.hyperu(1, 2, [1., 2.])",
                              "tensor([1. , 0.5])",
                              "There is no derivative in a and b."))

# ---------------------------------------------------------------- orthogonal polynomials --

_polynomial = partial(_parametric, near=(-0.9, 0.9))
_POLYNOMIAL = [case(3, (2, 3)), case(np.array([0, 1, 4]), (2, 3)), case(2, ()), case(1, (0,))]
_NO_DEGREE = "There is no derivative in the degree."

eval_legendre = _polynomial(
    "eval_legendre", "n, x", vjp=(None, _of_degree(lambda n, x: (n + 1) / 2 * eval_jacobi(_lower(n), 1, 1, x))),
    cases=_POLYNOMIAL,
    doc=_doc("Legendre polynomial.", "special.eval_legendre(2, [0., 1.])", "tensor([-0.5,  1. ])", _NO_DEGREE))
eval_sh_legendre = _polynomial(
    "eval_sh_legendre", "n, x", vjp=(None, _of_degree(lambda n, x: (n + 1) * eval_jacobi(_lower(n), 1, 1, 2 * x - 1))),
    cases=_POLYNOMIAL, doc=_doc("Shifted Legendre polynomial.", "special.eval_sh_legendre(2, [0., 1.])",
                                "tensor([1., 1.])", _NO_DEGREE))
eval_chebyt = _polynomial(
    "eval_chebyt", "n, x", vjp=(None, _of_degree(lambda n, x: n * eval_chebyu(_lower(n), x))), cases=_POLYNOMIAL,
    doc=_doc("Chebyshev polynomial of the first kind.", "special.eval_chebyt(2, [0., 1.])", "tensor([-1.,  1.])",
             _NO_DEGREE))
eval_chebyu = _polynomial(
    "eval_chebyu", "n, x", vjp=(None, _of_degree(lambda n, x: 2 * eval_gegenbauer(_lower(n), 2, x))), cases=_POLYNOMIAL,
    doc=_doc("Chebyshev polynomial of the second kind.", "special.eval_chebyu(2, [0., 1.])", "tensor([-1.,  3.])",
             _NO_DEGREE))
eval_sh_chebyt = _polynomial(
    "eval_sh_chebyt", "n, x", vjp=(None, _of_degree(lambda n, x: 2 * n * eval_chebyu(_lower(n), 2 * x - 1))),
    cases=_POLYNOMIAL,
    doc=_doc("Shifted Chebyshev polynomial of the first kind.", "special.eval_sh_chebyt(2, [0., 1.])",
             "tensor([1., 1.])", _NO_DEGREE))
eval_sh_chebyu = _polynomial(
    "eval_sh_chebyu", "n, x", vjp=(None, _of_degree(lambda n, x: 4 * eval_gegenbauer(_lower(n), 2, 2 * x - 1))),
    cases=_POLYNOMIAL,
    doc=_doc("Shifted Chebyshev polynomial of the second kind.", "special.eval_sh_chebyu(2, [0., 1.])",
             "tensor([3., 3.])", _NO_DEGREE))
eval_chebyc = _polynomial(
    "eval_chebyc", "n, x", vjp=(None, _of_degree(lambda n, x: n * eval_chebyu(_lower(n), x / 2))), cases=_POLYNOMIAL,
    doc=_doc("Chebyshev polynomial of the first kind, on [-2, 2].", "special.eval_chebyc(2, [0., 2.])",
             "tensor([-2.,  2.])", _NO_DEGREE))
eval_chebys = _polynomial(
    "eval_chebys", "n, x", vjp=(None, _of_degree(lambda n, x: eval_gegenbauer(_lower(n), 2, x / 2))), cases=_POLYNOMIAL,
    doc=_doc("Chebyshev polynomial of the second kind, on [-2, 2].", "special.eval_chebys(2, [0., 2.])",
             "tensor([-1.,  3.])", _NO_DEGREE))
eval_gegenbauer = _polynomial(
    "eval_gegenbauer", "n, alpha, x",
    vjp=(None, None, _of_degree(lambda n, alpha, x: 2 * alpha * eval_gegenbauer(_lower(n), alpha + 1, x))),
    cases=[case(3, 1, (2, 3)), case(np.array([0, 1, 4]), 2.5, (2, 3)), case(2, 1, ()), case(1, 2, (0,))],
    doc=_doc("Gegenbauer polynomial.", "special.eval_gegenbauer(2, 1, [0., 1.])", "tensor([-1.,  3.])",
             "There is no derivative in n and alpha."))
eval_jacobi = _polynomial(
    "eval_jacobi", "n, alpha, beta, x",
    vjp=(None, None, None, _of_degree(_jacobi_slope)),
    cases=[case(3, 1, 2, (2, 3)), case(np.array([0, 1, 4]), 2.5, 0.5, (2, 3)), case(2, 1, 1, ()), case(1, 2, 3, (0,))],
    doc=_doc("Jacobi polynomial.", "special.eval_jacobi(2, 1, 1, [0., 1.])", "tensor([-0.75,  3.  ])",
             "There is no derivative in n, alpha and beta."))
eval_hermite = _polynomial(
    "eval_hermite", "n, x", vjp=(None, _of_degree(lambda n, x: 2 * n * eval_hermite(_lower(n), x))), cases=_POLYNOMIAL,
    doc=_doc("Hermite polynomial, the physicists'.", "special.eval_hermite(2, [0., 1.])", "tensor([-2.,  2.])",
             _NO_DEGREE))
eval_hermitenorm = _polynomial(
    "eval_hermitenorm", "n, x", vjp=(None, _of_degree(lambda n, x: n * eval_hermitenorm(_lower(n), x))),
    cases=_POLYNOMIAL,
    doc=_doc("Hermite polynomial, the statisticians'.", "special.eval_hermitenorm(2, [0., 1.])", "tensor([-1.,  0.])",
             _NO_DEGREE))
eval_laguerre = _polynomial(
    "eval_laguerre", "n, x", vjp=(None, _of_degree(lambda n, x: -eval_genlaguerre(_lower(n), 1, x))), cases=_POLYNOMIAL,
    doc=_doc("Laguerre polynomial.", "special.eval_laguerre(2, [0., 1.])", "tensor([ 1. , -0.5])", _NO_DEGREE))
eval_genlaguerre = _polynomial(
    "eval_genlaguerre", "n, alpha, x", vjp=(None, None, _of_degree(_laguerre_slope)),
    cases=[case(3, 1, (2, 3)), case(np.array([0, 1, 4]), 2.5, (2, 3)), case(2, 1, ()), case(1, 2, (0,))],
    doc=_doc("Generalized Laguerre polynomial.", "special.eval_genlaguerre(2, 1, [0., 1.])", "tensor([3. , 0.5])",
             "There is no derivative in n and alpha."))
# fmt: on
