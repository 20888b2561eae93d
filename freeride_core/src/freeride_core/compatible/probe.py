"""The request that shows whether a key is valid."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from freeride_core.answer import Answer, UpstreamRequest
from freeride_core.compatible import wordings
from freeride_core.compatible.catalog import MISSHAPED, request_beside
from freeride_core.compatible.errors import UpstreamErrorBody, is_page
from freeride_core.compatible.wire import bearer
from freeride_core.provider import Key, Probe, Proof


def _is_valid(body: Any) -> Proof:  # noqa: ARG001 - the status has said it
    return Proof(valid=True)


def _may_be_of_key(answer: Answer) -> bool:
    """Whether a 403 is about the key, and not about the machine that asks or the way to the upstream."""
    if is_page(answer) or "cf-mitigated" in answer.headers:
        return False
    words = UpstreamErrorBody.of(answer).unquoted
    return not words or re.search(wordings.OF_A_KEY, words, re.IGNORECASE) is not None


@dataclass(frozen=True, kw_only=True)
class CompatibleProbe(Probe):
    """A GET that answers 200 to a good key."""

    path: str
    base_suffix: str = ""
    """As with the catalog."""
    refusals: Mapping[int, str] = field(default_factory=lambda: {401: "", 403: ""})
    """The statuses that a bad key gets, each with a note; a 403 does not count where it speaks of something
    else."""
    describe: Callable[[Any], Proof] = _is_valid
    """What the body of a 200 says."""

    def request(self, key: Key) -> UpstreamRequest | None:
        return request_beside(key, self.base_suffix, self.path, bearer(key, {}))

    def read(self, answer: Answer) -> Proof:
        if answer.status in self.refusals and (answer.status != 403 or _may_be_of_key(answer)):
            return Proof(valid=False, note=self.refusals[answer.status])
        if answer.status != 200:
            return Proof(valid=None)
        try:
            return self.describe(answer.json)
        except MISSHAPED:
            return Proof(valid=True)
