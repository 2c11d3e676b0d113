"""Optimizer: parameters in groups, what is kept of each between steps, and how both are saved."""

from __future__ import annotations

import warnings
from collections import defaultdict
from copy import deepcopy
from functools import wraps

import numpy as np

from .. import _errors
from .._backend import Tensor
from .._creation import from_numpy
from .._creation import tensor as _tensor
from .._methods import Handle
from ..autograd import enable_grad, is_inference_mode_enabled

_HOOKS = (
    "_step_pre_hooks", "_step_post_hooks", "_state_dict_pre_hooks", "_state_dict_post_hooks",
    "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip


def _hooked(step):
    """A `step` that calls the hooks around it."""

    @wraps(step)
    def with_hooks(self, *args, **kwargs):
        for hook in tuple(self._step_pre_hooks.values()):
            changed = hook(self, args, kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(f"a hook before step gives None or (args, kwargs), not {changed!r}")
            args, kwargs = changed
        result = step(self, *args, **kwargs)
        for hook in tuple(self._step_post_hooks.values()):
            hook(self, args, kwargs)
        self._opt_called = True
        return result

    with_hooks.hooked = True
    return with_hooks


class Optimizer:
    """What every optimizer is: derive from it, and write `step`.

    Parameters
    ----------
    params : iterable
        Tensors, or pairs of a name and a Tensor (``model.named_parameters()``), or dicts: each a group of parameters
        (``"params"``) with options of its own.
    defaults : dict
        The options, and their values for groups that do not say otherwise.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not getattr(step, "hooked", False):
            cls.step = _hooked(step)

    def __init__(self, params, defaults):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor"
            )
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._opt_called = False
        for name in _HOOKS:
            setattr(self, name, {})
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group):
        """Add a group of parameters: a dict with ``"params"`` and any options that are to differ from the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, not {type(param_group).__name__}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError("parameters in a set have no order that the next run would repeat: use a list")
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [pair[0] for pair in params if isinstance(pair, tuple)]
        if names and len(names) != len(params):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        if names:
            params = [pair[1] for pair in params]
            group["param_names"] = names
        for param in params:
            self._check_parameter(param)
        if any(("param_names" in group) != ("param_names" in other) for other in self.param_groups):
            this = "with names" if "param_names" in group else "without names"
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {this} to the optimizer"
            )
        if len({id(p) for p in params}) != len(params):
            warnings.warn("optimizer contains a parameter group with duplicate parameters", stacklevel=3)
        taken = {id(p) for other in self.param_groups for p in other["params"]}
        if not taken.isdisjoint(id(p) for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        group["params"] = params
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.param_groups.append(group)

    def _check_parameter(self, param):
        if not isinstance(param, Tensor):
            raise TypeError(f"an optimizer can only optimize Tensors, but got {type(param).__name__}")
        if not (self.defaults.get("differentiable") or param.is_leaf or param.retains_grad):
            raise ValueError("can't optimize a non-leaf Tensor")

    def step(self, closure=None):
        """Change the parameters once."""
        raise NotImplementedError

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters.

        Parameters
        ----------
        set_to_none : bool
            False: make them zero, in their own memory.
        """
        for group in self.param_groups:
            for param in group["params"]:
                forget_gradient(param, set_to_none)

    # ---------------------------------------------------------------- saving

    def state_dict(self):
        """The options and all that is kept between steps, with numbers in the place of parameters.

        It is PyTorch's format: ``{"state": {0: {...}}, "param_groups": [{"lr": 0.1, ..., "params": [0]}]}``.
        """
        for hook in tuple(self._state_dict_pre_hooks.values()):
            hook(self)
        numbers = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                numbers.setdefault(id(param), len(numbers))
            packed = {key: value for key, value in group.items() if key != "params"}
            groups.append({**packed, "params": [numbers[id(param)] for param in group["params"]]})
        state = {
            numbers.get(id(key), key) if isinstance(key, Tensor) else key: value for key, value in self.state.items()
        }
        result = {"state": state, "param_groups": groups}
        for hook in tuple(self._state_dict_post_hooks.values()):
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict):
        """Take over options and state: a copy of them, each array in the dtype of its parameter.

        Arrays may be Tensors, ndarrays, or whatever else NumPy knows as an array.
        """
        state_dict = dict(state_dict)
        for hook in tuple(self._load_state_dict_pre_hooks.values()):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saved = deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(new["params"]) != len(old["params"]) for new, old in zip(saved, self.param_groups)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        params = {}
        for new, old in zip(saved, self.param_groups):
            params.update(zip(new["params"], old["params"]))
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = self._checked(_loaded(value, params[key]), params[key])
            else:
                state[key] = value
        for new, old in zip(saved, self.param_groups):
            new["params"] = old["params"]
            if "param_names" in old:
                new.setdefault("param_names", old["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in tuple(self._load_state_dict_post_hooks.values()):
            hook(self)

    def _checked(self, kept, param):
        """What is to be kept of a parameter from now on, where it can be."""
        return kept

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.__dict__.setdefault("_opt_called", False)
        for name in _HOOKS:
            self.__dict__.setdefault(name, {})
        for group in self.param_groups:  # saved by an older version, which had fewer options
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    # ---------------------------------------------------------------- hooks

    def register_step_pre_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may give other ``(args, kwargs)``."""
        return Handle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return Handle(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call ``hook(optimizer)`` before each `state_dict`; `prepend`: before the hooks that are there."""
        return _register(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call ``hook(optimizer, state_dict)`` after each `state_dict`; it may give another one."""
        return _register(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call ``hook(optimizer, state_dict)`` before each `load_state_dict`; it may give another state dict."""
        return _register(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call ``hook(optimizer)`` after each `load_state_dict`."""
        return _register(self._load_state_dict_post_hooks, hook, prepend)

    def __repr__(self):
        groups = []
        for number, group in enumerate(self.param_groups):
            options = "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
            groups.append(f"\nParameter Group {number}\n{options}")
        return f"{type(self).__name__} ({''.join(groups)})"


def forget_gradient(param, set_to_none=True):
    """No gradient any more; or zeros, in the memory of the one there was."""
    if param.grad is None:
        return
    if set_to_none:
        param.grad = None
    else:
        if param.grad.grad_fn is not None:
            param.grad = param.grad.detach()
        else:
            param.grad.requires_grad_(False)
        param.grad.zero_()


def _register(hooks, hook, prepend):
    before = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    handle = Handle(hooks, hook)
    hooks.update(before)
    return handle


def _loaded(value, param):
    """A copy of what was kept, arrays in the dtype of `param`."""
    if isinstance(value, dict):
        return {key: _number(item) if key == "step" else _loaded(item, param) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_loaded(item, param) for item in value)
    if isinstance(value, Tensor):
        value = value.detach()
    if not isinstance(value, (Tensor, np.ndarray)) and not hasattr(value, "__array__"):
        return deepcopy(value)
    return _tensor(np.asarray(value), dtype=param.dtype)


def _number(steps):
    """A count of steps, which PyTorch keeps as a Tensor."""
    return steps if type(steps) is int else int(float(steps))


# ---------------------------------------------------------------- what steps are made of


def run_closure(closure):
    """The loss, computed again with gradients on; None without a closure."""
    if closure is None:
        return None
    with enable_grad():
        return closure()


def one_number(name, value):
    """`value`, which must be one number or a Tensor of one element."""
    if isinstance(value, Tensor) and value.size != 1:
        raise ValueError(f"Tensor {name} must be 1-element")
    return value


_CALLED = {"lr": "learning rate", "eps": "epsilon value"}


def at_least_zero(**options):
    """Check options of which none may be negative."""
    for name, value in options.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {_CALLED.get(name, f'{name} value')}: {value}")


def check_writable(params):
    """Raise, before anything is changed, where a parameter may not be written."""
    for param in params:
        if param.is_inference() and not is_inference_mode_enabled():
            raise _errors.write_inference("optimizer.step")
        if not param.detach().numpy().flags.writeable:
            raise ValueError("assignment destination is read-only: a parameter in memory that may not be written")


def memory(tensor):
    """The memory of a Tensor as an ndarray of real numbers: complex ones are pairs along one axis more."""
    array = tensor.detach().numpy()
    if array.dtype.kind != "c":
        return array
    part = array.real
    strides = (*array.strides, part.itemsize)
    return np.lib.stride_tricks.as_strided(part, (*array.shape, 2), strides, writeable=array.flags.writeable)


def zeros_like(tensor, value=0.0):
    """A Tensor of zeros, or another value in both parts, of the shape and dtype of another, in memory of its own."""
    made = from_numpy(np.zeros(tensor.shape, tensor.dtype))
    if value:
        memory(made)[...] = value
    return made
