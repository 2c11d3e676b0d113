"""Which measurements to trust: 64 penalties chosen at once, by a `Function` whose result is where a method converged.

    python examples/custom_function.py

The diabetes data of Efron, Hastie, Johnstone and Tibshirani, 2004: ten measurements of each patient, their squares and
their products. A robust regression finds the weights by Newton's method, a loop that stops when nothing changes; `Fit`
is that loop as one operation. Its derivative needs none of the iterations: where the gradient of the fit is zero, the
implicit function theorem says how the weights follow the penalties, by one system of equations. So the error on
patients left out is differentiated in the penalties, one for each measurement, square and product.
Y. Bengio, Gradient-based optimization of hyperparameters, 2000.
"""

import time

import numpy as np
from _show import Progress, arguments, save_picture

import fastgrad as fg
from fastgrad.data import diabetes

FOLDS, STEPS = 5, 60


def columns():
    """Measurements, squares and products of 442 patients, and how the disease went on, scaled; and their names."""
    data = diabetes()
    base, names = data.features - data.features.mean(axis=0), list(data.names)
    found, titles = list((base / base.std(axis=0)).T), list(names)
    for i in range(10):
        for j in range(i, 10):
            if (names[i], names[j]) != ("sex", "sex"):  # which says nothing new
                found.append(found[i] * found[j])
                titles.append(f"{names[i]} x {names[j]}" if i != j else f"{names[i]}²")
    x = np.stack(found, axis=1)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = (data.target - data.target.mean()) / data.target.std()
    return x, y, titles


def gradient(w, penalties, x, y, xp):
    """The gradient in w of ``mean(log(cosh(x w - y))) + sum(penalties * w²) / 2``, and its derivative in w."""
    slope = xp.tanh(x @ w - y)
    bend = (1.0 - slope * slope) / len(y)
    return x.T @ slope / len(y) + penalties * w, (x.T * bend) @ x + xp.diag(penalties)


def newton(penalties, x, y):
    """Where the gradient is zero: Newton's method, each step halved until the gradient is smaller than before."""
    w = np.zeros(x.shape[1])
    for _ in range(100):
        residual, hessian = gradient(w, penalties, x, y, np)
        if abs(residual).max() < 1e-12:
            return w
        step, length = np.linalg.solve(hessian, residual), 1.0
        while length > 1e-6:
            tried, _ = gradient(w - length * step, penalties, x, y, np)
            if np.linalg.norm(tried) < (1 - 0.1 * length) * np.linalg.norm(residual):
                break
            length /= 2
        w = w - length * step
    raise RuntimeError("Newton's method did not converge")


class Fit(fg.autograd.Function):
    """The weights of the robust regression, for given penalties."""

    @staticmethod
    def forward(ctx, penalties, x, y):
        ctx.x, ctx.y = x, y
        w = fg.asarray(newton(penalties.detach().numpy(), x, y))
        ctx.save_for_backward(penalties, w)
        return w

    @staticmethod
    def backward(ctx, g):
        penalties, w = ctx.saved_tensors  # operations on Tensors: so this has a derivative, too
        _, hessian = gradient(w, penalties, ctx.x, ctx.y, fg)
        return -fg.linalg.solve(hessian, g) * w, None, None


def error(w, x, y):
    """The mean robust error."""
    return fg.log(fg.cosh(x @ w - y)).mean()


def left_out(logarithms, x, y):
    """The mean error on each fold, of a fit to the others."""
    total, fold = 0.0, np.arange(len(y)) % FOLDS
    for k in range(FOLDS):
        here = fold == k
        total = total + error(Fit.apply(fg.exp(logarithms), x[~here], y[~here]), x[here], y[here])
    return total / FOLDS


def choose(x, y, first, steps, label):
    """Logarithms of penalties that make the error on what is left out small, by Adam. Gives them and the errors."""
    logarithms = fg.tensor(first, requires_grad=True)
    optimizer = fg.optim.Adam([logarithms], lr=0.2)
    errors = []
    with Progress(label, steps) as progress:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = left_out(logarithms + np.zeros(x.shape[1]), x, y)
            loss.backward()
            optimizer.step()
            errors.append(loss.item())
            progress.step(f"error {errors[-1]:.4f}")
    return logarithms.detach().numpy() + np.zeros(x.shape[1]), errors


def draw(logarithms, weights, names, figure):
    """The penalties, and the weights that they leave, of those that matter most."""
    most = np.argsort(-abs(weights))[:20][::-1]
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(np.arange(20), weights[most])
    left.set(xlabel="weight", yticks=np.arange(20), yticklabels=[names[i] for i in most])
    right.barh(np.arange(20), logarithms[most] / np.log(10), color="C1")
    right.set(xlabel="logarithm of the penalty, base 10")


def main():
    options = arguments(__doc__)
    x, y, names = columns()
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:300], order[300:]
    steps = 3 if options.quick else STEPS
    begun = time.perf_counter()
    one, _ = choose(x[train], y[train], np.log(1e-3), steps, "one penalty")
    each, errors = choose(x[train], y[train], one, steps, "each its own")
    seconds = time.perf_counter() - begun
    for name, logarithms in (("almost none", np.full(len(names), -20.0)), ("one for all", one), ("each its own", each)):
        weights = Fit.apply(fg.asarray(np.exp(logarithms)), x[train], y[train])
        wrong = error(weights, x[test], y[test]).item()
        print(f"penalty {name:12}: error {wrong:.4f} on {len(test)} patients held out")
    print(f"{len(names)} penalties: error left out {errors[0]:.4f} to {errors[-1]:.4f}")
    print(f"{2 * steps * FOLDS} fits, {seconds:.1f} s")
    weights = weights.numpy()
    save_picture("custom_function", options.folder, lambda figure: draw(each, weights, names, figure), (9.0, 5.0))


if __name__ == "__main__":
    main()
