"""More of `op_db_mapping`: linear algebra, Fourier transforms, neural networks; and what cannot be compared."""

import numpy as np

import fastgrad as fg
from op_db_mapping import F, MAP, _found, every, op, tops

#: Operations whose samples say what of the result may be compared, in PyTorch's terms that Tensors understand too.
PROCESSED = frozenset()

#: Operations of which fastgrad gives the first results alone.
FIRST = frozenset({"cummax", "cummin", "nn.functional.max_pool1d"})

#: Operations whose result is given up to a phase: only what does not depend on it could be compared.
GAUGE = frozenset()

#: Samples that are not compared, and why: an operation, or one of its variants with the dtype.
SKIPPED = {}


def within(op, samples):
    """The samples that say something about fastgrad too."""
    return samples


# ---------------------------------------------------------------- products

tops("matmul", "tensordot", "kron", "inner", "outer", "vdot", mm="matmul", bmm="matmul", mv="matmul", dot="matmul")
MAP["tensordot"] = lambda x, y, dims=2, out=None: fg.tensordot(x, y, axes=dims)
MAP["inner"] = lambda x, y: fg.inner(x, y)
op("addmm", "addmv", "addbmm|", "baddbmm")(lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * (a @ b))
op("addbmm")(lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * fg.sum(a @ b, axis=0))
op("addr")(lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * fg.outer(a, b))
op("einsum")(lambda xs, subscripts: fg.einsum(subscripts, *xs))
op("cross")(lambda x, y, dim=None: fg.linalg.cross(x, y, axis=-1 if dim is None else dim))
op("linalg.cross")(lambda x, y, dim=-1: fg.linalg.cross(x, y, axis=dim))
op("linalg.vecdot")(lambda x, y, dim=-1: fg.vecdot(x, y, axis=dim))
op("linalg.multi_dot")(lambda xs: fg.linalg.multi_dot(xs))
op("cdist")(lambda x, y, p=2.0, compute_mode=None: fg.linalg.vector_norm(x[..., :, None, :] - y[..., None, :, :], axis=-1, ord=p))

# ---------------------------------------------------------------- linear algebra

tops("linalg.det", "linalg.inv", "linalg.matrix_power", "linalg.pinv", "linalg.slogdet", "linalg.svdvals", "linalg.tensorinv",
     "linalg.eigvals", "linalg.eig", matrix_exp="linalg.expm")  # fmt: skip
op("linalg.inv_ex")(lambda a, **_: (fg.linalg.inv(a), fg.zeros(a.shape[:-2], dtype=np.int32)))
op("logdet")(lambda a: fg.linalg.slogdet(a).logabsdet)
op("linalg.cholesky", "cholesky")(lambda a, upper=False: fg.linalg.cholesky(a, upper=upper))
op("linalg.cholesky_ex")(lambda a, upper=False, **_: (fg.linalg.cholesky(a, upper=upper), fg.zeros(a.shape[:-2], dtype=np.int32)))
op("cholesky_inverse")(lambda a, upper=False: fg.linalg.inv(fg.conj(a.mT) @ a if upper else a @ fg.conj(a.mT)))
op("cholesky_solve")(lambda b, a, upper=False: fg.linalg.solve(fg.conj(a.mT) @ a if upper else a @ fg.conj(a.mT), b))
op("linalg.solve")(lambda a, b, left=True: _solved(a, b) if left else fg.linalg.solve(a.mT, b.mT).mT)
op("linalg.solve_ex")(lambda a, b, left=True, **_: (_solved(a, b) if left else fg.linalg.solve(a.mT, b.mT).mT,
                                                   fg.zeros(a.shape[:-2], dtype=np.int32)))  # fmt: skip
op("linalg.tensorsolve")(lambda a, b, dims=None: fg.linalg.tensorsolve(a, b, axes=dims))
op("linalg.eigvalsh")(lambda a, UPLO="L": fg.linalg.eigvalsh(a, UPLO=UPLO))
op("linalg.eigh")(lambda a, UPLO="L": fg.linalg.eigh(a, UPLO=UPLO))
op("linalg.qr", "qr")(lambda a, mode="reduced": fg.linalg.qr(a, mode=mode if isinstance(mode, str) else "reduced" if mode else "complete"))
op("linalg.svd")(lambda a, full_matrices=True: fg.linalg.svd(a, full_matrices=full_matrices))
op("svd")(lambda a, some=True, compute_uv=True: _svd(a, some))
op("linalg.vector_norm")(lambda x, ord=2, dim=None, keepdim=False, dtype=None: fg.linalg.vector_norm(
    x if dtype is None else x.astype(dtype), ord=ord, axis=every(dim, x), keepdims=keepdim))  # fmt: skip
op("linalg.matrix_norm")(lambda x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None: fg.linalg.norm(
    x if dtype is None else x.astype(dtype), ord, axis=tuple(dim), keepdims=keepdim))  # fmt: skip
op("linalg.norm")(lambda x, ord=None, dim=None, keepdim=False, dtype=None: fg.linalg.norm(
    x if dtype is None else x.astype(dtype), ord, axis=every(dim, x), keepdims=keepdim))  # fmt: skip
op("linalg.cond")(lambda x, p=None: fg.linalg.cond(x, p))
op("linalg.matrix_rank")(lambda x, tol=None, hermitian=False, **_: fg.linalg.matrix_rank(x))
op("linalg.vander")(lambda x, N=None: fg.stack([x**n for n in range(x.shape[-1] if N is None else N)], axis=-1))
op("linalg.solve_triangular")(lambda a, b, *, upper, left=True, unitriangular=False: _triangular(a, b, upper, left, unitriangular))
op("triangular_solve")(lambda b, a, upper=True, transpose=False, unitriangular=False: (
    fg.linalg.solve_triangular(a, b, trans=1 if transpose else 0, lower=not upper, unit_diagonal=unitriangular), fg.asarray(a)))  # fmt: skip
op("linalg.lu")(lambda a, pivot=True: fg.linalg.lu(a))
op("pinverse")(lambda a, rcond=1e-15: fg.linalg.pinv(a, rcond=rcond))
op("linalg.lstsq|grad_oriented")(lambda a, b, **_: (fg.linalg.pinv(a) @ b,))


def _solved(a, b):
    vector = b.ndim == 1 or b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]
    return fg.linalg.solve(a, b[..., None])[..., 0] if vector else fg.linalg.solve(a, b)


def _svd(a, some):
    u, s, vh = fg.linalg.svd(a, full_matrices=not some)
    return u, s, fg.conj(vh.mT)


def _triangular(a, b, upper, left, unit):
    if not left:
        return _triangular(a.mT, b.mT, not upper, True, unit).mT
    return fg.linalg.solve_triangular(a, b, lower=not upper, unit_diagonal=unit)


# ---------------------------------------------------------------- Fourier transforms

for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    op(f"fft.{_name}")(lambda x, n=None, dim=-1, norm=None, name=_name: getattr(fg.fft, name)(x, n=n, axis=dim, norm=norm))
    if _name[-4:] != "hfft":
        op(f"fft.{_name}2")(lambda x, s=None, dim=(-2, -1), norm=None, name=_name: getattr(fg.fft, f"{name}2")(
            x, s=s, axes=dim, norm=norm))  # fmt: skip
        op(f"fft.{_name}n")(lambda x, s=None, dim=None, norm=None, name=_name: getattr(fg.fft, f"{name}n")(
            x, s=s, axes=_last(s, dim), norm=norm))  # fmt: skip
for _name in ("fftshift", "ifftshift"):
    op(f"fft.{_name}")(lambda x, dim=None, name=_name: getattr(fg.fft, name)(x, axes=dim))


def _last(s, dim):
    return tuple(range(-len(s), 0)) if dim is None and s is not None else dim


# ---------------------------------------------------------------- neural networks

_SPELT = {"dim": "axis", "keepdim": "keepdims"}


def nn(name, *variants, **fixed):
    """A function of `nn.functional` with PyTorch's arguments: `dim` is `axis` there, and nothing is `inplace`."""

    def call(*args, **kwargs):
        kwargs = {_SPELT.get(key, key): value for key, value in kwargs.items() if key != "inplace"}
        return F(name)(*args, **kwargs, **fixed)

    for variant in variants or ("",):
        op(f"nn.functional.{name}{variant}")(call)


for _name in (
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
    "avg_pool1d avg_pool2d avg_pool3d batch_norm bilinear binary_cross_entropy binary_cross_entropy_with_logits celu "
    "channel_shuffle conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_embedding_loss "
    "cosine_similarity cross_entropy ctc_loss elu embedding embedding_bag gaussian_nll_loss gelu glu grid_sample group_norm "
    "hardshrink hardsigmoid hardswish hardtanh hinge_embedding_loss huber_loss instance_norm interpolate kl_div l1_loss layer_norm "
    "leaky_relu linear local_response_norm logsigmoid margin_ranking_loss max_pool1d max_pool2d max_pool3d "
    "max_unpool1d max_unpool2d max_unpool3d mish mse_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss "
    "nll_loss normalize one_hot pad pairwise_distance pdist pixel_shuffle pixel_unshuffle poisson_nll_loss prelu relu relu6 "
    "rms_norm scaled_dot_product_attention selu silu smooth_l1_loss soft_margin_loss softmin softplus softshrink "
    "softsign tanhshrink threshold triplet_margin_loss triplet_margin_with_distance_loss unfold"
).split():
    nn(_name)
op("softmax", "log_softmax")(lambda *_, **__: None)
MAP["softmax"] = lambda x, dim=-1, dtype=None: fg.softmax(x if dtype is None else x.astype(dtype), axis=every(dim, x))
MAP["log_softmax"] = lambda x, dim=-1, dtype=None: fg.log_softmax(x if dtype is None else x.astype(dtype), axis=every(dim, x))
MAP["nn.functional.softmin"] = lambda x, dim=-1, dtype=None: F("softmin")(x, axis=every(dim, x), dtype=dtype)
op("torch.ops.aten._safe_softmax.default")(lambda x, dim, dtype=None: fg.softmax(x, axis=every(dim, x)))
op("nn.functional.upsample_nearest")(lambda x, size=None, scale_factor=None: F("interpolate")(x, size, scale_factor, "nearest"))
op("nn.functional.upsample_bilinear")(lambda x, size=None, scale_factor=None: F("interpolate")(
    x, size, scale_factor, "bilinear", align_corners=True))  # fmt: skip
op("native_layer_norm")(lambda x, shape, weight, bias, eps: (F("layer_norm")(x, shape, weight, bias, eps),))
for _name in ("dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
    op(f"nn.functional.{_name}")(lambda x, p=0.5, training=True, inplace=False, name=_name: F(name)(x, p=p, training=training))
