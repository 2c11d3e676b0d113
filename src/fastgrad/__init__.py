"""fastgrad: gradients of NumPy programs.

Autograd is PyTorch's, name for name; array functions, dtypes and values are NumPy's.

>>> import fastgrad as fg
>>> x = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x * x).sum()
>>> y.backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from importlib import import_module as _import_module

from numpy import bool_ as bool
from numpy import (
    complex64,
    complex128,
    e,
    euler_gamma,
    float16,
    float32,
    float64,
    inf,
    int8,
    int16,
    int32,
    int64,
    isdtype,
    nan,
    newaxis,
    pi,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip

from . import _creation, autograd, ops
from ._backend import Tensor, backend_name, register_op
from ._backend import function as _function
from ._backend import rows as _rows
from ._creation import *  # noqa: F403
from ._creation import can_cast, finfo, iinfo, result_type
from ._threads import get_num_threads, set_num_threads
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)  # fmt: skip

__version__ = "0.1.0"
__array_api_version__ = "2024.12"

#: Modules that most programs do without: imported when they are first asked for.
_LATER = ("fft", "func", "linalg", "nn", "optim", "special")

#: Modules of public functions that are no rows, imported like them.
_MORE = ("_inspection", "_writes")

#: The rows of the functions that are there from the start: each is made when it is first asked for.
_rows = {name: row for name, row in _rows("fastgrad").items() if name not in _creation.__all__}

_names = [
    "Tensor", "autograd", "backend_name", "bool", "can_cast", "complex64", "complex128", "e", "enable_grad",
    "euler_gamma", "finfo", "float16", "float32", "float64", "get_num_threads", "iinfo", "inf", "inference_mode",
    "int8", "int16", "int32", "int64", "is_grad_enabled", "is_inference_mode_enabled", "isdtype", "nan", "newaxis",
    "no_grad", "ops", "pi", "register_op", "result_type", "set_grad_enabled", "set_num_threads",
    "uint8", "uint16", "uint32", "uint64",
    *_creation.__all__, *_rows, *_LATER,
]  # fmt: skip


def _rest():
    """The public functions that `import fastgrad` leaves for later, by name."""
    from ._backend import functions

    rest = functions("fastgrad")
    for name in _MORE:
        module = _import_module(f".{name}", __name__)
        rest.update((public, getattr(module, public)) for public in module.__all__)
    return {name: value for name, value in rest.items() if name not in _names}


def __getattr__(name):
    if name in _LATER:
        return _import_module(f".{name}", __name__)
    if name in _rows:
        made = globals()[name] = _function(_rows[name])
        return made
    if name == "__all__":
        return [*_names, *_rest()]
    if not name.startswith("_") or name == "__array_namespace_info__":
        globals().update(_rest())
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_names, *_rest()})
