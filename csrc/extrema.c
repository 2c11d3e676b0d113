/* extrema: the derivative of the largest or smallest element of each line. */
#include "fg.h"
#include "threads.h"

enum { COLUMNS = 256 }; /* lines side by side whose ties are counted together */

/* Arrays of `outer` times n times `inner` elements, and those with one for each line. */
typedef struct lines {
    const void *x, *out, *g;
    void *to;
    intptr_t n, inner;
} lines;

/* Among equals g is shared out evenly; they are counted in integers of the same width, as vectors are. Of a line whose
 * extremum is nan nothing equals it, and 0 / 0 is nan too. */
#define EXTREMA(name, type, integer)                                                            \
    static void name##_along(const lines *s, intptr_t line) {                                   \
        const type *x = (const type *)s->x + line * s->n, out = ((const type *)s->out)[line];   \
        type *to = (type *)s->to + line * s->n, number = 0;                                     \
        integer count = 0;                                                                      \
        for (intptr_t i = 0; i < s->n; i++) count += x[i] == out ? 1 : 0;                       \
        number = (type)count;                                                                   \
        const type share = ((const type *)s->g)[line] / number, none = 0 / number;              \
        for (intptr_t i = 0; i < s->n; i++) to[i] = x[i] == out ? share : none;                 \
    }                                                                                           \
    static void name##_across(const lines *s, intptr_t line, intptr_t count) {                  \
        type share[COLUMNS], none[COLUMNS];                                                     \
        const intptr_t inner = s->inner, start = line / inner * s->n * inner + line % inner;    \
        const type *out = (const type *)s->out + line, *x = (const type *)s->x + start;         \
        type *to = (type *)s->to + start;                                                       \
        for (intptr_t k = 0; k < count; k++) none[k] = 0;                                       \
        for (intptr_t i = 0; i < s->n; i++, x += inner) {                                       \
            for (intptr_t k = 0; k < count; k++) none[k] += x[k] == out[k] ? (type)1 : (type)0; \
        }                                                                                       \
        for (intptr_t k = 0; k < count; k++) {                                                  \
            share[k] = ((const type *)s->g)[line + k] / none[k];                                \
            none[k] = 0 / none[k];                                                              \
        }                                                                                       \
        x = (const type *)s->x + start;                                                         \
        for (intptr_t i = 0; i < s->n; i++, x += inner, to += inner) {                          \
            for (intptr_t k = 0; k < count; k++) to[k] = x[k] == out[k] ? share[k] : none[k];   \
        }                                                                                       \
    }                                                                                           \
    static void name(void *context, intptr_t first, intptr_t last) {                            \
        const lines *s = context;                                                               \
        for (intptr_t count = 1; first < last; first += count) {                                \
            if (s->inner == 1) {                                                                \
                name##_along(s, first);                                                         \
                continue;                                                                       \
            }                                                                                   \
            const intptr_t left = last - first, row = s->inner - first % s->inner;              \
            count = row < COLUMNS ? row : COLUMNS;                                              \
            count = left < count ? left : count;                                                \
            name##_across(s, first, count);                                                     \
        }                                                                                       \
    }

EXTREMA(of_float, float, int32_t)
EXTREMA(of_double, double, int64_t)

void fg_extrema_vjp(const fg_array *x, const fg_array *out, const fg_array *g, fg_array *to, intptr_t n,
                    intptr_t inner) {
    lines s = {x->data, out->data, g->data, to->data, n, inner};
    const intptr_t grain = FG_GRAIN / n + 1; /* lines that are worth a thread; whole cache lines */
    const intptr_t whole = inner == 1 ? 1 : 64;
    fg_parallel(x->dtype == FG_FLOAT32 ? of_float : of_double, &s, x->size / n, (grain + whole - 1) / whole * whole);
}
