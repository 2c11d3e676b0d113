"""gradcheck finds what is wrong with a derivative, says what, and leaves what is right alone."""

import numpy as np
import pytest
from conftest import HAS_TORCH

import fastgrad as fg
from fastgrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def real(*shape, seed=0):
    return fg.tensor(np.random.default_rng(seed).uniform(0.3, 1.2, shape), requires_grad=True)


def imaginary(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return fg.tensor(rng.uniform(0.3, 1.2, shape) + 1j * rng.uniform(0.3, 1.2, shape), requires_grad=True)


def make(forward, backward):
    return type("Made", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}).apply


# fmt: off
RIGHT = {
    "one input":          (lambda x: fg.exp(x).sum(axis=0), real(2, 3)),
    "no axes":            (lambda x: fg.exp(x), real()),
    "no elements":        (lambda x: fg.exp(x), real(0, 2)),
    "several of each":    (lambda x, n, s: (fg.exp(x) * s, s ** n, 3), (real(2), 3, real(seed=1))),
    "a list of outputs":  (lambda x: [fg.sin(x), fg.cos(x)], real(2)),
    "an input unused":    (lambda x, y: fg.sin(x), (real(2), real(2, seed=1))),
    "one not asked for":  (lambda x, y: fg.sin(x) * y, (real(2), real(2, seed=1).detach())),
    "a transposed input": (lambda x: fg.sin(x)[:1], real(2, 3).detach().T.requires_grad_()),
    "an inner tensor":    (lambda x: fg.sin(x), real(2) * 2),
    "holomorphic":        (lambda z: fg.exp(z) * z, imaginary(3)),
    "not holomorphic":    (lambda z: fg.abs(z) * fg.conj(z), imaginary(2)),
    "complex to real":    (lambda z: fg.abs(z), imaginary(3)),
    "real to complex":    (lambda x: fg.exp(1j * x), real(3)),
    "both":               (lambda x, z: (x * z, fg.abs(z)), (real(2), imaginary(2))),
    "matrices":           (lambda x, y: x @ y, (real(2, 3), real(3, 2, seed=1))),
}
# fmt: on


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("case", RIGHT)
def test_what_is_right_passes(case, fast_mode):
    function, inputs = RIGHT[case]
    assert gradcheck(function, inputs, fast_mode=fast_mode, check_batched_grad=True, check_grad_dtypes=True)
    assert gradgradcheck(function, inputs, fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_derivative_shows_both_jacobians(fast_mode):
    wrong = make(lambda ctx, x: x * 1, lambda ctx, g: 3 * g)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0") as error:
        gradcheck(wrong, fg.ones(2, requires_grad=True), fast_mode=fast_mode)
    text = str(error.value)
    assert "numerical:array([[1." in text or "numerical:array([[0.999" in text
    assert "analytical:array([[3., 0.],\n       [0., 3.]])" in text
    assert not gradcheck(wrong, fg.ones(2, requires_grad=True), fast_mode=fast_mode, raise_exception=False)
    assert issubclass(GradcheckError, RuntimeError)


def test_the_wrong_part_of_a_complex_output_is_named():
    wrong = make(lambda ctx, z: z * 1, lambda ctx, g: fg.real(g) + 2j * fg.imag(g))
    with pytest.raises(GradcheckError, match="imaginary part of complex outputs only, Jacobian mismatch"):
        gradcheck(wrong, imaginary(1))


def test_the_wrong_input_and_output_are_named():
    wrong = make(lambda ctx, x, y: (x * 1, x * y), lambda ctx, g, h: (g + h, h))
    with pytest.raises(GradcheckError, match="output 1 with respect to input 0"):
        gradcheck(wrong, (real(1), real(1, seed=1)))


def test_a_wrong_second_derivative():
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    wrong = make(forward, lambda ctx, g: 3 * g * ctx.saved_tensors[0].detach() ** 2)
    assert gradcheck(wrong, real(2))
    with pytest.raises(GradcheckError):
        gradgradcheck(wrong, real(2))
    assert not gradgradcheck(wrong, real(2), raise_exception=False)


def test_a_backward_that_ignores_its_gradient():
    with pytest.raises(GradcheckError, match="not multiplied by grad_output"):
        gradcheck(make(lambda ctx, x: x * 1, lambda ctx, g: fg.ones(g.shape)), real())


def test_a_backward_that_is_not_the_same_twice():
    wobble = iter([1e-3 * i for i in range(1000)])
    wrong = make(lambda ctx, x: x * 1, lambda ctx, g: g * (1 + next(wobble)))
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(wrong, real(2), atol=1)
    assert gradcheck(wrong, real(2), atol=1, nondet_tol=0.1)


def test_a_backward_that_cannot_do_with_none():
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 1

    def refuse(ctx, g):
        if g is None:
            raise RuntimeError("no gradient")
        return g * 1

    for backward in (refuse, lambda ctx, g: fg.ones(2) if g is None else g * 1):
        wrong = make(forward, backward)
        with pytest.raises(GradcheckError, match="undefined"):
            gradcheck(wrong, real(2))
        assert gradcheck(wrong, real(2), check_undefined_grad=False)
    with pytest.raises(TypeError):  # an error of its own
        gradcheck(make(forward, lambda ctx, g: g * 1), real(2))
    assert gradcheck(make(forward, lambda ctx, g: None if g is None else g * 1), real(2))


def test_outputs_without_a_gradient_must_be_constant():
    assert gradcheck(lambda x: fg.ones(3), real(2))
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, real(2))


def test_a_gradient_of_another_dtype():
    x = fg.ones(2, dtype="float64", requires_grad=True)
    assert gradcheck(lambda x: x.astype("float32") * 2, x, check_grad_dtypes=True, atol=1, eps=1e-2)


@pytest.mark.parametrize(
    ("inputs", "options", "kind", "text"),
    [
        (real(2).detach(), {}, ValueError, "at least one input tensor to require gradient"),
        (3, {}, ValueError, "at least one input"),
        (fg.broadcast_to(real(1), (3,)), {}, RuntimeError, "stride 0"),
        (real(2), {"check_backward_ad": False}, ValueError, "check_forward_ad"),
    ],
)
def test_wrong_calls(inputs, options, kind, text):
    with pytest.raises(kind, match=text):
        gradcheck(fg.exp, inputs, **options)
    with pytest.raises(ValueError, match="check_rev_over_rev"):
        gradgradcheck(fg.exp, real(2), check_rev_over_rev=False)


def test_single_precision_is_warned_about():
    x = fg.ones(2, dtype="float32", requires_grad=True)
    with pytest.warns(UserWarning, match="not a double precision"):
        assert gradcheck(lambda x: x * 2, x, eps=1e-2, atol=1e-2)


def test_tolerances_are_used():
    off = make(lambda ctx, x: x * 1, lambda ctx, g: 1.01 * g)
    x = real(2)
    assert not gradcheck(off, x, raise_exception=False)
    assert gradcheck(off, x, atol=0.02, rtol=0) and gradcheck(off, x, atol=0, rtol=0.02)
    assert gradcheck(off, x, atol=0.02, rtol=0, fast_mode=True)


def test_the_inputs_are_left_as_they_were():
    x, y = real(2), real(2) * 2
    before = x.detach().numpy().copy()
    assert gradcheck(lambda x, y: x * y, (x, y))
    np.testing.assert_array_equal(x.detach().numpy(), before)
    assert x.grad is None and x._version == y._version == 0


def test_it_works_where_nothing_is_recorded():
    with fg.no_grad():
        assert gradcheck(fg.exp, real(2))
        assert gradgradcheck(fg.exp, real(2))


def test_given_cotangents():
    assert gradgradcheck(lambda x: x**3, real(2), fg.tensor([1.0, 2.0], requires_grad=True))
    assert gradgradcheck(lambda x: x**3, real(2), gen_non_contig_grad_outputs=True)


@pytest.mark.parametrize("case", RIGHT)
def test_forward_mode(case):
    pytest.importorskip("fastgrad.func")
    function, inputs = RIGHT[case]
    for fast_mode in (False, True):
        assert gradcheck(function, inputs, check_forward_ad=True, check_backward_ad=False, fast_mode=fast_mode)


def test_forward_mode_finds_a_wrong_tangent():
    pytest.importorskip("fastgrad.func")
    methods = {
        "forward": lambda x: x * 1, "setup_context": lambda ctx, i, o: None, "backward": lambda ctx, g: g,
        "jvp": lambda ctx, t: 2 * t,
    }  # fmt: skip
    wrong = type("Made", (Function,), {name: staticmethod(method) for name, method in methods.items()}).apply
    assert gradcheck(wrong, real(2))
    with pytest.raises(GradcheckError, match="computed with forward mode mismatch"):
        gradcheck(wrong, real(2), check_forward_ad=True)


@pytest.mark.torch
@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_pytorch_says_the_same():
    import torch

    def both(function, values):
        x = fg.tensor(values, requires_grad=True)
        t = torch.tensor(values, requires_grad=True)
        texts = []
        for check, f, leaf in (
            (gradcheck, function(fg, Function), x),
            (torch.autograd.gradcheck, function(torch, torch.autograd.Function), t),
        ):
            try:
                texts.append(str(check(f, leaf)))
            except RuntimeError as error:
                texts.append(str(error).partition("\n")[0])
        return texts

    def wrong(module, base):
        class F(base):
            @staticmethod
            def forward(ctx, x):
                return x * x

            @staticmethod
            def backward(ctx, g):
                return g

        return F.apply

    for function in (wrong, lambda module, base: module.exp, lambda module, base: lambda x: module.abs(x) * x):
        for values in ([0.5, 1.0], [0.5 + 1j, 2 - 1j]):
            a, b = both(function, np.array(values))
            assert a == b
