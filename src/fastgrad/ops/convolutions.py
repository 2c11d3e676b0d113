"""Convolutions: one trilinear form, and its three rows, each of which is made of the other two when differentiated.

With images x (N, C, ...), kernels w (O, C / groups, ...) and results y (N, O, ...), the form is the sum of
``y[n, o, p] * w[o, c, k] * x[n, c, p * stride + k * dilation - before]``. `convolution` gives what multiplies y,
`convolution_input` what multiplies x (which is the transposed convolution), `convolution_weight` what multiplies w. They work on
matrices whose columns are the windows of x (Chellapilla, Puri and Simard, High performance convolutional neural networks
for document processing, 2006), so that BLAS does the sums.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache, partial

import numpy as np

from ._batch import every
from ._row import case, register
from .indexing import getitem
from .shaping import moveaxis, reshape

_op = partial(register, module="fastgrad.nn.functional")

_FEW, _MANY = 64, 512  # columns that a matrix of windows has at least; and at most, where images are large
_ALONE = 1 << 18  # multiplications up to which BLAS keeps to one thread

# ---------------------------------------------------------------- windows --


def window_counts(name, sizes, kernel, stride, padding, dilation):
    """How many windows there are along each axis; raises where there is none."""
    counts = []
    for n, k, s, (before, after), d in zip(sizes, kernel, stride, padding, dilation):
        counts.append((n + before + after - d * (k - 1) - 1) // s + 1)
    if min(counts) < 1 or min(kernel) < 1:
        raise ValueError(
            f"{name}: a kernel of size {tuple(kernel)} (dilation {tuple(dilation)}) does not fit images of size "
            f"{tuple(sizes)} with padding {tuple(map(tuple, padding))}"
        )
    return tuple(counts)


def padded_sizes(sizes, padding):
    return tuple(n + before + after for n, (before, after) in zip(sizes, padding))


def inside(padding, sizes):
    """The index of the images in their padded form."""
    return (..., *(slice(before, before + n) for (before, _), n in zip(padding, sizes)))


def window_slices(offset, counts, stride, dilation):
    """What element `offset` of every window is, as an index of the padded images."""
    return (
        ...,
        *(slice(k * d, k * d + (n - 1) * s + 1, s) for k, n, s, d in zip(offset, counts, stride, dilation)),
    )


# In matrices of several examples the windows of one follow those of another, so that a run of windows that are next to
# each other is one piece of memory; of one example, the matrix of the results is the results.


def _padded(x, padding):
    """Padded images (C, N, ...)."""
    x = np.moveaxis(x, 0, 1)
    if not any(map(any, padding)):
        return x
    wide = np.zeros((*x.shape[:2], *padded_sizes(x.shape[2:], padding)), x.dtype)
    wide[inside(padding, x.shape[2:])] = x
    return wide


def _columns(x, kernel, start, counts, stride, dilation, groups):
    """A box of windows of padded images (C, N, ...) as matrices: (groups, C / groups * kernel, N * counts)."""
    x = x[(..., *(slice(at * s, None) for at, s in zip(start, stride)))]
    rows, columns = x.shape[0] * math.prod(kernel) // groups, x.shape[1] * math.prod(counts)
    steps = x.strides[2:]
    windows = np.lib.stride_tricks.as_strided(
        x, (x.shape[0], *kernel, x.shape[1], *counts),
        (x.strides[0], *(d * n for d, n in zip(dilation, steps)), x.strides[1], *(s * n for s, n in zip(stride, steps))),
        writeable=False,
    )  # fmt: skip
    return np.ascontiguousarray(windows).reshape(groups, rows, columns)


def _rows(y, groups):
    """Results as matrices: (groups, O / groups, N * counts)."""
    rows = np.ascontiguousarray(np.moveaxis(y, 0, 1))
    return rows.reshape(groups, y.shape[1] // groups, y.shape[0] * math.prod(y.shape[2:]))


@lru_cache(256)
def together(counts, weights):
    """Of how many examples, and of a box of how many windows of each, the windows make one matrix.

    `weights` are those of the kernels of a group. Small products are best many, to be shared out to threads while the
    matrix of windows stays in the cache; in large ones BLAS has threads of its own.
    """
    wide, most = math.prod(counts), min(_ALONE // max(1, weights), _MANY)
    if most < _FEW:
        return max(1, -(-_MANY // wide)), counts
    if wide <= 2 * most and wide * weights <= _ALONE:
        return max(1, -(-_FEW // wide)), counts
    box, room = [1] * len(counts), most
    for i in reversed(range(len(counts))):
        parts = -(-counts[i] // max(1, room))
        box[i] = -(-counts[i] // parts)  # parts about equally large
        room = 1 if parts > 1 else room // box[i]
    return 1, tuple(box)


def _boxes(counts, box):
    """Boxes of windows: where each begins along each axis, and how large it is."""
    starts = itertools.product(*(range(0, n, step) for n, step in zip(counts, box)))
    return [(start, tuple(min(step, n - at) for at, n, step in zip(start, counts, box))) for start in starts]


def _pieces(count, counts, weights):
    """What goes together: slices of the examples, and their boxes."""
    step, box = together(tuple(counts), weights)
    boxes = _boxes(counts, box)
    return [(slice(i, i + step), boxes) for i in range(0, count, step)]


def _of_box(y, start, sizes):
    return y[(..., *(slice(at, at + n) for at, n in zip(start, sizes)))]


def _pointwise(kernel, stride, padding):
    """Whether windows are single elements, all of them."""
    return math.prod(kernel) == math.prod(stride) == 1 and not any(map(any, padding))


def _images_as_rows(x, groups):
    """(N, groups, channels / groups, size)."""
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, math.prod(x.shape[2:]))


# ---------------------------------------------------------------- forwards --


def _check(name, x, w, groups):
    if x.ndim != w.ndim or x.ndim < 3:
        raise ValueError(f"{name}: images of shape {x.shape} and kernels of shape {w.shape} do not fit")
    if groups < 1 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(
            f"{name}: images of shape {x.shape}, kernels of shape {w.shape} and groups={groups}: expected kernels of "
            f"shape (multiple of {groups}, {x.shape[1]} / {groups}, ...)"
        )


def _dense(*arrays):
    """In C order: how a product is rounded depends on it."""
    return [np.ascontiguousarray(array) for array in arrays]


def _convolution(x, w, stride, padding, dilation, groups):
    _check("convolution", x, w, groups)
    x, w = _dense(x, w)
    kernel = w.shape[2:]
    counts = window_counts("convolution", x.shape[2:], kernel, stride, padding, dilation)
    rows = w.reshape(groups, w.shape[0] // groups, w.shape[1] * math.prod(kernel))
    if _pointwise(kernel, stride, padding):
        return (rows @ _images_as_rows(x, groups)).reshape(x.shape[0], w.shape[0], *counts)
    out = np.empty((x.shape[0], w.shape[0], *counts), np.result_type(x, w))
    for piece, boxes in _pieces(x.shape[0], counts, w.size // groups):
        images = _padded(x[piece], padding)
        for start, box in boxes:
            part = rows @ _columns(images, kernel, start, box, stride, dilation, groups)
            _of_box(out[piece], start, box)[...] = np.moveaxis(part.reshape(w.shape[0], -1, *box), 1, 0)
    return out


def _convolution_input(y, w, sizes, stride, padding, dilation, groups):
    y, w = _dense(y, w)
    kernel, counts = w.shape[2:], y.shape[2:]
    rows = np.swapaxes(w.reshape(groups, w.shape[0] // groups, w.shape[1] * math.prod(kernel)), 1, 2)
    if _pointwise(kernel, stride, padding) and tuple(counts) == tuple(sizes):
        return (rows @ _images_as_rows(y, groups)).reshape(y.shape[0], groups * w.shape[1], *counts)
    out = np.empty((y.shape[0], groups * w.shape[1], *sizes), np.result_type(y, w))
    for piece, boxes in _pieces(y.shape[0], counts, w.size // groups):
        results = y[piece]
        wide = np.zeros((out.shape[1], len(results), *padded_sizes(sizes, padding)), out.dtype)
        for start, box in boxes:
            columns = rows @ _rows(_of_box(results, start, box), groups)
            parts = columns.reshape(out.shape[1], *kernel, -1, *box)
            room = wide[(..., *(slice(at * s, None) for at, s in zip(start, stride)))]
            for offset in itertools.product(*map(range, kernel)):
                room[window_slices(offset, box, stride, dilation)] += parts[(slice(None), *offset)]
        out[piece] = np.moveaxis(wide[inside(padding, sizes)], 1, 0)
    return out


def _convolution_weight(x, y, kernel, stride, padding, dilation, groups):
    x, y = _dense(x, y)
    counts = y.shape[2:]
    out = np.zeros((groups, y.shape[1] // groups, x.shape[1] // groups * math.prod(kernel)), np.result_type(x, y))
    for piece, boxes in _pieces(x.shape[0], counts, out.size // groups):
        images = _padded(x[piece], padding)
        for start, box in boxes:
            columns = _columns(images, kernel, start, box, stride, dilation, groups)
            out += _rows(_of_box(y[piece], start, box), groups) @ np.swapaxes(columns, 1, 2)
    return out.reshape(y.shape[1], x.shape[1] // groups, *kernel)


# ---------------------------------------------------------------- batches --
# Examples with images alone are more images; examples with kernels of their own are groups of channels.


def _as_groups(x):
    """(examples, N, C, ...) as (N, examples * C, ...)."""
    x = moveaxis(x, 0, 1)
    return reshape(x, (x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]))


def _from_groups(y, count):
    return moveaxis(reshape(y, (y.shape[0], count, y.shape[1] // count, *y.shape[2:])), 1, 0)


def _batch(name):
    def batch(many, x, w, groups, **options):
        row = ROWS[name]
        if many[0] and not many[1]:
            count = x.shape[0]
            out = row.on((reshape(x, (count * x.shape[1], *x.shape[2:])), w), {**options, "groups": groups})
            return reshape(out, (count, out.shape[0] // count, *out.shape[1:]))
        x, w = every(many, x, w)
        count = x.shape[0]
        w = reshape(w, (count * w.shape[1], *w.shape[2:]))
        return _from_groups(row.on((_as_groups(x), w), {**options, "groups": count * groups}), count)

    return batch


def _batch_weight(many, x, y, groups, **options):
    x, y = every(many, x, y)
    count = x.shape[0]
    out = convolution_weight.on((_as_groups(x), _as_groups(y)), {**options, "groups": count * groups})
    return reshape(out, (count, out.shape[0] // count, *out.shape[1:]))


# ---------------------------------------------------------------- formulas --


def _same(stride, padding, dilation, groups):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _into_images(y, w, sizes, options):
    return convolution_input.on((y, w), {"sizes": tuple(sizes), **options})


def _results(x, w, y, options):
    """What multiplies y, which may have fewer windows than there is room for: `output_padding` makes room."""
    out = convolution.on((x, w), options)
    return out if tuple(out.shape) == tuple(y.shape) else getitem(out, (..., *(slice(n) for n in y.shape[2:])))


def _into_kernels(x, y, kernel, options):
    return convolution_weight.on((x, y), {"kernel": tuple(kernel), **options})


def _case(x, w, stride=1, padding=0, dilation=1, groups=1):
    """A sample call; numbers are the same for each axis."""
    n = len(x) - 2
    each = lambda value: (value,) * n if isinstance(value, int) else value
    pairs = tuple((p, p) if isinstance(p, int) else p for p in each(padding))
    return x, w, _same(each(stride), pairs, each(dilation), groups)


def _counts(x, w, options):
    return window_counts("", x[2:], w[2:], options["stride"], options["padding"], options["dilation"])


_CALLS = [
    _case((2, 2, 4), (3, 2, 2)), _case((1, 2, 3, 4), (2, 2, 2, 2)), _case((1, 1, 4, 3), (2, 1, 3, 2), padding=1),
    _case((1, 2, 5), (2, 1, 2), stride=2, padding=1, groups=2), _case((2, 1, 5), (1, 1, 2), dilation=2),
    _case((1, 1, 4, 4), (1, 1, 2, 2), stride=(2, 1), padding=((0, 1), (1, 0)), dilation=(1, 2)),
    _case((1, 2, 2, 2), (3, 2, 1, 1)), _case((1, 2, 3, 2), (4, 1, 2, 2), groups=2),
    _case((1, 1, 2, 3, 2), (1, 1, 2, 2, 1)), _case((0, 2, 3), (1, 2, 2)), _case((1, 1, 6), (1, 1, 1), stride=3),
]  # fmt: skip
_INPUT_CALLS = [case((x[0], w[0], *_counts(x, w, o)), w, sizes=x[2:], **o) for x, w, o in _CALLS]
_WEIGHT_CALLS = [case(x, (x[0], w[0], *_counts(x, w, o)), kernel=w[2:], **o) for x, w, o in _CALLS]
_INPUT_CALLS.append(
    case((1, 1, 2), (1, 1, 2), sizes=(5,), **_case((1, 1, 5), (1, 1, 2), dilation=2)[2])
)  # one more fits

# fmt: off
# ---------------------------------------------------------------- the rows --

convolution = _op(
    "convolution", _convolution, "x, w; stride, padding, dilation, groups", saves="x, w", linear="each",
    batch=_batch("convolution"),
    vjp=(lambda g, out, x, w, **o: _into_images(g, w, x.shape[2:], o),
         lambda g, out, x, w, **o: _into_kernels(x, g, w.shape[2:], o)),
    cases=[case(x, w, **options) for x, w, options in _CALLS],
    doc="Sums of products of kernels w with the windows of images x, whose `padding` has a pair for each axis.")
convolution_input = _op(
    "convolution_input", _convolution_input, "y, w; sizes, stride, padding, dilation, groups", saves="y, w",
    linear="each", batch=_batch("convolution_input"),
    vjp=(lambda g, out, y, w, sizes, **o: _results(g, w, y, o),
         lambda g, out, y, w, sizes, **o: _into_kernels(g, y, w.shape[2:], o)),
    cases=_INPUT_CALLS,
    doc="Kernels w put at the windows of images of a size, each times y, and summed: the adjoint of `convolution` in x.")
convolution_weight = _op(
    "convolution_weight", _convolution_weight, "x, y; kernel, stride, padding, dilation, groups", saves="x, y",
    linear="each", batch=_batch_weight,
    vjp=(lambda g, out, x, y, kernel, **o: _into_images(y, g, x.shape[2:], o),
         lambda g, out, x, y, kernel, **o: _results(x, g, y, o)),
    cases=_WEIGHT_CALLS,
    doc="The windows of images x, each times y, and summed: the adjoint of `convolution` in w.")
# fmt: on

ROWS = {"convolution": convolution, "convolution_input": convolution_input}
