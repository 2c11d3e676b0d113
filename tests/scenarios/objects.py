"""Tensors as Python objects: copies, pickles, weak references, attributes, arrays shared with NumPy."""

import copy
import io
import pickle
import weakref

import numpy as np

from . import scenario


@scenario
def shallow_copies_share_memory(m):
    x = m.leaf(1, 2)
    y = copy.copy(x)
    with m.no_grad():
        y.add_(10)
    return [x, y, y is x, y.is_leaf]


@scenario
def deep_copies_do_not(m):
    x = m.leaf(1, 2)
    y = copy.deepcopy(x)
    with m.no_grad():
        y.add_(10)
    return [x, y, y.is_leaf, x._version]


@scenario
def deep_copies_of_leaves_with_gradients(m):
    x = m.leaf(1, 2)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    y.grad.mul_(10)
    return [x.grad, y.grad]


@scenario
def deep_copies_of_inner_tensors(m):
    y = m.leaf(1, 2) * 2
    return m.attempt(copy.deepcopy, y)


@scenario
def deep_copies_of_detached_tensors(m):
    return copy.deepcopy((m.leaf(1, 2) * 2).detach())


@scenario
def deep_copies_of_trees_keep_what_is_shared(m):
    x = m.leaf(1, 2)
    a, b = copy.deepcopy([x, {"x": x}])
    return [a is b["x"], a is x, a]


@scenario
def deep_copies_of_views(m):
    base = m.const(1, 2, 3)
    v = copy.deepcopy(base[1:])
    v.add_(10)
    return [base, v]


@scenario
def pickles(m):
    out = []
    for t in (
        m.leaf(1, 2),
        m.const(3, 4),
        m.tensor([1.5], dtype=m.float32, requires_grad=True),
        m.tensor([1, 2], dtype=m.int64),
    ):
        back = pickle.loads(pickle.dumps(t))
        out.append([back, back.is_leaf, m.is_tensor(back)])
    return out


@scenario
def pickles_of_complex_tensors(m):
    return pickle.loads(pickle.dumps(m.tensor([1 + 2j], dtype=m.complex128, requires_grad=True)))


@scenario
def pickles_drop_the_gradient(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    return pickle.loads(pickle.dumps(x)).grad


@scenario
def pickles_of_trees(m):
    x = m.leaf(1, 2)
    back = pickle.loads(pickle.dumps({"a": [x, x], "b": (m.const(1), "text")}))
    return [back["a"][0] is back["a"][1], back]


@scenario
def pickles_of_views_and_transposes(m):
    a = m.tensor([[1.0, 2], [3, 4]])
    return [pickle.loads(pickle.dumps(t)) for t in (a.T, a[0], a[:, 1])]


@scenario
def pickles_with_every_protocol(m):
    x = m.leaf(1, 2)
    return [pickle.loads(pickle.dumps(x, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]


@scenario
def pickles_into_a_file(m):
    file = io.BytesIO()
    pickle.dump(m.leaf(1, 2), file)
    file.seek(0)
    return pickle.load(file)


@scenario
def weak_references(m):
    x = m.leaf(1, 2)
    ref = weakref.ref(x)
    alive = ref() is x
    del x
    return [alive, ref() is None]


@scenario
def weak_references_to_inner_tensors(m):
    x = m.leaf(1, 2)
    y = x * 2
    ref = weakref.ref(y)
    z = y + 1
    del y
    return [ref() is None, z]


@scenario
def weak_dictionaries(m):
    x, table = m.leaf(1, 2), weakref.WeakKeyDictionary()
    table[x] = "x"
    before = len(table)
    del x
    return [before, len(table)]


@scenario
def hashes_are_by_identity(m):
    x, y = m.leaf(1, 2), m.leaf(1, 2)
    return [len({x, y}), {x: 1}[x]]


@scenario
def membership_compares_values(m):
    x = m.leaf(1, 2)
    return [1.0 in x, 5.0 in x]


@scenario(differs="a Tensor takes no attributes of one's own")
def attributes_of_ones_own(m):
    x = m.leaf(1, 2)
    return m.attempt(lambda: (setattr(x, "mine", 5), x.mine)[1])


@scenario
def read_only_attributes(m):
    x = m.leaf(1, 2)
    return [m.attempt(setattr, x, name, 0) for name in ("shape", "is_leaf", "grad_fn", "output_nr", "retains_grad")]


@scenario
def truth_of_tensors(m):
    return [bool(m.tensor(0.0)), bool(m.tensor([2.0])), bool(m.scalar(1.0))]


@scenario
def numbers_from_tensors(m):
    x = m.leaf(2.5)
    return [float(x), int(x), x.item(), x.tolist(), complex(x) == 2.5]


@scenario
def lengths_and_iteration(m):
    x = m.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    rows = list(x)
    (rows[0] * rows[1]).sum().backward()
    return [len(x), rows, x.grad, m.attempt(len, m.tensor(1.0)), m.attempt(lambda: list(m.tensor(1.0)))]


@scenario
def unpacking(m):
    a, b = m.leaf(1, 2)
    return [a, b, a.ndim]


@scenario
def comparing_with_none(m):
    x = m.leaf(1, 2)
    return [x is None, m.attempt(lambda: x == None), m.attempt(lambda: x != None)]  # noqa: E711


@scenario
def numpy_shares_memory(m):
    c = m.const(1, 2)
    a = c.numpy()
    a[0] = 9
    c[1] = 7
    return [c, a, c._version]


@scenario
def numpy_of_what_requires_grad(m):
    x = m.leaf(1, 2)
    return [m.attempt(x.numpy), m.attempt((x * 2).numpy), m.attempt(np.asarray, x), x.detach().numpy()]


@scenario
def numpy_under_no_grad(m):
    x = m.leaf(1, 2)
    with m.no_grad():
        return [m.attempt(x.numpy), (x * 2).numpy()]


@scenario
def from_numpy_shares_memory(m):
    a = np.array([1.0, 2.0])
    t = m.from_numpy(a)
    a[0] = 5
    t[1] = 6
    return [a, t, t.requires_grad]


@scenario
def tensor_copies(m):
    a = np.array([1.0, 2.0])
    t = m.package.tensor(a)
    a[0] = 5
    return [t, a]


@scenario
def tensor_of_a_tensor_is_a_leaf(m):
    x = m.leaf(1, 2)
    return [m.attempt(lambda: m.package.tensor(x.detach()).requires_grad), m.package.tensor(x.detach())]


@scenario
def asarray_shares_memory(m):
    a = np.array([1.0, 2.0])
    t = m.asarray(a)
    a[0] = 5
    return t


@scenario
def dlpack_to_numpy(m):
    c = m.const(1, 2, 3)
    a = np.from_dlpack(c)
    c[0] = 9
    return [np.array(a), m.attempt(np.from_dlpack, m.leaf(1, 2))]


@scenario
def dlpack_from_numpy(m):
    a = np.array([1.0, 2.0])
    t = m.from_dlpack(a)
    a[0] = 5
    return [t, t.requires_grad]


@scenario
def array_of_a_constant(m):
    c = m.const(1, 2)
    return [np.array(c), np.asarray(c, dtype=np.float32), np.stack([np.asarray(c), np.asarray(c)])]


@scenario(differs="a Tensor cannot be subclassed")
def subclasses(m):
    return m.attempt(lambda: type("Mine", (m.Tensor,), {}).__name__)


@scenario
def tensors_are_not_made_of_numbers(m):
    return [m.is_tensor(m.const(1)), m.is_tensor(1.0), m.is_tensor(np.zeros(1))]


@scenario
def formatting(m):
    return [f"{m.scalar(2.5):.3f}", "1." in repr(m.const(1, 2))]


@scenario
def data_of_a_copied_graph(m):
    x = m.leaf(1, 2)
    y = copy.copy(x * 2)
    return [y.requires_grad, y]


@scenario
def gradients_are_kept_by_the_tensor(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    g = x.grad
    x.grad = None
    return [g, x.grad]


@scenario
def the_gradient_is_the_same_object(m):
    x = m.leaf(1, 2)
    x.sum().backward()
    return [x.grad is x.grad, x.grad.requires_grad, x.grad.is_leaf]


@scenario
def a_tensor_as_default_in_sorting(m):
    xs = [m.leaf(3), m.leaf(1), m.leaf(2)]
    return [float(x) for x in sorted(xs, key=float)]


@scenario
def nodes_are_hashable(m):
    y = m.leaf(1, 2) * 2
    return [len({y.grad_fn, y.grad_fn}), y.grad_fn == y.grad_fn, y.grad_fn == 3]
