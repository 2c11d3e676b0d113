"""The models of ``python -m fastgrad bench models``: small programs as people write them, in each library that can.

Each library gets its fastest plain way: PyTorch its fused optimizers, JAX one compiled step whose state is donated.
Libraries are imported when one of their steps is made.
"""

from collections.abc import Callable
from typing import NamedTuple

from . import _models_fits as fits
from . import _models_networks as networks
from . import _models_scalars as scalars


class Model(NamedTuple):
    """A program to be timed step by step.

    `inputs()` gives the arrays it starts from, the same each time. ``libraries[name](inputs)`` gives two functions: one
    runs a step, the other gives what is to be compared after the first (the loss, then gradients, running means of them
    or parameters, as ndarrays). They agree to within `rtol` of the largest element of each.
    """

    title: str
    inputs: Callable
    libraries: dict
    rtol: float


def _network(title, network):
    return Model(title, network.inputs, networks.libraries(network), 2e-3)


#: By the names that the command takes.
MODELS = {
    "mlp32": _network("MLP 784-256-128-10, batch 32", networks.mlp(32)),
    "mlp256": _network("MLP 784-256-128-10, batch 256", networks.mlp(256)),
    "convnet": _network("convolutions as in LeNet, batch 32", networks.convnet()),
    "transformer": _network("transformer block, 8 x 64 x 128", networks.transformer()),
    "lstm": _network("LSTM, 50 steps, batch 32", networks.lstm()),
    "gp": Model("Gaussian process, n = 200", fits.gaussian_inputs, fits.GAUSSIAN, 1e-8),
    "micrograd": Model("micrograd's demo, scalars", scalars.inputs, scalars.LIBRARIES, 1e-9),
    "ode": Model("ODE, 100 steps of Runge-Kutta", fits.ode_inputs, fits.ODE, 1e-8),
}
