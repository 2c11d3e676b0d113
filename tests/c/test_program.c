/* Block programs against an interpreter that goes element by element. */
#include "check.h"

enum { ADD, SUBTRACT, MAXIMUM, NEGATIVE, LESS, WHERE, KINDS };
static const int operands[KINDS] = {2, 2, 2, 1, 2, 3};

static fg_loop loop_of(int kind) {
    static const fg_loop_fn fns[] = {double_add, double_subtract, double_maximum, double_negative, double_less};
    return kind == WHERE ? fg_kernel_find("where", FG_FLOAT64) : (fg_loop){fns[kind], NULL, false, false};
}

static double calculate(int kind, const double *x) {
    switch (kind) {
    case ADD:
        return x[0] + x[1];
    case SUBTRACT:
        return x[0] - x[1];
    case MAXIMUM:
        return x[0] > x[1] ? x[0] : x[1];
    case NEGATIVE:
        return -x[0];
    case LESS:
        return x[0] < x[1];
    default:
        return x[0] != 0 ? x[1] : x[2];
    }
}

typedef struct {
    fg_program *p;
    int kinds[64];
} random_program;

/* A register of the right kind that has a value by now: `defined` has 1 for doubles, 2 for bools. */
static int pick(const char *defined, int registers, char kind) {
    int r = random_below(registers);
    while (defined[r] != kind) r = (r + 1) % registers;
    return r;
}

/* Outputs are written by the last steps or earlier, and may be read again. The last temporary is a bool. */
static random_program new_program(int ninputs, int nconsts, int ntemps, int noutputs, int nsteps) {
    random_program made = {fg_program_new(ninputs, nconsts, ntemps, noutputs, nsteps), {0}};
    fg_program *p = made.p;
    const int registers = ninputs + nconsts + ntemps + noutputs, bool_temp = ninputs + nconsts + ntemps - 1;
    const int first_output = registers - noutputs;
    char defined[FG_MAXREGS] = {0};
    CHECK(p);
    for (int r = 0; r < registers; r++) p->itemsize[r] = r == bool_temp ? 1 : 8;
    for (int k = 0; k < nconsts; k++) *(double *)(void *)(p->consts + 16 * k) = random_whole();
    for (int r = 0; r < ninputs + nconsts; r++) defined[r] = 1;
    for (int s = 0; s < nsteps; s++) {
        int kind = random_below(KINDS);
        if (kind == WHERE && !defined[bool_temp]) kind = LESS;
        if (nsteps - s <= noutputs && kind == LESS) kind = ADD;
        fg_step *step = &p->steps[s];
        made.kinds[s] = kind;
        step->loop = loop_of(kind);
        step->nin = (uint16_t)operands[kind];
        for (int k = 0; k < step->nin; k++) {
            step->in[k] = (uint16_t)(kind == WHERE && k == 0 ? bool_temp : pick(defined, registers, 1));
        }
        if (kind == LESS)
            step->out = (uint16_t)bool_temp;
        else if (nsteps - s <= noutputs)
            step->out = (uint16_t)(first_output + nsteps - s - 1);
        else if (ntemps == 1 || random_below(4) == 0)
            step->out = (uint16_t)(first_output + random_below(noutputs));
        else
            step->out = (uint16_t)(ninputs + nconsts + random_below(ntemps - 1));
        defined[step->out] = kind == LESS ? 2 : 1;
    }
    fg_program_finish(p);
    return made;
}

/* All outputs at one index, given the inputs there. */
static void interpret(const random_program *made, double *registers) {
    const fg_program *p = made->p;
    for (int s = 0; s < p->nsteps; s++) {
        double x[4];
        for (int k = 0; k < p->steps[s].nin; k++) x[k] = registers[p->steps[s].in[k]];
        registers[p->steps[s].out] = calculate(made->kinds[s], x);
    }
}

static void check_program(const random_program *made, int ndim, const intptr_t *shape, bool reuse) {
    const fg_program *p = made->p;
    fg_array *inputs[FG_MAXINOUT], *outputs[FG_MAXINOUT], *copies[FG_MAXINOUT];
    intptr_t index[FG_MAXDIMS] = {0};
    const int first_output = p->ninputs + p->nconsts + p->ntemps;
    for (int k = 0; k < p->ninputs; k++) {
        inputs[k] = k == 0 && reuse ? new_doubles(ndim, shape) : random_operand(ndim, shape);
        copies[k] = fg_array_new(ndim, shape, FG_FLOAT64, 8);
        fg_copy(copies[k], inputs[k]);
    }
    for (int k = 0; k < p->noutputs; k++) {
        outputs[k] =
            reuse && k == p->reuse_output ? fg_array_keep(inputs[0]) : fg_array_new(ndim, shape, FG_FLOAT64, 8);
    }
    fg_program_run(p, inputs, outputs);
    do {
        double registers[FG_MAXREGS];
        if (outputs[0]->size == 0) break;
        for (int k = 0; k < p->ninputs; k++) registers[k] = value(copies[k], ndim, index);
        for (int k = 0; k < p->nconsts; k++) registers[p->ninputs + k] = *(double *)(void *)(p->consts + 16 * k);
        interpret(made, registers);
        for (int k = 0; k < p->noutputs; k++) CHECK(value(outputs[k], ndim, index) == registers[first_output + k]);
    } while (next_index(ndim, shape, index));
    for (int k = 0; k < p->ninputs; k++) {
        fg_array_drop(inputs[k]);
        fg_array_drop(copies[k]);
    }
    for (int k = 0; k < p->noutputs; k++) fg_array_drop(outputs[k]);
}

/* ---------------------------------------------------------------- properties -- */

static void programs_do_what_their_steps_say(void) {
    for (int round = 0; round < 2000; round++) {
        intptr_t shape[FG_MAXDIMS];
        const int ndim = random_shape(shape), noutputs = 1 + random_below(3), nsteps = noutputs + random_below(12);
        random_program made = new_program(1 + random_below(4), random_below(4), 1 + random_below(5), noutputs, nsteps);
        check_program(&made, ndim, shape, false);
        if (made.p->reuse_input == 0) check_program(&made, ndim, shape, true);
        fg_program_free(made.p);
    }
}

static void long_programs_get_by_with_short_blocks(void) {
    const intptr_t shape[] = {3, 700};
    static const int temps[] = {60, 120, 200};
    for (int round = 0; round < 30; round++) {
        random_program made = new_program(4, 3, temps[round % 3], 1 + round % 5, 60);
        check_program(&made, 2, shape, false);
        fg_program_free(made.p);
    }
}

static void too_large_a_program_is_refused(void) {
    CHECK(!fg_program_new(FG_MAXINOUT, 0, 0, 1, 1));
    CHECK(!fg_program_new(1, 0, FG_MAXREGS, 1, 1));
    fg_mem_fail_after(0);
    CHECK(!fg_program_new(1, 1, 1, 1, 1));
    fg_program *p = fg_program_new(FG_MAXINOUT - 1, 100, FG_MAXREGS - FG_MAXINOUT - 100, 1, 0);
    CHECK(p);
    fg_program_free(p);
}

/* Each step {out, a, b} is `out = a + b` over the registers: inputs 0 and 1, temporary 2, outputs 3 and 4. */
static int reuse_of(int nsteps, const int (*steps)[3], int small_output) {
    fg_program *p = fg_program_new(2, 0, 1, 2, nsteps);
    CHECK(p);
    for (int r = 0; r < 5; r++) p->itemsize[r] = r == small_output ? 1 : 8;
    for (int s = 0; s < nsteps; s++) {
        p->steps[s] = (fg_step){{double_add, NULL, false, false},
                                2,
                                (uint16_t)steps[s][0],
                                {(uint16_t)steps[s][1], (uint16_t)steps[s][2]},
                                0};
    }
    fg_program_finish(p);
    const int reuse = p->reuse_output;
    CHECK(p->reuse_input == (reuse < 0 ? -1 : 0));
    fg_program_free(p);
    return reuse;
}

static void an_output_overwrites_input_0_only_after_its_last_use(void) {
    CHECK(reuse_of(2, (const int[][3]){{3, 0, 1}, {4, 0, 1}}, -1) == 1); /* the first is written too early */
    CHECK(reuse_of(2, (const int[][3]){{3, 0, 1}, {4, 1, 1}}, -1) == 0); /* by the step that reads it */
    CHECK(reuse_of(3, (const int[][3]){{2, 0, 0}, {3, 2, 1}, {4, 3, 2}}, -1) == 0);
    CHECK(reuse_of(3, (const int[][3]){{3, 1, 1}, {4, 1, 3}, {2, 0, 0}}, -1) == -1);
    CHECK(reuse_of(3, (const int[][3]){{3, 1, 1}, {4, 0, 3}, {3, 4, 0}}, -1) ==
          -1);                                                           /* written again is not written late */
    CHECK(reuse_of(2, (const int[][3]){{3, 0, 1}, {4, 0, 1}}, 4) == -1); /* another itemsize */
    CHECK(reuse_of(2, (const int[][3]){{3, 1, 1}, {4, 1, 1}}, 3) == 1);  /* input 0 is never read */
    CHECK(reuse_of(1, (const int[][3]){{2, 0, 1}}, -1) == -1);           /* no output is written */
}

int main(void) {
    RUN(programs_do_what_their_steps_say);
    RUN(long_programs_get_by_with_short_blocks);
    RUN(too_large_a_program_is_refused);
    RUN(an_output_overwrites_input_0_only_after_its_last_use);
    return 0;
}
