/* Running sums, products and extrema, and copies of what lies across memory, against the plainest loops. */
#include "check.h"

#include <math.h>

static fg_array *drawn(int ndim, const intptr_t *shape, int dtype) {
    fg_array *a = fg_array_new(ndim, shape, dtype, dtype == FG_FLOAT32 ? 4 : 8);
    CHECK(a);
    for (intptr_t i = 0; i < a->size; i++) {
        const double value = random_below(200) / 100.0 - 1;
        if (dtype == FG_FLOAT32) {
            ((float *)a->data)[i] = (float)value;
        } else {
            ((double *)a->data)[i] = value;
        }
    }
    return a;
}

#define REFERENCE(type, code)                                                                            \
    static void scans_of_##type(const intptr_t *shape, fg_scan_kind kind, bool backwards) {              \
        fg_array *from = drawn(3, shape, code), *to = fg_array_new(3, shape, code, sizeof(type));        \
        const intptr_t n = shape[1], inner = shape[2];                                                   \
        fg_scan(kind, backwards, from, to, n, inner);                                                    \
        for (intptr_t line = 0; line < shape[0] * inner; line++) {                                       \
            const intptr_t start = line / inner * n * inner + line % inner;                              \
            type total = 0;                                                                              \
            for (intptr_t i = 0; i < n; i++) {                                                           \
                const intptr_t at = start + (backwards ? n - 1 - i : i) * inner;                         \
                const type x = ((type *)from->data)[at];                                                 \
                total = i == 0                ? x                                                        \
                        : kind == FG_SUMS     ? total + x                                                \
                        : kind == FG_PRODUCTS ? total * x                                                \
                        : kind == FG_LARGEST  ? (total > x ? total : x)                                  \
                                              : (total < x ? total : x);                                 \
                CHECK(((type *)to->data)[at] == total);                                                  \
            }                                                                                            \
        }                                                                                                \
        fg_scan(kind, backwards, from, from, n, inner);                                                  \
        CHECK(memcmp(from->data, to->data, (size_t)to->size * sizeof(type)) == 0);                       \
        fg_array_drop(from);                                                                             \
        fg_array_drop(to);                                                                               \
    }                                                                                                    \
    static void vjp_of_##type(const intptr_t *shape) {                                                   \
        fg_array *x = drawn(3, shape, code), *g = drawn(3, shape, code), *out, *to;                      \
        out = fg_array_new(3, shape, code, sizeof(type));                                                \
        to = fg_array_new(3, shape, code, sizeof(type));                                                 \
        const intptr_t n = shape[1], inner = shape[2];                                                   \
        fg_scan(FG_PRODUCTS, false, x, out, n, inner);                                                   \
        fg_scan_vjp(FG_PRODUCTS, g, x, out, to, n, inner);                                               \
        for (intptr_t line = 0; line < shape[0] * inner; line++) {                                       \
            const intptr_t start = line / inner * n * inner + line % inner;                              \
            type later = 0;                                                                              \
            for (intptr_t i = n - 1; i >= 0; i--) {                                                      \
                const intptr_t at = start + i * inner;                                                   \
                const type before = i ? ((type *)out->data)[at - inner] : 1;                             \
                later = ((type *)g->data)[at] + (i + 1 < n ? ((type *)x->data)[at + inner] * later : 0); \
                CHECK(((type *)to->data)[at] == before * later);                                         \
            }                                                                                            \
        }                                                                                                \
        fg_scan(FG_LARGEST, false, x, out, n, inner);                                                    \
        fg_scan_vjp(FG_LARGEST, g, x, out, to, n, inner);                                                \
        for (intptr_t line = 0; line < shape[0] * inner; line++) {                                       \
            const intptr_t start = line / inner * n * inner + line % inner;                              \
            double later = 0;                                                                            \
            for (intptr_t i = n - 1; i >= 0; i--) {                                                      \
                const intptr_t at = start + i * inner;                                                   \
                const bool holds = ((type *)x->data)[at] == ((type *)out->data)[at];                     \
                later += ((type *)g->data)[at];                                                          \
                CHECK(fabs(((type *)to->data)[at] - (holds ? later : 0)) < 1e-4);                        \
                if (holds) later = 0;                                                                    \
            }                                                                                            \
        }                                                                                                \
        fg_array_drop(x);                                                                                \
        fg_array_drop(g);                                                                                \
        fg_array_drop(out);                                                                              \
        fg_array_drop(to);                                                                               \
    }
REFERENCE(float, FG_FLOAT32)
REFERENCE(double, FG_FLOAT64)

static void lines_are_summed_one_after_the_other(void) {
    const intptr_t shapes[][3] = {{1, 1, 1}, {1, 7, 1},    {8, 5, 1},   {19, 6, 1},    {1, 5, 3},
                                  {3, 4, 9}, {2, 3, 1100}, {1, 1, 700}, {300, 200, 1}, {1, 100, 700}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int way = 0; way < 8; way++) {
            scans_of_float(shapes[i], (fg_scan_kind)(way & 3), way & 4);
            scans_of_double(shapes[i], (fg_scan_kind)(way & 3), way & 4);
        }
        vjp_of_float(shapes[i]);
        vjp_of_double(shapes[i]);
    }
}

static void join(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    (void)data;
    for (intptr_t i = 0; i < *dims; i++) {
        *(double *)(args[2] + i * strides[2]) =
            log(exp(*(double *)(args[0] + i * strides[0])) + exp(*(double *)(args[1] + i * strides[1])));
    }
}

static void raise_e(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    (void)data;
    for (intptr_t i = 0; i < *dims; i++)
        *(double *)(args[1] + i * strides[1]) = exp(*(double *)(args[0] + i * strides[0]));
}

static void lines_are_joined_by_a_loop(void) {
    const fg_loop joins = {join, NULL, false, false}, exps = {raise_e, NULL, false, false};
    const intptr_t shapes[][3] = {{1, 1, 1}, {3, 5, 2}, {40, 600, 1}, {1, 257, 70}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const intptr_t n = shapes[i][1], inner = shapes[i][2];
        fg_array *x = drawn(3, shapes[i], FG_FLOAT64), *g = drawn(3, shapes[i], FG_FLOAT64);
        fg_array *out = fg_array_new(3, shapes[i], FG_FLOAT64, 8), *to = fg_array_new(3, shapes[i], FG_FLOAT64, 8);
        fg_scan_by(&joins, x, out, n, inner);
        fg_scan_logs_vjp(&exps, g, x, out, to, n, inner);
        for (intptr_t line = 0; line < shapes[i][0] * inner; line++) {
            const intptr_t start = line / inner * n * inner + line % inner;
            const double *xs = (double *)x->data + start, *gs = (double *)g->data + start;
            double total = 0, later = 0;
            for (intptr_t k = 0; k < n; k++) {
                total += exp(xs[k * inner]);
                CHECK(fabs(exp(((double *)out->data)[start + k * inner]) - total) < 1e-9 * total);
            }
            for (intptr_t k = n - 1; k >= 0; k--) {
                later += gs[k * inner] / total;
                total -= exp(xs[k * inner]);
                CHECK(fabs(((double *)to->data)[start + k * inner] - exp(xs[k * inner]) * later) < 1e-6);
            }
        }
        fg_array_drop(x);
        fg_array_drop(g);
        fg_array_drop(out);
        fg_array_drop(to);
    }
}

/* Element [i, j, k] of an array. */
static double value_at(fg_array *a, intptr_t i, intptr_t j, intptr_t k) {
    const char *at = a->data + i * fg_strides(a)[0] + j * fg_strides(a)[1] + k * fg_strides(a)[2];
    return a->dtype == FG_FLOAT32 ? *(const float *)at : *(const double *)at;
}

static void copies_of_turned_arrays_are_right(void) {
    for (int round = 0; round < 400; round++) {
        const int turn = random_below(6), dtype = random_below(2) ? FG_FLOAT32 : FG_FLOAT64;
        const int orders[6][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}, {2, 0, 1}, {1, 2, 0}};
        intptr_t shape[3], turned[3], strides[3];
        for (int i = 0; i < 3; i++) shape[i] = 1 + random_below(round % 9 ? 40 : 70);
        fg_array *a = drawn(3, shape, dtype);
        for (int i = 0; i < 3; i++) {
            turned[i] = shape[orders[turn][i]];
            strides[i] = fg_strides(a)[orders[turn][i]];
        }
        fg_array *view = fg_array_view(a, a->data, 3, turned, strides);
        fg_array *to = fg_array_new(3, turned, dtype, a->itemsize);
        fg_copy(to, view);
        for (intptr_t i = 0; i < turned[0]; i++) {
            for (intptr_t j = 0; j < turned[1]; j++) {
                for (intptr_t k = 0; k < turned[2]; k++) CHECK(value_at(to, i, j, k) == value_at(view, i, j, k));
            }
        }
        fg_array_drop(view);
        fg_array_drop(to);
        fg_array_drop(a);
    }
}

int main(void) {
    RUN(lines_are_summed_one_after_the_other);
    RUN(lines_are_joined_by_a_loop);
    RUN(copies_of_turned_arrays_are_right);
    return 0;
}
