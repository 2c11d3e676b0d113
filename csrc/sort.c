/* sort: lines in order, and where their elements came from: of equal ones, the first comes first. */
#include "fg.h"
#include "threads.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* A key is an element's bits as an unsigned number of the same order. Half of it, or all where it has 32 bits, is sorted
 * together with the element's place: (half << 32 | place) is a number like any other. */

enum {
    FEW = 48,      /* elements up to which they are inserted one by one */
    LONG_TIE = 64, /* of halves that are alike: from here on the other halves are sorted first */
    DIGITS = 256,
};

static uint64_t key_of_float(float x, bool descending) {
    uint32_t bits;
    x += 0.0f; /* the zeros are equal */
    memcpy(&bits, &x, sizeof bits);
    bits ^= bits >> 31 ? UINT32_MAX : UINT32_C(1) << 31;
    return descending ? (uint32_t)~bits : bits;
}

static uint64_t key_of_double(double x, bool descending) {
    uint64_t bits;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    bits ^= bits >> 63 ? UINT64_MAX : UINT64_C(1) << 63;
    return descending ? ~bits : bits;
}

static void insert(uint64_t *items, intptr_t n) {
    for (intptr_t i = 1; i < n; i++) {
        const uint64_t item = items[i];
        intptr_t at = i;
        for (; at > 0 && items[at - 1] > item; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

/* By the upper halves; what is alike stays in its order. `spare` has room for as many. */
static void sort_halves(uint64_t *items, uint64_t *spare, intptr_t n) {
    uint32_t counts[4][DIGITS];
    uint64_t *from = items, *to = spare;
    memset(counts, 0, sizeof counts);
    for (intptr_t i = 0; i < n; i++) {
        for (int digit = 0; digit < 4; digit++) counts[digit][items[i] >> (32 + 8 * digit) & 255]++;
    }
    for (int digit = 0; digit < 4; digit++) {
        const int shift = 32 + 8 * digit;
        uint32_t *places = counts[digit], place = 0;
        if (places[from[0] >> shift & 255] == (uint64_t)n) continue; /* the same for all */
        for (int i = 0; i < DIGITS; i++) {
            const uint32_t count = places[i];
            places[i] = place;
            place += count;
        }
        for (intptr_t i = 0; i < n; i++) to[places[from[i] >> shift & 255]++] = from[i];
        uint64_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != items) memcpy(items, from, (size_t)n * sizeof *items);
}

typedef struct sort {
    const fg_array *from;
    fg_array *to, *order;
    intptr_t n;
    bool descending;
    atomic_bool failed;
} sort;

#define HALF(key) ((key) & UINT64_C(0xffffffff00000000))
#define PLACE(item) ((uint32_t)(item))

#define SORT_LINE(type)                                                                                          \
    /* Elements whose upper halves are alike, which came in order of their places. False: there are too many. */ \
    static bool settle_ties_##type(uint64_t *items, intptr_t n, const type *x, bool descending) {                \
        for (intptr_t i = 1; i < n; i++) {                                                                       \
            const uint64_t item = items[i];                                                                      \
            if (HALF(items[i - 1]) != HALF(item)) continue;                                                      \
            const uint64_t key = key_of_##type(x[PLACE(item)], descending);                                      \
            intptr_t at = i;                                                                                     \
            for (; at > 0 && HALF(items[at - 1]) == HALF(item); at--) {                                          \
                if (key_of_##type(x[PLACE(items[at - 1])], descending) <= key) break;                            \
                if (i - at == LONG_TIE) return false;                                                            \
                items[at] = items[at - 1];                                                                       \
            }                                                                                                    \
            items[at] = item;                                                                                    \
        }                                                                                                        \
        return true;                                                                                             \
    }                                                                                                            \
    static void sort_line_##type(uint64_t *items, uint64_t *spare, const type *x, intptr_t n, bool descending) { \
        const int rest = (int)sizeof(type) == 8 ? 32 : 0; /* bits below the upper half */                        \
        for (intptr_t i = 0; i < n; i++) {                                                                       \
            items[i] = key_of_##type(x[i], descending) >> rest << 32 | (uint64_t)i;                              \
        }                                                                                                        \
        if (n <= FEW) {                                                                                          \
            insert(items, n);                                                                                    \
        } else {                                                                                                 \
            sort_halves(items, spare, n);                                                                        \
        }                                                                                                        \
        if (!rest || settle_ties_##type(items, n, x, descending)) return;                                        \
        for (intptr_t i = 0; i < n; i++) items[i] = key_of_##type(x[i], descending) << 32 | (uint64_t)i;         \
        sort_halves(items, spare, n);                                                                            \
        for (intptr_t i = 0; i < n; i++) {                                                                       \
            const uint32_t place = PLACE(items[i]);                                                              \
            items[i] = HALF(key_of_##type(x[place], descending)) | place;                                        \
        }                                                                                                        \
        sort_halves(items, spare, n);                                                                            \
    }                                                                                                            \
    static void sort_lines_##type(sort *s, uint64_t *items, uint64_t *spare, intptr_t first, intptr_t last) {    \
        for (intptr_t line = first; line < last; line++) {                                                       \
            const type *x = (const type *)s->from->data + line * s->n;                                           \
            type *to = (type *)s->to->data + line * s->n;                                                        \
            int32_t *order = (int32_t *)s->order->data + line * s->n;                                            \
            sort_line_##type(items, spare, x, s->n, s->descending);                                              \
            for (intptr_t i = 0; i < s->n; i++) {                                                                \
                order[i] = (int32_t)PLACE(items[i]);                                                             \
                to[i] = x[order[i]];                                                                             \
            }                                                                                                    \
        }                                                                                                        \
    }                                                                                                            \
    static bool tells_##type(const type *x, intptr_t n) {                                                        \
        bool plus = false, minus = false, none = false;                                                          \
        for (intptr_t i = 0; i < n; i++) {                                                                       \
            none |= x[i] != x[i];                                                                                \
            plus |= x[i] == 0 && !signbit(x[i]);                                                                 \
            minus |= x[i] == 0 && signbit(x[i]);                                                                 \
        }                                                                                                        \
        return !none && !(plus && minus);                                                                        \
    }                                                                                                            \
    static void put_lines_##type(void *context, intptr_t first, intptr_t last) {                                 \
        const sort *s = context;                                                                                 \
        for (intptr_t line = first; line < last; line++) {                                                       \
            const type *g = (const type *)s->from->data + line * s->n;                                           \
            type *to = (type *)s->to->data + line * s->n;                                                        \
            const int32_t *order = (const int32_t *)s->order->data + line * s->n;                                \
            for (intptr_t i = 0; i < s->n; i++) to[order[i]] = g[i];                                             \
        }                                                                                                        \
    }

SORT_LINE(float)
SORT_LINE(double)

static void sort_part(void *context, intptr_t first, intptr_t last) {
    sort *s = context;
    uint64_t few[FEW], *items = few, *room = NULL;
    if (s->n > FEW) {
        room = items = fg_mem_alloc(2 * (size_t)s->n * sizeof *items);
        if (!room) {
            atomic_store(&s->failed, true);
            return;
        }
    }
    (s->from->dtype == FG_FLOAT32 ? sort_lines_float : sort_lines_double)(s, items, items + s->n, first, last);
    fg_mem_free(room);
}

bool fg_sort_tells(const fg_array *a) {
    if (a->dtype == FG_FLOAT32) return tells_float((const float *)a->data, a->size);
    return tells_double((const double *)a->data, a->size);
}

fg_status fg_sort(const fg_array *from, fg_array *to, fg_array *order, intptr_t n, bool descending) {
    sort s = {from, to, order, n, descending, false};
    if (from->size) fg_parallel(sort_part, &s, from->size / n, FG_GRAIN / 8 / n + 1);
    return atomic_load(&s.failed) ? FG_NOMEM : FG_OK;
}

void fg_sort_back(const fg_array *g, fg_array *order, fg_array *to, intptr_t n) {
    sort s = {g, to, order, n, false, false};
    if (g->size == 0) return;
    fg_parallel(g->dtype == FG_FLOAT32 ? put_lines_float : put_lines_double, &s, g->size / n, FG_GRAIN / n + 1);
}
