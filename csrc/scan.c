/* scan: running sums, products and extrema along an axis, in NumPy's order, and the derivatives of the last two. */
#include "fg.h"
#include "threads.h"

#include <math.h>
#include <string.h>

/* Each element waits for the one before it, so several lines are run side by side: LANES where a line lies in one piece,
 * up to COLUMNS where the next line is the neighbour. */
enum { LANES = 8, COLUMNS = 512 };

/* What is scanned: lines of n elements that are `inner` elements apart. In arrays of `outer` times n times `inner`, line k
 * of outer * inner begins at start_of(k). */
typedef struct scan {
    const void *from, *g, *out;
    void *to;
    intptr_t n, inner;
    bool backwards, smallest;
    const fg_loop *loop;
    intptr_t itemsize;
} scan;

static intptr_t start_of(const scan *s, intptr_t line) { return line / s->inner * s->n * s->inner + line % s->inner; }

#define PLUS(x, y) ((x) + (y))
#define TIMES(x, y) ((x) * (y))

#define SCAN(name, type, JOIN)                                                                                 \
    static void name##_lanes(const scan *s, intptr_t first, int count) {                                       \
        const intptr_t n = s->n, step = s->backwards ? -1 : 1, start = first * n + (s->backwards ? n - 1 : 0); \
        const type *from = (const type *)s->from + start;                                                      \
        type *to = (type *)s->to + start, total[LANES];                                                        \
        if (count == LANES) {                                                                                  \
            for (int k = 0; k < LANES; k++) to[k * n] = total[k] = from[k * n];                                \
            for (intptr_t i = 1; i < n; i++) {                                                                 \
                from += step, to += step;                                                                      \
                for (int k = 0; k < LANES; k++) to[k * n] = total[k] = JOIN(total[k], from[k * n]);            \
            }                                                                                                  \
            return;                                                                                            \
        }                                                                                                      \
        for (int k = 0; k < count; k++) {                                                                      \
            type sum = to[k * n] = from[k * n];                                                                \
            for (intptr_t i = 1; i < n; i++) to[k * n + i * step] = sum = JOIN(sum, from[k * n + i * step]);   \
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
            for (intptr_t k = 0; k < count; k++) to[k] = JOIN(to[k - step], from[k]);                          \
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

/* Extrema: a nan stays, and of equals the later one is taken. What comes after one was reached goes, backwards, to where
 * it was: where out[i] is x[i], or both are nan. A line has few of them, mostly, so branches are foreseen. */
#define EXTREMA(type)                                                                               \
    static void extrema_##type(void *context, intptr_t first, intptr_t last) {                      \
        const scan *s = context;                                                                    \
        const intptr_t step = s->backwards ? -s->inner : s->inner;                                  \
        for (; first < last; first++) {                                                             \
            const intptr_t start = start_of(s, first) + (s->backwards ? (s->n - 1) * s->inner : 0); \
            const type *from = (const type *)s->from + start, way = s->smallest ? -1 : 1;           \
            type *to = (type *)s->to + start, best = *from * way;                                   \
            type found = *from;                                                                     \
            for (intptr_t i = 0; i < s->n; i++, from += step, to += step) {                         \
                const type x = *from * way;                                                         \
                if (!(best > x || best != best)) best = x, found = *from;                           \
                *to = found;                                                                        \
            }                                                                                       \
        }                                                                                           \
    }                                                                                               \
    static void extrema_vjp_##type(void *context, intptr_t first, intptr_t last) {                  \
        const scan *s = context;                                                                    \
        const type *x = s->from, *g = s->g, *out = s->out;                                          \
        type *to = s->to;                                                                           \
        for (; first < last; first++) {                                                             \
            const intptr_t start = start_of(s, first), step = s->inner, end = start + s->n * step;  \
            double total = 0; /* as NumPy's bincount adds */                                        \
            for (intptr_t i = start, holder = start; i < end; i += step) {                          \
                to[i] = 0;                                                                          \
                if (x[i] == out[i] || x[i] != x[i]) holder = i, total = 0;                          \
                to[holder] = (type)(total += g[i]);                                                 \
            }                                                                                       \
        }                                                                                           \
    }

/* By a loop that is slow enough for its calls not to count. */
static void join_lines(void *context, intptr_t first, intptr_t last) {
    const scan *s = context;
    const intptr_t step = s->inner * s->itemsize, rest = s->n - 1, strides[3] = {step, step, step};
    for (; first < last; first++) {
        const intptr_t start = start_of(s, first) * s->itemsize;
        char *from = (char *)s->from + start, *to = (char *)s->to + start, *args[3] = {to, from + step, to + step};
        memcpy(to, from, (size_t)s->itemsize);
        if (rest) s->loop->fn(args, &rest, strides, s->loop->data);
    }
}

enum { CHUNK = 256 };
#define LEVEL(x) ((x) == -INFINITY ? 0 : (x)) /* where nothing has any weight */

/* later[i] = g[i] + exp(out[i] - out[i + 1]) * later[i + 1], of which x[i] has exp(x[i] - out[i]). */
#define LOGS_VJP(type)                                                                         \
    static void logs_vjp_##type(void *context, intptr_t first, intptr_t last) {                \
        const scan *s = context;                                                               \
        const intptr_t step = s->inner, strides[2] = {sizeof(type), sizeof(type)};             \
        type falls[CHUNK], shares[CHUNK];                                                      \
        for (; first < last; first++) {                                                        \
            const intptr_t start = start_of(s, first);                                         \
            const type *x = (const type *)s->from + start, *g = (const type *)s->g + start;    \
            const type *out = (const type *)s->out + start;                                    \
            type *to = (type *)s->to + start, later = 0, next = LEVEL(out[(s->n - 1) * step]); \
            for (intptr_t end = s->n, count; end > 0; end -= count) {                          \
                count = end < CHUNK ? end : CHUNK;                                             \
                for (intptr_t i = 0, at = (end - 1) * step; i < count; i++, at -= step) {      \
                    const type level = LEVEL(out[at]);                                         \
                    falls[i] = level == INFINITY ? 0 : level - next;                           \
                    if (out[at] == -INFINITY) falls[i] = -INFINITY; /* nothing flows back */   \
                    shares[i] = x[at] - level;                                                 \
                    next = level;                                                              \
                }                                                                              \
                char *of_falls[2] = {(char *)falls, (char *)falls};                            \
                char *of_shares[2] = {(char *)shares, (char *)shares};                         \
                s->loop->fn(of_falls, &count, strides, s->loop->data);                         \
                s->loop->fn(of_shares, &count, strides, s->loop->data);                        \
                for (intptr_t i = 0, at = (end - 1) * step; i < count; i++, at -= step) {      \
                    later = falls[i] * later + g[at];                                          \
                    to[at] = later * shares[i];                                                \
                }                                                                              \
            }                                                                                  \
        }                                                                                      \
    }

LOGS_VJP(float)
LOGS_VJP(double)

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

SCAN(sum_float, float, PLUS)
SCAN(sum_double, double, PLUS)
SCAN(product_float, float, TIMES)
SCAN(product_double, double, TIMES)
EXTREMA(float)
EXTREMA(double)
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

void fg_scan(fg_scan_kind kind, bool backwards, const fg_array *from, fg_array *to, intptr_t n, intptr_t inner) {
    static const fg_work works[][2] = {
        {sum_float, sum_double}, {product_float, product_double}, {extrema_float, extrema_double}};
    scan s = {from->data, NULL, NULL, to->data, n, inner, backwards, kind == FG_SMALLEST, NULL, 0};
    const int which = kind == FG_SMALLEST ? FG_LARGEST : kind;
    if (from->size) run_lines(works[which][from->dtype == FG_FLOAT64], &s, from->size / n);
}

void fg_scan_vjp(fg_scan_kind kind, const fg_array *g, const fg_array *x, const fg_array *out, fg_array *to, intptr_t n,
                 intptr_t inner) {
    static const fg_work works[][2] = {{vjp_float, vjp_double}, {extrema_vjp_float, extrema_vjp_double}};
    scan s = {x->data, g->data, out->data, to->data, n, inner, true, false, NULL, 0};
    if (x->size) run_lines(works[kind != FG_PRODUCTS][x->dtype == FG_FLOAT64], &s, x->size / n);
}

void fg_scan_by(const fg_loop *join, const fg_array *from, fg_array *to, intptr_t n, intptr_t inner) {
    scan s = {from->data, NULL, NULL, to->data, n, inner, false, false, join, (intptr_t)from->itemsize};
    if (from->size) fg_parallel(join_lines, &s, from->size / n, FG_GRAIN / 8 / n + 1);
}

void fg_scan_logs_vjp(const fg_loop *exp, const fg_array *g, const fg_array *x, const fg_array *out, fg_array *to,
                      intptr_t n, intptr_t inner) {
    scan s = {x->data, g->data, out->data, to->data, n, inner, true, false, exp, (intptr_t)x->itemsize};
    if (x->size) run_lines(x->dtype == FG_FLOAT64 ? logs_vjp_double : logs_vjp_float, &s, x->size / n);
}
