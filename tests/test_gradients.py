"""Gradients of every row against numeric ones, of first and second order, and what must not change them."""

import numpy as np
import pytest
from numeric import assert_gradient, assert_gradient_along, pairing
from samples import (
    ELEMENTWISE,
    LAYOUTS,
    ROWS,
    accepts,
    active,
    apply,
    as_arrays,
    as_read,
    calls,
    draw,
    interval,
    operand_kinds,
    operands_of,
    seed,
    tensors,
)

import fastgrad as fg
from fastgrad.ops import TABLE

DIFFERENTIABLE = [name for name in ROWS if TABLE[name].differentiable]
BINARY = [n for n in ELEMENTWISE if len(TABLE[n].operands) > 1 and TABLE[n].differentiable]


def record(op, operands, options):
    """The floating operands as leaves, and the results that require grad."""
    given = tensors(operands, requires_grad=True)
    result = apply(op, given, options, active)
    outs = [t for t in (result if isinstance(result, tuple) else (result,)) if t.requires_grad]
    xs = [t for t in given if isinstance(t, fg.Tensor) and t.requires_grad]
    return xs, outs


def cotangents(rng, outs):
    return [draw(rng, (-1.5, 1.5), t.shape, t.dtype) for t in outs]


def differentiated(op, operands):
    """The arrays whose gradient is tested: floating ones for which the row states a derivative."""
    arrays = []
    for i, a in enumerate(operands):
        stated = op.joint or op.derived or op.vjp[i] is not None
        if isinstance(a, np.ndarray) and a.dtype.kind in "fc":
            arrays.append((i, a, stated))
    return arrays


def cases(op, dtype):
    return [call for call in calls(op, few=True) if accepts(op, call, dtype)]


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_first_order(name, dtype):
    op, tested = TABLE[name], 0
    for call in cases(op, dtype):
        what = f"{name} {call} {dtype}"
        rng = seed(name, dtype, "first")
        operands = [a.copy() if isinstance(a, np.ndarray) else a for a in operands_of(op, call, dtype, rng)]
        xs, outs = record(op, operands, call.options)
        if not outs:
            continue  # a real-valued or integer result of these operands
        numbers = [k for k, a in enumerate(as_arrays(apply(op, operands, call.options))) if a.dtype.kind in "fc"]
        gs = cotangents(rng, outs)
        found = fg.autograd.grad(outs, xs, tensors(gs), allow_unused=True)

        def loss():
            results = as_arrays(apply(op, as_read(op, operands), call.options))
            return pairing(gs, [results[k] for k in numbers])

        for (i, array, stated), grad in zip(differentiated(op, operands), found, strict=True):
            if not stated:
                assert grad is None, f"{what}: operand {i} has no vjp and yet a gradient"
                continue
            grad = np.zeros(array.shape, array.dtype) if grad is None else grad.numpy()
            assert grad.dtype == array.dtype, f"{what}: gradient of dtype {grad.dtype}"
            with fg.no_grad():
                assert_gradient(grad, loss, array, f"{what}, operand {i}")
            tested += 1
    assert tested or dtype != "float64", "no sample call of the row has a gradient"


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_second_order(name, dtype):
    """The gradient of the gradient, in the operands and in the cotangent."""
    op = TABLE[name]
    for call in cases(op, dtype):
        what = f"{name} {call} {dtype}"
        rng = seed(name, dtype, "second")
        operands = [a.copy() if isinstance(a, np.ndarray) else a for a in operands_of(op, call, dtype, rng)]
        xs, outs = record(op, operands, call.options)
        if not outs:
            continue
        gs = cotangents(rng, outs)
        g_tensors = tensors(gs, requires_grad=True)
        firsts = fg.autograd.grad(outs, xs, g_tensors, create_graph=True, allow_unused=True)
        wanted = [k for k, first in enumerate(firsts) if first is not None and first.requires_grad]
        us = [draw(rng, (-1.5, 1.5), firsts[k].shape, firsts[k].dtype) for k in wanted]
        if not wanted:
            continue  # the derivative is zero whatever comes
        found = fg.autograd.grad([firsts[k] for k in wanted], [*xs, *g_tensors], tensors(us), allow_unused=True)

        def loss():
            again, results = record(op, as_read(op, operands), call.options)
            grads = fg.autograd.grad(results, again, tensors(gs), allow_unused=True)
            return pairing(us, as_arrays([grads[k] for k in wanted]))

        sources = [(f"operand {i}", array) for i, array, _ in differentiated(op, operands)]
        sources += [(f"cotangent {i}", g) for i, g in enumerate(gs)]
        for (source, array), grad in zip(sources, found, strict=True):
            grad = np.zeros(array.shape, array.dtype) if grad is None else grad.detach().numpy()
            assert grad.dtype == array.dtype, f"{what}: second gradient of dtype {grad.dtype} in {source}"
            assert_gradient_along(rng, grad, loss, array, f"{what}, second order in {source}")


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_float32_stays_float32(name):
    """Gradients of float32 operands are float32, and the rounded gradients of float64 ones."""
    op = TABLE[name]
    for call in cases(op, "float32"):
        grads, leaves = {}, []
        operands = operands_of(op, call, "float32", seed(name, "float32"))
        for dtype in ("float32", "float64"):
            arrays = [a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in operands]
            xs, outs = record(op, arrays, call.options)
            leaves = leaves or xs
            if outs:
                ones = [np.ones(t.shape, t.dtype) for t in outs]
                grads[dtype] = fg.autograd.grad(outs, xs, tensors(ones), allow_unused=True)
        for x, single, double in zip(leaves, *grads.values(), strict=True) if grads else ():
            assert (single is None) == (double is None)
            if single is None:
                continue
            assert double.dtype == (np.float64 if x.dtype == np.float32 else x.dtype) and single.dtype == x.dtype
            # the formulas amplify a rounding by the condition of the row on its interval: a few hundred at most
            scale = np.abs(double.numpy()).max(initial=1.0)
            np.testing.assert_allclose(
                single.numpy(), double.numpy(), rtol=1e-4, atol=3e-5 * scale, err_msg=f"{name} {call}"
            )


@pytest.mark.parametrize("name", BINARY)
def test_mixed_dtypes_and_broadcasts_are_fitted_to_each_operand(name):
    op = TABLE[name]
    kinds = operand_kinds(op)
    rng = seed(name, "fit")
    shapes, dtypes = [(2, 1), (3,), (1, 1, 3), ()], ["float32", "float64", "float32", "float32"]
    operands = [draw(rng, interval(op, i), shapes[i], "bool" if k == "?" else dtypes[i]) for i, k in enumerate(kinds)]
    wide = [a.astype("float64") if a.dtype.kind == "f" else a for a in operands]
    grads = []
    for arrays in (operands, wide):
        xs, outs = record(op, arrays, {})
        grads.append(fg.autograd.grad(outs, xs, tensors([np.ones(t.shape) for t in outs]), allow_unused=True))
    for (_, array, stated), fitted, exact in zip(differentiated(op, operands), *grads, strict=True):
        if not stated:
            continue
        assert fitted.dtype == array.dtype and fitted.shape == array.shape
        np.testing.assert_allclose(fitted.numpy(), exact.numpy(), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", BINARY)
def test_a_python_scalar_operand_has_no_gradient_and_harms_none(name):
    op = TABLE[name]
    rng, kinds = seed(name, "scalar"), operand_kinds(op)
    for place in range(len(kinds)):
        if kinds[place] == "?":
            continue
        arrays = [draw(rng, interval(op, i), (3,), "bool" if k == "?" else "float64") for i, k in enumerate(kinds)]
        scalar = float(draw(rng, interval(op, place), (), "float64"))
        grads = []
        for value in (scalar, np.full(3, scalar)):
            given = tensors([*arrays[:place], value, *arrays[place + 1 :]])
            xs = [t.requires_grad_() for j, t in enumerate(given) if j != place and kinds[j] != "?"]
            out = apply(op, given, {}, active)
            grads.append(as_arrays(fg.autograd.grad(out.sum(), xs)) if xs and out.requires_grad else [])
        for a, b in zip(*grads, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_layouts_do_not_change_gradients(name):
    op = TABLE[name]
    for call in cases(op, "float64")[-2:]:
        drawn = operands_of(op, call, "float64", seed(name, "grad layouts"))
        for layout, change in LAYOUTS.items():
            arrays, plain = [], []
            for a in drawn:
                inexact = isinstance(a, np.ndarray) and a.dtype.kind == "f"
                if inexact and a.ndim >= (2 if layout in ("all reversed", "spread inside") else 1):
                    a = change(a)
                arrays.append(a)
                plain.append(np.array(a, "float64") if inexact else a)
            found = []
            for operands in (arrays, plain):
                xs, outs = record(op, operands, call.options)
                gs = cotangents(seed(name, "cotangent"), outs)
                found.append((xs, fg.autograd.grad(outs, xs, tensors(gs), allow_unused=True)))
            for x, a, b in zip(found[0][0], found[0][1], found[1][1], strict=True):
                assert (a is None) == (b is None)
                if a is not None:
                    a, b = a.numpy(), b.numpy()
                    assert a.shape == x.shape and a.dtype.newbyteorder("=") == x.dtype.newbyteorder("=")
                    tiny = 64 * np.finfo(float).eps
                    np.testing.assert_allclose(
                        a, b, rtol=tiny, atol=tiny * np.abs(b).max(initial=0), err_msg=f"{name} {call} {layout}"
                    )


def _kinks():
    return [pytest.param(name, i, id=f"{name}-{i}") for name in ROWS for i in range(len(TABLE[name].kinks))]


@pytest.mark.parametrize(("name", "i"), _kinks())
def test_pinned_gradients_at_special_points(name, i):
    op = TABLE[name]
    operands, expected = op.kinks[i]
    arrays = [np.array(a, "float64") if not isinstance(a, np.ndarray) or a.dtype.kind == "f" else a for a in operands]
    if op.elementwise:
        arrays = [a.astype(bool) if k == "?" else a for a, k in zip(arrays, operand_kinds(op))]
    given = [t.requires_grad_() if t.dtype.kind == "f" else t for t in tensors(arrays)]
    out = apply(op, given, {}, active)
    if out.requires_grad:
        out.sum().backward()
    assert len(expected) == len(given)
    # a formula may read its result: exp(x - out) is as good as the last digit of out
    size = max((np.abs(a[np.isfinite(a)]).max(initial=1.0) for a in arrays if a.dtype.kind == "f"), default=1.0)
    tiny = 4 * np.finfo(float).eps * min(size, 1e4)
    for t, wanted in zip(given, expected):
        if wanted is None:
            assert t.grad is None
            continue
        assert t.grad is not None, f"{name}{operands}: no gradient instead of {wanted}"
        wanted = np.broadcast_to(np.asarray(wanted, "float64"), t.shape)
        np.testing.assert_allclose(t.grad.numpy(), wanted, rtol=tiny, atol=0, err_msg=f"{name}{operands}")


# ---------------------------------------------------------------- special points stated here, as PyTorch has them

# fmt: off
POINTS = {
    "abs at 0":              (lambda x: fg.abs(x),                     [0.0],            [0.0]),
    "relu at 0":             (lambda x: fg.relu(x),                    [-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
    "sqrt at 0":             (lambda x: fg.sqrt(x),                    [0.0],            [np.inf]),
    "x**0":                  (lambda x: x ** 0,                        [0.0, 2.0],       [0.0, 0.0]),
    "x**0.0":                (lambda x: x ** 0.0,                      [0.0, 2.0],       [0.0, 0.0]),
    "x**1 at 0":             (lambda x: x ** 1,                        [0.0],            [1.0]),
    "x**2 at 0":             (lambda x: x ** 2,                        [0.0, -3.0],      [0.0, -6.0]),
    "0**x":                  (lambda x: 0.0 ** x,                      [1.0, 2.0],       [0.0, 0.0]),
    "max of ties":           (lambda x: fg.max(x),                     [3.0, 1.0, 3.0],  [0.5, 0.0, 0.5]),
    "min of ties":           (lambda x: fg.min(x),                     [2.0, 2.0, 2.0],  [1 / 3] * 3),
    "max over an axis":      (lambda x: fg.max(x, axis=0),             [[1.0, 5.0], [1.0, 2.0]], [[0.5, 1.0], [0.5, 0.0]]),
    "maximum of ties":       (lambda x: fg.maximum(x, fg.tensor([1.0, 1.0])), [1.0, 2.0], [0.5, 1.0]),
    "minimum of ties":       (lambda x: fg.minimum(x, fg.tensor([1.0, 1.0])), [1.0, 2.0], [0.5, 0.0]),
    "prod with one zero":    (lambda x: fg.prod(x),                    [2.0, 0.0, 3.0],  [0.0, 6.0, 0.0]),
    "prod with two zeros":   (lambda x: fg.prod(x),                    [0.0, 0.0, 3.0],  [0.0, 0.0, 0.0]),
    "prod over an axis":     (lambda x: fg.prod(x, axis=1),            [[2.0, 0.0], [3.0, 4.0]], [[0.0, 2.0], [4.0, 3.0]]),
    "where's masked branch": (lambda x: fg.where(x > 0, fg.sqrt(x), 0 * x), [4.0],       [0.25]),
    "where hides inf":       (lambda x: fg.where(x > 0, x, fg.tensor([np.inf])), [1.0, -1.0], [1.0, 0.0]),
    "clip at its bounds":    (lambda x: fg.clip(x, -1.0, 1.0),         [-2.0, -1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0, 0.0]),
    "sign":                  (lambda x: fg.sign(x),                    [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]),
    "floor":                 (lambda x: fg.floor(x),                   [0.5, 1.0],       [0.0, 0.0]),
    "repeated index":        (lambda x: x[np.array([0, 0, 2])],        [1.0, 2.0, 3.0],  [2.0, 0.0, 1.0]),
    "empty sum":             (lambda x: fg.sum(x),                     [],               []),
    "log at 0":              (lambda x: fg.log(x),                     [0.0],            [np.inf]),
    "logaddexp of equals":   (lambda x: fg.logaddexp(x, fg.tensor([1.0])), [1.0],        [0.5]),
    "std of equals":         (lambda x: fg.var(x),                     [2.0, 2.0],       [0.0, 0.0]),
}
# fmt: on


@pytest.mark.parametrize("point", POINTS)
def test_special_points(point):
    function, data, expected = POINTS[point]
    x = fg.tensor(data, dtype="float64", requires_grad=True)
    function(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.asarray(expected))


def test_where_with_a_mask_made_outside():
    x = fg.tensor([-1.0, 4.0], requires_grad=True)
    fg.where(np.array([False, True]), fg.sqrt(x), 0.0).sum().backward()
    assert x.grad.numpy()[1] == 0.25


def test_getitem_of_a_loop_accumulates():
    x = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    total = 0
    for i in range(3):
        total = total + x[i] ** 2 + x[i]
    total.backward()
    assert x.grad.tolist() == [3, 5, 7]


@pytest.mark.parametrize("function", ["exp", "sin", "square", "sum", "abs", "matmul", "inv"])
def test_complex_leaves_of_the_other_byte_order(function):
    drawn = np.random.default_rng(5)
    plain = drawn.normal(size=(3, 3)) + 1j * drawn.normal(size=(3, 3))
    swapped = plain.astype(plain.dtype.newbyteorder())
    calls = {"matmul": lambda x: x @ x, "inv": fg.linalg.inv}
    call = calls.get(function) or getattr(fg, function)
    found = []
    for array in (plain, swapped):
        x = fg.tensor(array, requires_grad=True)
        out = call(x)
        g = np.full(out.shape, 0.5 if function == "abs" else 0.5 + 2j)
        for given in (g, g.astype(g.dtype.newbyteorder())):
            for create_graph in (False, True):
                (dx,) = fg.autograd.grad(out, x, fg.tensor(given), retain_graph=True, create_graph=create_graph)
                found.append(dx.detach().numpy())
        out.backward(fg.tensor(g))
        found.append(x.grad.numpy())
    for dx in found:
        np.testing.assert_allclose(dx, found[0], rtol=1e-12, atol=1e-12)


def test_no_gradient_is_assumed_for_a_complex_root_of_the_other_byte_order():
    x = fg.tensor(np.array(1 + 2j, ">c16"), requires_grad=True)
    with pytest.raises(RuntimeError, match="real"):
        x.backward()
