/* kernels: the inner loops that NumPy has not, and moving elements about. */
#include "kernels.h"
#include "walk.h"

#include <string.h>

/* ---------------------------------------------------------------- where -- */

/* One loop for each itemsize; elements are only moved, never interpreted. No branch on the mask, which would be guessed
 * wrong half of the time; and loops of known strides, which compilers turn into vector instructions. */
#define WHERE_LOOP(name, type, mix)                                                                  \
    static inline void name##_strided(char **args, intptr_t n, const intptr_t sm, const intptr_t sy, \
                                      const intptr_t sn, const intptr_t st) {                        \
        const char *mask = args[0], *yes = args[1], *no = args[2];                                   \
        char *to = args[3];                                                                          \
        for (intptr_t i = 0; i < n; i++) {                                                           \
            const type a = *(const type *)(yes + i * sy), b = *(const type *)(no + i * sn);          \
            *(type *)(to + i * st) = mix(type, mask[i * sm] != 0, a, b);                             \
        }                                                                                            \
    }                                                                                                \
    static void name(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {       \
        const intptr_t n = dims[0], sy = strides[1], sn = strides[2], size = sizeof(type);           \
        (void)data;                                                                                  \
        if (strides[0] != 1 || strides[3] != size || (sy && sy != size) || (sn && sn != size))       \
            name##_strided(args, n, strides[0], sy, sn, strides[3]);                                 \
        else if (sy && sn)                                                                           \
            name##_strided(args, n, 1, size, size, size);                                            \
        else if (sy)                                                                                 \
            name##_strided(args, n, 1, size, 0, size);                                               \
        else                                                                                         \
            name##_strided(args, n, 1, 0, sn ? size : 0, size);                                      \
    }

typedef struct pair {
    uint64_t a, b;
} pair;

/* All bits set where `chosen` is 1, none where it is 0. */
#define ALL_BITS(type, chosen) ((type)(0 - (type)(chosen)))
#define MIX(type, chosen, a, b) ((type)(((a) & ALL_BITS(type, chosen)) | ((b) & (type)~ALL_BITS(type, chosen))))
#define MIX_PAIR(type, chosen, x, y) ((type){MIX(uint64_t, chosen, (x).a, (y).a), MIX(uint64_t, chosen, (x).b, (y).b)})

WHERE_LOOP(where_1, uint8_t, MIX)
WHERE_LOOP(where_2, uint16_t, MIX)
WHERE_LOOP(where_4, uint32_t, MIX)
WHERE_LOOP(where_8, uint64_t, MIX)
WHERE_LOOP(where_16, pair, MIX_PAIR)

/* Bytes of NumPy's native types by type number; 0 for those that have no fixed size or hold references. */
static size_t native_itemsize(int dtype) {
    static const uint8_t sizes[] = {
        1,
        1,
        1,
        2,
        2,
        sizeof(int),
        sizeof(int),
        sizeof(long),
        sizeof(long),
        8,
        8, /* bool .. ulonglong */
        4,
        8,
        sizeof(long double),
        8,
        16,
        2 * sizeof(long double), /* float .. clongdouble */
        0,
        0,
        0,
        0,
        8,
        8,
        2, /* datetime, timedelta, half */
    };
    return dtype >= 0 && dtype < (int)(sizeof sizes / sizeof *sizes) ? sizes[dtype] : 0;
}

static fg_loop_fn where_loop(int dtype) {
    switch (native_itemsize(dtype)) {
    case 1:
        return where_1;
    case 2:
        return where_2;
    case 4:
        return where_4;
    case 8:
        return where_8;
    case 16:
        return where_16;
    default:
        return NULL;
    }
}

fg_loop fg_kernel_find(const char *name, int dtype) {
    if (strcmp(name, "where") == 0) return (fg_loop){where_loop(dtype), NULL, false, true};
    return fg_curve_find(name, dtype);
}

/* ---------------------------------------------------------------- moving -- */

/* What the threads share of one copy. */
typedef struct job {
    fg_array *to;
    const char *from;
    size_t itemsize;
    const fg_walk *walk; /* of one that is not flat */
    int axis;            /* of the walk, along which it is cut */
} job;

static void copy_flat(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    const size_t size = j->itemsize, skip = (size_t)first * size;
    memcpy(j->to->data + skip, j->from + skip, (size_t)(last - first) * size);
}

/* Where the innermost axis of `to` is not that of `from`, put the latter next to it, for both to be walked at once. */
static bool turn_axes(fg_walk *w) {
    int best = 0;
    for (int i = 1; i < w->ndim; i++) {
        const intptr_t stride = fg_magnitude(w->strides[i][1]);
        if (stride && stride < fg_magnitude(w->strides[best][1])) best = i;
    }
    if (best == 0) return false;
    const intptr_t n = w->shape[best], to = w->strides[best][0], from = w->strides[best][1];
    w->shape[best] = w->shape[1];
    memcpy(w->strides[best], w->strides[1], 2 * sizeof(intptr_t));
    w->shape[1] = n;
    w->strides[1][0] = to;
    w->strides[1][1] = from;
    w->group = 2;
    return true;
}

static void copy_walk(fg_walk *w, size_t itemsize) {
    if (turn_axes(w)) {
        const intptr_t *i = w->strides[0], *j = w->strides[1];
        do {
            fg_turn(w->at[0], i[0], j[0], w->at[1], i[1], j[1], w->shape[0], w->shape[1], itemsize);
        } while (fg_walk_next(w));
        return;
    }
    do {
        fg_move(w->at[0], w->strides[0][0], w->at[1], w->strides[0][1], w->run, itemsize);
    } while (fg_walk_next(w));
}

static void copy_part(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    fg_walk w;
    fg_walk_cut(&w, j->walk, j->axis, first, last);
    copy_walk(&w, j->itemsize);
}

void fg_copy(fg_array *to, fg_array *from) {
    fg_array *args[2] = {to, from};
    fg_walk w;
    intptr_t grain;
    if (to->size == 0) return;
    job j = {to, from->data, to->itemsize, &w, 0};
    if ((to->flags & from->flags & FG_CONTIGUOUS) && to->size == from->size) {
        fg_parallel(copy_flat, &j, to->size, 2 * FG_GRAIN);
        return;
    }
    fg_walk_begin(&w, 2, args, 0, 0, 1);
    if (to->size < 2 * FG_GRAIN) {
        copy_walk(&w, to->itemsize);
    } else {
        j.axis = fg_walk_split(&w, &grain);
        fg_parallel(copy_part, &j, w.shape[j.axis], grain);
    }
}

static void fill_walk(fg_walk *w, const char *value, size_t itemsize) {
    do {
        fg_move(w->at[0], w->strides[0][0], value, 0, w->run, itemsize);
    } while (fg_walk_next(w));
}

static void fill_part(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    fg_walk w;
    fg_walk_cut(&w, j->walk, j->axis, first, last);
    fill_walk(&w, j->from, j->itemsize);
}

void fg_fill(fg_array *a, const void *value) {
    fg_walk w;
    intptr_t grain;
    if (a->size == 0) return;
    fg_walk_begin(&w, 1, &a, 0, 0, 1);
    if (a->size < 2 * FG_GRAIN) {
        fill_walk(&w, value, a->itemsize);
    } else {
        job j = {a, value, a->itemsize, &w, fg_walk_split(&w, &grain)};
        fg_parallel(fill_part, &j, w.shape[j.axis], grain);
    }
}

/* What the threads share of one call of fg_triangle. */
typedef struct triangle {
    const char *from;
    char *to;
    intptr_t rows, columns, k;
    size_t itemsize;
    bool lower;
} triangle;

static void copy_triangle(void *context, intptr_t first, intptr_t last) {
    const triangle *t = context;
    const size_t row = (size_t)t->columns * t->itemsize;
    for (intptr_t i = first; i < last; i++) {
        const intptr_t along = i % t->rows + t->k + t->lower; /* the first element beyond the lower triangle */
        const intptr_t cut = along < 0 ? 0 : along < t->columns ? along : t->columns;
        const size_t before = (size_t)cut * t->itemsize, kept = t->lower ? 0 : before;
        const size_t bytes = t->lower ? before : row - before;
        char *to = t->to + (size_t)i * row;
        memcpy(to + kept, t->from + (size_t)i * row + kept, bytes);
        memset(to + (t->lower ? before : 0), 0, row - bytes);
    }
}

void fg_triangle(const fg_array *from, fg_array *to, intptr_t k, bool lower) {
    const intptr_t *shape = from->dims + from->ndim - 2;
    triangle t = {from->data, to->data, shape[0], shape[1], k, from->itemsize, lower};
    if (from->size) fg_parallel(copy_triangle, &t, from->size / t.columns, 2 * FG_GRAIN / t.columns + 1);
}
