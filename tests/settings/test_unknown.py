"""A setting that nothing reads is named, with its file and with the known one that is spelled most like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_upstream import provider
from freeride_core.settings.advice import check_settings
from freeride_core.settings.resolver import SETTINGS, load_settings
from vocabulary import setting_names

INSTALLED = {"alpha": provider("alpha")}


def warnings_of(home: Path, config: str = "", dotenv: str = "", **environ: str) -> list[str]:
    (home / "config.toml").write_text(config)
    (home / ".env").write_text(dotenv)
    settings = load_settings({"FREERIDE_HOME": str(home), **environ})
    return [line.replace(str(home), "~") for line in check_settings(settings, INSTALLED)]


@pytest.mark.parametrize(
    ("config", "dotenv", "environ", "line"),
    [
        ("providrs = ['alpha']", "", {}, "providrs is not a known setting (~/config.toml); did you mean providers?"),
        ("", "FREERIDE_PROT=1", {}, "FREERIDE_PROT is not a known setting (~/.env); did you mean FREERIDE_PORT?"),
        (
            "",
            "",
            {"FREERIDE_PROT": "1"},
            "FREERIDE_PROT is not a known setting (environment); did you mean FREERIDE_PORT?",
        ),
        ("", "", {"FREERIDE_QQQQ": "1"}, "FREERIDE_QQQQ is not a known setting (environment)"),
        (
            "[keys]\nALPHA_KEEY = 'x'",
            "",
            {},
            "ALPHA_KEEY is not a known setting (~/config.toml); did you mean ALPHA_KEY?",
        ),
        ("", "ALPA_KEY=x", {}, "ALPA_KEY is not a known setting (~/.env); did you mean ALPHA_KEY?"),
        (
            "",
            "",
            {"FREERIDE_ALFA_BASE_URL": "http://127.0.0.1:1"},
            "FREERIDE_ALFA_BASE_URL is not a known setting (environment); did you mean FREERIDE_ALPHA_BASE_URL?",
        ),
        (
            "[key]\nA = 'x'",
            "",
            {},
            "~/config.toml: the table [key] is not known; there are [keys] and [providers.NAME]",
        ),
        (
            "[providers.lab]\nbase_url = 'http://127.0.0.1:1'\nteir = 1",
            "",
            {},
            "~/config.toml: providers.lab.teir is not a known setting; did you mean tier?",
        ),
        ("", "a line that is none\nFREERIDE_PORT=7", {}, "~/.env, line 1, is not used: it is not NAME=value"),
    ],
)
def test_what_nothing_reads_is_named(
    freeride_home: Path, config: str, dotenv: str, environ: dict[str, str], line: str
) -> None:
    assert line in warnings_of(freeride_home, config, dotenv, **environ)


def test_what_is_known_and_what_is_another_programs_is_not_named(freeride_home: Path) -> None:
    config = "port = 7\nproviders = ['alpha']\n[keys]\nALPHA_KEY = 'x'\nALPHA_KEY_2 = 'y'\n"
    dotenv = "FREERIDE_HOST=127.0.0.1\nHTTPS_PROXY=http://127.0.0.1:1\nNO_COLOR=1\nFREERIDE_ALPHA_FREE_MODELS=a\n"
    assert warnings_of(freeride_home, config, dotenv, OTHER_KEY="x", EDITOR="vi") == []


@pytest.mark.parametrize(
    "line", ["sk-or-v1-0123456789abcdef==", "gsk_0123456789abcdefABCDEF=", "SK_" + "A1" * 20 + "="]
)
def test_a_key_that_was_pasted_without_a_name_is_not_shown(freeride_home: Path, line: str) -> None:
    [warning] = warnings_of(freeride_home, dotenv=line)
    assert warning == "~/.env has a name that is not known, and is not shown because it could be a key"


def test_every_setting_is_known() -> None:
    assert {f"FREERIDE_{name}" for name in SETTINGS} | {"FREERIDE_HOME"} == setting_names()
