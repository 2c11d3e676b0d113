"""Transforms of functions: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacrev`, `jacfwd`, `hessian`, `hvp`, `vmap`.

Each takes a function and gives a function (or values), and they nest to any order. ndarrays in, ndarrays out; Tensors
in, Tensors out; and nested tuples, lists and dicts of them. The names and arguments are those of `torch.func`.

>>> import numpy as np
>>> import fastgrad as fg
>>> fg.func.hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
array([[ 6.,  0.],
       [ 0., 12.]])
"""

from .. import _creation
from ._buffers import inside
from ._gradients import grad, hvp, value_and_grad, vjp
from ._jacobians import hessian, jacfwd, jacrev, jvp
from ._modules import functional_call
from ._vmap import vmap

__all__ = ["functional_call", "grad", "hessian", "hvp", "jacfwd", "jacrev", "jvp", "value_and_grad", "vjp", "vmap"]

_creation.inside = inside
