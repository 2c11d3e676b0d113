"""Write docs/operations.md, docs/optable.md, its counts in the README, and the stubs, src/fastgrad/*.pyi.

python docs/generate.py            write it
python docs/generate.py --check    fail where it is not what would be written
"""

import ast
import os
import sys
from importlib import import_module
from inspect import getdoc, getsource, signature
from pathlib import Path

PAGE = Path(__file__).with_name("operations.md")
README = Path(__file__).parents[1] / "README.md"
STUB = Path(__file__).parents[1] / "src" / "fastgrad" / "__init__.pyi"
STUBBED = ("linalg", "fft")  # public modules whose functions are made from rows
MODULES = (
    "elementwise",
    "indexing",
    "shaping",
    "reductions",
    "linalg",
    "views",
    "composites",
    "classes",
)  # as they need each other
LONGEST = 96  # a derivative that takes more characters is left to the source
HEAD = """\
# Operations

<!-- Written by docs/generate.py from the table; do not edit. -->

Every row of the table, module by module, and its derivative: one formula for each operand, in which `g` is the
cotangent of the result and `out` the result itself. "In the source" is a formula longer than a line. Indexing (`t[i]`,
`t[i] = v`) is differentiable too. Functions that make tensors come first.
"""
CREATION = """\
## creation

`requires_grad=True` makes a leaf that collects a gradient. `dtype=` is NumPy's; `device=` is there for the array API
standard and may be `"cpu"` or None. `tril`, `triu` and `meshgrid` are differentiable.

| function | result |
| --- | --- |
"""


def formulas(module):
    """The source of each row's vjp in `module`, by the row's name, where it is short enough to print."""
    found = {}
    for node in ast.walk(ast.parse(getsource(module))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_op"):
            continue
        if not (node.args and isinstance(node.args[0], ast.Constant)):
            continue
        vjp = next((word.value for word in node.keywords if word.arg == "vjp"), None)
        parts = vjp.elts if isinstance(vjp, ast.Tuple) else [vjp]
        if all(isinstance(part, ast.Lambda) for part in parts):
            text = "; ".join(ast.unparse(part.body) for part in parts)
            if len(text) <= LONGEST:
                found[node.args[0].value] = text
    return found


def derivative(op, written):
    if not op.differentiable:
        return "none"
    if op.derived:
        return "from its expression"
    text = written.get(op.name)
    return f"`{text}`".replace("|", "\\|") if text else "in the source"


def call(op):
    """How the operation is called, and what else it is called."""
    from fastgrad import ops

    others = [f"`{alias}`" for alias, name in ops.ALIASES.items() if name == op.name]
    place = op.module.removeprefix("fastgrad").removeprefix(".")
    name = op.name.removeprefix(f"{place}_")  # the name of another function of the top level
    return f"`{place and place + '.'}{name}{signature(op.bind)}`" + (f" (also {', '.join(others)})" if others else "")


def made_in(module):
    """The names of the rows that are made in `module`, one call each."""
    calls = [node for node in ast.walk(ast.parse(getsource(module))) if isinstance(node, ast.Call) and node.args]
    named = [node.args[0] for node in calls if isinstance(node.func, ast.Name) and node.func.id == "_op"]
    return [first.value for first in named if isinstance(first, ast.Constant)]


def rows_by_module():
    """The modules of the table in order, each with the rows that it makes."""
    from fastgrad import _creation, ops

    hidden = {*ops.INTERNAL, *_creation.__all__}  # `zeros_like` is a row, and the public one a creation function
    later = [name for names in ops.LATER.values() for name in names]
    modules = {import_module(f"fastgrad.ops.{name}"): [] for name in (*MODULES, *later)}
    makers = {name: module for module in modules for name in made_in(module)}
    for module in modules:  # rows that are made in a loop belong to the first module that has them
        for value in vars(module).values():
            if isinstance(value, ops.Op):
                makers.setdefault(value.name, module)
    for name, op in ops.TABLE.items():
        if name in makers and name not in hidden:
            modules[makers[name]].append(op)
    modules = {module: rows for module, rows in modules.items() if rows}
    left = [op.name for op in ops.TABLE.values() if op.name not in makers and op.name not in ops.INTERNAL]
    if left:
        raise SystemExit(f"rows that no module is known to make: {', '.join(left)}")
    return modules


def creation():
    """The section on functions that make tensors, in the order in which they are written."""
    from fastgrad import _creation

    lines = []
    for name, function in vars(_creation).items():
        if name in _creation.__all__:
            said = getdoc(function).partition("\n")[0].replace("``", "`").replace("|", "\\|")
            lines.append(f"| `{name}{signature(function)}` | {said} |")
    return CREATION + "\n".join(lines) + "\n"


def page():
    """The text of the page."""
    lines = [HEAD, creation()]
    for module, rows in rows_by_module().items():
        if not rows:
            continue
        written = formulas(module)
        title = getdoc(module).partition("\n")[0].rstrip(".")
        lines += [f"## {module.__name__.rpartition('.')[2]}", "", f"{title}.", ""]
        lines += ["| operation | derivative |", "| --- | --- |"]
        lines += [f"| {call(op)} | {derivative(op, written)} |" for op in rows]
        lines.append("")
    return "\n".join(lines)


def readme(coverage):
    """The README, with the counts of docs/optable.md."""
    begin, end = "<!-- coverage: begin -->", "<!-- coverage: end -->"
    head, _, rest = README.read_text(encoding="utf-8").partition(begin)
    counts = coverage[coverage.index("| | functions") : coverage.index("\n## ")].strip()
    return f"{head}{begin}\n\n{counts}\n\n{end}{rest.partition(end)[2]}"


def main():
    os.environ["FASTGRAD_BACKEND"] = "reference"  # what is written must not depend on what is built
    import optable
    import stubs

    late = 0
    coverage = optable.page()
    written = {PAGE: page(), STUB: stubs.stub(), optable.PAGE: coverage, README: readme(coverage)}
    for name in STUBBED:
        module = import_module(f"fastgrad.{name}")
        written[STUB.parent.joinpath(*name.split(".")).with_suffix(".pyi")] = stubs.module_stub(module)
    for path, text in written.items():
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is out of date: python docs/generate.py")
            late = 1
    return late


if __name__ == "__main__":
    sys.exit(main())
