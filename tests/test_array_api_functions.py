"""The array API standard 2024.12, function by function: making, shaping, reducing, searching, sorting, linalg, fft."""

import math

import numpy as np
import pytest

import fastgrad as fg

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra.numpy import mutually_broadcastable_shapes  # noqa: E402
from standard import FLOATS, INEXACT, INTEGERS, NUMBERS, REALS, arrays, as_numpy, plain, promoted, same, shapes, xps  # noqa: E402

some = hypothesis.settings(max_examples=25)
ALL = ["bool", *NUMBERS]


def options(data, **strategies):
    """Some of these keywords, or all, or none."""
    return {key: data.draw(value, label=key) for key, value in strategies.items() if data.draw(st.booleans())}


def axes(ndim):
    one = st.integers(-ndim, ndim - 1) if ndim else st.nothing()
    return st.none() | (one | xps.valid_tuple_axes(ndim) if ndim else st.nothing())


# ---------------------------------------------------------------- creation


@some
@given(st.data())
def test_asarray(data):
    x = data.draw(arrays(ALL))
    nested, dtype = x.tolist(), data.draw(st.sampled_from([None, x.dtype]))
    if x.size and (dtype is not None or x.dtype in (fg.bool, fg.float64, fg.complex128)):
        same(fg.asarray(nested, dtype=dtype), x.numpy())
        same(fg.asarray([[fg.asarray(v, dtype=x.dtype) for v in x.reshape(-1).tolist()]], dtype=x.dtype),
             x.numpy().reshape(1, -1))  # fmt: skip
    copied = fg.asarray(x, copy=True, device="cpu")
    shared = fg.asarray(x, copy=False)
    same(copied, x.numpy())
    assert shared is fg.asarray(x) is x
    if x.size:
        assert not np.shares_memory(copied.numpy(), x.numpy())


@pytest.mark.parametrize(
    ("obj", "options"),
    [([1, 2], {}), (1.0, {}), (fg.ones(2), {"dtype": "float32"}), (np.ones(2), {"dtype": "int8"})],
)
def test_asarray_refuses_to_copy(obj, options):
    with pytest.raises(ValueError, match="copy"):
        fg.asarray(obj, copy=False, **options)


def test_integers_that_a_dtype_cannot_hold_are_refused():
    assert fg.asarray([2**64 - 1, 0], dtype=fg.uint64).tolist() == [2**64 - 1, 0]
    for make in (fg.asarray, fg.tensor):
        for values, dtype in (([300], "uint8"), (2**63, "int64"), ([[-1]], "uint16")):
            with pytest.raises(OverflowError):
                make(values, dtype=dtype)


def test_asarray_takes_buffers_and_dlpack():
    assert fg.asarray(memoryview(b"\x01\x02")).tolist() == [1, 2]
    memory = bytearray(8)
    fg.asarray(memory)[0] = 1
    assert memory[0] == 1

    class Exporter:
        def __init__(self, array):
            self.__dlpack__, self.array = array.__dlpack__, array

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    assert fg.from_dlpack(Exporter(np.arange(3))).tolist() == [0, 1, 2]


def numbers(dtype):
    if dtype is None or fg.isdtype(dtype, "real floating"):
        return st.integers(-50, 50) | st.floats(-50, 50)
    return st.integers(0, 100)


@some
@given(st.data())
def test_arange(data):
    dtype = data.draw(st.none() | st.sampled_from(REALS).map(lambda name: getattr(fg, name)))
    start, stop = data.draw(numbers(dtype)), data.draw(st.none() | numbers(dtype))
    step = data.draw(numbers(dtype).filter(lambda v: abs(v) > 0.1))
    args = (start,) if stop is None else (start, stop, step)
    out = as_numpy(fg.arange, np.arange, *args, dtype=dtype)
    if dtype is None:
        assert out.dtype == (fg.int64 if all(type(v) is int for v in args) else fg.float64)
    else:
        assert out.dtype == dtype


@some
@given(st.data())
def test_linspace(data):
    dtype = data.draw(st.none() | st.sampled_from(INEXACT).map(lambda name: getattr(fg, name)))
    start, stop = data.draw(st.floats(-100, 100)), data.draw(st.floats(-100, 100))
    kw = options(data, endpoint=st.booleans(), device=st.just("cpu"))
    num = data.draw(st.integers(0, 20))
    out = as_numpy(
        fg.linspace, np.linspace, start, stop, num, dtype=dtype, **{k: v for k, v in kw.items() if k != "device"}
    )
    same(fg.linspace(start, stop, num=num, dtype=dtype, **kw), out.numpy())
    assert out.dtype == (dtype or fg.float64) and out.shape == (num,)


@some
@given(st.data())
def test_eye_zeros_ones_empty_full(data):
    dtype = data.draw(st.none() | st.sampled_from(ALL).map(lambda name: getattr(fg, name)))
    n, m = data.draw(st.integers(0, 5)), data.draw(st.none() | st.integers(0, 5))
    kw = options(data, k=st.integers(-7, 7), dtype=st.just(dtype))
    as_numpy(fg.eye, lambda n, m, **kw: np.eye(n, m, **{"dtype": kw.pop("dtype", None) or float, **kw}), n, m, **kw)
    shape = data.draw(shapes() | st.integers(0, 5))
    for name in ("zeros", "ones"):
        as_numpy(getattr(fg, name), getattr(np, name), shape, dtype=dtype)
    out = fg.empty(shape, dtype=dtype, device="cpu")
    assert out.dtype == (dtype or fg.float64) and out.shape == np.empty(shape).shape
    x = data.draw(arrays(ALL, shape if isinstance(shape, tuple) else (shape,)))
    for name in ("zeros_like", "ones_like"):
        as_numpy(getattr(fg, name), getattr(np, name), x, dtype=dtype)
    assert fg.empty_like(x).dtype == x.dtype and fg.empty_like(x).shape == x.shape
    value = data.draw(st.integers(0, 100) | st.booleans() | (st.floats() if x.dtype.kind in "fc" else st.nothing()))
    as_numpy(fg.full_like, np.full_like, x, value)
    as_numpy(fg.full, np.full, shape, value)
    kind = {bool: "bool", int: "int64", float: "float64"}[type(value)]
    assert fg.full(shape, value).dtype == kind


@some
@given(st.data())
def test_meshgrid_tril_triu(data):
    dtype = data.draw(st.sampled_from(ALL))
    vectors = data.draw(st.lists(arrays(dtype, shapes(1, 0, 1)), min_size=1, max_size=3))
    kw = options(data, indexing=st.sampled_from(["xy", "ij"]))
    as_numpy(
        lambda *xs, **kw: tuple(fg.meshgrid(*xs, **kw)), lambda *xs, **kw: tuple(np.meshgrid(*xs, **kw)), *vectors, **kw
    )
    x = data.draw(arrays(ALL, shapes(2)))
    kw = options(data, k=st.integers(-6, 6))
    as_numpy(fg.tril, np.tril, x, **kw)
    as_numpy(fg.triu, np.triu, x, **kw)


@some
@given(st.data())
def test_dlpack(data):
    x = data.draw(arrays(NUMBERS, shapes(1)))
    assert tuple(map(int, x.__dlpack_device__())) == (1, 0)
    x.__dlpack__(**options(data, max_version=st.tuples(st.integers(0, 2), st.just(0)), dl_device=st.just((1, 0)),
                           copy=st.booleans(), stream=st.none()))  # fmt: skip
    kw = options(data, copy=st.booleans(), device=st.just("cpu"))
    out = fg.from_dlpack(x, **kw)
    same(out, x.numpy())
    if x.size:
        assert np.shares_memory(out.numpy(), x.numpy()) == (not kw.get("copy"))


# ---------------------------------------------------------------- manipulation


@some
@given(st.data())
def test_joining(data):
    first, second = data.draw(st.sampled_from([(a, b) for a in ALL for b in ALL if promoted(a, b)]))
    shape = data.draw(shapes(1))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    other = list(shape)
    other[axis] = data.draw(st.integers(0, 4))
    x, y, z = data.draw(arrays(first, shape)), data.draw(arrays(second, tuple(other))), data.draw(arrays(second, shape))
    assert as_numpy(fg.concat, np.concatenate, [x, y], axis=axis).dtype == promoted(first, second)
    as_numpy(fg.concat, np.concatenate, (x, z), axis=None)
    as_numpy(fg.concat, np.concatenate, (x, z))
    as_numpy(fg.stack, np.stack, (x, z), axis=data.draw(st.integers(-len(shape) - 1, len(shape))))
    out = fg.unstack(x, axis=axis)
    assert isinstance(out, tuple)
    same(out, [np.take(x.numpy(), i, axis) for i in range(x.shape[axis])])
    same(fg.asarray(out, dtype=x.dtype), np.moveaxis(x.numpy(), axis, 0)) if out else None


@some
@given(st.data())
def test_axes_are_moved(data):
    x = data.draw(arrays(ALL, shapes(1)))
    n = x.ndim
    order = tuple(data.draw(st.permutations(range(n))))
    as_numpy(fg.permute_dims, np.transpose, x, order)
    as_numpy(fg.moveaxis, np.moveaxis, x, order, tuple(range(n)))
    as_numpy(fg.moveaxis, np.moveaxis, x, data.draw(st.integers(-n, n - 1)), data.draw(st.integers(-n, n - 1)))
    as_numpy(fg.flip, np.flip, x, **options(data, axis=axes(n)))
    as_numpy(fg.expand_dims, np.expand_dims, x, axis=data.draw(st.integers(-n - 1, n)))
    with pytest.raises(IndexError):
        fg.expand_dims(x, axis=data.draw(st.sampled_from([-n - 2, n + 1])))
    as_numpy(fg.squeeze, np.squeeze, x, data.draw(st.integers(-n, n - 1)))
    ones = tuple(i for i, size in enumerate(x.shape) if size == 1)
    as_numpy(fg.squeeze, np.squeeze, x, ones)
    shift = data.draw(st.integers(-9, 9))
    as_numpy(fg.roll, np.roll, x, shift, **options(data, axis=st.none() | st.integers(-n, n - 1)))
    as_numpy(fg.roll, np.roll, x, (shift,) * n, axis=order)
    if n > 1:
        as_numpy(fg.matrix_transpose, np.matrix_transpose, x)
        same(x.mT, np.swapaxes(x.numpy(), -1, -2))
    if n == 2:
        same(x.T, x.numpy().T)


@some
@given(st.data())
def test_sizes_are_changed(data):
    x = data.draw(arrays(ALL))
    as_numpy(fg.tile, np.tile, x, data.draw(st.lists(st.integers(0, 3), max_size=x.ndim + 1).map(tuple)))
    as_numpy(fg.repeat, np.repeat, x, data.draw(st.integers(0, 3)))
    as_numpy(fg.reshape, np.reshape, x, (-1,) if x.size else (0,))
    if x.ndim:
        axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
        each = data.draw(arrays("int64", (x.shape[axis],)))
        as_numpy(fg.repeat, np.repeat, x, fg.abs(each) % 3, axis=axis)
    copied = fg.reshape(x, (x.size,), copy=True)
    assert not x.size or not np.shares_memory(copied.numpy(), x.numpy())
    wide = data.draw(xps.broadcastable_shapes(x.shape, max_dims=4, max_side=3, min_side=0))
    try:
        shape = np.broadcast_shapes(x.shape, wide)
    except ValueError:
        assume(False)
    as_numpy(fg.broadcast_to, np.broadcast_to, x, shape)
    y = fg.zeros(wide)
    as_numpy(lambda *xs: tuple(fg.broadcast_arrays(*xs)), lambda *xs: tuple(np.broadcast_arrays(*xs)), x, y)
    assert fg.broadcast_shapes(x.shape, wide) == shape


def test_reshape_without_a_copy():
    x = fg.ones((2, 3))
    assert np.shares_memory(fg.reshape(x, (3, 2), copy=False).numpy(), x.numpy())
    with pytest.raises(ValueError, match="copy"):
        fg.reshape(x.T, (6,), copy=False)


# ---------------------------------------------------------------- indexing


@some
@given(st.data())
def test_getitem_and_setitem(data):
    x = data.draw(arrays(ALL, shapes(min_side=1)))
    key = data.draw(xps.indices(x.shape, allow_newaxis=True))
    same(x[key], x.numpy()[key])
    mask = data.draw(arrays("bool", x.shape))
    same(x[mask], x.numpy()[mask.numpy()])
    key = data.draw(xps.indices(x.shape))
    value = data.draw(xps.from_dtype(x.dtype) | arrays(str(x.dtype), ()))
    for place in (key, mask):
        changed, expected = fg.asarray(x, copy=True), x.numpy().copy()
        changed[place] = value
        expected[plain(place)] = plain(value)
        same(changed, expected)
    with pytest.raises(IndexError):
        x[fg.ones((5,) * (x.ndim + 1), dtype=fg.bool)]


@some
@given(st.data())
def test_take(data):
    x = data.draw(arrays(ALL, shapes(1, 1)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    size = x.shape[axis]
    indices = fg.asarray(data.draw(st.lists(st.integers(-size, size - 1), max_size=4)), dtype=fg.int64)
    as_numpy(fg.take, np.take, x, indices, axis=axis)
    picks = data.draw(arrays("int64", x.shape)) % size
    as_numpy(fg.take_along_axis, np.take_along_axis, x, picks, axis=axis)
    if x.ndim == 1:
        as_numpy(fg.take, np.take, x, indices)


# ---------------------------------------------------------------- statistics and utilities


@some
@given(st.data())
@pytest.mark.filterwarnings("ignore:Degrees of freedom")
@pytest.mark.parametrize("name", ["max", "min", "sum", "prod", "mean", "std", "var", "all", "any"])
def test_reductions(name, data):
    dtypes = {"mean": INEXACT, "std": FLOATS, "var": FLOATS, "max": REALS, "min": REALS, "all": ALL, "any": ALL}
    x = data.draw(arrays(dtypes.get(name, NUMBERS), shapes(min_side=0 if name in ("all", "any", "sum", "prod") else 1)))
    kw = options(data, axis=axes(x.ndim), keepdims=st.booleans())
    if name in ("std", "var"):
        assume(math.prod(x.shape) > 1)
        kw |= options(data, correction=st.floats(0, 1) | st.integers(0, 1))
    if name in ("sum", "prod"):
        kw |= options(data, dtype=st.sampled_from([d for d in NUMBERS if promoted(str(x.dtype), d) == d]))
    out = as_numpy(getattr(fg, name), getattr(np, name), x, **kw)
    if name in ("sum", "prod") and "dtype" not in kw:
        assert out.dtype == (x.dtype if x.dtype.kind in "fc" else "uint64" if x.dtype.kind == "u" else "int64")
    elif name in ("all", "any"):
        assert out.dtype == fg.bool
    else:
        assert out.dtype == kw.get("dtype", x.dtype)


@some
@given(st.data())
def test_cumulative_sums_and_products(data):
    x = data.draw(arrays(NUMBERS, shapes(1)))
    kw = options(
        data,
        dtype=st.sampled_from([d for d in NUMBERS if promoted(str(x.dtype), d) == d]),
        include_initial=st.booleans(),
    )
    if x.ndim > 1 or data.draw(st.booleans()):
        kw["axis"] = data.draw(st.integers(-x.ndim, x.ndim - 1))
    axis = kw.get("axis", 0)
    for name, ufunc in (("cumulative_sum", np.add), ("cumulative_prod", np.multiply)):
        out = getattr(fg, name)(x, **kw)
        with np.errstate(all="ignore"):
            default = {"i": "int64", "u": "uint64"}.get(x.dtype.kind, x.dtype)
            expected = ufunc.accumulate(x.numpy(), axis=axis, dtype=kw.get("dtype", default))
        if kw.get("include_initial"):
            first = np.full_like(np.take(expected, [], axis), ufunc.identity)
            shape = list(expected.shape)
            shape[axis] = 1
            first = np.full(shape, ufunc.identity, expected.dtype)
            expected = np.concatenate([first, expected], axis)
        same(out, expected)


@some
@given(st.data())
def test_diff(data):
    x = data.draw(arrays(NUMBERS, shapes(1, 1)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    extra = options(
        data, n=st.integers(0, 3), prepend=arrays(str(x.dtype), x.shape), append=arrays(str(x.dtype), x.shape)
    )
    as_numpy(fg.diff, np.diff, x, axis=axis, **extra)


# ---------------------------------------------------------------- searching, sorting, sets


@some
@given(st.data())
def test_searching(data):
    x = data.draw(arrays(REALS, shapes(1, 1), allow_nan=False))
    kw = options(data, axis=st.none() | st.integers(-x.ndim, x.ndim - 1), keepdims=st.booleans())
    for name in ("argmax", "argmin"):
        assert as_numpy(getattr(fg, name), getattr(np, name), x, **kw).dtype == np.intp
    kw = options(data, axis=axes(x.ndim), keepdims=st.booleans())
    assert as_numpy(fg.count_nonzero, lambda x, **kw: np.asarray(np.count_nonzero(x, **kw)), x, **kw).dtype == np.intp
    as_numpy(fg.nonzero, np.nonzero, x)
    for part in fg.nonzero(x):
        assert part.dtype == np.intp
    with pytest.raises(ValueError):
        fg.nonzero(fg.asarray(1.0))
    first, second = data.draw(st.sampled_from([(a, b) for a in ALL for b in ALL if promoted(a, b)]))
    both = data.draw(xps.mutually_broadcastable_shapes(3, max_dims=3, max_side=3)).input_shapes
    operands = [data.draw(arrays(dtype, shape)) for dtype, shape in zip(("bool", first, second), both)]
    assert as_numpy(fg.where, np.where, *operands).dtype == promoted(first, second)


@some
@given(st.data())
def test_where_takes_scalars(data):
    x = data.draw(arrays(REALS))
    scalar = data.draw(st.integers(0, 100) if x.dtype.kind in "iu" else st.floats(-5, 5) | st.integers(0, 100))
    condition = data.draw(arrays("bool", x.shape))
    assert as_numpy(fg.where, np.where, condition, x, scalar).dtype == x.dtype
    assert as_numpy(fg.where, np.where, condition, scalar, x).dtype == x.dtype


@some
@given(st.data())
def test_sorting(data):
    x = data.draw(arrays(REALS, shapes(1, 1), allow_nan=False))
    x = x + 0 if x.dtype.kind != "f" else fg.where(x == 0, 0.0, x)  # -0.0 and 0.0 are equal, and not the same
    kw = options(data, axis=st.integers(-x.ndim, x.ndim - 1), descending=st.booleans(), stable=st.booleans())
    axis, descending = kw.get("axis", -1), kw.get("descending", False)
    out, order = fg.sort(x, **kw), fg.argsort(x, **kw)
    expected = np.sort(x.numpy(), axis=axis)
    same(out, np.flip(expected, axis) if descending else expected)
    assert order.dtype == np.intp
    same(fg.take_along_axis(x, order, axis=axis), out.numpy())
    if kw.get("stable", True):
        rows = np.moveaxis(x.numpy(), axis, -1).reshape(-1, x.shape[axis]).tolist()
        found = np.moveaxis(order.numpy(), axis, -1).reshape(-1, x.shape[axis]).tolist()
        assert found == [sorted(range(len(row)), key=row.__getitem__, reverse=descending) for row in rows]


@pytest.mark.parametrize("descending", [False, True])
def test_sorts_are_stable_without_being_asked(descending):
    x = fg.asarray(np.random.default_rng(0).integers(0, 3, 1000))
    expected = sorted(range(1000), key=x.tolist().__getitem__, reverse=descending)
    assert fg.argsort(x, descending=descending).tolist() == expected


@some
@given(st.data())
def test_searchsorted(data):
    values = data.draw(st.lists(xps.from_dtype(fg.float64, allow_nan=False), min_size=1, unique=True))
    x = fg.asarray(values, dtype=fg.float64)
    kw = options(data, side=st.sampled_from(["left", "right"]))
    if data.draw(st.booleans()):
        kw["sorter"] = fg.argsort(x)
    else:
        x = fg.sort(x)
    v = fg.asarray(data.draw(st.lists(st.sampled_from(values))), dtype=fg.float64)
    assert as_numpy(fg.searchsorted, np.searchsorted, x, v, **kw).dtype == np.intp


@some
@given(st.data())
def test_sets(data):
    x = data.draw(arrays(ALL, shapes(min_side=1)))
    flat = x.numpy().ravel()
    named = fg.unique_all(x)
    values, indices, inverse, counts = named
    assert named._fields == ("values", "indices", "inverse_indices", "counts")
    same(values, np.unique(flat, equal_nan=False))
    assert indices.dtype == inverse.dtype == counts.dtype == np.intp
    assert inverse.shape == x.shape and indices.shape == counts.shape == values.shape
    np.testing.assert_array_equal(flat[indices.numpy()], values.numpy())
    np.testing.assert_array_equal(values.numpy()[inverse.numpy()], x.numpy())
    assert counts.sum() == x.size
    assert all(counts[i] == 1 for i in range(values.size) if values[i] != values[i])  # each nan is another
    assert fg.unique_counts(x)._fields == ("values", "counts")
    assert fg.unique_inverse(x)._fields == ("values", "inverse_indices")
    same(fg.unique_counts(x), (values.numpy(), counts.numpy()))
    same(fg.unique_inverse(x), (values.numpy(), inverse.numpy()))
    same(fg.unique_values(x), values.numpy())


# ---------------------------------------------------------------- linear algebra


def matrices(dtypes, square=False, **elements):
    drawn = shapes(2, 1)
    if square:
        drawn = drawn.map(lambda shape: (*shape[:-1], shape[-2]))
    return arrays(dtypes, drawn, **(elements or {"min_value": -10, "max_value": 10}))


def invertible(data, dtype="float64", batch=None):
    n = data.draw(st.integers(1, 4))
    batch = data.draw(shapes(0, 1, 1)) if batch is None else batch
    noise = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(-0.4, 0.4, (*batch, n, n)) / n
    return fg.asarray((np.eye(n) + noise).astype(dtype))


@some
@given(st.data())
def test_products(data):
    first, second = data.draw(st.sampled_from([(a, b) for a in NUMBERS for b in NUMBERS if promoted(a, b)]))
    both = data.draw(mutually_broadcastable_shapes(signature="(n,m),(m,k)->(n,k)", max_dims=2, max_side=3)).input_shapes
    small = {"min_value": -10, "max_value": 10} if first in FLOATS and second in FLOATS else {"allow_nan": False}
    x, y = data.draw(arrays(first, both[0], **({} if first[0] == "c" else small))), data.draw(arrays(second, both[1]))
    for module in (fg, fg.linalg):
        assert as_numpy(module.matmul, np.matmul, x, y).dtype == promoted(first, second)
    as_numpy(fg.tensordot, np.tensordot, x, y, axes=data.draw(st.sampled_from([0, 1, ((-1,), (-2,))])))
    both = data.draw(mutually_broadcastable_shapes(signature="(n),(n)->()", max_dims=3, max_side=3)).input_shapes
    x, y = data.draw(arrays(first, both[0])), data.draw(arrays(second, both[1]))
    for module in (fg, fg.linalg):
        assert as_numpy(module.vecdot, np.vecdot, x, y).dtype == promoted(first, second)
    x, y = data.draw(arrays(first, shapes(1, 0, 1))), data.draw(arrays(second, shapes(1, 0, 1)))
    as_numpy(fg.linalg.outer, np.linalg.outer, x, y)
    shape = data.draw(shapes(0, 1, 2))
    x, y = data.draw(arrays(first, (*shape, 3))), data.draw(arrays(second, (*shape, 3)))
    as_numpy(fg.linalg.cross, np.linalg.cross, x, y)
    as_numpy(fg.linalg.cross, np.linalg.cross, fg.moveaxis(x, -1, 0), fg.moveaxis(y, -1, 0), axis=-x.ndim)


def test_products_of_shapes_that_do_not_fit():
    x, y = fg.ones((2, 3)), fg.ones((4, 5))
    for call in (fg.matmul, fg.vecdot, fg.linalg.cross, fg.tensordot):
        with pytest.raises(ValueError):
            call(x, y)
    with pytest.raises(ValueError):
        fg.matmul(fg.ones(()), x)


@some
@given(st.data())
def test_matrices_and_their_diagonals(data):
    x = data.draw(matrices(NUMBERS, allow_nan=False))
    kw = options(data, offset=st.integers(-5, 5))
    as_numpy(fg.linalg.diagonal, np.linalg.diagonal, x, **kw)
    as_numpy(fg.linalg.trace, np.linalg.trace, x, **kw)
    as_numpy(fg.linalg.matrix_transpose, np.matrix_transpose, x)


@some
@given(st.data())
def test_decompositions(data):
    dtype = data.draw(st.sampled_from(FLOATS))
    close = {"rtol": 1e-3, "atol": 1e-3} if dtype == "float32" else {"rtol": 1e-8, "atol": 1e-8}
    x = data.draw(matrices(dtype))
    *batch, m, n = x.shape
    k = min(m, n)
    for full in (False, True):
        u, s, vh = result = fg.linalg.svd(x, full_matrices=full)
        assert result._fields == ("U", "S", "Vh") and u.dtype == s.dtype == vh.dtype == dtype
        assert u.shape == (*batch, m, m if full else k) and vh.shape == (*batch, n if full else k, n)
        np.testing.assert_allclose(((u[..., :k] * s[..., None, :]) @ vh[..., :k, :]).numpy(), x.numpy(), **close)
        q, r = result = fg.linalg.qr(x, mode="complete" if full else "reduced")
        assert result._fields == ("Q", "R") and q.shape == (*batch, m, m if full else k)
        np.testing.assert_allclose((q @ r).numpy(), x.numpy(), **close)
        same(fg.triu(r), r.numpy())
    np.testing.assert_allclose(fg.linalg.svdvals(x).numpy(), s.numpy(), **close)
    for ord_ in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        norm = fg.linalg.matrix_norm(x, ord=ord_, keepdims=True)
        assert norm.shape == (*batch, 1, 1) and norm.dtype == dtype
        assert fg.linalg.matrix_norm(x, ord=ord_).shape == tuple(batch)
    assert fg.linalg.matrix_rank(x).shape == tuple(batch) and fg.linalg.matrix_rank(x, rtol=0.1).dtype == np.intp
    assert fg.linalg.pinv(x).shape == (*batch, n, m) and fg.linalg.pinv(x, rtol=1e-3).dtype == dtype
    square = invertible(data, dtype)
    symmetric = square + square.mT
    values, vectors = result = fg.linalg.eigh(symmetric)
    assert result._fields == ("eigenvalues", "eigenvectors")
    np.testing.assert_allclose((symmetric @ vectors).numpy(), (values[..., None, :] * vectors).numpy(), **close)
    np.testing.assert_allclose(fg.linalg.eigvalsh(symmetric).numpy(), values.numpy(), **close)
    definite = square @ square.mT
    for upper in (False, True):
        factor = fg.linalg.cholesky(definite, upper=upper)
        same((fg.triu if upper else fg.tril)(factor), factor.numpy())
        rebuilt = factor.mT @ factor if upper else factor @ factor.mT
        np.testing.assert_allclose(rebuilt.numpy(), definite.numpy(), **close)


@some
@given(st.data())
def test_systems_and_determinants(data):
    dtype = data.draw(st.sampled_from(FLOATS))
    x = invertible(data, dtype)
    assert fg.linalg.slogdet(x)._fields == ("sign", "logabsdet")
    as_numpy(fg.linalg.slogdet, lambda x: tuple(np.linalg.slogdet(x)), x)
    as_numpy(fg.linalg.det, np.linalg.det, x)
    as_numpy(fg.linalg.inv, np.linalg.inv, x)
    as_numpy(fg.linalg.matrix_power, np.linalg.matrix_power, x, data.draw(st.integers(-5, 6)))
    n = x.shape[-1]
    right = [fg.ones((n,), dtype=dtype), fg.ones((n, 2), dtype=dtype), fg.ones((*x.shape[:-1], 1), dtype=dtype)]
    for y in right:
        as_numpy(fg.linalg.solve, np.linalg.solve, x, y)
    v = data.draw(arrays(dtype, shapes(1, 1), min_value=-10, max_value=10))
    kw = options(
        data,
        axis=axes(v.ndim),
        keepdims=st.booleans(),
        ord=st.sampled_from([2, 1, 0, -1, -2, 3.5, math.inf, -math.inf]),
    )
    as_numpy(fg.linalg.vector_norm, np.linalg.vector_norm, v, **kw)


# ---------------------------------------------------------------- Fourier transforms


@some
@given(st.data())
def test_fourier_transforms_of_one_axis(data):
    real = data.draw(arrays(FLOATS, shapes(1, 2), min_value=-10, max_value=10))
    x = fg.astype(real, "complex64" if real.dtype == fg.float32 else "complex128")
    kw = options(data, n=st.none() | st.integers(1, 6), axis=st.integers(-x.ndim, x.ndim - 1),
                 norm=st.sampled_from(["backward", "ortho", "forward"]))  # fmt: skip
    for name, operand in (("fft", x), ("ifft", x), ("irfft", x), ("hfft", x), ("rfft", real), ("ihfft", real)):
        out = as_numpy(getattr(fg.fft, name), getattr(np.fft, name), operand, **kw)
        assert out.dtype == (real.dtype if name in ("irfft", "hfft") else x.dtype)


@some
@given(st.data())
def test_fourier_transforms_of_several_axes(data):
    real = data.draw(arrays(FLOATS, shapes(1, 2), min_value=-10, max_value=10))
    x = fg.astype(real, "complex64" if real.dtype == fg.float32 else "complex128")
    kw = options(data, norm=st.sampled_from(["backward", "ortho", "forward"]))
    over = data.draw(st.none() | st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True))
    if over is not None:
        kw |= {"axes": over}
        kw |= options(data, s=st.tuples(*[st.integers(1, 5)] * len(over)))
    for name, operand in (("fftn", x), ("ifftn", x), ("rfftn", real), ("irfftn", x)):
        as_numpy(getattr(fg.fft, name), getattr(np.fft, name), operand, **kw)
    for name in ("fftshift", "ifftshift"):
        as_numpy(getattr(fg.fft, name), getattr(np.fft, name), real, **({} if over is None else {"axes": over}))


@some
@given(n=st.integers(1, 50), d=st.floats(0.1, 5))
def test_frequencies(n, d):
    for name in ("fftfreq", "rfftfreq"):
        function = getattr(fg.fft, name)
        same(function(n, d=d), getattr(np.fft, name)(n, d))
        assert function(n, dtype=fg.float32, device="cpu").dtype == fg.float32


def test_integers_are_the_dtypes_that_are_asked_for():
    assert all(fg.zeros(1, dtype=name).dtype == name for name in INTEGERS)
