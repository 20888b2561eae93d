"""The contract before this one: a plugin of `API_VERSION - 1` goes in, one that the rest of the core understands comes out.

Nothing else in the core knows of former versions. When `API_VERSION` is raised, what stands here is replaced by what changed then.

Version 0 was the draft before the contract was frozen. Against version 1:
- `Wire.read` gave a `Failure` or None, where it now gives a `Reading`;
- `Wire.decoder` was asked for streams only, and not told the model;
- there was no `Wire.refusal`.
"""

from __future__ import annotations

import copy
from typing import Any

from freeride_core.answer import Answer, Reading, UpstreamRequest
from freeride_core.call import Call
from freeride_core.model import Model
from freeride_core.provider import Decoder, Key, Provider, Wire


def adapt_provider(former: Provider) -> Provider:
    """The provider with its wires in today's form. `former` stays as it is."""
    provider = copy.copy(former)
    provider.wires = {operation: _Wire(wire) for operation, wire in former.wires.items()}
    return provider


class _Wire(Wire):
    def __init__(self, former: Any) -> None:
        self._former = former
        self.response_headers = former.response_headers

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request: UpstreamRequest = self._former.prepare(call, model, key)
        return request

    def read(self, answer: Answer) -> Reading:
        return Reading(self._former.read(answer))

    def decoder(self, call: Call, model: Model) -> Decoder | None:  # noqa: ARG002 - it was not told
        decoder: Decoder | None = self._former.decoder(call) if call.stream else None
        return decoder
