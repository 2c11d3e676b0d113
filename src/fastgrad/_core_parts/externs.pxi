# C declarations: CPython, NumPy's C API and the C core.

cimport cython
from cpython.buffer cimport PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals, PyErr_Occurred, PyErr_SetNone
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsDouble, PyLong_CheckExact
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject, visitproc
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_TYPE
from libc.stdint cimport int8_t, int64_t, intptr_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy, memset, strcpy

cimport numpy as cnp
from numpy cimport ndarray

cnp.import_array()
cnp.import_umath()

cdef extern from "Python.h":
    object PyContextVar_Set(object, object)
    int PyContextVar_Reset(object, object) except -1
    long long PyLong_AsLongLongAndOverflow(object, int*)
    void PyObject_GC_UnTrack(void*)
    void PyObject_GC_Track(void*)
    int PyObject_GC_IsTracked(PyObject*)
    Py_ssize_t Py_REFCNT(PyObject*)
    object PyCFunction_NewEx(PyMethodDef*, object self, object module)
    object PyInstanceMethod_New(object)
    ctypedef PyObject* (*PyCFunction)(PyObject*, PyObject*) noexcept
    ctypedef struct PyMethodDef:
        const char* ml_name
        PyCFunction ml_meth
        int ml_flags
        const char* ml_doc
    int METH_FASTCALL
    int METH_KEYWORDS
    PyObject* PyObject_Init(PyObject*, void* type) noexcept
    ctypedef int (*traverseproc)(PyObject*, visitproc, void*) noexcept
    ctypedef int (*inquiry)(PyObject*) noexcept
    ctypedef void (*destructor)(PyObject*) noexcept
    ctypedef void (*freefunc)(void*) noexcept
    ctypedef PyObject* (*allocfunc)(void* type, Py_ssize_t) noexcept
    ctypedef PyObject* (*newfunc)(PyObject*, PyObject*, PyObject*) noexcept
    ctypedef struct TypeSlots "PyTypeObject":
        Py_ssize_t tp_basicsize
        destructor tp_dealloc
        traverseproc tp_traverse
        inquiry tp_clear
        void* tp_vectorcall
        allocfunc tp_alloc
        freefunc tp_free
        newfunc tp_new

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #define FG_THREAD_LOCAL __declspec(thread)
    #else
    #define FG_THREAD_LOCAL _Thread_local
    #endif
    #if defined(__GLIBC__) && defined(__GNUC__) /* glibc keeps room for it: no call to find a few bytes */
    #define FG_TLS_MODEL __attribute__((tls_model("initial-exec")))
    #else
    #define FG_TLS_MODEL
    #endif
    /* What a thread has switched on: see modes.pxi. */
    typedef struct {
        int records;   /* operations are recorded: grad mode is on, and inference mode off */
        int grad, inference;
        int special;   /* a node has more to remember than the values its vjp reads */
        int depth;     /* backward runs under way, one within another */
        PyObject *saved_hooks, *forbidden, *cancelled;
    } fg_thread_state;
    static FG_THREAD_LOCAL fg_thread_state fg_thread FG_TLS_MODEL = {1, 1, 0, 0, 0, NULL, NULL, NULL};
    #define fg_grad_enabled (fg_thread.records)
    """
    ctypedef struct fg_thread_state:
        int records, grad, inference, special, depth
        PyObject* saved_hooks
        PyObject* forbidden
        PyObject* cancelled
    fg_thread_state fg_thread
    bint fg_grad_enabled

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define FG_RARELY(x) __builtin_expect(!!(x), 0)
    #else
    #define FG_RARELY(x) (x)
    #endif
    """
    bint FG_RARELY(bint) noexcept

cdef extern from "<stdbool.h>":
    ctypedef bint c_bool "bool"

cdef extern from "fg.h" nogil:
    enum:
        FG_MAXDIMS
        FG_MAXREGS
        FG_MAXINOUT
    ctypedef enum fg_status:
        FG_OK
        FG_NOMEM
        FG_RAISED
    enum:
        FG_BOOL
        FG_FLOAT32
        FG_FLOAT64
        FG_COMPLEX64
        FG_COMPLEX128
        FG_OTHER
        FG_CONTIGUOUS
        FG_ALIGNED
        FG_WRITEABLE
        FG_UNTRACKED
        FG_WEAK
    void fg_mem_fail_after(long n)
    void* fg_mem_alloc(size_t) nogil
    void fg_mem_free(void*) nogil
    void* fg_block_alloc(size_t) nogil
    void fg_block_free(void*) nogil
    enum:
        FG_SMALL
        FG_LARGE
    void* fg_small_alloc(size_t)
    void fg_small_free(void*)

    ctypedef struct fg_array:
        intptr_t refs
        fg_array* root
        char* data
        void* owner
        intptr_t size
        uint32_t version
        uint32_t itemsize
        uint8_t dtype
        uint8_t ndim
        uint8_t flags
        intptr_t dims[1]
    intptr_t* fg_shape(fg_array*)
    intptr_t* fg_strides(fg_array*)
    fg_array* fg_array_new(int ndim, const intptr_t* shape, int dtype, uint32_t itemsize)
    fg_array* fg_array_new_kept(int n, fg_array** arrays, int ndim, const intptr_t* shape, int dtype, uint32_t itemsize)
    fg_array* fg_array_view(fg_array* base, char* data, int ndim, const intptr_t* shape, const intptr_t* strides)
    fg_array* fg_array_wrap(void* owner, char* data, int ndim, const intptr_t* shape, const intptr_t* strides,
                            int dtype, uint32_t itemsize, bint aligned, bint writeable)
    fg_array* fg_array_like(int ndim, const intptr_t* shape, int dtype, uint32_t itemsize)
    fg_array* fg_array_keep(fg_array*)
    void fg_array_drop(fg_array*)
    bint fg_array_unshared(const fg_array*)

    ctypedef void (*fg_loop_fn)(char** args, const intptr_t* dims, const intptr_t* strides, void* data) noexcept
    ctypedef struct fg_loop:
        fg_loop_fn fn
        void* data
        c_bool foreign
        c_bool exact
    c_bool fg_share_foreign
    fg_status fg_broadcast(int n, fg_array** arrays, int* ndim, intptr_t* shape)
    void fg_loop_run(const fg_loop*, int nargs, fg_array** args)
    void fg_loop_reduce(const fg_loop*, fg_array* into, fg_array* source)
    fg_status fg_sum_to(fg_array* g, fg_array* like, const fg_loop* add, fg_array** result)
    fg_status fg_accumulate(fg_array** held, fg_array* more, const fg_loop* add)

    ctypedef struct fg_step:
        fg_loop loop
        uint16_t nin
        uint16_t out
        uint16_t in_ "in"[4]
        uint8_t reduces
    enum:
        FG_MAXROWSTEPS
        FG_SUM
        FG_EXTREME
        FG_PRODUCT
        FG_DOT
        FG_EACH
        FG_PER_ROW
        FG_SINGLE
    ctypedef struct fg_program:
        c_bool foreign
        int reuse_input
        int reuse_output
        uint8_t* itemsize
        uint8_t* place
        char* consts
        fg_step* steps
    fg_program* fg_program_new(int ninputs, int nconsts, int ntemps, int noutputs, int nsteps)
    void fg_program_finish(fg_program*)
    void fg_program_free(fg_program*)
    void fg_program_run(const fg_program*, fg_array** inputs, fg_array** outputs)
    bint fg_program_run_adding(const fg_program*, fg_array** inputs, fg_array** outputs, uint32_t added,
                               const fg_loop* add)
    fg_status fg_program_run_rows(const fg_program*, fg_array** inputs, fg_array** outputs, intptr_t outer,
                                  intptr_t n, intptr_t inner)

    void fg_products_of_others(fg_array* x, fg_array* g, fg_array* result, intptr_t outer, intptr_t n, intptr_t inner)
    fg_loop fg_kernel_find(const char* name, int dtype)
    fg_loop fg_mixed_find(const char* name, int dtype, const fg_loop* of_numpy)
    void fg_copy(fg_array* to, fg_array* source)
    void fg_fill(fg_array* a, const void* value)
    void fg_triangle(fg_array* source, fg_array* to, intptr_t k, c_bool lower)
    ctypedef enum fg_scan_kind:
        FG_SUMS
        FG_PRODUCTS
        FG_LARGEST
        FG_SMALLEST
    void fg_scan(fg_scan_kind kind, c_bool backwards, fg_array* source, fg_array* to, intptr_t n, intptr_t inner)
    void fg_scan_vjp(fg_scan_kind kind, fg_array* g, fg_array* x, fg_array* out, fg_array* to, intptr_t n,
                     intptr_t inner)
    void fg_scan_by(const fg_loop* join, fg_array* source, fg_array* to, intptr_t n, intptr_t inner)
    void fg_scan_logs_vjp(const fg_loop* exp, fg_array* g, fg_array* x, fg_array* out, fg_array* to, intptr_t n,
                          intptr_t inner)
    fg_status fg_median(fg_array* source, fg_array* to, fg_array* places, intptr_t n, intptr_t inner, c_bool* plain)
    void fg_median_back(fg_array* g, fg_array* places, fg_array* to, intptr_t n, intptr_t inner)
    c_bool fg_sort_tells(fg_array* a)
    fg_status fg_sort(fg_array* source, fg_array* to, fg_array* order, intptr_t n, c_bool descending)
    void fg_sort_back(fg_array* g, fg_array* order, fg_array* to, intptr_t n)

    ctypedef struct fg_picks:
        const intptr_t* places
        intptr_t count, outer, n, inner
    bint fg_places_join(intptr_t* places, intptr_t count, const void* numbers, int width, intptr_t step, intptr_t n,
                        bint more)
    bint fg_all_below(const void* numbers, int width, intptr_t count, intptr_t n)
    intptr_t fg_mask_count(const uint8_t* mask, intptr_t n)
    void fg_mask_places(intptr_t* places, intptr_t count, const uint8_t* mask)
    ctypedef struct fg_along:
        const int64_t* numbers
        intptr_t outer, length, n, inner
    c_bool fg_take_along(const fg_along* p, void* to, const void* source, int dtype)
    c_bool fg_give_along(const fg_along* p, void* to, const void* source, int dtype)
    void fg_gather(const fg_picks*, char* into, const char* source, intptr_t itemsize)
    void fg_scatter_add(const fg_picks*, char* into, const char* source, const intptr_t* strides, int dtype)

    enum:
        FG_IMAGE_AXES
    ctypedef struct fg_images:
        intptr_t examples, channels, outputs, groups, piece, itemsize
        intptr_t[3] sizes, kernel, counts, stride, dilation, before, box
        fg_loop matmul
    ctypedef enum fg_convolution_kind:
        FG_INTO_RESULTS
        FG_INTO_IMAGES
        FG_INTO_KERNELS
    fg_status fg_convolve(const fg_images*, fg_convolution_kind, char* x, char* w, char* y)

    enum:
        FG_BATCH_ARGS
    ctypedef struct fg_batch:
        fg_loop loop
        int nargs
        char* data[4]
        intptr_t dims[5]
        intptr_t strides[12]
    c_bool fg_batch_run(const fg_batch*, intptr_t grain)
    ctypedef struct fg_matrix:
        char* at
        intptr_t row, column
    ctypedef struct fg_tiles:
        fg_loop matmul
        fg_matrix a, b, r
        intptr_t m, k, n, tall, deep, wide, itemsize
    void fg_multiply(const fg_tiles*)
    enum:
        FG_SYSTEM
    ctypedef struct fg_systems:
        const char* a
        const char* b
        char* x
        intptr_t n, k
        intptr_t[3] a_strides, b_strides
        double least
        c_bool wide, scaled
    c_bool fg_systems_solve(const fg_systems*, intptr_t count)

    ctypedef struct fg_triangles:
        const char* t
        const char* scale
        char* x
        intptr_t n, k
        intptr_t[3] t_strides
        intptr_t[2] scale_strides, x_strides
        c_bool wide, pairs
    void fg_triangles_solve(const fg_triangles*, intptr_t count)

    bint fg_maxima(const fg_images*, const void* x, void* out)
    bint fg_maxima_back(const fg_images*, const void* x, const void* g, void* dx)

    ctypedef struct fg_taps:
        intptr_t m, n, each
        const intptr_t* starts
        const intptr_t* places
        const void* weights
    fg_status fg_resample(const fg_taps* maps, const intptr_t* sizes, intptr_t planes, const char* x, char* y,
                          intptr_t itemsize)

    ctypedef void (*fg_step_fn)(char* const* arrays, const double* numbers, intptr_t first, intptr_t last) noexcept
    fg_step_fn fg_step_find(const char*, int dtype, int arrays, int numbers)
    void fg_step_run(fg_step_fn, char* const* arrays, const double* numbers, intptr_t n)

    ctypedef struct fg_norm:
        intptr_t a, c, b
        int dtype
        c_bool centred, along
        double eps
        const void* x
        const void* w
        const void* bias
        const void* g
        void* moments
        void* out
        void* dx
        void* dw
        void* db
    void fg_norm_forward(fg_norm*)
    fg_status fg_norm_vjp(fg_norm*)

    enum:
        FG_SOFTMAX_LINE
    ctypedef struct fg_softmax:
        intptr_t outer, n, inner
        int dtype
        c_bool logs
        fg_loop exp, log
        const void* x
        const void* g
        void* to
    void fg_softmax_forward(fg_softmax*)
    void fg_softmax_vjp(fg_softmax*)

    ctypedef struct fg_classes:
        intptr_t* classes
        intptr_t outer, n, inner, ignored
        int dtype
    intptr_t fg_classes_take(const fg_classes*, const void* given, int width)
    void fg_class_losses(const fg_classes*, char* losses, const char* x, const char* top, const char* logs)
    void fg_class_slope(const fg_classes*, char* into, const char* powers, const char* total, const char* g,
                        intptr_t stride)

    void fg_extrema_vjp(const fg_array* x, const fg_array* out, const fg_array* g, fg_array* to, intptr_t n,
                        intptr_t inner)
    intptr_t FG_EXACT

    ctypedef struct fg_node
    ctypedef struct fg_run
    ctypedef struct fg_edge:
        fg_node* node
        uint32_t nr
    ctypedef struct fg_node:
        uint64_t seq
        fg_edge* edges
        uint32_t nin
        uint32_t nout
        fg_run* run
        void** grads
        void* grad
        uint32_t deps
        uint8_t wanted
    uint64_t FG_SEQ_LEAF
    ctypedef struct fg_run_ops:
        fg_status (*apply)(void*, fg_run*, fg_node*, void**) noexcept
        fg_status (*merge)(void*, void**, void*) noexcept
        void (*drop)(void*) noexcept
        fg_status (*poll)(void*) noexcept
        c_bool (*hungry)(fg_node*) noexcept
    enum:
        FG_COMPUTED
        FG_INPUT
        FG_CONST
    ctypedef struct fg_vjp:
        const fg_program* programs[2]
        uint8_t ninputs, ncomputed, nresults
        c_bool gives_g
        c_bool ready[2]
        int8_t sources[8]
        uint8_t kinds[4]
        uint8_t numbers[4]
        uint8_t edges[4]
        c_bool truths[8]
        double consts[4]
    fg_run* fg_run_new(const fg_run_ops*, void*)
    void fg_run_free(fg_run*)

cdef extern from "fg.h":
    void (*fg_owner_release)(void*) noexcept
    # these call back into Python
    fg_status fg_run_seed(fg_run*, fg_node*, uint32_t, void*)
    fg_status fg_run_want(fg_run*, fg_node*)
    fg_status fg_run_go(fg_run*)
    fg_status fg_run_beyond(fg_run*, const fg_edge* ends, size_t count, c_bool*)
    void fg_prefetch_node(const void* node) noexcept
    fg_status fg_run_send(fg_run*, fg_edge, void*)
    void** fg_run_peek(fg_run*, fg_edge)
    bint fg_run_needs(fg_run*, fg_edge)
    c_bool fg_vjp_run(const fg_vjp*, fg_run*, const fg_node*, fg_array** saved, const uint32_t* versions,
                      fg_array* g_take, const fg_loop* add, fg_status*)
    c_bool fg_vjp_suits(const fg_vjp*, fg_array** saved, const uint32_t* versions, const fg_array* g)
    fg_status fg_vjp_begin(const fg_vjp*, fg_run*, const fg_node*, fg_array** saved, fg_array* g, fg_array** inputs,
                           fg_array** outputs, uint32_t* added)
    fg_status fg_vjp_end(const fg_vjp*, fg_run*, const fg_node*, fg_array** saved, fg_array** inputs,
                         fg_array** outputs_take, uint32_t added, fg_array* g_take, const fg_loop* add)
    bint fg_run_wanted(fg_run*, fg_node*)

# From how many elements on it pays to let other threads run meanwhile.
cdef enum:
    RELEASE_GIL = 32768
    CODES = 24            # NumPy's type numbers of bool, integers, floats and complex lie below

cdef extern from "threads.h" nogil:
    enum:
        FG_GRAIN
        FG_MAXTHREADS
    void fg_threads_set(int)
    int fg_threads_get()

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct UfuncLoops "PyUFuncObject":
        int nin, nout, nargs, ntypes
        fg_loop_fn* functions
        void** data
        const char* types

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(PyObject* subtype, PyObject* descr_stolen, int ndim, cnp.npy_intp* shape,
                                cnp.npy_intp* strides, void* data, int flags, PyObject* obj)

cdef extern from "Python.h":
    ctypedef struct SliceMembers "PySliceObject":
        PyObject* start
        PyObject* stop
        PyObject* step
    int PySlice_Unpack(object, Py_ssize_t*, Py_ssize_t*, Py_ssize_t*) except -1
    Py_ssize_t PySlice_AdjustIndices(Py_ssize_t, Py_ssize_t*, Py_ssize_t*, Py_ssize_t) noexcept
