"""Who is at an address: a gateway, somebody else, or nobody."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from freeride_core.loopback import is_loopback

_PATIENCE_S = 5.0
_LONGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Presence:
    """What came back from one question."""

    is_there: bool
    """Somebody took the connection."""
    status: int = 0
    content: Any = None
    """The body as JSON; None where it is none."""

    @property
    def is_gateway(self) -> bool:
        """Whether it says of its health what a gateway says."""
        says = self.content if isinstance(self.content, Mapping) else {}
        return self.status == 200 and says.get("ok") is True and "version" in says and "providers" in says


def ask_health(root: str, key: str) -> Presence:
    """The health of whoever is at `root`."""
    return ask(f"{root}/health", key)


def ask(url: str, key: str) -> Presence:
    """What a GET gives. Never raises, follows no redirect, and takes no proxy to this machine."""
    handlers: list[Any] = [_Direct()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})  # noqa: S310 - http or https: see callers
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_PATIENCE_S) as answer:
            return Presence(True, answer.status, _decoded(answer.read(_LONGEST)))
    except urllib.error.HTTPError as error:
        with error:
            return Presence(True, error.code)
    except urllib.error.URLError as error:
        return Presence(isinstance(error.reason, TimeoutError))
    except (OSError, http.client.HTTPException):  # it took the connection and does not speak HTTP
        return Presence(True)


class _Direct(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
