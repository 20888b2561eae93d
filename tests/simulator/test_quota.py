"""Buckets deplete and come back as their upstreams' do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.compatible import retry_after
from freeride_core.simulator.profile import PlayedQuota
from freeride_core.simulator.quota import Bucket, Demand, PlayedMeter, QuotaStatus, go_duration

MIDNIGHT = 1_795_392_000.0  # 2026-11-23T00:00:00Z


def quota(**changes: Any) -> PlayedQuota:
    fields: dict[str, Any] = {
        "name": "q", "unit": "requests", "amount": 2, "window": "minute", "kind": "fixed", "scope": "account",
        "case": "rate-limited",
    }  # fmt: skip
    return PlayedQuota(**(fields | changes))


def demand(**changes: Any) -> Demand:
    fields: dict[str, Any] = {
        "key": "k1", "account": "a", "model": "m", "operation": "chat.completions",
        "prompt_tokens": 10, "answer_tokens": 5, "asked_tokens": 0,
    }  # fmt: skip
    return Demand(**(fields | changes))


def test_a_fixed_window_starts_with_its_first_request_and_ends_at_once() -> None:
    bucket = Bucket(quota())
    bucket.charge(1, 100)
    bucket.charge(1, 130)

    assert bucket.wait_s(1, 130) == 30
    assert bucket.wait_s(1, 159.9) == pytest.approx(0.1)
    assert bucket.wait_s(1, 160) == 0
    assert bucket.reset_s(160) == 0


def test_a_day_ends_at_midnight_utc() -> None:
    bucket = Bucket(quota(kind="day", window="day", amount=1))
    bucket.charge(1, MIDNIGHT + 4 * 3600)

    assert bucket.wait_s(1, MIDNIGHT + 4 * 3600) == 20 * 3600
    assert bucket.used(MIDNIGHT + 86399) == 1
    assert bucket.used(MIDNIGHT + 86400) == 0


def test_a_day_ends_at_midnight_where_the_upstream_lives() -> None:
    bucket = Bucket(quota(kind="day", window="day", amount=1, zone="America/Los_Angeles"))
    bucket.charge(1, MIDNIGHT + 4 * 3600)

    assert bucket.wait_s(1, MIDNIGHT + 4 * 3600) == 4 * 3600
    assert bucket.used(MIDNIGHT + 8 * 3600 - 1) == 1
    assert bucket.used(MIDNIGHT + 8 * 3600) == 0


def test_the_day_on_which_clocks_go_back_is_longer() -> None:
    begin = 1_793_516_400.0  # 2026-11-01T00:00:00-07:00
    bucket = Bucket(quota(kind="day", window="day", amount=1, zone="America/Los_Angeles"))
    bucket.charge(1, begin)

    assert bucket.wait_s(1, begin) == 25 * 3600
    assert bucket.used(begin + 25 * 3600 - 1) == 1
    assert bucket.used(begin + 25 * 3600) == 0


def test_a_leaky_bucket_does_the_published_arithmetic() -> None:
    day = Bucket(quota(kind="leaky", window="day", amount=1000))
    day.charge(1, 0)
    minute = Bucket(quota(kind="leaky", unit="tokens", amount=8000))
    minute.charge(110, 0)

    assert day.reset_s(0) == pytest.approx(86.4)
    assert minute.reset_s(0) == pytest.approx(0.825)
    assert minute.used(0.4125) == pytest.approx(55)


def test_a_leaky_bucket_says_when_a_request_will_fit() -> None:
    bucket = Bucket(quota(kind="leaky", unit="tokens", amount=8000))
    bucket.charge(6493, 0)

    assert bucket.wait_s(2000, 0) == pytest.approx((6493 + 2000 - 8000) * 60 / 8000)


def test_an_allowance_of_nothing_is_always_used_up() -> None:
    for kind in ("fixed", "leaky"):
        assert Bucket(quota(kind=kind, amount=0)).wait_s(1, 0) == 60


@given(
    st.sampled_from(["fixed", "leaky", "day"]),
    st.lists(st.tuples(st.floats(0, 40), st.floats(0, 4)), max_size=30),
)
def test_waiting_as_long_as_a_bucket_says_is_enough(kind: str, charges: list[tuple[float, float]]) -> None:
    bucket = Bucket(quota(kind=kind, amount=10, window="day" if kind == "day" else "minute"))
    now = MIDNIGHT + 1000
    for pause, cost in charges:
        now += pause
        bucket.charge(cost, now)

    wait = bucket.wait_s(1, now)

    assert 0 <= wait <= 86400 * 30
    assert bucket.wait_s(1, now + wait + 1e-3) == 0


@given(st.integers(0, 10**9))
def test_durations_are_read_back_by_the_gateway(milliseconds: int) -> None:
    text = go_duration(milliseconds / 1000)

    read = sum(
        float(amount) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
        for amount, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    )
    assert read == pytest.approx(milliseconds / 1000)
    assert retry_after.duration(text) is not None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.825, "825ms"), (3.697, "3.697s"), (60, "1m0s"), (86.4, "1m26.4s"), (86400, "24h0m0s"), (5184, "1h26m24s")],
)  # fmt: skip
def test_durations_look_as_in_go(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_keys_of_one_account_share_its_bucket_and_a_keys_own_is_not_shared() -> None:
    shared, own = PlayedMeter([quota(amount=1)]), PlayedMeter([quota(amount=1, scope="key")])
    for meter in (shared, own):
        meter.charge(demand(key="k1"), 0)

    assert shared.refusal(demand(key="k2"), 0) == "rate-limited"
    assert own.refusal(demand(key="k2"), 0) is None
    assert own.refusal(demand(key="k1"), 0) == "rate-limited"


def test_a_quota_of_account_and_model_leaves_other_models_alone() -> None:
    meter = PlayedMeter([quota(amount=1, scope="account_model")])
    meter.charge(demand(model="m"), 0)

    assert meter.refusal(demand(model="m"), 0) == "rate-limited"
    assert meter.refusal(demand(model="n"), 0) is None


def test_a_quota_of_one_operation_leaves_the_other_alone() -> None:
    meter = PlayedMeter([quota(amount=0, operation="chat.completions")])

    assert meter.refusal(demand(), 0) == "rate-limited"
    assert meter.refusal(demand(operation="embeddings"), 0) is None


def test_reservation_refuses_what_can_never_fit_with_its_own_case() -> None:
    meter = PlayedMeter([quota(unit="tokens", amount=8000, kind="leaky", too_large="too-large", reserve=1000)])

    assert meter.refusal(demand(asked_tokens=8192), 0) == "too-large"
    assert meter.refusal(demand(prompt_tokens=7001), 0) == "too-large"
    assert meter.refusal(demand(prompt_tokens=7000), 0) is None


def test_a_reserved_request_is_charged_what_it_really_used() -> None:
    meter = PlayedMeter([quota(unit="tokens", amount=8000, kind="leaky", too_large="too-large", reserve=1000)])
    meter.charge(demand(), 0)

    assert meter.standings(demand(), 0)["q"].used == 15


def test_neurons_weigh_prompt_and_answer_differently() -> None:
    meter = PlayedMeter([quota(unit="neurons", amount=100, per_prompt_token=0.5, per_answer_token=2)])
    meter.charge(demand(), 0)

    assert meter.standings(demand(), 0)["q"].used == 15
    meter.charge(demand(prompt_tokens=200), 0)
    assert meter.refusal(demand(), 0) == "rate-limited"


def test_a_standing_is_told_in_all_the_forms_that_upstreams_use() -> None:
    aspects = QuotaStatus(limit=1000, used=2.5, reset_s=179.56, requested=1, wait_s=3.2).aspects(1000.0)

    assert aspects == {
        "limit": "1000",
        "used": "3",
        "remaining": "997",
        "reset_s": "180",
        "reset_ms": "179560",
        "reset_go": "2m59.56s",
        "reset_epoch": "1180",
        "reset_epoch_ms": "1179560",
        "requested": "1",
        "retry_s": "4",
        "retry_go": "3.2s",
    }


@pytest.mark.parametrize(
    ("kind", "window", "back_in_s", "wait_s"),
    [
        ("fixed", "minute", 7.5, 7.5),
        ("fixed", "minute", None, 60),
        ("day", "day", 7.5, 20 * 3600),
        ("leaky", "day", None, 86.4),
    ],
)
def test_a_quota_that_is_used_up_comes_back_as_it_always_does(
    kind: str, window: str, back_in_s: float | None, wait_s: float
) -> None:
    now = MIDNIGHT + 4 * 3600
    meter = PlayedMeter([quota(kind=kind, window=window, amount=1000)])
    meter.charge(demand(), now)

    assert meter.use_up(window, "chat.completions", now, back_in_s)

    for who in (demand(), demand(account="another")):
        assert meter.refusal(who, now) == "rate-limited"
        assert meter.standings(who, now)["q"].wait_s == pytest.approx(wait_s)
        assert meter.refusal(who, now + wait_s - 0.1) == "rate-limited"
        assert meter.refusal(who, now + wait_s + 0.1) is None


def test_requests_are_used_up_before_anything_else_and_other_quotas_stay() -> None:
    meter = PlayedMeter(
        [
            quota(name="neurons", unit="neurons", window="day", kind="day", case="neurons-gone"),
            quota(name="day", window="day", kind="day", case="requests-gone"),
            quota(name="minute"),
        ]
    )

    assert meter.use_up("day", "chat.completions", MIDNIGHT)

    assert meter.refusal(demand(), MIDNIGHT) == "requests-gone"
    assert meter.standings(demand(), MIDNIGHT)["minute"].used == 0
    assert meter.standings(demand(), MIDNIGHT)["neurons"].used == 0


@pytest.mark.parametrize(
    "other",
    [{"window": "day"}, {"operation": "embeddings"}, {"unit": "tokens", "kind": "leaky"}],
    ids=["another window", "another operation", "tokens that leak back at once"],
)
def test_what_nobody_counts_cannot_be_used_up(other: dict[str, Any]) -> None:
    meter = PlayedMeter([quota(amount=100, **other)])

    assert not meter.use_up("minute", "chat.completions", 0)
    assert meter.refusal(demand(), 0) is None
