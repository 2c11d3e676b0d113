/* scan: running sums and products along an axis, in NumPy's order, and the derivative of the products. */
#include "fg.h"
#include "threads.h"

/* Each element waits for the one before it, so several lines are run side by side: LANES where a line lies in one piece,
 * up to COLUMNS where the next line is the neighbour. */
enum { LANES = 8, COLUMNS = 512 };

/* What is scanned: lines of n elements that are `inner` elements apart. In arrays of `outer` times n times `inner`, line k
 * of outer * inner begins at start_of(k). */
typedef struct scan {
    const void *from, *g, *out;
    void *to;
    intptr_t n, inner;
    bool backwards;
} scan;

static intptr_t start_of(const scan *s, intptr_t line) { return line / s->inner * s->n * s->inner + line % s->inner; }

#define SCAN(name, type, operator)                                                                             \
    static void name##_lanes(const scan *s, intptr_t first, int count) {                                       \
        const intptr_t n = s->n, step = s->backwards ? -1 : 1, start = first * n + (s->backwards ? n - 1 : 0); \
        const type *from = (const type *)s->from + start;                                                      \
        type *to = (type *)s->to + start, total[LANES];                                                        \
        if (count == LANES) {                                                                                  \
            for (int k = 0; k < LANES; k++) to[k * n] = total[k] = from[k * n];                                \
            for (intptr_t i = 1; i < n; i++) {                                                                 \
                from += step, to += step;                                                                      \
                for (int k = 0; k < LANES; k++) to[k * n] = total[k] = total[k] operator from[k * n];          \
            }                                                                                                  \
            return;                                                                                            \
        }                                                                                                      \
        for (int k = 0; k < count; k++) {                                                                      \
            type sum = to[k * n] = from[k * n];                                                                \
            for (intptr_t i = 1; i < n; i++) to[k * n + i * step] = sum = sum operator from[k * n + i * step]; \
        }                                                                                                      \
    }                                                                                                          \
    static void name##_columns(const scan *s, intptr_t first, intptr_t count) {                                \
        const intptr_t step = s->backwards ? -s->inner : s->inner;                                             \
        const intptr_t start = start_of(s, first) + (s->backwards ? (s->n - 1) * s->inner : 0);                \
        const type *from = (const type *)s->from + start;                                                      \
        type *to = (type *)s->to + start;                                                                      \
        for (intptr_t k = 0; k < count; k++) to[k] = from[k];                                                  \
        for (intptr_t i = 1; i < s->n; i++) {                                                                  \
            from += step, to += step;                                                                          \
            for (intptr_t k = 0; k < count; k++) to[k] = to[k - step] operator from[k];                        \
        }                                                                                                      \
    }

/* later[i] = g[i] + x[i + 1] * later[i + 1], all that x[i] reaches; times what stood before it. */
#define PRODUCT_VJP(name, type)                                                                                        \
    static void name##_lanes(const scan *s, intptr_t first, int count) {                                               \
        const intptr_t n = s->n, end = first * n + n - 1;                                                              \
        const type *x = (const type *)s->from + end, *g = (const type *)s->g + end, *out = (const type *)s->out + end; \
        type *to = (type *)s->to + end, later[LANES];                                                                  \
        for (int k = 0; k < count; k++) later[k] = g[k * n];                                                           \
        for (intptr_t i = n - 1; i > 0; i--, x--, g--, out--, to--) {                                                  \
            if (count == LANES) {                                                                                      \
                for (int k = 0; k < LANES; k++) {                                                                      \
                    to[k * n] = out[k * n - 1] * later[k];                                                             \
                    later[k] = x[k * n] * later[k] + g[k * n - 1];                                                     \
                }                                                                                                      \
                continue;                                                                                              \
            }                                                                                                          \
            for (int k = 0; k < count; k++) {                                                                          \
                to[k * n] = out[k * n - 1] * later[k];                                                                 \
                later[k] = x[k * n] * later[k] + g[k * n - 1];                                                         \
            }                                                                                                          \
        }                                                                                                              \
        for (int k = 0; k < count; k++) to[k * n] = later[k];                                                          \
    }                                                                                                                  \
    static void name##_columns(const scan *s, intptr_t first, intptr_t count) {                                        \
        const intptr_t step = s->inner, end = start_of(s, first) + (s->n - 1) * step;                                  \
        const type *x = (const type *)s->from + end, *g = (const type *)s->g + end, *out = (const type *)s->out + end; \
        type *to = (type *)s->to + end, later[COLUMNS];                                                                \
        for (intptr_t k = 0; k < count; k++) later[k] = g[k];                                                          \
        for (intptr_t i = s->n - 1; i > 0; i--, x -= step, g -= step, out -= step, to -= step) {                       \
            for (intptr_t k = 0; k < count; k++) {                                                                     \
                to[k] = out[k - step] * later[k];                                                                      \
                later[k] = x[k] * later[k] + g[k - step];                                                              \
            }                                                                                                          \
        }                                                                                                              \
        for (intptr_t k = 0; k < count; k++) to[k] = later[k];                                                         \
    }

/* Lines [first, last). */
#define OVER_LINES(name)                                                           \
    static void name(void *context, intptr_t first, intptr_t last) {               \
        const scan *s = context;                                                   \
        for (intptr_t count; first < last; first += count) {                       \
            const intptr_t left = last - first, row = s->inner - first % s->inner; \
            count = s->inner == 1 ? LANES : row < COLUMNS ? row : COLUMNS;         \
            count = left < count ? left : count;                                   \
            if (s->inner == 1) {                                                   \
                name##_lanes(s, first, (int)count);                                \
            } else {                                                               \
                name##_columns(s, first, count);                                   \
            }                                                                      \
        }                                                                          \
    }

SCAN(sum_float, float, +)
SCAN(sum_double, double, +)
SCAN(product_float, float, *)
SCAN(product_double, double, *)
PRODUCT_VJP(vjp_float, float)
PRODUCT_VJP(vjp_double, double)
OVER_LINES(sum_float)
OVER_LINES(sum_double)
OVER_LINES(product_float)
OVER_LINES(product_double)
OVER_LINES(vjp_float)
OVER_LINES(vjp_double)

static void run_lines(fg_work work, scan *s, intptr_t lines) {
    const intptr_t enough = FG_GRAIN / s->n + 1; /* for a thread; whole lanes */
    fg_parallel(work, s, lines, (enough + LANES - 1) / LANES * LANES);
}

void fg_scan(bool product, bool backwards, const fg_array *from, fg_array *to, intptr_t n, intptr_t inner) {
    scan s = {from->data, NULL, NULL, to->data, n, inner, backwards};
    const bool single = from->dtype == FG_FLOAT32;
    if (from->size == 0) return;
    run_lines(product ? (single ? product_float : product_double) : (single ? sum_float : sum_double), &s,
              from->size / n);
}

void fg_scan_product_vjp(const fg_array *g, const fg_array *x, const fg_array *out, fg_array *to, intptr_t n,
                         intptr_t inner) {
    scan s = {x->data, g->data, out->data, to->data, n, inner, true};
    if (x->size) run_lines(x->dtype == FG_FLOAT32 ? vjp_float : vjp_double, &s, x->size / n);
}
