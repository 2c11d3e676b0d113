"""What csrc/elementary.h computes, in NumPy, operation for operation: the same bits.

Each function takes arrays of single or of double precision; `_curve` makes the forward of a row of one. The expressions branch nowhere, so that compilers make
vector instructions of the loops in C; and they are made of operations that IEEE 754 defines to the last bit.

`exp` is reduced by multiples of log 2 (Muller, Elementary functions, 3rd edition, section 11.1); `log1p` is Tang's by
s = f / (2 + f), as in FreeBSD's s_log1p.c; `erf` near 0 is a polynomial, and elsewhere exp(-x*x) times a polynomial of
(x - m) / (x + m), after Shepherd and Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x, Mathematics of
computation 36, 1981. `sin` and `cos` are reduced by multiples of pi / 2 in three parts and have the polynomials of FreeBSD's
k_sin.c and k_cos.c; `hypot` is Borges's, An improved algorithm for hypot(a, b), arXiv:1904.09481. The other coefficients are Chebyshev interpolants computed with 60 digits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np


class _Numbers(NamedTuple):
    """The numbers of one precision; polynomials by rising powers."""

    least: Any  # exp of it is 0
    flat: Any  # expm1 of less is -1
    log2e: Any
    ln2_high: Any
    ln2_low: Any
    exp: tuple  # of (exp(r) - 1 - r) / r**2
    log1p: tuple  # of (log((1 + s) / (1 - s)) / s - 2) / s**2, by s**2
    sqrt2: Any
    tiny: Any  # what is less is made `larger` times as large for its logarithm
    larger: Any
    log_larger: Any
    splitter: Any
    far: Any  # beyond it exp(-x*x) is 0
    normal_far: Any  # and exp(-x*x / 2)
    erf: tuple  # of erf(x) / x - 1, by x*x
    middle: Any  # m of the next
    erfcx: tuple  # of (x + m) exp(x*x) erfc(x), by (x - m) / (x + m)


# fmt: off
_DOUBLE = _Numbers(
    least=-750.0, flat=-40.0, log2e=1.4426950408889634, ln2_high=0.6931471803691238, ln2_low=1.9082149292705877e-10,
    sqrt2=1.4142135623730951, tiny=2.0**-1000, larger=2.0**100, log_larger=69.31471805599453,
    splitter=134217729.0, far=28.0, normal_far=40.0,
    exp=(0.5, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717,
         0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07,
         2.510038549551032e-08),
    log1p=(0.6666666666666666, 0.3999999999999952, 0.28571428571600266, 0.22222222198216113, 0.1818181989926796,
           0.15384543917753157, 0.13335179661515853, 0.11734265179374936, 0.10845291032791676, 0.07491639460625749,
           0.15631534707512781),
    erf=(0.1283791670955126, -0.37612638903183715, 0.11283791670952596, -0.026866170644428485, 0.005223977615420539,
         -0.0008548326188759752, 0.00012055289567541706, -1.4924196305569603e-05, 1.6430684179741352e-06,
         -1.5940066854660156e-07, 1.1472499701089409e-08),
    middle=4.0,
    erfcx=(1.095995661000491, -0.976548729080882, 0.7732087022652453, -0.540853831313232, 0.3308515878775732,
           -0.17401093724020053, 0.07638151491851647, -0.026370053333114825, 0.006112055557500744,
           -0.0002809589581115879, -0.0004550520850287462, 0.00017681347792436317, -3.637368094617784e-06,
           -1.88636825726794e-05, 4.699262077965546e-06, 1.4314173217233973e-06, -8.522279909356253e-07,
           -8.667466799943592e-08, 1.2738540695049036e-07, 1.0296397494415425e-08, -1.490396715699329e-08,
           -3.227131784144005e-09),
)
_SINGLE = _Numbers(
    least=-105.0, flat=-20.0, log2e=1.4426950216293335, ln2_high=0.693359375, ln2_low=-0.00021219444170128554,
    sqrt2=float(np.float32(2**0.5)), tiny=2.0**-100, larger=2.0**30, log_larger=20.79441541679836,
    splitter=4097.0, far=11.0, normal_far=16.0,
    exp=(0.5, 0.16666576266288757, 0.041666556149721146, 0.008363178931176662, 0.0013926184037700295),
    log1p=(0.6666666865348816, 0.3999970555305481, 0.28592365980148315, 0.21706460416316986, 0.2322492152452469),
    erf=(0.12837916612625122, -0.3761261999607086, 0.11283386498689651, -0.026835113763809204, 0.005115332081913948,
         -0.0006756479851901531),
    middle=3.0,
    erfcx=(1.0740069150924683, -0.8833944797515869, 0.5902284979820251, -0.31046634912490845, 0.11952690780162811,
           -0.026838794350624084, -0.001217948622070253, 0.0030821708496659994, -0.0004936284385621548,
           -0.00033186282962560654),
)
_SINE = (0.00833333333332249, -0.0001984126982985795, 2.7557313707070068e-06, -2.5050760253406863e-08,
         1.58969099521155e-10)
_COSINE = (0.0416666666666666, -0.001388888888887411, 2.480158728947673e-05, -2.7557314351390663e-07,
           2.087572321298175e-09, -1.1359647557788195e-11)
# fmt: on


SQRT_HALF = math.sqrt(0.5)
FAR_ANGLE = 16384.0
_LN2 = math.log(2.0)

#: erfinv(y) / y, by y*y; and by s - 2, s - 4.4 (single precision: s - 2.5) erfinv(y) / s, where s = sqrt(-log(1 - y)).
# fmt: off
_ERFINV_NEAR = (
    0.886226925452758, 0.23201366653466982, 0.12755617530122543, 0.086552129736501, 0.06495958811472576,
    0.05173236670161177, 0.042810239103899334, 0.03692221991203734, 0.025919141509766958, 0.08302326877978142,
    -0.378931461944417, 2.3341490408373975, -10.380275985756787, 36.963260459807096, -103.52254904325153,
    227.72809231935207, -388.4632874508949, 503.93497129519943, -480.7344890993795, 318.54453797156015,
    -131.2599666484692, 25.480000442399778,
)
_ERFINV_MIDDLE = (
    0.8340941580292482, 0.10772943257089954, -0.053417559290416194, 0.023130987882722616, -0.008989451681957382,
    0.003107999129928185, -0.0009090671624079118, 0.00018598242444894134, 7.160965719809082e-06,
    -3.600170321876239e-05, 2.6171170659002267e-05, -1.3890806868104808e-05, 6.1635820820151566e-06,
    -2.3327485714132104e-06, 7.188279384856219e-07, -1.4057362135485948e-07, -2.2187600897020744e-08,
    4.2109355892072436e-08, -2.7966629910239068e-08, 1.6717254187259776e-08, -9.35125859819631e-09,
    2.7168475021166197e-09,
)
_ERFINV_FAR = (
    0.946237660728811, 0.018730632992378808, -0.005104437535299694, 0.0012595054244254522, -0.00029358171876523755,
    6.577938524226895e-05, -1.4284250702612267e-05, 3.0181084232760236e-06, -6.213430234768426e-07,
    1.2457892954075364e-07, -2.427067320220466e-08, 4.5731099620573355e-09, -8.261585655593134e-10,
    1.4115272706661872e-10, -2.2347027595904705e-11, 2.9481521394407694e-12, -1.3517636676839545e-13,
    -3.895867893503166e-14, -4.994380049124695e-15, -4.1673667242147666e-15, 5.9991924565572366e-15,
    -1.2751468856343568e-15,
)
_ERFINV_NEAR_SINGLE = (
    0.8862268924713135, 0.23201513290405273, 0.12747099995613098, 0.08844219893217087, 0.04395999386906624,
    0.18325789272785187, -0.4452747106552124, 1.1094319820404053, -1.2790844440460205, 0.7426209449768066,
)
_ERFINV_TAIL_SINGLE = (
    0.877018392086029, 0.06798610091209412, -0.02905401773750782, 0.011039242148399353, -0.0038658762350678444,
    0.0012583290226757526, -0.0003783025313168764, 0.00010272362851537764, -2.337019395781681e-05,
    3.0024541501916246e-06, 6.27064764557872e-07, -4.5940876702843525e-07, 2.873804874070629e-07,
    -2.6498801730667765e-07, 1.2575371499679022e-07, -2.140231103453516e-08,
)
# fmt: on
_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


def _numbers(x):
    return _SINGLE if x.dtype == np.float32 else _DOUBLE


def _polynomial(coefficients, x):
    """Horner's way; a long one even and odd powers by themselves."""
    if len(coefficients) > 6:
        return _polynomial(coefficients[::2], x * x) + x * _polynomial(coefficients[1::2], x * x)
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def _select(condition, x, y):
    """np.where with numbers of the dtype of whatever array there is."""
    dtype = getattr(x, "dtype", None) or y.dtype
    return np.where(condition, np.asarray(x, dtype), np.asarray(y, dtype))


def _at_least(x, low):
    return np.where(x < low, x.dtype.type(low), x)  # nan stays


def _at_most(x, high):
    return np.where(x > high, x.dtype.type(high), x)


def _power_of_2(x, k):
    """x * 2**k."""
    return np.ldexp(x, np.where(np.isnan(k), 0, k).astype(np.int32))


# ---------------------------------------------------------------- the parts


def _exp_of_two(high, low, n):
    """exp(high + low), for a tiny `low`."""
    k = np.rint(high * n.log2e)
    r = (high - k * n.ln2_high) - (k * n.ln2_low - low)
    return _power_of_2(1 + (r + r * r * _polynomial(n.exp, r)), k)


def _expm1(x):
    """exp(x) - 1, for x <= 0."""
    n = _numbers(x)
    y = _at_most(_at_least(x, n.flat), 0)
    k = np.rint(y * n.log2e)
    r = (y - k * n.ln2_high) - k * n.ln2_low
    part = r + r * r * _polynomial(n.exp, r)
    scale = _power_of_2(x.dtype.type(1), k)
    return np.where(x == 0, x, scale * part + (scale - 1))  # 0 has a sign


def _log1p(x):
    """log(1 + x), for x from 0 to 1."""
    s = x / (2 + x)
    z, half = s * s, 0.5 * x * x
    return x - (half - s * (half + z * _polynomial(_numbers(x).log1p, z)))


def _parted(x):
    """m, from 1 to 2, and k: x = m * 2**k, for positive numbers of full precision."""
    m, k = np.frexp(x)
    return 2 * m, (k - 1).astype(x.dtype)


def _log_of_full(x):
    """The logarithm of positive numbers of full precision."""
    n = _numbers(x)
    m, k = _parted(x)
    large = m > n.sqrt2
    m, k = np.where(large, 0.5 * m, m), np.where(large, k + 1, k)
    return k * n.ln2_high + (_log1p(m - 1) + k * n.ln2_low)


def _log(x):
    n, real = _numbers(x), x.dtype.type
    tiny = x < n.tiny
    out = _log_of_full(np.where(tiny, x * n.larger, x)) - _select(tiny, real(n.log_larger), 0)
    end = np.where(x > 0, x, _select(x == 0, real(-np.inf), np.nan))
    return np.where((x > 0) & (x < np.inf), out, end)


def _exp_of_square(x, factor):
    """exp(factor * x * x), where the factor is -1 or -0.5; x*x as a sum of two numbers, exactly."""
    n = _numbers(x)
    c = x * n.splitter
    h = c - (c - x)
    return _exp_of_two(factor * (h * h), factor * ((x - h) * (x + h)), n)


def _erfcx(x):
    """exp(x*x) * erfc(x), for x >= 0."""
    n = _numbers(x)
    q = 1 / (x + n.middle)
    return _polynomial(n.erfcx, (x - n.middle) * q) * q


def _tail(x):
    """exp(-abs(x)): all but 0 in the tails, and never large."""
    n = _numbers(x)
    return _exp_of_two(_at_least(-np.abs(x), n.least), 0, n)


def _two_tails(x):
    """sigmoid(x) and sigmoid(-x)."""
    e = _tail(x)
    q = 1 / (1 + e)
    return _select(x < 0, e, 1) * q, _select(x < 0, 1, e) * q


# ---------------------------------------------------------------- the functions
# What is called a pull takes a cotangent t first, and gives that of the function's operand.


def sigmoid(x):
    e = _tail(x)
    return _select(x < 0, e, 1) / (1 + e)


def sigmoid_pull(t, out):
    return t * (out * (1 - out))


def softplus(x):
    return _at_least(x, 0) + _log1p(_tail(x))


def softplus_pull(t, x):
    return t * sigmoid(x)


def sharp_terms(x, threshold):
    return np.where(x > threshold, x, softplus(x))


def sharp_pull(t, x, threshold):
    return np.where(x > threshold, t, t * sigmoid(x))


def expit_pull(t, x):
    e = _tail(x)
    q = 1 / (1 + e)
    return t * (e * q * q)


def logsigmoid(x):
    return -softplus(-x)


def silu(x):
    return x * sigmoid(x)


def silu_pull(t, x):
    s, c = _two_tails(x)
    return t * (s * (1 + x * c))


def _mish_parts(x):
    """e, and numerator and denominator of tanh(softplus(x)), which are small."""
    e = _tail(x)
    above = _select(x < 0, e * (e + 2), 1 + 2 * e)
    return e, above, above + _select(x < 0, 2, 2 * (e * e))


def mish(x):
    _, above, below = _mish_parts(x)
    return x * (above / below)


def mish_pull(t, x):
    e, above, below = _mish_parts(x)
    q = 1 / below
    return t * (above * q + x * (4 * e * (1 + e) * _select(x < 0, 1, e) * q * q))


def elu_terms(x, rise, fall, rate):
    return np.where(x > 0, rise * x, fall * _expm1(rate * x))


def elu_pull(t, out, rise, fall):
    return t * np.where(out > 0, rise, out + fall)


def chance_terms(x, y):
    rest = 1 - x
    lost = (1 - rest) - x
    low = _at_least(_log(x), -100)
    high = _at_least(_log(rest) + _select(rest == 0, 0, lost / rest), -100)
    return (y - 1) * high - y * low


def logistic_loss(x, y):
    return _select(x > 0, 1 - y, -y) * x + _log1p(_tail(x))


def logistic_pull(t, x, y):
    s, c = _two_tails(x)
    return t * ((1 - y) * s - y * c)


def share(t, x, y):
    return t * sigmoid(_select(x == y, 0, x - y))


def logit(p):
    """log(p) - log(1 - p) with one division, and all digits where that is 0."""
    n, real = _numbers(p), p.dtype.type
    tiny = p < n.tiny
    (m, kp), (q, kq) = _parted(np.where(tiny, p * n.larger, p)), _parted(1 - p)
    k, limit = kp - kq, q * n.sqrt2
    large, small = m > limit, 2 * m <= limit
    k = np.where(large, k + 1, np.where(small, k - 1, k))
    m = np.where(large, 0.5 * m, np.where(small, 2 * m, m))
    s = np.where(k == 0, 2 * p - 1, (m - q) / (m + q))  # exact around 1/2
    z = s * s
    out = (k * n.ln2_high + ((2 * s + s * (z * _polynomial(n.log1p, z))) + k * n.ln2_low)) - _select(
        tiny, real(n.log_larger), 0
    )
    end = _select(p == 0, real(-np.inf), _select(p == 1, real(np.inf), np.nan))
    return np.where((p > 0) & (p < 1), out, end)


def logit_pull(t, p):
    return np.where((p >= 0) & (p <= 1), t / (p * (1 - p)), p.dtype.type(np.nan))


def relu(x):
    return _select(x <= 0, 0, x)


def relu_pull(t, x):
    return _select(x <= 0, 0, t)


def leaky_terms(t, x, slope):
    return np.where(x > 0, t, t * slope)


def clamp(x, low, high):
    return np.where(x <= low, low, np.where(x >= high, high, x))


def gate(t, x, low, high):
    return _select((x <= low) | (x >= high), 0, t)


def hardswish(x):
    return _select(x <= -3, 0, np.where(x >= 3, x, x * (x + 3) / 6))


def hardswish_pull(t, x):
    return _select(x <= -3, 0, np.where(x >= 3, t, t * ((2 * x + 3) / 6)))


def huber_terms(x, y, delta):
    d = x - y
    inside = clamp(d, -delta, delta)
    return inside * (d - 0.5 * inside)


def huber_pull(t, x, y, delta):
    return t * clamp(x - y, -delta, delta)


def sign(x):
    return np.sign(x)


def _is_whole(x):
    return np.rint(x) == x


def cube(x):
    """x * x * x, all but rounded once: the cube of the first 17 bits is exact."""
    if x.dtype == np.float32:
        wide = x.astype(float)
        return (wide * wide * wide).astype(np.float32)
    a = _at_most(np.abs(x), 2.0**400)  # the square of more may overflow
    high = (a.view(np.uint64) & np.uint64(0xFFFFFFF000000000)).view(float)
    low, square = a - high, high * high
    return np.copysign(square * high + low * (3 * square + low * (3 * high + low)), x)


def signed_power(power, x, y):
    whole = _is_whole(y)
    odd = whole & ~_is_whole(0.5 * y)
    turned = np.copysign(power, _select(odd, x, 1))
    return np.where(y == 3, cube(x), _select((x < 0) & np.isfinite(x) & ~whole, np.nan, turned))


def power(x, y):
    """NumPy's, of negative numbers by way of their magnitudes, and cubes by multiplication (csrc/mixed.c)."""
    if np.size(y) == 1:
        if np.all(y == 3):
            return cube(x)
        if not np.all(_is_whole(y)):
            return np.power(x, y)  # roots: NumPy's of -inf and -0.0 are not powers
    return signed_power(np.power(np.abs(x), +y), x, y)


def logaddexp(x, y):
    apart = np.where(x < y, y, x) + _log1p(_tail(x - y))
    return np.where(x == y, x + x.dtype.type(_LN2), apart)


def hypot(x, y):
    a, b = np.abs(x), np.abs(y)
    if x.dtype == np.float32:
        out = np.sqrt(a.astype(float) * a + b.astype(float) * b).astype(np.float32)
    else:
        out = _root_of_squares(np.where(a < b, b, a), np.where(a < b, a, b))
    return _select(np.isinf(a) | np.isinf(b), np.inf, out)


def _root_of_squares(larger, smaller):
    """sqrt(larger**2 + smaller**2), and once more what was rounded off."""
    k = np.where(larger > 2.0**511, -600, np.where(smaller < 2.0**-459, 600, 0))
    p, q = larger * np.exp2(k), smaller * np.exp2(k)
    h = np.sqrt(p * p + q * q)
    wide = h > 2 * q
    d = h - np.where(wide, p, q)
    u = np.where(wide, 2 * d * (p - 2 * q), p * (2 * d - p))
    v = np.where(wide, (4 * d - q) * q + d * d, (d - 2 * (p - q)) * d)
    root = (h - (u + v) / (2 * h)) * np.exp2(-k)
    return np.where(smaller <= larger * 2.0**-54, larger + smaller, root)


def _turns(x):
    """x from its nearest multiple of pi / 2, as the sum of two numbers, and that multiple."""
    k = (x * 0.6366197723675814 + 1.5 * 2.0**52) - 1.5 * 2.0**52
    a, b = x - k * 1.5707963267923333, k * 2.5633441515905732e-12
    c = a - b
    back = c - a
    missed = k * 3.9455541665632055e-24 - ((a - (c - back)) - (b + back))
    high = c - missed
    return high, (c - high) - missed, k.astype(np.int64)


def _sine_of_turns(r, low, turns):
    z = r * r
    half, cube = 0.5 * z, z * r
    whole = 1 - half
    sine = r - ((z * (0.5 * low - cube * _polynomial(_SINE, z)) - low) - cube * -0.16666666666666632)
    cosine = whole + (((1 - whole) - half) + (z * (z * _polynomial(_COSINE, z)) - r * low))
    value = np.where(turns & 1, cosine, sine)
    return np.where(turns & 2, -value, value)


def _of_angles(ufunc, quarter, x):
    """Of doubles; NumPy's loop of singles is fast, and right for large angles (csrc/mixed.c)."""
    if x.dtype == np.float32:
        return ufunc(x)
    near = np.abs(x) <= FAR_ANGLE
    high, low, turns = _turns(np.where(near, x, 0))
    return np.where(near, _sine_of_turns(high, low, turns + quarter), ufunc(x))


def sin(x):
    return _of_angles(np.sin, 0, x)


def cos(x):
    return _of_angles(np.cos, 1, x)


def _erf_near(x):
    """erf(x), for x from -0.75 to 0.75."""
    return x + x * _polynomial(_numbers(x).erf, x * x)


def _normal(x):
    """The distribution function of the standard normal distribution, and its density times sqrt(2 * pi)."""
    a = _at_most(np.abs(x), _numbers(x).normal_far)
    e = _exp_of_square(a, -0.5)
    tail = 0.5 * _erfcx(a * SQRT_HALF) * e
    return np.where(x < 0, tail, 1 - tail), e


def erf(x):
    a = _at_most(np.abs(x), _numbers(x).far)
    out = np.where(a < 0.75, _erf_near(a), 1 - _erfcx(a) * _exp_of_square(a, -1))
    return np.copysign(out, x)


def erfc(x):
    a = _at_most(np.abs(x), _numbers(x).far)
    tail = np.where(a < 0.5, 1 - _erf_near(a), _erfcx(a) * _exp_of_square(a, -1))
    return np.where(x < 0, 2 - tail, tail)


def erfinv(y):
    a = np.abs(y)
    z, s = a * a, np.sqrt(-_log(1 - a))
    if y.dtype == np.float32:
        near, tail = _polynomial(_ERFINV_NEAR_SINGLE, z), _polynomial(_ERFINV_TAIL_SINGLE, s - 2.5)
    else:
        middle, far = _polynomial(_ERFINV_MIDDLE, s - 2), _polynomial(_ERFINV_FAR, s - 4.4)
        near, tail = _polynomial(_ERFINV_NEAR, z), np.where(s < 2.75, middle, far)
    out = np.where(a < 0.75, a * near, s * tail)
    return np.copysign(np.where(a < 1, out, _select(a == 1, y.dtype.type(np.inf), np.nan)), y)


def ndtr(x):
    return _normal(x)[0]


def gelu_terms(x):
    return x * ndtr(x)


def gelu_pull(t, x):
    chance, e = _normal(x)
    return t * (chance + x * (_DENSITY_AT_0 * e))
