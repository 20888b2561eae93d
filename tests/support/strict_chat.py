"""The strictest reading of chat completions' messages: what no upstream refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PARTS = {"text", "image_url", "input_audio", "file"}


def faults_in(messages: Sequence[dict[str, Any]]) -> list[str]:
    """What an upstream may refuse, each with the number of its message; empty if there is nothing."""
    return [f"message {at}: {fault}" for at, fault in _faults(messages)]


def _faults(messages: Sequence[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    awaited: list[str] = []
    for at, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            if not awaited:
                yield at, "a result without its call before it"
            elif message.get("tool_call_id") != awaited.pop(0):
                yield at, "a result out of order"
            if not (isinstance(message.get("content"), str) and message["content"]):
                yield at, "a result that is no text"
            continue
        if awaited:
            yield at, "a call without its result"
            awaited = []
        if role == "assistant":
            if at and messages[at - 1].get("role") == "assistant":
                yield at, "two turns of the assistant in a row"
            yield from ((at, fault) for fault in _faults_of_turn(message))
            awaited = [call["id"] for call in message.get("tool_calls", ())]
        elif role in ("system", "developer", "user"):
            yield from ((at, fault) for fault in _faults_of_content(message.get("content"), role))
        else:
            yield at, f"role {role!r}"
    if awaited:
        yield len(messages), "a call without its result"


def _faults_of_turn(message: dict[str, Any]) -> Iterator[str]:
    calls, content = message.get("tool_calls"), message.get("content")
    if calls is None:
        if not (isinstance(content, str) and content):
            yield "a turn without words and calls"
        return
    if not calls:
        yield "tool_calls is empty"
    if content is not None and not (isinstance(content, str) and content):
        yield "the content beside calls is neither null nor a text"
    if len({call["id"] for call in calls}) < len(calls):
        yield "two calls have one id"
    for call in calls:
        if call.get("type") != "function" or not _NAME.fullmatch(call["id"]):
            yield "a call's type or id"
        if not _NAME.fullmatch(call["function"]["name"]):
            yield "a call's name"
        if not isinstance(json.loads(call["function"]["arguments"]), dict):
            yield "a call's arguments are no object"


def _faults_of_content(content: object, role: str) -> Iterator[str]:
    if isinstance(content, str):
        if not content:
            yield "it is empty"
    elif not isinstance(content, list) or not content or role != "user":
        yield "it has no content"
    else:
        for part in content:
            if part.get("type") not in _PARTS or not part.get(part["type"]):
                yield f"a part of type {part.get('type')!r} that is empty or unknown"
        if all(part["type"] == "text" for part in content):
            yield "texts in parts"
