# The direct path of convolutions (ops/convolutions.py): csrc/images.c, with the products that NumPy would form.

cdef object convolution(Row row, tuple operands, dict options):
    """Any of the three rows; None where the general path must serve."""
    cdef fg_array* p
    cdef fg_array* q
    cdef fg_array* r
    if not is_tensor(operands[0]) or not is_tensor(operands[1]):
        return None
    p, q = fg_array_keep((<Tensor>operands[0]).a), fg_array_keep((<Tensor>operands[1]).a)
    try:
        r = convolution_of(row.code, p, q, options)
        if r == NULL:
            return None
        out = new_tensor(r)
        record(row, operands, out, options, True)
        if (<Tensor>out).node is not None:
            (<Tensor>out).node.direct = True
        return out
    finally:
        fg_array_drop(p)
        fg_array_drop(q)


cdef fg_array* convolution_of(int code, fg_array* p, fg_array* q, dict options) except? NULL:
    """From x and w, from y and w, or from x and y: the third of the form; NULL where NumPy must serve."""
    cdef fg_images f
    cdef fg_array* dense[2]
    cdef fg_array* r = NULL
    cdef fg_status status
    cdef fg_convolution_kind kind = FG_INTO_RESULTS
    cdef char* x
    cdef char* w
    cdef char* y
    cdef intptr_t shape[FG_MAXDIMS]
    if not multiplies(p, q) or p.ndim != q.ndim or not 3 <= p.ndim <= 2 + FG_IMAGE_AXES or p.size == 0 or q.size == 0:
        return NULL
    if not describe(&f, code, p, q, options, shape):
        return NULL
    dense[0] = fg_array_keep(p) if p.flags & FG_CONTIGUOUS else copy_of(p)
    try:
        dense[1] = fg_array_keep(q) if q.flags & FG_CONTIGUOUS else copy_of(q)
        try:
            r = new_array(p.ndim, shape, p.dtype, p.itemsize)
            if code == CONVOLUTION:
                x, w, y = dense[0].data, dense[1].data, r.data
            elif code == CONVOLUTION_INPUT:
                kind, x, w, y = FG_INTO_IMAGES, r.data, dense[1].data, dense[0].data
            else:
                kind, x, w, y = FG_INTO_KERNELS, dense[0].data, r.data, dense[1].data
            if r.size + p.size + q.size >= RELEASE_GIL:
                with nogil:
                    status = fg_convolve(&f, kind, x, w, y)
            else:
                status = fg_convolve(&f, kind, x, w, y)
            if status != FG_OK:
                fg_array_drop(r)
                raise MemoryError
            return r
        finally:
            fg_array_drop(dense[1])
    finally:
        fg_array_drop(dense[0])


cdef bint describe(fg_images* f, int code, fg_array* p, fg_array* q, dict options, intptr_t* shape) except *:
    """The sizes of x, w and y, and the shape of the result; False where they do not fit, which NumPy's path says."""
    cdef int i, axis, n = p.ndim - 2
    cdef tuple stride = options["stride"], padding = options["padding"], dilation = options["dilation"]
    cdef tuple given
    f.examples, f.groups, f.itemsize = fg_shape(p)[0], options["groups"], p.itemsize
    f.matmul = MAT_loop(p.dtype)[0]
    if f.groups < 1 or not len(stride) == len(padding) == len(dilation) == n:
        return False
    if code == CONVOLUTION:
        f.channels, f.outputs = fg_shape(p)[1], fg_shape(q)[0]
        given = ()
    elif code == CONVOLUTION_INPUT:
        f.channels, f.outputs = fg_shape(q)[1] * f.groups, fg_shape(p)[1]
        given = options["sizes"]
    else:
        f.channels, f.outputs = fg_shape(p)[1], fg_shape(q)[1]
        given = options["kernel"]
    if f.channels % f.groups or f.outputs % f.groups:
        return False
    if code == CONVOLUTION and fg_shape(q)[1] * f.groups != f.channels or given and len(given) != n:
        return False
    if code == CONVOLUTION_INPUT and fg_shape(q)[0] != f.outputs:
        return False
    if code == CONVOLUTION_WEIGHT and fg_shape(q)[0] != f.examples:
        return False
    plain_axes(f)
    shape[0], shape[1] = f.examples, f.outputs
    if code == CONVOLUTION_INPUT:
        shape[1] = f.channels
    elif code == CONVOLUTION_WEIGHT:
        shape[0], shape[1] = f.outputs, f.channels // f.groups
    for axis in range(n):
        i = FG_IMAGE_AXES - n + axis
        f.sizes[i] = given[axis] if code == CONVOLUTION_INPUT else fg_shape(p)[2 + axis]
        f.kernel[i] = given[axis] if code == CONVOLUTION_WEIGHT else fg_shape(q)[2 + axis]
        if not describe_axis(f, i, stride[axis], padding[axis], dilation[axis]):
            return False
        shape[2 + axis] = f.counts[i]
        if code == CONVOLUTION_INPUT:
            shape[2 + axis] = f.sizes[i]
        elif code == CONVOLUTION_WEIGHT:
            shape[2 + axis] = f.kernel[i]
        if code != CONVOLUTION and fg_shape(p if code == CONVOLUTION_INPUT else q)[2 + axis] != f.counts[i]:
            return False
    f.piece, box = windows_together((f.counts[0], f.counts[1], f.counts[2]), weights_of(f))
    f.box[0], f.box[1], f.box[2] = box
    return True


cdef void plain_axes(fg_images* f) noexcept:
    cdef int i
    for i in range(FG_IMAGE_AXES):
        f.sizes[i] = f.kernel[i] = f.counts[i] = f.stride[i] = f.dilation[i] = 1
        f.before[i] = 0


cdef bint describe_axis(fg_images* f, int i, intptr_t stride, tuple padding, intptr_t dilation) except *:
    """How windows lie along an axis whose sizes are known; False where there is none."""
    cdef intptr_t after, room
    f.stride[i], f.dilation[i] = stride, dilation
    f.before[i], after = padding
    room = f.sizes[i] + f.before[i] + after - f.dilation[i] * (f.kernel[i] - 1) - 1
    if f.sizes[i] < 1 or f.kernel[i] < 1 or f.stride[i] < 1 or f.dilation[i] < 1 or f.before[i] < 0 or room < 0:
        return False
    f.counts[i] = room // f.stride[i] + 1
    return True


cdef object together = None

cdef intptr_t weights_of(fg_images* f) noexcept:
    """How many weights the kernels of a group have."""
    cdef intptr_t channels = f.channels // f.groups, outputs = f.outputs // f.groups
    return outputs * channels * f.kernel[0] * f.kernel[1] * f.kernel[2]


cdef tuple windows_together(tuple counts, intptr_t weights):
    """Of how many examples, and of which part of each, windows make one matrix: as the rows have it."""
    global together
    if together is None:
        from .ops.convolutions import together as found

        together = found
    return together(counts, weights)


cdef bint convolution_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The two cotangents of a convolution, which are convolutions too; False where the general path must serve."""
    cdef fg_array* a = node.saved[0]
    cdef fg_array* b = node.saved[1]
    cdef fg_array* found[2]
    cdef dict options = dict(node_options(node))
    cdef int i, code = node.row.code
    options.pop("sizes", None)
    options.pop("kernel", None)
    found[0] = found[1] = NULL
    try:
        for i in range(2):
            if not fg_run_needs(run, node.n.edges[i]):
                continue
            if code == CONVOLUTION:
                if i == 0:
                    found[i] = convolution_of(CONVOLUTION_INPUT, g, b, {**options, "sizes": image_shape(a)})
                else:
                    found[i] = convolution_of(CONVOLUTION_WEIGHT, a, g, {**options, "kernel": image_shape(b)})
            elif code == CONVOLUTION_INPUT:
                if i == 0:
                    found[i] = convolution_of(CONVOLUTION, g, b, options)
                else:
                    found[i] = convolution_of(CONVOLUTION_WEIGHT, g, a, {**options, "kernel": image_shape(b)})
            elif i == 0:
                found[i] = convolution_of(CONVOLUTION_INPUT, b, g, {**options, "sizes": image_shape(a)})
            else:
                found[i] = convolution_of(CONVOLUTION, a, g, options)
            if found[i] == NULL or not same_shape(found[i], node.saved[i]):
                return False
        for i in range(2):
            if found[i] != NULL:
                send(run, node.n.edges[i], fg_array_keep(found[i]))
        return True
    finally:
        fg_array_drop(found[0])
        fg_array_drop(found[1])


cdef tuple image_shape(fg_array* a):
    return shape_of(a)[2:]


# ---------------------------------------------------------------- maxima of windows

cdef object window_max(Row row, Tensor x, dict options):
    """The maxima; None where the general path must serve."""
    cdef fg_images f
    cdef fg_array* a = x.a
    cdef fg_array* r
    cdef intptr_t shape[FG_MAXDIMS]
    cdef bint done
    cdef Tensor out
    if not describe_pooling(&f, a, options, shape):
        return None
    out = new_tensor(new_array(a.ndim, shape, a.dtype, a.itemsize))
    r = out.a
    if a.size >= RELEASE_GIL:
        hold_pair(a, r)
        with nogil:
            done = fg_maxima(&f, a.data, r.data)
        fg_array_drop(a)
        fg_array_drop(r)
    else:
        done = fg_maxima(&f, a.data, r.data)
    if not done:
        return None
    record(row, (x,), out, options, True)
    return out


cdef bint describe_pooling(fg_images* f, fg_array* x, dict options, intptr_t* shape) except *:
    """How windows lie in x, and the shape of one number for each; False where the general path must serve."""
    cdef tuple kernel = options["kernel"], stride = options["stride"], padding = options["padding"]
    cdef tuple dilation = options["dilation"]
    cdef int i, axis, n = len(kernel)
    if not 1 <= n <= FG_IMAGE_AXES or x.data == NULL or not is_real(x) or x.ndim < n or x.size == 0:
        return False
    if not x.flags & FG_CONTIGUOUS or not len(stride) == len(padding) == len(dilation) == n:
        return False
    plain_axes(f)
    f.itemsize, f.examples = x.itemsize, x.size
    memcpy(shape, fg_shape(x), x.ndim * sizeof(intptr_t))
    for axis in range(n):
        i = FG_IMAGE_AXES - n + axis
        f.sizes[i], f.kernel[i] = fg_shape(x)[x.ndim - n + axis], kernel[axis]
        f.examples //= f.sizes[i]
        if not describe_axis(f, i, stride[axis], padding[axis], dilation[axis]):
            return False
        shape[x.ndim - n + axis] = f.counts[i]
    return True


cdef bint window_max_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The cotangent put where the maxima were; False where the general path must serve."""
    cdef fg_images f
    cdef fg_array* x = node.saved[0]
    cdef fg_array* dense
    cdef fg_array* r
    cdef intptr_t shape[FG_MAXDIMS]
    cdef bint done
    if x.dtype != g.dtype or not describe_pooling(&f, x, node_options(node), shape):
        return False
    if g.ndim != x.ndim or memcmp(shape, fg_shape(g), g.ndim * sizeof(intptr_t)) != 0:
        return False
    dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    try:
        r = new_like(x)
        if x.size >= RELEASE_GIL:
            with nogil:
                done = fg_maxima_back(&f, x.data, dense.data, r.data)
        else:
            done = fg_maxima_back(&f, x.data, dense.data, r.data)
    finally:
        fg_array_drop(dense)
    if not done:
        fg_array_drop(r)
        return False
    send(run, node.n.edges[0], r)
    return True


# ---------------------------------------------------------------- weighted sums along axes

cdef object turned_maps = None


cdef object resampled(Row row, Tensor x, dict options):
    """Axes multiplied by sparse matrices; None where the general path must serve."""
    cdef Node node
    cdef Tensor out
    cdef fg_array* a = fg_array_keep(x.a)
    cdef fg_array* r
    try:
        r = resample(a, options["maps"])
        if r == NULL:
            return None
        out = new_tensor(r)
        if fg_grad_enabled and wants_grad(x):
            node = new_node(row, 1, 1)
            node.options = options
            node.saved[0] = like_of(a)
            link_tensor(node, 0, x)
            came_from(out, node)
        return out
    finally:
        fg_array_drop(a)


cdef bint resampled_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The same with the matrices transposed; False where the general path must serve."""
    global turned_maps
    cdef fg_array* r
    if turned_maps is None:
        from .ops.resampling import turned as turned_maps
    if g.dtype != node.saved[0].dtype:
        return False
    r = resample(g, turned_maps(node_options(node)["maps"]))
    if r == NULL:
        return False
    send(run, node.n.edges[0], r)
    return True


cdef fg_array* resample(fg_array* a, tuple maps) except? NULL:
    """The last axes of `a`, each multiplied by its matrix; NULL where NumPy must serve."""
    cdef fg_taps taps[FG_IMAGE_AXES]
    cdef intptr_t sizes[FG_IMAGE_AXES]
    cdef intptr_t shape[FG_MAXDIMS]
    cdef fg_array* dense
    cdef fg_array* r
    cdef fg_status status
    cdef int i, axis, n = len(maps)
    cdef intptr_t planes = 1
    cdef bint any_map = False
    if not is_real(a) or n > FG_IMAGE_AXES or a.ndim < n or a.size == 0:
        return NULL
    memset(taps, 0, sizeof(taps))
    memcpy(shape, fg_shape(a), a.ndim * sizeof(intptr_t))
    for i in range(FG_IMAGE_AXES):
        sizes[i] = 1
    for i in range(a.ndim - n):
        planes *= shape[i]
    for i in range(n):
        axis = a.ndim - n + i
        sizes[FG_IMAGE_AXES - n + i] = shape[axis]
        if maps[i] is None:
            continue
        any_map = True
        if not describe_taps(&taps[FG_IMAGE_AXES - n + i], maps[i], a) or taps[FG_IMAGE_AXES - n + i].n != shape[axis]:
            return NULL
        shape[axis] = taps[FG_IMAGE_AXES - n + i].m
        if shape[axis] == 0:
            return NULL
    if not any_map:
        return NULL
    dense = fg_array_keep(a) if a.flags & FG_CONTIGUOUS else copy_of(a)
    try:
        r = new_array(a.ndim, shape, a.dtype, a.itemsize)
        if r.size + dense.size >= RELEASE_GIL:
            with nogil:
                status = fg_resample(taps, sizes, planes, dense.data, r.data, r.itemsize)
        else:
            status = fg_resample(taps, sizes, planes, dense.data, r.data, r.itemsize)
    finally:
        fg_array_drop(dense)
    if status != FG_OK:
        fg_array_drop(r)
        raise MemoryError
    return r


cdef bint describe_taps(fg_taps* t, object taps, fg_array* a) except *:
    """A matrix of ops/resampling.py, which `maps` keeps, with its weights in a's type."""
    cdef ndarray starts = taps.starts, places = taps.places
    cdef ndarray weights = taps.weights_in(descr_of(a))
    t.m, t.n, t.each = taps.m, taps.n, taps.each
    t.starts, t.places = <intptr_t*>cnp.PyArray_DATA(starts), <intptr_t*>cnp.PyArray_DATA(places)
    t.weights = cnp.PyArray_DATA(weights)
    return True
