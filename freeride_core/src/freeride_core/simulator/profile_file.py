"""Reading a profile: from the text of a `simulator.toml` to a `Profile` without mistakes."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

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
        raise ProfileError(place, tuple(_misfits(table)) or (str(error),)) from None
    mistakes = tuple(mistakes_in(profile))
    if mistakes:
        raise ProfileError(place, mistakes)
    return profile


def _misfits(table: dict[str, Any]) -> Iterator[str]:
    """The first mistake of each value and of each row: msgspec itself stops at the first of all."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(Profile)}
    for name in fields.keys() - table.keys():
        if fields[name].required:
            yield f"Object missing required field `{name}`"
    for name in table.keys() - fields.keys():
        yield f"Object contains unknown field `{name}`"
    for name, value in table.items():
        kind = fields[name].type if name in fields else Any
        rows = value if get_origin(kind) is tuple and isinstance(value, list) else None
        for index, row in enumerate(rows if rows is not None else [value]):
            try:
                msgspec.convert(row, get_args(kind)[0] if rows is not None else kind)
            except msgspec.ValidationError as error:
                at = f"$.{name}" + (f"[{index}]" if rows is not None else "")
                yield _with_name(_placed(str(error), at), name, row)


def _placed(message: str, at: str) -> str:
    """The message of a part, with the part's place in the whole."""
    said, _, below = message.partition(" - at `$")
    return f"{said} - at `{at}{below.removesuffix('`')}`"


def _with_name(message: str, kind: str, row: Any) -> str:
    """`$.case[3].status` says little to an author: add the name."""
    name = row.get("name") if kind in {"case", "quota"} and isinstance(row, dict) else None
    return f"{message} ({kind} {name!r})" if name else message


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
