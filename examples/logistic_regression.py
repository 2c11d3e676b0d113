"""Logistic regression on 569 tumours, and the same with constraints on what it predicts.

    python examples/logistic_regression.py

The table is scikit-learn's, of W. N. Street, W. H. Wolberg and O. L. Mangasarian, Nuclear feature extraction for breast
tumor diagnosis, 1993: 30 measurements of each, and whether it was benign. The first fit is penalised by the squares of
the weights. The second has, in place of the penalty, a bound on them, and must be right on average in each quarter of
the tumours by size: a vector of constraints, whose Jacobian comes from the function alone.
"""

import time
from functools import cache

import numpy as np
from scipy.optimize import minimize

import fastgrad as fg

PENALTY = 1.0
BOUND = 4.0  # of the sum of the squared weights, in the fit with constraints


@cache
def table():
    """The measurements, each column with mean 0 and variance 1, and 1.0 for benign."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return (data.data - data.data.mean(axis=0)) / data.data.std(axis=0), data.target.astype(float)


@cache
def tensors():
    """The table as tensors, over the same memory: what is an operand again and again is best kept as one."""
    return tuple(fg.asarray(array) for array in table())


def start():
    """One weight for each measurement, and the intercept."""
    return np.zeros(table()[0].shape[1] + 1)


def log_loss(parameters, xp=fg, data=None):
    """Minus the logarithm of the likelihood: ``log(1 + exp(z)) - y * z``, written so that nothing overflows.

    `xp` is the library, and `data` the table as its arrays: other libraries are measured by the same formula.
    """
    x, y = data or tensors()
    z = x @ parameters[:-1] + parameters[-1]
    return (xp.maximum(z, 0.0) - y * z + xp.log1p(xp.exp(-abs(z)))).sum()


def objective(parameters, xp=fg, data=None):
    """The loss and the penalty of the weights."""
    weights = parameters[:-1]
    return log_loss(parameters, xp, data) + 0.5 * PENALTY * (weights @ weights)


def by_hand(parameters):
    """The value and the gradient of the objective, as one writes them with NumPy alone."""
    x, y = table()
    weights = parameters[:-1]
    z = x @ weights + parameters[-1]
    small = np.exp(-np.abs(z))
    value = (np.maximum(z, 0.0) - y * z + np.log1p(small)).sum() + 0.5 * PENALTY * (weights @ weights)
    residual = np.where(z >= 0, 1.0, small) / (1.0 + small) - y
    gradient = np.empty_like(parameters)
    gradient[:-1] = residual @ x + PENALTY * weights
    gradient[-1] = residual.sum()
    return value, gradient


def fit(value_and_gradient, method="BFGS"):
    """The parameters of the penalised fit."""
    return minimize(value_and_gradient, start(), jac=True, method=method)


# ---------------------------------------------------------------- with constraints


@cache
def quarters():
    """A matrix that takes the mean over each quarter of the tumours by their first measurement, the radius."""
    order = np.argsort(table()[0][:, 0])
    means = np.zeros((4, len(order)))
    for row, members in zip(means, np.array_split(order, 4)):
        row[members] = 1 / len(members)
    return means


def errors(parameters):
    """In each quarter, how much larger the mean prediction is than the share of the benign."""
    x, y = tensors()
    return quarters() @ (fg.sigmoid(x @ parameters[:-1] + parameters[-1]) - y)


def room(parameters):
    """How much of the bound is left."""
    weights = parameters[:-1]
    return BOUND - weights @ weights


class Together:
    """A constraint's values and their Jacobian, computed in one go and kept: SciPy asks for each in turn."""

    def __init__(self, function):
        self._both = fg.func.jacrev(lambda x: (values := function(x), values), has_aux=True)
        self._point = self._kept = None

    def _at(self, x):
        if self._point is None or not np.array_equal(x, self._point):
            self._point, self._kept = x.copy(), self._both(x)
        return self._kept

    def values(self, x):
        return self._at(x)[1]

    def jacobian(self, x):
        return self._at(x)[0]


def fit_with_constraints():
    """The least loss within the bound that is right on average in each quarter."""
    constraints = []
    for kind, function in (("eq", errors), ("ineq", room)):
        both = Together(function)
        constraints.append({"type": kind, "fun": both.values, "jac": both.jacobian})
    value_and_gradient = fg.func.value_and_grad(log_loss)
    return minimize(value_and_gradient, start(), jac=True, method="SLSQP", constraints=constraints)


def main():
    table()
    for name, function in (("by fastgrad", fg.func.value_and_grad(objective)), ("by hand", by_hand)):
        begun = time.perf_counter()
        found = fit(function)
        seconds = time.perf_counter() - begun
        print(f"penalised, gradient {name}: {found.fun:.6f}, {found.nfev} calls in {seconds:.3f} s")
    print("errors by quarter:", np.round(errors(found.x).numpy(), 4))
    found = fit_with_constraints()
    print(f"constrained: loss {found.fun:.6f}, squared weights {BOUND - room(found.x):.4f}, {found.nit} steps")
    print("errors by quarter:", np.round(errors(found.x).numpy(), 6) + 0.0)


if __name__ == "__main__":
    main()
