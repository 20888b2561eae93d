"""The pages, and the tables in pages, that come from the code. `python -m uv run python tests/pages.py` writes them anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agent_page import agent_page, agent_rows, precedence_page
from command_page import command_page, command_rows
from failover_table import failover_rows
from fault_cases.page import fault_page
from page_parts import ROOT, installed, table, with_block
from provider_page import provider_page, provider_rows
from setting_rows import key_rows

FOLDERS = (ROOT / "docs" / "providers", ROOT / "docs" / "agents")
"""All that is in these is written here."""


def pages() -> dict[Path, str]:
    """The text that each page should have."""
    plugins = installed()
    docs = ROOT / "docs"
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = {
        "providers": table(
            ("provider", "variable", "a free day", "account"), provider_rows(plugins.providers.values())
        ),
        "agents": table(("agent", "command", "file"), agent_rows(plugins.binders.values())),
        "failover": table(("kind", "what is seen", "what rests, how long", "who is asked next"), failover_rows()),
        "commands": table(("", ""), command_rows()),
    }
    for name, block in blocks.items():
        readme = with_block(readme, name, block)
    settings = (docs / "settings.md").read_text("utf-8")
    keys = table(("provider", "key", "account", "its own list of free models"), key_rows(plugins.providers.values()))
    return {
        ROOT / "README.md": readme,
        docs / "settings.md": with_block(settings, "keys", keys),
        docs / "commands.md": command_page(),
        docs / "faults.md": fault_page(),
        docs / "precedence.md": precedence_page(plugins.binders),
        **{FOLDERS[0] / f"{name}.md": provider_page(provider) for name, provider in plugins.providers.items()},
        **{FOLDERS[1] / f"{name}.md": agent_page(binder) for name, binder in plugins.binders.items()},
    }


def main() -> None:
    """Writes what differs, removes what has no subject any more, and says so."""
    wanted = pages()
    for folder in FOLDERS:
        folder.mkdir(exist_ok=True)
        for path in set(folder.glob("*.md")) - set(wanted):
            path.unlink()
            sys.stdout.write(f"removed {path}\n")
    for path, text in wanted.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="\n")
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    main()
