"""The package as it is installed: what it costs, what it holds, and pages that say what is true."""

import doctest
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as fg

PAGES = (
    "index",
    "autograd",
    "func",
    "arrays",
    "numeric",
    "statistics",
    "recipes",
    "differences",
    "nn",
    "optim",
)  # those with examples
PACKAGE = pathlib.Path(fg.__file__).parent
ROOT = pathlib.Path(__file__).parents[1]
needs_the_tree = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="tests are run away from the tree, which has the pages"
)


def python(*args, **kwargs):
    """Run this Python in a process of its own, which may write bytecode; its standard output."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env.update(kwargs.pop("env", {}))
    done = subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False, env=env, **kwargs)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


# ---------------------------------------------------------------- cost


def test_import_takes_at_most_15_ms_over_that_of_numpy():
    # The processor's time, and the least of a few: others use this machine too. This thread's time: those that NumPy's
    # BLAS has just started idle for a while, which is not fastgrad's doing.
    code = "import numpy, time; t = time.thread_time(); import fastgrad; print(time.thread_time() - t)"
    times = []
    for _ in range(30):
        times.append(float(python("-c", code)))
        if times[-1] <= 0.015:
            return
    pytest.fail(f"import fastgrad took {min(times) * 1e3:.1f} ms at least")


def test_the_installed_package_is_under_3_mb():
    sources = {".pyx", ".pxi"}  # in the tree they lie there too
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files = [path for path in files if path.suffix not in sources]
    assert any(path.name == "py.typed" for path in files)
    assert any(path.name == "diabetes.csv" for path in files)
    assert sum(path.stat().st_size for path in files) < 3_000_000


def test_the_version_is_that_of_the_distribution():
    try:
        installed = importlib.metadata.version("fastgrad")
    except importlib.metadata.PackageNotFoundError:
        installed = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert fg.__version__ == installed


# ---------------------------------------------------------------- backends


def test_without_the_extension_the_reference_backend_is_used():
    code = (
        "import sys; sys.modules['fastgrad._core'] = None\n"  # what import finds where nothing was built
        "import fastgrad as fg\n"
        "x = fg.tensor([1.0, 2.0], requires_grad=True)\n"
        "(x * x).sum().backward()\n"
        "print(fg.backend_name(), x.grad.tolist())"
    )
    assert python("-c", code, env={"FASTGRAD_BACKEND": ""}).strip() == "reference [2.0, 4.0]"


def test_the_environment_chooses_the_backend():
    code = "import fastgrad as fg; print(fg.backend_name())"
    assert python("-c", code, env={"FASTGRAD_BACKEND": "reference"}).strip() == "reference"
    built = python("-c", code, env={"FASTGRAD_BACKEND": ""}).strip()
    assert built == ("compiled" if any(PACKAGE.glob("_core.*.so")) or any(PACKAGE.glob("_core*.pyd")) else "reference")


# ---------------------------------------------------------------- pages


@needs_the_tree
@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in PAGES)])
def test_examples_on_the_pages_run(page):
    if page == "docs/recipes.md":
        pytest.importorskip("scipy", reason="a recipe is about scipy.optimize")
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(ROOT / page), module_relative=False, optionflags=flags, encoding="utf-8")
    assert tried > 3 and failed == 0


@needs_the_tree
def test_links_between_the_pages_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@needs_the_tree
def test_the_page_of_operations_and_the_stub_are_those_of_the_table():
    python(str(ROOT / "docs" / "generate.py"), "--check")


def hunks(diff):
    """The (old, new) text of each hunk of a diff of one file, and the file."""
    (path,) = re.findall(r"^\+\+\+ b/(.+)$", diff, re.MULTILINE)
    parts = []
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE)[1:]:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        parts.append((old, new))
    return path, parts


@needs_the_tree
def test_the_operation_that_contributing_adds_is_added_by_its_diff_alone(tmp_path):
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (diff,) = re.findall(r"^```diff\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    name = re.search(r'^\+\w+\s*= _op\("(\w+)"', diff, re.MULTILINE)[1]
    assert name not in fg.ops.TABLE
    path, parts = hunks(diff)
    shutil.copytree(PACKAGE, tmp_path / "src" / "fastgrad", ignore=shutil.ignore_patterns("__pycache__"))
    text = (tmp_path / path).read_text(encoding="utf-8")
    for old, new in parts:
        assert text.count(old) == 1, f"the diff does not apply: {old!r}"
        text = text.replace(old, new)
    (tmp_path / path).write_text(text, encoding="utf-8")

    env = {"PYTHONPATH": str(tmp_path / "src")}
    code = (
        "import numpy as np, fastgrad as fg\n"
        "x = fg.tensor([np.pi, np.pi / 2], requires_grad=True)\n"
        f"y = fg.{name}(x); y.sum().backward(); print(*y.tolist(), *x.grad.tolist(), hasattr(x, '{name}_'))"
    )
    shown = python("-c", code, env=env, cwd=tmp_path).split()
    assert np.allclose([float(value) for value in shown[:4]], [1, 0.5, 0, 0.5], atol=1e-15)
    assert shown[4] == "True"
    tests = ["tests/test_forward.py", "tests/test_gradients.py"]
    run = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", name]
    said = python(*run, env=env, cwd=ROOT)
    assert int(re.search(r"(\d+) passed", said)[1]) >= 3, said


FIRST = {
    "a function of a later family": "fg.median(x)",
    "a module": "fg.linalg.svdvals(x[None])",
    "a module of modules": "fg.nn.functional.gelu(x)",
    "NumPy's function": "np.median(x)",
    "NumPy's function of a module": "np.fft.fft(x).real",
    "a ufunc": "np.logaddexp2(x, 1.0)",
    "a ufunc's method": "np.subtract.outer(x, x)",
    "a method": "x.sort()",
    "a transform": "fg.func.grad(lambda x: fg.quantile(x, 0.3))(x) * x",
    "the standard": "x.__array_namespace__().linalg.vector_norm(x)",
    "a name of its own": "fg.register_op('twice', lambda x: x + x, 'x')(x)",
    "everything": "[getattr(fg, name) for name in fg.__all__] and x",
}


@pytest.mark.parametrize("first", FIRST)
def test_whatever_is_asked_for_first_is_loaded(first):
    """Families of rows are imported when they are first needed: each way to need one has to find it."""
    code = (
        "import numpy as np, fastgrad as fg\n"
        "x = fg.tensor([3.0, 1.0, 2.0], requires_grad=True)\n"
        f"y = {FIRST[first]}\n"
        "y.sum().backward()\n"
        "print(x.grad.shape)"
    )
    assert python("-c", code).split() == ["(3,)"]


def test_the_import_loads_no_later_family():
    code = "import sys, fastgrad as fg; print(*[m for names in fg.ops.LATER.values() for m in names if f'fastgrad.ops.{m}' in sys.modules])"
    assert python("-c", code).split() == []
    assert python("-c", "import sys, fastgrad; print('scipy' in sys.modules)").split() == ["False"]
