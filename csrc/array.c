/* array: described memory, counted by hand. */
#include "walk.h"

#include <string.h>

enum {
    SMALL_ALIGN = 16,   /* what malloc gives on 64-bit systems */
    LARGE_ALIGN = 64,   /* a cache line, and the widest vector */
    LARGE_BYTES = 1024, /* from here on the padding costs little; threads write to either side of a line */
};

enum { SMALL, MIDDLING, LARGE }; /* homes */

void (*fg_owner_release)(void *owner) = NULL;

/* C-order strides and the element count. False if the bytes overflow. */
static bool fill_strides(int ndim, const intptr_t *shape, uint32_t itemsize, intptr_t *strides, intptr_t *size) {
    intptr_t step = itemsize ? (intptr_t)itemsize : 1;
    bool empty = false;
    for (int i = ndim - 1; i >= 0; i--) {
        const intptr_t n = shape[i];
        if (n < 0) return false;
        strides[i] = itemsize ? step : 0;
        if (n == 0) {
            empty = true;
        } else if (n != 1) {
            if (step > INTPTR_MAX / n) return false;
            step *= n;
        }
    }
    *size = empty ? 0 : step / (itemsize ? (intptr_t)itemsize : 1);
    return true;
}

static intptr_t dtype_alignment(int dtype) {
    switch (dtype) {
    case FG_FLOAT32:
    case FG_COMPLEX64:
        return 4;
    case FG_FLOAT64:
    case FG_COMPLEX128:
        return 8;
    default:
        return 1;
    }
}

static uint8_t geometry_flags(const fg_array *a) {
    const intptr_t *shape = a->dims, *strides = a->dims + a->ndim;
    intptr_t expected = (intptr_t)a->itemsize;
    uintptr_t bits = (uintptr_t)a->data;
    bool contiguous = true;
    if (a->size == 0) return FG_CONTIGUOUS | FG_ALIGNED;
    for (int i = a->ndim - 1; i >= 0; i--) {
        if (shape[i] == 1) continue; /* such a stride is never used */
        if (strides[i] != expected) contiguous = false;
        expected *= shape[i];
        bits |= (uintptr_t)strides[i];
    }
    const bool aligned = (bits & (uintptr_t)(dtype_alignment(a->dtype) - 1)) == 0;
    return (uint8_t)((contiguous ? FG_CONTIGUOUS : 0) | (aligned ? FG_ALIGNED : 0));
}

static size_t header_bytes(int ndim) {
    const size_t bytes = offsetof(fg_array, dims) + 2 * (size_t)ndim * sizeof(intptr_t);
    return ((bytes < sizeof(fg_array) ? sizeof(fg_array) : bytes) + SMALL_ALIGN - 1) & ~(size_t)(SMALL_ALIGN - 1);
}

static fg_array *allocate(size_t bytes) {
    const uint8_t home = bytes <= FG_SMALL ? SMALL : bytes < FG_LARGE ? MIDDLING : LARGE;
    fg_array *a = home == SMALL ? fg_small_alloc(bytes) : home == LARGE ? fg_block_alloc(bytes) : fg_mem_alloc(bytes);
    if (a) a->home = home;
    return a;
}

static void init(fg_array *a, int ndim, int dtype, uint32_t itemsize, intptr_t size) {
    a->refs = 1;
    a->root = a;
    a->data = NULL;
    a->owner = NULL;
    a->size = size;
    a->version = 0;
    a->itemsize = itemsize;
    a->dtype = (uint8_t)dtype;
    a->ndim = (uint8_t)ndim;
    a->flags = 0;
}

/* An array of no dimensions: with a float64, or less, one line of the cache. */
static fg_array *new_single(int dtype, uint32_t itemsize) {
    const size_t header = itemsize <= 8 ? offsetof(fg_array, dims) : header_bytes(0);
    fg_array *a = allocate(header + itemsize);
    if (!a) return NULL;
    init(a, 0, dtype, itemsize, 1);
    a->data = (char *)a + header;
    a->flags = FG_CONTIGUOUS | FG_ALIGNED | FG_WRITEABLE;
    return a;
}

fg_array *fg_array_new(int ndim, const intptr_t *shape, int dtype, uint32_t itemsize) {
    if (ndim == 0) return new_single(dtype, itemsize);
    intptr_t strides[FG_MAXDIMS], size;
    if (ndim < 0 || ndim > FG_MAXDIMS || !fill_strides(ndim, shape, itemsize, strides, &size)) return NULL;
    const size_t header = header_bytes(ndim), bytes = (size_t)size * itemsize;
    const size_t slack = bytes >= LARGE_BYTES ? LARGE_ALIGN : 0;
    if (bytes > (size_t)INTPTR_MAX - header - slack) return NULL;
    fg_array *a = allocate(header + slack + bytes);
    if (!a) return NULL;
    init(a, ndim, dtype, itemsize, size);
    a->data = (char *)a + header;
    a->flags = FG_CONTIGUOUS | FG_ALIGNED | FG_WRITEABLE;
    for (int i = 0; i < ndim; i++) {
        a->dims[i] = shape[i];
        a->dims[ndim + i] = strides[i];
    }
    if (slack) a->data += -(uintptr_t)a->data & (LARGE_ALIGN - 1);
    return a;
}

fg_array *fg_array_new_ordered(int ndim, const intptr_t *shape, const int *order, int dtype, uint32_t itemsize) {
    fg_array *a = fg_array_new(ndim, shape, dtype, itemsize);
    if (!a) return NULL;
    intptr_t step = (intptr_t)itemsize;
    for (int i = ndim - 1; i >= 0; i--) {
        fg_strides(a)[order[i]] = step;
        if (shape[order[i]] > 1) step *= shape[order[i]];
    }
    a->flags = (uint8_t)(geometry_flags(a) | FG_WRITEABLE);
    return a;
}

/* Geometry without memory. The shape is trusted: it describes memory that exists. */
static fg_array *describe(char *data, int ndim, const intptr_t *shape, const intptr_t *strides, int dtype,
                          uint32_t itemsize) {
    if (ndim < 0 || ndim > FG_MAXDIMS) return NULL;
    fg_array *a = allocate(header_bytes(ndim));
    if (!a) return NULL;
    intptr_t size = 1;
    for (int i = 0; i < ndim; i++) {
        a->dims[i] = shape[i];
        a->dims[ndim + i] = strides[i];
        size *= shape[i];
    }
    init(a, ndim, dtype, itemsize, size);
    a->data = data;
    a->flags = geometry_flags(a);
    return a;
}

fg_array *fg_array_view(fg_array *base, char *data, int ndim, const intptr_t *shape, const intptr_t *strides) {
    fg_array *a = describe(data, ndim, shape, strides, base->dtype, base->itemsize);
    if (!a) return NULL;
    a->root = fg_array_keep(base->root);
    a->flags |= base->flags & FG_WRITEABLE;
    if (a->dtype == FG_OTHER && !(base->flags & FG_ALIGNED)) a->flags &= (uint8_t)~FG_ALIGNED;
    return a;
}

fg_array *fg_array_wrap(void *owner_take, char *data, int ndim, const intptr_t *shape, const intptr_t *strides,
                        int dtype, uint32_t itemsize, bool aligned, bool writeable) {
    fg_array *a = describe(data, ndim, shape, strides, dtype, itemsize);
    if (!a) {
        if (owner_take && fg_owner_release) fg_owner_release(owner_take);
        return NULL;
    }
    a->owner = owner_take;
    if (!aligned) a->flags &= (uint8_t)~FG_ALIGNED;
    if (writeable) a->flags |= FG_WRITEABLE;
    return a;
}

fg_array *fg_array_like(int ndim, const intptr_t *shape, int dtype, uint32_t itemsize) {
    intptr_t strides[FG_MAXDIMS], size;
    if (ndim < 0 || ndim > FG_MAXDIMS || !fill_strides(ndim, shape, itemsize, strides, &size)) return NULL;
    return describe(NULL, ndim, shape, strides, dtype, itemsize);
}

void fg_array_free(fg_array *a) {
    fg_array *root = a->root;
    void *owner = a->owner;
    if (a->home == SMALL) {
        fg_small_free(a);
    } else if (a->home == LARGE) {
        fg_block_free(a);
    } else {
        fg_mem_free(a);
    }
    if (root != a) fg_array_drop(root);
    if (owner && fg_owner_release) fg_owner_release(owner);
}

bool fg_array_same_shape(const fg_array *a, const fg_array *b) {
    return a->ndim == b->ndim && memcmp(a->dims, b->dims, a->ndim * sizeof(intptr_t)) == 0;
}
