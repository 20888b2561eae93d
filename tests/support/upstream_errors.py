"""What upstreams were seen to say when they refuse, and what that means: data for tests of how errors are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freeride_core.answer import Answer, Phase

_FILE = Path(__file__).with_suffix(".jsonl")


@dataclass(frozen=True, kw_only=True)
class UpstreamErrorRow:
    """One answer, and its meaning."""

    upstream: str
    case: str
    status: int
    body: Any
    now: float
    scope: str
    kind: str | None
    """None: no failure that can be told from this answer alone."""
    headers: Mapping[str, str] = field(default_factory=dict)
    event: str | None = None
    """The name of a stream's event; None: this is a whole answer."""
    wait: float | None = None
    """Seconds."""
    feature: str | None = None
    """What the upstream says is lacking altogether."""

    @property
    def name(self) -> str:
        return f"{self.upstream}-{self.case}"

    @property
    def answer(self) -> Answer:
        body = self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()
        phase = Phase.STATUS if self.status != 200 else Phase.BODY if self.event is None else Phase.EVENT
        return Answer(self.status, self.headers, body, self.now, phase, self.event or "")


ROWS = tuple(UpstreamErrorRow(**json.loads(line)) for line in _FILE.read_text("utf-8").splitlines())
