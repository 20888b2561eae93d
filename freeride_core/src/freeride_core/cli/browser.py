"""Opens a page in the user's browser, where there is one that does not take over the terminal."""

from __future__ import annotations

import os
import sys


def can_open() -> bool:
    """Return whether a page would open in a window of its own on this screen. Over SSH it would open elsewhere or in the
    terminal."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def open_page(url: str) -> bool:
    """Return whether a browser has taken the page."""
    import webbrowser

    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
