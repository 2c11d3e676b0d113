"""What a worker runs: for a job a statement for ``timeit``, its names, the results to compare; and what it counts."""

import gc
import sys
import time

import numpy as np

from . import _graphs
from ._operations import CHAINS, OPERATIONS
from ._peers import NotOffered

_POOL: dict[int, np.ndarray] = {}

#: Run before memory is counted, so that code which is loaded on first use is not.
WARMING = (
    "linear",
    "layer_norm",
    "softmax axis 1",
    "gelu",
    "cross_entropy",
    "conv2d",
    "max_pool2d",
    "a[:, 0]",
    "concat",
)


def uniform(size, which):
    """`size` numbers between 0 and 1, the first ones of a longer row that is drawn once."""
    if which not in _POOL or len(_POOL[which]) < size:
        _POOL[which] = np.random.default_rng(which).random(size)
    return _POOL[which][:size]


def cotangent(shape, dtype):
    """Numbers from 0.5 to 1.5, no two alike, of the shape and dtype of a result."""
    return (0.5 + uniform(int(np.prod(shape)), 99)).astype(dtype).reshape(shape)


def build(library, job):
    """The statement, its names and a function for the results, of a job in the words of a library."""
    return model(library, job) if job.suite == "models" else operation(library, job)


def operation(library, job):
    line = OPERATIONS.get(job.name) or CHAINS[job.name]
    operands = line.draw(job.size, np.dtype(job.dtype), uniform)
    return library.prepare(line.said_by(library.name), job.phase, operands, cotangent)


def model(library, job):
    from ._models import MODELS

    chosen = MODELS[job.name]
    if library.name not in chosen.libraries:
        raise NotOffered(job.name)
    step, after = chosen.libraries[library.name](chosen.inputs())

    def results():
        step()
        return after()

    return "step()", {"step": step}, results


# ---------------------------------------------------------------- counted


def graph(library, name, n):
    """Seconds to build a graph of n parts, to differentiate it and to free it."""
    gc.collect()
    run = _graphs.GRAPHS[name](library, n)
    begun = time.perf_counter()
    out = run()
    built = time.perf_counter()
    out.backward()
    done = time.perf_counter()
    del out
    freed = time.perf_counter()
    return built - begun, done - built, freed - done


def graph_bytes(library, name, n):
    """The most bytes that a graph of n parts needs at any time."""
    graph(library, name, 100)
    gc.collect()
    forget_peak()
    before = resident("VmRSS")
    graph(library, name, n)
    return resident("VmHWM") - before


def saved(library, job):
    """Bytes that stay alive for the gradient of an operation, each array counted once."""
    line = OPERATIONS[job.name]
    operands = line.draw(job.size, np.dtype(job.dtype), uniform)
    _, names, _ = library.prepare(line.said_by(library.name), "record", operands, cotangent)
    kept = {}

    def pack(tensor):
        kept.update([library.storage(tensor)])
        return tensor

    with library.saved_tensors_hooks(pack, lambda tensor: tensor):
        eval(line.said_by(library.name), names)
    given = dict(library.storage(names[name]) for name, array in operands.items() if array.dtype.kind == "i")
    return sum(size for where, size in kept.items() if where not in given)  # integers are the caller's


def peak(library, job):
    """The most bytes that steps of a model need beside its inputs and state; code that they load is not counted."""
    for name in WARMING:
        try:
            statement, names, _ = operation(library, job._replace(suite="sweep", name=name, size=1000, dtype="float32"))
        except Exception:
            continue
        exec(statement, names)
    statement, names, _ = model(library, job)
    gc.collect()
    forget_peak()
    before = resident("VmRSS")
    for _ in range(3):
        exec(statement, names)
    return resident("VmHWM") - before


def resident(which):
    """Bytes of this process in memory now (VmRSS), or at most so far (VmHWM); off Linux always the latter."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(which))
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def forget_peak():
    """Let VmHWM begin anew, where that can be had."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass
