"""The process of one library: it prepares what it is asked to, runs it when it has its turn, and waits.

Requests and answers are pickles on standard input and output: a method of `Server` and its arguments, then whether it
went well and what came of it. Nothing else may write to that pipe, so what libraries print goes to standard error.
"""

import contextlib
import math
import os
import pickle
import signal
import sys
import time
import timeit
from typing import NamedTuple

import numpy as np

WHOLE = 200_000  # arrays of more elements are compared by a sample and their sum
UNTHREADED = 4096  # no library shares out work on so few elements
SETTLE_SECONDS = 0.2  # the longest wait for threads that spin
WARM_SECONDS = 2e-3  # caches and clocks are cold, and threads asleep, in the first calls of a turn, as in no loop
COLD_SECONDS = 0.05  # a call that is longer warms itself
NAP_SECONDS = 0.01  # the kernel may count a thread's time only at every tick, of 4 ms say


class Job(NamedTuple):
    """What is measured: a suite, what of it, for how many elements of which dtype, and how far it goes."""

    suite: str
    name: str
    size: int | None = None
    dtype: str | None = None
    phase: str = "gradient"


class Server:
    """What the process does for the one that measures."""

    def __init__(self, library):
        self.peer = library
        self.timer, self.names, self.threaded, self.took = None, {}, True, math.inf

    def prepare(self, job):
        """Make operands and run once; digests of the results, in place of the last job's."""
        from ._jobs import build

        self.drop()
        statement, self.names, results = build(self.peer, job)
        self.timer = timeit.Timer(statement, "import gc; gc.enable()", globals=self.names)  # as in any program
        self.threaded = job.size is None or job.size > UNTHREADED
        return [digest(array) for array in results()]

    def estimate(self):
        """About how many seconds a call takes, run once more."""
        took = self.timer.timeit(1)
        if took < 1e-3:
            took = min(took, self.timer.timeit(5) / 5)
        self.took = took = max(took, 1e-9)  # a coarse clock may say 0
        if self.threaded:
            settle()
        return took

    def turn(self, calls, samples):
        """Seconds a call of so many samples of so many calls. Answers once no thread is busy any longer."""
        if self.took < COLD_SECONDS:
            self.timer.timeit(max(calls, math.ceil(WARM_SECONDS / self.took)))  # after the others' turns
        taken = [self.timer.timeit(calls) / calls for _ in range(samples)]
        if self.threaded:
            settle()
        return taken

    def set_threads(self, count):
        self.peer.set_threads(count)

    def ask(self, name, *arguments):
        """What a function of `_jobs` finds out about the library."""
        from . import _jobs

        return getattr(_jobs, name)(self.peer, *arguments)

    def drop(self):
        """Let go of the last job's memory: the names are in a cycle with the functions that were made of them."""
        self.timer = None
        self.names.clear()


class Digest(NamedTuple):
    """An array, or of a large one a sample and the sum."""

    shape: tuple[int, ...]
    dtype: str
    values: np.ndarray


def digest(array):
    if array is None:
        return None
    array = np.asarray(array)
    values = array.ravel()
    if array.size > WHOLE:
        step = array.size // 10_000 | 1  # odd: a sample of every column
        mean = values.mean(dtype=np.complex128 if array.dtype.kind == "c" else np.float64)
        values = np.append(values[::step], mean)
    return Digest(array.shape, str(array.dtype), np.array(values))


def settle():
    """Wait until this process's threads are idle: those of OpenMP and of BLAS spin for a while after their work."""
    end = time.perf_counter() + SETTLE_SECONDS
    before = time.process_time()
    while time.perf_counter() < end:
        time.sleep(NAP_SECONDS)
        now = time.process_time()
        if now - before < NAP_SECONDS / 20:
            return
        before = now


def serve(server, requests, answers):
    """Answer until the requests end."""
    while True:
        try:
            method, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = True, getattr(server, method)(*arguments)
        except Exception as error:
            answer = False, (type(error).__name__, " ".join(str(error).split())[:300])
        try:
            pickle.dump(answer, answers, protocol=5)
            answers.flush()
        except BrokenPipeError:  # whoever asked has been stopped
            os._exit(0)


def main():
    from ._peers import load

    name, threads = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever measures decides when it ends
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(AttributeError, OSError):  # no such call here, or not so many cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    try:
        server = Server(load(name, threads))
    except Exception as error:
        pickle.dump((False, (type(error).__name__, str(error))), answers)
        answers.flush()
        return
    pickle.dump((True, None), answers)
    answers.flush()
    serve(server, sys.stdin.buffer, answers)
