"""Binds Gemini CLI to the FreeRide gateway."""

from __future__ import annotations

import re
from pathlib import Path

from freeride_core import Binder, ClientProtocol, Endpoint, OtherModel, Place, Unreadable, hookimpl

_LINE = re.compile(
    r"(?:[ \t]*+(?:export[ \t]++)?(?P<name>[A-Za-z_]\w*+)[ \t]*+=[ \t]*+"
    r"(?P<value>(?:[^ \t#\r\n]++|\r(?!\n)|[ \t]++(?!#|\r?\n|\Z))*+))?[ \t]*+(?:#.*)?(?:\r?\n)?"
)
"""A variable, a comment, or nothing."""
_AUTO = "freeride/auto"
"""The gateway's other word for `auto`, which this agent keeps for a choice of its own."""


_ELSEWHERE = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA")
"""Each chooses another sign-in, with an address of its own."""


class GeminiBinder(Binder):
    """Sets variables in its own `.env`. Read in @google/gemini-cli 0.61.0, 2026-11-23."""

    api_version = 1
    name = "gemini"
    title = "Gemini CLI"
    homepage = "https://geminicli.com"
    needs = ClientProtocol.GENERATE_CONTENT
    programs = ("gemini",)
    moved_by = (("GEMINI_CLI_HOME", "."),)
    overruled_by = ("GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY", "GEMINI_MODEL")
    after = "Choose the sign-in with an API key when it asks."

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".gemini" / ".env"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        model = _AUTO if endpoint.model == "auto" else endpoint.model
        wanted = {"GOOGLE_GEMINI_BASE_URL": endpoint.root, "GEMINI_API_KEY": endpoint.key, "GEMINI_MODEL": model}
        lines = (text or "").splitlines(keepends=True)
        places = {found["name"]: index for index, found in enumerate(map(_parsed, lines))}
        gone = {places[name] for name in _ELSEWHERE if name in places}
        lines = [line for index, line in enumerate(lines) if index not in gone]
        places = {found["name"]: index for index, found in enumerate(map(_parsed, lines))}
        end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
        for name, value in wanted.items():
            if name in places:
                line = lines[places[name]]
                start, stop = _parsed(line).span("value")
                lines[places[name]] = line[:start] + value + line[stop:]
                continue
            if lines and not lines[-1].endswith("\n"):
                lines[-1] += end
            lines.append(f"{name}={value}{end}")
        return "".join(lines)

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        values = {
            found["name"]: found["value"].strip("\"'") for found in map(_parsed, text.splitlines()) if found["name"]
        }
        model = values.get("GEMINI_MODEL")
        if values.get("GOOGLE_GEMINI_BASE_URL") != endpoint.root or not model:
            return ()
        return ("auto" if model == _AUTO else model,)

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        values = {
            found["name"]: found["value"].strip("\"'") for found in map(_parsed, text.splitlines()) if found["name"]
        }
        # It reads one `.env`, the nearest: in a project's that says nothing of an address, the usual one counts.
        base = values.get("GOOGLE_GEMINI_BASE_URL", "its usual address")
        others = [OtherModel(name, values[name]) for name in _ELSEWHERE if values.get(name, "false") != "false"]
        return (*([OtherModel("GOOGLE_GEMINI_BASE_URL", base)] if base != endpoint.root else []), *others)

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - they are a project's
        return () if cwd == home else (cwd / ".gemini" / ".env", cwd / ".env")


def _parsed(line: str) -> re.Match[str]:
    """A line, with the name and the value of its variable if it has one."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise Unreadable("a line is neither NAME=VALUE nor a comment")
    return found


@hookimpl
def freeride_register_binder() -> Binder:
    return GeminiBinder()
