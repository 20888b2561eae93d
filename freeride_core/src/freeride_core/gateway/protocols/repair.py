"""The repair of a conversation: any order of messages, made what strict upstreams of chat completions accept.

They insist on four things. Each tool call has one result, which follows its turn at once. Results are text. No message is
empty. No two messages of the assistant are neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

Message = dict[str, Any]
"""A message of chat completions. Contents may be texts, or lists of parts also where upstreams take only text."""

REASONING = "reasoning_content"
"""The member of an assistant's message that holds what the model thought. Packages say what their upstreams want of it."""

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_RESULT = "[no result: the call was interrupted]"
NO_OUTPUT = "(no output)"
"""The result of a tool that said nothing: not every upstream takes an empty one."""
_MEDIA = {"image_url": "image", "input_audio": "audio", "file": "file"}


class Repair(NamedTuple):
    """A conversation in order."""

    messages: list[Message]
    lost: frozenset[str]
    """What could not be kept: `tool_result` for one of two results of a call, `reasoning` for a turn that held nothing else."""


def repair(messages: Iterable[Message]) -> Repair:
    """Return the conversation in an order that strict upstreams accept. Repairing it again changes nothing.

    Names and arguments of calls are not looked at. The messages given are changed, and become part of the result.
    """
    given = list(messages)
    if _is_in_order(given):
        return Repair(given, frozenset())
    conversation = _Conversation()
    for message in given:
        conversation.add(message)
    return Repair(list(conversation.rendered()), frozenset(conversation.lost))


def _is_in_order(messages: Iterable[Message]) -> bool:
    """Whether nothing has to change, as in most conversations of agents: to see that takes a tenth of the time of a repair."""
    awaited: list[object] = []
    former = ""
    for message in messages:
        role, content = message["role"], message.get("content")
        if role == "tool":
            if not awaited or message.get("tool_call_id") != awaited.pop(0):
                return False
        elif awaited or role == former == "assistant":
            return False
        elif role == "assistant" and message.get("tool_calls"):
            awaited = [call.get("id") for call in message["tool_calls"]]
            if not all(map(_is_usable, awaited)) or (len(awaited) > 1 and len(set(awaited)) < len(awaited)):
                return False
            content = content if content is not None else NO_OUTPUT
        if not content or not isinstance(content, str):
            return False
        former = role
    return not awaited


def _is_usable(call_id: object) -> bool:
    return isinstance(call_id, str) and _ID.fullmatch(call_id) is not None


class _AnsweredCall:
    """A tool call and its result."""

    __slots__ = ("call", "result", "turn")

    def __init__(self, call: Message, turn: _Turn) -> None:
        self.call = call
        self.turn = turn
        self.result: Message | None = None


class _Turn:
    """What the assistant said at once, and the results of its calls."""

    __slots__ = ("calls", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.calls: list[_AnsweredCall] = []

    def has_results(self) -> bool:
        return any(each.result is not None for each in self.calls)

    def merge(self, message: Message) -> None:
        for name, new in message.items():
            if name not in ("role", "tool_calls") and new:
                old = self.message.get(name)
                self.message[name] = f"{old}\n\n{new}" if isinstance(old, str) and isinstance(new, str) else new

    def rendered(self) -> Iterator[Message]:
        if not self.calls:
            yield self.message
            return
        self.message["tool_calls"] = [each.call for each in self.calls]
        yield self.message
        media: list[Message] = []
        for each in self.calls:
            text = _NO_RESULT if each.result is None else _text_of_result(each, media)
            yield {"role": "tool", "tool_call_id": each.call["id"], "content": text}
        if media:
            yield {"role": "user", "content": media}


class _Conversation:
    def __init__(self) -> None:
        self.lost: set[str] = set()
        self._items: list[_Turn | Message] = []
        self._ids: set[str] = set()
        self._calls: dict[object, list[_AnsweredCall]] = {}

    def add(self, message: Message) -> None:
        role = message["role"]
        if role == "assistant":
            self._add_turn(message)
        elif role == "tool":
            self._add_result(message)
        elif content := tidied(message.get("content")):
            message["content"] = content
            self._items.append(message)

    def _add_turn(self, message: Message) -> None:
        content, calls = _joined(message.get("content")), message.pop("tool_calls", None) or ()
        if not content and not calls:
            if message.get(REASONING):
                self.lost.add("reasoning")
            return
        message["content"] = content or None
        last = self._items[-1] if self._items else None
        if isinstance(last, _Turn) and not last.has_results():
            last.merge(message)
        else:
            last = _Turn(message)
            self._items.append(last)
        taken = {each.call["id"] for each in last.calls}
        for call in calls:
            given_id = call.get("id")
            call["id"] = self._usable_id(given_id, taken)
            taken.add(call["id"])
            answered = _AnsweredCall(call, last)
            last.calls.append(answered)
            self._calls.setdefault(given_id, []).append(answered)

    def _usable_id(self, given: object, taken: set[str]) -> str:
        """The given one, if an upstream takes it and no other call of the turn has it."""
        if isinstance(given, str) and _is_usable(given) and given not in taken:
            self._ids.add(given)
            return given
        number = len(self._ids)
        while (made := f"call_{number}") in self._ids:
            number += 1
        self._ids.add(made)
        return made

    def _add_result(self, message: Message) -> None:
        calls = self._calls.get(message.get("tool_call_id"))
        if not calls:
            return self._explain(message)
        waiting = [call for call in calls if call.result is None]
        if waiting:  # some upstreams give all calls of a turn one id, others use ids again in later turns
            turn = waiting[-1].turn
            call = next(call for call in waiting if call.turn is turn)
        else:
            self.lost.add("tool_result")
            call = calls[-1]
        call.result = message
        return None

    def _explain(self, message: Message) -> None:
        """A result without its call becomes words of the user's."""
        name = f" {message['name']}" if message.get("name") else ""
        label = f"[result of an earlier tool call{name}]"
        content = tidied(message.get("content")) or NO_OUTPUT
        if isinstance(content, str):
            self._items.append({"role": "user", "content": f"{label} {content}"})
        else:
            self._items.append({"role": "user", "content": [{"type": "text", "text": label}, *content]})

    def rendered(self) -> Iterator[Message]:
        for item in self._items:
            if isinstance(item, _Turn):
                yield from item.rendered()
            else:
                yield item


def tidied(content: object) -> str | list[Message] | None:
    """Return a content without empty texts: one text where it holds nothing else, since not every upstream takes parts."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else None
    parts = [part for part in content if part.get("type") != "text" or part.get("text")]
    if all(part.get("type") == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _joined(content: object) -> str:
    """An assistant's content as one text."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content if isinstance(content, str) else ""


def _text_of_result(answered: _AnsweredCall, media: list[Message]) -> str:
    """The text of a result. Its images and files go to `media`: upstreams take them from users only."""
    assert answered.result is not None
    content = tidied(answered.result["content"])
    if not isinstance(content, list):
        return content or NO_OUTPUT
    texts: list[str] = []
    notes: list[str] = []
    for part in content:
        kind = _MEDIA.get(part["type"])
        if kind is None:
            texts.append(part["text"])
            continue
        notes.append(f"[{kind} {len(notes) + 1} follows]")
        label = f"[{kind} from tool {answered.call['function']['name']}, call {answered.call['id']}]"
        media += ({"type": "text", "text": label}, part)
    return "\n\n".join(texts or notes)
