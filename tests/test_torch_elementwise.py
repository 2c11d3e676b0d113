"""The rest of the elementwise functions beside PyTorch's: values, gradients and gradients of gradients."""

import importlib

import numpy as np
import pytest
from conftest import HAS_TORCH
from samples import draw, seed

import fastgrad as fg

pytestmark = pytest.mark.torch
torch = importlib.import_module("torch") if HAS_TORCH else None

# fmt: off
#: What, fastgrad, PyTorch, and where the operands are drawn from.
PAIRS = [
    ("angle",       lambda x: fg.angle(x),             lambda x: torch.angle(x),              (-2, 2)),
    ("fmax",        lambda x, y: fg.fmax(x, y),        lambda x, y: torch.fmax(x, y),         (-2, 2), (-2, 2)),
    ("fmin",        lambda x, y: fg.fmin(x, y),        lambda x, y: torch.fmin(x, y),         (-2, 2), (-2, 2)),
    ("fmod",        lambda x, y: fg.fmod(x, y),        lambda x, y: torch.fmod(x, y),         (5.1, 5.9), (2.0, 2.2)),
    ("float_power", lambda x, y: fg.float_power(x, y), lambda x, y: torch.float_power(x, y),  (0.5, 2), (-2, 2)),
    ("frexp",       lambda x: fg.frexp(x)[0],          lambda x: torch.frexp(x)[0],           (2.1, 3.9)),
    ("i0",          lambda x: fg.i0(x),                lambda x: torch.special.i0(x),         (-9, 9)),
    ("ldexp",       lambda x: fg.ldexp(x, np.array(3)), lambda x: torch.ldexp(x, torch.tensor(3)), (-2, 2)),
    ("logaddexp2",  lambda x, y: fg.logaddexp2(x, y),  lambda x, y: torch.logaddexp2(x, y),   (-2, 2), (-2, 2)),
    ("modf",        lambda x: fg.modf(x)[0],           lambda x: torch.frac(x),               (1.1, 1.9)),
    ("nan_to_num",  lambda x: fg.nan_to_num(x),        lambda x: torch.nan_to_num(x),         (-2, 2)),
    ("rad2deg",     lambda x: fg.rad2deg(x),           lambda x: torch.rad2deg(x),            (-2, 2)),
    ("sinc",        lambda x: fg.sinc(x),              lambda x: torch.sinc(x),               (-2, 2)),
]
POINTS = [
    ("fmax",       [(1.0, 1.0), (np.nan, 1.0), (1.0, np.nan), (2.0, 1.0)]),
    ("fmin",       [(1.0, 1.0), (np.nan, 1.0), (1.0, np.nan), (2.0, 1.0)]),
    ("nextafter",  [(1.0, 2.0), (1.0, 1.0)]),
    ("copysign",   [(0.0, -1.0), (1.0, -0.0), (-2.0, 3.0)]),
    ("nan_to_num", [(np.nan,), (np.inf,), (-np.inf,), (1.0,)]),
    ("float_power", [(0.0, 0.0), (0.0, 2.0), (0.0, 1.0)]),
    ("angle",      [(0.0,), (-1.0,), (2.0,)]),
    ("sinc",       [(0.0,), (1.0,), (-0.5,)]),
]
# fmt: on


def derivatives(module, function, arrays, g, u):
    """The value, its gradients, and the gradients of a product with them."""
    xs = [module.tensor(a, requires_grad=True) for a in arrays]
    out = function(*xs)
    firsts = module.autograd.grad(
        out, xs, module.tensor(g.astype(str(out.dtype).rpartition(".")[2])), create_graph=True
    )
    pairing = sum((first * module.tensor(v)).sum() for first, v in zip(firsts, u))
    pairing = pairing.real if arrays[0].dtype.kind == "c" else pairing
    seconds = module.autograd.grad(pairing, xs, allow_unused=True) if pairing.requires_grad else [None] * len(xs)
    return [out.detach().numpy(), *(first.detach().numpy() for first in firsts)], [
        np.zeros(x.shape, a.dtype) if s is None else s.detach().numpy() for s, x, a in zip(seconds, xs, arrays)
    ]


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_values_and_derivatives(pair, dtype):
    name, ours, theirs, *near = pair
    if dtype == "complex128" and name not in ("angle", "sinc", "float_power"):
        pytest.skip("NumPy or PyTorch has it for real numbers alone")
    rng = seed(name, dtype)
    arrays = [draw(rng, interval, (2, 3), dtype) for interval in near]
    g = draw(rng, (-1, 1), (2, 3), dtype if name != "angle" else "float64")
    u = [draw(rng, (-1, 1), (2, 3), dtype) for _ in arrays]
    (found, seconds), (wanted, theirs_second) = (
        derivatives(fg, ours, arrays, g, u), derivatives(torch, theirs, arrays, g, u)
    )  # fmt: skip
    tiny = 3e-5 if dtype == "float32" else 1e-10
    for a, b in zip([*found, *seconds], [*wanted, *theirs_second], strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tiny, atol=tiny)


@pytest.mark.parametrize(("name", "points"), POINTS)
def test_special_points(name, points):
    for point in points:
        grads = []
        for module in (fg, torch):
            xs = [module.tensor(v, dtype=module.float64, requires_grad=True) for v in point]
            getattr(module, name)(*xs).backward()
            grads.append([0.0 if x.grad is None else x.grad.item() for x in xs])
        np.testing.assert_allclose(*grads, rtol=1e-14, err_msg=f"{name}{point}")
