"""A training step of small networks, beside PyTorch's: forward, loss, backward, Adam.

    python benchmarks/networks.py [--quick]

An MLP 784-256-128-10 with 32 and with 256 images, a convolutional net on 32 images of 28 x 28, a transformer block, and
Adam alone on a million parameters; float32. The same parameters and data go into both, and the losses of three steps
are compared before anything is timed. All in this process, in turns, BLAS in one thread; medians count.
"""

import sys
import timeit

import numpy as np
from _common import in_one_thread, options

import fastgrad as fg
import fastgrad.nn.functional as F
from fastgrad._cli._terminal import Progress, duration, table
from fastgrad._cli._timing import interleaved


def dense(rng, n, m):
    return rng.normal(size=(m, n)).astype(np.float32) / np.float32(n**0.5), np.zeros(m, np.float32)


def kernels(rng, n, m, k):
    return rng.normal(size=(m, n, k, k)).astype(np.float32) / np.float32(k * n**0.5), np.zeros(m, np.float32)


def mlp(rng, batch):
    """Parameters, data, and the loss in the functions of either library."""
    parameters = [a for n, m in ((784, 256), (256, 128), (128, 10)) for a in dense(rng, n, m)]
    x, y = rng.normal(size=(batch, 784)).astype(np.float32), rng.integers(0, 10, batch)

    def loss(f, p, x, y):
        x = f.relu(f.linear(x, p[0], p[1]))
        x = f.relu(f.linear(x, p[2], p[3]))
        return f.cross_entropy(f.linear(x, p[4], p[5]), y)

    return parameters, (x, y), loss


def convnet(rng):
    parameters = [*kernels(rng, 1, 8, 3), *kernels(rng, 8, 16, 3), *dense(rng, 16 * 7 * 7, 10)]
    x, y = rng.normal(size=(32, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 32)

    def loss(f, p, x, y):
        x = f.max_pool2d(f.relu(f.conv2d(x, p[0], p[1], padding=1)), 2)
        x = f.max_pool2d(f.relu(f.conv2d(x, p[2], p[3], padding=1)), 2)
        return f.cross_entropy(f.linear(x.reshape((32, 16 * 7 * 7)), p[4], p[5]), y)

    return parameters, (x, y), loss


def transformer(rng):
    """One block: 8 sequences of 64 places, 4 heads of 16."""
    width = 64
    parameters = [
        *dense(rng, width, 3 * width), *dense(rng, width, width), *dense(rng, width, 4 * width),
        *dense(rng, 4 * width, width), np.ones(width, np.float32), np.zeros(width, np.float32),
        np.ones(width, np.float32), np.zeros(width, np.float32),
    ]  # fmt: skip
    x = rng.normal(size=(8, 64, width)).astype(np.float32)

    def loss(f, p, x, y):
        h = f.linear(f.layer_norm(x, (width,), p[8], p[9]), p[0], p[1]).reshape((8, 64, 3, 4, 16))
        q, k, v = (h[:, :, i].swapaxes(1, 2) for i in range(3))
        h = f.scaled_dot_product_attention(q, k, v, is_causal=True).swapaxes(1, 2).reshape((8, 64, width))
        x = x + f.linear(h, p[2], p[3])
        h = f.gelu(f.linear(f.layer_norm(x, (width,), p[10], p[11]), p[4], p[5]))
        return f.mse_loss(x + f.linear(h, p[6], p[7]), y)

    return parameters, (x, x[::-1].copy()), loss


def steps(problem, torch):
    """A training step of each library."""
    parameters, data, loss = problem
    ours = [fg.tensor(a, requires_grad=True) for a in parameters]
    theirs = [torch.tensor(a, requires_grad=True) for a in parameters]
    our_data, their_data = [fg.tensor(a) for a in data], [torch.tensor(a) for a in data]
    adam = fg.optim.Adam(ours, lr=1e-3)
    their_adam = torch.optim.Adam(theirs, lr=1e-3)
    fused = [torch.tensor(a, requires_grad=True) for a in parameters]
    fused_adam = torch.optim.Adam(fused, lr=1e-3, fused=True)

    def step(f, values, given, optimizer):
        optimizer.zero_grad()
        out = loss(f, values, *given)
        out.backward()
        optimizer.step()
        return float(out.detach())

    return {
        "fastgrad": lambda: step(F, ours, our_data, adam),
        "torch": lambda: step(torch.nn.functional, theirs, their_data, their_adam),
        "torch, fused Adam": lambda: step(torch.nn.functional, fused, their_data, fused_adam),
    }


def adam_alone(rng, torch):
    """The update of a million parameters."""
    start, slope = rng.normal(size=(2, 1_000_000)).astype(np.float32)
    ours, theirs, fused = fg.tensor(start), torch.tensor(start), torch.tensor(start)
    ours.grad, theirs.grad, fused.grad = fg.tensor(slope), torch.tensor(slope), torch.tensor(slope)
    optimizers = {
        "fastgrad": fg.optim.Adam([ours.requires_grad_()], lr=1e-3),
        "torch": torch.optim.Adam([theirs.requires_grad_()], lr=1e-3),
        "torch, fused Adam": torch.optim.Adam([fused.requires_grad_()], lr=1e-3, fused=True),
    }
    values = {"fastgrad": ours, "torch": theirs, "torch, fused Adam": fused}

    def step(name):
        optimizers[name].step()
        return float(values[name].detach()[0])

    return {name: lambda name=name: step(name) for name in optimizers}


def measure(torch, rounds, progress):
    problems = {
        "MLP, 32 images": mlp(np.random.default_rng(0), 32),
        "MLP, 256 images": mlp(np.random.default_rng(0), 256),
        "convolutions": convnet(np.random.default_rng(0)),
        "transformer block": transformer(np.random.default_rng(0)),
    }
    ways = {name: steps(problem, torch) for name, problem in problems.items()}
    ways["Adam alone"] = adam_alone(np.random.default_rng(0), torch)
    found = {}
    for name, libraries in ways.items():
        values = [[way() for _ in range(3)] for way in libraries.values()]
        np.testing.assert_allclose(values, [values[0]] * len(values), rtol=2e-4, err_msg=name)
        timed = interleaved({library: timeit.Timer(way) for library, way in libraries.items()}, rounds)
        found[name] = {library: timing.median for library, timing in timed.items()}
        progress.step(name)
    return found


def main():
    given = options(__doc__).parse_args()
    in_one_thread()
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: nothing to compare with")
        return 0
    torch.set_num_threads(1)
    with Progress("timing", 5) as progress:
        found = measure(torch, 5 if given.quick else 41, progress)
    rows = []
    for name, times in found.items():
        theirs = min(time for library, time in times.items() if library != "fastgrad")
        ratio = theirs / times["fastgrad"]
        rows.append([name, *(duration(time) for time in times.values()), f"{ratio:.2f}"])
    print("\n".join(table(["a step", "fastgrad", "torch", "torch, fused Adam", "torch / fastgrad"], rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
