"""PyTorch's operations in terms of fastgrad's public names: what `test_op_db` runs PyTorch's own samples through.

Each entry takes what PyTorch's function takes (`dim`, `keepdim`), and calls what a user of fastgrad would call. Where
PyTorch has no namesake, the entry is the expression that its documentation gives.
"""

import math

import numpy as np

import fastgrad as fg

MAP = {}


def op(*names):
    """Enter a function under PyTorch's names, with ``|variant`` for a variant that differs."""

    def enter(function):
        for name in names:
            assert name not in MAP, name
            MAP[name] = function
        return function

    return enter


def F(name):
    """A function of `fastgrad.nn.functional`, looked up when it is called."""
    return lambda *args, **kwargs: getattr(fg.nn.functional, name)(*args, **kwargs)


def tops(*names, **renamed):
    """Functions of the top level (or at a dotted place) that take the same arguments."""
    for name in names:
        renamed[name] = name
    for torch_name, name in renamed.items():
        op(torch_name)(_found(name))


def _found(name):
    def call(*args, **kwargs):
        place = fg
        for part in name.split("."):
            place = getattr(place, part)
        return place(*args, **kwargs)

    return call


def axes(dim):
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


def every(dim, x=None):
    """PyTorch reduces over all axes where it is given none, or an empty list; numbers have an axis 0 there."""
    if dim is None or isinstance(dim, (list, tuple)) and not dim or x is not None and x.ndim == 0:
        return None
    return axes(dim)


# ---------------------------------------------------------------- elementwise

tops("abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor",
     "log", "log10", "log1p", "log2", "reciprocal", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "sinc",
     "deg2rad", "rad2deg", "isfinite", "isinf", "isnan", "isposinf", "isneginf", "isreal", "signbit", "logical_not", "positive",
     "conj", "real", "imag", "nan_to_num", "copysign", "fmax", "fmin", "fmod", "remainder", "hypot", "logaddexp2",
     "maximum", "minimum", "heaviside", "nextafter", "float_power", "isclose", "logical_and", "logical_or",
     "logical_xor", "angle", "frexp", "floor_divide", eq="equal", ne="not_equal", lt="less", le="less_equal", gt="greater",
     ge="greater_equal", neg="negative", sgn="sign", sign="sign", conj_physical="conj", sigmoid="sigmoid", i0="special.i0",
     digamma="special.digamma", erf="erf", erfc="special.erfc", erfinv="special.erfinv", lgamma="special.gammaln",
     xlogy="special.xlogy", true_divide="divide")  # fmt: skip

op("resolve_conj", "resolve_neg", "contiguous", "clone", "alias_copy")(lambda x, **_: x.clone())
op("frac")(lambda x: x - fg.trunc(x))
op("rsqrt")(lambda x: 1 / fg.sqrt(x))
op("pow")(lambda x, y: x**y)
op("__rpow__")(lambda x, y: y**x)
op("ldexp")(lambda x, y: x * 2.0**y)
op("logaddexp")(lambda x, y: fg.logsumexp(fg.stack(fg.broadcast_arrays(x, y)), axis=0) if x.dtype.kind == "c" else fg.logaddexp(x, y))
op("__radd__")(lambda x, y: y + x)
op("__rmul__")(lambda x, y: y * x)
op("__rsub__", "rsub")(lambda x, y, alpha=1: y - (x if alpha == 1 else alpha * x))
op("__rdiv__")(lambda x, y: y / x)
op("__rmod__")(lambda x, y: y % x)
op("__rmatmul__")(lambda x, y: y @ x)
op("add")(lambda x, y, alpha=1: x + (y if alpha == 1 else alpha * y))
op("sub")(lambda x, y, alpha=1: x - (y if alpha == 1 else alpha * y))
op("mul")(lambda x, y: x * y)
op("div")(lambda x, y, rounding_mode=None: _divided(x, y, rounding_mode))
op("clamp")(lambda x, min=None, max=None: fg.clip(x, min, max))
op("clamp_min")(lambda x, min: fg.clip(x, min, None))
op("clamp_max")(lambda x, max: fg.clip(x, None, max))
op("max|binary")(lambda x, y: fg.maximum(x, y))
op("min|binary")(lambda x, y: fg.minimum(x, y))
op("lerp")(lambda x, end, weight: x + weight * (end - x))
op("addcmul")(lambda x, a, b, value=1: x + value * a * b)
op("addcdiv")(lambda x, a, b, value=1: x + value * a / b)
op("round")(lambda x, decimals=0: fg.round(x, decimals=decimals))
op("logit")(lambda x, eps=None: fg.special.logit(x if eps is None else fg.clip(x, eps, 1 - eps)))
op("polygamma", "special.polygamma")(lambda x, n: fg.special.polygamma(n, x))
op("mvlgamma")(lambda x, p: fg.special.multigammaln(x, p))
op("igamma")(lambda a, x: fg.special.gammainc(a, x))
op("igammac")(lambda a, x: fg.special.gammaincc(a, x))
op("complex")(lambda x, y: x + 1j * y)
op("polar")(lambda r, angle: r * fg.cos(angle) + 1j * (r * fg.sin(angle)))
op("view_as_real")(lambda z: fg.stack([z.real, z.imag], axis=-1))
op("view_as_complex")(lambda x: x[..., 0] + 1j * x[..., 1])
op("where")(lambda x, condition, y: fg.where(condition, x, y))
op("masked_fill")(lambda x, mask, value: fg.where(mask, value, x))
op("fill")(lambda x, value: 0 * x + value)
op("zero_")(lambda x: 0 * x)
op("equal")(lambda x, y: fg.asarray(np.array_equal(x.detach(), y.detach())))
op("allclose")(lambda x, y, **kw: fg.asarray(np.allclose(x, y, **kw)))
op("isin")(lambda x, y: fg.isin(x, y))
op("double", "to_double")(lambda x, **_: x.astype(np.float64) if x.dtype.kind != "c" else x.real)
op("float")(lambda x, **_: (x.real if x.dtype.kind == "c" else x).astype(np.float32))
op("half")(lambda x, **_: (x.real if x.dtype.kind == "c" else x).astype(np.float16))
op("cdouble")(lambda x, **_: x.astype(np.complex128))
op("cfloat")(lambda x, **_: x.astype(np.complex64))
op("bool")(lambda x, **_: x.astype(bool))


def _divided(x, y, mode):
    out = x / y
    return out if mode is None else fg.trunc(out) if mode == "trunc" else fg.floor(out)


for _name, _place in {
    "i0e": "i0e", "i1": "i1", "i1e": "i1e", "ndtr": "ndtr", "xlog1py": "xlog1py", "entr": "entr", "ndtri": "ndtri",
    "log_ndtr": "log_ndtr", "erfcx": "erfcx", "bessel_j0": "j0", "bessel_j1": "j1", "bessel_y0": "y0", "bessel_y1": "y1",
    "modified_bessel_i0": "i0", "modified_bessel_i1": "i1", "modified_bessel_k0": "k0", "modified_bessel_k1": "k1",
    "scaled_modified_bessel_k0": "k0e", "scaled_modified_bessel_k1": "k1e", "zeta": "zeta",
}.items():  # fmt: skip
    op(f"special.{_name}")(_found(f"special.{_place}"))
op("special.airy_ai")(lambda x: fg.special.airy(x)[0])
op("special.spherical_bessel_j0")(lambda x: fg.special.spherical_jn(0, x))
for _name, _place in {
    "chebyshev_polynomial_t": "chebyt", "chebyshev_polynomial_u": "chebyu", "hermite_polynomial_h": "hermite",
    "hermite_polynomial_he": "hermitenorm", "laguerre_polynomial_l": "laguerre", "legendre_polynomial_p": "legendre",
    "shifted_chebyshev_polynomial_t": "sh_chebyt", "shifted_chebyshev_polynomial_u": "sh_chebyu",
}.items():  # fmt: skip
    op(f"special.{_name}")(lambda x, n, place=_place: _polynomial(getattr(fg.special, f"eval_{place}"), x, n))


def _polynomial(function, x, n):
    """Degrees are cut to integers, and below 0 there is nothing."""
    n = np.asarray(n).astype(int)
    return fg.where(n < 0, 0.0, function(np.maximum(n, 0), x))


# ---------------------------------------------------------------- reductions


@op("sum", "nansum", "mean", "nanmean", "prod")
def _unnamed(x, *args, **kwargs):
    raise NotImplementedError


def _reduction(name):
    def reduce(x, dim=None, keepdim=False, *, dtype=None):
        options = {} if dtype is None else {"dtype": dtype}
        return getattr(fg, name)(x, axis=every(dim, x), keepdims=keepdim, **options)

    return reduce


for _name in ("sum", "nansum", "mean", "nanmean", "prod"):
    MAP[_name] = _reduction(_name)
for _name in ("amax", "amin", "all", "any"):
    op(_name)(lambda x, dim=None, keepdim=False, name={"amax": "max", "amin": "min"}.get(_name, _name):
              getattr(fg, name)(x, axis=every(dim, x), keepdims=keepdim))  # fmt: skip
op("argmax")(lambda x, dim=None, keepdim=False: fg.argmax(x, axis=dim, keepdims=keepdim))
op("argmin")(lambda x, dim=None, keepdim=False: fg.argmin(x, axis=dim, keepdims=keepdim))
op("count_nonzero")(lambda x, dim=None: fg.count_nonzero(x, axis=every(dim)))
op("logsumexp")(lambda x, dim, keepdim=False: fg.logsumexp(x, axis=every(dim, x), keepdims=keepdim))
op("aminmax")(lambda x, dim=None, keepdim=False: (
    fg.min(x, axis=every(dim, x), keepdims=keepdim), fg.max(x, axis=every(dim, x), keepdims=keepdim)))
op("max|reduction_no_dim")(lambda x: fg.max(x))
op("min|reduction_no_dim")(lambda x: fg.min(x))
op("max|reduction_with_dim")(lambda x, dim, keepdim=False: _picked(x, fg.argmax, dim, keepdim))
op("min|reduction_with_dim")(lambda x, dim, keepdim=False: _picked(x, fg.argmin, dim, keepdim))


def _picked(x, find, dim, keepdim):
    """A value and where it is: what PyTorch's `max`, `min`, `median`, `kthvalue` and `mode` give for an axis."""
    if x.ndim == 0:
        return x.clone(), fg.asarray(0)
    where = find(x, axis=dim, keepdims=True)
    value = fg.take_along_axis(x, where, axis=dim)
    return (value, where) if keepdim else (fg.squeeze(value, axis=dim), fg.squeeze(where, axis=dim))


def _moment(name, both=False):
    def reduce(x, dim=None, unbiased=None, keepdim=False, *, correction=1):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        correction = 1 if correction is None else correction
        correction = correction if unbiased is None else int(unbiased)
        out = getattr(fg, name)(x, axis=every(dim, x), correction=correction, keepdims=keepdim)
        return (out, fg.mean(x, axis=every(dim, x), keepdims=keepdim)) if both else out

    return reduce


op("var")(_moment("var"))
op("std")(_moment("std"))
op("var_mean")(_moment("var", True))
op("std_mean")(_moment("std", True))


@op("median", "nanmedian")
def _unnamed_median(x, *args, **kwargs):
    raise NotImplementedError


def _lower_median(name):
    def median(x, dim=None, keepdim=False):
        if dim is None:
            return getattr(fg, f"{name}quantile")(x, 0.5, method="lower") if x.size else fg.mean(x)
        return getattr(fg, f"{name}quantile")(x, 0.5, axis=dim, keepdims=keepdim, method="lower") if x.ndim else x.clone()

    return median


MAP["median"], MAP["nanmedian"] = _lower_median(""), _lower_median("nan")
for _name in ("quantile", "nanquantile"):
    op(_name)(lambda x, q, dim=None, keepdim=False, *, interpolation="linear", name=_name:
              getattr(fg, name)(x, q.detach() if hasattr(q, "detach") else q, axis=dim, keepdims=keepdim, method=interpolation))  # fmt: skip
op("kthvalue")(lambda x, k, dim=-1, keepdim=False: _picked(x, lambda x, axis, keepdims: fg.take(
    fg.argsort(x, axis=axis, stable=True), [k - 1], axis=axis), dim, keepdim))  # fmt: skip
op("cumsum")(lambda x, dim, dtype=None: fg.cumsum(x, axis=dim, dtype=dtype) if x.ndim else x.clone())
op("cumprod")(lambda x, dim, dtype=None: fg.cumprod(x, axis=dim, dtype=dtype) if x.ndim else x.clone())
op("cummax")(lambda x, dim: fg.cummax(x, axis=dim))
op("cummin")(lambda x, dim: fg.cummin(x, axis=dim))
op("logcumsumexp")(lambda x, dim: fg.logcumsumexp(x, axis=dim))
op("diff")(lambda x, n=1, dim=-1, prepend=None, append=None: fg.diff(x, n=n, axis=dim, **{
    key: value for key, value in (("prepend", prepend), ("append", append)) if value is not None}))  # fmt: skip
op("trapezoid", "trapz")(lambda y, x=None, dim=-1, dx=1.0: fg.trapezoid(y, x, dx=dx, axis=dim))
op("cumulative_trapezoid")(lambda y, x=None, dim=-1, dx=1.0: _cumulative(y, x, dim, dx))


def _cumulative(y, x, dim, dx):
    y = fg.moveaxis(y, dim, -1)
    if x is not None:
        dx = fg.diff(x if x.ndim < y.ndim else fg.moveaxis(x, dim, -1), axis=-1)
    return fg.moveaxis(fg.cumsum((y[..., 1:] + y[..., :-1]) / 2 * dx, axis=-1), -1, dim)


@op("gradient")
def _gradient(x, spacing=1, dim=None, edge_order=1):
    steps = spacing if isinstance(spacing, (list, tuple)) else [1 if spacing is None else spacing]
    out = fg.gradient(x, *steps, axis=axes(dim), edge_order=edge_order)
    return out if isinstance(out, (list, tuple)) else (out,)


op("cov")(lambda x, correction=1, fweights=None, aweights=None: fg.cov(x, ddof=correction, fweights=fweights, aweights=aweights))
op("corrcoef")(lambda x: fg.corrcoef(x))
op("norm|fro", "norm|nuc")(lambda x, p="fro", dim=None, keepdim=False: fg.linalg.norm(x, p, axis=axes(dim), keepdims=keepdim))
op("norm|inf", "norm")(lambda x, p="fro", dim=None, keepdim=False, **_: _norm(x, p, dim, keepdim))
op("dist")(lambda x, y, p=2: fg.linalg.vector_norm(x - y, ord=p))
op("renorm")(lambda x, p, dim, maxnorm: _renorm(x, p, dim, maxnorm))


def _norm(x, p, dim, keepdim):
    if p in ("fro", None):
        return fg.linalg.vector_norm(x, axis=every(dim, x), keepdims=keepdim)
    if p == "nuc":
        return fg.linalg.norm(x, "nuc", axis=axes(dim), keepdims=keepdim)
    return fg.linalg.vector_norm(x, axis=every(dim, x), keepdims=keepdim, ord=p)


def _renorm(x, p, dim, maxnorm):
    others = tuple(i for i in range(x.ndim) if i != dim % x.ndim)
    norms = fg.linalg.vector_norm(x, axis=others, keepdims=True, ord=p)
    return x * fg.where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)


# ---------------------------------------------------------------- shapes

op("T", "mT", "t", "t_copy")(lambda x: x.mT if x.ndim > 1 else x)
MAP["T"] = lambda x: x.T
op("H", "mH")(lambda x: fg.conj(x.mT) if x.ndim > 1 else fg.conj(x))
op("broadcast_to", "expand", "expand_copy")(lambda x, *shape, **_: fg.broadcast_to(x, _expanded(x, _one(shape))))
op("expand_as")(lambda x, y: fg.broadcast_to(x, y.shape))
op("broadcast_tensors")(lambda *xs: fg.broadcast_arrays(*xs))
op("reshape", "view", "view_copy")(lambda x, *shape: fg.reshape(x, _one(shape)))
op("reshape_as", "view_as")(lambda x, y: fg.reshape(x, y.shape))
op("ravel")(lambda x: fg.ravel(x))
op("flatten")(lambda x, start_dim=0, end_dim=-1: _flattened(x, start_dim, end_dim))
op("unflatten")(lambda x, dim, sizes: fg.reshape(x, (*x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :])))
op("squeeze", "squeeze_copy", "squeeze|multiple")(lambda x, dim=None: _squeezed(x, dim))
op("unsqueeze", "unsqueeze_copy")(lambda x, dim: fg.expand_dims(x, dim))
op("transpose", "transpose_copy")(lambda x, dim0, dim1: fg.swapaxes(x, dim0, dim1) if x.ndim else x.clone())
op("permute", "permute_copy")(lambda x, *dims: fg.permute_dims(x, _one(dims)))
op("movedim")(lambda x, source, destination: fg.moveaxis(x, source, destination))
op("flip")(lambda x, *shown, dims=None: fg.flip(x, _one(shown) if dims is None else tuple(dims)))
op("fliplr")(lambda x: fg.fliplr(x))
op("flipud")(lambda x: fg.flipud(x))
op("rot90")(lambda x, k=1, dims=(0, 1): fg.rot90(x, k, axes=tuple(dims)))
op("roll")(lambda x, shifts, dims=None: fg.roll(x, shifts, axis=every(dims)))
op("tile")(lambda x, *reps: fg.tile(x, _one(reps)))
op("repeat")(lambda x, *reps: fg.tile(x, _one(reps)))
op("repeat_interleave")(lambda x, repeats, dim=None, **_: fg.repeat(x if x.ndim else fg.reshape(x, (1,)), repeats, axis=dim))
op("cat")(lambda xs, dim=0: fg.concat([x for x in xs if x.shape != (0,)] or xs, axis=dim))
op("stack")(lambda xs, dim=0: fg.stack(xs, axis=dim))
op("hstack")(lambda *xs: fg.hstack(_one(xs)))
op("vstack")(lambda *xs: fg.vstack(_one(xs)))
op("dstack")(lambda *xs: fg.dstack(_one(xs)))
op("column_stack")(lambda *xs: fg.column_stack(_one(xs)))
for _n in (1, 2, 3):
    op(f"atleast_{_n}d")(lambda *xs, n=_n: _at_least(n, xs))
op("unbind", "unbind_copy")(lambda x, dim=0: fg.unstack(x, axis=dim))
op("chunk", "unsafe_chunk")(lambda x, chunks, dim=0: fg.split(x, _every(-(-x.shape[dim] // chunks), x.shape[dim]), axis=dim))
op("split", "unsafe_split")(lambda x, size, dim=0: fg.split(x, _every(size, x.shape[dim]), axis=dim))
op("split|list_args", "split_with_sizes", "split_with_sizes_copy")(
    lambda x, split_sizes, dim=0: fg.split(x, np.cumsum(split_sizes)[:-1].tolist(), axis=dim))  # fmt: skip
op("tensor_split")(lambda x, sections, dim=0: fg.array_split(x, _plain(sections), axis=dim))
op("hsplit")(lambda x, sections: fg.hsplit(x, _plain(sections)))
op("vsplit")(lambda x, sections: fg.vsplit(x, _plain(sections)))
op("dsplit")(lambda x, sections: fg.dsplit(x, _plain(sections)))
op("meshgrid|variadic_tensors", "meshgrid|list_of_tensors")(lambda *xs, indexing="ij": fg.meshgrid(
    *[fg.ravel(x) for x in _one(xs)], indexing=indexing))  # fmt: skip
op("diag")(lambda x, diagonal=0: fg.diag(x, diagonal))
op("diagflat")(lambda x, offset=0: fg.diagflat(x, offset))
op("diagonal", "diagonal_copy")(lambda x, offset=0, dim1=0, dim2=1: fg.diagonal(x, offset, dim1, dim2))
op("linalg.diagonal")(lambda x, *, offset=0, dim1=-2, dim2=-1: fg.diagonal(x, offset, dim1, dim2))
op("tril")(lambda x, diagonal=0: fg.tril(x, k=diagonal))
op("triu")(lambda x, diagonal=0: fg.triu(x, k=diagonal))
op("trace")(lambda x: fg.trace(x))
op("constant_pad_nd")(lambda x, pad, value=0: F("pad")(x, pad, "constant", value))
op("sum_to_size")(lambda x, *size: _summed_to(x, _one(size)))
op("cartesian_prod")(lambda *xs: fg.stack([fg.ravel(g) for g in fg.meshgrid(*xs, indexing="ij")], axis=-1) if len(xs) > 1 else xs[0])
op("block_diag")(lambda *xs: _block_diagonal([fg.reshape(x, (1, -1)) if x.ndim < 2 else x for x in xs]))
op("triu_indices")(lambda row, col, offset=0, **_: fg.stack(list(fg.triu_indices(row, offset, col))))
op("tril_indices")(lambda row, col, offset=0, **_: fg.stack(list(fg.tril_indices(row, offset, col))))


def _one(given):
    """Arguments that were given one by one or as one sequence."""
    if len(given) == 1 and isinstance(given[0], (list, tuple)):
        given = given[0]
    return tuple(given)


def _plain(sections):
    sections = sections.tolist() if hasattr(sections, "tolist") else sections
    return list(sections) if isinstance(sections, tuple) else sections


def _every(size, total):
    return list(range(size, total, size)) if size else []


def _expanded(x, shape):
    first = len(shape) - x.ndim
    return tuple(x.shape[i - first] if n == -1 else n for i, n in enumerate(shape))


def _flattened(x, start, end):
    if x.ndim == 0:
        return fg.reshape(x, (1,))
    start, end = start % x.ndim, end % x.ndim
    return fg.reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def _squeezed(x, dim):
    if dim is None or x.ndim == 0:
        return fg.squeeze(x) if dim is None else x.clone()
    dims = [d % x.ndim for d in (dim if isinstance(dim, (list, tuple)) else [dim])]
    return fg.squeeze(x, axis=tuple(d for d in dims if x.shape[d] == 1))


def _at_least(n, xs):
    function = getattr(fg, f"atleast_{n}d")
    xs, many = (xs[0], True) if isinstance(xs[0], (list, tuple)) else (xs, len(xs) > 1)
    out = [function(x) for x in xs]
    return tuple(out) if many else out[0]


def _summed_to(x, size):
    first = x.ndim - len(size)
    x = fg.sum(x, axis=tuple(range(first)))
    return fg.sum(x, axis=tuple(i for i, n in enumerate(size) if n == 1 != x.shape[i]), keepdims=True)


def _block_diagonal(xs):
    rows, cols = [x.shape[0] for x in xs], [x.shape[1] for x in xs]
    return fg.block([[x if i == j else fg.zeros((rows[i], cols[j]), dtype=x.dtype) for j in range(len(xs))]
                     for i, x in enumerate(xs)])  # fmt: skip


@op("diag_embed")
def _diag_embed(x, offset=0, dim1=-2, dim2=-1):
    n = x.shape[-1] + abs(offset)
    out = fg.zeros((*x.shape[:-1], n, n), dtype=x.dtype)
    i = np.arange(x.shape[-1])
    out[..., i + max(-offset, 0), i + max(offset, 0)] = x
    return fg.moveaxis(out, (-2, -1), (dim1, dim2))


# ---------------------------------------------------------------- indexing

op("select")(lambda x, dim, index: x[_at(x, dim, index)])
op("narrow", "narrow_copy")(lambda x, dim, start, length: x[_at(x, dim, _span(x, dim, start, length))])
op("slice")(lambda x, dim=0, start=None, end=None, step=1: x[_at(x, dim, slice(start, end, step))])
op("__getitem__")(lambda x, index: x[index])
op("index_select")(lambda x, dim, index: fg.take(x if x.ndim else fg.reshape(x, (1,)), index, axis=dim).reshape(
    (-1,) if x.ndim else ()))  # fmt: skip
MAP["index_select"] = lambda x, dim, index: fg.take(x, index, axis=dim) if x.ndim else x.clone()
op("take")(lambda x, index: fg.take(x, index))
op("take_along_dim")(lambda x, index, dim=None: fg.take_along_axis(
    x, index if dim is not None else fg.ravel(index), axis=dim))
op("gather")(lambda x, dim, index: _gathered(x, dim, index))
op("masked_select")(lambda x, mask: _masked(x, mask))
op("index_fill")(lambda x, dim, index, value: _written(x, _at(x, dim, index), value))
op("index_copy")(lambda x, dim, index, source: _written(x, _at(x, dim, index), source))
op("index_add")(lambda x, dim, index, source, *, alpha=1: _added(x, _at(x, dim, index), alpha * source))
op("index_put")(lambda x, indices, values, accumulate=False: (_added if accumulate else _written)(x, tuple(indices), values))
op("select_scatter")(lambda x, source, dim, index: _written(x, _at(x, dim, index), source))
op("slice_scatter")(lambda x, source, dim=0, start=None, end=None, step=1: _written(x, _at(x, dim, slice(start, end, step)), source))
op("diagonal_scatter")(lambda x, source, offset=0, dim1=0, dim2=1: _diagonal_written(x, source, offset, dim1, dim2))
op("scatter")(lambda x, dim, index, src, reduce=None: _scattered(x, dim, index, src, reduce))
op("scatter_add")(lambda x, dim, index, src: _scattered(x, dim, index, src, "add"))
op("put")(lambda x, index, source, accumulate=False: fg.reshape(
    (_added if accumulate else _written)(fg.ravel(x), (fg.ravel(index),), fg.ravel(source)), x.shape))  # fmt: skip
op("nonzero")(lambda x, as_tuple=False: fg.nonzero(x) if as_tuple else fg.argwhere(x))
op("argwhere")(lambda x: fg.argwhere(x))
op("sort")(lambda x, dim=-1, descending=False, stable=False: _sorted(x, dim, descending))
op("argsort")(lambda x, dim=-1, descending=False, stable=False: fg.argsort(x, axis=dim, descending=descending) if x.ndim else fg.asarray(0))
op("msort")(lambda x: fg.sort(x, axis=0) if x.ndim else x.clone())
op("topk")(lambda x, k, dim=-1, largest=True, sorted=True: _topk(x, k, dim, largest))
op("searchsorted")(lambda x, v, **kw: fg.searchsorted(x, v, side="right" if kw.get("right") else kw.get("side", "left")))
op("bucketize")(lambda v, x, right=False, **_: fg.searchsorted(x, v, side="right" if right else "left"))
op("bincount")(lambda x, weights=None, minlength=0: fg.bincount(x, weights, minlength))
op("unique")(lambda x, sorted=True, return_inverse=False, return_counts=False, dim=None: fg.unique(
    x, return_inverse=return_inverse, return_counts=return_counts, axis=dim))  # fmt: skip
op("combinations")(lambda x, r=2, with_replacement=False: _combined(x, r, with_replacement))
op("unfold", "unfold_copy")(lambda x, dim, size, step: _unfolded(x, dim, size, step))
op("as_strided", "as_strided_copy", "as_strided|partial_views")(lambda x, size, stride, storage_offset=0: fg.take(
    fg.ravel(x), _places(size, stride, storage_offset)))
op("as_strided_scatter")(lambda x, source, size, stride, storage_offset=0: fg.reshape(
    _written(fg.ravel(x), (_places(size, stride, storage_offset),), source), x.shape))  # fmt: skip


def _at(x, dim, index):
    return (slice(None),) * (dim % x.ndim) + (index,) if x.ndim else ()


def _span(x, dim, start, length):
    start = int(start) % max(x.shape[dim], 1) if int(start) < 0 else int(start)
    return slice(start, start + int(length))


def _written(x, index, values):
    out = x.clone()
    out[index] = values
    return out


def _added(x, index, values):
    """Every value is added, also where an index is given twice."""
    out = x.clone()
    np.add.at(out, index, values)
    return out


def _grid(index, dim):
    """The index that says ``x[i][index[i][j]]`` for dim 1, and so on."""
    grid = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[dim] = index
    return tuple(grid)


def _gathered(x, dim, index):
    if x.ndim == 0:
        return fg.broadcast_to(x, index.shape) if index.ndim else x.clone()
    return x[_grid(index, dim)]


def _scattered(x, dim, index, src, reduce):
    if index.size == 0:
        return x.clone()
    where = _grid(index, dim) if x.ndim else ()
    values = src[tuple(slice(n) for n in index.shape)] if np.ndim(src) else src
    if reduce is None:
        return _written(x, where, values)
    if reduce == "add":
        return _added(x, where, values) if x.ndim else x + values
    out = x.clone()
    np.multiply.at(out, where, values)
    return out


def _masked(x, mask):
    shape = np.broadcast_shapes(x.shape, mask.shape)
    return fg.broadcast_to(x, shape)[fg.broadcast_to(mask, shape)]


def _diagonal_written(x, source, offset, dim1, dim2):
    out = x.clone()
    view = fg.moveaxis(out, (dim1, dim2), (-2, -1))
    i = np.arange(source.shape[-1])
    view[..., i + max(-offset, 0), i + max(offset, 0)] = source
    return out


def _sorted(x, dim, descending):
    if x.ndim == 0:
        return x.clone(), fg.asarray(0)
    return fg.sort(x, axis=dim, descending=descending), fg.argsort(x, axis=dim, descending=descending)


def _topk(x, k, dim, largest):
    if x.ndim == 0:
        return x.clone(), fg.asarray(0)
    where = fg.argsort(x, axis=dim, descending=largest)[_at(x, dim, slice(0, k))]
    return fg.take_along_axis(x, where, axis=dim), where


def _combined(x, r, with_replacement):
    import itertools

    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    index = np.array(list(pick(range(x.shape[0]), r)), int).reshape(-1, r)
    return x[index] if r else x[:0]


def _unfolded(x, dim, size, step):
    if x.ndim == 0:
        return fg.reshape(x, (1,)) if size else x[None][:0]
    dim %= x.ndim
    index = np.arange(0, x.shape[dim] - size + 1, step)[:, None] + np.arange(size)
    return fg.moveaxis(x[(slice(None),) * dim + (index,)], dim + 1, -1)


def _places(size, stride, offset):
    places = np.full((), offset or 0)
    for n, s in zip(size, stride):
        places = places[..., None] + np.arange(n) * s
    return places.astype(int)
