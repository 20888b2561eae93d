"""The table of the walk, row by row: what is cooled, how long, and what is tried next."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fake_upstream
from freeride_core.answer import ErrorKind, Failure, Scope
from freeride_core.gateway.walk.reaction import (
    LONGEST_S,
    TABLE,
    UNKNOWN,
    Reaction,
    cooldown_s,
    cooled_scope,
    reaction_to,
)

NOW = 1_795_406_400.0
KEY, ACCOUNT, ACCOUNT_MODEL, MODEL, PROVIDER = Scope
NARROW = (ACCOUNT_MODEL, MODEL)


def wait(
    kind: str, *, scope: Scope | None = None, retry_in: float | None = None, strikes: int = 1, meter: Scope = ACCOUNT
) -> float:
    """Seconds that a failure cools what it cools."""
    failure = Failure(kind=kind, scope=scope, retry_at=None if retry_in is None else NOW + retry_in)
    reaction = reaction_to(failure)
    return cooldown_s(failure, reaction, scope_of(kind, scope, meter), strikes, NOW)


def scope_of(kind: str, scope: Scope | None = None, meter: Scope = ACCOUNT) -> Scope:
    failure = Failure(kind=kind, scope=scope)
    return cooled_scope(failure, reaction_to(failure), fake_upstream.provider("double", meter=meter))


def what(kind: str) -> Reaction:
    return reaction_to(Failure(kind=kind))


def test_every_kind_has_its_row() -> None:
    assert set(TABLE) == set(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("scope", Scope)
def test_what_the_upstream_names_is_what_is_cooled(kind: ErrorKind, scope: Scope) -> None:
    assert scope_of(kind, scope) is scope


# rate_limit


@pytest.mark.parametrize("meter", Scope)
def test_a_rate_limit_cools_what_the_upstream_meters(meter: Scope) -> None:
    assert what("rate_limit").cools
    assert scope_of("rate_limit", meter=meter) is meter


@pytest.mark.parametrize("scope", Scope)
def test_a_rate_limit_without_a_hint_lasts_two_minutes_or_one_for_a_model(scope: Scope) -> None:
    expected = 60 if scope in NARROW else 120
    assert [wait("rate_limit", scope=scope, strikes=strikes) for strikes in (1, 2, 50)] == [expected] * 3
    assert wait("rate_limit", meter=scope) == expected


# quota_exhausted


def test_a_used_up_quota_cools_the_account_for_an_hour() -> None:
    assert what("quota_exhausted").cools
    assert {scope_of("quota_exhausted", meter=meter) for meter in Scope} == {ACCOUNT}
    assert {wait("quota_exhausted", scope=scope, strikes=strikes) for scope in Scope for strikes in (1, 9)} == {3600}


# auth


def test_a_refused_key_is_cooled_for_five_minutes_doubling_to_an_hour() -> None:
    assert what("auth").cools
    assert {scope_of("auth", meter=meter) for meter in Scope} == {KEY}
    assert [wait("auth", strikes=strikes) for strikes in range(1, 8)] == [300, 600, 1200, 2400, 3600, 3600, 3600]


# model_not_found


def test_a_model_that_is_not_there_is_cooled_for_ten_minutes() -> None:
    assert what("model_not_found").cools
    assert {scope_of("model_not_found", meter=meter) for meter in Scope} == {MODEL}
    assert {wait("model_not_found", strikes=strikes) for strikes in (1, 2, 9)} == {600}


@pytest.mark.parametrize("kind", ["auth", "model_not_found"])
def test_no_hint_shortens_or_lengthens_what_time_does_not_mend(kind: str) -> None:
    assert {wait(kind, retry_in=hint) for hint in (0, 1, 80_000)} == {wait(kind)}


# unsupported, context_length, too_large


@pytest.mark.parametrize(
    ("kind", "remembers_feature", "remembers_size", "answers"),
    [("unsupported", True, False, 400), ("context_length", False, True, 400), ("too_large", False, True, 413)],
)
def test_what_a_model_cannot_do_is_remembered_and_cools_nothing(
    kind: str, remembers_feature: bool, remembers_size: bool, answers: int
) -> None:
    assert what(kind) == Reaction(
        leaves_model=True, remembers_feature=remembers_feature, remembers_size=remembers_size, answers=answers
    )


# unavailable, timeout, network

OUTAGES = pytest.mark.parametrize("kind", ["unavailable", "timeout", "network"])


@OUTAGES
def test_an_outage_cools_the_model_for_half_a_minute_doubling_to_ten(kind: str) -> None:
    assert what(kind).cools
    assert what(kind).is_outage
    assert {scope_of(kind, meter=meter) for meter in Scope} == {MODEL}
    assert [wait(kind, strikes=strikes) for strikes in range(1, 8)] == [30, 60, 120, 240, 480, 600, 600]
    assert [wait(kind, scope=PROVIDER, strikes=strikes) for strikes in (1, 2)] == [30, 60]


@OUTAGES
def test_an_outage_that_says_how_long_it_lasts_is_believed(kind: str) -> None:
    assert wait(kind, retry_in=40) == 40
    assert wait(kind, retry_in=7, strikes=5) == 7
    assert wait(kind, retry_in=4000) == 4000


def test_nothing_else_is_an_outage() -> None:
    assert {kind for kind, reaction in TABLE.items() if reaction.is_outage} == {"unavailable", "timeout", "network"}


# protocol, bad_request, content_filter


@pytest.mark.parametrize("kind", ["a_kind_of_tomorrow", ""])
def test_what_nobody_understands_cools_nothing_and_the_next_is_tried(kind: str) -> None:
    assert what(kind) == UNKNOWN == Reaction()
    assert not UNKNOWN.cools
    assert not UNKNOWN.is_final
    assert not UNKNOWN.leaves_model
    assert UNKNOWN.answers == 503


def test_nonsense_cools_nothing_and_another_provider_is_tried() -> None:
    assert what("protocol") == Reaction(leaves_provider=True)


@pytest.mark.parametrize("kind", ["bad_request", "content_filter"])
def test_the_clients_own_fault_ends_the_walk_and_is_held_against_nobody(kind: str) -> None:
    assert what(kind) == Reaction(is_final=True, answers=400)


def test_nothing_else_ends_the_walk() -> None:
    assert {kind for kind, reaction in TABLE.items() if reaction.is_final} == {"bad_request", "content_filter"}


def test_a_client_never_sees_a_status_on_which_it_would_bench_its_key() -> None:
    assert {reaction.answers for reaction in TABLE.values()} == {400, 413, 503}


# Hints


@pytest.mark.parametrize("kind", ["rate_limit", "quota_exhausted", "unavailable", "timeout", "network"])
@pytest.mark.parametrize(
    ("retry_in", "expected"),
    [(0.0, 0.0), (1.0, 1.0), (37.0, 37.0), (86_400.0, 86_400.0), (86_401.0, 86_400.0), (1e12, 86_400.0)],
)
def test_a_hint_counts_as_it_is_up_to_a_day(kind: str, retry_in: float, expected: float) -> None:
    for scope in Scope:
        for strikes in (1, 7):
            assert wait(kind, scope=scope, retry_in=retry_in, strikes=strikes) == expected


def test_a_hint_that_ran_out_while_it_was_read_is_no_wait() -> None:
    assert wait("rate_limit", retry_in=-0.01) == 0
    assert wait("rate_limit", retry_in=-1.0) == 0


@pytest.mark.parametrize("retry_in", [-1.01, -60.0, -1e9, -math.inf])
def test_a_hint_of_the_past_is_none(retry_in: float) -> None:
    assert wait("rate_limit", retry_in=retry_in) == 120
    assert wait("unavailable", retry_in=retry_in, strikes=2) == 60


def test_a_senseless_hint_is_none() -> None:
    assert wait("rate_limit", retry_in=math.nan) == 120
    assert wait("rate_limit", retry_in=math.inf) == LONGEST_S


@given(
    st.sampled_from([*ErrorKind, "tomorrow"]),
    st.sampled_from(Scope),
    st.none() | st.floats(),
    st.integers(min_value=1, max_value=10**6),
)
def test_no_wait_is_longer_than_a_day_or_less_than_nothing(
    kind: str, scope: Scope, retry_in: float | None, strikes: int
) -> None:
    assert 0 <= wait(kind, scope=scope, retry_in=retry_in, strikes=strikes) <= LONGEST_S


@given(st.sampled_from(sorted(TABLE)), st.integers(min_value=1, max_value=60))
def test_waiting_only_grows_with_failures_in_a_row(kind: str, strikes: int) -> None:
    assert wait(kind, strikes=strikes) <= wait(kind, strikes=strikes + 1)


def test_a_reaction_cannot_be_changed_on_the_way() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        UNKNOWN.cools = True  # type: ignore[misc]
