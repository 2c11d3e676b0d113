/* tiles: the product of two matrices in tiles, so small that the BLAS library works on the thread that asks. */
#include "fg.h"
#include "threads.h"

#include <string.h>

typedef struct product {
    const fg_tiles *t;
    intptr_t across; /* tiles next to each other */
} product;

static intptr_t at_most(intptr_t size, intptr_t left) { return left < size ? left : size; }

#define DEFINE_ADD(T, suffix)                                                                             \
    static void add_##suffix(char *to, const char *from, intptr_t rows, intptr_t columns, intptr_t row) { \
        const T *b = (const T *)(const void *)from;                                                       \
        for (intptr_t i = 0; i < rows; i++, b += columns) {                                               \
            T *a = (T *)(void *)(to + i * row);                                                           \
            for (intptr_t j = 0; j < columns; j++) a[j] = a[j] + b[j];                                    \
        }                                                                                                 \
    }

DEFINE_ADD(float, float32)
DEFINE_ADD(double, float64)

/* The first part of the sums goes where it belongs, the others are added to it. */
static void run_tile(const product *p, intptr_t number) {
    const fg_tiles *t = p->t;
    double part[FG_TILE];
    const intptr_t i = number / p->across * t->tall, j = number % p->across * t->wide, item = t->itemsize;
    intptr_t dims[4] = {1, at_most(t->tall, t->m - i), t->deep, at_most(t->wide, t->n - j)};
    intptr_t strides[9] = {0, 0, 0, t->a.row, t->a.column, t->b.row, t->b.column, t->r.row, item};
    char *to = t->r.at + i * t->r.row + j * item;
    for (intptr_t l = 0; l < t->k; l += t->deep) {
        char *args[3] = {t->a.at + i * t->a.row + l * t->a.column, t->b.at + l * t->b.row + j * t->b.column, to};
        dims[2] = at_most(t->deep, t->k - l);
        if (l) {
            args[2] = (char *)part;
            strides[7] = dims[3] * item;
        }
        t->matmul.fn(args, dims, strides, t->matmul.data);
        if (l && item == sizeof(float)) add_float32(to, args[2], dims[1], dims[3], t->r.row);
        if (l && item != sizeof(float)) add_float64(to, args[2], dims[1], dims[3], t->r.row);
    }
}

static void run_tiles(void *context, intptr_t first, intptr_t last) {
    for (intptr_t i = first; i < last; i++) run_tile(context, i);
}

void fg_multiply(const fg_tiles *t) {
    product p = {t, (t->n + t->wide - 1) / t->wide};
    fg_parallel(run_tiles, &p, (t->m + t->tall - 1) / t->tall * p.across, 1);
}
