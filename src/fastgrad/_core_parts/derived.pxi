# The direct path of derived rows: their expression as one program. None where an operand does not suit it.

cdef object apply_fused(Row row, tuple operands):
    """A derived row as one program; None where an operand does not suit it."""
    cdef fg_array* args[4]
    cdef fg_array* inputs[8]
    cdef fg_array* out = NULL
    cdef fg_program* p
    cdef Formula f = row.forward
    cdef int i, n = 0, code = -1, nin = len(operands)
    for x in operands:
        if is_tensor(x):
            code = (<Tensor>x).a.dtype
    if code != FG_FLOAT32 and code != FG_FLOAT64:
        return None
    p = compiled_for(f, code)
    if p == NULL:
        return None
    try:
        for i in range(nin):
            args[i] = direct_operand(operands[i], code)
            if args[i] == NULL:
                return None
            n += 1
        out = new_broadcast(row, nin, args, code, code_size(code))
        for i in range(f.ninputs):
            inputs[i] = args[f.sources[i]]
        run_program(f, p, inputs, &out, out.size)
        result = new_tensor(out)
        record_arrays(row, operands, args, result, row.options, True)
        return result
    finally:
        for i in range(n):
            fg_array_drop(args[i])


cdef object apply_fused_one(Row row, Tensor x):
    """`apply_fused` of one operand, in fewer steps where that is small and without gaps."""
    cdef fg_array* a = x.a
    cdef fg_array* inputs[8]
    cdef fg_array* out
    cdef fg_program* p
    cdef Formula f = row.forward
    cdef Tensor result
    cdef Node node
    cdef int i
    if not is_real(a) or not a.flags & FG_CONTIGUOUS or a.size >= RELEASE_GIL:
        return apply_fused(row, (x,))
    p = compiled_for(f, a.dtype)
    if p == NULL:
        return None
    out = new_like(a)
    result = new_tensor(out)
    for i in range(f.ninputs):
        inputs[i] = a
    fg_program_run(p, inputs, &out)
    if p.foreign and PyErr_Occurred() != NULL:
        return raise_set()
    if fg_grad_enabled and row.differentiable and wants_grad(x):
        f = row.formula(1)
        node = new_node(row, 1, 1)
        node.direct, node.vjp, node.options = True, &f.vjp, row.options
        link_tensor(node, 0, x)
        if f.reads:
            save(node, 0, a)
        if f.reads_out:
            save(node, 1, out)
        came_from(result, node)
    return result
