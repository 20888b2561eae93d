"""The assembler: what an upstream answers, whole or as a stream, turned into steps.

Upstreams of this API say the same thing in many forms. Contents are text or parts, and reasoning has several names. Tool
calls arrive whole or in pieces, and usage in three places.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from freeride_core.compatible.history import REASONING
from freeride_core.events.usage import Usage, usage_in_body
from freeride_core.gateway.http import sse
from freeride_core.gateway.protocols.call_queue import AssemblyFault, CallQueue, text_of
from freeride_core.gateway.protocols.steps import (
    AnswerFault,
    Finished,
    FinishReason,
    ReasoningStep,
    RefusalStep,
    Step,
    TextStep,
)

_REASONING = frozenset(REASONING)
_REASONING_TEXTS = REASONING[:3]
_DATA, _USAGE = b"data: ", b'"usage"'
_ENDS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence"), FinishReason.STOP),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use"), FinishReason.STOP),
    **dict.fromkeys(("length", "max_tokens", "model_length"), FinishReason.LENGTH),
    **dict.fromkeys(("content_filter", "sensitive", "refusal", "safety"), FinishReason.REFUSAL),
}
"""What upstreams call the end of an answer. Any other word means that they failed: `error`, `network_error`."""

_LONGEST_EVENT = 8 * 1024 * 1024


class Assembler:
    """Assembles one answer: its first choice. Feed it chunks, then `end` it; or give it a `whole` answer."""

    __slots__ = ("_calls", "_finish", "_has_refused", "_is_over", "_stop_sequence", "_tail", "_usage")

    def __init__(self, seed: str) -> None:
        """`seed`: a word of letters and digits for the ids of tool calls to which the upstream gives none."""
        self._calls = CallQueue(seed)
        self._tail = b""
        self._finish: FinishReason | None = None
        self._stop_sequence = ""
        self._has_refused = False
        self._usage = Usage()
        self._is_over = False

    def feed(self, data: bytes) -> list[Step]:
        """Return the steps that are plain after the next bytes of an event stream."""
        if self._tail:
            data = self._tail + data
        blocks, self._tail = sse.split(data)
        steps = self._read(blocks)
        if len(self._tail) > _LONGEST_EVENT and not self._is_over:
            steps += self._fault("a part of the answer is too long")
        return steps

    def end(self) -> list[Step]:
        """Return what is left when the stream has ended cleanly. A stream without a finish reason counts as stopped."""
        tail, self._tail = self._tail, b""
        return self._read([tail] if tail.strip() else []) + self._finished()

    def whole(self, body: bytes) -> list[Step]:
        """Return all steps of an answer that is no stream."""
        return self._take(body) + self._finished()

    def _read(self, blocks: list[bytes]) -> list[Step]:
        steps: list[Step] = []
        for block in blocks:
            if block.startswith(_DATA) and block.count(b"\n") == 2:
                data = block[len(_DATA) :].rstrip()  # as it usually is: to parse the lines takes 2 us more
            else:
                data = (sse.parse(block).data or b"").strip()
            if data and data != b"[DONE]":
                steps += self._take(data)
        return steps

    def _take(self, data: bytes) -> list[Step]:
        if self._is_over:
            return []
        chunk = _decoded(data)
        if not isinstance(chunk, dict):
            return self._fault("a part of the answer is not JSON")
        if _USAGE in data:
            usage = usage_in_body(chunk)
            if usage.input or usage.output:
                self._usage = usage
        choice = _first_choice(chunk.get("choices"))
        if choice is None or self._finish is not None:
            return []
        try:
            self._add(choice.get("delta") or choice.get("message"))
            word = choice.get("finish_reason")
            if isinstance(word, str) and word:
                self._close(word, choice)
        except AssemblyFault as fault:
            return self._fault(str(fault))
        return self._due()

    def _add(self, part: object) -> None:
        """A delta or a message."""
        if not isinstance(part, dict):
            return
        if not _REASONING.isdisjoint(part):
            for reasoning in _reasoning_of(part):
                self._calls.add_words(ReasoningStep(reasoning))
        content = part.get("content")
        if content and isinstance(content, str):
            self._calls.add_words(TextStep(content))
        elif isinstance(content, list):
            for step in _steps_of_parts(content):
                self._calls.add_words(step)
        if refusal := text_of(part.get("refusal")):
            self._has_refused = True
            self._calls.add_words(RefusalStep(refusal))
        if isinstance(calls := part.get("tool_calls"), list):
            self._calls.add_parts(calls)
        elif isinstance(call := part.get("function_call"), dict):
            self._calls.add_parts([{"function": call}])

    def _close(self, word: str, choice: dict[str, Any]) -> None:
        self._finish = _ENDS.get(word.lower())
        if self._finish is None:
            raise AssemblyFault("the upstream failed in the middle of the answer")
        self._stop_sequence = text_of(choice.get("stop_reason")) or text_of(choice.get("matched_stop"))
        self._calls.finish(is_cut=self._finish in (FinishReason.LENGTH, FinishReason.REFUSAL))

    def _finished(self) -> list[Step]:
        if self._is_over:
            return []
        if self._finish is None:
            self._finish = FinishReason.STOP
            try:
                self._calls.finish(is_cut=False)
            except AssemblyFault as fault:
                return self._fault(str(fault))
        self._is_over = True
        return [*self._due(), Finished(self._reason(self._finish), self._usage, self._stop_sequence)]

    def _reason(self, told: FinishReason) -> FinishReason:
        """The upstream's word, corrected by what the answer holds."""
        if told is not FinishReason.STOP:
            return told
        if self._calls.has_closed:
            return FinishReason.TOOL_CALLS
        return FinishReason.REFUSAL if self._has_refused else told

    def _fault(self, message: str) -> list[Step]:
        self._is_over = True
        return [*self._due(), AnswerFault(message)]

    def _due(self) -> list[Step]:
        steps, self._calls.steps = self._calls.steps, []
        return steps


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(data)  # it takes lone surrogates: a pair can be split over two chunks
    except (ValueError, RecursionError):
        return None


def _first_choice(choices: object) -> dict[str, Any] | None:
    """The only choice that was asked for. Some upstreams leave out its index."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not choice.get("index"):
            return choice
    return None


def _reasoning_of(part: dict[str, Any]) -> Iterator[str]:
    """The same reasoning can have several names: the first that holds any counts."""
    for name in _REASONING_TEXTS:
        if text := text_of(part.get(name)):
            yield text
            return
    details = part.get("reasoning_details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and (text := text_of(detail.get("text")) or text_of(detail.get("summary"))):
            yield text


def _steps_of_parts(parts: list[Any]) -> Iterator[TextStep | ReasoningStep]:
    """A content in parts; what a model thought is one of them at some upstreams."""
    for part in parts:
        if not isinstance(part, dict):
            continue
        if text := text_of(part.get("text")):
            yield TextStep(text)
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            thinking = "".join(text_of(piece.get("text")) for piece in thinking if isinstance(piece, dict))
        if text := text_of(thinking):
            yield ReasoningStep(text)
