"""The table: every operation of fastgrad, a row each. Nothing else states a derivative.

To add an operation, add a row to the module of its family; backends, tests, benchmarks and docs find it in `TABLE`.
The families that most programs do without are left out of the import: `load` brings them in.
"""

from __future__ import annotations

from importlib import import_module

from . import composites, elementwise, indexing, linalg, reductions, shaping, views
from ._row import TABLE, Like, Op, case, register

#: The families that are imported when one of their rows is first asked for, by the public module that they fill.
LATER = {
    "fastgrad": (),
    "fastgrad.linalg": ("decompositions",),
}  # fmt: skip


def load(module):
    """Bring in the rows of a public module that `import fastgrad` leaves for later."""
    for name in LATER.get(module, ()):
        import_module(f"{__name__}.{name}")


def load_all():
    """Bring in all rows, and give the whole table."""
    for module in LATER:
        load(module)
    return TABLE


#: Further public names of rows: those of the array API standard where NumPy's came first, and NumPy's own twins.
ALIASES = {
    "absolute": "abs", "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atan2": "arctan2", "atanh": "arctanh", "pow": "power", "mod": "remainder", "true_divide": "divide",
    "conjugate": "conj", "around": "round", "fix": "trunc", "bitwise_not": "bitwise_invert", "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift", "amax": "max", "amin": "min",
    "concatenate": "concat", "permute_dims": "transpose", "copy": "clone",
}  # fmt: skip

#: Rows that formulas and the engine are made of, and that are no functions of the public namespace.
INTERNAL = frozenset(
    {
        "as_view",
        "cofactors",
        "copy_slices",
        "getitem",
        "logistic_loss",
        "peak",
        "put_add",
        "recurrence",
        "scalar_power",
        "setitem",
    }
)

__all__ = [
    "ALIASES", "INTERNAL", "LATER", "TABLE", "Like", "Op", "case", "composites", "elementwise", "indexing", "linalg",
    "load", "load_all", "reductions", "register", "shaping", "views",
]  # fmt: skip
