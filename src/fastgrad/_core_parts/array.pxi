# fg_array <-> ndarray.
#
# An fg_array made here has C memory of its own, or an `owner`: an ndarray of the same geometry.

cdef void _release_owner(void* owner) noexcept:
    Py_DECREF(<object>owner)

cdef object _init_owner_release():
    global fg_owner_release
    fg_owner_release = _release_owner

_init_owner_release()


cdef class _Keeper:
    """The base of an ndarray that looks into memory of the core."""

    cdef fg_array* a

    def __dealloc__(self):
        fg_array_drop(self.a)


cdef inline bint is_number(int code) noexcept:
    """Whether the core knows arrays of this type number (it may still have no loop for them)."""
    return 0 <= code <= cnp.NPY_CLONGDOUBLE or code == cnp.NPY_FLOAT16


cdef inline bint is_inexact(int code) noexcept:
    return cnp.NPY_FLOAT <= code <= cnp.NPY_CLONGDOUBLE or code == cnp.NPY_FLOAT16


cdef inline bint takes_grad(fg_array* a):
    """Whether the dtype can have a gradient."""
    return is_inexact(type_number(a))


cdef inline bint is_complex(int code) noexcept:
    return cnp.NPY_CFLOAT <= code <= cnp.NPY_CLONGDOUBLE


cdef inline int type_number(fg_array* a) noexcept:
    """NumPy's number of the dtype, whichever its order of bytes (to the core a foreign order is FG_OTHER)."""
    return a.dtype if a.dtype != FG_OTHER or a.owner == NULL else cnp.PyArray_TYPE(<ndarray>a.owner)


cdef ndarray to_nd(fg_array* a):
    """An ndarray on the memory of `a`."""
    if a.owner != NULL:
        return <ndarray>a.owner
    cdef int flags = cnp.NPY_ARRAY_WRITEABLE if a.flags & FG_WRITEABLE else 0
    cdef cnp.dtype descr = cnp.PyArray_DescrFromType(a.dtype)
    Py_INCREF(descr)  # PyArray_NewFromDescr takes one
    cdef _Keeper keeper = _Keeper.__new__(_Keeper)
    keeper.a = fg_array_keep(a)
    cdef ndarray nd = PyArray_NewFromDescr(
        <PyObject*>ndarray, <PyObject*>descr, a.ndim, <cnp.npy_intp*>fg_shape(a), <cnp.npy_intp*>fg_strides(a),
        a.data, flags, NULL)
    cnp.PyArray_UpdateFlags(nd, cnp.NPY_ARRAY_UPDATE_ALL)
    cnp.set_array_base(nd, keeper)
    return nd


cdef object descr_of(fg_array* a):
    if a.dtype == FG_OTHER:
        return (<ndarray>a.owner).dtype if a.owner != NULL else None
    return <object>cnp.PyArray_DescrFromType(a.dtype)


cdef object shape_of(fg_array* a):
    cdef int i
    return tuple([fg_shape(a)[i] for i in range(a.ndim)])


cdef int code_of(ndarray nd) noexcept:
    cdef int code = cnp.PyArray_TYPE(nd)
    if is_number(code) and cnp.PyArray_ISNOTSWAPPED(nd):
        return code
    return FG_OTHER


cdef fg_array* wrap_nd(ndarray nd, fg_array* base=NULL) except NULL:
    """An fg_array on the memory of `nd`; with `base`, one that shares its version counter."""
    cdef fg_array* a
    Py_INCREF(nd)
    a = fg_array_wrap(
        <void*>nd, cnp.PyArray_BYTES(nd), cnp.PyArray_NDIM(nd), <intptr_t*>cnp.PyArray_DIMS(nd),
        <intptr_t*>cnp.PyArray_STRIDES(nd), code_of(nd), cnp.PyArray_ITEMSIZE(nd),
        cnp.PyArray_ISALIGNED(nd), cnp.PyArray_ISWRITEABLE(nd))
    if a == NULL:
        raise MemoryError
    if base != NULL:
        a.root = fg_array_keep(base.root)
    return a


cdef inline fg_array* new_array(int ndim, const intptr_t* shape, int code, uint32_t itemsize) except NULL:
    cdef fg_array* a = fg_array_new(ndim, shape, code, itemsize)
    if a == NULL:
        raise MemoryError
    return a


cdef fg_array* new_like(fg_array* a) except NULL:
    """Uninitialised C-ordered memory of a's shape and dtype (a number)."""
    return new_array(a.ndim, fg_shape(a), a.dtype, a.itemsize)


cdef fg_array* copy_of(fg_array* a) except NULL:
    cdef fg_array* c
    if a.dtype == FG_OTHER or not a.flags & FG_ALIGNED:
        return wrap_nd(np.array(to_nd(a), copy=True, order="C", subok=False))
    c = new_like(a)
    fg_copy(c, a)
    return c


cdef fg_array* like_of(fg_array* a) except NULL:
    """Shape and dtype alone."""
    cdef fg_array* like = fg_array_like(a.ndim, fg_shape(a), a.dtype, a.itemsize)
    if like == NULL:
        raise MemoryError
    return like


cdef fg_array* weak_scalar(object value, int code) except NULL:
    """A Python float or int as a 0-d array of float32 or float64, marked weak; NULL is never returned."""
    cdef fg_array* a
    cdef double number = PyLong_AsDouble(value) if PyLong_CheckExact(value) else PyFloat_AS_DOUBLE(value)
    a = new_array(0, NULL, code, 4 if code == FG_FLOAT32 else 8)
    if code == FG_FLOAT32:
        (<float*>a.data)[0] = <float>number
    else:
        (<double*>a.data)[0] = number
    a.flags |= FG_WEAK
    return a


cdef object value_of(fg_array* a):
    """What a formula on ndarrays is given for a saved value."""
    if a.flags & FG_WEAK:
        if a.owner != NULL:
            return (<ndarray>a.owner).item()
        return <double>(<float*>a.data)[0] if a.dtype == FG_FLOAT32 else (<double*>a.data)[0]
    return to_nd(a)


cdef ndarray as_nd(object value, where):
    """What any operand that is no Tensor means as an array; refuses what is not made of numbers."""
    cdef ndarray nd
    try:
        nd = np.asarray(value)
    except RuntimeError:
        raise _errors.tensors_in_sequence(where) from None
    if not is_number(cnp.PyArray_TYPE(nd)):
        raise _errors.not_numeric(where, nd.dtype)
    return nd
