"""What the binder makes of aider's configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values, load_dotenv
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from freeride_binder_aider import freeride_register_binder
from freeride_core import Endpoint, Launch, Place, Unreadable

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")
WRITTEN = {
    "openai-api-base": "http://127.0.0.1:11343/v1",
    "openai-api-key": "freeride-local",
    "model": "openai/auto",
    "show-model-warnings": False,
}

FULL = """\
##########################################################
# Sample .aider.conf.yaml
##########################################################

## Specify the model to use for the main chat
model:   "sonnet"   # the good one

#openai-api-base: xxx
dark-mode: true
read: [CONVENTIONS.md,
       'other file.md']
alias:
  - "fast:gpt-4o-mini"
  - model:nested
  # - "smart:o3"

## the end
"""


def edit(text: str | None, endpoint: Endpoint = ENDPOINT) -> str:
    edited = BINDER.edit(text, endpoint)
    assert BINDER.edit(edited, endpoint) == edited
    return edited


def refusal(text: str) -> str | None:
    try:
        edit(text)
    except Unreadable as error:
        return str(error)
    return None


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text) or {}


def test_it_edits_the_file_that_aider_reads_in_the_home_folder_or_the_project() -> None:
    home, cwd = Path("/h"), Path("/p")
    assert BINDER.scopes[0] is Place.HOME
    assert BINDER.path(Place.HOME, home, cwd) == Path("/h/.aider.conf.yml")
    assert BINDER.path(Place.PROJECT, home, cwd) == Path("/p/.aider.conf.yml")


def test_a_new_file_holds_four_lines() -> None:
    assert edit(None) == (
        "openai-api-base: http://127.0.0.1:11343/v1\n"
        "openai-api-key: freeride-local\n"
        "model: openai/auto\n"
        "show-model-warnings: false\n"
    )


def test_everything_that_is_not_the_binders_stays_byte_for_byte() -> None:
    added = "openai-api-base: http://127.0.0.1:11343/v1\nopenai-api-key: freeride-local\nshow-model-warnings: false\n"
    expected = FULL.replace('"sonnet"', '"openai/auto"').replace("\n## the end", f"{added}\n## the end")
    assert edit(FULL) == expected


def test_only_top_level_keys_are_touched() -> None:
    nested = "other:\n  model: mine\n  openai-api-key: mine\n"
    assert edit(nested).startswith(nested)
    assert load(edit(nested)) == {"other": {"model": "mine", "openai-api-key": "mine"}, **WRITTEN}


def test_the_model_and_the_key_of_the_endpoint_are_written() -> None:
    edited = edit(None, Endpoint("http://[::1]:9", key="no", model="openai/gpt-oss-120b"))
    assert load(edited) == {
        "openai-api-base": "http://[::1]:9/v1",
        "openai-api-key": "no",
        "model": "openai/openai/gpt-oss-120b",
        "show-model-warnings": False,
    }
    assert 'openai-api-key: "no"' in edited  # unquoted, aider would read it as false


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("model: a: b\n", "line 1, column 9"),
        ("dark-mode: true\nread: [a\nmodel: b\n", "line 3"),
        ("- model\n", "line 1, column 1"),
        ("model: a\n---\nmodel: b\n", "line 2, column 1"),
        ("model: a\n\nmodel: b\n", "line 3, column 1"),
        ("x: \x07\n", "line 1, column 4"),
        ("model: &m a\nweak-model: *m\n", "line 1, column 8"),
        ("x: 1\nmodel: [a, b]\n", "line 2, column 8"),
        ("{model}\n", "line 1, column 2"),
        ('x: "\\U0011ffff"\n', "line 1"),
        ("x: " + "[" * 1200 + "]" * 1200, "line 1"),
    ],
)
def test_what_cannot_be_edited_is_unreadable_and_the_message_says_where(text: str, where: str) -> None:
    with pytest.raises(Unreadable) as raised:
        BINDER.edit(text, ENDPOINT)
    assert str(raised.value).startswith(where)


def launched(key: str = "secret") -> Launch:
    launch = BINDER.launch(Endpoint("http://[::1]:9", key=key, model="freeride/coding"))
    assert launch is not None
    return launch


TOLD = {
    "AIDER_OPENAI_API_BASE": "http://[::1]:9/v1",
    "AIDER_OPENAI_API_KEY": "secret",
    "AIDER_MODEL": "openai/freeride/coding",
    "AIDER_SHOW_MODEL_WARNINGS": "false",
    "OPENAI_BASE_URL": "http://[::1]:9/v1",
}


def test_one_process_is_bound_by_variables_and_by_arguments_that_outrank_every_file() -> None:
    launch = launched()
    assert (launch.program, launch.environment) == ("aider", TOLD)
    words = " ".join(launch.arguments)
    assert "--env-file {files}/freeride.env --model-settings-file {files}/model.settings.yml" in words
    assert "--openai-api-base http://[::1]:9/v1 --model openai/freeride/coding" in words
    # aider adds these to the settings of every model, a project's included.
    (settings,) = json.loads(launch.files["model.settings.yml"])
    assert settings["name"] == "aider/extra_params"
    assert settings["extra_params"] == dict.fromkeys(("api_base", "base_url"), "http://[::1]:9/v1")


ELSEWHERE = "http://elsewhere.example/v1"


@pytest.mark.parametrize(
    "name",
    [
        *TOLD,
        "OPENAI_BASE_URL",
        "AIDER_WEAK_MODEL",
        "AIDER_EDITOR_MODEL",
        "AIDER_ALIAS",
        "AIDER_SET_ENV",
        *("AIDER_SONNET", "AIDER_4O", "AIDER_35TURBO", "AIDER_O1_PREVIEW"),
    ],
)
def test_a_variable_of_a_project_does_not_outrank_the_launch(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aider reads the project's `.env` and then the one that an argument names, each over what was there."""
    monkeypatch.setattr(os, "environ", dict(launched().environment))
    (tmp_path / ".env").write_text(f"{name}={ELSEWHERE}\n", "utf-8")
    (tmp_path / "freeride.env").write_text(launched().files["freeride.env"], "utf-8")
    for file in (".env", "freeride.env"):
        load_dotenv(tmp_path / file, override=True)
    assert ELSEWHERE not in os.environ.values()
    assert TOLD.items() <= os.environ.items()


def test_a_proxy_of_a_project_does_not_see_the_gateway_s_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {"NO_PROXY": "own.example"})
    (tmp_path / ".env").write_text("HTTP_PROXY=http://elsewhere.example\nno_proxy=\n", "utf-8")
    (tmp_path / "freeride.env").write_text(launched().files["freeride.env"], "utf-8")
    for file in (".env", "freeride.env"):
        load_dotenv(tmp_path / file, override=True)
    for name in ("NO_PROXY", "no_proxy"):
        assert {"own.example", "::1"} <= set(os.environ[name].split(","))


@pytest.mark.parametrize("key", ["it's", 'back\\slash"', "#hash", "a=b", "$HOME"])
def test_any_token_reaches_it_as_it_is(key: str, tmp_path: Path) -> None:
    (tmp_path / "freeride.env").write_text(launched(key).files["freeride.env"], "utf-8")
    assert dotenv_values(tmp_path / "freeride.env")["AIDER_OPENAI_API_KEY"] == key


SCALARS = st.sampled_from(
    [
        "gpt-4o",
        '"quoted: #1"',
        "'it''s'",
        "false",
        "12",
        "~",
        "",
        "two\n  lines",
        "|\n  kept\n   as it is\n",
        ">-\n  folded\n",
    ]
)
VALUES = st.one_of(
    SCALARS,
    st.sampled_from(
        ["[a, 'b', ]", "{a: 1, b: }", "\n  - one\n  # - two\n  - three", "\n- one\n- a: b", "\n    k: v\n    l:"]
    ),
)
COMMENTS = st.sampled_from(["", "  # why", " #"])
FILLERS = st.sampled_from(["", "# model: commented", "  # indented", "   "])
OWN = {"openai-api-base", "openai-api-key", "model", "show-model-warnings"}
KEYS = st.sampled_from(["dark-mode", "read", "alias", "lint-cmd", "'quoted key'", "weak-model"])


@st.composite
def files(draw: st.DrawFn) -> str:
    """Files as people write them; where one of the binder's keys stands in them, its value takes no more than a line."""
    lines = draw(st.lists(FILLERS, max_size=3))
    entries = draw(st.dictionaries(KEYS, VALUES, max_size=4)) | draw(
        st.dictionaries(st.sampled_from(sorted(OWN)), st.sampled_from(["", "gpt", '"a"', "'b'", "true", "~"]))
    )
    for key in draw(st.permutations(sorted(entries))):
        value = entries[key]
        comment = draw(COMMENTS) if value and "\n" not in value else ""
        gap = "" if value.startswith("\n") else " " * draw(st.integers(1, 3))
        lines.append(f"{key}:{gap}{value.rstrip()}{comment}")
        lines += draw(st.lists(st.just("") if "\n" in value else FILLERS, max_size=2))
    text = "\n".join(lines)
    if draw(st.booleans()) or "\n  " in text:  # a block scalar that the file's end cuts off means something else
        text += "\n"
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(st.sampled_from(["", "\ufeff"])) + text


def foreign_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.partition(":")[0].lstrip("\ufeff") not in OWN]


@settings(deadline=None)
@given(files())
def test_any_file_keeps_its_own_lines_and_says_what_aider_needs(text: str) -> None:
    edited = edit(text)
    assert load(edited) == {**load(text), **WRITTEN}
    assert foreign_lines(edited.removeprefix("\ufeff")) == foreign_lines(text.removeprefix("\ufeff"))
    assert edited.startswith("\ufeff") == text.startswith("\ufeff")
    if "\n" in text:
        assert ("\r\n" in text) == ("\r\n" in edited)
        assert edited.count("\n") == edited.count("\r\n") or "\r\n" not in edited
    if text.strip("\ufeff"):
        assert edited.endswith("\n") == text.endswith("\n")


@settings(deadline=None)
@given(st.text(st.sampled_from("amodel: -\n#[]{}'\"&*!|>?~,%\t\r.") | st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_edited_or_unreadable(text: str) -> None:
    reason = refusal(text)
    assert reason is None or reason.startswith("line ")
