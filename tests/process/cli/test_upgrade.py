"""`freeride upgrade`: how an installation is brought up to date."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from distributions import Site
from freeride_core import __version__
from freeride_core.cli.upgrade import how_to_rebuild
from freeride_core.system.upgrade import local_build, source_clone, uninstall_words, upgrade_command
from programs import clean_environ, run
from repository import ROOT
from served_gateway import FREERIDE

INDEX = ""
"""What an installer notes of a distribution that comes from an index."""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Mapping[str, str], bool], Path]:
    """An environment that holds these distributions, each with where it came from, and pip or not."""

    class Found:
        def __init__(self, origin: str) -> None:
            self._origin = origin

        def read_text(self, _: str) -> str | None:
            return self._origin or None

    def installed(origins: Mapping[str, str], has_pip: bool) -> Path:
        def distribution(name: str) -> Found:
            if name not in origins:
                raise metadata.PackageNotFoundError(name)
            return Found(origins[name])

        monkeypatch.setattr(metadata, "distribution", distribution)
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: object() if has_pip else None)
        return tmp_path

    return installed


@pytest.mark.parametrize("name", ["freeride-core", "freeride-gateway"])
def test_by_whatever_installed_it(name: str, installed: Callable[[Mapping[str, str], bool], Path]) -> None:
    prefix = installed({"freeride-core": INDEX, name: INDEX}, True)
    assert upgrade_command() == shlex.join([sys.executable, "-P", "-m", "pip", "install", "--upgrade", name])
    installed({"freeride-core": INDEX, name: INDEX}, False)
    assert upgrade_command() == shlex.join(["uv", "pip", "install", "--python", str(prefix), "--upgrade", name])
    (prefix / "pipx_metadata.json").touch()
    assert upgrade_command() == f"pipx upgrade {prefix.name}"
    assert uninstall_words() == ["pipx", "uninstall", prefix.name]
    (prefix / "uv-receipt.toml").touch()
    assert upgrade_command() == f"uv tool upgrade {prefix.name}"
    assert uninstall_words() == ["uv", "tool", "uninstall", prefix.name]


def test_a_clone_is_told_from_a_folder_that_was_installed_once(
    installed: Callable[[Mapping[str, str], bool], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "clone" / "freeride_core"
    folder.mkdir(parents=True)
    (folder.parent / ".git").mkdir()
    installed({"freeride-core": json.dumps({"url": folder.as_uri(), "dir_info": {"editable": True}})}, True)
    assert source_clone() == folder.parent
    assert upgrade_command() == shlex.join(["git", "-C", str(folder.parent), "pull"])
    installed({"freeride-core": json.dumps({"url": folder.as_uri(), "dir_info": {}})}, True)
    assert source_clone() is None


def test_here_it_shows_git_pull_and_runs_nothing(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path)
    shown = run([*FREERIDE, "upgrade", "--dry-run"], environ)
    pull = f"{shlex.join(['git', '-C', str(ROOT), 'pull'])}\n"
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, pull, "")
    refused = run([*FREERIDE, "upgrade"], environ)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.endswith(pull)


@pytest.mark.skipif(sys.platform == "win32", reason="the installer is a script")
@pytest.mark.parametrize("code", [0, 3])
def test_a_site_runs_its_installer_and_ends_as_that_does(
    make_site: Callable[[str], Site], tmp_path: Path, code: int
) -> None:
    site = make_site("freeride-core")
    programs = tmp_path / "bin"
    programs.mkdir()
    missing = run([site.freeride, "upgrade"], site.environ | {"PATH": str(programs)})
    assert missing.returncode == 1
    assert "FreeRide was installed with uv, which is not on the PATH." in missing.stderr
    installer = programs / "uv"
    installer.write_text(f'#!/bin/sh\necho "$@"\nexit {code}\n')
    installer.chmod(0o755)
    ended = run([site.freeride, "upgrade"], site.environ | {"PATH": str(programs)})
    words = ["pip", "install", "--python", str(site.folder), "--upgrade", "freeride-core"]
    assert (ended.returncode, ended.stdout) == (code, f"{' '.join(words)}\n")
    assert f"running: uv {shlex.join(words)}" in ended.stderr
    assert (f"FreeRide {__version__} is the newest version that uv has found." in ended.stderr) == (code == 0)


RECEIPT = """[tool]
requirements = [{{ name = "freeride-gateway", {source} }}]
entrypoints = [{{ name = "freeride", install-path = "/bin/freeride", from = "freeride-gateway" }}]
"""


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("path = '{dist}/freeride_gateway-0.5.0-py3-none-any.whl'", "{dist}/freeride_gateway-0.5.0-py3-none-any.whl"),
        ("directory = '{dist}'", "{dist}"),
        ("specifier = '>=0.5'", None),
        ("git = 'https://git.example/freeride'", None),
    ],
)
def test_a_receipt_of_uv_tells_a_local_build_from_an_index(
    installed: Callable[[Mapping[str, str], bool], Path], tmp_path: Path, source: str, place: str | None
) -> None:
    dist = tmp_path / "clone" / "dist"
    prefix = installed({"freeride-core": INDEX, "freeride-gateway": INDEX}, False)
    (prefix / "uv-receipt.toml").write_text(RECEIPT.format(source=source.format(dist=dist.as_posix())))
    assert local_build() == (None if place is None else Path(place.format(dist=dist.as_posix())))


def test_pip_and_pipx_note_a_local_build_themselves(
    installed: Callable[[Mapping[str, str], bool], Path], tmp_path: Path
) -> None:
    wheel = tmp_path / "dist" / "freeride_gateway-0.5.0-py3-none-any.whl"
    installed({"freeride-core": INDEX, "freeride-gateway": json.dumps({"url": wheel.as_uri()})}, True)
    assert local_build() == wheel
    installed({"freeride-core": INDEX, "freeride-gateway": json.dumps({"url": "https://index.example/a.whl"})}, True)
    assert local_build() is None


def test_a_local_build_is_told_with_the_commands_of_its_clone(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    told = how_to_rebuild(tmp_path / "dist" / "freeride_gateway-0.5.0-py3-none-any.whl")
    assert f"git -C {shlex.quote(str(tmp_path))} pull" in told
    assert "uv tool install --force --find-links dist dist/freeride_gateway-*.whl" in told
