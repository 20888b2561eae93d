"""Histories: what an upstream refuses in a conversation that some client has kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freeride_core.simulator.profile import Requests


def history_fault(messages: Any, expected: Requests) -> str:
    """Return what is wrong with a conversation for this upstream; empty if it is taken."""
    for place, part in _parts(messages):
        for name in expected.messages_left_out:
            if name in part:
                return f"property '{name}' of {place}"
        if expected.reasoning_needed and part.get("tool_calls") and not part.get(expected.reasoning_needed):
            return f"{place} without {expected.reasoning_needed}"
    return ""


def _parts(messages: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every message, tool call and function, with its place."""
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        if not isinstance(message, dict):
            continue
        yield f"messages.{number}", message
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                yield f"messages.{number}.tool_calls", call
                if isinstance(call.get("function"), dict):
                    yield f"messages.{number}.tool_calls.function", call["function"]
