"""A job of three turns for an agent, and the model that does it by the tools that the agent offers: read, write, say so."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freeride_core.simulator.model import Saying

FILE = "settings.txt"
PROMPT = f"Please change the colour in {FILE} to violet."
COLOURS = ("green", "amber", "indigo", "violet")
"""From the file's first to its last. A model without tools needs a turn for each step."""
SAID = "FREERIDE_JOB_DONE: the colour is violet now."
TURNS = 3
_READERS = ("read", "readfile", "readfiles")
_WRITERS = ("write", "writefile", "editor")
_ABORTED = re.compile("abort|interrupt|cancel", re.IGNORECASE)
"""What agents keep as the result of a call that was cut."""
_PATH = re.compile(r"(file|absolute)?_?path", re.IGNORECASE)


def content_of(colour: str) -> str:
    return f"colour = {colour}\n"


@dataclass(frozen=True)
class JobModel:
    """What a model says to each request of an agent that works in this folder."""

    folder: Path

    def __call__(self, request: Mapping[str, Any]) -> Saying:
        tools = {row["function"]["name"]: row["function"].get("parameters", {}) for row in request.get("tools") or ()}
        messages = request["messages"]
        if not tools:
            return Saying(self._listing(json.dumps(messages)))
        if not is_turn(request, has_tools=True):
            return Saying("There is nothing to add.")
        results = [json.dumps(message["content"]) for message in messages if message["role"] == "tool"]
        done = sum(not _ABORTED.search(result) for result in results)
        if done >= TURNS - 1:
            return Saying(SAID)
        name = _find(tools, _WRITERS if done else _READERS)
        return Saying(tool=name, arguments=json.dumps(self._arguments(tools[name])))

    def _listing(self, heard: str) -> str:
        """The file with the colour that follows the latest of which the agent has spoken."""
        known = max(
            number for number, colour in enumerate(COLOURS) if number == 0 or content_of(colour).strip() in heard
        )
        colour = COLOURS[min(known + 1, len(COLOURS) - 1)]
        end = SAID if colour == COLOURS[-1] else "That is one step."
        return f"{FILE}\n```\n{content_of(colour)}```\n\n{end}"

    def _arguments(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """All that a tool needs, and all that the job knows by its name."""
        properties = schema.get("properties", {})
        needed = schema.get("required", ())
        found = {name: self._value(name, kind, is_needed=name in needed) for name, kind in properties.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _value(self, name: str, schema: Mapping[str, Any], *, is_needed: bool) -> Any:
        if _PATH.fullmatch(name):
            return str(self.folder / FILE)
        if name in ("content", "new_text"):
            return content_of(COLOURS[-1])
        if name == "old_text":
            return content_of(COLOURS[0])
        if not is_needed:
            return None
        assert name == "files", f"the job does not know what the tool means by {name}: {schema}"
        return [self._arguments(schema["items"])]


def is_turn(request: Mapping[str, Any], *, has_tools: bool) -> bool:
    """Whether a request is a turn of the job, and not one for a title or for what comes after it."""
    messages = request["messages"]
    asked = any(message["role"] == "user" and PROMPT in json.dumps(message["content"]) for message in messages)
    return asked and has_tools == bool(request.get("tools")) and SAID not in json.dumps(messages)


def _find(tools: Mapping[str, Any], wanted: Sequence[str]) -> str:
    plain = {name.lower().replace("_", ""): name for name in tools}
    return next(plain[name] for name in wanted if name in plain)
