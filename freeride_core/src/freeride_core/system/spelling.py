"""The name that was probably meant, where one is not known."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 256
"""Characters. What is longer is no name, and comparing it would take long."""


def nearest(word: str, known: Iterable[str], at_least: float = 0.6) -> str | None:
    """Return the known name that is spelled most like `word`, or None if none is near. `at_least` is a ratio, 1 for the same."""
    import difflib  # costs 3 ms

    if len(word) > _LONGEST:
        return None
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=at_least)
    return by_lower[found[0]] if found else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the question to add to an error, with a blank behind it, or an empty text: `did you mean serve? `."""
    near = nearest(word, known)
    return f"did you mean {near}? " if near else ""
