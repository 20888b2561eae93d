"""The tools of a request: which of them the model is offered, and how."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from freeride_core.gateway.protocols.messages.blocks import ClientTool
from freeride_core.gateway.protocols.request import BadRequest
from freeride_core.gateway.protocols.tool_names import ToolNames, chat_name

_SERVER = re.compile(r"(web_search|web_fetch|code_execution|tool_search)(?:_tool\w*)?_\d{8}")
"""Tools that the vendor's own servers run, and nothing here does."""
_VERSION = re.compile(r"_\d{8}$")
_NULL_REQUIRED = re.compile(rb'"required"\s*:\s*null')
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')


def _schema(required: Sequence[str], **properties: Any) -> msgspec.Raw:
    shape = {"type": "object", "properties": properties, "required": required}
    return msgspec.Raw(msgspec.json.encode(shape))


_TEXT, _NUMBER, _FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_RANGE = {"type": "array", "items": _NUMBER}


def _commands(*commands: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(commands)}


# Run by the client; the model of the vendor knows them without a schema. From the vendor's documentation, 2026-12-01.
_EDIT = {"path": _TEXT, "file_text": _TEXT, "old_str": _TEXT, "new_str": _TEXT, "insert_line": _NUMBER}
_BUILT_IN: dict[str, tuple[str, msgspec.Raw]] = {
    "bash": (
        "Run a command in a persistent bash session.",
        _schema((), command=_TEXT, restart=_FLAG),
    ),
    "text_editor": (
        "View, create and edit files.",
        _schema(
            ("command", "path"),
            command=_commands("view", "create", "str_replace", "insert"),
            **_EDIT,
            insert_text=_TEXT,
            view_range=_RANGE,
        ),
    ),
    "memory": (
        "Read and change files of the memory directory, /memories.",
        _schema(
            ("command",),
            command=_commands("view", "create", "str_replace", "insert", "delete", "rename"),
            **_EDIT,
            insert_text=_TEXT,
            view_range=_RANGE,
            old_path=_TEXT,
            new_path=_TEXT,
        ),
    ),
}


class ToolChoice(msgspec.Struct):
    """How free the model is to call tools."""

    type: str = "auto"
    name: str = ""
    disable_parallel_tool_use: bool | None = None


_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class Toolbox:
    """The tools of one request, as the conversation changes them."""

    def __init__(self, tools: Sequence[ClientTool]) -> None:
        self.names = ToolNames()
        self.dropped: set[str] = set()
        """Server tools that were left out, such as `tools.web_search`."""
        self._tools: dict[str, ClientTool] = {}
        self._loaded: set[str] = set()
        """Deferred tools that the conversation has loaded."""
        for at, tool in enumerate(tools):
            self._add(tool, f"tools.{at}")

    def _add(self, tool: ClientTool, place: str) -> None:
        kind = tool.type or "custom"
        if found := _SERVER.fullmatch(kind):
            self.dropped.add(f"tools.{found[1]}")
        elif kind != "custom" and _VERSION.sub("", kind) not in _BUILT_IN:
            raise BadRequest(f"{place}: FreeRide does not serve tools of this type.", param=place)
        elif not tool.name:
            raise BadRequest(f"{place}: the tool has no name.", param=place)
        elif tool.name in self._tools:
            raise BadRequest(f"{place}: another tool has the same name.", param=place)
        else:
            self._tools[tool.name] = tool

    # What the conversation does

    def load(self, name: str) -> None:
        """A search has found the tool."""
        self._loaded.add(name)

    def add(self, name: str, definition: ClientTool | None, place: str) -> None:
        if definition is not None and definition.name not in self._tools:
            self._add(definition, place)
        self._loaded.add(definition.name if definition is not None else name)

    def remove(self, name: str) -> None:
        self._tools.pop(name, None)

    # What the model gets

    def offered(self) -> list[dict[str, Any]]:
        """Return the functions that the model is offered, in the client's order."""
        is_searchable = "tools.tool_search" not in self.dropped  # by a tool of the client's; else all are offered
        functions = [
            {"type": "function", "function": self._function(tool)}
            for tool in self._tools.values()
            if not (tool.defer_loading and is_searchable) or tool.name in self._loaded
        ]
        if self.dropped and not self._tools:
            raise BadRequest(f"FreeRide has no server tools: it cannot serve {_listed(self.dropped)}.", param="tools")
        return functions

    def _function(self, tool: ClientTool) -> dict[str, Any]:
        try:
            function: dict[str, Any] = {"name": self.names.offer(tool.name)}
        except ValueError as other:
            message = f"The tools {tool.name!r} and {str(other)!r} have one name for upstreams: rename one of them."
            raise BadRequest(message, param="tools") from None
        description, parameters = _BUILT_IN.get(
            _VERSION.sub("", tool.type or ""), (tool.description, tool.input_schema)
        )
        if description:
            function["description"] = description
        function["parameters"] = _normalised(parameters)
        if tool.strict is not None:
            function["strict"] = tool.strict
        return function

    def choice(self, choice: ToolChoice) -> Any:
        """Return the client's `tool_choice` in the form of chat completions."""
        if choice.type != "tool":
            if choice.type not in _CHOICES:
                raise BadRequest("tool_choice: unknown type.", param="tool_choice")
            return _CHOICES[choice.type]
        if choice.name not in self._tools:
            raise BadRequest("tool_choice: FreeRide offers the model no tool of this name.", param="tool_choice")
        return {"type": "function", "function": {"name": chat_name(choice.name)}}


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(word.removeprefix("tools.") for word in words))


def _normalised(schema: msgspec.Raw) -> msgspec.Raw:
    """The schema as it was written, but for what upstreams refuse: no type at all, and `"required": null`."""
    raw = bytes(schema)
    if raw in (b"{}", b"null"):
        return _NO_PARAMETERS
    if b"null" in raw and _NULL_REQUIRED.search(raw):  # the pattern alone takes five times as long
        return msgspec.Raw(msgspec.json.encode(_without_null_required(msgspec.json.decode(raw))))
    return schema


def _without_null_required(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null_required(each) for each in value]
    if isinstance(value, dict):
        return {
            name: _without_null_required(each)
            for name, each in value.items()
            if not (name == "required" and each is None)
        }
    return value
