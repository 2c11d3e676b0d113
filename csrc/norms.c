/* norms: values with mean 0 and variance 1 over some axes, scaled and shifted, and the vjp of that.
 *
 * Note [Norms]
 * Arrays are seen as (a, c, b) and normalised along a and b. Where b is 1 the c columns go strip by strip, rows added in
 * their order; else the c lines one by one, each of a pieces of b elements. Sums of the forward are formed in NumPy's order,
 * of all rows of columns, or of each piece. What weights along the lines get is summed in blocks of lines, then over the
 * blocks; how many there are depends on the shape alone, so no result depends on the threads. */
#include "kernels.h"
#include "threads.h"
#include "walk.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2", "tree-vectorize", "vect-cost-model=dynamic")
#endif

enum {
    LEAF = 128,               /* elements that NumPy sums without cutting them in two */
    CHUNK = 512,              /* elements of a line at a time */
    WIDE = 128,               /* columns of a strip at most */
    NARROW = 16,              /* and a multiple of this */
    STRIP_BYTES = 512 * 1024, /* a strip is to stay in the cache */
    SHARE = FG_GRAIN / 2,     /* elements that are worth a thread */
    LINES = 64,               /* in a block at most */
    BLOCKS = 16,              /* at least, if there are as many lines */
};

#define REAL double
#define OF(name) name##_of_double
#define ROOT sqrt
#include "norms.h"
#undef REAL
#undef OF
#undef ROOT

#define REAL float
#define OF(name) name##_of_float
#define ROOT sqrtf
#include "norms.h"

static intptr_t clamped(intptr_t n, intptr_t least, intptr_t most) { return n < least ? least : n > most ? most : n; }

/* How many columns are a strip: a few strips at least, and rows of whole cache lines. */
static intptr_t strip(const fg_norm *f) {
    const intptr_t room = STRIP_BYTES / (f->a * (f->dtype == FG_FLOAT32 ? 4 : 8)), fourth = f->c / 4;
    return clamped((room < fourth ? room : fourth) / NARROW * NARROW, NARROW, WIDE);
}

static void run(fg_norm *f, fg_work of_float, fg_work of_double, intptr_t count, intptr_t size) {
    fg_parallel(f->dtype == FG_FLOAT32 ? of_float : of_double, f, count, 1 + SHARE / size);
}

void fg_norm_forward(fg_norm *f) {
    if (f->b == 1 && f->a > 1) {
        f->together = strip(f);
        run(f, forward_columns_of_float, forward_columns_of_double, (f->c + f->together - 1) / f->together,
            f->a * f->together);
    } else {
        run(f, forward_lines_of_float, forward_lines_of_double, f->c, f->a * f->b);
    }
}

fg_status fg_norm_vjp(fg_norm *f) {
    if (f->b == 1 && f->a > 1) {
        f->together = strip(f);
        run(f, vjp_columns_of_float, vjp_columns_of_double, (f->c + f->together - 1) / f->together, f->a * f->together);
        return FG_OK;
    }
    const bool parts = f->along && f->dw;
    f->together = clamped(f->c / BLOCKS, 1, LINES);
    const intptr_t blocks = (f->c + f->together - 1) / f->together;
    if (parts) f->parts = fg_block_alloc(2 * (size_t)(blocks * f->b) * (f->dtype == FG_FLOAT32 ? 4 : 8));
    if (parts && !f->parts) return FG_NOMEM;
    run(f, vjp_lines_of_float, vjp_lines_of_double, blocks, f->together * f->a * f->b);
    if (!parts) return FG_OK;
    if (f->dtype == FG_FLOAT32)
        join_parts_of_float(f, blocks);
    else
        join_parts_of_double(f, blocks);
    fg_block_free(f->parts);
    return FG_OK;
}
