"""Special functions against PyTorch's: values, gradients and gradients of gradients, where it has them."""

import importlib

import numpy as np
import pytest
from conftest import HAS_TORCH

import fastgrad as fg

pytest.importorskip("scipy.special")
pytestmark = pytest.mark.torch
torch = importlib.import_module("torch") if HAS_TORCH else None
S = torch.special if HAS_TORCH else None
F = fg.special

POSITIVE, UNIT, ALL = (0.2, 4.0), (0.05, 0.95), (-4.0, 4.0)

# fmt: off
#: fastgrad, PyTorch, an interval for each operand.
ONE = {
    "erf": ALL, "erfc": ALL, "erfcx": ALL, "erfinv": (-0.95, 0.95), "ndtr": ALL, "ndtri": UNIT, "log_ndtr": ALL,
    "gammaln": POSITIVE,
    "digamma": POSITIVE, "psi": POSITIVE, "entr": POSITIVE, "expit": ALL, "logit": UNIT, "exp2": ALL, "expm1": ALL,
    "log1p": POSITIVE, "i0": ALL, "i0e": ALL, "i1": ALL, "i1e": ALL, "sinc": ALL,
}
PAIRS = [
    ("xlogy", lambda x, y: F.xlogy(x, y), lambda x, y: S.xlogy(x, y), ALL, POSITIVE),
    ("xlog1py", lambda x, y: F.xlog1py(x, y), lambda x, y: S.xlog1py(x, y), ALL, POSITIVE),
    ("zeta", lambda x: F.zeta(np.array([2.0, 3.0, 4.5]), x),
             lambda x: S.zeta(torch.tensor([2.0, 3.0, 4.5]).double(), x), POSITIVE),
    ("polygamma 1", lambda x: F.polygamma(1, x), lambda x: S.polygamma(1, x), POSITIVE),
    ("polygamma 3", lambda x: F.polygamma(3, x), lambda x: S.polygamma(3, x), POSITIVE),
    ("gammainc", lambda x: F.gammainc(np.array([0.5, 1.0, 3.0]), x),
                 lambda x: S.gammainc(torch.tensor([0.5, 1.0, 3.0]).double(), x), POSITIVE),
    ("gammaincc", lambda x: F.gammaincc(np.array([0.5, 1.0, 3.0]), x),
                  lambda x: S.gammaincc(torch.tensor([0.5, 1.0, 3.0]).double(), x), POSITIVE),
    ("multigammaln", lambda x: F.multigammaln(x, 3), lambda x: S.multigammaln(x, 3), (2.0, 5.0)),
    ("softmax", lambda x: F.softmax(x, axis=0), lambda x: S.softmax(x, 0), ALL),
    ("log_softmax", lambda x: F.log_softmax(x, axis=0), lambda x: S.log_softmax(x, 0), ALL),
    ("logsumexp", lambda x: F.logsumexp(x, axis=0), lambda x: S.logsumexp(x, 0), ALL),
    ("kl_div", lambda x, y: F.rel_entr(x, y), lambda x, y: x * (x / y).log(), POSITIVE, POSITIVE),
    ("huber", lambda x: F.huber(1.0, x),
              lambda x: torch.nn.functional.huber_loss(x, torch.zeros_like(x), reduction="none"), ALL),
]
#: PyTorch has the values alone.
VALUES = {
    "j0": "bessel_j0", "j1": "bessel_j1", "y0": "bessel_y0", "y1": "bessel_y1",
    "k0": "modified_bessel_k0", "k1": "modified_bessel_k1",
    "k0e": "scaled_modified_bessel_k0", "k1e": "scaled_modified_bessel_k1",
}
SPECIAL = {
    "xlogy": [(0.0, 0.0), (0.0, 2.0), (1.0, 1.0), (2.0, 0.0)], "xlog1py": [(0.0, -1.0), (0.0, 2.0), (1.0, 0.0)],
    "entr": [(0.0,), (1.0,)], "expit": [(0.0,), (800.0,), (-800.0,)], "i0e": [(0.0,)], "i1": [(0.0,)], "i1e": [(0.0,)],
    "erfinv": [(0.0,), (1.0,)], "logit": [(0.0,), (1.0,)], "log_ndtr": [(-50.0,), (50.0,)], "gammaln": [(1.0,), (1e5,)],
}
# fmt: on
CALLS = [(n, getattr(F, n), getattr(S, n, None), near) for n, near in ONE.items()] + PAIRS


def orders(function, xs, gradients, ones):
    """Value, gradients, and gradients of the sum of their squares."""
    out = function(*xs)
    firsts = gradients(out, xs, ones(out), create_graph=True)
    total = sum((first * first).sum() for first in firsts)
    return [out, *firsts, *gradients(total, xs, None)]


@pytest.mark.parametrize("call", CALLS, ids=[call[0] for call in CALLS])
def test_values_and_derivatives_of_two_orders(call, rng):
    _, ours, theirs, *intervals = call
    arrays = [rng.uniform(low, high, (4, 3)) for low, high in intervals]
    xs, ts = [fg.tensor(a, requires_grad=True) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    found = orders(ours, xs, fg.autograd.grad, fg.ones_like)
    expected = orders(theirs, ts, torch.autograd.grad, torch.ones_like)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", VALUES)
def test_values(name, rng):
    x = rng.uniform(0.2, 4.0, 20)
    theirs = getattr(S, VALUES[name])(torch.tensor(x)).numpy()
    np.testing.assert_allclose(getattr(F, name)(x).numpy(), theirs, rtol=1e-8)  # PyTorch's are no better


@pytest.mark.parametrize("name", SPECIAL)
def test_gradients_at_special_points(name):
    for point in SPECIAL[name]:
        xs = [fg.tensor(v, requires_grad=True) for v in point]
        ts = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in point]
        getattr(F, name)(*xs).backward()
        getattr(S, name)(*ts).backward()
        for x, t in zip(xs, ts):
            wanted = t.grad.item()
            if wanted == wanted:  # where PyTorch has nan there may be a better answer
                np.testing.assert_allclose(x.grad.item(), wanted, rtol=1e-9, atol=1e-14, err_msg=f"{name}{point}")
