"""The guard of the root conftest holds on every road that a test could take."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import httpx
import pytest

from freeride_core.gateway.walk.enabled import enabled_providers
from freeride_core.plugins.discovery import load_plugins
from freeride_core.settings.resolver import load_settings


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_no_socket_connects_off_loopback(host: str, escapes: list[str]) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as own, pytest.raises(ConnectionRefusedError, match="may not leave"):
        own.connect((host, 80))
    assert escapes == [host]


def test_no_name_is_looked_up(escapes: list[str]) -> None:
    with pytest.raises(ConnectionRefusedError, match="may not leave"):
        socket.getaddrinfo("example.org", 443)
    assert escapes == ["example.org"]


@pytest.mark.parametrize("loop_factory", ["asyncio", "uvloop"])
def test_httpx_reaches_nobody_on_any_loop(loop_factory: str, escapes: list[str]) -> None:
    factory = asyncio.new_event_loop if loop_factory == "asyncio" else pytest.importorskip("uvloop").new_event_loop

    async def ask() -> None:
        async with httpx.AsyncClient() as client:
            await client.get("http://192.0.2.1/")

    with asyncio.Runner(loop_factory=factory) as runner, pytest.raises(httpx.ConnectError):
        runner.run(ask())
    assert escapes == ["192.0.2.1"]


@pytest.mark.parametrize("loop_factory", ["asyncio", "uvloop"])
def test_what_a_developer_runs_on_this_machine_is_not_asked(loop_factory: str, escapes: list[str]) -> None:
    factory = asyncio.new_event_loop if loop_factory == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with socket.socket() as own, pytest.raises(ConnectionRefusedError, match="may not ask"):
        own.connect(("127.0.0.1", 11434))

    async def ask() -> None:
        async with httpx.AsyncClient() as client:
            await client.get("http://127.0.0.1:11434/v1/models")

    with asyncio.Runner(loop_factory=factory) as runner, pytest.raises(httpx.ConnectError):
        runner.run(ask())
    assert escapes == ["127.0.0.1:11434"] * 2


def test_no_installed_provider_on_this_machine_is_used_unasked() -> None:
    """In a program of its own no guard looks on; there it is the cleared environment that sees to it."""
    providers = load_plugins(("provider",)).providers
    keyless = {name for name, provider in providers.items() if not provider.credentials}
    assert keyless
    assert keyless.isdisjoint(enabled_providers(load_settings(), providers).by_name)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_homes_are_made_for_the_test(freeride_home: Path) -> None:
    assert Path.home() == freeride_home.parent
    assert os.environ["FREERIDE_TELEMETRY"] == "off"
    assert not [name for name in os.environ if name.endswith("_API_KEY")]
