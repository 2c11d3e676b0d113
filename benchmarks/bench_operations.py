"""One group for each operation and size: NumPy, fastgrad without and with recording, and the peers.

Every row pays for one Python call of the benchmark's own (about 30 ns), NumPy's too. `recording.py` measures without.
"""

import numpy as np
import pytest

from fastgrad._cli._peers import OPERATIONS, PHASES
from fastgrad._cli.bench import compare, expected_cotangent


def pytest_generate_tests(metafunc):
    sizes = [int(size) for size in metafunc.config.getoption("--sizes").split(",")]
    names = metafunc.config.fastgrad_libraries
    rows = [
        pytest.param(operation, size, name, phase, id=f"{operation}-{size}-{name}-{phase}")
        for operation in OPERATIONS
        for size in sizes
        for name, library in names.items()
        for phase in PHASES
        if library.statements[phase] and library.has(OPERATIONS[operation])
    ]
    metafunc.parametrize(("operation", "size", "name", "phase"), rows)


@pytest.mark.benchmark(max_time=0.1, min_rounds=10, warmup=True, warmup_iterations=10)
def bench_operation(benchmark, libraries, operation, size, name, phase):
    row = OPERATIONS[operation]
    arrays = row.draw(size, np.float64)
    cotangent = expected_cotangent(row, arrays, list(libraries.values()))
    expected = {}
    for library in dict.fromkeys((libraries["fastgrad"], libraries[name])):  # right first, then fast
        statement, names = library.prepare(row, "forward" if library.name == "numpy" else phase, arrays, cotangent)
        compare(operation, phase, library, statement, names, expected)
    benchmark.group = f"{operation} {size}"
    benchmark.extra_info.update(library=name, phase=phase)
    benchmark(eval(f"lambda: {statement}", names))
