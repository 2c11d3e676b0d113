"""Discrete Fourier transforms: the rows of `fastgrad.fft`.

Forwards are `numpy.fft`'s. Each transform is linear, so that the derivative is its adjoint: the transform in the other
direction, with the norm turned round. Where one side is real, only half of the spectrum is there, and stands for the
other half: the adjoint counts what has a mirror image twice, or half.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ._batch import past
from ._doc import describe
from ._doc import doc as _doc
from ._row import Like, case, register
from .elementwise import conj
from .indexing import getitem, put_add
from .shaping import clone, roll

_op = partial(register, module="fastgrad.fft")

_ONE = {
    "n": (
        "int or None",
        "How many elements are transformed: the operand is cut, or filled up with zeros. None: all there are.",
    ),
    "axis": ("int", "Along which axis."),
    "norm": ('{None, "backward", "ortho", "forward"}', 'Which direction is divided by the length; None is "backward".'),
}
_MANY = {
    "s": ("sequence of int or None", "How many elements are transformed along each of the axes; -1: all there are."),
    "axes": ("sequence of int or None", "Along which axes; None: the last ones of `s`, or all."),
    "norm": _ONE["norm"],
}
describe({
    **{f"{kind}.{name}": what for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for name, what in _ONE.items()},
    **{f"{kind}{n}.{name}": what for kind in ("fft", "ifft", "rfft", "irfft") for n in "n2" for name, what in _MANY.items()},
    "irfft.n": ("int or None", "The length of the result; None: ``2 * (m - 1)`` for m frequencies."),
    "hfft.n": ("int or None", "The length of the result; None: ``2 * (m - 1)`` for m elements."),
    "fftshift.axes": ("int, sequence of int or None", "Along which axes; None: all."),
    "ifftshift.axes": ("int, sequence of int or None", "Along which axes; None: all."),
})  # fmt: skip

# ---------------------------------------------------------------- helpers --

_TURNED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _turned(norm):
    """The norm of the adjoint, and of what is defined by the transform in the other direction."""
    if norm not in _TURNED:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return _TURNED[norm]


def _fitted(g, shape):
    """g cut to a shape, or filled up with zeros: the adjoint of filling up and of cutting."""
    if g.shape == shape:
        return g
    kept = tuple(slice(min(n, m)) for n, m in zip(g.shape, shape))
    g = getitem(g, kept)
    return g if g.shape == shape else put_add(g, shape, kept)


def _mirrored(n, ndim, axis, dtype, factor):
    """1 for the frequencies 0 and n/2, `factor` for those whose mirror image is left out; along `axis`."""
    weights = np.full(n // 2 + 1, factor, dtype.char.lower())
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    shape = [1] * ndim
    shape[axis] = -1
    return weights.reshape(shape)


def _all_axes(x, s, axes):
    """Which axes a transform over several goes along."""
    if axes is None:
        return tuple(range(x.ndim)) if s is None else tuple(range(-len(s), 0))
    return tuple(axes)


def _bind_two(a, s=None, axes=(-2, -1), norm=None):
    return (a,), {"s": s, "axes": axes, "norm": norm}


# ---------------------------------------------------------------- formulas, along one axis --


def _fft_da(g, out, a, n, axis, norm):
    return _fitted(ifft(g, None, axis, _turned(norm)), a.shape)


def _ifft_da(g, out, a, n, axis, norm):
    return _fitted(fft(g, None, axis, _turned(norm)), a.shape)


def _rfft_da(g, out, a, n, axis, norm):
    n = a.shape[axis] if n is None else n
    return _fitted(irfft(g * _mirrored(n, g.ndim, axis, g.dtype, 0.5), n, axis, _turned(norm)), a.shape)


def _irfft_da(g, out, a, n, axis, norm):
    half = rfft(g, None, axis, _turned(norm))
    return _fitted(half * _mirrored(g.shape[axis], g.ndim, axis, g.dtype, 2.0), a.shape)


# ---------------------------------------------------------------- formulas, along several --


def _sizes(s, axes, like):
    """How many elements each step works on; `like` is the operand."""
    given = [None] * len(axes) if s is None else s
    return [like.shape[axis] if n is None or n == -1 else n for n, axis in zip(given, axes)]


def _steps(kind, s, axes):
    """The transforms along one axis that the one over several is made of, in order: (formula, n, axis)."""
    steps = list(zip(axes, [None] * len(axes) if s is None else s))
    if not steps:
        return []
    if kind == "rfftn":
        return [(_rfft_da, *steps[-1]), *((_fft_da, *step) for step in steps[-2::-1])]
    if kind == "irfftn":
        return [*((_ifft_da, *step) for step in steps[:-1]), (_irfft_da, *steps[-1])]
    return [(_fft_da if kind == "fftn" else _ifft_da, *step) for step in steps[::-1]]


def _one_by_one(kind, g, a, s, axes, norm):
    """The adjoint where an axis is named twice: that of each step, from the last to the first."""
    chain, shape = [], a.shape
    for formula, axis, n in _steps(kind, s, axes):
        chain.append((formula, axis, shape))
        n = None if n == -1 else n
        if formula is _rfft_da:
            size = (shape[axis] if n is None else n) // 2 + 1
        elif formula is _irfft_da:
            size = 2 * (shape[axis] - 1) if n is None else n
        else:
            size = shape[axis] if n is None else n
        shape = (*shape[: axis % len(shape)], size, *shape[axis % len(shape) + 1 :])
        chain[-1] += (n,)
    for formula, axis, shape, n in reversed(chain):
        g = formula(g, g, Like(shape, g.dtype), n, axis, norm)
    return g


def _over_axes(kind, adjoint):
    def da(g, out, a, s, axes, norm):
        axes = _all_axes(a, s, axes)
        if not axes:
            return g
        if len({axis % a.ndim for axis in axes}) < len(axes):
            return _one_by_one(kind, g, a, s, axes, norm)
        return _fitted(adjoint(g, a, s, axes, _turned(norm)), a.shape)

    return da


def _rfftn_adjoint(g, a, s, axes, norm):
    last = axes[-1]
    n = _sizes(s, axes, a)[-1]
    sizes = [*(g.shape[axis] for axis in axes[:-1]), n]
    return irfftn(g * _mirrored(n, g.ndim, last, g.dtype, 0.5), sizes, axes, norm)


def _irfftn_adjoint(g, a, s, axes, norm):
    return rfftn(g, None, axes, norm) * _mirrored(g.shape[axes[-1]], g.ndim, axes[-1], g.dtype, 2.0)


_fftn_da = _over_axes("fftn", lambda g, a, s, axes, norm: ifftn(g, None, axes, norm))
_ifftn_da = _over_axes("ifftn", lambda g, a, s, axes, norm: fftn(g, None, axes, norm))
_rfftn_da = _over_axes("rfftn", _rfftn_adjoint)
_irfftn_da = _over_axes("irfftn", _irfftn_adjoint)


# ---------------------------------------------------------------- batches, shifts --


def _batch(row):
    return lambda many, a, n, axis, norm: row()(a, n, past(axis, a), norm)


def _batch_many(row):
    def batch(many, a, s, axes, norm):
        axes = tuple(axis if axis < 0 else axis + 1 for axis in _all_axes(_Example(a), s, axes))
        if any(not -a.ndim < axis < a.ndim for axis in axes):
            raise np.exceptions.AxisError(max(axes, key=abs), a.ndim - 1)
        return row()(a, s, axes, norm)

    return batch


class _Example:
    """The number of axes of one example."""

    def __init__(self, a):
        self.ndim = a.ndim - 1


def _shift(sign):
    def shifted(x, axes):
        axes = tuple(range(x.ndim)) if axes is None else axes
        if np.ndim(axes) == 0:
            return roll(x, sign(x.shape[axes]), axes)
        return roll(x, [sign(x.shape[axis]) for axis in axes], tuple(axes)) if len(axes) else clone(x)

    return shifted


# fmt: off
_NORMS = (None, "backward", "ortho", "forward")


def _one_axis(*shapes, least=1):
    """Sample calls: odd and even, cut and filled up, each norm, every axis."""
    calls = [case((n,), n=None, axis=-1, norm=norm) for n in (4, 5) for norm in _NORMS[1:]]
    calls += [case((5,), n=n, axis=-1, norm=None) for n in (3, 4, 7, 8)] + [case((least,), n=None, axis=-1, norm=None)]
    return [*calls, case((2, 3, 4), n=None, axis=1, norm="ortho"), case((2, 3), n=4, axis=0, norm=None),
            case((0, 3), n=None, axis=1, norm=None), case((3,), n=1, axis=0, norm="forward")]


def _several():
    return [case((2, 3), s=None, axes=None, norm=norm) for norm in _NORMS[1:]] + [
        case((3, 2, 4), s=None, axes=(0, 2), norm=None), case((3, 2, 4), s=None, axes=(-1, -3), norm="ortho"),
        case((3, 4), s=(2, 5), axes=(0, 1), norm="forward"), case((3, 4), s=(5, -1), axes=(1, 0), norm=None),
        case((2, 2, 3), s=(4, 2), axes=(-2, -1), norm=None), case((4,), s=None, axes=(0,), norm=None),
        case((2, 3), s=(3, 4), axes=(1, 1), norm="ortho"), case((0, 3), s=None, axes=(1,), norm=None)]


def _pairs():
    return [case((2, 3), s=None, axes=(-2, -1), norm=None), case((3, 4), s=(2, 5), axes=(0, 1), norm="ortho"),
            case((2, 3, 2), s=None, axes=(0, 1), norm="forward")]


# ---------------------------------------------------------------- along one axis --

_N = "; n=None, axis=-1, norm=None"
fft = _op(
    "fft", np.fft.fft, "a" + _N, vjp=_fft_da, holomorphic=False, linear="jointly", batch=_batch(lambda: fft),
    cases=_one_axis(),
    doc=_doc("Discrete Fourier transform along an axis.", "fft.fft([1., 0., 0., 0.])",
             "tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])"))
ifft = _op(
    "ifft", np.fft.ifft, "a" + _N, vjp=_ifft_da, holomorphic=False, linear="jointly", batch=_batch(lambda: ifft),
    cases=_one_axis(),
    doc=_doc("Inverse of `fft`.", "fft.ifft([4., 0., 0., 0.])", "tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])"))
rfft = _op(
    "rfft", np.fft.rfft, "a" + _N, vjp=_rfft_da, holomorphic=False, linear="jointly", batch=_batch(lambda: rfft),
    cases=_one_axis(),
    doc=_doc("Discrete Fourier transform of real numbers: the half of the spectrum that says all.",
             "fft.rfft([1., 0., 0., 0.])", "tensor([1.+0.j, 1.+0.j, 1.+0.j])"))
irfft = _op(
    "irfft", np.fft.irfft, "a" + _N, vjp=_irfft_da, holomorphic=False, linear="jointly", batch=_batch(lambda: irfft),
    cases=_one_axis(least=2),
    doc=_doc("Inverse of `rfft`: real numbers from half of their spectrum.", "fft.irfft([4., 0., 0.])",
             "tensor([1., 1., 1., 1.])",
             "`n` is the length of the result, ``2 * (m - 1)`` for m frequencies where it is left out: give it where it is odd."))
hfft = _op(
    "hfft", lambda a, n, axis, norm: irfft(conj(a), n, axis, _turned(norm)), "a" + _N, cases=_one_axis(least=2),
    doc=_doc("Discrete Fourier transform of a signal with Hermitian symmetry, which has a real spectrum.",
             "fft.hfft([1., 0., 0.])", "tensor([1., 1., 1., 1.])"))
ihfft = _op(
    "ihfft", lambda a, n, axis, norm: conj(rfft(a, n, axis, _turned(norm))), "a" + _N, cases=_one_axis(),
    doc=_doc("Inverse of `hfft`.", "fft.ihfft([4., 0., 0., 0.])", "tensor([1.-0.j, 1.-0.j, 1.-0.j])"))

# ---------------------------------------------------------------- along several --

_S = "; s=None, axes=None, norm=None"
fftn = _op(
    "fftn", np.fft.fftn, "a" + _S, vjp=_fftn_da, holomorphic=False, linear="jointly",
    batch=_batch_many(lambda: fftn), cases=_several(),
    doc=_doc("Discrete Fourier transform over several axes.", "fft.fftn([[1., 0.], [0., 0.]])",
             "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])"))
ifftn = _op(
    "ifftn", np.fft.ifftn, "a" + _S, vjp=_ifftn_da, holomorphic=False, linear="jointly",
    batch=_batch_many(lambda: ifftn), cases=_several(),
    doc=_doc("Inverse of `fftn`.", "fft.ifftn([[4., 0.], [0., 0.]])",
             "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])"))
rfftn = _op(
    "rfftn", np.fft.rfftn, "a" + _S, vjp=_rfftn_da, holomorphic=False, linear="jointly",
    batch=_batch_many(lambda: rfftn), cases=_several(),
    doc=_doc("Discrete Fourier transform of real numbers over several axes: half of the spectrum along the last.",
             "fft.rfftn([[1., 0.], [0., 0.]])", "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])"))
irfftn = _op(
    "irfftn", np.fft.irfftn, "a" + _S, vjp=_irfftn_da, holomorphic=False, linear="jointly",
    batch=_batch_many(lambda: irfftn), cases=_several(),
    doc=_doc("Inverse of `rfftn`.", "fft.irfftn([[4., 0.], [0., 0.]])", "tensor([[1., 1.],\n        [1., 1.]])",
             "`s` is the shape of the result along the axes: give it where the last is odd."))
fft2 = _op(
    "fft2", lambda a, s, axes, norm: fftn(a, s, axes, norm), "a" + _S, bind=_bind_two, cases=_pairs(),
    doc=_doc("Discrete Fourier transform over two axes.", "fft.fft2([[1., 0.], [0., 0.]])",
             "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])"))
ifft2 = _op(
    "ifft2", lambda a, s, axes, norm: ifftn(a, s, axes, norm), "a" + _S, bind=_bind_two, cases=_pairs(),
    doc=_doc("Inverse of `fft2`.", "fft.ifft2([[4., 0.], [0., 0.]])",
             "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])"))
rfft2 = _op(
    "rfft2", lambda a, s, axes, norm: rfftn(a, s, axes, norm), "a" + _S, bind=_bind_two, cases=_pairs(),
    doc=_doc("Discrete Fourier transform of real numbers over two axes.", "fft.rfft2([[1., 0.], [0., 0.]])",
             "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])"))
irfft2 = _op(
    "irfft2", lambda a, s, axes, norm: irfftn(a, s, axes, norm), "a" + _S, bind=_bind_two, cases=_pairs(),
    doc=_doc("Inverse of `rfft2`.", "fft.irfft2([[4., 0.], [0., 0.]])", "tensor([[1., 1.],\n        [1., 1.]])"))

# ---------------------------------------------------------------- order --

_SHIFTS = [case((4,), axes=None), case((5,), axes=None), case((2, 3), axes=None), case((2, 3), axes=1),
           case((3, 2, 4), axes=(0, -1)), case((0, 2), axes=None), case((3,), axes=-1)]
fftshift = _op(
    "fftshift", _shift(lambda n: n // 2), "x; axes=None", cases=_SHIFTS,
    doc=_doc("x rotated so that frequency zero is in the middle.", "fft.fftshift([0., 1., -2., -1.])",
             "tensor([-2., -1.,  0.,  1.])"))
ifftshift = _op(
    "ifftshift", _shift(lambda n: -(n // 2)), "x; axes=None", cases=_SHIFTS,
    doc=_doc("Inverse of `fftshift`.", "fft.ifftshift([-2., -1., 0., 1.])", "tensor([ 0.,  1., -2., -1.])"))
# fmt: on
