"""The plan of the house: one folder a distribution, one string a name, one version everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import freeride_core
from freeride_conformance.render import rendered
from freeride_conformance.template import new_files, package_in, shared_files
from freeride_core.plugins.discovery import load_binder, load_provider
from repository import ROOT

KINDS = {"provider": ROOT / "freeride_providers", "binder": ROOT / "freeride_binders"}
PLUGINS = [
    pytest.param(kind, folder, id=f"{kind}-{folder.name}")
    for kind, parent in KINDS.items()
    for folder in sorted(parent.iterdir())
    if folder.is_dir() and folder.name != "__pycache__"
]


def read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


ROOT_PROJECT = read(ROOT)
MEMBERS = sorted(
    folder
    for pattern in ROOT_PROJECT["tool"]["uv"]["workspace"]["members"]
    for folder in ROOT.glob(pattern)
    if folder.is_dir()
)


def name_of(requirement: str) -> str:
    return re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]


def test_the_root_names_a_member_in_two_places() -> None:
    names = {read(folder)["project"]["name"] for folder in MEMBERS if folder.name != "__pycache__"}
    assert set(ROOT_PROJECT["tool"]["uv"]["sources"]) == names
    dependencies = {name_of(item) for item in ROOT_PROJECT["project"]["dependencies"]}
    assert dependencies == names - {"freeride-conformance"}
    assert "freeride-conformance" in ROOT_PROJECT["dependency-groups"]["dev"]


@pytest.mark.parametrize(("kind", "folder"), PLUGINS)
def test_the_root_has_two_lines_for_a_plugin(kind: str, folder: Path) -> None:
    words = re.compile(rf"freeride[-_]{kind}[-_]{folder.name}\b|freeride_{kind}s/{folder.name}\b")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    lines = [line for line in project.splitlines() if words.search(line)]
    scripts = [line for line in lines if line.split(" = ")[0] in ROOT_PROJECT["project"]["scripts"]]
    assert len(lines) - len(scripts) == 2, lines


def test_there_is_one_version_everywhere() -> None:
    version = freeride_core.__version__
    assert {read(folder)["project"]["version"] for folder in (ROOT, *MEMBERS)} == {version}
    assert all(item.endswith(f"=={version}") for item in ROOT_PROJECT["project"]["dependencies"])
    major, minor, _ = version.split(".")
    bounds = f">={version},<{major}.{int(minor) + 1}"
    for folder in MEMBERS:
        own = [item for item in read(folder)["project"]["dependencies"] if name_of(item).startswith("freeride-")]
        assert all(item.endswith(bounds) for item in own)
        assert ("freeride-core" in map(name_of, own)) == (folder.name != "freeride_core")


def test_core_depends_on_no_plugin() -> None:
    assert not [
        item for item in read(ROOT / "freeride_core")["project"]["dependencies"] if name_of(item).startswith("freeride")
    ]


def test_the_root_carries_all_scripts_of_its_members() -> None:
    scripts: dict[str, str] = {}
    for folder in MEMBERS:
        scripts |= read(folder)["project"].get("scripts", {})
    assert ROOT_PROJECT["project"]["scripts"] == scripts
    assert scripts["freeride"] == "freeride_core.cli:main"


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_member_has_one_flat_typed_package(folder: Path) -> None:
    project = read(folder)
    assert project["build-system"]["build-backend"] == "hatchling.build"
    assert "tool" not in project, "settings of tools are the root's, and a member needs no settings of its build"
    packages = [path for path in (folder / "src").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [package.name for package in packages] == [project["project"]["name"].replace("-", "_")]
    assert (packages[0] / "__init__.py").is_file()
    assert (packages[0] / "py.typed").is_file()
    assert (folder / "README.md").is_file()


@pytest.mark.parametrize("parent", KINDS.values(), ids=lambda parent: parent.name)
def test_a_folder_of_plugins_is_no_package(parent: Path) -> None:
    assert [path.name for path in parent.iterdir() if path.is_file()] == []
    assert all((path / "pyproject.toml").is_file() for path in parent.iterdir() if path.name != "__pycache__")


@pytest.mark.parametrize(("kind", "folder"), PLUGINS)
def test_a_plugin_has_one_name(kind: str, folder: Path) -> None:
    name = folder.name
    project = read(folder)["project"]
    assert project["name"] == f"freeride-{kind}-{name}"
    assert project["entry-points"][f"freeride.{kind}s"] == {name: f"freeride_{kind}_{name}"}
    assert project["entry-points"].keys() <= {f"freeride.{kind}s", "freeride.commands", "freeride.status"}
    plugin = load_provider(name) if kind == "provider" else load_binder(name)
    assert plugin.name == name


@pytest.mark.parametrize(("kind", "folder"), PLUGINS)
def test_a_plugin_is_what_the_template_makes_of_its_facts(kind: str, folder: Path) -> None:
    del kind
    for path, text in rendered(folder, whole=True).items():
        assert path.read_text("utf-8") == text, (
            "run: python -m freeride_conformance.render --whole, see CONTRIBUTING.md"
        )


@pytest.mark.parametrize(("kind", "folder"), PLUGINS)
def test_a_plugin_has_all_that_a_new_package_has_but_what_the_root_has_for_it(kind: str, folder: Path) -> None:
    package = package_in(folder)
    new, samples = new_files(package), f"{package.folder}/samples.toml"
    the_root_has = {"LICENSE", ".gitignore", ".github/workflows/certify.yml"}
    assert {path for path in new if not (folder / path).is_file()} - {samples} == the_root_has
    # And this end of pyproject.toml: the group that installs the suite, and the settings of pytest.
    own_end = new["pyproject.toml"].removeprefix(shared_files(package)["pyproject.toml"])
    assert set(tomllib.loads(own_end)) == {"dependency-groups", "tool"}
    assert set(read(folder)) == {"build-system", "project"}
