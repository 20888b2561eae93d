"""Hugging Face Inference Providers: what the package asks of its upstream, and what it makes of the answers."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from freeride_conformance.subject import installed_provider
from freeride_core import Account, Answer, Key, Model
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import catalog_of, read_profile
from freeride_provider_huggingface import freeride_register_provider

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
PROFILE = read_profile(Path(str(resources.files("freeride_provider_huggingface") / "simulator.toml")))
KEY = Key(
    provider="huggingface",
    secret=PROFILE.good_key,
    fingerprint="0" * 12,
    index=0,
    variable="HF_TOKEN",
    base_url="https://router.huggingface.co/v1",
)


SUBJECT = installed_provider(load_plugins(("provider",)), "huggingface")
sent = SUBJECT.sent
MESSAGES = [{"role": "user", "content": "Hi"}]


def live() -> dict[str, Model]:
    return {model.id: model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))}


def free(account: Account) -> set[str]:
    return {model.id for model in live().values() if PROVIDER.free.allows(model, account)}


def test_free_is_a_promotion_at_the_one_provider_that_gives_it() -> None:
    assert free(Account()) == {"openai/gpt-oss-120b:nscale"}
    promotion = live()["openai/gpt-oss-120b:nscale"]
    assert (promotion.canonical, promotion.tier, promotion.promoted) == ("openai/gpt-oss-120b", 1, True)


def test_an_account_that_can_be_billed_is_asked_for_nothing() -> None:
    assert free(Account(can_be_billed=True)) == set()


def test_nothing_dated_is_free_by_itself() -> None:
    assert not any(PROVIDER.free.allows(model, Account()) for model in PROVIDER.catalog.models)


def test_an_account_that_cannot_be_billed_may_use_all_that_is_served() -> None:
    assert free(Account(can_be_billed=False)) == set(live())


def test_what_nobody_serves_and_what_draws_is_left_out() -> None:
    own = {name for name in live() if not name.startswith("acme/")}
    assert own == {
        "deepseek-ai/DeepSeek-V4-Pro",
        "openai/gpt-oss-120b",
        "openai/gpt-oss-120b:nscale",
        "Qwen/Qwen3.8-27B",
    }


def test_a_model_can_do_what_it_can_wherever_the_router_sends_it() -> None:
    qwen = live()["Qwen/Qwen3.8-27B"]
    assert (qwen.canonical, qwen.vision, qwen.tools) == ("qwen/qwen3.8-27b", True, True)
    assert qwen.context == 65_536
    assert qwen.json_schema is False
    assert qwen.price is None
    assert live()["deepseek-ai/DeepSeek-V4-Pro"].price == pytest.approx(3.38e-6)
    assert live()["deepseek-ai/DeepSeek-V4-Pro"].canonical == "deepseek/deepseek-v4-pro"


@pytest.mark.parametrize(
    ("said", "can_be_billed"),
    [
        ({"isPro": True, "canPay": False}, False),
        ({"isPro": True, "canPay": False, "billingMode": "postpaid"}, False),
        ({"isPro": True, "canPay": False, "billingMode": "prepaid"}, None),
        ({"isPro": True, "canPay": True}, True),
        ({"isPro": False, "canPay": True}, True),
        ({"isPro": False, "canPay": False}, None),
        ({"isPro": True}, None),
        ({}, None),
        ([], None),
    ],
    ids=json.dumps,
)
def test_only_included_credits_without_a_means_of_payment_prove_a_free_account(
    said: Any, can_be_billed: bool | None
) -> None:
    assert PROVIDER.probe is not None
    proof = PROVIDER.probe.read(Answer(200, {}, json.dumps(said).encode(), NOW))
    assert proof.valid is True
    assert proof.account.can_be_billed is can_be_billed


def test_the_hub_is_asked_only_where_the_router_is_the_real_one() -> None:
    assert PROVIDER.probe is not None
    request = PROVIDER.probe.request(KEY)
    assert request is not None
    assert request.url == "https://huggingface.co/api/whoami-v2"
    elsewhere = Key(
        provider="huggingface", secret="x", fingerprint="0" * 12, index=0, variable="X", base_url="http://127.0.0.1/v1"
    )
    assert PROVIDER.probe.request(elsewhere) is None


def test_the_model_reaches_the_router_in_its_own_spelling() -> None:
    body = sent("openai/gpt-oss-20b", {"messages": MESSAGES, "temperature": 0.5})
    assert body == {"model": "openai/gpt-oss-20b", "messages": MESSAGES, "temperature": 0.5}
