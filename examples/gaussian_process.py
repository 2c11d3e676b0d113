"""A Gaussian process: its three hyperparameters by maximum likelihood, on 60 noisy measurements of a curve.

    python examples/gaussian_process.py

The covariance of two measurements falls off with their distance, on a scale (`length`) that is to be found, as are the
size of the curve (`amplitude`) and of the noise. C. E. Rasmussen and C. K. I. Williams, Gaussian processes for machine
learning, 2006, algorithm 2.1 and equation 5.9.
"""

import time
from functools import cache

import numpy as np
from _show import Progress, arguments, save_picture
from scipy.optimize import minimize

import fastgrad as fg

COUNT = 60


def measured():
    """Where the measurements are taken, and what they are."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0.0, 10.0, COUNT))
    return x, np.sin(x) + 0.5 * np.cos(2.5 * x) + 0.2 * rng.normal(size=COUNT)


X, Y = measured()
CONSTANT = 0.5 * COUNT * np.log(2 * np.pi)


@cache
def table():
    """What the likelihood is computed from: the distances, the measurements and the identity."""
    return np.abs(X[:, None] - X), Y, np.eye(COUNT)


@cache
def tensors():
    """The table as tensors, over the same memory: what is an operand again and again is best kept as one."""
    return tuple(fg.asarray(array) for array in table())


def objective(theta, xp=fg, data=None):
    """Minus the logarithm of the likelihood of hyperparameters, which are given as logarithms.

    `xp` is the library, and `data` the table as its arrays: other libraries are measured by the same formula.
    """
    distances, y, eye = data or tensors()
    amplitude, length, noise = xp.exp(theta)
    covariance = amplitude**2 * xp.exp(-0.5 * (distances / length) ** 2) + noise**2 * eye
    factor = xp.linalg.cholesky(covariance)
    white = xp.linalg.solve_triangular(factor, y, lower=True)
    return 0.5 * (white @ white) + xp.log(xp.diagonal(factor)).sum() + CONSTANT


def by_hand(theta):
    """The value and the gradient, as one writes them with NumPy alone."""
    distances, y, eye = table()
    amplitude, length, noise = np.exp(theta)
    scaled = (distances / length) ** 2
    smooth = amplitude**2 * np.exp(-0.5 * scaled)
    covariance = smooth + noise**2 * eye
    factor, inverse = np.linalg.cholesky(covariance), np.linalg.inv(covariance)
    weights = inverse @ y
    value = 0.5 * (y @ weights) + np.log(np.diagonal(factor)).sum() + CONSTANT
    slope = inverse - np.multiply.outer(weights, weights)  # twice the derivative in the covariance
    inner = slope * smooth
    return value, np.array([inner.sum(), 0.5 * np.vdot(inner, scaled), noise**2 * np.trace(slope)])


def start():
    """The logarithms of amplitude, length and noise."""
    return np.zeros(3)


def fit(value_and_gradient):
    """The most likely hyperparameters, by L-BFGS."""
    return minimize(value_and_gradient, start(), jac=True, method="L-BFGS-B")


def predict(theta, x):
    """The mean and the standard deviation of the curve at the places `x`, given the measurements."""
    distances, y, eye = table()
    amplitude, length, noise = np.exp(theta)
    covariance = amplitude**2 * np.exp(-0.5 * (distances / length) ** 2) + noise**2 * eye
    across = amplitude**2 * np.exp(-0.5 * ((x[:, None] - X) / length) ** 2)
    weights = np.linalg.solve(covariance, across.T)
    return y @ weights, np.sqrt(np.maximum(amplitude**2 - (across.T * weights).sum(axis=0), 0.0))


def draw(theta, figure):
    """The measurements, and the curve with twice its deviation around it."""
    x = np.linspace(-1.0, 13.0, 400)
    mean, deviation = predict(theta, x)
    axes = figure.subplots()
    axes.fill_between(x, mean - 2 * deviation, mean + 2 * deviation, alpha=0.2)
    axes.plot(x, mean)
    axes.plot(X, Y, ".", color="black", markersize=4)
    axes.set(xlabel="x", ylabel="y")


def main():
    options = arguments(__doc__)
    lines = []
    with Progress("fitting", 2) as progress:
        for name, function in (("by fastgrad", fg.func.value_and_grad(objective)), ("by hand", by_hand)):
            begun = time.perf_counter()
            found = fit(function)
            seconds = time.perf_counter() - begun
            values = ", ".join(f"{n} {v:.3f}" for n, v in zip(("amplitude", "length", "noise"), np.exp(found.x)))
            values += f"; likelihood exp({-found.fun:.3f})"
            lines.append(f"gradient {name}: {values}, {found.nfev} calls in {seconds:.3f} s")
            progress.step(name)
    print(*lines, sep="\n")
    mean, deviation = predict(found.x, np.array([2.5, 5.0, 12.0]))
    for x, m, d in zip((2.5, 5.0, 12.0), mean, deviation):
        print(f"at {x:4.1f}: {m:6.3f} ± {d:.3f}")
    save_picture("gaussian_process", options.folder, lambda figure: draw(found.x, figure))


if __name__ == "__main__":
    main()
