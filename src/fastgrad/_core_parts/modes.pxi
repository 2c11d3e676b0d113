# What a thread, or the process, has switched on: grad mode, inference mode, hooks on saved values, anomaly detection.

cdef bint anomaly = False        # nodes remember where they were made, and a run says whose error it was
cdef bint anomaly_nan = False    # a nan in a gradient is an error then
cdef bint numpy_guard = False    # arrays handed out are read-only


cdef inline void set_grad_mode(bint enabled) noexcept:
    fg_thread.grad = enabled
    fg_thread.records = enabled and not fg_thread.inference


def is_grad_enabled():
    """Whether grad mode is on in this thread."""
    return fg_thread.grad != 0


def _set_grad_enabled(enabled):
    before = fg_thread.grad != 0
    set_grad_mode(enabled)
    return before


def is_inference_mode_enabled():
    return fg_thread.inference != 0


def _set_inference(enabled):
    before = fg_thread.inference != 0
    fg_thread.inference = bool(enabled)
    set_grad_mode(fg_thread.grad)
    return before


def _anomaly():
    return bool(anomaly), bool(anomaly_nan)


def _set_anomaly(enabled, check_nan):
    global anomaly, anomaly_nan
    before = _anomaly()
    anomaly, anomaly_nan = bool(enabled), bool(check_nan)
    return before


def _set_numpy_guard(enabled):
    global numpy_guard
    before, numpy_guard = numpy_guard, bool(enabled)
    return bool(before)


def _increment_version(Tensor t not None):
    """Count a write that the core has not seen."""
    t.a.root.version += 1


# ---------------------------------------------------------------- hooks on saved values

cdef list saved_hooks():
    """The pairs of this thread, innermost last."""
    return [] if fg_thread.saved_hooks == NULL else <list>fg_thread.saved_hooks


cdef void set_saved_hooks(list pairs):
    cdef PyObject* before = fg_thread.saved_hooks
    fg_thread.special = SAVED_HOOKS if pairs else 0
    fg_thread.saved_hooks = NULL
    if pairs:
        Py_INCREF(pairs)
        fg_thread.saved_hooks = <PyObject*>pairs
    if before != NULL:
        Py_DECREF(<object>before)


def _push_saved_hooks(pack, unpack):
    if fg_thread.forbidden != NULL:
        raise RuntimeError(<object>fg_thread.forbidden)
    set_saved_hooks([*saved_hooks(), (pack, unpack)])


def _pop_saved_hooks():
    cdef list pairs = saved_hooks()
    set_saved_hooks(pairs[:len(pairs) - 1])


def _set_saved_hooks_disabled(message):
    """Refuse `_push_saved_hooks` with this message (None: allow it). Gives the message before."""
    cdef PyObject* before = fg_thread.forbidden
    if message is not None and fg_thread.saved_hooks != NULL:
        raise RuntimeError(message)
    fg_thread.forbidden = NULL
    if message is not None:
        Py_INCREF(message)
        fg_thread.forbidden = <PyObject*>message
    if before == NULL:
        return None
    result = <object>before
    Py_DECREF(result)
    return result


# ---------------------------------------------------------------- what a new node remembers then

cdef class Packed:
    """A saved value that a hook took away: what it gave instead, and how to get the value back."""

    cdef object unpack, held

    cdef Tensor get(self):
        cdef bint before = fg_thread.grad
        set_grad_mode(False)
        try:
            value = self.unpack(self.held)
        finally:
            set_grad_mode(before)
        if not is_tensor(value):
            raise _errors.unpack_type(value)
        return <Tensor>value


cdef Packed packed(Tensor t):
    """`t` as the innermost hooks of this thread have it."""
    cdef Packed p = Packed.__new__(Packed)
    cdef uint32_t version = t.a.root.version
    cdef bint before = fg_thread.grad
    cdef list pairs = saved_hooks()
    pack, p.unpack = pairs[len(pairs) - 1]
    track(t)
    set_grad_mode(False)
    try:
        p.held = pack(t)
    finally:
        set_grad_mode(before)
    if t.a.root.version != version:
        raise _errors.pack_wrote()
    return p


cdef int note_special(Node node) except -1:
    """Called for each node recorded while something is switched on; more than once for one of several results."""
    cdef uint32_t i
    cdef fg_array* a
    refuse_untracked()
    if anomaly:
        note_origin(node)
    if not fg_thread.special:
        return 0
    for i in range(node.n.nin + 1):
        a = node.saved[i]
        if a == NULL or a.data == NULL or a.flags & FG_WEAK or fg_thread.saved_hooks == NULL:
            continue
        p = packed(saved_value(node, i))
        node.saved[i] = described(a)
        fg_array_drop(a)
        extra = extra_of(node)
        if extra.packed is None:
            extra.packed = {}
        extra.packed[i] = p
        extra.special = True
        show_node(node)
        show_reachable(p.held)
        show_reachable(p.unpack)
    return 0


cdef int refuse_untracked() except -1:
    """Raise if the node being made saved a Tensor of inference mode."""
    if fg_thread.special & SAVED_UNTRACKED:
        fg_thread.special &= ~SAVED_UNTRACKED
        raise _errors.save_inference()
    return 0


cdef int note_origin(Node node) except -1:
    """Remember where the node was made, for the messages of anomaly mode."""
    if "traceback_" not in node.metadata:
        node.metadata["traceback_"] = traceback_lines()
    return 0


cdef list traceback_lines():
    import traceback

    return traceback.format_list(traceback.extract_stack())
