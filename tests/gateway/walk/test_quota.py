"""Limits over real sockets: what is sent, what waits, and what is told, where there is room for some requests only."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import (
    MODEL,
    FakeUpstream,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    ask_at_once,
    completion,
    good,
    in_turn,
    provider,
    refusal,
    reply,
)
from freeride_core import Limit, LimitKind, Quota, QuotaHeaders, QuotaText, Rule, Scope
from freeride_core.answer import ErrorKind
from freeride_core.ledger.quota.quotas import Quotas

SAYS_NUMBERS = (
    QuotaText(
        pattern=r"\((?P<name>\w+)\): Limit (?P<limit>\d+)(?:, Used (?P<used>\d+))?, Requested (?P<requested>\d+)"
    ),
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


def metered(most: int, says: Callable[[], Script] = lambda: refusal(429)) -> Callable[[ReceivedRequest], Script]:
    """An upstream that answers so many chats, and refuses the others."""
    served: list[ReceivedRequest] = []

    def answer(seen: ReceivedRequest) -> Script:
        if seen.method == "POST":
            served.append(seen)
            if len(served) > most:
                return says()
        return good(seen)

    return answer


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def used(stage: GatewayStage, name: str) -> float:
    """What the gateway counts of the limit; usage is read off the path, within a quarter of a second."""
    quotas = stage.thread.gateway.ledger.quotas
    return sum(each.window.used(time.time()) for each in quotas.allowances() if each.limit.limit_name == name)


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends, "it does not come true"
        time.sleep(0.01)


def asked(upstream: FakeUpstream) -> int:
    return len(upstream.posts)


# What is sent


def test_forty_at_once_send_what_a_minute_takes(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(),)), patience=0) as stage:
        stage["alpha"].answer = metered(20)
        answers = ask_at_once(stage, 40)
    assert statuses(answers) == [200] * 20 + [503] * 20
    assert asked(stage["alpha"]) == 20
    told = [int(answer.headers["retry-after"]) for answer in answers if answer.status_code == 503]
    assert all(50 <= seconds <= 61 for seconds in told), told


def test_what_has_no_room_at_one_goes_to_the_other(tmp_path: Path) -> None:
    providers = (provider("alpha", limits=(limit(),)), provider("beta"))
    with GatewayStage(tmp_path, *providers) as stage:
        stage["alpha"].answer = metered(20)
        answers = ask_at_once(stage, 40)
    assert statuses(answers) == [200] * 40
    assert (asked(stage["alpha"]), asked(stage["beta"])) == (20, 20)


@pytest.mark.parametrize(
    ("settings", "sent", "counted"),
    [
        ({"quota": "off"}, 30, 0),
        ({"quota": "watch"}, 30, 30),
        ({"alpha_limits": "none"}, 30, 0),
        ({"alpha_limits": "rpm=2"}, 2, 2),
    ],
)
def test_the_user_says_what_counts(tmp_path: Path, settings: dict[str, Any], sent: int, counted: int) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(),)), patience=0, **settings) as stage:
        ask_at_once(stage, 30)
        assert asked(stage["alpha"]) == sent
        assert used(stage, "rpm") == counted


def test_two_keys_of_two_accounts_have_two_limits(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(),)), keys={"alpha": 2}, patience=0) as stage:
        assert statuses(ask_at_once(stage, 50)) == [200] * 40 + [503] * 10


def test_chats_leave_room_for_embeddings(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(amount=1),), embeds=True), patience=0) as stage:
        assert [stage.ask().status_code for _ in range(2)] == [200, 503]
        assert stage.embed("double/embedder").status_code != 503


def test_a_request_of_more_than_a_minute_is_asked_elsewhere(tmp_path: Path) -> None:
    providers = (provider("alpha", limits=(limit("tokens", 3000, reserve=100),)), provider("beta"))
    large = [{"role": "user", "content": "word " * 4000}]
    with GatewayStage(tmp_path, *providers) as stage:
        assert stage.ask(messages=large).headers["x-freeride-provider"] == "beta"
        assert stage.ask().headers["x-freeride-provider"] == "alpha"


def test_a_request_that_fits_nowhere_is_asked_once_all_the_same(tmp_path: Path) -> None:
    large = [{"role": "user", "content": "word " * 4000}]
    with GatewayStage(tmp_path, provider("alpha", limits=(limit("tokens", 3000, reserve=100),))) as stage:
        stage["alpha"].answer = always(refusal(413, "Request too large (TPM): Limit 3000, Requested 5000"))
        answer = stage.ask(messages=large)
        assert (answer.status_code, answer.json()["error"]["message"]) == (
            413,
            "Request too large (TPM): Limit 3000, Requested 5000",
        )
        assert asked(stage["alpha"]) == 1


@pytest.mark.parametrize(("wanted", "sent"), [(8192, 7900), (700, 700), (None, None)])
def test_no_more_is_reserved_than_a_minute_has(tmp_path: Path, wanted: int | None, sent: int | None) -> None:
    limits = (limit("tokens", 8000, kind=LimitKind.LEAKY, reserve=1000),)
    with GatewayStage(tmp_path, provider("alpha", limits=limits)) as stage:
        asks: dict[str, Any] = {} if wanted is None else {"max_tokens": wanted}
        assert stage.ask(**asks).status_code == 200
        arrived = stage["alpha"].posts[0].json.get("max_tokens")
        assert arrived == sent or (sent == 7900 and 7900 <= arrived < 8000)


# What refusals say


def test_a_refused_large_prompt_shuts_nothing_for_small_ones(tmp_path: Path) -> None:
    limits = (limit("tokens", 100_000, kind=LimitKind.LEAKY, reserve=100),)
    says = refusal(413, "Request too large (TPM): Limit 3000, Requested 5500", type="tokens")
    large = [{"role": "user", "content": "word " * 4000}]
    with GatewayStage(tmp_path, provider("alpha", limits=limits, quota_texts=SAYS_NUMBERS), provider("beta")) as stage:
        stage["alpha"].answer = in_turn(says)
        assert stage.ask(messages=large).headers["x-freeride-provider"] == "beta"
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
        assert stage.ask(messages=large).headers["x-freeride-provider"] == "beta"
        assert asked(stage["alpha"]) == 2


def test_numbers_shut_only_what_does_not_fit(tmp_path: Path) -> None:
    limits = (limit("tokens", 8000, kind=LimitKind.LEAKY, reserve=10),)
    says = refusal(429, "Rate limit reached (TPM): Limit 8000, Used 6493, Requested 5500. Please try again in 29.9s.")
    large = [{"role": "user", "content": "word " * 4000}]
    with GatewayStage(tmp_path, provider("alpha", limits=limits, quota_texts=SAYS_NUMBERS), provider("beta")) as stage:
        stage["alpha"].answer = in_turn(says)
        assert stage.ask(messages=large).headers["x-freeride-provider"] == "beta"
        assert not stage.cooled()
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
        assert stage.ask(messages=large).headers["x-freeride-provider"] == "beta"
        assert asked(stage["alpha"]) == 2


@pytest.mark.parametrize(
    ("headers", "rules", "window", "waits_s"),
    [
        ({"retry-after": "41"}, (), "minute", 41),
        ({}, (), "minute", 6),
        ({}, (Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, limit="rpd"),), "day", None),
        ({"retry-after": "500"}, (Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, limit="rpd"),), "day", 500),
    ],
    ids=["a hint", "no hint", "the day", "the day, and when"],
)
def test_a_refusal_shuts_the_limit_it_is_about(
    tmp_path: Path, headers: dict[str, str], rules: tuple[Rule, ...], window: str, waits_s: float | None
) -> None:
    limits = (limit(window=window), limit("tokens", 1e6, "day"))
    with GatewayStage(tmp_path, provider("alpha", limits=limits, rules=rules), patience=0) as stage:
        stage["alpha"].answer = always(refusal(429, "no", headers))
        first, second = stage.ask(), stage.ask()
        assert (first.status_code, second.status_code, asked(stage["alpha"])) == (503, 503, 1)
        assert not stage.cooled()
        told = int(second.headers["retry-after"])
        assert waits_s is None or abs(told - waits_s) <= 2, told
        assert second.json()["error"]["code"] == ("rate_limit" if window == "minute" else "quota_exhausted")


@pytest.mark.parametrize(
    ("scope", "hint"),
    [(Scope.MODEL, None), (Scope.KEY, None), (Scope.ACCOUNT, "300")],
    ids=["crowd", "key", "long hint"],
)
def test_what_is_about_no_limit_cools_as_before(tmp_path: Path, scope: Scope, hint: str | None) -> None:
    rules = (Rule(kind=ErrorKind.RATE_LIMIT, status=429, scope=scope),)
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(),), rules=rules), patience=0) as stage:
        stage["alpha"].answer = always(refusal(429, "no", {"retry-after": hint} if hint else {}))
        stage.ask()
        assert [kind for kind, _ in stage.cooled().values()] == ["rate_limit"]


@pytest.mark.parametrize("mode", ["off", "watch"])
@pytest.mark.parametrize("rules", [(), (Rule(kind=ErrorKind.RATE_LIMIT, status=429, limit="rpm"),)])
def test_without_the_ledger_refusals_cool_as_before(tmp_path: Path, mode: str, rules: tuple[Rule, ...]) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(),), rules=rules), quota=mode) as stage:
        stage["alpha"].answer = always(refusal(429, headers={"retry-after": "41"}))
        assert [stage.ask().status_code for _ in range(2)] == [503, 503]
        assert [kind for kind, _ in stage.cooled().values()] == ["rate_limit"]
        assert asked(stage["alpha"]) == 1


# What waits


def test_a_request_waits_for_its_place(tmp_path: Path) -> None:
    limits = (limit(amount=600, kind=LimitKind.LEAKY),)  # ten a second, after the first six hundred
    with GatewayStage(tmp_path, provider("alpha", limits=limits), patience=5) as stage:
        quotas = stage.thread.gateway.ledger.quotas
        stage.ask()
        [allowance] = quotas.allowances()
        allowance.window.believe(601, time.time(), None)
        began = time.monotonic()
        answers = ask_at_once(stage, 4)
        took_s = time.monotonic() - began
    assert statuses(answers) == [200] * 4
    assert took_s >= 0.3
    assert asked(stage["alpha"]) == 5


def test_a_stream_that_waits_is_kept_alive(tmp_path: Path) -> None:
    limits = (limit(amount=60, kind=LimitKind.LEAKY),)
    with GatewayStage(tmp_path, provider("alpha", limits=limits), keep_alive_s=0.1) as stage:
        stage.ask()
        [allowance] = stage.thread.gateway.ledger.quotas.allowances()
        allowance.window.believe(60, time.time(), None)
        with stage.opened() as answer:
            text = "".join(answer.iter_text())
    assert text.startswith(":")
    assert "data: [DONE]" in text


def test_a_client_that_leaves_gives_its_place_back(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(amount=1),)), keep_alive_s=0.05, patience=100) as stage:
        stage.ask()
        assert used(stage, "rpm") == 1
        [allowance] = stage.thread.gateway.ledger.quotas.allowances()
        now = time.time()  # told, so that it is not doubted however slow the machine is
        allowance.observe(Quota(limit_name="rpm", remaining=0, reset_at=now + 50), now, now)
        with stage.opened() as answer:
            pieces = answer.iter_raw()  # whose end would be that of the connection
            next(pieces)
            until(lambda: allowance.window.bound == 2)
        until(lambda: allowance.window.bound == 1)
        assert asked(stage["alpha"]) == 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_what_takes_longer_than_patience_is_told_at_once(tmp_path: Path, is_stream: bool) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(amount=1),)), patience=30) as stage:
        stage.ask()
        began = time.monotonic()
        answer = stage.ask(stream=is_stream)
        assert (answer.status_code, time.monotonic() - began < 5) == (503, True)
        assert 50 <= int(answer.headers["retry-after"]) <= 61
        assert "limit" in answer.json()["error"]["message"] or answer.json()["error"]["suggestion"]


# What counts


@pytest.mark.parametrize("is_stream", [False, True])
def test_usage_replaces_the_estimate(tmp_path: Path, is_stream: bool) -> None:
    with GatewayStage(tmp_path, provider("alpha", limits=(limit("tokens", 1e6, "day"),))) as stage:
        if not is_stream:
            stage["alpha"].answer = always(
                reply(200, completion(usage={"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}))
            )
        stage.ask(stream=is_stream)
        if is_stream:
            assert used(stage, "tpd") > 300  # it reports none: what was estimated counts
        else:
            until(lambda: used(stage, "tpd") == 1000)


@pytest.mark.parametrize(
    ("script", "counts_refusals", "requests", "tokens"),
    [
        (refusal(429, headers={"retry-after": "500"}), False, 0, False),
        (refusal(429, headers={"retry-after": "500"}), True, 1, True),
        (refusal(400, "no such thing"), False, 0, False),
        (refusal(500), False, 1, False),
    ],
    ids=["refused", "refused and counted", "the client's fault", "failed"],
)
def test_a_failed_attempt_counts_as_its_upstream_counts_it(
    tmp_path: Path, script: Script, counts_refusals: bool, requests: int, tokens: bool
) -> None:
    limits = tuple(limit(unit, 1e6, "day", refusals_count=counts_refusals) for unit in ("requests", "tokens"))
    with GatewayStage(tmp_path, provider("alpha", limits=limits), patience=0) as stage:
        stage["alpha"].answer = in_turn(script)
        stage.ask()
        assert used(stage, "rpd") == requests
        assert (used(stage, "tpd") > 0) is tokens


def test_an_upstream_that_cannot_be_reached_counts_nothing(tmp_path: Path) -> None:
    nowhere = {"alpha": "http://127.0.0.1:9"}
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(),)), urls=nowhere, patience=0) as stage:
        assert stage.ask().status_code == 503
        assert used(stage, "rpm") == 0


def test_a_day_that_is_spent_is_spent_after_a_restart(tmp_path: Path) -> None:
    alpha = provider("alpha", limits=(limit(amount=3, window="day"),))
    with GatewayStage(tmp_path, alpha, patience=0) as stage:
        for _ in range(3):
            assert stage.ask().status_code == 200
        stage.thread.stop()
    with GatewayStage(tmp_path, alpha, patience=0) as stage:
        stage["alpha"].answer = always(refusal(429, headers={"retry-after": "3000"}))
        stage.ask()  # a guess is doubted
        assert used(stage, "rpd") == 3
        assert [stage.ask().status_code for _ in range(5)] == [503] * 5
        assert asked(stage["alpha"]) == 1


@pytest.mark.parametrize("name", ["claim", "meter", "observe", "settle", "is_plentiful"])
def test_a_ledger_that_fails_changes_no_answer(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the ledger is broken")

    monkeypatch.setattr(Quotas, name, fail)
    with GatewayStage(tmp_path, provider("alpha", limits=(limit(),)), provider("beta")) as stage:
        stage["alpha"].answer = in_turn(refusal(429))
        assert [stage.ask(stream=is_stream).status_code for is_stream in (False, True)] == [200, 200]
        assert re.search("alpha|beta", json.dumps([dict(stage.ask().headers)]))


def test_models_that_a_limit_does_not_name_have_none_of_it(tmp_path: Path) -> None:
    limits = (limit(amount=1, models=("other/*",)),)
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL,), limits=limits), patience=0) as stage:
        assert [stage.ask().status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("is_stream", [False, True])
def test_headers_of_a_good_response_say_what_is_left(tmp_path: Path, is_stream: bool) -> None:
    says = QuotaHeaders(limit_name="rpd", limit="x-limit", remaining="x-remaining", reset="x-reset")
    alpha = provider("alpha", limits=(limit(amount=50, window="day"),), quota_headers=(says,))
    with GatewayStage(tmp_path, alpha, patience=0) as stage:
        stage["alpha"].answer = lambda seen: with_headers(
            good(seen), b"x-limit: 1000\r\nx-remaining: 900\r\nx-reset: 1h"
        )
        stage.ask(stream=is_stream)
        until(lambda: used(stage, "rpd") == 100)
        assert [each.window.amount for each in stage.thread.gateway.ledger.quotas.allowances()] == [1000]


def with_headers(script: Script, lines: bytes) -> Script:
    first, *others = script
    assert isinstance(first, bytes)
    return [first.replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n\r\n", 1), *others]
