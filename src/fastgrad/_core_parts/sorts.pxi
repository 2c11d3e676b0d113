# The direct path of sorting where a gradient is wanted, for which the order is found with the values and kept; and of
# medians.

cdef object sort(Row row, Tensor x, dict options):
    """None where NumPy should do it: where no gradient is wanted, which is faster, and where equal elements differ."""
    cdef fg_array* a
    if not fg_grad_enabled or not wants_grad(x) or not is_real(x.a) or not x.a.flags & FG_CONTIGUOUS:
        return None
    a = fg_array_keep(x.a)
    try:
        return sort_lines(row, x, a, options) if a.size and a.ndim and fg_sort_tells(a) else None
    finally:
        fg_array_drop(a)


cdef object sort_lines(Row row, Tensor x, fg_array* a, dict options):
    cdef intptr_t n, inner
    cdef fg_array* rows = NULL
    cdef fg_array* sorted = NULL
    cdef Tensor order, out
    cdef Node node
    if not lines_of(a, options["axis"], &n, &inner) or n >= TOO_LARGE:
        return None
    try:
        rows = lined_up(a, options["axis"], inner)
        sorted = new_like(rows)
        order = new_tensor(new_array(rows.ndim, fg_shape(rows), cnp.NPY_INT32, 4))
        run_sort(rows, sorted, order.a, n, options["descending"])
        out = new_tensor(laid_back(sorted, a, options["axis"], inner))
    finally:
        fg_array_drop(rows)
        fg_array_drop(sorted)
    node = new_node(row, 1, 1)
    node.options = options
    save(node, 0, a)
    extra_of(node).results = [order]
    link_tensor(node, 0, x)
    came_from(out, node)
    return out


cdef int run_sort(fg_array* rows, fg_array* to, fg_array* order, intptr_t n, bint descending) except -1:
    cdef fg_status status
    if rows.size >= RELEASE_GIL:
        with nogil:
            status = fg_sort(rows, to, order, n, descending)
    else:
        status = fg_sort(rows, to, order, n, descending)
    if status != FG_OK:
        raise MemoryError
    return 0


cdef fg_array* lined_up(fg_array* a, object axis, intptr_t inner) except NULL:
    """A contiguous array in which lines along an axis lie in one piece: it has changed places with the last."""
    cdef fg_array* turned
    if axis is None:
        return flat_view(a)
    if inner == 1 and a.flags & FG_CONTIGUOUS:
        return fg_array_keep(a)
    turned = exchanged(a, axis_of(axis, a.ndim))
    try:
        return copy_of(turned)
    finally:
        fg_array_drop(turned)


cdef fg_array* laid_back(fg_array* rows, fg_array* like, object axis, intptr_t inner) except NULL:
    """What `lined_up` made of an array like that, in C order again."""
    cdef fg_array* turned
    if axis is None or inner == 1:
        return fg_array_keep(rows)
    turned = exchanged(rows, axis_of(axis, like.ndim))
    try:
        return copy_of(turned)
    finally:
        fg_array_drop(turned)


cdef fg_array* exchanged(fg_array* a, int axis) except NULL:
    """A view in which an axis and the last have changed places."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef fg_array* r
    cdef int i, k
    for i in range(a.ndim):
        k = a.ndim - 1 if i == axis else axis if i == a.ndim - 1 else i
        shape[i], strides[i] = fg_shape(a)[k], fg_strides(a)[k]
    r = fg_array_view(a, a.data, a.ndim, shape, strides)
    if r == NULL:
        raise MemoryError
    return r


cdef bint sort_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The cotangent put back where the elements came from; False where the order was not kept."""
    cdef fg_array* like = node.saved[0]
    cdef fg_array* dense = NULL
    cdef fg_array* rows = NULL
    cdef fg_array* r = NULL
    cdef object axis = node_options(node)["axis"]
    cdef intptr_t n, inner
    cdef Tensor order
    if node.extra is None or node.extra.results is None or like == NULL or like.dtype != g.dtype:
        return False
    order = <Tensor>node.extra.results[0]
    lines_of(like, axis, &n, &inner)
    try:
        dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS or inner > 1 else copy_of(g)
        rows = lined_up(dense, axis, inner)
        r = new_like(rows)
        run_sort_back(rows, order.a, r, n)
        send(run, node.n.edges[0], seen_as(r, like, axis, inner))
    finally:
        fg_array_drop(dense)
        fg_array_drop(rows)
        fg_array_drop(r)
    return True


cdef fg_array* seen_as(fg_array* rows, fg_array* like, object axis, intptr_t inner) except NULL:
    """A view of rows with the shape of what they were made of."""
    cdef fg_array* r
    if axis is not None:
        return fg_array_keep(rows) if inner == 1 else exchanged(rows, axis_of(axis, like.ndim))
    r = fg_array_view(rows, rows.data, like.ndim, fg_shape(like), fg_strides(like))
    if r == NULL:
        raise MemoryError
    return r


cdef int run_sort_back(fg_array* g, fg_array* order, fg_array* to, intptr_t n) except -1:
    if g.size >= RELEASE_GIL:
        with nogil:
            fg_sort_back(g, order, to, n)
    else:
        fg_sort_back(g, order, to, n)
    return 0


# ---------------------------------------------------------------- medians

cdef object median(Row row, Tensor x, dict options):
    """None where NumPy should do it: of several axes, or where a line has a nan or a zero that is not like another."""
    cdef fg_array* a = fg_array_keep(x.a)
    cdef intptr_t n, inner
    cdef bint wanted = fg_grad_enabled and wants_grad(x)
    cdef Tensor out
    cdef Tensor places = None
    cdef Node node
    cdef intptr_t[2] shape
    try:
        if not is_real(a) or not a.flags & FG_CONTIGUOUS or a.size == 0 or a.ndim == 0 \
                or not lines_of(a, options["axis"], &n, &inner) or n >= TOO_LARGE:
            return None
        out = new_tensor(room_for_lines(a, options))
        if wanted:
            shape[0], shape[1] = out.a.size, 2
            places = new_tensor(new_array(2, shape, cnp.NPY_INT32, 4))
        if not run_median(a, out.a, places.a if wanted else NULL, n, inner):
            return None
        if wanted:
            node = new_node(row, 1, 1)
            node.options = options
            save(node, 0, a)
            extra_of(node).results = [places]
            link_tensor(node, 0, x)
            came_from(out, node)
        return out
    finally:
        fg_array_drop(a)


cdef fg_array* room_for_lines(fg_array* a, dict options) except NULL:
    """An array with one element for each line of `a` along an axis."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef int axis = -1 if options["axis"] is None else axis_of(options["axis"], a.ndim)
    cdef int i, ndim = 0
    for i in range(a.ndim):
        if axis >= 0 and i != axis or options["keepdims"]:
            shape[ndim] = 1 if axis < 0 or i == axis else fg_shape(a)[i]
            ndim += 1
    return new_array(ndim, shape, a.dtype, a.itemsize)


cdef bint run_median(fg_array* a, fg_array* to, fg_array* places, intptr_t n, intptr_t inner) except? True:
    """False where there was something that is not plain."""
    cdef fg_status status
    cdef c_bool plain = False
    if a.size >= RELEASE_GIL:
        hold_pair(a, to)
        with nogil:
            status = fg_median(a, to, places, n, inner, &plain)
        fg_array_drop(a)
        fg_array_drop(to)
    else:
        status = fg_median(a, to, places, n, inner, &plain)
    if status != FG_OK:
        raise MemoryError
    return plain


cdef bint median_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The cotangent given to the elements in the middle; False where their places were not kept."""
    cdef fg_array* like = node.saved[0]
    cdef fg_array* dense
    cdef fg_array* r = NULL
    cdef intptr_t n, inner
    cdef Tensor places
    if node.extra is None or node.extra.results is None or like == NULL or like.dtype != g.dtype:
        return False
    places = <Tensor>node.extra.results[0]
    lines_of(like, node_options(node)["axis"], &n, &inner)
    dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    try:
        r = new_like(like)
        run_median_back(dense, places.a, r, n, inner)
        send(run, node.n.edges[0], fg_array_keep(r))
    finally:
        fg_array_drop(dense)
        fg_array_drop(r)
    return True


cdef int run_median_back(fg_array* g, fg_array* places, fg_array* to, intptr_t n, intptr_t inner) except -1:
    if to.size >= RELEASE_GIL:
        with nogil:
            fg_median_back(g, places, to, n, inner)
    else:
        fg_median_back(g, places, to, n, inner)
    return 0
