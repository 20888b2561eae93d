"""A request of OpenAI's form, in Orbit's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from freeride_core import Call, Model

_SYSTEM = ("system", "developer")
_SAME = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
"""What has another name and the same meaning."""
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_INLINE = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,(.*)", re.DOTALL)

Part = Any
"""Usually a dict; of what a client wrote wrongly, whatever that is: saying so is the upstream's business."""


def translate(call: Call, model: Model) -> dict[str, Any]:
    """The body of the request. Nothing that a client can write makes this fail."""
    messages = [message for message in _list(call.value("messages")) if isinstance(message, dict)]
    body: dict[str, Any] = {"contents": _contents(messages)}
    system = [part for message in messages if message.get("role") in _SYSTEM for part in _parts(message.get("content"))]
    if system:
        body["systemInstruction"] = {"parts": system}
    declared = [tool.get("function", tool) for tool in _list(call.value("tools")) if isinstance(tool, dict)]
    if declared:
        body["tools"] = [{"functionDeclarations": declared}]
        body.update(_tool_config(call.value("tool_choice")))
    config = _generation_config(call, model)
    if config:
        body["generationConfig"] = config
    return body


def _contents(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The turns. Messages of one side that follow each other, such as several tools' results, are one turn."""
    called: dict[str, str] = {}
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message.get("role")
        if role in _SYSTEM:
            continue
        parts = list(_tool_parts(message, called) if role == "tool" else _spoken_parts(message, called))
        side = "model" if role == "assistant" else "user"
        if turns and turns[-1]["role"] == side:
            turns[-1]["parts"] += parts
        else:
            turns.append({"role": side, "parts": parts})
    return turns


def _parts(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [{"text": content}]
    return [_part(part) for part in _list(content)]


def _part(part: Any) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        return {"text": part.get("text")}
    if kind == "image_url":
        return _file(_dict(part.get("image_url")).get("url"))
    if kind == "input_audio":
        audio = _dict(part.get("input_audio"))
        return {"inlineData": {"mimeType": f"audio/{audio.get('format')}", "data": audio.get("data")}}
    return part


def _file(url: Any) -> Part:
    inline = _INLINE.fullmatch(url) if isinstance(url, str) else None
    if inline:
        return {"inlineData": {"mimeType": inline[1], "data": inline[2]}}
    return {"fileData": {"fileUri": url}}


def _spoken_parts(message: Mapping[str, Any], called: dict[str, str]) -> Iterator[Part]:
    """What somebody said, and whom they called; notes the calls' names by their ids."""
    yield from _parts(message.get("content"))
    for call in _list(message.get("tool_calls")):
        function = _dict(_dict(call).get("function"))
        name, number = str(function.get("name")), str(_dict(call).get("id"))
        called[number] = name
        yield {"functionCall": {"id": number, "name": name, "args": _object(function.get("arguments"), "arguments")}}


def _tool_parts(message: Mapping[str, Any], called: Mapping[str, str]) -> Iterator[Part]:
    """A tool's result."""
    number, content = str(message.get("tool_call_id")), message.get("content")
    if isinstance(content, list):
        content = "".join(str(_dict(part).get("text", "")) for part in content)
    name = called.get(number) or str(message.get("name"))
    yield {"functionResponse": {"id": number, "name": name, "response": _object(content, "result")}}


def _object(text: Any, name: str) -> dict[str, Any]:
    """The object that the text holds; else an object that holds the text."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        value = text
    return value if isinstance(value, dict) else {name: value}


def _tool_config(choice: Any) -> dict[str, Any]:
    name = _dict(_dict(choice).get("function")).get("name")
    if name:
        calling = {"mode": "ANY", "allowedFunctionNames": [name]}
    elif isinstance(choice, str) and choice in _MODES:
        calling = {"mode": _MODES[choice]}
    else:
        return {}
    return {"toolConfig": {"functionCallingConfig": calling}}


def _generation_config(call: Call, model: Model) -> dict[str, Any]:
    config = {theirs: call.value(ours) for ours, theirs in _SAME.items()}
    most = call.value("max_completion_tokens")
    config["maxOutputTokens"] = most = call.value("max_tokens") if most is None else most
    if isinstance(most, (int, float)) and model.max_output is not None:
        config["maxOutputTokens"] = min(most, model.max_output)
    stop = call.value("stop")
    config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    form = _dict(call.value("response_format"))
    if form.get("type") in ("json_object", "json_schema"):
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = _dict(form.get("json_schema")).get("schema")
    return {name: value for name, value in config.items() if value is not None}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
