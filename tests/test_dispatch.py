"""NumPy's protocols: every public function and every form of ufunc call, on Tensors. No graph is lost in silence."""

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
from samples import OWN_BITS, attempt, same_bits

import fastgrad as fg
from fastgrad import _dispatch

DOCS = Path(__file__).parents[1] / "docs"
if not DOCS.exists():
    pytest.skip("tests are run away from the tree, which has the sample calls", allow_module_level=True)
sys.path.insert(0, str(DOCS))
import calls  # noqa: E402
from calls import FLAT, GAUGE, NO_GRADIENT, flattened, is_inexact, numeric, quietly  # noqa: E402

NAMES = calls.public_names()
CALLED = [name for name in NAMES if calls.calls_of(name)]

#: Floating results beside those that are differentiable, which are not.
PARTLY = {"lstsq", "slogdet", "modf", "histogram", "histogram2d", "histogramdd"}
#: Gradients are told from numeric ones elsewhere, the order of the result is not said, or imaginary parts are dropped.
UNFIT_FOR_COMPLEX = {*GAUGE, "cholesky", "unique_values", "interp"}
#: NumPy's SIMD loops read what they write when they reduce: np.power.reduce([2.0, 3.0, 2.0]) is 4 there.
MISREDUCED = {"power", "pow", "arctan2", "atan2", "float_power"}


def short(name):
    return name.rpartition(".")[2]


def check_gradients(what, outs, leaves, function, arrays, picked):
    """The gradients of a weighted sum of the results, against numeric ones."""
    weights = calls.weights_of(what, outs)
    gs = [fg.asarray(np.asarray(w, o.dtype)) for w, o in zip(weights, outs)]
    found = fg.autograd.grad(outs, leaves, gs, allow_unused=True)
    for number, (wanted, grad) in enumerate(
        zip(calls.expected_gradients(what, function, arrays, picked, weights), found)
    ):
        there = np.isfinite(wanted)
        grad = np.zeros(wanted.shape) if grad is None else grad.numpy()
        np.testing.assert_allclose(grad[there], wanted[there], rtol=2e-4, atol=2e-6, err_msg=f"{what}, array {number}")


def test_there_is_a_sample_call_of_every_public_function():
    known = {*CALLED, *calls.WRITES, *calls.MAKES, *calls.UNSUPPORTED}
    assert not set(NAMES) - known


def check_call(name, call, arrays):
    """NumPy's values and dtypes; a right gradient, or one of the results that have none by nature."""
    function, key, what = calls.find(name), short(name), f"{name}{call}"
    args, kwargs = call.with_arrays(arrays)
    expected, error = attempt(lambda: flattened(quietly(function, *args, **kwargs)))
    if isinstance(error, TypeError):
        return  # a form of call that this version of NumPy does not have
    assert error is None, what
    leaves = [fg.asarray(a.copy(order="K"), requires_grad=True) for a in arrays]
    if leaves:
        args, kwargs = call.with_arrays(leaves)
    else:
        args = [fg.asarray(a) if isinstance(a, np.ndarray) and a.dtype.kind in "biufc" else a for a in args]
    found = flattened(quietly(function, *args, **kwargs))
    assert len(found) == len(expected), f"{what}: {len(found)} results"
    for got, wanted in zip(found, expected):
        if not isinstance(got, fg.Tensor):
            assert not is_inexact(wanted), f"{what} gave {type(got).__name__}, not a Tensor"
            continue
        value, wanted = got.detach().numpy(), np.asarray(wanted)
        assert (value.dtype, value.shape) == (wanted.dtype, wanted.shape), what
        if key not in ("empty_like", "unique_values"):  # whose values, or their order, are not said
            tolerance = 1e3 * np.finfo(wanted.dtype).eps if wanted.dtype.kind in "fc" else 0
            np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance, err_msg=what)
    wanting = [i for i, wanted in enumerate(expected) if is_inexact(wanted)]
    picked = [i for i, got in enumerate(found) if isinstance(got, fg.Tensor) and got.requires_grad]
    if not leaves or not wanting or (key in NO_GRADIENT and not picked):
        return
    assert picked, f"{what} lost the graph"
    assert picked == wanting or key in PARTLY, f"{what} lost a part of the graph"
    picked = [i for i in picked if i in GAUGE.get(key, picked)] if len(found) > 1 else picked
    if arrays[0].dtype.char in "fF":
        grads = fg.autograd.grad(sum(found[i].real.sum() for i in picked), leaves, allow_unused=True)
        assert all(g is None or g.dtype == x.dtype for g, x in zip(grads, leaves)), f"{what}: dtype of a gradient"
    elif key not in FLAT:
        check_gradients(
            what, [found[i] for i in picked], leaves,
            lambda values: function(*call.with_arrays(values)[0], **call.with_arrays(values)[1]), arrays, picked,
        )  # fmt: skip


@pytest.mark.parametrize("name", CALLED)
def test_every_public_function_keeps_the_graph(name):
    for call in calls.calls_of(name):
        check_call(name, call, [np.array(a) for a in call.arrays()])


@pytest.mark.parametrize("name", [name for name in CALLED if short(name) not in UNFIT_FOR_COMPLEX])
def test_every_public_function_of_complex_numbers(name):
    for call in calls.calls_of(name):
        rng = np.random.default_rng(len(repr(call)))
        arrays = [np.asarray(a + 1j * rng.uniform(0.1, 0.6, a.shape)) for a in call.arrays()]
        args, kwargs = call.with_arrays(arrays)
        _, error = attempt(lambda: quietly(calls.find(name), *args, **kwargs))
        if arrays and error is None and "dtype" not in kwargs:  # NumPy drops imaginary parts there
            check_call(name, call, arrays)


@pytest.mark.parametrize("name", CALLED)
def test_every_public_function_keeps_float32(name):
    for call in calls.calls_of(name):
        arrays = [np.asarray(a, np.complex64 if a.dtype.kind == "c" else np.float32) for a in call.arrays()]
        if arrays and short(name) not in ("spacing", "nextafter", "eigvals", "eig"):
            check_call(name, call, arrays)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in calls.MAKES | calls.UNSUPPORTED])
def test_every_parameter_of_numpys_is_known(name):
    """By the name that it has here, or because it changes no value."""
    function = calls.find(name)
    call = None if isinstance(function, np.ufunc) else _dispatch._find(function)
    if not isinstance(call, _dispatch._Call):
        return
    known = {*call.to, *_dispatch._LAYOUT, "out", "casting", "order"}
    known |= {"interpolation", "bias", "ddof"}  # names that NumPy 2.0 still has, and warns of
    if function.__name__ in _dispatch._CAST_FIRST | _dispatch._CAST_LAST:
        known.add("dtype")
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    assert not {key for key, p in call.signature.parameters.items() if p.kind not in kinds} - known


@pytest.mark.parametrize("name", calls.WRITES)
def test_functions_that_write_follow_the_write(name):
    function = calls.find(name)
    for call in calls.WRITES[name]:
        arrays = [np.array(a) for a in call.arrays()]
        leaves = [fg.asarray(a.copy(), requires_grad=True) for a in arrays]
        target, *rest = call.with_arrays([leaf * 1.0 for leaf in leaves[:1]] + leaves[1:])[0]
        assert function(target, *rest, **call.kwargs) is None
        arrays_args = call.with_arrays([a.copy() for a in arrays])[0]
        function(*arrays_args, **call.kwargs)
        np.testing.assert_array_equal(target.detach().numpy(), arrays_args[0])

        def written(values, call=call):
            args = call.with_arrays([values[0].copy(), *values[1:]])[0]
            function(*args, **call.kwargs)
            return args[0]

        check_gradients(f"{name}{call}", [target], leaves, written, arrays, [0])
        leaf = fg.asarray(arrays[0].copy(), requires_grad=True)
        with pytest.raises(RuntimeError, match="leaf"):
            function(leaf, *rest, **call.kwargs)
        np.testing.assert_array_equal(leaf.detach().numpy(), arrays[0])
        if len(leaves) > 1:
            before = arrays[0].copy()
            with pytest.raises(RuntimeError, match=r"ndarray cannot keep the graph|Can't call numpy"):
                function(before, *rest, **call.kwargs)
            np.testing.assert_array_equal(before, arrays[0])
            function(before, *[r.detach() if isinstance(r, fg.Tensor) else r for r in rest], **call.kwargs)
            np.testing.assert_array_equal(before, arrays_args[0])


def test_the_page_counts_nearly_all_as_differentiable():
    lines = (Path(calls.__file__).with_name("optable.md")).read_text(encoding="utf-8").splitlines()
    counts = [line.split("|")[1:-1] for line in lines if line.rstrip().endswith("% |")]
    assert [title.strip() for title, *_ in counts][:3] == ["NumPy", "numpy.linalg", "numpy.fft"]
    yes, no = (sum(int(row[i]) for row in counts) for i in (2, 4))
    assert yes / (yes + no) >= 0.95
    for title, _, _, _, _, share in counts:
        assert float(share.rstrip(" %")) >= 95 or "stride_tricks" in title


@pytest.mark.parametrize("name", sorted(calls.UNSUPPORTED))
def test_what_is_not_supported_raises(name):
    x = fg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    args = {"bmat": ([[x, x]],), "full": (3, x[0, 0])}.get(short(name), (x,))
    with pytest.raises((TypeError, RuntimeError), match="detach"):
        quietly(calls.find(name), *args)


@pytest.mark.parametrize("name", sorted(n for n in calls.NOT_COUNTED if n not in ("numpy.nested_iters", "numpy.test")))
def test_what_is_not_counted_loses_no_graph(name):
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    function = getattr(np, short(name), None)
    if function is None:
        return
    settings = np.geterr(), np.get_printoptions(), np.getbufsize()
    try:
        result = quietly(function, x)
    except Exception:
        return
    finally:
        np.seterr(**settings[0]), np.set_printoptions(**settings[1]), np.setbufsize(settings[2])
    assert not is_inexact(result), f"np.{short(name)} gave {result!r}"


# ---------------------------------------------------------------- ufuncs in every form

X = np.array([[0.3, 0.9, 0.6], [0.8, 0.4, 0.7]])
Y = np.array([[1.2, 0.5, 0.35], [0.65, 1.1, 0.45]])
BINARY = [n for n in dir(np) if isinstance(getattr(np, n), np.ufunc) and getattr(np, n).signature is None
          and getattr(np, n).nin == 2 and getattr(np, n).nout == 1]  # fmt: skip
UNARY = ["exp", "sqrt", "sin", "negative", "log1p", "abs", "square", "cbrt", "exp2", "reciprocal"]


def same_as_numpy(what, function, *arrays, gradient=True):
    """``function`` of Tensors gives what it gives of ndarrays, or the same error, and a right gradient."""
    try:
        expected, error = quietly(function, *[a.copy() for a in arrays]), None
    except (TypeError, ValueError, IndexError) as caught:
        expected, error = None, caught
    leaves = [fg.asarray(a.copy(), requires_grad=a.dtype.kind in "fc") for a in arrays]
    if error is not None:
        with pytest.raises((TypeError, ValueError, IndexError)):
            quietly(function, *leaves)
        return
    found = quietly(function, *leaves)
    assert isinstance(found, fg.Tensor), f"{what}: {type(found)}"
    value = found.detach().numpy()
    assert (value.dtype, value.shape) == (np.asarray(expected).dtype, np.shape(expected)), what
    same_bits(value, expected, what, units=20 * (what.partition(".")[0] in OWN_BITS))
    if gradient and found.requires_grad:
        copies = [a.copy() for a in arrays]
        floating = [a for a in copies if a.dtype.kind in "fc"]
        check_gradients(
            what, [found], [t for t in leaves if t.requires_grad], lambda _: function(*copies), floating, [0]
        )
    elif gradient and is_inexact(np.asarray(expected)):
        raise AssertionError(f"{what} lost the graph")


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat", "outer"])
def test_methods_of_ufuncs(name, method):
    ufunc = getattr(np, name)
    gradient = name not in FLAT and name not in ("nextafter", "remainder", "mod", "fmod")
    if method == "outer":
        same_as_numpy(f"{name}.outer", lambda a, b: ufunc.outer(a, b), X, Y[0], gradient=gradient)
        return
    options = [{}, {"axis": 1}, {"axis": -1}] if name not in MISREDUCED else [{}]
    if method == "reduce" and name not in MISREDUCED:
        options += [{"axis": None}, {"axis": 1, "keepdims": True}, {"axis": (0, 1)}, {"axis": 1, "initial": 0.5}]
    for more in options:
        args = ([0, 2, 1],) if method == "reduceat" and more.get("axis") else ([0, 1],) if method == "reduceat" else ()
        form = getattr(ufunc, method)
        same_as_numpy(f"{name}.{method} {more}", lambda a: form(a, *args, **more), X, gradient=gradient)


@pytest.mark.parametrize("name", ["add", "multiply", "subtract", "maximum", "logaddexp", "divide", "exp", "negative"])
def test_at_takes_one_pick_after_the_other(name):
    ufunc = getattr(np, name)
    index = np.array([0, 2, 0, 0])
    values = np.array([0.5, 0.7, 1.3, 0.9])
    others = (values,) if ufunc.nin == 2 else ()

    def run(x, *more):
        x = x * 1.0
        ufunc.at(x, index, *more)
        return x

    same_as_numpy(f"{name}.at", run, X[0], *others)
    same_as_numpy(
        f"{name}.at of two axes",
        lambda x: (y := x * 1.0, ufunc.at(y, (slice(None), [1, 1]), *(0.6,) * len(others)))[0],
        X,
    )


def test_at_of_a_leaf_or_an_ndarray_is_refused():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        np.add.at(x, [0], 1.0)
    array = np.zeros(2)
    with pytest.raises(RuntimeError, match="ndarray"):
        np.add.at(array, [0], x[0])
    np.add.at(array, [0, 0], x[0].detach())
    assert array.tolist() == [2.0, 0.0]
    with pytest.raises(TypeError):
        np.add.at(fg.zeros(2, dtype=int), [0], x[0])
    with pytest.raises(TypeError):
        np.add.at(fg.zeros(2), [0], 1j)


@pytest.mark.parametrize("name", [*UNARY, "add", "multiply", "divide", "power", "maximum", "arctan2", "hypot"])
def test_out_of_a_tensor_is_a_write(name):
    ufunc = getattr(np, name)
    operands = (X, Y)[: ufunc.nin]

    def run(*values):
        out = values[0] * 0.0
        result = ufunc(*values, out=out)
        assert result is out
        return result

    same_as_numpy(name, run, *operands)

    def over(*values):
        first = values[0] * 1.0
        assert ufunc(first, *values[1:], out=first) is first
        return first

    same_as_numpy(f"{name} in place", over, *operands)
    if ufunc.nin == 2:

        def over_second(x, y):
            y = y * 1.0
            return ufunc(x, y, out=y)

        same_as_numpy(f"{name} over the second", over_second, *operands)

    def masked(*values):
        return ufunc(*values, out=values[0] * 0.5, where=X > 0.5)

    same_as_numpy(f"{name} where", masked, *operands)

    def of_a_view(*values):
        out = values[0] * 0.0
        ufunc(*[v[0] for v in values], out=out[1])
        return out

    same_as_numpy(f"{name} into a view", of_a_view, *operands)
    same_as_numpy(f"{name} wide", lambda *v: ufunc(*[a[0] for a in v], out=v[0] * 0.0), *operands)


def takes_out(name):
    function = calls.find(name)
    try:
        return isinstance(function, np.ufunc) or "out" in inspect.signature(function).parameters
    except ValueError:
        return name == "numpy.dot"


@pytest.mark.parametrize("name", [name for name in CALLED if takes_out(name)])
def test_out_of_every_function_that_takes_it(name):
    """The result is written there, and the gradient is that without it; an ndarray is refused, or written."""
    function = calls.find(name)
    for call in calls.calls_of(name):
        plain = [fg.asarray(np.array(a), requires_grad=True) for a in call.arrays()]
        args, kwargs = call.with_arrays(plain)
        expected, error = attempt(lambda: quietly(function, *args, **kwargs))
        if error is not None or isinstance(expected, tuple) or not plain:
            continue
        out = fg.zeros(expected.shape, dtype=expected.dtype)
        found = quietly(function, *args, **kwargs, out=out)
        assert found is out and found.requires_grad == expected.requires_grad, f"{name}{call}"
        np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())
        array = np.zeros(expected.shape, expected.dtype)
        if not expected.requires_grad:
            assert quietly(function, *args, **kwargs, out=array) is array
            np.testing.assert_array_equal(array, expected.numpy())
            continue
        with pytest.raises(RuntimeError, match="ndarray cannot keep the graph"):
            quietly(function, *args, **kwargs, out=array)
        assert not array.any()
        for a, b in zip(
            fg.autograd.grad(found.real.sum(), plain, allow_unused=True),
            fg.autograd.grad(expected.real.sum(), plain, allow_unused=True),
        ):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("make", [np.empty, fg.zeros])
def test_out_that_does_not_fit_raises(make):
    x = fg.tensor(X)
    for shape in ((3,), (2, 1), (), (2, 2)):
        with pytest.raises(ValueError):
            np.exp(x, out=make(shape))
    with pytest.raises(TypeError):
        np.exp(x, out=make((2, 3), dtype=int))
    with pytest.raises(ValueError):
        np.sum(x, axis=0, out=make(2))
    with pytest.raises(TypeError):
        np.sum(x, axis=0, out=make(3, dtype=int))


@pytest.mark.parametrize("name", ["mean", "var", "max", "min"])
def test_out_of_integers_takes_what_numpy_casts(name):
    x, out = np.array([[1.5, 2.5], [3.25, 9.9]]), fg.zeros(2, dtype=int)
    for given in (x, np.array([[1, 2], [4, 9]])):
        assert getattr(np, name)(fg.asarray(given), axis=0, out=out) is out
        np.testing.assert_array_equal(out.numpy(), getattr(np, name)(given, axis=0, out=np.zeros(2, int)))
    with pytest.raises(TypeError):  # that would lose the graph
        getattr(np, name)(fg.tensor(x, requires_grad=True), axis=0, out=out)
    if name != "var":  # which is real
        with pytest.raises(TypeError):
            getattr(np, name)(fg.asarray(x + 1j), axis=0, out=out)


def test_out_of_an_ndarray_is_written_where_no_graph_is_lost():
    x, out = fg.tensor(X), np.zeros(X.shape)
    assert np.exp(x, out=out) is out
    np.testing.assert_array_equal(out, np.exp(X))
    assert np.sum(x, axis=0, out=out[0]).tolist() == X.sum(0).tolist()
    x.requires_grad_()
    before = out.copy()
    writes = [
        lambda: np.exp(x, out=out), lambda: np.sum(x, axis=0, out=out[0]), lambda: np.add(out, x, out=out),
        lambda: np.copyto(out, x), lambda: out.__iadd__(x), lambda: np.add.reduce(x, out=out[0]),
        lambda: np.concatenate([x[:1], x[:1]], out=out), lambda: np.clip(x, 0, 1, out=out),
        lambda: np.modf(x, out=(out, out.copy())), lambda: np.add.accumulate(x, out=out),
        lambda: np.matmul(x, x.T, out=np.zeros((2, 2))), lambda: np.multiply(x, 2, out=out, where=X > 0.5),
    ]  # fmt: skip
    for write in writes:
        with pytest.raises(RuntimeError, match="ndarray cannot keep the graph"):
            write()
        np.testing.assert_array_equal(out, before)
    with fg.no_grad():
        np.exp(x, out=out)
    np.testing.assert_array_equal(out, np.exp(X))


def test_where_keeps_what_is_elsewhere_out_of_the_gradient():
    x = fg.tensor([-1.0, 0.0, 4.0], requires_grad=True)
    y = np.log(x, where=x > 0, out=fg.zeros(3))
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, np.log(4.0)] and x.grad.tolist() == [0.0, 0.0, 0.25]
    x.grad = None
    y = quietly(np.sqrt, x, where=np.array([False, False, True]))
    assert y.tolist() == [0.0, 0.0, 2.0]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.25]
    with pytest.raises(TypeError, match="bool"):
        np.sqrt(x, where=np.array([0.0, 1.0, 1.0]))


def test_dtype_and_casting_of_ufuncs():
    x = fg.tensor(X, requires_grad=True)
    y = np.add(x, 1, dtype=np.float32)
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float64 and x.grad.tolist() == np.ones(X.shape).tolist()
    assert np.exp(x, dtype=complex).dtype == np.complex128
    assert np.add(x, x, signature="ff->f").dtype == np.float32
    for bad in ({"dtype": int}, {"dtype": np.float32, "casting": "safe"}, {"casting": "nonsense"}, {"unknown": 1}):
        with pytest.raises((TypeError, ValueError)):
            np.add(x, x, **bad)
    for method in ("reduce", "accumulate"):
        assert getattr(np.add, method)(x, dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("name", ["divmod", "modf", "frexp"])
def test_ufuncs_of_two_results(name):
    ufunc = getattr(np, name)
    operands = [5 * X, Y][: ufunc.nin]
    expected = ufunc(*operands)
    leaves = [fg.tensor(a, requires_grad=True) for a in operands]
    found = ufunc(*leaves)
    outs = tuple(fg.zeros(X.shape, dtype=part.dtype) for part in expected)
    written = ufunc(*leaves, out=outs)
    assert written[0] is outs[0] and written[1] is outs[1]
    for a, b, w in zip(found, written, expected):
        np.testing.assert_array_equal(a.detach().numpy(), w)
        np.testing.assert_array_equal(b.detach().numpy(), w)
        assert a.requires_grad == b.requires_grad
    first = ufunc(*leaves, out=(fg.zeros(X.shape, dtype=expected[0].dtype), None))
    np.testing.assert_array_equal(first[1].detach().numpy(), expected[1])


def test_generalized_ufuncs_take_axes():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 5, 4))
    same_as_numpy("matmul axes", lambda a, b: np.matmul(a, b, axes=[(2, 1), (2, 1), (1, 2)]), a, b)
    same_as_numpy("matmul out", lambda a, b: np.matmul(b, a, out=fg.zeros((3, 5, 2))) if isinstance(a, fg.Tensor)
                  else np.matmul(b, a), a, b)  # fmt: skip
    same_as_numpy("vecdot axis", lambda a, b: np.vecdot(a, b, axis=0), a[:, :, 0], b[:, 1])
    same_as_numpy("vecdot keepdims", lambda a, b: np.vecdot(a, b, axis=0, keepdims=True), a[:, :, 0], b[:, 1])
    same_as_numpy("vecdot axes", lambda a, b: np.vecdot(a, b, axes=[0, 0]), a[:, :, 0], b[:, 1])
    same_as_numpy("matmul dtype", lambda a, b: np.matmul(b, a, dtype=np.float32).astype(float), a, b, gradient=False)
    with pytest.raises((TypeError, ValueError)):
        np.matmul(fg.tensor(a[0]), fg.tensor(b[0]), axis=0)


# ---------------------------------------------------------------- ndarrays and Tensors together


def test_an_array_that_is_assigned_a_tensor_raises():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    array = np.zeros((3, 2))

    def element():
        array[0, 0] = x[0]

    def added():
        array[0, 0] += x[0]

    def part():
        array[0] = x

    def ellipsis():
        array[0, 0, ...] = x[0]

    def masked():
        array[array == 0] = x[0]

    def integer():
        np.zeros(2, int)[0] = x[0]

    def of_complex():
        np.zeros(2, complex)[0] = x[0]

    for write in (element, added, part, ellipsis, masked, integer, of_complex):
        with pytest.raises((RuntimeError, ValueError)):
            write()
        assert not array.any()
    array[0, 0] = x[0].detach()
    array[0, 1] = float(x[1])
    array[1, 0] = x[0].item()
    assert array.tolist() == [[1.0, 2.0], [1.0, 0.0], [0.0, 0.0]]
    with fg.no_grad():
        array[2] = x
        array[1, 1] = x[1]
    assert array[1:].tolist() == [[1.0, 2.0], [1.0, 2.0]]


def test_arrays_of_tensors_raise_and_say_what_to_call():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    makers = [
        lambda: np.asarray(x), lambda: np.array(x), lambda: np.array([x[0], x[1]]), lambda: np.array([[x[0]], [x[1]]]),
        lambda: np.asarray((x[0],)), lambda: np.array(x, dtype=object), lambda: np.r_[x, x], lambda: np.matrix(x),
        lambda: np.sum([x[0], x[1]]), lambda: np.add(np.zeros(2), [x[0], x[1]]), lambda: np.full(3, x[0]), lambda: np.arange(x[0]),
        lambda: np.ma.array(x), lambda: np.ones(2).dot(x), lambda: np.random.default_rng().normal(x), lambda: np.broadcast(x),
        lambda: list(np.nditer(x)), lambda: np.vectorize(abs)(x), lambda: np.ones(2).take(x), lambda: np.save("x", x),
    ]  # fmt: skip
    for make in makers:
        with pytest.raises(RuntimeError, match="detach"):
            quietly(make)
    for make in (lambda: memoryview(x), lambda: np.from_dlpack(x), lambda: np.frombuffer(x)):
        with pytest.raises((BufferError, RuntimeError, TypeError), match=r"detach|bytes-like"):
            make()


@pytest.mark.parametrize("operator", ["add", "subtract", "multiply", "divide", "power", "floor_divide", "matmul"])
def test_an_ndarray_and_a_tensor_in_either_order(operator):
    symbols = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "floor_divide": "//"}
    symbol = symbols.get(operator, "@")
    a, b = Y[:, :2] + 0.5, X[:, :2] + 1
    for left, right in ((fg.tensor(a, requires_grad=True), b), (a, fg.tensor(b, requires_grad=True))):
        for result in (eval(f"left {symbol} right"), getattr(np, operator)(left, right)):
            assert isinstance(result, fg.Tensor) and result.requires_grad
            np.testing.assert_array_equal(result.detach().numpy(), getattr(np, operator)(a, b))


def test_like_makes_a_tensor():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    for made in (
        np.zeros(3, like=x), np.ones(3, like=x), np.full(3, 2.0, like=x), np.arange(3, like=x), np.eye(2, like=x),
        np.asarray([1.0], like=x), np.array([[1.0]], like=x), np.identity(2, like=x), np.empty(2, like=x),
        np.fromfunction(lambda i: i, (3,), like=x), np.tri(3, like=x),
    ):  # fmt: skip
        assert isinstance(made, fg.Tensor) and not made.requires_grad
    for made in (
        np.asarray(x, like=x),
        np.array(x, like=x),
        np.array(x, dtype=complex, like=x),
        np.full(3, x[0], like=x),
    ):
        assert isinstance(made, fg.Tensor) and made.requires_grad
    assert np.asarray(x, like=x) is x


def test_a_function_that_is_not_known_names_itself():
    x = fg.tensor([1.0, 2.0], requires_grad=True)
    from numpy.lib import recfunctions

    for function in (np.is_busday, np.datetime_as_string, recfunctions.structured_to_unstructured):
        with pytest.raises(TypeError, match=function.__name__):
            function(x)
    with pytest.raises(TypeError, match="lambda"):
        np.frompyfunc(lambda a: a, 1, 1)(x)
    with pytest.raises(TypeError):
        np.sum(x, nonsense=1)
    with pytest.raises(TypeError):
        np.concatenate([x, x], dtype=np.float32, casting="safe")


def test_scipys_ufuncs_are_those_of_fastgrad_special():
    special = pytest.importorskip("scipy.special")
    x = fg.tensor(X, requires_grad=True)
    for name in ("erf", "expit", "gammaln", "digamma", "i0e", "ndtr", "exp2", "cbrt"):
        y = getattr(special, name)(x)
        assert isinstance(y, fg.Tensor) and y.requires_grad
        np.testing.assert_allclose(y.detach().numpy(), getattr(special, name)(X), rtol=1e-14)
    y = special.xlogy(X, x, out=fg.zeros(X.shape))
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1.0, rtol=1e-15)
    with pytest.raises(TypeError, match="pdtri"):
        special.pdtri(x, x)


def test_transforms_go_through_the_protocols():
    """Functions that only say `np.`, differentiated by every transform."""

    def program(x):
        y = np.concatenate([np.sort(x), np.linspace(x[0], x[1], 4)])
        z = np.add.outer(y, quietly(np.exp, x, where=np.ones(x.shape, bool)))
        return (
            np.sum(np.where(z > 1, z, 0.5 * z) * np.arange(z.size).reshape(z.shape))
            + np.add.reduce(x, keepdims=True)[0]
        )

    x = np.array([0.7, 0.2, 0.4])
    gradient = fg.func.grad(program)(x)
    values = x.copy()
    np.testing.assert_allclose(gradient, numeric(lambda: program(values), [values])[0], rtol=1e-6)
    np.testing.assert_allclose(fg.func.jacfwd(program)(x), gradient, rtol=1e-12)
    rows = fg.func.vmap(fg.func.grad(program))(np.stack([x, x + 0.1]))
    np.testing.assert_allclose(rows[0], gradient, rtol=1e-12)


WRITERS = {
    "out": lambda x: np.exp(x, out=x * 0),
    "in place": lambda x: (y := x * 2.0, np.multiply(y, x, out=y))[0],
    "where": lambda x: np.log(x, out=x * 1.0, where=np.array([True, False, True])),
    "where of its own": lambda x: np.log(x, out=x * 1.0, where=x > 0.3),
    "out of a sum": lambda x: np.sum(np.stack([x, x * x]), axis=0, out=x * 0),
    "copyto": lambda x: (y := x * 2.0, np.copyto(y, x * x, where=np.array([True, False, True])))[0],
    "reduceat": lambda x: np.add.reduceat(x * x, [0, 2]),
    "at": lambda x: (y := x * 2.0, np.add.at(y, [0, 0, 2], x * x), np.multiply.at(y, [1, 1], x[:2]))[0],
    "accumulate": lambda x: np.multiply.accumulate(x),
    "logaddexp": lambda x: np.logaddexp.reduce(x),
    "outer": lambda x: np.subtract.outer(x, x * x),
    "put": lambda x: (y := x * 2.0, np.put(y, [0, 2], x[:2]))[0],
    "einsum": lambda x: np.einsum("i,j->ij", x, x),
    "sliding": lambda x: np.lib.stride_tricks.sliding_window_view(x, 2) * x[0],
    "ravel": lambda x: np.ravel(np.outer(x, x), order="F"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_form_goes_through_every_transform(name):
    program, x = WRITERS[name], np.array([0.7, 0.2, 0.4])
    values = x.copy()
    weights = np.cos(np.arange(np.size(program(x)))).reshape(np.shape(program(x)))
    wanted = numeric(lambda: np.sum(weights * program(values)), [values])[0]
    np.testing.assert_allclose(fg.func.grad(lambda x: (program(x) * weights).sum())(x), wanted, rtol=1e-5, atol=1e-8)
    tangent = fg.func.jvp(program, (x,), (np.ones(3),))[1]
    np.testing.assert_allclose((tangent * weights).sum(), wanted.sum(), rtol=1e-5)
    batch = np.stack([x, x[::-1]])
    np.testing.assert_allclose(fg.func.vmap(program)(batch), [program(row) for row in batch], rtol=1e-12)
    jacobians = fg.func.jacrev(program)(x), fg.func.jacfwd(program)(x)
    np.testing.assert_allclose(*jacobians, rtol=1e-12, atol=1e-14)
