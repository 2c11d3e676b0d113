/* steps: an optimizer's step of one parameter in one pass over memory. */
#include "fg.h"
#include "kernels.h"
#include "threads.h"

#include <math.h>
#include <string.h>

/* The expressions of fastgrad.optim, operation by operation, so that the bits are those of the expression. Arrays are the
 * parameter, its gradient and what is kept, apart from each other; numbers come in the expression's order. */

enum decay { PLAIN, ADDED, SHRINKING }; /* weight decay: none, added to the gradient, or by shrinking the parameter */

#define DEFINE_SGD(T, suffix)                                                                                        \
    static FG_INLINE void sgd_of_##suffix(char *const *arrays, const double *numbers, intptr_t first, intptr_t last, \
                                          enum decay decays, bool keeps) {                                           \
        T *restrict p = (T *)(void *)arrays[0];                                                                      \
        const T *restrict grad = (const T *)(const void *)arrays[1];                                                 \
        T *restrict kept = keeps ? (T *)(void *)arrays[2] : NULL;                                                    \
        const T lr = (T)numbers[0], decay = (T)numbers[1], momentum = (T)numbers[2], undamped = (T)numbers[3];       \
        for (intptr_t i = first; i < last; i++) {                                                                    \
            T g = grad[i];                                                                                           \
            if (decays) g = g + decay * p[i];                                                                        \
            if (keeps) kept[i] = g = kept[i] * momentum + undamped * g;                                              \
            p[i] = p[i] - lr * g;                                                                                    \
        }                                                                                                            \
    }

#define DEFINE_ADAM(T, suffix, root)                                                                                  \
    static FG_INLINE void adam_of_##suffix(char *const *arrays, const double *numbers, intptr_t first, intptr_t last, \
                                           enum decay decays) {                                                       \
        T *restrict p = (T *)(void *)arrays[0];                                                                       \
        const T *restrict grad = (const T *)(const void *)arrays[1];                                                  \
        T *restrict mean = (T *)(void *)arrays[2];                                                                    \
        T *restrict squares = (T *)(void *)arrays[3];                                                                 \
        const T step = (T)numbers[0], decay = (T)numbers[1], mix = (T)numbers[2], keep = (T)numbers[3];               \
        const T fresh = (T)numbers[4], eps = (T)numbers[5];                                                           \
        for (intptr_t i = first; i < last; i++) {                                                                     \
            T g = grad[i], from = p[i];                                                                               \
            if (decays == SHRINKING) from = from * decay;                                                             \
            if (decays == ADDED) g = g + decay * from;                                                                \
            const T m = mean[i] + mix * (g - mean[i]), v = squares[i] * keep + fresh * g * g;                         \
            mean[i] = m;                                                                                              \
            squares[i] = v;                                                                                           \
            p[i] = from - step * m / (root(v) + eps);                                                                 \
        }                                                                                                             \
    }

DEFINE_SGD(float, float32)
DEFINE_SGD(double, float64)
DEFINE_ADAM(float, float32, sqrtf)
DEFINE_ADAM(double, float64, sqrt)

#define DEFINE_STEP(name, suffix, body, ...)                                                                           \
    FG_CLONES static void name##_##suffix(char *const *arrays, const double *numbers, intptr_t first, intptr_t last) { \
        body##_##suffix(arrays, numbers, first, last, __VA_ARGS__);                                                    \
    }
#define DEFINE_STEPS(name, body, ...)             \
    DEFINE_STEP(name, float32, body, __VA_ARGS__) \
    DEFINE_STEP(name, float64, body, __VA_ARGS__)

DEFINE_STEPS(sgd, sgd_of, PLAIN, false)
DEFINE_STEPS(sgd_decay, sgd_of, ADDED, false)
DEFINE_STEPS(sgd_momentum, sgd_of, PLAIN, true)
DEFINE_STEPS(sgd_decay_momentum, sgd_of, ADDED, true)
DEFINE_STEPS(adam, adam_of, PLAIN)
DEFINE_STEPS(adam_decay, adam_of, ADDED)
DEFINE_STEPS(adamw, adam_of, SHRINKING)

#define NAMED(name, arrays, numbers) {#name, name##_float32, name##_float64, arrays, numbers}

static const struct {
    const char *name;
    fg_step_fn float32, float64;
    int arrays, numbers;
} TABLE[] = {
    NAMED(sgd, 2, 4),  NAMED(sgd_decay, 2, 4),  NAMED(sgd_momentum, 3, 4), NAMED(sgd_decay_momentum, 3, 4),
    NAMED(adam, 4, 6), NAMED(adam_decay, 4, 6), NAMED(adamw, 4, 6),
};

fg_step_fn fg_step_find(const char *name, int dtype, int arrays, int numbers) {
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++) {
        if (strcmp(TABLE[i].name, name) == 0 && TABLE[i].arrays == arrays && TABLE[i].numbers == numbers)
            return dtype == FG_FLOAT32 ? TABLE[i].float32 : dtype == FG_FLOAT64 ? TABLE[i].float64 : NULL;
    }
    return NULL;
}

typedef struct job {
    fg_step_fn step;
    char *const *arrays;
    const double *numbers;
} job;

static void run_range(void *context, intptr_t first, intptr_t last) {
    const job *j = context;
    j->step(j->arrays, j->numbers, first, last);
}

void fg_step_run(fg_step_fn step, char *const *arrays, const double *numbers, intptr_t n) {
    job j = {step, arrays, numbers};
    fg_parallel(run_range, &j, n, FG_GRAIN);
}
