"""Settings: one resolver for every command. Flag, OS environment, `.env`, `config.toml`, default, in this order.

A value that is set and empty still outranks later sources, and the default applies.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from freeride_core.provider import Provider
from freeride_core.settings.aliases import Aliases, read_aliases
from freeride_core.settings.home import (
    PREFIX,
    SettingsError,
    Stamp,
    as_path,
    as_text,
    check_ownership,
    make_home,
    read_files,
    stamps_of,
    variable_stem,
)
from freeride_core.settings.provider_tables import ProviderTable, read_tables
from freeride_core.settings.unquoted import unquoted

__all__ = [
    "Settings",
    "SettingsError",
    "SettingsWatch",
    "base_url_variable",
    "load_settings",
    "quiet_variable",
]

TELEMETRY_ENDPOINT = "https://telemetry.free-ride.xyz/v1/beacon"
_BASE_URL = "_BASE_URL"
FREE_MODELS = "_FREE_MODELS"
LIMITS = "_LIMITS"
SETTINGS = (
    "PROVIDERS", "HOST", "PORT", "CONNECT_TIMEOUT", "FIRST_BYTE_TIMEOUT", "ANSWER_TIMEOUT", "IDLE_TIMEOUT", "TOTAL_TIMEOUT",
    "HEDGE", "MAX_BODY", "MAX_BUFFERED", "MAX_CONNECTIONS", "TOKEN", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "STAMP_BODY", "STATE",
    "EVENTS", "EVENTS_PATH", "QUOTA", "PATIENCE", "TELEMETRY", "TELEMETRY_ENDPOINT",
)  # fmt: skip
"""Every setting that is not about one provider, without its prefix."""
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_MIB = 1024 * 1024
_DIGITS = 19
"""More than any size has. Python refuses to read thousands of them."""
_NO_ORIGINS = "none"


@dataclass(frozen=True, eq=False, kw_only=True)
class Settings:
    """All settings at one moment. Times are seconds, sizes bytes."""

    home: Path
    providers: tuple[str, ...] | None
    """Only these, in this order, or None for all in their own order."""
    host: str
    """Where the gateway listens, and where commands look for it."""
    port: int
    """0 for any free port, for a gateway of a test."""
    connect_timeout: float
    first_byte_timeout: float | None
    """None if the user set none, so a package's own or the default counts."""
    answer_timeout: float
    idle_timeout: float
    total_timeout: float
    hedge: float | None
    """Seconds of silence after which a second provider is asked too. 0 is never, and None goes by what a model usually takes."""
    quota: str
    """`on`, `watch` or `off`."""
    patience: float
    """How long a request may wait for room. 0 is not at all."""
    max_body: int
    max_buffered: int
    """Of all bodies that are held at one time."""
    max_connections: int
    token: str | None = field(repr=False)
    allowed_hosts: frozenset[str]
    allowed_origins: frozenset[str]
    """Allowed by name; `none` among them shuts out loopback's."""
    aliases: Aliases
    stamp_body: bool
    state: str = field(repr=False)
    """The URL of the store. May hold a password."""
    events: bool
    events_path: Path
    telemetry: bool
    telemetry_endpoint: str
    environ: Mapping[str, str] = field(repr=False)
    """Every variable as it counts, wherever it was set; `config.toml`'s under their full names. Holds keys."""
    above_files: Mapping[str, str] = field(repr=False)
    """The part of `environ` that no file can change: flags and the OS environment."""
    origins: Mapping[str, Path] = field(repr=False)
    """The file that a variable of `environ` is from; none for what is from above the files."""
    provider_tables: Mapping[str, ProviderTable]
    """`[providers.NAME]` of `config.toml`."""
    complaints: tuple[str, ...]
    """A line for each part of the files that means nothing."""
    stamps: tuple[Stamp, ...] = field(repr=False)
    """What the files looked like when they were read."""

    @property
    def allows_loopback_origins(self) -> bool:
        """Whether pages of this machine may ask without being named."""
        return _NO_ORIGINS not in self.allowed_origins

    @property
    def loses_events(self) -> bool:
        """Whether events are wanted, and what is at their path cannot take them."""
        return _Values(self.environ).switch("EVENTS", default=True) and _is_odd(self.events_path)

    @property
    def root_url(self) -> str:
        """Where this machine reaches the gateway: `http://127.0.0.1:11343`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def base_url(self, provider: Provider) -> str | None:
        """Return what replaces the provider's own base URL, without a trailing slash, or None if nothing does."""
        return unquoted(self.environ.get(base_url_variable(provider), "")).rstrip("/") or None

    def free_models(self, provider: Provider) -> frozenset[str] | None:
        """Return the ids that the user counts as free at this provider, or None if the package decides."""
        for name in (f"{variable_stem(provider.name)}{FREE_MODELS}", *provider.free_models_variables):
            if listed := _split(self.environ.get(name, "")):
                return frozenset(listed)
        return None


def base_url_variable(provider: Provider) -> str:
    """The variable that replaces the provider's base URL."""
    return f"{variable_stem(provider.name)}{_BASE_URL}"


def quiet_variable(environ: Mapping[str, str]) -> str | None:
    """Return the variable, of those that all tools share, that asks for no telemetry, or None if no variable does."""
    for name in ("DO_NOT_TRACK", "CI"):
        if environ.get(name, "").strip().lower() not in _FALSE | {""}:
            return name
    return None


def load_settings(environ: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Return the settings as they are now, and make the home folder. Raise `SettingsError` if one cannot be used.

    A flag is a setting's name without prefix, in lower case (`connect_timeout=5`). None stands for a flag that is not given.
    """
    above_files = dict(os.environ if environ is None else environ)
    above_files |= {PREFIX + name.upper(): as_text(value) for name, value in flags.items() if value is not None}
    return _load(MappingProxyType(above_files))


class SettingsWatch:
    """Tells when `.env` or `config.toml` has changed. Flags and the OS environment stay as they were at the start."""

    def __init__(self, settings: Settings) -> None:
        self._above_files = settings.above_files
        self._home = settings.home
        self._stamps = settings.stamps

    def changed(self) -> Settings | None:
        """Return the new settings once for each change, or None without one. Raise `SettingsError` if they cannot be used."""
        stamps = stamps_of(self._home)
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        return _load(self._above_files)


def _load(above_files: Mapping[str, str]) -> Settings:
    home = make_home(above_files)
    check_ownership(home)
    stamps = stamps_of(home)  # before the reading: a change in between is seen by the next look
    files = read_files(home)
    tables = read_tables(home / "config.toml", files.tables, files.complaints)
    environ = MappingProxyType({**files.values, **above_files})
    values = _Values(environ)
    for name in environ:
        if name.startswith(PREFIX) and name.endswith(_BASE_URL):
            check_url(name, environ[name])
    events_path = values.path("EVENTS_PATH", home / "events.jsonl")
    return Settings(
        home=home,
        providers=tuple(dict.fromkeys(name.lower() for name in values.names("PROVIDERS"))) or None,
        host=values.text("HOST") or "127.0.0.1",
        port=values.port("PORT", 11343),
        connect_timeout=values.seconds("CONNECT_TIMEOUT", 5.0),
        first_byte_timeout=values.seconds_if_set("FIRST_BYTE_TIMEOUT"),
        answer_timeout=values.seconds("ANSWER_TIMEOUT", 300.0),
        idle_timeout=values.seconds("IDLE_TIMEOUT", 120.0),
        total_timeout=values.seconds("TOTAL_TIMEOUT", 300.0),
        hedge=values.seconds_unless_auto("HEDGE"),
        quota=values.one_of("QUOTA", ("on", "watch", "off")),
        patience=values.seconds_or_none("PATIENCE", 30.0),
        max_body=values.byte_count("MAX_BODY", 32 * _MIB),
        max_buffered=values.byte_count("MAX_BUFFERED", 256 * _MIB),
        max_connections=values.count("MAX_CONNECTIONS", 2048),
        token=values.token("TOKEN"),
        allowed_hosts=frozenset(name.lower() for name in values.names("ALLOWED_HOSTS")),
        allowed_origins=frozenset(name.lower().rstrip("/") for name in values.names("ALLOWED_ORIGINS")),
        aliases=read_aliases(home),
        stamp_body=values.switch("STAMP_BODY", default=True),
        state=values.text("STATE") or "sqlite:",
        events=values.switch("EVENTS", default=True) and not _is_odd(events_path),
        events_path=events_path,
        telemetry=values.switch("TELEMETRY", default=True) and quiet_variable(environ) is None,
        telemetry_endpoint=values.text("TELEMETRY_ENDPOINT") or TELEMETRY_ENDPOINT,
        environ=environ,
        above_files=above_files,
        origins={name: path for name, path in files.origins.items() if name not in above_files},
        provider_tables=MappingProxyType(tables),
        complaints=tuple(files.complaints),
        stamps=stamps,
    )


class _Values:
    """Reads values out of the merged environment, each in its form."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        return unquoted(self._environ.get(PREFIX + name, ""))

    def names(self, name: str) -> tuple[str, ...]:
        return _split(self.text(name))

    def path(self, name: str, default: Path) -> Path:
        return as_path(PREFIX + name, self.text(name)) if self.text(name) else default

    def seconds(self, name: str, default: float) -> float:
        return default if (seconds := self.seconds_if_set(name)) is None else seconds

    def seconds_if_set(self, name: str) -> float | None:
        text = self.text(name)
        if not text:
            return None
        with contextlib.suppress(ValueError):
            seconds = float(text)
            if math.isfinite(seconds) and seconds > 0:
                return seconds
        raise SettingsError(PREFIX + name, "a number of seconds above 0", "write for example 5 or 2.5")

    def seconds_unless_auto(self, name: str) -> float | None:
        text = self.text(name).lower()
        if text in ("", "auto"):
            return None
        with contextlib.suppress(ValueError):
            seconds = float(text)
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
        raise SettingsError(PREFIX + name, "a number of seconds", "write `auto`, 0 for never, or for example 5")

    def seconds_or_none(self, name: str, default: float) -> float:
        """0 is allowed."""
        text = self.text(name)
        if not text:
            return default
        with contextlib.suppress(ValueError):
            seconds = float(text)
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
        raise SettingsError(PREFIX + name, "a number of seconds", "write 0 for never, or for example 30")

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        """The first is the default."""
        text = self.text(name).lower() or choices[0]
        if text in choices:
            return text
        raise SettingsError(PREFIX + name, "known", f"write {', '.join(choices[:-1])} or {choices[-1]}")

    def byte_count(self, name: str, default: int) -> int:
        if (number := self._whole(name, default)) is not None:
            return number
        raise SettingsError(PREFIX + name, "a number of bytes above 0", "write for example 1048576 for 1 MiB")

    def count(self, name: str, default: int) -> int:
        if (number := self._whole(name, default)) is not None:
            return number
        raise SettingsError(PREFIX + name, "a whole number above 0", f"write for example {default}")

    def port(self, name: str, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536:
            return int(text)
        raise SettingsError(PREFIX + name, "a port", f"write a number from 1 to 65535, for example {default}")

    def _whole(self, name: str, default: int) -> int | None:
        """Return the number, or None if the text is not a whole number above 0."""
        text = self.text(name)
        if not text:
            return default
        return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS and int(text) > 0 else None

    def switch(self, name: str, *, default: bool) -> bool:
        text = self.text(name).lower()
        if not text:
            return default
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise SettingsError(PREFIX + name, "a switch", "write 1 or 0")

    def token(self, name: str) -> str | None:
        text = self.text(name)
        if text and not all("!" <= letter <= "~" for letter in text):
            raise SettingsError(PREFIX + name, "a token", "use ASCII letters, digits and signs, without white space")
        return text or None


def check_url(name: str, value: str) -> None:
    """Raise `SettingsError` if the value of this setting is not a base URL. An empty one stands for the default."""
    text = unquoted(value)
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        is_plain = not (parts.query or parts.fragment or parts.username is not None)
        if not text or (parts.scheme in {"http", "https"} and parts.hostname and is_plain and parts.port != 0):
            return
    raise SettingsError(
        name,
        "a base URL",
        "write scheme, host and path, such as https://host/v1, without user name, query or fragment",
    )


def _is_odd(path: Path) -> bool:
    """Whether something is there that is not a regular file: a pipe without a reader would hold up its writer."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _split(text: str) -> tuple[str, ...]:
    """The members of a comma list, or of a JSON array of texts."""
    text = unquoted(text)
    items: Iterable[Any] = text.split(",")
    if text.startswith("["):
        with contextlib.suppress(ValueError):
            items = json.loads(text)
    return tuple(stripped for item in items if isinstance(item, str) and (stripped := unquoted(item)))
