"""Proxies: found where other tools find them, and spoken to in their own protocol."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from fake_upstream import CLOSE, FakeUpstream, GatewayStage, Script, always, provider
from freeride_core.answer import UpstreamRequest
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.proxied import ProxiedOrigin
from freeride_core.gateway.http.proxies import proxy_for

P = "http://proxy.example:3128"
ALL = {"ALL_PROXY": P}


@pytest.mark.parametrize(
    ("environ", "url", "expected"),
    [
        ({}, "https://a.example", None),
        ({"ALL_PROXY": P}, "https://a.example", P),
        ({"all_proxy": P}, "http://a.example", P),
        ({"ALL_PROXY": P, "HTTPS_PROXY": "http://other.example:1"}, "https://a.example", "http://other.example:1"),
        ({"ALL_PROXY": P, "HTTP_PROXY": "http://other.example:1"}, "https://a.example", P),
        ({"HTTP_PROXY": P}, "https://a.example", None),
        ({"ALL_PROXY": ""}, "https://a.example", None),
        ({"ALL_PROXY": "proxy.example:3128"}, "https://a.example", P),
        ({"ALL_PROXY": "HTTP://proxy.example:3128"}, "https://a.example", P),
        ({"ALL_PROXY": "socks5://127.0.0.1:1080"}, "https://a.example", "socks5://127.0.0.1:1080"),
        ({"ALL_PROXY": "socks5h://u:p@127.0.0.1:1080"}, "https://a.example", "socks5h://u:p@127.0.0.1:1080"),
        ({"ALL_PROXY": "socks://127.0.0.1:1080/"}, "https://a.example", "socks5://127.0.0.1:1080/"),
        (ALL, "http://127.0.0.1:11434", None),
        (ALL, "http://localhost:11434", None),
        (ALL, "http://[::1]:11434", None),
        (ALL | {"NO_PROXY": "*"}, "https://a.example", None),
        (ALL | {"NO_PROXY": "a.example"}, "https://a.example", None),
        (ALL | {"NO_PROXY": "example"}, "https://a.example", None),
        (ALL | {"NO_PROXY": ".example"}, "https://a.example", None),
        (ALL | {"NO_PROXY": "*.example"}, "https://a.example", None),
        (ALL | {"NO_PROXY": "b.example, *.EXAMPLE"}, "https://a.example", None),
        (ALL | {"NO_PROXY": "a.example:443"}, "https://a.example", None),
        (ALL | {"NO_PROXY": "a.example:444"}, "https://a.example", P),
        (ALL | {"NO_PROXY": "other.example"}, "https://a.example", P),
        (ALL | {"NO_PROXY": "10.0.0.0/8"}, "http://10.1.2.3:8000", None),
        (ALL | {"NO_PROXY": "10.1.2.3/8"}, "http://10.9.9.9:8000", None),
        (ALL | {"NO_PROXY": "localhost,192.168.0.0/16,10.0.0.0/8"}, "http://192.168.7.7", None),
        (ALL | {"no_proxy": "172.16.0.0/12"}, "http://172.31.0.1", None),
        (ALL | {"NO_PROXY": "172.16.0.0/12"}, "http://172.32.0.1", P),
        (ALL | {"NO_PROXY": "fd00::/8"}, "http://[fd00::7]:8000", None),
        (ALL | {"NO_PROXY": "[fd00::7]"}, "http://[fd00::7]:8000", None),
        (ALL | {"NO_PROXY": "fd00::7"}, "http://[fd00::7]:8000", None),
        (ALL | {"NO_PROXY": "fd00::/8"}, "http://[fe80::7]:8000", P),
        (ALL | {"NO_PROXY": "10.0.0.0/8"}, "https://a.example", P),
        (ALL | {"NO_PROXY": "10.0.0.0/99, ,x/y"}, "http://10.1.2.3", P),
    ],
)
def test_a_proxy_is_found_where_other_tools_find_it(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], url: str, expected: str | None
) -> None:
    for name in tuple(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    scheme, _, authority = url.partition("://")
    host, _, port = authority.rpartition(":") if ":" in authority.rpartition("]")[2] else (authority, "", "")
    assert proxy_for(scheme, host.strip("[]"), int(port or {"http": 80, "https": 443}[scheme])) == expected


def test_a_proxy_of_socks_is_asked_in_its_own_protocol() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(bytes([version, 0]))
        head = await reader.readexactly(5)
        asked.append(await reader.readexactly(head[4] + 2))
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            for scheme in ("socks5", "socks5h"):
                origin = ProxiedOrigin(f"{scheme}://127.0.0.1:{port}", None)
                request = UpstreamRequest("GET", "http://upstream.invalid/v1", (), b"")
                reply = await origin.ask(request, connect_s=5.0, due=NEVER, is_wanted=None)
                assert (reply.status, await reply.body()) == (200, b"ok")
                reply.close()
                await asyncio.sleep(0)
                await origin.close()

    asyncio.run(main())
    assert asked == [b"upstream.invalid\x00\x50"] * 2


@pytest.mark.parametrize("address", ["ftp://127.0.0.1:1", "socks4://127.0.0.1:1", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("ALL_PROXY", address)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with GatewayStage(tmp_path, provider("alpha"), urls={"alpha": "http://upstream.invalid/v1"}) as stage:
        error = stage.ask().json()["error"]
        assert "alpha: network, the proxy that the environment names cannot be used" in error["message"]
        assert "ALL_PROXY" in error["suggestion"]


@pytest.mark.parametrize(
    ("said", "reason", "help_"),
    [
        (b"407 Proxy Authentication Required", "the proxy wants a user name and a password", "USER:PASSWORD"),
        (b"407 X", "the proxy wants a user name and a password", "USER:PASSWORD"),
        (b"403 Forbidden", "the proxy refused the connection (status 403)", "who runs the proxy"),
        (b"502 Bad Gateway", "the proxy refused the connection (status 502)", "who runs the proxy"),
    ],
)
def test_a_proxy_that_refuses_a_tunnel_is_named_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, reason: str, help_: str
) -> None:
    script: Script = [b"HTTP/1.1 " + said + b"\r\ncontent-length: 0\r\n\r\n", CLOSE]
    with FakeUpstream(always(script)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with GatewayStage(tmp_path, provider("alpha"), urls={"alpha": "https://upstream.invalid/v1"}) as stage:
            error = stage.ask().json()["error"]
            assert f"alpha: network, {reason}" in error["message"]
            assert help_ in error["suggestion"]
            assert proxy.seen[-1].method == "CONNECT"


# httpcore leaves the connection to the garbage collector, which warns.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("username", "replies"), [("", (b"\x05\xff",)), ("a:b@", (b"\x05\x02", b"\x01\x01"))])
def test_a_proxy_of_socks_that_wants_another_login_is_named_as_that(username: str, replies: Sequence[bytes]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await reader.read(1024)
            writer.write(reply)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            origin = ProxiedOrigin(f"socks5://{username}127.0.0.1:{server.sockets[0].getsockname()[1]}", None)
            request = UpstreamRequest("GET", "http://upstream.invalid/v1", (), b"")
            with pytest.raises(UpstreamError, match="wants a user name"):
                await origin.ask(request, connect_s=5.0, due=NEVER, is_wanted=None)
            await origin.close()

    asyncio.run(main())
    gc.collect()
