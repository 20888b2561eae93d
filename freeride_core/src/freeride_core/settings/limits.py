"""Limits: what a provider gives, as its package publishes it and the user corrects it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from freeride_core.limit import Limit, LimitKind
from freeride_core.provider import Provider
from freeride_core.settings.home import SettingsError, variable_stem
from freeride_core.settings.resolver import LIMITS, Settings
from freeride_core.settings.unquoted import unquoted

_NONE = "none"


def limits_variable(provider: Provider) -> str:
    """The variable in which the user corrects the provider's limits."""
    return f"{variable_stem(provider.name)}{LIMITS}"


def countable_limits(provider: Provider, settings: Settings) -> tuple[Limit, ...]:
    """Return the limits to count against. Raise `SettingsError` for a correction that cannot be used.

    A limit of zero, or in money, is for people to read: no request is counted against it."""
    corrected = _corrections(provider, settings)
    if corrected is None:
        return ()
    limits = (_corrected(limit, corrected) for limit in provider.limits)
    return tuple(
        limit
        for limit in limits
        if limit is not None and limit.unit != "usd" and (limit.amount > 0 or _is_queue(limit))
    )


def _is_queue(limit: Limit) -> bool:
    return limit.limit_kind is LimitKind.CONCURRENCY


def _corrected(limit: Limit, corrected: Mapping[str, float | None]) -> Limit | None:
    if limit.limit_name not in corrected:
        return limit
    amount = corrected[limit.limit_name]
    return None if amount is None else replace(limit, amount=amount)


def _corrections(provider: Provider, settings: Settings) -> dict[str, float | None] | None:
    """Return the amounts by name, None where there is no limit; or None if nothing is limited."""
    variable = limits_variable(provider)
    text = unquoted(settings.environ.get(variable, "")).strip().lower()
    if text == _NONE:
        return None
    names = {limit.limit_name for limit in provider.limits}
    found: dict[str, float | None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in names:
            known = ", ".join(sorted(names)) or "no limits at all"
            raise SettingsError(variable, f"about a limit of {provider.name}", f"it has {known}")
        try:
            found[name] = None if value == _NONE else _amount(value)
        except ValueError:
            hint = f"write for example {name}=60 or {name}=none, separated by commas, or a single none"
            raise SettingsError(variable, "a list of amounts", hint) from None
    return found


def _amount(text: str) -> float:
    amount = float(text.replace("_", ""))
    if not 0 < amount < 1e15:
        raise ValueError(text)
    return amount
