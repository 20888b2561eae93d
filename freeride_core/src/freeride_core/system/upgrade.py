"""The command that upgrades this installation."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from freeride_core.system.programs import python_command

_RECEIPTS = {"uv-receipt.toml": ("uv", "tool", "upgrade"), "pipx_metadata.json": ("pipx", "upgrade")}
"""What installers of tools leave in the environment that they make for each."""
_WHOLE, _CORE = "freeride-gateway", "freeride-core"


def upgrade_words() -> list[str]:
    """The command, word by word, that upgrades what is installed in this environment."""
    if (clone := source_clone()) is not None:
        return ["git", "-C", str(clone), "pull"]
    prefix = Path(sys.prefix)
    for receipt, command in _RECEIPTS.items():
        if (prefix / receipt).is_file():
            return [*command, prefix.name]
    # The whole names the exact versions of its parts, so of the parts alone none can be upgraded.
    name = _CORE if _direct_url(_WHOLE) is None else _WHOLE
    if importlib.util.find_spec("pip") is None:  # as in environments that uv makes
        return ["uv", "pip", "install", "--python", sys.prefix, "--upgrade", name]
    return python_command("pip", "install", "--upgrade", name)


def upgrade_command() -> str:
    """The same for a shell."""
    return shlex.join(upgrade_words())


def source_clone() -> Path | None:
    """The folder of the source that the core runs from; None: it was installed."""
    found = json.loads(_direct_url(_CORE) or "{}")
    if not found.get("dir_info", {}).get("editable"):
        return None
    from urllib.request import (
        url2pathname,  # not above: it brings HTTP and TLS along, and every plugin is loaded beside this
    )

    folder = Path(url2pathname(urlsplit(found["url"]).path))
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def _direct_url(name: str) -> str | None:
    """What the installer noted of where a distribution came from, empty where that was an index; None: it is not there."""
    try:
        return metadata.distribution(name).read_text("direct_url.json") or ""
    except metadata.PackageNotFoundError:
        return None
