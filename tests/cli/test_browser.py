"""The browser that opens a page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from freeride_core.cli.browser import can_open, open_page
from programs import write_script


@pytest.mark.parametrize(
    ("environ", "is_open"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"BROWSER": "firefox"}, True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1"}, False),
    ],
)
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="a screen is named by variables elsewhere")
def test_a_page_opens_where_there_is_a_screen(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_open: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert can_open() is is_open


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system opens the page there")
def test_a_program_of_the_working_folder_is_not_the_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in ("xdg-open", "firefox", "www-browser"):
        write_script(tmp_path / name, f"open({str(ran)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ":.:")
    monkeypatch.setenv("DISPLAY", ":0")
    assert not open_page("https://acme.example/keys")
    assert not ran.exists()
