"""Optimizers that treat each element alike: one pass over a parameter, its gradient and what is kept of it.

Each is an expression in rows, `update(param, grad, *kept, *numbers)`, which gives the new parameter and what is kept
next; numbers that change from step to step are operands, so that it is made into a program once. `differentiable=True`
runs the same expression on Tensors.
"""

from __future__ import annotations

from functools import cache

from .. import autograd
from .._backend import Tensor, backend
from ..ops import TABLE
from ._optimizer import Optimizer, at_least_zero, check_writable, memory, one_number, run_closure, zeros_like

maximum, sqrt, stack = (TABLE[name] for name in ("maximum", "sqrt", "stack"))


class _Pass:
    """An expression in rows, run in place. `name`: of the core's own step that is the same, if it has one."""

    def __init__(self, expression, name=""):
        self.expression = expression
        self.name = name.encode()
        self.in_place = backend.fused(expression)

    def __call__(self, tensors, numbers):
        if not backend.fused_step(self.name, tensors, numbers):
            arrays = [memory(t) for t in tensors]
            self.in_place([*arrays, *numbers], [arrays[0], *arrays[2:]])
            autograd.graph.increment_version(tensors[0])


class ElementwiseOptimizer(Optimizer):
    """An optimizer that says, of each parameter, what is kept and which expression gives the next."""

    def _begin(self, param, state, group):
        """Fill the state of a parameter before its first step."""

    def _next(self, param, state, group):
        """Make the state ready for the coming step; what of it `_rule` depends on."""
        raise NotImplementedError

    def _rule(self, key, group):
        """``(pass, names of what is kept, numbers)`` for parameters whose `_next` gave `key`."""
        raise NotImplementedError

    def _checked(self, kept, param):
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape != param.shape:
                raise ValueError(
                    f"loaded state dict has {name!r} of shape {value.shape} for a parameter of shape {param.shape}"
                )
        return kept

    def step(self, closure=None):
        """Change the parameters that have a gradient once.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and the gradients again; called first, with gradients on.

        Returns
        -------
        What the closure gave, or None.
        """
        loss = run_closure(closure)
        work = [(group, [p for p in group["params"] if p.grad is not None]) for group in self.param_groups]
        check_writable(p for group, params in work if not group["differentiable"] for p in params)
        for group, params in work:
            apply = _tracked if group["differentiable"] else _in_place
            rules = {}
            for param in params:
                state = self.state.get(param) or {}
                if not state:
                    self._begin(param, state, group)
                key = self._next(param, state, group)
                rule = rules.get(key)
                if rule is None:
                    rule = rules[key] = self._rule(key, group)
                apply(param, state, *rule)
                if state:
                    self.state[param] = state
        return loss


def _in_place(param, state, rule, kept, numbers):
    rule([param, param.grad, *(state[name] for name in kept)], numbers)


def _tracked(param, state, rule, kept, numbers):
    """The step as recorded operations: it leads from the parameter back to the gradient, and to options of Tensors."""
    with autograd.enable_grad():
        complex_ = param.dtype.kind == "c"
        values = [_pairs(t) if complex_ else t for t in (param.clone(), param.grad, *(state[name] for name in kept))]
        new = [_joined(t) if complex_ else t for t in rule.expression(*values, *numbers)]
        param.copy_(new[0])
        state.update(zip(kept, new[1:]))


def _pairs(z):
    return stack([z.real, z.imag], axis=-1)


def _joined(x):
    return x[..., 0] + 1j * x[..., 1]


def _of(group, name):
    """An option as a number; in a differentiable step as it is, which may be a Tensor."""
    value = group[name]
    if group["differentiable"]:
        return value
    return value.item() if isinstance(value, Tensor) else float(value)


# ---------------------------------------------------------------- SGD


@cache
def _sgd(maximize, decays, buffer, nesterov):
    """`buffer`: None without momentum, "first" or "next"."""

    def update(p, g, *rest):
        kept, (lr, decay, momentum, undamped) = rest[:-4], rest[-4:]
        if maximize:
            g = -g
        if decays:
            g = g + decay * p
        if buffer is None:
            return (p - lr * g,)
        b = g if buffer == "first" else kept[0] * momentum + undamped * g
        return p - lr * (g + momentum * b if nesterov else b), b

    own = "sgd" + "_decay" * decays + "_momentum" * (buffer == "next")
    return _Pass(update, "" if maximize or nesterov or buffer == "first" else own)


class SGD(ElementwiseOptimizer):
    """Stochastic gradient descent, with momentum if asked.

    Parameters
    ----------
    params : iterable
        Tensors, pairs of names and Tensors, or dicts of groups with options of their own.
    lr : float or Tensor
        The learning rate.
    momentum, dampening : float
        Each step follows ``momentum * the last step's direction + (1 - dampening) * gradient``.
    weight_decay : float
        How much of the parameter is added to the gradient.
    nesterov : bool
        Look ahead by one step of the momentum.
    maximize : bool
        Climb instead.
    differentiable : bool
        Record the step: gradients pass through it, back to options that are Tensors too.
    foreach, fused : bool, optional
        Taken for PyTorch's sake: each step is one fused pass over each parameter in any case.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = fg.optim.SGD([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0.8, 1.6], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False,
        foreach=None, differentiable=False, fused=None,
    ):  # fmt: skip
        at_least_zero(lr=one_number("lr", lr), momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def _next(self, param, state, group):
        if group["momentum"] == 0:
            return None
        if state.get("momentum_buffer") is not None:
            return "next"
        state["momentum_buffer"] = zeros_like(param)
        return "first"

    def _rule(self, key, group):
        decay, kept = _of(group, "weight_decay"), () if key is None else ("momentum_buffer",)
        rule = _sgd(bool(group["maximize"]), bool(decay != 0), key, bool(group["nesterov"]))
        return rule, kept, (_of(group, "lr"), decay, _of(group, "momentum"), 1 - _of(group, "dampening"))


# ---------------------------------------------------------------- Adam


@cache
def _adam(maximize, decays, decoupled, slow, amsgrad):
    """`slow`: the mean moves less than half the way to the gradient; for each case there is a better rounded form."""

    def update(p, g, m, v, *rest):
        top, (step, decay, mix, keep, fresh, eps) = rest[:-6], rest[-6:]
        if maximize:
            g = -g
        if decays:
            p, g = (p * decay, g) if decoupled else (p, g + decay * p)
        m = m + mix * (g - m) if slow else g - (g - m) * (1 - mix)
        v = v * keep + fresh * g * g
        if amsgrad:
            top = (maximum(top[0], v),)
        return p - step * m / (sqrt(top[0] if amsgrad else v) + eps), m, v, *top

    own = "adam" if not decays else "adamw" if decoupled else "adam_decay"
    return _Pass(update, own if slow and not (amsgrad or maximize) else "")


class Adam(ElementwiseOptimizer):
    """Adam: steps along a running mean of gradients, over the root of a running mean of their squares.

    Kingma and Ba, Adam: a method for stochastic optimization, arXiv:1412.6980, 2014, algorithm 1; `amsgrad`: Reddi,
    Kale and Kumar, On the convergence of Adam and beyond, arXiv:1904.09237, 2018, algorithm 2.

    Parameters
    ----------
    params : iterable
        Tensors, pairs of names and Tensors, or dicts of groups with options of their own.
    lr : float or Tensor
        The learning rate.
    betas : (float, float)
        How much of the running means of gradients and of squares is kept in a step.
    eps : float
        Added to the root.
    weight_decay : float
        How much of the parameter is added to the gradient.
    amsgrad : bool
        Divide by the largest mean of squares so far.
    maximize : bool
        Climb instead.
    differentiable : bool
        Record the step: gradients pass through it, back to options that are Tensors too.
    decoupled_weight_decay : bool
        Shrink the parameter itself instead, as `AdamW` does.
    foreach, capturable, fused : bool, optional
        Taken for PyTorch's sake: each step is one fused pass over each parameter in any case.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = fg.optim.Adam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0.9, 1.9], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None,
        maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False,
    ):  # fmt: skip
        at_least_zero(lr=one_number("lr", lr), eps=eps, weight_decay=weight_decay)
        for index, beta in enumerate(betas):
            if not 0.0 <= one_number(f"betas[{index}]", beta) < 1.0:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
        super().__init__(params, {
            "lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable, "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        })  # fmt: skip

    def _begin(self, param, state, group):
        state.update(step=0, exp_avg=zeros_like(param), exp_avg_sq=zeros_like(param))

    def _next(self, param, state, group):
        state["step"] += 1
        if group["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = zeros_like(param)
        return state["step"]

    def _rule(self, step, group):
        lr, decay, decoupled = _of(group, "lr"), _of(group, "weight_decay"), bool(group["decoupled_weight_decay"])
        beta1, beta2 = group["betas"] if group["differentiable"] else map(float, group["betas"])
        decays, amsgrad = bool(decay != 0), bool(group["amsgrad"])
        rule = _adam(bool(group["maximize"]), decays, decoupled, bool(1 - beta1 < 0.5), amsgrad)
        scale = (1 - beta2**step) ** 0.5  # of the root; what is divided by it and what divides are taken times it
        stride = lr / (1 - beta1**step) * scale
        decay = 1 - lr * decay if decoupled else decay
        kept = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if amsgrad else ("exp_avg", "exp_avg_sq")
        return rule, kept, (stride, decay, 1 - beta1, beta2, 1 - beta2, _of(group, "eps") * scale)


class AdamW(Adam):
    """Adam with weight decay that shrinks the parameter itself, in the place of adding to the gradient.

    Loshchilov and Hutter, Decoupled weight decay regularization, arXiv:1711.05101, 2017, algorithm 2. The parameters
    are `Adam`'s, but `weight_decay` is 0.01 unless said otherwise.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = fg.optim.AdamW([x], lr=0.1, weight_decay=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0.85, 1.8 ], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
        foreach=None, capturable=False, differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:  # whatever was saved: this is AdamW
            group["decoupled_weight_decay"] = True


# ---------------------------------------------------------------- RMSprop


@cache
def _rmsprop(maximize, decays, centered, slow, momentum):
    def update(p, g, v, *rest):
        kept, (lr, decay, keep, fresh, eps, inertia) = list(rest[:-6]), rest[-6:]
        if maximize:
            g = -g
        if decays:
            g = g + decay * p
        v = v * keep + fresh * g * g
        new = [v]
        if centered:
            m = kept.pop(0)
            m = m + fresh * (g - m) if slow else g - (g - m) * (1 - fresh)
            new.append(m)
        root = sqrt(v - m * m if centered else v) + eps
        if not momentum:
            return p - lr * g / root, *new
        b = kept.pop(0) * inertia + g / root
        return p - lr * b, *new, b

    return _Pass(update)


class RMSprop(ElementwiseOptimizer):
    """RMSprop: gradients over the root of a running mean of their squares.

    G. Hinton, Neural networks for machine learning, lecture 6e, 2012; `centered`: A. Graves, Generating sequences with
    recurrent neural networks, arXiv:1308.0850, 2013, equations 38 to 45.

    Parameters
    ----------
    params : iterable
        Tensors, pairs of names and Tensors, or dicts of groups with options of their own.
    lr : float or Tensor
        The learning rate.
    alpha : float
        How much of the running mean is kept in a step.
    eps : float
        Added to the root.
    weight_decay : float
        How much of the parameter is added to the gradient.
    momentum : float
        How much of the last step is taken again.
    centered : bool
        Divide by the deviation: the mean of the squares less the square of the mean.
    maximize : bool
        Climb instead.
    differentiable : bool
        Record the step: gradients pass through it, back to options that are Tensors too.
    capturable, foreach : bool, optional
        Taken for PyTorch's sake: each step is one fused pass over each parameter in any case.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = fg.optim.RMSprop([x], lr=0.1, alpha=0.75)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0.8, 1.8], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False,
        foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        at_least_zero(
            lr=one_number("lr", lr), eps=eps, momentum=momentum,
            weight_decay=weight_decay, alpha=alpha,
        )  # fmt: skip
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        })  # fmt: skip

    def _begin(self, param, state, group):
        state.update(step=0, square_avg=zeros_like(param))
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(param)
        if group["centered"]:
            state["grad_avg"] = zeros_like(param)

    def _kept(self, group):
        kept = ("square_avg", "grad_avg") if group["centered"] else ("square_avg",)
        return (*kept, "momentum_buffer") if _of(group, "momentum") > 0 else kept

    def _next(self, param, state, group):
        state["step"] += 1
        for name in self._kept(group):  # options may have changed since the first step
            if name not in state:
                state[name] = zeros_like(param)

    def _rule(self, key, group):
        alpha, decay, momentum = _of(group, "alpha"), _of(group, "weight_decay"), _of(group, "momentum")
        rule = _rmsprop(
            bool(group["maximize"]),
            bool(decay != 0),
            bool(group["centered"]),
            bool(1 - alpha < 0.5),
            bool(momentum > 0),
        )
        return rule, self._kept(group), (_of(group, "lr"), decay, alpha, 1 - alpha, _of(group, "eps"), momentum)


# ---------------------------------------------------------------- Adagrad


@cache
def _adagrad(maximize, decays):
    def update(p, g, s, lr, decay, eps):
        if maximize:
            g = -g
        if decays:
            g = g + decay * p
        s = s + g * g
        return p - lr * g / (sqrt(s) + eps), s

    return _Pass(update)


class Adagrad(ElementwiseOptimizer):
    """Adagrad: gradients over the root of the sum of their squares so far.

    Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, Journal of
    Machine Learning Research 12, 2011, figure 1 with diagonal matrices.

    Parameters
    ----------
    params : iterable
        Tensors, pairs of names and Tensors, or dicts of groups with options of their own.
    lr : float or Tensor
        The learning rate.
    lr_decay : float
        The rate falls as ``lr / (1 + steps * lr_decay)``.
    weight_decay : float
        How much of the parameter is added to the gradient.
    initial_accumulator_value : float
        What the sum of squares begins with.
    eps : float
        Added to the root.
    maximize : bool
        Climb instead.
    differentiable : bool
        Record the step: gradients pass through it, back to options that are Tensors too.
    foreach, fused : bool, optional
        Taken for PyTorch's sake: each step is one fused pass over each parameter in any case.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = fg.optim.Adagrad([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0.9, 1.9], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
        maximize=False, differentiable=False, fused=None,
    ):  # fmt: skip
        at_least_zero(
            lr=one_number("lr", lr), lr_decay=lr_decay, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, eps=eps,
        )  # fmt: skip
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for param in group["params"]:  # as PyTorch, which has the sums from the start
            self._begin(param, self.state[param], group)

    def _begin(self, param, state, group):
        state.update(step=0, sum=zeros_like(param, group["initial_accumulator_value"]))

    def _next(self, param, state, group):
        state["step"] += 1
        return state["step"]

    def _rule(self, step, group):
        decay = _of(group, "weight_decay")
        lr = _of(group, "lr") / (1 + (step - 1) * _of(group, "lr_decay"))
        return _adagrad(bool(group["maximize"]), bool(decay != 0)), ("sum",), (lr, decay, _of(group, "eps"))
