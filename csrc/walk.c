/* walk: broadcast, order, merge and group the axes of several arrays. */
#include "walk.h"

#include <string.h>
#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

/* Rows of this length need no copying together if they are contiguous as they are. */
enum { LONG_ROW = 128 };

/* An axis with so many indices can be shared out. */
enum { ENOUGH = 16 };
enum { REPEATED_BYTES = 8192 }; /* of one element many times, copied at once */

/* Whether NumPy would walk an axis with strides `a` inside one with strides `b` (1) or outside it (-1), or 0 where
 * the strides do not tell. Where arrays disagree, the order of the axes in the shape wins. */
static int compare_axes(const intptr_t *a, const intptr_t *b, int first, int last) {
    int verdict = 0;
    for (int k = first; k < last; k++) {
        if (!a[k] || !b[k]) continue;
        if (fg_magnitude(b[k]) <= fg_magnitude(a[k])) return -1;
        verdict = 1;
    }
    return verdict;
}

/* Put the axis in w's last place where it belongs (insertion sort, as NumPy's, which is no total order). */
static void insert_axis(fg_walk *w, int first, int last) {
    const int count = w->ndim;
    const size_t row = (size_t)w->nargs * sizeof(intptr_t);
    intptr_t strides[FG_WALK_ARGS];
    const intptr_t n = w->shape[count];
    int place = count;
    for (int i = count - 1; i >= 0; i--) {
        const int verdict = compare_axes(w->strides[count], w->strides[i], first, last);
        if (verdict < 0) break;
        if (verdict > 0) place = i;
    }
    w->ndim++;
    if (place == count) return;
    memcpy(strides, w->strides[count], row);
    for (int i = count; i > place; i--) {
        w->shape[i] = w->shape[i - 1];
        memcpy(w->strides[i], w->strides[i - 1], row);
    }
    w->shape[place] = n;
    memcpy(w->strides[place], strides, row);
}

fg_array *fg_array_new_kept(int n, fg_array *const *arrays, int ndim, const intptr_t *shape, int dtype,
                            uint32_t itemsize) {
    intptr_t strides[FG_MAXDIMS][FG_WALK_ARGS];
    int order[FG_MAXDIMS], place; /* order: innermost first, until the last line */
    for (int count = 0; count < ndim; count++) {
        const int axis = ndim - 1 - count;
        for (int k = 0; k < n; k++) {
            const int own = axis - (ndim - arrays[k]->ndim);
            const bool spread = own < 0 || fg_shape(arrays[k])[own] == 1;
            strides[axis][k] = spread ? 0 : fg_strides(arrays[k])[own];
        }
        place = count;
        for (int i = count - 1; i >= 0; i--) {
            const int verdict = compare_axes(strides[axis], strides[order[i]], 0, n);
            if (verdict < 0) break;
            if (verdict > 0) place = i;
        }
        memmove(order + place + 1, order + place, (size_t)(count - place) * sizeof *order);
        order[place] = axis;
    }
    for (int i = 0, j = ndim - 1; i < j; i++, j--) {
        const int axis = order[i];
        order[i] = order[j];
        order[j] = axis;
    }
    return fg_array_new_ordered(ndim, shape, order, dtype, itemsize);
}

static bool continues(const fg_walk *w, int inner, int outer) {
    for (int k = 0; k < w->nargs; k++) {
        if (w->strides[outer][k] != w->strides[inner][k] * w->shape[inner]) return false;
    }
    return true;
}

static void merge_axes(fg_walk *w) {
    int kept = 0;
    for (int i = 1; i < w->ndim; i++) {
        if (continues(w, kept, i)) {
            w->shape[kept] *= w->shape[i];
        } else if (++kept != i) {
            w->shape[kept] = w->shape[i];
            memcpy(w->strides[kept], w->strides[i], (size_t)w->nargs * sizeof(intptr_t));
        }
    }
    w->ndim = kept + 1;
}

void fg_walk_begin(fg_walk *w, int nargs, fg_array *const *args, int whole, int first, int last) {
    const intptr_t *shape = fg_shape(args[whole]);
    const int ndim = args[whole]->ndim;
    w->ndim = 0;
    w->nargs = nargs;
    for (int k = 0; k < nargs; k++) w->at[k] = args[k]->data;
    for (int i = ndim - 1; i >= 0; i--) {
        if (shape[i] == 1) continue;
        w->shape[w->ndim] = shape[i];
        for (int k = 0; k < nargs; k++) {
            const int axis = i - (ndim - args[k]->ndim);
            const bool spread = axis < 0 || fg_shape(args[k])[axis] == 1;
            w->strides[w->ndim][k] = spread ? 0 : fg_strides(args[k])[axis];
        }
        insert_axis(w, first, last);
    }
    if (w->ndim) {
        merge_axes(w);
    } else {
        w->ndim = 1;
        w->shape[0] = 1;
        for (int k = 0; k < nargs; k++) w->strides[0][k] = (intptr_t)args[k]->itemsize;
    }
    w->group = 1;
    w->run = w->shape[0];
    w->buffered = w->turned = 0;
    memset(w->index, 0, (size_t)w->ndim * sizeof *w->index);
}

/* ---------------------------------------------------------------- grouping -- */

/* Bits of args[first..last) that have no single stride along the inner `group` axes. */
static uint32_t split_args(const fg_walk *w, int group, int first, int last) {
    uint32_t bits = 0;
    for (int i = 1; i < group; i++) {
        for (int k = first; k < last; k++) {
            if (w->strides[i][k] != w->strides[i - 1][k] * w->shape[i - 1]) bits |= UINT32_C(1) << k;
        }
    }
    return bits;
}

static int count_bits(uint32_t bits) {
    int count = 0;
    for (; bits; bits &= bits - 1) count++;
    return count;
}

/* So many inner axes NumPy passes to a loop at once. It weighs calls against copies:
 * (1 + operands copied) / (elements passed at a time), the latter at most its buffer where anything is copied. */
static int numpy_group(const fg_walk *w, int nin) {
    intptr_t size = w->shape[0], best_size = size;
    int best = 1, best_cost = 1, cost = 1;
    for (int group = 2; group <= w->ndim && (size < FG_NUMPY_BUFFER || cost == 1); group++) {
        cost = 1 + count_bits(split_args(w, group, 0, nin));
        size *= w->shape[group - 1];
        const intptr_t passed = cost > 1 && size > FG_NUMPY_BUFFER ? FG_NUMPY_BUFFER : size;
        if ((double)cost * (double)best_size <= (double)best_cost * (double)passed) {
            best = group;
            best_cost = cost;
            best_size = size;
        }
    }
    return best;
}

/* Whether one call for each row does as well as copying rows together: where the loop sees the strides that it would
 * see of a copy, or is exact, so that it may see an operand stand still. */
static bool rows_will_do(const fg_walk *w, uint32_t copied, bool exact, fg_array *const *args) {
    if (w->shape[0] < LONG_ROW) return false;
    for (int k = 0; k < w->nargs; k++) {
        const intptr_t stride = w->strides[0][k];
        if ((copied >> k & 1) && stride != (intptr_t)args[k]->itemsize && !(exact && stride == 0)) return false;
    }
    return true;
}

/* Bits of the operands to be gathered if the walk goes in strips; 0 if it does not. */
static uint32_t turned_args(const fg_walk *w, int nin, fg_array *const *args) {
    uint32_t bits = 0;
    bool across = false;
    if (w->group != 2 || w->shape[0] < FG_STRIP || w->shape[1] < FG_STRIP) return 0;
    for (int k = 0; k < w->nargs; k++) {
        const intptr_t inner = w->strides[0][k], outer = w->strides[1][k];
        if (inner == (intptr_t)args[k]->itemsize || (k < nin && !inner && !outer)) continue;
        if (k >= nin) return 0;
        bits |= UINT32_C(1) << k;
        across = across || (outer && fg_magnitude(outer) < fg_magnitude(inner));
    }
    return across ? bits : 0;
}

void fg_walk_group(fg_walk *w, int nin, bool exact, fg_array *const *args) {
    w->group = numpy_group(w, nin);
    w->buffered = split_args(w, w->group, 0, w->nargs);
    if (w->group > 1 && rows_will_do(w, w->buffered, exact, args)) {
        w->group = 1;
        w->buffered = 0;
    }
    for (int k = nin; k < w->nargs; k++) {
        if (w->strides[0][k] != (intptr_t)args[k]->itemsize) w->buffered |= UINT32_C(1) << k;
    }
    w->run = 1;
    for (int i = 0; i < w->group; i++) w->run *= w->shape[i];
    w->turned = turned_args(w, nin, args);
}

/* ---------------------------------------------------------------- cutting -- */

int fg_walk_split(const fg_walk *w, intptr_t *grain) {
    int best = w->ndim - 1;
    intptr_t each = 1; /* elements for one index */
    for (int i = w->ndim - 1; i >= w->group; i--) {
        if (w->shape[i] > w->shape[best]) best = i;
    }
    if (w->shape[best] < ENOUGH && w->shape[w->group - 1] > w->shape[best]) best = w->group - 1; /* cuts runs short */
    for (int i = 0; i < w->ndim; i++) {
        if (i != best) each *= w->shape[i];
    }
    *grain = each < FG_GRAIN ? FG_GRAIN / each : 1;
    return best;
}

void fg_walk_cut(fg_walk *part, const fg_walk *w, int axis, intptr_t first, intptr_t last) {
    part->ndim = w->ndim;
    part->nargs = w->nargs;
    part->group = w->group;
    part->run = axis < w->group ? w->run / w->shape[axis] * (last - first) : w->run;
    part->buffered = w->buffered;
    part->turned = w->turned;
    for (int i = 0; i < w->ndim; i++) {
        part->shape[i] = i == axis ? last - first : w->shape[i];
        part->index[i] = 0;
        memcpy(part->strides[i], w->strides[i], (size_t)w->nargs * sizeof(intptr_t));
    }
    for (int k = 0; k < w->nargs; k++) part->at[k] = w->at[k] + first * w->strides[axis][k];
}

/* ---------------------------------------------------------------- strips -- */

bool fg_strip_next(fg_strip *s, const fg_walk *w, intptr_t width) {
    s->column += s->columns;
    if (s->column == w->shape[0]) {
        s->column = 0;
        s->row += s->rows;
        if (s->row == w->shape[1]) return false;
    }
    s->columns = w->shape[0] - s->column < width ? w->shape[0] - s->column : width;
    s->rows = w->shape[1] - s->row < FG_STRIP ? w->shape[1] - s->row : FG_STRIP;
    return true;
}

void fg_strip_gather(const fg_strip *s, const fg_walk *w, int k, char *buffer, size_t itemsize) {
    const intptr_t inner = w->strides[0][k], outer = w->strides[1][k], dense = (intptr_t)itemsize;
    const char *from = w->at[k] + s->column * inner + s->row * outer;
    fg_turn(buffer, dense, s->columns * dense, from, inner, outer, s->columns, s->rows, itemsize);
}

/* ---------------------------------------------------------------- moving -- */

void fg_cursor_begin(fg_cursor *c, const fg_walk *w, int k) {
    c->at = w->at[k];
    memset(c->index, 0, (size_t)w->group * sizeof *c->index);
}

/* To the start of the next row. */
static void cursor_next_row(fg_cursor *c, const fg_walk *w, int k) {
    c->at -= c->index[0] * w->strides[0][k];
    c->index[0] = 0;
    for (int axis = 1; axis < w->group; axis++) {
        const intptr_t stride = w->strides[axis][k];
        c->at += stride;
        if (++c->index[axis] < w->shape[axis]) return;
        c->at -= stride * w->shape[axis];
        c->index[axis] = 0;
    }
}

/* Whole rows, which lie across the memory of array k, to or from `buffer`: how many there were, of at most n elements. */
static intptr_t cursor_turn(fg_cursor *c, const fg_walk *w, int k, char *buffer, intptr_t n, size_t itemsize,
                            bool gather) {
    const intptr_t row = w->shape[0], *inner = w->strides[0], *outer = w->strides[1];
    const intptr_t dense = (intptr_t)itemsize;
    if (w->group < 2 || c->index[0] || n < 2 * row || fg_magnitude(outer[k]) >= fg_magnitude(inner[k])) return 0;
    const intptr_t left = w->shape[1] - c->index[1], count = n / row < left ? n / row : left;
    if (gather) {
        fg_turn(buffer, dense, row * dense, c->at, inner[k], outer[k], row, count, itemsize);
    } else {
        fg_turn(c->at, outer[k], inner[k], buffer, row * dense, dense, count, row, itemsize);
    }
    c->at += (count - 1) * outer[k];
    c->index[1] += count - 1;
    cursor_next_row(c, w, k);
    return count;
}

static void cursor_move(fg_cursor *c, const fg_walk *w, int k, intptr_t n, size_t itemsize, bool gather) {
    const intptr_t stride = w->strides[0][k], dense = (intptr_t)itemsize;
    char *buffer = c->buffer;
    while (n) {
        const intptr_t turned = w->shape[0] * cursor_turn(c, w, k, buffer, n, itemsize, gather);
        if (turned) {
            buffer += turned * dense;
            n -= turned;
            continue;
        }
        const intptr_t left = w->shape[0] - c->index[0], count = n < left ? n : left;
        if (gather) {
            fg_move(buffer, dense, c->at, stride, count, itemsize);
        } else {
            fg_move(c->at, stride, buffer, dense, count, itemsize);
        }
        buffer += count * dense;
        n -= count;
        c->index[0] += count;
        c->at += count * stride;
        if (count == left) cursor_next_row(c, w, k);
    }
}

void fg_cursor_gather(fg_cursor *c, const fg_walk *w, int k, intptr_t n, size_t itemsize) {
    cursor_move(c, w, k, n, itemsize, true);
}

void fg_cursor_scatter(fg_cursor *c, const fg_walk *w, int k, intptr_t n, size_t itemsize) {
    cursor_move(c, w, k, n, itemsize, false);
}

/* Tiles of a line by a line: what a line of one array is read for is written to a few lines of the other. */
enum { TILE = FG_LINE / 4 };

#if defined(__SSE2__) || defined(_M_X64)
#define HAVE_TILES 1
/* Shuffles only move bits, whatever their type is called. */

static void turn_tile_4(char *to, intptr_t to_j, const char *from, intptr_t from_i) {
    for (int j = 0; j < TILE; j += 4) {
        for (int i = 0; i < TILE; i += 4) {
            const char *source = from + i * from_i + 4 * j;
            char *target = to + j * to_j + 4 * i;
            __m128 a = _mm_loadu_ps((const float *)source), b = _mm_loadu_ps((const float *)(source + from_i));
            __m128 c = _mm_loadu_ps((const float *)(source + 2 * from_i));
            __m128 d = _mm_loadu_ps((const float *)(source + 3 * from_i));
            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps((float *)target, a);
            _mm_storeu_ps((float *)(target + to_j), b);
            _mm_storeu_ps((float *)(target + 2 * to_j), c);
            _mm_storeu_ps((float *)(target + 3 * to_j), d);
        }
    }
}

static void turn_tile_8(char *to, intptr_t to_j, const char *from, intptr_t from_i) {
    for (int j = 0; j < TILE / 2; j += 2) {
        for (int i = 0; i < TILE / 2; i += 2) {
            const char *source = from + i * from_i + 8 * j;
            char *target = to + j * to_j + 8 * i;
            const __m128d a = _mm_loadu_pd((const double *)source);
            const __m128d b = _mm_loadu_pd((const double *)(source + from_i));
            _mm_storeu_pd((double *)target, _mm_unpacklo_pd(a, b));
            _mm_storeu_pd((double *)(target + to_j), _mm_unpackhi_pd(a, b));
        }
    }
}
#else
#define HAVE_TILES 0
static void turn_tile_4(char *to, intptr_t to_j, const char *from, intptr_t from_i) {
    (void)to, (void)to_j, (void)from, (void)from_i;
}
static void turn_tile_8(char *to, intptr_t to_j, const char *from, intptr_t from_i) {
    (void)to, (void)to_j, (void)from, (void)from_i;
}
#endif

void fg_turn(char *to, intptr_t to_i, intptr_t to_j, const char *from, intptr_t from_i, intptr_t from_j, intptr_t ni,
             intptr_t nj, size_t itemsize) {
    const intptr_t size = (intptr_t)itemsize, tile = itemsize < 8 ? TILE : TILE / 2;
    const bool dense = HAVE_TILES && to_i == size && from_j == size && (size == 4 || size == 8);
    for (intptr_t j0 = 0; j0 < nj; j0 += tile) {
        const intptr_t count_j = nj - j0 < tile ? nj - j0 : tile;
        for (intptr_t i0 = 0; i0 < ni; i0 += tile) {
            const intptr_t count_i = ni - i0 < tile ? ni - i0 : tile;
            const char *source = from + i0 * from_i + j0 * from_j;
            char *target = to + i0 * to_i + j0 * to_j;
            if (dense && count_i == tile && count_j == tile) {
                (size == 4 ? turn_tile_4 : turn_tile_8)(target, to_j, source, from_i);
                continue;
            }
            for (intptr_t j = 0; j < count_j; j++, source += from_j, target += to_j) {
                fg_move(target, to_i, source, from_i, count_i, itemsize);
            }
        }
    }
}

/* memcpy of a fixed size is one load and one store, and needs no alignment. */
#define MOVE_CASE(bytes)                                                                                \
    case bytes:                                                                                         \
        for (intptr_t i = 0; i < n; i++, to += to_stride, from += from_stride) memcpy(to, from, bytes); \
        return;

/* The same element n times: what is there already is copied on, by then from the L1 cache. */
static void repeat(char *to, const char *from, intptr_t n, size_t itemsize) {
    const size_t bytes = (size_t)n * itemsize;
    size_t done = itemsize, piece = itemsize;
    memcpy(to, from, itemsize);
    while (done < bytes) {
        if (piece > bytes - done) piece = bytes - done;
        memcpy(to + done, to, piece);
        done += piece;
        if (piece < REPEATED_BYTES) piece = done;
    }
}

void fg_move(char *to, intptr_t to_stride, const char *from, intptr_t from_stride, intptr_t n, size_t itemsize) {
    const intptr_t dense = (intptr_t)itemsize;
    if (to_stride == dense && from_stride == dense && n >= 8) {
        memcpy(to, from, (size_t)n * itemsize);
        return;
    }
    if (to_stride == dense && from_stride == 0 && n >= 8) {
        repeat(to, from, n, itemsize);
        return;
    }
    switch (itemsize) {
        MOVE_CASE(1)
        MOVE_CASE(2)
        MOVE_CASE(4)
        MOVE_CASE(8)
        MOVE_CASE(16)
    default:
        for (intptr_t i = 0; i < n; i++, to += to_stride, from += from_stride) memcpy(to, from, itemsize);
    }
}
