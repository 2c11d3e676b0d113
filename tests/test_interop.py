"""Code written for the array API runs on Tensors as it stands, and differentiates: SciPy, scikit-learn, einops and others.

SciPy and scikit-learn read their switches when they are imported, so their cases run in a process of their own: this
file as a script, with the library's name.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as fg

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
V, W = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
P, Q = RNG.uniform(0.1, 0.9, 6), RNG.uniform(0.1, 0.9, 6)


def scipy_cases():
    from scipy import differentiate, fft, integrate, optimize, signal, special, stats
    from scipy.spatial.transform import Rotation

    yield "special.logsumexp", lambda x: special.logsumexp(x, axis=1), (X,)
    yield "special.softmax", lambda x: special.softmax(x, axis=0), (X,)
    for name in ("erf", "expit", "gammaln", "entr", "ndtri"):
        yield f"special.{name}", getattr(special, name), (P,)
    for name in ("xlogy", "rel_entr"):
        yield f"special.{name}", getattr(special, name), (P, Q)
    yield "Rotation.from_rotvec.as_matrix", lambda v: Rotation.from_rotvec(v).as_matrix(), (V,)
    yield "Rotation.from_quat.apply", lambda q, v: Rotation.from_quat(q).apply(v), (X, V[:3])
    yield "Rotation.as_euler", lambda v: Rotation.from_rotvec(v).as_euler("xyz"), (V,)
    yield (
        "Rotation product",
        lambda v, w: (Rotation.from_euler("zyx", v) * Rotation.from_rotvec(w)).magnitude(),
        (V, W),
    )
    for name in ("gmean", "skew", "kurtosis", "variation", "entropy"):
        yield f"stats.{name}", getattr(stats, name), (abs(X) + 0.5,)
    yield "stats.pearsonr", lambda x, y: stats.pearsonr(x, y).statistic, (P, Q)
    yield "stats.ttest_ind", lambda x, y: stats.ttest_ind(x, y).statistic, (P, Q)
    yield "integrate.trapezoid", integrate.trapezoid, (X,)
    yield "fft.rfft", lambda x: abs(fft.rfft(x)), (X,)
    yield "signal.fftconvolve", signal.fftconvolve, (P, Q)
    yield "signal.hilbert", lambda x: abs(signal.hilbert(x)), (P,)
    yield "optimize.rosen", optimize.rosen, (P,)
    yield "differentiate.derivative", lambda x: differentiate.derivative(lambda t: t**3, x).df, (P,)


def sklearn_cases():
    import sklearn
    from sklearn import linear_model, metrics, preprocessing
    from sklearn.metrics import pairwise

    sklearn.set_config(array_api_dispatch=True)
    for name in ("mean_squared_error", "mean_absolute_error", "r2_score", "explained_variance_score"):
        metric = getattr(metrics, name)
        yield name, lambda t, p, metric=metric: metric(t, p, multioutput="raw_values"), (X, X + 0.1 * Y)
    for name in ("euclidean_distances", "rbf_kernel", "polynomial_kernel"):
        yield name, getattr(pairwise, name), (X, Y)
    yield "MinMaxScaler", lambda x: preprocessing.MinMaxScaler().fit_transform(x), (X,)
    yield "Ridge", lambda x, y: linear_model.Ridge(solver="svd").fit(x, y[:, 0]).coef_, (V, W)


def differentiates(name, function, arrays):
    """The values are those of ndarrays, and the gradient is the slope of differences, whatever the direction."""
    tensors = [fg.tensor(a, requires_grad=True) for a in arrays]
    out, expected = function(*tensors), np.asarray(function(*arrays))
    assert isinstance(out, fg.Tensor) and out.requires_grad, f"{name} gave {out!r}"
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12, atol=1e-12, err_msg=name)
    rng = np.random.default_rng(1)
    weights = rng.normal(size=expected.shape)
    (out * weights).sum().backward()
    for i, (t, a) in enumerate(zip(tensors, arrays)):
        d = rng.normal(size=a.shape)
        high, low = (np.sum(weights * function(*arrays[:i], a + s * d, *arrays[i + 1 :])) for s in (1e-6, -1e-6))
        assert t.grad is not None, f"{name}: no gradient of operand {i}"
        np.testing.assert_allclose((t.grad.numpy() * d).sum(), (high - low) / 2e-6, rtol=2e-5, atol=1e-7, err_msg=name)


def needs(module):
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


@pytest.mark.parametrize("library", [pytest.param(name, marks=needs(name)) for name in ("scipy", "sklearn")])
def test_libraries_run_on_tensors_and_differentiate(library):
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    run = subprocess.run(
        [sys.executable, __file__, library], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(run.stdout.split()[-1]) > 8


# ---------------------------------------------------------------- array-api-compat and array-api-extra


@needs("array_api_compat")
def test_array_api_compat_knows_the_namespace():
    import array_api_compat as compat

    x = fg.ones((2, 3))
    assert compat.is_array_api_obj(x) and compat.array_namespace(x, fg.zeros(1)) is fg
    assert compat.device(x) == "cpu" and compat.size(x) == 6 and compat.to_device(x, "cpu") is x
    assert compat.is_writeable_array(x) and not compat.is_lazy_array(x) and not compat.is_numpy_array(x)


def extra_cases():
    import array_api_extra as xpx

    return {
        "cov": (xpx.cov, X), "kron": (lambda x, y: xpx.kron(x, y), X, Y), "sinc": (xpx.sinc, X),
        "pad": (lambda x: xpx.pad(x, 1), X), "atleast_nd": (lambda x: xpx.atleast_nd(x, ndim=4), X),
        "create_diagonal": (xpx.create_diagonal, P), "expand_dims": (lambda x: xpx.expand_dims(x, axis=(0, 1)), X),
        "at": (lambda x, y: xpx.at(x)[0].add(y[1], copy=True), X, Y), "nan_to_num": (xpx.nan_to_num, X),
        "partition": (lambda x: xpx.partition(x, 1), X),
        "apply_where": (lambda x: xpx.apply_where(x > 0, x, lambda v: v**0.5, fill_value=0.0), X),
    }  # fmt: skip


@needs("array_api_extra")
@pytest.mark.filterwarnings("ignore")
def test_array_api_extra_differentiates():
    cases = extra_cases()
    for name, (function, *arrays) in cases.items():
        differentiates(name, function, arrays)
    import array_api_extra as xpx

    assert xpx.nunique(fg.asarray([1, 2, 2])) == 2 and xpx.isclose(fg.ones(2), fg.ones(2)).dtype == fg.bool
    assert xpx.one_hot(fg.asarray([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]


# ---------------------------------------------------------------- einops


@needs("einops")
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("rearrange", lambda lib, x: lib.rearrange(x, "a (b c) -> b (a c)", c=2)),
        ("reduce", lambda lib, x: lib.reduce(x, "a b -> a", "mean")),
        ("repeat", lambda lib, x: lib.repeat(x, "a b -> a b c", c=2)),
        ("pack", lambda lib, x: lib.pack([x, x], "a *")[0]),
    ],
)
def test_einops_differentiates(name, function):
    import einops
    from einops import array_api

    differentiates(name, lambda x: function(array_api if isinstance(x, fg.Tensor) else einops, x), (X,))


if __name__ == "__main__":
    cases = list({"scipy": scipy_cases, "sklearn": sklearn_cases}[sys.argv[1]]())
    for case in cases:
        differentiates(*case)
    print(len(cases))
