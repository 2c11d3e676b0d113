# The Tensor class. Methods that both backends share are in _methods.TensorMethods.

@cython.auto_pickle(False)
cdef class _TensorBase:
    """The fields of a Tensor."""

    cdef fg_array* a          # geometry, memory and version counter
    cdef fg_sink* sink        # a leaf's end of the graph, made with its first edge
    cdef Node node            # what made it; None for a leaf
    cdef uint32_t nr          # which of the node's results it is
    cdef bint requires        # a leaf that requires grad
    cdef bint is_grad         # it is, or was, some Tensor's .grad
    cdef object _grad         # a Tensor or None
    cdef View view            # how it came to share memory
    cdef Extra extra          # of a leaf: hooks
    cdef object __weakref__

    def __dealloc__(self):
        fg_array_drop(self.a)
        PyMem_Free(self.sink)
        bury_last(<PyObject*>self._grad)
        self._grad = None
        drain()


cdef inline bint is_operand(object x) noexcept:
    return is_tensor(x) or is_scalar(x) or isinstance(x, (np.ndarray, np.generic, list, tuple))


cdef inline object operate(Row row, object x, object y):
    """A binary operator."""
    if is_tensor(x):
        if is_tensor(y) or is_weak_real(y):
            return apply_binary(row, x, y)
    elif is_weak_real(x):
        return apply_binary(row, x, y)
    if not is_operand(x) or not is_operand(y):
        return NotImplemented
    return apply(row, to_operands(row, (x, y)), {})


cdef object lifted_index(dict options):
    """The class of a lifted part of an index, which then runs the operation; None if there is none."""
    index = options.get("index")
    return lifted(index if isinstance(index, tuple) else (index,))


cdef object operate_in_place(Row row, Tensor t, object y):
    if not is_operand(y) and lifted((y,)) is None:
        return NotImplemented
    return inplace(row.op, t, (y,), {})


cdef Row SUBTRACT = row_named("subtract")
cdef Row FLOOR_DIVIDE = row_named("floor_divide")
cdef Row REMAINDER = row_named("remainder")
cdef Row SQUARE = row_named("square")
cdef Row POWER = row_named("power")
cdef Row NEGATIVE = row_named("negative")
cdef Row POSITIVE = row_named("positive")
cdef Row ABS = row_named("abs")
cdef Row INVERT = row_named("bitwise_invert")
cdef Row AND = row_named("bitwise_and")
cdef Row OR = row_named("bitwise_or")
cdef Row XOR = row_named("bitwise_xor")
cdef Row LEFT = row_named("bitwise_left_shift")
cdef Row RIGHT = row_named("bitwise_right_shift")
cdef dict UFUNC_ROWS = {op.fn: row_of(op) for op in TABLE.values()
                        if op.elementwise and not op.options and isinstance(op.fn, np.ufunc)}
UFUNC_ROWS[np.matmul] = MAT
cdef tuple COMPARISONS = tuple([row_named(n) for n in (
    "less", "less_equal", "equal", "not_equal", "greater", "greater_equal")])  # in the order of Py_LT, Py_LE ...


class RowMethods(TensorMethods):
    """Methods that are rows: the public functions themselves, which are bound without a step in Python."""

    __slots__ = ()


@cython.auto_pickle(False)
@cython.final
cdef class Tensor(_TensorBase, RowMethods):
    """An array that remembers the operation that made it.

    Made by `fastgrad.tensor`, `fastgrad.asarray` and the creation functions; every operation on one gives another.
    """

    # ---------------------------------------------------------------- looking

    @property
    def shape(self):
        """The length of each axis, a tuple of int."""
        return shape_of(self.a)

    @property
    def dtype(self):
        """The NumPy dtype."""
        return descr_of(self.a)

    @property
    def ndim(self):
        """The number of axes."""
        return self.a.ndim

    @property
    def size(self):
        """The number of elements."""
        return self.a.size

    @property
    def itemsize(self):
        """Bytes of one element."""
        return self.a.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.a.size * self.a.itemsize

    @property
    def strides(self):
        """Bytes from one element to the next along each axis."""
        cdef int i
        return tuple([fg_strides(self.a)[i] for i in range(self.a.ndim)])

    def __len__(self):
        if self.a.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return fg_shape(self.a)[0]

    def __iter__(self):
        if self.a.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    def __hash__(self):
        return <Py_ssize_t>(<uintptr_t><void*>self >> 4)

    def __repr__(self):
        return TensorMethods.__repr__(self)

    # ---------------------------------------------------------------- out to Python and NumPy

    def __bool__(self):
        return bool(to_nd(self.a))

    def __int__(self):
        return self._only(int)

    def __float__(self):
        if self.a.size == 1 and self.a.dtype == FG_FLOAT64 and self.a.flags & FG_ALIGNED and not wants_some_grad(self):
            return (<double*>self.a.data)[0]
        return self._only(float)

    def __complex__(self):
        return self._only(complex)

    def __index__(self):
        return to_nd(self.a).__index__()

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        if wants_some_grad(self) and fg_thread.grad:
            raise BufferError(str(_errors.numpy_requires_grad()))
        PyObject_GetBuffer(self.numpy(), buffer, flags)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        row = UFUNC_ROWS.get(ufunc)
        if row is not None and method == "__call__" and not kwargs and len(inputs) == (<Row>row).nin:
            return call(<Row>row, inputs, {})
        return TensorMethods.__array_ufunc__(self, ufunc, method, *inputs, **kwargs)

    def numpy(self):
        """An ndarray that shares memory. RuntimeError if the Tensor requires grad: say ``.detach().numpy()``."""
        if wants_some_grad(self) and fg_thread.grad:
            raise _errors.numpy_requires_grad()
        nd = to_nd(self.a).view()
        if numpy_guard:
            nd.flags.writeable = False
        return nd

    # ---------------------------------------------------------------- autograd

    @property
    def requires_grad(self):
        """Whether gradients flow to it: set on a leaf, or inherited from what it was computed from."""
        return wants_some_grad(self)

    @requires_grad.setter
    def requires_grad(self, value):
        if value and not takes_grad(self.a):
            raise _errors.requires_grad_dtype(self.dtype)
        if value and self.a.root.flags & FG_UNTRACKED and not fg_thread.inference:
            raise _errors.requires_grad_inference()
        wants_grad(self)
        if self.node is None:
            self.requires = bool(value)
            track(self)
        elif not value:
            raise _errors.requires_grad_non_leaf(value)

    @property
    def grad(self):
        """The gradient that `backward` left: a Tensor of this shape and dtype, or None."""
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not is_tensor(value):
                raise _errors.grad_type(value)
            if value is self:
                raise _errors.grad_itself()
            if (<Tensor>value).shape != self.shape:
                raise _errors.grad_shape(self.shape, value.shape)
            if value.dtype != self.dtype:
                raise _errors.grad_dtype(self.dtype, value.dtype)
        if value is None:
            self._grad = None
        else:
            set_grad(self, value)

    @grad.deleter
    def grad(self):
        self._grad = None

    @property
    def grad_fn(self):
        """The node that made it; None for a leaf."""
        wants_grad(self)
        track(self)  # it may end up in the node's metadata
        return self.node

    @property
    def is_leaf(self):
        """Whether no recorded operation made it."""
        wants_grad(self)
        return self.node is None

    @property
    def output_nr(self):
        """Which result of `grad_fn` it is."""
        wants_grad(self)
        return self.nr

    @property
    def _version(self):
        """How often its memory was written in place."""
        if self.a.root.flags & FG_UNTRACKED:
            raise _errors.version_inference()
        return self.a.root.version

    @property
    def retains_grad(self):
        """Whether `backward` leaves the gradient of this inner Tensor in `grad`."""
        cdef Extra extra = None if self.node is None else self.node.extra
        if extra is None or extra.retains is None or self.nr not in extra.retains:
            return False
        return extra.retains[self.nr]() is self

    def retain_grad(self):
        """Leave the gradient of this inner Tensor in `grad` (leaves do so anyway)."""
        cdef Extra extra
        if not wants_grad(self):
            raise _errors.retain_grad_no_grad()
        if self.node is None:
            return
        extra = extra_of(self.node)
        if extra.retains is None:
            extra.retains = {}
        extra.retains[self.nr] = weakref_ref(self)

    def register_hook(self, hook):
        """Call ``hook(grad)`` with the gradient of this Tensor whenever it is computed.

        What the hook returns, if not None, takes the gradient's place. Gives a handle with ``remove()``.
        """
        cdef Extra extra
        if not wants_grad(self):
            raise _errors.hook_no_grad()
        extra = leaf_extra(self) if self.node is None else extra_of(self.node)
        if self.node is not None:
            show_node(self.node)
        track(self)
        if extra.hooks is None:
            extra.hooks = {}
        return add_hook(extra.hooks.setdefault(self.nr, {}), hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Call ``hook(leaf)`` each time `backward` has added to this leaf's `grad`.

        Gives a handle with ``remove()``. RuntimeError for a Tensor that is no leaf, or does not require grad.
        """
        cdef Extra extra
        if not wants_grad(self):
            raise _errors.hook_no_grad()
        if self.node is not None:
            raise _errors.post_accumulate_non_leaf()
        extra = leaf_extra(self)
        if extra.post_accumulate is None:
            extra.post_accumulate = {}
        return add_hook(extra.post_accumulate, hook)

    def is_inference(self):
        """Whether it was made in inference mode, so that no graph may hold it."""
        return self.a.root.flags & FG_UNTRACKED != 0

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Add to each leaf's `grad` the gradient of this Tensor; see `fastgrad.autograd.backward`."""
        if create_graph is False and inputs is None:
            if run_alone(self, gradient, False if retain_graph is None else retain_graph):
                return
        backward(self, (gradient,), retain_graph, create_graph, inputs)

    def detach(self):
        """The same memory and version counter without the graph."""
        return new_tensor(fg_array_keep(self.a))

    def detach_(self):
        """Forget the graph, in place."""
        if self.view is not None:
            raise _errors.detach_view()
        self.node, self.nr, self.requires = None, 0, False
        return self

    @property
    def data(self):
        """The same memory with neither graph nor version counter in common; set it to change the memory itself."""
        return from_array(to_nd(self.a).view(), False)

    @data.setter
    def data(self, value):
        cdef Tensor t
        if not is_tensor(value):
            raise _errors.not_tensor("data", value)
        t = <Tensor>value
        wants_grad(self)
        if self.requires and not takes_grad(t.a):
            raise _errors.requires_grad_dtype(t.dtype)
        if self.node is not None or self.view is not None:
            # graphs rely on the shape and dtype that a Tensor had when they were made
            if t.shape != self.shape or t.dtype != self.dtype:
                raise _errors.data_kind(self.shape, self.dtype, t.shape, t.dtype)
        cdef fg_array* old = self.a
        self.a = fg_array_keep(t.detached().a)
        self.a.root.version = old.root.version
        fg_array_drop(old)

    cdef Tensor detached(self):
        return from_array(to_nd(self.a).view(), False)

    @staticmethod
    def _apply_op(op, operands, options):
        return call(row_of(op), tuple(operands), options)

    @staticmethod
    def _inplace_op(op, target, others, options):
        return inplace(op, target, tuple(others), plain_options(options))

    # ---------------------------------------------------------------- operators

    def __add__(x, y):
        return operate(ADD, x, y)

    def __sub__(x, y):
        return operate(SUBTRACT, x, y)

    def __mul__(x, y):
        return operate(MULTIPLY, x, y)

    def __truediv__(x, y):
        return operate(DIVIDE, x, y)

    def __floordiv__(x, y):
        return operate(FLOOR_DIVIDE, x, y)

    def __mod__(x, y):
        return operate(REMAINDER, x, y)

    def __divmod__(x, y):
        if not is_operand(x) or not is_operand(y):
            return NotImplemented
        return operate(FLOOR_DIVIDE, x, y), operate(REMAINDER, x, y)

    def __matmul__(x, y):
        if is_tensor(x) and is_tensor(y):
            out = matmul(MAT, <Tensor>x, <Tensor>y)
            if out is not None:
                return out
        elif not is_operand(x) or not is_operand(y):
            return NotImplemented
        return call(MAT, (x, y), {})

    def __pow__(x, y, modulus):
        if modulus is not None or not is_operand(x) or not is_operand(y):
            return NotImplemented
        if is_tensor(x) and PyLong_CheckExact(y) and y == 2 and is_inexact((<Tensor>x).a.dtype):
            return apply_unary(SQUARE, <Tensor>x)  # the commonest case of pow_call
        if is_tensor(x) and is_weak_real(y):
            return power_by(<Tensor>x, y)
        return operate(POWER, x, y)

    def __neg__(self):
        return apply_unary(NEGATIVE, self)

    def __pos__(self):
        return apply_unary(POSITIVE, self)

    def __abs__(self):
        return apply_unary(ABS, self)

    def __invert__(self):
        return apply_unary(INVERT, self)

    def __and__(x, y):
        return operate(AND, x, y)

    def __or__(x, y):
        return operate(OR, x, y)

    def __xor__(x, y):
        return operate(XOR, x, y)

    def __lshift__(x, y):
        return operate(LEFT, x, y)

    def __rshift__(x, y):
        return operate(RIGHT, x, y)

    def __richcmp__(x, y, int comparison):
        return operate(<Row>COMPARISONS[comparison], x, y)

    def __iadd__(self, y):
        return operate_in_place(ADD, self, y)

    def __isub__(self, y):
        return operate_in_place(SUBTRACT, self, y)

    def __imul__(self, y):
        return operate_in_place(MULTIPLY, self, y)

    def __itruediv__(self, y):
        return operate_in_place(DIVIDE, self, y)

    def __ifloordiv__(self, y):
        return operate_in_place(FLOOR_DIVIDE, self, y)

    def __imod__(self, y):
        return operate_in_place(REMAINDER, self, y)

    def __ipow__(self, y, modulus):
        if modulus is not None or not is_operand(y) and lifted((y,)) is None:
            return NotImplemented
        op, others, options = pow_call(self.dtype, y)
        return inplace(op, self, others, options)

    def __imatmul__(self, y):
        return operate_in_place(MAT, self, y)

    def __iand__(self, y):
        return operate_in_place(AND, self, y)

    def __ior__(self, y):
        return operate_in_place(OR, self, y)

    def __ixor__(self, y):
        return operate_in_place(XOR, self, y)

    def __ilshift__(self, y):
        return operate_in_place(LEFT, self, y)

    def __irshift__(self, y):
        return operate_in_place(RIGHT, self, y)

    def __getitem__(self, index):
        out = getitem(GETITEM_ROW, self, index)
        if out is not None:
            return out
        operands, options = GETITEM_ROW.op.bind(self, plain(index))
        cls = lifted_index(options)
        if cls is not None:
            return cls._apply_op(GETITEM_ROW.op, operands, options)
        return apply_general(GETITEM_ROW, operands, options)

    def __setitem__(self, index, value):
        (_, value), options = TABLE["setitem"].bind(self, value, plain(index))
        inplace(TABLE["setitem"], self, (value,), options)

    def sum(self, axis=None, dtype=None, keepdims=False, initial=None, where=True):
        """The sum over all elements or over `axis`; see `fastgrad.sum`."""
        if dtype is None and initial is None and where is True:
            out = sum_or_mean(SUM_ROW, self, axis, keepdims)
            if out is not None:
                return out
        operands, options = SUM_ROW.op.bind(self, axis, dtype, keepdims=keepdims, initial=initial, where=where)
        return call(SUM_ROW, operands, options)

    def mean(self, axis=None, dtype=None, keepdims=False, where=True):
        """The mean over all elements or over `axis`; see `fastgrad.mean`."""
        if dtype is None and where is True:
            out = sum_or_mean(MEAN_ROW, self, axis, keepdims)
            if out is not None:
                return out
        operands, options = MEAN_ROW.op.bind(self, axis=axis, dtype=dtype, keepdims=keepdims, where=where)
        return call(MEAN_ROW, operands, options)

    def reshape(self, *shape, **options):
        """The same elements in another shape, a view where NumPy gives one: ``t.reshape(2, 3)`` or ``((2, 3))``."""
        if not options:
            out = reshape(self, shape[0] if len(shape) == 1 else shape)
            if out is not None:
                return out
        return TensorMethods.reshape(self, *shape, **options)

    def transpose(self, *axes):
        """The axes in another order, reversed if none is given: ``t.transpose(1, 0)`` or ``((1, 0))``."""
        out = None
        if direct:
            out = turn(TRANSPOSE_ROW, self, {"axes": None if not axes else axes[0] if len(axes) == 1 else axes})
        return TensorMethods.transpose(self, *axes) if out is None else out

    @property
    def T(self):
        """The axes in reverse order."""
        out = turn(TRANSPOSE_ROW, self, REVERSED) if direct else None
        return TABLE["transpose"](self) if out is None else out

    def item(self, *index):
        """One element as a Python scalar: the only one, or the one at `index`."""
        if index or self.a.size != 1 or not is_real(self.a):
            return TensorMethods.item(self, *index)
        if wants_some_grad(self):
            note_number_taken()
        return <double>(<float*>self.a.data)[0] if self.a.dtype == FG_FLOAT32 else (<double*>self.a.data)[0]


cdef dict POWERS = {}  # exponent and its type -> the row that raises real Tensors to it


cdef object power_by(Tensor x, object exponent):
    """``x ** number``: `pow_call`, which is asked once for each number."""
    cdef Row row
    if not is_real(x.a):
        op, others, options = pow_call(x.dtype, exponent)
        return apply(row_of(op), (x, *others), options)
    key = (exponent, type(exponent))
    row = POWERS.get(key)
    if row is None:
        op, _, options = pow_call(x.dtype, exponent)
        row = row_of(op).variant(options) if options else row_of(op)
        if len(POWERS) < 64 and exponent:  # 0.0 and -0.0 are one key
            POWERS[key] = row
    if row.options is None:
        return apply_unary(row, x)
    out = apply_fused_one(row, x) if row.fused and direct else None
    return row.fn(x, **row.options) if out is None else out


cdef Extra leaf_extra(Tensor leaf):
    """What hooks are kept in; the collector looks at the leaf from now on."""
    if leaf.extra is None:
        leaf.extra = Extra.__new__(Extra)
    track(leaf)
    return leaf.extra


cdef void forget_accumulator(Tensor leaf) noexcept:
    """What was attached to the end of the graph goes with the last graph that led there, unless somebody holds it."""
    cdef Extra extra = leaf.extra
    if leaf.sink != NULL and leaf.sink.edges == 0 and <uintptr_t><void*>leaf not in ACCUMULATORS:
        extra.prehooks = extra.posthooks = extra.metadata = None
        extra.special = False


cdef void forget_at(uintptr_t address) noexcept:
    """Called while an AccumulateGrad dies, which holds the leaf at this address."""
    cdef Tensor leaf = <Tensor><PyObject*>address
    if leaf.extra is not None:
        forget_accumulator(leaf)


cdef AccumulateGrad accumulate_grad(Tensor leaf):
    """The visible end of the graph at `leaf`; the same object for as long as it is held."""
    cdef AccumulateGrad found = None
    reference = ACCUMULATORS.get(<uintptr_t><void*>leaf)
    if reference is not None:
        found = reference()
    if found is None or found.variable is not leaf:
        found = AccumulateGrad.__new__(AccumulateGrad)
        found.variable = leaf
        ACCUMULATORS[<uintptr_t><void*>leaf] = weakref_ref(found, _Forget(<uintptr_t><void*>leaf))
    return found


cdef dict ACCUMULATORS = {}  # address of a leaf -> weak reference to its AccumulateGrad (which holds the leaf)


class _Forget:
    """Takes an AccumulateGrad off the list when it dies."""

    def __init__(self, address):
        self.address = address

    def __call__(self, reference):
        if ACCUMULATORS.get(self.address) is reference:
            del ACCUMULATORS[self.address]
            forget_at(self.address)
