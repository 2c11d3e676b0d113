# The direct path of rowwise rows: forward and vjp, each one program of csrc/rows.c along axes that follow one another.

from libc.float cimport DBL_MAX, DBL_MIN, FLT_MAX, FLT_MIN
from libc.math cimport fabs


cdef Row EXP = row_named("exp")
cdef Row LOG = row_named("log")


ctypedef struct Lines:
    intptr_t outer, n, inner  # how a contiguous array is seen, to be reduced along n


cdef bint find_lines(fg_array* a, object axis, Lines* lines) except *:
    """False where the axes to be reduced do not make one, or where NumPy should judge them."""
    cdef bint reduced[FG_MAXDIMS]
    cdef intptr_t length
    cdef int i
    lines.outer = lines.n = lines.inner = 1
    if axis is None:
        lines.n = a.size
        return True
    if not reduced_axes(axis, a.ndim, reduced) or type(axis) is tuple and len(axis) == 0:
        return False
    for i in range(a.ndim):
        length = fg_shape(a)[i]
        if length == 1:
            continue
        if not reduced[i]:
            lines.inner *= length
        elif lines.n == 1 or lines.inner == 1:
            lines.outer *= lines.inner
            lines.inner = 1
            lines.n *= length
        else:
            return False
    return True


cdef object short_call(Row row, Tensor x, PyObject** values, tuple names):
    """A call with options by name alone, which does not need the row's `bind`; None where it does."""
    cdef dict options
    cdef Py_ssize_t i
    if not direct:
        return None
    if row.defaults is None:
        row.defaults = default_options(row)
    if row.defaults is False:
        return None
    options = <dict>row.defaults
    if names:
        options = options.copy()
        for i in range(len(names)):
            if names[i] not in options or not is_plain_or_axes(<object>values[i]):
                return None
            options[names[i]] = <object>values[i]
    if not row.rowwise:
        return apply_special(row, (x,), options)
    return apply_rows(row, (x,), options)


cdef object default_options(Row row):
    try:
        return row.op.bind(None)[1]
    except TypeError:  # there is one that must be given
        return False


cdef bint is_plain_or_axes(object value):
    if type(value) is not tuple:
        return is_plain(value)
    for item in <tuple>value:
        if type(item) is not int:
            return False
    return True


cdef object apply_rows(Row row, tuple operands, dict options):
    """None where the general path must serve: axes apart, memory in another order, another dtype."""
    cdef fg_array* a
    cdef Lines lines
    cdef Row variant
    if not is_tensor(operands[0]):
        return None
    a = fg_array_keep((<Tensor>operands[0]).a)
    try:
        if not is_real(a) or not a.flags & FG_CONTIGUOUS or a.size == 0 or not sums_alike(a):
            return None
        if not find_lines(a, options["axis"], &lines):
            return None
        variant = row.along(options)
        return None if variant is None else along_rows(variant, <Tensor>operands[0], a, &lines, options)
    finally:
        fg_array_drop(a)


cdef object along_rows(Row row, Tensor x, fg_array* a, Lines* lines, dict options):
    cdef Formula f = row.forward
    cdef fg_array* inputs[8]
    cdef fg_array* out
    cdef fg_array* count = NULL
    cdef Tensor result
    cdef Node node
    cdef fg_program* p
    cdef int i
    if f is None or f.nresults != 1 or f.vjp.kinds[0] != FG_COMPUTED:
        return None
    p = compiled_for(f, a.dtype)
    if p == NULL:
        return None
    out = new_like(a) if f.spread else per_row(a, options["axis"], options.get("keepdims"))
    result = new_tensor(out)
    try:
        count = weak_scalar(lines.n, a.dtype)
        for i in range(f.ninputs):
            inputs[i] = count if f.sources[i] == COUNT else a
        if is_softmax(row, lines):
            run_softmax(row, a, NULL, out, lines)
        else:
            run_rows(f, p, inputs, &out, a.size, lines)
    finally:
        fg_array_drop(count)
    if row.differentiable and fg_grad_enabled and wants_grad(x):
        node = new_node(row, 1, 1)
        node.direct = True
        node.options = options
        link_tensor(node, 0, x)
        if row.saves & 1:
            save(node, 0, a)
        else:
            node.saved[0] = like_of(a)
        if row.saves_out:
            save(node, 1, out)
        came_from(result, node)
    return result


cdef fg_array* per_row(fg_array* a, object axis, object keepdims) except NULL:
    """Room for one value for each row."""
    cdef intptr_t shape[FG_MAXDIMS]
    cdef bint reduced[FG_MAXDIMS]
    cdef int i, ndim = 0
    reduced_axes(axis, a.ndim, reduced)
    for i in range(a.ndim):
        if not reduced[i] or keepdims:
            shape[ndim] = 1 if reduced[i] else fg_shape(a)[i]
            ndim += 1
    return new_array(ndim, shape, a.dtype, a.itemsize)


cdef int run_rows(Formula f, fg_program* p, fg_array** inputs, fg_array** outputs, intptr_t size,
                  Lines* lines) except -1:
    cdef fg_status status
    if size >= RELEASE_GIL:
        if p.foreign:
            ask_foreign()
        hold(f.ninputs, inputs)
        with nogil:
            status = fg_program_run_rows(p, inputs, outputs, lines.outer, lines.n, lines.inner)
        let_go(f.ninputs, inputs)
    else:
        status = fg_program_run_rows(p, inputs, outputs, lines.outer, lines.n, lines.inner)
    if status != FG_OK:
        raise MemoryError
    return 0 if PyErr_Occurred() == NULL else -1


cdef bint rows_vjp(fg_run* run, Node node, fg_array* g) except *:
    """The vjp of a node that `along_rows` made; False where a saved value does not suit."""
    cdef Formula f = node.row.formula(1)
    cdef fg_array* like = node.saved[0]
    cdef fg_array* inputs[8]
    cdef fg_array* whole = NULL
    cdef fg_array* count = NULL
    cdef fg_array* result = NULL
    cdef fg_array* a
    cdef fg_program* p
    cdef Lines lines
    cdef int i
    cdef bint mine = fg_array_unshared(g), exact = False
    if f is None or f.vjp.kinds[0] != FG_COMPUTED or g.dtype != like.dtype:
        return False
    if f.program.normal and not all_normal(node.saved[1]):
        if node.row.code != PROD:
            return False
        exact = True
    p = compiled_for(f, g.dtype)
    if p == NULL or not find_lines(like, (<dict>node.options)["axis"], &lines):
        return False
    try:
        whole = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
        count = weak_scalar(lines.n, g.dtype)
        for i in range(f.ninputs):
            if f.sources[i] == G:
                a = whole
            elif f.sources[i] == COUNT:
                a = count
            else:
                a = node.saved[1 if f.sources[i] == OUT else 0]
            if a == NULL or a.data == NULL or a.dtype != g.dtype or not a.flags & FG_CONTIGUOUS \
                    or not a.flags & FG_ALIGNED:
                return False
            inputs[i] = a
        if not exact and p.reuse_output == 0 and same_shape(whole, like) and (mine or whole != g):
            result = fg_array_keep(whole)
        else:
            result = new_like(like)
        if exact:
            product_of_others(like, whole, result, &lines)
        elif node.row.code == EXTREMUM and 1 < lines.outer * lines.inner and lines.n <= FG_EXACT:
            shares_of_extrema(like, node.saved[1], whole, result, &lines)
        elif is_softmax(node.row, &lines):
            run_softmax(node.row, node.saved[1], whole, result, &lines)
        else:
            run_rows(f, p, inputs, &result, like.size, &lines)
        send(run, node.n.edges[0], fg_array_keep(result))
        return True
    finally:
        fg_array_drop(whole)
        fg_array_drop(count)
        fg_array_drop(result)


cdef bint is_softmax(Row row, Lines* lines) noexcept:
    """Whether csrc/softmax.c has a loop for it: single lines that are long are shared out by rows.c."""
    return (row.code == SOFTMAX or row.code == LOG_SOFTMAX) and (lines.inner > 1 or lines.n <= FG_SOFTMAX_LINE)


cdef int run_softmax(Row row, fg_array* x, fg_array* g, fg_array* to, Lines* lines) except -1:
    """Its forward or, given the cotangent g, its vjp."""
    cdef fg_softmax f
    f.outer, f.n, f.inner, f.dtype, f.logs = lines.outer, lines.n, lines.inner, x.dtype, row.code == LOG_SOFTMAX
    f.exp, f.log = EXP.loops[x.dtype], LOG.loops[x.dtype]
    f.x, f.g, f.to = x.data, NULL if g == NULL else g.data, to.data
    if x.size < RELEASE_GIL:
        run_softmax_of(&f)
        return 0
    hold(1, &x)
    with nogil:
        run_softmax_of(&f)
    let_go(1, &x)
    return 0


cdef inline void run_softmax_of(fg_softmax* f) noexcept nogil:
    if f.g == NULL:
        fg_softmax_forward(f)
    else:
        fg_softmax_vjp(f)


cdef int product_of_others(fg_array* x, fg_array* g, fg_array* result, Lines* lines) except -1:
    """The vjp of `prod` where it must not divide."""
    if x.size < RELEASE_GIL:
        fg_products_of_others(x, g, result, lines.outer, lines.n, lines.inner)
        return 0
    hold(1, &x)
    with nogil:
        fg_products_of_others(x, g, result, lines.outer, lines.n, lines.inner)
    let_go(1, &x)
    return 0


cdef int shares_of_extrema(fg_array* x, fg_array* out, fg_array* g, fg_array* result, Lines* lines) except -1:
    """The vjp of `max` and `min`; of a single line the program is shared out to threads."""
    if x.size < RELEASE_GIL:
        fg_extrema_vjp(x, out, g, result, lines.n, lines.inner)
        return 0
    hold_pair(x, out)
    with nogil:
        fg_extrema_vjp(x, out, g, result, lines.n, lines.inner)
    fg_array_drop(x)
    fg_array_drop(out)
    return 0


cdef bint all_normal(fg_array* a) noexcept:
    """Whether there is no zero, subnormal number, infinity or nan in a contiguous array."""
    cdef intptr_t i
    for i in range(a.size):
        if a.dtype == FG_FLOAT32:
            if not FLT_MIN <= fabs((<float*>a.data)[i]) <= FLT_MAX:
                return False
        elif not DBL_MIN <= fabs((<double*>a.data)[i]) <= DBL_MAX:
            return False
    return True
