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

typedef struct along {
    intptr_t *places;
    const void *numbers;
    int width;
    intptr_t length, n, inner;
    atomic_bool outside;
} along;

#define ALONG(T)                                                                                     \
    for (intptr_t c = first; c < last; c++) {                                                        \
        for (intptr_t i = 0, at = c * a->inner; i < a->inner; i++, at++) {                           \
            intptr_t k = (intptr_t)((const T *)a->numbers)[at];                                      \
            k += k < 0 ? a->n : 0;                                                                   \
            outside |= (uintptr_t)k >= (uintptr_t)a->n;                                              \
            a->places[at] = (intptr_t)(((uintptr_t)start + (uintptr_t)k) * (uintptr_t)a->inner) + i; \
        }                                                                                            \
        if (++l == a->length) l = 0, start += a->n;                                                  \
    }

/* Rows of `inner` numbers. */
static void along_range(void *context, intptr_t first, intptr_t last) {
    along *a = context;
    bool outside = false;
    intptr_t l = first % a->length, start = first / a->length * a->n;
    if (a->width == 8) {
        ALONG(int64_t)
    } else {
        ALONG(int32_t)
    }
    if (outside) atomic_store(&a->outside, true);
}

bool fg_places_along(intptr_t *places, const void *numbers, int width, intptr_t length, intptr_t outer, intptr_t n,
                     intptr_t inner) {
    along a = {places, numbers, width, length, n, inner, false};
    fg_parallel(along_range, &a, outer * length, FG_GRAIN / inner + 1);
    return !atomic_load(&a.outside);
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

/* Single elements: of lines that lie apart those of some of the outer parts, or of some columns. */
#define ADD_LINES(T)                                                                   \
    for (intptr_t l = l1; l < l2; l++) {                                               \
        for (intptr_t i = i1, c = l * p->along_inner + i1; i < i2; i++, c++)           \
            ((T *)s->into)[p->places[c]] += *(const T *)(s->from + c * s->strides[1]); \
    }

static void scatter_lines(void *context, intptr_t first, intptr_t last) {
    const scattering *s = context;
    const fg_picks *p = s->p;
    const bool across = p->along_inner > 1;
    const intptr_t rows = p->count / p->along_inner, each = rows / p->along_outer;
    const intptr_t l1 = across ? 0 : first * each, l2 = across ? rows : last * each;
    const intptr_t i1 = across ? first : 0, i2 = across ? last : 1;
    if (s->dtype == FG_FLOAT32) {
        ADD_LINES(float)
    } else {
        ADD_LINES(double)
    }
}

/* Without parts or lines that lie apart one thread does it: what is added to would go from one to the other's cache. */
void fg_scatter_add(const fg_picks *p, char *into, const char *from, const intptr_t *strides, int dtype) {
    scattering s = {p, into, from, {strides[0], strides[1], strides[2]}, dtype};
    if (p->outer == 1 && p->inner == 1) {
        const intptr_t lines = p->along_inner > 1 ? p->along_inner : p->along_outer;
        fg_parallel(scatter_lines, &s, lines, TILE * (FG_GRAIN / (TILE * (p->count / lines + 1)) + 1));
    } else {
        fg_parallel(scatter_range, &s, p->outer, TILE * (FG_GRAIN / (TILE * p->count * p->inner) + 1));
    }
}
