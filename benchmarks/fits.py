"""What a gradient costs in a fit, and what the fit costs: the problems of examples/ through scipy.optimize.

    python benchmarks/fits.py [--quick] [--check]

Each library gets the example's own formula, an ndarray, and gives back a float and an ndarray, as SciPy wants them; JAX
runs what ``jax.jit`` has compiled. Then whole fits, with fastgrad's gradient and with the one written by hand. All in
one process, in turns, after a check that all agree; medians count. BLAS runs in one thread; JAX is left to itself,
which is its fastest way.
"""

import sys
import timeit
from functools import partial
from types import SimpleNamespace

import numpy as np
from _common import conclude, example, in_one_thread, options

import fastgrad as fg
from fastgrad._cli._peers import installed
from fastgrad._cli._terminal import Progress, duration, table
from fastgrad._cli._timing import interleaved

PROBLEMS = {"Rosenbrock, n = 100": "rosenbrock", "logistic regression, 569 x 30": "logistic_regression",
            "Gaussian process, n = 60": "gaussian_process"}  # fmt: skip
LIMITS = {"autograd": 10.0, "jax": 1.0}  # times as fast as these
FIT_LIMIT = 1.05  # of the time with the gradient by hand; two runs of the same differ by as much


def autograd_names(library):
    """The names that the examples use, as HIPS autograd spells them."""
    import autograd.numpy as anp
    from autograd.scipy.linalg import solve_triangular

    linalg = SimpleNamespace(cholesky=anp.linalg.cholesky, solve_triangular=solve_triangular)
    return SimpleNamespace(exp=anp.exp, log=anp.log, log1p=anp.log1p, maximum=anp.maximum, diagonal=anp.diag,
                           linalg=linalg)  # fmt: skip


def jax_names(library):
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    linalg = SimpleNamespace(cholesky=jnp.linalg.cholesky, solve_triangular=solve_triangular)
    return SimpleNamespace(exp=jnp.exp, log=jnp.log, log1p=jnp.log1p, maximum=jnp.maximum, diagonal=jnp.diagonal,
                           linalg=linalg)  # fmt: skip


def torch_names(library):
    torch = library.module

    def solve_triangular(a, b, lower):
        return torch.linalg.solve_triangular(a, b[:, None], upper=not lower)[:, 0]

    linalg = SimpleNamespace(cholesky=torch.linalg.cholesky, solve_triangular=solve_triangular)
    return SimpleNamespace(exp=torch.exp, log=torch.log, log1p=torch.log1p, diagonal=torch.diagonal, linalg=linalg,
                           maximum=lambda x, least: torch.clamp(x, min=least))  # fmt: skip


NAMES = {"autograd": autograd_names, "jax": jax_names, "torch": torch_names}


def formula(module, library):
    """The objective of an example as a function of a library's own array."""
    if not hasattr(module, "table"):
        return module.objective
    names, data = NAMES[library.name](library), [library.operand(array, False) for array in module.table()]
    return lambda x: module.objective(x, names, data)


def value_and_gradient(module, library):
    """A function of an ndarray that gives the value and the gradient as SciPy takes them."""
    if library.name == "numpy":
        return module.by_hand
    if library.name == "fastgrad":
        return fg.func.value_and_grad(module.objective)
    f = formula(module, library)
    if library.name == "autograd":
        return library.module.value_and_grad(f)
    if library.name == "jax":
        compiled = library.module.jit(library.module.value_and_grad(f))

        def call(x):
            value, gradient = compiled(x)
            return float(value), np.asarray(gradient)

        return call
    torch = library.module

    def call(x):
        x = torch.tensor(x, requires_grad=True)
        value = f(x)
        (gradient,) = torch.autograd.grad(value, x)
        return value.item(), gradient.numpy()

    return call


def agreed(name, functions, x):
    """Raise where two libraries do not agree on the value and the gradient at x."""
    value, gradient = functions["numpy"](x)
    for library, function in functions.items():
        own, slope = function(x)
        if not (np.isclose(own, value, rtol=1e-10) and np.allclose(slope, gradient, rtol=1e-8, atol=1e-8)):
            raise SystemExit(f"{name}: {library} gives {own}, {slope}, by hand it is {value}, {gradient}")


def main():
    given = options(__doc__).parse_args()
    in_one_thread()
    rounds = 5 if given.quick else 51
    libraries = installed({"numpy", "fastgrad", "torch", "jax", "autograd"})
    for library in libraries:
        if library.name == "torch":
            library.module.set_num_threads(1)
    calls, fits = {}, {}
    with Progress("fits", 2 * len(PROBLEMS)) as progress:
        for name, module_name in PROBLEMS.items():
            module = example(module_name)
            functions = {library.name: value_and_gradient(module, library) for library in libraries}
            x = module.start() + 0.1 * np.random.default_rng(0).normal(size=module.start().size)
            agreed(name, functions, x)
            calls[name] = interleaved({key: timeit.Timer(partial(f, x)) for key, f in functions.items()}, rounds)
            progress.step(name)
            wholes = {key: timeit.Timer(partial(module.fit, functions[key])) for key in ("numpy", "fastgrad")}
            fits[name] = interleaved(wholes, rounds)
            progress.step(name)

    missed, lines = [], []
    for name, times in calls.items():
        own = times["fastgrad"].median
        for library, timing in times.items():
            ratio, limit = timing.median / own, LIMITS.get(library)
            if limit is not None and ratio < limit:
                missed.append(f"{name}: {ratio:.1f} times as fast as {library}")
            title = "by hand" if library == "numpy" else library
            first = name if library == next(iter(times)) else ""
            lines.append([first, title, duration(timing.median), f"{ratio:.2f}", "" if limit is None else f"{limit:g}"])
    print("Value and gradient")
    print("\n".join(table(["problem", "library", "time", "over fastgrad's", "at least"], lines)))

    lines = []
    for name, times in fits.items():
        ratio = times["fastgrad"].median / times["numpy"].median
        if ratio > FIT_LIMIT:
            missed.append(f"{name}: the fit takes {ratio:.2f} of the time with the gradient by hand")
        lines.append([name, duration(times["numpy"].median), duration(times["fastgrad"].median), f"{ratio:.2f}"])
    print(f"\nFits (limit {FIT_LIMIT})")
    print("\n".join(table(["problem", "by hand", "fastgrad", "ratio"], lines)))
    return conclude(missed, given.check)


if __name__ == "__main__":
    sys.exit(main())
