"""The client protocols of this gateway. A new one is a line here."""

from __future__ import annotations

from freeride_core.gateway.protocols.chat_completions import ChatCompletions
from freeride_core.gateway.protocols.embeddings import Embeddings
from freeride_core.gateway.protocols.protocol import ServedProtocol

PROTOCOLS: tuple[ServedProtocol, ...] = (
    ChatCompletions(),  # first: errors at paths of no protocol are written in it
    Embeddings(),
)

SERVED = frozenset(each.agents_need for each in PROTOCOLS if each.agents_need is not None)
"""What agents can be bound to; an agent that needs another protocol is not bound."""
