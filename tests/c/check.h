/* check.h: what the tests of the core share: checks, random numbers, and loops in place of NumPy's. */
#ifndef CHECK_H
#define CHECK_H

#include "fg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

#define RUN(test)                 \
    do {                          \
        test();                   \
        printf("ok %s\n", #test); \
        fflush(stdout);           \
    } while (0)

/* xorshift64*: the same numbers everywhere */
static uint64_t random_state = 88172645463325252u;
static inline uint64_t random_bits(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}
static inline int random_below(int n) { return (int)((random_bits() >> 33) % (uint64_t)n); }

/* Small whole numbers: sums and products of a few are exact in any order. */
static inline double random_whole(void) { return (double)(random_below(17) - 8); }

static inline double load(const char *at) { return *(const double *)(const void *)at; }

static inline void double_add(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    (void)data;
    for (intptr_t i = 0; i < dims[0]; i++) {
        const double a = load(args[0] + i * strides[0]), b = load(args[1] + i * strides[1]);
        *(double *)(void *)(args[2] + i * strides[2]) = a + b;
    }
}

static inline void double_subtract(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    (void)data;
    for (intptr_t i = 0; i < dims[0]; i++) {
        const double a = load(args[0] + i * strides[0]), b = load(args[1] + i * strides[1]);
        *(double *)(void *)(args[2] + i * strides[2]) = a - b;
    }
}

static inline void double_maximum(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    (void)data;
    for (intptr_t i = 0; i < dims[0]; i++) {
        const double a = load(args[0] + i * strides[0]), b = load(args[1] + i * strides[1]);
        *(double *)(void *)(args[2] + i * strides[2]) = a > b ? a : b;
    }
}

/* Moves its pointers, as some loops of NumPy's do. */
static inline void double_negative(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    (void)data;
    for (intptr_t i = 0; i < dims[0]; i++, args[0] += strides[0], args[1] += strides[1]) {
        *(double *)(void *)args[1] = -*(double *)(void *)args[0];
    }
}

static inline void double_less(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {
    (void)data;
    for (intptr_t i = 0; i < dims[0]; i++) {
        const double a = load(args[0] + i * strides[0]), b = load(args[1] + i * strides[1]);
        args[2][i * strides[2]] = a < b;
    }
}

static inline fg_array *new_doubles(int ndim, const intptr_t *shape) {
    fg_array *a = fg_array_new(ndim, shape, FG_FLOAT64, 8);
    CHECK(a);
    for (intptr_t i = 0; i < a->size; i++) ((double *)(void *)a->data)[i] = random_whole();
    return a;
}

/* The address of the element at `index` of an array of ndim axes, to which `a` broadcasts. */
static inline char *element(fg_array *a, int ndim, const intptr_t *index) {
    char *at = a->data;
    for (int i = 0; i < a->ndim; i++) {
        if (fg_shape(a)[i] != 1) at += index[ndim - a->ndim + i] * fg_strides(a)[i];
    }
    return at;
}
static inline double value(fg_array *a, int ndim, const intptr_t *index) {
    return *(double *)(void *)element(a, ndim, index);
}

/* The next index in C order. False after the last. */
static inline bool next_index(int ndim, const intptr_t *shape, intptr_t *index) {
    for (int i = ndim - 1; i >= 0; i--) {
        if (++index[i] < shape[i]) return true;
        index[i] = 0;
    }
    return false;
}

/* A random shape of up to 4 axes; now and then an empty or a long one. */
static inline int random_shape(intptr_t *shape) {
    static const int lengths[] = {1, 1, 2, 3, 5, 7, 13, 40};
    const int ndim = random_below(5);
    for (int i = 0; i < ndim; i++) shape[i] = lengths[random_below(8)];
    if (ndim && random_below(40) == 0) shape[random_below(ndim)] = 0;
    if (ndim && ndim < 3 && random_below(10) == 0) shape[random_below(ndim)] = 5000;
    return ndim;
}

/* Doubles that broadcast to `shape`: a random view (gaps, negative strides, axes swapped, zero strides) of new
 * memory, which the view keeps. */
static inline fg_array *random_operand(int ndim, const intptr_t *shape) {
    intptr_t own[FG_MAXDIMS], strides[FG_MAXDIMS], big[FG_MAXDIMS];
    int order[FG_MAXDIMS], skip = random_below(4) == 0 ? random_below(ndim + 1) : 0, steps[FG_MAXDIMS];
    const int n = ndim - skip, plain = random_below(3) == 0;
    for (int i = 0; i < n; i++) {
        own[i] = random_below(4) == 0 && shape[skip + i] ? 1 : shape[skip + i];
        order[i] = i;
    }
    if (plain) return new_doubles(n, own);
    for (int i = n - 1; i > 0 && random_below(2); i--) {
        const int j = random_below(i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    for (int i = 0; i < n; i++) { /* axis i of the memory is axis order[i] of the view */
        steps[i] = random_below(12) == 0 ? 0 : random_below(4) == 0 ? 2 : 1;
        big[i] = own[order[i]] * (steps[i] ? steps[i] : 1);
    }
    fg_array *memory = new_doubles(n, big);
    char *data = memory->data;
    for (int i = 0; i < n; i++) {
        const intptr_t stride = fg_strides(memory)[i] * steps[i];
        const bool backwards = random_below(4) == 0 && own[order[i]] > 0;
        if (backwards) data += stride * (own[order[i]] - 1);
        strides[order[i]] = backwards ? -stride : stride;
    }
    fg_array *view = fg_array_view(memory, data, n, own, strides);
    CHECK(view);
    fg_array_drop(memory);
    return view;
}

#endif
