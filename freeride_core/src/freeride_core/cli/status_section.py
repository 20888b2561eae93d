"""What a plugin adds to `freeride status`: an entry point of the group `freeride.status` names a function that gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from freeride_core.cli.terminal import complain
from freeride_core.plugins.entry_point import load_entry_point

STATUS_GROUP = "freeride.status"


@dataclass(frozen=True, slots=True)
class StatusSection:
    """One part of the report. The function gives None if there is nothing to report, such as an agent that is not installed."""

    title: str
    lines: Sequence[tuple[str, str]]
    """For people: a label and a text each."""
    members: Mapping[str, Any]
    """For `--json`, under the entry point's name."""


def read_sections() -> Iterator[tuple[str, StatusSection]]:
    """Give each section with the name of its entry point. One that fails costs a line on stderr."""
    for offer in sorted(entry_points(group=STATUS_GROUP), key=lambda offer: offer.name):
        try:
            read: Any = load_entry_point(offer)
            section = read()
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # SystemExit too: whatever a plugin does is the plugin's fault
            complain(f"The status of {offer.name} cannot be shown: {type(fault).__name__}.")
            continue
        if isinstance(section, StatusSection):
            yield offer.name, section
