"""Special functions: the error function's relatives, gamma and beta functions, entropies, and the statistician's maps.

Names and arguments are SciPy's, and so are most loops; the relatives of erf and of the logistic function have loops of
their own (csrc/curves.c). `bessel` has the rest. What a derivative needs of values is written so that it keeps
its digits in the tails. Formulas are in Abramowitz and Stegun, Handbook of mathematical functions, 1964, and at
dlmf.nist.gov.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import partial

import numpy as np

from . import _elementary, _gamma, _scipy
from ._curve import curve
from ._doc import describe
from ._doc import doc as _doc
from ._gamma import through_double
from ._row import TABLE, case, register
from ._scipy import defined as _defined
from ._scipy import each as _each
from ._scipy import elementwise as _op
from ._scipy import parametric as _parametric
from ._scipy import plain as _plain
from ._scipy import structural as _structural
from ._scipy import whole as _whole
from .composites import softplus_pull
from .elementwise import LN10, TWO_OVER_SQRT_PI, exp, log, log1p, power, sign, sin, sqrt, where

_own = partial(register, module=_scipy.MODULE)
describe({
    "multigammaln.d": ("int", "The dimension: of what matrices it is the gamma function."),
})  # fmt: skip

SQRT_HALF = math.sqrt(0.5)
SQRT_TWO_PI = math.sqrt(2 * math.pi)
HALF_SQRT_PI = math.sqrt(math.pi) / 2
DEGREE = math.pi / 180
INF = math.inf
NAN = math.nan
_POSITIVE = (0.3, 3.0)
_UNIT = (0.1, 0.9)


# ---------------------------------------------------------------- forwards without SciPy


def _xlogy(x, y):
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log(y))


def _xlog1py(x, y):
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log1p(y))


def _entr(x):
    return np.where(x < 0, -np.inf, -_xlogy(x, x))


def _rel_entr(x, y):
    inside = np.where((x > 0) & (y > 0), x * np.log(x / y), np.where((x == 0) & (y >= 0), 0.0, np.inf))
    return np.where(np.isnan(x) | np.isnan(y), np.nan, inside)


def _kl_div(x, y):
    return _rel_entr(x, y) - x + y


def _huber(delta, r):
    size = np.abs(r)
    return np.where(delta < 0, np.inf, np.where(size <= delta, r * r / 2, delta * (size - delta / 2)))


def _pseudo_huber(delta, r):
    u = np.where(delta == 0, 0.0, r / np.where(delta == 0, 1.0, delta))
    return np.where(delta < 0, np.inf, delta * delta * (u * u / (1 + np.sqrt(1 + u * u))))


def _boxcox(x, lmbda):
    return np.where(lmbda == 0, np.log(x), np.expm1(lmbda * np.log(x)) / np.where(lmbda == 0, 1.0, lmbda))


def _inv_boxcox(y, lmbda):
    return np.where(lmbda == 0, np.exp(y), np.exp(np.log1p(lmbda * y) / np.where(lmbda == 0, 1.0, lmbda)))


def _lbeta(a, b):
    return _scipy.gammaln(a) + _scipy.gammaln(b) - _scipy.gammaln(a + b)


def _polygamma(n, x):
    """As SciPy computes it, whose result is always double; of complex numbers too, which SciPy's does not take."""
    n, x = np.asarray(n), np.asarray(x)
    hurwitz = _scipy.hurwitz
    if x.dtype.kind != "c":
        with suppress(ImportError):
            hurwitz = _scipy.ufunc("_zeta")
    factor = (-1.0) ** (n + 1) * gamma.fn(n + 1.0)
    out = factor * hurwitz(n + 1, x)
    return np.where(n == 0, digamma.fn(x), out) if np.any(n == 0) else np.asarray(out)


def _multigammaln(a, d):
    _scipy.ufunc("loggamma")
    from scipy.special import multigammaln

    return multigammaln(a, d)


# ---------------------------------------------------------------- how operands are bound
# Of these ufuncs the loop for doubles is listed first, and NumPy takes it where a Python scalar is beside a float32.


def _wide(x):
    return np.float64(x) if type(x) in (bool, int, float) else x


def _bind_ab(a, b):
    return (_wide(a), _wide(b)), {}


def _bind_xy(x, y):
    return (_wide(x), _wide(y)), {}


# ---------------------------------------------------------------- helpers of formulas


def _xlogy_dx(g, out, x, y):
    return g * where((x == 0) & (y == 0), 0.0, log(y))


def _xlogy_dy(g, out, x, y):
    return g * (x / where((x == 0) & (y == 0), 1.0, y))


def _xlog1py_dx(g, out, x, y):
    return g * where((x == 0) & (y == -1), 0.0, log1p(y))


def _xlog1py_dy(g, out, x, y):
    return g * (x / (1 + where((x == 0) & (y == -1), 0.0, y)))


def _erfcx_dx(g, out, x):
    """2 x out - 2 / sqrt(pi), which cancel for large x: there by the asymptotic series (DLMF 7.12.1)."""
    far = x > 30
    y = where(far, x, 30.0)
    t, series = 0.5 / (y * y), 0.0
    for k in range(8, 0, -1):
        series = 1 - (2 * k + 1) * t * (series if k < 8 else 1)
    return g * where(far, -TWO_OVER_SQRT_PI * t * series, 2 * x * out - TWO_OVER_SQRT_PI)


def _hazard(t, x):
    return t / (HALF_SQRT_PI / SQRT_HALF * erfcx.fn(-SQRT_HALF * x))


def _hazard_dx(g, out, t, x):
    hazard = log_ndtr_pull(1.0, x)
    return -g * (t * (hazard * (x + hazard)))


def _square_root(delta, r):
    u = r / delta
    return u, sqrt(1 + u * u)


def _logit_slope(t, p):
    return t / np.where((p < 0) | (p > 1), NAN, p * (1 - p))


def _pseudo_huber_ddelta(g, out, delta, r):
    u, s = _square_root(delta, r)
    return g * (delta * (u * u) * (u * u) / (s * ((1 + s) * (1 + s))))


def _pseudo_huber_dr(g, out, delta, r):
    return g * (r / _square_root(delta, r)[1])


def _boxcox_slope(t, lmbda):
    """The derivative of (exp(lmbda * t) - 1) / lmbda, which is smooth at lmbda = 0."""
    return t * t * (0.5 * TABLE["hyp1f1"](2, 3, lmbda * t))


def _log1p_ratio_slope(u):
    """The derivative of log1p(u) / u, which is smooth at 0."""
    return -0.5 * TABLE["hyp2f1"](2, 2, 3, -u)


def _gamma_density(a, x):
    return exp(xlogy(a - 1, x) - x - gammaln(a))


def _beta_density(a, b, x):
    return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


def _chi_square_density(v, x):
    return 0.5 * _gamma_density(0.5 * v, 0.5 * x)


def _student_density(df, t):
    return exp(-0.5 * (df + 1) * log1p(t * t / df) - betaln(0.5 * df, 0.5)) / sqrt(df)


def _f_density(dfn, dfd, x):
    """x turned into a variable of a beta distribution, and what that turn stretches."""
    whole = dfd + dfn * x
    return _beta_density(0.5 * dfn, 0.5 * dfd, dfn * x / whole) * (dfn * dfd / (whole * whole))


def _poisson_mass(k, m):
    k = _whole(k)
    return exp(xlogy(k, m) - m - gammaln(k + 1))


def _multigammaln_da(g, out, a, d):
    total = digamma(a)
    for j in range(1, int(d)):
        total = total + digamma(a - j / 2)
    return g * total


def _polygamma_dx(g, out, n, x):
    return g * polygamma(n + 1, x)


def _zeta_dq(g, out, s, q):
    return -g * (s * zeta(s + 1, q))


# fmt: off
# ---------------------------------------------------------------- the error function and its relatives --

erfc = _own("erfc", _scipy.curve("erfc", _elementary.erfc, _each(math.erfc)), "x", loop="erfc",
            vjp=lambda g, out, x: -g * (TWO_OVER_SQRT_PI * exp(-(x * x))),
            doc=_doc("1 - erf(x), accurate where that is small.", "special.erfc([0., 10.])",
                     "tensor([1.00000000e+00, 2.08848758e-45])", "Within 5 units in the last place."))
erfcx = _op("erfcx", "x", vjp=_erfcx_dx,
            doc=_doc("exp(x*x) * erfc(x), which does not underflow.", "special.erfcx([0., 1e10])",
                     "tensor([1.00000000e+00, 5.64189584e-11])"))
erfi = _op("erfi", "x", vjp=lambda g, out, x: g * (TWO_OVER_SQRT_PI * exp(x * x)),
           doc=_doc("The imaginary error function: -1j * erf(1j * x).", "special.erfi([0., 1.])",
                    "tensor([0.        , 1.65042576])"))
erfinv = _own("erfinv", _scipy.curve("erfinv", _elementary.erfinv), "y", loop="erfinv",
              vjp=lambda g, out, y: g * (HALF_SQRT_PI * exp(out * out)), near=(-0.9, 0.9),
             doc=_doc("The inverse of erf.", "special.erfinv([0., 0.5])", "tensor([0.        , 0.47693628])",
                      "Within 4 units in the last place."))
erfcinv = _op("erfcinv", "y", vjp=lambda g, out, y: -g * (HALF_SQRT_PI * exp(out * out)), near=(0.1, 1.9),
              doc=_doc("The inverse of erfc.", "special.erfcinv([1., 0.5])", "tensor([-0.        ,  0.47693628])"))
dawsn = _op("dawsn", "x", vjp=lambda g, out, x: g * (1 - 2 * x * out),
            doc=_doc("Dawson's integral: exp(-x*x) times the integral of exp(t*t) from 0 to x.",
                     "special.dawsn([0., 1.])", "tensor([0.        , 0.53807951])"))
ndtr = _own("ndtr", _scipy.curve("ndtr", _elementary.ndtr, _plain(_elementary.ndtr)), "x", loop="ndtr",
            vjp=lambda g, out, x: g * (exp(-0.5 * (x * x)) * (1 / SQRT_TWO_PI)),
            doc=_doc("The chance that a standard normal variable is less than x.", "special.ndtr([-1., 0., 1.])",
                     "tensor([0.15865525, 0.5       , 0.84134475])", "Within 5 units in the last place."))
log_ndtr = _own("log_ndtr", _scipy.curve("log_ndtr", through_double(_gamma.log_ndtr)), "x", loop="log_ndtr",
                vjp=lambda g, out, x: log_ndtr_pull(g, x),
                doc=_doc("log(ndtr(x)), accurate where ndtr(x) is tiny.", "special.log_ndtr([-1000., 0.])",
                         "tensor([-5.00007827e+05, -6.93147181e-01])", "Within 5 units in the last place."))
log_ndtr_pull = register("log_ndtr_pull", curve(through_double(_gamma.log_ndtr_pull), _hazard), "t, x",
                         vjp=(lambda g, out, t, x: log_ndtr_pull(g, x), _hazard_dx), loop="log_ndtr_pull",
                         doc="The vjp of log_ndtr: t times density by distribution function.")
ndtri = _op("ndtri", "y", vjp=lambda g, out, y: g * (SQRT_TWO_PI * exp(0.5 * (out * out))), near=_UNIT,
            doc=_doc("The inverse of ndtr.", "special.ndtri([0.5, 0.975])", "tensor([0.        , 1.95996398])"))
ndtri_exp = _op("ndtri_exp", "y", vjp=lambda g, out, y: g * (SQRT_TWO_PI * exp(0.5 * (out * out) + y)),
                near=(-3.0, -0.2),
                doc=_doc("The inverse of log_ndtr.", "special.ndtri_exp([-1000., -1.])",
                         "tensor([-44.61574773,  -0.33747496])"))

# ---------------------------------------------------------------- gamma and beta --

gamma = _op("gamma", "x", vjp=lambda g, out, x: g * (out * digamma(x)), near=_POSITIVE, fallback=_each(math.gamma),
            doc=_doc("The gamma function: (x - 1)! at integers.", "special.gamma([1., 5.])", "tensor([ 1., 24.])"))
rgamma = _op("rgamma", "x", vjp=lambda g, out, x: -g * (out * digamma(x)), near=_POSITIVE,
             fallback=_plain(lambda x: 1 / np.asarray(_each(math.gamma)(x))),
             doc=_doc("1 / gamma(x).", "special.rgamma([1., 5.])", "tensor([1.        , 0.04166667])"))
gammaln = _own("gammaln", _scipy.curve("gammaln", through_double(_gamma.gammaln), _scipy.gammaln), "x", loop="gammaln",
               vjp=lambda g, out, x: g * psi_terms(x), near=_POSITIVE,
              doc=_doc("log(abs(gamma(x))).", "special.gammaln([1., 100.])", "tensor([  0.        , 359.13420537])",
                       "Within 6 units in the last place; near its zeros below 0 to a rounding of 1."))
loggamma = _op("loggamma", "x", vjp=_defined(lambda g, out, x: g * digamma(x)), near=_POSITIVE,
               doc=_doc("log(gamma(x)), of complex numbers too.", "special.loggamma([1., 100.])",
                        "tensor([  0.        , 359.13420537])"))
gammasgn = _op("gammasgn", "x", vjp=lambda g, out, x: 0.0, near=_POSITIVE,
               doc=_doc("The sign of gamma(x).", "special.gammasgn([1.5, -0.5])", "tensor([ 1., -1.])"))
psi_terms = register("psi_terms", curve(through_double(_gamma.psi_terms), lambda x: digamma.fn(x)), "x",
                     vjp=lambda g, out, x: g * trigamma(x), near=_POSITIVE, loop="psi_terms",
                     doc="digamma, faster than SciPy's, but near its zeros accurate to a rounding of 1 alone.")
trigamma = register("trigamma", curve(through_double(_gamma.trigamma), lambda x: _polygamma(1, x)), "x",
                    vjp=lambda g, out, x: g * polygamma(2, x), near=_POSITIVE, loop="trigamma",
                    doc="The derivative of digamma.")
digamma = _op("digamma", "x", ufunc="psi", vjp=lambda g, out, x: g * trigamma(x), near=_POSITIVE,
              fallback=_scipy.digamma,
              doc=_doc("The derivative of log(gamma(x)), also called psi.", "special.digamma([1., 100.])",
                       "tensor([-0.57721566,  4.60016185])"))
beta = _op("beta", "a, b", bind=_bind_ab, vjp=(lambda g, out, a, b: g * (out * (digamma(a) - digamma(a + b))),
                                lambda g, out, a, b: g * (out * (digamma(b) - digamma(a + b)))), near=_POSITIVE,
           fallback=_plain(lambda a, b: np.exp(_lbeta(a, b))),
           doc=_doc("The beta function: gamma(a) * gamma(b) / gamma(a + b).", "special.beta([1., 2.], 2.)",
                    "tensor([0.5       , 0.16666667])"))
betaln = _op("betaln", "a, b", bind=_bind_ab, vjp=(lambda g, out, a, b: g * (digamma(a) - digamma(a + b)),
                                    lambda g, out, a, b: g * (digamma(b) - digamma(a + b))), near=_POSITIVE,
             fallback=_plain(_lbeta),
             doc=_doc("log(abs(beta(a, b))).", "special.betaln([1., 200.], 2.)",
                      "tensor([ -0.69314718, -10.60162227])"))
binom = _op("binom", "n, k", vjp=(lambda g, out, n, k: g * (out * (digamma(n + 1) - digamma(n - k + 1))),
                                  lambda g, out, n, k: g * (out * (digamma(n - k + 1) - digamma(k + 1)))),
            near=((2.6, 5.0), (0.3, 2.4)),
            doc=_doc("Binomial coefficients, of real numbers too.", "special.binom([5., 0.5], 2.)",
                     "tensor([10.   , -0.125])"))
poch = _op("poch", "z, m", vjp=(lambda g, out, z, m: g * (out * (digamma(z + m) - digamma(z))),
                                lambda g, out, z, m: g * (out * digamma(z + m))), near=_POSITIVE,
           doc=_doc("gamma(z + m) / gamma(z), Pochhammer's symbol.", "special.poch([1., 3.], 3.)",
                    "tensor([ 6., 60.])"))
polygamma = _structural(
    "polygamma", _polygamma, "n, x", vjp=(None, _polygamma_dx), near=((0.0, 3.0), _POSITIVE),
    cases=[case(1, (2, 3)), case(np.array([0, 1, 2]), (2, 3)), case(np.array([[1], [3]]), (2,)), case(0, ()),
           case(2, (0,))],
    doc=_doc("The n-th derivative of digamma.", "special.polygamma(1, [1., 2.])", "tensor([1.64493407, 0.64493407])",
             "As SciPy's, it gives float64. There is no derivative in n."))
multigammaln = _structural(
    "multigammaln", _multigammaln, "a; d", vjp=_multigammaln_da, saves="a", batch="same", near=(2.5, 5.0),
    cases=[case((2, 3), d=1), case((3,), d=4), case((), d=2)],
    doc=_doc("log of the multivariate gamma function.", "special.multigammaln([3., 5.], 2)",
             "tensor([1.55019499, 6.20415534])",
             "ValueError is raised where a is not above (d - 1) / 2."))
zeta = _parametric(
    "zeta", "s, q", ufunc="_zeta", vjp=(None, _zeta_dq), near=((2.0, 4.0), _POSITIVE),
    cases=[case(2, (2, 3)), case(np.array([2, 3, 4]), (2, 3)), case(2.5, (3,)), case(3, ()), case(2, (0,))],
    doc=_doc("Hurwitz' zeta function: the sum of (k + q)**-s, over k from 0.", "special.zeta(2, [1., 2.])",
             "tensor([1.64493407, 0.64493407])",
             "There is no derivative in s."))
gammainc = _parametric(
    "gammainc", "a, x", vjp=(None, lambda g, out, a, x: g * _gamma_density(a, x)), near=(_POSITIVE, _POSITIVE),
    cases=[case(2, (2, 3)), case(np.array([1, 2, 5]), (2, 3)), case(0.5, (3,)), case(3.5, ()), case(2, (0,))],
    doc=_doc("The regularized lower incomplete gamma function.", "special.gammainc(1, [0., 1.])",
             "tensor([0.        , 0.63212056])",
             "There is no derivative in a."))
gammaincc = _parametric(
    "gammaincc", "a, x", vjp=(None, lambda g, out, a, x: -g * _gamma_density(a, x)), near=(_POSITIVE, _POSITIVE),
    cases=[case(2, (2, 3)), case(np.array([1, 2, 5]), (2, 3)), case(0.5, (3,)), case(3.5, ()), case(2, (0,))],
    doc=_doc("1 - gammainc(a, x), accurate where that is small.", "special.gammaincc(1, [0., 100.])",
             "tensor([1.00000000e+00, 3.72007598e-44])",
             "There is no derivative in a."))
gammaincinv = _parametric(
    "gammaincinv", "a, y", vjp=(None, lambda g, out, a, y: g / _gamma_density(a, out)), near=(_POSITIVE, _UNIT),
    cases=[case(2, (2, 3)), case(np.array([1, 2, 5]), (2, 3)), case(2.5, ()), case(2, (0,))],
    doc=_doc("The inverse of gammainc in x.", "special.gammaincinv(1, [0., 0.5])", "tensor([0.        , 0.69314718])",
             "There is no derivative in a."))
gammainccinv = _parametric(
    "gammainccinv", "a, y", vjp=(None, lambda g, out, a, y: -g / _gamma_density(a, out)), near=(_POSITIVE, _UNIT),
    cases=[case(2, (2, 3)), case(np.array([1, 2, 5]), (2, 3)), case(2.5, ()), case(2, (0,))],
    doc=_doc("The inverse of gammaincc in x.", "special.gammainccinv(1, [1., 0.5])",
             "tensor([0.        , 0.69314718])", "There is no derivative in a."))
betainc = _parametric(
    "betainc", "a, b, x", vjp=(None, None, lambda g, out, a, b, x: g * _beta_density(a, b, x)),
    near=(_POSITIVE, _POSITIVE, _UNIT),
    cases=[case(2, 3, (2, 3)), case(np.array([1, 2, 5]), 2.5, (2, 3)), case(0.5, 0.5, ()), case(2, 2, (0,))],
    doc=_doc("The regularized incomplete beta function.", "special.betainc(1, 1, [0., 0.25])", "tensor([0.  , 0.25])",
             "There is no derivative in a and b."))
betaincc = _parametric(
    "betaincc", "a, b, x", vjp=(None, None, lambda g, out, a, b, x: -g * _beta_density(a, b, x)),
    near=(_POSITIVE, _POSITIVE, _UNIT),
    cases=[case(2, 3, (2, 3)), case(np.array([1, 2, 5]), 2.5, (2, 3)), case(0.5, 0.5, ()), case(2, 2, (0,))],
    doc=_doc("1 - betainc(a, b, x).", "special.betaincc(1, 1, [0., 0.25])", "tensor([1.  , 0.75])",
             "There is no derivative in a and b."))
betaincinv = _parametric(
    "betaincinv", "a, b, y", vjp=(None, None, lambda g, out, a, b, y: g / _beta_density(a, b, out)),
    near=(_POSITIVE, _POSITIVE, _UNIT),
    cases=[case(2, 3, (2, 3)), case(np.array([1, 2, 5]), 2.5, (2, 3)), case(1.5, 2.5, ()), case(2, 2, (0,))],
    doc=_doc("The inverse of betainc in x.", "special.betaincinv(1, 1, [0., 0.25])", "tensor([0.  , 0.25])",
             "There is no derivative in a and b."))
betainccinv = _parametric(
    "betainccinv", "a, b, y", vjp=(None, None, lambda g, out, a, b, y: -g / _beta_density(a, b, out)),
    near=(_POSITIVE, _POSITIVE, _UNIT),
    cases=[case(2, 3, (2, 3)), case(np.array([1, 2, 5]), 2.5, (2, 3)), case(1.5, 2.5, ()), case(2, 2, (0,))],
    doc=_doc("The inverse of betaincc in x.", "special.betainccinv(1, 1, [1., 0.25])", "tensor([0.  , 0.75])",
             "There is no derivative in a and b."))

# ---------------------------------------------------------------- logarithms, entropies, logistic functions --

xlogy = _own("xlogy", _scipy.curve("xlogy", through_double(_gamma.xlogy), _plain(_xlogy)), "x, y", bind=_bind_xy,
             loop="xlogy", vjp=(_xlogy_dx, _xlogy_dy), near=((-2, 2), _POSITIVE),
            kinks=[((0.0, 0.0), (0.0, 0.0)), ((0.0, 2.0), (math.log(2.0), 0.0)), ((1.0, 0.0), (-INF, INF))],
            doc=_doc("x * log(y), and 0 where x is 0.", "special.xlogy([0., 2.], [0., 1.])", "tensor([0., 0.])",
                     "Within 2 units in the last place."))
xlog1py = _op("xlog1py", "x, y", bind=_bind_xy, vjp=(_xlog1py_dx, _xlog1py_dy), near=((-2, 2), (-0.7, 3)),
              fallback=_plain(_xlog1py),
              kinks=[((0.0, -1.0), (0.0, 0.0)), ((0.0, 1.0), (math.log(2.0), 0.0)), ((1.0, -1.0), (-INF, INF))],
              doc=_doc("x * log1p(y), and 0 where x is 0.", "special.xlog1py([0., 2.], [-1., 0.])", "tensor([0., 0.])"))
entr = _own("entr", _scipy.curve("entr", through_double(_gamma.entr), _plain(_entr)), "x", loop="entr",
            vjp=lambda g, out, x: -g * (1 + log(x)), near=_POSITIVE,
           kinks=[((0.0,), (INF,)), ((1.0,), (-1.0,))],
           doc=_doc("-x * log(x), the terms of an entropy.", "special.entr([0., 1.])", "tensor([ 0., -0.])",
                    "Within 2 units in the last place."))
rel_entr = _op("rel_entr", "x, y", vjp=(lambda g, out, x, y: g * (1 + log(x / y)), lambda g, out, x, y: -g * (x / y)),
               near=_POSITIVE, fallback=_plain(_rel_entr), kinks=[((0.0, 1.0), (-INF, 0.0)), ((1.0, 1.0), (1.0, -1.0))],
               doc=_doc("x * log(x / y), the terms of a relative entropy.", "special.rel_entr([0., 1.], 1.)",
                        "tensor([0., 0.])"))
kl_div = _op("kl_div", "x, y", vjp=(lambda g, out, x, y: g * log(x / y), lambda g, out, x, y: g * (1 - x / y)),
             near=_POSITIVE, fallback=_plain(_kl_div), kinks=[((0.0, 1.0), (-INF, 1.0)), ((1.0, 1.0), (0.0, 0.0))],
             doc=_doc("x * log(x / y) - x + y, which is convex in both.", "special.kl_div([0., 1.], 1.)",
                      "tensor([1., 0.])"))
expit_pull = register(
    "expit_pull", curve(_elementary.expit_pull, lambda t, x: t * (expit.fn(x) * expit.fn(-x))), "t, x",
    vjp=(lambda g, out, t, x: expit_pull(g, x),
         lambda g, out, t, x: g * (t * (expit(x) * expit(-x) * (expit(-x) - expit(x))))),
    loop="expit_pull", doc="The vjp of expit.")
expit = _own("expit", _scipy.curve("expit", _elementary.sigmoid, _plain(_elementary.sigmoid)), "x", loop="sigmoid",
             vjp=lambda g, out, x: expit_pull(g, x),
             kinks=[((0.0,), (0.25,)), ((1000.0,), (0.0,)), ((-1000.0,), (0.0,))],
             doc=_doc("1 / (1 + exp(-x)), the inverse of logit.", "special.expit([-1000., 0., 1000.])",
                      "tensor([0. , 0.5, 1. ])", "Within 2 units in the last place."))
log_expit = _own("log_expit", _scipy.curve("log_expit", _elementary.logsigmoid, _plain(_elementary.logsigmoid)), "x",
                 vjp=lambda g, out, x: softplus_pull(g, -x), loop="logsigmoid",
                 kinks=[((0.0,), (0.5,)), ((1000.0,), (0.0,)), ((-1000.0,), (1.0,))],
                 doc=_doc("log(expit(x)), accurate where expit(x) is tiny.", "special.log_expit([-1000., 1000.])",
                          "tensor([-1000.,    -0.])", "Within 2 units in the last place."))
logit_pull = register("logit_pull", curve(_elementary.logit_pull, _logit_slope), "t, p", loop="logit_pull",
                      near=((-2, 2), _UNIT),
                      vjp=(lambda g, out, t, p: logit_pull(g, p),
                           lambda g, out, t, p: logit_pull(logit_pull(g * (t * (2 * p - 1)), p), p)),
                      doc="The vjp of logit.")
logit = _own("logit", _scipy.curve("logit", _elementary.logit, _plain(lambda p: np.log(p) - np.log1p(-p))), "p",
             loop="logit", vjp=lambda g, out, p: logit_pull(g, p), near=_UNIT,
            kinks=[((0.0,), (INF,)), ((2.0,), (NAN,))],
            doc=_doc("log(p / (1 - p)).", "special.logit([0., 0.5, 1.])", "tensor([-inf,   0.,  inf])",
                     "Within 4 units in the last place."))
exp10 = _op("exp10", "x", vjp=lambda g, out, x: g * (LN10 * out), fallback=_plain(lambda x: np.power(10.0, x)),
            doc=_doc("10 to the power x.", "special.exp10([0., 2.])", "tensor([  1., 100.])"))
cosm1 = _op("cosm1", "x", vjp=lambda g, out, x: -(g * sin(x)), fallback=_plain(lambda x: -2 * np.sin(x / 2) ** 2),
            doc=_doc("cos(x) - 1, accurate near 0.", "special.cosm1([0., 1e-5])", "tensor([ 0.e+00, -5.e-11])"))
powm1 = _op("powm1", "x, y", vjp=(lambda g, out, x, y: g * (y * power(x, y - 1)),
                                  lambda g, out, x, y: g * ((out + 1) * log(x))),
            near=((0.5, 2), (-2, 2)), fallback=_plain(lambda x, y: np.expm1(y * np.log(x))),
            doc=_doc("x**y - 1, accurate where x**y is near 1.", "special.powm1([1., 2.], 3.)", "tensor([0., 7.])"))
sindg = _op("sindg", "x", vjp=lambda g, out, x: g * (DEGREE * cosdg(x)), near=(-60, 60),
            doc=_doc("Sine, of degrees.", "special.sindg([30., 180.])", "tensor([ 0.5, -0. ])"))
cotdg = _op("cotdg", "x", vjp=lambda g, out, x: -g * (DEGREE * (1 + out * out)), near=(20, 160),
            doc=_doc("Cotangent, of degrees.", "special.cotdg([45., 90.])", "tensor([1., 0.])"))
cosdg = _op("cosdg", "x", vjp=lambda g, out, x: -g * (DEGREE * sindg(x)), near=(-60, 60),
            doc=_doc("Cosine, of degrees.", "special.cosdg([60., 90.])", "tensor([ 0.5, -0. ])"))
tandg = _op("tandg", "x", vjp=lambda g, out, x: g * (DEGREE * (1 + out * out)), near=(-60, 60),
            doc=_doc("Tangent, of degrees.", "special.tandg([45., 180.])", "tensor([1., 0.])"))

# ---------------------------------------------------------------- the statistician's maps --

boxcox = _op("boxcox", "x, lmbda", vjp=(lambda g, out, x, lmbda: g * power(x, lmbda - 1),
                                        lambda g, out, x, lmbda: g * _boxcox_slope(log(x), lmbda)),
             near=((0.5, 2), (-2, 2)), fallback=_plain(_boxcox), kinks=[((math.e, 0.0), (1 / math.e, 0.5))],
             doc=_doc("(x**lmbda - 1) / lmbda; log(x) where lmbda is 0.", "special.boxcox([1., 3.], 2.)",
                      "tensor([0., 4.])"))
boxcox1p = _op("boxcox1p", "x, lmbda",
               vjp=(lambda g, out, x, lmbda: g * power(1 + x, lmbda - 1),
                    lambda g, out, x, lmbda: g * _boxcox_slope(log1p(x), lmbda)),
               near=((-0.5, 1), (-2, 2)), fallback=_plain(lambda x, lmbda: _boxcox(1 + x, lmbda)),
               doc=_doc("boxcox(1 + x, lmbda).", "special.boxcox1p([0., 2.], 2.)", "tensor([0., 4.])"))
inv_boxcox = _op("inv_boxcox", "y, lmbda",
                 vjp=(lambda g, out, y, lmbda: g * power(out, 1 - lmbda),
                      lambda g, out, y, lmbda: g * (out * (y * (y * _log1p_ratio_slope(lmbda * y))))),
                 near=((-0.4, 0.4), (-1, 2)), fallback=_plain(_inv_boxcox), kinks=[((1.0, 0.0), (math.e, -math.e / 2))],
                 doc=_doc("The inverse of boxcox in x.", "special.inv_boxcox([0., 4.], 2.)", "tensor([1., 3.])"))
inv_boxcox1p = _op("inv_boxcox1p", "y, lmbda",
                   vjp=(lambda g, out, y, lmbda: g * power(1 + out, 1 - lmbda),
                        lambda g, out, y, lmbda: g * ((1 + out) * (y * (y * _log1p_ratio_slope(lmbda * y))))),
                   near=((-0.4, 0.4), (-1, 2)), fallback=_plain(lambda y, lmbda: _inv_boxcox(y, lmbda) - 1),
                   doc=_doc("The inverse of boxcox1p in x.", "special.inv_boxcox1p([0., 4.], 2.)", "tensor([0., 2.])"))
huber = _op("huber", "delta, r",
            vjp=(lambda g, out, delta, r: where(abs(r) <= delta, 0.0, g * (abs(r) - delta)),
                 lambda g, out, delta, r: g * where(abs(r) <= delta, r, delta * sign(r))),
            near=((0.5, 1.0), (-3, 3)), fallback=_plain(_huber), kinks=[((1.0, 1.0), (0.0, 1.0)), ((1.0, 0.0),
                                                                                                   (0.0, 0.0))],
            doc=_doc("Huber's loss: quadratic up to delta, linear beyond.", "special.huber(1., [0.5, 3.])",
                     "tensor([0.125, 2.5  ])"))
pseudo_huber = _op("pseudo_huber", "delta, r", vjp=(_pseudo_huber_ddelta, _pseudo_huber_dr),
                   near=((0.5, 1.0), (-3, 3)), fallback=_plain(_pseudo_huber),
                   doc=_doc("A smooth relative of Huber's loss.", "special.pseudo_huber(3., [0., 4.])",
                            "tensor([0., 6.])"))

# ---------------------------------------------------------------- distribution functions --

_FREE = [case(3, (2, 3)), case(np.array([1, 2, 7]), (2, 3)), case(2.5, ()), case(2, (0,))]
_FREE_BOTH = [case(3, 5, (2, 3)), case(np.array([1, 2, 7]), 4, (2, 3)), case(2.5, 1.5, ()), case(2, 3, (0,))]
_COUNTS = [case(1, (2, 3)), case(np.array([0, 2, 3]), (2, 3)), case(2, ()), case(2, (0,))]
_FREEDOM = "There is no derivative in the degrees of freedom."
_NO_COUNTS = "There is no derivative in k."

stdtr = _parametric(
    "stdtr", "df, t", vjp=(None, lambda g, out, df, t: g * _student_density(df, t)), near=(_POSITIVE, (-2, 2)),
    cases=_FREE,
    doc=_doc("Student's t distribution function.", "special.stdtr(1, [0., 1.])", "tensor([0.5 , 0.75])", _FREEDOM))
stdtrit = _parametric(
    "stdtrit", "df, p", vjp=(None, lambda g, out, df, p: g / _student_density(df, out)), near=(_POSITIVE, _UNIT),
    cases=_FREE,
    doc=_doc("The inverse of stdtr in t.", "special.stdtrit(1, [0.5, 0.75])", "tensor([0., 1.])", _FREEDOM))
chdtr = _parametric(
    "chdtr", "v, x", vjp=(None, lambda g, out, v, x: g * _chi_square_density(v, x)), near=_POSITIVE, cases=_FREE,
    doc=_doc("Chi square distribution function.", "special.chdtr(2, [0., 1.])", "tensor([0.        , 0.39346934])",
             _FREEDOM))
chdtrc = _parametric(
    "chdtrc", "v, x", vjp=(None, lambda g, out, v, x: -g * _chi_square_density(v, x)), near=_POSITIVE, cases=_FREE,
    doc=_doc("1 - chdtr(v, x), accurate where that is small.", "special.chdtrc(2, [0., 1.])",
             "tensor([1.        , 0.60653066])", _FREEDOM))
chdtri = _parametric(
    "chdtri", "v, p", vjp=(None, lambda g, out, v, p: -g / _chi_square_density(v, out)), near=(_POSITIVE, _UNIT),
    cases=_FREE,
    doc=_doc("The inverse of chdtrc in x.", "special.chdtri(2, [1., 0.5])", "tensor([0.        , 1.38629436])",
             _FREEDOM))
fdtr = _parametric(
    "fdtr", "dfn, dfd, x", vjp=(None, None, lambda g, out, dfn, dfd, x: g * _f_density(dfn, dfd, x)), near=_POSITIVE,
    cases=_FREE_BOTH, doc=_doc("F distribution function.", "special.fdtr(2, 2, [0., 1.])", "tensor([0. , 0.5])",
                               _FREEDOM))
fdtrc = _parametric(
    "fdtrc", "dfn, dfd, x", vjp=(None, None, lambda g, out, dfn, dfd, x: -g * _f_density(dfn, dfd, x)), near=_POSITIVE,
    cases=_FREE_BOTH, doc=_doc("1 - fdtr(dfn, dfd, x).", "special.fdtrc(2, 2, [0., 1.])", "tensor([1. , 0.5])",
                               _FREEDOM))
fdtri = _parametric(
    "fdtri", "dfn, dfd, p", vjp=(None, None, lambda g, out, dfn, dfd, p: g / _f_density(dfn, dfd, out)), near=_UNIT,
    cases=_FREE_BOTH, doc=_doc("The inverse of fdtr in x.", "special.fdtri(2, 2, [0.25, 0.5])",
                               "tensor([0.33333333, 1.        ])", _FREEDOM))
gdtr = _parametric(
    "gdtr", "a, b, x", vjp=(lambda g, out, a, b, x: g * (x * _gamma_density(b, a * x)), None,
                            lambda g, out, a, b, x: g * (a * _gamma_density(b, a * x))), near=_POSITIVE,
    cases=[case((2, 3), 2, (2, 3)), case((2, 1), np.array([1, 2, 5]), (3,)), case((), 2.5, ()), case((0,), 2, (0,))],
    doc=_doc("Gamma distribution function, of rate a and shape b.", "special.gdtr(1, 1, [0., 1.])",
             "tensor([0.        , 0.63212056])",
             "There is no derivative in b."))
gdtrc = _parametric(
    "gdtrc", "a, b, x", vjp=(lambda g, out, a, b, x: -g * (x * _gamma_density(b, a * x)), None,
                             lambda g, out, a, b, x: -g * (a * _gamma_density(b, a * x))), near=_POSITIVE,
    cases=[case((2, 3), 2, (2, 3)), case((2, 1), np.array([1, 2, 5]), (3,)), case((), 2.5, ()), case((0,), 2, (0,))],
    doc=_doc("1 - gdtr(a, b, x).", "special.gdtrc(1, 1, [0., 1.])", "tensor([1.        , 0.36787944])",
             "There is no derivative in b."))
pdtr = _parametric(
    "pdtr", "k, m", vjp=(None, lambda g, out, k, m: -g * _poisson_mass(k, m)), near=_POSITIVE, cases=_COUNTS,
    doc=_doc("Poisson's distribution function: the chance of at most k where m are expected.",
             "special.pdtr(1, [0., 1.])", "tensor([1.        , 0.73575888])",
             _NO_COUNTS))
pdtrc = _parametric(
    "pdtrc", "k, m", vjp=(None, lambda g, out, k, m: g * _poisson_mass(k, m)), near=_POSITIVE, cases=_COUNTS,
    doc=_doc("1 - pdtr(k, m).", "special.pdtrc(1, [0., 1.])", "tensor([0.        , 0.26424112])", _NO_COUNTS))
# fmt: on
