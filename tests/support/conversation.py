"""A conversation that must not leak, and what finds pieces of it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fake_upstream import (
    ReceivedRequest,
)

RUN = 8
PROMPT = "Zebras juggle quince marmalade behind Ödön's workshop, 4711 times."
ARGUMENT = "wallpaper-of-the-embassy-is-mauve"
ANSWER = "Xylophones rust gently under violet umbrellas."
TOKEN = "hand-made-token-1234567890"
MESSAGES = [
    {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "paint", "arguments": json.dumps({"x": ARGUMENT})},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "done"},
]


def runs(secret: str) -> set[str]:
    return {secret[at : at + RUN] for at in range(len(secret) - RUN + 1)}


def leaks(text: str, secrets: Iterable[str]) -> set[str]:
    return {run for secret in secrets for run in runs(secret) if run in text}


def echo(seen: ReceivedRequest) -> str:
    """An indiscreet upstream's words."""
    return f"key {seen.key} is wrong, you said {PROMPT!r} and {ARGUMENT}"
