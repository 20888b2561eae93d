"""The skill for Claude Code: found where its installer looks, and true of the commands, routes and errors that there are."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from ruamel.yaml import YAML

from command_page import commands
from page_parts import ROOT
from vocabulary import error_codes, error_types, first_cells, served_routes, told_commands

SKILL = ROOT / "skills" / "freeride" / "SKILL.md"
PLUGIN = json.loads((ROOT / ".claude-plugin" / "plugin.json").read_text("utf-8"))
READS = {"version", "keys", "models", "plugins", "bind", "doctor"}
"""Commands that change nothing unless they are told more; to read is all that the skill may do unasked."""


def front() -> dict[str, Any]:
    _, head, _ = SKILL.read_text("utf-8").split("---\n", 2)
    loaded: dict[str, Any] = YAML(typ="safe").load(head)
    return loaded


def allowed() -> list[str]:
    return re.findall(r"Bash\(([^)]*)\)", front()["allowed-tools"])


def test_the_manifest_names_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert PLUGIN["version"] == project["version"]
    assert PLUGIN["license"] == project["license"]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", PLUGIN["name"])
    assert [path.name for path in (ROOT / ".claude-plugin").iterdir()] == ["plugin.json"]


def test_the_skill_is_named_as_its_folder_and_says_when_it_is_wanted() -> None:
    assert set(front()) == {"name", "description", "allowed-tools"}
    assert front()["name"] == SKILL.parent.name
    assert "Use when" in front()["description"]
    assert len(front()["description"]) <= 1024
    assert len(SKILL.read_text("utf-8").splitlines()) < 500


def test_it_may_read_unasked_and_nothing_else() -> None:
    known = dict(commands())
    assert allowed()
    for command in allowed():
        program, first, *rest = command.split()
        if program == "curl":
            [url] = rest
            assert first == "-s"
            assert f"GET {url.removeprefix('http://127.0.0.1:11343')}" in served_routes()
        else:
            assert program == "freeride"
            assert first in READS & set(known)
            assert set(rest) <= {"--json"}
            assert "*" not in command


def test_what_it_tells_to_ask_for_can_be_asked_for() -> None:
    text = SKILL.read_text("utf-8")
    named = {re.sub(r"[`).,]+$", "", path) for path in re.findall(r"(?<=11343)/[\w/]+|(?<=POST )/[\w/]+", text)}
    assert {path for path in named if path != "/v1"} <= {route.split()[1] for route in served_routes()}
    assert "POST /v1/embeddings" in text
    assert [words for words in told_commands(SKILL) if words[0] == "keys"]


def test_its_table_of_errors_names_errors_that_there_are() -> None:
    named = first_cells(SKILL.read_text("utf-8"), "type or code")
    assert {"no_usable_keys", "all_upstreams_failed", "rate_limit"} <= named <= error_types() | error_codes()
