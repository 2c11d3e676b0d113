"""Selecting: `take`, `select`, `choose`, `piecewise`, and arrays with elements taken out or put in.

What depends on the values of a mask or an index is looked up when the operation runs; the elements are then read by
`getitem` or chosen by `where`, which have the derivatives.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ._doc import describe
from ._doc import doc as _doc
from ._row import case
from ._row import register as _op
from .elementwise import maximum, minimum, remainder, where
from .indexing import getitem, setitem
from .linalg import strong
from .numeric import at, one_by_one, values
from .shaping import astype, clone, concat, reshape, zeros_like

describe({
    "take.axis": ("int or None", "Axis to take along; None: the flattened array."),
    "take.mode": ('{"raise", "wrap", "clip"}', "What is done with an index that is out of bounds."),
    "choose.mode": ('{"raise", "wrap", "clip"}', "What is done with a choice that there is not."),
    "compress.axis": ("int or None", "Axis to take along; None: the flattened array."),
    "delete.axis": ("int or None", "Axis to delete along; None: the flattened array."),
    "insert.axis": ("int or None", "Axis to insert along; None: the flattened array."),
    "append.axis": ("int or None", "Axis to append along; None: both are flattened."),
    "select.condlist": ("sequence of array_like of bool", "The conditions; the first that holds decides."),
    "select.choicelist": ("sequence of array_like", "As many choices."),
    "select.default": ("array_like", "What is taken where none holds."),
    "choose.x": ("array_like of int", "The number of the choice, for each element."),
    "choose.choices": ("sequence of array_like", "The choices, which are broadcast."),
    "piecewise.x": ("array_like", "The argument of the functions."),
    "piecewise.condlist": ("sequence of array_like of bool", "Where each function is to be used."),
    "piecewise.funclist": ("sequence of callable or array_like", "The functions; one more is for where no condition holds."),
    "piecewise.args": ("object", "Further arguments of the functions."),
    "piecewise.kw": ("object", "And those by keyword."),
    "obj": ("int, slice or array of int or bool", "Before, or of, which elements along the axis."),
    "new_shape": ("int or tuple of int", "Shape of the result."),
    "trim": ('{"fb", "f", "b"}', "Where to trim: at the front, at the back."),
    "trim_zeros.axis": ("int, tuple of int or None", "Axes to trim along; None: all."),
    "count": ("int", "How many of the operands are conditions."),
    "functions": ("list", "The functions."),
})  # fmt: skip

_SCALARS = (bool, int, float, complex)


def _known(name, x):
    """The values of a mask, which the shape of the result depends on."""
    found = values(x)
    if found is None:
        raise TypeError(f"{name}: the shape of the result depends on a mask that is different for each example")
    return found


def _common(name, xs):
    """The dtype of several values; Python scalars are weak."""
    try:
        return np.result_type(*(x if type(x) in _SCALARS else strong(x).dtype for x in xs))
    except TypeError as error:
        raise TypeError(f"{name}: the choices do not have a common dtype: {error}") from None


def _of_dtype(x, dtype):
    """A value of that dtype. Python scalars stay Python's where NumPy would make them of it."""
    return np.asarray(x, dtype) if type(x) in _SCALARS else astype(x, dtype, copy=False)


def _places(name, indices, n, mode, rule):
    """Indices of n elements, by the rule for those that are out of bounds."""
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f'{name}: mode must be "raise", "wrap" or "clip", not {mode!r}')
    indices = strong(indices)
    if not np.can_cast(indices.dtype, np.intp, rule):
        raise TypeError(f"{name}: cannot cast indices from {indices.dtype!r} to {np.dtype(np.intp)!r}")
    indices = astype(indices, np.intp, copy=False)
    if mode == "wrap":
        return remainder(indices, n) if n else indices
    return minimum(maximum(indices, 0), max(n - 1, 0)) if mode == "clip" else indices


# ---------------------------------------------------------------- picking elements --


def _take(x, indices, axis, mode):
    x = strong(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = normalize_axis_index(axis, x.ndim)
    if not (mode == "raise" and hasattr(indices, "dtype") and indices.dtype == np.intp):
        indices = _places("take", indices, x.shape[axis], mode, "unsafe")
    index = at(x.ndim, axis, indices)
    out = x[index] if hasattr(type(x), "_apply_op") else getitem(x, index)
    return clone(out) if indices.ndim == 0 else out


def _compress(condition, x, axis):
    mask = _known("compress", condition)
    if mask.ndim != 1:
        raise ValueError(f"compress: the condition must be a vector, not of shape {mask.shape}")
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return getitem(x, at(x.ndim, normalize_axis_index(axis, x.ndim), np.flatnonzero(mask)))


def _extract(condition, x):
    return getitem(reshape(x, (-1,)), np.flatnonzero(_known("extract", condition)))


def _bind_delete(x, obj, axis=None):
    return (x,), {"obj": obj, "axis": axis}


def _delete(x, obj, axis):
    x, axis = _line(x, axis)
    return getitem(x, at(x.ndim, axis, np.delete(np.arange(x.shape[axis]), obj)))


def _line(x, axis):
    """x and its axis, flattened first where there is none."""
    return (reshape(x, (-1,)), 0) if axis is None else (x, normalize_axis_index(axis, x.ndim))


def _bind_insert(x, obj, v, axis=None):
    return (x, v), {"obj": obj, "axis": axis}


def _insert(x, v, obj, axis):
    """NumPy inserts numbers of elements, which then are read from both."""
    x, axis = _line(strong(x), axis)
    v = astype(strong(v), x.dtype, copy=False)
    numbers, more = np.arange(x.size).reshape(x.shape), np.arange(x.size, x.size + v.size).reshape(v.shape)
    return getitem(concat((x, v), None), np.insert(numbers, obj, more, axis))


def _append(x, v, axis):
    return concat((strong(x), strong(v)), axis)


def _resize(x, new_shape):
    shape = (new_shape,) if np.ndim(new_shape) == 0 else tuple(new_shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"resize: the new shape must not have negative entries, it is {shape}")
    if x.size == 0:
        return getitem(concat((reshape(x, (-1,)), np.zeros(1, x.dtype))), np.zeros(shape, np.intp))
    return getitem(reshape(x, (-1,)), np.resize(np.arange(x.size), shape))


def _trim_zeros(x, trim, axis):
    trim = trim.lower()
    if trim not in ("fb", "bf", "f", "b"):
        raise ValueError(f"trim_zeros: unexpected character(s) in `trim`: {trim!r}")
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    found = np.argwhere(_known("trim_zeros", x)).T
    index = [slice(None)] * x.ndim
    for i in axes:
        if found[i].size:
            index[i] = slice(found[i].min() if "f" in trim else None, found[i].max() + 1 if "b" in trim else None)
        else:
            index[i] = slice(0, 0)
    return getitem(x, tuple(index))


# ---------------------------------------------------------------- choosing --


def _bind_select(condlist, choicelist, default=0):
    if len(condlist) != len(choicelist):
        raise ValueError(f"select: {len(condlist)} conditions, but {len(choicelist)} choices")
    if len(condlist) == 0:
        raise ValueError("select: there are no conditions")
    return (*condlist, *choicelist, default), {"count": len(condlist)}


def _select(*xs, count):
    conditions, choices = [strong(x) for x in xs[:count]], xs[count:]
    for i, condition in enumerate(conditions):
        if condition.dtype.kind != "b":
            raise TypeError(f"select: condition {i} must be of bools, not {condition.dtype}")
    dtype = _common("select", choices)
    *choices, out = (_of_dtype(x, dtype) for x in choices)
    for condition, choice in zip(reversed(conditions), reversed(choices)):
        out = where(condition, choice, out)
    return out


def _bind_choose(x, choices, mode="raise"):
    return (x, *choices), {"mode": mode}


def _choose(x, *choices, mode):
    n, x = len(choices), strong(x)
    if not n:
        raise ValueError("choose: there are no choices")
    x = _places("choose", x, n, mode, "safe")
    found = values(x)
    if mode == "raise" and found is not None and ((found < 0) | (found >= n)).any():
        raise ValueError(f"choose: a choice is not one of {n}, from 0 to {n - 1}")
    dtype = _common("choose", choices)
    *choices, out = (_of_dtype(v, dtype) for v in choices)
    out = where(x == n - 1, out, out)  # of the shape of both
    for i, choice in enumerate(choices):
        out = where(x == i, choice, out)
    return out


def _is_one(condlist):
    """Whether it is a condition, and not a list of them."""
    if hasattr(condlist, "ndim"):
        return condlist.ndim < 2
    return isinstance(condlist[0], (bool, np.bool_, int))


def _bind_piecewise(x, condlist, funclist, *args, **kw):
    if isinstance(condlist, (bool, np.bool_)) or (_is_one(condlist) and np.ndim(x)):
        condlist = [condlist]
    n = len(condlist)
    if len(funclist) not in (n, n + 1):
        raise ValueError(f"piecewise: with {n} condition(s), either {n} or {n + 1} functions are expected")
    functions = [partial(f, *args, **kw) if callable(f) else None for f in funclist]
    constants = [f for f in funclist if not callable(f)]
    return (x, *condlist, *constants), {"count": n, "functions": functions}


def _piecewise(x, *more, count, functions):
    x = strong(x)
    masks = [astype(strong(mask), bool, copy=False) for mask in more[:count]]
    if len(functions) > count:
        other = masks[0]
        for mask in masks[1:]:
            other = other | mask
        masks.append(~other)
    constants = iter(more[count:])
    out = zeros_like(x)
    for mask, function in zip(masks, functions):
        known = values(mask)
        if known is None or hasattr(type(x), "_lifts"):  # no elements can be picked: all are computed
            value = next(constants) if function is None else function(x)
            out = where(mask, _of_dtype(value, x.dtype), out)
        elif function is None:
            out = setitem(out, next(constants), known)
        elif known.any():
            out = setitem(out, function(getitem(x, known)), known)
    return out


# fmt: off
# ---------------------------------------------------------------- the rows --

_MASK = np.array([True, False, True])
_GRID = np.array([[True, False, True], [False, False, True]])

take = _op(
    "take", _take, "x, indices; axis=None, mode='raise'",
    cases=[case((2, 3), np.array([0, 5, 0])), case((2, 3), np.array([0, -1]), axis=1), case((3, 2), np.array([[2, 0], [1, 1]]), axis=0),
           case((3,), np.array(1)), case((3,), np.array([-4, 7]), mode="wrap"), case((3,), np.array([-4, 7]), mode="clip"),
           case((2, 3), np.array([], int), axis=-1)],
    doc=_doc("Elements of x along an axis, at integer indices.", "take([1., 2., 3.], [2, 0])", "tensor([3., 1.])"))
compress = _op(
    "compress", _compress, "condition, x; axis=None",
    batch=one_by_one("compress"),
    cases=[case(_MASK, (2, 3), axis=1), case(_MASK, (4, 2), axis=0), case(_MASK, (2, 3)), case(_MASK[:0], (2,))],
    doc=_doc("The slices of x along an axis for which a condition holds.", "compress([True, False, True], [1., 2., 3.])",
             "tensor([1., 3.])"))
extract = _op(
    "extract", _extract, "condition, x", batch=one_by_one("extract"), cases=[case(_GRID, (2, 3)), case(_MASK, (3,)), case(_MASK[:0], (0,))],
    doc=_doc("The elements of x for which a condition holds, in one dimension.",
             "extract([True, False, True], [1., 2., 3.])", "tensor([1., 3.])"))
delete = _op(
    "delete", _delete, "x; obj, axis=None", bind=_bind_delete,
    cases=[case((4,), obj=1), case((2, 3), obj=-1, axis=1), case((2, 3), obj=[0, 4]), case((3, 2), obj=_MASK, axis=0),
           case((5,), obj=slice(0, 4, 2)), case((3,), obj=[]), case((3,), obj=[0, 1, 2])],
    doc=_doc("x without some elements along an axis.", "delete([1., 2., 3.], 1)", "tensor([1., 3.])"))
insert = _op(
    "insert", _insert, "x, v; obj, axis=None", bind=_bind_insert,
    cases=[case((3,), (), obj=1), case((2, 3), (2,), obj=1, axis=1), case((3,), (2,), obj=[0, 2]), case((2, 3), (3,), obj=-1, axis=0),
           case((3,), (), obj=[1, 1, 3]), case((2, 2), (2, 2), obj=[0, 1], axis=1), case((2, 2), (2,), obj=slice(0, 4, 2)),
           case((0,), (), obj=0)],
    doc=_doc("x with values put in before some elements along an axis.",
             "insert([1., 2.], 1, 5.)", "tensor([1., 5., 2.])"))
append = _op(
    "append", _append, "x, v; axis=None",
    cases=[case((3,), (2,)), case((2, 3), (2,)), case((2, 3), (1, 3), axis=0), case((2, 3), (2, 1), axis=-1), case((), ()),
           case((0,), (2,))],
    doc=_doc("x with values after it along an axis; without one, both are flattened.", "append([1., 2.], 3.)",
             "tensor([1., 2., 3.])"))
resize = _op(
    "resize", _resize, "x; new_shape",
    cases=[case((2, 3), new_shape=(2, 2)), case((3,), new_shape=7), case((2,), new_shape=(2, 2)), case((), new_shape=(2,)),
           case((2,), new_shape=0)],
    doc=_doc("The elements of x in a shape of any size, again and again as needed.", "resize([1., 2.], 3)",
             "tensor([1., 2., 1.])"))
trim_zeros = _op(
    "trim_zeros", _trim_zeros, "x; trim='fb', axis=None",
    near=(0.5, 2), cases=[case((3,)), case((3,), trim="f"), case((2,), trim="b")],
    kinks=[(([0.0, 1.5, 0.0, 2.5, 0.0],), ([0.0, 1.0, 1.0, 1.0, 0.0],)), (([0.0, 0.0],), ([0.0, 0.0],))],
    batch=one_by_one("trim_zeros"),
    doc=_doc("x without the zeros at its ends.", "trim_zeros([0., 1., 0., 2., 0.])", "tensor([1., 0., 2.])"))

select = _op(
    "select", _select, "*xs; count", bind=_bind_select,
    cases=[case(_MASK, ~_MASK, (3,), (3,), (), count=2), case(_MASK, (2, 3), (1,), count=1), case(_GRID, _MASK, (), (3,), (2, 1), count=2),
           case(_MASK, (3,), 0, count=1), case(_MASK, 2.5, (3,), count=1), case(np.array(True), (), (), count=1)],
    doc=_doc("For each element the first choice whose condition holds.",
             "select([[True, False], [True, True]], [[1., 2.], [3., 4.]])", "tensor([1., 4.])"))
choose = _op(
    "choose", _choose, "*xs; mode='raise'", bind=_bind_choose,
    cases=[case(np.array([2, 0, 1]), (3,), (3,), (3,)), case(np.array([1, 0]), (), (2,)), case(np.array([[1], [0]]), (3,), (1, 3)),
           case(np.array([-1, 3]), (2,), (2,), mode="wrap"), case(np.array([-1, 3]), (2,), (2,), mode="clip"),
           case(np.array(1), (2,), (2,)), case(np.array([0, 1]), 1.5, (2,))],
    doc=_doc("For each element the choice whose number is given.",
             "choose([1, 0], [[1., 2.], [3., 4.]])", "tensor([3., 2.])"))
piecewise = _op(
    "piecewise", _piecewise, "*xs; count, functions", bind=_bind_piecewise,
    cases=[case((3,), _MASK, (), count=1, functions=[lambda x: x * x, None]),
           case((2, 3), _GRID, count=1, functions=[lambda x: x * x, lambda x: -x]),
           case((3,), _MASK, np.array([False, True, True]), (), count=2, functions=[lambda x: 2 * x, None]),
           case((3,), _MASK, count=1, functions=[lambda x: x * x]), case((0,), _MASK[:0], count=1, functions=[lambda x: x])],
    doc=_doc("Functions of x where their conditions hold.",
             "piecewise([-1., 2.], [[True, False]], [lambda v: v * v, 0.5])", "tensor([1. , 0.5])",
             "One function more than conditions is for the elements where none holds; what is no function is a value.\n"
             "The result has the dtype of x."))
# fmt: on
