"""What a simulator saw of one request, and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False, slots=True)
class SeenRequest:
    """One request. Times are `time.monotonic()`."""

    method: str
    path: str
    """Without the query."""
    query: str
    headers: dict[str, str] = field(repr=False)
    """Lower-case names; of repeated ones the last."""
    body: bytes = field(repr=False)
    at: float
    key: str = field(default="", repr=False)
    """The key, read where the upstream looks for it, or an empty text without one."""
    model: str = ""
    stream: bool = False
    operation: str = ""
    """`chat.completions`, `embeddings`, `models`; empty for other pages."""
    answered: str = ""
    """The name of what was answered: `chat`, `rate-limited`, `hang`, ..."""
    status: int = 0
    """0 if not even a status line was sent."""
    finished_at: float | None = None
    """When the answer's last byte was handed to the socket."""
    disconnected_at: float | None = None
    """When the client left before the answer had ended."""

    @property
    def disconnected(self) -> bool:
        """Whether the client left before the answer had ended."""
        return self.disconnected_at is not None

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)
