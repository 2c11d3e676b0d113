/* products: of long lines, and of all the other elements of a line. */
#include "threads.h"
#include "walk.h"

#include <string.h>

enum {
    LONG_LINE = 512,         /* elements after which it pays to look whether the product has come to zero */
    PART_BYTES = 512 * 1024, /* what some columns may take of the L2 cache */
    FEWEST_COLUMNS = 64,
    MOST_COLUMNS = 512,
    SHARE = FG_GRAIN / 2, /* elements that are worth a thread */
};

/* Note [Products that come to zero]
 * A product that has become zero by underflow stays zero, whatever finite number follows, and only its sign has to be
 * found: of most long lines one end decides. So it is with what is before and what is after each element: where
 * the two products have both come to zero before they meet, all the products of the others are zero. */
#define PRODUCTS(type, bits, sign_bit, exponent)                                                                     \
    /* Whether all are finite; *signs: bit `sign_bit` is set where an odd number is negative. */                     \
    static bool finite_##type(const type *x, intptr_t n, bits *signs) {                                              \
        bits odd = 0, bad = 0;                                                                                       \
        for (intptr_t i = 0; i < n; i++) {                                                                           \
            bits u;                                                                                                  \
            memcpy(&u, x + i, sizeof u);                                                                             \
            odd ^= u;                                                                                                \
            bad |= (bits)((u & exponent) == exponent);                                                               \
        }                                                                                                            \
        *signs = odd & sign_bit;                                                                                     \
        return !bad;                                                                                                 \
    }                                                                                                                \
    static type signed_zero_##type(bits sign) {                                                                      \
        type zero;                                                                                                   \
        sign &= sign_bit;                                                                                            \
        memcpy(&zero, &sign, sizeof zero);                                                                           \
        return zero;                                                                                                 \
    }                                                                                                                \
    static type product_##type(const type *x, intptr_t n) {                                                          \
        type p = x[0];                                                                                               \
        bool looks = true;                                                                                           \
        for (intptr_t i = 1; i < n;) {                                                                               \
            const intptr_t end = n - i < LONG_LINE ? n : i + LONG_LINE;                                              \
            bits signs, sign = 0;                                                                                    \
            for (; i < end; i++) p *= x[i];                                                                          \
            if (p != 0 || i == n || !looks) continue;                                                                \
            looks = finite_##type(x + i, n - i, &signs);                                                             \
            if (!looks) continue;                                                                                    \
            memcpy(&sign, &p, sizeof sign);                                                                          \
            return signed_zero_##type(sign ^ signs);                                                                 \
        }                                                                                                            \
        return p;                                                                                                    \
    }                                                                                                                \
    static void four_products_##type(type *to, const type *x, intptr_t n) {                                          \
        type a = x[0], b = x[n], c = x[2 * n], d = x[3 * n];                                                         \
        for (intptr_t i = 1; i < n; i++) {                                                                           \
            a *= x[i];                                                                                               \
            b *= x[n + i];                                                                                           \
            c *= x[2 * n + i];                                                                                       \
            d *= x[3 * n + i];                                                                                       \
        }                                                                                                            \
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;                                                                  \
    }                                                                                                                \
    /* Whether all the products of the others are zero, which are then written, times g. */                          \
    static bool others_zero_##type(const type *x, type g, type *to, intptr_t n) {                                    \
        type p = 1, q = 1;                                                                                           \
        intptr_t left = 0, right = n;                                                                                \
        bits signs;                                                                                                  \
        while (left < n && p != 0) p *= x[left++];                                                                   \
        if (p != 0) return false;                                                                                    \
        while (right > left && q != 0) q *= x[--right];                                                              \
        if (q != 0 || !finite_##type(x, n, &signs)) return false;                                                    \
        for (intptr_t i = 0; i < n; i++) {                                                                           \
            bits u;                                                                                                  \
            memcpy(&u, x + i, sizeof u);                                                                             \
            to[i] = g * signed_zero_##type(u ^ signs);                                                               \
        }                                                                                                            \
        return true;                                                                                                 \
    }                                                                                                                \
    static void others_##type(const type *x, type g, type *to, intptr_t n) {                                         \
        type p = 1, q = 1;                                                                                           \
        if (n > LONG_LINE && others_zero_##type(x, g, to, n)) return;                                                \
        for (intptr_t i = 0; i < n; i++) {                                                                           \
            to[i] = p;                                                                                               \
            p *= x[i];                                                                                               \
        }                                                                                                            \
        for (intptr_t i = n - 1; i >= 0; i--) {                                                                      \
            to[i] = g * (to[i] * q);                                                                                 \
            q *= x[i];                                                                                               \
        }                                                                                                            \
    }                                                                                                                \
    static void four_others_##type(const type *x, const type *g, type *to, intptr_t n) {                             \
        type p[4] = {1, 1, 1, 1}, q[4] = {1, 1, 1, 1};                                                               \
        for (intptr_t i = 0; i < n; i++) {                                                                           \
            for (int k = 0; k < 4; k++) {                                                                            \
                to[k * n + i] = p[k];                                                                                \
                p[k] *= x[k * n + i];                                                                                \
            }                                                                                                        \
        }                                                                                                            \
        for (intptr_t i = n - 1; i >= 0; i--) {                                                                      \
            for (int k = 0; k < 4; k++) {                                                                            \
                to[k * n + i] = g[k] * (to[k * n + i] * q[k]);                                                       \
                q[k] *= x[k * n + i];                                                                                \
            }                                                                                                        \
        }                                                                                                            \
    }                                                                                                                \
    static void columns_##type(const type *x, const type *g, type *to, intptr_t n, intptr_t inner, intptr_t count) { \
        type run[MOST_COLUMNS];                                                                                      \
        for (intptr_t k = 0; k < count; k++) run[k] = 1;                                                             \
        for (intptr_t i = 0; i < n; i++) {                                                                           \
            for (intptr_t k = 0; k < count; k++) {                                                                   \
                to[i * inner + k] = run[k];                                                                          \
                run[k] *= x[i * inner + k];                                                                          \
            }                                                                                                        \
        }                                                                                                            \
        for (intptr_t k = 0; k < count; k++) run[k] = 1;                                                             \
        for (intptr_t i = n - 1; i >= 0; i--) {                                                                      \
            for (intptr_t k = 0; k < count; k++) {                                                                   \
                to[i * inner + k] = g[k] * (to[i * inner + k] * run[k]);                                             \
                run[k] *= x[i * inner + k];                                                                          \
            }                                                                                                        \
        }                                                                                                            \
    }                                                                                                                \
    static void products_##type(type *to, const type *x, intptr_t lines, intptr_t n) {                               \
        intptr_t i = 0;                                                                                              \
        for (; i + 4 <= lines; i += 4) four_products_##type(to + i, x + i * n, n);                                   \
        for (; i < lines; i++) to[i] = product_##type(x + i * n, n);                                                 \
    }                                                                                                                \
    static void others_of_lines_##type(const type *x, const type *g, type *to, intptr_t lines, intptr_t n) {         \
        intptr_t i = 0;                                                                                              \
        for (; n <= FG_GRAIN && i + 4 <= lines; i += 4) four_others_##type(x + i * n, g + i, to + i * n, n);         \
        for (; i < lines; i++) others_##type(x + i * n, g[i], to + i * n, n);                                        \
    }

PRODUCTS(float, uint32_t, UINT32_C(0x80000000), UINT32_C(0x7f800000))
PRODUCTS(double, uint64_t, UINT64_C(0x8000000000000000), UINT64_C(0x7ff0000000000000))

void fg_products(void *to, const void *from, intptr_t lines, intptr_t n, intptr_t itemsize) {
    if (itemsize == 4)
        products_float(to, from, lines, n);
    else
        products_double(to, from, lines, n);
}

/* What the threads share. */
typedef struct job {
    const char *x, *g;
    char *to;
    intptr_t n, inner, columns, size;
} job;

static void run_lines(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    const intptr_t at = first * j->n * j->size;
    const void *x = j->x + at, *g = j->g + first * j->size;
    void *to = j->to + at;
    if (j->size == 4)
        others_of_lines_float(x, g, to, last - first, j->n);
    else
        others_of_lines_double(x, g, to, last - first, j->n);
}

static void run_columns(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    const intptr_t parts = (j->inner + j->columns - 1) / j->columns;
    for (; first < last; first++) {
        const intptr_t column = first % parts * j->columns, left = j->inner - column;
        const intptr_t at = (first / parts * j->n * j->inner + column) * j->size,
                       count = left < j->columns ? left : j->columns;
        const void *x = j->x + at, *g = j->g + (first / parts * j->inner + column) * j->size;
        void *to = j->to + at;
        if (j->size == 4)
            columns_float(x, g, to, j->n, j->inner, count);
        else
            columns_double(x, g, to, j->n, j->inner, count);
    }
}

void fg_products_of_others(fg_array *x, fg_array *g, fg_array *result, intptr_t outer, intptr_t n, intptr_t inner) {
    job j = {x->data, g->data, result->data, n, inner, inner, x->itemsize};
    if (inner == 1) {
        fg_parallel(run_lines, &j, outer, 4 * (SHARE / n / 4 + 1));
        return;
    }
    intptr_t columns = PART_BYTES / (2 * n * j.size) & ~(intptr_t)(FEWEST_COLUMNS - 1);
    columns = columns < FEWEST_COLUMNS ? FEWEST_COLUMNS : columns < MOST_COLUMNS ? columns : MOST_COLUMNS;
    j.columns = columns < inner ? columns : inner;
    fg_parallel(run_columns, &j, outer * ((inner + j.columns - 1) / j.columns), SHARE / (n * j.columns) + 1);
}
