"""`freeride status`: what runs, who serves, what was used today, and what is left."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fake_upstream import GatewayStage, provider
from freeride_core.cli.group import app
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry
from freeride_core.settings.keys import fingerprint

KEY = "ak_goodgoodgood1"
SOURCE = """
from freeride_core import *

LIMIT = dict(source="s", checked="2026-11-23")

@hookimpl
def freeride_register_provider():
    return CompatibleProvider(
        api_version=1,
        name="acme", rank=1, about=About(title="Acme Cloud", homepage="h", keys_url="https://acme.example/keys", free_day="f",
        sign_up="s", data_use="d", source="s", checked="2026-11-23"),
        credentials=(Credential(variable="ACME_API_KEY"),),
        base_url="https://acme.example/v1", free=FreeSuffix(":free"),
        catalog=CompatibleCatalog(checked="2026-11-23", models=(Model(id="m:free", canonical="m"),), path="/models"),
        chat=CompatibleWire(path="/chat/completions"),
        limits=(
            Limit(unit="requests", amount=1000, window="day", scope=Scope.ACCOUNT, **LIMIT),
            Limit(unit="requests", amount=20, window="minute", scope=Scope.ACCOUNT, **LIMIT),
            Limit(unit="tokens", amount=500, window="day", scope=Scope.ACCOUNT_MODEL, **LIMIT),
        ),
    )
"""
Command = Callable[..., Result]


@pytest.fixture
def status(install: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`freeride status` with one provider, at a port where nothing listens."""
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=SOURCE)
    for name, value in {"FREERIDE_PROVIDERS": "acme", "FREERIDE_PORT": "9", "ACME_API_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, ["status", *arguments])


def keep(home: Path, *entries: Entry) -> None:
    with closing(SqliteStore(home / "state.db")) as store:
        store.write(entries)


def used(requests: int, **more: int) -> Entry:
    return Entry("usage", json.dumps([time.strftime("%Y-%m-%d"), "acme", "1"]), {"requests": requests, **more})


def quota(name: str, requests: float, **more: Any) -> Entry:
    """What a gateway has counted of a limit."""
    usual = {"amount": 1.0, "source": "published", "changed_at": 0.0, "shut_until": 0.0, "told_until": 0.0}
    subject = json.dumps([name, "acme", f"account:{fingerprint(KEY)}", "*"])
    return Entry("quota", subject, {**usual, "used": [[time.time(), requests]], **more})


def cooldown(kind: str, until: float, model: str = "*", subject: str = f"key:{fingerprint(KEY)}") -> Entry:
    return Entry("cooldown", json.dumps(["acme", subject, model]), {"kind": kind, "until": until, "noted": 1})


def test_without_a_gateway_it_says_how_to_start_one(status: Command) -> None:
    result = status()
    assert result.exit_code == 0
    assert "Start it with: freeride serve" in result.stdout.splitlines()[0]
    assert result.stdout.splitlines()[2:5] == [
        "Today",
        "PROVIDER  STATE  REQUESTS  FAILED  TOKENS IN  TOKENS OUT",
        "acme      ready  0         0       0          0",
    ]
    assert json.loads(status("--json").stdout)["gateway"] == {
        "url": "http://127.0.0.1:9",
        "running": False,
        "pid": None,
        "started_at": None,
        "version": None,
        "providers": None,
        "fault": "The gateway is not running at http://127.0.0.1:9. Start it with: freeride serve",
    }


def test_what_was_used_and_what_is_left_of_a_day(status: Command, freeride_home: Path) -> None:
    keep(freeride_home, used(12, served=11, failed=1, tokens_in=1204, tokens_out=3021), quota("rpd", 12))
    result = status()
    assert "acme      ready  12        1       1,204      3,021" in result.stdout
    assert "Left\n  acme, all models: 988 of 1,000 requests a day ?, all in " in result.stdout
    assert "a minute" not in result.stdout
    [row] = json.loads(status("--json").stdout)["providers"]
    assert row["today"] == {"requests": 12, "served": 11, "failed": 1, "tokens_in": 1204, "tokens_out": 3021}
    requests, tokens = row["left"]
    assert (requests["name"], requests["left"], requests["amount"]) == ("rpd", 988, 1000)
    assert (tokens["name"], tokens["left"]) == ("tpd", 500)


def test_a_short_limit_is_told_while_it_keeps_requests_away(status: Command, freeride_home: Path) -> None:
    keep(freeride_home, quota("rpm", 20))
    assert "acme, all models: 0 of 20 requests a minute ?, " in status().stdout
    keep(freeride_home, quota("rpm", 1, shut_until=time.time() + 40))
    assert re.search(r"19 of 20 requests a minute \?, closed for (39|40)s", status().stdout)


def test_the_providers_own_word_on_what_is_left_outweighs_the_count(status: Command, freeride_home: Path) -> None:
    check = {"accepted": True, "note": "38 of 50 free requests left today", "at": time.time()}
    keep(freeride_home, used(12), quota("rpd", 12), Entry("key_check", fingerprint(KEY), check))
    shown = status().stdout
    assert "acme: 38 of 50 free requests left today, checked at " in shown
    assert "a day" not in shown
    keep(freeride_home, quota("rpd", 12, source="told", amount=50))
    shown = status().stdout
    assert "acme, all models: 38 of 50 requests a day =" in shown
    assert "checked" not in shown, "what is counted from its word on is newer"


@pytest.mark.parametrize(
    ("kind", "wait_s", "model", "subject", "state", "words"),
    [
        ("auth", 100, "*", None, "rejected", "key rejected, tried again at "),
        ("auth", -100, "*", None, "rejected", "key rejected, being tried again"),
        ("rate_limit", 100, "*", None, "paused", "(rate_limit)"),
        ("rate_limit", -100, "*", None, "ready", "ready"),
        ("unavailable", 100, "*", "*", "paused", "paused until "),
        ("quota_exhausted", 100, "m:free", "*", "paused", "(quota_exhausted)"),
    ],
)
def test_who_cannot_answer_is_told_with_the_time(
    status: Command,
    freeride_home: Path,
    kind: str,
    wait_s: float,
    model: str,
    subject: str | None,
    state: str,
    words: str,
) -> None:
    until = time.time() + wait_s
    keep(freeride_home, cooldown(kind, until, model, subject or f"key:{fingerprint(KEY)}"))
    [row] = json.loads(status("--json").stdout)["providers"]
    assert (row["state"], row["until"]) == (state, None if state == "ready" else until)
    assert words in status().stdout


def test_the_last_failures_are_shown_and_no_other_event(status: Command, freeride_home: Path) -> None:
    one = {"type": "provider_response", "ts": 1.0, "request_id": "r", "provider": "acme", "model": "m", "key_index": 0}
    events = [
        *({**one, "status": "RATE_LIMIT", "ts": float(number)} for number in range(9)),
        {**one, "status": "OK"},
        {**one, "status": "CANCELLED"},
        {
            "type": "request_mid_stream_error",
            "ts": 9.0,
            "request_id": "r",
            "provider": "acme",
            "model": "m",
            "kind": "network",
        },
        {"type": "request_failed", "ts": 9.0, "request_id": "r", "code": "x", "tried": []},
    ]
    (freeride_home / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    found = json.loads(status("--json").stdout)["failures"]
    assert [(each["at"], each["kind"]) for each in found] == [
        (9.0, "network"),
        *((float(number), "rate_limit") for number in (8, 7, 6, 5)),
    ]
    assert status().stdout.count("acme  m  rate_limit") == 4


SECTION = """
from freeride_core.cli import StatusSection

def read():
    return StatusSection("Acme Code", [("asks", "m:free")], {"primary": "m:free"})

def nothing():
    return None

def fails():
    raise SystemExit(3)
"""


def test_plugins_add_their_parts_below_and_a_broken_one_costs_a_line(status: Command, install: Any) -> None:
    names = {"acmecode": "acme_status:read", "none": "acme_status:nothing", "broken": "acme_status:fails"}
    install("acmecode-dist", {"freeride.status": names}, acme_status=SECTION)
    result = status()
    assert (result.exit_code, result.stdout.splitlines()[-2:]) == (0, ["Acme Code", "  asks        m:free"])
    assert "The status of broken cannot be shown: SystemExit." in result.stderr
    shown = json.loads(status("--json").stdout)
    assert shown["acmecode"] == {"primary": "m:free"}
    assert "none" not in shown


def test_a_running_gateway_is_told_with_its_providers(status: Command, freeride_home: Path) -> None:
    with GatewayStage(freeride_home, provider("alpha")) as stage:
        gateway = json.loads(status("--url", stage.url, "--json").stdout)["gateway"]
    assert (gateway["running"], gateway["providers"], gateway["fault"]) == (True, ["alpha"], None)
