# The direct path of `standardize`: a node keeps the means and the scales, where another row keeps its result.

cdef object standardized(Row row, tuple operands, dict options):
    """None where the general path must serve."""
    cdef Tensor x = <Tensor>operands[0]
    cdef fg_array* args[3]
    cdef fg_array* moments = NULL
    cdef fg_norm f
    cdef Tensor out
    cdef Node node
    cdef intptr_t count
    cdef int i, n = 0
    if fg_thread.special & SAVED_HOOKS:
        return None
    try:
        for i in range(3):
            args[i] = direct_operand(operands[i], x.a.dtype)
            if args[i] == NULL:
                return None
            n += 1
        if not is_real(args[0]) or not describe_norm(&f, args, options) or not sums_alike(args[0]):
            return None
        if not stands_for(args[1], 1) or not stands_for(args[2], 0):
            return None
        f.w = NULL if args[1].flags & FG_WEAK else args[1].data
        f.bias = NULL if args[2].flags & FG_WEAK else args[2].data
        count = 2 * f.c
        moments = new_array(1, &count, f.dtype, args[0].itemsize)
        out = new_tensor(new_like(args[0]))
        f.x, f.out, f.moments = args[0].data, out.a.data, moments.data
        if args[0].size >= RELEASE_GIL:
            with nogil:
                fg_norm_forward(&f)
        else:
            fg_norm_forward(&f)
        record_arrays(row, operands, args, out, options, True)
        node = out.node
        if node is not None:
            node.direct = True
            save(node, 3, moments)
        return out
    finally:
        for i in range(n):
            fg_array_drop(args[i])
        fg_array_drop(moments)


cdef bint stands_for(fg_array* a, double number) noexcept:
    """Whether what is there in the place of weights is this number; True of weights, which have axes."""
    if not a.flags & FG_WEAK:
        return a.ndim != 0
    return (<float*>a.data)[0] == number if a.dtype == FG_FLOAT32 else (<double*>a.data)[0] == number


cdef bint describe_norm(fg_norm* f, fg_array** args, dict options) except *:
    """How x, w and b lie; False where the C core has no loop for that. Of w and b the shapes are looked at alone."""
    cdef fg_array* x = args[0]
    cdef bint reduced[FG_MAXDIMS]
    cdef int sides[2]
    cdef int i
    if x.size == 0 or not x.flags & FG_CONTIGUOUS or not reduced_axes(options["axis"], x.ndim, reduced):
        return False
    if not norm_axes(f, x, reduced):
        return False
    for i in range(2):
        sides[i] = side_of(f, x, args[1 + i], reduced)
        if sides[i] == APART or args[1 + i].data != NULL and not args[1 + i].flags & FG_CONTIGUOUS:
            return False
    if sides[0] != sides[1] and sides[0] != NEITHER and sides[1] != NEITHER:
        return False
    f.along = f.a == 1 and sides[0] != ACROSS and sides[1] != ACROSS
    if not f.along and (sides[0] == ALONG or sides[1] == ALONG):
        return False
    f.dtype, f.centred, f.eps = x.dtype, options["centred"], options["eps"]
    f.g = f.dx = f.dw = f.db = NULL
    return True


cdef bint norm_axes(fg_norm* f, fg_array* x, bint* reduced) noexcept:
    """Axes that are reduced, kept and reduced again, each of which may be none."""
    cdef intptr_t length
    cdef int i
    f.a = f.c = f.b = 1
    for i in range(x.ndim):
        length = fg_shape(x)[i]
        if length == 1:
            continue
        if reduced[i]:
            f.b *= length
        elif f.b == 1:
            f.c *= length
        elif f.a == 1 and f.c == 1:
            f.a, f.c, f.b = f.b, length, 1
        else:
            return False
    return True


cdef enum:
    NEITHER  # of a number
    ALONG    # a value for each element of a line
    ACROSS   # one for each line
    APART


cdef int side_of(fg_norm* f, fg_array* x, fg_array* w, bint* reduced) noexcept:
    """What weights are there for; a number, which has no axes, stands for none."""
    cdef int i, axis
    cdef bint along = w.size == f.b and f.a == 1, across = w.size == f.c
    if w.ndim == 0:
        return NEITHER
    if w.ndim > x.ndim:
        return APART
    for i in range(w.ndim):
        axis = x.ndim - w.ndim + i
        if fg_shape(w)[i] != (fg_shape(x)[axis] if reduced[axis] else 1):
            along = False
        if fg_shape(w)[i] != (1 if reduced[axis] else fg_shape(x)[axis]):
            across = False
    return ALONG if along else ACROSS if across else APART


cdef bint standardized_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """False where the general path must serve."""
    cdef fg_array* x = node.saved[0]
    cdef fg_array* w = node.saved[1]
    cdef fg_array* whole = NULL
    cdef fg_array* found[3]
    cdef fg_norm f
    cdef fg_status status
    cdef int i
    cdef bint mine = fg_array_unshared(g)
    if g.dtype != x.dtype or not describe_norm(&f, node.saved, <dict>node.options):
        return False
    found[0] = found[1] = found[2] = NULL
    try:
        whole = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
        if fg_run_needs(run, node.n.edges[0]):
            found[0] = fg_array_keep(whole) if mine or whole != g else new_like(x)
            f.dx = found[0].data
        if fg_run_needs(run, node.n.edges[1]) or fg_run_needs(run, node.n.edges[2]):
            for i in range(1, 3):  # both: they are made at once
                found[i] = new_array(1, &f.b if f.along else &f.c, f.dtype, x.itemsize)
            f.dw, f.db = found[1].data, found[2].data
        f.x, f.g, f.moments = x.data, whole.data, node.saved[3].data
        f.w = NULL if w.ndim == 0 else w.data
        if g.size >= RELEASE_GIL:
            with nogil:
                status = fg_norm_vjp(&f)
        else:
            status = fg_norm_vjp(&f)
        if status != FG_OK:
            raise MemoryError
        for i in range(3):
            if fg_run_needs(run, node.n.edges[i]):
                send_shaped(run, node, i, found[i])
        return True
    finally:
        fg_array_drop(whole)
        for i in range(3):
            fg_array_drop(found[i])


cdef int send_shaped(fg_run* run, Node node, int i, fg_array* r) except -1:
    """Send a cotangent in the shape of its operand."""
    cdef fg_array* like = node.saved[i]
    cdef fg_array* shaped
    if same_shape(like, r):
        return send(run, node.n.edges[i], fg_array_keep(r))
    shaped = fg_array_view(r, r.data, like.ndim, fg_shape(like), fg_strides(like))
    if shaped == NULL:
        raise MemoryError
    return send(run, node.n.edges[i], shaped)
