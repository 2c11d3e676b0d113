/* gamma: log(gamma(x)) and its derivatives, the logarithm of the normal distribution, entropies and
 * sinc, in double precision over elementary.h; ops/_gamma.py says the same in NumPy, with the sources. */

/* x from its nearest integer. */
static FG_INLINE double turn_of_double(double x) {
    const double y = at_least_of_double(x, -0x1p50);
    return y - ((y + 0x1.8p52) - 0x1.8p52);
}

static FG_INLINE double sine_of_half_turns(double r) {
    return r * P10(r * r, 3.141592653589793, -5.167712780049969, 2.5501640398773007, -0.5992645293189447,
                   0.0821458865731029, -0.007370430505916944, 0.00046629981618983934, -2.190349707462591e-05,
                   7.697826768223186e-07, 0.0);
}

static FG_INLINE double cosine_of_half_turns(double r) {
    return P10(r * r, 1.0, -4.934802200544679, 4.058712126416768, -1.3352627688545549, 0.235330630357995,
               -0.025806891376592964, 0.0019295741872812349, -0.00010463741681752137, 4.300724172734826e-06,
               -1.343521295095145e-07);
}

static FG_INLINE double psi_terms_of_double(double x) {
    const bool low = x < 0.5;
    const double z = low ? 1 - x : x;
    const bool small = z < 8;
    const double y = small ? z + 8 : z, p = small ? z : 1;
    /* 1 / p + ... + 1 / (p + 7), as one fraction */
    const double d0 = p * (p + 1), d1 = (p + 2) * (p + 3), d2 = (p + 4) * (p + 5), d3 = (p + 6) * (p + 7);
    const double n0 = (2 * p + 1) * d1 + (2 * p + 5) * d0, n1 = (2 * p + 9) * d3 + (2 * p + 13) * d2;
    const double d01 = d0 * d1, d23 = d2 * d3;
    const double sum = (n0 * d23 + n1 * d01) / (d01 * d23), shift = small ? sum : 0;
    const double q = 1 / y, w = q * q;
    const double rest = H7(w, 0.08333333333333333, -0.008333333333278545, 0.003968253911907783, -0.004166644813006459,
                           0.0075716885518819456, -0.020697932789646125, 0.06362043296372914);
    const double out = (log_of_full_of_double(y) - (0.5 * q + w * rest)) - shift;
    const double r = turn_of_double(x);
    const double reflected = out - 3.141592653589793 * cosine_of_half_turns(r) / sine_of_half_turns(r);
    const double value = low ? (r == 0 && x != 0 ? NAN : reflected) : out;
    return x - x == 0 ? value : x;
}

static FG_INLINE double trigamma_of_double(double x) {
    const bool low = x < 0.5;
    const double z = low ? 1 - x : x;
    const bool small = z < 8;
    const double y = small ? z + 8 : z, p = small ? z : 1;
    /* 1 / p**2 + ... + 1 / (p + 7)**2, as one fraction */
    const double a0 = p * p, a1 = (p + 1) * (p + 1), a2 = (p + 2) * (p + 2), a3 = (p + 3) * (p + 3);
    const double a4 = (p + 4) * (p + 4), a5 = (p + 5) * (p + 5), a6 = (p + 6) * (p + 6), a7 = (p + 7) * (p + 7);
    const double d0 = a0 * a1, d1 = a2 * a3, d2 = a4 * a5, d3 = a6 * a7;
    const double n0 = (a0 + a1) * d1 + (a2 + a3) * d0, n1 = (a4 + a5) * d3 + (a6 + a7) * d2;
    const double d01 = d0 * d1, d23 = d2 * d3;
    const double sum = (n0 * d23 + n1 * d01) / (d01 * d23), shift = small ? sum : 0;
    const double q = 1 / y, w = q * q;
    const double rest = H7(w, 0.16666666666666652, -0.03333333333249149, 0.023809522943188756, -0.03333299690971581,
                           0.0756947967251632, -0.24699657306551928, 0.8586715717721535);
    const double out = (q + w * (0.5 + q * rest)) + shift;
    const double s = sine_of_half_turns(turn_of_double(x));
    const double reflected = 9.869604401089358 / (s * s) - out;
    const double value = low ? reflected : out;
    return x - x == 0 ? value : 1 / x;
}

/* exp(z*z) * erfc(z) for z >= 0, far out by its asymptotic series. */
static FG_INLINE double far_erfcx_of_double(double z) {
    const double q = 1 / z, v = -0.5 * (q * q);
    const double series = 1 + v * (1 + 3 * v * (1 + 5 * v * (1 + 7 * v * (1 + 9 * v * (1 + 11 * v)))));
    const double inner = erfcx_of_double(z), outer = 0.5641895835477563 * q * series;
    return z > 26 ? outer : inner;
}

static FG_INLINE double log_ndtr_of_double(double x) {
    const double a = at_most_of_double(magnitude_of_double(x), 1e150),
                 e = exp_of_square_of_double(at_most_of_double(a, 40), -0.5);
    const double half = 0.5 * far_erfcx_of_double(a * 0.7071067811865476);
    const double below = log_of_full_of_double(half) - 0.5 * a * magnitude_of_double(x),
                 above = log1p_of_double(-(half * e));
    const double value = x < 0 ? below : above;
    return x == x ? value : x;
}

static FG_INLINE double log_ndtr_pull_of_double(double t, double x) {
    const double a = magnitude_of_double(x), e = exp_of_square_of_double(at_most_of_double(a, 40), -0.5);
    const double whole = far_erfcx_of_double(a * 0.7071067811865476);
    const double above = x < 0 ? 0.7978845608028654 : 0.3989422804014327 * e,
                 below = x < 0 ? whole : 1 - 0.5 * whole * e;
    return t * (above / below);
}

static FG_INLINE double gammaln_of_double(double x) {
    const double z = x < 0 ? 1 - x : x;
    /* z is moved to between 1.5 and 2.5, by the logarithm of what that multiplies the function with */
    double t = z, product = 1;
#define DOWN                                         \
    product = t > 2.5 ? product * (t - 1) : product; \
    t = t > 2.5 ? t - 1 : t;
    DOWN DOWN DOWN DOWN DOWN DOWN
#undef DOWN
        const bool below = z < 0.5,
                   low = z < 1.5, far = z >= 8;
    const double d = below ? z : low ? z - 1 : t - 2;
    const double near_log = log_of_double(far ? z : below ? z * (z + 1) : low ? z : product);
    const double near =
        (low ? -near_log : near_log) +
        d * P20(d, 0.42278433509846713, 0.3224670334241132, -0.06735230105319814, 0.02058080842778457,
                -0.0073855510286681535, 0.002890510330738737, -0.0011927539120010226, 0.0005096695248853096,
                -0.00022315475074520367, 9.945750909889392e-05, -4.4926351103833334e-05, 2.050726741605779e-05,
                -9.438458716242811e-06, 4.374374916915131e-06, -2.0449201467015115e-06, 9.578663334114758e-07,
                -4.303558760359961e-07, 2.0304806751615227e-07, -1.3412819758517287e-07, 6.379047507619774e-08);
    const double q = 1 / z, w = q * q;
    const double series =
        q * H7(w, 0.08333333333333333, -0.002777777777773988, 0.0007936507897524059, -0.0005952365845057049,
               0.0008414700852503147, -0.001890382993887715, 0.005065905360156132);
    const double out = far ? (z - 0.5) * (near_log - 1) + (0.4189385332046727 + series) : near;
    const double s = magnitude_of_double(sine_of_half_turns(turn_of_double(x)));
    const double reflected = (1.1447298858494002 - log_of_double(s)) - out;
    return x - x == 0 ? (x < 0 ? reflected : out) : x;
}

static FG_INLINE double entr_of_double(double x) {
    const double inside = -x * log_of_double(x);
    return x > 0 ? inside : x == 0 ? 0 : x < 0 ? -(double)INFINITY : x;
}

static FG_INLINE double xlogy_of_double(double x, double y) {
    const double out = x * log_of_double(y);
    return x == 0 && y == y ? 0 : out;
}

/* The distance from the nearest integer, and 1 or -1 as that is even or odd; exact. */
static FG_INLINE double turn_and_sign_of_double(double x, double *sign) {
    const double a = at_most_of_double(magnitude_of_double(x), 0x1p51), k = (a + 0x1.8p52) - 0x1.8p52, half = 0.5 * k;
    *sign = (half + 0x1.8p52) - 0x1.8p52 == half ? 1 : -1;
    return a - k;
}

static FG_INLINE double sinc_of_double(double x) {
    double sign;
    const double a = magnitude_of_double(x), r = turn_and_sign_of_double(x, &sign), s = sine_of_half_turns(r);
    const double near = s / (3.141592653589793 * r), far = sign * s / (3.141592653589793 * a);
    const double out = a < 0.5 ? (a == 0 ? 1 : near) : far;
    return x - x == 0 ? out : (double)NAN;
}

static FG_INLINE double sinc_slope_of_double(double x) {
    double sign;
    const double z = x * x, r = turn_and_sign_of_double(x, &sign);
    const double near = x * P10(z, -3.289868133696453, 3.2469697011334144, -1.1445109447325053, 0.2091827825412377,
                                -0.023460810354539806, 0.0017811455160974931, -9.766222875798651e-05,
                                4.049933734208371e-06, -1.3143672994294557e-07, 3.3421810520298914e-09);
    const double far = (sign * cosine_of_half_turns(r) - sinc_of_double(x)) / x;
    return x - x == 0 ? (z < 0.25 ? near : far) : (double)NAN;
}
