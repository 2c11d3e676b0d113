"""Write the table of numbers in the README, from measurements made here and now.

    python benchmarks/readme.py            measure, and write the table
    python benchmarks/readme.py --print    measure, and print it

Needs torch and autograd beside fastgrad, and a quiet machine.
"""

import argparse
import os
import platform
import sys
import timeit
from pathlib import Path

import numpy as np
import recording

from fastgrad._cli._peers import OPERATIONS, installed
from fastgrad._cli._terminal import Progress, duration
from fastgrad._cli._timing import interleaved
from fastgrad._cli.bench import expected_cotangent

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- numbers: begin -->", "<!-- numbers: end -->"
ROWS = [("add", 1), ("exp", 64), ("sum", 64), ("matmul", 64), ("softmax", 4096), ("gelu", 262_144), ("sum", 1_000_000)]
PEERS = ("torch", "autograd")


def gradient_row(name, size, libraries, rounds):
    """Forward of NumPy, and forward with backward of the others."""
    operation = OPERATIONS[name]
    arrays = operation.draw(size, np.float64)
    cotangent = expected_cotangent(operation, arrays, libraries)
    timers = {}
    for library in libraries:
        phase = "forward" if library.name == "numpy" else "gradient"
        statement, names = library.prepare(operation, phase, arrays, cotangent)
        timers[library.name] = timeit.Timer(statement, globals=names)
        timers[library.name].timeit(3)
    return interleaved(timers, rounds)


def measure(rounds):
    """Lines of Markdown."""
    libraries = installed({"numpy", "fastgrad", *PEERS})
    present = [library.name for library in libraries if library.name in PEERS]
    versions = {library.name: library.version for library in libraries}
    lines = [
        "| forward and backward, float64 | NumPy, forward alone | fastgrad | " + " | ".join(present) + " |",
        "| --- |" + " ---: |" * (2 + len(present)),
    ]
    with Progress("measuring", len(ROWS) + 1) as progress:
        for name, size in ROWS:
            times = gradient_row(name, size, libraries, rounds)
            cells = [duration(times[library].least) for library in ("numpy", "fastgrad", *present)]
            lines.append(
                f"| `{OPERATIONS[name].expression}`, {size:,} element{'s' * (size > 1)} | {' | '.join(cells)} |"
            )
            progress.step(name)
        chain = interleaved(recording.chain_timers(libraries), rounds)
        cells = [duration(chain[library].least) for library in ("fastgrad", *present)]
        lines.append(f"| ten times `y = tanh(y * x + 1)`, its sum, 1 element | | {' | '.join(cells)} |")
        progress.step("chain")
    where = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    said = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return [
        *lines,
        "",
        f"The least of {rounds} interleaved rounds on {where}; {said}.",
        "Written by `python benchmarks/readme.py`; `python -m fastgrad bench` measures on your machine.",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="leave the README alone")
    parser.add_argument("--rounds", type=int, default=50, help="default: 50")
    options = parser.parse_args()
    lines = measure(options.rounds)
    if options.print:
        print("\n".join(lines))
        return 0
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    README.write_text("\n".join([f"{head}{BEGIN}", "", *lines, "", f"{END}{tail}"]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
