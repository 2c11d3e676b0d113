/* rows: programs along the rows of a matrix, some of whose steps reduce a row. */
#include "walk.h"

#include <string.h>

enum {
    SCRATCH_BYTES = 32 * 1024, /* on the stack: temporaries of a block of rows, where a row is that short */
    CACHE_BYTES = 24 * 1024,   /* what a block's registers may take of the L1 cache */
};

typedef struct block {
    const fg_program *p;
    intptr_t n, count; /* elements of a row, rows of the block */
    char *at[FG_MAXREGS];
} block;

static int first_temp(const fg_program *p) { return p->ninputs + p->nconsts; }
static int first_output(const fg_program *p) { return first_temp(p) + p->ntemps; }
static int register_count(const fg_program *p) { return first_output(p) + p->noutputs; }

/* Bytes that one row takes of register r. */
static intptr_t row_bytes(const fg_program *p, int r, intptr_t n) {
    return p->place[r] == FG_EACH ? n * p->itemsize[r] : p->place[r] == FG_PER_ROW ? p->itemsize[r] : 0;
}

/* One call of a step's loop over n elements from the given row of the block on; `n` is 1 for values of rows. */
static void call(const block *b, const fg_step *step, intptr_t row, intptr_t n) {
    const fg_program *p = b->p;
    char *args[5];
    intptr_t strides[5];
    for (int k = 0; k <= step->nin; k++) {
        const int r = k < step->nin ? step->in[k] : step->out;
        args[k] = b->at[r] + row * row_bytes(p, r, b->n);
        strides[k] = p->place[r] == FG_SINGLE || (p->place[r] == FG_PER_ROW && p->place[step->out] == FG_EACH)
                         ? 0
                         : p->itemsize[r];
    }
    step->loop.fn(args, &n, strides, step->loop.data);
}

static bool mixes(const fg_program *p, const fg_step *step) {
    for (int k = 0; k < step->nin; k++) {
        if (p->place[step->in[k]] == FG_PER_ROW) return true;
    }
    return false;
}

/* As np.add.reduce and np.maximum.reduce go about it: from 0, and from the first element. */
static void reduce(const block *b, const fg_step *step) {
    const intptr_t size = b->p->itemsize[step->out], width = b->n * size;
    for (intptr_t i = 0; i < b->count; i++) {
        char *from = b->at[step->in[0]] + i * width, *into = b->at[step->out] + i * size;
        const intptr_t strides[3] = {0, size, 0};
        intptr_t n = b->n;
        if (step->reduces == FG_SUM) {
            memset(into, 0, (size_t)size);
        } else {
            memcpy(into, from, (size_t)size);
            from += size;
            n--;
        }
        char *args[3] = {into, from, into};
        if (n) step->loop.fn(args, &n, strides, step->loop.data);
    }
}

static void run_block(const block *b) {
    const fg_program *p = b->p;
    const fg_step *end = p->steps + p->nsteps;
    for (const fg_step *step = p->steps; step < end; step++) {
        if (step->reduces) {
            reduce(b, step);
        } else if (p->place[step->out] == FG_PER_ROW) {
            call(b, step, 0, b->count);
        } else if (!mixes(p, step)) {
            call(b, step, 0, b->count * b->n);
        } else {
            for (intptr_t i = 0; i < b->count; i++) call(b, step, i, b->n);
        }
    }
}

fg_status fg_program_run_rows(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs, intptr_t rows,
                              intptr_t n) {
    char memory[SCRATCH_BYTES + FG_LINE];
    char *scratch = memory + (-(uintptr_t)memory & (FG_LINE - 1)), *heap = NULL;
    block b = {p, n, 0, {NULL}};
    intptr_t all = 1, temps = 0; /* bytes of a row */
    if (rows == 0 || n == 0) return FG_OK;
    for (int r = 0; r < register_count(p); r++) {
        all += row_bytes(p, r, n);
        if (r >= first_temp(p) && r < first_output(p)) temps += row_bytes(p, r, n);
    }
    b.count = CACHE_BYTES / all;
    if (b.count < 1) b.count = 1;
    if (b.count > rows) b.count = rows;
    const intptr_t needed = b.count * temps + (intptr_t)FG_LINE * p->ntemps;
    if (needed > SCRATCH_BYTES) {
        heap = fg_mem_alloc((size_t)needed + FG_LINE);
        if (!heap) return FG_NOMEM;
        scratch = heap + (-(uintptr_t)heap & (FG_LINE - 1));
    }
    for (int k = 0; k < p->nconsts; k++) b.at[p->ninputs + k] = p->consts + 16 * k;
    for (int r = first_temp(p); r < first_output(p); r++) {
        b.at[r] = scratch;
        scratch += (b.count * row_bytes(p, r, n) + FG_LINE - 1) & ~(intptr_t)(FG_LINE - 1);
    }
    for (intptr_t done = 0; done < rows; done += b.count) {
        if (b.count > rows - done) b.count = rows - done;
        for (int k = 0; k < p->ninputs; k++) b.at[k] = inputs[k]->data + done * row_bytes(p, k, n);
        for (int k = 0; k < p->noutputs; k++) {
            const int r = first_output(p) + k;
            b.at[r] = outputs[k]->data + done * row_bytes(p, r, n);
        }
        run_block(&b);
    }
    if (heap) fg_mem_free(heap);
    return FG_OK;
}
