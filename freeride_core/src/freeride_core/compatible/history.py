"""A conversation's history: members of messages that one upstream refuses or needs, whatever client wrote them."""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, TypedDict

import msgspec

from .recent_histories import RecentHistories

KEEP, DROP, REQUIRE = "keep", "drop", "require"
REASONING = ("reasoning_content", "reasoning", "reasoning_text", "reasoning_details", "thinking_blocks")
"""Members in which clients send back what a model thought. The first three are texts."""
_TEXTS = REASONING[:3]
_NOTHING = msgspec.Raw(b"")
_BLANK = msgspec.Raw(b'" "')
"""For a thought that no client has kept. Upstreams that need the member refuse an empty text."""

Members = dict[str, msgspec.Raw]
_MESSAGES = msgspec.json.Decoder(list[Members])
_MEMBERS = msgspec.json.Decoder(Members)
_NEVER = Annotated[int, msgspec.Meta(ge=1, le=0)]
"""What no value is."""
_NO_CALLS = Annotated[list[Any], msgspec.Meta(max_length=0)] | None


@dataclass(frozen=True)
class HistoryRules:
    """What one upstream refuses and needs."""

    dropped: frozenset[str]
    """Members that are left out of messages, of their tool calls, and of the functions that these name."""
    needed: str = ""
    """The member in which a turn with tool calls must say what was thought, or empty if no turn must."""

    @classmethod
    def of(cls, messages_drop: frozenset[str], reasoning: str) -> HistoryRules | None:
        """Return the rules, or None if every message goes as it came. ValueError: `reasoning` is no such rule."""
        kind, _, needed = reasoning.partition(" ")
        if kind not in (KEEP, DROP, REQUIRE) or bool(needed) is not (kind == REQUIRE):
            raise ValueError(f"reasoning is 'keep', 'drop' or 'require NAME', and not {reasoning!r}")
        dropped = messages_drop if kind == KEEP else messages_drop.union(REASONING)
        return cls(dropped - {needed}, needed) if dropped else None

    @cached_property
    def _glance(self) -> msgspec.json.Decoder[list[Any]]:
        """Reads over a history, builds nothing, and fails where something may have to change. For 200 KB in 480 messages it takes
        125 us; to read over them without looking takes 100, and to look for each name in turn 500."""
        refused: dict[str, Any] = dict.fromkeys(self.dropped, _NEVER)
        function = TypedDict("function", refused, total=False)  # type: ignore[misc]
        call = TypedDict("call", {**refused, "function": function}, total=False)  # type: ignore[misc]
        calls = _NO_CALLS if self.needed else types.GenericAlias(list, (call,)) | None
        if self.needed:
            refused = {**refused, self.needed: _NEVER}  # in a turn without calls
        message = TypedDict("message", {**refused, "tool_calls": calls}, total=False)  # type: ignore[misc]
        return msgspec.json.Decoder(types.GenericAlias(list, (message,)))

    @cached_property
    def _recent(self) -> RecentHistories:
        return RecentHistories()

    def changed(self, messages: bytes | msgspec.Raw) -> bytes | None:
        """Return the messages as this upstream takes them, or None if they can go as they came."""
        whole = bytes(messages)
        known = self._recent.find(whole)
        try:
            changed = self._looked_over(whole) if known is None else self._continued(whole, *known)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None  # the upstream says what is wrong with it
        self._recent.keep(whole, changed)
        return changed

    def _continued(self, messages: bytes, length: int, start: bytes | None) -> bytes | None:
        """Return the change of messages whose first bytes are changed to `start`, or None if nothing has to change."""
        added = b"[" + messages[length + 1 :]
        if len(added) == 1:
            return None if start is None else start + b"]"
        changed = self._looked_over(added)
        if start is None and changed is None:
            return None
        return (messages[:length] if start is None else start) + b"," + (changed or added)[1:]

    def _looked_over(self, messages: bytes) -> bytes | None:
        try:
            self._glance.decode(messages)
        except msgspec.ValidationError:
            decoded = _MESSAGES.decode(messages)
        else:
            return None
        changes = [self._change(message) for message in decoded]
        return msgspec.json.encode(decoded) if any(changes) else None

    def _change(self, message: Members) -> bool:
        """Whether the message had to be changed."""
        has_calls = bytes(message.get("tool_calls", _NOTHING)).startswith(b"[{")
        thought = self._thought(message) if self.needed and has_calls else None
        unwelcome = self.dropped & message.keys()
        if self.needed in message and thought is None:
            unwelcome |= {self.needed}
        for name in unwelcome:
            del message[name]
        is_new = thought is not None and message.get(self.needed) is not thought
        if thought is not None:
            message[self.needed] = thought
        return (has_calls and self._change_calls(message)) or bool(unwelcome) or is_new

    def _thought(self, message: Members) -> msgspec.Raw:
        texts = (message.get(name, _NOTHING) for name in (self.needed, *_TEXTS))
        return next((raw for raw in texts if bytes(raw).startswith(b'"') and bytes(raw) != b'""'), _BLANK)

    def _change_calls(self, message: Members) -> bool:
        try:
            calls = _MESSAGES.decode(message["tool_calls"])
        except msgspec.ValidationError:  # not all of them are objects
            return False
        is_changed = False
        for call in calls:
            unwelcome = self.dropped & call.keys()
            for name in unwelcome:
                del call[name]
            is_changed = is_changed or bool(unwelcome)
            if bytes(call.get("function", _NOTHING)).startswith(b"{"):
                function = _MEMBERS.decode(call["function"])
                if not self.dropped.isdisjoint(function):
                    kept = {name: raw for name, raw in function.items() if name not in self.dropped}
                    call["function"] = msgspec.Raw(msgspec.json.encode(kept))
                    is_changed = True
        if is_changed:
            message["tool_calls"] = msgspec.Raw(msgspec.json.encode(calls))
        return is_changed
