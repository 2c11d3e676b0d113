"""What csrc/bessel.h computes, in NumPy, operation for operation (see `_elementary`): in double precision alone.

Below 8 the functions are polynomials of x*x, above it exp(x) / sqrt(x) times one of 16 / x - 1, as in Clenshaw, Chebyshev
series for mathematical functions, 1962; both are Chebyshev interpolants computed with 50 digits.
"""

from __future__ import annotations

import numpy as np

from ._elementary import _DOUBLE, _at_least, _at_most, _exp_of_two, _polynomial

_FAR = 8.0

# fmt: off
_I0_NEAR = (
    1.0, 0.25, 0.027777777777777762, 0.001736111111111147, 6.944444444440493e-05, 1.929012345705309e-06,
    3.936759887993035e-08, 6.151187361364193e-10, 7.594057685381156e-12, 7.594070019494474e-14,
    6.275948796822122e-16, 4.359498405380122e-18, 2.5722398177811744e-20, 1.3440225063774028e-22,
    5.062353740472856e-25, 3.548836657975522e-27,
)
_I1_NEAR = (
    0.5, 0.08333333333333333, 0.006944444444444443, 0.0003472222222222242, 1.1574074074071924e-05,
    2.755731922412906e-07, 4.920949860801085e-09, 6.834652604146068e-11, 7.594058023571055e-13,
    6.9036957952589725e-15, 5.2299955491802355e-17, 3.353212008562119e-19, 1.8384424828664606e-21,
    8.926111154793565e-24, 3.225202860362286e-26, 2.037850369395233e-28,
)
_SLOPE_NEAR = (
    1.5, 0.4166666666666667, 0.04861111111111108, 0.00312500000000007, 0.00012731481481473793,
    3.5824514991693277e-06, 7.38142478990596e-08, 1.1618909462313778e-09, 1.4428709568405207e-11,
    1.449777045946305e-13, 1.202889803872622e-15, 8.38367560990403e-18, 4.960635387275703e-20, 2.59878390120687e-22,
    9.802187194909483e-25, 6.89388827901152e-27,
)
_I0_FAR = (
    0.40217650944500816, 0.003360551983667876, 0.00013621607437737268, 1.1143033791893046e-05,
    1.483848150861771e-06, 2.973597885290274e-07, 8.871293193604678e-08, 3.9327123085832934e-08,
    2.162446034312458e-08, 7.543775238250733e-09, -7.116744499757987e-09, -1.335632771743214e-08,
    -4.270649721363825e-09, 7.396966587219158e-09, 5.1432089858622845e-09, -3.21251295103573e-09,
    -2.8927333669603943e-09, 1.1661396927314527e-09, 9.544598596408217e-10, -3.0719032844097364e-10,
    -1.4445666241808038e-10, 4.135870336904037e-11,
)
_I1_FAR = (
    0.3893984590258723, -0.009749577193235751, -0.0002192357638187367, -1.5038547201402334e-05,
    -1.8349107416211804e-06, -3.483855125273481e-07, -1.0000323944983054e-07, -4.3130341641824356e-08,
    -2.3453111618217135e-08, -8.417810881556892e-09, 7.118573210000024e-09, 1.3986230294575344e-08,
    4.7942444927275885e-09, -7.500258824785232e-09, -5.508409408958088e-09, 3.158127700170617e-09,
    3.0582654028044287e-09, -1.1153074851895528e-09, -1.0032283190965858e-09, 2.8795297002473246e-10,
    1.513858549435606e-10, -3.8283098239014647e-11,
)
_SLOPE_FAR = (
    0.37783910575589114, -0.020367503130871906, 0.000759266884193002, 2.5785178230651732e-05, 2.538439283344897e-06,
    4.338158044133104e-07, 1.1673705664578243e-07, 4.8272971904061365e-08, 2.578730448258114e-08,
    9.535707894486611e-09, -7.04197426190418e-09, -1.46753779364681e-08, -5.425717783589177e-09,
    7.566092482972761e-09, 5.921294991825266e-09, -3.0656203442365133e-09, -3.2393110255211643e-09,
    1.044704822880523e-09, 1.0556137867370098e-09, -2.624856191239828e-10, -1.5875552395893741e-10,
    3.4289781075006245e-11,
)
# fmt: on


def _exp_above(a):
    """exp(a) / 2**64, for a from 0 to 720."""
    n = _DOUBLE
    k = np.rint(a * n.log2e)
    r = (a - k * n.ln2_high) - (k * n.ln2_low - 0)
    return np.ldexp(1 + (r + r * r * _polynomial(n.exp, r)), np.where(np.isnan(k), 0, k - 64).astype(np.int32))


def _grown(x, near, far):
    """A function of which `near` is the value below 8, and far * exp(a) / sqrt(a) that above it."""
    a = _at_most(np.abs(x), 720.0)
    above = _exp_above(a) * (far / np.sqrt(a)) * 2.0**64
    return np.where(x == x, np.where(a < _FAR, near, above), x)


def _scaled(x, near, far):
    """The same times exp(-abs(x))."""
    a = np.abs(x)
    below = near * _exp_of_two(-_at_most(a, _FAR), 0, _DOUBLE)
    return np.where(x == x, np.where(a < _FAR, below, far / np.sqrt(a)), x)


def _quarter(x):
    return _at_most(0.25 * x * x, 16.0)


def _i0(x):
    z = _quarter(x)
    return 1 + z * _polynomial(_I0_NEAR, z), _polynomial(_I0_FAR, 16 / _at_least(np.abs(x), _FAR) - 1)


def _i1(a):
    z, half = _quarter(a), 0.5 * a
    return half + half * (z * _polynomial(_I1_NEAR, z)), _polynomial(_I1_FAR, 16 / _at_least(a, _FAR) - 1)


def _slope(x):
    z = _quarter(x)
    near = 0.5 + 0.5 * (z * _polynomial(_SLOPE_NEAR, z))
    return near, _polynomial(_SLOPE_FAR, 16 / _at_least(np.abs(x), _FAR) - 1)


def bessel_i0(x):
    return _grown(x, *_i0(x))


def bessel_i0e(x):
    return _scaled(x, *_i0(x))


def bessel_i1(x):
    a = np.abs(x)
    return np.copysign(_grown(a, *_i1(a)), x)


def bessel_i1e(x):
    a = np.abs(x)
    return np.copysign(_scaled(a, *_i1(a)), x)


def i1_slope(x):
    """The derivative of i1."""
    return _grown(x, *_slope(x))


def i1e_slope(x):
    """That times exp(-abs(x))."""
    return _scaled(x, *_slope(x))
