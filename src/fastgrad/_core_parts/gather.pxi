# The direct path of indices that hold arrays: integer arrays side by side, or one mask. Each function gives None, NULL
# or False where the general path must serve.

cdef class Picks:
    """What such an index picks of an array: the part of a node that stands for the index."""

    cdef fg_array* places  # of the shape that the arrays have: numbers into the axes they index, taken as one
    cdef fg_array* like    # the shape of the array that is picked from
    cdef int axis, naxes   # which axes those are

    def __dealloc__(self):
        fg_array_drop(self.places)
        fg_array_drop(self.like)

    cdef fg_picks geometry(self) noexcept:
        cdef fg_picks p
        cdef int i
        p.places, p.count = <intptr_t*>self.places.data, self.places.size
        p.outer = p.n = p.inner = 1
        for i in range(self.like.ndim):
            if i < self.axis:
                p.outer *= fg_shape(self.like)[i]
            elif i < self.axis + self.naxes:
                p.n *= fg_shape(self.like)[i]
            else:
                p.inner *= fg_shape(self.like)[i]
        return p

    cdef dict options(self, Row row):
        """What the row's own formula is given: an index that says the same."""
        cdef tuple shape = shape_of(self.like)
        arrays = np.unravel_index(to_nd(self.places), shape[self.axis:self.axis + self.naxes])
        index = Index((*[slice(None)] * self.axis, *arrays, Ellipsis))
        return {"index": index} if row.code == GETITEM else {"shape": shape, "index": index}


cdef Picks picks_of(fg_array* a, object index):
    """The picks of an index into an array of a's shape."""
    cdef int before = 0, behind = 0, naxes = 0, stage = 0  # of the items: before the arrays, among them, behind
    cdef bint dots = False, dots_before = False
    cdef ndarray nd, model = None
    cdef list arrays
    if type(index) is Picks:
        return <Picks>index
    arrays = []
    for item in index if isinstance(index, tuple) else (index,):
        if item is Ellipsis or type(item) is slice and is_whole(item):
            if stage == 1:
                stage = 2
            if item is not Ellipsis:
                if stage:
                    behind += 1
                else:
                    before += 1
            elif dots:
                return None
            else:
                dots, dots_before = True, stage == 0
            continue
        if stage == 2:
            return None
        stage = 1
        if type(item) is int:
            naxes += 1
        else:
            if is_tensor(item):
                item = to_nd((<Tensor>item).a)
            if type(item) is not ndarray or not picks_places(<ndarray>item):
                return None
            nd = <ndarray>item
            if model is not None and (is_mask(nd) or is_mask(model) or not np_same_shape(model, nd)):
                return None
            model = nd
            naxes += cnp.PyArray_NDIM(nd) if is_mask(nd) else 1
        arrays.append(item)
    if model is None or before + naxes + behind > a.ndim or is_mask(model) and len(arrays) > 1:
        return None
    return joined(a, a.ndim - naxes - behind if dots_before else before, naxes, arrays, model)


cdef bint is_whole(object item) noexcept:
    cdef SliceMembers* s = <SliceMembers*><PyObject*>item
    return s.start == <PyObject*>None and s.stop == <PyObject*>None and s.step == <PyObject*>None


cdef inline bint is_mask(ndarray nd) noexcept:
    return cnp.PyArray_TYPE(nd) == cnp.NPY_BOOL


cdef inline bint picks_places(ndarray nd) noexcept:
    """Whether it is a mask, or integers of 4 or 8 bytes: in C order, and as the machine has them."""
    cdef int code = cnp.PyArray_TYPE(nd)
    if not cnp.PyArray_ISCARRAY_RO(nd) or cnp.PyArray_NDIM(nd) == 0 or cnp.PyArray_SIZE(nd) == 0:
        return False
    return code == cnp.NPY_BOOL or code == cnp.NPY_INT or code == cnp.NPY_LONG or code == cnp.NPY_LONGLONG


cdef bint np_same_shape(ndarray x, ndarray y) noexcept:
    cdef int i
    if cnp.PyArray_NDIM(x) != cnp.PyArray_NDIM(y):
        return False
    for i in range(cnp.PyArray_NDIM(x)):
        if cnp.PyArray_DIMS(x)[i] != cnp.PyArray_DIMS(y)[i]:
            return False
    return True


cdef Picks joined(fg_array* a, int axis, int naxes, list arrays, ndarray model):
    """The places that the arrays and numbers in `arrays` give together."""
    cdef Picks picks = Picks.__new__(Picks)
    cdef int i
    cdef intptr_t count, number
    cdef intptr_t* n = fg_shape(a) + axis
    picks.axis, picks.naxes = axis, naxes
    if is_mask(model):
        for i in range(naxes):
            if cnp.PyArray_DIMS(model)[i] != n[i]:
                return None
        count = fg_mask_count(<uint8_t*>cnp.PyArray_BYTES(model), cnp.PyArray_SIZE(model))
        if count == 0:
            return None
        picks.places = new_array(1, &count, cnp.NPY_INTP, sizeof(intptr_t))
        fg_mask_places(<intptr_t*>picks.places.data, count, <uint8_t*>cnp.PyArray_BYTES(model))
    else:
        picks.places = new_array(cnp.PyArray_NDIM(model), <intptr_t*>cnp.PyArray_DIMS(model), cnp.NPY_INTP,
                                 sizeof(intptr_t))
        for i in range(naxes):
            item = arrays[i]
            if type(item) is int:
                if not -n[i] <= item < n[i]:
                    return None
                number = item
                fg_places_join(<intptr_t*>picks.places.data, picks.places.size, &number, sizeof(intptr_t), 0, n[i], i)
            elif not fg_places_join(<intptr_t*>picks.places.data, picks.places.size, cnp.PyArray_BYTES(<ndarray>item),
                                    cnp.PyArray_ITEMSIZE(<ndarray>item), 1, n[i], i):
                return None
    picks.like = like_of(a)
    return picks


def all_below(ndarray numbers not None, Py_ssize_t n):
    """Whether all integers of an array are from 0 to n - 1."""
    if not picks_places(numbers) or is_mask(numbers):
        return bool(((numbers >= 0) & (numbers < n)).all())
    return fg_all_below(cnp.PyArray_BYTES(numbers), cnp.PyArray_ITEMSIZE(numbers), cnp.PyArray_SIZE(numbers), n)


# ---------------------------------------------------------------- forward

cdef object pick(Row row, Tensor x, object index):
    """x[index], recorded."""
    cdef fg_array* a = fg_array_keep(x.a)
    cdef Picks picks
    try:
        if not a.flags & FG_CONTIGUOUS or not a.flags & FG_ALIGNED or a.size == 0:
            return None
        picks = picks_of(a, index)
        return None if picks is None else picked(row, x, a, picks)
    finally:
        fg_array_drop(a)


cdef object picked(Row row, Tensor x, fg_array* a, Picks picks):
    """What is picked of `a`, the array of x; recorded."""
    cdef Tensor out
    cdef Node node
    if a.ndim - picks.naxes + picks.places.ndim > FG_MAXDIMS:
        return None
    out = new_tensor(gathered(picks, a))
    if fg_grad_enabled and wants_grad(x) and takes_grad(a):
        node = new_node(row, 1, 1)
        node.saved[0] = fg_array_keep(picks.like)
        node.options = picks
        link_tensor(node, 0, x)
        came_from(out, node)
    return out


cdef fg_array* gathered(Picks picks, fg_array* a) except NULL:
    """What is picked of `a`, in the memory order that NumPy gives it."""
    cdef fg_picks p = picks.geometry()
    cdef fg_array* r = room_for(picks, a.dtype, a.itemsize)
    if r.size >= RELEASE_GIL:
        fg_array_keep(a)
        with nogil:
            fg_gather(&p, r.data, a.data, a.itemsize)
        fg_array_drop(a)
    else:
        fg_gather(&p, r.data, a.data, a.itemsize)
    return r


cdef fg_array* room_for(Picks picks, int code, uint32_t itemsize) except NULL:
    """Axes of the arrays come first in memory, wherever they are in the shape."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef int order[FG_MAXDIMS]
    cdef int i, k, own = picks.places.ndim, ndim = picks.like.ndim - picks.naxes + own
    cdef intptr_t step = itemsize
    cdef fg_array* like
    cdef fg_array* r
    for i in range(picks.axis):
        shape[i] = fg_shape(picks.like)[i]
    for i in range(own):
        shape[picks.axis + i] = fg_shape(picks.places)[i]
    for i in range(picks.axis + own, ndim):
        shape[i] = fg_shape(picks.like)[i - own + picks.naxes]
    if picks.axis == 0:
        return new_array(ndim, shape, code, itemsize)
    for i in range(ndim):
        order[i] = picks.axis + i if i < own else i - own if i < picks.axis + own else i
    like = fg_array_like(ndim, shape, code, itemsize)
    if like == NULL:
        raise MemoryError
    for k in range(ndim - 1, -1, -1):
        fg_strides(like)[order[k]] = step
        step *= shape[order[k]]
    r = fg_array_new_kept(1, &like, ndim, shape, code, itemsize)
    fg_array_drop(like)
    if r == NULL:
        raise MemoryError
    return r


# ---------------------------------------------------------------- backward

cdef bint is_picked(Picks picks, fg_array* g) noexcept:
    """Whether `g` has the shape of what is picked."""
    cdef int i, own = picks.places.ndim
    if g.ndim != picks.like.ndim - picks.naxes + own:
        return False
    for i in range(g.ndim):
        if fg_shape(g)[i] != (fg_shape(picks.like)[i] if i < picks.axis else
                              fg_shape(picks.places)[i - picks.axis] if i < picks.axis + own else
                              fg_shape(picks.like)[i - own + picks.naxes]):
            return False
    return True


cdef bint one_stride(fg_array* a, int first, int last, intptr_t* stride) noexcept:
    """The stride of axes `first` to `last` taken as one; False where they have none."""
    cdef int i
    cdef intptr_t n = 1
    stride[0] = 0
    for i in range(last - 1, first - 1, -1):
        if fg_shape(a)[i] == 1:
            continue
        if n == 1:
            stride[0] = fg_strides(a)[i]
        elif fg_strides(a)[i] != stride[0] * n:
            return False
        n *= fg_shape(a)[i]
    return True


cdef bint add_at(Picks picks, fg_array* into, fg_array* g) except *:
    """Add `g`, real like the array in C order that it goes into; False where it has not the shape of what is picked."""
    cdef fg_picks p = picks.geometry()
    cdef intptr_t strides[3]
    cdef int axis = picks.axis, end = picks.axis + picks.places.ndim
    if not is_picked(picks, g):
        return False
    if one_stride(g, 0, axis, &strides[0]) and one_stride(g, axis, end, &strides[1]) \
            and one_stride(g, end, g.ndim, &strides[2]):
        fg_array_keep(g)
    else:
        g = copy_of(g)
        strides[0], strides[1], strides[2] = p.count * p.inner * g.itemsize, p.inner * g.itemsize, g.itemsize
    if p.inner == 1:
        strides[2] = g.itemsize
    if g.size >= RELEASE_GIL:
        fg_array_keep(into)
        with nogil:
            fg_scatter_add(&p, into.data, g.data, strides, g.dtype)
        fg_array_drop(into)
    else:
        fg_scatter_add(&p, into.data, g.data, strides, g.dtype)
    fg_array_drop(g)
    return True


# ---------------------------------------------------------------- along an axis

cdef object take_along(Row row, tuple operands, dict options):
    """`take_along_axis`, of numbers that have but for the axis the shape of what is picked from."""
    cdef fg_array* parts[2]
    cdef fg_along p
    cdef Tensor out
    parts[0], parts[1] = fg_array_keep((<Tensor>operands[0]).a), fg_array_keep((<Tensor>operands[1]).a)
    try:
        if not is_real(parts[0]) or not parts[0].flags & FG_CONTIGUOUS or not along_of(parts[1], parts[0], options, &p):
            return None
        out = new_tensor(new_array(parts[1].ndim, fg_shape(parts[1]), parts[0].dtype, parts[0].itemsize))
        if not run_along(True, &p, out.a, parts[0]):
            return None
        record_arrays(row, operands, parts, out, options, True)
        return out
    finally:
        fg_array_drop(parts[0])
        fg_array_drop(parts[1])


cdef bint along_of(fg_array* numbers, fg_array* like, dict options, fg_along* p) noexcept:
    """False where the general path must serve."""
    cdef int i, axis
    axis = axis_of(options["axis"], like.ndim) if type(options["axis"]) is int else -1
    if axis < 0 or numbers.ndim != like.ndim or numbers.size == 0 or like.size == 0:
        return False
    if numbers.itemsize != sizeof(int64_t) or numbers.dtype != cnp.NPY_LONG and numbers.dtype != cnp.NPY_LONGLONG:
        return False
    if not numbers.flags & FG_CONTIGUOUS or not numbers.flags & FG_ALIGNED:
        return False
    for i in range(like.ndim):
        if i != axis and fg_shape(numbers)[i] != fg_shape(like)[i]:
            return False
    lines_of(like, options["axis"], &p.n, &p.inner)
    p.numbers, p.length = <int64_t*>numbers.data, fg_shape(numbers)[axis]
    p.outer = like.size // (p.n * p.inner)
    return True


cdef bint run_along(bint takes, fg_along* p, fg_array* to, fg_array* source) except? True:
    """Pick, or give back; False where a number is out of bounds. Who calls keeps the numbers."""
    cdef bint ok
    if max(to.size, source.size) >= RELEASE_GIL:
        hold_pair(to, source)
        with nogil:
            ok = (fg_take_along if takes else fg_give_along)(p, to.data, source.data, to.dtype)
        fg_array_drop(to)
        fg_array_drop(source)
        return ok
    return (fg_take_along if takes else fg_give_along)(p, to.data, source.data, to.dtype)


cdef bint take_along_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """False where the general path must serve."""
    cdef fg_array* like = node.saved[0] if node.saved[0] != NULL else g
    cdef fg_array* numbers = node.saved[1]
    cdef fg_array* dense
    cdef fg_array* r = NULL
    cdef fg_along p
    if numbers == NULL or numbers.data == NULL or like.dtype != g.dtype \
            or not along_of(numbers, like, node_options(node), &p) or not same_shape(g, numbers):
        return False
    dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    fg_array_keep(numbers)
    try:
        r = new_like(like)
        if not run_along(False, &p, r, dense):
            return False
        send(run, node.n.edges[0], fg_array_keep(r))
    finally:
        fg_array_drop(numbers)
        fg_array_drop(dense)
        fg_array_drop(r)
    return True
