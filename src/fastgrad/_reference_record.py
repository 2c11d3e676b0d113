"""Running operations on the Tensors of the reference backend, and recording them: rows, writes in place, Functions."""

from __future__ import annotations

import weakref

import numpy as np

from . import _errors
from ._methods import frozen, lifted
from ._reads import fused
from ._reference_graph import AccumulateGrad, RowNode, is_array, like
from ._reference_modes import _set_grad_enabled, modes, records
from ._reference_tensor import SCALARS, Tensor, numeric
from .ops import TABLE


def _arrays(op, operands):
    """Operands as the row's `fn` takes them: ndarrays, and Python scalars where they stand beside an array."""
    if all(type(value) in SCALARS for value in operands):
        return [np.asarray(value) for value in operands]
    return [
        value._array if isinstance(value, Tensor) else value if type(value) in SCALARS else numeric(value, op.name)
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
    return [numeric(array, op.name) for array in (out if op.multi else (out,))]


def _lifted_class(operands, options):
    """The class that an operand, or a part of an index, says is to run the operation; None if none does."""
    found = lifted(operands)
    if found is None and "index" in options:
        index = options["index"]
        found = lifted(index if isinstance(index, tuple) else (index,))
    return found


def apply(op, operands, options):
    """Run a row on Tensors, arrays and scalars, and record it where a gradient is wanted."""
    beyond = _lifted_class(operands, options)
    if beyond is not None:
        return beyond._apply_op(op, operands, options)
    options = frozen(options)
    if not operands:
        raise _errors.no_operands(op.name)
    if not op.variadic and len(operands) != len(op.operands):
        raise _errors.operand_count(op.name, len(op.operands), len(operands))
    if op.derived and not fused(op, options):
        given = [_as_operand(value) for value in operands]
        if not any(isinstance(value, Tensor) for value in given):  # a scalar is weak beside an array alone
            given = [Tensor._of(numeric(value, "operand")) for value in given]
        return op.fn(*given, **options)
    arrays = _arrays(op, operands)
    outs = _call(op, arrays, options)
    if not op.view:
        outs = [out.copy() if any(_overlap(out, array) for array in arrays) else out for out in outs]
    results = [_result(op, operands, options, arrays, out, nr) for nr, out in enumerate(outs)]
    edges = _edges(op, operands)
    if edges is not None and any(out.dtype.kind in "fc" for out in outs):
        node = RowNode(op, options, edges)
        read = node.save(operands, arrays, outs, [result._counter for result in results])
        if modes.saved_hooks:
            _pack_operands(node, read, operands)
            _pack_results(node, results)
        for nr, result in enumerate(results):
            if result.dtype.kind in "fc":
                result._node, result._nr = node, nr
    return tuple(results) if op.multi else results[0]


def _as_operand(value):
    return value if isinstance(value, Tensor) or type(value) in SCALARS else Tensor._of(numeric(value, "operand"))


def _overlap(out, array):
    return is_array(array) and np.may_share_memory(out, array)


def _edges(op, operands):
    """Where each operand's cotangent goes; None if nothing is to be recorded."""
    if not op.differentiable or not records():
        return None
    formulas = operands if op.joint or op.derived else op.vjp
    edges = [
        operand._edge() if isinstance(operand, Tensor) and formula is not None else None
        for operand, formula in zip(operands, formulas)
    ]
    return tuple(edges) if any(edge is not None for edge in edges) else None


def _result(op, operands, options, arrays, out, nr):
    """The Tensor of one result: a view of the first operand where it shares memory with it."""
    source = operands[0] if operands else None
    if not (op.view and isinstance(source, Tensor) and _overlap(out, arrays[0])):
        return Tensor._of(out)
    result = Tensor._of(out, source)
    result._base = source if source._base is None else source._base
    result._way = source._way, (op, options, nr) if op.multi else (op, options)
    result._seen = source._counter[0]
    result._origin = source._origin
    if source._origin is None and not records():
        result._origin = "inference" if modes.inference else "no_grad"
    return result


# ---------------------------------------------------------------- writing in place


def _check_rewrite(name, target):
    """Raise where writing in place, which is recorded, is not allowed."""
    base = target._base
    if target._requires_grad and target._node is None:
        raise _errors.leaf_in_place(name)
    if base is None:
        return
    if base._node is None and (base._requires_grad or target.requires_grad):
        raise _errors.view_of_leaf_in_place(name)
    barred = target._barred()
    if barred is not None:
        raise _errors.view_in_place(name, *barred)


def write(op, target, others, options):
    """``target op= others``; see Note [Versions and views]."""
    beyond = _lifted_class(others, options)
    if beyond is not None:
        return beyond._inplace_op(op, target, others, options)
    options = frozen(options)
    base, array, operands = target._base, target._array, (target, *others)
    if not array.flags.writeable:
        expanded = base is not None and any(n > 1 and stride == 0 for n, stride in zip(array.shape, array.strides))
        raise (_errors.expanded_in_place if expanded else _errors.read_only)(op.name)
    if target._inference and not modes.inference:
        raise _errors.write_inference(op.name)
    wanted = any(isinstance(operand, Tensor) and operand.requires_grad for operand in operands)
    if records() and (wanted or (base is not None and base.requires_grad)):
        _check_rewrite(op.name, target)
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
        node = RowNode(op, options, edges)
        arrays[0] = array.copy()  # what the formulas read of the target is what it was
        read = node.save((arrays[0], *others), arrays, [array], [target._counter], writes=1)
        if modes.saved_hooks:
            _pack_operands(node, read, (arrays[0], *others))
    np.copyto(array, out, casting="same_kind")
    target._counter[0] += 1
    if edges is not None:
        if modes.saved_hooks:
            _pack_results(node, [target])
        _rewrite(target, node, 0)
    if base is not None and target._barred() is None:
        target._refresh()  # now, so that a retained gradient is that of the new value
    return target


def _rewrite(target, node, nr):
    """Result `nr` of `node` was written to `target`: its history, and that of its base if it is a view."""
    base = target._base
    if base is None:
        target._rebase(node, nr)
        return
    slices = RowNode(TABLE["copy_slices"], {"chain": target._chain()}, (base._edge(), (node, nr)))
    slices.save((base, target), [base._array, target._array], [base._array], [base._counter])
    base._rebase(slices)
    target._seen = None  # what its own node is follows from the base's


# ---------------------------------------------------------------- nodes of Functions


def new_function_node(cls, inputs):
    """A node of the class `cls` whose edges lead to where `inputs` (Tensors or None) come from now."""
    edges = tuple([tensor._edge() if tensor is not None and records() else None for tensor in inputs])
    return cls.__new__(cls)._begin(edges, [tensor if tensor is None else like(tensor._array) for tensor in inputs])


def attach(node, outputs, dirty=()):
    """Make Tensor i of `outputs` result number i of `node`; those at the positions `dirty` were written in place."""
    node._outputs = [tensor if tensor is None else like(tensor._array) for tensor in outputs]
    recorded = any(edge is not None for edge in node._edges)
    for nr, tensor in enumerate(outputs):
        if tensor is None or tensor.dtype.kind not in "fc":
            continue
        if nr in dirty:
            if recorded:
                _check_rewrite(node.name(), tensor)
                tensor._grad = None  # it was that of another value
                _rewrite(tensor, node, nr)
                tensor._refresh()
            continue
        if tensor._base is not None:
            tensor._origin = "function"
            tensor._seen = tensor._counter[0]
        if recorded:
            tensor._node, tensor._nr = node, nr


# ---------------------------------------------------------------- saved values


def placed(tensor, edge):
    """The memory of `tensor` as a Tensor that cotangents leave by `edge`: what it was when it was saved."""
    result = Tensor._of(tensor._array, tensor)
    if edge is not None and isinstance(edge[0], AccumulateGrad):
        result._requires_grad, result._accumulator = True, weakref.ref(edge[0])
    elif edge is not None:
        result._node, result._nr = edge
    return result


def connected(value, edge):
    """A saved value as a Tensor with the graph it had when it was saved."""
    return placed(Tensor._of(value), edge) if is_array(value) else value


class Packed:
    """A saved value that hooks took away: what they gave in its place, and how to have the value back."""

    __slots__ = ("held", "unpack")

    def __init__(self, tensor):
        pack, self.unpack = modes.saved_hooks[-1]
        version = tensor._counter[0]
        previous = _set_grad_enabled(False)
        try:
            self.held = pack(tensor)
        finally:
            _set_grad_enabled(previous)
        if tensor._counter[0] != version:
            raise _errors.pack_wrote()

    def get(self):
        """The value, as a Tensor."""
        value = self.unpack(self.held)
        if not isinstance(value, Tensor):
            raise _errors.unpack_type(value)
        return value


def _pack_operands(node, read, operands):
    """Hand what a node saves of its operands to the hooks; `read` are the positions."""
    for i in read:
        if not modes.saved_hooks:  # a hook has left its context
            return
        operand = operands[i]
        node.saved[i] = Packed(operand if isinstance(operand, Tensor) else connected(node.saved[i], node._edges[i]))
    node.checks = []


def _pack_results(node, results):
    if modes.saved_hooks and any(is_array(out) for out in node.saved[-1]):
        node.saved[-1] = [Packed(placed(result, (node, nr))) for nr, result in enumerate(results)]
        node.checks = []


class Saved:
    """A Tensor that a Function keeps for its backward: the memory, the version it has, its place in the graph.

    With `output_of`, it is result `nr` of that node, which must not hold a Tensor that leads to it.
    """

    __slots__ = ("_counter", "_edge", "_kept", "_node", "_nr", "_version")

    def __init__(self, tensor, output_of=None, nr=0):
        if tensor._inference:
            raise _errors.save_inference()
        self._node, self._nr = None if output_of is None else weakref.ref(output_of), nr
        self._counter, self._version = tensor._counter, tensor._counter[0]
        self._edge = tensor._edge() if output_of is None and tensor.requires_grad else None
        if modes.saved_hooks:
            self._kept = Packed(tensor if output_of is None else placed(tensor, self._place()))
        else:
            self._kept = tensor if output_of is None else tensor.detach()

    def unpack(self):
        """The Tensor, where it was in the graph; raises if its memory was written since."""
        edge = self._place()
        if isinstance(self._kept, Packed):
            value = self._kept.get()
            return value if edge is None else placed(value, edge)
        tensor = self._kept
        if self._counter[0] != self._version:
            raise self._modified(tensor, edge)
        return tensor if self._node is None else placed(tensor, edge)

    def _place(self):
        node = None if self._node is None else self._node()
        return self._edge if node is None else (node, self._nr) if any(node._edges) else None

    def _modified(self, tensor, edge):
        maker = None if edge is None or isinstance(edge[0], AccumulateGrad) else edge[0]
        origin = None if maker is None else maker.metadata.get("traceback_")
        name, nr = (None, 0) if maker is None else (maker.name(), edge[1])
        return _errors.saved_modified(name, nr, tensor.dtype, tensor.shape, self._version, self._counter[0], origin)


Tensor._apply_op, Tensor._inplace_op = staticmethod(apply), staticmethod(write)
