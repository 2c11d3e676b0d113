"""The suites: what each measures, and who takes part. Each is a generator of cells."""

import json
import subprocess
import sys
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

from . import Failure
from ._graphs import GRAPHS
from ._operations import CHAINS, COMMON, OPERATIONS
from ._peers import LIBRARIES, PEERS, is_installed
from ._terminal import Progress
from ._timing import Timing, rotated
from ._turns import Cell, Refused, Worker, environment, fits, measure, workers
from ._worker import Job

SIZES = (1, 10**3, 10**5, 10**6, 10**7)
DTYPES = ("float32", "float64")
QUICK_OPS = ("exp", "add", "sum", "sum axis 0", "softmax axis 1", "matmul", "gelu", "a[i]", "concat", "cross_entropy")
QUICK_SIZES = (1, 10**3, 10**5)

#: How far each graph goes, in fastgrad and in PyTorch, whose backward of an index is not linear.
LENGTHS = dict.fromkeys(GRAPHS, ((10**3, 10**4, 10**5), 10**5))
LENGTHS["chain of n"] = (10**4, 10**5, 10**6, 10**7), 10**6
LENGTHS["x[i] for i < n"] = (10**3, 10**4, 10**5), 10**4

CHAIN_SIZES = (1, 10**6)
COUNTED_LENGTHS = (10**4, 10**6)  # of the graph whose bytes are counted
IMPORTS = 7
SLOW, SLOW_MOST = ("autograd", "mygrad"), 10**6  # these take no part in what is larger: it would be most of the time
GRAPH_SECONDS = 1.5  # a graph is not built again once its runs have taken as long

THREADED = ("exp", "tanh", "add", "gelu", "sum", "sum axis 0", "softmax axis 1", "a[i]")
THREADED_SIZES = (10**2, 10**3, 10**4, 10**5, 10**6)


def chosen(wanted, names, kind_of=lambda name: None, what="operation"):
    """The names that were asked for: by name, by the first word, by a pattern or by their kind."""
    if not wanted:
        return list(names)
    found = {}
    for given in wanted:
        named = [
            name
            for name in names
            if fnmatchcase(name, given) or name.startswith((f"{given} ", f"{given},")) or kind_of(name) == given
        ]
        if not named:
            words = list(dict.fromkeys([*names, *filter(None, map(kind_of, names))]))
            near = get_close_matches(given, words, 3)
            raise Failure(f"no {what} {given!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
        found.update(dict.fromkeys(named))
    return list(found)


def chosen_operations(options, among=OPERATIONS):
    wanted = chosen(options.ops, OPERATIONS, lambda name: OPERATIONS[name].kind)
    return [name for name in wanted if name in among]


def chosen_models(options):
    from ._models import MODELS

    return chosen(options.models, MODELS, what="model")


def chosen_libraries(options):
    """fastgrad and the peers that are installed, or those asked for."""
    absent = [name for name in options.peers or () if not is_installed(name)]
    if absent:
        raise Failure(f"not installed: {', '.join(absent)} (pip install {' '.join(absent)})")
    wanted = options.peers if options.peers is not None else PEERS
    return ["fastgrad", *(name for name in LIBRARIES if name in wanted and is_installed(name))]


def beside(options, *names):
    """fastgrad, and those of `names` that take part."""
    return [name for name in chosen_libraries(options) if name in ("fastgrad", *names)]


def said(job):
    """A job in the words of the progress bar."""
    return " ".join(filter(None, [job.name, f"{job.size:,}" if job.size else "", job.dtype]))


def each(jobs, libraries, options, label):
    """A cell for every job, timed in turns."""
    jobs = list(jobs)
    with workers(libraries, options.threads) as running, Progress(label, len(jobs), show=options.show) as progress:
        for job in jobs:
            large = job.suite == "sweep" and job.size > SLOW_MOST
            part = [worker for worker in running if not (large and worker.name in SLOW)]
            if job.suite == "sweep" and not fits(job, len(part)):
                yield Cell(job, notes={"fastgrad": "too large for this machine's memory"})
            else:
                yield measure(job, part, options.seconds)
            progress.step(said(job))


# ---------------------------------------------------------------- timed in turns


def overhead(options):
    """What recording and backward cost beside NumPy's own call; short chains beside the other libraries."""
    recorded = [
        Job("overhead", name, size, "float64", phase)
        for name in chosen_operations(options, COMMON)
        for size in (1, 64)
        for phase in ("forward", "record")
    ]
    yield from each(recorded, ["fastgrad", "numpy"], options, "overhead")
    gradients = [
        Job("overhead", name, size, "float64") for name in chosen_operations(options, COMMON) for size in (1, 64)
    ]
    chains = [Job("overhead", name, size, "float64") for name in CHAINS for size in CHAIN_SIZES]
    yield from each([*gradients, *chains], chosen_libraries(options), options, "overhead")


def sweep(options):
    """Every operation at every size."""
    jobs = [
        Job("sweep", name, size, dtype)
        for name in chosen_operations(options)
        for dtype in options.dtypes or DTYPES
        for size in options.sizes or SIZES
        if OPERATIONS[name].sized(size)
    ]
    yield from each(jobs, chosen_libraries(options), options, "sweep")


def models(options):
    """A training step of each model, and steps of fits."""
    from ._models import MODELS

    names = chosen_models(options)
    known = {library for name in names for library in MODELS[name].libraries}
    libraries = [*chosen_libraries(options), *(["micrograd"] if "micrograd" in known else [])]
    yield from each([Job("models", name) for name in names], libraries, options, "models")


def threads(options):
    """One thread beside all: fastgrad alone."""
    if options.threads == 1:
        return
    jobs = [
        Job("threads", name, size, dtype)
        for name in chosen_operations(options, THREADED)
        for dtype in options.dtypes or DTYPES
        for size in THREADED_SIZES
    ]
    with Progress("threads", len(jobs), show=options.show) as progress:
        pair = [Worker("fastgrad", options.threads)]
        try:
            pair.append(Worker("fastgrad", 1, "one thread"))
            for job in jobs:
                yield measure(job, pair, options.seconds)
                progress.step(said(job))
        finally:
            for worker in pair:
                worker.close()


# ---------------------------------------------------------------- counted


def scaling(options):
    """Time and memory for each part of graphs of n parts; then threads."""
    libraries = beside(options, "torch")
    plan = [(name, n) for name, (lengths, _) in LENGTHS.items() for n in lengths]
    with workers(libraries, options.threads) as running, Progress("scaling", len(plan), show=options.show) as progress:
        for name, n in plan:
            yield from graph_cells(name, n, [w for w in running if w.name == "fastgrad" or n <= LENGTHS[name][1]])
            progress.step(f"{name}, {n:,}")
    yield from threads(options)


def graph_cells(name, n, running):
    """Seconds for each of the n parts, in turns: to build the graph, to differentiate it, to free it, and in all."""
    phases = "build", "backward", "free"
    taken = {worker.name: [] for worker in running}
    notes = {}
    for turn in rotated(running, 5):
        for worker in turn:
            if worker.name in notes or n * sum(map(sum, taken[worker.name])) > GRAPH_SECONDS:
                continue
            try:
                taken[worker.name].append([seconds / n for seconds in worker.call("ask", "graph", name, n)])
            except Refused as refused:
                notes[worker.name] = str(refused)
    for i, phase in enumerate(phases):
        times = {who: Timing.of([row[i] for row in rows]) for who, rows in taken.items() if rows}
        yield Cell(Job("scaling", name, n, None, phase), times, notes)
    yield Cell(
        Job("scaling", name, n, None, "all"),
        {who: Timing.of([sum(row) for row in rows]) for who, rows in taken.items() if rows},
        notes,
    )


def memory(options):
    """What operations keep for their gradients, and the peaks of models and of long graphs."""
    libraries = beside(options, "torch")
    jobs = [
        Job("memory", name, 10**5, "float32", "saved")
        for name in chosen_operations(options)
        if OPERATIONS[name].sized(10**5)
    ]
    peaks = [Job("memory", name, None, None, "peak") for name in chosen_models(options)]
    graphs = [Job("memory", "chain of n", n, None, "bytes a node") for n in COUNTED_LENGTHS]
    with Progress("memory", len(jobs) + len(peaks) + len(graphs), show=options.show) as progress:
        with workers(libraries, options.threads) as running:
            for job in jobs:
                yield counted(job, running, "saved", job)
                progress.step(said(job))
        for job in peaks + graphs:
            question = ("peak", job._replace(suite="models")) if job in peaks else ("graph_bytes", job.name, job.size)
            with workers(libraries, options.threads) as running:  # fresh: what one has freed, the next would get
                yield counted(job, running, *question, share=1 if job in peaks else job.size)
            progress.step(said(job))


def counted(job, running, *question, share=1):
    """A cell of bytes that each library's process was asked for."""
    cell = Cell(job, unit="bytes")
    for worker in running:
        try:
            cell.times[worker.name] = Timing.of([worker.call("ask", *question) / share])
        except Refused as refused:
            cell.notes[worker.name] = str(refused)
    return cell


# ---------------------------------------------------------------- imports

_IMPORT = """
import sys, time
begun = time.perf_counter()
import {module}
took = time.perf_counter() - begun
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
except OSError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print([took, peak])
"""


def imports(options):
    """What ``import`` takes: seconds and memory in fresh interpreters, and bytes on disk."""
    names = ["numpy", *(name for name in chosen_libraries(options) if name != "mygrad")]
    found = {name: [] for name in names}
    with Progress("import", (IMPORTS + 1) * len(names), show=options.show) as progress:
        for turn in rotated(names, IMPORTS + 1):
            for name in turn:
                found[name].append(imported(name))
                progress.step(name)
    warm = {name: rows[1:] for name, rows in found.items()}  # the first may have read the disk
    yield Cell(Job("import", "time"), {name: Timing.of([row[0] for row in rows]) for name, rows in warm.items()})
    peaks = {name: Timing.of([row[1] for row in rows]) for name, rows in warm.items()}
    yield Cell(Job("import", "memory"), peaks, unit="bytes")
    yield Cell(Job("import", "disk"), {name: Timing.of([on_disk(name)]) for name in names}, unit="bytes")


def imported(name):
    """Seconds and peak bytes of an import in an interpreter of its own."""
    argv = [sys.executable, "-c", _IMPORT.format(module=LIBRARIES[name][1])]
    return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True, env=environment()).stdout)


def on_disk(name):
    """Bytes of a package and of the libraries it brings along, compiled Python not counted."""
    folder = Path(find_spec(LIBRARIES[name][1]).submodule_search_locations[0])
    files = [*folder.rglob("*"), *folder.with_name(f"{folder.name}.libs").rglob("*")]
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix not in (".pyc", ".pyx", ".pxi"))


#: By name: the generator of cells, and what it is.
SUITES = {
    "overhead": (overhead, "what recording costs beside NumPy's own calls, and chains of small steps"),
    "sweep": (sweep, "every operation, forward and backward, by size and dtype"),
    "models": (models, "training steps of small models, steps of fits"),
    "scaling": (scaling, "long and wide graphs, and threads"),
    "memory": (memory, "bytes kept for gradients, peaks of training steps"),
    "import": (imports, "time, memory and disk that the import takes"),
}
