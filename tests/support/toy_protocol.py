"""A client protocol that has all that a protocol can want: its own routes, requests, answers, streams, errors and lists.

Its streams hold no comments, show a tool call only once it is whole, and end in an event of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from freeride_core.answer import ErrorKind, Failure
from freeride_core.call import Operation
from freeride_core.gateway.http import sse
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.protocol import (
    AnswerEncoder,
    ListedModel,
    ParsedRequest,
    ProtocolRoute,
    RequestHead,
    RouteUse,
    ServedProtocol,
)
from freeride_core.gateway.protocols.request import BadRequest, parse_call

MARK = (b"toy-version",)


class ToyProtocol(ServedProtocol):
    """`POST /toy/{id}:say` with `{"say": ..., "live": true}`."""

    routes = (
        ProtocolRoute("POST", "/toy/{id}:say"),
        ProtocolRoute("POST", "/v1/toy/{id}:say"),
        ProtocolRoute("POST", "/toy/{id}:count"),
        ProtocolRoute("GET", "/v1/models", RouteUse.MODELS, MARK),
        ProtocolRoute("GET", "/v1/models/{id}", RouteUse.MODEL, MARK),
    )
    claims = re.compile(r"^/(?:v1/)?toy(?:/|$)")
    keep_alive = b"\n"
    request_id_headers = (b"x-request-id", b"toy-id")
    exposed_headers = (b"toy-dropped",)

    def parse(self, head: RequestHead, body: bytes, now: float) -> ParsedRequest:
        model, _, verb = head.path.rpartition("/toy/")[2].rpartition(":")
        try:
            asked = json.loads(body)
        except ValueError:
            raise BadRequest("This is not JSON.") from None
        if not isinstance(asked.get("say"), str):
            raise BadRequest("Nothing is said.", param="say")
        fields: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": asked["say"]}]}
        if asked.get("live"):
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        if asked.get("tools"):
            fields["tools"] = [{"type": "function", "function": {"name": name}} for name in asked["tools"]]
        call = parse_call(Operation.CHAT, json.dumps(fields).encode(), now)
        if verb == "count":
            return ParsedRequest(call, reply=b'{"count":%d}' % len(asked["say"].split()))
        dropped = [(b"toy-dropped", b"magic")] if "magic" in asked else []
        return ParsedRequest(call, ToyEncoder(), dropped)

    def error_body(self, error: ClientError, request_id: str) -> bytes:
        fault = {"number": error.status, "name": error.code, "words": error.message, "id": request_id}
        return json.dumps({"fault": fault}).encode()

    def late_headers(self, provider: str, model: str) -> bytes:
        return b""

    def model_list(self, models: Sequence[ListedModel], head: RequestHead) -> bytes:
        [most] = parse_qs(head.query.decode()).get("most", ["100"])
        return json.dumps({"toys": [model.id for model in models[: int(most)]]}).encode()

    def model(self, model: ListedModel, head: RequestHead) -> bytes:
        return json.dumps({"toy": model.id, "of": list(model.providers)}).encode()


class ToyEncoder(AnswerEncoder):
    """Writes events `begin`, `text`, `tool` and `end`, or `fault`."""

    def __init__(self) -> None:
        self._model = ""
        self._events = 0
        self._tail = b""
        self._tools: dict[int, dict[str, str]] = {}
        self._reason = ""
        self._tokens = 0

    def begin(self, model: str) -> bytes:
        self.failure = None
        self._tools.clear()
        self._model = model
        return self._written(begin=model)

    def whole(self, body: bytes) -> bytes:
        answer = json.loads(body)
        [choice] = answer["choices"]
        message = choice["message"]
        for index, call in enumerate(message.get("tool_calls") or ()):
            self._note_call({"index": index, **call})
        tools = [json.loads(event)["tool"] for event in self._whole_calls()]
        told = {"by": self._model, "text": message["content"], "tools": tools, "end": choice["finish_reason"]}
        return json.dumps({**told, "tokens": answer["usage"]["completion_tokens"]}).encode()

    def feed(self, data: bytes) -> bytes:
        blocks, self._tail = sse.split(self._tail + data)
        events = [event for event in map(sse.parse, blocks) if event.data is not None and not event.is_done]
        return b"".join(self._read(json.loads(event.data or b"")) for event in events)

    def _read(self, chunk: dict[str, Any]) -> bytes:
        self._tokens = (chunk.get("usage") or {}).get("completion_tokens", self._tokens)
        told = b""
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", ()):
                self._note_call(call)
            self._reason = choice["finish_reason"] or self._reason
            if text := choice["delta"].get("content"):
                told += self._written(text=text)
        return told

    def _note_call(self, call: dict[str, Any]) -> None:
        kept = self._tools.setdefault(call["index"], {"name": "", "arguments": ""})
        for name, value in call["function"].items():
            kept[name] += value

    def _whole_calls(self) -> list[str]:
        if not all(tool["name"] for tool in self._tools.values()):
            self.failure = Failure(kind=ErrorKind.PROTOCOL, message="a tool without a name")
            return []
        return [
            json.dumps({"tool": {"name": tool["name"], "with": json.loads(tool["arguments"])}})
            for _, tool in sorted(self._tools.items())
        ]

    def end(self) -> bytes:
        told = b"".join(b"data: " + event.encode() + b"\n\n" for event in self._whole_calls())
        return told if self.failure else told + self._written(end=self._reason, tokens=self._tokens)

    def error_event(self, error: ClientError, request_id: str) -> bytes:
        return self._written(fault=error.message, number=error.status, after=self._events)

    def _written(self, **event: object) -> bytes:
        self._events += 1
        return b"data: " + json.dumps(event).encode() + b"\n\n"
