"""Time operations beside NumPy and whichever of torch, jax, autograd and mygrad is installed.

Each operation is timed in three phases: forward (nothing recorded), record (on operands that require grad) and
gradient (recorded, then differentiated). All run in this process, in turns; results are compared before anything is
timed. The table gives each time as a multiple of NumPy's own forward: 0.50 is twice as fast as NumPy.
"""

import argparse
import json
import math
import platform
import timeit

import numpy as np

from . import Failure
from ._peers import LIBRARIES, OPERATIONS, PHASES, installed
from ._terminal import Progress, duration, heading, style, table
from ._timing import interleaved

EPILOG = f"""\
operations:
  {" ".join(OPERATIONS)}

examples:
  python -m fastgrad bench --quick                       a few operations at two sizes
  python -m fastgrad bench --ops exp sum --sizes 1 64    these, at these numbers of elements
  python -m fastgrad bench --with torch                  beside NumPy and PyTorch alone
  python -m fastgrad bench --json times.json             keep every number
"""

QUICK_OPS = ("add", "exp", "sum", "matmul", "softmax")


def _size(text):
    value = int(text.replace("_", ""))
    if not 1 <= value <= 100_000_000:
        raise argparse.ArgumentTypeError(f"sizes go from 1 to 100,000,000, not {text}")
    return value


_size.__name__ = "number of elements"


def add_arguments(parser):
    parser.add_argument("--ops", nargs="+", metavar="OP", choices=OPERATIONS, help="operations (default: all)")
    parser.add_argument("--sizes", nargs="+", type=_size, metavar="N", help="elements (default: 1 64 4096 262144)")
    parser.add_argument(
        "--with",
        dest="peers",
        nargs="+",
        metavar="LIB",
        choices=[name for name in LIBRARIES if name not in ("numpy", "fastgrad")],
        help="other libraries to run beside (default: all that are installed)",
    )
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64", help="default: float64")
    parser.add_argument("--rounds", type=int, help="turns that each statement gets (default: 25)")
    parser.add_argument("--quick", action="store_true", help="fewer operations, sizes and rounds")
    parser.add_argument("--json", metavar="FILE", help="write every measurement to FILE (- for standard output)")


def run(options):
    """Measure, and print the table."""
    ops = options.ops or (QUICK_OPS if options.quick else list(OPERATIONS))
    sizes = options.sizes or ([1, 4096] if options.quick else [1, 64, 4096, 262_144])
    rounds = max(1, options.rounds or (5 if options.quick else 25))
    libraries = installed(options.peers and {"numpy", "fastgrad", *options.peers})
    absent = set(options.peers or ()) - {library.name for library in libraries}
    if absent:
        raise Failure(f"not installed: {', '.join(sorted(absent))} (pip install {' '.join(sorted(absent))})")
    quiet = options.json == "-"
    if not quiet:
        described = ", ".join(_describe(library) for library in libraries)
        print(f"{described}; {options.dtype}, {rounds} rounds, the least of each")
    rows = []
    stopped = False
    try:
        with Progress("timing", len(ops) * len(sizes), show=not quiet) as progress:
            for name in ops:
                for size in sizes:
                    rows += measure(name, size, np.dtype(options.dtype), libraries, rounds)
                    progress.step(f"{name}, {size:,} elements")
    except KeyboardInterrupt:
        stopped = True
    if not quiet:
        report(rows, libraries)
    if options.json:
        save(options.json, rows, libraries, options.dtype)
    if stopped:
        raise KeyboardInterrupt
    return 0


def _describe(library):
    note = f" ({library.note})" if library.note else ""
    return f"{library.name} {library.version}{note}"


def measure(name, size, dtype, libraries, rounds):
    """Time one operation at one size: a dict for each phase of each library."""
    operation = OPERATIONS[name]
    arrays = operation.draw(size, dtype)
    cotangent = expected_cotangent(operation, arrays, libraries)
    timers, expected = {}, {}
    for phase in PHASES:
        for library in libraries:
            prepared = library.prepare(operation, phase, arrays, cotangent)
            if prepared is None:
                continue
            statement, names = prepared
            compare(name, phase, library, statement, names, expected)
            timers[library.name, phase] = timeit.Timer(statement, globals=names)
    return [
        {
            "operation": name,
            "elements": size,
            "library": library,
            "phase": phase,
            "seconds": timing.least,
            "median": timing.median,
            "calls": timing.calls,
        }
        for (library, phase), timing in interleaved(timers, rounds).items()
    ]


def expected_cotangent(operation, arrays, libraries):
    """A cotangent of the result's shape, no two elements alike."""
    statement, names = libraries[0].prepare(operation, "forward", arrays, arrays[0])
    result = np.asarray(eval(statement, names))
    return np.linspace(0.5, 1.5, result.size, dtype=result.dtype).reshape(result.shape)


def compare(name, phase, library, statement, names, expected):
    """Raise unless this library's results are those of the first that ran the phase; it also warms up."""
    result = eval(statement, names)
    if phase == "record":
        return
    if phase == "gradient":
        values = library.gradients(result, names["wanted"])
    else:
        values = [np.asarray(result)]
    reference = expected.setdefault(phase, values)
    tolerance = 1e-4 if values[0].dtype == np.float32 else 1e-9
    for value, wanted in zip(values, reference):
        scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
        if value.shape != wanted.shape or not np.allclose(value, wanted, rtol=tolerance, atol=tolerance * scale):
            raise Failure(f"{library.name} disagrees on the {phase} of {name}: {value!r} instead of {wanted!r}")


def report(rows, libraries):
    """Print a table for each phase, and how fastgrad compares in all."""
    times = {(row["operation"], row["elements"], row["library"], row["phase"]): row["seconds"] for row in rows}
    cases = list(dict.fromkeys((row["operation"], row["elements"]) for row in rows))
    for phase in PHASES:
        columns = [lib.name for lib in libraries if any((*case, lib.name, phase) in times for case in cases)]
        columns = [name for name in columns if name != "numpy"]
        if not columns or not cases:
            continue
        heading(f"{phase}, as a multiple of NumPy's forward")
        lines = []
        for operation, size in cases:
            base = times[operation, size, "numpy", "forward"]
            cells = [_ratio(times.get((operation, size, name, phase)), base) for name in columns]
            lines.append([operation, f"{size:,}", duration(base), *cells])
        print("\n".join(table(["operation", "elements", "NumPy", *columns], lines)))
    summarise(times, cases, libraries)


def _ratio(seconds, base):
    return "-" if seconds is None else f"{seconds / base:.2f}"


def summarise(times, cases, libraries):
    """Print geometric means of how many times fastgrad is as fast as the others."""
    lines = []
    for library in libraries:
        if library.name in ("numpy", "fastgrad"):
            continue
        cells = []
        for phase in PHASES:
            pairs = [(times.get((*case, library.name, phase)), times.get((*case, "fastgrad", phase))) for case in cases]
            logs = [math.log(theirs / ours) for theirs, ours in pairs if theirs and ours]
            cells.append(f"{math.exp(sum(logs) / len(logs)):.1f}" if logs else "-")
        lines.append([library.name, *cells])
    if lines:
        heading("how many times as fast as the others fastgrad is (geometric mean)")
        print("\n".join(style(line, "32") if i > 1 else line for i, line in enumerate(table(["", *PHASES], lines))))


def save(path, rows, libraries, dtype):
    """Write everything measured, and where, as JSON."""
    record = {
        "python": platform.python_version(),
        "machine": platform.platform(),
        "dtype": dtype,
        "libraries": {library.name: library.version for library in libraries},
        "rows": rows,
    }
    text = json.dumps(record, indent=1)
    if path == "-":
        print(text)
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from error
