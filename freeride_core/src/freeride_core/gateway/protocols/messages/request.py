"""A request of the Messages API, as a call of chat completions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from freeride_core.call import Call, Feature, Operation
from freeride_core.gateway.protocols import json_text
from freeride_core.gateway.protocols.messages.blocks import Block, ClientMessage, ClientTool
from freeride_core.gateway.protocols.messages.conversation import Transcript
from freeride_core.gateway.protocols.messages.models import chat_model
from freeride_core.gateway.protocols.messages.thinking import Display
from freeride_core.gateway.protocols.messages.tools import Toolbox, ToolChoice
from freeride_core.gateway.protocols.repair import repair
from freeride_core.gateway.protocols.request import BadRequest, build_call, decode
from freeride_core.gateway.protocols.tool_names import ToolNames
from freeride_core.system.json_values import LARGE, MOST_VALUES, has_too_many_values

T = TypeVar("T")
Fields = Mapping[str, msgspec.Raw]

_SYSTEM = msgspec.json.Decoder(str | list[Block])
_MESSAGES = msgspec.json.Decoder(list[ClientMessage])
_TOOLS = msgspec.json.Decoder(list[ClientTool])
_CHOICE = msgspec.json.Decoder(ToolChoice)
_SEQUENCES = msgspec.json.Decoder(list[str])
_FLAG = msgspec.json.Decoder(bool)
_MODEL = msgspec.json.Decoder(str)
_WHOLE_NUMBER = msgspec.json.Decoder(int)
_SAME = ("max_tokens", "temperature", "top_p")
"""Fields that chat completions has by the same name."""
_HELD = {"container": "containers", "mcp_servers": "MCP servers"}
"""What lives on the vendor's servers. A request that needs it makes no sense here."""
_LOST = {"tool_result": "messages.tool_result", "reasoning": "messages.thinking"}
_PLACE = re.compile(r"\[(\d+|\.\.\.)\]")
_NULL = b"null"


class Thinking(msgspec.Struct):
    """The thinking that a client asks for."""

    type: str = "disabled"
    display: str | None = None


class JsonFormat(msgspec.Struct):
    """The form that an answer must have."""

    type: str = ""
    schema: msgspec.Raw = msgspec.Raw(b"{}")


class OutputConfig(msgspec.Struct):
    """How an answer is to be written."""

    format: JsonFormat | None = None


_THINKING = msgspec.json.Decoder(Thinking)
_FORMAT = msgspec.json.Decoder(JsonFormat)
_OUTPUT = msgspec.json.Decoder(OutputConfig)


class MessagesCall(NamedTuple):
    """What a request asks for, and what its answer depends on."""

    call: Call
    names: ToolNames
    display: Display
    stop_sequences: tuple[str, ...]
    dropped: tuple[str, ...]
    """What was left out although the client may count on it, in the protocol's own words."""
    is_prewarming: bool
    """The client wants no answer, only a filled cache."""


def parse_messages(body: bytes, now: float) -> MessagesCall:
    """Return the call for a request that was received `now`. Raises `BadRequest`."""
    if len(body) > LARGE and has_too_many_values(body):
        raise BadRequest(f"The request body holds more than {MOST_VALUES} values.")
    fields: Fields = {name: value for _, name, value in decode(body) if bytes(value) != _NULL}
    for name, thing in _HELD.items():
        if bytes(fields.get(name, b"[]")) not in (b"[]", b"{}"):
            raise BadRequest(f"{name}: FreeRide has no {thing}.", param=name)
    tools = _read(fields, "tools", _TOOLS, [])
    toolbox = Toolbox(tools)
    transcript = Transcript(toolbox)
    messages, lost = repair(transcript.messages(_read(fields, "system", _SYSTEM, ""), _conversation(fields)))
    sequences = _read(fields, "stop_sequences", _SEQUENCES, [])
    # The conversation decides which tools are offered, so it comes first.
    chat = {"model": _model(fields), "messages": messages, **_tool_fields(fields, toolbox), **_other_fields(fields)}
    if sequences:
        chat["stop"] = sequences
    dropped = {*toolbox.dropped, *(_LOST[each] for each in lost), *({"top_k"} & fields.keys())}
    return MessagesCall(
        call=_call(chat, now, has_images=transcript.has_images),
        names=toolbox.names,
        display=_display(fields),
        stop_sequences=tuple(sequences),
        dropped=tuple(sorted(dropped)),
        is_prewarming=_read(fields, "max_tokens", _WHOLE_NUMBER, 1) == 0,
    )


def _call(chat: Mapping[str, Any], now: float, *, has_images: bool) -> Call:
    needs = {Feature.TOOLS: "tools" in chat, Feature.IMAGES: has_images, Feature.JSON_SCHEMA: "response_format" in chat}
    members = {name: msgspec.json.encode(value) for name, value in chat.items()}
    return build_call(Operation.CHAT, members, frozenset(need for need, is_there in needs.items() if is_there), now)


def _read(fields: Fields, name: str, decoder: msgspec.json.Decoder[T], default: T) -> T:
    """A field of the request, decoded. The fault of a field that is not as it should be names the place in it."""
    if name not in fields:
        return default
    raw = bytes(fields[name])
    try:
        try:
            return decoder.decode(raw)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            return decoder.decode(json_text.cleaned(raw))
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        place = name + _PLACE.sub(r".\1", place.rstrip("`"))
        raise BadRequest(f"{place}: {what[:1].lower()}{what[1:]}.", param=place) from None
    except RecursionError:
        raise BadRequest("The request body is nested too deep.") from None
    except ValueError:
        raise BadRequest(f"{name}: it is not valid JSON.", param=name) from None


def _conversation(fields: Fields) -> list[ClientMessage]:
    conversation = _read(fields, "messages", _MESSAGES, [])
    if not conversation:
        raise BadRequest("messages: at least one message is required.", param="messages")
    return conversation


def _model(fields: Fields) -> str:
    model = _read(fields, "model", _MODEL, "")
    if "model" not in fields:
        raise BadRequest("The field 'model' is missing. Use 'auto' to let FreeRide choose.", param="model")
    return chat_model(model)


def _tool_fields(fields: Fields, toolbox: Toolbox) -> dict[str, Any]:
    tools = toolbox.offered()
    if not tools:
        return {}
    if "tool_choice" not in fields:
        return {"tools": tools}
    choice = _read(fields, "tool_choice", _CHOICE, ToolChoice())
    chosen: dict[str, Any] = {"tools": tools, "tool_choice": toolbox.choice(choice)}
    if choice.disable_parallel_tool_use:
        chosen["parallel_tool_calls"] = False
    return chosen


def _other_fields(fields: Fields) -> dict[str, Any]:
    """Those that chat completions has by the same name, and the form and the kind of the answer."""
    chat: dict[str, Any] = {name: fields[name] for name in _SAME if name in fields}
    form = _read(fields, "output_config", _OUTPUT, OutputConfig()).format
    form = form or _read(fields, "output_format", _FORMAT, JsonFormat())
    if form.type == "json_schema":
        schema = {"name": "output", "schema": form.schema, "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if _read(fields, "stream", _FLAG, default=False):
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return chat


def _display(fields: Fields) -> Display:
    thinking = _read(fields, "thinking", _THINKING, Thinking())
    if thinking.type not in ("enabled", "adaptive"):
        return Display.NOTHING
    return Display.OMITTED if thinking.display == "omitted" else Display.FULL
