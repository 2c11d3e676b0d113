/* select: the middle elements of lines, found without sorting them. */
#include "fg.h"
#include "threads.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { FEW = 12 }; /* elements that are put in order */

typedef struct medians {
    const fg_array *from;
    fg_array *to;
    const fg_array *places;
    intptr_t n, inner;
    atomic_bool failed, odd;
} medians;

static intptr_t start_of(const medians *m, intptr_t line) {
    return line / m->inner * m->n * m->inner + line % m->inner;
}

/* The pivots are drawn, so that no order of the elements makes it long. What they are does not change the result. */
static uint32_t draw(uint32_t *state) { return (*state = *state * UINT32_C(1664525) + UINT32_C(1013904223)) >> 8; }

#define SELECT(type, count_type)                                                                                   \
    static type middle_of_##type(type a, type b, type c) {                                                         \
        return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);                                  \
    }                                                                                                              \
    /* The k-th smallest of m elements, which are moved. */                                                        \
    static type smallest_##type(type *x, count_type m, count_type k) {                                             \
        uint32_t state = 1;                                                                                        \
        while (m > FEW) {                                                                                          \
            const type a = x[draw(&state) % (uint32_t)m], b = x[draw(&state) % (uint32_t)m];                       \
            const type pivot = middle_of_##type(a, b, x[draw(&state) % (uint32_t)m]);                              \
            count_type less = 0, equal = 0, kept = 0;                                                              \
            for (count_type i = 0; i < m; i++) less += x[i] < pivot, equal += x[i] == pivot;                       \
            if (k >= less && k < less + equal) return pivot;                                                       \
            if (k < less) {                                                                                        \
                for (count_type i = 0; i < m; i++) {                                                               \
                    const type value = x[i];                                                                       \
                    x[kept] = value;                                                                               \
                    kept += value < pivot;                                                                         \
                }                                                                                                  \
            } else {                                                                                               \
                for (count_type i = 0; i < m; i++) {                                                               \
                    const type value = x[i];                                                                       \
                    x[kept] = value;                                                                               \
                    kept += value > pivot;                                                                         \
                }                                                                                                  \
                k -= less + equal;                                                                                 \
            }                                                                                                      \
            m = kept;                                                                                              \
        }                                                                                                          \
        for (count_type i = 1; i < m; i++) {                                                                       \
            const type value = x[i];                                                                               \
            count_type at = i;                                                                                     \
            for (; at > 0 && x[at - 1] > value; at--) x[at] = x[at - 1];                                           \
            x[at] = value;                                                                                         \
        }                                                                                                          \
        return x[k];                                                                                               \
    }                                                                                                              \
    /* Where the k-th of the elements with a value is. */                                                          \
    static int32_t place_of_##type(const type *x, intptr_t step, count_type n, type value, count_type k) {         \
        intptr_t i = 0;                                                                                            \
        while (i < n - 1 && (x[i * step] != value || k--)) i++; /* others may write meanwhile */                   \
        return (int32_t)i;                                                                                         \
    }                                                                                                              \
    /* False: a line has what cannot be ordered by value alone. */                                                 \
    static bool median_##type(const type *x, intptr_t step, count_type n, type *room, type *to, int32_t *places) { \
        const count_type k = (n - 1) / 2;                                                                          \
        count_type odd = 0, less = 0, equal = 0;                                                                   \
        for (count_type i = 0; i < n; i++) {                                                                       \
            const type value = x[i * step];                                                                        \
            room[i] = value;                                                                                       \
            odd += value != value;                                                                                 \
            odd += (value == 0) & (signbit(value) != 0);                                                           \
        }                                                                                                          \
        if (odd) return false;                                                                                     \
        const type low = smallest_##type(room, n, k);                                                              \
        type next = (type)INFINITY, high = low;                                                                    \
        if (n % 2 && !places) { /* the mean of one, which stands on 0 */                                           \
            *to = low;                                                                                             \
            return true;                                                                                           \
        }                                                                                                          \
        for (count_type i = 0; i < n; i++) {                                                                       \
            const type value = x[i * step];                                                                        \
            less += value < low;                                                                                   \
            equal += value == low;                                                                                 \
            next = value > low && value < next ? value : next;                                                     \
        }                                                                                                          \
        if (n % 2 == 0 && k + 1 >= less + equal) high = next;                                                      \
        *to = n % 2 ? low : (low + high) / 2;                                                                      \
        if (!places) return true;                                                                                  \
        places[0] = places[1] = place_of_##type(x, step, n, low, k - less);                                        \
        if (n % 2 == 0) places[1] = place_of_##type(x, step, n, high, high == low ? k + 1 - less : 0);             \
        return true;                                                                                               \
    }                                                                                                              \
    static void medians_##type(medians *m, intptr_t first, intptr_t last, void *room) {                            \
        for (intptr_t line = first; line < last; line++) {                                                         \
            const type *x = (const type *)m->from->data + start_of(m, line);                                       \
            int32_t *places = m->places ? (int32_t *)m->places->data + 2 * line : NULL;                            \
            if (median_##type(x, m->inner, (count_type)m->n, room, (type *)m->to->data + line, places)) {          \
                continue;                                                                                          \
            }                                                                                                      \
            atomic_store(&m->odd, true);                                                                           \
            return;                                                                                                \
        }                                                                                                          \
    }                                                                                                              \
    static void give_##type(void *context, intptr_t first, intptr_t last) {                                        \
        const medians *m = context;                                                                                \
        for (intptr_t line = first; line < last; line++) {                                                         \
            const type g = ((const type *)m->from->data)[line];                                                    \
            const int32_t *places = (const int32_t *)m->places->data + 2 * line;                                   \
            type *to = (type *)m->to->data + start_of(m, line);                                                    \
            for (intptr_t i = 0; i < m->n; i++) to[i * m->inner] = 0;                                              \
            to[places[0] * m->inner] = places[0] == places[1] ? g : g / 2;                                         \
            if (places[0] != places[1]) to[places[1] * m->inner] = g / 2;                                          \
        }                                                                                                          \
    }

SELECT(float, int32_t)
SELECT(double, int64_t)

static void median_part(void *context, intptr_t first, intptr_t last) {
    medians *m = context;
    void *room = fg_mem_alloc((size_t)m->n * m->from->itemsize);
    if (room) {
        (m->from->dtype == FG_FLOAT32 ? medians_float : medians_double)(m, first, last, room);
    } else {
        atomic_store(&m->failed, true);
    }
    fg_mem_free(room);
}

fg_status fg_median(const fg_array *from, fg_array *to, fg_array *places, intptr_t n, intptr_t inner, bool *plain) {
    medians m = {from, to, places, n, inner, false, false};
    if (from->size) fg_parallel(median_part, &m, from->size / n, FG_GRAIN / 4 / n + 1);
    *plain = !atomic_load(&m.odd);
    return atomic_load(&m.failed) ? FG_NOMEM : FG_OK;
}

void fg_median_back(const fg_array *g, const fg_array *places, fg_array *to, intptr_t n, intptr_t inner) {
    medians m = {g, to, places, n, inner, false, false};
    if (to->size == 0) return;
    fg_parallel(g->dtype == FG_FLOAT32 ? give_float : give_double, &m, g->size, FG_GRAIN / n + 1);
}
