"""Free only, as an adversary would try it: what each upstream may list that looks free and costs money. None of it is ever asked.

The rows stand in the packages' simulators, among good ones; the suite holds every plugin to the same with rows of its own making.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from freeride_conformance.subject import ProviderSubject, installed_provider
from freeride_core import Account
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import catalog_of
from programs import post
from served_gateway import Front, fronting

NOW = 1_795_406_400.0
KINDS = ("paid", "promotional", "expired", "negative", "missing", "re-priced", "aliased")
# A dash: the upstream's list has no member that could say so; the id alone decides there.
TABLE = {
    "openrouter": {
        "paid": "google/gemini-3.5-flash",
        "promotional": "acme/discounted",
        "expired": "acme/over:free",
        "negative": "acme/dynamic:free",
        "missing": "acme/unpriced:free",
        "re-priced": "acme/repriced:free",
        "aliased": "~acme/flash-latest",
    },
    "groq": {
        "paid": "acme/priced",
        "promotional": "acme/promoted",
        "expired": "groq/compound",
        "negative": "acme/negative",
        "missing": "acme/next-400b",
        "re-priced": "-",
        "aliased": "openai/gpt-oss-latest",
    },
    "nvidia": {
        "paid": "acme/priced",
        "promotional": "acme/promoted",
        "expired": "moonshotai/kimi-k2.6",
        "negative": "-",
        "missing": "acme/next-400b",
        "re-priced": "-",
        "aliased": "nvidia/nemotron-latest",
    },
    "cloudflare": {
        "paid": "@cf/zai-org/glm-5.3",
        "promotional": "-",
        "expired": "@cf/meta/llama-3.2-3b-instruct",
        "negative": "-",
        "missing": "@cf/acme/next-400b",
        "re-priced": "-",
        "aliased": "@cf/moonshotai/kimi-k2.5",
    },
    "huggingface": {
        "paid": "deepseek-ai/DeepSeek-V4-Pro",
        "promotional": "acme/said-free:novita",
        "expired": "acme/ended:novita",
        "negative": "acme/negative",
        "missing": "acme/unpriced",
        "re-priced": "openai/gpt-oss-120b",
        "aliased": "acme/steered:fastest",
    },
    "gemini": {
        "paid": "gemini-3.5-pro",
        "promotional": "gemini-3.1-pro",
        "expired": "gemini-2.5-flash",
        "negative": "-",
        "missing": "acme-next",
        "re-priced": "-",
        "aliased": "gemini-flash-latest",
    },
    "ollama": {
        "paid": "gpt-oss:120b-cloud",
        "promotional": "-",
        "expired": "-",
        "negative": "-",
        "missing": "elsewhere:latest",
        "re-priced": "mine-too:latest",
        "aliased": "mine:latest",
    },
}
ROWS = [(name, kind, row[kind]) for name, row in TABLE.items() for kind in KINDS if row[kind] != "-"]


@cache
def subject_of(name: str) -> ProviderSubject:
    return installed_provider(load_plugins(("provider",)), name)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A gateway with a key of every shipped provider."""
    with fronting(tmp_path_factory.mktemp("front"), *TABLE) as front:
        yield front


def test_every_shipped_provider_is_in_the_table() -> None:
    assert set(load_plugins(("provider",)).providers) == set(TABLE)
    assert all(set(row) == set(KINDS) for row in TABLE.values())


@pytest.mark.parametrize(("name", "kind", "model"), ROWS)
def test_the_list_has_the_row(name: str, kind: str, model: str) -> None:
    """So that the other tests try what they say."""
    listing = subject_of(name).profile.catalog
    entry = model.partition(":")[0] if name == "huggingface" else model
    assert f'"{entry}"' in listing.body or f'"models/{entry}"' in listing.body
    assert model in (*listing.paid, *listing.unfit)


@pytest.mark.parametrize(("name", "kind", "model"), ROWS)
def test_the_policy_denies_the_row(name: str, kind: str, model: str) -> None:
    subject = subject_of(name)
    listed = [each for each in subject.provider.catalog.parse(catalog_of(subject.profile, NOW)) if each.id == model]
    for each in listed:
        is_over = each.retires is not None and each.retires <= "2026-11-23"
        for can_be_billed in (None, True):
            assert is_over or not subject.provider.free.allows(each, Account(can_be_billed=can_be_billed))


@pytest.mark.parametrize(("name", "kind", "model"), ROWS)
def test_nothing_ever_asks_for_the_row(name: str, kind: str, model: str, front: Front) -> None:
    simulator = front.simulators[name]
    said = post(f"{front.url}/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "Hi"}]})
    assert said.status_code in (200, 404), said.text  # 200: the same model is free elsewhere, or as a variant
    assert [seen.model for seen in simulator.requests if seen.model in (model, f"models/{model}")] == []
    if said.status_code == 200:
        assert said.headers["x-freeride-model"] != model or said.headers["x-freeride-provider"] != name
