"""What benchmarks with limits share: their options, the examples they run, how BLAS runs, and how they end."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def in_one_thread():
    """Start this script anew, with BLAS in one thread, which it is told when it is loaded.

    The problems are small, and the pools of several libraries in one process stand in each other's way.
    """
    if any(os.environ.get(name) != "1" for name in _THREADS):
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        os.execv(sys.executable, [sys.executable, *sys.argv])


def options(doc, quick="fewer rounds"):
    """The options of a benchmark, whose docstring is its help; more may be added."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--check", action="store_true", help="fail where a limit is not met")
    return parser


def example(name):
    """A module of examples/."""
    if str(EXAMPLES) not in sys.path:
        sys.path.append(str(EXAMPLES))
    return import_module(name)


def conclude(missed, check):
    """Print the limits that were missed; the status to exit with."""
    for line in missed:
        print(f"limit not met: {line}")
    return 1 if missed and check else 0
