"""`fastgrad.fft`: NumPy's functions and values, PyTorch's gradients, and calls that mean nothing."""

import importlib
import itertools
import zlib

import numpy as np
import pytest
from conftest import HAS_TORCH
from samples import as_arrays, same_bits
from test_torch import compare

import fastgrad as fg

torch = importlib.import_module("torch") if HAS_TORCH else None
ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
TWO = ["fft2", "ifft2", "rfft2", "irfft2"]
MANY = ["fftn", "ifftn", "rfftn", "irfftn"]
NORMS = [None, "backward", "ortho", "forward"]


def draw(name, shape, dtype):
    rng = np.random.default_rng(zlib.crc32(f"{name}{shape}{dtype}".encode()))
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def dtypes(name):
    return (
        ["float64", "float32"] if name in ("rfft", "ihfft", "rfft2", "rfftn") else ["float64", "float32", "complex128"]
    )


def test_the_namespace_is_all_of_numpys():
    assert set(np.fft.__all__) == set(fg.fft.__all__)
    assert len(fg.fft.__all__) == 18


@pytest.mark.parametrize("name", ONE + TWO + MANY)
def test_numpys_functions_know_tensors_and_give_the_same_bits(name):
    function, numpys = getattr(fg.fft, name), getattr(np.fft, name)
    for dtype in (*dtypes(name), "int64", "float16", "longdouble", "complex64"):
        if dtype == "complex64" and "complex128" not in dtypes(name):
            continue
        a = draw(name, (3, 4, 5), dtype)
        for norm in NORMS:
            expected = numpys(a, norm=norm)
            x = fg.tensor(a, requires_grad=a.dtype.kind in "fc")
            for found in (function(x, norm=norm), numpys(x, norm=norm), function(a, norm=norm)):
                assert isinstance(found, fg.Tensor)
                same_bits(found.detach().numpy(), expected, f"{name} {dtype} {norm}")


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
def test_shifts_are_numpys(name):
    for shape, axes in [((5,), None), ((4, 3), None), ((4, 3), 0), ((4, 3), (-1, 0)), ((0, 3), None)]:
        a = draw(name, shape, "float64")
        x = fg.tensor(a, requires_grad=True)
        for found in (getattr(fg.fft, name)(x, axes), getattr(np.fft, name)(x, axes)):
            assert found.requires_grad
            same_bits(found.detach().numpy(), getattr(np.fft, name)(a, axes), f"{name} {shape} {axes}")


def test_frequencies_are_numpys_and_know_the_distance():
    for n, d in itertools.product((1, 2, 5, 8), (1.0, 0.1, 3)):
        same_bits(fg.fft.fftfreq(n, d).numpy(), np.fft.fftfreq(n, d), "fftfreq")
        same_bits(fg.fft.rfftfreq(n, d=d).numpy(), np.fft.rfftfreq(n, d), "rfftfreq")
    d = fg.tensor(0.5, requires_grad=True)
    fg.fft.rfftfreq(4, d).sum().backward()
    assert d.grad.item() == -3.0
    assert fg.fft.fftfreq(4, dtype=fg.float32, requires_grad=True).requires_grad
    assert fg.fft.fftfreq(4, dtype=fg.float32, device="cpu").dtype == np.float32
    for wrong in ({"dtype": "int64"}, {"device": "gpu"}):
        with pytest.raises(ValueError, match=r"dtype|device"):
            fg.fft.fftfreq(4, **wrong)
    with pytest.raises(TypeError):
        fg.fft.fftfreq(4.5)


# ---------------------------------------------------------------- beside PyTorch


@pytest.mark.torch
@pytest.mark.parametrize("name", ONE)
def test_derivatives_along_one_axis_are_pytorchs(name):
    for dtype, n, norm in itertools.product(dtypes(name), (None, 3, 6, 7), NORMS):
        for shape, axis in (((5,), -1), ((2, 4, 3), 1)):
            ours = lambda x: getattr(fg.fft, name)(x, n, axis, norm)
            theirs = lambda x: getattr(torch.fft, name)(x, n, axis, norm)
            assert compare(ours, theirs, [draw(name, shape, dtype)], dtype, f"{name} {dtype} {n} {norm} {shape}")


@pytest.mark.torch
@pytest.mark.parametrize("name", MANY + TWO)
def test_derivatives_over_several_axes_are_pytorchs(name):
    for dtype, norm in itertools.product(dtypes(name), NORMS):
        for s, axes in ((None, (-2, -1)), ((4, 5), (0, 2)), ((3, 2), (-1, 0)), (None, (2, 0))):
            ours = lambda x: getattr(fg.fft, name)(x, s, axes, norm)
            theirs = lambda x: getattr(torch.fft, name)(x, s, axes, norm)
            assert compare(ours, theirs, [draw(name, (3, 2, 4), dtype)], dtype, f"{name} {dtype} {s} {axes} {norm}")


@pytest.mark.torch
def test_there_and_back_is_one():
    x = fg.tensor(draw("x", (3, 5), "float64"), requires_grad=True)
    g = draw("g", (3, 5), "float64")
    for there, back in (("fftn", "ifftn"), ("rfftn", "irfftn"), ("fft2", "ifft2"), ("ihfft", "hfft")):
        out = getattr(fg.fft, back)(getattr(fg.fft, there)(x), *([5] if back == "hfft" else [(3, 5), (0, 1)]))
        (found,) = fg.autograd.grad(fg.real(out), x, fg.tensor(g))
        np.testing.assert_allclose(found.numpy(), g, rtol=1e-13, atol=1e-13)


def test_an_axis_named_twice_is_gone_along_twice():
    a = draw("twice", (3, 4), "float64")
    for name, axes, s in (("fftn", (0, 0), None), ("rfftn", (1, 0, 1), (5, 3, 4)), ("irfftn", (0, 1, 0), (2, 4, 5))):
        x = fg.tensor(a, requires_grad=True)
        out = getattr(fg.fft, name)(x, s, axes)
        same_bits(out.detach().numpy(), getattr(np.fft, name)(a, s, axes), name)
        fg.autograd.gradcheck(lambda x: getattr(fg.fft, name)(x, s, axes), (x,))


# ---------------------------------------------------------------- wrong calls


@pytest.mark.parametrize("name", ONE + MANY)
def test_wrong_calls_raise_what_numpy_raises(name):
    function, numpys = getattr(fg.fft, name), getattr(np.fft, name)
    many = name in MANY
    wrong = [{"norm": "unitary"}, {"axes" if many else "axis": (7,) if many else 7}]
    wrong += [{"s": (0,), "axes": (0,)}, {"s": (2, 2), "axes": (0,)}] if many else [{"n": 0}, {"n": -3}]
    for options in wrong:
        with pytest.raises(Exception) as expected:
            numpys(np.ones((2, 3)), **options)
        with pytest.raises(type(expected.value)):
            function(fg.ones((2, 3), requires_grad=True), **options)


def test_real_transforms_take_no_complex_numbers():
    for name in ("rfft", "ihfft", "rfft2", "rfftn"):
        with pytest.raises(TypeError):
            getattr(fg.fft, name)(fg.tensor(np.ones((2, 3)) * 1j))


def test_transforms_of_functions_go_through():
    from fastgrad.func import jacfwd, jacrev, vmap

    a = draw("func", (4, 5), "float64")
    power = lambda x: abs(fg.fft.rfft(x)) ** 2
    for x in a:
        np.testing.assert_allclose(as_arrays(jacrev(power)(x)), as_arrays(jacfwd(power)(x)), rtol=1e-12, atol=1e-12)
    same_bits(vmap(power)(a), (abs(fg.fft.rfft(a)) ** 2).numpy(), "vmap")
