# backward and grad: what a run starts from, where it ends, and what becomes of it.

cdef fg_node* graph_node(Tensor t) except NULL:
    """Where the cotangent of `t` arrives."""
    if t.node is not None:
        return &t.node.n
    if t.sink == NULL:
        make_sink(t)
    return &t.sink.n


cdef fg_edge place_of(object x) except *:
    """Where the cotangent of a Tensor or a GradientEdge arrives; it must require grad."""
    cdef fg_edge place
    if is_tensor(x):
        place.node = graph_node(<Tensor>x)
        place.nr = (<Tensor>x).nr if (<Tensor>x).node is not None else 0
        return place
    place.nr = x.output_nr
    if isinstance(x.node, AccumulateGrad):
        place.node = graph_node(<Tensor>(<AccumulateGrad>x.node).variable)
    else:
        place.node = &(<Node?>x.node).n
    if place.nr >= place.node.nout:
        raise _errors.edge_number(place.nr, place.node.nout)
    return place


cdef bint leads_on(object x):
    """Whether a gradient can arrive there."""
    return wants_grad(<Tensor>x) if is_tensor(x) else True


cdef list root_grads(list roots, list gradients):
    """The cotangent that each root starts with, checked."""
    cdef list out = []
    cdef Tensor t
    if len(roots) != len(gradients):
        raise _errors.gradient_count(len(roots), len(gradients))
    for i, (root, g) in enumerate(zip(roots, gradients)):
        if not is_tensor(root):
            out.append(edge_gradient(i, root, g))
            continue
        t = <Tensor>root
        if not wants_grad(t):
            raise _errors.no_graph(i)
        if g is None:
            if t.a.size != 1:
                raise _errors.not_scalar(t.shape)
            if is_complex(type_number(t.a)):
                raise _errors.not_real(t.dtype)
            if t.a.dtype == FG_FLOAT64 or t.a.dtype == FG_FLOAT32:
                out.append(new_tensor(filled(t.a, 1.0)))
            else:
                out.append(new_tensor(wrap_nd(np.ones(t.shape, t.dtype.newbyteorder("=")))))
            continue
        if not is_tensor(g) and lifted((g,)) is not None:
            if tuple(g.shape) != t.shape:
                raise _errors.gradient_shape(i, g.shape, t.shape)
            out.append(g)
            continue
        g = to_tensor(g, "backward")
        if not same_shape((<Tensor>g).a, t.a):
            raise _errors.gradient_shape(i, g.shape, t.shape)
        if (<Tensor>g).a.dtype == t.a.dtype != FG_OTHER:
            out.append(g)
            continue
        if (g.dtype.kind == "c") != (t.dtype.kind == "c"):
            raise _errors.gradient_dtype(i, g.dtype, t.dtype)
        if g.dtype != t.dtype.newbyteorder("="):
            g = cast(g, t.dtype.newbyteorder("="))
        out.append(g)
    return out


cdef object edge_like(object edge):
    """Shape and dtype of the result that a GradientEdge stands for; None where nobody knows them."""
    cdef Node node
    if edge.like is not None:
        return edge.like
    if isinstance(edge.node, AccumulateGrad):
        return edge.node.variable.shape, edge.node.variable.dtype
    node = <Node?>edge.node
    if node.extra is not None and node.extra.outs is not None:
        return node.extra.outs[edge.output_nr] if edge.output_nr < len(node.extra.outs) else None
    if node.saved[node.n.nin] != NULL and node.row.code not in (STANDARDIZE, CLASS_LOSS):
        return shape_of(node.saved[node.n.nin]), descr_of(node.saved[node.n.nin])
    return None


cdef object edge_gradient(int i, object edge, object g):
    """The cotangent that a run starts with at a GradientEdge, checked against what is known of it."""
    if g is None:
        return edge_one(edge)
    if not is_operand_object(g):
        g = to_tensor(g, "backward")
    like = edge_like(edge)
    if like is None:
        return g
    if tuple(g.shape) != tuple(like[0]):
        raise _errors.gradient_shape(i, g.shape, like[0])
    if (g.dtype.kind == "c") != (like[1].kind == "c"):
        raise _errors.gradient_dtype(i, g.dtype, like[1])
    return g if g.dtype == like[1] or not is_tensor(g) else cast(<Tensor>g, like[1])


cdef Tensor edge_one(object edge):
    """The cotangent of a GradientEdge that none is given for."""
    like = edge_like(edge)
    if like is None:
        raise _errors.edge_gradient()
    shape, dtype = like
    if np.prod(shape) != 1:
        raise _errors.not_scalar(shape)
    if dtype.kind == "c":
        raise _errors.not_real(dtype)
    return new_tensor(wrap_nd(np.ones(shape, dtype)))


cdef enum:
    DEEPEST = 50  # runs of one thread, one within another; more go on in another thread, with a stack of its own


cdef bint run_alone(Tensor root, object gradient, bint keep) except? True:
    """`run_graph` from one Tensor into all leaves, where its gradient is a Tensor like it or 1; False where it is not.

    The commonest run: a short graph takes less time than the lists that the general one is made of.
    """
    cdef fg_array* g
    cdef fg_node* n
    cdef Backward b
    cdef object held
    if fg_thread.depth >= DEEPEST or not direct or not is_real(root.a) or not wants_grad(root):
        return False
    if gradient is None:
        if root.a.size != 1:
            return False
        g = filled(root.a, 1.0)
    elif not is_tensor(gradient):
        return False
    elif (<Tensor>gradient).a.dtype == root.a.dtype and same_shape((<Tensor>gradient).a, root.a):
        g = fg_array_keep((<Tensor>gradient).a)
    else:
        return False
    n = graph_node(root)
    held = <object>owner_of(n)
    b = Backward.__new__(Backward)
    b.keep, b.accumulates, b.plain = keep, True, True
    started(b, n, root.nr, g)
    return True


cdef int started(Backward b, fg_node* n, uint32_t nr, fg_array* g_take) except -1:
    """Run from one node, and raise what went wrong."""
    cdef bint before = fg_thread.grad
    cdef fg_run* run = fg_run_new(&array_ops, <void*>b)
    cdef fg_status status
    if run == NULL:
        fg_array_drop(g_take)
        raise MemoryError
    set_grad_mode(False)
    fg_thread.depth += 1
    status = fg_run_seed(run, n, nr, g_take)
    if status == FG_OK:
        status = fg_run_go(run)
    fg_run_free(run)
    fg_thread.depth -= 1
    set_grad_mode(before)
    if b.error is not None:
        raise b.error
    if status != FG_OK:
        raise MemoryError
    return 0


cdef list run_graph(list roots, list gradients, object inputs, bint keep, bint create_graph, bint accumulates):
    """One run. With `accumulates` it adds into the leaves' grads; otherwise it gives each input's cotangent or None."""
    cdef Backward b = Backward.__new__(Backward)
    cdef fg_run* run
    cdef fg_status status = FG_OK
    cdef fg_edge place
    cdef list alive = []
    cdef list keys = []  # of the inputs, which a hook may give another node
    cdef bint before = fg_thread.grad
    if fg_thread.depth >= DEEPEST:
        return elsewhere((roots, gradients, inputs, keep, create_graph, accumulates))
    b.create_graph, b.keep, b.accumulates = create_graph, keep, accumulates
    b.objects, b.restricted = create_graph, inputs is not None
    for g in gradients:
        if not is_tensor(g):
            b.objects = True
    b.plain = accumulates and inputs is None and not b.objects
    if inputs is not None and not accumulates:
        b.captures, b.captured = {}, [None] * len(inputs)
    run = fg_run_new(&object_ops if b.objects else &array_ops, <void*>b)
    if run == NULL:
        raise MemoryError
    set_grad_mode(create_graph)
    fg_thread.depth += 1
    try:
        if inputs is not None:
            for i, x in enumerate(inputs):
                place = place_of(x)
                alive.append(<object>owner_of(place.node))
                if not accumulates:
                    keys.append((<uintptr_t>place.node, place.nr))
                    b.captures.setdefault(keys[i], i)
                status = fg_run_want(run, place.node)
                if status != FG_OK:
                    break
        for root, g in zip(roots, gradients):
            if status != FG_OK:
                break
            place = place_of(root)
            alive.append(<object>owner_of(place.node))
            status = fg_run_seed(run, place.node, place.nr, as_grad(b, g))
        if status == FG_OK:
            status = fg_run_go(run)
    finally:
        fg_run_free(run)
        fg_thread.depth -= 1
        set_grad_mode(before)
    if b.error is not None:
        raise b.error
    if status != FG_OK:
        raise MemoryError
    if b.captures is None:
        return None
    return [b.captured[b.captures[key]] for key in keys]


cdef object elsewhere(tuple arguments):
    """What `run_graph` gives, or raises, in a thread of its own, which has this thread's modes."""
    from contextvars import copy_context
    from threading import Thread

    cdef list outcome = [None, None]
    cdef list cancelled = [] if fg_thread.cancelled == NULL else <list>fg_thread.cancelled
    cdef bint grad = fg_thread.grad
    cdef bint inference = fg_thread.inference
    cdef list hooks = saved_hooks()

    def work():
        _enter_thread(grad, inference, hooks, cancelled)
        try:
            outcome[0] = run_again(arguments)
        except BaseException as error:
            outcome[1] = error
        finally:
            _leave_thread()

    thread = Thread(target=copy_context().run, args=(work,), daemon=True)
    thread.start()
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:  # Ctrl-C: the innermost run, which polls, ends with it
            cancelled.append(error)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


cdef list run_again(tuple arguments):
    roots, gradients, inputs, keep, create_graph, accumulates = arguments
    return run_graph(roots, gradients, inputs, keep, create_graph, accumulates)


def _enter_thread(bint grad, bint inference, list hooks, list cancelled):
    fg_thread.inference = inference
    set_grad_mode(grad)
    set_saved_hooks(hooks)
    fg_thread.cancelled = <PyObject*>cancelled


def _leave_thread():
    set_saved_hooks([])
    fg_thread.cancelled = NULL


cdef list listed(object value, where, bint optional):
    """A Tensor, an edge or a sequence of them as a list."""
    if value is None and optional:
        return [None]
    if is_tensor(value) or isinstance(value, GradientEdge):
        return [value]
    if isinstance(value, (list, tuple)):
        return list(value)
    if optional:
        return [value]
    if not hasattr(value, "__next__") and not hasattr(value, "__iter__") or isinstance(value, (np.ndarray, str)):
        raise _errors.not_tensor(where, value)
    return list(value)


cdef list places_only(list values, where):
    for value in values:
        if not is_tensor(value) and not isinstance(value, GradientEdge):
            raise _errors.not_tensor(where, value)
    return values


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    roots = places_only(listed(tensors, "backward", False), "backward")
    gradients = [None] * len(roots) if grad_tensors is None else listed(grad_tensors, "backward", True)
    cdef bint keep = create_graph if retain_graph is None else retain_graph
    wanted = None
    if inputs is not None:
        wanted = places_only(listed(inputs, "backward", False), "backward")
        if not wanted:
            raise _errors.no_inputs("backward")
        for i, x in enumerate(wanted):
            if not leads_on(x):
                raise _errors.input_no_grad(i)
    starts = root_grads(roots, gradients)
    for x in wanted or ():
        if is_tensor(x):
            x.retain_grad()
    run_graph(roots, starts, wanted, keep, create_graph, True)


cdef Tensor zeros_for(object place, bint requires_grad):
    """The gradient of an input that the outputs do not depend on."""
    like = (place.shape, place.dtype) if is_tensor(place) else place.like
    if like is None:
        raise _errors.edge_zeros()
    return from_array(np.zeros(*like), requires_grad)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False,
         materialize_grads=False):
    roots = places_only(listed(outputs, "grad", False), "grad")
    wanted = places_only(listed(inputs, "grad", False), "grad")
    gradients = [None] * len(roots) if grad_outputs is None else listed(grad_outputs, "grad", True)
    cdef bint keep = create_graph if retain_graph is None else retain_graph
    if not wanted:
        raise _errors.no_inputs("grad")
    for i, x in enumerate(wanted):
        if not leads_on(x):
            raise _errors.input_no_grad(i)
    starts = root_grads(roots, gradients)
    found = run_graph(roots, starts, wanted, keep, create_graph, False)
    if materialize_grads:
        found = [zeros_for(x, create_graph) if g is None else g for x, g in zip(wanted, found)]
    elif not allow_unused and any([g is None for g in found]):
        raise _errors.unused_input()
    return tuple(found)


def reaches_beyond(outputs, inputs):
    """Whether the graph of some Tensors leads to a leaf other than through the inputs."""
    cdef Backward b = Backward.__new__(Backward)
    cdef fg_run* run
    cdef fg_status status = FG_OK
    cdef c_bool found = False
    cdef fg_edge[8] few
    cdef fg_edge* ends = few
    cdef size_t count = 0
    cdef list alive = []
    if len(inputs) > 8:
        ends = <fg_edge*>PyMem_Malloc(len(inputs) * sizeof(fg_edge))
    run = fg_run_new(&array_ops, <void*>b)
    try:
        if run == NULL or ends == NULL:
            raise MemoryError
        for x in inputs:
            if leads_on(x):
                ends[count] = place_of(x)
                alive.append(<object>owner_of(ends[count].node))
                count += 1
        for x in outputs:
            if status == FG_OK and leads_on(x) and not is_end(ends, count, place_of(x)):
                alive.append(<object>owner_of(place_of(x).node))
                status = fg_run_seed(run, place_of(x).node, place_of(x).nr, NULL)
        if status == FG_OK:
            status = fg_run_beyond(run, ends, count, &found)
    finally:
        if run != NULL:
            fg_run_free(run)
        if ends != few:
            PyMem_Free(ends)
    if status != FG_OK:
        raise MemoryError
    return bool(found)


cdef bint is_end(fg_edge* ends, size_t count, fg_edge edge) noexcept:
    cdef size_t i
    for i in range(count):
        if ends[i].node == edge.node and ends[i].nr == edge.nr:
            return True
    return False


def leaf_of(ndarray array):
    """A Tensor on the array's memory that requires grad: of one that a gradient is taken with respect to."""
    cdef Tensor x = new_tensor(wrap_nd(array))
    x.requires = True
    return tracked(x)


def value_and_gradient(y, Tensor x, bint alone):
    """A float and an ndarray, where `y` is a real scalar that leads to `x` and, unless `alone`, to no other leaf.

    None otherwise. It is what `fastgrad.func` does anyway, in one call.
    """
    cdef Tensor out
    cdef Tensor g
    if not is_tensor(y):
        return None
    out = <Tensor>y
    if out.a.ndim or not is_real(out.a) or not wants_grad(out) or not alone and reaches_beyond((out,), (x,)):
        return None
    found = run_graph([out], [new_tensor(filled(out.a, 1.0))], [x], False, False, False)
    if found[0] is None:
        return None
    g = <Tensor>found[0]
    return float(out), to_nd(g.a)
