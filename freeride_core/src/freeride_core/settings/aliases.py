"""`[aliases]` in `config.toml`: other names under which clients may ask for a model."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freeride_core.settings.home import SettingsError

_MOST = 64
_LONGEST = 256
_WILDCARDS = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Aliases:
    """What each name stands for. Upper and lower case are one."""

    exact: Mapping[str, str]
    """The names without a wildcard as the user has written them, and what they stand for: a model, or a preset."""
    _by_lower: Mapping[str, str]
    _patterns: tuple[tuple[re.Pattern[str], str], ...]
    """The one with the longest beginning comes first."""

    def __bool__(self) -> bool:
        return bool(self._by_lower or self._patterns)

    def target(self, name: str) -> str | None:
        """Return what a name stands for, or None if it is no alias. What it stands for is never looked up again."""
        if not _is_name(name):
            return None
        lower = name.lower()
        if (target := self._by_lower.get(lower)) is not None:
            return target
        return next((target for pattern, target in self._patterns if pattern.fullmatch(lower)), None)


NO_ALIASES = Aliases({}, {}, ())


def read_aliases(home: Path) -> Aliases:
    """Return the aliases that the home's `config.toml` sets. Raises `SettingsError` that names the wrong one."""
    path = home / "config.toml"
    with contextlib.suppress(OSError, ValueError):  # `read_files` reports a file that cannot be read
        text = path.read_bytes().decode("utf-8-sig")
        if "aliases" in text:
            import tomllib  # costs every command 3 ms

            return _made(_checked(path, tomllib.loads(text).get("aliases", {})))
    return NO_ALIASES


def _made(table: Mapping[str, str]) -> Aliases:
    exact = {name: target for name, target in table.items() if not _WILDCARDS.search(name)}
    patterns = sorted((name for name in table if name not in exact), key=_beginning, reverse=True)
    return Aliases(
        exact,
        {name.lower(): target for name, target in exact.items()},
        tuple((re.compile(fnmatch.translate(name.lower())), table[name]) for name in patterns),
    )


def _checked(path: Path, table: Any) -> dict[str, str]:
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: aliases", "a table", 'write [aliases] and below it "name" = "model"')
    if len(table) > _MOST:
        raise SettingsError(
            f"{path}: aliases", "a table of at most 64 names", "remove some, or use a pattern such as gpt-*"
        )
    lower = {name.lower() for name in table}
    for name, target in table.items():
        where = f"{path}: aliases.{name}"
        if not _is_name(name) or name.count("*") > 2:
            raise SettingsError(where, "an alias", "write printable ASCII without blanks, with at most two *")
        if not isinstance(target, str) or not _is_name(target) or _WILDCARDS.search(target):
            raise SettingsError(where, "the name of a model", 'write an id that `freeride models` lists, or "auto"')
        if target.lower() in lower:
            raise SettingsError(
                where, "the name of a model", "an alias cannot stand for another alias: write the model itself"
            )
    return dict(table)


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and all("!" <= letter <= "~" for letter in text)


def _beginning(pattern: str) -> int:
    """Return how many letters are before the first wildcard."""
    found = _WILDCARDS.search(pattern)
    return found.start() if found else len(pattern)
