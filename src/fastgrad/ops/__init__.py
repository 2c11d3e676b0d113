"""The table: every operation of fastgrad, a row each. Nothing else states a derivative.

To add an operation, add a row to the module of its family; backends, tests, benchmarks and docs find it in `TABLE`.
"""

from __future__ import annotations

from . import composites, decompositions, elementwise, indexing, linalg, reductions, shaping, views
from ._doc import complete
from ._row import TABLE, Like, Op, case, register

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

for _row in TABLE.values():
    _row.doc = complete(_row)

__all__ = [
    "ALIASES", "INTERNAL", "TABLE", "Like", "Op", "case", "composites", "decompositions", "elementwise", "indexing", "linalg",
    "reductions", "register", "shaping", "views",
]  # fmt: skip
