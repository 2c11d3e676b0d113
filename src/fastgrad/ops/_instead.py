"""Instead: a public call that is not the row's own, but another row's or an expression in rows.

``np.sum(x, where=mask)`` is no option of the row `sum`, whose way is short: its `bind` gives an `Instead` as the only
operand, and whoever runs the operation is told so by it, as by a lifted value.
"""

from __future__ import annotations

import numpy as np


class Instead:
    """``function(*args, **kwargs)``, to be run in the place of the operation whose only operand this is."""

    __slots__ = ("args", "function", "kwargs")
    _lifts = True

    def __init__(self, function, *args, **kwargs):
        self.function, self.args, self.kwargs = function, args, kwargs

    @staticmethod
    def _apply_op(op, operands, options):
        (call,) = operands
        return _tensors(call.function(*call.args, **call.kwargs))


def instead(function, *args, **kwargs):
    """What a row's `bind` gives for such a call."""
    return (Instead(function, *args, **kwargs),), {}


def _tensors(result):
    """Rows give ndarrays for ndarrays; a public function gives Tensors."""
    if isinstance(result, (np.ndarray, np.generic)):
        from .._backend import backend

        return backend.asarray(result)
    if type(result) is tuple:
        return tuple(map(_tensors, result))
    return result
