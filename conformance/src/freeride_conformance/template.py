"""The one template of every plugin package: what `freeride new` writes, and what the packages of this repository are held to."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement

from freeride_conformance.readme import MARKER, binder_head, provider_head
from freeride_conformance.samples import Samples, installed_samples, parse_samples
from freeride_core import API_VERSION, Binder, Provider, __version__
from freeride_core.plugins.discovery import Kind

KINDS: tuple[Kind, ...] = ("provider", "binder")
EXTRAS: Mapping[str, tuple[str, ...]] = {"provider": (), "binder": ("yaml",)}
"""The extras of the core that a new package depends on."""
_HOLE = re.compile(r"«(\w+)»")
_CHOICE = re.compile(r"^«(key|no key)\|»(.*\n)", re.MULTILINE)
"""A line that is there only with, or only without, a key."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """The facts of one package that the template asks for."""

    kind: Kind
    name: str
    """The one string: entry point, settings, folder."""
    title: str
    """What people call it."""
    version: str = "0.1.0"
    extras: tuple[str, ...] = ()
    """Of the core, such as `yaml`."""
    needs: tuple[str, ...] = ()
    """Requirements besides the core."""
    keyless: bool = False
    """A provider whose upstream wants no key."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """What it adds to `freeride`: targets by name."""
    status: Mapping[str, str] = field(default_factory=dict)
    """What it adds to `freeride status`, in the same form."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """Programs of its own, in the same form."""

    @property
    def distribution(self) -> str:
        return f"freeride-{self.kind}-{self.name}"

    @property
    def module(self) -> str:
        return f"freeride_{self.kind}_{self.name}"

    @property
    def folder(self) -> str:
        """Below the package's own root: where its module is."""
        return f"src/{self.module}"


def shared_files(package: Package) -> dict[str, str]:
    """What every package has in these very words, the workspace's members too: texts by path below the package's root."""
    return {
        "pyproject.toml": _fill("pyproject.toml", package),
        f"{package.folder}/py.typed": "",
        f"tests/test_{package.name}.py": _fill("certifying.py", package),
    }


def new_files(package: Package) -> dict[str, str]:
    """Return a complete package in a repository of its own: texts by path below its root."""
    module = _fill(f"{package.kind}.py", package)
    sample = "simulator.toml" if package.kind == "provider" else "samples.toml"
    samples = parse_samples(_fill(sample, package)) if package.kind == "binder" else None
    shared = shared_files(package)
    return {
        **shared,
        "pyproject.toml": shared["pyproject.toml"] + _fill("standalone.toml", package),
        "README.md": head_of(_run(module), package, samples) + MARKER + _fill(f"{package.kind}.md", package),
        "LICENSE": _fill("license", package),
        ".gitignore": _fill("gitignore", package),
        ".github/workflows/certify.yml": _fill("certify.yml", package),
        f"{package.folder}/__init__.py": module,
        f"{package.folder}/{sample}": _fill(sample, package),
    }


def package_in(root: Path) -> Package:
    """The facts of the package in a folder, as its `pyproject.toml` and the installed plugin state them.

    Raise `ValueError` if it is no package."""
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
        offers = {kind: project["entry-points"].get(f"freeride.{kind}s", {}) for kind in KINDS}
        [(kind, name)] = [(kind, name) for kind in KINDS for name in offers[kind]]
        needs = tuple(need for need in project["dependencies"] if not need.startswith("freeride-core"))
        core = Requirement(next(need for need in project["dependencies"] if need.startswith("freeride-core")))
        version = project["version"]
        commands = project["entry-points"].get("freeride.commands", {})
        status = project["entry-points"].get("freeride.status", {})
    except (OSError, KeyError, StopIteration, ValueError) as error:
        raise ValueError(f"{root} is no package of one plugin: {error}") from None
    plugin = _installed(kind, name)
    title = plugin.about.title if isinstance(plugin, Provider) else plugin.title
    return Package(
        kind=kind,
        name=name,
        title=title,
        version=version,
        extras=tuple(sorted(core.extras)),
        needs=needs,
        commands=commands,
        status=status,
        scripts=project.get("scripts", {}),
    )


def head_of(plugin: Provider | Binder, package: Package, samples: Samples | None) -> str:
    """What the README says above the marker."""
    if isinstance(plugin, Provider):
        return provider_head(plugin, package.distribution)
    return binder_head(plugin, package.distribution, samples.answers if samples else None)


def readme_of(package: Package, text: str) -> str:
    """Return a README with its head rendered again from the installed plugin. Raise `ValueError` if it has no marker."""
    _, marker, by_hand = text.partition(MARKER)
    if not marker:
        raise ValueError(
            f"the README has no line {MARKER.strip()!r}, so it is not known where the handwritten part begins"
        )
    samples = installed_samples(package.module) if package.kind == "binder" else None
    return head_of(_installed(package.kind, package.name), package, samples) + MARKER + by_hand


def bounds() -> str:
    """The versions of FreeRide that a package of today is for."""
    major, minor, _ = __version__.split(".", 2)
    return f">={__version__},<{major}.{int(minor) + 1}"


def _fill(template: str, package: Package) -> str:
    """The template's text with the package's facts in it; one that asks for another fact is a KeyError."""
    text = (resources.files(__package__) / "templates" / f"{template}.template").read_text("utf-8")
    values = _values(package)
    chosen = "no key" if package.keyless else "key"
    text = _CHOICE.sub(lambda line: line[2] if line[1] == chosen else "", text)
    return _HOLE.sub(lambda hole: values[hole[1]], text)


def _values(package: Package) -> dict[str, str]:
    extras = f"[{','.join(package.extras)}]" if package.extras else ""
    needs = (f"freeride-core{extras}{bounds()}", *package.needs)
    today = datetime.datetime.now(datetime.UTC).date()
    descriptions = {
        "provider": f"{package.title} for the FreeRide gateway.",
        "binder": f"Binds {package.title} to the FreeRide gateway.",
    }
    return {
        "kind": package.kind,
        "KIND": package.kind.upper(),
        "name": package.name,
        "NAME": package.name.upper(),
        "Name": "".join(word.capitalize() for word in package.name.split("_")),
        "host": package.name.replace("_", "-"),
        "title": package.title,
        "distribution": package.distribution,
        "package": package.module,
        "version": package.version,
        "description": descriptions[package.kind],
        "dependencies": "\n".join(f'    "{need}",' for need in needs),
        "commands": _table('project.entry-points."freeride.commands"', package.commands),
        "status": _table('project.entry-points."freeride.status"', package.status),
        "scripts": _table("project.scripts", package.scripts),
        "bounds": bounds(),
        "api_version": str(API_VERSION),
        "today": today.isoformat(),
        "year": str(today.year),
        "and_cases": ", and every case of its `simulator.toml`," if package.kind == "provider" else "",
    }


def _table(title: str, targets: Mapping[str, str]) -> str:
    """A table of `pyproject.toml`, after a blank line; nothing where it would be empty."""
    rows = [f'{name} = "{target}"' for name, target in targets.items()]
    return "\n".join(["", f"[{title}]", *rows, ""]) if rows else ""


def _run(source: str) -> Provider | Binder:
    """The plugin of a module that is not installed yet: of a template of ours, and of nothing else."""
    module = ModuleType("freeride_new_plugin")
    exec(compile(source, "<template>", "exec"), vars(module))  # noqa: S102 - see above
    register: Any = vars(module).get("freeride_register_provider") or vars(module)["freeride_register_binder"]
    plugin: Provider | Binder = register()
    return plugin


def _installed(kind: Kind, name: str) -> Provider | Binder:
    from freeride_core.plugins.discovery import PluginError, load_binder, load_provider

    try:
        return load_provider(name) if kind == "provider" else load_binder(name)
    except PluginError as error:
        raise ValueError(str(error)) from None
