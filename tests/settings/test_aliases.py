"""`[aliases]` in `config.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_core.settings.aliases import Aliases, read_aliases
from freeride_core.settings.resolver import SettingsError, load_settings


def read(home: Path, text: str) -> Aliases:
    (home / "config.toml").write_text(text, "utf-8")
    return load_settings({"FREERIDE_HOME": str(home)}).aliases


def test_without_a_table_there_are_none(tmp_path: Path) -> None:
    assert not read_aliases(tmp_path)
    assert not read(tmp_path, "connect_timeout = 1  # no aliases\n")


def test_an_exact_name_comes_before_a_pattern_and_the_longest_beginning_first(tmp_path: Path) -> None:
    aliases = read(tmp_path, '[aliases]\n"*" = "auto"\n"gpt-*" = "a/b"\n"gpt-4*" = "c/d"\n"gpt-4o" = "e/f"\n')
    names = {"GPT-4o": "e/f", "gpt-4o-mini": "c/d", "gpt-5": "a/b", "claude": "auto"}
    assert {name: aliases.target(name) for name in names} == names
    assert dict(aliases.exact) == {"gpt-4o": "e/f"}


@pytest.mark.parametrize("name", ["", "two words", "line\r\nfeed", "ä", "x" * 257])
def test_what_cannot_be_a_name_is_no_alias(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, '[aliases]\n"*" = "auto"\n').target(name) is None


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("aliases = 3", "aliases is not a table"),
        ('[aliases]\n"two words" = "auto"', "aliases.two words is not an alias"),
        ('[aliases]\n"a*b*c*" = "auto"', "at most two"),
        ('[aliases]\n"a" = 3', "aliases.a is not the name of a model"),
        ('[aliases]\n"a" = "b c"', "aliases.a is not the name of a model"),
        ('[aliases]\n"a" = "b*"', "aliases.a is not the name of a model"),
        ('[aliases]\n"a" = "B"\n"b" = "auto"', "cannot stand for another alias"),
        ('[aliases]\n"a" = "a"', "cannot stand for another alias"),
        ("[aliases]\n" + "".join(f'"a{n}" = "auto"\n' for n in range(65)), "at most 64"),
    ],
)
def test_a_wrong_one_is_named_with_the_file(tmp_path: Path, table: str, reason: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, table)
    assert reason in str(error.value)
    assert "config.toml" in str(error.value)
