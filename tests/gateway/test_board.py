"""`GET /v1/quota`: what is left of every limit, and who may read it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import GatewayStage, key_of, provider, until
from freeride_core import Limit, LimitKind, Scope
from freeride_core.ledger.store.sqlite import SqliteStore

TOKEN = "hand-made-token-1234567890"
APP = "https://app.example"
DAY = Limit(
    unit="requests", amount=50, window="day", scope=Scope.ACCOUNT, source="s", checked="2026-12-01",
    kind=LimitKind.ROLLING,
)  # fmt: skip


def stage_in(home: Path, **flags: Any) -> GatewayStage:
    return GatewayStage(home, provider("alpha", limits=(DAY,)), provider("beta"), **flags)


def read(stage: GatewayStage, method: str = "GET", **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, f"{stage.url}/v1/quota", headers=sent, trust_env=False, verify=False)


def test_it_tells_what_is_left_without_asking_anybody(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        assert read(stage).json()["limits"][0]["left"] == 50
        assert not stage["alpha"].seen
        assert stage.ask().status_code == 200
        answer = read(stage)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    board = answer.json()
    assert (board["mode"], board["no_known_limits"]) == ("on", ["beta"])
    [row] = board["limits"]
    assert (row["provider"], row["name"], row["amount"], row["used"], row["left"]) == ("alpha", "rpd", 50, 1, 49)
    assert (row["keys"], row["source"]) == ([{"index": 0, "variable": "ALPHA_KEY"}], "published")
    assert board["at"] < row["frees_at"] <= row["full_at"] < board["at"] + 86401
    key = key_of("alpha")
    assert not [at for at in range(len(key) - 7) if key[at : at + 8] in answer.text]


def test_nothing_is_shown_where_nothing_is_counted(tmp_path: Path) -> None:
    with stage_in(tmp_path, environ={"FREERIDE_QUOTA": "off"}) as stage:
        assert (read(stage).json()["mode"], read(stage).json()["limits"]) == ("off", [])


@pytest.mark.parametrize("path", ["/v1/quota/", "//v1/quota", "/v1/v1/quota"])
def test_slips_in_the_path_are_understood(tmp_path: Path, path: str) -> None:
    with stage_in(tmp_path) as stage:
        assert stage.get(path).json()["mode"] == "on"


def test_a_head_is_answered_and_other_methods_are_not(tmp_path: Path) -> None:
    with stage_in(tmp_path) as stage:
        head = read(stage, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 100
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = read(stage, method)
            assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "whatever comes"}, 403),
        ({"origin": "http://localhost:11343", "host": "localhost:11343"}, 200),
        ({"origin": "http://localhost:11343", "host": "localhost:11343", "sec_fetch_site": "same-origin"}, 200),
        ({"origin": "http://localhost:11343", "host": "localhost:11343", "sec_fetch_site": "same-site"}, 403),
        ({"origin": "http://localhost:3000", "host": "localhost:11343"}, 403),
        ({"origin": "http://127.0.0.1:11343", "host": "localhost:11343"}, 403),
        ({"origin": APP}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 421),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_page_but_the_gateways_own_reads_it(
    tmp_path: Path, method: str, headers: dict[str, str], status: int
) -> None:
    with stage_in(tmp_path, allowed_origins=APP) as stage:
        assert read(stage).status_code == 200, "a client that is let in is remembered, and a page is not"
        answer = read(stage, method, access_control_request_method="GET", **headers)
    assert answer.status_code == (405 if (method, status) == ("OPTIONS", 200) else status)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "origin" in answer.headers["vary"]
    if status == 403 and method == "GET":
        assert answer.json()["error"]["code"] == "origin_not_allowed"


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"x_api_key": "wrong"}, 401), ({"x_api_key": TOKEN}, 200)])
def test_it_needs_the_token_if_there_is_one(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    with stage_in(tmp_path, token=TOKEN) as stage:
        answer = read(stage, **headers)
    assert answer.status_code == status
    assert ("limits" in json.loads(answer.text)) is (status == 200)


def test_the_state_has_each_request_though_no_other_follows(tmp_path: Path) -> None:
    def is_saved(count: int) -> bool:
        with closing(SqliteStore(stage.bench.home / "state.db")) as store:
            saved = [entry.value for entry in store.read_all() if entry.section == "quota"]
        used: float = sum(amount for value in saved for _, amount in value["used"])
        return used == count

    with stage_in(tmp_path) as stage:
        assert stage.ask().status_code == 200
        until(lambda: is_saved(1), timeout_s=20)
        assert stage.ask().status_code == 200
        until(lambda: is_saved(2), timeout_s=20)
