"""What is pulled onto a user's machine, and that it is what is declared. It asks no index, so it knows no vulnerabilities: it
makes sure that nothing comes in unseen."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repository import ROOT

PROJECTS = sorted(
    path
    for pattern in ("pyproject.toml", "*/pyproject.toml", "freeride_*/*/pyproject.toml")
    for path in ROOT.glob(pattern)
)

CLOSURE = {
    "annotated-doc": "MIT",
    "annotated-types": "MIT",
    "anyio": "MIT",
    "certifi": "MPL",
    "click": "BSD",
    "colorama": "BSD",
    "h11": "MIT",
    "httpcore": "BSD",
    "httptools": "MIT",
    "httpx": "BSD",
    "idna": "BSD",
    "markdown-it-py": "MIT",
    "mdurl": "MIT",
    "msgspec": "BSD",
    "pluggy": "MIT",
    "pydantic": "MIT",
    "pydantic-core": "MIT",
    "pygments": "BSD",
    "python-dotenv": "BSD",
    "rich": "MIT",
    "ruamel-yaml": "MIT",
    "shellingham": "ISC",
    "sniffio": "MIT",
    "socksio": "MIT",
    "stevedore": "Apache",
    "tomlkit": "MIT",
    "typer": "MIT",
    "typing-extensions": "PSF",
    "typing-inspection": "MIT",
    "tzdata": "Apache",
    "uvicorn": "BSD",
    "uvloop": "MIT",
}
"""All that `freeride-gateway` brings along, on any system, with its licence's family. Something new is looked at, then added."""
BY_DATE = {"tzdata", "packaging"}
"""Versions that are dates: an upper bound would only be a day on which installing stops."""
UNIMPORTED = {
    "tzdata": "zoneinfo reads it",
    "sniffio": "httpcore looks it up",
    "h11": "httpcore brings it; the floor excludes a published fault",
    "idna": "httpx brings it; likewise",
    "pygments": "rich brings it; likewise",
}
FAULTY = {
    "python-dotenv": ("1.2.1", "CVE-2026-28684: `set_key` follows a link"),
    "h11": ("0.15.0", "CVE-2025-43859: a malformed chunk is accepted"),
    "idna": ("3.14", "CVE-2026-45409: a long name takes minutes"),
    "pygments": ("2.19.2", "CVE-2026-4539: a regular expression takes minutes"),
}
"""The last version with a published fault, as of December 2026; what is installed must be newer."""
SYSTEMS = (
    {"sys_platform": "linux", "platform_system": "Linux"},
    {"sys_platform": "win32", "platform_system": "Windows"},
)
PYTHONS = (
    {"python_version": "3.11", "python_full_version": "3.11.0"},
    {"python_version": "3.14", "python_full_version": "3.14.0"},
)

each_project = pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def declared(path: Path) -> list[Requirement]:
    project = read(path)["project"]
    extras = [text for extra in project.get("optional-dependencies", {}).values() for text in extra]
    return [Requirement(text) for text in [*project["dependencies"], *extras]]


def test_there_is_a_project_to_look_at() -> None:
    assert len(PROJECTS) >= 11


@each_project
def test_a_dependency_has_a_lower_and_an_upper_bound(path: Path) -> None:
    project = read(path)
    groups = [text for group in project.get("dependency-groups", {}).values() for text in group]
    for text in [*map(str, declared(path)), *groups, *project["build-system"]["requires"]]:
        requirement = Requirement(text)
        signs = {specifier.operator for specifier in requirement.specifier}
        assert requirement.url is None
        if requirement.name.startswith("freeride-") and text in groups:
            continue  # of this very workspace
        assert signs & {">=", "=="}, f"{text} may be as old as it likes"
        assert signs & {"<", "=="} or requirement.name in BY_DATE, f"{text} may be as new as it likes"


def wanted_by(requires: list[str], extra: str) -> Iterator[tuple[str, str]]:
    """Names, each with each extra that is wanted of it, on any system and any Python that is supported."""
    for requirement in map(Requirement, requires):
        here = [{**system, **python, "extra": extra} for system, python in product(SYSTEMS, PYTHONS)]
        if requirement.marker is None or any(map(requirement.marker.evaluate, here)):
            yield from ((canonicalize_name(requirement.name), each) for each in ("", *requirement.extras))


def closure() -> dict[str, str]:
    """What is brought along, and what its package says about its licence; nothing, of what is for another system."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    left: list[tuple[str, str]] = [(canonicalize_name(item.name), "") for item in declared(ROOT / "pyproject.toml")]
    while left:
        name, extra = left.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            found[name] = ""
            continue
        said = installed.metadata
        words = [
            word for field in ("License-Expression", "License", "Classifier") for word in said.get_all(field) or []
        ]
        found[name] = "\n".join(words)
        left += wanted_by(installed.requires or [], extra)
    return {name: licence for name, licence in found.items() if not name.startswith("freeride-")}


def test_what_comes_along_is_known_and_so_is_its_licence() -> None:
    found = closure()
    assert found.keys() == CLOSURE.keys(), "look at what is new, at its licence and its keepers"
    for name, licence in found.items():
        assert re.search(rf"\b{CLOSURE[name]}\b", licence) or not licence, f"{name} has another licence than it had"
    assert sum(not licence for licence in found.values()) <= 2, "what is not installed cannot be looked at"


def imported(folder: Path) -> set[str]:
    """Top-level names that the package in this folder imports anywhere, but for Python's own."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {package.name for package in folder.iterdir()}


@cache
def owners_of_modules() -> Mapping[str, list[str]]:
    return packages_distributions()


@pytest.mark.parametrize(
    "path", [path for path in PROJECTS if (path.parent / "src").is_dir()], ids=lambda path: path.parent.name
)
def test_what_is_imported_is_declared_and_what_is_declared_is_imported(path: Path) -> None:
    owners = owners_of_modules()
    used = {
        canonicalize_name(owners[name][0]) if name in owners else name.replace("_", "-")
        for name in imported(path.parent / "src")
    }
    own = {canonicalize_name(requirement.name) for requirement in declared(path)}
    assert used - own == set(), "it works only as long as somebody else needs it too"
    assert own - used <= UNIMPORTED.keys(), "nobody needs it"


@pytest.mark.parametrize(("name", "version"), [(name, version) for name, (version, _) in FAULTY.items()])
def test_no_version_with_a_published_fault_can_be_installed(name: str, version: str) -> None:
    project = tomllib.loads((ROOT / "freeride_core" / "pyproject.toml").read_text("utf-8"))["project"]
    [requirement] = [each for text in project["dependencies"] if (each := Requirement(text)).name == name]
    assert version not in requirement.specifier
    assert distribution(name).version in requirement.specifier


def test_no_file_names_the_host_of_a_package_index() -> None:
    hosts = re.compile(r"(?:pypi|pythonhosted|npmjs)\.(?:org|com)")
    listed = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=False).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    assert [str(path) for path in paths if path.is_file() and hosts.search(path.read_text("utf-8", "replace"))] == []
