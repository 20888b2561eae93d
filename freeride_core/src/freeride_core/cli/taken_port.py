"""What a command says of a port on loopback that it cannot have."""

from __future__ import annotations

import errno

_LAST_PORT = 65535


def port_fault(port: int, error: OSError) -> str:
    """Return why the command cannot listen on the port of 127.0.0.1, and what to do. `error` is what listening raised."""
    from freeride_core.cli.gateway_client import is_gateway_at

    if error.errno != errno.EADDRINUSE:
        return f"cannot listen on 127.0.0.1:{port}: {error.strerror}"
    user = "a FreeRide gateway" if is_gateway_at(f"http://127.0.0.1:{port}") else "another program"
    return f"Port {port} is used by {user}. Stop it, or use --port {next_port(port)}."


def next_port(port: int) -> int:
    """Return a port that is worth trying instead."""
    return port + 1 if port < _LAST_PORT else port - 1
