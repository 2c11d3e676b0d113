# The direct path of running sums, products, extrema and sums of exponentials: forward and vjp in one pass each.

cdef bint lines_of(fg_array* a, object axis, intptr_t* n, intptr_t* inner) noexcept:
    """The length of the lines along an axis (None: all is one line), and how far apart their elements are."""
    cdef int i, k
    n[0], inner[0] = a.size, 1
    if axis is None:
        return True
    k = axis_of(axis, a.ndim)
    if k < 0:
        return False
    n[0] = fg_shape(a)[k]
    for i in range(k + 1, a.ndim):
        inner[0] *= fg_shape(a)[i]
    return True


cdef object scan(Row row, Tensor x, dict options):
    """None where NumPy should run it."""
    cdef fg_array* a = fg_array_keep(x.a)
    cdef intptr_t n, inner
    cdef Tensor out
    cdef Node node
    try:
        if not is_real(a) or not a.flags & FG_CONTIGUOUS or a.size == 0 or a.ndim == 0:
            return None
        if options.get("dtype") is not None or not lines_of(a, options["axis"], &n, &inner):
            return None
        if CUMMAX <= row.code <= CUMMIN and not extrema_alike():
            return None
        out = new_tensor(new_like(a) if options["axis"] is not None else new_array(1, &a.size, a.dtype, a.itemsize))
        run_scan(row.code, False, a, out.a, n, inner)
        if fg_grad_enabled and wants_grad(x):
            node = new_node(row, 1, 1)
            node.options = options
            link_tensor(node, 0, x)
            if row.code != CUMSUM:
                save(node, 0, a)
                save(node, 1, out.a)
            else:
                node.saved[0] = like_of(a)
            came_from(out, node)
        return out
    finally:
        fg_array_drop(a)


cdef int extrema_known = -1  # whether `extrema_alike`; -1: not looked yet


cdef bint extrema_alike() except? True:
    """Whether NumPy takes the later one of two zeros too; which one differs between processors."""
    global extrema_known
    if extrema_known < 0:
        zeros = np.array([0.0, -0.0, 0.0])
        extrema_known = all([
            np.array_equal(np.signbit(running.accumulate(zeros.astype(dtype))), np.signbit(zeros))
            for running in (np.maximum, np.minimum) for dtype in (np.float32, np.float64)])
    return extrema_known


cdef int run_scan(int code, bint backwards, fg_array* source, fg_array* to, intptr_t n, intptr_t inner) except -1:
    cdef fg_loop join
    if code == LOGCUMSUMEXP:
        find_loop(np.logaddexp, source.dtype, &join)
    if source.size >= RELEASE_GIL:
        hold_pair(source, to)
        with nogil:
            scan_now(code, backwards, &join, source, to, n, inner)
        fg_array_drop(source)
        fg_array_drop(to)
    else:
        scan_now(code, backwards, &join, source, to, n, inner)
    return 0


cdef void scan_now(int code, bint backwards, fg_loop* join, fg_array* source, fg_array* to, intptr_t n,
                   intptr_t inner) noexcept nogil:
    if code == LOGCUMSUMEXP:
        fg_scan_by(join, source, to, n, inner)
    else:
        fg_scan(<fg_scan_kind>(FG_SUMS + code - CUMSUM), backwards, source, to, n, inner)


cdef int run_scan_vjp(int code, fg_array** arrays, intptr_t n, intptr_t inner) except -1:
    """`arrays`: the cotangent, what was scanned, what came of it, and the result."""
    cdef fg_loop* exp = &row_named("exp").loops[arrays[0].dtype]
    if arrays[0].size >= RELEASE_GIL:
        hold(4, arrays)
        with nogil:
            scan_vjp_now(code, exp, arrays, n, inner)
        let_go(4, arrays)
    else:
        scan_vjp_now(code, exp, arrays, n, inner)
    return 0


cdef void scan_vjp_now(int code, fg_loop* exp, fg_array** arrays, intptr_t n, intptr_t inner) noexcept nogil:
    cdef fg_scan_kind kind = <fg_scan_kind>(FG_SUMS + code - CUMSUM)
    if code == LOGCUMSUMEXP:
        fg_scan_logs_vjp(exp, arrays[0], arrays[1], arrays[2], arrays[3], n, inner)
    else:
        fg_scan_vjp(kind, arrays[0], arrays[1], arrays[2], arrays[3], n, inner)


cdef bint scan_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The cotangent summed backwards; False where NumPy should run the formula."""
    cdef dict options = node_options(node)
    cdef fg_array* like = node.saved[0] if node.saved[0] != NULL else g
    cdef fg_array* arrays[4]
    cdef fg_array* dense
    cdef fg_array* r = NULL
    cdef intptr_t n, inner
    if g.size == 0 or like.dtype != g.dtype or options.get("dtype") is not None or like.ndim == 0 \
            or not lines_of(like, options["axis"], &n, &inner):
        return False
    if node.row.code != CUMSUM and not (like.flags & node.saved[1].flags & FG_CONTIGUOUS and is_real(like)):
        return False
    dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    try:
        r = new_like(like)
        if node.row.code == CUMSUM:
            run_scan(CUMSUM, True, dense, r, n, inner)
        else:
            arrays[0], arrays[1], arrays[2], arrays[3] = dense, like, node.saved[1], r
            run_scan_vjp(node.row.code, arrays, n, inner)
        send(run, node.n.edges[0], fg_array_keep(r))
    finally:
        fg_array_drop(dense)
        fg_array_drop(r)
    return True
