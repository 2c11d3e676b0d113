/* sines: of doubles up to 16384 (mixed.c), in double precision; ops/_elementary.py says the same in NumPy, with the
 * sources. */

/* x from its nearest multiple of pi / 2, as high + low; the last bits of what is returned hold that multiple. */
static FG_INLINE uint64_t turns_of_double(double x, double *high, double *low) {
    const double rounded = x * 0.6366197723675814 + 0x1.8p52, k = rounded - 0x1.8p52;
    const double a = x - k * 1.5707963267923333, b = k * 2.5633441515905732e-12;
    const double c = a - b, back = c - a;
    const double missed = k * 3.9455541665632055e-24 - ((a - (c - back)) - (b + back));
    uint64_t turns;
    *high = c - missed;
    *low = (c - *high) - missed;
    memcpy(&turns, &rounded, sizeof turns);
    return turns;
}

static FG_INLINE double sine_of_turns(uint64_t turns, double r, double low) {
    const double z = r * r, half = 0.5 * z, cube = z * r, whole = 1 - half;
    const double of_sine = H5(z, 0.00833333333332249, -0.0001984126982985795, 2.7557313707070068e-06,
                              -2.5050760253406863e-08, 1.58969099521155e-10);
    const double of_cosine = H6(z, 0.0416666666666666, -0.001388888888887411, 2.480158728947673e-05,
                                -2.7557314351390663e-07, 2.087572321298175e-09, -1.1359647557788195e-11);
    const double sine = r - ((z * (0.5 * low - cube * of_sine) - low) - cube * -0.16666666666666632);
    const double cosine = whole + (((1 - whole) - half) + (z * (z * of_cosine) - r * low));
    const double value = turns & 1 ? cosine : sine;
    return turns & 2 ? -value : value;
}

static FG_INLINE double near_sin_of_double(double x) {
    double high, low;
    const uint64_t turns = turns_of_double(x, &high, &low);
    return sine_of_turns(turns, high, low);
}

static FG_INLINE double near_cos_of_double(double x) {
    double high, low;
    const uint64_t turns = turns_of_double(x, &high, &low);
    return sine_of_turns(turns + 1, high, low);
}
