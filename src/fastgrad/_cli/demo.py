"""The autograd lesson on real data: how far diabetes has progressed in a year, from ten measurements.

A linear model of 442 patients. The loss is a tensor that remembers how it was made; `backward()` walks that memory
and leaves a gradient with every parameter. With gradients the model is fitted by plain gradient descent, again by
SciPy where it is installed, and both are compared with the solution in closed form.
"""

import argparse
import time
from importlib.util import find_spec

import numpy as np

import fastgrad as fg
from fastgrad.data import diabetes

from . import Failure
from ._terminal import Progress, can_show, duration, heading, plot, style, table

EPILOG = """\
examples:
  python -m fastgrad demo                        the whole lesson
  python -m fastgrad demo --steps 500            a shorter fit, further from the optimum
  python -m fastgrad demo --output loss.png      where to draw the loss curve
  python -m fastgrad demo --text                 draw it here, even with matplotlib
  python -m fastgrad demo --quiet                the comparison alone
"""


def _positive(kind):
    def parse(text):
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be positive, not {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


def add_arguments(parser):
    parser.add_argument("--steps", type=_positive(int), default=5000, help="steps of gradient descent (default: 5000)")
    parser.add_argument("--rate", type=_positive(float), default=0.2, help="size of a step (default: 0.2)")
    parser.add_argument("--output", metavar="FILE", help="file for the loss curve (default: fastgrad-demo.png)")
    parser.add_argument("--text", action="store_true", help="draw the loss curve in the terminal")
    parser.add_argument("--quiet", action="store_true", help="print the comparison alone, and draw nothing unasked")


def run(options):
    """Run the lesson; nothing is returned, what is learnt is printed."""
    if options.output and not options.text and find_spec("matplotlib") is None:
        raise Failure("--output needs matplotlib: pip install matplotlib (or --text to draw in the terminal)")
    say = (lambda *parts: None) if options.quiet else print
    title = (lambda text: None) if options.quiet else heading
    patients = diabetes()
    say(f"{len(patients.target)} patients, {len(patients.names)} measurements each: {', '.join(patients.names)}.")
    say("To be predicted: the progression of the disease one year later, from 25 to 346.")

    # Every column is scaled to mean 0 and variance 1, so that one step size suits them all.
    scaled = (patients.features - patients.features.mean(axis=0)) / patients.features.std(axis=0)
    x, y = fg.tensor(scaled), fg.tensor(patients.target)
    weights = fg.tensor(np.zeros(scaled.shape[1]), requires_grad=True)
    bias = fg.tensor(0.0, requires_grad=True)

    title("1. The loss is a tensor")
    loss = mean_squared_error(x, y, weights, bias)
    say("   loss = ((x @ weights + bias - y) ** 2).mean()")
    say(f"   loss              {loss!r}")
    say(f"   loss.grad_fn      {loss.grad_fn}")

    title("2. It remembers how it was made")
    names = {id(weights): "weights", id(bias): "bias"}
    for line in graph_lines(loss.grad_fn, names):
        say(f"   {line}")

    title("3. Gradients come with backward()")
    say(f"   before            weights.grad is {weights.grad}, bias.grad is {bias.grad}")
    loss.backward()
    say("   loss.backward()")
    for name, value in zip(patients.names, weights.grad.tolist()):
        say(f"   d loss / d {name:<6} {value:10.3f}")
    say(f"   d loss / d {'bias':<6} {bias.grad.item():10.3f}")
    by_hand = 2 / len(y) * scaled.T @ (scaled @ np.zeros(len(patients.names)) - patients.target)
    error = np.abs(weights.grad.numpy() - by_hand).max() / np.abs(by_hand).max()
    say(f"   By hand, 2/n xᵀ(x w + b - y) gives the same to {error:.0e}." if can_show("ᵀ") else "")

    title("4. The measurements take no part in that")
    say(f"   x.requires_grad is {x.requires_grad}, x.grad_fn is {x.grad_fn}, x.grad is {x.grad}")

    title("5. Downhill")
    losses, seconds = descend(x, y, weights, bias, options)
    each = duration(seconds / len(losses))
    say(f"   {len(losses):,} steps of {options.rate:g} in {duration(seconds)}, {each} each.")
    say(f"   The loss went from {losses[0]:,.1f} to {losses[-1]:,.1f}.")

    fits = {"gradient descent": np.append(weights.detach().numpy(), bias.item())}
    if find_spec("scipy"):
        fits["SciPy's L-BFGS"], evaluations = fit_with_scipy(x, y)
        say(f"   scipy.optimize with fastgrad's gradients: {evaluations} evaluations.")
    else:
        say("   (SciPy is not installed; with it, scipy.optimize would fit the model too.)")
    design = np.column_stack([scaled, np.ones(len(y))])
    fits["closed form"] = np.linalg.lstsq(design, patients.target, rcond=None)[0]

    title("6. All agree")
    print("\n".join(comparison(fits, (*patients.names, "bias"), design, patients.target)))
    exact = fits["closed form"]
    best = float(np.mean((design @ exact - patients.target) ** 2))
    draw(losses, best, options, say, title)
    return verdict(fits, losses, best, say)


def mean_squared_error(x, y, weights, bias):
    return ((x @ weights + bias - y) ** 2).mean()


def graph_lines(node, names):
    """The graph behind `node` as an indented list; `names` says what to call a leaf, by its id."""
    tee, last, down = ("├─ ", "└─ ", "│  ") if can_show("├└│─") else ("|- ", "`- ", "|  ")
    lines, stack = [], [(node, "", "")]
    while stack:
        node, lead, below = stack.pop()
        leaf = getattr(node, "variable", None)
        note = "" if leaf is None else f"  {style(names.get(id(leaf), 'a leaf'), '32')}, shape {tuple(leaf.shape)}"
        lines.append(f"{lead}{node}{note}")
        above = [edge for edge, _ in node.next_functions if edge is not None]
        for i in reversed(range(len(above))):
            end = i == len(above) - 1
            stack.append((above[i], below + (last if end else tee), below + ("   " if end else down)))
    return lines


def descend(x, y, weights, bias, options):
    """Gradient descent, in place; the loss at every step, and the seconds it took."""
    losses = []
    begun = time.perf_counter()
    with Progress("   descending", options.steps, show=not options.quiet) as progress:
        for _ in range(options.steps):
            weights.grad = bias.grad = None
            loss = mean_squared_error(x, y, weights, bias)
            loss.backward()
            with fg.no_grad():
                weights -= options.rate * weights.grad
                bias -= options.rate * bias.grad
            losses.append(loss.item())
            progress.step(f"loss {losses[-1]:,.1f}")
    seconds = time.perf_counter() - begun
    if not np.isfinite(losses[-1]) or losses[-1] > losses[0]:
        raise Failure(f"a step of {options.rate:g} is too long, the loss grows; try --rate {options.rate / 2:g}")
    return losses, seconds


def fit_with_scipy(x, y):
    """The same model by L-BFGS: SciPy asks for the value and the gradient, fastgrad gives both."""
    from scipy.optimize import minimize

    def value_and_gradient(parameters):
        p = fg.tensor(parameters, requires_grad=True)
        loss = mean_squared_error(x, y, p[:-1], p[-1])
        loss.backward()
        return loss.item(), p.grad.numpy()

    tight = {"ftol": 1e-15, "gtol": 1e-8, "maxiter": 1000}
    found = minimize(value_and_gradient, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options=tight)
    return found.x, found.nfev


def comparison(fits, names, design, target):
    """Lines of a table: what each way of fitting found, and how good it is."""
    rows = [[name, *(f"{fit[i]:.3f}" for fit in fits.values())] for i, name in enumerate(names)]
    residuals = [target - design @ fit for fit in fits.values()]
    rows.append(["mean squared error", *(f"{np.mean(r**2):.4f}" for r in residuals)])
    rows.append(["R²" if can_show("²") else "R^2", *(f"{1 - r.var() / target.var():.4f}" for r in residuals)])
    return [f"   {line}" for line in table(["", *fits], rows)]


def draw(losses, best, options, say, title):
    """The loss at each step: in a file through matplotlib where it is there, in the terminal where not."""
    if options.quiet and not options.output and not options.text:
        return
    title("7. The loss at each step")
    if options.text or find_spec("matplotlib") is None:
        print("\n".join(f"   {line}" for line in plot(losses, log=True)))
        if not options.text:
            say("   (With matplotlib installed this is a picture.)")
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    path = options.output or "fastgrad-demo.png"
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(np.arange(1, len(losses) + 1), losses, label="gradient descent")
    axes.axhline(best, color="0.6", linestyle="--", label="closed form")
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="mean squared error")
    axes.set_title("Progression of diabetes, a linear model")
    axes.legend()
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise Failure(f"cannot write the loss curve to {path}: {error}") from error
    finally:
        plt.close(figure)
    say(f"   drawn in {path}")


def verdict(fits, losses, best, say):
    """The last word, and the exit status: have the fits reached the optimum?"""
    exact = fits["closed form"]
    scale = np.abs(exact).max()
    say()
    for name, fit in fits.items():
        if name != "closed form":
            say(f"{name:<17} is within {np.abs(fit - exact).max() / scale:.1e} of the closed form.")
    if losses[-1] > best * 1.001:
        say("Gradient descent has some way to go: more --steps take it there.")
    return 0
