"""A picture of the sweep: a coloured cell for each operation, size and dtype."""

import math
from pathlib import Path

from . import Failure
from ._operations import OPERATIONS
from ._report import ratio_text, size_text

MOST = 32  # colours go from a 32nd to 32 times as fast
PANELS = 3


def picture(cells, peer, path):
    """Draw how many times as fast as a peer fastgrad is: blue where it is faster, red where it is slower."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = sorted({(cell.job.dtype, cell.job.size) for cell in cells})
    found = {(cell.job.name, cell.job.dtype, cell.job.size): cell.ratio(peer) for cell in cells}
    panels = panels_of(list(dict.fromkeys(cell.job.name for cell in cells)))
    height = max(len(lines) for lines in panels)
    figure = Figure(figsize=(len(panels) * (2.0 + 0.42 * len(columns)), 1.6 + 0.17 * height), layout="constrained")
    FigureCanvasAgg(figure)
    colours = mpl.colormaps["RdBu"]
    norm = mpl.colors.Normalize(-math.log(MOST), math.log(MOST), clip=True)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, lines in zip(axes, panels):
        for row, name in enumerate(lines):
            kind = name not in OPERATIONS
            ax.text(-0.6, row, name, ha="right", va="center", fontsize=7, fontweight="bold" if kind else "normal")
            for column, key in enumerate(columns):
                ratio = found.get((name, *key))
                if ratio is not None:
                    shade = norm(math.log(ratio))
                    ax.add_patch(mpl.patches.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colours(shade)))
                    ink = "white" if abs(shade - 0.5) > 0.33 else "black"
                    ax.text(column, row, ratio_text(ratio), ha="center", va="center", fontsize=5.5, color=ink)
        ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(height - 0.5, -0.5), yticks=[])
        name_columns(ax, columns)
    bar = figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=list(axes), location="bottom", aspect=60, shrink=0.5,
                          pad=0.01)  # fmt: skip
    ticks = [1 / 32, 1 / 8, 1 / 2, 1, 2, 8, 32]
    bar.set_ticks([math.log(tick) for tick in ticks], labels=["1/32", "1/8", "1/2", "1", "2", "8", "32"])
    bar.set_label(f"forward and backward: {peer}'s time over fastgrad's (blue: fastgrad is faster)", fontsize=8)
    try:
        figure.savefig(Path(path), dpi=100)
    except (OSError, ValueError) as error:
        raise Failure(f"cannot write {path}: {error}") from error


def name_columns(ax, columns):
    """Sizes over the columns, and over these the dtypes."""
    ax.set_xticks(range(len(columns)), [size_text(size) for _, size in columns], fontsize=6)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    dtypes = [dtype for dtype, _ in columns]
    for dtype in dict.fromkeys(dtypes):
        at = dtypes.index(dtype) + (dtypes.count(dtype) - 1) / 2
        ax.annotate(dtype, (at, 0), xytext=(0, 26), textcoords="offset points", ha="center", fontsize=7,
                    annotation_clip=False)  # fmt: skip


def panels_of(names):
    """The names in columns of about the same height, each kind under its own name and in one column."""
    kinds = {}
    for name in names:
        kinds.setdefault(OPERATIONS[name].kind, []).append(name)
    share = sum(len(own) + 1 for own in kinds.values()) / PANELS
    panels = [[]]
    for kind, own in kinds.items():
        if panels[-1] and len(panels[-1]) + (len(own) + 1) / 2 > share and len(panels) < PANELS:
            panels.append([])
        panels[-1] += [kind, *own]
    return panels
