"""What the suite notices of a plugin, and what it leaves to others."""

from __future__ import annotations

import threading
from pathlib import Path

from freeride_conformance.watch import watching


def test_what_the_plugin_touches_is_noticed_and_what_another_thread_does_is_not(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    other = threading.Thread(target=file.write_text, args=("by another thread",))
    with watching("acme") as watch:
        other.start()
        other.join()
        assert watch.touched == []
        file.read_text("utf-8")
    assert watch.touched == [f"the file {file}"]
