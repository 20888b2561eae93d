"""The door against those who were not asked in: a page in the user's browser, a name that is bound anew, a stranger without the
token. The same answer on every route and for every method."""

from __future__ import annotations

import itertools
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fake_upstream import FakeUpstream, GatewayBench, GatewayProcess, GatewayStage, question
from freeride_core.gateway import access
from freeride_core.settings.resolver import Settings, load_settings
from programs import clean_environ, run

TOKEN = "hand-made-token-1234567890"
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE")
# `/health` tells anyone that it works, and no more: `test_door` holds it to that.
PATHS = (
    "/v1/models",
    "/v1/models/a/b",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/",
    "/nothing",
    "*",
    "//x/",
)
EVERYWHERE = [
    (method, path) for method, path in itertools.product(METHODS, PATHS) if path != "*" or method == "OPTIONS"
]
BODY = json.dumps(question()).encode()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    with GatewayStage(tmp_path_factory.mktemp("open")) as stage:
        yield stage


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    home = tmp_path_factory.mktemp("locked")
    with GatewayStage(home, token=TOKEN, allowed_hosts="box.lan", allowed_origins="https://app.example") as stage:
        yield stage


def statuses(stage: GatewayStage, requests: list[bytes]) -> list[int]:
    """Of one answer to each, all on one connection."""
    found: list[int] = []
    with stage.raw(b"") as connection, connection.makefile("rb") as file:
        for request in requests:
            connection.sendall(request)
            found.append(int(file.readline().split()[1]))
            length = 0
            while line := file.readline().strip().lower():
                assert not line.startswith(b"access-control")
                length = int(line.partition(b":")[2]) if line.startswith(b"content-length") else length
            file.read(0 if request.startswith(b"HEAD") else length)
    return found


def asking(method: str, path: str, *lines: str, host: str | None = "localhost") -> bytes:
    head = [f"{method} {path} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"


# Names

STRANGE_HOSTS = [
    pytest.param(host, id=name)
    for name, host in {
        "another": "evil.example",
        "one that begins like ours": "localhost.evil.example",
        "one that resolves to here": "127.0.0.1.nip.io",
        "the unspecified address": "0.0.0.0",
        "it in IPv6": "[::]",
        "a private address": "192.168.1.5",
        "ours in IPv6's clothes": "[::ffff:127.0.0.1]",
        "a number": "2130706433",
        "a hexadecimal one": "0x7f000001",
        "octal": "0177.0.0.1",
        "nothing": "",
        "none at all": None,
        "a user": "evil.example@localhost",
        "a user, reversed": "localhost@evil.example",
        "a path": "localhost/evil.example",
        "a query": "localhost?evil.example",
        "a fragment": "localhost#evil.example",
        "a backslash": "localhost\\evil.example",
        "a port that is a name": "localhost:evil.example",
        "two in one": "localhost, evil.example",
        "a tab inside": "local\thost",
        "other letters": "lоcalhost".encode().decode("latin-1"),
        "half an address": "[::1",
    }.items()
]


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_a_strange_host_is_turned_away_whatever_it_asks(stage: GatewayStage, host: str | None) -> None:
    assert set(statuses(stage, [asking(method, path, host=host) for method, path in EVERYWHERE])) == {421}


def test_with_a_token_addresses_are_hosts_and_names_are_not(locked: GatewayStage) -> None:
    key = f"x-api-key: {TOKEN}"
    for host, status in {
        "192.168.1.5": 404,
        "[fe80::1]:80": 404,
        "[::ffff:127.0.0.1]": 404,
        "box.lan": 404,
        "BOX.LAN.:11343": 404,
        "evil.example": 421,
        "sub.box.lan": 421,
        "0177.0.0.1": 421,
    }.items():
        assert statuses(locked, [asking("GET", "/nothing", key, host=host)]) == [status], host


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost/v1/models", "localhost", 200),
        ("http://127.0.0.1:11343/v1/models", "localhost", 200),
        ("http://[::1]/v1/models?x", "localhost", 200),
        ("http://localhost", "localhost", 404),
        ("http://localhost/v1/models", "evil.example", 200),
        ("http://evil.example/v1/models", "localhost", 421),
        ("http://localhost@evil.example/v1/models", "localhost", 421),
        ("http://evil.example@localhost/v1/models", "localhost", 421),
        ("http://evil.example?/localhost/v1/models", "localhost", 421),
        ("HTTP://evil.example:80/v1/models", "localhost", 421),
        ("//evil.example/v1/models", "localhost", 404),
    ],
)
def test_an_absolute_target_says_who_is_asked(stage: GatewayStage, target: str, host: str, status: int) -> None:
    """RFC 9112, 3.2.2: what the router goes by is what is looked at, and the Host header beside it counts for nothing."""
    assert statuses(stage, [asking("GET", target, host=host)]) == [status]


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: localhost", "Host: localhost"),
        ("Host: evil.example", "Host: localhost"),
        ("Host: localhost", "Origin: https://evil.example", "Origin: http://localhost"),
        ("Host: localhost", "Content-Type: text/plain", "Content-Type: application/json"),
        ("Host: localhost", f"X-Api-Key: {TOKEN}", "X-Api-Key: b"),
        ("Host: localhost", "Authorization: Bearer a", "authorization: Bearer b"),
    ],
)
def test_what_is_looked_at_stands_once(stage: GatewayStage, lines: tuple[str, ...]) -> None:
    requests = [asking(method, path, *lines, host=None) for method, path in EVERYWHERE]
    assert set(statuses(stage, requests)) == {400}


def test_other_headers_may_stand_twice(stage: GatewayStage) -> None:
    assert statuses(stage, [asking("GET", "/health", "Accept: a", "Accept: b", "Cookie: a", "Cookie: b")]) == [200]


# Pages


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://localhost.evil.example",
        "http://evil.example@localhost",
        "http://localhost:80/evil.example",
        "file://localhost",
        "chrome-extension://localhost",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:8443",
        "HTTPS://APP.EXAMPLE",
        "https://app.example/",
    ],
)
def test_a_strange_page_is_turned_away_whatever_it_asks(locked: GatewayStage, origin: str) -> None:
    lines = (f"Origin: {origin}", f"x-api-key: {TOKEN}", "Access-Control-Request-Method: POST")
    assert set(statuses(locked, [asking(method, path, *lines) for method, path in EVERYWHERE])) == {403}


FORM_TYPES = (
    "text/plain",
    "text/plain; application/json",
    "text/plain;charset=application/json",
    "multipart/form-data; boundary=application/json",
    "application/x-www-form-urlencoded",
    "application/jsonp",
    "application/json, text/plain",
    "text/x+json",
    "+json",
    "",
    None,
)
"""What a page sends without asking first, and what only looks like JSON."""


@pytest.mark.parametrize("content_type", FORM_TYPES)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunks"])
def test_a_form_is_no_request(stage: GatewayStage, content_type: str | None, is_chunked: bool) -> None:
    lines = [] if content_type is None else [f"Content-Type: {content_type}"]
    if is_chunked:
        lines, body = [*lines, "Transfer-Encoding: chunked"], b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    else:
        lines, body = [*lines, f"Content-Length: {len(BODY)}"], BODY
    seen = len(stage["alpha"].posts)
    requests = [
        asking(method, path, *lines) + body for method, path in EVERYWHERE if method in ("POST", "PUT", "DELETE")
    ]
    assert set(statuses(stage, requests)) == {415}
    assert len(stage["alpha"].posts) == seen


# Tokens

OFFERS = {
    "bearer": "Authorization: Bearer {}",
    "x-api-key": "x-api-key: {}",
    "x-goog-api-key": "x-goog-api-key: {}",
    "query": None,
}


def offering(place: str, token: str) -> list[bytes]:
    line = OFFERS[place]
    if line is None:
        return [asking(method, f"{path}?a=b&key={token}") for method, path in EVERYWHERE if path != "*"]
    return [asking(method, path, line.format(token)) for method, path in EVERYWHERE]


@pytest.mark.parametrize("place", OFFERS)
def test_the_token_opens_every_route_from_every_place(locked: GatewayStage, place: str) -> None:
    assert set(statuses(locked, offering(place, TOKEN))) <= {200, 400, 404, 405}


@pytest.mark.parametrize(
    "token",
    ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f"{TOKEN},{TOKEN}", "\xe4", "\xff\xfe", "%00", f'"{TOKEN}"'],
)
@pytest.mark.parametrize("place", OFFERS)
def test_another_token_opens_none(locked: GatewayStage, place: str, token: str) -> None:
    if place == "query":
        token = "".join(f"%{ord(letter):02x}" for letter in token)
    assert set(statuses(locked, offering(place, token))) == {401}


def settings_with(home: Path, **flags: str) -> Settings:
    return load_settings({"FREERIDE_HOME": str(home)}, **flags)


@pytest.mark.parametrize("verdict", [True, False])
def test_nothing_but_a_comparison_in_constant_time_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: bool
) -> None:
    """Whatever it says is what counts, for the right token and a wrong one; and it is asked about every offer, as bytes."""
    asked: list[tuple[object, object]] = []

    def compare(one: object, other: object) -> bool:
        asked.append((one, other))
        return verdict

    monkeypatch.setattr("hmac.compare_digest", compare)
    settings = settings_with(tmp_path, token=TOKEN)
    for token in (TOKEN.encode(), b"\xc3\xa4\xff", b""):
        headers = {b"host": b"localhost", b"authorization": b"Bearer " + token, b"x-api-key": token}
        asked.clear()
        refused = access.refusal(b"key=%C3%A4", {**headers, b"x-goog-api-key": token}, settings, is_preflight=False)
        assert (refused is None) is verdict
        assert sorted(map(repr, asked)) == sorted(
            map(repr, [(offer, TOKEN.encode()) for offer in (token, token, token, "ä".encode())])
        )


def test_a_token_that_no_header_can_carry_is_no_setting(tmp_path: Path) -> None:
    for token in ("tökén-1234567890", "with white space", "two\nlines"):
        with pytest.raises(Exception, match="FREERIDE_TOKEN is not a token"):
            settings_with(tmp_path, token=token)


def test_a_token_never_reaches_a_log(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path / "home", {"FREERIDE_TOKEN": TOKEN})
    with FakeUpstream() as upstream:
        bench.add("alpha", upstream)
        _ask_in_every_way(bench)
        written = [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 3
    assert not [text for text in written if TOKEN[:8] in text]


def _ask_in_every_way(bench: GatewayBench) -> None:
    with GatewayProcess(bench, names=("alpha",)) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        for path in ("/health", "/nothing", "/v1/chat/completions", "/v1/models/a", "/v1beta/models/a:generateContent"):
            for more in ("", "x", "%"):
                httpx.post(f"{gateway.url}{path}?key={TOKEN}{more}", json=question(), trust_env=False)
                httpx.get(f"{gateway.url}{path}?key={TOKEN}{more}", headers={"x-api-key": TOKEN}, trust_env=False)
        for rubbish in (b"GET /?key=%b HTTP/9\r\n\r\n", b"GET http://[?key=%b HTTP/1.1\r\n\r\n", b"\0/?key=%b\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(rubbish % TOKEN.encode())
                connection.recv(1000)


# Where it listens

REACHABLE = (
    "0.0.0.0",
    "0",
    "::",
    "::0",
    "0:0:0:0:0:0:0:0",
    "::ffff:0.0.0.0",
    "[::]",
    "10.0.0.5",
    "box.lan",
    "evil.localhost.example",
)


@pytest.mark.parametrize("host", REACHABLE)
def test_without_a_token_it_listens_on_loopback_alone(tmp_path: Path, host: str) -> None:
    program = (
        "import sys, socket\n"
        "socket.socket.bind = lambda *_: sys.exit('bound')\n"
        "from freeride_core.cli import main\n"
        "sys.argv[:] = ['freeride', 'serve', '--port', '0', '--host', sys.argv[1]]\n"
        "main()"
    )
    ended = run([sys.executable, "-c", program, host], clean_environ(tmp_path, {"GROQ_API_KEY": "gsk_" + "a" * 20}))
    assert ended.returncode == 1
    assert "FREERIDE_TOKEN" in ended.stderr


def test_a_name_of_loopback_that_leads_elsewhere_is_seen_through(tmp_path: Path) -> None:
    program = (
        "import sys, socket\n"
        "bind = socket.socket.bind\n"
        "socket.socket.bind = lambda own, address: bind(own, ('0.0.0.0', 0))\n"
        "from freeride_core.cli import main\n"
        "sys.argv[:] = ['freeride', 'serve', '--port', '0', '--host', 'me.localhost']\n"
        "main()"
    )
    ended = run([sys.executable, "-c", program], clean_environ(tmp_path, {"GROQ_API_KEY": "gsk_" + "a" * 20}))
    assert ended.returncode == 1
    assert "FREERIDE_TOKEN" in ended.stderr
