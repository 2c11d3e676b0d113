"""checkpoint: save nothing of a function but its arguments, and run it again when a gradient needs what it computed.

Built on hooks of saved values alone. In the forward pass each value saved becomes an empty `_Place`. The first of them
that a backward pass asks for runs the function again, and what that saves, in the same order, fills the places; each
is emptied as it is used. A run that finds its place empty, since the graph was retained, runs the function once more.
"""

from __future__ import annotations

import weakref
from contextlib import nullcontext

import numpy as np

from .. import _errors
from .._backend import backend as _backend
from .._methods import is_tensor
from ._modes import enable_grad, inference_mode
from .graph import saved_tensors_hooks


class CheckpointError(RuntimeError):
    """The function did something else when it was run again."""

    __module__ = "fastgrad.autograd"


def _no_contexts():
    return nullcontext(), nullcontext()


def checkpoint(
    function, *args, use_reentrant=False, preserve_rng_state=True, context_fn=_no_contexts,
    determinism_check="default", early_stop=True, **kwargs,
):  # fmt: skip
    """Call ``function(*args, **kwargs)`` and save nothing but the arguments; it runs again when gradients are computed.

    Memory is traded for time: the values that its operations save are computed twice. Checkpoints may be nested, and
    the function may return, close over and be given anything.

    Parameters
    ----------
    function : callable
        What to call. It must do the same when it is called again.
    *args, **kwargs
        Its arguments. Tensors among them (not those within lists or dicts) are saved as an operation's would be, and so
        checked for having been written since.
    use_reentrant : bool
        Has no meaning, and is here for programs written for PyTorch: there is one way, which does what both can.
    preserve_rng_state : bool
        Set NumPy's global random state, for the second time, to what it was the first.
    context_fn : callable
        Gives two context managers: for the function the first time, and for the second.
    determinism_check : {"default", "none"}
        Whether the shapes and dtypes of the values saved are compared.
    early_stop : bool
        Stop the second time as soon as the last value that is needed has been computed.

    Returns
    -------
    object
        What the function returns.

    Raises
    ------
    CheckpointError
        In `backward`, if the function saves other values than the first time (it is a RuntimeError).
    ValueError
        If `determinism_check` is unknown.

    Examples
    --------
    >>> import fastgrad as fg
    >>> x = fg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = fg.autograd.checkpoint(lambda x: fg.exp(fg.sin(x)), x)
    >>> y.sum().backward()
    >>> x.grad
    tensor([ 1.25338077, -1.03311687])
    """
    if determinism_check not in ("default", "none"):
        raise _errors.determinism(determinism_check)
    first, again = context_fn()
    if not _backend.is_grad_enabled():
        with first:
            return function(*args, **kwargs)
    frame = _Frame(function, args, kwargs, preserve_rng_state, again, determinism_check, early_stop)
    with frame.saving(), first:
        result = function(*args, **kwargs)
    frame.complete = True
    return result


class _Place:
    """What the graph holds in the stead of a value; `value` is that value from the second run until it is used."""

    __slots__ = ("__weakref__", "frame", "metadata", "value")

    def __init__(self, frame, metadata):
        self.frame, self.metadata, self.value = frame, metadata, None


class _Stop(BaseException):
    """The second run has computed all that is needed. No error, and nothing for the function to catch."""


def _metadata(tensor):
    return tensor.shape, tensor.dtype


class _Frame:
    """One call of a checkpointed function. The places refer to it, and it to them weakly."""

    def __init__(self, function, args, kwargs, preserve_rng_state, again, determinism_check, early_stop):
        self.function, self.again, self.early_stop = function, again, early_stop
        self.check = determinism_check == "default"
        # Saved as an operation's operands are: an outer checkpoint drops and recomputes them in its turn.
        self.args = [_backend.Saved(arg) if is_tensor(arg) else arg for arg in args]
        self.kwargs = {key: _backend.Saved(arg) if is_tensor(arg) else arg for key, arg in kwargs.items()}
        self.random = np.random.get_state() if preserve_rng_state else None  # noqa: NPY002  it is what is preserved
        self.places = []  # weak references, in the order of saving
        self.complete = False  # has the function returned?

    def saving(self):
        """The hooks of the first run."""

        def pack(tensor):
            place = _Place(self, _metadata(tensor) if self.check else None)
            self.places.append(weakref.ref(place))
            return place

        return saved_tensors_hooks(pack, _unpack)

    def recompute(self, wanted):
        """Run the function again, and fill the places that are still there; the value for `wanted` is returned."""
        count, found, differences = 0, None, []

        def pack(tensor):
            nonlocal count, found
            index, count = count, count + 1
            tensor = tensor.detach()
            if index >= len(self.places):
                if self.complete:
                    raise CheckpointError(_errors.checkpoint_counts(len(self.places), f"at least {count}"))
                return tensor  # a backward within the function: it has not saved everything yet
            place = self.places[index]()
            if place is wanted:
                found = tensor
            elif place is not None:
                place.value = tensor
            if place is not None and self.check and place.metadata != _metadata(tensor):
                differences.append((index, place.metadata, _metadata(tensor)))
            if self.early_stop and count == len(self.places):
                raise _Stop
            return tensor

        args = [arg.unpack() if isinstance(arg, _backend.Saved) else arg for arg in self.args]
        kwargs = {key: arg.unpack() if isinstance(arg, _backend.Saved) else arg for key, arg in self.kwargs.items()}
        try:
            with (
                _random_state(self.random),
                inference_mode(False),
                enable_grad(),
                saved_tensors_hooks(pack, lambda kept: kept),
                self.again,
            ):
                self.function(*args, **kwargs)
        except _Stop:
            pass
        if found is None or (self.complete and count < len(self.places)):
            raise CheckpointError(_errors.checkpoint_counts(len(self.places), count))
        if differences:
            self.forget()
            raise CheckpointError(_errors.checkpoint_metadata(differences))
        return found

    def forget(self):
        """Empty all places: what fills them is wrong."""
        for reference in self.places:
            place = reference()
            if place is not None:
                place.value = None


def _unpack(place):
    value, place.value = place.value, None
    return place.frame.recompute(place) if value is None else value


class _random_state:
    """A context manager in which NumPy's global random state is another one (None: it is left alone)."""

    def __init__(self, state):
        self.state = state

    def __enter__(self):
        if self.state is not None:
            self.before = np.random.get_state()  # noqa: NPY002
            np.random.set_state(self.state)  # noqa: NPY002

    def __exit__(self, *exc_info):
        if self.state is not None:
            np.random.set_state(self.before)  # noqa: NPY002
