"""detach, data, requires_grad, grad, and writing in loops."""

from . import scenario

# ---------------------------------------------------------------- detach and data


@scenario
def detach_is_a_leaf_without_gradient(m):
    y = m.leaf(1, 2) * 2
    d = y.detach()
    return [d, d.is_leaf, d.grad_fn is None, d.requires_grad]


@scenario
def detach_in_place(m):
    x = m.leaf(1, 2)
    y = x * 2
    same = y.detach_()
    return [same is y, y, y.is_leaf, y.grad_fn is None, y.requires_grad]


@scenario(differs="what was saved before stays right")
def detach_in_place_leaves_what_was_computed(m):
    x = m.leaf(1, 2)
    y = x * 2
    z = (y * y).sum()
    y.detach_()
    z.backward()
    return x.grad


@scenario
def detach_in_place_of_a_view(m):
    x = m.leaf(1, 2, 3)
    y = x * 2
    y[1:].detach_()


@scenario
def detach_in_place_of_a_base_with_views(m):
    x = m.leaf(1, 2, 3)
    y = x * 2
    v = y[1:]
    y.detach_()
    return [y.requires_grad, v.requires_grad, m.attempt(v.sum().backward), x.grad]


@scenario
def detach_in_place_of_a_leaf(m):
    x = m.leaf(1, 2)
    x.detach_()
    return [x, x.requires_grad]


@scenario
def detach_in_place_of_a_split_result(m):
    a, _ = m.halves(m.leaf(1, 2, 3, 4))
    a.detach_()


@scenario
def detach_in_place_keeps_the_gradient(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    x.detach_()
    return x.grad


@scenario
def detach_does_not_take_the_gradient_along(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    return x.detach().grad


@scenario
def writing_a_detached_tensor_changes_both(m):
    x = m.leaf(1, 2)
    d = x.detach()
    d.add_(10)
    return [x, d, x._version]


@scenario
def a_detached_tensor_takes_a_graph_of_its_own(m):
    x = m.leaf(1, 2)
    d = (x * 2).detach().requires_grad_()
    (d * d).sum().backward()
    return [d.grad, x.grad]


@scenario
def setting_data(m):
    x = m.leaf(1, 2)
    x.data = m.const(5, 6)
    (x * x).sum().backward()
    return [x, x.grad]


@scenario
def setting_data_of_another_shape(m):
    x = m.leaf(1, 2)
    x.data = m.const(5, 6, 7)
    (x * x).sum().backward()
    return [x, x.grad]


@scenario(differs="what was saved before stays right")
def setting_data_after_saving(m):
    x = m.leaf(1, 2)
    z = (x * x).sum()
    x.data = m.const(5, 6)
    z.backward()
    return [x, x.grad]


@scenario
def setting_data_of_another_dtype(m):
    x = m.leaf(1, 2)
    x.data = m.tensor([1, 2], dtype=m.int64)


@scenario
def setting_data_to_no_tensor(m):
    x = m.leaf(1, 2)
    x.data = 5


@scenario
def reading_data_of_an_inner_tensor(m):
    y = m.leaf(1, 2) * 2
    y.data.mul_(10)
    return [y, y._version]


# ---------------------------------------------------------------- requires_grad and grad


@scenario
def requires_grad_in_place(m):
    c = m.const(1, 2)
    same = c.requires_grad_()
    (c * 2).sum().backward()
    return [same is c, c.grad, c.requires_grad_(False).requires_grad]


@scenario
def requires_grad_of_an_inner_tensor_cannot_be_turned_off(m):
    y = m.leaf(1, 2) * 2
    return [m.attempt(y.requires_grad_, False), m.attempt(setattr, y, "requires_grad", False), y.requires_grad]


@scenario
def requires_grad_of_an_inner_tensor_may_be_turned_on(m):
    y = m.leaf(1, 2) * 2
    return y.requires_grad_().requires_grad


@scenario
def integers_cannot_require_grad(m):
    c = m.tensor([1, 2], dtype=m.int64)
    return [m.attempt(c.requires_grad_), m.attempt(m.tensor, [1, 2], True, m.int64)]


@scenario
def integers_may_be_told_not_to_require_grad(m):
    return m.tensor([1, 2], dtype=m.int64).requires_grad_(False)


@scenario
def complex_numbers_may_require_grad(m):
    z = m.tensor([1 + 2j], dtype=m.complex128, requires_grad=True)
    (z * z.conj()).real.sum().backward()
    return z.grad


@scenario
def requires_grad_of_a_view_of_a_constant(m):
    c = m.const(1, 2, 3)
    v = c[1:].requires_grad_()
    (v * v).sum().backward()
    return [v.grad, c.requires_grad, v.is_leaf]


@scenario
def a_write_to_a_view_that_was_told_to_require_grad(m):
    v = m.const(1, 2, 3)[1:].requires_grad_()
    v.add_(1)


@scenario
def a_write_to_the_base_of_a_view_that_requires_grad(m):
    c = m.const(1, 2, 3)
    v = c[1:].requires_grad_()
    c.add_(1)
    (v * v).sum().backward()
    return [v, v.grad]


@scenario
def turning_requires_grad_off_between_forward_and_backward(m):
    x = m.leaf(1, 2)
    z = (x * x).sum()
    x.requires_grad_(False)
    z.backward()
    return x.grad


@scenario
def setting_grad(m):
    x = m.leaf(1, 2)
    x.grad = m.const(5, 6)
    x.sum().backward()
    return x.grad


@scenario
def setting_grad_wrong(m):
    x = m.leaf(1, 2)
    wrong = [3.0, m.const(1, 2, 3), m.tensor([1.0, 2.0], dtype=m.float32), "a", x]
    return [m.attempt(setattr, x, "grad", value) for value in wrong]


@scenario
def deleting_grad(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    del x.grad
    return x.grad


@scenario
def grad_is_accumulated_in_place(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    first = x.grad
    x.sum().backward()
    return [first is x.grad, first]


@scenario
def grad_is_not_accumulated_in_place_when_creating_a_graph(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    first = x.grad
    (x * x).sum().backward(create_graph=True)
    out = [first is x.grad, first, x.grad.requires_grad]
    x.grad = None
    return out


@scenario
def the_given_gradient_is_not_taken_for_the_accumulated(m):
    x = m.leaf(1, 2)
    g = m.const(1, 1)
    x.clone().backward(g)
    (x * 1).sum().backward()
    return [g, x.grad]


@scenario
def the_given_gradient_of_a_leaf_is_not_changed_later(m):
    x = m.leaf(1, 2)
    g = m.const(1, 1)
    x.backward(g)
    x.backward(g)
    return [g, x.grad]


@scenario
def two_leaves_do_not_share_a_gradient(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    (x + w).sum().backward()
    x.grad.mul_(10)
    return [x.grad, w.grad]


@scenario
def zeroing_gradients(m):
    x = m.leaf(1, 2)
    (x * 2).sum().backward()
    x.grad.zero_()
    (x * 3).sum().backward()
    return x.grad


@scenario
def writing_a_result_back_in_a_loop(m):
    x = m.leaf(1, 2)
    state = m.zeros_of(2)
    for i in range(4):
        state = state * 0.5
        state += x * i
    state.sum().backward()
    return x.grad


@scenario
def filling_a_table_row_by_row(m):
    x = m.leaf(1, 2)
    table = m.zeros_of(3, 2)
    for i in range(3):
        table[i] = x ** (i + 1)
    (table * table).sum().backward()
    return [table, x.grad]


@scenario
def in_place_with_the_same_tensor(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y += y
    y -= y * 0.5
    y.sum().backward()
    return [y, x.grad]


@scenario
def copying_with_broadcast(m):
    x, w = m.tensor([[1.0, 2], [3, 4]], requires_grad=True), m.leaf(5, 6)
    y = x.clone()
    y.copy_(w)
    (y * y).sum().backward()
    return [x.grad, w.grad]


@scenario
def copying_from_another_dtype(m):
    w = m.tensor([5.0, 6.0], dtype=m.float32, requires_grad=True)
    y = m.leaf(1, 2).clone()
    y.copy_(w)
    y.sum().backward()
    return [y, w.grad]


@scenario
def copying_onto_itself(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.copy_(y)
    (y * 3).sum().backward()
    return x.grad


@scenario
def shifting_within_one_memory(m):
    x = m.leaf(1, 2, 3)
    y = x.clone()
    y[1:] = y[:-1].clone()
    (y * m.const(1, 10, 100)).sum().backward()
    return [y, x.grad]


@scenario
def masked_writes(m):
    x, w = m.leaf(1, 2, 3), m.leaf(10.0)
    y = x.clone()
    y[y > 1.5] = w * 2
    y.sum().backward()
    return [y, x.grad, w.grad]


@scenario
def writing_by_repeated_integers(m):
    x = m.leaf(1, 2, 3)
    y = x.clone()
    y[m.tensor([0, 2], dtype=m.int64)] = m.const(7, 8)
    (y * y).sum().backward()
    return [y, x.grad]


@scenario
def adding_at_an_index(m):
    x = m.leaf(1, 2, 3)
    y = x.clone()
    y[0] += x[2] * 2
    y.sum().backward()
    return [y, x.grad]


@scenario
def writing_a_scalar_tensor(m):
    x, w = m.leaf(1, 2, 3), m.scalar(5.0)
    y = x.clone()
    y[1] = w
    y[2] = w * w
    y.sum().backward()
    return [y, x.grad, w.grad]
