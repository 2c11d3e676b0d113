"""LRScheduler, and what all schedulers share."""

from __future__ import annotations

import math
import warnings

from ..._backend import Tensor
from ...autograd import no_grad
from .._optimizer import Optimizer


def copies(groups, key):
    return [group[key].clone() if isinstance(group[key], Tensor) else group[key] for group in groups]


def write(group, key, value):
    """Set an option; one that is a Tensor stays the same Tensor."""
    if isinstance(group[key], Tensor):
        with no_grad():
            group[key].fill_(float(value))
    else:
        group[key] = value


def for_each_group(name, optimizer, value):
    groups = optimizer.param_groups
    if not isinstance(value, (list, tuple)):
        return [value] * len(groups)
    if len(value) != len(groups):
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {len(groups)}."
        )
    return list(value)


def check_optimizer(optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


EPOCH = (
    "the epoch parameter in scheduler.step() is deprecated: call scheduler.step() once for each epoch. "
    "With it the closed form is used, where there is one."
)
_ORDER = (
    "lr_scheduler.step() was called before optimizer.step(): call them in the opposite order, "
    "or the first learning rate of the schedule is skipped"
)


class LRScheduler:
    """What every scheduler is: derive from it, and write `get_lr`.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        The step to go on after; -1 begins.
    """

    _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copies([group], "lr")[0])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{number}] when resuming a scheduler: "
                    "load the optimizer's state first"
                )
        self.base_lrs = copies(optimizer.param_groups, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self):
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self):
        """The learning rates now, one for each group."""
        return self._last_lr

    def get_lr(self):
        """The learning rates of step `last_epoch`."""
        raise NotImplementedError

    def step(self, epoch=None):
        """Go on to the next learning rates. Call it after the optimizer's `step`."""
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(_ORDER, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = getattr(self, "_get_closed_form_lr", None)
        self._set(self.get_lr() if epoch is None or closed is None else closed())

    def _set(self, rates):
        for group, rate in zip(self.optimizer.param_groups, rates):
            write(group, "lr", rate)
        self._last_lr = self._rates()

    def _rates(self, factor=None):
        """The learning rates as they are, or times a factor."""
        rates = copies(self.optimizer.param_groups, "lr")
        return rates if factor is None else [rate * factor for rate in rates]

    def state_dict(self):
        """All that is needed to go on later."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Go on from what `state_dict` gave."""
        self.__dict__.update(state_dict)


def cosine(rates, low, share):
    return [low + (rate - low) * (1 + math.cos(math.pi * share)) / 2 for rate in rates]
