"""What clients ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueSize:
    """What only upstreams and the omniscient scheduler know of a request."""

    prompt_tokens: int
    answer_tokens: int
    """Of an answer that nothing cuts short."""
    pace: float
    """How long this answer takes, times what is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRequest:
    """One request of a client. What is next in the conversation comes `pause_s` after its end."""

    number: int
    conversation: int
    turn: int
    prompt_bytes: int
    max_tokens: int | None
    tools: bool
    light: bool
    """A title, or a summary of one line: any model will do."""
    true: TrueSize
    pause_s: float = 0.0
    following: AgentRequest | None = None

    @property
    def low_tokens(self) -> int:
        """Return an estimate of the prompt that rules out no model which could answer."""
        return self.prompt_bytes // 4
