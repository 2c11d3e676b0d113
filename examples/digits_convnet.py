"""Handwritten digits, told apart by a small convolutional network: more than 97 % of those that it has not seen.

    python examples/digits_convnet.py

The images and the training are those of ``digits_mlp.py``; the network is another.
"""

import numpy as np
from digits_mlp import main

from fastgrad import nn

EPOCHS = 12


def network(rng):
    """Two convolutions of 3 x 3, the largest of each 2 x 2, and 10 scores."""
    return nn.Sequential(
        Channel(),
        nn.Conv2d(1, 16, 3, padding="same", generator=rng),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding="same", generator=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3, generator=rng),
        nn.Linear(32 * 4 * 4, 10, generator=rng),
    ).astype(np.float32)


class Channel(nn.Module):
    """Images (N, H, W) as images of one channel (N, 1, H, W)."""

    def forward(self, x):
        return x[:, None]


if __name__ == "__main__":
    main("digits_convnet", network, EPOCHS)
