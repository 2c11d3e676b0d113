"""The suites: which jobs each has, and who takes part."""

from difflib import get_close_matches
from fnmatch import fnmatchcase

from . import Failure
from ._operations import OPERATIONS
from ._peers import LIBRARIES, PEERS, is_installed
from ._turns import measure, workers
from ._worker import Job

SIZES = (1, 10**3, 10**5, 10**6, 10**7)
DTYPES = ("float32", "float64")
QUICK_OPS = ("exp", "add", "sum", "sum axis 0", "softmax axis 1", "matmul", "gelu", "a[i]", "concat", "cross_entropy")
QUICK_SIZES = (1, 10**3, 10**5)


def chosen_operations(wanted):
    """Names of the operations that were asked for: by name, by its first word, by a pattern or by their kind."""
    if not wanted:
        return list(OPERATIONS)
    found = {}
    for given in wanted:
        named = [
            name
            for name, line in OPERATIONS.items()
            if fnmatchcase(name, given) or name.startswith((f"{given} ", f"{given},")) or line.kind == given
        ]
        if not named:
            kinds = {line.kind: None for line in OPERATIONS.values()}
            near = get_close_matches(given, [*OPERATIONS, *kinds], 3)
            raise Failure(f"no operation {given!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
        found.update(dict.fromkeys(named))
    return list(found)


def chosen_libraries(wanted):
    """fastgrad and the peers that are installed, or those asked for."""
    names = [name for name in LIBRARIES if name in (wanted or PEERS)]
    absent = [name for name in wanted or () if not is_installed(name)]
    if absent:
        raise Failure(f"not installed: {', '.join(absent)} (pip install {' '.join(absent)})")
    return ["fastgrad", *(name for name in names if is_installed(name))]


def sweep_jobs(options):
    for name in chosen_operations(options.ops):
        for dtype in options.dtypes or DTYPES:
            for size in options.sizes or SIZES:
                if OPERATIONS[name].sized(size):
                    yield Job("sweep", name, size, dtype)


def sweep(options, progress):
    """Every operation at every size."""
    with workers(chosen_libraries(options.peers), options.threads) as libraries:
        for job in sweep_jobs(options):
            yield measure(job, libraries, options.seconds)
            progress.step(f"{job.name}, {job.size:,} {job.dtype}")
