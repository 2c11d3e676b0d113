"""What a thread, or the process, has switched on: grad mode, inference mode, hooks on saved values, anomaly mode."""

from __future__ import annotations

import os
from _thread import RLock, _local, allocate_lock, start_new_thread  # without importing threading
from contextvars import copy_context


class _Modes(_local):
    """The modes of a thread. The values here are those of a thread that has set nothing."""

    grad = True  # operations are recorded
    inference = False  # ... but not here, and new Tensors are inference tensors
    saved_hooks = ()  # pairs (pack, unpack), innermost last
    forbidden = None  # the message of whoever forbids such hooks
    depth = 0  # backward runs under way, one within another
    node = None  # the node that a backward run is at
    inner = 0  # such runs that are part of one node's formula
    cancelled = ()  # what interrupted a caller that waits for this thread


modes = _Modes()
accumulating = RLock()  # held while something is added to a `grad`, which any thread may do

_anomalies = (False, True)  # anomaly mode, of the process: enabled, and whether it looks for nan
_guard = False  # whether arrays handed out are read-only
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_CARRIED = ("grad", "inference", "saved_hooks", "forbidden", "node", "inner")  # into a helper thread


def is_grad_enabled():
    """Whether grad mode is on in this thread."""
    return modes.grad


def _set_grad_enabled(enabled):
    previous, modes.grad = modes.grad, bool(enabled)
    return previous


def is_inference_mode_enabled():
    """Whether inference mode is on in this thread."""
    return modes.inference


def _set_inference(enabled):
    previous, modes.inference = modes.inference, bool(enabled)
    return previous


def records():
    """Whether operations are recorded in this thread."""
    return modes.grad and not modes.inference


# ---------------------------------------------------------------- hooks on saved values


def _push_saved_hooks(pack, unpack):
    """Have every value that is saved from now on replaced by what `pack` gives, until `unpack` gives it back."""
    if modes.forbidden is not None:
        raise RuntimeError(modes.forbidden)
    modes.saved_hooks = (*modes.saved_hooks, (pack, unpack))


def _pop_saved_hooks():
    modes.saved_hooks = modes.saved_hooks[:-1]


def _set_saved_hooks_disabled(message):
    """Refuse `_push_saved_hooks` with this message (None: allow it). Gives the message before."""
    if message is not None and modes.saved_hooks:
        raise RuntimeError(message)
    previous, modes.forbidden = modes.forbidden, message
    return previous


# ---------------------------------------------------------------- of the process


def _anomaly():
    return _anomalies


def _set_anomaly(enabled, check_nan):
    global _anomalies
    previous, _anomalies = _anomalies, (bool(enabled), bool(check_nan))
    return previous


def stack_lines():
    """Where we are, as lines of a traceback that ends in the caller's own code."""
    import traceback

    frames = traceback.extract_stack()
    while frames and os.path.abspath(frames[-1].filename).startswith(_HERE):
        frames.pop()
    return traceback.format_list(frames)


def _set_numpy_guard(enabled):
    """Whether the arrays that `Tensor.numpy` hands out are read-only."""
    global _guard
    previous, _guard = _guard, bool(enabled)
    return previous


def numpy_guard():
    return _guard


# ---------------------------------------------------------------- threads


def in_thread(function, *args):
    """Call `function` in a fresh thread, with the modes and context of this one; wait for what it gives or raises."""
    carried = {name: getattr(modes, name) for name in _CARRIED}
    cancelled = carried["cancelled"] = modes.cancelled or []
    done, outcome = allocate_lock(), []

    def run():
        try:
            modes.__dict__.update(carried)
            outcome.append((function(*args), None))
        except BaseException as error:  # it is the caller's
            outcome.append((None, error))
        finally:
            done.release()

    done.acquire()
    start_new_thread(copy_context().run, (run,))
    while True:
        try:
            done.acquire()
            break
        except BaseException as error:  # Ctrl-C: the innermost run ends with it
            cancelled.append(error)
    result, error = outcome.pop()
    try:
        if error is not None:
            raise error
        return result
    finally:
        del error  # its traceback holds this frame


_threads = 1


def set_num_threads(count):
    """Remembered, and no more: this backend works on one thread."""
    global _threads
    _threads = count


def get_num_threads():
    return _threads
