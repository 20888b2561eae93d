"""An upstream's error in one shape, whichever shape it came in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from freeride_core.answer import Answer
from freeride_core.compatible.quotations import find_quotation

_CODE_FIELDS = ("code", "type", "status", "error_type", "limit_source", "reason")
_WORD_FIELDS = ("message", "msg", "detail", "title", "error")
_DEEPEST = 4
_LONGEST = 2000
"""Characters of a message that are looked at; what an upstream echoes beyond them says nothing new."""
_ECHO = re.compile(r"`[^`]{0,400}`|\"[^\"]{0,400}\"|(?<!\w)'[^']{0,400}'(?!\w)")


@dataclass(frozen=True, slots=True)
class UpstreamErrorBody:
    """What an error body says."""

    message: str
    codes: frozenset[str]
    """Every machine-readable word of it: codes, types, limit sources, as strings."""
    param: str | None = None

    unquoted: str = field(init=False, repr=False, compare=False)
    """The message without what it quotes: names and values that the client chose."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "unquoted", _ECHO.sub("", self.message))

    @classmethod
    def of(cls, answer: Answer) -> UpstreamErrorBody:
        """Of any body: OpenAI's envelope, an error that is a string or wrapped in a list, `errors[]`, problem+json, plain text."""
        body = answer.json
        if isinstance(body, list) and body:
            body = body[0]
        if not isinstance(body, dict):
            text = _words(body) if isinstance(body, str) else answer.body[:_LONGEST].decode("utf-8", "replace").strip()
            return cls("" if is_page(answer) else text[:_LONGEST], frozenset())
        source = error_in(body) or body
        param = source.get("param") if isinstance(source, dict) else None
        message = _words(source) or _words(body)
        return cls(message[:_LONGEST], frozenset(_codes(body)), param if isinstance(param, str) else None)


def is_page(answer: Answer) -> bool:
    """Whether a body is a page of HTML, whatever its content type says."""
    if b"<html" in answer.body[:1024].lower() or b"<!doctype" in answer.body[:64].lower():
        return True
    return answer.headers.get("content-type", "").startswith("text/html") and answer.json is None


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
    if isinstance(value, str):
        return _without_quotation(value, depth)
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return next(filter(None, (_words(item, depth + 1) for item in value[:20])), "")
    if not isinstance(value, dict):
        return ""
    words = next(filter(None, (_words(value.get(name), depth + 1) for name in _WORD_FIELDS)), "")
    place, metadata = value.get("loc"), value.get("metadata")
    if isinstance(place, list):  # a validator's: the words alone do not say which field
        words = f"{'.'.join(map(str, place[:20]))}: {words}"
    if isinstance(metadata, dict) and isinstance(raw := metadata.get("raw"), str):
        words = f"{words}: {_without_quotation(raw, depth)}"  # a router's, with the words of the upstream that it asked
    return words


def _without_quotation(text: str, depth: int) -> str:
    """A text; where it quotes JSON, the words in that stand for it."""
    quotation = find_quotation(text) if depth <= _DEEPEST and "{" in text else None
    if quotation is None:
        return text
    value = quotation.value[0] if isinstance(quotation.value, list) else quotation.value
    words = _words((error_in(value) if isinstance(value, dict) else None) or value, depth + 1)
    return quotation.before + words if words else text


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
