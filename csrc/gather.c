/* gather: elements picked by their places, and values added at places. */
#include "fg.h"
#include "threads.h"

#include <stdatomic.h>
#include <string.h>

enum { TILE = 16 }; /* slices that are looked at together, so that whole lines of the cache are used */

static intptr_t least(intptr_t a, intptr_t b) { return a < b ? a : b; }

/* ---------------------------------------------------------------- places -- */

typedef struct joining {
    intptr_t *places;
    const void *numbers;
    int width;
    intptr_t step, n;
    bool more; /* places hold something already */
    atomic_bool outside;
} joining;

#define JOIN(T)                                                                                            \
    for (intptr_t c = first; c < last; c++) {                                                              \
        intptr_t k = (intptr_t)((const T *)j->numbers)[c * j->step];                                       \
        k += k < 0 ? j->n : 0;                                                                             \
        outside |= (uintptr_t)k >= (uintptr_t)j->n;                                                        \
        j->places[c] = j->more ? (intptr_t)((uintptr_t)j->places[c] * (uintptr_t)j->n + (uintptr_t)k) : k; \
    }

static void join_range(void *context, intptr_t first, intptr_t last) {
    joining *j = context;
    bool outside = false;
    if (j->width == 8) {
        JOIN(int64_t)
    } else {
        JOIN(int32_t)
    }
    if (outside) atomic_store(&j->outside, true);
}

bool fg_places_join(intptr_t *places, intptr_t count, const void *numbers, int width, intptr_t step, intptr_t n,
                    bool more) {
    joining j = {places, numbers, width, step, n, more, false};
    fg_parallel(join_range, &j, count, FG_GRAIN);
    return !atomic_load(&j.outside);
}

#define BELOW(T) \
    for (intptr_t c = 0; c < count; c++) outside |= (uintptr_t)(intptr_t)((const T *)numbers)[c] >= (uintptr_t)n;

bool fg_all_below(const void *numbers, int width, intptr_t count, intptr_t n) {
    bool outside = false;
    if (width == 8) {
        BELOW(int64_t)
    } else {
        BELOW(int32_t)
    }
    return !outside;
}

intptr_t fg_mask_count(const uint8_t *mask, intptr_t n) {
    intptr_t count = 0;
    for (intptr_t i = 0; i < n; i++) count += mask[i] != 0;
    return count;
}

void fg_mask_places(intptr_t *places, intptr_t count, const uint8_t *mask) {
    for (intptr_t i = 0, c = 0; c < count; i++) {
        places[c] = i; /* the next one takes it over where this one is not picked */
        c += mask[i] != 0;
    }
}

/* ---------------------------------------------------------------- picking -- */

typedef struct gathering {
    const fg_picks *p;
    char *into;
    const char *from;
    intptr_t bytes; /* of one slice */
} gathering;

static inline void gather_slices(const gathering *g, intptr_t first, intptr_t last, intptr_t bytes) {
    const fg_picks *p = g->p;
    if (p->outer == 1) {
        const intptr_t *places = p->places;
        const char *from = g->from;
        char *to = g->into;
        for (intptr_t c = first; c < last; c++) memcpy(to + c * bytes, from + places[c] * bytes, (size_t)bytes);
        return;
    }
    for (intptr_t tile = 0; tile < p->outer; tile += TILE) {
        const intptr_t height = least(TILE, p->outer - tile);
        for (intptr_t c = first; c < last; c++) {
            char *to = g->into + (c * p->outer + tile) * bytes;
            const char *at = g->from + (tile * p->n + p->places[c]) * bytes;
            for (intptr_t o = 0; o < height; o++) memcpy(to + o * bytes, at + o * p->n * bytes, (size_t)bytes);
        }
    }
}

/* What the places from `first` on pick. */
static void gather_range(void *context, intptr_t first, intptr_t last) {
    const gathering *g = context;
    switch (g->bytes) { /* a known size makes a move of the copy */
    case 1:
        gather_slices(g, first, last, 1);
        break;
    case 4:
        gather_slices(g, first, last, 4);
        break;
    case 8:
        gather_slices(g, first, last, 8);
        break;
    case 16:
        gather_slices(g, first, last, 16);
        break;
    default:
        gather_slices(g, first, last, g->bytes);
    }
}

void fg_gather(const fg_picks *p, char *into, const char *from, intptr_t itemsize) {
    gathering g = {p, into, from, p->inner * itemsize};
    fg_parallel(gather_range, &g, p->count, FG_GRAIN / (p->outer * p->inner) + 1);
}

/* ---------------------------------------------------------------- adding -- */

typedef struct scattering {
    const fg_picks *p;
    char *into;
    const char *from;
    intptr_t strides[3];
    int dtype;
} scattering;

#define ADD(T)                                                                                              \
    for (intptr_t tile = first; tile < last; tile += TILE) {                                                \
        const intptr_t height = least(TILE, last - tile);                                                   \
        for (intptr_t c = 0; c < p->count; c++) {                                                           \
            const char *row = s->from + tile * s->strides[0] + c * s->strides[1];                           \
            T *at = (T *)s->into + (tile * p->n + p->places[c]) * p->inner;                                 \
            for (intptr_t o = 0; o < height; o++, row += s->strides[0], at += p->n * p->inner) {            \
                if (s->strides[2] == (intptr_t)sizeof(T)) {                                                 \
                    for (intptr_t i = 0; i < p->inner; i++) at[i] += ((const T *)row)[i];                   \
                } else {                                                                                    \
                    for (intptr_t i = 0; i < p->inner; i++) at[i] += *(const T *)(row + i * s->strides[2]); \
                }                                                                                           \
            }                                                                                               \
        }                                                                                                   \
    }

/* What is added in some of the outer parts: at each place in order. */
static void scatter_range(void *context, intptr_t first, intptr_t last) {
    const scattering *s = context;
    const fg_picks *p = s->p;
    if (s->dtype == FG_FLOAT32) {
        ADD(float)
    } else {
        ADD(double)
    }
}

/* Without parts that lie apart one thread does it: what is added to would go from one to the other's cache. */
void fg_scatter_add(const fg_picks *p, char *into, const char *from, const intptr_t *strides, int dtype) {
    scattering s = {p, into, from, {strides[0], strides[1], strides[2]}, dtype};
    fg_parallel(scatter_range, &s, p->outer, TILE * (FG_GRAIN / (TILE * p->count * p->inner) + 1));
}

/* ---------------------------------------------------------------- along an axis -- */

typedef struct along {
    const fg_along *p;
    const void *from;
    void *to;
    atomic_bool outside;
} along;

/* Number `at` in k, or 0 if there is no such place. */
#define PLACE(at)                          \
    intptr_t k = (intptr_t)p->numbers[at]; \
    k += k < 0 ? p->n : 0;                 \
    if ((uintptr_t)k >= (uintptr_t)p->n) k = 0, bad = true;

/* What rows `first` to `last` - 1, of `inner` numbers each, pick; and what some of the outer parts, or of the columns of
 * a single one, are given: rows in order. */
#define ALONG(T)                                                                                                    \
    static inline void take_each_##T(along *a, intptr_t first, intptr_t last, intptr_t inner) {                     \
        const fg_along *p = a->p;                                                                                   \
        const T *from = (const T *)a->from + first / p->length * p->n * inner;                                      \
        T *to = a->to;                                                                                              \
        bool bad = false;                                                                                           \
        for (intptr_t row = first, end; row < last; row = end, from += p->n * inner) {                              \
            end = least((row / p->length + 1) * p->length, last);                                                   \
            for (intptr_t c = row * inner; c < end * inner;) {                                                      \
                for (intptr_t i = 0; i < inner; i++, c++) {                                                         \
                    PLACE(c)                                                                                        \
                    to[c] = from[k * inner + i];                                                                    \
                }                                                                                                   \
            }                                                                                                       \
        }                                                                                                           \
        if (bad) atomic_store(&a->outside, true);                                                                   \
    }                                                                                                               \
    static void take_##T(void *context, intptr_t first, intptr_t last) {                                            \
        along *a = context;                                                                                         \
        if (a->p->inner == 1) {                                                                                     \
            take_each_##T(a, first, last, 1); /* a known number makes one loop of two */                            \
        } else {                                                                                                    \
            take_each_##T(a, first, last, a->p->inner);                                                             \
        }                                                                                                           \
    }                                                                                                               \
    static inline void give_each_##T(along *a, intptr_t o, intptr_t i1, intptr_t i2, intptr_t inner) {              \
        const fg_along *p = a->p;                                                                                   \
        T *to = (T *)a->to + o * p->n * inner;                                                                      \
        bool bad = false;                                                                                           \
        for (intptr_t row = o * p->length; row < (o + 1) * p->length; row++) {                                      \
            const T *from = (const T *)a->from + row * inner;                                                       \
            for (intptr_t i = i1; i < i2; i++) {                                                                    \
                PLACE(row * inner + i)                                                                              \
                to[k * inner + i] += from[i];                                                                       \
            }                                                                                                       \
        }                                                                                                           \
        if (bad) atomic_store(&a->outside, true);                                                                   \
    }                                                                                                               \
    static void give_##T(void *context, intptr_t first, intptr_t last) {                                            \
        along *a = context;                                                                                         \
        const intptr_t inner = a->p->inner, n = a->p->n;                                                            \
        T *to = a->to;                                                                                              \
        if (a->p->outer == 1 && inner > 1) {                                                                        \
            for (intptr_t k = 0; k < n; k++) memset(to + k * inner + first, 0, (size_t)(last - first) * sizeof(T)); \
            give_each_##T(a, 0, first, last, inner);                                                                \
            return;                                                                                                 \
        }                                                                                                           \
        for (intptr_t o = first; o < last; o++) {                                                                   \
            memset(to + o * n * inner, 0, (size_t)(n * inner) * sizeof(T));                                         \
            if (inner == 1) {                                                                                       \
                give_each_##T(a, o, 0, 1, 1);                                                                       \
            } else {                                                                                                \
                give_each_##T(a, o, 0, inner, inner);                                                               \
            }                                                                                                       \
        }                                                                                                           \
    }

ALONG(float)
ALONG(double)

bool fg_take_along(const fg_along *p, void *to, const void *from, int dtype) {
    along a = {p, from, to, false};
    fg_parallel(dtype == FG_FLOAT32 ? take_float : take_double, &a, p->outer * p->length, FG_GRAIN / p->inner + 1);
    return !atomic_load(&a.outside);
}

bool fg_give_along(const fg_along *p, void *to, const void *from, int dtype) {
    along a = {p, from, to, false};
    const intptr_t lines = p->outer == 1 && p->inner > 1 ? p->inner : p->outer;
    const intptr_t each = p->outer * p->inner * (p->n + p->length) / lines; /* elements, both sides */
    fg_parallel(dtype == FG_FLOAT32 ? give_float : give_double, &a, lines, TILE * (FG_GRAIN / (TILE * each) + 1));
    return !atomic_load(&a.outside);
}
