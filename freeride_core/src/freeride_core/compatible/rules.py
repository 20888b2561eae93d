"""What the words and codes of an error mean: rules of a package first, the usual ones after."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from freeride_core.answer import Answer, ErrorKind, Scope
from freeride_core.call import Feature
from freeride_core.compatible.errors import UpstreamErrorBody
from freeride_core.compatible.midnight import Midnight


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that an upstream is known to say. All conditions given must hold; the first rule that fits decides."""

    kind: ErrorKind
    scope: Scope | None = None
    """None: what is usual for the kind."""
    status: int | tuple[int, ...] | None = None
    code: str | tuple[str, ...] | None = None
    """One of the complaint's codes."""
    text: str | None = None
    """Regular expression, searched in the message without regard to case."""
    header: str | None = None
    """A lower-case header that must be there."""
    body: str | None = None
    """Regular expression, searched likewise in the body as it came (its first 64 KiB): for what decides and is neither a code nor
    in the message."""
    wait: float | Midnight | None = None
    """Seconds, or a documented reset, where the answer has no hint of its own."""
    overrules_hint: bool = False
    """`wait` counts whatever the answer hints, as where the cap of a day comes with the hint of a minute; None: no hint does."""
    feature: Feature | None = None

    def concerns(self, status: int) -> bool:
        """Whether it can fit an answer of this status."""
        return self.status is None or status in _many(self.status)

    def fits(self, status: int, complaint: UpstreamErrorBody, answer: Answer) -> bool:
        return (
            self.concerns(status)
            and (self.code is None or not complaint.codes.isdisjoint(_many(self.code)))
            and (self.header is None or self.header in answer.headers)
            and (self.text is None or re.search(self.text, complaint.message, re.IGNORECASE) is not None)
            and (self.body is None or re.search(self.body, answer.text, re.IGNORECASE) is not None)
        )

    def retry_at(self, now: float, hint: float | None) -> float | None:
        """When the upstream can be asked again, if it hinted at `hint` seconds."""
        if hint is not None and not self.overrules_hint:
            return now + hint
        if isinstance(self.wait, Midnight):
            return self.wait.after(now)
        return None if self.wait is None else now + self.wait


def _many(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


_CANNOT = r"(?:not (?:support|allow|enabl|available)|n't support|unsupported|no endpoints found that support|requires? --enable)"


_TOOLS = r"\b(?:tools?|functions?)(?:\b|_)"


_IMAGES = r"\b(?:image|vision|multimodal)"


_SCHEMA = r"(?:json_schema|response.format|structured)"


# Where zero itself is refused, the bounds are stricter than the standard's, and others may be content with the request.
_FROM_ZERO = r"(?!.{0,120}(?:(?:>\s*|greater than )0(?:\.0+)?(?![.\d])|positive|\(0|\b0\.0*[1-9]))"


_BOUND = r"(?:<=?|less than(?: or equal to)?|at most|(?:max\w*|exceeds?)(?: \w+){0,4}|greater than)"


# What holds for every OpenAI-compatible upstream, tried after a package's own rules.
USUAL: tuple[Rule, ...] = (
    Rule(
        kind=ErrorKind.CONTEXT_LENGTH, code=("context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded")
    ),
    Rule(
        kind=ErrorKind.CONTEXT_LENGTH,
        status=(400, 413, 422, 500),
        text=r"maximum context length|context (?:length|window|size)|prompt is too long|input token count"
        r"|too many (?:input )?tokens|reduce the length of",
    ),
    Rule(
        kind=ErrorKind.CONTENT_FILTER,
        status=(400, 403, 422, 451),
        code=("content_policy_violation", "content_filter", "moderation_blocked", "content_blocked"),
    ),
    # A flagged account is another matter: with another key the request may be answered.
    Rule(
        kind=ErrorKind.CONTENT_FILTER,
        status=(400, 403),
        text=r"^(?!.*\baccount\b).*(?:\b(?:input|prompt|content|messages?|request|text)\b.{0,20}\bflagged\b"
        r"|content (?:policy|filter|management policy)|\bmoderation (?:policy|filter)|by (?:the |our )?moderation)",
    ),
    Rule(
        kind=ErrorKind.MODEL_NOT_FOUND,
        code=("model_not_found", "model_decommissioned", "model_not_supported", "invalid_model"),
    ),
    Rule(
        kind=ErrorKind.MODEL_NOT_FOUND,
        status=(400, 402, 403, 404, 422),
        text=r"\bmodel\b(?:(?!\b(?:tool|function|image|file|url|parameter)s?\b).){0,120}(?:not found|does not exist"
        r"|decommissioned|no longer available|end of life|not in the free plan|requires a (?:subscription|paid)"
        r"|not available on your plan)|not a valid model|no such model|unknown model",
    ),
    Rule(
        kind=ErrorKind.UNSUPPORTED,
        status=(400, 404, 422),
        text=rf"{_CANNOT}.{{0,80}}{_TOOLS}|{_TOOLS}.{{0,80}}{_CANNOT}",
        feature=Feature.TOOLS,
    ),
    Rule(
        kind=ErrorKind.UNSUPPORTED,
        status=(400, 404, 422),
        text=rf"{_CANNOT}.{{0,80}}{_IMAGES}|{_IMAGES}.{{0,80}}{_CANNOT}|not a multimodal model|at most 0 image",
        feature=Feature.IMAGES,
    ),
    Rule(
        kind=ErrorKind.UNSUPPORTED,
        status=(400, 404, 422),
        text=rf"{_CANNOT}.{{0,80}}{_SCHEMA}|{_SCHEMA}.{{0,80}}{_CANNOT}",
        feature=Feature.JSON_SCHEMA,
    ),
    Rule(
        kind=ErrorKind.UNSUPPORTED,
        status=(400, 422),
        text=r"array' not in 'string'|content.{0,60}(?:must be|expected|should be) a (?:valid )?string",
        feature=Feature.CONTENT_PARTS,
    ),
    # A fault that no upstream could forgive: the standard's own fields, outside the standard's own bounds.
    Rule(
        kind=ErrorKind.BAD_REQUEST,
        status=(400, 422),
        text=rf"\b(?:temperature|(?:presence|frequency)_penalty)\b{_FROM_ZERO}.{{0,60}}"
        rf"(?:{_BOUND}\s*2\b|between (?:0|-2)(?:\.0+)? and 2\b)",
    ),
    Rule(
        kind=ErrorKind.BAD_REQUEST,
        status=(400, 422),
        text=rf"\btop_p\b{_FROM_ZERO}.{{0,60}}(?:{_BOUND}\s*1\b|between 0(?:\.0+)? and 1\b)",
    ),
    # Of the list itself. Upstreams differ in what they want of a message in it.
    Rule(
        kind=ErrorKind.BAD_REQUEST,
        status=(400, 422),
        text=r"\bmessages\b(?!\[|\.\w)(?:(?!\b(?:content|message|role)\b).){0,40}(?:required|missing|\bempty|too short"
        r"|at least (?:one|1) (?:message|item|element)|must be an? (?:non-empty )?(?:array|list))|too short - 'messages'",
    ),
)


def by_status(status: int) -> ErrorKind:
    """What a status means when no rule knows better. A 400 that nobody can explain is not proven to be the client's fault."""
    exact = {
        401: ErrorKind.AUTH,
        402: ErrorKind.QUOTA_EXHAUSTED,
        403: ErrorKind.AUTH,
        404: ErrorKind.MODEL_NOT_FOUND,
        408: ErrorKind.TIMEOUT,
        410: ErrorKind.MODEL_NOT_FOUND,
        413: ErrorKind.TOO_LARGE,
        424: ErrorKind.UNAVAILABLE,
        425: ErrorKind.UNAVAILABLE,
        429: ErrorKind.RATE_LIMIT,
        504: ErrorKind.TIMEOUT,
        524: ErrorKind.TIMEOUT,
    }.get(status)
    if exact is not None:
        return exact
    if status >= 500:
        return ErrorKind.UNAVAILABLE
    return ErrorKind.UNSUPPORTED if 400 <= status < 500 else ErrorKind.PROTOCOL
