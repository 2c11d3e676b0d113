"""Docstrings of the public functions, so that a row needs only a summary and an example.

`doc` writes the two down; `complete` adds what the row itself knows: its operands, options and result.
"""

from __future__ import annotations

import inspect

#: What the options are, by name, or by ``row.name`` where a row differs.
OPTIONS = {
    "axis": ("int, tuple of int or None", "Axis or axes to reduce; negative counts from the last, None means all."),
    "keepdims": ("bool", "Keep the reduced axes, with size 1."),
    "dtype": ("dtype or None", "Dtype of the result; None: NumPy's choice."),
    "correction": ("int or float", "Degrees of freedom: the divisor is ``n - correction`` (NumPy's ``ddof``)."),
    "shape": ("int or tuple of int", "The new shape."),
    "copy": ("bool or None", "True: always copy; False: never, or raise ValueError; None: only where needed."),
    "decimals": ("int", "Digits kept after the point."),
    "reduction": ('{"mean", "sum", "none"}', "How the losses are put together."),
    "approximate": ('{"none", "tanh"}', "The exact function, or the approximation through tanh."),
    "exponent": ("int or float", "The power."),
    "index": ("index", "Anything NumPy takes between brackets."),
    "indices_or_sections": ("int or sequence of int", "Number of equal parts, or where to cut."),
    "mode": ("str", '"constant", "empty", "edge", "wrap", "reflect" or "symmetric", as in `numpy.pad`.'),
    "constant_values": ("scalar or sequence", 'What is filled in, for the mode "constant".'),
    "pad_width": ("int or sequence of pairs", "How many elements before and after, for each axis."),
    "reps": ("int or tuple of int", "How often, for each axis."),
    "repeats": ("int or array of int", "How often; an array has one number for each element along the axis."),
    "shift": ("int or tuple of int", "By how many places, for each axis."),
    "source": ("int or tuple of int", "Where the axes are."),
    "destination": ("int or tuple of int", "Where they go."),
    "axis1": ("int", "One axis."),
    "axis2": ("int", "The other."),
    "axes": ("tuple of int or None", "The axes in their new order; None: reversed."),
    "tensordot.axes": ("int or pair of sequences", "How many axes to sum over, or which of x and of y."),
    "chain": ("tuple", "Pairs of a row and its options, from the base to the view."),
    "subscripts": ("str", "As in `numpy.einsum`; the operands follow."),
    "optimize": ("bool or str", "As in `numpy.einsum`."),
    "cumsum.axis": ("int or None", "Axis to run along; None: the flattened array."),
    "cumprod.axis": ("int or None", "Axis to run along; None: the flattened array."),
    "argmax.axis": ("int or None", "Axis to search; None: the flattened array."),
    "argmin.axis": ("int or None", "Axis to search; None: the flattened array."),
    "softmax.axis": ("int, tuple of int or None", "Where the results add up to 1; None: over everything."),
    "log_softmax.axis": ("int, tuple of int or None", "Where the probabilities add up to 1; None: over everything."),
    "concat.axis": ("int or None", "Axis to join along; None: everything is flattened first."),
    "stack.axis": ("int", "Where the new axis goes."),
    "split.axis": ("int", "Axis to cut."),
    "expand_dims.axis": ("int or tuple of int", "Where the new axes are in the result."),
    "squeeze.axis": ("int, tuple of int or None", "Which axes of size 1 to remove; None: all."),
    "flip.axis": ("int, tuple of int or None", "Axes to reverse; None: all."),
    "roll.axis": ("int, tuple of int or None", "Axes to roll along; None: the flattened array."),
    "repeat.axis": ("int or None", "Axis to repeat along; None: the flattened array."),
    "offset": ("int", "Which diagonal: above the main one, or, negative, below."),
    "k": ("int", "Which diagonal: above the main one, or, negative, below."),
    "unstack.axis": ("int", "Axis to cut."),
    "trans": ('{0, 1, 2, "N", "T", "C"}', "What op(a) is: a, its transpose, its conjugate transpose."),
    "lower": ("bool", "Which triangle of a is read."),
    "unit_diagonal": ("bool", "Take the diagonal to be ones, whatever it is."),
    "upper": ("bool", "Which triangle of a is read, and which the result fills."),
    "ord": ("int, float, inf or -inf", "Which norm."),
    "norm.ord": ('int, float, inf, -inf, "fro" or None', "Which norm; None: the square root of the sum of squares."),
    "UPLO": ('{"L", "U"}', "Which triangle of a is read."),
    "astype.dtype": ("dtype", "Dtype of the result."),
    "astype.copy": ("bool", "False: give the same memory back where the dtype is right already."),
}


def doc(summary, call, shows, notes=""):
    """A summary, an example (written without ``fg.``) and what it shows, and any further paragraphs."""
    text = [summary]
    if notes:
        text += ["", "Notes", "-----", inspect.cleandoc(notes)]
    lines = shows.split("\n")
    text += ["", "Examples", "--------", ">>> import fastgrad as fg", f">>> fg.{call}", *lines]
    return "\n".join(text)


def describe(options):
    """Say what further options are: name, or ``row.name``, to (type, sentence)."""
    OPTIONS.update(options)


def _known(op, name):
    """What is known of a parameter: its type and, if it is no plain operand, a sentence."""
    bare = name.lstrip("*")
    found = OPTIONS.get(f"{op.name}.{bare}")
    if found is None and bare in op.operands:
        return ("sequence of array_like" if op.variadic and name == bare else "array_like"), None
    return found or OPTIONS.get(bare)


def _public(op):
    """The parameters of the public call where all are known, or else the row's operands and options."""
    if op._bind is not None and op._bind.__name__ != op.name:
        code = op._bind.__code__
        count = code.co_argcount + code.co_kwonlyargcount
        names = list(code.co_varnames[: count + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)])
        if code.co_flags & 0x04:  # CO_VARARGS, which stand before what is by keyword only
            names.insert(code.co_argcount, f"*{names.pop(count)}")
        if code.co_flags & 0x08:  # CO_VARKEYWORDS
            names[-1] = f"**{names[-1]}"
        if all(_known(op, name) for name in names):
            return names
    return (*op.operands, *op.options)


def complete(op, text):
    """Put Parameters and Returns between the summary and the rest of a row's docstring."""
    summary, _, rest = text.partition("\n\n")
    parameters = []
    for name in _public(op):
        kind, about = _known(op, name) or (None, None)
        parameters += [f"{name} : {kind}" if kind else name, *([f"    {about}"] if about else [])]
    result = "tuple of Tensor" if op.multi else "Tensor"
    about = "Of the broadcast shape" if len(op.operands) > 1 else "Of the shape of the operand"
    returns = [result, f"    {about}, with the dtype that NumPy gives it."] if op.elementwise else [result]
    if op.vjp is None:
        returns.append("    It never requires grad.")
    sections = [summary, "", "Parameters", "----------", *parameters, "", "Returns", "-------", *returns]
    return "\n".join(sections) + ("\n\n" + rest if rest else "") + "\n"
