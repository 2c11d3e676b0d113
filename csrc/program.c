/* program: fused elementwise steps, a cache-sized block at a time. */
#include "walk.h"

#include <string.h>

enum {
    SCRATCH_BYTES = 32 * 1024, /* on the stack: temporaries and buffers of one block */
    CACHE_BYTES = 24 * 1024,   /* what one block's registers may take of the L1 cache */
    LONGEST_BLOCK = 4096,
    SHORTEST_BLOCK = 64, /* below this, calls outweigh the work */
};

static int first_temp(const fg_program *p) { return p->ninputs + p->nconsts; }
static int first_output(const fg_program *p) { return p->ninputs + p->nconsts + p->ntemps; }
static int register_count(const fg_program *p) { return first_output(p) + p->noutputs; }

fg_program *fg_program_new(int ninputs, int nconsts, int ntemps, int noutputs, int nsteps) {
    const int registers = ninputs + nconsts + ntemps + noutputs;
    if (ninputs + noutputs > FG_MAXINOUT || registers > FG_MAXREGS || nsteps > UINT16_MAX) return NULL;
    const size_t steps_at = (sizeof(fg_program) + 15) & ~(size_t)15;
    const size_t consts_at = (steps_at + (size_t)nsteps * sizeof(fg_step) + 15) & ~(size_t)15;
    const size_t itemsize_at = consts_at + 16 * (size_t)nconsts;
    char *block = fg_mem_alloc(itemsize_at + 2 * (size_t)registers);
    if (!block) return NULL;
    memset(block, 0, itemsize_at + 2 * (size_t)registers);
    fg_program *p = (fg_program *)(void *)block;
    p->ninputs = (uint16_t)ninputs;
    p->nconsts = (uint16_t)nconsts;
    p->ntemps = (uint16_t)ntemps;
    p->noutputs = (uint16_t)noutputs;
    p->nsteps = (uint16_t)nsteps;
    p->reuse_input = p->reuse_output = -1;
    p->steps = (fg_step *)(void *)(block + steps_at);
    p->consts = block + consts_at;
    p->itemsize = (uint8_t *)(block + itemsize_at);
    p->place = p->itemsize + registers;
    return p;
}

void fg_program_free(fg_program *p) { fg_mem_free(p); }

/* The block length for which all registers fit the cache and the scratch: inputs and outputs may need buffers too. */
static intptr_t block_length(const fg_program *p) {
    intptr_t bytes = 1;
    int count = 0;
    for (int r = 0; r < register_count(p); r++) {
        if (r >= p->ninputs && r < first_temp(p)) continue; /* a constant */
        bytes += p->itemsize[r];
        count++;
    }
    /* each starts on a line of its own */
    const intptr_t cached = CACHE_BYTES / bytes, room = (SCRATCH_BYTES - (intptr_t)FG_LINE * count) / bytes;
    intptr_t n = cached < LONGEST_BLOCK ? cached : LONGEST_BLOCK;
    if (n < SHORTEST_BLOCK) n = SHORTEST_BLOCK;
    if (n > room) n = room;
    return n > FG_LINE ? n - n % FG_LINE : n;
}

static bool reads(const fg_step *step, int r) {
    for (int k = 0; k < step->nin; k++) {
        if (step->in[k] == r) return true;
    }
    return false;
}

void fg_program_finish(fg_program *p) {
    int last_read = -1;
    p->block = block_length(p);
    p->reuse_input = p->reuse_output = -1;
    p->exact = true;
    for (int s = 0; s < p->nsteps; s++) {
        p->foreign = p->foreign || p->steps[s].loop.foreign;
        p->exact = p->exact && p->steps[s].loop.exact;
    }
    if (p->ninputs == 0) return;
    for (int s = 0; s < p->nsteps; s++) {
        if (reads(&p->steps[s], 0)) last_read = s;
    }
    for (int k = 0; k < p->noutputs; k++) {
        const int out = first_output(p) + k;
        int first_write = 0;
        while (first_write < p->nsteps && p->steps[first_write].out != out) first_write++;
        /* the very step that reads input 0 last may overwrite it: NumPy's loops work exactly in place */
        if (first_write == p->nsteps || first_write < last_read || p->itemsize[out] != p->itemsize[0]) continue;
        p->reuse_input = 0;
        p->reuse_output = (int16_t)k;
        return;
    }
}

/* ---------------------------------------------------------------- running -- */

/* Where each register is, and the distance to its next element. */
typedef struct registers {
    char *at[FG_MAXREGS];
    intptr_t stride[FG_MAXREGS];
} registers;

static void run_steps(const fg_program *p, const registers *regs, intptr_t n) {
    const fg_step *end = p->steps + p->nsteps;
    for (const fg_step *step = p->steps; step < end; step++) {
        char *args[5];
        intptr_t strides[5];
        const int nin = step->nin;
        for (int k = 0; k < nin; k++) {
            args[k] = regs->at[step->in[k]];
            strides[k] = regs->stride[step->in[k]];
        }
        args[nin] = regs->at[step->out];
        strides[nin] = regs->stride[step->out];
        step->loop.fn(args, &n, strides, step->loop.data);
    }
}

/* Values of no dimensions: as NumPy passes them, operands with stride 0 and results with their size. */
static void run_single(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs) {
    char *at[FG_MAXREGS];
    double temporaries[FG_MAXREGS][2]; /* 16 bytes each: room for any itemsize */
    const fg_step *end = p->steps + p->nsteps;
    int r = 0;
    for (int k = 0; k < p->ninputs; k++) at[r++] = inputs[k]->data;
    for (int k = 0; k < p->nconsts; k++) at[r++] = p->consts + 16 * k;
    for (int k = 0; k < p->ntemps; k++) at[r++] = (char *)temporaries[k];
    for (int k = 0; k < p->noutputs; k++) at[r++] = outputs[k]->data;
    for (const fg_step *step = p->steps; step < end; step++) {
        const intptr_t n = 1;
        char *args[5];
        intptr_t strides[5] = {0};
        for (int k = 0; k < step->nin; k++) args[k] = at[step->in[k]];
        args[step->nin] = at[step->out];
        strides[step->nin] = p->itemsize[step->out];
        step->loop.fn(args, &n, strides, step->loop.data);
    }
}

/* A register of n elements at `scratch`, on a line of its own. Gives what is left. */
static char *place(const fg_program *p, registers *regs, int r, char *scratch, intptr_t n) {
    regs->at[r] = scratch;
    regs->stride[r] = p->itemsize[r];
    return scratch + ((n * p->itemsize[r] + FG_LINE - 1) & ~(intptr_t)(FG_LINE - 1));
}

/* The register of the k-th of inputs and outputs. */
static int operand_register(const fg_program *p, int k) {
    return k < p->ninputs ? k : first_output(p) + k - p->ninputs;
}

/* Inputs and outputs as one flat run of n elements. False if they are not. */
static bool place_flat(const fg_program *p, registers *regs, fg_array *const *inputs, fg_array *const *outputs,
                       intptr_t n) {
    for (int k = 0; k < p->ninputs; k++) {
        const fg_array *a = inputs[k];
        if (a->size == n) {
            if (!(a->flags & FG_CONTIGUOUS)) return false;
            /* of one element, the own stride: as NumPy passes it (Note [Buffering]) */
            regs->stride[k] = n == 1 && a->ndim == 1 ? a->dims[1] : (intptr_t)a->itemsize;
        } else if (a->size == 1) {
            regs->stride[k] = 0;
        } else {
            return false;
        }
        regs->at[k] = a->data;
    }
    for (int k = 0, r = first_output(p); k < p->noutputs; k++, r++) {
        if (!(outputs[k]->flags & FG_CONTIGUOUS)) return false;
        regs->at[r] = outputs[k]->data;
        regs->stride[r] = (intptr_t)outputs[k]->itemsize;
    }
    return true;
}

/* n elements in blocks. */
static void run_flat(const fg_program *p, registers *regs, intptr_t n) {
    const int outputs_at = first_output(p), end = register_count(p);
    while (n > p->block) {
        run_steps(p, regs, p->block);
        for (int r = 0; r < p->ninputs; r++) regs->at[r] += regs->stride[r] * p->block;
        for (int r = outputs_at; r < end; r++) regs->at[r] += regs->stride[r] * p->block;
        n -= p->block;
    }
    run_steps(p, regs, n);
}

/* One run of a walk whose inputs and outputs have a single stride or are buffered. */
static void run_buffered(const fg_program *p, registers *regs, const fg_walk *w, fg_cursor *cursors) {
    const int nin = p->ninputs;
    for (int k = 0; k < w->nargs; k++) {
        if (w->buffered >> k & 1)
            fg_cursor_begin(&cursors[k], w, k);
        else
            regs->at[operand_register(p, k)] = w->at[k];
    }
    for (intptr_t done = 0, n; done < w->run; done += n) {
        n = w->run - done < p->block ? w->run - done : p->block;
        for (int k = 0; k < nin; k++) {
            if (w->buffered >> k & 1) fg_cursor_gather(&cursors[k], w, k, n, p->itemsize[k]);
        }
        run_steps(p, regs, n);
        for (int k = 0; k < w->nargs; k++) {
            const int r = operand_register(p, k);
            if (!(w->buffered >> k & 1))
                regs->at[r] += n * regs->stride[r];
            else if (k >= nin)
                fg_cursor_scatter(&cursors[k], w, k, n, p->itemsize[r]);
        }
    }
}

/* A walk of arrays that lie across one another, whose buffers, of FG_STRIP times `width` elements, begin at `scratch`. */
static void run_strips(const fg_program *p, registers *regs, fg_walk *w, char *scratch, intptr_t width) {
    char *buffers[FG_MAXINOUT] = {NULL};
    for (int k = 0; k < w->nargs; k++) {
        const int r = operand_register(p, k);
        regs->stride[r] = w->strides[0][k];
        if (!(w->turned >> k & 1)) continue;
        buffers[k] = scratch;
        scratch = place(p, regs, r, scratch, FG_STRIP * width);
    }
    do {
        fg_strip s = {0, 0, 0, 0};
        while (fg_strip_next(&s, w, width)) {
            for (int k = 0; k < p->ninputs; k++) {
                if (buffers[k]) fg_strip_gather(&s, w, k, buffers[k], p->itemsize[k]);
            }
            for (intptr_t i = 0; i < s.rows; i++) {
                for (int k = 0; k < w->nargs; k++) {
                    const int r = operand_register(p, k);
                    regs->at[r] = fg_strip_at(&s, w, k, i, buffers[k], p->itemsize[r]);
                }
                run_steps(p, regs, s.columns);
            }
        }
    } while (fg_walk_next(w));
}

/* A walk whose buffers, of `length` elements, begin at `scratch`. */
static void run_walk(const fg_program *p, registers *regs, fg_walk *w, char *scratch, intptr_t length) {
    fg_cursor cursors[FG_MAXINOUT];
    if (w->turned && length >= FG_STRIP * FG_STRIP) {
        run_strips(p, regs, w, scratch, length / FG_STRIP & ~(intptr_t)(FG_STRIP - 1));
        return;
    }
    for (int k = 0; k < w->nargs; k++) {
        const int r = operand_register(p, k);
        if (w->buffered >> k & 1) {
            cursors[k].buffer = scratch;
            scratch = place(p, regs, r, scratch, length);
        } else {
            regs->stride[r] = w->strides[0][k];
        }
    }
    do {
        run_buffered(p, regs, w, cursors);
    } while (fg_walk_next(w));
}

/* Constants where they are, temporaries of `length` elements at `scratch`. Gives what is left of it. */
static char *place_own(const fg_program *p, registers *regs, char *scratch, intptr_t length) {
    for (int k = 0; k < p->nconsts; k++) {
        regs->at[p->ninputs + k] = p->consts + 16 * k;
        regs->stride[p->ninputs + k] = 0;
    }
    for (int r = first_temp(p); r < first_output(p); r++) scratch = place(p, regs, r, scratch, length);
    return scratch;
}

/* n elements in blocks, some outputs added to what is there. They are first written to `scratch`. */
static void run_adding(const fg_program *p, registers *regs, intptr_t n, uint32_t added, const fg_loop *add,
                       char *scratch) {
    char *into[FG_MAXINOUT];
    const int outputs_at = first_output(p);
    for (int k = 0; k < p->noutputs; k++) {
        if (!(added >> k & 1)) continue;
        into[k] = regs->at[outputs_at + k];
        scratch = place(p, regs, outputs_at + k, scratch, n < p->block ? n : p->block);
    }
    for (intptr_t done = 0, count; done < n; done += count) {
        count = n - done < p->block ? n - done : p->block;
        run_steps(p, regs, count);
        for (int r = 0; r < p->ninputs; r++) regs->at[r] += regs->stride[r] * count;
        for (int k = 0; k < p->noutputs; k++) {
            const int r = outputs_at + k;
            if (added >> k & 1) {
                char *args[3] = {into[k], regs->at[r], into[k]};
                const intptr_t strides[3] = {regs->stride[r], regs->stride[r], regs->stride[r]};
                add->fn(args, &count, strides, add->data);
                into[k] += count * regs->stride[r];
            } else {
                regs->at[r] += count * regs->stride[r];
            }
        }
    }
}

/* What the threads share of one call. */
typedef struct job {
    const fg_program *p;
    uint32_t added; /* bit k: output k is added to */
    const fg_loop *add;
    const registers *flat; /* inputs and outputs of a flat run */
    const fg_walk *walk;   /* of any other */
    int axis;              /* of the walk, along which it is cut */
} job;

static void run_range(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    const fg_program *p = j->p;
    const intptr_t n = last - first;
    char memory[SCRATCH_BYTES + FG_LINE];
    registers regs;
    char *scratch = memory + (-(uintptr_t)memory & (FG_LINE - 1));
    scratch = place_own(p, &regs, scratch, n < p->block ? n : p->block);
    for (int k = 0; k < p->ninputs + p->noutputs; k++) {
        const int r = operand_register(p, k);
        regs.stride[r] = j->flat->stride[r];
        regs.at[r] = j->flat->at[r] + first * regs.stride[r];
    }
    if (j->added) {
        run_adding(p, &regs, n, j->added, j->add, scratch);
    } else {
        run_flat(p, &regs, n);
    }
}

static void run_part(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    char memory[SCRATCH_BYTES + FG_LINE];
    char *scratch = memory + (-(uintptr_t)memory & (FG_LINE - 1));
    registers regs;
    fg_walk w;
    fg_walk_cut(&w, j->walk, j->axis, first, last);
    run_walk(j->p, &regs, &w, place_own(j->p, &regs, scratch, j->p->block), j->p->block);
}

static void begin_walk(const fg_program *p, fg_walk *w, fg_array *const *inputs, fg_array *const *outputs) {
    fg_array *args[FG_MAXINOUT] = {NULL};
    const int nargs = p->ninputs + p->noutputs;
    for (int k = 0; k < nargs; k++) args[k] = k < p->ninputs ? inputs[k] : outputs[k - p->ninputs];
    fg_walk_begin(w, nargs, args, nargs - 1, 0, p->ninputs);
    fg_walk_group(w, p->ninputs, p->exact, args);
}

/* Elements that are worth a thread: the more steps, the fewer. */
static intptr_t grain_of(const fg_program *p) {
    const intptr_t worth = p->nsteps > 2 ? FG_GRAIN / 2 : FG_GRAIN;
    return (worth + p->block - 1) / p->block * p->block;
}

static void run_shared(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs, intptr_t n) {
    registers regs;
    fg_walk w;
    job j = {p, 0, NULL, &regs, &w, 0};
    if (place_flat(p, &regs, inputs, outputs, n)) {
        fg_parallel(run_range, &j, n, grain_of(p));
    } else {
        intptr_t grain;
        begin_walk(p, &w, inputs, outputs);
        j.axis = fg_walk_split(&w, &grain);
        fg_parallel(run_part, &j, w.shape[j.axis], grain);
    }
}

bool fg_program_run_adding(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs, uint32_t added,
                           const fg_loop *add) {
    registers regs;
    const intptr_t n = outputs[0]->size;
    job j = {p, added, add, &regs, NULL, 0};
    if (!place_flat(p, &regs, inputs, outputs, n)) return false;
    if (p->foreign && !fg_share_foreign) {
        run_range(&j, 0, n);
    } else {
        fg_parallel(run_range, &j, n, grain_of(p));
    }
    return true;
}

static void run_alone(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs, intptr_t n) {
    char memory[SCRATCH_BYTES + FG_LINE];
    registers regs;
    const intptr_t length = n < p->block ? n : p->block;
    char *scratch = memory + (-(uintptr_t)memory & (FG_LINE - 1));
    scratch = place_own(p, &regs, scratch, length);
    if (place_flat(p, &regs, inputs, outputs, n)) {
        run_flat(p, &regs, n);
    } else {
        fg_walk w;
        begin_walk(p, &w, inputs, outputs);
        run_walk(p, &regs, &w, scratch, length);
    }
}

void fg_program_run(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs) {
    const intptr_t n = p->noutputs ? outputs[0]->size : 0;
    if (n == 0) return;
    if (outputs[0]->ndim == 0) {
        run_single(p, inputs, outputs);
    } else if (n >= FG_GRAIN && (!p->foreign || fg_share_foreign)) {
        run_shared(p, inputs, outputs, n);
    } else {
        run_alone(p, inputs, outputs, n);
    }
}
