"""What holds for every provider package of this repository: its dated facts, its profile, and how it reads a model list."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeride_core import Account, Answer, CompatibleCatalog, CompatibleProvider, Key, Model, Operation, canonical_of
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Profile, catalog_of
from freeride_core.simulator.installed import installed_profile

NOW = 1_795_406_400.0
PLUGINS = load_plugins(("provider",))
PROVIDERS = [provider for provider in PLUGINS.providers.values() if isinstance(provider, CompatibleProvider)]
HOSTED = [provider for provider in PROVIDERS if provider.credentials]
NOTHING_KNOWN = Account()

each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
each_hosted = pytest.mark.parametrize("provider", HOSTED, ids=lambda provider: provider.name)


def profile_of(provider: CompatibleProvider) -> Profile:
    return installed_profile(PLUGINS, provider.name)


def key_of(provider: CompatibleProvider) -> Key:
    profile = profile_of(provider)
    return Key(
        provider=provider.name,
        secret=profile.good_key,
        fingerprint="0" * 12,
        index=0,
        variable=profile.key_variable,
        account_id=profile.account,
        base_url=provider.base_url.replace("{account}", profile.account or ""),
    )


def test_the_first_five_providers_keep_their_order_and_keyless_ones_come_last() -> None:
    ranked = sorted(PROVIDERS, key=lambda provider: (provider.rank, provider.name))
    assert len(HOSTED) >= 5
    assert [provider.rank for provider in ranked[:5]] == [10, 20, 30, 40, 50]
    assert {provider.name for provider in ranked[: len(HOSTED)]} == {provider.name for provider in HOSTED}


@each_provider
def test_its_facts_are_dated_and_say_where_they_come_from(provider: CompatibleProvider) -> None:
    about = provider.about
    assert all((about.title, about.free_day, about.data_use))
    assert about.homepage.startswith("https://")
    for source, checked in [(about.source, about.checked), *((x.source, x.checked) for x in provider.limits)]:
        # Where nothing is published, what users have read is said to be that.
        assert source.startswith(("https://", "community"))
        assert date.fromisoformat(checked).isoformat() == checked
    assert date.fromisoformat(provider.catalog.checked).isoformat() == provider.catalog.checked


@each_hosted
def test_what_wants_a_key_says_where_one_is_made_and_what_it_gives(provider: CompatibleProvider) -> None:
    assert provider.about.sign_up
    assert provider.about.keys_url.startswith("https://")
    assert provider.limits


@each_provider
def test_its_dated_models_have_proper_names(provider: CompatibleProvider) -> None:
    models = provider.catalog.models
    assert len({model.id for model in models}) == len(models)
    for model in models:
        assert re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", model.canonical), model
        assert canonical_of(model.canonical) == model.canonical
        assert 1 <= model.tier <= 4


@each_hosted
def test_its_profile_speaks_of_the_same_keys(provider: CompatibleProvider) -> None:
    profile, credential = profile_of(provider), provider.credentials[0]
    assert profile.key_variable == credential.variable
    assert profile.account_variable == credential.account_variable
    assert credential.pattern is not None
    assert re.fullmatch(credential.pattern, profile.good_key)


@each_provider
def test_its_profile_speaks_of_the_same_paths(provider: CompatibleProvider) -> None:
    profile, key = profile_of(provider), key_of(provider)
    assert key.base_url.endswith(profile.base_path)
    request = provider.catalog.request(key)
    assert request is not None
    assert request.url.partition("?")[0].endswith(profile.catalog.path)


@each_provider
def test_its_profile_lists_what_it_can_use(provider: CompatibleProvider) -> None:
    profile = profile_of(provider)
    models = provider.catalog.parse(catalog_of(profile, NOW))
    free = {model.id for model in models if provider.free.allows(model, NOTHING_KNOWN)}
    assert profile.default_model in free
    assert len({model.id for model in models}) == len(models)


FIELDS = [
    *("id", "name", "task", "properties", "property_id", "value", "active", "context_window", "max_completion_tokens"),
    *("pricing", "prompt", "completion", "architecture", "output_modalities", "supported_parameters", "top_provider"),
    *("context_length", "expiration_date", "providers", "status", "is_free"),
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@each_provider
@settings(deadline=None)
@given(odd=ODD)
def test_one_odd_entry_of_its_list_drops_no_other_and_makes_none_free(provider: CompatibleProvider, odd: Any) -> None:
    assert isinstance(provider.catalog, CompatibleCatalog)
    good = catalog_of(profile_of(provider), NOW)
    before = provider.catalog.parse(good)
    listed = json.loads(good.body)
    rows = listed[provider.catalog.rows]
    rows += [odd, {**rows[0], **(odd if isinstance(odd, dict) else {})}]
    after = provider.catalog.parse(Answer(200, {}, json.dumps(listed).encode(), NOW))
    for known, model in zip(before, after, strict=False):
        assert replace(model, price=known.price, promoted=known.promoted) == known
        assert provider.free.allows(known, NOTHING_KNOWN) or not provider.free.allows(model, NOTHING_KNOWN)
    for model in after:
        assert isinstance(model.id, str)
        assert model.retires is None or isinstance(model.retires, str)
        assert model.context is None or isinstance(model.context, int)


@each_provider
@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data":{},"result":null}', b"7", b""])
def test_an_answer_that_is_no_list_is_refused(provider: CompatibleProvider, body: bytes) -> None:
    with pytest.raises(ValueError, match="no list"):
        provider.catalog.parse(Answer(200, {}, body, NOW))


@pytest.mark.parametrize(
    ("model_id", "canonical"),
    [
        ("Meta-Llama/Llama-3.3-70B-Instruct", "meta-llama/llama-3.3-70b-instruct"),
        ("acme/large-fp8-fast", "acme/large"),
        ("acme/large-bf16", "acme/large"),
        ("acme/large-awq-int4", "acme/large"),
        ("acme/fp8-tuned", "acme/fp8-tuned"),
        ("acme/large-fast", "acme/large-fast"),
        ("acme/large:thinking", "acme/large:thinking"),
        ("oldname/large", "acme/large"),
        ("no-maker", "no-maker"),
        ("large:8b-q4_K_M", "large:8b"),
        ("large:8b-thinking-q8_0", "large:8b-thinking"),
        ("large:q4_K_M", "large:q4_k_m"),
    ],
)
def test_quantisations_share_a_name_and_behaviours_do_not(model_id: str, canonical: str) -> None:
    assert canonical_of(model_id, {"oldname": "acme"}) == canonical


def test_the_same_model_has_one_name_at_all_of_them() -> None:
    served: dict[str, set[str]] = {}
    for provider in PROVIDERS:
        for model in provider.catalog.models:
            served.setdefault(model.canonical, set()).add(provider.name)
    assert len(served["openai/gpt-oss-20b"]) == 4
    assert len(served["openai/gpt-oss-120b"]) >= 3
    assert len(served["nvidia/nemotron-3-super-120b-a12b"]) >= 4
    assert len(served["meta-llama/llama-3.3-70b-instruct"]) >= 2
    assert len(served["nvidia/nemotron-3.5-lightning-30b-a3b"]) >= 2
    assert len(served["nvidia/nemotron-3-embed-1b"]) == 2


# What a prompt speaks of

WORDS = (
    *(
        "openrouter:web_search",
        "web_search",
        '"type":"web_search"',
        '{"type": "openrouter:datetime"}',
        "openrouter/auto",
    ),
    *(
        "reasoning_content",
        '"reasoning_content": "x"',
        "refusal",
        '"refusal":null',
        '{"annotations": []}',
        "provider_specific_fields",
    ),
    *(
        "$schema",
        '"$schema": "http://x"',
        "tool_calls",
        '"tool_calls":[{"id":"x"}]',
        "thought_signature",
        "extra_content",
        "google",
    ),
    *(
        "@cf/meta/llama",
        "nvext",
        "data: [DONE]",
        '"image_url":',
        "input_image",
        '"max_tokens": 999999999',
        '"model":"x"',
        "models",
    ),
    *(
        "plugins",
        "service_tier",
        "web_search_options",
        "store",
        '"store":true',
        "groq",
        "hugging face",
        "ollama",
        "cloud",
    ),
)
"""Names and members of vendors and protocols, as they stand in prompts, in tools and in what tools say."""


@each_provider
@pytest.mark.parametrize("word", WORDS)
def test_no_body_is_rewritten_because_it_speaks_of_a_vendor(provider: CompatibleProvider, word: str) -> None:
    text, wire = json.dumps(word), provider.wires[Operation.CHAT]
    # Gemini's own members go to no other.
    own = ', "extra_content":{"google":{"thought_signature":"s"}}' if provider.name == "gemini" else ""
    call = f'{{ "id":"c", "type":"function"{own}, "function":{{"name":"f","arguments":{json.dumps(text)}}} }}'
    messages = (
        f'[ {{"role":"system","content":{text}}},{{"role":"user","content":"é \\u00e9 \\/"}},'
        f'{{"role":"assistant","content":{text},"tool_calls":[{call}]}},'
        f'{{"role":"tool","tool_call_id":"c","content":{json.dumps(text)}}} ]'
    )
    tools = (
        f'[ {{"type":"function","function":{{"name":"f","description":{text},"parameters":{{"type":"object",'
        f'"properties":{{"a":{{"type":"string","description":{json.dumps(text)},"default":1.50}}}}}}}}}} ]'
    )
    body = f'{{"model":"auto", "temperature":1.50,"messages":{messages} ,"tools": {tools},"stream":true}}'.encode()
    model = provider.catalog.models[0] if provider.catalog.models else Model(id="some:8b", canonical="some:8b")
    sent = wire.prepare(parse_call(Operation.CHAT, body), model, key_of(provider)).body
    for part in (messages, tools, '"temperature":1.50'):
        assert part.encode() in sent
