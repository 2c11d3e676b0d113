"""The libraries that benchmarks compare, each a namespace in which the same expressions run.

`xp` is the library, `F` its neural functions, `sp` its special functions, `la` its linear algebra; the operands are
``a, b, c, w``, and `i` where integers are needed. Each phase is one statement for ``timeit``, with nothing around it:

* ``forward``   the expression, nothing recorded
* ``record``    the expression on operands that require grad
* ``gradient``  recorded, and differentiated for a given cotangent `g`, gradients of the last time dropped

Plain NumPy knows ``forward`` alone.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

PHASES = ("forward", "record", "gradient")


class NotOffered(Exception):
    """The library cannot run this; the message says what is missing."""


class Library:
    """One library: the names that expressions use, and how it takes a gradient."""

    #: What is run, with EXPRESSION in place of the operation's and GIVEN of its operands' names; None: not to be had.
    statements: dict[str, str | None] = {"forward": "EXPRESSION", "record": None, "gradient": None}
    resets = False  # whether gradients are summed into operands, and have to be dropped before the next
    modules: dict[str, str] = {}

    def __init__(self, name, module, threads=None):
        self.name = name
        self.module = import_module(module)
        if threads:
            self.set_threads(threads)

    def set_threads(self, count):
        """Run on this many threads; BLAS is told by the environment."""

    def names(self):
        """What expressions call, by name."""
        return {"repeat": repeat, **{name: _module(path) for name, path in self.modules.items()}}

    def operand(self, array, requires_grad):
        """An array as the library's own."""
        return array

    def value(self, result):
        """A result as an ndarray."""
        return np.asarray(result)

    def gradients(self, answer, operands):
        """The gradients that the ``gradient`` statement left, as ndarrays (None for one that is not there)."""
        return [None if operand.grad is None else self.value(operand.grad) for operand in operands]

    def compiled(self, f, differentiated):
        """Further names, made from the operation as a function of all operands."""
        return {}

    def prepare(self, expression, phase, operands, cotangent):
        """A statement and its namespace for ``timeit``, and the value and gradients that it should give.

        Parameters
        ----------
        expression, phase : str
        operands : dict of str to ndarray
        cotangent : callable
            Makes the cotangent of a result of a shape and a dtype.

        Returns
        -------
        statement : str
        names : dict
        results : callable
            Gives the value and, of the ``gradient`` phase, the gradients, as ndarrays.
        """
        statement = self.statements.get(phase)
        if statement is None:
            raise NotOffered(f"{self.name} has no phase {phase!r}")
        wanted = [name for name, array in operands.items() if array.dtype.kind in "fc"]
        names = self.names()
        for name, array in operands.items():
            names[name] = self.operand(array, phase != "forward" and name in wanted)
        given = ", ".join(operands)
        f = eval(f"lambda {given}: {expression}", names)
        names.update(self.compiled(f, len(wanted)), f=f, places=tuple(range(len(wanted))))
        value = self.value(eval(expression, names))
        names["g"] = self.operand(cotangent(value.shape, value.dtype), False)
        run = statement.replace("EXPRESSION", expression).replace("GIVEN", given)
        reset = "".join(f"{name}.grad = None; " for name in wanted) if self.resets and phase == "gradient" else ""

        def results():
            if phase != "gradient":
                return [value]
            exec(reset, names)
            answer = eval(run, names)
            return [value, *self.gradients(answer, [names[name] for name in wanted])]

        return reset + run, names, results


def repeat(f, x, times):
    """f(f(... f(x)))."""
    for _ in range(times):
        x = f(x)
    return x


def _module(path):
    """A module, or None where it is not there: what calls it is not offered then."""
    try:
        return import_module(path)
    except ImportError:
        return None


class NumPy(Library):
    modules = {"xp": "numpy", "la": "numpy.linalg", "sp": "scipy.special"}


class Fastgrad(Library):
    statements = {"forward": "EXPRESSION", "record": "EXPRESSION", "gradient": "(EXPRESSION).backward(g)"}
    resets = True
    modules = {"xp": "fastgrad", "F": "fastgrad.nn.functional", "sp": "fastgrad.special", "la": "fastgrad.linalg"}

    def set_threads(self, count):
        self.module.set_num_threads(count)

    def operand(self, array, requires_grad):
        tensor = self.module.asarray(array)
        return tensor.requires_grad_() if requires_grad else tensor

    def value(self, result):
        return result.detach().numpy()

    @property
    def saved_tensors_hooks(self):
        return self.module.autograd.graph.saved_tensors_hooks

    def storage(self, tensor):
        """Where the memory of a tensor begins, of the array that it is a view of, and its bytes."""
        array = tensor.detach().numpy()
        while isinstance(array.base, np.ndarray):
            array = array.base
        return array.__array_interface__["data"][0], array.nbytes

    def split(self, x, n):
        return self.module.split(x, n)

    def unstack(self, x):
        return self.module.unstack(x)


class Torch(Fastgrad):
    modules = {"xp": "torch", "F": "torch.nn.functional", "sp": "torch.special", "la": "torch.linalg"}

    def operand(self, array, requires_grad):
        tensor = self.module.from_numpy(array)
        return tensor.requires_grad_() if requires_grad else tensor

    def storage(self, tensor):
        return tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()

    def split(self, x, n):
        return self.module.chunk(x, n)

    def unstack(self, x):
        return self.module.unbind(x)


class Jax(Library):
    """Compiled ahead by ``jax.jit``, gradient included: its fastest way, and not comparable step by step."""

    statements = {"forward": "block(jitted(GIVEN))", "gradient": "block(pulled(g, GIVEN))"}
    modules = {
        "jax": "jax",
        "xp": "jax.numpy",
        "F": "jax.nn",
        "sp": "jax.scipy.special",
        "la": "jax.numpy.linalg",
    }

    def __init__(self, name, module, threads=None):
        super().__init__(name, module, threads)
        self.module.config.update("jax_enable_x64", True)

    def operand(self, array, requires_grad):
        return self.module.numpy.asarray(array)

    def gradients(self, answer, operands):
        return [np.asarray(grad) for grad in answer[1]]

    def compiled(self, f, differentiated):
        jax = self.module

        def value_and_gradients(g, *operands):
            floats, others = operands[:differentiated], operands[differentiated:]
            value, pull = jax.vjp(lambda *floats: f(*floats, *others), *floats)
            return value, pull(g)

        return {"jitted": jax.jit(f), "pulled": jax.jit(value_and_gradients), "block": jax.block_until_ready}


class Autograd(Library):
    statements = {
        "forward": "EXPRESSION",
        "record": "make_vjp(f, places)(GIVEN)",
        "gradient": "make_vjp(f, places)(GIVEN)[0](g)",
    }
    modules = {"xp": "autograd.numpy", "la": "autograd.numpy.linalg", "sp": "autograd.scipy.special"}

    def names(self):
        return {**super().names(), "make_vjp": self.module.make_vjp}

    def gradients(self, answer, operands):
        return [np.asarray(grad) for grad in answer]


class MyGrad(Library):
    statements = {"forward": "EXPRESSION", "record": "EXPRESSION", "gradient": "(EXPRESSION).backward(g)"}
    modules = {"xp": "mygrad", "F": "mygrad.nnet.activations"}

    def __init__(self, name, module, threads=None):
        super().__init__(name, module, threads)
        self.module.turn_memory_guarding_off()  # as its documentation advises where speed matters

    def operand(self, array, requires_grad):
        return self.module.tensor(array, constant=not requires_grad) if array.dtype.kind == "f" else array


LIBRARIES = {
    "numpy": (NumPy, "numpy"),
    "fastgrad": (Fastgrad, "fastgrad"),
    "torch": (Torch, "torch"),
    "jax": (Jax, "jax"),
    "autograd": (Autograd, "autograd"),
    "mygrad": (MyGrad, "mygrad"),
    "micrograd": (Library, "fastgrad._cli._models_scalars"),
}
PEERS = tuple(name for name in LIBRARIES if name not in ("numpy", "fastgrad", "micrograd"))


def load(name, threads=None):
    """A library, imported."""
    kind, module = LIBRARIES[name]
    return kind(name, module, threads)


def is_installed(name):
    return find_spec(LIBRARIES[name][1]) is not None


def installed(names=None):
    """The libraries of `names` (default: all) that are here, imported into this process."""
    return [load(name) for name in LIBRARIES if (names is None or name in names) and is_installed(name)]


def version_of(name):
    """A library's version, read without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:  # not installed but run from its sources
        return getattr(import_module(LIBRARIES[name][1]), "__version__", "?")
