"""PyTorch's own samples of its own operations (`op_db`), run through fastgrad's public names.

Values, gradients and, for some samples, gradients of gradients are compared with PyTorch's, in float64 and complex128.
What each operation is in fastgrad is said in `op_db_mapping` and `op_db_more`.
"""

import importlib
import itertools
import os
import random
import warnings
import zlib

import numpy as np
import pytest
from conftest import HAS_TORCH

import fastgrad as fg

pytestmark = pytest.mark.torch
if not HAS_TORCH:
    pytest.skip("PyTorch is not installed", allow_module_level=True)
torch = importlib.import_module("torch")
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        op_db = importlib.import_module("torch.testing._internal.common_methods_invocations").op_db
except ImportError as error:
    pytest.skip(f"PyTorch's samples need more: {error}", allow_module_level=True)

import op_db_more  # noqa: E402
from op_db_mapping import MAP  # noqa: E402

TAKEN = int(os.environ.get("FASTGRAD_OP_DB_SAMPLES", "4"))  # of each operation, from the first ones
LOOKED_AT, LARGEST = max(24, TAKEN), 4000
SKIPPED = op_db_more.SKIPPED


def mapped(op):
    named = MAP.get(f"{op.name}|{op.variant_test_name}") or MAP.get(op.name)
    return None if named is None or (f"{op.name}|" in MAP and op.variant_test_name) else named


ENTRIES = [op for op in op_db if mapped(op) is not None]
DTYPES = {torch.float64: "float64", torch.complex128: "complex128"}
CALLS = [
    pytest.param(op, dtype, id=f"{op.name}-{op.variant_test_name or 'plain'}-{DTYPES[dtype]}")
    for op in ENTRIES
    for dtype in DTYPES
    if dtype in op.dtypes
]


def test_there_are_enough():
    assert len({(op.name, op.variant_test_name) for op in ENTRIES}) >= 400


# ---------------------------------------------------------------- from PyTorch to fastgrad


def converted(value, leaves):
    """A sample's argument: tensors as Tensors of the same numbers; those that require grad are also put in `leaves`."""
    if isinstance(value, torch.Tensor):
        made = fg.asarray(np.array(value.detach().resolve_conj().resolve_neg().numpy(force=True)))
        if value.requires_grad:
            made.requires_grad_()
            leaves.append((value, made))
        return made
    if isinstance(value, torch.dtype):
        return torch.empty(0, dtype=value).numpy().dtype
    if isinstance(value, (list, tuple)):
        parts = [converted(part, leaves) for part in value]
        return type(value)(parts) if type(value) in (list, tuple) else tuple(parts)
    if isinstance(value, dict):
        return {key: converted(part, leaves) for key, part in value.items()}
    return value


def flat(value):
    """All the tensors in a result, in order."""
    if isinstance(value, (list, tuple)):
        return [part for item in value for part in flat(item)]
    return [] if value is None else [value]


def size(value):
    return sum(t.numel() for t in flat(value) if isinstance(t, torch.Tensor))


def seeded():
    """The generators that samples are drawn from, without what `torch.manual_seed` does for absent devices."""
    torch.default_generator.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  theirs


def samples(op, dtype):
    seeded()
    found = op.sample_inputs("cpu", dtype, requires_grad=op.supports_autograd, set_seed=False)
    some = [s for s in itertools.islice(found, LOOKED_AT) if size([s.input, *s.args, *s.kwargs.values()]) <= LARGEST]
    step = max(len(some) / TAKEN, 1)
    return [some[int(i * step)] for i in range(min(TAKEN, len(some)))]


def close(found, expected, what, order=0):
    expected = expected.detach().resolve_conj().resolve_neg().numpy(force=True)
    found = found.detach().numpy() if isinstance(found, fg.Tensor) else np.asarray(found)
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, PyTorch has {expected.shape}"
    inexact = expected.dtype.kind in "fc"
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1.0) if inexact else 1.0
    tiny = 1e-5 if inexact and np.finfo(expected.dtype).bits < 64 else 1e-9
    rtol, atol = (1e2 * tiny) * 10 ** (order / 2), tiny * scale * 10**order
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=what)


def gradients(outs, leaves, gs, create_graph=False):
    ours = fg.autograd.grad(
        [o for o, _ in outs],
        [l for _, l in leaves],
        [fg.asarray(np.asarray(c, o.dtype)) for c, (o, _) in zip(gs, outs)],
        allow_unused=True,
        create_graph=create_graph,
    )
    theirs = torch.autograd.grad(
        [o for _, o in outs],
        [l for l, _ in leaves],
        [torch.tensor(c, dtype=o.dtype) for c, (_, o) in zip(gs, outs)],
        allow_unused=True,
        create_graph=create_graph,
    )
    return list(zip(ours, theirs, leaves))


def cotangents(rng, pairs):
    """Random ones, of the shape and kind of each result."""
    return [
        rng.normal(size=tuple(b.shape)) + (1j * rng.normal(size=tuple(b.shape)) if b.is_complex() else 0)
        for _, b in pairs
    ]


def reads_hermitian(op):
    return not {op.name, f"{op.name}|{op.variant_test_name}"}.isdisjoint(op_db_more.HERMITIAN)


def close_gradients(op, found, what, order):
    """Where a Hermitian matrix is read, PyTorch spreads its gradient in various ways: the Hermitian part counts."""
    for ours, theirs, (leaf, _) in found:
        ours = fg.zeros(leaf.shape) if ours is None else ours
        theirs = torch.zeros_like(leaf) if theirs is None else theirs
        if reads_hermitian(op):
            ours, theirs = ours + fg.conj(ours.mT), theirs + theirs.mH
        close(ours, theirs, what, order)


def compare(op, sample, again):
    leaves = []
    args = converted([sample.input, *sample.args], leaves)
    kwargs = converted(sample.kwargs, leaves)
    what = f"{op.name} {[getattr(a, 'shape', a) for a in args]} {kwargs}"
    process = sample.output_process_fn_grad
    expected = flat(process(op(sample.input, *sample.args, **sample.kwargs)))
    # a leaf's numbers come to fastgrad through a copy, so that both may be written
    result = mapped(op)(*args, **kwargs)
    found = flat(process(result) if op.name in op_db_more.PROCESSED else result)
    expected = expected[: len(found)] if op.name in op_db_more.FIRST else expected
    assert len(found) == len(expected), f"{what}: {len(found)} results, PyTorch has {len(expected)}"
    for a, b in zip(found, expected):
        if isinstance(b, torch.Tensor):
            close(a, b, what)
    pairs = [(a, b) for a, b in zip(found, expected) if isinstance(b, torch.Tensor) and b.requires_grad]
    for a, _ in pairs:
        assert a.requires_grad, f"{what}: the gradient is lost"
    if not pairs or not leaves:
        return
    rng = np.random.default_rng(zlib.crc32(what.encode()))
    found = gradients(pairs, leaves, cotangents(rng, pairs), create_graph=again)
    close_gradients(op, found, f"{what}, first order", 1)
    second = [(a, b) for a, b, _ in found if a is not None and b is not None and a.requires_grad and b.requires_grad]
    if again and second and not reads_hermitian(op):
        close_gradients(op, gradients(second, leaves, cotangents(rng, second)), f"{what}, second order", 2)


@pytest.mark.parametrize(("op", "dtype"), CALLS)
def test_samples_of(op, dtype):
    reason = SKIPPED.get((f"{op.name}|{op.variant_test_name}", DTYPES[dtype])) or SKIPPED.get(op.name)
    if reason:
        pytest.skip(reason)
    again = op.supports_autograd and op.supports_gradgrad and op.name not in op_db_more.ONCE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, sample in enumerate(op_db_more.within(op, samples(op, dtype))):
            compare(op, sample, again and i % 2 == 0)
