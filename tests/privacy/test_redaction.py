"""No part of a key of 8 characters or more reaches anything that is printed."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.privacy.redaction import Redactor, SecretFilter, guard_output

SECRET = "gsk_Zx81/qW+7vLmNp02RtYe"
LETTERS = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
SECRETS = st.text(LETTERS, min_size=8, max_size=40)


def parts(text: str) -> set[str]:
    return {text[start : start + 8] for start in range(len(text) - 7)}


@st.composite
def leaks(draw: st.DrawFn) -> tuple[list[str], str]:
    """Secrets, and a text that holds pieces of them, whole, cut, doubled and encoded."""
    secrets = draw(st.lists(SECRETS, min_size=1, max_size=3))
    pieces: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        secret = draw(st.sampled_from(secrets))
        start = draw(st.integers(0, len(secret)))
        end = draw(st.integers(start, len(secret)))
        pieces += [
            draw(st.text(max_size=5)),
            draw(st.sampled_from([secret[start:end], quote(secret[start:end], safe="")])),
        ]
    return secrets, "".join(pieces)


@given(leaks())
def test_no_part_of_a_secret_survives(leak: tuple[list[str], str]) -> None:
    secrets, text = leak
    seen = parts(Redactor(secrets)(text))
    for secret in secrets:
        assert not seen & parts(secret)
        assert not seen & parts(quote(secret, safe=""))


@given(st.lists(st.text("abc", min_size=8), max_size=3), st.text("abcd "))
def test_what_is_no_part_of_a_secret_stays(secrets: list[str], text: str) -> None:
    shown = Redactor(secrets)(text)
    hidden = {part for secret in secrets for part in parts(secret)}
    if parts(text) & hidden:
        assert "‹key›" in shown
    else:
        assert shown == text


def test_the_rest_of_the_text_stays() -> None:
    redact = Redactor([SECRET])
    assert redact(f"key={SECRET}; next={SECRET[3:15]}!") == "key=‹key›; next=‹key›!"
    assert redact(SECRET[:7]) == SECRET[:7]
    assert redact(f"/?key={quote(SECRET, safe='')}&x") == "/?key=‹key›&x"
    assert redact(f"/?key={quote(SECRET, safe='').replace('%2F', '%2f').replace('%2B', '%2b')}") == "/?key=‹key›"
    assert redact("") == ""


def test_several_secrets_in_a_row_are_one_mask() -> None:
    assert Redactor([SECRET, "other-secret"])(f"{SECRET}other-secret") == "‹key›"


def test_without_secrets_nothing_changes() -> None:
    assert Redactor([])("as it is") == "as it is"
    assert Redactor(["short"])("short") == "short"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    logger, stream = logging.Logger("acme"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(SecretFilter(Redactor([SECRET])))
    logger.addHandler(handler)
    yield logger, stream
    handler.close()


def test_messages_arguments_and_tracebacks_are_redacted(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    try:
        try:
            raise ValueError(f"Illegal header value b'Bearer {SECRET}'")
        except ValueError as error:
            raise RuntimeError("it failed") from error
    except RuntimeError:
        logger.exception("asked with %s of %d", SECRET, 7, stack_info=True)
    logger.error("broken %d", SECRET)
    written = stream.getvalue()
    assert "asked with ‹key› of 7" in written
    assert written.index("\nValueError\n") < written.index("\nRuntimeError\n"), "the cause comes first"
    assert "it failed" not in written.replace('RuntimeError("it failed")', ""), (
        "an exception's words may quote a prompt"
    )
    assert "broken %d" in written
    assert not parts(written) & parts(SECRET)


def test_a_reload_replaces_what_is_hidden(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    (found,) = logger.handlers[0].filters
    assert isinstance(found, SecretFilter)
    found.redact = Redactor(["brand-new-secret"])
    logger.warning("brand-new-secret")
    assert stream.getvalue() == "‹key›\n"


def test_a_traceback_that_nobody_caught_has_no_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    guarded = SecretFilter(Redactor([SECRET]))
    handler = logging.StreamHandler(io.StringIO())
    logger = logging.getLogger("freeride-test-guard")
    logger.addHandler(handler)
    assert logging.lastResort is not None
    try:
        guard_output(guarded)
        assert guarded in handler.filters
        assert guarded in logging.lastResort.filters
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            sys.excepthook(ValueError, error, error.__traceback__)
            threading.excepthook(threading.ExceptHookArgs((ValueError, error, error.__traceback__, None)))
            end = SimpleNamespace(exc_type=ValueError, exc_value=error, exc_traceback=error.__traceback__)
            sys.unraisablehook(cast("sys.UnraisableHookArgs", end))
    finally:
        for each in (*logging.root.handlers, logging.lastResort):
            each.removeFilter(guarded)
        logger.removeHandler(handler)
        handler.close()
    err = capsys.readouterr().err
    assert err.count("Traceback (most recent call last):") == err.count("\nValueError\n") == 3
    assert not parts(err) & parts(SECRET)
