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
    """None: there is no file yet."""
    after: str


class RefusedText(SampleTable, frozen=True, kw_only=True):
    """A text that the binder cannot read and does not touch."""

    name: str
    text: str


class Samples(SampleTable, frozen=True, kw_only=True):
    """All of one binder."""

    samples: tuple[Sample, ...] = msgspec.field(default=(), name="sample")
    refused: tuple[RefusedText, ...] = ()


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
