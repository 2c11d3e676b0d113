"""``python -m fastgrad bench``: who takes part, that results are compared before they are timed, and what is kept.

Nothing here depends on how long anything takes.
"""

import json
import pathlib
import timeit
from contextlib import nullcontext
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from fastgrad.__main__ import main
from fastgrad._cli import Failure, _jobs, _operations, _peers, _records, _suites, _timing, _turns, _worker
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

    def send(self, method, *arguments):
        self.asked = method, arguments

    def receive(self):
        method, arguments = self.asked
        try:
            return getattr(self.server, method)(*arguments)
        except Exception as error:
            raise _turns.Refused(type(error).__name__, str(error)) from error

    def call(self, method, *arguments):
        self.send(method, *arguments)
        return self.receive()


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


def test_what_fails_while_it_is_timed_is_left_out(fastgrad):
    class Fails(Here):
        def call(self, method, *arguments):
            if method == self.at:
                raise _turns.Refused("the process ended", "with status -9")
            return super().call(method, *arguments)

    job = Job("sweep", "exp", 10, "float64")
    for at in ("estimate", "turn"):
        twin = Fails(fastgrad, "twin")
        twin.at = at
        cell = _turns.measure(job, [Here(fastgrad), twin], seconds=1e-3)
        assert set(cell.times) == {"fastgrad"} and "status -9" in cell.notes["twin"]


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


# ---------------------------------------------------------------- suites


def cell(
    name="exp", own=1.0, other=None, *, size=1000, dtype="float64", suite="sweep", spread=0.01, peer="torch", **more
):
    """A cell in which fastgrad takes `own` and a peer `other` seconds."""
    times = {"fastgrad": timing(own, spread)}
    if other is not None:
        times[peer] = timing(other, spread)
    return _turns.Cell(Job(suite, name, size, dtype), times, **more)


def timing(seconds, spread=0.01):
    return _timing.Timing(seconds, seconds * (1 - spread), seconds * (1 - spread), seconds * (1 + spread), 9, 1)


def test_models_agree_with_each_other():
    cells = list(suite("models", models=["mlp32"], peers=[*TORCH]))
    assert [set(cell.times) for cell in cells] == [{"fastgrad", *TORCH}]
    assert "MLP" in shown("models", cells)


def test_overhead_has_numpys_call_and_the_chains(monkeypatch):
    monkeypatch.setattr(_suites, "CHAIN_SIZES", (1,))
    cells = list(suite("overhead", ops=["add"], peers=[]))
    forward = [cell for cell in cells if cell.job.phase == "forward"]
    assert all(set(cell.times) == {"fastgrad", "numpy"} for cell in forward) and len(forward) == 2
    text = shown("overhead", cells)
    assert "with backward" in text and "ten times tanh(y * x + 1)" in text


def test_scaling_has_every_graph_and_threads(monkeypatch):
    monkeypatch.setattr(_suites, "LENGTHS", dict.fromkeys(_suites.GRAPHS, ((4, 8), 4)))
    monkeypatch.setattr(_suites, "THREADED_SIZES", (100,))
    cells = list(suite("scaling", ops=["exp"], peers=[], threads=2))
    graphs = [cell for cell in cells if cell.job.suite == "scaling"]
    assert {(cell.job.name, cell.job.size) for cell in graphs} == {(name, n) for name in _suites.GRAPHS for n in (4, 8)}
    assert all(set(cell.times) == {"fastgrad", "one thread"} for cell in cells if cell.job.suite == "threads")
    text = shown("scaling", cells)
    assert "Graphs of n parts" in text and "Threads" in text


@pytest.mark.parametrize("name", _suites.GRAPHS)
def test_graphs_have_the_gradient_of_each_part(name, fastgrad):
    assert all(seconds >= 0 for seconds in _jobs.graph(fastgrad, name, 10))
    out = _suites.GRAPHS[name](fastgrad, 10)()
    assert out.shape == () and out.requires_grad


def test_memory_counts_what_is_kept(fastgrad):
    kept = {name: _jobs.saved(fastgrad, Job("memory", name, 1000, "float32")) for name in ("add", "exp", "multiply")}
    assert kept == {"add": 0, "exp": 4000, "multiply": 8000}
    assert _jobs.saved(fastgrad, Job("memory", "a[i]", 1000, "float32")) == 0, "an index is the caller's"
    assert 0 <= _jobs.graph_bytes(fastgrad, "chain of n", 2000) < 10**8


def test_memory_suite_asks_fresh_processes_for_peaks(monkeypatch):
    monkeypatch.setattr(_suites, "COUNTED_LENGTHS", (100, 200))
    cells = list(suite("memory", ops=["exp"], models=["gp"], peers=[]))
    assert [cell.job.phase for cell in cells] == ["saved", "peak", "bytes a node", "bytes a node"]
    assert all(cell.unit == "bytes" and set(cell.times) == {"fastgrad"} for cell in cells)
    assert "Kept for the gradient" in shown("memory", cells)


def test_import_suite_has_time_memory_and_disk(monkeypatch):
    monkeypatch.setattr(_suites, "IMPORTS", 1)
    cells = list(suite("import", peers=[]))
    assert [cell.job.name for cell in cells] == ["time", "memory", "disk"]
    assert all(set(cell.times) == {"numpy", "fastgrad"} for cell in cells)
    assert "on disk" in shown("import", cells)


def test_what_does_not_fit_into_memory_is_left_out(monkeypatch):
    monkeypatch.setattr(_turns, "MOST_BYTES", 10**6)
    (big,) = suite("sweep", ops=["exp"], sizes=[10**6], dtypes=["float64"], peers=[])
    assert big.times == {} and "too large" in big.notes["fastgrad"]
    assert "too large" in shown("sweep", [big])


def test_slow_libraries_take_no_part_in_the_largest(monkeypatch, fastgrad):
    asked = []
    monkeypatch.setattr(_suites, "workers", lambda names, threads: nullcontext([Here(fastgrad, n) for n in names]))
    monkeypatch.setattr(_suites, "chosen_libraries", lambda options: ["fastgrad", "autograd"])
    monkeypatch.setattr(_suites, "measure", lambda job, part, seconds: asked.append([w.name for w in part]))
    list(suite("sweep", ops=["exp"], sizes=[10**6, 10**7], dtypes=["float32"]))
    assert asked == [["fastgrad", "autograd"], ["fastgrad"]]


def suite(name, **options):
    usual = {"ops": None, "models": None, "sizes": None, "dtypes": None, "peers": None}
    usual.update(threads=1, seconds=1e-3, show=False)
    return _suites.SUITES[name][0](SimpleNamespace(**{**usual, **options}))


def shown(name, cells):
    return "\n".join(table.markdown() for table in _records.tables_of(name, cells))


# ---------------------------------------------------------------- what is made of it


def test_ratios_means_and_what_is_slower():
    cells = [cell("exp", 1.0, 4.0), cell("log", 2.0, 1.0), cell("exp", 1.0, 16.0, size=10**6), cell("sin", 1.0)]
    text = shown("sweep", cells)
    assert "| exp | 4.00 | 16.0 |" in text
    assert "| torch | 1.41 | 16.0 | 16.0 | 3.17 | 1 of 3 |" in text
    assert "slower than torch" in text and "| log | 1,000 | float64 | 1.00 s | 2.00 s | 0.50 |" in text


def test_compare_names_what_has_become_slower_beyond_noise():
    old = [cell("exp", 1.0, 4.0), cell("log", 1.0, 4.0), cell("sin", 1.0, 4.0), cell("cos", 1.0, 4.0, spread=0.5)]
    new = [
        cell("exp", 1.2, 4.0),  # slower
        cell("log", 1.2, 4.8),  # on a slower machine
        cell("sin", 1.02, 4.0),  # hardly
        cell("cos", 1.2, 4.0, spread=0.5),  # within the noise
    ]
    table = _records.compare(old, new)
    assert [row[1] for row in table.rows] == ["exp"] and "1 of 4" in table.title
    assert _records.compare(old, old).rows == []


def test_compare_does_without_a_peer():
    assert len(_records.compare([cell("exp", 1.0)], [cell("exp", 1.5)]).rows) == 1
    with pytest.raises(Failure, match="no cell in common"):
        _records.compare([cell("exp")], [cell("log")])


def test_files_come_back_as_they_were(elsewhere):
    cells = [cell("exp", 1.0, 4.0), cell("add", notes={"jax": "differs: it does"}), cell("log", 5.0, unit="bytes")]
    record = _records.as_json(cells, ["numpy", "fastgrad"], 2)
    (elsewhere / "a.json").write_text(json.dumps(record), encoding="utf-8")
    again, about = _records.read("a.json")
    assert again == cells and about["threads"] == 2 and about["libraries"]["numpy"] == np.__version__


def test_compare_decides_the_exit_status(capsys, elsewhere):
    for name, seconds in (("old", 1.0), ("new", 2.0)):
        record = _records.as_json([cell("exp", seconds, 4.0)], ["fastgrad"], 1)
        (elsewhere / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
    status, out, _ = run(capsys, "--read", "new.json", "--compare", "old.json")
    assert status == 1 and "Slower than before: 1 of 1" in out
    status, out, _ = run(capsys, "--read", "old.json", "--compare", "new.json", "--markdown", "page.md")
    assert status == 0 and "Slower than before: 0 of 1" in out
    assert "## sweep" in (elsewhere / "page.md").read_text(encoding="utf-8")


def test_a_picture_is_drawn_where_matplotlib_is(capsys, elsewhere):
    cells = [cell(name, 1.0, 2.0, size=size) for name in ("exp", "sum", "matmul") for size in (1, 1000)]
    record = _records.as_json(cells, ["fastgrad"], 1)
    (elsewhere / "a.json").write_text(json.dumps(record), encoding="utf-8")
    status, _, err = run(capsys, "--read", "a.json", "--picture", "a.png")
    if find_spec("matplotlib") is None:
        assert status == 1 and "pip install matplotlib" in err
        return
    assert status == 0 and (elsewhere / "a.png").read_bytes().startswith(b"\x89PNG")
    status, _, err = run(capsys, "--read", "a.json", "--picture", "no/such/folder.png")
    assert status == 1 and "cannot write" in err


def test_the_documentation_is_filled_in_between_its_markers(elsewhere, monkeypatch):
    monkeypatch.setattr("fastgrad._cli._picture.picture", lambda cells, peer, path: path.write_bytes(b"drawn"))
    docs = elsewhere / "docs"
    docs.mkdir()
    suites = ("about", "sweep", "models", "overhead")
    marked = "\n".join(f"# {name}\n<!-- {name}: begin -->\nold\n<!-- {name}: end -->\nkept" for name in suites)
    (docs / "benchmarks.md").write_text(marked, encoding="utf-8")
    (elsewhere / "README.md").write_text("<!-- numbers: begin -->\nold\n<!-- numbers: end -->", encoding="utf-8")
    cells = [cell("exp", 1.0, 4.0), cell("mlp32", 1.0, 2.0, suite="models", size=None, dtype=None)]
    cells += [cell("ten times tanh(y * x + 1)", 1e-6, 3e-6, size=1, suite="overhead")]
    _records.write_docs(docs, cells, "Measured somewhere.")
    page, readme = (path.read_text(encoding="utf-8") for path in (docs / "benchmarks.md", elsewhere / "README.md"))
    assert page.count("kept") == 4 and "old" not in page and "| exp | 4.00 (1.00 s) |" in page
    assert (docs / "benchmarks-sweep.png").exists()
    assert "old" not in readme and "`exp`, 1,000 elements" in readme and "MLP 784" in readme
    (docs / "benchmarks.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(Failure, match="has no markers"):
        _records.write_docs(docs, cells, "")


def test_the_page_has_a_place_for_every_suite():
    page = pathlib.Path(__file__).parents[1] / "docs" / "benchmarks.md"
    if not page.exists():
        pytest.skip("the tests run away from the tree")
    text = page.read_text(encoding="utf-8")
    for name in ("about", *_suites.SUITES):
        assert f"<!-- {name}: begin -->" in text and f"<!-- {name}: end -->" in text


def test_stopping_shows_what_there_is(capsys, monkeypatch, elsewhere):
    def stopped(options):
        yield cell("exp", 1.0, 4.0)
        raise KeyboardInterrupt

    monkeypatch.setitem(_suites.SUITES, "sweep", (stopped, ""))
    status, out, err = run(capsys, "sweep", "--json", "part.json")
    assert status == 130 and "| exp" not in out and "exp" in out and "stopped" in err
    assert len(_records.read("part.json")[0]) == 1


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
        (("models", "--models", "mlp33"), 1, "did you mean mlp32"),
        (("--read", "none.json"), 1, "cannot read none.json"),
        (("--compare", "none.json"), 1, "cannot read none.json"),
        (("--docs", "nowhere"), 1, "no page nowhere"),
        (("sweep", "--ops", "exp", "--sizes", "1", "--with", "--json", "no/such/file"), 1, "cannot write"),
    ],
)
def test_bench_errors_name_the_culprit(capsys, argv, status, said):
    got, _, err = run(capsys, *argv)
    assert got == status and said in err
