"""Redaction: what keys and tokens look like, kept out of everything that is shown, logged or sent."""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from freeride_core.binder import Endpoint
from freeride_core.system.plain_text import printable_lines

_RUN = 8
"""The shortest part of a key that must not be seen."""


_MASK = "‹key›"
"""Its ends are no letters of a key, so that it forms no part of a key with the text beside it."""


class Redactor:
    """Masks every part of `run` characters or more of the secrets it was made with, in plain and in URL-encoded form."""

    def __init__(self, secrets: Iterable[str], run: int = _RUN) -> None:
        self._run = run
        self._parts: frozenset[str] = frozenset(
            form[start : start + run]
            for secret in secrets
            for form in _forms(secret)
            for start in range(len(form) - run + 1)
        )

    def finds_in(self, *texts: str) -> bool:
        """Whether one of them holds such a part."""
        return any(self(text) != text for text in texts)

    def __call__(self, text: str) -> str:
        kept: list[str] = []
        clean_from, covered_to = 0, -1
        run = self._run
        for start in range(len(text) - run + 1) if self._parts else ():
            if text[start : start + run] in self._parts:
                if start > covered_to:
                    kept += (text[clean_from:start], _MASK)
                clean_from = covered_to = start + run
        kept.append(text[clean_from:])
        return "".join(kept)


_SECRET_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)(_\d+)?")


_NO_SECRET = frozenset({Endpoint("").key})


def redactor_of(environ: Mapping[str, str]) -> Redactor:
    """Return a redactor of every variable that is named like a secret, for text of a plugin, which may know any of them."""
    return Redactor(
        value for name, value in environ.items() if _SECRET_VARIABLE.search(name) and value not in _NO_SECRET
    )


def _forms(secret: str) -> set[str]:
    encoded = quote(secret, safe="", errors="surrogatepass")
    return {secret, encoded, re.sub("%..", lambda match: match[0].lower(), encoded)}


class SecretFilter(logging.Filter):
    """Redacts what a log handler is about to write: the message and the traceback. `redact` may be replaced."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self.redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # a call of the logger whose arguments do not fit its text, or have none
            message = str(record.msg)
        record.msg = self.redact(printable_lines(message))
        record.args = None
        if record.exc_info:
            record.exc_text = self.redact(printable_lines(_traceback_of(record.exc_info[1])).rstrip("\n"))
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = self.redact(record.exc_text)
        if record.stack_info:
            record.stack_info = self.redact(record.stack_info)
        return True


def _traceback_of(error: BaseException | None) -> str:
    """Where it was raised and what it is, without its words: a library's or a package's may quote a prompt."""
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines[:0] = [
            "Traceback (most recent call last):\n",
            *traceback.format_tb(error.__traceback__),
            f"{type(error).__qualname__}\n",
            "\n" if lines else "",
        ]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(lines)


def guard_output(secrets: SecretFilter) -> None:
    """Put the filter on every log handler, and on the tracebacks of uncaught exceptions."""
    loggers = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    handlers = {handler for logger in (logging.root, *loggers) for handler in logger.handlers}
    if logging.lastResort is not None:
        handlers.add(logging.lastResort)
    for handler in handlers:
        handler.addFilter(secrets)

    def write_traceback(error: BaseException | None) -> None:
        sys.stderr.write(secrets.redact(printable_lines(_traceback_of(error))))

    def write_last_words(end: sys.UnraisableHookArgs | threading.ExceptHookArgs) -> None:
        write_traceback(end.exc_value)

    sys.excepthook = lambda _kind, error, _origin: write_traceback(error)
    sys.unraisablehook = write_last_words
    threading.excepthook = write_last_words
