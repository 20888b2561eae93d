"""Whether a gateway answers where an agent is about to be sent."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

_TIMEOUT_S = 2.0


def find_fault(root: str, key: str) -> str | None:
    """What keeps the gateway at `root` from answering, in words; None: it answers."""
    parts = urlsplit(root)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path}/health", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        body = answer.read(65_536)
    except (OSError, http.client.HTTPException):
        return f"nothing answers at {root} yet; start it with: freeride serve"
    finally:
        connection.close()
    if answer.status == http.client.UNAUTHORIZED:
        return f"the gateway at {root} does not take this key; set FREERIDE_TOKEN to its own and bind again"
    try:
        is_gateway = answer.status == http.client.OK and json.loads(body)["ok"] is True
    except (ValueError, TypeError, KeyError):
        is_gateway = False
    return None if is_gateway else f"what answers at {root} is no FreeRide gateway (GET /health: {answer.status})"
