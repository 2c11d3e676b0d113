/* walk.h: how the elementwise modules go through several arrays of one (broadcast) shape. Private to csrc. */
#ifndef FG_WALK_H
#define FG_WALK_H

#include "fg.h"
#include "threads.h"

#define FG_WALK_ARGS FG_MAXINOUT
#define FG_NUMPY_BUFFER 8192 /* elements: what np.getbufsize() starts as */
#define FG_LINE 64           /* bytes of a cache line */

/* Axes of several arrays, the innermost first, in the order in which NumPy would walk them; axes of length 1 are
 * dropped and those that continue one another are merged. There is always at least one.
 *
 * Note [Buffering]
 * NumPy's inner loops give the same bits for the same element whatever its neighbours are, but some take another
 * path, which rounds differently, for strides that are not those of a contiguous array. NumPy itself copies operands
 * with short rows into a buffer, so that the loop sees contiguous ones. So do we, by the same rule, which is also
 * faster. Results are always written without gaps, if need be to a buffer which is then spread out: NumPy's own
 * are, and some loops (isfinite in NumPy 2.4) are wrong for others. */
typedef struct fg_walk {
    int ndim, nargs;
    int group;         /* so many inner axes make one run */
    intptr_t run;      /* elements of a run */
    uint32_t buffered; /* bit k: array k has no single stride along a run */
    uint32_t turned;   /* bit k: array k is gathered in strips; 0: there are none */
    intptr_t shape[FG_MAXDIMS];
    intptr_t index[FG_MAXDIMS];
    intptr_t strides[FG_MAXDIMS][FG_WALK_ARGS]; /* 0 where an array is broadcast */
    char *at[FG_WALK_ARGS];                     /* start of the current run of each array */
} fg_walk;

/* Begin a walk over the shape of args[whole], which has no empty axis; args[first..last) decide the order. */
void fg_walk_begin(fg_walk *w, int nargs, fg_array *const *args, int whole, int first, int last);

/* Group axes and choose what is buffered, for a loop with `nin` operands followed by results; `exact`: see fg_loop. */
void fg_walk_group(fg_walk *w, int nin, bool exact, fg_array *const *args);

/* Step to the next run. False when there are no more. */
static inline bool fg_walk_next(fg_walk *w) {
    for (int axis = w->group; axis < w->ndim; axis++) {
        const intptr_t *strides = w->strides[axis];
        if (++w->index[axis] < w->shape[axis]) {
            for (int k = 0; k < w->nargs; k++) w->at[k] += strides[k];
            return true;
        }
        for (int k = 0; k < w->nargs; k++) w->at[k] -= strides[k] * (w->shape[axis] - 1);
        w->index[axis] = 0;
    }
    return false;
}

/* The axis along which a walk is best cut for several threads, and how many of its indices make FG_GRAIN elements. */
int fg_walk_split(const fg_walk *w, intptr_t *grain);
/* The part of `w`, at its start, between two indices of such an axis. */
void fg_walk_cut(fg_walk *part, const fg_walk *w, int axis, intptr_t first, intptr_t last);

/* Where arrays lie across one another a grouped walk goes in strips of a few rows, from one piece of a strip to the next,
 * so that each line of memory is read once. What lies across the result is gathered for each piece; the loop is called
 * for each row of it. It sees the same strides as it would without (Note [Buffering]). */
#define FG_STRIP 16
typedef struct fg_strip {
    intptr_t row, rows, column, columns; /* the present piece; all zero before the first */
} fg_strip;

/* Go on to the next piece of at most `width` columns. False when there are no more. */
bool fg_strip_next(fg_strip *s, const fg_walk *w, intptr_t width);
void fg_strip_gather(const fg_strip *s, const fg_walk *w, int k, char *buffer, size_t itemsize);

/* Where array k's i-th row of a piece is; `buffer`: what it was gathered into, or NULL. */
static inline char *fg_strip_at(const fg_strip *s, const fg_walk *w, int k, intptr_t i, char *buffer, size_t itemsize) {
    if (buffer) return buffer + i * s->columns * (intptr_t)itemsize;
    return w->at[k] + s->column * w->strides[0][k] + (s->row + i) * w->strides[1][k];
}

/* How far one array has been moved along the current run, and its buffer. */
typedef struct fg_cursor {
    char *at, *buffer;
    intptr_t index[FG_MAXDIMS];
} fg_cursor;

void fg_cursor_begin(fg_cursor *c, const fg_walk *w, int k);
/* Move the next n elements of array k to its buffer, or from there. */
void fg_cursor_gather(fg_cursor *c, const fg_walk *w, int k, intptr_t n, size_t itemsize);
void fg_cursor_scatter(fg_cursor *c, const fg_walk *w, int k, intptr_t n, size_t itemsize);

/* New memory whose axes, outermost first, lie in the given order. */
fg_array *fg_array_new_ordered(int ndim, const intptr_t *shape, const int *order, int dtype, uint32_t itemsize);

/* Move n elements of itemsize bytes. */
void fg_move(char *to, intptr_t to_stride, const char *from, intptr_t from_stride, intptr_t n, size_t itemsize);

/* Move ni by nj elements, where neighbours in `to` are those along i and neighbours in `from` those along j. */
void fg_turn(char *to, intptr_t to_i, intptr_t to_j, const char *from, intptr_t from_i, intptr_t from_j, intptr_t ni,
             intptr_t nj, size_t itemsize);

/* Where NumPy cuts a long sum in two: Note [Halves of sums] in loop.c. */
static inline intptr_t fg_half(intptr_t n) { return n / 2 - n / 2 % 8; }

static inline intptr_t fg_magnitude(intptr_t stride) { return stride < 0 ? -stride : stride; }

#endif
