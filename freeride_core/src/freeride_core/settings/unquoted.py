"""Quotes around a value: `docker run --env-file`, a compose list and a copied line of JSON leave them there."""

from __future__ import annotations

_PAIRS = ('""', "''", "``", "“”", "‘’", "„“", "«»")
_AROUND_KEYS = ",;"
"""What follows a value in a list or in a line of code."""


def unquoted(text: str) -> str:
    """Return the value without the white space around it and without one pair of quotes around the whole."""
    text = text.strip()
    if len(text) > 1 and text[0] + text[-1] in _PAIRS:
        return text[1:-1].strip()
    return text


def bare_key(text: str) -> str:
    """Return a key without what was copied with it: white space, one pair of quotes, a comma behind it."""
    return unquoted(text.strip().strip(_AROUND_KEYS)).strip(_AROUND_KEYS).strip()
