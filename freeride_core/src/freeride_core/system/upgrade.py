"""How this installation came to be: the commands that upgrade it and that remove it."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from freeride_core.system.programs import python_command

_UV, _PIPX = "uv-receipt.toml", "pipx_metadata.json"
_TOOLS = {_UV: ("uv", "tool"), _PIPX: ("pipx",)}
"""Installers of tools, by what each leaves in the environment that it makes for one."""
_WHOLE, _CORE = "freeride-gateway", "freeride-core"
_OURS = ("freeride-core", "freeride-gateway", "freeride-conformance", "freeride-provider-", "freeride-binder-")


def upgrade_words() -> list[str]:
    """The command, word by word, that upgrades what is installed in this environment."""
    if (clone := source_clone()) is not None:
        return ["git", "-C", str(clone), "pull"]
    if (tool := _tool()) is not None:
        return [*tool, "upgrade", Path(sys.prefix).name]
    # The whole names the exact versions of its parts, so of the parts alone none can be upgraded.
    name = _CORE if _direct_url(_WHOLE) is None else _WHOLE
    if _is_without_pip():
        return ["uv", "pip", "install", "--python", sys.prefix, "--upgrade", name]
    return python_command("pip", "install", "--upgrade", name)


def uninstall_words() -> list[str]:
    """The command, word by word, that removes what is installed in this environment. Not for a clone."""
    if (tool := _tool()) is not None:
        return [*tool, "uninstall", Path(sys.prefix).name]
    found = {str(each.metadata["Name"]).lower() for each in metadata.distributions() if each.metadata["Name"]}
    names = sorted(name for name in found if name.startswith(_OURS))
    if _is_without_pip():
        return ["uv", "pip", "uninstall", "--python", sys.prefix, *names]
    return python_command("pip", "uninstall", *names)


def upgrade_command() -> str:
    """The command that upgrades, for a shell."""
    return shlex.join(upgrade_words())


def source_clone() -> Path | None:
    """The folder of the source that the core runs from, or None if it was installed."""
    found = json.loads(_direct_url(_CORE) or "{}")
    if not found.get("dir_info", {}).get("editable"):
        return None
    folder = _path_of(found["url"])
    return clone_of(folder) or folder


def local_build() -> Path | None:
    """The wheel or the folder that this was installed from, or None if that was an index. No installer finds a newer one there."""
    prefix = Path(sys.prefix)
    if (prefix / _UV).is_file():
        import tomllib

        receipt: Any = tomllib.loads((prefix / _UV).read_text("utf-8"))
        for need in receipt.get("tool", {}).get("requirements", ()):
            if isinstance(need, Mapping) and need.get("name") in (_WHOLE, _CORE):
                place = need.get("path") or need.get("directory")
                return Path(place) if isinstance(place, str) else None
        return None
    found = json.loads(_direct_url(_WHOLE) or _direct_url(_CORE) or "{}")
    url = str(found.get("url", ""))
    return _path_of(url) if url.startswith("file:") else None


def clone_of(path: Path) -> Path | None:
    """The repository that a path is in, or None if it is in none."""
    return next((each for each in (path, *path.parents) if (each / ".git").exists()), None)


def _tool() -> tuple[str, ...] | None:
    """The installer of tools that has made this environment, or None if none has."""
    return next((words for receipt, words in _TOOLS.items() if (Path(sys.prefix) / receipt).is_file()), None)


def _is_without_pip() -> bool:
    """As environments are that uv makes."""
    return importlib.util.find_spec("pip") is None


def _path_of(url: str) -> Path:
    from urllib.request import (
        url2pathname,  # not above: it brings HTTP and TLS along, and every plugin is loaded beside this
    )

    return Path(url2pathname(urlsplit(url).path))


def _direct_url(name: str) -> str | None:
    """Return what the installer noted of where a distribution came from, empty for an index, or None if it is not installed."""
    try:
        return metadata.distribution(name).read_text("direct_url.json") or ""
    except metadata.PackageNotFoundError:
        return None
