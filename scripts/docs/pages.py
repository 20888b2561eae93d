"""The pages, and the tables in pages, that come from the code."""

from __future__ import annotations

from pathlib import Path

from agent_page import agent_page, agent_rows, precedence_page
from command_page import command_page, command_rows
from failover_table import failover_rows
from fault_page import fault_page
from key_rows import key_rows
from page_parts import ROOT, installed, table, with_block
from provider_page import data_use_rows, provider_page, provider_rows
from trial_page import trial_page

FOLDERS = (ROOT / "docs" / "providers", ROOT / "docs" / "agents")
"""All that is in these is written here."""


def pages() -> dict[Path, str]:
    """The text that each page should have."""
    plugins = installed()
    docs = ROOT / "docs"
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = {
        "providers": table(("provider", "variable", "free tier", "key"), provider_rows(plugins.providers.values())),
        "agents": table(("agent", "command", "file"), agent_rows(plugins.binders.values())),
        "failover": table(("kind", "failure", "pause", "next attempt"), failover_rows()),
        "commands": table(("", ""), command_rows()),
    }
    for name, block in blocks.items():
        readme = with_block(readme, name, block)
    settings = (docs / "settings.md").read_text("utf-8")
    keys = table(("provider", "key", "account", "your list of free models"), key_rows(plugins.providers.values()))
    questions = (docs / "questions.md").read_text("utf-8")
    data_use = table(("provider", "what happens to prompts"), data_use_rows(plugins.providers.values()))
    return {
        ROOT / "README.md": readme,
        docs / "questions.md": with_block(questions, "data_use", data_use),
        docs / "settings.md": with_block(settings, "keys", keys),
        docs / "commands.md": command_page(),
        docs / "faults.md": fault_page(),
        docs / "agents-and-faults.md": trial_page(plugins),
        docs / "precedence.md": precedence_page(plugins.binders),
        **{FOLDERS[0] / f"{name}.md": provider_page(provider) for name, provider in plugins.providers.items()},
        **{FOLDERS[1] / f"{name}.md": agent_page(binder) for name, binder in plugins.binders.items()},
    }
