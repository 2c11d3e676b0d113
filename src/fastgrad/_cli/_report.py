"""What measurements amount to: tables of ratios, geometric means, and where fastgrad is slower."""

import math
from typing import NamedTuple

from ._terminal import duration, heading, table

NOISE = 1.05  # a cell counts as slower from here on


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
        lines = [f"### {self.title}", ""]
        lines.append("| " + " | ".join(self.header) + " |")
        lines.append("| --- |" + " ---: |" * (len(self.header) - 1))
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows]
        return "\n".join([*lines, "", *([self.note, ""] if self.note else [])])


def size_text(size):
    """1, 1,000, 10⁵: a number of elements."""
    power = round(math.log10(size)) if size else 0
    if size > 1000 and 10**power == size:
        return "10" + str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{size:,}"


def ratio_text(ratio):
    return (
        "-"
        if ratio is None
        else f"{ratio:.0f}"
        if ratio >= 99.5
        else f"{ratio:.1f}"
        if ratio >= 9.95
        else f"{ratio:.2f}"
    )


def mean(ratios):
    """The geometric mean; None of nothing."""
    logs = [math.log(ratio) for ratio in ratios if ratio]
    return math.exp(sum(logs) / len(logs)) if logs else None


def peers_of(cells):
    """Libraries beside fastgrad, in the order they first appear."""
    return [name for name in dict.fromkeys(name for cell in cells for name in cell.times) if name != "fastgrad"]


def sweep_tables(cells, times=False):
    """Ratios to the first peer, means of all, and the cells that fastgrad loses."""
    peers = peers_of(cells)
    tables = [ratios(cells, peer, times) for peer in peers[:1]] or [own_times(cells)]
    if peers:
        tables.append(means(cells, peers))
    tables += [table for table in (slower(cells, peer) for peer in peers[:1]) if table.rows]
    return [*tables, *problems(cells)]


def columns_of(cells):
    return sorted({(cell.job.dtype, cell.job.size) for cell in cells})


def grid(cells, text):
    """Rows by operation and columns by dtype and size, of `text(cell)`."""
    columns = columns_of(cells)
    found = {(cell.job.name, cell.job.dtype, cell.job.size): cell for cell in cells}
    names = dict.fromkeys(cell.job.name for cell in cells)
    rows = [
        [name, *(text(found[name, *column]) if (name, *column) in found else "" for column in columns)]
        for name in names
    ]
    short = {"float32": "f32", "float64": "f64"}
    return ["", *(f"{short.get(dtype, dtype)} {size_text(size)}" for dtype, size in columns)], rows


def ratios(cells, peer, times):
    def text(cell):
        if cell.ratio(peer) is None:
            return "!" if any(cell.notes.get(name) for name in ("fastgrad", peer)) else "-"
        own = f" ({duration(cell.times['fastgrad'].median)})" if times else ""
        return ratio_text(cell.ratio(peer)) + own

    header, rows = grid(cells, text)
    own = ", in brackets fastgrad's time" if times else ""
    return Table(
        f"Forward and backward: {peer}'s time over fastgrad's{own}", header, rows, "Above 1 fastgrad is faster."
    )


def own_times(cells):
    header, rows = grid(cells, lambda c: duration(c.times["fastgrad"].median) if "fastgrad" in c.times else "!")
    return Table("Forward and backward: fastgrad's time", header, rows)


def means(cells, peers):
    """Geometric means by size and in all, and how many cells are slower."""
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
    return Table(
        "Geometric means of these ratios", header, rows, f"Slower: fastgrad takes more than {NOISE} times as long."
    )


def slower(cells, peer):
    """The cells that fastgrad loses, the worst first."""
    lost = sorted((cell.ratio(peer), i) for i, cell in enumerate(cells) if cell.ratio(peer) is not None)
    rows = []
    for ratio, i in lost:
        if ratio >= 1 / NOISE:
            break
        job, times = cells[i].job, cells[i].times
        noise = times["fastgrad"].spread + times[peer].spread
        pair = [duration(times[name].median) for name in (peer, "fastgrad")]
        rows.append([job.name, size_text(job.size), job.dtype, *pair, ratio_text(ratio), f"± {noise:.0%}"])
    header = ["", "elements", "dtype", peer, "fastgrad", "ratio", "noise"]
    return Table(f"Where fastgrad is slower than {peer}", header, rows)


def problems(cells):
    """What went wrong: results that differ, and errors of fastgrad and of the first peer."""
    loud = {"fastgrad", *peers_of(cells)[:1]}
    rows = [
        [cell.job.name, f"{cell.job.size or ''}", cell.job.dtype or "", name, note]
        for cell in cells
        for name, note in cell.notes.items()
        if note and (name in loud or note.startswith("differs"))
    ]
    return [Table("Not timed", ["", "elements", "dtype", "library", "why"], rows)] if rows else []
