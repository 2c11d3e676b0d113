"""What the examples share: their options, a progress bar, and pictures."""

import argparse
import pathlib

from fastgrad._cli._terminal import Progress, heading, table

__all__ = ["Progress", "arguments", "heading", "save_picture", "table"]


def arguments(doc):
    """The options of an example: ``--quick`` for a try in a second or two, ``--folder`` for its picture."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small setting, to see that it runs")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(), help="where the picture is saved")
    return parser.parse_args()


def save_picture(name, folder, draw, size=(7.0, 4.0)):
    """Save what ``draw(figure)`` draws, where matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("matplotlib is not installed: no picture")
        return
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    path = pathlib.Path(folder) / f"{name}.png"
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")
