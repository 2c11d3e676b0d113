"""PyTorch is the authority on gradients: values, gradients and gradients of gradients agree, special points included."""

import importlib
import itertools

import numpy as np
import pytest
from conftest import HAS_TORCH
from samples import SHAPES, accepts, active, apply, calls, draw, interval, operand_kinds, seed

import fastgrad as fg
from fastgrad.ops import TABLE

pytestmark = pytest.mark.torch
torch = importlib.import_module("torch") if HAS_TORCH else None
F = torch.nn.functional if HAS_TORCH else None

#: Elementwise rows that PyTorch has under another name.
RENAMED = {
    "power": "pow", "rint": "round", "isfinite": "isfinite", "conj": "conj_physical", "sign": "sgn", "clip": "clamp", "equal": "eq",
    "reciprocal": "reciprocal",
}  # fmt: skip


def counterpart(name):
    return getattr(torch, RENAMED.get(name, name), None) or getattr(torch.special, name, None)


# fmt: off
#: Everything else, side by side: what, fastgrad, PyTorch, shapes.
PAIRS = [
    ("gelu",            lambda x: fg.gelu(x),                   lambda x: F.gelu(x), (2, 3)),
    ("gelu tanh",       lambda x: fg.gelu(x, approximate="tanh"), lambda x: F.gelu(x, approximate="tanh"), (2, 3)),
    ("relu",            lambda x: fg.relu(x),                   lambda x: F.relu(x), (2, 3)),
    ("silu",            lambda x: fg.silu(x),                   lambda x: F.silu(x), (2, 3)),
    ("softplus",        lambda x: fg.softplus(x),               lambda x: F.softplus(x), (2, 3)),
    ("softmax",         lambda x: fg.softmax(x, axis=1),        lambda x: torch.softmax(x, 1), (2, 3)),
    ("softmax 0",       lambda x: fg.softmax(x, axis=0),        lambda x: torch.softmax(x, 0), (2, 3)),
    ("log_softmax",     lambda x: fg.log_softmax(x, axis=-1),   lambda x: torch.log_softmax(x, -1), (2, 3)),
    ("logsumexp",       lambda x: fg.logsumexp(x, axis=1),      lambda x: torch.logsumexp(x, 1), (2, 3)),
    ("logsumexp keep",  lambda x: fg.logsumexp(x, axis=0, keepdims=True), lambda x: torch.logsumexp(x, 0, keepdim=True), (2, 3)),
    ("mse_loss",        lambda x, y: fg.mse_loss(x, y),         lambda x, y: F.mse_loss(x, y), (2, 3), (2, 3)),
    ("mse_loss sum",    lambda x, y: fg.mse_loss(x, y, reduction="sum"), lambda x, y: F.mse_loss(x, y, reduction="sum"), (2, 3), (2, 3)),
    ("mse_loss none",   lambda x, y: fg.mse_loss(x, y, reduction="none"), lambda x, y: F.mse_loss(x, y, reduction="none"), (3,), (3,)),
    ("cross_entropy",   lambda x: fg.cross_entropy(x, np.array([2, 0])), lambda x: F.cross_entropy(x, torch.tensor([2, 0])), (2, 3)),
    ("cross_entropy sum", lambda x: fg.cross_entropy(x, np.array([2, 0]), reduction="sum"),
                        lambda x: F.cross_entropy(x, torch.tensor([2, 0]), reduction="sum"), (2, 3)),
    ("cross_entropy none", lambda x: fg.cross_entropy(x, np.array([2, 0]), reduction="none"),
                        lambda x: F.cross_entropy(x, torch.tensor([2, 0]), reduction="none"), (2, 3)),
    ("bce with logits", lambda x, y: fg.binary_cross_entropy_with_logits(x, y),
                        lambda x, y: F.binary_cross_entropy_with_logits(x, y), (2, 3), (2, 3)),
    ("where",           lambda x, y: fg.where(x > 0, x, y),     lambda x, y: torch.where(x > 0, x, y), (2, 3), (3,)),
    ("sum",             lambda x: fg.sum(x),                    lambda x: x.sum(), (2, 3)),
    ("sum axis",        lambda x: fg.sum(x, axis=(0, 2)),       lambda x: x.sum((0, 2)), (2, 3, 2)),
    ("sum keep",        lambda x: fg.sum(x, axis=1, keepdims=True), lambda x: x.sum(1, keepdim=True), (2, 3)),
    ("mean",            lambda x: fg.mean(x, axis=0),           lambda x: x.mean(0), (2, 3)),
    ("prod",            lambda x: fg.prod(x),                   lambda x: x.prod(), (4,)),
    ("prod axis",       lambda x: fg.prod(x, axis=1),           lambda x: x.prod(1), (2, 3)),
    ("max",             lambda x: fg.max(x, axis=1),            lambda x: x.amax(1), (2, 3)),
    ("min",             lambda x: fg.min(x, axis=(0, 1)),       lambda x: x.amin((0, 1)), (2, 3)),
    ("var",             lambda x: fg.var(x, axis=1),            lambda x: x.var(1, correction=0), (2, 3)),
    ("std",             lambda x: fg.std(x),                    lambda x: x.std(correction=0), (2, 3)),
    ("std correction",  lambda x: fg.std(x, axis=0, correction=1), lambda x: x.std(0, correction=1), (3, 2)),
    ("cumsum",          lambda x: fg.cumsum(x, axis=1),         lambda x: x.cumsum(1), (2, 3)),
    ("matmul",          lambda x, y: x @ y,                     lambda x, y: x @ y, (2, 3), (3, 4)),
    ("matmul vectors",  lambda x, y: x @ y,                     lambda x, y: x @ y, (3,), (3,)),
    ("matmul mixed",    lambda x, y: x @ y,                     lambda x, y: x @ y, (3,), (2, 3, 2)),
    ("matmul batched",  lambda x, y: x @ y,                     lambda x, y: x @ y, (2, 1, 2, 3), (3, 3, 2)),
    ("tensordot",       lambda x, y: fg.tensordot(x, y, axes=2), lambda x, y: torch.tensordot(x, y, dims=2), (2, 3, 4), (3, 4, 2)),
    ("einsum",          lambda x, y: fg.einsum("ij,kj->ik", x, y), lambda x, y: torch.einsum("ij,kj->ik", x, y), (2, 3), (4, 3)),
    ("einsum diagonal", lambda x: fg.einsum("ii->i", x),        lambda x: torch.einsum("ii->i", x), (3, 3)),
    ("einsum batched",  lambda x, y: fg.einsum("...ij,...jk->...ik", x, y),
                        lambda x, y: torch.einsum("...ij,...jk->...ik", x, y), (2, 2, 3), (3, 2)),
    ("reshape",         lambda x: fg.reshape(x, (3, 2)),        lambda x: x.reshape(3, 2), (2, 3)),
    ("transpose",       lambda x: x.T,                          lambda x: x.T, (2, 3)),
    ("permute_dims",    lambda x: fg.permute_dims(x, (2, 0, 1)), lambda x: x.permute(2, 0, 1), (2, 3, 4)),
    ("moveaxis",        lambda x: fg.moveaxis(x, 0, 2),         lambda x: x.moveaxis(0, 2), (2, 3, 4)),
    ("swapaxes",        lambda x: fg.swapaxes(x, 0, 2),         lambda x: x.swapaxes(0, 2), (2, 3, 4)),
    ("broadcast_to",    lambda x: fg.broadcast_to(x, (4, 2, 3)), lambda x: x.broadcast_to(4, 2, 3), (2, 1)),
    ("squeeze",         lambda x: fg.squeeze(x, axis=1),        lambda x: x.squeeze(1), (2, 1, 3)),
    ("concat",          lambda x, y: fg.concat([x, y, x], axis=1), lambda x, y: torch.cat([x, y, x], 1), (2, 3), (2, 1)),
    ("stack",           lambda x, y: fg.stack([x, y], axis=1),  lambda x, y: torch.stack([x, y], 1), (2, 3), (2, 3)),
    ("flip",            lambda x: fg.flip(x, axis=1),           lambda x: x.flip(1), (2, 3)),
    ("roll",            lambda x: fg.roll(x, 2, axis=1),        lambda x: x.roll(2, 1), (2, 3)),
    ("tile",            lambda x: fg.tile(x, (2, 2)),           lambda x: x.tile(2, 2), (2, 3)),
    ("repeat",          lambda x: fg.repeat(x, 3, axis=1),      lambda x: x.repeat_interleave(3, 1), (2, 3)),
    ("pad",             lambda x: fg.pad(x, ((1, 0), (0, 2))),  lambda x: F.pad(x, (0, 2, 1, 0)), (2, 3)),
    ("getitem",         lambda x: x[1:, ::2],                   lambda x: x[1:, ::2], (3, 4)),
    ("getitem integers", lambda x: x[[0, 0, 2]],                lambda x: x[[0, 0, 2]], (3, 2)),
    ("getitem mask",    lambda x: x[x > 1],                     lambda x: x[x > 1], (3, 4)),
    ("getitem mixed",   lambda x: x[:, [0, 1], None],           lambda x: x[:, [0, 1], None], (2, 3)),
    ("tanh chain",      lambda x, y: fg.tanh(x * y + 1) * x,    lambda x, y: torch.tanh(x * y + 1) * x, (2, 3), (3,)),
    ("weak scalars",    lambda x: 2 / (x + 1) - x**3 + 3**x,    lambda x: 2 / (x + 1) - x**3 + 3**x, (2, 3)),
]
# fmt: on
REAL_ONLY = {"where", "getitem mask", "max", "min", "cross_entropy", "gelu"}


def tolerance(dtype):
    """Both libraries round a few times, each in its own order, on values of size 1 to 100."""
    return 256 * float(np.finfo(dtype).eps)


def close(a, b, dtype, what):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, PyTorch {b.shape}"
    assert a.dtype == b.dtype, f"{what}: dtype {a.dtype}, PyTorch {b.dtype}"
    finite = np.abs(b[np.isfinite(b)])
    tiny = tolerance(dtype)
    np.testing.assert_allclose(a, b, rtol=tiny, atol=tiny * max(1.0, finite.max(initial=0.0)), err_msg=what)


def derivatives(module, function, arrays, cotangent, second):
    """Value, gradients and gradients of the gradients' sums, from either library."""
    make = (lambda a: module.tensor(a, requires_grad=a.dtype.kind in "fc")) if module is fg else _torch_leaf
    xs = [make(a) for a in arrays]
    out = function(*xs)
    value = _array(out)
    xs = [x for x in xs if x.requires_grad]
    if not out.requires_grad:
        return value, [], []
    g = fg.tensor(cotangent(value)) if module is fg else torch.from_numpy(cotangent(value))
    firsts = module.autograd.grad(out, xs, g, create_graph=True, allow_unused=True)
    arrays_of = lambda grads: [
        np.zeros(tuple(x.shape), _dtype(x)) if grad is None else _array(grad) for x, grad in zip(xs, grads)
    ]
    again = [f for f in firsts if f is not None and f.requires_grad]
    if not second or not again:
        return value, arrays_of(firsts), arrays_of([None] * len(xs))
    ones = [module.tensor(np.ones(tuple(f.shape), _dtype(f))) for f in again]
    seconds = module.autograd.grad(again, xs, ones, allow_unused=True)
    return value, arrays_of(firsts), arrays_of(seconds)


def _torch_leaf(a):
    return torch.tensor(a, requires_grad=a.dtype.kind in "fc")


def _array(x):
    """The ndarray of either library's tensor (PyTorch may put off a conjugation, or a tensor of zeros)."""
    return x.detach().numpy() if isinstance(x, fg.Tensor) else x.detach().numpy(force=True)


def _dtype(x):
    return _array(x).dtype


def compare(ours, theirs, arrays, dtype, what, second=True):
    def cotangent(value):
        return draw(seed(what), (0.5, 1.5), value.shape, value.dtype if value.dtype.kind in "fc" else "float64")

    with np.errstate(all="ignore"):
        try:
            expected = derivatives(torch, theirs, arrays, cotangent, second)
        except (RuntimeError, NotImplementedError) as error:
            if "not implemented" in str(error) or "not supported" in str(error) or "omplex" in str(error):
                return False  # PyTorch has it for other dtypes only
            raise
        found = derivatives(fg, ours, arrays, cotangent, second)
    for kind, a, b in zip(("value", "gradient", "second gradient"), found, expected):
        for i, (x, y) in enumerate(zip(a, b, strict=True) if kind != "value" else [(a, b)]):
            close(x, y, dtype, f"{what}: {kind} {i}")
    return True


ELEMENTWISE = [
    name for name, op in TABLE.items()
    if HAS_TORCH and (op.elementwise or (op.derived and not op.cases)) and op.module == "fastgrad" and counterpart(name)
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_rows(name, dtype):
    op, theirs = TABLE[name], counterpart(name)
    kinds = operand_kinds(op)
    if not accepts(op, calls(op)[0], dtype):
        pytest.skip(f"NumPy has no {name} for {dtype}")
    if dtype == "complex128" and name in ("sign",):
        pytest.skip("sgn of PyTorch does not differentiate complex numbers twice")
    shapes = [s for s in SHAPES[len(kinds)] if 0 not in {n for shape in s for n in shape}]
    if name == "clip":
        shapes = shapes[:2]  # PyTorch's second gradient of clamp fails where its bounds are broadcast
    for shape in shapes:
        rng = seed(name, dtype, "torch")
        arrays = [
            draw(rng, interval(op, i), s, "bool" if k == "?" else dtype) for i, (s, k) in enumerate(zip(shape, kinds))
        ]
        if not compare(lambda *xs: apply(op, xs, {}, active), theirs, arrays, dtype, f"{name} {dtype} {shape}"):
            pytest.skip(f"PyTorch has no {name} for {dtype}")


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_structural_rows_and_composites(pair, dtype):
    what, ours, theirs, *shapes = pair
    if dtype == "complex128" and what in REAL_ONLY:
        pytest.skip("needs an order of numbers")
    rng = seed(what, dtype, "torch")
    arrays = [draw(rng, (0.3, 1.7), shape, dtype) for shape in shapes]
    try:
        if not compare(ours, theirs, arrays, dtype, f"{what} {dtype}"):
            pytest.skip(f"PyTorch has no {what} for {dtype}")
    except TypeError:
        if dtype != "complex128":
            raise
        pytest.skip(f"NumPy has no {what} for {dtype}")


#: Where fastgrad's gradient at a special point is not PyTorch's: which points, and why.
DEVIATIONS = {
    "hypot": (lambda x, y: x == y == 0, "0 at the origin, where PyTorch gives nan"),
    "floor_divide": (lambda x, y: True, "PyTorch has no derivative for it"),
    "logaddexp": (lambda x, y: x == y and np.isinf(x), "PyTorch gives nan for two equal infinities"),
    "abs": (np.isnan, "nan at nan, where PyTorch gives 0"),
    "logaddexp2": (lambda x, y: x == y and np.isinf(x), "PyTorch gives nan for two equal infinities"),
    "copysign": (lambda x, y: not np.isfinite(x), "1 or -1, where PyTorch gives nan"),
    "fmod": (lambda x, y: y == 0 or np.isinf(x), "nan where the function is, where PyTorch gives an infinity"),
    "heaviside": (lambda x, y: True, "PyTorch has no derivative for it"),
    "arccosh": (lambda x: x <= -1, "nan where the function is, where PyTorch gives a number"),
}
SPECIAL = [-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_special_points(name):
    """The gradient is PyTorch's at zeros, ties, infinities and nan, one point at a time."""
    op, theirs = TABLE[name], counterpart(name)
    if not op.differentiable:
        pytest.skip("the row has no derivative")
    excused, _ = DEVIATIONS.get(name, (lambda *point: False, ""))
    kinds = operand_kinds(op)
    wrong = []
    for point in itertools.product(SPECIAL if len(kinds) < 3 else [-1.0, 0.0, 1.0, np.nan], repeat=len(kinds)):
        if excused(*point):
            continue
        arrays = [np.array(v != 0 if k == "?" else v) for v, k in zip(point, kinds)]
        grads = []
        for module, function in ((fg, lambda *xs: apply(op, xs, {}, active)), (torch, theirs)):
            _, firsts, _ = derivatives(module, function, arrays, lambda value: np.ones_like(value), second=False)
            grads.append([float(first) for first in firsts])
        for i, (a, b) in enumerate(zip(*grads, strict=True)):
            if not (a == b or (np.isnan(a) and np.isnan(b)) or abs(a - b) <= 1e-14 * abs(b)):
                wrong.append(f"d{name}{point}/d{op.operands[i]}: {a}, PyTorch {b}")
    assert not wrong, "\n".join(wrong)


# fmt: off
#: The same, for rows that see more than one element.
POINTS = [
    ("max of ties",      lambda x: fg.max(x),            lambda x: x.amax(),         [3.0, 1.0, 3.0]),
    ("max over an axis", lambda x: fg.max(x, axis=0),    lambda x: x.amax(0),        [[1.0, 5.0], [1.0, 2.0]]),
    ("min of ties",      lambda x: fg.min(x, axis=1),    lambda x: x.amin(1),        [[1.0, 1.0], [1.0, 2.0]]),
    ("max with nan",     lambda x: fg.max(x),            lambda x: x.amax(),         [1.0, np.nan, 2.0]),
    ("prod of one zero", lambda x: fg.prod(x),           lambda x: x.prod(),         [2.0, 0.0, 3.0]),
    ("prod of two",      lambda x: fg.prod(x),           lambda x: x.prod(),         [0.0, 2.0, 0.0]),
    ("prod by rows",     lambda x: fg.prod(x, axis=1),   lambda x: x.prod(1),        [[0.0, 2.0], [0.0, 0.0], [1.0, 2.0]]),
    ("std of equals",    lambda x: fg.std(x),            lambda x: x.std(correction=0), [2.0, 2.0]),
    ("var of equals",    lambda x: fg.var(x),            lambda x: x.var(correction=0), [2.0, 2.0]),
    ("logsumexp of -inf", lambda x: fg.logsumexp(x, axis=0), lambda x: x.logsumexp(0), [-np.inf, 1.0]),
    ("softmax of -inf",  lambda x: fg.softmax(x, axis=0)[1], lambda x: x.softmax(0)[1], [-np.inf, 1.0, 2.0]),
    ("softmax, large",   lambda x: fg.softmax(x, axis=0)[1], lambda x: x.softmax(0)[1], [1e4, 1e4, 0.0]),
    ("where",            lambda x: fg.where(x > 0, fg.sqrt(x), 0.0), lambda x: torch.where(x > 0, x.sqrt(), 0.0), [4.0, 0.0, -1.0]),
    ("x**0",             lambda x: x**0,                 lambda x: x**0,             [0.0, 2.0, -1.0]),
    ("x**2",             lambda x: x**2,                 lambda x: x**2,             [0.0, 2.0, -1.0]),
    ("x**0.5",           lambda x: x**0.5,               lambda x: x**0.5,           [0.0, 4.0]),
    ("x**-1",            lambda x: x**-1.0,              lambda x: x**-1.0,          [0.5, 4.0]),
    ("2**x",             lambda x: 2**x,                 lambda x: 2**x,             [0.0, 4.0]),
    ("0**x",             lambda x: 0.0**x,               lambda x: 0.0**x,           [0.0, 1.0, 2.0]),
    ("relu",             lambda x: fg.relu(x),           lambda x: x.relu(),         [0.0, -0.0, 1.0, -1.0]),
    ("norm at 0",        lambda x: fg.sqrt(fg.sum(x * x)), lambda x: (x * x).sum().sqrt(), [3.0, 4.0]),
    ("clip",             lambda x: fg.clip(x, -1, 1),    lambda x: x.clamp(-1, 1),   [-2.0, -1.0, 0.0, 1.0, 2.0]),
    ("sigmoid, far out", lambda x: fg.sigmoid(x),        lambda x: x.sigmoid(),      [-800.0, 0.0, 800.0]),
    ("silu, far out",    lambda x: fg.silu(x),           lambda x: F.silu(x),        [-800.0, 0.0, 800.0]),
    ("bce, far out",     lambda x: fg.binary_cross_entropy_with_logits(x, np.array([1.0, 0.0, 1.0])),
                         lambda x: F.binary_cross_entropy_with_logits(x, torch.tensor([1.0, 0.0, 1.0], dtype=x.dtype)),
                         [-800.0, 800.0, 0.0]),
    ("cross_entropy, far", lambda x: fg.cross_entropy(x, np.array([0])),
                         lambda x: F.cross_entropy(x, torch.tensor([0])), [[-1000.0, 1000.0, 0.0]]),
]
# fmt: on


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point[0])
def test_special_points_of_other_rows(point):
    what, ours, theirs, data = point
    compare(lambda x: fg.sum(ours(x)), lambda x: theirs(x).sum(), [np.array(data)], "float64", what, second=False)


def test_complex_gradients_are_pytorchs():
    z = np.array([1 + 2j, -0.5 + 1j, 3 - 0.25j])
    cases = {
        "abs": (fg.abs, torch.abs), "real": (fg.real, torch.real), "imag": (fg.imag, torch.imag), "conj": (fg.conj, torch.conj),
        "exp": (fg.exp, torch.exp), "product": (lambda x: x * fg.conj(x) * x, lambda x: x * torch.conj(x) * x),
        "power": (lambda x: x ** (1 + 1j), lambda x: x ** (1 + 1j)), "quotient": (lambda x: 1 / x, lambda x: 1 / x),
    }  # fmt: skip
    for name, (ours, theirs) in cases.items():
        compare(ours, theirs, [z], "complex128", name)
