"""Order statistics, what skips nan, masked reductions, averages and running results: NumPy's values and exceptions."""

import warnings

import numpy as np
import pytest
from numeric import assert_gradient
from samples import draw, seed
from test_sorting import DTYPES, arrays, axes, compare

import fastgrad as fg
from fastgrad.func import grad, jacfwd, jacrev, vmap
from fastgrad.ops.statistics import METHODS

pytestmark = pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")  # NumPy's own, about slices of nothing


@pytest.fixture(autouse=True)
def no_floating_point_warnings():
    with np.errstate(all="ignore"):
        yield


REDUCTIONS = ("sum", "mean", "prod", "var", "std", "any", "all")
WITHOUT_NAN = ("nansum", "nanmean", "nanprod", "nanvar", "nanstd")
EXTREMA = ("max", "min", "nanmax", "nanmin")


#: What NumPy has since 2.1.
NEW = [name for name in ("cumulative_sum", "cumulative_prod") if hasattr(np, name)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions_along_axes(dtype):
    for x in arrays("reductions", dtype):
        for axis in [*axes(x), *([(0, 1)] if x.ndim > 1 else [])]:
            for name in (*WITHOUT_NAN, "nanmax", "nanmin", "nanmedian", "median", "ptp", "average"):
                if name != "average" or x.size:  # NumPy divides by the size of a result without elements
                    compare(name, x, axis=axis)
                    compare(name, x, axis=axis, keepdims=True)
            compare("nanvar", x, axis=axis, ddof=1)
            if axis is None or isinstance(axis, int):
                for name in ("nanargmax", "nanargmin", "nancumsum", "nancumprod", *NEW):
                    compare(name, x, axis=axis)
                if axis is not None:
                    compare("diff", x, axis=axis)
                    for name in NEW:
                        compare(name, x, axis=axis, include_initial=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_and_initial(dtype):
    for x in arrays("where", dtype):
        mask = seed("where", dtype, x.shape).random(x.shape) < 0.6
        for name in (*REDUCTIONS, *WITHOUT_NAN):
            compare(name, x, where=mask)
            if x.ndim > 1 and x.size:
                compare(name, x, axis=0, where=mask[0])
                compare(name, x, axis=-1, keepdims=True, where=mask[:, :1])
        for name in EXTREMA:
            compare(name, x, where=mask, initial=0)
            compare(name, x, initial=1)
        for name in ("sum", "prod", "nansum", "nanprod"):
            compare(name, x, initial=2)
            compare(name, x, dtype="float32")
            compare(name, x, axis=0, initial=1, where=mask, keepdims=True)
        compare("mean", x, dtype="complex128", where=mask)
        compare("std", x, dtype="complex128")
        if x.size:
            center = np.mean(x, axis=0, keepdims=True)
            compare("var", x, axis=0, mean=center)
            compare("nanstd", x, axis=0, mean=center, ddof=1)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float16", "float32", "float64"])
def test_quantiles(dtype):
    for x in arrays("quantiles", dtype):
        for axis in axes(x):
            for name in ("quantile", "nanquantile"):
                compare(name, x, 0.3, axis=axis)
                compare(name, x, np.array([0.0, 0.25, 1.0]), axis=axis, keepdims=True)
                compare(name, x, np.float32(0.4), axis=axis, method="hazen")
            compare("percentile", x, 30, axis=axis)
            compare("nanpercentile", x, [1.0, 25.0], axis=axis, keepdims=True)
    x = draw(seed("methods", dtype), (-9, 9), (3, 7), dtype)
    compare("quantile", x, np.array([True, False]))
    compare("quantile", x, 1, axis=0)
    compare("percentile", x, np.array([0, 100]), axis=1)
    for method in METHODS:
        compare("quantile", x, [0, 0.1, 0.33, 0.5, 0.9, 1], axis=1, method=method)
        compare("nanpercentile", x, 50.0, axis=0, method=method)


def test_weighted_quantiles():
    rng = seed("weighted")
    x, w = draw(rng, (-2, 2), (3, 7), "float64"), draw(rng, (0, 2), (3, 7), "float64")
    compare("quantile", x, [0, 0.2, 1], axis=1, method="inverted_cdf", weights=w)
    compare("quantile", x, 0.4, axis=1, method="inverted_cdf", weights=w[0])
    compare("percentile", x, 40, method="inverted_cdf", weights=w)
    x[0, :3] = np.nan
    compare("nanquantile", x, 0.4, axis=0, method="inverted_cdf", weights=w)
    compare("quantile", x, 0.4, weights=w)
    compare("quantile", x, 0.4, axis=1, method="inverted_cdf", weights=w[0, :3])
    compare("quantile", x, 0.4, axis=1, method="inverted_cdf", weights=-w)


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", "complex64", "complex128"])
def test_averages_and_covariances(dtype):
    x = draw(seed("cov", dtype), (-2, 2), (3, 5), dtype)
    w = np.arange(1.0, 6.0)
    compare("average", x, axis=0, weights=w[:3])
    compare("average", x, axis=(1, 0), weights=np.outer(w, w[:3]))
    compare("average", x, axis=1, weights=w, returned=True, keepdims=True)
    compare("average", x, returned=True)
    compare("cov", x, rowvar=False)
    compare("cov", x[0], x[1])
    compare("cov", x, x[:1], bias=True)
    compare("cov", x, fweights=np.arange(1, 6))
    compare("cov", x, aweights=w, ddof=0)
    compare("cov", x, fweights=np.arange(1, 6), aweights=w)
    compare("cov", x, dtype="complex128")
    compare("cov", x[:0])
    compare("cov", x[:0], x)
    compare("corrcoef", x[:0])
    compare("corrcoef", x)
    compare("corrcoef", x, x[:1], rowvar=True)
    compare("corrcoef", x[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_differences(dtype):
    x = draw(seed("diff", dtype), (-2, 2), (3, 5), dtype)
    compare("diff", x, n=2, axis=0)
    compare("diff", x, prepend=x[:, :2], append=x[:, :1])
    compare("diff", x, axis=0, prepend=0)
    compare("diff", x, n=0)
    compare("ediff1d", x)
    compare("ediff1d", x, to_end=x[0], to_begin=x[1, :2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_extrema_and_sums_are_those_of_ufuncs(dtype):
    for x in arrays("running", dtype):
        for axis in range(x.ndim):
            for name, ufunc in (("cummax", np.maximum), ("cummin", np.minimum), ("logcumsumexp", np.logaddexp)):
                found = getattr(fg, name)(x, axis=axis)
                np.testing.assert_array_equal(found.numpy(), ufunc.accumulate(x, axis=axis))


# ---------------------------------------------------------------- what is wrong

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("median", (X,), {"axis": 2}),
        ("median", (X,), {"axis": (0, 0)}),
        ("nanmedian", (X,), {"axis": -3}),
        ("quantile", (X, 1.5), {}),
        ("quantile", (X, -0.1), {"axis": 0}),
        ("quantile", (X, 0.5), {"method": "no such"}),
        ("quantile", (X * 1j, 0.5), {}),
        ("percentile", (X, 101), {}),
        ("percentile", (X, np.nan), {}),
        ("nanpercentile", (X, [50, -1]), {}),
        ("max", (X,), {"where": X > 1}),
        ("max", (np.zeros((0, 2)),), {"axis": 0}),
        ("nanargmax", (np.array([np.nan]),), {}),
        ("sum", (X,), {"where": np.ones(2, bool)}),
        ("average", (X,), {"weights": np.ones(3)}),
        ("average", (X,), {"axis": 1, "weights": np.ones(2)}),
        ("average", (X,), {"axis": 1, "weights": np.zeros(3)}),
        ("cov", (np.zeros((2, 2, 2)),), {}),
        ("cov", (X, np.zeros((2, 2, 2))), {}),
        ("cov", (X,), {"ddof": 1.5}),
        ("cov", (X,), {"fweights": np.array([1.5, 1, 1])}),
        ("cov", (X,), {"fweights": np.array([-1, 1, 1])}),
        ("cov", (X,), {"aweights": -np.ones(3)}),
        ("cov", (X,), {"aweights": np.ones(2)}),
        ("cov", (X,), {"aweights": np.ones((1, 3))}),
        *[(name, (X,), options) for name in NEW for options in ({}, {"axis": 3})],
        ("diff", (X,), {"n": -1}),
        ("diff", (np.array(1.0),), {}),
        ("diff", (X,), {"axis": 2}),
        ("diff", (X,), {"append": np.ones((3, 3))}),
        ("ediff1d", (np.array([1, 2]),), {"to_end": np.array([0.5])}),
    ],
)
def test_bad_input_raises_what_numpy_raises(name, args, options):
    with pytest.raises((TypeError, ValueError, IndexError, RuntimeError, ZeroDivisionError)):
        getattr(np, name)(*args, **options)
    compare(name, *args, **options)


# ---------------------------------------------------------------- gradients that cases do not show


def test_where_all_is_nan_there_is_no_gradient():
    data = np.array([[np.nan, np.nan], [1.0, np.nan]])
    for name in ("nansum", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian"):
        x = fg.tensor(data, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = getattr(fg, name)(x, axis=1)
        out[1].backward()
        assert np.isfinite(x.grad.numpy()).all(), name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = fg.nanmedian(x, axis=1) if name == "nanmedian" else getattr(fg, name)(x, axis=1)
        x.grad = None
        out.sum().backward()
        assert not x.grad.numpy()[:, 1].any(), name


def test_the_median_of_nothing_is_nan_and_has_no_gradient():
    for f in (fg.median, fg.nanmedian):
        x = fg.tensor(np.zeros((0, 2)), requires_grad=True)
        f(x, axis=0).sum().backward()
        assert x.grad.shape == (0, 2) and np.isnan(f(x).item())


def test_a_standard_deviation_of_equals_has_no_gradient():
    for f in (lambda x: fg.nanstd(x), lambda x: fg.std(x, where=np.array([True, True, False]))):
        x = fg.tensor([2.0, 2.0, np.nan], requires_grad=True)
        f(x).backward()
        np.testing.assert_array_equal(x.grad.numpy(), 0.0)


def test_initial_is_one_more_among_equals():
    x = fg.tensor([3.0, 1.0, 3.0], requires_grad=True)
    fg.max(x, initial=3.0).backward()
    np.testing.assert_allclose(x.grad.numpy(), [1 / 3, 0, 1 / 3])
    x.grad = None
    fg.min(x, initial=-1.0).backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_initial_cannot_have_a_gradient():
    with pytest.raises(RuntimeError, match="requires grad"):
        fg.sum(fg.ones(2), initial=fg.tensor(1.0, requires_grad=True))


def test_variance_about_a_mean_that_has_a_gradient():
    x = draw(seed("about"), (-2, 2), (3, 4), "float64")
    one = grad(lambda x: (fg.var(x, axis=0, mean=fg.mean(x, axis=0, keepdims=True)) ** 2).sum())(x)
    np.testing.assert_allclose(one, grad(lambda x: (fg.var(x, axis=0) ** 2).sum())(x), atol=1e-15)
    slope = grad(lambda m: fg.std(x, axis=0, mean=m).sum())(x[:1])
    np.testing.assert_allclose(slope, jacfwd(lambda m: fg.std(x, axis=0, mean=m).sum())(x[:1]))


def test_the_gradients_of_weights():
    rng = seed("weights")
    x, w = draw(rng, (-2, 2), (3, 4), "float64"), draw(rng, (0.5, 2), (4,), "float64")
    for f in (
        lambda w: fg.average(x, axis=1, weights=w),
        lambda w: fg.average(x, axis=1, weights=w, returned=True)[1],
        lambda w: fg.cov(x, aweights=w),
        lambda w: fg.cov(x, aweights=w, fweights=np.array([1, 2, 1, 3])),
    ):
        g = draw(seed("g"), (-1, 1), f(w).shape, "float64")
        loss = lambda: (float((f(w).numpy() * g).sum()), float(np.abs(f(w).numpy() * g).sum()))
        assert_gradient(grad(lambda w: (f(w) * g).sum())(w), loss, w, "weights")


def test_the_slope_of_a_quantile_at_the_ends_and_at_elements():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    slope = jacfwd(lambda q: fg.quantile(x, q))(np.array([0.0, 1 / 3, 0.5, 1.0]))
    np.testing.assert_allclose(np.diag(slope), [3, 6, 6, 0])
    slope = jacrev(lambda q: fg.percentile(x, q))(np.array([50.0]))
    np.testing.assert_allclose(slope, [[0.06]])


def test_the_median_of_many_is_as_that_of_one():
    x = draw(seed("many"), (-2, 2), (4, 3, 5), "float64")
    for f in (
        lambda x: fg.median(x, axis=0),
        lambda x: fg.quantile(x, [0.2, 0.6], axis=(0, 1)),
        lambda x: fg.nanquantile(x, 0.4, axis=1, keepdims=True),
        lambda x: fg.quantile(x, 0.3, axis=1, method="inverted_cdf", weights=np.arange(1.0, 6.0)),
    ):
        np.testing.assert_allclose(vmap(f)(x), [f(a).numpy() for a in x])
    q = np.array([0.1, 0.5, 0.9, 0.3])
    for method in METHODS:
        f = lambda a, q: fg.quantile(a, q, axis=0, method=method)
        np.testing.assert_allclose(vmap(f)(x, q), [f(a, b).numpy() for a, b in zip(x, q)], rtol=1e-14)
    x[0, 1] = np.nan
    f = lambda a, q: fg.nanquantile(a, q)
    np.testing.assert_allclose(vmap(f)(x, q), [f(a, b).numpy() for a, b in zip(x, q)], rtol=1e-14)


def test_each_example_has_its_own_mask():
    rng = seed("masks")
    x, mask = draw(rng, (-2, 2), (4, 3, 2), "float64"), rng.random((4, 3, 2)) < 0.7
    for name, more in (("sum", {}), ("mean", {}), ("var", {}), ("max", {"initial": -1.0}), ("prod", {"axis": 0})):
        f = getattr(fg, name)
        found = vmap(lambda a, m: f(a, where=m, **more))(x, mask)
        np.testing.assert_allclose(found, [f(a, where=m, **more).numpy() for a, m in zip(x, mask)])
        found = vmap(lambda a: f(a, where=mask[0, :, 0][:, None], **more))(x)
        np.testing.assert_allclose(found, [f(a, where=mask[0, :, 0][:, None], **more).numpy() for a in x])
        found = vmap(lambda m: f(fg.asarray(x[0]), where=m, **more))(mask)
        np.testing.assert_allclose(found, [f(x[0], where=m, **more).numpy() for m in mask])


def test_running_logarithms_neither_overflow_nor_lose_a_second_derivative():
    x = np.array([0.0, 400.0, -1e4, 400.0, 3.0])
    f = lambda x: (fg.logcumsumexp(x) * np.arange(5.0)).sum()
    assert np.isfinite(grad(f)(x)).all()
    np.testing.assert_allclose(jacrev(grad(f))(x), jacfwd(grad(f))(x), atol=1e-12)
    assert np.isfinite(jacrev(grad(f))(x)).all()


def test_short_calls_know_where_and_initial_too():
    x = fg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    mask = np.array([[True, False], [True, True]])
    assert x.max(where=mask, initial=0.0).item() == 4 and x.prod(where=mask).item() == 12
    assert x.all(where=mask).item() and x.std(where=mask).requires_grad
    assert fg.sum([1, 2, 3], where=[True, False, True]).item() == 4


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "all", "any", "var", "std"])
def test_methods_take_what_the_functions_take(name):
    x = fg.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    mask = np.array([True, False, True])
    more = {"initial": 0.0} if name in ("max", "min") else {}
    for options in ({"where": mask, **more}, {"axis": 1, "where": mask, "keepdims": True, **more}, {"axis": 0}):
        found = getattr(x, name)(**options).numpy()
        assert np.array_equal(found, getattr(x.numpy(), name)(**options)), options
