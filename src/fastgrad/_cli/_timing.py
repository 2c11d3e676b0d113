"""Timing in turns, so that a slow moment hits all that is compared alike; and what a row of times says."""

import gc
from statistics import quantiles
from typing import NamedTuple

BATCH_SECONDS = 1e-3  # long beside the clock's grain, short beside the moods of a machine


class Timing(NamedTuple):
    """Seconds for one call: the median, the least and the quartiles of the samples, and the calls in a sample."""

    median: float
    least: float
    lower: float
    upper: float
    samples: int
    calls: int

    @classmethod
    def of(cls, samples, calls=1):
        lower, middle, upper = quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
        return cls(middle, min(samples), lower, upper, len(samples), calls)

    @property
    def spread(self):
        """Half the distance of the quartiles, as a part of the median."""
        return (self.upper - self.lower) / (2 * self.median) if self.median else 0.0


def calls_in(timer, seconds=BATCH_SECONDS):
    """How many calls of a `timeit.Timer` take about `seconds`; at least one."""
    calls = 1
    while (took := timer.timeit(calls)) < seconds and calls < 10_000_000:
        calls = max(calls + 1, min(calls * 10, int(calls * 1.2 * seconds / max(took, 1e-9))))
    return calls


def interleaved(timers, rounds, *, seconds=BATCH_SECONDS, step=None):
    """Time several statements in this process, in turns.

    Parameters
    ----------
    timers : dict of str to timeit.Timer
    rounds : int
        How many times each has its turn.
    seconds : float
        About how long a turn lasts.
    step : callable, optional
        Called after each round.

    Returns
    -------
    dict of str to Timing
    """
    calls = {name: calls_in(timer, seconds) for name, timer in timers.items()}
    times = {name: [] for name in timers}
    gc.collect()
    for names in rotated(list(timers), rounds):
        for name in names:
            times[name].append(timers[name].timeit(calls[name]) / calls[name])
        if step is not None:
            step()
    return {name: Timing.of(taken, calls[name]) for name, taken in times.items()}


def rotated(names, rounds):
    """The names once for each round, starting elsewhere each time: nobody always runs after the same neighbour."""
    for turn in range(rounds):
        cut = turn % len(names) if names else 0
        yield names[cut:] + names[:cut]
