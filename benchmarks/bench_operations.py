"""One group for each operation and size: NumPy, fastgrad without and with recording, and the peers.

The operations are those of ``python -m fastgrad bench sweep``; all run in this process. Every row pays for one Python
call of the benchmark's own (about 30 ns), NumPy's too.
"""

import pytest

from fastgrad._cli._jobs import cotangent, uniform
from fastgrad._cli._operations import OPERATIONS
from fastgrad._cli._peers import PHASES, NotOffered
from fastgrad._cli._turns import disagreement, tolerance_of
from fastgrad._cli._worker import Job, digest


def pytest_generate_tests(metafunc):
    sizes = [int(size) for size in metafunc.config.getoption("--sizes").split(",")]
    rows = [
        pytest.param(operation, size, name, phase, id=f"{operation}-{size}-{name}-{phase}")
        for operation, line in OPERATIONS.items()
        for size in sizes
        if line.sized(size)
        for name, library in metafunc.config.fastgrad_libraries.items()
        for phase in PHASES
        if library.statements.get(phase)
    ]
    metafunc.parametrize(("operation", "size", "name", "phase"), rows)


@pytest.mark.benchmark(max_time=0.1, min_rounds=10, warmup=True, warmup_iterations=10)
def bench_operation(benchmark, libraries, operation, size, name, phase):
    line = OPERATIONS[operation]
    operands = line.draw(size, "float64", uniform)

    def prepare(library):
        return library.prepare(line.said_by(library.name), phase, operands, cotangent)

    try:
        statement, names, results = prepare(libraries[name])
        found = [digest(array) for array in results()]
    except Exception as missing:
        if name in ("fastgrad", "torch") and not isinstance(missing, NotOffered):
            raise
        pytest.skip(f"{name}: {missing}")
    expected = [digest(array) for array in prepare(libraries["fastgrad"])[2]()]  # right first, then fast
    wrong = disagreement(expected, found, tolerance_of(Job("sweep", operation, size, "float64")))
    if wrong:
        pytest.skip(f"{name} differs: {wrong}")
    benchmark.group = f"{operation} {size}"
    benchmark.extra_info.update(library=name, phase=phase)
    code = compile(statement, operation, "exec")
    benchmark(exec, code, names)
