"""The row: one operation, its NumPy forward and its vjp, in one call.

A row is all that fastgrad knows about an operation. Both backends, the tests, the benchmarks and
the docs read rows; nothing else states a derivative. `Note [Rows]` in docs/internals.md
is the long version of this docstring.
"""

from __future__ import annotations

import numpy as np

from ._doc import complete

#: Every row of fastgrad, by name, in the order of registration.
TABLE: dict[str, Op] = {}

_GRAD_NAMES = {
    "multiply": "MulBackward", "subtract": "SubBackward", "divide": "DivBackward", "power": "PowBackward",
    "scalar_power": "PowBackward", "negative": "NegBackward", "copy_slices": "CopySlices", "padded": "PadBackward",
}  # fmt: skip

#: The loops of csrc, and how many operands each takes.
LOOPS = {
    "where": 3,
    "sigmoid": 1,
    "softplus": 1,
    "logsigmoid": 1,
    "silu": 1,
    "mish": 1,
    "erf": 1,
    "erfc": 1,
    "ndtr": 1,
    "gelu_terms": 1,
    "logit": 1,
    "bessel_i0": 1,
    "bessel_i0e": 1,
    "bessel_i1": 1,
    "bessel_i1e": 1,
    "i1_slope": 1,
    "i1e_slope": 1,
    "erfinv": 1,
    "gammaln": 1,
    "entr": 1,
    "sinc": 1,
    "sinc_slope": 1,
    "logit_pull": 2,
    "xlogy": 2,
    "relu": 1,
    "hardswish": 1,
    "sign": 1,
    "sigmoid_pull": 2,
    "softplus_pull": 2,
    "expit_pull": 2,
    "silu_pull": 2,
    "mish_pull": 2,
    "gelu_pull": 2,
    "logistic_loss": 2,
    "chance_terms": 2,
    "relu_pull": 2,
    "hardswish_pull": 2,
    "psi_terms": 1,
    "trigamma": 1,
    "log_ndtr": 1,
    "log_ndtr_pull": 2,
    "share": 3,
    "power": 2,
    "hypot": 2,
    "logaddexp": 2,
    "sin": 1,
    "cos": 1,
    "logistic_pull": 3,
    "leaky_terms": 3,
    "clamp": 3,
    "huber_terms": 3,
    "elu_terms": 4,
    "sharp_terms": 2,
    "sharp_pull": 3,
    "elu_pull": 4,
    "gate": 4,
    "huber_pull": 4,
}

DERIVED = "derived"  # the default of `vjp=`: derive it from the expression in `fn`


class Like:
    """Shape and dtype of an operand whose values a vjp does not need, so that nothing else is kept."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape, dtype):
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        size = 1
        for n in self.shape:
            size *= n
        return size

    def _no_values(self, *_, **__):
        raise TypeError(
            "a vjp computes with an operand (or `out`) that its row does not save: name it in saves=; "
            "without that there are only its shape and dtype"
        )

    __array__ = __array_ufunc__ = __array_function__ = __getitem__ = __neg__ = __abs__ = __float__ = _no_values
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _no_values
    __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __lt__ = __le__ = __gt__ = __ge__ = _no_values

    @classmethod
    def _apply_op(cls, op, operands, options):
        cls._no_values(None)

    def __repr__(self):
        return f"Like(shape={self.shape}, dtype={self.dtype})"


class case:
    """One sample call of a row for the tests: a shape for each operand to be drawn (an array is taken as it is)."""

    __slots__ = ("operands", "options")

    def __init__(self, *operands, **options):
        self.operands = operands
        self.options = options

    def __repr__(self):
        shown = [str(a) for a in self.operands] + [f"{k}={v!r}" for k, v in self.options.items()]
        return f"case({', '.join(shown)})"


class Op:
    """One row of the table. Called, it runs on what it is given: ndarrays, Syms or Tensors.

    Parameters
    ----------
    name : str
        The public name; the graph shows ``<NameBackward>``.
    fn : np.ufunc or callable
        The forward on ndarrays, called ``fn(*operands, **options)`` with every option given.
        Where `vjp` is left out, an expression in other rows, run on whatever it is given.
    signature : str
        Operands, a semicolon, options: ``"x"``, ``"x, y"``, ``"x; axis=None, keepdims=False"``,
        ``"*xs; axis=0"`` (the public call takes one sequence of operands).
    vjp : callable, tuple of (callable or None), None
        One for each operand: ``vjp(g, out, *operands, **options)`` gives the operand's cotangent.
        None for an operand without a derivative, or for the whole row. For a row with a ``*`` operand,
        or with `joint`, one callable that gives a tuple, one entry for each operand.
        It may give the wider (broadcast) shape, a wider dtype or a Python scalar: the engine fits the
        result to the operand.
    saves : str
        For a row that is not elementwise: which of ``out`` and the operands the vjp reads the *values* of.
        The others are passed as `Like` (shape and dtype). Elementwise rows are traced and need none.
    near : (float, float) or tuple of them
        The interval (for each operand) that tests draw from.
    cases : sequence of `case`
        Sample calls for the tests. Elementwise rows need none.
    kinks : sequence of (tuple of operands, tuple of expected gradients)
        Pinned gradients of ``out.sum()`` at special points (None: no gradient).
    types : str
        Kinds of operands and result of an elementwise row: ``T`` the common dtype, ``?`` bool.
    rowwise : callable or None
        An expression with the bits of `fn` for one real operand, called as `fn` is, in elementwise rows and `sum`, `prod`,
        `mean`, `max`, `min` and `peak` along the option `axis`. The vjp has to be one too. Where the axes of a contiguous
        array follow one another, a backend may then run either in few passes, with what it needs in the cache.
    loop : str or None
        Name of a compiled inner loop of csrc for a row whose `fn` is not a ufunc.
    view : bool
        The result may share memory with the first operand.
    multi : bool
        `fn` gives a tuple of arrays; the vjp's `g` and `out` are then tuples.
    named : callable or None
        The named tuple that a public call puts the results of such a row in.
    holomorphic : bool
        True: for complex operands the vjp is run on conj(g) and its result conjugated, which is PyTorch's
        convention for holomorphic functions. False: the vjp states that convention itself.
    into : callable or None
        ``into(buffer, g, *operands, **options)`` adds the first operand's cotangent into an ndarray in place.
    bind : callable or None
        Public call to ``(operands, options)``, where the signature alone cannot say it.
    batch : callable, "same" or None
        How a row that is not elementwise runs on a batch of examples (`fastgrad.func.vmap`; derived rows need none):
        ``batch(many, *operands, **options)`` gives the batch of results. `many` says of each operand whether it is a
        batch, along axis 0, or one value that all examples share. "same": as `fn` says, whatever the shape. None: in a
        loop over the examples, with a warning.
    linear : {None, "jointly", "each"}
        How tangents pass (`fastgrad.func.jvp`): "jointly", the row itself on the tangents of all operands; "each", on
        one tangent at a time and the other operands as they are, summed. None: by `jvp`, or by what the vjp says.
    jvp : callable or None
        ``jvp(tangents, out, *operands, **options)`` gives the tangent of the result; `tangents` has None for operands
        that have none. A shorter way than the general one, which differentiates the vjp in its g.
    doc : str
        NumPy-style docstring of the public function.
    """

    __slots__ = (
        "_bind", "_doc", "batch", "cases", "differentiable", "elementwise", "fn", "holomorphic", "indexed", "into",
        "joint", "jvp", "kinks", "linear", "loop", "module", "multi", "name", "named", "near", "operands", "options", "rowwise", "saves",
        "signature", "types", "users", "variadic", "view", "vjp",
    )  # fmt: skip

    def __init__(
        self, name, fn, signature, *, vjp=DERIVED, saves="", near=(-2.0, 2.0), cases=(), kinks=(), types=None,
        loop=None, view=False, multi=False, joint=False, holomorphic=True, into=None, bind=None, batch=None,
        linear=None, jvp=None, named=None, rowwise=None, doc="", module="fastgrad",
    ):  # fmt: skip
        operands, _, options = signature.partition(";")
        self.name, self.fn, self.signature = name, fn, signature
        self.variadic = operands.strip().startswith("*")
        self.operands = tuple(part.strip().lstrip("*") for part in operands.split(",") if part.strip())
        self.options = tuple(part.split("=")[0].strip() for part in options.split(",") if part.strip() not in ("", "*"))
        self.joint = joint or self.variadic
        self.elementwise = loop is not None or (isinstance(fn, np.ufunc) and fn.signature is None and fn.nout == 1)
        if callable(vjp) and not self.joint:
            vjp = (vjp,)
        self.vjp = vjp
        self.differentiable = vjp is not None
        self.saves = frozenset(saves.replace(",", " ").split())
        self.types = types or "T" * len(self.operands) + ">T"
        self.near, self.cases, self.kinks = near, tuple(cases), tuple(kinks)
        self.loop, self.view, self.multi, self.holomorphic, self.into = loop, view, multi, holomorphic, into
        self.batch, self.linear, self.jvp, self.named = batch, linear, jvp, named
        self._doc, self.module = doc, module
        self.users, self.rowwise = False, rowwise
        self.indexed = "index" in self.options  # an index may hold values that stand for many
        self._bind = bind
        self._check()

    def _check(self):
        if not self.name.isidentifier():
            raise ValueError(f"an operation's name must be an identifier, not {self.name!r}")
        if not callable(self.fn):
            raise TypeError(f"{self.name}: fn must be callable, not {type(self.fn).__name__}")
        if not self.operands or not all(name.isidentifier() for name in (*self.operands, *self.options)):
            raise ValueError(f'{self.name}: a signature is like "x, y; axis=None", not {self.signature!r}')
        if len({*self.operands, *self.options}) < len(self.operands) + len(self.options):
            raise ValueError(f"{self.name}: {self.signature!r} has a name twice")
        if (self.elementwise or self.derived) and not {"g", "out"}.isdisjoint(self.operands):
            raise ValueError(f"{self.name}: no operand may be called g or out, which formulas call other things")
        if (
            isinstance(self.fn, np.ufunc)
            and not self.variadic
            and (self.fn.nin, self.fn.nout) != (len(self.operands), 1)
        ):
            raise ValueError(
                f"{self.name}: the ufunc takes {self.fn.nin} and gives {self.fn.nout}, "
                f"the signature takes {len(self.operands)} and gives 1"
            )
        if self.loop is not None and LOOPS.get(self.loop) != len(self.operands):
            raise ValueError(f"{self.name}: no compiled loop {self.loop!r} of {len(self.operands)} operands")
        if isinstance(self.vjp, tuple) and len(self.vjp) != len(self.operands):
            raise ValueError(f"{self.name}: {len(self.operands)} operands but {len(self.vjp)} vjps")
        if self.linear not in (None, "jointly", "each"):
            raise ValueError(f'{self.name}: linear is "jointly", "each" or None, not {self.linear!r}')
        unknown = self.saves - {"out", *self.operands}
        if unknown:
            raise ValueError(f"{self.name}: saves names no operand: {', '.join(sorted(unknown))}")

    @property
    def doc(self):
        """The docstring of the public function, with what the row itself knows filled in."""
        return self._doc if self.users else complete(self, self._doc)

    @property
    def derived(self):
        """Whether the derivative comes from the expression in `fn`."""
        return self.vjp == DERIVED

    def is_ufunc(self, ufunc):
        """Whether the row is NumPy's `ufunc`, if in part by a loop of csrc."""
        return ufunc is self.fn or ufunc is getattr(self.fn, "general", None)

    @property
    def grad_name(self):
        """What the graph calls the row: PyTorch's name where that is shorter than NumPy's."""
        if self.name in _GRAD_NAMES:
            return _GRAD_NAMES[self.name]
        return "".join(part.capitalize() for part in self.name.split("_")) + "Backward"

    @property
    def bind(self):
        """The public call as a function: ``bind(*args, **kwargs) -> (operands, options)``."""
        if self._bind is None:
            operands, _, options = self.signature.partition(";")
            params = operands.replace("*", "") + (", " + options if options.strip() else "")
            taken = f"tuple({self.operands[0]})" if self.variadic else f"({', '.join(self.operands)},)"
            given = ", ".join(f"{name}={name}" for name in self.options)
            try:
                self._bind = eval(f"lambda {params}: ({taken}, dict({given}))")
            except SyntaxError:
                raise ValueError(f"{self.name}: {self.signature!r} is no signature") from None
            self._bind.__name__ = self._bind.__qualname__ = self.name
        return self._bind

    @property
    def text_signature(self):
        """The public call's parameters as text: ``x, axis=None``."""
        if self._bind is None or self._bind.__name__ == self.name:
            return (
                self.signature.replace("*", "", 1).replace(";", ",")
                if self.variadic
                else self.signature.replace(";", ",")
            )
        code, defaults = self._bind.__code__, self._bind.__defaults__ or ()
        count = code.co_argcount
        names = code.co_varnames[: count + code.co_kwonlyargcount]
        parts = list(names[: count - len(defaults)])
        parts += [f"{name}={_shown(value)}" for name, value in zip(names[count - len(defaults) : count], defaults)]
        rest = count + code.co_kwonlyargcount
        if code.co_flags & 0x04:  # CO_VARARGS
            parts.append("*" + code.co_varnames[rest])
        elif code.co_kwonlyargcount:
            parts.append("*")
        given = self._bind.__kwdefaults__ or {}
        parts += [f"{name}={_shown(given[name])}" if name in given else name for name in names[count:]]
        if code.co_flags & 0x08:  # CO_VARKEYWORDS
            parts.append("**" + code.co_varnames[rest + bool(code.co_flags & 0x04)])
        return ", ".join(parts)

    def vjps(self, g, out, operands, options, wanted):
        """The cotangents of the wanted operands (None for the others), as the row's formulas give them."""
        if self.joint:
            grads = self.vjp(g, out, *operands, **options)
            if not isinstance(grads, (tuple, list)):
                raise TypeError(f"{self.name}: a vjp of several operands gives a tuple, not {type(grads).__name__}")
            if len(grads) != len(wanted):
                return grads  # the engine says what is wrong with that
            return [grad if want else None for grad, want in zip(grads, wanted)]
        return [
            formula(g, out, *operands, **options) if want and formula is not None else None
            for formula, want in zip(self.vjp, wanted)
        ]

    def __call__(self, *args, **kwargs):
        if kwargs or self.options or self.variadic or self._bind is not None or len(args) != len(self.operands):
            operands, options = self.bind(*args, **kwargs)
        else:
            operands, options = args, {}
        return self.on(operands, options)

    def on(self, operands, options):
        """The call when every option is given: what it runs on decides who runs it."""
        apply = None
        for value in (*operands, *options["index"]) if self.indexed else operands:
            kind = type(value)
            if hasattr(kind, "_lifts"):  # it stands for many, or carries a tangent: the others cannot know how
                return kind._apply_op(self, operands, options)
            if apply is None:
                apply = getattr(kind, "_apply_op", None)
        if apply is not None:
            return apply(self, operands, options)
        return self.fn(*operands, **options)

    def __repr__(self):
        return f"<operation {self.name}({self.signature})>"


def _shown(default):
    """A default as `inspect` can read it: one that is no literal is shown as an ellipsis."""
    literal = (
        default is None or type(default) in (bool, int, str) or (type(default) is float and default - default == 0)
    )
    return repr(default) if literal or default == () else "..."


def register(name, fn, signature, *, users=False, **row):
    """Make a row and put it in the table (see `Op` for the parameters). A user's may replace one of that name."""
    if name in TABLE and not users:
        raise ValueError(f"an operation named {name!r} is registered already")
    op = Op(name, fn, signature, **row)
    op.users = users
    if users:
        _ = op.bind  # a signature that is none is refused now; fastgrad's own wait, for the sake of the import
    TABLE[name] = op
    return op
