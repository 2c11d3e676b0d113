/* Places: joined, checked, picked and added at; and the losses of classes, in place and not. */
#include "check.h"
#include "threads.h"

static void places_are_joined_and_checked(void) {
    const int64_t rows[3] = {1, -1, 0};
    const int32_t columns[3] = {-4, 3, 2};
    intptr_t places[3];
    CHECK(fg_places_join(places, 3, rows, 8, 1, 2, false));
    CHECK(fg_places_join(places, 3, columns, 4, 1, 4, true));
    CHECK(places[0] == 4 && places[1] == 7 && places[2] == 2);
    const int64_t bad[3] = {0, INT64_MIN, INT64_MAX};
    CHECK(!fg_places_join(places, 3, bad, 8, 1, 4, false));
    CHECK(!fg_places_join(places, 3, bad, 8, 1, 4, true));
    CHECK(fg_all_below(columns + 1, 4, 2, 4) && !fg_all_below(columns, 4, 3, 4) && !fg_all_below(bad, 8, 3, 4));
    const uint8_t mask[7] = {0, 1, 1, 0, 0, 2, 0};
    CHECK(fg_mask_count(mask, 7) == 3);
    fg_mask_places(places, 3, mask);
    CHECK(places[0] == 1 && places[1] == 2 && places[2] == 5);
}

/* Every shape of the kernels against the definition. */
static void what_is_picked_and_added(void) {
    for (int round = 0; round < 200; round++) {
        const intptr_t outer = 1 + random_below(round % 2 ? 40 : 2), n = 1 + random_below(9);
        const intptr_t inner = 1 + random_below(round % 3 ? 40 : 2), count = 1 + random_below(30);
        double *x = calloc((size_t)(outer * n * inner), 8), *y = calloc((size_t)(count * outer * inner), 8);
        double *sums = calloc((size_t)(outer * n * inner), 8);
        intptr_t *places = calloc((size_t)count, sizeof *places);
        CHECK(x && y && sums && places);
        for (intptr_t i = 0; i < outer * n * inner; i++) x[i] = random_whole();
        for (intptr_t c = 0; c < count; c++) places[c] = random_below((int)n);
        const fg_picks p = {places, count, outer, n, inner};
        fg_gather(&p, (char *)y, (const char *)x, 8);
        for (intptr_t c = 0; c < count; c++)
            for (intptr_t o = 0; o < outer; o++)
                for (intptr_t i = 0; i < inner; i++) {
                    CHECK(y[(c * outer + o) * inner + i] == x[(o * n + places[c]) * inner + i]);
                    sums[(o * n + places[c]) * inner + i] += y[(c * outer + o) * inner + i];
                }
        memset(x, 0, (size_t)(outer * n * inner) * 8);
        const intptr_t strides[3] = {inner * 8, outer * inner * 8, 8};
        fg_scatter_add(&p, (char *)x, (const char *)y, strides, FG_FLOAT64);
        CHECK(memcmp(x, sums, (size_t)(outer * n * inner) * 8) == 0);
        free(x), free(y), free(sums), free(places);
    }
}

static void lines_apart_are_added_to(void) {
    for (int threads = 1; threads <= 2; threads++) {
        fg_threads_set(threads);
        for (intptr_t inner = 1; inner <= 301; inner += 300) {
            const intptr_t outer = inner == 1 ? 300 : 2, n = 50, length = 200, count = outer * length * inner;
            int64_t *numbers = calloc((size_t)count, 8);
            float *into = calloc((size_t)(outer * n * inner), 4), *from = calloc((size_t)count, 4);
            float *picked = calloc((size_t)count, 4);
            CHECK(numbers && into && from && picked);
            for (intptr_t c = 0; c < count; c++) numbers[c] = random_below(100) - 50, from[c] = 1;
            const fg_along p = {numbers, outer, length, n, inner};
            CHECK(fg_give_along(&p, into, from, FG_FLOAT32));
            CHECK(fg_take_along(&p, picked, into, FG_FLOAT32));
            for (intptr_t c = 0; c < count; c++) {
                const intptr_t k = numbers[c] + (numbers[c] < 0 ? n : 0);
                const intptr_t at = (c / (length * inner) * n + k) * inner + c % inner;
                CHECK(picked[c] > 0);
                from[c] = picked[c] - into[at];
                CHECK(from[c] == 0);
            }
            for (intptr_t c = 0; c < count; c++) {
                const intptr_t k = numbers[c] + (numbers[c] < 0 ? n : 0);
                into[(c / (length * inner) * n + k) * inner + c % inner] -= 1;
            }
            for (intptr_t i = 0; i < outer * n * inner; i++) CHECK(into[i] == 0);
            numbers[count - 1] = n;
            CHECK(!fg_take_along(&p, picked, into, FG_FLOAT32));
            CHECK(!fg_give_along(&p, into, from, FG_FLOAT32));
            free(numbers), free(into), free(from), free(picked);
        }
    }
    fg_threads_set(1);
}

static void slopes_of_classes(void) {
    intptr_t classes[4];
    const int32_t given[4] = {0, 2, -7, 1};
    for (intptr_t inner = 1; inner <= 2; inner++) {
        const fg_classes k = {classes, 4 / inner, 3, inner, -7, FG_FLOAT64};
        CHECK(fg_classes_take(&k, given, 4) == 3);
        const double powers[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, total[4] = {2, 2, 2, 2}, g[1] = {4};
        double into[12], same[12];
        memcpy(same, powers, sizeof same);
        fg_class_slope(&k, (char *)into, (const char *)powers, (const char *)total, (const char *)g, 0);
        fg_class_slope(&k, (char *)same, (const char *)same, (const char *)total, (const char *)g, 0);
        CHECK(memcmp(into, same, sizeof into) == 0);
        for (intptr_t e = 0; e < 12; e++) {
            const intptr_t line = e / (3 * inner) * inner + e % inner, class = e / inner % 3;
            const double expected = classes[line] == -7 ? 0 : (powers[e] / 2 - (classes[line] == class)) * 4;
            CHECK(into[e] == expected);
        }
    }
    const fg_classes k = {classes, 4, 2, 1, -7, FG_FLOAT64};
    CHECK(fg_classes_take(&k, given, 4) == -1);
}

int main(void) {
    RUN(places_are_joined_and_checked);
    RUN(what_is_picked_and_added);
    RUN(lines_apart_are_added_to);
    RUN(slopes_of_classes);
    return 0;
}
