"""The wording of every error that both backends raise.

Each function *makes* an exception, for the caller to raise: ``raise _errors.freed(node.name())``. Types are
PyTorch's for misuse of the graph (RuntimeError) and NumPy's for arguments (TypeError, ValueError). Shapes are
given as tuples and dtypes as NumPy dtypes.
"""

from __future__ import annotations

from os.path import dirname, join

from numpy.linalg import LinAlgError

_OURS = join(dirname(__file__), "")  # in what a traceback says of our own lines

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


def out_loses_graph():
    return RuntimeError(
        "an ndarray cannot keep the graph of a Tensor that requires grad, nor can a number: write to a Tensor, "
        "or say .detach() where the value alone is wanted"
    )


def linear_system(op_name, a, b):
    """Shapes that are no system of linear equations."""
    return ValueError(
        f"{op_name}: expected square matrices and right sides of as many rows, got shapes {tuple(a)} and {tuple(b)}"
    )


def singular(op_name):
    return LinAlgError(f"{op_name}: a matrix is singular")


def no_linalg(op_name, dtype):
    return TypeError(f"{op_name}: there is no linear algebra for dtype {dtype!s}")


def gauge(op_name):
    """A gradient of what is not defined: it depends on the phases that eigenvectors happen to have."""
    return RuntimeError(
        f"{op_name}: complex eigenvectors are given up to a phase each, and the result depends on it, "
        "so that it has no gradient"
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


def inference_view_in_place(op_name):
    """A view of a normal Tensor that was made in inference mode, written where a gradient is wanted."""
    return RuntimeError(
        f"{op_name}: a view created in inference mode is being modified in place in normal mode; "
        "make the view outside inference mode, or write inside it"
    )


def view_in_place(op_name, origin, maker=None):
    """A view that cannot be given a history of its own.

    `origin` says where it was made: "no_grad", "inference", "function" or "multi" (by the row called `maker`).
    """
    if origin == "multi":
        return multi_view_in_place(op_name, maker)
    makers = {"no_grad": no_grad_view_in_place, "inference": inference_view_in_place}
    return makers.get(origin, function_view_in_place)(op_name)


def view_written_elsewhere(origin, maker=None):
    """Such a view is used after its base, or another view of it, was written in place; as `view_in_place`."""
    what = {
        "no_grad": "created in no_grad mode", "inference": "created in inference mode",
        "function": "that a custom Function returned", "multi": f"that is one of several which {maker} returned",
    }[origin]  # fmt: skip
    return RuntimeError(
        f"a view {what} is used, and its base or another view of its base has been modified in place with another "
        "history than the view's; make the view anew after the write"
    )


def read_only(op_name):
    return ValueError(f"{op_name}: assignment destination is read-only")


def expanded_in_place(op_name):
    """Elements of the target share memory, as those of what `broadcast_to` gives."""
    return RuntimeError(
        f"{op_name}: unsupported operation: more than one element of the written-to tensor refers to a single memory "
        "location; write to a clone()"
    )


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


def array_requires_grad():
    """For what wants an ndarray, such as ``np.array([t, u])``: nobody has said numpy()."""
    return RuntimeError(
        "a Tensor that requires grad cannot become an ndarray, which has no gradient "
        "(Can't call numpy() on Tensor that requires grad). "
        "To put Tensors together say np.stack([...]) or fastgrad.asarray([...]); for the values alone "
        "tensor.detach().numpy()"
    )


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


def modified(node_name, operand, dtype, shape, expected, found, origin=None):
    """A saved value was overwritten; `operand` is its name in the row ("out", "x", ...), `origin` as in `made_at`."""
    return RuntimeError(
        f"one of the values needed for gradient computation has been modified by an inplace operation: {node_name} "
        f"saved {operand!r} ({dtype!s}, shape {tuple(shape)}) at version {expected}; it is at version {found} now."
        + (made_at(origin) or " fastgrad.autograd.detect_anomaly() names the line that recorded it.")
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


def edge_number(number, count):
    return IndexError(f"a GradientEdge names output {number} of a node that has {count}")


def edge_gradient():
    return RuntimeError("backward from a GradientEdge needs a gradient: its output has no shape to make one of")


def edge_zeros():
    return RuntimeError("materialize_grads: a GradientEdge that does not know its shape cannot be given zeros")


def leaf_moved():
    """A leaf that was written in place, and recorded, after it was used as a leaf."""
    return RuntimeError("leaf variable has been moved into the graph interior")


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


# ---------------------------------------------------------------- hooks, saved values, custom functions, modes


def hook_tuple(name, kind, expected, got):
    """A hook of a node that gave something else than a tuple of as many gradients as it was given."""
    return TypeError(f"{name}: a {kind} must return None or a tuple of {expected} gradients, got {got}")


def hook_count(kind, expected, got):
    """A hook of a node that gave a tuple of another length than the one it was given."""
    return RuntimeError(f"a {kind} has returned an incorrect number of values (got {got}, but expected {expected})")


def hook_none():
    """A hook that gave a gradient where there was none."""
    return RuntimeError("a hook can't replace a None gradient with a non-None value")


def post_accumulate_result(got):
    kind = RuntimeError if hasattr(type(got), "requires_grad") else TypeError
    return kind(f"post accumulate grad hooks should return None, not {type(got).__name__}")


def post_accumulate_non_leaf():
    return RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")


def unpack_type(got):
    return TypeError(
        f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(got).__name__}"
    )


def pack_wrote():
    return RuntimeError("A saved tensor pack hook is modifying its input in place; make a copy in the hook instead")


def save_inference():
    return RuntimeError(
        "Inference tensors cannot be saved for backward: a Tensor made in inference mode is part of a computation that "
        "is recorded; make a clone() of it to get a normal Tensor"
    )


def write_inference(op_name):
    return RuntimeError(
        f"{op_name}: Inplace update to inference tensor outside InferenceMode is not allowed; "
        "make a clone() to get a normal Tensor before writing"
    )


def version_inference():
    return RuntimeError("Inference tensors do not track version counter.")


def requires_grad_inference():
    return RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")


def function_gradient(name, index, got, expected):
    """A custom backward gave a gradient that does not fit its input."""
    return RuntimeError(
        f"Function {name} returned an invalid gradient at index {index} - got {list(got)} but expected shape "
        f"compatible with {list(expected)}"
    )


def function_complex(name, index, got):
    """A custom backward gave a complex gradient for a real input."""
    return RuntimeError(
        f"Function {name} returned an invalid gradient at index {index} - got {got!s}, but the input is real; "
        "take the real part"
    )


def function_result(name, index, got):
    return TypeError(f"{name}: expected a Tensor or None as gradient {index}, got {type(got).__name__}")


def function_view_in_place(op_name):
    return RuntimeError(
        f"{op_name}: a view that a custom Function returned is being modified in place. Its history cannot be "
        "rewritten: clone() the result of the Function"
    )


def saved_modified(maker, number, dtype, shape, expected, found, origin=None):
    """A Tensor that a custom Function saved was overwritten: result `number` of the node `maker`, None for a leaf."""
    what = "a leaf" if maker is None else f"result {number} of {maker}"
    return RuntimeError(
        f"one of the values needed for gradient computation has been modified by an inplace operation: a saved Tensor "
        f"({dtype!s}, shape {tuple(shape)}), {what}, was at version {expected}; it is at version {found} now."
        + (made_at(origin) or " fastgrad.autograd.detect_anomaly() names the line that recorded it.")
    )


def nan_gradient(node_name, index, origin):
    """Anomaly mode found a nan; `origin` is where the node was made (a list of lines), or None."""
    return RuntimeError(f"Function '{node_name}' returned nan values in its {index}th output.{made_at(origin)}")


def made_at(origin):
    """The line that made a node, for the end of a message, the caller's rather than ours; empty if it is not known."""
    if not origin:
        return ""
    theirs = [line for line in origin if _OURS not in line]
    return " It was recorded at:\n" + (theirs or origin)[-1].rstrip()


# ---------------------------------------------------------------- fastgrad.autograd


def materialize_unused():
    return ValueError("grad: materialize_grads=True gives zeros for unused inputs, which allow_unused=False forbids")


def materialize_edge():
    return RuntimeError(
        "materialize_grads cannot be used when the given input is a GradientEdge: it has no shape that zeros could have"
    )


def batch_size(shapes):
    """Batched cotangents that do not agree on the length of the batch."""
    return ValueError(
        "grad: with is_grads_batched=True the first axis of every grad_output is the batch, and has the same length; "
        f"got shapes {shapes}"
    )


def batched_shape(index, gradient, output):
    return RuntimeError(
        "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The "
        "sizes of the remaining dimensions are expected to match the shape of corresponding output, but a mismatch "
        f"was detected: grad_output[{index}] has a shape of {tuple(gradient)} and output[{index}] has a shape of "
        f"{tuple(output)}"
    )


def function_legacy():
    return RuntimeError(
        "Legacy autograd function with non-static forward method is deprecated. A Function is not instantiated: write "
        "static methods forward and backward, and call MyFunction.apply(...)"
    )


def function_missing(what):
    return NotImplementedError(f"You must implement {what} for custom autograd.Function.")


def function_both():
    return RuntimeError(
        "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one "
        "of them."
    )


def function_keyword(name, keyword):
    return TypeError(f"{name}.forward() got an unexpected keyword argument {keyword!r} (keyword-only ones cannot be)")


def function_count(name, expected, got):
    return RuntimeError(f"function {name} returned an incorrect number of gradients (expected {expected}, got {got})")


def function_tangents(name, expected, got):
    return RuntimeError(f"function {name}: jvp returned {got} tangents for {expected} outputs")


def function_tangent(name, expected, got):
    """A tangent of another shape than its output's, or no Tensor."""
    what = f"shape {tuple(got.shape)}" if hasattr(got, "shape") else type(got).__name__
    return RuntimeError(f"function {name}: jvp returned a tangent of {what} for an output of shape {tuple(expected)}")


def function_constant(name, position):
    return RuntimeError(
        f"function {name} returned a gradient different than None at position {position}, but the corresponding "
        "forward input was not a Tensor"
    )


def function_grad_type(name, value):
    return RuntimeError(
        f"function {name}: expected a Tensor or None as gradient, got {type(value).__name__}"
        + ("; make a Tensor of it by fastgrad.asarray()" if hasattr(value, "__array__") else "")
    )


def function_saves(index, value):
    return TypeError(
        f"save_for_backward can only save Tensors, but argument {index} is of type {type(value).__name__}; keep other "
        "things as attributes of ctx"
    )


def function_marks(method, index, value):
    return RuntimeError(f"{method} can only accept Tensors, but argument {index} is of type {type(value).__name__}")


def function_dirty_lost():
    return RuntimeError(
        "Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
        "modified inplace must all be outputs of the Function."
    )


def function_saved_input():
    return RuntimeError(
        "An input that has been returned as-is as output is being saved for backward. This is not supported if you "
        "override setup_context. You should return and save a view of the input instead, e.g. x[...], or setup ctx "
        "inside the forward function itself."
    )


def differentiated_twice():
    return RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


def edge_no_grad():
    return RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")


def increments(value):
    kind = "something else in it" if hasattr(value, "__iter__") else type(value).__name__
    return TypeError(f"increment_version: expected a Tensor or an iterable of Tensors, got {kind}")


def checkpoint_counts(forward, again):
    return (
        "checkpoint: A different number of tensors was saved during the original forward and recomputation.\n"
        f"Number of tensors saved during forward: {forward}\nNumber of tensors saved during recomputation: {again}.\n"
        "The function must do the same each time it is called with the same arguments"
    )


def checkpoint_metadata(differences):
    """`differences`: (position, (shape, dtype) saved, (shape, dtype) recomputed) for each."""
    lines = [
        f"tensor at position {i}:\nsaved metadata: shape {a[0]}, {a[1]!s}\nrecomputed metadata: shape {b[0]}, {b[1]!s}"
        for i, a, b in differences
    ]
    return (
        "checkpoint: Recomputed values for the following tensors have different metadata than during the forward "
        "pass.\n" + "\n".join(lines)
    )


def determinism(value):
    return ValueError(f"checkpoint: determinism_check must be 'default' or 'none', not {value!r}")


def inference_type(value):
    return TypeError(f"inference_mode: mode must be a bool or a function, not {type(value).__name__}")


# ---------------------------------------------------------------- choosing a backend


def unknown_backend(name):
    return ImportError(f"FASTGRAD_BACKEND={name!r} is unknown; use 'compiled' or 'reference', or leave it unset")


def no_compiled_backend(cause):
    return ImportError(
        f"FASTGRAD_BACKEND=compiled, but the extension fastgrad._core cannot be imported ({cause}). Build it with "
        "'pip install .' (needs a C compiler, and FASTGRAD_NO_EXTENSIONS unset), or unset FASTGRAD_BACKEND"
    )


def thread_count(where, given):
    return ValueError(f"{where}: a number of threads is a positive integer, not {given!r}")
