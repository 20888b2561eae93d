"""Tool calls as they arrive, in any number and order, put into an order in which one is open at a time."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any, NoReturn

import msgspec

from freeride_core.gateway.protocols.steps import (
    CallArguments,
    CallClosed,
    CallOpened,
    ReasoningStep,
    RefusalStep,
    Step,
    TextStep,
)

_MOST_HELD = 8 * 1024 * 1024
"""Characters of arguments and of what waits behind them: a stream without an end must not fill the memory."""
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OBJECT = msgspec.json.Decoder(dict[str, Any])

Words = TextStep | ReasoningStep | RefusalStep


class _PendingCall:
    """One call, as far as it has arrived."""

    __slots__ = ("arguments", "extra_content", "id", "is_closed", "is_named", "is_opened", "name", "upstream_id")

    def __init__(self) -> None:
        self.id = ""
        self.upstream_id = ""
        self.name = ""
        self.is_named = False
        """The name is whole: something else came after it."""
        self.is_opened = False
        self.is_closed = False
        self.arguments: list[str] = []
        self.extra_content: dict[str, Any] | None = None

    def add_name(self, name: str) -> None:
        """Some upstreams repeat the name in every chunk, others split it."""
        if not self.is_named and name != self.name:
            self.name += name

    def is_followed_by(self, name: str, arguments: str) -> bool:
        """Whether the name is another call's, although no index and no id says so. The same name alone is a repetition."""
        return (name != self.name or bool(arguments.strip())) and self.is_complete()

    def is_complete(self) -> bool:
        """Whether the arguments are a JSON object. Only what ends like one is parsed: many chunks may have to be asked."""
        last = next((part.rstrip() for part in reversed(self.arguments) if part.strip()), "")
        return last.endswith("}") and is_object("".join(self.arguments))


class CallQueue:
    """Takes parts of calls and the words between them; adds the steps that are due to `steps`.

    The first call that is not complete is open, and all that came after it waits.
    """

    __slots__ = ("_by_id", "_by_index", "_current", "_held", "_ids", "_queue", "_seed", "has_closed", "steps")

    def __init__(self, seed: str) -> None:
        """Calls without a usable id are named after `seed`, which should differ from answer to answer."""
        self.steps: list[Step] = []
        self.has_closed = False
        """At least one call is complete."""
        self._seed = seed
        self._ids: set[str] = set()
        self._queue: deque[_PendingCall | Words] = deque()
        self._by_index: dict[int, _PendingCall] = {}
        self._by_id: dict[str, _PendingCall] = {}
        self._current: _PendingCall | None = None
        self._held = 0

    def __bool__(self) -> bool:
        """Whether a call has begun that is not complete."""
        return bool(self._queue)

    def add_words(self, words: Words) -> None:
        if self._queue:
            self._hold(len(words.text))
            self._queue.append(words)
        else:
            self.steps.append(words)

    def add_parts(self, entries: list[Any]) -> None:
        """Takes the `tool_calls` of one chunk, or of a whole message."""
        before: _PendingCall | None = None
        for entry in entries:
            if isinstance(entry, dict):
                before = self._add_part(entry, before) or before
        self._advance()

    def _add_part(self, entry: dict[str, Any], before: _PendingCall | None) -> _PendingCall | None:
        function = entry.get("function")
        function = function if isinstance(function, dict) else {}
        name, arguments = text_of(function.get("name")), _arguments_of(function.get("arguments"))
        index, upstream_id = entry.get("index"), text_of(entry.get("id"))
        if not (name or arguments or upstream_id):
            return None
        call = self._find(index, upstream_id)
        is_new = (
            call is None
            or bool(upstream_id and call.upstream_id and upstream_id != call.upstream_id)
            or bool(name and (call is before or call.is_followed_by(name, arguments)))
        )
        if call is None or is_new:
            call = _PendingCall()
            self._queue.append(call)
        if isinstance(index, int):
            self._by_index[index] = call
        if upstream_id:
            self._by_id[upstream_id] = call
            call.upstream_id = upstream_id
        if isinstance(extra_content := entry.get("extra_content"), dict):
            call.extra_content = extra_content
        self._current = call
        self._fill(call, name, arguments)
        return call

    def _find(self, index: object, upstream_id: str) -> _PendingCall | None:
        if isinstance(index, int):
            return self._by_index.get(index)
        return self._by_id.get(upstream_id) if upstream_id else self._current

    def _fill(self, call: _PendingCall, name: str, arguments: str) -> None:
        if call.is_closed:
            if arguments.strip():
                _fail("arguments arrived for a tool call that was complete")
            return
        if name:
            call.add_name(name)
        if call.name and (arguments or not name):
            call.is_named = True
        if arguments.strip() or (arguments and call.arguments):
            self._hold(len(arguments))
            call.arguments.append(arguments)
            if call.is_opened:
                self.steps.append(CallArguments(arguments))

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > _MOST_HELD:
            _fail("its tool calls are too long")

    def _advance(self) -> None:
        """Opens the first call once its name is whole, and closes it once another has begun and its arguments are complete."""
        while self._queue:
            head = self._queue[0]
            if isinstance(head, _PendingCall):
                if not head.is_opened and head.is_named:
                    self._open(head)
                if head is self._current or not (head.is_opened and head.is_complete()):
                    return
                self._close(head)
            else:
                self.steps.append(head)
            self._queue.popleft()

    def _open(self, call: _PendingCall) -> None:
        call.is_opened = True
        is_usable = _ID.fullmatch(call.upstream_id) is not None and call.upstream_id not in self._ids
        call.id = call.upstream_id if is_usable else self._new_id()
        self._ids.add(call.id)
        self.steps.append(CallOpened(call.id, call.name, call.extra_content))
        if call.arguments:
            self.steps.append(CallArguments("".join(call.arguments)))

    def _new_id(self) -> str:
        number = len(self._ids)
        while (made := f"call_{self._seed}_{number}") in self._ids:
            number += 1
        return made

    def _close(self, call: _PendingCall) -> None:
        call.is_closed = self.has_closed = True
        self.steps.append(CallClosed())

    def finish(self, *, is_cut: bool) -> None:
        """The answer is over. If it `is_cut`, a call without its end stays open, and what waits behind it is lost with it."""
        while self._queue:
            head = self._queue.popleft()
            if not isinstance(head, _PendingCall):
                self.steps.append(head)
                continue
            is_whole = head.is_complete() or not (is_cut or "".join(head.arguments).strip())
            if head.name and not head.is_opened and (is_whole or head.arguments):
                self._open(head)
            if not head.name or not is_whole:
                if is_cut:
                    return
                _fail(
                    "a tool call has no name" if not head.name else "the arguments of a tool call are not a JSON object"
                )
            self._close(head)


class AssemblyFault(Exception):
    """The answer makes no sense; the message says why, and quotes nothing of it."""


def _fail(message: str) -> NoReturn:
    raise AssemblyFault(message)


def is_object(text: str) -> bool:
    """Whether the text is a JSON object."""
    try:
        _OBJECT.decode(text)
    except msgspec.ValidationError:
        return False
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _is_object_to_python(text)
    return True


def _is_object_to_python(text: str) -> bool:
    """Lone surrogates, which msgspec refuses, are fine; what only Python takes for JSON is not."""
    try:
        return isinstance(json.loads(text, parse_constant=_fail), dict)
    except (ValueError, RecursionError, AssemblyFault):
        return False


def text_of(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def _arguments_of(value: object) -> str:
    """Some upstreams give the arguments as an object."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)
