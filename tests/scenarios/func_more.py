"""func at its edges: what a function sees and may do inside, wrong calls, modes, hooks, Functions."""

from . import scenario


def pair(m):
    return m.tensor([[1.0, 2], [3, 4]])


@scenario
def what_a_function_sees(m):
    out = []

    def f(x):
        y = x * 2
        out.append(
            [x.requires_grad, x.is_leaf, x.grad_fn is None, m.is_grad_enabled(), y.requires_grad, y.grad_fn is None]
        )
        return y.sum()

    m.func.grad(f)(m.const(1, 2))
    return out


@scenario
def autograd_inside_of_grad(m):
    def f(x):
        (g,) = m.grad((x**3).sum(), x, create_graph=True)
        return g.sum()

    return m.func.grad(f)(m.const(1, 2))


@scenario
def writing_the_argument(m):
    x, out = m.const(1, 2), []

    def f(x):
        x.mul_(2)
        return x * x

    out.append(m.attempt(m.func.grad(lambda x: f(x).sum()), x))
    out.append(m.func.jvp(f, (x,), (m.const(1, 1),)))
    out.append(m.func.vmap(f)(x))
    return [out, x]


@scenario
def keyword_arguments(m):
    f = lambda x, k=2: (x * k).sum()
    return [m.func.grad(f)(m.const(1, 2), k=5), m.func.vmap(f)(m.const(1, 2), k=5)]


@scenario
def one_number_of_a_value(m):
    x, v = m.const(3, 2), m.const(1, 0)
    product, branch = lambda x: x[0] * x[0].item(), lambda x: x[0] ** 2 if x[0] > 1 else x[0]
    return [
        m.func.grad(product)(x), m.func.jvp(product, (x,), (v,)), m.func.grad(branch)(x), m.func.jvp(branch, (x,), (v,)),
        m.func.grad(lambda x: x[0] * float(x[1]))(x),
    ]  # fmt: skip


@scenario
def wrong_results(m):
    x = m.const(3, 2)
    return [
        m.attempt(m.func.grad(lambda x: (x.sum(), x)), x), m.attempt(m.func.grad(lambda x: x[:1]), x),
        m.attempt(m.func.grad(lambda x: x.sum(), has_aux=True), x), m.attempt(m.func.grad(lambda: x.sum())),
        m.attempt(m.func.grad(lambda x: (x.sum(), x, x), has_aux=True), x),
        m.attempt(m.func.grad(lambda z: (z * z).sum()), m.tensor([1 + 2j], dtype=m.complex128)),
    ]  # fmt: skip


@scenario
def wrong_argnums(m):
    f = lambda a, b: (a * b).sum()
    args = m.const(1, 2), m.const(3, 4)
    return [m.attempt(m.func.grad(f, argnums=n), *args) for n in ((0, 0), "a", -3, 2)]


@scenario
def wrong_axes(m):
    a, b, vmap = m.const(1, 2), m.const(1, 2), m.func.vmap
    return [
        m.attempt(vmap(lambda a, b: a + b, (0,)), a, b), m.attempt(vmap(lambda a: a, "a"), a),
        m.attempt(vmap(lambda a: (a, a), out_axes=(0,)), a), m.attempt(vmap(lambda a: a, out_axes=None), a),
        m.attempt(vmap(lambda a: a, out_axes=2), a), m.attempt(vmap(lambda: a)), m.attempt(vmap(lambda a: None), a),
    ]  # fmt: skip


@scenario
def results_that_are_the_same_for_all(m):
    return m.func.vmap(lambda a: (a, m.const(5, 6)), out_axes=(0, None))(m.const(1, 2))


@scenario
def indices_that_differ(m):
    def written(x, i):
        y = x * 1
        y[i] = 9.0
        return y

    x, i = m.tensor([[1.0, 2], [3, 0]]), m.tensor([0, 1], dtype=m.int64)
    return [
        m.func.vmap(lambda x, i: x[i])(x, i), m.func.vmap(lambda i: m.const(5, 6, 7)[i])(i), m.func.vmap(written)(x, i),
        m.attempt(m.func.vmap(lambda x: x[x > 1]), x), m.func.vmap(lambda x: m.where(x > 1, x, 0 * x))(x),
    ]  # fmt: skip


@scenario
def things_about_a_value(m):
    f = lambda x: x * x.ndim + len(x.shape) + (0 if repr(x) else 1)
    return [m.func.vmap(f)(pair(m)), m.func.jvp(f, (m.const(1, 2),), (m.const(1, 1),))]


@scenario
def what_is_not_numbers(m):
    a = m.tensor([[1.0, 2], [4, 1]])
    return [m.func.vmap(lambda x: [(x > 1).any(), x.argmax(), x.clone().detach()])(a)]


@scenario
def requiring_gradients_inside(m):
    return m.attempt(m.func.vmap(lambda x: x.requires_grad_()), m.const(1, 2))


@scenario
def values_cut_off(m):
    def quiet(x):
        with m.no_grad():
            y = x * x
        return y + x

    x, v = m.const(1, 2), m.const(1, 1)
    cut = lambda x: x.detach() * x
    return [m.func.jvp(quiet, (x,), (v,)), m.func.jvp(cut, (x,), (v,)), m.func.vmap(cut)(x), m.func.vmap(quiet)(x)]


@scenario
def under_inference_mode(m):
    f, x = lambda x: (x**3).sum(), m.const(1, 2)
    with m.inference_mode():
        out = [
            m.func.grad(f)(x),
            m.func.hessian(f)(x),
            m.func.vmap(lambda x: x * 2)(x),
            m.func.jacrev(lambda x: x * x)(x),
        ]
    return [part.tolist() for part in out]


@scenario
def hooks_inside(m):
    seen = []

    def f(x):
        y = x * 2
        y.register_hook(lambda g: (seen.append(g.tolist()), g * 10)[1])
        return (y * y).sum()

    return [m.func.grad(f)(m.const(1, 2)), seen]


@scenario
def under_anomaly_detection(m):
    with m.detect_anomaly():
        return m.attempt(m.func.grad(lambda x: (x.sqrt() * 0).sum()), m.const(0, 2))


@scenario
def gradients_of_what_is_closed_over(m):
    w = m.leaf(1, 2)
    g = m.func.grad(lambda x: (x * w).sum())(m.const(3, 4))
    m.func.vmap(lambda x: (x * w).sum())(pair(m)).sum().backward()
    return [g.requires_grad, m.grad(g.sum(), w), w.grad]


@scenario
def a_function_class_with_its_own_vmap(m):
    class Square(m.Function):
        @staticmethod
        def forward(x):
            return x**2

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

        @staticmethod
        def vmap(info, in_dims, x):
            return x**2 * 10, in_dims[0]

    return [m.func.vmap(Square.apply)(m.const(1, 2)), m.func.jacrev(lambda x: x * x)(m.const(1, 2))]


@scenario
def many_levels(m):
    f = lambda x: x**6
    for _ in range(5):
        f = m.func.grad(f)
    deep = m.func.vmap(m.func.vmap(m.func.vmap(lambda x: x * x)))
    return [f(m.tensor(1.5)), deep(m.tensor([[[1.0, 2], [3, 4]]]))]


@scenario
def hessian_vector_products_in_a_batch(m):
    g = m.func.grad(lambda x: (x**3).sum() + x[0] * x[1])
    return m.func.vmap(lambda v: m.func.jvp(g, (m.const(1, 2),), (v,))[1])(m.tensor([[1.0, 0], [0, 1], [1, 1]]))


@scenario
def operations_along_axes(m):
    a = m.tensor([[[1.0, 2], [5, 6]], [[3, 4], [7, 8]]])
    f = lambda x: [
        m.concat([x, x], -1),
        x.sum(axis=-1, keepdims=True),
        x @ pair(m),
        pair(m) @ x,
        m.halves(x),
        x.sum(axis=(0, 1)),
    ]
    return m.func.vmap(f)(a)


@scenario
def products_by_einsum(m):
    a, b = m.tensor([[[1.0, 2], [5, 6]], [[3, 4], [7, 8]]]), pair(m)
    return [
        m.func.vmap(lambda x: m.einsum("ij,j->i", pair(m), x))(b), m.func.vmap(lambda x, y: m.einsum("ij,j->i", x, y))(a, b),
        m.func.vmap(m.func.grad(lambda x: m.einsum("ij,ij->", x, pair(m))))(a),
    ]  # fmt: skip


@scenario
def eigenvalues_in_a_batch(m):
    a = m.tensor([[[2.0, 1], [1, 3]], [[5, 1], [1, 3]]])
    f = lambda a: (m.eigh(a)[0] ** 2).sum()
    return [m.func.vmap(lambda a: m.eigh(a)[0])(a), m.func.vmap(m.func.grad(f))(a)]


@scenario
def hooks_see_one_of_a_batch(m):
    seen, x = [], m.leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: seen.append(tuple(g.shape)))
    g = m.grad(y, x, m.tensor([[1.0, 0], [0, 1], [1, 1]]), is_grads_batched=True)
    return [g, seen]


@scenario
def results_of_several_kinds(m):
    x = m.const(1, 2)
    f = lambda x: {"a": x, "b": m.const(1), "c": x.sum()}
    return [m.func.jacrev(f)(x), m.func.jacfwd(f)(x)]


@scenario
def the_same_argument_twice(m):
    x = m.const(1, 2)
    f = lambda a, b: (a * a * b).sum()
    return [m.func.grad(f, argnums=(0, 1))(x, x), m.func.jvp(f, (x, x), (x, x)), m.func.vjp(f, x, x)[1](m.tensor(1.0))]
