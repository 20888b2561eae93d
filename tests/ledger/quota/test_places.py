"""Places for later, and what takes them: they hold back no one else, and nothing is sent to one that is shut."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeride_core import Model, Operation, Quota, Scope
from freeride_core.events.usage import Usage
from freeride_core.ledger.quota.reservation import Reservation, Settlement
from freeride_core.ledger.quota.rolling import RollingWindow
from freeride_core.ledger.quota.window import LeakyWindow, Window
from ledger.quota.test_quotas import KEY, START, MeteredCandidate, QuotaDesk, call, limit

KINDS: dict[str, Callable[[], Window]] = {
    "rolling": lambda: RollingWindow(10.0, 60.0),
    "leaky": lambda: LeakyWindow(10.0, 60.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_taken_for_later_is_not_used_yet(kind: str) -> None:
    window = KINDS[kind]()
    window.take(8, START, START)
    window.take(6, START + 61, START)
    assert window.used(START) == 8
    assert window.used(START + 61) == pytest.approx(6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_upstreams_count_leaves_what_is_taken_for_later(kind: str) -> None:
    window = KINDS[kind]()
    window.take(10, START, START)
    window.take(5, START + 61, START)
    window.believe(9, START + 1, None)
    assert window.used(START + 61) >= 5


def test_a_place_for_later_does_not_move_what_a_day_has_used() -> None:
    window = RollingWindow(100.0, 86_400.0)
    window.take(90, START, START)
    window.take(5, START + 20, START)
    assert window.used(START) == 90


STEPS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 6), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=50)
@given(STEPS)
def test_room_that_is_given_back_is_used_and_no_place_is_lost(steps: list[tuple[float, int, bool]]) -> None:
    """Clients wait for their places, and some give them back."""
    window: Window = RollingWindow(10.0, 60.0)
    now, sent = START, []
    for pause, need, stays in steps:
        now += pause
        wait = window.wait(need, now)
        assert 0 <= wait < math.inf
        window.take(need, now + wait, now)
        if stays:
            sent.append((now + wait, need))
        else:
            window.give(need, now + wait)
    assert all(sum(need for at, need in sent if end - 60 < at <= end) <= 10 for end, _ in sent)


def test_a_newcomer_takes_room_that_was_given_back() -> None:
    window = RollingWindow(10.0, 60.0)
    window.take(10, START, START)
    window.take(2, START + 61, START + 1)
    window.give(3, START)
    assert window.wait(3, START + 2) == 0
    assert window.wait(4, START + 2) == pytest.approx(58.1)


def test_what_waits_in_a_place_is_no_reason_to_doubt() -> None:
    desk = QuotaDesk((limit(amount=1),))
    desk.reserve()
    Reservation(desk.claim(), START + 61, START)
    desk.now = START + 55
    assert not desk.claim().doubt(desk.now)


def test_only_what_was_doubted_is_raised() -> None:
    desk = QuotaDesk((limit(amount=1), limit(amount=2, window="day")))
    minute, day = (share.allowance for share in desk.claim().meter.shares)
    desk.reserve()
    desk.now = START + 10
    reservation = desk.reserve(is_doubt=True)
    Reservation(desk.claim(), START + 300, desk.now)
    reservation.settle_usage(Usage(input=30, output=10), desk.now)
    assert minute.window.amount > 1
    assert day.window.amount == 2


def test_few_requests_go_in_vain_to_doubt_what_is_published() -> None:
    names = [f"m/{number}" for number in range(20)]
    desk = QuotaDesk((limit(amount=1, scope=Scope.ACCOUNT_MODEL),))
    claims = [desk.quotas.claim(MeteredCandidate(Model(id=name, canonical=name)), call()) for name in names]
    for claim in claims:
        assert claim is not None
        Reservation(claim, START, START)
    doubted = sum(desk.quotas.doubt(claim, START + 10) for claim in claims if claim is not None)
    assert 1 <= doubted <= 3


def test_a_place_is_shut_by_the_upstreams_word_only() -> None:
    desk = QuotaDesk((limit(amount=1),))
    desk.reserve()
    place = Reservation(desk.claim(), START + 61, START)
    desk.claim().refuse(None, None, 60.0, START + 58)
    assert not place.is_shut(START + 61)
    desk.claim().refuse(None, START + 90, 60.0, START + 59)
    assert place.is_shut(START + 61)
    assert not place.is_shut(START + 91)


@pytest.mark.parametrize("levels", [(20, 20, 30), (20, 35), (20, 9, 20), (20, 20)])
def test_refusals_at_other_levels_are_a_crowd(levels: tuple[int, ...]) -> None:
    desk = QuotaDesk((limit(amount=40),))
    [share] = desk.claim().meter.shares
    for level in levels:
        desk.now += 120
        for _ in range(level):
            desk.reserve()
        desk.claim().refuse(None, None, 60.0, desk.now)
    assert share.allowance.window.amount == 40


def test_refusals_at_one_level_are_a_limit() -> None:
    desk = QuotaDesk((limit(amount=40),))
    [share] = desk.claim().meter.shares
    for _ in range(20):
        desk.reserve()
    for _ in range(3):
        desk.now += 7
        desk.claim().refuse(None, None, 60.0, desk.now)
    assert share.allowance.window.amount == 20


def test_an_account_that_becomes_known_has_used_what_its_key_has() -> None:
    desk = QuotaDesk((limit(amount=2),))
    held = desk.reserve()
    desk.accounts.link(KEY, "org_1")
    desk.reserve()
    assert desk.wait() > 0
    held.settle(Settlement.UNSENT)
    assert desk.wait() == 0
    [allowance] = desk.quotas.allowances()
    assert allowance.subject.who == desk.accounts.of(KEY)
    desk.quotas.save(desk.now)
    assert [entry.value is None for entry in desk.kept if entry.section == "quota"] == [True, False]


def test_what_the_upstream_says_is_never_admitted_is_not_tried() -> None:
    for limit_told, is_doubted in ((None, True), (8000.0, False)):
        desk = QuotaDesk((limit("tokens", 8000, reserve=1024),))
        told = Quota(limit_name="tpm", limit=limit_told, remaining=8000)
        desk.quotas.observe(MeteredCandidate(), Operation.CHAT, [told], START)
        assert desk.claim(90_000).doubt(START + 600) is is_doubted
