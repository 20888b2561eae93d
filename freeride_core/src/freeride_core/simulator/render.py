"""Fills the `{{placeholders}}` of a profile."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from freeride_core.compatible.midnight import Midnight
from freeride_core.simulator.quota import QuotaStatus

COMMON = frozenset({"id", "uuid", "hex", "created", "model", "account", "key_hint"})
"""What every template of a profile may hold, besides times and quotas."""
SPOKEN = frozenset(
    {
        "text",
        "reasoning",
        "finish",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "tool_id",
        "tool_name",
        "tool_arguments",
        "tool_arguments_head",
        "tool_arguments_tail",
        "tool_arguments_json",
    }
)
"""What a chat answer may hold besides."""
EMBEDDED = frozenset({"embeddings", "prompt_tokens", "total_tokens"})
"""What an embeddings answer may hold besides."""

_HOLE = re.compile(r"\{\{([^{}|]+)(?:\|([^{}]*))?\}\}")
_TIME = re.compile(r"(now|now_ms|http_date)(?:\+(\d+(?:\.\d+)?))?")


class UnknownPlaceholder(ValueError):
    """A template asks for a value that does not exist."""


class RawText(str):
    """JSON that is inserted as it is."""

    __slots__ = ()


class Values:
    """What placeholders stand for in one answer."""

    def __init__(
        self,
        texts: Mapping[str, str | int],
        now: float,
        standings: Mapping[str, QuotaStatus] | None = None,
        *,
        defaults: bool = False,
    ) -> None:
        self._texts = texts
        self._now = now
        self._standings = standings or {}
        self._defaults = defaults

    def fill(self, template: str, *, escape: bool = True) -> str:
        """The template with its holes filled; texts escaped as within a JSON string unless `escape` is False."""

        def replace(hole: re.Match[str]) -> str:
            return self._filling(hole[1].strip(), hole[2], escape)

        return _HOLE.sub(replace, template)

    def _filling(self, name: str, default: str | None, escape: bool) -> str:
        quota, _, aspect = name.partition(".")
        if aspect:
            if default is not None and self._defaults:
                return moment_text(default.strip(), self._now) or default
            return _aspect(self._standings, quota, aspect, self._now)
        if default is not None:
            raise UnknownPlaceholder(f"{{{{{name}}}}} takes no default: only quotas do")
        value = self._texts.get(name)
        if value is None:
            value = moment_text(name, self._now)
            if value is None:
                raise UnknownPlaceholder(f"unknown placeholder {{{{{name}}}}}")
        if isinstance(value, (int, RawText)) or not escape:
            return str(value)
        return json.dumps(value, ensure_ascii=False)[1:-1]


def _aspect(standings: Mapping[str, QuotaStatus], quota: str, aspect: str, now: float) -> str:
    standing = standings.get(quota)
    if standing is None:
        raise UnknownPlaceholder(f"unknown placeholder {{{{{quota}.{aspect}}}}}: there is no quota {quota!r}")
    value = standing.aspects(now).get(aspect)
    if value is None:
        raise UnknownPlaceholder(f"unknown placeholder {{{{{quota}.{aspect}}}}}: a quota has no {aspect!r}")
    return value


def moment_text(name: str, now: float) -> str | None:
    """`now+37`, `now_ms`, `http_date+5`, `midnight UTC`, `midnight_ms America/Los_Angeles`; None for anything else."""
    word, _, zone = name.partition(" ")
    if word in {"midnight", "midnight_ms"}:
        return _midnight_text(zone, now, 1000 if word == "midnight_ms" else 1)
    found = _TIME.fullmatch(name)
    if not found:
        return None
    moment = now + float(found[2] or 0)
    if found[1] == "http_date":
        return format_datetime(datetime.fromtimestamp(int(moment), UTC), usegmt=True)
    return str(int(moment * 1000 if found[1] == "now_ms" else moment))


def _midnight_text(zone: str, now: float, units_a_second: int) -> str | None:
    try:
        return str(int(Midnight(zone).after(now)) * units_a_second)
    except ValueError:
        return None
