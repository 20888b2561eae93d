"""The tables `[providers.NAME]` of `config.toml`: what they hold, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

from freeride_core.model import is_model_name
from freeride_core.settings.home import SettingsError
from freeride_core.system.spelling import suggestion

FOR_INSTALLED = ("base_url", "enabled", "exclude_models", "limits")
FOR_OWN = ("base_url", "enabled", "exclude_models", "key_variable", "models", "tier", "training")
KNOWN = tuple(dict.fromkeys((*FOR_INSTALLED, *FOR_OWN)))
TRAINING = ("yes", "no", "opt-out", "unknown")
_TIERS = range(1, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTable:
    """One table: about an installed provider, or an upstream of the user's own."""

    name: str
    members: frozenset[str] = frozenset()
    """What the table names, and is known."""
    enabled: bool | None = None
    """None if the user has not said."""
    exclude_models: tuple[str, ...] = ()
    """Models that are not asked: ids, or patterns of ids with `*`."""
    key_variable: str | None = None
    models: tuple[str, ...] = ()
    """Empty for what the upstream lists."""
    tier: int = 4
    training: str | None = None

    def excludes(self, model_id: str) -> bool:
        return any(fnmatchcase(model_id, pattern) for pattern in self.exclude_models)


def read_tables(path: Path, tables: Mapping[str, Mapping[str, Any]], complaints: list[str]) -> dict[str, ProviderTable]:
    """Return the tables of the file at `path`. Raise `SettingsError` for a value that cannot be used; a member that is not known
    is a complaint."""
    found: dict[str, ProviderTable] = {}
    for name, table in tables.items():
        for member in table:
            if member not in KNOWN:
                guess = suggestion(member, KNOWN) or f"there are {', '.join(KNOWN)}"
                complaints.append(f"{path}: providers.{name}.{member} is not a known setting; {guess.strip()}")
        found[name] = _Table(path, name, table).read()
    return found


class _Table:
    def __init__(self, path: Path, name: str, table: Mapping[str, Any]) -> None:
        self._path = path
        self._name = name
        self._table = table

    def read(self) -> ProviderTable:
        for member in ("base_url", "limits"):
            self._text(member)  # the settings have them under the names of their variables
        tier = self._table.get("tier", 4)
        if isinstance(tier, bool) or tier not in _TIERS:
            self._fail("tier", "a tier", "write 1, 2, 3 or 4; 1 is the best")
        training = self._text("training")
        if training is not None and training not in TRAINING:
            self._fail("training", "known", f"write one of {', '.join(TRAINING)}")
        models = self._texts("models")
        if not all(is_model_name(model) for model in models):
            self._fail("models", "a list of models", "an id has 1 to 256 printable ASCII characters and no blanks")
        return ProviderTable(
            name=self._name,
            members=frozenset(self._table) & frozenset(KNOWN),
            enabled=self._switch("enabled"),
            exclude_models=self._texts("exclude_models"),
            key_variable=self._text("key_variable"),
            models=models,
            tier=tier,
            training=training,
        )

    def _text(self, member: str) -> str | None:
        value = self._table.get(member)
        if value is not None and not isinstance(value, str):
            self._fail(member, "a text", 'write it in quotes: "..."')
        return value

    def _texts(self, member: str) -> tuple[str, ...]:
        value = self._table.get(member, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._fail(member, "a list of texts", 'write ["...", "..."]')
        return tuple(value)

    def _switch(self, member: str) -> bool | None:
        value = self._table.get(member)
        if value is not None and not isinstance(value, bool):
            self._fail(member, "a switch", "write true or false")
        return value

    def _fail(self, member: str, kind: str, hint: str) -> NoReturn:
        raise SettingsError(f"{self._path}: providers.{self._name}.{member}", kind, hint)
