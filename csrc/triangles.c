/* triangles: systems of small lower triangular matrices; ops/_triangles.py makes larger ones of them. */
#include "fg.h"
#include "kernels.h"
#include "threads.h"

enum { COLUMNS = 64 /* of the right-hand sides at a time: with all rows they stay in the L1 cache */ };

/* Each element has its products taken away one by one, from the first row on. Of one column all the rows below are
 * served in turn, of which none waits for another; of more, a row is read and written once for four above it. */
#define TRIANGLES(type)                                                                                         \
    static FG_INLINE type *at_##type(char *x, intptr_t stride, intptr_t i) { return (type *)(x + i * stride); } \
    static FG_INLINE type of_##type(const char *t, intptr_t stride, intptr_t i) {                               \
        return *(const type *)(t + i * stride);                                                                 \
    }                                                                                                           \
                                                                                                                \
    static void column_##type(const fg_triangles *s, const char *t, const char *scale, char *x) {               \
        const intptr_t by = s->x_strides[1], down = s->t_strides[1];                                            \
        for (intptr_t i = 0; i < s->n; i++, t += down + s->t_strides[2]) {                                      \
            const type p = *at_##type(x, by, i) *= of_##type(scale, s->scale_strides[1], i);                    \
            for (intptr_t r = i + 1; r < s->n; r++) *at_##type(x, by, r) -= of_##type(t, down, r - i) * p;      \
        }                                                                                                       \
    }                                                                                                           \
    static void rows_##type(const fg_triangles *s, const char *t, const char *scale, char *x, intptr_t k) {     \
        const intptr_t by = s->x_strides[1], right = s->t_strides[2];                                           \
        if (k == 1) {                                                                                           \
            column_##type(s, t, scale, x);                                                                      \
            return;                                                                                             \
        }                                                                                                       \
        for (intptr_t r = 0; r < s->n; r++, t += s->t_strides[1]) {                                             \
            type *const restrict to = at_##type(x, by, r);                                                      \
            const type times = of_##type(scale, s->scale_strides[1], r);                                        \
            intptr_t i = 0;                                                                                     \
            for (; i + 4 <= r; i += 4) {                                                                        \
                const type *p = at_##type(x, by, i), *q = at_##type(x, by, i + 1);                              \
                const type *u = at_##type(x, by, i + 2), *v = at_##type(x, by, i + 3);                          \
                const type a = of_##type(t, right, i), b = of_##type(t, right, i + 1);                          \
                const type c = of_##type(t, right, i + 2), d = of_##type(t, right, i + 3);                      \
                FG_INDEPENDENT                                                                                  \
                for (intptr_t j = 0; j < k; j++) to[j] = to[j] - a * p[j] - b * q[j] - c * u[j] - d * v[j];     \
            }                                                                                                   \
            for (; i < r; i++) {                                                                                \
                const type *p = at_##type(x, by, i), a = of_##type(t, right, i);                                \
                FG_INDEPENDENT                                                                                  \
                for (intptr_t j = 0; j < k; j++) to[j] -= a * p[j];                                             \
            }                                                                                                   \
            for (intptr_t j = 0; j < k; j++) to[j] *= times;                                                    \
        }                                                                                                       \
    }                                                                                                           \
    /* Of complex numbers, whose parts lie side by side. */                                                     \
    static FG_INLINE void take_##type(type *to, const type *a, const type *p) {                                 \
        const type re = a[0] * p[0] - a[1] * p[1], im = a[0] * p[1] + a[1] * p[0];                              \
        to[0] -= re;                                                                                            \
        to[1] -= im;                                                                                            \
    }                                                                                                           \
    static void pairs_##type(const fg_triangles *s, const char *t, const char *scale, char *x, intptr_t k) {    \
        const intptr_t by = s->x_strides[1];                                                                    \
        for (intptr_t i = 0; i < s->n; i++, t += s->t_strides[2], scale += s->scale_strides[1]) {               \
            type *const restrict from = at_##type(x, by, i);                                                    \
            const type re = ((const type *)scale)[0], im = ((const type *)scale)[1];                            \
            for (intptr_t j = 0; j < 2 * k; j += 2) {                                                           \
                const type was = from[j];                                                                       \
                from[j] = re * was - im * from[j + 1];                                                          \
                from[j + 1] = re * from[j + 1] + im * was;                                                      \
            }                                                                                                   \
            for (intptr_t r = i + 1; r < s->n; r++) {                                                           \
                type *const restrict to = at_##type(x, by, r);                                                  \
                const type *a = (const type *)(t + r * s->t_strides[1]), c[2] = {a[0], a[1]};                   \
                FG_INDEPENDENT                                                                                  \
                for (intptr_t j = 0; j < 2 * k; j += 2) take_##type(to + j, c, from + j);                       \
            }                                                                                                   \
        }                                                                                                       \
    }

TRIANGLES(float)
TRIANGLES(double)

static void solve_range(void *context, intptr_t first, intptr_t last) {
    static void (*const rows[])(const fg_triangles *, const char *, const char *, char *,
                                intptr_t) = {rows_float, rows_double, pairs_float, pairs_double};
    const fg_triangles *s = context;
    const intptr_t parts = (s->k + COLUMNS - 1) / COLUMNS, itemsize = (s->wide ? 8 : 4) << s->pairs;
    for (intptr_t i = first; i < last; i++) {
        const intptr_t matrix = i / parts, column = i % parts * COLUMNS, left = s->k - column;
        rows[s->wide + 2 * s->pairs](s, s->t + matrix * s->t_strides[0], s->scale + matrix * s->scale_strides[0],
                                     s->x + matrix * s->x_strides[0] + column * itemsize,
                                     left < COLUMNS ? left : COLUMNS);
    }
}

void fg_triangles_solve(const fg_triangles *triangles, intptr_t count) {
    const intptr_t parts = (triangles->k + COLUMNS - 1) / COLUMNS;
    const intptr_t each = triangles->n * triangles->n * (triangles->k < COLUMNS ? triangles->k : COLUMNS) / 2;
    fg_parallel(solve_range, (void *)triangles, count * parts, 1 + 4 * FG_GRAIN / (each + 1));
}
