"""The operations of the sweep, one line each: an expression in every library's own words.

An expression speaks of the library as `xp`, of its neural functions as `F`, of its special functions as `sp`, of its
linear algebra as `la`, and of the operands by the names of their shape: see SHAPES. What a library spells otherwise
follows by the library's name; ``numpy=`` speaks for those that imitate NumPy (jax, autograd, mygrad). A library that
cannot run its expression is left out of that line.
"""

from math import isqrt
from typing import NamedTuple

import numpy as np

#: Libraries that spell an expression as NumPy does, unless they are named themselves.
NUMPY_LIKE = ("jax", "autograd", "mygrad", "numpy")


class Index(NamedTuple):
    """An operand of integers, not differentiated: its shape, and what they are below."""

    shape: tuple[int, ...]
    below: int


def rows(n):
    """A matrix of about n elements: square to begin with, with at most 1,000 columns."""
    columns = min(max(1, isqrt(n)), 1000)
    return max(1, n // columns), columns


def square(n):
    return (max(1, isqrt(n)),) * 2


def images(n, channels=8):
    """Eight images, or fewer, of `channels` channels with about n elements, at least 4 x 4 points each."""
    count = min(8, max(1, n // (16 * channels)))
    side = max(4, isqrt(n // (count * channels)))
    return count, channels, side, side


def batch(n, size=8):
    """As many matrices of `size` x `size` as n elements make."""
    return max(1, n // size**2), size, size


def attended(n):
    """Heads of 32 features at 64 places, about n elements; less of both where n is small."""
    places, features = min(64, max(1, n // 32)), min(32, n)
    return max(1, n // (places * features)), places, features


#: The operands by name, for n elements: shapes, and integers. `a` comes first; all but integers are differentiated.
SHAPES = {
    "vector": lambda n: {"a": (n,)},
    "vectors": lambda n: {"a": (n,), "b": (n,)},
    "three": lambda n: {"a": (n,), "b": (n,), "c": (n,)},
    "halves": lambda n: {"a": (2 * max(1, n // 2),)},
    "matrix": lambda n: {"a": rows(n)},
    "matrices": lambda n: {"a": rows(n), "b": rows(n)},
    "square": lambda n: {"a": square(n)},
    "squares": lambda n: {"a": square(n), "b": square(n)},
    "row": lambda n: {"a": rows(n), "b": rows(n)[1:]},
    "column": lambda n: {"a": rows(n), "b": (rows(n)[0], 1)},
    "outer": lambda n: {"a": (isqrt(n), 1), "b": (isqrt(n),)},
    "scale": lambda n: {"a": rows(n), "b": rows(n)[1:], "c": rows(n)[1:]},
    "layer": lambda n: {"a": rows(n), "w": (64, rows(n)[1]), "b": (64,)},
    "batch": lambda n: {"a": batch(n), "b": batch(n)},
    "blocks": lambda n: {"a": batch(n)},
    "systems": lambda n: {"a": batch(n), "b": (*batch(n)[:2], 1)},
    "heads": lambda n: {"a": attended(n), "b": attended(n), "c": attended(n)},
    "images": lambda n: {"a": images(n)},
    "filtered": lambda n: {"a": images(n), "w": (8, 8, 3, 3), "b": (8,)},
    "signals": lambda n: {"a": (1, 8, max(8, n // 8)), "w": (8, 8, 5)},
    "picked": lambda n: {"a": (n,), "i": Index((n,), n)},
    "few": lambda n: {"a": (n,), "i": Index((max(1, n // 10),), n)},
    "table": lambda n: {"a": (max(1, n // 64), min(n, 64)), "i": Index((max(1, n // 64),), max(1, n // 64))},
    "classes": lambda n: {"a": rows(n), "i": Index(rows(n)[:1], rows(n)[1])},
    "gathered": lambda n: {"a": rows(n), "i": Index(rows(n), rows(n)[1])},
}


class Operation(NamedTuple):
    """One line: the expression, the shapes of its operands, where their values lie, the elements it makes sense for.

    `distinct`: the axis along which no two values are equal, so that their order, and with it the gradient, is one.
    `loose`: how many times as far apart as usual results may lie, where rounding adds up.
    """

    kind: str
    expression: str
    shapes: str
    span: tuple[float, float]
    least: int
    most: int
    distinct: int | None
    loose: float
    spelled: dict[str, str]

    def operands(self, n):
        """Shapes and integers by name, as SHAPES has them."""
        return SHAPES[self.shapes](n)

    def said_by(self, library):
        """The expression in the words of a library."""
        own = self.spelled.get(library)
        if own is None and library in NUMPY_LIKE:
            own = self.spelled.get("numpy")
        return own or self.expression

    def sized(self, n):
        """Whether it is worth timing for n elements."""
        return self.least <= n <= self.most

    def draw(self, n, dtype, uniform=None):
        """Operands by name: arrays of `dtype` in the span, and arrays of integers. The same for the same n.

        `uniform(size, which)` gives `size` numbers between 0 and 1.
        """
        uniform = uniform or _uniform
        low, high = self.span
        drawn = {}
        for which, (name, shape) in enumerate(self.operands(n).items()):
            if isinstance(shape, Index):
                drawn[name] = np.random.default_rng(which).integers(0, shape.below, shape.shape)
                continue
            if self.distinct is not None:
                steps = np.linspace(0, 1, shape[self.distinct]).reshape((-1, 1) if self.distinct == 0 else (1, -1))
                values = np.random.default_rng(which).permuted(np.broadcast_to(steps, shape), axis=self.distinct)
            else:
                values = uniform(int(np.prod(shape)), which).reshape(shape)
            drawn[name] = np.ascontiguousarray(low + (high - low) * values, dtype)
        return drawn


def _uniform(size, which):
    return np.random.default_rng(which).random(size)


def _op(kind, expression, shapes, *, span=(0.1, 0.9), least=1, most=10**7, distinct=None, loose=1, **spelled):
    return Operation(kind, expression, shapes, span, least, most, distinct, loose, spelled)


def _kind(kind, usual, **common):
    """Makes lines of a kind: their shapes unless they name others, and what else they have in common."""
    return lambda expression, shapes=usual, **own: _op(kind, expression, shapes, **{**common, **own})


_unary = _kind("elementwise", "vector")
_signed = _kind("elementwise", "vector", span=(-2, 2))
_binary = _kind("elementwise", "vectors")
_special = _kind("special", "vector")
_act = _kind("activations", "vector", span=(-2, 2))
_all = _kind("reductions", "vector")
_axis = _kind("reductions", "matrix")
_scan = _kind("cumulative and sorting", "matrix")
_rows = _kind("rows", "matrix", span=(-2, 2))
_loss = _kind("losses", "vectors")
_product = _kind("products", "squares", most=10**6)
_cast = _kind("broadcasting", "row")
_view = _kind("views", "matrix")
_index = _kind("indexing", "vector")
_join = _kind("joining", "vectors")
_image = _kind("images", "images", most=10**6)
_linalg = _kind("linear algebra", "batch", most=10**6)

_SIGMOID = "1 / (1 + xp.exp(-a))"
_SHIFTED = "xp.exp(a - xp.max(a, axis={0}, keepdims=True))"
_SOFTMAX = f"(lambda e: e / xp.sum(e, axis={{0}}, keepdims=True))({_SHIFTED})"
_GELU = {"jax": "F.gelu(a, approximate=False)", "autograd": "0.5 * a * (1 + sp.erf(a * 0.7071067811865476))"}

OPERATIONS = {
    # elementwise, one operand
    "exp": _unary("xp.exp(a)"),
    "exp2": _unary("xp.exp2(a)"),
    "expm1": _unary("xp.expm1(a)"),
    "log": _unary("xp.log(a)"),
    "log1p": _unary("xp.log1p(a)"),
    "log2": _unary("xp.log2(a)"),
    "log10": _unary("xp.log10(a)"),
    "sqrt": _unary("xp.sqrt(a)"),
    "cbrt": _unary("xp.cbrt(a)", torch="a ** (1 / 3)"),
    "square": _unary("xp.square(a)"),
    "reciprocal": _unary("xp.reciprocal(a)"),
    "negative": _signed("-a"),
    "abs": _signed("xp.abs(a)"),
    "sign": _signed("xp.sign(a)"),
    "floor": _signed("xp.floor(a)"),
    "sin": _signed("xp.sin(a)"),
    "cos": _signed("xp.cos(a)"),
    "tan": _unary("xp.tan(a)"),
    "arcsin": _unary("xp.arcsin(a)"),
    "arccos": _unary("xp.arccos(a)"),
    "arctan": _signed("xp.arctan(a)"),
    "sinh": _signed("xp.sinh(a)"),
    "cosh": _signed("xp.cosh(a)"),
    "tanh": _signed("xp.tanh(a)"),
    "arcsinh": _signed("xp.arcsinh(a)"),
    "arccosh": _unary("xp.arccosh(a)", span=(1.5, 3)),
    "arctanh": _unary("xp.arctanh(a)"),
    "sigmoid": _signed("F.sigmoid(a)", torch="xp.sigmoid(a)", autograd=_SIGMOID, mygrad=_SIGMOID),
    "clip": _signed("xp.clip(a, -0.7, 1.5)"),
    "a + 1.5": _signed("a + 1.5"),
    "a * 1.5": _signed("a * 1.5"),
    "1.5 / a": _unary("1.5 / a"),
    "a ** 2": _signed("a ** 2"),
    "a ** 3": _signed("a ** 3"),
    "a ** 0.5": _unary("a ** 0.5"),
    # elementwise, two and three operands
    "add": _binary("a + b"),
    "subtract": _binary("a - b"),
    "multiply": _binary("a * b"),
    "divide": _binary("a / b"),
    "power": _binary("a ** b"),
    "maximum": _binary("xp.maximum(a, b)"),
    "minimum": _binary("xp.minimum(a, b)"),
    "arctan2": _binary("xp.arctan2(a, b)"),
    "hypot": _binary("xp.hypot(a, b)"),
    "logaddexp": _binary("xp.logaddexp(a, b)"),
    "where": _binary("xp.where(a > 0.5, a, b)"),
    "a * b + c": _binary("a * b + c", "three"),
    # special functions
    "erf": _special("sp.erf(a)"),
    "erfc": _special("sp.erfc(a)"),
    "erfinv": _special("sp.erfinv(a)"),
    "gammaln": _special("sp.gammaln(a)"),
    "digamma": _special("sp.digamma(a)", most=10**6),
    "ndtr": _special("sp.ndtr(a)"),
    "log_ndtr": _special("sp.log_ndtr(a)"),
    "i0": _special("sp.i0(a)"),
    "i0e": _special("sp.i0e(a)"),
    "i1": _special("sp.i1(a)"),
    "logit": _special("sp.logit(a)"),
    "sinc": _special("xp.sinc(a)"),
    "entr": _special("sp.entr(a)"),
    "xlogy": _special("sp.xlogy(a, b)", "vectors"),
    "xlog1py": _special("sp.xlog1py(a, b)", "vectors"),
    # activations
    "relu": _act("F.relu(a)", numpy="xp.maximum(a, 0)", jax="F.relu(a)"),
    "relu6": _act("F.relu6(a)"),
    "leaky_relu": _act("F.leaky_relu(a)"),
    "elu": _act("F.elu(a)"),
    "selu": _act("F.selu(a)"),
    "celu": _act("F.celu(a)"),
    "gelu": _act("F.gelu(a)", **_GELU),
    "gelu tanh": _act("F.gelu(a, approximate='tanh')", jax="F.gelu(a, approximate=True)"),
    "silu": _act("F.silu(a)", autograd="a / (1 + xp.exp(-a))"),
    "mish": _act("F.mish(a)"),
    "softplus": _act("F.softplus(a)", autograd="xp.logaddexp(a, 0.0)"),
    "softsign": _act("F.softsign(a)", jax="F.soft_sign(a)"),
    "logsigmoid": _act("F.logsigmoid(a)", jax="F.log_sigmoid(a)"),
    "hardtanh": _act("F.hardtanh(a)", jax="F.hard_tanh(a)"),
    "hardsigmoid": _act("F.hardsigmoid(a)", jax="F.hard_sigmoid(a)"),
    "hardswish": _act("F.hardswish(a)", jax="F.hard_swish(a)"),
    "tanhshrink": _act("F.tanhshrink(a)"),
    "glu": _act("F.glu(a)", "halves", least=2),
    # reductions of everything
    "sum": _all("xp.sum(a)"),
    "mean": _all("xp.mean(a)"),
    "prod": _all("xp.prod(a)", span=(0.99999, 1.00001), loose=500),
    "max": _all("xp.max(a)"),
    "min": _all("xp.min(a)"),
    "var": _all("xp.var(a)", torch="xp.var(a, correction=0)", least=2),
    "std": _all("xp.std(a)", torch="xp.std(a, correction=0)", least=2),
    "logsumexp": _all("sp.logsumexp(a)", torch="xp.logsumexp(a, 0)"),
    "norm": _all("la.norm(a)"),
    # along the columns, and along the rows
    "sum axis 0": _axis("xp.sum(a, axis=0)"),
    "sum axis 1": _axis("xp.sum(a, axis=1)"),
    "mean axis 0": _axis("xp.mean(a, axis=0)"),
    "mean axis 1": _axis("xp.mean(a, axis=1)"),
    "prod axis 0": _axis("xp.prod(a, axis=0)", span=(0.99, 1.01)),
    "prod axis 1": _axis("xp.prod(a, axis=1)", span=(0.99, 1.01)),
    "max axis 0": _axis("xp.max(a, axis=0)", torch="xp.amax(a, 0)", distinct=0),
    "max axis 1": _axis("xp.max(a, axis=1)", torch="xp.amax(a, 1)", distinct=1),
    "min axis 0": _axis("xp.min(a, axis=0)", torch="xp.amin(a, 0)", distinct=0),
    "min axis 1": _axis("xp.min(a, axis=1)", torch="xp.amin(a, 1)", distinct=1),
    "var axis 0": _axis("xp.var(a, axis=0)", torch="xp.var(a, 0, correction=0)", least=4),
    "var axis 1": _axis("xp.var(a, axis=1)", torch="xp.var(a, 1, correction=0)", least=4),
    "std axis 0": _axis("xp.std(a, axis=0)", torch="xp.std(a, 0, correction=0)", least=4),
    "std axis 1": _axis("xp.std(a, axis=1)", torch="xp.std(a, 1, correction=0)", least=4),
    "logsumexp axis 0": _axis("sp.logsumexp(a, axis=0)", torch="xp.logsumexp(a, 0)"),
    "logsumexp axis 1": _axis("sp.logsumexp(a, axis=1)", torch="xp.logsumexp(a, 1)"),
    "norm axis 1": _axis("la.norm(a, axis=1)", torch="la.vector_norm(a, dim=1)"),
    # cumulative and sorting
    "cumsum axis 0": _scan("xp.cumsum(a, axis=0)"),
    "cumsum axis 1": _scan("xp.cumsum(a, axis=1)"),
    "cumprod axis 0": _scan("xp.cumprod(a, axis=0)", span=(0.99, 1.01)),
    "cumprod axis 1": _scan("xp.cumprod(a, axis=1)", span=(0.99, 1.01)),
    "cummax axis 1": _scan("xp.cummax(a, axis=1)", torch="xp.cummax(a, 1).values", jax="jax.lax.cummax(a, axis=1)"),
    "logcumsumexp axis 1": _scan("xp.logcumsumexp(a, axis=1)", jax="jax.lax.cumlogsumexp(a, axis=1)"),
    "diff axis 1": _scan("xp.diff(a, axis=1)", least=4),
    "sort axis 1": _scan("xp.sort(a, axis=1)", torch="xp.sort(a, 1).values", distinct=1),
    "median axis 1": _scan("xp.median(a, axis=1)", torch="xp.quantile(a, 0.5, 1)", distinct=1),
    # rows
    "softmax axis 1": _rows("F.softmax(a, axis=1)", torch="F.softmax(a, 1)", autograd=_SOFTMAX.format(1)),
    "softmax axis 0": _rows("F.softmax(a, axis=0)", torch="F.softmax(a, 0)", autograd=_SOFTMAX.format(0)),
    "log_softmax axis 1": _rows(
        "F.log_softmax(a, axis=1)", torch="F.log_softmax(a, 1)", autograd="a - sp.logsumexp(a, axis=1, keepdims=True)"
    ),
    "log_softmax axis 0": _rows("F.log_softmax(a, axis=0)", torch="F.log_softmax(a, 0)"),
    "layer_norm": _rows("F.layer_norm(a, b.shape, b, c)", "scale", least=4),
    "rms_norm": _rows("F.rms_norm(a, b.shape, b)", "row", least=4),
    "batch_norm": _rows("F.batch_norm(a, None, None, b, c, True)", "scale", least=4),
    "normalize": _rows("F.normalize(a)"),
    "cosine_similarity": _rows("F.cosine_similarity(a, b)", "matrices", least=4),
    # losses
    "mse_loss": _loss("F.mse_loss(a, b)", numpy="xp.mean((a - b) ** 2)"),
    "l1_loss": _loss("F.l1_loss(a, b)", numpy="xp.mean(xp.abs(a - b))"),
    "huber_loss": _loss("F.huber_loss(a, b)"),
    "smooth_l1_loss": _loss("F.smooth_l1_loss(a, b)"),
    "kl_div": _loss("F.kl_div(a, b, reduction='sum')"),
    "bce": _loss("F.binary_cross_entropy(a, b)"),
    "bce_with_logits": _loss("F.binary_cross_entropy_with_logits(a, b)"),
    "cross_entropy": _loss("F.cross_entropy(a, i)", "classes"),
    "nll_loss": _loss("F.nll_loss(a, i)", "classes"),
    # products
    "matmul": _product("a @ b"),
    "matmul, transposed": _product("a @ b.T"),
    "matmul, batch": _product("a @ b", "batch", most=10**7),
    "matvec": _product("a @ b", "row", most=10**7),
    "dot": _product("a @ b", "vectors", most=10**7),
    "linear": _product("F.linear(a, w, b)", "layer", numpy="a @ w.T + b"),
    "einsum ij,jk->ik": _product("xp.einsum('ij,jk->ik', a, b)"),
    "einsum bij,bjk->bik": _product("xp.einsum('bij,bjk->bik', a, b)", "batch"),
    "einsum ij,ij->i": _product("xp.einsum('ij,ij->i', a, b)", "matrices", most=10**7),
    "attention": _product("F.scaled_dot_product_attention(a, b, c)", "heads"),
    # broadcasting
    "matrix + row": _cast("a + b"),
    "matrix * row": _cast("a * b"),
    "matrix + column": _cast("a + b", "column"),
    "matrix * column": _cast("a * b", "column"),
    "matrix / column": _cast("a / b", "column"),
    "column + row": _cast("a + b", "outer"),
    "column * row": _cast("a * b", "outer"),
    "broadcast_to": _cast("xp.broadcast_to(a, (8, len(a)))", "vector", most=10**6),
    # views, and work on views
    "reshape": _view("a.reshape(-1)"),
    "transpose": _view("a.T"),
    "a.T * 2": _view("a.T * 2.0"),
    "exp(a.T)": _view("xp.exp(a.T)"),
    "a + a.T": _view("a + a.T", "square"),
    "a[::2]": _view("a[::2]", "vector"),
    "a[: n // 2]": _view("a[: len(a) // 2]", "vector", least=2),
    "a[:, 0]": _view("a[:, 0]"),
    "a[0]": _view("a[0]", "vector"),
    "flip": _view("xp.flip(a)", "vector", torch="xp.flip(a, (0,))"),
    "roll": _view("xp.roll(a, 1)", "vector"),
    "tril": _view("xp.tril(a)"),
    "diagonal": _view("xp.diagonal(a)", "square"),
    # indexing
    "a[i]": _index("a[i]", "picked"),
    "a[i], a tenth": _index("a[i]", "few"),
    "a[a > 0.5]": _index("a[a > 0.5]", "vector"),
    "take rows": _index("a[i]", "table"),
    "embedding": _index("F.embedding(i, a)", "table", numpy="a[i]"),
    "take_along_axis": _index("xp.take_along_axis(a, i, axis=1)", "gathered", torch="xp.gather(a, 1, i)"),
    # joining and cutting
    "concat": _join("xp.concat([a, b])", numpy="xp.concatenate([a, b])"),
    "concat axis 1": _join("xp.concat([a, b], axis=1)", "matrices", numpy="xp.concatenate([a, b], axis=1)"),
    "stack": _join("xp.stack([a, b])"),
    "stack axis 1": _join("xp.stack([a, b], axis=1)"),
    "split": _join("xp.split(a, 2)[1]", "halves", torch="xp.chunk(a, 2)[1]"),
    "pad": _join("F.pad(a, (1, 1))", "matrix", numpy="xp.pad(a, ((0, 0), (1, 1)))"),
    "tile": _join("xp.tile(a, 2)", "vector", torch="xp.tile(a, (2,))"),
    "repeat": _join("xp.repeat(a, 2)", "vector", torch="xp.repeat_interleave(a, 2)"),
    # images and signals
    "conv2d": _image("F.conv2d(a, w, b, padding=1)", "filtered"),
    "conv1d": _image("F.conv1d(a, w)", "signals"),
    "max_pool2d": _image("F.max_pool2d(a, 2)"),
    "avg_pool2d": _image("F.avg_pool2d(a, 2)"),
    "interpolate": _image("F.interpolate(a, scale_factor=2.0)"),
    # linear algebra
    "solve": _linalg("la.solve(a + 8 * xp.eye(8, dtype=a.dtype), b)", "systems"),
    "inv": _linalg("la.inv(a + 8 * xp.eye(8, dtype=a.dtype))", "blocks"),
    "det": _linalg("la.det(a + 8 * xp.eye(8, dtype=a.dtype))", "blocks"),
    "cholesky": _linalg("la.cholesky(a @ a.swapaxes(-1, -2) + 8 * xp.eye(8, dtype=a.dtype))", "blocks"),
}

#: Short programs, for the cost of many small steps.
CHAINS = {
    "ten times tanh(y * x + 1)": _op("chains", "xp.sum(repeat(lambda y: xp.tanh(y * a + 1), a, 10))", "vector"),
}

#: Operations of every kind, for what recording costs.
COMMON = ("add", "multiply", "a + 1.5", "a ** 2", "exp", "tanh", "maximum", "where", "sum", "mean", "max", "var",
          "sum axis 0", "cumsum axis 1", "matmul", "matvec", "dot", "einsum ij,jk->ik", "reshape", "transpose", "a[0]",
          "a[::2]", "a[:, 0]", "a[i]", "concat", "stack")  # fmt: skip
