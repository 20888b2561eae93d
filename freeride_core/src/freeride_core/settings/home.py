"""The home folder, and the settings that its files hold: `.env` and `config.toml`."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freeride_core.settings.unquoted import unquoted
from freeride_core.system.ownership import risk_of

PREFIX = "FREERIDE_"
_FILES = (".env", "config.toml")
_AS_VARIABLES = ("base_url", "limits")
"""Members of `[providers.NAME]` that are settings with a variable."""

Stamp = tuple[int, int, int] | None
"""When a file was changed (ns), its size and its inode, or None if it does not exist."""


class SettingsError(Exception):
    """A setting that cannot be used. Its text is one line for people and never holds the value."""

    def __init__(self, name: str, value_kind: str, hint: str) -> None:
        shown = name if name.isprintable() else ascii(name)  # in a file, anything can be a name
        super().__init__(f"{shown} is not {value_kind}: {hint}")
        self.name = name
        self.value_kind = value_kind
        self.hint = hint


def home_of(environ: Mapping[str, str]) -> Path:
    """Where the home folder is, or would be."""
    name = PREFIX + "HOME"
    return as_path(name, unquoted(environ.get(name, "")) or "~/.freeride")


def make_home(environ: Mapping[str, str]) -> Path:
    """The home folder, only for its owner's eyes if it has to be made.

    It need not come to be: on a disk that is full or read-only a gateway serves without, and who misses a file says so."""
    name = PREFIX + "HOME"
    home = home_of(environ)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingsError(name, "a folder that can be used", f"{home}: {error.strerror}") from error
    except OSError:
        return home
    if not environ.get(name, "").strip() and home.stat().st_mode & 0o077:
        with contextlib.suppress(OSError):
            home.chmod(0o700)  # made by hand, for a first .env; an explicit folder may be shared on purpose
    return home


def check_ownership(home: Path) -> None:
    """Raise `SettingsError` if another user can change the settings: prompts and keys go where these say."""
    for path in (home, *(home / name for name in _FILES)):
        if risk := risk_of(path):
            kind = "a folder" if path == home else "a file"
            way = (
                f"run `chmod go-w {path}`"
                if "write" in risk
                else f"make it yours with `chown`, or name {kind} of your own"
            )
            raise SettingsError(str(path), f"{kind} that only you can change", f"{risk}; {way}")


def stamps_of(home: Path) -> tuple[Stamp, ...]:
    """What the files with settings look like now."""
    return tuple(_stamp(home / name) for name in _FILES)


@dataclass(frozen=True)
class FileSettings:
    """What the files of a home say."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    """Settings and keys under their full names. Those of `.env` outrank those of `config.toml`."""
    origins: dict[str, Path] = field(default_factory=dict)
    """Which file each of them is from."""
    tables: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The tables `[providers.NAME]` of `config.toml`, as they are."""
    complaints: list[str] = field(default_factory=list)
    """A line for each part of a file that means nothing."""


def read_files(home: Path) -> FileSettings:
    """Return what `.env` and, below it, `config.toml` set. Raise `SettingsError`."""
    found = FileSettings(_read_former(home / "config.json"))
    _read_toml(home / "config.toml", found)
    _read_dotenv(home / ".env", found)
    return found


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read_text(path: Path) -> str:
    """The file's text; empty where there is no file."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(str(path), "a readable file", str(reason)) from None  # the cause would show bytes of it


def _read_former(path: Path) -> dict[str, str]:
    """A no to telemetry that an older version was given."""
    try:
        answers = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    refuses = isinstance(answers, dict) and answers.get("telemetry") is False
    return {f"{PREFIX}TELEMETRY": "off"} if refuses else {}


def _read_dotenv(path: Path, found: FileSettings) -> None:
    text = _read_text(path)
    if not text:
        return
    from dotenv.parser import parse_stream  # costs every command some 20 ms, and most homes have no .env

    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            found.complaints.append(f"{path}, line {binding.original.line}, is not used: it is not NAME=value")
        elif binding.key is not None and binding.value is not None:
            found.values[binding.key] = binding.value
            found.origins[binding.key] = path


def _read_toml(path: Path, found: FileSettings) -> None:
    text = _read_text(path)
    if not text:
        return
    import tomllib  # costs every command 3 ms, and most homes have no config.toml

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), "TOML", f"{error}{_advice_on(text)}") from None
    document.pop("aliases", None)  # `aliases` reads them
    keys = document.pop("keys", {})
    if not isinstance(keys, dict):
        raise SettingsError(f"{path}: keys", "a table", 'write [keys] and below it NAME = "..."')
    values = {name: _toml_text(path, name, value) for name, value in keys.items()}
    if isinstance(document.get("providers"), dict):
        for name, table in document.pop("providers").items():
            if not isinstance(table, dict):
                raise SettingsError(f"{path}: providers.{name}", "a table", f"write [providers.{name}]")
            found.tables[name] = table
            for member in _AS_VARIABLES:
                if isinstance(value := table.get(member), str):
                    values[f"{variable_stem(name)}_{member.upper()}"] = value
    for name, value in document.items():
        if isinstance(value, dict):
            found.complaints.append(f"{path}: the table [{name}] is not known; there are [keys] and [providers.NAME]")
            continue
        values[name if name.isupper() else PREFIX + name.upper()] = _toml_text(path, name, value)
    found.values.update(values)
    found.origins.update(dict.fromkeys(values, path))


def variable_stem(provider: str) -> str:
    """Return what a provider's variables begin with: `FREERIDE_MY_SERVER`."""
    return PREFIX + provider.upper().replace("-", "_")


def _advice_on(text: str) -> str:
    if re.search(r"^\s*providers\s*=", text, re.MULTILINE) and re.search(r"^\s*\[providers\.", text, re.MULTILINE):
        return "; beside tables [providers.NAME], write the list as FREERIDE_PROVIDERS in .env"
    return ""


def _toml_text(path: Path, name: str, value: Any) -> str:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if is_list or isinstance(value, (str, int, float)):
        return as_text(value)
    raise SettingsError(f"{path}: {name}", "a setting", "write a text, a number, true, false or a list of texts")


def as_text(value: Any) -> str:
    """Return the value as a variable would hold it."""
    if isinstance(value, bool):
        return str(int(value))
    return json.dumps(value) if isinstance(value, (list, tuple)) else str(value)


def as_path(name: str, text: str) -> Path:
    """The path that a setting names, absolute."""
    if "\0" in text:
        raise SettingsError(name, "a path", "it holds a NUL")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(name, "a path", str(error)) from None
