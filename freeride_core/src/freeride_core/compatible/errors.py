"""An upstream's error in one shape, whichever shape it came in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from freeride_core.answer import Answer

_CODE_FIELDS = ("code", "type", "status", "error_type", "limit_source", "reason")
_WORD_FIELDS = ("message", "msg", "detail", "title", "error")
_DEEPEST = 4
_LONGEST = 2000
"""Characters of a message that are looked at; what an upstream echoes beyond them says nothing new."""


@dataclass(frozen=True, slots=True)
class UpstreamErrorBody:
    """What an error body says."""

    message: str
    codes: frozenset[str]
    """Every machine-readable word of it: codes, types, limit sources, as strings."""
    param: str | None = None

    @classmethod
    def of(cls, answer: Answer) -> UpstreamErrorBody:
        """Of any body: OpenAI's envelope, an error that is a string or wrapped in a list, `errors[]`, problem+json, plain text."""
        body = answer.json
        if isinstance(body, list) and body:
            body = body[0]
        if not isinstance(body, dict):
            is_page = b"<html" in answer.body[:1024].lower() or b"<!doctype" in answer.body[:64].lower()
            text = body if isinstance(body, str) else answer.body[:_LONGEST].decode("utf-8", "replace").strip()
            return cls("" if is_page else text[:_LONGEST], frozenset())
        source = error_in(body) or body
        param = source.get("param") if isinstance(source, dict) else None
        message = _words(source) or _words(body)
        return cls(message[:_LONGEST], frozenset(_codes(body)), param if isinstance(param, str) else None)


def error_in(body: dict[str, Any]) -> Any:
    """The part of a body that is the error; None where no part is."""
    if body.get("error"):
        return body["error"]
    choices = body.get("choices")
    if isinstance(choices, list) and choices:
        return choices[0].get("error") or None if isinstance(choices[0], dict) else None
    errors = body.get("errors")
    return (errors[0] if isinstance(errors, list) else errors) if errors else None


def _words(value: Any, depth: int = 0) -> str:
    """What is written for people, at the place where it is written first."""
    if isinstance(value, str) or depth > _DEEPEST:
        return value if isinstance(value, str) else ""
    if isinstance(value, list):
        return next(filter(None, (_words(item, depth + 1) for item in value[:20])), "")
    if not isinstance(value, dict):
        return ""
    words = next(filter(None, (_words(value.get(name), depth + 1) for name in _WORD_FIELDS)), "")
    place, metadata = value.get("loc"), value.get("metadata")
    if isinstance(place, list):  # a validator's: the words alone do not say which field
        words = f"{'.'.join(map(str, place[:20]))}: {words}"
    if isinstance(metadata, dict) and isinstance(
        metadata.get("raw"), str
    ):  # a router's, with the words of whom it asked
        words = f"{words}: {metadata['raw']}"
    return words


def _codes(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value[:20]:
            yield from _codes(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _CODE_FIELDS and isinstance(item, (str, int)) and not isinstance(item, bool):
                yield str(item)
            elif isinstance(item, (dict, list)):
                yield from _codes(item, depth + 1)
