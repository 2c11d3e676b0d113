# Hooks of Tensors and nodes, as one run calls them. The list of hooks is the one there is when the first is called.

cdef int replace(Backward b, void** grad, object value) except -1:
    """`value` takes the place of a cotangent."""
    cdef void* replacement = as_grad(b, value)
    drop(b, grad[0])
    grad[0] = replacement
    return 0


cdef int run_hooks(Backward b, dict hooks, void** grad) except -1:
    """Call each hook of a Tensor with the cotangent; what a hook returns takes its place."""
    cdef object t
    for hook in list(hooks.values()):
        # without a graph a hook gets memory of its own: what it writes there reaches no other cotangent
        t = as_object(b, grad[0]) if b.objects or grad[0] == NULL else tracked(new_tensor(copy_of(<fg_array*>grad[0])))
        result = hook(t)
        if result is None:
            result = t
        elif t is None:
            raise _errors.hook_none()
        elif not is_operand_object(result):
            raise _errors.hook_result(result)
        elif tuple(result.shape) != tuple(t.shape):
            raise _errors.hook_shape(tuple(t.shape), tuple(result.shape))
        elif result.dtype != t.dtype:
            raise _errors.hook_dtype(t.dtype, result.dtype)
        replace(b, grad, result)
    return 0


cdef inline bint is_operand_object(object value):
    """A Tensor, or a value that stands for many."""
    return is_tensor(value) or lifted((value,)) is not None


cdef list run_prehooks(str name, dict hooks, list given):
    """The cotangents of a node's outputs as its prehooks leave them."""
    for hook in list(hooks.values()):
        result = hook(tuple(given))
        if result is not None:
            given = hook_results(name, "prehook", result, given)
    return given


cdef list run_posthooks(str name, dict hooks, list results, list given):
    """The cotangents of a node's operands as its hooks leave them."""
    for hook in list(hooks.values()):
        result = hook(tuple(results), tuple(given))
        if result is not None:
            results = hook_results(name, "hook", result, results)
    return results


cdef list hook_results(str name, str kind, object result, list before):
    if not isinstance(result, tuple):
        raise _errors.hook_tuple(name, kind, len(before), type(result).__name__)
    if len(result) != len(before):
        raise _errors.hook_count(kind, len(before), len(result))
    for value, old in zip(result, before):
        if value is None:
            continue
        if not is_operand_object(value):
            raise _errors.hook_result(value)
        if old is None:
            raise _errors.hook_none()
        if tuple(value.shape) != tuple(old.shape):
            raise _errors.hook_shape(tuple(old.shape), tuple(value.shape))
    return list(result)
