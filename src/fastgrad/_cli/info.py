"""Print versions, the backend in use, which of NumPy's inner loops it found, and the threads it may use."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

import fastgrad as fg

from ._terminal import heading

EPILOG = """\
examples:
  python -m fastgrad info            for a bug report
  python -m fastgrad info --loops    every row with the dtypes it has a direct loop for
  python -m fastgrad info --json     for a program
"""

OTHERS = ("scipy", "torch", "jax", "autograd", "mygrad", "matplotlib", "rich")


def add_arguments(parser):
    parser.add_argument("--loops", action="store_true", help="list the loops found, row by row")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options):
    """Print what was found."""
    found = gather()
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    heading("versions")
    for name, value in found["versions"].items():
        show(name, value or "not installed")
    heading("backend")
    show("in use", found["backend"])
    show("extension", found["extension"])
    show("rows in the table", found["rows"])
    loops = found["loops"]
    if loops is not None:
        direct = sum(1 for dtypes in loops.values() if dtypes)
        show("rows with a direct loop", f"{direct} of {len(loops)} that could have one")
        missing = [name for name, dtypes in loops.items() if not dtypes]
        if missing:
            show("through the ufunc", ", ".join(missing))
        if options.loops:
            for name, dtypes in loops.items():
                show(f"  {name}", " ".join(dtypes) or "-")
    heading("machine")
    show("platform", found["platform"])
    show("cores this process may use", found["cores"])
    show("threads", found["threads"])
    show("NumPy's BLAS", found["blas"])
    return 0


def show(label, value):
    print(f"  {label:<26} {value}")


def gather():
    """Everything that is printed, as JSON's types."""
    versions = {"python": platform.python_version(), "fastgrad": fg.__version__, "numpy": np.__version__}
    versions.update({name: installed_version(name) for name in OTHERS})
    try:
        from fastgrad import _core as core
    except ImportError as error:
        core, extension = None, f"cannot be imported: {error}" if find_spec("fastgrad._core") else "not built"
    else:
        extension = core.__file__
    return {
        "versions": versions,
        "backend": fg.backend_name(),
        "extension": extension,
        "rows": len(fg.ops.load_all()),
        "loops": None if core is None else {name: sorted(found) for name, found in core.loops_found().items()},
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": fg.get_num_threads(),  # NumPy's BLAS has threads of its own
        "blas": blas(),
    }


def installed_version(name):
    """The version of a distribution, read without importing it; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def blas():
    """Which BLAS NumPy's matmul runs on."""
    found = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return " ".join(part for part in (found.get("name"), found.get("version")) if part) or "unknown"
