/* curves: the inner loops of smooth functions that NumPy has not, over elementary.h. */
#include "kernels.h"
#include "walk.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
/* As vectors, but no larger than that takes: there are three of each loop. */
#pragma GCC optimize("O2", "tree-vectorize", "vect-cost-model=dynamic")
#endif

/* Polynomials by rising powers: Horner's way, and even and odd powers by themselves, which are then computed side by side. */
#define H2(x, a, b) ((b) * (x) + (a))
#define H3(x, a, ...) (H2(x, __VA_ARGS__) * (x) + (a))
#define H4(x, a, ...) (H3(x, __VA_ARGS__) * (x) + (a))
#define H5(x, a, ...) (H4(x, __VA_ARGS__) * (x) + (a))
#define H6(x, a, ...) (H5(x, __VA_ARGS__) * (x) + (a))
#define H7(x, a, ...) (H6(x, __VA_ARGS__) * (x) + (a))
#define P8(x, a, b, c, d, e, f, g, h) (H4((x) * (x), a, c, e, g) + (x) * H4((x) * (x), b, d, f, h))
#define P10(x, a, b, c, d, e, f, g, h, i, j) (H5((x) * (x), a, c, e, g, i) + (x) * H5((x) * (x), b, d, f, h, j))
#define P11(x, a, b, c, d, e, f, g, h, i, j, k) (H6((x) * (x), a, c, e, g, i, k) + (x) * H5((x) * (x), b, d, f, h, j))
#define P16(x, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
    (P8((x) * (x), a, c, e, g, i, k, m, o) + (x) * P8((x) * (x), b, d, f, h, j, l, n, p))
#define P20(x, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t) \
    (P10((x) * (x), a, c, e, g, i, k, m, o, q, s) + (x) * P10((x) * (x), b, d, f, h, j, l, n, p, r, t))
#define P22(x, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v) \
    (P11((x) * (x), a, c, e, g, i, k, m, o, q, s, u) + (x) * P11((x) * (x), b, d, f, h, j, l, n, p, r, t, v))

#define IS_DOUBLE 1
#define REAL double
#define BITS uint64_t
#define OF(name) name##_of_double
#define N(d, f) d
#include "elementary.h"
#undef IS_DOUBLE
#undef REAL
#undef BITS
#undef OF
#undef N

#define IS_DOUBLE 0
#define REAL float
#define BITS uint32_t
#define OF(name) name##_of_float
#define N(d, f) f
#include "elementary.h"

#include "gamma.h"
#include "sines.h"

#include "bessel.h"

/* ---------------------------------------------------------------- loops -- */

/* Loops run over blocks of so many bytes, which are whole vectors on every processor: code for what is left of one would
 * be most of each. Of the last operands of some there is one number for all. */
enum { BLOCK = 64 };
typedef void (*curve_fn)(char **args, size_t blocks);

#define SIDE(type, k) const type *x##k = (const type *)(const void *)args[k];
#define ONE(type, k) const type x##k = *(const type *)(const void *)args[k];
#define LOOP(loop, type, nin, operands, value)                                              \
    FG_CLONES static void loop##_##type(char **args, size_t blocks) {                       \
        operands type *to = (type *)(void *)args[nin];                                      \
        FG_INDEPENDENT                                                                      \
        for (size_t i = 0; i < blocks * ((size_t)BLOCK / sizeof(type)); i++) to[i] = value; \
    }
#define LOOP_1_1(f, type) LOOP(f, type, 1, SIDE(type, 0), f##_of_##type(x0[i]))
#define LOOP_2_2(f, type) LOOP(f, type, 2, SIDE(type, 0) SIDE(type, 1), f##_of_##type(x0[i], x1[i]))
#define LOOP_3_3(f, type) \
    LOOP(f, type, 3, SIDE(type, 0) SIDE(type, 1) SIDE(type, 2), f##_of_##type(x0[i], x1[i], x2[i]))
#define LOOP_4_4(f, type) \
    LOOP(f, type, 4, SIDE(type, 0) SIDE(type, 1) SIDE(type, 2) SIDE(type, 3), f##_of_##type(x0[i], x1[i], x2[i], x3[i]))
#define LOOP_2_1(f, type) LOOP(f, type, 2, SIDE(type, 0) ONE(type, 1), f##_of_##type(x0[i], x1))
#define LOOP_3_1(f, type) LOOP(f, type, 3, SIDE(type, 0) ONE(type, 1) ONE(type, 2), f##_of_##type(x0[i], x1, x2))
#define LOOP_3_2(f, type) LOOP(f, type, 3, SIDE(type, 0) SIDE(type, 1) ONE(type, 2), f##_of_##type(x0[i], x1[i], x2))
#define LOOP_4_1(f, type) \
    LOOP(f, type, 4, SIDE(type, 0) ONE(type, 1) ONE(type, 2) ONE(type, 3), f##_of_##type(x0[i], x1, x2, x3))
#define LOOP_4_2(f, type) \
    LOOP(f, type, 4, SIDE(type, 0) SIDE(type, 1) ONE(type, 2) ONE(type, 3), f##_of_##type(x0[i], x1[i], x2, x3))
#define LOOP_4_3(f, type) \
    LOOP(f, type, 4, SIDE(type, 0) SIDE(type, 1) SIDE(type, 2) ONE(type, 3), f##_of_##type(x0[i], x1[i], x2[i], x3))

/* How many operands each has, and how many of them are no numbers: what follows those hardly ever is an array. */
#define CURVES(EACH)           \
    EACH(1, 1, sigmoid)        \
    EACH(1, 1, softplus)       \
    EACH(1, 1, logsigmoid)     \
    EACH(1, 1, silu)           \
    EACH(1, 1, mish)           \
    EACH(1, 1, erf)            \
    EACH(1, 1, erfc)           \
    EACH(1, 1, erfinv)         \
    EACH(1, 1, ndtr)           \
    EACH(1, 1, logit)          \
    EACH(2, 2, logit_pull)     \
    EACH(1, 1, gelu_terms)     \
    EACH(1, 1, relu)           \
    EACH(1, 1, hardswish)      \
    EACH(1, 1, sign)           \
    EACH(1, 1, cube)           \
    EACH(2, 2, sigmoid_pull)   \
    EACH(2, 2, softplus_pull)  \
    EACH(2, 2, expit_pull)     \
    EACH(2, 2, silu_pull)      \
    EACH(2, 2, mish_pull)      \
    EACH(2, 2, gelu_pull)      \
    EACH(2, 2, logistic_loss)  \
    EACH(2, 2, chance_terms)   \
    EACH(2, 2, relu_pull)      \
    EACH(2, 2, hardswish_pull) \
    EACH(3, 3, share)          \
    EACH(3, 3, signed_power)   \
    EACH(2, 2, hypot)          \
    EACH(2, 2, logaddexp)      \
    EACH(3, 3, logistic_pull)  \
    EACH(3, 2, leaky_terms)    \
    EACH(3, 1, clamp)          \
    EACH(3, 2, huber_terms)    \
    EACH(4, 1, elu_terms)      \
    EACH(2, 1, sharp_terms)    \
    EACH(3, 2, sharp_pull)     \
    EACH(4, 2, elu_pull)       \
    EACH(4, 2, gate)           \
    EACH(4, 3, huber_pull)

/* Those of double precision alone: floats are made doubles, and the result a float. */
#define WIDE_CURVES(EACH)  \
    EACH(1, 1, bessel_i0)  \
    EACH(1, 1, bessel_i0e) \
    EACH(1, 1, bessel_i1)  \
    EACH(1, 1, bessel_i1e) \
    EACH(1, 1, i1_slope)   \
    EACH(1, 1, i1e_slope)  \
    EACH(1, 1, gammaln)    \
    EACH(1, 1, entr)       \
    EACH(2, 2, xlogy)      \
    EACH(1, 1, sinc)       \
    EACH(1, 1, sinc_slope) \
    EACH(1, 1, near_sin)   \
    EACH(1, 1, near_cos)   \
    EACH(1, 1, psi_terms)  \
    EACH(1, 1, trigamma)   \
    EACH(1, 1, log_ndtr)   \
    EACH(2, 2, log_ndtr_pull)

#define BOTH(nin, arrays, name) LOOP_##nin##_##arrays(name, float) LOOP_##nin##_##arrays(name, double)
#define WIDE(nin, arrays, name) LOOP_##nin##_##arrays(name, double)
CURVES(BOTH)
WIDE_CURVES(WIDE)

typedef struct curve {
    curve_fn run;
    int nin, arrays;
    intptr_t size;
    bool wide; /* floats, computed as doubles */
} curve;

#define ENTRY(nin, arrays, name) \
    {#name, {name##_float, nin, arrays, sizeof(float), false}, {name##_double, nin, arrays, sizeof(double), false}},
#define WIDE_ENTRY(nin, arrays, name) \
    {#name, {name##_double, nin, arrays, sizeof(float), true}, {name##_double, nin, arrays, sizeof(double), false}},
static const struct {
    const char *name;
    curve single, twofold;
} curves[] = {CURVES(ENTRY) WIDE_CURVES(WIDE_ENTRY)};

enum { MOST_ARGS = 5, CHUNK = 128 };

static intptr_t lanes_of(const curve *c) { return BLOCK / (intptr_t)(c->wide ? sizeof(double) : (size_t)c->size); }

/* n elements to a chunk, and zeros after them to the end of a block. */
static void fill_chunk(const curve *c, double *chunk, const char *from, intptr_t stride, intptr_t n, intptr_t padding) {
    if (c->wide) {
        for (intptr_t i = 0; i < n; i++) chunk[i] = (double)*(const float *)(const void *)(from + i * stride);
    } else {
        fg_move((char *)chunk, c->size, from, stride, n, (size_t)c->size);
    }
    const intptr_t size = c->wide ? (intptr_t)sizeof(double) : c->size;
    if (padding) memset((char *)chunk + n * size, 0, (size_t)(padding * size));
}

static void empty_chunk(const curve *c, const double *chunk, char *to, intptr_t stride, intptr_t n) {
    if (c->wide) {
        for (intptr_t i = 0; i < n; i++) *(float *)(void *)(to + i * stride) = (float)chunk[i];
    } else {
        fg_move(to, stride, (const char *)chunk, c->size, n, (size_t)c->size);
    }
}

/* What does not lie side by side, or fills no block, is moved there and back, a chunk at a time. */
static void run_chunks(const curve *c, char *const *args, intptr_t n, const intptr_t *strides) {
    double chunks[MOST_ARGS][CHUNK];
    char *at[MOST_ARGS];
    const intptr_t lanes = lanes_of(c);
    const int nin = c->nin;
    for (int k = c->arrays; k < nin; k++) at[k] = args[k];
    for (intptr_t done = 0; done < n; done += CHUNK) {
        const intptr_t some = n - done < CHUNK ? n - done : CHUNK, padding = -some & (lanes - 1);
        for (int k = 0; k <= nin; k = k + 1 == c->arrays ? nin : k + 1) {
            const bool there = strides[k] == c->size && padding == 0 && !c->wide;
            at[k] = there ? args[k] + done * strides[k] : (char *)chunks[k];
            if (!there && k < nin && (strides[k] != 0 || done == 0))
                fill_chunk(c, chunks[k], args[k] + done * strides[k], strides[k], some, padding);
        }
        c->run(at, (size_t)((some + padding) / lanes));
        if (at[nin] == (char *)chunks[nin])
            empty_chunk(c, chunks[nin], args[nin] + done * strides[nin], strides[nin], some);
    }
}

/* NumPy's signature. */
static void run_curve(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    const curve *c = data;
    const int nin = c->nin;
    const intptr_t n = dims[0];
    char *rest[MOST_ARGS];
    bool dense = strides[nin] == c->size && !c->wide, numbers = true;
    for (int k = 0; k < c->arrays; k++) dense = dense && strides[k] == c->size;
    for (int k = c->arrays; k < nin; k++) numbers = numbers && strides[k] == 0;
    const intptr_t blocks = dense ? n / lanes_of(c) : 0, step = numbers ? n : 1;
    if (numbers && blocks) c->run(args, (size_t)blocks);
    /* the rest, of which each has numbers of its own where those are arrays */
    for (intptr_t done = numbers ? blocks * lanes_of(c) : 0; done < n; done += step) {
        for (int k = 0; k <= nin; k++) rest[k] = args[k] + done * strides[k];
        run_chunks(c, rest, numbers ? n - done : 1, strides);
    }
}

fg_loop fg_curve_find(const char *name, int dtype) {
    fg_loop loop = {NULL, NULL, false, false};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        if (strcmp(curves[i].name, name) != 0 || (dtype != FG_FLOAT32 && dtype != FG_FLOAT64)) continue;
        loop.fn = run_curve;
        loop.data = (void *)(dtype == FG_FLOAT32 ? &curves[i].single : &curves[i].twofold);
    }
    return loop;
}
