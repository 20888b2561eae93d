"""What a scheduler is told of a call."""

from __future__ import annotations

from dataclasses import dataclass

from freeride_core import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldWindow:
    """Numbers on one window, in an error's text or in headers."""

    name: str
    limit: float
    used: float | None = None
    requested: float | None = None
    reset_s: float | None = None
    """In a text, when this request would be admitted; in a header, when the window is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueStanding:
    """How one window stood for a call that was refused."""

    name: str
    limit: float
    used: float
    requested: float
    reset_s: float
    wait_s: float
    """Until the call would be admitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamAnswer:
    """A response of an upstream, as a gateway reads it."""

    status: int
    sent_at: float
    scope: Scope = Scope.ACCOUNT_MODEL
    """Of a refusal: whom it concerns, as the shipped package reads it."""
    hint_s: float | None = None
    """When to come back, as the shipped package reads it: a header, a field, or the end of a day."""
    is_of_day: bool = False
    told: tuple[ToldWindow, ...] = ()
    """What an error's text says."""
    headers: tuple[ToldWindow, ...] = ()
    window: str = ""
    """Of a refusal: the window without room, which its text may name. Empty: the model was too busy."""
    standings: tuple[TrueStanding, ...] = ()
    """Of a refusal: all windows of the model, for numbers in the text."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    is_cut: bool = False
    """The answer ended because `max_tokens` were used up."""

    @property
    def is_served(self) -> bool:
        return self.status == 200
