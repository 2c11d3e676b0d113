"""Views: writes through a view or its base, views of views, of leaves, of results of one node, made under no_grad."""

from . import scenario


@scenario
def through_a_view_and_the_base_in_turns(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[:2]
    v *= 2
    y *= 3
    v += 1
    y[2] = v[0]
    (y * m.const(1, 10, 100)).sum().backward()
    return [y, v, x.grad]


@scenario
def a_view_follows_its_base(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    y.mul_(2)
    (v * v).sum().backward()
    return [v, x.grad]


@scenario
def a_view_of_a_view_follows_a_sibling(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[:2]
    w = v[1:]
    y[1:].mul_(10)
    w.sum().backward()
    return [w, x.grad]


@scenario
def writing_a_view_of_a_view(m):
    x = m.leaf(1, 2, 3, 4)
    y = x * 1
    w = y[1:][1:]
    w.mul_(10)
    y.sum().backward()
    return [y, x.grad]


@scenario
def writing_different_views_in_turn(m):
    x = m.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    y = x * 1
    row, column = y[0], y[:, 1]
    row.mul_(2)
    column.mul_(3)
    row.add_(1)
    (y * y).sum().backward()
    return [y, x.grad]


@scenario
def names_of_nodes_after_a_write_through_a_view(m):
    y = m.leaf(1, 2, 3) * 1
    v = y[1:]
    v.mul_(5)
    return [m.name(y.grad_fn), m.name(y.grad_fn.next_functions[0][0])]


@scenario
def a_written_view_of_a_constant_requires_grad(m):
    c, x = m.const(1, 2, 3), m.leaf(5, 6)
    v = c[1:]
    v.mul_(x)
    return [c.requires_grad, v.requires_grad, c.is_leaf, v.is_leaf, m.name(c.grad_fn)]


@scenario
def other_views_of_a_constant_follow(m):
    c, x = m.const(1, 2, 3), m.leaf(5, 6)
    before = c[2:]
    c[1:].mul_(x)
    before.sum().backward()
    return [before, x.grad]


@scenario
def transposes_and_reshapes_are_views(m):
    x = m.tensor([[1.0, 2, 3], [4, 5, 6]], requires_grad=True)
    y = x * 1
    y.T[0].mul_(10)
    y.reshape(6)[5:].mul_(100)
    y.sum().backward()
    return [y, x.grad]


@scenario
def expand_then_read(m):
    x = m.leaf(1.0)
    y = m.broadcast_to(x * 2, (3,))
    (y * m.const(1, 2, 3)).sum().backward()
    return [y, x.grad]


@scenario
def a_view_of_a_leaf_cannot_be_written(m):
    x = m.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    views = [x[0], x[:, 1], x.T, x.reshape(4), x[0][1:], x.T[0]]
    return [m.attempt(v.mul_, 2) for v in views]


@scenario
def a_view_of_a_leaf_is_written_under_no_grad(m):
    x = m.leaf(1, 2, 3)
    v = x[1:]
    with m.no_grad():
        v.mul_(10)
    (v * v).sum().backward()
    return [x, v, x.grad]


@scenario
def a_view_of_a_leaf_reads_well_after_the_leaf_was_written(m):
    x = m.leaf(1, 2, 3)
    v = x[1:]
    with m.no_grad():
        x.mul_(10)
    (v * 2).sum().backward()
    return [v, x.grad]


@scenario
def results_of_split_cannot_be_written(m):
    x = m.leaf(1, 2, 3, 4)
    a, b = m.halves(x * 1)
    return [m.attempt(a.mul_, 2), m.attempt(b.__setitem__, 0, 5.0)]


@scenario
def results_of_unstack_cannot_be_written(m):
    x = m.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    rows = m.unstack(x * 1)
    return [m.attempt(row.add_, 1) for row in rows]


@scenario
def results_of_split_of_a_constant_may_be_written(m):
    c = m.const(1, 2, 3, 4)
    a, _ = m.halves(c)
    a.mul_(10)
    return c


@scenario
def results_of_split_written_under_no_grad(m):
    x = m.leaf(1, 2, 3, 4)
    y = x * 1
    a, _ = m.halves(y)
    with m.no_grad():
        a.mul_(10)
    return [y, m.attempt(y.sum().backward), x.grad]


@scenario
def a_view_of_a_result_of_split_cannot_be_written(m):
    a, _ = m.halves(m.leaf(1, 2, 3, 4) * 1)
    a[1:].mul_(2)


@scenario
def the_base_of_split_results_is_written(m):
    x = m.leaf(1, 2, 3, 4)
    y = x * 1
    a, b = m.halves(y)
    y.mul_(10)
    return [m.attempt(lambda: (a * 2).sum().backward()), b.tolist(), x.grad]


@scenario
def split_of_a_constant_written_by_what_requires_grad(m):
    c, x = m.const(1, 2, 3, 4), m.leaf(5, 6)
    a, _ = m.halves(c)
    a.mul_(x)
    return [c.requires_grad]


@scenario
def a_view_made_under_no_grad_of_an_inner_tensor(m):
    y = m.leaf(1, 2, 3) * 1
    with m.no_grad():
        v = y[1:]
    return [m.attempt(v.mul_, 2), v.grad_fn is None]


@scenario
def a_view_made_under_no_grad_of_a_constant(m):
    c, x = m.const(1, 2, 3), m.leaf(5, 6)
    with m.no_grad():
        v = c[1:]
    v.mul_(2)
    return [c, m.attempt(v.mul_, x)]


@scenario
def a_view_made_under_no_grad_is_written_under_no_grad(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    with m.no_grad():
        v = y[1:]
        v.mul_(2)
    y.sum().backward()
    return [y, x.grad]


@scenario
def a_view_of_a_detached_tensor(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y.detach()[1:]
    v.mul_(10)
    y.sum().backward()
    return [y, x.grad, v.requires_grad]


@scenario
def a_view_of_a_detached_tensor_takes_a_graph_alone(m):
    x, w = m.leaf(1, 2, 3), m.leaf(5, 6)
    y = x * 1
    v = y.detach()[1:]
    v.mul_(w)
    return [y.requires_grad, v.requires_grad, y, m.attempt(y.sum().backward), x.grad]


@scenario
def a_view_is_used_before_and_after(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    first = v * 3
    v.mul_(2)
    (first + v).sum().backward()
    return [first, v, x.grad]


@scenario
def a_view_keeps_the_base_alive(m):
    x = m.leaf(1, 2, 3)
    v = (x * 2)[1:]
    v.mul_(5)
    v.sum().backward()
    return [v, x.grad]


@scenario
def writing_a_whole_view(m):
    x, w = m.leaf(1, 2, 3), m.leaf(7, 8)
    y = x * 1
    y[1:] = w
    (y * y).sum().backward()
    return [y, x.grad, w.grad]


@scenario
def a_view_overwritten_with_a_view_of_itself(m):
    x = m.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    y = x * 1
    y[0] = y[1]
    (y * y).sum().backward()
    return [y, x.grad]


@scenario
def an_element_is_a_view(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    e = y[1]
    e.mul_(10)
    y.sum().backward()
    return [y, e, x.grad]


@scenario
def boolean_and_integer_indices_copy(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    a, b = y[y > 1.5], y[m.tensor([0, 1], dtype=m.int64)]
    a.mul_(10)
    b.mul_(10)
    (y.sum() + a.sum() + b.sum()).backward()
    return [y, a, b, x.grad]


@scenario
def gradients_of_views_of_views(m):
    x = m.tensor([[1.0, 2, 3], [4, 5, 6]], requires_grad=True)
    v = x.T[1:][0].reshape(2, 1)
    (v * v).sum().backward()
    return [v, x.grad]


@scenario
def retained_gradients_of_views(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    v.retain_grad()
    y.retain_grad()
    (v * v).sum().backward()
    return [v.grad, y.grad, x.grad]


@scenario
def grad_with_respect_to_a_view(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    return m.grad((v * v).sum(), v)


@scenario
def grad_with_respect_to_a_view_that_was_not_used(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    return m.attempt(m.grad, y.sum(), v)


@scenario
def grad_with_respect_to_a_written_view(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    v.mul_(2)
    return [m.attempt(m.grad, (v * v).sum(), v, retain_graph=True), m.attempt(m.grad, y.sum(), v)]


@scenario
def grad_with_respect_to_a_written_base(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    v = y[1:]
    v.mul_(2)
    return m.grad((y * y).sum(), y)


@scenario
def a_view_taken_of_a_written_tensor(m):
    x = m.leaf(1, 2, 3)
    y = x * 1
    y.mul_(2)
    v = y[1:]
    v.mul_(3)
    y.sum().backward()
    return [v, x.grad]


@scenario
def second_derivatives_through_writes(m):
    x = m.leaf(1, 2, 3)
    y = x * x
    y[1:].mul_(x[1:])
    (g,) = m.grad((y * y).sum(), x, create_graph=True)
    return m.grad(g.sum(), x)


@scenario
def second_derivatives_through_setitem(m):
    x = m.leaf(1, 2, 3)
    y = m.zeros_of(3)
    for i in range(3):
        y[i] = x[i] ** (i + 2)
    (g,) = m.grad(y.sum(), x, create_graph=True)
    return [g.detach(), *m.grad(g.sum(), x)]


@scenario
def hooks_on_views_of_written_bases_see_new_gradients(m):
    seen, x = [], m.leaf(1, 2, 3)
    y = x * 1
    v = y[:2]
    v.mul_(2)
    y.register_hook(lambda g: seen.append(["y", g.tolist()]))
    v.register_hook(lambda g: seen.append(["v", g.tolist()]))
    (y.sum() + v.sum()).backward()
    return [sorted(seen), x.grad]


@scenario
def views_in_an_optimiser(m):
    flat = m.leaf(1, 2, 3, 4)
    for _ in range(3):
        w, b = flat[:3], flat[3]
        loss = ((w * m.const(1, 2, 3)).sum() + b) ** 2
        (g,) = m.grad(loss, flat)
        with m.no_grad():
            flat -= 0.01 * g
    return flat


@scenario
def a_view_of_complex_parts(m):
    z = m.tensor([1 + 2j, 3 - 1j], dtype=m.complex128, requires_grad=True)
    y = z * 1
    (y.real * y.imag).sum().backward()
    return z.grad


@scenario
def writing_the_real_part(m):
    z = m.tensor([1 + 2j, 3 - 1j], dtype=m.complex128, requires_grad=True)
    y = z * 1
    y.real.mul_(10)
    (y * y.conj()).real.sum().backward()
    return [y, z.grad]


@scenario
def versions_through_views_of_views(m):
    y = m.leaf(1, 2, 3) * 1
    v = y[1:]
    w = v[1:]
    w.mul_(2)
    v.mul_(2)
    return [y._version, v._version, w._version, y[0]._version]


@scenario
def squeeze_and_expand_dims_are_views(m):
    x = m.tensor([[1.0, 2, 3]], requires_grad=True)
    y = x * 1
    y.squeeze().mul_(m.const(1, 2, 3))
    y[None][0].mul_(10)
    y.sum().backward()
    return [y, x.grad]


@scenario
def diagonal_writes_by_index(m):
    x = m.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    y = x * 1
    for i in range(2):
        y[i, i] = y[i, i] * 10
    y.sum().backward()
    return [y, x.grad]
