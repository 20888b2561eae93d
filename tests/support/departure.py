"""A client that leaves, and how soon the gateway must notice."""

from __future__ import annotations

import json
import socket
import time

from fake_upstream import (
    post_of,
    question,
)

PROMISED_S = 0.5
MARGIN_S = 0.7
"""For a machine that is busy."""


def request(*, streams: bool) -> bytes:
    return post_of(json.dumps(question(stream=streams)).encode())


def leave(connection: socket.socket) -> float:
    connection.close()
    return time.monotonic()
