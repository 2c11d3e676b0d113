# Fused: an elementwise expression of several values, written where its results go (a step of an optimizer, say).

cdef class Fused:
    """See `fused`."""

    cdef object function
    cdef dict formulas   # number of inputs -> (Formula, which input each of the program's is), or None

    def __call__(self, inputs, outputs):
        cdef Formula f
        cdef list arrays = [np.asarray(value, outputs[0].dtype) if is_weak_real(value) else value for value in inputs]
        found = self.formula(len(arrays), len(outputs)) if direct else None
        if found is None or not fit_to_fuse(arrays, outputs):
            return self.general(inputs, outputs)
        f, sources = found
        cdef fg_program* p = compiled_for(f, code_of(outputs[0]))
        if p == NULL:
            return self.general(inputs, outputs)
        for i, j in enumerate(sources):
            arrays[j] = untouched(arrays[j], f, i, outputs)
        run_fused(f, p, [arrays[j] for j in sources], list(outputs))

    cdef object formula(self, int nin, int nout):
        key = nin, nout
        if key not in self.formulas:
            try:
                program, sources = several_program(self.function, nin)
                self.formulas[key] = fused_formula(program, nin, nout), sources
            except NotElementwise:
                self.formulas[key] = None
        found = self.formulas[key]
        return None if found is None or found[0] is None else found

    cdef object general(self, inputs, outputs):
        with quiet(True):
            write_results(self.function(*inputs), outputs)


def fused(function):
    """What computes ``function(*inputs)``, a tuple, in one pass, block by block, into ndarrays `outputs` of one shape.

    ``fused(function)(inputs, outputs)``: inputs are ndarrays of the outputs' dtype that broadcast to their shape, or
    Python floats. An output may be an input.
    """
    cdef Fused made = Fused.__new__(Fused)
    made.function, made.formulas = function, {}
    return made


cdef Formula fused_formula(object program, int nin, int nout):
    """None where a result is no value of its own."""
    cdef Formula f = Formula.__new__(Formula)
    first = len(program.inputs) + len(program.consts)
    if len(set(program.outputs)) < nout or min(program.outputs) < first or nin + nout > FG_MAXINOUT:
        return None
    f.program, f.ninputs = program, len(program.inputs)
    return f


cdef bint fit_to_fuse(list arrays, object outputs):
    """Whether all are what a program takes: aligned, in the machine's byte order, of one dtype and of the shape."""
    cdef int code = code_of(outputs[0])
    if code != FG_FLOAT32 and code != FG_FLOAT64:
        return False
    shape = outputs[0].shape
    for a in outputs:
        if not cnp.PyArray_ISBEHAVED(<ndarray?>a) or code_of(a) != code or a.shape != shape:
            return False
    for a in arrays:
        if type(a) is not ndarray or not cnp.PyArray_ISALIGNED(<ndarray>a) or code_of(a) != code \
                or a.shape != shape and a.ndim:
            return False
    return True


cdef object untouched(ndarray a, Formula f, int register, object outputs):
    """The input itself, or a copy where an output would overwrite what a later step reads."""
    cdef int k
    for k in range(len(outputs)):
        if outputs[k] is a:
            if not writes_late(f.program, register, f.program.outputs[k]):
                return a.copy()
        elif not apart(a, outputs[k]) and np.may_share_memory(a, outputs[k]):
            return a.copy()
    return a


cdef bint apart(ndarray a, ndarray b):
    """Whether two arrays without gaps have no memory in common; False where it takes a longer look."""
    cdef char* p = cnp.PyArray_BYTES(a)
    cdef char* q = cnp.PyArray_BYTES(b)
    if not (cnp.PyArray_ISONESEGMENT(a) and cnp.PyArray_ISONESEGMENT(b)):
        return False
    return p + cnp.PyArray_NBYTES(a) <= q or q + cnp.PyArray_NBYTES(b) <= p


cdef bint writes_late(object program, int register, int output):
    """Whether the step that writes `output` comes after, or is, the last that reads `register`."""
    cdef int last = 0, written = 0, i = 0
    for _, sources, target in program.steps:
        if register in sources:
            last = i
        if target == output:
            written = i
        i += 1
    return written >= last


cdef int run_fused(Formula f, fg_program* p, list inputs, list outputs) except -1:
    cdef fg_array* args[FG_MAXINOUT]
    cdef fg_array* ordered[FG_MAXINOUT]
    cdef int i, n = 0, nin = len(inputs), nout = len(outputs)
    cdef list computed = computed_outputs(f.program)
    try:
        for a in [*inputs, *outputs]:
            args[n] = wrap_nd(a)
            n += 1
        for i in range(nout):
            ordered[computed.index(f.program.outputs[i])] = args[nin + i]
        run_program(f, p, args, ordered, args[nin].size)
    finally:
        for i in range(n):
            fg_array_drop(args[i])
    return 0


cdef object write_results(object results, object outputs):
    for out, result in zip(outputs, [np.array(result) for result in results], strict=True):  # one may be an output
        np.copyto(out, result, casting="same_kind")


# ---------------------------------------------------------------- steps of optimizers

cdef enum:
    STEP_ARRAYS = 4
    STEP_NUMBERS = 8


def fused_step(bytes name, list tensors, tuple numbers):
    """The core's own step of that name, on a parameter, its gradient and what is kept; False where it has none.

    The bits are those of the expression. What is read and written must be float32 or float64, in C order, and apart.
    """
    cdef fg_array* arrays[STEP_ARRAYS]
    cdef char* data[STEP_ARRAYS]
    cdef double values[STEP_NUMBERS]
    cdef fg_array* a
    cdef fg_step_fn function
    cdef int i, k, n = len(tensors), count = len(numbers)
    if not direct or n > STEP_ARRAYS or count > STEP_NUMBERS:
        return False
    for i in range(n):
        if not is_tensor(tensors[i]):
            return False
        a = arrays[i] = (<Tensor>tensors[i]).a
        data[i] = a.data
        if not is_real(a) or not a.flags & FG_CONTIGUOUS or i != 1 and not a.flags & FG_WRITEABLE:
            return False
        if a.dtype != arrays[0].dtype or not same_shape(a, arrays[0]):
            return False
        for k in range(i):
            if a.data < data[k] + a.size * a.itemsize and data[k] < a.data + a.size * a.itemsize:
                return False
    function = fg_step_find(name, arrays[0].dtype, n, count)
    if function == NULL:
        return False
    for i in range(count):
        values[i] = numbers[i]
    a = arrays[0]
    if a.size >= RELEASE_GIL:
        hold(n, arrays)
        with nogil:
            fg_step_run(function, data, values, a.size)
        let_go(n, arrays)
    elif a.size:
        fg_step_run(function, data, values, a.size)
    if not a.root.flags & FG_UNTRACKED:
        a.root.version += 1
    return True
