"""YAML that is edited in place: what no shipped binder's own tests show."""

from __future__ import annotations

import pytest

from freeride_core.editing import YamlDocument


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("m: | # mine\n  old\n  one\n\n# next\nb: 1\n", "m: new # mine\n\n# next\nb: 1\n"),
        ("m: >-  # mine\r\n  old\r\nb: 1\r\n", "m: new  # mine\r\nb: 1\r\n"),
        ("m: |+2 # mine\n\n\nb: 1\n", "m: new # mine\n\n\nb: 1\n"),
        ("m: | # mine", "m: new # mine"),
        ("m: |\n  # not a comment\nb: 1\n", "m: new\nb: 1\n"),
        ("m: '| # not a comment' # mine\n", "m: 'new' # mine\n"),
    ],
)
def test_the_comment_at_the_head_of_a_block_stays_when_the_block_goes(before: str, after: str) -> None:
    document = YamlDocument(before)
    document.set(["m"], "new")
    assert document.text == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("m: | # mine\n  old\nb: 1\n", "m: # mine\n  new: 1\nb: 1\n"),
        ("m: >-\n  old\n\nb: 1\n", "m:\n  new: 1\n\nb: 1\n"),
    ],
)
def test_a_block_makes_room_for_a_mapping(before: str, after: str) -> None:
    document = YamlDocument(before)
    document.set(["m"], None)
    document.set(["m"], {"new": 1})
    assert document.text == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("a: |\n  text\n    more\nb: x\n  # end", "a: |\n  text\n    more\n"),
        ("a: |\n  text\nb: x\n  # end\n\n# top\nc: 1\n", "a: |\n  text\n\n# top\nc: 1\n"),
        ("a: 1\nb: x\n  # end\n", "a: 1\n  # end\n"),
    ],
)
def test_a_comment_does_not_become_text_of_a_block_above_it(text: str, after: str) -> None:
    document = YamlDocument(text)
    document.remove(["b"])
    assert document.text == after
