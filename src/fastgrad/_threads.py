"""How many threads share out the work on large arrays."""

import operator
import os

from . import _errors
from ._backend import backend

__all__ = ["get_num_threads", "set_num_threads"]

#: Read in this order when fastgrad is imported; OMP_NUM_THREADS may hold a list, whose first number counts.
VARIABLES = ("FASTGRAD_NUM_THREADS", "OMP_NUM_THREADS")


def set_num_threads(count):
    """Set on how many threads work on large arrays is shared out, the calling one included.

    To begin with it is the environment's FASTGRAD_NUM_THREADS, else OMP_NUM_THREADS, else the number of cores that
    this process may use. Values never depend on it. Matrix products other than those of layers are the BLAS
    library's, which has threads of its own. The reference backend works on one thread whatever is set.

    Parameters
    ----------
    count : int
        1 to use the calling thread alone. More than 64 are taken to be 64.

    Raises
    ------
    TypeError
        If `count` is no integer.
    ValueError
        If it is less than 1.

    Examples
    --------
    >>> import fastgrad as fg
    >>> before = fg.get_num_threads()
    >>> fg.set_num_threads(1)
    >>> fg.get_num_threads()
    1
    >>> fg.set_num_threads(before)
    """
    count = operator.index(count)
    if count < 1:
        raise _errors.thread_count("set_num_threads", count)
    backend.set_num_threads(min(count, 64))


def get_num_threads():
    """The number of threads that work on large arrays: see :func:`set_num_threads`.

    Returns
    -------
    int

    Examples
    --------
    >>> import fastgrad as fg
    >>> fg.get_num_threads() >= 1
    True
    """
    return backend.get_num_threads()


def _default(environ):
    for name in VARIABLES:
        value = environ.get(name, "").split(",")[0].strip()
        if value.isdecimal() and int(value) > 0:
            return int(value)
        if value and name == VARIABLES[0]:
            raise _errors.thread_count(name, value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


set_num_threads(_default(os.environ))
