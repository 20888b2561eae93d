"""`freeride providers`: a server of one's own is asked before anything is written, and lines of the file stay as they are."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fake_upstream import (
    FakeUpstream,
    GatewayStage,
    ReceivedRequest,
    Script,
    completion,
    provider,
    refusal,
    reply,
    until,
)
from freeride_core.cli.group import app

KEY = "company-0123456789abcdef"
Command = Callable[..., Result]


class OwnServer(FakeUpstream):
    """A server with a list of models below `/v1`, which takes one key if it is told to."""

    def __init__(self) -> None:
        super().__init__(self.respond)
        self.key = ""
        self.models = ["qwen2.5-7b-instruct", "nomic-embed-text"]
        self.chat: Script = reply(200, completion())

    def respond(self, seen: ReceivedRequest) -> Script:
        if not seen.path.startswith("/v1/"):
            return refusal(404, "Unexpected endpoint")
        if self.key and seen.key != self.key:
            return refusal(401, "no key")
        if seen.method == "GET":
            return reply(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})
        return self.chat


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with OwnServer() as server:
        yield server


@pytest.fixture
def providers(install: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("FREERIDE_PORT", "9")
    return lambda *arguments: CliRunner().invoke(app, ["providers", *arguments])


def config_of(home: Path) -> dict[str, Any]:
    return tomllib.loads((home / "config.toml").read_text())


@pytest.mark.parametrize("ending", ["/v1", "", "/v1/"])
def test_a_server_is_asked_and_then_written(
    providers: Command, server: OwnServer, freeride_home: Path, ending: str
) -> None:
    (freeride_home / "config.toml").write_text("# mine\nport = 7  # and this\n")
    result = providers("add", "lab", server.url.removesuffix("/v1") + ending)
    assert result.exit_code == 0, result.output
    assert f"lab at {server.url} has 1 model: qwen2.5-7b-instruct" in result.stderr
    assert "qwen2.5-7b-instruct answered in " in result.stderr
    assert len(server.posts) == 1
    assert config_of(freeride_home) == {"port": 7, "providers": {"lab": {"base_url": server.url, "enabled": True}}}
    assert (freeride_home / "config.toml").read_text().startswith("# mine\nport = 7  # and this\n")
    assert "Remove it first with: freeride providers remove lab" in providers("add", "lab", server.url).stderr


def test_a_key_is_read_from_its_variable_and_written_nowhere(
    providers: Command, server: OwnServer, freeride_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    refused = providers("add", "lab", server.url)
    assert (refused.exit_code, "Name the variable that holds its key with --key-variable" in refused.stderr) == (
        1,
        True,
    )
    missing = providers("add", "lab", server.url, "--key-variable", "COMPANY_KEY")
    assert (missing.exit_code, "COMPANY_KEY is not set." in missing.stderr) == (1, True)
    monkeypatch.setenv("COMPANY_KEY", KEY)
    added = providers("add", "lab", server.url, "--key-variable", "COMPANY_KEY")
    assert added.exit_code == 0, added.output
    assert config_of(freeride_home)["providers"]["lab"]["key_variable"] == "COMPANY_KEY"
    assert KEY not in (freeride_home / "config.toml").read_text() + added.output
    removed = providers("remove", "lab")
    assert "Its key is still in COMPANY_KEY (environment)." in removed.stderr


def test_models_can_be_named_where_a_server_lists_none(
    providers: Command, server: OwnServer, freeride_home: Path
) -> None:
    server.models = []
    nothing = providers("add", "lab", server.url)
    assert (nothing.exit_code, "with an empty list" in nothing.stderr) == (1, True)
    assert providers("add", "lab", server.url, "--model", "a", "--model", "b").exit_code == 0
    assert config_of(freeride_home)["providers"]["lab"]["models"] == ["a", "b"]
    assert json.loads(server.posts[0].body)["model"] == "a"


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("auto", "{url}", "is not a name of a provider"),
        ("lab", "ftp://127.0.0.1", "is not a base URL"),
        ("lab", "http://127.0.0.1:9/v1", "No models were found. lab cannot be reached. Nothing was written."),
        ("lab", "http://169.254.169.254", "link-local"),
        ("groq", "{url}", "groq is an installed provider"),
    ],
)
def test_what_cannot_be_added_says_why_and_writes_nothing(
    providers: Command, server: OwnServer, freeride_home: Path, name: str, url: str, says: str
) -> None:
    result = providers("add", name, url.format(url=server.url))
    assert (result.exit_code, says in result.stderr) == (1, True), result.output
    assert not (freeride_home / "config.toml").exists()


def test_a_server_that_lists_a_model_and_does_not_answer_with_it_is_not_added(
    providers: Command, server: OwnServer, freeride_home: Path
) -> None:
    server.chat = refusal(500, "no model is loaded")
    result = providers("add", "lab", server.url)
    assert result.exit_code == 1
    assert "lists qwen2.5-7b-instruct, but that model did not answer (unavailable)" in result.stderr
    assert not (freeride_home / "config.toml").exists()


def test_providers_are_listed_switched_and_removed(providers: Command, server: OwnServer, freeride_home: Path) -> None:
    (freeride_home / "config.toml").write_text(f'# top\n\n[providers.lab]\nbase_url = "{server.url}" # here\n')
    rows = {row["name"]: row for row in json.loads(providers("list", "--json").stdout)}
    assert rows["lab"] == {"name": "lab", "installed": False, "state": "asked", "key": "none", "url": server.url}
    assert (rows["groq"]["installed"], rows["groq"]["state"]) == (True, "not set up")
    for name in ("lab", "groq"):
        assert providers("disable", name).exit_code == 0
    rows = {row["name"]: row for row in json.loads(providers("list", "--json").stdout)}
    assert [rows[name]["state"] for name in ("lab", "groq")] == ["disabled", "disabled"]
    assert providers("enable", "lab").exit_code == 0
    assert "lab" in providers("list").stdout
    assert config_of(freeride_home)["providers"]["lab"] == {"base_url": server.url, "enabled": True}
    assert providers("remove", "lab").exit_code == 0
    assert "groq is installed: disable it." not in providers("remove", "lab").stderr
    assert config_of(freeride_home) == {"providers": {"groq": {"enabled": False}}}
    assert "# top" in (freeride_home / "config.toml").read_text()
    unknown = providers("disable", "grok")
    assert (unknown.exit_code, "did you mean groq?" in unknown.stderr) == (1, True)


def test_a_list_of_providers_in_the_file_is_left_and_told_where_to_go(
    providers: Command, server: OwnServer, freeride_home: Path
) -> None:
    path = freeride_home / "config.toml"
    path.write_text('providers = ["groq"]\n')
    result = providers("add", "lab", server.url)
    assert result.exit_code == 1
    assert "FREERIDE_PROVIDERS=groq" in result.stderr
    assert path.read_text() == 'providers = ["groq"]\n'


def test_a_running_gateway_takes_up_what_is_added_and_drops_what_is_removed(
    providers: Command, server: OwnServer, freeride_home: Path
) -> None:
    with GatewayStage(freeride_home, provider("alpha")) as stage:
        assert providers("add", "lab", server.url).exit_code == 0

        def listed() -> bool:
            return (
                "lab" in stage.get("/health").json()["providers"]
                and stage.get("/v1/models/qwen2.5-7b-instruct").is_success
            )

        until(listed, 15)
        answer = stage.ask("qwen2.5-7b-instruct")
        assert (answer.status_code, answer.headers["x-freeride-provider"]) == (200, "lab")
        assert providers("remove", "lab").exit_code == 0
        until(lambda: stage.get("/health").json()["providers"] == ["alpha"], 15)
        assert stage.ask("qwen2.5-7b-instruct").status_code == 404
