"""Products of vectors and numeric recipes: `outer`, `vdot`, `cross`, `kron`, `convolve`, `interp`, `gradient`, `trapezoid`.

Where NumPy computes by a formula of ufuncs, so do the rows here, in NumPy's order; where it has a loop of its own
(`inner`, `vdot`, `vecdot`, `convolve`, `interp`) the forward is that loop.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ._batch import every, flat, ranked
from ._doc import describe
from ._doc import doc as _doc
from ._row import TABLE, Like, case
from ._row import register as _op
from .elementwise import conj, divide, negative, remainder, where
from .indexing import getitem, put_add
from .linalg import _batch_matmul, _batch_tensordot, _tensordot_dx, _tensordot_dy, matmul, strong
from .padding import pad
from .reductions import sum
from .shaping import astype, concat, expand_dims, flip, matrix_transpose, moveaxis, reshape, squeeze, stack

describe({
    "convolve.mode": ('{"full", "same", "valid"}', "Which part of the full convolution to give."),
    "correlate.mode": ('{"full", "same", "valid"}', "Which part of the full correlation to give."),
    "vecdot.axis": ("int", "The axis of both that is summed over."),
    "axisa": ("int", "Where the vectors of a are."),
    "axisb": ("int", "Where the vectors of b are."),
    "axisc": ("int", "Where those of the result go."),
    "cross.axis": ("int or None", "All three of them at once."),
    "interp.x": ("array_like", "Where the values are wanted."),
    "interp.xp": ("array_like", "Where the points are, in ascending order."),
    "interp.fp": ("array_like", "The values at the points."),
    "interp.left": ("array_like or None", "The value to the left of all points; None: the first of fp."),
    "interp.right": ("array_like or None", "The value to the right of all points; None: the last of fp."),
    "trapezoid.y": ("array_like", "The values to integrate."),
    "gradient.f": ("array_like", "The values."),
    "gradient.varargs": ("array_like", "The distance between neighbours, or, for each axis, that or where they are."),
    "trapezoid.dx": ("float or array", "The distance between the points, where x is not given."),
    "trapezoid.axis": ("int", "Axis to integrate along."),
    "trapezoid.x": ("array_like or None", "Where the points are."),
    "gradient.axis": ("int, tuple of int or None", "Axes to differentiate along; None: all."),
    "edge_order": ("{1, 2}", "The order of the differences at both ends."),
    "period": ("float or None", "The period of x; xp need not be sorted then, and nothing is left or right."),
})  # fmt: skip

# ---------------------------------------------------------------- helpers --


def values(x):
    """The numbers of an operand, for what depends on them and has no derivative; None where there are many (`vmap`)."""
    if not hasattr(x, "_ndarray"):
        return np.asarray(x)
    try:
        return x._ndarray()
    except RuntimeError:
        return None


def at(ndim, axis, part):
    """The index that is `part` on one axis and takes all of the others."""
    return (*(slice(None),) * (axis % ndim), part, Ellipsis)


def loops(name, *cores):
    """The batching rule of a row that works on the last axes of its operands, and loops over the others."""

    def batch(many, *operands):
        most = max(x.ndim - is_many - core for x, is_many, core in zip(operands, many, cores))
        return TABLE[name](
            *[ranked(x, most + core) if is_many else x for x, is_many, core in zip(operands, many, cores)]
        )

    return batch


def one_by_one(name):
    """The batching rule of a row whose result has a shape that depends on the values: the same one for each example."""

    def batch(many, *operands, **options):
        count = next(x.shape[0] for x, is_many in zip(operands, many) if is_many)
        one = lambda i: tuple(getitem(x, i) if is_many else x for x, is_many in zip(operands, many))
        found = [TABLE[name].on(one(i), options) for i in range(count)]
        return tuple(map(stack, zip(*found))) if isinstance(found[0], tuple) else stack(found)

    return batch


def _bind_pair(x, y):
    return (strong(x), strong(y)), {}


def _bind_slide(mode):
    return lambda x, y, mode=mode: ((strong(x), strong(y)), {"mode": mode})


# ---------------------------------------------------------------- products of vectors --


def _outer(a, b):
    a, b = strong(a), strong(b)
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


def _inner_axes(x, y):
    return 0 if x.ndim == 0 or y.ndim == 0 else ([x.ndim - 1], [y.ndim - 1])


def _batch_inner(many, x, y):
    x_ndim, y_ndim = x.ndim - many[0], y.ndim - many[1]
    if x_ndim == 0 or y_ndim == 0:
        ndim = max(x_ndim, y_ndim)
        return (ranked(x, ndim) if many[0] else x) * (ranked(y, ndim) if many[1] else y)
    if x_ndim <= 2 and y_ndim == 1:
        return _batch_matmul(many, x, y)
    if not many[1] and y_ndim == 2:
        return matmul(x, matrix_transpose(y))
    x, y = every(many, x, y)
    return _batch_tensordot((True, True), x, y, _inner_axes(Like(x.shape[1:], x.dtype), Like(y.shape[1:], y.dtype)))


def _batch_vdot(many, x, y):
    x, y = (flat(v) if is_many else reshape(v, (-1,)) for v, is_many in zip((x, y), many))
    return sum_of_products(x, y)


def _vecdot(x, y, axis):
    x, y = strong(x), strong(y)
    if not (x.ndim and y.ndim):
        raise ValueError(
            f"vecdot: expected at least one axis of both, got shapes {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if axis == -1:
        return sum_of_products(x, y)
    return sum_of_products(moveaxis(x, axis, -1), moveaxis(y, axis, -1))


def _column(x):
    return expand_dims(x, -1)


def _row(x):
    return expand_dims(x, -2)


_matvec = getattr(np, "matvec", lambda x, y: np.matmul(x, np.asarray(y)[..., None])[..., 0])
_vecmat = getattr(np, "vecmat", lambda x, y: np.matmul(np.conj(x)[..., None, :], y)[..., 0, :])


def _kron(a, b):
    a, b = strong(a), strong(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    ndim = max(a.ndim, b.ndim)
    left = (1,) * (ndim - a.ndim) + tuple(a.shape)
    right = (1,) * (ndim - b.ndim) + tuple(b.shape)
    product = reshape(a, [n for size in left for n in (size, 1)]) * reshape(b, [n for size in right for n in (1, size)])
    return reshape(product, [n * m for n, m in zip(left, right)])


def _bind_cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    return (a, b), {"axisa": axisa, "axisb": axisb, "axisc": axisc}


def _cross(a, b, axisa, axisb, axisc):
    a, b = strong(a), strong(b)
    if a.ndim < 1 or b.ndim < 1:
        raise ValueError("cross: At least one array has zero dimension")
    a = moveaxis(a, normalize_axis_index(axisa, a.ndim, "axisa"), -1)
    b = moveaxis(b, normalize_axis_index(axisb, b.ndim, "axisb"), -1)
    n, m = a.shape[-1], b.shape[-1]
    if n not in (2, 3) or m not in (2, 3):
        raise ValueError(f"cross: vectors have two elements or three, not {n} and {m}")
    a0, a1, *a2 = (getitem(a, (Ellipsis, i)) for i in range(n))
    b0, b1, *b2 = (getitem(b, (Ellipsis, i)) for i in range(m))
    last = a0 * b1 - a1 * b0
    if n == m == 2:
        return last
    axisc = normalize_axis_index(axisc, last.ndim + 1, "axisc")
    if n == m == 3:
        parts = a1 * b2[0] - a2[0] * b1, a2[0] * b0 - a0 * b2[0], last
    elif n == 2:
        parts = a1 * b2[0], negative(a0 * b2[0]), last
    else:
        parts = negative(a2[0] * b1), a2[0] * b0, last
    return stack(parts, axisc)


# ---------------------------------------------------------------- convolve, correlate --


def _full(g, x, y, mode, turned=False):
    """The cotangent of the full convolution (or correlation) of x and y, from that of the part `mode`."""
    n, m = x.shape[0], y.shape[0]
    short, length = min(n, m), n + m - 1
    start = {"f": 0, "s": (short - 1) // 2, "v": short - 1}[_mode(mode)]
    if turned and m > n:  # NumPy correlates the longer with the shorter, and turns the result around
        start = length - start - g.shape[0]
    return pad(g, (start, length - start - g.shape[0])) if length > g.shape[0] else g


def _mode(mode):
    return {0: "v", 1: "s", 2: "f"}[mode] if isinstance(mode, int) else mode[:1]


def _check_vectors(name, x, y):
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"{name}: expected two vectors, got shapes {tuple(x.shape)} and {tuple(y.shape)}")


def _convolve(x, y, mode):
    x, y = np.array(x, ndmin=1, copy=None), np.array(y, ndmin=1, copy=None)
    _check_vectors("convolve", x, y)
    return np.convolve(x, y, mode)


def _correlate(x, y, mode):
    _check_vectors("correlate", x, y)
    return np.correlate(x, y, mode)


def _vector(g, x):
    """g, of a vector, in the shape of x, which may have been a scalar."""
    return reshape(g, x.shape)


def _line(x):
    return Like((1,), x.dtype) if x.ndim == 0 else x


def _convolve_dx(g, out, x, y, mode):
    y = reshape(y, (-1,))
    return _vector(convolve(_full(g, _line(x), y, mode), flip(y), "valid"), x)


def _convolve_dy(g, out, x, y, mode):
    x = reshape(x, (-1,))
    return _vector(convolve(_full(g, x, _line(y), mode), flip(x), "valid"), y)


def _correlate_dx(g, out, x, y, mode):
    return convolve(_full(g, x, y, mode, True), y, "valid")


def _correlate_dy(g, out, x, y, mode):
    return correlate(x, _full(g, x, y, mode, True), "valid")


def _windows(x, width):
    """Every example's stretches of `width` elements that meet it, in reverse, as rows."""
    n = x.shape[1]
    padded = pad(x, ((0, 0), (width - 1, width - 1)))
    starts = np.arange(n + width - 1)[:, None] + np.arange(width - 1, -1, -1)
    return getitem(padded, (slice(None), starts))


def _batch_convolve(many, x, y, mode):
    return _convolved(many, x, y, mode, False)


def _batch_correlate(many, x, y, mode):
    return _convolved(many, x, flip(conj(y), -1), mode, True)


def _convolved(many, x, y, mode, turned):
    """As sums over windows of the longer one."""
    x, y = every(many, x, y)
    x, y = (reshape(v, (v.shape[0], -1)) for v in (x, y))
    n, m = x.shape[1], y.shape[1]
    if not (n and m):
        raise ValueError("convolve: an operand is empty")
    if m > n:
        x, y = y, x
    full = squeeze(matmul(_windows(x, min(n, m)), expand_dims(y, -1)), -1)
    short, length = min(n, m), n + m - 1
    size = {"f": length, "s": max(n, m), "v": length - 2 * short + 2}[_mode(mode)]
    start = {"f": 0, "s": (short - 1) // 2, "v": short - 1}[_mode(mode)]
    if turned and m > n:
        start = length - start - size
    return getitem(full, (slice(None), slice(start, start + size)))


# ---------------------------------------------------------------- interp --


def _bind_interp(x, xp, fp, left=None, right=None, period=None):
    if period is not None:
        if values(period) is not None and np.any(values(period) == 0):
            raise ValueError("interp: period must not be zero")
        return (x, xp, fp, period), {"ends": "period"}
    given = tuple(v for v in (left, right) if v is not None)
    return (x, xp, fp, *given), {"ends": "both" if len(given) == 2 else "left" if left is not None else "right"}


def _interp(x, xp, fp, *more, ends):
    x, xp, fp = strong(x), strong(xp), strong(fp)
    kind = np.result_type(fp.dtype, *(strong(v).dtype for v in more if ends != "period")).kind
    if "c" in (x.dtype.kind, xp.dtype.kind):
        raise TypeError("interp: x and xp must be real, not complex")
    x, xp = (astype(v, np.float64, copy=False) for v in (x, xp))
    fp = astype(fp, np.complex128 if kind == "c" else np.float64, copy=False)
    if xp.ndim != 1 or fp.ndim != 1:
        raise ValueError(f"interp: the points must be vectors, not of shapes {tuple(xp.shape)} and {tuple(fp.shape)}")
    if xp.shape != fp.shape:
        raise ValueError(f"interp: {xp.shape[0]} points xp, but {fp.shape[0]} values fp")
    if not xp.shape[0]:
        raise ValueError("interp: there are no points")
    if ends == "period":
        period = abs(more[0])
        x, xp = remainder(x, period), remainder(xp, period)
        order = _order(xp)
        xp, fp = getitem(xp, order), getitem(fp, order)
        xp = concat((xp[-1:] - period, xp, xp[:1] + period))
        fp = concat((fp[-1:], fp, fp[:1]))
        more = ()
    left = more[0] if ends in ("left", "both") else getitem(fp, 0)
    right = more[-1] if ends in ("right", "both") and more else getitem(fp, -1)
    return interp_between(x, xp, fp, left, right)


def _order(xp):
    known = values(xp)
    return interp_order(xp) if known is None else np.argsort(known)


def _cells(x, xp):
    """Which two points each x lies between: the number of the first."""
    return np.clip(np.searchsorted(xp, x, "right") - 1, 0, max(len(xp) - 2, 0))


def _batch_cells(many, x, xp):
    if not many[1]:
        return interp_cells(x, xp)
    return stack([interp_cells(getitem(x, i) if many[0] else x, getitem(xp, i)) for i in range(xp.shape[0])])


def _between(x, xp, fp):
    """Of each x: the number of its cell, whether it is in none, its place there from 0 to 1, and the slope."""
    j = interp_cells(x, xp)
    outside = (x < getitem(xp, 0)) | (x > getitem(xp, -1))
    if xp.shape[0] == 1:
        return j, outside, 0.0, 0.0
    start = getitem(xp, j)
    width = getitem(xp, j + 1) - start
    return j, outside, (x - start) / width, (getitem(fp, j + 1) - getitem(fp, j)) / width


def _interp_between(x, xp, fp, left, right):
    return np.interp(x, xp, fp, np.asarray(left).item(), np.asarray(right).item())


def _interp_dx(g, out, x, xp, fp, left, right):
    _, outside, _, slope = _between(x, xp, fp)
    return where(outside, 0.0, g * slope)


def _interp_dxp(g, out, x, xp, fp, left, right):
    j, outside, place, slope = _between(x, xp, fp)
    g = where(outside, 0.0, g * slope)
    if xp.shape[0] == 1:
        return put_add(g, xp.shape, j)
    return negative(put_add(g * (1 - place), xp.shape, j) + put_add(g * place, xp.shape, j + 1))


def _interp_dfp(g, out, x, xp, fp, left, right):
    j, outside, place, _ = _between(x, xp, xp)
    g = where(outside, 0.0, g)
    if xp.shape[0] == 1:
        return put_add(g, xp.shape, j)
    return put_add(g * (1 - place), xp.shape, j) + put_add(g * place, xp.shape, j + 1)


def _batch_interp(many, x, xp, fp, left, right):
    """By the formula: NumPy's loop has one table of points."""
    points = xp
    x, xp, fp, left, right = every(many, x, xp, fp, left, right)
    shape, x = tuple(x.shape), flat(x)
    j = _batch_cells((True, True), x, xp) if many[1] else interp_cells(x, points)
    row = np.arange(x.shape[0])[:, None]
    value = getitem(fp, (row, j))
    if xp.shape[1] > 1:
        start = getitem(xp, (row, j))
        slope = (getitem(fp, (row, j + 1)) - value) / (getitem(xp, (row, j + 1)) - start)
        value = slope * (x - start) + value
    value = where(x < xp[:, :1], expand_dims(left, -1), where(x > xp[:, -1:], expand_dims(right, -1), value))
    return reshape(value, shape)


# ---------------------------------------------------------------- integrals and differences --


def _bind_trapezoid(y, x=None, dx=1.0, axis=-1):
    if x is not None:
        return (y, x), {"spacing": "x", "axis": axis}
    if type(dx) in (bool, int, float, complex):
        return (y,), {"spacing": dx, "axis": axis}
    return (y, dx), {"spacing": "dx", "axis": axis}


def _trapezoid(*operands, spacing, axis):
    y = strong(operands[0])
    axis = normalize_axis_index(axis, y.ndim)
    steps = spacing
    if spacing == "dx":
        steps = strong(operands[1])
    elif spacing == "x":
        x = strong(operands[1])
        along = 0 if x.ndim == 1 else axis
        one, two = (getitem(x, at(x.ndim, along, part)) for part in (slice(-1), slice(1, None)))
        steps = two != one if x.dtype.kind == "b" else two - one
        if x.ndim == 1:
            steps = reshape(steps, [-1 if i == axis else 1 for i in range(y.ndim)])
    both = getitem(y, at(y.ndim, axis, slice(1, None))) + getitem(y, at(y.ndim, axis, slice(-1)))
    return sum(divide(steps * both, 2.0), axis=axis)


def _bind_gradient(f, *varargs, axis=None, edge_order=1):
    return (f, *varargs), {"axis": axis, "edge_order": edge_order}


def _spacings(f, axes, given):
    """The distances along each axis: a number, or a vector of those between neighbours."""
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and np.ndim(given[0]) == 0:
        return list(given) * len(axes)
    if len(given) != len(axes):
        raise TypeError(f"gradient: {len(given)} spacings for {len(axes)} axes")
    found = []
    for axis, x in zip(axes, given):
        x = strong(x)
        if x.ndim > 1:
            raise ValueError(f"gradient: distances must be either scalars or 1d, not of shape {tuple(x.shape)}")
        if x.ndim == 1:
            if x.shape[0] != f.shape[axis]:
                raise ValueError(f"gradient: {x.shape[0]} places for the {f.shape[axis]} elements of axis {axis}")
            x = astype(x, np.float64) if x.dtype.kind in "iu" else x
            steps = x[1:] - x[:-1]
            tracked = getattr(x, "requires_grad", False) or hasattr(type(x), "_lifts")
            known = None if tracked else values(steps)
            x = steps[0] if known is not None and known.size and (known == known[0]).all() else steps
        found.append(x)
    return found


def _gradient(f, *given, axis, edge_order):
    f = strong(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    spacings = _spacings(f, axes, given)
    if edge_order > 2:
        raise ValueError("gradient: edge_order must be 1 or 2")
    if f.dtype.kind in "iu":
        f = astype(f, np.float64)
    for i in axes:
        if f.shape[i] < edge_order + 1:
            raise ValueError(f"gradient: axis {i} needs {edge_order + 1} elements or more, it has {f.shape[i]}")
    slopes = tuple(_differences(f, i, h, edge_order) for i, h in zip(axes, spacings))
    return slopes[0] if len(axes) == 1 else slopes


def _differences(f, axis, h, edge_order):
    """Central differences inside, one-sided ones of the first or second order at both ends."""
    dtype = f.dtype if f.dtype.kind in "fc" else np.dtype(np.float64)
    cut = lambda start, stop: getitem(f, at(f.ndim, axis, slice(start, stop)))
    uniform = np.ndim(h) == 0
    if uniform:
        inside = (cut(2, None) - cut(None, -2)) / (2.0 * h)
        first, last = h, h
    else:
        one, two = h[:-1], h[1:]
        weights = -two / (one * (one + two)), (two - one) / (one * two), one / (two * (one + two))
        a, b, c = (reshape(w, [-1 if i == axis else 1 for i in range(f.ndim)]) for w in weights)
        inside = a * cut(None, -2) + b * cut(1, -1) + c * cut(2, None)
        first, last = h[0], h[-1]
    if edge_order == 1:
        start, end = (cut(1, 2) - cut(0, 1)) / first, (cut(-1, None) - cut(-2, -1)) / last
    else:
        if uniform:
            left, right = (-1.5 / h, 2.0 / h, -0.5 / h), (0.5 / h, -2.0 / h, 1.5 / h)
        else:
            one, two = h[0], h[1]
            left = -(2.0 * one + two) / (one * (one + two)), (one + two) / (one * two), -one / (two * (one + two))
            one, two = h[-2], h[-1]
            right = two / (one * (one + two)), -(two + one) / (one * two), (2.0 * two + one) / (two * (one + two))
        start = left[0] * cut(0, 1) + left[1] * cut(1, 2) + left[2] * cut(2, 3)
        end = right[0] * cut(-3, -2) + right[1] * cut(-2, -1) + right[2] * cut(-1, None)
    return concat([astype(part, dtype, copy=False) for part in (start, inside, end)], axis)


# fmt: off
# ---------------------------------------------------------------- the rows: products --

_XP, _UP = np.array([-1.5, -0.4, 0.3, 1.1]), np.array([-3.0, -2.5, 2.5, 3.0])
_PAIRS = [case((3,), (3,)), case((2, 3), (2, 3)), case((2, 3), (3,)), case((3,), (2, 3)), case((2, 1, 3), (4, 3)),
          case((1,), (1,)), case((0,), (0,))]

outer = _op(
    "outer", _outer, "a, b",
    cases=[case((3,), (2,)), case((2, 2), (3,)), case((), (2,)), case((0,), (2,)), case((), ())],
    doc=_doc("The products of every element of a and every one of b, as a matrix.", "outer([1., 2.], [3., 4.])",
             "tensor([[3., 4.],\n        [6., 8.]])"))
inner = _op(
    "inner", np.inner, "x, y", bind=_bind_pair, saves="x, y", linear="each", batch=_batch_inner,
    vjp=(lambda g, out, x, y: _tensordot_dx(g, out, x, y, _inner_axes(x, y)),
         lambda g, out, x, y: _tensordot_dy(g, out, x, y, _inner_axes(x, y))),
    cases=[case((3,), (3,)), case((2, 3), (4, 3)), case((2, 3), (3,)), case((3,), (2, 3)), case((), (2, 3)), case((2,), ()),
           case((), ()), case((2, 2, 3), (4, 3)), case((0,), (0,))],
    doc=_doc("Sum of products over the last axes, without conjugation.", "inner([1., 2.], [3., 4.])", "tensor(11.)"))
vdot = _op(
    "vdot", np.vdot, "x, y", bind=_bind_pair, saves="x, y", linear="each", holomorphic=False, batch=_batch_vdot,
    vjp=(lambda g, out, x, y: conj(g) * reshape(y, x.shape), lambda g, out, x, y: g * reshape(x, y.shape)),
    cases=[case((3,), (3,)), case((2, 3), (2, 3)), case((2, 3), (6,)), case((), ()), case((0,), (0,))],
    doc=_doc("Sum of the products of the conjugate of x and y, both flattened.", "vdot([1., 2.], [3., 4.])", "tensor(11.)"))
sum_of_products = _op(
    "sum_of_products", np.vecdot, "x, y", saves="x, y", linear="each", holomorphic=False,
    batch=loops("sum_of_products", 1, 1),
    vjp=(lambda g, out, x, y: conj(_column(g)) * y, lambda g, out, x, y: _column(g) * x),
    cases=_PAIRS,
    doc="Sum of the products of the conjugate of x and y, over the last axis.")
vecdot = _op(
    "vecdot", _vecdot, "x, y; axis=-1", bind=lambda x, y, *, axis=-1: ((x, y), {"axis": axis}),
    cases=[*_PAIRS, case((3, 2), (3, 2), axis=0), case((2, 3, 4), (3, 1), axis=-2), case((2, 3, 4), (3, 2, 1), axis=-2)][:9],
    doc=_doc("Sum of the products of the conjugate of x and y over an axis, for each pair of vectors.",
             "vecdot([[1., 2.], [3., 4.]], [1., 1.])", "tensor([3., 7.])"))
matvec = _op(
    "matvec", _matvec, "x, y", saves="x, y", linear="each", batch=loops("matvec", 2, 1),
    vjp=(lambda g, out, x, y: _column(g) * _row(y), lambda g, out, x, y: matvec(matrix_transpose(x), g)),
    cases=[case((2, 3), (3,)), case((4, 2, 3), (3,)), case((2, 3), (4, 3)), case((4, 1, 2, 3), (5, 3)), case((0, 2), (2,))],
    doc=_doc("Products of matrices and vectors, over batches of both.", "matvec([[1., 2.], [3., 4.]], [1., 1.])",
             "tensor([3., 7.])"))
vecmat = _op(
    "vecmat", _vecmat, "x, y", saves="x, y", linear="each", holomorphic=False, batch=loops("vecmat", 1, 2),
    vjp=(lambda g, out, x, y: matvec(y, conj(g)), lambda g, out, x, y: _column(x) * _row(g)),
    cases=[case((2,), (2, 3)), case((2,), (4, 2, 3)), case((4, 2), (2, 3)), case((5, 2), (4, 1, 2, 3)), case((2,), (2, 0))],
    doc=_doc("Products of the conjugates of vectors and matrices, over batches of both.",
             "vecmat([1., 1.], [[1., 2.], [3., 4.]])", "tensor([4., 6.])"))
kron = _op(
    "kron", _kron, "a, b",
    cases=[case((2, 2), (2, 3)), case((3,), (2,)), case((2,), (2, 3)), case((2, 1, 2), (3,)), case((), (2,)), case((), ()),
           case((0,), (2,))],
    doc=_doc("Kronecker product: blocks of b, each times an element of a.", "kron([1., 10.], [1., 2.])",
             "tensor([ 1.,  2., 10., 20.])"))
cross = _op(
    "cross", _cross, "a, b; axisa=-1, axisb=-1, axisc=-1", bind=_bind_cross,
    cases=[case((3,), (3,)), case((2, 3), (2, 3)), case((2, 3), (3,)), case((3, 2), (3, 2), axis=0),
           case((3, 2), (2, 3), axisa=0, axisc=0), case((0, 3), (3,))],
    doc=_doc("Cross product of vectors of three elements (or two, with a third of zero).", "cross([1., 0., 0.], [0., 1., 0.])",
             "tensor([0., 0., 1.])"))

# ---------------------------------------------------------------- convolve, interp --

_SLIDES = [case(x, y, mode=mode) for mode in ("full", "same", "valid")
           for x, y in [((5,), (3,)), ((4,), (2,)), ((2,), (5,)), ((3,), (6,)), ((1,), (1,))]]
convolve = _op(
    "convolve", _convolve, "x, y; mode='full'", bind=_bind_slide("full"), saves="x, y", linear="each", batch=_batch_convolve,
    vjp=(_convolve_dx, _convolve_dy), cases=_SLIDES,
    doc=_doc("Discrete convolution of two vectors.", "convolve([1., 2., 3.], [1., 1.])", "tensor([1., 3., 5., 3.])"))
correlate = _op(
    "correlate", _correlate, "x, y; mode='valid'", bind=_bind_slide("valid"), saves="x, y", linear="each", holomorphic=False, batch=_batch_correlate,
    vjp=(_correlate_dx, _correlate_dy), cases=_SLIDES,
    doc=_doc("Correlation of two vectors, the second conjugated.", "correlate([1., 2., 3.], [0., 1.])", "tensor([2., 3.])"))
interp_order = _op(
    "interp_order", np.argsort, "x", vjp=None, batch="same", cases=[case((3,)), case((2, 3))],
    doc="The indices that sort along the last axis.")
interp_cells = _op(
    "interp_cells", _cells, "x, xp", vjp=None, batch=_batch_cells,
    cases=[case((5,), _XP), case((2, 3), _XP), case((), _XP), case((3,), np.array([0.5]))],
    doc="Which two of the points xp each x lies between, the number of the first.")
interp_between = _op(
    "interp_between", _interp_between, "x, xp, fp, left, right", saves="x, xp, fp", batch=_batch_interp,
    vjp=(_interp_dx, _interp_dxp, _interp_dfp,
         lambda g, out, x, xp, fp, left, right: where(x < getitem(xp, 0), g, 0.0),
         lambda g, out, x, xp, fp, left, right: where(x > getitem(xp, -1), g, 0.0)),
    near=(-1.4, 1.0), cases=[case((5,), _XP, (4,), (), ()), case((), _XP, (4,), (), ()), case(_UP, _XP, (4,), (), ()),
                             case((0,), _XP, (4,), (), ()), case(_UP, np.array([0.5]), (1,), (), ())],
    doc="Values at x of the function that is linear between points, with values for what lies to the left and the right.")
interp = _op(
    "interp", _interp, "*operands; ends='right'", bind=_bind_interp, near=(-1.4, 1.0),
    cases=[case((5,), _XP, (4,)), case((2, 3), _XP, (4,)), case(_UP, _XP, (4,)), case((), _XP, (4,)), case((0,), _XP, (4,)),
           case(_UP, _XP, (4,), left=-1.0), case(_UP, _XP, (4,), right=2.5), case(_UP, _XP, (4,), (), ()),
           case(_UP, np.array([2.1, 0.3, -0.7]), (3,), period=2.9), case(_UP, np.array([0.5]), (1,))],
    doc=_doc("Values at x of the function that is linear between the points (xp, fp).", "interp(1.5, [1., 2.], [10., 20.])",
             "tensor(15.)",
             "xp must be ascending. Beyond it are left and right, by default the first and the last of fp.\n"
             "There are gradients in x, xp, fp, left and right; at a point of xp that in x is the slope to its right."))

# ---------------------------------------------------------------- integrals, differences --

trapezoid = _op(
    "trapezoid", _trapezoid, "*operands; spacing=1.0, axis=-1", bind=_bind_trapezoid,
    cases=[case((4,)), case((2, 3)), case((2, 3), axis=0), case((4,), dx=0.5), case((4,), (4,)), case((2, 3), (3,)),
           case((3, 2), (3,), axis=0), case((2, 3), (2, 3)), case((2, 3), (2, 3), axis=0), case((1,)), case((0,)),
           case((4,), dx=np.array([0.5, 1.0, 2.0]))],
    doc=_doc("Integral along an axis by the trapezoidal rule.", "trapezoid([1., 2., 3.])", "tensor(4.)"))
gradient = _op(
    "gradient", _gradient, "*operands; axis=None, edge_order=1", bind=_bind_gradient,
    cases=[case((5,)), case((3, 4), axis=0), case((3, 4), axis=-1, edge_order=2), case((5,), 0.5), case((5,), 2.0, edge_order=2),
           case((4,), _XP), case((4,), _XP, edge_order=2), case((3, 4), _XP, axis=1), case((2, 3)), case((2, 4), 0.5, _XP),
           case((3, 3), 0.5, 0.25, edge_order=2), case((4,), np.array([0.0, 1.0, 2.0, 3.0])), case((2,))],
    doc=_doc("Slopes along axes, by differences of neighbours: one Tensor, or one for each of several axes.",
             "gradient([1., 2., 4.])", "tensor([1. , 1.5, 2. ])",
             "Spacings may follow f: one number, or a number or the places of the elements for each axis. Where places\n"
             "require grad they are not looked at for being evenly spaced, which may change the last digits."))
# fmt: on
