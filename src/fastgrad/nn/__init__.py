"""Neural networks: PyTorch's `functional`, with NumPy's `axis` and `keepdims`, and the modules made of it.

>>> import fastgrad as fg
>>> x = fg.tensor([[1.0, -2.0, 0.5]], requires_grad=True)
>>> loss = fg.nn.functional.cross_entropy(x, [2])
>>> loss.backward()
>>> x.grad.numpy().round(3).tolist()
[[0.604, 0.03, -0.634]]

A model is a `Module`, or several in a `Sequential`; `fastgrad.optim` trains it:

>>> model = fg.nn.Sequential(fg.nn.Linear(3, 8), fg.nn.ReLU(), fg.nn.Linear(8, 1))
>>> optimizer = fg.optim.Adam(model.parameters(), lr=0.01)
>>> fg.nn.functional.mse_loss(model(x), fg.zeros((1, 1))).backward()
>>> optimizer.step()
"""

from __future__ import annotations  # noqa: I001  a table

from . import functional, init, utils
from ._module import Module, ModuleDict, ModuleList, Parameter, Sequential
from ._modules import (
    ELU, GELU, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv1d, Conv2d, Dropout, Embedding, Flatten, Identity, LayerNorm,
    LeakyReLU, Linear, LogSoftmax, MaxPool2d, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh,
)  # fmt: skip

__all__ = [
    "ELU", "GELU", "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d", "Dropout", "Embedding", "Flatten",
    "Identity", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "MaxPool2d", "Module", "ModuleDict", "ModuleList",
    "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh", "functional", "init", "utils",
]  # fmt: skip
