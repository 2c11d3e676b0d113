"""The models of the benchmark: all libraries compute the same."""

from importlib.util import find_spec

import numpy as np
import pytest
from samples import COMPILED, ONCE

from fastgrad._cli._models import MODELS

pytestmark = pytest.mark.skipif(not COMPILED, reason=ONCE)

OTHERS = [
    pytest.param(name, library, marks=pytest.mark.torch if library == "torch" else ())
    for name, model in MODELS.items()
    for library in model.libraries
    if library != "fastgrad"
]


def first_step(model, library):
    step, results = model.libraries[library](model.inputs())
    step()
    return results()


@pytest.mark.parametrize(("name", "library"), OTHERS)
def test_libraries_agree_on_a_model(name, library):
    model = MODELS[name]
    needed = {library, *(["scipy"] if name == "gp" else [])} - {"micrograd"}
    if not all(map(find_spec, needed)):
        pytest.skip("not installed")
    for ours, theirs in zip(first_step(model, "fastgrad"), first_step(model, library), strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=model.rtol * np.abs(theirs).max())


@pytest.mark.parametrize("name", MODELS)
def test_inputs_are_the_same_each_time(name):
    one, two = MODELS[name].inputs(), MODELS[name].inputs()
    assert all(np.array_equal(one[key], two[key]) for key in one | two)
