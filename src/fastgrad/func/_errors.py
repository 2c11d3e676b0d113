"""The wording of what transforms of functions raise; see `fastgrad._errors`, whose other errors are known here too."""

from __future__ import annotations

from .._errors import (  # noqa: F401
    deepcopy_non_leaf,
    gradient_dtype,
    gradient_shape,
    in_place_dtype,
    in_place_shape,
    not_in_place,
    not_real,
    requires_grad_dtype,
)  # fmt: skip


def batched_control_flow():
    return RuntimeError(
        "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow: it stands for many "
        "examples, which have no one truth value. Use fastgrad.where"
    )


def batched_item():
    return RuntimeError(
        "vmap: It looks like you're calling .item() on a Tensor, which stands for many examples here and is no one "
        "number. Please rewrite it with other operations"
    )


def batched_mask():
    return RuntimeError(
        "vmap: We do not support batching operators that can support dynamic shape: indexing with a boolean mask that "
        "is different for each example. Use fastgrad.where"
    )


def batched_in_place(op_name):
    return RuntimeError(
        f"vmap: inplace arithmetic ({op_name}) is not possible, because what is written is vmapped over but the Tensor "
        "that is written to is not. Please use out-of-place operators, or make the Tensor by zeros_like() of one"
    )


def dual_in_place(op_name):
    return RuntimeError(
        f"jvp: {op_name} in place is not possible, because what is written has a tangent but the Tensor that is "
        "written to has none. Please use out-of-place operators, or make the Tensor with zeros_like() of one that has"
    )


def batch_loop(op_name):
    """The text of a warning."""
    return (
        f"vmap: {op_name} has no rule for batches, so that it is run for one example after the other (a row says how "
        "with batch=)"
    )


def batch_loop_empty():
    return ValueError("vmap: an operation without a rule for batches cannot run on no examples")


def lifted_to_numpy():
    return RuntimeError(
        "a Tensor inside of vmap or jvp stands for other values and has no memory of its own: "
        "numpy(), np.asarray() and pickle need one outside of it"
    )


def lifted_backward():
    return RuntimeError(
        "backward(), requires_grad_() and hooks inside of vmap or jvp are not supported: use fastgrad.func.grad or "
        "fastgrad.func.vjp there, or call them outside"
    )


def argnums_type(argnums):
    return RuntimeError(f"argnums must be int or tuple of int, got: {type(argnums).__name__}")


def argnums_range(argnum, count):
    return RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")


def argnums_tuple(argnums):
    if not argnums:
        return RuntimeError("argnums must be non-empty")
    return RuntimeError(f"argnums elements must be unique, got {argnums}")


def not_a_scalar(where, ndim):
    return RuntimeError(
        f"{where}: Expected f(*args) to return a scalar Tensor, got one with {ndim} dims. "
        "Maybe you wanted to use the vjp or jacrev APIs instead?"
    )


def not_a_result(where, value):
    return RuntimeError(f"{where}: Expected f(*args) to return a Tensor, got {type(value).__name__}")


def not_a_mapped_result(where, value):
    return ValueError(
        f"{where}: the function must only return Tensors, arrays and numbers, got {type(value).__name__}. "
        "Did you mean to set out_axes to None for it?"
    )


def no_aux(where):
    return RuntimeError(f"{where}: output of function f should be a tuple: (output, aux) if has_aux is True")


def tree_mismatch(where, one, other, shown, other_shown):
    """Two trees, named `one` and `other`, that must have one structure and have not."""
    return RuntimeError(
        f"{where}: Expected {one} and {other} to have the same structure, got {shown} and {other_shown}"
    )


def primals_type(name, value):
    return RuntimeError(
        f"jvp(f, primals, tangents): Expected {name} to be a tuple, so that f(*primals) can be called; "
        f"got {type(value).__name__}"
    )


def tangent_shape(where, expected, got):
    return RuntimeError(f"{where}: a value of shape {tuple(expected)} cannot have a tangent of shape {tuple(got)}")


def independent(where):
    return RuntimeError(f"{where}: The output of f is independent of the inputs. This is not allowed with strict=True.")


def not_differentiable(where, dtype):
    return RuntimeError(f"{where}: Expected primal to be floating point or complex, but got: {dtype!s}")


def complex_jacobian(where, what, dtype):
    return RuntimeError(f"{where}: Expected all {what} to be real, got dtype {dtype!s}; use vjp or jvp")


def axes_type(where, axes):
    return ValueError(
        f"{where}: expected in_axes to be int or a (nested) tuple, list or dict that matches the structure of inputs, "
        f"got {axes!r}"
    )


def axes_structure(where, name, axes, shown):
    return ValueError(f"{where}: {name}={axes!r} is not compatible with the structure of the values, {shown}")


def axis_of_no_array(where, axis, value):
    return ValueError(
        f"{where}: Got in_axis={axis} for an input of type {type(value).__name__}. We cannot vmap over values that are "
        "not arrays, please use None as the respective axis"
    )


def axis_range(where, axis, ndim):
    return ValueError(
        f"{where}: Got in_axis={axis} for some input, but that input is of dimensionality {ndim}, "
        f"so expected -{ndim} <= axis < {ndim}"
    )


def out_axis_range(where, axis, ndim):
    return IndexError(f"{where}: out_axes: expected an axis in [{-ndim}, {ndim - 1}], got {axis}")


def batch_sizes(sizes):
    return ValueError(
        "vmap: Expected all arrays to have the same size in the mapped dimension, "
        f"got sizes {list(sizes)} for the mapped dimension"
    )


def nothing_to_map(where):
    return ValueError(f"{where}: Expected at least one array to vmap over")


def batched_result(where):
    return ValueError(f"{where}: a result that is different for each example needs an axis; its out_axes is None")


def chunk_size(value):
    return ValueError(f"chunk_size should be None or greater than 0, got {value}")


def number_taken(where, value):
    return TypeError(
        f"{where}: the function gave a plain {type(value).__name__}, and took a number out of what is differentiated "
        "(float(x), x.item(), math.sin(x)): its derivative is lost. Compute with tensors, or say x.detach() first"
    )
