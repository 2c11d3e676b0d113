# The direct path of matmul and of linear layers: NumPy's loop, which leads to its BLAS, on the operands as they lie.

cdef fg_array* matmul_of(fg_array* p, fg_array* q) except? NULL:
    """p @ q, as NumPy hands it to its loop; NULL where that cannot be had.

    A vector is a matrix of one row (left) or one column (right); beside a batch of matrices it is left to NumPy.
    """
    cdef fg_array* r
    cdef intptr_t shape[FG_MAXDIMS]
    cdef int i, batch = max(p.ndim, q.ndim) - 2, ndim = max(batch, 0)
    if p.ndim == 0 or q.ndim == 0 or batch > 0 and min(p.ndim, q.ndim) == 1 or not multiplies(p, q):
        return NULL
    if p.size == 0 or q.size == 0 or fg_shape(p)[p.ndim - 1] != fg_shape(q)[max(q.ndim - 2, 0)]:
        return NULL
    for i in range(batch):
        shape[i] = size_at(p, i - batch)
        if shape[i] != size_at(q, i - batch):
            if shape[i] != 1 and size_at(q, i - batch) != 1:
                return NULL
            shape[i] *= size_at(q, i - batch)
    if p.ndim > 1:
        shape[ndim] = fg_shape(p)[p.ndim - 2]
        ndim += 1
    if q.ndim > 1:
        shape[ndim] = fg_shape(q)[q.ndim - 1]
        ndim += 1
    r = new_array(ndim, shape, p.dtype, p.itemsize)
    multiply_into(p, q, r)
    return r


cdef inline bint multiplies(fg_array* p, fg_array* q):
    return p.dtype == q.dtype and is_real(p) and is_real(q) and MAT_loop(p.dtype).fn != NULL


cdef inline intptr_t size_at(fg_array* a, int i) noexcept nogil:
    """The size along axis `i` of the batch, counted from its end; 1 where there is none."""
    return fg_shape(a)[a.ndim - 2 + i] if a.ndim - 2 + i >= 0 else 1


cdef inline intptr_t stride_at(fg_array* a, int i) noexcept nogil:
    return fg_strides(a)[a.ndim - 2 + i] if size_at(a, i) > 1 else 0


cdef int multiply_into(fg_array* p, fg_array* q, fg_array* r) except -1:
    """p @ q into r, whose shape is right; nothing is empty."""
    if r.size * fg_shape(p)[p.ndim - 1] < RELEASE_GIL:
        multiply_batches(p, q, r)
        return 0
    hold_pair(p, q)
    with nogil:
        multiply_batches(p, q, r)
    fg_array_drop(p)
    fg_array_drop(q)
    return 0


cdef inline void hold_pair(fg_array* p, fg_array* q) noexcept:
    fg_array_keep(p)
    fg_array_keep(q)


cdef void multiply_batches(fg_array* p, fg_array* q, fg_array* r) noexcept nogil:
    """One call for each run of matrices along the last axis of the batch, as NumPy makes them; long runs are shared."""
    cdef fg_array* args[3]
    cdef char* at[3]
    cdef fg_batch b
    cdef intptr_t index[FG_MAXDIMS]
    cdef int i, k, batch = max(p.ndim, q.ndim) - 2
    args[0], args[1], args[2] = p, q, r
    memset(&b, 0, sizeof(b))
    b.loop, b.nargs = MAT_loop(p.dtype)[0], 3
    b.dims[0] = size_at(r, -1) if batch > 0 else 1
    b.dims[1], b.dims[2], b.dims[3] = 1, fg_shape(p)[p.ndim - 1], 1
    b.strides[4], b.strides[5] = fg_strides(p)[p.ndim - 1], fg_strides(q)[max(q.ndim - 2, 0)]
    if p.ndim > 1:
        b.dims[1], b.strides[3] = fg_shape(p)[p.ndim - 2], fg_strides(p)[p.ndim - 2]
        b.strides[7] = fg_strides(r)[max(batch, 0)]
    if q.ndim > 1:
        b.dims[3], b.strides[6] = fg_shape(q)[q.ndim - 1], fg_strides(q)[q.ndim - 1]
        b.strides[8] = fg_strides(r)[r.ndim - 1]
    for k in range(3):
        at[k] = args[k].data
        if batch > 0:
            b.strides[k] = stride_at(args[k], -1)
    memset(index, 0, sizeof(index))
    while True:
        b.data[0], b.data[1], b.data[2] = at[0], at[1], at[2]
        multiply_run(&b)
        i = 2
        while i <= batch:
            index[i] += 1
            for k in range(3):
                at[k] += stride_at(args[k], -i)
            if index[i] < size_at(r, -i):
                break
            for k in range(3):
                at[k] -= index[i] * stride_at(args[k], -i)
            index[i] = 0
            i += 1
        if i > batch:
            return


cdef enum:
    ONE_THREAD = 262144   # products of numbers up to which a BLAS library multiplies matrices on one thread;
    LOCKED = 8192         # below, its calls on two threads get in each other's way: each takes a lock


cdef inline void multiply_run(fg_batch* b) noexcept nogil:
    cdef intptr_t each = b.dims[1] * b.dims[2] * b.dims[3]
    if b.dims[0] > 1 and LOCKED <= each <= ONE_THREAD:
        fg_batch_run(b, 1 + ONE_THREAD // each)
    else:
        b.loop.fn(b.data, b.dims, b.strides, b.loop.data)


cdef fg_array* outer_of(fg_array* column, fg_array* row) except NULL:
    """The products of each element of one vector (or a number) with each of another."""
    cdef fg_array* tall = with_last_axis(column)
    try:
        return run2(MULTIPLY, tall, row)
    finally:
        fg_array_drop(tall)


cdef fg_array* with_last_axis(fg_array* a) except NULL:
    """`a` with one more axis, of length 1, at the end."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef int i
    cdef fg_array* r
    for i in range(a.ndim):
        shape[i], strides[i] = fg_shape(a)[i], fg_strides(a)[i]
    shape[a.ndim], strides[a.ndim] = 1, a.itemsize
    r = fg_array_view(a, a.data, a.ndim + 1, shape, strides)
    if r == NULL:
        raise MemoryError
    return r


cdef fg_loop mat_loops[2]

cdef inline fg_loop* MAT_loop(int code) noexcept nogil:
    return &mat_loops[code - FG_FLOAT32]


cdef void _fill_matmul():
    """np.matmul is a gufunc: its table of loops reads like any other's, its loops take core dimensions."""
    cdef int code
    cdef fg_loop loop
    for code in (FG_FLOAT32, FG_FLOAT64):
        memset(&loop, 0, sizeof(loop))
        if find_loop(np.matmul, code, &loop) == code:
            MAT.loops[code] = mat_loops[code - FG_FLOAT32] = loop

_fill_matmul()


cdef fg_array* swapped_axes(fg_array* a) except NULL:
    """The last two axes of a, or of what stands for matrices, exchanged."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef int i, n = a.ndim
    cdef fg_array* r
    for i in range(n):
        shape[i], strides[i] = fg_shape(a)[i], fg_strides(a)[i]
    shape[n - 2], shape[n - 1] = shape[n - 1], shape[n - 2]
    strides[n - 2], strides[n - 1] = strides[n - 1], strides[n - 2]
    r = fg_array_view(a, a.data, n, shape, strides)
    if r == NULL:
        raise MemoryError
    return r


cdef fg_array* as_rows(fg_array* a) except NULL:
    """The vectors along the last axis as the rows of one matrix: a itself, or contiguous in another shape."""
    cdef intptr_t shape[2]
    cdef intptr_t strides[2]
    cdef fg_array* r
    if a.ndim == 2:
        return fg_array_keep(a)
    shape[1] = fg_shape(a)[a.ndim - 1]
    shape[0], strides[0], strides[1] = a.size // shape[1], shape[1] * a.itemsize, a.itemsize
    r = fg_array_view(a, a.data, 2, shape, strides)
    if r == NULL:
        raise MemoryError
    return r


cdef inline bint has_rows(fg_array* a) noexcept:
    return a.ndim == 2 or a.ndim > 0 and a.flags & FG_CONTIGUOUS != 0 and a.size > 0


cdef fg_array* tiled_product(fg_array* p, fg_array* q, fg_array* r_take) except NULL:
    """p @ q of matrices into the rows of `r`, which is given back."""
    cdef fg_array* rows
    try:
        rows = as_rows(r_take)
        multiply_tiles(p, q, rows)
        fg_array_drop(rows)
    except BaseException:
        fg_array_drop(r_take)
        raise
    return r_take


# ---------------------------------------------------------------- forward

cdef object matmul(Row row, Tensor x, Tensor y):
    cdef fg_array* p = fg_array_keep(x.a)
    cdef fg_array* q = fg_array_keep(y.a)
    cdef fg_array* r
    try:
        r = matmul_of(p, q) if direct else NULL
        return None if r == NULL else product_node(row, (x, y), p, q, new_tensor(r))
    finally:
        fg_array_drop(p)
        fg_array_drop(q)


cdef Tensor product_node(Row row, tuple operands, fg_array* p, fg_array* q, Tensor out):
    """`out` as the result of operands of which the first two, `p` and `q`, were multiplied."""
    cdef Node node
    cdef Tensor t
    cdef int i = 0
    cdef unsigned int mask = 0
    if not fg_grad_enabled:
        return out
    for x in operands:
        if wants_grad(<Tensor>x):
            mask |= 1u << i
        i += 1
    if mask == 0:
        return out
    node = new_node(row, i, 1)
    node.direct = True
    if mask & 2:
        save(node, 0, p)
    else:
        node.saved[0] = like_of(p)
    if mask & 1:
        save(node, 1, q)
    else:
        node.saved[1] = like_of(q)
    i = 0
    for x in operands:
        t = <Tensor>x
        if i == 2:
            node.saved[2] = like_of(t.a)
        link_tensor(node, i, t)
        i += 1
    came_from(out, node)
    return out


cdef object linear(Row row, tuple operands):
    """x @ w.T, plus b where there is one."""
    cdef Tensor x = <Tensor>operands[0]
    cdef fg_array* p = fg_array_keep(x.a)
    cdef fg_array* q = fg_array_keep((<Tensor>operands[1]).a)
    cdef fg_array* b = fg_array_keep((<Tensor>operands[2]).a) if len(operands) == 3 else NULL
    cdef fg_array* r
    try:
        if q.ndim != 2 or not has_rows(p) or not multiplies(p, q) or p.size == 0 or q.size == 0:
            return None
        if fg_shape(p)[p.ndim - 1] != fg_shape(q)[1]:
            return None
        if b != NULL and not (b.dtype == p.dtype and is_real(b) and b.ndim == 1 and fg_shape(b)[0] == fg_shape(q)[0]):
            return None
        r = linear_of(p, q, b)
        return product_node(row, operands, p, q, new_tensor(r))
    finally:
        fg_array_drop(p)
        fg_array_drop(q)
        fg_array_drop(b)


cdef fg_array* linear_of(fg_array* p, fg_array* q, fg_array* b) except NULL:
    cdef intptr_t shape[FG_MAXDIMS]
    cdef fg_array* args[3]
    cdef fg_array* rows = as_rows(p)
    cdef fg_array* turned = NULL
    cdef fg_array* flat = NULL
    cdef fg_array* r = NULL
    try:
        memcpy(shape, fg_shape(p), p.ndim * sizeof(intptr_t))
        shape[p.ndim - 1] = fg_shape(q)[0]
        r = new_array(p.ndim, shape, p.dtype, p.itemsize)
        flat, turned = as_rows(r), swapped_axes(q)
        multiply_tiles(rows, turned, flat)
        if b != NULL:
            args[0], args[1], args[2] = flat, b, flat
            run_loop(&ADD.loops[r.dtype], 3, args, r.size)
        return fg_array_keep(r)
    finally:
        fg_array_drop(rows)
        fg_array_drop(turned)
        fg_array_drop(flat)
        fg_array_drop(r)


cdef object tiles_of = None


cdef int multiply_tiles(fg_array* p, fg_array* q, fg_array* r) except -1:
    """p @ q of matrices into r, in tiles: ops/_tiles.py."""
    global tiles_of
    cdef fg_tiles t
    cdef intptr_t m = fg_shape(p)[0], k = fg_shape(p)[1], n = fg_shape(q)[1]
    if m * k * n <= ONE_THREAD:
        return multiply_into(p, q, r)
    if tiles_of is None:
        from .ops._tiles import tiles as tiles_of
    t.tall, t.deep, t.wide = tiles_of(m, k, n)
    if t.tall == m and t.wide == n and t.deep == k:
        return multiply_into(p, q, r)
    t.matmul, t.m, t.k, t.n, t.itemsize = MAT_loop(p.dtype)[0], m, k, n, p.itemsize
    t.a, t.b, t.r = matrix_of(p), matrix_of(q), matrix_of(r)
    hold_pair(p, q)
    with nogil:
        fg_multiply(&t)
    fg_array_drop(p)
    fg_array_drop(q)
    return 0


cdef inline fg_matrix matrix_of(fg_array* a) noexcept:
    cdef fg_matrix m
    m.at, m.row, m.column = a.data, fg_strides(a)[0], fg_strides(a)[1]
    return m


# ---------------------------------------------------------------- backward

cdef int product_vjp(fg_run* run, Node node, fg_array* g) except -1:
    """The cotangents of the row's formulas, by the same loops as forward."""
    cdef fg_array* dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    cdef fg_array* r
    cdef uint32_t i
    try:
        for i in range(node.n.nin):
            if fg_run_needs(run, node.n.edges[i]):
                if node.row.code == LINEAR:
                    r = linear_cotangent(node, dense, i)
                else:
                    r = matmul_cotangent(node, dense, i)
                if r == NULL:
                    raise MemoryError
                send_fitted(run, node, i, r)
    finally:
        fg_array_drop(dense)
    return 0


cdef fg_array* matmul_cotangent(Node node, fg_array* g, int i) except? NULL:
    """Of x (i = 0): g @ y.T, y @ g, or g and y multiplied; of y: x.T @ g, or x and g multiplied."""
    cdef fg_array* other = node.saved[1 - i]  # node.saved[i] is a Like where only the one operand was wanted
    cdef fg_array* turned
    cdef int own = node.saved[i].ndim
    if own == 1 and other.ndim == 1:
        return outer_of(g, other) if i == 0 else run2(MULTIPLY, g, other)
    if other.ndim == 1:
        return outer_of(g, other) if i == 0 else outer_of(other, g)
    if own == 1 and i == 0:
        return matmul_of(other, g)
    if own == 2 and i == 1 and other.ndim > 2:
        return rows_cotangent(g, other, False)
    turned = swapped_axes(other)
    try:
        return matmul_of(g, turned) if i == 0 else matmul_of(turned, g)
    finally:
        fg_array_drop(turned)


cdef fg_array* rows_cotangent(fg_array* g, fg_array* x, bint turned) except? NULL:
    """Of the matrix that all rows of x were multiplied with: rows(x).T @ rows(g), or the transpose of that."""
    cdef fg_array* dense = fg_array_keep(x) if has_rows(x) else copy_of(x)
    cdef fg_array* left = NULL
    cdef fg_array* right = NULL
    cdef fg_array* tall = NULL
    cdef intptr_t shape[2]
    try:
        left, right = as_rows(g if turned else dense), as_rows(dense if turned else g)
        tall = swapped_axes(left)
        if not turned:
            return matmul_of(tall, right)
        shape[0], shape[1] = fg_shape(tall)[0], fg_shape(right)[1]
        return tiled_product(tall, right, new_array(2, shape, g.dtype, g.itemsize))
    finally:
        fg_array_drop(dense)
        fg_array_drop(left)
        fg_array_drop(right)
        fg_array_drop(tall)


cdef fg_array* linear_cotangent(Node node, fg_array* g, int i) except? NULL:
    """Of x: g @ w; of w: rows(g).T @ rows(x); of b: the sum of the rows of g."""
    cdef fg_array* rows
    cdef bint first[2]
    if i == 1:
        return rows_cotangent(g, node.saved[0], True)
    rows = as_rows(g)
    try:
        if i == 0:
            return tiled_product(rows, node.saved[1], new_like_as(node.saved[0], g))
        first[0], first[1] = True, False
        return sum_over(rows, first, False, &ADD.loops[g.dtype])
    finally:
        fg_array_drop(rows)


cdef fg_array* new_like_as(fg_array* like, fg_array* g) except NULL:
    return new_array(like.ndim, fg_shape(like), g.dtype, g.itemsize)
