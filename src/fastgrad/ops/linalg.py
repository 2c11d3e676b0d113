"""Products of matrices and tensors: `matmul`, `dot`, `tensordot`, `einsum`."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from .. import _errors
from ._batch import every, ranked
from ._doc import doc as _doc
from ._instead import instead
from ._row import Like, case
from ._row import register as _op
from .shaping import expand_dims, matrix_transpose, reshape, squeeze, transpose

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # what einsum's subscripts are made of


def strong(x):
    """x, a Python scalar as an array: NumPy's functions do so before they compute."""
    return np.asarray(x) if type(x) in (bool, int, float, complex) else x


# ---------------------------------------------------------------- matmul --
# A vector stands for a matrix with one row (left) or one column (right). Batches that were broadcast are
# summed by the engine.


def _matmul(x, y):
    try:
        return np.matmul(x, y)
    except ValueError:
        raise _errors.matmul_shapes(np.shape(x), np.shape(y)) from None


def rows(x):
    """The vectors along the last axis as the rows of one matrix."""
    return x if x.ndim == 2 else reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_dx(g, out, x, y):
    if y.ndim == 1:
        return expand_dims(g, -1) * y
    if x.ndim == 1:
        return squeeze(matmul(y, expand_dims(g, -1)), -1)
    return matmul(g, matrix_transpose(y))


def _matmul_dy(g, out, x, y):
    if x.ndim == 1:
        return g * x if y.ndim == 1 else expand_dims(x, -1) * expand_dims(g, -2)
    if y.ndim == 1:
        return squeeze(matmul(matrix_transpose(x), expand_dims(g, -1)), -1)
    if y.ndim == 2 and x.ndim > 2:
        return matmul(matrix_transpose(rows(x)), rows(g))
    return matmul(matrix_transpose(x), g)


def _batch_matmul(many, x, y):
    """What the examples share stays one matrix where a single product of matrices will do."""
    x_ndim, y_ndim = x.ndim - many[0], y.ndim - many[1]
    if x_ndim == 0 or y_ndim == 0:
        raise _errors.matmul_shapes(x.shape[many[0] :], y.shape[many[1] :])
    if not many[1] and (y_ndim == 1 or y_ndim == 2):
        return matmul(x, y)
    if not many[0] and x_ndim == 1 and y_ndim > 1:
        return matmul(x, y)
    if not many[0] and x_ndim <= 2 and y_ndim == 1:
        return matmul(y, x if x_ndim == 1 else matrix_transpose(x))
    x = expand_dims(x, -2) if x_ndim == 1 else x
    y = expand_dims(y, -1) if y_ndim == 1 else y
    ndim = max(x.ndim - many[0], y.ndim - many[1])
    out = matmul(ranked(x, ndim) if many[0] else x, ranked(y, ndim) if many[1] else y)
    return squeeze(out, tuple([-2] * (x_ndim == 1) + [-1] * (y_ndim == 1))) if 1 in (x_ndim, y_ndim) else out


# ---------------------------------------------------------------- tensordot, dot --


def _tensordot_axes(x, y, axes):
    """The summed axes of x and of y, in pairs, and the free axes of each, in order."""
    try:
        xs, ys = axes
    except TypeError:
        xs, ys = range(x.ndim - axes, x.ndim), range(axes)
    xs = [int(axis) % x.ndim for axis in np.atleast_1d(xs).tolist()]
    ys = [int(axis) % y.ndim for axis in np.atleast_1d(ys).tolist()]
    return xs, ys, [i for i in range(x.ndim) if i not in xs], [i for i in range(y.ndim) if i not in ys]


def _tensordot_dx(g, out, x, y, axes):
    xs, ys, free_x, free_y = _tensordot_axes(x, y, axes)
    dx = tensordot(g, y, (list(range(len(free_x), g.ndim)), free_y))
    at = free_x + [xs[ys.index(axis)] for axis in sorted(ys)]  # which axis of x each axis of dx is
    return transpose(dx, np.argsort(at).tolist())


def _tensordot_dy(g, out, x, y, axes):
    xs, ys, free_x, free_y = _tensordot_axes(x, y, axes)
    dy = tensordot(x, g, (free_x, list(range(len(free_x)))))
    at = [ys[xs.index(axis)] for axis in sorted(xs)] + free_y
    return transpose(dy, np.argsort(at).tolist())


def _scales(x, y):
    """Whether one of the two is a number, so that `dot` multiplies."""
    return getattr(x, "ndim", 0) == 0 or getattr(y, "ndim", 0) == 0


def _dot_axes(x, y):
    return [x.ndim - 1], [max(y.ndim - 2, 0)]


def _batch_tensordot(many, x, y, axes):
    x, y = every(many, x, y)
    one, two = Like(x.shape[1:], x.dtype), Like(y.shape[1:], y.dtype)
    xs, ys, free_x, free_y = _tensordot_axes(one, two, axes)
    count, shape = x.shape[0], [one.shape[i] for i in free_x] + [two.shape[i] for i in free_y]
    summed = math.prod(one.shape[i] for i in xs)
    rows, columns = math.prod(one.shape[i] for i in free_x), math.prod(two.shape[i] for i in free_y)
    x = reshape(transpose(x, [0, *(i + 1 for i in (*free_x, *xs))]), (count, rows, summed))
    y = reshape(transpose(y, [0, *(i + 1 for i in (*ys, *free_y))]), (count, summed, columns))
    return reshape(matmul(x, y), (count, *shape))


def _batch_dot(many, x, y):
    x_ndim, y_ndim = (getattr(value, "ndim", 0) - is_many for value, is_many in zip((x, y), many))
    if x_ndim == 0 or y_ndim == 0:
        ndim = max(x_ndim, y_ndim)
        return (ranked(x, ndim) if many[0] else x) * (ranked(y, ndim) if many[1] else y)
    if x_ndim <= 2 and y_ndim <= 2:
        return _batch_matmul(many, x, y)
    x, y = every(many, x, y)
    return _batch_tensordot((True, True), x, y, _dot_axes(Like(x.shape[1:], x.dtype), Like(y.shape[1:], y.dtype)))


# ---------------------------------------------------------------- einsum --


def _batch_einsum(many, *operands, subscripts, optimize):
    words, right = _einsum_words(subscripts, tuple(x.ndim - is_many for x, is_many in zip(operands, many)))
    label = next(c for c in _LETTERS if c not in "".join((*words, right)))
    words = [label + word if is_many else word for word, is_many in zip(words, many)]
    return einsum(",".join(words) + "->" + label + right, *operands, optimize=optimize)


def _bind_einsum(*args, optimize=False):
    if args and not isinstance(args[0], str):
        args = _from_lists(args)
    if not args:
        raise ValueError("einsum: needs a string of subscripts and the operands")
    subscripts, *operands = args
    if len(operands) == 2 and optimize is False:
        product = _product_of(subscripts, *operands)
        if product is not None:
            return product
    return tuple(strong(x) for x in operands), {"subscripts": subscripts, "optimize": optimize}


def _from_lists(args):
    """``x, [0, 1], y, [1, 2], [0, 2]`` in the form with a string."""
    pairs = len(args) // 2
    parts = [[i if i is Ellipsis else int(i) for i in part] for part in (*args[1 : 2 * pairs : 2], *args[2 * pairs :])]
    labels = sorted({i for part in parts[:pairs] for i in part if i is not Ellipsis})
    if labels and not 0 <= labels[0] <= labels[-1] < len(_LETTERS):
        raise ValueError(f"einsum: subscripts of a list must be from 0 to {len(_LETTERS) - 1}, not {labels}")
    unknown = {i for part in parts[pairs:] for i in part if i is not Ellipsis}.difference(labels)
    if unknown:
        raise ValueError(f"einsum: the result has subscripts that no operand has: {sorted(unknown)}")
    letter = {i: _LETTERS[n] for n, i in enumerate(labels)} | {Ellipsis: "..."}
    words = ["".join(letter[i] for i in part) for part in parts]
    text = ",".join(words[:pairs]) + ("->" + words[pairs] if len(args) % 2 else "")
    return (text, *args[0 : 2 * pairs : 2])


@lru_cache(maxsize=256)
def _einsum_words(subscripts, ndims):
    """The labels of each operand and of the result, with letters of their own for what ``...`` stands for."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    words = left.split(",")
    unused = [c for c in _LETTERS if c not in left]
    named = [len(word.replace("...", "")) for word in words]
    extra = [ndim - n if "..." in word else 0 for word, n, ndim in zip(words, named, ndims)]
    dots = "".join(unused[: max(extra, default=0)])
    if not arrow:
        right = "".join(sorted(c for c in set(left) - set(".,") if left.count(c) == 1))
        right = "..." + right if dots else right
    words = [word.replace("...", dots[len(dots) - n :]) for word, n in zip(words, extra)]
    return tuple(words), right.replace("...", dots)


# The einsum of two terms is, mostly, a product of matrices over a batch, and then `matmul` does it.


@lru_cache(maxsize=256)
def _product_plan(left, right, word):
    """How: the axes of both operands and of the result in matmul's order, and how many of them each part has.

    None where it is no such product, or one with many small parts.
    """
    if len({*left}) < len(left) or len({*right}) < len(right) or not {*word} <= {*left, *right}:
        return None
    shared = [c for c in left if c in right]
    batch, summed = [c for c in shared if c in word], [c for c in shared if c not in word]
    rows, columns = [c for c in left if c not in right], [c for c in right if c not in left]
    if len(word) != len(batch + rows + columns) or not summed or (batch and not (rows and columns)):
        return None
    one, two, out = batch + rows + summed, batch + summed + columns, batch + rows + columns
    orders = (left.index(c) for c in one), (right.index(c) for c in two), (out.index(c) for c in word)
    orders = [None if order == tuple(range(len(order))) else order for order in map(tuple, orders)]
    return (*orders, len(batch), len(rows), len(summed))


def _as_matmul(x, y, plan):
    order_x, order_y, order_out, batch, rows, summed = plan
    x = x if order_x is None else transpose.on((x,), {"axes": order_x})
    y = y if order_y is None else transpose.on((y,), {"axes": order_y})
    columns = y.ndim - batch - summed
    if summed == 1 and rows < 2 and columns < 2:
        out = matmul.on((x, y), {})
    else:
        before, n, k = x.shape[:batch], x.shape[batch : batch + rows], x.shape[batch + rows :]
        m, size = y.shape[batch + summed :], math.prod(k)
        x = reshape(x, (*before, *([math.prod(n)] if rows else []), size))
        y = reshape(y, (*before, size, *([math.prod(m)] if columns else [])))
        out = reshape(matmul.on((x, y), {}), (*before, *n, *m))
    return out if order_out is None else transpose.on((out,), {"axes": order_out})


def _fits(one, two, x, y):
    """Whether labels stand for the same number in both terms, so that nothing is broadcast."""
    if len(one) != x.ndim or len(two) != y.ndim:
        return False
    lengths = dict(zip(one, x.shape))
    return all(lengths.get(label, n) == n for label, n in zip(two, y.shape))


_LARGE = 4096  # products of numbers from which on a better way than NumPy's plain loop is looked for


def _product_of(subscripts, x, y):
    """The einsum of two operands, where it is a large product of matrices; None where NumPy's plain loop must do it."""
    if not (hasattr(x, "dtype") and hasattr(y, "dtype")) or x.size * y.size < _LARGE:
        return None
    if x.dtype != y.dtype or x.dtype.char not in "fdFD":
        return None
    words, right = _einsum_words(subscripts, (x.ndim, y.ndim))
    plan = _product_plan(*words, right) if len(words) == 2 else None
    if plan is None or not _fits(*words, x, y):
        return None
    columns = math.prod(n for label, n in zip(words[1], y.shape) if label not in words[0])
    return instead(_as_matmul, x, y, plan) if x.size * columns >= _LARGE else None


@lru_cache(maxsize=256)
def _dx_terms(i, words, right):
    """The labels of operand i, and what more it takes to give it a cotangent: labels, and which axis has the length.

    A label that operand i alone has was summed: a vector of ones spreads g along it. A label it has twice took
    the diagonal: an identity matrix puts g back there.
    """
    labels, more, word = set(right).union(*words[:i], *words[i + 1 :]), [], ""
    unused = [c for c in _LETTERS if c not in "".join((*words, right))]
    for axis, label in enumerate(words[i]):
        if label in word:
            twin = unused.pop()
            more.append((label + twin, axis))
            label = twin
        elif label not in labels:
            more.append((label, axis))
        word += label
    return word, more


def _einsum_dx(i, g, operands, words, right, optimize):
    """One more einsum: g and the other operands, contracted to the labels of operand i."""
    word, more = _dx_terms(i, words, right)
    terms = [(right, g), *((w, y) for j, (w, y) in enumerate(zip(words, operands)) if j != i)]
    for labels, axis in more:
        n = operands[i].shape[axis]
        terms.append((labels, np.eye(n, dtype=g.dtype) if len(labels) == 2 else np.ones(n, g.dtype)))
    if len(terms) == 2:
        (one, x), (two, y) = terms
        plan = _product_plan(one, two, word)
        if plan is not None and _fits(one, two, x, y):
            return _as_matmul(x, y, plan)
    sizes = {label: n for w, y in terms for label, n in zip(w, y.shape) if n > 1}
    if math.prod(sizes.values()) >= _LARGE:
        optimize = optimize or True
    text = ",".join(w for w, _ in terms) + "->" + word
    return einsum.on(tuple(y for _, y in terms), {"subscripts": text, "optimize": optimize})


def _einsum_dxs(g, out, *operands, subscripts, optimize):
    words, right = _einsum_words(subscripts, tuple(x.ndim for x in operands))
    return tuple(_einsum_dx(i, g, operands, words, right, optimize) for i in range(len(operands)))


# fmt: off
_EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 2)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
    ("ij->j", (2, 3)), ("ii", (3, 3)),
    ("ii->i", (3, 3)), ("iij->j", (2, 2, 3)), ("iii->i", (2, 2, 2)), ("i,i,i->i", (3,), (3,), (3,)),
    ("i,j,k->kji", (2,), (3,), (2,)),
    ("ij,kl->i", (2, 3), (2, 2)), ("...ij,...jk->...ik", (2, 2, 3), (3, 2)), ("i...->...", (2, 3)),
    ("...i,i", (2, 3), (3,)),
    ("b...,b...->...b", (2, 3), (2, 1)), ("ij,ij->ij", (2, 1), (2, 3)), (",i->i", (), (3,)),
    (" i , i -> ", (3,), (3,)), ("ba", (2, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)), ("ii,i->i", (3, 3), (3,)), ("...,...->...", (3,), ()),
    ("i,i->", (0,), (0,)),
]

# ---------------------------------------------------------------- the rows --

matmul = _op(
    "matmul", _matmul, "x, y", linear="each", batch=_batch_matmul, vjp=(_matmul_dx, _matmul_dy), saves="x, y",
    cases=[case((2, 3), (3, 4)), case((3,), (3,)), case((3,), (3, 2)), case((2, 3), (3,)),
           case((4, 2, 3), (3, 2)), case((2, 3), (4, 3, 2)),
           case((4, 1, 2, 3), (5, 3, 2)), case((3,), (4, 3, 2)), case((4, 2, 3), (3,)), case((2, 0), (0, 3)),
           case((0, 2), (2, 3))],
    doc=_doc("Matrix product, over batches: x @ y.", "matmul([[1., 2.], [3., 4.]], [1., 1.])", "tensor([3., 7.])"))
dot = _op(
    "dot", np.dot, "x, y", saves="x, y", linear="each", batch=_batch_dot,
    vjp=(lambda g, out, x, y: g * y if _scales(x, y) else _tensordot_dx(g, out, x, y, _dot_axes(x, y)),
         lambda g, out, x, y: g * x if _scales(x, y) else _tensordot_dy(g, out, x, y, _dot_axes(x, y))),
    cases=[case((3,), (3,)), case((2, 3), (3, 4)), case((2, 3), (3,)), case((3,), (3, 2)), case((), (2, 3)),
           case((2,), ()), case((), ()),
           case((2, 2, 3), (4, 3, 2)), case((3,), (2, 3, 2))],
    doc=_doc("Dot product as in `numpy.dot`: over the last axis of x and the last but one of y.",
             "dot([1., 2.], [3., 4.])", "tensor(11.)"))
tensordot = _op(
    "tensordot", np.tensordot, "x, y; axes=2", bind=lambda x, y, axes=2: ((strong(x), strong(y)), {"axes": axes}), vjp=(_tensordot_dx, _tensordot_dy), saves="x, y",
    linear="each", batch=_batch_tensordot,
    cases=[case((2, 3, 4), (3, 4, 2)), case((2, 3), (3, 2), axes=1), case((2,), (3,), axes=0),
           case((2, 3, 4), (4, 2, 5), axes=([0, 2], [1, 0])),
           case((2, 3, 4), (4, 3), axes=([-1, 1], [0, -1])), case((2, 3), (3, 2), axes=(1, 0)),
           case((2, 3), (2, 3), axes=2)],
    doc=_doc("Sum of products over pairs of axes.", "tensordot([1., 2.], [3., 4.], 1)", "tensor(11.)"))
einsum = _op(
    "einsum", lambda *operands, subscripts, optimize: np.einsum(subscripts, *operands, optimize=optimize),
    "*operands; subscripts, optimize=False", bind=_bind_einsum, vjp=_einsum_dxs, saves="operands",
    linear="each", batch=_batch_einsum,
    cases=[case(*shapes, subscripts=text, optimize=False) for text, *shapes in _EINSUMS]
    + [case((2, 3), (3, 4), (4, 2), subscripts="ij,jk,kl->il", optimize=True)],
    doc=_doc("Sum of products in Einstein's notation.", 'einsum("i,i", [1., 2.], [3., 4.])', "tensor(11.)",
             "A large product of two arrays is done by `matmul`, as `optimize=True` has `numpy.einsum` do it: it is much\n"
             "faster, and adds in another order than `numpy.einsum` does without."))
# fmt: on
