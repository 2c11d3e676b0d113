"""What measurements amount to: tables of ratios, geometric means, and where fastgrad is behind.

A ratio is a library's time, or memory, over fastgrad's: above 1 fastgrad is ahead.
"""

import math
from typing import NamedTuple

from ._peers import LIBRARIES
from ._terminal import duration, heading, table

NOISE = 1.05  # what differs by less counts as equal


class Table(NamedTuple):
    """A table to print or to write as Markdown: a title, the header, the rows, and a word on how to read it."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""

    def show(self):
        heading(self.title)
        print("\n".join(table(self.header, self.rows)))
        if self.note:
            print(self.note)

    def markdown(self):
        lines = [f"**{self.title}**", "", "| " + " | ".join(self.header) + " |"]
        lines.append("| --- |" + " ---: |" * (len(self.header) - 1))
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows]
        return "\n".join([*lines, "", *([self.note, ""] if self.note else [])])


# ---------------------------------------------------------------- words


def size_text(size):
    """1, 1,000, 10⁵: a number of elements."""
    power = round(math.log10(size)) if size else 0
    if size > 1000 and 10**power == size:
        return "10" + str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{size:,}"


def ratio_text(ratio):
    if ratio is None:
        return "-"
    return f"{ratio:.0f}" if ratio >= 99.5 else f"{ratio:.1f}" if ratio >= 9.95 else f"{ratio:.2f}"


def amount(cell, library):
    """What was measured of a library, in its unit."""
    if library not in cell.times:
        return "!" if cell.notes.get(library) else "-"
    value = cell.times[library].median
    if cell.unit == "s":
        return duration(value)
    scale, unit = next(((s, u) for s, u in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if value >= s), (1, "B"))
    return f"{value / scale:.3g} {unit}" if value < 999.5 * scale else f"{value / scale:.0f} {unit}"


def mean(ratios):
    """The geometric mean; None of nothing."""
    logs = [math.log(ratio) for ratio in ratios if ratio]
    return math.exp(sum(logs) / len(logs)) if logs else None


def peers_of(cells):
    """Libraries beside fastgrad that have any time, in the order in which they are usually named."""
    names = {name for cell in cells for name in cell.times if name != "fastgrad"}
    return sorted(names, key=[*LIBRARIES, *sorted(names - set(LIBRARIES))].index)


# ---------------------------------------------------------------- tables that several suites have


def with_ratios(title, cells, label, first="", note="Ratios: their time over fastgrad's."):
    """A row for each cell: fastgrad's own amount, and for each peer its amount and the ratio."""
    peers = peers_of(cells)
    rows = []
    for cell in cells:
        row = [label(cell), amount(cell, "fastgrad")]
        for peer in peers:
            row += [amount(cell, peer), ratio_text(cell.ratio(peer))]
        rows.append(row)
    header = [first, "fastgrad", *(word for peer in peers for word in (peer, "ratio"))]
    return Table(title, header, rows, note if peers else "")


def means(cells, peers):
    """Geometric means by size and in all, and how many cells are behind."""
    sizes = sorted({cell.job.size for cell in cells})
    rows = []
    for peer in peers:
        known = [cell for cell in cells if cell.ratio(peer) is not None]
        row = [mean(cell.ratio(peer) for cell in known if cell.job.size == size) for size in sizes]
        row += [mean(cell.ratio(peer) for cell in known if cell.job.size >= 10**5)]
        row += [mean(cell.ratio(peer) for cell in known)]
        lost = sum(cell.ratio(peer) < 1 / NOISE for cell in known)
        rows.append([peer, *(ratio_text(ratio) for ratio in row), f"{lost} of {len(known)}"])
    header = ["", *(size_text(size) for size in sizes), "≥ 10⁵", "all", "slower"]
    note = f"Their time over fastgrad's. Slower: fastgrad takes more than {NOISE} times as long."
    return Table("Geometric means", header, rows, note)


def behind(cells, peer):
    """The cells in which fastgrad is slower than a peer, the worst first."""
    lost = sorted((cell.ratio(peer), i) for i, cell in enumerate(cells) if cell.ratio(peer) is not None)
    rows = []
    for ratio, i in lost:
        if ratio >= 1 / NOISE:
            break
        job, times = cells[i].job, cells[i].times
        noise = times["fastgrad"].spread + times[peer].spread
        size = size_text(job.size) if job.size else ""
        pair = [amount(cells[i], name) for name in (peer, "fastgrad")]
        rows.append([job.name, size, job.dtype or "", *pair, ratio_text(ratio), f"± {noise:.0%}"])
    header = ["", "elements", "dtype", peer, "fastgrad", "ratio", "noise"]
    return [Table(f"Where fastgrad is slower than {peer}", header, rows)] if rows else []


def problems(cells):
    """What went wrong: errors and differences of fastgrad and of the first peer one by one, differences of others."""
    loud = {"fastgrad", *peers_of(cells)[:1]}
    rows, others = {}, {}
    for cell in cells:
        for name, note in cell.notes.items():
            if note and name in loud:
                rows[cell.job.name, f"{cell.job.size or ''}", cell.job.dtype or "", name, note] = None
            elif note.startswith("differs"):
                others.setdefault((name, cell.job.dtype or ""), {}).setdefault(cell.job.name, note)
    for (name, dtype), notes in others.items():
        rows[", ".join(notes), "", dtype, name, next(iter(notes.values()))] = None
    return [Table("Not timed", ["", "elements", "dtype", "library", "why"], list(map(list, rows)))] if rows else []


# ---------------------------------------------------------------- the suites'


def sweep_tables(cells, times=False):
    """Ratios to the first peer, means of all, and the cells that fastgrad loses to the first."""
    peers = peers_of(cells)
    if not peers:
        text = lambda cell: amount(cell, "fastgrad")
        return [grid("Forward and backward: fastgrad's time", cells, text), *problems(cells)]
    peer = peers[0]

    def text(cell):
        if cell.ratio(peer) is None:
            return "!" if any(cell.notes.get(name) for name in ("fastgrad", peer)) else "-"
        return ratio_text(cell.ratio(peer)) + (f" ({amount(cell, 'fastgrad')})" if times else "")

    title = f"Forward and backward: {peer}'s time over fastgrad's" + (", in brackets fastgrad's" if times else "")
    return [grid(title, cells, text), means(cells, peers), *behind(cells, peer), *problems(cells)]


def grid(title, cells, text):
    """Rows by operation and columns by dtype and size, of `text(cell)`."""
    columns = sorted({(cell.job.dtype, cell.job.size) for cell in cells})
    found = {cell.job[1:4]: cell for cell in cells}
    rows = []
    for name in dict.fromkeys(cell.job.name for cell in cells):
        row = [found.get((name, size, dtype)) for dtype, size in columns]
        rows.append([name, *("" if cell is None else text(cell) for cell in row)])
    header = ["", *(f"{dtype.replace('float', 'f')} {size_text(size)}" for dtype, size in columns)]
    return Table(title, header, rows)


def overhead_tables(cells, times=False):
    """NumPy's own call beside fastgrad's three phases; backward and the chains beside the other libraries."""
    from ._operations import CHAINS

    found = {(cell.job.name, cell.job.size, cell.job.phase): cell for cell in cells}
    rows = []
    for name, size in dict.fromkeys((cell.job.name, cell.job.size) for cell in cells if cell.job.name not in CHAINS):
        base = found.get((name, size, "forward"))
        if base is None or "numpy" not in base.times:
            continue
        row = [name, size_text(size), amount(base, "numpy")]
        for phase in ("forward", "record", "gradient"):
            cell = found.get((name, size, phase))
            known = cell is not None and "fastgrad" in cell.times
            row.append(ratio_text(cell.times["fastgrad"].median / base.times["numpy"].median) if known else "-")
        rows.append(row)
    header = ["", "elements", "NumPy", "forward", "recorded", "with backward"]
    note = "fastgrad's time as a multiple of NumPy's for the forward call: below 1 it takes less."
    tables = [Table("What gradients cost beside NumPy's own call, float64", header, rows, note)] if rows else []
    gradients = [cell for cell in cells if cell.job.phase == "gradient" and cell.job.name not in CHAINS]
    if peers_of(gradients):
        tables.append(means(gradients, peers_of(gradients)))
    chains = [cell for cell in cells if cell.job.name in CHAINS]
    if chains:
        label = lambda cell: f"{cell.job.name}, {size_text(cell.job.size)} element{'s' * (cell.job.size > 1)}"
        tables.append(with_ratios("Value and gradient of a chain, float64", chains, label))
    return [*tables, *problems(cells)]


def model_tables(cells, times=False):
    from ._models import MODELS

    label = lambda cell: MODELS[cell.job.name].title if cell.job.name in MODELS else cell.job.name
    return [with_ratios("A step", cells, label), *problems(cells)]


def scaling_tables(cells, times=False):
    """Graphs: time for each part and its growth. Threads: one beside all."""
    tables, graphs = [], [cell for cell in cells if cell.job.suite == "scaling"]
    rows = []
    for name, size in dict.fromkeys((cell.job.name, cell.job.size) for cell in graphs):
        phases = {cell.job.phase: cell for cell in graphs if (cell.job.name, cell.job.size) == (name, size)}
        first = next(cell for cell in graphs if cell.job.name == name and cell.job.phase == "all")
        both = [cell.times.get("fastgrad") for cell in (phases["all"], first)]
        growth = f"{both[0].median / both[1].median:.2f}" if all(both) else "-"
        row = [name, size_text(size), *(amount(phases[phase], "fastgrad") for phase in ("build", "backward", "free"))]
        row += [growth, *(amount(phases["all"], "torch"), ratio_text(phases["all"].ratio("torch")))]
        rows.append(row)
    if rows:
        header = ["", "n", "build", "backward", "free", "growth", "torch, all", "ratio"]
        note = "Time for each of the n parts. Growth: all three together, over the same at the least n."
        tables.append(Table("Graphs of n parts", header, rows, note))
    shared = [cell for cell in cells if cell.job.suite == "threads"]
    if shared:
        text = lambda cell: ratio_text(cell.ratio("one thread"))
        tables.append(grid("Threads: the time on one over the time on all", shared, text))
    return [*tables, *problems(graphs)]


def memory_tables(cells, times=False):
    """Bytes saved by operation, peaks of models, and bytes for each node of a long graph."""
    from ._models import MODELS

    tables = []
    saved = [cell for cell in cells if cell.job.phase == "saved"]
    if saved:
        both = [cell for cell in saved if len(cell.times) == 2]
        bytes_of = lambda cell: [cell.times[name].median for name in ("fastgrad", "torch")]
        more = [cell for cell in both if bytes_of(cell)[0] > NOISE * bytes_of(cell)[1]]
        less = [cell for cell in both if bytes_of(cell)[1] > NOISE * bytes_of(cell)[0]]
        said = f"float32, 10⁵ elements: less than PyTorch {len(less)} times, more {len(more)} times."
        note = said + " Shown are those that differ." if peers_of(saved) else ""
        shown = [*more, *less] if peers_of(saved) else saved
        tables.append(with_ratios("Kept for the gradient", shown, lambda cell: cell.job.name, note=note))
    peaks = [cell for cell in cells if cell.job.phase == "peak"]
    label = lambda cell: MODELS[cell.job.name].title if cell.job.name in MODELS else cell.job.name
    if peaks:
        tables.append(with_ratios("The peak of three steps, beside inputs and parameters", peaks, label, note=""))
    nodes = [cell for cell in cells if cell.job.phase == "bytes a node"]
    if nodes:
        title = "The peak of a chain of n nodes, for each node"
        tables.append(with_ratios(title, nodes, lambda cell: f"n = {size_text(cell.job.size)}", note=""))
    return [*tables, *problems(cells)]


def import_tables(cells, times=False):
    names = ["numpy", "fastgrad", *(name for name in peers_of(cells) if name != "numpy")]
    words = {"time": "time", "memory": "peak of memory", "disk": "on disk"}
    rows = [[words[cell.job.name], *(amount(cell, name) for name in names)] for cell in cells]
    return [Table("import, in a fresh interpreter", ["", *names], rows, "fastgrad's holds NumPy's, but on disk.")]


TABLES = {
    "overhead": overhead_tables,
    "sweep": sweep_tables,
    "models": model_tables,
    "scaling": scaling_tables,
    "memory": memory_tables,
    "import": import_tables,
}
