"""NVIDIA NIM: what the package asks of its upstream, and what it makes of the answers."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from freeride_conformance.subject import installed_provider
from freeride_core import Account, Key, Operation
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import answer_of, catalog_of, read_profile
from freeride_provider_nvidia import freeride_register_provider
from freeride_provider_nvidia.models import parse_entry

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
PROFILE = read_profile(Path(str(resources.files("freeride_provider_nvidia") / "simulator.toml")))
KEY = Key(
    provider="nvidia",
    secret=PROFILE.good_key,
    fingerprint="0" * 12,
    index=0,
    variable="NVIDIA_API_KEY",
    base_url="https://integrate.api.nvidia.com/v1",
)


SUBJECT = installed_provider(load_plugins(("provider",)), "nvidia")
sent = SUBJECT.sent
MESSAGES = [{"role": "user", "content": "Hi"}]


def test_only_what_is_dated_counts_as_free_of_a_list_that_everyone_may_read() -> None:
    models = {model.id: model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))}
    dated = {model.id for model in PROVIDER.catalog.models}
    assert {name for name, model in models.items() if PROVIDER.free.allows(model, Account())} == models.keys() & dated
    # Listed all the same, so that a user's own list can name it.
    assert models["z-ai/glm4.7"].tier == 4
    assert "z-ai/glm4.7" not in dated


def test_makers_are_spelled_as_elsewhere() -> None:
    canonical = {model.id: model.canonical for model in PROVIDER.catalog.models}
    assert canonical["meta/llama-3.2-90b-vision-instruct"] == "meta-llama/llama-3.2-90b-vision-instruct"
    assert canonical["deepseek-ai/deepseek-v4.1-flash"] == "deepseek/deepseek-v4.1-flash"


def test_embeddings_say_what_kind_of_text_they_are_of() -> None:
    model_id = "nvidia/nemotron-3-embed-1b"
    assert sent(model_id, {"input": "Hi"}, Operation.EMBEDDINGS) == {
        "model": model_id,
        "input": "Hi",
        "input_type": "query",
    }
    of_passage = sent(model_id, {"input": "Hi", "input_type": "passage"}, Operation.EMBEDDINGS)
    assert of_passage["input_type"] == "passage"


def test_the_newer_name_of_the_output_limit_becomes_the_older_one() -> None:
    body = sent("openai/gpt-oss-20b", {"messages": MESSAGES, "max_completion_tokens": 500})
    assert body == {"model": "openai/gpt-oss-20b", "messages": MESSAGES, "max_tokens": 500}


def test_a_long_silence_at_the_start_is_normal() -> None:
    assert PROVIDER.first_byte_timeout == 180


def test_three_models_in_a_row_that_are_not_found_mean_the_account() -> None:
    assert PROVIDER.missing_models_most == 3


def test_the_account_is_known_by_the_name_that_errors_give() -> None:
    case = PROFILE.case("not-for-account")
    assert case is not None
    assert PROVIDER.wires[Operation.CHAT].read(answer_of(PROFILE, case, NOW)).account == "abcDEF123"


def test_a_parameter_named_after_tools_does_not_cost_the_model_its_tools() -> None:
    case = PROFILE.case("parameter-refused")
    assert case is not None
    failure = PROVIDER.wires[Operation.CHAT].read(answer_of(PROFILE, case, NOW)).failure
    assert failure is not None
    assert failure.feature is None


def test_a_model_without_a_date_is_read_for_who_lists_it_as_free() -> None:
    (model,) = parse_entry({"id": "meta/of-tomorrow"}, {})
    assert (model.id, model.canonical) == ("meta/of-tomorrow", "meta-llama/of-tomorrow")
