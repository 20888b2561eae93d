"""Names that no provider has: what stands for another by an alias, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_upstream import EMBEDDER, MODEL, GatewayStage, provider
from freeride_core import Model, Provider
from freeride_core.gateway.walk.model_names import nearest_model

MODELS = tuple(
    Model(id=name, canonical=name, context=100_000, tools=True)
    for name in ("openai/gpt-oss-120b", "openai/gpt-oss-20b", "meta/llama-3.3-70b-instruct", "acme/kimi-k2")
)
IDS = [model.id for model in MODELS]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("gpt-oss-120b", "openai/gpt-oss-120b"),
        ("groq/openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("GPT-OSS-20B:free", "openai/gpt-oss-20b"),
        ("gpt-oss", "openai/gpt-oss-120b"),
        ("llama-3.3-70b", "meta/llama-3.3-70b-instruct"),
        ("kimi-k2-0905", "acme/kimi-k2"),
        ("gpt-4o", "openai/gpt-oss-20b"),
        ("nobody/has-this", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_a_name_that_is_not_known_brings_the_one_that_was_meant(wanted: str, meant: str | None) -> None:
    assert nearest_model(wanted, IDS) == meant


def test_the_404_names_what_was_asked_and_what_was_probably_meant(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS)) as stage:
        told = stage.ask("gpt-oss-120b").json()["error"]["message"]
        assert told.startswith(
            "Model 'gpt-oss-120b' is not available for free. Did you mean 'openai/gpt-oss-120b'? Use 'auto'"
        )
        assert stage.ask("name\r\nx: y").json()["error"]["message"].startswith("This model is not available for free.")
        assert "'freeride/coding'?" in stage.ask("freeride/codng").json()["error"]["message"]
        headers = {"X-FreeRide-Force-Provider": "alhpa"}
        assert "Did you mean 'alpha'?" in stage.ask(headers=headers).json()["error"]["message"]


def aliased(tmp_path: Path, text: str, *providers: Provider) -> GatewayStage:
    (tmp_path / "config.toml").write_text(f"[aliases]\n{text}\n", "utf-8")
    return GatewayStage(tmp_path, *providers)


ALIASES = """\
"gpt-4o" = "openai/gpt-oss-120b"
"gpt-4*" = "openai/gpt-oss-20b"
"gpt-*" = "freeride/coding"
"acme/kimi-k2" = "auto"
"gone" = "acme/not-there"
"""


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o", "openai/gpt-oss-120b"),  # an exact name before a pattern
        ("GPT-4o", "openai/gpt-oss-120b"),
        ("gpt-4o-mini", "openai/gpt-oss-20b"),  # the longest beginning first
        ("gpt-5", "openai/gpt-oss-120b"),
        ("acme/kimi-k2", "acme/kimi-k2"),  # what a provider has is no alias
    ],
)
def test_an_alias_stands_for_a_model_that_no_provider_has(tmp_path: Path, asked: str, served: str) -> None:
    with aliased(tmp_path, ALIASES, provider("alpha", models=MODELS)) as stage:
        for _ in range(2):  # the second time by the plan that is kept
            answer = stage.ask(asked)
            assert answer.headers["x-freeride-model"] == served
            assert answer.headers.get("x-freeride-requested-model") == (None if asked == served else asked)


def test_an_alias_of_a_model_that_is_not_there_is_a_404(tmp_path: Path) -> None:
    with aliased(tmp_path, ALIASES, provider("alpha", models=MODELS)) as stage:
        answer = stage.ask("gone")
        assert answer.status_code == 404
        assert "Model 'gone' is not available for free" in answer.json()["error"]["message"]


def test_exact_aliases_are_listed_where_their_model_is(tmp_path: Path) -> None:
    with aliased(tmp_path, ALIASES, provider("alpha", models=MODELS)) as stage:
        rows = {row["id"]: row for row in stage.get("/v1/models").json()["data"]}
        assert rows["gpt-4o"] == {**rows["openai/gpt-oss-120b"], "id": "gpt-4o"}
        assert {"gpt-4*", "gpt-*", "gone"}.isdisjoint(rows)
        assert stage.get("/v1/models/gpt-4o").json()["id"] == "gpt-4o"


def test_an_alias_of_an_embeddings_model_serves_embeddings(tmp_path: Path) -> None:
    alpha = provider("alpha", models=(EMBEDDER, MODEL), embeds=True)
    with aliased(tmp_path, f'"text-embedding-3-small" = "{EMBEDDER.id}"\n"ada" = "auto"', alpha) as stage:
        answer = stage.embed("text-embedding-3-small")
        assert answer.status_code == 200, answer.text
        assert (answer.status_code, answer.headers["x-freeride-model"]) == (200, EMBEDDER.id)
        assert stage.embed("ada").status_code == 400
