"""Numbers spaced evenly between two others: `linspace`, `logspace` and `geomspace`, differentiable in both ends.

Sample i of n has the share ``i / (n - 1)`` (or ``i / n``, where the end is left out) of `stop`, the rest of `start`.
"""

from __future__ import annotations

import numpy as np

from ._batch import ranked
from ._doc import describe
from ._doc import doc as _doc
from ._row import TABLE, case
from ._row import register as _op
from .elementwise import power
from .reductions import sum
from .shaping import astype, expand_dims, reshape

describe({
    "num": ("int", "How many."),
    "endpoint": ("bool", "Whether `stop` is the last of them; if not, it would be the next."),
    "linspace.axis": ("int", "Where the samples lie in the result, if start or stop are arrays."),
    "logspace.axis": ("int", "Where the samples lie in the result, if start or stop are arrays."),
    "geomspace.axis": ("int", "Where the samples lie in the result, if start or stop are arrays."),
})  # fmt: skip


def _options(num, endpoint, dtype, axis):
    return {"num": num, "endpoint": endpoint, "dtype": None if dtype is None else np.dtype(dtype), "axis": axis}


def weak(*values):
    """Python scalars in the dtype that they have beside the others."""
    known = [value.dtype for value in values if hasattr(value, "dtype")]
    scalars = [value for value in values if type(value) in (int, float, complex)]
    if not known or len(known) + len(scalars) < len(values):
        return values
    return tuple(v if hasattr(v, "dtype") else np.asarray(v, np.result_type(*known, v)) for v in values)


def _bind_linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    if retstep:
        raise TypeError("linspace: retstep=True is not supported; the step is (stop - start) / (num - 1)")
    if device not in (None, "cpu"):
        raise ValueError(f"linspace: device must be 'cpu' or None, not {device!r}")
    return weak(start, stop), _options(num, endpoint, dtype, axis)


def _bind_logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    ends = (start, stop, base)
    ends = weak(*ends) if np.ndim(base) == 0 else [v if hasattr(v, "dtype") else np.asarray(v) for v in ends]
    return tuple(ends), _options(num, endpoint, dtype, axis)


def _bind_geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    return weak(start, stop), _options(num, endpoint, dtype, axis)


def _shares(g, endpoint, axis):
    """The share of `stop` in every sample, along its axis of g."""
    axis %= g.ndim
    num = g.shape[axis]
    shares = np.arange(num) / max(num - 1 if endpoint else num, 1)
    return shares.astype(g.dtype).reshape([num if i == axis else 1 for i in range(g.ndim)])


def _linspace_dstart(g, out, start, stop, num, endpoint, dtype, axis):
    return sum(g * (1 - _shares(g, endpoint, axis)), axis=axis)


def _linspace_dstop(g, out, start, stop, num, endpoint, dtype, axis):
    return sum(g * _shares(g, endpoint, axis), axis=axis)


def _geomspace_dstart(g, out, start, stop, num, endpoint, dtype, axis):
    return _linspace_dstart(g * out, out, start, stop, num, endpoint, dtype, axis) / start


def _geomspace_dstop(g, out, start, stop, num, endpoint, dtype, axis):
    return _linspace_dstop(g * out, out, start, stop, num, endpoint, dtype, axis) / stop


def _batched(name):
    """The rule of a row whose samples of each example lie behind the batch."""

    def batch(many, start, stop, axis, **options):
        ends = list(zip((start, stop), many))
        rank = max(np.ndim(end) - one for end, one in ends)
        ends = [ranked(end, rank) if one else end for end, one in ends]
        return TABLE[name].on(tuple(ends), {"axis": axis + 1 if axis >= 0 else axis, **options})

    return batch


def _logspace(start, stop, base, num=50, endpoint=True, dtype=None, axis=0):
    if np.ndim(base):
        ndim = max(map(np.ndim, (start, stop, base)))
        start, stop, base = (reshape(end, (1,) * (ndim - np.ndim(end)) + np.shape(end)) for end in (start, stop, base))
        base = expand_dims(base, axis)
    out = power(base, linspace(start, stop, num, endpoint, axis=axis))
    return out if dtype is None else astype(out, dtype)


_SPACES = [case((), (), num=5), case((), (), num=4, endpoint=False), case((), (), num=1), case((2,), (3, 1), num=3),
           case((2,), (2,), num=3, axis=-1), case((2,), (2,), num=3, axis=1), case((), (), num=0)]  # fmt: skip

# fmt: off
linspace = _op(
    "linspace", np.linspace, "start, stop; num=50, endpoint=True, dtype=None, axis=0", bind=_bind_linspace,
    vjp=(_linspace_dstart, _linspace_dstop), linear="jointly", batch=_batched("linspace"), cases=_SPACES,
    doc=_doc("Evenly spaced numbers from start to stop.", "linspace(0., 1., 5)",
             "tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])"))
logspace = _op(
    "logspace", _logspace, "start, stop, base; num=50, endpoint=True, dtype=None, axis=0", bind=_bind_logspace,
    near=((-1, 1), (-1, 1), (2, 3)),
    cases=[case((), (), 10.0, num=4), case((2,), (2,), 2.0, num=3, axis=-1), case((), (), (), num=3, endpoint=False),
           case((2,), (3, 1), (2,), num=3), case((), (2,), (2,), num=2, axis=-1), case((), (), 10.0, num=0)],
    doc=_doc("Powers of a base, with evenly spaced exponents.", "logspace(0., 2., 3)", "tensor([  1.,  10., 100.])"))
geomspace = _op(
    "geomspace", lambda start, stop, num, endpoint, dtype, axis: np.geomspace(start, stop, num, endpoint, dtype, axis),
    "start, stop; num=50, endpoint=True, dtype=None, axis=0", bind=_bind_geomspace, near=(0.5, 2),
    vjp=(_geomspace_dstart, _geomspace_dstop), saves="out, start, stop", batch=_batched("geomspace"), cases=_SPACES,
    doc=_doc("Numbers from start to stop, each a constant times the one before.", "geomspace(1., 8., 4)",
             "tensor([1., 2., 4., 8.])"))
# fmt: on
