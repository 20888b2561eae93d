"""The distributions as users get them, for tests that install them: built once a session, from here and from nowhere else.

Nothing here needs a network or a cache: what the distributions depend on is packed again from where the tests run.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterable
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from freeride_core import __version__
from programs import clean_environ, run
from repository import ROOT

PROVIDERS, BINDERS = (
    sorted(file.parent.name for file in (ROOT / folder).glob("*/pyproject.toml"))
    for folder in ("freeride_providers", "freeride_binders")
)
MEMBERS = [
    "freeride_core",
    "freeride_conformance",
    *(f"freeride_provider_{name}" for name in PROVIDERS),
    *(f"freeride_binder_{name}" for name in BINDERS),
]
UV = (sys.executable, "-m", "uv")


@pytest.fixture(scope="session")
def uv(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Runs uv without network, settings, or anybody's cache."""
    environ = clean_environ(
        tmp_path_factory.mktemp("uv-home"),
        {"UV_CACHE_DIR": str(tmp_path_factory.mktemp("uv-cache")), "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"},
    )

    def uv(*arguments: str | Path, **more: str) -> None:
        result = run([*UV, *arguments], environ | more, cwd=ROOT, timeout_s=600)
        assert result.returncode == 0, result.stderr

    return uv


@pytest.fixture(scope="session")
def dist(uv: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheels of all members and of the root."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--all-packages", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder)
    return folder


@pytest.fixture(scope="session")
def sources(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """The options that let uv take everything from two folders, and nothing from anywhere else."""
    folder = tmp_path_factory.mktemp("third-party")
    found = [*dependencies("freeride-gateway"), *dependencies("freeride-conformance")]
    for distribution in {each.name: each for each in found}.values():
        if not distribution.name.startswith("freeride-"):
            pack(distribution, folder)
    return ["--no-index", "--find-links", dist, "--find-links", folder]


def dependencies(name: str) -> Iterable[metadata.Distribution]:
    """All that a distribution needs here, itself left out."""
    found: dict[tuple[str, str], metadata.Distribution] = {}
    waiting = [(name, "")]
    while waiting:
        wanting, extra = waiting.pop()
        for text in metadata.requires(wanting) or ():
            requirement = Requirement(text)
            key = canonicalize_name(requirement.name)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            for each in ((key, wanted) for wanted in ("", *requirement.extras)):
                if each not in found:
                    found[each] = metadata.distribution(key)
                    waiting.append(each)
    return found.values()


def pack(distribution: metadata.Distribution, folder: Path) -> None:
    """Makes a wheel of an installed distribution."""
    tags = HeaderParser().parsestr(distribution.read_text("WHEEL") or "").get_all("Tag") or []
    joined = (".".join(dict.fromkeys(parts)) for parts in zip(*(tag.split("-") for tag in tags), strict=True))
    stem = f"{canonicalize_name(distribution.name).replace('-', '_')}-{distribution.version}"
    record = io.StringIO()
    rows = csv.writer(record)
    with zipfile.ZipFile(folder / f"{stem}-{'-'.join(joined)}.whl", "w") as wheel:
        for file in distribution.files or ():
            # Scripts are outside, and made again by the installer, which also writes its own notes.
            if ".." in file.parts or file.suffix == ".pyc" or file.name in {"INSTALLER", "REQUESTED", "uv_cache.json"}:
                continue
            if file.name == "RECORD":
                record_name = str(file)
                continue
            wheel.write(Path(str(file.locate())), str(file))
            rows.writerow([str(file), "", ""])
        rows.writerow([record_name, "", ""])
        wheel.writestr(record_name, record.getvalue())


class Site:
    """An environment that held nothing, and what was installed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        binaries = folder / ("Scripts" if sys.platform == "win32" else "bin")
        self.python = binaries / "python"
        self.freeride = binaries / "freeride"
        self.environ = clean_environ(folder / "home")

    def plugins(self) -> list[dict[str, Any]]:
        result = run([self.freeride, "plugins", "--json"], self.environ)
        assert result.returncode == 0, result.stderr
        rows = json.loads(result.stdout)
        assert all(row["version"] == __version__ and row["status"] == "ok" for row in rows), rows
        return list(rows)


@pytest.fixture(scope="session")
def make_site(
    uv: Callable[..., None], sources: list[str | Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Site]:
    """Makes an environment of its own with one distribution and what that needs."""

    def make_site(distribution: str) -> Site:
        folder = tmp_path_factory.mktemp("site")
        uv("venv", "--quiet", "--python", sys.executable, folder / "venv")
        site = Site(folder / "venv")
        uv("pip", "install", "--quiet", "--python", site.python, *sources, distribution)
        return site

    return make_site
