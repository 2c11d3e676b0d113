"""What the functions of `fastgrad.nn.functional` share: their arguments, and what their docstrings say of them."""

from __future__ import annotations

from inspect import signature
from operator import index

import numpy as np

from .._backend import Tensor, backend
from .._backend import functions as _functions
from ..ops import TABLE
from ..ops.reductions import mean, sum

rows = _functions("fastgrad.nn.functional")  # the public functions of the rows of this module

# ---------------------------------------------------------------- arguments --


def value(x):
    """A Tensor (or what stands for many) as it is, anything else as a Tensor over the same memory."""
    return x if hasattr(type(x), "_apply_op") else backend.asarray(x)


def values(name, needed, *optional):
    """Operands as Tensors. Of those that are optional, None stays None."""
    for x in needed:
        if x is None:
            raise TypeError(f"{name}: expected an array_like, not None")
    return [value(x) for x in needed] + [None if x is None else value(x) for x in optional]


def like(x, other):
    """Integers and booleans in the dtype of another operand, so that they do not widen it."""
    return x.astype(other.dtype) if x.dtype.kind in "iub" and other.dtype.kind in "fc" else x


def array(x, what):
    """Numbers that no gradient is wanted of, as an ndarray; a lifted value stays what it is."""
    if hasattr(type(x), "_lifts"):
        return x
    if isinstance(x, Tensor):
        if x.requires_grad:
            raise ValueError(f"{what} requires grad, but there is no gradient in it: detach() it")
        return x.numpy()
    return np.asarray(x)


def integers(x, what):
    """Classes or the like, as integers."""
    x = array(x, what)
    if x.dtype.kind not in "iu":
        if x.size:
            raise TypeError(f"{what}: expected integers, got {x.dtype}")
        x = x.astype(np.intp)
    return x


def each(name, what, given, n):
    """A number for each of n axes, from one number or n of them."""
    if type(given) is int:
        return (given,) * n
    if np.ndim(given) == 0:
        return (index(given),) * n
    numbers = tuple(index(part) for part in given)
    if len(numbers) == 1:
        return numbers * n
    if len(numbers) != n:
        raise ValueError(f"{name}: {what} is one number or {n}, not {tuple(given)}")
    return numbers


def at_least(name, what, numbers, least):
    if min(numbers, default=least) < least:
        raise ValueError(f"{name}: {what} must be at least {least}, it is {numbers}")


def in_batch(name, x, n):
    """Images (N, C, ...) of n axes, and whether they were given without the N."""
    if x.ndim == n + 1:
        return x[None], True
    if x.ndim != n + 2:
        raise ValueError(
            f"{name}: expected {n + 1} or {n + 2} axes (channels, {n} of images), got shape {tuple(x.shape)}"
        )
    return x, False


def real(name, *xs):
    """Raise for complex numbers, of which there is no order."""
    for x in xs:
        if x is not None and x.dtype.kind == "c":
            raise TypeError(f"{name}: takes real numbers, not {x.dtype}")


def reduced(name, losses, reduction):
    """The mean or the sum of losses, or the losses themselves."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f'{name}: reduction must be "mean", "sum" or "none", not {reduction!r}')


def run(name, *operands, **options):
    """A row on Tensors, every option given."""
    return TABLE[name].on(operands, options)


# ---------------------------------------------------------------- docstrings --

_SIZE = "int or tuple of int"
ABOUT = {
    "input": ("array_like", "What the function is applied to."),
    "target": ("array_like", "What `input` should have been."),
    "weight": ("array_like", "The weights."),
    "bias": ("array_like or None", "What is added to each channel of the result."),
    "kernel_size": (_SIZE, "Size of the windows: one number, or one for each axis."),
    "stride": (_SIZE, "How far a window is from the next; for pooling None: the size of a window."),
    "padding": (_SIZE, "How many zeros (for a maximum: minus infinity) are put around the images."),
    "dilation": (_SIZE, "How far elements of a window are apart."),
    "groups": ("int", "Into how many groups the channels are divided that have kernels of their own."),
    "output_padding": (_SIZE, "What is added to one side of the result, whose size would be ambiguous else."),
    "output_size": ("int or tuple of int or None", "Size of the result; None in a tuple: that of the input."),
    "ceil_mode": ("bool", "Take windows that reach beyond the end of the images too."),
    "count_include_pad": ("bool", "Count the zeros of the padding in the mean."),
    "divisor_override": ("int or None", "Divide by this number instead."),
    "return_indices": ("bool", "Give the places of the maxima too, counted through each image."),
    "axis": ("int or tuple of int", "Axis or axes to work along; negative counts from the last."),
    "keepdims": ("bool", "Keep the axis, with size 1."),
    "eps": ("float", "Added (or the least that is divided by), so that nothing is divided by 0."),
    "inplace": ("bool", "Write the result to `input`."),
    "reduction": ('{"mean", "sum", "none"}', "How the losses are put together."),
    "p": ("float", "The chance of a 0; for norms and distances, which norm."),
    "training": ("bool", "False: give `input` as it is (batch_norm: use the running moments)."),
    "generator": ("numpy.random.Generator or None", "Where random numbers come from; None: NumPy's global state."),
    "ignore_index": ("int", "A class that counts for nothing."),
    "label_smoothing": ("float", "How much of each target's chance is spread evenly over all classes."),
    "margin": ("float", "The margin."),
    "normalized_shape": ("int or sequence of int", "The last axes of `input`, which are normalised together."),
    "running_mean": ("Tensor or None", "Mean of each channel so far; written in training."),
    "running_var": ("Tensor or None", "Variance of each channel so far; written in training."),
    "momentum": ("float", "How much of the new moments goes into the running ones."),
    "num_groups": ("int", "Into how many groups the channels are divided."),
    "num_classes": ("int", "How many classes there are; -1: as many as occur."),
    "approximate": ('{"none", "tanh"}', "The exact function, or the approximation through tanh."),
    "delta": ("float", "Where the square ends."),
    "beta": ("float", "Where the square ends; of softplus, the slope."),
    "negative_slope": ("float", "The slope where x is negative."),
    "dtype": ("dtype or None", "Dtype to compute in; None: that of the input."),
    "logits": ("array_like", "Logarithms of chances, up to a constant."),
}  # fmt: skip


def public(function):
    """Complete a docstring: what the parameters are goes before its examples."""
    if function.__doc__ is None:  # Python was told to leave them out
        return function
    text, _, examples = function.__doc__.strip().partition("    Examples\n")
    lines = [text.rstrip(), "", "    Parameters", "    ----------"]
    for name in signature(function).parameters:
        kind, about = ABOUT.get(name, ("", ""))
        lines += [f"    {name} : {kind}", f"        {about}"] if kind else [f"    {name}"]
    lines += ["", "    Returns", "    -------", "    Tensor", "", "    Examples", examples]
    function.__doc__ = "\n".join(lines) + "\n    "
    function.__module__ = "fastgrad.nn.functional"
    return function
