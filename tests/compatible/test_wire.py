"""The declarative provider: what is asked, and what an answer means."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_upstream import ABOUT
from freeride_core import (
    Account,
    Answer,
    Call,
    CompatibleCatalog,
    CompatibleProbe,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    ErrorKind,
    Failure,
    Feature,
    Key,
    Midnight,
    Model,
    Operation,
    Phase,
    Proof,
    Reading,
    Rule,
    Scope,
    WholeCatalog,
    canonical_of,
)
from freeride_core.compatible.wire import bearer
from freeride_core.gateway.protocols.request import parse_call

NOW = 1_795_406_400.0  # four o'clock UTC
MIDNIGHT = NOW + 20 * 3600
MODEL = Model(id="acme/one", canonical="acme/one")
KEY = Key(
    provider="acme",
    secret="sk-0123456789abcdef",
    fingerprint="0" * 12,
    index=0,
    variable="ACME_KEY",
    base_url="https://acme.invalid/api/v1",
)


def answer(body: Any = b"", status: int = 200, phase: Phase | None = None, event: str = "", **headers: str) -> Answer:
    return Answer(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        now=NOW,
        phase=phase or (Phase.BODY if status == 200 else Phase.STATUS),
        event=event,
    )


# What is asked

BODY = b'{"model": "acme/one","messages":[],  "odd" : 1.50, "nothing":null}'


def sent(body: bytes, model: Model = MODEL, **wire: Any) -> bytes:
    call = parse_call(Operation.CHAT, body)
    return CompatibleWire(path="/chat/completions", **wire).prepare(call, model, KEY).body


def request(*members: str, model: str = '"acme/one"') -> bytes:
    return ("{" + ",".join((f'"model":{model}', '"messages":[]', *members)) + "}").encode()


def fields(body: bytes) -> dict[str, Any]:
    found = json.loads(body)
    assert found.pop("model") == "acme/one"
    assert found.pop("messages") == []
    return dict(found)


def test_a_request_goes_to_the_keys_own_address_with_its_secret() -> None:
    wire = CompatibleWire(path="/chat/completions", headers={"x-own": "mine"})
    made = wire.prepare(parse_call(Operation.CHAT, BODY), MODEL, KEY)
    assert (made.method, made.url) == ("POST", "https://acme.invalid/api/v1/chat/completions")
    headers = dict(made.headers)
    assert headers["authorization"] == "Bearer sk-0123456789abcdef"
    assert headers["content-type"] == "application/json"
    assert headers["x-own"] == "mine"
    assert len(headers) == len(made.headers)
    assert "sk-0123" not in repr(KEY)


class Shouting(CompatibleWire):
    """Needs the user's name in capitals, and no seed."""

    def changes(self, call: Call, model: Model) -> dict[str, bytes | None]:
        return {**super().changes(call, model), "user": json.dumps(call.value("user").upper()).encode(), "seed": None}


def test_a_wire_of_its_own_changes_what_it_must_and_keeps_the_rest_to_the_byte() -> None:
    body = b'{"model":"auto","messages":[],"user":"me","seed":1,  "odd" : 1.50,"logprobs":true}'
    wire = Shouting(path="/chat/completions", dropped=frozenset({"logprobs"}))
    made = wire.prepare(parse_call(Operation.CHAT, body), MODEL, KEY)
    assert made.body == b'{"model":"acme/one","messages":[],"user":"ME","odd":1.50}'


def test_a_key_goes_bare_into_the_header_that_its_credential_names() -> None:
    wire = CompatibleWire(path="/chat/completions")
    catalog = CompatibleCatalog(checked="2026-11-23")
    probe = CompatibleProbe(path="/key")
    call = parse_call(Operation.CHAT, BODY)
    key = dataclasses.replace(KEY, key_header="acme-key")
    for made in (wire.prepare(call, MODEL, key), catalog.request(key), probe.request(key)):
        assert made is not None
        assert dict(made.headers)["acme-key"] == key.secret
        assert "authorization" not in dict(made.headers)
    without = dataclasses.replace(key, secret="")
    assert "acme-key" not in dict(wire.prepare(call, MODEL, without).headers)


def test_a_body_that_needs_no_change_goes_as_it_came() -> None:
    call = parse_call(Operation.CHAT, BODY)
    wire = CompatibleWire(
        path="/x", dropped=frozenset({"gone"}), renamed={"old": "new"}, defaults={"odd": 7}, rules=(), headers={}
    )
    assert wire.prepare(call, MODEL, KEY).body is BODY


def test_only_the_model_is_replaced() -> None:
    assert sent(BODY, Model(id="b:free", canonical="b")) == BODY.replace(b"acme/one", b"b:free")


@pytest.mark.parametrize("model", ["null", '""', '"auto"', '"ACME/ONE"'])
def test_the_model_is_the_one_that_was_chosen(model: str) -> None:
    assert fields(sent(request(model=model))) == {}


def test_a_model_spelled_in_another_way_is_the_same_model() -> None:
    body = request(model='"acme\\/one"')
    assert sent(body) == body


def test_what_the_upstream_rejects_is_dropped() -> None:
    made = sent(request('"store":true', '"top_p":1', '"seed":null'), dropped=frozenset({"store", "seed"}))
    assert fields(made) == {"top_p": 1}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (['"old":5'], {"new": 5}),
        (['"new":6'], {"new": 6}),
        (['"old":5', '"new":6'], {"new": 6}),
        (['"new":6', '"old":5'], {"new": 6}),
        (['"old":5', '"new":null'], {"new": 5}),
        (['"old":null', '"new":6'], {"new": 6}),
        (['"old":null'], {"new": None}),
        ([], {}),
    ],
)
def test_a_parameter_is_called_by_the_name_that_the_upstream_knows(members: list[str], expected: Any) -> None:
    assert fields(sent(request(*members), renamed={"old": "new"})) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], {"max_tokens": 4000}),
        (['"max_tokens":null'], {"max_tokens": 4000}),
        (['"max_tokens":5'], {"max_tokens": 5}),
        (['"max_tokens":0'], {"max_tokens": 0}),
        (['"max_completion_tokens":5'], {"max_tokens": 5}),
        (['"max_completion_tokens":null'], {"max_tokens": 4000}),
        (['"max_completion_tokens":5', '"max_tokens":6'], {"max_tokens": 6}),
    ],
)
def test_a_default_stands_in_where_the_client_gives_nothing(members: list[str], expected: Any) -> None:
    renamed = {"max_completion_tokens": "max_tokens"}
    assert fields(sent(request(*members), renamed=renamed, defaults={"max_tokens": 4000})) == expected


@pytest.mark.parametrize(
    ("asked", "given_"),
    [
        ("999", 999),
        ("1000", 1000),
        ("1001", 1000),
        ("1e9", 1000),
        ("1000.5", 1000),
        ("9" * 5000, 1000),
        ("Infinity", 1000),
        ("null", None),
        ("true", True),
        ('"5000"', "5000"),
        ("-5", -5),
        ("[" * 200 + "]" * 200, None),
    ],
)
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_more_than_a_model_can_say_is_not_asked_for(name: str, asked: str, given_: Any) -> None:
    model = Model(id="acme/one", canonical="acme/one", max_output=1000)
    body = request(f'"{name}":{asked}')
    made = sent(body, model)
    if given_ == 1000 and asked != "1000":
        assert fields(made) == {name: 1000}
    else:
        assert made == body


def test_a_default_and_a_renamed_parameter_are_clamped_too() -> None:
    model = Model(id="acme/one", canonical="acme/one", max_output=1000)
    assert fields(sent(request(), model, defaults={"max_tokens": 4000})) == {"max_tokens": 1000}
    renamed = {"max_completion_tokens": "max_tokens"}
    assert fields(sent(request('"max_completion_tokens":5000'), model, renamed=renamed)) == {"max_tokens": 1000}
    assert fields(sent(request('"max_tokens":5000'), model, dropped=frozenset({"max_tokens"}))) == {}


# What an answer means


def failure(read: Reading) -> Failure:
    assert read.failure is not None
    return read.failure


def read(found: Answer, **wire: Any) -> Reading:
    return CompatibleWire(path="/x", **wire).read(found)


GOOD_CHUNK = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]}


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": '{"error": "no"}'}, "finish_reason": "stop"}]},
        GOOD_CHUNK,
        {**GOOD_CHUNK, "error": None},
        {**GOOD_CHUNK, "error": ""},
        {**GOOD_CHUNK, "error": {}},
        {**GOOD_CHUNK, "errors": []},
        {**GOOD_CHUNK, "errors": [{"message": "a warning"}]},
        {**GOOD_CHUNK, "code": 500},
        {"choices": [{"delta": {}, "error": None}]},
        {"choices": []},
        {"choices": None},
        {"choices": ["x"]},
        {"data": [{"embedding": [1]}], "object": "list"},
        {},
        [],
        [1],
        5,
        None,
        "error",
        b"",
        b"<html>error</html>",
        b"error",
    ],
)
@pytest.mark.parametrize("phase", [Phase.BODY, Phase.EVENT])
def test_what_is_no_error_is_none(body: Any, phase: Phase) -> None:
    assert read(answer(body, phase=phase)) == Reading()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "x", "code": 429}}, ErrorKind.RATE_LIMIT),
        ({"error": {"message": "x", "code": "429"}}, ErrorKind.RATE_LIMIT),
        ({"error": {"message": "x", "status_code": 401}}, ErrorKind.AUTH),
        ({"error": {"message": "x", "http_status": 404}}, ErrorKind.MODEL_NOT_FOUND),
        ({"error": {"message": "x"}, "status_code": 429}, ErrorKind.RATE_LIMIT),
        ({"error": "x", "status": 503}, ErrorKind.UNAVAILABLE),
        ({"error": "x", "code": 402}, ErrorKind.QUOTA_EXHAUSTED),
        ({"error": "x"}, ErrorKind.UNAVAILABLE),
        ({"error": {"message": "x", "code": 3040}}, ErrorKind.UNAVAILABLE),
        ({"error": {"message": "x", "code": "²²²"}}, ErrorKind.UNAVAILABLE),
        ({"error": {"message": "x", "code": True}}, ErrorKind.UNAVAILABLE),
        ({"error": {"message": "x", "code": [429]}}, ErrorKind.UNAVAILABLE),
        ({"error": {"message": "x", "code": "9" * 5000}}, ErrorKind.UNAVAILABLE),
        ({"error": {"message": "x", "code": 200}}, ErrorKind.UNAVAILABLE),
        ({"error": {"message": "x", "type": "rate_limit_error"}}, ErrorKind.RATE_LIMIT),
        ({"error": {"message": "x", "code": "rate_limit_exceeded"}}, ErrorKind.RATE_LIMIT),
        ({"error": {"message": "x", "code": "insufficient_quota"}}, ErrorKind.QUOTA_EXHAUSTED),
        ({"error": {"message": "x", "type": "invalid_request_error"}}, ErrorKind.UNSUPPORTED),
        (
            {"error": {"message": "x", "type": "invalid_request_error", "code": "rate_limit_exceeded"}},
            ErrorKind.RATE_LIMIT,
        ),
        ({"error": {"message": "maximum context length is 5"}}, ErrorKind.CONTEXT_LENGTH),
        ([{"error": {"message": "x", "code": 429}}], ErrorKind.RATE_LIMIT),
        ({"errors": [{"message": "x", "code": 3040}], "result": None}, ErrorKind.UNAVAILABLE),
        ({"errors": [{"message": "x", "code": 429}]}, ErrorKind.RATE_LIMIT),
        ({"errors": {"message": "x"}}, ErrorKind.UNAVAILABLE),
        ({"choices": [{"error": {"message": "x", "code": 502}, "message": {"content": ""}}]}, ErrorKind.UNAVAILABLE),
        ({"choices": [{"error": {"message": "x", "code": 429}}]}, ErrorKind.RATE_LIMIT),
        ({"choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}, ErrorKind.UNAVAILABLE),
        ({**GOOD_CHUNK, "error": {"message": "x", "code": 429}}, ErrorKind.RATE_LIMIT),
        ({"object": "error", "message": "x", "code": 429}, ErrorKind.RATE_LIMIT),
        ({"object": "error", "message": "x", "code": "3505"}, ErrorKind.UNAVAILABLE),
        # Without a number, by its words.
        ({"error": "Rate limit exceeded"}, ErrorKind.RATE_LIMIT),
        ({"error": {"message": "Too many requests"}}, ErrorKind.RATE_LIMIT),
        ({"error": {"message": "Insufficient balance"}}, ErrorKind.QUOTA_EXHAUSTED),
        ({"error": {"message": "API key expired. Please renew the API key."}}, ErrorKind.AUTH),
        ({"error": {"message": "This model does not support tools"}}, ErrorKind.UNSUPPORTED),
        ({"error": {"message": "the model x does not exist"}}, ErrorKind.MODEL_NOT_FOUND),
        ({"error": {"message": "temporarily overloaded"}}, ErrorKind.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("phase", [Phase.BODY, Phase.EVENT])
def test_an_error_in_a_200_is_read_like_one_with_a_status(body: Any, kind: ErrorKind, phase: Phase) -> None:
    assert failure(read(answer(body, phase=phase))).kind == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", ErrorKind.UNAVAILABLE),
        (b"something broke", ErrorKind.UNAVAILABLE),
        ({"message": "x"}, ErrorKind.UNAVAILABLE),
        ({"message": "x", "code": 429}, ErrorKind.RATE_LIMIT),
        ({"error": {"message": "does not support tools", "status_code": 400}}, ErrorKind.UNSUPPORTED),
    ],
)
def test_an_event_named_error_is_one(body: Any, kind: ErrorKind) -> None:
    assert failure(read(answer(body, phase=Phase.EVENT, event="error"))).kind == kind


def test_an_event_of_another_name_is_none() -> None:
    assert read(answer({"message": "x", "code": 429}, phase=Phase.EVENT, event="ping")) == Reading()


def test_a_packages_own_rules_come_first() -> None:
    rule = Rule(kind=ErrorKind.UNAVAILABLE, status=400, text="context length", scope=Scope.MODEL, feature=Feature.TOOLS)
    found = answer({"error": {"message": "Maximum context length server is down", "param": "p"}}, 400)
    assert failure(read(found, rules=(rule,))) == Failure(
        kind=ErrorKind.UNAVAILABLE,
        scope=Scope.MODEL,
        message="Maximum context length server is down",
        feature=Feature.TOOLS,
        param="p",
    )
    assert failure(read(found)).kind == ErrorKind.CONTEXT_LENGTH


@pytest.mark.parametrize(
    "raw",
    [
        "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
        json.dumps({"error": {"message": "This model's maximum prompt length is 131072 but it has 537812 tokens."}}),
        json.dumps({"detail": [{"msg": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5120"}]}),
    ],
)
def test_what_a_router_quotes_is_read_like_its_own_words(raw: str) -> None:
    body = {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}}
    assert failure(read(answer(body, 400))).kind is ErrorKind.CONTEXT_LENGTH


def test_where_no_rule_fits_the_status_decides() -> None:
    assert failure(read(answer(b"slow down", 429))) == Failure(kind=ErrorKind.RATE_LIMIT, message="slow down")


def test_the_page_of_an_edge_speaks_of_the_whole_upstream() -> None:
    page = b"<html><title>502 Bad Gateway</title></html>"
    assert failure(read(answer(page, 502, content_type="text/html; charset=UTF-8"))) == Failure(
        kind=ErrorKind.UNAVAILABLE, scope=Scope.PROVIDER
    )
    assert failure(read(answer(page, 404, content_type="text/html"))).scope is None
    assert failure(read(answer({"error": "x"}, 502, content_type="application/json"))).scope is None
    own = Rule(kind=ErrorKind.UNAVAILABLE, status=502, scope=Scope.MODEL)
    assert failure(read(answer(page, 502, content_type="text/html"), rules=(own,))).scope is Scope.MODEL


# When to come back

DAILY = Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, text="day", wait=Midnight())
SHORT = Rule(kind=ErrorKind.RATE_LIMIT, status=429, wait=300)


def retry_at(found: Answer, **wire: Any) -> float | None:
    return failure(read(found, **wire)).retry_at


def test_a_documented_reset_stands_in_where_the_answer_says_nothing() -> None:
    assert retry_at(answer(b"for the day", 429), rules=(DAILY, SHORT)) == MIDNIGHT
    assert retry_at(answer(b"for the minute", 429), rules=(DAILY, SHORT)) == NOW + 300
    assert retry_at(answer(b"for the minute", 429)) is None


def test_what_the_answer_says_comes_before_what_is_documented() -> None:
    assert retry_at(answer(b"for the day", 429, retry_after="7.2"), rules=(DAILY,)) == NOW + 7.2
    assert retry_at(answer(b"for the day", 429, retry_after="0"), rules=(DAILY,)) == NOW
    assert retry_at(answer({"error": "day", "retry_after": 9}, 429), rules=(DAILY,)) == NOW + 9
    assert retry_at(answer(b"a day; try again in 2m1.5s", 429), rules=(DAILY,)) == NOW + 121.5
    assert retry_at(answer(b"for the day", 429, retry_after="-1"), rules=(DAILY,)) == MIDNIGHT


@pytest.mark.parametrize("now", [NOW, MIDNIGHT - 1, MIDNIGHT - 86_400])
def test_midnight_is_the_next_one(now: float) -> None:
    found = Answer(status=429, headers={}, body=b"day", now=now)
    assert retry_at(found, rules=(DAILY,)) == MIDNIGHT
    assert retry_at(Answer(status=429, headers={}, body=b"day", now=MIDNIGHT), rules=(DAILY,)) == MIDNIGHT + 86_400


def test_a_rule_may_know_better_than_the_hint() -> None:
    """The cap of a day that comes with the hint of a minute."""
    day = dataclasses.replace(DAILY, overrules_hint=True)
    assert retry_at(answer(b"day", 429, retry_after="34"), rules=(day,)) == MIDNIGHT
    assert retry_at(answer(b"day", 429, x_reset="34"), rules=(day,), reset_headers=("x-reset",)) == MIDNIGHT
    assert retry_at(answer(b"day, retry in 34s", 429), rules=(day,)) == MIDNIGHT
    for_ever = Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, overrules_hint=True)
    assert retry_at(answer(b"", 429, retry_after="34"), rules=(for_ever,)) is None
    assert retry_at(answer(b"a minute", 429, retry_after="34"), rules=(day, SHORT)) == NOW + 34


def test_reset_headers_count_with_a_429_and_nothing_else() -> None:
    assert retry_at(answer(b"", 429, x_reset="48.6s"), reset_headers=("x-none", "x-reset")) == pytest.approx(NOW + 48.6)
    assert retry_at(answer(b"", 503, x_reset="48.6s"), reset_headers=("x-reset",)) is None
    assert retry_at(answer(b"", 429, x_reset="48.6s")) is None


# What is neither a code nor a message


QUOTA = {"error": {"message": "Quota exceeded.", "details": [{"violations": [{"quotaId": "RequestsPerDay"}]}]}}


def test_a_rule_may_look_at_the_body_as_it_came() -> None:
    per_day = Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, text="quota", body=r'"quotaId": ?"requests\w*day')
    assert failure(read(answer(QUOTA, 429), rules=(per_day,))).kind is ErrorKind.QUOTA_EXHAUSTED
    assert failure(read(answer([QUOTA], 429), rules=(per_day,))).kind is ErrorKind.QUOTA_EXHAUSTED
    assert failure(read(answer(QUOTA, 400), rules=(per_day,))).kind is ErrorKind.UNSUPPORTED
    assert failure(read(answer({"error": "quota"}, 429), rules=(per_day,))).kind is ErrorKind.RATE_LIMIT


def test_a_body_is_looked_at_up_to_64_kib_whatever_it_is() -> None:
    mark = Rule(kind=ErrorKind.UNAVAILABLE, body="here")
    found = {at: failure(read(answer(b"\xff" * at + b"here", 429), rules=(mark,))).kind for at in (65_532, 65_533)}
    assert found == {65_532: ErrorKind.UNAVAILABLE, 65_533: ErrorKind.RATE_LIMIT}
    once = answer(b"here", 429)
    assert once.text is once.text


# Whose account it is

ACCOUNT = r"organization `(org_\w+)`"


@pytest.mark.parametrize(
    ("body", "account"),
    [
        ({"error": {"message": "Limit in organization `org_1` reached"}}, "org_1"),
        (b"organization `org_2`", "org_2"),
        (b"organization \xff `org_2`", None),
        (b"", None),
        (b"x" * 70_000 + b"organization `org_3`", None),
    ],
)
def test_an_error_may_name_the_account(body: Any, account: str | None) -> None:
    assert read(answer(body, 429), account_pattern=ACCOUNT).account == account
    assert read(answer(body, 429)).account is None


# Anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["429", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "errors", "choices", "finish_reason", "code", "status", "message", "retry_after", "detail"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary(max_size=40)),
    st.sampled_from(list(Phase)),
    st.integers(min_value=200, max_value=599),
    st.sampled_from(["", "error", "ping"]),
    st.text(max_size=10),
)
def test_every_answer_has_a_meaning(body: bytes, phase: Phase, status: int, event: str, hint: str) -> None:
    found = answer(body, status, phase, event, retry_after=hint)
    reading = read(found, rules=(DAILY,), reset_headers=("x-reset",), account_pattern=ACCOUNT)
    if phase is Phase.STATUS:
        assert reading.failure is not None
    if reading.failure is not None:
        assert isinstance(reading.failure.kind, ErrorKind)
        assert reading.failure.retry_at is None or NOW <= reading.failure.retry_at <= NOW + 86_400


@pytest.mark.parametrize("field", ["code", "status", "error", "finish_reason"])
def test_no_answer_is_too_deep(field: str) -> None:
    for depth in (100, 900, 100_000):
        deep = b"[" * depth + b"]" * depth
        for body in (b'{"error":{"message":"x"},"%s":%s}' % (field.encode(), deep), deep):
            failure(read(answer(body, 400)))
            read(answer(body, phase=Phase.EVENT))


# Catalogs

TWO = Model(id="acme/two", canonical="acme/two", tier=2)


def catalog(**more: Any) -> CompatibleCatalog:
    return CompatibleCatalog(models=(MODEL, TWO), checked="2026-11-23", **more)


ODD_ROWS: list[Any] = [
    None,
    5,
    "acme/two",
    [],
    {},
    {"id": None},
    {"id": 7},
    {"id": ["acme/two"]},
    {"id": "other"},
    [["id"]],
]


def test_a_list_confirms_what_is_known_and_no_odd_row_drops_another() -> None:
    rows = [*ODD_ROWS, {"id": "acme/two"}, *ODD_ROWS, {"id": "acme/one", "x": 1}, {"id": "acme/two"}]
    assert catalog().parse(answer({"data": rows})) == (TWO, MODEL)
    assert catalog().parse(answer(rows)) == (TWO, MODEL)
    assert catalog(rows="result").parse(answer({"result": rows, "data": []})) == (TWO, MODEL)


@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", {}, {"data": None}, {"data": {}}, {"error": "x"}, {"result": []}, 5, "x", None]
)
def test_what_is_no_list_is_refused(body: Any) -> None:
    with pytest.raises(ValueError, match="no list under 'data'"):
        catalog().parse(answer(body))


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> Sequence[Model]:
    """A package's own, which trusts its upstream."""
    price = 1.0 / (row["per_dollar"] * 1.0) + row["prices"][0]
    return [Model(id=row["id"].lower(), canonical=row["id"], price=price)] * row.get("times", 1)


@pytest.mark.parametrize(
    "odd",
    [
        *ODD_ROWS,
        {"id": 5, "per_dollar": 1, "prices": [1]},
        {"id": "x", "per_dollar": 0, "prices": [1]},
        {"id": "x", "per_dollar": 10**400, "prices": [1]},
        {"id": "x", "per_dollar": 1, "prices": []},
        {"id": "x", "per_dollar": 1, "prices": {}},
        {"id": "x", "per_dollar": "1", "prices": [1]},
        {"id": "x", "per_dollar": 1, "prices": [1], "times": 0},
    ],
)
def test_no_odd_row_drops_another_whatever_a_package_makes_of_it(odd: Any) -> None:
    good = {"id": "A", "per_dollar": 1, "prices": [1], "times": 2}
    rows = [odd, good, odd, {**good, "id": "B"}]
    models = catalog(parse_entry=parse_entry).parse(answer({"data": rows}))
    assert [model.id for model in models] == ["a", "b"]


def test_a_list_is_asked_for_beside_the_api() -> None:
    made = catalog().request(KEY)
    assert made is not None
    assert (made.method, made.url) == ("GET", "https://acme.invalid/api/v1/models")
    assert dict(made.headers)["authorization"] == f"Bearer {KEY.secret}"
    made = catalog(base_suffix="/v1", path="/catalog", headers={"x-own": "mine"}).request(KEY)
    assert made is not None
    assert made.url == "https://acme.invalid/api/catalog"
    assert dict(made.headers)["x-own"] == "mine"


def test_a_list_that_cannot_be_derived_is_not_asked_for() -> None:
    assert catalog(base_suffix="/v2").request(KEY) is None
    assert catalog(path=None).request(KEY) is None


# Probes


def describe(body: Any) -> Proof:
    return Proof(valid=True, account=Account(can_be_billed=body["paid"]), note=f"{body['left']:d} left")


@pytest.mark.parametrize(
    ("found", "proof"),
    [
        (answer({"paid": False, "left": 5}), Proof(True, Account(can_be_billed=False), "5 left")),
        (answer({"paid": False, "left": "many"}), Proof(True)),
        (answer({"paid": False}), Proof(True)),
        (answer(b"<html>"), Proof(True)),
        (answer(b"", 401), Proof(False, note="wrong")),
        (answer(b"", 403), Proof(None)),
        (answer(b"", 429), Proof(None)),
        (answer(b"", 500), Proof(None)),
    ],
)
def test_a_probe_shows_what_it_can(found: Answer, proof: Proof) -> None:
    probe = CompatibleProbe(path="/key", refusals={401: "wrong"}, describe=describe)
    assert probe.read(found) == proof


def test_a_probe_needs_no_description() -> None:
    probe = CompatibleProbe(path="/key", base_suffix="/v1")
    made = probe.request(KEY)
    assert made is not None
    assert made.url == "https://acme.invalid/api/key"
    assert probe.read(answer(b"")) == Proof(True)
    assert probe.read(answer(b"", 403)) == Proof(False)


@pytest.mark.parametrize(
    ("found", "is_valid"),
    [
        (answer({"error": "API key revoked"}, 403), False),
        (answer({"detail": "Authorization failed"}, 403), False),
        (answer(b"", 403), False),
        (answer(b"", 401), False),
        (answer(b"<html>Sign in</html>", 401), False),
        (answer(b"<html><title>Just a moment...</title></html>", 403), None),
        (answer(b"", 403, cf_mitigated="challenge"), None),
        (answer({"error": "Access denied. Please check your network settings."}, 403), None),
    ],
)
def test_a_probe_blames_no_key_for_a_page_that_blocks(found: Answer, is_valid: bool | None) -> None:
    assert CompatibleProbe(path="/key").read(found).valid is is_valid


# The rest


def test_a_provider_does_what_it_has_a_wire_for() -> None:
    def make(**wires: Any) -> CompatibleProvider:
        return CompatibleProvider(
            api_version=1,
            name="acme",
            about=ABOUT,
            credentials=(Credential(variable="ACME_KEY"),),
            base_url="https://acme.invalid/v1",
            free=WholeCatalog(),
            catalog=catalog(),
            **wires,
        )

    wire = CompatibleWire(path="/x")
    assert make(chat=wire).wires == {Operation.CHAT: wire}
    assert make(embeddings=wire, chat=wire).wires.keys() == set(Operation)
    assert make(chat=wire).meter is Scope.ACCOUNT


def test_a_packages_headers_follow_the_usual_ones() -> None:
    assert [name for name, _ in bearer(KEY, {"x-own": "mine"})] == ["authorization", "content-type", "accept", "x-own"]


@pytest.mark.parametrize(
    ("model_id", "canonical"),
    [
        ("Meta-Llama/Llama-3.3-70B-Instruct", "meta/llama-3.3-70b-instruct"),
        ("meta/llama-3.3-70b-instruct-fp8-fast", "meta/llama-3.3-70b-instruct"),
        ("qwen/qwen3-32b-AWQ", "qwen/qwen3-32b"),
        ("qwen/qwen3-32b-gptq-int4", "qwen/qwen3-32b"),
        ("acme/one:thinking", "acme/one:thinking"),
        ("acme/one-fast", "acme/one-fast"),
        ("acme/one-fp8-turbo", "acme/one-fp8-turbo"),
        ("acme/one-int8x", "acme/one-int8x"),
        ("acme/a/b", "acme/a/b"),
        ("one", "one"),
        ("", ""),
    ],
)
def test_quantisations_merge_and_behaviours_do_not(model_id: str, canonical: str) -> None:
    assert canonical_of(model_id, {"meta-llama": "meta"}) == canonical
    assert canonical_of(canonical) == canonical
