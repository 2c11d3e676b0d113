"""Options of ``pytest benchmarks/``, and the table of ratios that it closes with."""

import pytest

from fastgrad._cli._peers import PHASES, installed
from fastgrad._cli._terminal import duration, table


def pytest_addoption(parser):
    group = parser.getgroup("fastgrad")
    group.addoption("--sizes", default="1,4096", help="numbers of elements, between commas (default: 1,4096)")
    group.addoption("--peers", default="torch,jax,autograd,mygrad", help="libraries beside NumPy (default: all here)")


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "default")  # other libraries' warnings are their own affair
    names = {"numpy", "fastgrad", *config.getoption("--peers").split(",")}
    config.fastgrad_libraries = {library.name: library for library in installed(names)}


@pytest.fixture(scope="session")
def libraries(request):
    return request.config.fastgrad_libraries


def pytest_terminal_summary(terminalreporter, config):
    session = getattr(config, "_benchmarksession", None)
    done = [bench for bench in (session.benchmarks if session else ()) if bench.stats and "phase" in bench.extra_info]
    if not done:
        return
    times = {(bench.group, bench.extra_info["library"], bench.extra_info["phase"]): bench.stats.min for bench in done}
    groups = list(dict.fromkeys(bench.group for bench in done))
    columns = [
        (name, phase)
        for name in config.fastgrad_libraries
        for phase in PHASES
        if name != "numpy" and any((group, name, phase) in times for group in groups)
    ]
    lines = []
    for group in groups:
        base = times.get((group, "numpy", "forward"))
        if base:
            cells = [times.get((group, *column)) for column in columns]
            lines.append([group, duration(base), *("-" if cell is None else f"{cell / base:.2f}" for cell in cells)])
    terminalreporter.section("the least time of each, as a multiple of NumPy's forward")
    for line in table(["operation", "NumPy", *(f"{name} {phase}" for name, phase in columns)], lines):
        terminalreporter.write_line(line)
