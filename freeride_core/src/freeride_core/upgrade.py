"""How this installation is brought up to date."""

from __future__ import annotations

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
    return f"{Path(sys.executable).name} -m pip install --upgrade freeride-core"
