"""`freeride quota --watch` at a terminal."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry
from freeride_core.settings.keys import fingerprint
from programs import clean_environ
from served_gateway import FREERIDE
from terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

KEY = "gsk_" + "a" * 52
LEAVES_SCREEN = r"\x1b\[\?1049l"
SHOWS_CURSOR = r"\x1b\[\?25h"


def use(home: Path, requests: int) -> None:
    """What a running gateway has counted."""
    name = json.dumps(["rpd", "groq", f"account:{fingerprint(KEY)}", "openai/gpt-oss-120b"])
    value = {
        "used": [requests, time.time()], "amount": 1000, "source": "told", "changed_at": 0.0, "shut_until": 0.0,
        "told_until": 0.0,
    }  # fmt: skip
    with closing(SqliteStore(home / "state.db")) as store:
        store.write([Entry("quota", name, value)])


def test_it_follows_what_is_counted_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    settings = {"GROQ_API_KEY": KEY, "FREERIDE_PROVIDERS": "groq", "TERM": "xterm-256color"}
    environ = clean_environ(tmp_path / "user", settings)
    home = Path(environ["FREERIDE_HOME"])
    home.mkdir(parents=True)
    use(home, 100)
    with Terminal((*FREERIDE, "quota", "--watch"), environ) as terminal:
        terminal.expect(r"\x1b\[\?1049h")
        terminal.expect(r"900 of 1k =")
        use(home, 300)
        terminal.expect(r"7\d\d of 1k =")
        assert "\x1b[2J" not in terminal.screen.partition("900 of 1k")[2], "it is drawn over, not cleared and drawn"
        terminal.type("\x03")
        terminal.expect(f"(?s){SHOWS_CURSOR}.*{LEAVES_SCREEN}|{LEAVES_SCREEN}.*{SHOWS_CURSOR}")
        assert terminal.wait() == 0
    assert "Traceback" not in terminal.screen
