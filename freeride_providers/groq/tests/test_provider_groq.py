"""Groq: what the package asks of its upstream, and what it makes of the answers."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from freeride_conformance.subject import installed_provider
from freeride_core import Account, Answer, Key, Operation, Scope
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import answer_of, catalog_of, read_profile
from freeride_provider_groq import freeride_register_provider

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
PROFILE = read_profile(Path(str(resources.files("freeride_provider_groq") / "simulator.toml")))
KEY = Key(
    provider="groq",
    secret=PROFILE.good_key,
    fingerprint="0" * 12,
    index=0,
    variable="GROQ_API_KEY",
    base_url="https://api.groq.com/openai/v1",
)


SUBJECT = installed_provider(load_plugins(("provider",)), "groq")
sent = SUBJECT.sent
MESSAGES = [{"role": "user", "content": "Hi"}]


def test_speech_and_classifiers_and_what_is_off_are_left_out() -> None:
    models = {model.id: model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))}
    assert set(models) == {
        "openai/gpt-oss-120b",
        "openai/gpt-oss-20b",
        "qwen/qwen3.8-27b",
        *PROFILE.catalog.paid,
    }
    assert models["acme/next-400b"].tier == 4
    assert models["acme/next-400b"].context == 131_072


def test_free_is_what_the_free_plan_lists_and_nothing_else() -> None:
    models = PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))
    free = {model.id for model in models if PROVIDER.free.allows(model, Account())}
    assert free == {"openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b"}


def test_what_an_entry_does_not_say_is_taken_from_the_dated_list() -> None:
    body = b'{"data":[{"id":"openai/gpt-oss-120b"},{"id":"acme/new"}]}'
    known, new = PROVIDER.catalog.parse(Answer(200, {}, body, NOW))
    assert (known.context, known.max_output, known.tools) == (131_072, 65_536, True)
    assert (new.context, new.max_output, new.tools) == (None, 65_536, None)


def test_a_response_is_no_longer_than_its_model_gives() -> None:
    body = {"messages": MESSAGES, "max_tokens": 100_000}
    assert sent("openai/gpt-oss-120b", body)["max_tokens"] == 65_536
    assert sent("openai/gpt-oss-120b", {"messages": MESSAGES, "max_tokens": 100})["max_tokens"] == 100
    assert "max_tokens" not in sent("openai/gpt-oss-120b", {"messages": MESSAGES})


def test_what_the_upstream_refuses_is_left_out_and_the_rest_stays() -> None:
    refused = {"logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 1}, "metadata": {"a": "b"}, "store": True}
    kept = {"messages": MESSAGES, "seed": 7, "n": 1, "reasoning_effort": "low"}
    assert sent("openai/gpt-oss-20b", {**kept, **refused}) == {"model": "openai/gpt-oss-20b", **kept}


def test_every_limit_is_one_of_account_and_model() -> None:
    assert PROVIDER.meter is Scope.ACCOUNT_MODEL
    assert {limit.scope for limit in PROVIDER.limits} == {Scope.ACCOUNT_MODEL}


def test_the_account_is_known_by_the_name_that_errors_give() -> None:
    case = PROFILE.case("rate-limited")
    assert case is not None
    reading = PROVIDER.wires[Operation.CHAT].read(answer_of(PROFILE, case, NOW))
    assert reading.account == "org_01jabcdefghijklmnopqrstuvw"


def test_a_blocked_network_does_not_prove_a_key_bad() -> None:
    assert PROVIDER.probe is not None
    assert PROVIDER.probe.read(Answer(403, {}, b"", NOW)).valid is None
    assert PROVIDER.probe.read(Answer(401, {}, b"", NOW)).valid is False
    assert PROVIDER.probe.read(Answer(200, {}, b"{}", NOW)).valid is True
