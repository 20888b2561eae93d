"""Binds Acme Code to the FreeRide gateway."""

from __future__ import annotations

import re
from pathlib import Path

from freeride_core import Binder, Endpoint, OtherModel, Place, Unreadable, hookimpl

_LINE = re.compile(r"\s*(?:(?P<name>[a-z_]+)[ \t]*=[ \t]*(?P<value>.*?))?\s*(?:#.*)?\s*")
"""A setting, a comment, both, or nothing."""


class AcmeCodeBinder(Binder):
    """Writes `settings.conf`: a setting a line, and of a name that is there twice the last counts."""

    api_version = 1
    name = "acmecode"
    title = "Acme Code"
    homepage = "https://acme.example/code"
    scopes = (Place.HOME, Place.PROJECT)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        return (cwd if scope is Place.PROJECT else home) / ".acmecode" / "settings.conf"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        wanted = {"base_url": endpoint.openai, "api_key": endpoint.key, "model": endpoint.model}
        lines = (text or "").splitlines(keepends=True)
        places = {found["name"]: index for index, found in enumerate(map(_parsed, lines))}
        end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
        for name, value in wanted.items():
            if name not in places:
                if lines and not lines[-1].endswith("\n"):
                    lines[-1] += end
                lines.append(f"{name} = {value}{end}")
            else:
                line = lines[places[name]]
                start, stop = _parsed(line).span("value")
                lines[places[name]] = line[:start] + value + line[stop:]
        return "".join(lines)

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        settings = {found["name"]: found["value"] for found in map(_parsed, text.splitlines())}
        is_bound = settings.get("base_url") == endpoint.openai
        return (settings["model"],) if is_bound and settings.get("model") else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        settings = {found["name"]: found["value"] for found in map(_parsed, text.splitlines())}
        is_elsewhere = settings.get("base_url") != endpoint.openai and "model" in settings
        return (OtherModel("model", settings["model"]),) if is_elsewhere else ()


def _parsed(line: str) -> re.Match[str]:
    """A line, with the name and the value of its setting if it has one."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise Unreadable(f"a line is neither a setting nor a comment: {line.strip()[:40]!r}")
    return found


@hookimpl
def freeride_register_binder() -> Binder:
    return AcmeCodeBinder()
