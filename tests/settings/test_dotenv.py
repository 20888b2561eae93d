"""What is changed in a `.env`, and what is not."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from hypothesis import given, settings
from hypothesis import strategies as st

from freeride_core.settings.dotenv import set_variables, with_variables
from freeride_core.settings.home import SettingsError

MINE = """\
# my keys
GROQ_API_KEY = old   # the second account

export HF_TOKEN="a b"
not an assignment
EMPTY
FREERIDE_EVENTS=0"""


def load(text: str) -> dict[str, str | None]:
    return dict(dotenv_values(stream=io.StringIO(text.removeprefix("\ufeff")), interpolate=False))


def test_a_value_is_replaced_where_it_stands_and_a_new_one_comes_at_the_end() -> None:
    changed = with_variables(MINE, {"GROQ_API_KEY": "new", "HF_TOKEN": "hf", "EMPTY": "1", "NEW": "['x']"})
    assert changed == (
        MINE.replace("old ", "new ").replace('"a b"', "hf").replace("EMPTY", "EMPTY=1") + "\nNEW='[\\'x\\']'\n"
    )


def test_of_a_name_that_stands_twice_the_one_that_counts_is_replaced() -> None:
    assert with_variables("A=1\nA=2\n", {"A": "3"}) == "A=1\nA=3\n"


def test_a_value_in_quotes_over_several_lines_goes_as_a_whole() -> None:
    assert with_variables('A="x\n# y\nz" # why\nB=2\n', {"A": "1"}) == "A=1 # why\nB=2\n"


NAMES = st.sampled_from(["A", "B_KEY", "C_2"])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="\x7f\x85"), max_size=20)
LINES = st.one_of(
    st.sampled_from(
        ["# note", "", "  ", "A=1", "export A = 'x#y' # z", 'B_KEY="q \\" r"', "C_2=a#b", "C_2= a #b", "junk here", "A"]
    ),
    st.text(st.sampled_from("AB_KEY=#'\" \\x"), max_size=12),
)


@settings(deadline=None)
@given(
    st.lists(LINES, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff"]),
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=3),
)
def test_any_file_then_says_the_new_and_all_of_the_old(
    lines: list[str], end: str, is_ended: bool, mark: str, values: dict[str, str]
) -> None:
    text = mark + end.join(lines) + (end if is_ended and lines else "")
    try:
        changed = with_variables(text, values)
    except ValueError:
        assert any(binding.error for binding in parse_stream(io.StringIO(text)))
        return
    assert load(changed) == load(text) | values
    assert with_variables(changed, values) == changed
    for comment in ("# note", " # z"):
        assert changed.count(comment) == text.count(comment)
    assert changed.startswith(mark)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_the_file_is_for_its_owner_only_from_then_on_and_a_link_stays_one(tmp_path: Path) -> None:
    new = tmp_path / "new.env"
    old_umask = os.umask(0)
    try:
        set_variables(new, {"A": "1"})
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    shared = tmp_path / "shared.env"
    shared.write_text("B=2\n")
    shared.chmod(0o644)
    link = tmp_path / ".env"
    link.symlink_to(shared)
    set_variables(link, {"A": "1"})
    assert link.is_symlink()
    assert shared.read_text() == "B=2\nA=1\n"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o600


def test_what_cannot_be_read_stays_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        set_variables(path, {"A": "1"})
    assert path.read_bytes() == b"A=\xff\n"
    path.write_text("A=1\n'\n")
    with pytest.raises(SettingsError, match="mend line 2 first"):
        set_variables(path, {"B": "it is"})
    assert path.read_text() == "A=1\n'\n"
    with pytest.raises(SettingsError, match="is not a file that can be changed"):
        set_variables(tmp_path, {"A": "1"})
