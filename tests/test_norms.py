"""Normalisation on the direct path: the values of the general one, its gradients, whatever the number of threads."""

import numpy as np
import pytest
from samples import COMPILED, NEEDS_CORE, core, same_bits

import fastgrad as fg
import fastgrad.nn.functional as F

needs_core = pytest.mark.skipif(not COMPILED, reason=NEEDS_CORE)
INF, NAN = np.inf, np.nan

MATRICES = [(4, 5), (1, 7), (5, 1), (40, 9), (9, 40), (316, 131), (700, 3), (3, 5000), (2000, 200)]
IMAGES = [(4, 3, 5, 6), (2, 4, 3), (3, 2, 1), (2, 2, 40, 50), (64, 3, 2), (1, 3, 7), (7, 1, 9)]


def channels(x, w, b):
    return F.batch_norm(x, None, None, w, b, training=True)


def last(x, w, b):
    return F.layer_norm(x, x.shape[-1:], w, b)


def uncentred(x, w, b):
    return F.rms_norm(x, x.shape[-1:], w)


def run(norm, operands, direct=True, threads=2):
    """Value and gradients, with None where there was none."""
    before, count = core.set_direct(direct), fg.get_num_threads()
    fg.set_num_threads(threads)
    try:
        given = [None if value is None else fg.tensor(value, requires_grad=True) for value in operands]
        out = norm(*given)
        g = np.random.default_rng(1).normal(size=out.shape).astype(out.dtype)
        out.backward(fg.tensor(g))
        return [out.detach().numpy(), *(None if t is None or t.grad is None else t.grad.numpy() for t in given)]
    finally:
        core.set_direct(before)
        fg.set_num_threads(count)


def operands(shape, dtype, length):
    random = np.random.default_rng(0)
    return [1 + random.normal(size=size).astype(dtype) for size in (shape, length, length)]


def compare(norm, given, what):
    found, expected = run(norm, given), run(norm, given, direct=False)
    same_bits(found[0], expected[0], what)
    for a, b in zip(found[1:], expected[1:], strict=True):
        if b is None:
            assert a is None
            continue
        assert a.dtype == b.dtype and a.shape == b.shape
        scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
        tiny = 128 * np.finfo(a.dtype).eps
        np.testing.assert_allclose(a, b, rtol=tiny, atol=tiny * scale, err_msg=what)


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm", [last, uncentred, channels])
def test_the_direct_path_has_the_values_of_the_general_one(norm, dtype):
    for shape in MATRICES + (IMAGES if norm is channels else []):
        x, w, b = operands(shape, dtype, shape[1])
        if norm is channels and x.size == shape[1]:
            continue  # one value for each channel
        for given in ((x, w, b), (x, None, b), (x, w, None), (x, None, None)):
            compare(norm, given, f"{norm.__name__} {shape} {[value is not None for value in given]}")


@needs_core
@pytest.mark.parametrize("norm", [last, uncentred, channels])
def test_special_values(norm):
    x, w, b = operands((6, 6), "float64", 6)
    x[0, 0], x[1, 1], x[2, 2], x[:, 4], x[4] = INF, -INF, NAN, 2.0, -0.0
    compare(norm, (x, w, b), norm.__name__)


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    for norm, shape in ((last, (701, 203)), (last, (9, 30_000)), (channels, (701, 203)), (channels, (4, 3, 90, 90))):
        given = operands(shape, dtype, shape[1])
        for found, expected in zip(run(norm, given, threads=5), run(norm, given, threads=1), strict=True):
            same_bits(found, expected, f"{norm.__name__} {shape}")


@needs_core
def test_a_cotangent_in_any_memory():
    x, w, b = (fg.tensor(value, requires_grad=True) for value in operands((3, 4), "float64", 4))
    for norm in (last, channels):
        out = norm(x, w, b)
        for g in (np.ones(()), np.asfortranarray(np.random.default_rng(2).normal(size=(3, 4)))):
            g = np.broadcast_to(g, out.shape)
            found = fg.autograd.grad(out, (x, w, b), fg.asarray(g), retain_graph=True)
            expected = fg.autograd.grad(out, (x, w, b), fg.tensor(np.ascontiguousarray(g)), retain_graph=True)
            for a, c in zip(found, expected, strict=True):
                same_bits(a.numpy(), c.numpy(), norm.__name__)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2), (1, 2)])
@pytest.mark.parametrize("norm", [last, channels])
def test_only_some_gradients_are_wanted(norm, wanted):
    given = operands((5, 4), "float64", 4)
    everything = run(norm, given)
    tensors = [fg.tensor(value, requires_grad=i in wanted) for i, value in enumerate(given)]
    g = np.random.default_rng(1).normal(size=(5, 4))
    found = fg.autograd.grad(norm(*tensors), [tensors[i] for i in wanted], fg.tensor(g))
    for i, grad in zip(wanted, found, strict=True):
        same_bits(grad.numpy(), everything[1 + i], f"{norm.__name__} {i}")


def test_what_is_written_before_backward_raises():
    x, w, b = (fg.tensor(value, requires_grad=True) for value in operands((3, 4), "float64", 4))
    for k in (0, 1):
        given = [x * 1.0, w * 1.0, b * 1.0]
        out = last(*given)
        given[k].add_(1.0)
        with pytest.raises(RuntimeError, match="modified"):
            out.sum().backward()


def test_a_graph_edge_has_the_shape_of_the_result():
    x, w, b = (fg.tensor(value, requires_grad=True) for value in operands((1, 1), "float64", 1))
    edge = fg.autograd.graph.get_gradient_edge(last(x, w, b))
    (grad,) = fg.autograd.grad(edge, b, fg.tensor([[2.0]]))
    assert grad.numpy() == [2.0]


def test_saved_tensors_hooks_see_what_the_formula_reads():
    given = operands((3, 4), "float64", 4)
    kept = []
    x, w, b = (fg.tensor(value, requires_grad=True) for value in given)
    with fg.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        out = last(x, w, b)
    out.backward(fg.tensor(np.random.default_rng(1).normal(size=(3, 4))))
    assert kept == [(3, 4), (4,)]
    np.testing.assert_allclose(x.grad.numpy(), run(last, given)[1], rtol=1e-12, atol=1e-12)
