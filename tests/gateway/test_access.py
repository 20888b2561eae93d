"""Access: which requests are let in, and what a client is told that asks for what is not there."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import GatewayStage, post_of, question

TOKEN = "hand-made-token-1234567890"
BODY = json.dumps(question()).encode()
ROUTES = (
    "/health",
    "/v1/models",
    "/v1/models/double/one",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/quota",
    "/nothing",
)


def read_answer(connection: socket.socket, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
    """One answer from a raw socket."""
    with connection, connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", "0"))) if has_body else b""
    return status, headers, body


def get(stage: GatewayStage, path: str, *lines: str, host: str | None = "localhost", method: str = "GET") -> Any:
    head = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *lines]
    return read_answer(stage.raw("\r\n".join(head).encode() + b"\r\n\r\n"), has_body=method != "HEAD")


def error_of(body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(body)["error"]
    assert {"message", "type", "code", "request_id"} <= set(error)
    return error


# Host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "127.0.0.1:11343", "127.8.9.1", "[::1]:80"])
def test_loopback_names_are_answered(tmp_path: Path, host: str) -> None:
    with GatewayStage(tmp_path) as stage:
        assert get(stage, "/health", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:11343",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "10.0.0.5",
            "0.0.0.0",
            "",
        ),
        # Only some resolvers keep these names on this machine; the others ask the network.
        *("evil.localhost", "evil.localhost:11343"),
    ],
)
def test_other_names_are_not_answered_on_any_route(tmp_path: Path, host: str) -> None:
    with GatewayStage(tmp_path) as stage:
        assert json.loads(get(stage, "/health", host=host)[2]) == {"ok": True}, "of its health, no more than this"
        for path in ROUTES[1:]:
            status, headers, body = get(stage, path, host=host)
            assert status == 421
            assert error_of(body)["code"] == "host_not_allowed"
            assert headers["x-freeride-request-id"] == error_of(body)["request_id"]
        status, _, _ = read_answer(stage.raw(post_of(BODY).replace(b"Host: localhost", b"Host: " + host.encode())))
        assert status == 421
        assert not stage["alpha"].posts


def test_names_that_the_user_allows_are_answered(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, allowed_hosts="box.lan, Other.Lan") as stage:
        assert get(stage, "/health", host="box.lan:11343")[0] == 200
        assert get(stage, "/health", host="OTHER.lan")[0] == 200
        assert get(stage, "/v1/models", host="third.lan")[0] == 421


def test_addresses_are_answered_when_a_token_is_set(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, token=TOKEN) as stage:
        assert get(stage, "/health", f"x-api-key: {TOKEN}", host="10.0.0.5")[0] == 200
        assert get(stage, "/health", f"x-api-key: {TOKEN}", host="[fe80::1]")[0] == 200
        assert get(stage, "/v1/models", f"x-api-key: {TOKEN}", host="evil.example")[0] == 421


# Origin


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://", "x"])
def test_other_pages_are_not_answered_on_any_route(tmp_path: Path, origin: str) -> None:
    with GatewayStage(tmp_path) as stage:
        for path in ROUTES:
            for method in ("GET", "OPTIONS"):
                status, headers, body = get(stage, path, f"Origin: {origin}", method=method)
                assert status == 403
                assert error_of(body)["code"] == "origin_not_allowed"
                assert not [name for name in headers if name.startswith("access-control")]
        status, _, _ = read_answer(stage.raw(post_of(BODY, Origin=origin)))
        assert status == 403
        assert not stage["alpha"].posts


APP = "https://app.example"
READ = ("/v1/models", "/v1/models/double/one", "/v1/chat/completions", "/v1/embeddings")
"""Routes whose answers a page of another origin may read."""
STAINLESS = (
    "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-package-version,"
    "x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout"
)


def preflight(
    stage: GatewayStage,
    origin: str,
    names: str | None,
    *lines: str,
    path: str = "/v1/chat/completions",
    host: str = "localhost",
) -> tuple[int, dict[str, str]]:
    asked = [] if names is None else [f"Access-Control-Request-Headers: {names}"]
    lines = (f"Origin: {origin}", "Access-Control-Request-Method: POST", *asked, *lines)
    status, headers, _ = get(stage, path, *lines, method="OPTIONS", host=host)
    return status, headers


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8", "http://127.8.9.1:1", APP]
)
def test_a_page_that_may_ask_can_read_inference_and_model_lists_only(tmp_path: Path, origin: str) -> None:
    with GatewayStage(tmp_path, allowed_origins=APP) as stage:
        for path in (*ROUTES, "/v1/quota", "/v1/requests", "/v1/events", "/metrics", "/"):
            _, headers, _ = get(stage, path, f"Origin: {origin}")
            allowed = {name: text for name, text in headers.items() if name.startswith("access-control")}
            if path in READ:
                assert allowed.pop("access-control-allow-origin") == origin
                exposed = allowed.pop("access-control-expose-headers").split(", ")
                assert {"x-request-id", "request-id", "retry-after", "x-should-retry", "x-freeride-provider"} <= set(
                    exposed
                )
            assert not allowed, path
        status, headers, _ = read_answer(stage.raw(post_of(BODY, Origin=origin)))
        assert (status, headers["access-control-allow-origin"]) == (200, origin)
        status, headers, _ = read_answer(stage.raw(post_of(b"not JSON", Origin=origin)))
        assert (status, headers["access-control-allow-origin"]) == (400, origin)
        assert get(stage, "/health", "Origin: https://other.example")[0] == 403


def test_every_answer_varies_by_origin(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, allowed_origins=APP) as stage:
        for lines in ((), (f"Origin: {APP}",), ("Origin: https://evil.example",)):
            for path in ROUTES:
                assert "origin" in get(stage, path, *lines)[1]["vary"].lower(), (path, lines)
        assert read_answer(stage.raw(post_of(BODY)))[1]["vary"] == "origin"
        assert get(stage, "/health", host="evil.example")[1]["vary"] == "origin"


@pytest.mark.parametrize(
    ("origin", "names", "is_allowed"),
    [
        (APP, "authorization,content-type", True),
        (APP, STAINLESS, True),
        ("app://obsidian.md", STAINLESS, True),
        ("chrome-extension://abcdef", STAINLESS, True),
        (APP, "x-any-name-at-all, X-Other", True),
        (APP, None, True),
        (APP, "", True),
        (APP, ",".join(f"x-{number}" for number in range(64)), True),
        (APP, ",".join(f"x-{number}" for number in range(65)), False),
        (APP, "x-" + "a" * 5000, False),
        (APP, "not a token", False),
        (APP, "a,,b", False),
        (APP, "x(y)", False),
        ("http://localhost:3000", STAINLESS, True),
        ("http://localhost:3000", "authorization, content-type, x-api-key, anthropic-version, anthropic-beta", True),
        ("http://127.0.0.1:5173", "x-goog-api-key, x-goog-api-client, http-referer, x-title", True),
        ("http://[::1]:1", "X-FreeRide-Force-Provider", True),
        ("http://localhost:3000", "x-any-name-at-all", False),
        ("http://localhost:3000", "authorization, cookie", False),
    ],
)
def test_a_preflight_is_answered_with_the_headers_it_asks_for(
    tmp_path: Path, origin: str, names: str | None, *, is_allowed: bool
) -> None:
    with GatewayStage(
        tmp_path, allowed_origins=f"{APP},app://obsidian.md,chrome-extension://abcdef", token=TOKEN
    ) as stage:
        status, headers = preflight(stage, origin, names)
        assert "access-control-allow-credentials" not in headers
        assert "access-control-allow-private-network" not in headers
        if not is_allowed:
            assert status == 403
            return
        assert status == 204
        assert "content-length" not in headers
        assert headers["access-control-allow-origin"] == origin
        assert headers["access-control-allow-methods"] == "GET, POST"
        assert headers["access-control-max-age"] == "600"
        assert headers.get("access-control-allow-headers", "").replace(" ", "") == (names or "").replace(" ", "")
        assert not stage["alpha"].posts


def test_a_preflight_passes_the_same_door_and_opens_no_other_route(tmp_path: Path) -> None:
    private = "Access-Control-Request-Private-Network: true"
    with GatewayStage(tmp_path, allowed_origins=APP, token=TOKEN) as stage:
        assert preflight(stage, APP, STAINLESS, host="evil.example")[0] == 421
        for path in ("/health", "/nothing", "/v1/quota", "/metrics"):
            assert preflight(stage, APP, STAINLESS, path=path)[0] == 401
        for path in READ:
            status, headers = preflight(stage, APP, STAINLESS, private, path=path)
            assert (status, headers["access-control-allow-private-network"]) == (204, "true")
        for origin in (
            "https://evil.example",
            "null",
            "http://evil.localhost",
            "file://",
            "http://localhost.evil.example",
        ):
            status, headers = preflight(stage, origin, STAINLESS, private)
            assert (status, [name for name in headers if name.startswith("access-control")]) == (403, [])


def test_loopback_pages_can_be_shut_out(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, allowed_origins=f"none,null,{APP}") as stage:
        assert get(stage, "/v1/models", f"Origin: {APP}")[0] == 200
        for origin in ("http://localhost:3000", "http://127.0.0.1", "none", "null"):
            assert get(stage, "/v1/models", f"Origin: {origin}")[0] == 403
            assert preflight(stage, origin, STAINLESS)[0] == 403
        assert get(stage, "/v1/models", "Origin: http://localhost:11343", host="localhost:11343")[0] == 200


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        ("http://box.lan:11343", "box.lan:11343", True),
        ("http://box.lan", "box.lan", True),
        ("http://box.lan", "box.lan:80", True),
        ("http://box.lan:11343", "Box.Lan:11343", True),
        ("http://box.lan:3000", "box.lan:11343", False),
        ("https://box.lan:11343", "box.lan:11343", False),
        ("http://other.lan:11343", "box.lan:11343", False),
    ],
)
def test_the_gateways_own_page_may_ask_and_needs_no_cors(
    tmp_path: Path, origin: str, host: str, *, is_own: bool
) -> None:
    with GatewayStage(tmp_path, allowed_hosts="box.lan") as stage:
        for path in ROUTES[:3]:
            status, headers, _ = get(stage, path, f"Origin: {origin}", host=host)
            assert (status == 200) is is_own
            assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_cannot_make_requests_that_it_could_not_read(tmp_path: Path, site: str) -> None:
    with GatewayStage(tmp_path) as stage:
        assert get(stage, "/v1/models")[0] == 200, "a client that is let in is remembered, and this one is not"
        for path in ROUTES:
            status, _, body = get(stage, path, f"Sec-Fetch-Site: {site}")
            assert (status, error_of(body)["code"]) == (403, "origin_not_allowed")
        assert get(stage, "/v1/models", f"Sec-Fetch-Site: {site}", "Origin: http://localhost:3000")[0] == 200
        for own in ("none", "same-origin"):
            assert get(stage, "/v1/models", f"Sec-Fetch-Site: {own}")[0] == 200


# Content-Type


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"]
)
def test_json_bodies_are_read(tmp_path: Path, content_type: str) -> None:
    with GatewayStage(tmp_path) as stage:
        request = post_of(BODY).replace(b"application/json", content_type.encode())
        assert read_answer(stage.raw(request))[0] == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""],
)
def test_bodies_that_a_page_can_send_without_asking_are_not_read(tmp_path: Path, content_type: str) -> None:
    with GatewayStage(tmp_path) as stage:
        for path in ("/v1/chat/completions", "/v1/embeddings", "/v1/quota", "/nothing"):
            request = post_of(BODY, path).replace(b"application/json", content_type.encode())
            status, _, body = read_answer(stage.raw(request))
            assert status == 415
            assert error_of(body)["code"] == "unsupported_media_type"
        chunked = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        assert read_answer(stage.raw(chunked))[0] == 415
        assert not stage["alpha"].posts


def test_a_request_without_a_body_needs_no_content_type(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        assert get(stage, "/api/show", method="POST")[0] == 404
        assert get(stage, "/api/show", "Content-Length: 0", method="POST")[0] == 404
        assert get(stage, "/v1/chat/completions", "Content-Length: 0", method="POST")[0] == 400


# Token


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {"authorization": f"Bearer {TOKEN}"}),
        ("", {"authorization": f"bearer  {TOKEN}"}),
        ("", {"x-api-key": TOKEN}),
        ("", {"x-goog-api-key": TOKEN}),
        (f"?key={TOKEN}", {}),
        (f"?alt=sse&key={TOKEN}", {"authorization": "Bearer any"}),
    ],
)
def test_a_token_is_taken_from_four_places(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    with GatewayStage(tmp_path, token=TOKEN) as stage:
        answer = httpx.post(
            f"{stage.url}/v1/chat/completions{path}", json=question(), headers=headers, trust_env=False, verify=False
        )
        assert answer.status_code == 200
        assert TOKEN not in str(stage["alpha"].posts[0].headers)
        assert TOKEN not in stage["alpha"].posts[0].path


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {}),
        ("", {"authorization": "Bearer wrong"}),
        ("", {"authorization": TOKEN}),
        ("", {"authorization": f"Basic {TOKEN}"}),
        ("", {"x-api-key": TOKEN[:-1]}),
        ("", {"x-api-key": "ä"}),
        (f"?token={TOKEN}", {}),
        ("?key=", {}),
    ],
)
def test_without_the_token_every_route_is_closed(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    raw = httpx.Headers(headers, encoding="latin-1")
    with GatewayStage(tmp_path, token=TOKEN) as stage:
        assert httpx.get(f"{stage.url}/health{path}", headers=raw, trust_env=False, verify=False).json() == {"ok": True}
        for route in ROUTES[1:]:
            assert httpx.get(stage.url + route + path, headers=raw, trust_env=False, verify=False).status_code == 401
        answer = httpx.post(
            f"{stage.url}/v1/chat/completions{path}", json=question(), headers=raw, trust_env=False, verify=False
        )
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert answer.headers["x-should-retry"] == "false"
        assert not stage["alpha"].posts


# Size


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, max_body=1000) as stage:
        head = post_of(b"").replace(b"Content-Length: 0", b"Content-Length: 1001")
        status, headers, body = read_answer(stage.raw(head))
        assert status == 413
        assert error_of(body)["code"] == "request_too_large"
        assert headers["connection"] == "close"


def test_a_body_of_unknown_size_is_refused_once_it_is_too_large(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, max_body=1000) as stage:
        head = post_of(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        piece = b"1f4\r\n" + b" " * 500 + b"\r\n"
        status, _, body = read_answer(stage.raw(head + piece * 3))
        assert status == 413
        assert error_of(body)["code"] == "request_too_large"


def test_a_body_of_the_largest_size_is_read(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, max_body=1000) as stage:
        assert read_answer(stage.raw(post_of(BODY.ljust(1000))))[0] == 200


# What is not there

PROBES = (
    "/",
    "/favicon.ico",
    "/v1",
    "/v1/",
    "/v1/props",
    "/props",
    "/version",
    "/api/tags",
    "/api/version",
    "/api/v1/models",
    "/models",
    "/slots",
    "/metrics.json",
    "/docs",
    "/openapi.json",
    "/v1/chat/completions/x",
    "/.well-known/agent.json",
    "//evil.example/",
)


def test_other_paths_are_a_quick_404_without_an_event(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with GatewayStage(tmp_path) as stage:
        for path in PROBES:
            status, headers, body = get(stage, path)
            assert (status, headers["content-type"]) == (404, "application/json"), path
            assert error_of(body)["type"] == "invalid_request_error"
            assert get(stage, path, method="HEAD")[0] == 404
            assert read_answer(stage.raw(post_of(BODY, path)))[0] == 404
        assert stage.ask().status_code == 200
        stage.thread.stop()
        assert {event["request_id"] for event in stage.events()} == {stage.events()[0]["request_id"]}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("prefix", ["/v1/v1", "/v1/v1/v1", "/v1/", "//v1", "/v1//v1", "/v1/v1/", "//v1//v1//"])
def test_a_doubled_prefix_is_understood(tmp_path: Path, prefix: str) -> None:
    with GatewayStage(tmp_path) as stage:
        for ending in ("", "/"):
            for path in ("/models", "/models/double/one"):
                assert get(stage, prefix + path + ending)[0] == 200, path
                assert get(stage, prefix + path + ending, method="HEAD")[0] == 200, path
            assert read_answer(stage.raw(post_of(BODY, f"{prefix}/chat/completions{ending}")))[0] == 200
            status, _, body = read_answer(
                stage.raw(post_of(b'{"model":"auto","input":"x"}', f"{prefix}/embeddings{ending}"))
            )
            assert (status, error_of(body)["code"]) == (400, "model_required")
        assert all(post.path == "/v1/chat/completions" for post in stage["alpha"].posts)


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions/", "/v1/models/", "/v1/models/double/one/", "/health/", "/health//"]
)
def test_a_slash_at_the_end_is_understood(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path) as stage:
        assert (read_answer(stage.raw(post_of(BODY, path))) if "chat" in path else get(stage, path))[0] == 200


BASE = "http://localhost:11343/v1"
BASE_SLIPS = (
    *(
        "/chat/completions",
        "/models",
        "/models/double/one",
        "/embeddings",
        "/api/v1/chat/completions",
        "/openai/v1/models",
    ),
    *("/v1/chat/completions/chat/completions", "/v1/chat/completions/v1/chat/completions", "/v2/chat/completions"),
    *("/openai/deployments/gpt/chat/completions", "/v1/openai/chat/completions", "/api/models", "/v1/"),
)


@pytest.mark.parametrize(
    "path", [*BASE_SLIPS, "/v1/completions", "/completions", "/v1/responses", "/responses", "/v1/responses/x"]
)
def test_a_path_that_is_not_served_says_what_to_set(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path) as stage:
        for request in (get(stage, path, host="localhost:11343"), read_answer(stage.raw(post_of(BODY, path)))):
            status, headers, body = request
            assert (status, headers["content-type"], headers["x-should-retry"]) == (404, "application/json", "false")
            error = error_of(body)
            assert error["code"] == "not_found"
            assert re.search(r"base URL.*http://localhost(?::11343)?/v1", error["message"]), error["message"]
            assert headers["x-freeride-request-id"] == error["request_id"]
        assert not stage["alpha"].posts


@pytest.mark.parametrize("path", ["/messages", "/anthropic/v1/messages", "/v1/messages/batches"])
def test_a_wrong_path_of_the_messages_api_is_told_in_its_own_shape(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path) as stage:
        status, headers, body = read_answer(stage.raw(post_of(BODY, path)))
        said = json.loads(body)
        assert (status, said["type"], said["error"]["type"]) == (404, "error", "not_found_error")
        assert "POST /v1/messages," in said["error"]["message"]
        assert said["request_id"] == headers["x-freeride-request-id"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/v1beta/models/x:generateContent",
            "/v1beta/models/x:streamGenerateContent",
            "/v1beta/models",
            "/v1beta/models/x:countTokens",
        ),
        *("/v1/models/x:generateContent", "/models/double/one:streamGenerateContent", "/v1alpha/models", "/v1beta"),
    ],
)
def test_generate_content_is_refused_in_its_own_shape(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path) as stage:
        others = [] if path.startswith("/v1/models/") else [get(stage, path)]
        for status, _, body in (read_answer(stage.raw(post_of(BODY, path))), *others):
            error = json.loads(body)["error"]
            assert (status, error["code"], error["status"]) == (404, 404, "NOT_FOUND")
            assert "http://localhost/v1" in error["message"]


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/audio/speech", "/v1/images/generations", "/v1/moderations", "/v1/files", "/v1/batches", "/v1/rerank"),
        *("/", "/favicon.ico", "/nothing", "/.well-known/agent.json"),
    ],
)
def test_a_path_of_another_kind_says_what_is_served(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path) as stage:
        message = error_of(get(stage, path)[2])["message"]
        assert "POST /v1/chat/completions" in message
        assert "GET /v1/models" in message


def test_another_method_on_a_known_path_is_a_405(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for path, method in (("/v1/chat/completions", "GET"), ("/v1/models", "DELETE"), ("/health", "PUT")):
            status, _, body = get(stage, path, method=method)
            assert status == 405
            assert error_of(body)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/"])
def test_a_websocket_is_told_at_once_that_there_is_none(
    tmp_path: Path, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    with GatewayStage(tmp_path) as stage:
        status, _, body = get(stage, path, *upgrade)
        assert status == 426
        assert error_of(body)["code"] == "upgrade_required"
        assert get(stage, path, *upgrade, host="evil.example")[0] == 421
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_page_of_another_origin_learns_nothing_of_its_health(tmp_path: Path, origin: str) -> None:
    with GatewayStage(tmp_path, token=TOKEN) as stage:
        for host in ("localhost", "evil.example"):
            status, _, body = get(stage, "/health", f"Origin: {origin}", host=host)
            assert status in (403, 421), body


def test_health_names_the_providers_that_have_a_key(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keys={"beta": 0}) as stage:
        answer = stage.get("/health")
        assert answer.json()["ok"] is True
        assert answer.json()["providers"] == ["alpha"]
        assert answer.json()["version"]
        assert answer.headers["x-freeride-request-id"].startswith("req_")
