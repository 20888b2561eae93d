"""A request of the Messages API, as a call of chat completions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from freeride_core.call import Call, Effort, Feature, Operation
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

_ABSENT = msgspec.Raw(b"null")
_SAME = ("max_tokens", "temperature", "top_p")
"""Fields that chat completions has by the same name."""
_HELD = {"container": "containers", "mcp_servers": "MCP servers"}
"""What lives on the vendor's servers. A request that needs it makes no sense here."""
_LOST = {"tool_result": "messages.tool_result", "reasoning": "messages.thinking"}
_EFFORTS = {"xhigh": "high", "max": "high"}
"""Words that chat completions does not have."""
_BUDGETS = ((16_384, "high"), (4096, "medium"))
"""From how many tokens on they stand for which word; below it is `low`."""
_PLACE = re.compile(r"\[(\d+|\.\.\.)\]")


class Thinking(msgspec.Struct, gc=False):
    """The thinking that a client asks for."""

    type: str = "disabled"
    display: str | None = None
    budget_tokens: int | None = None


class JsonFormat(msgspec.Struct, gc=False):
    """The form that an answer must have."""

    type: str = ""
    schema: msgspec.Raw = msgspec.Raw(b"{}")


class OutputConfig(msgspec.Struct, gc=False):
    """How an answer is to be written."""

    format: JsonFormat | None = None
    effort: str | None = None


class SoleField:
    """The value of a field that decides where a request goes: a second one would contradict it."""

    name: ClassVar[str]
    form: ClassVar[Any]

    def __init__(self, value: Any = None) -> None:
        self.value = value


class ModelField(SoleField):
    """Which model is asked."""

    name, form = "model", str | None


class StreamField(SoleField):
    """Whether the answer is a stream."""

    name, form = "stream", bool | None


class ClientRequest(msgspec.Struct, gc=False):
    """A request as a client sends it. Fields that are not named here are left out."""

    model: ModelField = ModelField()
    messages: list[ClientMessage] = []
    system: str | list[Block] | None = None
    max_tokens: int | None = None
    temperature: msgspec.Raw = _ABSENT
    top_p: msgspec.Raw = _ABSENT
    top_k: msgspec.Raw = _ABSENT
    stop_sequences: list[str] | None = None
    stream: StreamField = StreamField()
    tools: list[ClientTool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    container: msgspec.Raw = _ABSENT
    mcp_servers: msgspec.Raw = _ABSENT


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
    request = _decoded(body)
    for name, thing in _HELD.items():
        if bytes(getattr(request, name)) not in (b"null", b"[]", b"{}"):
            raise BadRequest(f"{name}: FreeRide has no {thing}.", param=name)
    model = request.model.value
    if model is None:
        raise BadRequest("The field 'model' is missing. Use 'auto' to let FreeRide choose.", param="model")
    if not request.messages:
        raise BadRequest("messages: at least one message is required.", param="messages")
    toolbox = Toolbox(request.tools or ())
    transcript = Transcript(toolbox)
    messages, lost = repair(transcript.messages(request.system or "", request.messages))
    # The conversation decides which tools are offered, so it comes first.
    chat = {"model": chat_model(model), "messages": messages}
    chat |= {**_tool_fields(request, toolbox), **_other_fields(request)}
    dropped = {*toolbox.dropped, *(_LOST[each] for each in lost), *(["top_k"] if request.top_k != _ABSENT else ())}
    call = _call(chat, now, has_images=transcript.has_images)
    call.effort = _effort(request.thinking or Thinking("adaptive"), request.output_config or OutputConfig())
    return MessagesCall(
        call=call,
        names=toolbox.names,
        display=_display(request.thinking),
        stop_sequences=tuple(request.stop_sequences or ()),
        dropped=tuple(sorted(dropped)),
        is_prewarming=request.max_tokens == 0,
    )


def _decoded(body: bytes) -> ClientRequest:
    """The request, decoded once. The fault of a field that is not as it should be names its place."""
    if len(body) > LARGE and has_too_many_values(body):
        raise BadRequest(f"The request body holds more than {MOST_VALUES} values.")
    try:
        if not body.isascii():
            body.decode()  # the decoder does not look into what it passes over
        return _read(body)
    except msgspec.ValidationError as error:
        raise _misplaced(error) from None
    except RecursionError:
        raise BadRequest("The request body is nested too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    decode(body)  # it refuses what the cleaning would hide: a duplicate field
    try:
        return _read(json_text.cleaned(body))
    except msgspec.ValidationError as error:
        raise _misplaced(error) from None
    except ValueError:
        raise BadRequest("The request body is not valid JSON.") from None


def _read(body: bytes) -> ClientRequest:
    """The request, of which each sole field is found where it is read: to search 200 KB for the two names takes 300 us."""
    found: set[type[SoleField]] = set()

    def read(field: type[SoleField], value: Any) -> SoleField:
        if field in found:
            raise BadRequest(f"The field '{field.name}' is in the request twice.", param=field.name)
        found.add(field)
        try:
            return field(msgspec.convert(value, field.form))
        except msgspec.ValidationError as error:
            raise TypeError(str(error)) from None  # the decoder adds the place

    return msgspec.json.decode(body, type=ClientRequest, dec_hook=read)


def _misplaced(error: msgspec.ValidationError) -> BadRequest:
    what, _, place = str(error).replace(" | null", "").partition(" - at `$")
    place = _PLACE.sub(r".\1", place.rstrip("`")).lstrip(".") or "The request body"
    return BadRequest(f"{place}: {what[:1].lower()}{what[1:]}.", param=place)


def _call(chat: Mapping[str, Any], now: float, *, has_images: bool) -> Call:
    needs = {Feature.TOOLS: "tools" in chat, Feature.IMAGES: has_images, Feature.JSON_SCHEMA: "response_format" in chat}
    members = {name: msgspec.json.encode(value) for name, value in chat.items()}
    return build_call(Operation.CHAT, members, frozenset(need for need, is_there in needs.items() if is_there), now)


def _tool_fields(request: ClientRequest, toolbox: Toolbox) -> dict[str, Any]:
    tools = toolbox.offered()
    if not tools:
        return {}
    if request.tool_choice is None:
        return {"tools": tools}
    chosen: dict[str, Any] = {"tools": tools, "tool_choice": toolbox.choice(request.tool_choice)}
    if request.tool_choice.disable_parallel_tool_use:
        chosen["parallel_tool_calls"] = False
    return chosen


def _other_fields(request: ClientRequest) -> dict[str, Any]:
    """Those that chat completions has by the same name, and the form and the kind of the answer."""
    given = {name: getattr(request, name) for name in _SAME}
    chat = {name: value for name, value in given.items() if value not in (None, _ABSENT)}
    form = (request.output_config and request.output_config.format) or request.output_format
    if form is not None and form.type == "json_schema":
        schema = {"name": "output", "schema": form.schema, "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.stop_sequences:
        chat["stop"] = request.stop_sequences
    if request.stream.value:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return chat


def _display(thinking: Thinking | None) -> Display:
    if thinking is None or thinking.type not in ("enabled", "adaptive"):
        return Display.NOTHING
    return Display.OMITTED if thinking.display == "omitted" else Display.FULL


def _effort(thinking: Thinking, config: OutputConfig) -> Effort | None:
    """How much the model is to think. A word for it outweighs a number of tokens, and neither counts where thinking is off."""
    if thinking.type == "disabled":
        return Effort("none", "thinking")
    if config.effort is not None:
        return Effort(_EFFORTS.get(config.effort, config.effort), "output_config.effort")
    if thinking.budget_tokens is None:
        return None
    level = next((level for least, level in _BUDGETS if thinking.budget_tokens >= least), "low")
    return Effort(level, "thinking.budget_tokens")
