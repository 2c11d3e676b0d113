# NumPy's functions of one matrix after the other (ops/_stacks.py), shared out to the threads: csrc/batches.c.

def share_stacks(ufunc, tuple core, tuple arrays, intptr_t grain):
    """Run the loop of a generalized ufunc over the first axis of `arrays`, operands and then results, of one real type.

    `core`: the sizes its signature names. False where it was not done, or not all of it was valid.
    """
    cdef fg_batch b
    cdef ndarray a
    cdef int i, k, stride, code = code_of(<ndarray>arrays[0])
    cdef bint ok
    memset(&b, 0, sizeof(b))
    b.nargs = stride = len(arrays)
    if not direct or b.nargs > FG_BATCH_ARGS or find_loop(ufunc, code, &b.loop) != code:
        return False
    b.dims[0] = len(arrays[0])
    for i in range(len(core)):
        b.dims[i + 1] = core[i]
    for i in range(b.nargs):
        a = arrays[i]
        if not cnp.PyArray_ISBEHAVED_RO(a) or code_of(a) != code or cnp.PyArray_NDIM(a) > 3:
            return False
        b.data[i], b.strides[i] = <char*>cnp.PyArray_DATA(a), cnp.PyArray_STRIDES(a)[0]
        for k in range(1, cnp.PyArray_NDIM(a)):
            b.strides[stride] = cnp.PyArray_STRIDES(a)[k]
            stride += 1
    with nogil:
        ok = fg_batch_run(&b, grain)
    return ok


def solve_stack(ndarray a, ndarray b, ndarray x, bint scaled, double least):
    """x with ``a @ x == b`` for stacks of small real matrices of one type, `b` None for identities, `x` in C order.

    Of b without columns: the determinants. `scaled`: times det(a).

    Whether all of x is finite, and no pivot as small as `least` times another; None where it was not done.
    """
    cdef fg_systems s
    cdef ndarray right = a if b is None else b
    cdef intptr_t count = len(a)
    cdef bint ok
    cdef int i
    s.n, s.k, s.wide = a.shape[1], right.shape[2], cnp.PyArray_TYPE(a) == FG_FLOAT64
    s.scaled, s.least = scaled, least
    if not direct or max(s.n, s.k) > FG_SYSTEM or code_of(a) == FG_OTHER or code_of(right) == FG_OTHER:
        return None
    s.a, s.b, s.x = <char*>cnp.PyArray_DATA(a), NULL, <char*>cnp.PyArray_DATA(x)
    if b is not None:
        s.b = <char*>cnp.PyArray_DATA(b)
    for i in range(3):
        s.a_strides[i], s.b_strides[i] = cnp.PyArray_STRIDES(a)[i], cnp.PyArray_STRIDES(right)[i]
    with nogil:
        ok = fg_systems_solve(&s, count)
    return ok


def substitute(ndarray t, ndarray scale, ndarray x):
    """x = inverse(t) @ x, in place: stacks of lower triangles, reciprocals of their diagonals, right-hand sides with
    columns side by side, all of one dtype. Whether it was done."""
    cdef fg_triangles s
    cdef ndarray a
    cdef intptr_t count = len(x)
    cdef int i, kind = cnp.PyArray_TYPE(x)
    if not direct or cnp.PyArray_STRIDES(x)[2] != cnp.PyArray_ITEMSIZE(x):
        return False
    for a in (t, scale, x):
        if not cnp.PyArray_ISBEHAVED_RO(a):
            return False
    s.t, s.scale, s.x = <char*>cnp.PyArray_DATA(t), <char*>cnp.PyArray_DATA(scale), <char*>cnp.PyArray_DATA(x)
    s.n, s.k, s.wide, s.pairs = x.shape[1], x.shape[2], kind in (cnp.NPY_FLOAT64, cnp.NPY_COMPLEX128), is_complex(kind)
    for i in range(3):
        s.t_strides[i] = cnp.PyArray_STRIDES(t)[i]
    for i in range(2):
        s.scale_strides[i], s.x_strides[i] = cnp.PyArray_STRIDES(scale)[i], cnp.PyArray_STRIDES(x)[i]
    with nogil:
        fg_triangles_solve(&s, count)
    return True


_stacks.share, _stacks.solver, _triangles.substitute = share_stacks, solve_stack, substitute
