"""Cloudflare Workers AI: what the package asks of its upstream, and what it makes of the answers."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_conformance.subject import installed_provider
from freeride_core import Account, Answer, Key, Operation
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import catalog_of, read_profile
from freeride_provider_cloudflare import freeride_register_provider
from freeride_provider_cloudflare.stream import WithoutLegacyEvents

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
PROFILE = read_profile(Path(str(resources.files("freeride_provider_cloudflare") / "simulator.toml")))
KEY = Key(
    provider="cloudflare",
    secret=PROFILE.good_key,
    fingerprint="0" * 12,
    index=0,
    variable="CLOUDFLARE_API_TOKEN",
    base_url="https://api.cloudflare.com/client/v4/accounts/f00d/ai/v1",
)


SUBJECT = installed_provider(load_plugins(("provider",)), "cloudflare")
sent = SUBJECT.sent
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("task", "operations"),
    [
        ("Text Generation", {Operation.CHAT}),
        ("Text Embeddings", {Operation.EMBEDDINGS}),
        ("Text-to-Image", None),
        ("Summarization", None),
    ],
)
def test_the_list_says_what_a_model_does(task: str, operations: set[Operation] | None) -> None:
    body = json.dumps({"result": [{"name": "@cf/acme/new", "task": {"name": task}}]}).encode()
    models = PROVIDER.catalog.parse(Answer(200, {}, body, 0.0))
    assert [model.operations for model in models] == ([operations] if operations else [])


def test_the_list_is_searched_beside_the_api() -> None:
    request = PROVIDER.catalog.request(KEY)
    assert request is not None
    assert request.url == "https://api.cloudflare.com/client/v4/accounts/f00d/ai/models/search"
    elsewhere = Key(
        provider="cloudflare", secret="x", fingerprint="0" * 12, index=0, variable="X", base_url="http://127.0.0.1/api"
    )
    assert PROVIDER.catalog.request(elsewhere) is None
    assert PROVIDER.probe is not None
    assert PROVIDER.probe.request(elsewhere) is None


def test_only_chat_models_of_its_own_are_listed_and_only_those_in_the_plan_are_free() -> None:
    models = {model.id: model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))}
    free = {name for name, model in models.items() if PROVIDER.free.allows(model, Account())}
    assert free <= {model.id for model in PROVIDER.catalog.models}
    assert models.keys() - free == {*PROFILE.catalog.paid} - {"openai/gpt-5.2", "@cf/meta/llama-3.2-3b-instruct"}
    assert "openai/gpt-5.2" not in models
    assert "@cf/black-forest-labs/flux-2-dev" not in models
    assert models["@cf/meta/llama-2-7b-chat-fp16"].canonical == "meta-llama/llama-2-7b-chat"
    assert models["@cf/meta/llama-2-7b-chat-fp16"].retires == "2026-12-31"
    assert models["@cf/meta/llama-3.2-3b-instruct"].retires == "2026-01-31"


def test_the_enforced_context_is_believed_and_not_the_listed_one() -> None:
    models = {model.id: model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))}
    assert models["@cf/google/gemma-4-26b-a4b-it"].context == 131_072


@pytest.mark.parametrize(
    ("asked", "reaches"),
    [
        ({}, 4096),
        ({"max_tokens": None}, 4096),
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 9000}, 9000),
        ({"max_completion_tokens": None}, 4096),
    ],
    ids=json.dumps,
)
def test_an_answer_never_ends_after_the_256_tokens_of_the_default(asked: dict[str, Any], reaches: int) -> None:
    body = sent("@cf/openai/gpt-oss-120b", {"messages": MESSAGES, "store": True, **asked})
    assert body == {"model": "@cf/openai/gpt-oss-120b", "messages": MESSAGES, "max_tokens": reaches}


def test_the_default_leaves_room_in_a_small_context() -> None:
    small = next(model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW)) if model.context == 4096)
    assert json.loads(SUBJECT.request({"messages": MESSAGES}, small).body)["max_tokens"] == 2048


def test_a_token_that_may_not_list_models_is_not_proven_bad() -> None:
    assert PROVIDER.probe is not None
    verdicts = {
        status: PROVIDER.probe.read(Answer(status, {}, b"{}", NOW)) for status in (200, 400, 401, 403, 404, 500)
    }
    assert {status: proof.valid for status, proof in verdicts.items()} == {
        200: True,
        400: False,
        401: False,
        403: None,
        404: False,
        500: None,
    }
    assert "CLOUDFLARE_ACCOUNT_ID" in verdicts[404].note


EVENTS = [
    b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}],"p":"abc"}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"data: {\\"response\\":"}}]}\n\n',
    b'data: {"response":"","usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}\n\n',
    b": a comment\n\n",
    b"data: [DONE]\n\n",
]


@given(st.lists(st.sampled_from(EVENTS)), st.lists(st.integers(1, 400)))
def test_the_legacy_event_is_gone_however_a_stream_is_cut_and_all_else_stays(
    events: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(events)
    decoder = WithoutLegacyEvents()
    heard = b""
    for cut in cuts:
        heard += decoder.decode(stream[:cut])
        stream = stream[cut:]
    heard += decoder.decode(stream) + decoder.flush()
    assert heard == b"".join(event for event in events if event != EVENTS[2])


def test_a_stream_that_is_no_event_stream_is_not_held_for_ever() -> None:
    decoder = WithoutLegacyEvents()
    heard = b"".join(decoder.decode(b"x" * 1000) for _ in range(100))
    assert len(heard) > 60_000
    assert heard + decoder.flush() == b"x" * 100_000
