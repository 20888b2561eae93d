"""Ollama: which names are local, which are the same model elsewhere, and where it stands among the others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core import Account, Answer, Model, Operation
from freeride_core.plugins.discovery import load_plugins
from freeride_provider_ollama import canonical_name, freeride_register_provider

PROVIDER = freeride_register_provider()
FAMILY = st.from_regex(r"[a-z][a-z0-9.-]{0,12}", fullmatch=True)
SIZE = st.from_regex(r"[1-9][0-9]{0,2}b", fullmatch=True)
VARIANT = st.sampled_from(["", "-instruct", "-thinking", "-text", "-code", "-vision"])
QUANTISATION = st.sampled_from(["", "-q4_K_M", "-q8_0", "-q4_0", "-q5_1", "-Q6_K", "-fp16", "-bf16", "-mxfp4"])


def listed(*names: str, **more: object) -> tuple[Model, ...]:
    """The models that a live list of these names gives, each with `more` in its entry."""
    rows = [{"name": name, "model": name, "size": 5_225_388_164, **more} for name in names]
    return PROVIDER.catalog.parse(Answer(200, {}, json.dumps({"models": rows}).encode(), 0.0))


def is_free(name: str, **more: object) -> bool:
    """Whether the package lets a listed name be asked for."""
    [model] = listed(name, **more)
    return PROVIDER.free.allows(model, Account())


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("qwen3:8b", "qwen3:8b"),
        ("qwen3:8b-q4_K_M", "qwen3:8b"),
        ("qwen3:8b-fp16", "qwen3:8b"),
        ("qwen3:8b-thinking-q8_0", "qwen3:8b-thinking"),
        ("qwen3:latest", "qwen3:latest"),
        ("gpt-oss:20b", "openai/gpt-oss-20b"),
        ("GPT-OSS:120b", "openai/gpt-oss-120b"),
        ("gpt-oss:20b-mxfp4", "openai/gpt-oss-20b"),
        ("gpt-oss:latest", "gpt-oss:latest"),
        ("someone/gpt-oss:20b", "someone/gpt-oss:20b"),
        ("openai/gpt-oss-20b", "ollama/openai/gpt-oss-20b"),
        ("gpt-oss:120b-cloud", "gpt-oss:120b-cloud"),
        ("x:q4_K_M", "x:q4_k_m"),
        ("localhost:5000/x/y:7b-q4_K_M", "localhost:5000/x/y:7b"),
    ],
)
def test_a_name_shares_its_canonical_name_only_with_the_same_model(name: str, canonical: str) -> None:
    [model] = listed(name)
    assert (model.id, model.canonical) == (name, canonical)


@given(FAMILY, SIZE, VARIANT, QUANTISATION)
def test_quantisations_merge_and_variants_do_not(family: str, size: str, variant: str, quantisation: str) -> None:
    canonical = canonical_name(f"{family}:{size}{variant}{quantisation}")
    assert canonical == canonical_name(f"{family}:{size}{variant}")
    if variant:
        assert canonical == f"{family}:{size}{variant}"


@given(st.text(min_size=1))
def test_nothing_is_merged_with_what_others_serve_unless_the_table_says_so(name: str) -> None:
    canonical = canonical_name(name)
    is_own = ":" in canonical or canonical.startswith("ollama/") or not is_free(name)
    assert is_own or canonical in {"openai/gpt-oss-20b", "openai/gpt-oss-120b"}


@pytest.mark.parametrize(
    "name", ["gpt-oss:120b-cloud", "x:cloud", "x:CLOUD", "x-cloud", "x-cloud:latest", "me/cloud:7b"]
)
def test_names_of_the_cloud_are_not_free(name: str) -> None:
    assert not is_free(name)


@given(FAMILY, SIZE, VARIANT, st.sampled_from([":cloud", "-cloud", "-cloud-q4_K_M"]))
def test_no_name_of_the_cloud_is_ever_free(family: str, size: str, variant: str, suffix: str) -> None:
    assert not is_free(f"{family}{suffix}" if suffix == ":cloud" else f"{family}:{size}{variant}{suffix}")


@pytest.mark.parametrize("name", ["qwen3:8b", "cloudy:7b", "x:7b-icloudx", "me/mine:latest"])
def test_all_that_is_local_is_free(name: str) -> None:
    assert is_free(name)


@pytest.mark.parametrize("member", ["remote_host", "remote_model"])
def test_a_model_of_the_cloud_is_not_free_under_any_name(member: str) -> None:
    """`ollama cp gpt-oss:120b-cloud mine` makes one."""
    assert not is_free("mine:latest", **{member: "https://ollama.com:443"})
    assert is_free("mine:latest", **{member: ""})


@pytest.mark.parametrize(
    ("capabilities", "operations", "tools"),
    [
        (["completion", "tools", "thinking"], {Operation.CHAT}, True),
        (["completion", "vision"], {Operation.CHAT}, False),
        (["embedding"], {Operation.EMBEDDINGS}, False),
        (["completion", "embedding"], {Operation.CHAT, Operation.EMBEDDINGS}, False),
        (None, {Operation.CHAT, Operation.EMBEDDINGS}, None),
    ],
)
def test_what_the_list_says_of_a_model_counts(
    capabilities: list[str] | None, operations: set[Operation], tools: bool | None
) -> None:
    [model] = listed("qwen3:8b", capabilities=capabilities)
    assert (set(model.operations), model.tools) == (operations, tools)


def test_what_neither_chats_nor_embeds_is_left_out() -> None:
    assert listed("flux:latest", capabilities=["image"]) == ()


def test_all_may_embed_and_only_an_embedder_by_name_does_not_chat() -> None:
    chat, embedder = listed("qwen3:8b", "some-embedder:latest")
    assert chat.operations == {Operation.CHAT, Operation.EMBEDDINGS}
    assert embedder.operations == {Operation.EMBEDDINGS}


def test_it_comes_last_and_gives_a_model_time_to_load() -> None:
    others = [provider for provider in load_plugins(("provider",)).providers.values() if provider.name != "ollama"]
    assert all(provider.rank < PROVIDER.rank for provider in others)
    assert {model.tier for model in listed("qwen3:8b", "gpt-oss:120b")} == {4}
    assert PROVIDER.first_byte_timeout is not None
    assert PROVIDER.first_byte_timeout >= 120
