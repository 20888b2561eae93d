"""Count the values of untrusted JSON before anything is built from it.

A value takes two or three bytes of text and up to 240 of memory, and the event loop stalls while it is built.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

LARGE = 256 * 1024
"""Bytes of a text that is looked at beside the event loop. What is shorter cannot hold it up for more than some milliseconds."""
MOST_VALUES = 250_000
"""Built in 25 ms. A conversation has some thousands; the longest list of models, of 2026, has 40,000."""
_UNCOUNTED = 1024 * 1024
"""Bytes of a text whose values are not counted, which takes as long as reading it does: all that it can hold are built in 30 ms."""
PATIENT_MOST = 8 * 1024 * 1024
"""Bytes that are given to Python's own parser, which accepts more than msgspec and takes ten times as long: up to 25 ms."""
_SEPARATORS = (b",", b"[", b"{")
"""Each value but the outermost follows one of them."""
_SLICE = 4 * 1024 * 1024
"""Bytes that are looked at before another thread may have a turn: about a millisecond's work."""
_TEXT_SLICE = 64 * 1024
"""The same where text is decoded: half a surrogate pair takes a tenth of a microsecond."""
_RUN = re.compile(rb'[^"\\]{0,65536}+(?:\\.[^"\\]{0,64}+){0,1024}+', re.DOTALL)
"""Of a string, as much as takes no longer than a slice."""


def has_too_many_values(text: bytes, *, at_a_glance: bool = False) -> bool:
    """Whether a text of more than a megabyte has more than `MOST_VALUES`. Of what is no JSON that is said of the part before the
    fault. To tell values from the commas of long texts takes up to a second; `at_a_glance`, in the event loop, those count as
    well."""
    if len(text) <= _UNCOUNTED or count_separators(text) <= MOST_VALUES:
        return False
    if at_a_glance:
        return True
    # In UTF-8 no string holds a NUL. In other encodings a byte like a quote need not be one.
    return b"\0" in text or _has_too_many_outside_strings(text)


def count_separators(text: bytes) -> int:
    """No fewer than there are values, but for the outermost. Those within strings count too."""
    return sum(text.count(mark, at, at + _SLICE) for at in range(0, len(text), _SLICE) for mark in _SEPARATORS)


def _has_too_many_outside_strings(text: bytes) -> bool:
    left = 2 * MOST_VALUES + 1  # a value may have a name besides
    at = values = 0
    while left and values <= MOST_VALUES:
        quote = text.find(b'"', at)
        end = len(text) if quote < 0 else quote
        values += sum(text.count(mark, at, end) for mark in _SEPARATORS)
        if quote < 0:
            break
        at = _end_of_string(text, quote + 1)
        left -= 1
    return values > MOST_VALUES or not left


def _end_of_string(text: bytes, at: int) -> int:
    """Where the string ends whose first character is here; the end of the text where it does not."""
    while True:
        found = _RUN.match(text, at)
        assert found is not None
        if text.startswith(b'"', found.end()):
            return found.end() + 1
        if found.end() == at:
            return len(text)
        at = found.end()


def decoded(text: bytes, encoding: str) -> Iterator[str]:
    """The text's characters, in slices; lone surrogates are characters here. Raises UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for at in range(0, len(text), _TEXT_SLICE):
        yield decoder.decode(text[at : at + _TEXT_SLICE], at + _TEXT_SLICE >= len(text))


def is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or all(True for _ in decoded(text, "utf-8"))
    except UnicodeDecodeError:
        return False
