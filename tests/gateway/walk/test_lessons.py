"""What one request teaches: how narrowly it is remembered, how long, and that no other request is refused for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import (
    MODEL,
    FakeUpstream,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    good,
    in_turn,
    provider,
    refusal,
    reply,
)
from freeride_core import Model, Operation
from freeride_core.ledger.learned import REMEMBERED_S, Learned
from freeride_core.ledger.store.store import Entry

ABLE = replace(MODEL, tools=True, vision=True, context=131_072)
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
PLAIN: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def picture(url: str = "data:image/png;base64,AAAA", count: int = 1) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}] * count}]


@dataclass(frozen=True, kw_only=True)
class OddRequest:
    """A request that is refused, and an ordinary one that is not."""

    fields: dict[str, Any]
    status: int = 400
    words: str
    after: dict[str, Any]


ODDITIES = {
    "a tool choice": OddRequest(
        fields={"tools": TOOLS, "tool_choice": "required"},
        words="Thinking mode does not support this tool_choice",
        after={"tools": TOOLS},
    ),
    "parallel calls": OddRequest(
        fields={"tools": TOOLS, "parallel_tool_calls": True},
        words="This model does not support parallel tool calls",
        after={"tools": TOOLS},
    ),
    "too many tools": OddRequest(
        fields={"tools": TOOLS * 129}, words="This model does not support more than 128 tools", after={"tools": TOOLS}
    ),
    "a tool's type": OddRequest(
        fields={"tools": [{"type": "custom", "custom": {"name": "x"}}]},
        words="Tool type 'custom' is not supported",
        after={"tools": TOOLS},
    ),
    "tools with JSON": OddRequest(
        fields={"tools": TOOLS, "response_format": {"type": "json_object"}},
        words="Tools are not supported together with response_format",
        after={"tools": TOOLS},
    ),
    "a MIME type": OddRequest(
        fields={"messages": picture("data:image/jpg;base64,AAAA")},
        words="Unsupported MIME type: image/jpg",
        after={"messages": picture()},
    ),
    "an image's address": OddRequest(
        fields={"messages": picture("https://x.invalid/a.png")},
        words="Image URLs are not supported, send base64",
        after={"messages": picture()},
    ),
    "an image's size": OddRequest(
        fields={"messages": picture()},
        words="This model does not support images larger than 8000 pixels",
        after={"messages": picture()},
    ),
    "images with tools": OddRequest(
        fields={"messages": picture(), "tools": TOOLS},
        words="Images are not supported in tool results",
        after={"messages": picture(), "tools": TOOLS},
    ),
    "a keyword of a schema": OddRequest(
        fields={"response_format": SCHEMA},
        words="response_format.json_schema: keyword 'allOf' is not supported",
        after={"response_format": SCHEMA},
    ),
    "a schema that streams": OddRequest(
        fields={"response_format": SCHEMA},
        words="Structured outputs are not supported with streaming",
        after={"response_format": SCHEMA},
    ),
    "a routing wish": OddRequest(
        fields={"provider": {"only": ["nowhere"]}},
        status=404,
        words="No allowed providers are available for the selected model.",
        after={},
    ),
    "a demand for parameters": OddRequest(
        fields={"provider": {"require_parameters": True}},
        status=404,
        words="No endpoints found that can handle the requested parameters. To learn more, visit: x",
        after={},
    ),
    "ignored providers": OddRequest(
        fields={"provider": {"ignore": ["all"]}}, status=404, words="All providers have been ignored.", after={}
    ),
    "a file that is gone": OddRequest(
        fields={"file": "f-1"}, status=404, words="The file 'f-1' was not found", after={}
    ),
    "twenty images by address": OddRequest(
        fields={"messages": picture("https://x.invalid/a.png", count=20)},
        words="This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens",
        after={"messages": [{"role": "user", "content": "word " * 800}]},
    ),
    "an upstream in trouble": OddRequest(fields={}, words="context length exceeded", after={}),
    "a field that nobody counts": OddRequest(
        fields={"documents": ["word " * 40_000]},
        words="maximum context length is 131072 tokens, you requested 140000",
        after={"messages": [{"role": "user", "content": "word " * 800}]},
    ),
}


@pytest.mark.parametrize("odd", ODDITIES.values(), ids=ODDITIES)
@pytest.mark.parametrize("model", ["auto", ABLE.id])
def test_an_odd_request_takes_nothing_from_an_ordinary_one(tmp_path: Path, odd: OddRequest, model: str) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=[ABLE])) as stage:
        stage["alpha"].answer = in_turn(refusal(odd.status, odd.words))
        refused = stage.ask(model, **odd.fields)
        assert refused.status_code == 400
        assert odd.words.partition(":")[0] in refused.json()["error"]["message"]
        assert not stage.cooled()
        assert not stage.thread.gateway.ledger.learned
        assert stage.ask(model, **odd.after).status_code == 200
        assert len(stage["alpha"].posts) == 2


@pytest.mark.parametrize("odd", ODDITIES.values(), ids=ODDITIES)
def test_an_odd_request_is_tried_elsewhere_and_the_next_begins_as_usual(tmp_path: Path, odd: OddRequest) -> None:
    with GatewayStage(tmp_path, *(provider(name, models=[ABLE]) for name in ("alpha", "beta"))) as stage:
        stage["alpha"].answer = in_turn(refusal(odd.status, odd.words))
        first = stage.ask(**odd.fields)
        assert first.headers["x-freeride-provider"] == ("alpha" if "context" in odd.words else "beta")
        assert stage.ask(**odd.after).headers["x-freeride-provider"] == "alpha"


LACKS: dict[str, tuple[str, dict[str, Any]]] = {
    "tools": ("This model does not support tools", {"tools": TOOLS}),
    "images": ("No endpoints found that support image input", {"messages": picture()}),
    "json_schema": ("Structured output is not supported", {"response_format": SCHEMA}),
}


@pytest.mark.parametrize(("words", "fields"), LACKS.values(), ids=LACKS)
def test_what_is_lacking_puts_a_model_last_and_a_good_answer_ends_that(
    tmp_path: Path, words: str, fields: dict[str, Any]
) -> None:
    with GatewayStage(tmp_path, *(provider(name, models=[ABLE]) for name in ("alpha", "beta"))) as stage:
        stage["alpha"].answer = always(refusal(400, words))
        assert stage.ask(**fields).headers["x-freeride-provider"] == "beta"
        again = stage.ask(**fields)
        assert (again.headers["x-freeride-provider"], again.headers["x-freeride-attempts"]) == ("beta", "1")
        stage["alpha"].answer = good
        stage["beta"].answer = always(refusal(503))
        assert stage.ask(**fields).headers["x-freeride-provider"] == "alpha", "last is not never"
        assert not stage.thread.gateway.ledger.learned
        stage["beta"].answer = good
        assert stage.ask(**fields).headers["x-freeride-provider"] == "alpha"


@pytest.mark.parametrize(("words", "fields"), LACKS.values(), ids=LACKS)
@pytest.mark.parametrize("forced", [False, True])
def test_where_nothing_else_is_left_a_doubted_model_is_asked(
    tmp_path: Path, words: str, fields: dict[str, Any], forced: bool
) -> None:
    headers = {"X-FreeRide-Force-Provider": "alpha"} if forced else {}
    with GatewayStage(tmp_path, provider("alpha", models=[ABLE])) as stage:
        stage["alpha"].answer = in_turn(refusal(400, words), refusal(400, words))
        for asked in (1, 2):
            refused = stage.ask(headers=headers, **fields)
            assert refused.status_code == 400
            assert refused.json()["error"]["message"] == words
            assert len(stage["alpha"].posts) == asked
        assert stage.ask(headers=headers, **fields).status_code == 200
        assert not stage.thread.gateway.ledger.learned


SIZES = (10_000, 20_000, 40_000)
TOO_LONG = refusal(400, "This model's maximum context length is 9000 tokens.", code="context_length_exceeded")
LONG: list[dict[str, Any]] = [{"role": "user", "content": "word " * 6000}]


def windows(name: str = "double") -> tuple[Model, ...]:
    return tuple(
        replace(MODEL, id=f"{name}/{size}", canonical=f"{name}/{size}", tier=tier, context=size)
        for tier, size in enumerate(SIZES, 1)
    )


def asked(upstream: FakeUpstream) -> list[int]:
    """The windows that were asked, in order."""
    return [int(seen.json["model"].partition("/")[2]) for seen in upstream.posts]


def test_of_the_windows_that_were_too_small_the_largest_is_asked_first(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=windows())) as stage:
        stage["alpha"].answer = always(TOO_LONG)
        assert stage.ask(messages=LONG).status_code == 400
        assert asked(stage["alpha"]) == [10_000, 20_000, 40_000]
        stage["alpha"].seen.clear()
        again = stage.ask(messages=LONG)
        assert (again.status_code, again.json()["error"]["code"]) == (400, "context_length_exceeded")
        # 40,000 was refused a request of a fifth of its window, which is not believed.
        assert asked(stage["alpha"])[0] == 40_000
        assert len(stage["alpha"].posts) <= 2


def test_a_size_that_was_refused_is_served_and_forgotten(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=windows()[:1])) as stage:
        stage["alpha"].answer = in_turn(TOO_LONG)
        assert stage.ask(messages=LONG).status_code == 400
        assert stage.thread.gateway.ledger.learned
        assert stage.ask(messages=LONG).status_code == 200
        assert not stage.thread.gateway.ledger.learned


def test_a_prompt_that_fits_nowhere_is_refused_in_words_that_agents_look_for(tmp_path: Path) -> None:
    huge = [{"role": "user", "content": "word " * 100_000}]
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        error = stage.ask(messages=huge).json()["error"]
        assert error["code"] == "context_length_exceeded"
        assert error["message"].startswith(
            "This model's maximum context length is 100000 tokens. However, the prompt has"
        )


# An account that is shut out

RESTRICTED = refusal(
    400,
    "Organization has been restricted. Please reach out to support if you believe this was in error.",
    code="organization_restricted",
)
DENIED = {
    "a restricted organization": RESTRICTED,
    "a suspended account": refusal(400, "Your account has been suspended"),
    "an expired key": refusal(400, "API key expired. Please renew the API key."),
    "a deactivated project": refusal(404, "This project is deactivated"),
}


@pytest.mark.parametrize("script", DENIED.values(), ids=DENIED)
def test_an_account_that_is_shut_out_is_asked_once_and_rests(tmp_path: Path, script: Script) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(script)
        for _ in range(3):
            assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 2
        assert sorted(wait for _, wait in stage.cooled().values()) == [300, 300]
        forced = stage.ask(headers={"X-FreeRide-Force-Provider": "alpha"})
        assert forced.status_code == 503
        assert forced.json()["error"]["code"] == "auth"
        assert "ALPHA_KEY" in forced.json()["error"]["suggestion"]


def test_a_restricted_account_is_named_as_that(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(RESTRICTED)
        for _ in range(2):  # as it is read, and while it rests
            suggestion = stage.ask().json()["error"]["suggestion"]
            assert "ALPHA_KEY" in suggestion
            assert "account" in suggestion
            assert "Replace" not in suggestion
        stage["alpha"].answer = good


def models(count: int) -> tuple[Model, ...]:
    return tuple(replace(MODEL, id=f"double/{at}", canonical=f"double/{at}", tier=1) for at in range(count))


def test_models_that_are_missing_in_a_row_mean_the_account_where_the_package_says_so(tmp_path: Path) -> None:
    alpha = provider("alpha", models=models(9))
    alpha.missing_models_most = 3
    with GatewayStage(tmp_path, alpha, provider("beta")) as stage:
        stage["alpha"].answer = always(refusal(404, "Not found for account"))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 3
        [(slot, (kind, left_s))] = [entry for entry in stage.cooled().items() if entry[0].is_of_account]
        assert (slot.provider, kind) == ("alpha", "auth")
        assert 290 <= left_s <= 300
        error = stage.ask("double/8").json()["error"]
        assert "ALPHA_KEY" in error["suggestion"]


def test_models_that_are_missing_between_answers_mean_themselves(tmp_path: Path) -> None:
    alpha = provider("alpha", models=models(6))
    alpha.missing_models_most = 3
    with GatewayStage(tmp_path, alpha) as stage:
        stage["alpha"].answer = lambda seen: refusal(404) if seen.json["model"][-1] in "0134" else good(seen)
        for _ in range(2):
            assert stage.ask().headers["x-freeride-model"] == "double/2"
        for name in ("double/3", "double/4"):
            assert stage.ask(name).status_code == 503
        assert stage.ask("double/5").status_code == 200
        assert not [slot for slot in stage.cooled() if slot.is_of_account]


def test_missing_models_mean_themselves_where_the_package_says_nothing(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=models(5))) as stage:
        stage["alpha"].answer = lambda seen: good(seen) if seen.json["model"] == "double/4" else refusal(404)
        assert stage.ask().headers["x-freeride-model"] == "double/4"
        assert not [slot for slot in stage.cooled() if slot.is_of_account]


def test_a_limit_within_a_400_is_a_503_with_its_wait(tmp_path: Path) -> None:
    words = refusal(400, "Rate limit exceeded, please try again in 43 seconds", type="rate_limit_error", code="429")
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(words)
        for _ in range(2):
            answer = stage.ask()
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "rate_limit")
            assert int(answer.headers["retry-after"]) in (42, 43)
        assert len(stage["alpha"].posts) == 1


def test_an_upstream_in_trouble_teaches_nothing_and_is_asked_again(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = in_turn(refusal(500, "context size exceeded while loading"))
        assert stage.ask().status_code == 503
        assert not stage.thread.gateway.ledger.learned
        assert stage.ask().status_code == 200


# Inputs of embeddings

SMALL = replace(
    MODEL, id="double/embed", canonical="double/embed", context=512, operations=frozenset({Operation.EMBEDDINGS})
)
TEXT = "word " * 80
TEXTS = {
    "texts": [TEXT] * 1000,
    "tokens": [[7] * 100] * 1000,
    "one prompt of tokens": [7] * 500,
    "one text": TEXT * 4,
}


def vectors(seen: ReceivedRequest) -> Script:
    count = len(seen.json["input"]) if isinstance(seen.json["input"], list) else 1
    if isinstance(seen.json["input"][0], int):
        count = 1
    rows = [{"object": "embedding", "index": at, "embedding": [0.0]} for at in range(count)]
    return reply(200, {"object": "list", "data": rows, "model": "x", "usage": {"prompt_tokens": 1, "total_tokens": 1}})


@pytest.mark.parametrize("given", TEXTS.values(), ids=TEXTS)
def test_a_window_limits_each_input_and_not_their_sum(tmp_path: Path, given: Any) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=[SMALL], embeds=True)) as stage:
        stage["alpha"].answer = vectors
        assert stage.embed("double/embed", input=given).status_code == 200
        assert len(stage["alpha"].posts) == 1


@pytest.mark.parametrize("given", [[TEXT, "word " * 20_000], [[7], [7] * 20_000], "word " * 20_000, [7] * 20_000])
def test_an_input_that_no_window_has_room_for_is_refused(tmp_path: Path, given: Any) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=[SMALL], embeds=True)) as stage:
        answer = stage.embed("double/embed", input=given)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["code"], error["param"]) == ("context_length_exceeded", "input")
        assert not stage["alpha"].posts


def test_a_refused_batch_teaches_no_size(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=[SMALL], embeds=True)) as stage:
        stage["alpha"].answer = always(refusal(400, "Input length 600 exceeds maximum allowed token size 512"))
        assert stage.embed("double/embed", input=[TEXT] * 100).status_code == 400
        assert not stage.thread.gateway.ledger.learned


# The lessons themselves


def test_a_lesson_lasts_an_hour_and_outlives_the_process() -> None:
    entries: list[Entry] = []
    learned = Learned(entries.append)
    learned.note_missing("alpha", "m", "tools", 1000.0)
    learned.note_too_big("alpha", "m", 9000, 1000.0)
    other = Learned(lambda _: None)
    other.apply(entries)
    for each in (learned, other):
        assert each.missing("alpha", "m", ("tools", "images"), 1000.0 + REMEMBERED_S - 1) == {"tools"}
        assert each.refuses("alpha", "m", 9001, 1000.0 + REMEMBERED_S - 1)
        assert not each.refuses("alpha", "m", 8999, 1000.0)
        assert not each.missing("alpha", "m", ("tools",), 1000.0 + REMEMBERED_S)
        assert not each.refuses("alpha", "m", 9001, 1000.0 + REMEMBERED_S)


def test_what_is_forgotten_is_forgotten_by_other_processes_too() -> None:
    entries: list[Entry] = []
    learned, other = Learned(entries.append), Learned(lambda _: None)
    learned.note_missing("alpha", "m", "tools", 1000.0)
    learned.note_missing("alpha", "m", "images", 1000.0)
    learned.note_too_big("alpha", "m", 9000, 1000.0)
    learned.note_served("alpha", "m", {"tools"}, 8000)
    other.apply(entries)
    assert not other.missing("alpha", "m", ("tools",), 1000.0)
    assert other.missing("alpha", "m", ("images",), 1000.0)
    assert other.refuses("alpha", "m", 9000, 1000.0)
    learned.note_served("alpha", "m", {"images"}, 9000)
    other.apply(entries)
    assert not learned
    assert not other


def test_the_last_size_that_was_refused_counts() -> None:
    learned = Learned(lambda _: None)
    learned.note_too_big("alpha", "m", 9000, 1000.0)
    learned.note_too_big("alpha", "m", 12_000, 1001.0)
    assert not learned.refuses("alpha", "m", 9000, 1001.0)
    learned.forget_old(1001.0 + REMEMBERED_S)
    assert not learned
