"""`grad`, `value_and_grad`, `vjp` and `hvp`: reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .._backend import Tensor, backend
from .._methods import numbers_taken
from ..ops import TABLE
from . import _errors
from ._lift import levels
from ._reverse import Reverse, has_graph, reaches_beyond, recording, remember
from ._tree import flatten, leaves_as, shown, unflatten
from ._values import (
    Picked,
    any_tensors,
    as_tensor,
    check_kept,
    detached,
    finished,
    inexact,
    is_array,
    kept,
    like_input,
    split_aux,
)  # fmt: skip

_zeros_like = TABLE["zeros_like"]
_asarray, _grad, _set_grad_enabled = backend.asarray, backend.grad, backend._set_grad_enabled
_in_inference_mode = backend.is_inference_mode_enabled
_value_and_gradient = getattr(backend, "value_and_gradient", lambda y, x, alone: None)  # the compiled backend's
_leaf_of = getattr(backend, "leaf_of", lambda a: _asarray(a).requires_grad_())


def _scalar(where, out):
    """A function's result, checked to be one real number; a Python number is a constant."""
    if not is_array(out):
        raise _errors.not_a_result(where, out)
    out = as_tensor(out)
    if out.ndim:
        raise _errors.not_a_scalar(where, out.ndim)
    if out.dtype.kind == "c":
        raise _errors.not_real(out.dtype)
    return out


def _detacher(run, results):
    """What takes the graph off a result, where what is outside has no use for it."""
    if run.recorded(results):
        return lambda value: value
    return detached


def _zero_or(g, like):
    return _zeros_like(like) if g is None else g


def _value_and_grad(where, function, argnums, has_aux, args, kwargs):
    """``(gradient, value, aux)``."""
    picked = Picked(argnums, args, kwargs)
    tensors = picked.tensors(where)
    with recording() as outer:
        run = Reverse(tensors, outer)
        out, aux = split_aux(where, picked.call(where, function, run.inputs), has_aux)
        out = _scalar(where, out)
        one = _asarray(np.ones((), out.dtype)) if out.dtype.kind == "f" else None
        found = run.gradients([out], [one]) if one is not None else [None] * len(tensors)
        grads = [like_input(_zero_or(g, t), leaf) for g, t, leaf in zip(found, tensors, picked.leaves)]
    as_tensors = any_tensors(picked.leaves)
    value = finished(out, as_tensors, _detacher(run, [out]))
    if has_aux:
        aux = finished(aux, as_tensors, _detacher(run, flatten(aux)[0]))
    return picked.tree(grads), value, aux


def _fast(function, args, kwargs):
    """``(gradient, value)`` for an ndarray in front, outside of all transforms; None: the general way is needed."""
    a = args[0]
    if levels() or a.dtype.kind != "f" or _in_inference_mode():
        return None
    x = _leaf_of(a)
    taken, before = numbers_taken(), _set_grad_enabled(True)
    try:
        y = function(x, *args[1:], **kwargs)
        found = _value_and_gradient(y, x, not before)
        if found is not None:
            return found[1], found[0]
        if type(y) is not Tensor or y.ndim or not y.requires_grad or y.dtype.kind != "f":
            check_kept("grad(f)(*args)", y, taken)
            return np.zeros(a.shape, a.dtype), _scalar("grad(f)(*args)", y).item()
        record = before and reaches_beyond((y,), (x,))
        if record:
            remember((x,))
        (g,) = _grad(y, x, None, record, record, True)
        if g is None:
            g = _zeros_like(x)
    finally:
        _set_grad_enabled(before)
    return (g, y) if record else (g.numpy(), float(y))


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that computes the gradient of `func`, which gives one real number.

    Parameters
    ----------
    func : callable
        Takes Tensors, arrays, numbers and nested tuples, lists and dicts of them, and gives a scalar.
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.
    has_aux : bool
        Whether `func` gives ``(output, aux)``, of which only the first is differentiated.

    Returns
    -------
    callable
        Takes what `func` takes, and gives the gradient: of the structure of the argument (a tuple of such, if `argnums`
        is one); Tensors for Tensors, fresh ndarrays for ndarrays, Python numbers for Python numbers. With `has_aux`
        ``(gradient, aux)``.

    Raises
    ------
    RuntimeError
        If the output is no scalar, or an argument to be differentiated has an integer or boolean dtype.

    Notes
    -----
    Where something from outside leads into the result (a Tensor that requires grad, another transform), gradients are
    Tensors that can be differentiated further.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.func.grad(fg.sin)(0.0)
    1.0
    >>> fg.func.grad(fg.func.grad(lambda x: x**3))(2.0)
    12.0
    >>> fg.func.grad(lambda p, x: (p["w"] * x + p["b"]).sum())({"w": 2.0, "b": 1.0}, np.array([3.0, 4.0]))
    {'w': 7.0, 'b': 2.0}
    """

    @wraps(func)
    def gradient(*args, **kwargs):
        if argnums == 0 and not has_aux and args and type(args[0]) is np.ndarray:
            found = _fast(func, args, kwargs)
            if found is not None:
                return found[0]
        g, _, aux = _value_and_grad("grad(f)(*args)", func, argnums, has_aux, args, kwargs)
        return (g, aux) if has_aux else g

    return gradient


def value_and_grad(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that computes the value of `func` and its gradient.

    It takes what `func` takes, so that ``scipy.optimize.minimize(value_and_grad(f), x0, jac=True)`` works as it stands:
    for an ndarray the value is a Python float and the gradient a fresh ndarray.

    Parameters
    ----------
    func, argnums, has_aux
        As in `grad`.

    Returns
    -------
    callable
        Gives ``(value, gradient)``, with `has_aux` ``((value, aux), gradient)``.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.func.value_and_grad(lambda x: (x * x).sum())(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """

    @wraps(func)
    def value_and_gradient(*args, **kwargs):
        if argnums == 0 and not has_aux and args and type(args[0]) is np.ndarray:
            found = _fast(func, args, kwargs)
            if found is not None:
                return found[1], found[0]
        g, value, aux = _value_and_grad("value_and_grad(f)(*args)", func, argnums, has_aux, args, kwargs)
        return ((value, aux), g) if has_aux else (value, g)

    return value_and_gradient


# ---------------------------------------------------------------- vjp


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of a function, and a function that multiplies vectors by its Jacobian, from the left.

    Parameters
    ----------
    func : callable
        Takes and gives Tensors, arrays, numbers and nested tuples, lists and dicts of them.
    *primals
        The arguments of `func`; it is differentiated with respect to all of them.
    has_aux : bool
        Whether `func` gives ``(output, aux)``, of which only the first is differentiated.

    Returns
    -------
    output
        What `func` gives.
    vjp_fn : callable
        Takes cotangents, of the structure of the output, and gives a tuple with the gradient for each argument. It may
        be called many times, and inside of other transforms.
    aux
        With `has_aux` alone.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> value, vjp_fn = fg.func.vjp(fg.sin, np.zeros(2))
    >>> vjp_fn(np.array([1.0, 2.0]))
    (array([1., 2.]),)
    """
    where = "vjp(f, *primals)"
    leaves, structure = flatten(primals)
    tensors = [inexact(where, leaf) for leaf in leaves]
    with recording() as outer:
        run = Reverse(tensors, outer)
        out, aux = split_aux(where, kept(where, func, *unflatten(run.inputs, structure)), has_aux)
    outs, out_structure = flatten(out)
    for value in outs:
        if not is_array(value):
            raise _errors.not_a_result(where, value)
    outs = [as_tensor(value) for value in outs]
    recorded = run.recorded(outs)

    def vjp_fn(cotangents, retain_graph=True, create_graph=None):
        """The gradients for these cotangents of the output."""
        given = leaves_as(cotangents, out_structure)
        if given is None:
            shapes = shown(flatten(cotangents)[1]), shown(out_structure)
            raise _errors.tree_mismatch("vjp_fn", "cotangents", "output", *shapes)
        pairs = [(y, _cotangent(i, v, y)) for i, (v, y) in enumerate(zip(given, outs))]
        record = (recorded or None) if create_graph is None else create_graph
        found = run.gradients([y for y, _ in pairs], [v for _, v in pairs], retain_graph, record)
        found = [like_input(_zero_or(g, t), leaf) for g, t, leaf in zip(found, tensors, leaves)]
        return unflatten(found, structure)

    as_tensors = any_tensors(leaves)
    value = finished(out, as_tensors, _detacher(run, outs))
    if not has_aux:
        return value, vjp_fn
    return value, vjp_fn, finished(aux, as_tensors, _detacher(run, flatten(aux)[0]))


def _cotangent(i, v, y):
    """What was given for output i, as a Tensor (or lifted) of its shape and dtype."""
    weak = type(v) in (int, float)
    v = as_tensor(v)
    if tuple(v.shape) != tuple(y.shape):
        raise _errors.gradient_shape(i, v.shape, y.shape)
    if (v.dtype.kind == "c" and y.dtype.kind != "c") or (y.dtype.kind == "c" and v.dtype.kind != "c" and not weak):
        raise _errors.gradient_dtype(i, v.dtype, y.dtype)
    return v if v.dtype == y.dtype or y.dtype.kind not in "fc" else v.astype(y.dtype)


# ---------------------------------------------------------------- hvp


def hvp(f: Callable[..., Any], x: Any, v: Any) -> tuple[Any, Any]:
    """The value of a scalar function, and its Hessian times a vector.

    The Hessian is never made: the gradient is differentiated in its turn, which costs a few evaluations of f.

    Parameters
    ----------
    f : callable
        Takes one argument, and gives one real number.
    x : array, number, or nested tuple, list or dict of them
        Where.
    v : the same
        The vector, of the structure and shapes of x.

    Returns
    -------
    value
        ``f(x)``.
    product
        The Hessian times v, of the structure of x.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> fg.func.hvp(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    (9.0, array([6., 0.]))
    """
    where = "hvp(f, x, v)"
    if type(x) is np.ndarray and type(v) is np.ndarray:
        found = _fast_hvp(f, x, v)
        if found is not None:
            return found
    leaves, structure = flatten(x)
    tensors = [inexact(where, leaf) for leaf in leaves]
    directions = leaves_as(v, structure)
    if directions is None:
        raise _errors.tree_mismatch(where, "x", "v", shown(structure), shown(flatten(v)[1]))
    directions = [as_direction(where, t, d) for t, d in zip(tensors, directions)]
    with recording() as outer:
        run = Reverse(tensors, outer)
        y = _scalar(where, kept(where, f, unflatten(run.inputs, structure)))
        found = second(run, y, directions)
        found = [like_input(_zero_or(g, t), leaf) for g, t, leaf in zip(found, tensors, leaves)]
    return finished(y, any_tensors(leaves), _detacher(run, [y])), unflatten(found, structure)


def _fast_hvp(f, a, v):
    """For ndarrays, outside of all transforms; None where the general way is needed."""
    if levels() or a.dtype.kind != "f" or v.shape != a.shape or v.dtype != a.dtype or _in_inference_mode():
        return None
    x = _asarray(a)
    x.requires_grad = True
    taken, before = numbers_taken(), _set_grad_enabled(True)
    try:
        y = f(x)
        if type(y) is not Tensor or y.ndim or not y.requires_grad or y.dtype.kind != "f":
            check_kept("hvp(f, x, v)", y, taken)
            return _scalar("hvp(f, x, v)", y).item(), np.zeros(a.shape, a.dtype)
        record = before and reaches_beyond((y,), (x,))
        if record:
            remember((x,))
        (g,) = _grad(y, x, None, True, True, True)
        product = None
        if g is not None and g.requires_grad:
            (product,) = _grad(g, x, _asarray(v), record, record, True)
        if product is None:
            product = _zeros_like(x)
    finally:
        _set_grad_enabled(before)
    return (y, product) if record else (float(y), product.numpy())


def second(run, y, directions):
    """The Hessian of y times the directions, for each of the inputs of `run` (None: zero): reverse over reverse."""
    if y.dtype.kind != "f":
        return [None] * len(directions)
    grads = run.gradients([y], [_asarray(np.ones((), y.dtype))], True, True)
    pairs = [(g, t) for g, t in zip(grads, directions) if g is not None]
    record = run.recorded([y]) or any(has_graph(t) for t in directions)
    return run.gradients([g for g, _ in pairs], [t for _, t in pairs], record, record)


def as_direction(where, primal, tangent):
    """A tangent as a Tensor (or lifted) that fits its primal."""
    tangent = as_tensor(tangent)
    if tuple(tangent.shape) != tuple(primal.shape):
        raise _errors.tangent_shape(where, primal.shape, tangent.shape)
    return tangent if tangent.dtype == primal.dtype else tangent.astype(primal.dtype)
