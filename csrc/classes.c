/* classes: losses of integer classes, and their slopes. */
#include "fg.h"
#include "threads.h"

static intptr_t line_count(const fg_classes *k) { return k->outer * k->inner; }

#define TAKE(T)                                                        \
    for (intptr_t i = 0; i < line_count(k); i++) {                     \
        const intptr_t y = (intptr_t)((const T *)given)[i];            \
        counted += y != k->ignored;                                    \
        outside |= y != k->ignored && (uintptr_t)y >= (uintptr_t)k->n; \
        k->classes[i] = y;                                             \
    }

intptr_t fg_classes_take(const fg_classes *k, const void *given, int width) {
    intptr_t counted = 0;
    bool outside = false;
    if (width == 8) {
        TAKE(int64_t)
    } else {
        TAKE(int32_t)
    }
    return outside ? -1 : counted;
}

#define LOSSES(T)                                                                                   \
    for (intptr_t o = 0, line = 0; o < k->outer; o++) {                                             \
        for (intptr_t i = 0; i < k->inner; i++, line++) {                                           \
            const intptr_t y = k->classes[line];                                                    \
            if (y == k->ignored) {                                                                  \
                ((T *)losses)[line] = 0;                                                            \
            } else {                                                                                \
                const T z = ((const T *)x)[(o * k->n + y) * k->inner + i] - ((const T *)top)[line]; \
                ((T *)losses)[line] = -(z - ((const T *)logs)[line]);                               \
            }                                                                                       \
        }                                                                                           \
    }

void fg_class_losses(const fg_classes *k, char *losses, const char *x, const char *top, const char *logs) {
    if (k->dtype == FG_FLOAT32) {
        LOSSES(float)
    } else {
        LOSSES(double)
    }
}

typedef struct slope {
    const fg_classes *k;
    char *into;
    const char *powers, *total, *g;
    intptr_t stride;
} slope;

/* Lines of neighbouring elements. In place is a case of its own, or the compiler would be wary of it. */
#define ALONG(T)                                                                                \
    for (intptr_t line = first; line < last; line++) {                                          \
        const intptr_t y = k->classes[line];                                                    \
        const T *row = (const T *)s->powers + line * k->n;                                      \
        const T total = ((const T *)s->total)[line], g = *(const T *)(s->g + line * s->stride); \
        const T scale = g / total;                                                              \
        T *into = (T *)s->into + line * k->n;                                                   \
        if (y == k->ignored) {                                                                  \
            for (intptr_t j = 0; j < k->n; j++) into[j] = 0;                                    \
            continue;                                                                           \
        }                                                                                       \
        const T right = (row[y] / total - 1) * g;                                               \
        if (into == row) {                                                                      \
            for (intptr_t j = 0; j < k->n; j++) into[j] *= scale;                               \
        } else {                                                                                \
            for (intptr_t j = 0; j < k->n; j++) into[j] = row[j] * scale;                       \
        }                                                                                       \
        into[y] = right;                                                                        \
    }

/* Rows of an element of each of many lines. */
#define ACROSS(T)                                                                \
    for (intptr_t row = first; row < last; row++) {                              \
        const intptr_t line = row / k->n * k->inner, class = row % k->n;         \
        const T *powers = (const T *)s->powers + row * k->inner;                 \
        T *into = (T *)s->into + row * k->inner;                                 \
        for (intptr_t i = 0; i < k->inner; i++) {                                \
            const intptr_t y = k->classes[line + i];                             \
            const T chance = powers[i] / ((const T *)s->total)[line + i];        \
            const T g = *(const T *)(s->g + (line + i) * s->stride);             \
            into[i] = y == k->ignored ? 0 : (chance - (y == class ? 1 : 0)) * g; \
        }                                                                        \
    }

static void slope_range(void *context, intptr_t first, intptr_t last) {
    const slope *s = context;
    const fg_classes *k = s->k;
    if (k->inner == 1) {
        if (k->dtype == FG_FLOAT32) {
            ALONG(float)
        } else {
            ALONG(double)
        }
    } else if (k->dtype == FG_FLOAT32) {
        ACROSS(float)
    } else {
        ACROSS(double)
    }
}

void fg_class_slope(const fg_classes *k, char *into, const char *powers, const char *total, const char *g,
                    intptr_t stride) {
    slope s = {k, into, powers, total, g, stride};
    const intptr_t count = k->inner == 1 ? k->outer : k->outer * k->n, size = k->inner == 1 ? k->n : k->inner;
    fg_parallel(slope_range, &s, count, FG_GRAIN / size + 1);
}
