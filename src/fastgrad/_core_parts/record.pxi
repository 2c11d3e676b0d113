# apply: run an operation forward, and record it where a gradient is wanted.

cdef inline bint is_tensor(object x) noexcept:
    return Py_TYPE(x) == <void*>Tensor  # Tensor has no subclasses


cdef inline Tensor new_tensor(fg_array* a_take):
    """A Tensor that requires no grad. Not tracked by the cycle collector: nothing in it can close a cycle yet."""
    cdef Tensor t
    if a_take == NULL:
        raise MemoryError
    try:
        t = blank_tensor()
    except MemoryError:
        fg_array_drop(a_take)
        raise
    t.a = a_take
    if FG_RARELY(fg_thread.inference) and a_take.refs == 1 and a_take.root == a_take:
        a_take.flags |= FG_UNTRACKED  # new memory
    return t


cdef inline int came_from(Tensor out, Node node) except -1:
    """`node` made `out`."""
    if FG_RARELY(fg_thread.special | anomaly):
        note_special(node)
    out.node = node
    if node.shown:
        track(out)
    return 0


cdef inline bint wants_grad(Tensor t):
    if t.view is not None and t.a.root.version != t.view.seen:
        refresh_view(t)
    return t.node is not None or t.requires


cdef inline int link_tensor(Node node, int i, Tensor t) except -1:
    """Edge `i` of `node` leads to where `t` came from."""
    if t.node is not None:
        link(node, i, &t.node.n, t.nr)
    elif t.requires:
        if t.sink == NULL:
            make_sink(t)
        link(node, i, &t.sink.n, 0)
        if t.extra is not None:
            show_node(node)  # a hook may hold what is recorded here
    return 0


cdef int make_sink(Tensor t) except -1:
    cdef fg_sink* sink = <fg_sink*>PyMem_Malloc(sizeof(fg_sink))
    if sink == NULL:
        raise MemoryError
    memset(sink, 0, sizeof(fg_sink))
    sink.n.seq = FG_SEQ_LEAF
    sink.n.nout = 1
    sink.tensor = <PyObject*>t
    t.sink = sink
    return 0


# ---------------------------------------------------------------- elementwise, direct

cdef inline intptr_t run_stride(fg_array* p) noexcept:
    """What NumPy passes for a contiguous operand: one element may have any stride, and some loops look at it."""
    return fg_strides(p)[0] if p.ndim == 1 else p.itemsize if p.ndim else 0


cdef inline fg_array* run1(Row row, fg_array* p) except NULL:
    """A unary loop over an aligned array of a type the row has a loop for."""
    cdef fg_array* r
    cdef fg_array* args[2]
    cdef char* data[2]
    cdef intptr_t strides[2]
    cdef int code = row.out_code[p.dtype]
    cdef uint32_t size = p.itemsize if code == p.dtype else code_size(code)
    args[0] = p
    if not p.flags & FG_CONTIGUOUS:
        args[1] = new_kept(1, args, p.ndim, fg_shape(p), code, size)
        run_loop(&row.loops[p.dtype], 2, args, p.size)
        return args[1]
    r = new_array(p.ndim, fg_shape(p), code, size)
    if p.size < RELEASE_GIL:
        data[0], data[1] = p.data, r.data
        strides[0], strides[1] = run_stride(p), size
        if p.size:
            row.loops[p.dtype].fn(data, &p.size, strides, row.loops[p.dtype].data)
        return r if not row.foreign or PyErr_Occurred() == NULL else undone(r)
    args[1] = r
    run_loop(&row.loops[p.dtype], 2, args, r.size)
    return r


cdef fg_array* undone(fg_array* r) except NULL:
    """What a loop that set an exception leads to (SciPy's do so where they are asked to)."""
    fg_array_drop(r)
    return NULL


cdef inline fg_array* run2(Row row, fg_array* p, fg_array* q) except NULL:
    """A binary loop over two aligned arrays of one type that the row has a loop for."""
    cdef fg_array* r
    cdef fg_array* big
    cdef fg_array* args[3]
    cdef char* data[3]
    cdef intptr_t strides[3]
    cdef int code = row.out_code[p.dtype]
    cdef uint32_t size = p.itemsize if code == p.dtype else code_size(code)
    if p.flags & q.flags & FG_CONTIGUOUS:
        big = NULL
        strides[0], strides[1] = run_stride(p), run_stride(q)
        if same_shape(p, q):
            big = p
        elif q.ndim == 0:
            big, strides[1] = p, 0
        elif p.ndim == 0:
            big, strides[0] = q, 0
        if big != NULL and big.size < RELEASE_GIL:
            r = new_array(big.ndim, fg_shape(big), code, size)
            data[0], data[1], data[2] = p.data, q.data, r.data
            strides[2] = size
            if big.size:
                row.loops[p.dtype].fn(data, &big.size, strides, row.loops[p.dtype].data)
            return r if not row.foreign or PyErr_Occurred() == NULL else undone(r)
    args[0], args[1] = p, q
    r = new_broadcast(row, 2, args, code, size)
    args[2] = r
    run_loop(&row.loops[p.dtype], 3, args, r.size)
    return r


cdef inline bint same_shape(fg_array* p, fg_array* q) noexcept:
    cdef int i
    if p.ndim != q.ndim:
        return False
    for i in range(p.ndim):
        if fg_shape(p)[i] != fg_shape(q)[i]:
            return False
    return True


cdef inline void hold(int n, fg_array** args) noexcept:
    """Keep arrays alive while other threads, which may drop theirs, run."""
    cdef int i
    for i in range(n):
        fg_array_keep(args[i])


cdef inline void let_go(int n, fg_array** args) noexcept:
    cdef int i
    for i in range(n):
        fg_array_drop(args[i])


cdef int run_loop(fg_loop* loop, int nargs, fg_array** args, intptr_t size) except -1:
    if size >= RELEASE_GIL:
        if loop.foreign:
            ask_foreign()
        hold(nargs, args)
        with nogil:
            fg_loop_run(loop, nargs, args)
        let_go(nargs, args)
    elif size:
        fg_loop_run(loop, nargs, args)
    return 0 if PyErr_Occurred() == NULL else -1


cdef fg_array* new_broadcast(Row row, int n, fg_array** args, int code, uint32_t size) except NULL:
    """Room for the result of an elementwise operation."""
    cdef int ndim
    cdef intptr_t shape[FG_MAXDIMS]
    if fg_broadcast(n, args, &ndim, shape) != FG_OK:
        raise _errors.not_broadcastable(row.name, [shape_of(args[i]) for i in range(n)])
    return new_kept(n, args, ndim, shape, code, size)


cdef fg_array* new_kept(int n, fg_array** args, int ndim, intptr_t* shape, int code, uint32_t size) except NULL:
    cdef fg_array* a = fg_array_new_kept(n, args, ndim, shape, code, size)
    if a == NULL:
        raise MemoryError
    return a


cdef uint32_t code_size(int code):
    if code == FG_BOOL:
        return 1
    return 4 if code == FG_FLOAT32 else 8 if code == FG_FLOAT64 or code == FG_COMPLEX64 else 16


cdef inline bint has_loop(Row row, fg_array* p) noexcept:
    return p.dtype < CODES and row.loops[p.dtype].fn != NULL and p.flags & FG_ALIGNED != 0 and direct


cdef object apply_unary(Row row, Tensor x):
    cdef fg_array* p = fg_array_keep(x.a)  # while the loop runs another thread may set x.data
    try:
        return apply_single(row, x, p)
    finally:
        fg_array_drop(p)


cdef object apply_single(Row row, Tensor x, fg_array* p):
    cdef Tensor out
    cdef Node node
    cdef Formula f
    if not has_loop(row, p):
        return apply_general(row, (x,), {})
    out = new_tensor(run1(row, p))
    if row.differentiable and fg_grad_enabled and wants_grad(x) and takes_grad(out.a):
        f = <Formula>row.formulas[1]
        if f is None:
            f = row.formula(1)
            if f is None:
                record(row, (x,), out, {}, True)
                return out
        node = new_node(row, 1, 1)
        node.direct = out.a.dtype == p.dtype
        node.vjp = &f.vjp
        link_tensor(node, 0, x)
        if f.reads or not node.direct:
            save(node, 0, p)
        if f.reads_out:
            save(node, 1, out.a)
        came_from(out, node)
    return out


cdef inline bint is_weak_real(object x) noexcept:
    return PyFloat_CheckExact(x) or PyLong_CheckExact(x)


cdef inline object apply_binary(Row row, object x, object y):
    """x and y: Tensors or Python scalars, at least one a Tensor."""
    cdef fg_array* p
    cdef fg_array* q
    if not is_tensor(x) or not is_tensor(y):
        return apply_weak(row, x, y)
    p, q = fg_array_keep((<Tensor>x).a), fg_array_keep((<Tensor>y).a)
    try:
        return apply_pair(row, x, y, p, q)
    finally:
        fg_array_drop(p)
        fg_array_drop(q)


cdef object apply_weak(Row row, object x, object y):
    """A Tensor and a Python scalar, which takes the Tensor's dtype (NEP 50)."""
    cdef Tensor t = <Tensor>x if is_tensor(x) else <Tensor>y
    cdef object scalar = y if t is x else x
    cdef fg_array* weak
    cdef fg_array* a
    if not is_real(t.a) or not is_weak_real(scalar):
        return apply_general(row, (x, y), {})
    try:
        weak = weak_scalar(scalar, t.a.dtype)
    except OverflowError:
        return apply_general(row, (x, y), {})
    a = fg_array_keep(t.a)
    try:
        return apply_pair(row, x, y, a, weak) if t is x else apply_pair(row, x, y, weak, a)
    finally:
        fg_array_drop(a)
        fg_array_drop(weak)


cdef object apply_pair(Row row, object x, object y, fg_array* p, fg_array* q):
    """`p` and `q` are the arrays of x and y (borrowed)."""
    cdef Tensor out
    cdef Node node
    cdef Formula f
    cdef unsigned int mask = 0
    if p.dtype != q.dtype or not has_loop(row, p) or not q.flags & FG_ALIGNED:
        return apply_general(row, (x, y), {})
    out = new_tensor(run2(row, p, q))
    if not fg_grad_enabled or not row.differentiable:
        return out
    if not p.flags & FG_WEAK and wants_grad(<Tensor>x):
        mask = 1
    if not q.flags & FG_WEAK and wants_grad(<Tensor>y):
        mask |= 2
    if mask == 0 or not takes_grad(out.a):
        return out
    f = <Formula>row.formulas[mask]
    if f is None:
        f = row.formula(mask)
        if f is None:
            record(row, (x, y), out, {}, True)
            return out
    node = new_node(row, 2, 1)
    node.direct = out.a.dtype == p.dtype
    node.vjp = &f.vjp
    keep_operand(node, 0, p, out.a, f.reads & 1, mask & 1)
    keep_operand(node, 1, q, out.a, f.reads & 2, mask & 2)
    if mask & 1:
        link_tensor(node, 0, <Tensor>x)
    if mask & 2:
        link_tensor(node, 1, <Tensor>y)
    if f.reads_out:
        save(node, 2, out.a)
    came_from(out, node)
    return out


cdef inline int keep_operand(Node node, int i, fg_array* p, fg_array* out, bint read, bint wanted) except -1:
    """Save operand `i` where the vjp reads it, its shape where that differs from the result's."""
    if read:
        save(node, i, p)
    elif wanted and not (p.dtype == out.dtype and same_shape(p, out)):
        node.saved[i] = like_of(p)
    elif not wanted and p.flags & FG_WEAK and not node.direct:
        save(node, i, p)
    return 0


# ---------------------------------------------------------------- any operation

cdef object apply(Row row, tuple operands, dict options):
    """Operands are Tensors or exact Python scalars, at least one a Tensor; options are complete."""
    cdef Row variant
    if not row.variadic and len(operands) != row.nin:
        raise _errors.operand_count(row.name, row.nin, len(operands))
    if row.elementwise and not options:
        if row.nin == 2:
            return apply_binary(row, operands[0], operands[1])
        if row.nin == 1:
            return apply_unary(row, <Tensor>operands[0])
        if direct and row.nin == 3:
            out = apply_direct(row, operands)
            if out is not None:
                return out
    elif row.derived:
        variant = row.variant(options)
        if variant is not None and variant.fused and direct:
            out = apply_fused_one(variant, <Tensor>operands[0]) if row.nin == 1 else apply_fused(variant, operands)
            if out is not None:
                return out
        return row.fn(*operands, **options)
    elif row.rowwise and direct:
        out = apply_rows(row, operands, options)
        if out is not None:
            return out
    elif row.code != PLAIN and direct:
        out = apply_special(row, operands, options)
        if out is not None:
            return out
    return apply_general(row, operands, options)


cdef object apply_direct(Row row, tuple operands):
    """An elementwise loop of three operands; None where an operand does not suit it."""
    cdef fg_array* args[4]
    cdef int i, n = 0, code = -1
    cdef Tensor out
    cdef str takes = row.op.types
    for x in operands:
        if is_tensor(x) and (<Tensor>x).a.dtype != FG_BOOL:
            code = (<Tensor>x).a.dtype
    if code != FG_FLOAT32 and code != FG_FLOAT64 or row.loops[code].fn == NULL:
        return None
    try:
        for i in range(3):
            args[i] = direct_operand(operands[i], FG_BOOL if takes[i] == "?" else code)
            if args[i] == NULL:
                return None
            n += 1
        args[3] = new_broadcast(row, 3, args, row.out_code[code], code_size(row.out_code[code]))
        out = new_tensor(args[3])
        run_loop(&row.loops[code], 4, args, out.a.size)
        record_arrays(row, operands, args, out, {}, True)
        return out
    finally:
        for i in range(n):
            fg_array_drop(args[i])


cdef fg_array* direct_operand(object x, int code) except? NULL:
    cdef fg_array* p
    if is_tensor(x):
        p = (<Tensor>x).a
        if p.dtype != code or not p.flags & FG_ALIGNED:
            return NULL
        return fg_array_keep(p)
    if code == FG_BOOL or not is_weak_real(x):
        return NULL
    try:
        return weak_scalar(x, code)
    except OverflowError:
        return NULL


cdef int run_program(Formula f, fg_program* p, fg_array** inputs, fg_array** outputs, intptr_t size) except -1:
    if size >= RELEASE_GIL:
        if p.foreign:
            ask_foreign()
        hold(f.ninputs, inputs)
        with nogil:
            fg_program_run(p, inputs, outputs)
        let_go(f.ninputs, inputs)
    elif size:
        fg_program_run(p, inputs, outputs)
    return 0 if PyErr_Occurred() == NULL else -1


cdef object apply_general(Row row, tuple operands, dict options):
    """The operation on ndarrays, by the row's own NumPy function."""
    cdef list values = []
    cdef bint large = False
    for x in operands:
        if is_tensor(x):
            values.append(to_nd((<Tensor>x).a))
            large = large or is_large((<Tensor>x).a)
        else:
            values.append(x)
    with quiet(large):
        try:
            result = row.fn(*values, **options)
        except ValueError as error:
            if row.elementwise and not broadcastable(values):
                raise _errors.not_broadcastable(row.name, [np.shape(v) for v in values]) from None
            raise
    if row.multi:
        return record_multi(row, operands, result, options)
    out = result_tensor(row, operands, result)
    record(row, operands, out, options, False)
    return out


cdef bint broadcastable(list values):
    try:
        np.broadcast_shapes(*[np.shape(v) for v in values])
    except ValueError:
        return False
    return True


cdef Tensor result_tensor(Row row, tuple operands, object result):
    """Wrap what a row's function gave. The result of a view row that shares memory shares the version counter too."""
    cdef ndarray nd
    if isinstance(result, (tuple, list)):
        raise _errors.several_results(row.name)
    nd = np.asarray(result)
    if not is_number(cnp.PyArray_TYPE(nd)):
        raise _errors.not_numeric(row.name, nd.dtype)
    if row.view and shares(nd, (<Tensor>operands[0]).a):
        return new_tensor(wrap_nd(nd, (<Tensor>operands[0]).a))
    if not row.view:
        for x in operands:
            if is_tensor(x) and ((<Tensor>x).a.owner == <void*>nd or
                                 cnp.PyArray_BASE(nd) != NULL and shares(nd, (<Tensor>x).a)):
                nd = nd.copy()  # a function that gave its operand back: results that are no views never alias
    return new_tensor(wrap_nd(nd))


cdef bint shares(ndarray nd, fg_array* a) noexcept:
    """Whether the two may overlap, by where they begin and end; never, where there are no elements."""
    cdef char* low
    cdef char* high
    cdef char* other_low
    cdef char* other_high
    if cnp.PyArray_SIZE(nd) == 0 or a.size == 0:
        return False
    bounds(cnp.PyArray_BYTES(nd), cnp.PyArray_NDIM(nd), <intptr_t*>cnp.PyArray_DIMS(nd),
           <intptr_t*>cnp.PyArray_STRIDES(nd), cnp.PyArray_ITEMSIZE(nd), &low, &high)
    bounds(a.data, a.ndim, fg_shape(a), fg_strides(a), a.itemsize, &other_low, &other_high)
    return low < other_high and other_low < high


cdef void bounds(char* data, int ndim, intptr_t* shape, intptr_t* strides, intptr_t itemsize, char** low,
                 char** high) noexcept:
    cdef int i
    low[0], high[0] = data, data + itemsize
    for i in range(ndim):
        if strides[i] < 0:
            low[0] += (shape[i] - 1) * strides[i]
        else:
            high[0] += (shape[i] - 1) * strides[i]


cdef int record(Row row, tuple operands, Tensor out, dict options, bint is_direct) except -1:
    """Give `out` a node if any operand wants a gradient."""
    return record_arrays(row, operands, NULL, out, options, is_direct)


cdef int record_arrays(Row row, tuple operands, fg_array** arrays, Tensor out, dict options, bint is_direct) except -1:
    """`record`, where `arrays` are what the operands were when they were read."""
    cdef unsigned int mask
    if row.view and out.a.root == (<Tensor>operands[0]).a.root:
        note_view(out, <Tensor>operands[0], row, options)
    if not fg_grad_enabled or not row.differentiable or not takes_grad(out.a):
        return 0
    mask = wanted_mask(operands)
    if mask:
        came_from(out, make_node(row, operands, arrays, mask, out.a, options, is_direct, 1))
    return 0


cdef unsigned int wanted_mask(tuple operands) except? 0xFFFFFFFF:
    """Bit i: operand i wants a gradient (operands past the 31st all count as the 31st)."""
    cdef unsigned int mask = 0
    cdef int i = 0
    for x in operands:
        if is_tensor(x) and wants_grad(<Tensor>x) :
            mask |= 1u << (i if i < 31 else 31)
        i += 1
    return mask


cdef Node make_node(Row row, tuple operands, fg_array** arrays, unsigned int mask, fg_array* out, dict options,
                    bint is_direct, int nout):
    cdef int i, nin = len(operands)
    cdef Node node = new_node(row, nin, nout)
    cdef Formula f = None
    cdef unsigned int reads = row.saves
    cdef bint reads_out = row.saves_out, read
    cdef fg_array* p
    node.options = options if options else None
    if row.elementwise or row.fused:
        f = row.formula(mask)
        if f is not None:
            reads, reads_out = f.reads, f.reads_out
        else:
            reads, reads_out = 0xFFFFFFFF, True
    node.direct = is_direct and f is not None
    if f is not None:
        node.vjp = &f.vjp
    for i in range(nin):
        x = operands[i]
        read = reads >> (i if i < 31 else 31) & 1
        if is_tensor(x):
            p = (<Tensor>x).a if arrays == NULL else arrays[i]
            if read:
                save(node, i, p)
            elif out == NULL or not (p.dtype == out.dtype and p.dtype != FG_OTHER and same_shape(p, out)):
                node.saved[i] = described(p)
            link_tensor(node, i, <Tensor>x)
        else:
            p = scalar_array(x, out.dtype if node.direct else -1)
            if f is None or read:
                save(node, i, p)
            else:
                node.saved[i] = like_of(p)
            fg_array_drop(p)
    if reads_out and out != NULL:
        save(node, nin, out)
    return node


cdef fg_array* described(fg_array* p) except NULL:
    """A Like of `p`; of a dtype the core has no number for, as an array without elements."""
    cdef fg_array* like = like_of(p)
    if p.dtype == FG_OTHER:
        like.dtype = code_of(np.empty(0, (<ndarray>p.owner).dtype.newbyteorder("=")))
    return like


cdef fg_array* scalar_array(object x, int code) except NULL:
    """A Python scalar operand, kept as it is."""
    cdef fg_array* p
    if (code == FG_FLOAT32 or code == FG_FLOAT64) and is_weak_real(x):
        return weak_scalar(x, code)
    p = wrap_nd(np.asarray(x))
    p.flags |= FG_WEAK
    return p


cdef object record_multi(Row row, tuple operands, object results, dict options):
    """Tensors for the results of a multi-output row: one node, whose output numbers they carry."""
    cdef Tensor base = <Tensor>operands[0]
    cdef Tensor out
    cdef Node node = None
    cdef unsigned int mask = 0
    cdef list outs = []
    for result in results:  # not a list comprehension: Cython drops an item twice where one cannot grow
        outs.append(result_tensor(row, operands, result))
    if fg_grad_enabled and row.differentiable:
        mask = wanted_mask(operands)
    if mask and len(outs):
        node = make_node(row, operands, NULL, mask, NULL, options, False, len(outs))
        extra_of(node).outs = [(shape_of((<Tensor>t).a), descr_of((<Tensor>t).a)) for t in outs]
    for i, out in enumerate(outs):
        if row.view and out.a.root == base.a.root:
            note_view(out, base, row, options)
            out.view.number = i
        if node is not None and takes_grad(out.a):
            came_from(out, node)
            out.nr = i
    if node is not None and row.saves_out:
        results = []
        for i, out in enumerate(outs):
            results.append(Saved(out, node, i))
        node.extra.results = results
    return tuple(outs)


# ---------------------------------------------------------------- operands of a public call

cdef Tensor to_tensor(object x, where):
    """An operand as a Tensor: shares memory with an ndarray."""
    if is_tensor(x):
        return <Tensor>x
    return new_tensor(wrap_nd(as_nd(x, where)))


cdef inline bint is_scalar(object x) noexcept:
    return is_weak_real(x) or type(x) is bool or type(x) is complex


cdef tuple to_operands(Row row, tuple operands):
    """Tensors and exact Python scalars, at least one of them a Tensor where that can be."""
    cdef bint any_tensor = False, plain = True
    for x in operands:
        if is_tensor(x):
            any_tensor = True
        else:
            plain = False
    if plain and any_tensor:
        return operands
    if not operands:
        raise _errors.no_operands(row.name)
    out = []
    for x in operands:
        if is_tensor(x) or is_scalar(x) and (row.elementwise or row.derived or
                                             row.code in (PLAIN, STANDARDIZE) and not row.view):
            out.append(x)
        else:
            out.append(to_tensor(x, row.name))
            any_tensor = True
    if not any_tensor:  # a scalar is weak beside an array alone
        out = [to_tensor(x, row.name) for x in out]
    return tuple(out)
