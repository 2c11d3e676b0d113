# NumPy's own functions on large arrays: what they allocate comes from the blocks that the core keeps.
#
# While a handler is set, NumPy asks it for the memory of every array; an array remembers whose memory it has. All that
# is handed out here has a header, by which it is freed: what NumPy says of its size is not asked.

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyDataMemAllocator:
        void* ctx
        void* (*malloc)(void* ctx, size_t size) noexcept nogil
        void* (*calloc)(void* ctx, size_t count, size_t size) noexcept nogil
        void* (*realloc)(void* ctx, void* data, size_t size) noexcept nogil
        void (*free)(void* ctx, void* data, size_t size) noexcept nogil
    ctypedef struct PyDataMem_Handler:
        char[127] name
        uint8_t version
        PyDataMemAllocator allocator
    object PyDataMem_SetHandler(object)

cdef extern from "Python.h":
    object PyCapsule_New(void*, const char*, void*)

ctypedef struct block_header:
    size_t size       # of what follows
    size_t in_block   # whether fg_block_alloc gave it, or fg_mem_alloc

cdef enum:
    HEADER = 64       # a cache line, so that data begins at one


cdef void* nd_malloc(void* ctx, size_t size) noexcept nogil:
    cdef block_header* header = NULL
    cdef bint in_block = size >= FG_LARGE
    if size < <size_t>-1 - HEADER:
        header = <block_header*>(fg_block_alloc(size + HEADER) if in_block else fg_mem_alloc(size + HEADER))
    if header == NULL:
        return NULL
    header.size, header.in_block = size, in_block
    return <char*>header + HEADER


cdef void* nd_calloc(void* ctx, size_t count, size_t size) noexcept nogil:
    cdef void* data = nd_malloc(ctx, count * size) if size == 0 or count <= <size_t>-1 // size else NULL
    if data != NULL:
        memset(data, 0, count * size)
    return data


cdef void* nd_realloc(void* ctx, void* data, size_t size) noexcept nogil:
    cdef void* new = nd_malloc(ctx, size)
    cdef size_t old
    if new != NULL and data != NULL:
        old = (<block_header*>(<char*>data - HEADER)).size
        memcpy(new, data, old if old < size else size)
        nd_free(ctx, data, old)
    return new


cdef void nd_free(void* ctx, void* data, size_t size) noexcept nogil:
    cdef block_header* header = <block_header*>(<char*>data - HEADER)
    if data == NULL:
        return
    if header.in_block:
        fg_block_free(header)
    else:
        fg_mem_free(header)


cdef PyDataMem_Handler nd_handler
strcpy(nd_handler.name, "fastgrad")
nd_handler.version = 1
nd_handler.allocator = PyDataMemAllocator(NULL, nd_malloc, nd_calloc, nd_realloc, nd_free)
cdef object nd_handler_capsule = PyCapsule_New(&nd_handler, "mem_handler", NULL)


cdef inline bint is_large(fg_array* a) noexcept:
    return a.size * a.itemsize >= FG_LARGE


cdef object error_state = getattr(np._core.umath, "_extobj_contextvar", None)  # NumPy's own; one day there is none
cdef object error_state_quiet = None
if isinstance(error_state, ContextVar) and hasattr(np._core.umath, "_make_extobj"):
    error_state_quiet = np._core.umath._make_extobj(all="ignore")


cdef class Quiet:
    """``np.errstate(all="ignore")``, entered by what it is made of, in a fifth of the time; memory from our blocks."""

    cdef object errors   # np.errstate itself, where the user has set something
    cdef object token, handler
    cdef bint large

    def __enter__(self):
        if self.errors is None:
            self.token = PyContextVar_Set(error_state, error_state_quiet)
        else:
            self.errors.__enter__()
        if self.large:
            self.handler = PyDataMem_SetHandler(nd_handler_capsule)

    def __exit__(self, *exc_info):
        if self.large:
            PyDataMem_SetHandler(self.handler)
        if self.errors is None:
            PyContextVar_Reset(error_state, self.token)
        else:
            self.errors.__exit__(*exc_info)


cdef object quiet(bint large):
    """Around NumPy's functions; `large`: whether they may allocate large arrays."""
    cdef Quiet q = Quiet.__new__(Quiet)
    q.large = large
    if error_state_quiet is None or error_state.get(None) is not None:
        q.errors = np.errstate(all="ignore")
    return q
