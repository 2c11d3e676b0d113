# Writing in place, and views after a write: docs/internals.md, Note [Versions and views].

cdef enum:
    NORMAL
    NO_GRAD
    INFERENCE
    FUNCTION

cdef tuple ORIGINS = (None, "no_grad", "inference", "function")


@cython.freelist(64)
cdef class View:
    """How a Tensor came to share memory: the root base, the step from the Tensor it was made of, and when."""

    cdef Tensor base
    cdef View parent
    cdef Row row
    cdef object options
    cdef int number       # which result of a multi-output row; -1: the only one
    cdef uint32_t seen    # the version at which the Tensor's node was right
    cdef int origin       # where it was made: NORMAL, or what bars it from another history

    def __dealloc__(self):
        bury_last(<PyObject*>self.parent)
        self.parent = None
        drain()


cdef inline int note_view(Tensor out, Tensor x, Row row, object options) except -1:
    cdef View view = View.__new__(View)
    view.parent = x.view
    view.base = x if x.view is None else x.view.base
    view.row, view.options, view.number = row, options, -1
    view.seen = out.a.root.version
    view.origin = NORMAL if view.parent is None else view.parent.origin
    if view.origin == NORMAL and not fg_grad_enabled:
        view.origin = INFERENCE if fg_thread.inference else NO_GRAD
    out.view = view
    return 0


cdef tuple chain_of(View view):
    """The steps from the base to the view, as rows `as_view` and `copy_slices` take them."""
    cdef list steps = []
    while view is not None:
        step = (view.row.op, full_options(view.row, view.options))
        steps.append(step if view.number < 0 else (*step, view.number))
        view = view.parent
    return tuple(steps[::-1])


cdef int refresh_view(Tensor t) except -1:
    """The base was written since `t` got its node: make it a view of the base as it is now."""
    cdef View view = t.view
    cdef Row row
    if not is_stale(t):
        view.seen = t.a.root.version
        return 0
    barred = barred_by(view)
    if barred is not None:
        raise _errors.view_written_elsewhere(*barred)
    wants_grad(view.base)
    row = row_named("as_view")
    replace_node(t, make_node(row, (view.base,), NULL, 1, t.a, {"chain": chain_of(view)}, False, 1))
    view.seen = t.a.root.version
    return 0


cdef bint is_stale(Tensor t) except? True:
    """Whether a view's history is not, or no longer, the one it should have."""
    cdef View view = t.view
    if view is None or view.seen == t.a.root.version or t.requires:
        return False
    return t.node is not None or takes_grad(t.a) and wants_grad(view.base)


cdef bint wants_some_grad(Tensor t) except? True:
    """`wants_grad`, also of a view that can be given no history."""
    return t.requires or t.node is not None or is_stale(t)


cdef tuple barred_by(View view):
    """What bars a view from being given another history, for `_errors`; None if nothing does."""
    if view.origin != NORMAL:
        return ORIGINS[view.origin], None
    maker = multi_step(view)
    return None if maker is None else ("multi", maker)


cdef int replace_node(Tensor t, Node node, uint32_t nr=0) except -1:
    """`node` is how t's memory came about now; a retained gradient is that of the new value."""
    cdef bint retains = stop_retaining(t)
    t.nr, t.requires = nr, False
    came_from(t, node)
    if retains:
        t.retain_grad()
    if t.is_grad:
        show_below(node)  # it hangs from a .grad, and may close a cycle
    return 0


cdef bint stop_retaining(Tensor t):
    """Whether t's gradient was to be retained, which t's present node will do no longer."""
    if t.node is None or not t.retains_grad:
        return False
    del t.node.extra.retains[t.nr]
    return True


cdef bint overlaps_itself(fg_array* a) noexcept:
    """Whether several elements are in one place, as `broadcast_to` has them."""
    cdef int i
    for i in range(a.ndim):
        if fg_strides(a)[i] == 0 and fg_shape(a)[i] > 1:
            return True
    return False


cdef int check_writeable(str name, Tensor t, unsigned int mask) except -1:
    """Raise where writing `t` in place is not allowed; `mask`: some operand wants a gradient."""
    cdef View view = t.view
    if not t.a.flags & FG_WRITEABLE:
        raise _errors.expanded_in_place(name) if view is not None and overlaps_itself(t.a) else _errors.read_only(name)
    if t.a.root.flags & FG_UNTRACKED and not fg_thread.inference:
        raise _errors.write_inference(name)
    if not fg_grad_enabled or not mask and (view is None or not wants_grad(view.base)):
        return 0  # no history is written
    if t.requires:
        raise _errors.leaf_in_place(name)
    if view is None:
        return 0
    if view.base.node is None and (view.base.requires or wants_some_grad(t)):
        raise _errors.view_of_leaf_in_place(name)
    barred = barred_by(view)
    if barred is not None:
        raise _errors.view_in_place(name, *barred)
    return 0


cdef str multi_step(View view):
    """The operation of several results that the view came through, if any."""
    while view is not None:
        if view.number >= 0:
            return view.row.name
        view = view.parent
    return None


cdef object inplace(object op, object target, tuple others, dict options):
    """``target = op(target, *others)``, written into target's memory."""
    cdef Row row = row_of(op)
    cdef Tensor t = <Tensor?>target
    cdef tuple operands
    cdef unsigned int mask
    cdef Node node = None, copied = None
    cdef Tensor result = None
    cls = lifted(others)
    if cls is None and "index" in options:
        cls = lifted_index(options)
    if cls is not None:
        return cls._inplace_op(op, target, others, options)
    operands = to_operands(row, (t, *others))
    if row.name == "setitem":
        operands = (t, to_tensor(operands[1], "setitem"))
    mask = wanted_mask(operands) if fg_grad_enabled else 0
    check_writeable(row.name, t, mask)
    if row.name == "setitem":
        values = to_nd((<Tensor>operands[1]).a)
        check_setitem(t, values, options["index"])
    else:
        result = in_place_result(row, t, operands, options)
    if mask and row.differentiable and takes_grad(t.a):
        if row.derived and not (result_is_fused(row, options)):
            raise _errors.not_in_place(row.name)
        node = in_place_node(row, operands, mask, t.a, options)
        refuse_untracked()
        keep_old_value(node, t.a)
        if fg_thread.special:
            pack_operands(node)
        if t.view is not None:
            copied = slices_node(t, node)
    if result is None:
        to_nd(t.a)[options["index"]] = values
    else:
        write(t.a, result.a)
    t.a.root.version += 1
    if node is not None:
        if node.saved[node.n.nin] != NULL:
            node.versions[node.n.nin] = t.a.root.version
        rebase(t, node, copied)
    return t


cdef int pack_operands(Node node) except -1:
    """Hand the saved operands to the hooks on saved values now: if one of those raises, nothing has been written."""
    cdef fg_array* out = node.saved[node.n.nin]
    node.saved[node.n.nin] = NULL
    try:
        note_special(node)
    finally:
        node.saved[node.n.nin] = out
    return 0


cdef bint result_is_fused(Row row, dict options):
    cdef Row variant = row.variant(options)
    return variant is not None and variant.fused


cdef Node in_place_node(Row row, tuple operands, unsigned int mask, fg_array* out, dict options):
    if row.derived:
        row = row.variant(options)
    return make_node(row, operands, NULL, mask, out, options, False, 1)


cdef int keep_old_value(Node node, fg_array* target) except -1:
    """Where the vjp reads what is about to be overwritten, it reads a copy."""
    cdef fg_array* copied
    if node.saved[0] != NULL and node.saved[0].root == target.root and node.saved[0].data != NULL:
        copied = copy_of(node.saved[0])
        fg_array_drop(node.saved[0])
        node.saved[0] = copied
        node.versions[0] = copied.root.version
    return 0


cdef int check_setitem(Tensor t, ndarray values, object index) except -1:
    """Raise NumPy's own error before anything is written."""
    cdef object part = to_nd(t.a)[index]
    if np.shape(part) != np.shape(values):
        if isinstance(index, np.ndarray) and index.dtype == bool and values.ndim == 0:
            return 0
        np.broadcast_to(values, np.shape(part)) if values.ndim <= np.ndim(part) else squeezed(values, part)
    return 0


cdef object squeezed(ndarray values, object part):
    """NumPy lets extra leading axes of length one pass."""
    extra = values.ndim - np.ndim(part)
    if any(n != 1 for n in np.shape(values)[:extra]):
        raise ValueError(f"setitem: could not broadcast shape {np.shape(values)} into shape {np.shape(part)}")
    return np.broadcast_to(np.reshape(values, np.shape(values)[extra:]), np.shape(part))


cdef Tensor in_place_result(Row row, Tensor t, tuple operands, dict options):
    """What is to be written, checked against the target."""
    cdef bint before = fg_thread.grad
    set_grad_mode(False)
    try:
        result = apply(row, operands, options)
    finally:
        set_grad_mode(before)
    if not is_tensor(result):
        raise _errors.not_in_place(row.name)
    if not same_shape((<Tensor>result).a, t.a):
        raise _errors.in_place_shape(row.name, shape_of(t.a), shape_of((<Tensor>result).a))
    if not np.can_cast(descr_of((<Tensor>result).a), descr_of(t.a), "same_kind"):
        raise _errors.in_place_dtype(row.name, descr_of(t.a), descr_of((<Tensor>result).a))
    return <Tensor>result


cdef int write(fg_array* to, fg_array* source) except -1:
    """Overwrite memory with a fresh result, cast."""
    if to.dtype == source.dtype and to.dtype != FG_OTHER and to.flags & source.flags & FG_ALIGNED:
        fg_copy(to, source)
    else:
        with quiet(False):
            np.copyto(to_nd(to), to_nd(source), casting="same_kind")
    return 0


cdef Node slices_node(Tensor t, Node node, uint32_t nr=0):
    """The node of a view's base after a write to the view, which `node` is: made before anything is written."""
    cdef Tensor base = t.view.base
    cdef Row row = row_named("copy_slices")
    cdef Node copied = new_node(row, 2, 1)
    copied.options = {"chain": chain_of(t.view)}
    copied.saved[1] = described(t.a)
    link_tensor(copied, 0, base)
    link(copied, 1, &node.n, nr)
    return copied


cdef int rebase(Tensor t, Node node, Node copied, uint32_t nr=0) except -1:
    """`node` is how t's memory now came about; of a view, `copied` is how its base's did."""
    cdef bint retained
    if t.view is None:
        return replace_node(t, node, nr)
    if fg_thread.special or anomaly:
        note_special(node)
    retained = stop_retaining(t)
    t.node, t.nr, t.requires = node, nr, False
    if node.shown:
        track(t)
    t.view.seen = t.a.root.version - 1  # its history follows from its base's
    replace_node(t.view.base, copied)
    refresh_view(t)
    if retained:
        t.retain_grad()
    return 0
