"""Write docs/optable.md: which public functions are differentiable, here and in other libraries.

python docs/optable.py --peers     ask autograd and PyTorch, where they are installed, and keep what they answer

Every answer is that of sample calls (docs/calls.py): a function is differentiable where the gradient that comes back is
the numeric one. docs/generate.py writes the page; other libraries are not needed for that.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from textwrap import fill

import calls
import numpy as np
from calls import flattened, is_inexact, quietly

PAGE = Path(__file__).with_name("optable.md")
PEERS = Path(__file__).with_name("optable_peers.json")
HEAD = """\
# What is differentiable

<!-- Written by docs/optable.py, which docs/generate.py runs; do not edit. -->

Every public function of NumPy that computes with arrays, of the array API standard 2024.12, and the special functions.
Each was called with sample arguments; *differentiable* is what gave the numeric gradient. A function without a gradient
*by nature* answers with whole numbers, truth values, shapes or counts, or takes no array. *Not supported* raises: no
function drops a graph in silence.

"""
WORDS = {"yes": "yes", "part": "in part", "zero": "yes: 0", "nature": "none by nature", "no": "**no**"}
PEER_WORDS = {"yes": "yes", "part": "in part", "wrong": "**wrong**", "no": "no", "": ""}

#: The array API standard 2024.12, beside what NumPy has under the same name.
STANDARD = {
    "": """abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2 atanh
        bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor
        broadcast_arrays broadcast_to can_cast ceil clip concat conj copysign cos cosh count_nonzero
        cumulative_prod cumulative_sum diff divide empty empty_like equal exp expand_dims expm1 eye finfo flip
        floor floor_divide from_dlpack full full_like greater greater_equal hypot iinfo imag isdtype isfinite
        isinf isnan less less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not logical_or
        logical_xor matmul matrix_transpose max maximum mean meshgrid min minimum moveaxis multiply negative
        nextafter nonzero not_equal ones ones_like permute_dims positive pow prod real reciprocal remainder
        repeat reshape result_type roll round searchsorted sign signbit sin sinh sort sqrt square squeeze stack
        std subtract sum take take_along_axis tan tanh tensordot tile tril triu trunc unique_all unique_counts
        unique_inverse unique_values unstack var vecdot where zeros zeros_like""",
    "linalg.": """cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank
        matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm""",
    "fft.": """fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn""",
}  # fmt: skip
_ABOUT_DTYPES = {"finfo", "iinfo", "isdtype", "can_cast", "result_type", "astype"}


# ---------------------------------------------------------------- fastgrad --


def ours(name):
    """What fastgrad makes of NumPy's function of that name: one of WORDS."""
    if name in calls.UNSUPPORTED:
        return "no"
    if name in calls.MAKES:
        return "nature"
    if name in calls.WRITES:
        return _answer(name, calls.find(name), [_written(calls.find(name), c) for c in calls.WRITES[name]])
    function = calls.find(name)
    return _answer(name, function, [(function, c) for c in calls.calls_of(name)])


def _written(function, call):
    """A function that writes, as one that gives what it has written."""

    def written(target, *args, **kwargs):
        target = target * 1.0
        function(target, *args, **kwargs)
        return target

    return written, call


def _answer(name, function, pairs):
    import fastgrad as fg

    key, words = name.rpartition(".")[2], set()
    for run, call in pairs:
        leaves = [fg.asarray(np.array(a), requires_grad=True) for a in call.arrays()]
        args, kwargs = call.with_arrays(leaves)
        try:
            results = flattened(quietly(run, *args, **kwargs))
        except (TypeError, RuntimeError, ValueError, NotImplementedError, AttributeError):
            words.add("no" if leaves else "nature")
            continue
        if any(isinstance(result, fg.Tensor) and result.requires_grad for result in results):
            words.add("zero" if key in calls.FLAT else "yes")
        else:
            words.add("nature")
    if name.startswith("numpy.") and {"yes", "no"} <= words:
        return "part"
    return next(word for word in ("yes", "zero", "no", "nature") if word in words)


def ours_of_standard(name):
    """The same for the standard's function of that name, called from fastgrad."""
    short = name.rpartition(".")[2]
    if short in _ABOUT_DTYPES - {"astype"} or f"numpy.{name}" in calls.MAKES | {"numpy.full"}:
        return "nature" if hasattr(_home("fastgrad", name), short) else "no"
    function = getattr(_home("fastgrad", name), short, None)
    if function is None:
        return "no"
    numpys = name if _has_numpy(name) else short
    return _answer(name, function, [(function, c) for c in calls.calls_of(f"numpy.{numpys}")])


def _home(package, name):
    return import_module(".".join([package, *name.split(".")[:-1]]))


def _has_numpy(name):
    try:
        return bool(calls.calls_of(f"numpy.{name}"))
    except AttributeError:
        return False


def special_functions():
    """The special functions, each with what its row says of a gradient."""
    import fastgrad as fg
    from fastgrad.ops import load_all

    table = load_all()
    for name in sorted(fg.special.__all__):
        function = getattr(fg.special, name)
        op = table.get(getattr(function, "__name__", name)) or table.get(name)
        yield f"scipy.special.{name}", "yes" if op is not None and op.differentiable else "nature"


# ---------------------------------------------------------------- the page --


def sections():
    """Of each part of the page: its title, and pairs of a function and what fastgrad makes of it."""
    homes = {"numpy": "NumPy", "numpy.linalg": "numpy.linalg", "numpy.fft": "numpy.fft", "numpy.emath": "numpy.emath",
             "numpy.lib.stride_tricks": "numpy.lib.stride_tricks"}  # fmt: skip
    names = calls.public_names()
    for home, title in homes.items():
        yield title, [(name, ours(name)) for name in names if name.rpartition(".")[0] == home]
    standard = [home + name for home, listed in STANDARD.items() for name in listed.split()]
    yield "array API standard 2024.12", [(f"xp.{name}", ours_of_standard(name)) for name in standard]
    yield "special functions", list(special_functions())


def page():
    """The text of the page; with another NumPy than the one that it was written for, what is there."""
    peers = json.loads(PEERS.read_text(encoding="utf-8")) if PEERS.exists() else {}
    if PAGE.exists() and peers.get("versions", {}).get("numpy") != _numpy_version():
        return PAGE.read_text(encoding="utf-8")
    parts = list(sections())
    lines = [
        HEAD + "| | functions | differentiable | no gradient by nature | not supported | of what could be |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for title, rows in parts:
        words = [word for _, word in rows]
        yes, no = sum(word in ("yes", "part", "zero") for word in words), words.count("no")
        share = f"{100 * yes / (yes + no):.1f} %" if yes + no else ""
        lines.append(f"| {title} | {len(rows)} | {yes} | {words.count('nature')} | {no} | {share} |")
    lines += ["", _peer_counts(parts, peers)]
    for title, rows in parts:
        lines += ["", f"## {title}", "", "| function | fastgrad | autograd | PyTorch |", "| --- | --- | --- | --- |"]
        for name, word in rows:
            others = peers.get(_peer_name(name), {})
            shown = [PEER_WORDS[others.get(peer, "")] if word != "nature" else "" for peer in ("autograd", "torch")]
            lines.append(f"| `{name}` | {WORDS[word]} | {shown[0]} | {shown[1]} |")
    return "\n".join(lines) + "\n"


def _numpy_version():
    return ".".join(np.__version__.split(".")[:2])


def _peer_name(name):
    """The standard's functions are asked under NumPy's name."""
    return name.replace("xp.", "numpy.", 1)


def _peer_counts(parts, peers):
    asked = [name for _, rows in parts for name, word in rows if word != "nature" and name.startswith("numpy")]
    words = {peer: [peers.get(name, {}).get(peer, "") for name in asked] for peer in ("autograd", "torch")}
    versions = peers.get("versions", {})
    autograd, torch = words["autograd"], words["torch"]
    text = (
        f"Of the {len(asked)} functions of NumPy that could have a gradient, autograd {versions.get('autograd')} gives "
        f"the right one for {autograd.count('yes')}, for {autograd.count('part')} more in some forms of the call "
        f"alone, and for {autograd.count('wrong')} in some form a wrong one. PyTorch {versions.get('torch')} gives it "
        f"for {torch.count('yes')}, by its own names and arguments. They were asked with the same sample calls. "
        "*Wrong* is a gradient that is not the numeric one, and no error."
    )
    return fill(text, 120)


# ---------------------------------------------------------------- other libraries --

TORCH_NAMES = {
    "absolute": "abs", "fabs": "abs", "max": "amax", "min": "amin", "permute_dims": "permute", "transpose": "permute",
    "expand_dims": "unsqueeze", "power": "pow", "float_power": "float_power", "conjugate": "conj", "around": "round",
    "invert": "bitwise_not", "cumulative_sum": "cumsum", "cumulative_prod": "cumprod", "degrees": "rad2deg",
    "radians": "deg2rad", "flip": "flip", "nanmax": "", "nanmin": "", "take": "", "repeat": "repeat_interleave",
    "concatenate": "concatenate", "fix": "fix", "rint": "round", "interp": "", "convolve": "", "trapezoid": "trapezoid",
    "matvec": "mv", "copy": "clone", "astype": "", "extract": "", "compress": "", "array_split": "tensor_split",
    "trace": "trace", "cross": "linalg.cross", "vecdot": "linalg.vecdot", "matrix_transpose": "adjoint", "sinc": "sinc",
    "i0": "i0", "rot90": "rot90", "partition": "", "percentile": "",
}  # fmt: skip
TORCH_KWARGS = {"axis": "dim", "keepdims": "keepdim", "ddof": "correction", "initial": "initial"}

#: Calls that PyTorch spells in another way than by those names.
TORCH_CALLS = {
    "numpy.fill_diagonal": lambda torch, x, v: torch.diagonal(x.clone()).copy_(v),
    "numpy.transpose": lambda torch, x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1]),
    "numpy.permute_dims": lambda torch, x, axes=None: x.permute(axes or tuple(range(x.ndim))[::-1]),
    "numpy.ptp": lambda torch, x, axis=None, keepdims=False: torch.amax(x, axis or (), keepdims)
    - torch.amin(x, axis or (), keepdims),
    "numpy.expand_dims": lambda torch, a, axis: a.unsqueeze(axis),
    "numpy.flip": lambda torch, m, axis=None: torch.flip(m, (axis,) if axis is not None else tuple(range(m.ndim))),
    "numpy.astype": lambda torch, x, dtype: x.to(getattr(torch, np.dtype(dtype).name)),
    "numpy.take": lambda torch, a, indices, axis=0: torch.index_select(a, axis, torch.as_tensor(indices)),
    "numpy.partition": lambda torch, a, kth, axis=-1: torch.sort(a, dim=axis).values,
    "numpy.sort": lambda torch, a, axis=-1: torch.sort(a, dim=axis).values,
    "numpy.extract": lambda torch, mask, x: x[torch.as_tensor(mask)],
    "numpy.compress": lambda torch, mask, x, axis=0: x.index_select(axis, torch.as_tensor(np.flatnonzero(mask))),
    "numpy.round": lambda torch, x, decimals=0: torch.round(x, decimals=decimals),
    "numpy.around": lambda torch, x, decimals=0: torch.round(x, decimals=decimals),
    "numpy.take_along_axis": lambda torch, x, i, axis: torch.take_along_dim(x, torch.as_tensor(i), axis),
    "numpy.median": lambda torch, x, axis=None, keepdims=False: torch.quantile(x, 0.5, dim=axis, keepdim=keepdims),
    "numpy.reshape": lambda torch, x, shape: x.reshape(shape),
    "numpy.where": lambda torch, c, x, y: torch.where(torch.as_tensor(c), x, y),
    "numpy.select": lambda torch, cs, xs, default=0: torch.where(torch.as_tensor(cs[0]), xs[0], default),
    "numpy.unstack": lambda torch, x, axis=0: torch.unbind(x, axis),
    "numpy.split": lambda torch, x, n, axis=0: torch.tensor_split(x, n, axis),
    "numpy.percentile": lambda torch, x, q, axis=None, keepdims=False: torch.quantile(x, q / 100, dim=axis),
    "numpy.vecmat": lambda torch, x, m: m.mT @ x,
    "numpy.piecewise": lambda torch, x, conditions, functions: torch.where(x < 0.5, torch.exp(x), 0.5),
    "numpy.nan_to_num": lambda torch, x, nan=0.0: torch.nan_to_num(x, nan),
    "numpy.matrix_transpose": lambda torch, x: x.mT, "numpy.linalg.matrix_transpose": lambda torch, x: x.mT,
    "numpy.linalg.svd": lambda torch, a, full_matrices=True, compute_uv=True: torch.linalg.svd(a, full_matrices)
    if compute_uv else torch.linalg.svdvals(a),
    "numpy.lib.stride_tricks.sliding_window_view": lambda torch, x, n, axis=0: x.unfold(axis, n, 1),
    "numpy.append": lambda torch, x, y, axis=None: torch.cat([x, y]) if axis is None else torch.cat([x, y], axis),
    "numpy.copyto": lambda torch, x, y, where=None: x.clone().copy_(y),
    "numpy.put": lambda torch, x, i, y: x.clone().put_(torch.as_tensor(i), y),
    "numpy.putmask": lambda torch, x, mask, y: torch.where(torch.as_tensor(mask), y, x),
    "numpy.place": lambda torch, x, mask, y: x.clone().masked_scatter_(torch.as_tensor(mask), y),
    "numpy.put_along_axis": lambda torch, x, i, y, axis: x.clone().scatter_(axis, torch.as_tensor(i), y),
    "numpy.linalg.outer": lambda torch, x, y: torch.outer(x, y),
    "numpy.linalg.tensordot": lambda torch, x, y, axes=2: torch.tensordot(x, y, axes),
    "numpy.linalg.trace": lambda torch, x, offset=0: x.diagonal(offset, -2, -1).sum(-1),
}  # fmt: skip


def ask(name):
    """What the other libraries make of NumPy's function `name`: ``{"autograd": word, "torch": word}``."""
    if name in calls.WRITES:
        pairs = [(_numpys_written(calls.find(name)), c) for c in calls.WRITES[name]]
        return {"autograd": "no", "torch": _word([_try_torch(name, f, c) for f, c in pairs], True)}
    pairs = [(calls.find(name), c) for c in calls.calls_of(name)]
    return {
        "autograd": _word([_try_autograd(name, f, c) for f, c in pairs]),
        "torch": _word([_try_torch(name, f, c) for f, c in pairs], True),
    }


def _numpys_written(function):
    def written(target, *args, **kwargs):
        target = target.copy()
        function(target, *args, **kwargs)
        return target

    return written


def _word(answers, any_form=False):
    """One word of the answers of all forms; `any_form`: where calls have other forms, one that is right will do."""
    answers = [answer for answer in answers if answer is not None]
    if "wrong" in answers:
        return "wrong"
    if "yes" not in answers:
        return "no"
    return "yes" if any_form or "no" not in answers else "part"


def _wanted(name, function, call):
    """What a call's gradient is: results to take, weights and numeric gradients; None where there is none."""
    arrays = [np.array(a) for a in call.arrays()]
    args, kwargs = call.with_arrays(arrays)
    results = flattened(quietly(function, *args, **kwargs))
    picked = [i for i, result in enumerate(results) if is_inexact(result)]
    key = name.rpartition(".")[2]
    if not picked or not arrays or key in calls.NO_GRADIENT | calls.FLAT or name in calls.MAKES:
        return None
    picked = [i for i in picked if i in calls.GAUGE.get(key, picked)] if len(results) > 1 else picked
    what = f"{name}{call}"
    weights = calls.weights_of(what, [np.asarray(results[i]) for i in picked])

    def run(values):
        args, kwargs = call.with_arrays(values)
        return function(*args, **kwargs)

    return picked, weights, calls.expected_gradients(what, run, arrays, picked, weights)


def _agree(found, wanted):
    for grad, right in zip(found, wanted):
        there = np.isfinite(right)
        grad = np.zeros(right.shape) if grad is None else np.asarray(grad)
        if grad.shape != right.shape or not np.allclose(grad[there], right[there], rtol=1e-3, atol=1e-5):
            return False
    return True


def _try_autograd(name, function, call):
    import autograd
    import autograd.numpy as anp

    asked = _wanted(name, function, call)
    if asked is None:
        return None
    picked, weights, wanted = asked
    theirs = anp
    try:
        for part in name.split(".")[1:]:
            theirs = getattr(theirs, part)

        def loss(values):
            args, kwargs = call.with_arrays(list(values))
            results = flattened(theirs(*args, **kwargs))
            return sum(anp.sum(anp.real(np.conj(w) * results[i])) for w, i in zip(weights, picked))

        found = quietly(autograd.grad(loss), tuple(np.array(a) for a in call.arrays()))
    except Exception:
        return "no"
    found = [np.conj(g) if np.iscomplexobj(g) else g for g in found]
    return "yes" if _agree(found, wanted) else "wrong"


def _try_torch(name, function, call):
    import torch

    asked = _wanted(name, function, call)
    if asked is None:
        return None
    picked, weights, wanted = asked
    theirs = _torch_function(torch, name)
    if theirs is None:
        return "no"
    leaves = [torch.tensor(np.array(a), requires_grad=True) for a in call.arrays()]
    args, kwargs = call.with_arrays(leaves)
    args = [torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    if name not in TORCH_CALLS:
        kwargs = {TORCH_KWARGS.get(key, key): value for key, value in kwargs.items() if key != "dtype"}
    try:
        results = flattened(quietly(theirs, *args, **kwargs))
        loss = sum(torch.sum(torch.real(torch.as_tensor(np.conj(w)) * results[i])) for w, i in zip(weights, picked))
        value = float(loss.detach())
        loss.backward()
    except Exception:
        return "no"
    args, kwargs = call.with_arrays([np.array(a) for a in call.arrays()])
    expected = flattened(quietly(function, *args, **kwargs))
    right = sum(np.sum(np.real(np.conj(w) * expected[i])) for w, i in zip(weights, picked))
    if not np.allclose(value, right, rtol=1e-6):
        return "no"  # another function of that name
    found = [None if leaf.grad is None else leaf.grad.resolve_conj().numpy() for leaf in leaves]
    return "yes" if _agree(found, wanted) else "wrong"


def _torch_function(torch, name):
    if name in TORCH_CALLS:
        return lambda *args, **kwargs: TORCH_CALLS[name](torch, *args, **kwargs)
    short, home = name.rpartition(".")[2], name.split(".")[1:-1]
    if home not in ([], ["linalg"], ["fft"]):
        return None
    short = TORCH_NAMES.get(short, short) if not home else short
    theirs = torch
    for part in [*home, *short.split(".")]:
        theirs = getattr(theirs, part, None)
    if theirs is None and not home:
        theirs = getattr(torch.special, short, None) if short else None
    return theirs if callable(theirs) else None


def ask_special(name):
    """The same for a special function: whether they have one of that name, with a gradient."""
    import autograd.scipy.special as autograds
    import torch

    short = name.rpartition(".")[2]
    names = {"gammaln": "gammaln", "beta": "", "ive": "", "logsumexp": "logsumexp", "psi": "psi"}
    found = getattr(torch.special, names.get(short, short), None) if names.get(short, short) else None
    has = hasattr(autograds, short) and hasattr(getattr(autograds, short), "fun")
    return {"autograd": "yes" if has else "no", "torch": "yes" if found is not None and _has_gradient(found) else "no"}


def _has_gradient(function):
    import torch

    for count in (1, 2):
        leaves = [torch.tensor([0.4, 0.6], dtype=torch.float64, requires_grad=True) for _ in range(count)]
        for last in ((), (0,)):
            try:
                function(*leaves, *last).sum().backward()
            except Exception:
                continue
            return all(leaf.grad is not None for leaf in leaves)
    return False


def write_peers():
    """Ask the other libraries about every function."""
    from importlib.metadata import version

    import torch

    torchs = torch.__version__.partition("+")[0]
    found = {"versions": {"numpy": _numpy_version(), "autograd": version("autograd"), "torch": torchs}}
    for name in calls.public_names():
        if name not in calls.MAKES | calls.UNSUPPORTED:
            found[name] = ask(name)
    for name, _ in special_functions():
        found[name] = ask_special(name)
    lines = [f"  {json.dumps(name)}: {json.dumps(words)}" for name, words in found.items()]
    PEERS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ["FASTGRAD_BACKEND"] = "reference"
    if "--peers" in sys.argv[1:]:
        write_peers()
    PAGE.write_text(page(), encoding="utf-8")
