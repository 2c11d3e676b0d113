/* resample: images of another size, each axis multiplied by a sparse matrix of weights. */
#include "fg.h"
#include "kernels.h"
#include "threads.h"

#include <stdatomic.h>
#include <string.h>

/* One axis of some planes, seen as (outer, n, inner): `row` sums rows of `inner` elements, `lines` single elements, of
 * which each sum has `each` (-1: differently many). */
#define DEFINE_SUMS(T, suffix)                                                                                    \
    FG_CLONES static void row_##suffix(T *restrict to, const T *from, const intptr_t *places, const T *weights,   \
                                       intptr_t count, intptr_t inner) {                                          \
        const T *a = from + (count ? places[0] * inner : 0), *b = from + (count > 1 ? places[1] * inner : 0);     \
        if (count == 0) memset(to, 0, (size_t)inner * sizeof(T));                                                 \
        if (count == 1)                                                                                           \
            for (intptr_t i = 0; i < inner; i++) to[i] = a[i] * weights[0];                                       \
        if (count > 1)                                                                                            \
            for (intptr_t i = 0; i < inner; i++) to[i] = a[i] * weights[0] + b[i] * weights[1];                   \
        for (intptr_t k = 2; k < count; k++) {                                                                    \
            a = from + places[k] * inner;                                                                         \
            for (intptr_t i = 0; i < inner; i++) to[i] = to[i] + a[i] * weights[k];                               \
        }                                                                                                         \
    }                                                                                                             \
    static FG_INLINE void lines_##suffix(const fg_taps *t, T *to, const T *from, intptr_t outer, intptr_t each) { \
        const T *weights = t->weights;                                                                            \
        for (intptr_t o = 0; o < outer; o++, from += t->n, to += t->m) {                                          \
            for (intptr_t i = 0; i < t->m; i++) {                                                                 \
                const intptr_t start = each < 0 ? t->starts[i] : i * each;                                        \
                const intptr_t end = each < 0 ? t->starts[i + 1] : start + each;                                  \
                T total = start < end ? from[t->places[start]] * weights[start] : 0;                              \
                for (intptr_t k = start + 1; k < end; k++) total = total + from[t->places[k]] * weights[k];       \
                to[i] = total;                                                                                    \
            }                                                                                                     \
        }                                                                                                         \
    }                                                                                                             \
    static void axis_##suffix(const fg_taps *t, T *to, const T *from, intptr_t outer, intptr_t inner) {           \
        if (inner == 1 && t->each == 1) {                                                                         \
            lines_##suffix(t, to, from, outer, 1);                                                                \
        } else if (inner == 1 && t->each == 2) {                                                                  \
            lines_##suffix(t, to, from, outer, 2);                                                                \
        } else if (inner == 1) {                                                                                  \
            lines_##suffix(t, to, from, outer, -1);                                                               \
        } else {                                                                                                  \
            for (intptr_t o = 0; o < outer; o++, from += t->n * inner) {                                          \
                for (intptr_t i = 0; i < t->m; i++, to += inner)                                                  \
                    row_##suffix(to, from, t->places + t->starts[i], (const T *)t->weights + t->starts[i],        \
                                 t->starts[i + 1] - t->starts[i], inner);                                         \
            }                                                                                                     \
        }                                                                                                         \
    }

DEFINE_SUMS(float, float32)
DEFINE_SUMS(double, float64)

/* One pass over a plane for each axis that changes. */
typedef struct pass {
    const fg_taps *taps;
    intptr_t outer, inner;
} pass;

typedef struct resampling {
    pass passes[FG_IMAGE_AXES];
    int count;
    intptr_t before, after, room[2], itemsize; /* elements of a plane, and of what is in between */
    const char *x;
    char *y;
    atomic_bool failed;
} resampling;

static void add_pass(resampling *r, const fg_taps *maps, intptr_t *sizes, int axis) {
    pass *p = &r->passes[r->count];
    p->taps = &maps[axis];
    p->outer = p->inner = 1;
    for (int i = 0; i < FG_IMAGE_AXES; i++) {
        if (i < axis) p->outer *= sizes[i];
        if (i > axis) p->inner *= sizes[i];
    }
    sizes[axis] = p->taps->m;
    r->after = p->outer * p->taps->m * p->inner;
    if (r->room[r->count & 1] < r->after) r->room[r->count & 1] = r->after;
    r->count++;
}

/* Axes that become shorter come first, from the first on; then the others, from the last on: so that there is little in
 * between, and few single elements. */
static void plan(resampling *r, const fg_taps *maps, const intptr_t *given) {
    intptr_t sizes[FG_IMAGE_AXES];
    r->before = 1;
    for (int i = 0; i < FG_IMAGE_AXES; i++) r->before *= sizes[i] = given[i];
    r->after = r->before;
    for (int i = 0; i < FG_IMAGE_AXES; i++) {
        if (maps[i].starts && maps[i].m < maps[i].n) add_pass(r, maps, sizes, i);
    }
    for (int i = FG_IMAGE_AXES - 1; i >= 0; i--) {
        if (maps[i].starts && maps[i].m >= maps[i].n) add_pass(r, maps, sizes, i);
    }
}

static void run_planes(void *context, intptr_t first, intptr_t last) {
    resampling *r = context;
    char *between[2] = {NULL, NULL};
    for (int i = 0; i < 2 && i + 1 < r->count; i++) {
        if (!(between[i] = fg_block_alloc((size_t)(r->room[i] * r->itemsize)))) atomic_store(&r->failed, true);
    }
    for (intptr_t n = first; n < last && !atomic_load(&r->failed); n++) {
        const char *from = r->x + n * r->before * r->itemsize;
        for (int i = 0; i < r->count; i++) {
            const pass *p = &r->passes[i];
            char *to = i + 1 < r->count ? between[i & 1] : r->y + n * r->after * r->itemsize;
            if (r->itemsize == sizeof(float))
                axis_float32(p->taps, (float *)(void *)to, (const float *)(const void *)from, p->outer, p->inner);
            else
                axis_float64(p->taps, (double *)(void *)to, (const double *)(const void *)from, p->outer, p->inner);
            from = to;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (between[i]) fg_block_free(between[i]);
    }
}

fg_status fg_resample(const fg_taps *maps, const intptr_t *sizes, intptr_t planes, const char *x, char *y,
                      intptr_t itemsize) {
    resampling r = {.x = x, .y = y, .itemsize = itemsize};
    plan(&r, maps, sizes);
    fg_parallel(run_planes, &r, planes, 1 + FG_GRAIN / (r.before + r.after + 1));
    return atomic_load(&r.failed) ? FG_NOMEM : FG_OK;
}
