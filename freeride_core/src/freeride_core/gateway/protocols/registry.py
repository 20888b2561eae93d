"""The client protocols of this gateway. A new one is a line here."""

from __future__ import annotations

from freeride_core.gateway.protocols.chat_completions import ChatCompletionsProtocol
from freeride_core.gateway.protocols.embeddings import EmbeddingsProtocol
from freeride_core.gateway.protocols.messages.protocol import MessagesProtocol
from freeride_core.gateway.protocols.protocol import ServedProtocol

PROTOCOLS: tuple[ServedProtocol, ...] = (
    ChatCompletionsProtocol(),  # first: errors at paths of no protocol are written in it
    EmbeddingsProtocol(),
    MessagesProtocol(),
)

SERVED = frozenset(each.agents_need for each in PROTOCOLS if each.agents_need is not None)
"""What agents can be bound to; an agent that needs another protocol is not bound."""


def prepare() -> None:
    """Prepare every protocol for its first request."""
    for protocol in PROTOCOLS:
        protocol.prepare()
