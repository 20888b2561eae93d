"""OpenRouter: what the package asks of its upstream, and what it makes of the answers."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from freeride_conformance.subject import installed_provider
from freeride_core import Account, Answer, Key, Model, Operation, Phase
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import answer_of, catalog_of, read_profile
from freeride_provider_openrouter import freeride_register_provider

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
PROFILE = read_profile(Path(str(resources.files("freeride_provider_openrouter") / "simulator.toml")))
KEY = Key(
    provider="openrouter",
    secret=PROFILE.good_key,
    fingerprint="0" * 12,
    index=0,
    variable="OPENROUTER_API_KEY",
    base_url="https://openrouter.ai/api/v1",
)


SUBJECT = installed_provider(load_plugins(("provider",)), "openrouter")
sent = SUBJECT.sent
MESSAGES = [{"role": "user", "content": "Hi"}]


def live() -> dict[str, Model]:
    return {model.id: model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))}


def is_free(model: Model) -> bool:
    return PROVIDER.free.allows(model, Account())


def test_free_is_what_is_marked_or_priced_at_zero_and_nothing_else() -> None:
    never_read = {"google/gemini-3.5-flash-image"}
    is_over = {"acme/over:free"}  # free to the end, and retired
    assert {model.id for model in live().values() if not is_free(model)} == {
        *PROFILE.catalog.paid
    } - never_read - is_over
    assert is_free(live()["openrouter/aurora-alpha"])


@pytest.mark.parametrize(
    "pricing",
    [
        {},
        {"prompt": "0"},
        {"prompt": "-1", "completion": "-1"},
        {"prompt": "0", "completion": "0", "request": "0.01"},
        {"prompt": "0", "completion": "0", "image": "0.03"},
        {"prompt": "0", "completion": "nan"},
        {"prompt": "0", "completion": "0", "overrides": [{"prompt": "0.1"}]},
        {"prompt": None, "completion": None},
        {"prompt": "free", "completion": "free"},
        [],
        "0",
        None,
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("name", ["acme/x", "acme/x:free", "openrouter/x"])
def test_a_price_that_is_missing_or_not_zero_is_not_free(name: str, pricing: Any) -> None:
    body = json.dumps({"data": [{"id": name, "pricing": pricing}]}).encode()
    assert not any(is_free(model) for model in PROVIDER.catalog.parse(Answer(200, {}, body, NOW)))


def test_the_router_is_free_and_known_as_one_and_the_paid_one_is_neither() -> None:
    assert live()["openrouter/free"].router
    assert is_free(live()["openrouter/free"])
    assert not live()["openrouter/auto"].router
    dated = {model.id: model for model in PROVIDER.catalog.models}
    assert all(is_free(model) for model in dated.values())


def test_the_list_says_what_a_model_can_do_until_when() -> None:
    models = live()
    super_ = models["nvidia/nemotron-3-super-120b-a12b:free"]
    assert (super_.canonical, super_.tier, super_.context) == ("nvidia/nemotron-3-super-120b-a12b", 1, 262_144)
    assert (super_.tools, super_.json_schema, super_.vision) == (True, True, False)
    assert models["dots-studio/dots-3-note-preview:free"].retires == "2027-01-31"
    assert models["dots-studio/dots-3-note-preview:free"].tools is False
    assert models["nvidia/nemotron-3-embed-1b:free"].operations == {Operation.EMBEDDINGS}
    assert "google/gemini-3.5-flash-image" not in models


def test_a_client_cannot_name_a_paid_model_beside_the_free_one() -> None:
    costly = {"models": ["openai/gpt-5.2"], "plugins": [{"id": "web"}], "service_tier": "priority"}
    body = sent("google/gemma-4-31b-it:free", {"messages": MESSAGES, "seed": 1, **costly})
    assert body == {"model": "google/gemma-4-31b-it:free", "messages": MESSAGES, "seed": 1}


def test_a_model_that_is_free_by_its_price_alone_is_asked_to_cost_nothing() -> None:
    wanted = {"order": ["acme"], "max_price": {"prompt": 5}}
    body = sent("openrouter/aurora-alpha", {"messages": MESSAGES, "provider": wanted})
    assert body["provider"] == {
        "order": ["acme"],
        "max_price": {"prompt": 0, "completion": 0, "request": 0, "image": 0},
    }
    assert sent("openrouter/aurora-alpha", {"messages": MESSAGES})["provider"] == {
        "max_price": body["provider"]["max_price"]
    }
    for name in ("openrouter/free", "google/gemma-4-31b-it:free"):
        assert sent(name, {"messages": MESSAGES, "provider": wanted})["provider"] == wanted


def test_requests_say_whose_they_are() -> None:
    request = SUBJECT.request({"messages": MESSAGES})
    headers = {name.lower(): value for name, value in request.headers}
    assert request.url == "https://openrouter.ai/api/v1/chat/completions"
    assert headers["http-referer"] == "https://free-ride.xyz"
    assert headers["x-openrouter-title"] == "FreeRide"


def test_the_account_is_known_by_the_name_that_errors_give() -> None:
    case = PROFILE.case("daily-cap")
    assert case is not None
    reading = PROVIDER.wires[Operation.CHAT].read(answer_of(PROFILE, case, NOW))
    assert reading.account == "user_2abcDEFghiJKLmnoPQRstuVWX"


NO_ENDPOINT = {
    "settings": (404, {"message": "No endpoints found matching your data policy", "code": 404}, "auth"),
    "settings in the newer shape": (404, {"message": "x", "availability": {"code": "privacy_restricted"}}, "auth"),
    "a model without endpoints": (404, {"message": "No endpoints found for x/y.", "code": 404}, "model_not_found"),
    "a route": (
        503,
        {"message": "There is no available model provider that meets your routing requirements"},
        "unavailable",
    ),
}


@pytest.mark.parametrize(("status", "error", "kind"), NO_ENDPOINT.values(), ids=NO_ENDPOINT)
@pytest.mark.parametrize("wish", [None, "null", "{}", '{"only": ["nowhere"]}', '{"data_collection": "deny"}'])
def test_a_routing_wish_speaks_of_its_own_request_only(
    status: int, error: dict[str, Any], kind: str, wish: str | None
) -> None:
    more = "" if wish is None else f', "provider": {wish}'
    call = parse_call(Operation.CHAT, f'{{"model": "x/y", "messages": []{more}}}'.encode())
    answer = Answer(status, {}, json.dumps({"error": error}).encode(), NOW, call=call)
    failure = PROVIDER.wires[Operation.CHAT].read(answer).failure
    assert failure is not None
    assert failure.kind == (kind if wish in (None, "null", "{}") else "unsupported")


@pytest.mark.parametrize("code", ["free_variant_ended", "model_deprecated", "model_not_found"])
def test_a_model_that_is_gone_is_gone_whatever_is_wished(code: str) -> None:
    call = parse_call(Operation.CHAT, b'{"model": "x/y", "messages": [], "provider": {"only": ["nowhere"]}}')
    body = json.dumps({"error": {"message": "x", "availability": {"code": code}}}).encode()
    failure = PROVIDER.wires[Operation.CHAT].read(Answer(404, {}, body, NOW, call=call)).failure
    assert failure is not None
    assert failure.kind == "model_not_found"


@pytest.mark.parametrize("name", ["mid-stream-error", "mid-stream-rate-limited"])
def test_an_error_in_a_stream_is_seen_as_an_event(name: str) -> None:
    case = PROFILE.case(name)
    assert case is not None
    assert answer_of(PROFILE, case, NOW).phase is Phase.EVENT


def test_the_probe_tells_what_is_left_of_the_day() -> None:
    assert PROVIDER.probe is not None
    request = PROVIDER.probe.request(KEY)
    assert request is not None
    assert request.url == "https://openrouter.ai/api/v1/key"
    body = b'{"data":{"free_model_daily_requests":{"limit":50,"used":12,"remaining":38}}}'
    proof = PROVIDER.probe.read(Answer(200, {}, body, NOW))
    assert (proof.valid, proof.note) == (True, "38 of 50 free requests left today (UTC)")
    assert PROVIDER.probe.read(Answer(200, {}, b"{}", NOW)).valid is True
    assert PROVIDER.probe.read(Answer(401, {}, b"", NOW)).valid is False
    assert PROVIDER.probe.read(Answer(502, {}, b"", NOW)).valid is None


def test_its_own_tools_which_can_cost_money_are_left_out() -> None:
    theirs = {"type": "function", "function": {"name": "f"}}
    own = [
        {"type": name} for name in ("openrouter:web_search", "openrouter:fusion", "web_search", "web_search_preview")
    ]
    assert sent("openrouter/free", {"messages": [], "tools": [*own, theirs]})["tools"] == [theirs]
    assert sent("openrouter/free", {"messages": [], "tools": [theirs]})["tools"] == [theirs]
    assert sent("openrouter/free", {"messages": [], "tools": [*own, 5]})["tools"] == []
    assert sent("openrouter/free", {"messages": [], "tools": None})["tools"] is None
