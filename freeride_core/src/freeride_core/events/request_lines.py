"""One line for each request, for `freeride serve --verbose`: what was asked, who served, how long it took. A wait is one more."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from freeride_core.events.records import Event
from freeride_core.system.plain_text import printable

_OPEN_MOST = 1000
_NAME_MOST = 80
"""Characters of a model's name: a client may put anything there."""


class RequestLines:
    """An observer of events. Holds no more than a model's name of each request under way, and nothing of its prompt."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._open: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def __call__(self, event: Event) -> None:
        kind, request_id = event["type"], event["request_id"]
        if kind == "request_start":
            self._open[request_id] = (str(event["model"])[:_NAME_MOST], event["ts"])
            if len(self._open) > _OPEN_MOST:
                self._open.popitem(last=False)
        elif kind == "request_wait":
            model, _ = self._open.get(request_id, ("", 0.0))
            self._say(event, f"{model or 'auto'} waits {event['wait_s']:.1f} s for {event['provider']}")
        elif kind == "request_complete":
            self._end(event, _served(event))
        elif kind == "request_failed":
            tried = ", ".join(event.get("tried", ()))
            self._end(event, f"failed: {event['code']}" + (f" (tried {tried})" if tried else ""))
        elif kind == "request_mid_stream_error":
            self._end(event, f"broke off at {event['provider']}: {event['kind']}")

    def _end(self, event: Event, outcome: str) -> None:
        model, begun = self._open.pop(event["request_id"], ("", event["ts"]))
        took = f"{max(0.0, event['ts'] - begun):.1f} s"
        self._say(event, f"{model or 'auto'} -> {outcome}, {took}")

    def _say(self, event: Event, words: str) -> None:
        clock = time.strftime("[%H:%M:%S]", time.localtime(event["ts"]))
        self._tell(printable(f"{clock} {event['request_id']}  {words}"))


def _served(event: Event) -> str:
    usage: dict[str, Any] = event.get("usage") or {}
    parts = [f"{event['provider']} {event['model']}"]
    if event["attempts"] > 1:
        parts.append(f"{event['attempts']} attempts")
    if usage:
        parts.append(f"{usage.get('input', 0):,} tokens in, {usage.get('output', 0):,} out")
    return ", ".join(parts)
