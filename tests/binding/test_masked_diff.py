"""What people are shown of a change: all of it, but for secrets."""

from __future__ import annotations

import json
import random
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.binding.masked_diff import show_difference
from repository import ROOT

SECRET = "sk-0123456789abcdef"


def diff(before: str | None, after: str | None) -> str:
    encoded = [None if text is None else text.encode() for text in (before, after)]
    return show_difference(encoded[0], encoded[1], "/h/toy.conf")


def shows(shown: str, secret: str, run: int = 8) -> bool:
    return any(secret[start : start + run] in shown for start in range(len(secret) - run + 1))


def test_the_difference_is_a_unified_diff() -> None:
    assert diff("a=1\nb=2\n", "a=1\nb=3\n") == "--- /h/toy.conf\n+++ /h/toy.conf\n@@ -1,2 +1,2 @@\n a=1\n-b=2\n+b=3\n"
    assert diff(None, "a=1\n").startswith("--- /dev/null\n+++ /h/toy.conf\n")
    assert diff("a=1\n", None).startswith("--- /h/toy.conf\n+++ /dev/null\n")
    assert diff("a=1", "a=1\n").endswith("-a=1\n\\ No newline at end of file\n+a=1\n")
    assert diff("a\x0bb\r\n", "c\r\n").endswith("-a\x0bb\r\n+c\r\n")
    assert diff("a=1\n", "a=1\n") == ""


@pytest.mark.parametrize(
    "line",
    [
        "api-key: SECRET",
        "apiKey: 'SECRET' # mine",
        '"apiKey": "SECRET",',
        "- {name: a, apiKey: SECRET, model: b}",
        "  - acme=SECRET",
        "Authorization: Bearer SECRET",
        "ACME_TOKEN=SECRET",
        "    api_token :  SECRET",
        "password: 'one SECRET two'",
        "set-env: [ACME_API_KEY=SECRET, A=b]",
    ],
)
def test_the_difference_shows_no_secret(line: str) -> None:
    for secret in (SECRET, "opensesame"):
        shown = diff(line.replace("SECRET", secret) + "\nx: 1\n", "x: 2\n")
        assert "***" in shown
        assert not shows(shown, secret)


@pytest.mark.parametrize(
    "text",
    [
        '{"apiKeys": ["shown-to-all", "SECRET"]}',
        '{\n  "apiKeys": [\n    "shown", // first\n    "SECRET"\n  ]\n}',
        '{"tokens": {"work": {"is": "SECRET"}}, "a": 1}',
        '"key": "abc\\"SECRET",',
        '"key": "abc\\\\\\"SECRET",',
        "'key': 'it\\'s SECRET',",
        "key: 'it''s SECRET'",
        '"auth": "SECRET"',
        '"Authorization": "Bearer SECRET"',
        '"github_pat": "SECRET"',
        '"API key": "SECRET"',
        "keys:\n  - first\n  - SECRET",
        "keys:\n- first\n- SECRET",
        "keys:\n- first\n\n# two\n- is: SECRET",
        "a:\n  - keys:\n    - SECRET\n    name: b",
        "acme_key: >-\n  SECRET\n  and more",
        "acme_key: | # mine\n\n    SECRET\n",
        "acme_key: !!str\n  SECRET",
        'acme_key: "one\n  SECRET"',
        "acme_key: one\n  SECRET",
        "password: one SECRET # mine",
        "acme_key: &anchor SECRET",
        'key = """\none\nSECRET"""\nb = 1',
        "keys = [\n  'SECRET',\n]\n",
        "keys = { a = 'SECRET', b.c = \"SECRET\" }",
        "export ACME_TOKEN=SECRET",
        "# apiKey: SECRET",
        '  // "apiKey": "SECRET",',
        '{"a": "b=", "token": "SECRET"}',
        '{"a": "b=",         "token": "SECRET"}',
        "api_base: https://me:SECRET@acme.example/v1",
    ],
)
def test_all_that_belongs_to_the_name_of_a_secret_is_masked(text: str) -> None:
    for line_end in ("\n", "\r\n"):
        lines = text.replace("SECRET", "opensesame").replace("\n", line_end)
        shown = diff(None, lines)
        assert "***" in shown
        assert not shows(shown, "opensesame")
        assert shown.count("\n+") == lines.count("\n") + (not lines.endswith("\n")) + 1, "a line stays a line"


def test_a_hunk_that_begins_below_the_name_is_masked_too() -> None:
    before = "keys:\n" + "".join(f"- opensesame{number}\n" for number in range(9))
    shown = diff(before, before + "- anothersecret\n")
    assert "keys" not in shown
    assert shown.endswith(" - ***\n - ***\n - ***\n+- ***\n")


def test_a_change_of_a_secret_is_one() -> None:
    assert diff("key: opensesame1\n", "key: opensesame2\n").endswith("@@ -1 +1 @@\n-key: ***\n+key: ***\n")


ALPHANUMERIC = string.ascii_letters + string.digits
KEYS = [
    "sk-",
    "sk-proj-",
    "sk-or-v1-",
    "gsk_",
    "ghp_",
    "github_pat_11",
    "hf_",
    "nvapi-",
    "AIzaSy",
    "glpat-",
    "",
]


@pytest.mark.parametrize("prefix", KEYS)
def test_a_key_is_known_by_its_looks(prefix: str) -> None:
    dice = random.Random(prefix)
    for _ in range(100):
        key = "".join(dice.choices(ALPHANUMERIC, k=36))
        if not set(key) & set(string.digits):
            continue
        for line in (f"- {prefix}{key}\n", f'"a": "{prefix}{key}",\n', f"# {prefix}{key} was the old one\n"):
            shown = diff(None, line)
            assert "***" in shown
            assert not shows(shown, key), prefix
    assert not shows(diff(None, "- sk-yaml-two-abcdefghijkl\n"), "yaml-two")


@pytest.mark.parametrize(
    "line",
    [
        "apiKey: freeride-local",
        "maxTokens: 8192",
        "model: keyed-model-of-7b",
        "key: ~",
        '"envKey": "FREERIDE_LOCAL_KEY",',
        '"apiKey": "${ACME_API_KEY}",',
        '"Authorization": "Bearer freeride-local",',
        "ACME_BASE_URL=http://127.0.0.1:11343",
        "ACME_MODEL=freeride/auto",
        '"apiKey": "{env:ACME_API_KEY}",',
        '"apiKeys": ["ACME_API_KEY", "OTHER_API_KEY_2"],',
        '"apiKey": "freeride-local", "baseUrl": "http://127.0.0.1:11343/v1"',
        '"keymap": [{"bindings": {"ctrl-shift-p": "palette::Toggle"}}]',
        "tokenizer: cl100k_base_large",
        "author: somebody else",
        "id: 123e4567-e89b-12d3-a456-426614174000",
        "- one-item-among-many-others",
    ],
)
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert line in diff(None, f"{line}\n")


def test_what_comes_after_a_secret_is_shown() -> None:
    before = 'a:\n  key: >-\n    opensesame\n  model: some-model-1\nkeys: ["opensesame"]\nurl: http://127.0.0.1:1/v1\n'
    shown = diff(before, before + "b: 1\n").replace("\n ", "\n")
    assert "url: http://127.0.0.1:1/v1\n" in shown
    assert "model: some-model-1\n" in diff(None, before).replace("\n+", "\n")
    assert '"b": {"model": "some-model-1"}' in diff(None, '{"keys": ["opensesame"], "b": {"model": "some-model-1"}}')


def test_the_names_of_models_are_shown() -> None:
    """All that the shipped simulators know, and some that are long."""
    names = {
        "claude-sonnet-4-5-20250929",
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
        "Qwen3-Coder-480B-A35B-Instruct",
        "deepseek-r1-distill-llama-70b",
        "gpt-4o-mini-2024-07-18",
    }
    for path in (ROOT / "freeride_providers").glob("*/src/*/simulator.toml"):
        names |= set(re.findall(r'"(?:id|name)": ?"([^" ]+)"', path.read_text("utf-8")))
    assert len(names) > 20
    shown = diff(None, "".join(f"- {name}\n" for name in sorted(names)))
    assert [name for name in sorted(names) if f"+- {name}\n" not in shown] == []


@given(st.text(alphabet="ab\"'\\:=[]{}|>-# \tkey\r\n\0", max_size=60), st.text(alphabet='key: \n"[]-', max_size=30))
def test_whatever_the_texts_are_a_change_is_shown(before: str, after: str) -> None:
    shown = diff(before, after)
    assert (shown == "") == (before == after)
    assert "\0" not in shown


NOISE = st.text(alphabet=" \t'\"\\,.()#ab", max_size=40)
PAIRS = ["apiKey: SECRET", "ACME_TOKEN=SECRET", '"apiKey": "SECRET"', "token = 'SECRET'", '"keys": ["SECRET", 1]']


@given(NOISE, st.sampled_from(PAIRS), NOISE)
def test_a_secret_is_masked_whatever_is_beside_it_on_its_line(before: str, pair: str, after: str) -> None:
    line = f"{before} {pair.replace('SECRET', 'opensesame')} {after}"
    assert not shows(diff(None, f"{line}\n"), "opensesame")
    assert not shows(diff(f"{line}\n", f"{line}\nx: 1\n"), "opensesame")


VALUES = st.recursive(st.text(alphabet="ab'\"\\:=[]{}, \nkey", max_size=12), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.text(alphabet="ab'\"\\:, ", max_size=8), VALUES, max_size=6), st.sampled_from([None, 2]))
def test_a_secret_of_a_json_file_is_masked_whatever_else_it_holds(
    members: dict[str, object], indent: int | None
) -> None:
    text = json.dumps({**members, "token": "opensesame"}, indent=indent)
    assert not shows(diff(None, text), "opensesame")


def test_a_long_line_takes_no_long_time() -> None:
    text = "a" * 100_000 + '"' * 10_001 + ("key" * 10_000) + "[{" * 10_000 + "\n"
    assert diff(None, text).count("\n") == 4


@pytest.mark.parametrize(
    "text",
    [
        '"command": ["npx", "-y", "docs-mcp", "--api-key", "SECRET"]',
        '"args": ["--key", "SECRET", "--verbose"]',
        '"args": [\n  "--api-key",\n  "SECRET"\n]',
        "args:\n  - --api-key\n  - SECRET\n  - --verbose",
        'args = ["--token","SECRET"]',
        "command: docs-mcp --auth-token SECRET --port 1",
        "'--password', 'SECRET'",
        "DB_PASS=SECRET",
        '"SMTP_PASS": "SECRET"',
        "url: https://SECRET@git.example/x",
        '"remote": "https://user:SECRET@git.example/x"',
    ],
)
def test_a_secret_behind_its_option_or_in_an_address_is_masked(text: str) -> None:
    for secret in ("6f1c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f", "opensesame"):
        shown = diff(text.replace("SECRET", secret) + "\nx: 1\n", "x: 2\n")
        assert "***" in shown
        assert not shows(shown, secret)


@pytest.mark.parametrize(
    "text",
    [
        '"args": ["--key-file", "--verbose", "docs-server"]',
        '"command": ["npx", "--keyboard", "workspace-name"]',
        "- --token\n- --verbose-output\n- workspace",
        "remote: ssh://git@github.com/x/y",
        "bypass: something-long",
        "a -- token of thanks",
    ],
)
def test_what_only_looks_like_an_option_of_a_secret_is_shown(text: str) -> None:
    assert "***" not in diff(text + "\n", "x: 2\n")
