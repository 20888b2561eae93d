"""Renders a profile's good answers: its bodies, its SSE blocks, its headers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from freeride_core.simulator.embedding import rows_of
from freeride_core.simulator.model import Saying
from freeride_core.simulator.profile import Case, Listing, Page, Profile
from freeride_core.simulator.quota import QuotaStatus
from freeride_core.simulator.render import RawText, Values
from freeride_core.simulator.reply import EVENTS, ResponseEnding, SimulatedResponse, json_reply

_THOUGHT = "The user wants a short answer."
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, kw_only=True)
class PlayedRequest:
    """One request on its way to an answer."""

    profile: Profile
    request: Mapping[str, Any]
    model: str
    stream: bool
    saying: Saying
    prompt_tokens: int
    serial: str
    """Differs for every request of a simulator; ids come from it."""
    key: str
    now: float
    slow_s: float
    """How slow `slow-first-byte` is."""
    standings: Mapping[str, QuotaStatus] = field(default_factory=dict)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream reports its usage."""
        options = self.request.get("stream_options")
        asked = isinstance(options, dict) and options.get("include_usage") is True
        return asked or self.profile.stream.usage_always

    def values(self, *, defaults: bool = False, **more: str | int) -> Values:
        """What placeholders stand for; `more` wins."""
        return Values(self._texts() | more, self.now, self.standings, defaults=defaults)

    def _texts(self) -> dict[str, str | int]:
        digest = hashlib.sha256(self.serial.encode()).hexdigest()
        arguments = self.saying.arguments
        middle = (len(arguments) + 1) // 2
        return {
            "id": digest[:24],
            "hex": digest[24:40],
            "uuid": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}",
            "created": int(self.now),
            "model": self.model,
            "account": self.profile.account or "",
            "key_hint": self.key[-4:],
            "text": self.saying.text,
            "reasoning": _THOUGHT if self.saying.tokens else "",
            "finish": "tool_calls" if self.saying.tool else "stop",
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.saying.tokens,
            "total_tokens": self.prompt_tokens + self.saying.tokens,
            "tool_id": digest[40:56],
            "tool_name": self.saying.tool,
            "tool_arguments": arguments,
            "tool_arguments_head": arguments[:middle],
            "tool_arguments_tail": arguments[middle:],
            "tool_arguments_json": RawText(arguments or "{}"),
        }

    def saying_instead(self, text: str) -> PlayedRequest:
        """The same turn with other words."""
        return replace(self, saying=Saying(text))


def headers_of(turn: PlayedRequest) -> tuple[tuple[str, str], ...]:
    """The headers of a good answer."""
    return _filled(turn.profile.answer.headers, turn.values())


def _filled(headers: Mapping[str, str], values: Values) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), values.fill(text, escape=False)) for name, text in headers.items())


def whole_body(turn: PlayedRequest) -> str:
    """The body of a good chat answer that is not streamed."""
    answer = turn.profile.answer
    template = answer.tool_call_body if turn.saying.tool and answer.tool_call_body else answer.body
    return turn.values().fill(template.strip())


def blocks_before_finish(turn: PlayedRequest) -> list[bytes]:
    """The stream's events up to the last of its content, in the upstream's order."""
    stream, values = turn.profile.stream, turn.values()
    blocks = [block(text) for text in stream.before]
    thought = stream.reasoning if turn.saying.tokens else None
    blocks += [event(values.fill(data)) for data in (stream.role, thought) if data]
    if turn.saying.tool:
        return blocks + [event(values.fill(data)) for data in stream.tool_call]
    return blocks + [event(turn.values(text=word).fill(stream.text)) for word in words_of(turn.saying.text)]


def blocks_from_finish(turn: PlayedRequest) -> list[bytes]:
    """The finish, the usage where it is due, and what follows, without `[DONE]`."""
    stream = turn.profile.stream
    data = [stream.finish, stream.usage if turn.wants_usage else None, *stream.after]
    values = turn.values()
    return [event(values.fill(template)) for template in data if template]


def done_blocks(turn: PlayedRequest) -> list[bytes]:
    """`[DONE]`, where the upstream has it."""
    return [DONE] if turn.profile.stream.done else []


def words_of(text: str) -> list[str]:
    """The words of a text, each with the white space before it; together the text again."""
    return re.findall(r"\s*\S+(?:\s+$)?|^\s+$", text)


def event(data: str) -> bytes:
    """One unnamed SSE event."""
    return block("data: " + data.strip())


def block(text: str) -> bytes:
    """A raw SSE block with the blank line that ends it."""
    return text.strip("\n").encode("utf-8", "surrogatepass") + b"\n\n"


def good_chat(turn: PlayedRequest) -> SimulatedResponse:
    """A good chat answer, streamed or not as it was asked for."""
    return streamed(turn) if turn.stream else unstreamed(turn)


def streamed(turn: PlayedRequest) -> SimulatedResponse:
    return events_reply(turn, (*blocks_before_finish(turn), *blocks_from_finish(turn), *done_blocks(turn)))


def unstreamed(turn: PlayedRequest) -> SimulatedResponse:
    delay_s = turn.profile.answer.delay_ms / 1000
    return replace(json_reply(whole_body(turn), headers=headers_of(turn)), delay_s=delay_s)


def events_reply(
    turn: PlayedRequest, pieces: tuple[bytes, ...], ending: ResponseEnding = ResponseEnding.KEEP
) -> SimulatedResponse:
    """A 200 stream of these pieces at the profile's pace."""
    profile = turn.profile
    return SimulatedResponse(
        headers=(EVENTS, ("cache-control", "no-cache"), *headers_of(turn)),
        pieces=pieces,
        chunked=True,
        delay_s=profile.answer.delay_ms / 1000,
        gap_s=profile.stream.chunk_delay_ms / 1000,
        ending=ending,
    )


def good_embeddings(turn: PlayedRequest) -> SimulatedResponse:
    """One vector for each input."""
    embeddings = turn.profile.embeddings
    if embeddings is None:
        raise ValueError(f"the profile of {turn.profile.provider} has no embeddings")
    rows = RawText(rows_of(turn.request, turn.model, embeddings.dimensions))
    values = turn.values(embeddings=rows, total_tokens=turn.prompt_tokens)
    delay_s = turn.profile.answer.delay_ms / 1000
    return replace(json_reply(values.fill(embeddings.body.strip()), headers=headers_of(turn)), delay_s=delay_s)


def page_reply(page: Listing | Page, turn: PlayedRequest) -> SimulatedResponse:
    """The catalog, or another page."""
    values = turn.values()
    status = page.status if isinstance(page, Page) else 200
    return json_reply(values.fill(page.body.strip()), status=status, headers=_filled(page.headers, values))


def case_reply(case: Case, turn: PlayedRequest, *, by_quota: bool) -> SimulatedResponse:
    """A case of the profile. Quota placeholders are real where a quota caused it, their defaults otherwise."""
    values = turn.values(defaults=not by_quota)
    headers = _filled(case.headers, values)
    if case.play == "silence":
        return SimulatedResponse(headers=_typed(headers, EVENTS[1]), chunked=True, ending=ResponseEnding.HANG)
    if case.play is not None:
        ending = {"hang": ResponseEnding.HANG, "reset": ResponseEnding.RESET, "close": ResponseEnding.CUT}[case.play]
        return SimulatedResponse(head=False, ending=ending)
    if case.sse is not None:
        return SimulatedResponse(
            status=case.status,
            headers=_typed(headers, EVENTS[1]),
            pieces=tuple(block(values.fill(text)) for text in case.sse),
            chunked=True,
            gap_s=turn.profile.stream.chunk_delay_ms / 1000,
            ending=ResponseEnding.CLOSE,
        )
    body = values.fill(case.body or "")
    usual = "application/json" if body.lstrip()[:1] in {"{", "["} else "text/plain; charset=utf-8"
    if usual == "application/json":
        body = body.strip()
    return SimulatedResponse(
        status=case.status,
        headers=_typed(headers, usual) if body else headers,
        pieces=(body.encode("utf-8", "surrogatepass"),),
    )


def _typed(headers: tuple[tuple[str, str], ...], content_type: str) -> tuple[tuple[str, str], ...]:
    if any(name == "content-type" for name, _ in headers):
        return headers
    return (("content-type", content_type), *headers)
