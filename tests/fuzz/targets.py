"""All targets by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from fuzz.target import Target

NAMES = ("arrival", "encoding", "request", "messages", "stream", "reading", "listing", "configuration", "binding")


def load_target(name: str) -> Target:
    target: Target = import_module(f"fuzz.{name}").TARGET
    return target


def load_targets() -> Mapping[str, Target]:
    return {name: load_target(name) for name in NAMES}
