"""How much each patient matters to the principal components of 442: the derivative of an eigenvalue in every weight.

    python examples/pca_sensitivity.py

The diabetes data of Efron, Hastie, Johnstone and Tibshirani, 2004. Each patient has a weight, 1. The share of the
variance that the first two components explain is a function of the weights; one backward pass through
`numpy.linalg.eigh` gives its derivative in all 442. What leaving a patient out would change is foretold by it, and
counted by doing so, 442 times.
F. R. Hampel, The influence curve and its role in robust estimation, 1974.
"""

import time

import numpy as np
from _show import Progress, arguments, save_picture

import fastgrad as fg
from fastgrad.data import diabetes

KEPT = 2


def measurements():
    """Ten measurements of each patient, each column with mean 0 and variance 1."""
    table = diabetes().features
    return (table - table.mean(axis=0)) / table.std(axis=0)


def share(weights, table):
    """The share of the variance that the first components explain. Arrays or Tensors: it is plain NumPy."""
    chances = weights / np.sum(weights)
    centred = table - chances @ table
    covariance = (centred * chances[:, None]).T @ centred
    values, _ = np.linalg.eigh(covariance)
    return np.sum(values[-KEPT:]) / np.sum(values)


def foretold(table):
    """What leaving each patient out would change, by the derivative: all at once."""
    weights = fg.ones(len(table), requires_grad=True)
    share(weights, table).backward()
    return -weights.grad.numpy()


def counted(table, patients):
    """What leaving each of some patients out does change, by doing it."""
    ones = np.ones(len(table))
    before, changes = share(ones, table), []
    with Progress("leaving out", len(patients)) as progress:
        for patient in patients:
            weights = ones.copy()
            weights[patient] = 0.0
            changes.append(share(weights, table) - before)
            progress.step()
    return np.array(changes)


def draw(told, truth, patients, figure):
    """What was foretold beside what was counted."""
    left, right = figure.subplots(1, 2)
    left.plot(told[patients] * 100, truth * 100, ".", markersize=4)
    ends = [truth.min() * 100, truth.max() * 100]
    left.plot(ends, ends, color="C1", linewidth=1)
    left.set(xlabel="foretold, percentage points", ylabel="counted")
    right.stem(np.arange(len(told)), told * 100, markerfmt=" ", basefmt=" ")
    right.set(xlabel="patient", ylabel="change of the share by leaving out")


def main():
    options = arguments(__doc__)
    table = measurements()
    begun = time.perf_counter()
    told = foretold(table)
    middle = time.perf_counter()
    patients = np.arange(len(table))[:: 20 if options.quick else 1]
    truth = counted(table, patients)
    end = time.perf_counter()
    print(f"the first {KEPT} components of {table.shape[1]} explain {share(np.ones(len(table)), table):.2%}")
    print(f"{len(told)} derivatives in {(middle - begun) * 1e3:.2f} ms, {len(truth)} counts in {end - middle:.3f} s")
    print(f"foretold and counted changes correlate with {np.corrcoef(told[patients], truth)[0, 1]:.5f}")
    most = np.argsort(-abs(told))[:3]
    for patient in most:
        print(f"without patient {patient}: {told[patient] * 100:+.4f} percentage points")
    save_picture("pca_sensitivity", options.folder, lambda figure: draw(told, truth, patients, figure), (9.0, 4.0))


if __name__ == "__main__":
    main()
