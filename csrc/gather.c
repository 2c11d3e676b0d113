/* gather: elements picked by their places, and values added at places. */
#include "fg.h"
#include "threads.h"

#include <string.h>

enum { TILE = 16 }; /* slices that are looked at together, so that whole lines of the cache are used */

static intptr_t least(intptr_t a, intptr_t b) { return a < b ? a : b; }

/* ---------------------------------------------------------------- places -- */

#define JOIN(T)                                                                     \
    for (intptr_t c = 0; c < count; c++) {                                          \
        intptr_t k = (intptr_t)((const T *)numbers)[c * step];                      \
        k += k < 0 ? n : 0;                                                         \
        outside |= (uintptr_t)k >= (uintptr_t)n;                                    \
        places[c] = (intptr_t)((uintptr_t)places[c] * (uintptr_t)n + (uintptr_t)k); \
    }

bool fg_places_join(intptr_t *places, intptr_t count, const void *numbers, int width, intptr_t step, intptr_t n) {
    bool outside = false;
    if (width == 8) {
        JOIN(int64_t)
    } else {
        JOIN(int32_t)
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

#define ADD(T)                                                                                         \
    for (intptr_t tile = o1; tile < o2; tile += TILE) {                                                \
        const intptr_t height = least(TILE, o2 - tile);                                                \
        for (intptr_t c = 0; c < p->count; c++) {                                                      \
            const char *row = s->from + tile * s->strides[0] + c * s->strides[1];                      \
            T *at = (T *)s->into + (tile * p->n + p->places[c]) * p->inner;                            \
            for (intptr_t o = 0; o < height; o++, row += s->strides[0], at += p->n * p->inner) {       \
                if (s->strides[2] == (intptr_t)sizeof(T)) {                                            \
                    for (intptr_t i = i1; i < i2; i++) at[i] += ((const T *)row)[i];                   \
                } else {                                                                               \
                    for (intptr_t i = i1; i < i2; i++) at[i] += *(const T *)(row + i * s->strides[2]); \
                }                                                                                      \
            }                                                                                          \
        }                                                                                              \
    }

/* Everything that is added in slices o1 to o2 and their elements i1 to i2: each place is added to in order. */
static void scatter_window(const scattering *s, intptr_t o1, intptr_t o2, intptr_t i1, intptr_t i2) {
    const fg_picks *p = s->p;
    if (s->dtype == FG_FLOAT32) {
        ADD(float)
    } else {
        ADD(double)
    }
}

static void scatter_slices(void *context, intptr_t first, intptr_t last) {
    const scattering *s = context;
    scatter_window(s, first, last, 0, s->p->inner);
}

static void scatter_columns(void *context, intptr_t first, intptr_t last) {
    const scattering *s = context;
    scatter_window(s, 0, s->p->outer, first, last);
}

void fg_scatter_add(const fg_picks *p, char *into, const char *from, const intptr_t *strides, int dtype) {
    scattering s = {p, into, from, {strides[0], strides[1], strides[2]}, dtype};
    if (p->outer >= p->inner)
        fg_parallel(scatter_slices, &s, p->outer, TILE * (FG_GRAIN / (TILE * p->count * p->inner) + 1));
    else
        fg_parallel(scatter_columns, &s, p->inner, TILE * (FG_GRAIN / (TILE * p->count * p->outer) + 1));
}
