"""How this installation is brought up to date."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_RECEIPTS = {"uv-receipt.toml": "uv tool upgrade", "pipx_metadata.json": "pipx upgrade"}
"""What installers of tools leave in the environment that they make for each."""


def upgrade_command() -> str:
    """The command that upgrades the core of this environment."""
    prefix = Path(sys.prefix)
    for receipt, command in _RECEIPTS.items():
        if (prefix / receipt).is_file():
            return f"{command} {prefix.name}"
    if importlib.util.find_spec("pip") is None:  # as in environments that uv makes
        return f"uv pip install --python {sys.prefix} --upgrade freeride-core"
    return f"{sys.executable} -m pip install --upgrade freeride-core"
