"""How a Tensor is shown."""

from __future__ import annotations

import numpy as np

_DEFAULT = frozenset(map(np.dtype, (np.bool_, np.int64, np.float64, np.complex128)))


class _Invalid:
    """Shown for a node that cannot be had."""

    def name(self):
        """What stands between the brackets."""
        return "Invalid"


INVALID = _Invalid()


def show(array, requires_grad=False, grad_fn=None):
    """``tensor([1., 2.], dtype=float32, requires_grad=True)``: the values, and what is not usual about them."""
    parts = [np.array2string(array, separator=", ", prefix="tensor(", suffix=")")]
    if array.size == 0 and array.shape != (0,):
        parts = ["[]", f"shape={array.shape}"]
    if array.dtype not in _DEFAULT:
        parts.append(f"dtype={array.dtype}")
    if grad_fn is not None:
        parts.append(f"grad_fn=<{grad_fn.name()}>")
    elif requires_grad:
        parts.append("requires_grad=True")
    line = ", ".join(parts[1:])
    if not line:
        return f"tensor({parts[0]})"
    last = len(parts[0]) - parts[0].rfind("\n") - 1 + (0 if "\n" in parts[0] else len("tensor("))
    gap = " " if last + len(line) + 3 <= np.get_printoptions()["linewidth"] else "\n" + " " * len("tensor(")
    return f"tensor({parts[0]},{gap}{line})"
