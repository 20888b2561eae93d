"""An answer, whole or streamed, in the form of the Messages API."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec

from freeride_core.answer import ErrorKind, Failure
from freeride_core.events.usage import Usage
from freeride_core.gateway.protocols import json_text
from freeride_core.gateway.protocols.assembler import Assembler
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.messages.errors import error_event
from freeride_core.gateway.protocols.messages.request import MessagesCall
from freeride_core.gateway.protocols.messages.thinking import UNPACKED, Display, signed, with_extra_content
from freeride_core.gateway.protocols.protocol import AnswerEncoder
from freeride_core.gateway.protocols.steps import (
    AnswerFault,
    CallArguments,
    CallClosed,
    CallOpened,
    Finished,
    FinishReason,
    ReasoningStep,
    RefusalStep,
    Step,
    TextStep,
)
from freeride_core.gateway.protocols.token_estimate import estimate_tokens

_STOP_REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.REFUSAL: "refusal",
}
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTAS = {
    "text": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "tool_use": (b"input_json_delta", b"partial_json"),
}
"""For each type of block the type of its deltas, and the member that holds their text."""
_CHARACTERS_A_TOKEN = 4
_TEXT, _THINKING = "text", "thinking"
_WORDS = (TextStep, RefusalStep, ReasoningStep)

Content = dict[str, Any]


class MessageEncoder(AnswerEncoder):
    """Writes one answer. A stream has one block open at a time, in the order of what the model said."""

    def __init__(self, request: MessagesCall, request_id: str) -> None:
        self._seed = request_id.removeprefix("req_")
        self._request = request
        self._assembler = Assembler(self._seed)
        self._model = ""
        self._open = ""
        """The type of the open block, if it is one of words."""
        self._index = -1
        self._delta_head = b""
        self._thoughts: list[str] = []
        """The reasoning of the open block."""
        self._characters = 0
        self._estimated = 0
        """Tokens of the prompt."""

    # A stream

    def begin(self, model: str) -> bytes:
        self.failure = None
        self._assembler = Assembler(self._seed)
        self._model = model
        if not self._request.call.stream:
            return b""
        message = self._message([], None, None, self._usage(Usage()))
        return _event("message_start", message=message)

    def feed(self, data: bytes) -> bytes:
        return self._written(self._assembler.feed(data))

    def end(self) -> bytes:
        return self._written(self._assembler.end())

    def error_event(self, error: ClientError, request_id: str) -> bytes:
        return error_event(error, request_id)

    def _written(self, steps: list[Step]) -> bytes:
        return b"".join(map(self._write, steps))

    def _write(self, step: Step) -> bytes:
        match step:
            case TextStep(text) | RefusalStep(text):
                self._characters += len(text)
                return self._opened(_TEXT) + self._delta(text)
            case ReasoningStep(text):
                return self._think(text)
            case CallOpened():
                return self._signed_for(step) + self._start(self._call(step))
            case CallArguments(text):
                self._characters += len(text)
                return self._delta(text)
            case CallClosed():
                return self._stop()
            case Finished():
                return self._closed() + self._finish(step)
            case AnswerFault(message):
                self.failure = Failure(kind=ErrorKind.PROTOCOL, message=message)
                return b""

    def _think(self, text: str) -> bytes:
        self._characters += len(text)
        if self._request.display is Display.NOTHING:
            return b""
        started = self._opened(_THINKING)
        self._thoughts.append(text)
        if self._request.display is Display.OMITTED:
            return started
        return started + self._delta(text)

    def _opened(self, kind: str) -> bytes:
        """What it takes until a block of words of this type is open."""
        if self._open == kind:
            return b""
        closed = self._closed()
        self._open = kind
        return closed + self._start(_block(kind, ""))

    def _signed_for(self, call: CallOpened) -> bytes:
        """What it takes until no block of words is open, and one of thinking has what belongs to the call."""
        if call.extra_content is None or self._request.display is Display.NOTHING:
            return self._closed()
        return self._opened(_THINKING) + self._closed(call)

    def _closed(self, call: CallOpened | None = None) -> bytes:
        """What it takes until no block of words is open. `call`: what belongs to it goes into the signature."""
        if not self._open:
            return b""
        signature = b""
        if self._open == _THINKING:
            delta = {"type": "signature_delta", "signature": _signature_for(call, self._signature())}
            signature = _event("content_block_delta", index=self._index, delta=delta)
        self._open = ""
        return signature + self._stop()

    def _signature(self) -> str:
        thoughts, self._thoughts = "".join(self._thoughts), []
        return signed(thoughts) if self._request.display is Display.OMITTED else UNPACKED

    def _start(self, block: Content) -> bytes:
        self._index += 1
        self._delta_head = _DELTA % (self._index, *_DELTAS[block["type"]])
        return _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, text: str) -> bytes:
        """More of the open block. Written by hand, as deltas are most of a stream."""
        return b"%b%b}}\n\n" % (self._delta_head, json_text.encode(text))

    def _stop(self) -> bytes:
        return _event("content_block_stop", index=self._index)

    def _finish(self, finished: Finished) -> bytes:
        reason, sequence = self._stop_reason(finished)
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        usage = self._usage(finished.usage)
        return _event("message_delta", delta=delta, usage=usage) + _event("message_stop")

    # A whole answer

    def whole(self, body: bytes) -> bytes:
        self._characters = 0
        steps = self._assembler.whole(body)
        last = steps[-1]
        if not isinstance(last, Finished):
            assert isinstance(last, AnswerFault)
            self.failure = Failure(kind=ErrorKind.PROTOCOL, message=last.message)
            return b""
        content = self._content(steps)
        return json_text.encode(self._message(content, *self._stop_reason(last), self._usage(last.usage)))

    def _content(self, steps: list[Step]) -> list[Content]:
        """The blocks of an answer, without a call that was cut off: its client would run it."""
        content: list[Content] = []
        for kind, group in itertools.groupby(steps, _kind_of_words):
            if kind:
                text = "".join(step.text for step in group if isinstance(step, _WORDS))
                self._characters += len(text)
                content += self._block_of_words(kind, text)
            else:
                self._add_calls(group, content)
        return content

    def _block_of_words(self, kind: str, text: str) -> list[Content]:
        if kind == _TEXT:
            return [_block(_TEXT, text)]
        if self._request.display is Display.NOTHING:
            return []
        self._thoughts.append(text)
        is_shown = self._request.display is Display.FULL
        return [_block(_THINKING, text if is_shown else "", self._signature())]

    def _add_calls(self, steps: Iterable[Step], content: list[Content]) -> None:
        call: Content = {}
        for step in steps:
            match step:
                case CallOpened():
                    call = self._call(step)
                    self._sign_for(step, content)
                case CallArguments(text):
                    self._characters += len(text)
                    call["input"] = msgspec.Raw(text.encode(errors="replace"))
                case CallClosed():
                    content.append(call)

    def _sign_for(self, call: CallOpened, content: list[Content]) -> None:
        """Puts what belongs to the call into the block of thinking before it."""
        if call.extra_content is None or self._request.display is Display.NOTHING:
            return
        if not content or content[-1]["type"] != _THINKING:
            content.append(_block(_THINKING, "", self._signature()))
        content[-1]["signature"] = _signature_for(call, content[-1]["signature"])

    # Both

    def nothing(self, model: str) -> bytes:
        """Return the answer to a request for no tokens at all."""
        self._model = model
        return json_text.encode(self._message([], "max_tokens", None, self._usage(Usage())))

    def _call(self, opened: CallOpened) -> Content:
        name = self._request.names.client_name(opened.name)
        return {"type": "tool_use", "id": opened.id, "name": name, "input": {}}

    def _message(
        self, content: list[Content], reason: str | None, sequence: str | None, usage: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": f"msg_{self._seed}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": usage,
        }

    def _stop_reason(self, finished: Finished) -> tuple[str, str | None]:
        if finished.reason is FinishReason.STOP and finished.stop_sequence in self._request.stop_sequences:
            return "stop_sequence", finished.stop_sequence
        return _STOP_REASONS[finished.reason], None

    def _estimate(self) -> int:
        if not self._estimated:
            self._estimated = estimate_tokens(self._request.call)
        return self._estimated

    def _usage(self, usage: Usage) -> dict[str, Any]:
        """What the upstream counted, or an estimate: clients make their conversation shorter by these numbers. What was read
        from a cache is not among the input."""
        output = usage.output or self._characters // _CHARACTERS_A_TOKEN
        cached = min(usage.cached, usage.input)
        told: dict[str, Any] = {
            "input_tokens": usage.input - cached if usage.input else self._estimate(),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": output,
        }
        if usage.reasoning:
            told["output_tokens_details"] = {"thinking_tokens": min(usage.reasoning, output)}
        return told


def _kind_of_words(step: Step) -> str:
    """The type of block that the step belongs to; empty if it is not of words."""
    if isinstance(step, ReasoningStep):
        return _THINKING
    return _TEXT if isinstance(step, TextStep | RefusalStep) else ""


def _signature_for(call: CallOpened | None, signature: str) -> str:
    if call is None or call.extra_content is None:
        return signature
    return with_extra_content(signature, call.id, call.extra_content)


def _block(kind: str, text: str, signature: str = "") -> Content:
    return {"type": kind, kind: text, **({"signature": signature} if kind == _THINKING else {})}


def _event(kind: str, **members: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json_text.encode({"type": kind, **members}))
