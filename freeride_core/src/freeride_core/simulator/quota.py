"""Quotas that deplete and come back, with the window arithmetic of real upstreams."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from freeride_core.compatible.midnight import Midnight
from freeride_core.simulator.profile import PlayedQuota

_WINDOW_S = {"minute": 60, "day": 86400}


@dataclass(frozen=True, slots=True)
class Demand:
    """What one request wants of the quotas."""

    key: str
    account: str
    model: str
    operation: str
    prompt_tokens: int
    answer_tokens: int
    """What the answer will really have."""
    asked_tokens: int
    """The most that the client asked for, or 0 if it did not say."""


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """How one quota stands for one request."""

    limit: float
    used: float
    reset_s: float
    requested: float
    wait_s: float
    """Until this request would fit."""

    def aspects(self, now: float) -> dict[str, str]:
        """What placeholders may ask of a quota."""
        return {
            "limit": whole(self.limit),
            "used": whole(math.ceil(self.used - 1e-9)),
            "remaining": whole(max(0, math.floor(self.limit - self.used + 1e-9))),
            "reset_s": whole(math.ceil(self.reset_s)),
            "reset_ms": whole(math.ceil(self.reset_s * 1000)),
            "reset_go": go_duration(self.reset_s),
            "reset_epoch": whole(math.ceil(now + self.reset_s)),
            "reset_epoch_ms": whole(math.ceil((now + self.reset_s) * 1000)),
            "requested": whole(math.ceil(self.requested)),
            "retry_s": whole(math.ceil(self.wait_s - 1e-6)),
            "retry_go": go_duration(self.wait_s),
        }


def whole(number: float) -> str:
    """Without a needless `.0`."""
    return str(int(number)) if number == int(number) else str(number)


def go_duration(seconds: float) -> str:
    """As Go prints durations: `2m59.56s`, `825ms`, `24h0m0s`, `0s`."""
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


class Bucket:
    """One window of one account, key or model."""

    def __init__(self, quota: PlayedQuota) -> None:
        self._amount = quota.amount
        self._kind = quota.kind
        self._window_s = _WINDOW_S[quota.window]
        self._midnight = Midnight(quota.zone)
        self._used = 0.0
        self._since: float | None = None
        """Leaky: when `_used` was right; otherwise a moment of the window, of a fixed one its begin. None if it has not begun."""

    def used(self, now: float) -> float:
        if self._since is None:
            return 0.0
        if self._kind == "leaky":
            return max(0.0, self._used - (now - self._since) * self._amount / self._window_s)
        return self._used if now < self._end(self._since) else 0.0

    def charge(self, cost: float, now: float) -> None:
        self._used = self.used(now) + cost
        if self._kind == "leaky" or self._since is None or now >= self._end(self._since):
            self._since = now

    def use_up(self, now: float, back_in_s: float | None) -> None:
        """Nothing is left. A fixed window ends `back_in_s` seconds from now, else when it would have begun just now."""
        self._used = self._amount
        self._since = now
        if self._kind == "fixed" and back_in_s is not None:
            self._since = now + back_in_s - self._window_s

    def reset_s(self, now: float) -> float:
        """Until it is full again."""
        if self._kind == "leaky":
            return self.used(now) * self._window_s / self._amount if self._amount else self._window_s
        if self._kind == "day":
            return self._end(now) - now
        return 0.0 if self._since is None else max(0.0, self._end(self._since) - now)

    def wait_s(self, cost: float, now: float) -> float:
        """Return the seconds until `cost` fits, or 0 if it fits now. What never fits waits for the reset."""
        missing = self.used(now) + cost - self._amount
        if missing <= 1e-9:
            return 0.0
        if self._kind == "leaky" and cost <= self._amount:
            return missing * self._window_s / self._amount
        return self.reset_s(now) or float(self._window_s)

    def _end(self, moment: float) -> float:
        """Of the window that `moment` is in, or begins."""
        return self._midnight.after(moment) if self._kind == "day" else moment + self._window_s


class PlayedMeter:
    """All quotas of one simulated upstream."""

    def __init__(self, quotas: Iterable[PlayedQuota]) -> None:
        self._quotas = tuple(quotas)
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self._used_up: dict[str, tuple[float, float | None]] = {}

    def use_up(self, window: str, operation: str, now: float, back_in_s: float | None = None) -> bool:
        """Use up what is left of a quota for this window. Return whether there is one that refuses then."""
        # A token leaks back into its bucket before the next request.
        fitting = [
            quota
            for quota in self._quotas
            if quota.window == window
            and quota.operation in {None, operation}
            and (quota.unit == "requests" or quota.kind != "leaky")
        ]
        if not fitting:
            return False
        quota = min(fitting, key=lambda quota: quota.unit != "requests")
        self._used_up[quota.name] = (now, back_in_s)
        self._buckets = {owner: bucket for owner, bucket in self._buckets.items() if owner[0] != quota.name}
        return True

    def refusal(self, demand: Demand, now: float) -> str | None:
        """Return the case that answers a request which does not fit, or None if it fits."""
        mine = [quota for quota in self._quotas if _concerns(quota, demand)]
        for quota in mine:
            if quota.too_large is not None and _needed(quota, demand) > quota.amount:
                return quota.too_large
        for quota in mine:
            if self._bucket(quota, demand).wait_s(_needed(quota, demand), now) > 0:
                return quota.case
        return None

    def charge(self, demand: Demand, now: float) -> None:
        """The request is answered: it costs what it really used."""
        for quota in self._quotas:
            if _concerns(quota, demand):
                self._bucket(quota, demand).charge(_cost(quota, demand, demand.answer_tokens), now)

    def standings(self, demand: Demand, now: float) -> Mapping[str, QuotaStatus]:
        """How every quota stands for this request, by name."""
        result = {}
        for quota in self._quotas:
            bucket, needed = self._bucket(quota, demand), _needed(quota, demand)
            result[quota.name] = QuotaStatus(
                quota.amount, bucket.used(now), bucket.reset_s(now), needed, bucket.wait_s(needed, now)
            )
        return result

    def _bucket(self, quota: PlayedQuota, demand: Demand) -> Bucket:
        owner = {
            "key": (demand.key,),
            "account": (demand.account,),
            "account_model": (demand.account, demand.model),
            "model": (demand.model,),
        }[quota.scope]
        bucket = self._buckets.get((quota.name, *owner))
        if bucket is None:
            bucket = self._buckets[quota.name, *owner] = Bucket(quota)
            if quota.name in self._used_up:
                bucket.use_up(*self._used_up[quota.name])
        return bucket


def _concerns(quota: PlayedQuota, demand: Demand) -> bool:
    return quota.operation is None or quota.operation == demand.operation


def _cost(quota: PlayedQuota, demand: Demand, answer_tokens: int) -> float:
    if quota.unit == "requests":
        return 1.0
    return demand.prompt_tokens * quota.per_prompt_token + answer_tokens * quota.per_answer_token


def _needed(quota: PlayedQuota, demand: Demand) -> float:
    """What must be free for the request to be let in. Without reservation, the last drop is enough."""
    if quota.unit == "requests" or quota.too_large is None:
        return 1.0
    return _cost(quota, demand, demand.asked_tokens or quota.reserve)
