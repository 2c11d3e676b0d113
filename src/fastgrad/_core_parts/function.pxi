# Custom Functions: a node whose vjp is the user's own Python, and the values it saved.

cdef newfunc node_new = NULL  # what makes a FunctionNode, before `refuse_new` took its place


cdef class FunctionNode(Node):
    """The base of the nodes of custom Functions; a subclass has ``name``, ``_vjp`` and ``_release``."""

    cdef dict __dict__

    @property
    def next_functions(self):
        """The nodes that made the Tensors among the arguments: a tuple of ``(node, output number)``."""
        cdef uint32_t i
        return tuple([(edge_function(self.n.edges[i].node), self.n.edges[i].nr) for i in range(self.n.nin)
                      if self.saved[i] != NULL])


# Cython has the slots of a subclass call those that its base was declared with, not those put in their place.

cdef traverseproc function_traverse_attributes = NULL
cdef inquiry function_clear_attributes = NULL


cdef int function_traverse(PyObject* o, visitproc visit, void* arg) noexcept:
    cdef int stop = function_traverse_attributes(o, visit, arg)
    return stop if stop else visit_edges(o, visit, arg)


cdef int function_clear(PyObject* o) noexcept:
    function_clear_attributes(o)
    release_edges(<Node>o)
    return 0


cdef void _install_function_slots():
    global function_traverse_attributes, function_clear_attributes
    cdef TypeSlots* slots = <TypeSlots*><PyObject*>FunctionNode
    function_traverse_attributes, function_clear_attributes = slots.tp_traverse, slots.tp_clear
    slots.tp_traverse, slots.tp_clear = function_traverse, function_clear

_install_function_slots()


def new_function_node(cls, tuple inputs):
    """An instance of `cls` whose edges lead to where the inputs (Tensor or None) come from now."""
    cdef FunctionNode node
    cdef Py_ssize_t i
    if not issubclass(cls, FunctionNode):
        raise TypeError(f"{cls!r} is no FunctionNode")
    node = make_function_node(cls)
    make_room(node, len(inputs))
    node.n.nin = len(inputs)
    for i, x in enumerate(inputs):
        if x is not None:
            node.saved[i] = described((<Tensor?>x).a)
            if fg_grad_enabled and wants_grad(<Tensor>x):
                link_tensor(node, i, <Tensor>x)
    return node


cdef FunctionNode make_function_node(object cls):
    global next_seq
    cdef FunctionNode node
    cdef PyObject* made = <PyObject*>node_new(<PyObject*>cls, <PyObject*>(), NULL)
    if made == NULL:
        raise MemoryError
    node = <FunctionNode>made
    Py_DECREF(node)  # `node` holds one of its own
    next_seq += 1
    node.n.seq = next_seq
    node.n.nout = 1
    node.shown = True  # its attributes may hold anything
    extra_of(node).special = True
    return node


def attach(FunctionNode node, tuple outputs, dirty):
    """Output i (a Tensor or None) becomes result i of the node; those of `dirty` were inputs, written in place."""
    cdef Tensor t
    cdef uint32_t i
    cdef bint linked = False
    for i in range(node.n.nin):
        linked = linked or node.n.edges[i].node != NULL
    if not linked:
        return
    for i, out in enumerate(outputs):
        if out is not None and i in dirty:
            check_writeable(node.name(), <Tensor?>out, 1)
    node.n.nout = len(outputs)
    node.extra.outs = [None if out is None else (shape_of((<Tensor?>out).a), descr_of((<Tensor>out).a))
                       for out in outputs]
    if anomaly:
        note_origin(node)
    for i, out in enumerate(outputs):
        if out is None:
            continue
        t = <Tensor>out
        if i in dirty:
            t._grad = None
            rebase(t, node, None if t.view is None else slices_node(t, node, i), i)
            continue
        if t.view is not None:
            t.view.origin = FUNCTION
            t.view.seen = t.a.root.version
        came_from(t, node)
        t.nr = i


cdef list function_cotangents(FunctionNode node, list given, list wanted):
    """The custom backward's results, checked and fitted."""
    cdef list results = list(node._vjp(tuple(given), tuple(wanted)))
    cdef Py_ssize_t i
    if len(results) != <Py_ssize_t>node.n.nin:
        raise _errors.vjp_count(node.name(), node.n.nin, len(results))
    for i, g in enumerate(results):
        if not wanted[i]:
            results[i] = None
        elif g is not None:
            if not is_operand_object(g):
                raise _errors.function_result(node.name(), i, g)
            results[i] = fit_gradient(node, i, g)
    return results


cdef object fit_gradient(FunctionNode node, int i, object g):
    """A custom backward's gradient may be of a wider (broadcast) shape than the input, and of another dtype."""
    shape = shape_of(node.saved[i])
    if g.dtype.kind == "c" and not is_complex(type_number(node.saved[i])):
        raise _errors.function_complex(node.name(), i, g.dtype)
    try:
        fits = np.broadcast_shapes(shape, g.shape) == tuple(g.shape)
    except ValueError:
        fits = False
    if not fits:
        raise _errors.function_gradient(node.name(), i, g.shape, shape)
    return fit_object(node, i, g, node.saved[i])


cdef class Saved:
    """A value that a custom Function saved: its memory, the version it had, and its place in the graph."""

    cdef fg_array* a
    cdef uint32_t version
    cdef object maker        # weak reference to the node whose result it is
    cdef Node node           # of any other Tensor: where it came from
    cdef Tensor tensor       # and itself
    cdef uint32_t nr
    cdef Packed held

    def __cinit__(self, Tensor tensor not None, output_of=None, uint32_t nr=0):
        if tensor.a.root.flags & FG_UNTRACKED and fg_grad_enabled:
            raise _errors.save_inference()
        self.a, self.version, self.nr = fg_array_keep(tensor.a), tensor.a.root.version, nr
        if output_of is not None:
            self.maker = weakref_ref(output_of)
        else:
            wants_grad(tensor)
            self.tensor, self.node, self.nr = tensor, tensor.node, tensor.nr
            track(tensor)  # for the collector, which comes to it through the context
        if fg_thread.special:
            self.held = packed(self.place(self.a))
            like = like_of(self.a)
            fg_array_drop(self.a)
            self.a = like
            if self.tensor is not None and not self.tensor.requires:
                self.tensor = None  # the value is not kept

    def __dealloc__(self):
        fg_array_drop(self.a)
        bury_last(<PyObject*>self.node)
        self.node = None
        drain()

    cdef Tensor place(self, fg_array* a):
        """A Tensor on `a` where the saved one was in the graph."""
        cdef fg_edge edge
        cdef Tensor t
        edge.node, edge.nr = NULL, self.nr
        if self.maker is not None:
            node = self.maker()
            if node is not None:
                edge.node = &(<Node>node).n
        elif self.tensor is not None and self.tensor.a == a and self.tensor.node is self.node:
            return self.tensor
        elif self.node is not None:
            edge.node = &self.node.n
        elif self.tensor is not None and self.tensor.requires:
            edge.node = graph_node(self.tensor)
        return tracked(placed(a, edge))

    def unpack(self):
        """The saved Tensor. RuntimeError if it was written in place since."""
        if self.held is not None:
            return self.place(self.held.get().a)
        if self.a.root.version != self.version:
            node = self.node if self.maker is None else self.maker()
            raise _errors.saved_modified(None if node is None else node.name(), self.nr, descr_of(self.a),
                                         shape_of(self.a), self.version, self.a.root.version,
                                         None if node is None else origin_of(<Node>node))
        return self.place(self.a)
