"""Random numbers: of a `numpy.random.Generator`, or of NumPy's global state, which `numpy.random.seed` sets."""

from __future__ import annotations

import numpy as np


def uniform(shape, generator, dtype):
    """Numbers from 0 to 1, in float64 or, for small dtypes and a generator, in float32."""
    if generator is None:
        return np.random.random_sample(shape)  # noqa: NPY002  the state that `numpy.random.seed` sets
    return generator.random(shape, np.float32 if np.dtype(dtype).itemsize <= 4 else np.float64)


def exponential(shape, generator, dtype):
    source = np.random if generator is None else generator
    numbers = np.asarray(source.standard_exponential(shape))
    return np.maximum(numbers, np.finfo(np.float32).tiny).astype(dtype)


def mask(shape, chance, generator, dtype):
    """1 with a chance, else 0, as booleans."""
    return uniform(shape, generator, dtype) < chance
