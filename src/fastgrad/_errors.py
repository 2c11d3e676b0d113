"""The wording of every error that both backends raise.

Each function *makes* an exception, for the caller to raise: ``raise _errors.freed(node.name())``. Types are
PyTorch's for misuse of the graph (RuntimeError) and NumPy's for arguments (TypeError, ValueError). Shapes are
given as tuples and dtypes as NumPy dtypes.
"""

from __future__ import annotations

# ---------------------------------------------------------------- arguments of operations


def not_broadcastable(op_name, shapes):
    """Operands of an elementwise operation whose shapes do not fit each other."""
    listed = " and ".join(str(tuple(shape)) for shape in shapes)
    return ValueError(f"{op_name}: shapes {listed} do not broadcast")


def operand_count(op_name, expected, got):
    return TypeError(f"{op_name}: takes {expected} operands, got {got}")


def no_operands(op_name):
    return ValueError(f"{op_name}: need at least one array")


def several_results(op_name):
    return TypeError(f"{op_name}: the forward gave a tuple or list; an operation of several results says multi=True")


def not_numeric(where, dtype):
    """Data that is not made of numbers or booleans: strings, objects, dates."""
    return TypeError(
        f"{where}: expected boolean, integer, floating or complex data, got dtype {dtype!s}"
        + (" (strings, None or ragged sequences make no numeric array)" if dtype.kind in "OUS" else "")
    )


def tensors_in_sequence(where):
    """A list of Tensors as data: making one array of them would lose their graphs."""
    return RuntimeError(
        f"{where}: a sequence holds Tensors that require grad, and an array made of it would lose their graph; "
        "use fastgrad.stack (or detach() them)"
    )


def requires_grad_dtype(dtype):
    """`requires_grad=True` for what has no gradient."""
    return RuntimeError(f"only Tensors of floating point and complex dtype can require gradients, got {dtype!s}")


def unknown_numpy(what, name, reason="fastgrad has no operation for it"):
    """A NumPy function or ufunc method (`what`: "numpy function", "numpy ufunc") called on a Tensor."""
    return TypeError(
        f"{what} {name!r} does not accept Tensors: {reason}; call it on .detach().numpy() if no gradient is needed"
    )


# ---------------------------------------------------------------- writing in place


def leaf_in_place(op_name):
    return RuntimeError(
        f"{op_name}: a leaf Tensor that requires grad is being used in an in-place operation; "
        "write under fastgrad.no_grad(), or to a clone()"
    )


def view_of_leaf_in_place(op_name):
    return RuntimeError(
        f"{op_name}: a view of a leaf Tensor that requires grad is being used in an in-place operation; "
        "write under fastgrad.no_grad(), or to a clone() of the leaf"
    )


def no_grad_view_in_place(op_name):
    """A view that was made under no_grad, written where a gradient is wanted."""
    return RuntimeError(
        f"{op_name}: a view created in no_grad mode is being modified in place with grad mode enabled; "
        "make the view with grad mode enabled, or write under fastgrad.no_grad()"
    )


def multi_view_in_place(op_name, maker):
    """A view that is one of several results of one operation, `maker`, such as split."""
    return RuntimeError(
        f"{op_name}: this Tensor is one of the views that {maker} returned, and is being modified in place; "
        "such views cannot be written where a gradient is wanted, index the base instead"
    )


def read_only(op_name):
    return ValueError(f"{op_name}: assignment destination is read-only")


def matmul_shapes(x, y):
    return ValueError(f"matmul: shapes {tuple(x)} and {tuple(y)} do not fit: {_matmul_reason(x, y)}")


def _matmul_reason(x, y):
    if not x or not y:
        return "a 0-d array has no rows or columns, use *"
    if x[-1] != y[max(len(y) - 2, 0)]:
        return f"{x[-1]} columns and {y[max(len(y) - 2, 0)]} rows"
    return "the axes before the last two do not broadcast"


def in_place_shape(op_name, target, result):
    return ValueError(
        f"{op_name}: the result has shape {tuple(result)}, which does not fit in place of {tuple(target)}"
    )


def in_place_dtype(op_name, target, result):
    return TypeError(f"{op_name}: cannot cast the result from {result!s} to {target!s} in place (rule 'same_kind')")


def not_in_place(op_name):
    return TypeError(f"{op_name} gives several results or none that could be written in place")


def detach_view():
    return RuntimeError("detach_: can't detach a view in place; use detach() instead")


# ---------------------------------------------------------------- attributes and conversions


def numpy_requires_grad():
    return RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


def deepcopy_non_leaf():
    return RuntimeError(
        "only Tensors created explicitly by the user (graph leaves) support deepcopy; deepcopy a detach() of this one"
    )


def requires_grad_non_leaf(value):
    return RuntimeError(
        f"requires_grad={bool(value)}: you can only change requires_grad flags of leaf Tensors; "
        "to use a computed Tensor where no gradient is wanted, use detach()"
    )


def data_kind(shape, dtype, new_shape, new_dtype):
    return RuntimeError(
        f"data: a Tensor with a graph or a gradient keeps its shape and dtype, {tuple(shape)} and {dtype!s}; "
        f"got {tuple(new_shape)} and {new_dtype!s}"
    )


def grad_type(value):
    return TypeError(f"grad must be a Tensor or None, not {type(value).__name__}")


def grad_itself():
    return RuntimeError("a Tensor cannot be its own grad")


def grad_shape(expected, got):
    return RuntimeError(f"assigned grad has shape {tuple(got)}, but the Tensor has shape {tuple(expected)}")


def grad_dtype(expected, got):
    return RuntimeError(f"assigned grad has dtype {got!s}, but the Tensor has dtype {expected!s}")


def retain_grad_no_grad():
    return RuntimeError("can't retain_grad on Tensor that has requires_grad=False")


def hook_no_grad():
    return RuntimeError("cannot register a hook on a Tensor that doesn't require gradient")


def hook_type(hook):
    return TypeError(f"a hook must be callable, not {type(hook).__name__}")


def hook_result(got):
    return TypeError(f"a hook must return None or a Tensor, not {type(got).__name__}")


def hook_shape(expected, got):
    return RuntimeError(f"a hook has changed the shape of the gradient from {tuple(expected)} to {tuple(got)}")


def hook_dtype(expected, got):
    return RuntimeError(f"a hook has changed the dtype of the gradient from {expected!s} to {got!s}")


def not_one_element(wanted, shape):
    """`float(t)`, `int(t)` ... of several elements; `wanted` is the Python type's name."""
    return TypeError(f"only a Tensor of one element can be converted to {wanted}, not one of shape {tuple(shape)}")


# ---------------------------------------------------------------- backward and grad


def freed(node_name):
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved values after they have already "
        f"been freed) in {node_name}. Specify retain_graph=True if you need to backward through the graph a second "
        "time."
    )


def modified(node_name, operand, dtype, shape, expected, found):
    """A saved value was overwritten; `operand` is its name in the row ("out", "x", ...)."""
    return RuntimeError(
        f"one of the values needed for gradient computation has been modified by an in-place operation: {node_name} "
        f"saved {operand!r} ({dtype!s}, shape {tuple(shape)}) at version {expected}; it is at version {found} now"
    )


def not_tensor(where, value):
    """A root, input or gradient of backward() or grad() that is no Tensor."""
    return TypeError(f"{where}: expected a Tensor or a sequence of Tensors, got {type(value).__name__}")


def no_graph(index):
    return RuntimeError(
        f"element {index} of tensors does not require grad and does not have a grad_fn; "
        "was a leaf made without requires_grad=True, or the result under no_grad?"
    )


def not_scalar(shape):
    return RuntimeError(f"backward: grad can be implicitly created only for scalar outputs, got shape {tuple(shape)}")


def not_real(dtype):
    return RuntimeError(f"backward: grad can be implicitly created only for real scalar outputs, got dtype {dtype!s}")


def gradient_count(outputs, gradients):
    return RuntimeError(f"got {outputs} tensors and {gradients} gradients")


def gradient_shape(index, gradient, output):
    return RuntimeError(
        f"Mismatch in shape: grad_output[{index}] has a shape of {tuple(gradient)} "
        f"and output[{index}] has a shape of {tuple(output)}"
    )


def gradient_dtype(index, gradient, output):
    """A complex gradient of a real output, or the reverse."""
    return RuntimeError(
        f"Mismatch in dtype: grad_output[{index}] is {gradient!s} and output[{index}] is {output!s}; "
        "a complex output needs a complex gradient, and a real one a real gradient"
    )


def no_inputs(where):
    return RuntimeError(f"{where}: `inputs` cannot be empty")


def input_no_grad(index):
    return RuntimeError(f"One of the differentiated Tensors does not require grad (inputs[{index}])")


def unused_input():
    return RuntimeError(
        "One of the differentiated Tensors appears to not have been used in the graph. "
        "Set allow_unused=True if this is the desired behavior."
    )


def vjp_shape(node_name, operand, expected, got):
    """A row's formula gave a cotangent that cannot be fitted to its operand."""
    return RuntimeError(
        f"{node_name} gave a gradient of shape {tuple(got)} for {operand!r}, whose shape is {tuple(expected)}"
    )


def vjp_count(node_name, expected, got):
    return RuntimeError(f"{node_name} gave {got} gradients for {expected} operands")


# ---------------------------------------------------------------- choosing a backend


def unknown_backend(name):
    return ImportError(f"FASTGRAD_BACKEND={name!r} is unknown; use 'compiled' or 'reference', or leave it unset")


def no_compiled_backend(cause):
    return ImportError(
        f"FASTGRAD_BACKEND=compiled, but the extension fastgrad._core cannot be imported ({cause}). Build it with "
        "'pip install .' (needs a C compiler, and FASTGRAD_NO_EXTENSIONS unset), or unset FASTGRAD_BACKEND"
    )
