"""Keys are checked in the background by calls that are free, and a rejected one cools before any request asks with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from clock import ManualClock
from fake_upstream import key_of, plugins, provider
from freeride_core import Answer, CompatibleProbe, Proof, Provider
from freeride_core.answer import Phase, UpstreamRequest
from freeride_core.gateway.key_watch import KeyWatch
from freeride_core.gateway.walk.enabled import EnabledProviders, enabled_providers
from freeride_core.ledger.readiness import Ledger, Readiness
from freeride_core.ledger.usage import DayUsage
from freeride_core.settings.resolver import load_settings

QUOTA = CompatibleProbe(path="/quota", describe=lambda body: Proof(valid=True, note=body["note"]))


def _phase(status: int) -> Phase:
    return Phase.BODY if status == 200 else Phase.STATUS


class Watched:
    """A watch over alpha's keys, with an upstream that answers as a test says."""

    def __init__(self, enabled: EnabledProviders) -> None:
        self.enabled = enabled
        self.clock = ManualClock()
        self.ledger = Ledger(self.clock, lambda _: None)
        self.status: int | BaseException = 200
        self.seen: list[UpstreamRequest] = []
        self._watch = KeyWatch(self._fetch, self.ledger)

    async def _fetch(self, _: Provider, request: UpstreamRequest) -> Answer:
        self.seen.append(request)
        if isinstance(self.status, BaseException):
            raise self.status
        return Answer(self.status, {}, b'{"note": "38 of 50 left"}', self.clock(), _phase(self.status))

    def check(self, after_s: float = 0.0) -> int:
        """How many requests it took."""
        self.clock.now += after_s
        before = len(self.seen)
        asyncio.run(self._watch.check(self.enabled))
        return len(self.seen) - before

    @property
    def readiness(self) -> list[Readiness]:
        return [self.ledger.state(key, "double/one").readiness for key in self.enabled.members[0].keys]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watched]:
    def make(probe: CompatibleProbe | None = QUOTA, **more: Any) -> Watched:
        monkeypatch.setenv("ALPHA_KEY", key_of("alpha"))
        double = provider("alpha", **more)
        double.probe = probe
        return Watched(enabled_providers(load_settings(), plugins(double).providers))

    return make


def test_a_good_key_is_checked_once_and_what_is_left_is_remembered(watched: Any) -> None:
    one = watched()
    assert one.check() == 1
    assert {request.method for request in one.seen} == {"GET"}
    found = one.ledger.key_checks.of(one.enabled.members[0].keys[0])
    assert (found.is_accepted, found.note, found.checked_at) == (True, "38 of 50 left", one.clock())
    assert one.check(3600) == 0
    assert one.readiness == [Readiness.READY]


def test_while_its_key_is_used_a_quota_is_asked_for_every_quarter_of_an_hour(watched: Any) -> None:
    one = watched()
    one.check()
    one.ledger.usage.today = lambda: {"alpha": DayUsage(requests=3)}
    assert one.check(800) == 0
    assert one.check(101) == 1
    assert one.check(901) == 0, "nothing was used since"


def test_a_rejected_key_cools_and_is_checked_when_that_is_over(watched: Any) -> None:
    one = watched()
    one.status = 401
    assert one.check() == 1
    assert one.readiness == [Readiness.COOLING]
    assert one.check(299) == 0
    assert one.check(2) == 1
    assert one.readiness == [Readiness.COOLING], "for twice as long"
    assert one.check(301) == 0
    one.status = 200
    assert one.check(300) == 1
    assert one.readiness == [Readiness.READY]


@pytest.mark.parametrize("fault", [OSError("down"), KeyError("note"), SystemExit()])
def test_a_check_that_fails_says_nothing_and_is_made_again_later(watched: Any, fault: BaseException) -> None:
    one = watched()
    one.status = fault
    assert one.check() == 1
    assert one.readiness == [Readiness.READY]
    assert one.check(299) == 0
    assert one.check(2) == 1


@pytest.mark.parametrize(
    ("status", "readiness"), [(401, Readiness.COOLING), (200, Readiness.READY), (500, Readiness.READY)]
)
def test_without_a_probe_the_list_of_models_tells(watched: Any, status: int, readiness: Readiness) -> None:
    one = watched(None, lists=True)
    one.status = status
    one.check()
    assert {request.url.rpartition("/")[2] for request in one.seen} == {"models"}
    assert one.readiness == [readiness]


def test_a_provider_that_nothing_can_be_asked_of_for_free_is_not_asked(watched: Any) -> None:
    assert watched(None).check() == 0
