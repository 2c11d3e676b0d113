"""L-BFGS: steps along the inverse Hessian that the last gradients suggest."""

from __future__ import annotations

import numpy as np

from .. import autograd
from .._creation import from_numpy
from ._optimizer import Optimizer, at_least_zero, check_writable, memory, one_number

_KEPT = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


class LBFGS(Optimizer):
    """L-BFGS, with a closure that computes the loss and its gradients again.

    Nocedal and Wright, Numerical optimization, 2006, algorithms 7.4 and 7.5; the line search: algorithms 3.5 and 3.6.
    There is one group of parameters.

    Parameters
    ----------
    params : iterable
        Tensors, or pairs of names and Tensors.
    lr : float or Tensor
        The length of a step, or the first one that the line search tries.
    max_iter : int
        Iterations in one `step`.
    max_eval : int, optional
        Calls of the closure in one `step`: five for each four iterations unless said otherwise.
    tolerance_grad : float
        Stop where no part of the gradient is larger.
    tolerance_change : float
        Stop where neither parameters nor the loss change more.
    history_size : int
        Gradients remembered.
    line_search_fn : {None, "strong_wolfe"}
        None: go the whole step.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = fg.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 1.0) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    29.0
    >>> x.detach().numpy().round(6)
    array([1., 1.])
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
        line_search_fn=None,
    ):  # fmt: skip
        at_least_zero(lr=one_number("lr", lr))
        if line_search_fn not in (None, "strong_wolfe"):
            raise ValueError(f'line_search_fn must be None or "strong_wolfe", not {line_search_fn!r}')
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        })  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self):
        return self.param_groups[0]["params"]

    def _gradient(self):
        """The gradients of all parameters in one vector."""
        parts = []
        for param in self._params:
            place = param if param.grad is None else param.grad
            part = memory(place).ravel()
            parts.append(np.zeros_like(part) if param.grad is None else part)
        return np.concatenate(parts)

    def _add(self, length, direction):
        """Move all parameters along a direction."""
        offset = 0
        for param in self._params:
            array = memory(param)
            part = direction[offset : offset + array.size].reshape(array.shape)
            array += (length * part).astype(array.dtype, copy=False)
            autograd.graph.increment_version(param)
            offset += array.size

    def _evaluate(self, closure, start, length, direction):
        """Loss and gradient at a place along the direction. The parameters stay where they are."""
        self._add(length, direction)
        try:
            loss = float(closure())
            return loss, self._gradient()
        finally:
            for param, before in zip(self._params, start):
                memory(param)[...] = before
                autograd.graph.increment_version(param)

    def step(self, closure):
        """Iterate until nothing changes, at most `max_iter` times.

        Parameters
        ----------
        closure : callable
            Clears the gradients, computes the loss and calls its `backward`; gives the loss.

        Returns
        -------
        What the closure gave first.
        """
        with np.errstate(all="ignore"), autograd.no_grad():
            return self._step(autograd.enable_grad()(closure))

    def _step(self, closure):
        group = self.param_groups[0]
        lr = float(group["lr"])
        check_writable(self._params)
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first_loss = closure()
        loss, gradient = float(first_loss), self._gradient()
        evaluations = 1
        state["func_evals"] += 1
        flat = np.abs(gradient).max(initial=0.0) <= group["tolerance_grad"]
        if flat:
            return first_loss

        d, t, dirs, steps, ro, scale, last_gradient, last_loss = (_arrays(state.get(name)) for name in _KEPT)
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                d, dirs, steps, ro, scale = -gradient, [], [], [], 1
            else:
                scale = _remember(gradient - last_gradient, d * t, dirs, steps, ro, scale, group["history_size"])
                d = _direction(gradient, dirs, steps, ro, scale)
            last_gradient, last_loss = gradient.copy(), loss
            t = min(1.0, 1.0 / np.abs(gradient).sum()) * lr if state["n_iter"] == 1 else lr
            slope = gradient.dot(d)
            if slope > -group["tolerance_change"]:
                break

            if group["line_search_fn"] is not None:
                start = [memory(param).copy() for param in self._params]
                loss, gradient, t, calls = _strong_wolfe(
                    lambda length: self._evaluate(closure, start, length, d), t, d, loss, gradient, slope,  # noqa: B023
                    most=group["max_eval"] - evaluations,
                )  # fmt: skip
                self._add(t, d)
                flat = np.abs(gradient).max() <= group["tolerance_grad"]
            else:
                self._add(t, d)
                calls = 0
                if iteration != group["max_iter"]:
                    loss, gradient = float(closure()), self._gradient()
                    flat = np.abs(gradient).max() <= group["tolerance_grad"]
                    calls = 1
            evaluations += calls
            state["func_evals"] += calls
            if (
                evaluations >= group["max_eval"]
                or flat
                or np.abs(d * t).max() <= group["tolerance_change"]
                or abs(loss - last_loss) < group["tolerance_change"]
            ):
                break
        for name, value in zip(_KEPT, (d, t, dirs, steps, ro, scale, last_gradient, last_loss)):
            state[name] = _tensors(value)
        return first_loss


def _arrays(value):
    if isinstance(value, list):
        return [_arrays(item) for item in value]
    return value.numpy() if hasattr(value, "numpy") else value


def _tensors(value):
    if isinstance(value, list):
        return [_tensors(item) for item in value]
    return from_numpy(value) if isinstance(value, np.ndarray) else value


def _remember(y, s, dirs, steps, ro, scale, most):
    """Remember a change of the gradient and the step that made it. Gives the scale of the inverse Hessian."""
    ys = y.dot(s)
    if ys <= 1e-10:
        return scale
    if len(dirs) == most:
        for memories in (dirs, steps, ro):
            del memories[0]
    dirs.append(y)
    steps.append(s)
    ro.append(1.0 / ys)
    return ys / y.dot(y)


def _direction(gradient, dirs, steps, ro, scale):
    """Minus the inverse Hessian times the gradient, in two loops over what is remembered."""
    q = -gradient
    along = [0.0] * len(dirs)
    for i in reversed(range(len(dirs))):
        along[i] = steps[i].dot(q) * ro[i]
        q -= along[i] * dirs[i]
    r = q * scale
    for y, s, rho, a in zip(dirs, steps, ro, along):
        r += (a - y.dot(r) * rho) * s
    return r


# ---------------------------------------------------------------- the line search


class _Point:
    """A length tried: the loss there, its gradient, and its slope along the direction."""

    __slots__ = ("gradient", "length", "loss", "slope")

    def __init__(self, length, loss, gradient, slope):
        self.length, self.loss, self.gradient, self.slope = length, loss, gradient, slope


def _strong_wolfe(evaluate, length, direction, loss, gradient, slope, *, most, c1=1e-4, c2=0.9, tolerance=1e-9):
    """A length at which the loss has fallen enough and the slope is shallow: ``(loss, gradient, length, calls)``."""

    def at(t):
        nonlocal calls
        calls += 1
        f, g = evaluate(t)
        return _Point(t, f, g, g.dot(direction))

    def too_high(point):
        return point.loss > loss + c1 * point.length * slope

    calls, tries, found = 0, 0, False
    start = before = _Point(0, loss, gradient, slope)
    here = at(length)
    bracket = None
    while tries < most:
        if too_high(here) or (tries > 1 and here.loss >= before.loss):
            bracket = [before, here]
            break
        if abs(here.slope) <= -c2 * slope:
            bracket, found = [here], True
            break
        if here.slope >= 0:
            bracket = [before, here]
            break
        bounds = (here.length + 0.01 * (here.length - before.length), here.length * 10)
        before, here = here, at(_cubic(before, here, bounds))
        tries += 1
    if bracket is None:
        bracket = [start, here]

    size = np.abs(direction).max()
    stuck = False
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    while not found and tries < most:
        least, largest = sorted(point.length for point in bracket)
        if (largest - least) * size < tolerance:
            break
        t = _cubic(*bracket)
        margin = 0.1 * (largest - least)
        near = min(largest - t, t - least) < margin
        if near and (stuck or t >= largest or t <= least):
            t = largest - margin if abs(t - largest) < abs(t - least) else least + margin
            near = False
        stuck = near
        here = at(t)
        tries += 1
        if too_high(here) or here.loss >= bracket[low].loss:
            bracket[high] = here
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        if abs(here.slope) <= -c2 * slope:
            found = True
        elif here.slope * (bracket[high].length - bracket[low].length) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = here
    best = bracket[low if len(bracket) > 1 else 0]
    return best.loss, best.gradient, best.length, calls


def _cubic(a, b, bounds=None):
    """Where the cubic through two points with their slopes is least, within bounds."""
    if bounds is None:
        bounds = (a.length, b.length) if a.length <= b.length else (b.length, a.length)
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (bounds[0] + bounds[1]) / 2.0
    d2 = square**0.5
    if a.length > b.length:
        a, b = b, a
    t = b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, bounds[0]), bounds[1])
