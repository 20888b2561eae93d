"""What can be used and is probably not what the user means."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from freeride_core.provider import Provider
from freeride_core.settings.home import PREFIX
from freeride_core.settings.resolver import Settings, base_url_variable
from freeride_core.settings.unknown import unknown_settings
from freeride_core.system.loopback import is_loopback
from freeride_core.system.spelling import suggestion

_SHORTEST_TOKEN = 16


def check_settings(settings: Settings, installed: Mapping[str, Provider]) -> tuple[str, ...]:
    """One line for each setting that can be used and is probably not what the user means."""
    unknown = [name for name in settings.providers or () if name not in installed]
    warnings = [
        f"{PREFIX}PROVIDERS names {name!r}, which is not installed; {suggestion(name, installed)}"
        f"installed: {', '.join(installed) or 'none'}"
        for name in unknown
    ]
    if settings.max_buffered < settings.max_body:
        warnings.append(
            f"{PREFIX}MAX_BUFFERED is below {PREFIX}MAX_BODY: a request larger than {settings.max_buffered} bytes is always refused"
        )
    warnings += [
        f"{base_url_variable(provider)} is http: keys and prompts travel unencrypted"
        for provider in installed.values()
        if _is_in_the_open(settings.base_url(provider))
    ]
    if settings.token is not None and len(settings.token) < _SHORTEST_TOKEN:
        warnings.append(
            f"{PREFIX}TOKEN has fewer than {_SHORTEST_TOKEN} characters and can be guessed: use a longer one, such as 32 "
            "random letters"
        )
    if settings.loses_events:
        warnings.append(
            f"events are off, because {settings.events_path} is not a regular file: set {PREFIX}EVENTS_PATH to another path"
        )
    return (*settings.complaints, *unknown_settings(settings, installed), *warnings)


def _is_in_the_open(url: str | None) -> bool:
    """Whether what is sent there crosses a network unencrypted."""
    parts = urlsplit(url or "")
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
