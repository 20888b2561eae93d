"""What is copied with a value and is no part of it: a name, and quotes as `docker run --env-file` and a line of JSON leave them."""

from __future__ import annotations

import re

_PAIRS = ('""', "''", "``", "“”", "‘’", "„“", "«»")
_AROUND_KEYS = ",;"
"""What follows a value in a list or in a line of code."""
_NAME = re.compile(r"(?:(?:export|set|setx)\s+|\$env:)?([A-Z][A-Z0-9]*_[A-Z0-9_]+)\s*=\s*(?=[^=\s])")
"""What a line of a shell, of PowerShell or of a `.env` has in front of a value."""


def unquoted(text: str) -> str:
    """Return the value without the white space around it and without one pair of quotes around the whole."""
    text = text.strip()
    if len(text) > 1 and text[0] + text[-1] in _PAIRS:
        return text[1:-1].strip()
    return text


def bare_key(text: str) -> str:
    """Return a key without what was copied with it: white space, quotes, a comma behind it, `export NAME=` before it."""
    return named_key(text)[1]


def named_key(text: str) -> tuple[str | None, str]:
    """Return the variable that a pasted line names, or None, and the key without what was copied with it."""
    key = _without_wrapping(text)
    if (found := _NAME.match(key)) is None:
        return None, key
    return found[1], _without_wrapping(key[found.end() :])


def _without_wrapping(text: str) -> str:
    return unquoted(text.strip().strip(_AROUND_KEYS)).strip(_AROUND_KEYS).strip()
