"""The examples run, and their fits end where those with other gradients do."""

import importlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as fg

ROOT = pathlib.Path(__file__).parents[1]
NEEDS = {"gaussian_process": ["scipy"], "logistic_regression": ["scipy", "sklearn"], "rosenbrock": ["scipy"]}
FITS = ["gaussian_process", "logistic_regression", "rosenbrock"]

pytestmark = pytest.mark.skipif(not (ROOT / "examples").exists(), reason="the examples are not here")


def needs(name):
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)


@pytest.fixture
def example(request, monkeypatch):
    """A module of examples/, whose name is the parameter."""
    needs(request.param)
    monkeypatch.syspath_prepend(ROOT / "examples")
    return importlib.import_module(request.param)


@pytest.fixture
def fits(monkeypatch):
    """benchmarks/fits.py, which knows how other libraries spell the examples."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("fits")


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.py")))
def test_an_example_runs(name, tmp_path):
    needs(name)
    path = os.pathsep.join([str(pathlib.Path(fg.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py"], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path, "MPLBACKEND": "agg"}, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout and "nan" not in done.stdout and not done.stderr


@pytest.mark.parametrize("example", FITS, indirect=True)
def test_the_gradient_is_that_written_by_hand(example):
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = example.start() + 0.3 * rng.normal(size=example.start().size)
        value, gradient = fg.func.value_and_grad(example.objective)(x)
        expected, slope = example.by_hand(x)
        assert type(value) is float and type(gradient) is np.ndarray and gradient.flags.writeable
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9)


def assert_same_optimum(example, found, other):
    assert found.success or example.__name__ == "rosenbrock"  # BFGS may stop for want of precision, at the minimum
    assert abs(found.fun - other.fun) <= 1e-8 * max(1.0, abs(other.fun))
    np.testing.assert_allclose(found.x, other.x, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("example", FITS, indirect=True)
def test_the_optimum_is_that_of_the_gradient_by_hand(example):
    found = example.fit(fg.func.value_and_grad(example.objective))
    assert_same_optimum(example, found, example.fit(example.by_hand))


@pytest.mark.parametrize("example", FITS, indirect=True)
def test_the_optimum_is_that_of_autograds_gradient(example, fits):
    pytest.importorskip("autograd")
    (autograd,) = fits.installed({"autograd"})
    found = example.fit(fg.func.value_and_grad(example.objective))
    assert_same_optimum(example, found, example.fit(fits.value_and_gradient(example, autograd)))


@pytest.mark.parametrize("example", ["rosenbrock"], indirect=True)
def test_newtons_method_finds_the_minimum(example):
    found = example.fit_by_newton()
    assert found.success and found.nhev > 0
    np.testing.assert_allclose(found.x, 1.0, atol=5e-3)


@pytest.mark.parametrize("example", ["logistic_regression"], indirect=True)
def test_constraints_hold_and_are_computed_once_at_each_point(example):
    found = example.fit_with_constraints()
    assert found.success
    np.testing.assert_allclose(example.errors(found.x).numpy(), 0.0, atol=1e-6)
    assert float(example.room(found.x)) > -1e-6

    calls = []
    both = example.Together(lambda x: (calls.append(1), x[:2] * x[1:])[1])
    x = np.array([1.0, 2.0, 3.0])
    for _ in range(2):
        np.testing.assert_array_equal(both.values(x), [2.0, 6.0])
        np.testing.assert_array_equal(both.jacobian(x), [[2.0, 1.0, 0.0], [0.0, 3.0, 2.0]])
    assert len(calls) == 1
    x[0] = 2.0
    np.testing.assert_array_equal(both.values(x), [4.0, 6.0])
