"""What a gateway says while it runs: a line for each change of state, and none for what stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from clock import ManualClock
from fake_upstream import MODEL, key_of, plugins, provider
from freeride_core import Limit, Quota, Scope
from freeride_core.gateway.console import Console
from freeride_core.gateway.walk.enabled import EnabledProviders, enabled_providers
from freeride_core.ledger.key_checks import KeyCheck
from freeride_core.ledger.quota.quotas import QuotaMode
from freeride_core.ledger.readiness import Ledger
from freeride_core.settings.resolver import load_settings


class Said:
    """A console over the provider alpha with one or two keys, and what it has said, without the time."""

    def __init__(self, enabled: EnabledProviders) -> None:
        self.enabled = enabled
        self.clock = ManualClock()
        self.ledger = Ledger(self.clock, lambda _: None)
        self._lines: list[str] = []
        self._console = Console(self.ledger, self._lines.append)

    def cool(self, kind: str, wait_s: float, scope: Scope, *, index: int = 0, is_outage: bool = False) -> str:
        key = self.enabled.members[0].keys[index]
        now = self.clock()
        self.ledger.cool(key, MODEL.id, scope, kind=kind, wait_s=lambda *_: wait_s, is_outage=is_outage, sent_at=now)
        return time.strftime("%H:%M:%S", time.localtime(now + wait_s))

    def look(self, after_s: float = 0.0) -> list[str]:
        self.clock.now += after_s
        self._console.look(self.enabled, lambda _: (MODEL,), 1)
        lines, self._lines[:] = [line.partition("] ")[2] for line in self._lines], []
        return lines


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    def make(keys: int = 1) -> Said:
        for index in range(keys):
            monkeypatch.setenv("ALPHA_KEY" + (f"_{index + 1}" if index else ""), key_of("alpha", index))
        return Said(enabled_providers(load_settings(), plugins(provider("alpha")).providers))

    return make


def test_nothing_is_said_of_what_works(said: Any) -> None:
    assert said().look() == []


def test_a_rejected_key_is_named_until_a_check_shows_that_it_works(said: Any) -> None:
    one = said(2)
    again = one.cool("auth", 300, Scope.KEY, index=1)
    assert one.look() == [f"alpha: ALPHA_KEY_2 was rejected. It is tried again at {again}."]
    assert one.look(10) == []
    assert one.look(300) == [], "nothing has shown that it works"
    one.cool("auth", 600, Scope.KEY, index=1)
    assert one.look() == [], "it is rejected as before"
    one.clock.now += 700
    one.ledger.key_checks.note(one.enabled.members[0].keys[1], KeyCheck(True, "", one.clock()))
    assert one.look() == ["alpha: ALPHA_KEY_2 works again."]


@pytest.mark.parametrize("scope", [Scope.KEY, Scope.ACCOUNT])
def test_a_key_that_is_paused_is_back_when_its_time_is_over(said: Any, scope: Scope) -> None:
    one, two = said(), said(2)
    again = one.cool("rate_limit", 60, scope)
    assert one.look() == [f"alpha is paused until {again} (rate_limit)."]
    one.cool("rate_limit", 90, scope)
    assert one.look(59) == [], "a longer pause is no change"
    assert one.look(60) == ["alpha is back."]
    again = two.cool("rate_limit", 60, scope, index=1)
    assert two.look() == [f"alpha (ALPHA_KEY_2) is paused until {again} (rate_limit)."]
    assert two.look(61) == ["alpha (ALPHA_KEY_2) is back."]


def test_an_outage_lasts_until_a_request_is_served(said: Any) -> None:
    one = said()
    again = one.cool("unavailable", 30, Scope.PROVIDER, is_outage=True)
    assert one.look() == [f"alpha is paused until {again} (unavailable)."]
    assert one.look(31) == []
    one.ledger.recover(one.enabled.members[0].keys[0], MODEL.id)
    assert one.look() == ["alpha is back."]


def test_another_kind_of_failure_is_a_change(said: Any) -> None:
    one = said()
    one.cool("rate_limit", 60, Scope.ACCOUNT)
    one.look()
    again = one.cool("quota_exhausted", 3600, Scope.ACCOUNT)
    assert one.look() == [f"alpha is paused until {again} (quota_exhausted)."]


def test_a_provider_without_a_model_that_can_answer_is_a_change(said: Any) -> None:
    one = said(2)
    one.cool("rate_limit", 60, Scope.ACCOUNT_MODEL)
    assert one.look() == [], "the other key can ask it"
    one.cool("rate_limit", 90, Scope.ACCOUNT_MODEL, index=1)
    assert [line.partition(",")[0] for line in one.look()] == ["alpha: all free models are paused"]
    assert one.look(61) == ["alpha is back."]


def test_a_limit_that_an_upstream_calls_used_up_is_a_pause(said: Any) -> None:
    one = said()
    day = Limit(unit="requests", amount=50, window="day", scope=Scope.ACCOUNT, source="made up", checked="2026-12-01")
    one.ledger.quotas.follow({"alpha": (day,)}, QuotaMode.ON)
    key, now = one.enabled.members[0].keys[0], one.clock()
    one.ledger.quotas.tell(key, [Quota(limit_name="rpd", remaining=20, reset_at=now + 900)], now)
    assert one.look() == []
    one.ledger.quotas.tell(key, [Quota(limit_name="rpd", remaining=0, reset_at=now + 900)], now)
    again = time.strftime("%H:%M:%S", time.localtime(now + 900))
    assert one.look() == [f"alpha is paused until {again} (quota_exhausted)."]
    assert one.look(after_s=901) == ["alpha is back."]
