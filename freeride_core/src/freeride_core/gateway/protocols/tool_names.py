"""Names of tools: what clients call them, in the spelling that upstreams of chat completions take."""

from __future__ import annotations

import functools
import hashlib
import re

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REFUSED = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 55
"""Characters of a name that is too long: with a mark of nine it has the 64 that upstreams take."""


class ToolNames:
    """The names of one request, both ways."""

    __slots__ = ("_by_chat_name", "_by_folded_name")

    def __init__(self) -> None:
        self._by_chat_name: dict[str, str] = {}
        self._by_folded_name: dict[str, str | None] = {}

    def offer(self, name: str) -> str:
        """Return the upstream's spelling of a tool that the model may call. ValueError: another tool has that already."""
        written = chat_name(name)
        if written in self._by_chat_name:
            raise ValueError(self._by_chat_name[written])
        self._by_chat_name[written] = name
        folded = written.lower()
        self._by_folded_name[folded] = None if folded in self._by_folded_name else name
        return written

    def client_name(self, name: str) -> str:
        """Return the client's name for a tool that a model has called. Models get the case wrong: where one name alone can be
        meant, it is. A tool that was never offered keeps its name, and the client says so."""
        return self._by_chat_name.get(name) or self._by_folded_name.get(name.lower()) or name


@functools.lru_cache(maxsize=1024)
def chat_name(name: str) -> str:
    """Return the spelling that upstreams take: the same for the same name, and unlike that of any other."""
    if _NAME.fullmatch(name):
        return name
    mark = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]
    return f"{_REFUSED.sub('_', name)[:_KEPT]}_{mark}"
