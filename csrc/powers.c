/* powers: of negative numbers too by the loop for positive ones, with the sign put back.
 *
 * NumPy's own loops do the same; but those made of AVX-512 instructions take negative numbers one by one, at 50 times the
 * cost. */
#include "kernels.h"
#include "walk.h"

#include <math.h>

enum { CHUNK = 256 };

typedef struct powers {
    fg_loop powers, signs;
    intptr_t size;
} powers;

static void make_magnitudes(char *at, intptr_t n, intptr_t size) {
    float *singles = (float *)(void *)at;
    double *doubles = (double *)(void *)at;
    if (size == sizeof(float)) {
        for (intptr_t i = 0; i < n; i++) singles[i] = fabsf(singles[i]);
    } else {
        for (intptr_t i = 0; i < n; i++) doubles[i] = fabs(doubles[i]);
    }
}

/* NumPy's signature. Its loop sees what lies side by side, or one exponent for all, and so gives the same bits for any
 * strides. */
static void run_powers(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    const powers *p = data;
    const intptr_t size = p->size;
    double bases[CHUNK], exponents[CHUNK], raised[CHUNK];
    char *x = args[0], *y = args[1], *to = args[2];
    const bool gathers = strides[1] != size && strides[1] != 0;
    for (intptr_t left = dims[0], n; left > 0; left -= n) {
        n = left < CHUNK ? left : CHUNK;
        fg_move((char *)bases, size, x, strides[0], n, (size_t)size);
        make_magnitudes((char *)bases, n, size);
        if (gathers) fg_move((char *)exponents, size, y, strides[1], n, (size_t)size);
        char *operands[3] = {(char *)bases, gathers ? (char *)exponents : y, (char *)raised};
        const intptr_t steps[3] = {size, gathers ? size : strides[1], size};
        p->powers.fn(operands, &n, steps, p->powers.data);
        char *parts[4] = {(char *)raised, x, y, to};
        const intptr_t apart[4] = {size, strides[0], strides[1], strides[2]};
        p->signs.fn(parts, &n, apart, p->signs.data);
        x += n * strides[0];
        y += n * strides[1];
        to += n * strides[2];
    }
}

fg_loop fg_powers_by(const fg_loop *loop, int dtype) {
    static powers kept[2];
    powers *p = &kept[dtype == FG_FLOAT64];
    if ((dtype != FG_FLOAT32 && dtype != FG_FLOAT64) || !loop->fn) return *loop;
    *p = (powers){*loop, fg_kernel_find("signed_power", dtype), dtype == FG_FLOAT64 ? sizeof(double) : sizeof(float)};
    return (fg_loop){run_powers, p, false, false};
}
