"""Markdown files that describe an agent, a mode or a command of an agent's, and may give it a model of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from freeride_core.binding.files import BindingError, read_configuration

_MOST = 200
"""Files of one folder that are looked at."""
_MODEL = re.compile(r"""model\s*:\s*(?P<quote>["']?)(?P<model>[^\s"'#][^"'#]*?)(?P=quote)\s*(?:\s#.*)?""")
_FENCE = "---"


def models_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files below a folder that name a model in their front matter, each with that. What cannot be read is passed over."""
    for path in sorted(islice(folder.rglob("*.md"), _MOST)):
        try:
            text = (read_configuration(path) or b"").decode()
        except (BindingError, UnicodeDecodeError):
            continue
        if (model := front_matter_model(text)) is not None:
            yield path, model


def front_matter_model(text: str) -> str | None:
    """Return what `model` says between the lines of dashes that a file begins with, or None if it says nothing there."""
    first, *lines = text.removeprefix("\ufeff").splitlines() or [""]
    if first.rstrip() != _FENCE:
        return None
    for line in lines:
        if line.rstrip() == _FENCE:
            return None
        if (found := _MODEL.fullmatch(line)) is not None:
            return found["model"]
    return None
