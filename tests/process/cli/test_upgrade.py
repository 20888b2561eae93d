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
from freeride_core.system.upgrade import source_clone, upgrade_command
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
    (prefix / "uv-receipt.toml").touch()
    assert upgrade_command() == f"uv tool upgrade {prefix.name}"


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
    assert "uv is not on the path" in missing.stderr
    installer = programs / "uv"
    installer.write_text(f'#!/bin/sh\necho "$@"\nexit {code}\n')
    installer.chmod(0o755)
    ended = run([site.freeride, "upgrade"], site.environ | {"PATH": str(programs)})
    words = ["pip", "install", "--python", str(site.folder), "--upgrade", "freeride-core"]
    assert (ended.returncode, ended.stdout) == (code, f"{' '.join(words)}\n")
    assert f"running: uv {shlex.join(words)}" in ended.stderr
    assert ("started anew" in ended.stderr) == (code == 0)
