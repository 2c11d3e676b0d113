/* bessel: the modified Bessel functions of order 0 and 1, in double precision over elementary.h; ops/_bessel.py says the
 * same in NumPy, with the sources. */

enum { BESSEL_FAR = 8 };

/* exp(a) / 2**64, for a from 0 to 720 */
static FG_INLINE double exp_above_of_double(double a) {
    double rounded, out;
    uint64_t bits, exponent;
    const double part = exp_part_of_double(a, 0, &rounded);
    rounded -= 64;
    memcpy(&bits, &part, sizeof bits);
    memcpy(&exponent, &rounded, sizeof exponent);
    bits += exponent << 52;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* A function of which `near` is the value below BESSEL_FAR, and far * exp(a) / sqrt(a) that above it. */
static FG_INLINE double grown_of_double(double x, double near, double far) {
    const double a = at_most_of_double(magnitude_of_double(x), 720);
    const double above = exp_above_of_double(a) * (far / sqrt(a)) * 0x1p64;
    return x == x ? (a < BESSEL_FAR ? near : above) : x;
}

/* The same times exp(-abs(x)). */
static FG_INLINE double scaled_of_double(double x, double near, double far) {
    const double a = magnitude_of_double(x), below = near * exp_of_two_of_double(-at_most_of_double(a, BESSEL_FAR), 0);
    return x == x ? (a < BESSEL_FAR ? below : far / sqrt(a)) : x;
}

/* For polynomials: x * x / 4, where that is near; and from -1, at infinity, to 1. */
#define NEAR_OF(x) (0.25 * (x) * (x))
#define FAR_OF(x) (16 / at_least_of_double(magnitude_of_double(x), BESSEL_FAR) - 1)

static FG_INLINE double i0_near_of_double(double x) {
    const double z = at_most_of_double(NEAR_OF(x), 16);
    return 1 + z * P16(z, 1.0, 0.25, 0.027777777777777762, 0.001736111111111147, 6.944444444440493e-05,
                       1.929012345705309e-06, 3.936759887993035e-08, 6.151187361364193e-10, 7.594057685381156e-12,
                       7.594070019494474e-14, 6.275948796822122e-16, 4.359498405380122e-18, 2.5722398177811744e-20,
                       1.3440225063774028e-22, 5.062353740472856e-25, 3.548836657975522e-27);
}

static FG_INLINE double i0_far_of_double(double x) {
    const double w = FAR_OF(x);
    return P22(w, 0.40217650944500816, 0.003360551983667876, 0.00013621607437737268, 1.1143033791893046e-05,
               1.483848150861771e-06, 2.973597885290274e-07, 8.871293193604678e-08, 3.9327123085832934e-08,
               2.162446034312458e-08, 7.543775238250733e-09, -7.116744499757987e-09, -1.335632771743214e-08,
               -4.270649721363825e-09, 7.396966587219158e-09, 5.1432089858622845e-09, -3.21251295103573e-09,
               -2.8927333669603943e-09, 1.1661396927314527e-09, 9.544598596408217e-10, -3.0719032844097364e-10,
               -1.4445666241808038e-10, 4.135870336904037e-11);
}

static FG_INLINE double i1_near_of_double(double a) {
    const double z = at_most_of_double(NEAR_OF(a), 16), half = 0.5 * a;
    return half + half * (z * P16(z, 0.5, 0.08333333333333333, 0.006944444444444443, 0.0003472222222222242,
                                  1.1574074074071924e-05, 2.755731922412906e-07, 4.920949860801085e-09,
                                  6.834652604146068e-11, 7.594058023571055e-13, 6.9036957952589725e-15,
                                  5.2299955491802355e-17, 3.353212008562119e-19, 1.8384424828664606e-21,
                                  8.926111154793565e-24, 3.225202860362286e-26, 2.037850369395233e-28));
}

static FG_INLINE double i1_far_of_double(double x) {
    const double w = FAR_OF(x);
    return P22(w, 0.3893984590258723, -0.009749577193235751, -0.0002192357638187367, -1.5038547201402334e-05,
               -1.8349107416211804e-06, -3.483855125273481e-07, -1.0000323944983054e-07, -4.3130341641824356e-08,
               -2.3453111618217135e-08, -8.417810881556892e-09, 7.118573210000024e-09, 1.3986230294575344e-08,
               4.7942444927275885e-09, -7.500258824785232e-09, -5.508409408958088e-09, 3.158127700170617e-09,
               3.0582654028044287e-09, -1.1153074851895528e-09, -1.0032283190965858e-09, 2.8795297002473246e-10,
               1.513858549435606e-10, -3.8283098239014647e-11);
}

static FG_INLINE double slope_near_of_double(double x) {
    const double z = at_most_of_double(NEAR_OF(x), 16);
    return 0.5 +
           0.5 * (z * P16(z, 1.5, 0.4166666666666667, 0.04861111111111108, 0.00312500000000007, 0.00012731481481473793,
                          3.5824514991693277e-06, 7.38142478990596e-08, 1.1618909462313778e-09, 1.4428709568405207e-11,
                          1.449777045946305e-13, 1.202889803872622e-15, 8.38367560990403e-18, 4.960635387275703e-20,
                          2.59878390120687e-22, 9.802187194909483e-25, 6.89388827901152e-27));
}

static FG_INLINE double slope_far_of_double(double x) {
    const double w = FAR_OF(x);
    return P22(w, 0.37783910575589114, -0.020367503130871906, 0.000759266884193002, 2.5785178230651732e-05,
               2.538439283344897e-06, 4.338158044133104e-07, 1.1673705664578243e-07, 4.8272971904061365e-08,
               2.578730448258114e-08, 9.535707894486611e-09, -7.04197426190418e-09, -1.46753779364681e-08,
               -5.425717783589177e-09, 7.566092482972761e-09, 5.921294991825266e-09, -3.0656203442365133e-09,
               -3.2393110255211643e-09, 1.044704822880523e-09, 1.0556137867370098e-09, -2.624856191239828e-10,
               -1.5875552395893741e-10, 3.4289781075006245e-11);
}

static FG_INLINE double bessel_i0_of_double(double x) {
    return grown_of_double(x, i0_near_of_double(x), i0_far_of_double(x));
}

static FG_INLINE double bessel_i0e_of_double(double x) {
    return scaled_of_double(x, i0_near_of_double(x), i0_far_of_double(x));
}

static FG_INLINE double bessel_i1_of_double(double x) {
    const double a = magnitude_of_double(x);
    return copysign(grown_of_double(a, i1_near_of_double(a), i1_far_of_double(a)), x);
}

static FG_INLINE double bessel_i1e_of_double(double x) {
    const double a = magnitude_of_double(x);
    return copysign(scaled_of_double(a, i1_near_of_double(a), i1_far_of_double(a)), x);
}

/* The derivative of i1, and that times exp(-abs(x)). */
static FG_INLINE double i1_slope_of_double(double x) {
    return grown_of_double(x, slope_near_of_double(x), slope_far_of_double(x));
}

static FG_INLINE double i1e_slope_of_double(double x) {
    return scaled_of_double(x, slope_near_of_double(x), slope_far_of_double(x));
}

#undef NEAR_OF
#undef FAR_OF
