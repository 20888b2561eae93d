"""What a client said is taken out of what an upstream says about it, however long the conversation."""

from __future__ import annotations

import json
import time

from hypothesis import example, given
from hypothesis import strategies as st

from freeride_core.call import Call, Operation
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.privacy.prompt_redaction import without_echo

FEW = st.text("ab", max_size=40)


def asked(*contents: str) -> Call:
    messages = [{"role": "user", "content": content} for content in contents]
    return parse_call(Operation.CHAT, json.dumps({"model": "auto", "messages": messages}).encode())


def masked_slowly(words: str, said: str, run: int) -> str:
    """The same by its definition: every character that is in some run of those that were said."""
    covered = [False] * len(words)
    for start in range(len(words) - run + 1):
        if words[start : start + run] in said:
            covered[start : start + run] = [True] * run
    return "".join("#" if is_covered else each for each, is_covered in zip(words, covered, strict=True))


@given(FEW, FEW)
@example("ab" * 10, "x" * 3 + "ab" * 5)
@example("a" * 8, "a" * 8)
@example("a" * 7, "a" * 40)
def test_every_run_that_was_said_is_taken_out_and_nothing_else(words: str, said: str) -> None:
    expected = masked_slowly(words, said, 8)
    assert _parts(without_echo(words, asked(said))) == _parts(expected, mask="#")


@given(st.integers(0, 3000), st.integers(0, 60), st.text("abc ", max_size=20), st.text("abc ", max_size=20))
def test_in_a_long_conversation_longer_runs_are(at: int, length: int, before: str, after: str) -> None:
    said = " ".join(str(number * number) for number in range(600))
    words = before + said[at : at + length] + after
    assert _parts(without_echo(words, asked(said))) == _parts(masked_slowly(words, said, 16), mask="#")


def _parts(text: str, mask: str = "‹…›") -> list[str]:
    return [part for part in text.split(mask) if part]


def test_a_megabyte_of_conversation_holds_up_nobody() -> None:
    said = "".join(f"{number:x} and " for number in range(100_000))
    call = asked(said)
    words = "The prompt is too long. " * 40 + said[500_000:501_000]
    begun = time.thread_time()
    assert said[500_100:500_120] not in without_echo(words, call)
    assert time.thread_time() - begun < 0.5  # 0.03 s; 0.9 s when every run was searched for
