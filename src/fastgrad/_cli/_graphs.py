"""Graphs of n parts, for how time and memory grow: each makes its leaves and gives a function that builds the graph."""

import numpy as np


def chain(library, n):
    """n nodes on one number, one after the other."""
    xp = library.module
    x = library.operand(np.array(0.5), True)

    def run():
        y = x
        for _ in range(n // 2):
            y = xp.sin(y + x)
        return y

    return run


def leaves(library, n):
    """n leaves, stacked and summed."""
    xp = library.module
    each = [library.operand(np.array(i / n), True) for i in range(n)]
    return lambda: xp.stack(each).sum()


def added(library, n):
    """n leaves, added up one by one."""
    each = [library.operand(np.array(i / n), True) for i in range(n)]
    return lambda: sum(each)


def indexed(library, n):
    """The squares of the n elements of an array, added up one by one."""
    x = library.operand(np.linspace(0, 1, n), True)

    def run():
        s = 0
        for i in range(n):
            s = s + x[i] ** 2
        return s

    return run


def split(library, n):
    """An array split into n, the squares of the parts joined again."""
    xp = library.module
    x = library.operand(np.linspace(0, 1, n), True)
    return lambda: xp.concat([part * part for part in library.split(x, n)]).sum()


def unstacked(library, n):
    """The n rows of a matrix, their squares stacked again."""
    xp = library.module
    x = library.operand(np.linspace(0, 1, 2 * n).reshape(n, 2), True)
    return lambda: xp.stack([row * row for row in library.unstack(x)]).sum()


GRAPHS = {
    "chain of n": chain,
    "n leaves, stacked": leaves,
    "n leaves, added": added,
    "x[i] for i < n": indexed,
    "split into n": split,
    "n rows, unstacked and stacked": unstacked,
}
