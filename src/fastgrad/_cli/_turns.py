"""Measuring: a process for each library, one of them busy at a time, results compared before anything is timed."""

import contextlib
import math
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import Failure
from ._operations import OPERATIONS
from ._timing import Timing, rotated
from ._worker import Job

SAMPLE_SECONDS = 5e-4  # a sample is as many calls as take this long
MOST_SAMPLES, TURNS = 25, 5
MOST_BYTES = 8 * 10**9
TOLERANCE = {"float32": 2e-4, "float64": 1e-7}

#: Errors that say that a library has no such function: the cell is left empty.
MISSING = ("NotOffered", "AttributeError", "NotImplementedError", "KeyError", "NameError")


class Refused(Exception):
    """A worker could not do what it was asked: the name of the error's class, and what it said."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind


class Worker:
    """A process that has one library loaded (see `_worker`); `label` tells two with the same one apart."""

    def __init__(self, library, threads, label=None):
        self.peer, self.threads, self.name = library, threads, label or library
        self.process = None
        self.start()

    def start(self):
        count = str(self.threads)
        limits = ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR", "FASTGRAD")
        env = environment() | {f"{who}_NUM_THREADS": count for who in limits}
        # not with -m: classes of a module that runs as __main__ cannot be unpickled here
        argv = [sys.executable, "-c", f"from {__package__}._worker import main; main()", self.peer, count]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        try:
            self.receive()
        except Refused as refused:
            raise Failure(f"{self.name} cannot be imported: {refused}") from None

    def call(self, method, *arguments):
        """The answer to a method of `_worker.Server`; raises `Refused` where there is none."""
        self.send(method, *arguments)
        return self.receive()

    def send(self, method, *arguments):
        """Ask without waiting for the answer."""
        with contextlib.suppress(OSError):  # what ended the process is found out when its answer is due
            pickle.dump((method, arguments), self.process.stdin, protocol=5)
            self.process.stdin.flush()

    def receive(self):
        """The answer to what was sent."""
        try:
            well, answer = pickle.load(self.process.stdout)
        except (EOFError, pickle.UnpicklingError):
            status = self.process.wait()
            self.close()
            self.start()
            raise Refused("the process ended", f"with status {status}") from None
        if not well:
            raise Refused(*answer)
        return answer

    def close(self):
        """End the process; at once if it is busy."""
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment():
    """That of this process, and this fastgrad to be found in it."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


@contextlib.contextmanager
def workers(names, threads):
    """A worker for each library, ended afterwards."""
    started = []
    try:
        for name in names:
            started.append(Worker(name, threads))
        yield started
    finally:
        for worker in started:
            worker.close()


@dataclass
class Cell:
    """What was found for one job: timings by library, and what to say of those that have none.

    What is counted in bytes is kept alike, as a timing of one sample.
    """

    job: Job
    times: dict[str, Timing] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    unit: str = "s"

    def ratio(self, peer):
        """How many times as fast as the peer fastgrad is (medians); None where either has no time, or needs nothing."""
        own, theirs = (self.times[name].median if name in self.times else None for name in ("fastgrad", peer))
        return theirs / own if own and theirs else None


def measure(job, libraries, seconds=0.25):
    """A cell: every library prepares the job, those that agree with the first are timed in turns.

    Parameters
    ----------
    job : Job
    libraries : list of Worker
        The first is the one that others are compared with.
    seconds : float
        About how long each is timed in all.
    """
    cell, expected, ready = Cell(job), None, {}
    for library in libraries:
        library.send("prepare", job)  # all at once: nothing is timed yet
    for library in libraries:
        try:
            found = library.receive()
            expected = expected or found
            wrong = disagreement(expected, found, tolerance_of(job))
            if wrong:
                cell.notes[library.name] = f"differs: {wrong}"
                library.call("drop")
            else:
                ready[library.name] = library
        except Refused as refused:
            lacks = refused.kind == "NotOffered" or (refused.kind in MISSING and library is not libraries[0])
            cell.notes[library.name] = "" if lacks else str(refused)
    closely = [library.name for library in libraries[:2]]
    take_turns(cell, ready, seconds, closely)
    for library in ready.values():
        library.call("drop")
    return cell


def take_turns(cell, ready, seconds, closely):
    """Time what has prepared a job, in turns; what fails on the way is noted and left out."""
    plans, taken = {}, {name: [] for name in ready}

    def ask(name, *question):
        try:
            return ready[name].call(*question)
        except Refused as refused:
            cell.notes[name] = str(refused)
            del taken[name]
            return None

    for name in list(ready):
        estimate = ask(name, "estimate")
        if estimate is not None:
            plans[name] = plan(estimate, seconds, name in closely)
    rounds = max((turns for _, _, turns in plans.values()), default=0)
    for turn, names in enumerate(rotated(list(plans), rounds)):
        for name in names:
            calls, samples, turns = plans[name]
            found = ask(name, "turn", calls, samples) if name in taken and turn < turns else None
            if found is not None:
                taken[name] += found
    cell.times = {name: Timing.of(samples, plans[name][0]) for name, samples in taken.items()}


def fits(job, libraries):
    """Whether the operands, results, gradients and temporaries of a job fit into memory, for all libraries at once."""
    elements = sum(int(np.prod(getattr(s, "shape", s))) for s in OPERATIONS[job.name].operands(job.size).values())
    return 5 * elements * np.dtype(job.dtype).itemsize * libraries < memory()


def memory():
    """Bytes that measurements may use: 8 GB, or three quarters of what is free."""
    try:
        with open("/proc/meminfo") as file:
            free = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except OSError:
        return MOST_BYTES
    return min(MOST_BYTES, 3 * free // 4)


def plan(estimate, seconds, closely=True):
    """Calls in a sample, samples in a turn, and turns, for calls that take about `estimate` seconds.

    `closely`: slow calls are repeated too, as they are for fastgrad and the first peer.
    """
    calls = max(1, round(SAMPLE_SECONDS / max(estimate, 1e-9)))
    least = 3 if estimate < (2 if closely else 0.1) else 1
    samples = min(MOST_SAMPLES, max(least, int(seconds / (calls * estimate))))
    turns = min(TURNS, samples)
    return calls, math.ceil(samples / turns), turns


def tolerance_of(job):
    """How far apart the results of a job may lie by dtype, as a part of the largest element."""
    if job.suite == "models":
        from ._models import MODELS

        return dict.fromkeys(TOLERANCE, MODELS[job.name].rtol)
    loose = OPERATIONS[job.name].loose if job.name in OPERATIONS else 1
    return {dtype: loose * tolerance for dtype, tolerance in TOLERANCE.items()}


def disagreement(expected, found, tolerances=TOLERANCE):
    """How results differ from what was expected; None where they do not."""
    if len(expected) != len(found):
        return f"{len(found)} results instead of {len(expected)}"
    for i, (wanted, own) in enumerate(zip(expected, found)):
        what = "the value" if i == 0 else f"gradient {i}"
        if wanted is None or own is None:  # a gradient that is 0 everywhere may be missing
            there = own if wanted is None else wanted
            if there is not None and np.any(there.values):
                return f"{what} is missing"
            continue
        if wanted.shape != own.shape or wanted.dtype != own.dtype:
            return f"{what} is {own.dtype}{list(own.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
        tolerance = tolerances.get(wanted.dtype, 1e-7)
        scale = float(np.abs(wanted.values).max(initial=0.0, where=np.isfinite(wanted.values)))
        if not np.allclose(own.values, wanted.values, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
            apart = np.abs(own.values - wanted.values)
            where = int(np.nanargmax(apart)) if np.isfinite(apart).any() else 0
            return f"{what} is {own.values[where]:.6g} instead of {wanted.values[where]:.6g}"
    return None
