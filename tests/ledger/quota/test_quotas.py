"""What is believed of limits: refusals lower them, served requests raise them, and guesses are doubted."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core import Call, Key, Limit, LimitKind, Model, Operation, Quota, Scope
from freeride_core.events.usage import Usage
from freeride_core.ledger.accounts import Accounts
from freeride_core.ledger.quota.claim import Claim
from freeride_core.ledger.quota.quotas import QuotaMode, Quotas
from freeride_core.ledger.quota.reservation import Reservation, Settlement
from freeride_core.ledger.store.store import Entry

START = 1_790_000_000.0
MODEL = Model(id="m/one", canonical="m/one", costs={"neurons": (0.01, 0.1)})
KEY = Key(provider="alpha", secret="s", fingerprint="f" * 12, index=0, variable="A", base_url="https://a.invalid")


@dataclass(frozen=True)
class MeteredCandidate:
    """A candidate."""

    model: Model = MODEL
    key: Key = KEY

    @property
    def pair(self) -> tuple[str, str]:
        return self.key.provider, self.model.id

    @property
    def name(self) -> tuple[str, str, str]:
        return (*self.pair, self.key.fingerprint)


@dataclass
class QuotaDesk:
    """Quotas under a clock of the test's, over an upstream that takes `truth` requests in a rolling minute."""

    limits: tuple[Limit, ...]
    now: float = START
    truth: int = 20
    kept: list[Entry] = field(default_factory=list)
    admitted: list[float] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.kept.append)
        self.quotas = Quotas(lambda: self.now, self.kept.append, self.accounts)
        self.quotas.follow({"alpha": self.limits}, QuotaMode.ON)

    def wait(self, size: int = 100, **more: Any) -> float:
        return self.claim(size, **more).wait(self.now)

    def claim(self, size: int = 100, **more: Any) -> Claim:
        claim = self.quotas.claim(MeteredCandidate(), call(size, **more))
        assert claim is not None
        return claim

    def reserve(self, size: int = 100, *, is_doubt: bool = False, **more: Any) -> Reservation:
        return Reservation(self.claim(size, **more), self.now, self.now, is_doubt=is_doubt)

    def ask(self) -> bool | None:
        """Send one request if there is room or doubt. None: it was not sent."""
        is_doubt = self.wait() > 0
        if is_doubt and not self.claim().doubt(self.now):
            return None
        reservation = self.reserve(is_doubt=is_doubt)
        self.admitted = [at for at in self.admitted if self.now - at < 60]
        if len(self.admitted) < self.truth:
            self.admitted.append(self.now)
            reservation.settle_usage(Usage(input=30, output=10), self.now)
            return True
        reservation.settle(Settlement.REFUSED)
        self.refused += 1
        self.claim().refuse(None, None, 60.0, self.now)
        return False


def call(size: int = 100, *, asked: int = 0, operation: Operation = Operation.CHAT) -> Call:
    return Call(
        operation=operation, model="m/one", stream=False, pairs=(), body=b"x" * size, fields={}, output_tokens=asked
    )


def limit(unit: str = "requests", amount: float = 20, window: str = "minute", **more: Any) -> Limit:
    return Limit(
        unit=unit,
        amount=amount,
        window=window,
        source="made up",
        checked="2026-12-01",
        **{"scope": Scope.ACCOUNT, **more},
    )


@pytest.mark.parametrize("published", [2, 5, 20, 40, 200])
def test_a_limit_that_is_published_wrongly_is_found_out(published: int) -> None:
    desk = QuotaDesk((limit(amount=published),))
    served = 0
    for second in range(1200):
        desk.now = START + second
        for _ in range(2):  # 120 requests a minute are wanted, and 20 are to be had
            served += desk.ask() is True
    late = served / (20 * 20)
    assert late >= 0.85, served
    assert desk.refused <= 12, desk.refused


@pytest.mark.parametrize("seed", range(3))
def test_refusals_by_chance_cost_little(seed: int) -> None:
    chance = random.Random(seed)
    desk = QuotaDesk((limit(amount=20),))
    served = {True: 0, False: 0}
    for crowded in (False, True):
        desk = QuotaDesk((limit(amount=20),))
        for tenth in range(18_000):
            desk.now = START + tenth / 10
            if desk.wait() > 0:
                continue
            reservation = desk.reserve()
            if crowded and chance.random() < 0.05:
                reservation.settle(Settlement.REFUSED)
                desk.claim().refuse(None, None, 60.0, desk.now)
            else:
                reservation.settle_usage(Usage(), desk.now)
                served[crowded] += 1
    assert served[True] >= 0.9 * served[False], served


def test_what_was_lowered_is_tried_again() -> None:
    desk = QuotaDesk((limit(amount=20),), truth=5)
    for second in range(240):
        desk.now = START + second
        desk.ask()
    [allowance] = desk.quotas.allowances()
    assert 5 <= allowance.window.amount <= 8
    desk.truth, served = 20, 0
    for second in range(240, 3000):
        desk.now = START + second
        served += desk.ask() is True
    assert 20 <= allowance.window.amount <= 25
    assert served >= 0.8 * 20 * 46


def test_what_is_told_is_not_doubted() -> None:
    desk = QuotaDesk((limit(amount=20),))
    assert desk.quotas.observe(
        MeteredCandidate(), Operation.CHAT, [Quota(limit_name="rpm", remaining=0, reset_at=START + 50)], START
    )
    for second in range(50):
        desk.now = START + second
        assert desk.wait() == pytest.approx(50.02 - second)
        assert not desk.claim().doubt(desk.now)
    desk.now = START + 51
    assert desk.wait() == 0


def test_a_limit_that_is_told_counts_at_once_and_both_ways() -> None:
    desk = QuotaDesk((limit(amount=20),))
    for amount in (5.0, 60.0):
        desk.quotas.observe(MeteredCandidate(), Operation.CHAT, [Quota(limit_name="rpm", limit=amount)], START)
        [allowance] = desk.quotas.allowances()
        assert allowance.window.amount == amount
    assert not desk.quotas.observe(
        MeteredCandidate(), Operation.CHAT, [Quota(limit_name="nothing of it", limit=1)], START
    )


def test_what_is_cached_counts_where_it_does() -> None:
    for counts_cached, used in ((True, 1100.0), (False, 200.0)):
        desk = QuotaDesk((limit("tokens", 10_000, counts_cached=counts_cached),))
        desk.reserve(4000).settle_usage(Usage(input=1000, output=100, cached=900), START)
        [allowance] = desk.quotas.allowances()
        assert allowance.window.used(START) == pytest.approx(used)


@pytest.mark.parametrize(
    ("unit", "size", "need"),
    [("requests", 3600, 1), ("tokens", 3600, 1400), ("tokens_in", 3600, 1000), ("neurons", 3600, 50), ("tea", 3600, 0)],
)
def test_a_request_takes_what_its_unit_says(unit: str, size: int, need: float) -> None:
    desk = QuotaDesk((limit(unit, 10_000),))
    assert desk.reserve(size).claim.needs == pytest.approx((need,))


def test_what_models_report_corrects_the_estimate() -> None:
    desk = QuotaDesk((limit("tokens_in", 10_000, "day"),))
    assert desk.reserve(3600).claim.needs == pytest.approx((1000,))
    desk.quotas.sizes.learn(("alpha", "m/one"), 3600, Usage(input=1800, output=10))  # a dense prompt
    assert desk.reserve(3600).claim.needs == pytest.approx((1800,))
    for _ in range(40):
        desk.quotas.sizes.learn(("alpha", "m/one"), 3600, Usage(input=900, output=10))
    assert desk.reserve(3600).claim.needs == pytest.approx((900,), rel=0.05)


def test_one_at_a_time_is_a_queue() -> None:
    desk = QuotaDesk((limit("concurrency", 1, kind=LimitKind.CONCURRENCY),))
    first = desk.reserve()
    assert desk.wait() > 0
    first.close()
    assert desk.wait() == 0
    second = desk.reserve()
    second.settle(Settlement.UNSENT)
    second.close()
    assert desk.wait() == 0


@given(st.lists(st.sampled_from([*Settlement, "usage", "close"]), min_size=1, max_size=5), st.booleans())
def test_a_reservation_is_settled_once(ends: list[Settlement | str], is_stream: bool) -> None:
    desk = QuotaDesk((limit(), limit("tokens", 10_000), limit("concurrency", 3, kind=LimitKind.CONCURRENCY)))
    reservation = desk.reserve(3600)

    def used() -> list[float]:
        return [allowance.window.used(START) for allowance in desk.quotas.allowances()]

    seen = []
    for end in ends:
        if isinstance(end, Settlement):
            reservation.settle(end)
        elif end == "usage":
            reservation.settle_usage(Usage(input=500), START)
        else:
            reservation.close()
        seen.append(used()[:2])
    assert all(each == seen[0] for each in seen)
    reservation.close()
    assert used()[2] == 0


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 4)), max_size=30))
def test_what_is_saved_is_believed_after_a_restart(steps: list[tuple[float, int]]) -> None:
    limits = (limit(amount=5), limit("tokens", 3000, kind=LimitKind.LEAKY), limit(amount=30, window="day"))
    desk = QuotaDesk(limits)
    for pause, turn in steps:
        desk.now += pause
        if turn == 0:
            desk.claim().refuse(None, desk.now + 20, 60.0, desk.now)
        elif turn == 1:
            desk.quotas.observe(
                MeteredCandidate(), Operation.CHAT, [Quota(limit_name="rpd", limit=50, used=40)], desk.now
            )
        elif desk.wait() == 0:
            desk.reserve()
    desk.quotas.save(desk.now)
    later = QuotaDesk(limits, now=desk.now)
    later.quotas.apply([entry for entry in desk.kept if entry.section == "quota"])
    for ahead in (0.0, 15.0, 70.0):
        desk.now = later.now = desk.now + ahead
        assert later.wait() == pytest.approx(desk.wait(), abs=0.01)


@pytest.mark.parametrize("value", [None, 5, [], {}, {"used": 1}, {"used": [["x", "y"]], "source": "told"}])
def test_a_damaged_entry_is_counted_from_here_on(value: Any) -> None:
    desk = QuotaDesk((limit(),))
    desk.quotas.apply([Entry("quota", '["rpm", "alpha", "account:ffffffffffff", "*"]', value)])
    assert desk.wait() == 0


@pytest.mark.parametrize(("asked_at", "used"), [(START - 1, 30.0), (START + 1, 10.0)], ids=["older", "newer"])
def test_what_was_sent_later_is_not_in_what_is_told(asked_at: float, used: float) -> None:
    """A response that was asked for before others took their part can raise what is counted, and not lower it."""
    desk = QuotaDesk((limit(amount=100),))
    for _ in range(30):
        desk.reserve()
    [allowance] = desk.quotas.allowances()
    allowance.observe(Quota(limit_name="rpm", limit=100, remaining=90), START + 2, asked_at)
    assert allowance.window.used(START + 2) == used
    allowance.observe(Quota(limit_name="rpm", limit=100, remaining=20), START + 2, asked_at)
    assert allowance.window.used(START + 2) == 80


def test_what_a_probe_tells_is_of_the_account() -> None:
    desk = QuotaDesk((limit(amount=50, window="day"), limit(amount=5, scope=Scope.ACCOUNT_MODEL)))
    desk.quotas.tell(KEY, [Quota(limit_name="rpd", limit=1000, remaining=940), Quota(limit_name="rpm", limit=1)], START)
    desk.reserve()
    day, minute = (allowance.window for allowance in desk.quotas.allowances())
    assert (day.amount, day.used(START), minute.amount) == (1000, 61, 5)
