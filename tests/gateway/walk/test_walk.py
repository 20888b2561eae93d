"""The walk's table: for each kind of failure what is cooled, for how long, and who is asked next."""

from __future__ import annotations

import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import (
    HANG,
    MODEL,
    RESET,
    FakeUpstream,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    ask_at_once,
    chunk,
    completion,
    good,
    in_turn,
    key_of,
    provider,
    refusal,
    reply,
    stream,
)
from freeride_core import (
    Answer,
    Call,
    CompatibleWire,
    ErrorKind,
    Failure,
    Feature,
    Key,
    Model,
    Operation,
    Provider,
    Reading,
    Rule,
    Scope,
    UpstreamRequest,
)
from freeride_core.ledger.slots import Slot
from freeride_core.settings.keys import fingerprint

ONE = "double/one"
TWO = Model(id="double/two", canonical="double/two", tier=2, context=100_000, tools=True, vision=False)
KEY, SECOND_KEY = fingerprint(key_of("alpha")), fingerprint(key_of("alpha", 1))
ACCOUNT = Slot("alpha", f"account:{KEY}", "*")
ACCOUNT_MODEL = Slot("alpha", f"account:{KEY}", ONE)
OWN_KEY = Slot("alpha", f"key:{KEY}", "*")
EVERYONES_MODEL = Slot("alpha", "*", ONE)
PROVIDER = Slot("alpha", "*", "*")


def models_asked(upstream: FakeUpstream) -> list[str]:
    return [seen.json["model"] for seen in upstream.posts]


def keys_asked(upstream: FakeUpstream) -> list[str]:
    return [seen.key for seen in upstream.posts]


def by_model(**scripts: Script) -> Any:
    """Answers by the last word of the model's name; good where none is named."""

    def answer(seen: ReceivedRequest) -> Script:
        return scripts.get(seen.json["model"].rpartition("/")[2]) or good(seen)

    return answer


def assert_near(seconds: float, expected: float) -> None:
    assert expected - 3 <= seconds <= expected + 1, (seconds, expected)


EVERYTHING = Slot("alpha", "*", "*")
PAGE = b"<html><head><title>Just a moment...</title></head></html>"
MODEL_GONE = Rule(kind=ErrorKind.MODEL_NOT_FOUND, code="not_in_free_plan")


@pytest.mark.parametrize(
    ("script", "meter", "kind", "slot", "wait_s"),
    [
        (refusal(429), Scope.ACCOUNT, "rate_limit", ACCOUNT, 120),
        (refusal(429), Scope.KEY, "rate_limit", OWN_KEY, 120),
        (refusal(429), Scope.MODEL, "rate_limit", EVERYONES_MODEL, 60),
        (refusal(429), Scope.ACCOUNT_MODEL, "rate_limit", ACCOUNT_MODEL, 60),
        (refusal(429, headers={"Retry-After": "47"}), Scope.ACCOUNT, "rate_limit", ACCOUNT, 47),
        (refusal(429, headers={"Retry-After": "6.2"}), Scope.ACCOUNT, "rate_limit", ACCOUNT, 7),
        (refusal(429, headers={"Retry-After": "-5"}), Scope.ACCOUNT, "rate_limit", ACCOUNT, 120),
        (refusal(429, headers={"Retry-After": "soon"}), Scope.ACCOUNT, "rate_limit", ACCOUNT, 120),
        (refusal(429, headers={"Retry-After": "999999"}), Scope.ACCOUNT, "rate_limit", ACCOUNT, 86_400),
        (refusal(429, headers={"x-reset": "2m59.56s"}), Scope.ACCOUNT, "rate_limit", ACCOUNT, 180),
        (refusal(429, retryDelay="17s"), Scope.ACCOUNT, "rate_limit", ACCOUNT, 17),
        (refusal(429, "Please try again in 1m4.5s."), Scope.ACCOUNT, "rate_limit", ACCOUNT, 65),
        (refusal(402), Scope.KEY, "quota_exhausted", ACCOUNT, 3600),
        (refusal(402, headers={"Retry-After": "7200"}), Scope.KEY, "quota_exhausted", ACCOUNT, 7200),
        (refusal(401), Scope.ACCOUNT, "auth", OWN_KEY, 300),
        (refusal(403), Scope.ACCOUNT, "unavailable", EVERYONES_MODEL, 30),
        (refusal(403, "The API key was revoked."), Scope.ACCOUNT, "auth", OWN_KEY, 300),
        (refusal(400, "API key not valid."), Scope.ACCOUNT, "auth", OWN_KEY, 300),
        (refusal(400, "Your account has been suspended."), Scope.KEY, "auth", ACCOUNT, 300),
        (refusal(400, "Insufficient balance"), Scope.KEY, "quota_exhausted", ACCOUNT_MODEL, 3600),
        (refusal(400, "Rate limit exceeded, try again in 43 s"), Scope.ACCOUNT, "rate_limit", ACCOUNT, 43),
        (reply(403, PAGE, {"cf-mitigated": "challenge"}), Scope.ACCOUNT, "unavailable", EVERYTHING, 30),
        (reply(403, PAGE), Scope.ACCOUNT, "unavailable", EVERYTHING, 30),
        (reply(407, b""), Scope.ACCOUNT, "network", EVERYTHING, 30),
        (refusal(429, "no", {"RateLimit": '"a";r=0;t=43'}), Scope.ACCOUNT, "rate_limit", ACCOUNT, 43),
        (refusal(401, headers={"Retry-After": "5"}), Scope.ACCOUNT, "auth", OWN_KEY, 300),
        (refusal(404), Scope.ACCOUNT, "model_not_found", EVERYONES_MODEL, 600),
        (refusal(402, code="not_in_free_plan"), Scope.ACCOUNT, "model_not_found", EVERYONES_MODEL, 600),
        (refusal(400, "the model has been decommissioned"), Scope.ACCOUNT, "model_not_found", EVERYONES_MODEL, 600),
        (refusal(500), Scope.ACCOUNT, "unavailable", EVERYONES_MODEL, 30),
        (refusal(503), Scope.ACCOUNT, "unavailable", EVERYONES_MODEL, 30),
        (refusal(503, headers={"Retry-After": "90"}), Scope.ACCOUNT, "unavailable", EVERYONES_MODEL, 90),
        (refusal(408), Scope.ACCOUNT, "timeout", EVERYONES_MODEL, 30),
        (refusal(504), Scope.ACCOUNT, "timeout", EVERYONES_MODEL, 30),
        ([HANG], Scope.ACCOUNT, "timeout", EVERYONES_MODEL, 30),
        ([RESET], Scope.ACCOUNT, "network", EVERYONES_MODEL, 30),
    ],
)
def test_a_failure_cools_its_slot_for_its_time_and_the_next_provider_serves(
    tmp_path: Path, script: Script, meter: Scope, kind: str, slot: Slot, wait_s: float
) -> None:
    alpha = provider("alpha", meter=meter, rules=(MODEL_GONE,), reset_headers=("x-reset",))
    patience_s = 0.3 if HANG in script else 10  # a busy machine is slow too
    with GatewayStage(
        tmp_path, alpha, provider("beta"), first_byte_timeout=patience_s, answer_timeout=patience_s
    ) as stage:
        stage["alpha"].answer = always(script)
        answer = stage.ask()
        assert answer.status_code == 200
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-attempts"] == "2"
        assert list(stage.cooled()) == [slot]
        was_kind, left_s = stage.cooled()[slot]
        assert was_kind == kind
        assert_near(left_s, wait_s)
        assert stage.ask().headers["x-freeride-attempts"] == "1", "it is not asked while it cools"
        assert len(stage["alpha"].posts) == 1


def test_an_http_date_is_a_retry_hint(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(429, headers={"Retry-After": formatdate(time.time() + 40, usegmt=True)}))
        assert stage.ask().status_code == 200
        assert_near(stage.cooled()[ACCOUNT][1], 40)


def test_a_retry_hint_of_zero_cools_for_no_time(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = in_turn(refusal(429, headers={"Retry-After": "0"}))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert not stage.cooled()
        assert stage.ask().headers["x-freeride-provider"] == "alpha"


@pytest.mark.parametrize(
    ("script", "slot", "wait_s"),
    [
        (refusal(429, headers={"Retry-After": "0"}), ACCOUNT, 120),
        (refusal(429, headers={"retry-after-ms": "0"}), ACCOUNT, 120),
        (refusal(402, headers={"Retry-After": "0"}), ACCOUNT, 3600),
        (refusal(503, headers={"Retry-After": "0"}), EVERYONES_MODEL, 60),
    ],
    ids=["429", "429 in ms", "402", "503"],
)
def test_a_second_hint_of_zero_in_a_row_is_not_believed(
    tmp_path: Path, script: Script, slot: Slot, wait_s: int
) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = in_turn(script, reply(200, completion()), script, script)
        said = [stage.ask().headers["x-freeride-provider"] for _ in range(4)]
        assert said == ["beta", "alpha", "beta", "beta"], "an answer between them begins anew"
        assert_near(stage.cooled()[slot][1], wait_s)
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 4


def test_hints_of_zero_to_requests_sent_together_are_one(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([0.3, *refusal(429, headers={"Retry-After": "0"})])
        assert {said.headers["x-freeride-provider"] for said in ask_at_once(stage, 4)} == {"beta"}
        assert len(stage["alpha"].posts) == 4
        assert not stage.cooled()


@pytest.mark.parametrize(
    "script",
    [
        reply(200, b"<html><body>Busy</body></html>", content_type="text/html"),
        reply(200, b'{"choices": [{"message": {"content": "Hel'),
        reply(200, b""),
        reply(200, []),
        reply(200, {"object": "chat.completion", "choices": None}),
        reply(302, b"", {"Location": "/elsewhere"}),
        reply(204, b""),
    ],
)
def test_an_answer_that_breaks_the_protocol_cools_nobody(tmp_path: Path, script: Script) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(script)
        answer = stage.ask()
        assert answer.headers["x-freeride-provider"] == "beta"
        assert not stage.cooled()
        assert stage.ask().headers["x-freeride-attempts"] == "2"
        assert {seen.path for seen in stage["alpha"].seen} == {"/v1/chat/completions"}, "no redirect is followed"


@pytest.mark.parametrize(
    ("body", "kind", "slot"),
    [
        ({"error": {"message": "slow down", "code": 429}}, "rate_limit", ACCOUNT),
        ({"error": {"message": "no credit", "code": "402"}}, "quota_exhausted", ACCOUNT),
        ({"error": {"message": "down", "code": 503}, "choices": []}, "unavailable", EVERYONES_MODEL),
    ],
)
def test_an_error_inside_a_200_counts_as_what_it_says(tmp_path: Path, body: Any, kind: str, slot: Slot) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, body))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert {slot: kind} == {slot: kind for slot, (kind, _) in stage.cooled().items()}


def test_an_error_status_whose_body_breaks_off_counts_by_its_status(tmp_path: Path) -> None:
    cut = b"HTTP/1.1 401 X\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n" + b'{"error": {"mess'
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([cut, RESET])
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert {slot: kind for slot, (kind, _) in stage.cooled().items()} == {OWN_KEY: "auth"}


def test_a_second_key_takes_over_from_one_that_is_refused(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = in_turn(refusal(401))
        answer = stage.ask()
        assert answer.headers["x-freeride-provider"] == "alpha"
        assert keys_asked(stage["alpha"]) == [key_of("alpha"), key_of("alpha", 1)]


def test_keys_count_as_accounts_of_their_own_without_evidence(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = in_turn(refusal(429))
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
        assert keys_asked(stage["alpha"]) == [key_of("alpha"), key_of("alpha", 1)]


def test_keys_of_one_account_share_its_limit_once_the_upstream_has_named_it(tmp_path: Path) -> None:
    alpha = provider("alpha", account_pattern=r"organization (org-\w+)")
    with GatewayStage(tmp_path, alpha, provider("beta"), keys={"alpha": 2}) as stage:
        no_wait = {"Retry-After": "0"}
        stage["alpha"].answer = always(refusal(429, "too much for organization org-7", no_wait))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 2, "each key has said whose it is, and the second no is believed"
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 2, "what cools the account cools both keys"


def test_a_model_that_is_gone_leaves_the_provider_its_next_model(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL, TWO)), provider("beta"), keys={"alpha": 2}) as stage:
        stage.bench.environ["FREERIDE_PROVIDERS"] = "alpha,beta"
        with stage.another() as gateway:
            stage.thread = gateway
            stage["alpha"].answer = by_model(one=refusal(404))
            answer = stage.ask()
            assert (answer.headers["x-freeride-provider"], answer.headers["x-freeride-model"]) == (
                "alpha",
                "double/two",
            )
            assert models_asked(stage["alpha"]) == [ONE, "double/two"], "another key would not find it either"


def test_a_rate_limit_of_a_model_leaves_the_key_its_other_models(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL, TWO), meter=Scope.ACCOUNT_MODEL)) as stage:
        stage["alpha"].answer = by_model(one=refusal(429))
        assert stage.ask().headers["x-freeride-model"] == "double/two"


def test_a_rate_limit_of_an_account_rules_out_all_its_models(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL, TWO))) as stage:
        stage["alpha"].answer = by_model(one=refusal(429))
        assert stage.ask().status_code == 503
        assert models_asked(stage["alpha"]) == [ONE]


def test_a_scope_that_the_answer_names_outranks_the_usual_one(tmp_path: Path) -> None:
    rule = Rule(kind=ErrorKind.RATE_LIMIT, status=429, text="shared pool", scope=Scope.MODEL)
    with GatewayStage(tmp_path, provider("alpha", rules=(rule,)), provider("beta")) as stage:
        stage["alpha"].answer = always(refusal(429, "the shared pool is busy"))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert_near(stage.cooled()[EVERYONES_MODEL][1], 60)


def test_a_failure_of_the_whole_provider_rules_out_all_its_keys_and_models(tmp_path: Path) -> None:
    page = reply(502, b"<html>Bad gateway</html>", content_type="text/html")
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL, TWO)), provider("beta"), keys={"alpha": 3}) as stage:
        stage["alpha"].answer = always(page)
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 1
        assert list(stage.cooled()) == [PROVIDER]


def test_no_key_and_model_is_tried_twice_in_a_request(tmp_path: Path) -> None:
    providers = [provider(name, models=(MODEL, TWO)) for name in ("alpha", "beta")]
    with GatewayStage(tmp_path, *providers, keys={"alpha": 2, "beta": 2}) as stage:
        for upstream in (stage["alpha"], stage["beta"]):
            upstream.answer = always(reply(200, b"not JSON"))  # cools nobody
        assert stage.ask().status_code == 503
        pairs = [(seen.key, seen.json["model"]) for name in ("alpha", "beta") for seen in stage[name].posts]
        assert len(pairs) == len(set(pairs)) == 8


def test_a_request_makes_at_most_sixteen_attempts(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 20}) as stage:
        stage["alpha"].answer = always(refusal(401))
        answer = stage.ask()
        assert answer.status_code == 503
        assert answer.headers["x-freeride-attempts"] == "16"
        assert len(set(keys_asked(stage["alpha"]))) == len(stage["alpha"].posts) == 16


def test_one_providers_dead_keys_leave_the_next_provider_its_turn(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 20}) as stage:
        stage["alpha"].answer = always(refusal(401))
        answer = stage.ask()
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-attempts"] == "16"


def test_attempts_are_not_kept_for_a_provider_that_is_cooling(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 16}) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage["beta"].answer = always(refusal(429))
        assert stage.ask(headers={"X-FreeRide-Force-Provider": "beta"}).status_code == 503
        stage["alpha"].answer = in_turn(*[refusal(401)] * 15)
        answer = stage.ask()
        assert answer.headers["x-freeride-provider"] == "alpha", "the sixteenth key is good"
        assert answer.headers["x-freeride-attempts"] == "16"


# The client's own faults


@pytest.mark.parametrize(
    ("script", "status", "message", "code"),
    [
        (refusal(400, "temperature must be <= 2"), 400, "temperature must be <= 2", "bad_request"),
        (refusal(422, "messages must be a non-empty array"), 422, "messages must be a non-empty array", "bad_request"),
        (refusal(403, "Your input was flagged"), 400, "Your input was flagged", "content_filter"),
        (refusal(400, "no", code="content_policy_violation"), 400, "no", "content_filter"),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_a_proven_fault_of_the_client_ends_the_walk_and_touches_nobody(
    tmp_path: Path, script: Script, status: int, message: str, code: str, streams: bool
) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(script)
        answer = stage.ask(stream=streams)
        assert answer.status_code == status
        assert answer.headers["x-should-retry"] == "false"
        error = answer.json()["error"]
        assert (error["message"], error["code"], error["type"]) == (message, code, "invalid_request_error")
        assert answer.headers["x-freeride-provider"] == "alpha"
        assert answer.headers["x-freeride-attempts"] == "1"
        assert not stage["beta"].posts
        assert not list(stage.thread.gateway.ledger.cooldowns.items())


@pytest.mark.parametrize("status", [401, 402, 403, 429, 430, 499])
def test_statuses_on_which_agents_bench_their_key_or_that_nobody_knows_become_400(tmp_path: Path, status: int) -> None:
    rule = Rule(kind=ErrorKind.BAD_REQUEST, status=status)
    with GatewayStage(tmp_path, provider("alpha", rules=(rule,))) as stage:
        stage["alpha"].answer = always(refusal(status, "your own fault"))
        answer = stage.ask()
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "your own fault"


def test_a_fault_that_the_upstream_puts_at_500_is_a_400(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", rules=(Rule(kind=ErrorKind.BAD_REQUEST, status=500),))) as stage:
        stage["alpha"].answer = always(refusal(500, "your own fault"))
        assert stage.ask().status_code == 400


def test_the_field_at_fault_is_passed_on(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(400, "temperature must be <= 2", param="temperature"))
        assert stage.ask().json()["error"]["param"] == "temperature"


# What an upstream or a model cannot do

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
NO_TOOLS = refusal(400, "tools are not supported by this model")


def test_what_is_unsupported_here_is_asked_for_elsewhere_and_remembered(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(NO_TOOLS)
        assert stage.ask(tools=TOOLS).headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 1, "another key would not help"
        assert not stage.cooled()
        assert stage.ask(tools=TOOLS).headers["x-freeride-attempts"] == "1"
        stage["alpha"].answer = good
        assert stage.ask().headers["x-freeride-provider"] == "alpha", "it serves requests without tools"


@pytest.mark.parametrize("streams", [False, True])
def test_the_first_refusal_is_the_answer_when_nobody_supports_it(tmp_path: Path, streams: bool) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(NO_TOOLS)
        stage["beta"].answer = always(refusal(404, "function calling is unsupported"))
        answer = stage.ask(tools=TOOLS, stream=streams)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["message"] == "tools are not supported by this model"
        assert (error["type"], error["code"]) == ("invalid_request_error", "unsupported")
        assert answer.headers["x-should-retry"] == "false"


def test_of_all_that_are_remembered_to_lack_it_the_first_is_asked_again(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for name in ("alpha", "beta"):
            stage[name].answer = always(NO_TOOLS)
        assert stage.ask(tools=TOOLS).status_code == 400
        again = stage.ask(tools=TOOLS)
        assert again.status_code == 400
        assert again.json()["error"]["code"] == "unsupported"
        assert again.json()["error"]["message"] == "tools are not supported by this model"
        assert again.headers["x-should-retry"] == "false"
        assert (len(stage["alpha"].posts), len(stage["beta"].posts)) == (2, 1)


def test_a_refused_field_without_a_name_is_not_remembered(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = in_turn(refusal(400, "what is this"))
        assert stage.ask(odd=1).headers["x-freeride-provider"] == "beta"
        assert stage.ask(odd=1).headers["x-freeride-provider"] == "alpha"


def test_someone_who_is_only_rate_limited_is_worth_waiting_for(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(NO_TOOLS)
        stage["beta"].answer = always(refusal(429, headers={"Retry-After": "30"}))
        for _ in range(2):
            answer = stage.ask(tools=TOOLS)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) in range(25, 31)


# Prompts that do not fit

SMALL = Model(id="double/small", canonical="double/small", tier=1, context=9_000, tools=True)
LARGE = Model(id="double/large", canonical="double/large", tier=2, context=200_000, tools=True)
LONG = [{"role": "user", "content": "word " * 4000}]
TOO_LONG = refusal(400, "This model's maximum context length is 9000 tokens.", code="context_length_exceeded")


def test_a_prompt_that_does_not_fit_goes_to_a_larger_window(tmp_path: Path) -> None:
    same = Model(id="double/same", canonical="double/same", tier=1, context=9_000)
    alpha, beta = provider("alpha", models=(SMALL, LARGE)), provider("beta", models=(same,))
    with GatewayStage(tmp_path, alpha, beta, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = by_model(small=TOO_LONG)
        answer = stage.ask(messages=LONG)
        assert answer.headers["x-freeride-model"] == "double/large"
        assert models_asked(stage["alpha"]) == ["double/small", "double/large"]
        assert not stage["beta"].posts, "a window of the same size would not help"
        assert not stage.cooled()
        assert stage.ask(messages=LONG).headers["x-freeride-model"] == "double/same", (
            "the size is remembered, of one model"
        )
        stage["alpha"].answer = good
        assert stage.ask(messages=[{"role": "user", "content": ""}]).headers["x-freeride-model"] == "double/small"


def test_an_image_that_does_not_fit_goes_to_a_larger_window_and_teaches_nothing(tmp_path: Path) -> None:
    seeing = [replace(each, vision=True) for each in (SMALL, replace(SMALL, id="double/same"), LARGE)]
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]
    with GatewayStage(tmp_path, provider("alpha", models=seeing)) as stage:
        stage["alpha"].answer = by_model(small=TOO_LONG)
        assert stage.ask(messages=image).headers["x-freeride-model"] == "double/large"
        stage["alpha"].answer = good
        assert stage.ask(messages=image).headers["x-freeride-model"] == "double/small", "how large it was, nobody knows"


def test_a_prompt_that_fits_nowhere_is_a_400_in_the_upstreams_words(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for name in ("alpha", "beta"):
            stage[name].answer = always(TOO_LONG)
        answer = stage.ask()
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["message"] == "This model's maximum context length is 9000 tokens."
        assert error["code"] == "context_length_exceeded"
        again = stage.ask()
        assert again.status_code == 400
        assert again.json()["error"]["code"] == "context_length_exceeded"
        assert len(stage["alpha"].posts) == 2, "so small a prompt says nothing of a window"


def test_a_request_that_is_too_large_everywhere_is_a_413(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for name in ("alpha", "beta"):
            stage[name].answer = always(refusal(413, "Request too large, the limit is 100 KB."))
        for _ in range(2):
            answer = stage.ask(messages=LONG)
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "request_too_large"
        assert (len(stage["alpha"].posts), len(stage["beta"].posts)) == (2, 1), "the likeliest is asked all the same"
        smaller = stage.ask()
        assert smaller.status_code == 413
        assert (len(stage["alpha"].posts), len(stage["beta"].posts)) == (3, 2), "a smaller one is tried everywhere"


# Empty answers


def silent(seen: ReceivedRequest) -> Script:
    if seen.json.get("stream"):
        return stream(chunk({"role": "assistant", "content": ""}), chunk({}, "stop"), b"data: [DONE]\n\n")
    return reply(200, completion("", usage={"prompt_tokens": 3, "completion_tokens": 0}))


@pytest.mark.parametrize("streams", [False, True])
def test_two_empty_answers_are_passed_over_and_the_third_is_delivered(tmp_path: Path, streams: bool) -> None:
    names = ("alpha", "beta", "gamma", "delta")
    with GatewayStage(tmp_path, *(provider(name, rank=at) for at, name in enumerate(names))) as stage:
        for name in names:
            stage[name].answer = silent
        answer = stage.ask(stream=streams)
        assert answer.status_code == 200
        assert answer.headers["x-freeride-provider"] == "gamma"
        assert answer.headers["x-freeride-attempts"] == "3"
        assert not stage["delta"].posts
        assert not stage.cooled()


def test_an_empty_answer_is_delivered_when_nobody_else_is_left(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = silent
        stage["beta"].answer = always(refusal(429))
        answer = stage.ask()
        assert answer.status_code == 200
        assert answer.headers["x-freeride-provider"] == "alpha"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {}}]},
        {"role": "assistant", "content": "", "reasoning_content": "Hm."},
        {"role": "assistant", "content": None, "refusal": "I will not."},
    ],
)
def test_an_answer_without_text_can_still_say_something(tmp_path: Path, message: dict[str, Any]) -> None:
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, completion(choices=choices, usage=None)))
        assert stage.ask().headers["x-freeride-attempts"] == "1"


@pytest.mark.parametrize(
    "more",
    [{"usage": {"completion_tokens": 5}}, {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}],
)
def test_an_answer_is_not_empty_if_tokens_were_spent_or_a_limit_ended_it(tmp_path: Path, more: dict[str, Any]) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, completion("", **{"usage": None, **more})))
        assert stage.ask().headers["x-freeride-attempts"] == "1"


def test_no_attempt_is_started_after_the_total_time(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, total_timeout=0.2) as stage:
        stage["alpha"].answer = always([0.4, *refusal(500)])
        assert stage.ask().status_code == 503
        assert not stage["beta"].posts


def test_a_kind_that_core_does_not_know_acts_as_next_candidate(tmp_path: Path) -> None:
    rule = Rule(kind="tired", status=418)  # type: ignore[arg-type]
    alpha: Provider = provider("alpha", rules=(rule,))
    with GatewayStage(tmp_path, alpha, provider("beta")) as stage:
        stage["alpha"].answer = always(refusal(418))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert not stage.cooled()


@pytest.mark.parametrize("streams", [False, True])
def test_an_upstreams_refusal_of_its_key_never_reaches_the_client_as_such(tmp_path: Path, streams: bool) -> None:
    for status in (401, 402, 403, 429):
        with GatewayStage(tmp_path / str(status), provider("alpha")) as stage:
            stage["alpha"].answer = always(refusal(status))
            assert stage.ask(stream=streams).status_code == 503


class WireWithoutImages(CompatibleWire):
    """Has no words for images."""

    def refusal(self, call: Call, model: Model) -> Failure | None:
        if Feature.IMAGES not in call.features:
            return None
        return Failure(kind=ErrorKind.UNSUPPORTED, message="no images", feature=Feature.IMAGES)


def test_what_a_package_has_no_words_for_is_not_sent_and_the_next_provider_serves(tmp_path: Path) -> None:
    seeing = replace(MODEL, vision=True)
    alpha, beta = provider("alpha", models=[seeing]), provider("beta", models=[seeing])
    alpha.wires = {**alpha.wires, Operation.CHAT: WireWithoutImages(path="/chat/completions")}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with GatewayStage(tmp_path, alpha, beta) as stage:
        answer = stage.ask(messages=[{"role": "user", "content": [picture]}])
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-attempts"] == "2"
        assert stage["alpha"].posts == []
        assert stage.ask().headers["x-freeride-provider"] == "alpha"


class WithoutARequest(CompatibleWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        return None  # type: ignore[return-value] # as a package that nobody has type-checked


class WithoutADecoder(CompatibleWire):
    def decoder(self, call: Call, model: Model) -> Any:
        return object()


class FormerReading(CompatibleWire):
    def read(self, answer: Answer) -> Any:
        return super().read(answer).failure  # as the contract was before this one


class OddHint(CompatibleWire):
    def read(self, answer: Answer) -> Reading:
        return Reading(Failure(kind=ErrorKind.RATE_LIMIT, retry_at="soon"))  # type: ignore[arg-type] # likewise


class HeadersByName(CompatibleWire):
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        return replace(super().prepare(call, model, key), headers={})  # type: ignore[arg-type] # likewise


@pytest.mark.parametrize("wire", [WithoutARequest, WithoutADecoder, FormerReading, OddHint, HeadersByName])
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_package_that_gives_something_else_costs_an_attempt_and_no_more(
    tmp_path: Path, wire: type[CompatibleWire], is_stream: bool
) -> None:
    alpha = provider("alpha")
    alpha.wires = {**alpha.wires, Operation.CHAT: wire(path="/chat/completions")}
    with GatewayStage(tmp_path, alpha, provider("beta")) as stage:
        answer = stage.ask(stream=is_stream)
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-attempts"] == "2"
