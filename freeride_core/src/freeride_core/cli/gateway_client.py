"""One connection from a command to the program at the gateway's address."""

from __future__ import annotations

import contextlib
import enum
import http.client
import json
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from freeride_core.binder import Endpoint
from freeride_core.settings.identity import is_proof, new_challenge, read_secret
from freeride_core.settings.resolver import Settings
from freeride_core.system.loopback import is_loopback

_TIMEOUT_S = 5.0
_GLANCE_S = 1.0
_BODY_LIMIT = 1024 * 1024
_PROOF = re.compile(r"[0-9a-f]{64}")


class Listener(enum.Enum):
    """What answers at an address."""

    NOTHING = enum.auto()
    OWN_GATEWAY = enum.auto()
    """It has proven to be this home's gateway."""
    STRANGER = enum.auto()
    """Another program, the gateway of another home, or one of an older version, which cannot prove anything."""
    REMOTE = enum.auto()
    """On another machine, which the user has named. It cannot prove anything either."""


class GatewayClient:
    """Asks on a single connection, so that nothing else can take the port between the proof and what follows it.

    The gateway's token is sent only to this home's gateway, and to another machine that the user has named.
    """

    def __init__(self, root: str, settings: Settings) -> None:
        parts = urlsplit(root)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        self._is_local = is_loopback(parts.hostname or "")
        self._prefix = parts.path
        self._home = settings.home
        self._key = settings.token or Endpoint(root).key
        self.root = root
        self.listener = Listener.NOTHING
        self.is_some_gateway = False
        """It answers like a FreeRide gateway, perhaps that of another home. Proves nothing."""
        self.status = 0
        """Of `GET /health`; 0 where no answer came."""
        self.health: Mapping[str, Any] = {}
        """What that said: `ok`, and `version` and `providers` if the gateway takes the token."""

    def __enter__(self) -> Self:
        self.listener = self._find_listener()
        if self.listener in (Listener.OWN_GATEWAY, Listener.REMOTE):
            self.status, content = self.get("/health")
            self.health = content if isinstance(content, Mapping) else {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @property
    def is_usable(self) -> bool:
        """Whether agents can use it: it is the user's gateway and takes the token."""
        return self._is_gateway and "version" in self.health

    @property
    def _is_gateway(self) -> bool:
        return self.status == http.client.OK and self.health.get("ok") is True

    def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the JSON of a GET with the token, or (0, None) if the connection breaks. Only a gateway that may
        have the token can be asked."""
        if self.listener not in (Listener.OWN_GATEWAY, Listener.REMOTE):
            raise ValueError("the token is for the user's own gateway")
        return _ask(self._connection, self._prefix + path, {"authorization": f"Bearer {self._key}"})

    def fault(self) -> str | None:
        """Return what keeps agents from using it and what to do, or None if nothing does."""
        match self.listener:
            case Listener.NOTHING:
                return f"The gateway is not running at {self.root}. Start it with: freeride serve"
            case Listener.STRANGER:
                return (
                    f"What answers at {self.root} is not the gateway of {self._home}. Stop that program, or choose another address "
                    "with --url. A gateway that was started before an upgrade must be restarted."
                )
            case _ if self.is_usable:
                return None
            case _ if self._is_gateway:
                return f"The gateway at {self.root} was started with another token. Set FREERIDE_TOKEN here to the same value."
            case _:
                return f"What answers at {self.root} is not a FreeRide gateway (GET /health: {self.status or 'no answer'})."

    def _find_listener(self) -> Listener:
        if self._is_local:
            self._connection.auto_open = 0  # a second connection could be taken by something else
        try:
            self._connection.connect()
        except TimeoutError:  # it took the connection, or a firewall is in the way
            return Listener.STRANGER if self._is_local else Listener.REMOTE
        except OSError:
            return Listener.NOTHING
        host, port = self._connection.sock.getpeername()[:2]
        challenge = new_challenge()
        _, content = _ask(self._connection, f"{self._prefix}/health?challenge={challenge}", {})
        self.is_some_gateway = _is_gateway_like(content)
        proof = content.get("proof") if isinstance(content, Mapping) else None
        secret = read_secret(self._home)
        if secret is not None and is_proof(proof, secret, challenge, host, port):
            return Listener.OWN_GATEWAY
        return Listener.STRANGER if self._is_local else Listener.REMOTE


def is_gateway_at(root: str) -> bool:
    """Return whether a FreeRide gateway answers there, of whatever home. Reads no settings and sends no token."""
    parts = urlsplit(root)
    with contextlib.closing(
        http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_GLANCE_S)
    ) as connection:
        return _is_gateway_like(_ask(connection, f"{parts.path}/health", {})[1])


def _ask(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> tuple[int, Any]:
    """Return the status and the JSON of a GET, or (0, None) if the connection breaks."""
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(_BODY_LIMIT)
        is_whole = answer.isclosed()
    except (OSError, http.client.HTTPException):
        return 0, None
    if not is_whole:
        return 0, None
    try:
        return answer.status, json.loads(body)
    except (ValueError, RecursionError):
        return answer.status, None


def _is_gateway_like(content: object) -> bool:
    if not isinstance(content, Mapping) or content.get("ok") is not True:
        return False
    proof = content.get("proof")
    return (isinstance(proof, str) and _PROOF.fullmatch(proof) is not None) or {"version", "providers"} <= set(content)


def find_fault(root: str, settings: Settings) -> str | None:
    """Return what keeps agents from using the gateway at `root`, in a sentence or two, or None if nothing does."""
    with GatewayClient(root, settings) as gateway:
        return gateway.fault()
