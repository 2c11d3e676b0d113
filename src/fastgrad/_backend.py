"""The choice of a backend, and the rows made public by it.

``FASTGRAD_BACKEND=reference`` picks the pure-Python backend, ``compiled`` insists on the compiled one; unset, the
compiled one is taken where the extension was built.
"""

from __future__ import annotations

import os
from functools import wraps
from importlib import import_module

from . import _errors
from .ops import ALIASES, INTERNAL, TABLE, load, load_all, register


def _choose():
    wanted = os.environ.get("FASTGRAD_BACKEND") or None
    if wanted not in (None, "compiled", "reference"):
        raise _errors.unknown_backend(wanted)
    if wanted != "reference":
        try:
            return import_module("fastgrad._core")
        except ModuleNotFoundError as error:
            if error.name != "fastgrad._core":
                raise  # it is there and broken: say so, rather than be slow in silence
            if wanted == "compiled":
                raise _errors.no_compiled_backend(error) from error
    from . import _reference

    return _reference


backend = _choose()
Tensor = backend.Tensor

if hasattr(os, "register_at_fork"):  # or a child may find the lock held by a thread that it does not have
    os.register_at_fork(
        before=backend.accumulating.acquire,
        after_in_parent=backend.accumulating.release,
        after_in_child=backend.accumulating.release,
    )


_made = {}  # the public function of every row that was asked for: there is one


def function(name):
    """The public function of a row that is loaded."""
    op = TABLE[name]
    made = _made.get(name)
    if made is None or made[0] is not op:
        made = _made[name] = op, _function(op)
    return made[1]


def functions(module):
    """The public functions of the rows that live in a module, by name and alias."""
    load(module)
    return {name: function(row) for name, row in rows(module).items()}


def rows(module):
    """The rows that the public functions of a module are made of, by name and alias: of those that are loaded."""
    found = {name: name for name, op in list(TABLE.items()) if op.module == module and not op.users}
    found.update((alias, name) for alias, name in ALIASES.items() if name in found)
    return {name: row for name, row in found.items() if name not in INTERNAL}


def _function(op):
    function = backend.bind(op)
    if op.named is None:
        return function

    @wraps(function)
    def named(*args, **kwargs):
        return op.named(*function(*args, **kwargs))

    return named


def backend_name():
    """Which backend computes: ``"compiled"`` or ``"reference"``.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.backend_name() in ("compiled", "reference")
    True
    """
    return backend.name


def register_op(name, fn, signature, **row):
    """Register an operation of your own, and get its public function.

    It is the call that fastgrad's own operations are made with: with ``vjp`` left out, `fn` is an expression
    in other operations, from which the derivative follows.

    Parameters
    ----------
    name : str
        A name that none of fastgrad's own operations has; one of yours is replaced. The graph shows ``<NameBackward>``.
    fn : callable
        The forward on ndarrays: ``fn(*operands, **options)``.
    signature : str
        Operands, a semicolon, options with defaults: ``"x, y; axis=None"``.
    **row
        ``vjp``: for each operand a ``lambda g, out, *operands, **options`` that gives the operand's gradient (None: the
        operation has no derivative). ``saves``: which of "out" and the operands those lambdas read the values of; the
        others arrive as shape and dtype alone. See `fastgrad.ops.Op` for the rest.

    Returns
    -------
    callable
        Takes Tensors, arrays, scalars and sequences, and gives Tensors.

    Raises
    ------
    ValueError
        If the name is one of fastgrad's, or the row contradicts itself.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgrad as fg
    >>> cumulate = fg.register_op(
    ...     "cumulate", lambda x: np.cumsum(x), "x",
    ...     vjp=lambda g, out, x: fg.flip(cumulate(fg.flip(g))),
    ... )
    >>> x = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> cumulate(x).sum().backward()
    >>> x.grad
    tensor([3., 2., 1.])
    """
    op = load_all().get(ALIASES.get(name, name))
    if op is not None and not op.users:
        raise ValueError(f"an operation named {name!r} is registered already, by fastgrad itself")
    return backend.bind(register(name, fn, signature, users=True, **row))
