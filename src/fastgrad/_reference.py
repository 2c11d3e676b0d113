"""The pure-Python backend: Tensor, the graph and backward on NumPy alone.

It is what the compiled backend is checked against, so it is the plainest code that is right: nothing recurses,
nothing is fused, every result is a new array. The rules it follows are the notes of docs/internals.md.
"""

from __future__ import annotations

import weakref
from _thread import _local  # threading.local, without importing threading

import numpy as np

from . import _errors
from ._methods import TensorMethods, add_operators, frozen
from ._reads import fused
from ._reference_graph import AccumulateGrad, Node, Run, add_hook, checked, is_array, nothing, reachable
from .ops import TABLE

name = "reference"

_SCALARS = frozenset((bool, int, float, complex))  # of exactly these types: weak operands (NEP 50)
_state = _local()


def is_grad_enabled():
    """Whether operations are recorded in this thread."""
    return getattr(_state, "enabled", True)


def _set_grad_enabled(enabled):
    previous = is_grad_enabled()
    _state.enabled = bool(enabled)
    return previous


# ---------------------------------------------------------------- running and recording operations


def _numeric(value, where):
    try:
        array = np.asarray(value)
    except RuntimeError:
        raise _errors.tensors_in_sequence(where) from None
    if array.dtype.kind not in "biufc":
        raise _errors.not_numeric(where, array.dtype)
    return array


def _arrays(op, operands):
    """Operands as the row's `fn` takes them: ndarrays, and Python scalars where they stand beside an array."""
    if all(type(value) in _SCALARS for value in operands):
        return [np.asarray(value) for value in operands]
    return [
        value._array if isinstance(value, Tensor) else value if type(value) in _SCALARS else _numeric(value, op.name)
        for value in operands
    ]


def _call(op, arrays, options):
    """The row's forward: a list of ndarrays, one for each result."""
    try:
        with np.errstate(all="ignore"):
            out = op.fn(*arrays, **options)
    except ValueError:
        if op.elementwise or op.derived:
            shapes = [array.shape for array in arrays if is_array(array)]
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                raise _errors.not_broadcastable(op.name, shapes) from None
        raise
    if not op.multi and isinstance(out, (tuple, list)):
        raise _errors.several_results(op.name)
    return [_numeric(array, op.name) for array in (out if op.multi else (out,))]


def apply(op, operands, options):
    """Run a row on Tensors, arrays and scalars, and record it where a gradient is wanted."""
    options = frozen(options)
    if not operands:
        raise _errors.no_operands(op.name)
    if not op.variadic and len(operands) != len(op.operands):
        raise _errors.operand_count(op.name, len(op.operands), len(operands))
    if op.derived and not fused(op, options):
        return op.fn(*map(_as_operand, operands), **options)
    arrays = _arrays(op, operands)
    outs = _call(op, arrays, options)
    if not op.view:
        outs = [out.copy() if any(_overlap(out, array) for array in arrays) else out for out in outs]
    results = [_result(op, operands, options, arrays, out, nr) for nr, out in enumerate(outs)]
    edges = _edges(op, operands)
    if edges is not None and any(out.dtype.kind in "fc" for out in outs):
        node = Node(op, options, edges)
        node.save(operands, arrays, outs, [result._counter for result in results])
        for nr, result in enumerate(results):
            if result.dtype.kind in "fc":
                result._node, result._nr = node, nr
    return tuple(results) if op.multi else results[0]


def _as_operand(value):
    return value if isinstance(value, Tensor) or type(value) in _SCALARS else Tensor._of(_numeric(value, "operand"))


def _overlap(out, array):
    return is_array(array) and np.may_share_memory(out, array)


def _edges(op, operands):
    """Where each operand's cotangent goes; None if nothing is to be recorded."""
    if not op.differentiable or not is_grad_enabled():
        return None
    formulas = operands if op.joint or op.derived else op.vjp
    edges = tuple(
        operand._edge() if isinstance(operand, Tensor) and formula is not None else None
        for operand, formula in zip(operands, formulas)
    )
    return edges if any(edge is not None for edge in edges) else None


def _result(op, operands, options, arrays, out, nr):
    """The Tensor of one result: a view of the first operand where it shares memory with it."""
    source = operands[0] if operands else None
    if not (op.view and isinstance(source, Tensor) and _overlap(out, arrays[0])):
        return Tensor._of(out)
    result = Tensor._of(out, source._counter)
    result._base = source if source._base is None else source._base
    result._way = source._way, (op, options, nr) if op.multi else (op, options)
    result._seen = source._counter[0]
    result._blind = source._blind or not is_grad_enabled()
    return result


def _check_writeable(op, target, base, operands):
    """Raise where writing in place is not allowed."""
    if not target._array.flags.writeable:
        raise _errors.read_only(op.name)
    if not is_grad_enabled():
        return
    if target.is_leaf and target._requires_grad:
        raise _errors.leaf_in_place(op.name)
    if base is not None and base.is_leaf and base._requires_grad:
        raise _errors.view_of_leaf_in_place(op.name)
    wanted = any(isinstance(operand, Tensor) and operand.requires_grad for operand in operands)
    if target._blind and (wanted or base.requires_grad):
        raise _errors.no_grad_view_in_place(op.name)
    for maker, *_ in target._chain() if wanted else ():
        if maker.multi:
            raise _errors.multi_view_in_place(op.name, maker.name)


def write(op, target, others, options):
    """``target op= others``; see Note [Versions and views]."""
    options = frozen(options)
    base, array, operands = target._base, target._array, (target, *others)
    _check_writeable(op, target, base, operands)
    if op.multi or (op.derived and not fused(op, options)):
        raise _errors.not_in_place(op.name)
    arrays = _arrays(op, operands)
    (out,) = _call(op, arrays, options)
    if out.shape != array.shape:
        raise _errors.in_place_shape(op.name, array.shape, out.shape)
    if not np.can_cast(out.dtype, array.dtype, "same_kind"):
        raise _errors.in_place_dtype(op.name, array.dtype, out.dtype)
    edges = _edges(op, operands) if array.dtype.kind in "fc" else None
    if edges is not None:
        node = Node(op, options, edges)
        arrays[0] = array.copy()  # what the formulas read of the target is what it was
        node.save((arrays[0], *others), arrays, [array], [target._counter], writes=1)
    np.copyto(array, out, casting="same_kind")
    if edges is not None:
        if base is None:
            target._rebase(node)
        else:
            slices = Node(TABLE["copy_slices"], {"chain": target._chain()}, (base._edge(), (node, 0)))
            slices.save((base, target), [base._array, array], [base._array], [base._counter])
            base._rebase(slices)
    target._counter[0] += 1
    target._refresh()  # now, so that a retained gradient is that of the new value
    return target


# ---------------------------------------------------------------- backward


def fit(g, like):
    """`g` as a cotangent of `like`: real part, broadcast axes summed, narrower shapes broadcast, dtype cast."""
    extra = g.ndim - like.ndim
    axes = tuple(i for i, n in enumerate(g.shape) if i < extra or like.shape[i - extra] == 1 != n)
    if axes:
        g = TABLE["sum"](g, axis=axes, keepdims=True)
    if extra > 0:
        g = TABLE["reshape"](g, g.shape[extra:])
    if g.shape != like.shape:
        g = TABLE["broadcast_to"](g, like.shape)
    if g.dtype.kind == "c" and like.dtype.kind != "c":
        g = TABLE["real"](g)
    return g if g.dtype == like.dtype else TABLE["astype"](g, like.dtype)


def _vjps(node, grads, wanted, create_graph):
    """The fitted cotangents of the wanted operands: ndarrays, or Tensors with `create_graph`."""
    op = node.op
    if node.freed:
        raise _errors.freed(node.name())
    for name, counter, version, like in node.checks:
        if counter[0] != version:
            raise _errors.modified(node.name(), name, like.dtype, like.shape, version, counter[0])
    for nr, (g, out) in enumerate(zip(grads, node.outputs)):
        if g is None:
            grads[nr] = _carrier(np.zeros(out.shape, out.dtype), create_graph)
    *values, outs = node.saved
    if op.derived:
        results = _derived_vjps(node, grads[0], values, wanted, create_graph)
    else:
        if create_graph:
            values = [_connected(value, edge) for value, edge in zip(values, node.edges)]
            outs = [_connected(out, (node, nr)) for nr, out in enumerate(outs)]
        conj = op.holomorphic and any(_is_complex(value) for value in (*node.inputs, *node.outputs))
        if conj:
            grads = [_conj(g) for g in grads]
        g, out = (tuple(grads), tuple(outs)) if op.multi else (grads[0], outs[0])
        results = list(op.vjps(g, out, values, node.options, wanted))
        if len(results) != len(wanted):
            raise _errors.vjp_count(node.name(), len(wanted), len(results))
        if conj:
            results = [_conj(g) for g in results]
    return [_fitted(node, i, g, create_graph) if want else None for i, (g, want) in enumerate(zip(results, wanted))]


def _carrier(g, create_graph):
    """A cotangent as it is passed around: a Tensor with `create_graph`, an ndarray without."""
    if create_graph:
        return g if isinstance(g, Tensor) else Tensor._of(np.asarray(g))
    return g._array if isinstance(g, Tensor) else np.asarray(g)


def _fitted(node, i, g, create_graph):
    if g is None:
        return None
    if isinstance(g, (tuple, list)):
        raise _errors.vjp_count(node.name(), 1, len(g))
    g, like = _carrier(g, create_graph), node.inputs[i]
    if any(n != m and 1 not in (n, m) for n, m in zip(g.shape[::-1], like.shape[::-1])):
        operand = node.op.operands[0 if node.op.variadic else i]
        raise _errors.vjp_shape(node.name(), operand, like.shape, g.shape)
    return _carrier(fit(g, like), create_graph)


def _is_complex(value):
    dtype = getattr(value, "dtype", None)
    return type(value) is complex if dtype is None else dtype.kind == "c"


def _conj(g):
    return TABLE["conj"](g) if _is_complex(g) else g


def _connected(value, edge):
    """A saved value as a Tensor with the graph it had when it was saved."""
    if not is_array(value):
        return value
    tensor = Tensor._of(value)
    if edge is not None:
        tensor._node, tensor._nr = edge
    return tensor


def _derived_vjps(node, g, values, wanted, create_graph):
    """Derive a row's expression: run it again on Tensors, and go backward through that."""
    operands, inputs = list(values), []
    previous = _set_grad_enabled(True)
    try:
        for i, (value, edge, want) in enumerate(zip(values, node.edges, wanted)):
            if create_graph:
                value = _connected(value, edge)
            if want:
                # A node of its own for each operand (one Tensor may be two of them), where the inner backward stops.
                value = TABLE["positive"](value) if create_graph else tensor(value, requires_grad=True)
                inputs.append(value)
            operands[i] = value
        out = node.op.fn(*operands, **node.options)
        if not (isinstance(out, Tensor) and out.requires_grad):  # a constant, whatever the operands are
            return [0.0] * len(wanted)
        found = iter(grad(out, inputs, g, create_graph=create_graph, materialize_grads=True))
    finally:
        _set_grad_enabled(previous)
    return [next(found) if want else None for want in wanted]


class _Backward(Run):
    """One backward pass: cotangents under way, and what is to become of them."""

    def __init__(self, keep_graph, create_graph, targets=None, capture=False):
        super().__init__(targets)
        self.keep_graph, self.create_graph = keep_graph, create_graph
        self.captured = dict.fromkeys(targets) if capture else None  # edge -> its complete cotangent

    def go(self, roots):
        """Run from `roots`, a list of ``(node, output number, cotangent)``, the newest node first."""
        previous = _set_grad_enabled(self.create_graph)
        try:
            with np.errstate(all="ignore"):
                self.run(roots)
        finally:
            _set_grad_enabled(previous)

    def merge(self, held, more):
        return _carrier(TABLE["add"](held, more), self.create_graph)

    def apply(self, node, grads):
        """Hooks, captures, then the node itself: the cotangents of its operands."""
        wanted = [edge is not None and edge[0] in self.waiting for edge in node.edges]
        if grads is None:
            return [None] * len(wanted)
        for nr, g in enumerate(grads):
            if g is not None:
                grads[nr] = g = self._through_hooks(node.hooks.get(nr, {}), g)
                if self.captured is not None and (node, nr) in self.captured:
                    self.captured[node, nr] = g
                tensor = node.retained.get(nr, nothing)()
                if tensor is not None:
                    held = tensor._grad
                    tensor._grad = self._own(g) if held is None else TABLE["add"](held, self._tensor(g))
        if isinstance(node, AccumulateGrad):
            if self.captured is None:
                self._accumulate(node.variable, grads[0])
            return ()
        if not any(wanted):
            return [None] * len(wanted)
        results = _vjps(node, grads, wanted, self.create_graph)
        if not self.keep_graph:
            node.release()
        return results

    def _tensor(self, g):
        """What a hook sees: in it, writing in place reaches nobody else's cotangent."""
        return g if g is None or isinstance(g, Tensor) else Tensor._of(g.copy())

    def _through_hooks(self, hooks, g):
        for hook in list(hooks.values()):
            seen = self._tensor(g)
            result = hook(seen)
            g = seen if result is None else checked(result, seen)
        return _carrier(g, self.create_graph)

    def _own(self, g):
        """A cotangent as a Tensor that shares memory with nobody."""
        return g.clone() if self.create_graph else Tensor._of(np.array(g, order="C"))

    def _accumulate(self, leaf, g):
        held = leaf._grad
        if held is None:
            leaf._grad = self._own(g)
        elif held.shape != leaf.shape:  # somebody gave it other data
            raise _errors.grad_shape(leaf.shape, held.shape)
        elif self.create_graph or held.grad_fn is not None or not held._array.flags.writeable:
            leaf._grad = TABLE["add"](held, self._tensor(g))
        else:
            np.add(held._array, g, out=held._array)
            held._counter[0] += 1


def _tensors(where, value):
    """A Tensor or a sequence of them, as a tuple."""
    items = value if type(value) in (tuple, list) else (value,)
    for item in items:
        if not isinstance(item, Tensor):
            raise _errors.not_tensor(where, item)
    return tuple(items)


def _roots(where, tensors, gradients, create_graph):
    """What a backward pass starts from, checked: ``(node, output number, cotangent)`` for each Tensor."""
    tensors = _tensors(where, tensors)
    if gradients is None:
        gradients = (None,) * len(tensors)
    elif type(gradients) not in (tuple, list):
        gradients = (gradients,)
    if len(gradients) != len(tensors):
        raise _errors.gradient_count(len(tensors), len(gradients))
    roots = []
    for i, (tensor, g) in enumerate(zip(tensors, gradients)):
        edge = tensor._edge()
        if edge is None:
            raise _errors.no_graph(i)
        if g is None:
            if tensor.size != 1:
                raise _errors.not_scalar(tensor.shape)
            if tensor.dtype.kind == "c":
                raise _errors.not_real(tensor.dtype)
            g = np.ones(tensor.shape, tensor.dtype)
        else:
            g = _gradient(i, tensor, g)
        roots.append((*edge, _carrier(g, create_graph)))
    return roots


def _gradient(i, tensor, g):
    weak = type(g) in _SCALARS and type(g) is not complex
    if not isinstance(g, Tensor):
        g = Tensor._of(_numeric(g, "gradient"))
    if g.shape != tensor.shape:
        raise _errors.gradient_shape(i, g.shape, tensor.shape)
    if not weak and (g.dtype.kind == "c") != (tensor.dtype.kind == "c"):
        raise _errors.gradient_dtype(i, g.dtype, tensor.dtype)
    return g if g.dtype == tensor.dtype else TABLE["astype"](g, tensor.dtype)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    targets = None
    if inputs is not None:
        inputs = _tensors("backward", inputs)
        if not inputs:
            raise _errors.no_inputs("backward")
        targets = _input_edges(inputs)
    roots = _roots("backward", tensors, grad_tensors, create_graph)
    for tensor in inputs or ():
        tensor.retain_grad()
    _Backward(create_graph if retain_graph is None else retain_graph, create_graph, targets).go(roots)


def _input_edges(inputs):
    edges = [tensor._edge() for tensor in inputs]
    if None in edges:
        raise _errors.input_no_grad(edges.index(None))
    return edges


def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False,
    materialize_grads=False,
):  # fmt: skip
    inputs = _tensors("grad", inputs)
    if not inputs:
        raise _errors.no_inputs("grad")
    edges = _input_edges(inputs)
    roots = _roots("grad", outputs, grad_outputs, create_graph)
    led_to = set(reachable([node for node, _, _ in roots]))
    allow_unused = allow_unused or materialize_grads
    if not allow_unused and any(node not in led_to for node, _ in edges):
        raise _errors.unused_input()
    run = _Backward(create_graph if retain_graph is None else retain_graph, create_graph, edges, capture=True)
    run.go(roots)
    results = []
    for tensor, edge in zip(inputs, edges):
        g = run.captured[edge]
        if g is None and not allow_unused:
            raise _errors.unused_input()
        if g is None and materialize_grads:
            g = _carrier(np.zeros(tensor.shape, tensor.dtype), create_graph)
        results.append(g if g is None or create_graph else run._own(g))
    return tuple(results)


# ---------------------------------------------------------------- Tensor


class Tensor(TensorMethods):
    """An n-dimensional array that remembers how it was computed.

    Tensors are made by `fastgrad.tensor`, `fastgrad.asarray` and the other creation functions, and by every
    operation on Tensors.
    """

    __slots__ = (
        "__weakref__", "_accumulator", "_array", "_base", "_blind", "_counter", "_grad", "_hooks", "_node", "_nr",
        "_requires_grad", "_seen", "_way",
    )  # fmt: skip
    __hash__ = object.__hash__

    _apply_op = staticmethod(apply)
    _inplace_op = staticmethod(write)

    def __new__(cls, *args, **kwargs):
        raise TypeError("a Tensor is made by fastgrad.tensor(data), fastgrad.asarray(data) or an operation")

    @classmethod
    def _of(cls, array, counter=None):
        """A Tensor over this very ndarray; `counter` is the version counter of memory that is shared."""
        self = object.__new__(cls)
        self._array = array
        self._counter = [0] if counter is None else counter  # how often the memory was written in place
        self._requires_grad = False  # of a leaf
        self._grad = None
        self._node, self._nr = None, 0  # what made it, and which output it is
        self._base = None  # of a view: its root
        self._way = ()  # of a view: the way to the Tensor it was made of, and the last step
        self._seen = 0  # of a view: the version that `_node` is of
        self._blind = False  # of a view: made while grad mode was off
        self._hooks = {}  # of a leaf
        self._accumulator = nothing  # of a leaf: weak reference to its AccumulateGrad
        return self

    # ------------------------------------------------------------ graph

    def _chain(self):
        """The steps from the base to this view, as rows `as_view` and `copy_slices` take them."""
        steps, way = [], self._way
        while way:
            way, step = way
            steps.append(step)
        return tuple(reversed(steps))

    def _refresh(self):
        """A view whose base was written since: its `grad_fn` is made anew from the base as it is now."""
        base = self._base
        if base is not None and self._seen != self._counter[0]:
            self._seen = self._counter[0]
            if self._requires_grad or self._blind or self.dtype.kind not in "fc":
                return
            edge = base._edge()
            if edge is not None:
                node = Node(TABLE["as_view"], {"chain": self._chain()}, (edge,))
                node.save((base,), [base._array], [self._array], [self._counter])
                self._rebase(node)

    def _edge(self):
        """``(node, output number)`` that a cotangent of this Tensor goes to; None if there is none."""
        self._refresh()
        if self._node is not None:
            return self._node, self._nr
        if not self._requires_grad:
            return None
        node = self._accumulator()
        if node is None:
            node = AccumulateGrad(self)
            self._accumulator = weakref.ref(node)
        return node, 0

    def _rebase(self, node):
        """Make `node` what made this Tensor."""
        if self.retains_grad:
            del self._node.retained[self._nr]
            node.retained[0] = weakref.ref(self)
        self._node, self._nr = node, 0

    # ------------------------------------------------------------ autograd

    @property
    def requires_grad(self):
        """Whether a gradient is wanted; may be set on leaves, of floating and complex dtype."""
        return self._edge() is not None

    @requires_grad.setter
    def requires_grad(self, value):
        if value and self.dtype.kind not in "fc":
            raise _errors.requires_grad_dtype(self.dtype)
        if self.is_leaf:
            self._requires_grad = bool(value)
        elif not value:
            raise _errors.requires_grad_non_leaf(value)

    @property
    def grad_fn(self):
        """The node of the operation that made this Tensor; None for a leaf."""
        self._refresh()
        return self._node

    @property
    def is_leaf(self):
        """Whether no recorded operation made this Tensor."""
        return self.grad_fn is None

    @property
    def output_nr(self):
        """Which result of its operation this Tensor is."""
        return self._nr

    @property
    def grad(self):
        """The gradient that `backward` accumulated, or None."""
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None:
            if not isinstance(value, Tensor):
                raise _errors.grad_type(value)
            if value is self:
                raise _errors.grad_itself()
            if value.shape != self.shape:
                raise _errors.grad_shape(self.shape, value.shape)
            if value.dtype != self.dtype:
                raise _errors.grad_dtype(self.dtype, value.dtype)
        self._grad = value

    @grad.deleter
    def grad(self):
        self._grad = None

    @property
    def retains_grad(self):
        """Whether `retain_grad` was called on this Tensor, which is no leaf."""
        return self._node is not None and self._node.retained.get(self._nr, nothing)() is self

    def retain_grad(self):
        """Have `backward` set `grad`, though this Tensor is no leaf."""
        if not self.requires_grad:
            raise _errors.retain_grad_no_grad()
        if self._node is not None:
            self._node.retained[self._nr] = weakref.ref(self)

    def register_hook(self, hook):
        """Call ``hook(grad)`` with this Tensor's gradient; a Tensor that it returns replaces the gradient."""
        if not self.requires_grad:
            raise _errors.hook_no_grad()
        return add_hook(self._hooks if self._node is None else self._node.hooks.setdefault(self._nr, {}), hook)

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Add the gradient of this Tensor to the `grad` of the leaves; see `fastgrad.autograd.backward`."""
        backward(self, (gradient,), retain_graph, create_graph, inputs)

    def detach(self):
        """The same memory as a Tensor without a graph."""
        return Tensor._of(self._array, self._counter)

    def detach_(self):
        """Forget the graph of this Tensor."""
        if self._base is not None:
            raise _errors.detach_view()
        self._node, self._nr, self._requires_grad = None, 0, False
        return self

    @property
    def data(self):
        """The same memory as a Tensor without a graph and with a version of its own; set, the memory is replaced."""
        return Tensor._of(self._array)

    @data.setter
    def data(self, value):
        if not isinstance(value, Tensor):
            raise _errors.not_tensor("data", value)
        plain = not self.requires_grad and self._grad is None and self._accumulator is nothing and self._base is None
        if not plain and (value.shape != self.shape or value.dtype != self.dtype):
            raise _errors.data_kind(self.shape, self.dtype, value.shape, value.dtype)
        self._array, self._counter = value._array, [0]

    @property
    def _version(self):
        return self._counter[0]

    # ------------------------------------------------------------ array

    shape = property(lambda self: self._array.shape, doc="The length of each axis.")
    dtype = property(lambda self: self._array.dtype, doc="The NumPy dtype.")
    ndim = property(lambda self: self._array.ndim, doc="The number of axes.")
    size = property(lambda self: self._array.size, doc="The number of elements.")
    nbytes = property(lambda self: self._array.nbytes, doc="The bytes that the elements take.")
    itemsize = property(lambda self: self._array.itemsize, doc="The bytes that one element takes.")
    strides = property(lambda self: self._array.strides, doc="The bytes from one element to the next, for each axis.")

    def numpy(self):
        """The elements as an ndarray that shares memory; raises if the Tensor requires grad."""
        if self.requires_grad:
            raise _errors.numpy_requires_grad()
        return self._array.view()


add_operators(Tensor)


# ---------------------------------------------------------------- making Tensors


def bind(op):
    """The public function of a row: it takes Tensors, arrays, scalars and sequences, and gives Tensors."""

    def function(*args, **kwargs):
        operands, options = op.bind(*args, **kwargs)
        return apply(op, operands, options)

    function.__name__ = function.__qualname__ = op.name
    function.__doc__, function.__module__ = op.doc, op.module
    return function


def tensor(data, *, dtype=None, requires_grad=False):
    data = data._array if isinstance(data, Tensor) else _numeric(data, "tensor")
    result = Tensor._of(_numeric(np.array(data, dtype=dtype), "tensor"))
    result.requires_grad = requires_grad
    return result


def asarray(x, dtype=None, copy=None):
    if not isinstance(x, Tensor):
        x = np.asarray(_numeric(x, "asarray"), dtype=dtype, copy=copy)
        return Tensor._of(_numeric(x, "asarray").view())
    if dtype is not None and np.dtype(dtype) != x.dtype:
        if copy is False:
            raise ValueError(f"asarray: cannot convert {x.dtype} to {np.dtype(dtype)} without a copy")
        return x.astype(dtype)
    return x.clone() if copy else x


def from_numpy(array):
    if not is_array(array):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}")
    return asarray(array)
