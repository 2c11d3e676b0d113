"""`fastgrad.nn.functional` beside PyTorch's: values, gradients and gradients of gradients."""

import importlib

import numpy as np
import pytest
from conftest import HAS_TORCH
from samples import draw, seed
from test_torch import compare

import fastgrad as fg

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]  # PyTorch's own
torch = importlib.import_module("torch") if HAS_TORCH else None
T = torch.nn.functional if HAS_TORCH else None
F = fg.nn.functional

RANGES = {"chance": (0.1, 0.9), "positive": (0.3, 1.7), "grid": (-1.6, 1.6), "log chance": (-2.0, -0.1)}


def dimmed(options):
    """Our options as PyTorch spells them."""
    names = {"axis": "dim", "keepdims": "keepdim"}
    return {names.get(key, key): torch.tensor(v) if isinstance(v, np.ndarray) else v for key, v in options.items()}


def case(name, *operands, **options):
    """Shapes (drawn from -2 to 2), pairs of a shape and a range, or arrays of integers, which are no operands."""
    return name, operands, options


C = np.array  # of classes, places and the like
# fmt: off
CASES = [
    # linear layers and convolutions
    case("linear", (4, 3), (2, 3), (2,)), case("linear", (2, 4, 3), (2, 3)), case("linear", (3,), (2, 3), (2,)),
    case("linear", (4, 3), (3,)),
    case("bilinear", (4, 3), (4, 2), (5, 3, 2), (5,)), case("bilinear", (2, 4, 3), (2, 4, 2), (5, 3, 2)),
    case("conv1d", (2, 3, 7), (4, 3, 3), (4,)), case("conv1d", (2, 4, 8), (6, 2, 3), (6,), stride=2, padding=1, groups=2),
    case("conv1d", (3, 7), (4, 3, 3), padding="same"), case("conv1d", (1, 1, 9), (1, 1, 3), dilation=3, padding=(2,)),
    case("conv1d", (1, 2, 6), (2, 2, 4), padding="same"), case("conv1d", (1, 2, 6), (2, 2, 4), padding="valid"),
    case("conv2d", (2, 3, 5, 6), (4, 3, 3, 2), (4,)), case("conv2d", (2, 2, 6, 5), (4, 1, 3, 3), stride=(2, 1), padding=(1, 2), groups=2),
    case("conv2d", (3, 5, 5), (2, 3, 2, 3), (2,), padding="same", dilation=(2, 1)), case("conv2d", (2, 3, 4, 4), (3, 1, 3, 3), groups=3, padding=1),
    case("conv2d", (2, 3, 4, 4), (5, 3, 1, 1), (5,)), case("conv2d", (2, 3, 5, 5), (5, 3, 1, 1), stride=2),
    case("conv2d", (1, 1, 8, 8), (1, 1, 3, 3), stride=3, dilation=2, padding=1), case("conv2d", (0, 1, 4, 4), (1, 1, 3, 3)),
    case("conv3d", (1, 2, 3, 4, 3), (2, 2, 2, 2, 2), (2,), padding=1), case("conv3d", (1, 2, 4, 4, 3), (2, 1, 2, 1, 2), stride=(1, 2, 1), groups=2),
    case("conv_transpose1d", (2, 3, 4), (3, 2, 3), (2,)), case("conv_transpose1d", (2, 4, 4), (4, 3, 3), stride=2, padding=1, output_padding=1, groups=2),
    case("conv_transpose2d", (2, 3, 3, 4), (3, 2, 2, 3), (2,)), case("conv_transpose2d", (3, 3, 4), (3, 2, 3, 3), stride=(2, 3), padding=1, output_padding=(1, 2), dilation=(1, 2)),
    case("conv_transpose2d", (1, 4, 3, 3), (4, 1, 2, 2), stride=2, groups=4),
    case("conv_transpose3d", (1, 2, 2, 3, 2), (2, 1, 2, 2, 2), stride=2),
    case("unfold", (2, 3, 5, 4), kernel_size=(2, 3)), case("unfold", (2, 2, 6, 6), kernel_size=3, dilation=2, padding=1, stride=2),
    case("unfold", (3, 5, 4), kernel_size=2),
    case("fold", (2, 12, 12), output_size=(4, 5), kernel_size=2), case("fold", (2, 18, 4), output_size=(6, 6), kernel_size=3, dilation=2, padding=1, stride=2),
    case("fold", (4, 12), output_size=(4, 5), kernel_size=2),
    # pooling
    case("max_pool1d", (2, 3, 8), kernel_size=3), case("max_pool1d", (2, 8), kernel_size=3, stride=2, padding=1, ceil_mode=True),
    case("max_pool2d", (2, 3, 6, 5), kernel_size=2), case("max_pool2d", (1, 2, 7, 7), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(2, 1)),
    case("max_pool2d", (2, 7, 7), kernel_size=3, stride=2, ceil_mode=True), case("max_pool2d", (1, 1, 5, 5), kernel_size=3, stride=1, padding=1),
    case("max_pool3d", (1, 2, 4, 4, 4), kernel_size=2), case("max_pool3d", (1, 1, 5, 4, 4), kernel_size=(3, 2, 2), stride=1),
    case("avg_pool1d", (2, 3, 8), kernel_size=3), case("avg_pool1d", (2, 8), kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    case("avg_pool2d", (2, 3, 6, 5), kernel_size=2), case("avg_pool2d", (1, 2, 7, 7), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), count_include_pad=False),
    case("avg_pool2d", (2, 7, 7), kernel_size=3, stride=2, padding=1, ceil_mode=True), case("avg_pool2d", (1, 1, 5, 5), kernel_size=3, divisor_override=5),
    case("avg_pool2d", (2, 8, 8), kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    case("avg_pool3d", (1, 2, 4, 4, 4), kernel_size=2), case("avg_pool3d", (1, 1, 5, 4, 4), kernel_size=(3, 2, 2), stride=2, padding=1, ceil_mode=True),
    case("lp_pool1d", ((2, 3, 8), "positive"), norm_type=2, kernel_size=3), case("lp_pool2d", ((2, 3, 6, 5), "positive"), norm_type=3, kernel_size=2, stride=2, ceil_mode=True),
    case("lp_pool2d", ((2, 3, 6, 5), "positive"), norm_type=1, kernel_size=2), case("lp_pool3d", ((1, 2, 4, 4, 4), "positive"), norm_type=2, kernel_size=2),
    case("adaptive_avg_pool1d", (2, 3, 7), output_size=3), case("adaptive_avg_pool2d", (2, 3, 6, 4), output_size=(3, 2)),
    case("adaptive_avg_pool2d", (2, 3, 7, 5), output_size=(3, None)), case("adaptive_avg_pool2d", (3, 7, 5), output_size=1),
    case("adaptive_avg_pool2d", (1, 3, 2, 3), output_size=(5, 4)), case("adaptive_avg_pool3d", (1, 2, 4, 5, 3), output_size=2),
    case("adaptive_max_pool1d", (2, 3, 7), output_size=3), case("adaptive_max_pool2d", (2, 3, 7, 5), output_size=(3, None)),
    case("adaptive_max_pool2d", (1, 3, 2, 3), output_size=(5, 4)), case("adaptive_max_pool3d", (2, 4, 5, 3), output_size=2),
    # activations
    *(case(name, (3, 4)) for name in (
        "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "hardtanh", "hardsigmoid",
        "hardswish", "sigmoid", "tanh", "logsigmoid", "hardshrink", "softshrink", "tanhshrink")),
    case("leaky_relu", (3, 4), negative_slope=0.3), case("elu", (3, 4), alpha=0.7), case("celu", (3, 4), alpha=0.5),
    case("gelu", (3, 4), approximate="tanh"), case("softplus", (3, 4), beta=2.0, threshold=1.0), case("hardtanh", (3, 4), min_val=-0.5, max_val=0.2),
    case("threshold", (3, 4), threshold=0.1, value=20.0), case("softshrink", (3, 4), lambd=0.8), case("hardshrink", (3, 4), lambd=0.8),
    case("prelu", (2, 3, 4), (3,)), case("prelu", (2, 3), (1,)), case("prelu", (4,), (1,)), case("prelu", (), ()), case("rrelu", (3, 4)),
    case("softmax", (2, 3, 4), axis=1), case("log_softmax", (2, 3, 4), axis=0), case("softmin", (2, 3, 4), axis=2), case("glu", (2, 4, 3), axis=1),
    case("glu", (4,)),
    # normalisation
    case("layer_norm", (2, 3, 4), normalized_shape=(4,)), case("layer_norm", (2, 3, 4), normalized_shape=(3, 4), eps=0.1),
    case("rms_norm", (2, 3, 4), normalized_shape=(4,)), case("rms_norm", (2, 3, 4), normalized_shape=(3, 4), eps=0.1),
    case("group_norm", (2, 6, 4), num_groups=3), case("group_norm", (2, 6), num_groups=2), case("instance_norm", (2, 3, 4, 2)),
    case("local_response_norm", (2, 5, 4), size=3, alpha=0.5), case("local_response_norm", (2, 5, 3, 2), size=4, alpha=0.5, k=2.0),
    case("normalize", (3, 4)), case("normalize", (3, 4), p=3.0, axis=0), case("normalize", (3, 4), p=1.0), case("normalize", (3, 2, 4), axis=(0, 2)),
    case("cosine_similarity", (3, 4), (3, 4)), case("cosine_similarity", (3, 2, 4), (3, 2, 4), axis=-1), case("cosine_similarity", (3, 4), (1, 4)),
    case("pairwise_distance", (3, 4), (3, 4)), case("pairwise_distance", (3, 4), (3, 4), p=1.0, keepdims=True), case("pairwise_distance", (3, 4), (3, 4), p=3.0),
    case("pairwise_distance", (4,), (4,), p=float("inf")), case("pdist", (5, 3)), case("pdist", (5, 3), p=1.0), case("pdist", (5, 3), p=3.0),
    # losses
    *(case(name, (3, 4), (3, 4), reduction=reduction) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
      for reduction in ("mean", "sum", "none")),
    case("mse_loss", (3, 4), (3, 4), weight=np.linspace(0.1, 1, 12).reshape(3, 4)), case("l1_loss", (3, 4), (3, 4), weight=np.linspace(0.1, 1, 12).reshape(3, 4)),
    case("huber_loss", (3, 4), (3, 4), weight=np.linspace(0.1, 1, 12).reshape(3, 4), delta=0.4),
    case("smooth_l1_loss", (3, 4), (3, 4), beta=0.5), case("smooth_l1_loss", (3, 4), (3, 4), beta=0.0), case("huber_loss", (3, 4), (3, 4), delta=0.5),
    *(case("binary_cross_entropy", ((3, 4), "chance"), ((3, 4), "chance"), reduction=reduction) for reduction in ("mean", "sum", "none")),
    case("binary_cross_entropy", ((3, 4), "chance"), ((3, 4), "chance"), weight=np.linspace(0.1, 1, 4)),
    *(case("binary_cross_entropy_with_logits", (3, 4), ((3, 4), "chance"), reduction=reduction) for reduction in ("mean", "sum", "none")),
    case("binary_cross_entropy_with_logits", (3, 4), ((3, 4), "chance"), weight=np.linspace(0.1, 1, 4), pos_weight=np.linspace(0.5, 2, 4)),
    *(case("kl_div", (3, 4), ((3, 4), "chance"), reduction=reduction) for reduction in ("mean", "sum", "none", "batchmean")),
    case("kl_div", (3, 4), ((3, 4), "log chance"), reduction="sum", log_target=True),
    case("poisson_nll_loss", (3, 4), ((3, 4), "positive")), case("poisson_nll_loss", ((3, 4), "positive"), ((3, 4), "positive"), log_input=False, full=True, reduction="sum"),
    case("gaussian_nll_loss", (3, 4), (3, 4), ((3, 4), "positive")), case("gaussian_nll_loss", (3, 4), (3, 4), ((3, 1), "positive"), full=True, reduction="sum"),
    case("gaussian_nll_loss", (3, 4), (3, 4), ((3,), "positive"), reduction="none"),
    *(case(name, (5,), C([1, -1, 1, -1, 1]), reduction=reduction) for name in ("hinge_embedding_loss", "soft_margin_loss") for reduction in ("mean", "none")),
    case("hinge_embedding_loss", (5,), C([1, -1, 1, -1, 1]), margin=0.3),
    case("margin_ranking_loss", (5,), (5,), C([1, -1, 1, -1, 1])), case("margin_ranking_loss", (5,), (5,), C([1, -1, 1, -1, 1]), margin=1.0, reduction="none"),
    case("cosine_embedding_loss", (4, 3), (4, 3), C([1, -1, 1, -1])), case("cosine_embedding_loss", (4, 3), (4, 3), C([1, -1, 1, -1]), margin=-0.5, reduction="none"),
    case("cosine_embedding_loss", (3,), (3,), C(-1), margin=-0.9),
    case("triplet_margin_loss", (4, 3), (4, 3), (4, 3)), case("triplet_margin_loss", (4, 3), (4, 3), (4, 3), margin=2.0, p=1, swap=True, reduction="none"),
    case("triplet_margin_with_distance_loss", (4, 3), (4, 3), (4, 3), margin=2.0, swap=True),
    *(case("nll_loss", (4, 3), C([0, 2, 1, 2]), reduction=reduction) for reduction in ("mean", "sum", "none")),
    case("nll_loss", (4, 3), C([0, 2, 1, 2]), weight=np.array([0.2, 0.5, 1.5]), ignore_index=2), case("nll_loss", (2, 3, 4), C([[0, 2, 1, 2], [1, 1, 0, 0]]), weight=np.array([0.2, 0.5, 1.5])),
    case("nll_loss", (3,), C(1)),
    *(case("cross_entropy", (4, 3), C([0, 2, 1, 2]), reduction=reduction) for reduction in ("mean", "sum", "none")),
    case("cross_entropy", (4, 3), C([0, -100, 1, 2])), case("cross_entropy", (4, 3), C([0, 2, 1, 2]), weight=np.array([0.2, 0.5, 1.5]), ignore_index=1, label_smoothing=0.2),
    case("cross_entropy", (4, 3), C([0, 2, 1, 2]), weight=np.array([0.2, 0.5, 1.5]), label_smoothing=0.2, reduction="sum"),
    case("cross_entropy", (4, 3), C([0, 2, 1, 2]), weight=np.array([0.2, 0.5, 1.5]), label_smoothing=0.2, ignore_index=0, reduction="none"),
    case("cross_entropy", (4, 3), C([0, 2, 1, 2]), label_smoothing=0.3), case("cross_entropy", (4, 3), C([0, 2, 1, 2]), ignore_index=0, label_smoothing=0.3),
    case("cross_entropy", (2, 3, 4), C([[0, 2, 1, 2], [1, 1, 0, 0]]), weight=np.array([0.2, 0.5, 1.5]), label_smoothing=0.1),
    case("cross_entropy", (3,), C(1)), case("cross_entropy", (3,), C(1), reduction="none"),
    *(case("cross_entropy", (4, 3), ((4, 3), "chance"), reduction=reduction) for reduction in ("mean", "sum", "none")),
    case("cross_entropy", (2, 3, 4), ((2, 3, 4), "chance"), weight=np.array([0.2, 0.5, 1.5]), label_smoothing=0.1), case("cross_entropy", (3,), ((3,), "chance")),
    case("multi_margin_loss", (4, 3), C([0, 2, 1, 2])), case("multi_margin_loss", (4, 3), C([0, 2, 1, 2]), p=2, margin=0.7, weight=np.array([0.2, 0.5, 1.5]), reduction="none"),
    case("multi_margin_loss", (3,), C(1)),
    case("multilabel_margin_loss", (2, 4), C([[3, 0, -1, 1], [1, -1, 2, 2]])), case("multilabel_margin_loss", (4,), C([3, 0, -1, 1]), reduction="sum"),
    case("multilabel_margin_loss", (2, 4), C([[3, 0, -1, 1], [-1, -1, 2, 2]]), reduction="none"),
    case("multilabel_soft_margin_loss", (2, 4), C([[1, 0, 0, 1], [0, 1, 1, 1]])), case("multilabel_soft_margin_loss", (2, 4), C([[1, 0, 0, 1], [0, 1, 1, 1]]), weight=np.linspace(0.5, 1, 4), reduction="none"),
    # images
    case("pad", (2, 3), pad=(1, 2)), case("pad", (2, 3, 4), pad=(1, -2, -1, 2), value=3.0), case("pad", (2, 3, 4), pad=(2, 3), mode="reflect"),
    case("pad", (1, 2, 3, 4), pad=(2, 3, 1, 2), mode="replicate"), case("pad", (1, 2, 3, 4), pad=(2, 4, 3, 2), mode="circular"), case("pad", (1, 2, 3, 4), pad=(1, 0, 2, 1), mode="reflect"),
    *(case("interpolate", (2, 2, 5), size=8, mode=mode) for mode in ("nearest", "nearest-exact", "area", "linear")),
    *(case("interpolate", (1, 2, 5, 4), size=(3, 7), mode=mode) for mode in ("nearest", "nearest-exact", "area", "bilinear", "bicubic")),
    *(case("interpolate", (1, 2, 5, 4), scale_factor=scale, mode=mode) for mode in ("nearest", "nearest-exact", "area", "bilinear", "bicubic") for scale in (2.0, (0.6, 1.7))),
    *(case("interpolate", (1, 2, 5, 4), size=(3, 7), mode=mode, align_corners=True) for mode in ("bilinear", "bicubic")),
    *(case("interpolate", (1, 2, 9, 8), size=(4, 3), mode=mode, antialias=True, align_corners=corners) for mode in ("bilinear", "bicubic") for corners in (False, True)),
    case("interpolate", (1, 2, 9, 8), scale_factor=0.4, mode="bilinear", antialias=True), case("interpolate", (1, 2, 5, 4), scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
    case("interpolate", (1, 2, 3, 4, 3), size=(5, 2, 4), mode="trilinear"), case("interpolate", (1, 2, 3, 4, 3), scale_factor=2, mode="trilinear", align_corners=True), case("interpolate", (1, 2, 3, 4, 3), size=4, mode="nearest"),
    case("interpolate", (1, 2, 5), size=1, mode="linear", align_corners=True), case("interpolate", (1, 2, 1), size=4, mode="linear", align_corners=True),
    case("pixel_shuffle", (2, 8, 2, 3), upscale_factor=2), case("pixel_unshuffle", (2, 2, 4, 6), downscale_factor=2), case("channel_shuffle", (2, 6, 2, 3), groups=3),
    case("affine_grid", (2, 2, 3), size=(2, 1, 3, 4)), case("affine_grid", (2, 3, 4), size=(2, 1, 3, 1, 2), align_corners=True),
    *(case("grid_sample", (2, 3, 4, 5), ((2, 3, 2, 2), "grid"), mode=mode, padding_mode=outside, align_corners=corners)
      for mode in ("bilinear", "nearest", "bicubic") for outside in ("zeros", "border", "reflection") for corners in (False, True)),
    *(case("grid_sample", (1, 2, 3, 4, 2), ((1, 2, 2, 2, 3), "grid"), mode=mode, padding_mode=outside) for mode in ("bilinear", "nearest") for outside in ("zeros", "border", "reflection")),
    # attention
    case("scaled_dot_product_attention", (2, 3, 4), (2, 5, 4), (2, 5, 3)), case("scaled_dot_product_attention", (2, 4, 4), (2, 4, 4), (2, 4, 3), is_causal=True),
    case("scaled_dot_product_attention", (3, 4), (5, 4), (5, 3), scale=0.3), case("scaled_dot_product_attention", (2, 3, 4), (2, 5, 4), (2, 5, 3), (3, 5)),
    case("scaled_dot_product_attention", (2, 3, 4), (2, 5, 4), (2, 5, 3), attn_mask=np.arange(15).reshape(3, 5) % 3 > 0),
    case("scaled_dot_product_attention", (2, 3, 4), (2, 5, 4), (2, 5, 3), attn_mask=np.array([[True], [False], [True]]) & np.ones((3, 5), bool)),
    case("scaled_dot_product_attention", (1, 4, 3, 2), (1, 2, 5, 2), (1, 2, 5, 3), enable_gqa=True),
]
# fmt: on
#: Those that PyTorch has for complex numbers too.
COMPLEX = {
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "unfold",
    "fold",
    "softsign",
    "l1_loss",
    "tanhshrink",
}
#: Those without a second derivative in PyTorch.
ONCE = {"grid_sample", "binary_cross_entropy", "hardsigmoid", "pdist", "multi_margin_loss", "multilabel_margin_loss"}
FLOATS = {"soft_margin_loss", "multilabel_soft_margin_loss"}  # which take classes as floats


def pytest_id(value):
    name, operands, options = value
    return f"{name}-{len(operands)}-{'-'.join(map(str, options))}"


def check(value, dtype):
    name, operands, options = value
    what = f"{name} {operands} {options} {dtype}"
    rng, arrays, fixed = seed(what), [], {}
    for i, operand in enumerate(operands):
        if isinstance(operand, np.ndarray):
            fixed[i] = operand.astype(dtype) if name in FLOATS else operand
        else:
            shape, near = operand if operand and isinstance(operand[-1], str) else (operand, None)
            arrays.append(draw(rng, RANGES.get(near, (-2.0, 2.0)), shape, dtype))
    single = {k: v.astype(dtype) if isinstance(v, np.ndarray) and v.dtype == float else v for k, v in options.items()}

    def call(function, make, given):
        given = iter(given)
        args = [make(fixed[i]) if i in fixed else next(given) for i in range(len(operands))]
        return lambda more: function(*args, **more)

    ours = lambda *xs: call(getattr(F, name), fg.tensor, xs)(single)
    theirs = lambda *xs: call(getattr(T, name), torch.tensor, xs)(dimmed(single))
    assert compare(ours, theirs, arrays, dtype, what, second=name not in ONCE), "PyTorch does not have it"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("value", CASES, ids=pytest_id)
def test_values_and_gradients_of_two_orders(value, dtype):
    if value[0] == "hardsigmoid" and dtype == "float64":
        pytest.skip("PyTorch's slope is a sixth in single precision")
    check(value, dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("targets", "sizes"), [([[1, 2, 2], [3, 1, 0], [1, 1, 0]], [3, 2, 0]), ([1, 2, 2, 3, 1], [3, 2, 0])]
)
def test_ctc_loss_of_log_softmax(targets, sizes, reduction):
    """PyTorch's gradient is right only behind `log_softmax`, so that is what is compared."""
    lengths = [6, 4, 5]
    ours = lambda x: F.ctc_loss(F.log_softmax(x, axis=2), targets, lengths, sizes, reduction=reduction)
    theirs = lambda x: T.ctc_loss(
        x.log_softmax(2), torch.tensor(targets), torch.tensor(lengths), torch.tensor(sizes), reduction=reduction
    )
    x = draw(seed("ctc"), (-2, 2), (6, 3, 4), "float64")
    assert compare(ours, theirs, [x], "float64", "ctc_loss", second=False)
    alone = lambda module, log_softmax, make: (
        lambda x: module.ctc_loss(log_softmax(x), make([1, 2]), make(5), make(2), zero_infinity=True)
    )
    ours = alone(F, lambda x: F.log_softmax(x, axis=1), np.asarray)
    theirs = alone(T, lambda x: x.log_softmax(1), torch.tensor if HAS_TORCH else None)
    assert compare(ours, theirs, [x[:, 0]], "float64", "ctc_loss of one", second=False)


@pytest.mark.parametrize("value", [value for value in CASES if value[0] in COMPLEX], ids=pytest_id)
def test_complex_numbers(value):
    check(value, "complex128")
