"""The forwards of rows with loops of csrc, of their form in NumPy (`_elementary`)."""

from __future__ import annotations

from functools import partial
from importlib import import_module

import numpy as np


class Lazy:
    """A function of `_elementary`, which is imported when one of them is first called: the core has loops of its own."""

    def __init__(self, name):
        self.__name__ = name

    def __call__(self, *operands):
        return getattr(import_module("._elementary", __package__), self.__name__)(*operands)


def curve(function, general=None):
    """The forward of a row: of single and double precision `function`, of any other dtype `general`.

    Without that other real numbers are `function`'s too, and complex ones an error.
    """

    if general is None:
        general = partial(_of_real, function)

    def forward(*operands):
        dtype = np.result_type(*operands)
        if dtype.kind != "f" or dtype.itemsize not in (4, 8):
            return general(*operands)
        native = np.float32 if dtype.itemsize == 4 else np.float64
        with np.errstate(all="ignore"):  # of what is computed and not chosen
            return function(*[np.asarray(x, native) for x in operands])

    forward.general = general
    return forward


def _of_real(function, *operands):
    dtype = np.result_type(*operands)
    if dtype.kind not in "fiub":
        raise TypeError(f"{function.__name__}: takes real numbers, not {dtype}")
    return function(*operands)
