"""Fits by gradient descent: a Gaussian process, and the rates of an ordinary differential equation; float64.

Each is a formula of a few numbers in the functions of NumPy, which all libraries spell. A step is the value, the
gradient, and one move down it.
"""

from types import SimpleNamespace

import numpy as np

from ._models_networks import jax_loop, loop

LR = 1e-4


def _builder(prepare, formula):
    """`prepare()`: the library's functions, what makes its arrays, and what gives value and gradient at an ndarray."""

    def build(inputs):
        functions, array, value_and_gradient = prepare()
        theta = inputs["theta"].copy()
        data = [array(a) for name, a in inputs.items() if name != "theta"]
        call = value_and_gradient(lambda theta: formula(functions, theta, *data))
        found = None

        def step():
            nonlocal found, theta
            found = call(theta)
            theta = theta - LR * found[1]

        return step, lambda: [np.asarray(found[0]), found[1], theta]

    return build


def _fastgrad():
    import fastgrad as fg

    names = SimpleNamespace(exp=fg.exp, log=fg.log, stack=fg.stack, diagonal=fg.diagonal, cholesky=fg.linalg.cholesky,
                            solve=lambda a, b: fg.linalg.solve_triangular(a, b, lower=True))  # fmt: skip
    return names, fg.tensor, fg.func.value_and_grad


def _torch():
    import torch

    def value_and_gradient(f):
        def call(theta):
            theta = torch.tensor(theta, requires_grad=True)
            value = f(theta)
            (gradient,) = torch.autograd.grad(value, theta)
            return value.item(), gradient.numpy()

        return call

    def solve(a, b):
        return torch.linalg.solve_triangular(a, b[:, None], upper=False)[:, 0]

    names = SimpleNamespace(exp=torch.exp, log=torch.log, stack=torch.stack, diagonal=torch.diagonal,
                            cholesky=torch.linalg.cholesky, solve=solve)  # fmt: skip
    return names, torch.tensor, value_and_gradient


def _jax():
    import jax
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    jax.config.update("jax_enable_x64", True)

    def value_and_gradient(f):
        compiled = jax.jit(jax.value_and_grad(f))

        def call(theta):
            value, gradient = compiled(theta)
            return float(value), np.asarray(gradient)

        return call

    names = SimpleNamespace(exp=jnp.exp, log=jnp.log, stack=jnp.stack, diagonal=jnp.diagonal,
                            cholesky=jnp.linalg.cholesky, solve=lambda a, b: solve_triangular(a, b, lower=True),
                            loop=jax_loop)  # fmt: skip
    return names, jnp.asarray, value_and_gradient


def _autograd():
    import autograd
    import autograd.numpy as anp
    from autograd.scipy.linalg import solve_triangular

    names = SimpleNamespace(exp=anp.exp, log=anp.log, stack=anp.stack, diagonal=anp.diag, cholesky=anp.linalg.cholesky,
                            solve=lambda a, b: solve_triangular(a, b, lower=True))  # fmt: skip
    return names, np.asarray, autograd.value_and_grad


def _mygrad():
    import mygrad as mg

    mg.turn_memory_guarding_off()  # as its documentation advises where speed matters

    def value_and_gradient(f):
        def call(theta):
            theta = mg.tensor(theta)
            value = f(theta)
            value.backward()
            return value.item(), theta.grad

        return call

    return SimpleNamespace(exp=mg.exp, log=mg.log, stack=mg.stack), np.asarray, value_and_gradient


# ---------------------------------------------------------------- a Gaussian process --


def gaussian_inputs():
    """The logarithms of amplitude, length and noise; then the distances, the measurements and the identity."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0.0, 10.0, 200))
    y = np.sin(x) + 0.5 * np.cos(2.5 * x) + 0.2 * rng.normal(size=200)
    return {"theta": np.zeros(3), "distances": np.abs(x[:, None] - x), "y": y, "eye": np.eye(200)}


def likelihood(f, theta, distances, y, eye):
    """Minus the logarithm of the likelihood, up to a constant."""
    scales = f.exp(theta)
    amplitude, length, noise = scales[0], scales[1], scales[2]
    factor = f.cholesky(amplitude**2 * f.exp(-0.5 * (distances / length) ** 2) + noise**2 * eye)
    white = f.solve(factor, y)
    return 0.5 * (white @ white) + f.log(f.diagonal(factor)).sum()


def _by_hand(inputs):
    """The likelihood and its gradient, as one writes them with NumPy alone."""
    theta, (distances, y, eye), found = inputs["theta"].copy(), [inputs[k] for k in ("distances", "y", "eye")], None

    def step():
        nonlocal theta, found
        amplitude, length, noise = np.exp(theta)
        scaled = (distances / length) ** 2
        smooth = amplitude**2 * np.exp(-0.5 * scaled)
        covariance = smooth + noise**2 * eye
        factor, inverse = np.linalg.cholesky(covariance), np.linalg.inv(covariance)
        weights = inverse @ y
        value = 0.5 * (y @ weights) + np.log(np.diagonal(factor)).sum()
        slope = inverse - np.multiply.outer(weights, weights)  # twice the derivative in the covariance
        inner = slope * smooth
        found = value, np.array([inner.sum(), 0.5 * np.vdot(inner, scaled), noise**2 * np.trace(slope)])
        theta = theta - LR * found[1]

    return step, lambda: [np.asarray(found[0]), found[1], theta]


GAUSSIAN = {name: _builder(prepare, likelihood) for name, prepare in
            (("fastgrad", _fastgrad), ("torch", _torch), ("jax", _jax), ("autograd", _autograd))}  # fmt: skip
GAUSSIAN["numpy"] = _by_hand

# ---------------------------------------------------------------- a differential equation --


def ode_inputs():
    """Logarithms of the four rates of Lotka and Volterra, guessed, and three courses that are seen."""
    f = SimpleNamespace(exp=np.exp, stack=np.stack)
    starts = np.log([[10.0, 20.0, 30.0], [5.0, 10.0, 4.0]])
    return {
        "theta": np.log([0.5, 0.02, 0.7, 0.02]),
        "seen": course(f, np.log([0.55, 0.028, 0.84, 0.026]), starts),
        "starts": starts,
    }


def course(f, theta, state, h=0.05):
    """The logarithms of prey and hunters at ten times, ten steps of Runge and Kutta's method of order 4 apart."""
    born, eaten, dying, fed = (f.exp(theta[i]) for i in range(4))

    def slope(state):
        sizes = f.exp(state)
        return f.stack([born - eaten * sizes[1], fed * sizes[0] - dying])

    def advance(state, _):
        a = slope(state)
        b = slope(state + 0.5 * h * a)
        c = slope(state + 0.5 * h * b)
        d = slope(state + h * c)
        return state + (h / 6) * (a + 2 * b + 2 * c + d)

    states = []
    for _ in range(10):
        state = getattr(f, "loop", loop)(advance, state, np.arange(10))
        states.append(state)
    return f.stack(states)


def misfit(f, theta, seen, starts):
    """The mean square of what is left."""
    return ((course(f, theta, starts) - seen) ** 2).mean()


_PEERS = {"fastgrad": _fastgrad, "torch": _torch, "jax": _jax, "autograd": _autograd, "mygrad": _mygrad}
ODE = {name: _builder(prepare, misfit) for name, prepare in _PEERS.items()}
