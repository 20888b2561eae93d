"""Whose a key is by its look, and what is no key at all."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core import Credential, Provider
from freeride_core.settings.key_shapes import expected_start, is_placeholder, key_starts, owner_of
from freeride_core.settings.keys import read_keys
from freeride_core.settings.unquoted import bare_key, named_key

ACME, ORBIT = "ak_", "orb-v1-"
KEY_OF_ORBIT = f"{ORBIT}0123456789abcdef"


def provider(name: str, pattern: str | None) -> Provider:
    credential = Credential(variable=f"{name.upper()}_API_KEY", pattern=pattern)
    about = SimpleNamespace(title=name.title())
    return cast(
        "Provider",
        SimpleNamespace(name=name, credentials=(credential,), about=about, base_url=f"https://{name}.example/v1"),
    )


acme, orbit = provider("acme", rf"{ACME}[a-z0-9]{{8,}}"), provider("orbit", rf"{ORBIT}[0-9a-f]{{16}}")


@pytest.mark.parametrize(
    ("pattern", "starts"),
    [
        ("gsk_[A-Za-z0-9]{20,}", ("gsk_",)),
        (r"AIza[0-9A-Za-z_-]{35}|AQ\..+", ("AIza", "AQ.")),
        ("nvapi-.+", ("nvapi-",)),
        ("sk-?[a-z]+", ()),  # the last letter is optional
        ("ab*", ()),
        ("ab{2}c", ()),
        (r"(?:cf[a-z]{1,3}t?_)?[A-Za-z0-9_-]{40,}", ()),
        ("gsk_.+|[a-z]+", ()),  # keys of one form begin anyhow
        (None, ()),
    ],
)
def test_a_pattern_says_how_keys_begin_or_it_does_not(pattern: str | None, starts: tuple[str, ...]) -> None:
    assert key_starts(provider("acme", pattern)) == starts


@given(
    st.sampled_from(["gsk_[a-z]{3}", r"AIza\w{4}|AQ\..+", "ab*c", "x+y", "sk-?[a-z]", "orb-v1-[0-9a-f]{2}"]), st.data()
)
def test_every_key_of_a_pattern_begins_as_it_says(pattern: str, data: st.DataObject) -> None:
    key = data.draw(st.from_regex(pattern, fullmatch=True))
    assert key.startswith(key_starts(provider("acme", pattern)) or "")


def test_a_key_is_the_provider_s_whose_pattern_it_matches() -> None:
    assert owner_of(KEY_OF_ORBIT, [acme, orbit]) is orbit
    assert owner_of(f"{ORBIT}short", [acme, orbit]) is None
    assert owner_of("0123456789abcdef", [acme, orbit, provider("any", ".+")]) is None
    assert expected_start(provider("twice", "a_[a-z]+|b_[a-z]+")) == "a_… or b_…"


def test_another_provider_s_key_is_not_used_and_the_right_variable_is_named() -> None:
    settings = cast("Any", SimpleNamespace(environ={"ACME_API_KEY": KEY_OF_ORBIT}, base_url=lambda _: None))
    keys, warnings = read_keys(acme, settings, [acme, orbit])
    assert keys == ()
    assert warnings == (
        "ACME_API_KEY[0] is not used: it looks like a key of Orbit (orb-v1-…); set ORBIT_API_KEY to it",
    )


@pytest.mark.parametrize(
    ("own", "base_url"),
    [
        (provider("acme", None), None),  # its keys may look like anything
        (provider("acme", rf"{ORBIT}.+"), None),  # both begin so
        (acme, "http://127.0.0.1:9/v1"),  # what is there may take any key
    ],
)
def test_a_key_stays_where_it_may_be_right(own: Provider, base_url: str | None) -> None:
    settings = cast("Any", SimpleNamespace(environ={"ACME_API_KEY": KEY_OF_ORBIT}, base_url=lambda _: base_url))
    keys, warnings = read_keys(own, settings, [own, orbit])
    assert ([key.secret for key in keys], warnings) == ([KEY_OF_ORBIT], ())


PLACEHOLDERS = [
    *(
        "your-key-here",
        "YOUR_API_KEY",
        "your_groq_key",
        "<your key>",
        "{key}",
        "gsk_xxxxxxxx",
        "xxx",
        "sk-...",
        "...",
        "…",
    ),
    *(
        "$GROQ_API_KEY",
        "${GROQ_API_KEY}",
        "gsk_your_key_here",
        "changeme",
        "replace-me",
        "paste-your-key-here",
        "hf_****",
    ),
    *("none", "null", "api_key", "the-key", "TODO", "placeholder", "key-here", "my-api-key", "your key here"),
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_is_no_key(text: str) -> None:
    assert is_placeholder(text)
    settings = cast("Any", SimpleNamespace(environ={"ACME_API_KEY": text}, base_url=lambda _: None))
    keys, [warning] = read_keys(acme, settings)
    assert keys == ()
    assert warning.startswith("ACME_API_KEY[0] is not used: it ")
    own = cast("Any", SimpleNamespace(environ={"ACME_API_KEY": text}, base_url=lambda _: "http://127.0.0.1:8000"))
    assert "placeholder" not in str(read_keys(acme, own)), "a server of one's own may take any key"


@pytest.mark.parametrize(
    "text", ["ak_goodgood", "sk-or-v1-x", "gsk_bad_bad", "gsk_yourself0123", "k1", "todos", "ak_maxxxxx"]
)
def test_a_key_is_no_placeholder(text: str) -> None:
    assert not is_placeholder(text)


@given(st.from_regex(re.compile(r"(gsk_|hf_|nvapi-|sk-or-v1-)[A-Za-z0-9]{32,64}", re.ASCII), fullmatch=True))
def test_no_random_key_is_a_placeholder(key: str) -> None:
    assert not is_placeholder(key) or re.search(r"[_-]x{32,}", key, re.IGNORECASE)


LINES = [
    ("ACME_API_KEY={}", "ACME_API_KEY"),
    ("export ACME_API_KEY={}", "ACME_API_KEY"),
    ('export ACME_API_KEY="{}"', "ACME_API_KEY"),
    ("  ACME_API_KEY = '{}' ;", "ACME_API_KEY"),
    ("set ACME_API_KEY={}", "ACME_API_KEY"),
    ('$env:ACME_API_KEY = "{}"', "ACME_API_KEY"),
    ('"ACME_API_KEY={}"', "ACME_API_KEY"),
    ('"{}",', None),
    (" {}\n", None),
]


@pytest.mark.parametrize(("line", "name"), LINES)
def test_what_was_copied_with_a_key_is_cut_off(line: str, name: str | None) -> None:
    assert named_key(line.format("ak_0123456789")) == (name, "ak_0123456789")
    assert bare_key(line.format("ak_0123456789")) == "ak_0123456789"


def test_an_equals_sign_in_a_key_stays() -> None:
    assert bare_key("c2VjcmV0==") == "c2VjcmV0=="
    assert bare_key("ak_a=b") == "ak_a=b"
    assert bare_key("JBSWY3DP_XP==") == "JBSWY3DP_XP=="
