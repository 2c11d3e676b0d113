"""Build of fastgrad's one extension; everything else is in pyproject.toml.

Switches, all by environment variable and all off by default:

FASTGRAD_NO_EXTENSIONS=1            pure Python: no compiler needed, the reference backend alone
FASTGRAD_SANITIZE=address,undefined build with these sanitizers (GCC, Clang)
FASTGRAD_COVERAGE=1                 gcov counters in the C, line tracing in the Cython
FASTGRAD_WERROR=1                   warnings of csrc/ are errors (developers and CI; never in a user's build)
"""

import os
import sys
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FAILED = """
fastgrad: the extension could not be built (the reason is above).
It needs a C11 compiler and the headers of this Python. To install without it, on the slower
pure-Python backend, set FASTGRAD_NO_EXTENSIONS=1:

    FASTGRAD_NO_EXTENSIONS=1 pip install .
"""


def switch(name):
    """Whether the environment turns `name` on."""
    return os.environ.get(name, "").lower() not in ("", "0", "false", "no", "off")


SANITIZE = os.environ.get("FASTGRAD_SANITIZE", "")
COVERAGE = switch("FASTGRAD_COVERAGE")
WERROR = switch("FASTGRAD_WERROR")

# -ffp-contract=off: a fused multiply-add would give other bits than NumPy's loops do. -g0: debugging information
# would be most of the installed package; nor does C unwind its stack by tables. -fno-align-...: the gaps before targets
# of jumps are a twentieth of what Cython generates, and nothing is gained by them there. Nobody reads errno or the
# floating-point flags after a loop, which then may choose between two results that it computed both.
UNIX_FLAGS = [
    "-std=c11", "-O2", "-g0", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-fno-asynchronous-unwind-tables", "-fno-align-jumps", "-fno-align-labels", "-fno-align-loops", "-pthread",
]  # fmt: skip
MSVC_FLAGS = ["/std:c11", "/O2", "/fp:precise", "/experimental:c11atomics"]
CSRC_FLAGS = ["-O3", "-falign-loops"]  # loops; what Cython generates is code that is read once
CSRC_WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Wvla", "-Wno-unused-parameter"]


class BuildCore(build_ext):
    """`build_ext` that knows the compiler's dialect, and says what to do where there is no compiler."""

    def run(self):
        try:
            super().run()
        except Exception as error:
            print(error, file=sys.stderr)
            raise SystemExit(FAILED) from error

    def build_extension(self, ext):
        if self.compiler.compiler_type == "msvc":
            ext.extra_compile_args = [*MSVC_FLAGS, *ext.extra_compile_args]
        else:
            ext.extra_compile_args = [*UNIX_FLAGS, *ext.extra_compile_args]
            ext.extra_link_args = ["-pthread", *ext.extra_link_args]
            if sys.platform == "linux" and not (SANITIZE or COVERAGE):
                ext.extra_link_args.append("-Wl,-s")  # nor symbols that nobody links to
            self._instrument(ext)
            self._treat_csrc()
        super().build_extension(ext)

    def _instrument(self, ext):
        flags = []
        if SANITIZE:
            flags += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-g", "-O1"]
        if COVERAGE:
            flags += ["--coverage", "-g", "-O0"]
            ext.define_macros += [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
        ext.extra_compile_args += flags
        ext.extra_link_args += flags

    def _treat_csrc(self):
        """Optimise our own C further than what Cython generates, and warn about it."""
        compile_one = self.compiler._compile
        flags = [*CSRC_WARNINGS, *(["-Werror"] if WERROR else [])]
        if not (SANITIZE or COVERAGE):
            flags += CSRC_FLAGS

        def compile_own(obj, src, ext, cc_args, extra_postargs, pp_opts):
            own = os.path.normpath(src).split(os.sep)[0] == "csrc"
            return compile_one(obj, src, ext, cc_args, [*extra_postargs, *(flags if own else ())], pp_opts)

        self.compiler._compile = compile_own


def extensions():
    if switch("FASTGRAD_NO_EXTENSIONS"):
        return []
    import numpy as np
    from Cython.Build import cythonize

    core = Extension(
        "fastgrad._core",
        sources=["src/fastgrad/_core.pyx", *sorted(glob("csrc/*.c"))],
        depends=sorted(glob("csrc/*.h")),
        include_dirs=[np.get_include(), "csrc"],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
            ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION"),
        ],
    )
    directives = {
        "language_level": "3",
        "boundscheck": False,
        "wraparound": False,
        "cdivision": True,
        "initializedcheck": False,
        "linetrace": COVERAGE,
    }
    return cythonize([core], build_dir="build/cython", compiler_directives=directives)


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCore})
