"""The examples run, and their fits end where those with other gradients do."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as fg

ROOT = pathlib.Path(__file__).parents[1]
NEEDS = {
    "gaussian_process": ["scipy"], "logistic_regression": ["scipy", "sklearn"], "rosenbrock": ["scipy"],
    "digits_mlp": ["sklearn"], "digits_convnet": ["sklearn"], "characters": ["pydoc_data"],
}  # fmt: skip
NAMES = sorted(path.stem for path in (ROOT / "examples").glob("[!_]*.py"))
PICTURES = {*NAMES} - {"autograd_lesson", "logistic_regression"}
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


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs(name, tmp_path):
    needs(name)
    path = os.pathsep.join([str(pathlib.Path(fg.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", *(["--quick"] if name in PICTURES else [])],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120,
        env={**os.environ, "PYTHONPATH": path, "MPLBACKEND": "agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout and "nan" not in done.stdout and not done.stderr
    if name in PICTURES and importlib.util.find_spec("matplotlib") is not None:
        assert f"picture: {name}.png" in done.stdout and (tmp_path / f"{name}.png").stat().st_size > 1000


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


# ---------------------------------------------------------------- what they claim


@pytest.mark.parametrize("example", ["digits_mlp", "digits_convnet"], indirect=True)
def test_most_digits_are_told_apart(example):
    run = importlib.import_module("digits_mlp").run
    _, right, wrong = run(example.network, epochs=example.EPOCHS)
    assert right > 0.97 and 0 < len(wrong) < 15


@pytest.mark.parametrize("example", ["characters"], indirect=True)
def test_the_transformer_learns_and_does_not_look_ahead(example):
    rng = np.random.default_rng(0)
    numbers, characters = example.text()
    assert len(numbers) > 100_000 and "".join(characters[i] for i in numbers[:500]).count(" ") > 20
    model = example.Transformer(len(characters), 32, 2, 1, rng)
    pieces = numbers[None, : example.CONTEXT].copy()
    before = model(pieces).detach().numpy()
    pieces[0, 10] = (pieces[0, 10] + 1) % len(characters)
    after = model(pieces).detach().numpy()
    np.testing.assert_array_equal(after[0, :10], before[0, :10])
    assert (after[0, 10:] != before[0, 10:]).any(axis=-1).all()
    losses = example.train(model, numbers, 60, rng)
    assert np.mean(losses[-10:]) < 4.2 < losses[0]  # frequencies alone give 4.5
    assert len(example.write(model, characters, "The ", 20, rng)) == 24


@pytest.mark.parametrize("example", ["ode_fit"], indirect=True)
def test_the_course_of_lynxes_and_hares_is_found(example):
    x = fg.tensor(example.start(), requires_grad=True)
    assert fg.autograd.gradcheck(lambda x: example.objective(x, 5, 4), (x,))
    found = np.array([0.5402, 0.0272, 0.7964, 0.0237])
    if fg.backend_name() == "compiled":
        parameters, losses = example.fit()
        assert losses[-1] < 0.05
        np.testing.assert_allclose(np.exp(parameters[:4]), found, rtol=0.02)
    else:  # the same, without the way there
        at = np.concatenate([np.log(found), [3.5439, 1.7655]])
        value, gradient = fg.func.value_and_grad(example.objective)(at)
        assert value < 0.05 and abs(gradient).max() < 0.02


@pytest.mark.parametrize("example", ["smoke"], indirect=True)
def test_a_simulation_in_numpy_is_differentiated_as_it_stands(example, rng):
    begin, wanted = example.ring(12)
    wind = rng.normal(size=288)
    value, gradient = fg.func.value_and_grad(example.objective)(wind, begin, wanted, 3)
    assert value == example.objective(wind, begin, wanted, 3)  # of ndarrays, to the last bit
    way = rng.normal(size=288)
    ahead, behind = (example.objective(wind + h * way, begin, wanted, 3) for h in (1e-6, -1e-6))
    np.testing.assert_allclose(gradient @ way, (ahead - behind) / 2e-6, rtol=1e-5)
    _, losses = example.learn(16, 5, 15)
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("example", ["pca_sensitivity"], indirect=True)
def test_influences_foretell_what_leaving_out_does(example):
    table = example.measurements()
    told = example.foretold(table)
    truth = example.counted(table, np.arange(len(table)))
    assert np.corrcoef(told, truth)[0, 1] > 0.999
    np.testing.assert_allclose(told, truth, atol=2e-4)


@pytest.mark.parametrize("example", ["custom_function"], indirect=True)
def test_the_derivative_of_what_newtons_method_finds(example):
    x, y, names = example.columns()
    assert x.shape == (442, 64) == (len(y), len(names))
    x, y = x[:60, :5], y[:60]
    penalties = fg.tensor(np.geomspace(0.01, 0.1, 5), requires_grad=True)
    assert fg.autograd.gradcheck(lambda p: example.Fit.apply(p, x, y), (penalties,))
    assert fg.autograd.gradgradcheck(lambda p: example.Fit.apply(p, x, y), (penalties,))
    logarithms, errors = example.choose(x, y, np.log(1e-3), 10, "")
    assert errors[-1] < errors[0] and len(set(logarithms)) == 1
