"""The Tensor of the reference backend: an ndarray, its place in the graph, and, of a view, the way back to its base.

What it computes with is in `_reference_record`, which also makes `_apply_op` and `_inplace_op` its own.
"""

from __future__ import annotations

import weakref

import numpy as np

from . import _errors
from ._methods import TensorMethods, add_operators
from ._reference_graph import AccumulateGrad, RowNode, add_hook, nothing
from ._reference_modes import accumulating, modes, numpy_guard
from .ops import TABLE

SCALARS = frozenset((bool, int, float, complex))  # of exactly these types: weak operands (NEP 50)


def numeric(value, where):
    """`value` as an ndarray of numbers."""
    try:
        array = np.asarray(value)
    except RuntimeError:
        raise _errors.tensors_in_sequence(where) from None
    if array.dtype.kind not in "biufc":
        raise _errors.not_numeric(where, array.dtype)
    return array


class Tensor(TensorMethods):
    """An n-dimensional array that remembers how it was computed.

    Tensors are made by `fastgrad.tensor`, `fastgrad.asarray` and the other creation functions, and by every
    operation on Tensors.
    """

    __slots__ = (
        "__weakref__", "_accumulator", "_array", "_base", "_counter", "_grad", "_hooks", "_inference", "_node", "_nr",
        "_origin", "_post_hooks", "_requires_grad", "_seen", "_way",
    )  # fmt: skip
    __hash__ = object.__hash__

    def __new__(cls, *args, **kwargs):
        raise TypeError("a Tensor is made by fastgrad.tensor(data), fastgrad.asarray(data) or an operation")

    def __init_subclass__(cls):
        raise TypeError("type 'Tensor' is not an acceptable base type")

    @classmethod
    def _of(cls, array, source=None):
        """A Tensor over this very ndarray; `source` is the Tensor that the memory is shared with."""
        self = object.__new__(cls)
        self._array = array
        self._counter = [0] if source is None else source._counter  # how often the memory was written in place
        self._inference = modes.inference if source is None else source._inference
        self._requires_grad = False  # of a leaf
        self._grad = None
        self._node, self._nr = None, 0  # what made it, and which output it is
        self._base = None  # of a view: its root
        self._way = ()  # of a view: the way to the Tensor it was made of, and the last step
        self._seen = 0  # of a view: the version that `_node` is of
        self._origin = None  # of a view: "no_grad", "inference", "function" if it was made there
        self._hooks, self._post_hooks = {}, {}  # of a leaf
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

    def _stale(self):
        """Whether this is a view whose base was written since, so that its `grad_fn` is no longer right."""
        if self._base is None or self._seen == self._counter[0]:
            return False
        if self._requires_grad or (self._node is None and not (self._base.requires_grad and self.dtype.kind in "fc")):
            self._seen = self._counter[0]
            return False
        return True

    def _refresh(self):
        """A view whose base was written since: its `grad_fn` is made anew from the base as it is now."""
        if not self._stale():
            return
        barred = self._barred()
        if barred is not None:
            raise _errors.view_written_elsewhere(*barred)
        base = self._base
        node = RowNode(TABLE["as_view"], {"chain": self._chain()}, (base._edge(),))
        node.save((base,), [base._array], [self._array], [self._counter])
        self._rebase(node)
        self._seen = self._counter[0]

    def _barred(self):
        """What bars this view from another history: ``(origin, row)`` as in `_errors.view_in_place`; or None."""
        if self._origin is not None:
            return self._origin, None
        return next((("multi", maker.name) for maker, *_ in self._chain() if maker.multi), None)

    def _edge(self):
        """``(node, output number)`` that a cotangent of this Tensor goes to; None if there is none."""
        self._refresh()
        if self._node is not None:
            return self._node, self._nr
        if not self._requires_grad:
            return None
        with accumulating:  # that no two threads make one each
            node = self._accumulator()
            if node is None:
                node = AccumulateGrad(self)
                self._accumulator = weakref.ref(node)
        return node, 0

    def _rebase(self, node, nr=0):
        """Make result `nr` of `node` what this Tensor is."""
        if self.retains_grad:
            del self._node._retained[self._nr]
            node._retained[nr] = weakref.ref(self)
        self._node, self._nr = node, nr

    # ------------------------------------------------------------ autograd

    @property
    def requires_grad(self):
        """Whether a gradient is wanted; may be set on leaves, of floating and complex dtype."""
        return self._requires_grad or self._node is not None or self._stale()

    @requires_grad.setter
    def requires_grad(self, value):
        if value and self._inference and not modes.inference:
            raise _errors.requires_grad_inference()
        if value and self.dtype.kind not in "fc":
            raise _errors.requires_grad_dtype(self.dtype)
        if bool(value) == self.requires_grad:
            return
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
        return self._node is not None and self._node._retained.get(self._nr, nothing)() is self

    def retain_grad(self):
        """Have `backward` set `grad`, though this Tensor is no leaf."""
        if not self.requires_grad:
            raise _errors.retain_grad_no_grad()
        self._refresh()
        if self._node is not None:
            self._node._retained[self._nr] = weakref.ref(self)

    def register_hook(self, hook):
        """Call ``hook(grad)`` with this Tensor's gradient; a Tensor that it returns replaces the gradient."""
        if not self.requires_grad:
            raise _errors.hook_no_grad()
        self._refresh()
        return add_hook(self._hooks if self._node is None else self._node._hooks.setdefault(self._nr, {}), hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Call ``hook(self)`` after a backward pass has added to the `grad` of this leaf."""
        if not self.requires_grad:
            raise _errors.hook_no_grad()
        if not self.is_leaf:
            raise _errors.post_accumulate_non_leaf()
        return add_hook(self._post_hooks, hook)

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Add the gradient of this Tensor to the `grad` of the leaves; see `fastgrad.autograd.backward`."""
        from ._reference_backward import backward

        backward(self, (gradient,), retain_graph, create_graph, inputs)

    def detach(self):
        """The same memory as a Tensor without a graph."""
        return Tensor._of(self._array, self)

    def detach_(self):
        """Forget the graph of this Tensor."""
        if self._base is not None:
            raise _errors.detach_view()
        self._node, self._nr, self._requires_grad = None, 0, False
        return self

    @property
    def data(self):
        """The same memory as a Tensor without a graph and with a version of its own; set, the memory is replaced."""
        result = Tensor._of(self._array)
        result._inference = self._inference
        return result

    @data.setter
    def data(self, value):
        if not isinstance(value, Tensor):
            raise _errors.not_tensor("data", value)
        if self.requires_grad and value.dtype.kind not in "fc":
            raise _errors.requires_grad_dtype(value.dtype)
        plain = self.is_leaf and self._base is None
        if not plain and (value.shape != self.shape or value.dtype != self.dtype):
            raise _errors.data_kind(self.shape, self.dtype, value.shape, value.dtype)
        self._array, self._counter, self._inference = value._array, [self._counter[0]], value._inference

    @property
    def _version(self):
        if self._inference:
            raise _errors.version_inference()
        return self._counter[0]

    def is_inference(self):
        """Whether this Tensor was made in inference mode: it has no version, and no gradient is computed from it."""
        return self._inference

    # ------------------------------------------------------------ array

    shape = property(lambda self: self._array.shape, doc="The length of each axis.")
    dtype = property(lambda self: self._array.dtype, doc="The NumPy dtype.")
    ndim = property(lambda self: self._array.ndim, doc="The number of axes.")
    size = property(lambda self: self._array.size, doc="The number of elements.")
    nbytes = property(lambda self: self._array.nbytes, doc="The bytes that the elements take.")
    itemsize = property(lambda self: self._array.itemsize, doc="The bytes that one element takes.")
    strides = property(lambda self: self._array.strides, doc="The bytes from one element to the next, for each axis.")

    def numpy(self):
        """The elements as an ndarray that shares memory; raises if the Tensor requires grad, but under no_grad."""
        if modes.grad and self.requires_grad:
            raise _errors.numpy_requires_grad()
        array = self._array.view()
        if numpy_guard():
            array.flags.writeable = False
        return array


add_operators(Tensor)


def increment_version(tensor):
    """Count a write that nobody has seen."""
    tensor._counter[0] += 1
