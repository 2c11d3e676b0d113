"""How time and memory grow with the graph.

    python benchmarks/graphs.py [--quick] [--check]

Deep: ``y = sin(y + x)`` on one element until there are n nodes; built, differentiated and freed. The time for each node
should not depend on n, nothing may recurse, and the peak of memory is counted, arrays included.
Indexed: ``s = s + x[i] ** 2`` over the n elements of x. Backward should be linear in n.
"""

import gc
import subprocess
import sys
import time

import numpy as np
from _common import conclude, options

import fastgrad as fg
from fastgrad._cli._terminal import Progress, duration, table

DEEP_GROWTH_LIMIT = 1.5  # time a node at the largest n over that at 10⁴
DEEP_BYTES_LIMIT = 450  # peak bytes a node
INDEXED_GROWTH_LIMIT = 2.0  # time an element at the largest n over that at 10³


def deep(n):
    """Build, differentiate and free a chain of n nodes; the seconds of each."""
    x = fg.tensor([0.5], requires_grad=True)
    begun = time.perf_counter()
    y = x
    for _ in range(n // 2):
        y = fg.sin(y + x)
    built = time.perf_counter()
    y.backward()
    done = time.perf_counter()
    del y
    freed = time.perf_counter()
    return np.array([built - begun, done - built, freed - done])


def indexed(n):
    """Sum the squares of n elements one by one; the seconds of the loop and of backward."""
    x = fg.tensor(np.linspace(0.0, 1.0, n), requires_grad=True)
    begun = time.perf_counter()
    s = 0
    for i in range(n):
        s = s + x[i] ** 2
    built = time.perf_counter()
    s.backward()
    done = time.perf_counter()
    assert np.allclose(x.grad.numpy(), 2 * np.linspace(0.0, 1.0, n))
    return np.array([built - begun, done - built])


def least(run, n, seconds):
    """The least time of each part over as many runs as fit into `seconds`, at least three."""
    gc.collect()
    best, begun, runs = run(n), time.perf_counter(), 1
    while runs < 3 or time.perf_counter() - begun < seconds:
        best = np.minimum(best, run(n))
        runs += 1
    return best


def peak_bytes():
    """The most memory that this process has held."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def bytes_a_node(n):
    """Peak memory of a chain of n nodes, a node, in a fresh process."""
    done = subprocess.run([sys.executable, __file__, "--peak", str(n)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main():
    parser = options(__doc__, quick="smaller graphs")
    parser.add_argument("--peak", type=int, metavar="N", help="print the peak bytes a node of one chain of N")
    given = parser.parse_args()
    if given.peak:
        deep(100)
        before = peak_bytes()
        deep(given.peak)
        print((peak_bytes() - before) / given.peak)
        return 0
    depths = (10_000, 30_000) if given.quick else (10_000, 100_000, 1_000_000)
    lengths = (1_000, 3_000) if given.quick else (1_000, 10_000, 100_000)
    seconds = 0.2 if given.quick else 3.0
    missed = []
    with Progress("graphs", len(depths) + len(lengths)) as progress:
        chains = {}
        for n in depths:
            chains[n] = (least(deep, n, seconds), bytes_a_node(n))
            progress.step(f"{n:,} deep")
        loops = {}
        for n in lengths:
            loops[n] = least(indexed, n, seconds)
            progress.step(f"{n:,} indexed")

    print(
        f"Deep: a node's time (limit {DEEP_GROWTH_LIMIT} x that at 10,000) and memory (limit {DEEP_BYTES_LIMIT} bytes)"
    )
    first = chains[depths[0]][0].sum() / depths[0]
    lines = []
    for n, (times, size) in chains.items():
        growth = times.sum() / n / first
        if growth > DEEP_GROWTH_LIMIT:
            missed.append(f"{n:,} nodes: {growth:.2f} x the time a node")
        if size > DEEP_BYTES_LIMIT:
            missed.append(f"{n:,} nodes: {size:.0f} bytes a node")
        lines.append([f"{n:,}", *(duration(t / n) for t in times), f"{growth:.2f}", f"{size:.0f}"])
    print("\n".join(table(["nodes", "build", "backward", "free", "growth", "bytes"], lines)))

    print("\nIndexed: an element's time")
    first = loops[lengths[0]][1] / lengths[0]
    lines = []
    for n, times in loops.items():
        growth = times[1] / n / first
        if growth > INDEXED_GROWTH_LIMIT:
            missed.append(f"{n:,} elements: backward takes {growth:.2f} x the time an element")
        lines.append([f"{n:,}", *(duration(t / n) for t in times), f"{growth:.2f}"])
    print("\n".join(table(["elements", "loop", "backward", "growth of backward"], lines)))
    return conclude(missed, given.check)


if __name__ == "__main__":
    sys.exit(main())
