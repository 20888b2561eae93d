"""One event, one line for people: what happens to a request, as it happens."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from freeride_core.events.records import Event

_RESET = "\x1b[0m"
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _BLUE = (f"\x1b[{code}m" for code in (1, 2, 31, 32, 33, 34))
_STATUS_COLOR = {"OK": _GREEN, "RATE_LIMIT": _YELLOW, "QUOTA_EXHAUSTED": _YELLOW}

Paint = Callable[[str, str], str]


def render(event: Event, *, color: bool = False) -> str:
    """The event's line, in local time, without a line end. Control characters are escaped: clients choose names."""
    paint: Paint = _paint if color else _leave
    tell = _TELLERS.get(str(event.get("type")), _tell_unknown)
    try:
        told = tell(event, paint)
    except (KeyError, TypeError, ValueError, OverflowError):
        told = _tell_unknown(event, paint)
    request_id = _plain(event.get("request_id") or "")
    clock = paint(f"[{_clock(event.get('ts'))}]", _DIM)
    return f"{clock} {request_id}  {told}" if request_id else f"{clock}  {told}"


def _paint(text: str, code: str) -> str:
    return f"{code}{text}{_RESET}"


def _leave(text: str, code: str) -> str:  # noqa: ARG001 - the colourless paint
    return text


def _plain(value: object) -> str:
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def _clock(timestamp: Any) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except (TypeError, ValueError, OverflowError, OSError):
        return "--:--:--.---"


def _seat(event: Event) -> str:
    return f"{_plain(event['provider'])}[k{_plain(event['key_index'])}]"


def _tell_start(event: Event, paint: Paint) -> str:
    protocol = f" {_plain(event['protocol'])}" if event.get("protocol") else ""
    stream = " stream" if event.get("stream") else ""
    return paint(f"▶ request{protocol} model={_plain(event['model'])}{stream}", _BOLD)


def _tell_attempt(event: Event, paint: Paint) -> str:
    told = f"{paint('→', _BLUE)} {_seat(event)} {_plain(event['model'])}"
    return told + " (hedge)" if event.get("hedge") else told


def _tell_response(event: Event, paint: Paint) -> str:
    status = _plain(event["status"]).upper()
    mark = "✓" if status == "OK" else "✗"
    color = _STATUS_COLOR.get(status, _RED)
    told = f"{paint('←', color)} {_seat(event)} {round(event['duration_ms'])}ms {paint(f'{status} {mark}', color)}"
    if event.get("retry_after_s") is not None:
        told += f" (retry-after {math.ceil(event['retry_after_s'])}s)"
    return told + (" first-chunk" if event.get("first_chunk") else "")


def _tell_wait(event: Event, paint: Paint) -> str:
    return paint(f"… waits {event['wait_s']:.1f} s for {_plain(event['provider'])}", _YELLOW)


def _tell_complete(event: Event, paint: Paint) -> str:
    return paint(f"■ complete via {_plain(event['provider'])}", _GREEN)


def _tell_failed(event: Event, paint: Paint) -> str:
    told = f"✗ failed {_plain(event['code'])}"
    if "tried" in event:
        told += f" tried=[{','.join(_plain(name) for name in event['tried'])}]"
    return paint(told, _RED)


def _tell_mid_stream_error(event: Event, paint: Paint) -> str:
    kind = _plain(event["kind"]).upper()
    return paint(f"~ mid-stream error via {_plain(event['provider'])} ({kind})", _RED)


def _tell_unknown(event: Event, paint: Paint) -> str:  # noqa: ARG001 - one shape for all tellers
    return json.dumps(event, separators=(",", ":"), default=str)


_TELLERS: Mapping[str, Callable[[Event, Paint], str]] = {
    "request_start": _tell_start,
    "provider_attempt": _tell_attempt,
    "provider_response": _tell_response,
    "request_wait": _tell_wait,
    "request_complete": _tell_complete,
    "request_failed": _tell_failed,
    "request_mid_stream_error": _tell_mid_stream_error,
}
