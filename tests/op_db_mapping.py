"""PyTorch's operations in terms of fastgrad's public names: what `test_op_db` runs PyTorch's own samples through.

Each entry takes what PyTorch's function takes (`dim`, `keepdim`), and calls what a user of fastgrad would call. Where
PyTorch has no namesake, the entry is the expression that its documentation gives.
"""

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
    if dim is None or (isinstance(dim, (list, tuple)) and not dim) or (x is not None and x.ndim == 0):
        return None
    return axes(dim)


# ---------------------------------------------------------------- elementwise

tops(
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "log",
    "log10",
    "log1p",
    "log2",
    "reciprocal",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
    "sinc",
    "deg2rad",
    "rad2deg",
    "isfinite",
    "isinf",
    "isnan",
    "isposinf",
    "isneginf",
    "isreal",
    "signbit",
    "logical_not",
    "positive",
    "conj",
    "real",
    "imag",
    "nan_to_num",
    "copysign",
    "fmax",
    "fmin",
    "fmod",
    "remainder",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "heaviside",
    "nextafter",
    "float_power",
    "isclose",
    "logical_and",
    "logical_or",
    "logical_xor",
    "angle",
    "frexp",
    "floor_divide",
    eq="equal",
    ne="not_equal",
    lt="less",
    le="less_equal",
    gt="greater",
    ge="greater_equal",
    neg="negative",
    sgn="sign",
    sign="sign",
    conj_physical="conj",
    sigmoid="sigmoid",
    i0="special.i0",
    digamma="special.digamma",
    erf="erf",
    erfc="special.erfc",
    erfinv="special.erfinv",
    lgamma="special.gammaln",
    xlogy="special.xlogy",
    true_divide="divide",
)

op("resolve_conj", "resolve_neg", "contiguous", "clone", "alias_copy")(lambda x, **_: x.clone())
op("frac")(lambda x: x - fg.trunc(x))
op("rsqrt")(lambda x: 1 / fg.sqrt(x))
op("pow")(lambda x, y: x**y)
op("__rpow__")(lambda x, y: y**x)
op("ldexp")(lambda x, y: x * 2.0**y)
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
    "i0e": "i0e",
    "i1": "i1",
    "i1e": "i1e",
    "ndtr": "ndtr",
    "xlog1py": "xlog1py",
    "entr": "entr",
    "ndtri": "ndtri",
    "log_ndtr": "log_ndtr",
    "erfcx": "erfcx",
    "bessel_j0": "j0",
    "bessel_j1": "j1",
    "bessel_y0": "y0",
    "bessel_y1": "y1",
    "modified_bessel_i0": "i0",
    "modified_bessel_i1": "i1",
    "modified_bessel_k0": "k0",
    "modified_bessel_k1": "k1",
    "scaled_modified_bessel_k0": "k0e",
    "scaled_modified_bessel_k1": "k1e",
    "zeta": "zeta",
}.items():
    op(f"special.{_name}")(_found(f"special.{_place}"))
op("special.airy_ai")(lambda x: fg.special.airy(x)[0])
op("special.spherical_bessel_j0")(lambda x: fg.special.spherical_jn(0, x))
for _name, _place in {
    "chebyshev_polynomial_t": "chebyt",
    "chebyshev_polynomial_u": "chebyu",
    "hermite_polynomial_h": "hermite",
    "hermite_polynomial_he": "hermitenorm",
    "laguerre_polynomial_l": "laguerre",
    "legendre_polynomial_p": "legendre",
    "shifted_chebyshev_polynomial_t": "sh_chebyt",
    "shifted_chebyshev_polynomial_u": "sh_chebyu",
}.items():
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
for _name, _ours in {"amax": "max", "amin": "min", "all": "all", "any": "any"}.items():
    op(_name)(lambda x, dim=None, keepdim=False, name=_ours: getattr(fg, name)(x, axis=every(dim, x), keepdims=keepdim))
op("argmax")(lambda x, dim=None, keepdim=False: fg.argmax(x, axis=dim, keepdims=keepdim))
op("argmin")(lambda x, dim=None, keepdim=False: fg.argmin(x, axis=dim, keepdims=keepdim))
op("count_nonzero")(lambda x, dim=None: fg.count_nonzero(x, axis=every(dim)))
op("logsumexp")(lambda x, dim, keepdim=False: fg.logsumexp(x, axis=every(dim, x), keepdims=keepdim))
op("aminmax")(
    lambda x, dim=None, keepdim=False: (
        fg.min(x, axis=every(dim, x), keepdims=keepdim),
        fg.max(x, axis=every(dim, x), keepdims=keepdim),
    )
)
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
        return (
            getattr(fg, f"{name}quantile")(x, 0.5, axis=dim, keepdims=keepdim, method="lower") if x.ndim else x.clone()
        )

    return median


MAP["median"], MAP["nanmedian"] = _lower_median(""), _lower_median("nan")
for _name in ("quantile", "nanquantile"):
    op(_name)(
        lambda x, q, dim=None, keepdim=False, *, interpolation="linear", name=_name: getattr(fg, name)(
            x, q, axis=every(dim, x), keepdims=keepdim, method=interpolation
        )
    )
op("kthvalue")(
    lambda x, k, dim=-1, keepdim=False: _picked(
        x, lambda x, axis, keepdims: fg.take(fg.argsort(x, axis=axis, stable=True), [k - 1], axis=axis), dim, keepdim
    )
)
op("cumsum")(lambda x, dim, dtype=None: fg.cumsum(x, axis=dim, dtype=dtype) if x.ndim else x.clone())
op("cumprod")(lambda x, dim, dtype=None: fg.cumprod(x, axis=dim, dtype=dtype) if x.ndim else x.clone())
op("cummax")(lambda x, dim: fg.cummax(x, axis=dim))
op("cummin")(lambda x, dim: fg.cummin(x, axis=dim))
op("logcumsumexp")(lambda x, dim: fg.logcumsumexp(x, axis=dim))
op("diff")(
    lambda x, n=1, dim=-1, prepend=None, append=None: fg.diff(
        x,
        n=n,
        axis=dim,
        **{key: value for key, value in (("prepend", prepend), ("append", append)) if value is not None},
    )
)
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


op("cov")(
    lambda x, correction=1, fweights=None, aweights=None: fg.cov(
        x, ddof=correction, fweights=fweights, aweights=aweights
    )
)
op("corrcoef")(lambda x: fg.corrcoef(x))
op("norm|fro", "norm|nuc")(
    lambda x, p="fro", dim=None, keepdim=False: fg.linalg.norm(x, p, axis=axes(dim), keepdims=keepdim)
)
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
