"""Thought signatures: Gemini 3 gives one with a tool call, and refuses a history in which it is missing."""

from __future__ import annotations

from typing import Any

DUMMY = "skip_thought_signature_validator"
"""Replaces a signature that is lost."""


def sign(messages: Any) -> bool:
    """Give the dummy to the tool calls of each message without a signed one. Return whether there was anything to do.

    Clients that keep unknown members of a call send the signature back, and it is left as it is. Others have dropped it, or
    the call is another provider's: a plugin has no memory to find it in, and the dummy is what remains.
    """
    unsigned = [calls for message in _objects(messages) if (calls := _unsigned(message))]
    for call in (call for calls in unsigned for call in calls):
        call["extra_content"] = {"google": {"thought_signature": DUMMY}}
    return bool(unsigned)


def _unsigned(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls of a message, if none is signed: of calls in parallel Gemini signs the first."""
    calls = _objects(message.get("tool_calls"))
    return [] if any(map(_is_signed, calls)) else calls


def _is_signed(call: dict[str, Any]) -> bool:
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return isinstance(google, dict) and bool(google.get("thought_signature"))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
