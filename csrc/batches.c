/* batches: stacks of matrices, shared out: NumPy's loops over them, and systems of small ones. */
#include "fg.h"
#include "kernels.h"
#include "threads.h"

#include <fenv.h>
#include <math.h>
#include <stdatomic.h>

typedef struct batch_job {
    const void *what;
    _Atomic int failed;
} batch_job;

static void run_batch(void *context, intptr_t first, intptr_t last) {
    batch_job *job = context;
    const fg_batch *b = job->what;
    char *data[FG_BATCH_ARGS];
    intptr_t dims[FG_BATCH_DIMS];
    for (int i = 0; i < FG_BATCH_DIMS; i++) dims[i] = b->dims[i];
    for (int i = 0; i < b->nargs; i++) data[i] = b->data[i] + first * b->strides[i];
    dims[0] = last - first;
    feclearexcept(FE_INVALID);
    b->loop.fn(data, dims, b->strides, b->loop.data);
    if (fetestexcept(FE_INVALID)) atomic_store(&job->failed, 1);
    feclearexcept(FE_INVALID);
}

bool fg_batch_run(const fg_batch *batch, intptr_t grain) {
    batch_job job = {batch, 0};
    fg_parallel(run_batch, &job, batch->dims[0], grain);
    return !job.failed;
}

/* ---------------------------------------------------------------- systems -- */

enum { LANES = 8 /* matrices eliminated side by side: number (row, column) of all of them lies together */ };

#define COPIES(type)                                                                                              \
    /* rows x columns of `some` matrices, the last of them again in the lanes that are left */                    \
    static void read_##type(double *to, intptr_t width, const char *from, const intptr_t *strides, intptr_t rows, \
                            intptr_t columns, intptr_t some) {                                                    \
        for (intptr_t l = 0; l < LANES; l++) {                                                                    \
            const char *const matrix = from + (l < some ? l : some - 1) * strides[0];                             \
            for (intptr_t r = 0; r < rows; r++) {                                                                 \
                for (intptr_t c = 0; c < columns; c++) {                                                          \
                    to[(r * width + c) * LANES + l] = *(const type *)(matrix + r * strides[1] + c * strides[2]);  \
                }                                                                                                 \
            }                                                                                                     \
        }                                                                                                         \
    }                                                                                                             \
    static double write_##type(char *to, const double *from, intptr_t width, intptr_t rows, intptr_t columns,     \
                               intptr_t some, const double *times) {                                              \
        type *x = (type *)to;                                                                                     \
        double sum = 0;                                                                                           \
        for (intptr_t l = 0; l < some; l++) {                                                                     \
            for (intptr_t r = 0; r < rows; r++) {                                                                 \
                for (intptr_t c = 0; c < columns; c++) {                                                          \
                    const double value = from[(r * width + c) * LANES + l] * times[l];                            \
                    sum += value * 0; /* nan, once one of them is not finite */                                   \
                    *x++ = (type)value;                                                                           \
                }                                                                                                 \
            }                                                                                                     \
        }                                                                                                         \
        return sum;                                                                                               \
    }
COPIES(float)
COPIES(double)

/* row -= times * from, of `n` numbers of each lane */
static FG_INLINE void subtract(double *restrict row, const double *restrict from, const double *times, intptr_t n) {
    for (intptr_t j = 0; j < n; j++, row += LANES, from += LANES) {
        for (int l = 0; l < LANES; l++) row[l] -= times[l] * from[l];
    }
}

/* The largest pivot of column c goes to row c. */
static FG_INLINE void exchange(double *m, intptr_t n, intptr_t width, intptr_t c, double *det) {
    double largest[LANES] = {0}, found[LANES];
    for (int l = 0; l < LANES; l++) largest[l] = fabs(m[(c * width + c) * LANES + l]), found[l] = (double)c;
    for (intptr_t r = c + 1; r < n; r++) {
        for (int l = 0; l < LANES; l++) {
            const double size = fabs(m[(r * width + c) * LANES + l]);
            found[l] = size > largest[l] ? (double)r : found[l];
            largest[l] = size > largest[l] ? size : largest[l];
        }
    }
    for (int l = 0; l < LANES; l++) {
        const intptr_t p = (intptr_t)found[l];
        if (p == c) continue;
        det[l] = -det[l];
        for (intptr_t j = c; j < width; j++) {
            double *const one = m + (c * width + j) * LANES + l, *const other = m + (p * width + j) * LANES + l;
            const double kept = *one;
            *one = *other;
            *other = kept;
        }
    }
}

/* Gauss's elimination of n rows, the right-hand sides from column n on, and substitution from the last row on: see
 * ops/_stacks.py, which does the same operations in the same order. Whether no pivot is as small as `least` times
 * another of its matrix. */
FG_TWO_CLONES static bool eliminate(double *m, intptr_t n, intptr_t width, double least, double *det) {
    double scale[FG_SYSTEM][LANES], times[LANES], low[LANES], high[LANES] = {0};
    const intptr_t k = width - n;
    bool well = true;
    for (int l = 0; l < LANES; l++) det[l] = 1, low[l] = INFINITY;
    for (intptr_t c = 0; c < n; c++) {
        double *const pivot = m + (c * width + c) * LANES;
        exchange(m, n, width, c, det);
        for (int l = 0; l < LANES; l++) {
            const double size = fabs(pivot[l]);
            det[l] *= pivot[l];
            scale[c][l] = 1 / pivot[l];
            low[l] = size > low[l] ? low[l] : size; /* nan stays */
            high[l] = size > high[l] ? size : high[l];
        }
        for (intptr_t r = c + 1; r < n; r++) {
            double *const row = m + (r * width + c) * LANES;
            for (int l = 0; l < LANES; l++) times[l] = row[l] * scale[c][l];
            subtract(row + LANES, pivot + LANES, times, width - c - 1);
        }
    }
    for (int l = 0; l < LANES; l++) well &= low[l] > least * high[l];
    for (intptr_t c = n - 1; k && c >= 0; c--) {
        double *const row = m + (c * width + n) * LANES;
        for (intptr_t j = 0; j < k; j++) {
            for (int l = 0; l < LANES; l++) row[j * LANES + l] *= scale[c][l];
        }
        for (intptr_t r = 0; r < c; r++) subtract(m + (r * width + n) * LANES, row, m + (r * width + c) * LANES, k);
    }
    return well;
}

static void solve_range(void *context, intptr_t first, intptr_t last) {
    batch_job *job = context;
    const fg_systems *s = job->what;
    const intptr_t n = s->n, k = s->k, width = n + k, of_one = (k ? n * k : 1) * (s->wide ? 8 : 4);
    double m[2 * FG_SYSTEM * FG_SYSTEM * LANES], det[LANES], ones[LANES], sum = 0;
    bool well = true;
    for (int l = 0; l < LANES; l++) ones[l] = 1;
    for (intptr_t i = first; i < last; i += LANES) {
        const intptr_t some = last - i < LANES ? last - i : LANES;
        void (*const read)(double *, intptr_t, const char *, const intptr_t *, intptr_t, intptr_t, intptr_t) =
            s->wide ? read_double : read_float;
        read(m, width, s->a + i * s->a_strides[0], s->a_strides, n, n, some);
        if (s->b) {
            read(m + n * LANES, width, s->b + i * s->b_strides[0], s->b_strides, n, k, some);
        } else {
            for (intptr_t r = 0; r < n; r++) {
                for (intptr_t c = 0; c < k * LANES; c++) m[(r * width + n) * LANES + c] = r == c / LANES;
            }
        }
        well &= eliminate(m, n, width, s->least, det);
        sum += (s->wide ? write_double : write_float)(s->x + i * of_one, k ? m + n * LANES : det, width, k ? n : 1,
                                                      k ? k : 1, some, k && s->scaled ? det : ones);
    }
    if (!well || sum != 0) atomic_store(&job->failed, 1);
}

bool fg_systems_solve(const fg_systems *systems, intptr_t count) {
    batch_job job = {systems, 0};
    const intptr_t n = systems->n, grain = 1 + 32768 / (n * n * (n + systems->k));
    fg_parallel(solve_range, &job, count, (grain + LANES - 1) / LANES * LANES);
    return !job.failed;
}
