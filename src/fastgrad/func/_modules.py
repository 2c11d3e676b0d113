"""Modules as functions of their parameters."""

from __future__ import annotations


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Call a module with other parameters and buffers in the place of its own, which stay as they are.

    Parameters
    ----------
    module : fastgrad.nn.Module
    parameter_and_buffer_dicts : dict or tuple of dict
        By name, as in ``dict(module.named_parameters())``. The others are the module's own.
    args : tuple or object, optional
        What the module is called with: what is no tuple is its only argument.
    kwargs : dict, optional
    tie_weights : bool
        What is one parameter under several names is replaced under all of them.
    strict : bool
        Whether every parameter and buffer must be given.

    Raises
    ------
    RuntimeError
        For a name that the module does not have.
    ValueError
        For a name that is in two dicts.

    Examples
    --------
    >>> import fastgrad as fg
    >>> model = fg.nn.Linear(2, 1, bias=False)
    >>> weights = {"weight": fg.tensor([[1.0, 2.0]])}
    >>> fg.func.functional_call(model, weights, fg.ones(2))
    tensor([3.])
    >>> loss = lambda weights, x: fg.func.functional_call(model, weights, x).sum()
    >>> fg.func.grad(loss)(weights, fg.ones(2))
    {'weight': tensor([[1., 1.]])}
    """
    given = parameter_and_buffer_dicts
    dicts = list(given) if isinstance(given, (tuple, list)) else [given]
    names = [name for d in dicts for name in d]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{twice} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    places = _places(module)
    unexpected = [name for name in names if name not in places]
    missing = [name for name, (home, key) in places.items() if strict and home[key] is not None and name not in names]
    if unexpected or missing:
        wrong = [f"{what} key(s): {', '.join(map(repr, which))}." for what, which in
                 (("Unexpected", unexpected), ("Missing", missing)) if which]  # fmt: skip
        raise RuntimeError(f"functional_call of {type(module).__name__}: {' '.join(wrong)}")

    before = []
    try:
        for d in dicts:
            for name, value in d.items():
                home, key = places[name]
                tied = [place for place in places.values() if place[0][place[1]] is home[key]] if tie_weights else []
                for home_, key_ in tied or [(home, key)]:
                    before.append((home_, key_, home_[key_]))
                    home_[key_] = value
        args = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*args, **(kwargs or {}))
    finally:
        for d in dicts:
            for name in d:  # what the module has put in the place of a buffer
                home, key = places[name]
                d[name] = home[key]
        for home, key, value in reversed(before):
            home[key] = value


def _places(module):
    """Where each parameter and buffer is kept: name -> (dict, key). Some may be kept in several places."""
    found = {}
    for path, inner in module.named_modules(remove_duplicate=False):
        for home in (inner._parameters, inner._buffers):
            found.update((f"{path}.{key}" if path else key, (home, key)) for key in home)
    return found
