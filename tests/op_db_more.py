"""More of `op_db_mapping`: linear algebra, Fourier transforms, neural networks; and what cannot be compared."""

import numpy as np
import op_db_shapes  # noqa: F401  its entries
from op_db_mapping import MAP, F, every, op, tops

import fastgrad as fg

#: Operations whose samples say what of the result can be compared: in PyTorch's terms, which Tensors understand too.
PROCESSED = frozenset({"linalg.eigh", "linalg.eig", "linalg.svd", "linalg.lu"})

#: Operations of which fastgrad gives the first results alone.
FIRST = frozenset({"cummax", "cummin", "median", "nanmedian", "linalg.lstsq", "native_layer_norm"})

#: Operations that PyTorch differentiates once.
ONCE = frozenset({"nn.functional.scaled_dot_product_attention"})

#: Operations, or variants, that read a Hermitian matrix from a whole one.
HERMITIAN = frozenset(
    {"linalg.cholesky", "linalg.cholesky_ex", "linalg.pinv|hermitian", "linalg.eigh", "linalg.eigvalsh", "cholesky"}
)

#: Samples that are not compared, and why: an operation, or one of its variants with the dtype.
SKIPPED = {
    ("logaddexp|", "complex128"): "NumPy has none of complex numbers",
    **{f"special.bessel_{name}": "PyTorch's is good to 5 digits" for name in ("j0", "j1", "y0", "y1")},
    "special.airy_ai": "PyTorch's is good to 5 digits",
    **{
        (f"nn.functional.max_unpool{n}d|", "float64"): "PyTorch gives an index that is there twice both gradients"
        for n in (1, 2, 3)
    },
}


def within(op, samples):
    """The samples that say something about fastgrad too: nothing random, no function of PyTorch's as an argument."""
    for sample in samples:
        shape = tuple(getattr(sample.input, "shape", ()))
        if op.name == "nn.functional.batch_norm" and len(shape) < 2:
            continue
        if op.name == "tensordot" and shape == (1, 1, 1):  # NumPy broadcasts nothing there
            continue
        if op.name == "einsum" and sample.args[0] == "...ik, ...j -> ij":  # nor sums over what an ellipsis stands for
            continue
        if op.name == "searchsorted" and len(shape) > 1:  # NumPy searches one row
            continue
        if op.name == "cov" and getattr(sample.kwargs.get("aweights"), "itemsize", 8) < 8:
            continue
        if op.name == "gather" and sample.args[1].ndim > len(shape) > 0:
            continue
        given = {"p": 0.5, "dropout_p": 0.0, "distance_function": None, **sample.kwargs}
        random = "dropout" in op.name and 0 < given["p"] < 1 and given.get("training", True)
        if not (random or given["dropout_p"] or given["distance_function"] or ("pdist" in op.name and given["p"] == 0)):
            yield sample


# ---------------------------------------------------------------- products

tops("matmul", "kron", "inner", "outer", "vdot", mm="matmul", bmm="matmul", mv="matmul", dot="matmul")
op("tensordot")(lambda x, y, dims=2: fg.tensordot(x, y, axes=dims))
op("addmm", "addmv", "baddbmm")(lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * (a @ b))
op("addbmm")(lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * fg.sum(a @ b, axis=0))
op("addr")(lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * fg.outer(a, b))
op("einsum")(lambda xs, subscripts: fg.einsum(subscripts, *xs))
op("cross")(lambda x, y, dim=None: fg.linalg.cross(x, y, axis=-1 if dim is None else dim))
op("linalg.cross")(lambda x, y, dim=-1: fg.linalg.cross(x, y, axis=dim))
op("linalg.vecdot")(lambda x, y, dim=-1: fg.vecdot(x, y, axis=dim))
op("linalg.multi_dot")(lambda xs: fg.linalg.multi_dot(xs))
op("cdist")(
    lambda x, y, p=2.0, compute_mode=None: fg.linalg.vector_norm(
        x[..., :, None, :] - y[..., None, :, :], axis=-1, ord=p
    )
)

# ---------------------------------------------------------------- linear algebra

tops(
    "linalg.det",
    "linalg.inv",
    "linalg.matrix_power",
    "linalg.pinv",
    "linalg.slogdet",
    "linalg.svdvals",
    "linalg.tensorinv",
    matrix_exp="linalg.expm",
)
op("linalg.inv_ex")(lambda a, **_: (fg.linalg.inv(a), fg.zeros(a.shape[:-2], dtype=np.int32)))
op("linalg.pinv|singular")(lambda a, b: fg.linalg.pinv(a @ b.mT))
op("linalg.eigvals")(lambda a: fg.linalg.eigvals(a).astype(np.complex128))
op("linalg.eig")(lambda a: tuple(part.astype(np.complex128) for part in fg.linalg.eig(a)))
op("logdet")(lambda a: fg.linalg.slogdet(a).logabsdet if a.dtype.kind == "f" else fg.log(fg.linalg.det(a)))
op("linalg.cholesky", "cholesky")(lambda a, upper=False: fg.linalg.cholesky(a, upper=upper))
op("linalg.cholesky_ex")(
    lambda a, upper=False, **_: (fg.linalg.cholesky(a, upper=upper), fg.zeros(a.shape[:-2], dtype=np.int32))
)
op("cholesky_inverse")(lambda a, upper=False: fg.linalg.inv(fg.conj(a.mT) @ a if upper else a @ fg.conj(a.mT)))
op("cholesky_solve")(lambda b, a, upper=False: fg.linalg.solve(fg.conj(a.mT) @ a if upper else a @ fg.conj(a.mT), b))
op("linalg.solve")(lambda a, b, left=True: _solved(a, b) if left else fg.linalg.solve(a.mT, b.mT).mT)
op("linalg.solve_ex")(
    lambda a, b, left=True, **_: (
        _solved(a, b) if left else fg.linalg.solve(a.mT, b.mT).mT,
        fg.zeros(a.shape[:-2], dtype=np.int32),
    )
)
op("linalg.tensorsolve")(lambda a, b, dims=None: fg.linalg.tensorsolve(a, b, axes=dims))
op("linalg.eigvalsh")(lambda a, UPLO="L": fg.linalg.eigvalsh(a, UPLO=UPLO))
op("linalg.eigh")(lambda a, UPLO="L": fg.linalg.eigh(a, UPLO=UPLO))
op("linalg.qr", "qr")(
    lambda a, mode="reduced": fg.linalg.qr(a, mode=mode if isinstance(mode, str) else "reduced" if mode else "complete")
)
op("linalg.svd")(lambda a, full_matrices=True: fg.linalg.svd(a, full_matrices=full_matrices))
op("linalg.vector_norm")(
    lambda x, ord=2, dim=None, keepdim=False, dtype=None: fg.linalg.vector_norm(
        x if dtype is None else x.astype(dtype), ord=ord, axis=every(dim, x), keepdims=keepdim
    )
)
op("linalg.matrix_norm")(
    lambda x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None: fg.linalg.norm(
        x if dtype is None else x.astype(dtype), ord, axis=tuple(dim), keepdims=keepdim
    )
)
op("linalg.norm")(
    lambda x, ord=None, dim=None, keepdim=False, dtype=None: fg.linalg.norm(
        x if dtype is None else x.astype(dtype), ord, axis=every(dim, x), keepdims=keepdim
    )
)
op("linalg.cond")(lambda x, p=None: fg.linalg.cond(x, p))
op("linalg.matrix_rank")(
    lambda x, atol=None, rtol=None, hermitian=False, tol=None: _rank(x, atol if tol is None else tol, rtol, hermitian)
)
op("linalg.vander")(
    lambda x, N=None: fg.stack(
        [fg.atleast_1d(x) ** n for n in range((x.shape[-1] if x.ndim else 1) if N is None else N)], axis=-1
    )
)
op("linalg.solve_triangular")(
    lambda a, b, *, upper, left=True, unitriangular=False: _triangular(a, b, upper, left, unitriangular)
)
op("triangular_solve")(
    lambda b, a, upper=True, transpose=False, unitriangular=False: (
        fg.linalg.solve_triangular(a, b, trans=1 if transpose else 0, lower=not upper, unit_diagonal=unitriangular),
        fg.asarray(a),
    )
)
op("linalg.lu")(lambda a, pivot=True: fg.linalg.lu(a))
op("pinverse")(lambda a, rcond=1e-15: fg.linalg.pinv(a, rcond=rcond))
op("linalg.lstsq|grad_oriented")(lambda a, b, **_: (fg.linalg.pinv(a) @ b,))


def _rank(x, atol, rtol, hermitian):
    sizes = abs(fg.linalg.eigvalsh(x)) if hermitian else fg.linalg.svdvals(x)
    rtol = (
        (0.0 if atol is not None and np.any(atol) else max(x.shape[-2:]) * np.finfo(float).eps)
        if rtol is None
        else rtol
    )
    least = fg.maximum(0.0 if atol is None else atol, rtol * fg.max(sizes, axis=-1, initial=0.0))
    return fg.sum(sizes > least[..., None], axis=-1)


def _solved(a, b):
    vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    return fg.linalg.solve(a, b[..., None])[..., 0] if vector else fg.linalg.solve(a, b)


def _triangular(a, b, upper, left, unit):
    if not left:
        return _triangular(a.mT, b.mT, not upper, True, unit).mT
    return fg.linalg.solve_triangular(a, b, lower=not upper, unit_diagonal=unit)


# ---------------------------------------------------------------- Fourier transforms

for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    op(f"fft.{_name}")(
        lambda x, n=None, dim=-1, norm=None, name=_name: getattr(fg.fft, name)(x, n=n, axis=dim, norm=norm)
    )
    if _name[-4:] != "hfft":
        op(f"fft.{_name}2")(
            lambda x, s=None, dim=(-2, -1), norm=None, name=_name: getattr(fg.fft, f"{name}2")(
                x, s=_many(s), axes=_many(dim), norm=norm
            )
        )
        op(f"fft.{_name}n")(
            lambda x, s=None, dim=None, norm=None, name=_name: getattr(fg.fft, f"{name}n")(
                x, s=_many(s), axes=_last(_many(s), _many(dim)), norm=norm
            )
        )
for _name in ("fftshift", "ifftshift"):
    op(f"fft.{_name}")(lambda x, dim=None, name=_name: getattr(fg.fft, name)(x, axes=dim))


def _many(values):
    return (values,) if isinstance(values, int) else values


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


for _name in [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "elu",
    "embedding",
    "embedding_bag",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "logsigmoid",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "scaled_dot_product_attention",
    "selu",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
]:
    nn(_name)
nn("linear_cross_entropy", "|")
op("softmax")(lambda x, dim=-1, dtype=None: fg.softmax(x if dtype is None else x.astype(dtype), axis=every(dim, x)))
op("log_softmax")(
    lambda x, dim=-1, dtype=None: fg.log_softmax(x if dtype is None else x.astype(dtype), axis=every(dim, x))
)
MAP["nn.functional.softmin"] = lambda x, dim=-1, dtype=None: F("softmin")(x, axis=every(dim, x), dtype=dtype)
op("nn.functional.upsample_nearest")(
    lambda x, size=None, scale_factor=None: F("interpolate")(x, size, scale_factor, "nearest")
)
op("nn.functional.upsample_bilinear")(
    lambda x, size=None, scale_factor=None: F("interpolate")(x, size, scale_factor, "bilinear", align_corners=True)
)
op("native_layer_norm")(lambda x, shape, weight, bias, eps: (F("layer_norm")(x, shape, weight, bias, eps),))
MAP["nn.functional.embedding"] = lambda weight, index, **kw: F("embedding")(index, weight, **kw)
MAP["nn.functional.embedding_bag"] = lambda weight, index, **kw: F("embedding_bag")(index, weight, **kw)
for _name in ("dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
    op(f"nn.functional.{_name}")(
        lambda x, p=0.5, training=True, inplace=False, name=_name: F(name)(x, p=p, training=training)
    )
op("grid_sampler_2d", "grid_sampler_3d")(
    lambda x, grid, mode, padding, corners: F("grid_sample")(
        x, grid, ("bilinear", "nearest", "bicubic")[mode], ("zeros", "border", "reflection")[padding], corners
    )
)

# ---------------------------------------------------------------- with masks

for _name, _ours, _start in (("sum", "sum", 0), ("prod", "prod", 1), ("amax", "max", -np.inf), ("amin", "min", np.inf)):
    op(f"masked.{_name}")(
        lambda x, dim=None, keepdim=False, dtype=None, mask=None, ours=_ours, start=_start: getattr(fg, ours)(
            x if dtype is None else x.astype(dtype),
            axis=every(dim, x),
            keepdims=keepdim,
            **({} if mask is None else {"where": mask, "initial": start}),
        )
    )

# ---------------------------------------------------------------- new arrays

op("zeros_like")(lambda x, **_: fg.zeros_like(x))
op("ones_like")(lambda x, **_: fg.ones_like(x))
op("full_like")(lambda x, value, **_: fg.full_like(x, value))
op("new_zeros")(lambda x, *shape, dtype=None, **_: fg.zeros(_shape(shape), dtype=x.dtype if dtype is None else dtype))
op("new_ones")(lambda x, *shape, dtype=None, **_: fg.ones(_shape(shape), dtype=x.dtype if dtype is None else dtype))
op("new_full")(
    lambda x, shape, value, dtype=None, **_: fg.full(shape, value, dtype=x.dtype if dtype is None else dtype)
)
op("zeros")(lambda shape, dtype=None, **_: fg.zeros(shape, dtype=dtype))
op("ones")(lambda shape, dtype=None, **_: fg.ones(shape, dtype=dtype))
op("full")(lambda shape, value, dtype=None, **_: fg.full(shape, value, dtype=dtype))
op("eye")(lambda n, m=None, dtype=None, **_: fg.eye(n, m, dtype=dtype))
op("linspace|")(lambda start, end, steps, dtype=None, **_: fg.linspace(start, end, steps, dtype=dtype))


def _shape(given):
    return tuple(given[0]) if given and isinstance(given[0], (list, tuple)) else given


# ---------------------------------------------------------------- factors

op("linalg.lu_factor")(lambda a, pivot=True: _from_one(fg.linalg.lu_factor(a)))
op("linalg.lu_factor_ex")(lambda a, pivot=True, **_: (*_from_one(fg.linalg.lu_factor(a)), _no_errors(a)))
op("linalg.lu_solve")(
    lambda lu, pivots, b, *, left=True, adjoint=False: (
        fg.linalg.lu_solve((lu, pivots - 1), b, trans=2 if adjoint else 0)
        if left
        else fg.conj(fg.linalg.lu_solve((lu, pivots - 1), fg.conj(b.mT), trans=0 if adjoint else 2).mT)
    )
)
op("lu_solve")(lambda b, lu, pivots: fg.linalg.lu_solve((lu, pivots - 1), b))
op("linalg.householder_product")(lambda a, tau: fg.linalg.householder_product(a, tau))
for _name in ("hfft", "ihfft"):
    for _axes in ("2", "n"):
        op(f"fft.{_name}{_axes}")(
            lambda x, s=None, dim=None, norm=None, name=_name, plane=_axes == "2": _hermitian(
                name, x, _many(s), (-2, -1) if plane and dim is None else _many(dim), norm
            )
        )


def _no_errors(a):
    return fg.zeros(a.shape[:-2], dtype=np.int32)


def _from_one(factors):
    """Pivots are counted from 1 in PyTorch."""
    lu, pivots = factors
    return lu, pivots + 1


def _hermitian(name, x, s, axes, norm):
    turned = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}[norm]
    axes = _last(s, axes)
    if name == "hfft":
        return fg.fft.irfftn(fg.conj(x), s, axes, turned)
    return fg.conj(fg.fft.rfftn(x, s, axes, turned))
