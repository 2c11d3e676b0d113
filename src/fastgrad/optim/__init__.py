"""Optimizers: what changes parameters by their gradients, with PyTorch's names, arguments and state dicts.

>>> import fastgrad as fg
>>> w = fg.tensor([0.0, 0.0], requires_grad=True)
>>> optimizer = fg.optim.Adam([w], lr=0.1)
>>> for _ in range(200):
...     optimizer.zero_grad()
...     loss = ((w - fg.tensor([1.0, -2.0])) ** 2).sum()
...     loss.backward()
...     optimizer.step()
>>> w.detach().numpy().round(2)
array([ 1., -2.])

An optimizer of your own derives from `Optimizer` and writes `step`.
"""

from __future__ import annotations

from . import lr_scheduler
from ._elementwise import SGD, Adagrad, Adam, AdamW, RMSprop
from ._lbfgs import LBFGS
from ._optimizer import Optimizer

__all__ = ["LBFGS", "SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
