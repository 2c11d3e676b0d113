"""`fastgrad.nn.functional` beyond values and gradients: bad input, randomness, state, transforms, places of maxima."""

import doctest
import inspect
import warnings

import numpy as np
import pytest
from test_torch_nn import CASES, RANGES, pytest_id

import fastgrad as fg
from fastgrad.autograd import gradcheck, gradgradcheck
from fastgrad.func import grad, hessian, jacfwd, jacrev, jvp, vmap

F = fg.nn.functional


def leaf(rng, *shape, dtype="float64"):
    return fg.tensor(rng.uniform(-1.5, 1.5, shape).astype(dtype), requires_grad=True)


# ---------------------------------------------------------------- the public face


def test_every_function_has_a_docstring_with_an_example_that_runs():
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(verbose=False)
    for name in F.__all__:
        function = getattr(F, name)
        assert inspect.getdoc(function), name
        if name.endswith("_"):
            continue
        tests = finder.find(function, name, globs={})
        assert any(test.examples for test in tests), f"{name} has no example"
        for test in tests:
            assert not runner.run(test).failed, name


def test_signatures_are_pytorchs_with_axis_and_keepdims():
    torch = pytest.importorskip("torch")
    legacy, ours = {"size_average", "reduce", "_stacklevel", "out", "eps"}, {"generator", "eps"}
    spelt = {"dim": "axis", "keepdim": "keepdims"}
    for name in F.__all__:
        try:
            theirs = list(inspect.signature(getattr(torch.nn.functional, name)).parameters)
        except ValueError:
            continue  # written in C++
        found = [p for p in inspect.signature(getattr(F, name)).parameters if p not in ours]
        if "args" in theirs or "args" in found:
            continue  # not said
        expected = [spelt.get(p, p) for p in theirs if p not in legacy]
        assert found == expected, name


def test_plain_sequences_and_arrays_are_taken():
    assert F.conv1d([[1, 2, 3]], [[[1, 1]]]).tolist() == [[3, 5]]
    assert F.cross_entropy(np.zeros((2, 4), "float32"), fg.tensor([1, 3])).dtype == np.float32
    assert F.linear(np.ones((2, 3), "float32"), np.ones((4, 3), "float32")).dtype == np.float32


@pytest.mark.parametrize(
    "loss", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits"]
)
def test_integer_targets_do_not_widen(loss):
    x = fg.tensor([0.5, 0.25], dtype="float32", requires_grad=True)
    out = getattr(F, loss)(x, np.array([1, 0]))
    out.backward()
    assert out.dtype == np.float32 and x.grad.dtype == np.float32


# ---------------------------------------------------------------- bad input

X, W = np.ones((2, 3, 5, 5)), np.ones((4, 3, 3, 3))
# fmt: off
WRONG = [
    (ValueError, "expected a weight", lambda: F.conv2d(X, np.ones((4, 2, 3, 3)))),
    (ValueError, "expected a weight", lambda: F.conv2d(X, W, groups=2)),
    (ValueError, "3 or 4 axes", lambda: F.conv2d(np.ones((5, 5)), W)),
    (ValueError, "4 axes", lambda: F.conv2d(X, np.ones((4, 3, 3)))),
    (ValueError, "does not fit", lambda: F.conv2d(X, np.ones((4, 3, 6, 3)))),
    (ValueError, "stride must be at least 1", lambda: F.conv2d(X, W, stride=0)),
    (ValueError, "padding must be at least 0", lambda: F.conv2d(X, W, padding=-1)),
    (ValueError, "needs stride 1", lambda: F.conv2d(X, W, padding="same", stride=2)),
    (ValueError, '"valid" or "same"', lambda: F.conv2d(X, W, padding="full")),
    (ValueError, r"bias of shape \(4,\)", lambda: F.conv2d(X, W, np.ones(3))),
    (ValueError, "one number or 2", lambda: F.conv2d(X, W, stride=(1, 2, 3))),
    (ValueError, "output_padding", lambda: F.conv_transpose2d(X, np.ones((3, 2, 2, 2)), output_padding=1)),
    (ValueError, "expected a weight", lambda: F.conv_transpose2d(X, W)),
    (ValueError, "linear", lambda: F.linear(X, W)),
    (ValueError, "linear", lambda: F.linear(np.ones(3), np.ones((2, 4)))),
    (ValueError, "bilinear", lambda: F.bilinear(np.ones(3), np.ones(2), np.ones((2, 2, 2)))),
    (ValueError, "half of the kernel", lambda: F.max_pool2d(X, 2, padding=2)),
    (ValueError, "does not fit", lambda: F.max_pool2d(X, 6)),
    (TypeError, "real numbers", lambda: F.max_pool2d(X + 1j, 2)),
    (ValueError, "divisor_override", lambda: F.avg_pool2d(X, 2, divisor_override=0)),
    (ValueError, "output_size", lambda: F.adaptive_avg_pool2d(X, (1, 2, 3))),
    (IndexError, "indices from", lambda: F.max_unpool1d(np.ones((1, 2)), np.array([[0, 9]]), 2)),
    (ValueError, "unfold", lambda: F.unfold(X, 6)),
    (ValueError, "fold", lambda: F.fold(np.ones((1, 5, 4)), (4, 4), 2)),
    (ValueError, "needs at least one axis", lambda: F.glu(1.0)),
    (ValueError, "even size", lambda: F.glu(np.ones(3))),
    (ValueError, "prelu", lambda: F.prelu(X, np.ones(2))),
    (ValueError, "lambd", lambda: F.softshrink(X, -1.0)),
    (ValueError, "lower", lambda: F.rrelu(X, 0.5, 0.1)),
    (ValueError, "min_val", lambda: F.hardtanh(X, 1.0, -1.0)),
    (ValueError, "approximate", lambda: F.gelu(X, "sin")),
    (ValueError, "normalized_shape", lambda: F.layer_norm(X, (5, 3))),
    (ValueError, "weight of shape", lambda: F.layer_norm(X, (5, 5), np.ones(5))),
    (TypeError, "real numbers", lambda: F.layer_norm(X + 1j, (5, 5))),
    (ValueError, "groups", lambda: F.group_norm(X, 2)),
    (ValueError, "running_mean", lambda: F.batch_norm(X, None, None)),
    (ValueError, "more than one value", lambda: F.batch_norm(np.ones((1, 3)), None, None, training=True)),
    (ValueError, "weight of shape", lambda: F.batch_norm(X, None, None, np.ones(2), training=True)),
    (ValueError, "between 0 and 1", lambda: F.dropout(X, 1.5)),
    (ValueError, "axes", lambda: F.dropout2d(np.ones(3))),
    (IndexError, "there are 4 rows", lambda: F.embedding([0, 4], np.ones((4, 2)))),
    (TypeError, "integers", lambda: F.embedding([0.5], np.ones((4, 2)))),
    (ValueError, "padding_idx", lambda: F.embedding([0], np.ones((4, 2)), padding_idx=4)),
    (ValueError, "mode", lambda: F.embedding_bag([[0]], np.ones((4, 2)), mode="min")),
    (ValueError, "offsets", lambda: F.embedding_bag([0, 1], np.ones((4, 2)), offsets=[1])),
    (ValueError, "expected a weight", lambda: F.conv_transpose1d(np.ones((2, 4, 3)), np.ones((4, 0, 3)))),
    (ValueError, "num_heads must be", lambda: F.multi_head_attention_forward(
        *[np.ones((2, 1, 4))] * 3, 4, 0, np.ones((12, 4)), None, None, None, False, 0.0, np.eye(4), None,
    )),
    (ValueError, "expected a weight", lambda: F.conv1d(np.ones((2, 4, 3)), np.ones((0, 4, 3)))),
    (ValueError, "norm_type must not be 0", lambda: F.lp_pool1d(np.ones((1, 1, 4)), 0, 2)),
    (TypeError, "integer", lambda: F.max_pool2d(np.ones((1, 4, 4)), 2.5)),
    (TypeError, "linear: .* not None", lambda: F.linear(None, np.ones((2, 2)))),
    (TypeError, "conv1d: .* not None", lambda: F.conv1d(np.ones((1, 1, 4)), None)),
    (TypeError, "mse_loss: .* not None", lambda: F.mse_loss(None, np.ones(2))),
    (TypeError, "layer_norm: .* not None", lambda: F.layer_norm(None, 2)),
    (ValueError, "num_classes", lambda: F.one_hot([3], 2)),
    (ValueError, "negative", lambda: F.one_hot([-1])),
    (ValueError, "reduction", lambda: F.mse_loss(X, X, reduction="median")),
    (ValueError, "mse_loss", lambda: F.mse_loss(np.ones(3), np.ones(2))),
    (ValueError, "delta", lambda: F.huber_loss(X, X, delta=0.0)),
    (ValueError, "beta", lambda: F.smooth_l1_loss(X, X, beta=-1.0)),
    (ValueError, "between 0 and 1", lambda: F.binary_cross_entropy([1.5], [1.0])),
    (ValueError, "shape", lambda: F.binary_cross_entropy([0.5], [[1.0]])),
    (IndexError, "classes from 0 to 3", lambda: F.cross_entropy(np.ones((2, 3)), [0, 3])),
    (ValueError, "classes of shape", lambda: F.cross_entropy(np.ones((2, 3)), [0, 1, 2])),
    (ValueError, "chances of shape", lambda: F.cross_entropy(np.ones((2, 3)), [0.0, 1.0])),
    (ValueError, "label_smoothing", lambda: F.cross_entropy(np.ones((2, 3)), [0, 1], label_smoothing=2.0)),
    (ValueError, "weight of shape", lambda: F.cross_entropy(np.ones((2, 3)), [0, 1], weight=np.ones(2))),
    (TypeError, "integers", lambda: F.nll_loss(np.ones((2, 3)), [0.5, 1.0])),
    (ValueError, "0-d", lambda: F.cross_entropy(1.0, 0)),
    (ValueError, "var has negative", lambda: F.gaussian_nll_loss([1.0], [1.0], [-1.0])),
    (ValueError, "p must be 1 or 2", lambda: F.multi_margin_loss(np.ones((2, 3)), [0, 1], p=3)),
    (ValueError, "same number of axes", lambda: F.margin_ranking_loss([1.0], [[1.0]], [1])),
    (ValueError, "cosine_embedding_loss", lambda: F.cosine_embedding_loss([1.0], [1.0], [[1]])),
    (ValueError, "margin must be positive", lambda: F.triplet_margin_with_distance_loss([1.0], [1.0], [1.0], margin=0.0)),
    (ValueError, "pdist", lambda: F.pdist(np.ones(3))),
    (ValueError, "expected", lambda: F.scaled_dot_product_attention(X, np.ones((2, 3, 4, 4)), X)),
    (ValueError, "not both", lambda: F.scaled_dot_product_attention(X, X, X, np.ones((5, 5)), is_causal=True)),
    (ValueError, "mode", lambda: F.pad(X, (1, 1), mode="edge")),
    (ValueError, "does not do", lambda: F.pad(X, (5, 1), mode="reflect")),
    (ValueError, "cuts off", lambda: F.pad(X, (-3, -3))),
    (ValueError, "pair", lambda: F.pad(X, (1, 1, 1))),
    (ValueError, "either size or scale_factor", lambda: F.interpolate(X)),
    (ValueError, "align_corners", lambda: F.interpolate(X, 3, align_corners=True)),
    (ValueError, "is for images of 1 axes", lambda: F.interpolate(X, 3, mode="linear")),
    (ValueError, "do not divide", lambda: F.pixel_shuffle(X, 2)),
    (ValueError, "do not fit", lambda: F.grid_sample(X, np.ones((2, 4, 4, 3)))),
    (ValueError, "affine_grid", lambda: F.affine_grid(np.ones((2, 3)), (2, 1, 3, 3))),
    (ValueError, "input_lengths", lambda: F.ctc_loss(np.ones((4, 2, 3)), [[1], [1]], [5, 4], [1, 1])),
    (IndexError, "classes", lambda: F.ctc_loss(np.ones((4, 1, 3)), [[3]], [4], [1])),
    (ValueError, "gaussian_nll_loss", lambda: F.gaussian_nll_loss([1.0], [1.0], [1.0, 2.0])),
]
# fmt: on


@pytest.mark.parametrize(("kind", "text", "call"), WRONG)
def test_bad_input_raises_what_it_should(kind, text, call):
    with pytest.raises(kind, match=text):
        call()


def test_broadcast_losses_warn():
    with pytest.warns(UserWarning, match="broadcast"):
        F.mse_loss(np.ones((3, 1)), np.ones(3))


# ---------------------------------------------------------------- derivatives of every order

CHECKED = {
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1, stride=2), (1, 2, 4, 4), (3, 2, 3, 3), (3,)),
    "conv_transpose2d": (lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1), (1, 2, 3, 3), (2, 2, 3, 3)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), (1, 2, 4, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), (1, 2, 4, 4)),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, (2, 3)), (1, 2, 4, 4)),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, 4, w, b), (3, 4), (4,), (4,)),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (4, 2), (2,), (2,)),
    "cross_entropy": (lambda x: F.cross_entropy(x, [0, 2, 1], weight=[1.0, 2.0, 0.5], label_smoothing=0.1), (3, 3)),
    "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), (3, 2), (3, 2), (3, 2)),
    "embedding": (lambda w: F.embedding([[0, 2], [2, 2]], w), (3, 2)),
    "interpolate": (lambda x: F.interpolate(x, (3, 5), mode="bicubic"), (1, 1, 2, 4)),
    "grid_sample": (lambda x, g: F.grid_sample(x, g * 0.3), (1, 2, 3, 3), (1, 2, 2, 2)),
    "binary_cross_entropy": (lambda x: F.binary_cross_entropy(F.sigmoid(x), [0.0, 0.3, 1.0]), (3,)),
    "pdist": (lambda x: F.pdist(x, 3.0), (3, 2)),
    "ctc_loss": (lambda x: F.ctc_loss(x, [[1, 1]], [4], [2]), (4, 1, 3)),
    "local_response_norm": (lambda x: F.local_response_norm(x, 3, alpha=0.5), (1, 4, 2)),
}


@pytest.mark.parametrize("name", CHECKED)
def test_gradcheck_and_gradgradcheck(name, rng):
    function, *shapes = CHECKED[name]
    xs = [leaf(rng, *shape) for shape in shapes]
    assert gradcheck(function, xs)
    assert gradgradcheck(function, xs)


def test_third_derivatives_of_a_convolution(rng):
    x, w = rng.uniform(-1, 1, (1, 1, 4)), rng.uniform(-1, 1, (1, 1, 2))
    third = jacrev(hessian(lambda x: (F.conv1d(x, w) ** 3).sum()))(x)
    assert third.shape == (1, 1, 4) * 3
    numeric = jacfwd(hessian(lambda x: (F.conv1d(x, w) ** 3).sum()))(x)
    np.testing.assert_allclose(third, numeric, rtol=1e-12, atol=1e-12)


def _net(p, x):
    x = F.max_pool2d(F.relu(F.conv2d(x, p["w"], p["b"], padding=1)), 2)
    return F.linear(F.layer_norm(x.reshape(-1), x.size), p["v"])


def test_gradients_of_each_example(rng):
    """vmap of grad: each example's own gradient of a convolutional net, as a loop finds it."""
    p = {"w": rng.normal(size=(3, 1, 3, 3)), "b": rng.normal(size=3), "v": rng.normal(size=(4, 12))}
    x, y = rng.normal(size=(5, 1, 4, 4)), np.array([0, 3, 2, 1, 1])
    loss = lambda p, x, y: F.cross_entropy(_net(p, x), y)
    found = vmap(grad(loss), (None, 0, 0))(p, x, y)
    for i in range(5):
        alone = grad(loss)(p, x[i], y[i])
        for key in p:
            np.testing.assert_allclose(found[key][i], alone[key], rtol=1e-10, atol=1e-12)


def test_tangents_through_a_net(rng):
    p = {"w": rng.normal(size=(3, 1, 3, 3)), "b": rng.normal(size=3), "v": rng.normal(size=(4, 12))}
    x, t = rng.normal(size=(1, 4, 4)), rng.normal(size=(1, 4, 4))
    _, tangent = jvp(lambda x: _net(p, x), (x,), (t,))
    matrix = jacrev(lambda x: _net(p, x))(x)
    np.testing.assert_allclose(tangent, np.einsum("icjk,cjk->i", matrix, t), rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- places of maxima


def test_a_tie_gives_its_gradient_to_the_first_and_nan_to_itself():
    x = fg.tensor([[[1.0, 1.0, 1.0, np.nan, 2.0, 3.0]]], requires_grad=True)
    out = F.max_pool1d(x, 2)
    out.sum().backward()
    np.testing.assert_array_equal(out.detach().numpy(), [[[1, np.nan, 3]]])
    assert x.grad.tolist() == [[[1, 0, 0, 1, 0, 1]]]


def test_padding_is_never_the_largest():
    x = fg.tensor(np.full((1, 1, 2), -np.inf), requires_grad=True)
    F.max_pool1d(x, 2, padding=1).sum().backward()
    assert x.grad.tolist() == [[[1, 1]]]


@pytest.mark.torch
def test_indices_and_unpooling_are_pytorchs(rng):
    torch = pytest.importorskip("torch")
    T = torch.nn.functional
    x = rng.normal(size=(2, 3, 7, 6))
    for options in (
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": (2, 3), "dilation": (2, 1), "stride": 1},
    ):
        out, where = F.max_pool2d(x, return_indices=True, **options)
        expected, places = T.max_pool2d(torch.tensor(x), return_indices=True, **options)
        np.testing.assert_array_equal(out.numpy(), expected.numpy())
        np.testing.assert_array_equal(where.numpy(), places.numpy())
    out, where = F.adaptive_max_pool2d(x, (3, 4), return_indices=True)
    expected, places = T.adaptive_max_pool2d(torch.tensor(x), (3, 4), return_indices=True)
    np.testing.assert_array_equal(where.numpy(), places.numpy())
    for pool, unpool, shape in (
        ("max_pool1d", "max_unpool1d", (2, 3, 8)),
        ("max_pool2d", "max_unpool2d", (3, 6, 8)),
        ("max_pool3d", "max_unpool3d", (1, 2, 4, 4, 4)),
    ):
        x = leaf(rng, *shape)
        t = torch.tensor(x.detach().numpy(), requires_grad=True)
        out, where = getattr(F, pool)(x, 2, return_indices=True)
        back = getattr(F, unpool)(out, where, 2)
        values, places = getattr(T, pool)(t, 2, return_indices=True)
        expected = getattr(T, unpool)(values, places, 2)
        np.testing.assert_array_equal(back.detach().numpy(), expected.detach().numpy())
        (back * back).sum().backward()
        (expected * expected).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy())


@pytest.mark.torch
@pytest.mark.parametrize(("n", "shape"), [(2, (2, 3, 9, 7)), (2, (3, 6, 6)), (3, (2, 2, 6, 5, 7))])
def test_fractional_pooling_is_pytorchs(n, shape, rng):
    torch = pytest.importorskip("torch")
    name = f"fractional_max_pool{n}d"
    x = leaf(rng, *shape)
    t = torch.tensor(x.detach().numpy(), requires_grad=True)
    samples = rng.random((shape[0] if len(shape) == n + 2 else 1, shape[-n - 1], n))
    for options in ({"output_size": (4, 3, 3)[:n]}, {"output_ratio": (0.5,) * n}):
        out, where = getattr(F, name)(x, 2, return_indices=True, _random_samples=samples, **options)
        theirs = getattr(torch.nn.functional, name)
        expected, places = theirs(t, 2, return_indices=True, _random_samples=torch.tensor(samples), **options)
        np.testing.assert_array_equal(out.detach().numpy(), expected.detach().numpy())
        np.testing.assert_array_equal(where.numpy(), places.numpy())
        found = fg.autograd.grad((out * out).sum(), x)[0].numpy()
        np.testing.assert_allclose(found, torch.autograd.grad((expected * expected).sum(), t)[0].numpy())
    assert getattr(F, name)(x, 2, 3, generator=np.random.default_rng(0)).shape[-n:] == (3,) * n


# ---------------------------------------------------------------- attention of several heads


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # PyTorch's own
@pytest.mark.parametrize("case", range(8))
def test_attention_of_several_heads_is_pytorchs(case, rng):
    torch = pytest.importorskip("torch")
    L, S, N, E, H = 3, 5, 2, 4, 2
    separate, alone, more = case in (1, 5), case == 2, case in (3, 4, 5)
    draw = lambda *shape: rng.normal(size=shape)
    batch = () if alone else (N,)
    K, V = (3, 6) if separate else (E, E)
    tensors = {"query": draw(L, *batch, E), "key": draw(S, *batch, K), "value": draw(S, *batch, V), "in_proj_bias": draw(3 * E),
               "in_proj_weight": None if separate else draw(3 * E, E), "bias_k": draw(1, 1, E) if more else None,
               "bias_v": draw(1, 1, E) if more else None, "out_proj_weight": draw(E, E), "out_proj_bias": draw(E)}  # fmt: skip
    if separate:
        tensors |= {"q_proj_weight": draw(E, E), "k_proj_weight": draw(E, K), "v_proj_weight": draw(E, V)}
    options = {"embed_dim_to_check": E, "num_heads": H, "add_zero_attn": case in (4, 5), "dropout_p": 0.0,
               "use_separate_proj_weight": separate, "average_attn_weights": case != 6, "need_weights": case != 7}  # fmt: skip
    padding = np.array([[False, False, True, False, True], [False] * 5])[0 if alone else slice(None)]
    mask = {0: None, 3: draw(L, S), 4: draw(N * H, L, S), 6: np.arange(15).reshape(3, 5) % 4 == 1}.get(case)
    ours = {k: None if v is None else fg.tensor(v, requires_grad=True) for k, v in tensors.items()}
    theirs = {k: None if v is None else torch.tensor(v, requires_grad=True) for k, v in tensors.items()}
    masks = {} if case == 0 else {"key_padding_mask": padding, "attn_mask": mask}
    out, shares = F.multi_head_attention_forward(**ours, **options, **masks)
    masks = {k: None if v is None else torch.tensor(v) for k, v in masks.items()}
    expected, wanted = torch.nn.functional.multi_head_attention_forward(**theirs, **options, **masks)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    assert (shares is None) == (wanted is None)
    total, target = (out * out).sum(), (expected * expected).sum()
    if shares is not None:
        np.testing.assert_allclose(shares.detach().numpy(), wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
        total, target = total + (shares * shares).sum(), target + (wanted * wanted).sum()
    total.backward()
    target.backward()
    for key, x in ours.items():
        if x is not None:
            np.testing.assert_allclose(x.grad.numpy(), theirs[key].grad.numpy(), rtol=1e-8, atol=1e-10, err_msg=key)


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_linear_cross_entropy_is_pytorchs(shape, rng):
    torch = pytest.importorskip("torch")
    x, w, b = rng.normal(size=(3, 5)), rng.normal(size=(*shape, 5)), rng.normal(size=shape)
    y = rng.integers(0, 4, (3, *shape[1:]))
    found = F.linear_cross_entropy(x, w, y, linear_bias=b, label_smoothing=0.1)
    T = torch.nn.functional
    expected = T.linear_cross_entropy(*map(torch.tensor, (x, w, y)), linear_bias=torch.tensor(b), label_smoothing=0.1)
    np.testing.assert_allclose(found.item(), expected.item())


# ---------------------------------------------------------------- embeddings


@pytest.mark.torch
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": 2},
        {"padding_idx": -1},
        {"max_norm": 1.0},
        {"scale_grad_by_freq": True},
        {"max_norm": 0.5, "norm_type": 1.0},
    ],
)
def test_embeddings_are_pytorchs(options, rng):
    torch = pytest.importorskip("torch")
    table, index = rng.normal(size=(5, 3)), np.array([[0, 2, 2], [4, 0, 2]])
    w, t = fg.tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    g = rng.normal(size=(2, 3, 3))
    (F.embedding(index, w, **options) * g).sum().backward()
    (torch.nn.functional.embedding(torch.tensor(index), t, **options) * torch.tensor(g)).sum().backward()
    np.testing.assert_allclose(w.detach().numpy(), t.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(w.grad.numpy(), t.grad.numpy(), rtol=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": 2},
        {"offsets": [0, 2, 2, 5]},
        {"offsets": [0, 2, 6], "include_last_offset": True},
        {"offsets": [0, 1], "padding_idx": 0},
    ],
)
def test_bags_are_pytorchs(mode, options, rng):
    torch = pytest.importorskip("torch")
    table, index = rng.normal(size=(5, 3)), np.array([[0, 2, 2], [4, 0, 2]])
    if "offsets" in options:
        index = index.reshape(-1)
    w, t = fg.tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    ours = F.embedding_bag(index, w, mode=mode, **options)
    theirs = {k: torch.tensor(v) if k == "offsets" else v for k, v in options.items()}
    expected = torch.nn.functional.embedding_bag(torch.tensor(index), t, mode=mode, **theirs)
    np.testing.assert_allclose(ours.detach().numpy(), expected.detach().numpy())
    (ours * ours).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), t.grad.numpy())


def test_weights_of_single_elements_of_a_bag(rng):
    w, s = leaf(rng, 5, 3), leaf(rng, 2, 3)
    index = np.array([[0, 2, 2], [4, 0, 2]])
    assert gradcheck(lambda w, s: F.embedding_bag(index, w, mode="sum", per_sample_weights=s), (w, s))


# ---------------------------------------------------------------- normalisation keeps its moments


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["batch_norm", "instance_norm"])
def test_running_moments_are_pytorchs(kind, rng):
    torch = pytest.importorskip("torch")
    x = rng.normal(size=(4, 3, 5))
    means, variances = fg.zeros(3), fg.ones(3)
    t_means, t_variances = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    flag = "training" if kind == "batch_norm" else "use_input_stats"
    for _ in range(2):
        getattr(F, kind)(x, means, variances, momentum=0.3, **{flag: True})
        getattr(torch.nn.functional, kind)(torch.tensor(x), t_means, t_variances, momentum=0.3, **{flag: True})
    np.testing.assert_allclose(means.numpy(), t_means.numpy(), rtol=1e-12)
    np.testing.assert_allclose(variances.numpy(), t_variances.numpy(), rtol=1e-12)
    a, b = fg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    out = getattr(F, kind)(a, means, variances, **{flag: False})
    expected = getattr(torch.nn.functional, kind)(b, t_means, t_variances, **{flag: False})
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    (out**2).sum().backward()
    (expected**2).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-11)


def test_batch_norm_in_training_is_differentiated_through_its_moments(rng):
    x = leaf(rng, 6, 2)
    F.batch_norm(x, fg.zeros(2), fg.ones(2), training=True).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-12)  # the sum is 0 whatever x


# ---------------------------------------------------------------- randomness


def test_dropout_keeps_the_mean_and_gives_gradients_where_it_kept():
    x = fg.ones((200, 100), requires_grad=True)
    out = F.dropout(x, 0.25, generator=np.random.default_rng(0))
    out.sum().backward()
    kept = out.detach().numpy() != 0
    assert abs(kept.mean() - 0.75) < 0.01
    np.testing.assert_allclose(out.detach().numpy()[kept], 1 / 0.75)
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())


def test_dropout_follows_numpys_seed_or_the_generator():
    x = np.ones(50)
    np.random.seed(3)  # noqa: NPY002
    first = F.dropout(x).numpy()
    np.random.seed(3)  # noqa: NPY002
    assert (F.dropout(x).numpy() == first).all() and not (F.dropout(x).numpy() == first).all()
    given = [F.dropout(x, generator=np.random.default_rng(5)).numpy() for _ in range(2)]
    assert (given[0] == given[1]).all()


def test_dropout_of_everything_and_of_nothing():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    assert F.dropout(x, 1.0).tolist() == [0, 0] and F.dropout(x, 0.0).tolist() == [1, 2]
    assert F.dropout(x.astype("float32")).dtype == np.float32


def test_dropout_of_channels_drops_whole_ones():
    for function, shape in ((F.dropout1d, (8, 6, 5)), (F.dropout2d, (8, 6, 3, 3)), (F.dropout3d, (8, 6, 2, 2, 2))):
        out = function(np.ones(shape), generator=np.random.default_rng(1)).numpy()
        per = out.reshape(48, -1)
        assert ((per == per[:, :1]).all(axis=1)).all() and {0.0, 2.0} == set(np.unique(out))


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).normal(size=(400, 400))
    out = F.alpha_dropout(x, 0.3, training=True, generator=np.random.default_rng(1)).numpy()
    assert abs(out.mean()) < 0.02 and abs(out.var() - 1) < 0.03
    rows = F.feature_alpha_dropout(np.zeros((40, 30, 4)), 0.5, True, generator=np.random.default_rng(1)).numpy()
    assert (rows == rows[:, :, :1]).all() and len(np.unique(rows)) == 2


def test_dropout_in_place_writes_and_records():
    x = fg.ones(100, requires_grad=True)
    y = x * 1
    assert F.dropout(y, inplace=True) is y
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_gumbel_softmax_hard_is_a_choice_with_the_gradient_of_the_soft_one(rng):
    x = leaf(rng, 4, 3)
    hard = F.gumbel_softmax(x, hard=True, generator=np.random.default_rng(0))
    assert set(np.unique(hard.detach().numpy().round(12))) == {0.0, 1.0} and (hard.detach().numpy().sum(1) == 1).all()
    soft = F.gumbel_softmax(x, generator=np.random.default_rng(0))
    weights = rng.normal(size=(4, 3))
    grads = [fg.autograd.grad((out * weights).sum(), x)[0].numpy() for out in (hard, soft)]
    np.testing.assert_allclose(*grads)


def test_rrelu_draws_between_its_bounds():
    out = F.rrelu(np.full(1000, -1.0), 0.2, 0.4, training=True, generator=np.random.default_rng(0)).numpy()
    assert -0.4 <= out.min() < -0.38 and -0.22 < out.max() <= -0.2


# ---------------------------------------------------------------- in place


@pytest.mark.parametrize(
    "name",
    ["celu", "elu", "hardtanh", "leaky_relu", "relu", "selu", "hardsigmoid", "hardswish", "mish", "relu6", "silu"],
)
def test_inplace_writes_to_the_input_and_records(name, rng):
    x = leaf(rng, 3, 4)
    y = x * 1
    function = getattr(F, name)
    result = function(y, inplace=True)
    assert result is y
    expected = function(x)
    np.testing.assert_array_equal(y.detach().numpy(), expected.detach().numpy())
    found, wanted = (fg.autograd.grad(out.sum(), x)[0].numpy() for out in (y, expected))
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(RuntimeError, match="leaf"):
        function(x, inplace=True)
    if hasattr(F, name + "_"):
        assert getattr(F, name + "_")(x * 1).tolist() == expected.tolist()


# ---------------------------------------------------------------- every function under the transforms


def _called(value, rng, count):
    """A case of `test_torch_nn` as a function of its floating operands, and `count` draws of those."""
    name, operands, options = value
    fixed, near = {}, []
    for i, operand in enumerate(operands):
        if isinstance(operand, np.ndarray):
            fixed[i] = operand
        else:
            near.append(operand if operand and isinstance(operand[-1], str) else (operand, None))

    def function(*xs):
        xs = iter(xs)
        return getattr(F, name)(*(fixed[i] if i in fixed else next(xs) for i in range(len(operands))), **options)

    return function, [
        [rng.uniform(*RANGES.get(kind, (-2.0, 2.0)), shape) for shape, kind in near] for _ in range(count)
    ]


@pytest.mark.parametrize("value", CASES, ids=pytest_id)
def test_vmap_is_a_loop(value, rng):
    function, draws = _called(value, rng, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = vmap(function)(*map(np.stack, zip(*draws)))
        for i, xs in enumerate(draws):
            np.testing.assert_allclose(found[i], function(*xs).numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("value", CASES, ids=pytest_id)
def test_tangents_agree_with_gradients(value, rng):
    """<g, J t> is <J' g, t>."""
    function, (xs, ts) = _called(value, rng, 2)
    out, tangent = jvp(function, tuple(xs), tuple(ts))
    g = rng.normal(size=np.shape(out))
    leaves = [fg.tensor(x, requires_grad=True) for x in xs]
    grads = fg.autograd.grad(function(*leaves), leaves, fg.tensor(g), allow_unused=True)
    pulled = sum(float((grad.numpy() * t).sum()) for grad, t in zip(grads, ts) if grad is not None)
    np.testing.assert_allclose(float((g * tangent).sum()), pulled, rtol=1e-8, atol=1e-9)


def test_attention_of_no_features_is_the_mean():
    found = F.scaled_dot_product_attention(np.ones((2, 0)), np.ones((3, 0)), [[1.0], [2.0], [6.0]])
    np.testing.assert_allclose(found, [[3.0], [3.0]])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_vmap_over_the_weights_of_bags_is_a_loop(mode, rng):
    weights = rng.normal(size=(3, 4, 2))
    function = lambda w: F.embedding_bag([0, 2, 1, 1, 0], w, [0, 2, 2], mode=mode)
    slope = fg.func.grad(lambda w: (function(w) ** 2).sum())
    for call in (function, slope):
        found = np.asarray(vmap(call)(weights))
        np.testing.assert_allclose(found, [np.asarray(call(w)) for w in weights], rtol=1e-14)


CLASSES = np.array([[0, 3, 2, 4], [1, 1, 0, 2], [4, 2, 2, 3]])
# fmt: off
OF_CLASSES = {
    "cross_entropy": lambda x, y: F.cross_entropy(x, y, weight=np.arange(1.0, 6), ignore_index=2, label_smoothing=0.1),
    "nll_loss": lambda x, y: F.nll_loss(x, y, ignore_index=2, reduction="none"),
    "multi_margin_loss": lambda x, y: F.multi_margin_loss(x, y),
    "embedding": lambda x, y: F.embedding(y, x.mT, padding_idx=1),
    "embedding_bag": lambda x, y: F.embedding_bag(y[None], x.mT),
    "one_hot": lambda x, y: F.one_hot(y, 5),
    "cosine_embedding_loss": lambda x, y: F.cosine_embedding_loss(x, -x + 1, fg.where(y > 1, 1, -1)),
    "max_unpool1d": lambda x, y: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2),
    "gumbel_softmax": lambda x, y: F.gumbel_softmax(x, hard=True, generator=np.random.default_rng(0)),
}
# fmt: on


@pytest.mark.parametrize("name", OF_CLASSES)
def test_vmap_over_classes_is_a_loop(name, rng):
    x = rng.normal(size=(3, 4, 5))
    found = vmap(OF_CLASSES[name])(x, CLASSES)
    for i in range(3):
        np.testing.assert_allclose(
            found[i], OF_CLASSES[name](fg.tensor(x[i]), fg.tensor(CLASSES[i])).numpy(), atol=1e-15
        )
