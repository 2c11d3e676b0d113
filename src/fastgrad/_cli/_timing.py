"""Interleaved timing: what is compared runs in one process, in turns, so that a slow moment hits all alike."""

import gc
from statistics import median
from typing import NamedTuple

BATCH_SECONDS = 1e-3  # long beside the clock's grain, short beside the moods of a machine


class Timing(NamedTuple):
    """Seconds for one call: the least and the median over the rounds, and the calls in a round."""

    least: float
    median: float
    calls: int


def calls_in(timer, seconds=BATCH_SECONDS):
    """How many calls of a `timeit.Timer` take about `seconds`; at least one."""
    calls = 1
    while (took := timer.timeit(calls)) < seconds and calls < 10_000_000:
        calls = max(calls + 1, min(calls * 10, int(calls * 1.2 * seconds / max(took, 1e-9))))
    return calls


def interleaved(timers, rounds, *, seconds=BATCH_SECONDS, step=None):
    """Time several statements in turns.

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
    names = list(timers)
    gc.collect()
    for turn in range(rounds):
        # nobody always runs after the same neighbour
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            times[name].append(timers[name].timeit(calls[name]) / calls[name])
        if step is not None:
            step()
    return {name: Timing(min(taken), median(taken), calls[name]) for name, taken in times.items()}
