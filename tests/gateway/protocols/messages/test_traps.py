"""Each trap that another gateway of this protocol was seen to fall into has a test. The numbers are a survey's, of 2026-12-01."""

from __future__ import annotations

import re

import pytest

from message_cases import TRAPS
from repository import ROOT

_HERE = "tests/gateway/protocols/messages"
ELSEWHERE = {
    13: (f"{_HERE}/test_messages_answers.py", "test_tokens_are_counted_once_wherever_an_upstream_reports_them"),
    14: (f"{_HERE}/test_messages_answers.py", "test_tokens_are_counted_once_wherever_an_upstream_reports_them"),
    15: ("freeride_binders/claude/tests/test_claude_binder.py", "test_the_agent_is_told_how_much_a_model_holds"),
    16: ("tests/gateway/protocols/test_token_estimate.py", "test_everything_counts"),
    17: ("tests/gateway/test_messages.py", "test_tokens_are_counted_here"),
    18: ("tests/gateway/test_messages.py", "test_tokens_are_counted_here"),
    33: (f"{_HERE}/test_messages_request.py", "test_trap_33_a_long_name_is_written_short_and_comes_back"),
    36: (
        f"{_HERE}/test_messages_answers.py",
        "test_a_broken_stream_ends_in_an_error_and_runs_no_tool_that_may_be_cut",
    ),
}
"""Those that are no row of a table, by file and test."""


def test_every_trap_has_its_row_or_its_test() -> None:
    answers = {int(name.partition(":")[0]) for name in TRAPS}
    requests = set(
        map(int, re.findall(r'"trap (\d+): ', (ROOT / _HERE / "test_messages_request.py").read_text("utf-8")))
    )
    assert answers | requests | ELSEWHERE.keys() == {*range(1, 39)}


@pytest.mark.parametrize("number", ELSEWHERE)
def test_the_test_of_a_trap_is_there(number: int) -> None:
    file, name = ELSEWHERE[number]
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")
