"""The type stub of the package, src/fastgrad/__init__.pyi, written from the table. `generate.py` runs it.

Functions of rows are made at import, where no type checker sees them. Operands are typed as what NumPy takes for
arrays, options are not typed, and results are Tensors.
"""

import inspect

import numpy as np

HEAD = """\
# Written by docs/generate.py from the table; do not edit.
import builtins
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
{numpy_names}

{module_names}
from ._creation import finfo as finfo
from .autograd import enable_grad as enable_grad
from .autograd import inference_mode as inference_mode
from .autograd import no_grad as no_grad
from .autograd import set_grad_enabled as set_grad_enabled

__version__: str

"""

#: What is not Any (`bool` is NumPy's here) among the attributes of a Tensor, and not a Tensor among results.
ATTRIBUTES = {
    "T": "Tensor", "_version": "int", "data": "Tensor", "device": "str", "dtype": "np.dtype[Any]",
    "grad": "Tensor | None",
    "imag": "Tensor", "is_leaf": "builtins.bool", "itemsize": "int", "mT": "Tensor", "nbytes": "int", "ndim": "int",
    "output_nr": "int", "real": "Tensor", "requires_grad": "builtins.bool", "retains_grad": "builtins.bool",
    "shape": "tuple[int, ...]",
    "size": "int", "strides": "tuple[int, ...]",
}  # fmt: skip
SETTABLE = ("data", "grad", "requires_grad")
RESULTS = {
    "__array__": "npt.NDArray[Any]", "__array_function__": "Any", "__array_namespace__": "Any",
    "__array_ufunc__": "Any",
    "__bool__": "builtins.bool", "__complex__": "complex",
    "__contains__": "builtins.bool", "__deepcopy__": "Tensor",
    "__divmod__": "tuple[Tensor, Tensor]", "__rdivmod__": "tuple[Tensor, Tensor]", "__dlpack__": "Any",
    "__dlpack_device__": "tuple[int, int]", "__float__": "float", "__index__": "int", "__int__": "int",
    "__iter__": "Iterator[Tensor]", "__len__": "int", "__setitem__": "None", "backend_name": "str", "backward": "None",
    "can_cast": "builtins.bool", "get_num_threads": "int", "set_num_threads": "None",
    "is_grad_enabled": "builtins.bool", "is_inference": "builtins.bool",
    "is_inference_mode_enabled": "builtins.bool", "item": "Any", "meshgrid": "tuple[Tensor, ...]",
    "nonzero": "tuple[Tensor, ...]",
    "numpy": "npt.NDArray[Any]", "register_hook": "Any", "register_op": "Callable[..., Any]",
    "register_post_accumulate_grad_hook": "Any", "result_type": "np.dtype[Any]",
    "retain_grad": "None", "tolist": "Any", "__array_namespace_info__": "Any",
    "put": "None", "tobytes": "bytes", "iinfo": "Any", "issubdtype": "builtins.bool", "isscalar": "builtins.bool",
    "allclose": "builtins.bool", "array_equal": "builtins.bool", "array_equiv": "builtins.bool",
    "iscomplexobj": "builtins.bool", "isrealobj": "builtins.bool", "may_share_memory": "builtins.bool",
    "shares_memory": "builtins.bool", "broadcast_shapes": "tuple[int, ...]", "shape": "tuple[int, ...]",
    "ndim": "int", "size": "int", "common_type": "Any", "min_scalar_type": "np.dtype[Any]",
    "promote_types": "np.dtype[Any]",
}  # fmt: skip
SKIPPED = ("__array_priority__", "__module__", "__slots__", "__weakref__")
CLASSES = ("enable_grad", "inference_mode", "no_grad", "set_grad_enabled")  # typed where they are
PLAIN = (bool, int, float, str, type(None))


def parameters(function, typed=()):
    """The parameters of a function as a stub shows them; those of `typed` are array-likes."""
    shown, starred = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        text = f"{prefix}{parameter.name}"
        if parameter.name != "self":
            text += ": npt.ArrayLike | Tensor" if parameter.name in typed and parameter.default is not None else ": Any"
        if parameter.default is not parameter.empty:
            text += f" = {parameter.default!r}" if type(parameter.default) in PLAIN else " = ..."
        shown.append(text)
    return ", ".join(shown)


def tensor_class(tensor):
    """The lines of the class."""
    lines = ["class Tensor:"]
    names = sorted({*dir(tensor)} - {*dir(object)} - {*SKIPPED})
    for name in names:
        if name.startswith("_") and not name.startswith("__") and name not in ATTRIBUTES:
            continue
        value = inspect.getattr_static(tensor, name)
        if isinstance(value, property):
            kind = ATTRIBUTES.get(name, "Any")
            lines += ["    @property", f"    def {name}(self) -> {kind}: ..."]
            if name in SETTABLE:
                lines += [f"    @{name}.setter", f"    def {name}(self, value: Any) -> None: ..."]
        elif callable(value):
            given = RESULTS.get(name, "Tensor")
            lines.append(f"    def {name}({parameters(value)}) -> {given}: ...")
    for name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        note = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""  # object's give bool
        lines.append(f"    def {name}(self, other: Any) -> Tensor: ...{note}")
    return lines


def stub():
    """The text of the stub, as the reference backend shows itself: it is Python, and can be looked into."""
    import fastgrad as fg
    from fastgrad import _creation, _reference, ops

    rows, functions, from_numpy = {}, [], []
    modules = sorted(name for name in fg.__all__ if inspect.ismodule(getattr(fg, name)))
    for name in sorted({*fg.__all__} - {"Tensor"}):
        value = getattr(fg, name)
        op = ops.TABLE.get(ops.ALIASES.get(name, name))
        if getattr(np, "bool_" if name == "bool" else name, None) is value:
            from_numpy.append(f"bool_ as {name}" if name == "bool" else f"{name} as {name}")
        elif op is not None and name not in (*modules, *_creation.__all__):
            rows[name] = op
        elif name not in modules and not inspect.isclass(value) and name not in CLASSES:
            functions.append(f"def {name}({parameters(value)}) -> {RESULTS.get(name, 'Tensor')}: ...")
    numpy_names = "\n".join(f"from numpy import {name}" for name in from_numpy)
    module_names = "\n".join(f"from . import {name} as {name}" for name in modules)
    lines = [
        HEAD.format(numpy_names=numpy_names, module_names=module_names) + "\n".join(tensor_class(_reference.Tensor)),
        "",
    ]
    for named in {op.named.__name__: op.named for op in rows.values() if hasattr(op.named, "_fields")}.values():
        lines += [f"class {named.__name__}(NamedTuple):", *(f"    {field}: Tensor" for field in named._fields), ""]
    lines += functions
    lines += [row_function(name, op) for name, op in rows.items()]
    return "\n".join(lines) + "\n"


def row_function(name, op):
    """The line of a row's public function."""
    given = "Tensor" if not op.multi else "tuple[Tensor, ...]" if op.named is None else _named(op)
    typed = () if op.variadic else op.operands
    return f"def {name}({parameters(op.bind, typed)}) -> {given}: ..."


def _named(op):
    """The named tuple of the results; Any where it depends on the options."""
    return op.named.__name__ if hasattr(op.named, "_fields") else "Any"


MODULE_HEAD = """\
# Written by docs/generate.py from the table; do not edit.
from typing import Any, NamedTuple

import numpy.typing as npt

from {package} import Tensor
{shared}
"""


def module_stub(module):
    """The text of the stub of a public module whose functions are, most of them, made from rows."""
    import fastgrad as fg
    from fastgrad import _backend

    made = {id(function): op for op, function in _backend._made.values()}
    dots = "." * module.__name__.count(".")
    functions, shared, rows, classes = [], [], [], {}
    for name in module.__all__:
        value = getattr(module, name)
        op = made.get(id(value))
        if name in fg.__all__ and getattr(fg, name) is value:
            shared.append(f"from {dots} import {name} as {name}")
        elif op is not None:
            rows.append(row_function(name, op))
        elif inspect.isclass(value) and hasattr(value, "_fields"):
            classes[name] = value
        elif inspect.isfunction(value) or inspect.isbuiltin(value):
            functions.append(f"def {name}({parameters(value)}) -> {RESULTS.get(name, 'Any')}: ...")
        if op is not None and hasattr(op.named, "_fields") and op.module != "fastgrad":
            classes[op.named.__name__] = op.named
    lines = [MODULE_HEAD.format(package=dots, shared="\n".join(shared))]
    for named in classes.values():
        lines += [f"class {named.__name__}(NamedTuple):", *(f"    {field}: Any" for field in named._fields), ""]
    return "\n".join([*lines, *functions, *rows]) + "\n"
