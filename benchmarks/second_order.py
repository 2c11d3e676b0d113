"""Second derivatives of Rosenbrock's function, beside PyTorch's.

    python benchmarks/second_order.py [--quick] [--check]

A product of the Hessian with a vector, for 1000 variables, beside the faster of PyTorch's two ways; and the whole
Hessian, for 50. All in this process, in turns, after a check that all agree; medians count.
"""

import sys
import timeit

import numpy as np
from _common import conclude, example, in_one_thread, options

import fastgrad as fg
from fastgrad._cli._terminal import Progress, duration, table
from fastgrad._cli._timing import interleaved

SIZES = {"product": 1000, "Hessian": 50}
#: How many times as fast as these, where the benchmark has a limit.
LIMITS = {
    "product": {"torch, the faster": 8.0},
    "Hessian": {"torch.autograd.functional.hessian": 20.0, "torch.func.hessian": 1.0},
}


def products(f, torch, x, v):
    """The product of the Hessian at x with v, each way."""
    point, direction = torch.tensor(x), torch.tensor(v)

    def grad_of_grad():
        leaf = point.clone().requires_grad_()
        (first,) = torch.autograd.grad(f(leaf), leaf, create_graph=True)
        return torch.autograd.grad(first, leaf, direction)[0]

    return {
        "fastgrad.func.hvp": lambda: fg.func.hvp(f, x, v)[1],
        "torch.autograd.functional.hvp": lambda: torch.autograd.functional.hvp(f, point, direction)[1],
        "torch, grad of grad": grad_of_grad,
        "torch.func, jvp of grad": lambda: torch.func.jvp(torch.func.grad(f), (point,), (direction,))[1],
    }


def hessians(f, torch, x):
    """The Hessian at x, each way."""
    point = torch.tensor(x)
    return {
        "fastgrad.func.hessian": lambda: fg.func.hessian(f)(x),
        "torch.autograd.functional.hessian": lambda: torch.autograd.functional.hessian(f, point),
        "torch, the same vectorized": lambda: torch.autograd.functional.hessian(f, point, vectorize=True),
        "torch.func.hessian": lambda: torch.func.hessian(f)(point),
    }


def agreed(ways):
    """Raise where two ways do not give the same."""
    expected = None
    for name, way in ways.items():
        found = np.asarray(way())
        expected = found if expected is None else expected
        if not np.allclose(found, expected, rtol=1e-10, atol=1e-10):
            raise SystemExit(f"{name} gives {found}, fastgrad {expected}")


def main():
    given = options(__doc__).parse_args()
    in_one_thread()
    rounds = 5 if given.quick else 51
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed, and there is nothing to compare with")
        return 0
    torch.set_num_threads(1)
    f, rng = example("rosenbrock").objective, np.random.default_rng(0)
    x = {what: rng.normal(size=size) for what, size in SIZES.items()}
    v = rng.normal(size=SIZES["product"])
    tried = {"product": products(f, torch, x["product"], v), "Hessian": hessians(f, torch, x["Hessian"])}
    missed, lines = [], []
    with Progress("second order", len(tried)) as progress:
        for what, ways in tried.items():
            agreed(ways)
            times = interleaved({name: timeit.Timer(way) for name, way in ways.items()}, rounds)
            seconds = {name: timing.median for name, timing in times.items()}
            own, *others = seconds.values()
            compared = {"torch, the faster": min(others), **seconds}
            for name, limit in LIMITS[what].items():
                if compared[name] / own < limit:
                    missed.append(f"{what}: {compared[name] / own:.1f} times as fast as {name}, of {limit:g}")
            for name, took in seconds.items():
                limit = LIMITS[what].get("torch, the faster" if took == min(others) else name)
                first = f"{what}, n = {SIZES[what]}" if took == own else ""
                lines.append([first, name, duration(took), f"{took / own:.2f}", "" if limit is None else f"{limit:g}"])
            progress.step(what)
    print("Second derivatives of Rosenbrock's function")
    print("\n".join(table(["", "by", "time", "over fastgrad's", "at least"], lines)))
    return conclude(missed, given.check)


if __name__ == "__main__":
    sys.exit(main())
