# The direct path of reductions and views. Each function gives None where the general path must serve.

cdef Row ADD = row_named("add")
cdef Row DIVIDE = row_named("divide")
cdef Row MAT = row_named("matmul")
cdef Row MULTIPLY = row_named("multiply")
cdef Row GETITEM_ROW = row_named("getitem")
cdef Row BROADCAST_TO_ROW = row_named("broadcast_to")
cdef Row PUT_ADD_ROW = row_named("put_add")
cdef Row SUM_ROW = row_named("sum")
cdef Row MEAN_ROW = row_named("mean")
cdef Row RESHAPE_ROW = row_named("reshape")
cdef Row TRANSPOSE_ROW = row_named("transpose")
cdef dict REVERSED = {"axes": None}
cdef tuple WHOLE = (None, False)  # axis and keepdims of a sum over everything


cdef object apply_special(Row row, tuple operands, dict options):
    cdef Tensor x = <Tensor>operands[0]
    if row.code == SUM or row.code == MEAN:
        for key, value in options.items():
            if value is not None and key != "axis" and key != "keepdims":
                return None
        return sum_or_mean(row, x, options["axis"], options["keepdims"])
    elif row.code == RESHAPE:
        if options["copy"] is None:
            return reshape(x, options["shape"])
    elif TRANSPOSE <= row.code <= SQUEEZE:
        return turn(row, x, options)
    elif row.code == RAVEL or row.code == FLATTEN:
        return flat(row, x)
    elif row.code == DIAGONAL:
        return diagonal(row, x, options)
    elif CONCAT <= row.code <= REPEAT:
        return apply_blocks(row, operands, options)
    elif CUMSUM <= row.code <= LOGCUMSUMEXP:
        return scan(row, x, options)
    elif row.code == SORT:
        return sort(row, x, options)
    elif row.code == MEDIAN:
        return median(row, x, options)
    elif row.code == GETITEM:
        return getitem(row, x, options["index"])
    elif row.code == MATMUL:
        return matmul(row, x, <Tensor>operands[1])
    elif row.code == LINEAR:
        return linear(row, operands)
    elif CONVOLUTION <= row.code <= CONVOLUTION_WEIGHT:
        return convolution(row, operands, options)
    elif row.code == WINDOW_MAX:
        return window_max(row, x, options)
    elif row.code == RESAMPLED:
        return resampled(row, x, options)
    elif row.code == BROADCAST_TO:
        return broadcast_to(row, x, options["shape"])
    elif row.code == PUT_ADD:
        return put_add(row, x, options["shape"], options["index"])
    elif row.code == CLONE:
        return clone(row, x)
    elif row.code == TAKE_ALONG:
        return take_along(row, operands, options)
    elif row.code == STANDARDIZE:
        return standardized(row, operands, options)
    elif row.code == CLASS_LOSS:
        return class_loss(row, x, <Tensor>operands[1], options)
    return None


cdef inline bint is_real(fg_array* a) noexcept:
    """float32 or float64, aligned: what the direct paths here take."""
    return (a.dtype == FG_FLOAT64 or a.dtype == FG_FLOAT32) and a.flags & FG_ALIGNED


# ---------------------------------------------------------------- sum and mean of everything

cdef enum:
    UNPROVEN = 8192       # elements up to which NumPy 2.0 too hands a contiguous reduction to its loop in one piece

cdef int whole_sums = -1  # whether this NumPy does so beyond; -1: not looked yet


cdef bint sums_alike(fg_array* a) except? True:
    """Whether a direct sum adds in NumPy's order. NumPy 2.0 cuts long reductions into pieces of its buffer."""
    global whole_sums
    cdef fg_array* probe
    cdef fg_array* total
    if a.size <= UNPROVEN:
        return True
    if whole_sums < 0:
        values = np.sin(np.arange(5.0 * UNPROVEN + 1))
        probe = wrap_nd(values)
        total = sum_of(probe)
        whole_sums = (<double*>total.data)[0] == <double>np.add.reduce(values)
        fg_array_drop(total)
        fg_array_drop(probe)
    return whole_sums

cdef fg_array* sum_of(fg_array* a) except NULL:
    """The sum of a contiguous array as NumPy forms it: pairwise, on top of 0."""
    cdef fg_array* r = new_array(0, NULL, a.dtype, a.itemsize)
    cdef fg_loop* add = &ADD.loops[a.dtype]
    memset(r.data, 0, a.itemsize)
    if a.size >= RELEASE_GIL:
        with nogil:
            fg_loop_reduce(add, r, a)
    else:
        fg_loop_reduce(add, r, a)
    return r


# What these functions read is kept for as long as they run: a loop lets other threads run, which may set `x.data`.

cdef object sum_or_mean(Row row, Tensor x, object axis, object keepdims):
    out = sum_all(row, x) if axis is None and keepdims is False else None
    return sum_axes(row, x, axis, keepdims) if out is None else out


cdef object sum_all(Row row, Tensor x):
    cdef fg_array* a = fg_array_keep(x.a)
    try:
        return sum_whole(row, x, a)
    finally:
        fg_array_drop(a)


cdef object sum_whole(Row row, Tensor x, fg_array* a):
    cdef Tensor out
    cdef Node node
    if not direct or not is_real(a) or not a.flags & FG_CONTIGUOUS or ADD.loops[a.dtype].fn == NULL:
        return None
    if row.code == MEAN and a.size == 0 or not sums_alike(a):
        return None
    out = new_tensor(sum_of(a))
    if row.code == MEAN:
        if a.dtype == FG_FLOAT32:
            (<float*>out.a.data)[0] /= <float>a.size
        else:
            (<double*>out.a.data)[0] /= <double>a.size
    if fg_grad_enabled and wants_grad(x):
        node = new_node(row, 1, 1)
        if a.ndim:
            node.saved[0] = like_of(a)
        node.direct = True
        node.options = WHOLE
        link_tensor(node, 0, x)
        came_from(out, node)
    return out


# ---------------------------------------------------------------- sum and mean over some axes

cdef bint reduced_axes(object axis, int ndim, bint* reduced) except *:
    """Which axes `axis` (None, an int, a tuple of them) names; False where NumPy should judge it."""
    cdef int i
    for i in range(ndim):
        reduced[i] = axis is None
    if axis is None:
        return True
    for item in axis if type(axis) is tuple else (axis,):
        if type(item) is not int or not -ndim <= item < ndim:
            return False
        i = item if item >= 0 else item + ndim
        if reduced[i]:
            return False
        reduced[i] = True
    return True


cdef object sum_axes(Row row, Tensor x, object axis, object keepdims):
    """A sum or mean over some axes, by the add loop in NumPy's own order."""
    cdef fg_array* a = fg_array_keep(x.a)
    try:
        return sum_some(row, x, a, axis, keepdims)
    finally:
        fg_array_drop(a)


cdef object sum_some(Row row, Tensor x, fg_array* a, object axis, object keepdims):
    cdef fg_array* count
    cdef fg_array* args[3]
    cdef bint reduced[FG_MAXDIMS]
    cdef Tensor out
    cdef Node node
    cdef fg_loop* add = add_loop(a.dtype)
    if not direct or not is_real(a) or add == NULL or a.size == 0 or a.ndim == 0 or not sums_alike(a):
        return None
    if type(keepdims) is not bool or not reduced_axes(axis, a.ndim, reduced):
        return None
    out = new_tensor(sum_over(a, reduced, keepdims, add))
    if row.code == MEAN:
        if DIVIDE.loops[a.dtype].fn == NULL:
            return None
        count = weak_scalar(a.size // out.a.size, a.dtype)
        args[0], args[1], args[2] = out.a, count, out.a
        fg_loop_run(&DIVIDE.loops[a.dtype], 3, args)
        fg_array_drop(count)
    if fg_grad_enabled and wants_grad(x):
        node = new_node(row, 1, 1)
        node.direct = True
        node.saved[0] = like_of(a)
        node.options = (axis, keepdims)
        link_tensor(node, 0, x)
        came_from(out, node)
    return out


cdef fg_array* sum_over(fg_array* a, bint* reduced, bint keepdims, fg_loop* add) except NULL:
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef int i, ndim = 0
    cdef fg_array* part
    cdef fg_array* out
    cdef fg_array* into
    for i in range(a.ndim):
        if keepdims or not reduced[i]:
            shape[ndim] = 1 if reduced[i] else fg_shape(a)[i]
            strides[ndim] = fg_strides(a)[i]
            ndim += 1
    part = fg_array_view(a, a.data, ndim, shape, strides)  # its strides decide the order of the result's axes
    out = NULL if part == NULL else fg_array_new_kept(1, &part, ndim, shape, a.dtype, a.itemsize)
    fg_array_drop(part)
    if out == NULL:
        raise MemoryError
    memset(out.data, 0, out.size * out.itemsize)
    ndim = 0
    for i in range(a.ndim):
        shape[i] = 1 if reduced[i] else fg_shape(a)[i]
        strides[i] = 0
        if keepdims or not reduced[i]:
            strides[i] = fg_strides(out)[ndim]
            ndim += 1
    into = fg_array_view(out, out.data, a.ndim, shape, strides)
    if into == NULL:
        fg_array_drop(out)
        raise MemoryError
    if a.size >= RELEASE_GIL:
        with nogil:
            fg_loop_reduce(add, into, a)
    else:
        fg_loop_reduce(add, into, a)
    fg_array_drop(into)
    return out


cdef fg_array* spread(fg_array* g, fg_array* like, object axis, bint keepdims) except NULL:
    """`g`, what a sum of `like` over `axis` gave, seen with like's shape; memory is shared."""
    cdef intptr_t strides[FG_MAXDIMS]
    cdef bint reduced[FG_MAXDIMS]
    cdef int i, k = 0
    cdef fg_array* r
    reduced_axes(axis, like.ndim, reduced)
    for i in range(like.ndim):
        strides[i] = 0 if reduced[i] else fg_strides(g)[k]
        if keepdims or not reduced[i]:
            k += 1
    r = fg_array_view(g, g.data, like.ndim, fg_shape(like), strides)
    if r == NULL:
        raise MemoryError
    return r


# ---------------------------------------------------------------- views

cdef Tensor view_tensor(Row row, Tensor x, int ndim, intptr_t* shape, intptr_t* strides, char* data, object options):
    """A view of x, recorded. Its node keeps x's shape, and `options` to run the vjp with."""
    cdef fg_array* a = fg_array_view(x.a, data, ndim, shape, strides)
    cdef Tensor out
    cdef Node node
    if a == NULL:
        raise MemoryError
    out = new_tensor(a)
    note_view(out, x, row, options)
    if fg_grad_enabled and wants_grad(x) and takes_grad(a):
        node = new_node(row, 1, 1)
        node.saved[0] = like_of(x.a)
        node.options = options
        link_tensor(node, 0, x)
        came_from(out, node)
    return out


cdef object reshape(Tensor x, object wanted):
    cdef fg_array* a = x.a
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef intptr_t known = 1, step
    cdef int i, ndim, hole = -1
    if not direct or a.dtype == FG_OTHER or a.size == 0 or not a.flags & FG_CONTIGUOUS:
        return None
    if type(wanted) is int:
        wanted = (wanted,)
    elif type(wanted) is not tuple:
        return None
    ndim = len(<tuple>wanted)
    if ndim > FG_MAXDIMS:
        return None
    for i in range(ndim):
        item = (<tuple>wanted)[i]
        if type(item) is not int:
            return None
        shape[i] = item
        if shape[i] == -1 and hole < 0:
            hole = i
        elif shape[i] < 0:
            return None
        elif shape[i] and known > a.size // shape[i]:
            return None  # more elements than there are, or than an int can count
        else:
            known *= shape[i]
    if hole >= 0:
        if known == 0 or a.size % known:
            return None
        shape[hole] = a.size // known
    elif known != a.size:
        return None
    step = a.itemsize
    for i in range(ndim - 1, -1, -1):
        strides[i] = step
        step *= shape[i]
    return view_tensor(RESHAPE_ROW, x, ndim, shape, strides, a.data, wanted)


cdef object clone(Row row, Tensor x):
    cdef fg_array* a = x.a
    cdef Tensor out
    cdef Node node
    if not is_real(a) or not a.flags & FG_CONTIGUOUS:
        return None
    out = new_tensor(copy_of(a))
    if fg_grad_enabled and wants_grad(x):
        node = new_node(row, 1, 1)
        link_tensor(node, 0, x)
        came_from(out, node)
    return out


cdef object broadcast_to(Row row, Tensor x, object wanted):
    cdef fg_array* a = x.a
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef int i, k, ndim
    if type(wanted) is not tuple or a.dtype == FG_OTHER or a.size == 0:
        return None
    ndim = len(<tuple>wanted)
    if ndim > FG_MAXDIMS or ndim < a.ndim:
        return None
    for i in range(ndim):
        item = (<tuple>wanted)[i]
        if type(item) is not int or not 0 < item < RELEASE_GIL * RELEASE_GIL:
            return None
        shape[i], strides[i] = item, 0
        k = i - (ndim - a.ndim)
        if k >= 0 and fg_shape(a)[k] == shape[i]:
            strides[i] = fg_strides(a)[k]
        elif k >= 0 and fg_shape(a)[k] != 1:
            return None
    out = view_tensor(row, x, ndim, shape, strides, a.data, {"shape": wanted})
    (<Tensor>out).a.flags &= 0xFF ^ FG_WRITEABLE  # several elements in one place
    return out


cdef object put_add(Row row, Tensor x, tuple shape, object index):
    """Zeros with x added in a window, or at places; recorded."""
    cdef intptr_t dims[FG_MAXDIMS]
    cdef Tensor out
    cdef Node node
    cdef int i, ndim = len(shape)
    if not direct or not is_real(x.a) or ndim > FG_MAXDIMS:
        return None
    for i in range(ndim):
        dims[i] = shape[i]
    out = new_tensor(new_array(ndim, dims, x.a.dtype, x.a.itemsize))
    memset(out.a.data, 0, out.a.size * out.a.itemsize)
    found = added_at(out.a, x.a, index)
    if found is None:
        return None
    if fg_grad_enabled and wants_grad(x):
        node = new_node(row, 1, 1)
        node.saved[0] = like_of(x.a)
        node.options = found if type(found) is Picks else {"shape": shape, "index": index}
        link_tensor(node, 0, x)
        came_from(out, node)
    return out


cdef object added_at(fg_array* into, fg_array* g, object index):
    """``into[index] += g`` for real arrays, `into` in C order: the index, or its Picks; None where that cannot be."""
    cdef Window w
    cdef fg_array* part
    cdef Picks picks
    if not window_of(into, index, &w):
        picks = picks_of(into, index) if into.size else None
        return picks if picks is not None and add_at(picks, into, g) else None
    if empty(&w):
        return None
    part = fg_array_view(into, w.data, w.ndim, w.shape, w.strides)
    if part == NULL:
        raise MemoryError
    try:
        if not same_shape(part, g):
            return None
        add_into(part, g)
        return index
    finally:
        fg_array_drop(part)


cdef fg_array* reversed_axes(fg_array* a) except NULL:
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef int i
    cdef fg_array* r
    for i in range(a.ndim):
        shape[i] = fg_shape(a)[a.ndim - 1 - i]
        strides[i] = fg_strides(a)[a.ndim - 1 - i]
    r = fg_array_view(a, a.data, a.ndim, shape, strides)
    if r == NULL:
        raise MemoryError
    return r


# The geometry of a basic index into an array.
cdef struct Window:
    int ndim
    char* data
    intptr_t shape[FG_MAXDIMS]
    intptr_t strides[FG_MAXDIMS]


cdef bint is_fixed(object item) noexcept:
    """Whether a slice's members are exact ints or None."""
    cdef SliceMembers* s = <SliceMembers*><PyObject*>item
    return is_int_or_none(s.start) and is_int_or_none(s.stop) and is_int_or_none(s.step)


cdef inline bint is_int_or_none(PyObject* o) noexcept:
    return o == <PyObject*>None or PyLong_CheckExact(<object>o)


cdef bint window_of(fg_array* a, object index, Window* w) except *:
    """Apply a basic index (exact ints, slices of them, None, Ellipsis, a tuple of those); False for any other.

    Exact ints alone: a slice of anything else may mean another window when the vjp applies the index again.
    """
    cdef int axis = 0, used = 0
    cdef Py_ssize_t start, stop, step, i
    cdef bint ellipsis = False
    w.ndim, w.data = 0, a.data
    items = index if type(index) is tuple else tuple(index) if isinstance(index, tuple) else (index,)
    for item in items:
        if item is Ellipsis:
            if ellipsis:
                return False
            ellipsis = True
        elif type(item) is int or type(item) is slice and is_fixed(item):
            used += 1
        elif item is not None:
            return False
    if used > a.ndim or a.ndim + len(items) > FG_MAXDIMS:
        return False
    for item in items:
        if type(item) is int:
            try:
                i = item
            except OverflowError:
                return False
            if i < 0:
                i += fg_shape(a)[axis]
            if i < 0 or i >= fg_shape(a)[axis]:
                return False
            w.data += i * fg_strides(a)[axis]
            axis += 1
        elif item is None:
            w.shape[w.ndim], w.strides[w.ndim] = 1, 0
            w.ndim += 1
        elif item is Ellipsis:
            while axis < a.ndim - used_after(items, item):
                keep_axis(a, axis, w)
                axis += 1
        else:
            PySlice_Unpack(item, &start, &stop, &step)
            w.shape[w.ndim] = PySlice_AdjustIndices(fg_shape(a)[axis], &start, &stop, step)
            w.strides[w.ndim] = step * fg_strides(a)[axis]
            if w.shape[w.ndim]:
                w.data += start * fg_strides(a)[axis]
            w.ndim += 1
            axis += 1
    while axis < a.ndim:
        keep_axis(a, axis, w)
        axis += 1
    return True


cdef bint empty(Window* w) noexcept:
    cdef int i
    for i in range(w.ndim):
        if w.shape[i] == 0:
            return True
    return False


cdef int used_after(tuple items, object ellipsis):
    """How many axes the items behind the ellipsis take."""
    cdef int count = 0
    cdef bint behind = False
    for item in items:
        if item is ellipsis:
            behind = True
        elif behind and item is not None:
            count += 1
    return count


cdef void keep_axis(fg_array* a, int axis, Window* w) noexcept:
    w.shape[w.ndim], w.strides[w.ndim] = fg_shape(a)[axis], fg_strides(a)[axis]
    w.ndim += 1


cdef object getitem(Row row, Tensor x, object index):
    cdef Window w
    if not direct or x.a.dtype == FG_OTHER:
        return None
    if not window_of(x.a, index, &w):
        return pick(row, x, index)
    if empty(&w):
        return None  # what has no elements shares no memory
    return view_tensor(row, x, w.ndim, w.shape, w.strides, w.data, index)


cdef dict node_options(Node node):
    """A node's options as a dict (a getitem keeps its bare index)."""
    cdef Picks picks
    if type(node.options) is Picks:
        picks = <Picks>node.options
        return picks.options(node.row)
    return full_options(node.row, node.options)


cdef dict full_options(Row row, object options):
    """Options as a dict; what the direct paths of views and sums keep is less."""
    if type(options) is dict:
        return options
    if row.code == GETITEM:
        return {"index": options}
    if row.code == RESHAPE:
        return {"shape": options, "copy": None}
    if row.code == SUM or row.code == MEAN:
        return {**row.op.bind(None)[1], "axis": (<tuple>options)[0], "keepdims": (<tuple>options)[1]}
    return {}
