"""The conversation of a request, as messages of chat completions. Their order is repaired afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from freeride_core.gateway.protocols import json_text
from freeride_core.gateway.protocols.messages.blocks import Block, ClientMessage, Source
from freeride_core.gateway.protocols.messages.thinking import reasoning_of
from freeride_core.gateway.protocols.messages.tools import Toolbox
from freeride_core.gateway.protocols.repair import NO_OUTPUT, REASONING, Message, tidied
from freeride_core.gateway.protocols.request import BadRequest
from freeride_core.gateway.protocols.tool_names import chat_name

_BILLING = "x-anthropic-billing-header:"
"""An agent begins its system prompt with it. It differs in each session, and what upstreams cache would be lost to it."""
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})

Part = dict[str, Any]
Place = tuple[str | int, ...]
"""Where a block is, as in `messages.0.content.1`: written out where it is at fault."""


class Transcript:
    """Turns one conversation into messages. `toolbox` learns which tools it loads."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self.has_images = False

    def messages(self, system: str | Sequence[Block], conversation: Iterable[ClientMessage]) -> Iterator[Message]:
        if text := _system_text(system):
            yield {"role": "system", "content": text}
        for at, message in enumerate(conversation):
            place = ("messages", at)
            if message.role == "user":
                yield from self._user(message.content, place)
            elif message.role == "assistant":
                yield self._assistant(message.content, place)
            elif message.role == "system":
                yield {"role": "system", "content": "\n\n".join(self._system_texts(message.content, place))}
            else:
                raise _refused((*place, "role"), "expected user, assistant or system.")

    def _system_texts(self, content: str | list[Block], place: Place) -> Iterator[str]:
        for at, block in _placed(content, place):
            if block.type == "text":
                yield block.text
            elif block.type in ("tool_addition", "tool_removal") and block.tool is not None:
                if block.type == "tool_addition":
                    self._toolbox.add(block.tool.name, block.tool.definition, ".".join(map(str, at)))
                else:
                    self._toolbox.remove(block.tool.name)
            else:
                raise _unknown(block, at)

    def _user(self, content: str | list[Block], place: Place) -> Iterator[Message]:
        """The results of tools, then everything else."""
        if isinstance(content, str):
            yield {"role": "user", "content": content}
            return
        parts: list[Part] = []
        for at, block in _placed(content, place):
            if block.type == "tool_result":
                yield self._result(block, at)
            else:
                parts += self._parts(block, at)
        if parts:
            yield {"role": "user", "content": tidied(parts)}

    def _result(self, block: Block, place: Place) -> Message:
        content = block.content
        if isinstance(content, dict):
            raise _refused((*place, "content"), "expected a text or a list of blocks.")
        if isinstance(content, list):
            parts = [part for at, each in _placed(content, place) for part in self._parts(each, at)]
            if block.is_error:
                first = parts.pop(0)["text"] if parts and "text" in parts[0] else ""
                parts.insert(0, _text(f"[tool error] {first}".rstrip()))
            return {"role": "tool", "tool_call_id": block.tool_use_id, "content": tidied(parts) or NO_OUTPUT}
        text = f"[tool error] {content or ''}".rstrip() if block.is_error else content or NO_OUTPUT
        return {"role": "tool", "tool_call_id": block.tool_use_id, "content": text}

    def _parts(self, block: Block, place: Place) -> list[Part]:
        read = _READERS.get(block.type)
        if block.type == "tool_reference":
            self._toolbox.load(block.tool_name)
            return [_text(f"Tool {block.tool_name} is available now.")]
        if read is None:
            raise _unknown(block, place)
        parts = read(block, place)
        self.has_images = self.has_images or any(part["type"] == "image_url" for part in parts)
        return parts

    def _assistant(self, content: str | list[Block], place: Place) -> Message:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[Message] = []
        for at, block in _placed(content, place):
            kind = block.type
            if kind == "text":
                texts.append(block.text)
            elif kind == "thinking":
                thoughts.append(reasoning_of(block.thinking, block.signature))
            elif kind == "tool_use":
                calls.append(_call(block, at))
            elif kind.endswith(("_tool_use", "_tool_result")):
                texts.append(_server_work(block))
            elif kind in ("compaction", "fallback"):
                texts.append(block.content if isinstance(block.content, str) else "")
            elif kind != "redacted_thinking":
                raise _unknown(block, at)
        message: Message = {"role": "assistant", "content": "\n\n".join(filter(None, texts)) or None}
        if calls:
            message["tool_calls"] = calls
        if thought := "\n\n".join(filter(None, thoughts)):
            message[REASONING] = thought
        return message


def _placed(content: str | Sequence[Block], place: Place) -> Iterator[tuple[Place, Block]]:
    if isinstance(content, str):
        yield place, Block("text", content)
        return
    for at, block in enumerate(content):
        yield (*place, "content", at), block


def _refused(place: Place, words: str) -> BadRequest:
    written = ".".join(map(str, place))
    return BadRequest(f"{written}: {words}", param=written)


def _unknown(block: Block, place: Place) -> BadRequest:
    kind = f"'{block.type}'" if block.type.isidentifier() and len(block.type) <= 64 else "this type"
    return _refused(place, f"a block of {kind} is not understood here.")


def _system_text(system: str | Sequence[Block]) -> str:
    texts = [block.text for _, block in _placed(system, ("system",))]
    return "\n\n".join(text for text in texts if text and not text.startswith(_BILLING))


def _call(block: Block, place: Place) -> Message:
    arguments = bytes(block.input)
    if not block.name or not arguments.startswith(b"{"):
        raise _refused(place, "expected a name, and an object as input.")
    function = {"name": chat_name(block.name), "arguments": arguments.decode()}
    return {"id": block.id, "type": "function", "function": function}


def _server_work(block: Block) -> str:
    """What a vendor's server did in an earlier turn, in words."""
    if block.type.endswith("_tool_use"):
        return f"[used {block.name or 'a tool'}: {bytes(block.input).decode()}]"
    content = block.content
    if isinstance(content, list):
        content = "\n".join(filter(None, ((each.title or each.text) for each in content)))
    elif isinstance(content, dict):
        content = json_text.encode(content).decode()
    return f"[{block.type.removesuffix('_tool_result')} result: {content or 'none'}]"


# Blocks of a user's message and of a tool's result


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _read_text(block: Block, _: Place) -> list[Part]:
    return [_text(block.text)]


def _read_image(block: Block, place: Place) -> list[Part]:
    source = block.source
    if isinstance(source, Source) and source.type == "base64" and source.media_type in _IMAGES and source.data:
        url = f"data:{source.media_type};base64,{source.data}"
    elif isinstance(source, Source) and source.type == "url" and source.url:
        url = source.url
    else:
        words = "expected a JPEG, PNG, GIF or WebP as base64, or a URL: FreeRide keeps no files."
        raise _refused((*place, "source"), words)
    return [{"type": "image_url", "image_url": {"url": url}}]


def _read_document(block: Block, place: Place) -> list[Part]:
    source = block.source
    label = f"[document{f': {block.title}' if block.title else ''}]"
    parts = [_text("\n".join(filter(None, (label, block.context))))]
    if isinstance(source, Source) and source.type == "text":
        return [*parts, _text(source.data)]
    if isinstance(source, Source) and source.type == "content" and source.content is not None:
        for at, each in _placed(source.content, (*place, "source")):
            if each.type not in ("text", "image"):
                raise _unknown(each, at)
            parts += _READERS[each.type](each, at)
        return parts
    words = "the free models here read documents as text only. Send the document's text."
    raise _refused((*place, "source"), words)


def _read_search_result(block: Block, _: Place) -> list[Part]:
    texts = block.content if isinstance(block.content, list) else []
    source = block.source if isinstance(block.source, str) else ""
    head = " ".join(filter(None, ("[search result]", block.title, source)))
    return [_text("\n".join([head, *(each.text for each in texts)]))]


_READERS: Mapping[str, Callable[[Block, Place], list[Part]]] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "search_result": _read_search_result,
}
