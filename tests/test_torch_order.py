"""Sorting, order statistics and running extrema beside PyTorch: values, gradients, second gradients, ties and nan."""

import numpy as np
import pytest
from conftest import HAS_TORCH
from samples import draw, seed

import fastgrad as fg

if HAS_TORCH:
    import torch
    from test_torch import compare

pytestmark = pytest.mark.torch

_AT = np.array([[2, 0, 2, 1], [1, 1, 0, 2]])
_MASK = np.array([[True, False, True], [True, True, False]])
_GAPS = np.array([[0.5, np.nan, 2.0, -1.0], [np.nan, 3.0, np.nan, 1.5], [1.0, 0.25, -0.5, 0.75]])


def t(array):
    return torch.from_numpy(np.asarray(array))


# fmt: off
#: What, fastgrad, PyTorch, operands: shapes to be drawn, or arrays.
PAIRS = [
    ("sort",            lambda x: fg.sort(x),                    lambda x: torch.sort(x).values, (3, 5)),
    ("sort 0",          lambda x: fg.sort(x, axis=0),            lambda x: torch.sort(x, 0).values, (3, 5)),
    ("sort descending", lambda x: fg.sort(x, axis=1, descending=True), lambda x: torch.sort(x, 1, descending=True).values, (3, 5)),
    ("sort all",        lambda x: fg.sort(x, axis=None),         lambda x: torch.sort(x.ravel()).values, (3, 5)),
    ("sort method",     lambda x: x.sort(),                      lambda x: x.sort().values, (3, 5)),
    ("np.sort",         lambda x: np.sort(x, axis=0),            lambda x: torch.sort(x, 0).values, (3, 5)),
    ("argsort and take", lambda x: fg.take_along_axis(x, fg.argsort(x, axis=1), axis=1), lambda x: x.gather(1, x.argsort(1)), (3, 5)),
    ("gather",          lambda x: fg.take_along_axis(x, _AT, axis=1), lambda x: x.gather(1, t(_AT)), (2, 3)),
    ("take_along_dim all", lambda x: fg.take_along_axis(x, _AT.ravel(), axis=None), lambda x: x.take_along_dim(t(_AT.ravel())), (2, 3)),
    ("take_along_dim broadcast", lambda x: fg.take_along_axis(x, _AT[:1], axis=0), lambda x: x.take_along_dim(t(_AT[:1]), 0), (3, 4)),
    ("topk",            lambda x: fg.topk(x, 3).values,          lambda x: x.topk(3).values, (3, 5)),
    ("topk smallest",   lambda x: fg.topk(x, 2, axis=0, largest=False).values, lambda x: x.topk(2, 0, largest=False).values, (3, 5)),
    ("kthvalue",        lambda x: fg.partition(x, 2, axis=1)[:, 2], lambda x: x.kthvalue(3, 1).values, (3, 5)),
    ("median",          lambda x: fg.median(x, axis=1),          lambda x: x.median(1).values, (3, 5)),
    ("median of all",   lambda x: fg.median(x),                  lambda x: x.median(), (3, 5)),
    ("median of even",  lambda x: fg.median(x, axis=0),          lambda x: x.quantile(0.5, 0), (4, 3)),
    ("nanmedian",       lambda x: fg.nanmedian(x, axis=0),       lambda x: x.nanquantile(0.5, 0), _GAPS),
    ("quantile",        lambda x: fg.quantile(x, 0.3, axis=1),   lambda x: x.quantile(0.3, 1), (3, 5)),
    ("quantile of all", lambda x: fg.quantile(x, 0.3),           lambda x: x.quantile(0.3), (3, 5)),
    ("quantile keep",   lambda x: fg.quantile(x, 0.3, axis=0, keepdims=True), lambda x: x.quantile(0.3, 0, keepdim=True), (3, 5)),
    ("quantiles",       lambda x, q: fg.quantile(x, q, axis=0),  lambda x, q: x.quantile(q, 0), (3, 5), np.array([0.02, 0.1, 0.72, 1.0])),
    ("quantile higher", lambda x: fg.quantile(x, 0.3, axis=1, method="higher"), lambda x: x.quantile(0.3, 1, interpolation="higher"), (3, 5)),
    ("quantile lower",  lambda x: fg.quantile(x, 0.3, axis=1, method="lower"), lambda x: x.quantile(0.3, 1, interpolation="lower"), (3, 5)),
    ("quantile midpoint", lambda x: fg.quantile(x, 0.3, axis=1, method="midpoint"), lambda x: x.quantile(0.3, 1, interpolation="midpoint"), (3, 5)),
    ("quantile nearest", lambda x: fg.quantile(x, 0.3, axis=1, method="nearest"), lambda x: x.quantile(0.3, 1, interpolation="nearest"), (3, 5)),
    ("nanquantile",     lambda x, q: fg.nanquantile(x, q, axis=1), lambda x, q: x.nanquantile(q, 1), _GAPS, np.array([0.15, 0.8])),
    ("quantile ties",   lambda x: fg.quantile(x, 0.4),           lambda x: x.quantile(0.4), np.array([2.0, 1.0, 2.0, 2.0, 1.0])),
    ("nansum",          lambda x: fg.nansum(x, axis=0),          lambda x: x.nansum(0), _GAPS),
    ("nanmean",         lambda x: fg.nanmean(x, axis=1),         lambda x: x.nanmean(1), _GAPS),
    ("nanmean of all",  lambda x: fg.nanmean(x),                 lambda x: x.nanmean(), _GAPS),
    ("cov",             lambda x: fg.cov(x),                     lambda x: torch.cov(x), (2, 5)),
    ("cov correction",  lambda x: fg.cov(x, ddof=0),             lambda x: torch.cov(x, correction=0), (2, 5)),
    ("cov weights",     lambda x, w: fg.cov(x, aweights=w),      lambda x, w: torch.cov(x, aweights=w), (2, 4), np.array([1.0, 0.5, 2.0, 1.5])),
    ("cov frequencies", lambda x: fg.cov(x, fweights=np.array([1, 2, 3, 1])), lambda x: torch.cov(x, fweights=torch.tensor([1, 2, 3, 1])), (2, 4)),
    ("corrcoef",        lambda x: fg.corrcoef(x),                lambda x: torch.corrcoef(x), (2, 5)),
    ("cummax",          lambda x: fg.cummax(x, axis=1),          lambda x: x.cummax(1).values, (3, 5)),
    ("cummin",          lambda x: fg.cummin(x, axis=0),          lambda x: x.cummin(0).values, (3, 5)),
    ("cummax ties",     lambda x: fg.cummax(x, axis=0),          lambda x: x.cummax(0).values, np.array([1.0, 3.0, 3.0, 2.0, 3.0, 4.0])),
    ("cummin ties",     lambda x: fg.cummin(x, axis=0),          lambda x: x.cummin(0).values, np.array([4.0, 3.0, 3.0, 2.0, 2.0, 4.0])),
    ("cummax nan",      lambda x: fg.cummax(x, axis=0),          lambda x: x.cummax(0).values, np.array([1.0, np.nan, 3.0])),
    ("logcumsumexp",    lambda x: fg.logcumsumexp(x, axis=1),    lambda x: x.logcumsumexp(1), (3, 5)),
    ("logcumsumexp far", lambda x: fg.logcumsumexp(x, axis=0),   lambda x: x.logcumsumexp(0), np.array([0.0, 400.0, -1e4, 400.0, 3.0])),
    ("diff",            lambda x: fg.diff(x, n=2, axis=0),       lambda x: torch.diff(x, n=2, dim=0), (4, 3)),
    ("diff ends",       lambda x, a, b: fg.diff(x, axis=1, prepend=a, append=b),
                        lambda x, a, b: torch.diff(x, dim=1, prepend=a, append=b), (2, 3), (2, 1), (2, 2)),
    ("masked sum",      lambda x: fg.sum(x, axis=0, where=_MASK), lambda x: (x * t(_MASK)).sum(0), (2, 3)),
    ("masked mean",     lambda x: fg.mean(x, where=_MASK),       lambda x: x[t(_MASK)].mean(), (2, 3)),
    ("masked max",      lambda x: fg.max(x, where=_MASK, initial=-9.0), lambda x: x[t(_MASK)].amax(), (2, 3)),
    ("masked prod",     lambda x: fg.prod(x, where=_MASK, initial=3.0), lambda x: 3.0 * x[t(_MASK)].prod(), (2, 3)),
    ("masked var",      lambda x: fg.var(x, where=_MASK, correction=1), lambda x: x[t(_MASK)].var(), (2, 3)),
    ("masked std",      lambda x: fg.std(x, where=_MASK),        lambda x: x[t(_MASK)].std(correction=0), (2, 3)),
    ("bincount",        lambda w: fg.bincount(np.array([0, 2, 2, 5]), w) * 1.0,
                        lambda w: torch.zeros(6, dtype=torch.float64).index_add(0, torch.tensor([0, 2, 2, 5]), w.double()), (4,)),
]
# fmt: on
REAL_ONLY = {
    "bincount",
    "median",
    "quantile",
    "cummax",
    "cummin",
    "kthvalue",
    "topk",
    "sort",
    "np.sort",
    "argsort",
    "masked max",
}
DOUBLE_ONLY = {"bincount", "cov", "corrcoef"}  # in NumPy, whatever the operands are


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_values_and_gradients_are_pytorchs(pair, dtype):
    what, ours, theirs, *operands = pair
    if dtype == "complex128" and (what.split()[0] in REAL_ONLY or any(isinstance(a, np.ndarray) for a in operands)):
        pytest.skip("for real numbers")
    if dtype not in ("float64", "complex128") and what.split()[0] in DOUBLE_ONLY:
        pytest.skip("in double precision")
    rng = seed(what, dtype, "order")
    arrays = [a.astype(dtype) if isinstance(a, np.ndarray) else draw(rng, (0.3, 1.7), a, dtype) for a in operands]
    if not compare(ours, theirs, arrays, dtype, f"{what} {dtype}"):
        pytest.skip(f"PyTorch has no {what} for {dtype}")


def test_indices_are_pytorchs():
    x = draw(seed("indices"), (-2, 2), (4, 7), "float64")
    values, indices = fg.topk(x, 3, axis=1)
    expected = torch.topk(t(x), 3, 1)
    np.testing.assert_array_equal(values.numpy(), expected.values.numpy())
    np.testing.assert_array_equal(indices.numpy(), expected.indices.numpy())
    np.testing.assert_array_equal(fg.argsort(x, axis=0).numpy(), torch.argsort(t(x), 0).numpy())
    np.testing.assert_array_equal(
        fg.argsort(x, axis=0, descending=True).numpy(), torch.argsort(t(x), 0, descending=True).numpy()
    )
    edges = np.sort(x[0])
    np.testing.assert_array_equal(
        fg.searchsorted(edges, x, side="right").numpy(), torch.searchsorted(t(edges), t(x), right=True).numpy()
    )


def test_ties_are_ordered_as_in_a_stable_sort():
    x = np.array([2.0, 1.0, 2.0, 1.0, np.nan, 2.0])
    for descending in (False, True):
        mine = fg.argsort(x, descending=descending).numpy()
        theirs = torch.argsort(t(x), descending=descending, stable=True).numpy()
        np.testing.assert_array_equal(mine, theirs)
        g = np.arange(6.0)
        a = fg.tensor(x, requires_grad=True)
        fg.sort(a, descending=descending).backward(fg.asarray(g))
        b = torch.tensor(x, requires_grad=True)
        torch.sort(b, descending=descending, stable=True).values.backward(t(g))
        np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
