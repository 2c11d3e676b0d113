/* fg.h: the one public header of the fastgrad core.
 *
 * Plain C11, no Python and no NumPy header, so that it is tested, fuzzed and sanitised alone.
 *
 * Ownership: an argument named `*_take` hands its reference over, whatever the call returns; every other
 * pointer is borrowed. A function that returns a pointer returns a new reference unless its name says `_peek`.
 * Units: sizes and strides of arrays are counts of elements (shape, size) and bytes (strides), as in NumPy.
 * Failure: what can fail returns fg_status (or NULL for "out of memory") and has then changed nothing.
 * Threads: reference counts are plain integers; the caller holds one lock (Python's) around every call
 * except those documented as pure arithmetic, which touch no count.
 */
#ifndef FG_H
#define FG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FG_MAXDIMS 64  /* NumPy 2's own limit */
#define FG_MAXARGS 8   /* operands and results of one loop */
#define FG_MAXINOUT 32 /* inputs and outputs of one program */
#define FG_MAXREGS 256 /* registers of one program */

typedef enum {
    FG_OK = 0,
    FG_NOMEM,  /* an allocation failed */
    FG_SHAPE,  /* shapes do not broadcast, or do not fit */
    FG_RAISED, /* a callback failed; what it raised is the caller's business */
} fg_status;

/* ---------------------------------------------------------------- mem: allocation -- */

void *fg_mem_alloc(size_t bytes);
void fg_mem_free(void *block);
/* The same for blocks of at most FG_SMALL bytes, 16-byte aligned: faster, and kind to the page table. */
#define FG_SMALL 512
void *fg_small_alloc(size_t bytes);
void fg_small_free(void *block);
/* The same for large blocks, aligned to a cache line: given back, they are kept for the next of their size. These may be
 * called without the lock. */
#define FG_LARGE 32768
void *fg_block_alloc(size_t bytes);
void fg_block_free(void *block);
size_t fg_block_bytes(void *block); /* that it has room for */
/* Give what is kept back to the system. */
void fg_blocks_release(void);
/* Whether an allocation is to fail now; counts it. */
bool fg_mem_fails(void);
/* Test aid: let the next `n` allocations succeed and the one after fail, once; negative: never fail. */
void fg_mem_fail_after(long n);

/* ---------------------------------------------------------------- array: described memory -- */

/* Type numbers are NumPy's. FG_OTHER is any dtype the core has no arithmetic for (byte-swapped included):
 * such an array only carries its owner around. */
enum {
    FG_BOOL = 0,
    FG_FLOAT32 = 11,
    FG_FLOAT64 = 12,
    FG_COMPLEX64 = 14,
    FG_COMPLEX128 = 15,
    FG_OTHER = 255,
};

enum {
    FG_CONTIGUOUS = 1, /* C order, no gaps */
    FG_ALIGNED = 2,    /* data and strides suit the dtype */
    FG_WRITEABLE = 4,
    FG_UNTRACKED = 64, /* of a root: writes to it are not counted, so that no node may save it */
    FG_WEAK = 128,     /* stands for a Python scalar */
};

/* A described piece of memory. Immutable but for `refs` and the root's `version`. A view holds a reference
 * to its root (the array that owns the memory and the version counter); a root's `root` is itself.
 * The memory of a root lies right behind the struct, or belongs to `owner`. */
typedef struct fg_array {
    intptr_t refs;
    struct fg_array *root;
    char *data;
    void *owner;      /* keeps outside memory alive; see fg_array_wrap */
    intptr_t size;    /* elements */
    uint32_t version; /* of a root: how often its memory was written in place */
    uint32_t itemsize;
    uint8_t dtype, ndim, flags, home; /* home: what allocated it */
    intptr_t dims[];                  /* shape[ndim], then strides[ndim] */
} fg_array;

static inline intptr_t *fg_shape(fg_array *a) { return a->dims; }
static inline intptr_t *fg_strides(fg_array *a) { return a->dims + a->ndim; }

/* Who releases an `owner`; set once by the embedding program. */
extern void (*fg_owner_release)(void *owner);

/* New C-ordered memory, uninitialised. NULL: out of memory. */
fg_array *fg_array_new(int ndim, const intptr_t *shape, int dtype, uint32_t itemsize);
/* Room for the elementwise result, of shape `shape`, of `n` arrays that broadcast to it: in memory its axes have the
 * order that NumPy gives such a result (K order), because sums over it depend on that. NULL: out of memory. */
fg_array *fg_array_new_kept(int n, fg_array *const *arrays, int ndim, const intptr_t *shape, int dtype,
                            uint32_t itemsize);
/* A view of `base` (same memory, same version counter) with another geometry. */
fg_array *fg_array_view(fg_array *base, char *data, int ndim, const intptr_t *shape, const intptr_t *strides);
/* Outside memory that `owner_take` keeps alive. `aligned`, `writeable`: what the caller knows of it. */
fg_array *fg_array_wrap(void *owner_take, char *data, int ndim, const intptr_t *shape, const intptr_t *strides,
                        int dtype, uint32_t itemsize, bool aligned, bool writeable);
/* Shape and dtype alone: `data` is NULL. */
fg_array *fg_array_like(int ndim, const intptr_t *shape, int dtype, uint32_t itemsize);
void fg_array_free(fg_array *a); /* called by fg_array_drop at zero */

static inline fg_array *fg_array_keep(fg_array *a) {
    a->refs++;
    return a;
}
static inline void fg_array_drop(fg_array *a) {
    if (a && --a->refs == 0) fg_array_free(a);
}
/* Whether nobody but the holder of this one reference can see the memory, so that it may be overwritten. */
static inline bool fg_array_unshared(const fg_array *a) { return a->refs == 1 && a->root == a && a->owner == NULL; }
bool fg_array_same_shape(const fg_array *a, const fg_array *b);

/* ---------------------------------------------------------------- loop: NumPy's inner loops -- */

/* The signature of NumPy's inner loops. Counts and strides as NumPy passes them. */
typedef void (*fg_loop_fn)(char **args, const intptr_t *dims, const intptr_t *strides, void *data);
typedef struct fg_loop {
    fg_loop_fn fn; /* NULL: there is no such loop */
    void *data;
    bool foreign; /* not NumPy's: it may report errors to the thread that calls it, see fg_share_foreign */
    bool exact;   /* gives the same bits whatever the strides, as what IEEE 754 defines does */
} fg_loop;
/* Whether foreign loops may run on several threads: whether what they report is ignored anyway. */
extern bool fg_share_foreign;

/* The shape that `n` arrays broadcast to. FG_SHAPE if they do not. */
fg_status fg_broadcast(int n, fg_array *const *arrays, int *ndim, intptr_t *shape);

/* Run an elementwise loop over `nargs` arrays, the last of which is the result and has the broadcast shape (it may be
 * an operand, exactly in place, but not overlap one otherwise). All are aligned and of the dtypes the loop
 * expects. The loop sees what NumPy's iterator would show it: see Note [Buffering] in walk.h. Pure arithmetic. */
void fg_loop_run(const fg_loop *loop, int nargs, fg_array *const *args);

/* into[broadcast] = into op from, over `from`'s shape, where `into` has from's ndim and size 1 along the axes
 * to be reduced (`into` holds the initial value: 0 for a sum, as in NumPy). The loop is called in the order
 * of np.add.reduce: see Note [Order of sums] in loop.c; `loop` is a loop that adds. Pure arithmetic. */
void fg_loop_reduce(const fg_loop *loop, fg_array *into, fg_array *from);

/* `g` summed over the axes along which `like` was broadcast to g's shape: a new array of like's shape and
 * g's dtype. `g_take` is given back as it is where the shapes are the same. `add` is g's add loop. */
fg_status fg_sum_to(fg_array *g_take, fg_array *like, const fg_loop *add, fg_array **result);

/* *held = *held + more, in place where nobody else can see one of the two. Same shape and dtype. *held may be NULL. */
fg_status fg_accumulate(fg_array **held, fg_array *more_take, const fg_loop *add);

/* ---------------------------------------------------------------- program: fused elementwise steps -- */

/* Steps over registers. Registers are numbered inputs, constants, temporaries, outputs. Every step runs on
 * one cache-sized block before the next block, so temporaries never leave the L1 cache. */
typedef struct fg_step {
    fg_loop loop;
    uint16_t nin, out;
    uint16_t in[4];
    uint8_t reduces; /* of a program along rows: FG_SUM, ... of a row; 0: elementwise */
} fg_step;
/* FG_DOT: of two inputs, by a loop for matrices' products along the last axes; where outer and inner are 1. */
enum { FG_SUM = 1, FG_EXTREME = 2, FG_PRODUCT = 3, FG_DOT = 4 };
#define FG_MAXROWSTEPS 64 /* of a program along rows */
/* What a register of a program along rows holds: a value for each element, for each row, or one for all. */
enum { FG_EACH = 0, FG_PER_ROW = 1, FG_SINGLE = 2 };

typedef struct fg_program {
    uint16_t ninputs, nconsts, ntemps, noutputs, nsteps;
    intptr_t block;                    /* elements of one block; from fg_program_finish */
    bool foreign, exact;               /* one of its loops is; all of its loops are */
    int16_t reuse_input, reuse_output; /* output whose memory may be that input's: see fg_program_finish; or -1 */
    uint8_t *itemsize;                 /* of each register */
    uint8_t *place;                    /* of each register of a program along rows: FG_EACH, ... */
    char *consts;                      /* 16 bytes for each constant */
    fg_step *steps;
} fg_program;

/* A program with room for the given counts; itemsizes, consts and steps are filled in by the caller, who then
 * calls fg_program_finish. NULL: out of memory, or more than FG_MAXINOUT inputs and outputs or FG_MAXREGS registers. */
fg_program *fg_program_new(int ninputs, int nconsts, int ntemps, int noutputs, int nsteps);
/* Work out which output (reuse_output) may overwrite input 0 (by convention the cotangent): the one
 * written by a step at or after the last step that reads input 0, and of the same itemsize. */
void fg_program_finish(fg_program *p);
void fg_program_free(fg_program *p);

/* Run over arrays that broadcast to the outputs' shape (all outputs have one shape; C order, or the memory of
 * input 0 as reuse_* allows). Inputs are aligned and have their register's itemsize. Pure arithmetic. */
void fg_program_run(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs);
/* The same, but output k is added by the loop `add` to what is there, where bit k of `added` is set. False, and nothing
 * is done, where inputs and outputs do not lie as one flat run. */
bool fg_program_run_adding(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs, uint32_t added,
                           const fg_loop *add);

/* Run a program along an axis of n elements of arrays of shape (outer, n, inner), all of them in C order. The loops are
 * called as NumPy calls them for such arrays, and of shape (outer, 1, inner). A step that needs fewer reductions one
 * after the other had better come first. A register with a value for each row is written once, or by steps each of
 * which reads it. FG_NOMEM: no room for temporaries. */
fg_status fg_program_run_rows(const fg_program *p, fg_array *const *inputs, fg_array *const *outputs, intptr_t outer,
                              intptr_t n, intptr_t inner);

/* ---------------------------------------------------------------- products -- */

/* The product of each of `lines` lines of n elements, float32 or float64 by itemsize, in order. */
void fg_products(void *to, const void *from, intptr_t lines, intptr_t n, intptr_t itemsize);
/* Of arrays of shape (outer, n, inner), and g of (outer, 1, inner): g times the product of all the other elements along
 * n, which is the product of those before, in order, times that of those after, from the end. */
void fg_products_of_others(fg_array *x, fg_array *g, fg_array *result, intptr_t outer, intptr_t n, intptr_t inner);

/* ---------------------------------------------------------------- kernels: loops NumPy has not -- */

/* By name and type number of the result. {NULL, NULL} if there is none.
 * "where": (bool, T, T) -> T for any itemsize 1, 2, 4, 8, 16. The curves of curves.c: T is float32 or float64. */
fg_loop fg_kernel_find(const char *name, int dtype);
/* The same, by name and type number, for a row of which NumPy has a loop too: one of both, ours alone, or NumPy's. */
fg_loop fg_mixed_find(const char *name, int dtype, const fg_loop *of_numpy);
/* to[...] = from, same dtype, `from` broadcast to `to`'s shape; memory must not overlap. Pure arithmetic. */
void fg_copy(fg_array *to, fg_array *from);
/* Every element of `a` = the `itemsize` bytes at `value`. */
void fg_fill(fg_array *a, const void *value);
/* to = the matrices in the last two axes of `from`, with zeros above (or, not `lower`, below) diagonal k. C order. */
void fg_triangle(const fg_array *from, fg_array *to, intptr_t k, bool lower);

/* ---------------------------------------------------------------- gather: places along an axis -- */

/* Places in an array that is seen as (outer, n, inner), in C order: `count` numbers below n, each of which stands for the
 * slices [:, place, :]. What they pick lies in memory as (count, outer, inner), as NumPy has it. Pure arithmetic. */
typedef struct fg_picks {
    const intptr_t *places;
    intptr_t count, outer, n, inner;
} fg_picks;

/* places = numbers or, with `more`, places * n + numbers, of which there are `count` of `width` bytes (4 or 8), `step`
 * elements apart; negative ones count from the end. False: one is not below n, and the places are worth nothing. */
bool fg_places_join(intptr_t *places, intptr_t count, const void *numbers, int width, intptr_t step, intptr_t n,
                    bool more);
/* Whether all numbers are from 0 to n - 1. */
bool fg_all_below(const void *numbers, int width, intptr_t count, intptr_t n);
/* How many of n truth values hold, and where those are. */
intptr_t fg_mask_count(const uint8_t *mask, intptr_t n);
void fg_mask_places(intptr_t *places, intptr_t count, const uint8_t *mask);

/* into = what the places pick of `from`. */
void fg_gather(const fg_picks *p, char *into, const char *from, intptr_t itemsize);
/* `from`, of shape (outer, count, inner) and with these strides, added at the places of `into`, in the order of the
 * places. FG_FLOAT32 or FG_FLOAT64. */
void fg_scatter_add(const fg_picks *p, char *into, const char *from, const intptr_t *strides, int dtype);

/* Numbers of shape (outer, length, inner) along the axis of n of an array (outer, n, inner); negative ones count from the
 * end. All in C order and not empty. */
typedef struct fg_along {
    const int64_t *numbers;
    intptr_t outer, length, n, inner;
} fg_along;
/* to = what they pick of `from`; and zeros with `from` added where they pick from, in their order. FG_FLOAT32 or
 * FG_FLOAT64. False: a number is not below n, and `to` is worth nothing. */
bool fg_take_along(const fg_along *p, void *to, const void *from, int dtype);
bool fg_give_along(const fg_along *p, void *to, const void *from, int dtype);

/* ---------------------------------------------------------------- images: convolutions -- */

enum { FG_BATCH_ARGS = 4, FG_BATCH_DIMS = 5 };
/* A generalized loop of NumPy's over a stack of matrices: counts (that of the stack first) and strides (those from one
 * matrix to the next first) as it is given them. */
typedef struct fg_batch {
    fg_loop loop;
    int nargs;
    char *data[FG_BATCH_ARGS];
    intptr_t dims[FG_BATCH_DIMS], strides[3 * FG_BATCH_ARGS];
} fg_batch;
/* Run it, shared out by `grain` matrices at least. Whether no invalid operation was reported, which is how the loops of
 * numpy.linalg say that a matrix is singular. */
bool fg_batch_run(const fg_batch *batch, intptr_t grain);

#define FG_TILE 1024 /* the most elements of a tile whose sums are cut */
/* A matrix of float or double: how far apart rows and columns are, in bytes. */
typedef struct fg_matrix {
    char *at;
    intptr_t row, column;
} fg_matrix;
/* (m, k) times (k, n) by the loop of matmul: tiles of the result of tall x wide elements, sums in parts of `deep`; where
 * there are several parts, tiles have FG_TILE elements at most. The columns of r are next to each other. */
typedef struct fg_tiles {
    fg_loop matmul;
    fg_matrix a, b, r;
    intptr_t m, k, n, tall, deep, wide, itemsize;
} fg_tiles;
void fg_multiply(const fg_tiles *tiles);

#define FG_SYSTEM 16 /* the most rows, and the most columns on the right */
/* Stacks of n x n matrices, and of n x k right-hand sides (NULL: identities), of double (wide) or float, aligned; x in C
 * order, of k = 0 the determinants. All arithmetic is double. */
typedef struct fg_systems {
    const char *a, *b;
    char *x;
    intptr_t n, k, a_strides[3], b_strides[3];
    double least;
    bool wide, scaled; /* scaled: times the determinant of the matrix */
} fg_systems;
/* Solve `count` of them. Whether all results are finite, and no pivot as small as `least` times another. */
bool fg_systems_solve(const fg_systems *systems, intptr_t count);

/* Stacks of n x n lower triangles t, of the reciprocals of what is on their diagonals, and of n x k right-hand sides x,
 * where the results go; double (wide) or float, or pairs of them that are complex numbers. The columns of x lie side by side. */
typedef struct fg_triangles {
    const char *t, *scale;
    char *x;
    intptr_t n, k, t_strides[3], scale_strides[2], x_strides[2];
    bool wide, pairs;
} fg_triangles;
void fg_triangles_solve(const fg_triangles *triangles, intptr_t count);

#define FG_IMAGE_AXES 3 /* fewer: the first have size 1 */
/* Images (examples, channels, sizes), kernels (outputs, channels / groups, kernel) and results (examples, outputs,
 * counts) of one number type, in C order and not empty. Windows are products of `piece` examples at a time, of one
 * example in boxes that follow one another in memory: parts of the last axis, or of the one before, ... */
typedef struct fg_images {
    intptr_t examples, channels, outputs, groups, piece, itemsize; /* 4 or 8: float or double */
    intptr_t sizes[FG_IMAGE_AXES], kernel[FG_IMAGE_AXES], counts[FG_IMAGE_AXES];
    intptr_t stride[FG_IMAGE_AXES], dilation[FG_IMAGE_AXES], before[FG_IMAGE_AXES], box[FG_IMAGE_AXES];
    fg_loop matmul; /* NumPy's, of that type */
} fg_images;
typedef enum fg_convolution_kind { FG_INTO_RESULTS, FG_INTO_IMAGES, FG_INTO_KERNELS } fg_convolution_kind;
/* Of images x, kernels w and results y two are given, the third is written. FG_NOMEM: no room for the windows. */
fg_status fg_convolve(const fg_images *f, fg_convolution_kind kind, char *x, char *w, char *y);

/* out = the largest element of each window of x; dx = g put where it is, of equals the first, added up where windows
 * overlap. Of `f` only examples, itemsize and the axes count. False: a window has more than 64 elements or lies
 * outside, and the result is worth nothing. */
bool fg_maxima(const fg_images *f, const void *x, void *out);
bool fg_maxima_back(const fg_images *f, const void *x, const void *g, void *dx);

/* ---------------------------------------------------------------- resample: weighted sums along axes -- */

/* A sparse matrix (m, n) for one axis of images: row i has weights and places from starts[i] to starts[i + 1]. */
typedef struct fg_taps {
    intptr_t m, n, each;             /* how many weights every row has; -1: not all the same */
    const intptr_t *starts, *places; /* NULL: the axis stays as it is */
    const void *weights;             /* float or double, as the images */
} fg_taps;

/* y = planes of x of these sizes, each of their FG_IMAGE_AXES axes multiplied by its matrix. In C order. */
fg_status fg_resample(const fg_taps *maps, const intptr_t *sizes, intptr_t planes, const char *x, char *y,
                      intptr_t itemsize);

/* ---------------------------------------------------------------- steps: of optimizers -- */

/* A step of one parameter, elements first to last - 1: arrays and numbers as the expression of that name has them. */
typedef void (*fg_step_fn)(char *const *arrays, const double *numbers, intptr_t first, intptr_t last);
/* By name, type number, and how many arrays and numbers are at hand. NULL: there is none. */
fg_step_fn fg_step_find(const char *name, int dtype, int arrays, int numbers);
/* Of n elements, in C order; the arrays lie apart from each other. Pure arithmetic. */
void fg_step_run(fg_step_fn step, char *const *arrays, const double *numbers, intptr_t n);

/* ---------------------------------------------------------------- classes: losses of integer classes -- */

/* Scores of shape (outer, n, inner), of n classes, in C order, and which class each line should have; `ignored` counts
 * for nothing. */
typedef struct fg_classes {
    intptr_t *classes;
    intptr_t outer, n, inner, ignored;
    int dtype; /* FG_FLOAT32 or FG_FLOAT64 */
} fg_classes;

/* Copy classes of `width` bytes (4 or 8): how many count; -1 if one is out of bounds. */
intptr_t fg_classes_take(const fg_classes *k, const void *given, int width);
/* -(x[class] - top - logs) for each line, 0 where it counts for nothing. Pure arithmetic. */
void fg_class_losses(const fg_classes *k, char *losses, const char *x, const char *top, const char *logs);
/* (powers / total - 1 at the class) * g, where total and g have one value for each line, those of g `stride` bytes apart;
 * 0 where the line counts for nothing. `into` may be `powers`. Pure arithmetic. */
void fg_class_slope(const fg_classes *k, char *into, const char *powers, const char *total, const char *g,
                    intptr_t stride);

/* ---------------------------------------------------------------- norms: mean 0 and variance 1 -- */

/* Arrays x of shape (a, c, b), in C order and not empty, normalised along a and b: (x - mean) * scale * w + bias, where scale
 * is 1 / sqrt(variance + eps). There is one weight, and one bias, for each of c or, `along`, for each of b, where a is 1;
 * NULL: 1 and 0. Not `centred`: the mean is taken to be 0. */
typedef struct fg_norm {
    intptr_t a, c, b;
    int dtype; /* FG_FLOAT32 or FG_FLOAT64 */
    bool centred, along;
    double eps;
    const void *x, *w, *bias, *g;
    void *moments;            /* the c means and the c scales: the forward writes them, the vjp reads them */
    void *out, *dx, *dw, *db; /* dx: NULL, or where it goes, which may be g; dw and db: both NULL, or neither */
    intptr_t together;        /* its own: lines of a block, columns of a strip; and sums of blocks */
    void *parts;
} fg_norm;
void fg_norm_forward(fg_norm *norm);
fg_status fg_norm_vjp(fg_norm *norm);

#define FG_SOFTMAX_LINE 4096 /* the most elements of lines, where inner is 1 */
/* Softmax (or its logarithm) of arrays of shape (outer, n, inner), in C order and not empty, along n. */
typedef struct fg_softmax {
    intptr_t outer, n, inner;
    int dtype; /* FG_FLOAT32 or FG_FLOAT64 */
    bool logs;
    fg_loop exp, log;  /* NumPy's, of that type */
    const void *x, *g; /* of a vjp x is what the forward gave */
    void *to;          /* may be g */
    intptr_t together; /* its own: lines, or columns, that are taken together */
} fg_softmax;
void fg_softmax_forward(fg_softmax *softmax);
void fg_softmax_vjp(fg_softmax *softmax);

/* ---------------------------------------------------------------- scan: running sums, products, extrema -- */

typedef enum fg_scan_kind { FG_SUMS, FG_PRODUCTS, FG_LARGEST, FG_SMALLEST } fg_scan_kind;
/* to = the running sum, product or extremum of `from` along lines of n elements which are `inner` elements apart;
 * backwards: of what stands behind each, too. float32 or float64 in C order; `to` may be `from`. Pure arithmetic. */
void fg_scan(fg_scan_kind kind, bool backwards, const fg_array *from, fg_array *to, intptr_t n, intptr_t inner);
/* to = the cotangent of x, where `out` is its running product or extremum and g the cotangent of that. `to` may not be
 * one of the others. Pure arithmetic. */
void fg_scan_vjp(fg_scan_kind kind, const fg_array *g, const fg_array *x, const fg_array *out, fg_array *to, intptr_t n,
                 intptr_t inner);
/* The same of what a loop of two operands makes of the result so far and the next element; and the cotangent of x where
 * that is log(exp(so far) + exp(next)). */
void fg_scan_by(const fg_loop *join, const fg_array *from, fg_array *to, intptr_t n, intptr_t inner);
void fg_scan_logs_vjp(const fg_loop *exp, const fg_array *g, const fg_array *x, const fg_array *out, fg_array *to,
                      intptr_t n, intptr_t inner);

/* ---------------------------------------------------------------- extrema -- */

/* to = the cotangent of x, of lines of n elements which are `inner` elements apart, where `out` has the extremum of each
 * and g the cotangent of that, which equals share. float32 or float64 in C order, n <= FG_EXACT. Pure arithmetic. */
void fg_extrema_vjp(const fg_array *x, const fg_array *out, const fg_array *g, fg_array *to, intptr_t n,
                    intptr_t inner);
#define FG_EXACT (1 << 24) /* up to here every count is a float32 */

/* ---------------------------------------------------------------- sort: lines in order -- */

/* Whether equal elements of `a` (float32 or float64, in C order) look alike and there is no nan: then there is but one
 * way to write it in order. Pure arithmetic. */
bool fg_sort_tells(const fg_array *a);
/* to = `from`, each line of n elements in order, and in `order` (32-bit) where in its line each came from: of equal ones
 * the first comes first. All in C order, n below 2^31, and `from` as fg_sort_tells wants it. */
fg_status fg_sort(const fg_array *from, fg_array *to, fg_array *order, intptr_t n, bool descending);
/* to[order] = g in each line. Pure arithmetic. */
void fg_sort_back(const fg_array *g, fg_array *order, fg_array *to, intptr_t n);

/* ---------------------------------------------------------------- select: the middle of lines -- */

/* to = the median of each line of n elements (below 2^31) of `from`, which are `inner` elements apart: float32 or
 * float64 in C order. In `places`, unless it is NULL, which two elements (32-bit) it is the mean of, of equal ones the
 * first coming first; one, of which the other place is the same, where n is odd. `plain` tells whether there is neither
 * nan nor -0.0; else nothing is worth anything. */
fg_status fg_median(const fg_array *from, fg_array *to, fg_array *places, intptr_t n, intptr_t inner, bool *plain);
/* to = zeros with g, one for each line, given to those elements by halves. Pure arithmetic. */
void fg_median_back(const fg_array *g, const fg_array *places, fg_array *to, intptr_t n, intptr_t inner);

/* ---------------------------------------------------------------- graph: sort and run -- */

/* Fetch into the cache what is read soon: large graphs are walked faster than memory answers. Any address will do. */
#if defined(__GNUC__)
#define fg_prefetch(address) __builtin_prefetch(address)
#else
#define fg_prefetch(address) ((void)(address))
#endif

/* The rest of the caller's object that a node is embedded in: what lies behind the node's first line. */
static inline void fg_prefetch_node(const void *node) {
    for (int line = 1; line < 4; line++) fg_prefetch((const char *)node + 64 * line);
}

struct fg_node;
typedef struct fg_edge {
    struct fg_node *node; /* NULL: nothing upstream wants this cotangent */
    uint32_t nr;          /* which output of `node` */
} fg_edge;

/* One recorded operation, embedded in the caller's own object. The caller keeps nodes and all they lead to
 * alive while a run is under way. Fields below the line are zero to begin with and belong to the run that claimed
 * the node. Edges lead from newer to older nodes: there are no cycles. */
typedef struct fg_node {
    uint64_t seq;   /* order of creation; the newest ready node runs first */
    fg_edge *edges; /* one for each input */
    uint32_t nin, nout;
    /* ---- */
    struct fg_run *run;
    void **grads; /* cotangent of each output so far, NULL: none; points at `grad` where nout is 1 */
    void *grad;
    uint32_t deps;
    uint8_t wanted, is_twin; /* ask fg_run_wanted: another run may hold these fields */
} fg_node;

/* Leaves run as soon as they are ready: their sequence number is this. */
#define FG_SEQ_LEAF UINT64_MAX

/* What a run does with cotangents, which it treats as opaque references. */
typedef struct fg_run_ops {
    /* Apply a ready node: consume `grads` (nout entries, each owned by the callee from now on, NULL where nothing
     * came) and fg_run_send to each wanted edge. */
    fg_status (*apply)(void *context, struct fg_run *run, fg_node *node, void **grads);
    /* *held += more. */
    fg_status (*merge)(void *context, void **held, void *more_take);
    void (*drop)(void *grad);
    /* Called every FG_POLL_NODES nodes, for signals. */
    fg_status (*poll)(void *context);
    /* Whether a node is applied even where no cotangent reached it (NULL: none is). */
    bool (*hungry)(fg_node *node);
} fg_run_ops;
#define FG_POLL_NODES 256

typedef struct fg_run fg_run;

/* NULL: out of memory. */
fg_run *fg_run_new(const fg_run_ops *ops, void *context);
/* Seed output `nr` of `node`. */
fg_status fg_run_seed(fg_run *run, fg_node *node, uint32_t nr, void *grad_take);
/* Restrict the run to what leads to `node` (call for each; none: everything runs). */
fg_status fg_run_want(fg_run *run, fg_node *node);
/* Count dependencies with an explicit worklist, then run newest-first until nothing is ready.
 * On failure cotangents under way are dropped; the graph is as it was. */
fg_status fg_run_go(fg_run *run);
/* From `apply`: add `grad_take` to output `nr` of `node`. A node that this run does not need drops it. */
fg_status fg_run_send(fg_run *run, fg_edge edge, void *grad_take);
/* From `apply`: where the cotangent of an edge's target is held so far (the entry may be NULL), to be added into in
 * place; NULL if this run does not need the target. Follow with fg_run_send(run, edge, NULL), which counts the edge. */
void **fg_run_peek(fg_run *run, fg_edge edge);
/* Whether this run needs a cotangent along `edge`. */
bool fg_run_needs(fg_run *run, fg_edge edge);
/* Whether `node` was given to fg_run_want. To be asked from `apply`. */
bool fg_run_wanted(fg_run *run, fg_node *node);
/* How the vjp of an elementwise operation is computed: results are outputs of a program, inputs of it, or constants. */
enum { FG_COMPUTED = 0, FG_INPUT = 1, FG_CONST = 2 };
typedef struct fg_vjp {
    const fg_program *programs[2]; /* for float32 and float64; NULL: not to be had */
    uint8_t ninputs, ncomputed, nresults;
    bool gives_g;                 /* a result is the cotangent itself, which no other result may then overwrite */
    bool ready[2];                /* whether the program of that type, if there is one, was looked for */
    int8_t sources[8];            /* of each input: which saved value; negative: the cotangent */
    uint8_t kinds[4], numbers[4]; /* of each result: FG_COMPUTED, ... and which */
    uint8_t edges[4];             /* which operand each result belongs to */
    bool truths[8];               /* an input is of bools */
    double consts[4];             /* of results that are FG_CONST */
} fg_vjp;
/* The three below at once, and the program between them, for arrays that are too small for anything else to be done
 * meanwhile. False, and nothing is done or taken, where the vjp does not suit. */
bool fg_vjp_run(const fg_vjp *vjp, fg_run *run, const fg_node *node, fg_array *const *saved, const uint32_t *versions,
                fg_array *g_take, const fg_loop *add, fg_status *status);
/* Whether all that the vjp reads is there: the cotangent g, float32 or float64, and what a node saved, not written since. */
bool fg_vjp_suits(const fg_vjp *vjp, fg_array *const *saved, const uint32_t *versions, const fg_array *g);
/* The program's inputs (borrowed) and room for its outputs, one of which may be g itself. With a run (it may be NULL)
 * outputs that can be added to where they go, while they are computed, are what is held there: bits of `added`. */
fg_status fg_vjp_begin(const fg_vjp *vjp, fg_run *run, const fg_node *node, fg_array *const *saved, fg_array *g,
                       fg_array **inputs, fg_array **outputs, uint32_t *added);
/* From `apply`, once the program was run: send the results of `node`, summed to their operands' shapes by g's loop `add`. */
fg_status fg_vjp_end(const fg_vjp *vjp, fg_run *run, const fg_node *node, fg_array *const *saved,
                     fg_array *const *inputs, fg_array **outputs_take, uint32_t added, fg_array *g_take,
                     const fg_loop *add);

/* Instead of fg_run_go: whether the seeded nodes lead to a leaf other than along the `ends`. */
fg_status fg_run_beyond(fg_run *run, const fg_edge *ends, size_t count, bool *found);
/* Drops whatever is left and gives every claimed node back. */
void fg_run_free(fg_run *run);

#endif
