"""What the simulator is going to put on the wire, down to the single write."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ResponseEnding(enum.Enum):
    """What happens after the last piece."""

    KEEP = "keep"
    """The body is complete, the connection stays."""
    CLOSE = "close"
    """The body is complete, the connection closes."""
    CUT = "cut"
    """The connection closes in the middle of the body."""
    RESET = "reset"
    """The connection is reset in the middle of the body."""
    HANG = "hang"
    """Silence, until the client leaves."""
    REPEAT = "repeat"
    """The last piece again and again, until the client leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedResponse:
    """One answer. Every piece is a write of its own."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[bytes, ...] = ()
    chunked: bool = False
    """Each piece as one HTTP chunk; otherwise a Content-Length is declared."""
    length: int | None = None
    """The declared Content-Length, where it is not the truth."""
    head: bool = True
    """False if not even a status line is sent."""
    delay_s: float = 0.0
    """Before the first byte."""
    gap_s: float = 0.0
    """Between pieces."""
    ending: ResponseEnding = ResponseEnding.KEEP

    def with_header(self, name: str, value: str) -> tuple[tuple[str, str], ...]:
        """The headers, with one replaced or added."""
        return (*((known, text) for known, text in self.headers if known.lower() != name), (name, value))


JSON = ("content-type", "application/json")
EVENTS = ("content-type", "text/event-stream; charset=utf-8")


def json_reply(body: str, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> SimulatedResponse:
    """A whole JSON answer."""
    return SimulatedResponse(status=status, headers=(JSON, *headers), pieces=(body.encode("utf-8", "surrogatepass"),))


def error_reply(status: int, message: str, kind: str) -> SimulatedResponse:
    """An error in the plain OpenAI form, for what no profile describes."""
    return json_reply(f'{{"error":{{"message":"{message}","type":"{kind}","code":null}}}}', status=status)
