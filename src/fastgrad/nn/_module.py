"""Module: parameters, buffers and modules within a module, by the names of its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index as as_index
from reprlib import recursive_repr
from typing import NamedTuple

import numpy as np

from .._backend import Tensor
from .._creation import tensor as _tensor
from .._methods import Handle
from ..autograd import no_grad


def Parameter(data, requires_grad=True, *, dtype=None):
    """A Tensor of its own memory that requires grad: as an attribute of a `Module`, one of its parameters.

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.nn.Parameter([1.0, 2.0])
    tensor([1., 2.], requires_grad=True)
    """
    data = data.detach() if isinstance(data, Tensor) else data
    return _tensor(data, dtype=dtype, requires_grad=requires_grad)


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` did not find, and what it had no use for."""

    missing_keys: list
    unexpected_keys: list


def _unfit(name, value, place):
    """What speaks against writing a value into a parameter or buffer."""
    if value.dtype.kind not in "biufc":
        return [f"{name}: expected an array of numbers, got one of dtype {value.dtype}."]
    if value.shape != place.shape:
        return [
            f"size mismatch for {name}: copying a parameter with shape {value.shape} from "
            f"checkpoint, the shape in current model is {place.shape}."
        ]
    if value.dtype.kind == "c" != place.dtype.kind:
        return [f"{name}: complex values ({value.dtype}) do not go into {place.dtype}."]
    return []


def _kind(value):
    if isinstance(value, Tensor):
        return "a Tensor that an operation made" if not value.is_leaf else "a Tensor that requires no grad"
    return f"a value of type {type(value).__name__}"


class Module:
    """A function with parameters: derive from it, set parameters and modules as attributes, and write `forward`.

    An attribute is a parameter if it is a Tensor that requires grad and no operation made it.

    Examples
    --------
    >>> import fastgrad as fg
    >>> class Line(fg.nn.Module):
    ...     def __init__(self):
    ...         self.slope = fg.nn.Parameter(2.0)
    ...         self.shift = fg.nn.Parameter(1.0)
    ...
    ...     def forward(self, x):
    ...         return self.slope * x + self.shift
    >>> model = Line()
    >>> model(3.0).item()
    7.0
    >>> [name for name, _ in model.named_parameters()]
    ['slope', 'shift']
    """

    training = True

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _passing=set(), _before={}, _after={})
        return self

    def forward(self, *args, **kwargs):
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args, **kwargs):
        if not self._before and not self._after:
            return self.forward(*args, **kwargs)
        for hook, with_kwargs in tuple(self._before.values()):
            found = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if with_kwargs and found is not None:
                args, kwargs = found
            elif found is not None:
                args = found if isinstance(found, tuple) else (found,)
        result = self.forward(*args, **kwargs)
        for hook, with_kwargs in tuple(self._after.values()):
            found = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            result = result if found is None else found
        return result

    def register_forward_pre_hook(self, hook, *, with_kwargs=False):
        """Call ``hook(module, args)`` before `forward`; what it returns, unless None, are the arguments.

        Parameters
        ----------
        hook : callable
        with_kwargs : bool
            Call ``hook(module, args, kwargs)``, which returns None or ``(args, kwargs)``.

        Returns
        -------
        handle
            Its `remove()` takes the hook away.
        """
        return Handle(self._before, (hook, with_kwargs))

    def register_forward_hook(self, hook, *, with_kwargs=False):
        """Call ``hook(module, args, result)`` after `forward`; what it returns, unless None, is the result.

        Parameters
        ----------
        hook : callable
        with_kwargs : bool
            Call ``hook(module, args, kwargs, result)``.

        Returns
        -------
        handle
            Its `remove()` takes the hook away.
        """
        return Handle(self._after, (hook, with_kwargs))

    # ---------------------------------------------------------------- attributes

    def __setattr__(self, name, value):
        home = self._home(name, value)
        for place in (self._parameters, self._buffers, self._modules, self.__dict__):
            if place is not home:
                place.pop(name, None)
        if home is not self._buffers:
            self._passing.discard(name)
        if home is None:
            object.__setattr__(self, name, value)
        else:
            home[name] = value

    def _home(self, name, value):
        """Where an attribute goes to; None: it is like those of other objects. What would be lost in silence raises."""
        tensor = isinstance(value, Tensor)
        trained = tensor and value.requires_grad and value.is_leaf
        if name in self._parameters:
            frozen = self._parameters[name] is not None and not self._parameters[name].requires_grad
            if value is None or trained or (tensor and value.is_leaf and frozen):
                return self._parameters
            raise TypeError(
                f"cannot assign {_kind(value)} as parameter {name!r} (fastgrad.nn.Parameter or None expected); "
                "copy_() writes values into a parameter, del takes it away"
            )
        if trained:
            return self._parameters
        if name in self._modules:
            if value is None or isinstance(value, Module):
                return self._modules
            raise TypeError(f"cannot assign {_kind(value)} as child module {name!r} (Module or None expected)")
        if isinstance(value, Module):
            return self._modules
        if name in self._buffers:
            if value is None or hasattr(type(value), "_apply_op"):
                return self._buffers
            raise TypeError(f"cannot assign {_kind(value)} as buffer {name!r} (Tensor or None expected)")
        return None

    def __getattr__(self, name):
        for part in ("_parameters", "_buffers", "_modules"):
            place = self.__dict__.get(part, {})
            if name in place:
                return place[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name):
        for place in (self._parameters, self._buffers, self._modules):
            if name in place:
                del place[name]
                self._passing.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name, param):
        """A parameter under a name; None: there is none, for now."""
        if param is not None and not (isinstance(param, Tensor) and param.is_leaf):
            raise TypeError(f"parameter {name!r} must be a Tensor that no operation made, or None")
        self._new_name(name, self._parameters)
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """A Tensor that is saved, but not trained; `persistent` False: not saved either."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"buffer {name!r} must be a Tensor or None, not {type(tensor).__name__}")
        self._new_name(name, self._buffers)
        self._buffers[name] = tensor
        (self._passing.discard if persistent else self._passing.add)(name)

    def add_module(self, name, module):
        """A module under a name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{name!r} must be a Module or None, not {type(module).__name__}")
        self._new_name(name, self._modules)
        self._modules[name] = module

    register_module = add_module

    def _new_name(self, name, place):
        if not isinstance(name, str):
            raise TypeError(f"a name must be a str, not {type(name).__name__}")
        if "." in name or not name:
            raise KeyError(f"a name can't be empty or contain a dot: {name!r}")
        if hasattr(self, name) and name not in place:
            raise KeyError(f"attribute {name!r} exists already")

    # ---------------------------------------------------------------- what is in it

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """All modules with their names: this one, those in it, and so on; none is visited within itself."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)
        if not remove_duplicate:  # only a module that is within itself is left out
            memo.discard(id(self))

    def modules(self):
        """All modules: this one, those in it, and so on."""
        return (module for _, module in self.named_modules())

    def named_children(self):
        """The modules right in this one, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self):
        """The modules right in this one."""
        return (module for _, module in self.named_children())

    def get_submodule(self, target):
        """The module of a name as `named_modules` gives it."""
        module = self
        for name in target.split(".") if target else ():
            if module._modules.get(name) is None:
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}` that is a Module")
            module = module._modules[name]
        return module

    def get_parameter(self, target):
        """The parameter of a name as `named_parameters` gives it."""
        return self._get("_parameters", "parameter", target)

    def get_buffer(self, target):
        """The buffer of a name as `named_buffers` gives it."""
        return self._get("_buffers", "buffer", target)

    def _get(self, part, what, target):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = getattr(module, part).get(name)
        if found is None:
            raise AttributeError(f"{type(module).__name__} has no {what} `{name}`")
        return found

    def _named(self, part, prefix, recurse, remove_duplicate):
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        seen = set()
        for path, module in modules:
            for name, value in getattr(module, part).items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """The parameters with their names, each once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """The parameters, each once: what an optimizer takes."""
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """The buffers with their names, each once."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    # ---------------------------------------------------------------- modes

    def train(self, mode=True):
        """Behave as in training, with all modules in this one; `mode` False: as `eval`."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Behave as when the training is over: nothing is dropped, and running moments are used."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Whether the parameters require grad."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters."""
        from ..optim._optimizer import forget_gradient

        for param in self.parameters():
            forget_gradient(param, set_to_none)

    def apply(self, fn):
        """Call ``fn(module)`` for all modules, those within first."""

        def visit(module, around):
            for inner in module.children():
                if id(inner) not in around:
                    visit(inner, around | {id(inner)})
            fn(module)

        visit(self, {id(self)})
        return self

    def astype(self, dtype):
        """All floating parameters and buffers in another dtype; optimizers that have them keep them."""
        dtype = np.dtype(dtype)
        if dtype.kind not in "fc":
            raise TypeError(f"a module's dtype is floating or complex, not {dtype}")
        for value in (*self.parameters(), *self.buffers()):
            if value.dtype.kind in "fc":
                grad, value.grad = value.grad, None
                value.data = value.detach().astype(dtype)
                value.grad = None if grad is None else grad.astype(dtype)
        return self

    # ---------------------------------------------------------------- saving

    def state_dict(self, prefix=""):
        """All parameters and buffers by name, sharing their memory."""
        state = {}
        for path, module in self.named_modules(None, prefix.rstrip("."), False):
            for name, value in (*module._parameters.items(), *module._buffers.items()):
                if value is not None and name not in module._passing:
                    state[f"{path}.{name}" if path else name] = value.detach()
        return state

    def load_state_dict(self, state_dict, strict=True):
        """Copy values into parameters and buffers.

        Parameters
        ----------
        state_dict : dict
            By name: Tensors, ndarrays, or whatever else NumPy knows as an array.
        strict : bool
            Whether the names must be those of this module.

        Returns
        -------
        (missing_keys, unexpected_keys)

        Raises
        ------
        RuntimeError
            If names or shapes do not fit, or values are complex where real ones are expected. Then nothing has changed.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        own = self.state_dict()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        errors, values = [], {}
        if strict and unexpected:
            errors.append(f"Unexpected key(s) in state_dict: {', '.join(map(repr, unexpected))}.")
        if strict and missing:
            errors.append(f"Missing key(s) in state_dict: {', '.join(map(repr, missing))}.")
        for name, place in own.items():
            if name in state_dict:
                value = state_dict[name]
                values[name] = np.asarray(value.detach() if isinstance(value, Tensor) else value)
                errors += _unfit(name, values[name], place)
        if errors:
            lines = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{lines}")
        with no_grad():
            for name, value in values.items():
                own[name].copy_(_tensor(value))
        return IncompatibleKeys(missing, unexpected)

    # ---------------------------------------------------------------- shown

    def extra_repr(self):
        """What `repr` says between the brackets."""
        return ""

    @recursive_repr("(itself)")
    def __repr__(self):
        lines = [self.extra_repr()] if self.extra_repr() else []
        for name, module in self._modules.items():
            lines.append(f"({name}): " + repr(module).replace("\n", "\n  "))
        if not self._modules:
            return f"{type(self).__name__}({''.join(lines)})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


# ---------------------------------------------------------------- containers


class Sequential(Module):
    """Modules one after the other, each given what the one before gave.

    Parameters
    ----------
    *modules : Module
        Or one dict of them, by name.

    Examples
    --------
    >>> import fastgrad as fg
    >>> model = fg.nn.Sequential(fg.nn.Linear(2, 8), fg.nn.Tanh(), fg.nn.Linear(8, 1))
    >>> model(fg.ones((5, 2))).shape
    (5, 1)
    """

    def __init__(self, *modules):
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], dict) else enumerate(modules)
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, x):
        for module in self._modules.values():
            x = module(x)
        return x

    def append(self, module):
        """One more, at the end."""
        return self.extend([module])

    def extend(self, modules):
        """More, at the end."""
        modules = list(modules)
        names = [*self._modules, *(str(len(self) + i) for i in range(len(modules)))]
        self._hold([*self, *modules], names if len(set(names)) == len(names) else None)
        return self

    def insert(self, index, module):
        """One more, before the one of a number."""
        modules = [*self]
        modules.insert(index, module)
        self._hold(modules)
        return self

    def pop(self, index=-1):
        """Take one out."""
        module = self[index]
        del self[index]
        return module

    def _hold(self, modules, names=None):
        """Have these instead, under names or numbered."""
        for module in modules:
            if module is not None and not isinstance(module, Module):
                raise TypeError(f"expected a Module, got {type(module).__name__}")
        self._modules.clear()
        for name, module in zip(names or map(str, range(len(modules))), modules):
            self.add_module(name, module)

    def __iadd__(self, modules):
        return self.extend(modules)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))
        return list(self._modules.values())[index]

    def __setitem__(self, index, module):
        modules = [*self]
        modules[as_index(index)] = module
        self._hold(modules, list(self._modules))

    def __delitem__(self, index):
        modules = [*self]
        del modules[index]
        self._hold(modules)


class ModuleList(Sequential):
    """A list of modules, which are called by who has it.

    Parameters
    ----------
    modules : iterable of Module
    """

    def __init__(self, modules=()):
        super().__init__(*(modules.values() if isinstance(modules, dict) else modules))

    forward = Module.forward


class ModuleDict(Module):
    """A dict of modules, which are called by who has it.

    Parameters
    ----------
    modules : dict of str to Module
    """

    def __init__(self, modules=()):
        self.update(modules)

    def __getitem__(self, name):
        return self._modules[name]

    def __setitem__(self, name, module):
        self.add_module(name, module)

    def __delitem__(self, name):
        del self._modules[name]

    def pop(self, name):
        """Take one out."""
        return self._modules.pop(name)

    def update(self, modules):
        """More of them, or others under their names."""
        for name, module in dict(modules).items():
            self.add_module(name, module)

    def clear(self):
        """Take all out."""
        self._modules.clear()

    def __contains__(self, name):
        return name in self._modules

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def keys(self):
        """The names."""
        return self._modules.keys()

    def values(self):
        """The modules."""
        return self._modules.values()

    def items(self):
        """The names and the modules."""
        return self._modules.items()
