"""A request of the Messages API, and an upstream's stream for its client."""

from __future__ import annotations

import json
from typing import Any

from freeride_core.gateway.http import sse
from freeride_core.gateway.protocols.assembler import Assembler
from freeride_core.gateway.protocols.messages.encoder import MessageEncoder
from freeride_core.gateway.protocols.messages.request import parse_messages
from freeride_core.gateway.protocols.request import BadRequest
from freeride_core.gateway.protocols.steps import AnswerFault, CallClosed, CallOpened, Finished
from fuzz.target import Bytes, Target, cut
from message_reader import read_message
from strict_chat import faults_in

_REQUEST = parse_messages(
    b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"Hi"}],"thinking":{"type":"enabled"}}', 0.0
)
_MOST = 1024
_CUTS = b"\x00\x05\x07\x09\x03"
_IMAGE = {"type": "image", "source": {"type": "url", "url": "u"}}


def _request(**fields: Any) -> bytes:
    return b"\x01" + json.dumps({"model": "auto", **fields}).encode()


def _chunk(**choice: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [choice]}).encode()


def _call(index: int, call_id: str | None, name: str, arguments: str) -> dict[str, Any]:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def _check_request(body: bytes) -> None:
    try:
        call = parse_messages(body, 0.0).call
    except BadRequest as error:
        assert error.message
        return
    messages: list[dict[str, Any]] = json.loads(call.body)["messages"]
    faults = faults_in(messages)
    assert not faults, faults


def _steps(pieces: list[bytes]) -> list[Any]:
    assembler = Assembler("s")
    return [step for piece in pieces for step in assembler.feed(piece)] + assembler.end()


def _written(pieces: list[bytes]) -> bytes:
    encoder = MessageEncoder(_REQUEST, "req_1")
    data = encoder.begin("m") + b"".join(map(encoder.feed, pieces))
    return data if encoder.failure else data + encoder.end()


def _check_stream(stream: bytes, sizes: list[int]) -> None:
    steps = _steps([stream])
    assert isinstance(steps[-1], Finished | AnswerFault)
    opened = closed = 0
    for step in steps:
        opened += isinstance(step, CallOpened)
        closed += isinstance(step, CallClosed)
        assert 0 <= opened - closed <= 1, "two calls are open at a time"
    pieces = [stream[at : at + 1] for at in range(len(stream))]
    for other in (cut(stream, sizes), pieces):
        assert _steps(other) == steps, "it depends on where the stream is cut"
    read = read_message(_written([stream]))
    assert read.is_whole is isinstance(steps[-1], Finished)


def check(data: bytes) -> None:
    """Whatever a client sends is refused or becomes a call that strict upstreams accept; whatever an upstream sends becomes a
    message that every client can read, wherever it is cut."""
    source = Bytes(data)
    if source.byte() % 2:
        return _check_request(source.rest())
    sizes = [source.byte() for _ in range(4)]
    stream = source.rest()[:_MOST]
    blocks, _ = sse.split(stream)
    return _check_stream(b"".join(blocks), sizes)


TARGET = Target(
    check,
    seeds=(
        b'\x01{"model":"auto","messages":[{"role":"user","content":"Hi"}],"stream":true,"system":[{"type":"text","text":"S"}]}',
        _request(
            messages=[
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "x.y", "input": {}}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "R"}, _IMAGE]}
                    ],
                },
            ]
        ),
        _request(
            messages=[{"role": "system", "content": [{"type": "tool_addition", "tool": {"name": "T"}}]}],
            tools=[{"name": "T", "defer_loading": True, "input_schema": {"required": None}}],
            tool_choice={"type": "tool", "name": "T"},
        ),
        _CUTS
        + b'data: {"choices":[{"delta":{"content":"hi","reasoning":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
        _CUTS
        + _chunk(delta={"tool_calls": [_call(0, "a", "f", "{}"), _call(1, None, "g", "{")]})
        + _chunk(finish_reason="length"),
    ),
    words=(
        *(
            b'"type":"',
            b'"tool_use"',
            b'"tool_result"',
            b'"thinking"',
            b'"tool_reference"',
            b'"document"',
            b'"role":"system"',
        ),
        *(
            b'"tool_calls":[',
            b'"index":',
            b'"function":{',
            b'"arguments":"',
            b'"name":"',
            b'"finish_reason":"',
            b'"usage":{',
        ),
        *(b"data: ", b"\n\n", b"[DONE]", b"\\ud800", b"null", b'"content":['),
    ),
)
