"""The client's side of one request: the HTTP exchange, in the protocol that the client speaks."""

from __future__ import annotations

import random

from freeride_core.gateway.http.server_exchange import HeaderList, ServerExchange
from freeride_core.gateway.origins import VARY
from freeride_core.gateway.protocols.errors import SSE_HEADERS, ClientError, error_event
from freeride_core.gateway.protocols.protocol import AnswerEncoder, ServedProtocol

_random = random.Random()  # noqa: S311 - for names, not for secrets


class ClientExchange(ServerExchange):
    """Adds what every response has, and writes errors."""

    __slots__ = ("encoder", "extra_headers", "protocol", "request_id")

    def begin(self, protocol: ServedProtocol) -> None:
        """Comes before anything else: the client is answered in `protocol`."""
        self.protocol = protocol
        self.request_id = "req_" + _random.randbytes(4).hex()
        self.encoder: AnswerEncoder | None = None
        """What a stream is written by, or None if it has the form of chat completions."""
        self.extra_headers: HeaderList = VARY
        """What else the response carries, whatever it is."""

    def add_own_headers(self, headers: HeaderList) -> None:
        """Adds what every response has, whichever route it is of. A header for all responses goes here."""
        own_id = self.request_id.encode()
        headers.append((b"x-freeride-request-id", own_id))
        for id_header in self.protocol.request_id_headers:
            for name, _ in headers:
                if name == id_header:
                    break
            else:  # one agent tries again only after an answer that has it
                headers.append((id_header, own_id))
        headers += self.extra_headers

    def answer(self, status: int, headers: HeaderList, body: bytes) -> None:
        """A whole response at once. Takes the list over."""
        self.add_own_headers(headers)
        super().answer(status, headers, body)

    def start_stream(self, headers: HeaderList) -> None:
        """Begin a stream of events with status 200."""
        own = [*SSE_HEADERS, *headers]
        self.add_own_headers(own)
        self.start(200, own)

    async def send(self, data: bytes) -> None:
        """As `write`, and waits for a client that takes its time."""
        if self.write(data):
            await self.drain()

    def fail(self, error: ClientError, headers: HeaderList | None = None) -> None:
        """The error as the response; where one has begun, as the stream's last event."""
        if self.is_started:
            event = error_event if self.encoder is None else self.encoder.error_event
            self.end(event(error, self.request_id))
        else:
            body = self.protocol.error_body(error, self.request_id)
            self.answer(error.status, [*error.headers(), *(headers or [])], body)

    def turn_away(self, error: ClientError) -> None:
        """As `fail`, while the request is still coming: the rest is not read, so nothing can follow on the connection."""
        self.keeps_alive = False
        self.fail(error)
