"""PyTorch's ``torch.nn.functional``, with `axis` for ``dim`` and `keepdims` for ``keepdim``.

Everything takes Tensors, arrays and sequences, and gives Tensors. Activations and losses of single elements are one
fused operation each.

>>> import fastgrad as fg
>>> images = fg.ones((1, 1, 4, 4))
>>> kernels = fg.ones((2, 1, 3, 3), requires_grad=True)
>>> fg.nn.functional.conv2d(images, kernels, padding="same").shape
(1, 2, 4, 4)
"""

from __future__ import annotations

from . import _activations, _attention, _convolutions, _distances, _images, _layers, _losses, _pooling, _sequences
from ._activations import *  # noqa: F403
from ._attention import *  # noqa: F403
from ._convolutions import *  # noqa: F403
from ._distances import *  # noqa: F403
from ._images import *  # noqa: F403
from ._layers import *  # noqa: F403
from ._losses import *  # noqa: F403
from ._pooling import *  # noqa: F403
from ._sequences import *  # noqa: F403

_PARTS = (
    _activations, _attention, _convolutions, _distances, _images, _layers, _losses, _pooling, _sequences,
)  # fmt: skip

__all__ = sorted(name for part in _PARTS for name in part.__all__)
