"""How many instructions recording and differentiating the commonest operations take.

    python benchmarks/instructions.py [--check] [--update] [--only NAME ...]

Counted by callgrind (of valgrind), so that the load of the machine is of no account: each statement is run n times and
2 n times, and the difference is the cost of n of them. The counts of `instructions.json` were made with the versions
it names; ``--check`` fails where a count has grown by more than 3 % since, and says what to do. With other versions, or
without valgrind, nothing is counted. ``--update`` writes the counts, and goes into the commit that changes them.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

BASELINE = Path(__file__).with_suffix(".json")
GROWTH = 0.03  # that is taken for noise
CALLS = 200  # a count is of so many calls; the first that are counted come after a warm-up of as many
MARK = "getloadavg"  # a function of libc that nothing else calls: callgrind dumps its counts when it is entered

SETUP = """
import numpy as np
import fastgrad as fg
from fastgrad import concat, exp, matmul, stack, tanh, where
from fastgrad.nn.functional import linear, relu
x, y = fg.tensor([0.5], requires_grad=True), fg.tensor([0.7], requires_grad=True)
s, t = fg.tensor(0.5, requires_grad=True), fg.tensor(0.7, requires_grad=True)
m, v = fg.tensor(np.ones((3, 3)), requires_grad=True), fg.tensor(np.ones(3), requires_grad=True)
mask, one, weight = fg.tensor([True]), fg.tensor([1.0]), fg.tensor(0.5)
def chain(x):
    y = x
    for _ in range(10):
        y = tanh(y * x + 1)
    return y
"""

#: Each is recorded, and what it made is freed again.
STATEMENTS = (
    "x + y", "x * y", "x / y", "x - 1.0", "2 * x", "x**2", "x**3", "-x", "exp(x)", "x.tanh()", "relu(x)", "x > 0",
    "v[1]", "v[1:]", "m[1, :]", "m[..., None]", "m.reshape(9)", "m.T", "v.sum()", "m.sum(axis=0)", "v.mean()",
    "m @ m", "m @ v", "linear(v, m, v)", "where(mask, x, y)", "stack([x, y])", "concat([x, y])", "weight.item()",
    "s * t + 1", "s.tanh()", "s.relu()", "s.grad = None",
    "(s * t).backward()", "(x * y).backward(one)", "v.sum().backward()", "v[1].backward()",
    "chain(x).backward()", "chain(s).backward()",
)  # fmt: skip


def versions():
    """What the counts depend on beside fastgrad."""
    import numpy as np

    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout if _found(compiler) else ""
    return {
        "python": f"{platform.python_version()} {' '.join(platform.python_build())}",
        "numpy": np.__version__,
        "compiler": said.partition("\n")[0],
        "machine": f"{platform.machine()} {' '.join(platform.libc_ver())}",
        "valgrind": subprocess.run(["valgrind", "--version"], capture_output=True, text=True).stdout.strip(),
    }


def _found(program):
    return shutil.which(program) is not None


def run_marked(statements):
    """Run each statement n times and 2 n times, with a mark before, between and after. Runs under callgrind."""
    import gc
    from itertools import repeat

    gc.disable()  # it would run at moments of its own
    for statement in statements:
        names = {"repeat": repeat}
        exec(SETUP, names)
        exec(f"def run(n):\n    for _ in repeat(None, n):\n        {statement}\n", names)
        names["run"](CALLS)
        os.getloadavg()
        names["run"](CALLS)
        os.getloadavg()
        names["run"](2 * CALLS)
        os.getloadavg()


def counted(statements):
    """Instructions of one call of each statement, less those of a loop around nothing."""
    everything = ["pass", *statements]
    environment = dict(os.environ, PYTHONHASHSEED="0", OPENBLAS_NUM_THREADS="1", FASTGRAD_NUM_THREADS="1")
    fixed = ["setarch", "-R"] if _found("setarch") else []  # addresses decide how a few hash tables are filled
    with TemporaryDirectory() as folder:
        command = [
            *fixed,
            "valgrind",
            "--tool=callgrind",
            f"--dump-before={MARK}",
            f"--callgrind-out-file={folder}/out",
        ]
        subprocess.run(
            [*command, sys.executable, __file__, "--marked", json.dumps(everything)], env=environment, check=True,
            capture_output=True,
        )  # fmt: skip
        counts = [
            (_total(f"{folder}/out.{3 * i + 3}") - _total(f"{folder}/out.{3 * i + 2}")) / CALLS
            for i in range(len(everything))
        ]
    return {statement: round(count - counts[0]) for statement, count in zip(everything[1:], counts[1:])}


def _total(path):
    return int(re.search(r"^(?:totals|summary): (\d+)", Path(path).read_text(), re.MULTILINE)[1])


def compared(counts, before):
    """Lines of a table, and those statements that have become more expensive."""
    lines, grown = [f"{'instructions':>12} {'before':>8} {'change':>8}  statement"], []
    for statement, count in counts.items():
        old = before.get(statement)
        if old is None:
            lines.append(f"{count:12} {'-':>8} {'':>8}  {statement}")
            continue
        change = count / old - 1
        lines.append(f"{count:12} {old:8} {change:+8.1%}  {statement}")
        if change > GROWTH:
            grown.append(f"{statement}: {old} -> {count} instructions")
    return lines, grown


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where a count has grown")
    parser.add_argument("--update", action="store_true", help=f"write {BASELINE.name}")
    parser.add_argument("--only", nargs="+", metavar="STATEMENT", default=STATEMENTS, help="count these")
    parser.add_argument("--marked", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments=None):
    given = parse(arguments)
    if given.marked:
        run_marked(given.marked)
        return 0
    if not _found("valgrind"):
        print("skipped: there is no valgrind here")
        return 0
    made_with = versions()
    stored = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"versions": {}, "instructions": {}}
    differing = [name for name, version in made_with.items() if stored["versions"].get(name) != version]
    if given.check and differing:
        print(f"skipped: the counts of {BASELINE.name} were made with another")
        for name in differing:
            print(f"    {name}: {stored['versions'].get(name)!r}, here {made_with[name]!r}")
        print("To have a check here: count without your change (--update), and then with it (--check).")
        return 0
    counts = counted(given.only)
    lines, grown = compared(counts, stored["instructions"])
    print("\n".join(lines))
    if given.update:
        instructions = {**stored["instructions"], **counts} if given.only is not STATEMENTS else counts
        BASELINE.write_text(json.dumps({"versions": made_with, "instructions": instructions}, indent=1) + "\n")
        print(f"written: {BASELINE}")
    elif given.check and grown:
        print(f"\nmore than {GROWTH:.0%} more than in {BASELINE.name}:", *grown, sep="\n    ")
        print("If that is the price of something, say so in the commit, and let `--update` be part of it.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
