"""Schedulers that go up and down again."""

from __future__ import annotations

import math
import types

from ._base import LRScheduler, check_optimizer, cosine, for_each_group, write


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from the first rate to `eta_min`, again and again: `T_0` steps, then `T_mult` times as many.

    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983, 2016, equation 5.

    Parameters
    ----------
    optimizer : Optimizer
    T_0, T_mult : int
    eta_min : float
    last_epoch : int
        The step to go on after; -1 begins.
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min, self.T_cur = T_mult, eta_min, last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return cosine(self.base_lrs, self.eta_min, self.T_cur / self.T_i)

    def step(self, epoch=None):
        """Go on to the next learning rates, or to those of `epoch`, which may have a fraction."""
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = 0 if epoch is None else epoch
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            times = 0
            if epoch >= self.T_0 and self.T_mult > 1:
                times = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
                self.T_cur = epoch - self.T_0 * (self.T_mult**times - 1) / (self.T_mult - 1)
            else:
                self.T_cur = epoch % self.T_0 if epoch >= self.T_0 else epoch
            self.T_i = self.T_0 * self.T_mult**times
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())


class _Cycles(LRScheduler):
    """What is common to those that move the momentum against the rate."""

    def _begin_momentum(self, base_momentum, max_momentum, last_epoch):
        groups, defaults = self.optimizer.param_groups, self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in defaults
        self.base_momentums = for_each_group("base_momentum", self.optimizer, base_momentum)
        self.max_momentums = for_each_group("max_momentum", self.optimizer, max_momentum)
        if last_epoch == -1:
            for group, low, high in zip(groups, self.base_momentums, self.max_momentums):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low

    def _set_momentum(self, group, momentum):
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_Cycles):
    """Up from `base_lr` to `max_lr` and down again, in straight lines; the momentum the other way.

    L. N. Smith, Cyclical learning rates for training neural networks, arXiv:1506.01186, 2015.

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float or list of float
    step_size_up, step_size_down : int
        Steps of the way up and of the way down (as many as up).
    mode : {"triangular", "triangular2", "exp_range"}
        Cycles of one height; each of half the last one's; or of height ``gamma ** step``.
    gamma : float
    scale_fn : callable, optional
        The height of a cycle in the place of `mode`: of its number, or, `scale_mode` being "iterations", of the step.
    scale_mode : {"cycle", "iterations"}
    cycle_momentum : bool
    base_momentum, max_momentum : float or list of float
    last_epoch : int
        The step to go on after; -1 begins.
    """

    def __init__(
        self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0,
        scale_fn=None, scale_mode="cycle", cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, last_epoch=-1,
    ):  # fmt: skip
        check_optimizer(optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.optimizer = optimizer
        base_lrs = for_each_group("base_lr", optimizer, base_lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        self.total_size = float(step_size_up) + float(step_size_up if step_size_down is None else step_size_down)
        self.step_ratio = float(step_size_up) / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode, self.cycle_momentum = scale_mode, cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs):
                write(group, "lr", rate)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x):
        """The height of cycle `x`, or at step `x`."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return {"triangular": 1.0, "triangular2": 1 / 2.0 ** (x - 1)}.get(self.mode) or self.gamma**x

    def get_lr(self):
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                self._set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs)]

    def state_dict(self):
        function = self._scale_fn_custom
        held = None if function is None or isinstance(function, types.FunctionType) else function.__dict__.copy()
        return {**super().state_dict(), "_scale_fn_custom": held}

    def load_state_dict(self, state_dict):
        held = state_dict["_scale_fn_custom"]
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_scale_fn_custom"})
        if held is not None:
            self._scale_fn_custom.__dict__.update(held)


class OneCycleLR(_Cycles):
    """Up to `max_lr` and down to almost nothing, in one cycle; the momentum the other way.

    Smith and Topin, Super-convergence: very fast training of neural networks using large learning rates,
    arXiv:1708.07120, 2017.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float or list of float
    total_steps : int, optional
        Steps in all; or else `epochs` times `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
    pct_start : float
        The share of the steps that goes up.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum : bool
    base_momentum, max_momentum : float or list of float
    div_factor : float
        The first rate is ``max_lr / div_factor``.
    final_div_factor : float
        The last is the first over this.
    three_phase : bool
        Down to the first rate as fast as up, and to the last one from there.
    last_epoch : int
        The step to go on after; -1 begins.
    """

    def __init__(
        self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3,
        anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0,
        final_div_factor=1e4, three_phase=False, last_epoch=-1,
    ):  # fmt: skip
        check_optimizer(optimizer)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        counts = {"total_steps": total_steps}
        if total_steps is None:
            counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        for name, count in counts.items():
            if not isinstance(count, int) or count <= 0:
                raise ValueError(f"Expected positive integer {name}, but got {count}")
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.optimizer = optimizer
        self.total_steps = total_steps = math.prod(counts.values())
        up = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
        if three_phase:
            self._phases = [
                (pct_start * total_steps - 1, *up),
                (2 * pct_start * total_steps - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            down = ("max_lr", "min_lr", "base_momentum", "max_momentum")
            self._phases = [(pct_start * total_steps - 1, *up), (total_steps - 1, *down)]
        self._anneal_func_type, self.cycle_momentum = anneal_strategy, cycle_momentum
        max_lrs = for_each_group("max_lr", optimizer, max_lr)
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, max_lrs):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def _between(self, start, end, share):
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self):
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(f"Tried to step {step} times. The specified number of total steps is {self.total_steps}")
        begun = 0
        for phase in self._phases[:-1]:
            if step <= phase[0]:
                break
            begun = phase[0]
        else:
            phase = self._phases[-1]
        end, *names = phase
        share = (step - begun) / (end - begun)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[names[0]], group[names[1]], share))
            if self.cycle_momentum:
                self._set_momentum(group, self._between(group[names[2]], group[names[3]], share))
        return rates
