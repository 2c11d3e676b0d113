/* images: convolutions as products of matrices whose columns are windows, and maxima of windows. */
#include "fg.h"
#include "kernels.h"
#include "threads.h"

#include <stdatomic.h>
#include <string.h>

enum { LAST = FG_IMAGE_AXES - 1 };

static intptr_t product_of(const intptr_t *sizes) {
    intptr_t product = 1;
    for (int i = 0; i < FG_IMAGE_AXES; i++) product *= sizes[i];
    return product;
}

/* ---------------------------------------------------------------- windows -- */

/* A run of windows along the last axis: those from `first` to `end` - 1 read elements of the image, from `at` on. */
typedef struct run {
    intptr_t first, end, at;
} run;

static run run_inside(const fg_images *f, intptr_t offset) {
    const intptr_t step = f->stride[LAST], count = f->counts[LAST],
                   begin = offset * f->dilation[LAST] - f->before[LAST];
    run r = {begin < 0 ? (-begin + step - 1) / step : 0, 0, 0};
    const intptr_t room = f->sizes[LAST] - 1 - begin; /* of the last window that fits */
    r.end = room < 0 ? 0 : room / step + 1;
    if (r.end > count) r.end = count;
    if (r.first > r.end) r.first = r.end;
    r.at = begin + r.first * step;
    return r;
}

/* Where along axis `i` a window reads, or -1: outside. */
static intptr_t place(const fg_images *f, int i, intptr_t window, intptr_t offset) {
    const intptr_t at = window * f->stride[i] + offset * f->dilation[i] - f->before[i];
    return at >= 0 && at < f->sizes[i] ? at : -1;
}

/* Most runs are short: a call would cost more than the copy. */
static FG_INLINE void copy_run(void *to, const void *from, size_t bytes) {
    char *a = to;
    const char *b = from;
    if (bytes > 256) {
        memcpy(a, b, bytes);
    } else if (bytes >= 32) {
        for (size_t i = 0; i + 32 < bytes; i += 32) memcpy(a + i, b + i, 32);
        memcpy(a + bytes - 32, b + bytes - 32, 32);
    } else if (bytes >= 16) {
        memcpy(a, b, 16);
        memcpy(a + bytes - 16, b + bytes - 16, 16);
    } else {
        for (size_t i = 0; i < bytes; i += 4) memcpy(a + i, b + i, 4);
    }
}

/* One row of the matrix: what one element of every window of one channel's images reads, or where it is added. */
#define DEFINE_ROWS(T, suffix)                                                                                              \
    static FG_INLINE void read_run_##suffix(const fg_images *f, T *row, const T *image, run r) {                            \
        const intptr_t step = f->stride[LAST], n = r.end - r.first;                                                         \
        for (intptr_t i = 0; i < r.first; i++) row[i] = 0;                                                                  \
        if (step == 1)                                                                                                      \
            copy_run(row + r.first, image + r.at, (size_t)n * sizeof(T));                                                   \
        else                                                                                                                \
            for (intptr_t i = 0; i < n; i++) row[r.first + i] = image[r.at + i * step];                                     \
        for (intptr_t i = r.end; i < f->counts[LAST]; i++) row[i] = 0;                                                      \
    }                                                                                                                       \
    static FG_INLINE void add_run_##suffix(const fg_images *f, const T *restrict row, T *restrict image, run r) {           \
        const intptr_t step = f->stride[LAST], n = r.end - r.first;                                                         \
        T *to = image + r.at;                                                                                               \
        row += r.first;                                                                                                     \
        if (step == 1)                                                                                                      \
            for (intptr_t i = 0; i < n; i++) to[i] = to[i] + row[i];                                                        \
        else                                                                                                                \
            for (intptr_t i = 0; i < n; i++) to[i * step] = to[i * step] + row[i];                                          \
    }                                                                                                                       \
    static FG_INLINE void row_##suffix(const fg_images *f, T *row, T *image, const intptr_t *offset, bool adds) {           \
        const run r = run_inside(f, offset[LAST]);                                                                          \
        const intptr_t width = f->counts[LAST];                                                                             \
        for (intptr_t i = 0; i < f->counts[0]; i++) {                                                                       \
            const intptr_t plane = place(f, 0, i, offset[0]);                                                               \
            for (intptr_t j = 0; j < f->counts[1]; j++, row += width) {                                                     \
                const intptr_t line = plane < 0 ? -1 : place(f, 1, j, offset[1]);                                           \
                if (line < 0) {                                                                                             \
                    if (!adds) memset(row, 0, (size_t)width * sizeof(T));                                                   \
                    continue;                                                                                               \
                }                                                                                                           \
                T *at = image + (plane * f->sizes[1] + line) * f->sizes[LAST];                                              \
                if (adds)                                                                                                   \
                    add_run_##suffix(f, row, at, r);                                                                        \
                else                                                                                                        \
                    read_run_##suffix(f, row, at, r);                                                                       \
            }                                                                                                               \
        }                                                                                                                   \
    }                                                                                                                       \
    /* All rows of some channels: `columns` is (channels, kernel, examples, counts), images (examples, channels, sizes). */ \
    FG_CLONES static void channels_##suffix(const fg_images *f, char *columns, char *images, intptr_t examples,             \
                                            intptr_t first, intptr_t last, bool adds) {                                     \
        const intptr_t size = product_of(f->sizes), windows = product_of(f->counts), steps = product_of(f->kernel);         \
        for (intptr_t c = first; c < last; c++) {                                                                           \
            intptr_t offset[FG_IMAGE_AXES] = {0};                                                                           \
            for (intptr_t k = 0; k < steps; k++) {                                                                          \
                T *row = (T *)(void *)columns + (c * steps + k) * examples * windows;                                       \
                for (intptr_t n = 0; n < examples; n++)                                                                     \
                    row_##suffix(f, row + n * windows, (T *)(void *)images + (n * f->channels + c) * size, offset,          \
                                 adds);                                                                                     \
                for (int i = LAST; i >= 0 && ++offset[i] == f->kernel[i]; i--) offset[i] = 0;                               \
            }                                                                                                               \
        }                                                                                                                   \
    }

DEFINE_ROWS(float, float32)
DEFINE_ROWS(double, float64)

typedef struct job {
    const fg_images *f;
    char *columns, *images;
    intptr_t examples;
    bool adds;
} job;

static void run_channels(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    if (j->f->itemsize == sizeof(float))
        channels_float32(j->f, j->columns, j->images, j->examples, first, last, j->adds);
    else
        channels_float64(j->f, j->columns, j->images, j->examples, first, last, j->adds);
}

static void windows(const fg_images *f, char *columns, char *images, intptr_t examples, bool adds) {
    job j = {f, columns, images, examples, adds};
    const intptr_t each = product_of(f->kernel) * product_of(f->counts) * examples;
    fg_parallel(run_channels, &j, f->channels, 1 + FG_GRAIN / (each + 1));
}

/* ---------------------------------------------------------------- products -- */

/* Matrices, one for each group: where the first begins, and how far apart groups, rows and columns are. */
typedef struct matrices {
    char *at;
    intptr_t group, row, column;
} matrices;

static matrices turned(matrices a) { return (matrices){a.at, a.group, a.column, a.row}; }

/* (groups, m, k) times (groups, k, n) by the loop of matmul. */
static void multiply(const fg_images *f, matrices a, matrices b, matrices r, intptr_t m, intptr_t k, intptr_t n) {
    const intptr_t dims[4] = {f->groups, m, k, n};
    char *args[3] = {a.at, b.at, r.at};
    const intptr_t strides[9] = {a.group, b.group, r.group, a.row, a.column, b.row, b.column, r.row, r.column};
    f->matmul.fn(args, dims, strides, f->matmul.data);
}

/* Results (examples, outputs, windows) as a matrix (outputs, examples, windows), or the other way round. */
static void turn(const fg_images *f, char *matrix, char *results, intptr_t examples, bool back) {
    const size_t bytes = (size_t)(product_of(f->counts) * f->itemsize);
    for (intptr_t o = 0; o < f->outputs; o++) {
        for (intptr_t n = 0; n < examples; n++) {
            char *row = matrix + (size_t)(o * examples + n) * bytes,
                 *at = results + (size_t)(n * f->outputs + o) * bytes;
            if (back)
                memcpy(at, row, bytes);
            else
                memcpy(row, at, bytes);
        }
    }
}

/* Whether the images are the matrix of their windows. */
static bool pointwise(const fg_images *f) {
    for (int i = 0; i < FG_IMAGE_AXES; i++) {
        if (f->kernel[i] != 1 || f->stride[i] != 1 || f->before[i] != 0 || f->counts[i] != f->sizes[i]) return false;
    }
    return f->piece == 1;
}

typedef struct buffers {
    char *columns, *matrix;
} buffers;

static void end(buffers *b) {
    if (b->columns) fg_block_free(b->columns);
    if (b->matrix) fg_block_free(b->matrix);
}

static bool begin(const fg_images *f, buffers *b) {
    const intptr_t each = product_of(f->box) * f->piece * f->itemsize;
    const bool whole = pointwise(f);
    b->columns = b->matrix = NULL;
    if (!whole && !(b->columns = fg_block_alloc((size_t)(f->channels * product_of(f->kernel) * each)))) return false;
    if (f->piece > 1 && !(b->matrix = fg_block_alloc((size_t)(f->outputs * each)))) {
        end(b);
        return false;
    }
    return true;
}

enum {
    ALONE = 1 << 18,       /* multiplications up to which BLAS keeps to one thread */
    PARTS_BYTES = 1 << 22, /* of kernels that are summed afterwards */
};

/* One convolution. Pieces may be done in any order: some examples, or a box of windows of one, but where they are added
 * to images, which boxes share, all boxes of an example. */
typedef struct convolution {
    const fg_images *f;
    fg_convolution_kind kind;
    char *x, *w, *y, *parts;                       /* of parts of the kernels, one for each piece */
    intptr_t m, k, wide, boxes, part_bytes, first; /* the number of the first piece */
    atomic_bool failed;
} convolution;

/* The windows of one box, as if there were no others. Which of the example's windows is its first? */
static intptr_t boxed(const fg_images *f, intptr_t number, fg_images *t) {
    intptr_t start[FG_IMAGE_AXES], flat = 0;
    *t = *f;
    for (int i = LAST; i >= 0; i--) {
        const intptr_t along = (f->counts[i] + f->box[i] - 1) / f->box[i],
                       left = f->counts[i] - number % along * f->box[i];
        start[i] = f->counts[i] - left;
        t->counts[i] = left < f->box[i] ? left : f->box[i];
        t->before[i] = f->before[i] - start[i] * f->stride[i];
        number /= along;
    }
    for (int i = 0; i < FG_IMAGE_AXES; i++) flat = flat * f->counts[i] + start[i];
    return flat;
}

static void run_box(const convolution *c, const buffers *b, intptr_t group, intptr_t box) {
    fg_images t;
    const intptr_t item = c->f->itemsize, flat = boxed(c->f, box, &t);
    const intptr_t first = group * t.piece, left = t.examples - first, count = left < t.piece ? left : t.piece;
    const intptr_t n = count * product_of(t.counts), apart = count > 1 ? n : c->wide; /* of rows of results */
    char *images = c->x + first * t.channels * product_of(t.sizes) * item;
    char *results = c->y + (first * t.outputs * c->wide + flat) * item, *matrix = count > 1 ? b->matrix : results;
    const matrices w = {c->w, c->m * c->k * item, c->k * item, item};
    const matrices y = {matrix, c->m * apart * item, apart * item, item};
    const matrices columns = b->columns ? (matrices){b->columns, c->k * n * item, n * item, item}
                                        : (matrices){images + flat * item, c->k * c->wide * item, c->wide * item, item};
    if (c->kind != FG_INTO_RESULTS && count > 1) turn(&t, matrix, results, count, false);
    if (c->kind != FG_INTO_IMAGES && b->columns) windows(&t, b->columns, images, count, false);
    if (c->kind == FG_INTO_KERNELS) {
        matrices part = w;
        part.at = c->parts + (group * c->boxes + box - c->first) * c->part_bytes;
        multiply(&t, y, turned(columns), part, c->m, n, c->k);
    } else if (c->kind == FG_INTO_RESULTS) {
        multiply(&t, w, columns, y, c->m, c->k, n);
        if (count > 1) turn(&t, matrix, results, count, true);
    } else {
        multiply(&t, turned(w), y, columns, c->k, c->m, n);
        if (!b->columns) return;
        if (box == 0) memset(images, 0, (size_t)(count * t.channels * product_of(t.sizes) * item));
        windows(&t, b->columns, images, count, true);
    }
}

static void run_pieces(void *context, intptr_t first, intptr_t last) {
    convolution *c = context;
    buffers b;
    if (!begin(c->f, &b)) {
        atomic_store(&c->failed, true);
        return;
    }
    for (intptr_t i = c->first + first; i < c->first + last; i++) {
        if (c->kind != FG_INTO_IMAGES) run_box(c, &b, i / c->boxes, i % c->boxes);
        for (intptr_t box = 0; c->kind == FG_INTO_IMAGES && box < c->boxes; box++) run_box(c, &b, i, box);
    }
    end(&b);
}

static void add_part(const convolution *c) {
    const intptr_t n = c->part_bytes / c->f->itemsize;
    if (c->f->itemsize == sizeof(float)) {
        float *to = (float *)(void *)c->w, *part = (float *)(void *)c->parts;
        for (intptr_t i = 0; i < n; i++) to[i] += part[i];
    } else {
        double *to = (double *)(void *)c->w, *part = (double *)(void *)c->parts;
        for (intptr_t i = 0; i < n; i++) to[i] += part[i];
    }
}

/* Pieces in turns of `together`, whose parts of the kernels are then added up in their order. */
static void run_turns(convolution *c, intptr_t pieces, intptr_t together, intptr_t grain) {
    char *const parts = c->parts;
    memset(c->w, 0, (size_t)c->part_bytes);
    for (c->first = 0; c->first < pieces && !atomic_load(&c->failed); c->first += together) {
        const intptr_t count = pieces - c->first < together ? pieces - c->first : together;
        fg_parallel(run_pieces, c, count, grain);
        for (intptr_t i = 0; i < count; i++, c->parts += c->part_bytes) add_part(c);
        c->parts = parts;
    }
}

fg_status fg_convolve(const fg_images *given, fg_convolution_kind kind, char *x, char *w, char *y) {
    fg_images images = *given;
    const fg_images *f = &images;
    if (pointwise(f) && kind != FG_INTO_KERNELS) memcpy(images.box, f->counts, sizeof images.box);
    const intptr_t m = f->outputs / f->groups, k = f->channels / f->groups * product_of(f->kernel);
    const intptr_t part = f->outputs * k * f->itemsize, columns = product_of(f->box) * f->piece;
    convolution c = {f, kind, x, w, y, NULL, m, k, product_of(f->counts), 1, part, 0, false};
    for (int i = 0; i < FG_IMAGE_AXES; i++) c.boxes *= (f->counts[i] + f->box[i] - 1) / f->box[i];
    const intptr_t groups = (f->examples + f->piece - 1) / f->piece;
    const intptr_t pieces = kind == FG_INTO_IMAGES ? groups : groups * c.boxes;
    const intptr_t each = k * columns * f->groups * (kind == FG_INTO_IMAGES ? c.boxes : 1);
    const intptr_t grain = m * k * columns <= ALONE ? 1 + FG_GRAIN / each : pieces;
    if (kind != FG_INTO_KERNELS) {
        fg_parallel(run_pieces, &c, pieces, grain);
    } else {
        const intptr_t room = PARTS_BYTES / part, together = grain == pieces || room < 1 ? 1 : room;
        if (!(c.parts = fg_block_alloc((size_t)(part * (together < pieces ? together : pieces))))) return FG_NOMEM;
        run_turns(&c, pieces, together, grain);
        fg_block_free(c.parts);
    }
    return atomic_load(&c.failed) ? FG_NOMEM : FG_OK;
}

/* ---------------------------------------------------------------- maxima of windows -- */

enum { CHUNK = 256, WIDE = 8, PLACES = 64 }; /* windows of a line at a time, and in one step; elements of a window */

/* The elements of a window, in C order: how far from its first they are, and which windows of a line have them. */
typedef struct places {
    intptr_t count, away[PLACES], offset[PLACES][2];
    run runs[PLACES];
} places;

static bool find_places(const fg_images *f, places *p) {
    intptr_t offset[FG_IMAGE_AXES] = {0};
    p->count = product_of(f->kernel);
    if (p->count > PLACES) return false;
    for (intptr_t k = 0; k < p->count; k++) {
        const intptr_t line = offset[0] * f->dilation[0] * f->sizes[1] + offset[1] * f->dilation[1];
        p->away[k] = line * f->sizes[LAST] + offset[LAST] * f->dilation[LAST];
        p->offset[k][0] = offset[0];
        p->offset[k][1] = offset[1];
        p->runs[k] = run_inside(f, offset[LAST]);
        for (int i = LAST; i >= 0 && ++offset[i] == f->kernel[i]; i--) offset[i] = 0;
    }
    return true;
}

/* Of windows next to each other: the largest element so far, and its number in the window; -1: none yet. Of equals the
 * first is taken, of several nan the last. `at` is the first element of the first window, which may lie outside. */
#define DEFINE_MAXIMA(T, suffix)                                                                                      \
    static FG_INLINE void look_##suffix(const T *restrict at, T *restrict best, int32_t *restrict found, intptr_t n,  \
                                        intptr_t step, int32_t number) {                                              \
        for (intptr_t i = 0; i < n; i++) {                                                                            \
            const T value = at[i * step];                                                                             \
            const bool taken = (found[i] < 0) | (value > best[i]) | (value != value);                                 \
            best[i] = taken ? value : best[i];                                                                        \
            found[i] = taken ? number : found[i];                                                                     \
        }                                                                                                             \
    }                                                                                                                 \
    static FG_INLINE void maxima_##suffix(const fg_images *f, const places *p, const T *image, const T *end,          \
                                          intptr_t start, const intptr_t *window, intptr_t first, intptr_t last,      \
                                          T *best, int32_t *found) {                                                  \
        const intptr_t step = f->stride[LAST];                                                                        \
        for (intptr_t i = 0; i < last - first + WIDE; i++) {                                                          \
            found[i] = -1;                                                                                            \
            best[i] = 0;                                                                                              \
        }                                                                                                             \
        for (int32_t number = 0; number < (int32_t)p->count; number++) {                                              \
            const run r = p->runs[number];                                                                            \
            const intptr_t from = r.first > first ? r.first : first, n = (r.end < last ? r.end : last) - from;        \
            if (n <= 0 || place(f, 0, window[0], p->offset[number][0]) < 0 ||                                         \
                place(f, 1, window[1], p->offset[number][1]) < 0)                                                     \
                continue;                                                                                             \
            const T *at = image + (start + p->away[number] + from * step);                                            \
            intptr_t all =                                                                                            \
                (n + WIDE - 2) / WIDE * WIDE + 1; /* what comes after the line's end is looked at for nothing */      \
            if (from + n < last || (all - 1) * step >= end - at) all = n;                                             \
            if (step == 1)                                                                                            \
                look_##suffix(at, best + from - first, found + from - first, all, 1, number);                         \
            else if (step == 2)                                                                                       \
                look_##suffix(at, best + from - first, found + from - first, all, 2, number);                         \
            else                                                                                                      \
                look_##suffix(at, best + from - first, found + from - first, all, step, number);                      \
        }                                                                                                             \
    }                                                                                                                 \
    /* With `out` the maxima themselves (never -0: it is as large as 0), with `dx` what g adds where they are. */     \
    FG_CLONES static bool planes_##suffix(const fg_images *f, const places *p, const T *x, T *out, const T *g, T *dx, \
                                          intptr_t first, intptr_t last, bool apart) {                                \
        const intptr_t size = product_of(f->sizes), width = f->counts[LAST], step = f->stride[LAST];                  \
        T best[CHUNK + WIDE];                                                                                         \
        int32_t found[CHUNK + WIDE];                                                                                  \
        intptr_t at = first * product_of(f->counts);                                                                  \
        if (dx) memset(dx + first * size, 0, (size_t)((last - first) * size) * sizeof(T));                            \
        for (intptr_t n = first; n < last; n++) {                                                                     \
            for (intptr_t i = 0; i < f->counts[0] * f->counts[1]; i++, at += width) {                                 \
                const intptr_t window[2] = {i / f->counts[1], i % f->counts[1]};                                      \
                const intptr_t plane = window[0] * f->stride[0] - f->before[0];                                       \
                const intptr_t line = plane * f->sizes[1] + window[1] * f->stride[1] - f->before[1];                  \
                const intptr_t start = line * f->sizes[LAST] - f->before[LAST];                                       \
                for (intptr_t j = 0; j < width; j += CHUNK) {                                                         \
                    const intptr_t stop = j + CHUNK < width ? j + CHUNK : width;                                      \
                    maxima_##suffix(f, p, x + n * size, x + f->examples * size, start, window, j, stop, best, found); \
                    for (intptr_t k = j; k < stop; k++) {                                                             \
                        if (found[k - j] < 0) return false;                                                           \
                        if (out) {                                                                                    \
                            out[at + k] = best[k - j] + 0;                                                            \
                            continue;                                                                                 \
                        }                                                                                             \
                        T *to = dx + (n * size + start + p->away[found[k - j]] + k * step);                           \
                        *to = apart ? g[at + k] : *to + g[at + k];                                                    \
                    }                                                                                                 \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        return true;                                                                                                  \
    }

DEFINE_MAXIMA(float, float32)
DEFINE_MAXIMA(double, float64)

typedef struct maxima_job {
    const fg_images *f;
    const places *p;
    const void *x, *g;
    void *out, *dx;
    bool apart;
    atomic_bool failed;
} maxima_job;

static void run_planes(void *context, intptr_t first, intptr_t last) {
    maxima_job *j = context;
    const bool done = j->f->itemsize == sizeof(float)
                          ? planes_float32(j->f, j->p, j->x, j->out, j->g, j->dx, first, last, j->apart)
                          : planes_float64(j->f, j->p, j->x, j->out, j->g, j->dx, first, last, j->apart);
    if (!done) atomic_store(&j->failed, true);
}

static bool maxima(const fg_images *f, const void *x, void *out, const void *g, void *dx) {
    places p;
    maxima_job j = {f, &p, x, g, out, dx, true, false};
    if (!find_places(f, &p)) return false;
    for (int i = 0; i < FG_IMAGE_AXES; i++) j.apart = j.apart && f->stride[i] > f->dilation[i] * (f->kernel[i] - 1);
    fg_parallel(run_planes, &j, f->examples, 1 + FG_GRAIN / (product_of(f->sizes) + 1));
    return !atomic_load(&j.failed);
}

bool fg_maxima(const fg_images *f, const void *x, void *out) { return maxima(f, x, out, NULL, NULL); }

bool fg_maxima_back(const fg_images *f, const void *x, const void *g, void *dx) { return maxima(f, x, NULL, g, dx); }
