# Row: what the direct path knows of an operation, its loops and its programs.

# Operations whose forward or vjp has a path of its own here; the row's formula is the general path.
cdef enum:
    PLAIN
    SUM
    MEAN
    RESHAPE
    GETITEM
    MATMUL
    LINEAR
    CONVOLUTION
    CONVOLUTION_INPUT
    CONVOLUTION_WEIGHT
    WINDOW_MAX
    RESAMPLED
    BROADCAST_TO
    PUT_ADD
    CLONE
    CLASS_LOSS        # classes.pxi
    TAKE_ALONG        # gather.pxi
    TRANSPOSE         # from here to DIAGONAL: axes.pxi
    MATRIX_TRANSPOSE
    SWAPAXES
    MOVEAXIS
    FLIP
    EXPAND_DIMS
    SQUEEZE
    RAVEL
    FLATTEN
    DIAGONAL
    CONCAT            # from here to REPEAT: joins.pxi
    STACK
    SPLIT
    UNSTACK
    ROLL
    PADDED
    TRIL
    TRIU
    TILE
    REPEAT
    CUMSUM            # from here to LOGCUMSUMEXP: scans.pxi
    CUMPROD
    CUMMAX
    CUMMIN
    LOGCUMSUMEXP
    PROD              # rows.pxi
    EXTREMUM
    SOFTMAX
    LOG_SOFTMAX
    SORT              # sorts.pxi
    MEDIAN
    STANDARDIZE       # norms.pxi

cdef dict SPECIAL = {
    "sum": SUM, "mean": MEAN, "reshape": RESHAPE, "getitem": GETITEM, "matmul": MATMUL,
    "linear": LINEAR, "linear_map": LINEAR,
    "convolution": CONVOLUTION, "convolution_input": CONVOLUTION_INPUT, "convolution_weight": CONVOLUTION_WEIGHT,
    "window_max": WINDOW_MAX, "resampled": RESAMPLED,
    "broadcast_to": BROADCAST_TO, "put_add": PUT_ADD, "clone": CLONE, "class_loss": CLASS_LOSS,
    "take_along_axis": TAKE_ALONG,
    "transpose": TRANSPOSE, "matrix_transpose": MATRIX_TRANSPOSE, "swapaxes": SWAPAXES, "moveaxis": MOVEAXIS,
    "flip": FLIP, "expand_dims": EXPAND_DIMS, "squeeze": SQUEEZE,
    "concat": CONCAT, "stack": STACK, "split": SPLIT, "unstack": UNSTACK, "roll": ROLL, "padded": PADDED,
    "tril": TRIL, "triu": TRIU, "tile": TILE, "repeat": REPEAT,
    "ravel": RAVEL, "flatten": FLATTEN, "diagonal": DIAGONAL,
    "cumsum": CUMSUM, "cumprod": CUMPROD, "cummax": CUMMAX, "cummin": CUMMIN, "logcumsumexp": LOGCUMSUMEXP,
    "prod": PROD, "max": EXTREMUM, "min": EXTREMUM, "sort": SORT, "median": MEDIAN, "standardize": STANDARDIZE,
    "softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX,
}

cdef bint direct = True     # the test aid set_direct(False) sends everything down the general path
cdef dict ROWS = {}         # Op -> Row


cdef class Formula:
    """A traced program with what it reads, and its compiled form for float32 and float64."""

    cdef object program           # a _trace.Program
    cdef fg_program* compiled[2]
    cdef fg_vjp vjp               # of a vjp's formula: what the core is told of it
    cdef int ninputs, nresults, ncomputed
    cdef int sources[8]           # of each input: G, OUT or the operand's number
    cdef bint tried[2]
    cdef unsigned int reads       # bit i: operand i
    cdef bint reads_out
    cdef bint along_rows          # some steps reduce
    cdef bint spread              # of a rowwise row: the first result has a value for each element

    def __dealloc__(self):
        fg_program_free(self.compiled[0])
        fg_program_free(self.compiled[1])

cdef enum:
    G = -1
    OUT = -2
    COUNT = -3


cdef Formula make_formula(object program, tuple operands):
    """None where the program is larger than the core takes."""
    cdef Formula f = Formula.__new__(Formula)
    cdef int i, register
    cdef list computed
    if len(program.inputs) > 8 or len(program.outputs) > 4:
        return None
    f.program = program
    f.ninputs = len(program.inputs)
    f.nresults = len(program.outputs)
    f.spread = program.result_kind == "T"
    for op, _, _ in program.steps:
        if not op.elementwise:
            f.along_rows = True
    for i in range(f.ninputs):
        name = program.inputs[i]
        f.sources[i] = operands.index(name) if name in operands else {"g": G, "out": OUT, "count": COUNT}[name]
        f.vjp.truths[i] = program.kinds[i] == "?"
        f.vjp.sources[i] = len(operands) if f.sources[i] == OUT else f.sources[i]
        if f.sources[i] == OUT:
            f.reads_out = True
        elif f.sources[i] >= 0:
            f.reads |= 1u << f.sources[i]
    computed = computed_outputs(program)
    f.ncomputed = len(computed)
    for i in range(f.nresults):
        register = program.outputs[i]
        if register < f.ninputs:
            f.vjp.kinds[i], f.vjp.numbers[i] = FG_INPUT, register
            if f.sources[register] == G:
                f.vjp.gives_g = True
        elif register < f.ninputs + len(program.consts):
            f.vjp.kinds[i], f.vjp.consts[i] = FG_CONST, program.consts[register - f.ninputs]
        else:
            f.vjp.kinds[i], f.vjp.numbers[i] = FG_COMPUTED, computed.index(register)
    f.vjp.ninputs, f.vjp.ncomputed, f.vjp.nresults = f.ninputs, f.ncomputed, f.nresults
    f.vjp.ready[0] = f.vjp.ready[1] = f.ncomputed == 0
    return f


cdef tuple LAST = (-1,)
cdef dict REDUCTIONS = {"sum": (FG_SUM, "add"), "prod": (FG_PRODUCT, "multiply"),
                        "max": (FG_EXTREME, "maximum"), "min": (FG_EXTREME, "minimum"),
                        "dot": (FG_DOT, "dot")}


cdef list computed_outputs(object program):
    """The registers that hold results and are written by a step, each once."""
    first = len(program.inputs) + len(program.consts)
    return sorted({register for register in program.outputs if register >= first})


cdef fg_program* compiled_for(Formula f, int code) except? NULL:
    """The compiled form, or NULL where a loop is missing (then the general path serves)."""
    cdef int slot = code - FG_FLOAT32
    cdef fg_program* p
    if not f.tried[slot]:
        p = compile_program(f, code)
        if f.tried[slot]:  # by another thread, meanwhile
            fg_program_free(p)
        else:
            f.compiled[slot] = f.vjp.programs[slot] = p
            f.tried[slot] = True
            f.vjp.ready[slot] = f.ncomputed == 0 or p != NULL
    return f.compiled[slot]


cdef fg_program* compile_program(Formula f, int code) except? NULL:
    """Resolve each step's loop; number registers inputs, constants, temporaries, outputs."""
    program = f.program
    cdef list outputs = computed_outputs(program)
    cdef int nsteps = len(program.steps), nconsts = len(program.consts), total = len(program.kinds)
    cdef int size = 4 if code == FG_FLOAT32 else 8
    cdef int i, j, register, first = f.ninputs + nconsts
    cdef int ntemps = total - first - len(outputs)
    cdef fg_program* p
    cdef fg_loop loop
    cdef double value
    if nsteps == 0 or total > FG_MAXREGS or f.along_rows and nsteps > FG_MAXROWSTEPS:
        return NULL
    p = fg_program_new(f.ninputs, nconsts, ntemps, len(outputs), nsteps)
    if p == NULL:
        raise MemoryError
    try:
        number = list(range(first))
        temps = [register for register in range(first, total) if register not in outputs]
        for register in range(first, total):
            result = register in outputs
            number.append(first + (ntemps + outputs.index(register) if result else temps.index(register)))
        for register in range(total):
            kind = program.kinds[register]
            p.itemsize[<int>number[register]] = size if kind in "TR" else 1
            p.place[<int>number[register]] = FG_PER_ROW if kind in "Rr" else FG_EACH
        for register in range(first):
            if register >= f.ninputs or f.sources[register] == COUNT:
                p.place[register] = FG_SINGLE
        for i in range(nconsts):
            value = program.consts[i]
            if code == FG_FLOAT32:
                (<float*>(p.consts + 16 * i))[0] = <float>value
            else:
                (<double*>(p.consts + 16 * i))[0] = value
        for i in range(nsteps):
            op, sources, register = program.steps[i]
            if not op.elementwise:
                p.steps[i].reduces, name = REDUCTIONS[op.name]
                op = TABLE[name]
            if p.steps[i].reduces == FG_DOT:
                find_loop(np.vecdot, code, &loop)
                loop.foreign = True  # the BLAS library has threads of its own
            else:
                loop = row_of(op).loops[code if "T" in op.types else FG_BOOL]
            if loop.fn == NULL or len(sources) > 4:
                fg_program_free(p)
                return NULL
            p.steps[i].loop = loop
            p.steps[i].nin = len(sources)
            p.steps[i].out = number[register]
            for j in range(len(sources)):
                p.steps[i].in_[j] = number[<int>sources[j]]
        fg_program_finish(p)
        return p
    except BaseException:
        fg_program_free(p)
        raise


cdef class Row:
    """One operation, bound to this backend. A derived row has a variant of its own for each set of options."""

    cdef readonly object op
    cdef readonly str name
    cdef object fn
    cdef int nin, code
    cdef bint elementwise, derived, differentiable, holomorphic, view, multi, variadic
    cdef bint plain_call           # the public call's arguments are the operands as they stand
    cdef bint rowwise              # an expression along an axis, and its vjp another
    cdef bint foreign              # its loops are not NumPy's, and may set exceptions
    cdef bint fused                # a derived row whose expression is one program
    cdef fg_loop loops[CODES]      # by the operands' common type number
    cdef uint8_t out_code[CODES]
    cdef Formula forward
    cdef list formulas             # the vjp's, by mask of wanted operands
    cdef dict spreads              # the same where operands were broadcast: see spread_formula
    cdef bint traced[8]
    cdef unsigned int saves
    cdef bint saves_out
    cdef object options            # of a variant
    cdef dict variants
    cdef object defaults           # of a rowwise row, a sum or a mean: the options of a call that gives none; False
    cdef Row bare                  # the variant without options
    cdef PyMethodDef method
    cdef bytes method_name, method_doc
    cdef object function           # the public one; see `bind`

    cdef int setup(self, object op, object options) except -1:
        cdef int i
        self.op, self.name, self.fn = op, op.name, op.fn
        self.nin = -1 if op.variadic else len(op.operands)
        self.variadic = op.variadic
        self.code = SPECIAL.get(op.name, PLAIN)
        self.elementwise, self.derived = op.elementwise, op.derived
        self.differentiable, self.rowwise = op.differentiable, op.rowwise is not None
        self.holomorphic, self.view, self.multi = op.holomorphic, op.view, op.multi
        self.options = options
        self.plain_call = op._bind is None or op._bind.__name__ == op.name
        self.formulas = [None] * 8
        self.saves_out = "out" in op.saves
        for i, name in enumerate(op.operands):
            if name in op.saves:
                self.saves |= 1u << i
        if self.variadic and self.saves:
            self.saves = 0xFFFFFFFF
        if self.elementwise:
            self.foreign = isinstance(self.fn, np.ufunc) and getattr(np, self.fn.__name__, None) is not self.fn
            find_loops(self)
        return 0

    cdef Formula formula(self, unsigned int mask):
        """The vjp's program for the wanted operands, traced when first asked for; None if there is none."""
        cdef Formula f
        cdef int i, k = 0
        if mask >= 8:
            return None
        if not self.traced[mask]:
            wanted = tuple([bool(mask >> i & 1) for i in range(self.nin)])
            try:
                f = make_formula(vjp_program(self.op, wanted, self.options), self.op.operands)
                if f is not None:
                    for i in range(self.nin):
                        if wanted[i]:
                            f.vjp.edges[k] = i
                            k += 1
                self.formulas[mask] = f
            except NotElementwise:
                pass
            self.traced[mask] = True  # only now: tracing is Python, and another thread may come by
        return <Formula>self.formulas[mask]

    cdef Row along(self, dict options):
        """A rowwise row for these options, with the axis None, -1 or (-1,) for any; None if it has no program."""
        cdef object axis = options["axis"]
        cdef list key = [type(axis)]
        cdef Row row
        for name, value in options.items():
            if name != "axis":
                key.append(type(value))
                key.append(repr(value) if type(value) is float else value)  # 0.0 and -0.0 are two
        try:
            row = None if self.variants is None else self.variants.get(tuple(key))
        except TypeError:
            return None
        if row is None:
            if type(axis) is tuple:
                axis = LAST
            elif axis is not None:
                axis = -1
            row = self.variant({**options, "axis": axis})
            if row is not None:
                self.variants[tuple(key)] = row
        return row

    cdef Formula spread_formula(self, unsigned int mask, unsigned int spread):
        """The same along rows, where the operands `spread` (a mask) have one value for each; None if there is none."""
        cdef Formula f
        cdef int i, k = 0
        if self.spreads is None:
            self.spreads = {}
        key = mask << 8 | spread
        if key not in self.spreads:
            wanted = tuple([bool(mask >> i & 1) for i in range(self.nin)])
            numbers = tuple([i for i in range(self.nin) if spread >> i & 1])
            f = None
            try:
                f = make_formula(vjp_program(self.op, wanted, self.options, numbers), self.op.operands)
            except NotElementwise:
                pass
            if f is not None:
                for i in range(self.nin):
                    if wanted[i]:
                        f.vjp.edges[k] = i
                        k += 1
            self.spreads[key] = f
        return <Formula>self.spreads[key]

    cdef Row variant(self, dict options):
        """A derived row for these options, with its forward program if it has one."""
        cdef Row row
        if not options and self.bare is not None:
            return self.bare
        for name, value in options.items():
            if value is not None and type(value) not in (bool, int, float, str) and name != "axis":
                return None  # only plain options are kept
        key = tuple([(name, repr(value)) for name, value in options.items()])  # 0.0 and -0.0 are two
        row = None if self.variants is None else self.variants.get(key)
        if row is None:
            row = make_row(self.op, options)
            try:
                row.forward = make_formula(forward_program(self.op, options), self.op.operands)
                row.fused = row.derived and row.forward is not None and self.nin <= 3 \
                    and row.forward.vjp.kinds[0] == FG_COMPUTED and row.formula((1 << self.nin) - 1) is not None
            except NotElementwise:
                pass
            if self.variants is None or len(self.variants) >= 64:
                self.variants = {}
            self.variants[key] = row
            if not options:
                self.bare = row
        return row


# Rounded once on real numbers, or not at all: their loops give the same bits whatever the strides.
cdef frozenset EXACT = frozenset((
    "add", "subtract", "multiply", "divide", "square", "negative", "abs", "sqrt", "less", "less_equal", "greater",
    "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not", "isnan", "isfinite",
))


cdef int find_loops(Row row) except -1:
    """Fill the table of inner loops from the ufunc object, or from the core for rows that have no ufunc."""
    cdef int i, code
    cdef int[5] codes
    codes = [FG_BOOL, FG_FLOAT32, FG_FLOAT64, FG_COMPLEX64, FG_COMPLEX128]
    if row.op.loop is not None:
        name = row.op.loop.encode()
        ufunc = getattr(row.fn, "general", row.fn)
        for i in range(1, 5):
            code = row.out_code[codes[i]] = codes[i]
            if isinstance(ufunc, np.ufunc):
                row.out_code[code] = find_loop(ufunc, code, &row.loops[code])
            row.loops[code] = fg_mixed_find(name, code, &row.loops[code])
    elif isinstance(row.fn, np.ufunc):
        for i in range(5):
            code = codes[i]
            row.out_code[code] = find_loop(row.fn, code, &row.loops[code])
            row.loops[code].foreign = row.foreign
            row.loops[code].exact = code <= FG_FLOAT64 and row.name in EXACT
    return 0


cdef int find_loop(object ufunc, int code, fg_loop* found) except -1:
    """The ufunc's loop whose operands are all of type `code`: the type number of its result; 0 if there is none."""
    cdef UfuncLoops* u = <UfuncLoops*><PyObject*>ufunc
    cdef int j, k
    cdef const char* types
    if u.functions == NULL or u.types == NULL:
        return 0
    for j in range(u.ntypes):
        types = u.types + j * u.nargs
        for k in range(u.nin):
            if types[k] != code:
                break
        else:
            if u.functions[j] != NULL and is_number(types[u.nin]):
                found.fn = u.functions[j]
                found.data = u.data[j] if u.data != NULL else NULL
                return types[u.nin]
    return 0


cdef Row row_of(object op):
    cdef Row row = ROWS.get(op)
    if row is None:
        row = ROWS[op] = make_row(op, None)
    return row


cdef Row make_row(object op, object options):
    cdef Row row = Row.__new__(Row)
    row.setup(op, options)
    return row


cdef inline Row row_named(str name):
    return row_of(TABLE[name])


cdef fg_loop* add_loop(int code):
    """The loop that adds two arrays of this type, or NULL."""
    if code >= CODES or ADD.loops[code].fn == NULL:
        return NULL
    return &ADD.loops[code]
