"""The C core alone: its own tests in tests/c, built with the C compiler at hand and run under sanitizers."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from samples import COMPILED, ONCE

pytestmark = pytest.mark.skipif(not COMPILED, reason=ONCE)

HERE = Path(__file__).parent / "c"
CORE = Path(__file__).parent.parent / "csrc"
PROGRAMS = sorted(path.stem for path in HERE.glob("test_*.c"))
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


def find_compiler():
    """The command of a C compiler that takes GCC's options, as a list; None if there is none."""
    for command in (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang"):
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    return None


def build(compiler, flags, *sources, target):
    command = [*compiler, *flags, f"-I{CORE}", *map(str, sources), "-o", str(target)]
    return subprocess.run(command if "-c" in flags else [*command, "-lm"], capture_output=True, text=True)


def environment():
    """Without what would be preloaded before a sanitizer, and with a report instead of a leak."""
    kept = {name: text for name, text in os.environ.items() if name != "LD_PRELOAD"}
    return kept | {"ASAN_OPTIONS": "detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1"}


@pytest.fixture(scope="module")
def compiler():
    found = find_compiler()
    if sys.platform == "win32" or found is None:
        pytest.skip("no C compiler that takes GCC's options")
    return found


@pytest.fixture(scope="module")
def sanitizers(compiler, tmp_path_factory):
    """The sanitizer flags, or none where a program built with them does not run."""
    folder = tmp_path_factory.mktemp("probe")
    source = folder / "probe.c"
    source.write_text("int main(void) { return 0; }\n")
    for flags in (SANITIZERS, [SANITIZERS[0].replace("address,", ""), SANITIZERS[1]]):
        probe = folder / "probe"
        if build(compiler, flags, source, target=probe).returncode:
            continue
        if subprocess.run([str(probe)], capture_output=True, env=environment()).returncode == 0:
            return flags
    return []


@pytest.fixture(scope="module")
def core(compiler, sanitizers, tmp_path_factory):
    """The core's objects, built once for all its tests."""
    folder = tmp_path_factory.mktemp("core")
    objects = []
    for source in sorted(CORE.glob("*.c")):
        objects.append(folder / f"{source.stem}.o")
        built = build(compiler, [*WARNINGS, "-g", "-O1", "-c", *sanitizers], source, target=objects[-1])
        assert built.returncode == 0, built.stderr
    return objects


@pytest.mark.parametrize("program", PROGRAMS)
def test_core_holds_without_an_interpreter(program, compiler, sanitizers, core, tmp_path):
    target = tmp_path / program
    flags = [*WARNINGS, "-g", "-O1", *sanitizers]
    built = build(compiler, flags, HERE / f"{program}.c", *core, target=target)
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([str(target)], capture_output=True, text=True, timeout=300, env=environment())
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("allocator", ["blocks", "slab"])
def test_allocators_hold_where_none_takes_their_place(allocator, compiler, tmp_path):
    """The address sanitizer has blocks passed through to its own allocator."""
    target = tmp_path / allocator
    sources = [HERE / f"test_{allocator}.c", *(CORE / f"{name}.c" for name in (allocator, "mem"))]
    built = build(compiler, [*WARNINGS, "-g", "-O2"], *sources, target=target)
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([str(target)], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("source", sorted(path.name for path in CORE.glob("*.c")))
def test_core_compiles_without_a_warning(source, compiler, tmp_path):
    built = build(compiler, [*WARNINGS, "-Wshadow", "-O3", "-c"], CORE / source, target=tmp_path / "object.o")
    assert built.returncode == 0, built.stderr
