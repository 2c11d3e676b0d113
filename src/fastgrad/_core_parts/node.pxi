# Node: one recorded operation. Edges hold a reference to the object that owns their node: a Node, or a leaf.

cdef extern from *:
    """
    /* The graph's end at a leaf: allocated with the leaf's first edge, owned by the leaf. */
    typedef struct { fg_node n; PyObject *tensor; Py_ssize_t edges; } fg_sink;
    """
    ctypedef struct fg_sink:
        fg_node n
        PyObject* tensor
        Py_ssize_t edges  # that lead here

cdef uint64_t next_seq = 0
cdef PyObject** dead = NULL  # nodes whose last reference is ours to drop: see Note [Freeing]
cdef Py_ssize_t dead_count = 0, dead_room = 0
cdef bint freeing = False


cdef enum:  # bits of fg_thread.special
    SAVED_HOOKS = 1      # hooks on saved values are on
    SAVED_UNTRACKED = 2  # the node being made saved what may not be saved


cdef class Node:
    """A recorded operation; what ``Tensor.grad_fn`` is."""

    cdef fg_node n
    cdef fg_edge edges_[2]
    cdef fg_array* saved_[3]
    cdef uint32_t versions_[3]
    cdef c_bool freed, direct
    cdef c_bool release_later  # when the runs that are busy with it are done
    cdef c_bool shown         # to the cycle collector
    cdef c_bool shown_below   # and so are all the nodes it leads to
    cdef int busy             # runs that are computing its vjp now; a loop lets other threads run meanwhile
    cdef const fg_vjp* vjp    # its row's, for the operands that want a gradient; NULL where it is no program
    cdef fg_array** saved     # nin operands, then the result; NULL: shape and dtype of the result
    cdef uint32_t* versions
    cdef Row row
    cdef object options       # a dict; of a basic getitem the index itself
    cdef Extra extra          # hooks and the like, made when first needed
    cdef object __weakref__

    def __dealloc__(self):
        release_saved(self)
        release_edges(self)
        if self.n.edges != self.edges_:
            PyMem_Free(self.n.edges)  # and what lies behind them: see `make_room`

    def name(self):
        """The node's name, such as ``'MulBackward'``."""
        return type(self).__name__ if self.row is None else self.row.op.grad_name

    @property
    def next_functions(self):
        """The nodes that made the operands: a tuple of ``(node, output number)``, ``(None, 0)`` for a constant."""
        cdef uint32_t i
        return tuple([(edge_function(self.n.edges[i].node), self.n.edges[i].nr) for i in range(self.n.nin)])

    @property
    def metadata(self):
        """A dict for the user's own notes on this node."""
        show_node(self)
        return metadata_of(extra_of(self))

    def register_prehook(self, hook):
        """Call ``hook(grad_outputs)`` before this node runs.

        A tuple that the hook returns takes the place of grad_outputs. Gives a handle with ``remove()``.
        """
        show_node(self)
        return add_prehook(extra_of(self), hook)

    def register_hook(self, hook):
        """Call ``hook(grad_inputs, grad_outputs)`` after this node has run.

        A tuple that the hook returns takes the place of grad_inputs. Gives a handle with ``remove()``.
        """
        show_node(self)
        return add_posthook(extra_of(self), hook)

    def _sequence_nr(self):
        """The order in which nodes were made: of two, the newer has the greater."""
        return self.n.seq

    def __repr__(self):
        return f"<{self.name()}>"


cdef class Extra:
    """The rarely used part of a Node, or of a leaf."""

    cdef dict hooks            # output number -> {handle: hook}
    cdef dict retains          # output number -> weak reference to the Tensor whose .grad is retained
    cdef dict prehooks, posthooks, post_accumulate
    cdef object metadata       # a Notes
    cdef dict packed           # position among the saved values -> Packed
    cdef list outs             # of a multi-output node: shape and dtype of each result
    cdef list results          # and, where its vjp reads them, the results: a Saved for each; of a sort, the order
    cdef bint special          # a run must see its cotangents as Tensors


cdef object metadata_of(Extra extra):
    if extra.metadata is None:
        extra.metadata = Notes()
    return extra.metadata


class Notes(dict):
    """The dict of a node's metadata: what is put in may close a cycle, so the collector is shown it."""

    def __setitem__(self, key, value):
        show_reachable(value)
        dict.__setitem__(self, key, value)

    def setdefault(self, key, default=None):
        show_reachable(default)
        return dict.setdefault(self, key, default)

    def update(self, *args, **kwargs):
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other):
        self.update(other)
        return self


cdef object add_prehook(Extra extra, hook):
    if extra.prehooks is None:
        extra.prehooks = {}
    extra.special = True
    return add_hook(extra.prehooks, hook)


cdef object add_posthook(Extra extra, hook):
    if extra.posthooks is None:
        extra.posthooks = {}
    extra.special = True
    return add_hook(extra.posthooks, hook)


cdef object add_hook(dict hooks, hook):
    if not callable(hook):
        raise _errors.hook_type(hook)
    show_reachable(hook)
    return Handle(hooks, hook)


@cython.auto_pickle(False)
cdef class AccumulateGrad:
    """The end of a graph at a leaf: adds the gradient into ``variable.grad``."""

    cdef readonly object variable
    cdef object __weakref__

    def name(self):
        """The node's name."""
        return "AccumulateGrad"

    @property
    def next_functions(self):
        """Nothing comes after it: an empty tuple."""
        return ()

    @property
    def metadata(self):
        """A dict for the user's own notes on this node."""
        return metadata_of(leaf_extra(self.variable))

    def register_prehook(self, hook):
        """Call ``hook(grad_outputs)`` before the gradient is added; see `Node.register_prehook`."""
        return add_prehook(leaf_extra(self.variable), hook)

    def register_hook(self, hook):
        """Call ``hook((), grad_outputs)`` after the gradient was added."""
        return add_posthook(leaf_extra(self.variable), hook)

    def _sequence_nr(self):
        """Leaves run as soon as they can: the greatest number there is."""
        return FG_SEQ_LEAF

    def __repr__(self):
        return "<AccumulateGrad>"


cdef inline Node node_of(fg_node* n):
    """The Node that `n` is embedded in (never called on a leaf's)."""
    return <Node>container(n)


cdef inline PyObject* container(fg_node* n) noexcept:
    return <PyObject*>(<char*>n - node_offset)


cdef Py_ssize_t node_offset = 0

cdef void _find_offset():
    global node_offset
    cdef Node probe = Node.__new__(Node)
    node_offset = <char*>&probe.n - <char*><void*>probe

_find_offset()


cdef inline PyObject* owner_of(fg_node* n) noexcept:
    """The object whose reference keeps `n` alive."""
    return (<fg_sink*>n).tensor if n.seq == FG_SEQ_LEAF else container(n)


cdef object edge_function(fg_node* n):
    if n == NULL:
        return None
    if n.seq == FG_SEQ_LEAF:
        return accumulate_grad(<Tensor>owner_of(n))
    return node_of(n)


cdef inline Node new_node(Row row, int nin, int nout):
    """A node with room for `nin` operands: no edges, nothing saved. Not tracked by the cycle collector."""
    global next_seq
    cdef Node node = blank_node()
    node.row = row
    next_seq += 1
    node.n.seq = next_seq
    node.n.nout = nout
    node.n.nin = 0
    node.n.edges, node.saved, node.versions = node.edges_, node.saved_, node.versions_
    if nin > 2:
        make_room(node, nin)
    node.n.nin = nin
    return node


cdef int make_room(Node node, int nin) except -1:
    """Room for more operands than a node has within itself; as it was where there is no memory."""
    cdef char* block = <char*>PyMem_Calloc(nin + 1, sizeof(fg_edge) + sizeof(fg_array*) + sizeof(uint32_t))
    if block == NULL:
        raise MemoryError
    node.n.edges = <fg_edge*>block
    node.saved = <fg_array**>(block + nin * sizeof(fg_edge))
    node.versions = <uint32_t*>(block + nin * sizeof(fg_edge) + (nin + 1) * sizeof(fg_array*))
    return 0


cdef inline void link(Node node, int i, fg_node* n, uint32_t nr) noexcept:
    """Set edge `i`, keeping its owner."""
    cdef PyObject* owner = owner_of(n)
    Py_INCREF(<object>owner)
    node.n.edges[i].node = n
    node.n.edges[i].nr = nr
    if n.seq == FG_SEQ_LEAF:
        (<fg_sink*>n).edges += 1
    elif (<Node>owner).shown and not node.shown:
        show_node(node)  # what is recorded on top of a tracked node is tracked


cdef inline void save(Node node, int i, fg_array* a) noexcept:
    node.saved[i] = fg_array_keep(a)
    node.versions[i] = a.root.version
    if FG_RARELY(a.root.flags & FG_UNTRACKED):
        fg_thread.special |= SAVED_UNTRACKED  # `note_special` raises


cdef void show_node(Node node) noexcept:
    node.shown = True
    track(node)


cdef int show_below(Node top) except -1:
    """Show a node and all it leads to: it hangs from a ``.grad``, which may close a cycle."""
    cdef list stack = [top]
    cdef Node node
    cdef fg_node* n
    cdef uint32_t i
    while stack:
        node = stack.pop()
        if node.shown_below:
            continue
        node.shown_below = True
        show_node(node)
        for i in range(node.n.nin):
            n = node.n.edges[i].node
            if n != NULL and n.seq != FG_SEQ_LEAF:
                stack.append(node_of(n))
    return 0


cdef enum:
    REACH = 10000  # objects looked at for one hook

cdef int show_reachable(object hook) except -1:
    """Show the Tensors that a hook holds, and their graphs: through each of them it may close a cycle."""
    cdef list stack = [hook]
    cdef set seen = set()
    while stack and len(seen) < REACH:
        o = stack.pop()
        if id(o) in seen or isinstance(o, (type, type(sys))):
            continue
        seen.add(id(o))
        if is_tensor(o):
            track(o)
            if (<Tensor>o).node is not None:
                show_below((<Tensor>o).node)
        elif isinstance(o, Node):
            show_below(<Node>o)
        elif isinstance(o, Saved):
            if (<Saved>o).node is not None:
                show_below((<Saved>o).node)
        elif type(o) is type(pow_call):  # but for its globals
            stack += [o.__closure__, o.__defaults__, o.__kwdefaults__, o.__dict__]
        else:
            stack += gc.get_referents(o)
    return 0


cdef void track(object o) noexcept:
    """Show `o` to the cycle collector: something that can close a cycle was attached to it."""
    if not PyObject_GC_IsTracked(<PyObject*>o):
        PyObject_GC_Track(<void*>o)


cdef Extra extra_of(Node node):
    if node.extra is None:
        node.extra = Extra.__new__(Extra)
    return node.extra


cdef void release_saved(Node node) noexcept:
    """Drop saved values (shapes stay), as after a backward that does not retain the graph."""
    cdef uint32_t i
    cdef fg_array* a
    if node.saved == NULL:
        return
    if node.busy:
        node.release_later = True
        return
    for i in range(node.n.nin + 1):
        a = node.saved[i]
        if a != NULL and (a.data != NULL or a.owner != NULL):
            node.saved[i] = NULL
            node.freed = True
            fg_array_drop(a)
    if FG_RARELY(node.extra is not None):
        release_extra(node)


cdef void release_extra(Node node) noexcept:
    """Drop what hooks took away of the saved values, and the results of a multi-output node."""
    if node.extra.packed is not None or node.extra.results is not None:
        node.extra.packed = node.extra.results = None
        node.freed = True


# Note [Freeing]
# Dropping the newest node of a long chain would free the next from within, and so on down the C stack. Instead a node
# whose last reference is an edge being dropped is put on a list, which the outermost call works off.

cdef void release_edges(Node node) noexcept:
    cdef uint32_t i
    cdef PyObject* owner
    cdef fg_array* like
    for i in range(node.n.nin):
        if node.n.edges[i].node != NULL:
            owner = owner_of(node.n.edges[i].node)
            if node.n.edges[i].node.seq == FG_SEQ_LEAF:
                (<fg_sink*>node.n.edges[i].node).edges -= 1
                if FG_RARELY((<Tensor>owner).extra is not None):
                    forget_accumulator(<Tensor>owner)
            node.n.edges[i].node = NULL
            if Py_REFCNT(owner) == 1 and bury(owner):
                continue
            Py_DECREF(<object>owner)
    if node.saved != NULL:
        for i in range(node.n.nin + 1):
            like, node.saved[i] = node.saved[i], NULL
            fg_array_drop(like)
    drain()


cdef void drain() noexcept:
    """Work off the list of the dead, unless a caller further out does."""
    global freeing, dead_count
    if freeing:
        return
    freeing = True
    while dead_count > 0:
        dead_count -= 1
        Py_DECREF(<object>dead[dead_count])
    freeing = False


cdef void bury_last(PyObject* o) noexcept:
    """Bury what an attribute that is about to be cleared is the last to hold."""
    if o != <PyObject*>None and Py_REFCNT(o) == 1 and bury(o):
        Py_INCREF(<object>o)


cdef bint bury(PyObject* owner) noexcept:
    """Put an owner on the list of the dead; False where there is no memory for that (then it is freed recursively)."""
    global dead, dead_room, dead_count
    cdef PyObject** more
    if dead_count == dead_room:
        more = <PyObject**>PyMem_Realloc(dead, (dead_room * 2 + 64) * sizeof(PyObject*))
        if more == NULL:
            return False
        dead = more
        dead_room = dead_room * 2 + 64
    fg_prefetch_node(owner)
    dead[dead_count] = owner
    dead_count += 1
    return True


# The collector must see the edges, which are no Python attributes.

cdef traverseproc node_traverse_attributes = NULL
cdef inquiry node_clear_attributes = NULL


cdef int node_traverse(PyObject* o, visitproc visit, void* arg) noexcept:
    cdef int stop = node_traverse_attributes(o, visit, arg)
    return stop if stop else visit_edges(o, visit, arg)


cdef int visit_edges(PyObject* o, visitproc visit, void* arg) noexcept:
    cdef fg_node* n = <fg_node*>(<char*>o + node_offset)
    cdef uint32_t i
    cdef int stop
    for i in range(n.nin):
        if n.edges[i].node != NULL:
            stop = visit(owner_of(n.edges[i].node), arg)
            if stop:
                return stop
    return 0


cdef int node_clear(PyObject* o) noexcept:
    node_clear_attributes(o)
    release_edges(<Node>o)
    return 0


cdef void _install_node_slots():
    global node_traverse_attributes, node_clear_attributes
    cdef TypeSlots* slots = <TypeSlots*><PyObject*>Node
    node_traverse_attributes, node_clear_attributes = slots.tp_traverse, slots.tp_clear
    slots.tp_traverse, slots.tp_clear = node_traverse, node_clear

_install_node_slots()
