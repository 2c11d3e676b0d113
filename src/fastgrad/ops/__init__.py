"""The table: every operation of fastgrad, a row each. Nothing else states a derivative.

To add an operation, add a row to the module of its family; backends, tests, benchmarks and docs find it in `TABLE`.
The families that most programs do without are left out of the import: `load` brings them in.
"""

from __future__ import annotations

from importlib import import_module

from . import classes, composites, elementwise, indexing, linalg, reductions, shaping, views
from ._row import TABLE, Like, Op, case, register

#: The families that are imported when one of their rows is first asked for, by the public module that they fill.
LATER = {
    "fastgrad": ("elementwise_more", "spaces", "padding", "numeric", "joining", "selecting", "polynomials", "masked", "averages", "histograms", "running", "segments", "sets", "sorting", "statistics"),
    "fastgrad.special": ("special", "bessel"),
    "fastgrad.nn.functional": ("activations", "convolutions", "layers", "losses", "normalizations", "pooling", "resampling"),
    "fastgrad.linalg": ("decompositions", "factorizations", "matrices"),
    "fastgrad.fft": ("fourier",),
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
        "absolute_terms",
        "add_along_axis",
        "add_at",
        "affine",
        "all_where",
        "any_where",
        "as_view",
        "chance_terms",
        "class_loss",
        "cofactors",
        "convolution",
        "convolution_input",
        "convolution_weight",
        "copy_slices",
        "cosine_terms",
        "elu_pull",
        "elu_terms",
        "expit_pull",
        "gate",
        "hardswish_pull",
        "huber_between",
        "huber_pull",
        "clamp",
        "gaussian_terms",
        "gelu_pull",
        "gelu_terms",
        "getitem",
        "glu_terms",
        "hinge_terms",
        "huber_terms",
        "interp_between",
        "interp_cells",
        "interp_order",
        "kl_terms",
        "leaky_terms",
        "relu_pull",
        "sigmoid_pull",
        "softplus_pull",
        "linear",
        "linear_map",
        "log_ndtr_pull",
        "logistic_loss",
        "logistic_pull",
        "margin_terms",
        "max_where",
        "mean_where",
        "min_where",
        "mish_pull",
        "peak",
        "poisson_terms",
        "prelu_terms",
        "prod_where",
        "psi_terms",
        "i1_slope",
        "i1e_slope",
        "logit_pull",
        "sinc_slope",
        "share",
        "trigamma",
        "padded",
        "put_add",
        "put_along",
        "ranked_places",
        "recurrence",
        "scalar_power",
        "resampled",
        "segment_sum",
        "setitem",
        "sharp_pull",
        "sharp_softplus",
        "sharp_terms",
        "silu_pull",
        "smooth_l1_terms",
        "soft_margin_terms",
        "square_terms",
        "standardize",
        "std_where",
        "still_there",
        "sum_of_products",
        "sum_where",
        "topk_places",
        "triplet_terms",
        "unique_parts",
        "left_over",
        "only_once",
        "intersection",
        "bincount_weighted",
        "histogram_places",
        "weighted_counts",
        "cells",
        "cell_places",
        "weighted_cells",
        "var_where",
        "weighted_nanquantile",
        "weighted_quantile",
        "weighted_logistic_loss",
        "window_argmax",
        "window_max",
        "window_pick",
        "window_put",
    }
)

__all__ = [
    "ALIASES", "INTERNAL", "LATER", "TABLE", "Like", "Op", "case", "classes", "composites", "elementwise", "indexing", "linalg",
    "load", "load_all", "reductions", "register", "shaping", "views",
]  # fmt: skip
