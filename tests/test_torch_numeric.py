"""Numeric recipes, padding, selecting and joining beside PyTorch: values, gradients and gradients of gradients."""

import importlib

import numpy as np
import pytest
from conftest import HAS_TORCH
from samples import draw, seed
from test_torch import compare

import fastgrad as fg

pytestmark = pytest.mark.torch
torch = importlib.import_module("torch") if HAS_TORCH else None
F = torch.nn.functional if HAS_TORCH else None

_I = np.array([2, 0, 0])
_PLACES = np.array([0.0, 0.5, 2.0, 2.5])
_MASK = np.array([[True, False, True], [False, False, True]])


def at(a):
    return torch.from_numpy(a)


# fmt: off
#: What, fastgrad, PyTorch, shapes.
PAIRS = [
    ("outer",         lambda x, y: fg.outer(x, y),            lambda x, y: torch.outer(x, y), (3,), (2,)),
    ("inner",         lambda x, y: fg.inner(x, y),            lambda x, y: torch.inner(x, y), (2, 3), (4, 3)),
    ("inner 0-d",     lambda x, y: fg.inner(x, y),            lambda x, y: torch.inner(x, y), (), (4, 3)),
    ("vdot",          lambda x, y: fg.vdot(x, y),             lambda x, y: torch.vdot(x, y), (3,), (3,)),
    ("vecdot",        lambda x, y: fg.vecdot(x, y),           lambda x, y: torch.linalg.vecdot(x, y), (2, 3), (3,)),
    ("vecdot axis",   lambda x, y: fg.vecdot(x, y, axis=0),   lambda x, y: torch.linalg.vecdot(x, y, dim=0), (3, 2), (3, 1)),
    ("matvec",        lambda x, y: fg.matvec(x, y),           lambda x, y: torch.mv(x, y), (2, 3), (3,)),
    ("kron",          lambda x, y: fg.kron(x, y),             lambda x, y: torch.kron(x, y), (2, 2), (2, 3)),
    ("kron 1-d",      lambda x, y: fg.kron(x, y),             lambda x, y: torch.kron(x, y), (3,), (2, 2)),
    ("cross",         lambda x, y: fg.cross(x, y),            lambda x, y: torch.linalg.cross(x, y), (2, 3), (2, 3)),
    ("cross axis",    lambda x, y: fg.cross(x, y, axis=0),    lambda x, y: torch.linalg.cross(x, y, dim=0), (3, 2), (3, 2)),
    ("tensordot",     lambda x, y: fg.tensordot(x, y, ([0, 2], [1, 0])), lambda x, y: torch.tensordot(x, y, ([0, 2], [1, 0])),
                      (2, 3, 4), (4, 2, 3)),
    ("einsum trace",  lambda x, y: fg.einsum("iij,jk->k", x, y), lambda x, y: torch.einsum("iij,jk->k", x, y), (2, 2, 3), (3, 2)),
    ("einsum implicit", lambda x, y: fg.einsum("...ji,kj", x, y), lambda x, y: torch.einsum("...ji,kj", x, y), (2, 3, 2), (4, 3)),
    ("trapezoid",     lambda y: fg.trapezoid(y),              lambda y: torch.trapezoid(y), (2, 4)),
    ("trapezoid dx",  lambda y: fg.trapezoid(y, dx=0.5, axis=0), lambda y: torch.trapezoid(y, dx=0.5, dim=0), (3, 2)),
    ("trapezoid x",   lambda y, x: fg.trapezoid(y, x),        lambda y, x: torch.trapezoid(y, x), (2, 4), (4,)),
    ("trapezoid xs",  lambda y, x: fg.trapezoid(y, x, axis=0), lambda y, x: torch.trapezoid(y, x, dim=0), (3, 2), (3, 2)),
    ("gradient",      lambda x: fg.gradient(x),               lambda x: torch.gradient(x)[0], (5,)),
    ("gradient 2",    lambda x: fg.gradient(x, 0.5, edge_order=2, axis=1),
                      lambda x: torch.gradient(x, spacing=0.5, edge_order=2, dim=1)[0], (2, 4)),
    ("gradient places", lambda x: fg.gradient(x, _PLACES.astype(x.dtype), axis=0),
                      lambda x: torch.gradient(x, spacing=(at(_PLACES).to(x.dtype),), dim=0)[0], (4, 2)),
    ("gradient both", lambda x: fg.stack(fg.gradient(x)),     lambda x: torch.stack(torch.gradient(x)), (3, 4)),
    ("vander",        lambda x: fg.vander(x, 4),              lambda x: torch.linalg.vander(x, N=4).flip(1), (3,)),
    ("vander up",     lambda x: fg.vander(x, 4, increasing=True), lambda x: torch.linalg.vander(x, N=4), (3,)),
    ("convolve",      lambda x, y: fg.convolve(x, y),
                      lambda x, y: F.conv1d(x[None, None], y.flip(0)[None, None], padding=2)[0, 0], (5,), (3,)),
    ("correlate",     lambda x, y: fg.correlate(x, y),
                      lambda x, y: F.conv1d(x[None, None], y.conj()[None, None])[0, 0], (5,), (3,)),
    ("pad edge",      lambda x: fg.pad(x, ((0, 0), (0, 0), (1, 2)), "edge"), lambda x: F.pad(x, (1, 2), "replicate"), (1, 2, 4)),
    ("pad reflect",   lambda x: fg.pad(x, ((0, 0), (0, 0), (3, 2)), "reflect"), lambda x: F.pad(x, (3, 2), "reflect"), (1, 2, 4)),
    ("pad wrap",      lambda x: fg.pad(x, ((0, 0), (0, 0), (3, 2)), "wrap"), lambda x: F.pad(x, (3, 2), "circular"), (1, 2, 4)),
    ("pad value",     lambda x: fg.pad(x, ((0, 1), (2, 0)), constant_values=0.5), lambda x: F.pad(x, (2, 0, 0, 1), value=0.5), (2, 3)),
    ("take",          lambda x: fg.take(x, _I),               lambda x: torch.take(x, at(_I)), (2, 3)),
    ("take axis",     lambda x: fg.take(x, _I, axis=1),       lambda x: torch.index_select(x, 1, at(_I)), (2, 3)),
    ("extract",       lambda x: fg.extract(_MASK, x),         lambda x: torch.masked_select(x, at(_MASK)), (2, 3)),
    ("select",        lambda x, y: fg.select([x > 1, y > 1], [x, y], 0.0),
                      lambda x, y: torch.where(x > 1, x, torch.where(y > 1, y, torch.zeros((), dtype=x.dtype))), (2, 3), (3,)),
    ("choose",        lambda x, y: fg.choose(_I > 0, [x, y]), lambda x, y: torch.where(at(_I > 0), y, x), (2, 3), (3,)),
    ("append",        lambda x, y: fg.append(x, y),           lambda x, y: torch.cat([x.ravel(), y.ravel()]), (2, 3), (2,)),
    ("hstack",        lambda x, y: fg.hstack([x, y, x]),      lambda x, y: torch.hstack([x, y, x]), (2, 3), (2, 1)),
    ("vstack",        lambda x, y: fg.vstack([x, y]),         lambda x, y: torch.vstack([x, y]), (2, 3), (3,)),
    ("dstack",        lambda x, y: fg.dstack([x, y]),         lambda x, y: torch.dstack([x, y]), (2, 3), (2, 3)),
    ("column_stack",  lambda x, y: fg.column_stack([x, y]),   lambda x, y: torch.column_stack([x, y]), (3,), (3, 2)),
    ("block",         lambda x, y: fg.block([[x, y], [y, x]]), lambda x, y: torch.cat([torch.cat([x, y], 1), torch.cat([y, x], 1)]),
                      (2, 2), (2, 2)),
    ("atleast_2d",    lambda x: fg.atleast_2d(x),             lambda x: torch.atleast_2d(x), (3,)),
    ("atleast_3d",    lambda x: fg.atleast_3d(x),             lambda x: torch.atleast_3d(x), (3,)),
    ("rot90",         lambda x: fg.rot90(x),                  lambda x: torch.rot90(x), (2, 3)),
    ("rot90 axes",    lambda x: fg.rot90(x, 3, (1, 2)),       lambda x: torch.rot90(x, 3, (1, 2)), (2, 3, 2)),
    ("fliplr",        lambda x: fg.fliplr(x),                 lambda x: torch.fliplr(x), (2, 3)),
    ("flipud",        lambda x: fg.flipud(x),                 lambda x: torch.flipud(x), (2, 3)),
    ("tril",          lambda x: fg.tril(x, -1),               lambda x: torch.tril(x, -1), (3, 3)),
    ("triu",          lambda x: fg.triu(x, 1),                lambda x: torch.triu(x, 1), (2, 3, 3)),
    ("diagflat",      lambda x: fg.diagflat(x, 1),            lambda x: torch.diagflat(x, 1), (2, 2)),
    ("meshgrid",      lambda x, y: fg.stack(fg.meshgrid(x, y)), lambda x, y: torch.stack(torch.meshgrid(x, y, indexing="xy")), (2,), (3,)),
    ("broadcast_arrays", lambda x, y: fg.stack(fg.broadcast_arrays(x, y)), lambda x, y: torch.stack(torch.broadcast_tensors(x, y)),
                      (2, 1), (3,)),
    ("array_split",   lambda x: fg.array_split(x, 3)[0],      lambda x: torch.tensor_split(x, 3)[0], (5, 2)),
    ("hsplit",        lambda x: fg.hsplit(x, [1])[1],         lambda x: torch.hsplit(x, [1])[1], (2, 3)),
]
# fmt: on
REAL_ONLY = {"select"}
WIDER = {"vander", "vander up"}  # NumPy's powers of float32 are float64


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("pair", PAIRS, ids=[pair[0] for pair in PAIRS])
def test_values_and_gradients_are_pytorchs(pair, dtype):
    what, ours, theirs, *shapes = pair
    if dtype == "complex128" and what in REAL_ONLY:
        pytest.skip("for real numbers")
    if dtype == "float32" and what in WIDER:
        pytest.skip("NumPy gives float64")
    rng = seed(what, dtype)
    arrays = [draw(rng, (-2, 2), shape, dtype) for shape in shapes]
    assert compare(ours, theirs, arrays, dtype, f"{what} {dtype}") or dtype == "complex128"


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_writes_have_pytorchs_gradients(dtype):
    x, v = (draw(seed("put", dtype, str(shape)), (-2, 2), shape, dtype) for shape in ((2, 3), (3,)))

    def ours(x, v):
        y = x * x
        fg.put(y, [4, 0, 4], v)
        return y * y

    def theirs(x, v):
        y = x * x
        return y.flatten().index_put((torch.tensor([0, 4]),), v[1:]).reshape(2, 3) ** 2

    compare(ours, theirs, [x, v], dtype, "put")

    def ours(x, v):
        y = x * x
        fg.place(y, _MASK, v)
        return y * y

    compare(ours, lambda x, v: (x * x).masked_scatter(at(_MASK), v) ** 2, [x, v], dtype, "place")

    def ours(x, v):
        y = x * x
        fg.putmask(y, _MASK, v[0])
        return y * y

    compare(ours, lambda x, v: torch.where(at(_MASK), v[0], x * x) ** 2 + 0 * v.sum(), [x, v], dtype, "putmask")
