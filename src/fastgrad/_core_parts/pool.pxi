# Note [Free lists]
# Most Tensors and Nodes live for a moment. A dead one that nothing unusual was attached to is kept, cleaned, and given
# out again: neither the allocator nor the cycle collector hears of it. Everything else dies the way Cython has it.

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define FG_FREE_LISTS 0
    #else
    #define FG_FREE_LISTS 1
    #endif
    #define FG_WEAKLIST(o) (*(PyObject **)((char *)(o) + Py_TYPE(o)->tp_weaklistoffset))
    """
    bint FG_FREE_LISTS
    PyObject* FG_WEAKLIST(PyObject*) noexcept
    void Py_SET_REFCNT(PyObject*, Py_ssize_t) noexcept

cdef enum:
    KEPT = 256
    NONES = 3  # attributes of a blank Node that are None: row, options, extra
    GC_HEADER = 16

cdef char[FG_SMALL] node_image  # of a blank Node
cdef size_t node_size = 0       # 0: there is no image

cdef PyObject* kept_nodes[KEPT]
cdef PyObject* kept_tensors[KEPT]
cdef int nodes_kept = 0
cdef int tensors_kept = 0
cdef destructor cython_node_dealloc = NULL
cdef destructor cython_tensor_dealloc = NULL


cdef inline Node blank_node():
    """A Node with nothing in it, unknown to the cycle collector."""
    global nodes_kept
    cdef Node node
    cdef PyObject* o
    if nodes_kept:
        nodes_kept -= 1
        o = kept_nodes[nodes_kept]
        Py_SET_REFCNT(o, 0)
        return <Node>o
    if FG_RARELY(not node_size):
        node = Node.__new__(Node)
        PyObject_GC_UnTrack(<void*>node)
        return node
    return fresh_node()


cdef inline Node fresh_node():
    """A Node in new memory, in the state of one that `clean_node` has seen: a graph of millions is made of these."""
    cdef int i
    cdef char* block = <char*>fg_small_alloc(node_size)
    if block == NULL:
        raise MemoryError
    memcpy(block, node_image, node_size)
    for i in range(NONES):
        Py_INCREF(None)
    return <Node><PyObject*>(block + GC_HEADER)


cdef inline void discard_node(Node node) noexcept:
    """Give the memory of a clean node back."""
    cdef int i
    node.row = None
    for i in range(NONES):
        Py_DECREF(None)
    fg_small_free(<char*><void*>node - GC_HEADER)


cdef void remember_blank_node():
    """Keep the image of a Node with nothing in it, unless there is more in it than is known here."""
    global node_size
    cdef Node node = Node.__new__(Node)
    cdef size_t size = GC_HEADER + (<TypeSlots*><PyObject*>Node).tp_basicsize
    cdef PyObject** words = <PyObject**>node_image
    cdef size_t i
    cdef int nones = 0
    PyObject_GC_UnTrack(<void*>node)
    memcpy(node_image, <char*><void*>node - GC_HEADER, size)
    Py_SET_REFCNT(<PyObject*>(node_image + GC_HEADER), 0)
    for i in range(size // sizeof(PyObject*)):
        nones += words[i] == <PyObject*>None
    if nones == NONES:
        node_size = size


cdef inline Tensor blank_tensor():
    """A Tensor with nothing in it, unknown to the cycle collector."""
    global tensors_kept
    cdef Tensor t
    cdef PyObject* o
    if tensors_kept:
        tensors_kept -= 1
        o = kept_tensors[tensors_kept]
        Py_SET_REFCNT(o, 0)
        return <Tensor>o
    t = Tensor.__new__(Tensor)
    PyObject_GC_UnTrack(<void*>t)
    return t


cdef void node_dealloc(PyObject* o) noexcept:
    global nodes_kept
    if node_size and FG_WEAKLIST(o) == NULL and not PyObject_GC_IsTracked(o):
        Py_SET_REFCNT(o, 1)  # for what follows, which counts references to it
        if clean_node(<Node>o):
            if nodes_kept < KEPT:
                kept_nodes[nodes_kept] = o
                nodes_kept += 1
            else:
                discard_node(<Node>o)
            return
        Py_SET_REFCNT(o, 0)
    cython_node_dealloc(o)


cdef bint clean_node(Node node) noexcept:
    """Whether the node is as good as new afterwards."""
    if node.extra is not None or node.saved != node.saved_:
        return False
    release_saved(node)
    release_edges(node)
    node.options = None
    node.vjp = NULL
    node.freed = node.direct = node.release_later = False
    node.busy = 0
    node.shown = node.shown_below = False
    node.n.run = NULL
    node.n.grad = NULL
    return True


cdef void tensor_dealloc(PyObject* o) noexcept:
    global tensors_kept
    if tensors_kept < KEPT and FG_FREE_LISTS and FG_WEAKLIST(o) == NULL and not PyObject_GC_IsTracked(o):
        Py_SET_REFCNT(o, 1)
        if clean_tensor(<Tensor>o):
            if tensors_kept < KEPT:
                kept_tensors[tensors_kept] = o
                tensors_kept += 1
                return
        Py_SET_REFCNT(o, 0)
    cython_tensor_dealloc(o)


cdef bint clean_tensor(Tensor t) noexcept:
    cdef fg_array* a = t.a
    if t._grad is not None or t.extra is not None or t.sink != NULL:
        return False
    t.a = NULL
    fg_array_drop(a)
    t.node = None
    t.view = None
    t.nr = 0
    t.requires = t.is_grad = False
    return True


# Memory for both comes from the core's slabs, where a million Nodes cost few page faults. An object that the cycle
# collector may know of has a header of the collector's before it, zero while the collector does not know it.

cdef PyObject* slab_alloc(void* cls, Py_ssize_t items) noexcept:
    cdef size_t size = GC_HEADER + (<TypeSlots*>cls).tp_basicsize
    cdef char* block = <char*>fg_small_alloc(size)
    if block == NULL:
        PyErr_SetNone(MemoryError)
        return NULL
    memset(block, 0, size)
    return PyObject_Init(<PyObject*>(block + GC_HEADER), cls)


cdef void slab_free(void* o) noexcept:
    fg_small_free(<char*>o - GC_HEADER)


cdef bint fits_slab(object sample, TypeSlots* slots):
    """Whether this Python keeps the header that is assumed here (a free-threaded one has none)."""
    header = sys.getsizeof(sample) - object.__sizeof__(sample)
    return FG_FREE_LISTS and header == GC_HEADER and GC_HEADER + slots.tp_basicsize <= FG_SMALL


cdef void install(TypeSlots* slots, destructor dealloc):
    slots.tp_dealloc = dealloc
    slots.tp_alloc, slots.tp_free = slab_alloc, slab_free


def _install_slots():
    # called once Tensor exists: a class with a Python base is made when its definition is reached
    global cython_node_dealloc, cython_tensor_dealloc
    cdef TypeSlots* node_slots = <TypeSlots*><PyObject*>Node
    cdef TypeSlots* tensor_slots = <TypeSlots*><PyObject*>Tensor
    cdef object samples = (Node.__new__(Node), Tensor.__new__(Tensor))
    cdef bint fit = fits_slab(samples[0], node_slots) and fits_slab(samples[1], tensor_slots)
    del samples  # they go back to where they came from
    cython_node_dealloc, cython_tensor_dealloc = node_slots.tp_dealloc, tensor_slots.tp_dealloc
    if fit:
        install(node_slots, node_dealloc)
        install(tensor_slots, tensor_dealloc)
        remember_blank_node()
