"""A reader of Messages streams that forgives nothing that any official SDK or agent stumbles over."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from freeride_core.gateway.http import sse

_MEMBERS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""The type of block that a delta belongs to, and its member."""


@dataclass
class ReadMessage:
    """What a client has at the end of a stream."""

    message: dict[str, Any] = field(default_factory=dict)
    closed: list[int] = field(default_factory=list)
    """Indexes of the blocks that were closed: the tools among them have been run."""
    error: dict[str, Any] | None = None
    is_whole: bool = False
    pings: int = 0

    @property
    def content(self) -> list[dict[str, Any]]:
        """The blocks that were closed."""
        return [self.message["content"][index] for index in self.closed]


def read_message(data: bytes) -> ReadMessage:
    """Read a whole stream; AssertionError says which event is not as it must be."""
    read = _Reading()
    blocks, rest = sse.split(data)
    assert not rest, "the stream ends within an event"
    for block in blocks:
        event = sse.parse(block)
        if event.data is None:
            continue
        content = json.loads(event.data)
        assert event.name == content["type"], "SDKs go by the name of an event, agents by its type"
        assert block.count(b"\n") == 3, "an event has a line for its name and one for its data"
        read.take(content)
    return read.result


class _Reading:
    def __init__(self) -> None:
        self.result = ReadMessage()
        self._open: int | None = None
        self._json: dict[int, str] = {}

    def take(self, event: dict[str, Any]) -> None:
        result, kind = self.result, event["type"]
        assert result.error is None, f"{kind} follows an error"
        assert not result.is_whole, f"{kind} follows the end"
        if kind == "ping":
            result.pings += 1
        elif kind == "error":
            result.error = event["error"]
            assert event["error"]["message"]
            assert event["request_id"]
        elif kind == "message_start":
            assert not result.message, "it starts twice"
            result.message = event["message"]
            assert result.message["content"] == []
            assert result.message["usage"]["input_tokens"] > 0
            assert result.message["model"]
        else:
            assert result.message, f"{kind} before message_start"
            getattr(self, f"_{kind}")(event)

    def _content_block_start(self, event: dict[str, Any]) -> None:
        content = self.result.message["content"]
        assert self._open is None, "a block starts while another is open"
        assert event["index"] == len(content), "the indexes of blocks have a gap"
        content.append(event["content_block"])
        self._open = event["index"]

    def _content_block_delta(self, event: dict[str, Any]) -> None:
        assert event["index"] == self._open, "a delta for a block that is not open"
        block, delta = self.result.message["content"][event["index"]], event["delta"]
        of_block, member = _MEMBERS[delta["type"]]
        assert block["type"] == of_block, f"{delta['type']} in a block of type {block['type']}"
        if member == "partial_json":
            self._json[event["index"]] = self._json.get(event["index"], "") + delta[member]
        else:
            block[member] += delta[member]

    def _content_block_stop(self, event: dict[str, Any]) -> None:
        index = event["index"]
        assert index == self._open, "a block that is not open is closed"
        self._open = None
        if index in self._json:
            block = self.result.message["content"][index]
            block["input"] = json.loads(self._json[index])
            assert isinstance(block["input"], dict)
        self.result.closed.append(index)

    def _message_delta(self, event: dict[str, Any]) -> None:
        message = self.result.message
        is_call = self._open is not None and message["content"][self._open]["type"] == "tool_use"
        assert self._open is None or (is_call and event["delta"]["stop_reason"] != "tool_use"), "a block is left open"
        message |= event["delta"]
        message["usage"] |= event["usage"]

    def _message_stop(self, event: dict[str, Any]) -> None:
        assert self.result.message["stop_reason"], "it stops without a reason"
        self.result.is_whole = True
