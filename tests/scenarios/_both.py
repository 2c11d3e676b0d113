"""The facades that scenarios run on: PyTorch, and fastgrad with either backend, under the same names."""

import functools
import gc
import importlib
import importlib.util
import os
import sys
import warnings

import numpy as np


class Facade:
    """What scenarios are functions of: the names of `package`, and those in which the packages differ."""

    float32, float64, complex64, complex128, int64 = "float32", "float64", "complex64", "complex128", "int64"

    def __init__(self, package):
        self.package = package
        self.Tensor = package.Tensor
        self.autograd, self.graph = package.autograd, package.autograd.graph
        self.Function = package.autograd.Function
        self.grad, self.backward = package.autograd.grad, package.autograd.backward

    def __getattr__(self, name):
        return getattr(self.package, name)

    def tensor(self, data, requires_grad=False, dtype=None):
        """A tensor of float64, if nothing else is asked for."""
        return self.package.tensor(data, dtype=dtype or self.float64, requires_grad=requires_grad)

    def leaf(self, *values):
        """A vector that requires grad."""
        return self.tensor([float(v) for v in values], requires_grad=True)

    def const(self, *values):
        """A vector that does not."""
        return self.tensor([float(v) for v in values])

    def scalar(self, value):
        """A tensor of no dimensions that requires grad."""
        return self.tensor(float(value), requires_grad=True)

    def zeros_of(self, *shape):
        """Zeros of float64."""
        return self.tensor(np.zeros(shape).tolist())

    @staticmethod
    def name(node):
        """A node's name without the parts in which the packages differ: number and namespace."""
        return None if node is None else node.name().rpartition("::")[2].rstrip("0123456789")

    def chain(self, node):
        """Names along the first edges."""
        names = []
        while node is not None:
            names.append(self.name(node))
            node = node.next_functions[0][0] if node.next_functions else None
        return names

    def attempt(self, function, *args, **options):
        """What `function` gives, or the type of what it raises."""
        try:
            return function(*args, **options)
        except Exception as error:
            return f"raises {kind(error)}"

    def message(self, function, *args, **options):
        """The text of what `function` raises, with its notes."""
        try:
            function(*args, **options)
        except Exception as error:
            return "\n".join([str(error), *getattr(error, "__notes__", [])])
        return ""

    @staticmethod
    def collect():
        """Run the cycle collector."""
        gc.collect()


class Func:
    """`func` under fastgrad's names and conventions."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        return getattr(self.module, name)


def pytorch():
    """PyTorch's facade."""
    torch = importlib.import_module("torch")
    checkpointing = importlib.import_module("torch.utils.checkpoint")
    module = importlib.import_module("torch.func")

    class TorchFunc(Func):
        def value_and_grad(self, f, argnums=0, has_aux=False):
            both = module.grad_and_value(f, argnums, has_aux)
            return lambda *args: both(*args)[::-1]

        def vmap(self, f, in_axes=0, out_axes=0, **options):
            return module.vmap(f, in_axes, out_axes, **options)

        def hvp(self, f, x, v):
            gradient, product = module.jvp(module.grad(f), (x,), (v,))
            del gradient
            return f(x), product

    class Torch(Facade):
        which = "torch"
        float32, float64, int64 = torch.float32, torch.float64, torch.int64
        complex64, complex128 = torch.complex64, torch.complex128
        is_tensor = staticmethod(torch.is_tensor)
        unstack, concat = staticmethod(torch.unbind), staticmethod(torch.cat)
        eigh = staticmethod(torch.linalg.eigh)
        func = TorchFunc(module)
        checkpoint = staticmethod(functools.partial(checkpointing.checkpoint, use_reentrant=False))
        save_elsewhere = staticmethod(torch.autograd.graph.save_on_cpu)
        gradcheck, gradgradcheck = staticmethod(torch.autograd.gradcheck), staticmethod(torch.autograd.gradgradcheck)
        detect_anomaly, set_detect_anomaly = torch.autograd.detect_anomaly, torch.autograd.set_detect_anomaly
        once_differentiable = staticmethod(importlib.import_module("torch.autograd.function").once_differentiable)

        @staticmethod
        def halves(x):
            return torch.split(x, x.shape[0] // 2)

    return Torch(torch)


def fastgrad(backend):
    """fastgrad's facade, with the backend "compiled" or "reference": both can be had in one process."""
    package = _package(backend)
    autograd = package.autograd

    class Fastgrad(Facade):
        which = backend
        complex64, complex128 = package.complex64, package.complex128

        @staticmethod
        def is_tensor(value):
            return isinstance(value, package.Tensor)

        @staticmethod
        def halves(x):
            return package.split(x, 2)

        def __getattr__(self, name):
            if name == "eigh":
                return package.linalg.eigh
            if name == "func":
                return Func(package.func)
            if name == "save_elsewhere":
                return autograd.graph.save_on_disk
            if name == "once_differentiable":
                return autograd.function.once_differentiable
            return getattr(package, name) if hasattr(package, name) else getattr(autograd, name)

    return Fastgrad(package)


@functools.cache
def _package(backend):
    """The package `fastgrad`, or a second copy of it that was imported with the other backend."""
    import fastgrad

    if fastgrad.backend_name() == backend:
        return fastgrad
    spec = importlib.util.spec_from_file_location(f"fastgrad_{backend}", fastgrad.__file__)
    package = importlib.util.module_from_spec(spec)
    before = os.environ.get("FASTGRAD_BACKEND")
    os.environ["FASTGRAD_BACKEND"] = backend
    sys.modules[spec.name] = package
    try:
        spec.loader.exec_module(package)
    finally:
        os.environ.pop("FASTGRAD_BACKEND")
        if before is not None:
            os.environ["FASTGRAD_BACKEND"] = before
    return package


# ---------------------------------------------------------------- outcomes


def kind(error):
    """The name of the nearest type of exception that both packages have: a built-in one, or a scenario's own."""
    for cls in type(error).__mro__:
        if cls.__module__ == "builtins" or cls.__module__.startswith("scenarios."):
            return cls.__name__
    return type(error).__name__


def run(function, m):
    """What a scenario gives on `m` in plain values, and its exception (None: it raised none)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = function(m)
        except AssertionError:
            raise
        except Exception as error:
            return {"raises": kind(error)}, error
        return {"gives": plain(value, m)}, None


def plain(value, m):
    """`value` as JSON has it: a tensor becomes its dtype, values and whether it requires grad."""
    if m.is_tensor(value):
        dtype = str(value.dtype).removeprefix("torch.")
        return {"dtype": dtype, "requires_grad": value.requires_grad, "values": plain(value.tolist(), m)}
    if isinstance(value, np.ndarray):
        return {"ndarray": str(value.dtype), "values": plain(value.tolist(), m)}
    if isinstance(value, dict):
        return {str(key): plain(item, m) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, m) for item in value]
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, BaseException):
        return f"raises {kind(value)}"
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise AssertionError(f"a scenario gave {type(value)}: {value!r}")


def difference(found, expected, where=""):
    """Where two outcomes differ, in words; None if nowhere."""
    if isinstance(expected, dict) and isinstance(found, dict) and found.keys() == expected.keys():
        for key in expected:
            if (text := difference(found[key], expected[key], f"{where}.{key}")) is not None:
                return text
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        for i, (a, b) in enumerate(zip(found, expected)):
            if (text := difference(a, b, f"{where}[{i}]")) is not None:
                return text
        return None
    numbers = all(type(v) in (int, float) for v in (found, expected))
    if numbers and np.isclose(found, expected, rtol=1e-9, atol=1e-12, equal_nan=True):
        return None
    if type(found) is type(expected) and found == expected:
        return None
    return f"at {where or 'top'}: {found!r}, and PyTorch: {expected!r}"
