# Views that move, turn, add or drop axes: forward and vjp, which is the way back, are the same memory seen otherwise.

cdef struct Axes:
    int ndim                    # of the result
    int origin[FG_MAXDIMS]      # which axis of the operand an axis of the result is; -1: a new one, of length 1
    bint turned[FG_MAXDIMS]     # whether it runs backwards


cdef enum:
    TOO_LARGE = 1 << 30  # for an axis, a number of axes or of parts


cdef inline int axis_of(object axis, int ndim) noexcept:
    """An axis counted from the front; -1 where NumPy should judge it."""
    cdef Py_ssize_t i
    if not PyLong_CheckExact(axis):
        return -1
    i = small_int(axis)
    return <int>i if 0 <= i < ndim else <int>(i + ndim) if -ndim <= i < 0 else -1


cdef inline Py_ssize_t small_int(object number) noexcept:
    """An exact int, or one that is out of every range here where it is too large."""
    cdef int overflow
    cdef long long i = PyLong_AsLongLongAndOverflow(number, &overflow)
    return TOO_LARGE if overflow else i


cdef bint some_axes(object axis, int ndim, bint* named) noexcept:
    """Which axes `axis` (an int or a tuple of different ones) names; False where NumPy should judge it."""
    cdef int i, k
    memset(named, 0, ndim * sizeof(bint))
    if type(axis) is not tuple:
        i = axis_of(axis, ndim)
        if i < 0:
            return False
        named[i] = True
        return True
    for k in range(<int>len(<tuple>axis)):
        i = axis_of((<tuple>axis)[k], ndim)
        if i < 0 or named[i]:
            return False
        named[i] = True
    return True


cdef bint axes_of(Row row, dict options, fg_array* x, Axes* axes) except? True:
    """What a row makes of the axes of x; False where NumPy should judge it."""
    cdef int i, k, n = x.ndim
    cdef bint named[FG_MAXDIMS]
    axes.ndim = n
    for i in range(n):
        axes.origin[i], axes.turned[i] = i, False
    if row.code == TRANSPOSE:
        return permuted(options["axes"], n, axes)
    elif row.code == MATRIX_TRANSPOSE:
        if n < 2:
            return False
        axes.origin[n - 2], axes.origin[n - 1] = n - 1, n - 2
    elif row.code == SWAPAXES:
        i, k = axis_of(options["axis1"], n), axis_of(options["axis2"], n)
        if i < 0 or k < 0:
            return False
        axes.origin[i], axes.origin[k] = k, i
    elif row.code == MOVEAXIS:
        i, k = axis_of(options["source"], n), axis_of(options["destination"], n)
        if i < 0 or k < 0:
            return False
        move_axis(i, k, axes)
    elif row.code == FLIP:
        if n == 0:
            return False  # NumPy gives a copy
        if options["axis"] is None:
            for i in range(n):
                axes.turned[i] = True
            return True
        return some_axes(options["axis"], n, axes.turned)
    elif row.code == EXPAND_DIMS:
        n += <int>len(<tuple>options["axis"]) if type(options["axis"]) is tuple else 1
        if n > FG_MAXDIMS or not some_axes(options["axis"], n, named):
            return False
        k = 0
        for i in range(n):
            axes.origin[i], axes.turned[i] = -1, False
            if not named[i]:
                axes.origin[i] = k
                k += 1
        axes.ndim = n
    else:  # SQUEEZE
        if options["axis"] is None:
            for i in range(n):
                named[i] = fg_shape(x)[i] == 1
        elif not some_axes(options["axis"], n, named):
            return False
        axes.ndim = 0
        for i in range(n):
            if not named[i]:
                axes.origin[axes.ndim] = i
                axes.ndim += 1
            elif fg_shape(x)[i] != 1:
                return False
    return True


cdef bint permuted(object order, int ndim, Axes* axes) noexcept:
    """The axes in that order; None: in the reverse one."""
    cdef int i, k
    cdef bint seen[FG_MAXDIMS]
    if order is None:
        for i in range(ndim):
            axes.origin[i] = ndim - 1 - i
        return True
    if type(order) is not tuple or <int>len(<tuple>order) != ndim:
        return False
    memset(seen, 0, sizeof(seen))
    for i in range(ndim):
        k = axis_of((<tuple>order)[i], ndim)
        if k < 0 or seen[k]:
            return False
        seen[k] = True
        axes.origin[i] = k
    return True


cdef void move_axis(int source, int destination, Axes* axes) noexcept:
    cdef int i, k = 0
    for i in range(axes.ndim):
        if i == destination:
            axes.origin[i] = source
            continue
        if k == source:
            k += 1
        axes.origin[i] = k
        k += 1


cdef object turn(Row row, Tensor x, dict options):
    """A view with other axes, recorded; None where NumPy should judge it."""
    cdef Axes axes
    cdef fg_array* a = x.a
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef char* data = a.data
    cdef int i, k
    if a.dtype == FG_OTHER or a.size == 0 or not axes_of(row, options, a, &axes):
        return None
    for i in range(axes.ndim):
        k = axes.origin[i]
        if k < 0:
            shape[i], strides[i] = 1, 0
            continue
        shape[i], strides[i] = fg_shape(a)[k], fg_strides(a)[k]
        if axes.turned[i]:
            data += (shape[i] - 1) * strides[i]
            strides[i] = -strides[i]
    return view_tensor(row, x, axes.ndim, shape, strides, data, options)


cdef bint turn_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The cotangent with its axes put back; False where NumPy's way was taken."""
    cdef Axes axes
    cdef fg_array* like = node.saved[0] if node.saved[0] != NULL else g
    cdef intptr_t strides[FG_MAXDIMS]
    cdef fg_array* r
    cdef char* data = g.data
    cdef int i, k
    if g.size == 0 or like.dtype != g.dtype or not axes_of(node.row, node_options(node), like, &axes):
        return False
    for i in range(like.ndim):
        strides[i] = 0
    for i in range(axes.ndim):
        k = axes.origin[i]
        if k < 0:
            continue
        strides[k] = fg_strides(g)[i]
        if axes.turned[i]:
            data += (fg_shape(g)[i] - 1) * strides[k]
            strides[k] = -strides[k]
    r = fg_array_view(g, data, like.ndim, fg_shape(like), strides)
    if r == NULL:
        raise MemoryError
    send(run, node.n.edges[0], r)
    return True


# ---------------------------------------------------------------- one axis in the place of several

cdef object flat(Row row, Tensor x):
    """A contiguous array in one dimension: ravel gives a view, flatten a copy."""
    cdef fg_array* a = x.a
    cdef fg_array* r
    cdef intptr_t stride = a.itemsize
    cdef Tensor out
    cdef Node node
    if not is_real(a) or a.size == 0 or not a.flags & FG_CONTIGUOUS:
        return None
    if row.code == RAVEL:
        return view_tensor(row, x, 1, &a.size, &stride, a.data, {})
    r = copy_of(a)
    try:
        out = new_tensor(flat_view(r))
    finally:
        fg_array_drop(r)
    if fg_grad_enabled and wants_grad(x):
        node = new_node(row, 1, 1)
        node.saved[0] = like_of(a)
        link_tensor(node, 0, x)
        came_from(out, node)
    return out


cdef bint diagonal_of(fg_array* a, dict options, Window* w) noexcept:
    """The diagonals of the matrices in two axes, along the last axis; False where NumPy should judge it."""
    cdef int i, first = axis_of(options["axis1"], a.ndim), second = axis_of(options["axis2"], a.ndim)
    cdef intptr_t offset, length
    if first < 0 or second < 0 or first == second or not PyLong_CheckExact(options["offset"]):
        return False
    offset = small_int(options["offset"])
    length = min(fg_shape(a)[first] - max(-offset, 0), fg_shape(a)[second] - max(offset, 0))
    if abs(offset) >= TOO_LARGE or length <= 0:
        return False
    w.ndim, w.data = 0, a.data + (offset * fg_strides(a)[second] if offset > 0 else -offset * fg_strides(a)[first])
    for i in range(a.ndim):
        if i != first and i != second:
            keep_axis(a, i, w)
    w.shape[w.ndim], w.strides[w.ndim] = length, fg_strides(a)[first] + fg_strides(a)[second]
    w.ndim += 1
    return True


cdef object diagonal(Row row, Tensor x, dict options):
    cdef Window w
    if not is_real(x.a) or x.a.size == 0 or not diagonal_of(x.a, options, &w):
        return None
    return view_tensor(row, x, w.ndim, w.shape, w.strides, w.data, options)
