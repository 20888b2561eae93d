"""A profile is read as it is meant, and what is wrong with it is named with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from freeride_core.answer import ErrorKind, Scope
from freeride_core.call import Feature
from freeride_core.simulator.profile import ProfileError, is_known
from freeride_core.simulator.profile_file import main, parse_profile, read_profile
from repository import PROFILES

ACME = PROFILES / "acme.toml"


def complaint_about(old: str, new: str) -> str:
    """What the reader says once `old` is replaced by `new`."""
    text = ACME.read_text("utf-8")
    assert old in text
    with pytest.raises(ProfileError) as caught:
        parse_profile(text.replace(old, new, 1), "acme.toml")
    return str(caught.value)


def test_a_whole_profile_is_read() -> None:
    profile = read_profile(ACME)

    assert profile.chat_path == "/accounts/0123abcd/v1/chat/completions"
    assert [quota.name for quota in profile.quotas] == ["requests_minute", "requests_day", "tokens_minute"]
    case = profile.case("rate-limited")
    assert case is not None
    assert case.expect is not None
    assert (case.expect.kind, case.expect.scope, case.expect.retry_after) == (ErrorKind.RATE_LIMIT, Scope.ACCOUNT, 4)
    parts = profile.case("content-parts")
    assert parts is not None
    assert parts.expect is not None
    assert parts.expect.feature is Feature.CONTENT_PARTS
    assert profile.case("nonesuch") is None


def test_each_value_and_each_row_that_is_wrong_is_named() -> None:
    text = ACME.read_text("utf-8")
    wrong = text.replace("status = 429\n", 'status = "429"\n', 1).replace(
        'good_key = "acme', 'colour = "red"\ngood_key = "acme'
    )
    with pytest.raises(ProfileError) as caught:
        parse_profile(wrong.replace("amount = ", "amount = true # ", 1), "acme.toml")
    assert len(caught.value.mistakes) == 3, caught.value
    for place in ("unknown field `colour`", "`$.case[0].status` (case 'rate-limited')", "`$.quota[0].amount` (quota"):
        assert place in str(caught.value)


def test_known_models_are_the_listed_the_unlisted_and_the_default() -> None:
    known = read_profile(ACME).chat_models()

    assert is_known("acme/large", known)
    assert is_known("acme/paid", known)
    assert is_known("acme/large:fastest", known)
    assert not is_known("acme/larger", known)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('provider = "acme"\n', "", "missing required field `provider`"),
        ('provider = "acme"\n', "provider = \n", "not TOML: Invalid value (at line 2"),
        ('provider = "acme"\n', 'provider = "acme"\ncolour = "red"\n', "unknown field `colour`"),
        ("status = 429\n", 'status = "429"\n', "Expected `int`, got `str` - at `$.case[0].status` (case 'rate-limited')"),
        ('unit = "requests"', 'unit = "apples"', "Invalid enum value 'apples' - at `$.quota[0].unit` (quota 'requests_minute')"),
        ('kind = "auth"', 'kind = "shrug"', "Invalid enum value 'shrug' - at `$.case[3].expect.kind` (case 'bad-key')"),
        ('case = "daily-cap"', 'case = "daily"', "quota 'requests_day': case: there is no case 'daily'"),
        ('name = "server-error"', 'name = "server-fault"', "case 'server-error' is required and missing"),
        ('name = "daily-cap"\nstatus', 'name = "bad-key"\nstatus', "case 'bad-key': there are 2 of this name"),
        ('name = "content-parts"', 'name = "hang"', "case 'hang': every simulator has a built-in of this name"),
        ('name = "content-parts"', 'name = "Content Parts"', "lower-case words joined by hyphens"),
        ('play = "silence"', 'play = "silence"\nbody = ""', "exactly one of body, sse, play is needed, not body and play"),
        ('play = "silence"\n', "", "case 'prefill-stall': exactly one of body, sse, play is needed, not none"),
        ('key = "^revoked-"', 'key = "(revoked-"', "case 'bad-key': match.key: missing )"),
        ('"content":"{{text}}"', '"content":"{{txet}}"', "answer.body: unknown placeholder {{txet}}"),
        ("{{requests_day.used}}", "{{requests_week.used}}", "{{requests_week.used}}: there is no quota"),
        ("{{requests_day.used}}", "{{requests_day.uesd}}", "a quota has no 'uesd'"),
        ("{{created}}", "{{created|7}}", "takes no default"),
        ('{"id":"acme/paid"', '{"id":acme/paid"', "catalog.body: not JSON once it is filled in"),
        ("finish = '{", "finish = '''{\n}'''\n#", "stream.finish: the data of an event must be on one line"),
        ('base_path = "/accounts/0123abcd/v1"', 'base_path = "accounts/"', "base_path: 'accounts/' must begin with '/'"),
        ('good_key = "acme-', 'good_key = "acme-bad-', "good_key: contains 'bad'"),
        ('good_key = "acme-', 'key_header = "api key"\ngood_key = "acme-', "key_header: 'api key' is not a header's name"),
        ('account_variable = "ACME_ACCOUNT_ID"\n', "", "account and account_variable: give both or none"),
        ('x-request-id = "req_{{uuid}}"', 'x-request-id = "żółw"', "answer.headers: 'x-request-id' is no header"),
        ("status = 503", "status = 103", "case 'server-error': status 103 is no final status"),
        ('kind = "day"', 'kind = "leaky"\nreset = 3', "unknown field `reset`"),
        ('window = "day"', 'window = "minute"', "kind 'day' goes with window 'day'"),
        ('kind = "day"', 'kind = "fixed"\nzone = "Asia/Tokyo"', "quota 'requests_day': zone goes with kind 'day'"),
        ('kind = "day"', 'kind = "day"\nzone = "Mars"', "quota 'requests_day': zone: there is no time zone 'Mars'"),
        ('"midnight UTC"', '"midnight Mars"', "case 'daily-cap': expect.retry_after: there is no time zone 'Mars'"),
        ('"midnight UTC"', '"noon UTC"', "expect.retry_after: 'noon UTC' is neither seconds nor 'midnight' with a time zone"),
        ("midnight_ms UTC", "midnight_ms Mars", "unknown placeholder {{midnight_ms Mars}}"),
        ("amount = 5", "amount = -5", "amount is negative"),
        ("tool_call = [", "after_ = [", "unknown field `after_`"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(old: str, new: str, expected: str) -> None:
    complaint = complaint_about(old, new)

    assert complaint.startswith("acme.toml: ")
    assert expected in complaint


def test_what_an_upstream_never_answers_need_not_be_there(tmp_path: Path) -> None:
    never = '[never]\ncontext-length = "a longer prompt is cut"\nrate-limited = "it limits no rate"\n'
    text = ACME.read_text("utf-8").replace('name = "rate-limited"', 'name = "busy"')
    profile = parse_profile(text.replace('case = "rate-limited"', 'case = "busy"') + never)

    assert profile.required_cases == ("bad-key", "unknown-model", "server-error")
    assert profile.never["context-length"] == "a longer prompt is cut"


@pytest.mark.parametrize(
    ("never", "expected"),
    [
        ('rate-limited = "it limits no rate"', "never.rate-limited: there is a case of this name"),
        ('context-length = " "', "never.context-length: it does not say why"),
        ('server-error = "it never fails"', "'server-error'"),
    ],
)
def test_what_is_there_can_happen_and_a_reason_is_given(never: str, expected: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(expected)):
        parse_profile(f"{ACME.read_text('utf-8')}\n[never]\n{never}\n")


def test_embeddings_need_no_words_where_they_are_the_usual_ones() -> None:
    text = re.sub(r"(?m)^body = '\{\"object\":\"list\",\"data\":\{\{embeddings.*\n", "", ACME.read_text("utf-8"))
    embeddings = parse_profile(text).embeddings

    assert embeddings is not None
    assert "{{embeddings}}" in embeddings.body


def test_all_mistakes_are_told_at_once() -> None:
    text = ACME.read_text("utf-8").replace('name = "server-error"', 'name = "x"').replace("amount = 5", "amount = -5")

    with pytest.raises(ProfileError) as caught:
        parse_profile(text)

    assert len(caught.value.mistakes) == 2


def test_a_file_that_is_not_there_is_a_profile_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        read_profile(tmp_path / "simulator.toml")


def test_the_checker_prints_one_line_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "simulator.toml"
    broken.write_text("provider = 3", "utf-8")

    assert main([str(ACME)]) == 0
    assert main([str(ACME), str(broken)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{ACME}: ok, 10 cases, 3 quotas"
    assert lines[2].startswith(f"{broken}: ")


def test_the_catalog_stays_json_whatever_the_clock_says() -> None:
    body = re.sub(r"\{\{[^{}]*\}\}", "0", read_profile(ACME).catalog.body)

    assert [row["id"] for row in json.loads(body)["data"][:3]] == ["acme/large", "acme/large", "acme/paid"]
