"""Nested tuples, lists and dicts: flat lists of their leaves and back."""

from __future__ import annotations

LEAF = None  # the structure of what is no container


def flatten(tree):
    """The leaves, and the structure: `LEAF`, or ``(type, keys or None, structures)``."""
    kind = type(tree)
    if kind is not tuple and kind is not list and kind is not dict and not _is_container(tree):
        return [tree], LEAF
    leaves = []
    return leaves, _flatten(tree, leaves)


def _is_container(tree):
    return isinstance(tree, (tuple, list, dict))


def _flatten(tree, leaves):
    if not _is_container(tree):
        leaves.append(tree)
        return LEAF
    if isinstance(tree, dict):
        return type(tree), tuple(tree), tuple([_flatten(part, leaves) for part in tree.values()])
    return type(tree), None, tuple([_flatten(part, leaves) for part in tree])


def unflatten(leaves, structure):
    """The tree of that structure with these leaves."""
    return leaves[0] if structure is LEAF else _unflatten(iter(leaves), structure)


def _unflatten(leaves, structure):
    if structure is LEAF:
        return next(leaves)
    kind, keys, parts = structure
    values = [_unflatten(leaves, part) for part in parts]
    if keys is not None:
        return kind(zip(keys, values))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)  # a named tuple


def same(one, other):
    """Whether two structures are alike: dicts may have their keys in any order, lists are not tuples."""
    if one is LEAF or other is LEAF:
        return one is other
    if one[1] is None or other[1] is None:
        return one[0] is other[0] and len(one[2]) == len(other[2]) and all(map(same, one[2], other[2]))
    ours, theirs = dict(zip(one[1], one[2])), dict(zip(other[1], other[2]))
    return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)


def leaves_as(tree, structure):
    """The leaves of `tree` in the order of a structure that is alike; None if it is not."""
    leaves, own = flatten(tree)
    if own == structure:
        return leaves
    return _ordered(tree, structure, []) if same(own, structure) else None


def _ordered(tree, structure, leaves):
    if structure is LEAF:
        leaves.append(tree)
        return leaves
    _, keys, parts = structure
    for part, below in zip((tree[key] for key in keys) if keys is not None else tree, parts):
        _ordered(part, below, leaves)
    return leaves


def spread(prefix, tree):
    """One entry of `prefix` for each leaf of `tree`: an entry that is no container is for all that is below it.

    None if the two do not fit.
    """
    out = []
    return out if _spread(prefix, tree, out) else None


def _spread(prefix, tree, out):
    if not _is_container(prefix):
        out += [prefix] * len(flatten(tree)[0])
        return True
    if isinstance(prefix, dict):
        fits = isinstance(tree, dict) and prefix.keys() == tree.keys()
        return fits and all(_spread(prefix[key], part, out) for key, part in tree.items())
    fits = isinstance(tree, (tuple, list)) and len(tree) == len(prefix)
    return fits and all(_spread(entry, part, out) for entry, part in zip(prefix, tree))


def shown(structure):
    """A structure as text: ``(*, {'a': *})``."""
    if structure is LEAF:
        return "*"
    kind, keys, parts = structure
    if keys is not None:
        return "{" + ", ".join(f"{key!r}: {shown(part)}" for key, part in zip(keys, parts)) + "}"
    inner = ", ".join(map(shown, parts))
    return f"[{inner}]" if issubclass(kind, list) else f"({inner}{',' * (len(parts) == 1)})"
