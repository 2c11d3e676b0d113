# What the other modules call: see docs/internals.md for what every backend offers.

name = "compiled"


cdef bint is_plain(object value):
    if value is None or value is True or value is False or is_weak_real(value) or type(value) is str:
        return True
    if type(value) is not tuple:
        return False
    for item in <tuple>value:
        if not is_plain(item):
            return False
    return True


cdef dict plain_options(dict options):
    """Options as `_methods.frozen` has them, at no cost where they are plain anyway."""
    for value in options.values():
        if not is_plain(value):
            return frozen(options)
    return options


cdef object call(Row row, tuple operands, dict options):
    for x in operands:
        if not is_tensor(x) and hasattr(type(x), "_lifts"):
            return type(x)._apply_op(row.op, operands, options)
    if row.code == GETITEM:
        cls = lifted_index(options)
        if cls is not None:
            return cls._apply_op(row.op, operands, options)
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
            elif row.bare is not None and row.bare.fused and direct:
                out = apply_fused_one(row.bare, <Tensor>x)
                if out is not None:
                    return out
            elif row.derived and row.op.options == ():
                return apply(row, (x,), {})
            elif row.rowwise:
                out = short_call(row, <Tensor>x, NULL, ())
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
    elif names != NULL and count == 1 and row.plain_call and is_tensor(<object>args[0]) \
            and (row.rowwise or row.code == SUM or row.code == MEAN):
        out = short_call(row, <Tensor>args[0], args + 1, <tuple>names)
        if out is not None:
            return out
    given = tuple([<object>args[i] for i in range(count)])
    if names == NULL and count == row.nin and row.elementwise and row.plain_call and are_plain(given):
        return apply(row, given, {})
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


cdef bint are_plain(tuple operands):
    """Tensors and exact Python numbers alone, the first of the Tensors among them."""
    cdef bint found = False
    for x in operands:
        if is_tensor(x):
            found = True
        elif not is_weak_real(x):
            return False
    return found


def bind(op):
    """The public function of a row: takes Tensors, ndarrays, scalars and sequences, and gives Tensors."""
    cdef Row row = row_of(op)
    if row.function is not None:
        return row.function
    row.method_name = op.name.encode()
    row.method_doc = f"{op.name}({op.text_signature})\n--\n\n{op.doc}".encode()  # what `inspect.signature` reads
    row.method.ml_name = row.method_name
    row.method.ml_meth = <PyCFunction><void*>row_call
    row.method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    row.method.ml_doc = row.method_doc
    row.function = PyCFunction_NewEx(&row.method, row, op.module)
    return row.function


for _name, _op in ROW_METHODS.items():
    setattr(RowMethods, _name, PyInstanceMethod_New(bind(_op)))


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

node_new = (<TypeSlots*><PyObject*>FunctionNode).tp_new

for _cls in (_TensorBase, Tensor, Node, FunctionNode, AccumulateGrad, Extra, View, Row, Formula, Backward, Packed,
             _Keeper, Fused, Picks):
    (<TypeSlots*><PyObject*>_cls).tp_new = <newfunc><void*>refuse_new
    (<TypeSlots*><PyObject*>_cls).tp_vectorcall = NULL  # the other way to call a class

_install_slots()
