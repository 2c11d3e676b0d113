"""gradcheck and gradgradcheck: derivatives against differences.

A Jacobian here is a matrix of ``(elements of the input, elements of the output)``. Outputs that are complex are looked
at as their real and their imaginary part; the derivative of a real number with respect to a complex ``x + iy`` is
PyTorch's, ``d/dx + i d/dy``.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from .._backend import backend as _backend
from .._methods import is_tensor
from ..ops import TABLE
from ._modes import enable_grad


class GradcheckError(RuntimeError):
    """What gradcheck found wrong."""

    __module__ = "fastgrad.autograd"


def gradcheck(
    func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, check_undefined_grad=True,
    check_grad_dtypes=False, check_batched_grad=False, check_forward_ad=False, check_backward_ad=True, fast_mode=False,
):  # fmt: skip
    """Compare the gradients of `func` with differences of its values.

    Parameters
    ----------
    func : callable
        Takes the inputs, and gives a Tensor or a tuple or list of them.
    inputs : Tensor or sequence
        Where to look. Those that require grad are checked; they should be of double precision.
    eps : float
        Half the distance between the points whose values are compared.
    atol, rtol : float
        How far apart the two Jacobians may be: ``atol + rtol * abs(numerical)``.
    raise_exception : bool
        False: return False where they differ.
    nondet_tol : float
        How far apart two runs of `backward` may be.
    check_undefined_grad : bool
        Check that outputs without a gradient are treated as if it were zero.
    check_grad_dtypes : bool
        Check that gradients have the dtype of their inputs.
    check_batched_grad : bool
        Check that `is_grads_batched` gives what a loop does.
    check_forward_ad : bool
        Check `fastgrad.func.jvp` also.
    check_backward_ad : bool
        False: check it only.
    fast_mode : bool
        Compare one random combination of the entries, at the price of two evaluations for each input, and the
        whole Jacobians only if that differs.

    Returns
    -------
    bool

    Raises
    ------
    RuntimeError
        If they differ; the message shows both Jacobians.
    ValueError
        If no input requires grad.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([0.3, 1.2], requires_grad=True)
    >>> fg.autograd.gradcheck(lambda x: fg.sin(x) * x, x)
    True
    """
    if not (check_forward_ad or check_backward_ad):
        raise ValueError("gradcheck: at least one of check_forward_ad and check_backward_ad must be True")
    inputs = _as_tuple(inputs)
    check = _Check(func, inputs, eps, atol, rtol, nondet_tol, check_grad_dtypes)
    try:
        with enable_grad():
            check.run(check_undefined_grad, check_batched_grad, check_forward_ad, check_backward_ad, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, gen_non_contig_grad_outputs=False,
    raise_exception=True, nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_fwd_over_rev=False, check_rev_over_rev=True, fast_mode=False,
):  # fmt: skip
    """Compare the second derivatives of `func` with differences of its first ones.

    Parameters
    ----------
    func, inputs, eps, atol, rtol, raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes, \
check_batched_grad, fast_mode
        As in `gradcheck`.
    grad_outputs : Tensor or sequence of Tensor, optional
        The gradient of each output; random by default.
    gen_non_contig_grad_outputs : bool
        Make the random ones not contiguous.
    check_fwd_over_rev, check_rev_over_rev : bool
        Differentiate the gradients by `fastgrad.func.jvp`, or by `backward`.

    Returns
    -------
    bool

    Raises
    ------
    RuntimeError
        If they differ, or if the gradients cannot be differentiated.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([0.3, 1.2], requires_grad=True)
    >>> fg.autograd.gradgradcheck(lambda x: fg.sin(x) * x, x)
    True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise ValueError("gradgradcheck: at least one of check_fwd_over_rev and check_rev_over_rev must be True")
    inputs = _as_tuple(inputs)
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        with enable_grad():
            outputs = _differentiable(func(*inputs))
        grad_outputs = tuple(_random(out, rng, gen_non_contig_grad_outputs) for out in outputs)
    else:
        grad_outputs = _as_tuple(grad_outputs)
    count = len(inputs)
    which = [i for i, x in enumerate(inputs) if _checked(x)]

    def gradients(*args):
        with enable_grad():
            outputs = _differentiable(func(*args[:count]))
            found = _grad(outputs, [args[i] for i in which], args[count:], create_graph=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev, fast_mode=fast_mode,
    )  # fmt: skip


def _as_tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _checked(value):
    return is_tensor(value) and value.requires_grad


def _differentiable(value):
    return tuple(out for out in _as_tuple(value) if _checked(out))


def _random(out, rng, spread):
    """A cotangent of `out`; with `spread` one whose elements do not lie side by side."""
    shape = (*out.shape, 2) if spread else out.shape
    values = rng.standard_normal(shape)
    if out.dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    g = _backend.asarray(values.astype(out.dtype)[..., 0] if spread else values.astype(out.dtype))
    return g.requires_grad_()


def _grad(outputs, inputs, grad_outputs, create_graph=False, run=None):
    """The gradients, None where there is none; the graph is kept."""
    return (run or _backend.grad)(tuple(outputs), tuple(inputs), tuple(grad_outputs), True, create_graph, True, False)


class _Undefined(_backend.FunctionNode):  # type: ignore[name-defined]
    """A node whose input gets no gradient, though it is a part of the graph."""

    def name(self):
        return "UndefinedBackward"

    def _vjp(self, grads, wanted):
        return [None]

    def _release(self):
        pass


def _undefined(out):
    node = _backend.new_function_node(_Undefined, (out,))
    result = out.detach()
    _backend.attach(node, (result,), set())
    return result


class _Part(NamedTuple):
    """A real output: the output of that number, or its real or imaginary part."""

    number: int
    part: Any  # the row that gives it, or None

    def of(self, outputs):
        out = outputs[self.number]
        return out if self.part is None else TABLE[self.part](out)

    def taken(self, array):
        return array if self.part is None else getattr(array, self.part)

    def said(self):
        kind = {"real": "real", "imag": "imaginary"}.get(self.part)
        return f"While considering the {kind} part of complex outputs only, " if kind else ""


class _Check:
    """One call of gradcheck."""

    def __init__(self, func, inputs, eps, atol, rtol, nondet_tol, check_dtypes):
        self.func, self.inputs = func, inputs
        self.eps, self.atol, self.rtol, self.nondet_tol, self.check_dtypes = eps, atol, rtol, nondet_tol, check_dtypes
        self.which = [i for i, x in enumerate(inputs) if _checked(x)]
        if not self.which:
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, but none of them have "
                "requires_grad=True."
            )
        for i in self.which:
            x = inputs[i]
            if x.dtype not in (np.float64, np.complex128):
                warnings.warn(
                    f"Input #{i} requires gradient and is not a double precision floating point or complex. This check "
                    "will likely fail if all the inputs are not of double precision floating point or complex.",
                    stacklevel=4,
                )
            if x.size and any(step == 0 and n > 1 for step, n in zip(x.strides, x.shape)):
                raise RuntimeError(
                    f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                    "non-overlapping to be able to compute the numerical gradients correctly. Pass a clone()"
                )

    def run(self, undefined, batched, forward, backward, fast):
        """Raise GradcheckError for the first thing that is wrong."""
        outputs = self.call(self.inputs)
        self.outputs = outputs
        places = [i for i, out in enumerate(outputs) if _checked(out)]
        if not places:
            self.no_gradient(outputs)
            return
        parts = [_Part(i, "imag") for i in places if outputs[i].dtype.kind == "c"]
        parts += [_Part(i, "real" if outputs[i].dtype.kind == "c" else None) for i in places]
        (self.fast if fast else self.slow)(outputs, parts, forward, backward)
        if not backward:
            return
        for part in parts if batched else ():
            self.batched(part, part.of(outputs))
        outputs = [outputs[i] for i in places]
        self.multiplied(outputs)
        if undefined:
            self.undefined(outputs)

    # ---------------------------------------------------------------- values

    def call(self, inputs):
        return [out for out in _as_tuple(self.func(*inputs)) if is_tensor(out)]

    def moved(self, number, step):
        """The outputs, as arrays, where the input of that number is moved by the array `step`."""
        inputs = list(self.inputs)
        for i in self.which:
            array = inputs[i].detach().numpy()
            moved = array + step.astype(array.dtype) if i == number else array
            inputs[i] = _backend.tensor(moved, requires_grad=True)
        return [out.detach().numpy().copy() for out in self.call(inputs)]

    def difference(self, number, direction):
        """The derivative of each output along `direction`."""
        above, below = self.moved(number, direction * self.eps), self.moved(number, direction * -self.eps)
        for i, (a, b) in enumerate(zip(above, below)):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise GradcheckError(
                    f"Output {i} changes its shape or dtype where input {number} is moved by {self.eps}: "
                    f"{a.shape} {a.dtype!s}, {b.shape} {b.dtype!s}"
                )
        return [(a.astype(_wide(a)) - b) / (2 * self.eps) for a, b in zip(above, below)]

    def directions(self, number):
        """The unit vectors of an input, and what an entry along each adds to a derivative: 1, or i."""
        x = self.inputs[number]
        for index in np.ndindex(x.shape):
            for factor in (1, 1j) if x.dtype.kind == "c" else (1,):
                unit = np.zeros(x.shape, _wide(x))
                unit[index] = factor
                yield index, factor, unit

    def jacobians(self, number, derivative):
        """For each output its Jacobian of an input, from derivatives along directions."""
        x = self.inputs[number]
        found = [np.zeros((2, *x.shape, out.size), _wide(out)) for out in self.outputs]
        for index, factor, unit in self.directions(number):
            for matrix, column in zip(found, derivative(number, unit)):
                matrix[(0 if factor == 1 else 1, *index)] += np.ravel(column)
        return found  # derivatives by the real and by the imaginary part

    # ---------------------------------------------------------------- Jacobians

    def numerical(self, number, parts, derivative=None):
        """The Jacobian of each part."""
        x = self.inputs[number]
        found = self.jacobians(number, derivative or self.difference)
        results = []
        for part in parts:
            by_real, by_imag = (part.taken(matrix) for matrix in found[part.number])
            matrix = by_real + 1j * by_imag if x.dtype.kind == "c" else by_real
            results.append(matrix.reshape(x.size, matrix.shape[-1]))
        return results

    def analytical(self, part, out):
        """The Jacobian of one part for each input, a row of `backward` for each of its elements."""
        xs = [self.inputs[i] for i in self.which]
        found = [np.zeros((x.size, out.size), _wide(x)) for x in xs]
        for column, index in enumerate(np.ndindex(out.shape)):
            unit = np.zeros(out.shape, out.dtype)
            unit[index] = 1
            rows, again = (_grad([out], xs, [_backend.asarray(unit)]) for _ in range(2))
            for i, matrix, x, g, h in zip(self.which, found, xs, rows, again):
                if g is None:
                    continue
                if self.check_dtypes and g.dtype != x.dtype:
                    raise GradcheckError(
                        f"Gradient has dtype mismatch: input {i} is {x.dtype!s}, its gradient {g.dtype!s}"
                    )
                g, h = g.detach().numpy(), h.detach().numpy()
                matrix[:, column] = np.ravel(g)
                if not np.allclose(g, h, rtol=0, atol=self.nondet_tol, equal_nan=True):
                    raise GradcheckError(
                        "Backward is not reentrant, i.e., running backward with same input and grad_output multiple "
                        "times gives different values. The tolerance for nondeterminism was "
                        f"{self.nondet_tol}. (output {part.number}, input {i})"
                    )
        return found

    def forward(self, number, direction):
        """The derivative of each output along `direction`, by forward mode."""
        from ..func import jvp

        x = self.inputs[number]

        def one(value):
            given = list(self.inputs)
            given[number] = value
            return tuple(out for out in _as_tuple(self.func(*given)) if is_tensor(out))

        tangent = _backend.asarray(direction.astype(x.dtype))
        _, found = jvp(one, (x.detach(),), (tangent,))
        return [t.detach().numpy() for t in found]

    def slow(self, outputs, parts, forward, backward):
        numerical = {i: self.numerical(i, parts) for i in self.which}
        for k, part in enumerate(parts):
            if backward:
                for i, found in zip(self.which, self.analytical(part, part.of(outputs))):
                    self.compare(part, i, numerical[i][k], found)
        for i in self.which if forward else ():
            for part, expected, found in zip(parts, numerical[i], self.numerical(i, parts, self.forward)):
                self.compare(part, i, expected, found, "computed with forward mode ")

    def compare(self, part, number, numerical, analytical, mode=""):
        if not np.allclose(analytical, numerical, self.rtol, self.atol, equal_nan=True):
            raise GradcheckError(
                f"{part.said()}Jacobian {mode}mismatch for output {part.number} with respect to input {number},\n"
                f"numerical:{numerical!r}\nanalytical:{analytical!r}\n"
            )

    def fast(self, outputs, parts, forward, backward):
        """As `slow`, of one random combination; where that differs, the whole Jacobians say how."""
        rng = np.random.default_rng(0)
        weights = {part: _unit(rng, outputs[part.number].shape, False) for part in parts}
        for i in self.which:
            x = self.inputs[i]
            along = _unit(rng, x.shape, x.dtype.kind == "c")
            expected = self.difference(i, along)
            pushed = self.forward(i, along) if forward else None
            for part in parts:
                w, out = weights[part], part.of(outputs)
                value = self.combined(part, w, expected)
                founds = [self.combined(part, w, pushed)] if forward else []
                if backward:
                    (g,) = _grad([out], [x], [_backend.asarray(w.astype(out.dtype))])
                    founds.append(0.0 if g is None else np.sum(np.conj(g.detach().numpy()) * along).real)
                atol = self.atol * np.abs(w).sum() * np.abs(along).sum()
                if not np.allclose(founds, value, self.rtol, atol, equal_nan=True):
                    self.slow(outputs, parts, forward, backward)
                    raise GradcheckError(
                        f"{part.said()}Jacobian mismatch for output {part.number} with respect to input {i} in fast "
                        f"mode: of one random combination of its entries,\nnumerical:{value}\nanalytical:{founds[0]}\n"
                        "The whole Jacobians agree within the tolerance: allow more, or use fast_mode=False"
                    )

    def combined(self, part, weights, derivatives):
        return np.sum(weights * part.taken(derivatives[part.number]))

    # ---------------------------------------------------------------- everything else

    def no_gradient(self, outputs):
        """No output requires grad: then none may depend on the inputs."""
        for i in self.which:
            for matrix in self.jacobians(i, self.difference):
                if np.any(matrix):
                    raise GradcheckError("Numerical gradient for function expected to be zero")

    def batched(self, part, out):
        from ._batches import grad

        rng = np.random.default_rng(0)
        gs = rng.standard_normal((2, *out.shape)).astype(out.dtype)
        xs = [self.inputs[i] for i in self.which]
        found = _grad([out], xs, [_backend.asarray(gs)], run=grad)
        rows = [_grad([out], xs, [_backend.asarray(g)]) for g in gs]
        for i, batch, *expected in zip(self.which, found, *rows):
            if batch is None and expected[0] is None:
                continue
            loop = None if expected[0] is None else np.stack([g.detach().numpy() for g in expected])
            if batch is None or loop is None or not np.allclose(batch.detach().numpy(), loop):
                raise GradcheckError(
                    f"{part.said()}For output {part.number} and input {i}, vmap of backward differs from a loop:\n"
                    f"batched:{batch!r}\nloop:{loop!r}"
                )

    def multiplied(self, outputs):
        """A gradient of zero must give one of zero."""
        zeros = [_backend.asarray(np.zeros(out.shape, out.dtype)) for out in outputs]
        for i, g in zip(self.which, _grad(outputs, [self.inputs[i] for i in self.which], zeros)):
            if g is not None and not np.all(g.detach().numpy() == 0):
                raise GradcheckError(f"backward not multiplied by grad_output (input {i})")

    def undefined(self, outputs):
        """Outputs without a gradient: all of them, and each in its turn."""
        zeros = [_backend.asarray(np.zeros(out.shape, out.dtype)) for out in outputs]
        cases = [range(len(outputs)), *([i] for i in range(len(outputs)) if len(outputs) > 1)]
        for case in cases:
            roots = [_undefined(out) if i in case else out for i, out in enumerate(outputs)]
            try:
                found = _grad(roots, [self.inputs[i] for i in self.which], zeros)
            except RuntimeError as error:
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads: a gradient that is None is like "
                    "one of zeros"
                ) from error
            if any(g is not None and np.any(g.detach().numpy()) for g in found):
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are undefined or zero"
                )


def _wide(*values):
    """Double precision, complex if any of the values is."""
    return np.complex128 if any(value.dtype.kind == "c" for value in values) else np.float64


def _unit(rng, shape, is_complex):
    """A random direction of length one."""
    values = rng.standard_normal(shape)
    if is_complex:
        values = values + 1j * rng.standard_normal(shape)
    length = np.linalg.norm(values)
    return values / length if length else values
