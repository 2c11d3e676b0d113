/* rows: programs along an axis, some of whose steps reduce it.
 *
 * Note [Blocks and phases]
 * The arrays are seen as (outer, n, inner) and are reduced along n. One of the `outer` parts is a slab; its lines, of n
 * elements each, are `inner` in number. Where the registers of a slab fit the cache, a block of slabs goes through all
 * the steps before the next does. Where they do not, a slab is taken some columns of `inner` at a time, and the steps
 * in phases: what a step reduces is read in a later phase. The steps of one phase run on one cell before the next: rows
 * of these columns or, where inner is 1, a leaf of the tree by which NumPy sums. So what only one phase needs never
 * leaves the L1 cache; what a later one reads lies, if possible, in the memory of the result that it leads to.
 *
 * Threads share what is kept apart: slabs, columns, and the two sides of NumPy's tree. No result depends on it. */
#include "threads.h"
#include "walk.h"

#include <string.h>

enum {
    CACHE_BYTES = 24 * 1024,   /* what the registers of a block or of a cell may take of the L1 cache */
    BLOCK_BYTES = 48 * 1024,   /* a slab that takes more goes through in phases */
    SCRATCH_BYTES = 72 * 1024, /* on the stack: temporaries */
    COLUMNS = 64,              /* columns are taken in multiples of this: loops take the same path as for all of them */
    WIDE = 256,                /* columns at a time, at most */
    CELL = 4096,               /* elements of a cell at most */
    SHARE = FG_GRAIN / 2,      /* elements that are worth a thread */
    TREE_PARTS = 64,           /* in which NumPy's tree is cut at most, for threads */
    SHORT = 64,                /* pieces too short to call a loop for each */
    TOGETHER = 512,            /* elements of short pieces in one call */
    LANES = 8,                 /* so many numbers NumPy adds at a time; fewer one after the other */
    PAIRWISE = 128,            /* elements that NumPy sums without cutting them in two */
};

typedef struct work {
    const fg_program *p;
    fg_array *const *inputs, *const *outputs;
    intptr_t outer, n, inner;
    char *full[FG_MAXREGS]; /* in phases: registers that have all elements in memory; NULL: of one cell */
    int nphases;
    uint8_t begin[FG_MAXROWSTEPS + 1]; /* the first step of each phase */
    intptr_t columns;                  /* taken at a time */
} work;

static int first_temp(const fg_program *p) { return p->ninputs + p->nconsts; }
static int first_output(const fg_program *p) { return first_temp(p) + p->ntemps; }
static int register_count(const fg_program *p) { return first_output(p) + p->noutputs; }
static bool is_temp(const fg_program *p, int r) { return r >= first_temp(p) && r < first_output(p); }

static intptr_t whole_lines(intptr_t bytes) { return (bytes + FG_LINE - 1) & ~(intptr_t)(FG_LINE - 1); }
static char *aligned(char *memory) { return memory + (-(uintptr_t)memory & (FG_LINE - 1)); }

static void share(const work *w, fg_work run, void *context, intptr_t n, intptr_t grain) {
    if (w->p->foreign && !fg_share_foreign)
        run(context, 0, n);
    else
        fg_parallel(run, context, n, grain);
}

/* The memory of an input, an output or a constant. */
static char *outside(const work *w, int r) {
    const fg_program *p = w->p;
    if (r < p->ninputs) return w->inputs[r]->data;
    return r < first_temp(p) ? p->consts + 16 * (r - p->ninputs) : w->outputs[r - first_output(p)]->data;
}

/* Bytes of register r in a slab. */
static intptr_t slab_bytes(const work *w, int r) {
    const fg_program *p = w->p;
    const intptr_t lines = p->place[r] == FG_SINGLE ? 0 : w->inner * p->itemsize[r];
    return p->place[r] == FG_EACH ? lines * w->n : lines;
}

static bool mixes(const fg_program *p, const fg_step *step) {
    if (p->place[step->out] != FG_EACH) return false;
    for (int k = 0; k < step->nin; k++) {
        if (p->place[step->in[k]] == FG_PER_ROW) return true;
    }
    return false;
}

/* One call of a step's loop over n elements, from element `each` of registers with a value for each, and from line
 * `line` of those with one for each line, which stands still where `still`. */
static void call(const fg_program *p, char *const *at, const fg_step *step, intptr_t each, intptr_t line, intptr_t n,
                 bool still) {
    char *args[5];
    intptr_t strides[5];
    for (int k = 0; k <= step->nin; k++) {
        const int r = k < step->nin ? step->in[k] : step->out;
        const intptr_t size = p->itemsize[r];
        const bool per_row = p->place[r] == FG_PER_ROW;
        args[k] = at[r] + (per_row ? line * size : p->place[r] == FG_EACH ? each * size : 0);
        strides[k] = p->place[r] == FG_SINGLE || (per_row && still) ? 0 : size;
    }
    step->loop.fn(args, &n, strides, step->loop.data);
}

/* Pieces: runs of elements in which a value for each line has one stride, which is 0 where `still`. */
typedef struct pieces {
    intptr_t count, length;
    intptr_t alike, lines; /* so many have the same lines, the next ones those so many further on */
    bool still;
} pieces;

/* What `count` pieces from `first` on see of values for each line, one after the other. */
#define SPREAD(name, type)                                                                              \
    static void name(char *into, const char *values, const pieces *s, intptr_t first, intptr_t count) { \
        type *to = (type *)(void *)into;                                                                \
        for (intptr_t q = first; q < first + count; q++) {                                              \
            const type *from = (const type *)(const void *)values + q / s->alike * s->lines;            \
            for (intptr_t i = 0; i < s->length; i++) *to++ = from[s->still ? 0 : i];                    \
        }                                                                                               \
    }
SPREAD(spread_1, uint8_t)
SPREAD(spread_4, uint32_t)
SPREAD(spread_8, uint64_t)

/* Short pieces, many at a time, on copies of the values for each line, as NumPy does it (Note [Buffering]). */
static void call_together(const fg_program *p, char *const *at, const fg_step *step, const pieces *s) {
    uint64_t copies[4][TOGETHER];
    char *args[5];
    intptr_t strides[5], count, n;
    for (intptr_t first = 0; first < s->count; first += count) {
        count = TOGETHER / s->length < s->count - first ? TOGETHER / s->length : s->count - first;
        n = count * s->length;
        for (int k = 0; k <= step->nin; k++) {
            const int r = k < step->nin ? step->in[k] : step->out;
            strides[k] = p->place[r] == FG_SINGLE ? 0 : p->itemsize[r];
            args[k] = at[r] + first * s->length * strides[k];
            if (p->place[r] != FG_PER_ROW) continue;
            args[k] = (char *)copies[k];
            (strides[k] == 8 ? spread_8 : strides[k] == 4 ? spread_4 : spread_1)(args[k], at[r], s, first, count);
        }
        step->loop.fn(args, &n, strides, step->loop.data);
    }
}

/* A step that mixes values for each element and for each line. */
static void call_pieces(const fg_program *p, char *const *at, const fg_step *step, const pieces *s) {
    if (s->length < SHORT && s->count > 1) {
        call_together(p, at, step, s);
        return;
    }
    for (intptr_t q = 0; q < s->count; q++)
        call(p, at, step, q * s->length, q / s->alike * s->lines, s->length, s->still);
}

/* ---------------------------------------------------------------- reductions -- */

/* Sums of few numbers: NumPy adds them one after the other, too. */
#define FEW(name, type)                                                                      \
    static void name##_line(char *into, const char *from, intptr_t n) {                      \
        const type *x = (const type *)(const void *)from;                                    \
        type sum = x[0];                                                                     \
        for (intptr_t i = 1; i < n; i++) sum += x[i];                                        \
        *(type *)(void *)into = 0 + sum;                                                     \
    }                                                                                        \
    static void name##_columns(char *into, const char *from, intptr_t n, intptr_t columns) { \
        const type *x = (const type *)(const void *)from;                                    \
        type *to = (type *)(void *)into;                                                     \
        for (intptr_t i = 0; i < n; i++, x += columns) {                                     \
            for (intptr_t k = 0; k < columns; k++) to[k] += x[k];                            \
        }                                                                                    \
    }
FEW(few_4, float)
FEW(few_8, double)

static void fold(const fg_loop *loop, char *into, char *from, intptr_t n, intptr_t into_stride, intptr_t from_stride) {
    char *args[3] = {into, from, into};
    const intptr_t strides[3] = {into_stride, from_stride, into_stride};
    if (n) loop->fn(args, &n, strides, loop->data);
}

/* One line, as NumPy goes about it: a sum starts from 0, the others from the first element. */
static void reduce_line(const fg_step *step, char *into, char *from, intptr_t n, intptr_t size) {
    const bool sums = step->reduces == FG_SUM;
    if (step->reduces == FG_PRODUCT) {
        fg_products(into, from, 1, n, size);
        return;
    }
    if (sums && n < LANES) {
        (size == 4 ? few_4_line : few_8_line)(into, from, n);
        return;
    }
    if (sums)
        memset(into, 0, (size_t)size);
    else
        memcpy(into, from, (size_t)size);
    fold(&step->loop, into, sums ? from : from + size, sums ? n : n - 1, 0, size);
}

/* The lines of a slab's columns: row by row. */
static void reduce_columns(const fg_step *step, char *into, char *from, intptr_t n, intptr_t columns, intptr_t size,
                           intptr_t stride, bool start) {
    if (start && step->reduces == FG_SUM) memset(into, 0, (size_t)(columns * size));
    if (start && step->reduces != FG_SUM) {
        memcpy(into, from, (size_t)(columns * size));
        from += stride;
        n--;
    }
    if (step->reduces == FG_SUM && columns < SHORT && stride == columns * size) {
        (size == 4 ? few_4_columns : few_8_columns)(into, from, n, columns);
        return;
    }
    for (intptr_t i = 0; i < n; i++) fold(&step->loop, into, from + i * stride, columns, size, size);
}

static void dot(const fg_step *step, char *const *at, intptr_t n, intptr_t size) {
    char *args[3] = {at[step->in[0]], at[step->in[1]], at[step->out]};
    const intptr_t dims[2] = {1, n}, strides[5] = {n * size, n * size, size, size, size};
    step->loop.fn(args, dims, strides, step->loop.data);
}

static void reduce_block(const work *w, char *const *at, const fg_step *step, intptr_t count) {
    const intptr_t n = w->n, inner = w->inner, size = w->p->itemsize[step->out];
    char *from = at[step->in[0]], *into = at[step->out];
    if (step->reduces == FG_DOT) {
        dot(step, at, n, size);
        return;
    }
    if (inner == 1 && step->reduces == FG_PRODUCT) {
        fg_products(into, from, count, n, size);
        return;
    }
    for (intptr_t i = 0; i < count; i++) {
        if (inner == 1)
            reduce_line(step, into + i * size, from + i * n * size, n, size);
        else
            reduce_columns(step, into + i * inner * size, from + i * n * inner * size, n, inner, size, inner * size,
                           true);
    }
}

/* ---------------------------------------------------------------- blocks -- */

static void run_block(const work *w, char *const *at, intptr_t count) {
    const fg_program *p = w->p;
    const fg_step *end = p->steps + p->nsteps;
    const intptr_t lines = w->inner, slab = w->n * lines;
    const intptr_t alike = lines == 1 ? 1 : w->n;
    const pieces runs = {count * alike, slab / alike, alike, lines, lines == 1};
    for (const fg_step *step = p->steps; step < end; step++) {
        if (step->reduces) {
            reduce_block(w, at, step, count);
        } else if (p->place[step->out] != FG_EACH) {
            call(p, at, step, 0, 0, count * lines, false);
        } else if (!mixes(p, step)) {
            call(p, at, step, 0, 0, count * slab, false);
        } else {
            call_pieces(p, at, step, &runs);
        }
    }
}

static void run_blocks(void *context, intptr_t first, intptr_t last) {
    const work *w = context;
    const fg_program *p = w->p;
    char memory[SCRATCH_BYTES + FG_LINE], *scratch = aligned(memory), *at[FG_MAXREGS];
    intptr_t all = 1, count;
    for (int r = 0; r < register_count(p); r++) all += slab_bytes(w, r);
    count = CACHE_BYTES / all;
    if (count < 1) count = 1;
    for (int r = first_temp(p); r < first_output(p); r++) {
        at[r] = scratch;
        scratch += whole_lines((count < last - first ? count : last - first) * slab_bytes(w, r));
    }
    for (; first < last; first += count) {
        for (int r = 0; r < register_count(p); r++) {
            if (!is_temp(p, r)) at[r] = outside(w, r) + first * slab_bytes(w, r);
        }
        run_block(w, at, count < last - first ? count : last - first);
    }
}

/* ---------------------------------------------------------------- phases -- */

/* Cut the steps into phases, and find which temporaries have to outlast one. */
static void find_phases(work *w, bool *outlasts) {
    const fg_program *p = w->p;
    int phase = 0, pending[FG_MAXREGS], written[FG_MAXREGS];
    memset(outlasts, 0, FG_MAXREGS * sizeof *outlasts);
    for (int r = 0; r < register_count(p); r++) pending[r] = written[r] = -1;
    w->begin[0] = 0;
    for (int s = 0; s < p->nsteps; s++) {
        const fg_step *step = &p->steps[s];
        for (int k = 0; k < step->nin; k++) {
            if (pending[step->in[k]] == phase) w->begin[++phase] = (uint8_t)s;
        }
        for (int k = 0; k < step->nin; k++) {
            const int r = step->in[k];
            if (p->place[r] == FG_EACH && written[r] >= 0 && written[r] < phase) outlasts[r] = true;
        }
        written[step->out] = phase;
        pending[step->out] = step->reduces ? phase : -1;
    }
    w->nphases = phase + 1;
    w->begin[w->nphases] = (uint8_t)p->nsteps;
}

/* An output that is first written when temporary r is no longer needed, and whose memory nobody else has; or -1. */
static int output_for(const work *w, int r, const char *const *taken) {
    const fg_program *p = w->p;
    int last = 0;
    for (int s = 0; s < p->nsteps; s++) {
        for (int k = 0; k < p->steps[s].nin; k++) {
            if (p->steps[s].in[k] == r) last = s;
        }
        if (p->steps[s].out == r) last = s + 1;
    }
    for (int out = first_output(p); out < register_count(p); out++) {
        int first = 0;
        while (p->steps[first].out != out) first++;
        if (first < last || p->place[out] != FG_EACH || p->itemsize[out] != p->itemsize[r] || taken[out]) continue;
        bool shared = false;
        for (int k = 0; k < p->ninputs; k++) shared = shared || w->inputs[k]->data == outside(w, out);
        if (!shared) return out;
    }
    return -1;
}

/* Memory for what outlasts a phase; *heap is what had to be allocated for it. */
static fg_status place_full(work *w, char **heap) {
    const fg_program *p = w->p;
    bool outlasts[FG_MAXREGS];
    const char *taken[FG_MAXREGS] = {NULL};
    intptr_t needed = 0;
    find_phases(w, outlasts);
    for (int r = 0; r < register_count(p); r++) {
        w->full[r] = is_temp(p, r) ? NULL : outside(w, r);
        if (!outlasts[r] || !is_temp(p, r)) continue;
        const int out = output_for(w, r, taken);
        if (out >= 0)
            w->full[r] = outside(w, out), taken[out] = w->full[r];
        else
            needed += whole_lines(w->outer * slab_bytes(w, r));
    }
    *heap = needed ? fg_block_alloc((size_t)needed + FG_LINE) : NULL;
    if (!needed) return FG_OK;
    if (!*heap) return FG_NOMEM;
    char *unused = aligned(*heap);
    for (int r = first_temp(p); r < first_output(p); r++) {
        if (!outlasts[r] || w->full[r]) continue;
        w->full[r] = unused;
        unused += whole_lines(w->outer * slab_bytes(w, r));
    }
    return FG_OK;
}

/* One phase over some columns of a slab, or over one line. */
typedef struct phase {
    const work *w;
    const fg_step *begin, *end;
    char *at[FG_MAXREGS]; /* where the columns or the line begin in each register */
} phase;

typedef struct sums {
    char of[FG_MAXROWSTEPS][8]; /* by number of the step in its phase */
} sums;

/* How many elements of a cell fit the cache, with what lives in one cell only. */
static intptr_t cell_room(const work *w) {
    const fg_program *p = w->p;
    intptr_t bytes = 1;
    for (int r = 0; r < register_count(p); r++) bytes += p->place[r] == FG_EACH ? p->itemsize[r] : 0;
    const intptr_t room = CACHE_BYTES / bytes & ~(intptr_t)(FG_LINE - 1);
    return room < PAIRWISE ? PAIRWISE : room < CELL ? room : CELL;
}

/* Temporaries of one cell of `room` elements, at `scratch`; gives what is left of it. */
static char *place_cell(const work *w, char **at, intptr_t room, char *scratch) {
    const fg_program *p = w->p;
    for (int r = first_temp(p); r < first_output(p); r++) {
        if (p->place[r] != FG_EACH || w->full[r]) continue;
        at[r] = scratch;
        scratch += whole_lines(room * p->itemsize[r]);
    }
    return scratch;
}

/* Temporaries with a value for each of so many lines. */
static void place_lines(const work *w, char **at, intptr_t lines, char *scratch) {
    const fg_program *p = w->p;
    for (int r = first_temp(p); r < first_output(p); r++) {
        if (p->place[r] != FG_PER_ROW) continue;
        at[r] = scratch;
        scratch += whole_lines(lines * p->itemsize[r]);
    }
}

/* Everything else, from the given element of all, and the given line. */
static void place_outside(const work *w, char **at, intptr_t element, intptr_t line) {
    const fg_program *p = w->p;
    for (int r = 0; r < register_count(p); r++) {
        if (p->place[r] == FG_EACH && w->full[r]) at[r] = w->full[r] + element * p->itemsize[r];
        if (p->place[r] != FG_EACH && !is_temp(p, r))
            at[r] = outside(w, r) + (p->place[r] == FG_PER_ROW ? line * p->itemsize[r] : 0);
    }
}

static void begin_phase(phase *f, const work *w, int k) {
    f->w = w;
    f->begin = w->p->steps + w->begin[k];
    f->end = w->p->steps + w->begin[k + 1];
}

/* What has a value for each line comes first: nothing of the phase's cells goes into it. */
static void run_lines(const phase *f, intptr_t lines) {
    for (const fg_step *step = f->begin; step < f->end; step++) {
        if (!step->reduces && f->w->p->place[step->out] != FG_EACH) call(f->w->p, f->at, step, 0, 0, lines, false);
    }
}

static bool begins_at_input(const work *w, const fg_step *step) { return step->in[0] < w->p->ninputs; }

/* What n elements of a line come to: a sum of them alone; of another reduction what they add to the elements before. */
static void reduce_piece(const work *w, const fg_step *step, char *into, char *from, intptr_t n, bool start) {
    const intptr_t size = w->p->itemsize[step->out];
    if (start || step->reduces == FG_SUM)
        reduce_line(step, into, from, n, size);
    else
        fold(&step->loop, into, from, n, 0, size);
}

/* The cell `element` elements further on, of so many rows of columns; `at`: where its registers are. `to`: of one line,
 * what its sums come to in this cell. */
static void run_cell(const phase *f, char **at, intptr_t element, intptr_t rows, intptr_t columns, sums *to) {
    const work *w = f->w;
    const fg_program *p = w->p;
    for (int r = 0; r < register_count(p); r++) {
        if (p->place[r] == FG_EACH && w->full[r]) at[r] = f->at[r] + element * p->itemsize[r];
    }
    for (const fg_step *step = f->begin; step < f->end; step++) {
        const intptr_t size = p->itemsize[step->out];
        if (step->reduces && to) {
            if (step->reduces != FG_SUM && begins_at_input(w, step)) continue; /* done: all of it at once */
            reduce_piece(w, step, step->reduces == FG_SUM ? to->of[step - f->begin] : at[step->out], at[step->in[0]],
                         columns, element == 0);
        } else if (step->reduces) {
            reduce_columns(step, at[step->out], at[step->in[0]], rows, columns, size, columns * size, element == 0);
        } else if (p->place[step->out] == FG_EACH) {
            const pieces runs = {rows, columns, rows, 0, w->inner == 1};
            if (mixes(p, step))
                call_pieces(p, at, step, &runs);
            else
                call(p, at, step, 0, 0, rows * columns, w->inner == 1);
        }
    }
}

static bool has_cells(const phase *f) {
    for (const fg_step *step = f->begin; step < f->end; step++) {
        if (step->reduces || f->w->p->place[step->out] == FG_EACH) return true;
    }
    return false;
}

static void run_columns(const phase *f, char **at, intptr_t columns, intptr_t room) {
    const work *w = f->w;
    const intptr_t inner = w->inner, together = columns == inner && room > inner ? room / inner : 1;
    for (intptr_t i = 0; i < w->n; i += together) {
        const intptr_t rows = together < w->n - i ? together : w->n - i;
        run_cell(f, at, i * inner, rows, columns, NULL);
    }
}

/* Columns of slabs: all phases of one part before the next part. */
static void run_parts(void *context, intptr_t first, intptr_t last) {
    const work *w = context;
    char memory[SCRATCH_BYTES + FG_LINE], *at[FG_MAXREGS];
    const intptr_t room = cell_room(w), parts = (w->inner + w->columns - 1) / w->columns;
    phase f;
    place_lines(w, f.at, w->columns, place_cell(w, f.at, room, aligned(memory)));
    for (; first < last; first++) {
        const intptr_t slab = first / parts, column = first % parts * w->columns;
        const intptr_t columns = w->columns < w->inner - column ? w->columns : w->inner - column;
        place_outside(w, f.at, slab * w->n * w->inner + column, slab * w->inner + column);
        memcpy(at, f.at, (size_t)register_count(w->p) * sizeof *at);
        for (int k = 0; k < w->nphases; k++) {
            begin_phase(&f, w, k);
            run_lines(&f, columns);
            if (has_cells(&f)) run_columns(&f, at, columns, room);
        }
    }
}

/* Few enough columns for a row's piece of each register to stay in the cache. More of them, so few that all rows did,
 * would be too short to call a loop for. */
static intptr_t choose_columns(const work *w) {
    const fg_program *p = w->p;
    const intptr_t room = cell_room(w);
    intptr_t bytes = 1, parts;
    for (int r = first_temp(p); r < first_output(p); r++) bytes += p->place[r] == FG_PER_ROW ? p->itemsize[r] : 0;
    intptr_t most = CACHE_BYTES / bytes < room ? CACHE_BYTES / bytes : room;
    if (most > WIDE && w->nphases > 1) most = WIDE;
    parts = (w->inner + most - 1) / most;
    /* something for each thread */
    if (parts == 1 && w->outer == 1 && w->inner > 2 * COLUMNS && fg_threads_get() > 1) parts = 2;
    return w->inner <= COLUMNS ? w->inner : (w->inner / parts + COLUMNS - 1) / COLUMNS * COLUMNS;
}

/* ---------------------------------------------------------------- long lines -- */

/* One phase over one line. */
typedef struct line {
    phase f;
    intptr_t room;
    int parts;                                      /* in which the line is cut */
    intptr_t first[TREE_PARTS], length[TREE_PARTS]; /* of each */
    sums total[TREE_PARTS];
} line;

static void add_sums(const phase *f, sums *to, sums *more) {
    int k = 0;
    for (const fg_step *step = f->begin; step < f->end; step++, k++) {
        const intptr_t size = f->w->p->itemsize[step->out];
        if (step->reduces == FG_SUM) fold(&step->loop, to->of[k], more->of[k], 1, size, size);
    }
}

/* Elements [first, first + n) of the line, leaf by leaf of NumPy's tree. */
static void run_tree(const line *l, char **at, intptr_t first, intptr_t n, sums *to) {
    const phase *f = &l->f;
    if (n > l->room) {
        sums more;
        run_tree(l, at, first, fg_half(n), to);
        run_tree(l, at, first + fg_half(n), n - fg_half(n), &more);
        add_sums(f, to, &more);
        return;
    }
    run_cell(f, at, first, 1, n, to);
}

static void run_tree_parts(void *context, intptr_t first, intptr_t last) {
    line *l = context;
    char memory[SCRATCH_BYTES + FG_LINE], *at[FG_MAXREGS];
    memcpy(at, l->f.at, sizeof at);
    place_cell(l->f.w, at, l->room, aligned(memory));
    for (; first < last; first++) run_tree(l, at, l->first[first], l->length[first], &l->total[first]);
}

/* Cut a line as often as its length is worth. */
static void cut_line(line *l, intptr_t n) {
    l->parts = 1;
    l->first[0] = 0;
    l->length[0] = n;
    for (; l->parts < TREE_PARTS && n / l->parts > 2 * SHARE; l->parts *= 2) {
        for (int i = l->parts - 1; i >= 0; i--) {
            const intptr_t begin = l->first[i], length = l->length[i], half = fg_half(length);
            l->first[2 * i] = begin;
            l->length[2 * i] = half;
            l->first[2 * i + 1] = begin + half;
            l->length[2 * i + 1] = length - half;
        }
    }
}

/* The reductions of one phase that are more than sums of cells; says whether cells must be taken in order. */
static bool reduce_inputs(const phase *f) {
    bool ordered = false;
    for (const fg_step *step = f->begin; step < f->end; step++) {
        if (!step->reduces || step->reduces == FG_SUM) continue;
        if (step->reduces == FG_DOT)
            dot(step, f->at, f->w->n, f->w->p->itemsize[step->out]);
        else if (begins_at_input(f->w, step))
            reduce_line(step, f->at[step->out], f->at[step->in[0]], f->w->n, f->w->p->itemsize[step->out]);
        else
            ordered = true;
    }
    return ordered;
}

/* All phases over line `which`. */
static void run_line(const work *w, line *l, intptr_t which, bool threads) {
    place_outside(w, l->f.at, which * w->n, which);
    for (int k = 0; k < w->nphases; k++) {
        begin_phase(&l->f, w, k);
        run_lines(&l->f, 1);
        const bool ordered = reduce_inputs(&l->f);
        if (!has_cells(&l->f)) continue;
        if (threads && !ordered)
            share(w, run_tree_parts, l, l->parts, 1);
        else
            run_tree_parts(l, 0, l->parts);
        for (int step = 1; step < l->parts; step *= 2) {
            for (int i = 0; i < l->parts; i += 2 * step) add_sums(&l->f, &l->total[i], &l->total[i + step]);
        }
        int number = 0;
        for (const fg_step *step = l->f.begin; step < l->f.end; step++, number++) {
            if (step->reduces == FG_SUM)
                memcpy(l->f.at[step->out], l->total[0].of[number], (size_t)w->p->itemsize[step->out]);
        }
    }
}

static void begin_line(line *l, const work *w, char *memory) {
    place_lines(w, l->f.at, 1, aligned(memory));
    l->room = cell_room(w);
    cut_line(l, w->n);
}

static void run_long_lines(void *context, intptr_t first, intptr_t last) {
    const work *w = context;
    char memory[FG_LINE * (FG_MAXROWSTEPS + 1)];
    line l;
    begin_line(&l, w, memory);
    for (; first < last; first++) run_line(w, &l, first, w->outer == 1);
}

/* ---------------------------------------------------------------- all of it -- */

fg_status fg_program_run_rows(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs, intptr_t outer,
                              intptr_t n, intptr_t inner) {
    work w;
    char *heap = NULL;
    intptr_t slab = 0;
    if (outer == 0 || n == 0 || inner == 0) return FG_OK;
    w.p = p;
    w.inputs = inputs;
    w.outputs = outputs;
    w.outer = outer;
    w.n = n;
    w.inner = inner;
    for (int r = 0; r < register_count(p); r++) slab += slab_bytes(&w, r);
    const intptr_t grain = 1 + SHARE / (n * inner);
    if (slab <= BLOCK_BYTES) {
        share(&w, run_blocks, &w, outer, grain);
        return FG_OK;
    }
    if (place_full(&w, &heap) != FG_OK) return FG_NOMEM;
    if (inner == 1) {
        if (outer == 1)
            run_long_lines(&w, 0, 1);
        else
            share(&w, run_long_lines, &w, outer, grain);
    } else {
        w.columns = choose_columns(&w);
        const intptr_t parts = (inner + w.columns - 1) / w.columns;
        share(&w, run_parts, &w, outer * parts, 1 + SHARE / (n * w.columns));
    }
    if (heap) fg_block_free(heap);
    return FG_OK;
}
