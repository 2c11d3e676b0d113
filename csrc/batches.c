/* batches: stacks of matrices, shared out: NumPy's loops over them, and systems of small ones. */
#include "fg.h"
#include "threads.h"

#include <fenv.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

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

static double number(const char *at, bool wide) {
    double x;
    float y;
    if (wide) {
        memcpy(&x, at, sizeof x);
        return x;
    }
    memcpy(&y, at, sizeof y);
    return y;
}

static void put_number(char *at, double x, bool wide) {
    const float y = (float)x;
    memcpy(at, wide ? (const void *)&x : &y, wide ? sizeof x : sizeof y);
}

static void read_matrix(double *to, intptr_t width, const char *from, const intptr_t *strides, intptr_t rows,
                        intptr_t columns, bool wide) {
    for (intptr_t i = 0; i < rows; i++) {
        for (intptr_t j = 0; j < columns; j++) {
            to[i * width + j] = number(from + i * strides[1] + j * strides[2], wide);
        }
    }
}

static void subtract(double *restrict row, const double *restrict pivot, double times, intptr_t n) {
    for (intptr_t j = 0; j < n; j++) row[j] -= times * pivot[j];
}

/* Gauss and Jordan's elimination of the first n columns of n rows, with the largest pivot of each: see ops/_stacks.py,
 * which does the same operations in the same order. The determinant. */
static double eliminate(double *m, intptr_t n, intptr_t width) {
    double det = 1;
    for (intptr_t c = 0; c < n; c++) {
        intptr_t p = c;
        for (intptr_t r = c + 1; r < n; r++) {
            if (fabs(m[r * width + c]) > fabs(m[p * width + c])) p = r;
        }
        double *const pivot = m + c * width + c + 1, scale = 1 / m[p * width + c];
        const intptr_t rest = width - c - 1;
        double swapped[2 * FG_SYSTEM];
        det *= p == c ? m[p * width + c] : -m[p * width + c];
        m[p * width + c] = m[c * width + c];
        memcpy(swapped, m + p * width + c + 1, (size_t)rest * sizeof(double));
        memcpy(m + p * width + c + 1, pivot, (size_t)rest * sizeof(double));
        for (intptr_t j = 0; j < rest; j++) pivot[j] = swapped[j] * scale;
        for (intptr_t r = 0; r < n; r++) {
            if (r != c) subtract(m + r * width + c + 1, pivot, m[r * width + c], rest);
        }
    }
    return det;
}

static void solve_range(void *context, intptr_t first, intptr_t last) {
    batch_job *job = context;
    const fg_systems *s = job->what;
    const intptr_t n = s->n, k = s->k, width = n + k, itemsize = s->wide ? sizeof(double) : sizeof(float);
    double m[2 * FG_SYSTEM * FG_SYSTEM], sum = 0;
    for (intptr_t i = first; i < last; i++) {
        char *x = s->x + i * n * k * itemsize;
        read_matrix(m, width, s->a + i * s->a_strides[0], s->a_strides, n, n, s->wide);
        if (s->b) {
            read_matrix(m + n, width, s->b + i * s->b_strides[0], s->b_strides, n, k, s->wide);
        } else {
            for (intptr_t r = 0; r < n; r++) {
                for (intptr_t c = 0; c < n; c++) m[r * width + n + c] = r == c;
            }
        }
        const double det = eliminate(m, n, width), times = s->scaled ? det : 1;
        for (intptr_t r = 0; r < n; r++) {
            for (intptr_t c = 0; c < k; c++, x += itemsize) {
                const double value = m[r * width + n + c] * times;
                sum += value * 0; /* nan, once one of them is not finite */
                put_number(x, value, s->wide);
            }
        }
    }
    if (sum != 0) atomic_store(&job->failed, 1);
}

bool fg_systems_solve(const fg_systems *systems, intptr_t count) {
    batch_job job = {systems, 0};
    fg_parallel(solve_range, &job, count, 1 + 32768 / (systems->n * systems->n * (systems->n + systems->k)));
    return !job.failed;
}
