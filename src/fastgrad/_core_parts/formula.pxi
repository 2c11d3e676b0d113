# The general path of a vjp: the row's own formulas, on ndarrays, or on Tensors so that they are recorded in turn.

cdef list interpret(object program, dict values):
    """Run a traced program step by step on ndarrays or Tensors."""
    cdef list registers = [values[name] for name in program.inputs]
    registers += program.consts
    registers += [None] * (len(program.kinds) - len(registers))
    for op, sources, register in program.steps:
        registers[register] = op(*map(registers.__getitem__, sources))
    return [registers[i] for i in program.outputs]


cdef list wanted_list(fg_run* run, Node node):
    cdef uint32_t i
    return [bool(fg_run_needs(run, node.n.edges[i])) for i in range(node.n.nin)]


cdef list run_formulas(Node node, object g, object out, list operands, list wanted):
    """A cotangent, or None, for each operand."""
    cdef Row row = node.row
    cdef unsigned int mask = 0
    cdef Formula f
    cdef int i
    if not (row.derived or row.elementwise and len(operands) <= 3):
        return checked_results(node, row.op.vjps(g, out, tuple(operands), node_options(node), wanted), wanted)
    for i in range(len(wanted)):
        if wanted[i]:
            mask |= 1u << i
    f = row.formula(mask)
    if f is None:
        return checked_results(node, row.op.vjps(g, out, tuple(operands), node_options(node), wanted), wanted)
    values = dict(zip(row.op.operands, operands))
    values["g"], values["out"] = g, out
    results = iter(interpret(f.program, values))
    return [next(results) if want else None for want in wanted]


cdef list checked_results(Node node, object results, list wanted):
    """One cotangent for each operand, and each of them one array."""
    results = list(results)
    if len(results) != len(wanted):
        raise _errors.vjp_count(node.name(), len(wanted), len(results))
    for result in results:
        if isinstance(result, (tuple, list)):
            raise _errors.vjp_count(node.name(), 1, len(result))
    return results


cdef object like_value(fg_array* a):
    return Like(shape_of(a), descr_of(a))


# ---------------------------------------------------------------- on ndarrays

cdef int formula_arrays(fg_run* run, Node node, fg_array** grads) except -1:
    cdef Row row = node.row
    cdef uint32_t i, nin = node.n.nin
    cdef fg_array* a
    cdef fg_array* like
    cdef fg_array* shape_source = grads[0]
    cdef list operands = []
    cdef bint conjugate
    if row.multi:
        g = tuple([to_nd(grads[i]) if grads[i] != NULL else np.zeros(*node.extra.outs[i])
                   for i in range(node.n.nout)])
        out = tuple([Like(*spec) for spec in node.extra.outs])
        conjugate = row.holomorphic and any(np.iscomplexobj(part) for part in g)
    else:
        g = to_nd(grads[0])
        a = node.saved[nin]
        out = to_nd(a) if a != NULL else Like(np.shape(g), g.dtype)
        conjugate = row.holomorphic and np.iscomplexobj(g)
    for i in range(nin):
        a = node.saved[i]
        if a == NULL:
            operands.append(like_value(shape_source))
        elif a.data == NULL and a.owner == NULL:
            operands.append(like_value(a))
        else:
            operands.append(value_of(a))
    wanted = wanted_list(run, node)
    with quiet():
        if conjugate:
            g = tuple([np.conj(part) for part in g]) if row.multi else np.asarray(np.conj(g))
        results = run_formulas(node, g, out, operands, wanted)
        for i in range(nin):
            if not wanted[i]:
                continue
            if results[i] is None:
                send(run, node.n.edges[i], NULL)
                continue
            like = node.saved[i] if node.saved[i] != NULL else shape_source
            result = np.conj(results[i]) if conjugate else results[i]
            check_fits(node, i, np.shape(result), shape_of(like))
            send(run, node.n.edges[i], wrap_nd(fit(result, shape_of(like), descr_of(like))))
    return 0


cdef int check_fits(Node node, int i, tuple given, tuple shape) except -1:
    """A formula may give what broadcasts with its operand's shape."""
    for n, m in zip(reversed(given), reversed(shape)):
        if n != m and n != 1 and m != 1:
            raise _errors.vjp_shape(node.name(), node.row.op.operands[0 if node.row.variadic else i], shape, given)
    return 0


cdef ndarray fit(object result, tuple shape, object dtype):
    """A formula's result in the operand's shape and dtype."""
    cdef ndarray r = np.asarray(result)
    if np.iscomplexobj(r) and dtype.kind != "c":
        r = np.asarray(r.real)
    if np.shape(r) != shape:
        extra = r.ndim - len(shape)
        if extra > 0:
            r = np.asarray(r.sum(axis=tuple(range(extra))))
        narrow = tuple([i for i in range(r.ndim) if shape[len(shape) - r.ndim + i] == 1 and np.shape(r)[i] != 1])
        if narrow:
            r = r.sum(axis=narrow, keepdims=True)
        if np.shape(r) != shape:
            r = np.broadcast_to(r, shape)
    return r if r.dtype == dtype else r.astype(dtype)


# ---------------------------------------------------------------- on Tensors

cdef object saved_value(Node node, int i):
    """A saved operand (or, with i = nin, the result) as a Tensor with its place in the graph; or a Python scalar."""
    cdef fg_array* a = node.saved[i]
    cdef fg_node* n
    cdef Tensor t
    if a.flags & FG_WEAK:
        return value_of(a)
    if i == <int>node.n.nin:
        t = new_tensor(fg_array_keep(a))
        t.node = node
        return t
    n = node.n.edges[i].node
    if n != NULL and n.seq == FG_SEQ_LEAF:
        return <Tensor>(<fg_sink*>n).tensor
    t = new_tensor(fg_array_keep(a))
    if n != NULL:
        t.node = node_of(n)
        t.nr = node.n.edges[i].nr
    return t


cdef int formula_tensors(fg_run* run, Node node, void** grads) except -1:
    cdef Row row = node.row
    cdef uint32_t i, nin = node.n.nin
    cdef fg_array* a
    cdef fg_array* shape_source = NULL
    cdef list operands = []
    cdef bint conjugate
    conj = TABLE["conj"]
    if row.multi:
        g = tuple([<object>grads[i] if grads[i] != NULL else new_tensor(wrap_nd(np.zeros(*node.extra.outs[i])))
                   for i in range(node.n.nout)])
        out = tuple([Like(*spec) for spec in node.extra.outs])
        conjugate = row.holomorphic and any(is_complex((<Tensor>part).a.dtype) for part in g)
    else:
        g = <object>grads[0]
        shape_source = (<Tensor>g).a
        out = saved_value(node, nin) if node.saved[nin] != NULL else like_value(shape_source)
        conjugate = row.holomorphic and is_complex(shape_source.dtype)
    for i in range(nin):
        a = node.saved[i]
        if a == NULL:
            operands.append(like_value(shape_source))
        elif a.data == NULL and a.owner == NULL:
            operands.append(like_value(a))
        else:
            operands.append(saved_value(node, i))
    wanted = wanted_list(run, node)
    if conjugate:
        g = tuple([conj(part) for part in g]) if row.multi else conj(g)
    results = run_formulas(node, g, out, operands, wanted)
    for i in range(nin):
        if not wanted[i]:
            continue
        result = results[i]
        if result is None:
            send(run, node.n.edges[i], NULL)
            continue
        if conjugate and is_tensor(result):
            result = conj(result)
        a = node.saved[i] if node.saved[i] != NULL else shape_source
        check_fits(node, i, np.shape(result), shape_of(a))
        result = fit_tensor(result, shape_of(a), descr_of(a))
        Py_INCREF(result)
        send(run, node.n.edges[i], <void*>result)
    return 0


cdef Tensor fit_tensor(object result, tuple shape, object dtype):
    """`fit`, recorded."""
    if not is_tensor(result):
        return new_tensor(wrap_nd(np.array(np.broadcast_to(np.asarray(result, dtype), shape))))
    if is_complex((<Tensor>result).a.dtype) and dtype.kind != "c":
        result = TABLE["real"](result)
    if result.shape != shape:
        extra = result.ndim - len(shape)
        if extra > 0:
            result = TABLE["sum"](result, axis=tuple(range(extra)))
        narrow = tuple([i for i, n in enumerate(result.shape) if shape[len(shape) - result.ndim + i] == 1 and n != 1])
        if narrow:
            result = TABLE["sum"](result, axis=narrow, keepdims=True)
        if result.shape != shape:
            result = TABLE["broadcast_to"](result, shape)
    return result if result.dtype == dtype else TABLE["astype"](result, dtype)
