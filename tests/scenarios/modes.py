"""Grad mode and inference mode."""

from . import scenario


@scenario
def no_grad_records_nothing(m):
    x = m.leaf(1, 2)
    with m.no_grad():
        y = x * 2
    return [y, y.is_leaf, m.is_grad_enabled()]


@scenario
def enable_grad_inside_no_grad(m):
    x = m.leaf(1, 2)
    with m.no_grad(), m.enable_grad():
        y = x * 2
    return y.requires_grad


@scenario
def set_grad_enabled_as_a_function(m):
    out = []
    m.set_grad_enabled(False)
    out.append(m.is_grad_enabled())
    m.set_grad_enabled(True)
    return [*out, m.is_grad_enabled()]


@scenario
def set_grad_enabled_as_context(m):
    out = []
    with m.set_grad_enabled(False):
        out.append(m.is_grad_enabled())
        with m.set_grad_enabled(True):
            out.append(m.is_grad_enabled())
    return [*out, m.is_grad_enabled()]


@scenario
def modes_as_decorators(m):
    @m.no_grad()
    def off():
        return m.is_grad_enabled()

    @m.enable_grad()
    def on():
        return m.is_grad_enabled()

    with m.no_grad():
        inner = [off(), on()]
    return [off(), on(), *inner]


@scenario
def modes_as_bare_decorators(m):
    @m.no_grad
    def off():
        return m.is_grad_enabled()

    return off()


@scenario
def modes_of_generators(m):
    @m.no_grad()
    def numbers():
        for _ in range(2):
            yield m.is_grad_enabled()

    return [[inner, m.is_grad_enabled()] for inner in numbers()]


@scenario
def a_mode_ends_with_an_exception(m):
    def fail():
        with m.no_grad():
            raise ValueError

    return [m.attempt(fail), m.is_grad_enabled()]


@scenario
def backward_under_no_grad(m):
    x = m.leaf(1, 2)
    y = (x * x).sum()
    with m.no_grad():
        y.backward()
    return x.grad


@scenario
def grad_with_create_graph_under_no_grad(m):
    x = m.leaf(1, 2)
    y = (x * x).sum()
    with m.no_grad():
        (g,) = m.grad(y, x, create_graph=True)
        inside = m.is_grad_enabled()
    return [g.requires_grad, inside]


@scenario
def requires_grad_of_tensors_made_under_no_grad(m):
    with m.no_grad():
        x = m.leaf(1, 2)
    (x * 2).sum().backward()
    return x.grad


@scenario
def inference_mode_is_known(m):
    out = [m.is_inference_mode_enabled()]
    with m.inference_mode():
        out += [m.is_inference_mode_enabled(), m.is_grad_enabled()]
        with m.inference_mode(False):
            out += [m.is_inference_mode_enabled(), m.is_grad_enabled()]
    return [*out, m.is_inference_mode_enabled(), m.is_grad_enabled()]


@scenario
def inference_tensors(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        c = m.const(1, 2)
        y = x * 2
        v = x[1:]
    return [t.is_inference() for t in (x, c, y, v, x * 2)]


@scenario
def results_in_inference_mode_do_not_require_grad(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        y = x * 2
    return [y.requires_grad, y.is_leaf, y]


@scenario
def inference_tensors_may_be_used_without_saving(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        c = m.const(3, 4)
    (x + c).sum().backward()
    return x.grad


@scenario
def inference_tensors_cannot_be_saved(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        c = m.const(3, 4)
    return m.attempt(lambda: x * c)


@scenario
def clones_of_inference_tensors_are_normal(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        c = m.const(3, 4)
    d = c.clone()
    (x * d).sum().backward()
    return [d.is_inference(), x.grad]


@scenario
def clones_inside_inference_mode_are_not(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        c = x.clone()
    return c.is_inference()


@scenario
def inference_tensors_are_written_inside(m):
    with m.inference_mode():
        c = m.const(3, 4)
        c.add_(1)
        c[0] = 9
    return c


@scenario
def inference_tensors_cannot_be_written_outside(m):
    with m.inference_mode():
        c = m.const(3, 4)
    return [m.attempt(c.add_, 1), m.attempt(c.__setitem__, 0, 1.0)]


@scenario
def inference_tensors_written_outside_under_no_grad(m):
    with m.inference_mode():
        c = m.const(3, 4)
    with m.no_grad():
        return m.attempt(c.add_, 1)


@scenario
def normal_tensors_may_be_written_inside(m):
    c = m.const(3, 4)
    with m.inference_mode():
        c.add_(1)
    return [c, c._version, c.is_inference()]


@scenario
def a_leaf_may_be_written_inside(m):
    x = m.leaf(3, 4)
    with m.inference_mode():
        x.add_(1)
    return [x, x._version]


@scenario
def a_saved_tensor_written_inside(m):
    x = m.leaf(3, 4)
    y = (x * x).sum()
    with m.inference_mode():
        x.add_(1)
    return m.attempt(y.backward)


@scenario
def inference_tensors_have_no_version(m):
    with m.inference_mode():
        c = m.const(3, 4)
    return m.attempt(lambda: c._version)


@scenario
def inference_tensors_and_requires_grad(m):
    with m.inference_mode():
        c = m.const(3, 4)
        inside = m.attempt(lambda: c.requires_grad_().requires_grad)
        d = m.const(3, 4)
    return [inside, m.attempt(lambda: d.requires_grad_().requires_grad)]


@scenario
def a_leaf_made_in_inference_mode(m):
    with m.inference_mode():
        x = m.leaf(1, 2)
    return [x.requires_grad, x.is_inference(), m.attempt(lambda: (x * 2).sum().backward())]


@scenario
def views_of_normal_tensors_made_inside(m):
    c = m.const(1, 2, 3)
    with m.inference_mode():
        v = c[1:]
    return [v.is_inference(), m.attempt(v.add_, 1), c, v._version]


@scenario
def views_of_inner_tensors_made_inside(m):
    y = m.leaf(1, 2, 3) * 1
    with m.inference_mode():
        v = y[1:]
    return [v.is_inference(), m.attempt(v.add_, 1)]


@scenario(differs="no graph, no requires_grad")
def requires_grad_of_views_made_under_no_grad(m):
    x = m.leaf(1, 2, 3)
    with m.no_grad():
        return (x * 1)[1:].requires_grad, x[1:].requires_grad, x.detach()[1:].requires_grad


@scenario
def views_of_inference_tensors_made_outside(m):
    with m.inference_mode():
        c = m.const(1, 2, 3)
    v = c[1:]
    return [v.is_inference(), m.attempt(v.add_, 1)]


@scenario
def results_of_inference_tensors_outside(m):
    with m.inference_mode():
        c = m.const(1, 2, 3)
    y = c * 2
    return [y.is_inference(), m.attempt(y.add_, 1)]


@scenario
def backward_inside_inference_mode(m):
    x = m.leaf(1, 2)
    y = (x * x).sum()
    with m.inference_mode():
        return [m.attempt(y.backward), x.grad]


@scenario
def forward_and_backward_inside_inference_mode(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        return m.attempt(lambda: (x * x).sum().backward())


@scenario
def enable_grad_inside_inference_mode(m):
    x = m.leaf(1, 2)
    with m.inference_mode(), m.enable_grad():
        y = x * 2
        return [m.is_grad_enabled(), y.requires_grad, y.is_inference()]


@scenario
def inference_mode_as_decorator(m):
    @m.inference_mode()
    def inside(x):
        return [m.is_inference_mode_enabled(), (x * 2).is_inference()]

    return inside(m.leaf(1, 2))


@scenario
def inference_mode_off_gives_normal_tensors(m):
    x = m.leaf(1, 2)
    with m.inference_mode(), m.inference_mode(False):
        y = x * 2
    return [y.is_inference(), y.requires_grad]


@scenario
def inference_tensors_detached(m):
    with m.inference_mode():
        c = m.const(1, 2)
    d = c.detach()
    return [d.is_inference(), d.requires_grad]


@scenario
def copying_an_inference_tensor_into_a_normal_one(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        c = m.const(3, 4)
    y = x.clone()
    y.copy_(c)
    (y + x).sum().backward()
    return [y, x.grad]


@scenario
def setting_a_gradient_to_an_inference_tensor(m):
    x = m.leaf(1, 2)
    with m.inference_mode():
        c = m.const(3, 4)
    x.grad = c
    return [x.grad is c, m.attempt(x.sum().backward)]
