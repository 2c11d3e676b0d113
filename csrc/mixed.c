/* mixed: loops made of one of NumPy's and a curve. */
#include "kernels.h"
#include "walk.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 256 };

typedef struct mixed {
    fg_loop of_numpy, curve, cube;
    intptr_t size;
} mixed;

/* ---------------------------------------------------------------- powers --
 * Of negative numbers too by the loop for positive ones, with the sign put back. NumPy's own loops do the same; but those
 * made of AVX-512 instructions take negative numbers one by one, at 50 times the cost. Cubes by multiplication. */

static void make_magnitudes(char *at, intptr_t n, intptr_t size) {
    float *singles = (float *)(void *)at;
    double *doubles = (double *)(void *)at;
    if (size == sizeof(float)) {
        for (intptr_t i = 0; i < n; i++) singles[i] = fabsf(singles[i]);
    } else {
        for (intptr_t i = 0; i < n; i++) doubles[i] = fabs(doubles[i]);
    }
}

static double number_at(const char *at, intptr_t size) {
    return size == sizeof(float) ? (double)*(const float *)(const void *)at : *(const double *)(const void *)at;
}

/* NumPy's signature. Its loop sees what lies side by side, or one exponent for all, and so gives the same bits for any
 * strides. */
static void run_powers(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    const mixed *p = data;
    const intptr_t size = p->size;
    double bases[CHUNK], exponents[CHUNK], raised[CHUNK];
    char *x = args[0], *y = args[1], *to = args[2];
    const bool gathers = strides[1] != size && strides[1] != 0;
    if (strides[1] == 0 || dims[0] == 1) {
        const double exponent = number_at(y, size);
        char *operands[2] = {x, to};
        const intptr_t still[3] = {strides[0], 0, strides[2]}, steps[2] = {strides[0], strides[2]};
        if (exponent == 3) {
            p->cube.fn(operands, dims, steps, p->cube.data);
            return;
        }
        if (rint(exponent) != exponent) { /* roots: NumPy's of -inf and -0.0 are not powers */
            p->of_numpy.fn(args, dims, still, p->of_numpy.data);
            return;
        }
    }
    for (intptr_t left = dims[0], n; left > 0; left -= n) {
        n = left < CHUNK ? left : CHUNK;
        fg_move((char *)bases, size, x, strides[0], n, (size_t)size);
        make_magnitudes((char *)bases, n, size);
        if (gathers) fg_move((char *)exponents, size, y, strides[1], n, (size_t)size);
        char *operands[3] = {(char *)bases, gathers ? (char *)exponents : y, (char *)raised};
        const intptr_t steps[3] = {size, gathers ? size : strides[1], size};
        p->of_numpy.fn(operands, &n, steps, p->of_numpy.data);
        char *parts[4] = {(char *)raised, x, y, to};
        const intptr_t apart[4] = {size, strides[0], strides[1], strides[2]};
        p->curve.fn(parts, &n, apart, p->curve.data);
        x += n * strides[0];
        y += n * strides[1];
        to += n * strides[2];
    }
}

/* ---------------------------------------------------------------- sines -- */

#define FAR_ANGLE 16384.0 /* so far the curves reduce angles well; FAR_ANGLE in ops/_elementary.py */

/* NumPy's signature. A curve of doubles, and where they are large, infinite or nan NumPy's loop. */
static void run_angles(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    const mixed *m = data;
    const intptr_t size = sizeof(double), one = 1;
    double angles[CHUNK];
    for (intptr_t done = 0, n; done < dims[0]; done += n) {
        char *to = args[1] + done * strides[1];
        bool far = false;
        n = dims[0] - done < CHUNK ? dims[0] - done : CHUNK;
        fg_move((char *)angles, size, args[0] + done * strides[0], strides[0], n, (size_t)size);
        for (intptr_t i = 0; i < n; i++) far |= !(fabs(angles[i]) <= FAR_ANGLE);
        char *of_curve[2] = {(char *)angles, to};
        const intptr_t steps[2] = {size, strides[1]};
        m->curve.fn(of_curve, &n, steps, m->curve.data);
        for (intptr_t i = 0; far && i < n; i++) {
            char *of_numpy[2] = {(char *)(angles + i), to + i * strides[1]};
            if (!(fabs(angles[i]) <= FAR_ANGLE)) m->of_numpy.fn(of_numpy, &one, steps, m->of_numpy.data);
        }
    }
}

fg_loop fg_mixed_find(const char *name, int dtype, const fg_loop *of_numpy) {
    static const struct {
        const char *name, *curve;
        fg_loop_fn run;
        int dtype;
    } kinds[] = {{"power", "signed_power", run_powers, FG_FLOAT32},
                 {"power", "signed_power", run_powers, FG_FLOAT64},
                 {"sin", "near_sin", run_angles, FG_FLOAT64},
                 {"cos", "near_cos", run_angles, FG_FLOAT64}};
    static mixed kept[sizeof kinds / sizeof *kinds];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) != 0 || kinds[i].dtype != dtype || !of_numpy->fn) continue;
        kept[i] = (mixed){*of_numpy, fg_kernel_find(kinds[i].curve, dtype), fg_kernel_find("cube", dtype),
                          dtype == FG_FLOAT64 ? sizeof(double) : sizeof(float)};
        return (fg_loop){kinds[i].run, &kept[i], false, false};
    }
    const fg_loop own = fg_kernel_find(name, dtype);
    return own.fn ? own : *of_numpy;
}
