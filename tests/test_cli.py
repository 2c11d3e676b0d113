"""``python -m fastgrad``: what each command prints, leaves behind and exits with."""

import json
import os
import pathlib
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import fastgrad as fg
from fastgrad.__main__ import main
from fastgrad._cli import _terminal
from fastgrad.data import diabetes


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Commands write into the current directory: let that be one of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *argv):
    """The exit status, standard output and standard error of a command, in this process."""
    try:
        status = main([str(arg) for arg in argv])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err


def test_the_data_are_those_of_the_paper():
    table = diabetes()
    assert table.features.shape == (442, 10) and table.target.shape == (442,)
    assert table.names == ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    # Table 1 of the paper: the first two patients and the last
    assert table.features[0].tolist() == [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]
    assert table.target[[0, 1, -1]].tolist() == [151, 75, 57]


# ---------------------------------------------------------------- demo


def test_demo_shows_every_step_of_the_lesson(capsys):
    status, out, err = run(capsys, "demo", "--steps", 300, "--text")
    assert status == 0 and err == ""
    assert "grad_fn=<MeanBackward>" in out
    for node in ("<MeanBackward>", "<SquareBackward>", "<SubBackward>", "<AddBackward>", "<MatmulBackward>"):
        assert node in out
    assert out.count("<AccumulateGrad>") == 2
    assert "weights, shape (10,)" in out and "bias, shape ()" in out
    assert "weights.grad is None, bias.grad is None" in out
    assert "x.requires_grad is False, x.grad_fn is None, x.grad is None" in out
    assert "closed form" in out and "mean squared error" in out
    assert "\x1b[" not in out, "colours off a terminal"


def test_demo_finds_the_optimum(capsys):
    status, out, _ = run(capsys, "demo", "--quiet")
    assert status == 0
    rows = [line.rsplit(maxsplit=3 if find_spec("scipy") else 2) for line in out.splitlines()]
    (errors,) = [row[1:] for row in rows if row and row[0].strip() == "mean squared error"]
    assert set(errors) == {"2859.6963"}  # that of least squares


def test_demo_draws_where_it_is_told(capsys, elsewhere):
    if find_spec("matplotlib") is None:
        status, _, err = run(capsys, "demo", "--steps", 5, "--output", "loss.png")
        assert status == 1 and "pip install matplotlib" in err
        return
    status, out, _ = run(capsys, "demo", "--steps", 5, "--output", "loss.png")
    assert status == 0 and "loss.png" in out
    assert (elsewhere / "loss.png").read_bytes().startswith(b"\x89PNG")
    status, _, err = run(capsys, "demo", "--steps", 5, "--output", "no/such/directory.png")
    assert status == 1 and "cannot write" in err


def test_demo_that_diverges_says_what_to_do(capsys):
    status, _, err = run(capsys, "demo", "--rate", 3, "--steps", 100)
    assert status == 1
    assert "too long" in err and "--rate 1.5" in err


@pytest.mark.parametrize("argv", [("--steps", "0"), ("--steps", "-3"), ("--steps", "many"), ("--rate", "nan")])
def test_demo_refuses_what_makes_no_sense(capsys, argv):
    status, _, err = run(capsys, "demo", *argv)
    assert status == 2 and argv[0] in err


# ---------------------------------------------------------------- info


def test_info_names_versions_and_backend(capsys):
    status, out, _ = run(capsys, "info", "--loops")
    assert status == 0
    assert np.__version__ in out and fg.__version__ in out
    status, out, _ = run(capsys, "info", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["backend"] in ("compiled", "reference")
    assert found["rows"] == len(fg.ops.TABLE)
    if found["backend"] == "compiled":
        assert "d" in found["loops"]["add"] and "f" in found["loops"]["exp"]


# ---------------------------------------------------------------- the command itself


@pytest.mark.parametrize("command", [(), ("demo",), ("bench",), ("info",)])
def test_help_shows_examples(capsys, command):
    status, out, _ = run(capsys, *command, "--help")
    assert status == 0 and "examples:\n  python -m fastgrad" in out


@pytest.mark.parametrize("argv", [(), ("dmeo",)])
def test_no_command_and_a_wrong_one_are_usage_errors(capsys, argv):
    status, out, err = run(capsys, *argv)
    assert status == 2 and out == ""
    assert "usage: python -m fastgrad" in err


def test_it_runs_as_a_module_and_survives_a_closed_pipe():
    env = dict(os.environ, PYTHONUNBUFFERED="1")
    process = subprocess.Popen(
        [sys.executable, "-m", "fastgrad", "demo", "--steps", "5", "--text"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=pathlib.Path(__file__).parents[1],
    )
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 0 and "Traceback" not in err


def test_ctrl_c_exits_as_a_signal_would(capsys, monkeypatch):
    from fastgrad._cli import info

    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "run", interrupted)
    status, _, err = run(capsys, "info")
    assert status == 130 and "stopped" in err


# ---------------------------------------------------------------- what is shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(67e-9, "67 ns"), (999.9e-9, "1.00 µs"), (1.534e-6, "1.53 µs"), (12.34e-6, "12.3 µs"), (0.72912, "729 ms")],
)
def test_durations_have_three_figures(seconds, text):
    assert _terminal.duration(seconds) == text


def test_tables_align():
    lines = _terminal.table(["a", "bb"], [["x", 1], ["yyy", 22]])
    assert lines[0] == "a    bb" and lines[2:] == ["x     1", "yyy  22"]


@pytest.mark.parametrize("log", [False, True])
def test_a_plot_goes_from_the_first_value_to_the_last(log):
    lines = _terminal.plot(np.linspace(100, 1, 500), width=40, height=8, log=log)
    assert len(lines) == 10
    assert lines[0].strip().startswith("100") and lines[7].strip().startswith("1 ")
    assert lines[-1].split() == ["1", "500"]
    assert _terminal.plot([3.0]), "a single value, of no range"


class Screen:
    """A stream that says it is a terminal."""

    encoding = "ascii"

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_the_bar_is_drawn_on_a_terminal_and_wiped(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with _terminal.Progress("working", 4) as progress:
        for i in range(4):
            progress.step(f"part {i}")
    assert "working" in screen.text and "100%" in screen.text and "part 3" in screen.text
    assert screen.text.endswith("\r\x1b[K")
    assert screen.text.isascii()


def test_off_a_terminal_no_bar_is_drawn_but_a_line_now_and_then(capsys, monkeypatch):
    with _terminal.Progress("working", 2) as progress:
        progress.step()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(_terminal._Log, "seconds", 0.0)
    with _terminal.Progress("working", 2) as progress:
        progress.step("part 1")
    assert capsys.readouterr() == ("", "working: 1 of 2  part 1\n")
