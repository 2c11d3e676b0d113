"""Lynx and hares: the four rates of an ordinary differential equation, fitted through a hand-written integrator.

    python examples/ode_fit.py

The pelts that the Hudson Bay Company took in, in thousands, from 1900 to 1920: C. G. Hewitt, The conservation of the
wild life of Canada, 1921. The equation is that of A. J. Lotka, 1925, and V. Volterra, 1926. The integrator is the
Runge-Kutta method of order 4 in a Python loop; gradients go back through all of its steps, to the rates and to the
first year.
"""

import time

import numpy as np
from _show import Progress, arguments, save_picture, table

import fastgrad as fg

YEARS = np.arange(1900, 1921)
HARES = np.array([
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6,
    16.2, 24.7,
])  # fmt: skip
LYNXES = np.array([
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6,
])  # fmt: skip
SEEN = np.log(np.stack([HARES, LYNXES], axis=1))
RATES = ("hares born", "hares eaten", "lynxes dying", "lynxes fed")
STEPS = 5  # of the integrator, in a year


def start():
    """The logarithms of four rates, guessed, and of the hares and lynxes of the first year."""
    return np.concatenate([np.log([0.5, 0.02, 0.7, 0.02]), SEEN[0]])


def slope(state, rates):
    """How fast the logarithms of hares and lynxes change."""
    hares, lynxes = fg.exp(state)
    return fg.stack([rates[0] - rates[1] * lynxes, rates[3] * hares - rates[2]])


def runge_kutta(state, rates, h):
    """One step."""
    a = slope(state, rates)
    b = slope(state + 0.5 * h * a, rates)
    c = slope(state + 0.5 * h * b, rates)
    d = slope(state + h * c, rates)
    return state + (h / 6) * (a + 2 * b + 2 * c + d)


def course(parameters, years=21, steps=STEPS, span=1.0):
    """The logarithms of hares and lynxes in each year, or span of years, as many steps of the integrator apart."""
    rates, state = fg.exp(parameters[:4]), parameters[4:]
    states = [state]
    for _ in range(years - 1):
        for _ in range(steps):
            state = runge_kutta(state, rates, span / steps)
        states.append(state)
    return fg.stack(states)


def objective(parameters, years=21, steps=STEPS):
    """The mean square of what is left of the logarithms."""
    return ((course(parameters, years, steps) - SEEN[:years]) ** 2).mean()


def fit(quick=False):
    """The parameters by L-BFGS, the first years before all of them. Gives them, and the losses."""
    parameters = fg.tensor(start(), requires_grad=True)
    spans = [6] if quick else [6, 11, 16, 21]
    losses = []
    rounds = 2 if quick else 8
    with Progress("fitting", rounds * len(spans)) as progress:
        for years in spans:
            optimizer = fg.optim.LBFGS([parameters], max_iter=4, line_search_fn="strong_wolfe")

            def closure():
                optimizer.zero_grad()  # noqa: B023
                loss = objective(parameters, years)  # noqa: B023
                loss.backward()
                return loss

            for _ in range(rounds):
                losses.append(optimizer.step(closure).item())
                progress.step(f"to {YEARS[years - 1]}: {losses[-1]:.4f}")
    return parameters.detach().numpy(), losses


def draw(parameters, figure):
    """The pelts, and the course that was found."""
    with fg.no_grad():
        found = fg.exp(course(fg.tensor(parameters), 201, 2, 0.1)).numpy()
    axes = figure.subplots()
    for name, seen, line, colour in (("hares", HARES, found[:, 0], "C0"), ("lynxes", LYNXES, found[:, 1], "C1")):
        axes.plot(YEARS, seen, "o", color=colour, label=name)
        axes.plot(YEARS[0] + 0.1 * np.arange(201), line, color=colour)
    axes.set(xlabel="year", ylabel="pelts, thousands", xticks=YEARS[::5])
    axes.legend()


def main():
    options = arguments(__doc__)
    begun = time.perf_counter()
    parameters, losses = fit(options.quick)
    rows = [(name, f"{rate:.4f}") for name, rate in zip(RATES, np.exp(parameters[:4]))]
    print(*table(("rate, a year", "found"), rows), sep="\n")
    left = float(objective(fg.tensor(parameters))) ** 0.5
    print(f"mean square {losses[0]:.4f} to {losses[-1]:.4f} in {time.perf_counter() - begun:.1f} s")
    print(f"pelts are off by {np.expm1(left):.0%}, as a root mean square")
    save_picture("ode_fit", options.folder, lambda figure: draw(parameters, figure))


if __name__ == "__main__":
    main()
