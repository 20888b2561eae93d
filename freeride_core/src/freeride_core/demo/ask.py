"""One request of the demo: how it is sent, and what the gateway's events say became of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from freeride_core.events.records import Event

_TIMEOUT_S = 30.0
_OK = "OK"


@dataclass(slots=True)
class Hop:
    """One attempt at one provider."""

    provider: str
    key_index: int
    status: str = ""
    """`OK` or an error kind in upper case, or empty while nothing is known."""
    duration_ms: int = 0
    retry_after_s: float | None = None

    @property
    def is_good(self) -> bool:
        return self.status == _OK

    @property
    def is_failed(self) -> bool:
        return self.status not in {"", _OK}


@dataclass(slots=True)
class Ask:
    """A request and its answer, as far as they are known."""

    number: int
    stream: bool = False
    hops: list[Hop] = field(default_factory=list)
    """From the gateway's events."""
    text: str = ""
    """From the answer."""
    status: int = 0
    """Of the answer, or 0 before it comes."""
    provider: str = ""
    attempts: int = 0
    duration_ms: int = 0
    """How long the client waited for the end of the answer."""
    is_over: bool = False
    """The client has it all."""
    request_id: str = ""
    is_told: bool = False
    """The gateway's last event about it has come."""

    @property
    def is_answered(self) -> bool:
        return self.status == 200 and bool(self.text)

    @property
    def failures(self) -> list[Hop]:
        return [hop for hop in self.hops if hop.is_failed]

    def note(self, event: Event) -> Hop | None:
        """Takes in an event of the gateway; gives the attempt that it ends."""
        kind = event["type"]
        if kind == "request_start" and not self.request_id:
            self.request_id = event["request_id"]
        if event["request_id"] != self.request_id:
            return None
        if kind == "provider_attempt":
            self.hops.append(Hop(event["provider"], event["key_index"]))
        elif kind == "provider_response" and self.hops:
            hop = self.hops[-1]
            hop.status = event["status"]
            hop.duration_ms = event["duration_ms"]
            hop.retry_after_s = event.get("retry_after_s")
            return hop
        elif kind in {"request_complete", "request_failed"}:
            self.is_told = True
        return None


@dataclass(frozen=True, slots=True)
class Words:
    """A part of the answer, as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class AskResult:
    """The answer is over."""

    status: int
    provider: str
    attempts: int
    duration_ms: int


def send(url: str, *, stream: bool, put: Callable[[Words | AskResult], object]) -> None:
    """Asks the gateway as any client would; `put` gets the words as they come, and the ending."""
    status, headers = 0, httpx.Headers()
    body = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Say hello."}]}
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=_TIMEOUT_S) as client:  # noqa: S501 - no TLS
        started = time.monotonic()
        try:
            with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                status, headers = answer.status_code, answer.headers
                for text in _words(answer):
                    put(Words(text))
        except (httpx.HTTPError, ValueError, LookupError) as error:
            put(Words(f"{type(error).__name__}"))
            status = 0
        duration_ms = round((time.monotonic() - started) * 1000)
    put(
        AskResult(
            status, headers.get("x-freeride-provider", ""), int(headers.get("x-freeride-attempts", "0")), duration_ms
        )
    )


def _words(answer: httpx.Response) -> Iterator[str]:
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        content = json.loads(answer.read())
        yield content["choices"][0]["message"]["content"] if answer.is_success else content["error"]["message"]
        return
    for line in answer.iter_lines():
        if line.startswith("data: {"):
            yield _delta(json.loads(line.removeprefix("data: ")))


def _delta(chunk: dict[str, Any]) -> str:
    if chunk.get("error"):
        return str(chunk["error"]["message"])
    return "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", ()))
