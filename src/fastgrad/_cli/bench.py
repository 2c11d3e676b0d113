"""Measure fastgrad beside whichever of torch, jax, autograd and mygrad is installed, and show ratios.

Each library runs in a process of its own; they take turns, one busy at a time. Results and gradients are compared
before anything is timed: a library that disagrees is named and left out. Ratios are a library's time over fastgrad's,
of medians: above 1 fastgrad is faster.
"""

import argparse
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from . import Failure
from ._operations import OPERATIONS
from ._peers import PEERS, version_of
from ._records import as_json, by_suite, compare, markdown, read, tables_of, write, write_docs
from ._report import peers_of
from ._suites import QUICK_OPS, QUICK_SIZES, SUITES, chosen_libraries, chosen_models, chosen_operations

EPILOG = f"""\
suites (default: overhead, and a small sweep):
{chr(10).join(f"  {name:<10}{summary}" for name, (_, summary) in SUITES.items())}
  all       all of these

kinds of operations, for --ops:
  {", ".join(dict.fromkeys(line.kind for line in OPERATIONS.values()))}

examples:
  python -m fastgrad bench                                      the overhead, and a small sweep
  python -m fastgrad bench sweep --with torch                   every operation beside PyTorch, ten minutes
  python -m fastgrad bench sweep --ops softmax losses --times   some, by name, pattern or kind
  python -m fastgrad bench sweep --json new.json --compare old.json
  python -m fastgrad bench models scaling --threads 1           on one core
  python -m fastgrad bench all --docs docs                      the pages and pictures of the documentation
  python -m fastgrad bench --read new.json --picture sweep.png  show what was measured before
"""


def _size(text):
    try:
        value = int(float(text.replace("_", "").replace(",", "")))
    except (ValueError, OverflowError):
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
    parser.add_argument("--ops", nargs="+", metavar="OP", help="operations: names, patterns or kinds")
    parser.add_argument("--models", nargs="+", metavar="MODEL", help="models: names or patterns")
    parser.add_argument("--sizes", nargs="+", type=_size, metavar="N", help="of the sweep (default: 1 1e3 1e5 1e6 1e7)")
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "float64"], help="of the sweep (default: both)")
    parser.add_argument(
        "--with",
        dest="peers",
        nargs="*",
        metavar="LIB",
        choices=PEERS,
        help=f"libraries to run beside: {', '.join(PEERS)} (default: all that are installed)",
    )
    parser.add_argument("--threads", type=_positive(int), default=cores(), metavar="N", help="default: all cores")
    parser.add_argument(
        "--seconds", type=_positive(float), default=0.2, help="about how long a library is timed in a cell (0.2)"
    )
    parser.add_argument("--times", action="store_true", help="print fastgrad's times beside the ratios of the sweep")
    parser.add_argument("--json", metavar="FILE", help="write every measurement to FILE (- for standard output)")
    parser.add_argument("--read", metavar="FILE", help="measure nothing: show what --json wrote")
    parser.add_argument(
        "--compare", metavar="FILE", help="name what is slower than in FILE; exit with 1 if anything is"
    )
    parser.add_argument("--picture", metavar="FILE", help="draw the sweep's ratios (needs matplotlib)")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables as Markdown")
    parser.add_argument("--docs", metavar="FOLDER", help="fill in FOLDER/benchmarks.md, its picture and the README")


def run(options):
    """Measure, print tables, and write what was asked for."""
    old = read(options.compare)[0] if options.compare else None
    if options.docs and not (Path(options.docs) / "benchmarks.md").exists():
        raise Failure(f"no page {Path(options.docs) / 'benchmarks.md'} to fill in")
    if (options.docs or options.picture) and find_spec("matplotlib") is None:
        raise Failure("a picture needs matplotlib (pip install matplotlib)")
    options.show = options.json != "-"
    if options.read:
        cells, record = read(options.read)
        stopped = False
    else:
        cells, stopped = measured(options)
        record = as_json(cells, ["numpy", *chosen_libraries(options)], options.threads)
    about = described(record)
    if options.show and (options.read or stopped):
        print(about)
    if options.show:
        for suite, own in by_suite(cells).items():
            for table in tables_of(suite, own, options.times):
                table.show()
    slower = report(options, cells, record, about, old)
    if stopped:
        raise KeyboardInterrupt
    return 1 if slower else 0


def measured(options):
    """The cells of all suites that were asked for, as far as they came, and whether they were stopped."""
    suites = list(SUITES) if "all" in options.suites else [name for name in SUITES if name in options.suites]
    if not options.suites:
        suites = ["overhead", "sweep"]
        options.ops = options.ops or QUICK_OPS
        options.sizes = options.sizes or QUICK_SIZES
    chosen_operations(options), chosen_models(options)  # what is wrong is said before anything is measured
    libraries = chosen_libraries(options)
    if options.show:
        print(f"{', '.join(f'{name} {version_of(name)}' for name in libraries)}; {options.threads} threads")
        warn_if_busy()
    cells = []
    try:
        for name in suites:
            for cell in SUITES[name][0](options):
                cells.append(cell)
    except KeyboardInterrupt:
        return cells, True
    return cells, False


def warn_if_busy():
    """Threads that wait for each other on a busy machine show anything but speed."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5 * cores():
        print(
            f"The machine is busy (load {load:.1f}), ratios will be noisy. OMP_WAIT_POLICY=passive helps PyTorch then."
        )


def described(record):
    """A sentence on where numbers come from."""
    libraries = ", ".join(f"{name} {version}" for name, version in record["libraries"].items())
    threads = record["threads"]
    where = f"{record['processor']}, {threads} thread{'s' * (threads != 1)}, Python {record['python']}"
    return f"Medians of interleaved runs on {where}; {libraries}."


def report(options, cells, record, about, old):
    """Write files; the number of cells that are slower than in the old file."""
    if options.json:
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        sys.stdout.write(text) if options.json == "-" else write(options.json, text)
    if options.markdown:
        write(options.markdown, markdown(cells, about))
    if options.docs:
        write_docs(options.docs, cells, about)
    if options.picture:
        sweep = by_suite(cells).get("sweep", [])
        if not peers_of(sweep):
            raise Failure("a picture needs a sweep beside another library")
        from ._picture import picture

        picture(sweep, peers_of(sweep)[0], options.picture)
    if old is None:
        return 0
    table = compare(old, cells)
    if options.show:
        table.show()
    return len(table.rows)
