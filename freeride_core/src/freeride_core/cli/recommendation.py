"""The order in which `freeride init` recommends providers, from what their packages declare."""

from __future__ import annotations

from collections.abc import Iterable

from freeride_core.provider import Provider


def recommended(providers: Iterable[Provider]) -> list[Provider]:
    """Return the providers, the one that gives most for the least effort first.

    Those that need nothing but an account come first, then those that also need an account id, a phone or a card. Among equals
    the one with more free requests a day is first. Local servers are last, after those that give some accounts nothing."""
    return sorted(providers, key=_place)


def _place(provider: Provider) -> tuple[bool, bool, int, float, int, str]:
    is_local = not provider.credentials
    gives_nothing = any(limit.amount == 0 for limit in provider.limits)
    days = (limit for limit in provider.limits if (limit.unit, limit.window) == ("requests", "day"))
    day = max((limit.amount for limit in days if not limit.models), default=0.0)  # not what only some models have
    return is_local, gives_nothing, _effort(provider), -day, provider.rank, provider.name


def _effort(provider: Provider) -> int:
    needs_account_id = any(credential.account_variable for credential in provider.credentials)
    return needs_account_id + 2 * ("phone" in provider.about.sign_up) + 4 * ("card" in provider.about.sign_up)
