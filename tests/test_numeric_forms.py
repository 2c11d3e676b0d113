"""Numeric recipes, padding, selecting, joining and polynomials: through NumPy's spellings, scalars and transforms."""

import warnings

import numpy as np
import pytest
from samples import same_bits
from test_numeric import leaf

import fastgrad as fg
from fastgrad.autograd import grad, gradcheck, gradgradcheck

# ---------------------------------------------------------------- scalars, and Hessians of what looks at values

SCALARS = {
    "inner": lambda s, x: fg.inner(s, x), "dot": lambda s, x: fg.dot(x, s), "tensordot": lambda s, x: fg.tensordot(s, x, 0),
    "einsum": lambda s, x: fg.einsum(",i", s, x), "convolve": lambda s, x: fg.convolve(x, s), "outer": lambda s, x: fg.outer(s, x),
    "kron": lambda s, x: fg.kron(x, s), "vdot": lambda s, x: fg.vdot(s, x[0]), "polyval": lambda s, x: fg.polyval(x, s),
    "interp": lambda s, x: fg.interp(s, [1.0, 2.0, 4.0], x), "insert": lambda s, x: fg.insert(x, 1, s),
    "choose": lambda s, x: fg.choose([0, 1, 0], [x, s]), "block": lambda s, x: fg.block([s, x]),
}  # fmt: skip


@pytest.mark.parametrize("what", SCALARS)
def test_a_python_scalar_is_an_operand_like_any_other(what):
    run, x = SCALARS[what], leaf(3)
    for order in (gradcheck, gradgradcheck):
        assert order(lambda x: run(2.5, x) * (1 + x.sum()), (x,))
    out = run(2.5, x)
    np.testing.assert_allclose(out.detach(), run(fg.tensor(2.5), x).detach(), rtol=1e-15)
    (a,), (b,) = grad(out.sum(), x), grad(run(fg.tensor(2.5, requires_grad=True), x).sum(), x)
    np.testing.assert_allclose(a, b, rtol=1e-15)


HESSIANS = {
    "select": lambda x: fg.select([x > 0], [x**3], x**2), "compress": lambda x: fg.compress(x > 0, x) ** 3,
    "extract": lambda x: fg.extract(x > 0, x) ** 3, "trim_zeros": lambda x: fg.trim_zeros(x) ** 3,
    "piecewise": lambda x: fg.piecewise(x, [x > 0], [lambda v: v**3, lambda v: v**2]),
    "roots": lambda x: fg.real(fg.roots(x) ** 2), "polydiv": lambda x: fg.polydiv(x**2, x[:2])[1] ** 2,
    "gradient": lambda x: fg.gradient(x, fg.cumsum(x * x)) ** 2, "pad": lambda x: fg.pad(x, 2, "maximum") ** 3,
    "interp": lambda x: fg.interp(x, [-3.0, 0.0, 4.0], fg.stack([x[0], x[1] ** 2, x[2]])) ** 2,
    "convolve": lambda x: fg.convolve(x, x, mode="same") ** 2, "correlate": lambda x: fg.correlate(x, x[:2], "same") ** 2,
    "apply_along_axis": lambda x: fg.apply_along_axis(lambda v: v**3, 0, x), "poly": lambda x: fg.poly(x) ** 2,
    "polyfit": lambda x: fg.polyfit([0, 1, 2, 3], x**2, 1) ** 2, "insert": lambda x: fg.insert(x, 1, x[0] ** 2) ** 3,
}  # fmt: skip


@pytest.mark.parametrize("what", HESSIANS)
def test_hessians_see_the_values_that_all_examples_share(what):
    slope = fg.func.grad(lambda x: HESSIANS[what](x).sum())
    x, step = np.array([1.0, -2.0, 3.0, 0.5]), 1e-5
    expected = np.stack([(slope(x + e) - slope(x - e)) / (2 * step) for e in step * np.eye(4)])
    for found in (fg.func.hessian(lambda x: HESSIANS[what](x).sum())(x), fg.func.jacfwd(slope)(x)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = fg.func.vmap(slope)(np.stack([x, x + 0.1]))
    np.testing.assert_allclose(both, np.stack([slope(x), slope(x + 0.1)]), rtol=1e-8, atol=1e-10)


# ---------------------------------------------------------------- NumPy's own spellings

A, V, W = (np.random.default_rng(5).normal(size=shape) for shape in ((3, 4), 4, 3))
KEEP = np.array([True, False, True, True])
FORMS = [
    ("take", (), {"a": A, "indices": [0, 2], "axis": 1}), ("take", (A, [1, 9]), {"mode": "wrap"}), ("take", (A, 1, 0), {}),
    ("choose", (), {"a": np.array([0, 3, 1, 0]), "choices": [V, V + 1], "mode": "clip"}), ("insert", (A, [0, 2], W[:, None][:, [0, 0]], 1), {}),
    ("insert", (), {"arr": A, "obj": 1, "values": 5.0, "axis": 0}), ("kron", (), {"a": A, "b": V}), ("diagflat", (), {"v": V, "k": 1}),
    ("vander", (), {"x": V, "N": 3, "increasing": True}), ("pad", (), {"array": A, "pad_width": 1, "mode": "edge"}),
    ("trapezoid", (), {"y": A, "x": V, "axis": -1}), ("trapezoid", (A, None, 0.5, 0), {}), ("interp", (V, [-1.0, 0, 1], W, None, 2.0), {}),
    ("interp", (), {"x": V, "xp": [-1.0, 0, 1], "fp": W, "left": 0.0, "right": None}), ("convolve", (), {"a": V, "v": W, "mode": "same"}),
    ("correlate", (), {"a": V, "v": W}), ("cross", (A[:, :3], W, -1, -1, 0), {}), ("tril", (), {"m": A, "k": 1}), ("triu", (A, -1), {}),
    ("rot90", (), {"m": A, "k": 1, "axes": (0, 1)}), ("fliplr", (), {"m": A}), ("flipud", (), {"m": A}), ("hstack", (), {"tup": (A, A)}),
    ("hstack", ((A, A),), {"dtype": "float32", "casting": "same_kind"}), ("vstack", ((A, V),), {"dtype": "complex128"}),
    ("dstack", ((A, A),), {}), ("column_stack", ((W, A),), {}), ("block", (), {"arrays": [[A, A], [A, A]]}), ("dsplit", (A[None], 2), {}),
    ("array_split", (), {"ary": A, "indices_or_sections": 3, "axis": 1}), ("hsplit", (A, 2), {}), ("vsplit", (A, [1]), {}),
    ("select", (), {"condlist": [KEEP, ~KEEP], "choicelist": [V, V * 2], "default": 1.0}), ("compress", (KEEP, A, 1), {}),
    ("piecewise", (), {"x": V, "condlist": [KEEP], "funclist": [lambda v: v * 2, lambda v: v]}),
    ("piecewise", (V, KEEP, [lambda v, c, d=1: v * c * d, 3.0], 5.0), {"d": 2.0}), ("extract", (), {"condition": A > 0, "arr": A}),
    ("compress", (), {"condition": KEEP, "a": A, "axis": 1}), ("delete", (), {"arr": A, "obj": slice(0, 2), "axis": 1}),
    ("append", (), {"arr": A, "values": A, "axis": 0}), ("resize", (), {"a": A, "new_shape": (2, 2)}), ("trim_zeros", (), {"filt": V, "trim": "f"}),
    ("polyval", (), {"p": W, "x": V}), ("polyder", (), {"p": V, "m": 2}), ("polyint", (), {"p": V, "m": 2, "k": 3.0}), ("polyadd", (V, W), {}),
    ("polysub", (), {"a1": V, "a2": W}), ("polymul", (), {"a1": V, "a2": W}), ("polydiv", (), {"u": V, "v": W}), ("roots", (), {"p": V}),
    ("polyfit", (), {"x": V, "y": V**2, "deg": 1}), ("polyfit", (V, V**2, 1), {"w": V**2}), ("poly", (V,), {}), ("outer", (), {"a": V, "b": W}),
    ("apply_along_axis", (), {"func1d": lambda v, k=1: v * k, "axis": 0, "arr": A}), ("apply_along_axis", (lambda v, k: v * k, 0, A, 3.0), {}),
    ("apply_over_axes", (), {"func": lambda a, i: np.sum(a, axis=i), "a": A, "axes": [0, 1]}), ("apply_over_axes", (np.sum, A, [0]), {}),
    ("meshgrid", (V, W), {"indexing": "ij", "sparse": True, "copy": False}), ("inner", (A, V), {}), ("vdot", (V, V), {}),
    ("vecdot", (A, W[:, None]), {"axis": 0}), ("gradient", (A, 0.5), {"axis": 0, "edge_order": 2}), ("gradient", (A, W, V), {}),
    ("gradient", (), {"f": A, "axis": 1}), ("broadcast_arrays", (A, V), {"subok": True}), ("atleast_2d", (V, A), {}), ("ix_", (V, W), {}),
    ("rollaxis", (), {"a": A, "axis": 1, "start": 0}), ("einsum", (A, [0, 1], V, [1]), {}), ("tensordot", (), {"a": A, "b": A, "axes": ([1], [1])}),
]  # fmt: skip


def as_tensors(value):
    if isinstance(value, np.ndarray):
        return fg.tensor(value, requires_grad=value.dtype.kind == "f")
    if isinstance(value, (list, tuple)) and any(isinstance(item, (np.ndarray, list)) for item in value):
        return type(value)(map(as_tensors, value))
    return value


@pytest.mark.parametrize(("name", "args", "kwargs"), FORMS, ids=[f"{form[0]}-{i}" for i, form in enumerate(FORMS)])
def test_numpys_functions_take_tensors_in_numpys_spelling(name, args, kwargs):
    function = getattr(np, name)
    expected = function(*args, **kwargs)
    found = function(*map(as_tensors, args), **{key: as_tensors(value) for key, value in kwargs.items()})
    several = isinstance(expected, (tuple, list))
    for a, b in zip(found if several else [found], expected if several else [expected], strict=True):
        assert isinstance(a, fg.Tensor) and a.requires_grad
        same_bits(a.detach().numpy(), b, name)


@pytest.mark.parametrize("name", ["take", "choose", "compress", "outer"])
def test_results_are_written_to_a_tensor_with_their_graph(name):
    args = {"take": (V, [2, 0]), "choose": ([0, 1, 0, 1], [V, V + 1]), "compress": (KEEP, V), "outer": (V, W)}[name]
    expected = getattr(np, name)(*args)
    out = fg.zeros(expected.shape)
    assert getattr(np, name)(*map(as_tensors, args), out=out) is out
    assert out.requires_grad
    same_bits(out.detach().numpy(), expected, name)


def test_roll_may_name_an_axis_twice():
    x = np.arange(36.0).reshape(3, 3, 4)
    turned = lambda x: np.roll(x, (1, -2, 7), axis=(0, -1, 0))
    np.testing.assert_array_equal(fg.func.vmap(turned)(x), np.stack([turned(row) for row in x]))


# ---------------------------------------------------------------- large einsums


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("subscripts", [
    "ij,jk->ik", "ij,kj->ik", "bij,bjk->bik", "abij,abkj->abik", "bi,bi->b", "ij,ij->", "i,j->ij", "ij,k->i", "abi,ib->a",
    "ij,jk,kl->il", "ii,i->i", "...ij,...jk->...ik", "ij,ij->ij",
])  # fmt: skip
def test_large_einsums_are_differentiated_by_products_of_matrices(monkeypatch, subscripts, dtype):
    import fastgrad.ops.linalg as module

    sizes = dict(zip("ijklab", (2, 3, 4, 2, 3, 2))) | ({"j": 2} if "ii" in subscripts else {})
    shapes = [[sizes[c] for c in word.replace("...", "a")] for word in subscripts.split("->")[0].split(",")]
    operands = tuple(leaf(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes))
    run = lambda *operands: fg.einsum(subscripts, *operands)
    slopes = lambda: grad(fg.real(run(*operands) * (1 + 2j)).sum(), operands)
    plain = slopes()
    monkeypatch.setattr(module, "_LARGE", 0)
    assert gradcheck(run, operands) and gradgradcheck(run, operands)
    for a, b in zip(slopes(), plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def test_large_einsums_of_broadcast_operands():
    a, b = leaf(40, 1), leaf(40, 150, seed=1)
    for subscripts in ("ij,ij->ij", "ij,ij->i", "ij,ij->j", "ij,ij"):
        found = grad((fg.einsum(subscripts, a, b) ** 2).sum(), (a, b))
        wide = np.broadcast_to(a.detach().numpy(), (40, 150))
        full = grad((fg.einsum(subscripts, fg.tensor(wide, requires_grad=True), b) ** 2).sum(), (b,))
        np.testing.assert_allclose(found[1], full[0], rtol=1e-12)
        assert found[0].shape == (40, 1)
