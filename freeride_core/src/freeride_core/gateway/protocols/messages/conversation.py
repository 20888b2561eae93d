"""The conversation of a request, as messages of chat completions. Their order is repaired afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from freeride_core.gateway.protocols import json_text
from freeride_core.gateway.protocols.messages.blocks import Block, ClientMessage, Source
from freeride_core.gateway.protocols.messages.thinking import extra_contents_of, reasoning_of
from freeride_core.gateway.protocols.messages.tools import Toolbox
from freeride_core.gateway.protocols.repair import NO_OUTPUT, REASONING, Message, tidied
from freeride_core.gateway.protocols.request import BadRequest
from freeride_core.gateway.protocols.tool_names import chat_name

_BILLING = "x-anthropic-billing-header:"
"""An agent begins its system prompt with it. It differs in each session, and what upstreams cache would be lost to it."""
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})

Part = dict[str, Any]


class BlockFault(Exception):
    """A message or block that makes no sense here. Where it is in the request is found out afterwards."""

    def __init__(self, culprit: ClientMessage | Block, words: str, member: str = "") -> None:
        self.culprit = culprit
        self.words = words
        self.member = member


class Transcript:
    """Turns one conversation into messages. `toolbox` learns which tools it loads."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._conversation: Sequence[ClientMessage] = ()
        self.has_images = False

    def messages(self, system: str | Sequence[Block], conversation: Sequence[ClientMessage]) -> list[Message]:
        """Raises `BadRequest`."""
        self._conversation = conversation
        text = _system_text(system)
        messages: list[Message] = [{"role": "system", "content": text}] if text else []
        try:
            for message in conversation:
                self._add(message, messages)
        except BlockFault as fault:
            place = self._place(fault.culprit) + fault.member
            raise BadRequest(f"{place}: {fault.words}", param=place) from None
        return messages

    def _place(self, sought: ClientMessage | Block) -> str:
        """Where it is, as in `messages.0.content.1`."""
        for at, message in enumerate(self._conversation):
            for node, place in _places(message, f"messages.{at}"):
                if node is sought:
                    return place
        raise AssertionError("what is at fault is a part of the conversation")

    def _add(self, message: ClientMessage, messages: list[Message]) -> None:
        content = message.content
        if message.role == "user":
            self._add_user(content, messages)
        elif message.role == "assistant":
            messages.append(_assistant(content))
        elif message.role == "system":
            messages.append({"role": "system", "content": self._instructions(content)})
        else:
            raise BlockFault(message, "expected user, assistant or system.", ".role")

    def _instructions(self, content: str | list[Block]) -> str:
        if isinstance(content, str):
            return content
        texts: list[str] = []
        for block in content:
            if block.type == "text":
                texts.append(block.text)
            elif block.type == "tool_addition" and block.tool is not None:
                self._toolbox.add(block.tool.name, block.tool.definition, self._place(block))
            elif block.type == "tool_removal" and block.tool is not None:
                self._toolbox.remove(block.tool.name)
            else:
                raise _unknown(block)
        return "\n\n".join(texts)

    def _add_user(self, content: str | list[Block], messages: list[Message]) -> None:
        """The results of tools, then everything else."""
        if isinstance(content, str):
            messages.append({"role": "user", "content": content})
            return
        parts: list[Part] = []
        for block in content:
            if block.type == "tool_result":
                messages.append(self._result(block))
            else:
                parts += self._parts(block)
        if parts:
            messages.append({"role": "user", "content": tidied(parts)})

    def _result(self, block: Block) -> Message:
        content: Any = block.content
        if isinstance(content, dict):
            raise BlockFault(block, "expected a text or a list of blocks.", ".content")
        if isinstance(content, list):
            parts = [part for each in content for part in self._parts(each)]
            if block.is_error:
                first = parts.pop(0)["text"] if parts and "text" in parts[0] else ""
                parts.insert(0, _text(f"[tool error] {first}".rstrip()))
            content = tidied(parts)
        elif block.is_error:
            content = f"[tool error] {content or ''}".rstrip()
        return {"role": "tool", "tool_call_id": block.tool_use_id, "content": content or NO_OUTPUT}

    def _parts(self, block: Block) -> list[Part]:
        kind = block.type
        if kind == "text":
            return [_text(block.text)]
        if kind == "tool_reference":
            self._toolbox.load(block.tool_name)
            return [_text(f"Tool {block.tool_name} is available now.")]
        if kind not in _READERS:
            raise _unknown(block)
        parts = _READERS[kind](block)
        self.has_images = self.has_images or any(part["type"] == "image_url" for part in parts)
        return parts


def _places(node: ClientMessage | Block | Source, place: str) -> Iterator[tuple[object, str]]:
    """A message, or a part of one, and all that is in it."""
    yield node, place
    if isinstance(node, Block) and isinstance(node.source, Source):
        yield from _places(node.source, f"{place}.source")
    if isinstance(node.content, list):
        for at, block in enumerate(node.content):
            yield from _places(block, f"{place}.content.{at}")


def _unknown(block: Block) -> BlockFault:
    kind = f"'{block.type}'" if block.type.isidentifier() and len(block.type) <= 64 else "this type"
    return BlockFault(block, f"a block of {kind} is not understood here.")


def _assistant(content: str | list[Block]) -> Message:
    if isinstance(content, str):
        return {"role": "assistant", "content": content or None}
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Message] = []
    extra_contents: dict[str, Any] = {}
    for block in content:
        kind = block.type
        if kind == "text":
            texts.append(block.text)
        elif kind == "tool_use":
            calls.append(_call(block))
        elif kind == "thinking":
            thoughts.append(reasoning_of(block.thinking, block.signature))
            extra_contents |= extra_contents_of(block.signature)
        elif kind.endswith(("_tool_use", "_tool_result")):
            texts.append(_server_work(block))
        elif kind in ("compaction", "fallback"):
            texts.append(block.content if isinstance(block.content, str) else "")
        elif kind != "redacted_thinking":
            raise _unknown(block)
    message: Message = {"role": "assistant", "content": "\n\n".join(filter(None, texts)) or None}
    if calls:
        message["tool_calls"] = _with_extra_contents(calls, extra_contents) if extra_contents else calls
    if thought := "\n\n".join(filter(None, thoughts)):
        message[REASONING] = thought
    return message


def _system_text(system: str | Sequence[Block]) -> str:
    texts = [system] if isinstance(system, str) else [block.text for block in system]
    return "\n\n".join(text for text in texts if text and not text.startswith(_BILLING))


def _call(block: Block) -> Message:
    arguments = bytes(block.input)
    if not block.name or not arguments.startswith(b"{"):
        raise BlockFault(block, "expected a name, and an object as input.")
    function = {"name": chat_name(block.name), "arguments": arguments.decode()}
    return {"id": block.id, "type": "function", "function": function}


def _with_extra_contents(calls: list[Message], extra_contents: Mapping[str, Any]) -> list[Message]:
    """Each call with what its upstream wanted back with it."""
    return [
        {**call, "extra_content": extra_contents[call["id"]]} if call["id"] in extra_contents else call
        for call in calls
    ]


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


def _read_text(block: Block) -> list[Part]:
    return [_text(block.text)]


def _read_image(block: Block) -> list[Part]:
    source = block.source
    if isinstance(source, Source) and source.type == "base64" and source.media_type in _IMAGES and source.data:
        url = f"data:{source.media_type};base64,{source.data}"
    elif isinstance(source, Source) and source.type == "url" and source.url:
        url = source.url
    else:
        words = "expected a JPEG, PNG, GIF or WebP as base64, or a URL: FreeRide keeps no files."
        raise BlockFault(block, words, ".source")
    return [{"type": "image_url", "image_url": {"url": url}}]


def _read_document(block: Block) -> list[Part]:
    source = block.source
    label = f"[document{f': {block.title}' if block.title else ''}]"
    parts = [_text("\n".join(filter(None, (label, block.context))))]
    if isinstance(source, Source) and source.type == "text":
        return [*parts, _text(source.data)]
    if isinstance(source, Source) and source.type == "content" and source.content is not None:
        if isinstance(source.content, str):
            return [*parts, _text(source.content)]
        for each in source.content:
            if each.type not in ("text", "image"):
                raise _unknown(each)
            parts += _READERS[each.type](each)
        return parts
    words = "the free models here read documents as text only. Send the document's text."
    raise BlockFault(block, words, ".source")


def _read_search_result(block: Block) -> list[Part]:
    texts = block.content if isinstance(block.content, list) else []
    source = block.source if isinstance(block.source, str) else ""
    head = " ".join(filter(None, ("[search result]", block.title, source)))
    return [_text("\n".join([head, *(each.text for each in texts)]))]


_READERS: Mapping[str, Callable[[Block], list[Part]]] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "search_result": _read_search_result,
}
