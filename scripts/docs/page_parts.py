"""What the pages of the documentation are made of: the installed plugins, tables, and blocks between comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from freeride_conformance.readme import MARKER
from freeride_core.plugins.discovery import Plugins, load_plugins

ROOT = Path(__file__).parents[2]
WRITTEN = "<!-- Written by `python scripts/docs`; a test holds it to the code. -->\n\n"


def installed() -> Plugins:
    """All that is installed here, in the order in which it is asked. AssertionError: one is broken."""
    plugins = load_plugins(("provider", "binder"))
    assert not [row for row in plugins.rows if row.reason], "a broken plugin has no page"
    return plugins


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, a line break at its end."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, *cells)).replace("\n", f"\n|{'---|' * len(head)}\n", 1)


def with_block(text: str, name: str, block: str) -> str:
    """Return the text with the block between `<!-- name -->` and `<!-- /name -->` replaced. AssertionError: it has none."""
    changed, places = re.subn(
        rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda found: found[1] + block + found[2], text, flags=re.DOTALL
    )
    assert places == 1, f"<!-- {name} --> is there {places} times"
    return changed


def by_hand(folder: Path) -> str:
    """What a package's README says below its rendered head; its headings one step down."""
    below = (folder / "README.md").read_text("utf-8").partition(MARKER)[2].strip()
    return re.sub(r"^(#+ )", r"#\1", below, flags=re.MULTILINE).replace("###", "##")
