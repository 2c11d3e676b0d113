"""Measurements in files: JSON to keep and compare, and the pages of the documentation."""

import json
import platform
from pathlib import Path

from . import Failure
from ._peers import version_of
from ._report import NOISE, TABLES, Table, amount, peers_of, ratio_text, size_text
from ._timing import Timing
from ._turns import Cell
from ._worker import Job

FORMAT = 1


def suite_of(cell):
    """The suite that shows a cell: threads are a part of scaling."""
    return "scaling" if cell.job.suite == "threads" else cell.job.suite


def as_json(cells, libraries, threads):
    """Everything measured, and where, as JSON's types."""
    return {
        "format": FORMAT,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "processor": processor(),
        "threads": threads,
        "libraries": {name: version_of(name) for name in libraries},
        "cells": [
            {
                **cell.job._asdict(),
                "unit": cell.unit,
                "times": {name: timing._asdict() for name, timing in cell.times.items()},
                "notes": {name: note for name, note in cell.notes.items() if note},
            }
            for cell in cells
        ],
    }


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def read(path):
    """The cells of a file, and what it says of the machine."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise Failure(f"{path} is no JSON: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise Failure(f"{path} was not written by this version's --json")
    cells = []
    for row in record["cells"]:
        times = {name: Timing(**timing) for name, timing in row["times"].items()}
        cells.append(Cell(Job(*(row[field] for field in Job._fields)), times, row["notes"], row["unit"]))
    return cells, record


def write(path, text):
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from error


# ---------------------------------------------------------------- comparing


def compare(old, new):
    """A table of the cells that have become slower beyond noise, of all that are in both.

    What a cell takes is counted in the time of the first peer in both runs, so that a faster machine or a busier hour
    changes little. It is slower where this has grown by more than 5 % and by more than the quartiles of all four
    lie from their medians.
    """
    before = {cell.job: cell for cell in old}
    rows, both = [], 0
    for cell in new:
        other = before.get(cell.job)
        if other is None or "fastgrad" not in cell.times or "fastgrad" not in other.times:
            continue
        both += 1
        peer = next((name for name in peers_of([cell]) if name in other.times), None)
        growth, noise = growth_of(other, cell, peer)
        if growth > NOISE + noise:
            size = size_text(cell.job.size) if cell.job.size else ""
            what = [cell.job.suite, cell.job.name, size, cell.job.dtype or "", cell.job.phase]
            pair = [amount(other, "fastgrad"), amount(cell, "fastgrad")]
            rows.append((growth, [*what, *pair, peer or "-", ratio_text(growth), f"± {noise:.0%}"]))
    if not both:
        raise Failure("the two runs have no cell in common")
    header = ["suite", "", "elements", "dtype", "phase", "then", "now", "against", "growth", "noise"]
    rows.sort(key=lambda row: -row[0])
    return Table(f"Slower than before: {len(rows)} of {both}", header, [row for _, row in rows])


def growth_of(old, new, peer):
    """How much fastgrad's time has grown, in the time of a peer, and the noise of that."""
    growth = new.times["fastgrad"].median / old.times["fastgrad"].median
    timings = [cell.times["fastgrad"] for cell in (old, new)]
    if peer is not None:
        growth *= old.times[peer].median / new.times[peer].median
        timings += [cell.times[peer] for cell in (old, new)]
    return growth, sum(timing.spread**2 for timing in timings) ** 0.5


# ---------------------------------------------------------------- Markdown

#: The table of the README: cells of the sweep and of overhead, by name and size.
README_ROWS = [("add", 1), ("exp", 1000), ("sum", 1000), ("matmul", 1000), ("softmax axis 1", 10**5), ("gelu", 10**6),
               ("sum", 10**6), ("ten times tanh(y * x + 1)", 1), ("mlp32", None), ("transformer", None)]  # fmt: skip
README_PEERS = ("torch", "jax", "autograd")
PICTURE = "benchmarks-sweep.png"


def by_suite(cells):
    found = {}
    for cell in cells:
        found.setdefault(suite_of(cell), []).append(cell)
    return {suite: found[suite] for suite in TABLES if suite in found}


def tables_of(suite, cells, times=False):
    return TABLES[suite](cells, times)


def markdown(cells, about):
    """All tables as one page."""
    parts = [about, ""]
    for suite, own in by_suite(cells).items():
        parts += [f"## {suite}", "", *(table.markdown() for table in tables_of(suite, own, times=True))]
    return "\n".join(parts)


def readme_table(cells):
    """The lines of the README's table."""
    from ._models import MODELS

    found = {(cell.job.name, cell.job.size): cell for cell in cells if cell.job.phase == "gradient"
             and cell.job.suite in ("sweep", "overhead", "models") and cell.job.dtype in ("float64", None)}  # fmt: skip
    shown = [(name, size) for name, size in README_ROWS if (name, size) in found]
    peers = [peer for peer in README_PEERS if any(peer in found[key].times for key in shown)]
    lines = [
        "| forward and backward | fastgrad | " + " | ".join(peers) + " |",
        "| --- |" + " ---: |" * (len(peers) + 1),
    ]
    for name, size in shown:
        cell = found[name, size]
        title = MODELS[name].title if size is None else f"`{name}`, {size:,} element{'s' * (size > 1)}"
        lines.append("| " + " | ".join([title, *(amount(cell, who) for who in ("fastgrad", *peers))]) + " |")
    return lines


def fill(text, name, lines, path):
    """`text` with new lines between the markers of a name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in text or end not in text:
        raise Failure(f"{path} has no markers {begin} … {end}")
    head, rest = text.split(begin, 1)
    return "\n".join([f"{head}{begin}", "", *lines, "", f"{end}{rest.split(end, 1)[1]}"])


def write_docs(folder, cells, about):
    """Fill benchmarks.md of the documentation, its picture, and the table of the README beside the folder."""
    from ._picture import picture

    page = Path(folder) / "benchmarks.md"
    text = page.read_text(encoding="utf-8")
    text = fill(text, "about", [about], page)
    for suite, own in by_suite(cells).items():
        lines = []
        if suite == "sweep" and peers_of(own):
            picture(own, peers_of(own)[0], Path(folder) / PICTURE)
            lines = [f"![Ratios of the sweep, by operation, size and dtype]({PICTURE})", ""]
        tables = tables_of(suite, own, times=suite == "sweep")
        if suite == "sweep":
            tables = tables[1:] + tables[:1]  # the longest last
        text = fill(text, suite, [*lines, *"\n".join(table.markdown() for table in tables).rstrip().split("\n")], page)
    write(page, text)
    readme = Path(folder).parent / "README.md"
    if readme.exists() and len(by_suite(cells)) > 2:
        more = "[Benchmarks](docs/benchmarks.md) has all of it, and how it is measured: `python -m fastgrad bench`."
        lines = [*readme_table(cells), "", about, more]
        write(readme, fill(readme.read_text(encoding="utf-8"), "numbers", lines, readme))
