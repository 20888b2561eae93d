"""Takes over the cooldowns of older versions: `cooldown.json`, once.

Two forms exist, and a file may mix them: `{"provider": {"<raw key>": start}}`, which cools for 120 s from the start,
and `{"provider": {"<first 12 hex digits of the key's SHA-256>": {"until": end, "kind": kind}}}`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from freeride_core.answer import ErrorKind
from freeride_core.ledger.cooldowns import SECTION
from freeride_core.ledger.slots import ALL_MODELS, Slot
from freeride_core.ledger.store.store import Entry
from freeride_core.provider import Key, Provider
from freeride_core.settings.keys import fingerprint

_FILE = "cooldown.json"
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_RAW_FORM_S = 120.0
_LONGEST_S = 24 * 3600.0
_KINDS = frozenset(kind.value for kind in ErrorKind)


class _Row(NamedTuple):
    provider: str
    """As the older version named it."""
    fingerprint: str
    is_raw: bool
    """The file named the key itself."""
    value: Any


def import_cooldowns(
    home: Path, providers: Mapping[str, Provider], keys: Mapping[str, Sequence[Key]], now: float
) -> tuple[list[Entry], list[str]]:
    """Entries for the cooldowns of today's keys that are not over, and lines for people, which hold no key.

    Afterwards the file is gone: deleted where it held raw keys, else renamed to `cooldown.json.imported`. One that
    cannot be read stays as it is.
    """
    path = home / _FILE
    try:
        rows = list(_rows(json.loads(path.read_bytes())))
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{path} cannot be read ({error.strerror}); it is left alone"]
    except (ValueError, RecursionError):
        return [], [f"{path} is damaged; it is left alone and can be deleted"]
    entries = _entries(rows, providers, keys, now)
    return entries, _put_away(path, holds_keys=any(row.is_raw for row in rows))


def _rows(content: Any) -> Iterator[_Row]:
    if not isinstance(content, dict):
        raise ValueError("not an object")
    for provider, by_key in content.items():
        if isinstance(by_key, dict):
            for name, value in by_key.items():
                is_raw = not _FINGERPRINT.fullmatch(name)
                yield _Row(provider, fingerprint(name) if is_raw else name, is_raw, value)


def _entries(
    rows: Sequence[_Row], providers: Mapping[str, Provider], keys: Mapping[str, Sequence[Key]], now: float
) -> list[Entry]:
    current = {former: name for name, provider in providers.items() for former in provider.former_names}
    current.update({name: name for name in providers})
    ends: dict[str, tuple[float, str]] = {}
    for row in rows:
        provider = current.get(row.provider, "")
        until, kind = _end(row.value, now)
        if until > now and any(key.fingerprint == row.fingerprint for key in keys.get(provider, ())):
            slot = Slot(provider, f"key:{row.fingerprint}", ALL_MODELS).name
            ends[slot] = max(ends.get(slot, (until, kind)), (until, kind))
    return [
        Entry(SECTION, slot, {"kind": kind, "until": until, "strikes": 1, "noted": now})
        for slot, (until, kind) in ends.items()
    ]


def _end(value: Any, now: float) -> tuple[float, str]:
    """When the cooldown is over, at most a day from now, and its kind; 0 where the value makes no sense."""
    kind: Any = ErrorKind.RATE_LIMIT
    try:
        if isinstance(value, dict):
            until, kind = float(value["until"]), value.get("kind")
        else:
            until = float(value) + _RAW_FORM_S
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0.0, ""
    if not math.isfinite(until):
        return 0.0, ""
    is_known = isinstance(kind, str) and kind in _KINDS
    return min(until, now + _LONGEST_S), str(kind) if is_known else str(ErrorKind.RATE_LIMIT)


def _put_away(path: Path, *, holds_keys: bool) -> list[str]:
    try:
        if not holds_keys:
            path.replace(path.with_name(f"{_FILE}.imported"))
            return []
        path.unlink()
    except OSError as error:
        return [f"{path} was taken over but cannot be put away ({error.strerror}); please delete it"]
    return [f"{path} held API keys in clear text: its cooldowns were taken over and the file was deleted"]
