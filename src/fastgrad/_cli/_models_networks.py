"""Training steps of networks: each is one formula in the functions of `torch.nn.functional`, as any library has them.

A network is float32; a step is the loss, its gradient and the optimizer. What is compared is the loss, the optimizer's
running means of the gradient after the first step (a tenth of it, or all), and the last parameter as updated: Adam's
first step has the gradient's sign alone, which rounding decides where the gradient is nothing but rounding.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

LR, BETAS, EPS, MOMENTUM = 1e-3, (0.9, 0.999), 1e-8, 0.9


class Network(NamedTuple):
    """`parameters(rng)` and `data(rng)` give lists of arrays; `loss(f, p, *data)` is the formula."""

    parameters: Callable
    data: Callable
    loss: Callable
    peers: tuple
    optimizer: str = "adam"

    def inputs(self):
        rng = np.random.default_rng(0)
        arrays = {f"p{i}": a.astype(np.float32) for i, a in enumerate(self.parameters(rng))}
        data = [np.asarray(a, np.float32) if a.dtype.kind == "f" else a for a in self.data(rng)]
        return arrays | dict(zip("xy", data))


def loop(body, state, items):
    """As people write it; `jax_loop` is JAX's way, without which it takes a minute to compile what is slow then."""
    for item in items:
        state = body(state, item)
    return state


def jax_loop(body, state, items):
    import jax

    return jax.lax.scan(lambda state, item: (body(state, item), None), state, items)[0]


def split(inputs):
    """Parameters and data."""
    return [a for name, a in inputs.items() if name[0] == "p"], [inputs["x"], inputs["y"]]


# ---------------------------------------------------------------- the networks --


def _dense(rng, n, m):
    return [rng.normal(size=(m, n)) / n**0.5, np.zeros(m)]


def _kernels(rng, n, m, k):
    return [rng.normal(size=(m, n, k, k)) / (k * n**0.5), np.zeros(m)]


def mlp(batch):
    def loss(f, p, x, y):
        x = f.relu(f.linear(x, p[0], p[1]))
        x = f.relu(f.linear(x, p[2], p[3]))
        return f.cross_entropy(f.linear(x, p[4], p[5]), y)

    return Network(
        lambda rng: [a for n, m in ((784, 256), (256, 128), (128, 10)) for a in _dense(rng, n, m)],
        lambda rng: [rng.normal(size=(batch, 784)), rng.integers(0, 10, batch)],
        loss, ("fastgrad", "torch", "jax", "autograd", "mygrad", "numpy"),
    )  # fmt: skip


def convnet():
    def loss(f, p, x, y):
        x = f.max_pool2d(f.relu(f.conv2d(x, p[0], p[1], padding=2)), 2)
        x = f.max_pool2d(f.relu(f.conv2d(x, p[2], p[3])), 2)
        x = f.relu(f.linear(x.reshape((32, 400)), p[4], p[5]))
        x = f.relu(f.linear(x, p[6], p[7]))
        return f.cross_entropy(f.linear(x, p[8], p[9]), y)

    return Network(
        lambda rng: [*_kernels(rng, 1, 6, 5), *_kernels(rng, 6, 16, 5),
                     *(a for n, m in ((400, 120), (120, 84), (84, 10)) for a in _dense(rng, n, m))],
        lambda rng: [rng.normal(size=(32, 1, 28, 28)), rng.integers(0, 10, 32)],
        loss, ("fastgrad", "torch", "jax"), "sgd",
    )  # fmt: skip


def transformer():
    """Layer norms first, attention that looks back, gelu: 8 sequences of 64 places, 4 heads of 32."""

    def loss(f, p, x, y):
        h = f.linear(f.layer_norm(x, (128,), p[0], p[1]), p[2], p[3]).reshape((8, 64, 3, 4, 32))
        q, k, v = (h[:, :, i].swapaxes(1, 2) for i in range(3))
        h = f.scaled_dot_product_attention(q, k, v, is_causal=True).swapaxes(1, 2).reshape((8, 64, 128))
        x = x + f.linear(h, p[4], p[5])
        h = f.gelu(f.linear(f.layer_norm(x, (128,), p[6], p[7]), p[8], p[9]))
        return f.mse_loss(x + f.linear(h, p[10], p[11]), y)

    return Network(
        lambda rng: [np.ones(128), np.zeros(128), *_dense(rng, 128, 384), *_dense(rng, 128, 128),
                     np.ones(128), np.zeros(128), *_dense(rng, 128, 512), *_dense(rng, 512, 128)],
        lambda rng: [rng.normal(size=(8, 64, 128)), rng.normal(size=(8, 64, 128))],
        loss, ("fastgrad", "torch", "jax"),
    )  # fmt: skip


def lstm():
    """50 steps of 32 sequences, 64 hidden values."""

    def loss(f, p, x, y):
        def cell(carried, x):
            state, memory = carried
            gates = x @ p[0] + state @ p[1] + p[2]
            keep, take = f.sigmoid(gates[:, :64]), f.sigmoid(gates[:, 64:128])
            memory = keep * memory + take * f.tanh(gates[:, 128:192])
            return f.sigmoid(gates[:, 192:]) * f.tanh(memory), memory

        state, _ = getattr(f, "loop", loop)(cell, (p[5], p[5]), x)
        return f.mse_loss(state @ p[3] + p[4], y)

    return Network(
        lambda rng: [rng.normal(size=(16, 256)) / 4, rng.normal(size=(64, 256)) / 8, np.zeros(256),
                     rng.normal(size=(64, 4)) / 8, np.zeros(4), np.zeros((32, 64))],
        lambda rng: [rng.normal(size=(50, 32, 16)), rng.normal(size=(32, 4))],
        loss, ("fastgrad", "torch", "jax", "autograd", "mygrad"),
    )  # fmt: skip


# ---------------------------------------------------------------- fastgrad and PyTorch --


def libraries(network):
    makers = {"fastgrad": _fastgrad, "torch": _torch, "jax": _jax, "autograd": _autograd, "mygrad": _mygrad,
              "numpy": _numpy}  # fmt: skip
    return {name: lambda inputs, name=name: makers[name](network, inputs) for name in network.peers}


def _fastgrad(network, inputs):
    import fastgrad as fg
    import fastgrad.nn.functional as f

    return _like_torch(network, inputs, fg.tensor, fg.optim, f, {})


def _torch(network, inputs):
    import torch

    return _like_torch(network, inputs, torch.tensor, torch.optim, torch.nn.functional, {"fused": True})


def _like_torch(network, inputs, tensor, optim, f, fastest):
    arrays, data = split(inputs)
    parameters, data = [tensor(a, requires_grad=True) for a in arrays], [tensor(a) for a in data]
    if network.optimizer == "adam":
        kept, optimizer = "exp_avg", optim.Adam(parameters, lr=LR, betas=BETAS, eps=EPS, **fastest)
    else:
        kept, optimizer = "momentum_buffer", optim.SGD(parameters, lr=LR, momentum=MOMENTUM, **fastest)
    loss = None

    def step():
        nonlocal loss
        optimizer.zero_grad()
        loss = network.loss(f, parameters, *data)
        loss.backward()
        optimizer.step()

    def results():
        means = [optimizer.state[p][kept] for p in parameters]
        return [np.array(t.detach().numpy()) for t in (loss, *means, parameters[-1])]

    return step, results


# ---------------------------------------------------------------- JAX --


def _jax(network, inputs):
    import jax
    import jax.numpy as jnp

    f = _jax_functions(jax, jnp)
    arrays, data = split(inputs)
    state = [[jnp.asarray(a) for a in arrays], *([jnp.zeros_like(a) for a in arrays] for _ in range(2)), 0]
    data = [jnp.asarray(a) for a in data]

    def update(state, data):
        loss, gradients = jax.value_and_grad(lambda p: network.loss(f, p, *data))(state[0])
        return loss, _updated(network.optimizer, state, gradients, jnp.sqrt)

    update = jax.jit(update, donate_argnums=0)
    loss = None

    def step():
        nonlocal loss, state
        loss, state = update(state, data)
        jax.block_until_ready(state)

    return step, lambda: [np.array(a) for a in (loss, *state[1], state[0][-1])]


def _updated(optimizer, state, gradients, sqrt):
    """The next parameters, means, means of squares and number of steps."""
    parameters, means, squares, count = state
    if optimizer == "sgd":
        means = [MOMENTUM * m + g for m, g in zip(means, gradients)]
        return [[p - LR * m for p, m in zip(parameters, means)], means, squares, count + 1]
    (a, b), count = BETAS, count + 1
    means = [a * m + (1 - a) * g for m, g in zip(means, gradients)]
    squares = [b * v + (1 - b) * g * g for v, g in zip(squares, gradients)]
    stride, scale = LR / (1 - a**count), (1 - b**count) ** 0.5
    parameters = [p - stride * m / (sqrt(v) / scale + EPS) for p, m, v in zip(parameters, means, squares)]
    return [parameters, means, squares, count]


def _jax_functions(jax, jnp):
    def conv2d(x, w, bias, padding=0):
        pads = ((padding, padding),) * 2
        return jax.lax.conv_general_dilated(x, w, (1, 1), pads) + bias[:, None, None]

    def max_pool2d(x, size):
        window = (1, 1, size, size)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    def layer_norm(x, shape, weight, bias):
        x = x - x.mean(-1, keepdims=True)
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weight + bias

    def attention(q, k, v, is_causal):
        scores = q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5
        seen = np.tri(q.shape[-2], dtype=bool)
        return jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), -1) @ v

    return SimpleNamespace(
        linear=lambda x, weight, bias: x @ weight.T + bias, relu=jax.nn.relu, sigmoid=jax.nn.sigmoid, tanh=jnp.tanh,
        gelu=lambda x: jax.nn.gelu(x, approximate=False), mse_loss=lambda x, y: jnp.mean((x - y) ** 2),
        cross_entropy=lambda x, y: -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean(),
        conv2d=conv2d, max_pool2d=max_pool2d, layer_norm=layer_norm, scaled_dot_product_attention=attention,
        loop=jax_loop,
    )  # fmt: skip


# ---------------------------------------------------------------- autograd, MyGrad, NumPy --


def _stepped(network, arrays, gradient):
    """Steps in place by NumPy; `gradient(parameters)` gives the loss and the gradients."""
    state, loss = [arrays, *([np.zeros_like(a) for a in arrays] for _ in range(2)), 0], None

    def step():
        nonlocal state, loss
        loss, gradients = gradient(state[0])
        state = _updated(network.optimizer, state, gradients, np.sqrt)

    return step, lambda: [np.array(a, np.float32) for a in (loss, *state[1], state[0][-1])]


def _autograd(network, inputs):
    import autograd
    import autograd.numpy as anp

    def cross_entropy(x, y):
        x = x - anp.max(x, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(x), axis=1)) - x[np.arange(len(y)), y])

    f = SimpleNamespace(
        linear=lambda x, weight, bias: anp.dot(x, weight.T) + bias, relu=lambda x: anp.maximum(x, 0), tanh=anp.tanh,
        sigmoid=lambda x: 0.5 * anp.tanh(0.5 * x) + 0.5, mse_loss=lambda x, y: anp.mean((x - y) ** 2),
        cross_entropy=cross_entropy,
    )  # fmt: skip
    arrays, data = split(inputs)
    return _stepped(network, arrays, autograd.value_and_grad(lambda p: network.loss(f, p, *data)))


def _mygrad(network, inputs):
    import mygrad as mg
    from mygrad.nnet.activations import sigmoid
    from mygrad.nnet.losses import softmax_crossentropy

    mg.turn_memory_guarding_off()  # as its documentation advises where speed matters
    f = SimpleNamespace(
        linear=lambda x, weight, bias: mg.matmul(x, weight.T) + bias, relu=lambda x: mg.maximum(x, 0), tanh=mg.tanh,
        sigmoid=sigmoid, mse_loss=lambda x, y: mg.mean((x - y) ** 2), cross_entropy=softmax_crossentropy,
    )  # fmt: skip
    arrays, data = split(inputs)

    def gradient(arrays):
        parameters = [mg.tensor(a) for a in arrays]
        loss = network.loss(f, parameters, *data)
        loss.backward()
        return loss.data, [p.grad for p in parameters]

    return _stepped(network, arrays, gradient)


def _numpy(network, inputs):
    """The MLP's gradient as one writes it by hand."""
    arrays, (x, y) = split(inputs)

    def gradient(p):
        values = [x]
        for weight, bias in zip(p[:-2:2], p[1:-2:2]):
            values.append(np.maximum(values[-1] @ weight.T + bias, 0))
        scores = values[-1] @ p[-2].T + p[-1]
        scores -= scores.max(1, keepdims=True)
        g = np.exp(scores)
        total, rows = g.sum(1, keepdims=True), np.arange(len(y))
        loss = np.mean(np.log(total[:, 0]) - scores[rows, y])
        g /= total
        g[rows, y] -= 1
        g /= len(y)
        gradients = []
        for value, weight in zip(reversed(values), reversed(p[::2])):
            gradients = [g.T @ value, g.sum(0), *gradients]
            if value is not x:
                g = g @ weight
                g *= value > 0
        return loss, gradients

    return _stepped(network, arrays, gradient)
