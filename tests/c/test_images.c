/* Convolutions, maxima of windows and weighted sums along axes, against the plainest loops: windows at edges and between
 * elements, strides, dilations, groups, several examples together. Whole numbers, so that sums are exact in any order. */
#include "check.h"
#include "threads.h"

enum { N = FG_IMAGE_AXES };

static double get(const void *data, intptr_t i, bool single) {
    return single ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void put(void *data, intptr_t i, bool single, double value) {
    if (single)
        ((float *)data)[i] = (float)value;
    else
        ((double *)data)[i] = value;
}

/* Whole numbers in memory of exactly that size, so that sanitizers see what is read beyond it. */
static void *drawn(intptr_t count, bool single) {
    void *data = malloc((size_t)(count + !count) * (single ? sizeof(float) : sizeof(double)));
    CHECK(data);
    for (intptr_t i = 0; i < count; i++) put(data, i, single, random_whole());
    return data;
}

static intptr_t product(const intptr_t *sizes) {
    intptr_t all = 1;
    for (int i = 0; i < N; i++) all *= sizes[i];
    return all;
}

/* Where window `window` reads its element `offset`, counted through the image; -1: outside. */
static intptr_t place_of(const fg_images *f, const intptr_t *window, const intptr_t *offset) {
    intptr_t place = 0;
    for (int i = 0; i < N; i++) {
        const intptr_t at = window[i] * f->stride[i] + offset[i] * f->dilation[i] - f->before[i];
        if (at < 0 || at >= f->sizes[i]) return -1;
        place = place * f->sizes[i] + at;
    }
    return place;
}

/* ---------------------------------------------------------------- convolutions -- */

#define DEFINE_MATMUL(T)                                                                                \
    static void matmul_##T(char **args, const intptr_t *dims, const intptr_t *s, void *data) {          \
        (void)data;                                                                                     \
        for (intptr_t g = 0; g < dims[0]; g++) {                                                        \
            for (intptr_t i = 0; i < dims[1]; i++) {                                                    \
                for (intptr_t j = 0; j < dims[3]; j++) {                                                \
                    T total = 0;                                                                        \
                    for (intptr_t k = 0; k < dims[2]; k++)                                              \
                        total += *(const T *)(const void *)(args[0] + g * s[0] + i * s[3] + k * s[4]) * \
                                 *(const T *)(const void *)(args[1] + g * s[1] + k * s[5] + j * s[6]);  \
                    *(T *)(void *)(args[2] + g * s[2] + i * s[7] + j * s[8]) = total;                   \
                }                                                                                       \
            }                                                                                           \
        }                                                                                               \
    }
DEFINE_MATMUL(float)
DEFINE_MATMUL(double)

/* The form of ops/convolutions.py, added up term by term into what `kind` says. */
static void convolve_plainly(const fg_images *f, fg_convolution_kind kind, void *x, void *w, void *y, bool single) {
    const intptr_t own = f->channels / f->groups, outputs = f->outputs / f->groups;
    const intptr_t size = product(f->sizes), wide = product(f->counts), steps = product(f->kernel);
    for (intptr_t n = 0; n < f->examples; n++) {
        for (intptr_t o = 0; o < f->outputs; o++) {
            for (intptr_t c = 0; c < own; c++) {
                intptr_t window[N] = {0}, p = 0;
                do {
                    intptr_t offset[N] = {0}, k = 0;
                    do {
                        const intptr_t at = place_of(f, window, offset);
                        if (at < 0) continue;
                        const intptr_t ix = (n * f->channels + o / outputs * own + c) * size + at;
                        const intptr_t iw = (o * own + c) * steps + k, iy = (n * f->outputs + o) * wide + p;
                        const double a = get(x, ix, single), b = get(w, iw, single), r = get(y, iy, single);
                        if (kind == FG_INTO_RESULTS) put(y, iy, single, r + a * b);
                        if (kind == FG_INTO_IMAGES) put(x, ix, single, a + r * b);
                        if (kind == FG_INTO_KERNELS) put(w, iw, single, b + a * r);
                    } while (k++, next_index(N, f->kernel, offset));
                } while (p++, next_index(N, f->counts, window));
            }
        }
    }
}

/* Windows of some form along each axis, at least one. */
static void draw_axes(fg_images *f, int largest) {
    for (int i = 0; i < N; i++) {
        f->kernel[i] = 1 + random_below(3);
        f->stride[i] = 1 + random_below(4);
        f->dilation[i] = 1 + random_below(3);
        f->before[i] = random_below(4);
        const intptr_t least = f->dilation[i] * (f->kernel[i] - 1) + 1 - f->before[i];
        f->sizes[i] = (least > 1 ? least : 1) + random_below(largest);
        const intptr_t after = random_below(3);
        f->counts[i] =
            (f->sizes[i] + f->before[i] + after - f->dilation[i] * (f->kernel[i] - 1) - 1) / f->stride[i] + 1;
    }
    if (random_below(4) == 0) { /* the windows are the elements */
        for (int i = 0; i < N; i++) {
            f->kernel[i] = f->stride[i] = f->dilation[i] = 1;
            f->before[i] = 0;
            f->counts[i] = f->sizes[i];
        }
    }
}

static void check_convolution(const fg_images *f, bool single) {
    const intptr_t lengths[3] = {f->examples * f->channels * product(f->sizes),
                                 f->outputs * (f->channels / f->groups) * product(f->kernel),
                                 f->examples * f->outputs * product(f->counts)};
    const fg_convolution_kind kinds[3] = {FG_INTO_IMAGES, FG_INTO_KERNELS, FG_INTO_RESULTS};
    void *a[3];
    for (int i = 0; i < 3; i++) a[i] = drawn(lengths[i], single);
    for (int i = 0; i < 3; i++) { /* which one is written */
        void *given[3] = {a[0], a[1], a[2]}, *wanted[3] = {a[0], a[1], a[2]};
        given[i] = drawn(lengths[i], single);
        wanted[i] = drawn(lengths[i], single);
        for (intptr_t k = 0; k < lengths[i]; k++) put(wanted[i], k, single, 0);
        CHECK(fg_convolve(f, kinds[i], given[0], given[1], given[2]) == FG_OK);
        convolve_plainly(f, kinds[i], wanted[0], wanted[1], wanted[2], single);
        for (intptr_t k = 0; k < lengths[i]; k++) CHECK(get(given[i], k, single) == get(wanted[i], k, single));
        free(given[i]);
        free(wanted[i]);
    }
    for (int i = 0; i < 3; i++) free(a[i]);
}

static void convolutions_are_the_sums_they_stand_for(void) {
    for (int round = 0; round < 400; round++) {
        const bool single = random_below(2);
        fg_images f = {.itemsize = single ? 4 : 8};
        f.matmul.fn = single ? matmul_float : matmul_double;
        draw_axes(&f, round % 8 ? 4 : 9);
        f.groups = 1 + random_below(3);
        f.channels = f.groups * (1 + random_below(3));
        f.outputs = f.groups * (1 + random_below(3));
        f.examples = 1 + random_below(5);
        f.piece = 1 + random_below(4);
        memcpy(f.box, f.counts, sizeof f.box);
        const int cut = random_below(N); /* a part of that axis, one of those before, all of those behind */
        for (int i = 0; f.piece == 1 && i <= cut; i++) f.box[i] = i < cut ? 1 : 1 + random_below((int)f.counts[i]);
        check_convolution(&f, single);
    }
}

static void large_convolutions_are_shared_out(void) {
    fg_images f = {.examples = 40, .channels = 4, .outputs = 3, .groups = 1, .piece = 2, .itemsize = 4};
    f.matmul.fn = matmul_float;
    for (int i = 0; i < N; i++) {
        f.kernel[i] = f.stride[i] = f.dilation[i] = f.before[i] = 1;
        f.sizes[i] = f.counts[i] = 1;
        if (i) {
            f.kernel[i] = 3;
            f.sizes[i] = f.counts[i] = 20;
        }
    }
    f.before[0] = 0;
    memcpy(f.box, f.counts, sizeof f.box);
    check_convolution(&f, true);
    f.piece = 1;
    f.box[1] = 7;
    check_convolution(&f, true);
}

/* ---------------------------------------------------------------- maxima -- */

static bool maxima_plainly(const fg_images *f, const void *x, void *out, const void *g, void *dx, bool single) {
    const intptr_t size = product(f->sizes), wide = product(f->counts);
    for (intptr_t n = 0; n < f->examples; n++) {
        intptr_t window[N] = {0}, p = n * wide;
        do {
            intptr_t offset[N] = {0}, found = -1;
            do {
                const intptr_t at = place_of(f, window, offset);
                if (at >= 0 && (found < 0 || get(x, n * size + at, single) > get(x, found, single)))
                    found = n * size + at;
            } while (next_index(N, f->kernel, offset));
            if (found < 0) return false;
            put(out, p, single, get(x, found, single));
            put(dx, found, single, get(dx, found, single) + get(g, p, single));
        } while (p++, next_index(N, f->counts, window));
    }
    return true;
}

static void maxima_are_found_and_get_their_cotangents(void) {
    int refused = 0;
    for (int round = 0; round < 600; round++) {
        const bool single = random_below(2);
        fg_images f = {.itemsize = single ? 4 : 8, .examples = 1 + random_below(round % 50 ? 4 : 300)};
        draw_axes(&f, round % 5 ? 6 : 14);
        const intptr_t elements = f.examples * product(f.sizes), windows = f.examples * product(f.counts);
        void *x = drawn(elements, single), *g = drawn(windows, single);
        void *out = drawn(windows, single), *dx = drawn(elements, single);
        void *wanted_out = drawn(windows, single), *wanted_dx = drawn(elements, single);
        for (intptr_t i = 0; i < elements; i++) put(wanted_dx, i, single, 0);
        const bool any = maxima_plainly(&f, x, wanted_out, g, wanted_dx, single);
        CHECK(fg_maxima(&f, x, out) == any && fg_maxima_back(&f, x, g, dx) == any);
        for (intptr_t i = 0; any && i < windows; i++) CHECK(get(out, i, single) == get(wanted_out, i, single));
        for (intptr_t i = 0; any && i < elements; i++) CHECK(get(dx, i, single) == get(wanted_dx, i, single));
        refused += !any;
        free(x);
        free(g);
        free(out);
        free(dx);
        free(wanted_out);
        free(wanted_dx);
    }
    CHECK(refused > 0 && refused < 600); /* windows that lie outside altogether */
}

static void windows_too_large_are_refused(void) {
    fg_images f = {.itemsize = 8, .examples = 1};
    double x[65] = {0}, out[1];
    for (int i = 0; i < N; i++) f.kernel[i] = f.stride[i] = f.dilation[i] = f.sizes[i] = f.counts[i] = 1;
    f.kernel[N - 1] = f.sizes[N - 1] = 65;
    CHECK(!fg_maxima(&f, x, out));
}

/* ---------------------------------------------------------------- weighted sums -- */

/* A matrix (m, n) with rows of `each` weights, or (each < 0) of up to four. */
static fg_taps draw_taps(intptr_t m, intptr_t n, int each, bool single) {
    intptr_t *starts = malloc((size_t)(m + 1) * sizeof *starts), *places;
    CHECK(starts);
    starts[0] = 0;
    for (intptr_t i = 0; i < m; i++) starts[i + 1] = starts[i] + (each < 0 ? random_below(5) : each);
    places = malloc((size_t)(starts[m] + 1) * sizeof *places);
    CHECK(places);
    for (intptr_t i = 0; i < starts[m]; i++) places[i] = random_below((int)n);
    return (fg_taps){m, n, each, starts, places, drawn(starts[m], single)};
}

static void sum_plainly(const fg_taps *t, const void *x, void *y, intptr_t outer, intptr_t inner, bool single) {
    for (intptr_t o = 0; o < outer; o++) {
        for (intptr_t i = 0; i < t->m; i++) {
            for (intptr_t j = 0; j < inner; j++) {
                double total = 0;
                for (intptr_t k = t->starts[i]; k < t->starts[i + 1]; k++)
                    total += get(t->weights, k, single) * get(x, (o * t->n + t->places[k]) * inner + j, single);
                put(y, (o * t->m + i) * inner + j, single, total);
            }
        }
    }
}

static void axes_are_multiplied_by_their_matrices(void) {
    for (int round = 0; round < 600; round++) {
        const bool single = random_below(2);
        fg_taps maps[N] = {{0}};
        intptr_t sizes[N], now[N], planes = 1 + random_below(round % 20 ? 3 : 200);
        for (int i = 0; i < N; i++) {
            now[i] = sizes[i] = 1 + random_below(12);
            if (random_below(3)) maps[i] = draw_taps(1 + random_below(12), sizes[i], random_below(5) - 1, single);
        }
        void *x = drawn(planes * product(sizes), single), *wanted = drawn(planes * product(sizes), single);
        memcpy(wanted, x, (size_t)(planes * product(sizes)) * (single ? 4 : 8));
        int changed = 0;
        for (int i = 0; i < N; i++) { /* in any order: the sums are exact */
            if (!maps[i].starts) continue;
            intptr_t outer = planes, inner = 1;
            for (int j = 0; j < N; j++) outer *= j < i ? now[j] : 1, inner *= j > i ? now[j] : 1;
            now[i] = maps[i].m;
            void *next = drawn(planes * product(now), single);
            sum_plainly(&maps[i], wanted, next, outer, inner, single);
            free(wanted);
            wanted = next;
            changed++;
        }
        if (changed) {
            void *y = drawn(planes * product(now), single);
            CHECK(fg_resample(maps, sizes, planes, x, y, single ? 4 : 8) == FG_OK);
            for (intptr_t i = 0; i < planes * product(now); i++) CHECK(get(y, i, single) == get(wanted, i, single));
            CHECK(fg_resample(maps, sizes, 0, x, y, single ? 4 : 8) == FG_OK); /* no planes: nothing is touched */
            free(y);
        }
        for (int i = 0; i < N; i++) {
            free((void *)(uintptr_t)maps[i].starts);
            free((void *)(uintptr_t)maps[i].places);
            free((void *)(uintptr_t)maps[i].weights);
        }
        free(x);
        free(wanted);
    }
}

int main(void) {
    fg_threads_set(3);
    RUN(convolutions_are_the_sums_they_stand_for);
    RUN(large_convolutions_are_shared_out);
    RUN(maxima_are_found_and_get_their_cotangents);
    RUN(windows_too_large_are_refused);
    RUN(axes_are_multiplied_by_their_matrices);
    return 0;
}
