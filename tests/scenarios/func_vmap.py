"""vmap: axes, trees, reductions, indexing, writes, nesting with the other transforms."""

from . import scenario


def matrix(m):
    return m.tensor([[1.0, 2], [3, 4], [5, 6]])


@scenario
def of_one_argument(m):
    return m.func.vmap(lambda x: x * 2)(matrix(m))


@scenario
def shapes_inside(m):
    seen = []

    def f(x):
        seen.append([tuple(x.shape), x.ndim, len(x)])
        return x.sum()

    return [m.func.vmap(f)(matrix(m)), seen]


@scenario
def of_two_arguments(m):
    return m.func.vmap(lambda a, b: (a * b).sum())(matrix(m), matrix(m))


@scenario
def in_axes(m):
    a, b = matrix(m), m.const(10, 20)
    return [
        m.func.vmap(lambda a: a.sum(), 1)(a),
        m.func.vmap(lambda a, b: a * b, (0, None))(a, b),
        m.func.vmap(lambda a, b: a * b, (1, 0))(a, b),
        m.func.vmap(lambda a: a.sum(), -1)(a),
        m.func.vmap(lambda a, b: a + b, (None, 0))(a, b),
    ]


@scenario
def in_axes_of_trees(m):
    f = lambda p, x: p["w"] * x + p["b"]
    p = {"w": m.const(1, 2, 3), "b": m.tensor(5.0)}
    return m.func.vmap(f, ({"w": 0, "b": None}, 0))(p, m.const(1, 10, 100))


@scenario
def out_axes(m):
    a = matrix(m)
    return [
        m.func.vmap(lambda x: x * 2, out_axes=1)(a),
        m.func.vmap(lambda x: (x, x.sum()), out_axes=(1, 0))(a),
        m.func.vmap(lambda x: x * 2, out_axes=-1)(a),
    ]


@scenario
def results_as_trees(m):
    return m.func.vmap(lambda x: {"a": x.sum(), "b": [x * 2, (x,)]})(matrix(m))


@scenario
def a_result_that_does_not_depend(m):
    return m.attempt(m.func.vmap(lambda x: m.const(7, 8)), matrix(m))


@scenario(differs="a function may give numbers and arrays")
def a_result_that_is_no_tensor(m):
    return m.attempt(m.func.vmap(lambda x: 3.0), matrix(m))


@scenario
def sizes_that_differ(m):
    return m.attempt(m.func.vmap(lambda a, b: a + b), m.const(1, 2), m.const(1, 2, 3))


@scenario
def nothing_to_map(m):
    return [
        m.attempt(m.func.vmap(lambda a: a, None), m.const(1, 2)),
        m.attempt(m.func.vmap(lambda a: a), m.tensor(3.0)),
        m.attempt(m.func.vmap(lambda a: a, 2), matrix(m)),
        m.attempt(m.func.vmap(lambda a: a), 3.0),
    ]


@scenario
def reductions(m):
    def f(x):
        return [x.sum(), x.mean(), x.prod(), x.sum(axis=0), x.sum(axis=-1), m.amax(x, axis=0), x.cumsum(axis=0)]

    return m.func.vmap(f)(m.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]]))


@scenario
def products(m):
    a = m.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    v, w = m.tensor([[1.0, 2], [3, 4]]), m.const(1, 10)
    vm = m.func.vmap
    return [
        vm(lambda a, v: a @ v)(a, v), vm(lambda a, w: a @ w, (0, None))(a, w), vm(lambda a, v: a @ v, (None, 0))(a[0], v),
        vm(lambda v, a: v @ a)(v, a), vm(lambda a, b: a @ b)(a, a), vm(lambda v, w: v @ w)(v, v),
        vm(lambda a, b: a @ b, (None, 0))(a[1], a),
    ]  # fmt: skip


@scenario
def shapes(m):
    def f(x):
        return [
            x.T,
            x.reshape(4),
            x[None],
            x.squeeze(),
            x.swapaxes(0, 1),
            x.reshape(-1, 1),
            m.broadcast_to(x, (3, 2, 2)),
        ]

    return m.func.vmap(f)(m.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]]))


@scenario
def joining(m):
    return m.func.vmap(lambda x, y: [m.stack([x, y]), m.concat([x, y]), m.stack([x, x * 2], 1)])(matrix(m), matrix(m))


@scenario
def joining_with_constants(m):
    c = m.const(7, 8)
    return m.func.vmap(lambda x: [m.stack([x, c]), m.concat([c, x])])(matrix(m))


@scenario
def indexing(m):
    def f(x):
        return [x[0], x[-1], x[:1], x[1:], x[None, 0], x[m.tensor([1, 0, 1], dtype=m.int64)], x[...]]

    return m.func.vmap(f)(matrix(m))


@scenario
def indexing_of_matrices(m):
    a = m.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    return m.func.vmap(lambda x: [x[0], x[:, 1], x[0, 1], x[1:, :1], x[..., 0]])(a)


@scenario
def indexing_a_constant(m):
    c = m.const(10, 20, 30)
    return m.func.vmap(lambda x: c * x.sum())(matrix(m))


@scenario
def elementwise_functions(m):
    f = lambda x: [x.exp(), x.sin(), x.tanh(), x.sqrt(), x.log(), x.abs(), -x, x**2, 2**x, x / 3, 3 / x, x - 1, 1 - x]
    return m.func.vmap(f)(matrix(m))


@scenario
def comparisons_and_where(m):
    return m.func.vmap(lambda x: [m.where(x > 2.5, x, -x), x > 2.5, m.maximum(x, x * 0 + 3)])(matrix(m))


@scenario
def mixed_ranks_broadcast(m):
    return m.func.vmap(lambda x, y: [x + y, y + x, x * y[0]], (0, None))(m.const(1, 2), matrix(m))


@scenario
def a_branch_on_a_value(m):
    return m.attempt(m.func.vmap(lambda x: x if x > 2 else -x), m.const(1, 2, 3))


@scenario
def item_of_a_value(m):
    return m.attempt(m.func.vmap(lambda x: x.item()), m.const(1, 2, 3))


@scenario
def writes(m):
    def f(x):
        y = x * 1
        y[0] = x[1] * 10
        y.add_(x)
        y += 1
        return y

    return m.func.vmap(f)(matrix(m))


@scenario
def writing_a_batch_into_a_constant(m):
    def f(x):
        y = m.zeros_of(2)
        y[0] = x.sum()
        return y

    return m.attempt(m.func.vmap(f), matrix(m))


@scenario
def writing_a_constant_into_a_batch(m):
    c = m.const(7, 8)

    def f(x):
        y = x * 1
        y[1:] = c[:1]
        y.mul_(c)
        return y

    return m.func.vmap(f)(matrix(m))


@scenario
def nested(m):
    a = m.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    return m.func.vmap(m.func.vmap(lambda x: x * x.sum()))(a)


@scenario
def nested_outer_product(m):
    f = m.func.vmap(m.func.vmap(lambda a, b: a * b, (None, 0)), (0, None))
    return f(m.const(1, 2), m.const(3, 4, 5))


@scenario
def nested_with_other_axes(m):
    a = m.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    return m.func.vmap(m.func.vmap(lambda x: x * x.sum(), in_axes=1), in_axes=1, out_axes=2)(a)


@scenario
def of_grad(m):
    return m.func.vmap(m.func.grad(lambda x: (x**3).sum()))(matrix(m))


@scenario
def per_sample_gradients(m):
    w, x, y = m.const(1, 2), matrix(m), m.const(1, 2, 3)
    loss = lambda w, x, y: ((x @ w) - y) ** 2
    return m.func.vmap(m.func.grad(loss), (None, 0, 0))(w, x, y)


@scenario
def of_value_and_grad(m):
    return m.func.vmap(m.func.value_and_grad(lambda x: (x**3).sum()))(matrix(m))


@scenario
def grad_of_vmap(m):
    return m.func.grad(lambda x: m.func.vmap(lambda r: r.prod())(x).sum())(matrix(m))


@scenario
def of_jvp(m):
    f = lambda x, v: m.func.jvp(lambda x: x.sin() * x, (x,), (v,))
    return m.func.vmap(f)(matrix(m), matrix(m))


@scenario
def jvp_of_vmap(m):
    f = m.func.vmap(lambda x: x.sin().sum())
    return m.func.jvp(f, (matrix(m),), (matrix(m),))


@scenario
def of_vjp(m):
    def f(x, g):
        _, pull = m.func.vjp(lambda x: x**2, x)
        return pull(g)

    return m.func.vmap(f)(matrix(m), matrix(m))


@scenario
def a_batch_of_cotangents(m):
    out, pull = m.func.vjp(lambda x: x**2, m.const(1, 2, 3))
    eye = m.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    return [out, m.func.vmap(pull)(eye)]


@scenario
def of_jacrev(m):
    return [
        m.func.vmap(m.func.jacrev(lambda x: x**2))(matrix(m)),
        m.func.vmap(m.func.jacfwd(lambda x: x**2))(matrix(m)),
    ]


@scenario
def of_hessian(m):
    return m.func.vmap(m.func.hessian(lambda x: (x**3).sum() + x[0] * x[1]))(matrix(m))


@scenario
def jacrev_of_vmap(m):
    return m.func.jacrev(m.func.vmap(lambda x: x.sum() ** 2))(matrix(m))


@scenario
def that_is_differentiated_outside(m):
    x = m.tensor([[1.0, 2], [3, 4], [5, 6]], requires_grad=True)
    y = m.func.vmap(lambda r: (r * r).sum())(x)
    (y * m.const(1, 10, 100)).sum().backward()
    return [y, x.grad]


@scenario
def closing_over_what_requires_grad(m):
    w = m.leaf(1, 2)
    y = m.func.vmap(lambda r: (r * w).sum())(matrix(m))
    y.sum().backward()
    return w.grad


@scenario
def grad_inside_of_closures(m):
    w = m.leaf(1, 2)
    g = m.func.vmap(m.func.grad(lambda r: (r * r * w).sum()))(matrix(m))
    g.sum().backward()
    return [g.detach(), w.grad]


@scenario
def chunks(m):
    return m.func.vmap(lambda x: x * 2, chunk_size=2)(matrix(m))


@scenario
def float32(m):
    return m.func.vmap(lambda x: x.sum() * 2)(m.tensor([[1.0, 2], [3, 4]], dtype=m.float32))


@scenario
def integers(m):
    return m.func.vmap(lambda x: x.sum() * 2)(m.tensor([[1, 2], [3, 4]], dtype=m.int64))


@scenario
def of_a_function_class(m):
    class Cube(m.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    return [
        m.func.vmap(Cube.apply)(matrix(m)),
        m.func.vmap(m.func.grad(lambda x: Cube.apply(x).sum()))(matrix(m)),
    ]


@scenario
def variance_and_softmax(m):
    def f(x):
        e = x.exp()
        p = e / e.sum()
        return [p, ((x - x.mean()) ** 2).mean(), (p * p.log()).sum()]

    return m.func.vmap(f)(matrix(m) * 0.1)


@scenario
def einsum(m):
    return m.func.vmap(lambda x, y: m.einsum("i,i->", x, y))(matrix(m), matrix(m))


@scenario
def iteration(m):
    return m.func.vmap(lambda x: sum(v * v for v in x))(matrix(m))


@scenario
def numbers_as_arguments(m):
    return m.func.vmap(lambda x, n: x * n, (0, None))(m.const(1, 2), 3)
