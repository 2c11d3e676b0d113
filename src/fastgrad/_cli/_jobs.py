"""What a worker runs for a job: a statement for ``timeit``, its names, and the results to compare."""

import numpy as np

from ._operations import OPERATIONS

_POOL: dict[int, np.ndarray] = {}


def uniform(size, which):
    """`size` numbers between 0 and 1, the first ones of a longer row that is drawn once."""
    if which not in _POOL or len(_POOL[which]) < size:
        _POOL[which] = np.random.default_rng(which).random(size)
    return _POOL[which][:size]


def cotangent(shape, dtype):
    """Numbers from 0.5 to 1.5, no two alike, of the shape and dtype of a result."""
    return (0.5 + uniform(int(np.prod(shape)), 99)).astype(dtype).reshape(shape)


def build(library, job):
    """The statement, its names and a function for the results, of a job in the words of a library."""
    return BUILDERS[job.suite](library, job)


def operation(library, job):
    line = OPERATIONS[job.name]
    operands = line.draw(job.size, np.dtype(job.dtype), uniform)
    return library.prepare(line.said_by(library.name), job.phase, operands, cotangent)


BUILDERS = {"sweep": operation, "overhead": operation}
