/* loop: NumPy's inner loops over whole arrays: elementwise, reducing, and what backward makes of them. */
#include "walk.h"

#include <string.h>

fg_status fg_broadcast(int n, fg_array *const *arrays, int *ndim, intptr_t *shape) {
    int most = 0;
    for (int k = 0; k < n; k++) {
        if (arrays[k]->ndim > most) most = arrays[k]->ndim;
    }
    for (int i = 0; i < most; i++) {
        intptr_t length = 1;
        for (int k = 0; k < n; k++) {
            const int axis = i - (most - arrays[k]->ndim);
            const intptr_t own = axis < 0 ? 1 : fg_shape(arrays[k])[axis];
            if (own == 1 || own == length) continue;
            if (length != 1) return FG_SHAPE;
            length = own;
        }
        shape[i] = length;
    }
    *ndim = most;
    return FG_OK;
}

/* ---------------------------------------------------------------- elementwise -- */

bool fg_share_foreign = false;

static bool shared_out(const fg_loop *loop, intptr_t size) {
    return size >= 2 * FG_GRAIN && (!loop->foreign || fg_share_foreign);
}

/* Strides of one call over everything, if one call will do: a contiguous result, and operands that are contiguous
 * and as large, or of one element. */
static bool flat_strides(int nargs, fg_array *const *args, intptr_t *strides) {
    const fg_array *out = args[nargs - 1];
    for (int k = 0; k < nargs; k++) {
        const fg_array *a = args[k];
        if (a->size == out->size) {
            if (!(a->flags & FG_CONTIGUOUS)) return false;
            strides[k] = (intptr_t)a->itemsize;
        } else if (a->size == 1) {
            strides[k] = 0;
        } else {
            return false;
        }
    }
    return true;
}

/* The strides NumPy passes for one element, which decide the path some loops take: 0 for what has no axes, the own
 * stride of what has one, and 0 for everything where the numbers of axes differ otherwise. */
static void single_strides(int nargs, fg_array *const *args, intptr_t *strides) {
    const int ndim = args[nargs - 1]->ndim;
    bool mixed = false;
    for (int k = 0; k < nargs - 1; k++) {
        if (args[k]->ndim < 2) strides[k] = args[k]->ndim ? fg_strides(args[k])[0] : 0;
        if (args[k]->ndim && args[k]->ndim != ndim) mixed = true;
    }
    if (mixed && args[0]->data != args[nargs - 1]->data) memset(strides, 0, (size_t)nargs * sizeof *strides);
}

static void run_rows(const fg_loop *loop, fg_walk *w) {
    char *at[FG_MAXARGS];
    do {
        memcpy(at, w->at, (size_t)w->nargs * sizeof *at); /* a loop may move its pointers */
        loop->fn(at, &w->run, w->strides[0], loop->data);
    } while (fg_walk_next(w));
}

enum { SCRATCH_BYTES = 24 * 1024 }; /* on the stack; small enough to stay in the L1 cache with what is not copied */

/* One run of a walk, as many elements at a time as the buffers hold. */
static void run_buffered(const fg_loop *loop, const fg_walk *w, fg_array *const *args, fg_cursor *cursors,
                         intptr_t room) {
    char *at[FG_MAXARGS];
    intptr_t strides[FG_MAXARGS];
    const int out = w->nargs - 1;
    for (int k = 0; k <= out; k++) {
        const bool buffered = w->buffered >> k & 1;
        strides[k] = buffered ? (intptr_t)args[k]->itemsize : w->strides[0][k];
        if (buffered) fg_cursor_begin(&cursors[k], w, k);
    }
    for (intptr_t done = 0, n; done < w->run; done += n) {
        n = w->run - done < room ? w->run - done : room;
        for (int k = 0; k <= out; k++) {
            const bool buffered = w->buffered >> k & 1;
            at[k] = buffered ? cursors[k].buffer : w->at[k] + done * strides[k];
            if (buffered && k < out) fg_cursor_gather(&cursors[k], w, k, n, args[k]->itemsize);
        }
        loop->fn(at, &n, strides, loop->data);
        if (w->buffered >> out & 1) fg_cursor_scatter(&cursors[out], w, out, n, args[out]->itemsize);
    }
}

/* A walk whose arrays are partly copied together. */
static void run_gathered(const fg_loop *loop, fg_walk *w, fg_array *const *args) {
    char scratch[SCRATCH_BYTES];
    fg_cursor cursors[FG_MAXARGS];
    char *unused = scratch + (-(uintptr_t)scratch & (FG_LINE - 1));
    intptr_t bytes = 0;
    for (int k = 0; k < w->nargs; k++) bytes += w->buffered >> k & 1 ? (intptr_t)args[k]->itemsize : 0;
    const intptr_t room = (SCRATCH_BYTES - FG_LINE) / bytes & ~(intptr_t)(FG_LINE - 1);
    for (int k = 0; k < w->nargs; k++) {
        if (!(w->buffered >> k & 1)) continue;
        cursors[k].buffer = unused;
        unused += room * (intptr_t)args[k]->itemsize;
    }
    do {
        run_buffered(loop, w, args, cursors, room);
    } while (fg_walk_next(w));
}

/* A walk of arrays that lie across one another. */
static void run_strips(const fg_loop *loop, fg_walk *w, fg_array *const *args) {
    char scratch[SCRATCH_BYTES], *buffers[FG_MAXARGS] = {NULL}, *at[FG_MAXARGS];
    char *unused = scratch + (-(uintptr_t)scratch & (FG_LINE - 1));
    intptr_t bytes = 0, strides[FG_MAXARGS];
    for (int k = 0; k < w->nargs; k++) bytes += w->turned >> k & 1 ? FG_STRIP * (intptr_t)args[k]->itemsize : 0;
    const intptr_t width = (SCRATCH_BYTES - FG_LINE) / bytes & ~(intptr_t)(FG_STRIP - 1);
    for (int k = 0; k < w->nargs; k++) {
        strides[k] = w->turned >> k & 1 ? (intptr_t)args[k]->itemsize : w->strides[0][k];
        if (!(w->turned >> k & 1)) continue;
        buffers[k] = unused;
        unused += FG_STRIP * width * strides[k];
    }
    do {
        fg_strip s = {0, 0, 0, 0};
        while (fg_strip_next(&s, w, width)) {
            for (int k = 0; k < w->nargs; k++) {
                if (buffers[k]) fg_strip_gather(&s, w, k, buffers[k], args[k]->itemsize);
            }
            for (intptr_t i = 0; i < s.rows; i++) {
                for (int k = 0; k < w->nargs; k++) at[k] = fg_strip_at(&s, w, k, i, buffers[k], args[k]->itemsize);
                loop->fn(at, &s.columns, strides, loop->data);
            }
        }
    } while (fg_walk_next(w));
}

static void run_grouped(const fg_loop *loop, fg_walk *w, fg_array *const *args) {
    if (w->turned) {
        run_strips(loop, w, args);
    } else if (w->buffered) {
        run_gathered(loop, w, args);
    } else {
        run_rows(loop, w);
    }
}

/* What the threads share of one call. */
typedef struct job {
    const fg_loop *loop;
    int nargs;
    fg_array *const *args;
    const intptr_t *strides; /* of a flat run */
    const fg_walk *walk;     /* of any other */
    int axis;                /* of the walk, along which it is cut */
} job;

static void run_part(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    fg_walk w;
    fg_walk_cut(&w, j->walk, j->axis, first, last);
    run_grouped(j->loop, &w, j->args);
}

static void run_range(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    const intptr_t n = last - first;
    char *at[FG_MAXARGS];
    for (int k = 0; k < j->nargs; k++) at[k] = j->args[k]->data + first * j->strides[k];
    j->loop->fn(at, &n, j->strides, j->loop->data);
}

static void run_walk(const fg_loop *loop, int nargs, fg_array *const *args) {
    fg_walk w;
    intptr_t grain;
    fg_walk_begin(&w, nargs, args, nargs - 1, 0, nargs - 1);
    fg_walk_group(&w, nargs - 1, loop->exact, args);
    if (shared_out(loop, args[nargs - 1]->size)) {
        const int axis = fg_walk_split(&w, &grain);
        job j = {loop, nargs, args, NULL, &w, axis};
        fg_parallel(run_part, &j, w.shape[axis], grain);
    } else {
        run_grouped(loop, &w, args);
    }
}

void fg_loop_run(const fg_loop *loop, int nargs, fg_array *const *args) {
    char *at[FG_MAXARGS];
    intptr_t strides[FG_MAXARGS];
    const intptr_t n = args[nargs - 1]->size;
    if (n == 0) return;
    if (!flat_strides(nargs, args, strides)) {
        run_walk(loop, nargs, args);
        return;
    }
    if (shared_out(loop, n)) {
        job j = {loop, nargs, args, strides, NULL, 0};
        fg_parallel(run_range, &j, n, FG_GRAIN);
        return;
    }
    if (n == 1) single_strides(nargs, args, strides);
    for (int k = 0; k < nargs; k++) at[k] = args[k]->data;
    loop->fn(at, &n, strides, loop->data);
}

/* ---------------------------------------------------------------- reduction -- */

/* Note [Order of sums]
 * NumPy walks a reduction in the order of the operand's memory: axes sorted by the size of their strides (axes of
 * stride 0 keep their place), merged where they continue one another, the narrowest innermost. One call of the loop
 * goes along the innermost axis: over a reduced axis with the result standing still, which is when the sum is
 * pairwise; over a kept axis row by row. Short rows over reduced axes are first copied together (`buffered_axes`).
 * The same order gives the same bits. */

typedef struct axis {
    intptr_t n, into, from; /* length and strides */
} axis;

/* The axes longer than 1, the innermost first. */
static int reduction_axes(fg_array *into, fg_array *from, axis *axes) {
    int count = 0;
    for (int i = from->ndim - 1; i >= 0; i--) {
        const intptr_t n = fg_shape(from)[i];
        if (n == 1) continue;
        const axis new = {n, fg_shape(into)[i] == 1 ? 0 : fg_strides(into)[i], fg_strides(from)[i]};
        int place = count;
        for (int k = count - 1; k >= 0; k--) {
            if (!new.from || !axes[k].from) continue; /* says nothing about the order */
            if (fg_magnitude(axes[k].from) <= fg_magnitude(new.from)) break;
            place = k;
        }
        memmove(&axes[place + 1], &axes[place], (size_t)(count - place) * sizeof *axes);
        axes[place] = new;
        count++;
    }
    return count;
}

static int merge_axes(int count, axis *axes) {
    int kept = 0;
    for (int i = 1; i < count; i++) {
        axis *inner = &axes[kept];
        if (axes[i].into == inner->into * inner->n && axes[i].from == inner->from * inner->n) {
            inner->n *= axes[i].n;
        } else {
            axes[++kept] = axes[i];
        }
    }
    return count ? kept + 1 : 0;
}

/* Step along axes[first..count). False, and back at the start, when there are no more rows. */
static bool next_row(int first, int count, const axis *axes, intptr_t *index, char **into, char **from) {
    for (int i = first; i < count; i++) {
        if (++index[i] < axes[i].n) {
            *into += axes[i].into;
            *from += axes[i].from;
            return true;
        }
        *into -= axes[i].into * (axes[i].n - 1);
        *from -= axes[i].from * (axes[i].n - 1);
        index[i] = 0;
    }
    return false;
}

/* How many of the inner axes NumPy copies into its buffer before it sums them (0: none), and how many elements it
 * then passes at a time. It weighs calls against copies: (1 + operands copied) / (elements passed at a time). */
static int buffered_axes(int count, const axis *axes, intptr_t *fill) {
    intptr_t size = axes[0].n, best_size = size, core = 1;
    int best = 0, cost = 1, best_cost = 1;
    bool kept = false; /* reached a kept axis, over which nothing can be grouped */
    if (count < 2 || axes[0].into || axes[1].into) return 0;
    for (int i = 1; i < count && !kept && (size < FG_NUMPY_BUFFER || cost == 1); i++) {
        const intptr_t inner = size;
        kept = axes[i].into != 0;
        cost += (i == 1) + kept;
        size *= axes[i].n;
        const intptr_t passed = size < FG_NUMPY_BUFFER ? size : FG_NUMPY_BUFFER;
        if ((double)cost * (double)best_size <= (double)best_cost * (double)passed) {
            best = i;
            best_cost = cost;
            best_size = size;
            core = inner;
        }
    }
    if (best == 0) return 0;
    if (axes[best].into) {
        *fill = core;
        return best;
    }
    *fill = best_size <= FG_NUMPY_BUFFER ? best_size : core * (FG_NUMPY_BUFFER / core);
    return best + 1;
}

static void reduce_run(const fg_loop *loop, char *to, char *from, intptr_t n, intptr_t to_stride,
                       intptr_t from_stride) {
    char *args[3] = {to, from, to};
    const intptr_t strides[3] = {to_stride, from_stride, to_stride};
    loop->fn(args, &n, strides, loop->data);
}

/* Copy the rows of the first `group` axes together and reduce `fill` elements at a time. */
static void reduce_group(const fg_loop *loop, char *to, char *from, int group, const axis *axes, intptr_t *index,
                         char *buffer, intptr_t fill, uint32_t itemsize) {
    const intptr_t step = (intptr_t)itemsize;
    intptr_t filled = 0;
    do {
        fg_move(buffer + filled * step, step, from, axes[0].from, axes[0].n, itemsize);
        filled += axes[0].n;
        if (filled == fill) {
            reduce_run(loop, to, buffer, filled, 0, step);
            filled = 0;
        }
    } while (next_row(1, group, axes, index, &to, &from));
    if (filled) reduce_run(loop, to, buffer, filled, 0, step);
}

/* Note [Halves of sums]
 * NumPy sums a run of numbers pairwise: it cuts it in two, the first part a multiple of 8 long, until at most 128 are
 * left. So the two parts can be summed apart. */
enum { SUM_PARTS = 16 };

typedef struct halves {
    const fg_loop *add;
    char *from;
    intptr_t stride, first[SUM_PARTS + 1];
    double sums[SUM_PARTS]; /* of float64 or float32 */
} halves;

static void sum_parts(void *context, intptr_t first, intptr_t last) {
    halves *h = context;
    for (; first < last; first++) {
        h->sums[first] = 0;
        reduce_run(h->add, (char *)&h->sums[first], h->from + h->first[first] * h->stride,
                   h->first[first + 1] - h->first[first], 0, h->stride);
    }
}

/* A long run of numbers, by several threads. */
static void sum_run(const fg_loop *add, char *to, char *from, intptr_t n, intptr_t stride, uint32_t itemsize) {
    halves h = {add, from, stride, {0, n}, {0}};
    int parts = 1;
    for (; parts < SUM_PARTS && n / parts > 2 * FG_GRAIN; parts *= 2) {
        h.first[2 * parts] = n;
        for (int i = parts - 1; i >= 0; i--) {
            const intptr_t end = h.first[2 * i + 2], begin = h.first[i];
            h.first[2 * i + 1] = begin + fg_half(end - begin);
            h.first[2 * i] = begin;
        }
    }
    fg_parallel(sum_parts, &h, parts, 1);
    for (int step = 1; step < parts; step *= 2) {
        for (int i = 0; i < parts; i += 2 * step)
            reduce_run(add, (char *)&h.sums[i], (char *)&h.sums[i + step], 1, itemsize, itemsize);
    }
    reduce_run(add, to, (char *)h.sums, 1, itemsize, itemsize);
}

/* What the threads share of one reduction. */
typedef struct reduction {
    const fg_loop *loop;
    char *to, *from;
    const axis *axes;
    int count, cut; /* axis along which it is shared out */
    int group;      /* see buffered_axes */
    intptr_t fill;
    uint32_t itemsize;
} reduction;

static void reduce_part(void *context, intptr_t first, intptr_t last) {
    const reduction *r = context;
    axis axes[FG_MAXDIMS + 1];
    intptr_t index[FG_MAXDIMS + 1] = {0};
    char *to = r->to + first * r->axes[r->cut].into, *at = r->from + first * r->axes[r->cut].from;
    memcpy(axes, r->axes, (size_t)r->count * sizeof *axes);
    axes[r->cut].n = last - first;
    char *buffer = r->group ? fg_block_alloc((size_t)r->fill * r->itemsize) : NULL;
    if (buffer) {
        do {
            reduce_group(r->loop, to, at, r->group, axes, index, buffer, r->fill, r->itemsize);
        } while (next_row(r->group, r->count, axes, index, &to, &at));
        fg_block_free(buffer);
        return;
    }
    do { /* without memory for the buffer the sum is as right, though rounded elsewhere */
        reduce_run(r->loop, to, at, axes[0].n, axes[0].into, axes[0].from);
    } while (next_row(1, r->count, axes, index, &to, &at));
}

/* The longest of the kept axes; `from` where there is none. */
static int kept_axis(int from, int count, const axis *axes) {
    int best = from;
    for (int i = from; i < count; i++) {
        if (axes[i].into && (!axes[best].into || axes[i].n > axes[best].n)) best = i;
    }
    return best;
}

enum { LONG_PIECE = 2048 }; /* elements of a row: short ones are fetched into the cache less well */

void fg_loop_reduce(const fg_loop *loop, fg_array *into, fg_array *from) {
    axis axes[FG_MAXDIMS + 1];
    reduction r = {loop, into->data, from->data, axes, 0, 0, 0, 0, from->itemsize};
    const bool real = from->dtype == FG_FLOAT32 || from->dtype == FG_FLOAT64;
    if (from->size == 0) return;
    if (into->size == 1 && (from->flags & FG_CONTIGUOUS)) {
        if (real && from->size > 2 * FG_GRAIN)
            sum_run(loop, r.to, r.from, from->size, (intptr_t)from->itemsize, from->itemsize);
        else
            reduce_run(loop, r.to, r.from, from->size, 0, (intptr_t)from->itemsize);
        return;
    }
    r.count = merge_axes(reduction_axes(into, from, axes), axes);
    if (r.count == 0) axes[r.count++] = (axis){1, 0, (intptr_t)from->itemsize};
    r.group = buffered_axes(r.count, axes, &r.fill);
    r.cut = kept_axis(r.group, r.count, axes);
    if (r.cut == r.count) r.cut = 0;
    const axis *cut = &axes[r.cut];
    intptr_t grain = FG_GRAIN / (from->size / cut->n) + 1;
    if (r.cut == 0) { /* long pieces of rows, and no line of the cache to two threads */
        const intptr_t share = cut->n / fg_threads_get() & ~(intptr_t)(FG_LINE - 1);
        grain = share < LONG_PIECE || share < grain ? cut->n : share;
    }
    if (cut->into && from->size > 2 * FG_GRAIN)
        fg_parallel(reduce_part, &r, cut->n, grain);
    else
        reduce_part(&r, 0, cut->n);
}

/* ---------------------------------------------------------------- cotangents -- */

fg_status fg_sum_to(fg_array *g_take, fg_array *like, const fg_loop *add, fg_array **result) {
    static const char zero[16] = {0};
    intptr_t shape[FG_MAXDIMS];
    fg_array *g = g_take;
    if (fg_array_same_shape(g, like)) {
        *result = g;
        return FG_OK;
    }
    const int missing = g->ndim - like->ndim;
    fg_status status = missing < 0 ? FG_SHAPE : FG_OK;
    for (int i = 0; i < g->ndim && !status; i++) {
        shape[i] = i < missing ? 1 : fg_shape(like)[i - missing];
        if (shape[i] != 1 && shape[i] != fg_shape(g)[i]) status = FG_SHAPE;
    }
    fg_array *sum = NULL, *wide = NULL;
    if (!status) {
        sum = fg_array_new(like->ndim, fg_shape(like), g->dtype, g->itemsize);
        wide = sum;
        if (sum && missing) { /* the same memory, with g's ndim */
            intptr_t strides[FG_MAXDIMS] = {0};
            memcpy(strides + missing, fg_strides(sum), (size_t)like->ndim * sizeof *strides);
            wide = fg_array_view(sum, sum->data, g->ndim, shape, strides);
        }
        if (!wide) status = FG_NOMEM;
    }
    if (!status) {
        fg_fill(sum, zero);
        fg_loop_reduce(add, wide, g);
        *result = fg_array_keep(sum);
    }
    if (wide != sum) fg_array_drop(wide);
    fg_array_drop(sum);
    fg_array_drop(g);
    return status;
}

fg_status fg_accumulate(fg_array **held, fg_array *more_take, const fg_loop *add) {
    fg_array *a = *held, *b = more_take;
    if (!a) {
        *held = b;
        return FG_OK;
    }
    /* An array that nobody else can see was made by fg_array_new: contiguous and writeable. */
    fg_array *sum;
    if (fg_array_unshared(a)) {
        sum = fg_array_keep(a);
    } else if (fg_array_unshared(b)) {
        sum = fg_array_keep(b);
    } else {
        sum = fg_array_new(a->ndim, fg_shape(a), a->dtype, a->itemsize);
    }
    if (sum) {
        fg_array *args[3] = {a, b, sum};
        fg_loop_run(add, 3, args);
        *held = sum;
        fg_array_drop(a);
    }
    fg_array_drop(b);
    return sum ? FG_OK : FG_NOMEM;
}
