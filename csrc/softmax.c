/* softmax: softmax and log_softmax along an axis, and their vjps.
 *
 * Arrays are seen as (outer, n, inner). Where inner is 1 lines are taken one by one, short ones several together, so that
 * a call of NumPy's exp is long enough; else strips of columns, row by row. The largest number, the differences and the
 * sums are loops of our own, in NumPy's order: the bits are those of the formulas. */
#include "kernels.h"
#include "threads.h"
#include "walk.h"

#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2", "tree-vectorize", "vect-cost-model=dynamic")
#endif

enum {
    LEAF = 128,                /* elements that NumPy sums without cutting them in two */
    LONGEST = FG_SOFTMAX_LINE, /* elements of a line, of lines taken together, and of rows taken together */
    TOGETHER = 1024,           /* elements that make a call of exp long enough */
    WIDE = 128,                /* columns of a strip at most */
    NARROW = 16,               /* and a multiple of this */
    STRIP_BYTES = 512 * 1024,  /* a strip is to stay in the cache */
    SHARE = FG_GRAIN / 4,      /* elements that are worth a thread */
};

#define REAL double
#define OF(name) name##_of_double
#include "softmax.h"
#undef REAL
#undef OF

#define REAL float
#define OF(name) name##_of_float
#include "softmax.h"

static intptr_t clamped(intptr_t n, intptr_t least, intptr_t most) { return n < least ? least : n > most ? most : n; }

static void run(fg_softmax *f, const fg_work *lines, const fg_work *columns) {
    const bool wide = f->dtype == FG_FLOAT64;
    if (f->inner == 1) {
        f->together = clamped(TOGETHER / f->n, 1, f->outer);
        fg_parallel(lines[wide], f, f->outer, 1 + SHARE / f->n);
        return;
    }
    const intptr_t room = STRIP_BYTES / (f->n * (wide ? 8 : 4)), fourth = f->inner / 4;
    f->together = clamped((room < fourth ? room : fourth) / NARROW * NARROW, NARROW, WIDE);
    fg_parallel(columns[wide], f, f->outer * ((f->inner + f->together - 1) / f->together),
                1 + SHARE / (f->n * f->together));
}

void fg_softmax_forward(fg_softmax *f) {
    static const fg_work lines[2] = {forward_lines_of_float, forward_lines_of_double};
    static const fg_work columns[2] = {forward_columns_of_float, forward_columns_of_double};
    run(f, lines, columns);
}

void fg_softmax_vjp(fg_softmax *f) {
    static const fg_work lines[2] = {vjp_lines_of_float, vjp_lines_of_double};
    static const fg_work columns[2] = {vjp_columns_of_float, vjp_columns_of_double};
    run(f, lines, columns);
}
