"""Settings that nothing reads: named with the nearest known one, and with the file that they are in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from freeride_core.provider import Provider
from freeride_core.settings.home import PREFIX, variable_stem
from freeride_core.settings.own_providers import variables_of
from freeride_core.settings.resolver import FREE_MODELS, LIMITS, SETTINGS, Settings
from freeride_core.system.spelling import nearest

_OF_OTHERS = frozenset({
    "DO_NOT_TRACK", "CI", "NO_COLOR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
})  # fmt: skip
"""Read by FreeRide or its libraries, and named by others."""
_ELSEWHERE = frozenset({"HOME", "INDEX", "API_KEY", "LOCAL_KEY"})
"""Of the environment alone: read before any file, by the installers, and by agents that `freeride run` starts."""


_NAME = re.compile(r"[A-Z][A-Z0-9]{0,23}(?:_[A-Z0-9]{1,24})*")
"""A variable's name. Any other text before a `=` may be the first part of a key that was pasted alone."""


def unknown_settings(settings: Settings, providers: Mapping[str, Provider]) -> Iterator[str]:
    """Give a line for each setting that nothing reads. Variables of other programs in the environment do not count."""
    own = {PREFIX + name for name in (*SETTINGS, *_ELSEWHERE)}
    for name, provider in providers.items():
        own |= {
            f"{variable_stem(name)}_BASE_URL",
            f"{variable_stem(name)}{FREE_MODELS}",
            f"{variable_stem(name)}{LIMITS}",
            *provider.free_models_variables,
        }
    keys = set().union(*(variables_of(provider) for provider in providers.values()))
    for name in sorted(settings.environ):
        origin = settings.origins.get(name)
        is_ours = name.startswith(PREFIX)
        if name in own or _is_in(name, keys) or name.upper() in _OF_OTHERS or not (is_ours or origin):
            continue
        if not _NAME.fullmatch(name):
            yield f"{origin or 'environment'} has a name that is not known, and is not shown because it could be a key"
            continue
        guess = _nearest(name, own if is_ours else own | keys)
        meant = f"; did you mean {_spelled(guess, origin)}?" if guess else ""
        yield f"{_spelled(name, origin)} is not a known setting ({origin or 'environment'}){meant}"


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """The prefix that all of ours have makes none of them alike."""
    by_end = {each.removeprefix(PREFIX): each for each in known}
    found = nearest(name.removeprefix(PREFIX), by_end)
    return None if found is None else by_end[found]


def _is_in(name: str, keys: Iterable[str]) -> bool:
    """Whether it is one of these, or one of these with a number."""
    return re.sub(r"_\d+$", "", name) in keys or name in keys


def _spelled(name: str, origin: Path | None) -> str:
    """Return the setting's name as that file has it, or would have it."""
    is_short = origin is not None and origin.suffix == ".toml" and name.startswith(PREFIX)
    return name.removeprefix(PREFIX).lower() if is_short else name
