"""The specimens as subjects, and as distributions that an interpreter of its own can load."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from freeride_conformance.samples import parse_samples
from freeride_conformance.subject import BinderSubject, Kind, PluginOrigin, ProviderSubject
from freeride_core.simulator import read_profile

SPECIMEN = Path(__file__).with_name("specimen")
sys.path.append(str(SPECIMEN))

import freeride_binder_specimen  # noqa: E402 - it is where the line above says
import freeride_provider_specimen  # noqa: E402

PROFILE = read_profile(SPECIMEN / "freeride_provider_specimen" / "simulator.toml")
SAMPLES = parse_samples((SPECIMEN / "freeride_binder_specimen" / "samples.toml").read_text("utf-8"))


def origin_of(kind: Kind, folder: Path, source: str | None = None) -> PluginOrigin:
    """The origin of a specimen that is installed in `folder`; `source` replaces its module's text."""
    package = f"freeride_{kind}_specimen"
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: freeride-{kind}-specimen\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[freeride.{kind}s]\nspecimen = {package}\n", "utf-8")
    own = (SPECIMEN / package / "__init__.py").read_text("utf-8") if source is None else source
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(own, "utf-8")
    requires = ("freeride-core>=0.5.0,<0.6",)
    return PluginOrigin(kind, "specimen", f"freeride-{kind}-specimen", "1.0", package, requires, (str(folder),))


def source_of(kind: Kind, old: str, new: str) -> str:
    """The specimen's module with one passage replaced."""
    text = (SPECIMEN / f"freeride_{kind}_specimen" / "__init__.py").read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} does not stand in the specimen once"
    return text.replace(old, new)


def provider(origin: PluginOrigin, profile: Any = PROFILE, **changes: Any) -> ProviderSubject:
    """The good provider, with something about it changed."""
    return ProviderSubject(freeride_provider_specimen.make(**changes), profile, origin)


def binder(origin: PluginOrigin, own: Any = None, **samples: Any) -> BinderSubject:
    """The good binder, or another, with its samples or others."""
    found = own or freeride_binder_specimen.SpecimenBinder()
    return BinderSubject(found, SAMPLES.__class__(**{**_fields(SAMPLES), **samples}), origin)


def _fields(samples: Any) -> dict[str, Any]:
    return {name: getattr(samples, name) for name in samples.__struct_fields__}


def renamed(origin: PluginOrigin, **changes: Any) -> PluginOrigin:
    """The origin with something about it changed."""
    return dataclasses.replace(origin, **changes)
