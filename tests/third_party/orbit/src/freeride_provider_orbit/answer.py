"""Orbit's answers and streams, in OpenAI's form. What is not understood, such as an error, is passed on as it came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from freeride_core import Call

_FINISH = {
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
}
"""All else is `stop`."""


class _Conversion:
    """What the parts of one answer have in common."""

    def __init__(self, call: Call) -> None:
        self._model = call.model
        self._created = int(call.received_at)
        self._id = "orbit"
        self._tool_calls: dict[int, int] = {}
        """How many calls each candidate has made so far."""

    def head(self, frame: dict[str, Any], kind: str) -> dict[str, Any]:
        """What an answer and every chunk begin with."""
        self._id = frame.get("responseId") or self._id
        self._model = frame.get("modelVersion") or self._model
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}

    def said(self, candidate: dict[str, Any]) -> dict[str, Any]:
        """What the candidate says or does here: `content`, `reasoning`, `tool_calls`, each only if there is any."""
        said: dict[str, Any] = {}
        for part in (candidate.get("content") or {}).get("parts") or ():
            if "functionCall" in part:
                said.setdefault("tool_calls", []).append(self._tool_call(index_of(candidate), part["functionCall"]))
            elif part.get("text"):
                name = "reasoning" if part.get("thought") else "content"
                said[name] = said.get(name, "") + part["text"]
        return said

    def finish(self, candidate: dict[str, Any]) -> str | None:
        """Why the candidate is over; None: it is not."""
        reason = candidate.get("finishReason")
        if reason is None:
            return None
        usual = "tool_calls" if self._tool_calls.get(index_of(candidate)) else "stop"
        return _FINISH.get(reason, usual)

    def _tool_call(self, candidate: int, call: dict[str, Any]) -> dict[str, Any]:
        index = self._tool_calls.get(candidate, 0)
        self._tool_calls[candidate] = index + 1
        name, arguments = call["name"], json.dumps(call.get("args") or {})
        # Not every model numbers its calls, and each answer to one must name it.
        made_up = hashlib.sha256(f"{self._id} {candidate} {index} {name} {arguments}".encode()).hexdigest()[:24]
        return {
            "index": index,
            "id": call.get("id") or f"call_{made_up}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }


def index_of(candidate: dict[str, Any]) -> int:
    """Which of several answers it belongs to."""
    return int(candidate.get("index", 0))


def candidates_of(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers in a frame; of a prompt that was blocked, one that says so."""
    if (frame.get("promptFeedback") or {}).get("blockReason"):
        return [{"finishReason": "PROHIBITED_CONTENT"}]
    return frame.get("candidates") or []


def usage_of(frame: dict[str, Any]) -> dict[str, int] | None:
    """The tokens in OpenAI's terms; thoughts are part of the completion."""
    counted = frame.get("usageMetadata")
    if not counted:
        return None
    prompt = counted.get("promptTokenCount", 0)
    completion = counted.get("candidatesTokenCount", 0) + counted.get("thoughtsTokenCount", 0)
    total = counted.get("totalTokenCount", prompt + completion)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


_ODD = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What comes of reading JSON that is not shaped as expected."""


class WholeDecoder:
    """For an answer that is not streamed."""

    def __init__(self, call: Call) -> None:
        self._conversion = _Conversion(call)
        self._body = b""

    def decode(self, data: bytes) -> bytes:
        self._body += data
        return b""

    def flush(self) -> bytes:
        try:
            frame = json.loads(self._body)
            answer = self._answer(frame) if "error" not in frame else None
        except _ODD:
            answer = None
        return self._body if answer is None else json.dumps(answer).encode()

    def _answer(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        head = self._conversion.head(frame, "chat.completion")
        choices = [self._choice(candidate) for candidate in candidates_of(frame)]
        if not choices:
            return None
        usage = usage_of(frame)
        return {**head, "choices": choices, **({"usage": usage} if usage else {})}

    def _choice(self, candidate: dict[str, Any]) -> dict[str, Any]:
        said = self._conversion.said(candidate)
        for call in said.get("tool_calls", ()):
            del call["index"]
        message = {"role": "assistant", "content": None if "tool_calls" in said else "", **said}
        return {"index": index_of(candidate), "message": message, "finish_reason": self._conversion.finish(candidate)}


class StreamDecoder:
    """For a stream. Orbit ends one by ending it, so `[DONE]` comes once the body has ended, if all that began is finished."""

    def __init__(self, call: Call) -> None:
        self._conversion = _Conversion(call)
        self._wants_usage = bool((call.value("stream_options") or {}).get("include_usage"))
        self._usage: dict[str, int] | None = None
        self._rest = b""
        self._is_open: dict[int, bool] = {}
        """Whether each candidate that began has yet to finish."""
        self._is_broken = False

    def decode(self, data: bytes) -> bytes:
        # A CR at the end may be half of a CRLF. Within JSON no line ends, so that all ends may be made alike.
        data = self._rest + data
        held = b"\r" if data.endswith(b"\r") else b""
        data = data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *blocks, rest = data.split(b"\n\n")
        self._rest = rest + held
        return b"".join(map(self._block, blocks))

    def flush(self) -> bytes:
        rest, self._rest = self._rest.rstrip(b"\r\n"), b""
        if rest and _frame(rest) is None:
            return rest  # half an event stays half an event, and what is no event at all is shown as it is
        last = self._block(rest)
        if self._is_broken or not self._is_open or any(self._is_open.values()):
            return last
        return last + b"".join(self._ending())

    def _block(self, block: bytes) -> bytes:
        if not block.strip():
            return b""
        frame = _frame(block)
        try:
            if frame is not None and "error" not in frame:
                return b"".join(_event(chunk) for chunk in list(self._chunks(frame)))
        except _ODD:
            pass
        self._is_broken = self._is_broken or (frame is not None and "error" in frame)
        return block + b"\n\n"

    def _chunks(self, frame: dict[str, Any]) -> Iterator[dict[str, Any]]:
        head = self._conversion.head(frame, "chat.completion.chunk")
        self._usage = usage_of(frame) or self._usage
        for candidate in candidates_of(frame):
            index = index_of(candidate)
            said = self._conversion.said(candidate)
            if index not in self._is_open:
                said = {"role": "assistant", "content": "", **said}
            finish = self._conversion.finish(candidate)
            if said:
                yield {**head, "choices": [{"index": index, "delta": said, "finish_reason": None}]}
            if finish:
                yield {**head, "choices": [{"index": index, "delta": {}, "finish_reason": finish}]}
            self._is_open[index] = finish is None and self._is_open.get(index, True)

    def _ending(self) -> Iterator[bytes]:
        if self._wants_usage and self._usage:
            head = self._conversion.head({}, "chat.completion.chunk")
            yield _event({**head, "choices": [], "usage": self._usage})
        yield b"data: [DONE]\n\n"


def _frame(block: bytes) -> dict[str, Any] | None:
    """The JSON object that an event carries; None: it carries none."""
    lines = [line.removeprefix(b"data:") for line in block.split(b"\n") if line.startswith(b"data:")]
    try:
        frame = json.loads(b"\n".join(lines))
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
