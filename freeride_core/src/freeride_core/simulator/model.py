"""The simulated model: what it says to a conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_JOIN = re.compile(r"Join these words with underscores and answer with only the result:[ \t]*([^\n\r]+)")
_WORD = re.compile(r"[\w-]+")
_NAME = re.compile(r"\b[A-Z]\w+\b")
_CONVERSATIONS = ("messages", "contents")
_MODELS = ("assistant", "model")
_RESULTS = ("functionResponse", "function_response")
_DECLARATIONS = ("function", "functionDeclarations", "function_declarations")
_DEEPEST = 5
_LONGEST_ECHO = 200


@dataclass(frozen=True, slots=True)
class Saying:
    """A text, or a call of a tool."""

    text: str = ""
    tool: str = ""
    arguments: str = ""
    """JSON."""

    @property
    def tokens(self) -> int:
        said = self.text + self.tool + self.arguments
        return count_tokens(said) if said else 0


def count_tokens(text: str) -> int:
    """About four characters a token, at least one."""
    return max(1, len(text) // 4)


def say(request: Mapping[str, Any], provider: str, model: str, fixed: str | None = None) -> Saying:
    """The model's next turn; `fixed` replaces every text, never a tool call."""
    closing = _closing(_messages(request))
    results = [_text(message.get("content")) for message in closing if message.get("role") == "tool"]
    said = [_text(message.get("content")) for message in closing if message.get("role") == "user"]
    text = "\n".join(said) or last_user_text(request)
    tool = _chosen_tool(request, text, answered=bool(results))
    if tool is not None:
        name = str(tool.get("name", ""))
        arguments = _sample(tool.get("parameters"), text, 0)
        return Saying(tool=name, arguments=json.dumps(arguments if isinstance(arguments, dict) else {}))
    if fixed is not None:
        return Saying(fixed)
    if results:
        return Saying(f"The tool answered: {results[-1][:_LONGEST_ECHO]}")
    joined = _JOIN.findall(text)
    if joined:
        return Saying("_".join(_WORD.findall(joined[-1])))
    return Saying(f"Hello! This is {model}, as simulated for {provider}.")


def last_user_text(request: Mapping[str, Any]) -> str:
    """Return the text of the last user message, or an empty text without one."""
    for message in reversed(_messages(request)):
        if message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def conversation_of(request: Mapping[str, Any]) -> list[Any] | None:
    """Return the messages, under the name that the upstream's API has for them, or None without them."""
    return next((request[name] for name in _CONVERSATIONS if isinstance(request.get(name), list)), None)


def _messages(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each with `role` and `content`."""
    return [_message(row) for row in conversation_of(request) or [] if isinstance(row, dict)]


def _message(row: Mapping[str, Any]) -> Mapping[str, Any]:
    parts = row.get("parts")
    if not isinstance(parts, list):
        return row
    results = [part[name] for part in parts if isinstance(part, dict) for name in _RESULTS if name in part]
    if results:
        return {"role": "tool", "content": json.dumps(results[-1], ensure_ascii=False)}
    return {"content": parts, **row}


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def _closing(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What was said since the model's last turn: agents put notes of their own, in the user's name, behind what the user
    wrote and behind the results of tools."""
    turns = [index for index, message in enumerate(messages) if message.get("role") in _MODELS]
    return messages[turns[-1] + 1 :] if turns else messages


def _chosen_tool(request: Mapping[str, Any], text: str, *, answered: bool) -> Mapping[str, Any] | None:
    tools = _tools(request)
    choice = _tool_choice(request)
    if not tools or choice == "none":
        return None
    if choice == "required":
        return tools[0]
    if isinstance(choice, dict):
        wanted = choice.get("function", {}).get("name")
        return next((tool for tool in tools if tool.get("name") == wanted), None)
    if answered:
        return None
    return next((tool for tool in tools if _is_asked_for(str(tool.get("name", "")), text)), None)


def _tool_choice(request: Mapping[str, Any]) -> Any:
    """In OpenAI's words, whichever the upstream's API has for it."""
    config = request.get("toolConfig")
    calling = config.get("functionCallingConfig") if isinstance(config, dict) else None
    if not isinstance(calling, dict):
        return request.get("tool_choice")
    names = calling.get("allowedFunctionNames")
    if isinstance(names, list) and len(names) == 1:
        return {"function": {"name": names[0]}}
    return {"ANY": "required", "NONE": "none"}.get(str(calling.get("mode")))


def _tools(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What is declared, one by one or in groups."""
    rows = request.get("tools")
    found: list[Any] = []
    for row in rows if isinstance(rows, list) else []:
        for name in _DECLARATIONS if isinstance(row, dict) else ():
            declared = row.get(name)
            found += declared if isinstance(declared, list) else [declared]
    return [tool for tool in found if isinstance(tool, dict)]


def _is_asked_for(name: str, text: str) -> bool:
    return bool(name) and re.search(rf"\b[Uu]se (?:the tool )?[`'\"]?{re.escape(name)}(?!\w)", text) is not None


def _sample(schema: object, text: str, depth: int) -> Any:
    """A value that fits the plain parts of a JSON schema."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {} if depth == 0 else "sample"
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind == "object" or isinstance(schema.get("properties"), dict):
        properties = schema.get("properties") or {}
        wanted = schema.get("required") or list(properties)
        return {name: _sample(properties.get(name, {}), text, depth + 1) for name in wanted}
    plain: dict[object, Any] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "null": None}
    return plain[kind] if kind in plain else _word(text)


def _word(text: str) -> str:
    """The last name in what the user said: `Paris` for a question about its weather."""
    names = _NAME.findall(text)
    return names[-1] if names else "sample"
