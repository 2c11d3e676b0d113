"""The table that the lesson works on. Not imported by ``import fastgrad``."""

from importlib import resources
from typing import NamedTuple

import numpy as np


class Table(NamedTuple):
    """Columns of numbers: what is known, what is to be predicted, and what the known columns are called."""

    features: np.ndarray
    target: np.ndarray
    names: tuple[str, ...]


def diabetes():
    """442 diabetes patients: ten baseline variables and the disease's progression a year later.

    Returns
    -------
    Table
        ``features`` (442, 10) and ``target`` (442,), float64 and in their original units; ``names`` of the features.

    References
    ----------
    Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", Annals of Statistics 32(2), 2004, 407-499.

    Examples
    --------
    >>> from fastgrad.data import diabetes
    >>> table = diabetes()
    >>> table.features.shape
    (442, 10)
    >>> table.names[:4]
    ('age', 'sex', 'bmi', 'bp')
    """
    with resources.files(__name__).joinpath("diabetes.csv").open(encoding="ascii") as lines:
        *names, _ = next(lines).strip().split(",")
        rows = np.loadtxt(lines, delimiter=",")
    return Table(rows[:, :-1].copy(), rows[:, -1].copy(), tuple(names))
