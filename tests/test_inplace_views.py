"""Writing in place, views and version counters: every scenario runs on fastgrad and on PyTorch and must agree.

A scenario is a function of `m` (fastgrad, or torch) and gives a list of tensors, or raises. `outcome` says what
PyTorch makes of it where PyTorch is absent: the exception's type, or the values.
"""

import importlib

import numpy as np
import pytest

import fastgrad as fg

SCENARIOS = {}


def scenario(outcome):
    def add(function):
        SCENARIOS[function.__name__] = (function, outcome)
        return function

    return add


def leaf(m, data=(1.0, 2.0, 3.0)):
    return m.tensor(data, dtype=m.float64, requires_grad=True)


def const(m, data=(4.0, 5.0, 6.0)):
    return m.tensor(data, dtype=m.float64)


# ---------------------------------------------------------------- who may be written


@scenario(RuntimeError)
def leaf_add(m):
    x = leaf(m)
    x.add_(1)


@scenario(RuntimeError)
def leaf_operator(m):
    x = leaf(m)
    x += 1


@scenario(RuntimeError)
def leaf_setitem(m):
    x = leaf(m)
    x[0] = 5.0


@scenario(RuntimeError)
def view_of_leaf(m):
    x = leaf(m)
    x[1:].mul_(2)


@scenario(RuntimeError)
def view_of_view_of_leaf(m):
    x = leaf(m)
    x[1:][0] = 7.0


@scenario([[2, 4, 6], [4, 8, 12]])
def leaf_under_no_grad(m):
    x = leaf(m)
    with m.no_grad():
        x.mul_(2)
    assert x.is_leaf and x.requires_grad
    (x * x).sum().backward()
    return [x, x.grad]


@scenario([[1, 9, 3]])
def view_of_leaf_under_no_grad(m):
    x = leaf(m)
    with m.no_grad():
        x[1:][0] = 9.0
    return [x]


@scenario(RuntimeError)
def view_made_under_no_grad_written_with_grad(m):
    x = leaf(m)
    with m.no_grad():
        v = x[1:]
    v.mul_(2)


@scenario([[8, 10, 12]])
def plain_tensor(m):
    c = const(m)
    c.mul_(2)
    assert not c.requires_grad
    return [c]


@scenario([[4, 10, 18], [4, 5, 6]])
def plain_tensor_becomes_part_of_the_graph(m):
    x, c = leaf(m), const(m)
    factors = c.clone()
    c.mul_(x)
    assert c.requires_grad and not c.is_leaf
    c.sum().backward()
    assert factors.grad is None
    return [c, x.grad]


@scenario([[4, 1, 6], [0, 1, 0]])
def setitem_into_plain_tensor(m):
    x, c = leaf(m, [1.0, 2.0, 3.0]), const(m)
    c[1] = x[1] - 1
    c.sum().backward()
    return [c, x.grad]


# ---------------------------------------------------------------- rebasing


@scenario([[2, 4, 6], [2, 2, 2]])
def intermediate_mul(m):
    x = leaf(m)
    y = x.clone()
    y.mul_(2)
    y.sum().backward()
    return [y, x.grad]


@scenario([[4, 4, 4]])
def same_name_after_operator(m):
    x = leaf(m)
    y = x * 2
    z = y
    z *= 2
    assert z is y
    y.sum().backward()
    return [x.grad]


@scenario([[0, 2, 2], [10.0]])
def setitem_cuts_the_old_value(m):
    x, v = leaf(m), leaf(m, [10.0])
    y = x * 2
    y[0] = v[0] * v[0] / 2
    y.sum().backward()
    return [x.grad, v.grad]


@scenario([[1, 0, 1]])
def setitem_of_a_number(m):
    x = leaf(m)
    y = x.clone()
    y[1] = 100.0
    y.sum().backward()
    return [x.grad]


@scenario([[0, 0, 0], [3.0]])
def setitem_broadcasts(m):
    x, v = leaf(m), leaf(m, [10.0])
    y = x.clone()
    y[:] = v
    y.sum().backward()
    return [x.grad, v.grad]


@scenario([[0, 1, 0]])
def setitem_by_mask(m):
    x = leaf(m)
    y = x.clone()
    y[y != 2] = 0.0
    y.sum().backward()
    return [x.grad]


@scenario([[0, 1, 0], [5, 7]])
def setitem_by_integers(m):
    x, v = leaf(m), leaf(m, [1.0, 1.0])
    y = x.clone()
    y[[0, 2]] = v
    (y * m.tensor([5.0, 1.0, 7.0], dtype=m.float64)).sum().backward()
    return [x.grad, v.grad]


# ---------------------------------------------------------------- views and bases


@scenario([[1, 20, 30], [1, 10, 10]])
def writing_a_view_changes_the_base(m):
    x = leaf(m)
    y = x.clone()
    v = y[1:]
    v.mul_(10)
    y.sum().backward()
    return [y, x.grad]


@scenario([[20, 30], [0, 10, 10]])
def the_written_view_itself(m):
    x = leaf(m)
    y = x.clone()
    v = y[1:]
    v.mul_(10)
    v.sum().backward()
    return [v, x.grad]


@scenario([[20, 30], [0, 10, 10]])
def writing_the_base_changes_the_view(m):
    x = leaf(m)
    y = x.clone()
    v = y[1:]
    y.mul_(10)
    v.sum().backward()
    return [v, x.grad]


@scenario([[20, 30], [0, 10, 10]])
def a_sibling_view_follows(m):
    x = leaf(m)
    y = x.clone()
    v, w = y[1:], y[:]
    w.mul_(10)
    v.sum().backward()
    return [v, x.grad]


@scenario([[0, 60, 0]])
def views_of_views(m):
    x = leaf(m)
    y = x.clone()
    v = y[1:]
    w = v[:1]
    w.mul_(10)
    y.mul_(2)
    (w * 3).sum().backward()
    return [x.grad]


@scenario([[[1, 1, 1], [3, 3, 3]]])
def through_a_transpose(m):
    x = leaf(m, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    y = x.clone()
    t = y.T
    t[:, 1].mul_(3)
    y.sum().backward()
    return [x.grad]


@scenario([[[1, 5], [1, 1], [1, 1]]])
def through_a_reshape(m):
    x = leaf(m, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    y = x.clone()
    flat = y.reshape(6)
    flat[1:2].mul_(5)
    y.sum().backward()
    return [x.grad]


@scenario([[[1, 1], [1, 1], [1, 1]]])
def reshape_that_copies_is_no_view(m):
    x = leaf(m, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    y = x.clone()
    flat = y.T.reshape(6)
    flat.mul_(5)
    y.sum().backward()
    return [x.grad]


@scenario([[4, 10, 6], [0, 5, 0], [1, 0, 1]])
def a_view_of_a_plain_tensor_takes_a_graph(m):
    x, c = leaf(m), const(m)
    c0 = leaf(m)
    c = c + 0 * c0
    v = c[1:2]
    v.mul_(x[1:2])
    d = c * m.tensor([1.0, 1.0, 1.0], dtype=m.float64)
    (d + c0 * m.tensor([1.0, 0.0, 1.0], dtype=m.float64)).sum().backward()
    return [c, x.grad, c0.grad]


@scenario([[4, 10, 6], [0, 5, 0]])
def a_view_makes_its_plain_base_require_grad(m):
    x, c = leaf(m), const(m)
    v = c[1:2]
    v.mul_(x[1:2])
    assert c.requires_grad and not c.is_leaf
    c.sum().backward()
    return [c, x.grad]


@scenario([[6, 6, 6]])
def many_writes_in_a_row(m):
    x = leaf(m)
    y = x.clone()
    for i in range(3):
        y[i] = y[i] * 2
    y *= 3
    y.sum().backward()
    return [x.grad]


@scenario([[1, 1, 1]])
def recursion_by_setitem(m):
    x = leaf(m)
    y = m.zeros(4, dtype=m.float64) if hasattr(m, "zeros") else m.tensor([0.0] * 4)
    for i in range(3):
        y[i + 1] = y[i] + x[i]
    y[3].backward()
    return [x.grad]


@scenario([[3, 3, 3]])
def a_view_used_before_and_after(m):
    x = leaf(m)
    y = x.clone()
    v = y[:]
    before = v * 1
    y.mul_(2)
    (before + v).sum().backward()
    return [x.grad]


@scenario([[0, 0, 1]])
def a_part_overwritten_through_a_view(m):
    x = leaf(m)
    y = x.clone()
    v = y[:2]
    v[:] = 0.0
    y.sum().backward()
    return [x.grad]


@scenario([[20, 30], [1, 20, 30]])
def detach_shares_memory(m):
    x = leaf(m)
    y = x.clone()
    d = y.detach()[1:]
    d.mul_(10)
    assert not d.requires_grad
    return [d, y]


# ---------------------------------------------------------------- saved values


@scenario(RuntimeError)
def saved_operand_overwritten(m):
    x = leaf(m)
    y = x.clone()
    z = y * y
    y.add_(1)
    z.sum().backward()


@scenario(RuntimeError)
def saved_result_overwritten(m):
    x = leaf(m)
    y = x.exp()
    y.add_(1)
    y.sum().backward()


@scenario(RuntimeError)
def saved_overwritten_through_a_view(m):
    x = leaf(m)
    y = x.exp()
    y[0:1].mul_(2)
    y.sum().backward()


@scenario(RuntimeError)
def saved_overwritten_through_detach(m):
    x = leaf(m)
    y = x.exp()
    y.detach().mul_(2)
    y.sum().backward()


@scenario(RuntimeError)
def saved_overwritten_under_no_grad(m):
    x = leaf(m)
    y = (x * x).sum()
    with m.no_grad():
        x.mul_(2)
    y.backward()


@scenario(RuntimeError)
def saved_view_overwritten_through_its_base(m):
    x = leaf(m)
    c = const(m)
    z = x * c[:]
    c.add_(1)
    z.sum().backward()


@scenario([[5, 6, 7]])
def data_does_not_count(m):
    x, c = leaf(m), const(m)
    z = x * c
    c.data.add_(1)
    z.sum().backward()
    return [x.grad]


@scenario([[1, 1, 1]])
def unsaved_value_may_be_overwritten(m):
    x = leaf(m)
    y = x.clone()
    z = y + 1
    y.add_(1)
    z.sum().backward()
    return [x.grad]


@scenario([[4, 5, 6]])
def only_what_the_formula_reads_is_saved(m):
    x, c = leaf(m), const(m)
    y = x.clone()
    z = y * c
    y.add_(1)
    z.sum().backward()
    return [x.grad]


@scenario(RuntimeError)
def saved_operand_squared_in_place(m):
    x = leaf(m)
    y = x.clone()
    z = y.sin()
    y.mul_(y)
    z.sum().backward()


@scenario([[2, 4, 6]])
def product_in_place_saves_the_value_before(m):
    x = leaf(m)
    y = x.clone()
    y.mul_(x)
    y.sum().backward()
    return [x.grad]


@scenario(RuntimeError)
def square_in_place_by_itself(m):
    x = leaf(m)
    y = x.clone()
    y.mul_(y)
    y.sum().backward()


@scenario([[2, 2, 2]])
def writing_into_grad(m):
    x = leaf(m)
    x.sum().backward()
    x.grad.mul_(2)
    return [x.grad]


@scenario([[0, 0, 0]])
def zeroing_in_place(m):
    x = leaf(m)
    y = x.clone()
    y.zero_()
    (y + x * 0).sum().backward()
    return [x.grad]


@scenario([[0, 0, 0], [1, 1, 1]])
def copying_in_place(m):
    x, w = leaf(m), leaf(m)
    y = x.clone()
    y.copy_(w)
    (y + x * 0).sum().backward()
    return [x.grad, w.grad]


# ---------------------------------------------------------------- running them


class _Fastgrad:
    """fastgrad under the names that scenarios use."""

    float64 = "float64"
    tensor, no_grad = staticmethod(fg.tensor), staticmethod(fg.no_grad)

    @staticmethod
    def zeros(n, dtype):
        return fg.tensor([0.0] * n, dtype=dtype)


def _run(function, module):
    try:
        return [t.detach().numpy() for t in function(module) or []], None
    except AssertionError:
        raise
    except Exception as error:
        return None, error


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name):
    function, outcome = SCENARIOS[name]
    found, error = _run(function, _Fastgrad)
    if isinstance(outcome, type):
        assert type(error) is outcome, f"expected {outcome.__name__}, got {error!r} and {found}"
        return
    if error is not None:
        raise error
    assert len(found) == len(outcome)
    for a, b in zip(found, outcome):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=0)


@pytest.mark.torch
@pytest.mark.parametrize("name", SCENARIOS)
def test_pytorch_says_the_same(name):
    """The outcomes above are PyTorch's, not ours."""
    function, outcome = SCENARIOS[name]
    found, error = _run(function, importlib.import_module("torch"))
    if isinstance(outcome, type):
        assert type(error) is outcome
        return
    if error is not None:
        raise error
    for a, b in zip(found, outcome, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=0)


# ---------------------------------------------------------------- versions


def test_versions_count_writes_and_are_shared():
    x = fg.tensor([1.0, 2.0, 3.0])
    assert x._version == 0
    v, d, data, copy = x[1:], x.detach(), x.data, x.clone()
    x.add_(1)
    v[0] = 5.0
    d *= 2
    assert x._version == v._version == d._version == 3
    assert data._version == 0 and copy._version == 0
    data.add_(1)
    assert x._version == 3


def test_reading_counts_nothing():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    (fg.exp(x) + x[0] + x.reshape(2, 1)).sum().backward()
    assert x._version == 0


def test_an_overwritten_value_is_named_with_both_versions():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    z = y.sum()
    with fg.no_grad():
        y.mul_(2)
        y.mul_(2)
    with pytest.raises(RuntimeError, match=r"ExpBackward.*version 0.*version 2"):
        z.backward()
    assert x.grad is None


def test_setitem_takes_every_index_numpy_takes():
    a = np.arange(24.0).reshape(2, 3, 4)
    for index in (0, -1, (0, 1, 2), slice(None), (Ellipsis, 0), (slice(None), [0, 2]), a > 5, (0, [True, False, True])):
        expected, t = a.copy(), fg.tensor(a)
        expected[index] = -1
        t[fg.tensor(index) if isinstance(index, np.ndarray) else index] = -1
        np.testing.assert_array_equal(t.numpy(), expected)
        assert t._version == 1


def test_writing_through_numpy_memory_is_seen():
    a = np.zeros(3)
    t = fg.from_numpy(a)
    t[1] = 4.0
    assert a.tolist() == [0, 4, 0]


def test_an_inplace_write_keeps_dtype_and_shape():
    x = fg.tensor([1.0, 2.0], dtype="float32")
    x += fg.tensor([0.5, 0.5], dtype="float64")
    assert x.dtype == np.float32 and x.tolist() == [1.5, 2.5]
