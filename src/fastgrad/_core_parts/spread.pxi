# The vjp of an elementwise operation some of whose operands were broadcast: cotangents and their sums over the axes
# that were not there, in one program along rows, with no temporary as large as the result.

cdef bint spread_vjp(fg_run* run, Node node, Formula f, fg_array* g, unsigned int mask) except *:
    """False where no operand was broadcast, or the general path must serve: `f` suits g and what the node saved."""
    cdef Lines lines
    cdef unsigned int spread
    cdef Formula along
    cdef fg_program* p
    cdef fg_array* inputs[8]
    cdef fg_array* outputs[4]
    cdef fg_array* a
    cdef int i, source
    if g.size < RELEASE_GIL or not g.flags & FG_CONTIGUOUS:
        return False
    spread = spread_operands(node, g, &lines)
    if not spread & mask or not sums_alike(g):
        return False
    along = node.row.spread_formula(mask, spread)
    if along is None or along.nresults != along.ncomputed + given_results(along):
        return False
    p = compiled_for(along, g.dtype)
    if p == NULL:
        return False
    for i in range(along.ninputs):
        source = along.sources[i]
        inputs[i] = g if source == G else node.saved[node.n.nin if source == OUT else source]
        if not inputs[i].flags & FG_CONTIGUOUS:
            return False
    memset(outputs, 0, sizeof(outputs))
    try:
        for i in range(along.nresults):
            if along.vjp.kinds[i] == FG_COMPUTED:
                outputs[along.vjp.numbers[i]] = spread_room(node, along, p, i, g, spread)
        run_rows(along, p, inputs, outputs, g.size, &lines)
        for i in range(along.nresults):
            a = outputs[along.vjp.numbers[i]] if along.vjp.kinds[i] == FG_COMPUTED else g
            send(run, node.n.edges[along.vjp.edges[i]], fg_array_keep(a))
    finally:
        for i in range(4):
            fg_array_drop(outputs[i])
    return True


cdef unsigned int spread_operands(Node node, fg_array* g, Lines* lines) noexcept:
    """Which operands were broadcast to g's shape (a mask), all along the same axes; 0 where that is not so."""
    cdef Lines own
    cdef unsigned int spread = 0
    cdef fg_array* like
    cdef int i
    for i in range(node.n.nin):
        like = node.saved[i]
        if like == NULL or same_shape(like, g):
            continue
        if not lines_of_spread(like, g, &own):
            return 0
        if spread and (own.outer != lines.outer or own.n != lines.n or own.inner != lines.inner):
            return 0
        lines[0] = own
        spread |= 1u << i
    return spread


cdef bint lines_of_spread(fg_array* like, fg_array* g, Lines* lines) noexcept:
    """How g is seen to be reduced to like's shape; False where that is not along axes that follow one another."""
    cdef int i, missing = g.ndim - like.ndim
    cdef intptr_t length
    lines.outer = lines.n = lines.inner = 1
    for i in range(g.ndim):
        length = fg_shape(g)[i]
        if length == 1:
            continue
        if i >= missing and fg_shape(like)[i - missing] != 1:
            lines.inner *= length
        elif lines.n == 1 or lines.inner == 1:
            lines.outer *= lines.inner
            lines.inner = 1
            lines.n *= length
        else:
            return False
    return True


cdef int given_results(Formula f) noexcept:
    """How many results are the cotangent as it came."""
    cdef int i, count = 0
    for i in range(f.nresults):
        if f.vjp.kinds[i] == FG_INPUT and f.sources[f.vjp.numbers[i]] == G:
            count += 1
    return count


cdef fg_array* spread_room(Node node, Formula f, fg_program* p, int result, fg_array* g,
                           unsigned int spread) except NULL:
    """Memory for a computed result: in its operand's shape."""
    cdef int operand = f.vjp.edges[result]
    cdef fg_array* like = node.saved[operand]
    if spread >> operand & 1:
        return new_array(like.ndim, fg_shape(like), g.dtype, g.itemsize)
    if p.reuse_output == f.vjp.numbers[result] and not f.vjp.gives_g and fg_array_unshared(g):
        return fg_array_keep(g)
    return new_like(g)
