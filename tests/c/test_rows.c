/* Programs along an axis: blocks, phases, registers with a value for each line, and what outlasts a phase. */
#include "check.h"

static const fg_loop add = {double_add, NULL, false, false}, subtract = {double_subtract, NULL, false, false},
                     maximum = {double_maximum, NULL, false, false};

/* Registers: x (each), c (single) | 3.0 | top (row), d (each) | out (each), total (row).
 * top = max(x); d = x - top; total = sum(d); total = total + 3; out = d + c, or, where `early`, before the sum. */
static fg_program *make(bool early) {
    static const uint8_t places[] = {FG_EACH, FG_SINGLE, FG_SINGLE, FG_PER_ROW, FG_EACH, FG_EACH, FG_PER_ROW};
    const fg_step steps[] = {
        {maximum, 1, 3, {0}, FG_EXTREME}, {subtract, 2, 4, {0, 3}, 0}, {add, 1, 6, {4}, FG_SUM},
        {add, 2, 6, {6, 2}, 0},           {add, 2, 5, {4, 1}, 0},
    };
    static const int orders[2][5] = {{0, 1, 2, 3, 4}, {0, 1, 4, 2, 3}};
    fg_program *p = fg_program_new(2, 1, 2, 2, 5);
    CHECK(p);
    for (int r = 0; r < 7; r++) {
        p->itemsize[r] = 8;
        p->place[r] = places[r];
    }
    *(double *)(void *)p->consts = 3.0;
    for (int s = 0; s < 5; s++) p->steps[s] = steps[orders[early][s]];
    fg_program_finish(p);
    return p;
}

/* In place where `over`: the memory of x is that of out. */
static void run(const fg_program *p, intptr_t outer, intptr_t n, intptr_t inner, bool over) {
    const intptr_t shape[3] = {outer, n, inner}, lines[2] = {outer, inner};
    fg_array *x = fg_array_new(3, shape, FG_FLOAT64, 8), *c = fg_array_new(0, NULL, FG_FLOAT64, 8);
    fg_array *out = over ? x : fg_array_new(3, shape, FG_FLOAT64, 8), *total = fg_array_new(2, lines, FG_FLOAT64, 8);
    CHECK(x && c && out && total);
    double *values = malloc((size_t)x->size * sizeof *values);
    for (intptr_t i = 0; i < x->size; i++) values[i] = random_whole();
    memcpy(x->data, values, (size_t)x->size * sizeof *values);
    *(double *)(void *)c->data = 7.0;
    fg_array *inputs[2] = {x, c}, *outputs[2] = {out, total};
    CHECK(fg_program_run_rows(p, inputs, outputs, outer, n, inner) == FG_OK);
    for (intptr_t i = 0; i < outer * inner; i++) {
        const intptr_t at = i / inner * n * inner + i % inner;
        double top = values[at], sum = 0;
        for (intptr_t j = 1; j < n; j++) top = values[at + j * inner] > top ? values[at + j * inner] : top;
        for (intptr_t j = 0; j < n; j++) {
            const double d = values[at + j * inner] - top;
            CHECK(((double *)(void *)out->data)[at + j * inner] == d + 7.0);
            sum += d;
        }
        CHECK(((double *)(void *)total->data)[i] == sum + 3.0);
    }
    free(values);
    fg_array_drop(x);
    fg_array_drop(c);
    if (!over) fg_array_drop(out);
    fg_array_drop(total);
}

static void lines_are_reduced_and_spread(void) {
    static const intptr_t lengths[] = {1, 2, 3, 7, 64, 333, 2000, 5000, 100000};
    for (int way = 0; way < 4; way++) {
        fg_program *p = make(way & 1);
        for (int i = 0; i < 9; i++) {
            run(p, 1, lengths[i], 1, way & 2);
            run(p, 2, lengths[i], 1, way & 2);
            run(p, 1 + random_below(200000) / lengths[i], lengths[i], 1, way & 2);
            run(p, 1, lengths[i], 1 + random_below(200000) / lengths[i], way & 2);
            run(p, 3, lengths[i], 1 + random_below(20000) / lengths[i], way & 2);
            run(p, 2, lengths[i], 3, way & 2);
        }
        fg_program_free(p);
    }
}

static void nothing_is_done_where_there_is_nothing(void) {
    fg_program *p = make(false);
    CHECK(fg_program_run_rows(p, NULL, NULL, 0, 5, 1) == FG_OK);
    CHECK(fg_program_run_rows(p, NULL, NULL, 5, 0, 1) == FG_OK);
    CHECK(fg_program_run_rows(p, NULL, NULL, 5, 1, 0) == FG_OK);
    fg_program_free(p);
}

static void a_failed_allocation_is_told(void) {
    const intptr_t shape[2] = {1, 100000};
    fg_program *p = make(false);
    fg_array *x = fg_array_new(2, shape, FG_FLOAT64, 8), *c = fg_array_new(0, NULL, FG_FLOAT64, 8);
    fg_array *total = fg_array_new(1, shape, FG_FLOAT64, 8);
    CHECK(x && c && total);
    memset(x->data, 0, 800000);
    memset(c->data, 0, 8);
    fg_array *inputs[2] = {x, c},
             *outputs[2] = {x, total}; /* in place: what outlasts a phase needs memory of its own */
    fg_mem_fail_after(0);
    CHECK(fg_program_run_rows(p, inputs, outputs, 1, 100000, 1) == FG_NOMEM);
    CHECK(fg_program_run_rows(p, inputs, outputs, 1, 100000, 1) == FG_OK);
    fg_array_drop(x);
    fg_array_drop(c);
    fg_array_drop(total);
    fg_program_free(p);
}

int main(void) {
    RUN(lines_are_reduced_and_spread);
    RUN(nothing_is_done_where_there_is_nothing);
    RUN(a_failed_allocation_is_told);
    return 0;
}
