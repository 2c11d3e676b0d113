"""What the commands show on a terminal: a progress bar, tables, a plot in text. Plain where there is no terminal."""

import os
import shutil
import sys
import time


def is_terminal(stream):
    return hasattr(stream, "isatty") and stream.isatty() and os.environ.get("TERM") != "dumb"


def can_show(text, stream=None):
    """Whether `stream` (standard output) can encode `text`."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def style(text, code, stream=None):
    """`text` in an ANSI style ("1" bold, "2" faint, "32" green …), where the terminal wants it."""
    if not is_terminal(stream or sys.stdout) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def heading(text):
    print(f"\n{style(text, '1')}")


def duration(seconds):
    """A time to three figures: ``67 ns``, ``1.53 µs``, ``729 µs``."""
    units = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
    unit = next((unit for unit, scale in units.items() if seconds >= scale * 0.9995), "ns")
    value = seconds / units[unit]
    digits = 0 if value >= 99.95 or unit == "ns" else 1 if value >= 9.995 else 2
    text = f"{value:.{digits}f} {unit}"
    return text if can_show(text) else text.replace("µ", "u")


class _Bar:
    """One line of a terminal, drawn again at most twenty times a second."""

    def __init__(self, label, total, stream):
        self.label, self.total, self.stream = label, total, stream
        self.begun = time.perf_counter()
        self.next_draw = 0.0
        self.full, self.empty = ("█", "░") if can_show("█░", stream) else ("#", "-")

    def update(self, done, note):
        now = time.perf_counter()
        if now < self.next_draw and done < self.total:
            return
        self.next_draw = now + 0.05
        fraction = done / self.total
        left = (now - self.begun) * (1 - fraction) / fraction if done else 0.0
        head = f"{self.label} "
        tail = f" {fraction:4.0%}  {left:4.0f} s left  {note}"
        columns = shutil.get_terminal_size().columns
        width = max(10, min(40, columns - len(head) - len(tail) - 1))
        filled = round(width * fraction)
        line = f"{head}{self.full * filled}{self.empty * (width - filled)}{tail}"
        self.stream.write(f"\r{line[: columns - 1]}\x1b[K")
        self.stream.flush()

    def close(self):
        self.stream.write("\r\x1b[K")
        self.stream.flush()


class _RichBar:
    """The same, drawn by rich."""

    def __init__(self, label, total, stream):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()]
        self.progress = Progress(
            *columns, TextColumn("{task.fields[note]}"), console=Console(file=stream), transient=True
        )
        self.task = self.progress.add_task(label, total=total, note="")
        self.progress.start()
        self.next_draw = 0.0

    def update(self, done, note):
        now = time.perf_counter()
        if now >= self.next_draw:
            self.next_draw = now + 0.05
            self.progress.update(self.task, completed=done, note=note)

    def close(self):
        self.progress.stop()


class _Log:
    """Off a terminal: a line every half a minute, so that what runs for long shows that it does."""

    seconds = 30.0

    def __init__(self, label, total, stream):
        self.label, self.total, self.stream = label, total, stream
        self.next_line = time.perf_counter() + self.seconds

    def update(self, done, note):
        now = time.perf_counter()
        if now >= self.next_line:
            self.next_line = now + self.seconds
            self.stream.write(f"{self.label}: {done:,} of {self.total:,}  {note}\n")
            self.stream.flush()

    def close(self):
        pass


class Progress:
    """A progress bar on standard error while a block runs: rich's where it is installed; off a terminal a rare line.

    Parameters
    ----------
    label : str
    total : int
        Steps in all.
    show : bool
        False: draw nothing, wherever it runs.
    """

    def __init__(self, label, total, *, show=True):
        self.label, self.total, self.done, self.bar = label, max(total, 1), 0, None
        self.show = show

    def __enter__(self):
        if self.show and not is_terminal(sys.stderr):
            self.bar = _Log(self.label, self.total, sys.stderr)
        elif self.show:
            try:
                self.bar = _RichBar(self.label, self.total, sys.stderr)
            except ImportError:
                self.bar = _Bar(self.label, self.total, sys.stderr)
        return self

    def step(self, note=""):
        self.done += 1
        if self.bar is not None:
            self.bar.update(self.done, note)

    def __exit__(self, *exc_info):
        if self.bar is not None:
            self.bar.close()


def table(header, rows, *, align=None, rule=True):
    """Lines of a table. `align` has ``<`` or ``>`` for each column (default: the first to the left)."""
    align = align or "<" + ">" * (len(header) - 1)
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]

    def line(cells):
        return "  ".join(f"{cell!s:{side}{width}}" for cell, side, width in zip(cells, align, widths)).rstrip()

    lines = [line(header)]
    if rule:
        dash = "─" if can_show("─") else "-"
        lines.append("  ".join(dash * width for width in widths))
    return lines + [line(row) for row in rows]


def plot(values, *, width=64, height=12, log=False):
    """Lines of a plot in text: `values`, over 1, 2, 3 …; `log`: both axes are logarithmic."""
    import numpy as np

    values = np.asarray(values, dtype=float)
    count = len(values)
    spread = np.geomspace(1, count, width) if log else np.linspace(1, count, width)
    at = np.unique(np.rint(spread).astype(int))
    shown = values[at - 1]
    low, high = float(shown.min()), float(shown.max())
    levels = np.rint(_share(shown, low, high, log) * (height - 1)).astype(int)
    columns = np.rint(_share(at, 1, count, log) * (width - 1)).astype(int)
    grid = [[" "] * width for _ in range(height)]
    mark = "•" if can_show("•") else "*"
    for column, level in zip(columns, levels):
        grid[height - 1 - level][column] = mark
    edge, corner, floor = ("│", "└", "─") if can_show("│└─") else ("|", "+", "-")
    labels = {0: f"{high:,.0f}", height - 1: f"{low:,.0f}"}
    margin = max(len(label) for label in labels.values())
    lines = [f"{labels.get(i, ''):>{margin}} {edge}{''.join(row)}".rstrip() for i, row in enumerate(grid)]
    lines.append(f"{'':>{margin}} {corner}{floor * width}")
    end = f"{count:,}"
    lines.append(f"{'':>{margin}}  {'1':<{width - len(end)}}{end}")
    return lines


def _share(values, low, high, log):
    """Where `values` lie between `low` and `high`, from 0 to 1."""
    import numpy as np

    if not low < high:
        return np.zeros(len(values))
    if log and low > 0:
        return np.log(values / low) / np.log(high / low)
    return (values - low) / (high - low)
