"""Whom the gateway speaks with: only with whom it is told to, only with who they say they are, and only for this machine."""

from __future__ import annotations

import http.server
import json
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fake_upstream import FakeUpstream, GatewayBench, GatewayProcess, GatewayStage, completion, key_of, provider, until
from programs import clean_environ, run

OPENSSL = shutil.which("openssl")


class Certified(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(completion()).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        """Not on the tests' stderr."""


@contextmanager
def certified(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """An upstream on 127.0.0.1 whose certificate, which is its own authority, is for `name`: its URL, and the certificate."""
    assert OPENSSL is not None
    certificate, private = folder / "certificate.pem", folder / "private.pem"
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=double", "-addext", f"subjectAltName={name}"),
            *("-keyout", private, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Certified) as server:
        server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}/v1", certificate
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.skipif(OPENSSL is None, reason="no openssl to make certificates with: verification was not tested")
@pytest.mark.parametrize(
    ("name", "is_known", "says"),
    [
        ("IP:127.0.0.1", True, None),
        ("IP:127.0.0.1", False, "self"),
        ("DNS:elsewhere.invalid", True, "IP address mismatch"),
    ],
    ids=["good", "unknown authority", "another name"],
)
def test_an_upstream_must_prove_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_known: bool, says: str | None
) -> None:
    with certified(tmp_path, name) as (url, certificate):
        if is_known:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with GatewayStage(tmp_path / "home", provider("alpha"), urls={"alpha": url}) as stage:
            answer = stage.ask()
            assert answer.status_code == (200 if says is None else 503)
            if says is not None:
                error = answer.json()["error"]
                assert error["tried"][0]["last_error"] == "network"
                assert "alpha: network, its certificate is not trusted" in error["message"]
                assert says in error["message"]
                assert "SSL_CERT_FILE" in error["suggestion"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_other_machines_are_not_let_in_without_a_token(tmp_path: Path, host: str) -> None:
    freeride = [sys.executable, "-m", "freeride_core"]
    ended = run([*freeride, "serve", "--host", host, "--port", "0"], clean_environ(tmp_path / "home"))
    assert ended.returncode == 1
    assert f"Listening on {host} exposes the gateway to your network. Set FREERIDE_TOKEN" in ended.stderr
    assert not ended.stdout


_WATCHED = """
import json, os, sys
os.umask(0)
seen = []

def watch(event, args):
    if event in ("os.chmod", "os.mkdir", "socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.exec"):
        seen.append([event, *map(repr, args)])

sys.modules["uvloop"] = None  # asyncio's own loop tells whom it connects with
from fake_upstream import plugins, provider
from freeride_core.events import log
from freeride_core.gateway.server import listen, serve
from freeride_core.settings.resolver import load_settings

log.JsonlSink.__init__.__kwdefaults__["limit_bytes"] = 2000
sys.addaudithook(watch)
serve(load_settings(), plugins(provider("alpha")), listen("127.0.0.1", 0), lambda _, url: print(url, flush=True))
print(json.dumps(seen), flush=True)
"""


@contextmanager
def watched(bench: GatewayBench) -> Iterator[GatewayProcess]:
    """A gateway under a umask that takes nothing away, which says at its end what it asked the system for."""
    with GatewayProcess(bench, command=[sys.executable, "-c", _WATCHED]) as process:
        yield process


def asked_of(process: GatewayProcess, *events: str) -> list[list[str]]:
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    seen: list[list[str]] = json.loads(process.stdout.splitlines()[-1])
    return [arguments for event, *arguments in seen if event in events]


def test_it_speaks_with_its_upstreams_and_with_nobody_else(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path / "home", {"DO_NOT_TRACK": "", "FREERIDE_TELEMETRY": ""})
    with FakeUpstream() as alpha:
        bench.add("alpha", alpha, key_of("alpha"))
        with watched(bench) as process:
            for _ in range(3):
                assert process.ask().status_code == 200
            contacts = asked_of(process, "socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen")
    addresses = {arguments[1] for arguments in contacts if arguments[0].startswith("<socket")}
    assert addresses == {f"('127.0.0.1', {alpha.port})"}
    assert {arguments[0] for arguments in contacts if not arguments[0].startswith("<socket")} <= {"'127.0.0.1'"}


def modes(home: Path) -> dict[str, int]:
    return {path.name.partition("damaged")[0]: path.stat().st_mode & 0o777 for path in home.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_what_it_keeps_is_its_owners_alone_from_the_moment_of_its_making(tmp_path: Path) -> None:
    """Under a umask that takes nothing away, and without any change of a mode afterwards."""
    bench = GatewayBench(tmp_path / "home")
    home = bench.home
    with FakeUpstream() as alpha:
        bench.add("alpha", alpha, key_of("alpha"))
        with watched(bench) as process:
            until(lambda: process.ask().status_code == 200 and (home / "events.jsonl.1").exists(), 20)
            living = modes(home)
            assert asked_of(process, "os.chmod") == []
        assert home.stat().st_mode & 0o777 == 0o700
        assert living.keys() >= {"state.db", "state.db-wal", "state.db-shm", "events.jsonl", "events.jsonl.1"}
        assert set(living.values()) | set(modes(home).values()) == {0o600}

        (home / "state.db").write_bytes(b"rubbish" * 1000)
        (home / "state.db").chmod(0o644)
        with watched(bench) as process:
            assert process.ask().status_code == 200
            process.kill()  # what it leaves behind, its companions and what was damaged, is closed too
        assert modes(home).keys() >= {"state.db", "state.db-wal", "state.db."}
        assert set(modes(home).values()) == {0o600}
