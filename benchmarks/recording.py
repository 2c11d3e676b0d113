"""What recording costs, and what a short graph costs, for very small tensors.

    python benchmarks/recording.py [--quick] [--check] [--all]

Recording: an operation on tensors that require grad, its node and its result made and freed again, beside NumPy's own
call that records nothing. Chain: ten times ``y = tanh(y * x + 1)`` on one element, its sum and the gradient of that.
``--all`` adds operations of every kind, those that cost more than NumPy's call among them; they have no limit.
Everything runs in this process, in turns; the least time counts.
"""

import sys
import timeit

import numpy as np
from _common import conclude, options

import fastgrad as fg
from fastgrad._cli._peers import OPERATIONS, installed
from fastgrad._cli._terminal import Progress, duration, table
from fastgrad._cli._timing import interleaved

RECORDED = ("add", "multiply", "exp", "sum", "matmul")
RECORDING_LIMIT = 0.5  # of the time of NumPy's own call
CHAIN_LIMITS = {"torch": 12, "autograd": 25}  # times as fast as these

#: More operations, by kind, of vectors `a` and `b` and a matrix `m` of 64 elements; `i` are 16 integers, `mask` has 32
#: of 64 set, and `xp` is the library.
MORE = {
    "arithmetic": ("a - b", "a / b", "a + 1.0", "-a", "a**2", "a**b", "a > b"),
    "functions": ("xp.sin(a)", "xp.tanh(a)", "xp.log(a)", "xp.maximum(a, b)", "xp.where(mask, a, b)"),
    "all elements": ("a.sum()", "a.mean()", "a.max()", "a.prod()", "a.var()"),
    "along an axis": ("m.sum(axis=0)", "m.mean(axis=1)", "m.max(axis=0)", "a.cumsum()"),
    "products": ("m @ m", "m @ m[0]", "a @ b", "xp.einsum('ij,jk->ik', m, m)"),
    "views": ("a[3]", "a[1:]", "m[:, 1]", "a.reshape(8, 8)", "m.T", "xp.expand_dims(a, axis=0)"),
    "index arrays": ("a[i]", "a[mask]"),
    "writing": ("c = a + 1.0", "c = a + 1.0; c[3] = 0.5", "c = a + 1.0; c[i] = 0.5", "c = a + 1.0; c *= b"),
    "structure": ("xp.concat([a, b])", "xp.stack([a, b])", "xp.tile(a, 2)", "xp.roll(a, 1)", "a.astype('float32')"),
}

CHAIN = """
def chain(x):
    y = x
    for _ in range(10):
        y = tanh(y * x + 1)
    return y.sum()
"""


def recording(libraries, rounds, progress):
    """A row for each operation and size: the times and their ratio to NumPy's."""
    rows = []
    for name in RECORDED:
        for size in (1, 64):
            operation = OPERATIONS[name]
            arrays = operation.draw(size, np.float64)
            timers = {}
            for library in libraries:
                phase = "forward" if library.name == "numpy" else "record"
                prepared = library.prepare(operation, phase, arrays, arrays[0])
                if prepared is not None:
                    timers[library.name] = timeit.Timer(prepared[0], globals=prepared[1])
            rows.append((name, size, interleaved(timers, rounds)))
            progress.step(name)
    return rows


def more(rounds):
    """A table of the statements of MORE: NumPy's time, fastgrad's with recording, and their ratio."""
    rng = np.random.default_rng(0)
    shapes = {"a": 64, "b": 64, "m": (8, 8)}
    arrays = {name: rng.uniform(0.5, 2.0, shape) for name, shape in shapes.items()}
    tensors = {name: fg.tensor(array, requires_grad=True) for name, array in arrays.items()}
    index = {"i": np.arange(0, 64, 4), "mask": np.arange(64) % 2 == 0}
    lines = []
    with Progress("recording", sum(map(len, MORE.values()))) as progress:
        for kind, statements in MORE.items():
            for statement in statements:
                times = interleaved(
                    {
                        "numpy": timeit.Timer(statement, globals={"xp": np, **arrays, **index}),
                        "fastgrad": timeit.Timer(statement, globals={"xp": fg, **tensors, **index}),
                    },
                    rounds,
                )
                base, own = times["numpy"].least, times["fastgrad"].least
                lines.append([f"{kind}: {statement}", duration(base), duration(own), f"{own / base:.2f}"])
                progress.step(statement)
    return table(["64 elements", "NumPy", "fastgrad", "ratio"], lines)


def chain_timers(libraries):
    """Value and gradient of the chain, as each library takes them."""
    timers = {}
    for library in libraries:
        if library.name in ("numpy", "jax"):
            continue
        names = dict(library.names, x=library.operand(np.array([0.5]), True))
        exec(CHAIN, names)
        if library.name == "autograd":
            names["value_and_grad"] = library.module.value_and_grad(names["chain"])
            statement = "value_and_grad(x)"
        elif library.name == "mygrad":
            statement = "s = chain(x); s.backward(); x.grad"
        else:
            statement = "s = chain(x); grad(s, x)"
        timers[library.name] = timeit.Timer(statement, globals=names)
    return timers


def main():
    parser = options(__doc__)
    parser.add_argument("--all", action="store_true", help="time operations of every kind too")
    given = parser.parse_args()
    rounds = 5 if given.quick else 100
    libraries = installed({"numpy", "fastgrad", "torch", "autograd", "mygrad"})
    peers = [library.name for library in libraries if library.name not in ("numpy", "fastgrad")]
    with Progress("recording", 2 * len(RECORDED) + 1) as progress:
        rows = recording(libraries, rounds, progress)
        chains = interleaved(chain_timers(libraries), rounds)
        progress.step("chain")
    missed = []

    print(f"Recording an operation, as a multiple of NumPy's call without (limit {RECORDING_LIMIT})")
    lines = []
    for name, size, times in rows:
        base = times["numpy"].least
        ratio = times["fastgrad"].least / base
        if ratio > RECORDING_LIMIT:
            missed.append(f"{name}, {size} elements: {ratio:.2f}")
        others = [f"{times[peer].least / base:.2f}" if peer in times else "-" for peer in peers]
        lines.append([name, size, duration(base), duration(times["fastgrad"].least), f"{ratio:.2f}", *others])
    print("\n".join(table(["operation", "elements", "NumPy", "fastgrad", "ratio", *peers], lines)))

    print("\nValue and gradient of ten times y = tanh(y * x + 1), one element")
    own = chains["fastgrad"].least
    lines = []
    for name, timing in chains.items():
        limit = CHAIN_LIMITS.get(name)
        if limit is not None and timing.least / own < limit:
            missed.append(f"chain: {timing.least / own:.1f} times as fast as {name}")
        lines.append([name, duration(timing.least), f"{timing.least / own:.1f}", limit or ""])
    print("\n".join(table(["library", "time", "over fastgrad's", "at least"], lines)))

    if given.all:
        print("\nRecording operations of every kind, as a multiple of NumPy's call without")
        print("\n".join(more(rounds)))
    return conclude(missed, given.check)


if __name__ == "__main__":
    sys.exit(main())
