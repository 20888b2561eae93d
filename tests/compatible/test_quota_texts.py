"""What an error says of limits in numbers."""

from __future__ import annotations

import pytest

from freeride_core import CompatibleWire, ErrorKind, Quota, QuotaText, Rule
from freeride_core.answer import Answer

NOW = 1_790_000_000.0
NAMED = QuotaText(pattern=r"\((?P<name>\w+)\): Limit (?P<limit>\d+), Used (?P<used>\d+)")
OF_DAY = QuotaText(limit_name="rpd", pattern=r"per day.{0,20}?limit (?P<limit>\d+)")
OF_MINUTE = QuotaText(limit_name="rpm", pattern=r"per minute.{0,20}?limit (?P<limit>\d+)")
OF_RULE = QuotaText(pattern=r"limit is (?P<limit>\d+)")
ABOUT_DAY = Rule(kind=ErrorKind.QUOTA_EXHAUSTED, text="day", limit="rpd")


@pytest.mark.parametrize(
    ("body", "texts", "told"),
    [
        ("over (TPM): Limit 8000, Used 61", (NAMED,), [Quota(limit_name="tpm", limit=8000, used=61)]),
        ("per day: limit 20", (OF_DAY, OF_MINUTE), [Quota(limit_name="rpd", limit=20, remaining=0)]),
        (
            "per minute: limit 5, per day: limit 20",
            (OF_DAY, OF_MINUTE),
            [Quota(limit_name="rpd", limit=20, remaining=0), Quota(limit_name="rpm", limit=5, remaining=0)],
        ),
        ("of a day, whose limit is 50", (OF_RULE,), [Quota(limit_name="rpd", limit=50, remaining=0)]),
        ("the day is over", (OF_RULE, NAMED), [Quota(limit_name="rpd", remaining=0)]),
        (
            "the day is full (TPM): Limit 9, Used 9",
            (NAMED,),
            [Quota(limit_name="tpm", limit=9, used=9), Quota(limit_name="rpd", remaining=0)],
        ),
        ("of an hour, whose limit is 50", (OF_RULE,), []),
        ("slow down", (NAMED, OF_RULE), []),
    ],
)
def test_each_limit_that_is_told_of_is_read_once(body: str, texts: tuple[QuotaText, ...], told: list[Quota]) -> None:
    wire = CompatibleWire(path="/chat/completions", rules=(ABOUT_DAY,), quota_texts=texts)
    reading = wire.read(Answer(429, {}, f'{{"error":{{"message":"{body}"}}}}'.encode(), NOW))
    assert list(reading.quota) == told


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_about_something_else_teaches_no_limit(status: int) -> None:
    wire = CompatibleWire(path="/chat/completions", quota_texts=(NAMED,))
    body = b'{"error":{"message":"unknown field","input":"my log says (TPM): Limit 1, Used 1"}}'
    assert wire.read(Answer(status, {}, body, NOW)).quota == ()
