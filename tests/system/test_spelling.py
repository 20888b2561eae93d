"""The name that was probably meant."""

from __future__ import annotations

import pytest

from freeride_core.system.spelling import nearest, suggestion

NAMES = ("serve", "status", "stop", "Keys")


@pytest.mark.parametrize(
    ("word", "near"),
    [("serv", "serve"), ("KEY", "Keys"), ("stauts", "status"), ("bind", None), ("", None), ("s" * 300, None)],
)
def test_the_most_alike_is_named_and_nothing_that_is_not_alike(word: str, near: str | None) -> None:
    assert nearest(word, NAMES) == near
    assert suggestion(word, NAMES) == (f"did you mean {near}? " if near else "")
