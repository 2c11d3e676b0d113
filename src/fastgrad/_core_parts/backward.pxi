# One run through the graph: docs/internals.md, Note [Backward]. csrc/graph.c decides the order; here a node's
# cotangents are computed. A cotangent is an fg_array, or an object: with create_graph a Tensor, and in a batched run
# a value that stands for many.

@cython.freelist(4)
cdef class Backward:
    """The state of one run."""

    cdef bint create_graph, keep
    cdef bint plain          # bare arrays into all leaves: what most runs are
    cdef bint objects        # cotangents are Python objects, not bare arrays
    cdef bint accumulates    # into .grad; not so in `grad`
    cdef bint restricted     # to what leads to some inputs
    cdef dict captures       # (node address, output number) -> position among the wanted inputs
    cdef list captured
    cdef object error


cdef fg_status run_apply(void* context, fg_run* run, fg_node* n, void** grads) noexcept:
    # Cython readies itself for what a `try` may catch, which costs more than a node: errors are fetched afterwards
    cdef int failed
    if n.seq == FG_SEQ_LEAF:
        failed = (<int (*)(Backward, fg_run*, fg_node*, void**) noexcept>apply_leaf)(<Backward>context, run, n, grads)
    else:
        failed = (<int (*)(Backward, fg_run*, Node, void**) noexcept>apply_node)(
            <Backward>context, run, <Node>container(n), grads)
    return FG_OK if failed == 0 else raised(<Backward>context)


cdef fg_status raised(Backward b) noexcept:
    """Keep the error that is set."""
    try:
        raise_set()
    except SendFailed:
        pass
    except BaseException as error:
        b.error = error
    return FG_RAISED


cdef int raise_set() except -1:
    return -1


cdef fg_status run_poll(void* context) noexcept:
    cdef Backward b = <Backward>context
    try:
        PyErr_CheckSignals()
        if fg_thread.cancelled != NULL and len(<list>fg_thread.cancelled):
            raise (<list>fg_thread.cancelled)[0]
        return FG_OK
    except BaseException as error:
        b.error = error
        return FG_RAISED


cdef fg_status merge_arrays(void* context, void** held, void* more) noexcept:
    cdef Backward b = <Backward>context
    cdef fg_array* a = <fg_array*>held[0]
    cdef fg_array* c = <fg_array*>more
    cdef fg_loop* add = add_loop(a.dtype)
    if add != NULL and direct and a.dtype == c.dtype and a.flags & c.flags & FG_ALIGNED:
        return fg_accumulate(<fg_array**>held, c, add)
    try:
        with quiet(is_large(a)):
            total = np.add(to_nd(a), to_nd(c))
        held[0] = wrap_nd(np.asarray(total))
        fg_array_drop(a)
        fg_array_drop(c)
        return FG_OK
    except BaseException as error:
        fg_array_drop(c)
        b.error = error
        return FG_RAISED


cdef fg_status merge_objects(void* context, void** held, void* more) noexcept:
    cdef Backward b = <Backward>context
    cdef object x = <object>held[0]
    cdef object y = <object>more
    Py_DECREF(y)  # y holds it for this call
    try:
        total = apply_binary(ADD, x, y) if is_tensor(x) and is_tensor(y) else ADD.op(x, y)
        Py_INCREF(total)
        held[0] = <void*>total
        Py_DECREF(x)
        return FG_OK
    except BaseException as error:
        b.error = error
        return FG_RAISED


cdef void drop_array(void* grad) noexcept:
    fg_array_drop(<fg_array*>grad)


cdef void drop_object(void* grad) noexcept:
    Py_DECREF(<object>grad)


cdef c_bool is_hungry(fg_node* n) noexcept:
    """Whether a node's hooks, or the custom backward it is, are called though no gradient reached it."""
    cdef Extra extra = (<Tensor>owner_of(n)).extra if n.seq == FG_SEQ_LEAF else node_of(n).extra
    return extra is not None and (extra.special or extra.hooks is not None)


cdef fg_run_ops array_ops = [run_apply, merge_arrays, drop_array, run_poll, is_hungry]
cdef fg_run_ops object_ops = [run_apply, merge_objects, drop_object, run_poll, is_hungry]


# ---------------------------------------------------------------- cotangents, in either form

cdef void* as_grad(Backward b, object t) except? NULL:
    """A Tensor or other object as a cotangent, a new reference; NULL for None."""
    if t is None:
        return NULL
    if b.objects:
        Py_INCREF(t)
        return <void*>t
    return fg_array_keep((<Tensor?>t).a)


cdef object as_object(Backward b, void* grad):
    """A cotangent (borrowed) as an object; None for NULL."""
    if grad == NULL:
        return None
    if b.objects:
        return <object>grad
    return tracked(new_tensor(fg_array_keep(<fg_array*>grad)))


cdef inline void drop(Backward b, void* grad) noexcept:
    if grad != NULL:
        if b.objects:
            drop_object(grad)
        else:
            drop_array(grad)


cdef int capture(Backward b, fg_node* n, uint32_t nr, void* grad) except -1:
    """Keep the cotangent of a wanted input."""
    position = b.captures.get((<uintptr_t>n, nr))
    if position is not None:
        b.captured[position] = private(b, grad)
    return 0


cdef object private(Backward b, void* grad):
    """A cotangent as a Tensor whose memory nobody else sees. An object, which may have a graph, stays as it is."""
    cdef fg_array* a
    if grad == NULL:
        return None
    if b.objects:
        return <object>grad
    a = <fg_array*>grad
    return new_tensor(fg_array_keep(a) if fg_array_unshared(a) and a.flags & FG_CONTIGUOUS else copy_of(a))


cdef Tensor tracked(Tensor t):
    track(t)
    return t


# ---------------------------------------------------------------- leaves

cdef int apply_leaf(Backward b, fg_run* run, fg_node* n, void** grad) except -1:
    """Run the leaf's hooks, then keep the cotangent or add it into ``.grad``. Consumes `grad`."""
    cdef Tensor leaf = <Tensor>(<fg_sink*>n).tensor
    cdef Extra extra = leaf.extra
    cdef list given
    try:
        if extra is not None and extra.hooks is not None:
            run_hooks(b, <dict>extra.hooks.get(0, {}), grad)
        if b.captures is not None:
            capture(b, n, 0, grad[0])
        if not b.accumulates or b.restricted and not fg_run_wanted(run, n):
            return 0
        if extra is not None and extra.prehooks:
            given = run_prehooks("AccumulateGrad", extra.prehooks, [as_object(b, grad[0])])
            replace(b, &grad[0], given[0])
        if grad[0] != NULL and leaf.node is not None:
            raise _errors.leaf_moved()
        if grad[0] != NULL and leaf.requires:
            accumulate(b, leaf, grad[0])
        if extra is None:
            return 0
        if extra.post_accumulate:
            for hook in list(extra.post_accumulate.values()):
                result = hook(leaf)
                if result is not None:
                    raise _errors.post_accumulate_result(result)
        if extra.posthooks:
            run_posthooks("AccumulateGrad", extra.posthooks, [], [as_object(b, grad[0])])
    finally:
        drop(b, grad[0])
        grad[0] = NULL
    return 0


cdef int accumulate(Backward b, Tensor leaf, void* grad) except -1:
    """``leaf.grad += grad``: in place without a graph, anew with one.

    What takes long lets other threads run, which may add to the same leaf: nothing is decided before, or lost after it.
    """
    cdef Tensor held
    if not b.objects and not same_shape(<fg_array*>grad, leaf.a):  # somebody gave it other data
        raise _errors.grad_shape(leaf.shape, shape_of(<fg_array*>grad))
    if not b.objects and is_complex((<fg_array*>grad).dtype) and not is_complex(type_number(leaf.a)):
        raise _errors.grad_dtype(leaf.dtype, descr_of(<fg_array*>grad))
    if leaf._grad is None:
        mine = private(b, grad)
        if leaf._grad is None:
            return set_grad(leaf, <Tensor?>mine)
    held = <Tensor>leaf._grad
    if not same_shape(held.a, leaf.a):
        raise _errors.grad_shape(leaf.shape, held.shape)
    if held.a.root.flags & FG_UNTRACKED and not fg_thread.inference:
        raise _errors.write_inference("backward")
    if not b.objects and adds_at_once(held.a, <fg_array*>grad):
        add_into(held.a, <fg_array*>grad)
        held.a.root.version += 1
        return 0
    with accumulating:
        held = <Tensor>leaf._grad
        if held is None:
            return set_grad(leaf, <Tensor?>private_copy(b, grad))
        if b.objects or not held.a.flags & FG_WRITEABLE:
            return set_grad(leaf, <Tensor?>ADD.op(held, as_object(b, grad)))
        add_into(held.a, <fg_array*>grad)
        held.a.root.version += 1
    return 0


accumulating = RLock()  # one thread at a time adds to the gradients of leaves


cdef int set_grad(Tensor t, Tensor g) except -1:
    """``t.grad = g``, which with a graph may close a cycle."""
    t._grad = g
    g.is_grad = True
    if g.node is not None or g.view is not None or t.node is not None:
        track(t)
        track(g)
    if g.node is not None:
        show_below(g.node)
    return 0


cdef inline bint adds_directly(fg_array* to, fg_array* more) noexcept:
    return (add_loop(to.dtype) != NULL and direct and to.dtype == more.dtype
            and to.flags & more.flags & FG_ALIGNED != 0 and to.root != more.root)


cdef inline bint adds_at_once(fg_array* to, fg_array* more) noexcept:
    """Whether `add_into` lets no other thread run."""
    return to.size < RELEASE_GIL and to.flags & FG_WRITEABLE != 0 and adds_directly(to, more)


cdef int add_into(fg_array* to, fg_array* more) except -1:
    """to += more, in place."""
    cdef fg_array* args[3]
    cdef fg_loop* add = add_loop(to.dtype)
    if adds_directly(to, more):
        args[0], args[1], args[2] = to, more, to
        return run_loop(add, 3, args, to.size)
    nd = to_nd(to)
    with quiet(False):
        np.add(nd, to_nd(more), out=nd, casting="same_kind")
    return 0


# ---------------------------------------------------------------- nodes

cdef int apply_node(Backward b, fg_run* run, Node node, void** grads) except -1:
    """Hooks, captures, then the vjp. Consumes `grads`."""
    cdef uint32_t i
    cdef bint needed = False, busy = False, special = b.objects or anomaly
    if node.vjp != NULL and node.extra is None and b.plain and not special and apply_light(run, node, grads):
        if not b.keep:
            release_saved(node)
        return 0
    try:
        for i in range(node.n.nin):
            if fg_run_needs(run, node.n.edges[i]):
                needed = True
        if node.extra is not None or b.captures is not None:
            attend(b, node, grads, needed)
            special = special or node.extra is not None and node.extra.special
        if not needed and not (b.accumulates and (not b.restricted or fg_run_wanted(run, &node.n))):
            return 0
        if not special:
            check_saved(node)
        node.busy += 1
        busy = True
        if special:
            apply_objects(b, run, node, grads, needed)
        elif not needed or node.extra is not None and none_of(node, grads):
            for i in range(node.n.nin):
                send(run, node.n.edges[i], NULL)
        elif node.row.multi:
            if not (direct and node.row.code != PLAIN and blocks_vjp(run, node, <fg_array**>grads)):
                formula_arrays(run, node, <fg_array**>grads)
        else:
            apply_arrays(b, run, node, <fg_array**>grads)
        if not b.keep:
            release_saved(node)  # once no run is busy with it, this one included
            if node.extra is not None and isinstance(node, FunctionNode):
                node._release()
    finally:
        if busy:
            node.busy -= 1
            if node.busy == 0 and node.release_later:
                node.release_later = False
                release_saved(node)
        for i in range(node.n.nout):
            if grads[i] != NULL:
                drop(b, grads[i])
                grads[i] = NULL
    return 0


cdef inline bint apply_light(fg_run* run, Node node, void** grads) except? True:
    """The vjp as a program on few elements, which nothing in Python sees; False where it is more than that."""
    cdef fg_array* g = <fg_array*>grads[0]
    cdef fg_status status
    cdef int code
    if not direct or not node.direct or g == NULL or g.size >= RELEASE_GIL or node.freed:
        return False
    code = g.dtype
    if not fg_vjp_run(node.vjp, run, &node.n, node.saved, node.versions, g, add_loop(g.dtype), &status):
        return False
    grads[0] = NULL
    sent(status)
    if node.vjp.ncomputed and node.vjp.programs[code - FG_FLOAT32].foreign and PyErr_Occurred() != NULL:
        raise_set()
    return True


cdef inline bint none_of(Node node, void** grads) noexcept:
    """Whether no cotangent came: a hook alone had the node called."""
    cdef uint32_t i
    for i in range(node.n.nout):
        if grads[i] != NULL:
            return False
    return True


cdef int attend(Backward b, Node node, void** grads, bint needed) except -1:
    """Tensor hooks, retained gradients and captures, for each output.

    A gradient captured where the run goes on is what arrived, as in PyTorch; where it ends, what the hooks made of it.
    """
    cdef uint32_t i
    cdef Extra extra = node.extra
    for i in range(node.n.nout if b.captures is not None and needed else 0):
        capture(b, &node.n, i, grads[i])
    if extra is not None and extra.hooks is not None:
        for nr, hooks in list(extra.hooks.items()):  # the result that was first given a hook comes first
            run_hooks(b, <dict>hooks, &grads[<uint32_t>nr])
    for i in range(node.n.nout):
        if extra is not None and extra.retains is not None and i in extra.retains and grads[i] != NULL:
            retain(b, extra.retains[i](), grads[i])
        if b.captures is not None and not needed:
            capture(b, &node.n, i, grads[i])
    return 0


cdef int retain(Backward b, object tensor, void* grad) except -1:
    """``.grad`` of an inner Tensor whose gradient is kept; a new Tensor each time."""
    cdef Tensor t
    if tensor is None or b.objects and not is_tensor(<object>grad):
        return 0
    t = <Tensor>tensor
    with accumulating:
        if t._grad is None:
            return set_grad(t, <Tensor?>private_copy(b, grad))
        return set_grad(t, <Tensor?>ADD.op(t._grad, as_object(b, grad)))


cdef object private_copy(Backward b, void* grad):
    if b.objects:
        return <object>grad
    return tracked(new_tensor(copy_of(<fg_array*>grad)))


cdef int check_saved(Node node) except -1:
    """Every value the vjp reads must be there, and be what it was."""
    cdef uint32_t i
    cdef fg_array* a
    if node.freed:
        raise _errors.freed(node.name())
    for i in range(node.n.nin + 1):
        a = node.saved[i]
        if a != NULL and a.data != NULL and a.root.version != node.versions[i]:
            name = "out" if i == node.n.nin else operand_name(node.row, i)
            raise _errors.modified(node.name(), name, descr_of(a), shape_of(a), node.versions[i], a.root.version,
                                   origin_of(node))
    return 0


cdef object origin_of(Node node):
    """Where the node was made, if anomaly mode was on then."""
    cdef Extra extra = node.extra
    return None if extra is None or extra.metadata is None else extra.metadata.get("traceback_")


cdef str operand_name(Row row, int i):
    return f"{row.op.operands[0]}[{i}]" if row.variadic else row.op.operands[i]


cdef inline int send(fg_run* run, fg_edge edge, void* grad_take) except -1:
    """Pass a cotangent on."""
    return sent(fg_run_send(run, edge, grad_take))


cdef inline int sent(fg_status status) except -1:
    """What failed where a cotangent was sent is raised from here by way of the run."""
    if status == FG_NOMEM:
        raise MemoryError
    if status != FG_OK:
        raise SendFailed
    return 0


class SendFailed(Exception):
    """A merge failed; the error is in the run."""


cdef int send_fitted(fg_run* run, Node node, int i, fg_array* r_take) except -1:
    """Send a cotangent of the result's shape and type on edge `i`, summed to the operand's shape."""
    cdef fg_array* like = node.saved[i]
    cdef fg_array* fitted
    cdef fg_status status
    if like == NULL or same_shape(like, r_take):
        return send(run, node.n.edges[i], r_take)
    status = fg_sum_to(r_take, like, add_loop(r_take.dtype), &fitted)
    if status != FG_OK:
        raise MemoryError
    return send(run, node.n.edges[i], fitted)


cdef int apply_arrays(Backward b, fg_run* run, Node node, fg_array** grads) except -1:
    """The vjp on bare memory: a program, a path of its own, or the formula on ndarrays."""
    cdef fg_array* g = grads[0]
    cdef Row row = node.row
    cdef Formula f
    cdef unsigned int mask = 0
    cdef uint32_t i
    if row.code == CLASS_LOSS and node.direct:
        return class_loss_vjp(b, run, node, g)
    if direct and is_real(g):
        if node.direct and (row.elementwise or row.fused):
            for i in range(node.n.nin):
                if fg_run_needs(run, node.n.edges[i]):
                    mask |= 1u << i
            f = row.formula(mask)
            if f is not None and has_program(f, g) and fg_vjp_suits(&f.vjp, node.saved, node.versions, g):
                if spread_vjp(run, node, f, g, mask):
                    return 0
                return apply_program(run, node, f, grads)
        elif row.rowwise:
            if node.direct and rows_vjp(run, node, g):
                return 0
        elif row.code == SUM or row.code == MEAN:
            if node.direct:
                return sum_vjp(run, node, g)
        elif (row.code == MATMUL or row.code == LINEAR) and node.direct:
            return product_vjp(run, node, g)
        elif CONVOLUTION <= row.code <= CONVOLUTION_WEIGHT:
            if node.direct and convolution_vjp(run, node, g):
                return 0
        elif row.code == WINDOW_MAX:
            if window_max_vjp(run, node, g):
                return 0
        elif row.code == RESAMPLED:
            if resampled_vjp(run, node, g):
                return 0
        elif row.code == RESHAPE or row.code == RAVEL or row.code == FLATTEN:
            return reshape_vjp(run, node, g)
        elif TRANSPOSE <= row.code <= SQUEEZE:
            if turn_vjp(run, node, g):
                return 0
        elif CONCAT <= row.code <= REPEAT:
            if blocks_vjp(run, node, grads):
                return 0
        elif CUMSUM <= row.code <= LOGCUMSUMEXP:
            if scan_vjp(run, node, g):
                return 0
        elif row.code == SORT:
            if sort_vjp(run, node, g):
                return 0
        elif row.code == STANDARDIZE:
            if node.direct and standardized_vjp(run, node, g):
                return 0
        elif row.code == MEDIAN:
            if median_vjp(run, node, g):
                return 0
        elif row.code == TAKE_ALONG:
            if take_along_vjp(run, node, g):
                return 0
        elif row.code == BROADCAST_TO or row.code == CLONE:
            return send_fitted(run, node, 0, fg_array_keep(g))
        elif row.code == PUT_ADD:
            if window_vjp(run, node, g):
                return 0
    if row.op.into is not None:
        return scatter(b, run, node, g)
    return formula_arrays(run, node, grads)


cdef inline bint has_program(Formula f, fg_array* g) except? True:
    """Whether the vjp can be run on the core, now that it is asked for."""
    return f.ncomputed == 0 or compiled_for(f, g.dtype) != NULL


cdef int apply_program(fg_run* run, Node node, Formula f, fg_array** grads) except -1:
    """Run the vjp's program and send its results."""
    cdef fg_array* g = grads[0]
    cdef fg_array* inputs[8]
    cdef fg_array* outputs[4]
    cdef uint32_t added
    cdef fg_run* adding = run if g.size >= RELEASE_GIL else NULL
    cdef fg_status status = fg_vjp_begin(&f.vjp, adding, &node.n, node.saved, g, inputs, outputs, &added)
    if status != FG_OK:
        raise MemoryError
    if f.ncomputed:
        try:
            if added:
                run_adding(f, f.compiled[g.dtype - FG_FLOAT32], inputs, outputs, added, add_loop(g.dtype))
            else:
                run_program(f, f.compiled[g.dtype - FG_FLOAT32], inputs, outputs, g.size)
        except BaseException:
            let_go(f.ncomputed, outputs)
            raise
    grads[0] = NULL
    return sent(fg_vjp_end(&f.vjp, run, &node.n, node.saved, inputs, outputs, added, g, add_loop(g.dtype)))


cdef int run_adding(Formula f, fg_program* p, fg_array** inputs, fg_array** outputs, uint32_t added,
                    fg_loop* add) except -1:
    """`run_program` for large arrays that lie flat, some outputs added to what they hold."""
    if p.foreign:
        ask_foreign()
    hold(f.ninputs, inputs)
    with nogil:
        fg_program_run_adding(p, inputs, outputs, added, add)
    let_go(f.ninputs, inputs)
    return 0 if PyErr_Occurred() == NULL else -1


cdef fg_array* filled(fg_array* like, double value) except NULL:
    cdef fg_array* r = new_like(like)
    cdef float single = <float>value
    fg_fill(r, <void*>&single if like.dtype == FG_FLOAT32 else <void*>&value)
    return r


cdef int sum_vjp(fg_run* run, Node node, fg_array* g) except -1:
    """The cotangent of a sum, spread over the operand (no memory); of a mean, divided first."""
    cdef fg_array* scaled
    cdef fg_array* count
    cdef fg_array* like = node.saved[0]
    if like == NULL:
        return send(run, node.n.edges[0], fg_array_keep(g))
    axis, keepdims = <tuple>node.options
    if node.row.code == SUM:
        return send(run, node.n.edges[0], spread(g, like, axis, keepdims))
    count = weak_scalar(<double>(like.size // g.size), g.dtype)
    scaled = run2(DIVIDE, g, count)
    fg_array_drop(count)
    try:
        return send(run, node.n.edges[0], spread(scaled, like, axis, keepdims))
    finally:
        fg_array_drop(scaled)


cdef bint window_vjp(fg_run* run, Node node, fg_array* g) except? True:
    """The part of the cotangent that a `put_add` put its operand in; False where the general path must look for it."""
    cdef Window w
    cdef fg_array* part
    if type(node.options) is Picks and g.flags & FG_CONTIGUOUS:
        send(run, node.n.edges[0], gathered(<Picks>node.options, g))
        return True
    if not window_of(g, bare_index(node), &w) or empty(&w):
        return False
    part = fg_array_view(g, w.data, w.ndim, w.shape, w.strides)
    if part == NULL:
        raise MemoryError
    send_fitted(run, node, 0, part)
    return True


cdef int reshape_vjp(fg_run* run, Node node, fg_array* g) except -1:
    cdef fg_array* dense
    cdef fg_array* r
    cdef fg_array* like = node.saved[0]
    if like == NULL:
        return send(run, node.n.edges[0], fg_array_keep(g))
    dense = fg_array_keep(g) if g.flags & FG_CONTIGUOUS else copy_of(g)
    r = fg_array_view(dense, dense.data, like.ndim, fg_shape(like), fg_strides(like))
    fg_array_drop(dense)
    if r == NULL:
        raise MemoryError
    return send(run, node.n.edges[0], r)


cdef int scatter(Backward b, fg_run* run, Node node, fg_array* g) except -1:
    """Add into the one buffer that the operand's cotangent is held in, so that many small reads cost O(N) in all."""
    cdef void** slot = fg_run_peek(run, node.n.edges[0])
    cdef fg_array* held
    cdef fg_array* part
    cdef Window w
    cdef fg_array* like = node.saved[0] if node.saved[0] != NULL else g
    if slot == NULL:
        return 0
    held = <fg_array*>slot[0]
    if held == NULL or not (fg_array_unshared(held) and held.flags & FG_CONTIGUOUS):
        held = zeros_like(like) if held == NULL else copy_of(held)
        drop_array(slot[0])
        slot[0] = held
    if type(node.options) is Picks and direct and is_real(g) and held.dtype == g.dtype:
        add_at(<Picks>node.options, held, g)
    elif direct and held.dtype == g.dtype and (node.row.code == GETITEM and window_of(held, bare_index(node), &w) or
                                               node.row.code == DIAGONAL and diagonal_of(held, node.options, &w)):
        part = fg_array_view(held, w.data, w.ndim, w.shape, w.strides)
        if part == NULL:
            raise MemoryError
        try:
            add_into(part, g)
        finally:
            fg_array_drop(part)
    else:
        values = [to_nd(held)] + [Like(shape_of(node.saved[i] if node.saved[i] != NULL else g),
                                       descr_of(node.saved[i] if node.saved[i] != NULL else g))
                                  for i in range(node.n.nin)]
        with quiet(is_large(held)):
            node.row.op.into(values[0], to_nd(g), *values[1:], **node_options(node))
    return send(run, node.n.edges[0], NULL)


cdef object bare_index(Node node):
    return node.options["index"] if type(node.options) is dict else node.options


cdef fg_array* zeros_like(fg_array* like) except NULL:
    cdef fg_array* r = new_like(like)
    memset(r.data, 0, r.size * r.itemsize)
    return r
