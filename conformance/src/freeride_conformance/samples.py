"""A binder's `samples.toml`: configurations before and after it has bound them, and texts that it must refuse."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import msgspec

FILE = "samples.toml"


class SampleTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Sample(SampleTable, frozen=True, kw_only=True):
    """What binding to `http://127.0.0.1:11343` with the key `freeride-local` and the model `auto` makes of a configuration."""

    name: str
    before: str | None = None
    """None if there is no file yet."""
    after: str
    asks_elsewhere: dict[str, str] = {}
    """The models that the agent then asks for past the gateway, by the settings that say so."""
    gone: tuple[str, ...] = ()
    """Pieces of `before` that would change the meaning of what is written, and so do not stay."""
    shows: tuple[str, ...] = ()
    """The questions, such as `lists`, whose answers it proves."""


class RefusedText(SampleTable, frozen=True, kw_only=True):
    """A text that the binder cannot read and does not touch."""

    name: str
    text: str
    shows: tuple[str, ...] = ()


class StrongerFile(SampleTable, frozen=True, kw_only=True):
    """A file that outranks the one that is edited."""

    file: str
    """How its path ends: a home folder of the agent is another on each system."""
    text: str
    asks_elsewhere: dict[str, str]
    shows: tuple[str, ...] = ()
    """The questions whose answers it proves, besides `stronger`."""


class Answers(SampleTable, frozen=True, kw_only=True):
    """How the agent decides which model it asks. Each answer that does not begin with `None` is proven."""

    files: str
    stronger: str
    variables: str
    agents: str
    lists: str
    versions: str
    namesake: str
    retired: str
    requests: str
    source: str
    """What was read or run, with its version."""
    checked: str


class Samples(SampleTable, frozen=True, kw_only=True):
    """All of one binder."""

    samples: tuple[Sample, ...] = msgspec.field(default=(), name="sample")
    refused: tuple[RefusedText, ...] = ()
    stronger: tuple[StrongerFile, ...] = ()
    answers: Answers | None = None
    merged: tuple[str, ...] = ()
    """Files below the home folder that the agent merges, the weakest first. Empty if it reads one."""
    user_agents: tuple[str, ...] = ()
    """The User-Agent headers that the agent was seen to send."""
    version_member: str = ""
    """What names the layout of the file, such as `$version`."""


class SamplesError(ValueError):
    """The samples cannot be read; the text says why."""


def parse_samples(text: str, place: str = FILE) -> Samples:
    """The samples in a text; `place` is what mistakes are reported under."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
        return msgspec.convert(table, Samples)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SamplesError(f"{place}: {error}") from None


def installed_samples(package: str) -> Samples:
    """Those that an installed package ships."""
    place = f"{package}/{FILE}"
    try:
        text = (resources.files(package) / FILE).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SamplesError(f"{place}: cannot be read: {error}") from None
    return parse_samples(text, place)
