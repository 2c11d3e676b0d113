# The direct path of `class_loss`: a node keeps exp(x - top) and its sums, of which the slopes are made.

cdef Row SOFTMAX_ROW = row_named("softmax")
cdef Formula parts_formula = None
cdef object HUGE = 1 << 63


cdef Formula parts_of_rows():
    """The program of `softmax_parts`, traced when first asked for."""
    global parts_formula
    if parts_formula is None:
        program, _ = several_program(softmax_parts, 1, True)
        parts_formula = make_formula(program, ("x0",))
    return parts_formula


cdef object class_loss(Row row, Tensor x, Tensor y, dict options):
    """None where the general path must serve: it also says what is wrong with the classes."""
    cdef fg_array* a = fg_array_keep(x.a)
    cdef fg_array* classes = NULL
    cdef fg_classes k
    cdef Lines lines
    cdef intptr_t counted
    try:
        if not is_real(a) or not a.flags & FG_CONTIGUOUS or a.size == 0 or not sums_alike(a):
            return None
        if type(options["axis"]) is not int or not find_lines(a, options["axis"], &lines):
            return None
        if not are_classes(y.a, a, options["axis"]) or fg_thread.special & SAVED_HOOKS:
            return None
        if type(options["ignore_index"]) is not int or not -HUGE <= options["ignore_index"] < HUGE:
            return None
        if options["reduction"] not in ("mean", "sum", "none"):
            return None
        classes = new_array(y.a.ndim, fg_shape(y.a), cnp.NPY_INTP, sizeof(intptr_t))
        set_classes(&k, classes, a, &lines, options["ignore_index"])
        counted = fg_classes_take(&k, y.a.data, y.a.itemsize)
        return None if counted < 0 else losses_of(row, x, a, classes, &k, &lines, counted, options)
    finally:
        fg_array_drop(classes)
        fg_array_drop(a)


cdef bint are_classes(fg_array* y, fg_array* a, int axis) noexcept:
    """Whether `y` has integers of 4 or 8 bytes, one for each line of `a` along the axis."""
    cdef int i
    if y.dtype != cnp.NPY_INT and y.dtype != cnp.NPY_LONG and y.dtype != cnp.NPY_LONGLONG:
        return False
    if y.ndim != a.ndim - 1 or not y.flags & FG_CONTIGUOUS or not y.flags & FG_ALIGNED:
        return False
    if axis < 0:
        axis += a.ndim
    for i in range(y.ndim):
        if fg_shape(y)[i] != fg_shape(a)[i if i < axis else i + 1]:
            return False
    return True


cdef void set_classes(fg_classes* k, fg_array* classes, fg_array* a, Lines* lines, intptr_t ignored) noexcept:
    k.classes, k.ignored, k.dtype = <intptr_t*>classes.data, ignored, a.dtype
    k.outer, k.n, k.inner = lines.outer, lines.n, lines.inner


cdef object losses_of(Row row, Tensor x, fg_array* a, fg_array* classes, fg_classes* k, Lines* lines, intptr_t counted,
                      dict options):
    cdef Formula f = parts_of_rows()
    cdef fg_program* p = compiled_for(f, a.dtype)
    cdef fg_array* parts[4]
    cdef fg_array* losses = NULL
    cdef fg_array* inputs[1]
    cdef fg_array* like
    cdef Tensor out
    cdef Node node
    cdef int i
    if p == NULL or f.ncomputed != 4:
        return None
    memset(parts, 0, sizeof(parts))
    inputs[0] = a
    try:
        losses = new_array(classes.ndim, fg_shape(classes), a.dtype, a.itemsize)
        for i in range(4):
            like = a if i == 0 else losses
            parts[f.vjp.numbers[i]] = new_like(like)
        run_rows(f, p, inputs, parts, a.size, lines)
        fg_class_losses(k, losses.data, a.data, parts[f.vjp.numbers[2]].data, parts[f.vjp.numbers[3]].data)
        out = new_tensor(reduced_losses(losses, counted, options["reduction"]))
        if fg_grad_enabled and wants_grad(x):
            node = new_node(row, 2, 1)
            node.direct, node.options = True, options
            save(node, 0, parts[f.vjp.numbers[1]])
            save(node, 1, classes)
            save(node, 2, parts[f.vjp.numbers[0]])
            link_tensor(node, 0, x)
            came_from(out, node)
        return out
    finally:
        fg_array_drop(losses)
        for i in range(4):
            fg_array_drop(parts[i])


cdef fg_array* reduced_losses(fg_array* losses, intptr_t counted, str reduction) except NULL:
    cdef fg_array* total
    if reduction == "none":
        return fg_array_keep(losses)
    total = sum_of(losses)
    if reduction == "mean":
        divide_number(total, counted)
    return total


cdef void divide_number(fg_array* a, double divisor) noexcept:
    if a.dtype == FG_FLOAT32:
        (<float*>a.data)[0] /= <float>divisor
    else:
        (<double*>a.data)[0] /= divisor


cdef int class_loss_vjp(Backward b, fg_run* run, Node node, fg_array* g) except -1:
    """In the memory of what the node keeps, where this is the last use of it."""
    cdef fg_array* powers = node.saved[2]
    cdef fg_array* total = node.saved[0]
    cdef fg_array* into
    cdef fg_array* scaled = NULL
    cdef fg_classes k
    cdef Lines lines
    cdef intptr_t stride = g.itemsize if g.ndim else 0
    find_lines(powers, node.options["axis"], &lines)
    set_classes(&k, node.saved[1], powers, &lines, node.options["ignore_index"])
    try:
        scaled = cotangent_of_losses(node, &k, g)
        if not b.keep and node.busy == 1 and fg_array_unshared(powers):
            into, node.saved[2] = powers, NULL
        else:
            into = new_like(powers)
        if powers.size >= RELEASE_GIL:
            fg_array_keep(powers)
            with nogil:
                fg_class_slope(&k, into.data, powers.data, total.data, scaled.data, stride)
            fg_array_drop(powers)
        else:
            fg_class_slope(&k, into.data, powers.data, total.data, scaled.data, stride)
        return send(run, node.n.edges[0], into)
    finally:
        fg_array_drop(scaled)


cdef fg_array* cotangent_of_losses(Node node, fg_classes* k, fg_array* g) except NULL:
    """`g` for each loss: without gaps, and of a mean divided by the number of them."""
    cdef fg_array* scaled
    if node.options["reduction"] == "mean":
        scaled = copy_of(g)
        divide_number(scaled, fg_classes_take(k, k.classes, sizeof(intptr_t)))
        return scaled
    return fg_array_keep(g) if is_real(g) and g.flags & FG_CONTIGUOUS else copy_of(g)


cdef Tensor chances_of(Node node):
    """The softmax, with the place in the graph that it would have if it had been asked for."""
    cdef fg_edge edge = node.n.edges[0]
    cdef Node made
    cdef Tensor t
    total = np.expand_dims(to_nd(node.saved[0]), node.options["axis"])
    with quiet(is_large(node.saved[2])):
        t = new_tensor(wrap_nd(np.divide(to_nd(node.saved[2]), total)))
    if edge.node != NULL:
        made = new_node(SOFTMAX_ROW, 1, 1)
        made.options = {"axis": node.options["axis"]}
        made.saved[0] = like_of(t.a)
        save(made, 1, t.a)
        link(made, 0, edge.node, edge.nr)
        t.node = made
    return t
