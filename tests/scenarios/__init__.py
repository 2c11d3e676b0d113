"""Scenarios: what PyTorch promises about a graph, as functions that run on PyTorch and on either backend of fastgrad.

A scenario is a function of a facade `m` (`_both`) that gives what is to be compared: tensors, numbers, strings, lists and
dicts of them; or raises. All of them: values, dtypes, types of exceptions, order of recorded events.
`outcomes.json` holds what PyTorch makes of each, for where it is not installed; ``python -m scenarios``, in
the directory above, writes it.
"""

import importlib
import pathlib

PARTS = (
    "nodes", "hooks", "retained", "node_hooks", "inplace", "detached", "views", "modes", "backward", "derivatives",
    "reentrant", "function", "function_errors", "function_more", "memory", "gradcheck", "func", "func_vmap", "func_more",
    "objects", "threads", "garbage",
)  # fmt: skip

OUTCOMES = pathlib.Path(__file__).with_name("outcomes.json")

#: Each scenario by "part/name": the function, and why fastgrad differs on purpose (None: it must agree).
SCENARIOS = {}


def scenario(function=None, *, differs=None):
    """Register a scenario; ``differs="reason"`` says that fastgrad's outcome is another, and why."""
    if function is None:
        return lambda function: scenario(function, differs=differs)
    key = f"{function.__module__.rpartition('.')[2]}/{function.__name__}"
    if key in SCENARIOS:
        raise ValueError(f"two scenarios are called {key}")
    SCENARIOS[key] = function, differs
    return function


def load():
    """All scenarios."""
    for part in PARTS:
        importlib.import_module(f"{__name__}.{part}")
    return SCENARIOS
