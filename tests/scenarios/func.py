"""func: grad, vjp, jvp, jacobians, hessians; on trees; nested."""

from . import scenario


def cubic(x):
    return (x**3).sum()


@scenario
def grad_of_a_function(m):
    return m.func.grad(cubic)(m.const(1, 2))


@scenario
def grad_of_what_requires_grad(m):
    x = m.leaf(1, 2)
    g = m.func.grad(cubic)(x)
    return [g, x.grad, *m.grad(g.sum(), x)]


@scenario
def grad_of_a_closure(m):
    w = m.leaf(3, 4)
    g = m.func.grad(lambda x: (x * x * w).sum())(m.const(1, 2))
    return [g, *m.grad(g.sum(), w)]


@scenario
def grad_and_value(m):
    value, g = m.func.value_and_grad(cubic)(m.const(1, 2))
    return [float(value), g]


@scenario
def grad_of_grad(m):
    g = m.func.grad
    f = lambda x: x.sin() * x.exp()
    x = m.tensor(0.5)
    return [g(f)(x), g(g(f))(x), g(g(g(f)))(x)]


@scenario
def argnums(m):
    f = lambda a, b, c: (a * b * b * c).sum()
    args = m.const(1, 2), m.const(3, 4), m.const(5, 6)
    return [m.func.grad(f, argnums=1)(*args), m.func.grad(f, argnums=(0, 2))(*args), m.func.grad(f, argnums=-1)(*args)]


@scenario
def argnums_out_of_range(m):
    return m.attempt(lambda: m.func.grad(cubic, argnums=3)(m.const(1, 2)))


@scenario
def has_aux(m):
    g, aux = m.func.grad(lambda x: ((x * x).sum(), x * 10), has_aux=True)(m.const(1, 2))
    return [g, aux]


@scenario
def has_aux_with_the_value(m):
    f = lambda x: ((x * x).sum(), {"t": x * 10, "n": [x.sum()]})
    (value, aux), g = m.func.value_and_grad(f, has_aux=True)(m.const(1, 2))
    return [float(value), aux, g]


@scenario
def of_a_dict(m):
    p = {"w": m.const(1, 2), "b": m.tensor(3.0)}
    return m.func.grad(lambda p: (p["w"] ** 2).sum() * p["b"])(p)


@scenario
def of_nested_trees(m):
    p = {"layers": [(m.const(1, 2), m.tensor(3.0)), (m.const(4, 5), m.tensor(6.0))]}
    return m.func.grad(lambda p: sum((w * w).sum() * b for w, b in p["layers"]))(p)


@scenario
def of_a_vector_result(m):
    return m.attempt(m.func.grad(lambda x: x * 2), m.const(1, 2))


@scenario(differs="a function may give numbers and arrays")
def of_a_result_that_is_no_tensor(m):
    return m.attempt(m.func.grad(lambda x: 3.0), m.const(1, 2))


@scenario
def of_a_result_that_does_not_depend(m):
    return m.func.grad(lambda x: m.tensor(3.0))(m.const(1, 2))


@scenario
def of_an_argument_that_was_not_used(m):
    return m.func.grad(lambda a, b: (a * a).sum(), argnums=(0, 1))(m.const(1, 2), m.const(3, 4))


@scenario
def of_integers(m):
    return m.attempt(m.func.grad(lambda x: x.sum()), m.tensor([1, 2], dtype=m.int64))


@scenario
def under_no_grad_inside(m):
    def f(x):
        with m.no_grad():
            c = x * x
        return (x - c).sum()

    return m.func.grad(f)(m.const(1, 2))


@scenario
def under_no_grad_outside(m):
    with m.no_grad():
        return m.func.grad(cubic)(m.const(1, 2))


@scenario
def with_detach(m):
    return m.func.grad(lambda x: (x * x.detach()).sum())(m.const(1, 2))


@scenario
def writes_to_inner_tensors(m):
    def f(x):
        y = x * 1
        y[0] = y[1] * 3
        y.mul_(2)
        return (y * y).sum()

    return m.func.grad(f)(m.const(1, 2))


@scenario
def the_argument_is_left_alone(m):
    x = m.const(1, 2)
    m.func.grad(cubic)(x)
    return [x.requires_grad, x.grad, x]


# ---------------------------------------------------------------- vjp and jvp


@scenario
def vjp(m):
    out, f = m.func.vjp(lambda x: x**2, m.const(1, 2))
    return [out, f(m.const(1, 10)), f(m.const(10, 1))]


@scenario
def vjp_of_several_arguments(m):
    out, f = m.func.vjp(lambda a, b: a * b, m.const(1, 2), m.const(3, 4))
    return [out, f(m.const(1, 10))]


@scenario
def vjp_of_several_results(m):
    out, f = m.func.vjp(lambda x: (x * 2, {"s": x.sum()}), m.const(1, 2))
    return [out, f((m.const(1, 10), {"s": m.tensor(100.0)}))]


@scenario
def vjp_with_aux(m):
    out, f, aux = m.func.vjp(lambda x: (x**2, x * 10), m.const(1, 2), has_aux=True)
    return [out, f(m.const(1, 1)), aux]


@scenario
def vjp_with_a_wrong_tree(m):
    _, f = m.func.vjp(lambda x: (x * 2, x.sum()), m.const(1, 2))
    return [m.attempt(f, m.const(1, 10)), m.attempt(f, (m.const(1, 2), m.const(1, 2, 3)))]


@scenario
def jvp(m):
    return m.func.jvp(lambda x: x.sin() * x, (m.const(1, 2),), (m.const(1, 10),))


@scenario
def jvp_of_several_arguments(m):
    return m.func.jvp(lambda a, b: a * b + a, (m.const(1, 2), m.const(3, 4)), (m.const(1, 0), m.const(0, 1)))


@scenario
def jvp_of_several_results(m):
    out, t = m.func.jvp(lambda x: {"a": x * 2, "b": (x.sum(), x * x)}, (m.const(1, 2),), (m.const(1, 10),))
    return [out, t]


@scenario
def jvp_with_aux(m):
    return m.func.jvp(lambda x: (x**2, x * 10), (m.const(1, 2),), (m.const(1, 1),), has_aux=True)


@scenario
def jvp_through_many_operations(m):
    def f(x):
        y = m.stack([x, x * 2])
        z = (y @ x).exp().sum() + x[0] * x.sum() - (x.reshape(2, 1) * y.T).prod()
        return z + m.where(x > 1.5, x, x * x).sum() + x.cumsum(axis=0).mean() + m.concat([x, x]).sum()

    return m.func.jvp(f, (m.const(0.1, 0.2),), (m.const(1, 10),))


@scenario
def jvp_of_a_constant_result(m):
    return m.func.jvp(lambda x: m.const(3, 4), (m.const(1, 2),), (m.const(1, 1),))


@scenario
def jvp_with_wrong_tangents(m):
    f = lambda x: x * 2
    return [
        m.attempt(m.func.jvp, f, (m.const(1, 2),), (m.const(1, 2, 3),)),
        m.attempt(m.func.jvp, f, (m.const(1, 2),), (m.const(1, 2), m.const(1, 2))),
        m.attempt(m.func.jvp, f, m.const(1, 2), m.const(1, 2)),
    ]


@scenario
def jvp_of_writes(m):
    def f(x):
        y = x * 1
        y[0] = x[1] * x[1]
        y.mul_(x)
        return y

    return m.func.jvp(f, (m.const(1, 2),), (m.const(1, 10),))


@scenario
def jvp_of_jvp(m):
    f = lambda x: x.sin() * x.exp()
    inner = lambda x: m.func.jvp(f, (x,), (m.tensor(1.0),))[1]
    return m.func.jvp(inner, (m.tensor(0.5),), (m.tensor(1.0),))


@scenario(differs="refused: a tangent without a tangent, or of all examples, is not written")
def jvp_of_jvp_of_writes(m):
    def f(x):
        y = x * 1
        y[0] = x[1] * x[2]
        y.mul_(x)
        return y

    x, v = m.const(0.5, -0.3, 0.8), m.const(0.2, 0.7, -0.4)
    return m.func.jvp(lambda x: m.func.jvp(f, (x,), (v,))[1], (x,), (v,))


@scenario(differs="refused: a tangent without a tangent, or of all examples, is not written")
def vmap_of_jvp_of_writes(m):
    def f(x):
        y = x * 1
        y[0] = x[1] * x[2]
        return y

    v = m.const(0.2, 0.7, -0.4)
    return m.func.vmap(lambda x: m.func.jvp(f, (x,), (v,)))(m.tensor([[0.5, -0.3, 0.8], [0.1, 0.2, 0.3]]))


@scenario
def jvp_of_grad_of_jacfwd(m):
    out, v = [], m.const(0.2, 0.7, -0.4)
    for f in (lambda x: x.prod() * x, lambda x: x.sin() * x[0], lambda x: (x @ x) * x, lambda x: x.prod().sin()):
        g = m.func.grad(lambda x: m.func.jacfwd(f)(x).sum())
        out.append(m.func.jvp(g, (m.const(0.5, -0.3, 0.8),), (v,)))
    return out


@scenario
def a_product_with_a_zero_twice(m):
    f = lambda x: x.prod().sin()
    x = m.const(0, 2, 3)
    return [m.func.jacfwd(m.func.jacfwd(f))(x), m.func.jacfwd(m.func.jacrev(f))(x), m.func.hessian(f)(x)]


@scenario
def jvp_of_grad(m):
    return m.func.jvp(m.func.grad(cubic), (m.const(1, 2),), (m.const(1, 10),))


@scenario
def grad_of_jvp(m):
    f = lambda x: m.func.jvp(cubic, (x,), (m.const(1, 10),))[1]
    return m.func.grad(f)(m.const(1, 2))


@scenario
def grad_of_vjp(m):
    def f(x):
        _, pull = m.func.vjp(lambda x: x**3, x)
        return pull(m.const(1, 10))[0].sum()

    return m.func.grad(f)(m.const(1, 2))


@scenario
def jvp_that_is_differentiated_outside(m):
    x = m.leaf(1, 2)
    out, t = m.func.jvp(lambda x: x**3, (x,), (m.const(1, 10),))
    t.sum().backward()
    return [out.detach(), t.detach(), x.grad]


@scenario
def tangents_that_require_grad(m):
    v = m.leaf(1, 10)
    _, t = m.func.jvp(lambda x: x**3, (m.const(1, 2),), (v,))
    t.sum().backward()
    return v.grad


# ---------------------------------------------------------------- jacobians and hessians


@scenario
def jacobians(m):
    f = lambda x: m.stack([x[0] * x[1], x[1] ** 2, x[0].sin()])
    x = m.const(1, 2)
    return [m.func.jacrev(f)(x), m.func.jacfwd(f)(x)]


@scenario
def jacobians_of_a_scalar_function(m):
    return [m.func.jacrev(cubic)(m.const(1, 2)), m.func.jacfwd(cubic)(m.const(1, 2))]


@scenario
def jacobians_of_matrices(m):
    x = m.tensor([[0.1, 0.2], [0.3, 0.4]])
    f = lambda x: (x @ x).sin()
    return [m.func.jacrev(f)(x), m.func.jacfwd(f)(x)]


@scenario
def jacobians_of_several_arguments(m):
    f = lambda a, b: a * b.sum()
    args = m.const(1, 2), m.const(3, 4)
    return [
        m.func.jacrev(f, argnums=(0, 1))(*args),
        m.func.jacfwd(f, argnums=(0, 1))(*args),
        m.func.jacrev(f, argnums=1)(*args),
    ]


@scenario
def jacobians_of_trees(m):
    f = lambda p: {"y": p["a"] * p["b"], "z": p["a"].sum()}
    p = {"a": m.const(1, 2), "b": m.tensor(3.0)}
    return [m.func.jacrev(f)(p), m.func.jacfwd(f)(p)]


@scenario
def jacobians_with_aux(m):
    f = lambda x: (x**2, x * 10)
    return [m.func.jacrev(f, has_aux=True)(m.const(1, 2)), m.func.jacfwd(f, has_aux=True)(m.const(1, 2))]


@scenario
def jacobian_of_a_constant(m):
    return [
        m.attempt(m.func.jacrev(lambda x: m.const(3, 4)), m.const(1, 2)),
        m.attempt(m.func.jacfwd(lambda x: m.const(3, 4)), m.const(1, 2)),
    ]


@scenario
def jacobian_of_jacobian(m):
    f = lambda x: x**3
    x = m.const(1, 2)
    return [
        m.func.jacrev(m.func.jacrev(f))(x),
        m.func.jacfwd(m.func.jacrev(f))(x),
        m.func.jacrev(m.func.jacfwd(f))(x),
        m.func.jacfwd(m.func.jacfwd(f))(x),
    ]


@scenario
def hessian(m):
    return m.func.hessian(lambda x: x[0] ** 2 * x[1] + x[1].sin())(m.const(1, 2))


@scenario
def hessian_of_several_arguments(m):
    f = lambda a, b: (a * a * b).sum()
    return m.func.hessian(f, argnums=(0, 1))(m.const(1, 2), m.const(3, 4))


@scenario
def hessian_vector_product(m):
    value, product = m.func.hvp(lambda x: (x**3).sum() + x[0] * x[1], m.const(1, 2), m.const(1, 10))
    return [float(value), product]


@scenario
def hessian_of_rosenbrock(m):
    def f(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    x = m.const(0.5, 0.7, -0.3)
    return [m.func.grad(f)(x), m.func.hessian(f)(x)]


@scenario
def jacobians_through_gather_and_scatter(m):
    def f(x):
        y = m.zeros_of(4) + x[m.tensor([0, 1, 1, 0], dtype=m.int64)]
        return y[1:] * x[0]

    return [m.func.jacrev(f)(m.const(1, 2)), m.func.jacfwd(f)(m.const(1, 2))]


@scenario
def a_graph_inside_func(m):
    def f(x):
        w = m.leaf(3, 4)
        (g,) = m.grad((w * w * x).sum(), w, create_graph=True)
        return (g * x).sum()

    return m.func.grad(f)(m.const(1, 2)).detach()


@scenario
def exceptions_leave_no_level_behind(m):
    def f(x):
        raise KeyError

    first = [
        m.attempt(m.func.grad(f), m.const(1)),
        m.attempt(m.func.jacrev(f), m.const(1)),
        m.attempt(m.func.vmap(f), m.const(1)),
    ]
    return [first, m.func.grad(cubic)(m.const(1, 2)), m.func.vmap(lambda x: x * 2)(m.const(1, 2))]


@scenario
def float32_is_kept(m):
    x = m.tensor([1.0, 2.0], dtype=m.float32)
    return [
        m.func.grad(cubic)(x),
        m.func.jacrev(lambda x: x * x)(x),
        m.func.jacfwd(lambda x: x * x)(x),
        m.func.vmap(lambda x: x * x)(x),
    ]


@scenario
def complex_gradients(m):
    z = m.tensor([1 + 2j, 3 - 1j], dtype=m.complex128)
    return m.func.grad(lambda z: (z * z.conj()).real.sum())(z)
