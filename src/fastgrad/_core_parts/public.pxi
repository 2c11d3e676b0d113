# What the other modules call: see docs/internals.md for what every backend offers.

name = "compiled"


cdef inline bint is_plain(object value):
    return value is None or type(value) in (bool, int, float, str)


cdef dict plain_options(dict options):
    """Options as `_methods.frozen` has them, at no cost where they are plain anyway."""
    for value in options.values():
        if is_plain(value):
            continue
        if type(value) is not tuple:
            return frozen(options)
        for item in value:
            if not is_plain(item):
                return frozen(options)
    return options


cdef object call(Row row, tuple operands, dict options):
    return apply(row, to_operands(row, operands), plain_options(options))


cdef object row_call(object self, PyObject** args, Py_ssize_t count, PyObject* names):
    """A public function: ``fg.exp(x)``."""
    cdef Row row = <Row>self
    cdef object x, y
    cdef Py_ssize_t i
    if names == NULL and count == 1 and row.plain_call:
        x = <object>args[0]
        if row.nin == 1 and is_tensor(x):
            if row.elementwise:
                return apply_unary(row, <Tensor>x)
            if row.code == SUM or row.code == MEAN:
                out = sum_all(row, <Tensor>x)
                if out is not None:
                    return out
    elif names == NULL and count == 2 and row.nin == 2 and row.plain_call:
        x, y = <object>args[0], <object>args[1]
        if row.elementwise:
            if is_tensor(x) and (is_tensor(y) or is_weak_real(y)) or is_tensor(y) and is_weak_real(x):
                return apply_binary(row, x, y)
        elif row.code == MATMUL and is_tensor(x) and is_tensor(y):
            out = matmul(row, <Tensor>x, <Tensor>y)
            if out is not None:
                return out
    given = tuple([<object>args[i] for i in range(count)])
    for x in given:
        if not is_tensor(x) and hasattr(type(x), "_apply_op"):  # a formula under trace, or the other backend's Tensor
            keywords = {} if names == NULL else {key: <object>args[count + i] for i, key in enumerate(<object>names)}
            return row.op(*given, **keywords)
    if names == NULL:
        operands, options = row.op.bind(*given)
    else:
        keywords = {key: <object>args[count + i] for i, key in enumerate(<object>names)}
        operands, options = row.op.bind(*given, **keywords)
    return call(row, tuple(operands), options)


def bind(op):
    """The public function of a row: takes Tensors, ndarrays, scalars and sequences, and gives Tensors."""
    cdef Row row = row_of(op)
    row.method_name = op.name.encode()
    row.method_doc = f"{op.name}({op.text_signature})\n--\n\n{op.doc}".encode()  # what `inspect.signature` reads
    row.method.ml_name = row.method_name
    row.method.ml_meth = <PyCFunction><void*>row_call
    row.method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    row.method.ml_doc = row.method_doc
    return PyCFunction_NewEx(&row.method, row, op.module)


# ---------------------------------------------------------------- making Tensors

cdef Tensor from_array(object array, bint requires_grad):
    """A Tensor on the ndarray's memory, in the caller's hands (so the cycle collector sees it)."""
    cdef Tensor t = new_tensor(wrap_nd(array))
    if requires_grad and array.dtype.kind not in "fc":
        raise _errors.requires_grad_dtype(array.dtype)
    t.requires = requires_grad
    return tracked(t)


cdef object as_data(object data, where):
    """Any data as an ndarray; a Tensor loses its graph."""
    return to_nd((<Tensor>data).a) if is_tensor(data) else as_nd(data, where)


cdef Tensor cast(Tensor t, object dtype):
    """A copy in another dtype, recorded."""
    operands, options = row_named("astype").op.bind(t, dtype)
    return call(row_named("astype"), operands, options)


def tensor(data, *, dtype=None, requires_grad=False):
    nd = np.array(as_data(data, "tensor"), dtype=dtype, copy=True, subok=False)
    return from_array(as_nd(nd, "tensor"), requires_grad)


def asarray(x, dtype=None, copy=None):
    if is_tensor(x) and (dtype is None or np.dtype(dtype) == x.dtype) and not copy:
        return x
    if is_tensor(x):
        if copy is False:
            raise ValueError("asarray: a change of dtype needs a copy")
        return cast(x, x.dtype if dtype is None else dtype)
    nd = np.asarray(as_data(x, "asarray"), dtype=dtype, copy=copy)
    return from_array(as_nd(nd, "asarray").view(), False)


def from_numpy(array):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}")
    return asarray(array, copy=False)


def is_grad_enabled():
    """Whether operations are recorded in this thread."""
    return bool(fg_grad_enabled)


def _set_grad_enabled(enabled):
    before = bool(fg_grad_enabled)
    set_grad_mode(enabled)
    return before


# ---------------------------------------------------------------- backward and grad

cdef list root_grads(list roots, list gradients, bint tensors_with_graph):
    """The cotangent that each root starts with, checked."""
    cdef list out = []
    cdef Tensor t
    if len(roots) != len(gradients):
        raise _errors.gradient_count(len(roots), len(gradients))
    for i, (t, g) in enumerate(zip(roots, gradients)):
        if not wants_grad(t):
            raise _errors.no_graph(i)
        if g is None:
            if t.a.size != 1:
                raise _errors.not_scalar(t.shape)
            if is_complex(t.a.dtype):
                raise _errors.not_real(t.dtype)
            if t.a.dtype == FG_FLOAT64 or t.a.dtype == FG_FLOAT32:
                out.append(new_tensor(filled(t.a, 1.0)))
            else:
                out.append(new_tensor(wrap_nd(np.ones(t.shape, t.dtype.newbyteorder("=")))))
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


cdef fg_node* graph_node(Tensor t) except NULL:
    """Where the cotangent of `t` arrives."""
    if t.node is not None:
        return &t.node.n
    if t.sink == NULL:
        make_sink(t)
    return &t.sink.n


cdef list run_graph(list roots, list gradients, object inputs, bint keep, bint create_graph):
    """One run. Without `inputs`, adds into the leaves' grads; with, gives each input's cotangent or None."""
    cdef Backward b = Backward.__new__(Backward)
    cdef fg_run* run
    cdef fg_status status = FG_OK
    cdef fg_node* n
    cdef Tensor t
    cdef list alive = []
    cdef list keys = []  # of the inputs, which a hook may give another node
    cdef bint before = fg_grad_enabled
    b.create_graph, b.keep = create_graph, keep
    if inputs is not None:
        b.captures, b.captured = {}, [None] * len(inputs)
    run = fg_run_new(&tensor_ops if create_graph else &array_ops, <void*>b)
    if run == NULL:
        raise MemoryError
    set_grad_mode(create_graph)
    try:
        if inputs is not None:
            for i, t in enumerate(inputs):
                n = graph_node(t)
                alive.append(<object>owner_of(n))
                keys.append((<uintptr_t>n, t.nr if t.node is not None else 0))
                b.captures.setdefault(keys[i], i)
                status = fg_run_want(run, n)
                if status != FG_OK:
                    break
        for t, g in zip(roots, gradients):
            if status != FG_OK:
                break
            n = graph_node(t)
            alive.append(<object>owner_of(n))
            status = fg_run_seed(run, n, t.nr if t.node is not None else 0, as_grad(b, g))
        if status == FG_OK:
            status = fg_run_go(run)
    finally:
        fg_run_free(run)
        set_grad_mode(before)
    if b.error is not None:
        raise b.error
    if status != FG_OK:
        raise MemoryError
    if inputs is None:
        return None
    return [b.captured[b.captures[key]] for key in keys]


cdef list listed(object value, where, bint optional):
    """A Tensor or a sequence of them as a list."""
    if value is None and optional:
        return [None]
    if is_tensor(value):
        return [value]
    if isinstance(value, (list, tuple)):
        return list(value)
    if optional:
        return [value]
    raise _errors.not_tensor(where, value)


cdef list tensors_only(list values, where):
    for value in values:
        if not is_tensor(value):
            raise _errors.not_tensor(where, value)
    return values


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    cdef Tensor t
    roots = tensors_only(listed(tensors, "backward", False), "backward")
    gradients = [None] * len(roots) if grad_tensors is None else listed(grad_tensors, "backward", True)
    cdef bint keep = create_graph if retain_graph is None else retain_graph
    wanted = None
    if inputs is not None:
        wanted = tensors_only(listed(inputs, "backward", False), "backward")
        if not wanted:
            raise _errors.no_inputs("backward")
        for i, t in enumerate(wanted):
            if not wants_grad(t):
                raise _errors.input_no_grad(i)
    starts = root_grads(roots, gradients, create_graph)
    for t in wanted or ():
        t.retain_grad()
    found = run_graph(roots, starts, wanted, keep, create_graph)
    if wanted is None:
        return
    seen = set()
    for t, g in zip(wanted, found):
        if g is None or t.node is not None or id(t) in seen:  # an inner Tensor retains its gradient
            continue
        seen.add(id(t))
        b = Backward.__new__(Backward)
        (<Backward>b).create_graph = create_graph
        accumulate(<Backward>b, t, <void*>g if create_graph else <void*>(<Tensor>g).a)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False,
         materialize_grads=False):
    cdef Tensor t
    roots = tensors_only(listed(outputs, "grad", False), "grad")
    wanted = tensors_only(listed(inputs, "grad", False), "grad")
    gradients = [None] * len(roots) if grad_outputs is None else listed(grad_outputs, "grad", True)
    cdef bint keep = create_graph if retain_graph is None else retain_graph
    if not wanted:
        raise _errors.no_inputs("grad")
    for i, t in enumerate(wanted):
        if not wants_grad(t):
            raise _errors.input_no_grad(i)
    starts = root_grads(roots, gradients, create_graph)
    found = run_graph(roots, starts, wanted, keep, create_graph)
    if materialize_grads:
        found = [from_array(np.zeros(t.shape, t.dtype), False) if g is None else g for t, g in zip(wanted, found)]
    elif not allow_unused and any(g is None for g in found):
        raise _errors.unused_input()
    return tuple(found)


# ---------------------------------------------------------------- for tests and for `python -m fastgrad info`

def set_direct(enabled):
    """Test aid: with False every operation takes the general path. Gives the setting before."""
    global direct
    before, direct = direct, enabled
    return bool(before)


def loops_found():
    """The dtypes (NumPy type characters) for which each operation has an inner loop: a dict of strings."""
    cdef Row row
    cdef int code
    cdef dict found = {}
    for op in TABLE.values():
        row = row_of(op)
        chars = "".join([np.dtype(<object>cnp.PyArray_DescrFromType(code)).char
                         for code in (FG_BOOL, FG_FLOAT32, FG_FLOAT64, FG_COMPLEX64, FG_COMPLEX128)
                         if row.loops[code].fn != NULL])
        if row.elementwise or chars:
            found[op.name] = chars
    return found


def fail_allocation_after(count):
    """Test aid: let `count` allocations of the core succeed and the next one fail."""
    fg_mem_fail_after(count)


# Blank instances of these would have no memory behind them.

cdef object refuse_new(object cls, object args, object kwargs):
    raise TypeError(f"{cls.__name__} objects are made by operations; use fastgrad.tensor(...) to make a Tensor")

for _cls in (_TensorBase, Tensor, Node, Extra, View, Row, Formula, Backward, _Keeper):
    (<TypeSlots*><PyObject*>_cls).tp_new = <newfunc><void*>refuse_new
    (<TypeSlots*><PyObject*>_cls).tp_vectorcall = NULL  # the other way to call a class

_install_slots()
