"""What every test module shares: the seeded generator, torch where there is one, hypothesis' profiles."""

import gc
import importlib.util
import os
import zlib

if "OMP_NUM_THREADS" not in os.environ:  # BLAS reads it when NumPy is imported; for small arrays more threads only wait
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

import numpy as np
import pytest

REQUIRE_TORCH = os.environ.get("FASTGRAD_REQUIRE_TORCH") == "1"
HAS_TORCH = importlib.util.find_spec("torch") is not None

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    quiet = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
    settings.register_profile("ci", derandomize=True, **quiet)
    settings.register_profile("dev", **quiet)
    settings.load_profile("ci" if os.environ.get("CI") else os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config):
    config.addinivalue_line("markers", "torch: compares with PyTorch; skipped where it is not installed")
    if REQUIRE_TORCH and not HAS_TORCH:
        raise pytest.UsageError("FASTGRAD_REQUIRE_TORCH=1, but PyTorch is not installed")


def pytest_collection_finish(session):
    """What collection made stays to the end: the collector need not look at it in every test of garbage."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    if HAS_TORCH:
        return
    skip = pytest.mark.skip(reason="PyTorch is not installed")
    for item in items:
        if "torch" in item.keywords:
            item.add_marker(skip)


@pytest.fixture
def rng(request):
    """A generator that depends on the test's own name alone, so that no test changes another's numbers."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(autouse=True)
def grad_mode_is_left_alone():
    """Every test starts with gradients on, and none may leave them off."""
    import fastgrad as fg

    assert fg.is_grad_enabled(), "an earlier test left gradients off"
    yield
    on = fg.is_grad_enabled()
    fg.set_grad_enabled(True)
    assert on, "the test left gradients off"


@pytest.fixture
def register():
    """`fg.register_op` for one test: the table is as before afterwards."""
    import fastgrad as fg

    before = dict(fg.ops.load_all())
    yield fg.register_op
    for name in set(fg.ops.TABLE) - set(before):
        del fg.ops.TABLE[name]
