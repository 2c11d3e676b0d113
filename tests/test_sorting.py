"""Sorting, searching, sets and counting: what NumPy gives and raises, in every dtype; ties; what no row's cases show."""

import numpy as np
import pytest
from samples import as_arrays, assert_same_outcome, attempt, draw, seed

import fastgrad as fg
from fastgrad.func import grad, jacfwd, jacrev, vmap

DTYPES = ["bool", "int8", "uint8", "int64", "float16", "float32", "float64", "complex64", "complex128"]


def tensors(value):
    """Arrays as Tensors, however they are nested."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(tensors, value))
    return fg.asarray(value) if isinstance(value, np.ndarray) else value


def compare(name, *args, **options):
    """fastgrad's function and NumPy's on Tensors give what NumPy's gives on arrays, or raise what it raises."""
    expected = attempt(lambda: getattr(np, name)(*args, **options))
    given, more = tensors(args), {key: tensors(value) for key, value in options.items()}
    for module in (fg, np):
        what = f"{module.__name__}.{name}{args}{options}"
        assert_same_outcome(expected, attempt(lambda: getattr(module, name)(*given, **more)), what)


def arrays(name, dtype):
    rng = seed(name, dtype)
    for shape in ((5,), (3, 4), (2, 3, 4), (1,), (0,), (0, 3), (40, 30)):
        x = draw(rng, (-9, 9), shape, dtype)
        yield x
        if x.dtype.kind in "fc" and x.size > 2:
            gaps = x.copy()
            gaps.reshape(-1)[[1, -1]] = np.nan
            yield gaps


def axes(x):
    return [None, *range(-1, x.ndim)]


# ---------------------------------------------------------------- NumPy's values


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_works_along_an_axis(dtype):
    for x in arrays("axis", dtype):
        for axis in axes(x):
            compare("sort", x, axis=axis)
            compare("sort", x, axis=axis, kind="stable")
            compare("argsort", x, axis=axis, stable=True)
            compare("count_nonzero", x, axis=axis, keepdims=True)
        compare("sort_complex", x)
        for axis in axes(x):
            length = x.size if axis is None else x.shape[axis]
            if 0 < length < 16:  # of longer ones, NumPy leaves open what is where around the k-th
                compare("partition", x, length // 2, axis=axis)
            if x.size:
                compare("take_along_axis", x, np.argsort(x, axis=axis), axis)


@pytest.mark.parametrize("dtype", DTYPES)
def test_searching_and_sets(dtype):
    for x in arrays("sets", dtype):
        for name in ("nonzero", "argwhere", "flatnonzero", "unique", "unique_all", "unique_counts", "unique_inverse"):
            compare(name, x)
        compare("unique", x, return_index=True, return_inverse=True, return_counts=True)
        compare("unique", x, equal_nan=False, return_index=True)
        compare("isin", x, x.ravel()[:2])
        compare("isin", x, [1, 2], invert=True)
        compare("lexsort", (x, x[::-1].copy()))
        if x.ndim > 1:
            compare("unique", x, axis=0, return_counts=True)
            compare("unique", x, axis=1, return_inverse=True)
            continue
        compare("searchsorted", np.sort(x), x)
        compare("searchsorted", x, x, side="right", sorter=np.argsort(x))
        compare("digitize", x, np.array([-1.0, 0.0, 1.0]))
        compare("digitize", x, np.array([1.0, 0.0, -1.0]), right=True)
        for name in ("intersect1d", "union1d", "setdiff1d", "setxor1d"):
            compare(name, x, x[1:3])
            compare(name, np.unique(x), np.unique(x[2:]), **({} if name == "union1d" else {"assume_unique": True}))
        compare("intersect1d", x, x[1:], return_indices=True)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32", "float64"])
def test_counting(dtype):
    rng = seed("counting", dtype)
    x, weights = draw(rng, (0.2, 2), (12,), dtype), draw(rng, (0.2, 2), (12,), "float32")
    for more in ({}, {"weights": weights}, {"density": True}, {"density": True, "weights": weights}):
        compare("histogram", x, 3, **more)
        compare("histogram", x, [0.0, 0.5, 0.7, 1.5], **more)
        compare("histogram", x, 4, range=(0.1, 1.3), **more)
        compare("histogram2d", x, weights, bins=(2, 3), **more)
        compare("histogram2d", x, weights, bins=[2, np.array([0.0, 0.3, 1.0])], **more)
        compare("histogramdd", [x, weights], 2, **more)
        compare("histogramdd", np.stack((x, weights, weights), axis=1), (2, 1, 2), **more)
    compare("histogram", x, bins="auto")
    compare("histogram_bin_edges", x, 4)
    compare("histogram", weights, weights=1j * weights)
    numbers = np.array([0, 2, 2, 5])
    compare("bincount", numbers)
    compare("bincount", numbers, minlength=9)
    compare("bincount", numbers, weights=weights[:4], minlength=2)


def test_descending_is_the_standards():
    x = np.array([[2.0, 1.0, 2.0, np.nan], [0.0, 5.0, 5.0, -1.0]])
    expected = np.array([[3, 0, 2, 1], [1, 2, 0, 3]])
    np.testing.assert_array_equal(fg.argsort(x, descending=True).numpy(), expected)
    np.testing.assert_array_equal(fg.sort(x, descending=True).numpy(), np.take_along_axis(x, expected, 1))
    signs = fg.sort(np.array([0.0, -0.0, 0.0]), descending=True, stable=True).numpy()
    assert np.signbit(signs).tolist() == [False, True, False]


def test_unique_values_are_all_there():
    for x in (np.array([3, 1, 3, 2]), np.array([2.0, np.nan, 2.0, np.nan]), np.array([1j, 0, 1j])):
        found = fg.unique_values(x)
        np.testing.assert_array_equal(np.sort(found.numpy()), np.sort(np.unique_values(x)))


# ---------------------------------------------------------------- what is wrong

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("sort", (X,), {"axis": 2}),
        ("sort", (X,), {"kind": "no such"}),
        ("sort", (X,), {"kind": "stable", "stable": True}),
        ("argsort", (X,), {"axis": -3}),
        ("sort", (np.array(1.0),), {}),
        ("partition", (X, 3), {}),
        ("argpartition", (X, 9), {"axis": 0}),
        ("take_along_axis", (X, np.array([0])), {"axis": 0}),
        ("take_along_axis", (X, np.array([[9]])), {"axis": 0}),
        ("take_along_axis", (X, np.array([[0.0]])), {"axis": 0}),
        ("searchsorted", (X, 1.0), {}),
        ("searchsorted", (X[0], 1.0), {"side": "middle"}),
        ("digitize", (X, np.array([1.0, 0.0, 3.0])), {}),
        ("bincount", (np.array([-1]),), {}),
        ("bincount", (np.array([0.5]),), {}),
        ("bincount", (np.array([1, 2]),), {"weights": np.ones(3)}),
        ("bincount", (np.array([1, 2]),), {"weights": np.ones(2) * 1j}),
        ("histogram", (X, 0), {}),
        ("histogram", (X, [1.0, 0.0]), {}),
        ("histogram", (X, 3), {"range": (2.0, 1.0)}),
        ("histogram", (X, 3), {"weights": np.ones(4)}),
        ("histogram", (np.array([np.nan]), 3), {}),
        ("histogram2d", (X[0], X[0][:2]), {}),
        ("nonzero", (np.array(1.0),), {}),
        ("unique", (X,), {"axis": 5}),
        ("put_along_axis", (X.copy(), np.array([[9]]), 1.0, 0), {}),
        ("put_along_axis", (X.copy(), np.array([[0.5]]), 1.0, 0), {}),
    ],
)
def test_bad_input_raises_what_numpy_raises(name, args, options):
    assert attempt(lambda: getattr(np, name)(*args, **options))[1] is not None
    compare(name, *args, **options)


def test_topk_says_how_many_there_are():
    with pytest.raises(ValueError, match="k=4 is not between 0 and 3"):
        fg.topk(X, 4)
    with pytest.raises(IndexError):
        fg.topk(X, 1, axis=2)


# ---------------------------------------------------------------- gradients that cases do not show


def test_weights_of_histograms_have_gradients():
    x, w = np.array([0.1, 0.2, 0.9, 5.0]), np.array([1.0, 2.0, 3.0, 4.0])
    edges = np.array([0.0, 0.5, 1.0])
    weights = fg.tensor(w, requires_grad=True)
    counts, found = fg.histogram(x, edges, weights=weights)
    (counts * np.array([10.0, 100.0])).sum().backward()
    np.testing.assert_array_equal(weights.grad.numpy(), [10, 10, 100, 0])
    assert not found.requires_grad
    np.testing.assert_allclose(
        jacrev(lambda w: np.histogram(x, 3, weights=w, density=True)[0])(w),
        jacfwd(lambda w: np.histogram(x, 3, weights=w, density=True)[0])(w),
    )
    points = np.array([[0.1, 0.2], [0.4, 0.9], [0.45, 0.3], [0.9, 0.5]])
    found = jacrev(lambda w: np.histogramdd(points, 2, weights=w)[0])(w)
    expected = np.stack([np.histogramdd(points, 2, weights=row)[0] for row in np.eye(4)], axis=-1)
    np.testing.assert_array_equal(found, expected)
    found = jacrev(lambda w: np.histogram2d(points[:, 0], points[:, 1], 2, weights=w, density=True)[0])(w)
    step = 1e-6
    for i in range(4):
        change = [np.histogram2d(*points.T, 2, weights=w + s * np.eye(4)[i], density=True)[0] for s in (step, -step)]
        np.testing.assert_allclose(found[..., i], (change[0] - change[1]) / (2 * step), atol=1e-8)


def test_counts_have_no_gradient():
    x = fg.tensor([0.5, 2.0, 3.0], requires_grad=True)
    for result in as_parts(fg.histogram(x, 2), fg.argsort(x), fg.count_nonzero(x), fg.isin(x, [2.0]), fg.argwhere(x)):
        assert not result.requires_grad


def as_parts(*results):
    return [part for result in results for part in (result if isinstance(result, tuple) else (result,))]


def test_the_gradient_of_a_value_that_is_there_twice_goes_to_the_first():
    x = fg.tensor([2.0, 1.0, 2.0], requires_grad=True)
    values, counts = fg.unique(x, return_counts=True)
    (values * np.array([10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [100, 10, 0] and counts.tolist() == [1, 2]
    matrix = fg.tensor([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]], requires_grad=True)
    (fg.unique(matrix, axis=0) * np.array([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert matrix.grad.tolist() == [[3, 4], [1, 2], [0, 0]]


def test_what_is_the_same_under_any_kind_of_sort_has_the_same_gradient():
    x = draw(seed("kinds"), (-2, 2), (50,), "float64")
    g = draw(seed("kinds g"), (-2, 2), (50,), "float64")
    for kind in ("quicksort", "stable", "heapsort"):
        a = fg.tensor(x, requires_grad=True)
        np.sort(a, kind=kind).backward(fg.asarray(g))
        expected = np.empty(50)
        expected[np.argsort(x)] = g
        np.testing.assert_array_equal(a.grad.numpy(), expected)


def test_the_gradient_of_a_long_partition_follows_its_own_order():
    x = draw(seed("partition"), (-2, 2), (3000,), "float64")
    a = fg.tensor(x, requires_grad=True)
    out = fg.partition(a, 1500)
    (out * out * np.arange(3000.0)).sum().backward()
    place = np.argsort(np.argsort(x))  # ranks
    at = np.empty(3000)
    at[np.argsort(out.detach().numpy())] = np.arange(3000)
    expected = 2 * x * np.argsort(at)[place]
    np.testing.assert_allclose(a.grad.numpy(), expected)


def test_put_along_axis_writes_in_place():
    x, v = fg.tensor(X, requires_grad=True), fg.tensor([[7.0], [8.0]], requires_grad=True)
    for write in (fg.put_along_axis, np.put_along_axis):
        x.grad = v.grad = None
        y = x * 1.0
        assert write(y, np.array([[1], [2]]), v, 1) is None
        np.testing.assert_array_equal(y.detach().numpy(), [[0, 7, 2], [3, 4, 8]])
        (y * y).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), [[0, 0, 4], [6, 8, 0]])
        np.testing.assert_array_equal(v.grad.numpy(), [[14], [16]])
        with pytest.raises(RuntimeError, match="leaf"):
            write(x, np.array([[1], [2]]), 1.0, 1)
    flat = fg.zeros((2, 2))
    fg.put_along_axis(flat, [3, 0, 3], [1.0, 2.0, 3.0], None)
    assert flat.tolist() == [[2, 0], [0, 3]]
    with pytest.raises(TypeError, match="only a Tensor"):
        fg.put_along_axis(X, np.array([[0]]), 1.0, 0)


def test_of_values_put_in_one_place_the_last_has_the_gradient():
    x, v = fg.zeros(3), fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    fg.put_along_axis(x, np.array([1, 1, 0]), v, 0)
    (x * np.array([10.0, 100.0, 1000.0])).sum().backward()
    assert v.grad.tolist() == [0, 100, 10]


# ---------------------------------------------------------------- batches


def test_each_example_has_its_own_bins():
    rng = seed("bins")
    x, v = np.sort(draw(rng, (-2, 2), (4, 5), "float64")), draw(rng, (-2, 2), (4, 3), "float64")
    x[1, -1], v[2, 0] = np.nan, np.nan
    for side in ("left", "right"):
        found = vmap(lambda a, b: fg.searchsorted(a, b, side=side))(x, v)
        np.testing.assert_array_equal(found, [np.searchsorted(a, b, side=side) for a, b in zip(x, v)])
    bins = np.stack((np.arange(4.0) - 2, 2 - np.arange(4.0), [-2, -1, 0, 0.5]))
    for right in (False, True):
        found = vmap(lambda a, b: fg.digitize(a, b, right=right))(v[[0, 1, 3]], bins)
        np.testing.assert_array_equal(found, [np.digitize(a, b, right=right) for a, b in zip(v[[0, 1, 3]], bins)])
    found = vmap(lambda a, b: fg.isin(a, b))(v, v[:, ::2])
    np.testing.assert_array_equal(found, [np.isin(a, b) for a, b in zip(v, v[:, ::2])])


def test_results_whose_shape_depends_on_values_must_be_of_one_shape():
    found = vmap(lambda x: fg.flatnonzero(x))(np.array([[0, 1, 2], [3, 0, 4]]))
    np.testing.assert_array_equal(found, [[1, 2], [0, 2]])
    with pytest.raises(TypeError, match="depends on values"):
        vmap(lambda x: fg.flatnonzero(x))(np.array([[0, 1, 2], [3, 1, 4]]))


def test_order_statistics_under_transforms():
    x = draw(seed("transforms"), (-2, 2), (3, 6), "float64")
    f = lambda row: (fg.sort(row * row) * np.arange(6.0)).sum() + fg.topk(row, 2).values.prod()
    np.testing.assert_allclose(vmap(grad(f))(x), [grad(f)(row) for row in x])
    h = jacfwd(jacrev(f))(x[0])
    np.testing.assert_allclose(h, jacrev(jacfwd(f))(x[0]))
    np.testing.assert_allclose(h, jacrev(jacrev(f))(x[0]))
    assert len(as_arrays(vmap(lambda row: fg.topk(row, 2))(x))) == 2
