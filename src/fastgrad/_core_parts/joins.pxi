# The direct path of joining, cutting, rolling, padding and triangles: block copies forward, windows of the cotangent
# back (or the other way round). Each function gives None or False where the general path must serve.

cdef object apply_blocks(Row row, tuple operands, dict options):
    if row.code == CONCAT or row.code == STACK:
        return join(row, operands, options)
    elif row.code == SPLIT or row.code == UNSTACK:
        return cut(row, <Tensor>operands[0], options)
    return moved(row, <Tensor>operands[0], options)


cdef bint blocks_vjp(fg_run* run, Node node, fg_array** grads) except? True:
    """The vjp of such a node, whoever recorded it."""
    cdef dict options = node_options(node)
    cdef fg_array* g = grads[0]
    cdef fg_array* r
    if node.row.code == SPLIT or node.row.code == UNSTACK:
        return cut_vjp(run, node, grads, options)
    if not is_real(g) or g.size == 0:
        return False
    if node.row.code == CONCAT or node.row.code == STACK:
        return join_vjp(run, node, g, options)
    if node.row.code == TILE or node.row.code == REPEAT:
        return copies_vjp(run, node, g, options)
    r = back_of(node.row, g, node.saved[0] if node.saved[0] != NULL else g, options)
    if r == NULL:
        return False
    send(run, node.n.edges[0], r)
    return True


# ---------------------------------------------------------------- windows along an axis

cdef fg_array* slab(fg_array* a, int axis, intptr_t start, intptr_t count) except NULL:
    """`count` elements of an axis from `start` on, as a view; ONE: the single one at `start`, without the axis."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t strides[FG_MAXDIMS]
    cdef fg_array* r
    cdef int i, k = 0
    for i in range(a.ndim):
        if i != axis or count != ONE:
            shape[k] = count if i == axis else fg_shape(a)[i]
            strides[k] = fg_strides(a)[i]
            k += 1
    r = fg_array_view(a, a.data + start * fg_strides(a)[axis], k, shape, strides)
    if r == NULL:
        raise MemoryError
    return r

cdef enum:
    ONE = -1


cdef int copy_into(fg_array* to, fg_array* source) except -1:
    """Of one shape and dtype."""
    if to.size >= RELEASE_GIL:
        hold_pair(to, source)
        with nogil:
            fg_copy(to, source)
        fg_array_drop(to)
        fg_array_drop(source)
    else:
        fg_copy(to, source)
    return 0


cdef int copy_slab(fg_array* to, intptr_t at, fg_array* source, intptr_t start, int axis, intptr_t count) except -1:
    """`count` elements of an axis of `source`, from `start` on, to the place `at` in the axis of `to`."""
    cdef fg_array* there = NULL
    cdef fg_array* here = NULL
    try:
        there = slab(to, axis, at, count)
        here = slab(source, axis, start, count)
        copy_into(there, here)
    finally:
        fg_array_drop(there)
        fg_array_drop(here)
    return 0


cdef bint in_c_order(fg_array* a) noexcept:
    """Whether NumPy gives what is made of `a` C order: no axis lies within a later one."""
    cdef int i
    cdef intptr_t outer = -1
    for i in range(a.ndim):
        if fg_shape(a)[i] != 1:
            if outer >= 0 and abs(fg_strides(a)[i]) > outer:
                return False
            outer = abs(fg_strides(a)[i])
    return True


# ---------------------------------------------------------------- joining

cdef object join(Row row, tuple operands, dict options):
    """concat and stack of arrays of one dtype."""
    cdef int i, n = <int>len(operands)
    cdef fg_array** parts = <fg_array**>PyMem_Malloc(n * sizeof(fg_array*))
    if parts == NULL:
        raise MemoryError
    for i in range(n):
        parts[i] = fg_array_keep((<Tensor>operands[i]).a)
    try:
        return join_parts(row, operands, parts, n, options)
    finally:
        for i in range(n):
            fg_array_drop(parts[i])
        PyMem_Free(parts)


cdef object join_parts(Row row, tuple operands, fg_array** parts, int n, dict options):
    cdef intptr_t shape[FG_MAXDIMS]
    cdef fg_array* first = parts[0]
    cdef fg_array* place
    cdef Tensor out
    cdef bint stacks = row.code == STACK
    cdef int i, k, axis, ndim = first.ndim + stacks
    cdef intptr_t at = 0, count
    axis = axis_of(options["axis"], ndim) if ndim <= FG_MAXDIMS else -1
    if axis < 0 or not is_real(first):
        return None
    for k in range(ndim):
        shape[k] = 0 if k == axis else fg_shape(first)[k - (stacks and k > axis)]
    for i in range(n):
        if parts[i].dtype != first.dtype or parts[i].ndim != first.ndim or not in_c_order(parts[i]):
            return None
        for k in range(ndim):
            if k != axis and shape[k] != fg_shape(parts[i])[k - (stacks and k > axis)]:
                return None
        shape[axis] += 1 if stacks else fg_shape(parts[i])[axis]
    out = new_tensor(new_array(ndim, shape, first.dtype, first.itemsize))
    for i in range(n):
        count = ONE if stacks else fg_shape(parts[i])[axis]
        place = slab(out.a, axis, at, count)
        try:
            copy_into(place, parts[i])
        finally:
            fg_array_drop(place)
        at += 1 if stacks else count
    record_arrays(row, operands, parts, out, options, True)
    return out


cdef bint join_vjp(fg_run* run, Node node, fg_array* g, dict options) except? True:
    """Each operand's part of the cotangent, a view."""
    cdef int axis = axis_of(options["axis"], g.ndim)
    cdef bint stacks = node.row.code == STACK
    cdef uint32_t i
    cdef intptr_t at = 0, count = ONE
    cdef fg_array* like
    if axis < 0:
        return False
    for i in range(node.n.nin):
        if node.saved[i] != NULL and node.saved[i].dtype != g.dtype:
            return False
    for i in range(node.n.nin):
        like = node.saved[i] if node.saved[i] != NULL else g
        if not stacks:
            count = fg_shape(like)[axis]
        if fg_run_needs(run, node.n.edges[i]):
            send(run, node.n.edges[i], slab(g, axis, at, count))
        at += 1 if stacks else count
    return True


# ---------------------------------------------------------------- cutting

cdef intptr_t parts_of(Row row, dict options, intptr_t length) noexcept:
    """Into how many parts, none of them empty, an axis is cut; 0 where NumPy should judge it."""
    cdef object cuts
    cdef intptr_t i, before = 0, place
    if row.code == UNSTACK:
        return length
    cuts = options["indices_or_sections"]
    if PyLong_CheckExact(cuts):
        i = small_int(cuts)
        return i if 0 < i <= length and length % i == 0 else 0
    if type(cuts) is not list and type(cuts) is not tuple:
        return 0
    for cut in cuts:
        place = small_int(cut) if PyLong_CheckExact(cut) else 0
        if not before < place < length:
            return 0
        before = place
    return len(cuts) + 1


cdef intptr_t end_of(dict options, intptr_t i, intptr_t count, intptr_t length):
    """Where part i of `count` ends."""
    cuts = options["indices_or_sections"]
    if PyLong_CheckExact(cuts):
        return (i + 1) * (length // count)
    return length if i == count - 1 else cuts[i]


cdef object cut(Row row, Tensor x, dict options):
    """split and unstack: a tuple of views, and one node."""
    cdef fg_array* a = x.a
    cdef int axis = axis_of(options["axis"], a.ndim)
    cdef intptr_t i, count, end, start = 0
    cdef Tensor out
    cdef Node node = None
    cdef list outs = []
    if axis < 0 or a.dtype == FG_OTHER or a.size == 0:
        return None
    count = parts_of(row, options, fg_shape(a)[axis])
    if count == 0 or count > TOO_LARGE:
        return None
    if fg_grad_enabled and takes_grad(a) and wants_grad(x):
        node = new_node(row, 1, <int>count)
        node.saved[0] = like_of(a)
        node.options = options
        link_tensor(node, 0, x)
        extra_of(node).outs = []
    for i in range(count):
        if row.code == UNSTACK:
            out = new_tensor(slab(a, axis, i, ONE))
        else:
            end = end_of(options, i, count, fg_shape(a)[axis])
            out = new_tensor(slab(a, axis, start, end - start))
            start = end
        note_view(out, x, row, options)
        out.view.number = <int>i
        if node is not None:
            node.extra.outs.append((shape_of(out.a), descr_of(out.a)))
            came_from(out, node)
            out.nr = <uint32_t>i
        outs.append(out)
    return tuple(outs)


cdef bint cut_vjp(fg_run* run, Node node, fg_array** grads, dict options) except? True:
    """The parts' cotangents put together in one array."""
    cdef fg_array* like = node.saved[0]
    cdef fg_array* r
    cdef fg_array* place
    cdef int axis
    cdef uint32_t i
    cdef intptr_t start = 0, end = 0
    cdef bint whole = True
    if like == NULL or like.size == 0 or like.dtype != FG_FLOAT32 and like.dtype != FG_FLOAT64:
        return False
    axis = axis_of(options["axis"], like.ndim)
    if axis < 0 or parts_of(node.row, options, fg_shape(like)[axis]) != node.n.nout:
        return False
    for i in range(node.n.nout):
        if grads[i] == NULL:
            whole = False
        elif grads[i].dtype != like.dtype:
            return False
    r = new_like(like) if whole else zeros_like(like)
    try:
        for i in range(node.n.nout):
            if node.row.code == SPLIT:
                start, end = end, end_of(options, i, node.n.nout, fg_shape(like)[axis])
            if grads[i] == NULL:
                continue
            place = slab(r, axis, i, ONE) if node.row.code == UNSTACK else slab(r, axis, start, end - start)
            try:
                copy_into(place, grads[i])
            finally:
                fg_array_drop(place)
        send(run, node.n.edges[0], fg_array_keep(r))
    finally:
        fg_array_drop(r)
    return True


# ---------------------------------------------------------------- rolling, padding and triangles

cdef object moved(Row row, Tensor x, dict options):
    """What is one array in another place: rolled, with a constant border, but a triangle of it, or several times."""
    cdef fg_array* a = fg_array_keep(x.a)
    cdef fg_array* r
    cdef Tensor out
    cdef Node node
    try:
        if not is_real(a) or not a.flags & FG_CONTIGUOUS or a.size == 0:
            return None
        if row.code == TILE or row.code == REPEAT:
            r = several(row, a, options)
        else:
            r = rolled(a, options, 1) if row.code == ROLL else bordered(a, options) if row.code == PADDED \
                else triangle_of(row, a, options)
        if r == NULL:
            return None
        out = new_tensor(r)
        if fg_grad_enabled and wants_grad(x):
            node = new_node(row, 1, 1)
            node.saved[0] = like_of(a)
            node.options = options
            link_tensor(node, 0, x)
            came_from(out, node)
        return out
    finally:
        fg_array_drop(a)


cdef fg_array* back_of(Row row, fg_array* g, fg_array* like, dict options) except? NULL:
    cdef fg_array* dense
    if g.dtype != like.dtype or row.code >= TRIL and g.ndim != like.ndim:
        return NULL
    if row.code == PADDED:
        return inner_of(g, like, options)
    dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    try:
        return rolled(dense, options, -1) if row.code == ROLL else triangle_of(row, dense, options)
    finally:
        fg_array_drop(dense)


cdef fg_array* rolled(fg_array* a, dict options, int sign) except? NULL:
    """A contiguous array rolled along one axis, or as if it had but one; NULL where NumPy should judge it."""
    cdef intptr_t shift, n
    cdef int axis = 0
    cdef fg_array* flat = NULL
    cdef fg_array* r = NULL
    cdef fg_array* out
    if not PyLong_CheckExact(options["shift"]):
        return NULL
    shift = small_int(options["shift"])
    if abs(shift) >= TOO_LARGE:
        return NULL
    if options["axis"] is not None:
        axis = axis_of(options["axis"], a.ndim)
        if axis < 0:
            return NULL
    out = new_like(a)
    try:
        if options["axis"] is None:
            n = a.size
            flat, r = flat_view(a), flat_view(out)
        else:
            n = fg_shape(a)[axis]
            flat, r = fg_array_keep(a), fg_array_keep(out)
        shift = sign * shift % n
        if shift < 0:
            shift += n
        copy_slab(r, shift, flat, 0, axis, n - shift)
        copy_slab(r, 0, flat, n - shift, axis, shift)
        return fg_array_keep(out)
    finally:
        fg_array_drop(flat)
        fg_array_drop(r)
        fg_array_drop(out)


cdef fg_array* flat_view(fg_array* a) except NULL:
    """A contiguous array in one dimension."""
    cdef intptr_t stride = a.itemsize
    cdef fg_array* r = fg_array_view(a, a.data, 1, &a.size, &stride)
    if r == NULL:
        raise MemoryError
    return r


cdef bint borders_of(dict options, int ndim, intptr_t* before, intptr_t* after):
    """How wide a constant border is along each axis; False where NumPy should judge it."""
    cdef int i
    widths = options["widths"]
    if options["mode"] != "constant" or type(widths) is not tuple or <int>len(<tuple>widths) != ndim:
        return False
    for i in range(ndim):
        pair = (<tuple>widths)[i]
        if type(pair) is not tuple or len(<tuple>pair) != 2 or not PyLong_CheckExact(pair[0]) \
                or not PyLong_CheckExact(pair[1]):
            return False
        before[i], after[i] = small_int(pair[0]), small_int(pair[1])
        if not 0 <= before[i] < TOO_LARGE or not 0 <= after[i] < TOO_LARGE:
            return False
    return True


cdef fg_array* bordered(fg_array* a, dict options) except? NULL:
    """A constant border around a copy; NULL where NumPy should judge it."""
    cdef intptr_t before[FG_MAXDIMS]
    cdef intptr_t after[FG_MAXDIMS]
    cdef intptr_t shape[FG_MAXDIMS]
    cdef int i
    cdef fg_array* value
    cdef fg_array* out
    if a.ndim == 0 or not is_weak_real(options["more"]) or not borders_of(options, a.ndim, before, after):
        return NULL
    try:
        value = weak_scalar(options["more"], a.dtype)
    except OverflowError:
        return NULL
    try:
        for i in range(a.ndim):
            shape[i] = before[i] + fg_shape(a)[i] + after[i]
        out = new_array(a.ndim, shape, a.dtype, a.itemsize)
        try:
            surround(out, a, before, after, value.data)
            return fg_array_keep(out)
        finally:
            fg_array_drop(out)
    finally:
        fg_array_drop(value)


cdef int surround(fg_array* out, fg_array* a, intptr_t* before, intptr_t* after, void* value) except -1:
    """Fill the borders, each axis's within those of the axes before it; what is left is the copy's place."""
    cdef fg_array* inner = fg_array_keep(out)
    cdef fg_array* side
    cdef fg_array* smaller
    cdef intptr_t n
    cdef int i
    try:
        for i in range(a.ndim):
            n = fg_shape(a)[i]
            side = slab(inner, i, 0, before[i])
            fg_fill(side, value)
            fg_array_drop(side)
            side = slab(inner, i, before[i] + n, after[i])
            fg_fill(side, value)
            fg_array_drop(side)
            smaller = slab(inner, i, before[i], n)
            fg_array_drop(inner)
            inner = smaller
        copy_into(inner, a)
    finally:
        fg_array_drop(inner)
    return 0


cdef fg_array* inner_of(fg_array* g, fg_array* like, dict options) except? NULL:
    """The cotangent of what a border was put around."""
    cdef intptr_t before[FG_MAXDIMS]
    cdef intptr_t after[FG_MAXDIMS]
    cdef fg_array* r
    cdef char* data = g.data
    cdef int i
    if g.ndim == 0 or not borders_of(options, g.ndim, before, after):
        return NULL
    for i in range(g.ndim):
        data += before[i] * fg_strides(g)[i]
    r = fg_array_view(g, data, g.ndim, fg_shape(like), fg_strides(g))
    if r == NULL:
        raise MemoryError
    return r


cdef fg_array* triangle_of(Row row, fg_array* a, dict options) except? NULL:
    """Contiguous matrices with zeros on one side of a diagonal; NULL where NumPy should judge it."""
    cdef intptr_t k
    cdef fg_array* r
    if a.ndim < 2 or not PyLong_CheckExact(options["k"]):
        return NULL
    k = small_int(options["k"])
    if abs(k) >= TOO_LARGE:
        return NULL
    r = new_like(a)
    if a.size >= RELEASE_GIL:
        hold_pair(a, r)
        with nogil:
            fg_triangle(a, r, k, row.code == TRIL)
        fg_array_drop(a)
        fg_array_drop(r)
    else:
        fg_triangle(a, r, k, row.code == TRIL)
    return r


# ---------------------------------------------------------------- tile and repeat

cdef enum:
    SOME = 64  # copies that are made one after the other

# What they give is in C order: of every axis of the operand there are `before` copies, and of its elements `after`.
cdef struct Copies:
    intptr_t count
    intptr_t before[FG_MAXDIMS]
    intptr_t after[FG_MAXDIMS]
    intptr_t strides[FG_MAXDIMS]  # of one copy


cdef bint copies_of(Row row, dict options, fg_array* x, Copies* c) noexcept:
    """False where NumPy should judge it."""
    cdef int i, axis
    cdef object number
    cdef tuple reps
    cdef intptr_t step = x.itemsize
    for i in range(x.ndim):
        c.before[i] = c.after[i] = 1
    if row.code == REPEAT:
        axis = x.ndim - 1 if options["axis"] is None else axis_of(options["axis"], x.ndim)
        if axis < 0 or not PyLong_CheckExact(options["repeats"]):
            return False
        c.after[axis] = small_int(options["repeats"])
    else:
        reps = (options["reps"],) if PyLong_CheckExact(options["reps"]) else options["reps"] \
            if type(options["reps"]) is tuple else ()
        axis = x.ndim - <int>len(reps)
        if axis < 0 or axis == x.ndim:
            return False
        for number in reps:
            if not PyLong_CheckExact(number):
                return False
            c.before[axis] = small_int(number)
            axis += 1
    c.count = 1
    for i in range(x.ndim - 1, -1, -1):
        if not 0 < c.before[i] <= SOME or not 0 < c.after[i] <= SOME or c.count > SOME:
            return False
        c.count *= c.before[i] * c.after[i]
        c.strides[i] = step * c.after[i]
        step = c.strides[i] * fg_shape(x)[i] * c.before[i]
    return 0 < c.count <= SOME


cdef fg_array* copy_number(intptr_t number, fg_array* whole, fg_array* x, Copies* c) except NULL:
    """Of the copies of x that are in `whole`, one."""
    cdef char* data = whole.data
    cdef fg_array* r
    cdef int i
    for i in range(x.ndim):
        data += number % c.after[i] * (c.strides[i] // c.after[i])
        number //= c.after[i]
        data += number % c.before[i] * c.strides[i] * fg_shape(x)[i]
        number //= c.before[i]
    r = fg_array_view(whole, data, x.ndim, fg_shape(x), c.strides)
    if r == NULL:
        raise MemoryError
    return r


cdef fg_array* several(Row row, fg_array* a, dict options) except? NULL:
    """Copies of a contiguous array; NULL where NumPy should judge it."""
    cdef Copies c
    cdef intptr_t shape[FG_MAXDIMS]
    cdef intptr_t size = a.size
    cdef intptr_t number
    cdef int i
    cdef fg_array* out
    cdef fg_array* place
    if a.ndim == 0 or not copies_of(row, options, a, &c):
        return NULL
    for i in range(a.ndim):
        shape[i] = c.before[i] * fg_shape(a)[i] * c.after[i]
    size *= c.count
    if row.code == REPEAT and options["axis"] is None:
        out = new_array(1, &size, a.dtype, a.itemsize)
    else:
        out = new_array(a.ndim, shape, a.dtype, a.itemsize)
    try:
        for number in range(c.count):
            place = copy_number(number, out, a, &c)
            try:
                copy_into(place, a)
            finally:
                fg_array_drop(place)
        return fg_array_keep(out)
    finally:
        fg_array_drop(out)


cdef bint copies_vjp(fg_run* run, Node node, fg_array* g, dict options) except? True:
    """The cotangents of the copies summed."""
    cdef Copies c
    cdef intptr_t number
    cdef fg_array* like = node.saved[0]
    cdef fg_array* dense
    cdef fg_array* part
    cdef fg_array* r = NULL
    if like == NULL or like.ndim == 0 or like.dtype != g.dtype or not copies_of(node.row, options, like, &c):
        return False
    dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    try:
        r = new_like(like)
        for number in range(c.count):
            part = copy_number(number, dense, like, &c)
            try:
                if number:
                    add_into(r, part)
                else:
                    copy_into(r, part)
            finally:
                fg_array_drop(part)
        send(run, node.n.edges[0], fg_array_keep(r))
    finally:
        fg_array_drop(dense)
        fg_array_drop(r)
    return True
