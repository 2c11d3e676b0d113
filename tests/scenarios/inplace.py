"""Writing in place: who may be written, what saved values say to it, versions."""

from . import scenario


@scenario
def every_method_in_place(m):
    x = m.leaf(0.5, 0.25)
    out = []
    for name, args in {
        "add_": (2,), "sub_": (2,), "mul_": (2,), "div_": (2,), "pow_": (3,), "neg_": (), "exp_": (), "log_": (),
        "sin_": (), "cos_": (), "tanh_": (), "sqrt_": (), "abs_": (), "reciprocal_": (), "sigmoid_": (), "relu_": (),
        "zero_": (), "fill_": (3.0,), "square_": (), "clamp_": (0.3, 0.6), "expm1_": (), "log1p_": (), "floor_": (),
        "ceil_": (), "trunc_": (), "sign_": (),
    }.items():  # fmt: skip
        y = x.clone()
        same = getattr(y, name)(*args)
        (g,) = m.grad(y.sum(), x, allow_unused=True)
        out.append([name, same is y, y, g, y._version])
    return out


@scenario
def every_operator_in_place(m):
    x, c = m.leaf(0.5, 0.25), m.const(2, 3)
    out = []

    def keep(y, z):
        (g,) = m.grad(z.sum(), x)
        out.append([z is y, z, g])

    y = z = x.clone()
    z += c
    keep(y, z)
    y = z = x.clone()
    z -= c
    keep(y, z)
    y = z = x.clone()
    z *= c
    keep(y, z)
    y = z = x.clone()
    z /= c
    keep(y, z)
    y = z = x.clone()
    z **= 2
    keep(y, z)
    y = z = x.clone()
    z[0] = 7.0
    keep(y, z)
    y = z = x.clone()
    z[1] += 7.0
    keep(y, z)
    return out


@scenario
def a_leaf_cannot_be_written(m):
    x, out = m.leaf(1, 2), []
    for name, args in {"add_": (1,), "mul_": (2,), "zero_": (), "fill_": (0.0,), "exp_": (), "neg_": ()}.items():
        out.append(m.attempt(getattr(x, name), *args))
    out += [m.attempt(x.copy_, m.const(1, 2)), m.attempt(x.__setitem__, 0, 1.0), x._version, x]
    return out


@scenario
def a_leaf_is_written_under_no_grad(m):
    x = m.leaf(1, 2)
    with m.no_grad():
        x += 1
        x[0] = 7
    return [x, x._version, x.is_leaf]


@scenario
def an_inplace_write_of_what_requires_grad_into_a_leaf_under_no_grad(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    with m.no_grad():
        x.copy_(w * 2)
    return [x, x.is_leaf, x.grad_fn is None]


@scenario
def an_expanded_tensor_cannot_be_written_over_itself(m):
    x = m.leaf(1.0)
    y = m.broadcast_to(x.clone(), (3,))
    y.add_(1)


@scenario
def an_expanded_constant_cannot_be_written(m):
    y = m.broadcast_to(m.const(1.0), (3,))
    y.add_(1)


@scenario(differs="ValueError and TypeError, as NumPy")
def the_result_must_fit(m):
    x = m.leaf(1, 2).clone()
    return [m.attempt(x.add_, m.tensor([[1.0], [2.0]])), m.attempt(x.add_, m.const(1, 2, 3)), x, x._version]


@scenario(differs="ValueError and TypeError, as NumPy")
def a_row_is_written_by_a_wider_one(m):
    x = m.leaf(1, 2).clone()
    x[0] = m.const(1, 2)


@scenario(differs="ValueError and TypeError, as NumPy")
def integers_cannot_take_floats(m):
    x = m.tensor([1, 2], dtype=m.int64)
    return m.attempt(x.add_, 1.5)


@scenario
def dtype_is_kept(m):
    x = m.tensor([1.0, 2.0], dtype=m.float32)
    x += m.const(0.5, 0.5)
    return x


@scenario
def a_gradient_goes_through_a_change_of_dtype(m):
    x = m.tensor([1.0, 2.0], dtype=m.float32)
    w = m.leaf(3, 4)
    x.mul_(w)
    (x * 2).sum().backward()
    return [x.detach(), w.grad]


@scenario(differs="ValueError and TypeError, as NumPy")
def an_integer_tensor_written_by_what_requires_grad(m):
    x = m.tensor([1, 2], dtype=m.int64)
    return m.attempt(x.mul_, m.leaf(3, 4))


# ---------------------------------------------------------------- saved values


def saved_then_written(m, make, write):
    """What backward says when an operand or result is overwritten after `make`."""
    x = m.leaf(0.5, 0.25)
    y = x.clone()
    z = make(y)
    write(y, z)
    error = m.attempt((z * 1).sum().backward)
    return [error, x.grad]


@scenario
def operands_that_are_saved(m):
    makers = [
        lambda y: y * y, lambda y: y * 2, lambda y: y + y, lambda y: y.sin(), lambda y: y.exp(), lambda y: y**3,
        lambda y: y**2, lambda y: y.sum(), lambda y: y - 1, lambda y: y / 2, lambda y: y.clone(),
        lambda y: y.tanh(), lambda y: y.sqrt(), lambda y: y.log(), lambda y: y.reshape(2, 1), lambda y: -y,
        lambda y: y.abs(), lambda y: y[0], lambda y: y.cumsum(axis=0), lambda y: y @ y, lambda y: y.prod(),
    ]  # fmt: skip
    return [saved_then_written(m, make, lambda y, z: y.add_(1))[0] for make in makers]


@scenario
def results_that_are_saved(m):
    makers = [
        lambda y: y * y, lambda y: y.exp(), lambda y: y.tanh(), lambda y: y.sqrt(), lambda y: y.sin(),
        lambda y: y.sigmoid(), lambda y: y + 1, lambda y: y.log(), lambda y: y.expm1(),
    ]  # fmt: skip
    return [saved_then_written(m, make, lambda y, z: z.add_(1))[0] for make in makers]


@scenario
def gradients_without_error_are_right(m):
    out = []
    for make in (lambda y: y * 2, lambda y: y.exp(), lambda y: y + y, lambda y: y / 2):
        out.append(saved_then_written(m, make, lambda y, z: y.add_(1)))
    return out


@scenario
def the_error_names_what_changed(m):
    x = m.leaf(1, 2, 3)
    y = x.clone()
    z = (y * y).sum()
    y.add_(1)
    y.add_(1)
    text = m.message(z.backward)
    return ["2" in text, "0" in text, "3" in text, "modified by an inplace operation" in text or "in place" in text]


@scenario
def a_saved_constant_written(m):
    x, c = m.leaf(1, 2), m.const(3, 4)
    z = (x * c).sum()
    c.add_(1)
    z.backward()


@scenario
def a_saved_leaf_written_under_no_grad(m):
    x = m.leaf(1, 2)
    z = (x * x).sum()
    with m.no_grad():
        x.add_(1)
    z.backward()


@scenario
def writing_a_parameter_between_forward_and_backward_of_a_linear_chain(m):
    w1, w2, x = m.leaf(2.0), m.leaf(3.0), m.const(1.0)
    loss = (x * w1 * w2).sum()
    with m.no_grad():
        w2.sub_(1)
    return m.attempt(loss.backward)


@scenario
def only_the_branch_that_needs_the_value_complains(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    c = m.const(5, 6)
    a, b = x * c, w * 2
    c.add_(1)
    out = [m.attempt(m.grad, b.sum(), w), m.attempt(m.grad, a.sum(), x)]
    return out


@scenario
def a_value_saved_after_the_write_is_fine(m):
    x = m.leaf(1, 2)
    y = x.clone()
    y.add_(1)
    (y * y).sum().backward()
    return x.grad


@scenario
def a_saved_view_written_through_a_sibling(m):
    x = m.leaf(1, 2, 3)
    y = x.clone()
    v, w = y[:2], y[1:]
    z = (v * v).sum()
    w.add_(1)
    return m.attempt(z.backward)


@scenario
def a_sibling_that_does_not_overlap_still_counts(m):
    x = m.leaf(1, 2, 3)
    y = x.clone()
    v, w = y[:1], y[2:]
    z = (v * v).sum()
    w.add_(1)
    return m.attempt(z.backward)


@scenario
def two_writes_then_back(m):
    x = m.leaf(1, 2)
    y = x.clone()
    z = (y * y).sum()
    y.add_(1)
    y.sub_(1)
    return m.attempt(z.backward)


@scenario
def increment_version_counts_as_a_write(m):
    x = m.leaf(1, 2)
    y = x.clone()
    z = (y * y).sum()
    m.graph.increment_version(y)
    return [y._version, m.attempt(z.backward)]


@scenario
def increment_version_of_several(m):
    a, b = m.const(1), m.const(2)
    m.graph.increment_version([a, b])
    m.graph.increment_version(a)
    return [a._version, b._version]


@scenario
def increment_version_of_a_view(m):
    a = m.const(1, 2)
    m.graph.increment_version(a[1:])
    return a._version


# ---------------------------------------------------------------- versions


@scenario
def versions_are_counted(m):
    x = m.const(1, 2, 3)
    out = [x._version]
    x.add_(1)
    out.append(x._version)
    x[0] = 5
    out.append(x._version)
    x[1:].mul_(2)
    out.append(x._version)
    x.zero_()
    x.copy_(m.const(1, 1, 1))
    x.fill_(2)
    return [*out, x._version]


@scenario
def versions_are_shared_with_views_and_detached(m):
    x = m.const(1, 2, 3)
    v, d, copy, data = x[1:], x.detach(), x.clone(), x.data
    d.add_(1)
    v.add_(1)
    return [t._version for t in (x, v, d, copy, data)]


@scenario
def data_has_a_counter_of_its_own(m):
    x = m.const(1, 2, 3)
    d = x.data
    d.add_(1)
    return [x._version, d._version, x]


@scenario
def a_view_of_data(m):
    x = m.leaf(1, 2, 3)
    x.data[0] = 9
    return [x, x._version]


@scenario
def versions_of_views_of_detached(m):
    x = m.const(1, 2, 3)
    v = x.detach()[1:]
    v.add_(1)
    w = v.detach()
    w.add_(1)
    return [x._version, v._version, w._version]


@scenario
def a_write_that_raises_does_not_count(m):
    x = m.leaf(1, 2)
    m.attempt(x.add_, 1)
    y = x.clone()
    m.attempt(y.add_, m.const(1, 2, 3))
    return [x._version, y._version]
