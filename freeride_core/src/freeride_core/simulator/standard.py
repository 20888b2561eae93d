"""The answers of an upstream that follows OpenAI's protocol to the letter, which a profile plays unless it describes its own."""

from __future__ import annotations

import json
from typing import Any

_TEXT, _MODEL = "{{text}}", "{{model}}"


def _json(value: Any) -> str:
    """Placeholders that stand for numbers lose the quotes around them."""
    text = json.dumps(value, separators=(",", ":"))
    for number in ("created", "prompt_tokens", "completion_tokens", "total_tokens"):
        text = text.replace(f'"{{{{{number}}}}}"', f"{{{{{number}}}}}")
    return text


_USAGE = {name: f"{{{{{name}}}}}" for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
_TOOL_CALL = {
    "id": "call_{{tool_id}}",
    "type": "function",
    "function": {"name": "{{tool_name}}", "arguments": "{{tool_arguments}}"},
}


def _whole(message: dict[str, Any]) -> str:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "{{finish}}"}
    head = {"id": "chatcmpl-{{id}}", "object": "chat.completion", "created": "{{created}}", "model": _MODEL}
    return _json({**head, "choices": [choice], "usage": _USAGE})


def _chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-{{id}}", "object": "chat.completion.chunk", "created": "{{created}}", "model": _MODEL}
    return _json({**head, "choices": choices, **more})


BODY = _whole({"content": _TEXT})
TOOL_CALL_BODY = _whole({"content": None, "tool_calls": [_TOOL_CALL]})
ROLE = _chunk({"role": "assistant", "content": ""})
TEXT = _chunk({"content": _TEXT})
TOOL_CALL = (
    _chunk({"tool_calls": [{"index": 0, **_TOOL_CALL, "function": {"name": "{{tool_name}}", "arguments": ""}}]}),
    _chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{{tool_arguments_head}}"}}]}),
    _chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{{tool_arguments_tail}}"}}]}),
)
EMBEDDINGS = (
    '{"object":"list","data":{{embeddings}},"model":"{{model}}",'
    '"usage":{"prompt_tokens":{{prompt_tokens}},"total_tokens":{{total_tokens}}}}'
)
FINISH = _chunk({}, "{{finish}}")
USAGE = _chunk(None, usage=_USAGE)
