"""NumPy's ufuncs on Tensors, in every form of call: `__array_ufunc__`.

A plain call is the row's. `out=` is a write in place, `where=` a call on what the mask picks, `dtype=` a cast of the
operands; `reduce`, `accumulate`, `reduceat`, `outer` and `at` are made of rows. What a graph would be lost on raises.
"""

from __future__ import annotations

import math
import sys
from functools import partial

import numpy as np

from . import _errors
from ._methods import is_tensor, lifted, plain
from .ops import ALIASES, TABLE, load

_NOTHING = np._NoValue
_WEAK = (int, float, complex)  # of exactly these types: operands that take the dtype of the others


def on_ufunc(ufunc, method, inputs, kwargs):
    """What `__array_ufunc__` is: `method` of `ufunc`, where an operand or `out` is a Tensor."""
    if method == "__call__":
        return _call(ufunc, inputs, **kwargs)
    form = _FORMS.get(method)
    if form is None or ufunc.signature is not None:
        raise _errors.unknown_numpy("numpy ufunc method", f"{ufunc.__name__}.{method}")
    try:
        if method in ("reduce", "accumulate", "reduceat") and _is_flat(ufunc, inputs[0]):
            return _numpy(getattr(ufunc, method), *inputs, **kwargs)
        return form(ufunc, *inputs, **kwargs)
    except _Unknown as error:
        raise _errors.unknown_numpy("numpy ufunc method", f"{ufunc.__name__}.{method}", str(error)) from None


class _Unknown(Exception):
    """A form of call that there is no way to do with rows."""


# ---------------------------------------------------------------- which row --

_runs: dict = {}  # ufunc -> what computes it, a function of its operands


def _run_of(ufunc):
    run = _runs.get(ufunc)
    if run is None:
        run = _find(ufunc)
        if run is None:
            raise _errors.unknown_numpy("numpy ufunc", ufunc.__name__)
        _runs[ufunc] = run
    return run


def _find(ufunc):
    if ufunc is np.divmod:
        return lambda x, y: (_row("floor_divide")(x, y), _row("remainder")(x, y))
    name = ufunc.__name__
    if _row(name) is None:
        load("fastgrad")
    op = _row(name)
    if op is not None and not op.users and op.module == "fastgrad" and _is(op, ufunc):
        return op
    special = sys.modules.get("scipy.special")
    if special is not None and getattr(special, name, None) is ufunc:
        from importlib import import_module

        return getattr(import_module("fastgrad.special"), name, None)
    return None


def _is(op, ufunc):
    return op.fn is ufunc or getattr(np, ufunc.__name__, None) is ufunc


def _row(name):
    return TABLE.get(name) or TABLE.get(ALIASES.get(name))


# ---------------------------------------------------------------- calls --


def _call(ufunc, inputs, *, out=None, where=True, order="K", subok=True, **kwargs):
    """``ufunc(*inputs, ...)``; `order` and `subok` change no value."""
    run = _run_of(ufunc)
    form = {key: kwargs.pop(key) for key in ("axes", "axis", "keepdims") if key in kwargs}
    outs = (None,) * ufunc.nout if out is None else out
    given = any(target is not None for target in outs)
    inputs, targets = _cast(ufunc, inputs, outs, **kwargs) if kwargs else (inputs, (None,) * ufunc.nout)
    first = outs[0]
    if given and where is True and not form and ufunc.nout == 1 and is_tensor(first) and inputs[0] is first:
        op = _row(ufunc.__name__)
        in_place = op is not None and op.elementwise and op.is_ufunc(ufunc) and targets[0] in (None, first.dtype)
        if in_place and _shape(first) == _broadcast_shape(inputs):
            return first._inplace_op(op, first, tuple(inputs[1:]), op.bind(*inputs)[1])
    if given:
        inputs = [_aside(x, outs) for x in inputs]
    if form:
        run = partial(_over_axes, ufunc, run, form)
    if where is True:
        results = run(*inputs)
        results = results if ufunc.nout > 1 else (results,)
    else:
        results = _masked(run, inputs, where, outs, ufunc.nout)
    results = [
        result if dtype is None or result.dtype == dtype else result.astype(dtype)
        for result, dtype in zip(results, targets)
    ]
    if given:
        _check_casting(ufunc, results, outs, kwargs.get("casting", "same_kind"))
        _check_shapes(ufunc, results if ufunc.signature else inputs, where, outs)
    mask = None if where is True or _beyond(where) else where
    results = [result if target is None else write(target, result, mask) for target, result in zip(outs, results)]
    return tuple(results) if ufunc.nout > 1 else results[0]


def _cast(ufunc, inputs, outs, dtype=None, signature=None, casting="same_kind", **unknown):
    """The operands in the dtypes of the loop that NumPy would take, and what dtypes the results then have."""
    if unknown:
        raise TypeError(f"{ufunc.__name__}() got an unexpected keyword argument {next(iter(unknown))!r}")
    nin, nout = ufunc.nin, ufunc.nout
    if dtype is not None:
        if signature is not None:
            raise TypeError("cannot specify both 'signature' and 'dtype'")
        signature = (None,) * nin + (np.dtype(dtype),) * nout
    elif isinstance(signature, str):
        types = signature.replace("->", "")
        signature = tuple(map(np.dtype, types)) if len(types) == nin + nout else np.dtype(types)
        signature = signature if isinstance(signature, tuple) else (None,) * nin + (signature,) * nout
    elif signature is not None:
        signature = signature if isinstance(signature, tuple) else (signature,)
        signature = (None,) * nin + signature if len(signature) == 1 else signature
        signature = tuple(None if kind is None else np.dtype(kind) for kind in signature)
    wanted = signature[-1] if signature is not None else None
    kinds = _kinds(inputs, None if wanted is None or wanted.kind == "b" else wanted)
    given = [None if target is None else target.dtype for target in outs]
    loop = _loop(ufunc, inputs, (*kinds, *given), signature, casting)
    if signature is None:
        return list(inputs), loop[nin:]
    made = [x if kind == want else _as(x, want) for x, kind, want in zip(inputs, kinds, loop)]
    return made, loop[nin:]


def _kinds(inputs, wanted=None):
    """The dtypes of operands, Python scalars in the one that they have beside the others, or for a result `wanted`."""
    known = [_dtype(x) for x in inputs if type(x) not in _WEAK] if wanted is None else [wanted]
    return [_dtype(x) if type(x) not in _WEAK or not known else np.result_type(*known, x) for x in inputs]


def _loop(ufunc, inputs, kinds, signature=None, casting="same_kind"):
    """The dtypes of the loop that NumPy takes. It has to be told dtypes: of Python's types it crashes."""
    more = {} if signature is None else {"signature": signature}
    try:
        return ufunc.resolve_dtypes(kinds, casting=casting, **more)
    except TypeError:
        own = tuple(_dtype(x) for x in inputs)
        if own == kinds[: len(own)]:
            raise
        return ufunc.resolve_dtypes((*own, *kinds[len(own) :]), casting=casting, **more)  # an integer to `ldexp`, say


def _dtype(x):
    return x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype


def _as(x, dtype):
    return _row("astype")(x, dtype) if is_tensor(x) else np.asarray(x).astype(dtype)


def _tensor(array):
    from ._backend import backend

    return backend.asarray(array)


def _shape(x):
    """`numpy.shape`, which would ask a Tensor by a detour."""
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else tuple(shape)


def _broadcast_shape(values):
    shapes = {_shape(x) for x in values}
    return shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)


def _beyond(value):
    """Whether `value` stands for many, or carries a tangent."""
    return lifted((value,)) is not None


def has_graph(value):
    """Whether a gradient or a tangent would be lost on what only holds numbers."""
    return is_tensor(value) and (_beyond(value) or value.requires_grad)


def _aside(x, outs):
    """An operand that is written to: a copy of it, for it is read once more for the gradient."""
    for target in outs:
        if is_tensor(x) and is_tensor(target) and (x is target or _overlap(x, target)):
            return _row("clone")(x)
    return x


def _overlap(x, y):
    if _beyond(x) or _beyond(y):
        return False
    return np.may_share_memory(x.detach().numpy(), y.detach().numpy())


def _check_casting(ufunc, results, outs, casting):
    for target, result in zip(outs, results):
        if target is not None and target.dtype != result.dtype and not np.can_cast(result.dtype, target.dtype, casting):
            raise TypeError(
                f"Cannot cast ufunc {ufunc.__name__!r} output from {result.dtype!r} to {target.dtype!r} "
                f"with casting rule {casting!r}"
            )


def _check_shapes(ufunc, values, where, outs):
    """What is written to may be wider than what comes out, but not narrower."""
    for target in outs:
        if target is not None:
            whole = _broadcast_shape((*values, where, target) if where is not True else (*values, target))
            if whole != _shape(target):
                raise ValueError(
                    f"{ufunc.__name__}: non-broadcastable output operand with shape {_shape(target)} "
                    f"doesn't match the broadcast shape {whole}"
                )


def write(target, value, mask=None):
    """``target[mask] = value``, tracked for a Tensor; to an ndarray only where no graph would be lost on it."""
    index = ... if mask is None else np.broadcast_to(plain(mask), _shape(target))
    if is_tensor(target):
        if mask is not None:
            value = value[index] if _shape(value) == _shape(target) else value
        target._inplace_op(TABLE["setitem"], target, (value,), TABLE["setitem"].bind(target, None, index)[1])
        return target
    if not isinstance(target, np.ndarray):
        raise TypeError("return arrays must be of ArrayType")
    if has_graph(value):
        raise _errors.out_loses_graph()
    if is_tensor(value):
        value = value.detach().numpy()
    target[index] = value if mask is None or _shape(value) != target.shape else value[index]
    return target


def _masked(run, inputs, where, outs, nout):
    """The results where `where` is true, of the operands there alone, so that nothing comes back from elsewhere.

    Without `out` they are 0 elsewhere, where NumPy has what was in memory; for `out`, what is to be written.
    """
    shape = _broadcast_shape((*inputs, where, *(t for t in outs if t is not None)))
    if _beyond(where):
        results = run(*inputs)
        choose = _row("where")
        results = results if nout > 1 else (results,)
        return [choose(where, y, 0 if target is None else target) for y, target in zip(results, outs)]
    mask = np.asarray(plain(where.detach() if is_tensor(where) else where))
    if mask.dtype != bool:
        raise TypeError(f"Cannot cast array data from {mask.dtype!r} to dtype('bool') according to the rule 'safe'")
    index = (np.broadcast_to(mask, shape), Ellipsis)
    picked = [x if type(x) in _WEAK else _broadcast(x, shape)[index] for x in inputs]
    if all(type(x) in _WEAK for x in picked):
        picked[0] = np.broadcast_to(np.asarray(picked[0]), shape)[index]
    results = run(*picked)
    results = results if nout > 1 else (results,)
    put = _row("put_add")
    return [put(part, shape, index) if target is None else part for part, target in zip(results, outs)]


def _broadcast(x, shape):
    if _shape(x) == shape:
        return x if is_tensor(x) else np.asarray(x)
    return _row("broadcast_to")(x, shape) if is_tensor(x) else np.broadcast_to(np.asarray(x), shape)


def _is_flat(ufunc, x):
    """Whether there is no gradient, whatever the values: NumPy can do it all."""
    if not is_tensor(x) or _beyond(x):
        return False
    op = _row(ufunc.__name__)
    return x.dtype.kind not in "fc" or (op is not None and _is(op, ufunc) and not op.differentiable)


def _numpy(form, *inputs, out=None, **kwargs):
    inputs = [x.detach().numpy() if is_tensor(x) else x for x in inputs]
    where = kwargs.get("where")
    if is_tensor(where):
        kwargs["where"] = where.detach().numpy()
    result = _tensor(form(*inputs, **kwargs))
    return result if out is None else write(out[0], result)


# ---------------------------------------------------------------- generalized ufuncs --


def _core_axes(ufunc):
    """How many axes each operand and result of a generalized ufunc has at its end: ``matmul`` (2, 2), (2,)."""
    left, _, right = ufunc.signature.replace(" ", "").partition("->")
    return [[0 if part == "" else part.count(",") + 1 for part in side[1:-1].split("),(")] for side in (left, right)]


def _over_axes(ufunc, run, form, *inputs):
    """A generalized ufunc whose `axes=`, `axis=` or `keepdims=` say where its axes are."""
    if ufunc.signature is None:
        raise TypeError(f"{ufunc.__name__}() got an unexpected keyword argument {next(iter(form))!r}")
    unknown = set(form) - {"axes", "axis", "keepdims"}
    if unknown or ("axes" in form and "axis" in form):
        raise TypeError(f"{ufunc.__name__}: cannot specify both 'axis' and 'axes'")
    (*ins,), (out,) = _core_axes(ufunc)
    keepdims, axes = form.get("keepdims", False), form.get("axes")
    if (keepdims or "axis" in form) and (out or any(n != 1 for n in ins)):
        raise TypeError(f"{ufunc.__name__} takes axis= and keepdims= only where each operand has one core axis")
    if "axis" in form:
        axes = [(form["axis"],)] * len(ins)
    if axes is None:
        axes = [tuple(range(-n, 0)) for n in ins]
    axes = [(a,) if np.ndim(a) == 0 else tuple(a) for a in axes]
    move = _row("moveaxis")
    ends = [tuple(range(-n, 0)) for n in (*ins, out)]
    result = run(*[move(x, a, end) if a != end else x for x, a, end in zip(inputs, axes, ends)])
    if len(axes) > len(ins) and out and axes[-1] != ends[-1]:
        result = move(result, ends[-1], axes[-1])
    if keepdims:
        where = axes[-1] if len(axes) > len(ins) and axes[-1] else axes[0]
        result = _row("expand_dims")(result, where)
    return result


# ---------------------------------------------------------------- reduce and accumulate --

#: NumPy's functions that are the reduction, or the running one, of a ufunc.
_REDUCE = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
    np.logical_and: np.all, np.logical_or: np.any,
}  # fmt: skip
_ACCUMULATE = {np.add: "cumsum", np.multiply: "cumprod", np.maximum: "cummax", np.minimum: "cummin"}


def _result(ufunc, method, x, axis, dtype, **more):
    """What NumPy gives for ones of this kind: the dtype of the result, or the error that NumPy raises."""
    shape = tuple(min(n, 2) for n in _shape(x))
    with np.errstate(all="ignore"):
        return np.asarray(getattr(ufunc, method)(np.ones(shape, x.dtype), axis=axis, dtype=dtype, **more)).dtype


def _reduce(ufunc, x, axis=0, dtype=None, out=None, keepdims=False, initial=_NOTHING, where=True):
    out = None if out is None else out[0]
    options = {} if initial is _NOTHING else {"initial": initial}
    if where is not True:
        options["where"] = where
    function = _REDUCE.get(ufunc)
    x = x if is_tensor(x) else np.asarray(x)
    if function is not None:
        from ._dispatch import on_function

        if dtype is not None and function not in (np.sum, np.prod):
            x = _as(x, dtype)
        elif dtype is not None:
            options["dtype"] = dtype
        if function in (np.all, np.any) and out is not None and out.dtype != bool:
            raise _Unknown("out= is not of dtype bool")
        if keepdims is not False:
            options["keepdims"] = keepdims
        if out is not None:
            options["out"] = out
        return on_function(function, (x,), {"axis": axis, **options})
    if where is not True:
        raise _Unknown("where= is for ufuncs whose reduction has a name of its own")
    if initial is None:
        options = {}
    shape = _shape(x)
    axes = tuple(range(len(shape))) if axis is None else (axis,) if np.ndim(axis) == 0 else tuple(axis)
    kind = _result(ufunc, "reduce", x, axis, dtype, keepdims=keepdims, **options)
    axes = sorted(a % len(shape) for a in axes) if shape else []
    rows = _row("moveaxis")(x, _in_memory(axes, shape, x.strides), tuple(range(len(axes))))
    count = math.prod(_shape(rows)[: len(axes)])
    rows = _row("reshape")(rows, (count, *_shape(rows)[len(axes) :]))
    rows = rows if dtype is None else _as(rows, dtype)
    start = options.get("initial", None if count else ufunc.identity)
    result = _fold(ufunc, rows, start if start is None else np.full(_shape(rows)[1:], start, kind))
    result = result if keepdims is False else _row("expand_dims")(result, tuple(axes))
    return _given(result, kind, out)


def _in_memory(axes, shape, strides):
    """NumPy's order of going through some axes: the longest strides first; a stride of 0 says nothing."""
    steps = [abs(step) if n > 1 else 0 for n, step in zip(shape, strides)]
    order = []  # the shortest first
    for axis in reversed(axes):
        place = len(order)
        for i, other in reversed([*enumerate(order)]):
            if steps[axis] and steps[other]:
                if steps[other] <= steps[axis]:
                    break
                place = i
        order.insert(place, axis)
    return tuple(reversed(order))


def _given(result, kind, out):
    """The result in its dtype, or written to `out`."""
    from ._dispatch import into

    result = result if result.dtype == kind else _as(result, kind)
    return result if out is None else into(out, result)


def _fold(ufunc, rows, start=None):
    """``rows[0]`` with ``rows[1]``, that with ``rows[2]`` and so on; before them `start` where there is one."""
    run, n = _run_of(ufunc), _shape(rows)[0]
    total, first = (_row("clone")(rows[0]), 1) if start is None else (_row("clone")(_tensor(start)), 0)
    for i in range(first, n):
        total = run(total, rows[i])
    return total


def _accumulate(ufunc, x, axis=0, dtype=None, out=None):
    out = None if out is None else out[0]
    x = x if is_tensor(x) else np.asarray(x)
    kind = _result(ufunc, "accumulate", x, axis, dtype)
    x = x if dtype is None else _as(x, dtype)
    if ufunc in _ACCUMULATE:
        load("fastgrad")
        return _given(_row(_ACCUMULATE[ufunc])(x, axis=axis), kind, out)
    run, n, axis = _run_of(ufunc), _shape(x)[axis], axis % len(_shape(x))
    rows = _row("moveaxis")(x, axis, 0)
    totals = [rows[i] for i in range(min(n, 1))]
    for i in range(1, n):
        totals.append(run(totals[-1], rows[i]))
    return _given(_row("stack")(totals, axis) if n else _row("clone")(x), kind, out)


def _reduceat(ufunc, x, indices, axis=0, dtype=None, out=None):
    """Reductions of the parts of x from each index to the next; of an index not before the next, its element alone."""
    out = None if out is None else out[0]
    x = x if is_tensor(x) else np.asarray(x)
    indices = np.asarray(plain(indices.detach() if is_tensor(indices) else indices))
    n, axis = _shape(x)[axis], axis % len(_shape(x))
    bad = indices[(indices < 0) | (indices >= n)]
    if bad.size:
        raise IndexError(f"index {bad.flat[0]} out-of-bounds in {ufunc.__name__}.reduceat [0, {n})")
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise TypeError(f"{ufunc.__name__}.reduceat: indices are integers in one dimension, not {indices!r}")
    kind = _result(ufunc, "reduce", x, axis, dtype)
    if ufunc is np.add and len(indices):
        load("fastgrad")
        result = _row("segment_sum")(x if dtype is None else _as(x, dtype), indices.astype(np.intp), axis)
        return _given(result, kind, out)
    before = (slice(None),) * axis
    ends = [*indices.tolist()[1:], n]
    parts = []
    for start, end in zip(indices.tolist(), ends):
        part = x[(*before, slice(start, end if end > start else start + 1))]
        parts.append(_reduce(ufunc, part, axis=axis, dtype=dtype))
    return _given(_row("stack")(parts, axis) if parts else x[(*before, slice(0, 0))], kind, out)


# ---------------------------------------------------------------- outer and at --


def _outer(ufunc, x, y, **kwargs):
    """Each element of x with each of y."""
    if ufunc.nin != 2:
        raise ValueError("outer product only supported for binary functions")
    x = x if is_tensor(x) else np.asarray(x)
    apart = _row("reshape")(x, (*_shape(x), *(1,) * len(_shape(y))))
    return _call(ufunc, (apart, y), **kwargs)


def _at(ufunc, x, indices, y=_NOTHING):
    """``x[indices] = ufunc(x[indices], y)`` in place, one pick after the other where several are of one element."""
    if ufunc.nout != 1 or ufunc.nin != 1 + (y is not _NOTHING):
        raise ValueError(f"{ufunc.__name__}.at: expected {ufunc.nin - 1} operands beside the array and the indices")
    others = () if y is _NOTHING else (y,)
    indices = _plain_index(indices)
    if not is_tensor(x):
        if any(map(has_graph, others)):
            raise _errors.out_loses_graph()
        return ufunc.at(x, indices, *(v.detach().numpy() if is_tensor(v) else v for v in others))
    whole = _shape(x)
    places = np.arange(math.prod(whole)).reshape(whole)[indices]
    kind = _loop(ufunc, (x, *others), (*_kinds((x, *others)), None))[-1]
    if not np.can_cast(kind, x.dtype, "same_kind") and (kind.kind == "c" or any(map(has_graph, others))):
        raise TypeError(f"{ufunc.__name__}.at: cannot cast a result of {kind} to {x.dtype}")
    others = [v if type(v) in _WEAK else _row("reshape")(_broadcast(v, places.shape), -1) for v in others]
    places = places.reshape(-1)
    flat, run, move = _row("reshape")(x, -1), _run_of(ufunc), _row("setitem")
    if ufunc in (np.add, np.subtract) and kind == x.dtype:
        load("fastgrad")
        more = others[0] if ufunc is np.add else -others[0]
        flat = _row("add_at")(flat, more, places % max(math.prod(whole), 1))
        places = places[:0]
    for turn in _turns(places):
        to = places[turn]
        new = run(flat[to], *[v if type(v) in _WEAK else v[turn] for v in others])
        flat = move(flat, new, to)
    write(x, _row("reshape")(flat, whole))
    return None


def _plain_index(index):
    if type(index) is tuple:
        return tuple(_plain_index(part) for part in index)
    if is_tensor(index):
        return index.detach().numpy()
    return index


def _turns(places):
    """Which picks can be made together: the first of each place, then the second of each, and so on."""
    order = np.argsort(places, kind="stable")
    ranked = places[order]
    first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, int)
    turn = np.empty(len(places), int)
    turn[order] = np.arange(len(places)) - np.repeat(first, np.diff([*first, len(places)]))
    return [np.flatnonzero(turn == k) for k in range(turn.max(initial=-1) + 1)]


_FORMS = {"reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat, "outer": _outer, "at": _at}
