"""Opens a page in the user's browser, where there is one that does not take over the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def can_open() -> bool:
    """Return whether a page would open in a window of its own on this screen. Over SSH it would open elsewhere or in the
    terminal."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def open_page(url: str) -> bool:
    """Return whether a browser has taken the page. One in the working folder is not started."""
    import webbrowser

    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
