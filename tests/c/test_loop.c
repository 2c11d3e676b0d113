/* Arrays, and loops over whole arrays, against the same written index by index. */
#include "check.h"

static const fg_loop add = {double_add, NULL, false, false}, subtract = {double_subtract, NULL, false, false},
                     maximum = {double_maximum, NULL, false, false}, negative = {double_negative, NULL, false, false},
                     less = {double_less, NULL, false, false};

/* ---------------------------------------------------------------- arrays -- */

static int released;
static void release(void *owner) { released += owner == (void *)&released; }

static void new_arrays_are_aligned_and_contiguous(void) {
    const intptr_t large[] = {3, 200}, huge[] = {1 << 20}, empty[] = {4, 0, 2};
    fg_array *a = fg_array_new(0, NULL, FG_FLOAT64, 8);
    CHECK(a && a->size == 1 && (uintptr_t)a->data % 8 == 0 && a->flags == 7 && fg_array_unshared(a));
    fg_array_drop(a);
    a = fg_array_new(2, large, FG_FLOAT64, 8);
    CHECK(a && a->size == 600 && (uintptr_t)a->data % 64 == 0);
    CHECK(fg_strides(a)[0] == 1600 && fg_strides(a)[1] == 8 && fg_shape(a)[0] == 3);
    memset(a->data, 1, 4800);
    fg_array_drop(a);
    a = fg_array_new(1, huge, FG_FLOAT64, 8);
    CHECK(a && (uintptr_t)a->data % 64 == 0);
    memset(a->data, 1, 8 << 20);
    fg_array_drop(a);
    a = fg_array_new(3, empty, FG_COMPLEX128, 16);
    CHECK(a && a->size == 0 && (a->flags & FG_CONTIGUOUS));
    fg_array_drop(a);
}

static void impossible_shapes_are_refused(void) {
    const intptr_t half = INTPTR_MAX / 2, wide[] = {half, 4}, zero[] = {half, 0, 8}, minus[] = {3, -1},
                   full[] = {INTPTR_MAX};
    intptr_t ones[FG_MAXDIMS + 1];
    for (int i = 0; i <= FG_MAXDIMS; i++) ones[i] = 1;
    CHECK(!fg_array_new(2, wide, FG_FLOAT64, 8));
    CHECK(!fg_array_new(3, zero, FG_FLOAT64, 8));
    CHECK(!fg_array_new(2, minus, FG_FLOAT64, 8));
    CHECK(!fg_array_new(1, full, FG_BOOL, 1));
    CHECK(!fg_array_new(FG_MAXDIMS + 1, ones, FG_FLOAT64, 8));
    fg_array *a = fg_array_new(FG_MAXDIMS, ones, FG_FLOAT64, 8);
    CHECK(a && a->size == 1);
    fg_array_drop(a);
}

static void views_keep_their_root(void) {
    const intptr_t shape[] = {4, 6}, part[] = {2, 3}, gaps[] = {96, 16}, one[] = {1, 3}, any[] = {12345, 8};
    fg_array *a = new_doubles(2, shape), *view = fg_array_view(a, a->data + 8, 2, part, gaps);
    CHECK(view && !(view->flags & FG_CONTIGUOUS) && (view->flags & FG_ALIGNED) && (view->flags & FG_WRITEABLE));
    fg_array *again = fg_array_view(view, view->data, 2, one, any);
    CHECK(again->root == a && (again->flags & FG_CONTIGUOUS)); /* the stride of an axis of one element means nothing */
    CHECK(!fg_array_unshared(a) && !fg_array_unshared(view));
    fg_array_drop(a);
    fg_array_drop(view);
    CHECK(value(again, 2, (intptr_t[]){0, 2}) == ((double *)(void *)again->root->data)[3]);
    fg_array *odd = fg_array_view(again, again->data + 1, 2, one, any);
    CHECK(!(odd->flags & FG_ALIGNED));
    fg_array_drop(odd);
    fg_array_drop(again);
}

static void owners_are_released_once(void) {
    double memory[3] = {1, 2, 3};
    const intptr_t shape[] = {3}, strides[] = {8};
    fg_owner_release = release;
    released = 0;
    fg_array *a = fg_array_wrap(&released, (char *)memory, 1, shape, strides, FG_FLOAT64, 8, true, false);
    fg_array *view = fg_array_view(a, a->data, 1, shape, strides);
    CHECK(!(view->flags & FG_WRITEABLE) && !fg_array_unshared(a));
    fg_array_drop(a);
    CHECK(released == 0);
    fg_array_drop(view);
    CHECK(released == 1);
    fg_mem_fail_after(0);
    CHECK(!fg_array_wrap(&released, (char *)memory, 1, shape, strides, FG_FLOAT64, 8, true, true));
    CHECK(released == 2);
    a = fg_array_like(1, shape, FG_OTHER, 48);
    CHECK(a && !a->data && a->size == 3);
    fg_array_drop(a);
}

/* ---------------------------------------------------------------- loops -- */

static void shapes_broadcast_as_in_numpy(void) {
    const intptr_t a_shape[] = {3, 1, 5}, b_shape[] = {4, 1}, c_shape[] = {2, 1}, d_shape[] = {0, 5}, e_shape[] = {3};
    fg_array *a = new_doubles(3, a_shape), *b = new_doubles(2, b_shape), *c = new_doubles(2, c_shape);
    fg_array *d = new_doubles(2, d_shape), *e = new_doubles(1, e_shape), *all[] = {a, b, c, d, e};
    intptr_t shape[FG_MAXDIMS];
    int ndim;
    CHECK(fg_broadcast(2, all, &ndim, shape) == FG_OK && ndim == 3 && shape[0] == 3 && shape[1] == 4 && shape[2] == 5);
    CHECK(fg_broadcast(3, all, &ndim, shape) == FG_SHAPE);
    CHECK(fg_broadcast(2, (fg_array *[]){a, d}, &ndim, shape) == FG_OK && shape[0] == 3 && shape[1] == 0 &&
          shape[2] == 5);
    CHECK(fg_broadcast(2, (fg_array *[]){a, e}, &ndim, shape) == FG_SHAPE);
    CHECK(fg_broadcast(2, (fg_array *[]){d, e}, &ndim, shape) == FG_SHAPE);
    for (int i = 0; i < 5; i++) fg_array_drop(all[i]);
}

static double binary(const fg_loop *loop, double a, double b) {
    return loop == &add ? a + b : loop == &subtract ? a - b : loop == &maximum ? (a > b ? a : b) : a < b;
}

static void elementwise_loops_reach_every_element(void) {
    const fg_loop *loops[] = {&add, &subtract, &maximum, &less};
    for (int round = 0; round < 3000; round++) {
        intptr_t shape[FG_MAXDIMS], index[FG_MAXDIMS] = {0}, strides[FG_MAXDIMS];
        const fg_loop *loop = loops[random_below(4)];
        const int ndim = random_shape(shape), bytes = loop == &less ? 1 : 8;
        fg_array *a = random_operand(ndim, shape), *b = random_operand(ndim, shape);
        fg_array *out = fg_array_new(ndim, shape, bytes == 1 ? FG_BOOL : FG_FLOAT64, (uint32_t)bytes);
        CHECK(out);
        if (ndim == 2 && round % 3 == 0) { /* a result with the axes swapped */
            const intptr_t swapped[] = {shape[1], shape[0]};
            fg_array *memory = fg_array_new(2, swapped, out->dtype, (uint32_t)bytes);
            strides[0] = fg_strides(memory)[1], strides[1] = fg_strides(memory)[0];
            fg_array_drop(out);
            out = fg_array_view(memory, memory->data, 2, shape, strides);
            fg_array_drop(memory);
        }
        fg_loop_run(loop, 3, (fg_array *[]){a, b, out});
        do {
            if (out->size == 0) break;
            const double want = binary(loop, value(a, ndim, index), value(b, ndim, index));
            const char *got = element(out, ndim, index);
            CHECK((bytes == 1 ? (double)*got : *(const double *)(const void *)got) == want);
        } while (next_index(ndim, shape, index));
        fg_array_drop(a);
        fg_array_drop(b);
        fg_array_drop(out);
    }
}

static void loops_may_move_their_pointers(void) {
    const intptr_t shape[] = {40, 3}, strides[] = {-24, 8};
    fg_array *memory = new_doubles(2, shape), *out = new_doubles(2, shape);
    fg_array *a = fg_array_view(memory, memory->data + 39 * 24, 2, shape, strides);
    intptr_t index[2] = {0};
    fg_loop_run(&negative, 2, (fg_array *[]){a, out});
    do {
        CHECK(value(out, 2, index) == -value(a, 2, index));
    } while (next_index(2, shape, index));
    fg_loop_run(&negative, 2, (fg_array *[]){out, out}); /* in place */
    index[0] = index[1] = 0;
    do {
        CHECK(value(out, 2, index) == value(a, 2, index));
    } while (next_index(2, shape, index));
    fg_array_drop(a);
    fg_array_drop(memory);
    fg_array_drop(out);
}

/* ---------------------------------------------------------------- reductions -- */

static void reductions_take_every_element_once(void) {
    for (int round = 0; round < 2000; round++) {
        intptr_t shape[FG_MAXDIMS], kept[FG_MAXDIMS], index[FG_MAXDIMS] = {0};
        const int ndim = random_shape(shape);
        const fg_loop *loop = random_below(2) ? &add : &maximum;
        for (int i = 0; i < ndim; i++) kept[i] = random_below(2) ? 1 : shape[i];
        fg_array *view = random_operand(ndim, shape), *into = new_doubles(ndim, kept), *want = new_doubles(ndim, kept);
        fg_array *from = view;
        if (view->ndim != ndim || memcmp(fg_shape(view), shape, (size_t)ndim * sizeof *shape)) { /* spread it */
            intptr_t strides[FG_MAXDIMS];
            for (int i = 0; i < ndim; i++) {
                const int own = i - (ndim - view->ndim);
                strides[i] = own < 0 || fg_shape(view)[own] == 1 ? 0 : fg_strides(view)[own];
            }
            from = fg_array_view(view, view->data, ndim, shape, strides);
        } else {
            fg_array_keep(from);
        }
        fg_copy(want, into);
        if (round % 5 == 0) fg_mem_fail_after(0); /* no buffer: as right */
        fg_loop_reduce(loop, into, from);
        fg_mem_fail_after(-1);
        do {
            if (from->size == 0) break;
            double *sum = (double *)(void *)element(want, ndim, index);
            *sum = binary(loop, *sum, value(from, ndim, index));
        } while (next_index(ndim, shape, index));
        for (intptr_t i = 0; i < into->size; i++)
            CHECK(((double *)(void *)into->data)[i] == ((double *)(void *)want->data)[i]);
        fg_array_drop(from);
        fg_array_drop(view);
        fg_array_drop(into);
        fg_array_drop(want);
    }
}

static void sum_to_undoes_broadcasting(void) {
    for (int round = 0; round < 1000; round++) {
        intptr_t shape[FG_MAXDIMS], index[FG_MAXDIMS] = {0};
        const int ndim = random_shape(shape);
        fg_array *like = random_operand(ndim, shape), *g = new_doubles(ndim, shape), *sum = NULL;
        fg_array *want = fg_array_new(like->ndim, fg_shape(like), FG_FLOAT64, 8);
        const double zero = 0;
        fg_fill(want, &zero);
        do {
            if (g->size == 0) break;
            *(double *)(void *)element(want, ndim, index) += value(g, ndim, index);
        } while (next_index(ndim, shape, index));
        fg_status status = FG_NOMEM;
        for (long left = 0; status; left++) {
            fg_mem_fail_after(left);
            status = fg_sum_to(fg_array_keep(g), like, &add, &sum);
            fg_mem_fail_after(-1);
            CHECK(status == FG_OK || (status == FG_NOMEM && g->refs == 1));
        }
        CHECK(fg_array_same_shape(sum, like) && (sum == g) == fg_array_same_shape(g, like));
        if (sum != g) CHECK(fg_array_unshared(sum) && g->refs == 1);
        for (intptr_t i = 0; i < sum->size; i++)
            CHECK(((double *)(void *)sum->data)[i] == ((double *)(void *)want->data)[i]);
        fg_array_drop(sum);
        fg_array_drop(g);
        fg_array_drop(like);
        fg_array_drop(want);
    }
    const intptr_t three[] = {3}, four[] = {4};
    fg_array *g = new_doubles(1, three), *like = new_doubles(1, four), *sum = NULL;
    CHECK(fg_sum_to(fg_array_keep(g), like, &add, &sum) == FG_SHAPE && g->refs == 1);
    fg_array_drop(g);
    fg_array_drop(like);
}

static void accumulating_writes_only_to_what_nobody_sees(void) {
    const intptr_t shape[] = {2, 3}, flipped[] = {-24, 8};
    for (int seen = 0; seen < 8; seen++) {
        fg_array *a = new_doubles(2, shape), *b = new_doubles(2, shape), *held, *a_seen = NULL, *b_seen = NULL;
        double want[6], a_was[6], b_was[6];
        for (int i = 0; i < 6; i++) want[i] = ((double *)(void *)a->data)[i] + ((double *)(void *)b->data)[i];
        memcpy(a_was, a->data, sizeof a_was);
        memcpy(b_was, b->data, sizeof b_was);
        if (seen & 1) a_seen = fg_array_keep(a);
        if (seen & 2) b_seen = fg_array_view(b, b->data + 24, 2, shape, flipped);
        held = a;
        fg_array *const a_is = a, *const b_is = b;
        if (seen & 4) fg_mem_fail_after(0);
        const fg_status status = fg_accumulate(&held, b, &add);
        fg_mem_fail_after(-1);
        if (status) {
            CHECK(status == FG_NOMEM && seen == 7 && held == a_is);
        } else {
            CHECK(memcmp(held->data, want, sizeof want) == 0);
            CHECK(held == (seen & 1 ? (seen & 2 ? held : b_is) : a_is));
        }
        if (a_seen) CHECK(memcmp(a_seen->data, a_was, sizeof a_was) == 0);
        if (b_seen) CHECK(memcmp(b_seen->root->data, b_was, sizeof b_was) == 0);
        fg_array_drop(held);
        fg_array_drop(a_seen);
        fg_array_drop(b_seen);
    }
    fg_array *held = NULL, *first = new_doubles(2, shape);
    CHECK(fg_accumulate(&held, first, &add) == FG_OK && held == first && held->refs == 1);
    fg_array_drop(held);
}

/* ---------------------------------------------------------------- kernels -- */

static void copies_and_fills_reach_every_element(void) {
    for (int round = 0; round < 1500; round++) {
        intptr_t shape[FG_MAXDIMS], index[FG_MAXDIMS] = {0};
        const int ndim = random_shape(shape);
        const double number = random_whole();
        fg_array *from = random_operand(ndim, shape), *to = new_doubles(ndim, shape),
                 *filled = random_operand(ndim, shape);
        fg_copy(to, from);
        fg_fill(filled, &number);
        do {
            if (to->size == 0) break;
            CHECK(value(to, ndim, index) == value(from, ndim, index) && value(filled, ndim, index) == number);
        } while (next_index(ndim, shape, index));
        fg_array_drop(from);
        fg_array_drop(to);
        fg_array_drop(filled);
    }
    for (uint32_t bytes = 1; bytes < 20; bytes++) {
        const intptr_t shape[] = {5, 7}, swapped[] = {7, 5};
        fg_array *a = fg_array_new(2, shape, FG_OTHER, bytes), *b = fg_array_new(2, swapped, FG_OTHER, bytes);
        const intptr_t strides[] = {fg_strides(a)[1], fg_strides(a)[0]};
        fg_array *view = fg_array_view(a, a->data, 2, swapped, strides);
        for (intptr_t i = 0; i < 35 * (intptr_t)bytes; i++) a->data[i] = (char)random_bits();
        fg_copy(b, view);
        for (int i = 0; i < 35; i++) {
            CHECK(memcmp(b->data + i * (int)bytes, a->data + (i % 5 * 7 + i / 5) * (int)bytes, bytes) == 0);
        }
        fg_array_drop(a);
        fg_array_drop(b);
        fg_array_drop(view);
    }
}

static void where_selects_and_erf_agrees_with_its_series(void) {
    static const int dtypes[] = {FG_BOOL, 3, FG_FLOAT32, FG_FLOAT64, FG_COMPLEX128}, sizes[] = {1, 2, 4, 8, 16};
    for (int d = 0; d < 5; d++) {
        uint64_t yes[20], no[20], out[20]; /* as many bytes as 10 elements of 16 need */
        char mask[10];
        const fg_loop where = fg_kernel_find("where", dtypes[d]);
        const intptr_t n = 10, strides[] = {1, sizes[d], 0, sizes[d]};
        CHECK(where.fn);
        for (int i = 0; i < 20; i++) yes[i] = random_bits(), no[i] = random_bits();
        for (int i = 0; i < 10; i++) mask[i] = (char)random_below(2);
        where.fn((char *[]){mask, (char *)yes, (char *)no, (char *)out}, &n, strides, where.data);
        for (int i = 0; i < 10; i++) {
            const char *want = mask[i] ? (char *)yes + i * sizes[d] : (char *)no;
            CHECK(memcmp((char *)out + i * sizes[d], want, (size_t)sizes[d]) == 0);
        }
    }
    const fg_loop erf64 = fg_kernel_find("erf", FG_FLOAT64), erf32 = fg_kernel_find("erf", FG_FLOAT32);
    double x = 0.5, y, term = x, series = 0;
    float x32 = 0.5f, y32;
    const intptr_t n = 1, strides[] = {8, 8};
    for (int k = 0; k < 30; term *= -x * x / ++k) series += term / (2 * k + 1);
    series *= 1.1283791670955126; /* 2 / sqrt(pi) */
    erf64.fn((char *[]){(char *)&x, (char *)&y}, &n, strides, erf64.data);
    erf32.fn((char *[]){(char *)&x32, (char *)&y32}, &n, strides, erf32.data);
    CHECK(y - series < 1e-15 && series - y < 1e-15 && y32 - series < 1e-7 && series - y32 < 1e-7);
    CHECK(!fg_kernel_find("erf", FG_COMPLEX64).fn && !fg_kernel_find("where", FG_OTHER).fn &&
          !fg_kernel_find("no", 12).fn);
}

int main(void) {
    RUN(new_arrays_are_aligned_and_contiguous);
    RUN(impossible_shapes_are_refused);
    RUN(views_keep_their_root);
    RUN(owners_are_released_once);
    RUN(shapes_broadcast_as_in_numpy);
    RUN(elementwise_loops_reach_every_element);
    RUN(loops_may_move_their_pointers);
    RUN(reductions_take_every_element_once);
    RUN(sum_to_undoes_broadcasting);
    RUN(accumulating_writes_only_to_what_nobody_sees);
    RUN(copies_and_fills_reach_every_element);
    RUN(where_selects_and_erf_agrees_with_its_series);
    return 0;
}
