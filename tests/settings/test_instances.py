"""The gateways of a home: who runs, found by a lock that ends with its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from freeride_core.settings.instances import announced, find_instance, has_ended, running_gateways

URL = "http://127.0.0.1:11343"
ANNOUNCE = """
import sys, time
from pathlib import Path
from freeride_core.settings.instances import announced
with announced(Path(sys.argv[1]), sys.argv[2], 7.0, "9.9"):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_running_gateway_is_found_and_leaves_nothing(tmp_path: Path) -> None:
    with announced(tmp_path, URL, 5.0, "0.5.0"):
        [found] = running_gateways(tmp_path)
        assert (found.pid, found.url, found.started_at, found.version) == (os.getpid(), URL, 5.0, "0.5.0")
        assert found.is_on_this_machine
        assert not has_ended(tmp_path, found)
        if sys.platform != "win32":
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert has_ended(tmp_path, found)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_gateway_is_none_whatever_has_its_number_now(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ANNOUNCE, str(tmp_path), URL], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        [found] = running_gateways(tmp_path)
        assert (found.pid, found.version) == (process.pid, "9.9")
    finally:
        process.kill()
        process.communicate(timeout=10)
    [record] = tmp_path.glob("*.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "pid": os.getpid()}))
    assert running_gateways(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"pid": "x"}', b"\xff", b'{"pid": 1, "url": "u"}'])
def test_a_record_that_cannot_be_read_is_passed_over(tmp_path: Path, content: bytes) -> None:
    with announced(tmp_path, URL, 5.0, "0.5.0"):
        [record] = tmp_path.glob("*.json")
        record.write_bytes(content)
        assert running_gateways(tmp_path) == []


@pytest.mark.parametrize(
    ("url", "root", "is_there"),
    [
        (URL, "http://127.0.0.1:11343", True),
        (URL, "http://localhost:11343", True),
        ("http://[::1]:11343", "http://127.0.0.1:11343", True),
        ("http://0.0.0.0:11343", "http://192.168.0.5:11343", True),
        ("http://[::]:80", "http://mybox.lan", True),
        (URL, "http://127.0.0.1:11344", False),
        (URL, "http://192.168.0.5:11343", False),
        ("http://192.168.0.5:1", "http://127.0.0.1:1", False),
    ],
)
def test_a_gateway_is_found_by_the_address_that_reaches_it(tmp_path: Path, url: str, root: str, is_there: bool) -> None:
    with announced(tmp_path, url, 5.0, "0.5.0"):
        assert (find_instance(tmp_path, root) is not None) == is_there


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="it needs a folder that cannot be written")
def test_a_home_that_cannot_be_written_keeps_no_gateway_from_its_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with announced(tmp_path, URL, 5.0, "0.5.0"):
        assert running_gateways(tmp_path) == []


def test_a_home_that_is_not_there_keeps_no_gateway_from_its_work(tmp_path: Path) -> None:
    with announced(tmp_path / "missing", URL, 5.0, "0.5.0"):
        assert running_gateways(tmp_path / "missing") == []
