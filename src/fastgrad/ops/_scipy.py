"""Rows whose loops are SciPy's, which is imported when one of them is first used.

Without SciPy a row has the NumPy fallback that it was given, or raises ImportError.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import partial

import numpy as np

from ._batch import ranked
from ._curve import curve as _curve
from ._row import TABLE, Op, register
from .elementwise import trunc, where

MODULE = "fastgrad.special"
_REAL = np.dtype(float)


def ufunc(name):
    """SciPy's function of that name: the ufunc itself, even where SciPy's public one dispatches to other arrays."""
    try:
        from scipy.special import _ufuncs
    except ImportError as error:
        raise ImportError(f"special.{name} is computed by SciPy, which is not here: pip install scipy") from error
    import scipy.special as special

    return getattr(_ufuncs, name, None) or getattr(special, name)


class SciPyOp(Op):
    """An elementwise row whose `fn` is a ufunc of SciPy, found when first wanted; `fallback` serves without SciPy."""

    __slots__ = ("_fn", "_found", "ufunc")

    def __init__(self, name, signature, *, ufunc=None, fallback=None, **row):
        self._found = True
        self.ufunc = ufunc or name
        super().__init__(name, fallback or by(self.ufunc), signature, module=MODULE, **row)
        self.elementwise, self._found = True, False

    @property
    def fn(self):
        if not self._found:
            with suppress(ImportError):  # then it is the fallback, or the call that says what is missing
                self._fn = ufunc(self.ufunc)
            self._found = True
        return self._fn

    @fn.setter
    def fn(self, function):
        self._fn = function


def curve(name, function, fallback=None):
    """The forward of a row with a loop of csrc (see `_elementary.curve`): other dtypes are SciPy's, or the fallback's."""

    def general(*operands):
        try:
            other = ufunc(name)
        except ImportError:
            if fallback is None:
                raise
            other = fallback
        return other(*operands)

    return _curve(function, general)


def by(name):
    """A function that finds SciPy's of that name when it is called."""
    return partial(_call, name)


def _call(name, *operands, **options):
    return ufunc(name)(*operands, **options)


def _not_known(name, operand, g, out, *operands, **options):
    raise NotImplementedError(
        f"special.{name}: the derivative with respect to {operand} is not implemented; detach it, if it is a constant"
    )


def elementwise(name, signature, **row):
    """Make a row by a ufunc of SciPy, and put it in the table (see `SciPyOp`)."""
    if name in TABLE:
        raise ValueError(f"an operation named {name!r} is registered already")
    op = TABLE[name] = SciPyOp(name, signature, **row)
    return op


def broadcast(name):
    """The batching rule of a structural row that broadcasts its operands as a ufunc does."""

    def batch(many, *operands, **options):
        ndim = max(np.ndim(x) - is_many for x, is_many in zip(operands, many))
        operands = [ranked(x, ndim) if is_many else x for x, is_many in zip(operands, many)]
        return TABLE[name].on(tuple(operands), options)

    return batch


def structural(name, fn, signature, *, vjp, **row):
    """A row by a function of SciPy that is not simply elementwise.

    Where a formula is None, the derivative in that operand is not known: asking for it raises NotImplementedError.
    """
    operands = [part.strip() for part in signature.partition(";")[0].split(",")]
    formulas = vjp if isinstance(vjp, tuple) else (vjp,)
    formulas = tuple(formula or partial(_not_known, name, operand) for operand, formula in zip(operands, formulas))
    row = {"saves": "out, " + ", ".join(operands), "batch": broadcast(name), "module": MODULE, **row}
    return register(name, fn, signature, vjp=formulas, **row)


def parametric(name, signature, *, vjp, ufunc=None, **row):
    """A structural row by a ufunc with parameters, in which no derivative is known (see `structural`)."""
    vjp = tuple(formula and defined(formula) for formula in vjp)
    return structural(name, by(ufunc or name), signature, vjp=vjp, **row)


def defined(formula):
    """The formula, and nan where the function is nan: of where that ends, a formula need not know."""

    def guarded(g, out, *operands, **options):
        slope = formula(g, out, *operands, **options)
        if getattr(out, "dtype", _REAL).kind == "c":  # these end nowhere
            return slope
        return slope * where(out == out, 1.0, math.nan)

    return guarded


def whole(n):
    """An order as SciPy's functions of whole orders take it: without what is behind the point."""
    if type(n) is float:
        return math.modf(n)[1]
    return n if type(n) in (bool, int) or n.dtype.kind in "biu" else trunc(n)


# ---------------------------------------------------------------- without SciPy


def plain(function):
    """A NumPy expression as the fallback of a ufunc of SciPy: float32 for narrow floats, else float64; no complex."""

    def fallback(*operands):
        arrays = [np.asarray(x) for x in operands]
        weak = [x if type(x) in (bool, int, float) else a for x, a in zip(operands, arrays)]
        dtype = np.result_type(*weak)
        if dtype.kind not in "fiub" or dtype.itemsize > 8:
            raise TypeError(f"without SciPy there is no such function of {dtype}: pip install scipy")
        single = dtype.kind == "f" and dtype.itemsize < 8
        with np.errstate(all="ignore"):
            out = function(*[a.astype(float) for a in arrays])
        return np.asarray(out).astype(np.float32 if single else np.float64)[()]

    return fallback


def each(function):
    """A function of `math` as the fallback, element by element; where it has no value, nan."""

    def value(x):
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return plain(lambda x: np.array([value(v) for v in x.ravel().tolist()]).reshape(x.shape))


def gammaln(x):
    """log(abs(gamma(x))), by `math`."""

    def value(v):
        return math.inf if v <= 0 and v == math.floor(v) else math.lgamma(v)

    return each(value)(x)


#: Bernoulli's numbers B_2, B_4, ... B_24.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
              854513 / 138, -236364091 / 2730)  # fmt: skip
_FAR = 12  # where the asymptotic series are used: their terms are below a rounding by then


def digamma(x):
    """Moved up to where the asymptotic series holds, and reflected below 0 (Abramowitz and Stegun, 6.3.6 to 6.3.18)."""

    def compute(x):
        reflected = x < 0
        y = np.where(reflected, 1 - x, x)
        below = np.zeros(y.shape)
        for _ in range(_FAR):
            small = y < _FAR
            below = below + np.where(small, 1 / y, 0.0)
            y = np.where(small, y + 1, y)
        tail = np.log(y) - 0.5 / y
        for k, b in enumerate(_BERNOULLI, 1):
            tail = tail - b / (2 * k * y ** (2 * k))
        turn = np.remainder(x, 1.0)
        out = tail - below - np.where(reflected, np.pi / np.tan(np.pi * turn), 0.0)
        out = np.where(reflected & (turn == 0), np.nan, out)
        return np.where(x == np.inf, np.inf, np.where(x == 0, np.copysign(np.inf, -x), out))

    return plain(compute)(x)


def hurwitz(s, q):
    """Hurwitz' zeta function of integers s > 1 and complex q, by Euler and Maclaurin's sum (DLMF 25.11.28)."""
    s, q = np.broadcast_arrays(np.asarray(s, float), np.asarray(q))
    with np.errstate(all="ignore"):
        y = q + (0j if q.dtype.kind == "c" else 0.0)
        least = np.min(np.nan_to_num(y.real, posinf=0, neginf=0), initial=0.0)
        total = np.zeros(y.shape, y.dtype)
        for _ in range(_FAR + min(int(-np.floor(least)), 1_000_000)):
            small = y.real < _FAR
            total = total + np.where(small, y**-s, 0.0)
            y = np.where(small, y + 1, y)
        out = total + y ** (1 - s) / (s - 1) + 0.5 * y**-s
        term = s * y ** (-s - 1)
        for k, b in enumerate(_BERNOULLI, 1):
            out = out + b / math.factorial(2 * k) * term
            term = term * (s + 2 * k - 1) * (s + 2 * k) / (y * y)
        return np.where((q.imag == 0) & (q.real <= 0) & (q.real == np.floor(q.real)), np.inf, out)
