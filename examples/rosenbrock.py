"""Rosenbrock's valley in 100 dimensions: BFGS with a gradient, Newton's method with products of the Hessian.

    python examples/rosenbrock.py

SciPy takes ``fg.func.value_and_grad(objective)`` as it stands: a float and a fresh ndarray come back for an ndarray.
H. H. Rosenbrock, An automatic method for finding the greatest or least value of a function, 1960.
"""

import time

import numpy as np
from _show import Progress, arguments, save_picture
from scipy.optimize import minimize

import fastgrad as fg

SIZE = 100


def objective(x):
    """The sum of ``100 (x[i+1] - x[i]²)² + (1 - x[i])²``; its least value is 0, at ones."""
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def by_hand(x):
    """The value and the gradient, as one writes them with NumPy alone."""
    low, valley, slope = x[:-1], x[1:] - x[:-1] ** 2, 1.0 - x[:-1]
    gradient = np.zeros_like(x)
    gradient[1:] = 200.0 * valley
    gradient[:-1] -= 400.0 * low * valley + 2.0 * slope
    return 100.0 * valley @ valley + slope @ slope, gradient


def start():
    return np.zeros(SIZE)


def fit(value_and_gradient):
    """The minimum, by BFGS."""
    return minimize(value_and_gradient, start(), jac=True, method="BFGS")


def fit_by_newton():
    """The minimum, by Newton's method: conjugate gradients need the Hessian only as a factor of vectors."""
    return minimize(
        fg.func.value_and_grad(objective), start(), jac=True, method="Newton-CG",
        hessp=lambda x, v: fg.func.hvp(objective, x, v)[1],
    )  # fmt: skip


def way():
    """The points that BFGS tries, from a place on the other side of the valley."""
    value_and_gradient, points = fg.func.value_and_grad(objective), []

    def tried(x):
        points.append(x.copy())
        return value_and_gradient(x)

    minimize(tried, np.array([-1.2, 1.0]), jac=True, method="BFGS")
    return np.array(points)


def draw(figure):
    """The way down the valley of two dimensions."""
    points, axes = way(), figure.subplots()
    x, y = np.meshgrid(np.linspace(-1.6, 1.4, 200), np.linspace(-0.6, 1.6, 200))
    height = 100.0 * (y - x**2) ** 2 + (1.0 - x) ** 2
    axes.contour(x, y, height, np.geomspace(0.1, 1000, 13), cmap="viridis", linewidths=0.7)
    axes.plot(*points.T, ".-", markersize=4, linewidth=0.8)
    axes.plot(1.0, 1.0, "*", markersize=12, color="C1")
    axes.set(xlim=(-1.6, 1.4), ylim=(-0.6, 1.6))


def main():
    options = arguments(__doc__)
    runs = {
        "BFGS, gradient by fastgrad": lambda: fit(fg.func.value_and_grad(objective)),
        "BFGS, gradient by hand": lambda: fit(by_hand),
        "Newton-CG, Hessian products by fastgrad": fit_by_newton,
    }
    lines = []
    with Progress("minimising", len(runs)) as progress:
        for name, run in runs.items():
            begun = time.perf_counter()
            found = run()
            seconds = time.perf_counter() - begun
            error = abs(found.x - 1).max()
            lines.append(f"{name}: f = {found.fun:.1e}, {error:.0e} from ones, {found.nit} steps in {seconds:.2f} s")
            progress.step(name)
    print(*lines, sep="\n")
    save_picture("rosenbrock", options.folder, draw)


if __name__ == "__main__":
    main()
