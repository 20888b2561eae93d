"""Reading a profile: from the text of a `simulator.toml` to a `Profile` without mistakes."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from freeride_core.simulator.check import mistakes_in
from freeride_core.simulator.profile import Profile, ProfileError


def read_profile(path: Path) -> Profile:
    """The profile in a file. ProfileError: what is wrong, and where."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(str(path), (f"cannot be read: {error}",)) from None
    return parse_profile(text, str(path))


def parse_profile(text: str, place: str = "simulator.toml") -> Profile:
    """The profile in a text; `place` is what mistakes are reported under."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(place, (f"not TOML: {error}",)) from None
    try:
        profile = msgspec.convert(table, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(place, (_with_names(str(error), table),)) from None
    mistakes = tuple(mistakes_in(profile))
    if mistakes:
        raise ProfileError(place, mistakes)
    return profile


def _with_names(message: str, table: dict[str, Any]) -> str:
    """`$.case[3].status` says little to an author: add the name."""
    found = re.search(r"\$\.(case|quota)\[(\d+)\]", message)
    if not found:
        return message
    row = table[found[1]][int(found[2])]
    name = row.get("name") if isinstance(row, dict) else None
    return f"{message} ({found[1]} {name!r})" if name else message


def main(paths: Iterable[str]) -> int:
    """Checks files: one line a mistake. For authors of profiles: `python -P -m freeride_core.simulator.profile_file FILE`."""
    failed = 0
    for path in paths:
        try:
            profile = read_profile(Path(path))
        except ProfileError as error:
            failed = 1
            sys.stdout.write(f"{error}\n")
        else:
            sys.stdout.write(f"{path}: ok, {len(profile.cases)} cases, {len(profile.quotas)} quotas\n")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
