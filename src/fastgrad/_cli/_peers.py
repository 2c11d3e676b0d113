"""The libraries that benchmarks compare, each as a namespace in which the same expressions run.

An operation is an expression in `a` and `b` (``"exp(a)"``). A `Library` binds its names, so that ``timeit`` runs the
expression itself with no wrapper around it, and says how a gradient is taken:

* ``forward``   the expression, nothing recorded
* ``record``    the expression on operands that require grad
* ``gradient``  recorded, and differentiated for a given cotangent `g`

Plain NumPy knows ``forward`` alone.
"""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from math import isqrt, pi, sqrt
from typing import NamedTuple

import numpy as np

PHASES = ("forward", "record", "gradient")
SQRT_2_OVER_PI = sqrt(2 / pi)


class Operation(NamedTuple):
    """An operation to time: an expression, the number of operands, and what shape they have for n elements."""

    expression: str
    operands: int = 2
    square: bool = False  # operands are square matrices of n elements

    def draw(self, size, dtype, seed=0):
        """Operands of `size` elements: of mixed sign and away from 0, where a derivative would jump."""
        rng = np.random.default_rng(seed)
        shape = (isqrt(size),) * 2 if self.square else (size,)
        drawn = [rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape) for _ in range(self.operands)]
        return [array.astype(dtype) for array in drawn]


OPERATIONS = {
    "add": Operation("a + b"),
    "multiply": Operation("a * b"),
    "divide": Operation("a / b"),
    "exp": Operation("exp(a)", 1),
    "tanh": Operation("tanh(a)", 1),
    "maximum": Operation("maximum(a, b)"),
    "sum": Operation("a.sum()", 1),
    "mean": Operation("a.mean()", 1),
    "max": Operation("a.max()", 1),
    "matmul": Operation("a @ b", square=True),
    "getitem": Operation("a[::2]", 1),
    "concat": Operation("concat([a, b])"),
    "gelu": Operation("gelu(a)", 1),
    "softmax": Operation("softmax(a)", 1),
    "mse_loss": Operation("mse_loss(a, b)"),
}


class Library:
    """One library: the names that expressions use, and how it takes a gradient."""

    #: What is run, with EXPRESSION in place of the operation's and ARGUMENTS of ``a, b``; None: not to be had.
    statements: dict[str, str | None] = {"forward": "EXPRESSION", "record": None, "gradient": None}
    note = ""

    def __init__(self, name, module):
        self.name = name
        self.module = import_module(module)
        self.version = getattr(self.module, "__version__", None) or version(module)  # autograd says it nowhere else
        self.names = self.functions()

    def functions(self):
        """The functions that expressions call, by name. An operation that needs a missing one is left out."""
        raise TypeError(f"{type(self).__name__} names no functions")

    def operand(self, array, requires_grad):
        """An array as the library's own."""
        return array

    def gradients(self, result, operands):
        """What the ``gradient`` statement gave, as ndarrays."""
        return [np.asarray(grad) for grad in result]

    def has(self, operation):
        called = operation.expression.partition("(")[0]
        return "(" not in operation.expression or called in self.names or called.startswith("a.")

    def prepare(self, operation, phase, arrays, cotangent):
        """A statement and its namespace for ``timeit``, or None where the library does not offer the phase."""
        statement = self.statements.get(phase)
        if statement is None or not self.has(operation):
            return None
        arguments = ("a", "b")[: len(arrays)]
        operands = [self.operand(array, phase != "forward") for array in arrays]
        names = dict(self.names, g=self.operand(cotangent, False), **dict(zip(arguments, operands)))
        f = eval(f"lambda {', '.join(arguments)}: {operation.expression}", names)
        names.update(self.compiled(f), f=f, wanted=tuple(operands), places=tuple(range(len(operands))))
        listed = ", ".join(arguments)
        return statement.replace("EXPRESSION", operation.expression).replace("ARGUMENTS", listed), names

    def compiled(self, f):
        """Further names, made from the operation as a function."""
        return {}


class NumPy(Library):
    def functions(self):
        return {
            "exp": np.exp,
            "tanh": np.tanh,
            "maximum": np.maximum,
            "concat": np.concatenate,
            "gelu": lambda a: 0.5 * a * (1 + np.tanh(SQRT_2_OVER_PI * (a + 0.044715 * a * a * a))),
            "softmax": _softmax_of(np.exp),
            "mse_loss": lambda a, b: np.mean(np.square(a - b)),
        }


def _softmax_of(exp):
    def softmax(a):
        e = exp(a - a.max())
        return e / e.sum()

    return softmax


class Fastgrad(Library):
    statements = {"forward": "EXPRESSION", "record": "EXPRESSION", "gradient": "grad(EXPRESSION, wanted, g)"}

    def functions(self):
        fg = self.module
        return {
            "exp": fg.exp,
            "tanh": fg.tanh,
            "maximum": fg.maximum,
            "concat": fg.concat,
            "gelu": lambda a: fg.gelu(a, approximate="tanh"),
            "softmax": lambda a: fg.softmax(a, axis=-1),
            "mse_loss": fg.mse_loss,
            "grad": fg.autograd.grad,
        }

    def operand(self, array, requires_grad):
        return self.module.tensor(array, requires_grad=requires_grad)

    def gradients(self, result, operands):
        return [grad.numpy() for grad in result]


class Torch(Library):
    statements = Fastgrad.statements

    def __init__(self, name, module):
        super().__init__(name, module)
        self.note = f"{self.module.get_num_threads()} threads"

    def functions(self):
        torch, functional = self.module, self.module.nn.functional
        return {
            "exp": torch.exp,
            "tanh": torch.tanh,
            "maximum": torch.maximum,
            "concat": torch.cat,
            "gelu": lambda a: functional.gelu(a, approximate="tanh"),
            "softmax": lambda a: torch.softmax(a, -1),
            "mse_loss": functional.mse_loss,
            "grad": torch.autograd.grad,
        }

    def operand(self, array, requires_grad):
        return self.module.tensor(array, requires_grad=requires_grad)


class Jax(Library):
    """Compiled ahead by ``jax.jit``, gradient included: its fastest way, and not comparable step by step."""

    statements = {"forward": "block(jitted(ARGUMENTS))", "record": None, "gradient": "block(pulled(g, ARGUMENTS))"}
    note = "jit"

    def __init__(self, name, module):
        super().__init__(name, module)
        self.module.config.update("jax_enable_x64", True)

    def functions(self):
        jax, jnp = self.module, import_module("jax.numpy")
        return {
            "exp": jnp.exp,
            "tanh": jnp.tanh,
            "maximum": jnp.maximum,
            "concat": jnp.concatenate,
            "gelu": lambda a: jax.nn.gelu(a, approximate=True),
            "softmax": jax.nn.softmax,
            "mse_loss": lambda a, b: jnp.mean(jnp.square(a - b)),
            "block": jax.block_until_ready,
        }

    def operand(self, array, requires_grad):
        return import_module("jax.numpy").asarray(array)

    def compiled(self, f):
        jax = self.module
        return {"jitted": jax.jit(f), "pulled": jax.jit(lambda g, *operands: jax.vjp(f, *operands)[1](g))}


class Autograd(Library):
    statements = {
        "forward": "EXPRESSION",
        "record": "make_vjp(f, places)(ARGUMENTS)",
        "gradient": "make_vjp(f, places)(ARGUMENTS)[0](g)",
    }

    def functions(self):
        anp = import_module("autograd.numpy")
        return {
            "exp": anp.exp,
            "tanh": anp.tanh,
            "maximum": anp.maximum,
            "concat": anp.concatenate,
            "gelu": lambda a: 0.5 * a * (1 + anp.tanh(SQRT_2_OVER_PI * (a + 0.044715 * a * a * a))),
            "softmax": _softmax_of(anp.exp),
            "mse_loss": lambda a, b: anp.mean((a - b) ** 2),
            "make_vjp": self.module.make_vjp,
        }


class MyGrad(Library):
    statements = {"forward": "EXPRESSION", "record": "EXPRESSION", "gradient": "(EXPRESSION).backward(g)"}

    def __init__(self, name, module):
        super().__init__(name, module)
        self.module.turn_memory_guarding_off()  # as its documentation advises where speed matters

    def functions(self):
        mg = self.module
        return {
            "exp": mg.exp,
            "tanh": mg.tanh,
            "maximum": mg.maximum,
            "concat": mg.concatenate,
            "gelu": lambda a: 0.5 * a * (1 + mg.tanh(SQRT_2_OVER_PI * (a + 0.044715 * a * a * a))),
            "softmax": import_module("mygrad.nnet.activations").softmax,
            "mse_loss": lambda a, b: mg.mean((a - b) ** 2),
        }

    def operand(self, array, requires_grad):
        return self.module.tensor(array, constant=not requires_grad)

    def gradients(self, result, operands):
        return [operand.grad for operand in operands]


LIBRARIES = {
    "numpy": (NumPy, "numpy"),
    "fastgrad": (Fastgrad, "fastgrad"),
    "torch": (Torch, "torch"),
    "jax": (Jax, "jax"),
    "autograd": (Autograd, "autograd"),
    "mygrad": (MyGrad, "mygrad"),
}


def installed(names=None):
    """The libraries of `names` (default: all) that are here, imported, in the order above."""
    found = []
    for name, (kind, module) in LIBRARIES.items():
        if (names is None or name in names) and find_spec(module) is not None:
            found.append(kind(name, module))
    return found
