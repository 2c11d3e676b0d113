"""The check of instruction counts: what it runs, and when it fails."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "instructions.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the tests are away from the tree")


@pytest.fixture(scope="module")
def script():
    spec = spec_from_file_location("instructions", SCRIPT)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_statement_runs(script):
    names = {}
    exec(script.SETUP, names)
    for statement in script.STATEMENTS:
        exec(statement, names)


def test_growth_beyond_noise_is_told_from_noise_and_from_new_statements(script):
    _, grown = script.compared({"a": 1029, "b": 1031, "c": 900, "new": 5000}, {"a": 1000, "b": 1000, "c": 1000})
    assert grown == ["b: 1000 -> 1031 instructions"]


def test_counts_of_other_versions_are_no_failure(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(script, "BASELINE", tmp_path / "instructions.json")
    monkeypatch.setattr(script, "_found", lambda program: True)
    monkeypatch.setattr(script, "versions", lambda: {"python": "0.0"})
    assert script.main(["--check"]) == 0
    assert "skipped" in capsys.readouterr().out
