"""Numeric recipes, padding, selecting, joining and polynomials: what is special to them, and what they refuse."""

import warnings

import numpy as np
import pytest
from samples import attempt, same_bits

import fastgrad as fg
from fastgrad.autograd import grad, gradcheck, gradgradcheck


def leaf(*shape, dtype=float, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.normal(size=shape)
    return fg.tensor(np.asarray(values, dtype), requires_grad=True)


# ---------------------------------------------------------------- errors

T = fg.tensor
M = np.arange(6.0).reshape(2, 3)
ERRORS = {
    "cross of four elements": (lambda: fg.cross(T([1.0] * 4), T([1.0] * 4)), ValueError, "two elements or three"),
    "cross of no axes": (lambda: fg.cross(T(1.0), T([1.0] * 3)), ValueError, "zero dimension"),
    "cross axis": (lambda: fg.cross(T(M), T(M), axis=5), np.exceptions.AxisError, "axisa"),
    "inner": (lambda: fg.inner(T(M), T([1.0, 2.0])), ValueError, "not aligned"),
    "vdot": (lambda: fg.vdot(T(M), T([1.0])), ValueError, None),
    "vecdot of no axes": (lambda: fg.vecdot(T(1.0), T([1.0])), ValueError, "at least one axis"),
    "vecdot of other lengths": (lambda: fg.vecdot(T(M), T([1.0, 2.0])), ValueError, None),
    "convolve of matrices": (lambda: fg.convolve(T(M), T([1.0])), ValueError, "two vectors"),
    "convolve of nothing": (lambda: fg.convolve(T([]), T([1.0])), ValueError, "empty"),
    "convolve mode": (lambda: fg.convolve(T([1.0]), T([1.0]), mode="half"), ValueError, "mode"),
    "correlate of matrices": (lambda: fg.correlate(T(M), T([1.0])), ValueError, "two vectors"),
    "interp of unequal points": (lambda: fg.interp(T(0.5), [0.0, 1.0], T([1.0])), ValueError, "2 points xp, but 1"),
    "interp of no points": (lambda: fg.interp(T(0.5), [], T([])), ValueError, "no points"),
    "interp of a matrix": (lambda: fg.interp(T(0.5), M, T(M)), ValueError, "vectors"),
    "interp of complex places": (lambda: fg.interp(T(0.5j), [0.0], T([1.0])), TypeError, "complex"),
    "interp period": (lambda: fg.interp(T(0.5), [0.0], T([1.0]), period=0), ValueError, "period"),
    "trapezoid axis": (lambda: fg.trapezoid(T(M), axis=2), np.exceptions.AxisError, "axis 2"),
    "trapezoid points": (lambda: fg.trapezoid(T(M), x=T([1.0, 2.0, 3.0, 4.0])), ValueError, None),
    "gradient of too little": (lambda: fg.gradient(T([1.0])), ValueError, "2 elements or more"),
    "gradient of too little, second order": (
        lambda: fg.gradient(T([1.0, 2.0]), edge_order=2),
        ValueError,
        "3 elements",
    ),
    "gradient edge_order": (lambda: fg.gradient(T(M), edge_order=3), ValueError, "edge_order"),
    "gradient spacings": (lambda: fg.gradient(T(M), 1.0, 2.0, 3.0), TypeError, "3 spacings for 2 axes"),
    "gradient places": (lambda: fg.gradient(T([1.0, 2.0, 3.0]), T([1.0, 2.0])), ValueError, "2 places for the 3"),
    "gradient matrix of places": (lambda: fg.gradient(T([1.0, 2.0, 3.0]), T(M)), ValueError, "scalars or 1d"),
    "gradient axis": (lambda: fg.gradient(T(M), axis=2), np.exceptions.AxisError, "axis 2"),
    "pad mode": (lambda: fg.pad(T(M), 1, "sideways"), ValueError, "sideways"),
    "pad option of another mode": (lambda: fg.pad(T(M), 1, "edge", constant_values=1), ValueError, "unsupported"),
    "pad option": (lambda: fg.pad(T(M), 1, "reflect", stat_length=1), ValueError, "unsupported"),
    "pad negative": (lambda: fg.pad(T(M), -1), ValueError, "negative"),
    "pad floats": (lambda: fg.pad(T(M), 1.5), TypeError, "integral type"),
    "pad of nothing": (lambda: fg.pad(T(np.ones((0, 2))), 1, "edge"), ValueError, "empty axis"),
    "pad of nothing, maximum": (lambda: fg.pad(T(np.ones((0, 2))), 1, "maximum"), ValueError, "empty axis"),
    "pad stat_length": (lambda: fg.pad(T(M), 1, "maximum", stat_length=0), ValueError, "stat_length of 0"),
    "take out of bounds": (lambda: fg.take(T(M), [6]), IndexError, "out of bounds"),
    "take axis": (lambda: fg.take(T(M), [0], axis=2), np.exceptions.AxisError, "axis 2"),
    "take mode": (lambda: fg.take(T(M), [0], mode="bounce"), ValueError, "bounce"),
    "take from nothing": (lambda: fg.take(T([]), [0]), IndexError, None),
    "select lengths": (lambda: fg.select([[True]], [T([1.0]), T([2.0])]), ValueError, "1 conditions, but 2"),
    "select nothing": (lambda: fg.select([], []), ValueError, "no conditions"),
    "select numbers": (lambda: fg.select([[1]], [T([1.0])]), TypeError, "bools"),
    "choose out of range": (lambda: fg.choose([2, 0], [T([1.0, 2.0]), T([3.0, 4.0])]), ValueError, "not one of 2"),
    "choose floats": (lambda: fg.choose([0.0], [T([1.0])]), TypeError, "cast"),
    "choose mode": (lambda: fg.choose([0], [T([1.0])], mode="bounce"), ValueError, "bounce"),
    "piecewise functions": (lambda: fg.piecewise(T([1.0]), [[True]], [1, 2, 3]), ValueError, "1 or 2 functions"),
    "compress matrix": (lambda: fg.compress([[True]], T(M)), ValueError, "vector"),
    "compress beyond": (lambda: fg.compress([False, False, True], T(M), axis=0), IndexError, "out of bounds"),
    "delete": (lambda: fg.delete(T(M), 3, axis=1), IndexError, "out of bounds"),
    "insert": (lambda: fg.insert(T(M), 9, 1.0), IndexError, "out of bounds"),
    "insert of another shape": (lambda: fg.insert(T(M), 0, T([1.0, 2.0]), axis=0), ValueError, "broadcast"),
    "append": (lambda: fg.append(T(M), T([1.0]), axis=0), ValueError, "dimension"),
    "resize": (lambda: fg.resize(T(M), -1), ValueError, "negative"),
    "trim_zeros": (lambda: fg.trim_zeros(T([0.0]), "x"), ValueError, "trim"),
    "put": (lambda: fg.put(T(M), [6], 1.0), IndexError, "index 6 is out of bounds for size 6"),
    "put mode": (lambda: fg.put(T(M), [6], 1.0, mode="bounce"), ValueError, "bounce"),
    "put floats": (lambda: fg.put(T(M), [0.5], 1.0), TypeError, "cast"),
    "put into an array": (lambda: fg.put(M, [0], T([1.0])), TypeError, "only a Tensor"),
    "copyto of too much": (lambda: fg.copyto(T(M), T([1.0, 2.0])), ValueError, "broadcast"),
    "copyto casting": (lambda: fg.copyto(T([1, 2]), T([1.0, 2.0])), TypeError, "cast"),
    "copyto an array": (lambda: fg.copyto(M, T([1.0])), TypeError, "only a Tensor"),
    "putmask": (lambda: fg.putmask(T(M), [True], 1.0), ValueError, "same size"),
    "place": (lambda: fg.place(T(M), M > 1, []), ValueError, "empty"),
    "fill_diagonal": (lambda: fg.fill_diagonal(T([1.0]), 1.0), ValueError, "2-d"),
    "fill_diagonal of a box": (lambda: fg.fill_diagonal(T(np.ones((2, 3, 2))), 1.0), ValueError, "equal length"),
    "put into a leaf": (lambda: fg.put(leaf(3), [0], 1.0), RuntimeError, "leaf"),
    "hstack": (lambda: fg.hstack([T(M), T([1.0])]), ValueError, "dimension"),
    "hstack of nothing": (lambda: fg.hstack([]), (ValueError, TypeError), None),
    "vstack": (lambda: fg.vstack([T(M), T([1.0])]), ValueError, "dimension"),
    "block tuple": (lambda: fg.block((T(M), T(M))), TypeError, "tuple"),
    "block empty": (lambda: fg.block([[], [T(M)]]), ValueError, "empty"),
    "block depths": (lambda: fg.block([T(M), [T(M)]]), ValueError, "different depths"),
    "hsplit": (lambda: fg.hsplit(T(1.0), 1), ValueError, "1 axes or more"),
    "vsplit": (lambda: fg.vsplit(T([1.0]), 1), ValueError, "2 axes or more"),
    "dsplit": (lambda: fg.dsplit(T(M), 1), ValueError, "3 axes or more"),
    "hsplit unequal": (lambda: fg.hsplit(T(M), 2), ValueError, "equal"),
    "array_split": (lambda: fg.array_split(T(M), 0), ValueError, "larger than 0"),
    "rot90 axes": (lambda: fg.rot90(T(M), axes=(0, 0)), ValueError, "different"),
    "rot90 three axes": (lambda: fg.rot90(T(M), axes=(0, 1, 2)), ValueError, "two"),
    "fliplr": (lambda: fg.fliplr(T([1.0])), ValueError, "two axes"),
    "flipud": (lambda: fg.flipud(T(1.0)), ValueError, "one axis"),
    "rollaxis": (lambda: fg.rollaxis(T(M), 0, 4), np.exceptions.AxisError, "start"),
    "tril": (lambda: fg.tril(T(1.0)), TypeError, "0-d"),
    "vander": (lambda: fg.vander(T(M)), ValueError, "vector"),
    "meshgrid": (lambda: fg.meshgrid(T([1.0]), indexing="ab"), ValueError, "indexing"),
    "broadcast_arrays": (lambda: fg.broadcast_arrays(T(M), T([1.0, 2.0])), ValueError, "broadcast"),
    "ix_": (lambda: fg.ix_(T(M)), ValueError, "1 dimensional"),
    "apply_along_axis": (lambda: fg.apply_along_axis(fg.sum, 0, T(np.ones((2, 0)))), ValueError, "empty"),
    "apply_over_axes": (lambda: fg.apply_over_axes(lambda x, i: x.sum(), T(M), [0]), ValueError, "correct shape"),
    "polyder": (lambda: fg.polyder(T([1.0]), -1), ValueError, "negative"),
    "polyint": (lambda: fg.polyint(T([1.0]), -1), ValueError, "negative"),
    "polyint constants": (lambda: fg.polyint(T([1.0]), 3, k=[1.0, 2.0]), ValueError, "k must be"),
    "polyval of a number": (lambda: fg.polyval(T(1.0), T([1.0])), TypeError, "0-d"),
    "poly of a tall matrix": (lambda: fg.poly(T(np.ones((3, 2)))), ValueError, "square"),
    "polyfit degree": (lambda: fg.polyfit([1.0, 2.0], T([1.0, 2.0]), -1), ValueError, "deg"),
    "polyfit points": (lambda: fg.polyfit(M, T([1.0, 2.0]), 1), TypeError, "vector"),
    "polyfit values": (lambda: fg.polyfit([1.0, 2.0, 3.0], T([1.0, 2.0]), 1), TypeError, "as many rows"),
    "polyfit weights": (lambda: fg.polyfit([1.0, 2.0], T([1.0, 2.0]), 1, w=[1.0]), TypeError, "weights"),
    "roots of a matrix": (lambda: fg.roots(T(M)), ValueError, "rank-1"),
    "vectorize": (lambda: fg.vectorize(1), TypeError, "function"),
    "vectorize signature": (lambda: fg.vectorize(fg.sum, signature="n->()"), ValueError, "signature"),
    "vectorize core axes": (lambda: fg.vectorize(fg.dot, signature="(n),(n)->()")(M, M[:, :2]), ValueError, "'n'"),
    "vectorize array result": (lambda: fg.vectorize(lambda x: fg.stack([x, x]))(M), ValueError, "signature="),
}


@pytest.mark.parametrize("what", ERRORS)
def test_bad_calls_raise_and_say_why(what):
    call, error, words = ERRORS[what]
    with pytest.raises(error, match=words):
        call()


def test_a_refused_write_changes_nothing():
    x = fg.tensor(M) * 1.0
    version = x._version
    for call in (
        lambda: fg.put(x, [0, 9], [7.0, 8.0]),
        lambda: fg.putmask(x, [True], 1.0),
        lambda: fg.place(x, M > 1, []),
    ):
        with pytest.raises((IndexError, ValueError)):
            call()
    same_bits(x.numpy(), M, "x")
    assert x._version == version


# ---------------------------------------------------------------- products


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shapes", [((2, 2), (2, 3)), ((3,), (2,)), ((2,), (3,)), ((2,), (4, 2))])
def test_cross_of_vectors_of_two_elements(shapes, dtype):
    a, b = leaf(*shapes[0], dtype=dtype), leaf(*shapes[1], dtype=dtype, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        expected, refused = attempt(lambda: np.cross(a.detach().numpy(), b.detach().numpy()))
    if refused is None:  # NumPy 2.5 has no cross product of such vectors any more
        same_bits(fg.cross(a, b).detach().numpy(), expected, "cross")
    assert gradcheck(fg.cross, (a, b)) and gradgradcheck(fg.cross, (a, b))


def test_einsum_in_all_its_spellings():
    a, b = leaf(2, 3), leaf(3, 2, seed=1)
    x, y = a.detach().numpy(), b.detach().numpy()
    spelled = {
        "implicit": (lambda m, a, b: m.einsum("ij,jk", a, b)),
        "implicit, sorted": (lambda m, a, b: m.einsum("ba", a)),
        "a trace over both": (lambda m, a, b: m.einsum("ij,ji", a, b)),
        "lists": (lambda m, a, b: m.einsum(a, [0, 1], b, [1, 2], [0, 2])),
        "lists without result": (lambda m, a, b: m.einsum(a, [5, 7], b, [7, 6])),
        "lists with ellipsis": (lambda m, a, b: m.einsum(a, [..., 0], b, [0, ...], [...])),
        "ellipsis alone": (lambda m, a, b: m.einsum("...", a)),
        "ellipsis in front": (lambda m, a, b: m.einsum("...j,j...", a, b)),
        "spaces": (lambda m, a, b: m.einsum(" i j , j k -> k i ", a, b)),
        "optimal": (lambda m, a, b: m.einsum("ij,jk,kl->il", a, b, a, optimize="optimal")),
        "a path": (lambda m, a, b: m.einsum("ij,jk,kl->il", a, b, a, optimize=["einsum_path", (0, 1), (0, 1)])),
        "diagonal of a product": (lambda m, a, b: m.einsum("ij,ji->i", a, b)),
        "outer of diagonals": (lambda m, a, b: m.einsum("ii,jj->ij", a[:, :2], b[:2])),
        "three times the same": (lambda m, a, b: m.einsum("iii->", a.reshape(1, 6)[:, :1, None])),
    }
    for what, f in spelled.items():
        np.testing.assert_allclose(f(fg, a, b).detach().numpy(), f(np, x, y), rtol=1e-14, err_msg=what)
        np.testing.assert_array_equal(f(np, a, b).detach().numpy(), f(fg, a, b).detach().numpy())
        assert gradcheck(lambda a, b: f(fg, a, b) + 0 * a.sum() * b.sum(), (a, b)), what
        assert gradgradcheck(lambda a, b: f(fg, a, b) * (1 + 0 * a.sum() * b.sum()), (a, b)), what
    assert fg.einsum(a, np.array([0, 1]), b, fg.tensor([1, 2]), (2, 0)).shape == (2, 2)
    for lists in (([0, 52],), ([0, -1],), ([0, 1], [2])):
        with pytest.raises(ValueError, match="einsum"):
            fg.einsum(a, *lists)
    for wrong in ("ij,jk->il", "ij->ii", "i,jk", "ijk,jk"):
        with pytest.raises(ValueError):
            fg.einsum(wrong, a, b)


@pytest.mark.parametrize(
    "shapes", [((), (2, 3)), ((2, 3, 4), (2, 4, 5)), ((4,), (2, 4, 5)), ((2, 3, 4), (4,)), ((2, 0), (0, 3))]
)
def test_dot_of_any_ranks(shapes):
    a, b = leaf(*shapes[0]), leaf(*shapes[1], seed=1)
    same_bits(fg.dot(a, b).detach().numpy(), np.asarray(np.dot(a.detach().numpy(), b.detach().numpy())), "dot")
    assert gradcheck(fg.dot, (a, b)) and gradgradcheck(fg.dot, (a, b))


@pytest.mark.parametrize("axes", [0, 1, 2, ([0, 1], [1, 0]), ([-1], [-2]), (1, 0), ([], [])])
def test_tensordot_over_any_axes(axes):
    a, b = leaf(3, 3), leaf(3, 3, seed=1)
    same_bits(
        fg.tensordot(a, b, axes).detach().numpy(),
        np.tensordot(a.detach().numpy(), b.detach().numpy(), axes),
        "tensordot",
    )
    assert gradcheck(lambda a, b: fg.tensordot(a, b, axes), (a, b))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 4), (4, 3), (5, 2), (2, 5), (6, 6)])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_convolutions_of_all_lengths(name, sizes, mode):
    a, b = leaf(sizes[0], dtype=complex), leaf(sizes[1], dtype=complex, seed=1)
    f = lambda a, b: getattr(fg, name)(a, b, mode=mode)
    same_bits(f(a, b).detach().numpy(), getattr(np, name)(a.detach().numpy(), b.detach().numpy(), mode), name)
    assert gradcheck(f, (a, b)) and gradgradcheck(f, (a, b))
    pairs = fg.stack([a.detach(), 2 * a.detach()]), fg.stack([b.detach(), b.detach() - 1])
    found = fg.func.vmap(f)(*pairs).numpy()
    for i in range(2):
        np.testing.assert_allclose(found[i], f(pairs[0][i], pairs[1][i]).numpy(), rtol=1e-12)


# ---------------------------------------------------------------- interp, gradient, trapezoid


def test_interp_everywhere():
    xp, fp = np.array([-1.0, 0.5, 2.0]), np.array([3.0, -1.0, 4.0])
    x = np.array([-np.inf, -2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, np.inf, np.nan])
    for more in ({}, {"left": 9.0}, {"right": -9.0}, {"left": np.nan, "right": 1}, {"period": 2.5}, {"period": -2.5}):
        with np.errstate(invalid="ignore"):
            same_bits(fg.interp(fg.tensor(x), xp, fp, **more).numpy(), np.interp(x, xp, fp, **more), str(more))
    z = fp + 1j * fp[::-1]
    same_bits(fg.interp(fg.tensor(x), xp, z, left=1j).numpy(), np.interp(x, xp, z, left=1j), "complex")
    holes = np.array([np.inf, 1.0, np.inf])
    same_bits(fg.interp(fg.tensor(x), xp, holes).numpy(), np.interp(x, xp, holes), "infinite")
    assert fg.interp(fg.tensor([0.5], dtype="float32"), xp, fp).dtype == np.float64


def test_gradients_of_interp_in_every_operand():
    x, xp, fp = (
        fg.tensor(v, requires_grad=True) for v in ([-3.0, -0.4, 0.1, 1.9, 5.0], [-1.0, 0.5, 2.0], [3.0, -1.0, 4.0])
    )
    ends = fg.tensor(7.0, requires_grad=True), fg.tensor(-2.0, requires_grad=True)
    full = lambda x, xp, fp, left, right: fg.interp(x, xp, fp, left, right)
    assert gradcheck(full, (x, xp, fp, *ends)) and gradgradcheck(full, (x, xp, fp, *ends))
    assert gradcheck(fg.interp, (x, xp, fp)) and gradgradcheck(fg.interp, (x, xp, fp))
    period = fg.tensor(3.7, requires_grad=True)
    around = lambda x, xp, fp, period: fg.interp(x, xp, fp, period=period)
    assert gradcheck(around, (x, xp, fp, period)) and gradgradcheck(around, (x, xp, fp, period))
    z = leaf(3, dtype=complex)
    assert gradcheck(fg.interp, (x, xp, z)) and gradgradcheck(fg.interp, (x, xp, z))


def test_interp_at_the_points_has_the_slope_to_the_right():
    x = fg.tensor([0.0, 1.0, 3.0], requires_grad=True)
    (slope,) = grad(fg.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]).sum(), x)
    assert slope.tolist() == [2.0, 0.5, 0.5]


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_in_places_that_require_grad(edge_order):
    for places in ([0.0, 1.0, 2.5, 3.0], [0.0, 1.0, 2.0, 3.0]):  # the second are evenly spaced
        f, x = leaf(4), fg.tensor(places, requires_grad=True)
        slopes = lambda f, x: fg.gradient(f, x, edge_order=edge_order)
        np.testing.assert_allclose(
            slopes(f, x).detach(), np.gradient(f.detach().numpy(), places, edge_order=edge_order), rtol=1e-13
        )
        assert gradcheck(slopes, (f, x)) and gradgradcheck(slopes, (f, x))
    h = fg.tensor(0.7, requires_grad=True)
    assert gradcheck(lambda f, h: fg.gradient(f, h, edge_order=edge_order), (f, h))
    found = fg.gradient(leaf(3, 4), h, x)
    assert len(found) == 2 and all(t.requires_grad for t in found)


def test_gradient_of_integers_is_that_of_floats():
    for dtype in ("int8", "uint8", "int64"):
        a = np.array([1, 200 % 128, 3, 7], dtype)
        same_bits(fg.gradient(fg.tensor(a)).numpy(), np.gradient(a), dtype)


def test_trapezoid_in_its_points():
    y, x, h = leaf(2, 4), leaf(4, seed=1), fg.tensor(0.3, requires_grad=True)
    assert gradcheck(fg.trapezoid, (y, x)) and gradgradcheck(fg.trapezoid, (y, x))
    assert gradcheck(lambda y, h: fg.trapezoid(y, dx=h), (y, h))


# ---------------------------------------------------------------- pad


@pytest.mark.parametrize(
    "mode", ["constant", "edge", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect", "symmetric", "wrap"]
)
@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32", "float64", "complex128", "bool"])
def test_pad_is_numpys_in_every_mode(mode, dtype):
    rng = np.random.default_rng(0)
    for shape, width in [
        ((5,), (3, 4)),
        ((3, 4), ((1, 2), (0, 9))),
        ((1, 4), 2),
        ((2, 3, 2), 1),
        ((4,), 0),
        ((3,), (7, 0)),
    ]:
        a = (rng.normal(size=shape) * 9).astype(dtype)
        options = [{}]
        if mode in ("reflect", "symmetric") and dtype != "bool":
            options.append({"reflect_type": "odd"})
        if mode == "linear_ramp":
            options.append({"end_values": 3})
        if mode in ("maximum", "minimum", "mean", "median"):
            options += [{"stat_length": 2}, {"stat_length": (1, 3)}]
        for more in options:
            try:
                expected = np.pad(a, width, mode, **more)
            except TypeError:
                continue
            same_bits(fg.pad(fg.tensor(a), width, mode, **more).numpy(), expected, f"{mode} {shape} {width} {more}")


def test_pad_by_a_function_of_numpys_documentation():
    def pad_with(vector, pad_width, iaxis, kwargs):
        value = kwargs.get("padder", 10)
        vector[: pad_width[0]] = value
        vector[-pad_width[1] :] = value

    a = np.arange(6.0).reshape(2, 3)
    t = fg.tensor(a, requires_grad=True)
    for module in (fg, np):
        found = module.pad(t, 2, pad_with, padder=100)
        same_bits(found.detach().numpy(), np.pad(a, 2, pad_with, padder=100), "pad")
        (g,) = grad(found.sum(), t)
        assert (g.numpy() == 1).all()


def test_pad_takes_widths_by_axis():
    x = leaf(2, 3)
    for widths, same in [
        ({-1: (1, 2)}, ((0, 0), (1, 2))),
        ({0: 1}, ((1, 1), (0, 0))),
        ({1: (2, 0), 0: (0, 1)}, ((0, 1), (2, 0))),
    ]:
        same_bits(fg.pad(x, widths, "edge").detach().numpy(), np.pad(x.detach().numpy(), same, "edge"), str(widths))
        assert gradcheck(lambda x: fg.pad(x, widths, "edge"), (x,))


def test_ties_share_the_gradient_of_a_padded_maximum():
    x = fg.tensor([1.0, 3.0, 3.0], requires_grad=True)
    (g,) = grad(fg.pad(x, (2, 0), "maximum").sum(), x)
    assert g.tolist() == [1.0, 2.0, 2.0]


# ---------------------------------------------------------------- writing in place

WRITES = {
    "put": (lambda m, x, v: m.put(x, [0, 4, -1], v), 2),
    "put again": (lambda m, x, v: m.put(x, [0, 0, 3], v), 3),
    "put a number": (lambda m, x, v: m.put(x, 2, v), 1),
    "put around": (lambda m, x, v: m.put(x, [7, -13], v, mode="wrap"), 2),
    "put clipped": (lambda m, x, v: m.put(x, [9, -9], v, mode="clip"), 2),
    "put nothing": (lambda m, x, v: m.put(x, [], v), 2),
    "put no values": (lambda m, x, v: m.put(x, [1, 2], v), 0),
    "putmask": (lambda m, x, v: m.putmask(x, M % 2 == 0, v), 6),
    "putmask short": (lambda m, x, v: m.putmask(x, M % 2 == 0, v), 4),
    "putmask no values": (lambda m, x, v: m.putmask(x, M % 2 == 0, v), 0),
    "place": (lambda m, x, v: m.place(x, M > 1, v), 4),
    "place short": (lambda m, x, v: m.place(x, M > 1, v), 3),
    "place nowhere": (lambda m, x, v: m.place(x, M > 9, v), 0),
    "copyto": (lambda m, x, v: m.copyto(x, v), 3),
    "copyto where": (lambda m, x, v: m.copyto(x, v, where=M > 1), 3),
    "copyto where ones": (lambda m, x, v: m.copyto(x, v, where=[1, 0, 1]), 1),
    "fill_diagonal": (lambda m, x, v: m.fill_diagonal(x, v), 1),
    "fill_diagonal with several": (lambda m, x, v: m.fill_diagonal(x, v), 3),
    "fill_diagonal of a tall one": (lambda m, x, v: m.fill_diagonal(x, v, wrap=True), 2),
}


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("through", ["numpy", "fastgrad"])
def test_functions_that_write_are_numpys_and_have_gradients(what, through):
    write, n = WRITES[what]
    x, v = leaf(2, 3), leaf(n, seed=1)
    expected = x.detach().numpy() * 2
    write(np, expected, v.detach().numpy())
    module = np if through == "numpy" else fg
    written = x * 2
    assert write(module, written, v) is None
    same_bits(written.detach().numpy(), expected, what)

    def run(x, v):
        y = x * x
        write(module, y, v * v)
        return fg.sin(y) + 0 * v.sum()

    assert gradcheck(run, (x, v)) and gradgradcheck(run, (x, v))


def test_writing_through_a_view_reaches_the_base():
    x, v = leaf(3, 3), leaf(2)
    y = x * 1.0
    fg.fill_diagonal(y[1:, 1:], v)
    np.put(y[0], [2], 5.0)
    same_bits(y.detach().numpy()[[1, 2], [1, 2]], v.detach().numpy(), "the base")
    gx, gv = grad(y.sum(), (x, v))
    expected = np.ones((3, 3))
    expected[[1, 2, 0], [1, 2, 2]] = 0
    same_bits(gx.numpy(), expected, "x")
    assert gv.tolist() == [1.0, 1.0]


def test_wrapping_diagonals_of_tall_matrices():
    for shape, value in [((5, 2), 1.0), ((7, 3), [1.0, 2.0]), ((3, 3, 3), 4.0), ((2, 5), 1.0)]:
        for wrap in (False, True):
            a = np.zeros(shape)
            t = fg.tensor(a)
            np.fill_diagonal(a, value, wrap)
            fg.fill_diagonal(t, value, wrap)
            same_bits(t.numpy(), a, f"{shape} {wrap}")


# ---------------------------------------------------------------- selecting and joining


def test_scalars_are_weak_where_numpys_are():
    mask, x = np.array([True, False]), np.array([1.0, 2.0], "float32")
    for ours, theirs in [
        (fg.select([mask], [fg.tensor(x)], 1.5), np.select([mask], [x], 1.5)),
        (fg.select([mask, mask], [2.5, fg.tensor(x)], 0), np.select([mask, mask], [2.5, x], 0)),
        (fg.select([mask], [3], 0.5), np.select([mask], [3], 0.5)),
        (fg.choose([1, 0], [fg.tensor(x), 2.0]), np.choose([1, 0], [x, 2.0])),
        (fg.outer(2.0, fg.tensor(x)), np.outer(2.0, x)),
        (fg.kron(fg.tensor(x), 3), np.kron(x, 3)),
        (fg.append(fg.tensor(x), 2.0), np.append(x, 2.0)),
        (fg.insert(fg.tensor(x), 0, 2.0), np.insert(x, 0, 2.0)),
        (fg.hstack([fg.tensor(x), 2.0]), np.hstack([x, 2.0])),
        (fg.piecewise(fg.tensor(x), [mask], [1.5, 2]), np.piecewise(x, [mask], [1.5, 2])),
    ]:
        same_bits(ours.numpy(), theirs, str(theirs))


def test_every_operand_gives_a_tensor():
    for results in (
        fg.atleast_1d(fg.tensor([1.0]), 2.0),
        fg.broadcast_arrays([1.0, 2.0], 3.0),
        fg.meshgrid(1.0, [2.0]),
    ):
        assert all(isinstance(t, fg.Tensor) for t in results)


def test_what_numpy_gives_as_views_are_views_that_gradients_follow():
    views = {
        "rot90": lambda x: fg.rot90(x), "fliplr": fg.fliplr, "flipud": fg.flipud, "rollaxis": lambda x: fg.rollaxis(x, 1),
        "atleast_3d": fg.atleast_3d, "trim_zeros": fg.trim_zeros,
    }  # fmt: skip
    for name, view in views.items():
        x = leaf(4, 4)
        y = x * 1.0
        part = view(y)
        assert np.shares_memory(part.detach().numpy(), y.detach().numpy()), name
        part *= 3
        (g,) = grad(y.sum(), x)
        assert g.sum().item() == 16 + 2 * part.size, name


def test_what_numpy_gives_as_copies_shares_no_memory():
    x = fg.tensor(np.arange(4.0))
    for name, copy in {
        "take": lambda x: fg.take(x, 1), "delete": lambda x: fg.delete(x, []), "append": lambda x: fg.append(x, []),
        "compress": lambda x: fg.compress([True] * 4, x), "resize": lambda x: fg.resize(x, 4), "block": lambda x: fg.block([x]),
        "tril": lambda x: fg.tril(x), "meshgrid": lambda x: fg.meshgrid(x)[0], "pad": lambda x: fg.pad(x, 0),
        "hstack": lambda x: fg.hstack([x]),
    }.items():  # fmt: skip
        assert not np.shares_memory(copy(x).numpy(), x.numpy()), name


def test_trim_zeros_along_several_axes():
    a = np.zeros((3, 4))
    a[1, 1:3] = 1.5, 2.5
    for axis, trim, expected in [
        (None, "fb", a[1:2, 1:3]),
        (0, "f", a[1:]),
        (1, "b", a[:, :3]),
        ((), "fb", a),
        (-1, "fb", a[:, 1:3]),
    ]:
        x = fg.tensor(a, requires_grad=True)
        found = fg.trim_zeros(x, trim, axis)
        same_bits(found.detach().numpy(), expected, f"{axis} {trim}")
        (g,) = grad(found.sum(), x)
        assert g.sum().item() == expected.size
    assert fg.trim_zeros(a * 0).shape == (0, 0) and fg.trim_zeros(fg.tensor(0.0)).shape == ()


def test_functions_along_axes_may_use_other_tensors():
    x, w = leaf(2, 3), leaf(3, seed=1)
    for module in (np, fg):
        assert gradcheck(lambda x, w: module.apply_along_axis(lambda v: (v * w).sum(), 1, x), (x, w))
        assert gradcheck(lambda x, w: module.apply_along_axis(fg.multiply, 1, x, w), (x, w))
        assert gradcheck(lambda x, w: module.piecewise(x, [M > 2], [lambda v: v * w[0], w[1]]), (x, w))
    assert gradcheck(lambda x: fg.apply_over_axes(lambda v, i: (v * v).sum(i, keepdims=True), x, (0, 1)), (x,))


def test_vectorize_has_numpys_results_and_gradients():
    a, b = leaf(2, 3), leaf(3, seed=1)
    f = lambda a, b=0.5: a * b if a > b else a - b
    ours, theirs = fg.vectorize(f), np.vectorize(f)
    same_bits(ours(a, b).detach().numpy(), theirs(a.detach().numpy(), b.detach().numpy()), "vectorize")
    same_bits(ours(a).detach().numpy(), theirs(a.detach().numpy()), "a default")
    same_bits(ours(a, b=2.0).detach().numpy(), theirs(a.detach().numpy(), b=2.0), "by name")
    assert gradcheck(ours, (a, b))
    power = fg.vectorize(lambda p, x: fg.polyval(p, x), excluded={0})
    same_bits(power([1.0, 2.0], b).detach().numpy(), b.detach().numpy() + 2.0, "excluded")
    inner = fg.vectorize(lambda x, y: (x @ y, x), signature="(n),(n)->(),(n)")
    found, same = inner(a, b)
    np.testing.assert_allclose(found.detach(), a.detach().numpy() @ b.detach().numpy())
    assert same.shape == (2, 3) and gradcheck(lambda a, b: inner(a, b)[0], (a, b))
    assert fg.vectorize(f, otypes="f")([], []).dtype == np.float32
    with pytest.raises(RuntimeError, match="requires"):
        np.vectorize(f)(a, b)

    @fg.vectorize(signature="(n)->(n)", otypes=["float32"])
    def halved(v):
        return v / 2

    assert halved(a).dtype == np.float32 and halved.__name__ == "halved"
    for wrong, words in [
        (lambda: fg.vectorize(lambda x: x[:-1], signature="(n)->(n)")([1.0, 2.0]), "inconsistent size"),
        (lambda: fg.vectorize(lambda x: (x, x), signature="()->()")([1.0]), "wrong number of outputs"),
        (lambda: fg.vectorize(lambda x: [x], signature="()->(n)", otypes="d")([]), "new output dimensions"),
        (lambda: fg.vectorize(lambda x: x)([]), "otypes"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()


def test_arrays_of_indices_are_numpys():
    x = leaf(3, 4)
    for name, args in {
        "tri": (3, 4, 1), "indices": ((2, 3),), "diag_indices": (3,), "tril_indices": (3, -1, 4), "triu_indices": (3, 1),
        "unravel_index": ([5, 7], (3, 4)), "ravel_multi_index": (([0, 1], [2, 3]), (3, 4)), "mask_indices": (3, np.triu, 1),
    }.items():  # fmt: skip
        expected, found = getattr(np, name)(*args), getattr(fg, name)(*args)
        pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
        for a, b in pairs:
            same_bits(a.numpy(), b, name)
    for name in ("tril_indices_from", "triu_indices_from"):
        rows, columns = getattr(fg, name)(x)
        same_bits(x[rows, columns].detach().numpy(), x.detach().numpy()[getattr(np, name)(np.ones((3, 4)))], name)
    mask = np.array([True, False, True])
    same_bits(x[fg.ix_(fg.tensor(mask), [1, 3])].detach().numpy(), x.detach().numpy()[np.ix_(mask, [1, 3])], "ix_")


# ---------------------------------------------------------------- polynomials


def test_roots_move_as_the_implicit_function_says():
    for p in ([1.0, -3.0, 2.0], [2.0, 1.0, 4.0], [0.0, 1.0, -3.0, 2.0], [1.0, -3.0, 2.0, 0.0]):
        t = fg.tensor(p, requires_grad=True)
        same_bits(fg.roots(t).detach().numpy(), np.roots(p), str(p))
        again = lambda t: fg.polyval(t, fg.roots(t))
        (g,) = grad(fg.real(again(t)).sum(), t)
        np.testing.assert_allclose(g, np.zeros(len(p)), atol=1e-12)
    t = fg.tensor([1.0, -6.0, 11.0, -6.0], requires_grad=True)
    assert gradcheck(fg.roots, (t,)) and gradgradcheck(fg.roots, (t,))


def test_poly_undoes_roots():
    t = fg.tensor([1.0, -6.0, 11.0, -6.0], requires_grad=True)
    np.testing.assert_allclose(
        fg.func.jacrev(lambda t: fg.poly(fg.roots(t)))(t).detach()[1:, 1:], np.eye(3), atol=1e-10
    )
    assert fg.poly(fg.tensor([])).item() == np.poly([]) == 1.0
    pair = fg.tensor([1 + 2j, 1 - 2j])
    same_bits(fg.poly(pair).numpy(), np.poly(pair.numpy()), "conjugate roots")
    m = leaf(3, 3)
    np.testing.assert_allclose(fg.real(fg.poly(m)).detach(), np.poly(m.detach().numpy()), rtol=1e-10)


def test_products_and_quotients_of_polynomials():
    for a, b in [([0.0, 0.0, 1.0, 2.0], [1.0, 3.0]), ([0.0, 0.0], [1.0, 2.0]), ([1.0], [2.0])]:
        same_bits(fg.polymul(a, b).numpy(), np.polymul(a, b), "polymul")
    for u, v in [
        ([1.0, 3.0, 2.0], [1.0, 1.0]),
        ([3.0, 5.0, 2.0], [2.0, 1.0]),
        ([1.0], [1.0, 2.0]),
        ([1.0, 2.0], [4.0]),
    ]:
        for ours, theirs in zip(fg.polydiv(u, v), np.polydiv(u, v), strict=True):
            same_bits(ours.numpy(), theirs, f"{u} / {v}")
    u, v = leaf(5), leaf(3, seed=1)
    for i in range(2):
        assert gradcheck(lambda u, v: fg.polydiv(u, v)[i], (u, v)) and gradgradcheck(
            lambda u, v: fg.polydiv(u, v)[i], (u, v)
        )


def test_polyfit_in_its_points_values_and_weights():
    x, y = fg.tensor([-1.0, -0.2, 0.5, 1.1, 2.0], requires_grad=True), leaf(5)
    w = fg.tensor([1.0, 2.0, 0.5, 1.0, 1.5], requires_grad=True)
    fit = lambda x, y, w: fg.polyfit(x, y, 2, w=w)
    np.testing.assert_allclose(
        fit(x, y, w).detach(), np.polyfit(*(v.detach().numpy() for v in (x, y)), 2, w=w.detach().numpy()), rtol=1e-12
    )
    assert gradcheck(fit, (x, y, w)) and gradcheck(lambda x, y: fg.polyfit(x, y, 1, cov=True)[1], (x, y))
    found, expected = (m.polyfit(x.detach().numpy(), y.detach().numpy(), 1, full=True) for m in (fg, np))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    with pytest.warns(np.exceptions.RankWarning):
        fg.polyfit([1.0, 1.0], [1.0, 2.0], 1)
