/* Programs along rows: blocks, registers with a value for each row, reductions, and rows too long for the stack. */
#include "check.h"

static const fg_loop add = {double_add, NULL, false}, subtract = {double_subtract, NULL, false},
                     maximum = {double_maximum, NULL, false};

/* Registers: x (each), c (single) | 3.0 | top (row), d (each) | out (each), total (row).
 * top = max(x); d = x - top; out = d + c; total = sum(out); total = total + 3. */
static fg_program *make(void) {
    static const uint8_t places[] = {FG_EACH, FG_SINGLE, FG_SINGLE, FG_PER_ROW, FG_EACH, FG_EACH, FG_PER_ROW};
    static const fg_step steps[] = {
        {{NULL, NULL, false}, 1, 3, {0}, FG_MAX}, {{NULL, NULL, false}, 2, 4, {0, 3}, 0},
        {{NULL, NULL, false}, 2, 5, {4, 1}, 0},   {{NULL, NULL, false}, 1, 6, {5}, FG_SUM},
        {{NULL, NULL, false}, 2, 6, {6, 2}, 0},
    };
    const fg_loop *loops[] = {&maximum, &subtract, &add, &add, &add};
    fg_program *p = fg_program_new(2, 1, 2, 2, 5);
    CHECK(p);
    for (int r = 0; r < 7; r++) {
        p->itemsize[r] = 8;
        p->place[r] = places[r];
    }
    *(double *)(void *)p->consts = 3.0;
    for (int s = 0; s < 5; s++) {
        p->steps[s] = steps[s];
        p->steps[s].loop = *loops[s];
    }
    fg_program_finish(p);
    return p;
}

static void run(const fg_program *p, intptr_t rows, intptr_t n) {
    const intptr_t shape[2] = {rows, n};
    fg_array *x = fg_array_new(2, shape, FG_FLOAT64, 8), *c = fg_array_new(0, NULL, FG_FLOAT64, 8);
    fg_array *out = fg_array_new(2, shape, FG_FLOAT64, 8), *total = fg_array_new(1, shape, FG_FLOAT64, 8);
    CHECK(x && c && out && total);
    double *values = (double *)(void *)x->data;
    for (intptr_t i = 0; i < rows * n; i++) values[i] = random_whole();
    *(double *)(void *)c->data = 7.0;
    fg_array *inputs[2] = {x, c}, *outputs[2] = {out, total};
    CHECK(fg_program_run_rows(p, inputs, outputs, rows, n) == FG_OK);
    for (intptr_t i = 0; i < rows; i++) {
        double top = values[i * n], sum = 0;
        for (intptr_t j = 1; j < n; j++) top = values[i * n + j] > top ? values[i * n + j] : top;
        for (intptr_t j = 0; j < n; j++) {
            const double expected = values[i * n + j] - top + 7.0;
            CHECK(((double *)(void *)out->data)[i * n + j] == expected);
            sum += expected;
        }
        CHECK(((double *)(void *)total->data)[i] == sum + 3.0);
    }
    fg_array_drop(x);
    fg_array_drop(c);
    fg_array_drop(out);
    fg_array_drop(total);
}

static void rows_are_reduced_and_spread(void) {
    static const intptr_t lengths[] = {1, 2, 3, 7, 64, 333, 2000, 5000, 100000};
    fg_program *p = make();
    for (int i = 0; i < 9; i++) {
        run(p, 1, lengths[i]);
        run(p, 2, lengths[i]);
        run(p, 1 + random_below(200000) / lengths[i], lengths[i]);
    }
    fg_program_free(p);
}

static void nothing_is_done_where_there_is_nothing(void) {
    fg_program *p = make();
    CHECK(fg_program_run_rows(p, NULL, NULL, 0, 5) == FG_OK);
    CHECK(fg_program_run_rows(p, NULL, NULL, 5, 0) == FG_OK);
    fg_program_free(p);
}

static void a_failed_allocation_is_told(void) {
    const intptr_t shape[2] = {1, 100000};
    fg_program *p = make();
    fg_array *x = fg_array_new(2, shape, FG_FLOAT64, 8), *c = fg_array_new(0, NULL, FG_FLOAT64, 8);
    fg_array *out = fg_array_new(2, shape, FG_FLOAT64, 8), *total = fg_array_new(1, shape, FG_FLOAT64, 8);
    CHECK(x && c && out && total);
    memset(x->data, 0, 800000);
    memset(c->data, 0, 8);
    fg_array *inputs[2] = {x, c}, *outputs[2] = {out, total};
    fg_mem_fail_after(0);
    CHECK(fg_program_run_rows(p, inputs, outputs, 1, 100000) == FG_NOMEM);
    CHECK(fg_program_run_rows(p, inputs, outputs, 1, 100000) == FG_OK);
    fg_array_drop(x);
    fg_array_drop(c);
    fg_array_drop(out);
    fg_array_drop(total);
    fg_program_free(p);
}

int main(void) {
    RUN(rows_are_reduced_and_spread);
    RUN(nothing_is_done_where_there_is_nothing);
    RUN(a_failed_allocation_is_told);
    return 0;
}
