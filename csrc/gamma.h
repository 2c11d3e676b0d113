/* gamma: the derivatives of log(gamma(x)), and the logarithm of the normal distribution, in double precision over
 * elementary.h; ops/_gamma.py says the same in NumPy, with the sources. */

/* The logarithm of a positive number of full precision. */
static FG_INLINE double log_of_double(double x) {
    uint64_t bits, exponent;
    double k, m;
    memcpy(&bits, &x, sizeof bits);
    exponent = (bits >> 52) | UINT64_C(0x4330000000000000);
    bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000);
    memcpy(&k, &exponent, sizeof k);
    memcpy(&m, &bits, sizeof m);
    k -= 0x1p52 + 1023;
    const bool large = m > 1.4142135623730951;
    m = large ? 0.5 * m : m;
    k = large ? k + 1 : k;
    return k * 0.6931471803691238 + (log1p_of_double(m - 1) + k * 1.9082149292705877e-10);
}

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
    const double out = (log_of_double(y) - (0.5 * q + w * rest)) - shift;
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
    const double below = log_of_double(half) - 0.5 * a * magnitude_of_double(x), above = log1p_of_double(-(half * e));
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
