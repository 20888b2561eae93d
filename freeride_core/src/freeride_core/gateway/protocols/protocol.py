"""The interface of a client protocol: its routes, how its requests become calls, and how answers and errors are written in it.

Chat completions is the hub: every protocol parses its requests into a call of chat completions, and encodes an answer of chat
completions into its own. A protocol does no I/O and keeps nothing between requests.
"""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from freeride_core import binder
from freeride_core.answer import Failure
from freeride_core.call import Call
from freeride_core.gateway.protocols.errors import ClientError, error_body, error_event


class RouteUse(enum.Enum):
    """What a request to a route is for."""

    CALL = enum.auto()
    """`parse` makes a call of it, or answers it."""
    MODELS = enum.auto()
    """The list of models."""
    MODEL = enum.auto()
    """One model, whose id is the route's `{id}`."""


class ProtocolRoute(NamedTuple):
    """One path of a protocol. Another spelling of it is another route."""

    method: str
    """`GET` or `POST`. HEAD is answered where GET is."""
    path: str
    """As clients send it, `/v1/chat/completions`. `{id}` in it stands for the id of a model, which can hold slashes."""
    use: RouteUse = RouteUse.CALL
    marks: tuple[bytes, ...] = ()
    """Names of headers, in lower case. A request with one of them is this protocol's where several have the path and method;
    a route without marks takes the requests that no other route does."""


class RequestHead(Protocol):
    """What a protocol sees of a request before its body."""

    @property
    def path(self) -> str:
        """Decoded, in the spelling of a route."""

    @property
    def query(self) -> bytes: ...

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Names in lower case."""

    @property
    def request_id(self) -> str: ...


class AnswerEncoder:
    """Writes one answer in the client's protocol; `parse` makes it, with what it has to know of the request.

    A whole answer takes `begin` and `whole`. A stream takes `begin`, any number of `feed`, and then `end` or `error_event`. This
    class writes what a client of chat completions gets, unchanged.
    """

    failure: Failure | None = None
    """Set by a method for an answer that cannot be written in this protocol. Of a stream, what that method returns is still
    sent, and the stream ends in an error; in place of a whole answer the next candidate is asked."""

    def begin(self, model: str) -> bytes:  # noqa: ARG002 - this class names no model
        """Return what a stream begins with; of a whole answer it is dropped. `model` is the id that serves the request. After a
        whole answer that failed this begins the next one, of another model."""
        return b""

    def whole(self, body: bytes) -> bytes:
        """Return the whole answer for `body`, which is a JSON object with `choices`, or with `data` for embeddings. The
        gateway adds `_freeride_provider` to what is returned."""
        return body

    def feed(self, data: bytes) -> bytes:
        """Return what the client gets now, in whole events. `data` is a part of the upstream's stream: comments, events without
        errors, `[DONE]`. It ends where an event does, unless that has more than 64 KB.

        The gateway counts what was fed since the last byte that this returned, and gives the answer up at 8 MiB of it. While
        nothing is returned, the client gets `ServedProtocol.keep_alive`."""
        return data

    def end(self) -> bytes:
        """Return what is still to be sent of a stream that is whole: it had a finish reason or `[DONE]`."""
        return b""

    def error_event(self, error: ClientError, request_id: str) -> bytes:
        """Return what ends a stream that is not whole, or whose answer never began: then `begin` was not called."""
        return error_event(error, request_id)


class ParsedRequest(msgspec.Struct):
    """What `parse` makes of a request."""

    call: Call
    encoder: AnswerEncoder | None = None
    """None for an answer that goes to the client byte for byte."""
    headers: Sequence[tuple[bytes, bytes]] = ()
    """Further headers of the answer, whatever it is."""
    reply: bytes | None = None
    """The whole answer to a request that needs no upstream, such as a count of tokens; None to ask one. The client gets it
    unless no provider has the model of `call`. It uses up no quota and is no event."""


class ListedModel(msgspec.Struct):
    """A model of the list, whichever protocol it is shown in."""

    id: str
    canonical: str
    owner: str
    """The first provider that serves it; `freeride` for `auto` and the presets."""
    provider_ids: Mapping[str, str]
    """The id at each provider by name; empty for `auto` and the presets."""
    providers: Sequence[str]
    """Names of the providers that serve it."""
    parameters: Sequence[str]
    """Fields of chat completions that it supports."""
    context: int = 0
    """Tokens of a prompt and its answer; 0 where that is unknown."""
    is_embedder: bool = False
    """It makes vectors and cannot chat."""


class ServedProtocol(ABC):
    """A protocol that clients of the gateway speak. `registry.PROTOCOLS` has one object of each."""

    routes: tuple[ProtocolRoute, ...]
    event_name: str = ""
    """Its name in events; empty where the operation of its calls says it."""
    agents_need: binder.ClientProtocol | None = None
    """What a binder calls this protocol; None if no agent is bound to it."""
    claims: re.Pattern[str] | None = None
    """Paths without a route that clients of this protocol ask for, as `search` finds them: a 404 there is written in it."""
    keep_alive: bytes = b": looking for a free model that can answer now\n\n"
    """What a stream gets every ten seconds while it has nothing to say; also before `AnswerEncoder.begin`."""
    request_id_headers: tuple[bytes, ...] = (b"x-request-id",)
    """Where clients look for the request's id. Each of them that the upstream did not send has the gateway's."""
    exposed_headers: tuple[bytes, ...] = ()
    """Headers of its own that web pages may read."""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to do
        """Import what only requests need. It runs in a thread once the gateway listens."""

    @abstractmethod
    def parse(self, head: RequestHead, body: bytes, now: float) -> ParsedRequest:
        """Return the call for a request to a route of use `CALL`, received `now` in seconds since the epoch. Raises `BadRequest`.
        It runs in a thread where the body is larger than `json_values.LARGE`."""

    def error_body(self, error: ClientError, request_id: str) -> bytes:
        """Return an error as a whole answer."""
        return error_body(error, request_id)

    def late_headers(self, provider: str, model: str) -> bytes:
        """Return what tells a stream who serves it, where its head was sent before that was known; empty if it has no place."""
        return f": provider={provider} model={model}\n\n".encode()

    def model_list(self, models: Sequence[ListedModel], head: RequestHead) -> bytes:
        """Return the list of models. A protocol with a route of use `MODELS` has it."""
        raise NotImplementedError

    def model(self, model: ListedModel, head: RequestHead) -> bytes:
        """Return one model. A protocol with a route of use `MODEL` has it."""
        raise NotImplementedError
