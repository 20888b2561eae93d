"""Each promise of SECURITY.md names the test that holds it, and that test is there."""

from __future__ import annotations

import re

import pytest

from repository import ROOT

PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
PROMISES = re.split(r"\n- ", PAGE.partition("## Promised")[2].partition("## ")[0])[1:]
ATTACKS = re.findall(r"^\| .*", PAGE.partition("## Attacks")[2].partition("## ")[0], re.MULTILINE)[1:]
_TEST = re.compile(r"`((?:\w+/)*tests/(?:\w+/)*\w+\.py)::(test_\w+)`")


def test_every_promise_names_its_test() -> None:
    assert len(PROMISES) > 10
    assert [promise for promise in PROMISES if not _TEST.search(promise)] == []


def test_every_attack_says_what_holds_and_names_its_test() -> None:
    rows = [row.strip("| ").split(" | ") for row in ATTACKS if not row.startswith("| **")]
    assert len(rows) > 30
    assert [row for row in rows if len(row) != 3 or not all(row) or not _TEST.fullmatch(row[2])] == []


@pytest.mark.parametrize(("path", "name"), sorted(set(_TEST.findall(PAGE))))
def test_every_test_that_is_named_is_there(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)


def test_no_address_is_made_up() -> None:
    assert "@" not in PAGE
