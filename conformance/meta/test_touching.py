"""What the suite notices of a plugin, and what it leaves to others."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freeride_conformance.audit import watching


def test_what_the_plugin_touches_is_noticed_and_what_another_thread_does_is_not(tmp_path: Path) -> None:
    file, go = tmp_path / "notes", threading.Event()
    other = threading.Thread(target=lambda: go.wait(10) and file.write_text("by another thread"))
    other.start()
    with watching("acme") as watch:
        go.set()
        other.join()
        assert watch.touched == []
        file.read_text("utf-8")
    assert watch.touched == [f"the file {file}"]


def of_acme(source: str) -> Callable[[], Any]:
    """A function as it would stand in the module of a plugin named `acme`."""
    module: dict[str, Any] = {"__name__": "acme.inner"}
    exec(source, module)
    run: Callable[[], Any] = module["run"]
    return run


@pytest.mark.parametrize(
    "source",
    [
        "import os\ndef run(): return os.environ.get('NOTHING_LIKE_IT')",
        "import os\ndef run(): return os.getenv('NOTHING_LIKE_IT')",
        "from os import environ\ndef run(): return environ.get('NOTHING_LIKE_IT')",
    ],
)
def test_however_it_has_come_by_the_environment_the_plugin_s_look_is_seen(source: str) -> None:
    run = of_acme(source)
    with watching("acme") as watch:
        run()
        os.environ.get("ASKED_BY_THE_TEST")
    assert watch.touched == ["the environment variable NOTHING_LIKE_IT"]
    assert os.environ.copy()["PATH"] == os.environ["PATH"]


def test_code_may_be_read_and_not_written(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    with watching("acme", may_read=True) as watch:
        code.write_text("x = 1", "utf-8")
        code.read_text("utf-8")
    assert watch.touched == [f"the file {code}"]


def test_nothing_is_reached_while_it_is_watched() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        watching("acme") as watch,
        socket.socket() as own,
        pytest.raises(ConnectionRefusedError),
    ):
        own.connect(server.getsockname())
    assert watch.touched == ["the network (socket.connect)"]
