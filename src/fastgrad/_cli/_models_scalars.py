"""micrograd's demo: a network 2-16-16-1 of single numbers, which tells 100 points of two half moons apart.

https://github.com/karpathy/micrograd (A. Karpathy, 2020). The loss is the margin's, with a penalty on the squares of
the parameters, and each number is a value of its own: a float64 of no axes for fastgrad and PyTorch. `Value` is the
peer "micrograd": its idea in words of our own, with the same work for each operation.
"""

from itertools import pairwise

import numpy as np

SIZES, LR, PENALTY = (2, 16, 16, 1), 0.1, 1e-4


def inputs():
    rng = np.random.default_rng(0)
    angle = np.linspace(0, np.pi, 50)
    moons = [np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)]
    arrays = {"x": np.concatenate(moons) + 0.1 * rng.normal(size=(100, 2)), "y": np.repeat([-1.0, 1.0], 50)}
    for i, (n, m) in enumerate(pairwise(SIZES)):
        arrays |= {f"w{i}": rng.uniform(-1, 1, (m, n)), f"b{i}": np.zeros(m)}
    return arrays


class Value:
    """A number that knows how it was made."""

    def __init__(self, data, made_of=()):
        self.data, self.grad = data, 0.0
        self._made_of = set(made_of)
        self._spread = lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def spread():
            self.grad += out.grad
            other.grad += out.grad

        out._spread = spread
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def spread():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._spread = spread
        return out

    def relu(self):
        out = Value(self.data if self.data > 0 else 0.0, (self,))

        def spread():
            self.grad += (out.data > 0) * out.grad

        out._spread = spread
        return out

    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:  # where micrograd calls itself, at the same cost and any depth
            value, done = stack.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                stack.append((value, True))
                stack += [(part, False) for part in value._made_of]
        self.grad = 1.0
        for value in reversed(order):
            value._spread()

    __radd__, __rmul__ = __add__, __mul__


def network(layers, x):
    """The score of a point."""
    for i, (weights, biases) in enumerate(layers):
        x = [sum((w * part for w, part in zip(row, x)), bias) for row, bias in zip(weights, biases)]
        if i < len(layers) - 1:
            x = [part.relu() for part in x]
    return x[0]


def loss_of(layers, parameters, points, signs):
    losses = [(1 + -sign * network(layers, point)).relu() for point, sign in zip(points, signs)]
    return sum(losses) * (1.0 / len(losses)) + PENALTY * sum(p * p for p in parameters)


def _builder(prepare):
    """`prepare()`: what makes a number, one that is trained, what clears and updates those, gives a float of one."""

    def build(inputs):
        number, trained, update_of, plain = prepare()
        layers = []
        for i in range(len(SIZES) - 1):
            weights, biases = inputs[f"w{i}"].tolist(), inputs[f"b{i}"].tolist()
            layers.append(([[trained(w) for w in row] for row in weights], [trained(b) for b in biases]))
        parameters = [p for weights, biases in layers for p in [w for row in weights for w in row] + biases]
        points, signs = [[number(v) for v in row] for row in inputs["x"].tolist()], inputs["y"].tolist()
        clear, update = update_of(parameters)
        loss = None

        def step():
            nonlocal loss
            clear()
            loss = loss_of(layers, parameters, points, signs)
            loss.backward()
            update()

        def results():
            numbers = [plain(loss)], [plain(p.grad) for p in parameters], [plain(p) for p in parameters]
            return [np.array(part) for part in numbers]

        return step, results

    return build


def _like_torch(tensor, dtype, sgd):
    def update_of(parameters):
        optimizer = sgd(parameters)
        return optimizer.zero_grad, optimizer.step

    return (
        lambda x: tensor(x, dtype=dtype), lambda x: tensor(x, dtype=dtype, requires_grad=True), update_of,
        lambda x: x.item(),
    )  # fmt: skip


def _fastgrad():
    import fastgrad as fg

    return _like_torch(fg.tensor, fg.float64, lambda parameters: fg.optim.SGD(parameters, lr=LR))


def _torch():
    import torch

    return _like_torch(torch.tensor, torch.float64, lambda parameters: torch.optim.SGD(parameters, lr=LR, fused=True))


def _micrograd():
    def update_of(parameters):
        def clear():
            for p in parameters:
                p.grad = 0.0

        def update():
            for p in parameters:
                p.data -= LR * p.grad

        return clear, update

    return Value, Value, update_of, lambda x: getattr(x, "data", x)


LIBRARIES = {name: _builder(prepare) for name, prepare in
             (("fastgrad", _fastgrad), ("torch", _torch), ("micrograd", _micrograd))}  # fmt: skip
