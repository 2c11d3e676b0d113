/* Products of matrices in tiles: edges, sums in parts, operands that are turned, several threads. Whole numbers. */
#include "check.h"
#include "threads.h"

#define DEFINE_PRODUCTS(T)                                                                                 \
    static void matmul_##T(char **args, const intptr_t *dims, const intptr_t *s, void *data) {             \
        (void)data;                                                                                        \
        CHECK(dims[0] == 1);                                                                               \
        for (intptr_t i = 0; i < dims[1]; i++) {                                                           \
            for (intptr_t j = 0; j < dims[3]; j++) {                                                       \
                T total = 0;                                                                               \
                for (intptr_t k = 0; k < dims[2]; k++)                                                     \
                    total += *(const T *)(const void *)(args[0] + i * s[3] + k * s[4]) *                   \
                             *(const T *)(const void *)(args[1] + k * s[5] + j * s[6]);                    \
                *(T *)(void *)(args[2] + i * s[7] + j * s[8]) = total;                                     \
            }                                                                                              \
        }                                                                                                  \
    }                                                                                                      \
    static void check_##T(intptr_t m, intptr_t k, intptr_t n, intptr_t tall, intptr_t deep, bool turned) { \
        T *a = malloc((size_t)(m * k) * sizeof(T)), *b = malloc((size_t)(k * n) * sizeof(T));              \
        T *r = malloc((size_t)(m * n) * sizeof(T));                                                        \
        CHECK(a && b && r);                                                                                \
        for (intptr_t i = 0; i < m * k; i++) a[i] = (T)random_whole();                                     \
        for (intptr_t i = 0; i < k * n; i++) b[i] = (T)random_whole();                                     \
        const intptr_t item = sizeof(T);                                                                   \
        fg_tiles t = {{.fn = matmul_##T},                                                                  \
                      {(char *)a, turned ? item : k * item, turned ? m * item : item},                     \
                      {(char *)b, turned ? item : n * item, turned ? k * item : item},                     \
                      {(char *)r, n * item, item},                                                         \
                      m,                                                                                   \
                      k,                                                                                   \
                      n,                                                                                   \
                      tall,                                                                                \
                      deep,                                                                                \
                      5,                                                                                   \
                      item};                                                                               \
        fg_multiply(&t);                                                                                   \
        for (intptr_t i = 0; i < m; i++) {                                                                 \
            for (intptr_t j = 0; j < n; j++) {                                                             \
                T total = 0;                                                                               \
                for (intptr_t l = 0; l < k; l++)                                                           \
                    total += a[turned ? l * m + i : i * k + l] * b[turned ? j * k + l : l * n + j];        \
                CHECK(r[i * n + j] == total);                                                              \
            }                                                                                              \
        }                                                                                                  \
        free(a);                                                                                           \
        free(b);                                                                                           \
        free(r);                                                                                           \
    }

DEFINE_PRODUCTS(float)
DEFINE_PRODUCTS(double)

static void products_are_those_of_the_whole(void) {
    for (int threads = 1; threads < 4; threads++) {
        fg_threads_set(threads);
        for (intptr_t size = 1; size < 30; size += 4) {
            for (int turned = 0; turned < 2; turned++) {
                check_float(size, 17, 31 - size, 3, 17, turned);
                check_double(2 * size, size, 40, 8, 6, turned);
                check_float(40, 3 * size, size, 7, 10, turned);
            }
        }
    }
}

int main(void) {
    RUN(products_are_those_of_the_whole);
    return 0;
}
