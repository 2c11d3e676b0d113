"""`fastgrad.func.vmap`: every row of the table against a loop over the examples, and what vmap itself promises."""

import itertools
import warnings

import numpy as np
import pytest
from samples import ROWS, arguments, as_arrays, calls, operands_of, seed

import fastgrad as fg
from fastgrad.func import grad, jacfwd, jacrev, vmap
from fastgrad.ops import TABLE

COUNT = 3


def cases():
    for name in ROWS:
        for number, _ in enumerate(calls(TABLE[name], few=True)):
            yield pytest.param(name, number, id=f"{name}-{number}")


def batches(op, call):
    """The operands of a call, COUNT times over: of arrays a batch, of anything else the thing itself."""
    dtype = "int64" if op.name.startswith("bitwise") or op.name in ("gcd", "lcm") else "float64"
    drawn = [operands_of(op, call, dtype, seed(op.name, repr(call), i)) for i in range(COUNT)]
    return [[np.asarray(v) if isinstance(v, np.generic) else v for v in column] for column in zip(*drawn)]


def run(op, operands, options):
    args, options = arguments(op, operands, options)
    return op(*args, **options)


def is_array(value):
    return isinstance(value, np.ndarray)


@pytest.mark.parametrize(("name", "number"), list(cases()))
def test_every_row_on_a_batch_is_the_row_on_each_example(name, number):
    op = TABLE[name]
    call = calls(op, few=True)[number]
    columns = batches(op, call)
    mapped = [i for i, column in enumerate(columns) if is_array(column[0])]
    picks = [mapped] + [[i] for i in mapped] if len(mapped) > 1 else [mapped]
    for pick in picks:
        values = [np.stack(column) if i in pick else column[0] for i, column in enumerate(columns)]
        tensors = [fg.asarray(v) if is_array(v) else v for v in values]
        axes = tuple(0 if i in pick else None for i in range(len(values)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = vmap(lambda *operands: run(op, operands, call.options), axes)(*tensors)
        expected = [
            as_arrays(
                run(
                    op,
                    [fg.asarray(v[i] if j in pick else v) if is_array(v) else v for j, v in enumerate(values)],
                    call.options,
                )
            )
            for i in range(COUNT)
        ]
        expected = [np.stack(parts) for parts in zip(*expected)]
        found = as_arrays(found)
        assert len(found) == len(expected)
        for a, b in zip(found, expected):
            assert a.dtype == b.dtype and a.shape == b.shape, (pick, a.shape, b.shape)
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "number"), list(cases()))
def test_gradients_of_each_example_are_those_of_the_example_alone(name, number):
    op = TABLE[name]
    call = calls(op, few=True)[number]
    if not op.differentiable:
        pytest.skip("no derivative")
    columns = batches(op, call)
    floats = [i for i, column in enumerate(columns) if is_array(column[0]) and column[0].dtype.kind == "f"]
    if not floats:
        pytest.skip("nothing to differentiate")

    def loss(*values):
        operands = [values[floats.index(i)] if i in floats else column[0] for i, column in enumerate(columns)]
        outs = run(op, operands, call.options)
        outs = outs if isinstance(outs, tuple) else (outs,)
        return sum((fg.cos(1.0 + out) * out).sum() for out in map(fg.real, outs))

    argnums = tuple(range(len(floats)))
    one = grad(loss, argnums)
    found = vmap(one)(*[fg.asarray(np.stack(columns[i])) for i in floats])
    for i in range(COUNT):
        expected = one(*[fg.asarray(columns[j][i]) for j in floats])
        for a, b in zip(found, expected):
            np.testing.assert_allclose(a.numpy()[i], b.numpy(), rtol=1e-9, atol=1e-9)


# ---------------------------------------------------------------- indexing

TABLE_OF = np.arange(60.0).reshape(3, 4, 5)
_I, _J = np.array([2, 0, 1]), np.array([[0, 3], [1, 1], [2, 0]])
INDICES = {
    "i": lambda i, j: (i,),
    "i, ...": lambda i, j: (i, Ellipsis),
    ":, i": lambda i, j: (slice(None), i),
    "..., i": lambda i, j: (Ellipsis, i),
    "j": lambda i, j: (j % 3,),
    ":, j": lambda i, j: (slice(None), j),
    "i, j": lambda i, j: (i, j),
    "i, :, i": lambda i, j: (i, slice(None), i),
    "j, :, j": lambda i, j: (j % 3, slice(None), j),
    "1, j": lambda i, j: (1, j),
    ":, 1, j": lambda i, j: (slice(None), 1, j),
    "None, j": lambda i, j: (None, j % 3),
    ":, None, j": lambda i, j: (slice(None), None, j),
    "shared, j": lambda i, j: (np.array([2, 1]), j),
    "column, j": lambda i, j: (np.array([[0], [1]]), j),
    "mask, :, i": lambda i, j: (np.array([True, False, True]), slice(None), i),
    "i, 1:3": lambda i, j: (i, slice(1, 3)),
    "i, ::-1, j": lambda i, j: (i, slice(None, None, -1), j),
    "..., j, 1:": lambda i, j: (Ellipsis, j, slice(1, None)),
}


@pytest.mark.parametrize("name", list(INDICES))
@pytest.mark.parametrize("mapped", ["index", "both"])
def test_an_index_for_each_example(name, mapped):
    index = INDICES[name]
    x = np.stack([TABLE_OF + 100 * n for n in range(COUNT)]) if mapped == "both" else TABLE_OF
    at = lambda n: x[n] if mapped == "both" else x
    axes = (0 if mapped == "both" else None, 0, 0)

    def read(x, i, j):
        return x[index(i, j)]

    tensors = fg.asarray(x), fg.asarray(_I), fg.asarray(_J)
    expected = np.stack([at(n)[index(_I[n], _J[n])] for n in range(COUNT)])
    np.testing.assert_array_equal(vmap(read, axes)(*tensors).numpy(), expected)
    values = np.random.default_rng(0).normal(size=expected.shape)

    def slope(x, i, j, v):
        return grad(lambda x: (x[index(i, j)] * v).sum())(x)

    found = vmap(slope, (*axes, 0))(*tensors, fg.asarray(values)).numpy()
    for n in range(COUNT):
        total = np.zeros(TABLE_OF.shape)
        np.add.at(total, index(_I[n], _J[n]), values[n])
        np.testing.assert_allclose(found[n], total)

    def write(x, i, j, v):
        x = x.clone()
        x[index(i, j)] = v
        return x

    if mapped == "both":
        for v in (values, np.zeros(COUNT)):
            found = vmap(write, (*axes, 0))(*tensors, fg.asarray(v)).numpy()
            for n in range(COUNT):
                total = at(n).copy()
                total[index(_I[n], _J[n])] = v[n]
                np.testing.assert_array_equal(found[n], total)


def test_an_index_under_two_levels():
    x = np.arange(12.0).reshape(3, 4)
    i, j = np.array([2, 0]), np.array([1, 3, 3])
    found = vmap(vmap(lambda i, j: fg.asarray(x)[i, j], (None, 0)), (0, None))(i, j)
    np.testing.assert_array_equal(found.numpy() if hasattr(found, "detach") else found, x[i[:, None], j])
    found = vmap(lambda row: vmap(lambda j: row[j])(fg.asarray(j)))(fg.asarray(x))
    np.testing.assert_array_equal(found.numpy(), x[:, j])
    found = vmap(lambda j: vmap(lambda row: row[j])(fg.asarray(x)))(fg.asarray(j))
    np.testing.assert_array_equal(found.numpy(), x[:, j].T)
    found = vmap(lambda j: vmap(grad(lambda row: row[j] ** 2))(fg.asarray(x)))(fg.asarray(j))
    expected = np.zeros((3, 3, 4))
    for n, m in itertools.product(range(3), range(3)):
        expected[n, m, j[n]] = 2 * x[m, j[n]]
    np.testing.assert_allclose(found.numpy(), expected)


def test_one_number_can_be_written_where_each_example_has_a_mask():
    x = np.random.default_rng(0).normal(size=(3, 2, 4))

    def clear(x):
        x = x.clone()
        x[x > 0] = 0.0
        x[x.sum(axis=1) < -1] = 7.0
        return x

    found = vmap(clear)(fg.asarray(x)).numpy()
    for a, b in zip(found, x):
        np.testing.assert_array_equal(a, clear(fg.asarray(b)).numpy())


# ---------------------------------------------------------------- in place


def test_writing_in_place_reaches_views_and_the_array_itself():
    def f(x):
        y = x.reshape(2, 2)
        y[0] *= 2
        y[:, 1] += x[0]
        x.add_(1)
        return y

    x = np.arange(12.0).reshape(3, 4)
    expected = np.stack([f(fg.asarray(row.copy())).numpy() for row in x])
    given = x.copy()
    np.testing.assert_array_equal(vmap(f)(given), expected)
    np.testing.assert_array_equal(given.reshape(3, 2, 2), expected)


def test_writing_in_place_has_the_gradient_of_each_example():
    def f(x):
        y = x * x
        y[1:] *= y[:2].clone()
        y += x.sum()
        y[0] = y[2]
        y.exp_()
        return y.sum()

    x = np.random.default_rng(0).normal(size=(4, 3)) / 3
    found = vmap(grad(f))(x)
    np.testing.assert_allclose(found, np.stack([grad(f)(row) for row in x]))


def test_more_axes_than_the_target_has_do_not_fit():
    with pytest.raises(ValueError, match="does not fit in place"):
        vmap(lambda x: x.add_(np.ones((3, 3))))(np.ones((3, 3)))


# ---------------------------------------------------------------- the rest


def test_operations_without_a_rule_run_in_a_loop_and_say_so_once(register):
    double = register("vmap_double", lambda x: np.asarray(x) * 2.0, "x", vjp=lambda g, out, x: g * 2.0)
    with pytest.warns(UserWarning, match="vmap_double.*one example after the other"):
        found = vmap(lambda x: double(x) * x)(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(found, 2 * np.arange(6.0).reshape(2, 3) ** 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(vmap(grad(lambda x: double(x).sum()))(np.ones((2, 3))), 2 * np.ones((2, 3)))
        np.testing.assert_allclose(jacrev(lambda x: double(x) * x)(np.ones(2)), 4 * np.eye(2))
        np.testing.assert_allclose(jacfwd(lambda x: double(x) * x)(np.ones(2)), 4 * np.eye(2))


def test_operations_of_ones_own_with_a_rule_need_no_loop(register):
    total = register(
        "vmap_total",
        np.sum,
        "x",
        vjp=lambda g, out, x: g,
        batch=lambda many, x: fg.sum(x, axis=tuple(range(1, x.ndim))),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(vmap(total)(np.ones((2, 3, 4))), [12, 12])


def test_every_row_of_fastgrad_has_a_rule():
    assert [name for name in ROWS if not (TABLE[name].elementwise or TABLE[name].derived or TABLE[name].batch)] == []


def test_a_batch_of_none_gives_none():
    assert vmap(lambda x: x.sum() * x)(np.ones((0, 3))).shape == (0, 3)


def test_batches_are_seen_by_numpys_functions():
    x = np.arange(6.0).reshape(2, 3)
    found = vmap(lambda r: np.concatenate([np.exp(r), np.add(np.ones(3), r), np.dot(r, r) * np.ones(1)]))(x)
    np.testing.assert_allclose(found, [np.concatenate([np.exp(r), 1 + r, [r @ r]]) for r in x])
    assert vmap(lambda r: np.ones(np.shape(r)) * np.size(r) * r)(x).shape == (2, 3)


def test_losses_of_each_example():
    scores, classes = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 1])
    found = vmap(grad(fg.cross_entropy), (0, 0))(fg.asarray(scores), fg.asarray(classes))
    for a, b, c in zip(found.numpy(), scores, classes):
        np.testing.assert_allclose(a, grad(fg.cross_entropy)(fg.asarray(b), int(c)).numpy())


def test_a_batch_shows_what_it_is():
    shown = []
    vmap(lambda x: (shown.append(repr(x)), x)[1])(np.ones(2))
    assert shown[0].startswith("batched(tensor([1., 1.]), level=")
