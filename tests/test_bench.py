"""``python -m fastgrad bench``: who takes part, that results are compared before they are timed, and what is kept.

Nothing here depends on how long anything takes.
"""

import json
import timeit
from importlib.util import find_spec

import numpy as np
import pytest

from fastgrad.__main__ import main
from fastgrad._cli import _jobs, _operations, _peers, _timing, _turns, _worker
from fastgrad._cli._operations import OPERATIONS
from fastgrad._cli._worker import Job

TORCH = ("torch",) if find_spec("torch") else ()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Commands write into the current directory: let that be one of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *argv):
    """The exit status, standard output and standard error of ``bench``, run in this process."""
    try:
        status = main(["bench", *map(str, argv)])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err


class Here:
    """A worker's server in this process, called as a worker is."""

    def __init__(self, library, name=None):
        self.server, self.name = _worker.Server(library), name or library.name

    def call(self, method, *arguments):
        try:
            return getattr(self.server, method)(*arguments)
        except Exception as error:
            raise _turns.Refused(type(error).__name__, str(error)) from error


@pytest.fixture(scope="module")
def fastgrad():
    return _peers.load("fastgrad")


# ---------------------------------------------------------------- operations


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_runs_and_has_finite_gradients(name, fastgrad):
    line = OPERATIONS[name]
    if "sp." in line.expression:
        pytest.importorskip("scipy")
    size = 64
    statement, names, results = _jobs.build(fastgrad, Job("sweep", name, size, "float64"))
    value, *gradients = results()
    operands = line.draw(size, np.float64)
    floats = [array for array in operands.values() if array.dtype.kind == "f"]
    assert np.isfinite(value).all()
    assert [gradient.shape for gradient in gradients] == [array.shape for array in floats]
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    exec(statement, names)  # as timeit runs it: gradients of the last time are dropped, not added to
    assert [np.array_equal(own.numpy(), old) for own, old in zip(_gradients(names, operands), gradients)]


def _gradients(names, operands):
    return [names[name].grad for name, array in operands.items() if array.dtype.kind == "f"]


@pytest.mark.parametrize("shapes", _operations.SHAPES)
def test_operands_have_about_the_elements_they_are_asked_for(shapes):
    line = OPERATIONS["add"]._replace(shapes=shapes)
    for size in (1, 1000, 100_000):
        first = next(iter(line.draw(size, np.float32).values()))
        assert first.dtype == np.float32
        elements = first.size**2 if shapes == "outer" else first.size  # of the sum
        assert size / 20 <= elements <= max(size * 1.2, 1024), (shapes, size, first.shape)


def test_operands_are_the_same_each_time_and_prefixes_of_one_row():
    line = OPERATIONS["add"]
    first, again = line.draw(100, "float64", _jobs.uniform), line.draw(100, "float64", _jobs.uniform)
    longer = line.draw(1000, "float64", _jobs.uniform)
    assert all(np.array_equal(first[name], again[name]) for name in "ab")
    assert np.array_equal(first["a"], longer["a"][:100]) and not np.array_equal(first["a"], first["b"])


@pytest.mark.parametrize("axis", [0, 1])
def test_operands_of_an_order_have_no_ties(axis):
    values = OPERATIONS[f"max axis {axis}"].draw(1000, "float32")["a"]
    assert (np.diff(np.sort(values, axis=axis), axis=axis) > 0).all()


# ---------------------------------------------------------------- turns


def test_what_agrees_is_timed_and_what_differs_is_not(fastgrad):
    class Wrong(_peers.Fastgrad):
        def gradients(self, answer, operands):
            return [2 * gradient for gradient in super().gradients(answer, operands)]

    job = Job("sweep", "exp", 10, "float64")
    liar = Wrong("fastgrad", "fastgrad")
    cell = _turns.measure(job, [Here(fastgrad), Here(liar, "liar"), Here(fastgrad, "twin")], seconds=1e-3)
    assert set(cell.times) == {"fastgrad", "twin"}
    assert cell.notes["liar"].startswith("differs: gradient 1 is")
    timing = cell.times["fastgrad"]
    assert timing.least <= timing.lower <= timing.median <= timing.upper


def test_what_a_library_lacks_leaves_its_cell_empty_and_errors_are_told(fastgrad, monkeypatch):
    broken = OPERATIONS["exp"]._replace(expression="xp.exp(a, 'and more')", spelled={"twin": "xp.nothing(a)"})
    monkeypatch.setitem(OPERATIONS, "exp", broken)
    twin = _peers.load("fastgrad")
    twin.name = "twin"
    cell = _turns.measure(Job("sweep", "exp", 10, "float64"), [Here(fastgrad), Here(twin)], seconds=1e-3)
    assert cell.times == {}
    assert cell.notes["fastgrad"].startswith("TypeError") and cell.notes["twin"] == ""


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ([np.ones(3, np.float32)], "float32[3] instead of float64[3]"),
        ([np.ones(4)], "float64[4] instead of float64[3]"),
        ([np.array([1, 1, 1.01])], "1.01 instead of 1"),
        ([np.array([1, np.nan, 1])], "the value is"),
        ([None], "the value is missing"),
        ([], "0 results instead of 1"),
        ([np.ones(3)], None),
    ],
)
def test_a_difference_is_told(own, said):
    found = _turns.disagreement([_worker.digest(np.ones(3))], [_worker.digest(array) for array in own])
    assert (found is None) if said is None else said in found


def test_large_arrays_are_compared_by_a_sample_and_their_sum():
    right = np.random.default_rng(0).random(1_000_000)
    wrong = right.copy()
    wrong[1:501] += 1.0  # between the elements of the sample, but for a few
    digests = [_worker.digest(array) for array in (right, wrong)]
    assert digests[0].values.size < 20_000
    assert _turns.disagreement(digests[:1], digests[1:])


def test_a_missing_gradient_is_one_of_zeros():
    zeros, ones = _worker.digest(np.zeros(3)), _worker.digest(np.ones(3))
    assert _turns.disagreement([ones, zeros], [ones, None]) is None
    assert "missing" in _turns.disagreement([ones, ones], [ones, None])


def test_workers_answer_and_are_started_again_when_they_die():
    job = Job("sweep", "tanh", 3, "float32")
    with _turns.workers(["fastgrad", *TORCH], 1) as libraries:
        cell = _turns.measure(job, libraries, seconds=1e-3)
        assert set(cell.times) == {"fastgrad", *TORCH} and cell.notes == {}
        first = libraries[0]
        old = first.process
        first.process.kill()
        with pytest.raises(_turns.Refused, match="the process ended"):
            first.call("prepare", job)
        assert first.process is not old and len(first.call("prepare", job)) == 2
        with pytest.raises(_turns.Refused, match="KeyError"):
            first.call("prepare", job._replace(name="no such operation"))
    assert all(library.process.poll() is not None for library in libraries)


def test_plans_stay_within_their_budget():
    for estimate in (1e-6, 1e-4, 1e-2, 1.0, 10.0):
        calls, samples, turns = _turns.plan(estimate, 0.25)
        assert samples * turns >= (3 if estimate < 2 else 1)
        assert calls * samples * turns * estimate < max(0.6, 3.1 * estimate)


def test_timings_are_interleaved():
    order = []
    timers = {name: timeit.Timer("note()", globals={"note": lambda n=name: order.append(n)}) for name in "ab"}
    found = _timing.interleaved(timers, 3, seconds=0)
    assert set(found) == {"a", "b"} and all(t.least <= t.median and t.calls == 1 for t in found.values())
    assert "".join(order[-6:]) == "abbaab"


# ---------------------------------------------------------------- the command


def test_bench_prints_ratios_and_writes_json(capsys, elsewhere):
    argv = ("sweep", "--ops", "exp", "--sizes", 1, "1e2", "--seconds", "0.001", "--json", "new.json")
    status, out, _ = run(capsys, *argv, *(("--with", *TORCH) if TORCH else ()))
    assert status == 0 and "Forward and backward" in out
    record = json.loads((elsewhere / "new.json").read_text(encoding="utf-8"))
    assert [(cell["name"], cell["size"], cell["dtype"]) for cell in record["cells"]] == [
        ("exp", size, dtype) for dtype in ("float32", "float64") for size in (1, 100)
    ]
    for cell in record["cells"]:
        assert set(cell["times"]) >= {"fastgrad", *TORCH}
        assert all(t["least"] <= t["lower"] <= t["median"] <= t["upper"] for t in cell["times"].values())


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (("frobnicate",), 2, "no suite 'frobnicate'"),
        (("sweep", "--ops", "sofmax"), 1, "did you mean"),
        (("--sizes", "0"), 2, "1 to 100,000,000"),
        (("--sizes", "many"), 2, "not a number of elements"),
        (("--threads", "-1"), 2, "must be positive"),
        (("--with", "tensorflow"), 2, "tensorflow"),
        (("sweep", "--ops", "exp", "--sizes", "1", "--seconds", "0.001", "--json", "no/such/file"), 1, "cannot write"),
    ],
)
def test_bench_errors_name_the_culprit(capsys, argv, status, said):
    got, _, err = run(capsys, *argv)
    assert got == status and said in err
