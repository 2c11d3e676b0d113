"""Cross entropy of integer classes: one node, whose direct path has the values of the general one."""

import numpy as np
import pytest
from samples import COMPILED, NEEDS_CORE, core, same_bits, seed

import fastgrad as fg

F = fg.nn.functional
needs_core = pytest.mark.skipif(not COMPILED, reason=NEEDS_CORE)

SHAPES = [(3,), (1, 1), (32, 10), (5, 1000), (4, 3, 2), (2, 40_000), (40_000, 2), (5, 3, 7000), (3, 700, 64)]


def classes_of(shape):
    count, batch = (shape[1], shape[:1] + shape[2:]) if len(shape) > 1 else (shape[0], ())
    return np.asarray(seed(shape, "classes").integers(0, count, batch))


def everything(x, y, direct, **options):
    """The loss; its gradient, with the graph kept, recorded and spent; and second derivatives."""
    before = core.set_direct(direct) if COMPILED else None
    try:
        x = fg.tensor(x, requires_grad=True)
        loss = F.cross_entropy(x, y, **options)
        g = fg.tensor(seed(x.shape, "g").normal(size=loss.shape).astype(x.dtype), requires_grad=True)
        (kept,) = fg.autograd.grad(loss, x, g, retain_graph=True)
        (recorded,) = fg.autograd.grad(loss, x, g, create_graph=True)
        seconds = fg.autograd.grad((recorded * recorded).sum(), [x, g])
        (spent,) = fg.autograd.grad(loss, x, g)
        return [t.detach().numpy() for t in (loss, kept, recorded, spent, *seconds)]
    finally:
        if COMPILED:
            core.set_direct(before)


@needs_core
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ignore_index", [-100, 1])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_paths_agree(shape, reduction, ignore_index, dtype):
    x, y = 3 * seed(shape).normal(size=shape).astype(dtype), classes_of(shape)
    options = {"reduction": reduction, "ignore_index": ignore_index}
    fast, slow = everything(x, y, True, **options), everything(x, y, False, **options)
    same_bits(fast[0], slow[0], "value")
    eps = np.finfo(dtype).eps
    for a, b in zip(fast[1:], slow[1:], strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=64 * eps, atol=64 * eps * np.abs(b).max(initial=0))
    for a in fast[2:4]:
        np.testing.assert_allclose(a, fast[1], rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_value_is_what_its_parts_give(reduction):
    x, y = seed("parts").normal(size=(7, 5)), seed("parts").integers(0, 5, 7)
    losses = -F.log_softmax(x, axis=1).numpy()[np.arange(7), y]
    expected = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](losses)
    same_bits(F.cross_entropy(x, y, reduction=reduction).numpy(), expected, reduction)
    same_bits(fg.cross_entropy(x, y, reduction=reduction).numpy(), expected, reduction)


def test_scores_without_bounds():
    x = [[np.inf, 0.0], [-np.inf, 0.0], [0.0, np.nan], [1e4, -1e4], [-np.inf, -np.inf]]
    for dtype in ("float32", "float64"):
        array, y = np.array(x, dtype), np.array([0, 0, 0, 1, 0])
        fast = everything(array, y, True, reduction="none")[:2]
        for a, b in zip(fast, everything(array, y, False, reduction="none")[:2], strict=True):
            np.testing.assert_array_equal(a, b)
    assert fast[0][3] == 20_000


def test_all_ignored_is_nan_and_has_no_gradient():
    x = fg.tensor(np.ones((2, 3)), requires_grad=True)
    loss = F.cross_entropy(x, [-100, -100])
    loss.backward()
    assert np.isnan(loss.item())
    assert x.grad.tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("bad", [3, -1, 1 << 40])
def test_a_class_that_there_is_not_raises_and_says_so(bad):
    for y in (np.array([0, bad]), fg.tensor([0, bad])):
        with pytest.raises(IndexError, match="classes from"):
            F.cross_entropy(fg.tensor(np.ones((2, 3)), requires_grad=True), y)


def test_classes_may_be_overwritten_and_the_graph_run_again():
    x, y = fg.tensor([[1.0, 2.0], [0.0, 1.0]], requires_grad=True), np.array([0, 1])
    loss = F.cross_entropy(x, y)
    (expected,) = fg.autograd.grad(loss, x, retain_graph=True)
    y[:] = 1 - y
    if COMPILED:
        (again,) = fg.autograd.grad(loss, x, retain_graph=True)
        same_bits(again.numpy(), expected.numpy(), "again")
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_saved_values_go_through_hooks():
    packed = []
    with fg.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t.shape) or t, lambda t: t):
        x = fg.tensor(np.ones((2, 3)), requires_grad=True)
        F.cross_entropy(x * 1, [0, 2]).backward()
    assert (2, 3) in packed
    np.testing.assert_allclose(x.grad.numpy(), (1 / 3 - np.eye(3)[[0, 2]]) / 2)
