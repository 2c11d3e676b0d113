/* curves: the inner loops of smooth functions that NumPy has not, over elementary.h. */
#include "kernels.h"

#include <math.h>
#include <string.h>

/* Polynomials of 5 to 22 coefficients, by rising powers. */
#define H2(x, c, d) ((d) * (x) + (c))
#define H3(x, c, ...) (H2(x, __VA_ARGS__) * (x) + (c))
#define H4(x, c, ...) (H3(x, __VA_ARGS__) * (x) + (c))
#define H5(x, c, ...) (H4(x, __VA_ARGS__) * (x) + (c))
#define H6(x, c, ...) (H5(x, __VA_ARGS__) * (x) + (c))
#define H7(x, c, ...) (H6(x, __VA_ARGS__) * (x) + (c))
#define H8(x, c, ...) (H7(x, __VA_ARGS__) * (x) + (c))
#define H9(x, c, ...) (H8(x, __VA_ARGS__) * (x) + (c))
#define H10(x, c, ...) (H9(x, __VA_ARGS__) * (x) + (c))
#define H11(x, c, ...) (H10(x, __VA_ARGS__) * (x) + (c))
#define H12(x, c, ...) (H11(x, __VA_ARGS__) * (x) + (c))
#define H13(x, c, ...) (H12(x, __VA_ARGS__) * (x) + (c))
#define H14(x, c, ...) (H13(x, __VA_ARGS__) * (x) + (c))
#define H15(x, c, ...) (H14(x, __VA_ARGS__) * (x) + (c))
#define H16(x, c, ...) (H15(x, __VA_ARGS__) * (x) + (c))
#define H17(x, c, ...) (H16(x, __VA_ARGS__) * (x) + (c))
#define H18(x, c, ...) (H17(x, __VA_ARGS__) * (x) + (c))
#define H19(x, c, ...) (H18(x, __VA_ARGS__) * (x) + (c))
#define H20(x, c, ...) (H19(x, __VA_ARGS__) * (x) + (c))
#define H21(x, c, ...) (H20(x, __VA_ARGS__) * (x) + (c))
#define H22(x, c, ...) (H21(x, __VA_ARGS__) * (x) + (c))

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

/* ---------------------------------------------------------------- loops -- */

#define AT(type, at) (*(type *)(void *)(at))

/* From one operand. */
#define LOOP_1(name, type)                                                                                       \
    FG_CLONES                                                                                                    \
    static void name##_##type(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {          \
        const intptr_t n = dims[0], size = sizeof(type), sx = strides[0], st = strides[1];                       \
        char *x = args[0], *to = args[1];                                                                        \
        (void)data;                                                                                              \
        if (sx == size && st == size) {                                                                          \
            FG_INDEPENDENT                                                                                       \
            for (intptr_t i = 0; i < n; i++) AT(type, to + i * size) = name##_of_##type(AT(type, x + i * size)); \
        } else {                                                                                                 \
            for (intptr_t i = 0; i < n; i++) AT(type, to + i * st) = name##_of_##type(AT(type, x + i * sx));     \
        }                                                                                                        \
    }

/* From two. */
#define LOOP_2(name, type)                                                                                  \
    FG_CLONES                                                                                               \
    static void name##_##type(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {     \
        const intptr_t n = dims[0], size = sizeof(type), sx = strides[0], sy = strides[1], st = strides[2]; \
        char *x = args[0], *y = args[1], *to = args[2];                                                     \
        (void)data;                                                                                         \
        if (sx == size && sy == size && st == size) {                                                       \
            FG_INDEPENDENT                                                                                  \
            for (intptr_t i = 0; i < n; i++)                                                                \
                AT(type, to + i * size) = name##_of_##type(AT(type, x + i * size), AT(type, y + i * size)); \
        } else {                                                                                            \
            for (intptr_t i = 0; i < n; i++)                                                                \
                AT(type, to + i * st) = name##_of_##type(AT(type, x + i * sx), AT(type, y + i * sy));       \
        }                                                                                                   \
    }

/* From one, and three numbers that are mostly the same for all. */
#define LOOP_4(name, type)                                                                                  \
    FG_CLONES                                                                                               \
    static void name##_##type(char **args, const intptr_t *dims, const intptr_t *strides, void *data) {     \
        const intptr_t n = dims[0], size = sizeof(type), *s = strides;                                      \
        char *x = args[0], *a = args[1], *b = args[2], *c = args[3], *to = args[4];                         \
        (void)data;                                                                                         \
        if (s[0] == size && s[1] == 0 && s[2] == 0 && s[3] == 0 && s[4] == size) {                          \
            const type p = AT(type, a), q = AT(type, b), r = AT(type, c);                                   \
            FG_INDEPENDENT                                                                                  \
            for (intptr_t i = 0; i < n; i++)                                                                \
                AT(type, to + i * size) = name##_of_##type(AT(type, x + i * size), p, q, r);                \
        } else {                                                                                            \
            for (intptr_t i = 0; i < n; i++)                                                                \
                AT(type, to + i * s[4]) = name##_of_##type(AT(type, x + i * s[0]), AT(type, a + i * s[1]),  \
                                                           AT(type, b + i * s[2]), AT(type, c + i * s[3])); \
        }                                                                                                   \
    }

#define CURVES(_)                                                                                            \
    _(1, sigmoid)                                                                                            \
    _(1, softplus)                                                                                           \
    _(1, logsigmoid)                                                                                         \
    _(1, silu) _(1, silu_slope) _(1, mish) _(1, mish_slope) _(1, erf) _(1, erfc) _(1, ndtr) _(1, gelu_terms) \
        _(1, gelu_slope) _(2, logistic_loss) _(2, logistic_slope) _(4, elu_terms) _(4, elu_slope)

#define BOTH(operands, name) LOOP_##operands(name, float) LOOP_##operands(name, double)
CURVES(BOTH)

#define ENTRY(operands, name) {#name, name##_float, name##_double},
static const struct {
    const char *name;
    fg_loop_fn single, twofold;
} curves[] = {CURVES(ENTRY)};

fg_loop_fn fg_curve_find(const char *name, int dtype) {
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        if (strcmp(curves[i].name, name) != 0) continue;
        return dtype == FG_FLOAT32 ? curves[i].single : dtype == FG_FLOAT64 ? curves[i].twofold : NULL;
    }
    return NULL;
}
