"""The blocks that messages consist of, as clients send them. Members that are not named here are left out."""

from __future__ import annotations

from typing import Any

import msgspec

_EMPTY_OBJECT = msgspec.Raw(b"{}")


class Source(msgspec.Struct, gc=False):
    """Where the content of an image or a document is."""

    type: str = ""
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: str | list[Block] | None = None


class ClientTool(msgspec.Struct, gc=False):
    """A tool of the request."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = _EMPTY_OBJECT
    strict: bool | None = None
    defer_loading: bool | None = None


class ToolChange(msgspec.Struct, gc=False):
    """A tool that is added or removed in the middle of a conversation, by its name or as a whole."""

    name: str = ""
    definition: ClientTool | None = None


class Block(msgspec.Struct, gc=False):
    """One block of a content. Which members it has depends on its type."""

    type: str
    text: str = ""
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    content: str | list[Block] | dict[str, Any] | None = None
    id: str = ""
    name: str = ""
    input: msgspec.Raw = _EMPTY_OBJECT
    tool_use_id: str = ""
    is_error: bool | None = None
    thinking: str = ""
    signature: str | None = None
    tool_name: str = ""
    tool: ToolChange | None = None


class ClientMessage(msgspec.Struct, gc=False):
    """One message of the conversation."""

    role: str
    content: str | list[Block]
