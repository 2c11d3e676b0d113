"""What csrc/gamma.h computes, in NumPy, operation for operation (see `_elementary`): in double precision alone.

log(gamma(x)) is a polynomial from 1.5 to 2.5 and moved there up to 8, above by Stirling's series. Its derivatives are summed up to where the asymptotic series hold, and reflected below 0 (Abramowitz and
Stegun, 6.3.6 to 6.3.18 and 6.4.6 to 6.4.12); the polynomials are Chebyshev interpolants of what those leave.
"""

from __future__ import annotations

import math

import numpy as np

from ._elementary import _at_least, _at_most, _erfcx, _exp_of_square, _log, _log1p, _log_of_full, _polynomial

_SINE = (3.141592653589793, -5.167712780049969, 2.5501640398773007, -0.5992645293189447, 0.0821458865731029,
         -0.007370430505916944, 0.00046629981618983934, -2.190349707462591e-05, 7.697826768223186e-07, 0.0)  # fmt: skip
_COSINE = (1.0, -4.934802200544679, 4.058712126416768, -1.3352627688545549, 0.235330630357995, -0.025806891376592964,
           0.0019295741872812349, -0.00010463741681752137, 4.300724172734826e-06, -1.343521295095145e-07)  # fmt: skip
_PSI = (0.08333333333333333, -0.008333333333278545, 0.003968253911907783, -0.004166644813006459, 0.0075716885518819456,
        -0.020697932789646125, 0.06362043296372914)  # fmt: skip
_TRIGAMMA = (0.16666666666666652, -0.03333333333249149, 0.023809522943188756, -0.03333299690971581, 0.0756947967251632,
             -0.24699657306551928, 0.8586715717721535)  # fmt: skip
# fmt: off
_GAMMALN = (
    0.42278433509846713, 0.3224670334241132, -0.06735230105319814, 0.02058080842778457, -0.0073855510286681535,
    0.002890510330738737, -0.0011927539120010226, 0.0005096695248853096, -0.00022315475074520367,
    9.945750909889392e-05, -4.4926351103833334e-05, 2.050726741605779e-05, -9.438458716242811e-06,
    4.374374916915131e-06, -2.0449201467015115e-06, 9.578663334114758e-07, -4.303558760359961e-07,
    2.0304806751615227e-07, -1.3412819758517287e-07, 6.379047507619774e-08,
)  # of log(gamma(2 + d)) / d
_STIRLING = (
    0.08333333333333333, -0.002777777777773988, 0.0007936507897524059, -0.0005952365845057049,
    0.0008414700852503147, -0.001890382993887715, 0.005065905360156132,
)
#: The derivative of sinc(x) by x, as a polynomial of x*x, for x to 0.5.
SINC_SLOPE = (
    -3.289868133696453, 3.2469697011334144, -1.1445109447325053, 0.2091827825412377, -0.023460810354539806,
    0.0017811455160974931, -9.766222875798651e-05, 4.049933734208371e-06, -1.3143672994294557e-07,
    3.3421810520298914e-09,
)
# fmt: on
_SQRT_HALF = math.sqrt(0.5)


def _turn(x):
    """x from its nearest integer."""
    y = _at_least(x, -(2.0**50))
    return y - (np.rint(y) + 0.0)  # which has no sign where it is 0


def _sine_of_half_turns(r):
    return r * _polynomial(_SINE, r * r)


def _series(coefficients, w):
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * w + c
    return total


def _moved(x):
    """Whether x is reflected; and the argument of the series, and of the sum (1 where there is none)."""
    low = x < 0.5
    z = np.where(low, 1 - x, x)
    small = z < 8
    return low, small, np.where(small, z + 8, z), np.where(small, z, 1.0)


def _sum_of_four(d, n):
    """n[0] / d[0] + ... + n[3] / d[3]"""
    n0, n1 = n[0] * d[1] + n[1] * d[0], n[2] * d[3] + n[3] * d[2]
    d01, d23 = d[0] * d[1], d[2] * d[3]
    return (n0 * d23 + n1 * d01) / (d01 * d23)


def psi_terms(x):
    low, small, y, p = _moved(x)
    fractions = [(p + k) * (p + (k + 1)) for k in (0, 2, 4, 6)], [2 * p + (2 * k + 1) for k in (0, 2, 4, 6)]
    shift = np.where(small, _sum_of_four(*fractions), 0.0)
    q = 1 / y
    w = q * q
    out = (_log_of_full(y) - (0.5 * q + w * _series(_PSI, w))) - shift
    r = _turn(x)
    reflected = out - 3.141592653589793 * _polynomial(_COSINE, r * r) / _sine_of_half_turns(r)
    value = np.where(low, np.where((r == 0) & (x != 0), np.nan, reflected), out)
    return np.where(x - x == 0, value, x)


def trigamma(x):
    low, small, y, p = _moved(x)
    a = [(p + k) * (p + k) for k in range(8)]
    fractions = [a[k] * a[k + 1] for k in (0, 2, 4, 6)], [a[k] + a[k + 1] for k in (0, 2, 4, 6)]
    shift = np.where(small, _sum_of_four(*fractions), 0.0)
    q = 1 / y
    w = q * q
    out = (q + w * (0.5 + q * _series(_TRIGAMMA, w))) + shift
    s = _sine_of_half_turns(_turn(x))
    return np.where(x - x == 0, np.where(low, 9.869604401089358 / (s * s) - out, out), 1 / x)


def _far_erfcx(z):
    """exp(z*z) * erfc(z) for z >= 0, far out by its asymptotic series (DLMF 7.12.1)."""
    q = 1 / z
    v = -0.5 * (q * q)
    series = 1 + v * (1 + 3 * v * (1 + 5 * v * (1 + 7 * v * (1 + 9 * v * (1 + 11 * v)))))
    return np.where(z > 26, 0.5641895835477563 * q * series, _erfcx(z))


def log_ndtr(x):
    size = np.abs(x)
    a = _at_most(size, 1e150)
    half = 0.5 * _far_erfcx(a * _SQRT_HALF)
    below = _log_of_full(half) - 0.5 * a * size
    above = _log1p(-(half * _exp_of_square(_at_most(a, 40.0), -0.5)))
    return np.where(x == x, np.where(x < 0, below, above), x)


def log_ndtr_pull(t, x):
    a = np.abs(x)
    e = _exp_of_square(_at_most(a, 40.0), -0.5)
    whole = _far_erfcx(a * _SQRT_HALF)
    above = np.where(x < 0, 0.7978845608028654, 0.3989422804014327 * e)
    return t * (above / np.where(x < 0, whole, 1 - 0.5 * whole * e))


def gammaln(x):
    z = np.where(x < 0, 1 - x, x)
    t, product = z, np.ones_like(z)
    for _ in range(6):
        above = t > 2.5
        product, t = np.where(above, product * (t - 1), product), np.where(above, t - 1, t)
    below, low, far = z < 0.5, z < 1.5, z >= 8
    d = np.where(below, z, np.where(low, z - 1, t - 2))
    log = _log(np.where(far, z, np.where(below, z * (z + 1), np.where(low, z, product))))
    near = np.where(low, -log, log) + d * _polynomial(_GAMMALN, d)
    q = 1 / z
    out = np.where(far, (z - 0.5) * (log - 1) + (0.4189385332046727 + q * _series(_STIRLING, q * q)), near)
    reflected = (1.1447298858494002 - _log(np.abs(_sine_of_half_turns(_turn(x))))) - out
    return np.where(x - x == 0, np.where(x < 0, reflected, out), x)


def entr(x):
    return np.where(x > 0, -x * _log(x), np.where(x == 0, 0.0, np.where(x < 0, -np.inf, x)))


def xlogy(x, y):
    return np.where((x == 0) & (y == y), 0.0, x * _log(y))


def _turn_and_sign(x):
    """The distance from the nearest integer, and 1 or -1 as that is even or odd; exact."""
    a = _at_most(np.abs(x), 2.0**51)
    k = np.rint(a)
    return a - k, np.where(np.rint(0.5 * k) == 0.5 * k, 1.0, -1.0)


def sinc(x):
    a = np.abs(x)
    r, sign = _turn_and_sign(x)
    s = _sine_of_half_turns(r)
    near, far = s / (3.141592653589793 * r), sign * s / (3.141592653589793 * a)
    return np.where(x - x == 0, np.where(a < 0.5, np.where(a == 0, 1.0, near), far), np.nan)


def sinc_slope(x):
    r, sign = _turn_and_sign(x)
    z = x * x
    far = (sign * _polynomial(_COSINE, r * r) - sinc(x)) / x
    return np.where(x - x == 0, np.where(z < 0.25, x * _polynomial(SINC_SLOPE, z), far), np.nan)


def through_double(function):
    """The same of single precision, rounded once."""

    def rounded(*operands):
        out = function(*[x.astype(float) for x in operands])
        return out.astype(operands[0].dtype)

    return rounded
