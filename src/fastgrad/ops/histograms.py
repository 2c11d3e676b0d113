"""Counting: `bincount` and histograms, whose gradients are those of the weights: a count itself has none."""

from __future__ import annotations

import numpy as np

from ._batch import each
from ._doc import describe
from ._doc import doc as _doc
from ._instead import instead
from ._row import case
from ._row import register as _op
from .elementwise import where
from .indexing import getitem, put_add
from .reductions import sum
from .shaping import astype, reshape, stack, transpose

describe({
    "bins": ("int, sequence or str", "The number of bins, their edges, or how to find them, as in `numpy.histogram`."),
    "range": ("pair of float or None", "The outermost edges; None: from the smallest to the largest element."),
    "density": ("bool or None", "Give the counts divided by their sum and by the sizes of the bins."),
    "weights": ("array or None", "How much each element counts."),
    "minlength": ("int", "The least length of the result."),
})  # fmt: skip


def _as_array(x):
    return x if hasattr(x, "dtype") else np.asarray(x)


# ---------------------------------------------------------------- bincount --


def _bind_bincount(x, weights=None, minlength=0):
    if weights is None:
        return (x,), {"minlength": minlength}
    return instead(lambda: bincount_weighted.on((_as_array(x), _as_array(weights)), {"minlength": minlength}))


def _batch_weighted(many, x, weights, minlength):
    if many[0]:
        return each("bincount_weighted")(many, x, weights, minlength=minlength)
    size = max(int(np.max(np.asarray(x), initial=-1)) + 1, minlength)
    return put_add(weights, (weights.shape[0], size), (slice(None), np.asarray(x)))


# ---------------------------------------------------------------- histograms --
# With weights, counts and edges are two rows: the one has a gradient, in the weights, and the other none.


def _values(x):
    return x.detach().numpy() if hasattr(x, "detach") else np.asarray(x)


def _edges(bins):
    """Bins as NumPy takes them, of which none is a Tensor."""
    if isinstance(bins, (list, tuple)) and any(hasattr(b, "detach") for b in bins):
        return [_edges(b) for b in bins]
    return _values(bins) if hasattr(bins, "detach") else bins


def _bind_histogram(x, bins=10, range=None, density=None, weights=None):
    if weights is None:
        return (x,), {"bins": _edges(bins), "range": range, "density": density}
    return instead(_weighted, _as_array(x), _as_array(weights), _edges(bins), range, density)


def _weighted(x, weights, bins, range, density):
    edges = histogram_bin_edges.on((x,), {"bins": bins, "range": range})
    counts = weighted_counts.on((x, weights), {"bins": bins, "range": range})
    if density:
        counts = counts / astype(edges[1:] - edges[:-1], np.float64) / sum(counts)
    return counts, edges


def _bins_of(x, edges):
    """The number of the bin that each element is in, the last one closed on both sides; -1 for none."""
    found = np.searchsorted(edges, x, side="right") - 1
    found[x == edges[-1]] = len(edges) - 2
    found[~((x >= edges[0]) & (x <= edges[-1]))] = -1
    return found


def _histogram_places(x, bins, range):
    x = np.asarray(x)
    return _bins_of(x.ravel(), np.histogram_bin_edges(x, bins, range)).reshape(x.shape)


def _cell_places(x, bins, range):
    total, outside = 0, False
    edges = np.histogramdd(x, bins, range)[1]
    for column, along in zip(np.asarray(x).T, edges):
        found = _bins_of(column, along)
        outside = outside | (found < 0)
        total = total * (len(along) - 1) + found
    return np.where(outside, -1, total)


def _counts_dw(places):
    def dw(g, out, x, weights, bins, range):
        found = places().on((x,), {"bins": bins, "range": range})
        return where(found >= 0, getitem(reshape(g, (-1,)), found), 0.0)

    return dw


def _counts_jvp(row):
    def jvp(tangents, out, x, weights, **options):
        return None if tangents[1] is None else row().on((x, tangents[1]), options)

    return jvp


def _points(sample):
    """The points as rows: a matrix, or a sequence of what becomes its columns."""
    if hasattr(sample, "ndim"):
        return sample if sample.ndim == 2 else transpose(reshape(sample, (1, -1)))
    columns = [_as_array(column) for column in sample]
    return stack(columns, axis=1) if columns[0].ndim else transpose(reshape(stack(columns), (1, -1)))


def _bind_histogramdd(sample, bins=10, range=None, density=None, weights=None):
    return instead(_histogramdd, _points(sample), bins, range, density, weights)


def _histogramdd(points, bins, range, density, weights):
    options = {"bins": _edges(bins), "range": range}
    if weights is None:
        counts, *edges = cells.on((points,), {**options, "density": density})
        return counts, tuple(edges)
    counts = weighted_cells.on((points, _as_array(weights)), options)
    _, *edges = cells.on((points,), {**options, "density": None})
    if density:
        total = sum(counts)
        for i, along in enumerate(edges):
            shape = (1,) * i + (-1,) + (1,) * (len(edges) - 1 - i)
            counts = counts / reshape(along[1:] - along[:-1], shape)
        counts = counts / total
    return counts, tuple(edges)


def _bind_histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    return instead(_histogram2d, _as_array(x), _as_array(y), bins, range, density, weights)


def _histogram2d(x, y, bins, range, density, weights):
    if x.shape[0] != y.shape[0]:
        raise ValueError("x and y must have the same length.")
    if hasattr(bins, "__len__") and not isinstance(bins, str) and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, edges = _histogramdd(stack((x, y), axis=1), bins, range, density, weights)
    return (counts, *edges)


def _cells(x, bins, range, density):
    counts, edges = np.histogramdd(x, bins, range, density)
    return (counts, *edges)


_SPOTS = np.array([[0.1, 0.2], [0.4, 0.9], [0.45, 0.3], [0.9, 0.5]])
_AMONG = np.array([0.1, 0.35, 0.4, 0.9, 1.5])

# fmt: off
bincount = _op(
    "bincount", lambda x, minlength: np.bincount(x, minlength=minlength), "x; weights=None, minlength=0",
    bind=_bind_bincount,
    batch=each("bincount"), vjp=None,
    cases=[case(np.array([0, 2, 2, 5])), case(np.array([1, 1]), minlength=4), case(np.zeros(0, int))],
    doc=_doc("How often each of 0, 1, 2 ... is there.", "bincount([0, 2, 2])", "tensor([1, 0, 2])",
             "With weights, the sum of those of each number, which has a gradient in them."))
bincount_weighted = _op(
    "bincount_weighted", lambda x, weights, minlength: np.bincount(x, weights, minlength), "x, weights; minlength=0",
    linear="each", batch=_batch_weighted, saves="x",
    vjp=(None, lambda g, out, x, weights, minlength: getitem(g, x)),
    cases=[case(np.array([0, 2, 2, 5]), (4,)), case(np.array([1, 1]), (2,), minlength=4)],
    doc="The sum of the weights of each of 0, 1, 2 ...")
histogram_bin_edges = _op(
    "histogram_bin_edges", lambda x, bins, range, weights=None: np.histogram_bin_edges(x, bins, range),
    "x; bins=10, range=None, weights=None", batch=each("histogram_bin_edges"), vjp=None,
    bind=lambda x, bins=10, range=None, weights=None: ((x,), {"bins": _edges(bins), "range": range}),
    cases=[case((6,), bins=3), case((2, 3), bins=4, range=(-1.0, 1.0)), case((7,), bins="sqrt"),
           case((3,), bins=[0.0, 1.0, 3.0])],
    doc=_doc("The edges of the bins that `histogram` counts in.", "histogram_bin_edges([0., 4.], 2)",
             "tensor([0., 2., 4.])"))
histogram = _op(
    "histogram", np.histogram, "x; bins=10, range=None, density=None, weights=None",
    bind=_bind_histogram, multi=True, batch=each("histogram"), vjp=None,
    cases=[case((6,), bins=3), case((2, 3), bins=4, range=(-1.0, 1.0)), case((7,), bins="sqrt", density=True),
           case((3,), bins=[-1.0, 0.5, 3.0]),
           case((5,), weights=np.array([1.0, 2.0, 0.5, 1.0, 3.0]), bins=3, density=True)],
    doc=_doc("How many elements are in each bin, and the bins' edges.", "histogram([0., 1., 4.], 2)[0]",
             "tensor([2, 1])",
             "With weights, the sums of those in each bin, which have a gradient in them."))
weighted_counts = _op(
    "weighted_counts", lambda x, weights, bins, range: np.histogram(x, bins, range, weights=weights)[0],
    "x, weights; bins=10, range=None", jvp=_counts_jvp(lambda: weighted_counts), batch=each("weighted_counts"),
    vjp=(None, _counts_dw(lambda: histogram_places)), saves="x",
    cases=[case(_AMONG, (5,), bins=[0.0, 0.41, 1.0]), case(_AMONG, (5,), bins=3),
           case(_AMONG, (5,), bins=4, range=(0.2, 1.4))],
    doc="The sums of the weights in each bin.")
histogram_places = _op(
    "histogram_places", _histogram_places, "x; bins, range", batch=each("histogram_places"), vjp=None,
    cases=[case(_AMONG, bins=[0.0, 0.41, 1.0], range=None), case(_AMONG, bins=3, range=None)],
    doc="The number of the bin that each element is in; -1 for none.")
cells = _op(
    "cells", _cells, "x; bins=10, range=None, density=None", multi=True, batch=each("cells"), vjp=None,
    cases=[case(_SPOTS, bins=2), case((5, 3), bins=(2, 3, 1), density=True)],
    doc="How many points are in each cell of a grid, and the edges of the cells along each axis.")
cell_places = _op(
    "cell_places", _cell_places, "x; bins, range", batch=each("cell_places"), vjp=None,
    cases=[case(_SPOTS, bins=2, range=None)],
    doc="The place in the flattened grid of each point's cell; -1 for none.")
weighted_cells = _op(
    "weighted_cells", lambda x, weights, bins, range: np.histogramdd(x, bins, range, weights=weights)[0],
    "x, weights; bins=10, range=None", jvp=_counts_jvp(lambda: weighted_cells), batch=each("weighted_cells"),
    vjp=(None, _counts_dw(lambda: cell_places)), saves="x",
    cases=[case(_SPOTS, (4,), bins=2), case(_SPOTS, (4,), bins=[np.array([0.0, 0.5, 1.0]), np.array([0.25, 0.75])])],
    doc="The sums of the weights in each cell of a grid.")
histogramdd = _op(
    "histogramdd", np.histogramdd, "x; bins=10, range=None, density=None, weights=None", bind=_bind_histogramdd,
    multi=True, batch=each("histogramdd"), vjp=None,
    cases=[case(np.array([[0.0, 0.5], [0.5, 1.0]]), bins=2),
           case(_SPOTS, bins=2, weights=np.array([1.0, 2.0, 0.5, 1.0]), density=True)],
    doc=_doc("How many points are in each cell of a grid, and the edges of the cells along each axis.",
             "histogramdd([[0., 1.], [0., 3.]], 2)[0]", "tensor([[1., 0.],\n        [0., 1.]])",
             "Points are the rows of a matrix, or a sequence has their coordinates. Weights have a gradient."))
histogram2d = _op(
    "histogram2d", np.histogram2d, "x, y; bins=10, range=None, density=None, weights=None", bind=_bind_histogram2d,
    multi=True, batch=each("histogram2d"), vjp=None,
    cases=[case((5,), (5,), bins=2), case((5,), (5,), bins=(2, 3), weights=np.array([1.0, 2.0, 0.5, 1.0, 3.0]))],
    doc=_doc("How many points are in each cell of a grid, and the edges of the cells along x and along y.",
             "histogram2d([0., 1.], [0., 3.], 2)[0]", "tensor([[1., 0.],\n        [0., 1.]])"))
# fmt: on
