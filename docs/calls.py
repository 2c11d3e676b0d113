"""Sample calls of NumPy's public functions: what docs/optable.py and tests/test_dispatch.py call with Tensors.

In each call the floating arrays are what gradients are asked of. A function that is not here is called with nothing.
"""

import warnings

import numpy as np

#: Results that are whole numbers of a floating dtype, or a step: their gradient is 0.
FLAT = frozenset([
    "floor", "ceil", "rint", "round", "around", "sign", "trunc", "fix", "heaviside", "floor_divide", "spacing",
])  # fmt: skip
#: Results of a floating dtype that tell about no element, or count them: nothing to differentiate.
NO_GRADIENT = frozenset([
    "result_type", "common_type", "histogram", "histogramdd", "histogram2d", "histogram_bin_edges", "zeros_like",
    "ones_like", "empty_like", "full_like", "intersect1d",
])  # fmt: skip
#: Eigenvectors and singular vectors have a phase: which of the results do not.
GAUGE = {"eig": (0,), "eigh": (0,), "svd": (1,), "qr": (1,), "lstsq": (0,)}
#: One triangle is read, and the gradient is symmetric.
SYMMETRIC = ("cholesky", "eigh", "eigvalsh")


class Call:
    """The arguments of one call."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __repr__(self):
        shown = [_shown(a) for a in self.args] + [f"{key}={_shown(a)}" for key, a in self.kwargs.items()]
        return f"({', '.join(shown)})"

    def arrays(self):
        """The floating arrays among the arguments, in order."""
        return list(_arrays((self.args, self.kwargs)))

    def with_arrays(self, values):
        """The arguments with other values in the place of those arrays: ``(args, kwargs)``."""
        values = iter(values)
        return _replaced((self.args, self.kwargs), values)


def flattened(result):
    """The results of a call, nested or not, in a list."""
    if isinstance(result, (tuple, list)):
        return [item for part in result for item in flattened(part)]
    return [result]


def quietly(function, *args, **kwargs):
    """Call it without warnings."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def is_inexact(value):
    """Whether it is an array, or a scalar of NumPy's, of a floating or complex dtype."""
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"


def numeric(loss, arrays):
    """The gradient of `loss`, by central differences; nan in elements that are 0 or nan: there may be a kink."""
    grads = []
    for array in arrays:
        grad = np.zeros(array.shape, array.dtype)
        for place in np.ndindex(array.shape):
            before = array[place]
            if not np.isfinite(before) or before == 0:
                grad[place] = np.nan
                continue
            for unit in (1, 1j) if array.dtype.kind == "c" else (1,):
                ends = []
                for step in (1e-6, -1e-6):
                    array[place] = before + step * unit
                    ends.append(loss())
                    array[place] = before
                grad[place] += (ends[0] - ends[1]) / 2e-6 * unit
        grads.append(grad)
    return grads


def weights_of(what, outs):
    """What to multiply the results with, so that their sum is a loss: numbers that depend on `what` alone."""
    rng = np.random.default_rng(len(what))
    return [rng.normal(size=o.shape) + (1j * rng.normal(size=o.shape) if o.dtype.kind == "c" else 0) for o in outs]


def expected_gradients(what, function, arrays, picked, weights):
    """Numeric gradients, in `arrays`, of the weighted sum of the results whose numbers are `picked`."""

    def loss():
        results = flattened(quietly(function, arrays))
        return sum(np.sum(np.real(np.conj(w) * results[i])) for w, i in zip(weights, picked))

    grads = numeric(loss, arrays)
    if what.partition("(")[0].rpartition(".")[2] in SYMMETRIC:
        grads = [(grad + grad.conj().T) / 2 for grad in grads]
    return grads


def _shown(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return getattr(value, "__name__", None) or repr(value)


def _arrays(value):
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        yield value
    elif type(value) in (tuple, list):
        for item in value:
            yield from _arrays(item)
    elif type(value) is dict:
        for item in value.values():
            yield from _arrays(item)


def _replaced(value, values):
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        return next(values)
    if type(value) in (tuple, list):
        return type(value)(_replaced(item, values) for item in value)
    if type(value) is dict:
        return {key: _replaced(item, values) for key, item in value.items()}
    return value


def _draw(*shape, low=0.25, high=0.95):
    """Values between `low` and `high`, all different, in no order."""
    n = int(np.prod(shape))
    order = np.random.default_rng(n + 10 * len(shape)).permutation(n)
    return (low + (high - low) * (order + 0.5) / max(n, 1) + 0.003 * np.cos(np.arange(n))).reshape(shape)


V, W, U5 = _draw(3), _draw(3)[::-1] + 0.11, _draw(5)
M, N = _draw(2, 3), _draw(2, 3)[::-1] + 0.07
S = _draw(3, 3) + 2 * np.eye(3)
D = S @ S.T
T = _draw(2, 3, 4)
ONE = np.asarray(0.6)
GAPS = np.where(np.arange(6).reshape(2, 3) == 4, np.nan, M)
MASK = np.array([[True, False, True], [False, True, True]])
TRUE = np.array([True, False, True])
INT = np.array([2, 0, 1])
UP = np.array([0.1, 0.4, 0.9])
c = Call
reduce_ = [c(M), c(M, axis=0), c(M, axis=(0, 1), keepdims=True), c(M, -1), c(a=M)]
where_ = [c(M, where=MASK), c(M, axis=1, where=MASK)]
start_ = [c(M, initial=0.5), c(M, axis=0, initial=0.7, where=MASK)]
moment_ = [*reduce_, c(M, dtype=np.float64), *where_]
nan_ = [c(GAPS), c(GAPS, axis=0), c(GAPS, axis=1, keepdims=True)]
run_ = [c(M), c(M, axis=0), c(M, 1), c(V, dtype=np.float64)]
quantile_ = [c(M, 0.3), c(M, [0.2, 0.7], axis=1), c(M, 0.5, axis=0, keepdims=True), c(U5, 0.4, method="nearest")]
percent_ = [c(M, 30), c(M, [20, 70], axis=1), c(U5, 40, method="lower")]
pair_ = [c(V, W), c(M, N)]

#: The calls, by the function's public name.
CALLS = {
    # ---- reductions
    "numpy.sum": [*reduce_, *where_, *start_, c(M, dtype=np.float64)],
    "numpy.prod": [*reduce_, *where_, *start_],
    "numpy.mean": moment_,
    "numpy.max": [*reduce_, *start_], "numpy.amax": [*reduce_, *start_],
    "numpy.min": [*reduce_, c(M, initial=0.5)], "numpy.amin": [*reduce_, c(M, initial=0.5)],
    "numpy.std": [*moment_, c(M, ddof=1), c(M, axis=0, correction=1)],
    "numpy.var": [*moment_, c(M, ddof=1), c(M, axis=0, correction=1)],
    "numpy.ptp": reduce_[:4], "numpy.median": [*reduce_[:3], c(U5), c(T, axis=(0, 2))],
    "numpy.average": [c(M), c(M, axis=1), c(M, axis=0, weights=np.array([0.2, 0.7])), c(V, weights=W, keepdims=True)],
    "numpy.quantile": [*quantile_, c(V, 0.4, weights=INT + 1, method="inverted_cdf")], "numpy.percentile": percent_,
    "numpy.nansum": nan_, "numpy.nanprod": nan_, "numpy.nanmean": nan_, "numpy.nanmax": nan_, "numpy.nanmin": nan_,
    "numpy.nanstd": [*nan_, c(GAPS, ddof=1)], "numpy.nanvar": [*nan_, c(GAPS, ddof=1)], "numpy.nanmedian": nan_,
    "numpy.nanquantile": [c(GAPS, 0.3), c(GAPS, 0.3, axis=1)],
    "numpy.nanpercentile": [c(GAPS, 30), c(GAPS, 30, axis=1)],
    "numpy.all": reduce_[:4], "numpy.any": reduce_[:4], "numpy.argmax": [c(M), c(M, axis=1)],
    "numpy.argmin": [c(M), c(M, axis=1)], "numpy.nanargmax": [c(GAPS), c(GAPS, axis=1)],
    "numpy.nanargmin": [c(GAPS), c(GAPS, axis=1)], "numpy.count_nonzero": [c(M), c(M, axis=0)],
    "numpy.trace": [c(S), c(S, 1), c(T, axis1=1, axis2=2), c(S, dtype=np.float64)],
    "numpy.cov": [c(M), c(M, rowvar=False), c(V, W), c(M, bias=True), c(M, aweights=np.array([0.2, 0.5, 0.3]))],
    "numpy.corrcoef": [c(M), c(V, W)],
    # ---- running
    "numpy.cumsum": run_, "numpy.cumprod": run_,
    "numpy.cumulative_sum": [c(V), c(M, axis=1, include_initial=True)],
    "numpy.cumulative_prod": [c(V), c(M, axis=1, include_initial=True)],
    "numpy.nancumsum": nan_[:2], "numpy.nancumprod": nan_[:2],
    "numpy.diff": [c(V), c(M, axis=0), c(M, 2), c(V, prepend=np.array([0.1])), c(V, append=W)],
    "numpy.ediff1d": [c(V), c(M, to_end=np.array([0.3]), to_begin=np.array([0.2]))],
    "numpy.gradient": [c(U5), c(U5, 0.5), c(_draw(3, 4), axis=1), c(U5, np.cumsum(U5), edge_order=2), c(_draw(3, 3))],
    "numpy.trapezoid": [c(V), c(V, UP), c(M, dx=0.5, axis=0)], "numpy.unwrap": [c(4 * U5), c(9 * M, axis=0)],
    # ---- shapes
    "numpy.reshape": [c(M, (3, 2)), c(M, -1), c(M, (3, 2), order="F"), c(M, shape=(6,))],
    "numpy.ravel": [c(M), c(M, "F"), c(M, order="K"), c(M.T, order="A")],
    "numpy.transpose": [c(M), c(T, (1, 0, 2))], "numpy.permute_dims": [c(M), c(T, (1, 0, 2))],
    "numpy.matrix_transpose": [c(T)], "numpy.swapaxes": [c(T, 0, 2)], "numpy.moveaxis": [c(T, 0, -1)],
    "numpy.rollaxis": [c(T, 2), c(T, 1, 3)], "numpy.expand_dims": [c(M, 1), c(a=M, axis=(0, 2))],
    "numpy.squeeze": [c(M[None]), c(M[None], axis=0)], "numpy.broadcast_to": [c(V, (2, 3))],
    "numpy.broadcast_arrays": [c(V, M), c(ONE, V)], "numpy.atleast_1d": [c(ONE), c(ONE, V)],
    "numpy.atleast_2d": [c(V), c(ONE, V)], "numpy.atleast_3d": [c(V), c(M)],
    "numpy.concatenate": [c([V, W]), c((M, N), axis=1), c([M, V], axis=None), c([V, W], dtype=np.float64)],
    "numpy.concat": [c([V, W]), c((M, N), axis=1)], "numpy.stack": [c([V, W]), c([V, W], axis=-1)],
    "numpy.unstack": [c(M), c(M, axis=1)], "numpy.vstack": [c([V, W]), c([V, W], dtype=np.float64)],
    "numpy.hstack": [c([V, W]), c([M, N])], "numpy.dstack": [c([V, W]), c([M, N])], "numpy.column_stack": [c([V, W])],
    "numpy.block": [c([V, W]), c([[M, N], [N, M]])], "numpy.split": [c(V, 3), c(M, [1], axis=1)],
    "numpy.array_split": [c(U5, 2), c(M, 2, axis=1)], "numpy.hsplit": [c(M, 3)], "numpy.vsplit": [c(M, 2)],
    "numpy.dsplit": [c(T, 2)], "numpy.tile": [c(V, 2), c(M, (2, 1))], "numpy.repeat": [c(V, 2), c(M, [1, 2], axis=0)],
    "numpy.flip": [c(M), c(M, 1), c(m=M, axis=0)], "numpy.fliplr": [c(M)], "numpy.flipud": [c(M)],
    "numpy.roll": [c(V, 1), c(M, (1, 2), axis=(0, 1))], "numpy.rot90": [c(M), c(M, 3)],
    "numpy.diag": [c(V), c(S, 1)], "numpy.diagflat": [c(V), c(M, 1)], "numpy.diagonal": [c(S), c(T, 1, 1, 2)],
    "numpy.tril": [c(S), c(S, 1)], "numpy.triu": [c(S), c(S, k=-1)], "numpy.vander": [c(V), c(V, 2, increasing=True)],
    "numpy.meshgrid": [c(V, U5), c(V, U5, indexing="ij"), c(V, U5, sparse=True)], "numpy.ix_": [c(TRUE, INT)],
    "numpy.pad": [c(V, 2), c(M, ((1, 0), (2, 1)), "edge"), c(M, 1, mode="reflect"), c(V, 1, constant_values=0.5),
                  c(V, 2, "linear_ramp"), c(M, 1, "mean"), c(V, 1, "maximum"), c(V, (2, 1), "symmetric"),
                  c(V, 2, "wrap")],
    "numpy.resize": [c(V, (2, 3)), c(M, 4)], "numpy.append": [c(V, W), c(M, N, axis=0)],
    "numpy.insert": [c(V, 1, np.array([0.3])), c(M, [0, 1], V, axis=0)], "numpy.delete": [c(V, 1), c(M, [0], axis=1)],
    "numpy.trim_zeros": [c(np.array([0.0, 0.4, 0.7, 0.0])), c(np.array([0.0, 0.4, 0.7, 0.0]), "f")],
    "numpy.astype": [c(V, np.float64), c(M, np.complex128)], "numpy.copy": [c(M), c(M, "F")],
    "numpy.real_if_close": [c(V), c(V + 0j)],
    # ---- picking and choosing
    "numpy.take": [c(V, INT), c(M, [1, 0], axis=0), c(V, [0, 4], mode="wrap"), c(M, 1, axis=1)],
    "numpy.take_along_axis": [c(M, np.array([[2, 0], [1, 1]]), 1), c(M, np.array([[0, 1, 1]]), axis=0)],
    "numpy.choose": [c(INT % 2, [V, W])], "numpy.compress": [c(TRUE, V), c(TRUE, M, axis=1)],
    "numpy.extract": [c(TRUE, V), c(MASK, M)], "numpy.select": [c([TRUE, ~TRUE], [V, W]), c([TRUE], [V], 0.5)],
    "numpy.where": [c(TRUE, V, W), c(MASK, M, 0.0)], "numpy.piecewise": [c(V, [V < 0.5, V >= 0.5], [np.exp, 0.5])],
    "numpy.clip": [c(M, 0.4, 0.8), c(M, None, 0.6), c(M, min=0.4), c(M, N, None), c(a=M, a_min=0.4, a_max=0.8)],
    "numpy.sort": [c(M), c(M, axis=0), c(M, None), c(M, kind="stable")], "numpy.sort_complex": [c(V + 0.5j)],
    "numpy.partition": [c(U5, 2), c(M, 1, axis=1)], "numpy.argsort": [c(M), c(M, axis=0)],
    "numpy.argpartition": [c(U5, 2)], "numpy.lexsort": [c((V, W))], "numpy.searchsorted": [c(UP, V)],
    "numpy.digitize": [c(V, UP)], "numpy.nonzero": [c(M)], "numpy.argwhere": [c(M)], "numpy.flatnonzero": [c(M)],
    "numpy.unique": [c(M), c(V, return_inverse=True), c(M, axis=0)], "numpy.unique_values": [c(M)],
    "numpy.unique_all": [c(M)], "numpy.unique_counts": [c(M)], "numpy.unique_inverse": [c(M)],
    "numpy.union1d": [c(V, W)], "numpy.intersect1d": [c(V, V[:2] + 0.0)], "numpy.setdiff1d": [c(V, W)],
    "numpy.setxor1d": [c(V, W)], "numpy.isin": [c(V, W)],
    "numpy.bincount": [c(INT), c(INT, V)],
    "numpy.histogram": [c(V, 3), c(V, UP), c(V, UP, weights=W), c(V, UP, density=True)],
    "numpy.histogram2d": [c(V, W, 2)],
    "numpy.histogramdd": [c(_draw(5, 2), 2)], "numpy.histogram_bin_edges": [c(V, 3)],
    # ---- products
    "numpy.dot": [c(V, W), c(M, V), c(S, S), c(T, V[:1] * np.ones(4)), c(M, 2.0)], "numpy.inner": [c(V, W), c(M, N)],
    "numpy.outer": [c(V, W), c(M, V)], "numpy.vdot": [c(V, W), c(M, N)],
    "numpy.tensordot": [c(M, N, 2), c(T, M, [[1], [1]])],
    "numpy.kron": [c(V, W), c(M, S)], "numpy.cross": [c(V, W), c(M, N)],
    "numpy.einsum": [c("ij,ij->i", M, N), c("ij,j", M, V), c("ii", S), c("...j,j->...", T[..., :3], V),
                     c(M, [0, 1], [1])],
    "numpy.convolve": [c(V, W), c(U5, V, "same"), c(U5, V, mode="valid")],
    "numpy.correlate": [c(V, W), c(U5, V, "same"), c(U5, V, mode="full")],
    "numpy.interp": [c(V, UP, W), c(V, UP, W, left=0.0), c(V, UP, W, period=2.0)],
    "numpy.polyval": [c(V, W), c(V, 0.5)], "numpy.polyfit": [c(UP, V, 1)], "numpy.polyadd": [c(V, W[:2])],
    "numpy.polysub": [c(V, W[:2])], "numpy.polymul": [c(V, W)], "numpy.polydiv": [c(U5, W[:2])],
    "numpy.polyder": [c(V), c(U5, 2)], "numpy.polyint": [c(V), c(V, 2)], "numpy.poly": [c(V), c(S)],
    "numpy.roots": [c(np.array([1.0, -3.2, 2.1, 0.3]))],
    # ---- elementwise that are no ufuncs
    "numpy.angle": [c(V + 0.5j), c(V, deg=True)], "numpy.real": [c(V), c(V + 0.5j)], "numpy.imag": [c(V + 0.5j)],
    "numpy.fix": [c(3 * V)], "numpy.i0": [c(V)], "numpy.sinc": [c(V)], "numpy.nan_to_num": [c(GAPS), c(GAPS, nan=1.5)],
    "numpy.round": [c(V), c(V, 1)], "numpy.around": [c(V), c(V, decimals=1)],
    "numpy.isclose": [c(V, W)], "numpy.iscomplex": [c(V)], "numpy.isreal": [c(V)], "numpy.isneginf": [c(V)],
    "numpy.isposinf": [c(V)],
    # ---- made
    "numpy.linspace": [c(ONE, np.asarray(2.3), 5), c(V, W + 1, 4, axis=1), c(ONE, 1.0, 3, endpoint=False)],
    "numpy.logspace": [c(ONE, np.asarray(2.3), 5), c(V, W, 3, base=2.0)],
    "numpy.geomspace": [c(ONE, np.asarray(2.3), 5)],
    "numpy.full_like": [c(M, 2.0)], "numpy.zeros_like": [c(M)], "numpy.ones_like": [c(M, dtype=int)],
    "numpy.empty_like": [c(M)], "numpy.diag_indices_from": [c(S)], "numpy.tril_indices_from": [c(S)],
    "numpy.triu_indices_from": [c(S)], "numpy.ravel_multi_index": [c((INT, INT), (3, 3))],
    "numpy.unravel_index": [c(INT, (3, 3))], "numpy.packbits": [c(TRUE)],
    "numpy.unpackbits": [c(np.array([7], np.uint8))],
    # ---- functions of functions
    "numpy.apply_along_axis": [c(np.sum, 1, M), c(np.cumsum, 0, M)], "numpy.apply_over_axes": [c(np.sum, T, [0, 2])],
    # ---- about
    **{f"numpy.{name}": [c(M)] for name in ("shape", "ndim", "size", "iscomplexobj", "isrealobj", "array_repr",
                                            "array_str", "array2string", "common_type", "min_scalar_type")},
    **{f"numpy.{name}": [c(M, N)] for name in ("allclose", "array_equal", "array_equiv", "may_share_memory",
                                               "shares_memory", "result_type")},
    "numpy.can_cast": [c(V.dtype, np.float32)], "numpy.einsum_path": [c("ij,j", M, V)],
    # ---- numpy.linalg
    "numpy.linalg.cholesky": [c(D), c(D, upper=True)], "numpy.linalg.cond": [c(S), c(S, 1)],
    "numpy.linalg.cross": [c(V, W)],
    "numpy.linalg.det": [c(S)], "numpy.linalg.diagonal": [c(S), c(T, offset=1)], "numpy.linalg.eigh": [c(D)],
    "numpy.linalg.eigvalsh": [c(D), c(D, "U")], "numpy.linalg.eigvals": [c(S)], "numpy.linalg.eig": [c(S)],
    "numpy.linalg.inv": [c(S)], "numpy.linalg.lstsq": [c(S, V, None), c(_draw(4, 2), _draw(4), rcond=None)],
    "numpy.linalg.matmul": [c(M, S)], "numpy.linalg.matrix_norm": [c(S), c(S, ord=1), c(S, ord="nuc", keepdims=True)],
    "numpy.linalg.matrix_power": [c(S, 3), c(S, -1)], "numpy.linalg.matrix_rank": [c(S)],
    "numpy.linalg.matrix_transpose": [c(T)], "numpy.linalg.multi_dot": [c([M, S, V])],
    "numpy.linalg.norm": [c(V), c(M), c(M, axis=1), c(S, 2), c(S, "nuc"), c(V, 3), c(M, np.inf)],
    "numpy.linalg.outer": [c(V, W)], "numpy.linalg.pinv": [c(S), c(_draw(3, 2))],
    "numpy.linalg.qr": [c(S), c(_draw(4, 3)), c(S, "r")], "numpy.linalg.slogdet": [c(S)],
    "numpy.linalg.solve": [c(S, V), c(S, S)],
    "numpy.linalg.svd": [c(M, False), c(S, compute_uv=False)], "numpy.linalg.svdvals": [c(M)],
    "numpy.linalg.tensordot": [c(M, N, axes=2)],
    "numpy.linalg.tensorinv": [c(np.reshape(_draw(4, 4) + np.eye(4), (2, 2, 4)))],
    "numpy.linalg.tensorsolve": [c(np.reshape(_draw(4, 4) + np.eye(4), (4, 2, 2)), _draw(4))],
    "numpy.linalg.trace": [c(S), c(T, offset=1)], "numpy.linalg.vecdot": [c(M, N)],
    "numpy.linalg.vector_norm": [c(V), c(M, axis=0), c(M, ord=1)],
    # ---- numpy.fft
    **{f"numpy.fft.{name}": [c(U5), c(M, n=4), c(M, axis=0, norm="ortho")]
       for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{f"numpy.fft.{name}": [c(M), c(T, axes=(0, 1), norm="forward")]
       for name in ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "irfft2", "rfftn", "irfftn")},
    "numpy.fft.fftshift": [c(U5), c(M, axes=1)], "numpy.fft.ifftshift": [c(U5), c(M, axes=(0,))],
    # ---- numpy.emath
    **{f"numpy.emath.{name}": [c(V), c(V - 0.6)] for name in ("sqrt", "log", "log2", "log10")},
    **{f"numpy.emath.{name}": [c(V), c(2 * V)] for name in ("arccos", "arcsin", "arctanh")},
    "numpy.emath.logn": [c(2.0, V), c(W + 1.5, V - 0.6)], "numpy.emath.power": [c(V, 3), c(V - 0.6, 0.5)],
    "numpy.lib.stride_tricks.sliding_window_view": [c(U5, 3), c(M, 2, axis=1)],
}  # fmt: skip

#: ufuncs that take integers or bools, and the operands of the others where the interval of V and W is not right.
UFUNCS = {
    "bitwise_and": [c(INT, INT)], "bitwise_or": [c(INT, INT)], "bitwise_xor": [c(INT, INT)], "invert": [c(INT)],
    "bitwise_not": [c(INT)], "bitwise_invert": [c(INT)], "left_shift": [c(INT, INT)], "right_shift": [c(INT, INT)],
    "bitwise_left_shift": [c(INT, INT)], "bitwise_right_shift": [c(INT, INT)], "bitwise_count": [c(INT)],
    "gcd": [c(INT, INT)], "lcm": [c(INT, INT)], "ldexp": [c(V, INT)], "arccosh": [c(V + 1.5)], "acosh": [c(V + 1.5)],
    "floor_divide": [c(5 * V, W)], "remainder": [c(5 * V, W)], "mod": [c(5 * V, W)], "fmod": [c(5 * V, W)],
    "divmod": [c(5 * V, W)], "matmul": [c(M, S), c(V, W)], "vecdot": [c(M, N), c(V, W)], "matvec": [c(M, V)],
    "vecmat": [c(V, S)], "isnat": [c(np.array(["NaT"], "M8[s]"))],
    "power": [c(V, W), c(V, 3), c(V, -0.5)], "pow": [c(V, W), c(V, 3)],
}  # fmt: skip


def ufunc_calls(ufunc):
    """Sample calls of a ufunc of NumPy."""
    return UFUNCS.get(ufunc.__name__) or [c(V) if ufunc.nin == 1 else c(V, W)]


def calls_of(name):
    """Sample calls of a public function of NumPy, by its full name; none where it has none."""
    function = find(name)
    if isinstance(function, np.ufunc):
        return UFUNCS.get(name.rpartition(".")[2]) or ufunc_calls(function)
    return CALLS.get(name, [])


def find(name):
    """The function of that name: ``numpy.linalg.det``."""
    found = np
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


#: Functions that write into their first argument: the arguments after it.
WRITES = {
    "numpy.copyto": [c(M, N), c(M, V), c(M, 0.5, where=MASK), c(M, N, where=MASK)],
    "numpy.place": [c(M, MASK, V)], "numpy.put": [c(V, [0, 2], W[:2]), c(M, [1, 4], 0.5)],
    "numpy.putmask": [c(M, MASK, N), c(V, TRUE, W)], "numpy.fill_diagonal": [c(S, 0.5), c(S, V)],
    "numpy.put_along_axis": [c(M, np.array([[2], [0]]), np.array([[0.3], [0.4]]), 1),
                             c(M, np.array([4, -6]), UP[:2], None)],
}  # fmt: skip

#: Functions that make arrays out of no array: there is nothing to differentiate.
MAKES = frozenset(f"numpy.{name}" for name in (
    "arange", "array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "bartlett",
    "blackman", "broadcast_shapes", "diag_indices", "empty", "eye", "frombuffer", "fromfunction", "fromiter",
    "from_dlpack", "hamming", "hanning", "identity", "indices", "kaiser", "mask_indices", "ones", "require", "tri",
    "tril_indices", "triu_indices", "zeros", "fft.fftfreq", "fft.rfftfreq", "isscalar", "iterable", "isdtype",
    "issubdtype", "promote_types",
))  # fmt: skip

#: Functions about files, text, dates, settings and types, of which nobody asks a gradient: they are not counted.
NOT_COUNTED = frozenset(f"numpy.{name}" for name in (
    "base_repr", "binary_repr", "busday_count", "busday_offset", "datetime_as_string", "datetime_data",
    "format_float_positional", "format_float_scientific", "fromfile", "fromregex", "fromstring", "frompyfunc",
    "genfromtxt", "get_include", "get_printoptions", "getbufsize", "geterr", "geterrcall", "info", "is_busday",
    "in1d", "isfortran", "isnat", "load", "loadtxt", "mintypecode", "nested_iters", "printoptions", "row_stack", "save",
    "savetxt", "savez", "savez_compressed", "set_printoptions", "setbufsize", "seterr", "seterrcall", "show_config",
    "show_runtime", "test", "trapz", "typename",
))  # fmt: skip

#: Functions that could have a gradient and have none here: they raise, because NumPy asks for an ndarray.
UNSUPPORTED = frozenset(f"numpy.{name}" for name in ("asmatrix", "bmat", "full", "lib.stride_tricks.as_strided"))


def public_names():
    """The full name of every public function of NumPy that computes with arrays."""
    homes = {"numpy": np, "numpy.linalg": np.linalg, "numpy.fft": np.fft, "numpy.emath": np.emath,
             "numpy.lib.stride_tricks": np.lib.stride_tricks}  # fmt: skip
    names = []
    for home, module in homes.items():
        for name in sorted(getattr(module, "__all__", dir(module))):
            value = getattr(module, name, None)
            if name.startswith("_") or not callable(value) or isinstance(value, type):
                continue
            if home != "numpy.lib.stride_tricks" or not hasattr(np, name):
                names.append(f"{home}.{name}")
    return [name for name in names if name not in NOT_COUNTED]
