"""The record of a binding: what an undo has to know of one file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRecord:
    """What is known of one bound file. It holds no key."""

    binder: str
    path: str
    target: str
    root: str
    """Of the gateway; a name without scheme: an agent's own command chose something else."""
    model: str
    backup: str | None
    """The name of the backup beside the record, or None if there was no file before."""
    mode: int
    before_sha256: str | None
    after_sha256: str
    is_mixed: bool = False
    """The file was changed between two bindings, so the backup lacks that change."""
    folders: tuple[str, ...] = ()
    """Those that were made for the file, the innermost first."""


def write_record(record: BindingRecord) -> bytes:
    """Return the record as the bytes of its file."""
    return json.dumps(asdict(record), indent=1).encode() + b"\n"


def parse_record(content: bytes) -> BindingRecord:
    """The record; what a newer version has added to it is left out. ValueError: it is damaged."""
    members = json.loads(content)
    if not isinstance(members, dict):
        raise ValueError("it is no object")
    known = {field.name: members[field.name] for field in fields(BindingRecord) if field.name in members}
    try:
        return BindingRecord(**{**known, "folders": tuple(known.get("folders", ()))})
    except TypeError as error:
        raise ValueError(str(error)) from None
