"""fastgrad: gradients of NumPy programs.

Autograd is PyTorch's, name for name; array functions, dtypes and values are NumPy's.

>>> import fastgrad as fg
>>> x = fg.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x * x).sum()
>>> y.backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from numpy import (  # noqa: I001  a table, and numpy's bool under its own name
    complex64, complex128, e, euler_gamma, finfo, float16, float32, float64, iinfo, inf, int8, int16, int32, int64,
    isdtype, nan, newaxis, pi, uint8, uint16, uint32, uint64,
)  # fmt: skip
from numpy import bool_ as bool

from . import _creation, autograd, linalg, ops
from ._backend import Tensor, backend_name, register_op
from ._backend import public as _public
from ._creation import *  # noqa: F403
from ._creation import can_cast, result_type
from .autograd import (
    enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled,
)  # fmt: skip

__version__ = "0.1.0"

#: Modules that most programs do without: imported when they are first asked for.
_LATER = ("func",)

_public = {name: function for name, function in _public.items() if name not in _creation.__all__}
globals().update(_public)

__all__ = [
    "Tensor", "autograd", "backend_name", "bool", "can_cast", "complex64", "complex128", "e", "enable_grad",
    "euler_gamma", "finfo", "float16", "float32", "float64", "iinfo", "inf", "inference_mode", "int8", "int16",
    "int32", "int64", "is_grad_enabled", "is_inference_mode_enabled", "isdtype", "linalg", "nan", "newaxis",
    "no_grad", "ops", "pi", "register_op", "result_type", "set_grad_enabled", "uint8", "uint16", "uint32", "uint64",
    *_creation.__all__, *_public, *_LATER,
]  # fmt: skip


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(f".{name}", __name__)


def __dir__():
    return sorted({*globals(), *__all__})
