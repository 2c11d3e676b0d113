# The direct path of rowwise rows along the last axis: forward and vjp, each as one program of csrc/rows.c.

cdef object apply_rows(Row row, tuple operands, dict options):
    """None where the general path must serve: another axis, memory in another order, another dtype."""
    cdef fg_array* a
    if not is_tensor(operands[0]) or not last_axis(options["axis"], (<Tensor>operands[0]).a.ndim):
        return None
    a = fg_array_keep((<Tensor>operands[0]).a)
    try:
        if not is_real(a) or not a.flags & FG_CONTIGUOUS or a.size == 0 or not sums_alike(a):
            return None
        options = dict(options)
        options["axis"] = -1
        variant = row.variant(options)
        return None if variant is None else along_rows(variant, <Tensor>operands[0], a)
    finally:
        fg_array_drop(a)


cdef bint last_axis(object axis, int ndim):
    if type(axis) is tuple and len(axis) == 1:
        axis = axis[0]
    return type(axis) is int and ndim > 0 and (axis == -1 or axis == ndim - 1)


cdef object along_rows(Row row, Tensor x, fg_array* a):
    cdef Formula f = row.forward
    cdef fg_array* inputs[8]
    cdef fg_array* out
    cdef fg_array* count = NULL
    cdef Tensor result
    cdef Node node
    cdef fg_program* p
    cdef int i
    if f is None or f.nresults != 1 or f.result_kind[0] != COMPUTED:
        return None
    p = compiled_for(f, a.dtype)
    if p == NULL:
        return None
    out = new_like(a) if f.program.result_kind == "T" else per_row(a, row.options.get("keepdims"))
    result = new_tensor(out)
    try:
        count = weak_scalar(fg_shape(a)[a.ndim - 1], a.dtype)
        for i in range(f.ninputs):
            inputs[i] = count if f.sources[i] == COUNT else a
        run_rows(f, p, inputs, &out, a)
    finally:
        fg_array_drop(count)
    if row.differentiable and fg_grad_enabled and wants_grad(x):
        node = new_node(row, 1, 1)
        node.direct = True
        node.options = row.options
        link_tensor(node, 0, x)
        if row.saves & 1:
            save(node, 0, a)
        else:
            node.saved[0] = like_of(a)
        if row.saves_out:
            save(node, 1, out)
        came_from(result, node)
    return result


cdef fg_array* per_row(fg_array* a, object keepdims) except NULL:
    """Room for one value for each row."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef int i
    for i in range(a.ndim):
        shape[i] = fg_shape(a)[i]
    shape[a.ndim - 1] = 1
    return new_array(a.ndim if keepdims else a.ndim - 1, shape, a.dtype, a.itemsize)


cdef int run_rows(Formula f, fg_program* p, fg_array** inputs, fg_array** outputs, fg_array* like) except -1:
    """Along the rows of arrays of like's shape."""
    cdef fg_status status
    cdef intptr_t n = fg_shape(like)[like.ndim - 1]
    cdef intptr_t rows = like.size // n
    if like.size >= RELEASE_GIL:
        hold(f.ninputs, inputs)
        with nogil:
            status = fg_program_run_rows(p, inputs, outputs, rows, n)
        let_go(f.ninputs, inputs)
    else:
        status = fg_program_run_rows(p, inputs, outputs, rows, n)
    if status != FG_OK:
        raise MemoryError
    return 0 if PyErr_Occurred() == NULL else -1


cdef bint rows_vjp(fg_run* run, Node node, fg_array* g) except *:
    """The vjp of a node that `along_rows` made; False where a saved value does not suit."""
    cdef Formula f = node.row.formula(1)
    cdef fg_array* like = node.saved[0]
    cdef fg_array* inputs[8]
    cdef fg_array* whole = NULL
    cdef fg_array* count = NULL
    cdef fg_array* result = NULL
    cdef fg_array* a
    cdef fg_program* p
    cdef int i
    cdef bint mine = fg_array_unshared(g)
    if f is None or f.result_kind[0] != COMPUTED or g.dtype != like.dtype:
        return False
    p = compiled_for(f, g.dtype)
    if p == NULL:
        return False
    try:
        whole = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
        count = weak_scalar(fg_shape(like)[like.ndim - 1], g.dtype)
        for i in range(f.ninputs):
            if f.sources[i] == G:
                a = whole
            elif f.sources[i] == COUNT:
                a = count
            else:
                a = node.saved[1 if f.sources[i] == OUT else 0]
            if a == NULL or a.data == NULL or a.dtype != g.dtype or not a.flags & FG_CONTIGUOUS \
                    or not a.flags & FG_ALIGNED:
                return False
            inputs[i] = a
        if p.reuse_output == 0 and same_shape(whole, like) and (mine or whole != g):
            result = fg_array_keep(whole)
        else:
            result = new_like(like)
        run_rows(f, p, inputs, &result, like)
        send(run, node.n.edges[0], fg_array_keep(result))
        return True
    finally:
        fg_array_drop(whole)
        fg_array_drop(count)
        fg_array_drop(result)
