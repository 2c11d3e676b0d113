"""Measure fastgrad beside whichever of torch, jax, autograd and mygrad is installed, and show ratios.

Each library runs in a process of its own; they take turns, one busy at a time. Results and gradients are compared
before anything is timed: a library that disagrees is named and left out. Ratios are a library's time over fastgrad's,
of medians: above 1 fastgrad is faster.
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from . import Failure
from ._operations import OPERATIONS
from ._peers import PEERS, version_of
from ._report import sweep_tables
from ._suites import QUICK_OPS, QUICK_SIZES, chosen_libraries, sweep, sweep_jobs
from ._terminal import Progress

SUITES = {
    "sweep": "every operation, forward and backward, by size and dtype",
}

EPILOG = f"""\
suites:
{chr(10).join(f"  {name:<10}{text}" for name, text in SUITES.items())}
  all       all of these

kinds of operations, for --ops:
  {", ".join(dict.fromkeys(line.kind for line in OPERATIONS.values()))}

examples:
  python -m fastgrad bench                                      the overhead, and a small sweep
  python -m fastgrad bench sweep --with torch                   every operation beside PyTorch
  python -m fastgrad bench sweep --ops softmax losses --times   some, by name, pattern or kind
  python -m fastgrad bench sweep --json new.json --compare old.json
"""


def _size(text):
    try:
        value = int(float(text.replace("_", "").replace(",", "")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number of elements: {text!r}") from None
    if not 1 <= value <= 10**8:
        raise argparse.ArgumentTypeError(f"sizes go from 1 to 100,000,000, not {text}")
    return value


def _suite(text):
    if text not in (*SUITES, "all"):
        raise argparse.ArgumentTypeError(f"no suite {text!r}; there are {', '.join(SUITES)} and all")
    return text


def _positive(kind):
    def convert(text):
        value = kind(text)
        if not 0 < value < 10**6:
            raise argparse.ArgumentTypeError(f"must be positive, not {text}")
        return value

    convert.__name__ = "number"
    return convert


def cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def add_arguments(parser):
    parser.add_argument("suites", nargs="*", type=_suite, metavar="SUITE", help=f"{', '.join(SUITES)} or all")
    parser.add_argument("--ops", nargs="+", metavar="OP", help="operations of the sweep: names, patterns or kinds")
    parser.add_argument("--sizes", nargs="+", type=_size, metavar="N", help="elements (default: 1 1e3 1e5 1e6 1e7)")
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "float64"], help="default: both")
    parser.add_argument(
        "--with",
        dest="peers",
        nargs="+",
        metavar="LIB",
        choices=PEERS,
        help=f"libraries to run beside: {', '.join(PEERS)} (default: all that are installed)",
    )
    parser.add_argument("--threads", type=_positive(int), default=cores(), metavar="N", help="default: all cores")
    parser.add_argument(
        "--seconds", type=_positive(float), default=0.25, help="about how long a library is timed in a cell (0.25)"
    )
    parser.add_argument("--times", action="store_true", help="print fastgrad's times beside the ratios")
    parser.add_argument("--json", metavar="FILE", help="write every measurement to FILE (- for standard output)")


def run(options):
    """Measure, and print tables."""
    if not options.suites:
        options.suites = ["sweep"]
        options.ops = options.ops or QUICK_OPS
        options.sizes = options.sizes or QUICK_SIZES
    libraries = chosen_libraries(options.peers)
    quiet = options.json == "-"
    if not quiet:
        print("\n".join(filter(None, [described(libraries, options.threads), busy()])))
    cells, stopped = [], False
    try:
        jobs = list(sweep_jobs(options))
        with Progress("timing", len(jobs), show=not quiet) as progress:
            for cell in sweep(options, progress):
                cells.append(cell)
    except KeyboardInterrupt:
        stopped = True
    if not quiet and cells:
        for table in sweep_tables(cells, options.times):
            table.show()
    if options.json:
        save(options.json, cells, libraries, options)
    if stopped:
        raise KeyboardInterrupt
    return 0


def busy():
    """A warning where others use the machine: threads that wait for each other then show anything but speed."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5 * cores():
        return None
    return f"The machine is busy (load {load:.1f}): ratios will be noisy. OMP_WAIT_POLICY=passive helps PyTorch then."


def described(libraries, threads):
    said = ", ".join(f"{name} {version_of(name)}" for name in libraries)
    return f"{said}; {threads} thread{'s' * (threads != 1)}"


def save(path, cells, libraries, options):
    """Write everything measured, and where, as JSON."""
    record = {
        "format": 1,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "threads": options.threads,
        "libraries": {name: version_of(name) for name in ("numpy", *libraries)},
        "cells": [as_json(cell) for cell in cells],
    }
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from error


def as_json(cell):
    times = {name: timing._asdict() for name, timing in cell.times.items()}
    return {**cell.job._asdict(), "times": times, "notes": {name: note for name, note in cell.notes.items() if note}}
