"""Operands for the rows of the table: drawn from a row's own interval, in every layout that memory comes in."""

import warnings
import zlib

import numpy as np

import fastgrad as fg
from fastgrad import _reference as reference
from fastgrad.ops import INTERNAL, TABLE, case, load_all

try:
    from fastgrad import _core as core
except ImportError:
    core = None

#: The backend that `import fastgrad` chose.
active = core if core is not None and isinstance(fg.tensor(0.0), core.Tensor) else reference
COMPILED = active is core
NEEDS_CORE = "no compiled backend to compare with (the extension is not built)"
ONCE = "the same whichever backend is in use: done where the compiled one is"

# fmt: off
DTYPES = [
    "bool", "int8", "uint8", "int16", "int32", "int64", "uint64",
    "float16", "float32", "float64", "longdouble", "complex64", "complex128",
]
# fmt: on

#: Shapes for elementwise rows, by number of operands: equal, broadcast, 0-d and empty.
SHAPES = {
    1: [((),), ((1,),), ((3,),), ((2, 3),), ((0,),), ((2, 0, 3),)],
    2: [((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3)), ((2, 3), ()),
        ((1,), (2, 1, 3)), ((0, 3), (1,)), ((0,), (0,))],
    3: [((), (), ()), ((2, 3),) * 3, ((2, 3), (3,), ()), ((1,), (2, 1), (1, 3)), ((), (2, 3), (3,)), ((0, 3), (3,), ())],
}  # fmt: skip


def seed(*names):
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


def interval(op, i):
    """The interval that operand `i` is drawn from."""
    near = op.near
    return near if not isinstance(near[0], tuple) else near[min(i, len(near) - 1)]


def draw(rng, near, shape, dtype):
    """An array of values well inside `near`; for a complex dtype with an imaginary part of like size."""
    low, high = near
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        low, high = int(np.floor(low)), int(np.ceil(high))
        return np.asarray(rng.integers(max(low, 0) if dtype.kind == "u" else low, max(high, 1) + 1, shape)).astype(
            dtype
        )
    values = rng.uniform(low, high, shape)
    if dtype.kind == "c":
        values = values + 1j * rng.uniform(-0.6, 0.6, shape)
    return np.asarray(values).astype(dtype)


def operand_kinds(op):
    """``T`` or ``?`` (bool) for each operand of an elementwise row."""
    return op.types.partition(">")[0]


def is_shape(operand):
    return isinstance(operand, tuple) and all(isinstance(n, int) for n in operand)


def calls(op, few=False):
    """Sample calls of a row: its own cases, or the elementwise shapes (`few`: enough for gradients)."""
    if op.cases:
        return list(op.cases)
    shapes = SHAPES[len(op.operands)]
    if few:
        shapes = [s for s in shapes if 0 not in {n for shape in s for n in shape}]
        shapes = shapes[:1] + shapes[2:6]
    return [case(*s) for s in shapes]


def operands_of(op, call, dtype, rng):
    """The operands of one call: shapes are drawn, everything else is as the row's author gave it."""
    drawn = []
    for i, operand in enumerate(call.operands):
        if is_shape(operand):
            kind = operand_kinds(op)[i] if op.elementwise and not op.variadic else "T"
            drawn.append(draw(rng, interval(op, i), operand, "bool" if kind == "?" else dtype))
        elif isinstance(operand, np.ndarray) and operand.dtype == np.float64 and np.dtype(dtype).kind in "fc":
            drawn.append(operand.astype(dtype))
        else:
            drawn.append(operand)
    return drawn


def _nested(tree, operands):
    return [_nested(part, operands) for part in tree] if isinstance(tree, list) else operands[tree]


def _selected(operands, count):
    *choices, default = operands[count:]
    return (list(operands[:count]), choices, default), {}


def _pieces(x, *more, count, functions):
    constants = iter(more[count:])
    return (x, list(more[:count]), [next(constants) if f is None else f for f in functions]), {}


#: Rows whose public call is neither their operands one after the other nor a sequence of them.
CALLS = {
    "logspace": lambda operands, options: (operands[:2], {"base": operands[2], **options}),
    "einsum": lambda operands, options: ((options.pop("subscripts"), *operands), options),
    "block": lambda operands, options: ((_nested(options["tree"], operands),), {}),
    "select": lambda operands, options: _selected(operands, options["count"]),
    "choose": lambda operands, options: ((operands[0], list(operands[1:])), options),
    "piecewise": lambda operands, options: _pieces(*operands, **options),
    "insert": lambda operands, options: ((operands[0], options.pop("obj"), operands[1]), options),
    "apply_along_axis": lambda operands, options: ((options["function"], options["axis"], *operands), {}),
    "apply_over_axes": lambda operands, options: ((options["function"], *operands, options["axes"]), {}),
    "lu_solve": lambda operands, options: (((operands[0], options.pop("piv")), operands[1]), options),
}


def arguments(op, operands, options):
    """The public call: rows of any number of operands take one sequence, unless they have a `bind` of their own."""
    if op.name in CALLS:
        return CALLS[op.name](operands, dict(options))
    sequence = op.variadic and op.bind.__name__ == op.name  # the bind that every row has
    return ((tuple(operands),) if sequence else tuple(operands)), options


def apply(op, operands, options, backend=None):
    """The row on ndarrays (the row's own NumPy forward) or, with `backend`, its public function there."""
    function = op if backend is None else backend.bind(op)
    args, options = arguments(op, operands, options)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)  # where the row's cast drops an imaginary part
        return function(*args, **options)


def tensors(operands, backend=None, requires_grad=False):
    """ndarrays as Tensors over the same memory (so that their layout is tested), everything else as it is."""
    backend = backend or active
    made = [backend.asarray(a) if isinstance(a, np.ndarray) else a for a in operands]
    if requires_grad:
        for t in made:
            if isinstance(t, backend.Tensor) and t.dtype.kind in "fc":
                t.requires_grad_()
    return made


#: Rows whose complex results have phases that are anybody's guess.
PHASES = {"eigh", "eig", "svd"}


def accepts(op, call, dtype):
    """Whether NumPy has this call for the dtype at all, and the result is defined: complex eigenvectors are not."""
    if op.name in PHASES and np.dtype(dtype).kind == "c":
        return False
    try:
        apply(op, operands_of(op, call, dtype, np.random.default_rng(0)), call.options)
    except TypeError:
        return False
    return True


# ---------------------------------------------------------------- layouts


def _strided(a):
    wide = np.empty((*a.shape[:-1], a.shape[-1] * 3 + 1), a.dtype)
    view = wide[..., 1 : 1 + 3 * a.shape[-1] : 3]
    view[...] = a
    return view


def _unaligned(a):
    raw = np.empty(a.nbytes + 1, np.uint8)
    view = raw[1 : 1 + a.nbytes].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


#: Each gives an array of the same values and shape (`spread`: of the values of one row) in another layout.
LAYOUTS = {
    "strided": _strided,
    "reversed": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "all reversed": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "spread": lambda a: np.broadcast_to(a[:1], a.shape),
    "spread inside": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": _unaligned,
    "read-only": _read_only,
    "offset": lambda a: np.concatenate([a[:1], a])[1:],
}


# ---------------------------------------------------------------- comparing


#: NumPy's functions whose last bits are fastgrad's own: their docstrings say so. test_elementary.py says how many.
OWN_BITS = {"cos", "sin", "sinc", "logaddexp", "power"}


def same_bits(found, expected, what, units=0):
    """Same dtype, shape and bits (NaN is NaN: its payload is the processor's business), but for so many of the last."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype, f"{what}: dtype {found.dtype}, NumPy gives {expected.dtype}"
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, NumPy gives {expected.shape}"
    if found.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, expected, err_msg=what)
        return
    for part in ("real", "imag") if found.dtype.kind == "c" else ("real",):
        a, b = getattr(found, part), getattr(expected, part)
        equal = ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))
        if units:
            equal |= np.isclose(a, b, rtol=units * np.finfo(a.dtype).eps, atol=units * np.finfo(a.dtype).eps)
        assert equal.all(), f"{what}: {found!r} is not bit for bit {expected!r}"


_ERRORS = (TypeError, ValueError, IndexError, OverflowError, ZeroDivisionError, RuntimeError, NotImplementedError)


def error_kinds(error):
    return {kind.__name__ for kind in _ERRORS if isinstance(error, kind)} or {type(error).__name__}


def attempt(function):
    """(result, None), or (None, the exception)."""
    try:
        return function(), None
    except Exception as error:
        return None, error


def as_arrays(result):
    """The results of a row as a list of ndarrays, from either world."""
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in as_arrays(part)]
    return [result.detach().numpy() if hasattr(result, "detach") else np.asarray(result)]


def assert_same_outcome(expected, found, what, units=0):
    """Two results of `attempt`: the same bits (see `same_bits`), or the same kind of exception."""
    (wanted, error), (got, failure) = expected, found
    if error is not None:
        assert failure is not None, f"{what}: NumPy raises {error!r}, fastgrad gives {got!r}"
        assert error_kinds(failure) == error_kinds(error), f"{what}: {failure!r} instead of {error!r}"
        return
    if failure is not None:
        raise AssertionError(f"{what}: raised {failure!r}, NumPy gives {wanted!r}") from failure
    got, wanted = as_arrays(got), as_arrays(wanted)
    assert len(got) == len(wanted), f"{what}: {len(got)} results instead of {len(wanted)}"
    for a, b in zip(got, wanted):
        same_bits(a, b, what, units)


#: Rows that read one triangle of a symmetric or Hermitian operand, and whose gradient is spread over both.
SYMMETRIC = {"cholesky", "eigh", "eigvalsh"}


def as_read(op, operands):
    """The operands, a symmetric one as the mean of itself and its adjoint: what its gradient is that of."""
    if op.name not in SYMMETRIC:
        return operands
    (a,) = operands
    return [(a + np.conj(np.swapaxes(a, -1, -2))) / 2]


#: Where the functions are whose names rows have.
NAMESPACES = {"fastgrad": np, "fastgrad.linalg": np.linalg, "fastgrad.fft": np.fft}


def numpy_function(name):
    """NumPy's function of a row's name, or None."""
    namespace = NAMESPACES.get(TABLE[name].module)
    return None if name in INTERNAL else getattr(namespace, name, None)


ROWS = list(load_all())
ELEMENTWISE = [name for name, op in TABLE.items() if op.elementwise]
