"""Text that another party wrote, made safe to show: without control, format and surrogate characters, which can steer a terminal,
reverse a line, or break an encoder."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """One line, with `?` in place of each character that must not be shown."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def printable_lines(text: str) -> str:
    """The same for text of several lines: line feeds and tabs stay."""
    return "".join(letter if letter in "\n\t" or letter.isprintable() else "?" for letter in text)


def without_controls(text: str) -> str:
    """The text without these characters, for people who read any language: line feeds, tabs and all kinds of spaces stay."""
    if text.isprintable():
        return text
    return "".join(
        letter for letter in text if letter in "\n\t" or letter.isprintable() or unicodedata.category(letter) == "Zs"
    )
