/* elementary: exp, log1p, erf and what is made of them, of one precision; included once for each by
 * curves.c, with
 *
 *   REAL, BITS   the floating-point type, and the unsigned integer of its size
 *   OF(name)     the name of a function for it
 *   N(d, f)      the number for double, for float
 *
 * ops/_elementary.py says the same in NumPy, operation for operation, with the sources of the formulas: the bits are the
 * same. Nothing branches, so that loops over these functions become vector instructions. */

static FG_INLINE REAL OF(at_least)(REAL x, REAL low) { return x < low ? low : x; } /* nan stays */
static FG_INLINE REAL OF(at_most)(REAL x, REAL high) { return x > high ? high : x; }
static FG_INLINE REAL OF(magnitude)(REAL x) { return N(fabs, fabsf)(x); }

/* Adding it rounds to an integer, which the last bits then hold. */
#define ROUNDING N(0x1.8p52, 0x1.8p23f)

/* (exp(r) - 1 - r) / r**2 */
static FG_INLINE REAL OF(exp_rest)(REAL r) {
#if IS_DOUBLE
    return P10(r, 0.5, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717,
               0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07,
               2.510038549551032e-08);
#else
    return H5(r, 0.5f, 0.16666576266288757f, 0.041666556149721146f, 0.008363178931176662f, 0.0013926184037700295f);
#endif
}

#define LEAST N(-750.0, -105.0f)
#define FLAT N(-40.0, -20.0f)
#define STEPS N(1000.0, 100.0f)
#define LOG2E N(1.4426950408889634, 1.4426950216293335f)
#define LN2_HIGH N(0.6931471803691238, 0.693359375f)
#define LN2_LOW N(1.9082149292705877e-10, -0.00021219444170128554f)

/* exp(high + low), for a tiny `low`, is this times 2**k; rounded == k + ROUNDING. */
static FG_INLINE REAL OF(exp_part)(REAL high, REAL low, REAL *rounded) {
    *rounded = high * LOG2E + ROUNDING;
    const REAL k = *rounded - ROUNDING;
    const REAL r = (high - k * LN2_HIGH) - (k * LN2_LOW - low);
    return 1 + (r + r * r * OF(exp_rest)(r));
}

/* The same where it is not above 1. What might not be of full precision is made 2**STEPS as large first. */
static FG_INLINE REAL OF(exp_of_two)(REAL high, REAL low) {
    REAL rounded, out;
    BITS bits, exponent;
    const REAL part = OF(exp_part)(high, low, &rounded);
    const bool tiny = rounded < ROUNDING - STEPS;
    rounded = tiny ? rounded + STEPS : rounded;
    memcpy(&bits, &part, sizeof bits);
    memcpy(&exponent, &rounded, sizeof exponent);
    bits += exponent << N(52, 23);
    memcpy(&out, &bits, sizeof out);
    return tiny ? out * N(0x1p-1000, 0x1p-100f) : out;
}

/* For x <= 0. */
static FG_INLINE REAL OF(expm1)(REAL x) {
    REAL scale;
    BITS bits;
    const REAL y = OF(at_least)(x, FLAT), rounded = y * LOG2E + ROUNDING, k = rounded - ROUNDING;
    const REAL r = (y - k * LN2_HIGH) - k * LN2_LOW;
    const REAL part = r + r * r * OF(exp_rest)(r);
    memcpy(&bits, &rounded, sizeof bits);
    bits = (bits << N(52, 23)) + ((BITS)N(1023, 127) << N(52, 23));
    memcpy(&scale, &bits, sizeof scale);
    const REAL out = scale * part + (scale - 1);
    return x == 0 ? x : out; /* which has a sign */
}

/* (log((1 + s) / (1 - s)) / s - 2) / s**2, where z = s**2 */
static FG_INLINE REAL OF(log_rest)(REAL z) {
#if IS_DOUBLE
    return P11(z, 0.6666666666666666, 0.3999999999999952, 0.28571428571600266, 0.22222222198216113, 0.1818181989926796,
               0.15384543917753157, 0.13335179661515853, 0.11734265179374936, 0.10845291032791676, 0.07491639460625749,
               0.15631534707512781);
#else
    return H5(z, 0.6666666865348816f, 0.3999970555305481f, 0.28592365980148315f, 0.21706460416316986f,
              0.2322492152452469f);
#endif
}

static FG_INLINE REAL OF(log1p)(REAL x) {
    const REAL s = x / (2 + x), z = s * s, half = N(0.5, 0.5f) * x * x;
    return x - (half - s * (half + z * OF(log_rest)(z)));
}

/* m, from 1 to 2, and k: x = m * 2**k, for a positive number of full precision. */
static FG_INLINE REAL OF(parted)(REAL x, REAL *k) {
    BITS bits, exponent;
    REAL m;
    memcpy(&bits, &x, sizeof bits);
    exponent = (bits >> N(52, 23)) | N(UINT64_C(0x4330000000000000), UINT32_C(0x4b000000)); /* on top of 2**52, 2**23 */
    bits = (bits & N(UINT64_C(0x000fffffffffffff), UINT32_C(0x007fffff))) |
           N(UINT64_C(0x3ff0000000000000), UINT32_C(0x3f800000));
    memcpy(k, &exponent, sizeof *k);
    memcpy(&m, &bits, sizeof m);
    *k -= N(0x1p52 + 1023, 0x1p23f + 127);
    return m;
}

#define SQRT_TWO N(1.4142135623730951, 1.4142135623730951f)
#define TINY \
    N(0x1p-1000, 0x1p-100f) /* numbers below it are made as many times as large, of which this is the logarithm */
#define LARGER N(0x1p100, 0x1p30f)
#define LOG_LARGER N(69.31471805599453, 20.79441541679836f)

/* The logarithm of a positive number of full precision. */
static FG_INLINE REAL OF(log_of_full)(REAL x) {
    REAL k, m = OF(parted)(x, &k);
    const bool large = m > SQRT_TWO;
    m = large ? N(0.5, 0.5f) * m : m;
    k = large ? k + 1 : k;
    return k * LN2_HIGH + (OF(log1p)(m - 1) + k * LN2_LOW);
}

static FG_INLINE REAL OF(log)(REAL x) {
    const bool tiny = x < TINY;
    const REAL out = OF(log_of_full)(tiny ? x * LARGER : x) - (tiny ? LOG_LARGER : 0);
    return x > 0 ? (x < (REAL)INFINITY ? out : x) : x == 0 ? -(REAL)INFINITY : (REAL)NAN;
}

/* exp(factor * x * x) */
static FG_INLINE REAL OF(exp_of_square)(REAL x, REAL factor) {
    const REAL c = x * N(134217729.0, 4097.0f), h = c - (c - x);
    return OF(exp_of_two)(factor * (h * h), factor * ((x - h) * (x + h)));
}

#define MIDDLE N(4, 3)

static FG_INLINE REAL OF(erfcx)(REAL x) {
    const REAL q = 1 / (x + MIDDLE), t = (x - MIDDLE) * q;
#if IS_DOUBLE
    return P22(t, 1.095995661000491, -0.976548729080882, 0.7732087022652453, -0.540853831313232, 0.3308515878775732,
               -0.17401093724020053, 0.07638151491851647, -0.026370053333114825, 0.006112055557500744,
               -0.0002809589581115879, -0.0004550520850287462, 0.00017681347792436317, -3.637368094617784e-06,
               -1.88636825726794e-05, 4.699262077965546e-06, 1.4314173217233973e-06, -8.522279909356253e-07,
               -8.667466799943592e-08, 1.2738540695049036e-07, 1.0296397494415425e-08, -1.490396715699329e-08,
               -3.227131784144005e-09) *
           q;
#else
    return P10(t, 1.0740069150924683f, -0.8833944797515869f, 0.5902284979820251f, -0.31046634912490845f,
               0.11952690780162811f, -0.026838794350624084f, -0.001217948622070253f, 0.0030821708496659994f,
               -0.0004936284385621548f, -0.00033186282962560654f) *
           q;
#endif
}

static FG_INLINE REAL OF(erf_near)(REAL x) {
    const REAL z = x * x;
#if IS_DOUBLE
    const REAL rest = P11(z, 0.1283791670955126, -0.37612638903183715, 0.11283791670952596, -0.026866170644428485,
                          0.005223977615420539, -0.0008548326188759752, 0.00012055289567541706, -1.4924196305569603e-05,
                          1.6430684179741352e-06, -1.5940066854660156e-07, 1.1472499701089409e-08);
#else
    const REAL rest = H6(z, 0.12837916612625122f, -0.3761261999607086f, 0.11283386498689651f, -0.026835113763809204f,
                         0.005115332081913948f, -0.0006756479851901531f);
#endif
    return x + x * rest;
}

static FG_INLINE REAL OF(tail)(REAL x) { return OF(exp_of_two)(OF(at_least)(-OF(magnitude)(x), LEAST), 0); }

/* ---------------------------------------------------------------- the logistic function and its like -- */

static FG_INLINE REAL OF(sigmoid)(REAL x) {
    const REAL e = OF(tail)(x);
    return (x < 0 ? e : 1) / (1 + e);
}

static FG_INLINE REAL OF(sigmoid_pull)(REAL t, REAL out) { return t * (out * (1 - out)); }

static FG_INLINE REAL OF(softplus)(REAL x) { return OF(at_least)(x, 0) + OF(log1p)(OF(tail)(x)); }

static FG_INLINE REAL OF(softplus_pull)(REAL t, REAL x) { return t * OF(sigmoid)(x); }

static FG_INLINE REAL OF(sharp_terms)(REAL x, REAL threshold) {
    const REAL smooth = OF(softplus)(x);
    return x > threshold ? x : smooth;
}

static FG_INLINE REAL OF(sharp_pull)(REAL t, REAL x, REAL threshold) {
    const REAL below = t * OF(sigmoid)(x);
    return x > threshold ? t : below;
}

/* The derivative of the logistic function, from what has the digits in both tails. */
static FG_INLINE REAL OF(expit_pull)(REAL t, REAL x) {
    const REAL e = OF(tail)(x), q = 1 / (1 + e);
    return t * (e * q * q);
}

static FG_INLINE REAL OF(logsigmoid)(REAL x) { return -OF(softplus)(-x); }

static FG_INLINE REAL OF(silu)(REAL x) { return x * OF(sigmoid)(x); }

static FG_INLINE REAL OF(silu_pull)(REAL t, REAL x) {
    const REAL e = OF(tail)(x), q = 1 / (1 + e);
    const REAL s = (x < 0 ? e : 1) * q, c = (x < 0 ? 1 : e) * q;
    return t * (s * (1 + x * c));
}

static FG_INLINE REAL OF(mish)(REAL x) {
    const REAL e = OF(tail)(x);
    const REAL above = x < 0 ? e * (e + 2) : 1 + 2 * e, below = above + (x < 0 ? 2 : 2 * (e * e));
    return x * (above / below);
}

static FG_INLINE REAL OF(mish_pull)(REAL t, REAL x) {
    const REAL e = OF(tail)(x);
    const REAL above = x < 0 ? e * (e + 2) : 1 + 2 * e, below = above + (x < 0 ? 2 : 2 * (e * e));
    const REAL q = 1 / below;
    return t * (above * q + x * (4 * e * (1 + e) * (x < 0 ? 1 : e) * q * q));
}

static FG_INLINE REAL OF(elu_terms)(REAL x, REAL rise, REAL fall, REAL rate) {
    const REAL above = rise * x, below = fall * OF(expm1)(rate * x);
    return x > 0 ? above : below;
}

static FG_INLINE REAL OF(elu_pull)(REAL t, REAL out, REAL rise, REAL fall) { return t * (out > 0 ? rise : out + fall); }

static FG_INLINE REAL OF(logistic_loss)(REAL x, REAL y) { return (x > 0 ? 1 - y : -y) * x + OF(log1p)(OF(tail)(x)); }

static FG_INLINE REAL OF(logistic_pull)(REAL t, REAL x, REAL y) {
    const REAL e = OF(tail)(x), q = 1 / (1 + e);
    const REAL s = (x < 0 ? e : 1) * q, c = (x < 0 ? 1 : e) * q;
    return t * ((1 - y) * s - y * c);
}

/* The cross entropy of the chance y under the chance x; logarithms are at least -100. */
static FG_INLINE REAL OF(chance_terms)(REAL x, REAL y) {
    const REAL rest = 1 - x, lost = (1 - rest) - x;
    const REAL low = OF(at_least)(OF(log)(x), N(-100.0, -100.0f));
    const REAL high = OF(at_least)(OF(log)(rest) + (rest == 0 ? 0 : lost / rest), N(-100.0, -100.0f));
    return (y - 1) * high - y * low;
}

static FG_INLINE REAL OF(share)(REAL t, REAL x, REAL y) { return t * OF(sigmoid)(x == y ? 0 : x - y); }

/* log(p) - log(1 - p) with one division, and all digits where that is 0. */
static FG_INLINE REAL OF(logit)(REAL p) {
    const bool tiny = p < TINY;
    REAL kp, kq, m = OF(parted)(tiny ? p * LARGER : p, &kp);
    const REAL q = OF(parted)(1 - p, &kq), limit = q * SQRT_TWO;
    REAL k = kp - kq;
    const bool large = m > limit, small = 2 * m <= limit;
    k = large ? k + 1 : small ? k - 1 : k;
    m = large ? N(0.5, 0.5f) * m : small ? 2 * m : m;
    const REAL quotient = (m - q) / (m + q), s = k == 0 ? 2 * p - 1 : quotient, z = s * s; /* exact around 1/2 */
    const REAL out = (k * LN2_HIGH + ((2 * s + s * (z * OF(log_rest)(z))) + k * LN2_LOW)) - (tiny ? LOG_LARGER : 0);
    const REAL end = p == 0 ? -(REAL)INFINITY : p == 1 ? (REAL)INFINITY : (REAL)NAN;
    return p > 0 && p < 1 ? out : end;
}

static FG_INLINE REAL OF(logit_pull)(REAL t, REAL p) {
    const REAL slope = t / (p * (1 - p));
    return p >= 0 && p <= 1 ? slope : (REAL)NAN;
}

static FG_INLINE REAL OF(logaddexp)(REAL x, REAL y) {
    const REAL apart = (x < y ? y : x) + OF(log1p)(OF(tail)(x - y));
    return x == y ? x + N(0.6931471805599453, 0.6931471824645996f) : apart;
}

/* ---------------------------------------------------------------- lines with bends -- */

static FG_INLINE REAL OF(relu)(REAL x) { return x <= 0 ? 0 : x; }

static FG_INLINE REAL OF(relu_pull)(REAL t, REAL x) { return x <= 0 ? 0 : t; }

static FG_INLINE REAL OF(leaky_terms)(REAL t, REAL x, REAL slope) {
    const REAL below = t * slope;
    return x > 0 ? t : below;
}

static FG_INLINE REAL OF(clamp)(REAL x, REAL low, REAL high) { return x <= low ? low : x >= high ? high : x; }

static FG_INLINE REAL OF(gate)(REAL t, REAL x, REAL low, REAL high) { return x <= low ? 0 : x >= high ? 0 : t; }

static FG_INLINE REAL OF(hardswish)(REAL x) {
    const REAL inside = x * (x + 3) / 6;
    return x <= -3 ? 0 : x >= 3 ? x : inside;
}

static FG_INLINE REAL OF(hardswish_pull)(REAL t, REAL x) {
    const REAL inside = t * ((2 * x + 3) / 6);
    return x <= -3 ? 0 : x >= 3 ? t : inside;
}

static FG_INLINE REAL OF(huber_terms)(REAL x, REAL y, REAL delta) {
    const REAL d = x - y, inside = OF(clamp)(d, -delta, delta);
    return inside * (d - N(0.5, 0.5f) * inside);
}

static FG_INLINE REAL OF(huber_pull)(REAL t, REAL x, REAL y, REAL delta) { return t * OF(clamp)(x - y, -delta, delta); }

static FG_INLINE REAL OF(sign)(REAL x) { return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x; }

/* ---------------------------------------------------------------- powers -- */

static FG_INLINE bool OF(is_whole)(REAL x) {
    const REAL a = OF(magnitude)(x), large = N(0x1p52, 0x1p23f);
    return (a >= large) | ((a + large) - large == a);
}

/* x * x * x, all but rounded once: the cube of the first 17 bits is exact. */
static FG_INLINE REAL OF(cube)(REAL x) {
#if IS_DOUBLE
    const double a = at_most_of_double(fabs(x), 0x1p400); /* the square of more may overflow */
    uint64_t bits;
    double high;
    memcpy(&bits, &a, sizeof bits);
    bits &= ~UINT64_C(0xfffffffff);
    memcpy(&high, &bits, sizeof high);
    const double low = a - high, square = high * high;
    return copysign(square * high + low * (3 * square + low * (3 * high + low)), x);
#else
    return (float)((double)x * x * x);
#endif
}

/* abs(x)**y as x**y */
static FG_INLINE REAL OF(signed_power)(REAL power, REAL x, REAL y) {
    const REAL cube = OF(cube)(x);
    const bool whole = OF(is_whole)(y), odd = whole & !OF(is_whole)(N(0.5, 0.5f) * y);
    const REAL turned = N(copysign, copysignf)(power, odd ? x : 1);
    return y == 3 ? cube : (x < 0) & (x - x == 0) & !whole ? (REAL)NAN : turned;
}

/* The root of the squares of numbers of middling size, and by how much it is too large. */
static FG_INLINE REAL OF(hypot)(REAL x, REAL y) {
    const REAL a = OF(magnitude)(x), b = OF(magnitude)(y);
#if IS_DOUBLE
    const double larger = a < b ? b : a, smaller = a < b ? a : b;
    const double scale = larger > 0x1p511 ? 0x1p-600 : smaller < 0x1p-459 ? 0x1p600 : 1;
    const double back = larger > 0x1p511 ? 0x1p600 : smaller < 0x1p-459 ? 0x1p-600 : 1;
    const double p = larger * scale, q = smaller * scale, h = sqrt(p * p + q * q);
    const bool wide = h > 2 * q;
    const double d = h - (wide ? p : q);
    const double u = wide ? 2 * d * (p - 2 * q) : p * (2 * d - p);
    const double v = wide ? (4 * d - q) * q + d * d : (d - 2 * (p - q)) * d;
    const double root = (h - (u + v) / (2 * h)) * back;
    const double out = smaller <= larger * 0x1p-54 ? larger + smaller : root;
#else
    const float out = (float)sqrt((double)a * a + (double)b * b);
#endif
    return (a == (REAL)INFINITY) | (b == (REAL)INFINITY) ? (REAL)INFINITY : out;
}

/* ---------------------------------------------------------------- the normal distribution -- */

#define FAR N(28.0, 11.0f)
#define NORMAL_FAR N(40.0, 16.0f)
#define SQRT_HALF N(0.7071067811865476, 0.7071067811865476f)

static FG_INLINE REAL OF(erf)(REAL x) {
    const REAL a = OF(at_most)(OF(magnitude)(x), FAR);
    const REAL inner = OF(erf_near)(a), outer = 1 - OF(erfcx)(a) * OF(exp_of_square)(a, -1);
    return N(copysign, copysignf)(a < N(0.75, 0.75f) ? inner : outer, x);
}

static FG_INLINE REAL OF(erfc)(REAL x) {
    const REAL a = OF(at_most)(OF(magnitude)(x), FAR);
    const REAL inner = 1 - OF(erf_near)(a), outer = OF(erfcx)(a) * OF(exp_of_square)(a, -1);
    const REAL tail = a < N(0.5, 0.5f) ? inner : outer, rest = 2 - tail;
    return x < 0 ? rest : tail;
}

/* a times a polynomial of a * a, and near 1 s = sqrt(-log(1 - a)) times one of that. */
static FG_INLINE REAL OF(erfinv)(REAL y) {
    const REAL a = OF(magnitude)(y), z = a * a, s = N(sqrt, sqrtf)(-OF(log)(1 - a));
#if IS_DOUBLE
    const REAL near =
        P22(z, 0.886226925452758, 0.23201366653466982, 0.12755617530122543, 0.086552129736501, 0.06495958811472576,
            0.05173236670161177, 0.042810239103899334, 0.03692221991203734, 0.025919141509766958, 0.08302326877978142,
            -0.378931461944417, 2.3341490408373975, -10.380275985756787, 36.963260459807096, -103.52254904325153,
            227.72809231935207, -388.4632874508949, 503.93497129519943, -480.7344890993795, 318.54453797156015,
            -131.2599666484692, 25.480000442399778);
    const REAL u = s - 2, v = s - 4.4;
    const REAL middle =
        P22(u, 0.8340941580292482, 0.10772943257089954, -0.053417559290416194, 0.023130987882722616,
            -0.008989451681957382, 0.003107999129928185, -0.0009090671624079118, 0.00018598242444894134,
            7.160965719809082e-06, -3.600170321876239e-05, 2.6171170659002267e-05, -1.3890806868104808e-05,
            6.1635820820151566e-06, -2.3327485714132104e-06, 7.188279384856219e-07, -1.4057362135485948e-07,
            -2.2187600897020744e-08, 4.2109355892072436e-08, -2.7966629910239068e-08, 1.6717254187259776e-08,
            -9.35125859819631e-09, 2.7168475021166197e-09);
    const REAL far =
        P22(v, 0.946237660728811, 0.018730632992378808, -0.005104437535299694, 0.0012595054244254522,
            -0.00029358171876523755, 6.577938524226895e-05, -1.4284250702612267e-05, 3.0181084232760236e-06,
            -6.213430234768426e-07, 1.2457892954075364e-07, -2.427067320220466e-08, 4.5731099620573355e-09,
            -8.261585655593134e-10, 1.4115272706661872e-10, -2.2347027595904705e-11, 2.9481521394407694e-12,
            -1.3517636676839545e-13, -3.895867893503166e-14, -4.994380049124695e-15, -4.1673667242147666e-15,
            5.9991924565572366e-15, -1.2751468856343568e-15);
    const REAL tail = s * (s < 2.75 ? middle : far);
#else
    const REAL near = P10(z, 0.8862268924713135f, 0.23201513290405273f, 0.12747099995613098f, 0.08844219893217087f,
                          0.04395999386906624f, 0.18325789272785187f, -0.4452747106552124f, 1.1094319820404053f,
                          -1.2790844440460205f, 0.7426209449768066f),
               u = s - 2.5f;
    const REAL tail =
        s * P16(u, 0.877018392086029f, 0.06798610091209412f, -0.02905401773750782f, 0.011039242148399353f,
                -0.0038658762350678444f, 0.0012583290226757526f, -0.0003783025313168764f, 0.00010272362851537764f,
                -2.337019395781681e-05f, 3.0024541501916246e-06f, 6.27064764557872e-07f, -4.5940876702843525e-07f,
                2.873804874070629e-07f, -2.6498801730667765e-07f, 1.2575371499679022e-07f, -2.140231103453516e-08f);
#endif
    const REAL out = a < N(0.75, 0.75f) ? a * near : tail, end = a == 1 ? (REAL)INFINITY : (REAL)NAN;
    return N(copysign, copysignf)(a < 1 ? out : end, y);
}

/* The distribution function; exp(-x*x / 2) goes to `e`. */
static FG_INLINE REAL OF(normal)(REAL x, REAL *e) {
    const REAL a = OF(at_most)(OF(magnitude)(x), NORMAL_FAR);
    *e = OF(exp_of_square)(a, N(-0.5, -0.5f));
    const REAL tail = N(0.5, 0.5f) * OF(erfcx)(a * SQRT_HALF) * *e, rest = 1 - tail;
    return x < 0 ? tail : rest;
}

static FG_INLINE REAL OF(ndtr)(REAL x) {
    REAL e;
    return OF(normal)(x, &e);
}

static FG_INLINE REAL OF(gelu_terms)(REAL x) { return x * OF(ndtr)(x); }

static FG_INLINE REAL OF(gelu_pull)(REAL t, REAL x) {
    REAL e;
    const REAL chance = OF(normal)(x, &e);
    return t * (chance + x * (N(0.3989422804014327, 0.3989422804014327f) * e));
}

#undef ROUNDING
#undef LEAST
#undef FLAT
#undef STEPS
#undef LOG2E
#undef LN2_HIGH
#undef LN2_LOW
#undef FAR
#undef MIDDLE
#undef NORMAL_FAR
#undef SQRT_HALF
#undef SQRT_TWO
#undef TINY
#undef LARGER
#undef LOG_LARGER
