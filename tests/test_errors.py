"""Bad input: each a clear error of the right type, raised before anything is changed."""

import operator

import numpy as np
import pytest
from samples import active

import fastgrad as fg


def state(things):
    """All that a failed call might have changed."""
    seen = [fg.is_grad_enabled()]
    for t in things:
        if isinstance(t, fg.Tensor):
            grad = None if t.grad is None else (id(t.grad), t.grad.tolist())
            node = None if t.grad_fn is None else id(t.grad_fn)
            seen.append(
                (repr(t.detach().tolist()), t.shape, t.dtype, t._version, t.requires_grad, t.is_leaf, grad, node)
            )
        elif isinstance(t, np.ndarray):
            seen.append((t.tobytes(), t.shape, t.dtype))
    return seen


def refuses(call, things, error, words):
    """`call(*things)` raises exactly `error`, says `words`, and `things` are as before."""
    before = state(things)
    with pytest.raises(error, match=words) as caught:
        call(*things)
    assert state(things) == before, f"{caught.value!r} was raised after something had changed"
    return caught.value


def make():
    """A leaf with a gradient, a tensor with a graph, a plain one, one of another shape, integers, a 3x3 matrix."""
    x = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x.grad = fg.tensor([0.5, 0.5, 0.5])
    return {
        "x": x,
        "y": x * 2,
        "c": fg.tensor([4.0, 5.0, 6.0]),
        "four": fg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True),
        "n": fg.tensor([1, 2, 3]),
        "m": fg.tensor(np.eye(3), requires_grad=True),
    }


class Odd:
    """Nothing that arithmetic knows."""


# fmt: off
CASES = {
    # what                      operands   call                                          error         words
    "shapes that do not broadcast": ("x four", lambda x, y: x + y,                        ValueError,   r"\(3,\).*\(4,\).*broadcast"),
    "... of a function":            ("x four", lambda x, y: fg.arctan2(x, y),             ValueError,   r"arctan2.*\(3,\).*\(4,\)"),
    "... of an ndarray":            ("x",      lambda x: x * np.ones(4),                  ValueError,   r"\(3,\).*\(4,\).*broadcast"),
    "... of where":                 ("x four", lambda x, y: fg.where(x > 0, x, y),        ValueError,   r"broadcast"),
    "... in place":                 ("c four", lambda c, y: c.add_(y),                    ValueError,   r"broadcast|fit"),
    "... growing in place":         ("c m",    lambda c, m: c.add_(m),                    ValueError,   r"broadcast|fit"),
    "a string":                     ("",       lambda: fg.tensor("abc"),                  TypeError,    r"dtype <U3"),
    "strings in a list":            ("",       lambda: fg.tensor(["a", 1.0]),             TypeError,    r"dtype <U"),
    "an object":                    ("",       lambda: fg.tensor(Odd()),                  TypeError,    r"object"),
    "None":                         ("",       lambda: fg.tensor(None),                   TypeError,    r"object|None"),
    "a ragged list":                ("",       lambda: fg.tensor([[1.0], [1.0, 2.0]]),    ValueError,   r"inhomogeneous|shape"),
    "dates":                        ("",       lambda: fg.tensor(np.array(["2020-01-01"], "M8[D]")), TypeError, r"datetime64"),
    "an unknown dtype":             ("",       lambda: fg.tensor([1.0], dtype="nonsense"), TypeError,   r"nonsense"),
    "asarray of a string":          ("",       lambda: fg.asarray("abc"),                 TypeError,    r"<U3"),
    "a function of a string":       ("",       lambda: fg.exp("abc"),                     TypeError,    r"U3|str"),
    "from_numpy of a list":         ("",       lambda: fg.from_numpy([1.0]),              TypeError,    r"ndarray.*list"),
    "requires_grad of integers":    ("",       lambda: fg.tensor([1, 2], requires_grad=True), RuntimeError, r"floating.*complex"),
    "requires_grad of booleans":    ("",       lambda: fg.tensor([True], requires_grad=True), RuntimeError, r"floating.*complex"),
    "requires_grad_ of integers":   ("n",      lambda n: n.requires_grad_(),              RuntimeError, r"floating.*complex"),
    "setting requires_grad":        ("n",      lambda n: setattr(n, "requires_grad", True), RuntimeError, r"floating.*complex"),
    "requires_grad of a result":    ("y",      lambda y: setattr(y, "requires_grad", False), RuntimeError, r"leaf"),
    "backward of a non-scalar":     ("y",      lambda y: y.backward(),                    RuntimeError, r"scalar.*\(3,\)"),
    "backward without a graph":     ("c",      lambda c: c.sum().backward(),              RuntimeError, r"does not require grad"),
    "backward of a complex scalar": ("y",      lambda y: (y.sum() * 1j).backward(),       RuntimeError, r"real.*complex128"),
    "gradient of the wrong shape":  ("y four", lambda y, g: y.backward(g.detach()),       RuntimeError, r"\(4,\).*\(3,\)"),
    "... that would broadcast":     ("y",      lambda y: y.backward(fg.tensor(1.0)),      RuntimeError, r"\(\).*\(3,\)"),
    "gradient of the wrong dtype":  ("y",      lambda y: y.backward(fg.tensor([1j, 1j, 1j])), RuntimeError, r"complex128.*float64"),
    "gradient of the wrong type":   ("y",      lambda y: y.backward("ones"),              TypeError,    r"str"),
    "grad of the wrong shape":      ("x four", lambda x, g: setattr(x, "grad", g.detach()), RuntimeError, r"\(4,\).*\(3,\)"),
    "grad of the wrong dtype":      ("x",      lambda x: setattr(x, "grad", fg.tensor([1, 2, 3])), RuntimeError, r"int64.*float64"),
    "grad that is a list":          ("x",      lambda x: setattr(x, "grad", [1.0, 2.0, 3.0]), TypeError, r"list"),
    "grad that is itself":          ("x",      lambda x: setattr(x, "grad", x),           RuntimeError, r"own grad"),
    "too many gradients":           ("y c",    lambda y, g: fg.autograd.backward([y], [g, g]), RuntimeError, r"1.*2"),
    "grad outside the graph":       ("y c",    lambda y, c: fg.autograd.grad(y.sum(), c), RuntimeError, r"does not require grad"),
    "grad of an unused leaf":       ("y m",    lambda y, m: fg.autograd.grad(y.sum(), m), RuntimeError, r"allow_unused"),
    "inputs that are empty":        ("y",      lambda y: y.sum().backward(inputs=[]),     RuntimeError, r"inputs.*empty"),
    "inputs of another type":       ("y",      lambda y: y.sum().backward(inputs=["x"]),  TypeError,    r"str"),
    "roots of another type":        ("",       lambda: fg.autograd.backward([3.0]),       TypeError,    r"float"),
    "in place on a leaf":           ("x",      lambda x: x.add_(1),                       RuntimeError, r"leaf.*in-place"),
    "+= on a leaf":                 ("x",      lambda x: operator.iadd(x, 1),             RuntimeError, r"leaf.*in-place"),
    "setitem on a leaf":            ("x",      lambda x: operator.setitem(x, 0, 1.0),     RuntimeError, r"leaf.*in-place"),
    "a view of a leaf":             ("x",      lambda x: x[1:].mul_(2),                   RuntimeError, r"view of a leaf.*in-place"),
    "in place to another kind":     ("n",      lambda n: n.mul_(1.5),                     TypeError,    r"float64.*int64"),
    "read-only memory":             ("",       lambda: fg.from_numpy(np.broadcast_to(1.0, 3)).add_(1), ValueError, r"read-only"),
    "index out of range":           ("y",      lambda y: y[3],                            IndexError,   r"3.*out of bounds|out of range"),
    "negative index out of range":  ("y",      lambda y: y[-4],                           IndexError,   r"-4.*out of bounds|out of range"),
    "integer array out of range":   ("y",      lambda y: y[np.array([0, 7])],             IndexError,   r"7.*out of bounds|out of range"),
    "too many indices":             ("y",      lambda y: y[0, 0],                         IndexError,   r"too many indices"),
    "a mask of the wrong shape":    ("y",      lambda y: y[np.array([True, False])],      IndexError,   r"boolean"),
    "a float as index":             ("y",      lambda y: y[1.5],                          IndexError,   r"integer"),
    "a string as index":            ("y",      lambda y: y["a"],                          IndexError,   r"integer"),
    "writing out of range":         ("c",      lambda c: operator.setitem(c, 3, 1.0),     IndexError,   r"3.*out of bounds|out of range"),
    "writing the wrong shape":      ("c",      lambda c: operator.setitem(c, slice(2), [1.0, 2.0, 3.0]), ValueError, r"\(3,\).*\(2,\)"),
    "writing a string":             ("c",      lambda c: operator.setitem(c, 0, "a"),     (TypeError, ValueError), r"."),
    "deleting an element":          ("c",      lambda c: operator.delitem(c, 0), (TypeError, ValueError, AttributeError, NotImplementedError), r"del"),
    "no derivative":                ("y",      lambda y: fg.argmax(y).backward(),         RuntimeError, r"does not require grad"),
    "no derivative, by grad":       ("y x",    lambda y, x: fg.autograd.grad((y > 0).sum(), x), RuntimeError, r"does not require grad"),
    "an unknown NumPy function":    ("y",      lambda y: np.is_busday(y),                 TypeError,    r"is_busday"),
    "an unknown ufunc":             ("y",      lambda y: np.frompyfunc(abs, 1, 1)(y),     TypeError,    r"abs"),
    "a ufunc's method":             ("y",      lambda y: np.add.reduceat(y, [5]),         IndexError,   r"add\.reduceat.*3"),
    "a ufunc that writes an array": ("y",      lambda y: np.exp(y, out=np.empty(3)),      RuntimeError, r"ndarray.*detach"),
    "a wrong axis":                 ("y",      lambda y: fg.sum(y, axis=1),               ValueError,   r"axis 1 is out of bounds"),
    "a wrong axis by method":       ("y",      lambda y: y.mean(axis=-2),                 ValueError,   r"axis -2 is out of bounds"),
    "a repeated axis":              ("m",      lambda m: fg.sum(m, axis=(0, 0)),          ValueError,   r"duplicate"),
    "a wrong softmax axis":         ("y",      lambda y: fg.softmax(y, axis=3),           ValueError,   r"axis 3 is out of bounds"),
    "an axis that is a string":     ("y",      lambda y: fg.sum(y, axis="a"),             TypeError,    r"str|integer"),
    "matmul shapes":                ("m four", lambda m, v: m @ v,                        ValueError,   r"matmul|mismatch"),
    "matmul of a number":           ("m",      lambda m: m @ 2.0,                         ValueError,   r"matmul"),
    "reshape to another size":      ("y",      lambda y: y.reshape(2, 2),                 ValueError,   r"size 3.*\(2, ?2\)"),
    "max of nothing":               ("",       lambda: fg.max(fg.tensor([], dtype="float64")), ValueError, r"zero-size|identity"),
    "concat of nothing":            ("",       lambda: fg.concat([]),                     ValueError,   r"need at least one"),
    "stack of other shapes":        ("x four", lambda x, y: fg.stack([x, y]),             ValueError,   r"same shape"),
    "broadcast_to a smaller shape": ("m",      lambda m: fg.broadcast_to(m, (3,)),        ValueError,   r"broadcast|dimensions"),
    "einsum of a wrong string":     ("m",      lambda m: fg.einsum("ij,jk", m),           ValueError,   r"."),
    "an unknown keyword":           ("y",      lambda y: fg.sum(y, dim=0),                TypeError,    r"dim"),
    "a missing operand":            ("y",      lambda y: fg.add(y),                       TypeError,    r"missing"),
    "too many operands":            ("y",      lambda y: fg.exp(y, y),                    TypeError,    r"argument"),
    "item of several":              ("y",      lambda y: y.item(),                        ValueError,   r"one element|size 1"),
    "bool of several":              ("y",      lambda y: bool(y),                         ValueError,   r"ambiguous|one element"),
    "float of several":             ("y",      lambda y: float(y),                        (TypeError, ValueError), r"."),
    "len of a scalar":              ("y",      lambda y: len(y.sum()),                    TypeError,    r"0-d|unsized"),
    "iterating a scalar":           ("y",      lambda y: list(y.sum()),                   TypeError,    r"0-d|iterat"),
    "numpy() of a graph":           ("y",      lambda y: y.numpy(),                       RuntimeError, r"detach"),
    "np.asarray of a graph":        ("y",      lambda y: np.asarray(y),                   RuntimeError, r"detach"),
    "integer powers below zero":    ("n",      lambda n: n ** -1,                         ValueError,   r"negative integer powers"),
    "inverting floats":             ("y",      lambda y: ~y,                              TypeError,    r"bitwise|invert"),
    "a hook that is no function":   ("y",      lambda y: y.register_hook(3),              TypeError,    r"callable.*int"),
    "a hook without a graph":       ("c",      lambda c: c.register_hook(print),          RuntimeError, r"doesn't require grad"),
    "retain_grad without a graph":  ("c",      lambda c: c.retain_grad(),                 RuntimeError, r"requires_grad=False"),
    "an unknown attribute":         ("y",      lambda y: y.nonsense,                      AttributeError, r"nonsense"),
    "setting grad_fn":              ("y",      lambda y: setattr(y, "grad_fn", None),     AttributeError, r"."),
    "set_grad_enabled of a string": ("",       lambda: fg.set_grad_enabled("no"),         TypeError,    r"bool"),
}
# fmt: on


@pytest.mark.parametrize("what", CASES)
def test_bad_input(what):
    names, call, error, words = CASES[what]
    made = make()
    refuses(call, [made[name] for name in names.split()], error, words)
    made["y"].sum().backward()
    assert made["x"].grad.tolist() == [2.5, 2.5, 2.5], "the graph works as if nothing had happened"


OPERATORS = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
    "lt",
    "le",
    "gt",
    "ge",
    "divmod",
]


@pytest.mark.parametrize("other", [Odd(), None, "a", {}, b"x"], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", OPERATORS)
def test_operators_with_what_is_no_number(name, other):
    function = divmod if name == "divmod" else getattr(operator, name)
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    refuses(lambda t: function(t, other), [x], TypeError, r".")
    if not (name == "mod" and isinstance(other, str | bytes)):  # there % formats text
        refuses(lambda t: function(other, t), [x], TypeError, r".")


def test_another_types_reflected_operator_is_asked():
    class Other:
        def __radd__(self, left):
            return "asked"

        __array_ufunc__ = None

    assert fg.tensor([1.0]) + Other() == "asked"


def test_equality_with_what_is_no_number_is_no_error():
    x = fg.tensor([1.0, 2.0])
    for other in (None, "a", Odd()):
        assert (x == other) is False or not np.any(np.asarray(x == other))


def test_backward_twice():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    refuses(lambda y, x: y.backward(), [y, x], RuntimeError, r"second time.*MultiplyBackward|second time.*MulBackward")
    refuses(lambda y, x: fg.autograd.grad(y, x), [y, x], RuntimeError, r"retain_graph=True")


def test_a_saved_value_overwritten():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    y = fg.exp(x)
    z = y.sum()
    y.add_(1)
    error = refuses(lambda z, x: z.backward(), [z, x], RuntimeError, r"modified by an inplace operation.*ExpBackward")
    assert "version 0" in str(error) and "version 1" in str(error)


def test_a_failed_backward_gives_no_leaf_half_a_gradient_of_its_own():
    """What was differentiated before the error is discarded with it where no leaf was complete."""
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    y = fg.exp(x)
    z = (x + y).sum()
    with fg.no_grad():
        y.zero_()
    with pytest.raises(RuntimeError, match="modified"):
        z.backward()
    assert x.grad is None


def test_a_failed_write_in_place_leaves_the_data():
    c = fg.tensor([1.0, 2.0, 3.0])
    for call in (lambda: c.__setitem__(slice(None), fg.tensor([1.0, 2.0])), lambda: c.mul_(np.ones((2, 3)))):
        with pytest.raises(ValueError):
            call()
    assert c.tolist() == [1, 2, 3] and c._version == 0


@pytest.mark.parametrize("depth", [33, 65, 200])
def test_absurd_numbers_of_dimensions(depth):
    def call():
        return fg.reshape(fg.tensor([1.0], requires_grad=True), (1,) * depth)

    if depth <= 64:
        out = call()
        out.sum().backward()
        assert out.ndim == depth
    else:
        with pytest.raises(ValueError, match="dimension"):
            call()


def test_absurd_sizes_are_refused_and_not_allocated():
    x = fg.tensor([1.0], requires_grad=True)
    with pytest.raises((MemoryError, ValueError)):
        fg.broadcast_to(x, (2**40, 2**10)) + 1.0
    with pytest.raises((MemoryError, ValueError)):
        fg.broadcast_to(x, (2**62, 2**62))


def test_a_subclass_of_nothing():
    """Tensor takes its data from functions; what its constructor does not know it refuses."""
    with pytest.raises(TypeError):
        active.Tensor(1, 2, 3, 4, 5)
