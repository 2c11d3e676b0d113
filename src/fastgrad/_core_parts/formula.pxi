# The general path of a vjp: the row's own formulas, on ndarrays, or on Tensors so that they are recorded in turn.

cdef list interpret(object program, dict values):
    """Run a traced program step by step on ndarrays or Tensors."""
    cdef list registers = [values[name] for name in program.inputs]
    cdef tuple sources
    registers += program.consts
    registers += [None] * (len(program.kinds) - len(registers))
    for op, sources, register in program.steps:
        registers[register] = step(op, sources, registers)
    return [registers[i] for i in program.outputs]


cdef inline object step(object op, tuple sources, list registers):
    """One step of a program: on Tensors and numbers without a detour through the public call."""
    cdef object x = registers[<Py_ssize_t>sources[0]]
    cdef object y
    cdef Row row
    if len(sources) == 1:
        if is_tensor(x):
            row = row_of(op)
            if row.elementwise:
                return apply_unary(row, <Tensor>x)
    elif len(sources) == 2:
        y = registers[<Py_ssize_t>sources[1]]
        if is_tensor(x) and (is_tensor(y) or is_weak_real(y)) or is_tensor(y) and is_weak_real(x):
            row = row_of(op)
            if row.elementwise:
                return apply_binary(row, x, y)
    return op(*[registers[<Py_ssize_t>i] for i in sources])


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
        if len(wanted) == 1 and not row.op.joint and (<tuple>row.op.vjp)[0] is not None:  # as `vjps` does, but shorter
            return checked_results(node, [row.op.vjp[0](g, out, operands[0], **node_options(node))], wanted)
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


cdef tuple results_of(Node node):
    """The results of a multi-output node where its vjp reads them, or else their shapes and dtypes."""
    if node.extra.results is not None:
        return tuple([(<Saved>saved).unpack() for saved in node.extra.results])
    return tuple([Like(*spec) for spec in node.extra.outs])


# ---------------------------------------------------------------- on ndarrays

cdef int formula_arrays(fg_run* run, Node node, fg_array** grads) except -1:
    cdef Row row = node.row
    cdef uint32_t i, nin = node.n.nin
    cdef fg_array* a
    cdef fg_array* like
    cdef fg_array* shape_source = grads[0]
    cdef list operands = []
    cdef bint conjugate, large = shape_source != NULL and is_large(shape_source)
    if row.multi:
        g = tuple([to_nd(grads[i]) if grads[i] != NULL else np.zeros(*node.extra.outs[i])
                   for i in range(node.n.nout)])
        out = tuple([to_nd((<Tensor>t).a) if is_tensor(t) else t for t in results_of(node)])
        conjugate = row.holomorphic and any([is_complex(cnp.PyArray_TYPE(<ndarray>part)) for part in g])
    else:
        g = to_nd(grads[0])
        a = node.saved[nin]
        out = to_nd(a) if a != NULL else Like(np.shape(g), g.dtype)
        conjugate = row.holomorphic and is_complex(cnp.PyArray_TYPE(<ndarray>g))
    for i in range(nin):
        a = node.saved[i]
        large = large or a != NULL and is_large(a)
        if a == NULL:
            operands.append(like_value(shape_source))
        elif a.data == NULL and a.owner == NULL:
            operands.append(like_value(a))
        else:
            operands.append(value_of(a))
    wanted = wanted_list(run, node)
    with quiet(large):
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
            if type(results[i]) is float and (like.dtype == FG_FLOAT32 or like.dtype == FG_FLOAT64):
                send(run, node.n.edges[i], filled(like, results[i]))
                continue
            result = np.conj(results[i]) if conjugate else results[i]
            if type(result) is ndarray and fits_already(<ndarray>result, like):
                send(run, node.n.edges[i], wrap_nd(<ndarray>result))
                continue
            check_fits(node, i, np.shape(result), shape_of(like))
            send(run, node.n.edges[i], wrap_nd(fit(result, shape_of(like), descr_of(like))))
    return 0


cdef bint fits_already(ndarray r, fg_array* like) noexcept:
    """Whether a formula's result has its operand's dtype and shape."""
    cdef int i
    if like.dtype == FG_OTHER or code_of(r) != like.dtype or cnp.PyArray_NDIM(r) != like.ndim:
        return False
    for i in range(like.ndim):
        if cnp.PyArray_DIMS(r)[i] != fg_shape(like)[i]:
            return False
    return True


cdef int check_fits(Node node, int i, tuple given, tuple shape) except -1:
    """A formula may give what broadcasts with its operand's shape."""
    for n, m in zip(reversed(given), reversed(shape)):
        if n != m and n != 1 and m != 1:
            raise _errors.vjp_shape(node.name(), node.row.op.operands[0 if node.row.variadic else i], shape, given)
    return 0


cdef tuple summed_axes(tuple given, tuple shape):
    """The axes that a cotangent is summed over, all at once (otherwise it would be rounded twice)."""
    cdef int extra = len(given) - len(shape)
    return tuple([i for i in range(len(given)) if i < extra or shape[i - extra] == 1 != given[i]])


cdef ndarray fit(object result, tuple shape, object dtype):
    """A formula's result in the operand's shape and dtype."""
    cdef ndarray r = np.asarray(result)
    if np.iscomplexobj(r) and dtype.kind != "c":
        r = np.asarray(r.real)
    if np.shape(r) != shape:
        axes = summed_axes(np.shape(r), shape)
        if axes:
            r = r.sum(axis=axes, keepdims=True)
        if r.ndim > len(shape):
            r = r.reshape(np.shape(r)[r.ndim - len(shape):])
        if np.shape(r) != shape:
            r = np.broadcast_to(r, shape)
    return r if r.dtype == dtype else r.astype(dtype)


# ---------------------------------------------------------------- on objects

cdef object saved_value(Node node, int i):
    """A saved operand (or, with i = nin, the result) as a Tensor with its place in the graph; or a Python scalar."""
    cdef fg_array* a = node.saved[i]
    cdef fg_edge edge
    if a.flags & FG_WEAK:
        return value_of(a)
    if node.extra is not None and node.extra.packed is not None and i in node.extra.packed:
        return unpacked(node, i)
    if i == <int>node.n.nin:
        edge.node, edge.nr = &node.n, 0
    else:
        edge = node.n.edges[i]
    return placed(a, edge)


cdef Tensor unpacked(Node node, int i):
    cdef Tensor t = (<Packed>node.extra.packed[i]).get()
    cdef fg_edge edge
    if i == <int>node.n.nin:
        edge.node, edge.nr = &node.n, 0
    else:
        edge = node.n.edges[i]
    return placed(t.a, edge)


cdef Tensor placed(fg_array* a, fg_edge edge):
    """A Tensor on `a` that came from where `edge` leads."""
    cdef Tensor t
    cdef Node copied
    if edge.node != NULL and edge.node.seq == FG_SEQ_LEAF:
        t = <Tensor>(<fg_sink*>edge.node).tensor
        if t.a == a:
            return t
        t = new_tensor(fg_array_keep(a))  # other memory for the value of a leaf: a copy of it, to the graph
        copied = new_node(row_named("clone"), 1, 1)
        copied.saved[0] = described(a)
        link(copied, 0, edge.node, 0)
        t.node = copied
        return t
    t = new_tensor(fg_array_keep(a))
    if edge.node != NULL:
        t.node = node_of(edge.node)
        t.nr = edge.nr
    return t


cdef int apply_objects(Backward b, fg_run* run, Node node, void** grads, bint needed) except -1:
    """One node with cotangents as objects: prehooks, the vjp, hooks."""
    cdef uint32_t i
    cdef list given = []
    cdef list results
    cdef list wanted = wanted_list(run, node)
    cdef Extra extra = node.extra
    cdef bint none = True
    for i in range(node.n.nout):
        given.append(as_object(b, grads[i]))
    if extra is not None and extra.prehooks:
        given = run_prehooks(node.name(), extra.prehooks, given)
    check_saved(node)
    for g in given:
        if g is not None:
            none = False
    if not needed:
        results = [None] * node.n.nin
    elif isinstance(node, FunctionNode):
        results = function_cotangents(<FunctionNode>node, given, wanted)
    elif none:
        results = [None] * node.n.nin
    else:
        results = formula_objects(node, given, wanted)
    if anomaly and anomaly_nan:
        check_nan(node, results)
    if extra is not None and extra.posthooks:
        results = run_posthooks(node.name(), extra.posthooks, results, given)
    for i in range(node.n.nin):
        if wanted[i]:
            send(run, node.n.edges[i], as_grad(b, results[i]))
    return 0


cdef int check_nan(Node node, list results) except -1:
    for i, g in enumerate(results):
        if is_tensor(g) and np.isnan(to_nd((<Tensor>g).a)).any():
            raise _errors.nan_gradient(node.name(), i, origin_of(node))
    return 0


cdef list formula_objects(Node node, list given, list wanted):
    """The row's formulas on Tensors or other objects: a cotangent, or None, for each operand."""
    cdef Row row = node.row
    cdef uint32_t i, nin = node.n.nin
    cdef fg_array* a
    cdef fg_array* like
    cdef list operands = []
    cdef list results
    cdef bint conjugate
    cdef object g, shape_source
    conj = TABLE["conj"]
    if row.code == CLASS_LOSS and node.direct:
        return [class_slope(given[0], chances_of(node), saved_value(node, 1), **node.options), None]
    if row.multi:
        g = tuple([part if part is not None else new_tensor(wrap_nd(np.zeros(*spec)))
                   for part, spec in zip(given, node.extra.outs)])
        out = results_of(node)
        conjugate = row.holomorphic and any([part.dtype.kind == "c" for part in g])
        shape_source = None
    else:
        g = given[0]
        if direct and is_tensor(g) and is_real((<Tensor>g).a):
            results = direct_vjp(node, <Tensor>g, wanted)
            if results is not None:
                return results
        shape_source = g
        out = saved_value(node, nin) if node.saved[nin] != NULL else like_object(g)
        conjugate = row.holomorphic and g.dtype.kind == "c"
    for i in range(nin):
        a = node.saved[i]
        if a == NULL:
            operands.append(like_object(shape_source))
        elif a.data == NULL and a.owner == NULL and not is_packed(node, i):
            operands.append(like_value(a))
        else:
            operands.append(saved_value(node, i))
    if conjugate:
        g = tuple([conj(part) for part in g]) if row.multi else conj(g)
    results = run_formulas(node, g, out, operands, wanted)
    for i in range(nin):
        result = results[i] if wanted[i] else None
        if result is not None:
            if conjugate and hasattr(type(result), "_apply_op"):
                result = conj(result)
            like = node.saved[i]
            if like != NULL:
                result = fit_object(node, i, result, like)
            elif is_tensor(shape_source):
                result = fit_object(node, i, result, (<Tensor>shape_source).a)
            else:
                shape = tuple(shape_source.shape)
                check_fits(node, i, np.shape(result), shape)
                result = fit_tensor(result, shape, shape_source.dtype)
        results[i] = result
    return results


cdef inline bint is_packed(Node node, int i):
    return node.extra is not None and node.extra.packed is not None and i in node.extra.packed


cdef object like_object(object value):
    return Like(value.shape, value.dtype)


cdef object fit_object(Node node, int i, object result, fg_array* like):
    """A cotangent in the shape and dtype of its operand."""
    if is_tensor(result) and (<Tensor>result).a.dtype == like.dtype and like.dtype != FG_OTHER \
            and same_shape((<Tensor>result).a, like):
        return result
    shape = shape_of(like)
    check_fits(node, i, np.shape(result), shape)
    return fit_tensor(result, shape, descr_of(like))


cdef object fit_tensor(object result, tuple shape, object dtype):
    """`fit`, recorded."""
    if not hasattr(type(result), "_apply_op"):
        return new_tensor(wrap_nd(np.array(np.broadcast_to(np.asarray(result, dtype), shape))))
    if result.dtype.kind == "c" and dtype.kind != "c":
        result = TABLE["real"](result)
    if result.shape != shape:
        axes = summed_axes(result.shape, shape)
        if axes:
            result = TABLE["sum"](result, axis=axes, keepdims=True)
        if result.ndim > len(shape):
            result = TABLE["reshape"](result, result.shape[result.ndim - len(shape):])
        if result.shape != shape:
            result = TABLE["broadcast_to"](result, shape)
    return result if result.dtype == dtype else TABLE["astype"](result, dtype)


cdef list program_vjp(Node node, Tensor g, list wanted):
    """The vjp's program, step by step on Tensors; None where a value does not suit it."""
    cdef Row row = node.row
    cdef Formula f
    cdef unsigned int mask = 0
    cdef int i, source, k = 0, nin = node.n.nin
    cdef list registers = []
    cdef list results = [None] * nin
    cdef tuple sources
    for i in range(nin):
        if wanted[i]:
            mask |= 1u << i
    f = row.formula(mask)
    if f is None:
        return None
    for i in range(f.ninputs):
        source = f.sources[i]
        if source == G:
            registers.append(g)
            continue
        if source == OUT:
            source = nin
        if node.saved[source] == NULL or node.saved[source].data == NULL and not is_packed(node, source):
            return None
        registers.append(saved_value(node, source))
    registers += f.program.consts
    registers += [None] * (len(f.program.kinds) - len(registers))
    for op, sources, register in f.program.steps:
        registers[<Py_ssize_t>register] = step(op, sources, registers)
    for i in range(nin):
        if wanted[i]:
            result = registers[<Py_ssize_t>f.program.outputs[k]]
            results[i] = fit_object(node, i, result, g.a if node.saved[i] == NULL else node.saved[i])
            k += 1
    return results


cdef list direct_vjp(Node node, Tensor g, list wanted):
    """Programs, and the commonest vjps that are none, recorded by the direct paths; None for any other."""
    cdef Row row = node.row
    cdef fg_array* like = node.saved[0]
    if node.direct and (row.elementwise or row.fused):
        return program_vjp(node, g, wanted)
    if row.code == SUM and node.direct and like != NULL and like.dtype == g.a.dtype:
        if node.options is WHOLE:
            return [apply(BROADCAST_TO_ROW, (g,), {"shape": shape_of(like)})]
    elif row.code == GETITEM and like != NULL and like.dtype == g.a.dtype:
        out = put_add(PUT_ADD_ROW, g, shape_of(like), bare_index(node))
        if out is not None:
            return [out]
    elif row.code == CLONE:
        return [g]
    elif row.code == PUT_ADD:
        out = getitem(GETITEM_ROW, g, bare_index(node))
        if out is not None:
            return [out]
    return None
