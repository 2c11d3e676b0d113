"""Nodes: names, edges, metadata, results of operations with several, and places in the graph."""

from . import scenario


@scenario
def names_along_a_chain(m):
    x = m.leaf(1, 2, 3)
    return m.chain((x.exp().sin() * 2).sum().grad_fn)


@scenario
def a_leaf_has_no_node(m):
    x = m.leaf(1, 2)
    return [x.grad_fn is None, x.is_leaf, m.const(1).grad_fn is None, m.const(1).is_leaf]


@scenario
def the_node_of_a_leaf(m):
    x = m.leaf(1, 2)
    node, nr = x.exp().grad_fn.next_functions[0]
    return [m.name(node), nr, node.variable is x, node.next_functions]


@scenario
def one_accumulator_for_each_leaf(m):
    x = m.leaf(1, 2)
    a, b = x.exp(), x.sin()
    return a.grad_fn.next_functions[0][0] is b.grad_fn.next_functions[0][0]


@scenario
def the_accumulator_dies_with_the_graph_and_comes_back(m):
    x = m.leaf(1, 2)
    y = x.exp()
    y.grad_fn.next_functions[0][0].metadata["here"] = 1
    del y
    return dict(x.exp().grad_fn.next_functions[0][0].metadata)


@scenario
def the_same_node_object_again(m):
    x = m.leaf(1, 2)
    y = x.exp()
    z = y * 2
    return [y.grad_fn is y.grad_fn, z.grad_fn.next_functions[0][0] is y.grad_fn]


@scenario
def edges_to_constants_are_empty(m):
    x, c = m.leaf(1, 2), m.const(3, 4)
    return [m.name(node) for node, _ in (c * x).grad_fn.next_functions]


@scenario
def edges_keep_the_order_of_operands(m):
    x, y = m.leaf(1, 2), m.leaf(3, 4)
    z = x.exp() / y.sin()
    return [m.name(node) for node, _ in z.grad_fn.next_functions]


@scenario
def the_same_operand_twice(m):
    x = m.leaf(1, 2)
    edges = (x * x).grad_fn.next_functions
    return [len(edges), edges[0][0] is edges[1][0], edges[0][1], edges[1][1]]


@scenario
def metadata_is_a_dict_that_stays(m):
    y = m.leaf(1, 2).exp()
    y.grad_fn.metadata["mine"] = [1, 2]
    return [isinstance(y.grad_fn.metadata, dict), y.grad_fn.metadata["mine"]]


@scenario
def metadata_is_seen_from_what_comes_after(m):
    y = m.leaf(1, 2).exp()
    y.grad_fn.metadata["mine"] = "here"
    return y.sum().grad_fn.next_functions[0][0].metadata["mine"]


@scenario
def metadata_cannot_be_replaced(m):
    y = m.leaf(1, 2).exp()
    y.grad_fn.metadata = {}


@scenario
def next_functions_cannot_be_set(m):
    y = m.leaf(1, 2).exp()
    y.grad_fn.next_functions = ()


@scenario
def grad_fn_cannot_be_set(m):
    y = m.leaf(1, 2).exp()
    y.grad_fn = None


@scenario
def names_in_str_and_repr(m):
    node = m.leaf(1, 2).exp().grad_fn
    return ["ExpBackward" in repr(node), "ExpBackward" in str(node), m.name(node)]


@scenario
def a_tensor_shows_its_node(m):
    x = m.leaf(1, 2)
    return ["ExpBackward" in repr(x.exp()), "requires_grad=True" in repr(x), "grad" in repr(m.const(1))]


@scenario
def nodes_are_instances_of_node(m):
    y = m.leaf(1, 2).exp()
    edge = y.grad_fn.next_functions[0][0]
    return [isinstance(n, m.graph.Node) for n in (y.grad_fn, edge, y, 3)]


@scenario
def node_cannot_be_made(m):
    m.graph.Node()


@scenario
def a_nodes_attributes_are_closed(m):
    m.leaf(1, 2).exp().grad_fn.nothing_of_the_kind  # noqa: B018


@scenario
def output_nr_of_single_results(m):
    x = m.leaf(1, 2)
    return [x.output_nr, x.exp().output_nr, m.const(1).output_nr]


@scenario
def split_is_one_node(m):
    a, b = m.halves(m.leaf(1, 2, 3, 4))
    return [a.grad_fn is b.grad_fn, a.output_nr, b.output_nr]


@scenario
def unstack_is_one_node(m):
    rows = m.unstack(m.tensor([[1.0, 2], [3, 4], [5, 6]], requires_grad=True))
    return [len({id(r.grad_fn) for r in rows}), [r.output_nr for r in rows]]


@scenario
def eigh_is_one_node(m):
    x = m.tensor([[2.0, 1], [1, 3]], requires_grad=True)
    values, vectors = m.eigh(x)
    return [values.grad_fn is vectors.grad_fn, values.output_nr, vectors.output_nr]


@scenario
def eigh_both_results_used(m):
    x = m.tensor([[2.0, 1], [1, 3]], requires_grad=True)
    values, vectors = m.eigh(x)
    ((values * values).sum() + (vectors * vectors * m.const(1, 3)).sum()).backward()
    return [values, x.grad]


@scenario
def eigh_one_result_used(m):
    x = m.tensor([[2.0, 1], [1, 3]], requires_grad=True)
    m.eigh(x)[0][0].backward()
    return x.grad


@scenario
def which_result_an_edge_leads_to(m):
    rows = m.unstack(m.tensor([[1.0, 2], [3, 4]], requires_grad=True))
    z = rows[1] * rows[0]
    return [nr for _, nr in z.grad_fn.next_functions]


@scenario
def unused_results_count_as_zero(m):
    x = m.tensor([[1.0, 2], [3, 4], [5, 6]], requires_grad=True)
    m.unstack(x)[1].sum().backward()
    return x.grad


@scenario
def results_used_unevenly(m):
    x = m.leaf(1, 2, 3, 4)
    a, b = m.halves(x)
    (a * a * 3 + b).sum().backward()
    return [x.grad, a, b]


@scenario
def gradients_for_results_of_one_node(m):
    a, b = m.halves(m.leaf(1, 2, 3, 4))
    loss = (a * 2 + b * 3).sum()
    return m.grad(loss, [b, a])


@scenario
def hooks_of_results_of_one_node(m):
    seen = []
    x = m.leaf(1, 2, 3, 4)
    a, b = m.halves(x)
    a.register_hook(lambda g: seen.append(["a", g.tolist()]))
    b.register_hook(lambda g: g * 10)
    (a + b * 2).sum().backward()
    return [seen, x.grad]


@scenario
def unused_results_have_no_hooks_run(m):
    seen = []
    x = m.leaf(1, 2, 3, 4)
    a, b = m.halves(x)
    a.register_hook(lambda g: seen.append("a"))
    b.register_hook(lambda g: seen.append("b"))
    b.sum().backward()
    return [seen, x.grad]


@scenario
def node_hook_of_several_results_sees_none_for_unused(m):
    seen = []
    x = m.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    a, b = m.unstack(x)
    a.grad_fn.register_hook(lambda gi, go: seen.append([gi, go]))
    b.sum().backward()
    return seen


@scenario
def edge_of_an_inner_tensor(m):
    y = m.leaf(1, 2).exp()
    edge = m.graph.get_gradient_edge(y)
    return [edge.node is y.grad_fn, edge.output_nr]


@scenario
def edge_of_a_leaf(m):
    x = m.leaf(1, 2)
    edge = m.graph.get_gradient_edge(x)
    return [m.name(edge.node), edge.node.variable is x, edge.output_nr]


@scenario
def edge_of_a_result(m):
    rows = m.unstack(m.tensor([[1.0, 2], [3, 4]], requires_grad=True))
    return m.graph.get_gradient_edge(rows[1]).output_nr


@scenario
def edge_of_a_constant(m):
    m.graph.get_gradient_edge(m.const(1))


@scenario
def grad_with_respect_to_an_edge(m):
    x = m.leaf(1, 2)
    y = x * 3
    edge = m.graph.get_gradient_edge(y)
    z = (y * y).sum()
    del y
    return m.grad(z, edge)


@scenario
def grad_with_respect_to_edges_and_tensors(m):
    x = m.leaf(1, 2)
    y = x * 3
    z = (y * y).sum()
    return m.grad(z, [m.graph.get_gradient_edge(y), x])


@scenario
def backward_from_an_edge(m):
    x = m.leaf(1, 2)
    edge = m.graph.get_gradient_edge(x * x)
    m.backward(edge, m.const(1, 10))
    return x.grad


@scenario
def grad_of_an_edge_without_gradient(m):
    x = m.leaf(1, 2)
    return m.grad(m.graph.get_gradient_edge(x.sum()), x)


@scenario
def grad_of_a_list_of_edges(m):
    x = m.leaf(1, 2)
    y, z = x * 2, x * 3
    return m.grad([m.graph.get_gradient_edge(y), z], x, [m.const(1, 1), m.const(2, 2)])


@scenario
def backward_with_inputs_given_as_edges(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    m.backward((x * w).sum(), inputs=[m.graph.get_gradient_edge(w)])
    return [x.grad, w.grad]


@scenario
def edge_of_a_leaf_that_the_output_does_not_reach(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    return m.grad(x.sum(), m.graph.get_gradient_edge(w), allow_unused=True)


@scenario
def the_node_changes_when_written_in_place(m):
    y = m.leaf(1, 2).exp()
    before = y.grad_fn
    y.mul_(2)
    return [y.grad_fn is before, m.chain(y.grad_fn), y.grad_fn.next_functions[0][0] is before]


@scenario
def the_node_of_a_base_written_through_a_view(m):
    y = m.leaf(1, 2, 3).clone()
    y[1:].mul_(2)
    return m.name(y.grad_fn)


@scenario
def sequence_numbers_rise(m):
    x = m.leaf(1, 2)
    a, b = x.exp(), x.sin()
    c = a * b
    return a.grad_fn._sequence_nr() < b.grad_fn._sequence_nr() < c.grad_fn._sequence_nr()


@scenario
def nothing_is_recorded_for_results_that_need_no_gradient(m):
    x = m.leaf(1, 2)
    y = x > 1.5
    return [y, y.grad_fn is None, (m.const(1) * 2).grad_fn is None]


@scenario
def a_node_outlives_its_tensor(m):
    x = m.leaf(1, 2)
    node = (x * x).grad_fn
    return [m.name(node), node.next_functions[0][0].variable is x]


@scenario
def walking_the_whole_graph(m):
    x, w = m.leaf(1, 2), m.leaf(3, 4)
    y = ((x * w).exp() + x).sum()
    names, todo = [], [y.grad_fn]
    while todo:
        node = todo.pop()
        names.append(m.name(node))
        todo += [n for n, _ in node.next_functions if n is not None]
    return sorted(names)


@scenario
def edges_of_a_function(m):
    class Double(m.Function):
        @staticmethod
        def forward(ctx, a, factor, b):
            return a * factor + b

        @staticmethod
        def backward(ctx, g):
            return g * 2, None, g

    x = m.leaf(1, 2)
    y = Double.apply(x.exp(), 2, x)
    return [m.name(y.grad_fn), [m.name(n) for n, _ in y.grad_fn.next_functions]]


@scenario
def a_functions_node_is_its_ctx(m):
    class Double(m.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.mine = 5
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    y = Double.apply(m.leaf(1, 2))
    return [y.grad_fn.mine, isinstance(y.grad_fn, m.graph.Node), type(y.grad_fn).__name__, m.name(y.grad_fn)]
