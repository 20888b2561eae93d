"""What OpenRouter is asked: its list and the state of a key, which cost nothing, and probes, which do."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from freeride_binder_openclaw.memory import Ceiling
from freeride_binder_openclaw.ranking import FreeModel, rank
from freeride_core import Key
from freeride_core.cli import UnreachableUpstream, UpstreamClient

DAY_SHARE = 0.1
"""How much of a day's free requests may go into probes. The rest is the user's."""
MINUTE_SHARE = 0.25
_USUAL = {"day": 50, "minute": 20}


@dataclass(frozen=True, slots=True)
class DayAllowance:
    """A day's free requests of one account."""

    limit: int
    remaining: int


class OpenRouter(UpstreamClient):
    """Asked with the user's keys, through the installed provider package, which knows how."""

    def list_models(self) -> tuple[FreeModel, ...]:
        """The free models now, best first. Costs nothing. Raises `UnreachableUpstream`."""
        request = self.provider.catalog.request(self.keys[0])
        if request is None:
            raise UnreachableUpstream("its base URL has no list of models")
        answer = self.ask(request)
        if answer.status != HTTPStatus.OK:
            raise UnreachableUpstream(f"its list of models answered {answer.status}")
        try:
            return rank(self.provider, answer, self.is_free)
        except ValueError:
            raise UnreachableUpstream("its answer is not a list of models") from None

    def read_allowance(self, key: Key) -> DayAllowance | None:
        """Return what is left of the day, or None if it does not say. Costs nothing. Raise `UnreachableUpstream`."""
        request = self.provider.probe.request(key) if self.provider.probe else None
        answer = self.ask(request) if request is not None else None
        try:
            day = answer.json["data"]["free_model_daily_requests"] if answer else {}
            return DayAllowance(int(day["limit"]), int(day["remaining"]))
        except (KeyError, TypeError, ValueError):
            return None

    def ceiling(self, daily_limit: int | None) -> Ceiling:
        """How many probes there may be: stated shares of what the account has."""
        published = _USUAL | {
            limit.window: int(limit.amount) for limit in self.provider.limits if limit.unit == "requests"
        }
        return Ceiling(
            int((published["day"] if daily_limit is None else daily_limit) * DAY_SHARE),
            int(published["minute"] * MINUTE_SHARE),
        )
