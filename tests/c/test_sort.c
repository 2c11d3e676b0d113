/* Sorting lines, and their medians: values and order against an insertion sort, which is stable, and the way back. */
#include "check.h"

static double draw(int kind) {
    switch (kind) {
    case 0:
        return random_whole();
    case 1:
        return 1 + random_below(300) * 0x1p-50; /* the upper halves are alike */
    case 2:
        return (random_below(2) ? 1 : -1) / (random_below(1000) + 0x1p-900);
    default:
        return random_below(1000000) / 1e3 - 500;
    }
}

static void check_line(const double *x, const double *sorted, const int32_t *order, intptr_t n, bool descending) {
    int32_t *expected = malloc((size_t)n * sizeof *expected);
    CHECK(expected);
    for (intptr_t i = 0; i < n; i++) {
        intptr_t at = i;
        for (; at > 0 && (descending ? x[expected[at - 1]] < x[i] : x[expected[at - 1]] > x[i]); at--) {
            expected[at] = expected[at - 1];
        }
        expected[at] = (int32_t)i;
    }
    for (intptr_t i = 0; i < n; i++) CHECK(order[i] == expected[i] && sorted[i] == x[expected[i]]);
    free(expected);
}

static void lines_are_in_order_and_equals_in_theirs(void) {
    for (int round = 0; round < 200; round++) {
        const intptr_t n = 1 + random_below(round % 3 ? 60 : 900), lines = 1 + random_below(5);
        const intptr_t shape[2] = {lines, n};
        const bool descending = random_below(2);
        const int kind = random_below(4);
        fg_array *x = fg_array_new(2, shape, FG_FLOAT64, 8), *to = fg_array_new(2, shape, FG_FLOAT64, 8);
        fg_array *order = fg_array_new(2, shape, 5, 4), *back = fg_array_new(2, shape, FG_FLOAT64, 8);
        CHECK(x && to && order && back);
        double *values = (double *)x->data;
        for (intptr_t i = 0; i < x->size; i++) values[i] = draw(kind);
        CHECK(fg_sort(x, to, order, n, descending) == FG_OK);
        for (intptr_t line = 0; line < lines; line++) {
            const intptr_t at = line * n;
            check_line(values + at, (double *)to->data + at, (int32_t *)order->data + at, n, descending);
        }
        fg_sort_back(to, order, back, n);
        CHECK(memcmp(back->data, x->data, (size_t)x->size * sizeof(double)) == 0);
        fg_array_drop(x);
        fg_array_drop(to);
        fg_array_drop(order);
        fg_array_drop(back);
    }
}

static void medians_are_the_middle_of_sorted_lines(void) {
    for (int round = 0; round < 200; round++) {
        const intptr_t n = 1 + random_below(round % 3 ? 40 : 900), inner = 1 + random_below(3);
        const intptr_t shape[3] = {2, inner, n}, across[3] = {2, n, inner}, ends[2] = {2 * inner, 2};
        const int kind = random_below(4);
        fg_array *x = fg_array_new(3, shape, FG_FLOAT64, 8), *to = fg_array_new(3, shape, FG_FLOAT64, 8);
        fg_array *order = fg_array_new(3, shape, 5, 4), *turned = fg_array_new(3, across, FG_FLOAT64, 8);
        fg_array *middle = fg_array_new(1, ends, FG_FLOAT64, 8), *places = fg_array_new(2, ends, 5, 4);
        CHECK(x && to && order && turned && middle && places);
        double *values = (double *)x->data, *lines = (double *)turned->data, *found = (double *)middle->data;
        for (intptr_t i = 0; i < x->size; i++) {
            values[i] = draw(kind) + 0.0;
            const intptr_t line = i / n, at = i % n;
            lines[line / inner * n * inner + at * inner + line % inner] = values[i];
        }
        CHECK(fg_sort(x, to, order, n, false) == FG_OK);
        bool plain;
        CHECK(fg_median(turned, middle, places, n, inner, &plain) == FG_OK && plain);
        fg_array *back = fg_array_new(3, across, FG_FLOAT64, 8);
        fg_median_back(middle, places, back, n, inner);
        for (intptr_t line = 0; line < 2 * inner; line++) {
            const double *sorted = (double *)to->data + line * n;
            const int32_t *from = (int32_t *)order->data + line * n, *pair = (int32_t *)places->data + 2 * line;
            const intptr_t low = (n - 1) / 2, high = n / 2;
            CHECK(found[line] == (low == high ? sorted[low] : (sorted[low] + sorted[high]) / 2));
            CHECK(pair[0] == from[low] && pair[1] == from[high]);
            for (intptr_t i = 0; i < n; i++) {
                const double part = i == pair[0] || i == pair[1] ? (low == high ? 1 : 0.5) : 0;
                CHECK(((double *)back->data)[line / inner * n * inner + i * inner + line % inner] ==
                      part * found[line]);
            }
        }
        fg_array *all[] = {x, to, order, turned, middle, places, back};
        for (int i = 0; i < 7; i++) fg_array_drop(all[i]);
    }
}

static void what_cannot_be_told_apart_is_told(void) {
    const intptr_t shape[1] = {4};
    fg_array *x = fg_array_new(1, shape, FG_FLOAT64, 8);
    double *values = (double *)x->data;
    values[0] = 1, values[1] = 0.0, values[2] = -1, values[3] = 0.0;
    CHECK(fg_sort_tells(x));
    values[3] = -0.0;
    CHECK(!fg_sort_tells(x));
    values[1] = -0.0;
    CHECK(fg_sort_tells(x));
    values[0] = strtod("nan", NULL);
    CHECK(!fg_sort_tells(x));
    fg_array_drop(x);
}

static void a_failed_allocation_is_told(void) {
    const intptr_t shape[1] = {1000};
    fg_array *x = fg_array_new(1, shape, FG_FLOAT64, 8), *to = fg_array_new(1, shape, FG_FLOAT64, 8);
    fg_array *order = fg_array_new(1, shape, 5, 4);
    memset(x->data, 0, 8000);
    fg_mem_fail_after(0);
    CHECK(fg_sort(x, to, order, 1000, false) == FG_NOMEM);
    CHECK(fg_sort(x, to, order, 1000, false) == FG_OK);
    fg_array_drop(x);
    fg_array_drop(to);
    fg_array_drop(order);
}

int main(void) {
    RUN(lines_are_in_order_and_equals_in_theirs);
    RUN(medians_are_the_middle_of_sorted_lines);
    RUN(what_cannot_be_told_apart_is_told);
    RUN(a_failed_allocation_is_told);
    return 0;
}
