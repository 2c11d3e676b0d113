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
#define P10(x, a, b, c, d, e, f, g, h, i, j) (H5((x) * (x), a, c, e, g, i) + (x) * H5((x) * (x), b, d, f, h, j))
#define P11(x, a, b, c, d, e, f, g, h, i, j, k) (H6((x) * (x), a, c, e, g, i, k) + (x) * H5((x) * (x), b, d, f, h, j))
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

/* ---------------------------------------------------------------- loops -- */

/* Over n elements side by side; of the last operands of some, one number for all. */
typedef void (*curve_fn)(char **args, intptr_t n);

#define SIDE(type, k) const type *x##k = (const type *)(const void *)args[k];
#define ONE(type, k) const type x##k = *(const type *)(const void *)args[k];
#define LOOP(loop, type, nin, operands, value)                     \
    FG_CLONES static void loop##_##type(char **args, intptr_t n) { \
        operands type *to = (type *)(void *)args[nin];             \
        FG_INDEPENDENT                                             \
        for (intptr_t i = 0; i < n; i++) to[i] = value;            \
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
    EACH(1, 1, ndtr)           \
    EACH(1, 1, gelu_terms)     \
    EACH(1, 1, relu)           \
    EACH(1, 1, hardswish)      \
    EACH(1, 1, sign)           \
    EACH(2, 2, sigmoid_pull)   \
    EACH(2, 2, softplus_pull)  \
    EACH(2, 2, expit_pull)     \
    EACH(2, 2, silu_pull)      \
    EACH(2, 2, mish_pull)      \
    EACH(2, 2, gelu_pull)      \
    EACH(2, 2, logistic_loss)  \
    EACH(2, 2, relu_pull)      \
    EACH(2, 2, hardswish_pull) \
    EACH(1, 1, psi_terms)      \
    EACH(1, 1, trigamma)       \
    EACH(1, 1, log_ndtr)       \
    EACH(2, 2, log_ndtr_pull)  \
    EACH(3, 3, share)          \
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

#define BOTH(nin, arrays, name) LOOP_##nin##_##arrays(name, float) LOOP_##nin##_##arrays(name, double)
CURVES(BOTH)

typedef struct curve {
    curve_fn run;
    int nin, arrays;
    intptr_t size;
} curve;

#define ENTRY(nin, arrays, name) \
    {#name, {name##_float, nin, arrays, sizeof(float)}, {name##_double, nin, arrays, sizeof(double)}},
static const struct {
    const char *name;
    curve single, twofold;
} curves[] = {CURVES(ENTRY)};

enum { MOST_ARGS = 5, CHUNK = 128 };

/* Element by element, where a number is an array. */
static void run_singly(const curve *c, char **args, intptr_t n, const intptr_t *strides) {
    char *at[MOST_ARGS];
    for (intptr_t i = 0; i < n; i++) {
        for (int k = 0; k <= c->nin; k++) at[k] = args[k] + i * strides[k];
        c->run(at, 1);
    }
}

/* NumPy's signature: what does not lie side by side is moved there and back, a chunk at a time. */
static void run_curve(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    const curve *c = data;
    const intptr_t size = c->size;
    const int nin = c->nin;
    double chunks[MOST_ARGS][CHUNK];
    char *at[MOST_ARGS];
    bool dense = strides[nin] == size, numbers = true;
    for (int k = 0; k < c->arrays; k++) dense = dense && strides[k] == size;
    for (int k = c->arrays; k < nin; k++) numbers = numbers && strides[k] == 0;
    if (dims[0] == 1 || (dense && numbers)) {
        c->run(args, dims[0]);
        return;
    }
    if (!numbers) {
        run_singly(c, args, dims[0], strides);
        return;
    }
    for (int k = 0; k < nin; k++) {
        if (strides[k] == 0)
            fg_move((char *)chunks[k], size, args[k], 0, CHUNK < dims[0] ? CHUNK : dims[0], (size_t)size);
    }
    for (intptr_t done = 0; done < dims[0]; done += CHUNK) {
        const intptr_t n = dims[0] - done < CHUNK ? dims[0] - done : CHUNK;
        for (int k = 0; k <= nin; k++) {
            at[k] = strides[k] == size ? args[k] + done * size : (char *)chunks[k];
            if (k < nin && strides[k] != size && strides[k] != 0)
                fg_move(at[k], size, args[k] + done * strides[k], strides[k], n, (size_t)size);
        }
        c->run(at, n);
        if (strides[nin] != size)
            fg_move(args[nin] + done * strides[nin], strides[nin], at[nin], size, n, (size_t)size);
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
